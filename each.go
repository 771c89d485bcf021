package nmf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	if err != nil {
		return nil, err
	}
	models := make([]*Model[F], len(starts))
	for _, group := range together(starts, options) {
		part, which := make([]Start, len(group)), make([]Options, len(group))
		for p, i := range group {
			part[p], which[p] = starts[i], options[i]
			which[p].Progress = renumbered(options[i].Progress, group, len(starts))
		}
		made, err := fitGroup(ctx, x, part, which)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, err
		}
		for p, i := range group {
			models[i] = made[p]
			if o != nil {
				models[i].Info.Options = *o
			}
		}
	}
	return models, nil
}

// together divides the starts into groups that can be fitted side by side: where
// penalties go by k, those of one k; where the loss has a parameter that is
// estimated anew for each fit, every start alone.
func together(starts []Start, options []Options) [][]int {
	var groups [][]int
	groupOf := map[int]int{}
	for i, s := range starts {
		key := 0
		switch o := &options[i]; {
		case o.Loss == huber && o.Delta == 0, o.Loss == negBinomial && o.Dispersion == 0:
			key = -1 - i
		case !o.PenaltyW.none() || !o.PenaltyH.none():
			key = s.K
		}
		g, ok := groupOf[key]
		if !ok {
			g = len(groups)
			groupOf[key] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// renumbered makes progress count the runs of all groups.
func renumbered(progress func(Progress), group []int, runs int) func(Progress) {
	if progress == nil {
		return nil
	}
	return func(p Progress) {
		p.Run, p.Runs = group[p.Run], runs
		progress(p)
	}
}

// fitGroup makes the fits of a group.
func fitGroup[F matrix.Float](ctx context.Context, x matrix.Matrix[F], starts []Start, options []Options) ([]*Model[F], error) {
	if o := &options[0]; len(starts) == 1 {
		model, err := Fit(ctx, x, starts[0].K, o)
		if err != nil {
			return nil, fmt.Errorf("k = %d, seed %d: %w", starts[0].K, starts[0].Seed, err)
		}
		return []*Model[F]{model}, nil
	} else if !o.plain() {
		return fitCellsTogether(ctx, x, starts, options)
	}
	return fitTogether(ctx, x, starts, options)
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
	if common.Checkpoint != nil {
		return nil, fmt.Errorf("%w: a checkpoint is of one fit, not of many", ErrOption)
	}
	if common.Online != nil {
		return nil, fmt.Errorf("%w: many fits at a time are not learnt online", ErrOption)
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

// fitTogether makes all fits of complete data with the Frobenius loss in the
// same passes.
func fitTogether[F matrix.Float](ctx context.Context, x matrix.Matrix[F], starts []Start, options []Options) ([]*Model[F], error) {
	began := time.Now()
	common := options[0]
	data, u, err := prepare(x, &common)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	if data.SumSq == 0 {
		return nil, allZero[F](common.takenOut())
	}
	g := &fitsOf[F]{x: x, starts: starts, options: options, unit: u, lossUnit: u * u, began: began}
	if g.unitW, g.unitH, err = common.units(u); err != nil {
		return nil, err
	}
	cfg := g.config()
	widest := slices.Max(g.ranks())
	common.Runs = len(starts)
	if cfg.SideBySide, err = sideBySide[F](sizeOf(x), widest, &common); err != nil {
		return nil, err
	}
	if common.Memory == 0 {
		cfg.SideBySide = 0 // fits of a small k may be more at a time than those of the largest
	}
	starter, startErr := g.starter(cfg, func(i int) (w, h *engine.Tall[F], err error) {
		w, h, err = starting(data, starts[i].K, g.unitW, g.unitH, options[i], starts[i].Seed)
		if err != nil {
			w, h = start.Random(data, starts[i].K, starts[i].Seed, common.Threads)
		}
		return w, h, err
	})
	models := make([]*Model[F], len(starts))
	err = engine.MinimizeEach(ctx, data, g.ranks(), starter, cfg, func(i int, r *engine.Run[F]) { models[i] = g.model(i, r) })
	if err = cmp.Or(data.Failure(), errors.Join(err, *startErr)); err != nil || ctx.Err() != nil {
		return nil, err
	}
	return models, nil
}

// fitCellsTogether makes all fits with another loss, or with cells that are
// missing or weighted, from the same view of X.
func fitCellsTogether[F matrix.Float](ctx context.Context, x matrix.Matrix[F], starts []Start, options []Options) ([]*Model[F], error) {
	began := time.Now()
	common := options[0]
	v, err := observe(nil, x, &common)
	if err != nil {
		return nil, err
	}
	if _, ok := v.plainly(&common); ok {
		for i := range options {
			options[i], _ = v.plainly(&options[i])
		}
		return fitTogether(ctx, x, starts, options)
	}
	g := &fitsOf[F]{x: x, starts: starts, options: options, unit: v.unit, began: began}
	if g.unitW, g.unitH, err = common.units(v.unit); err != nil {
		return nil, err
	}
	l, err := common.lossFor(v.unit, v.mean, nil)
	if err != nil {
		return nil, err
	}
	cells := engine.NewCells(v.x, v.observed, l, common.Threads)
	if err := cells.Failure(); err != nil {
		return nil, err
	}
	if !(cells.Mean > 0) {
		return nil, errNothingCounts
	}
	f := &cellsFit[F]{ctx: ctx, cells: cells, m: cells.Rows, n: cells.Cols, unit: v.unit, unitW: g.unitW, unitH: g.unitH, began: began}
	defer f.close()
	if common.Init != "random" && common.Init != "given" {
		f.data = engine.NewData(v.x, common.Threads)
	}
	g.lossUnit = f.lossUnit()
	for i := range options {
		if options[i].Loss == absolute {
			options[i].Delta = l.Delta * v.unit
		}
	}
	cfg := g.config()
	starter, startErr := g.starter(cfg, func(i int) (w, h *engine.Tall[F], err error) {
		one := *f
		one.opt, one.k = &options[i], starts[i].K
		return one.starting(starts[i].Seed)
	})
	runs, err := engine.Alternate(ctx, cells, g.ranks(), starter, cfg)
	if err = cmp.Or(f.failure(), errors.Join(err, *startErr)); err != nil || ctx.Err() != nil {
		return nil, err
	}
	models := make([]*Model[F], len(runs))
	for i, r := range runs {
		models[i] = g.model(i, r)
		models[i].Info.LossName = common.Loss
	}
	return models, nil
}

// fitsOf is what the fits of a group share.
type fitsOf[F matrix.Float] struct {
	x                            matrix.Matrix[F]
	starts                       []Start
	options                      []Options
	unit, unitW, unitH, lossUnit float64
	began                        time.Time
}

func (g *fitsOf[F]) ranks() []int {
	ranks := make([]int, len(g.starts))
	for i, s := range g.starts {
		ranks[i] = s.K
	}
	return ranks
}

// config is that of the group: where there are penalties all starts have one k.
func (g *fitsOf[F]) config() engine.Config {
	common, k := g.options[0], g.starts[0].K
	common.Runs = len(g.starts)
	m, n := g.x.Dims()
	cfg := common.engineConfig(g.began, g.lossUnit)
	cfg.PenaltyW = common.PenaltyW.factor(m, k, n, g.unitW, g.lossUnit, false)
	cfg.PenaltyH = common.PenaltyH.factor(n, k, m, g.unitH, g.lossUnit, true)
	for _, s := range g.starts {
		cfg.Seeds = append(cfg.Seeds, s.Seed)
	}
	return cfg
}

// starter makes the starts, and keeps what went wrong.
func (g *fitsOf[F]) starter(cfg engine.Config, make func(i int) (w, h *engine.Tall[F], err error)) (engine.Starter[F], *error) {
	failed := new(error)
	return func(i int) (w, h *engine.Tall[F]) {
		w, h, err := make(i)
		if err != nil {
			*failed = errors.Join(*failed, fmt.Errorf("k = %d, seed %d: %w", g.starts[i].K, g.starts[i].Seed, err))
		}
		satisfy(cfg.PenaltyW, w)
		satisfy(cfg.PenaltyH, h)
		return w, h
	}, failed
}

// model is that of start i.
func (g *fitsOf[F]) model(i int, r *engine.Run[F]) *Model[F] {
	weightless(g.options[0].takenOut(), r.W, r.H)
	m := newModel(pairOf(r.W, r.H), sizeOf(g.x), g.starts[i].K, g.unit, g.unitW, g.unitH, g.lossUnit, []*engine.Run[F]{r}, 0, g.options[i])
	m.Info.Seconds = time.Since(g.began).Seconds()
	return m
}
