package nmf

import (
	"context"
	"math"
	"slices"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

// Compression is what was done on a compressed X before the passes over X.
type Compression struct {
	// Directions is the number of columns of the sketch, Captured the part of
	// ‖X‖² that it holds.
	Directions int     `json:"directions"`
	Captured   float64 `json:"captured"`
	// Iterations are those of each run on the compressed X, by "hals". They do
	// not count as iterations of the fit.
	Iterations []int `json:"iterations"`
}

const (
	// sketchExtra directions are kept beyond k, and sketchPower power
	// iterations made.
	sketchExtra = 20
	sketchPower = 1
	// sketchWorth is how many times the directions of a sketch must fit in
	// either side of X, and sketchCells how many cells X must have, for
	// compression to be tried unasked: the sketch costs as much as two
	// iterations, and only where an iteration on it is much cheaper does that
	// come back.
	sketchWorth = 12
	sketchCells = 4 << 20
	// sketchLossTol and sketchMaxIter end the iterations on the compressed X,
	// which do not count as iterations of the fit.
	sketchLossTol = 1e-4
	sketchMaxIter = 200
)

// decideCompression replaces Options.Compression "auto".
func (o *Options) decideCompression(x engine.Size, k int) {
	if o.Compression != auto {
		return
	}
	o.Compression = off
	if !x.Sparse && min(x.Rows, x.Cols) >= sketchWorth*(k+sketchExtra) && x.Rows*x.Cols >= sketchCells {
		o.Compression = on
	}
}

// compress iterates the starts of all runs on a compressed X. Their losses are
// estimates.
func compress[F matrix.Float](ctx context.Context, data *engine.Data[F], k int, ranks []int, starter engine.Starter[F], cfg engine.Config, kept *keeper[F], startErr *error) ([]*engine.Run[F], *Compression, error) {
	if known, done := kept.beyond(sketchStage); done {
		runs := make([]*engine.Run[F], len(ranks))
		for i := range runs {
			r := kept.state.Before.Runs[i].Run
			runs[i] = &r
		}
		return runs, newCompression(int(known[0]), known[1], runs), nil
	}
	sketch, err := start.NewSketch(data, k+sketchExtra, sketchPower, cfg.Seed, cfg.Workers)
	if err != nil {
		return nil, nil, err
	}
	small := engine.Compress(data, sketch.Q, sketch.B)
	cfg.OnIteration, cfg.MaxIter, cfg.Unfinished = nil, sketchMaxIter, true
	// The sketch has negative numbers, which "mu" cannot take.
	cfg.Solver = "hals"
	cfg.LossTol = max(cfg.LossTol, sketchLossTol)
	// Closer than this the loss cannot be told without passes over X.
	cfg.TargetError = max(cfg.TargetError, engine.Cancellation[F]())
	runs, err := engine.MinimizeKept(ctx, small, ranks, starter, cfg, kept.stage(sketchStage, nil, nil, startErr))
	if err != nil {
		return nil, nil, err
	}
	return runs, newCompression(sketch.Q.K, sketch.B.SumSq()/data.SumSq, runs), nil
}

func newCompression[F matrix.Float](directions int, captured float64, runs []*engine.Run[F]) *Compression {
	c := &Compression{Directions: directions, Captured: captured}
	for _, r := range runs {
		n := 0
		if r != nil {
			n = r.Iterations
		}
		c.Iterations = append(c.Iterations, n)
	}
	return c
}

// Stages of a fit for its checkpoints: without a sketch there is the first alone.
const (
	sketchStage = iota
	realStage
)

// onReal keeps the passes over X itself, which start where the runs on the sketch
// have ended. Those that have not started wait in the state; the best is kept
// until there is a pair of X's own.
func (c *keeper[F]) onReal(sketched []*engine.Run[F], compression *Compression, startErr *error) *engine.Keeper[F] {
	if compression == nil {
		return c.stage(sketchStage, nil, nil, startErr)
	}
	before := func(now *engine.Snapshot[F]) *engine.Snapshot[F] {
		waiting := map[int]bool{}
		for _, i := range notStarted(now, len(sketched)) {
			waiting[i] = true
		}
		begun := slices.ContainsFunc(now.Runs, func(r engine.RunState[F]) bool { return r.Run.Iterations > 0 })
		s := new(engine.Snapshot[F])
		for i, r := range sketched {
			run := *r
			run.Trace = nil
			if begun && !waiting[i] {
				run.W, run.H = nil, nil
			}
			s.Runs = append(s.Runs, engine.RunState[F]{Index: i, Run: run})
		}
		return s
	}
	return c.stage(realStage, []float64{float64(compression.Directions), compression.Captured}, before, startErr)
}

// uncompressed makes the best of the runs on a compressed X a cancelled run on
// X: its loss is measured, of iterations on X there were none. The others are
// dropped.
func uncompressed[F matrix.Float](ctx context.Context, data *engine.Data[F], runs []*engine.Run[F], workers int) ([]*engine.Run[F], error) {
	out := make([]*engine.Run[F], len(runs))
	i := engine.Best(runs)
	if i < 0 {
		return out, nil
	}
	r := runs[i]
	loss, err := data.Loss(context.WithoutCancel(ctx), r.W, r.H, workers)
	if err != nil {
		return nil, err
	}
	out[i] = &engine.Run[F]{W: r.W, H: r.H, Status: Cancelled, Loss: loss, RelativeError: math.Sqrt(2 * loss / data.SumSq)}
	return out, nil
}

// startAt starts runs where others have ended, whose factors it drops, but for
// those of the best: where the first pass over X is cancelled they are all
// that there is.
func startAt[F matrix.Float](runs []*engine.Run[F]) engine.Starter[F] {
	best := engine.Best(runs)
	return func(i int) (w, h *engine.Tall[F]) {
		w, h = runs[i].W, runs[i].H
		if i == best {
			return w.Clone(), h.Clone()
		}
		runs[i].W, runs[i].H = nil, nil
		return w, h
	}
}
