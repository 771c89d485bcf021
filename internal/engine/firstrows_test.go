package engine

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// TestFirstStep: rows that a run begins with are enough to say much of H, few enough
// to be worth it, and no more than fit in little memory.
func TestFirstStep(t *testing.T) {
	for _, c := range []struct {
		rows, cols, k int
		stored        float64
		want          int
	}{
		{2000, 5000, 5, 1e7, 0},               // 512 rows are no quarter of all
		{2048, 5000, 5, 2048 * 5000, 4},       // as few as can be
		{5000, 5000, 200, 25e6, 6},            // 800 rows for 200 components
		{20000, 5000, 40, 1e8, 32},            // as far apart as rows are
		{20000, 50, 4, 1e6, 0},                // X is small
		{20000, 50000, 50, 2.8e6, 0},          // fewer cells than entries of H
		{30000, 20000, 30, 43e6, 32},          // a sparse X
		{2000000, 1000, 10, 2e9, 476},         // some of a large X
		{3000, 100_000_000, 2, 3e11, 0},       // rows of which none fits
		{1 << 20, 1 << 20, 700, 1 << 40, 0},   // neither
		{100000, 2000, 8000, 100000 * 2e3, 0}, // too many components
	} {
		if got := firstStep(c.rows, c.cols, c.k, c.stored); got != c.want {
			t.Errorf("%d x %d, %g cells, k = %d: step %d, want %d", c.rows, c.cols, c.stored, c.k, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(4, 2))
	for range 10000 {
		rows, cols, k := 1+rng.IntN(1<<20), 1+rng.IntN(1<<16), 1+rng.IntN(300)
		stored := math.Ceil(rng.Float64() * float64(rows) * float64(cols))
		step := firstStep(rows, cols, k, stored)
		if step == 0 {
			continue
		}
		n, cells := rows/step, stored/float64(step)
		if step < firstNear || n < firstLeast || n < firstOf*k || cells < firstCells*float64(k*cols) || cells > 2*firstMost && step != firstApart {
			t.Fatalf("%d x %d, %g cells, k = %d: step %d", rows, cols, stored, k, step)
		}
	}
}

// operands are the ways to hold x.
func operands[F kernel.Float](x *matrix.Dense[F]) map[string]matrix.Matrix[F] {
	return map[string]matrix.Matrix[F]{
		"dense": x, "sparse": x.Sparse(), "sparse by blocks": matrix.StreamCSR(x.Sparse(), 128),
		"dense by blocks": &matrix.Streamed[F]{Rows: x.Rows, Cols: x.Cols, Read: func(first int, dst []F) error {
			copy(dst, x.Data[first*x.Cols:])
			return nil
		}},
	}
}

// TestFirstRows: they are those of X, whatever it is held in.
func TestFirstRows(t *testing.T) {
	x, _, _ := drawn[float32](1301, 7, 1, 0, 5)
	for name, m := range operands(x) {
		d := NewData(m, 2)
		for _, step := range []int{4, 31} {
			r, ok := d.firstOfAll(&pool{ctx: t.Context(), workers: 2}, step)
			if !ok {
				t.Fatal(name)
			}
			if r.asked.Rows > 2*firstAsked || r.learned.Rows != (1301+step-1)/step {
				t.Errorf("%s: %d and %d rows", name, r.learned.Rows, r.asked.Rows)
			}
			got, want := make([]float64, 7), make([]float64, 7)
			check := func(of *Data[float32], rows stride) {
				for i := range of.Rows {
					of.row(i, got)
					for j, v := range x.Row(rows.row(i)) {
						want[j] = float64(v)
					}
					for j := range want {
						if got[j] != want[j] {
							t.Fatalf("%s, step %d: row %d is %v, want %v", name, step, i, got, want)
						}
					}
				}
			}
			check(r.learned, r.learn)
			check(r.asked, r.ask)
		}
	}
}

// twoKinds is a matrix of so many components with some noise, those of every step-th row others.
func twoKinds(m, n, k, step int, seed uint64) *matrix.Dense[float64] {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := matrix.NewDense[float64](m, n)
	h := [2][]float64{make([]float64, k*n), make([]float64, k*n)}
	for _, h := range h {
		for i := range h {
			h[i] = max(0, rng.NormFloat64())
		}
	}
	for i := range m {
		of := 0
		if step > 0 && i%step == 0 {
			of = 1
		}
		for c := range k {
			w := rng.ExpFloat64()
			for j := range n {
				x.Row(i)[j] += w * h[of][c*n+j]
			}
		}
		for j := range n {
			x.Row(i)[j] += 0.1 * rng.Float64()
		}
	}
	return x
}

// minimizeFrom iterates a start n times.
func minimizeFrom(t *testing.T, x matrix.Matrix[float64], w, h *Tall[float64], n int, improved bool) *Run[float64] {
	t.Helper()
	cfg := Config{Solver: "hals", Extrapolate: true, MaxIter: n, Tol: -1, LossTol: -1, RowTol: 1e-6, Workers: 2, Improved: improved}
	runs, err := Minimize(context.Background(), NewData(x, 2), []int{w.K}, func(int) (*Tall[float64], *Tall[float64]) { return w.Clone(), h.Clone() }, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return runs[0]
}

// TestFirstRowsImprove: a random start is improved, and a good one is left alone,
// as is one that rows would spoil which are not like others.
func TestFirstRowsImprove(t *testing.T) {
	const m, n, k = 2100, 600, 5
	x := twoKinds(m, n, k, 0, 1)
	_, w, h := drawn[float64](m, n, k-2, 0, 3)
	for name, x := range operands(x) {
		plain, learned := minimizeFrom(t, x, w, h, 1, true), minimizeFrom(t, x, w, h, 1, false)
		if !(learned.Loss < 0.7*plain.Loss) {
			t.Errorf("%s: the loss after an iteration is %g, without first rows %g", name, learned.Loss, plain.Loss)
		}
	}
	same := func(what string, x matrix.Matrix[float64], w, h *Tall[float64]) {
		a, b := minimizeFrom(t, x, w, h, 2, true), minimizeFrom(t, x, w, h, 2, false)
		if a.Loss != b.Loss {
			t.Errorf("%s: loss %v, without first rows %v", what, b.Loss, a.Loss)
		}
	}
	done := minimizeFrom(t, x, w, h, 200, false)
	same("a good start", x, done.W, done.H)
	step := firstStep(m, n, k, m*n)
	odd := twoKinds(m, n, k, step, 2)
	_, w, h = drawn[float64](m, n, k-2, 0, 4)
	most := matrix.NewDense[float64](m, n)
	for i := range m {
		if i%step != 0 {
			copy(most.Row(i), odd.Row(i))
		}
	}
	done = minimizeFrom(t, most, w, h, 50, true)
	same("first rows that are not like others", odd, done.W, done.H)
}
