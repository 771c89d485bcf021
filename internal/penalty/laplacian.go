package penalty

import (
	"fmt"
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// Laplacian is a symmetric, positive semidefinite coupling of a factor's rows.
type Laplacian struct {
	l *matrix.CSR[float64]
	// abs holds Σ_j |L_ij|.
	abs []float64
}

// Difference couples neighbouring rows: tr(TᵀLT) is weight times the sum of
// squared differences of the given order (1 or 2) along the rows.
func Difference(rows, order int, weight float64) *Laplacian {
	stencil := []float64{-1, 1}
	if order == 2 {
		stencil = []float64{1, -2, 1}
	}
	var is, js []int32
	var vs []float64
	for first := 0; first+len(stencil) <= rows; first++ {
		for a, x := range stencil {
			for b, y := range stencil {
				is, js, vs = append(is, int32(first+a)), append(js, int32(first+b)), append(vs, weight*x*y)
			}
		}
	}
	l, _, err := matrix.FromTriplets(rows, rows, is, js, vs)
	if err != nil {
		panic(fmt.Sprintf("penalty: %v", err))
	}
	return newLaplacian(l)
}

// Graph couples the rows that a symmetric matrix of non-negative weights
// joins: tr(TᵀLT) is weight·½·Σ_ij a_ij ‖t_i − t_j‖² (Cai et al. 2011). The
// diagonal of a has no effect.
func Graph(a *matrix.CSR[float64], weight float64) *Laplacian {
	var is, js []int32
	var vs []float64
	for i := range a.Rows {
		cols, vals := a.Row(i)
		degree := 0.0
		for p, j := range cols {
			if int(j) == i || vals[p] == 0 {
				continue
			}
			degree += vals[p]
			is, js, vs = append(is, int32(i)), append(js, j), append(vs, -weight*vals[p])
		}
		is, js, vs = append(is, int32(i)), append(js, int32(i)), append(vs, weight*degree)
	}
	l, _, err := matrix.FromTriplets(a.Rows, a.Rows, is, js, vs)
	if err != nil {
		panic(fmt.Sprintf("penalty: %v", err))
	}
	return newLaplacian(l)
}

// Plus is the sum of two couplings of the same rows; either may be nil.
func (a *Laplacian) Plus(b *Laplacian) *Laplacian {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	var is, js []int32
	var vs []float64
	for _, l := range []*matrix.CSR[float64]{a.l, b.l} {
		for i := range l.Rows {
			cols, vals := l.Row(i)
			for p, j := range cols {
				is, js, vs = append(is, int32(i)), append(js, j), append(vs, vals[p])
			}
		}
	}
	l, _, err := matrix.FromTriplets(a.l.Rows, a.l.Rows, is, js, vs)
	if err != nil {
		panic(fmt.Sprintf("penalty: %v", err))
	}
	return newLaplacian(l)
}

func newLaplacian(l *matrix.CSR[float64]) *Laplacian {
	p := &Laplacian{l: l, abs: make([]float64, l.Rows)}
	for i := range l.Rows {
		_, vals := l.Row(i)
		for _, v := range vals {
			p.abs[i] += math.Abs(v)
		}
	}
	return p
}

func (a *Laplacian) absSum(i int) float64 { return a.abs[i] }

// laplacianRow writes row i of L·T, for the k columns of a tall factor that
// begin at data[0].
func laplacianRow[F kernel.Float](l *Laplacian, i int, data []F, ld, k int, out []F) {
	clear(out)
	cols, vals := l.l.Row(i)
	for p, j := range cols {
		v := F(vals[p])
		for c, t := range data[int(j)*ld : int(j)*ld+k] {
			out[c] += v * t
		}
	}
}

// quadratic is tr(TᵀLT).
func quadratic[F kernel.Float](l *Laplacian, data []F, ld, k int) float64 {
	total := 0.0
	for i := range l.l.Rows {
		cols, vals := l.l.Row(i)
		for p, j := range cols {
			dot := 0.0
			for c, t := range data[int(j)*ld : int(j)*ld+k] {
				dot += float64(t) * float64(data[i*ld+c])
			}
			total += vals[p] * dot
		}
	}
	return total
}
