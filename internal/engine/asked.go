package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/penalty"
	"github.com/partsof/nmf/internal/solver"
)

// problem prepares a slot's half-step for a factor of which something is
// asked: g is the Gram matrix of the other factor, from the iterate that it
// starts from. It is nil where nothing is asked.
func (f *fitter[F]) problem(asked *penalty.Factor, g *solver.Gram[F], from *Tall[F], s *slot[F]) *solver.Problem[F] {
	if asked.None() {
		return nil
	}
	return solver.NewProblem(f.cfg.Solver, g, asked, penalty.At(asked, from.Data[s.off:], from.Ld, from.Rows, s.k), from.Rows)
}

// measure adds what the worker's tile, whose first row is `first`, contributes
// to the KKT residual of a factor of which something is asked. It returns the
// part of the loss that depends on the factor, doubled, without penalties.
func (ws *worker[F]) measure(p *solver.Problem[F], g *solver.Gram[F], first int, whole bool, sums gradientSums) (dot float64) {
	clear(ws.unused)
	ws.tile.Gradient(g)
	dot = ws.tile.Residual(ws.unused, sums.cc)
	if !whole {
		p.Gradient(ws.tile, first)
		p.Residual(ws.tile, first, sums.pg)
	}
	return dot
}

// measureColumns finds the loss and the KKT residual of the H that a pass has
// made, of which something is asked. Where all of H is one problem it is made
// here first, from the H that the pass started from.
func (f *fitter[F]) measureColumns() bool {
	st, whole := f.stack, f.cfg.PenaltyH.Whole()
	from, to := f.x.grid.ownColumns(f.x.Cols)
	n := tiles[F](to - from)
	for _, s := range f.slots {
		if whole && !sparsify(f.pool, s.problemH, st.hOut, st.q, s.off, s.k, sparsifyRounds(f.cfg.PenaltyH), s.columnTile.each[0].pg) {
			return false
		}
		if f.cfg.PenaltyH.Coupled() {
			s.problemH = f.problem(f.cfg.PenaltyH, s.s, st.hOut, s)
		}
	}
	return f.pool.run(n*len(f.slots), func(wi, t int) {
		s, i := f.slots[t/n], t%n
		a := from + i*f.tile
		b := min(a+f.tile, to)
		at := a*st.h.Ld + s.off
		ws := &f.workers[wi]
		ws.tile.Load(b-a, s.k, st.hOut.Data[at:], st.hOut.Ld, st.q.Data[at:], st.q.Ld)
		s.columnTile.dot[i] = ws.measure(s.problemH, s.s, a, whole, s.columnTile.each[i])
	})
}

// sparsify solves for a factor whose components have a given sparseness over
// all rows (Hoyer 2004), one component after the other, each exactly, `rounds`
// times: the k columns of t from off hold the iterate on entry, cross their
// cross products. What each component would move from the iterate, in units of
// the gradient, is added to pg; with no rounds that is all.
func sparsify[F kernel.Float](pool *pool, p *solver.Problem[F], t, cross *Tall[F], off, k, rounds int, pg []float64) bool {
	const rows = 256
	v, parts := make([]float64, t.Rows), (t.Rows+rows-1)/rows
	for round := range max(1, rounds) {
		for j := range k {
			ok := pool.run(parts, func(_, part int) {
				for i := part * rows; i < min((part+1)*rows, t.Rows); i++ {
					v[i] = p.Target(i, j, columns(t, i, off, k), columns(cross, i, off, k))
				}
			})
			if !ok {
				return false
			}
			p.ToSparseness(v)
			for i, to := range v {
				at := &t.Data[i*t.Ld+off+j]
				if round == 0 {
					d := p.Curvature(j) * (to - float64(*at))
					pg[j] += d * d
				}
				if rounds > 0 {
					*at = F(to)
				}
			}
		}
	}
	return true
}

// sparsifyRounds is how often a half-step goes through the components. The
// majorizer of a Laplacian holds for the first of them only.
func sparsifyRounds(asked *penalty.Factor) int {
	if asked.Laplacian != nil {
		return 1
	}
	return 3
}

// asks reports whether more is asked of a factor than that it is not negative.
func (c *Config) asks() bool { return !c.PenaltyW.None() || !c.PenaltyH.None() }

// penalties is what the objective adds to the loss for a pair in k columns from
// off.
func (f *fitter[F]) penalties(w, h *Tall[F], off, k int) float64 {
	ofW := penalty.Value(f.cfg.PenaltyW, w.Data[off:], w.Ld, w.Rows, k)
	if f.cfg.PenaltyW.Penalized() {
		ofW = f.x.grid.total(ofW)
	}
	return ofW + penalty.Value(f.cfg.PenaltyH, h.Data[off:], h.Ld, h.Rows, k)
}
