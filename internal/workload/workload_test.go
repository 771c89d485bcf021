package workload

import (
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

func small(t testing.TB, name string, scale float64, threads int) matrix.Matrix[float32] {
	t.Helper()
	w, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.Scaled(scale, scale).Matrix(threads)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSameForAnyThreads(t *testing.T) {
	for _, w := range All() {
		if w.Real() {
			continue
		}
		one, three := small(t, w.Name, 0.03, 1), small(t, w.Name, 0.03, 3)
		if !reflect.DeepEqual(one, three) {
			t.Errorf("%s: 1 and 3 threads make different matrices", w.Name)
		}
	}
}

// A cell of WH has mean k/4 and variance k/2 over all draws of Gamma(1/2)
// factors; Poisson counts add their mean to the variance. The factors are drawn
// once, hence the tolerance.
func TestDense(t *testing.T) {
	for _, c := range []struct {
		name                        string
		mean, deviation, zeros, tol float64
	}{
		{"D2", 10, math.Sqrt(20 * 1.01), 0, 0.08},
		{"D3", 25, math.Sqrt(50 * 1.01), 0, 0.08},
		{"K1", 3, math.Sqrt(0.36*10 + 3), 0.12, 0.08},
	} {
		x := small(t, c.name, 0.1, 2).(*matrix.Dense[float32])
		values, zeros := make([]float64, len(x.Data)), 0.0
		for i, v := range x.Data {
			if v < 0 {
				t.Fatalf("%s has %v", c.name, v)
			}
			if v == 0 {
				zeros++
			}
			values[i] = float64(v)
		}
		mean, deviation := stat.MeanStdDev(values, nil)
		near(t, c.name+" mean", mean, c.mean, c.tol)
		near(t, c.name+" deviation", deviation, c.deviation, c.tol)
		if got := zeros / float64(len(values)); math.Abs(got-c.zeros) > 0.02 {
			t.Errorf("%s: part of zeros is %.3f, want %.3f", c.name, got, c.zeros)
		}
	}
}

func TestSparse(t *testing.T) {
	k2 := small(t, "K2", 0.2, 2).(*matrix.CSR[float32])
	s1 := small(t, "S1", 0.2, 2).(*matrix.CSR[float32])
	s2 := small(t, "S2", 0.2, 2).(*matrix.CSR[float32])
	for _, x := range []*matrix.CSR[float32]{k2, s1, s2} {
		if err := x.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(k2.ColIdx, s1.ColIdx) {
		t.Error("S1 does not store the cells of K2")
	}
	// E[max(20, ⌊L⌋)] with L log-normal (log 165, 0.5) is 186.5.
	near(t, "words in a document", total(k2.Val)/float64(k2.Rows), 165*math.Exp(0.125)-0.5, 0.03)
	for i := range s1.Rows {
		_, vals := s1.Row(i)
		squares := 0.0
		for _, v := range vals {
			squares += float64(v) * float64(v)
		}
		if math.Abs(squares-1) > 1e-5 {
			t.Fatalf("row %d of S1 has squared norm %v", i, squares)
		}
	}
	for i := range 20 {
		_, vals := s2.Row(i)
		perTenThousand := 0.0
		for _, v := range vals {
			perTenThousand += math.Expm1(float64(v))
		}
		near(t, "normalised depth of a cell", perTenThousand, 1e4, 1e-4)
	}
}

func total(vals []float32) (sum float64) {
	for _, v := range vals {
		sum += float64(v)
	}
	return sum
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if math.Abs(got-want) > tol*math.Abs(want) {
		t.Errorf("%s is %.4g, want %.4g ± %.0f %%", what, got, want, 100*tol)
	}
}

func TestSamplers(t *testing.T) {
	rng := stream(1, forCounts, 0)
	const n = 200000
	for _, shape := range []float64{0.05, 0.3, 0.5} {
		v := make([]float64, n)
		gammas(v, rng, shape)
		mean, variance := stat.MeanVariance(v, nil)
		near(t, "gamma mean", mean, shape, 0.05)
		near(t, "gamma variance", variance, shape, 0.1)
	}
	weights := []float64{5, 0, 1, 3, 1}
	a, cumulative := newAlias(weights), []float64{0.5, 0.5, 0.6, 0.9, 1}
	var byAlias, byPick [5]float64
	for range n {
		byAlias[a.pick(rng)]++
		byPick[pick(rng, cumulative)]++
	}
	for i, w := range weights {
		for _, got := range []float64{byAlias[i], byPick[i]} {
			if math.Abs(got/n-w/10) > 0.005 {
				t.Errorf("index %d was drawn in %.4f of the cases, want %.4f", i, got/n, w/10)
			}
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for purpose := range uint64(8) {
		for i := range 1000 {
			seen[stream(4, purpose, i).Uint64()] = true
		}
	}
	if len(seen) != 8000 {
		t.Errorf("8000 streams have %d different first numbers", len(seen))
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"D2", "S1"} {
		w, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		w = w.Scaled(0.01, 0.02)
		x, err := w.Matrix(2)
		if err != nil {
			t.Fatal(err)
		}
		path, err := w.Write(dir, x)
		if err != nil {
			t.Fatal(err)
		}
		back, err := data.Read[float32](path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if m, n := back.X.Dims(); m != w.Rows || n != w.Cols {
			t.Errorf("%s was read back as %d x %d, want %d x %d", path, m, n, w.Rows, w.Cols)
		}
		k := w.Ranks[0]
		for factor, shape := range map[string][]int{"W": {5, w.Rows, k}, "H": {5, k, w.Cols}} {
			a := readArray(t, filepath.Join(dir, StartFile(w.Name, k, factor)))
			if !slices.Equal(a.Shape, shape) {
				t.Errorf("starts for %s of %s have shape %v, want %v", factor, name, a.Shape, shape)
			}
			// E|N(0,1)| is √(2/π).
			want := math.Sqrt(sum(x)/float64(w.Rows*w.Cols)/float64(k)) * math.Sqrt(2/math.Pi)
			near(t, "mean of a start", stat.Mean(a.Data, nil), want, 0.1)
			if size := len(a.Data) / 5; slices.Equal(a.Data[:size], a.Data[size:2*size]) {
				t.Errorf("two starts for %s of %s are equal", factor, name)
			}
		}
	}
}

func readArray(t *testing.T, path string) *npy.Array[float64] {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := npy.Read[float64](f, -1)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestErrors(t *testing.T) {
	if _, err := Lookup("D9"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Lookup of D9: %v", err)
	}
	faces, err := Lookup("d1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := faces.Matrix(1); !errors.Is(err, ErrNeedsFile) {
		t.Errorf("D1 without its file: %v", err)
	}
	if _, err := faces.Read(""); !errors.Is(err, ErrNeedsFile) {
		t.Errorf("D1 without its file: %v", err)
	}
	if _, err := faces.Read("absent.npy"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("D1 from an absent file: %v", err)
	}
}

func TestRealData(t *testing.T) {
	for name, c := range map[string]struct {
		file       string
		rows, cols int
	}{
		"D1":  {"data/cbcl-faces/faces.npy", 2429, 361},
		"AML": {"data/all-aml/esGolub.csv.gz", 38, 5000},
	} {
		w, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		x, err := w.Read(testdata.Shared(t, c.file))
		if err != nil {
			t.Fatal(err)
		}
		if m, n := x.Dims(); m != c.rows || n != c.cols {
			t.Errorf("%s is %d x %d, want %d x %d", name, m, n, c.rows, c.cols)
		}
	}
}

func BenchmarkPoisson(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		poisson(rng, 3)
	}
}
