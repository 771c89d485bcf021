package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// Data is X as the passes need it: its products with tall factors, and sums
// over it.
type Data[F kernel.Float] struct {
	// Rows is m, Cols is n.
	Rows, Cols int
	// Sum and SumSq are over all cells, in float64.
	Sum, SumSq float64
	// Largest is the largest cell, BadRow the first row with a value that is
	// negative or not finite, or -1. The other numbers hold where it is.
	Largest F
	BadRow  int

	ops *kernel.Ops[F]
	operand[F]
	// block is the number of rows that both products of a pass are done for
	// before it goes on, so that the second finds X in cache.
	block int
	// grid joins the ranks whose parts of X make the whole, nil for one
	// process; meanRow and meanColumn are then of the whole what cells gives.
	grid                *Grid
	meanRow, meanColumn float64
	// apart is nil but for an X whose columns are read by themselves: the second
	// product is then a pass of its own, when all rows are done.
	apart *sparseStream[F]
}

// operand is one way to hold X.
type operand[F kernel.Float] interface {
	// hold brings the block of rows r0 to r1 into memory, where left, right and
	// stored find it until the next call; it reports false when cancelled, or
	// when reading failed. failure says why, and is nil where it did not. close
	// ends reading.
	hold(p *pool, r0, r1 int) bool
	failure() error
	close()
	// beforeLeft is called with all of h before the calls of left that use
	// it, beforeRight with all of w before those of right; they report false
	// when cancelled.
	beforeLeft(p *pool, h *Tall[F]) bool
	beforeRight(p *pool, w *Tall[F], r0, r1 int) bool
	// left adds X[r0:r1]·h to c, for `width` columns of h from col; c has
	// r1-r0 rows, ldc apart.
	left(r0, r1, col, width int, h *Tall[F], c []F, ldc int)
	// right adds (X[r0:r1])ᵀ·w to the rows j0 to j1 of q (n x k).
	right(r0, r1, j0, j1 int, w, q *Tall[F])
	// stored gives the values of row i that are stored, nil where that is not
	// how X is held; row copies the whole row.
	stored(i int) []F
	row(i int, dst []float64)
	// cells is the mean number of multiplications that the cross product of a
	// row, and of a column, costs for each component.
	cells() (row, column float64)
	// residualLoss is ½‖X−WH‖² of the pair in k columns from off, from the
	// residual in float64.
	residualLoss(p *pool, w, h *Tall[F], off, k int) (float64, bool)
}

// NewData prepares x, which must be valid in itself, and scans its values.
func NewData[F kernel.Float](x matrix.Matrix[F], threads int) *Data[F] {
	d := &Data[F]{ops: kernel.For[F]()}
	d.Rows, d.Cols = x.Dims()
	p := &pool{ctx: context.Background(), workers: threads}
	switch x := x.(type) {
	case *matrix.Dense[F]:
		d.operand = &denseOperand[F]{x, d.ops}
		d.block = denseBlock[F](x.Cols)
	case *matrix.Streamed[F]:
		d.block = max(1, min(denseBlock[F](x.Cols), d.Rows))
		d.operand = newStreamOperand(x, d.ops, d.block)
	case *matrix.CSR[F]:
		d.operand = &sparseOperand[F]{x: x, ops: d.ops, stripes: newStripes(p, x)}
		d.block = d.Rows
	case *matrix.StreamedCSR[F]:
		d.apart = newSparseStream(x, d.ops)
		d.operand, d.block = d.apart, x.ByRows.Step
	default:
		panic(fmt.Sprintf("engine: unknown matrix %T", x))
	}
	d.block = max(1, min(d.block, d.Rows))
	d.scan(p)
	return d
}

// eachColumns calls fn for the columns j0 to j1 of every block of columns that
// right takes at a time, all of them where X is not read by columns.
func (d *Data[F]) eachColumns(p *pool, fn func(j0, j1 int) bool) bool {
	if d.apart == nil {
		return fn(0, d.Cols)
	}
	for j0 := 0; j0 < d.Cols; j0 += d.apart.columns.step {
		if !d.apart.holdColumns(p, j0) || !fn(j0, min(j0+d.apart.columns.step, d.Cols)) {
			return false
		}
	}
	return true
}

// scan adds up X in parts of rows that depend on the shape alone, and looks
// for values that cannot be factorized.
func (d *Data[F]) scan(p *pool) {
	const rows = 64
	d.BadRow = -1
	for r0 := 0; r0 < d.Rows && d.BadRow < 0; r0 += d.block {
		r1 := min(r0+d.block, d.Rows)
		if !d.hold(p, r0, r1) {
			return
		}
		parts := make([]rowSums[F], (r1-r0+rows-1)/rows)
		p.run(len(parts), func(_, t int) {
			parts[t].badRow = -1
			for i := r0 + t*rows; i < min(r1, r0+(t+1)*rows); i++ {
				largest, sum, sumSq, ok := d.ops.Scan(d.stored(i))
				if !ok {
					parts[t].badRow = i
					return
				}
				parts[t].sum += sum
				parts[t].sumSq += sumSq
				parts[t].largest = max(parts[t].largest, largest)
			}
		})
		for _, part := range parts {
			if part.badRow >= 0 {
				d.BadRow = part.badRow
				return
			}
			d.Sum += part.sum
			d.SumSq += part.sumSq
			d.Largest = max(d.Largest, part.largest)
		}
	}
}

type rowSums[F kernel.Float] struct {
	sum, sumSq float64
	largest    F
	badRow     int
}

// Failure is why X could not be read, nil where it could: what was cancelled
// without the context having ended was cancelled by this.
func (d *Data[F]) Failure() error { return d.failure() }

// Close ends reading from X, where that goes on beside the passes.
func (d *Data[F]) Close() { d.close() }

// RowValues copies row i of the whole X, the columns of this part.
func (d *Data[F]) RowValues(i int) []float64 {
	var row []float64
	if local, ok := d.holds(i); ok {
		row = make([]float64, d.Cols)
		d.row(local, row)
	}
	return d.grid.fromRow(i, row, d.Cols)
}

// cause is why work was cancelled.
func (d *Data[F]) cause(ctx context.Context) error {
	if err := d.failure(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// Mean is the mean over all cells.
func (d *Data[F]) Mean() float64 { return d.Sum / (float64(d.AllRows()) * float64(d.AllCols())) }

// RowSums gives the sum of every row and that of its squares, and false where X
// could not be read.
func (d *Data[F]) RowSums(workers int) (sums, squares []float64, ok bool) {
	sums, squares = make([]float64, d.Rows), make([]float64, d.Rows)
	p := &pool{ctx: context.Background(), workers: max(1, workers)}
	ok = true
	for r0 := 0; r0 < d.Rows && ok; r0 += d.block {
		r1 := min(r0+d.block, d.Rows)
		if ok = d.hold(p, r0, r1); !ok {
			break
		}
		p.run(r1-r0, func(_, i int) {
			_, sums[r0+i], squares[r0+i], _ = d.ops.Scan(d.stored(r0 + i))
		})
	}
	d.grid.sum(OfColumns, sums)
	d.grid.sum(OfColumns, squares)
	return sums, squares, d.grid.agree(ok)
}

// Norm is the Frobenius norm of X.
func (d *Data[F]) Norm() float64 { return math.Sqrt(d.SumSq) }
