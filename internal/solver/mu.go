package solver

import "github.com/partsof/nmf/internal/kernel"

// mu is the multiplicative update w ← w ∘ c / (w G) (Lee & Seung 2001),
// repeated as often as sweeps says. A zero would stay zero for ever, also
// where the gradient wants it to grow: such an entry is first lifted to a
// small number (as Lin 2007 does), so that a limit point is stationary.
type mu[F kernel.Float] struct{}

func (mu[F]) Update(g *Gram[F], t *Tile[F], sweeps int) {
	rows := kernel.TileRows[F]()
	n := t.K * rows
	w, c, d := t.W[:n], t.C[:n], t.D[:n]
	for range sweeps {
		clear(d)
		t.mulGram(g, d)
		for j := range t.K {
			// Lifting by a tiny part of the entry's own unconstrained
			// solution c/G[j,j] keeps the step independent of the scale of X.
			tiny := muLift * g.inv[j]
			for i := j * rows; i < (j+1)*rows; i++ {
				switch {
				case w[i] > 0 && d[i] > 0:
					w[i] *= c[i] / d[i]
				case c[i] > d[i]:
					w[i] = c[i] * tiny
				}
			}
		}
	}
}

const muLift = 1e-4
