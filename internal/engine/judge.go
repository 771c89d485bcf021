package engine

import (
	"math"
	"time"

	"github.com/partsof/nmf/internal/kernel"
)

// lossWindow is the number of accepted iterations that Config.LossTol looks
// back.
const lossWindow = 5

// judge accepts or takes back the pair that the pass made for a slot, writes
// the trace and ends the run where it is done. It reports false when
// cancelled.
func (f *fitter[F]) judge(s *slot[F]) bool {
	r := s.run
	r.Iterations++
	f.complete(s, s.rows)
	reached := len(r.Trace) > 0 && r.Trace[len(r.Trace)-1].KKT <= s.tol

	columns := newGradientSums(s.k)
	dot := s.columnTile.addTo(columns)
	fit, ok := f.loss(f.stack.w, f.stack.h, s.off, s.k, dot)
	if !ok {
		f.stack.back(s.off, s.k)
		return false
	}
	loss := fit + f.penalties(f.stack.w, f.stack.h, s.off, s.k)
	if loss > s.loss {
		f.stack.back(s.off, s.k)
		switch {
		case reached:
			return f.finish(s, Converged)
		case s.momentum.beta() > 0:
			s.momentum.reject()
			return f.limit(s)
		default:
			// A plain step raised the loss: its rounding is all that is left.
			return f.finish(s, Stalled)
		}
	}
	s.momentum.accept()
	s.loss, s.columns = loss, columns
	for j := range s.normW {
		s.normW[j] = s.s.Diag(j)
	}
	r.Trace = append(r.Trace, Iteration{Iteration: r.Iterations, Loss: loss, RelativeError: f.relative(fit),
		KKT: math.NaN(), Seconds: time.Since(f.cfg.Start).Seconds()})
	switch {
	case reached, f.close(f.relative(fit)):
		return f.finish(s, Converged)
	case stalledBy(r.Trace, f.cfg.LossTol):
		return f.finish(s, Stalled)
	}
	return f.limit(s)
}

func (f *fitter[F]) limit(s *slot[F]) bool {
	if s.run.Iterations >= f.cfg.MaxIter {
		return f.finish(s, IterationLimit)
	}
	return true
}

// complete fills in the KKT residual of the last pair of the trace, now that
// the gradient of its W is known, and tells the caller of the fit.
func (f *fitter[F]) complete(s *slot[F], rows gradientSums) {
	n := len(s.run.Trace)
	if n == 0 || !math.IsNaN(s.run.Trace[n-1].KKT) {
		return
	}
	last := &s.run.Trace[n-1]
	w, h := balance(s.normW, s.g.Diag)
	last.KKT = max(rows.residual(w), s.columns.residual(h))
	if f.cfg.OnIteration != nil {
		f.cfg.OnIteration(s.index, *last)
	}
}

// balance gives the factors by which squared gradients of the columns of W and
// of the rows of H change when both are scaled to equal norms. A component
// that is zero in one of them has the norm zero in both: it does not count,
// whatever its other half is.
func balance(normW []float64, normH func(j int) float64) (w, h []float64) {
	w, h = make([]float64, len(normW)), make([]float64, len(normW))
	for j := range w {
		if a, b := normW[j], normH(j); a > 0 && b > 0 {
			w[j] = math.Sqrt(a / b)
			h[j] = 1 / w[j]
		}
	}
	return w, h
}

func (f *fitter[F]) relative(loss float64) float64 {
	if f.x.SumSq == 0 {
		return 0
	}
	return math.Sqrt(2 * loss / f.x.SumSq)
}

// close reports whether a relative error is as small as it is asked to be, or
// can be.
func (f *fitter[F]) close(relative float64) bool {
	if f.cfg.asks() {
		return relative <= f.cfg.TargetError
	}
	return relative <= max(f.cfg.TargetError, exactError[F]())
}

// exactError is the relative error below which X is reproduced to rounding.
func exactError[F kernel.Float]() float64 {
	if kernel.Width[F]() == 16 {
		return 0x1p-23
	}
	return 0x1p-50
}

// stalledBy reports whether the loss has fallen by no more than the part tol of
// itself an iteration.
func stalledBy(trace []Iteration, tol float64) bool {
	n := len(trace)
	if n <= lossWindow || tol < 0 {
		return false
	}
	before, now := trace[n-1-lossWindow].Loss, trace[n-1].Loss
	return before-now <= lossWindow*tol*before
}

// loss is ½‖X−WH‖² of a pair in k columns from off, given dot = ⟨H, SH⟩ −
// 2⟨H, Q⟩. Where the sum ‖X‖² + dot cancels too far for F it is computed from
// the residual instead.
func (f *fitter[F]) loss(w, h *Tall[F], off, k int, dot float64) (float64, bool) {
	loss := max(0, (f.x.SumSq+dot)/2)
	if f.relative(loss) >= Cancellation[F]() {
		return loss, true
	}
	return f.x.residualLoss(f.pool, w, h, off, k)
}

// Cancellation is the relative error below which the short formula for the
// loss has lost too many digits.
func Cancellation[F kernel.Float]() float64 {
	if kernel.Width[F]() == 16 {
		return 1e-2
	}
	return 1e-6
}

// finish ends a run with a half-step for W, to tolerance, for the H of its
// accepted pair. A run that was thought to have converged and is found not to
// goes on with that W and a smaller tolerance.
func (f *fitter[F]) finish(s *slot[F], status Status) bool {
	r := s.run
	w, h := f.stack.take(s.off, s.k)
	if f.cfg.Unfinished {
		r.W, r.H, r.Loss, r.Status = w, h, s.loss, status
		if n := len(r.Trace); n > 0 {
			r.RelativeError = r.Trace[n-1].RelativeError
		}
		return true
	}
	if !f.cfg.asks() {
		s.balancePair(w, h)
	}
	p, ok := f.x.project(f.pool, w, h, f.cfg.PenaltyW, f.cfg.PenaltyH, f.cfg.RowTol, true)
	if !ok {
		return false
	}
	s.g = p.gramH
	f.complete(s, p.before)
	if f.cfg.asks() {
		// Half of a component does nothing but cost its penalty.
		if !f.cfg.PenaltyH.FixesScale() {
			h.clearColumns(func(j int) bool { return p.gramW.Diag(j) == 0 })
		}
		if !f.cfg.PenaltyW.FixesScale() {
			w.clearColumns(func(j int) bool { return p.gramH.Diag(j) == 0 })
		}
	}
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
	byTarget := f.close(r.RelativeError)
	if status == Converged && r.KKT > f.cfg.Tol && !byTarget && r.Iterations < f.cfg.MaxIter && s.tol > f.cfg.Tol/64 {
		s.tol /= 2
		s.loss, s.columns = min(s.loss, loss), p.columns
		f.stack.place(s.off, w, h)
		return true
	}
	switch {
	case r.KKT <= f.cfg.Tol || byTarget:
		status = Converged
	case status == Converged && r.Iterations < f.cfg.MaxIter:
		status = Stalled
	case status == Converged:
		status = IterationLimit
	}
	r.Status = status
	if f.cfg.BestOnly {
		keepBest(f.runs)
	}
	return true
}

// keepBest drops the factors and the trace of all ended runs but the best.
func keepBest[F kernel.Float](runs []*Run[F]) {
	best := Best(runs)
	for i, r := range runs {
		if i != best && r != nil && r.W != nil {
			r.W, r.H, r.Trace = nil, nil, nil
		}
	}
}

// Best is the index of the run with the lowest loss among those that have
// factors, the first of equals, or -1.
func Best[F kernel.Float](runs []*Run[F]) int {
	best := -1
	for i, r := range runs {
		if r != nil && r.W != nil && (best < 0 || r.Loss < runs[best].Loss) {
			best = i
		}
	}
	return best
}

// cancel ends all runs with the pairs that they have. A run without an
// accepted pair is dropped.
func (f *fitter[F]) cancel() {
	for _, s := range f.slots {
		r := s.run
		if r.Status != "" {
			continue
		}
		n := len(r.Trace)
		if n == 0 {
			f.runs[s.index] = nil
			continue
		}
		last := &r.Trace[n-1]
		if math.IsNaN(last.KKT) {
			// W's residual is not known: H's is a lower bound.
			_, h := balance(s.normW, s.g.Diag)
			last.KKT = s.columns.residual(h)
		}
		r.W, r.H = f.stack.take(s.off, s.k)
		r.Status, r.Loss, r.RelativeError, r.KKT = Cancelled, last.Loss, last.RelativeError, last.KKT
	}
}
