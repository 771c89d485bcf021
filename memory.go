package nmf

import (
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

// Memory estimates how many bytes Fit holds at most, X included, from X's
// shape and options alone: stored is the number of cells that a sparse X
// stores. What the garbage collector has not yet taken back comes on top.
func Memory[F matrix.Float](rows, columns, stored int, sparse bool, k int, o *Options) (int, error) {
	opt, err := o.resolve(rows, columns, k)
	if err != nil {
		return 0, err
	}
	size := engine.Size{Rows: rows, Cols: columns, Stored: stored, Sparse: sparse}
	element := 64 / kernel.Width[F]()
	most := engine.Memory[F](size, k, opt.Runs, !opt.NoExtrapolation)
	if !sparse && opt.Compression != off {
		// The sketch, and what the runs on it leave.
		most += (rows + columns) * (kernel.Pad[F](k+sketchExtra) + opt.Runs*kernel.Pad[F](k)) * element
	}
	if opt.Init != "random" && opt.Init != "given" {
		most = max(most, size.Bytes(element)+start.Memory[F](rows, columns, k))
	}
	return most, nil
}

// SIMD is the tier of the kernels that this processor runs: "avx512", "avx2"
// or "go".
func SIMD() string { return kernel.For[float32]().Tier }
