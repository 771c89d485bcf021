package nmf_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

func TestDefaults(t *testing.T) {
	x := lowRank[float64](20, 15, 3, 0.3, 1)
	m := fit(t, x, 3, nil)
	r := m.Info.Resolved
	if r.Solver != "hals" || r.Init != "nndsvd" || r.Runs != 1 || r.MaxIter != 500 || r.Tol != 1e-4 || r.LossTol != 1e-6 ||
		r.TargetError != 0 || r.NoExtrapolation || r.Compression != "off" || r.Threads < 1 {
		t.Errorf("resolved options %+v", r)
	}
	if g := m.Info.Options; g.Solver != "" || g.Init != "" || g.Runs != 0 || g.Threads != 0 {
		t.Errorf("options as given %+v", g)
	}
	if bits(m) != bits(fit(t, x, 3, &nmf.Options{})) || bits(m) != bits(fit(t, x, 3, &nmf.Options{Solver: "auto", Init: "auto", Compression: "auto"})) {
		t.Error("nil, zero and auto options differ")
	}
	for _, c := range []struct {
		o    nmf.Options
		k    int
		init string
	}{{nmf.Options{Runs: 2}, 3, "random"}, {nmf.Options{}, 16, "random"}, {nmf.Options{}, 15, "nndsvd"}, {nmf.Options{Solver: "mu"}, 15, "random"}} {
		c.o.MaxIter = 1
		if got := fit(t, x, c.k, &c.o).Info.Resolved.Init; got != c.init {
			t.Errorf("init of %d runs, k = %d: %s, want %s", c.o.Runs, c.k, got, c.init)
		}
	}
	if r := fit(t, x, 2, &nmf.Options{Solver: "mu", MaxIter: 1}).Info.Resolved; !r.NoExtrapolation {
		t.Error("mu is extrapolated")
	}
	i := m.Info
	if i.Rows != 20 || i.Columns != 15 || i.StoredCells != 300 || i.K != 3 || i.Precision != "f64" || i.LossName != "frobenius" ||
		i.Version == "" || i.SIMD == "" || i.Seconds <= 0 || m.K() != 3 {
		t.Errorf("info %+v", i)
	}
	if n := fit(t, sparsely(x, 3, 1).Sparse(), 2, &nmf.Options{MaxIter: 1}).Info.StoredCells; n >= 300 || n < 20 {
		t.Errorf("%d stored cells of a sparse matrix", n)
	}
}

func TestRefusals(t *testing.T) {
	x := lowRank[float64](6, 5, 2, 0.3, 1)
	with := func(i, j int, v float64) matrix.Matrix[float64] {
		y := x.Clone()
		y.Set(i, j, v)
		return y
	}
	dense := func(rows, cols int) *matrix.Dense[float64] { return matrix.NewDense[float64](rows, cols) }
	bad := dense(6, 2)
	bad.Set(3, 1, -1)
	notFinite := dense(2, 5)
	notFinite.Set(1, 2, math.Inf(1))
	for _, c := range []struct {
		name string
		x    matrix.Matrix[float64]
		k    int
		o    nmf.Options
		err  error
		says string
	}{
		{"k = 0", x, 0, nmf.Options{}, nmf.ErrOption, "k is 0"},
		{"k = -1", x, -1, nmf.Options{}, nmf.ErrOption, "k is -1"},
		{"solver", x, 2, nmf.Options{Solver: "newton"}, nmf.ErrOption, "hals, bpp, mu"},
		{"init", x, 2, nmf.Options{Init: "svd"}, nmf.ErrOption, "nndsvdar"},
		{"compression", x, 2, nmf.Options{Compression: "yes"}, nmf.ErrOption, "auto, on, off"},
		{"runs", x, 2, nmf.Options{Runs: -1}, nmf.ErrOption, "runs is -1"},
		{"max_iter", x, 2, nmf.Options{MaxIter: -5}, nmf.ErrOption, "max_iter is -5"},
		{"threads", x, 2, nmf.Options{Threads: -2}, nmf.ErrOption, "threads is -2"},
		{"inner_sweeps", x, 2, nmf.Options{InnerSweeps: -1}, nmf.ErrOption, "inner_sweeps is -1"},
		{"tol", x, 2, nmf.Options{Tol: math.NaN()}, nmf.ErrOption, "tol is NaN"},
		{"loss_tol", x, 2, nmf.Options{LossTol: math.NaN()}, nmf.ErrOption, "loss_tol is NaN"},
		{"target 1", x, 2, nmf.Options{TargetError: 1}, nmf.ErrOption, "target_error is 1"},
		{"target -1", x, 2, nmf.Options{TargetError: -1}, nmf.ErrOption, "target_error is -1"},
		{"target NaN", x, 2, nmf.Options{TargetError: math.NaN()}, nmf.ErrOption, "target_error is NaN"},
		{"runs of a given start", x, 2, nmf.Options{W: dense(6, 2), H: dense(2, 5), Runs: 2}, nmf.ErrOption, "W and H are given"},
		{"shape of W", x, 2, nmf.Options{W: dense(5, 2)}, nmf.ErrShape, "given W is 5 x 2"},
		{"shape of H", x, 2, nmf.Options{H: dense(2, 6)}, nmf.ErrShape, "given H is 2 x 6"},
		{"negative W", x, 2, nmf.Options{W: bad}, nmf.ErrNegative, "row 4, column 2"},
		{"infinite H", x, 2, nmf.Options{H: notFinite}, nmf.ErrNotFinite, "row 2, column 3"},
		{"row names", x, 2, nmf.Options{RowNames: []string{"a"}}, nmf.ErrShape, "1 row names for 6 rows"},
		{"column names", x, 2, nmf.Options{ColumnNames: []string{"a"}}, nmf.ErrShape, "1 column names for 5 columns"},
		{"negative cell", with(4, 2, -0.5), 2, nmf.Options{}, nmf.ErrNegative, "row 5, column 3: -0.5"},
		{"NaN", with(0, 4, math.NaN()), 2, nmf.Options{}, nmf.ErrNotFinite, "row 1, column 5: NaN"},
		{"infinity", with(5, 0, math.Inf(1)), 2, nmf.Options{}, nmf.ErrNotFinite, "row 6, column 1: +Inf"},
		{"no rows", dense(0, 5), 2, nmf.Options{}, nmf.ErrEmpty, "0 x 5"},
		{"no columns", dense(5, 0), 2, nmf.Options{}, nmf.ErrEmpty, "5 x 0"},
		{"zero", dense(5, 4), 2, nmf.Options{}, nmf.ErrEmpty, "every cell is zero"},
		{"too large", with(0, 0, 1e200), 2, nmf.Options{}, nmf.ErrRange, "1e+200"},
		{"too small", &matrix.Dense[float64]{Rows: 1, Cols: 1, Stride: 1, Data: []float64{1e-200}}, 1, nmf.Options{}, nmf.ErrRange, "1e-200"},
		{"stride", &matrix.Dense[float64]{Rows: 2, Cols: 3, Stride: 2, Data: make([]float64, 9)}, 1, nmf.Options{}, nmf.ErrShape, "stride 2"},
		{"data", &matrix.Dense[float64]{Rows: 2, Cols: 3, Stride: 3, Data: make([]float64, 5)}, 1, nmf.Options{}, nmf.ErrShape, "5 values"},
		{"CSR columns", &matrix.CSR[float64]{Rows: 1, Cols: 2, RowPtr: []int{0, 1}, ColIdx: []int32{2}, Val: []float64{1}}, 1, nmf.Options{}, nmf.ErrShape, "column index 2"},
		{"CSR pointers", &matrix.CSR[float64]{Rows: 2, Cols: 2, RowPtr: []int{0, 2, 1}, ColIdx: []int32{0}, Val: []float64{1}}, 1, nmf.Options{}, nmf.ErrShape, "pointer"},
		{"CSR negative", &matrix.CSR[float64]{Rows: 2, Cols: 4, RowPtr: []int{0, 1, 2}, ColIdx: []int32{0, 3}, Val: []float64{1, -2}}, 1,
			nmf.Options{ColumnNames: []string{"a", "b", "c", "d"}, RowNames: []string{"r", "s"}}, nmf.ErrNegative, `row 2 ("s"), column 4 ("d"): -2 is negative`},
	} {
		m, err := nmf.Fit(t.Context(), c.x, c.k, &c.o)
		if m != nil || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %q, want one that is %q and says %q", c.name, err, c.err, c.says)
		}
	}
	var cell *nmf.CellError
	_, err := nmf.Fit(t.Context(), with(4, 2, -0.5), 2, nil)
	if !errors.As(err, &cell) || cell.Row != 4 || cell.Column != 2 || cell.Value != -0.5 || cell.RowName != "" {
		t.Errorf("cell error %+v", cell)
	}
	if _, err := nmf.Fit(t.Context(), matrix.Convert[float32](with(2, 2, -1)), 2, nil); !errors.Is(err, nmf.ErrNegative) {
		t.Errorf("float32: %v", err)
	}
}

func TestGivenStart(t *testing.T) {
	x := lowRank[float64](30, 20, 3, 0.2, 1)
	w, h := given(30, 20, 3, 2)
	before := bitsOf(w) + bitsOf(h) + bitsOf(x)
	both := fit(t, x, 3, &nmf.Options{W: w, H: h})
	if both.Info.Resolved.Init != "given" {
		t.Errorf("init %q", both.Info.Resolved.Init)
	}
	if other := fit(t, x, 3, &nmf.Options{W: w, H: h, Seed: 9, Init: "whatever"}); bits(other) == "" || other.Info.Loss != both.Info.Loss {
		t.Error("seed or init matter to a given start")
	}
	for _, o := range []*nmf.Options{{W: w, Init: "random", Runs: 2}, {H: h, Init: "nndsvda"}} {
		m := fit(t, x, 3, o)
		if m.Info.Resolved.Init != o.Init || m.Info.RelativeError > 0.2 {
			t.Errorf("one given factor: init %q, relative error %v", m.Info.Resolved.Init, m.Info.RelativeError)
		}
	}
	// Only the first half-step sees W: with exact plain updates it does not
	// matter.
	a := fit(t, x, 3, &nmf.Options{Solver: "bpp", W: w, H: h, MaxIter: 3, NoExtrapolation: true})
	other, _ := given(30, 20, 3, 77)
	if b := fit(t, x, 3, &nmf.Options{Solver: "bpp", W: other, H: h, MaxIter: 3, NoExtrapolation: true}); math.Abs(a.Info.Loss-b.Info.Loss) > 1e-9*a.Info.Loss {
		t.Errorf("bpp: W matters: %v, %v", a.Info.Loss, b.Info.Loss)
	}
	// All-zero, tiny and lopsided starts recover.
	zero := func(rows, cols int) *matrix.Dense[float64] { return matrix.NewDense[float64](rows, cols) }
	times := func(a *matrix.Dense[float64], by float64) *matrix.Dense[float64] {
		c := a.Clone()
		for i := range c.Data {
			c.Data[i] *= by
		}
		return c
	}
	for _, o := range []*nmf.Options{
		{W: zero(30, 3), H: h}, {W: w, H: zero(3, 20)}, {W: zero(30, 3), H: zero(3, 20)},
		{W: times(w, 1e-12), H: times(h, 1e12)}, {W: times(w, 1e12), H: times(h, 1e-12)}, {W: times(w, 1e-9), H: times(h, 1e-9)},
	} {
		for _, m := range []struct {
			error float64
		}{{fit(t, x, 3, o).Info.RelativeError}, {fit(t, matrix.Convert[float32](x), 3, o).Info.RelativeError}} {
			if !(m.error < 0.2) {
				t.Errorf("W[0] = %g, H[0] = %g: relative error %v", o.W.At(0, 0), o.H.At(0, 0), m.error)
			}
		}
	}
	if bitsOf(w)+bitsOf(h)+bitsOf(x) != before {
		t.Error("a fit changed its input")
	}
}

func bitsOf(a *matrix.Dense[float64]) string {
	return bits(&nmf.Model[float64]{W: a, H: a})
}

func TestStopping(t *testing.T) {
	x := lowRank[float64](60, 50, 5, 0.5, 3)
	for _, solver := range solvers {
		m := fit(t, x, 4, &nmf.Options{Solver: solver, MaxIter: 7, Tol: -1, LossTol: -1})
		if m.Info.Status != nmf.IterationLimit || m.Info.Iterations != 7 {
			t.Errorf("%s: %s after %d of 7 iterations", solver, m.Info.Status, m.Info.Iterations)
		}
		m = fit(t, x, 4, &nmf.Options{Solver: solver, LossTol: 1e-2, Tol: -1})
		if m.Info.Status != nmf.Stalled || m.Info.Iterations > 100 {
			t.Errorf("%s: %s after %d iterations with a loose loss tolerance", solver, m.Info.Status, m.Info.Iterations)
		}
		target := m.Info.RelativeError * 1.1
		m = fit(t, x, 4, &nmf.Options{Solver: solver, TargetError: target, Tol: -1, LossTol: -1})
		if m.Info.Status != nmf.Converged || m.Info.RelativeError > target || m.Info.Iterations > 100 {
			t.Errorf("%s: %s at %v after %d iterations, target %v", solver, m.Info.Status, m.Info.RelativeError, m.Info.Iterations, target)
		}
		if last := m.Info.Trace[len(m.Info.Trace)-1]; last.RelativeError != m.Info.RelativeError || last.KKT != m.Info.KKT {
			t.Errorf("%s: stops at %+v, and reports the error %v and the KKT residual %v", solver, last, m.Info.RelativeError, m.Info.KKT)
		}
	}
	for _, tol := range []float64{1e-2, 1e-4, 1e-7} {
		m := fit(t, x, 4, &nmf.Options{Tol: tol, LossTol: -1, MaxIter: 50000})
		if m.Info.Status != nmf.Converged || m.Info.KKT > tol {
			t.Errorf("tolerance %g: %s with KKT %g", tol, m.Info.Status, m.Info.KKT)
		}
	}
	m := fit(t, x, 4, &nmf.Options{TargetError: 0.99})
	if m.Info.Status != nmf.Converged || m.Info.Iterations != 1 {
		t.Errorf("an easy target: %s after %d iterations", m.Info.Status, m.Info.Iterations)
	}
}

func TestProgressAndCancel(t *testing.T) {
	x := lowRank[float64](60, 50, 5, 0.5, 3)
	cancelled, stop := context.WithCancelCause(t.Context())
	stop(errors.New("enough"))
	if m, err := nmf.Fit(cancelled, x, 3, nil); m != nil || err == nil || err.Error() != "enough" {
		t.Errorf("cancelled before: model %v, error %v", m, err)
	}
	for _, runs := range []int{1, 3} {
		for _, solver := range solvers {
			ctx, cancel := context.WithCancel(t.Context())
			var seen []nmf.Progress
			m, err := nmf.Fit(ctx, x, 4, &nmf.Options{Solver: solver, Runs: runs, Init: "random", Tol: -1, LossTol: -1, Progress: func(p nmf.Progress) {
				seen = append(seen, p)
				if p.Iteration.Iteration >= 5 {
					cancel()
				}
			}})
			cancel()
			if err != nil || m.Info.Status != nmf.Cancelled {
				t.Fatalf("%s: %v, %v", solver, m, err)
			}
			checkForm(t, m)
			checkTrace(t, m)
			c := certify(matrix.Matrix[float64](x), m)
			if math.Abs(c.loss-m.Info.Loss) > 1e-9*c.loss {
				t.Errorf("%s: cancelled model has loss %v, says %v", solver, c.loss, m.Info.Loss)
			}
			if len(seen) == 0 || seen[0].Runs != runs || seen[0].MaxIter != 500 {
				t.Errorf("%s: progress %+v", solver, seen)
			}
			for i, p := range seen {
				if !(p.Loss > 0) || !(p.KKT >= 0) || p.Seconds <= 0 || p.Run < 0 || p.Run >= runs {
					t.Errorf("%s: progress %d is %+v", solver, i, p)
				}
			}
		}
	}
	// Every accepted iteration is reported, once and in order.
	var seen []nmf.Iteration
	m := fit(t, x, 4, &nmf.Options{MaxIter: 30, Progress: func(p nmf.Progress) { seen = append(seen, p.Iteration) }})
	if !slices.Equal(seen, m.Info.Trace) {
		t.Errorf("progress told of %d iterations, the trace has %d", len(seen), len(m.Info.Trace))
	}
	deadline, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	big := lowRank[float64](600, 500, 20, 0.5, 4)
	m, err := nmf.Fit(deadline, big, 30, &nmf.Options{Init: "random", Tol: -1, LossTol: -1, MaxIter: 1 << 30})
	if err != nil || m.Info.Status != nmf.Cancelled {
		t.Errorf("deadline: %v, %v", m, err)
	}
}

func TestNamesTravel(t *testing.T) {
	x := lowRank[float64](3, 2, 1, 0.3, 1)
	m := fit(t, x, 1, &nmf.Options{RowNames: []string{"a", "b", "c"}, ColumnNames: []string{"x", "y"}})
	if !slices.Equal(m.RowNames, []string{"a", "b", "c"}) || !slices.Equal(m.ColumnNames, []string{"x", "y"}) {
		t.Errorf("names %v, %v", m.RowNames, m.ColumnNames)
	}
}
