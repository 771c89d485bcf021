package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// A sparse X without a transposed copy is divided into stripes of columns for Xᵀ·W. A
// task has a stripe: it goes through all rows of X and adds each, for its cells in the
// stripe, to the rows of Xᵀ·W there, which stay in a core's second cache. The rows come
// in order, so that the bits are those of a gather over the transposed copy.

// stripes says where every row of a sparse X enters a stripe of columns.
type stripes struct {
	// rows is that of X, columns the number in each stripe but the last.
	rows, columns int
	// at has for each stripe, and once more for the end, the place in X of every row's
	// first cell that is not left of it.
	at []int
}

const (
	// stripeColumns is the largest number of columns of a stripe, stripeStep what it is
	// a multiple of: whole tiles, in float64 too.
	stripeColumns, stripeStep = 2048, 64
	// stripeCells is how many cells a row has in a stripe at least, on average: with
	// fewer, most of the time goes to the jump to them.
	stripeCells = 64
	// stripeLines is how many lines of cache of the rows of W products are made of in
	// stripes before there is a transposed copy: six products with 30 components in
	// float32. Each line costs more than in a gather, the copy as much as some forty of
	// them cost more, or twice that: a fit that is soon done goes without, another one
	// loses little.
	stripeLines = 12
)

// stripeOf is the number of columns of a stripe of an X of that many stored cells, 0
// where it has too few for them.
func stripeOf(rows, cols, stored, workers int) int {
	columns := min(stripeColumns, cols/(4*max(1, workers))) / stripeStep * stripeStep
	if float64(stored)*float64(columns) < stripeCells*float64(rows)*float64(cols) {
		return 0
	}
	return columns
}

// newStripes divides x, which the workers share; nil where it has too few cells for it.
func newStripes[F kernel.Float](p *pool, x *matrix.CSR[F]) *stripes {
	columns := stripeOf(x.Rows, x.Cols, x.NNZ(), p.workers)
	if columns == 0 {
		return nil
	}
	n := (x.Cols + columns - 1) / columns
	s := &stripes{rows: x.Rows, columns: columns, at: make([]int, (n+1)*x.Rows)}
	EachStrip(x.Rows, p.workers, func(i0, i1 int) {
		for i := i0; i < i1; i++ {
			at, end := x.RowPtr[i], x.RowPtr[i+1]
			for b := range n {
				first := int32(b * columns)
				for step := 16; step > 0; step /= 4 {
					for at+step <= end && x.ColIdx[at+step-1] < first {
						at += step
					}
				}
				s.at[b*x.Rows+i] = at
			}
			s.at[n*x.Rows+i] = end
		}
	})
	return s
}

// starts are the places in X at which the rows enter stripe b.
func (s *stripes) starts(b int) []int { return s.at[b*s.rows : (b+1)*s.rows] }

// scatterStripes adds (xᵀ·w)[j0:j1] to c, whose rows lie as far apart as those of w; j0
// is where a stripe begins, j1 where one ends.
func scatterStripes[F kernel.Float](ops *kernel.Ops[F], x *matrix.CSR[F], s *stripes, j0, j1 int, w *Tall[F], c []F) {
	for j := j0; j < j1; j += s.columns {
		b := j / s.columns
		ops.ScatterRows(w.Ld, s.starts(b), s.starts(b+1), j, x.ColIdx, x.Val, w.Data, w.Ld, c[(j-j0)*w.Ld:(min(j+s.columns, j1)-j0)*w.Ld], w.Ld)
	}
}
