package start

import (
	"context"
	"math"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
)

const (
	// spaRetries is how many rows may turn out to have nothing left before what
	// is left of all of them counts as rounding.
	spaRetries = 32
	// spaTol is the KKT residual by row of the weights that go with the rows.
	spaTol = 1e-4
)

// spa is the successive projection algorithm (Araújo et al. 2001; Gillis &
// Vavasis 2014, Algorithm 1): of the rows of X, each divided by its sum, the
// one of the largest norm; then all are projected onto its orthogonal
// complement, and so on. Those k rows of X are H, and W are their non-negative
// least squares. Where every component has a sample that holds nothing else, H
// is exact. Beyond the rank of X components are random.
func spa[F kernel.Float](x *engine.Data[F], k int, seed uint64, workers int) (w, h *engine.Tall[F], err error) {
	w, h = Random(x, k, seed, workers)
	for l, i := range extremeRows(x, k, workers) {
		for j, v := range x.RowValues(i) {
			h.Row(j)[l] = F(v)
		}
	}
	if err := x.Failure(); err != nil {
		return nil, nil, err
	}
	_, err = x.Project(context.Background(), w, h, nil, spaTol, workers)
	return w, h, err
}

// extremeRows gives up to k rows, in the order in which they are found.
//
// Norms of what is left of the rows are carried along, ‖r − uuᵀr‖² = ‖r‖² −
// (uᵀr)², from one product with X a step; that of a row that is about to be
// taken is computed anew, since the differences cancel.
func extremeRows[F kernel.Float](x *engine.Data[F], k, workers int) []int {
	sums, left, ok := x.RowSums(workers)
	if !ok {
		return nil
	}
	for i, sum := range sums {
		if sum > 0 {
			left[i] /= sum * sum
		}
	}
	var chosen []int
	var basis [][]float64
	retries := 0
	direction := engine.NewTall[F](x.Cols, 1)
	for len(chosen) < min(k, x.AllRows(), x.AllCols()) {
		best, most := x.Top(left)
		if !(most > 0) {
			break
		}
		u, ok := remainder(x, best, x.OfRow(sums, best), basis)
		if !ok {
			x.SetRow(left, best, 0)
			if retries++; retries > spaRetries {
				break
			}
			continue
		}
		chosen = append(chosen, best)
		basis = append(basis, u)
		for j, v := range u {
			direction.Row(j)[0] = F(v)
		}
		along := x.Times(direction, workers)
		for i := range left {
			if sums[i] > 0 {
				d := float64(along.Row(i)[0]) / sums[i]
				left[i] -= d * d
			}
		}
		x.SetRow(left, best, 0)
	}
	return chosen
}

// remainder gives the direction of what an orthonormal basis leaves of a row,
// and false where that is rounding.
func remainder[F kernel.Float](x *engine.Data[F], i int, sum float64, basis [][]float64) (u []float64, ok bool) {
	u = x.RowValues(i)
	for j := range u {
		u[j] /= sum
	}
	before := normOver(x, u)
	for range 2 { // once more for what rounding left
		for _, b := range basis {
			d := []float64{0}
			for j, v := range b {
				d[0] += v * u[j]
			}
			x.SumOver(engine.OfColumns, d)
			for j, v := range b {
				u[j] -= d[0] * v
			}
		}
	}
	after := normOver(x, u)
	if after <= before*math.Sqrt(kernel.Epsilon[F]()) {
		return nil, false
	}
	for j := range u {
		u[j] /= after
	}
	return u, true
}

// normOver is that of a vector with a number for each column of x.
func normOver[F kernel.Float](x *engine.Data[F], v []float64) float64 {
	sum := []float64{0}
	for _, z := range v {
		sum[0] += z * z
	}
	x.SumOver(engine.OfColumns, sum)
	return math.Sqrt(sum[0])
}
