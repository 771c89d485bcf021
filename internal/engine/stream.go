package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// streamOperand is a dense X of which one block of rows is in memory, while the
// next one is being read: passes go through the blocks in order, and start
// again.
type streamOperand[F kernel.Float] struct {
	x     *matrix.Streamed[F]
	block int
	// held holds the rows from base on.
	held denseOperand[F]
	base int
	// spare is read into for the block from `coming` on; read gets the error.
	spare  []F
	coming int
	read   chan error
	err    error
}

// nothingComing is where no block is being read.
const nothingComing = -1

func newStreamOperand[F kernel.Float](x *matrix.Streamed[F], ops *kernel.Ops[F], block int) *streamOperand[F] {
	return &streamOperand[F]{x: x, block: block, coming: nothingComing, read: make(chan error, 1),
		held: denseOperand[F]{&matrix.Dense[F]{Cols: x.Cols, Stride: x.Cols}, ops}}
}

// rows is the number of rows in the block from row `first` on.
func (d *streamOperand[F]) rows(first int) int { return min(d.block, d.x.Rows-first) }

func (d *streamOperand[F]) hold(p *pool, r0, _ int) bool {
	if d.err != nil || p.ctx.Err() != nil {
		return false
	}
	if d.held.x.Rows > 0 && d.base == r0 {
		return true
	}
	if d.coming != r0 {
		d.settle()
		d.fetch(r0)
	}
	if !d.settle() {
		return false
	}
	n := d.rows(r0)
	old := d.held.x.Data
	d.held.x.Data, d.held.x.Rows, d.base = d.spare[:n*d.x.Cols], n, r0
	d.spare = old
	if n < d.x.Rows {
		d.fetch((r0 + n) % d.x.Rows)
	}
	return true
}

// fetch begins to read the block from row `first` on.
func (d *streamOperand[F]) fetch(first int) {
	n := d.rows(first) * d.x.Cols
	if cap(d.spare) < n {
		d.spare = make([]F, d.rows(0)*d.x.Cols)
	}
	d.coming, d.spare = first, d.spare[:n]
	into := d.spare
	go func() { d.read <- d.x.Read(first, into) }()
}

// settle waits for what is being read; it reports false where that failed.
func (d *streamOperand[F]) settle() bool {
	if d.coming != nothingComing {
		d.coming = nothingComing
		if err := <-d.read; err != nil {
			d.err = err
		}
	}
	return d.err == nil
}

func (d *streamOperand[F]) failure() error { return d.err }

func (d *streamOperand[F]) close() { d.settle() }

func (d *streamOperand[F]) beforeLeft(*pool, *Tall[F]) bool            { return true }
func (d *streamOperand[F]) beforeRight(*pool, *Tall[F], int, int) bool { return true }

func (d *streamOperand[F]) left(r0, r1, col, width int, h *Tall[F], c []F, ldc int) {
	d.held.left(r0-d.base, r1-d.base, col, width, h, c, ldc)
}

// right takes the rows of w that belong to the block.
func (d *streamOperand[F]) right(r0, r1, j0, j1 int, w, q *Tall[F]) {
	part := *w
	part.Data = w.Data[d.base*w.Ld:]
	d.held.right(r0-d.base, r1-d.base, j0, j1, &part, q)
}

func (d *streamOperand[F]) stored(i int) []F { return d.held.stored(i - d.base) }

// row reads a row that need not be in memory.
func (d *streamOperand[F]) row(i int, dst []float64) {
	if at := i - d.base; d.held.x.Rows > 0 && at >= 0 && at < d.held.x.Rows {
		d.held.row(at, dst)
		return
	}
	one := make([]F, d.x.Cols)
	if err := d.x.Read(i, one); err != nil {
		d.err = err
	}
	for j, v := range one {
		dst[j] = float64(v)
	}
}

func (d *streamOperand[F]) cells() (row, column float64) {
	return float64(d.x.Cols), float64(d.x.Rows)
}

func (d *streamOperand[F]) residualLoss(p *pool, w, h *Tall[F], off, k int) (float64, bool) {
	total := 0.0
	for r0 := 0; r0 < d.x.Rows; r0 += d.block {
		if !d.hold(p, r0, r0+d.rows(r0)) {
			return 0, false
		}
		part := *w
		part.Data = w.Data[r0*w.Ld:]
		if !d.held.residualSums(p, &part, h, off, k, &total) {
			return 0, false
		}
	}
	return total / 2, true
}
