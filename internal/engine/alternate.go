package engine

import (
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
	a := &alternation[F]{c: c, cfg: cfg, start: start, runs: make([]*Run[F], len(ranks))}
	if err := a.choose(); err != nil {
		return nil, err
	}
	workers := max(1, cfg.Workers)
	// Runs share what is in memory of an X that is read block by block.
	if len(ranks) == 1 || c.left.window != nil || max(tiles[F](c.Rows), tiles[F](c.Cols)) >= 2*workers || workers == 1 {
		for i := range ranks {
			if ctx.Err() != nil {
				break
			}
			a.fit(&pool{ctx: ctx, workers: workers}, i, cfg.OnIteration)
		}
		return a.runs, nil
	}
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
		all.run(len(ranks), func(_, i int) { a.fit(&pool{ctx: ctx, workers: 1}, i, report) })
	}()
	for e := range events {
		cfg.OnIteration(e.run, e.it)
	}
	return a.runs, nil
}

// LossSolvers lists the solvers of Alternate for a loss, the best first.
func LossSolvers(l *loss.Loss) []string {
	if l.Quadratic() {
		return []string{"hals", "mu"}
	}
	return []string{"newton", "mu"}
}

type alternation[F kernel.Float] struct {
	c     *Cells[F]
	cfg   Config
	start Starter[F]

	// mu guards runs.
	mu   sync.Mutex
	runs []*Run[F]

	// update makes the half-steps, scaled says that it needs a metric; safe
	// cannot raise the loss.
	update, safe func(h *halfStep[F], ws *tileScratch[F])
	scaled       bool
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
		a.update, a.scaled = scaledNewton[F](max(1, a.cfg.InnerSweeps)), true
		if a.cfg.PenaltyW != nil && a.cfg.PenaltyW.Simplex || a.cfg.PenaltyH != nil && a.cfg.PenaltyH.Simplex {
			a.update, a.scaled = newton[F](a.cfg.RowTol, max(1, a.cfg.InnerSweeps)), false
		}
	default:
		a.update = newton[F](a.cfg.RowTol, max(1, a.cfg.InnerSweeps))
	}
	a.safe = a.update
	if a.scaled {
		a.safe = multiplicative[F](1)
	}
	return nil
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
	// extrapolated from, wBest and hBest the last accepted pair.
	w, h, wPlain, hPlain, wBest, hBest *Tall[F]
	// wNext is the W that the half-step under way makes.
	wNext, hNext *Tall[F]
	// total is the objective of the accepted pair, data its loss alone.
	total, data float64
	columns     gradientSums
	momentum    momentum
	// plain asks for a step that cannot raise the loss, madePlain says that the
	// pair was made by one.
	plain, madePlain bool
	revivals         []int
	tol              float64
}

// fit does run i.
func (a *alternation[F]) fit(p *pool, i int, report func(int, Iteration)) {
	a.mu.Lock()
	w, h := a.start(i)
	s := &pair[F]{alternation: a, pool: p, run: &Run[F]{}, index: i, report: report, w: w, h: h, total: math.Inf(1),
		momentum: newMomentum(a.cfg.Extrapolate), tol: a.cfg.Tol, revivals: make([]int, w.K)}
	a.mu.Unlock()
	for range p.workers {
		s.scratch = append(s.scratch, newTileScratch[F](w.K))
	}
	if s.begin() {
		for s.iterate() {
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.run.Status == "" {
		s.cancel()
	}
	if s.run != nil {
		a.runs[i] = s.run
	}
	if a.cfg.BestOnly {
		keepBest(a.runs)
	}
}

// begin makes the start one that the solver can take; it reports false when
// cancelled.
func (s *pair[F]) begin() bool {
	for _, f := range []struct {
		t     *Tall[F]
		asked *penalty.Factor
	}{{s.w, s.cfg.PenaltyW}, {s.h, s.cfg.PenaltyH}} {
		if s.positive && (f.asked == nil || !f.asked.Simplex) {
			fillZeros(f.t)
		}
		restoreTall(f.asked, f.t)
	}
	if s.learnsOnline() && !s.learnOnline() {
		return false
	}
	s.wPlain, s.hPlain = s.w.clone(), s.h.clone()
	s.wBest, s.hBest = s.w.clone(), s.h.clone()
	s.wNext, s.hNext = NewTall[F](s.w.Rows, s.w.K), NewTall[F](s.h.Rows, s.h.K)
	s.columns = newGradientSums(s.w.K)
	return true
}

// fillZeros lifts zeros to a small part of the mean: a multiplicative update
// cannot.
func fillZeros[F kernel.Float](t *Tall[F]) {
	const part = 1e-4
	sum := 0.0
	for i := range t.Rows {
		for _, v := range t.Row(i) {
			sum += float64(v)
		}
	}
	least := F(part * sum / float64(t.Rows*t.K))
	for i := range t.Rows {
		row := t.Row(i)
		for j, v := range row {
			row[j] = max(v, least)
		}
	}
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

func (t *Tall[F]) clone() *Tall[F] {
	c := *t
	c.Data = append([]F(nil), t.Data...)
	return &c
}

// left and right are the half-steps for W and H. to may be nil.
func (s *pair[F]) left(w, h, to *Tall[F], update func(*halfStep[F], *tileScratch[F]), scaled bool) (halfResult, bool) {
	half := &halfStep[F]{scaled: scaled, cells: s.c, side: s.c.left, fixed: h, from: w, to: to, asked: s.cfg.PenaltyW, update: update}
	return half.run(s.pool, s.scratch)
}

func (s *pair[F]) right(w, h, to *Tall[F], update func(*halfStep[F], *tileScratch[F]), scaled bool) (halfResult, bool) {
	half := &halfStep[F]{scaled: scaled, cells: s.c, side: s.c.right, unmeasured: update != nil, fixed: w, from: h, to: to, asked: s.cfg.PenaltyH, update: update}
	return half.run(s.pool, s.scratch)
}

// objective adds what is asked of the pair to its loss.
func (s *pair[F]) objective(data float64, w, h *Tall[F]) float64 {
	return data + penaltyOf(s.cfg.PenaltyW, w) + penaltyOf(s.cfg.PenaltyH, h)
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
	if plain {
		update, scaled = s.safe, false
	}
	rows, ok := s.left(s.w, s.h, s.wNext, update, scaled)
	if !ok {
		return false
	}
	switch s.judge(rows) {
	case accepted:
	case takenBack:
		return true
	default:
		return s.goesOn()
	}
	if s.run.Iterations >= s.cfg.MaxIter {
		s.finish(IterationLimit, s.wNext)
		return false
	}
	s.run.Iterations++
	copyTall(s.wBest, s.w)
	copyTall(s.hBest, s.h)
	beta := s.momentum.beta()
	if plain {
		beta = 0
	}
	s.plain, s.madePlain = false, plain || beta == 0 && !s.scaled
	s.w, s.wNext = s.wNext, s.w
	s.ahead(s.w, s.wPlain, beta, s.cfg.PenaltyW)
	columns, ok := s.right(s.w, s.h, s.hNext, update, scaled)
	if !ok {
		return false
	}
	s.columns = columns.sums
	s.h, s.hNext = s.hNext, s.h
	s.ahead(s.h, s.hPlain, beta, s.cfg.PenaltyH)
	return true
}

// goesOn reports whether a run has been given another start by finish.
func (s *pair[F]) goesOn() bool { return s.run.Status == "" && s.pool.ctx.Err() == nil }

// ahead extrapolates t, which a half-step has just made, from the one before,
// and keeps t as the one before of the next.
func (s *pair[F]) ahead(t, plain *Tall[F], beta float64, asked *penalty.Factor) {
	const floor = 0.1
	b := F(beta)
	for i, fresh := range t.Data {
		v := fresh
		if b > 0 {
			v = fresh + b*(fresh-plain.Data[i])
			least := F(0)
			if s.positive {
				least = floor * fresh
			}
			v = max(v, least)
		}
		t.Data[i], plain.Data[i] = v, fresh
	}
	if b > 0 && asked.Constrained() {
		restoreTall(asked, t)
	}
}

// columnNorms gives the squared norms of the columns.
func (t *Tall[F]) columnNorms() []float64 {
	norms := make([]float64, t.K)
	for i := range t.Rows {
		for j, v := range t.Row(i) {
			norms[j] += float64(v) * float64(v)
		}
	}
	return norms
}

func copyTall[F kernel.Float](to, from *Tall[F]) { copy(to.Data, from.Data) }

type verdict int

const (
	accepted verdict = iota
	takenBack
	ended
)

// judge accepts or takes back the pair that rows were measured at, writes the
// trace, and ends the run where it is done.
func (s *pair[F]) judge(rows halfResult) verdict {
	r := s.run
	total := s.objective(rows.loss, s.w, s.h)
	if !(total <= s.total) {
		copyTall(s.w, s.wBest)
		copyTall(s.h, s.hBest)
		copyTall(s.wPlain, s.wBest)
		copyTall(s.hPlain, s.hBest)
		if !s.madePlain {
			s.momentum.reject()
			s.plain = true
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
	s.total, s.data = total, rows.loss
	if r.Iterations == 0 || len(r.Trace) > 0 && r.Trace[len(r.Trace)-1].Iteration == r.Iterations {
		return accepted
	}
	bw, bh := s.balances(s.w, s.h)
	it := Iteration{Iteration: r.Iterations, Loss: total, RelativeError: s.relative(rows.loss),
		KKT: max(rows.sums.residual(bw), s.columns.residual(bh)), Seconds: time.Since(s.cfg.Start).Seconds()}
	r.Trace = append(r.Trace, it)
	if s.report != nil {
		s.report(s.index, it)
	}
	switch {
	case it.KKT <= s.tol, s.close(it.RelativeError):
		s.finish(Converged, s.wNext)
		return ended
	case stalledBy(r.Trace, s.cfg.LossTol):
		s.finish(Stalled, s.wNext)
		return ended
	}
	return accepted
}

// balances gives the factors of balance for a pair.
func (s *pair[F]) balances(w, h *Tall[F]) (bw, bh []float64) {
	normH := h.columnNorms()
	return balance(w.columnNorms(), func(j int) float64 { return normH[j] })
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
	const rowSteps = 100
	r, h, rowTol := s.run, s.h, s.rowTol()
	last := NewTall[F](w.Rows, w.K)
	update, scaled := newton[F](rowTol, rowSteps), false
	if !s.c.steps.Quadratic() && !s.cfg.PenaltyW.Coupled() && (s.cfg.PenaltyW == nil || !s.cfg.PenaltyW.Simplex) {
		update, scaled = polish[F](rowTol, rowSteps), true
	}
	rounds := 1
	if s.cfg.PenaltyW.Coupled() || s.c.steps.Kind == loss.Huber || s.c.steps.Kind == loss.Absolute {
		rounds = robustRounds
	}
	from := w
	for range rounds {
		if _, ok := s.left(from, h, last, update, scaled); !ok {
			return
		}
		from = last
	}
	rows, ok := s.left(last, h, nil, nil, false)
	if !ok {
		return
	}
	columns, ok := s.right(last, h, nil, nil, false)
	if !ok {
		return
	}
	if total := s.objective(rows.loss, last, h); total > s.total && scaled {
		// A scaled step may have raised the loss of a row.
		if _, ok = s.left(s.w, h, last, newton[F](rowTol, rowSteps), false); !ok {
			return
		}
		if rows, ok = s.left(last, h, nil, nil, false); !ok {
			return
		}
		if columns, ok = s.right(last, h, nil, nil, false); !ok {
			return
		}
	}
	bw, bh := s.balances(last, h)
	r.Loss, r.RelativeError = s.objective(rows.loss, last, h), s.relative(rows.loss)
	r.KKTW, r.KKTH = rows.sums.residual(bw), columns.sums.residual(bh)
	r.KKT = max(r.KKTW, r.KKTH)
	byTarget := s.close(r.RelativeError)
	if status == Converged && r.KKT > s.cfg.Tol && !byTarget && r.Iterations < s.cfg.MaxIter && s.tol > s.cfg.Tol/64 {
		s.tol /= 2
		copyTall(s.w, last)
		if s.cfg.Solver == "mu" {
			fillZeros(s.w)
		}
		copyTall(s.wPlain, s.w)
		copyTall(s.hPlain, s.h)
		s.total = math.Inf(1)
		return
	}
	switch {
	case r.KKT <= s.cfg.Tol || byTarget:
		status = Converged
	case status == Converged && r.Iterations < s.cfg.MaxIter:
		status = Stalled
	case status == Converged:
		status = IterationLimit
	}
	r.Status, r.W, r.H = status, last, h.clone()
}

// rowTol is the KKT residual by row that the final half-step for W goes to: that
// of Config, but for a run that was to reach an error and no more. H is then
// not where it belongs, and rows are solved to a tenth of the residual that is
// there.
func (s *pair[F]) rowTol() float64 {
	const most, part = 1e-2, 0.1
	n := len(s.run.Trace)
	if n == 0 || s.run.Trace[n-1].RelativeError > s.cfg.TargetError {
		return s.cfg.RowTol
	}
	return max(s.cfg.RowTol, min(most, part*s.run.Trace[n-1].KKT))
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
	if s.pool.ctx.Err() != nil {
		return false
	}
	free := s.cfg.PenaltyW.None() && s.cfg.PenaltyH.None()
	normW, normH := s.w.columnNorms(), s.h.columnNorms()
	for j := range s.w.K {
		a, b := normW[j], normH[j]
		if e := skew(a, b); free && (e > maxSkew || e < -maxSkew) {
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
	}
	return true
}

// revive gives component j the positive residual of the worst fitted of some
// rows that are drawn by the seed.
func (s *pair[F]) revive(j int) {
	const draws = 8
	rng := rand.New(rand.NewPCG(s.cfg.seed(s.index), uint64(j)<<20^uint64(s.run.Iterations)))
	best := make([]F, s.h.Rows)
	ws, bestNorm := s.scratch[0], 0.0
	for range draws {
		i := rng.IntN(s.w.Rows)
		if !s.c.left.holdLine(i) {
			return
		}
		s.c.left.reach(&ws.lines, i, i+1)
		l := s.c.left.line(&ws.lines, i)
		norm := 0.0
		residual := make([]F, s.h.Rows)
		for q, p := range l.idx {
			if l.w != nil && l.w[q] == 0 {
				continue
			}
			e := float64(l.x[q])
			for c, v := range s.h.Row(int(p)) {
				e -= float64(v) * float64(s.w.Row(i)[c])
			}
			if e > 0 {
				residual[p] = F(e)
				norm += e * e
			}
		}
		if norm > bestNorm {
			best, bestNorm = residual, norm
		}
	}
	if bestNorm == 0 {
		return
	}
	s.run.Revived++
	for i, v := range best {
		s.h.Row(i)[j] = v
	}
	for i := range s.w.Rows {
		s.w.Row(i)[j] = 0
	}
	copyTall(s.wPlain, s.w)
	copyTall(s.hPlain, s.h)
}
