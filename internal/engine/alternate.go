package engine

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/penalty"
)

// Alternate fits pairs to cells with any loss: half-steps for W and H in turn,
// each over tiles of the factor's rows and their cells. Minimize is faster where
// it is enough, the plain Frobenius loss of complete data.
//
// The loss of a pair, and the gradient of its W, are known when the next
// half-step for W begins; that of its H is taken before H's own half-step, and
// is an estimate until the end, where a pass without an update makes it exact.
// An extrapolated pair whose loss has risen is taken back: half a pass is lost.
//
// Runs are fitted one after the other, or where X is too small to occupy the
// workers, each by one of them.
func Alternate[F kernel.Float](ctx context.Context, c *Cells[F], ranks []int, start Starter[F], cfg Config) ([]*Run[F], error) {
	return AlternateKept(ctx, c, ranks, start, cfg, nil)
}

// AlternateKept is Alternate whose state is kept, unless keep is nil.
func AlternateKept[F kernel.Float](ctx context.Context, c *Cells[F], ranks []int, start Starter[F], cfg Config, keep *Keeper[F]) ([]*Run[F], error) {
	a := &alternation[F]{c: c, ctx: ctx, cfg: cfg, start: start, runs: make([]*Run[F], len(ranks))}
	if err := a.choose(); err != nil {
		return nil, err
	}
	a.takeUp(keep)
	workers := max(1, cfg.Workers)
	// Runs share what is in memory of an X that is read block by block.
	if len(ranks) == 1 || c.grid != nil || c.left.window != nil || max(tiles[F](c.Rows), tiles[F](c.Cols)) >= 2*workers || workers == 1 {
		for i := range ranks {
			if a.cancelled(ctx) {
				break
			}
			a.fit(c.grid.pool(keep.work(ctx), workers), i, cfg.OnIteration)
		}
		return a.runs, c.grid.Lost()
	}
	a.beside = true
	type event struct {
		run int
		it  Iteration
	}
	events := make(chan event)
	report := cfg.OnIteration
	if report != nil {
		report = func(run int, it Iteration) { events <- event{run, it} }
	}
	go func() {
		defer close(events)
		all := &pool{ctx: ctx, workers: workers}
		all.run(len(ranks), func(_, i int) { a.fit(&pool{ctx: keep.work(ctx), workers: 1}, i, report) })
	}()
	for e := range events {
		cfg.OnIteration(e.run, e.it)
	}
	return a.runs, nil
}

// LossSolvers lists the solvers of Alternate for a loss, the best first.
func LossSolvers(l *loss.Loss) []string {
	if l.Quadratic() {
		return []string{"hals", "bpp", "mu"}
	}
	return []string{"newton", "mu"}
}

type alternation[F kernel.Float] struct {
	c     *Cells[F]
	ctx   context.Context
	cfg   Config
	start Starter[F]

	// mu guards runs and underWay.
	mu   sync.Mutex
	runs []*Run[F]
	underWay[F]

	// update makes the half-steps, scaled says that it needs a metric; safe
	// cannot raise the loss; where scaled steps have raised it, searching takes
	// their place for a while.
	update, searching, safe func(h *halfStep[F], ws *tileScratch[F])
	scaled                  bool
	// filling, unless nil, is the update of the first iterations, which takes
	// missing cells for what the pair makes of them.
	filling func(h *halfStep[F], ws *tileScratch[F])
	// positive asks for starts without zeros, and extrapolations that make none.
	positive bool
}

// choose takes the update of the solver.
func (a *alternation[F]) choose() error {
	if !slices.Contains(LossSolvers(a.c.steps.Loss), a.cfg.Solver) {
		return fmt.Errorf("solver %q does not do this loss", a.cfg.Solver)
	}
	// From zero neither a factor nor a power of r finds back.
	a.positive = a.cfg.Solver == "mu" || !a.c.steps.Quadratic()
	switch a.cfg.Solver {
	case "mu":
		a.update = multiplicative[F](max(1, a.cfg.InnerSweeps))
	case "newton":
		a.update, a.scaled = scaledNewton[F](max(1, a.cfg.InnerSweeps), false), true
		a.searching = scaledNewton[F](max(1, a.cfg.InnerSweeps), true)
		if a.c.steps.Kind != loss.Beta {
			// Its second derivatives are in part concave.
			a.update = a.searching
		}
		if a.cfg.PenaltyW != nil && a.cfg.PenaltyW.Simplex || a.cfg.PenaltyH != nil && a.cfg.PenaltyH.Simplex {
			a.update, a.scaled = newton[F](a.cfg.RowTol, max(1, a.cfg.InnerSweeps)), false
		}
	case "bpp":
		a.update = pivoted[F](a.cfg.RowTol, max(1, a.cfg.InnerSweeps))
	default:
		a.update = newton[F](a.cfg.RowTol, max(1, a.cfg.InnerSweeps))
		if a.cfg.PenaltyW.None() && a.cfg.PenaltyH.None() && a.c.grid == nil && a.c.few() {
			a.filling = majorized[F](a.cfg.sweeps)
		}
	}
	a.safe = a.update
	if a.scaled {
		a.safe = multiplicative[F](1)
	} else {
		a.searching = a.update
	}
	return nil
}

// pace is that of the momentum.
func (a *alternation[F]) pace() pace {
	if a.cfg.Extrapolate {
		return careful
	}
	return still
}

// pair is the state of one run.
type pair[F kernel.Float] struct {
	*alternation[F]
	pool    *pool
	scratch []*tileScratch[F]
	run     *Run[F]
	index   int
	report  func(run int, it Iteration)

	// w and h are the pair that is measured next, wPlain and hPlain what it was
	// extrapolated from, nil where that is the pair itself, wBest and hBest the last
	// accepted pair.
	w, h, wPlain, hPlain, wBest, hBest *Tall[F]
	// spareW and spareH are free to be written to.
	spareW, spareH []*Tall[F]
	// normW and normH are the squared norms of the columns of w and h when an
	// iteration began.
	normW, normH []float64
	// total is the objective of the accepted pair, data its loss alone.
	total, data   float64
	rows, columns gradientSums
	momentum      momentum
	// plain asks for a step that cannot raise the loss, madePlain says that the
	// pair was made by one.
	plain, madePlain bool
	// searches is the number of coming steps that search.
	searches int
	revivals []int
	tol      float64
}

// searchedSteps is how many steps search after one that raised the loss.
const searchedSteps = 3

// fit does run i.
func (a *alternation[F]) fit(p *pool, i int, report func(int, Iteration)) {
	a.mu.Lock()
	s := &pair[F]{alternation: a, pool: p, run: &Run[F]{}, index: i, report: report, total: math.Inf(1),
		momentum: newMomentum(a.pace()), tol: a.cfg.Tol}
	resumed := s.enter()
	if s.run.Status != "" {
		a.mu.Unlock()
		return
	}
	if !resumed {
		s.w, s.h = a.start(i)
		s.revivals = make([]int, s.w.K)
	}
	a.mu.Unlock()
	for range p.workers {
		s.scratch = append(s.scratch, newTileScratch[F](s.w.K))
	}
	if resumed || s.begin() {
		for s.iterate() {
			s.note()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	stopped := s.leave()
	if s.run.Status == "" {
		s.cancel()
	}
	if s.run != nil {
		a.runs[i] = s.run
	}
	if a.cfg.BestOnly && !stopped {
		keepBest(a.runs)
	}
}

// begin makes the start one that the solver can take; it reports false when
// cancelled.
func (s *pair[F]) begin() bool {
	for _, f := range []struct {
		t     *Tall[F]
		side  Side
		asked *penalty.Factor
	}{{s.w, OfRows, s.cfg.PenaltyW}, {s.h, OfColumns, s.cfg.PenaltyH}} {
		if s.positive && (f.asked == nil || !f.asked.Simplex) {
			s.fillZeros(f.t, f.side)
		}
		restoreTall(f.asked, f.t)
	}
	var learn func() (w, h *Tall[F], ok bool)
	switch {
	case s.learnsOnline():
		learn = s.learnOnline
	case s.learnsFromSome():
		learn = s.learnFromSome
	}
	if learn == nil {
		s.fallBackOn(s.w.cloneBy(s.pool.workers), s.h.cloneBy(s.pool.workers))
		return true
	}
	before, ok := s.lossOf(s.w, s.h)
	if !ok {
		return false
	}
	w, h := s.w, s.h
	if s.w, s.h, ok = learn(); !ok {
		return false
	}
	// What was learned is taken back like a step where it is worse.
	if before-before == 0 {
		s.total = before
	}
	s.fallBackOn(w, h)
	return true
}

// fallBackOn makes a pair that which comes back where the first one is worse.
func (s *pair[F]) fallBackOn(w, h *Tall[F]) {
	s.wBest, s.hBest, s.columns = w, h, newGradientSums(s.w.K)
}

// room gives a factor like t to write to, of those that are free.
func room[F kernel.Float](spare *[]*Tall[F], t *Tall[F]) *Tall[F] {
	n := len(*spare)
	if n == 0 {
		return NewTall[F](t.Rows, t.K)
	}
	free := (*spare)[n-1]
	*spare = (*spare)[:n-1]
	return free
}

// forget makes the pair the one that it was extrapolated from.
func (s *pair[F]) forget() {
	if s.wPlain != nil {
		s.spareW = append(s.spareW, s.wPlain)
	}
	if s.hPlain != nil {
		s.spareH = append(s.spareH, s.hPlain)
	}
	s.wPlain, s.hPlain = nil, nil
}

// fillZeros is fillZeros for a factor of which other ranks may have rows, too.
func (s *pair[F]) fillZeros(t *Tall[F], side Side) {
	sum := []float64{t.sum(s.pool.workers), float64(t.Rows * t.K)}
	s.c.grid.sum(side, sum)
	t.lift(s.pool.workers, sum[0]/sum[1])
}

// fillZeros lifts zeros to a small part of the mean: a multiplicative update
// cannot.
func fillZeros[F kernel.Float](t *Tall[F], workers int) {
	t.lift(workers, t.sum(workers)/float64(t.Rows*t.K))
}

// lift makes no entry smaller than a small part of the mean.
func (t *Tall[F]) lift(workers int, mean float64) {
	const part = 1e-4
	least := F(part * mean)
	EachStrip(t.Rows, workers, func(i0, i1 int) {
		for i := i0; i < i1; i++ {
			row := t.Row(i)
			for j, v := range row {
				row[j] = max(v, least)
			}
		}
	})
}

// restoreTall puts what is held into a factor and bounds the rest.
func restoreTall[F kernel.Float](asked *penalty.Factor, t *Tall[F]) {
	if asked == nil {
		return
	}
	for i := range t.Rows {
		row := t.Row(i)
		for j, v := range row {
			if asked.Upper != 0 {
				row[j] = min(v, F(asked.Upper))
			}
			if asked.Held != nil {
				if held := asked.Held[i*t.K+j]; held == held {
					row[j] = F(held)
				}
			}
		}
	}
}

// left and right are the half-steps for W and H. to may be nil.
func (s *pair[F]) left(w, h, to *Tall[F], update func(*halfStep[F], *tileScratch[F]), scaled bool) (halfResult, bool) {
	half := &halfStep[F]{scaled: scaled, filled: s.filling != nil && update != nil, apart: s.run.Iterations >= soonFilled, cells: s.c, side: s.c.left, fixed: h, from: w, to: to, asked: s.cfg.PenaltyW, update: update}
	return half.run(s.pool, s.scratch)
}

func (s *pair[F]) right(w, h, to *Tall[F], update func(*halfStep[F], *tileScratch[F]), scaled bool) (halfResult, bool) {
	half := &halfStep[F]{scaled: scaled, filled: s.filling != nil && update != nil, apart: s.run.Iterations >= soonFilled, cells: s.c, side: s.c.right, unmeasured: update != nil, fixed: w, from: h, to: to, asked: s.cfg.PenaltyH, update: update}
	return half.run(s.pool, s.scratch)
}

// lossOf is the loss of a pair.
func (s *pair[F]) lossOf(w, h *Tall[F]) (float64, bool) {
	half := &halfStep[F]{cells: s.c, side: s.c.left, fixed: h, from: w, lossOnly: true}
	r, ok := half.run(s.pool, s.scratch)
	return r.loss, ok
}

// objective adds what is asked of the pair to its loss.
func (s *pair[F]) objective(data float64, w, h *Tall[F]) float64 {
	ofW := penaltyOf(s.cfg.PenaltyW, w)
	if s.cfg.PenaltyW.Penalized() {
		ofW = s.c.grid.total(ofW)
	}
	return data + ofW + penaltyOf(s.cfg.PenaltyH, h)
}

func penaltyOf[F kernel.Float](asked *penalty.Factor, t *Tall[F]) float64 {
	if asked == nil {
		return 0
	}
	return penalty.Value(asked, t.Data, t.Ld, t.Rows, t.K)
}

// iterate measures the pair, judges it and makes the next one; it reports false
// at the end of the run.
func (s *pair[F]) iterate() bool {
	if !s.repair() {
		return false
	}
	update, scaled, plain := s.update, s.scaled, s.plain
	switch {
	case s.filling != nil && s.run.Iterations < mostFilling:
		update = s.filling
	case plain:
		update, scaled = s.safe, false
	case s.searches > 0:
		s.searches--
		update = s.searching
	}
	next := room(&s.spareW, s.w)
	rows, ok := s.left(s.w, s.h, next, update, scaled)
	if !ok {
		return false
	}
	switch s.judge(rows, next) {
	case accepted:
	case takenBack:
		s.spareW = append(s.spareW, next)
		return true
	default:
		s.spareW = append(s.spareW, next)
		return s.goesOn()
	}
	if s.run.Iterations >= s.cfg.MaxIter {
		s.finish(IterationLimit, next)
		return false
	}
	s.run.Iterations++
	beta := s.momentum.beta()
	if plain {
		beta = 0
	}
	s.plain, s.madePlain = false, plain || beta == 0 && !s.scaled
	// The pair that was measured is the one to fall back on; what was it before is free.
	s.spareW, s.spareH = append(s.spareW, s.wBest), append(s.spareH, s.hBest)
	s.wBest, s.hBest = s.w, s.h
	s.w, s.wPlain = s.ahead(next, s.wPlain, s.w, &s.spareW, beta, s.cfg.PenaltyW)
	next = room(&s.spareH, s.h)
	columns, ok := s.right(s.w, s.h, next, update, scaled)
	if !ok {
		return false
	}
	s.columns = columns.sums
	s.h, s.hPlain = s.ahead(next, s.hPlain, s.h, &s.spareH, beta, s.cfg.PenaltyH)
	return true
}

// goesOn reports whether a run has been given another start by finish.
func (s *pair[F]) goesOn() bool { return s.run.Status == "" && s.pool.ctx.Err() == nil }

// ahead extrapolates fresh, which a half-step has just made, from the one before:
// plain, or where that is nil the one that was measured. It gives the factor to go
// on with, and the one before of the next.
func (s *pair[F]) ahead(fresh, plain, measured *Tall[F], spare *[]*Tall[F], beta float64, asked *penalty.Factor) (t, before *Tall[F]) {
	if !(beta > 0) {
		if plain != nil {
			*spare = append(*spare, plain)
		}
		return fresh, nil
	}
	t, before = plain, cmp.Or(plain, measured)
	if t == nil {
		t = room(spare, fresh)
	}
	floor := F(0)
	if s.positive {
		floor = 0.1
	}
	each := make([]F, t.Ld)
	for j := range each {
		each[j] = F(beta)
	}
	const rows = 512
	p := &pool{ctx: background, workers: s.pool.workers}
	p.run((t.Rows+rows-1)/rows, func(_, part int) {
		a, b := part*rows, min((part+1)*rows, t.Rows)
		s.c.ops.Extrapolate(b-a, t.Ld, floor, each, fresh.rows(a, b), before.rows(a, b), t.rows(a, b))
	})
	if asked.Constrained() {
		restoreTall(asked, t)
	}
	return t, fresh
}

func copyTall[F kernel.Float](to, from *Tall[F]) { copy(to.Data, from.Data) }

type verdict int

const (
	accepted verdict = iota
	takenBack
	ended
)

// judge accepts or takes back the pair that rows were measured at, writes the
// trace, and ends the run where it is done. next is the W that the half-step has made.
func (s *pair[F]) judge(rows halfResult, next *Tall[F]) verdict {
	r := s.run
	total := s.objective(rows.loss, s.w, s.h)
	if !(total <= s.total) {
		copyTall(s.w, s.wBest)
		copyTall(s.h, s.hBest)
		s.forget()
		if !s.madePlain {
			s.momentum.reject()
			s.plain, s.searches = true, searchedSteps
			if r.Iterations >= s.cfg.MaxIter {
				s.finish(IterationLimit, s.w)
				return ended
			}
			return takenBack
		}
		s.finish(Stalled, s.w)
		return ended
	}
	if !s.plain && !s.madePlain {
		s.momentum.accept()
	}
	s.total, s.data, s.rows = total, rows.loss, rows.sums
	if r.Iterations == 0 || len(r.Trace) > 0 && r.Trace[len(r.Trace)-1].Iteration == r.Iterations {
		return accepted
	}
	bw, bh := balance(s.normW, func(j int) float64 { return s.normH[j] })
	it := Iteration{Iteration: r.Iterations, Loss: total, RelativeError: s.relative(rows.loss),
		KKT: max(rows.sums.residual(bw), s.columns.residual(bh)), Seconds: time.Since(s.cfg.Start).Seconds()}
	r.Trace = append(r.Trace, it)
	if s.report != nil {
		s.report(s.index, it)
	}
	switch {
	case it.KKT <= s.tol, s.close(it.RelativeError):
		s.finish(Converged, next)
		return ended
	case stalledBy(r.Trace, s.cfg.LossTol):
		s.finish(Stalled, next)
		return ended
	}
	return accepted
}

// balances gives the factors of balance for a pair.
func (s *pair[F]) balances(w, h *Tall[F]) (bw, bh []float64) {
	normH := h.columnNorms(s.pool.workers)
	return balance(s.normsOfW(w), func(j int) float64 { return normH[j] })
}

func (s *pair[F]) relative(data float64) float64 {
	if s.c.Reference <= 0 {
		return 0
	}
	return math.Sqrt(max(0, data) / s.c.Reference)
}

// close reports whether a relative error is as small as it is asked to be, or
// can be.
func (s *pair[F]) close(relative float64) bool {
	if s.cfg.asks() {
		return relative <= s.cfg.TargetError
	}
	return relative <= max(s.cfg.TargetError, exactError[F]())
}

// finish ends a run with a half-step for W to tolerance, from a w that is no
// worse than that of the accepted pair, for its H. A run that was thought to
// have converged and is found not to goes on from there.
func (s *pair[F]) finish(status Status, w *Tall[F]) {
	r, h := s.run, s.h
	if s.cfg.Unfinished {
		r.Status, r.W, r.H = status, w, h
		return
	}
	last, rows, columns, ok := s.solveRows(w)
	if !ok {
		s.wBest, s.hBest = s.w, s.h
		return
	}
	bw, bh := s.balances(last, h)
	r.Loss, r.RelativeError = s.objective(columns.loss, last, h), s.relative(columns.loss)
	r.KKTW, r.KKTH = rows.sums.residual(bw), columns.sums.residual(bh)
	r.KKT = max(r.KKTW, r.KKTH)
	byTarget := s.close(r.RelativeError)
	if s.cfg.goesOn(status, r.KKT, s.tol, r.Iterations, byTarget) {
		s.tol /= 2
		copyTall(s.w, last)
		if s.cfg.Solver == "mu" {
			s.fillZeros(s.w, OfRows)
		}
		s.forget()
		s.total = math.Inf(1)
		return
	}
	r.Status, r.W, r.H = s.cfg.endOf(status, r.KKT, r.Iterations, byTarget), last, h
}

// solveRows solves every row of W for the run's H to tolerance, from w, and
// measures the pair: rows has the gradient of W, columns that of H and the loss.
// A run that was to reach an error and no more stays with the pair that has it: H is
// not where it belongs, and W need not be.
func (s *pair[F]) solveRows(w *Tall[F]) (last *Tall[F], rows, columns halfResult, ok bool) {
	const rowSteps = 100
	h, asked, tol := s.h, s.cfg.PenaltyW, s.cfg.RowTol
	if s.run.reached(s.cfg.TargetError) {
		last, rows = s.w, halfResult{loss: s.data, sums: s.rows}
		half := &halfStep[F]{cells: s.c, side: s.c.right, unmeasured: true, fixed: last, from: h, asked: s.cfg.PenaltyH}
		columns, ok = half.run(s.pool, s.scratch)
		columns.loss = rows.loss
		return last, rows, columns, ok
	}
	last = NewTall[F](w.Rows, w.K)
	half := &halfStep[F]{cells: s.c, side: s.c.left, unmeasured: true, fixed: h, to: last, asked: asked}
	solve := func(from *Tall[F], update func(*halfStep[F], *tileScratch[F]), scaled bool, rounds int) bool {
		half.update, half.scaled, half.atEnd = update, scaled, asked.None()
		for range rounds {
			half.from = from
			if rows, ok = half.run(s.pool, s.scratch); !ok {
				return false
			}
			from = last
		}
		if !half.atEnd {
			// What is asked was majorized at the entry.
			if rows, ok = s.left(last, h, nil, nil, false); !ok {
				return false
			}
		}
		columns, ok = s.right(last, h, nil, nil, false)
		return ok
	}
	robust := s.c.steps.Kind == loss.Huber || s.c.steps.Kind == loss.Absolute
	switch {
	case asked.Coupled() || robust:
		ok = solve(w, newton[F](tol, rowSteps), false, robustRounds)
	case s.c.steps.Quadratic() || asked != nil && asked.Simplex:
		ok = solve(w, newton[F](tol, rowSteps), false, 1)
	default:
		ok = solve(w, polish[F](tol, rowSteps), true, 1)
		if ok && s.objective(columns.loss, last, h) > s.total {
			// A scaled step may have raised the loss of a row.
			ok = solve(s.w, newton[F](tol, rowSteps), false, 1)
		}
	}
	return last, rows, columns, ok
}

// cancel ends a run with its accepted pair, or drops it where there is none.
func (s *pair[F]) cancel() {
	n := len(s.run.Trace)
	if n == 0 {
		s.run = nil
		return
	}
	last := s.run.Trace[n-1]
	s.run.W, s.run.H = s.wBest, s.hBest
	s.run.Status, s.run.Loss, s.run.RelativeError, s.run.KKT = Cancelled, last.Loss, last.RelativeError, last.KKT
}

// repair brings the norms of components that have drifted apart back together,
// and starts anew, up to maxRevivals times, those that have become zero, where
// nothing is asked of the factors: H_j
// becomes the positive part of the residual of a badly fitted sample and W_j
// zero, which leaves WH as it is. A multiplicative update could not lift that W.
func (s *pair[F]) repair() bool {
	if s.cancelled(s.ctx) {
		return false
	}
	free := s.cfg.PenaltyW.None() && s.cfg.PenaltyH.None()
	s.normW, s.normH = s.normsOfW(s.w), s.h.columnNorms(s.pool.workers)
	changed := false
	for j := range s.w.K {
		a, b := s.normW[j], s.normH[j]
		if e := skew(a, b); free && (e > maxSkew || e < -maxSkew) {
			changed = true
			for _, t := range []*Tall[F]{s.w, s.wPlain, s.wBest} {
				t.scaleColumn(j, e)
			}
			for _, t := range []*Tall[F]{s.h, s.hPlain, s.hBest} {
				t.scaleColumn(j, -e)
			}
			for _, sums := range [][]float64{s.columns.pg, s.columns.cc} {
				sums[j] = math.Ldexp(sums[j], 2*e)
			}
		}
		if a > 0 && b > 0 || s.cfg.Solver == "mu" || !free || s.revivals[j] >= maxRevivals || s.run.Iterations == 0 {
			continue
		}
		s.revivals[j]++
		s.revive(j)
		changed = true
	}
	if changed {
		s.normW, s.normH = s.normsOfW(s.w), s.h.columnNorms(s.pool.workers)
	}
	return true
}

// revive gives component j the positive residual of the worst fitted of some
// rows that are drawn by the seed.
func (s *pair[F]) revive(j int) {
	const draws = 8
	rng := rand.New(rand.NewPCG(s.cfg.seed(s.index), uint64(j)<<20^uint64(s.run.Iterations)))
	ws, g := s.scratch[0], s.c.grid
	var rows [draws]int
	var residuals [draws][]float64
	norms := make([]float64, draws)
	for d := range draws {
		rows[d] = rng.IntN(s.c.allRows())
		i, ok := g.holds(rows[d], s.w.Rows)
		if !ok || !s.c.left.holdLine(i) {
			continue
		}
		s.c.left.reach(&ws.lines, i, i+1)
		l := s.c.left.line(&ws.lines, i)
		residuals[d] = make([]float64, s.h.Rows)
		for q, p := range l.idx {
			if l.w != nil && l.w[q] == 0 {
				continue
			}
			e := float64(l.x[q])
			for c, v := range s.h.Row(int(p)) {
				e -= float64(v) * float64(s.w.Row(i)[c])
			}
			if e > 0 {
				residuals[d][p] = e
				norms[d] += e * e
			}
		}
	}
	g.sumAll(norms)
	worst := 0
	for d, norm := range norms {
		if norm > norms[worst] {
			worst = d
		}
	}
	if norms[worst] == 0 {
		return
	}
	best := g.fromRow(rows[worst], residuals[worst], s.h.Rows)
	s.run.Revived++
	for i, v := range best {
		s.h.Row(i)[j] = F(v)
	}
	for i := range s.w.Rows {
		s.w.Row(i)[j] = 0
	}
	s.forget()
}
