package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

// TestPivotedRows: a half-step by pivoting gives every row the minimum, over all
// supports, of its own problem: that of the weighted squares of the cells that
// count, which for a robust loss touch it at the row before.
func TestPivotedRows(t *testing.T) {
	t.Run("float32", func(t *testing.T) { pivotedRows[float32](t, 1e-5) })
	t.Run("float64", func(t *testing.T) { pivotedRows[float64](t, 1e-12) })
}

func pivotedRows[F kernel.Float](t *testing.T, tol float64) {
	const m, n, k = 37, 21, 4
	x, w, h := drawn[F](m, n, k-2, 0, 7)
	mask := holed(t, x, 0.6, 8)
	rng := rand.New(rand.NewPCG(9, 1))
	weights := matrix.NewDense[F](m, n)
	for i := range weights.Data {
		weights.Data[i] = F(rng.Float64())
	}
	few, listWeights := listed(x, mask)
	for i := range listWeights {
		listWeights[i] *= F(rng.Float64())
	}
	once := func(int, int) float64 { return 1 }
	observed := func(i, j int) float64 {
		if mask.Has(i, j) {
			return 0
		}
		return 1
	}
	byList := matrix.NewDense[F](m, n)
	for i := range m {
		idx, _ := few.Row(i)
		for q, j := range idx {
			byList.Set(i, int(j), listWeights[few.RowPtr[i]+q])
		}
	}
	for _, c := range []struct {
		name string
		x    matrix.Matrix[F]
		o    Observed[F]
		at   func(i, j int) float64
	}{
		{"all", x, Observed[F]{}, once},
		{"weights", x, Observed[F]{Weights: weights}, func(i, j int) float64 { return float64(weights.At(i, j)) }},
		{"missing", x, Observed[F]{Missing: mask}, observed},
		{"listed", few, Observed[F]{Listed: true, CellWeights: listWeights}, func(i, j int) float64 { return float64(byList.At(i, j)) }},
		{"zeros that count", x.Sparse(), Observed[F]{Listed: true, Rest: true}, once},
		{"zeros in panels", x.Sparse(), Observed[F]{Weights: weights}, func(i, j int) float64 { return float64(weights.At(i, j)) }},
	} {
		for _, l := range []*loss.Loss{square, {Kind: loss.Huber, Delta: 0.3}, {Kind: loss.Absolute, Delta: 0.1}} {
			if c.o.Rest && l != square {
				continue // a robust loss visits every cell
			}
			cells := NewCells(c.x, c.o, l, 1)
			for _, side := range []*side[F]{cells.left, cells.right} {
				from, fixed, at := w, h, c.at
				cell := func(i, j int) float64 { return float64(x.At(i, j)) }
				if side == cells.right {
					from, fixed = h, w
					at = func(j, i int) float64 { return c.at(i, j) }
					cell = func(j, i int) float64 { return float64(x.At(i, j)) }
				}
				to := NewTall[F](from.Rows, k)
				half := &halfStep[F]{cells: cells, side: side, fixed: fixed, from: from, to: to, update: pivoted[F](0, 1)}
				if _, ok := half.run(&pool{ctx: t.Context(), workers: 1}, []*tileScratch[F]{newTileScratch[F](k)}); !ok {
					t.Fatal("cancelled")
				}
				for i := range from.Rows {
					g, cross := make([]float64, k*k), make([]float64, k)
					for j := range fixed.Rows {
						q, e := at(i, j), cell(i, j)
						for a, v := range from.Row(i) {
							e -= float64(v) * float64(fixed.Row(j)[a])
						}
						if l.Kind != loss.Beta {
							q *= min(1, l.Delta/math.Abs(e))
						}
						for a, v := range fixed.Row(j) {
							cross[a] += q * cell(i, j) * float64(v)
							for b, u := range fixed.Row(j) {
								g[a*k+b] += q * float64(v) * float64(u)
							}
						}
					}
					name := fmt.Sprintf("%s, loss %v, row %d", c.name, l.Kind, i)
					size := 0.0
					for a := range k {
						if v := to.Row(i)[a]; !(v >= 0) {
							t.Fatalf("%s: %v", name, to.Row(i))
						}
						size += cross[a] * float64(to.Row(i)[a])
					}
					if got, want := quadratic(g, cross, to.Row(i)), leastOverSupports(g, cross); got > want+tol*(size-want) {
						t.Errorf("%s: objective %v at %v, the best support gives %v", name, got, to.Row(i), want)
					}
				}
			}
		}
	}
}

// quadratic is ½ w G wᵀ − c wᵀ.
func quadratic[F kernel.Float](g, c []float64, w []F) (sum float64) {
	for a, v := range w {
		sum -= c[a] * float64(v)
		for b, u := range w {
			sum += g[a*len(w)+b] * float64(v) * float64(u) / 2
		}
	}
	return sum
}

// leastOverSupports is the least of it over w ≥ 0.
func leastOverSupports(g, c []float64) float64 {
	k, least := len(c), 0.0
	for set := 1; set < 1<<k; set++ {
		var of []int
		for j := range k {
			if set>>j&1 == 1 {
				of = append(of, j)
			}
		}
		a, b := mat.NewDense(len(of), len(of), nil), mat.NewVecDense(len(of), nil)
		for p, i := range of {
			b.SetVec(p, c[i])
			for q, j := range of {
				a.Set(p, q, g[i*k+j])
			}
		}
		var x mat.VecDense
		if x.SolveVec(a, b) != nil {
			continue
		}
		w, feasible := make([]float64, k), true
		for p, i := range of {
			w[i] = x.AtVec(p)
			feasible = feasible && w[i] >= 0
		}
		if feasible {
			least = min(least, quadratic(g, c, w))
		}
	}
	return least
}
