package data

import (
	"fmt"

	"github.com/partsof/nmf/matrix"
)

// compressedParts is a matrix as formats store it that compress by rows, or by
// columns with rows and columns exchanged.
type compressedParts[F matrix.Float] struct {
	rows, cols int
	// first is the place of the first row within the whole matrix.
	first int
	// row and column are what errors call rows and columns, pointers what
	// they call indptr.
	row, column, pointers string

	indptr []int64
	index  []int32
	values []F
}

// csr checks the parts and makes a matrix of them, which shares their memory.
// Unsorted indices are sorted, those given more than once summed; repeats is
// how many were.
func (c *compressedParts[F]) csr() (x *matrix.CSR[F], repeats int, err error) {
	if len(c.indptr) != c.rows+1 {
		return nil, 0, malformed("%s has %d elements for %d %ss", c.pointers, len(c.indptr), c.rows, c.row)
	}
	if len(c.index) != len(c.values) {
		return nil, 0, malformed("the sparse matrix has %d indices but %d values", len(c.index), len(c.values))
	}
	x = &matrix.CSR[F]{Rows: c.rows, Cols: c.cols, RowPtr: make([]int, c.rows+1)}
	if err := c.setPointers(x.RowPtr, len(c.index)); err != nil {
		return nil, 0, err
	}
	// Like scipy we take what lies behind the last pointer for spare room.
	cells := x.RowPtr[c.rows]
	x.ColIdx, x.Val = c.index[:cells:cells], c.values[:cells:cells]
	if c.first == 0 {
		if err := checkFilled(c.cols, c.column, cells); err != nil {
			return nil, 0, err
		}
	}
	for i := range c.rows {
		for _, j := range x.ColIdx[x.RowPtr[i]:x.RowPtr[i+1]] {
			if j < 0 || int(j) >= c.cols {
				return nil, 0, malformed("%s %d: index %d with %d %ss", c.row, c.first+i+1, j, c.cols, c.column)
			}
		}
	}
	return sorted(x)
}

// sorted puts the cells of each row in order, and sums those that are given more
// than once; repeats is how many were.
func sorted[F matrix.Float](x *matrix.CSR[F]) (_ *matrix.CSR[F], repeats int, err error) {
	if x.Check() == nil {
		return x, 0, nil
	}
	rows := make([]int32, len(x.ColIdx))
	for i := range x.Rows {
		for p := x.RowPtr[i]; p < x.RowPtr[i+1]; p++ {
			rows[p] = int32(i)
		}
	}
	return matrix.FromTriplets(x.Rows, x.Cols, rows, x.ColIdx, x.Val)
}

// setPointers copies indptr, which must rise from 0 and stay within the cells.
func (c *compressedParts[F]) setPointers(dst []int, cells int) error {
	last := int64(0)
	for i, at := range c.indptr {
		switch {
		case i == 0 && at != 0:
			return malformed("%s starts at %d, not 0", c.pointers, at)
		case at < last:
			return malformed("%s %d: %s falls from %d to %d", c.row, i, c.pointers, last, at)
		case at > int64(cells):
			return malformed("%s %d: %s is %d with %d indices", c.row, i, c.pointers, at, cells)
		}
		dst[i], last = int(at), at
	}
	return nil
}

// checkFilled refuses a dimension that no array in the file bears out and that
// is out of all proportion to the cells there are: memory is needed for it.
func checkFilled(dim int, what string, cells int) error {
	const always, perCell = 1 << 20, 16
	if dim > max(always, perCell*cells) {
		return &Error{
			Found: fmt.Sprintf("the shape has %d %ss, but only %d cells are stored", dim, what, cells),
			Hint:  "leave out empty rows and columns", Err: ErrFormat,
		}
	}
	return nil
}

// noteRepeats says that cells were summed.
func (t *Table[F]) noteRepeats(repeats int) {
	if repeats > 0 {
		t.addNote(fmt.Sprintf("%s given more than once %s summed", count(repeats, "cell"), were(repeats)))
	}
}
