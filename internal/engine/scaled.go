package engine

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
)

// metric is the second-order model of scaled Newton steps, shared by all rows
// of a half-step. The second derivatives of one row's loss, Σ_p h_p·f_p·f_pᵀ,
// cost k² multiplications a cell. Those of all rows are modelled by one matrix
// of correlations between the components, C, of the second derivatives of a
// typical row, and each row's own diagonal D, which costs one multiplication a
// cell and component:
//
//	√D · C · √D.
type metric[F kernel.Float] struct {
	// c has a unit diagonal; inv is 1, or 0 where a component is zero.
	c, inv []F
	ld     int
	// squares is the fixed factor, squared entry by entry; nil where cells are
	// listed.
	squares *Tall[F]
}

// newMetric forms C from a row whose cells are, in proportion, the sums of the
// columns of the side.
//
// squares has room for the factor squared.
func (h *halfStep[F]) newMetric(p *pool, squares *Tall[F]) (*metric[F], bool) {
	f, k := h.fixed, h.fixed.K
	m := &metric[F]{c: make([]F, k*f.Ld), inv: make([]F, k), ld: f.Ld}
	if h.side.list == nil {
		squares.reshape(f.Rows, k)
		m.squares = squares
	}
	typical, ops := h.cells.typical(h.side, p), h.cells.ops
	// Parts of rows, added up in their order.
	const fewest, most = 1024, 32
	rows := max(fewest, (f.Rows+most-1)/most)
	every := make([]int32, min(rows, f.Rows))
	for i := range every {
		every[i] = int32(i)
	}
	parts := make([][]F, (f.Rows+rows-1)/rows)
	if !p.run(len(parts), func(_, part int) {
		a, b := part*rows, min((part+1)*rows, f.Rows)
		parts[part] = make([]F, f.Ld*f.Ld)
		ops.GatherGram(f.Ld, every[:b-a], typical[a:b], f.rows(a, b), f.Ld, parts[part], f.Ld)
		if m.squares != nil {
			ops.Mul(f.rows(a, b), f.rows(a, b), m.squares.rows(a, b))
		}
	}) {
		return nil, false
	}
	for _, part := range parts {
		for i := range m.c {
			m.c[i] += part[i]
		}
	}
	h.sumFixedGram(m.c, k, f.Ld)
	root := make([]float64, k)
	for j := range root {
		if d := float64(m.c[j*f.Ld+j]); d > 0 {
			root[j] = 1 / math.Sqrt(d)
			m.inv[j] = 1
		}
	}
	for i := range k {
		for j := range k {
			m.c[i*f.Ld+j] = F(float64(m.c[i*f.Ld+j]) * root[i] * root[j])
		}
	}
	return m, true
}

// typical is the second derivative of the loss of a cell that is fitted
// exactly, for the mean row of a side, by its columns.
func (c *Cells[F]) typical(s *side[F], p *pool) []F {
	s.once.Do(func() {
		s.typical = make([]F, s.others)
		mean := c.columnMeans(s, &pool{ctx: background, workers: p.workers})
		a, b := c.steps.Exponents()
		least := 1e-3 * c.Mean
		for i, v := range mean {
			// r^(β−2): a + b is β − 2 below β = 1, 2β − 3 up to 2, and so on;
			// what is between them does not matter to a model.
			s.typical[i] = F(math.Pow(max(v, least)/c.Mean, a+b))
		}
	})
	return s.typical
}

// columnMeans are the means of the columns of a side over its rows.
func (c *Cells[F]) columnMeans(s *side[F], p *pool) []float64 {
	sum := make([]float64, s.others)
	const columns = 256
	switch {
	case s.list != nil || s.sparse != nil:
		x := s.list
		if x == nil {
			x = s.sparse
		}
		s.blocks(func(int, int) bool {
			for q, j := range x.ColIdx {
				sum[j] += float64(x.Val[q])
			}
			return true
		})
	case s == c.right && s.window != nil:
		c.streamedMeans(sum)
	case s.turned:
		p.run((len(sum)+columns-1)/columns, func(_, part int) {
			for i := part * columns; i < min((part+1)*columns, len(sum)); i++ {
				_, sum[i], _, _ = c.ops.Scan(s.dense.Row(i))
			}
		})
	default:
		s.blocks(func(from, to int) bool {
			return p.run((len(sum)+columns-1)/columns, func(_, part int) {
				a, b := part*columns, min((part+1)*columns, len(sum))
				add := sum[a:b]
				for i := from; i < to; i++ {
					for j, v := range s.dense.Row(s.at(i))[a:b] {
						add[j] += float64(v)
					}
				}
			})
		})
	}
	rows := s.rows
	if c.grid != nil && !s.turned {
		c.grid.sum(OfRows, sum)
		rows = c.grid.Rows
	}
	for j := range sum {
		sum[j] /= float64(rows)
	}
	return sum
}

const (
	// shrinkMost is the part of itself that an entry keeps at least in one
	// step: from r = 0 the models of most losses do not find back.
	shrinkMost = 0.1
	// scaledSweeps is the number of sweeps over the components of the model.
	scaledSweeps = 3
	// longest bounds how far a step may be lengthened.
	longest = 4
	// snap is the part of the largest entry of a row, both in units of the
	// model, below which an entry with a positive gradient becomes zero.
	snap = 1e-4
)

// scaledNewton updates a tile by steps of the shared model for each row. With
// search a step is shortened or lengthened to where the slope along it, taken at
// both ends, has its zero, which costs a second evaluation. Nothing proves that
// the loss falls; the driver sees it when it does not, takes the step back and
// makes a multiplicative one, which cannot raise it.
func scaledNewton[F kernel.Float](steps int, search bool) func(h *halfStep[F], ws *tileScratch[F]) {
	return func(h *halfStep[F], ws *tileScratch[F]) {
		for s := range steps {
			if s > 0 {
				h.evaluate(ws, false, true)
			}
			h.scaledStep(ws, search)
		}
	}
}

// scaledStep does one step from a tile whose terms and curvature have been
// evaluated.
func (h *halfStep[F]) scaledStep(ws *tileScratch[F], search bool) {
	t, k, ops, m := kernel.TileRows[F](), ws.k, h.cells.ops, h.metric
	for _, s := range []*[]F{&ws.z, &ws.old, &ws.target} {
		grow(s, k*t)
	}
	h.addAsked(ws, true)
	if search {
		copy(ws.old, ws.w)
	}
	// With y = √D·step the model is g/√D·y + ½·y·C·y, y ≥ −b; z = y + b.
	const keep = 1 - shrinkMost
	ops.NewtonModel(k, keep, ws.w, ws.num, ws.den, ws.curve, ws.d, ws.z, ws.target, ws.most[:t])
	ops.MulAdd(k, t, k, m.c, m.ld, 1, ws.z, t, ws.target, t)
	for range scaledSweeps {
		ops.Sweep(k, ws.z, ws.target, m.c, m.ld, m.inv)
	}
	ops.NewtonStep(k, keep, snap, ws.d, ws.curve, ws.z, ws.w, ws.most[:t])
	h.restore(ws)
	if !search {
		return
	}
	slope, end, by := ws.slopes[0][:t], ws.slopes[1][:t], ws.most[:t]
	ops.Slope(k, ws.num, ws.den, ws.w, ws.old, slope)
	h.evaluate(ws, false, false)
	h.addAsked(ws, false)
	ops.Slope(k, ws.num, ws.den, ws.w, ws.old, end)
	most := F(longest)
	if h.asked.Constrained() {
		most = 1
	}
	for i, s := range slope {
		switch {
		case s >= 0:
			by[i] = 0
		case end[i] > s:
			by[i] = min(most, s/(s-end[i]))
		default:
			by[i] = most
		}
	}
	ops.Lengthen(k, shrinkMost, ws.old, ws.w, by)
}

// addAsked adds what is asked of the factor to den, and to the curvature.
func (h *halfStep[F]) addAsked(ws *tileScratch[F], curved bool) {
	if h.point == nil {
		return
	}
	for i, w := range ws.w {
		ws.den[i] += ws.lin[i] + ws.quad[i]*w
	}
	if curved {
		for i, v := range ws.quad {
			ws.curve[i] += v
		}
	}
}

// polish brings every row of a tile to the tolerance: by scaled steps, which
// are cheap and shared by the tile, while they gain, and Newton's method for
// the rows that they leave.
func polish[F kernel.Float](tol float64, most int) func(h *halfStep[F], ws *tileScratch[F]) {
	rows := newtonWhere(tol, most, false, func(ws *tileScratch[F], i int) bool { return ws.residual[i] > tol })
	return func(h *halfStep[F], ws *tileScratch[F]) {
		const steps, gain = 40, 0.7
		worst := h.worst(ws)
		for s := 0; s < steps && worst > tol; s++ {
			h.scaledStep(ws, true)
			h.evaluate(ws, false, true)
			before := worst
			if worst = h.worst(ws); s > 3 && worst > gain*before {
				break
			}
		}
		if worst > tol {
			rows(h, ws)
		}
	}
}

// clearIdle makes the rows zero none of whose cells counts, where nothing is asked
// of the factor.
func (h *halfStep[F]) clearIdle(ws *tileScratch[F]) {
	if h.asked != nil {
		return
	}
	t := kernel.TileRows[F]()
	for i := range ws.rows {
		top := F(0)
		for j := 0; top == 0 && j < ws.k; j++ {
			top = max(ws.num[j*t+i], ws.den[j*t+i])
		}
		for j := 0; top == 0 && j < ws.k; j++ {
			ws.w[j*t+i] = 0
		}
	}
}

// worst is the largest KKT residual of a row of the tile, whose terms have been
// evaluated; it keeps them all.
func (h *halfStep[F]) worst(ws *tileScratch[F]) float64 {
	t := kernel.TileRows[F]()
	for i, v := range ws.den {
		ws.d[i] = v - ws.num[i]
		if h.point != nil {
			ws.d[i] += ws.lin[i] + ws.quad[i]*ws.w[i]
		}
	}
	h.release(ws)
	var pg, cc [64]float64
	for j := range ws.k {
		for i := range ws.rows {
			at := j*t + i
			if g := float64(ws.d[at]); ws.w[at] > 0 || g < 0 {
				pg[i] += g * g
			}
			cc[i] += float64(ws.num[at]) * float64(ws.num[at])
		}
	}
	worst := 0.0
	for i := range ws.rows {
		ws.residual[i] = 0
		switch {
		case cc[i] > 0:
			ws.residual[i] = math.Sqrt(pg[i] / cc[i])
		case pg[i] > 0:
			ws.residual[i] = 1
		}
		worst = max(worst, ws.residual[i])
	}
	return worst
}
