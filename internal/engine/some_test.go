package engine

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

// TestNearest compares with the loss itself, over many factors of every
// candidate.
func TestNearest(t *testing.T) {
	const n, candidates = 40, 7
	rng := rand.New(rand.NewPCG(3, 1))
	for _, beta := range []float64{0, 0.5, 1, 1.5, -0.5, 2.5} {
		l := &loss.Loss{Kind: loss.Beta, Beta: beta}
		for range 20 {
			x, y := make([]float64, n), make([][]float64, candidates)
			total := 0.0
			for i := range x {
				x[i] = 0.1 + rng.ExpFloat64()
				total += x[i]
			}
			p, s := make([]float64, candidates), make([]float64, candidates)
			for q := range y {
				y[q] = make([]float64, n)
				for i := range y[q] {
					v := 0.1 + rng.ExpFloat64()
					y[q][i] = v
					switch beta {
					case 0:
						p[q], s[q] = p[q]+x[i]/v, s[q]+math.Log(v)
					case 1:
						p[q], s[q] = p[q]+x[i]*math.Log(v), s[q]+v
					default:
						p[q], s[q] = p[q]+x[i]*math.Pow(v, beta-1), s[q]+math.Pow(v, beta)
					}
				}
			}
			at := func(q int, factor float64) (sum float64) {
				for i, v := range y[q] {
					sum += l.Value(x[i], factor*v, 0)
				}
				return sum
			}
			best, factor := newLikeness(kernel.For[float64](), beta, n, s).nearest(total, p, make([]float64, candidates))
			got := at(best, factor)
			for q := range y {
				for e := -3.0; e <= 3; e += 0.01 {
					if v := at(q, math.Exp(e)); v < got*(1-1e-9) {
						t.Fatalf("β = %v: candidate %d times %v has the loss %v, %d times %v %v", beta, best, factor, got, q, math.Exp(e), v)
					}
				}
			}
		}
	}
}

// TestSome: the cells of some rows are those of the matrix of these rows.
func TestSome(t *testing.T) {
	x, _, _ := drawn[float64](131, 37, 1, 0, 6)
	const step = 5
	rows := matrix.NewDense[float64]((131+step-1)/step, 37)
	for i := range rows.Rows {
		copy(rows.Row(i), x.Row(i*step))
	}
	_, w, h := drawn[float64](rows.Rows, 37, 3, 0, 7)
	for _, beta := range []float64{0.5, 1} {
		l := &loss.Loss{Kind: loss.Beta, Beta: beta}
		for _, x := range []matrix.Matrix[float64]{x, x.Sparse()} {
			some, _ := NewCells(x, Observed[float64]{}, l, 2).some(&pool{ctx: t.Context(), workers: 2}, step)
			want := NewCells[float64](rows, Observed[float64]{}, l, 1)
			a, errA := some.LossOf(t.Context(), w, h, 2)
			b, errB := want.LossOf(t.Context(), w, h, 1)
			if errA != nil || errB != nil || math.Abs(a-b) > 1e-12*b {
				t.Errorf("β = %v, %T: loss %v, want %v", beta, x, a, b)
			}
			half := func(c *Cells[float64], workers int) gradientSums {
				var scratch []*tileScratch[float64]
				for range workers {
					scratch = append(scratch, newTileScratch[float64](w.K))
				}
				r, _ := (&halfStep[float64]{cells: c, side: c.right, fixed: w, from: h}).run(&pool{ctx: t.Context(), workers: workers}, scratch)
				return r.sums
			}
			a2, b2 := half(some, 2), half(want, 1)
			for j := range b2.pg {
				if math.Abs(a2.pg[j]-b2.pg[j]) > 1e-9*b2.pg[j] {
					t.Errorf("β = %v, %T: gradient of H %v, want %v", beta, x, a2.pg, b2.pg)
				}
			}
		}
	}
}
