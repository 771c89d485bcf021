package rank

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/planted"
	"github.com/partsof/nmf/matrix"
)

func TestHeldOut(t *testing.T) {
	x := randomCounts(40, 30, 6)
	missing, err := matrix.NewMask(40, 30, []int32{0, 1, 2, 3}, []int32{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		x           matrix.Matrix[float64]
		o           nmf.Options
		least, most int
	}{
		{"dense", x, nmf.Options{}, 120, 120},
		{"with missing cells", x, nmf.Options{Mask: missing}, 112, 120},
		{"sparse", x.Sparse(), nmf.Options{}, 100, 130},
		{"ratings", x.Sparse(), nmf.Options{Missing: "unstored"}, 30, 90},
		{"zeros missing", x, nmf.Options{Missing: "zero"}, 20, 110},
	} {
		cells := cellsOf(t, c.x, &c.o)
		first := cells.heldOut(0.1, 1, 0)
		if err := first.Check(); err != nil {
			t.Fatal(err)
		}
		if n := first.Len(); n < c.least || n > c.most {
			t.Errorf("%s: %d cells are held out", c.name, n)
		}
		perColumn := make([]int, 30)
		for i := range 40 {
			for _, j := range first.Row(i) {
				perColumn[j]++
				if c.o.Mask != nil && c.o.Mask.Has(i, int(j)) || c.o.Missing != "" && x.At(i, int(j)) == 0 {
					t.Errorf("%s: cell (%d, %d) is held out and missing", c.name, i, j)
				}
			}
			if len(first.Row(i)) > 15 {
				t.Errorf("%s: sample %d keeps too little", c.name, i)
			}
		}
		if slices.Max(perColumn) > 20 {
			t.Errorf("%s: a feature keeps too little: %v", c.name, perColumn)
		}
		if again, other := cells.heldOut(0.1, 1, 0), cells.heldOut(0.1, 1, 1); !slices.Equal(again.ColIdx, first.ColIdx) || slices.Equal(other.ColIdx, first.ColIdx) {
			t.Errorf("%s: repeats are not functions of the seed and their number", c.name)
		}
		u := union(c.o.Mask, first)
		if err := u.Check(); err != nil {
			t.Error(err)
		}
		for i := range 40 {
			for j := range 30 {
				if want := first.Has(i, j) || c.o.Mask != nil && c.o.Mask.Has(i, j); u.Has(i, j) != want {
					t.Errorf("%s: the union has (%d, %d): %v", c.name, i, j, !want)
				}
			}
		}
	}
	// A sparse and a dense X hold as many observed cells of the same sum.
	a, b := cellsOf[float64](t, x, &nmf.Options{}), cellsOf[float64](t, x.Sparse(), &nmf.Options{})
	if a.count != b.count || a.count != 1200 || math.Abs(a.sum-b.sum) > 1e-9 {
		t.Errorf("%v cells of sum %v, sparse %v of %v", a.count, a.sum, b.count, b.sum)
	}
}

func cellsOf[F matrix.Float](t *testing.T, x matrix.Matrix[F], o *nmf.Options) *cells[F] {
	t.Helper()
	c, err := newCells(x, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestHeldOutError computes it anew from the product of the factors.
func TestHeldOutError(t *testing.T) {
	x := randomCounts(20, 15, 7)
	for _, lossName := range []string{"frobenius", "kl"} {
		o := nmf.Options{Loss: lossName, MaxIter: 20, Init: "random"}
		cells := cellsOf[float64](t, x, &o)
		held := cells.heldOut(0.2, 1, 0)
		o.Mask = held
		m, err := nmf.Fit(context.Background(), x, 2, &o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := cells.judge(held).error(m)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := cellsOf[float64](t, x.Sparse(), new(nmf.Options)).judge(held).error(m); err != nil || same != got {
			t.Errorf("%s: %v for dense X, %v for sparse, %v", lossName, got, same, err)
		}
		y, err := m.Reconstruct(m.W)
		if err != nil {
			t.Fatal(err)
		}
		mean, n, largest := 0.0, 0.0, make([]float64, 15)
		for i := range 20 {
			for j := range 15 {
				if !held.Has(i, j) {
					mean += x.At(i, j)
					n++
					largest[j] = max(largest[j], x.At(i, j))
				}
			}
		}
		mean /= n
		d := func(x, y float64) float64 {
			switch {
			case lossName == "frobenius":
				return (x - y) * (x - y)
			case x == 0:
				return y
			}
			return x*math.Log(x/y) - x + y
		}
		var total, base float64
		for i := range 20 {
			for _, j := range held.Row(i) {
				total += d(x.At(i, int(j)), max(min(y.At(i, int(j)), largest[j]), 1e-6*mean))
				base += d(x.At(i, int(j)), mean)
			}
		}
		if math.Abs(got-total/base) > 1e-9*got {
			t.Errorf("%s: %v, by hand %v", lossName, got, total/base)
		}
	}
}

// TestBiCross: blocks of an exact product are predicted at its rank, and not
// below.
func TestBiCross(t *testing.T) {
	x := matrix.NewDense[float64](24, 20)
	w, h := randomCounts(24, 3, 8), randomCounts(3, 20, 9)
	for i := range 24 {
		for j := range 20 {
			for l := range 3 {
				x.Data[i*20+j] += (w.At(i, l) + 0.1) * (h.At(l, j) + 0.1)
			}
		}
	}
	for name, given := range map[string]matrix.Matrix[float64]{"dense": x, "sparse": x.Sparse()} {
		r, err := Sweep(context.Background(), given, &Options{K: []int{1, 2, 3, 11}, Runs: 2, Repeats: 3, Criteria: []string{"bcv"},
			Fit: nmf.Options{Tol: 1e-7, LossTol: 1e-9, MaxIter: 3000}})
		if err != nil {
			t.Fatal(err)
		}
		if e := r.K[2].BCVError; !(e < 0.01) {
			t.Errorf("%s: at its rank the error is %v", name, e)
		}
		if a, b := r.K[0].BCVError, r.K[1].BCVError; !(a > b && b > 5*r.K[2].BCVError) {
			t.Errorf("%s: below its rank the errors are %v and %v", name, a, b)
		}
		if e := r.K[3].BCVError; !math.IsNaN(float64(e)) {
			t.Errorf("%s: blocks of 10 features are fitted with 11 components: %v", name, e)
		}
		if r.Recommended.K != 3 {
			t.Errorf("%s: %d is chosen", name, r.Recommended.K)
		}
	}
}

// TestLikelihood compares with the logarithms of the densities themselves: for
// two predictions of the same data the differences must be the same.
func TestLikelihood(t *testing.T) {
	x := []float64{3, 0, 7, 1, 4}
	p, q := []float64{2, 1, 6, 1.5, 4}, []float64{3, 0.5, 8, 1, 3}
	sum := func(f func(x, y float64) float64, y []float64) (s float64) {
		for i := range x {
			s += f(x[i], y[i])
		}
		return s
	}
	n := float64(len(x))
	klLoss := func(x, y float64) float64 {
		if x == 0 {
			return y
		}
		return x*math.Log(x/y) - x + y
	}
	poissonLog := func(x, y float64) float64 { l, _ := math.Lgamma(x + 1); return x*math.Log(y) - y - l }
	a, _, ok := likelihood("kl", sum(klLoss, p), n)
	b, _, _ := likelihood("kl", sum(klLoss, q), n)
	if want := -2 * (sum(poissonLog, p) - sum(poissonLog, q)); !ok || math.Abs(a-b-want) > 1e-12 {
		t.Errorf("Poisson: %v, want %v", a-b, want)
	}
	square := func(x, y float64) float64 { return (x - y) * (x - y) / 2 }
	normal := func(y []float64) float64 { // at the variance that is most likely
		v := 2 * sum(square, y) / n
		return -n/2*math.Log(2*math.Pi*v) - n/2
	}
	a, _, _ = likelihood("frobenius", sum(square, p), n)
	b, _, _ = likelihood("", sum(square, q), n)
	if want := -2 * (normal(p) - normal(q)); math.Abs(a-b-want) > 1e-12 {
		t.Errorf("normal: %v, want %v", a-b, want)
	}
	absolute := func(x, y float64) float64 { return math.Abs(x - y) }
	laplace := func(y []float64) float64 {
		b := sum(absolute, y) / n
		return -n*math.Log(2*b) - n
	}
	a, _, _ = likelihood("l1", sum(absolute, p), n)
	b, _, _ = likelihood("l1", sum(absolute, q), n)
	if want := -2 * (laplace(p) - laplace(q)); math.Abs(a-b-want) > 1e-12 {
		t.Errorf("Laplace: %v, want %v", a-b, want)
	}
	if _, _, ok := likelihood("huber", 1, 1); ok {
		t.Error("Huber's loss is taken for a likelihood")
	}
}

func TestFreeParameters(t *testing.T) {
	m := &nmf.Model[float64]{W: matrix.NewDense[float64](3, 3), H: matrix.NewDense[float64](3, 4), Scales: []float64{5, 2, 0}}
	copy(m.W.Data, []float64{0.5, 0, 0, 0.5, 1, 0, 1e-9, 0, 0})
	copy(m.H.Data, []float64{0.25, 0.25, 0.25, 0.25, 0, 0.5, 0.5, 0, 0, 0, 0, 0})
	if got := freeParameters(m); got != 2+4-1+1+2-1 {
		t.Errorf("%d", got)
	}
}

// TestPlantedRank: the criteria find what was planted, one matrix of each kind;
// the table of ten is made by bench/rank.
func TestPlantedRank(t *testing.T) {
	const k = 4
	for _, c := range []struct {
		kind     string
		criteria []string
		fit      nmf.Options
	}{
		{"gaussian", []string{"bic", "cv", "bcv", "pac", "dispersion", "silhouette", "amari", "bootstrap"}, nmf.Options{Loss: "frobenius"}},
		{"poisson", []string{"randomised", "bcv", "pac", "silhouette", "amari", "poisson"}, nmf.Options{Loss: "frobenius"}},
		{"poisson", []string{"bic", "cv", "bcv"}, nmf.Options{Loss: "kl"}},
		{"sparse", []string{"bic", "silhouette", "poisson"}, nmf.Options{Loss: "kl"}},
	} {
		for _, kind := range planted.Kinds() {
			if kind.Name != c.kind {
				continue
			}
			r, err := Sweep(context.Background(), kind.Make(k, 5), &Options{K: []int{2, 3, 4, 5, 6}, Runs: 8, Repeats: 4, Bootstraps: 4, Resamples: 4, Fit: c.fit, Criteria: c.criteria})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range c.criteria {
				if got := r.Recommended.ByCriterion[name]; got != k {
					t.Errorf("%s by %s: %s chooses %d", c.kind, c.fit.Loss, name, got)
				}
			}
			if r.Recommended.K != k || r.Recommended.Sure == "low" {
				t.Errorf("%s by %s: %s", c.kind, c.fit.Loss, r.Recommended.Why)
			}
		}
	}
}
