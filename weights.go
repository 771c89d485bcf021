package nmf

import (
	"fmt"
	"math"
	"slices"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// Weights are weights of cells: a *matrix.Dense or a *matrix.CSR, or beside an X that
// is read block by block a *matrix.Streamed or a *matrix.StreamedCSR, of float32 or
// float64.
type Weights interface {
	Dims() (rows, cols int)
}

// roots are the square roots of weights r of rows and c of columns, that are taken
// out of a fit with the Frobenius loss:
//
//	Σ r_i·c_j·(x_ij − Σ_l w_il·h_lj)² = ‖√r∘X∘√c − (√r∘W)·(H∘√c)‖²,
//
// so that a fit of √r∘X∘√c without weights gives √r∘W and H∘√c. A row or column of
// weight 0 is zero there, and stays so in its factor. A nil list is of ones, nil
// roots are two of them.
type roots struct{ rows, cols []float64 }

// takesOut reports whether weights are taken out of the fit: no cells are missing or
// weighted one by one, and nothing is asked of a factor that is scaled.
func (o *Options) takesOut() bool {
	rows, cols := weigh(o.RowWeights), weigh(o.ColumnWeights)
	return (rows || cols) && (o.Loss == "" || o.Loss == frobenius) && !o.choosesSingleCells() &&
		!(rows && !o.PenaltyW.none()) && !(cols && !o.PenaltyH.none())
}

// weigh reports whether one of the weights is not 1.
func weigh(weights []float64) bool {
	return slices.ContainsFunc(weights, func(w float64) bool { return w != 1 })
}

// takenOut gives the roots of the weights that are taken out, nil where none are.
func (o *Options) takenOut() *roots {
	if !o.takesOut() {
		return nil
	}
	return &roots{rootsOf(o.RowWeights), rootsOf(o.ColumnWeights)}
}

// rootsOf gives the square roots of weights, nil where all are 1.
func rootsOf(weights []float64) []float64 {
	if !weigh(weights) {
		return nil
	}
	list := make([]float64, len(weights))
	for i, w := range weights {
		list[i] = math.Sqrt(w)
	}
	return list
}

// row is the root of the weight of row i, column that of column j.
func (r *roots) row(i int) float64 {
	if r == nil || r.rows == nil {
		return 1
	}
	return r.rows[i]
}

func (r *roots) column(j int) float64 {
	if r == nil || r.cols == nil {
		return 1
	}
	return r.cols[j]
}

// inRangeWith refuses weights that take the largest value of X beyond the numbers of
// F.
func inRangeWith[F matrix.Float](largest F, r *roots) error {
	most := float64(largest)
	for _, list := range [][]float64{r.rows, r.cols} {
		if list != nil {
			most *= slices.Max(list)
		}
	}
	if most > largestValue || !isFinite(float64(F(most))) {
		return fmt.Errorf("%w: the largest value, %g, is %g by the roots of the weights of rows and columns; divide the weights", ErrRange, largest, most)
	}
	return nil
}

// startWith makes a start zero where the weights are.
func startWith[F matrix.Float](r *roots, w, h *engine.Tall[F]) {
	if r == nil {
		return
	}
	for i := range w.Rows {
		if r.row(i) == 0 {
			clear(w.Row(i))
		}
	}
	for j := range h.Rows {
		if r.column(j) == 0 {
			clear(h.Row(j))
		}
	}
}

// weightless turns the pair of the scaled X into that of X, in place.
func weightless[F matrix.Float](r *roots, w, h *engine.Tall[F]) {
	divide := func(t *engine.Tall[F], roots []float64) {
		for i, root := range roots {
			for l, v := range t.Row(i) {
				t.Row(i)[l] = over[F](float64(v), root)
			}
		}
	}
	if r != nil {
		divide(w, r.rows)
		divide(h, r.cols)
	}
}

// over is v/root, and 0 for a root of 0.
func over[F matrix.Float](v, root float64) F {
	if root == 0 {
		return 0
	}
	return F(v / root)
}
