package solver

import "github.com/partsof/nmf/internal/kernel"

// mu is the multiplicative update w ← w ∘ c / (w G) (Lee & Seung 2001),
// repeated as often as sweeps says. A zero would stay zero for ever, also
// where the gradient wants it to grow, and a limit point need not be
// stationary (Lin 2007). Such an entry takes a small part of its coordinate
// descent step, and the rest of its row that much less of its own step: the
// result is a convex combination of points none of which is worse than w, so
// that the objective cannot rise. An entry below LeastEntry becomes zero.
type mu[F kernel.Float] struct{}

func (mu[F]) Update(g *Gram[F], t *Tile[F], sweeps int) {
	rows := kernel.TileRows[F]()
	n := t.K * rows
	w, c, d := t.W[:n], t.C[:n], t.D[:n]
	part := F(min(muLift, 0.5/float64(t.K)))
	least := LeastEntry[F]()
	var lifted [64]F
	for range sweeps {
		clear(d)
		t.mulGram(g, d)
		clear(lifted[:])
		for i, v := range w {
			if v == 0 && c[i] > d[i] {
				lifted[i%rows] += part
			}
		}
		for j, inv := range g.inv {
			if inv == 0 {
				continue
			}
			for i := j * rows; i < (j+1)*rows; i++ {
				switch {
				case w[i] > 0 && d[i] > 0:
					// w/d is at most 1/G[j,j], where c/d could overflow. A
					// compressed X can give a negative c: the best w is then 0.
					stay := lifted[i-j*rows]
					w[i] = stay*w[i] + (1-stay)*(w[i]/d[i]*max(0, c[i]))
					if w[i] < least {
						w[i] = 0
					}
				case c[i] > d[i]:
					w[i] = part * inv * (c[i] - d[i])
				}
			}
		}
	}
}

// LeastEntry is the least entry that a multiplicative update leaves above zero.
// Entries that should be zero shrink for ever, and arithmetic on numbers too small
// to have all their digits is many times slower.
func LeastEntry[F kernel.Float]() F {
	least := 0x1p-960
	if kernel.Width[F]() == 16 {
		least = 0x1p-100
	}
	return F(least)
}

// muLift is the part of a coordinate descent step that lifts a zero.
const muLift = 1e-4
