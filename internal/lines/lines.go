// Package lines reads the rows of a matrix of any kind, or its columns, some at a
// time: of one in memory, and of one that is read block by block.
package lines

import (
	"slices"
	"sync"

	"github.com/partsof/nmf/matrix"
)

// Each calls do for every row in order, with the columns and values that it
// stores, columns being nil where that is all; it reads block by block what is
// not in memory.
func Each[F matrix.Float](x matrix.Matrix[F], do func(i int, cols []int32, vals []F) error) error {
	m, _ := x.Dims()
	return Of(x).Each(0, m, do)
}

// Rows are the rows of a matrix, of which a part may be in memory. Several
// goroutines may use them, one at a time.
type Rows[F matrix.Float] struct {
	x  matrix.Matrix[F]
	mu sync.Mutex
	// block holds rows from `first` on of an x that is read block by block; dense is
	// their room where that is dense.
	block matrix.CSR[F]
	dense []F
	first int
}

// Of gives the rows of a matrix.
func Of[F matrix.Float](x matrix.Matrix[F]) *Rows[F] { return &Rows[F]{x: x} }

// Each calls do for the rows from `from` on and before `to`, as the function Each
// does for all.
func (l *Rows[F]) Each(from, to int, do func(i int, cols []int32, vals []F) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := func(a, b int, row func(i int) ([]int32, []F)) error {
		for i := a; i < b; i++ {
			cols, vals := row(i)
			if err := do(i, cols, vals); err != nil {
				return err
			}
		}
		return nil
	}
	switch x := l.x.(type) {
	case *matrix.Dense[F]:
		return rows(from, to, func(i int) ([]int32, []F) { return nil, x.Row(i) })
	case *matrix.CSR[F]:
		return rows(from, to, func(i int) ([]int32, []F) { return x.Row(i) })
	case *matrix.Streamed[F]:
		const cells = 1 << 18
		n := x.Cols
		for a := from; a < to; {
			b := min(to, a+max(1, cells/n))
			if need := (b - a) * n; cap(l.dense) < need {
				l.dense = make([]F, need)
			}
			block := l.dense[:(b-a)*n]
			if err := x.Read(a, block); err != nil {
				return err
			}
			if err := rows(a, b, func(i int) ([]int32, []F) { return nil, block[(i-a)*n : (i-a+1)*n] }); err != nil {
				return err
			}
			a = b
		}
	case *matrix.StreamedCSR[F]:
		for a := from; a < to; {
			if a < l.first || a >= l.first+l.block.Rows {
				first := a / x.ByRows.Step * x.ByRows.Step
				l.block.Rows = 0
				if err := x.ByRows.Read(first, &l.block); err != nil {
					return err
				}
				l.first = first
			}
			b := min(to, l.first+l.block.Rows)
			if err := rows(a, b, func(i int) ([]int32, []F) { return l.block.Row(i - l.first) }); err != nil {
				return err
			}
			a = b
		}
	}
	return nil
}

// Reader reads lines of a matrix of any kind, in the precision F.
type Reader[F matrix.Float] interface {
	// Read fills b with the n lines from line `first` on, and gives them.
	Read(first, n int, b *Space[F]) (matrix.Matrix[F], error)
	// Nonzeros are the cells of those lines that are not zero.
	Nonzeros(first, n int) (*matrix.Mask, error)
	// IsDense reports whether it stores every cell.
	IsDense() bool
}

// Space is room for lines, dense or sparse.
type Space[F matrix.Float] struct {
	Dense  *matrix.Dense[F]
	Sparse *matrix.CSR[F]
}

// reader are lines of a matrix in another precision.
type reader[G, F matrix.Float] struct {
	*Rows[G]
	dense bool
	cells int
}

// NewReader reads the lines of a matrix of float32 or float64, rows or turned round
// columns; it is nil for nil.
func NewReader[F matrix.Float](x any, turned bool) Reader[F] {
	switch x := x.(type) {
	case matrix.Matrix[float32]:
		return newReader[float32, F](x, turned)
	case matrix.Matrix[float64]:
		return newReader[float64, F](x, turned)
	}
	return nil
}

func newReader[G, F matrix.Float](x matrix.Matrix[G], turned bool) Reader[F] {
	if turned {
		switch s := x.(type) {
		case *matrix.Streamed[G]:
			x = &matrix.Streamed[G]{Rows: s.Cols, Cols: s.Rows, Read: s.ReadColumns, ReadColumns: s.Read}
		case *matrix.StreamedCSR[G]:
			x = &matrix.StreamedCSR[G]{Rows: s.Cols, Cols: s.Rows, Stored: s.Stored, ByRows: s.ByColumns, ByColumns: s.ByRows}
		default:
			x = matrix.Transpose(x)
		}
	}
	_, cells := x.Dims()
	return &reader[G, F]{Rows: Of(x), dense: IsDense(x), cells: cells}
}

// IsDense reports whether a matrix stores every cell.
func IsDense(x any) bool {
	switch x.(type) {
	case *matrix.Dense[float32], *matrix.Dense[float64], *matrix.Streamed[float32], *matrix.Streamed[float64]:
		return true
	}
	return false
}

func (l *reader[G, F]) IsDense() bool { return l.dense }

func (l *reader[G, F]) Read(first, n int, b *Space[F]) (matrix.Matrix[F], error) {
	if l.dense {
		if b.Dense == nil {
			b.Dense = new(matrix.Dense[F])
		}
		d := b.Dense
		d.Rows, d.Cols, d.Stride, d.Data = n, l.cells, l.cells, slices.Grow(d.Data[:0], n*l.cells)[:n*l.cells]
		return d, l.Each(first, first+n, func(i int, _ []int32, vals []G) error {
			row := d.Row(i - first)
			for j, v := range vals {
				row[j] = F(v)
			}
			return nil
		})
	}
	if b.Sparse == nil {
		b.Sparse = new(matrix.CSR[F])
	}
	s := b.Sparse
	s.Rows, s.Cols, s.RowPtr, s.ColIdx, s.Val = n, l.cells, append(s.RowPtr[:0], 0), s.ColIdx[:0], s.Val[:0]
	return s, l.Each(first, first+n, func(_ int, idx []int32, vals []G) error {
		s.ColIdx = append(s.ColIdx, idx...)
		for _, v := range vals {
			s.Val = append(s.Val, F(v))
		}
		s.RowPtr = append(s.RowPtr, len(s.Val))
		return nil
	})
}

func (l *reader[G, F]) Nonzeros(first, n int) (*matrix.Mask, error) {
	mask := &matrix.Mask{Rows: n, Cols: l.cells, RowPtr: make([]int, 1, n+1)}
	return mask, l.Each(first, first+n, func(_ int, idx []int32, vals []G) error {
		for q, v := range vals {
			switch {
			case v == 0:
			case idx == nil:
				mask.ColIdx = append(mask.ColIdx, int32(q))
			default:
				mask.ColIdx = append(mask.ColIdx, idx[q])
			}
		}
		mask.RowPtr = append(mask.RowPtr, len(mask.ColIdx))
		return nil
	})
}

// OfMask is a mask as a matrix, which is 1 where a cell is in it.
func OfMask(m *matrix.Mask) *matrix.CSR[float32] {
	return &matrix.CSR[float32]{Rows: m.Rows, Cols: m.Cols, RowPtr: m.RowPtr, ColIdx: m.ColIdx, Val: Ones[float32](m.Len())}
}

// Ones gives n ones.
func Ones[F matrix.Float](n int) []F {
	w := make([]F, n)
	for i := range w {
		w[i] = 1
	}
	return w
}
