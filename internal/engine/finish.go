package engine

import (
	"github.com/partsof/nmf/internal/solver"
)

// finish ends the iterations of a run with its accepted pair, which waits for its
// final half-step.
func (f *fitter[F]) finish(s *slot[F], status Status) bool {
	r := s.run
	w, h := f.leave(s)
	if f.cfg.Unfinished {
		r.W, r.H, r.Loss, r.Status = w, h, s.loss, status
		if n := len(r.Trace); n > 0 {
			r.RelativeError = r.Trace[n-1].RelativeError
		}
		f.handOver(s)
		return true
	}
	if !f.cfg.asks() {
		s.balancePair(f.x.grid, w, h, f.pool.workers)
	}
	if s.run.reached(f.cfg.TargetError) {
		return f.measure(s, w, h)
	}
	s.ending, s.w, s.h = status, w, h
	f.ended = append(f.ended, s)
	return true
}

// leave takes the accepted pair of a run that has ended out of the stack.
func (f *fitter[F]) leave(s *slot[F]) (w, h *Tall[F]) {
	if len(f.slots) == 1 && f.stack.w.K == s.k && f.keep == nil && !f.stack.tiled {
		return f.stack.giveUp()
	}
	return f.take(s)
}

// measure ends a run that was to reach an error and no more: H is not where it
// belongs, and W need not be. The pass has told all of the pair but the residual of
// its W.
func (f *fitter[F]) measure(s *slot[F], w, h *Tall[F]) bool {
	p, ok := f.x.project(f.pool, w, h, f.cfg.PenaltyW, nil, measureOnly, false)
	if !ok {
		s.ending, s.w, s.h = Converged, w, h
		f.ended = append(f.ended, s)
		return false
	}
	r := s.run
	s.g = p.gramH
	f.complete(s, p.after)
	asked := f.penalties(w, h, 0, s.k)
	h = f.tidy(w, h, func(j int) float64 { return s.normW[j] }, s.g.Diag)
	s.loss += f.penalties(w, h, 0, s.k) - asked
	bw, bh := balance(s.normW, s.g.Diag)
	r.W, r.H, r.Loss, r.RelativeError, r.Status = w, h, s.loss, r.Trace[len(r.Trace)-1].RelativeError, Converged
	r.KKTW, r.KKTH = p.after.residual(bw), s.columns.residual(bh)
	r.KKT = max(r.KKTW, r.KKTH)
	f.handOver(s)
	return true
}

// handOver is called when a run has ended.
func (f *fitter[F]) handOver(s *slot[F]) {
	if f.cfg.BestOnly {
		keepBest(f.runs)
	}
	if r := s.run; f.done != nil {
		f.done(s.index, r)
		f.spare = append(f.spare, r.W, r.H)
		r.W, r.H = nil, nil
	}
}

// take copies the accepted pair of a slot.
func (f *fitter[F]) take(s *slot[F]) (w, h *Tall[F]) {
	if s.pending == rejected {
		f.catchUp(s)
	}
	w, h = f.factor(f.x.Rows, s.k), f.factor(f.x.Cols, s.k)
	copyAll(f.pool.workers, []columnCopy[F]{{w, 0, f.stack.w, s.off, s.k}, {h, 0, f.stack.h, s.off, s.k}})
	return w, h
}

// finals makes the final half-steps of the runs that wait for them, where they
// are half as wide as the stack, or at once, and gives the runs that go on. When
// each is made changes no run.
func (f *fitter[F]) finals(atOnce bool) (on []*slot[F], ok bool) {
	width := 0
	for _, s := range f.ended {
		width += s.k
	}
	most := f.stack.w.K
	if len(f.ended) == 0 || 2*width < most && !atOnce {
		return nil, true
	}
	for len(f.ended) > 0 {
		n := 1
		for width := f.ended[0].k; n < len(f.ended) && width+f.ended[n].k <= most; n++ {
			width += f.ended[n].k
		}
		group := f.ended[:n]
		projections, ok := f.project(group)
		for i, s := range group {
			if !ok || !f.conclude(s, projections[i]) {
				f.ended = append(f.ended, on...)
				return nil, false
			}
			if s.run.Status == "" {
				on = append(on, s)
			}
		}
		f.ended = f.ended[n:]
	}
	return on, true
}

// concludeKept makes the final half-steps at once where states are kept: those
// know runs that are under way and runs that are done.
func (f *fitter[F]) concludeKept() bool {
	if f.keep == nil {
		return true
	}
	on, ok := f.finals(true)
	for _, s := range on {
		copyAll(f.pool.workers, f.stack.putting(s.off, stacked[F]{w: s.w, h: s.h}))
		s.w, s.h = nil, nil
	}
	return ok
}

// project makes the final half-steps of runs: where nothing is asked of the
// factors, and X is whole here with both products made block by block, all in one
// pass.
func (f *fitter[F]) project(group []*slot[F]) ([]*projection[F], bool) {
	switch f.x.operand.(type) {
	case *denseOperand[F], *streamOperand[F], *sparseOperand[F]:
		if len(group) > 1 && !f.cfg.asks() && f.x.grid == nil {
			return f.projectTogether(group)
		}
	}
	all := make([]*projection[F], len(group))
	for i, s := range group {
		var ok bool
		s.solved = s.w.Clone()
		if all[i], ok = f.x.project(f.pool, s.solved, s.h, f.cfg.PenaltyW, f.cfg.PenaltyH, f.cfg.RowTol, true); !ok {
			return nil, false
		}
	}
	return all, true
}

// projectTogether does for pairs side by side what Data.project does for each,
// to the bit.
func (f *fitter[F]) projectTogether(group []*slot[F]) ([]*projection[F], bool) {
	width, maxK := 0, 0
	offs := make([]int, len(group))
	for i, s := range group {
		offs[i] = width
		width += s.k
		maxK = max(maxK, s.k)
	}
	d, p := f.x, f.pool
	w, h := &f.finalW, &f.finalH
	w.reshape(d.Rows, width)
	h.reshape(d.Cols, width)
	all := make([]*projection[F], len(group))
	var in, out []columnCopy[F]
	for i, s := range group {
		s.solved = f.factor(d.Rows, s.k)
		in = append(in, columnCopy[F]{w, offs[i], s.w, 0, s.k}, columnCopy[F]{h, offs[i], s.h, 0, s.k})
		out = append(out, columnCopy[F]{s.solved, 0, w, offs[i], s.k})
	}
	copyAll(p.workers, in)
	for i, s := range group {
		all[i] = &projection[F]{gramH: solver.NewGram[F](s.k), gramW: solver.NewGram[F](s.k),
			before: newGradientSums(s.k), after: newGradientSums(s.k), columns: newGradientSums(s.k)}
		if !gramOf(p, d.ops, all[i].gramH, h, offs[i], 0, h.Rows) {
			return nil, false
		}
	}
	if !d.beforeLeft(p, h) {
		return nil, false
	}
	// The product of each column of a sparse X is made at once, where it is used.
	_, byTile := d.operand.(*sparseOperand[F])
	var q *Tall[F]
	if !byTile {
		q = NewTall[F](d.Cols, width)
	}
	ws := newWorkers(d.ops, p.workers, maxK, width)
	before, after := make([]tileSums, len(group)), make([]tileSums, len(group))
	for r0 := 0; r0 < d.Rows; r0 += d.block {
		r1 := min(r0+d.block, d.Rows)
		if !d.hold(p, r0, r1) {
			return nil, false
		}
		n := tiles[F](r1 - r0)
		for i, s := range group {
			before[i].reset(n, s.k)
			after[i].reset(n, s.k)
		}
		ok := p.run(n, func(wi, tile int) {
			t := ws[wi].tile
			a := r0 + tile*f.tile
			b := min(a+f.tile, r1)
			cross := ws[wi].c[:(b-a)*h.Ld]
			clear(cross)
			d.left(a, b, 0, h.Ld, h, cross, h.Ld)
			for i, s := range group {
				at := a*w.Ld + offs[i]
				t.Load(b-a, s.k, w.Data[at:], w.Ld, cross[offs[i]:], h.Ld)
				t.Gradient(all[i].gramH)
				t.Residual(before[i].each[tile].pg, before[i].each[tile].cc)
				solver.Solve(all[i].gramH, t, f.cfg.RowTol)
				t.Residual(after[i].each[tile].pg, after[i].each[tile].cc)
				t.Store(w.Data[at:], w.Ld)
			}
		})
		if !ok {
			return nil, false
		}
		for i, r := range all {
			before[i].addTo(r.before)
			after[i].addTo(r.after)
			if !gramOf(p, d.ops, r.gramW, w, offs[i], r0, r1) {
				return nil, false
			}
		}
		if q != nil && !d.crossBlock(p, w, q, r0, r1) {
			return nil, false
		}
	}
	copyAll(p.workers, out)
	n := tiles[F](d.Cols)
	columns := make([]tileSums, len(group))
	for i, s := range group {
		columns[i].reset(n, s.k)
	}
	each := 1
	if byTile {
		if !d.beforeRight(p, w, 0, d.Rows) {
			return nil, false
		}
		each = d.columnTiles(n, p.workers)
	}
	ok := p.run((n+each-1)/each, func(wi, task int) {
		t := ws[wi].tile
		first, end := task*each*f.tile, min((task+1)*each*f.tile, d.Cols)
		cross := d.columnRows(&ws[wi], q, w, first, end)
		for a := first; a < end; a += f.tile {
			tile, b := a/f.tile, min(a+f.tile, end)
			for i, s := range group {
				sums := &columns[i]
				t.Load(b-a, s.k, h.Data[a*h.Ld+offs[i]:], h.Ld, cross[(a-first)*h.Ld+offs[i]:], h.Ld)
				t.Gradient(all[i].gramW)
				sums.dot[tile] = t.Residual(sums.each[tile].pg, sums.each[tile].cc)
			}
		}
	})
	for i, r := range all {
		r.dot = columns[i].addTo(r.columns)
	}
	return all, ok
}

// tidy clears the halves of components whose other half is zero, where something is
// asked of the factors: they do nothing but cost their penalty. An h that changes is
// a copy.
func (f *fitter[F]) tidy(w, h *Tall[F], normW, normH func(j int) float64) *Tall[F] {
	if !f.cfg.asks() {
		return h
	}
	h = h.Clone()
	if !f.cfg.PenaltyH.FixesScale() {
		h.clearColumns(func(j int) bool { return normW(j) == 0 })
	}
	if !f.cfg.PenaltyW.FixesScale() {
		w.clearColumns(func(j int) bool { return normH(j) == 0 })
	}
	return h
}

// conclude ends a run with what its final half-step, to tolerance, for the H of its
// accepted pair has shown. A run that was thought to have converged and is found
// not to goes on with that W and a smaller tolerance.
func (f *fitter[F]) conclude(s *slot[F], p *projection[F]) bool {
	r, w, h, status := s.run, s.solved, s.h, s.ending
	s.g = p.gramH
	f.complete(s, p.before)
	h = f.tidy(w, h, p.gramW.Diag, p.gramH.Diag)
	fit, ok := f.loss(w, h, 0, s.k, p.dot)
	if !ok {
		return false
	}
	loss := fit + f.penalties(w, h, 0, s.k)
	for j := range s.normW {
		s.normW[j] = p.gramW.Diag(j)
	}
	bw, bh := balance(s.normW, p.gramH.Diag)
	r.W, r.H, r.Loss, r.RelativeError = w, h, loss, f.relative(fit)
	r.KKTW, r.KKTH = p.after.residual(bw), p.columns.residual(bh)
	r.KKT = max(r.KKTW, r.KKTH)
	f.spare = append(f.spare, s.w)
	byTarget := f.close(r.RelativeError)
	if f.cfg.goesOn(status, r.KKT, s.tol, r.Iterations, byTarget) {
		s.tol /= 2
		s.loss, s.columns = min(s.loss, loss), p.columns
		s.ending, s.pending, s.w, s.h, s.solved, r.W, r.H = "", upToDate, w, h, nil, nil, nil
		return true
	}
	r.Status = f.cfg.endOf(status, r.KKT, r.Iterations, byTarget)
	s.w, s.h, s.solved = nil, nil, nil
	f.handOver(s)
	return true
}
