package matrix

import (
	"fmt"
	"slices"
)

// Mask is a set of cells of a Rows x Cols matrix: those of row i are
// ColIdx[RowPtr[i]:RowPtr[i+1]], rising strictly.
type Mask struct {
	Rows, Cols int
	RowPtr     []int
	ColIdx     []int32
}

// NewMask makes the set of cells (rows[p], cols[p]), counted from 0 and in any
// order. A cell that is named twice is in it once.
func NewMask(m, n int, rows, cols []int32) (*Mask, error) {
	s, _, err := FromTriplets(m, n, rows, cols, make([]float32, len(rows)))
	if err != nil {
		return nil, err
	}
	return &Mask{Rows: m, Cols: n, RowPtr: s.RowPtr, ColIdx: s.ColIdx}, nil
}

// Dims gives the number of rows and columns.
func (m *Mask) Dims() (rows, cols int) { return m.Rows, m.Cols }

// Len is the number of cells.
func (m *Mask) Len() int { return len(m.ColIdx) }

// Row gives the columns of row i that are in the set, sharing memory.
func (m *Mask) Row(i int) []int32 { return m.ColIdx[m.RowPtr[i]:m.RowPtr[i+1]:m.RowPtr[i+1]] }

// Has reports whether cell (i, j) is in the set.
func (m *Mask) Has(i, j int) bool {
	_, found := slices.BinarySearch(m.Row(i), int32(j))
	return found
}

// Check reports the first violation of what a Mask must be.
func (m *Mask) Check() error {
	pattern := CSR[float32]{Rows: m.Rows, Cols: m.Cols, RowPtr: m.RowPtr, ColIdx: m.ColIdx, Val: make([]float32, len(m.ColIdx))}
	if err := pattern.Check(); err != nil {
		return fmt.Errorf("mask: %w", err)
	}
	return nil
}
