package rank

import (
	"fmt"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// eachBlock reads an x that is not in memory, and calls fn for its stored values
// in order.
func eachBlock[F matrix.Float](x matrix.Matrix[F], fn func(values []F)) error {
	const bytes = 4 << 20
	if s, sparse := x.(*matrix.StreamedCSR[F]); sparse {
		var block matrix.CSR[F]
		for i := 0; i < s.Rows; i += s.ByRows.Step {
			if err := s.ByRows.Read(i, &block); err != nil {
				return err
			}
			fn(block.Val)
		}
		return nil
	}
	s, ok := x.(*matrix.Streamed[F])
	if !ok || s.Read == nil {
		return fmt.Errorf("%w: nothing can be read from a %T", nmf.ErrShape, x)
	}
	rows := min(s.Rows, max(1, bytes/max(1, s.Cols)))
	block := make([]F, rows*s.Cols)
	for i := 0; i < s.Rows; i += rows {
		part := block[:min(rows, s.Rows-i)*s.Cols]
		if err := s.Read(i, part); err != nil {
			return err
		}
		fn(part)
	}
	return nil
}

// takeRows gives the matrix whose row i is row rows[i] of x.
func takeRows[F matrix.Float](x matrix.Matrix[F], rows []int) matrix.Matrix[F] {
	switch x := x.(type) {
	case *matrix.CSR[F]:
		out := &matrix.CSR[F]{Rows: len(rows), Cols: x.Cols, RowPtr: make([]int, 1, len(rows)+1)}
		for _, i := range rows {
			cols, vals := x.Row(i)
			out.ColIdx, out.Val = append(out.ColIdx, cols...), append(out.Val, vals...)
			out.RowPtr = append(out.RowPtr, len(out.Val))
		}
		return out
	case *matrix.Dense[F]:
		out := matrix.NewDense[F](len(rows), x.Cols)
		for to, i := range rows {
			copy(out.Row(to), x.Row(i))
		}
		return out
	}
	panic("rank: unknown kind of matrix")
}

// takeBlock gives the rows and columns of x that are listed; columns rise.
func takeBlock[F matrix.Float](x matrix.Matrix[F], rows, columns []int) matrix.Matrix[F] {
	switch x := x.(type) {
	case *matrix.CSR[F]:
		place := make([]int32, x.Cols)
		for j := range place {
			place[j] = -1
		}
		for to, j := range columns {
			place[j] = int32(to)
		}
		out := &matrix.CSR[F]{Rows: len(rows), Cols: len(columns), RowPtr: make([]int, 1, len(rows)+1)}
		for _, i := range rows {
			cols, vals := x.Row(i)
			for p, j := range cols {
				if to := place[j]; to >= 0 {
					out.ColIdx, out.Val = append(out.ColIdx, to), append(out.Val, vals[p])
				}
			}
			out.RowPtr = append(out.RowPtr, len(out.Val))
		}
		return out
	case *matrix.Dense[F]:
		out := matrix.NewDense[F](len(rows), len(columns))
		for to, i := range rows {
			row, from := out.Row(to), x.Row(i)
			for c, j := range columns {
				row[c] = from[j]
			}
		}
		return out
	}
	panic("rank: unknown kind of matrix")
}

// takeMaskRows gives the mask whose row i is row rows[i] of m.
func takeMaskRows(m *matrix.Mask, rows []int) *matrix.Mask {
	out := &matrix.Mask{Rows: len(rows), Cols: m.Cols, RowPtr: make([]int, 1, len(rows)+1)}
	for _, i := range rows {
		out.ColIdx = append(out.ColIdx, m.Row(i)...)
		out.RowPtr = append(out.RowPtr, len(out.ColIdx))
	}
	return out
}

// at gives cell (i, j) of either kind.
func at[F matrix.Float](x matrix.Matrix[F], i, j int) float64 {
	switch x := x.(type) {
	case *matrix.CSR[F]:
		cols, vals := x.Row(i)
		lo, hi := 0, len(cols)
		for lo < hi {
			mid := (lo + hi) / 2
			if cols[mid] < int32(j) {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo < len(cols) && cols[lo] == int32(j) {
			return float64(vals[lo])
		}
		return 0
	case *matrix.Dense[F]:
		return float64(x.At(i, j))
	}
	panic("rank: unknown kind of matrix")
}

// storedRow gives the values that row i stores.
func storedRow[F matrix.Float](x matrix.Matrix[F], i int) []F {
	switch x := x.(type) {
	case *matrix.CSR[F]:
		_, vals := x.Row(i)
		return vals
	case *matrix.Dense[F]:
		return x.Row(i)
	}
	panic("rank: unknown kind of matrix")
}
