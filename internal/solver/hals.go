package solver

import "github.com/partsof/nmf/internal/kernel"

// hals is hierarchical alternating least squares: cyclic coordinate descent
// over the components (Cichocki & Phan 2009), repeated while a sweep still
// moves W by more than a tenth of what the first one did (Gillis & Glineur
// 2012, Algorithm 4).
type hals[F kernel.Float] struct{}

// sweepStop is the square of Gillis & Glineur's epsilon.
const sweepStop = 0.1 * 0.1

func (hals[F]) Update(g *Gram[F], t *Tile[F], sweeps int) {
	first := t.ops.Sweep(t.K, t.W, t.C, g.G, g.Ld, g.inv)
	for s := 1; s < sweeps; s++ {
		if t.ops.Sweep(t.K, t.W, t.C, g.G, g.Ld, g.inv) <= sweepStop*first {
			return
		}
	}
}
