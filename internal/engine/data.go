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
}

// operand is one way to hold X.
type operand[F kernel.Float] interface {
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

// NewData prepares x, which must be valid in itself, and scans its values. A
// sparse x is transposed once.
func NewData[F kernel.Float](x matrix.Matrix[F], threads int) *Data[F] {
	d := &Data[F]{ops: kernel.For[F]()}
	d.Rows, d.Cols = x.Dims()
	p := &pool{ctx: context.Background(), workers: threads}
	switch x := x.(type) {
	case *matrix.Dense[F]:
		d.operand = &denseOperand[F]{x, d.ops}
		d.block = denseBlock[F](x.Cols)
	case *matrix.CSR[F]:
		d.operand = &sparseOperand[F]{x, transpose(p, x), d.ops}
		d.block = d.Rows
	default:
		panic(fmt.Sprintf("engine: unknown matrix %T", x))
	}
	d.block = max(1, min(d.block, d.Rows))
	d.scan(p)
	return d
}

// scan adds up X in parts of rows that depend on the shape alone, and looks
// for values that cannot be factorized.
func (d *Data[F]) scan(p *pool) {
	const rows = 64
	parts := make([]rowSums[F], (d.Rows+rows-1)/rows)
	p.run(len(parts), func(_, t int) {
		parts[t].badRow = -1
		for i := t * rows; i < min(d.Rows, (t+1)*rows); i++ {
			if !parts[t].add(d.stored(i)) {
				parts[t].badRow = i
				return
			}
		}
	})
	d.BadRow = -1
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

type rowSums[F kernel.Float] struct {
	sum, sumSq float64
	largest    F
	badRow     int
}

// add adds a row and reports whether all its values are finite and not
// negative. Four sums run side by side, so that additions need not wait for
// each other.
func (r *rowSums[F]) add(row []F) bool {
	most := largestFinite[F]()
	var sum, sq [4]float64
	top := r.largest
	for len(row) >= 4 {
		a, b, c, d := row[0], row[1], row[2], row[3]
		if !(a >= 0 && a <= most && b >= 0 && b <= most && c >= 0 && c <= most && d >= 0 && d <= most) {
			return false
		}
		top = max(top, max(a, b), max(c, d))
		x0, x1, x2, x3 := float64(a), float64(b), float64(c), float64(d)
		sum[0] += x0
		sum[1] += x1
		sum[2] += x2
		sum[3] += x3
		sq[0] += x0 * x0
		sq[1] += x1 * x1
		sq[2] += x2 * x2
		sq[3] += x3 * x3
		row = row[4:]
	}
	for _, v := range row {
		if !(v >= 0 && v <= most) {
			return false
		}
		top = max(top, v)
		sum[0] += float64(v)
		sq[0] += float64(v) * float64(v)
	}
	r.sum += sum[0] + sum[1] + (sum[2] + sum[3])
	r.sumSq += sq[0] + sq[1] + (sq[2] + sq[3])
	r.largest = top
	return true
}

func largestFinite[F kernel.Float]() F {
	limit := math.MaxFloat64
	if kernel.Width[F]() == 16 {
		limit = math.MaxFloat32
	}
	return F(limit)
}

// Mean is the mean over all cells.
func (d *Data[F]) Mean() float64 { return d.Sum / (float64(d.Rows) * float64(d.Cols)) }

// CopyRow copies row i, with its zeros, to dst.
func (d *Data[F]) CopyRow(i int, dst []float64) { d.row(i, dst) }

// RowSums gives the sum of row i and that of its squares.
func (d *Data[F]) RowSums(i int) (sum, sumSq float64) {
	var r rowSums[F]
	r.add(d.stored(i))
	return r.sum, r.sumSq
}

// Norm is the Frobenius norm of X.
func (d *Data[F]) Norm() float64 { return math.Sqrt(d.SumSq) }
