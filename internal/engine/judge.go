package engine

import (
	"math"
	"slices"
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
		f.back(s)
		return false
	}
	loss := fit + f.penalties(f.stack.w, f.stack.h, s.off, s.k)
	if loss > s.loss {
		f.back(s)
		switch {
		case reached:
			return f.finish(s, Converged)
		case s.momentumNow() > 0:
			s.momentum.reject()
			return f.limit(s)
		default:
			// A plain step raised the loss: its rounding is all that is left.
			return f.finish(s, Stalled)
		}
	}
	if !s.gentle {
		s.momentum.accept()
	}
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

// reached reports whether the accepted pair of a run has the error that was asked for.
func (r *Run[F]) reached(target float64) bool {
	n := len(r.Trace)
	return n > 0 && r.Trace[n-1].RelativeError <= target
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
	if h.tiled {
		w, h, off = w.view(off, k), h.view(off, k), 0
	}
	fit, ok := f.x.residualLoss(f.pool, w, h, off, k)
	return f.x.grid.all64(fit, ok)
}

// Cancellation is the relative error below which the short formula for the
// loss has lost too many digits.
func Cancellation[F kernel.Float]() float64 {
	if kernel.Width[F]() == 16 {
		return 1e-2
	}
	return 1e-6
}

// goesOn reports whether a run that was thought to have converged, at the
// tolerance tol, is found not to by its final half-step: then it goes on with half
// of that.
func (c *Config) goesOn(status Status, kkt, tol float64, iterations int, byTarget bool) bool {
	return status == Converged && kkt > c.Tol && !byTarget && iterations < c.MaxIter && tol > c.Tol/64
}

// endOf is what a run that was to end with status ends with, now that its final
// half-step has shown the residual.
func (c *Config) endOf(status Status, kkt float64, iterations int, byTarget bool) Status {
	switch {
	case kkt <= c.Tol || byTarget:
		return Converged
	case status == Converged && iterations < c.MaxIter:
		return Stalled
	case status == Converged:
		return IterationLimit
	}
	return status
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

// cancel ends all runs that have not ended with the pairs that they have. One
// without an accepted pair is dropped.
func (f *fitter[F]) cancel() {
	for _, s := range slices.Concat(f.ended, f.slots) {
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
		if r.W, r.H = s.w, s.h; s.w == nil {
			r.W, r.H = f.take(s)
		}
		r.Status, r.Loss, r.RelativeError, r.KKT = Cancelled, last.Loss, last.RelativeError, last.KKT
	}
}
