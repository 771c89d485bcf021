package engine

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// drawn gives an m x n matrix, a third of its cells above zero, and tall
// factors that stand from column off of wider ones.
func drawn[F kernel.Float](m, n, k, off int, seed uint64) (x *matrix.Dense[F], w, h *Tall[F]) {
	rng := rand.New(rand.NewPCG(seed, 1))
	x = matrix.NewDense[F](m, n)
	for i := range x.Data {
		if rng.IntN(3) == 0 {
			x.Data[i] = F(rng.Float64())
		}
	}
	w, h = NewTall[F](m, off+k+2), NewTall[F](n, off+k+2)
	for _, t := range []*Tall[F]{w, h} {
		for i := range t.Rows {
			for j := range t.Row(i) {
				t.Row(i)[j] = F(rng.Float64())
			}
		}
	}
	return x, w, h
}

func TestResidualLoss(t *testing.T) {
	t.Run("float32", func(t *testing.T) { residualLoss[float32](t) })
	t.Run("float64", func(t *testing.T) { residualLoss[float64](t) })
}

// residualLoss compares with plain loops in float64.
func residualLoss[F kernel.Float](t *testing.T) {
	for _, s := range [][4]int{{1, 1, 1, 0}, {33, 257, 5, 0}, {70, 31, 9, 3}, {65, 600, 17, 20}} {
		m, n, k, off := s[0], s[1], s[2], s[3]
		x, w, h := drawn[F](m, n, k, off, 2)
		want := 0.0
		for i := range m {
			for j := range n {
				e := float64(x.At(i, j))
				for l := off; l < off+k; l++ {
					e -= float64(w.Row(i)[l]) * float64(h.Row(j)[l])
				}
				want += e * e / 2
			}
		}
		for _, x := range []matrix.Matrix[F]{x, x.Sparse()} {
			for _, workers := range []int{1, 3} {
				d := NewData(x, workers)
				got, ok := d.residualLoss(&pool{ctx: t.Context(), workers: workers}, w, h, off, k)
				if !ok || math.Abs(got-want) > 1e-12*want {
					t.Errorf("%T, %v: loss %v, want %v", x, s, got, want)
				}
			}
		}
	}
}

// TestTimes compares both products with plain loops, over several blocks.
func TestTimes(t *testing.T) {
	for _, s := range [][3]int{{1, 1, 1}, {100, 33, 5}, {3, 700, 20}, {9000, 70, 3}} {
		m, n, k := s[0], s[1], s[2]
		x, w, h := drawn[float64](m, n, k, 0, 3)
		left, right := make([]float64, m*w.K), make([]float64, n*w.K)
		for i := range m {
			for j, v := range x.Row(i) {
				for l := range w.K {
					left[i*w.K+l] += v * h.Row(j)[l]
					right[j*w.K+l] += v * w.Row(i)[l]
				}
			}
		}
		for _, x := range []matrix.Matrix[float64]{x, x.Sparse()} {
			for _, workers := range []int{1, 4} {
				d := NewData(x, workers)
				for what, f := range map[string]struct {
					got  *Tall[float64]
					want []float64
				}{"X·H": {d.Times(h, workers), left}, "Xᵀ·W": {d.TransposeTimes(w, workers), right}} {
					for i := range f.got.Rows {
						for l, v := range f.got.Row(i) {
							if e := f.want[i*w.K+l]; math.Abs(v-e) > 1e-12*e {
								t.Fatalf("%T, %v: %s(%d, %d) = %v, want %v", x, s, what, i, l, v, e)
							}
						}
					}
				}
			}
		}
	}
}

func TestScan(t *testing.T) {
	x, _, _ := drawn[float64](130, 37, 1, 0, 4)
	sum, squares, most := 0.0, 0.0, 0.0
	for _, v := range x.Data {
		sum += v
		squares += v * v
		most = max(most, v)
	}
	for _, x := range []matrix.Matrix[float64]{x, x.Sparse()} {
		d := NewData(x, 3)
		if math.Abs(d.Sum-sum) > 1e-12*sum || math.Abs(d.SumSq-squares) > 1e-12*squares || d.Largest != most || d.BadRow != -1 {
			t.Errorf("%T: sum %v, squares %v, largest %v, bad row %d", x, d.Sum, d.SumSq, d.Largest, d.BadRow)
		}
	}
	for _, bad := range []float64{-1e-300, math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, at := range []int{0, 36, 37*70 + 5, 37*130 - 1} {
			y := x.Clone()
			y.Data[at] = bad
			y.Data[37*129+9] = -1 // a later one
			for _, y := range []matrix.Matrix[float64]{y, y.Sparse()} {
				if d := NewData(y, 3); d.BadRow != at/37 {
					t.Errorf("%T, %v at %d: bad row %d", y, bad, at, d.BadRow)
				}
			}
		}
	}
}

func TestTranspose(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {500, 3}, {3, 500}, {200, 200}, {20, 9000}} {
		x, _, _ := drawn[float64](s[0], s[1], 1, 0, 5)
		want := x.Sparse().T()
		for _, workers := range []int{1, 2, 7} {
			got := transpose(&pool{ctx: t.Context(), workers: workers}, kernel.For[float64](), x.Sparse())
			if err := got.Check(); err != nil {
				t.Fatal(err)
			}
			for p, v := range want.Val {
				if got.Val[p] != v || got.ColIdx[p] != want.ColIdx[p] {
					t.Fatalf("%v, %d workers: cell %d differs", s, workers, p)
				}
			}
		}
	}
}

// TestSkew: after scaling, the norms are near each other.
func TestSkew(t *testing.T) {
	for _, c := range [][2]float64{{1, 1}, {1e-60, 1e60}, {1e300, 1e-300}, {3, 5e-20}, {math.SmallestNonzeroFloat64, 1}} {
		e := skew(c[0], c[1])
		a, b := math.Sqrt(c[0])*math.Ldexp(1, e), math.Sqrt(c[1])*math.Ldexp(1, -e)
		if r := a / b; r < 1.0/3 || r > 3 {
			t.Errorf("skew(%g, %g) = %d leaves norms of %g and %g", c[0], c[1], e, a, b)
		}
	}
	if skew(0, 1) != 0 || skew(1, 0) != 0 {
		t.Error("a zero is scaled")
	}
}
