package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// window is the part of a side of X that is in memory, where X is read block by
// block: lines from base on. All that is done over lines goes through the blocks
// in order, within each as over an X in memory.
type window[F kernel.Float] struct {
	step     int
	sparse   *ahead[matrix.CSR[F]]
	dense    *ahead[[]F]
	observed *ahead[ObservedLines[F]]
	// lines is the block that dense or observed hold.
	lines ObservedLines[F]
	// weights says that its listed cells have weights of their own.
	weights bool
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
	return &window[F]{step: step, dense: &a, lines: ObservedLines[F]{Dense: &matrix.Dense[F]{Cols: length, Stride: length}}}
}

// newObservedWindow makes a window on blocks whose cells are missing or weighted, for
// lines that are dense or not.
func newObservedWindow[F kernel.Float](lines, length, stored int, dense bool, b *ObservedBlocks[F]) *window[F] {
	a := newAhead(lines, b.Step, b.Read)
	w := &window[F]{step: b.Step, observed: &a, stored: stored, weights: b.CellWeights}
	if dense {
		w.lines.Dense = &matrix.Dense[F]{Cols: length, Stride: length}
	} else {
		w.lines.Sparse = new(matrix.CSR[F])
	}
	if b.Missing {
		w.lines.Missing = new(matrix.Mask)
	}
	if b.Weights {
		w.lines.Weights = new(matrix.Dense[F])
	}
	return w
}

// weighsCells reports whether the cells that the blocks list have weights of their own.
func (w *window[F]) weighsCells() bool { return w != nil && w.weights }

// windowLines is the number of dense lines that are read at a time: whole tiles.
func windowLines[F kernel.Float](length int) int { return tilesIn[F](blockBytes, length) }

// ObservedStep is the same where there is more to read and to hold for each line.
func ObservedStep[F kernel.Float](length int) int { return tilesIn[F](blockBytes/4, length) }

// tilesIn is the number of lines in whole tiles, one at least, that take so many bytes.
func tilesIn[F kernel.Float](bytes, length int) int {
	t := kernel.TileRows[F]()
	return max(t, bytes/max(1, 64/kernel.Width[F]()*length)/t*t)
}

func (w *window[F]) hold(first int) bool {
	switch {
	case w.sparse != nil:
		return w.sparse.hold(first)
	case w.observed != nil:
		if !w.observed.hold(first) {
			return false
		}
		// What sides point to stays where it is.
		held := &w.observed.held
		if w.lines.Dense != nil {
			*w.lines.Dense = *held.Dense
		} else {
			*w.lines.Sparse = *held.Sparse
		}
		if w.lines.Missing != nil {
			*w.lines.Missing = *held.Missing
		}
		if w.lines.Weights != nil {
			*w.lines.Weights = *held.Weights
		}
		w.lines.CellWeights = held.CellWeights
		return true
	}
	ok := w.dense.hold(first)
	w.lines.Dense.Data, w.lines.Dense.Rows = w.dense.held, w.dense.n
	return ok
}

func (w *window[F]) base() int {
	switch {
	case w.sparse != nil:
		return w.sparse.base
	case w.observed != nil:
		return w.observed.base
	}
	return w.dense.base
}

func (w *window[F]) failure() error {
	switch {
	case w.sparse != nil:
		return w.sparse.err
	case w.observed != nil:
		return w.observed.err
	}
	return w.dense.err
}

func (w *window[F]) settle() {
	switch {
	case w.sparse != nil:
		w.sparse.settle()
	case w.observed != nil:
		w.observed.settle()
	default:
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
func (c *Cells[F]) stream(x matrix.Matrix[F], o Observed[F]) {
	listed := o.Listed
	switch x := x.(type) {
	case *matrix.Streamed[F]:
		if o.ByRows == nil {
			c.left.window = newDenseWindow(x.Rows, x.Cols, x.Read)
			c.right.window = newDenseWindow(x.Cols, x.Rows, x.ReadColumns)
		} else {
			c.left.window = newObservedWindow(x.Rows, x.Cols, 0, true, o.ByRows)
			c.right.window = newObservedWindow(x.Cols, x.Rows, 0, true, o.ByColumns)
		}
		c.left.dense, c.right.dense = c.left.window.lines.Dense, c.right.window.lines.Dense
		c.right.turned = false
	case *matrix.StreamedCSR[F]:
		held := func(w *window[F]) *matrix.CSR[F] { return &w.sparse.held }
		if o.ByRows == nil {
			c.left.window = newSparseWindow(x.Rows, x.Stored, x.ByRows)
			c.right.window = newSparseWindow(x.Cols, x.Stored, x.ByColumns)
		} else {
			c.left.window = newObservedWindow(x.Rows, x.Cols, x.Stored, false, o.ByRows)
			c.right.window = newObservedWindow(x.Cols, x.Rows, x.Stored, false, o.ByColumns)
			held = func(w *window[F]) *matrix.CSR[F] { return w.lines.Sparse }
		}
		for _, s := range []*side[F]{c.left, c.right} {
			if listed {
				s.list = held(s.window)
			} else {
				s.sparse = held(s.window)
			}
		}
	}
	for _, s := range []*side[F]{c.left, c.right} {
		s.missing, s.weights = s.window.lines.Missing, s.window.lines.Weights
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
