package nmf

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

// Start is one of the fits of FitEach: its number of components and its seed.
type Start struct {
	K    int    `json:"k"`
	Seed uint64 `json:"seed"`
}

// FitEach makes many fits of one x, of any numbers of components, and gives the
// model of every one in the order of starts. The fits share their passes over x
// as the runs of one Fit do, and all options but Runs, which does not count.
//
// Model i has the bits that Fit gives for starts[i].K with the seed
// starts[i].Seed, Runs 1, Init "random" where it is "auto", and no compression.
// It is for those who need all models of many starts, such as package rank; Fit
// keeps only the best.
//
// Cancelling ctx gives its error and no models. Other errors are Fit's.
func FitEach[F matrix.Float](ctx context.Context, x matrix.Matrix[F], starts []Start, o *Options) ([]*Model[F], error) {
	options, err := eachOptions(x, starts, o)
	if err != nil || len(starts) == 0 {
		return nil, err
	}
	var models []*Model[F]
	if sharesPasses(&options[0]) {
		models, err = fitTogether(ctx, x, starts, options)
	} else {
		models, err = fitApart(ctx, x, starts, options)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	if o != nil {
		for _, m := range models {
			m.Info.Options = *o
		}
	}
	return models, nil
}

// eachOptions resolves the options of every start.
func eachOptions[F matrix.Float](x matrix.Matrix[F], starts []Start, o *Options) ([]Options, error) {
	var common Options
	if o != nil {
		common = *o
	}
	if common.Init == "" || common.Init == auto {
		common.Init = "random"
	}
	if common.Compression == "" || common.Compression == auto {
		common.Compression = off
	}
	if common.Compression != off {
		return nil, fmt.Errorf("%w: compression is %s; fits of several numbers of components share no sketch", ErrOption, common.Compression)
	}
	m, n := x.Dims()
	options := make([]Options, len(starts))
	for i, s := range starts {
		single := common
		single.Runs, single.Seed = 1, s.Seed
		var err error
		if options[i], err = single.resolve(m, n, s.K); err != nil {
			return nil, err
		}
	}
	return options, nil
}

// sharesPasses says that fits with these options can be iterated side by side.
func sharesPasses(o *Options) bool {
	return (o.Loss == "" || o.Loss == "frobenius") && (o.Missing == "" || o.Missing == "error") && o.Mask == nil &&
		o.Weights == nil && o.RowWeights == nil && o.ColumnWeights == nil
}

// fitApart makes one fit after the other.
func fitApart[F matrix.Float](ctx context.Context, x matrix.Matrix[F], starts []Start, options []Options) ([]*Model[F], error) {
	models := make([]*Model[F], len(starts))
	for i, s := range starts {
		o := options[i]
		if o.Progress != nil {
			o.Progress = func(p Progress) {
				p.Run, p.Runs = i, len(starts)
				options[i].Progress(p)
			}
		}
		var err error
		if models[i], err = Fit(ctx, x, s.K, &o); err != nil {
			return nil, fmt.Errorf("k = %d, seed %d: %w", s.K, s.Seed, err)
		}
	}
	return models, nil
}

// fitTogether makes all fits side by side.
func fitTogether[F matrix.Float](ctx context.Context, x matrix.Matrix[F], starts []Start, options []Options) ([]*Model[F], error) {
	began := time.Now()
	data, u, err := prepare(x, options[0].RowNames, options[0].ColumnNames, options[0].Threads)
	if err != nil {
		return nil, err
	}
	if data.SumSq == 0 {
		return nil, allZero[F]()
	}
	common := options[0]
	common.Runs = len(starts)
	cfg := common.engineConfig(began, u)
	ranks, widest := make([]int, len(starts)), 0
	cfg.Seeds = make([]uint64, len(starts))
	for i, s := range starts {
		ranks[i], cfg.Seeds[i] = s.K, s.Seed
		widest = max(widest, s.K)
	}
	if cfg.SideBySide, err = sideBySide[F](sizeOf(x), widest, &common); err != nil {
		return nil, err
	}
	if common.Memory == 0 {
		cfg.SideBySide = 0 // fits of a small k may be more at a time than those of the largest
	}
	var startErr error
	starter := func(i int) (w, h *engine.Tall[F]) {
		w, h, err := starting(data, ranks[i], u, options[i], cfg.Seeds[i])
		if err != nil {
			startErr = errors.Join(startErr, fmt.Errorf("k = %d, seed %d: %w", ranks[i], cfg.Seeds[i], err))
			w, h = start.Random(data, ranks[i], cfg.Seeds[i])
		}
		return w, h
	}
	runs, err := engine.Minimize(ctx, data, ranks, starter, cfg)
	if err = errors.Join(err, startErr); err != nil || ctx.Err() != nil {
		return nil, err
	}
	models := make([]*Model[F], len(starts))
	for i, r := range runs {
		models[i] = newModel(x, ranks[i], u, []*engine.Run[F]{r}, 0, options[i])
		models[i].Info.Seconds = time.Since(began).Seconds()
	}
	return models, nil
}
