package solver

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/penalty"
)

// onSimplex solves rows that must sum to one: exact steps that move mass from
// the entry with the largest gradient to the one with the smallest, until all
// entries above zero have nearly the same. Every step lowers the objective
// (sequential minimal optimization, Platt 1998, for this constraint). With a
// tol of 0 it stops where rounding does.
func (p *Problem[F]) onSimplex(t *Tile[F], first int, tol float64) {
	k, stride := t.K, kernel.TileRows[F]()
	upper := math.Inf(1)
	if p.asked.Upper != 0 {
		upper = p.asked.Upper
	}
	w, g, free := make([]float64, k), make([]float64, k), make([]bool, k)
	for i := range t.Rows {
		size := 0.0
		for j := range k {
			w[j], free[j] = float64(t.W[j*stride+i]), !p.held(first+i, j)
			size += float64(t.C[j*stride+i]) * float64(t.C[j*stride+i])
		}
		penalty.OntoSimplex(w, free, upper)
		for j := range k {
			g[j] = -float64(t.C[j*stride+i])
			for l, v := range w {
				g[j] += float64(p.g.G[j*p.g.Ld+l]) * v
			}
		}
		least := math.Sqrt(size) * max(tol/math.Sqrt(float64(k)), 4*kernel.Epsilon[F]()) / 2
		p.exchange(w, g, free, upper, least)
		for j, v := range w {
			t.W[j*stride+i] = F(v)
		}
	}
}

// exchange moves mass between entries of w until their gradients g differ by
// at most least.
func (p *Problem[F]) exchange(w, g []float64, free []bool, upper, least float64) {
	k := len(w)
	for range 100 * k {
		to, from := -1, -1
		for j := range k {
			if free[j] && w[j] < upper && (to < 0 || g[j] < g[to]) {
				to = j
			}
			if free[j] && w[j] > 0 && (from < 0 || g[j] > g[from]) {
				from = j
			}
		}
		if to < 0 || from < 0 || g[from]-g[to] <= least {
			return
		}
		row := func(j int) []F { return p.g.G[j*p.g.Ld : j*p.g.Ld+k] }
		up, down := row(to), row(from)
		step := min(w[from], upper-w[to])
		if curvature := float64(up[to]) + float64(down[from]) - 2*float64(up[from]); curvature > 0 {
			step = min(step, (g[from]-g[to])/curvature)
		}
		w[to] += step
		w[from] = max(0, w[from]-step)
		for j := range k {
			g[j] += step * (float64(up[j]) - float64(down[j]))
		}
	}
}
