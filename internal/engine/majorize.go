package engine

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/solver"
)

// mostFilling is the number of iterations in which missing cells are taken for
// what the pair makes of them. Nearly all fits are done by then; where one
// creeps, because hardly any cell says what some entries are, the rows' own Gram
// matrices end it. From iteration soonFilled on the entries that make most fits creep,
// of which the missing cells would be poorShare of what all cells say of the component,
// have steps of their own.
const (
	mostFilling = 500
	soonFilled  = 20
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
	// sumSq are the sums of the squares of the cells.
	sumSq []float64
}

// newPanelCache is nil where the panels are too large to be kept.
func newPanelCache[F kernel.Float](s *side[F]) *panelCache[F] {
	n := tiles[F](s.rows)
	size := 64 / kernel.Width[F]()
	if n*kernel.TileRows[F]()*s.others > maskedPanels/size {
		return nil
	}
	return &panelCache[F]{once: make([]sync.Once, n), x: make([][]F, n), absent: make([][]int32, n), sumSq: make([]float64, n)}
}

// maskedPanel takes the cells of the tile of rows a to b, with zeros in the lanes
// beyond b, so that those add nothing to a loss.
func (h *halfStep[F]) maskedPanel(ws *tileScratch[F], a, b int) {
	s, t := h.side, kernel.TileRows[F]()
	fill := func(x []F) {
		s.panel(h.cells.ops, a, b, t, 0, s.others, x, nil)
		clearBeyond(x, b-a, s.others)
		_, _, ws.sumSq, _ = h.cells.ops.Scan(x)
	}
	if c, at := s.kept, a/t; c != nil {
		c.once[at].Do(func() {
			c.x[at] = make([]F, s.others*t)
			fill(c.x[at])
			c.sumSq[at] = ws.sumSq
			for i := a; i < b; i++ {
				for _, j := range s.missing.Row(i) {
					c.absent[at] = append(c.absent[at], j*int32(t)+int32(i-a))
				}
			}
			slices.Sort(c.absent[at])
		})
		ws.panel, ws.absent, ws.sumSq = c.x[at], c.absent[at], c.sumSq[at]
		return
	}
	grow(&ws.x, s.others*t)
	fill(ws.x)
	ws.panel = ws.x
}

// maskedRows is panelRows for panels of which cells are missing: what is made of one
// goes through the nearest cache four times.
const maskedRows = 64

// evaluateMasked is evaluate for panels of which cells are missing.
func (h *halfStep[F]) evaluateMasked(ws *tileScratch[F], wantLoss bool) (sum float64) {
	t, k, ops := kernel.TileRows[F](), ws.k, h.cells.ops
	lanes := kernel.Pad[F](ws.rows)
	clear(ws.num)
	clear(ws.den)
	clearBeyond(ws.w, ws.rows, k)
	for p0 := 0; p0 < h.side.others; p0 += maskedRows {
		p1 := min(p0+maskedRows, h.side.others)
		x, r := ws.panel[p0*t:p1*t], h.maskedProduct(ws, p0, p1)
		f := h.fixed.Data[p0*h.fixed.Ld:]
		ops.MulAdd(k, lanes, p1-p0, f, 1, h.fixed.Ld, x, t, ws.num, t)
		ops.MulAdd(k, lanes, p1-p0, f, 1, h.fixed.Ld, r, t, ws.den, t)
	}
	if !wantLoss {
		return 0
	}
	// While the pair is on its way the products tell its loss, unless it is so small
	// that the difference has lost too many digits.
	if h.update != nil {
		twice := ws.sumSq
		for i, w := range ws.w {
			twice += float64(w) * (float64(ws.den[i]) - 2*float64(ws.num[i]))
		}
		if least := Cancellation[F](); twice >= least*least*ws.sumSq {
			return twice / 2
		}
	}
	for p0 := 0; p0 < h.side.others; p0 += maskedRows {
		p1 := min(p0+maskedRows, h.side.others)
		sum += h.cells.steps.Sum(ws.panel[p0*t:p1*t], h.maskedProduct(ws, p0, p1), nil, nil, &ws.loss)
	}
	return sum
}

// maskedProduct is WH in the columns p0 to p1 of the side, at most maskedRows, and
// zero where a cell is missing. Panels come in order.
func (h *halfStep[F]) maskedProduct(ws *tileScratch[F], p0, p1 int) []F {
	t := kernel.TileRows[F]()
	r := ws.r[:(p1-p0)*t]
	clear(r)
	h.cells.ops.MulAdd(p1-p0, kernel.Pad[F](ws.rows), ws.k, h.fixed.Data[p0*h.fixed.Ld:], h.fixed.Ld, 1, ws.w, t, r, t)
	h.mask(ws, p0, p1, r)
	return r
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

// shares adds up, for each row of a tile, the leverage of the columns that it does
// not have.
func (h *halfStep[F]) shares(ws *tileScratch[F]) {
	t := kernel.TileRows[F]()
	clear(ws.most[:])
	if h.side.kept != nil && h.side.masked(h.cells.steps.Loss) {
		shift := bits.TrailingZeros(uint(t))
		for _, place := range ws.absent {
			ws.most[int(place)&(t-1)] += h.leverage[place>>shift]
		}
		return
	}
	for i := range ws.rows {
		for _, p := range h.side.absent(ws.first+i, &ws.away) {
			ws.most[i] += h.leverage[p]
		}
	}
}

// poorSquares adds up the squares of the columns that a line does not have, and reports
// whether they are poorShare or more of what all columns say of a component.
func (h *halfStep[F]) poorSquares(ws *tileScratch[F], absent []int32) (squares []F, poor bool) {
	ld := h.fixed.Ld
	squares = ws.rowNum[:ld]
	clear(squares)
	h.cells.ops.GatherSquares(ld, absent, ws.count(len(absent)), h.fixed.Data, ld, squares)
	for j := range ws.k {
		poor = poor || h.poor(squares, j)
	}
	return squares[:ws.k], poor
}

// poor reports whether squares, those of missing columns, are poorShare or more of what
// all columns say of component j.
func (h *halfStep[F]) poor(squares []F, j int) bool {
	return squares[j] > 0 && squares[j] >= poorShare*h.complete.G[j*h.complete.Ld+j]
}

// count gives n ones.
func (ws *tileScratch[F]) count(n int) []F {
	for len(ws.ones) < n {
		ws.ones = append(ws.ones, 1)
	}
	return ws.ones[:n]
}

// stepPoor moves the entries of a tile that are poor to where the columns that their
// rows have want them, the other entries being what they are; num must hold the cross
// products of the rows.
func (h *halfStep[F]) stepPoor(ws *tileScratch[F]) {
	t, k := kernel.TileRows[F](), ws.k
	if h.leverage != nil {
		h.shares(ws)
	}
	s := &ws.rowSolver
	s.reset(k, h.fixed.Ld)
	for i := range ws.rows {
		// No component loses more than the row's share.
		if h.leverage != nil && ws.most[i] < poorShare {
			continue
		}
		absent := h.side.absent(ws.first+i, &ws.away)
		squares, poor := h.poorSquares(ws, absent)
		if !poor {
			continue
		}
		for j := range k {
			if !h.poor(squares, j) {
				continue
			}
			gram := s.slope[:k]
			h.present(j, absent, gram)
			if gram[j] == 0 {
				continue
			}
			gradient := -float64(ws.num[j*t+i])
			for b, v := range gram {
				gradient += v * float64(ws.w[b*t+i])
			}
			ws.w[j*t+i] = F(max(0, float64(ws.w[j*t+i])-gradient/gram[j]))
		}
	}
}

// present fills gram with row j of the Gram matrix of the columns that are not absent;
// its diagonal is zero where they say nothing of component j.
func (h *halfStep[F]) present(j int, absent []int32, gram []float64) {
	// least is the part of the diagonal up to which a difference has enough digits.
	const least = 1.0 / 1024
	f, g := h.fixed, h.complete.G[j*h.complete.Ld:]
	for b := range gram {
		gram[b] = float64(g[b])
	}
	for _, p := range absent {
		row := f.Row(int(p))
		v := float64(row[j])
		for b := range gram {
			gram[b] -= v * float64(row[b])
		}
	}
	if gram[j] >= least*float64(g[j]) {
		return
	}
	clear(gram)
	for p := range f.Rows {
		if len(absent) > 0 && int(absent[0]) == p {
			absent = absent[1:]
			continue
		}
		row := f.Row(p)
		if v := float64(row[j]); v > 0 {
			for b := range gram {
				gram[b] += v * float64(row[b])
			}
		}
	}
}

// majorized updates a tile as that of complete data: coordinate descent with
// the Gram matrix that all rows share, up to `sweeps` times and while it still
// gains (as solver hals does). With apart poor entries have steps of their own.
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
			h.stepPoor(ws)
		}
	}
}
