package rank

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/planted"
	"github.com/partsof/nmf/matrix"
)

// truth makes planted data with its components.
func truth(k int, noise float64, seed uint64) (x, h *matrix.Dense[float64]) {
	rng := rand.New(rand.NewPCG(seed, 3))
	const m, n = 90, 40
	w := matrix.NewDense[float64](m, k)
	h = matrix.NewDense[float64](k, n)
	for i := range w.Data {
		w.Data[i] = math.Max(0, rng.NormFloat64())
	}
	for i := range h.Data {
		h.Data[i] = math.Max(0, rng.NormFloat64())
	}
	x = matrix.NewDense[float64](m, n)
	for i := range m {
		for j := range n {
			for l := range k {
				x.Data[i*n+j] += w.At(i, l) * h.At(l, j)
			}
			x.Data[i*n+j] = math.Max(0, x.Data[i*n+j]+noise*rng.NormFloat64())
		}
	}
	return x, h
}

func TestConsensusFindsWhatIsThere(t *testing.T) {
	x, h := truth(4, 0.1, 1)
	for _, resampled := range []bool{false, true} {
		r, err := Consensus(context.Background(), x, 4, &ConsensusOptions{Runs: 20, Bootstrap: resampled, Fit: nmf.Options{Seed: 3}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := Compare(ComponentsOf(r.Model), &Components{H: h})
		if err != nil {
			t.Fatal(err)
		}
		if c.MinCosine < 0.98 {
			t.Errorf("bootstrap %v: the components have the cosines %+v", resampled, c.Matches)
		}
		best, err := nmf.Fit(context.Background(), x, 4, &nmf.Options{Runs: 20, Seed: 3, Init: "random"})
		if err != nil {
			t.Fatal(err)
		}
		if e := r.Model.Info.RelativeError; e < best.Info.RelativeError-1e-6 || e > 1.2*best.Info.RelativeError {
			t.Errorf("bootstrap %v: error %v, the best run has %v", resampled, e, best.Info.RelativeError)
		}
		checkRecurrent(t, r)
		for _, p := range r.Components {
			if p.Runs < 0.9 || p.Stability < 0.95 || p.Silhouette < 0.8 {
				t.Errorf("bootstrap %v: %+v", resampled, p)
			}
		}
		if resampled {
			if width := r.H[4].At(0, 0) - r.H[0].At(0, 0); width < 0 {
				t.Errorf("quantiles fall: %v", width)
			}
		}
	}
}

// checkRecurrent checks what every consensus promises.
func checkRecurrent(t *testing.T, r *Recurrent[float64]) {
	t.Helper()
	m := r.Model
	for j := range m.K() {
		sumW, sumH := 0.0, 0.0
		for i := range m.W.Rows {
			sumW += m.W.At(i, j)
		}
		for _, v := range m.H.Row(j) {
			sumH += v
		}
		if math.Abs(sumW-1) > 1e-9 || math.Abs(sumH-1) > 1e-9 || j > 0 && m.Scales[j] > m.Scales[j-1] {
			t.Errorf("component %d: sums %v and %v, scales %v", j, sumW, sumH, m.Scales)
		}
	}
	for q := 1; q < len(r.Quantiles); q++ {
		for i, v := range r.W[q].Data {
			if v < r.W[q-1].Data[i] || r.W[q-1].Data[i] < 0 {
				t.Fatalf("quantiles of W fall: %v after %v", v, r.W[q-1].Data[i])
			}
		}
		for i, v := range r.H[q].Data {
			if v < r.H[q-1].Data[i] || r.H[q-1].Data[i] < 0 {
				t.Fatalf("quantiles of H fall: %v after %v", v, r.H[q-1].Data[i])
			}
		}
	}
}

// TestConsensusIsItsSeed: the same bits for any number of threads.
func TestConsensusIsItsSeed(t *testing.T) {
	x, _ := truth(3, 0.3, 2)
	var files []string
	for _, threads := range []int{1, 3} {
		r, err := Consensus(context.Background(), x, 3, &ConsensusOptions{Runs: 8, Fit: nmf.Options{Threads: threads, MaxIter: 50}})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.write(&b); err != nil {
			t.Fatal(err)
		}
		files = append(files, b.String())
	}
	if files[0] != files[1] {
		t.Error("one thread and three give other spreads")
	}
}

// TestOutliersAreLeftOut: with more components than there are, some of each run
// have no like in the others.
func TestOutliersAreLeftOut(t *testing.T) {
	x, _ := truth(3, 0.1, 4)
	r, err := Consensus(context.Background(), x, 5, &ConsensusOptions{Runs: 15, Threshold: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outliers == 0 || r.Kept+r.Outliers != 75 {
		t.Errorf("%d kept, %d outliers", r.Kept, r.Outliers)
	}
	all, err := Consensus(context.Background(), x, 5, &ConsensusOptions{Runs: 15, Threshold: 2})
	if err != nil {
		t.Fatal(err)
	}
	if all.Outliers != 0 {
		t.Errorf("with the threshold 2 there are %d outliers", all.Outliers)
	}
	if _, err := Consensus(context.Background(), x, 5, &ConsensusOptions{Runs: 3, Threshold: 1e-9}); !errors.Is(err, ErrInput) {
		t.Errorf("nothing is near anything: %v", err)
	}
}

func TestConsensusOfMissing(t *testing.T) {
	x, h := truth(3, 0.05, 5)
	for i := 0; i < len(x.Data); i += 11 {
		x.Data[i] = math.NaN()
	}
	r, err := Consensus(context.Background(), x, 3, &ConsensusOptions{Runs: 6, Fit: nmf.Options{Missing: "nan"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compare(ComponentsOf(r.Model), &Components{H: h})
	if err != nil {
		t.Fatal(err)
	}
	if c.MinCosine < 0.97 {
		t.Errorf("%+v", c.Matches)
	}
	checkRecurrent(t, r)
}

func TestConsensusRefuses(t *testing.T) {
	x, _ := truth(2, 0.1, 6)
	for _, o := range []*ConsensusOptions{{Runs: 1}, {Neighbours: 2}, {Threshold: -1}, {Quantiles: []float64{1.5}}, {Fit: nmf.Options{Init: "nndsvd"}}} {
		if _, err := Consensus(context.Background(), x, 2, o); !errors.Is(err, nmf.ErrOption) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestKMeansIsBest compares with every division of a few vectors: Lloyd's
// iterations find the best one nearly always, and one that is near it always.
func TestKMeansIsBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	found := 0
	for range 20 {
		v := randomUnits(8, 3, rng)
		got := costOf(v, kMeans(v, 3, 1, 2), 3)
		best := math.Inf(1)
		for code := range 6561 { // 3^8
			of := make([]int, 8)
			for i, c := 0, code; i < 8; i, c = i+1, c/3 {
				of[i] = c % 3
			}
			best = min(best, costOf(v, of, 3))
		}
		if got <= best*(1+1e-9)+1e-9 {
			found++
		}
		if got > 1.05*best {
			t.Errorf("the sum of squares is %v, the least %v", got, best)
		}
	}
	if found < 17 {
		t.Errorf("the best division is found %d times of 20", found)
	}
}

// costOf is the sum of squared distances to the means.
func costOf(v vectors, of []int, k int) float64 {
	sum := 0.0
	for c := range k {
		var members vectors
		for i, to := range of {
			if to == c {
				members = append(members, v[i])
			}
		}
		if len(members) == 0 {
			continue
		}
		centre := means(members, make([]int, len(members)), 1)[0]
		for _, a := range members {
			sum += squared(a, centre)
		}
	}
	return sum
}

func TestKMeansOfTheSame(t *testing.T) {
	v := vectors{{1, 0}, {1, 0}, {1, 0}, {1, 0}}
	of := kMeans(v, 3, 0, 1)
	if n := len(slices.Compact(slices.Sorted(slices.Values(of)))); n != 3 {
		t.Errorf("equal vectors in three clusters: %v", of)
	}
}

func TestQuantileAsNumPy(t *testing.T) {
	values := []float64{0.5, 1, 4, 4.5, 9, 10, 12}
	at := []float64{0, 0.025, 0.1, 0.25, 0.5, 0.61, 0.975, 1}
	var theirs []float64
	python(t, `result = list(np.quantile(data["V"], data["Q"]))`, struct{ V, Q []float64 }{values, at}, &theirs)
	for i, q := range at {
		if got := quantile(values, q); math.Abs(got-theirs[i]) > 1e-12 {
			t.Errorf("quantile %v: %v, numpy has %v", q, got, theirs[i])
		}
	}
}

func TestCompare(t *testing.T) {
	a := &Components{H: dense3([]float64{1, 0, 0, 0}, []float64{0, 1, 1, 0}, []float64{0, 0, 0, 2}), Features: []string{"p", "q", "r", "s"}, Shares: []float64{0.5, 0.3, 0.2}}
	b := &Components{H: dense3([]float64{9, 0, 0, 1, 0}, []float64{0, 5, 0, 0, 5}), Features: []string{"s", "q", "x", "p", "r"}, Names: []string{"one", "two"}}
	c, err := Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Matches) != 2 || c.Features != 4 || c.LeftOutA != 0 || c.LeftOutB != 1 || !slices.Equal(c.OnlyA, []int{0}) || c.OnlyB != nil {
		t.Fatalf("%+v", c)
	}
	two, one := c.Matches[0], c.Matches[1]
	if two.A != 1 || two.NameB != "two" || math.Abs(two.Cosine-1) > 1e-6 || two.Drift != 0 || *two.ShareA != 0.3 || two.ShareB != nil || two.Moved != nil {
		t.Errorf("%+v", two)
	}
	if one.A != 2 || one.NameB != "one" || math.Abs(one.Cosine-9/math.Sqrt(82)) > 1e-6 || math.Abs(one.Drift-0.1) > 1e-12 {
		t.Errorf("%+v", one)
	}
	if m := one.Moved; len(m) != 2 || m[0].Name != "p" || m[0].Feature != 0 || m[0].From != 0 || math.Abs(m[0].To-0.1) > 1e-12 || m[1].Name != "s" {
		t.Errorf("%+v", one.Moved)
	}
	turned, err := Compare(b, a)
	if err != nil {
		t.Fatal(err)
	}
	if len(turned.Matches) != 2 || turned.Matches[0].B != 2 || turned.Matches[1].B != 1 || !slices.Equal(turned.OnlyB, []int{0}) || math.Abs(turned.MeanCosine-c.MeanCosine) > 1e-12 {
		t.Errorf("%+v", turned)
	}
	for _, bad := range []*Components{
		{H: matrix.NewDense[float64](2, 3)},
		{H: matrix.NewDense[float64](0, 4)},
		{H: matrix.NewDense[float64](1, 2), Features: []string{"p", "p"}},
		{H: matrix.NewDense[float64](1, 1), Features: []string{"other"}},
	} {
		if _, err := Compare(a, bad); !errors.Is(err, ErrInput) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func dense3(rows ...[]float64) *matrix.Dense[float64] {
	d, err := matrix.FromRows(rows)
	if err != nil {
		panic(err)
	}
	return d
}

// TestFilesInNumPy opens both files with NumPy alone.
func TestFilesInNumPy(t *testing.T) {
	x := counts(t)
	o := small(2)
	result, err := Sweep(context.Background(), x, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Consensus(context.Background(), x, 2, &ConsensusOptions{Runs: 4, Fit: nmf.Options{MaxIter: 20}, Threshold: 2})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	files := []string{filepath.Join(folder, "rank.npz"), filepath.Join(folder, "spread.npz")}
	if err := errors.Join(result.Save(files[0]), r.SaveSpread(files[1])); err != nil {
		t.Fatal(err)
	}
	var got struct {
		K          []int
		BIC        []float64
		Components []int
		Clusters   []int
		Repeats    []int
		Keys       []string
		Recommend  int
		Quantiles  [][]int
		Diagonal   float64
	}
	python(t, `
import zipfile
z, s = np.load(data[0]), np.load(data[1])
info = json.load(zipfile.ZipFile(data[0]).open("rank.json"))
result = {"K": z["k"].tolist(), "BIC": z["bic"].tolist(), "Components": list(z["components_3"].shape), "Clusters": list(z["clusters"].shape),
  "Repeats": list(z["cv_repeats"].shape), "Keys": list(info["k"][0]), "Recommend": info["recommended"]["k"],
  "Quantiles": [list(s["W"].shape), list(s["H"].shape)], "Diagonal": float(np.diag(s["consensus"]).mean())}
`, files, &got)
	if !slices.Equal(got.K, []int{1, 2, 3}) || got.BIC[1] != float64(result.K[1].BIC) || !slices.Equal(got.Components, []int{3, planted.Columns}) ||
		!slices.Equal(got.Clusters, []int{3, planted.Rows}) || !slices.Equal(got.Repeats, []int{3, 2}) || got.Recommend != result.Recommended.K ||
		!slices.Equal(got.Quantiles[0], []int{5, planted.Rows, 2}) || !slices.Equal(got.Quantiles[1], []int{5, 2, planted.Columns}) || got.Diagonal != 1 {
		t.Errorf("%+v", got)
	}
	for _, key := range []string{"k", "relative_error", "explained_variance", "bic", "cv_error", "cv_error_se", "cophenetic", "dispersion", "pac", "silhouette_min", "silhouette_mean", "amari"} {
		if !slices.Contains(got.Keys, key) {
			t.Errorf("the JSON of a k has no %s: %v", key, got.Keys)
		}
	}
}

// TestConsensusStreamed: of a matrix that is read block by block comes what comes
// of it in memory; without it no samples can be drawn anew.
func TestConsensusStreamed(t *testing.T) {
	d := matrix.NewDense[float32](260, 30)
	for i := range d.Data {
		if v := (i*i + i/7) % 11; v < 5 {
			d.Data[i] = float32(v)
		}
	}
	x := d.Sparse()
	o := &ConsensusOptions{Runs: 6, Threshold: 2, Fit: nmf.Options{MaxIter: 20}}
	want, err := Consensus(t.Context(), x, 2, o)
	if err != nil {
		t.Fatal(err)
	}
	streamed := matrix.StreamCSR(x, 128)
	got, err := Consensus(t.Context(), streamed, 2, o)
	if err != nil || !slices.Equal(got.Model.W.Data, want.Model.W.Data) || !slices.Equal(got.Model.H.Data, want.Model.H.Data) {
		t.Errorf("another model, %v", err)
	}
	o.Bootstrap = true
	if _, err := Consensus(t.Context(), streamed, 2, o); !errors.Is(err, ErrInput) {
		t.Errorf("drawing samples anew: %v", err)
	}
}
