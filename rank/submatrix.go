package rank

import (
	"fmt"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/lines"
	"github.com/partsof/nmf/matrix"
)

// inMemory reports whether samples, blocks and cells of X can be drawn anew
// again and again: whether it is not read block by block.
func inMemory(x any) bool {
	switch x.(type) {
	case *matrix.Streamed[float32], *matrix.Streamed[float64], *matrix.StreamedCSR[float32], *matrix.StreamedCSR[float64]:
		return false
	}
	return true
}

// partRows is how many rows of n cells are read at a time of a dense matrix that is
// read block by block.
func partRows(n int) int {
	const cells = 1 << 20
	return max(1, cells/max(1, n))
}

// eachPart reads an x that is read block by block, and calls do for its rows from
// `first` on, some at a time, with options whose mask and weights are of those rows
// and in memory.
func eachPart[F matrix.Float](x matrix.Matrix[F], o *nmf.Options, do func(first int, part matrix.Matrix[F], of *nmf.Options) error) error {
	m, n := x.Dims()
	step := partRows(n)
	switch x := x.(type) {
	case *matrix.StreamedCSR[F]:
		step = x.ByRows.Step
	case *matrix.Streamed[F]:
		if x.Read == nil {
			return fmt.Errorf("%w: nothing can be read from a %T", nmf.ErrShape, x)
		}
	}
	read := lines.NewReader[F](x, false)
	masks, weights := lines.NewReader[F](o.MaskOf, false), lines.NewReader[float64](o.Weights, false)
	if o.Mask != nil {
		masks = lines.NewReader[F](lines.OfMask(o.Mask), false)
	}
	var parts lines.Space[F]
	var weighted lines.Space[float64]
	for first := 0; first < m; first += step {
		rows := min(step, m-first)
		part, err := read.Read(first, rows, &parts)
		if err != nil {
			return err
		}
		of := *o
		of.Mask, of.MaskOf, of.Weights = nil, nil, nil
		if masks != nil {
			if of.Mask, err = masks.Nonzeros(first, rows); err != nil {
				return err
			}
		}
		if weights != nil {
			w, err := weights.Read(first, rows, &weighted)
			if err != nil {
				return err
			}
			of.Weights = w.(nmf.Weights)
		}
		if err := do(first, part, &of); err != nil {
			return err
		}
	}
	return nil
}

// hold puts a mask and weights into memory that are read block by block beside an X
// in memory.
func hold(fit *nmf.Options) error {
	if fit.MaskOf != nil {
		m, _ := fit.MaskOf.Dims()
		mask, err := lines.NewReader[float64](fit.MaskOf, false).Nonzeros(0, m)
		if err != nil {
			return err
		}
		fit.Mask, fit.MaskOf = mask, nil
	}
	if fit.Weights != nil && !inMemory(fit.Weights) {
		m, _ := fit.Weights.Dims()
		w, err := lines.NewReader[float64](fit.Weights, false).Read(0, m, new(lines.Space[float64]))
		if err != nil {
			return err
		}
		fit.Weights = w.(nmf.Weights)
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
