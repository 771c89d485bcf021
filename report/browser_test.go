package report

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
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
			known := s == address || strings.HasPrefix(s, "data:")
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
	const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
	for (let p = 4; p < d.length; p += 4) if (d[p] !== d[0] || d[p + 1] !== d[1] || d[p + 2] !== d[2] || d[p + 3] !== d[3]) return false;
	return true;
}).map(c => c.id || c.getAttribute("aria-label") || c.className)`

// unnamed lists the figures, fields and buttons that a screen reader could not
// name.
const unnamed = `[...document.querySelectorAll("canvas, svg[role=img], input, select, button")].filter(n =>
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

func TestLook(t *testing.T) {
	page := os.Getenv("NMF_LOOK")
	if page == "" {
		t.Skip("NMF_LOOK names no page")
	}
	p := openTab(t, "file://"+page, 1280, 900)
	for _, s := range strings.Fields(os.Getenv("NMF_SECTIONS")) {
		p.visit("#" + s)
		p.check(s)
		p.shoot(strings.ReplaceAll(s, "/", "-"))
	}
}
