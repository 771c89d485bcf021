package start

import (
	"math"
	"math/rand/v2"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
)

// nndsvd is non-negative double singular value decomposition (Boutsidis &
// Gallopoulos 2008): of every singular pair the positive or the negative
// parts, whichever are heavier. "nndsvd" leaves its zeros, "nndsvda" fills
// them with the mean of X, "nndsvdar" with small random numbers up to a
// hundredth of it. Components beyond the rank of X become zero; the engine
// revives them.
func nndsvd[F kernel.Float](name string, x *engine.Data[F], k int, seed uint64, workers int) (w, h *engine.Tall[F], err error) {
	u, s, v, err := svd(x, min(k, x.AllRows(), x.AllCols()), seed, workers)
	if err != nil {
		return nil, nil, err
	}
	w, h = engine.NewTall[F](x.Rows, k), engine.NewTall[F](x.Cols, k)
	ofU, ofV := partNorms(x, engine.OfRows, u), partNorms(x, engine.OfColumns, v)
	for j, sigma := range s {
		up, un := ofU[2*j], ofU[2*j+1]
		vp, vn := ofV[2*j], ofV[2*j+1]
		sign, uNorm, vNorm := 1.0, up, vp
		if un*vn > up*vp {
			sign, uNorm, vNorm = -1, un, vn
		}
		if uNorm == 0 || vNorm == 0 {
			continue
		}
		root := math.Sqrt(sigma * uNorm * vNorm)
		keepPart(w, u, j, sign*root/uNorm, root)
		keepPart(h, v, j, sign*root/vNorm, root)
	}
	if name == "nndsvd" {
		return w, h, nil
	}
	mean := x.Mean()
	value := func(*rand.Rand) float64 { return mean }
	if name == "nndsvdar" {
		value = func(rng *rand.Rand) float64 { return mean / 100 * math.Abs(rng.NormFloat64()) }
	}
	row, col := x.First()
	for i, t := range []*engine.Tall[F]{w, h} {
		eachRow(t, []int{row, col}[i], seed, streamFill+uint64(i), workers, func(row []F, rng *rand.Rand) {
			for j, z := range row {
				if z == 0 {
					row[j] = F(value(rng))
				}
			}
		})
	}
	return w, h, nil
}

// partNorms gives the norms of the positive and of the negative part of every
// column of t, whose rows are the rows or the columns of x.
func partNorms[F kernel.Float](x *engine.Data[F], side engine.Side, t *engine.Tall[F]) []float64 {
	norms := make([]float64, 2*t.K)
	for i := range t.Rows {
		for j, v := range t.Row(i) {
			if z := float64(v); z > 0 {
				norms[2*j] += z * z
			} else {
				norms[2*j+1] += z * z
			}
		}
	}
	x.SumOver(side, norms)
	for i, v := range norms {
		norms[i] = math.Sqrt(v)
	}
	return norms
}

// keepPart writes the positive part of scale times column j; norm is what the
// column's norm becomes. What is rounding beside that becomes zero.
func keepPart[F kernel.Float](dst, src *engine.Tall[F], j int, scale, norm float64) {
	const negligible = 1e-7
	for i := range src.Rows {
		if z := scale * float64(src.Row(i)[j]); z > negligible*norm {
			dst.Row(i)[j] = F(z)
		}
	}
}
