// Package matrix holds the matrices that nmf factorizes: dense row-major and
// compressed sparse row, over float32 and float64.
//
// Everywhere rows are samples and columns are features.
package matrix

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/partsof/nmf/internal/pages"
)

// Float is the element type of every matrix.
type Float interface{ float32 | float64 }

// Matrix is a *Dense[F] or a *CSR[F]. The set is closed: the engine knows the
// layout of each.
type Matrix[F Float] interface {
	// Dims gives the number of rows (samples) and columns (features).
	Dims() (rows, cols int)
	sealed(F)
}

// MaxDim is the largest number of rows or columns: column indices are int32.
const MaxDim = math.MaxInt32

// ErrShape is wrapped by every error about dimensions that do not fit.
var ErrShape = errors.New("shape mismatch")

// Dense is a row-major matrix: element (i, j) is Data[i*Stride+j].
type Dense[F Float] struct {
	Rows, Cols int
	// Stride is the distance between the starts of two rows; at least Cols.
	Stride int
	Data   []F
}

// NewDense returns a zero matrix of the given shape.
func NewDense[F Float](rows, cols int) *Dense[F] {
	return &Dense[F]{Rows: rows, Cols: cols, Stride: cols, Data: pages.Make[F](rows * cols)}
}

// FromSlice wraps row-major data without copying it. len(data) must be
// rows*cols.
func FromSlice[F Float](rows, cols int, data []F) (*Dense[F], error) {
	if rows < 0 || cols < 0 || len(data) != rows*cols {
		return nil, fmt.Errorf("%w: %d values for a %d x %d matrix", ErrShape, len(data), rows, cols)
	}
	return &Dense[F]{Rows: rows, Cols: cols, Stride: cols, Data: data}, nil
}

// FromRows copies a slice of equally long rows.
func FromRows[F Float](rows [][]F) (*Dense[F], error) {
	cols := 0
	if len(rows) > 0 {
		cols = len(rows[0])
	}
	d := NewDense[F](len(rows), cols)
	for i, r := range rows {
		if len(r) != cols {
			return nil, fmt.Errorf("%w: row %d has %d values, the first row has %d", ErrShape, i+1, len(r), cols)
		}
		copy(d.Row(i), r)
	}
	return d, nil
}

// Dims gives the number of rows and columns.
func (d *Dense[F]) Dims() (rows, cols int) { return d.Rows, d.Cols }

func (*Dense[F]) sealed(F) {}

// At gives element (i, j).
func (d *Dense[F]) At(i, j int) F { return d.Data[i*d.Stride+j] }

// Set stores element (i, j).
func (d *Dense[F]) Set(i, j int, v F) { d.Data[i*d.Stride+j] = v }

// Row gives row i, sharing its memory.
func (d *Dense[F]) Row(i int) []F {
	return d.Data[i*d.Stride : i*d.Stride+d.Cols : i*d.Stride+d.Cols]
}

// Clone copies the matrix; the copy's stride is its number of columns.
func (d *Dense[F]) Clone() *Dense[F] {
	c := NewDense[F](d.Rows, d.Cols)
	for i := range d.Rows {
		copy(c.Row(i), d.Row(i))
	}
	return c
}

// T gives a transposed copy.
func (d *Dense[F]) T() *Dense[F] {
	t := NewDense[F](d.Cols, d.Rows)
	const tile = 32
	for i0 := 0; i0 < d.Rows; i0 += tile {
		for j0 := 0; j0 < d.Cols; j0 += tile {
			for i := i0; i < min(i0+tile, d.Rows); i++ {
				row := d.Row(i)
				for j := j0; j < min(j0+tile, d.Cols); j++ {
					t.Data[j*t.Stride+i] = row[j]
				}
			}
		}
	}
	return t
}

// CSR is a compressed sparse row matrix: the stored cells of row i are
// ColIdx[RowPtr[i]:RowPtr[i+1]] and Val likewise, column indices rising
// strictly within a row.
type CSR[F Float] struct {
	Rows, Cols int
	RowPtr     []int
	ColIdx     []int32
	Val        []F
}

// Dims gives the number of rows and columns.
func (s *CSR[F]) Dims() (rows, cols int) { return s.Rows, s.Cols }

func (*CSR[F]) sealed(F) {}

// NNZ is the number of stored cells.
func (s *CSR[F]) NNZ() int { return len(s.Val) }

// Row gives the column indices and values stored in row i, sharing memory.
func (s *CSR[F]) Row(i int) (cols []int32, vals []F) {
	a, b := s.RowPtr[i], s.RowPtr[i+1]
	return s.ColIdx[a:b:b], s.Val[a:b:b]
}

// Check reports the first violation of the CSR invariants: pointers that fall
// or do not end at the number of cells, columns out of range, unsorted or
// repeated.
func (s *CSR[F]) Check() error {
	if s.Rows < 0 || s.Cols < 0 || s.Cols > MaxDim || len(s.RowPtr) != s.Rows+1 {
		return fmt.Errorf("%w: %d row pointers for %d x %d", ErrShape, len(s.RowPtr), s.Rows, s.Cols)
	}
	if s.RowPtr[0] != 0 || s.RowPtr[s.Rows] != len(s.Val) || len(s.ColIdx) != len(s.Val) {
		return fmt.Errorf("%w: row pointers span %d..%d, %d indices, %d values",
			ErrShape, s.RowPtr[0], s.RowPtr[s.Rows], len(s.ColIdx), len(s.Val))
	}
	for i := range s.Rows {
		if s.RowPtr[i+1] < s.RowPtr[i] || s.RowPtr[i+1] > len(s.Val) {
			return fmt.Errorf("%w: row %d: pointer falls from %d to %d", ErrShape, i+1, s.RowPtr[i], s.RowPtr[i+1])
		}
	}
	parts := max(1, min(runtime.GOMAXPROCS(0), len(s.Val)>>16))
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() { errs[p] = s.checkColumns(p*s.Rows/parts, (p+1)*s.Rows/parts) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkColumns checks the column indices of the rows from r0 to r1.
func (s *CSR[F]) checkColumns(r0, r1 int) error {
	for i := r0; i < r1; i++ {
		last := int32(-1)
		for _, c := range s.ColIdx[s.RowPtr[i]:s.RowPtr[i+1]] {
			if c <= last || int(c) >= s.Cols {
				return fmt.Errorf("%w: row %d: column index %d after %d, with %d columns", ErrShape, i+1, c, last, s.Cols)
			}
			last = c
		}
	}
	return nil
}

// T gives a transposed copy, its column indices sorted.
func (s *CSR[F]) T() *CSR[F] {
	t := &CSR[F]{Rows: s.Cols, Cols: s.Rows,
		RowPtr: make([]int, s.Cols+1), ColIdx: pages.Make[int32](len(s.Val)), Val: pages.Make[F](len(s.Val))}
	for _, c := range s.ColIdx {
		t.RowPtr[c+1]++
	}
	for j := range s.Cols {
		t.RowPtr[j+1] += t.RowPtr[j]
	}
	next := append([]int(nil), t.RowPtr[:s.Cols]...)
	for i := range s.Rows {
		for p := s.RowPtr[i]; p < s.RowPtr[i+1]; p++ {
			c := s.ColIdx[p]
			q := next[c]
			next[c]++
			t.ColIdx[q] = int32(i)
			t.Val[q] = s.Val[p]
		}
	}
	return t
}

// Dense gives a dense copy.
func (s *CSR[F]) Dense() *Dense[F] {
	d := NewDense[F](s.Rows, s.Cols)
	for i := range s.Rows {
		cols, vals := s.Row(i)
		row := d.Row(i)
		for p, c := range cols {
			row[c] = vals[p]
		}
	}
	return d
}

// Sparse gives a CSR copy of the non-zero cells.
func (d *Dense[F]) Sparse() *CSR[F] {
	s := &CSR[F]{Rows: d.Rows, Cols: d.Cols, RowPtr: make([]int, d.Rows+1)}
	for i := range d.Rows {
		for j, v := range d.Row(i) {
			if v != 0 {
				s.ColIdx = append(s.ColIdx, int32(j))
				s.Val = append(s.Val, v)
			}
		}
		s.RowPtr[i+1] = len(s.Val)
	}
	return s
}

// Transpose gives a transposed copy of either kind.
func Transpose[F Float](x Matrix[F]) Matrix[F] {
	switch x := x.(type) {
	case *Dense[F]:
		return x.T()
	case *CSR[F]:
		return x.T()
	}
	panic("matrix: unknown kind of matrix")
}

// Convert copies a matrix to another element type.
func Convert[G, F Float](x Matrix[F]) Matrix[G] {
	switch x := x.(type) {
	case *Dense[F]:
		d := NewDense[G](x.Rows, x.Cols)
		for i := range x.Rows {
			dst := d.Row(i)
			for j, v := range x.Row(i) {
				dst[j] = G(v)
			}
		}
		return d
	case *CSR[F]:
		s := &CSR[G]{Rows: x.Rows, Cols: x.Cols, RowPtr: append([]int(nil), x.RowPtr...),
			ColIdx: append([]int32(nil), x.ColIdx...), Val: make([]G, len(x.Val))}
		for p, v := range x.Val {
			s.Val[p] = G(v)
		}
		return s
	}
	panic("matrix: unknown kind of matrix")
}
