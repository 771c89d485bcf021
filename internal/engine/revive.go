package engine

import (
	"math/rand/v2"

	"github.com/partsof/nmf/internal/kernel"
)

// maxRevivals bounds how often one component of a run is started again.
const maxRevivals = 3

// repair brings factors whose norms have drifted apart back together, and
// starts components anew that have become zero in W or in H. H_j
// becomes the positive part of the residual of a badly fitted sample and W_j
// becomes zero, so that WH, and with it the loss, stays what it is; the W
// half-step that follows can then only gain. Penalties are not indifferent to
// either, and make components zero on purpose: with them both are left out.
func (f *fitter[F]) repair() bool {
	for _, s := range f.slots {
		if s.run.Trace == nil || f.cfg.asks() {
			continue // S is not known yet; the first pass fills W.
		}
		scaled, changed := f.rebalance(s), false
		for j := range s.k {
			switch {
			case s.normW[j] > 0 && s.g.Diag(j) > 0:
			case s.normW[j] > 0 && f.overshot(s, j):
				changed = true
			case s.revivals[j] < maxRevivals:
				s.revivals[j]++
				changed = f.revive(s, j) || changed
			}
		}
		if changed {
			f.stack.settle(s.off, s.k)
		}
		if !changed && !scaled {
			continue
		}
		if f.panels != nil {
			if !f.lookAhead() {
				return false
			}
			continue
		}
		clear(s.g.G)
		from, to := f.x.grid.ownColumns(f.x.Cols)
		if ok := gramOf(f.pool, f.x.ops, s.g, f.stack.ahead(), s.off, from, to); !sumGrams(f.x.grid, ok, s.g) {
			return false
		}
		s.g.Ready()
	}
	return true
}

// overshot reports whether it is only the extrapolation that made the H_j
// that the next W is made for zero: the plain one is not. It is then used
// instead.
func (f *fitter[F]) overshot(s *slot[F], j int) bool {
	if f.stack.hAhead == nil {
		return false
	}
	found := false
	for i := range f.x.Cols {
		found = found || f.stack.h.Data[f.stack.h.at(i, s.off+j)] > 0
	}
	return !f.x.grid.agree(!found)
}

// revive gives component j of a slot the residual of the worst fitted of some
// rows that are drawn by the seed; it reports whether there was anything left
// to fit.
func (f *fitter[F]) revive(s *slot[F], j int) bool {
	const draws = 8
	rng := rand.New(rand.NewPCG(f.cfg.seed(s.index), uint64(j)<<20^uint64(s.run.Iterations)))
	var rows [draws]int
	var residuals [draws][]float64
	norms := make([]float64, draws)
	for d := range draws {
		rows[d] = rng.IntN(f.x.AllRows())
		if i, ok := f.x.holds(rows[d]); ok {
			residuals[d] = f.positiveResidual(s, i)
			for _, v := range residuals[d] {
				norms[d] += v * v
			}
		}
	}
	f.x.grid.sumAll(norms)
	// Rounding is not worth a component.
	worst, bestNorm := -1, 1e-9*f.x.SumSq/float64(f.x.AllRows())
	for d, norm := range norms {
		if norm > bestNorm {
			worst, bestNorm = d, norm
		}
	}
	if worst < 0 {
		return false
	}
	best := f.x.grid.fromRow(rows[worst], residuals[worst], f.x.Cols)
	s.run.Revived++
	st := f.stack
	for i, v := range best {
		st.h.Data[st.h.at(i, s.off+j)] = F(v)
	}
	for i := range f.x.Rows {
		st.w.Data[i*st.w.Ld+s.off+j] = 0
	}
	s.normW[j] = 0
	return true
}

// positiveResidual is max(0, x_i − w_i H) of one row for the accepted pair.
func (f *fitter[F]) positiveResidual(s *slot[F], i int) []float64 {
	r := make([]float64, f.x.Cols)
	f.x.row(i, r)
	h, w := f.stack.h, columns(f.stack.w, i, s.off, s.k)
	// Where many components are to be revived, few have a part in W.
	var there []int
	for l, v := range w {
		if v != 0 {
			there = append(there, l)
		}
	}
	for j := range r {
		for _, l := range there {
			r[j] -= float64(h.Data[h.at(j, s.off+l)]) * float64(w[l])
		}
		r[j] = max(0, r[j])
	}
	return r
}

// columns gives k columns from off of row i.
func columns[F kernel.Float](t *Tall[F], i, off, k int) []F {
	return t.Data[i*t.Ld+off : i*t.Ld+off+k]
}
