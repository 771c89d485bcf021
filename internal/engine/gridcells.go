package engine

import (
	"context"
	"iter"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/solver"
)

// Over makes c a rank's rows of X: means and sums become those over all ranks.
// It is collective. Half-steps for W are then a rank's own; in those for H every
// rank forms what its rows add to the gradients, the sums go to the ranks that
// update each share of H, and these are gathered (see halfStep.runOver). The
// grid has one column.
func (c *Cells[F]) Over(g *Grid, workers int) *Cells[F] {
	d := *c
	d.grid = g
	d.Mean = g.total(c.Mean*float64(c.Rows)*float64(c.Cols)) / (float64(g.Rows) * float64(g.Cols))
	return d.WithLoss(c.steps.Loss, workers)
}

// sumFixed adds sums over the rows of the fixed factor over the ranks, where
// they have rows of their own.
func (h *halfStep[F]) sumFixed(v []float64) {
	if h.side.turned {
		h.cells.grid.sum(OfRows, v)
	}
}

// sumFixedGram is sumFixed for a k x k matrix, its rows ld apart.
func (h *halfStep[F]) sumFixedGram(m []F, k, ld int) {
	if h.side.turned {
		sumGrams(h.cells.grid, true, &solver.Gram[F]{K: k, Ld: ld, G: m})
	}
}

// sumResult adds what a half-step has measured over all ranks.
func (g *Grid) sumResult(res halfResult) halfResult {
	if g == nil {
		return res
	}
	v := append(append([]float64{res.loss}, res.sums.pg...), res.sums.cc...)
	g.sumAll(v)
	k := len(res.sums.pg)
	copy(res.sums.pg, v[1:1+k])
	copy(res.sums.cc, v[1+k:])
	res.loss = v[0]
	return res
}

// terms are the parts of the gradient of H, and of the curvature, as they are
// evaluated for all features from the rows of this rank; then, summed over the
// ranks, for the share of the features that it updates. den is nil where the
// half-step's sums are all of it.
type terms[F kernel.Float] struct{ num, den, curve *Tall[F] }

// overRoom is what half-steps over ranks work in, one after the other.
type overRoom[F kernel.Float] struct {
	num, den, curve, trial Tall[F]
	// own are the tiles of the rank's share.
	own []*tileScratch[F]
}

// ofSize makes t a factor of so many rows and columns. One that is keeps what it
// holds.
func (t *Tall[F]) ofSize(rows, k int) *Tall[F] {
	if t.Rows != rows || t.K != k {
		t.reshape(rows, k)
	}
	return t
}

// runOver is the half-step for H over ranks. The updates of a rank's share of H
// are the same as in one process, tile by tile; wherever one of them evaluates
// its terms anew it waits until all have come so far, and that evaluation is one
// of all features by all ranks: the trial H is gathered, and the terms that the
// rows of each rank add are summed.
func (h *halfStep[F]) runOver(p *pool, scratch []*tileScratch[F]) (halfResult, bool) {
	g, t, k := h.cells.grid, kernel.TileRows[F](), h.from.K
	from, to := g.ownColumns(h.side.rows)
	n := tiles[F](to - from)
	var sums tileSums
	sums.reset(n, k)
	e := h.evaluator(p, scratch)
	loss := e.evaluate(h.from, !h.unmeasured, h.metric != nil)
	room := &scratch[0].over
	for len(room.own) < n {
		room.own = append(room.own, newTileScratch[F](k))
	}
	own := room.own[:n]
	next := make([]func() (curved, waits bool), n)
	waits, curved := make([]bool, n), make([]bool, n)
	p.run(n, func(_, i int) {
		ws := own[i]
		ws.first = from + i*t
		ws.rows = min(ws.first+t, to) - ws.first
		h.cells.ops.Pack(ws.rows, k, h.from.Data[ws.first*h.from.Ld:], h.from.Ld, ws.w)
		repeatLast(ws.w, ws.rows, k)
		e.take(ws, h.metric != nil)
		h.gradient(ws, sums.each[i])
	})
	if h.update != nil {
		for i, ws := range own {
			var stop func()
			next[i], stop = iter.Pull(func(yield func(bool) bool) {
				ws.await = yield
				h.update(h, ws)
			})
			defer stop()
		}
		trial := room.trial.ofSize(h.from.Rows, k)
		for {
			p.run(n, func(_, i int) { curved[i], waits[i] = next[i]() })
			asked := make([]float64, 2)
			for i, ws := range own {
				if waits[i] {
					asked[0] = 1
				}
				if waits[i] && curved[i] {
					asked[1] = 1
				}
				h.cells.ops.Unpack(ws.rows, k, ws.w, trial.Data[ws.first*trial.Ld:], trial.Ld)
			}
			g.sumAll(asked)
			if asked[0] == 0 || g.lost != nil {
				break
			}
			shareColumns(g, trial)
			e.evaluate(trial, false, asked[1] > 0)
			p.run(n, func(_, i int) { e.take(own[i], asked[1] > 0) })
		}
	}
	if h.to != nil {
		for _, ws := range own {
			h.cells.ops.Unpack(ws.rows, k, ws.w, h.to.Data[ws.first*h.to.Ld:], h.to.Ld)
		}
		shareColumns(g, h.to)
	}
	res := halfResult{sums: newGradientSums(k)}
	sums.addTo(res.sums)
	res.loss = loss
	return g.sumResult(res), g.lost == nil
}

// evaluator evaluates the terms of all features.
type evaluator[F kernel.Float] struct {
	h       *halfStep[F]
	pool    *pool
	scratch []*tileScratch[F]
	terms[F]
	losses []float64
}

func (h *halfStep[F]) evaluator(p *pool, scratch []*tileScratch[F]) *evaluator[F] {
	rows, k := h.from.Rows, h.from.K
	e := &evaluator[F]{h: h, pool: p, scratch: scratch, losses: make([]float64, tiles[F](rows))}
	room := &scratch[0].over
	e.num = room.num.ofSize(rows, k)
	if h.sums == nil {
		e.den = room.den.ofSize(rows, k)
	}
	if h.metric != nil {
		e.curve = room.curve.ofSize(rows, k)
	}
	return e
}

// evaluate fills the terms at a factor; it gives the loss of the rows of this
// rank where that is wanted.
func (e *evaluator[F]) evaluate(at *Tall[F], wantLoss, curved bool) (loss float64) {
	h, t, k := *e.h, kernel.TileRows[F](), at.K
	h.from, h.update = at, nil
	put := func(tile []F, a, n int, into *Tall[F]) {
		h.cells.ops.Unpack(n, k, tile, into.Data[a*into.Ld:], into.Ld)
	}
	e.pool.run(tiles[F](at.Rows), func(wi, i int) {
		ws := e.scratch[wi]
		a, b := i*t, min((i+1)*t, at.Rows)
		h.load(ws, a, b)
		e.losses[i] = h.evaluate(ws, wantLoss, curved)
		put(ws.num, a, b-a, e.num)
		if e.den != nil {
			put(ws.den, a, b-a, e.den)
		}
		if curved {
			put(ws.curve, a, b-a, e.curve)
		}
	})
	g := h.cells.grid
	sumColumnShares(g, e.num)
	if e.den != nil {
		sumColumnShares(g, e.den)
	}
	if curved {
		sumColumnShares(g, e.curve)
	}
	for _, v := range e.losses {
		loss += v
	}
	return loss
}

// take gives a tile of this rank's share its terms.
func (e *evaluator[F]) take(ws *tileScratch[F], curved bool) {
	t := kernel.TileRows[F]()
	get := func(from *Tall[F], tile []F) {
		e.h.cells.ops.Pack(ws.rows, ws.k, from.Data[ws.first*from.Ld:], from.Ld, tile)
		repeatLast(tile, ws.rows, ws.k)
	}
	get(e.num, ws.num)
	if e.den != nil {
		get(e.den, ws.den)
	} else {
		for j := range ws.k {
			for i := range t {
				ws.den[j*t+i] = e.h.sums[j]
			}
		}
	}
	if curved {
		grow(&ws.curve, ws.k*t)
		get(e.curve, ws.curve)
	}
}

// normsOfW gives the squared norms of the columns of a W.
func (s *pair[F]) normsOfW(w *Tall[F]) []float64 {
	norms := w.columnNorms(s.pool.workers)
	s.c.grid.sum(OfRows, norms)
	return norms
}

// allRows is the number of rows of the whole X.
func (c *Cells[F]) allRows() int {
	if c.grid == nil {
		return c.Rows
	}
	return c.grid.Rows
}

// cancelled reports whether ctx has ended, of any rank.
func (a *alternation[F]) cancelled(ctx context.Context) bool {
	return !a.c.grid.agree(ctx.Err() == nil)
}
