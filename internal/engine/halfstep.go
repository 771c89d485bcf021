package engine

import (
	"context"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/penalty"
	"github.com/partsof/nmf/internal/solver"
)

var background = context.Background()

// halfStep updates one factor of a pair for the other one, tile by tile.
type halfStep[F kernel.Float] struct {
	cells *Cells[F]
	side  *side[F]
	fixed *Tall[F]
	// from is the factor on entry; to gets the updated one and may be from.
	from, to *Tall[F]
	asked    *penalty.Factor
	// point is asked at from, nil where nothing is asked.
	point *penalty.Point[F]
	// sums holds what a cell that is not listed adds to the gradient, summed
	// over all columns of the side; gram the same for a quadratic loss. here are the
	// sums over the columns of this rank alone, whose part of the loss is measured.
	sums []F
	here []F
	gram []F
	// metric is the model of scaled Newton steps, nil for other updates; with
	// it an evaluation fills curve too.
	metric *metric[F]
	scaled bool
	// complete is the Gram matrix of the fixed factor where filled asks for it.
	complete *solver.Gram[F]
	filled   bool
	// apart asks for steps of their own for entries that fill missing cells slowly.
	// leverage, nil where it costs more than it saves, says how much each row of the
	// fixed factor weighs in its components.
	apart    bool
	leverage []F
	// unmeasured says that the loss is not wanted, atEnd that the gradient is
	// wanted that the update ends with; it must leave the terms of that.
	unmeasured, atEnd bool
	// lossOnly leaves all but the loss.
	lossOnly bool
	// update improves a tile whose terms have been evaluated; nil leaves it.
	update func(h *halfStep[F], ws *tileScratch[F])
}

// tileScratch is what a worker updates a tile in. Slices named by letters are
// tiles, k x TileRows.
type tileScratch[F kernel.Float] struct {
	first, rows, k int
	// lanes is how wide the panels are: rows, rounded up to whole vectors.
	lanes int
	// w is the factor. num and den are the parts of the gradient of the loss,
	// den − num; lin and quad majorize what is asked at the entry.
	w, num, den, lin, quad, d []F
	// curve is the diagonal of the second derivatives, for scaled Newton steps;
	// z, old and target are their scratch.
	curve, z, old, target []F
	// most and slopes have a number for each row.
	most   [64]F
	slopes [2][64]F
	// x, weights, theta, r, a and b are panels.
	x, weights, theta, r, a, b []F
	// panel holds the cells of a tile of which some are missing, absent the places
	// of those in it, if they are kept; reached is how many missing cells of each of
	// its rows, or of all, have been passed.
	panel   []F
	absent  []int32
	reached [64]int
	// sumSq is the sum of the squares of such a panel.
	sumSq float64
	// away are the columns that a line lacks, ones are ones.
	away []int32
	ones []F
	// sums are those of the tiles and squares the fixed factor's entries squared, in
	// the scratch of the first worker; minus is -1.
	sums    tileSums
	squares Tall[F]
	// over is the room of half-steps over ranks, in the scratch of the first worker.
	over  overRoom[F]
	minus [1]F
	// whole says that x and weights hold the whole panel.
	whole bool
	loss  loss.Scratch[F]
	// row and col are rows of a tall factor.
	rowNum, rowDen, rowCurve []F
	lines                    lineRoom[F]
	rowSolver                rowSolver[F]
	// await, unless nil, waits for terms and curvature that are made elsewhere.
	await func(curved bool) bool
	// tile is for updates by package solver, nil before the first.
	tile *solver.Tile[F]
	// residual holds the KKT residuals of the rows when worst was last called.
	residual [64]float64
}

// panelRows is the number of rows of the fixed factor that a panel is walked
// in: what belongs to them stays in a core's own cache. panelKept is the number
// of bytes up to which the cells of a tile are kept between inner updates.
const (
	panelRows = 256
	panelKept = 8 << 20
)

func newTileScratch[F kernel.Float](k int) *tileScratch[F] {
	t := kernel.TileRows[F]()
	ws := &tileScratch[F]{k: k, minus: [1]F{-1}}
	tiles := make([]F, 6*k*t)
	for i, p := range []*[]F{&ws.w, &ws.num, &ws.den, &ws.lin, &ws.quad, &ws.d} {
		*p = tiles[i*k*t : (i+1)*k*t : (i+1)*k*t]
	}
	ld := kernel.Pad[F](k)
	ws.rowNum, ws.rowDen = make([]F, ld*t), make([]F, ld*t)
	return ws
}

// prepare forms what all tiles share.
func (h *halfStep[F]) prepare(p *pool, squares *Tall[F]) bool {
	if h.asked.Penalized() {
		h.point = penalty.At[F](h.asked, h.from.Data, h.from.Ld, h.from.Rows, h.from.K)
	}
	if h.scaled {
		var ok bool
		if h.metric, ok = h.newMetric(p, squares); !ok {
			return false
		}
	}
	if h.filled && !h.shareGram(p) {
		return false
	}
	l := h.cells.steps.Loss
	switch {
	case l.RestBySums() && (h.side.rest || h.side.list == nil && !h.side.byCell):
		h.sums = h.columnSums(p.workers)
	case h.side.rest && l.RestByGram():
		k := h.fixed.K
		h.gram = make([]F, k*h.fixed.Ld)
		b := h.fixed
		if h.side.other != nil {
			b = NewTall[F](b.Rows, k)
			for i := range b.Rows {
				for j, v := range h.fixed.Row(i) {
					b.Row(i)[j] = v * h.side.other[i]
				}
			}
		}
		return p.run(gramTasks(k), func(_, task int) {
			i0, i1 := task*gramRows, min((task+1)*gramRows, k)
			h.cells.ops.MulAdd(i1-i0, b.Ld, b.Rows, h.fixed.Data[i0:], 1, b.Ld, b.Data, b.Ld, h.gram[i0*b.Ld:], b.Ld)
		})
	}
	return true
}

// columnSums adds the rows of the fixed factor, weighted where the columns of the
// side are, padded as its rows are.
func (h *halfStep[F]) columnSums(workers int) []F {
	t, weights := h.fixed, h.side.other
	sums := t.sumRows(workers, t.K, func(sums []float64, i int) {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		for j, v := range t.Row(i) {
			sums[j] += w * float64(v)
		}
	})
	padded := func() []F {
		out := make([]F, t.Ld)
		for j, v := range sums {
			out[j] = F(v)
		}
		return out
	}
	h.here = padded()
	h.sumFixed(sums)
	return padded()
}

// halfResult is what is known of the pair that a half-step began with: its
// loss, and the gradient of the factor that was updated, or with atEnd that of
// the updated factor.
type halfResult struct {
	loss float64
	sums gradientSums
}

// run does the half-step; it reports false when cancelled.
func (h *halfStep[F]) run(p *pool, scratch []*tileScratch[F]) (halfResult, bool) {
	res := halfResult{sums: newGradientSums(h.from.K)}
	if !h.prepare(p, &scratch[0].squares) {
		return res, false
	}
	if h.cells.grid != nil && h.side.turned {
		return h.runOver(p, scratch)
	}
	sums := &scratch[0].sums
	height := h.height()
	count := func(rows int) int { return (rows + height - 1) / height }
	sums.reset(count(h.side.rows), h.from.K)
	ok := h.side.blocks(func(from, to int) bool {
		first := from / height
		return p.run(count(to-from), func(wi, i int) { h.tile(scratch[wi], height, first+i, sums) })
	})
	res.loss = sums.addTo(res.sums)
	return h.cells.grid.sumResult(res), ok
}

// fewTiles is the number of tiles below which they are half as high, so
// that workers have equally much to do.
const fewTiles = 32

// height is the number of rows in a tile, a part of TileRows. What ends by tile
// ends over ranks where it does in one process.
func (h *halfStep[F]) height() int {
	t, rows := kernel.TileRows[F](), h.side.rows
	if h.side == h.cells.left {
		rows = h.cells.allRows()
	}
	if tiles[F](rows) < fewTiles && !h.side.masked(h.cells.steps.Loss) {
		return t / 2
	}
	return t
}

// tile does tile i of those of a height.
func (h *halfStep[F]) tile(ws *tileScratch[F], height, i int, sums *tileSums) {
	a, b := i*height, min((i+1)*height, h.side.rows)
	h.load(ws, a, b)
	sums.dot[i] = h.evaluate(ws, !h.unmeasured, h.metric != nil)
	if h.lossOnly {
		return
	}
	h.gradient(ws, sums.each[i])
	if h.update != nil {
		h.update(h, ws)
		if h.side.idles() {
			h.clearIdle(ws)
		}
	}
	if h.atEnd {
		sums.each[i].reset()
		h.gradient(ws, sums.each[i])
	}
	if h.to != nil {
		h.cells.ops.Unpack(b-a, ws.k, ws.w, h.to.Data[a*h.to.Ld:], h.to.Ld)
	}
}

// load takes rows of the factor, and their cells where they are kept.
func (h *halfStep[F]) load(ws *tileScratch[F], a, b int) {
	t := kernel.TileRows[F]()
	ws.first, ws.rows, ws.lanes = a, b-a, kernel.Pad[F](b-a)
	h.cells.ops.Pack(b-a, ws.k, h.from.Data[a*h.from.Ld:], h.from.Ld, ws.w)
	repeatLast(ws.w, ws.rows, ws.k)
	if h.side.list != nil {
		return
	}
	if h.side.masked(h.cells.steps.Loss) {
		h.maskedPanel(ws, a, b)
		grow(&ws.r, maskedRows*t)
		return
	}
	size := 64 / kernel.Width[F]()
	kept := h.side.others
	ws.whole = h.update != nil && kept*t*size <= panelKept
	if !ws.whole {
		kept = min(kept, panelRows)
	}
	grow(&ws.x, kept*t)
	if h.side.byCell {
		grow(&ws.weights, kept*t)
	}
	for _, s := range []*[]F{&ws.r, &ws.a, &ws.b} {
		grow(s, panelRows*t)
	}
	if h.cells.steps.Kind == loss.NegBinomial {
		grow(&ws.theta, panelRows*t)
	}
	if ws.whole {
		h.side.panel(h.cells.ops, a, b, ws.lanes, 0, h.side.others, ws.x, ws.weightsOr(h.side.byCell))
	}
}

func (ws *tileScratch[F]) weightsOr(weighted bool) []F {
	if !weighted {
		return nil
	}
	return ws.weights
}

// grow makes room for n numbers.
func grow[T any](s *[]T, n int) {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	*s = (*s)[:n]
}

// evaluate fills num and den for the tile's w, and gives the loss of its cells
// where that is wanted.
//
// With curved it fills curve, too.
func (h *halfStep[F]) evaluate(ws *tileScratch[F], wantLoss, curved bool) (sum float64) {
	if ws.await != nil {
		ws.await(curved)
		return 0
	}
	if curved {
		grow(&ws.curve, ws.k*kernel.TileRows[F]())
		clear(ws.curve)
	}
	if h.side.list != nil {
		return h.evaluateLists(ws, wantLoss, curved)
	}
	if h.side.masked(h.cells.steps.Loss) {
		return h.evaluateMasked(ws, wantLoss)
	}
	t, k, lanes, ops, steps := kernel.TileRows[F](), ws.k, ws.lanes, h.cells.ops, h.cells.steps
	clear(ws.num)
	clear(ws.den)
	shared := h.sums != nil
	for p0 := 0; p0 < h.side.others; p0 += panelRows {
		p1 := min(p0+panelRows, h.side.others)
		n := (p1 - p0) * lanes
		x, weights := ws.x, ws.weightsOr(h.side.byCell)
		if ws.whole {
			x = x[p0*lanes:]
			if weights != nil {
				weights = weights[p0*lanes:]
			}
		} else {
			h.side.panel(ops, ws.first, ws.first+ws.rows, lanes, p0, p1, x, weights)
		}
		x = x[:n]
		if weights != nil {
			weights = weights[:n]
		}
		var theta []F
		if steps.Kind == loss.NegBinomial {
			theta = ws.theta[:n]
			h.side.thetaPanel(ws.first, ws.first+ws.rows, lanes, p0, p1, theta)
		}
		r, num, den := ws.r[:n], ws.a[:n], ws.b[:n]
		clear(r)
		f := h.fixed.Data[p0*h.fixed.Ld:]
		ops.MulAdd(p1-p0, lanes, k, f, h.fixed.Ld, 1, ws.w, t, r, lanes)
		if wantLoss {
			sum += h.panelLoss(ws, x, r, weights, theta)
		}
		if h.lossOnly {
			continue
		}
		if shared {
			den = nil
		}
		if curved {
			steps.TermsAndCurve(x, r, weights, theta, num, den)
		} else {
			steps.Terms(x, r, weights, theta, num, den)
		}
		ops.MulAdd(k, lanes, p1-p0, f, 1, h.fixed.Ld, num, lanes, ws.num, t)
		if !shared {
			ops.MulAdd(k, lanes, p1-p0, f, 1, h.fixed.Ld, den, lanes, ws.den, t)
		}
		if curved {
			ops.MulAdd(k, lanes, p1-p0, h.metric.squares.Data[p0*h.fixed.Ld:], 1, h.fixed.Ld, r, lanes, ws.curve, t)
		}
	}
	if shared {
		for j := range k {
			for i := range t {
				ws.den[j*t+i] = h.sums[j]
			}
		}
	}
	return sum
}

// panelLoss is the loss of the cells of a panel; lanes beyond the tile's rows
// do not count.
func (h *halfStep[F]) panelLoss(ws *tileScratch[F], x, r, weights, theta []F) float64 {
	lanes := ws.lanes
	if ws.rows == lanes {
		return h.cells.steps.Sum(x, r, weights, theta, &ws.loss)
	}
	sum := 0.0
	part := func(s []F, p int) []F {
		if s == nil {
			return nil
		}
		return s[p*lanes : p*lanes+ws.rows]
	}
	for p := range len(x) / lanes {
		sum += h.cells.steps.Sum(part(x, p), part(r, p), part(weights, p), part(theta, p), &ws.loss)
	}
	return sum
}

// evaluateLists is evaluate for listed cells: row by row.
func (h *halfStep[F]) evaluateLists(ws *tileScratch[F], wantLoss, curved bool) (sum float64) {
	ops, ld := h.cells.ops, h.fixed.Ld
	clear(ws.rowNum)
	clear(ws.rowDen)
	if curved {
		grow(&ws.rowCurve, len(ws.rowNum))
		clear(ws.rowCurve)
	}
	rs := &ws.rowSolver
	rs.reset(ws.k, ld)
	for i := range ws.rows {
		l := h.side.line(&ws.lines, ws.first+i)
		for j := range ws.k {
			rs.w[j] = ws.w[j*kernel.TileRows[F]()+i]
		}
		if h.lossOnly {
			rs.room(len(l.idx))
			sum += h.valueOf(rs, l, rs.w, len(l.idx))
			continue
		}
		sum += h.evaluateLine(rs, l, rs.w, ws.rowNum[i*ld:(i+1)*ld], ws.rowDen[i*ld:(i+1)*ld], wantLoss, curved)
		if curved {
			n := len(l.idx)
			h.cells.steps.Curve(rs.num[:n], rs.den[:n], rs.r[:n])
			ops.GatherSquares(ld, l.idx, rs.num[:n], h.fixed.Data, ld, ws.rowCurve[i*ld:(i+1)*ld])
		}
	}
	if h.lossOnly {
		return sum
	}
	if curved {
		ops.Pack(ws.rows, ws.k, ws.rowCurve, ld, ws.curve)
		repeatLast(ws.curve, ws.rows, ws.k)
	}
	ops.Pack(ws.rows, ws.k, ws.rowNum, ld, ws.num)
	ops.Pack(ws.rows, ws.k, ws.rowDen, ld, ws.den)
	repeatLast(ws.num, ws.rows, ws.k)
	repeatLast(ws.den, ws.rows, ws.k)
	return sum
}

// evaluateLine adds the parts of one row's gradient to num and den, rows of a
// tall factor, and gives the row's loss. rs keeps r and the terms.
func (h *halfStep[F]) evaluateLine(rs *rowSolver[F], l line[F], w, num, den []F, wantLoss, wantTerms bool) (sum float64) {
	ops, steps, f := h.cells.ops, h.cells.steps, h.fixed
	n, ld := len(l.idx), f.Ld
	rs.room(n)
	r, a, b := rs.r[:n], rs.num[:n], rs.den[:n]
	shared := steps.OneDenominator() && (l.outside != 0 || l.w == nil && h.sums != nil)
	if shared && l.w == nil && !wantLoss && !wantTerms {
		ops.GatherQuotient(ld, l.idx, l.x, f.Data, ld, w, steps.Tiny, a, num)
	} else {
		ops.Dots(ld, l.idx, f.Data, ld, w, r)
		if shared {
			steps.Terms(l.x, r, l.w, l.theta, a, nil)
		} else {
			steps.Terms(l.x, r, l.w, l.theta, a, b)
		}
		ops.Gather(ld, l.idx, a, f.Data, ld, num)
		if !shared {
			ops.Gather(ld, l.idx, b, f.Data, ld, den)
		}
	}
	if wantLoss {
		sum = steps.Sum(l.x, r, l.w, l.theta, &rs.loss)
	}
	if h.sums != nil {
		own := F(1)
		if l.outside != 0 {
			own = l.outside
		}
		total := 0.0
		for j, s := range h.sums {
			den[j] += own * s
			total += float64(own) * float64(h.here[j]) * float64(w[j])
		}
		if h.side.rest {
			// What the listed cells have in the sums is not theirs where they
			// weigh otherwise.
			listed := 0.0
			if h.side.weighsListed() {
				h.excess(rs, l, n)
				ops.Gather(ld, l.idx, b, f.Data, ld, den)
			}
			if wantLoss {
				for q, p := range l.idx {
					v := float64(own)
					if h.side.other != nil {
						v *= float64(h.side.other[p])
					}
					listed += v * float64(r[q])
				}
				sum += max(0, total-listed)
			}
		}
	}
	if h.gram != nil {
		// The listed cells are taken out of ‖own·Σ v_p f_p f_pᵀ‖ again.
		gw := rs.grad[:ld]
		clear(gw)
		ops.MulAdd(1, ld, f.K, w, ld, 1, h.gram, ld, gw, ld)
		total := 0.0
		for j, v := range gw {
			den[j] += l.outside * v
			total += float64(l.outside) * float64(v) * float64(w[j])
		}
		listed := 0.0
		for q, p := range l.idx {
			v := l.outside
			if h.side.other != nil {
				v *= h.side.other[p]
			}
			b[q] = -v * r[q]
			listed += float64(v) * float64(r[q]) * float64(r[q])
		}
		ops.Gather(ld, l.idx, b, f.Data, ld, den)
		sum += max(0, total-listed) / 2
	}
	return sum
}

// excess fills rs.den with what the listed cells weigh beyond those that are
// not listed.
func (h *halfStep[F]) excess(rs *rowSolver[F], l line[F], n int) {
	b := rs.den[:n]
	for q, p := range l.idx {
		v := l.outside
		if h.side.other != nil {
			v *= h.side.other[p]
		}
		b[q] = l.w[q] - v
	}
}

// gradient fills d with the gradient of the objective at the entry, adds its
// squares to sums, and majorizes what is asked.
func (h *halfStep[F]) gradient(ws *tileScratch[F], sums gradientSums) {
	copy(ws.d, ws.den)
	ws.subtract(h.cells.ops, ws.d, ws.num)
	if h.point != nil {
		h.point.Gradient(ws.first, ws.rows, ws.w, ws.d)
		h.point.Majorize(ws.first, ws.rows, ws.w, ws.lin, ws.quad)
	}
	h.release(ws)
	clearBeyond(ws.d, ws.rows, ws.k)
	cross := ws.lastNum()
	clearBeyond(cross, ws.rows, ws.k)
	h.cells.ops.Residual(ws.k, ws.w, cross, ws.d, sums.pg, sums.cc)
}

// subtract takes b from c, both of whole tiles.
func (ws *tileScratch[F]) subtract(ops *kernel.Ops[F], c, b []F) {
	ops.MulAdd(1, len(c), 1, ws.minus[:], 1, 1, b, len(b), c, len(c))
}

// lastNum copies num, so that lanes can be cleared.
func (ws *tileScratch[F]) lastNum() []F {
	grow(&ws.rowSolver.tile, len(ws.num))
	copy(ws.rowSolver.tile, ws.num)
	return ws.rowSolver.tile
}

// release takes entries out of the gradient that are held, or that only their
// bound keeps from growing.
func (h *halfStep[F]) release(ws *tileScratch[F]) {
	if !h.asked.Constrained() {
		return
	}
	t := kernel.TileRows[F]()
	if h.asked.Upper != 0 {
		for i, v := range ws.w {
			if float64(v) >= h.asked.Upper && ws.d[i] < 0 {
				ws.d[i] = 0
			}
		}
	}
	held := func(i, j int) bool {
		if h.asked.Held == nil {
			return false
		}
		v := h.asked.Held[(ws.first+i)*ws.k+j]
		return v == v
	}
	if h.asked.Simplex {
		// The multiplier of a row's sum: the mean of its gradient by the entries.
		for i := range ws.rows {
			var level, mass F
			for j := range ws.k {
				if !held(i, j) {
					level += ws.w[j*t+i] * ws.d[j*t+i]
					mass += ws.w[j*t+i]
				}
			}
			if mass > 0 {
				for j := range ws.k {
					ws.d[j*t+i] -= level / mass
				}
			}
		}
	}
	if h.asked.Held != nil {
		for i := range ws.rows {
			for j := range ws.k {
				if held(i, j) {
					ws.d[j*t+i] = 0
				}
			}
		}
	}
}

func clearBeyond[F kernel.Float](tile []F, n, k int) {
	t := kernel.TileRows[F]()
	if n == t {
		return
	}
	for j := range k {
		clear(tile[j*t+n : (j+1)*t])
	}
}

// restore puts what is held into the tile and bounds the rest.
func (h *halfStep[F]) restore(ws *tileScratch[F]) {
	if h.asked.Constrained() {
		penalty.Restore(h.asked, ws.first, ws.rows, ws.k, ws.w)
	}
}
