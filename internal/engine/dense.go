package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// denseOperand is a dense X; it is not copied.
type denseOperand[F kernel.Float] struct {
	x   *matrix.Dense[F]
	ops *kernel.Ops[F]
}

const (
	// blockBytes is the part of a dense X that is kept in cache between the
	// two products of a pass. It stays below the last-level cache of common
	// machines.
	blockBytes = 8 << 20
	// blockStep is what the rows of a block are a multiple of: the length of
	// the kernel's sums, and whole tiles.
	blockStep = 128
)

// denseBlock is the number of rows in a block of a dense X.
func denseBlock[F kernel.Float](cols int) int {
	rowBytes := 64 / kernel.Width[F]() * cols
	return max(blockStep, blockBytes/max(1, rowBytes)/blockStep*blockStep)
}

func (d *denseOperand[F]) hold(*pool, int, int) bool                  { return true }
func (d *denseOperand[F]) failure() error                             { return nil }
func (d *denseOperand[F]) close()                                     {}
func (d *denseOperand[F]) beforeLeft(*pool, *Tall[F]) bool            { return true }
func (d *denseOperand[F]) beforeRight(*pool, *Tall[F], int, int) bool { return true }

func (d *denseOperand[F]) left(r0, r1, col, width int, h *Tall[F], c []F, ldc int) {
	s := d.x.Stride
	d.ops.MulAdd(r1-r0, width, d.x.Cols, d.x.Data[r0*s:], s, 1, h.Data[col:], h.Ld, c, ldc)
}

func (d *denseOperand[F]) right(r0, r1, j0, j1 int, w, q *Tall[F]) {
	s := d.x.Stride
	d.ops.MulAdd(j1-j0, w.Ld, r1-r0, d.x.Data[r0*s+j0:], 1, s, w.Data[r0*w.Ld:], w.Ld, q.Data[j0*q.Ld:], q.Ld)
}

func (d *denseOperand[F]) stored(i int) []F { return d.x.Row(i) }

func (d *denseOperand[F]) row(i int, dst []float64) {
	for j, v := range d.x.Row(i) {
		dst[j] = float64(v)
	}
}

func (d *denseOperand[F]) cells() (row, column float64) {
	return float64(d.x.Cols), float64(d.x.Rows)
}

const (
	residualRows    = 32
	residualColumns = 256
)

// residualLoss costs m·n·k multiplications.
func (d *denseOperand[F]) residualLoss(p *pool, w, h *Tall[F], off, k int) (float64, bool) {
	total := 0.0
	ok := d.residualSums(p, w, h, off, k, &total)
	return total / 2, ok
}

// residualSums adds the squares of the residual to total, in parts of rows in
// order.
func (d *denseOperand[F]) residualSums(p *pool, w, h *Tall[F], off, k int, total *float64) bool {
	ops := kernel.For[float64]()
	n := (d.x.Rows + residualRows - 1) / residualRows
	sums := make([]float64, n)
	type scratch struct{ w, h, r []float64 }
	ws := make([]scratch, p.workers)
	for i := range ws {
		ws[i] = scratch{make([]float64, k*residualRows), make([]float64, residualColumns*k), make([]float64, residualColumns*residualRows)}
	}
	ok := p.run(n, func(wi, t int) {
		s := ws[wi]
		a, b := t*residualRows, min((t+1)*residualRows, d.x.Rows)
		clear(s.w)
		for i := a; i < b; i++ {
			for j, v := range w.Data[i*w.Ld+off : i*w.Ld+off+k] {
				s.w[j*residualRows+i-a] = float64(v)
			}
		}
		for j0 := 0; j0 < d.x.Cols; j0 += residualColumns {
			j1 := min(j0+residualColumns, d.x.Cols)
			for j := j0; j < j1; j++ {
				for l, v := range h.Data[j*h.Ld+off : j*h.Ld+off+k] {
					s.h[(j-j0)*k+l] = float64(v)
				}
			}
			clear(s.r)
			ops.MulAdd(j1-j0, residualRows, k, s.h, k, 1, s.w, residualRows, s.r, residualRows)
			for i := a; i < b; i++ {
				for j, v := range d.x.Row(i)[j0:j1] {
					e := float64(v) - s.r[j*residualRows+i-a]
					sums[t] += e * e
				}
			}
		}
	})
	for _, v := range sums {
		*total += v
	}
	return ok
}
