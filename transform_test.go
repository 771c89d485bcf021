package nmf_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestTransformOfTrainingRows: a fit ends with the half-step that Transform
// is.
func TestTransformOfTrainingRows(t *testing.T) {
	t.Run("float32", func(t *testing.T) { transformOfTrainingRows[float32](t, 1e-3) })
	t.Run("float64", func(t *testing.T) { transformOfTrainingRows[float64](t, 1e-3) })
}

func transformOfTrainingRows[F matrix.Float](t *testing.T, tol float64) {
	x := lowRank[F](150, 60, 5, 0.4, 1)
	clear(x.Row(9))
	for _, solver := range solvers {
		for _, sparse := range []bool{false, true} {
			for _, iterations := range []int{1, 300} {
				x := x
				if sparse {
					x = sparsely(x, 3, 2)
					clear(x.Row(9))
				}
				m := fit(t, held(x, sparse), 5, &nmf.Options{Solver: solver, MaxIter: iterations})
				w, err := m.Transform(t.Context(), held(x, sparse), nil)
				if err != nil {
					t.Fatal(err)
				}
				if d := weightsApart(m.W, w); d > tol {
					t.Errorf("%s, sparse %v, %d iterations: weights are %g away", solver, sparse, iterations, d)
				}
				if !allZero(w.Row(9)) || !allZero(m.W.Row(9)) {
					t.Errorf("%s: a row of zeros has weights %v, and %v in the model", solver, w.Row(9), m.W.Row(9))
				}
				if d := distance(wide(x), reconstruct(t, m, w)); math.Abs(d-m.Info.RelativeError) > 1e-4 {
					t.Errorf("%s, sparse %v: relative error %v, the model says %v", solver, sparse, d, m.Info.RelativeError)
				}
			}
		}
	}
}

func reconstruct[F matrix.Float](t *testing.T, m *nmf.Model[F], w *matrix.Dense[F]) *matrix.Dense[float64] {
	t.Helper()
	r, err := m.Reconstruct(w)
	if err != nil {
		t.Fatal(err)
	}
	return wide(r)
}

// TestTransformOptimality checks the KKT residual of every row of new data.
func TestTransformOptimality(t *testing.T) {
	m := fit(t, lowRank[float64](80, 40, 6, 0.4, 3), 6, nil)
	x := lowRank[float64](55, 40, 9, 1, 4)
	clear(x.Row(54))
	h := matrix.NewDense[float64](6, 40)
	for l, s := range m.Scales {
		for j, v := range m.H.Row(l) {
			h.Set(l, j, s*v)
		}
	}
	gram, cross := multiply(h, h.T()), multiply(x, h.T())
	for _, tol := range []float64{1e-2, 1e-6, 1e-11} {
		w, err := m.Transform(t.Context(), x, &nmf.TransformOptions{Tol: tol})
		if err != nil {
			t.Fatal(err)
		}
		gw := multiply(w, gram)
		for i := range w.Rows {
			var pg, cc float64
			for j, v := range w.Row(i) {
				if g := gw.At(i, j) - cross.At(i, j); v > 0 || g < 0 {
					pg += g * g
				}
				if v < 0 {
					t.Fatalf("W[%d, %d] = %v", i, j, v)
				}
				cc += cross.At(i, j) * cross.At(i, j)
			}
			if math.Sqrt(pg) > tol*math.Sqrt(cc)*1.001 {
				t.Errorf("tolerance %g: row %d has a residual of %g", tol, i, math.Sqrt(pg/cc))
			}
		}
	}
	// Rows do not depend on their neighbours beyond the tolerance.
	all, err := m.Transform(t.Context(), x, &nmf.TransformOptions{Tol: 1e-11})
	if err != nil {
		t.Fatal(err)
	}
	one := &matrix.Dense[float64]{Rows: 1, Cols: 40, Stride: 40, Data: x.Row(17)}
	alone, err := m.Transform(t.Context(), one, &nmf.TransformOptions{Tol: 1e-11})
	if err != nil {
		t.Fatal(err)
	}
	for j, v := range alone.Row(0) {
		if math.Abs(v-all.At(17, j)) > 1e-9*math.Abs(v) {
			t.Errorf("row 17 alone has weight %d of %v, with others %v", j, v, all.At(17, j))
		}
	}
}

func TestScore(t *testing.T) {
	x := lowRank[float64](50, 30, 4, 0.4, 5)
	for _, sparse := range []bool{false, true} {
		x := x
		if sparse {
			x = sparsely(x, 3, 6)
		}
		m := fit(t, held(x, sparse), 4, nil)
		s, err := m.Score(t.Context(), held(x, sparse), nil)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(s.Loss-m.Info.Loss) > 1e-6*m.Info.Loss || math.Abs(s.RelativeError-m.Info.RelativeError) > 1e-6 {
			t.Errorf("sparse %v: score %+v, the fit's loss %v, relative error %v", sparse, s, m.Info.Loss, m.Info.RelativeError)
		}
		fresh := lowRank[float64](21, 30, 4, 0.4, 7)
		s, err = m.Score(t.Context(), fresh, nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := m.Transform(t.Context(), fresh, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(fresh, reconstruct(t, m, w)); math.Abs(d-s.RelativeError) > 1e-12 {
			t.Errorf("relative error %v, of the reconstruction %v", s.RelativeError, d)
		}
	}
	m := fit(t, x, 4, nil)
	if s, err := m.Score(t.Context(), matrix.NewDense[float64](3, 30), nil); err != nil || s != (nmf.Score{}) {
		t.Errorf("score of zeros: %+v, %v", s, err)
	}
}

func TestReconstruct(t *testing.T) {
	t.Run("float32", func(t *testing.T) { reconstruction[float32](t, 1e-6) })
	t.Run("float64", func(t *testing.T) { reconstruction[float64](t, 1e-14) })
}

func reconstruction[F matrix.Float](t *testing.T, tol float64) {
	m := fit(t, lowRank[F](301, 37, 5, 0.3, 8), 5, nil)
	want := product(m)
	if d := distance(want, reconstruct(t, m, m.W)); d > tol {
		t.Errorf("reconstruction is %g away", d)
	}
	for _, rows := range []int{1, 7, 301, 1000} {
		blocks, err := m.ReconstructBlocks(m.W, rows)
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		for first, b := range blocks {
			if first != next || b.Rows > rows || b.Cols != 37 {
				t.Fatalf("blocks of %d: block at %d (want %d) is %d x %d", rows, first, next, b.Rows, b.Cols)
			}
			for i := range b.Rows {
				for j, v := range b.Row(i) {
					if math.Abs(float64(v)-want.At(first+i, j)) > 100*tol*want.At(first+i, j) {
						t.Fatalf("blocks of %d: cell (%d, %d) is %v, want %v", rows, first+i, j, v, want.At(first+i, j))
					}
				}
			}
			next += b.Rows
		}
		if next != 301 {
			t.Errorf("blocks of %d end at %d", rows, next)
		}
		for range blocks {
			break // stopping early is allowed
		}
	}
}

func TestTransformRefusals(t *testing.T) {
	x := lowRank[float64](20, 4, 2, 0.3, 9)
	m := fit(t, x, 2, &nmf.Options{ColumnNames: []string{"a", "b", "c", "d"}})
	negative := x.Clone()
	negative.Set(3, 1, -2)
	for _, c := range []struct {
		x    matrix.Matrix[float64]
		o    *nmf.TransformOptions
		err  error
		says string
	}{
		{lowRank[float64](20, 5, 2, 0.3, 9), nil, nmf.ErrShape, "5 features, the model 4"},
		{x, &nmf.TransformOptions{ColumnNames: []string{"a", "b", "d", "c"}}, nmf.ErrNames, `feature 3 is "d" in the data and "c" in the model`},
		{x, &nmf.TransformOptions{ColumnNames: []string{"a"}}, nmf.ErrShape, "1 column names"},
		{x, &nmf.TransformOptions{RowNames: []string{"a"}}, nmf.ErrShape, "1 row"},
		{negative, nil, nmf.ErrNegative, "row 4, column 2: -2"},
		{matrix.NewDense[float64](0, 4), nil, nmf.ErrEmpty, "0 x 4"},
	} {
		if _, err := m.Transform(t.Context(), c.x, c.o); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Transform: error %q, want one that is %q and says %q", err, c.err, c.says)
		}
		if _, err := m.Score(t.Context(), c.x, c.o); !errors.Is(err, c.err) {
			t.Errorf("Score: error %q, want %q", err, c.err)
		}
	}
	if _, err := m.Transform(t.Context(), x, &nmf.TransformOptions{ColumnNames: m.ColumnNames, Threads: 1}); err != nil {
		t.Error(err)
	}
	if w, err := m.Transform(t.Context(), matrix.NewDense[float64](2, 4), nil); err != nil || !allZero(w.Data) {
		t.Errorf("zeros: %v, %v", w, err)
	}
	if _, err := m.Reconstruct(matrix.NewDense[float64](2, 3)); !errors.Is(err, nmf.ErrShape) {
		t.Errorf("Reconstruct: %v", err)
	}
	if _, err := m.ReconstructBlocks(m.W, 0); !errors.Is(err, nmf.ErrOption) {
		t.Errorf("ReconstructBlocks: %v", err)
	}
}
