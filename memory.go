package nmf

import (
	"cmp"
	"fmt"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

// Memory estimates how many bytes Fit holds at most, X included, from X's
// shape and options alone: stored is the number of cells that a sparse X
// stores. What the garbage collector has not yet taken back comes on top.
//
// Errors are those of Fit for k and the options; ErrMemory where
// Options.Memory is less than a single run takes.
func Memory[F matrix.Float](rows, columns, stored int, sparse bool, k int, o *Options) (bytes float64, err error) {
	opt, err := o.resolve(rows, columns, k)
	if err != nil {
		return 0, err
	}
	return needed[F](engine.Size{Rows: rows, Cols: columns, Stored: stored, Sparse: sparse}, k, opt)
}

// MemoryOf is Memory for a matrix that is there: of a *matrix.Streamed the
// blocks count that are in memory.
func MemoryOf[F matrix.Float](x matrix.Matrix[F], k int, o *Options) (bytes float64, err error) {
	rows, columns := x.Dims()
	opt, err := o.resolve(rows, columns, k)
	if err != nil {
		return 0, err
	}
	return needed[F](sizeOf(x), k, opt)
}

func needed[F matrix.Float](size engine.Size, k int, opt Options) (bytes float64, err error) {
	if !opt.plain() {
		return cellsMemory[F](size, k, &opt)
	}
	opt.decideCompression(size, k)
	side, err := sideBySide[F](size, k, &opt)
	if err != nil {
		return 0, err
	}
	return memory[F](size, k, side, &opt), nil
}

// memory is the estimate with `side` runs at a time.
func memory[F matrix.Float](size engine.Size, k, side int, opt *Options) float64 {
	element := 64 / kernel.Width[F]()
	kept := min(opt.Runs, 2)
	if opt.Compression == on {
		// The runs on the sketch are all kept: they are starts.
		kept = opt.Runs
	}
	most := engine.Memory[F](size, k, side, kept, opt.Threads, !opt.NoExtrapolation)
	// What is known of every run.
	most += float64(opt.Runs) * runBytes
	if opt.Compression == on {
		most += float64(size.Rows+size.Cols) * float64(kernel.Pad[F](k+sketchExtra)*element)
	}
	most += weighedBytes(size, element, opt)
	if opt.Init != "random" && opt.Init != "given" {
		most = max(most, size.Bytes(element)+start.Memory[F](size.Rows, size.Cols, k))
	}
	return most
}

// weighedBytes is what X takes once more where it is fitted times the roots of
// weights.
func weighedBytes(size engine.Size, element int, o *Options) float64 {
	if !o.takesOut() || size.Streamed {
		return 0
	}
	return float64(size.Stored) * float64(element)
}

// Memory estimates how many bytes the model and its Transform or Score of new data
// hold at most, the data included, from the shape of that alone: stored is the
// number of cells that sparse data store.
func (m *Model[F]) Memory(rows, columns, stored int, sparse bool, o *TransformOptions) float64 {
	return m.projectMemory(engine.Size{Rows: rows, Cols: columns, Stored: stored, Sparse: sparse}, o)
}

// MemoryOf is Memory for data that are there: of those that are read block by block
// the blocks count that are in memory.
func (m *Model[F]) MemoryOf(x matrix.Matrix[F], o *TransformOptions) float64 {
	return m.projectMemory(sizeOf(x), o)
}

func (m *Model[F]) projectMemory(size engine.Size, o *TransformOptions) float64 {
	like := m.ofNewData(cmp.Or(o, &TransformOptions{}))
	element := float64(64 / kernel.Width[F]())
	bytes := float64(len(m.W.Data)+len(m.H.Data))*element + engine.ProjectMemory[F](size, m.K(), like.Threads, !like.plain(), like.Weights != nil, like.hides(), size.Sparse && like.listed())
	bytes += weighedBytes(size, int(element), like)
	dense := float64(size.Rows) * float64(size.Cols) * element
	if like.Weights != nil && !size.Streamed {
		bytes += dense
	}
	if !size.Sparse && !size.Streamed && like.hides() {
		bytes += dense // a copy without what is missing
	}
	return bytes
}

// cellsMemory is the estimate where cells are weighted or missing, or the loss
// is another than Frobenius. Runs are not made side by side there, so that
// nothing makes it less.
func cellsMemory[F matrix.Float](size engine.Size, k int, opt *Options) (float64, error) {
	need := engine.CellsMemory[F](size, k, opt.Runs, opt.Threads, opt.Weights != nil, opt.hides(), size.Sparse && opt.listed())
	need += float64(opt.Runs) * runBytes
	if opt.Memory > 0 && need > float64(opt.Memory) {
		return 0, fmt.Errorf("%w: the fit takes about %.0f bytes, and %d are allowed; take a smaller k", ErrMemory, need, opt.Memory)
	}
	return need, nil
}

// runBytes is what a run leaves when its factors and its trace are dropped.
const runBytes = 400

// sideBySide is the largest number of runs at a time that Options.Memory
// allows.
func sideBySide[F matrix.Float](size engine.Size, k int, opt *Options) (int, error) {
	side := engine.SideBySide[F](size, k, opt.Runs)
	if opt.Memory == 0 {
		return side, nil
	}
	for ; side > 1 && memory[F](size, k, side, opt) > float64(opt.Memory); side-- {
	}
	if need := memory[F](size, k, side, opt); need > float64(opt.Memory) {
		return 0, fmt.Errorf("%w: the fit takes about %.0f bytes, and %d are allowed; take a smaller k, fewer runs, no extrapolation or no compression",
			ErrMemory, need, opt.Memory)
	}
	return side, nil
}

// SIMD is the tier of the kernels that this processor runs: "avx512", "avx2"
// or "go".
func SIMD() string { return kernel.For[float32]().Tier }
