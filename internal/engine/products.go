package engine

import (
	"context"

	"github.com/partsof/nmf/internal/kernel"
)

// Products is a pass that only multiplies: the two products with X of an
// iteration, block by block and divided among workers as in one, without Gram
// matrices, updates and losses. It is there to be timed.
type Products[F kernel.Float] struct{ f *fitter[F] }

// NewProducts prepares a pass over x for a pair of factors, w (m x k) and h
// (n x k).
func NewProducts[F kernel.Float](ctx context.Context, x *Data[F], w, h *Tall[F], workers int) *Products[F] {
	f := &fitter[F]{x: x, pool: &pool{ctx: ctx, workers: max(1, workers)}, stack: newStack[F](false, workers), tile: kernel.TileRows[F]()}
	f.stack.reshape(x.Rows, x.Cols, w.K)
	f.stack.wOut.copyColumns(0, w, 0, w.K)
	f.stack.h.copyColumns(0, h, 0, h.K)
	f.workers = newWorkers(x.ops, f.pool.workers, w.K, w.K)
	return &Products[F]{f}
}

// Run multiplies once. It returns XᵀW, which the next call overwrites, or nil
// when cancelled.
func (p *Products[F]) Run() *Tall[F] {
	f := p.f
	if !f.x.beforeLeft(f.pool, f.stack.ahead()) {
		return nil
	}
	f.stack.q.reshape(f.x.Cols, f.stack.h.K)
	for r0 := 0; r0 < f.x.Rows; r0 += f.x.block {
		r1 := min(r0+f.x.block, f.x.Rows)
		// There are no runs, so that no rows are updated.
		if !f.x.hold(f.pool, r0, r1) || !f.updateRows(r0, r1) || f.x.apart == nil && !f.x.crossBlock(f.pool, f.stack.wOut, f.stack.q, r0, r1) {
			return nil
		}
	}
	if f.x.apart != nil && !f.x.crossBlock(f.pool, f.stack.wOut, f.stack.q, 0, f.x.Rows) {
		return nil
	}
	return f.stack.q
}
