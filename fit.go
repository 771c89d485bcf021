package nmf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

// Fit factorizes x (samples x features) into k components, minimising
// ½‖X−WH‖²_F, or the loss that the options name, over W ≥ 0 and H ≥ 0. Nil
// options are the defaults.
//
// The result is a function of x, k, the options and their seed alone: the same
// bits for any number of threads, and whether X is in memory or a
// *matrix.Streamed. It ends with a W half-step to tolerance, the same that
// Transform does, but where TargetError ended it.
//
// Cancelling ctx gives the best model so far with Status Cancelled; before the
// first iteration is done there is none, and the error is ctx's. With
// Options.Checkpoint a fit that was stopped, or killed, can go on.
//
// Errors wrap ErrNegative, ErrNotFinite or ErrZero in a *CellError, ErrEmpty, ErrRange,
// ErrShape, ErrOption or ErrCheckpoint.
func Fit[F matrix.Float](ctx context.Context, x matrix.Matrix[F], k int, o *Options) (*Model[F], error) {
	began := time.Now()
	m, n := x.Dims()
	opt, err := o.resolve(m, n, k)
	if err != nil {
		return nil, err
	}
	if opt.Online != nil {
		return fitOnline(ctx, x, k, o, began)
	}
	return fit(ctx, nil, allRuns[F](&opt), x, k, opt, o, began)
}

// fit is Fit with the options opt that o stands for, in this process or over
// ranks: those that have parts of the rows, or of the runs.
func fit[F matrix.Float](ctx context.Context, over *ranks[F], own share[F], x matrix.Matrix[F], k int, opt Options, o *Options, began time.Time) (*Model[F], error) {
	if !opt.plain() {
		return fitCells(ctx, over, own, x, k, opt, o, began)
	}
	m, n := x.Dims()
	data, u, err := over.prepare(x, &opt)
	if err := own.outcome(err); err != nil {
		return nil, err
	}
	defer data.Close()
	if err := own.agree(comm.Fact{Name: "the sum of X", Value: exact(data.Sum)}, comm.Fact{Name: "the sum of squares of X", Value: exact(data.SumSq)}); err != nil {
		return nil, err
	}
	if data.SumSq == 0 {
		return nil, allZero[F](opt.takenOut())
	}
	opt.decideCompression(over.size(x), k)
	kept, err := keep(over, x, k, &opt, &began)
	if err != nil {
		return nil, err
	}
	defer kept.close()
	unitW, unitH, err := opt.units(u)
	if err != nil {
		return nil, err
	}
	mine := own.options(&opt)
	cfg := mine.engineConfig(began, u*u)
	cfg.Seeds = own.seeds(opt.Seed)
	cfg.PenaltyW = opt.PenaltyW.factor(m, k, n, unitW, u*u, false)
	cfg.PenaltyH = opt.PenaltyH.factor(n, k, over.samples(m), unitH, u*u, true)
	var startErr error
	starter := own.starter(func(i int) (w, h *engine.Tall[F]) {
		w, h, err := starting(data, k, unitW, unitH, opt, opt.Seed+uint64(i))
		if err != nil {
			startErr = errors.Join(startErr, err)
			w, h = start.Random(data, k, opt.Seed+uint64(i), opt.Threads)
		}
		satisfy(cfg.PenaltyW, w)
		satisfy(cfg.PenaltyH, h)
		return w, h
	})
	cfg.SideBySide, err = sideBySide[F](sizeOf(x), k, &mine)
	if cfg.SideBySide, err = over.fewest(cfg.SideBySide, own.outcome(err)); err != nil {
		return nil, err
	}
	var compression *Compression
	var runs []*engine.Run[F]
	if opt.Compression == on {
		runs, compression, err = compress(ctx, data, k, own.ranks(k), starter, cfg, kept, &startErr)
		if err = own.outcome(over.outcome(cmp.Or(data.Failure(), errors.Join(err, startErr)))); err != nil {
			return nil, err
		}
		if err := own.joinIterations(compression); err != nil {
			return nil, err
		}
		starter, cfg.Improved = startAt(runs), true
	}
	cfg.BestOnly = true
	sketched := runs
	runs, err = engine.MinimizeKept(ctx, data, own.ranks(k), starter, cfg, kept.onReal(sketched, compression, &startErr))
	if err = own.outcome(over.outcome(cmp.Or(data.Failure(), errors.Join(err, startErr)))); err != nil {
		return nil, err
	}
	if runs, err = own.join(runs, m, n, k); err != nil {
		return nil, err
	}
	best := engine.Best(runs)
	if best < 0 && compression != nil {
		if sketched, err = own.join(sketched, m, n, k); err != nil {
			return nil, err
		}
		if runs, err = uncompressed(ctx, data, sketched, opt.Threads); err != nil {
			return nil, err
		}
		best = engine.Best(runs)
	}
	if best < 0 {
		return nil, over.cause(ctx)
	}
	weightless(opt.takenOut(), runs[best].W, runs[best].H)
	pair, err := over.whole(runs[best].W, runs[best].H, &opt.RowNames)
	if err != nil {
		return nil, err
	}
	model := newModel(pair, over.size(x), k, u, unitW, unitH, u*u, runs, best, opt)
	model.options(o)
	kept.warn(&model.Info)
	model.Info.Compression = compression
	model.Info.Seconds = time.Since(began).Seconds()
	return model, nil
}

// options notes the options as they were given, nil as none, and drops what is
// not the model's.
func (m *Model[F]) options(o *Options) {
	if o != nil {
		m.Info.Options = *o
	}
	m.Info.Options.Checkpoint, m.Info.Resolved.Checkpoint = nil, nil
}

// engineConfig is for losses that were divided by lossUnit.
func (o *Options) engineConfig(began time.Time, lossUnit float64) engine.Config {
	cfg := engine.Config{Solver: o.Solver, InnerSweeps: o.InnerSweeps, Extrapolate: !o.NoExtrapolation,
		MaxIter: o.MaxIter, Tol: o.Tol, LossTol: o.LossTol, TargetError: o.TargetError, RowTol: rowTol(o.Tol),
		Seed: o.Seed, Workers: o.Threads, Start: began}
	if o.Progress != nil {
		cfg.OnIteration = func(run int, it Iteration) {
			it.Loss *= lossUnit
			o.Progress(Progress{Run: run, Runs: o.Runs, MaxIter: o.MaxIter, Iteration: it})
		}
	}
	return cfg
}

// allZero says that X has nothing above zero, and why that may be.
func allZero[F matrix.Float](r *roots) error {
	if r != nil {
		return errNothingCounts
	}
	if precision[F]() == "f32" {
		return fmt.Errorf("%w: every cell is zero (in float32, where values below 1e-45 are)", ErrEmpty)
	}
	return fmt.Errorf("%w: every cell is zero", ErrEmpty)
}

// rowTol is the KKT residual by row that a final half-step and Transform go
// to.
func rowTol(tol float64) float64 {
	if tol <= 0 {
		return defaultTol
	}
	return min(tol, defaultTol)
}

// starting makes the start of one run, of factors that are divided by unitW and
// unitH.
func starting[F matrix.Float](x *engine.Data[F], k int, unitW, unitH float64, o Options, seed uint64) (w, h *engine.Tall[F], err error) {
	if o.Init == givenInit {
		w, h = engine.NewTall[F](x.Rows, k), engine.NewTall[F](x.Cols, k)
	} else {
		w, h, err = start.New(o.Init, x, k, seed, o.Threads)
	}
	row, _ := x.OwnRows()
	_, col := x.First()
	given(&o, w, h, row, col, unitW, unitH)
	startWith(o.takenOut(), w, h)
	x.Share(w)
	return w, h, err
}

// givenInit is Options.Init where a start is given whole.
const givenInit = "given"

// given puts the entries that are given in the place of a start's. The given W
// begins at a row of w, and h at a column of the given H.
func given[F matrix.Float](o *Options, w, h *engine.Tall[F], row, col int, unitW, unitH float64) {
	r := o.takenOut()
	if o.W != nil && w != nil {
		engine.EachStrip(o.W.Rows, o.Threads, func(i0, i1 int) {
			for i := i0; i < i1; i++ {
				to, root := w.Row(row+i), r.row(i)
				for j, v := range o.W.Row(i) {
					if v == v {
						to[j] = F(v * root / unitW)
					}
				}
			}
		})
	}
	if o.H != nil && h != nil {
		engine.EachStrip(h.Rows, o.Threads, func(i0, i1 int) {
			for j := range o.H.Rows {
				to := h.Data[i0*h.Ld+j:]
				for i, v := range o.H.Row(j)[col+i0 : col+i1] {
					if v == v {
						to[i*h.Ld] = F(v * r.column(col+i0+i) / unitH)
					}
				}
			}
		})
	}
}

func newModel[F matrix.Float](pair wholePair[F], size engine.Size, k int, u, unitW, unitH, lossUnit float64, runs []*engine.Run[F], best int, opt Options) *Model[F] {
	r := runs[best]
	model := &Model[F]{RowNames: opt.RowNames, ColumnNames: opt.ColumnNames}
	var basisNorms []float64
	if opt.PenaltyW.fixesScale() || opt.PenaltyH.fixesScale() {
		model.W, model.H, model.Scales = asTheyAre(pair.w, pair.h, unitW, unitH)
	} else {
		model.W, model.H, model.Scales, basisNorms = normalize(pair.w, pair.h, pair.sumW, pair.sumH, opt.Threads)
		for j := range model.Scales {
			model.Scales[j] *= u
			basisNorms[j] *= unitH
		}
	}
	for _, r := range runs {
		if r != nil {
			r.Loss *= lossUnit
			for i := range r.Trace {
				r.Trace[i].Loss *= lossUnit
			}
		}
	}
	m, n := size.Rows, size.Cols
	info := &model.Info
	*info = Info{FormatVersion: formatVersion, Version: Version(), SIMD: kernel.For[F]().Tier,
		Precision: precision[F](), Rows: m, Columns: n, StoredCells: size.Stored, K: k,
		LossName: "frobenius", Loss: r.Loss, RelativeError: r.RelativeError, KKT: r.KKT,
		Iterations: r.Iterations, Status: r.Status, Resolved: opt, Trace: r.Trace}
	if opt.PenaltyW.weighs() || opt.PenaltyH.weighs() {
		info.BasisNorms = basisNorms
	}
	for i, r := range runs {
		if r == nil {
			continue
		}
		if i == best {
			info.BestRun = len(info.Runs)
		}
		info.Runs = append(info.Runs, RunInfo{Seed: opt.Seed + uint64(i), Loss: r.Loss, RelativeError: r.RelativeError,
			KKT: r.KKT, Iterations: r.Iterations, Status: r.Status})
	}
	if k > min(m, n) {
		info.Warnings = append(info.Warnings, fmt.Sprintf("k = %d is more than the smaller side of X (%d x %d): the factorization is not determined", k, m, n))
	}
	if dead := deadComponents(model.Scales); dead > 0 {
		info.Warnings = append(info.Warnings, fmt.Sprintf("%d of %d components are zero: X is fitted without them", dead, k))
	}
	if opt.PenaltyW.weighs() != opt.PenaltyH.weighs() && !opt.PenaltyW.fixesScale() && !opt.PenaltyH.fixesScale() {
		info.Warnings = append(info.Warnings, "only one factor has a penalty: it can be evaded by making that factor small and the other large; give both one, or bound one")
	}
	return model
}

func deadComponents(scales []float64) (dead int) {
	for _, s := range scales {
		if s == 0 {
			dead++
		}
	}
	return dead
}

func sizeOf[F matrix.Float](x matrix.Matrix[F]) engine.Size {
	m, n := x.Dims()
	if s, ok := x.(*matrix.CSR[F]); ok {
		return engine.Size{Rows: m, Cols: n, Stored: s.NNZ(), Sparse: true}
	}
	if s, ok := x.(*matrix.StreamedCSR[F]); ok {
		return engine.Size{Rows: m, Cols: n, Stored: s.Stored, Sparse: true, Streamed: true, Blocks: s.ByRows.Most + s.ByColumns.Most}
	}
	_, streamed := x.(*matrix.Streamed[F])
	return engine.Size{Rows: m, Cols: n, Stored: m * n, Streamed: streamed}
}

func precision[F matrix.Float]() string {
	if kernel.Width[F]() == 16 {
		return "f32"
	}
	return "f64"
}
