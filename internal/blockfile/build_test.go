package blockfile

import (
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/matrix"
)

// TestCrowded: where cells are crowded, blocks have no more of them than elsewhere,
// unless one group of lines alone has.
func TestCrowded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const lines, cell = 400 * matrix.BlockStep, 8
	for range 20 {
		counts := make([]int, lines/matrix.BlockStep)
		for g := range counts {
			counts[g] = rng.IntN(1 << 10)
			if rng.IntN(8) == 0 {
				counts[g] *= 1 << rng.IntN(9)
			}
		}
		var b Builder[float32]
		step := b.step(lines, counts)
		each := step / matrix.BlockStep
		for g := 0; each > 1 && g < len(counts); g += each {
			sum := 0
			for _, n := range counts[g:min(g+each, len(counts))] {
				sum += n
			}
			if sum*cell > sparseBlock {
				t.Fatalf("%d lines from %d have %d cells", step, g*matrix.BlockStep, sum)
			}
		}
	}
}
