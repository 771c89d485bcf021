package engine

import (
	"context"

	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/penalty"
)

// Project solves every row of w (m x k) for the fixed h (n x k) to the KKT
// tolerance by row. The start is a constant, so that equal rows have equal
// results.
func (c *Cells[F]) Project(ctx context.Context, w, h *Tall[F], asked *penalty.Factor, tol float64, workers int) error {
	const rowSteps = 100
	p := &pool{ctx: ctx, workers: max(1, workers)}
	total := 0.0
	for j := range h.K {
		for i := range h.Rows {
			total += float64(h.Row(i)[j])
		}
	}
	if total > 0 {
		level := F(c.Mean * float64(h.Rows) / total)
		for i := range w.Rows {
			row := w.Row(i)
			for j := range row {
				row[j] = level
			}
		}
	}
	restoreTall(asked, w)
	half := &halfStep[F]{cells: c, side: c.left, fixed: h, from: w, to: w, asked: asked, update: newton[F](tol, rowSteps)}
	if asked == nil && !c.steps.Quadratic() {
		half.update, half.scaled = polish[F](tol, rowSteps), true
	}
	var scratch []*tileScratch[F]
	for range p.workers {
		scratch = append(scratch, newTileScratch[F](w.K))
	}
	rounds := 1
	if c.steps.Kind == loss.Huber || c.steps.Kind == loss.Absolute || asked.Penalized() && asked.Orthogonal != 0 {
		rounds = robustRounds
	}
	for range rounds {
		if _, ok := half.run(p, scratch); !ok {
			return context.Cause(ctx)
		}
	}
	return nil
}

// robustRounds is how often rows are solved whose problem is majorized.
const robustRounds = 6

// LossOf is the loss of a pair, without what is asked of its factors.
func (c *Cells[F]) LossOf(ctx context.Context, w, h *Tall[F], workers int) (float64, error) {
	p := &pool{ctx: ctx, workers: max(1, workers)}
	half := &halfStep[F]{cells: c, side: c.left, fixed: h, from: w}
	var scratch []*tileScratch[F]
	for range p.workers {
		scratch = append(scratch, newTileScratch[F](w.K))
	}
	res, ok := half.run(p, scratch)
	if !ok {
		return 0, context.Cause(ctx)
	}
	return res.loss, nil
}
