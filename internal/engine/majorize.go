package engine

import (
	"slices"
	"sync"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/solver"
)

// mostFilling is the number of iterations in which missing cells are taken for
// what the pair makes of them. Nearly all fits are done by then; where one
// creeps, because hardly any cell says what some entries are, the rows' own Gram
// matrices end it. From iteration soonFilled on the rows that make most fits creep
// have them: those where the missing cells would be poorShare of what all cells say
// of a component.
const (
	mostFilling = 500
	soonFilled  = 40
	poorShare   = 0.75
)

// few reports whether the cells that do not count are so few that a half-step
// may take them for what the pair makes of them: at most a quarter of all cells,
// and half of a row or a column, and what counts, counts once. Then
//
//	½Σ_observed (x − wh)² ≤ ½Σ_observed (x − wh)² + ½Σ_missing (w'h − wh)²,
//
// with equality at the w' that the half-step begins with. The right side is the
// problem of complete data, with one Gram matrix for all rows (Zhang, Wang,
// Ford & Makedon 2006), where the left one has a Gram matrix for each. What is
// lost is a part of each step that is about the missing part of the cells.
func (c *Cells[F]) few() bool {
	if !c.steps.Frobenius() {
		return false
	}
	for _, s := range []*side[F]{c.left, c.right} {
		if s.weights != nil || s.own != nil || s.other != nil || s.list != nil && !s.rest {
			return false
		}
		total := 0
		ok := s.blocks(func(a, b int) bool {
			for i := a; i < b; i++ {
				missing := 0
				if s.missing != nil {
					missing = len(s.missing.Row(s.at(i)))
				} else if s.weighsListed() {
					for _, w := range s.weightsOf(i) {
						if w == 0 {
							missing++
						} else if w != 1 {
							return false
						}
					}
				}
				if 2*missing > s.others {
					return false
				}
				total += missing
			}
			return true
		})
		if !ok || 4*total > s.rows*s.others {
			return false
		}
	}
	return true
}

// masked reports whether the side is held in panels of which some cells are
// missing, and the loss is a square: then zeros in WH take the missing cells
// out, X having zeros there, and no weights are needed.
func (s *side[F]) masked(l *loss.Loss) bool {
	return s.list == nil && s.missing != nil && s.weights == nil && s.own == nil && s.other == nil && l.Frobenius()
}

// mask takes the missing cells of a tile out of r, a panel of the columns p0 to
// p1 of the side. Panels come in order: ws.reached is where each row has got to.
func (h *halfStep[F]) mask(ws *tileScratch[F], p0, p1 int, r []F) {
	t := kernel.TileRows[F]()
	if p0 == 0 {
		clear(ws.reached[:])
	}
	if h.side.kept != nil {
		q, first, last := ws.reached[0], int32(p0*t), int32(p1*t)
		for ; q < len(ws.absent) && ws.absent[q] < last; q++ {
			r[ws.absent[q]-first] = 0
		}
		ws.reached[0] = q
		return
	}
	for i := range ws.rows {
		idx, q := h.side.missing.Row(h.side.at(ws.first+i)), ws.reached[i]
		for ; q < len(idx) && int(idx[q]) < p1; q++ {
			r[(int(idx[q])-p0)*t+i] = 0
		}
		ws.reached[i] = q
	}
}

// maskedPanels bounds the bytes of the panels of a side that are kept.
const maskedPanels = 64 << 20

// panelCache keeps the cells of a side in panels, tile by tile, each made when
// it is first asked for, and the places in them of the cells that are missing.
type panelCache[F kernel.Float] struct {
	once   []sync.Once
	x      [][]F
	absent [][]int32
}

// newPanelCache is nil where the panels are too large to be kept.
func newPanelCache[F kernel.Float](s *side[F]) *panelCache[F] {
	n := tiles[F](s.rows)
	size := 64 / kernel.Width[F]()
	if n*kernel.TileRows[F]()*s.others > maskedPanels/size {
		return nil
	}
	return &panelCache[F]{once: make([]sync.Once, n), x: make([][]F, n), absent: make([][]int32, n)}
}

// maskedPanel takes the cells of the tile of rows a to b, with zeros in the lanes
// beyond b, so that those add nothing to a loss.
func (h *halfStep[F]) maskedPanel(ws *tileScratch[F], a, b int) {
	s, t := h.side, kernel.TileRows[F]()
	fill := func(x []F) {
		s.panel(h.cells.ops, a, b, t, 0, s.others, x, nil)
		clearBeyond(x, b-a, s.others)
	}
	if c, at := s.kept, a/t; c != nil {
		c.once[at].Do(func() {
			c.x[at] = make([]F, s.others*t)
			fill(c.x[at])
			for i := a; i < b; i++ {
				for _, j := range s.missing.Row(i) {
					c.absent[at] = append(c.absent[at], j*int32(t)+int32(i-a))
				}
			}
			slices.Sort(c.absent[at])
		})
		ws.panel, ws.absent = c.x[at], c.absent[at]
		return
	}
	grow(&ws.x, s.others*t)
	fill(ws.x)
	ws.panel = ws.x
}

// evaluateMasked is evaluate for panels of which cells are missing.
func (h *halfStep[F]) evaluateMasked(ws *tileScratch[F], wantLoss bool) (sum float64) {
	t, k, ops := kernel.TileRows[F](), ws.k, h.cells.ops
	lanes := kernel.Pad[F](ws.rows)
	clear(ws.num)
	clear(ws.den)
	clearBeyond(ws.w, ws.rows, k)
	for p0 := 0; p0 < h.side.others; p0 += panelRows {
		p1 := min(p0+panelRows, h.side.others)
		x, r := ws.panel[p0*t:p1*t], ws.r[:(p1-p0)*t]
		clear(r)
		f := h.fixed.Data[p0*h.fixed.Ld:]
		ops.MulAdd(p1-p0, lanes, k, f, h.fixed.Ld, 1, ws.w, t, r, t)
		h.mask(ws, p0, p1, r)
		if wantLoss {
			sum += h.cells.steps.Sum(x, r, nil, nil, &ws.loss)
		}
		ops.MulAdd(k, lanes, p1-p0, f, 1, h.fixed.Ld, x, t, ws.num, t)
		ops.MulAdd(k, lanes, p1-p0, f, 1, h.fixed.Ld, r, t, ws.den, t)
	}
	return sum
}

// shareGram forms the Gram matrix of the fixed factor, the same for all rows.
func (h *halfStep[F]) shareGram(p *pool) bool {
	h.complete = solver.NewGram[F](h.fixed.K)
	return gramOf(p, h.cells.ops, h.complete, h.fixed, 0, 0, h.fixed.Rows) && (!h.apart || h.side.rows < h.side.others || h.findLeverage(p))
}

// findLeverage finds for each row of the fixed factor the largest part that it has in
// the squared norm of a component.
func (h *halfStep[F]) findLeverage(p *pool) bool {
	f, g, tile := h.fixed, h.complete, kernel.TileRows[F]()
	inverse := make([]F, f.K)
	for j := range inverse {
		if d := g.Diag(j); d > 0 {
			inverse[j] = F(1 / d)
		}
	}
	h.leverage = make([]F, f.Rows)
	return p.run(tiles[F](f.Rows), func(_, t int) {
		for i := t * tile; i < min((t+1)*tile, f.Rows); i++ {
			most := F(0)
			for j, v := range f.Row(i) {
				most = max(most, v*v*inverse[j])
			}
			h.leverage[i] = most
		}
	})
}

// absent lists the columns of line i that are missing, in room where they are not
// listed already.
func (s *side[F]) absent(i int, room *[]int32) []int32 {
	if s.missing != nil {
		return s.missing.Row(s.at(i))
	}
	*room = (*room)[:0]
	if s.weighsListed() {
		idx, _ := s.list.Row(s.at(i))
		for q, w := range s.weightsOf(i) {
			if w == 0 {
				*room = append(*room, idx[q])
			}
		}
	}
	return *room
}

// poor reports whether the columns that a line does not have would be poorShare or
// more of what all say of a component.
func (h *halfStep[F]) poor(ws *tileScratch[F], absent []int32) bool {
	if h.leverage != nil {
		share := F(0)
		for _, p := range absent {
			share += h.leverage[p]
		}
		if share < poorShare {
			return false
		}
	}
	g, ld := h.complete, h.fixed.Ld
	squares := ws.rowNum[:ld]
	clear(squares)
	h.cells.ops.GatherSquares(ld, absent, ws.count(len(absent)), h.fixed.Data, ld, squares)
	for j, v := range squares[:ws.k] {
		if v > 0 && v >= poorShare*g.G[j*g.Ld+j] {
			return true
		}
	}
	return false
}

// count gives n ones.
func (ws *tileScratch[F]) count(n int) []F {
	for len(ws.ones) < n {
		ws.ones = append(ws.ones, 1)
	}
	return ws.ones[:n]
}

// solvePoor solves the rows of a tile that are poor, each with the Gram matrix of the
// columns that it has; num must hold their cross products.
func (h *halfStep[F]) solvePoor(ws *tileScratch[F]) {
	t, k, ld := kernel.TileRows[F](), ws.k, h.fixed.Ld
	s, asked := &ws.rowSolver, rowAsked{}
	s.reset(k, ld)
	s.pivots = false
	for i := range ws.rows {
		absent := h.side.absent(ws.first+i, &ws.away)
		if !h.poor(ws, absent) {
			continue
		}
		ws.there = ws.there[:0]
		for p := range h.side.others {
			if len(absent) > 0 && int(absent[0]) == p {
				absent = absent[1:]
				continue
			}
			ws.there = append(ws.there, int32(p))
		}
		clear(s.gram)
		h.cells.ops.GatherGram(ld, ws.there, ws.count(len(ws.there)), h.fixed.Data, ld, s.gram, ld)
		for a := range k {
			s.w[a], s.slope[a] = ws.w[a*t+i], -float64(ws.num[a*t+i])
			for b := range k {
				s.g64[a*k+b] = float64(s.gram[a*ld+b])
				s.slope[a] += s.g64[a*k+b] * float64(ws.w[b*t+i])
			}
		}
		s.descend(&asked)
		for j := range k {
			ws.w[j*t+i] = F(max(0, float64(s.w[j])+s.delta[j]))
		}
	}
}

// majorized updates a tile as that of complete data: coordinate descent with
// the Gram matrix that all rows share, up to `sweeps` times and while it still
// gains (as solver hals does). With apart poor rows are solved on their own.
func majorized[F kernel.Float](sweeps func(k int, cells float64) int) func(h *halfStep[F], ws *tileScratch[F]) {
	hals, err := solver.New[F]("hals")
	if err != nil {
		panic(err)
	}
	return func(h *halfStep[F], ws *tileScratch[F]) {
		t, k, ops, g := kernel.TileRows[F](), ws.k, h.cells.ops, h.complete
		if ws.tile == nil {
			ws.tile = solver.NewTile(ops, k)
		}
		tile := ws.tile
		tile.K, tile.Rows = k, ws.rows
		cross := tile.C[:len(ws.num)]
		copy(cross, ws.num)
		ws.subtract(ops, cross, ws.den)
		ops.MulAdd(k, t, k, g.G, g.Ld, 1, ws.w, t, tile.C, t)
		copy(tile.W, ws.w)
		hals.Update(g, tile, sweeps(k, float64(h.side.others)))
		copy(ws.w, tile.W)
		if h.apart {
			h.solvePoor(ws)
		}
	}
}
