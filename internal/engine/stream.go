package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// streamOperand is a dense X of which one block of rows is in memory, while the
// next one is being read.
type streamOperand[F kernel.Float] struct {
	x      *matrix.Streamed[F]
	blocks ahead[[]F]
	// held is the block of blocks.
	held denseOperand[F]
}

func newStreamOperand[F kernel.Float](x *matrix.Streamed[F], ops *kernel.Ops[F], block int) *streamOperand[F] {
	return &streamOperand[F]{x: x, blocks: newAhead(x.Rows, block, denseReader(x.Cols, x.Read)),
		held: denseOperand[F]{&matrix.Dense[F]{Cols: x.Cols, Stride: x.Cols}, ops}}
}

// denseReader reads lines of the given length.
func denseReader[F kernel.Float](length int, read func(first int, dst []F) error) func(first, n int, into *[]F) error {
	return func(first, n int, into *[]F) error {
		grow(into, n*length)
		return read(first, *into)
	}
}

func (d *streamOperand[F]) hold(p *pool, r0, _ int) bool {
	if p.ctx.Err() != nil || !d.blocks.hold(r0) {
		return false
	}
	d.held.x.Data, d.held.x.Rows = d.blocks.held, d.blocks.n
	return true
}

func (d *streamOperand[F]) failure() error { return d.blocks.err }

func (d *streamOperand[F]) close() { d.blocks.settle() }

func (d *streamOperand[F]) beforeLeft(*pool, *Tall[F]) bool            { return true }
func (d *streamOperand[F]) beforeRight(*pool, *Tall[F], int, int) bool { return true }

func (d *streamOperand[F]) left(r0, r1, col, width int, h *Tall[F], c []F, ldc int) {
	d.held.left(r0-d.blocks.base, r1-d.blocks.base, col, width, h, c, ldc)
}

// right takes the rows of w that belong to the block.
func (d *streamOperand[F]) right(r0, r1, j0, j1 int, w, q *Tall[F]) {
	base := d.blocks.base
	d.held.right(r0-base, r1-base, j0, j1, w.from(base), q)
}

// from is t without its rows before `first`, sharing memory.
func (t *Tall[F]) from(first int) *Tall[F] {
	part := *t
	part.Rows, part.Data = t.Rows-first, t.Data[first*t.Ld:]
	return &part
}

func (d *streamOperand[F]) stored(i int) []F { return d.held.stored(i - d.blocks.base) }

// row reads a row that need not be in memory.
func (d *streamOperand[F]) row(i int, dst []float64) {
	if d.blocks.holds(i) {
		d.held.row(i-d.blocks.base, dst)
		return
	}
	one := make([]F, d.x.Cols)
	if err := d.x.Read(i, one); err != nil {
		d.blocks.err = err
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
	for r0 := 0; r0 < d.x.Rows; r0 += d.blocks.step {
		if !d.hold(p, r0, 0) || !d.held.residualSums(p, w.from(r0), h, off, k, &total) {
			return 0, false
		}
	}
	return total / 2, true
}

// sparseStream is a sparse X of which one block of rows, and one of columns,
// are in memory. A pass goes through the rows first and then, when all of W is
// made, through the columns: in the order of a sparse X in memory, so that the
// bits are the same.
type sparseStream[F kernel.Float] struct {
	x             *matrix.StreamedCSR[F]
	ops           *kernel.Ops[F]
	rows, columns ahead[matrix.CSR[F]]
}

func newSparseStream[F kernel.Float](x *matrix.StreamedCSR[F], ops *kernel.Ops[F]) *sparseStream[F] {
	return &sparseStream[F]{x: x, ops: ops, rows: sparseAhead(x.Rows, x.ByRows), columns: sparseAhead(x.Cols, x.ByColumns)}
}

func sparseAhead[F kernel.Float](lines int, b matrix.Blocks[F]) ahead[matrix.CSR[F]] {
	return newAhead(lines, b.Step, func(first, _ int, into *matrix.CSR[F]) error { return b.Read(first, into) })
}

func (d *sparseStream[F]) hold(p *pool, r0, _ int) bool {
	return p.ctx.Err() == nil && d.columns.err == nil && d.rows.hold(r0)
}

// holdColumns is hold for the columns that right takes.
func (d *sparseStream[F]) holdColumns(p *pool, j0 int) bool {
	return p.ctx.Err() == nil && d.rows.err == nil && d.columns.hold(j0)
}

func (d *sparseStream[F]) failure() error {
	if d.rows.err != nil {
		return d.rows.err
	}
	return d.columns.err
}

func (d *sparseStream[F]) close() {
	d.rows.settle()
	d.columns.settle()
}

func (d *sparseStream[F]) beforeLeft(*pool, *Tall[F]) bool            { return true }
func (d *sparseStream[F]) beforeRight(*pool, *Tall[F], int, int) bool { return true }

func (d *sparseStream[F]) left(r0, r1, col, width int, h *Tall[F], c []F, ldc int) {
	x, base := &d.rows.held, d.rows.base
	gatherLines(d.ops, x, r0-base, r1-base, width, h.Data[col:], h.Ld, c, ldc)
}

func (d *sparseStream[F]) right(_, _, j0, j1 int, w, q *Tall[F]) {
	x, base := &d.columns.held, d.columns.base
	gatherLines(d.ops, x, j0-base, j1-base, w.Ld, w.Data, w.Ld, q.Data[j0*q.Ld:], q.Ld)
}

func (d *sparseStream[F]) stored(i int) []F {
	_, v := d.rows.held.Row(i - d.rows.base)
	return v
}

// row reads a row that need not be in memory.
func (d *sparseStream[F]) row(i int, dst []float64) {
	block, base := d.rows.held, d.rows.base
	if !d.rows.holds(i) {
		block = matrix.CSR[F]{}
		base = i / d.x.ByRows.Step * d.x.ByRows.Step
		if err := d.x.ByRows.Read(base, &block); err != nil {
			d.rows.err = err
			return
		}
	}
	clear(dst)
	cols, vals := block.Row(i - base)
	for p, j := range cols {
		dst[j] = float64(vals[p])
	}
}

func (d *sparseStream[F]) cells() (row, column float64) {
	nnz := float64(d.x.Stored)
	return nnz / float64(d.x.Rows), nnz / float64(d.x.Cols)
}

func (d *sparseStream[F]) residualLoss(p *pool, w, h *Tall[F], off, k int) (float64, bool) {
	total := 0.0
	for r0 := 0; r0 < d.x.Rows; r0 += d.rows.step {
		if !d.hold(p, r0, 0) || !residualCells(p, &d.rows.held, w.from(r0), h, off, k, &total) {
			return 0, false
		}
	}
	return withGrams(total, w, h, off, k, p.workers), true
}
