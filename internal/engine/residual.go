package engine

import (
	"github.com/partsof/nmf/internal/kernel"
)

// residualLoss is ½‖X−WH‖² of the pair in k columns from off, from the
// residual in float64. A dense X costs m·n·k multiplications; a sparse one
// visits stored cells and takes the others from ‖WH‖² = ⟨WᵀW, HHᵀ⟩.
func (d *Data[F]) residualLoss(p *pool, w, h *Tall[F], off, k int) (float64, bool) {
	if d.dense != nil {
		return d.denseResidual(p, w, h, off, k)
	}
	return d.sparseResidual(p, w, h, off, k)
}

const (
	residualRows    = 32
	residualColumns = 256
)

func (d *Data[F]) denseResidual(p *pool, w, h *Tall[F], off, k int) (float64, bool) {
	ops := kernel.For[float64]()
	n := (d.Rows + residualRows - 1) / residualRows
	sums := make([]float64, n)
	type scratch struct{ w, h, r []float64 }
	ws := make([]scratch, p.workers)
	for i := range ws {
		ws[i] = scratch{make([]float64, k*residualRows), make([]float64, residualColumns*k), make([]float64, residualColumns*residualRows)}
	}
	ok := p.run(n, func(wi, t int) {
		s := ws[wi]
		a, b := t*residualRows, min((t+1)*residualRows, d.Rows)
		clear(s.w)
		for i := a; i < b; i++ {
			for j, v := range w.Data[i*w.Ld+off : i*w.Ld+off+k] {
				s.w[j*residualRows+i-a] = float64(v)
			}
		}
		for j0 := 0; j0 < d.Cols; j0 += residualColumns {
			j1 := min(j0+residualColumns, d.Cols)
			for j := j0; j < j1; j++ {
				for l, v := range h.Data[j*h.Ld+off : j*h.Ld+off+k] {
					s.h[(j-j0)*k+l] = float64(v)
				}
			}
			clear(s.r)
			ops.MulAdd(j1-j0, residualRows, k, s.h, k, 1, s.w, residualRows, s.r, residualRows)
			for i := a; i < b; i++ {
				for j, v := range d.dense.Row(i)[j0:j1] {
					e := float64(v) - s.r[j*residualRows+i-a]
					sums[t] += e * e
				}
			}
		}
	})
	total := 0.0
	for _, v := range sums {
		total += v
	}
	return total / 2, ok
}

func (d *Data[F]) sparseResidual(p *pool, w, h *Tall[F], off, k int) (float64, bool) {
	const rows = 64
	n := (d.Rows + rows - 1) / rows
	sums := make([]float64, n)
	ok := p.run(n, func(_, t int) {
		for i := t * rows; i < min((t+1)*rows, d.Rows); i++ {
			wi := w.Data[i*w.Ld+off : i*w.Ld+off+k]
			cols, vals := d.sparse.Row(i)
			for c, j := range cols {
				fit := 0.0
				for l, v := range h.Data[int(j)*h.Ld+off : int(j)*h.Ld+off+k] {
					fit += float64(v) * float64(wi[l])
				}
				x := float64(vals[c])
				sums[t] += x * (x - 2*fit)
			}
		}
	})
	total := 0.0
	for _, v := range sums {
		total += v
	}
	gw, gh := gram64(w, off, k), gram64(h, off, k)
	for i, v := range gw {
		total += v * gh[i]
	}
	return max(0, total/2), ok
}

// gram64 is the k x k Gram matrix of k columns of t from off, in float64.
func gram64[F kernel.Float](t *Tall[F], off, k int) []float64 {
	g := make([]float64, k*k)
	row := make([]float64, k)
	for i := range t.Rows {
		for j, v := range t.Data[i*t.Ld+off : i*t.Ld+off+k] {
			row[j] = float64(v)
		}
		for a, va := range row {
			if va == 0 {
				continue
			}
			for b, vb := range row {
				g[a*k+b] += va * vb
			}
		}
	}
	return g
}
