package engine

import (
	"github.com/partsof/nmf/internal/kernel"
)

// Size is the size of an X, for estimates.
type Size struct {
	Rows, Cols int
	// Stored is the number of cells that a sparse X stores.
	Stored int
	Sparse bool
}

// Bytes is what X takes as the passes need it: a sparse X and its transposed
// copy.
func (s Size) Bytes(element int) int {
	if !s.Sparse {
		return s.Rows * s.Cols * element
	}
	const index, pointer = 4, 8
	return 2*s.Stored*(element+index) + (s.Rows+s.Cols+2)*pointer
}

// Memory estimates the most bytes that Minimize holds at a time for runs of
// one rank, X included: the stack of the runs side by side, the results of all
// runs, and one pair more with its cross product for the final half-step.
func Memory[F kernel.Float](s Size, k, runs int, extrapolate bool) int {
	element := 64 / kernel.Width[F]()
	side := min(runs, max(1, stackWidth[F](s.Cols)/k))
	width := kernel.Pad[F](side * k)
	stackRows := 2*s.Rows + 3*s.Cols
	if extrapolate {
		stackRows += s.Rows + s.Cols
	}
	pair := (s.Rows + s.Cols) * kernel.Pad[F](k)
	cells := stackRows*width + (runs+1)*pair + s.Cols*kernel.Pad[F](k)
	return s.Bytes(element) + cells*element
}
