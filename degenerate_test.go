package nmf_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// everyWay fits a matrix with every solver and init, dense and sparse, in both
// precisions, and checks the form of what comes out.
func everyWay(t *testing.T, x *matrix.Dense[float64], k int, o nmf.Options, check func(name string, relative, kkt float64, zeroW, zeroH int)) {
	t.Helper()
	for _, solver := range solvers {
		for _, init := range nmf.Inits() {
			for _, sparse := range []bool{false, true} {
				o.Solver, o.Init = solver, init
				name := fmt.Sprintf("%s, %s, sparse %v", solver, init, sparse)
				report(t, name+", float64", held(x, sparse), k, o, check)
				report(t, name+", float32", matrix.Convert[float32](held(x, sparse)), k, o, check)
			}
		}
	}
}

func report[F matrix.Float](t *testing.T, name string, x matrix.Matrix[F], k int, o nmf.Options, check func(name string, relative, kkt float64, zeroW, zeroH int)) {
	t.Helper()
	m, err := nmf.Fit(t.Context(), x, k, &o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	checkForm(t, m)
	checkTrace(t, m)
	var zeroW, zeroH int
	for i := range m.W.Rows {
		if allZero(m.W.Row(i)) {
			zeroW++
		}
	}
	for _, row := range columnsOf(m.H) {
		if allZero(row) {
			zeroH++
		}
	}
	check(name, m.Info.RelativeError, m.Info.KKT, zeroW, zeroH)
}

func allZero[F matrix.Float](row []F) bool {
	for _, v := range row {
		if v != 0 {
			return false
		}
	}
	return true
}

func columnsOf[F matrix.Float](a *matrix.Dense[F]) [][]F {
	t := a.T()
	rows := make([][]F, t.Rows)
	for i := range rows {
		rows[i] = t.Row(i)
	}
	return rows
}

func constant(rows, cols int, v float64) *matrix.Dense[float64] {
	x := matrix.NewDense[float64](rows, cols)
	for i := range x.Data {
		x.Data[i] = v
	}
	return x
}

// TestRankOneShapes: one component gives these but for what the default
// tolerance leaves.
func TestRankOneShapes(t *testing.T) {
	row, column := lowRank[float64](1, 12, 1, 1, 1), lowRank[float64](12, 1, 1, 1, 2)
	single := matrix.NewDense[float64](6, 7)
	single.Set(4, 2, 3)
	for name, x := range map[string]*matrix.Dense[float64]{
		"1x1": constant(1, 1, 2), "1xn": row, "mx1": column, "constant": constant(9, 7, 0.25), "one cell": single,
		"1x2 with a zero": {Rows: 1, Cols: 2, Stride: 2, Data: []float64{0, 3}},
	} {
		for _, k := range []int{1, 3} {
			everyWay(t, x, k, nmf.Options{}, func(how string, relative, kkt float64, _, _ int) {
				// Multiplicative updates come closer to zeros only slowly.
				if most := 5e-4; relative > most && !(strings.HasPrefix(how, "mu") && relative < 1e-2) {
					t.Errorf("%s, k = %d, %s: relative error %g", name, k, how, relative)
				}
			})
		}
	}
}

// TestZeroRowsAndColumns: a row of zeros has no weights and a column of zeros
// is in no component.
func TestZeroRowsAndColumns(t *testing.T) {
	x := lowRank[float64](20, 15, 3, 0.3, 3)
	for j := range x.Cols {
		x.Set(7, j, 0)
		x.Set(0, j, 0)
	}
	for i := range x.Rows {
		x.Set(i, 4, 0)
	}
	everyWay(t, x, 3, nmf.Options{MaxIter: 200}, func(how string, relative, kkt float64, zeroW, zeroH int) {
		if relative > 0.25 {
			t.Errorf("%s: relative error %g", how, relative)
		}
		if zeroW != 2 {
			t.Errorf("%s: %d rows of W are zero, want 2", how, zeroW)
		}
		if zeroH != 1 && !strings.HasPrefix(how, "mu") {
			t.Errorf("%s: %d columns of H are zero, want 1", how, zeroH)
		}
	})
}

// TestMoreComponentsThanRank: all components beyond the rank are superfluous,
// and nothing may go wrong with them.
func TestMoreComponentsThanRank(t *testing.T) {
	x := lowRank[float64](12, 9, 2, 0, 4)
	for _, k := range []int{5, 9, 20} {
		everyWay(t, x, k, nmf.Options{MaxIter: 300}, func(how string, relative, kkt float64, _, _ int) {
			if most := 5e-3; relative > most && !(strings.HasPrefix(how, "mu") && relative < 0.1) {
				t.Errorf("k = %d, %s: relative error %g", k, how, relative)
			}
		})
	}
	if w := fit(t, x, 20, &nmf.Options{MaxIter: 5}).Info.Warnings; len(w) == 0 || !strings.Contains(w[0], "k = 20") {
		t.Errorf("warnings %q", w)
	}
}

// TestDeadComponentsAreRevived starts with components that are zero: the fit
// must come as far as from a full start.
func TestDeadComponentsAreRevived(t *testing.T) {
	x := lowRank[float64](40, 30, 4, 0, 5)
	w, h := given(40, 30, 4, 6)
	full := fit(t, x, 4, &nmf.Options{W: w, H: h, Tol: 1e-8, LossTol: -1, MaxIter: 3000}).Info.RelativeError
	for _, solver := range []string{"hals", "bpp"} {
		for _, dead := range [][]int{{0}, {1, 3}, {0, 1, 2, 3}} {
			for _, inH := range []bool{false, true} {
				w, h := w.Clone(), h.Clone()
				for _, j := range dead {
					if inH {
						clear(h.Row(j))
						continue
					}
					for i := range w.Rows {
						w.Set(i, j, 0)
					}
				}
				m := fit(t, x, 4, &nmf.Options{Solver: solver, W: w, H: h, Tol: 1e-8, LossTol: -1, MaxIter: 3000})
				checkTrace(t, m)
				if m.Info.RelativeError > full+0.1 || len(m.Info.Warnings) > 0 {
					t.Errorf("%s, dead %v (in H: %v): relative error %g, from a full start %g, warnings %q", solver, dead, inH, m.Info.RelativeError, full, m.Info.Warnings)
				}
			}
		}
	}
}

// TestLopsidedStart: how scale is shared between W and H does not matter, to
// the last bit where it is a power of two. (Only the number of inner sweeps may
// change, for it is chosen from how far W moves.)
func TestLopsidedStart(t *testing.T) {
	x := lowRank[float64](70, 50, 5, 0.3, 12)
	w, h := given(70, 50, 5, 13)
	for _, solver := range solvers {
		o := nmf.Options{Solver: solver, W: w, H: h, MaxIter: 30, InnerSweeps: 1}
		want := bits(fit(t, x, 5, &o))
		for _, e := range []int{3, 40, -40, 100} {
			o.W, o.H = w.Clone(), h.Clone()
			for i, v := range w.Data {
				o.W.Data[i] = math.Ldexp(v, e)
			}
			for i, v := range h.Data {
				o.H.Data[i] = math.Ldexp(v, -e)
			}
			if got := bits(fit(t, x, 5, &o)); got != want {
				t.Errorf("%s: W times 2^%d and H divided by it: another model", solver, e)
			}
		}
	}
}

// TestDeadRunsAreTheirSeeds: revivals draw from the run's own seed.
func TestDeadRunsAreTheirSeeds(t *testing.T) {
	x := sparsely(lowRank[float64](40, 30, 12, 0.1, 7), 12, 8)
	batch := fit(t, x, 20, &nmf.Options{Seed: 5, Runs: 4, Init: "nndsvd", MaxIter: 40})
	for i, r := range batch.Info.Runs {
		alone := fit(t, x, 20, &nmf.Options{Seed: 5 + uint64(i), Init: "nndsvd", MaxIter: 40})
		if a := alone.Info.Runs[0]; a != r {
			t.Errorf("run %d is %+v in the batch, %+v alone", i, r, a)
		}
	}
}

// TestScales: numbers far from 1 are fitted as well as others.
func TestScales(t *testing.T) {
	t.Run("float32", func(t *testing.T) { scales[float32](t, 1e-30, 1e-14, 1e-10, 1e10, 1e14, 1e30) })
	t.Run("float64", func(t *testing.T) { scales[float64](t, 1e-100, 1e-30, 1e-10, 1e10, 1e30, 1e100) })
}

func scales[F matrix.Float](t *testing.T, sizes ...float64) {
	x := lowRank[float64](30, 20, 3, 0.2, 9)
	want := fit(t, x, 3, &nmf.Options{Init: "random"})
	for _, size := range sizes {
		big := matrix.NewDense[F](x.Rows, x.Cols)
		for i, v := range x.Data {
			big.Data[i] = F(v * size)
		}
		for _, solver := range solvers {
			for _, sparse := range []bool{false, true} {
				m := fit(t, held(big, sparse), 3, &nmf.Options{Solver: solver, Init: "random"})
				checkForm(t, m)
				checkTrace(t, m)
				if math.Abs(m.Info.RelativeError-want.Info.RelativeError) > 2e-3 {
					t.Errorf("scale %g, %s, sparse %v: relative error %g, want %g", size, solver, sparse, m.Info.RelativeError, want.Info.RelativeError)
				}
				if r := m.Info.Loss / (want.Info.Loss * size * size); r < 0.9 || r > 1.1 {
					t.Errorf("scale %g, %s, sparse %v: loss %g, want %g", size, solver, sparse, m.Info.Loss, want.Info.Loss*size*size)
				}
				w, err := m.Transform(t.Context(), held(big, sparse), nil)
				if err != nil {
					t.Fatal(err)
				}
				if d := weightsApart(m.W, w); d > 1e-2 {
					t.Errorf("scale %g, %s, sparse %v: transformed weights are %g away", size, solver, sparse, d)
				}
			}
		}
	}
}

// weightsApart is ‖a−b‖/‖a‖.
func weightsApart[F matrix.Float](a, b *matrix.Dense[F]) float64 { return distance(wide(a), wide(b)) }

// TestSparseOddities: stored zeros and rows that store nothing.
func TestSparseOddities(t *testing.T) {
	x := sparsely(lowRank[float64](25, 18, 3, 0.2, 10), 3, 11)
	clear(x.Row(3))
	clear(x.Row(24))
	plain := x.Sparse()
	stuffed := &matrix.CSR[float64]{Rows: 25, Cols: 18, RowPtr: []int{0}}
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			if v != 0 || i != 24 && (i+j)%3 == 0 {
				stuffed.ColIdx, stuffed.Val = append(stuffed.ColIdx, int32(j)), append(stuffed.Val, v)
			}
		}
		stuffed.RowPtr = append(stuffed.RowPtr, len(stuffed.Val))
	}
	if stuffed.NNZ() <= plain.NNZ() {
		t.Fatal("no stored zeros")
	}
	for _, solver := range solvers {
		o := &nmf.Options{Solver: solver, MaxIter: 20, InnerSweeps: 2, Tol: -1, LossTol: -1}
		a, b := fit(t, plain, 3, o), fit(t, stuffed, 3, o)
		if d := distance(product(a), product(b)); d > 1e-9 {
			t.Errorf("%s: stored zeros move the fit by %g", solver, d)
		}
	}
	// A dense matrix within a larger one, its rows apart.
	outer := constant(30, 40, math.NaN())
	inner := &matrix.Dense[float64]{Rows: 25, Cols: 18, Stride: 40, Data: outer.Data[5*40+7:]}
	for i := range x.Rows {
		copy(inner.Row(i), x.Row(i))
	}
	if a, b := fit(t, x, 3, nil), fit(t, inner, 3, nil); bits(a) != bits(b) {
		t.Error("the stride matters")
	}
}
