package start

import "github.com/partsof/nmf/internal/kernel"

// Memory estimates the most bytes that an SVD-based init holds beside X: a
// basis on either side of X with another that is being orthonormalised, or the
// singular vectors, the sketch and the factors.
func Memory[F kernel.Float](rows, cols, k int) float64 {
	wide := kernel.Pad[F](min(k+oversampling, rows, cols))
	return 2 * float64(rows+cols) * float64(wide+kernel.Pad[F](k)) * float64(64/kernel.Width[F]())
}
