package nmf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

const (
	frobenius   = "frobenius"
	negBinomial = "negbinomial"
	huber       = "huber"
	absolute    = "l1"
	newton      = "newton"
)

// Losses lists the values of Options.Loss.
func Losses() []string {
	return []string{frobenius, "kl", "is", "beta", "tweedie", negBinomial, huber, absolute}
}

// errNothingCounts refuses an X of zeros, missing cells and weights.
var errNothingCounts = fmt.Errorf("%w: every cell that counts is zero", ErrEmpty)

// MissingKinds lists the values of Options.Missing.
func MissingKinds() []string { return []string{missingError, missingNaN, missingZero, missingUnstored} }

// plain reports whether a fit is of complete data with the Frobenius loss, whose
// weights, where there are some, are taken out.
func (o *Options) plain() bool {
	return (o.Loss == "" || o.Loss == frobenius) && (!o.choosesCells() || o.takesOut())
}

// choosesCells reports whether cells of X may be missing or weighted,
// choosesSingleCells whether they may be so one by one.
func (o *Options) choosesCells() bool {
	return o.choosesSingleCells() || o.RowWeights != nil || o.ColumnWeights != nil
}

func (o *Options) choosesSingleCells() bool {
	return o.hides() || o.Missing == missingUnstored || o.Weights != nil
}

// hides reports whether cells of X may be missing, other than all that a sparse X does
// not store.
func (o *Options) hides() bool {
	return o.Missing == missingNaN || o.Missing == missingZero || o.Mask != nil || o.MaskOf != nil
}

// unstored reports whether the cells that a sparse X does not store are missing.
func (o *Options) unstored() bool {
	return o.Missing == missingUnstored || o.Missing == missingZero
}

// listed reports whether the stored cells of a sparse X are all that are visited.
func (o *Options) listed() bool {
	l := o.engineLoss()
	return o.unstored() || l.RestBySums() || l.RestByGram()
}

// resolveLoss fills in and checks what concerns the loss and the cells, before
// the rest is resolved.
func (o *Options) resolveLoss(m, n int) error {
	if o.Loss == "" {
		o.Loss = frobenius
	}
	if err := oneOf("loss", o.Loss, Losses()); err != nil {
		return err
	}
	if o.Missing != "" {
		if err := oneOf("missing", o.Missing, MissingKinds()); err != nil {
			return err
		}
	}
	if o.DispersionBy != "" {
		if err := oneOf("dispersion_by", o.DispersionBy, []string{"global", "feature"}); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		bad        bool
		name, want string
		what       any
	}{
		{o.Loss == "beta" && !(math.Abs(o.Beta) <= loss.MostBeta), "beta", fmt.Sprintf("between %d and %d", -loss.MostBeta, loss.MostBeta), o.Beta},
		{o.Loss != "beta" && o.Beta != 0, "beta", fmt.Sprintf("left out with the loss %s; take the loss beta", o.Loss), o.Beta},
		{o.Loss == "tweedie" && !(math.Abs(2-o.Power) <= loss.MostBeta), "power", fmt.Sprintf("between %d and %d", 2-loss.MostBeta, 2+loss.MostBeta), o.Power},
		{o.Loss != "tweedie" && o.Power != 0, "power", fmt.Sprintf("left out with the loss %s; take the loss tweedie", o.Loss), o.Power},
		{!(o.Dispersion >= 0) || !isFinite(o.Dispersion), "dispersion", "at least 0, where 0 estimates it", o.Dispersion},
		{o.Loss != negBinomial && (o.Dispersion != 0 || o.DispersionBy != ""), "dispersion", fmt.Sprintf("left out with the loss %s; take the loss %s", o.Loss, negBinomial), o.Dispersion},
		{!(o.Delta >= 0) || !isFinite(o.Delta), "delta", "at least 0, where 0 chooses", o.Delta},
		{o.Loss != huber && o.Delta != 0, "delta", fmt.Sprintf("left out with the loss %s; take the loss %s", o.Loss, huber), o.Delta},
	} {
		if c.bad {
			return fmt.Errorf("%w: %s is %v; it must be %s", ErrOption, c.name, c.what, c.want)
		}
	}
	if err := o.checkWeights(m, n); err != nil {
		return err
	}
	if o.plain() {
		if o.Solver == newton {
			return fmt.Errorf("%w: the solver newton is of other losses; with the Frobenius loss it is one of auto, hals, bpp, mu", ErrOption)
		}
		return nil
	}
	if o.Compression == on {
		return fmt.Errorf("%w: compression is of complete data with the Frobenius loss alone, whose weights are at most of rows and columns", ErrOption)
	}
	o.Compression = off
	able := engine.LossSolvers(o.engineLoss())
	switch {
	case o.Solver == "" || o.Solver == auto:
		o.Solver = able[0]
	case !slices.Contains(able, o.Solver) && slices.Contains(Solvers(), o.Solver):
		return fmt.Errorf("%w: the solver %s does not do %s; take one of %v", ErrOption, o.Solver, o.fitKind(), able)
	}
	if o.Init == "" || o.Init == auto {
		o.Init = "random"
	}
	for _, f := range []struct {
		name string
		p    *Penalty
	}{{"W", &o.PenaltyW}, {"H", &o.PenaltyH}} {
		switch {
		case f.p.Sparseness != 0:
			return fmt.Errorf("%w: sparseness of %s: the exact step for a component needs one curvature for all its entries, which the Frobenius loss of complete cells without weights on that side alone has", ErrOption, f.name)
		case f.p.Simplex && o.Solver == "mu":
			return fmt.Errorf("%w: simplex of %s: the solver mu updates without the sum; take %s", ErrOption, f.name, able[0])
		}
	}
	return nil
}

// fitKind says in words what a fit is that is not plain.
func (o *Options) fitKind() string {
	if o.Loss != frobenius {
		return "the loss " + o.Loss
	}
	return "weighted or missing cells"
}

// engineLoss is the loss in the engine's terms, with the parameters that are
// known before X is.
func (o *Options) engineLoss() *loss.Loss {
	switch o.Loss {
	case "kl":
		return &loss.Loss{Kind: loss.Beta, Beta: 1}
	case "is":
		return &loss.Loss{Kind: loss.Beta}
	case "beta":
		return &loss.Loss{Kind: loss.Beta, Beta: o.Beta}
	case "tweedie":
		return &loss.Loss{Kind: loss.Beta, Beta: 2 - o.Power}
	case negBinomial:
		return &loss.Loss{Kind: loss.NegBinomial}
	case huber:
		return &loss.Loss{Kind: loss.Huber, Delta: o.Delta}
	case absolute:
		return &loss.Loss{Kind: loss.Absolute, Delta: o.Delta}
	}
	return &loss.Loss{Kind: loss.Beta, Beta: 2}
}

// fitCells is Fit for what the pass of the Frobenius loss over complete data
// does not do.
func fitCells[F matrix.Float](ctx context.Context, over *ranks[F], own share[F], x matrix.Matrix[F], k int, opt Options, o *Options, began time.Time) (*Model[F], error) {
	m, n := x.Dims()
	v, err := observe(over, x, &opt)
	if err := own.outcome(err); err != nil {
		return nil, err
	}
	if simple, ok := v.plainly(o); ok {
		resolved, err := simple.resolve(m, n, k)
		if err != nil {
			return nil, err
		}
		model, err := fit(ctx, over, own, x, k, resolved, &simple, began)
		if err == nil {
			model.options(o)
			model.Info.Resolved.Missing = opt.Missing
		}
		return model, err
	}
	_, err = cellsMemory[F](sizeOf(x), k, &opt)
	if err := over.outcome(own.outcome(err)); err != nil {
		return nil, err
	}
	kept, err := keep(over, x, k, &opt, &began)
	if err != nil {
		return nil, err
	}
	defer kept.close()
	f := &cellsFit[F]{ctx: ctx, kept: kept, over: over, opt: &opt, k: k, m: m, n: n, unit: v.unit, began: began}
	if f.unitW, f.unitH, err = opt.units(v.unit); err != nil {
		return nil, err
	}
	l, err := opt.lossFor(v.unit, v.mean, nil)
	if err != nil {
		return nil, err
	}
	f.cells = over.cells(engine.NewCells(v.x, v.observed, l, opt.Threads), opt.Threads)
	defer f.close()
	if err := own.outcome(f.cells.Failure()); err != nil {
		return nil, err
	}
	if err := own.agree(comm.Fact{Name: "the mean of the cells that count", Value: exact(f.cells.Mean)}); err != nil {
		return nil, err
	}
	if !(f.cells.Mean > 0) {
		return nil, errNothingCounts
	}
	if opt.Init != "random" && opt.Init != "given" {
		f.data = engine.NewData(v.x, opt.Threads)
	}
	stage, err := f.settle(l)
	if err = own.outcome(over.outcome(cmp.Or(f.failure(), err))); err != nil {
		return nil, err
	}
	runs, err := f.run(stage, own, opt.MaxIter, opt.Progress)
	if err != nil {
		return nil, err
	}
	best := engine.Best(runs)
	if best < 0 {
		return nil, over.cause(ctx)
	}
	pair, err := over.whole(runs[best].W, runs[best].H, &opt.RowNames)
	if err != nil {
		return nil, err
	}
	model := newModel(pair, over.size(x), k, v.unit, f.unitW, f.unitH, f.lossUnit(), runs, best, opt)
	model.options(o)
	kept.warn(&model.Info)
	model.Info.LossName = opt.Loss
	model.Info.Dispersions = f.dispersions
	model.Info.Seconds = time.Since(began).Seconds()
	return model, nil
}

// lossFor is the loss for an X that was divided by unit, whose values above
// zero have the mean. Parameters that are not known yet are such that a pilot
// can estimate them.
func (o *Options) lossFor(unit float64, mean func() float64, dispersions []float64) (*loss.Loss, error) {
	l := o.engineLoss()
	if unit != 1 && o.Loss == negBinomial {
		return nil, fmt.Errorf("%w: the values are of the size of %g; the negative binomial is of counts, which cannot be scaled", ErrRange, unit)
	}
	l.Delta /= unit
	if (l.Kind == loss.Absolute || l.Kind == loss.Huber) && l.Delta == 0 {
		l = &loss.Loss{Kind: loss.Absolute, Delta: absoluteWidth * mean()}
	}
	if l.Kind == loss.NegBinomial {
		l.Theta = []float64{1 / max(o.Dispersion, leastDispersion)}
		if dispersions != nil {
			l.Theta = make([]float64, len(dispersions))
			for j, a := range dispersions {
				l.Theta[j] = 1 / a
			}
		}
	}
	return l, nil
}

const (
	// absoluteWidth is the part of the mean within which the loss "l1" is
	// rounded off.
	absoluteWidth = 1e-4
	// leastDispersion keeps 1/α finite where counts spread no more than
	// Poisson's.
	leastDispersion = 1e-6
	// huberWidth is the δ for which Huber's estimate of a mean has 95 % of the
	// efficiency of the sample's under a normal law (Huber 1981), in units of
	// its spread.
	huberWidth = 1.345
	// pilotIterations is how long a fit is that a parameter of the loss is
	// estimated from.
	pilotIterations = 50
)

// cellsFit is a fit under way.
type cellsFit[F matrix.Float] struct {
	ctx                context.Context
	over               *ranks[F]
	kept               *keeper[F]
	opt                *Options
	cells              *engine.Cells[F]
	data               *engine.Data[F]
	m, n, k            int
	unit, unitW, unitH float64
	began              time.Time
	dispersions        []float64
	// known is what the pilots have found.
	known []float64
}

// lossUnit is what losses are multiplied by for an X that was divided by unit.
func (f *cellsFit[F]) lossUnit() float64 {
	if f.unit == 1 {
		return 1
	}
	return math.Pow(f.unit, f.cells.Loss().Degree())
}

// run fits this rank's share of runs with the loss as it is, which is a stage of
// the fit, and gives all.
func (f *cellsFit[F]) run(stage int, own share[F], maxIter int, progress func(Progress)) ([]*engine.Run[F], error) {
	o := own.options(f.opt)
	o.Progress, o.MaxIter = progress, maxIter
	cfg := o.engineConfig(f.began, f.lossUnit())
	cfg.Seeds = own.seeds(o.Seed)
	cfg.PenaltyW = o.PenaltyW.factor(f.m, f.k, f.n, f.unitW, f.lossUnit(), false)
	cfg.PenaltyH = o.PenaltyH.factor(f.n, f.k, f.over.samples(f.m), f.unitH, f.lossUnit(), true)
	cfg.BestOnly = true
	var startErr error
	starter := func(i int) (w, h *engine.Tall[F]) {
		w, h, err := f.starting(o.Seed + uint64(i))
		startErr = errors.Join(startErr, err)
		satisfy(cfg.PenaltyW, w)
		satisfy(cfg.PenaltyH, h)
		return w, h
	}
	out, err := engine.AlternateKept(f.ctx, f.cells, own.ranks(f.k), own.starter(starter), cfg, f.kept.stage(stage, f.known, nil, &startErr))
	if err := own.outcome(cmp.Or(f.failure(), errors.Join(err, startErr))); err != nil {
		return out, err
	}
	return own.join(out, f.m, f.n, f.k)
}

// failure is why X could not be read, nil where it could.
func (f *cellsFit[F]) failure() error {
	if err := f.cells.Failure(); err != nil || f.data == nil {
		return err
	}
	return f.data.Failure()
}

// close ends reading.
func (f *cellsFit[F]) close() {
	f.cells.Close()
	if f.data != nil {
		f.data.Close()
	}
}

// starting makes the start of one run. Random ones go by the mean of the cells
// that count; others see missing cells as zeros.
func (f *cellsFit[F]) starting(seed uint64) (w, h *engine.Tall[F], err error) {
	if complete(f.opt.W, f.m, f.k) && complete(f.opt.H, f.k, f.n) {
		w, h = engine.NewTall[F](f.m, f.k), engine.NewTall[F](f.n, f.k)
	} else {
		w, h = start.DrawPart[F](f.m, f.n, f.over.first(), 0, f.cells.Mean, f.k, seed, f.opt.Threads)
	}
	if f.data != nil {
		if w2, h2, err := start.New(f.opt.Init, f.data, f.k, seed, f.opt.Threads); err != nil {
			return w, h, err
		} else {
			w, h = w2, h2
		}
	}
	given(f.opt, w, h, 0, 0, f.unitW, f.unitH)
	return w, h, nil
}

// pilots lists the fits of a few iterations that go ahead where the loss has
// parameters that are estimated: each is a stage, and gives what is known to the
// next.
func (o *Options) pilots() []int {
	switch {
	case o.Loss == huber && o.Delta == 0:
		return []int{0}
	case o.Loss == negBinomial && o.Dispersion == 0:
		return []int{0, 1}
	}
	return nil
}

// settle gives the loss the parameters that come from X: one fit, or two, of a
// few iterations go ahead. It gives the stage that comes next.
func (f *cellsFit[F]) settle(l *loss.Loss) (stage int, err error) {
	pilots := f.opt.pilots()
	switch {
	case f.opt.Loss == absolute:
		f.opt.Delta = l.Delta * f.unit
	case len(pilots) > 0 && f.opt.Loss == negBinomial:
		f.cells = f.cells.WithLoss(&loss.Loss{Kind: loss.NegBinomial, Theta: []float64{1 / leastDispersion}}, f.opt.Threads)
	}
	for _, stage := range pilots {
		if _, done := f.kept.beyond(stage + 1); done {
			continue
		}
		var done bool
		if f.known, done = f.kept.beyond(stage); !done {
			if err := f.pilot(stage); err != nil {
				return 0, err
			}
		}
		f.learn()
	}
	if len(f.dispersions) == 1 {
		f.opt.Dispersion = f.dispersions[0]
		f.dispersions = nil
	}
	return len(pilots), nil
}

// pilot fits one run of a few iterations and measures it.
func (f *cellsFit[F]) pilot(stage int) error {
	f.known = nil
	if stage > 0 {
		f.known = f.dispersions
	}
	runs, err := f.run(stage, allRuns[F](&Options{Runs: 1}), min(pilotIterations, f.opt.MaxIter), nil)
	if err != nil {
		return err
	}
	r := runs[0]
	if r == nil {
		return context.Cause(f.ctx)
	}
	if f.opt.Loss == huber {
		f.known = []float64{max(huberWidth*f.cells.Spread(r.W, r.H, f.opt.Threads), absoluteWidth*f.cells.Mean)}
		return nil
	}
	f.known = f.cells.Dispersions(r.W, r.H, f.opt.DispersionBy == "feature", f.opt.Threads)
	for j, a := range f.known {
		f.known[j] = max(a, leastDispersion)
	}
	return nil
}

// learn puts what is known into the loss.
func (f *cellsFit[F]) learn() {
	if f.opt.Loss == huber {
		f.opt.Delta = f.known[0] * f.unit
		f.cells = f.cells.WithLoss(&loss.Loss{Kind: loss.Huber, Delta: f.known[0]}, f.opt.Threads)
		return
	}
	f.dispersions = f.known
	theta := make([]float64, len(f.known))
	for j, a := range f.known {
		theta[j] = 1 / a
	}
	f.cells = f.cells.WithLoss(&loss.Loss{Kind: loss.NegBinomial, Theta: theta}, f.opt.Threads)
}
