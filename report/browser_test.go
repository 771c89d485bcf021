package report

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/sbs"
	"github.com/partsof/nmf/matrix"
)

// tab is a page of a report in a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string
	requests []string
}

// chromium gives the path of a browser, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed: the report is not tested in a browser")
	return ""
}

// openTab opens the page at an address in a window of a width and a height.
// The test fails if the page logs an error or a warning, or asks for anything
// but itself and what begins with one of the addresses allowed.
func openTab(t *testing.T, address string, width, height int, allowed ...string) *tab {
	t.Helper()
	path := chromium(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() { cancel(); cancelAlloc() })
	p := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	p.resize(width, height)
	p.do(chromedp.Navigate(address))
	p.wait(`document.documentElement.dataset.ready`)
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, s := range p.problems {
			t.Errorf("the page reported: %s", s)
		}
		for _, s := range p.requests {
			known := s == address || strings.HasPrefix(s, "data:") || strings.HasPrefix(s, "blob:") // which a page holds itself
			for _, prefix := range allowed {
				known = known || strings.HasPrefix(s, prefix)
			}
			if !known {
				t.Errorf("the page asked for %.200s", s)
			}
		}
	})
	return p
}

// hear keeps what the browser reports.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text := ""
		for _, a := range e.Args {
			text += fmt.Sprintf(" %s%s", a.Value, a.Description)
		}
		p.problems = append(p.problems, fmt.Sprintf("console.%s:%s", e.Type, text))
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.problems = append(p.problems, text)
	case *log.EventEntryAdded:
		p.problems = append(p.problems, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	}
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// get gives what an action comes to.
func get[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// eval gives what a script comes to.
func eval[T any](p *tab, script string) T {
	p.t.Helper()
	return get(p, chromedp.Evaluate[T](script))
}

// wait waits until a script is true; a page for which it never is fails by the
// time limit of go test.
func (p *tab) wait(script string) {
	p.t.Helper()
	p.do(chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(0)))
}

func (p *tab) resize(width, height int) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(int64(width), int64(height)))
}

// visit goes to a section and waits for its drawing.
func (p *tab) visit(hash string) {
	p.t.Helper()
	if eval[string](p, `document.documentElement.dataset.ready`) != "yes" {
		p.t.Fatal("the page could not be opened")
	}
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (location.hash = %q)`, hash)))
	p.settle()
}

// settle waits until what was asked for is on the screen.
func (p *tab) settle() {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => done())), 60))`, chromedp.EvalAwaitPromise))
}

// at gives the middle of what a selector finds, in the window.
func (p *tab) at(selector string) (x, y float64) {
	p.t.Helper()
	q := eval[[]float64](p, fmt.Sprintf(`(() => { const n = document.querySelector(%q); n.scrollIntoView({block: "center"}); const r = n.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; })()`, selector))
	return q[0], q[1]
}

func (p *tab) click(selector string) {
	p.t.Helper()
	x, y := p.at(selector)
	p.do(chromedp.MouseClickXY(x, y))
	p.settle()
}

// hover points at a place of what a selector finds, given in parts of its size
// from its middle.
func (p *tab) hover(selector string, dx, dy float64) {
	p.t.Helper()
	x, y := p.at(selector)
	size := eval[[]float64](p, fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return [r.width, r.height]; })()`, selector))
	p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x+dx*size[0], y+dy*size[1]))
	p.settle()
}

// search types into the field for searching, which the slash leads to. (The
// events that are sent here put the slash into the field, a keyboard's do not.)
func (p *tab) search(text string) {
	p.t.Helper()
	p.press("/")
	if !eval[bool](p, `document.activeElement.id === "find"`) {
		p.t.Error("the slash does not lead to the search")
	}
	p.do(chromedp.Evaluate[chromedp.Void](`void (document.activeElement.value = "")`))
	p.press(text)
}

func (p *tab) press(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
	p.settle()
}

// focus gives a figure the focus, the mouse out of the way.
func (p *tab) focus(selector string) {
	p.t.Helper()
	p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, 2, 2))
	p.at(selector)
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).focus()`, selector)))
	p.settle()
}

// text gives the text of what a selector finds, "" where that is hidden.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`(document.querySelector(%q) || {}).innerText || ""`, selector))
}

func (p *tab) texts(selector string) []string {
	p.t.Helper()
	return eval[[]string](p, fmt.Sprintf(`[...document.querySelectorAll(%q)].map(n => n.innerText)`, selector))
}

// wants fails the test unless a text is found.
func (p *tab) wants(selector, text string) {
	p.t.Helper()
	if got := p.text(selector); !strings.Contains(got, text) {
		p.t.Errorf("%s says %q, not %q", selector, got, text)
	}
}

// shoot saves a picture of the whole page where NMF_SCREENSHOTS names a
// folder, for people to look at.
func (p *tab) shoot(name string) {
	p.t.Helper()
	folder := os.Getenv("NMF_SCREENSHOTS")
	if folder == "" {
		return
	}
	p.settle()
	b := get(p, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), b, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// pageFile writes a report to a file and gives its address.
func pageFile(t *testing.T, in *Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// blankCanvases names the canvases that show one colour only.
const blankCanvases = `[...document.querySelectorAll("#main canvas")].filter(c => {
	const copy = new OffscreenCanvas(c.width, c.height), g = copy.getContext("2d", {willReadFrequently: true});
	g.drawImage(c, 0, 0);
	const d = g.getImageData(0, 0, c.width, c.height).data;
	for (let p = 4; p < d.length; p += 4) if (d[p] !== d[0] || d[p + 1] !== d[1] || d[p + 2] !== d[2] || d[p + 3] !== d[3]) return false;
	return true;
}).map(c => c.id || c.getAttribute("aria-label") || c.className)`

// unnamed lists the figures, fields and buttons that a screen reader could not
// name.
const unnamed = `[...document.querySelectorAll("canvas, svg[role=img], audio, input, select, button")].filter(n =>
	n.getAttribute("aria-hidden") !== "true" && !n.getAttribute("aria-label") && !n.closest("label") && !n.textContent.trim()).map(n => n.outerHTML.slice(0, 120))`

// overflow is by how many pixels the page is wider than its window.
const overflow = `document.documentElement.scrollWidth - innerWidth`

func (p *tab) check(where string) {
	p.t.Helper()
	if blank := eval[[]string](p, blankCanvases); len(blank) > 0 {
		p.t.Errorf("%s: blank canvases: %q", where, blank)
	}
	if list := eval[[]string](p, unnamed); len(list) > 0 {
		p.t.Errorf("%s: without a name: %q", where, list)
	}
	if wide := eval[float64](p, overflow); wide > 0 {
		p.t.Errorf("%s: the page is %v pixels wider than its window", where, wide)
	}
}

// everything is a report with all sections.
func everything(t *testing.T, kind Drawing) *Input {
	features := 30
	switch kind.Kind {
	case Image:
		features = kind.Width * kind.Height
	case Signatures:
		features = 96
	case Sound:
		features = 65
	}
	model, x := made(80, features, 6, 9)
	model.RowNames, model.ColumnNames = named("tumour ", 80), named("gene", features)
	if kind.Kind == Signatures {
		model.ColumnNames = sbs.Channels[:]
	}
	model.Info.Warnings = []string{"k is large for such data"}
	model.Info.Resolved.Runs = 5
	for i := range 5 {
		model.Info.Runs = append(model.Info.Runs, nmf.RunInfo{RelativeError: 0.25 + 0.01*float64(i)})
	}
	tissue := MetadataColumn{Name: "tissue"}
	age := MetadataColumn{Name: "age"}
	for i := range 80 {
		tissue.Values = append(tissue.Values, []string{"liver", "lung", ""}[i%3])
		age.Values, age.Numbers = append(age.Values, fmt.Sprint(30+i)), append(age.Numbers, 30+float64(i))
	}
	in := &Input{Name: "tumours.csv", Model: model, X: FromMatrix[float64](x), Drawing: kind, Metadata: &Metadata{Columns: []MetadataColumn{tissue, age}},
		Rank:      &Rank{Chosen: 4, Recommendation: "Take 4 components: stability is high up to there.", Criteria: []Criterion{{Name: "stability", About: "Silhouette of matched components.", Better: "high"}, {Name: "error", Better: "low"}}},
		Consensus: &Consensus{Runs: 20, N: 80, Matrix: make([]float32, 80*80), Stability: []float64{1, 0.9, 0.8, math.NaN(), 0.4, 0.2}, Cophenetic: 0.987, Dispersion: math.NaN(), Words: "Three groups are found by all runs."}}
	if kind.Kind == Sound {
		for f := range features {
			in.Drawing.Positions = append(in.Drawing.Positions, 62.5*float64(f))
		}
		in.Drawing.Seconds = upTo(80)
		in.Sounds = []ComponentSound{{Name: "first", Components: []int{0}, WAV: wav(t, 8000, noise(4000, 1))}, {Name: "others", Components: []int{1, 2, 3, 4}, WAV: wav(t, 8000, noise(4000, 2), noise(4000, 3))}}
	}
	for c := range in.Rank.Criteria {
		for k := 2; k <= 8; k++ {
			v := 1 / float64(k+c)
			in.Rank.Criteria[c].Points = append(in.Rank.Criteria[c].Points, Point{K: k, Value: v, Low: 0.9 * v, High: 1.2 * v})
		}
	}
	for i := range 80 {
		for j := range 80 {
			if i/27 == j/27 {
				in.Consensus.Matrix[i*80+j] = 0.9
			}
		}
	}
	return in
}

// TestBrowserSections opens every section of every kind of report, in the
// light, in the dark, and in a narrow window.
func TestBrowserSections(t *testing.T) {
	if testing.Short() {
		t.Skip("dozens of pages take long")
	}
	for _, d := range []Drawing{{}, {Kind: Words}, {Kind: Image, Width: 6, Height: 5}, {Kind: Profile, Axis: "wavelength (nm)"}, {Kind: Signatures}, {Kind: Sound}} {
		t.Run("kind "+string(d.Kind), func(t *testing.T) {
			p := openTab(t, pageFile(t, everything(t, d)), 1280, 900)
			for _, look := range []string{"light", "dark", "narrow"} {
				switch look {
				case "dark":
					p.press("d")
				case "narrow":
					p.resize(390, 800)
				}
				for _, s := range []string{"overview", "components", "samples", "residuals", "rank", "component/2", "sample/3", "feature/5", "feature/999"} {
					p.visit("#" + s)
					p.check(string(d.Kind) + " " + look + " " + s)
					p.shoot(fmt.Sprintf("%s-%s-%s", d.Kind, look, strings.ReplaceAll(s, "/", "-")))
				}
			}
		})
	}
}

// TestBrowserUse does what a reader does.
func TestBrowserUse(t *testing.T) {
	in := everything(t, Drawing{})
	p := openTab(t, pageFile(t, in), 1280, 900)
	p.wants("h1", "tumours.csv")
	p.wants("main", "k is large for such data")
	p.wants("main", hashOf(in.X))
	p.wants("#tabs", "Residuals")

	// Hover over the convergence, and read it with the keys.
	p.hover(".chart svg", 0, 0)
	p.wants("#tip", "iteration")
	p.focus(".chart svg")
	p.press(kb.Home)
	p.press(kb.ArrowRight)
	p.wants("#tip", "iteration 2,")
	if said := eval[string](p, `document.getElementById("live").textContent`); !strings.Contains(said, "iteration 2") {
		t.Errorf("a screen reader hears %q", said)
	}
	p.click(".panel .choice button:nth-child(2)")
	p.wants(".chart", "seconds")

	// Search from anywhere, with the keyboard alone.
	p.search("tumour 17")
	p.wants("#found", "tumour 17")
	p.press(kb.Enter)
	p.wants("h1", "tumour 17")
	p.wants("main", "tissue: ")
	p.press(kb.ArrowRight)
	p.wants("h1", "tumour 18")
	p.press("2")
	p.wants("h1", "Components")

	// Filter, sort and order the components.
	p.click("#filter")
	p.press("gene3")
	p.wait(`document.querySelectorAll(".card .hit").length > 0`)
	p.wants(".count", "match")
	p.do(chromedp.Evaluate[chromedp.Void](`(() => { const f = document.querySelector("#filter"); f.value = ""; f.dispatchEvent(new Event("input")); f.blur(); })()`))
	p.wait(`document.querySelectorAll(".card .hit").length === 0`)
	before := p.texts(".card .head a")
	p.do(chromedp.Evaluate[chromedp.Void](`(() => { const s = document.querySelector("main select"); s.value = "sparsity"; s.dispatchEvent(new Event("change")); })()`))
	after := p.texts(".card .head a")
	sparsity := p.texts(".card .foot span:first-child")
	if slices.Equal(before, after) || !slices.IsSortedFunc(sparsity, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("by share %q, by sparsity %q: %q", before, after, sparsity)
	}
	weight := p.texts(".card:first-child .bars a")
	p.click(".toolbar .choice button:nth-child(2)")
	if got := p.texts(".card:first-child .bars a"); slices.Equal(weight, got) {
		t.Errorf("by weight and by specificity features are %q", got)
	}

	// Pin two to compare them.
	p.click("#card-1 .pin")
	p.wants("#compare", "Pin another one")
	p.click("#card-3 .pin")
	p.wants("#compare h2", "Components 1 and 3")
	p.shoot("compare")
	p.press(kb.Escape)
	if eval[bool](p, `!document.getElementById("compare").hidden`) {
		t.Error("Escape does not close the comparison")
	}

	// The map of the mixtures: hover, keys, zoom, open.
	p.press("3")
	p.hover("#mixtures", 0, 0)
	p.wants("#tip", "tumour")
	p.focus("#mixtures")
	p.press(kb.Home)
	first := p.text("#tip b")
	p.press(kb.ArrowRight)
	if second := p.text("#tip b"); first == "" || second == first {
		t.Errorf("the arrow leads from %q to %q", first, second)
	}
	p.press("+")
	p.wants("main", "40 samples: number")
	p.press(kb.Enter)
	p.wants(".crumbs", "Samples")
	p.visit("#samples")
	for b, what := range []string{"parts", "amounts", "stacked"} {
		p.click(fmt.Sprintf(".toolbar .choice button:nth-child(%d)", b+1))
		p.check(what)
		p.shoot("map-" + what)
	}
	p.do(chromedp.Evaluate[chromedp.Void](`(() => { for (const s of document.querySelectorAll("main select")) { s.value = "0"; s.dispatchEvent(new Event("change")); } })()`))
	p.wants("main", "liver")
	p.wants("main", "missing")
	p.click(".legend button")
	p.check("one group")
	p.do(chromedp.Evaluate[chromedp.Void](`(() => { for (const s of document.querySelectorAll("main select")) { s.value = "1"; s.dispatchEvent(new Event("change")); } })()`))
	p.check("by a number")
	p.focus("#embedding")
	p.press(kb.ArrowRight)
	p.wants("#tip", "tumour")
	p.press(kb.Enter)
	p.wants(".crumbs", "Samples")

	// Dark and light, and the system's choice.
	light := eval[string](p, `getComputedStyle(document.body).backgroundColor`)
	p.click("#theme")
	if dark := eval[string](p, `getComputedStyle(document.body).backgroundColor`); dark == light {
		t.Errorf("the page is %s in the dark, too", dark)
	}

	// Help, and a dialog that closes.
	p.press("?")
	p.wants("#keys", "find a feature or a sample")
	p.press(kb.Escape)

	// What is wrong where, and what runs agree on.
	p.press("4")
	p.wants("h1", "Residuals")
	p.press("5")
	p.wants(".lead", "Take 4 components")
	p.wants("main", "Three groups are found by all runs.")
	p.hover("#consensus", -0.4, -0.4)
	p.wants("#tip", "of the runs")

	// A resize draws again.
	width := eval[float64](p, `document.querySelector("#consensus").getBoundingClientRect().width`)
	p.resize(420, 800)
	p.settle()
	if now := eval[float64](p, `document.querySelector("#consensus").getBoundingClientRect().width`); now >= width || now == 0 {
		t.Errorf("the map is %v wide in a window of 420, was %v", now, width)
	}
	p.check("resized")

	// All sections are printed.
	p.visit("#overview")
	pdf := get(p, chromedp.PrintToPDF())
	if pages := bytes.Count(pdf, []byte("/Type /Page\n")); pages < 4 {
		t.Errorf("the report prints on %d pages", pages)
	}
	if folder := os.Getenv("NMF_SCREENSHOTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, "print.pdf"), pdf, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBrowserSound plays the sounds of components.
func TestBrowserSound(t *testing.T) {
	evil := `</script><img src=x onerror="document.title='broken in'"><b>`
	in := everything(t, Drawing{Kind: Sound, Axis: evil})
	in.Sounds[1].Name = evil
	p := openTab(t, pageFile(t, in), 1280, 900)
	p.visit("#components")
	p.check("components")
	labels := eval[[]string](p, `[...document.querySelectorAll("audio[controls]")].map(n => n.getAttribute("aria-label"))`)
	if len(labels) != 5 || !slices.Contains(labels, "Sound of component 1: first") {
		t.Errorf("players %q", labels)
	}
	p.visit("#component/1")
	p.wants("figcaption", "first")
	p.wait(`document.querySelector("audio").duration === 0.5`)
	p.do(chromedp.Evaluate[chromedp.Void](`(() => { const a = document.querySelector("audio"); a.muted = true; return a.play(); })()`, chromedp.EvalAwaitPromise))
	p.wait(`document.querySelector("audio").ended`)
	p.focus("canvas.cross")
	p.press(kb.Home)
	p.press(kb.ArrowRight)
	p.wants("#tip b", "2 s")
	p.wants("#tip", "of its largest")
	if said := eval[string](p, `document.getElementById("live").textContent`); !strings.Contains(said, "2 s") {
		t.Errorf("a screen reader hears %q", said)
	}
	p.visit("#component/3")
	p.wants("figcaption", "components 2, 3, 4, 5 together")
	p.wants("figcaption", "<img")
	p.wait(`document.querySelector("audio").duration === 0.5`)
	if eval[bool](p, `document.querySelector("main img, main b b, main script") !== null || document.title.startsWith("broken")`) {
		t.Error("a name became markup")
	}
	p.press("c")
	p.visit("#component/1")
	p.press("c")
	if n := eval[int](p, `document.querySelectorAll("#compare audio, #compare canvas").length`); n != 4 {
		t.Errorf("two compared components have %d spectrograms and players", n)
	}
	p.press(kb.Escape)
	p.visit("#component/6")
	if eval[bool](p, `document.querySelector("audio") !== null`) {
		t.Error("a component without a sound has a player")
	}
}

// TestBrowserHarmless: names that are markup stay text.
func TestBrowserHarmless(t *testing.T) {
	evil := `</script><img src=x onerror="document.title='broken in'"><b>`
	in := everything(t, Drawing{Kind: Words})
	in.Name = evil
	in.Model.RowNames, in.Model.ColumnNames = named(evil, 80), named(evil, 30)
	in.Metadata.Columns[0].Name, in.Metadata.Columns[0].Values[0] = evil, evil
	in.Rank.Recommendation, in.Model.Info.Warnings = evil, []string{evil}
	p := openTab(t, pageFile(t, in), 1280, 900)
	for _, s := range []string{"overview", "components", "samples", "residuals", "rank", "component/1", "sample/1", "feature/1"} {
		p.visit("#" + s)
		if eval[bool](p, `document.querySelector("main img, main b b, main script") !== null || document.title.startsWith("broken")`) {
			t.Errorf("%s: a name became markup", s)
		}
	}
	p.search("img")
	p.wants("#found", "<img")
	p.shoot("harmless")
}

// TestBrowserExtremes opens reports of one and of many components, without
// names, with long ones, and of a sparse matrix.
func TestBrowserExtremes(t *testing.T) {
	if testing.Short() {
		t.Skip("dozens of pages take long")
	}
	for _, c := range []struct {
		name    string
		m, n, k int
		edit    func(in *Input, x *matrix.Dense[float64])
	}{
		{"k1", 50, 20, 1, func(in *Input, x *matrix.Dense[float64]) {}},
		{"k100", 400, 150, 100, func(in *Input, x *matrix.Dense[float64]) {}},
		{"one", 1, 1, 1, func(in *Input, x *matrix.Dense[float64]) {}},
		{"long", 60, 40, 5, func(in *Input, x *matrix.Dense[float64]) {
			in.Name = strings.Repeat("a-folder-with-a-long-name/", 8) + "counts.csv"
			in.Model.RowNames, in.Model.ColumnNames = named(strings.Repeat("unbroken", 30), 60), named("ein sehr langer Name für ein Merkmal 特徴 ", 40)
		}},
		{"sparse", 200, 300, 8, func(in *Input, x *matrix.Dense[float64]) {
			in.X, in.Model.Info.LossName = FromMatrix[float64](x.Sparse()), "kl"
		}},
		{"bare", 30, 20, 3, func(in *Input, x *matrix.Dense[float64]) { in.X, in.Name, in.Model.Info.Trace = nil, "", nil }},
		{"dead", 30, 20, 4, func(in *Input, x *matrix.Dense[float64]) {
			in.Model.Scales[3] = 0
			clear(in.Model.H.Row(3))
			for i := range 30 {
				in.Model.W.Set(i, 3, 0)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			model, x := made(c.m, c.n, c.k, 11)
			in := &Input{Name: "x.npy", Model: model, X: FromMatrix[float64](x)}
			c.edit(in, x)
			p := openTab(t, pageFile(t, in), 1280, 900)
			for _, width := range []int{1280, 390} {
				p.resize(width, 900)
				for _, s := range []string{"overview", "components", "samples", "residuals", fmt.Sprintf("component/%d", c.k), "sample/1", "feature/1"} {
					p.visit("#" + s)
					if c.name != "one" {
						p.check(fmt.Sprint(c.name, " ", width, " ", s))
					}
					p.shoot(fmt.Sprintf("%s-%d-%s", c.name, width, strings.ReplaceAll(s, "/", "-")))
				}
			}
		})
	}
}

// TestBrowserLive opens the page of the server and asks for what is not in it.
func TestBrowserLive(t *testing.T) {
	chromium(t)
	model, x := made(26_000, 60, 40, 12)
	model.RowNames = named("cell ", 26_000)
	in := &Input{Name: "cells", Model: model, X: FromMatrix[float64](x.Sparse())}
	h, err := Handler(in, "token")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	address := server.URL + "/token/"
	p := openTab(t, address, 1280, 900, address+"api/")
	p.visit("#sample/25999")
	p.wait(`document.querySelector("h1") !== null && document.querySelector("h1").textContent === "cell 25999"`)
	p.wants("main", "Original and reconstruction")
	p.wants("main", "relative error")
	p.check("a sample on demand")
	p.search("cell 2599")
	p.wait(`document.getElementById("found").textContent.includes("cell 2599")`)
	p.shoot("live")
}

// TestBrowserLarge opens the report of 10,000 samples x 5,000 features x 50
// components, and logs how long a reader waits.
func TestBrowserLarge(t *testing.T) {
	chromium(t)
	if testing.Short() {
		t.Skip("a large report takes long to make")
	}
	model, x := made(10_000, 5_000, 50, 13)
	model.RowNames, model.ColumnNames = named("cell ", 10_000), named("gene ", 5_000)
	p := openTab(t, pageFile(t, &Input{Name: "large", Model: model, X: FromMatrix[float64](x)}), 1280, 900)
	t.Logf("open after %.0f ms", eval[float64](p, `performance.getEntriesByName("ready")[0].startTime`))
	for _, s := range []string{"components", "samples", "residuals", "sample/5000"} {
		p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (performance.mark("from"), location.hash = %q)`, "#"+s)))
		p.settle()
		p.check(s)
		t.Logf("%s drawn within %.0f ms", s, eval[float64](p, `performance.now() - performance.getEntriesByName("from").at(-1).startTime`))
	}
	p.shoot("large")
}
