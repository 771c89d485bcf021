package matrix

import (
	"fmt"
	"slices"

	"github.com/partsof/nmf/internal/pages"
)

// FromTriplets builds a CSR matrix from cells in any order: cell p is
// (rows[p], cols[p]) = vals[p], counted from 0. Cells given more than once are
// summed; repeats is how many were. The slices are not kept.
func FromTriplets[F Float](m, n int, rows, cols []int32, vals []F) (s *CSR[F], repeats int, err error) {
	if m < 0 || n < 0 || m > MaxDim || n > MaxDim {
		return nil, 0, fmt.Errorf("%w: %d x %d is beyond %d rows or columns", ErrShape, m, n, MaxDim)
	}
	if len(rows) != len(vals) || len(cols) != len(vals) {
		return nil, 0, fmt.Errorf("%w: %d rows, %d columns, %d values", ErrShape, len(rows), len(cols), len(vals))
	}
	s = &CSR[F]{Rows: m, Cols: n, RowPtr: make([]int, m+1), ColIdx: pages.Make[int32](len(vals)), Val: pages.Make[F](len(vals))}
	for p, i := range rows {
		if i < 0 || int(i) >= m || cols[p] < 0 || int(cols[p]) >= n {
			return nil, 0, fmt.Errorf("%w: cell (%d, %d) in a %d x %d matrix", ErrShape, i+1, cols[p]+1, m, n)
		}
		s.RowPtr[i+1]++
	}
	for i := range m {
		s.RowPtr[i+1] += s.RowPtr[i]
	}
	next := append([]int(nil), s.RowPtr[:m]...)
	for p, i := range rows {
		q := next[i]
		next[i]++
		s.ColIdx[q], s.Val[q] = cols[p], vals[p]
	}
	repeats = s.sortRows()
	return s, repeats, nil
}

// sortRows sorts every row by column, keeping the given order of equal
// columns, sums those, and gives the number of cells that were merged away.
func (s *CSR[F]) sortRows() (merged int) {
	// A key is a column and, below it, the cell's place within its row: sorting
	// whole numbers is several times faster than sorting cells stably.
	var keys []uint64
	var vals []F
	out, start := 0, 0
	for i := range s.Rows {
		end := s.RowPtr[i+1]
		strictly := true
		for p := start + 1; p < end; p++ {
			if s.ColIdx[p] <= s.ColIdx[p-1] {
				strictly = false
				break
			}
		}
		if strictly {
			copy(s.ColIdx[out:], s.ColIdx[start:end])
			copy(s.Val[out:], s.Val[start:end])
			out += end - start
		} else {
			keys, vals = keys[:0], append(vals[:0], s.Val[start:end]...)
			for p, c := range s.ColIdx[start:end] {
				keys = append(keys, uint64(c)<<32|uint64(p))
			}
			slices.Sort(keys)
			first := out
			for _, key := range keys {
				c, v := int32(key>>32), vals[uint32(key)]
				if out > first && s.ColIdx[out-1] == c {
					s.Val[out-1] += v
					merged++
					continue
				}
				s.ColIdx[out], s.Val[out] = c, v
				out++
			}
		}
		start = end
		s.RowPtr[i+1] = out
	}
	s.ColIdx, s.Val = s.ColIdx[:out:out], s.Val[:out:out]
	return merged
}
