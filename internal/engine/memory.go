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
	// Streamed says that X is not in memory but for the blocks that a pass is
	// at; Blocks is the number of cells in the largest one of rows and in the
	// largest one of columns of a streamed sparse X.
	Streamed bool
	Blocks   int
}

// Bytes is what X takes as the passes need it: a sparse X and its transposed
// copy, which a fit that is soon done may not make, of a streamed X two blocks.
func (s Size) Bytes(element int) float64 {
	const index, pointer = 4, 8
	switch {
	case s.Streamed && s.Sparse:
		return 2 * float64(s.Blocks) * float64(element+index)
	case s.Streamed:
		rows := denseBlock[float32](s.Cols)
		if element == 8 {
			rows = denseBlock[float64](s.Cols)
		}
		return 2 * float64(min(rows, s.Rows)) * float64(s.Cols) * float64(element)
	}
	if !s.Sparse {
		return float64(s.Rows) * float64(s.Cols) * float64(element)
	}
	return 2*float64(s.Stored)*float64(element+index) + float64(s.Rows+s.Cols+2)*pointer
}

// SideBySide is the number of runs of rank k that Minimize iterates at a time
// unless Config.SideBySide says less.
func SideBySide[F kernel.Float](s Size, k, runs int) int {
	width := stackWidth[F](s.Cols, s.Sparse && !s.Streamed)
	if s.Streamed {
		width = max(width, streamWidth(s.Rows, s.Cols))
	}
	return min(runs, max(1, width/k))
}

// Memory estimates the most bytes that Minimize holds at a time for runs of
// one rank, `side` of them side by side, X included: their stack, the pairs
// that are kept (of all runs, or of the best alone), one pair more with its
// cross product for the final half-step, the Gram matrices, the sums of the
// tiles, the scratch of every worker, what an H in tiles needs, and the rows that
// runs begin with.
func Memory[F kernel.Float](s Size, k, side, kept, workers int, extrapolate bool) float64 {
	element := 64 / kernel.Width[F]()
	width := kernel.Pad[F](side * k)
	stackRows := 2*s.Rows + 3*s.Cols
	if extrapolate {
		stackRows += s.Rows + s.Cols
	}
	padded := float64(kernel.Pad[F](k))
	if side > 1 {
		kept = max(kept, side+side/2)
		stackRows += s.Rows + 2*s.Cols
	}
	pairs := float64(kept+1) * float64(s.Rows+s.Cols) * padded
	cells := float64(stackRows)*float64(width) + pairs + float64(s.Cols)*padded
	gram := float64(k) * padded
	cells += float64(2*side+2) * gram
	perWorker := 256 * float64(4*k+width)
	if !s.Sparse && !s.Streamed && inTiles[F](s.Rows, s.Cols) {
		// A copy of X, and for each panel of it its part of the products and sums.
		panels := float64((s.Cols + panelCols - 1) / panelCols)
		cells += panels*panelCols*float64(s.Rows) + (panels+1)*(float64(s.Rows*width)+float64(side)*gram)
		perWorker += 256*float64(4*k) + float64(panelCols*width*element)
	}
	if s.Sparse && !s.Streamed {
		// In iterations, and again for the final half-step.
		columns := max(min(columnsTogether, s.Cols), stripeOf(s.Rows, s.Cols, s.Stored, workers))
		perWorker += 2 * float64(columns*width*element)
	}
	const number = 8
	sums := float64(side+1) * float64(tiles[F](s.Rows)+tiles[F](s.Cols)) * float64(2*k*number)
	// A tile has four times 256 bytes a component; pivoting has G, a factor of it, and
	// four vectors for each of up to 64 rows, in float64.
	scratch := float64(workers) * (perWorker + number*(2*float64(k)*float64(k)+4*64*float64(k)))
	return s.Bytes(element) + cells*float64(element) + sums + scratch + firstBytes(s, k, side, kernel.Pad[F](k), element)
}

// CellsMemory estimates the most bytes that Alternate holds at a time for runs
// of one rank, X included: what the cells are held in (weights, and a copy of a
// dense X whose missing cells are cleared), the eight factors of each run that
// is iterated, what a half-step makes of the fixed factor, the panels of cells of
// which some are missing, the pair that is kept, the sums of the tiles, and the panels and lines of every worker.
func CellsMemory[F kernel.Float](s Size, k, runs, workers int, weighted, missing, listed bool) float64 {
	element := float64(64 / kernel.Width[F]())
	bytes := s.Bytes(int(element))
	switch {
	case s.Streamed && s.Sparse:
		bytes *= blocksOf(weighted, missing)
	case s.Streamed:
		// Its rows and its columns.
		bytes = windowBytes[F](s.Rows, s.Cols, weighted, missing) + windowBytes[F](s.Cols, s.Rows, weighted, missing)
	case s.Sparse && weighted && listed:
		bytes += 2 * float64(s.Stored) * element
	case weighted:
		bytes += float64(s.Rows) * float64(s.Cols) * element
	}
	if !s.Sparse && !s.Streamed && missing {
		bytes += float64(s.Rows) * float64(s.Cols) * element
		for _, side := range [][2]int{{s.Rows, s.Cols}, {s.Cols, s.Rows}} {
			if panels := float64(tiles[F](side[0])*kernel.TileRows[F]()) * float64(side[1]) * element; !weighted && panels <= maskedPanels {
				bytes += panels
			}
		}
	}
	atOnce := 1
	if max(tiles[F](s.Rows), tiles[F](s.Cols)) < 2*workers {
		atOnce = min(runs, workers)
	}
	longer, padded := float64(max(s.Rows, s.Cols)), float64(kernel.Pad[F](k))
	factors := float64(5*atOnce+1) * float64(s.Rows+s.Cols) * padded
	factors += 2 * float64(atOnce) * longer * padded
	const number = 8
	sums := float64(atOnce) * float64(max(tiles[F](s.Rows), tiles[F](s.Cols))) * float64(2*k*number)
	return bytes + factors*element + sums + float64(workers)*scratchBytes[F](k, longer, !listed)
}

// windowBytes is what is in memory of dense lines that are read block by block: two
// windows.
func windowBytes[F kernel.Float](lines, length int, weighted, missing bool) float64 {
	step := windowLines[F](length)
	if weighted || missing {
		step = ObservedStep[F](length)
	}
	return 2 * float64(64/kernel.Width[F]()) * float64(min(step, lines)*length) * blocksOf(weighted, missing)
}

// blocksOf is how many blocks are in memory for each that a window holds: what is
// missing takes as much as the cells at most, and blocks that are sorted are read to
// another place.
func blocksOf(weighted, missing bool) float64 {
	n := 1.0
	if weighted || missing {
		n++
	}
	if weighted {
		n++
	}
	if missing {
		n++
	}
	return n
}

// scratchBytes is what a worker takes that updates rows of k components; panels says
// that it forms WH in panels, of lines of so many cells.
func scratchBytes[F kernel.Float](k int, line float64, panels bool) float64 {
	const number = 8
	element, tile := float64(64/kernel.Width[F]()), float64(kernel.TileRows[F]())
	scratch := 16*float64(k)*tile + 3*tile*float64(kernel.Pad[F](k)) + number*float64(k)*float64(k)
	if panels {
		kept := line * tile
		if kept*element > panelKept {
			kept = panelRows * tile
		}
		scratch += 2*kept + 4*panelRows*tile + 2*lineGroup*line
	}
	return scratch * element
}

// ProjectMemory estimates the most bytes that Project holds at a time, X included:
// w twice, the fixed factor and what is made of it, the sums of the tiles, and the
// scratch of every worker; cells says that it is Cells that do it, listed that they
// visit the stored cells alone, weighted and missing that single cells are.
func ProjectMemory[F kernel.Float](s Size, k, workers int, cells, weighted, missing, listed bool) float64 {
	element := float64(64 / kernel.Width[F]())
	bytes := s.Bytes(int(element))
	switch {
	case s.Streamed && s.Sparse:
		bytes *= blocksOf(weighted, missing)
	case s.Streamed && cells:
		bytes = windowBytes[F](s.Rows, s.Cols, weighted, missing)
	}
	padded := float64(kernel.Pad[F](k))
	factors := 2*float64(s.Rows)*padded + 4*float64(s.Cols)*padded
	const number = 8
	sums := float64(tiles[F](s.Rows)) * float64(4*k*number)
	return bytes + factors*element + sums + float64(workers)*scratchBytes[F](k, float64(s.Cols), cells && !listed)
}
