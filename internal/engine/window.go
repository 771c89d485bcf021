package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// window is the part of a side of X that is in memory, where X is read block by
// block: lines from base on. All that is done over lines goes through the blocks
// in order, within each as over an X in memory.
type window[F kernel.Float] struct {
	step   int
	sparse *ahead[matrix.CSR[F]]
	dense  *ahead[[]F]
	// lines is the dense block that dense holds.
	lines *matrix.Dense[F]
	// stored is the number of cells that a sparse X stores.
	stored int
}

// newSparseWindow makes a window on the blocks of a sparse X.
func newSparseWindow[F kernel.Float](lines, stored int, b matrix.Blocks[F]) *window[F] {
	a := sparseAhead(lines, b)
	return &window[F]{step: b.Step, sparse: &a, stored: stored}
}

// newDenseWindow makes a window on dense lines of the given length.
func newDenseWindow[F kernel.Float](lines, length int, read func(first int, dst []F) error) *window[F] {
	step := min(windowLines[F](length), max(1, lines))
	a := newAhead(lines, step, denseReader(length, read))
	return &window[F]{step: step, dense: &a, lines: &matrix.Dense[F]{Cols: length, Stride: length}}
}

// windowLines is the number of dense lines that are read at a time: whole tiles.
func windowLines[F kernel.Float](length int) int {
	t := kernel.TileRows[F]()
	return max(t, blockBytes/max(1, 64/kernel.Width[F]()*length)/t*t)
}

func (w *window[F]) hold(first int) bool {
	if w.sparse != nil {
		return w.sparse.hold(first)
	}
	ok := w.dense.hold(first)
	w.lines.Data, w.lines.Rows = w.dense.held, w.dense.n
	return ok
}

func (w *window[F]) base() int {
	if w.sparse != nil {
		return w.sparse.base
	}
	return w.dense.base
}

func (w *window[F]) failure() error {
	if w.sparse != nil {
		return w.sparse.err
	}
	return w.dense.err
}

func (w *window[F]) settle() {
	if w.sparse != nil {
		w.sparse.settle()
	} else {
		w.dense.settle()
	}
}

// at is where line i of the side is in what is in memory.
func (s *side[F]) at(i int) int {
	if s.window == nil {
		return i
	}
	return i - s.window.base()
}

// holdLine brings the block of line i into memory.
func (s *side[F]) holdLine(i int) bool {
	return s.window == nil || s.window.hold(i/s.window.step*s.window.step)
}

// blocks calls do for the lines a to b of every block in order, with them in
// memory; it reports false where do does, or where reading failed.
func (s *side[F]) blocks(do func(a, b int) bool) bool {
	if s.window == nil {
		return do(0, s.rows)
	}
	for a := 0; a < s.rows; a += s.window.step {
		if !s.window.hold(a) || !do(a, min(a+s.window.step, s.rows)) {
			return false
		}
	}
	return true
}

// nnz is the number of cells of a list.
func (s *side[F]) nnz() int {
	if s.window != nil {
		return s.window.stored
	}
	return s.list.NNZ()
}

// stream makes the sides of an X that is read block by block.
func (c *Cells[F]) stream(x matrix.Matrix[F], listed bool) {
	switch x := x.(type) {
	case *matrix.Streamed[F]:
		c.left.window = newDenseWindow(x.Rows, x.Cols, x.Read)
		c.right.window = newDenseWindow(x.Cols, x.Rows, x.ReadColumns)
		c.left.dense, c.right.dense = c.left.window.lines, c.right.window.lines
		c.right.turned = false
	case *matrix.StreamedCSR[F]:
		c.left.window = newSparseWindow(x.Rows, x.Stored, x.ByRows)
		c.right.window = newSparseWindow(x.Cols, x.Stored, x.ByColumns)
		for _, s := range []*side[F]{c.left, c.right} {
			if held := &s.window.sparse.held; listed {
				s.list = held
			} else {
				s.sparse = held
			}
		}
	}
}

// Failure is why X could not be read, nil where it could.
func (c *Cells[F]) Failure() error {
	for _, s := range []*side[F]{c.left, c.right} {
		if s.window != nil && s.window.failure() != nil {
			return s.window.failure()
		}
	}
	return nil
}

// Close ends reading from X, where that goes on beside the half-steps.
func (c *Cells[F]) Close() {
	for _, s := range []*side[F]{c.left, c.right} {
		if s.window != nil {
			s.window.settle()
		}
	}
}

// streamedMeans are the means of the columns of the right side of a dense X
// that is read block by block, added up as those of one in memory are: row by
// row of X.
func (c *Cells[F]) streamedMeans(sum []float64) {
	c.left.blocks(func(a, b int) bool {
		for i := a; i < b; i++ {
			_, sum[i], _, _ = c.ops.Scan(c.left.dense.Row(c.left.at(i)))
		}
		return true
	})
}

// every gives the rows i, i+step, i+2·step, … of a sparse X that is read block
// by block, for `lots` numbers i from first on, and false where reading failed.
func (s *side[F]) every(first, lots, step int) ([]*matrix.CSR[F], bool) {
	parts := make([]*matrix.CSR[F], lots)
	for p := range parts {
		parts[p] = &matrix.CSR[F]{Cols: s.others, RowPtr: []int{0}}
	}
	ok := s.blocks(func(a, b int) bool {
		for i := a; i < b; i++ {
			if p := i%step - first; p >= 0 && p < lots {
				cols, vals := s.list.Row(s.at(i))
				part := parts[p]
				part.ColIdx, part.Val = append(part.ColIdx, cols...), append(part.Val, vals...)
				part.RowPtr = append(part.RowPtr, len(part.Val))
				part.Rows++
			}
		}
		return true
	})
	return parts, ok
}
