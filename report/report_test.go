package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/sbs"
	"github.com/partsof/nmf/matrix"
)

// made gives a model with made-up factors in the form that models have, and
// the matrix that it approximates: its product with some noise.
func made(m, n, k int, seed uint64) (*nmf.Model[float64], *matrix.Dense[float64]) {
	r := rand.New(rand.NewPCG(seed, 1))
	model := &nmf.Model[float64]{W: matrix.NewDense[float64](m, k), H: matrix.NewDense[float64](k, n), Scales: make([]float64, k)}
	fill := func(d *matrix.Dense[float64]) {
		for i := range d.Data {
			if r.Float64() < 0.4 {
				d.Data[i] = r.ExpFloat64()
			}
		}
	}
	fill(model.W)
	fill(model.H)
	for j := range k {
		model.W.Set(j%m, j, 1) // no column is zero
		model.H.Set(j, j%n, 1)
		model.Scales[j] = float64(m*n) * float64(k-j)
		sum := 0.0
		for i := range m {
			sum += model.W.At(i, j)
		}
		for i := range m {
			model.W.Set(i, j, model.W.At(i, j)/sum)
		}
		row := model.H.Row(j)
		sum = 0
		for _, v := range row {
			sum += v
		}
		for i := range row {
			row[i] /= sum
		}
	}
	x, err := model.Reconstruct(model.W)
	if err != nil {
		panic(err)
	}
	for i, v := range x.Data {
		if r.Float64() < 0.3 {
			x.Data[i] = 0
		} else {
			x.Data[i] = v * (0.8 + 0.4*r.Float64())
		}
	}
	model.Info = nmf.Info{Version: "test", SIMD: "go", Precision: "f64", Rows: m, Columns: n, StoredCells: m * n, K: k, LossName: "frobenius",
		Loss: 12.5, RelativeError: 0.25, KKT: 3e-5, Iterations: 40, Status: nmf.Converged, Seconds: 1.5,
		Resolved: nmf.Options{Solver: "hals", Init: "random", Runs: 1, MaxIter: 500, Tol: 1e-4, LossTol: 1e-6}}
	for i := range 40 {
		model.Info.Trace = append(model.Info.Trace, nmf.Iteration{Iteration: i + 1, Loss: 12 + 100*math.Exp(-float64(i)/5), RelativeError: 0.3, KKT: 0.1 * math.Exp(-float64(i)/5), Seconds: float64(i) / 30})
	}
	return model, x
}

func named(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return list
}

func pageText(t *testing.T, in *Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHoyer(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{
		{[]float64{1, 1, 1, 1}, 0}, {[]float64{0, 5, 0, 0}, 1}, {[]float64{0, 0}, 0}, {[]float64{3}, 1},
		{[]float64{1e-200, 0, 0}, 1}, {[]float64{1e200, 1e200}, 0},
		{[]float64{3, 4}, (math.Sqrt2 - 7.0/5) / (math.Sqrt2 - 1)},
	} {
		if got := hoyer(c.v); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("hoyer(%v) = %v, want %v", c.v, got, c.want)
		}
	}
}

func TestCosines(t *testing.T) {
	h, _ := matrix.FromRows([][]float64{{1, 0, 0}, {1e-180, 1e-180, 0}, {0, 0, 0}})
	c := make([]float64, 9)
	cosines(c, h)
	want := []float64{1, math.Sqrt(0.5), 0, math.Sqrt(0.5), 1, 0, 0, 0, 0}
	for i, v := range c {
		if math.Abs(v-want[i]) > 1e-12 {
			t.Fatalf("cosines %v, want %v", c, want)
		}
	}
}

// TestPrincipal compares with points on a line, and holds what defines the
// axes: they are centred, not correlated, and their variance falls.
func TestPrincipal(t *testing.T) {
	x := matrix.NewDense[float64](5, 3)
	for i := range 5 {
		x.Set(i, 0, float64(i))
		x.Set(i, 1, 2*float64(i))
	}
	scores, variance := principal(x)
	for i := range 5 {
		if want := math.Sqrt(5) * float64(i-2); math.Abs(scores[2*i]-want) > 1e-9 || math.Abs(scores[2*i+1]) > 1e-9 {
			t.Fatalf("scores %v", scores)
		}
	}
	if math.Abs(variance[0]-1) > 1e-12 || variance[1] > 1e-12 {
		t.Errorf("variance %v", variance)
	}
	model, _ := made(40, 10, 5, 1)
	scores, variance = principal(mixtures(model))
	var sums [2]float64
	cross := 0.0
	for i := range 40 {
		sums[0] += scores[2*i]
		sums[1] += scores[2*i+1]
		cross += scores[2*i] * scores[2*i+1]
	}
	if math.Abs(sums[0])+math.Abs(sums[1])+math.Abs(cross) > 1e-9 || variance[0] < variance[1] || variance[0]+variance[1] > 1 {
		t.Errorf("sums %v, cross %v, variance %v", sums, cross, variance)
	}
	one, _ := made(4, 3, 1, 1)
	for i := range 4 {
		one.W.Set(i, 0, 0.25)
	}
	if s, v := principal(mixtures(one)); slices.Max(s) != 0 || v[0] != 0 {
		t.Errorf("one component has no axes: %v, %v", s, v)
	}
}

// TestResiduals compares with the plain sums over all cells, dense and sparse.
func TestResiduals(t *testing.T) {
	model, x := made(70, 23, 4, 2)
	y, err := model.Reconstruct(model.W)
	if err != nil {
		t.Fatal(err)
	}
	want := &residuals{rows: newSide(70), cols: newSide(23)}
	for i := range 70 {
		for j := range 23 {
			v, d := x.At(i, j), x.At(i, j)-y.At(i, j)
			want.rows.cell(i, v, d)
			want.cols.cell(j, v, d)
			if v != 0 {
				want.nonzero++
			}
		}
	}
	for name, m := range map[string]matrix.Matrix[float64]{"dense": x, "sparse": x.Sparse()} {
		got := findResiduals(model, FromMatrix(m))
		if got.nonzero != want.nonzero {
			t.Errorf("%s: %d cells above zero, want %d", name, got.nonzero, want.nonzero)
		}
		for _, c := range []struct {
			what      string
			got, want []float64
		}{
			{"rows", got.rows.wrong, want.rows.wrong}, {"columns", got.cols.wrong, want.cols.wrong},
			{"row squares", got.rows.squares, want.rows.squares}, {"column squares", got.cols.squares, want.cols.squares},
			{"row bias", got.rows.bias, want.rows.bias}, {"column bias", got.cols.bias, want.cols.bias},
		} {
			for i := range c.want {
				if math.Abs(c.got[i]-c.want[i]) > 1e-9*(1+math.Abs(c.want[i])+want.rows.squares[0]) {
					t.Fatalf("%s: %s %d: %v, want %v", name, c.what, i, c.got[i], c.want[i])
				}
			}
		}
	}
}

// TestResidualsMissing: cells that are missing count nowhere, dense or sparse.
func TestResidualsMissing(t *testing.T) {
	for _, missing := range []string{"nan", "zero", "unstored"} {
		model, x := made(40, 15, 3, 8)
		model.Info.Resolved.Missing = missing
		sparse := x.Sparse()
		if missing == "nan" {
			for p := range sparse.Val {
				if p%7 == 0 {
					sparse.Val[p] = math.NaN()
				}
			}
			x = sparse.Dense()
		}
		y, err := model.Reconstruct(model.W)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for i := range 40 {
			for j := range 15 {
				if v := x.At(i, j); !math.IsNaN(v) && (v != 0 || missing == "nan") {
					want += (v - y.At(i, j)) * (v - y.At(i, j))
				}
			}
		}
		forms := map[string]matrix.Matrix[float64]{"sparse": sparse}
		if missing != "unstored" { // which dense matrices do not have
			forms["dense"] = x
		}
		for name, form := range forms {
			r := findResiduals(model, FromMatrix(form))
			if math.Abs(r.wrong-want) > 1e-9*want {
				t.Errorf("%s, %s: %v, want %v", missing, name, r.wrong, want)
			}
		}
		if text := pageText(t, &Input{Model: model, X: FromMatrix[float64](x)}); !strings.Contains(text, `"relativeError":0.`) {
			t.Errorf("%s: the page has no relative error", missing)
		}
	}
}

// TestUnit: factors whose scale a constraint fixes are shown as others are.
func TestUnit(t *testing.T) {
	model, x := made(20, 10, 3, 9)
	other := *model
	other.W, other.H, other.Scales = model.W.Clone(), model.H.Clone(), []float64{1, 1, 1}
	for j, s := range model.Scales {
		for i := range 20 {
			other.W.Set(i, j, model.W.At(i, j)*s/3)
		}
		for i := range other.H.Row(j) {
			other.H.Row(j)[i] *= 3
		}
	}
	in := (&Input{Model: &other, X: FromMatrix[float64](x)}).unit()
	for j, s := range in.Model.Scales {
		if math.Abs(s-model.Scales[j]) > 1e-9*s || math.Abs(in.Model.H.At(j, 4)-model.H.At(j, 4)) > 1e-12 || math.Abs(in.Model.W.At(3, j)-model.W.At(3, j)) > 1e-12 {
			t.Errorf("component %d has scale %v, want %v", j, s, model.Scales[j])
		}
	}
	if other.Scales[0] != 1 || len(in.Notes) != 1 {
		t.Errorf("scales %v, notes %q", other.Scales, in.Notes)
	}
	if same := &(Input{Model: model}); same.unit() != same {
		t.Error("a model in the usual form is copied")
	}
}

// TestResidualsOfFit: they add up to the loss that the fit reports.
func TestResidualsOfFit(t *testing.T) {
	_, x := made(60, 20, 4, 3)
	model, err := nmf.Fit(t.Context(), x, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	res := findResiduals(model, FromMatrix[float64](x))
	if got := math.Sqrt(res.wrong / res.squares); math.Abs(got-model.Info.RelativeError) > 1e-6 {
		t.Errorf("relative error %v, the fit says %v", got, model.Info.RelativeError)
	}
}

func TestHash(t *testing.T) {
	_, x := made(20, 10, 2, 4)
	dense, sparse := hashOf(FromMatrix[float64](x)), hashOf(FromMatrix[float64](x.Sparse()))
	if dense != sparse || len(dense) != 64 {
		t.Errorf("dense %s, sparse %s", dense, sparse)
	}
	x.Set(3, 3, x.At(3, 3)+1e-9)
	if hashOf(FromMatrix[float64](x)) == dense {
		t.Error("another matrix has the same hash")
	}
}

func TestChannelOrder(t *testing.T) {
	shuffled := slices.Clone(sbs.Channels[:])
	rand.New(rand.NewPCG(1, 1)).Shuffle(96, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for c, i := range channelOrder(shuffled) {
		if shuffled[i] != sbs.Channels[c] {
			t.Fatal("the order does not lead back to the channels")
		}
	}
	if Guess(shuffled) != Signatures || Guess(named("g", 96)) != Bars || Guess(nil) != Bars {
		t.Error("what names show is guessed wrongly")
	}
}

func TestPositions(t *testing.T) {
	if got := PositionsIn([]string{"400", "410.5", "500"}); !slices.Equal(got, []float64{400, 410.5, 500}) {
		t.Errorf("%v", got)
	}
	if got := PositionsIn([]string{"0.00 Hz", "31.25 Hz"}); !slices.Equal(got, []float64{0, 31.25}) {
		t.Errorf("%v", got)
	}
	for _, names := range [][]string{nil, {"1", "1"}, {"2", "1"}, {"a"}, {"NaN"}, {"1 s", "2 Hz"}, {"1", "2 Hz"}} {
		if got := PositionsIn(names); got != nil {
			t.Errorf("%q: %v", names, got)
		}
	}
}

// TestHarmless: names are untrusted text and cannot leave the data.
func TestHarmless(t *testing.T) {
	evil := `</script><img src=x onerror="document.title='broken in'"><!--<script>`
	model, x := made(6, 4, 2, 5)
	model.RowNames, model.ColumnNames = named(evil, 6), named(evil, 4)
	model.Info.Warnings = []string{evil}
	in := &Input{Name: evil, Model: model, X: FromMatrix[float64](x), Notes: []string{evil},
		Metadata: &Metadata{Columns: []MetadataColumn{{Name: evil, Values: named(evil, 6)}}},
		Drawing:  Drawing{Axis: evil}, Rank: &Rank{Recommendation: evil, Criteria: []Criterion{{Name: evil, About: evil}}}}
	text := pageText(t, in)
	if strings.Contains(text, "<img") || strings.Contains(text, "<!--") {
		t.Error("a name became markup")
	}
	if n := strings.Count(strings.ToLower(text), "</script"); n != 3 {
		t.Errorf("%d scripts end, want the page's own 3", n)
	}
}

// TestPolicy: the page's policy allows its own script and style alone.
func TestPolicy(t *testing.T) {
	model, _ := made(3, 3, 1, 1)
	text := pageText(t, &Input{Model: model})
	meta := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(text)
	if meta == nil || !strings.Contains(meta[1], "default-src &#39;none&#39;") || strings.Contains(meta[1], "unsafe") || !strings.Contains(meta[1], "connect-src &#39;none&#39;") {
		t.Fatalf("policy %q", meta)
	}
	if strings.Index(text, "Content-Security-Policy") > strings.Index(text, "<script") || strings.Index(text, "Content-Security-Policy") > strings.Index(text, "<style") {
		t.Error("the policy comes after what it is about")
	}
	for _, s := range []string{"http://", "https://"} {
		for _, at := range regexp.MustCompile(s+`[^"' ]*`).FindAllString(text, -1) {
			if !strings.Contains(at, "www.w3.org/") { // a name of a namespace
				t.Errorf("the page names %s", at)
			}
		}
	}
}

// TestFacts: options that are set are shown, those of the future, too.
func TestFacts(t *testing.T) {
	model, _ := made(3, 3, 1, 1)
	model.Info.Resolved.PenaltyH = nmf.Penalty{L1: 0.5, Simplex: true}
	model.Info.Resolved.Missing = "zero"
	got := fmt.Sprint(facts(&Input{Model: model}))
	for _, want := range []string{"{penalty h l1 0.5, simplex}", "{missing zero}", "{seed 0}", "{solver hals}", "{stops at KKT residual 0.0001}", "{loss frobenius, 12.5}"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

// TestFits: data that a model was not fitted to is told apart, where that can
// be.
func TestFits(t *testing.T) {
	_, x := made(30, 12, 3, 3)
	model, err := nmf.Fit(t.Context(), x, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, other := made(30, 12, 3, 4)
	kl := *model
	kl.Info.LossName = "kl"
	for name, c := range map[string]struct {
		in   *Input
		want string
	}{
		"its own":   {&Input{Model: model, X: FromMatrix[float64](x)}, `"fits":true`},
		"other":     {&Input{Model: model, X: FromMatrix[float64](other)}, `"fits":false`},
		"known":     {&Input{Model: model, X: FromMatrix[float64](other), Fitted: true}, `"fits":true`},
		"not known": {&Input{Model: &kl, X: FromMatrix[float64](other)}, `"fits":true`},
	} {
		if !strings.Contains(pageText(t, c.in), c.want) {
			t.Errorf("%s: the page does not say %s", name, c.want)
		}
	}
}

// TestSameBytes: the same input gives the same page.
func TestSameBytes(t *testing.T) {
	model, x := made(300, 40, 4, 6)
	in := &Input{Name: "x", Model: model, X: FromMatrix[float64](x.Sparse()), Metadata: &Metadata{Columns: []MetadataColumn{{Name: "a", Values: named("v", 300)}}}}
	if first, second := pageText(t, in), pageText(t, in); first != second {
		t.Error("two pages of one input differ")
	}
}

func TestCheck(t *testing.T) {
	model, x := made(6, 4, 2, 5)
	for name, in := range map[string]*Input{
		"no model":   {},
		"x":          {Model: model, X: FromMatrix[float64](x.T())},
		"image":      {Model: model, Drawing: Drawing{Kind: Image, Width: 3, Height: 2}},
		"overflow":   {Model: model, Drawing: Drawing{Kind: Image, Width: 1 << 62, Height: 8}},
		"signatures": {Model: model, Drawing: Drawing{Kind: Signatures}},
		"kind":       {Model: model, Drawing: Drawing{Kind: "pie"}},
		"seconds":    {Model: model, Drawing: Drawing{Kind: Sound, Seconds: []float64{1}}},
		"falling":    {Model: model, Drawing: Drawing{Kind: Sound, Seconds: []float64{0, 1, 2, 3, 4, 4}}},
		"never":      {Model: model, Drawing: Drawing{Kind: Sound, Seconds: []float64{0, 1, 2, 3, 4, math.Inf(1)}}},
		"silent":     {Model: model, Sounds: []ComponentSound{{}}},
		"no sound":   {Model: model, Drawing: Drawing{Kind: Sound}, Sounds: []ComponentSound{{Name: "a", WAV: []byte("RIFF")}}},
		"component":  {Model: model, Drawing: Drawing{Kind: Sound}, Sounds: []ComponentSound{{Components: []int{2}}}},
		"metadata":   {Model: model, Metadata: &Metadata{Columns: []MetadataColumn{{Values: named("a", 5)}}}},
		"consensus":  {Model: model, Consensus: &Consensus{N: 3, Matrix: make([]float32, 8)}},
		"stability":  {Model: model, Consensus: &Consensus{Stability: []float64{1}}},
		"positions":  {Model: model, Drawing: Drawing{Kind: Profile, Positions: []float64{1}}},
	} {
		if err := Write(&bytes.Buffer{}, in); err == nil || !strings.Contains(err.Error(), ErrInput.Error()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// headOf reads what a page tells its scripts.
func headOf(t *testing.T, text string) (h struct {
	Arrays  map[string]array `json:"arrays"`
	LeftOut []string         `json:"leftOut"`
}) {
	t.Helper()
	_, text, _ = strings.Cut(text, `id="head">`)
	text, _, _ = strings.Cut(text, `</script>`)
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestSize: pages stay below MaxBytes, and say what they left out.
func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("large pages take long to make")
	}
	long := strings.Repeat("a very long name, ", 40)
	for _, c := range []struct {
		m, n, k int
		kind    Drawing
		leftOut []string
	}{
		{10_000, 5_000, 50, Drawing{}, []string{"original values"}},
		{60_000, 100, 40, Drawing{}, []string{"samples", "long names of samples", "original values"}},
		{40, 120_000, 20, Drawing{}, []string{"features", "long names of features"}},
		{50, 90_000, 20, Drawing{Kind: Image, Width: 300, Height: 300}, []string{"every 2nd in each direction is here, 150 x 150 of 300 x 300"}},
		{50, 90_001, 20, Drawing{Kind: Profile}, []string{"every 3rd of 90,001"}},
		{60_000, 1025, 20, Drawing{Kind: Sound}, []string{"windows: every 2nd of 60,000", "what is above 4,410 Hz in the sounds", "8 of 20 sounds"}},
	} {
		model, x := made(c.m, c.n, c.k, 7)
		model.RowNames, model.ColumnNames = named(long, c.m), named(long, c.n)
		meta := &Metadata{}
		for q := range 30 {
			values := make([]string, c.m)
			for i := range values {
				values[i] = fmt.Sprintf("%s %d", long, i%900)
			}
			meta.Columns = append(meta.Columns, MetadataColumn{Name: fmt.Sprint(long, q), Values: values})
		}
		in := &Input{Name: long, Model: model, X: FromMatrix[float64](x), Metadata: meta, Drawing: c.kind}
		if c.kind.Kind == Sound {
			for j := range c.k {
				in.Sounds = append(in.Sounds, ComponentSound{Name: long, Components: []int{j}, WAV: wav(t, 44100, noise(44100*50, uint64(j)))})
			}
		}
		text := pageText(t, in)
		if len(text) > MaxBytes {
			t.Errorf("%d x %d, k = %d: %d bytes", c.m, c.n, c.k, len(text))
		}
		said := strings.Join(headOf(t, text).LeftOut, "; ")
		for _, s := range c.leftOut {
			if !strings.Contains(said, s) {
				t.Errorf("%d x %d, k = %d: nothing is said of %q: %s", c.m, c.n, c.k, s, said)
			}
		}
		t.Logf("%d x %d, k = %d: %.1f MB; left out: %s", c.m, c.n, c.k, float64(len(text))/1e6, said)
	}
}
