package engine

import (
	"github.com/partsof/nmf/internal/kernel"
)

// Compress stands Q·(QᵀX) in for X, with an orthonormal q (m x l) whose range
// holds most of X, and b = XᵀQ (n x l): the products of a pass then cost
// l·(m+n) multiplications a component instead of m·n (Tepper & Sapiro 2016;
// Erichson et al. 2018). SumSq stays that of X, so that losses estimate those
// of X: they differ by ⟨X − QQᵀX, WH⟩, which is small as the columns of W come
// to lie in the range of Q.
func Compress[F kernel.Float](x *Data[F], q, b *Tall[F]) *Data[F] {
	return &Data[F]{Rows: x.Rows, Cols: x.Cols, Sum: x.Sum, SumSq: x.SumSq, BadRow: -1, ops: x.ops, block: max(1, x.Rows), grid: x.grid,
		operand: &compressedOperand[F]{q: q, b: b, x: x, small: NewTall[F](q.K, 1)}}
}

type compressedOperand[F kernel.Float] struct {
	q, b *Tall[F]
	x    *Data[F]
	// small is bᵀ·h or qᵀ·w (l x k).
	small *Tall[F]
}

func (d *compressedOperand[F]) hold(*pool, int, int) bool { return true }
func (d *compressedOperand[F]) failure() error            { return d.x.failure() }
func (d *compressedOperand[F]) close()                    {}

func (d *compressedOperand[F]) beforeLeft(p *pool, h *Tall[F]) bool {
	return d.shrink(p, d.b, h)
}

func (d *compressedOperand[F]) beforeRight(p *pool, w *Tall[F], _, _ int) bool {
	return d.shrink(p, d.q, w)
}

// shrink sets small to baseᵀ·t.
func (d *compressedOperand[F]) shrink(p *pool, base, t *Tall[F]) bool {
	d.small.reshape(base.K, t.K)
	n := (base.K + gramRows - 1) / gramRows
	return p.run(n, func(_, task int) {
		i0, i1 := task*gramRows, min((task+1)*gramRows, base.K)
		d.x.ops.MulAdd(i1-i0, t.Ld, base.Rows, base.Data[i0:], 1, base.Ld, t.Data, t.Ld, d.small.Data[i0*d.small.Ld:], d.small.Ld)
	})
}

func (d *compressedOperand[F]) left(r0, r1, col, width int, _ *Tall[F], c []F, ldc int) {
	d.expand(d.q, r0, r1, col, width, c, ldc)
}

func (d *compressedOperand[F]) right(_, _, j0, j1 int, w, q *Tall[F]) {
	d.expand(d.b, j0, j1, 0, w.Ld, q.Data[j0*q.Ld:], q.Ld)
}

// expand adds base[r0:r1]·small to c.
func (d *compressedOperand[F]) expand(base *Tall[F], r0, r1, col, width int, c []F, ldc int) {
	d.x.ops.MulAdd(r1-r0, width, base.K, base.Data[r0*base.Ld:], base.Ld, 1, d.small.Data[col:], d.small.Ld, c, ldc)
}

func (d *compressedOperand[F]) stored(int) []F { return nil }

func (d *compressedOperand[F]) row(i int, dst []float64) { d.x.row(i, dst) }

func (d *compressedOperand[F]) cells() (row, column float64) {
	l := float64(d.q.K)
	return l, l
}

func (d *compressedOperand[F]) residualLoss(p *pool, w, h *Tall[F], off, k int) (float64, bool) {
	return d.x.residualLoss(p, w, h, off, k)
}
