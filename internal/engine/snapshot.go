package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/partsof/nmf/internal/kernel"
)

// Snapshot is the state of Minimize or Alternate between two iterations:
// everything that decides how they go on, so that what is made from there has
// the bits of a call that was never stopped. A run that is not in Runs has not
// started.
//
// Its matrices are whole, W m x k and H n x k, whatever way they are divided or
// laid out while they are iterated.
type Snapshot[F kernel.Float] struct {
	// Runs are in the order of their indices.
	Runs []RunState[F]
}

// RunState is the state of a run.
type RunState[F kernel.Float] struct {
	Index int
	// Run is what is known of the run. Of one that has ended (its Status is not
	// empty) nothing else counts, and its factors are nil where they are not
	// kept. Of one that is under way W and H are the accepted pair.
	Run Run[F]
	// Loss is that of the accepted pair, penalties included; +Inf before there
	// is one.
	Loss float64
	// WPlain and HPlain are what the next factors are extrapolated from, WAhead
	// and HAhead what has been extrapolated. Minimize has WPlain and HAhead where
	// it extrapolates, Alternate has all of them always.
	WPlain, HPlain, WAhead, HAhead *Tall[F]
	Momentum                       Momentum
	// Tol is the KKT residual that the run ends at.
	Tol float64
	// Revivals counts how often each component was started again.
	Revivals []int
	// Gradient and Cross are the sums over the rows of H of the squares of its
	// projected gradient and of its cross products, for each component; NormW the
	// squared norms of the columns of the accepted W. Alternate has no NormW.
	Gradient, Cross, NormW []float64
	// Plain asks for a step that cannot raise the loss, MadePlain says that the
	// pair was made by one, Searches counts the coming steps that search.
	// Alternate alone has them.
	Plain, MadePlain bool
	Searches         int
}

// Momentum is the state of the extrapolation of a run.
type Momentum struct {
	Next, Last, Ceiling float64
	RejectedInARow      int
}

// Keeper keeps the state of a call of MinimizeKept or AlternateKept. When it is
// there, cancelling the context ends the call after the iteration under way, for
// in the middle of one there is no state to go on from.
type Keeper[F kernel.Float] struct {
	// Resume is the state to go on from, nil to begin. It must come from a call
	// with the same data, ranks, starts and Config, but for Workers, SideBySide,
	// Start and OnIteration.
	Resume *Snapshot[F]
	// Due is asked after every iteration whether to save. No result depends on
	// when it says so.
	Due func() bool
	// Save is given the state when it is due, and at the end of a call that is
	// cancelled, where anything was done. Its matrices are those that the call
	// works on: they hold until Save returns. One goroutine at a time calls Due
	// and Save.
	Save func(*Snapshot[F])
}

// work is the context of a call's passes.
func (k *Keeper[F]) work(ctx context.Context) context.Context {
	if k == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// resumed gives the states of the runs to go on with, by index, and forgets them
// itself: their factors are large.
func (k *Keeper[F]) resumed() map[int]*RunState[F] {
	states := map[int]*RunState[F]{}
	if k != nil && k.Resume != nil {
		for _, s := range k.Resume.Runs {
			states[s.Index] = &s
		}
		k.Resume = nil
	}
	return states
}

// ended reports whether the run of a state was done.
func (s *RunState[F]) ended() bool { return s != nil && s.Run.Status != "" }

// run gives what is known of a run under way, without its factors.
func (s *RunState[F]) run() *Run[F] {
	r := s.Run
	r.W, r.H = nil, nil
	r.Trace = slices.Clone(r.Trace)
	return &r
}

func sortRuns[F kernel.Float](runs []RunState[F]) *Snapshot[F] {
	slices.SortFunc(runs, func(a, b RunState[F]) int { return cmp.Compare(a.Index, b.Index) })
	return &Snapshot[F]{Runs: runs}
}

func (m *momentum) state() Momentum { return Momentum{m.next, m.last, m.ceiling, m.rejectedInARow} }

func (m *momentum) restore(s Momentum) {
	m.next, m.last, m.ceiling, m.rejectedInARow = s.Next, s.Last, s.Ceiling, s.RejectedInARow
}

// view is k columns of t from off, in its memory unless that is in tiles; that of a nil factor is nil.
func (t *Tall[F]) view(off, k int) *Tall[F] {
	switch {
	case t == nil:
		return nil
	case t.tiled:
		c := NewTall[F](t.Rows, k)
		c.copyColumns(0, t, off, k)
		return c
	}
	return &Tall[F]{Rows: t.Rows, K: k, Ld: t.Ld, Data: t.Data[off:]}
}

// whole copies a factor of any layout, nil for nil.
func (t *Tall[F]) whole() *Tall[F] {
	if t == nil {
		return nil
	}
	c := NewTall[F](t.Rows, t.K)
	c.copyColumns(0, t, 0, t.K)
	return c
}

// takeUp takes over the runs that have ended, and lines up the others.
func (f *fitter[F]) takeUp() {
	var fresh []int
	for i := range f.ranks {
		switch state := f.resumed[i]; {
		case state.ended():
			f.runs[i] = &state.Run
			delete(f.resumed, i)
		case state != nil:
			f.waiting = append(f.waiting, i)
		default:
			fresh = append(fresh, i)
		}
	}
	f.waiting = append(f.waiting, fresh...)
}

// restored makes the slot of a run under way and the pair to put into the stack.
func (f *fitter[F]) restored(state *RunState[F]) (stacked[F], *slot[F]) {
	s := f.newSlot(state.Index, state.Run.W.K)
	s.run = state.run()
	f.runs[s.index] = s.run
	s.loss, s.tol = state.Loss, state.Tol
	s.momentum.restore(state.Momentum)
	copy(s.revivals, state.Revivals)
	copy(s.normW, state.NormW)
	copy(s.columns.pg, state.Gradient)
	copy(s.columns.cc, state.Cross)
	return stacked[F]{w: state.Run.W, h: state.Run.H, wPlain: state.WPlain, hAhead: state.HAhead}, s
}

// snapshot is the state of all runs, the factors of those under way in the
// memory of the stack.
func (f *fitter[F]) snapshot() *Snapshot[F] {
	var runs []RunState[F]
	for i, r := range f.runs {
		if r != nil && r.Status != "" {
			runs = append(runs, RunState[F]{Index: i, Run: *r})
		}
	}
	for _, s := range f.slots {
		if s.run.Status != "" {
			continue
		}
		f.catchUp(s)
		state := RunState[F]{Index: s.index, Run: *s.run, Loss: s.loss, Tol: s.tol, Momentum: s.momentum.state(),
			WPlain: f.stack.wPlain.view(s.off, s.k), HAhead: f.stack.hAhead.view(s.off, s.k),
			Revivals: s.revivals, Gradient: s.columns.pg, Cross: s.columns.cc, NormW: s.normW}
		state.Run.W, state.Run.H = f.stack.w.view(s.off, s.k), f.stack.h.view(s.off, s.k)
		runs = append(runs, state)
	}
	return sortRuns(runs)
}

// Factors lists where the factors of a state are, those of W and those of H.
func (s *RunState[F]) Factors() (w, h []**Tall[F]) {
	return []**Tall[F]{&s.Run.W, &s.WPlain, &s.WAhead}, []**Tall[F]{&s.Run.H, &s.HPlain, &s.HAhead}
}

// kept saves the state where it is time to; it reports false where the call is
// to end.
func (f *fitter[F]) kept() bool {
	if f.keep == nil {
		return true
	}
	stop := !f.x.grid.agree(f.ctx.Err() == nil)
	if stop || f.keep.Due() {
		f.keep.Save(f.snapshot())
	}
	return !stop
}

// restore takes over the state of a run under way.
func (s *pair[F]) restore(state *RunState[F]) {
	s.run = state.run()
	s.wBest, s.hBest = state.Run.W, state.Run.H
	s.w, s.h, s.wPlain, s.hPlain = state.WAhead, state.HAhead, state.WPlain, state.HPlain
	s.columns = gradientSums{state.Gradient, state.Cross}
	s.total, s.tol, s.revivals = state.Loss, state.Tol, state.Revivals
	s.momentum.restore(state.Momentum)
	s.plain, s.madePlain, s.searches = state.Plain, state.MadePlain, state.Searches
}

// enter is the beginning of a run: it takes up the state that there is, and
// reports whether there is one. A run that was done has its Status.
func (s *pair[F]) enter() (resumed bool) {
	if done := s.runs[s.index]; done != nil {
		s.run = done
		return true
	}
	s.running++
	state := s.states[s.index]
	if state == nil {
		return false
	}
	if s.beside {
		state = state.clone() // the old one is saved until the first iteration is done
	}
	s.restore(state)
	return true
}

// state is that of the run, its factors in the memory that it works on.
func (s *pair[F]) state() *RunState[F] {
	state := &RunState[F]{Index: s.index, Run: *s.run, Loss: s.total, Tol: s.tol, Momentum: s.momentum.state(),
		WPlain: cmp.Or(s.wPlain, s.w), HPlain: cmp.Or(s.hPlain, s.h), WAhead: s.w, HAhead: s.h, Revivals: s.revivals,
		Gradient: s.columns.pg, Cross: s.columns.cc, Plain: s.plain, MadePlain: s.madePlain, Searches: s.searches}
	state.Run.W, state.Run.H = s.wBest, s.hBest
	return state
}

// clone copies what a run that goes on changes.
func (s *RunState[F]) clone() *RunState[F] {
	c := *s
	c.Run.W, c.Run.H = s.Run.W.whole(), s.Run.H.whole()
	c.WPlain, c.HPlain, c.WAhead, c.HAhead = s.WPlain.whole(), s.HPlain.whole(), s.WAhead.whole(), s.HAhead.whole()
	c.Revivals, c.Gradient, c.Cross = slices.Clone(s.Revivals), slices.Clone(s.Gradient), slices.Clone(s.Cross)
	return &c
}

// underWay is what an alternation knows of its runs for the sake of snapshots.
// Its mutex is that of the alternation.
type underWay[F kernel.Float] struct {
	keep *Keeper[F]
	// beside says that several runs are fitted at a time.
	beside bool
	// states are those of the runs under way after their last iterations,
	// running counts the runs that are being fitted, and unsaved says that states
	// have changed since they were saved.
	states  map[int]*RunState[F]
	running int
	unsaved bool
	// stopped says that the call is to end, with runs under way.
	stopped bool
}

// takeUp takes over the runs of a state: those that have ended are done.
func (a *alternation[F]) takeUp(keep *Keeper[F]) {
	a.underWay = underWay[F]{keep: keep, states: keep.resumed()}
	for i, state := range a.states {
		if state.ended() {
			a.runs[i] = &state.Run
			delete(a.states, i)
		}
	}
}

// note notes the state of the run after an iteration, and saves that of all runs
// where it is time to. Whether the call is to end is asked before the next one.
func (s *pair[F]) note() {
	if s.keep == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state()
	if s.beside {
		state = state.clone()
	}
	s.states[s.index], s.unsaved = state, true
	if s.keep.Due() {
		s.save()
	}
}

// save saves the state of all runs.
func (a *alternation[F]) save() {
	var runs []RunState[F]
	for _, state := range a.states {
		runs = append(runs, *state)
	}
	for i, r := range a.runs {
		if r != nil && a.states[i] == nil && r.Status != Cancelled {
			runs = append(runs, RunState[F]{Index: i, Run: *r})
		}
	}
	a.keep.Save(sortRuns(runs))
	a.unsaved = false
}

// leave is the end of a run: done, or stopped. The last one to stop saves the
// state of all. It reports whether the run was stopped.
func (s *pair[F]) leave() (stopped bool) {
	if s.keep == nil {
		return false
	}
	s.running--
	stopped = s.run.Status == ""
	if stopped {
		s.stopped = true
	} else {
		s.runs[s.index], s.unsaved = s.run, true
		delete(s.states, s.index)
	}
	if s.stopped && s.running == 0 && s.unsaved {
		s.save()
	}
	return stopped
}
