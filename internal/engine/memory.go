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
func (s Size) Bytes(element int) float64 {
	if !s.Sparse {
		return float64(s.Rows) * float64(s.Cols) * float64(element)
	}
	const index, pointer = 4, 8
	return 2*float64(s.Stored)*float64(element+index) + float64(s.Rows+s.Cols+2)*pointer
}

// SideBySide is the number of runs of rank k that Minimize iterates at a time
// unless Config.SideBySide says less.
func SideBySide[F kernel.Float](s Size, k, runs int) int {
	return min(runs, max(1, stackWidth[F](s.Cols)/k))
}

// Memory estimates the most bytes that Minimize holds at a time for runs of
// one rank, `side` of them side by side, X included: their stack, the pairs
// that are kept (of all runs, or of the best alone), and one pair more with
// its cross product for the final half-step.
func Memory[F kernel.Float](s Size, k, side, kept int, extrapolate bool) float64 {
	element := 64 / kernel.Width[F]()
	width := kernel.Pad[F](side * k)
	stackRows := 2*s.Rows + 3*s.Cols
	if extrapolate {
		stackRows += s.Rows + s.Cols
	}
	padded := float64(kernel.Pad[F](k))
	pairs := float64(kept+1) * float64(s.Rows+s.Cols) * padded
	cells := float64(stackRows)*float64(width) + pairs + float64(s.Cols)*padded
	return s.Bytes(element) + cells*float64(element)
}
