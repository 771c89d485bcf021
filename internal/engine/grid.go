package engine

import (
	"context"
	"math"
	"slices"

	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/solver"
)

// Grid says which part of X this rank holds of a fit that runs over several,
// and joins it with the others. Of pr x pc ranks, rank i·pc + j holds the cells
// in part i of the rows and part j of the columns (Kannan, Ballard & Park
// 2018). It has all rows of W and of Hᵀ that belong to those, and updates a
// share of each: the shares of W are gathered by the ranks of its grid row, that
// hold the same rows, the shares of Hᵀ by those of its grid column. With one grid
// column (pc = 1) every rank holds whole rows of X, and a pass is what it is in
// one process; with more, the products X·H are sums over the grid row, and the
// second product of the pass waits for W.
//
// Everything that a fit decides by is summed over the ranks, in rank order, so
// that all decide the same. A nil Grid is one process; its methods then do
// nothing.
type Grid struct {
	// Rows and Cols are those of the whole X; this rank's part begins at
	// FirstRow and FirstCol and has the size of its Data.
	Rows, Cols, FirstRow, FirstCol int

	// all joins all ranks, row those of a grid row, column those of a grid
	// column.
	all, row, column comm.Comm
	// The rank q of row updates the local rows rowShares[q] to rowShares[q+1] of
	// W, the rank q of column the local rows of Hᵀ by columnShares.
	rowShares, columnShares []int
	*link
}

// link is what a Grid has in common with those of some of its rows.
type link struct {
	// room is what vectors travel in: a *travelRoom.
	room any
	// lost is why a collective failed: the group is then of no use any more.
	lost error
}

// Side says what a number of a rank is a part of.
type Side int

const (
	// OfRows: a sum over the rows of X, of which a rank has its own.
	OfRows Side = iota
	// OfColumns: a sum over the columns of X.
	OfColumns
)

// NewGrid is collective. c has pr·pc ranks, whose rows of X begin at rows[rank],
// and end at the last entry; every rank updates its own rows of W. Columns are
// divided evenly.
func NewGrid(c comm.Comm, pr, pc int, rows []int, cols int) (*Grid, error) {
	i, j := c.Rank()/pc, c.Rank()%pc
	g := &Grid{Rows: rows[len(rows)-1], Cols: cols, FirstRow: rows[i*pc], all: c, link: new(link)}
	for _, r := range rows[i*pc : (i+1)*pc+1] {
		g.rowShares = append(g.rowShares, r-g.FirstRow)
	}
	var last int
	g.FirstCol, last = Share(cols, pc, j)
	for q := range pr {
		from, _ := Share(last-g.FirstCol, pr, q)
		g.columnShares = append(g.columnShares, from)
	}
	g.columnShares = append(g.columnShares, last-g.FirstCol)
	var err error
	if g.row, err = c.Split(i, j); err != nil {
		return nil, err
	}
	g.column, err = c.Split(j, i)
	return g, err
}

// shareStep is what shares begin at a multiple of: whole tiles of either
// precision, so that the tiles are those of one process.
const shareStep = 64

// Share is part i of n rows that are divided over p ranks. Where there are
// fewer than 64 for each, the last ranks have none.
func Share(n, p, i int) (from, to int) {
	from, to = comm.Part((n+shareStep-1)/shareStep, p, i)
	return min(n, from*shareStep), min(n, to*shareStep)
}

// Parts gives the numbers of local rows and columns.
func (g *Grid) Parts() (rows, cols int) {
	return g.rowShares[g.row.Size()], g.columnShares[g.column.Size()]
}

// OwnRows gives the local rows of W that this rank updates, of rows.
func (g *Grid) OwnRows(rows int) (from, to int) {
	if g == nil {
		return 0, rows
	}
	return g.rowShares[g.row.Rank()], g.rowShares[g.row.Rank()+1]
}

// ownColumns gives the local rows of Hᵀ that this rank updates, of cols.
func (g *Grid) ownColumns(cols int) (from, to int) {
	if g == nil {
		return 0, cols
	}
	return g.columnShares[g.column.Rank()], g.columnShares[g.column.Rank()+1]
}

// stride is every step-th row of X, from row `first` on of those of a rank.
type stride struct{ first, step int }

// stride gives the rows i of the whole X that are b modulo step, as this rank has
// them.
func (g *Grid) stride(b, step int) stride {
	if g == nil {
		return stride{b, step}
	}
	return stride{((b-g.FirstRow)%step + step) % step, step}
}

// before is the number of its rows before a row.
func (s stride) before(row int) int { return max(0, row-s.first+s.step-1) / s.step }

// row is its q-th row.
func (s stride) row(q int) int { return s.first + q*s.step }

// every is the grid of the matrix of the rows of X that are b modulo step, from its
// row b on. A rank has those of its own rows, and updates those that it updates.
func (g *Grid) every(b, step int) *Grid {
	if g == nil {
		return nil
	}
	part, of := *g, stride{b, step}
	part.Rows, part.FirstRow = of.before(g.Rows), of.before(g.FirstRow)
	part.rowShares = make([]int, len(g.rowShares))
	for q, share := range g.rowShares {
		part.rowShares[q] = of.before(g.FirstRow+share) - part.FirstRow
	}
	return &part
}

// divided reports whether rows of X are divided among ranks.
func (g *Grid) divided() bool { return g != nil && g.row.Size() > 1 }

// Lost is why the ranks lost each other, nil where they did not.
func (g *Grid) Lost() error {
	if g == nil {
		return nil
	}
	return g.lost
}

// pool gives what runs the tasks of a fit. Over ranks its tasks are never
// cancelled: a rank that stopped alone would leave the others waiting. There
// the ranks agree once an iteration.
func (g *Grid) pool(ctx context.Context, workers int) *pool {
	if g != nil {
		ctx = context.WithoutCancel(ctx)
	}
	return &pool{ctx: ctx, workers: max(1, workers)}
}

// do runs a collective unless an earlier one has failed.
func (g *Grid) do(c comm.Comm, collective func() error) {
	if g.lost == nil && c.Size() > 1 {
		g.lost = collective()
	}
}

// over is the group that a sum of a side goes over.
func (g *Grid) over(side Side) comm.Comm {
	if side == OfRows {
		return g.column
	}
	return g.row
}

// sum adds v over the ranks that have parts of it.
func (g *Grid) sum(side Side, v []float64) {
	if g != nil {
		c := g.over(side)
		g.do(c, func() error { return comm.SumAll(c, v) })
	}
}

// sumAll adds v over all ranks.
func (g *Grid) sumAll(v []float64) {
	if g != nil {
		g.do(g.all, func() error { return comm.SumAll(g.all, v) })
	}
}

// total is the sum of v over all ranks.
func (g *Grid) total(v float64) float64 {
	if g == nil {
		return v
	}
	s := []float64{v}
	g.sumAll(s)
	return s[0]
}

// agree reports whether it is ok on all ranks.
func (g *Grid) agree(ok bool) bool {
	if g == nil {
		return ok
	}
	bad := 0.0
	if !ok {
		bad = 1
	}
	return g.total(bad) == 0 && g.lost == nil
}

// all64 is the sum of v over all ranks, and whether all of them are ok.
func (g *Grid) all64(v float64, ok bool) (float64, bool) {
	if g == nil {
		return v, ok
	}
	s := []float64{v, 0}
	if !ok {
		s[1] = 1
	}
	g.sumAll(s)
	return s[0], s[1] == 0 && g.lost == nil
}

// sumGrams adds Gram matrices over all ranks and reports whether all of them
// are ok. Of each only the upper half travels.
func sumGrams[F kernel.Float](g *Grid, ok bool, grams ...*solver.Gram[F]) bool {
	if g == nil {
		return ok
	}
	upper := []F{0}
	if !ok {
		upper[0] = 1
	}
	for _, m := range grams {
		for i := range m.K {
			upper = append(upper, m.G[i*m.Ld+i:i*m.Ld+m.K]...)
		}
	}
	g.do(g.all, func() error { return comm.SumAll(g.all, upper) })
	ok = upper[0] == 0 && g.lost == nil
	at := 1
	for _, m := range grams {
		for i := range m.K {
			for j := i; j < m.K; j++ {
				m.G[i*m.Ld+j], m.G[j*m.Ld+i] = upper[at], upper[at]
				at++
			}
		}
	}
	return ok
}

// gather brings the shares of t that the ranks of c have made to all of them.
func gather[F kernel.Float](g *Grid, c comm.Comm, shares []int, t *Tall[F]) {
	if c.Size() == 1 {
		return
	}
	room := roomOf[F](g)
	mine := t.packed(room.mine, shares[c.Rank()], shares[c.Rank()+1])
	grow(&room.all, t.Rows*t.K)
	g.do(c, func() error { return comm.AllGather(c, mine, room.all, widths(shares, t.K)) })
	t.unpack(0, room.all)
	room.mine = mine
}

// sumShares adds t over the ranks of c, and leaves each its share of the sum.
func sumShares[F kernel.Float](g *Grid, c comm.Comm, shares []int, t *Tall[F]) {
	if c.Size() == 1 {
		return
	}
	room, from, to := roomOf[F](g), shares[c.Rank()], shares[c.Rank()+1]
	grow(&room.mine, (to-from)*t.K)
	room.all = t.packed(room.all, 0, t.Rows)
	g.do(c, func() error { return comm.SumScatter(c, room.all, widths(shares, t.K), room.mine) })
	t.unpack(from, room.mine)
}

// widths is the number of entries of each share, of k columns.
func widths(shares []int, k int) []int {
	counts := make([]int, len(shares)-1)
	for q := range counts {
		counts[q] = (shares[q+1] - shares[q]) * k
	}
	return counts
}

// travelRoom is where rows are without their padding, this rank's own and those
// of all.
type travelRoom[F kernel.Float] struct{ mine, all []F }

func roomOf[F kernel.Float](g *Grid) *travelRoom[F] {
	r, ok := g.room.(*travelRoom[F])
	if !ok {
		r = new(travelRoom[F])
		g.room = r
	}
	return r
}

// packed gives the rows a to b without their padding, in `in` where that is
// large enough.
func (t *Tall[F]) packed(in []F, a, b int) []F {
	out := slices.Grow(in[:0], (b-a)*t.K)
	for i := a; i < b; i++ {
		out = append(out, t.Row(i)...)
	}
	return out
}

// unpack puts rows without padding into t from row `first` on.
func (t *Tall[F]) unpack(first int, rows []F) {
	for i := range len(rows) / max(1, t.K) {
		copy(t.Row(first+i), rows[i*t.K:(i+1)*t.K])
	}
}

// shareRows gives the ranks of a grid row each other's shares of a W.
func shareRows[F kernel.Float](g *Grid, w *Tall[F]) {
	if g != nil {
		gather(g, g.row, g.rowShares, w)
	}
}

// shareColumns gives the ranks of a grid column each other's shares of an Hᵀ.
func shareColumns[F kernel.Float](g *Grid, h *Tall[F]) {
	if g != nil {
		gather(g, g.column, g.columnShares, h)
	}
}

// sumColumnShares adds XᵀW over a grid column; a rank keeps its share.
func sumColumnShares[F kernel.Float](g *Grid, q *Tall[F]) {
	if g != nil {
		sumShares(g, g.column, g.columnShares, q)
	}
}

// OwnW is a copy of the rows of a W that this rank updates.
func OwnW[F kernel.Float](g *Grid, w *Tall[F]) *Tall[F] {
	from, to := g.OwnRows(w.Rows)
	own := NewTall[F](to-from, w.K)
	own.Unpack(w.packed(nil, from, to))
	return own
}

// WholeH is collective and gives all rows of an Hᵀ.
func WholeH[F kernel.Float](g *Grid, h *Tall[F]) (*Tall[F], error) {
	p := g.row.Size()
	if p == 1 {
		return h, nil
	}
	all, shares := NewTall[F](g.Cols, h.K), make([]int, p+1)
	for q := range p {
		_, shares[q+1] = Share(g.Cols, p, q)
	}
	rows := make([]F, g.Cols*h.K)
	err := comm.AllGather(g.row, h.Packed(), rows, widths(shares, h.K))
	all.Unpack(rows)
	return all, err
}

// Packed gives all rows without their padding, Unpack puts such rows into t.
func (t *Tall[F]) Packed() []F { return t.packed(nil, 0, t.Rows) }

func (t *Tall[F]) Unpack(rows []F) { t.unpack(0, rows) }

// sumTall adds all of a tall product over a side.
func sumTall[F kernel.Float](g *Grid, side Side, t *Tall[F]) {
	if g == nil || g.over(side).Size() == 1 {
		return
	}
	all := t.packed(nil, 0, t.Rows)
	g.do(g.over(side), func() error { return comm.SumAll(g.over(side), all) })
	t.unpack(0, all)
}

// Over makes d a rank's part of X: sums become those over all ranks. It is
// collective, and for valid data.
func (d *Data[F]) Over(g *Grid) {
	d.grid = g
	row, _ := d.cells()
	sums := []float64{d.Sum, d.SumSq, row * float64(d.Rows)}
	if d.Rows == 0 || d.Cols == 0 {
		sums[2] = 0
	}
	g.sumAll(sums)
	d.Sum, d.SumSq = sums[0], sums[1]
	d.meanRow, d.meanColumn = sums[2]/float64(g.Rows), sums[2]/float64(g.Cols)
	g.do(g.all, func() error {
		each, err := comm.Each(g.all, float64(d.Largest))
		if err == nil {
			d.Largest = F(slices.Max(each))
		}
		return err
	})
}

// AllRows and AllCols are those of the whole X.
func (d *Data[F]) AllRows() int {
	if d.grid == nil {
		return d.Rows
	}
	return d.grid.Rows
}

func (d *Data[F]) AllCols() int {
	if d.grid == nil {
		return d.Cols
	}
	return d.grid.Cols
}

// First gives the row and the column of the whole X that this part begins at.
func (d *Data[F]) First() (row, col int) {
	if d.grid == nil {
		return 0, 0
	}
	return d.grid.FirstRow, d.grid.FirstCol
}

// SumOver adds v over the ranks that have parts of it.
func (d *Data[F]) SumOver(side Side, v []float64) { d.grid.sum(side, v) }

// OwnRows gives the rows of W that this rank updates.
func (d *Data[F]) OwnRows() (from, to int) { return d.grid.OwnRows(d.Rows) }

// Share gives the ranks that hold the same rows of X each other's rows of W,
// where each has set its own.
func (d *Data[F]) Share(w *Tall[F]) { shareRows(d.grid, w) }

// meanCells is the mean number of multiplications for each component that the
// cross product of a row, and of a column, of the whole X costs.
func (d *Data[F]) meanCells() (row, column float64) {
	if d.meanRow > 0 {
		return d.meanRow, d.meanColumn
	}
	return d.cells()
}

// widestCols is the number of rows of Hᵀ that a pass works with on any rank.
func (d *Data[F]) widestCols() int {
	if d.grid == nil {
		return d.Cols
	}
	_, to := Share(d.grid.Cols, d.grid.row.Size(), 0)
	return to
}

// holds reports whether this rank has row i of the whole X, and as which.
func (d *Data[F]) holds(i int) (local int, ok bool) { return d.grid.holds(i, d.Rows) }

// holds reports whether row i of the whole X is among this rank's `rows`, and as
// which.
func (g *Grid) holds(i, rows int) (local int, ok bool) {
	if g != nil {
		i -= g.FirstRow
	}
	return i, i >= 0 && i < rows
}

// OfRow gives v of row i of the whole X, where v has a number for every row.
func (d *Data[F]) OfRow(v []float64, i int) float64 {
	s := []float64{0}
	if local, ok := d.holds(i); ok {
		s[0] = v[local]
	}
	d.grid.sum(OfRows, s)
	return s[0]
}

// SetRow sets the number of row i of the whole X, where this rank holds it.
func (d *Data[F]) SetRow(v []float64, i int, to float64) {
	if local, ok := d.holds(i); ok {
		v[local] = to
	}
}

// Top is the row of the whole X of which v, a number for every row, is largest,
// the first of equals.
func (d *Data[F]) Top(v []float64) (row int, value float64) {
	row, value = -1, math.Inf(-1)
	for i, x := range v {
		if x > value {
			row, value = i, x
		}
	}
	g := d.grid
	if g == nil {
		return row, value
	}
	g.do(g.column, func() error {
		tops, err := comm.Each(g.column, value)
		if err != nil {
			return err
		}
		rows, err := comm.Each(g.column, int64(row+g.FirstRow))
		if err != nil {
			return err
		}
		best := 0
		for q, t := range tops {
			if t > tops[best] {
				best = q
			}
		}
		row, value = int(rows[best])-g.FirstRow, tops[best]
		return nil
	})
	return row + g.FirstRow, value
}

// fromRow gives what the ranks that hold row i of the whole X know of it, n
// numbers for their columns, to all that hold the same columns.
func (g *Grid) fromRow(i int, v []float64, n int) []float64 {
	if g == nil {
		return v
	}
	if v == nil {
		v = make([]float64, n)
	}
	g.sum(OfRows, v)
	return v
}

// sumPass adds what the slots have measured in a pass over all ranks: the
// gradients of both factors and the part of the loss that depends on H.
func (f *fitter[F]) sumPass() {
	g := f.x.grid
	if g == nil {
		return
	}
	var v []float64
	for _, s := range f.slots {
		columns := newGradientSums(s.k)
		dot := s.columnTile.addTo(columns)
		v = append(v, dot)
		for _, part := range [][]float64{s.rows.pg, s.rows.cc, columns.pg, columns.cc} {
			v = append(v, part...)
		}
	}
	g.sumAll(v)
	for _, s := range f.slots {
		s.columnTile.reset(1, s.k)
		to := s.columnTile.each[0]
		s.columnTile.dot[0] = v[0]
		v = v[1:]
		for _, part := range [][]float64{s.rows.pg, s.rows.cc, to.pg, to.cc} {
			v = v[copy(part, v[:len(part)]):]
		}
	}
}

// slotGrams lists one Gram matrix of every slot.
func (f *fitter[F]) slotGrams(of func(*slot[F]) *solver.Gram[F]) []*solver.Gram[F] {
	grams := make([]*solver.Gram[F], len(f.slots))
	for i, s := range f.slots {
		grams[i] = of(s)
	}
	return grams
}

// productsApart is bothProducts where rows of X are divided among ranks: the
// products X·H are summed over them, every rank updates its share of W, and
// then the second product can be made.
func (f *fitter[F]) productsApart() bool {
	st, g := f.stack, f.x.grid
	ok := f.x.crossRows(f.pool, st.ahead(), f.cross)
	from, to := g.OwnRows(f.x.Rows)
	n := tiles[F](to - from)
	for _, s := range f.slots {
		s.rowTiles.reset(n, s.k)
	}
	ok = ok && f.pool.run(n*len(f.slots), func(wi, t int) {
		s, i := f.slots[t/n], t%n
		a := from + i*f.tile
		f.updateRowTile(&f.workers[wi], s, a, min(a+f.tile, to), i, f.cross.Data[a*f.cross.Ld+s.off:], f.cross.Ld)
	})
	for _, s := range f.slots {
		s.rowTiles.addTo(s.rows)
	}
	shareRows(g, st.wOut)
	f.extrapolateRows(0, f.x.Rows)
	for r0 := 0; r0 < f.x.Rows && ok; r0 += f.x.block {
		r1 := min(r0+f.x.block, f.x.Rows)
		ok = f.x.hold(f.pool, r0, r1) && f.crossColumns(r0, r1)
	}
	return ok
}

// crossRows makes X·h (m x k) over a grid row, of which a rank gets its share.
// It reports false when reading failed.
func (d *Data[F]) crossRows(p *pool, h, cross *Tall[F]) bool {
	cross.reshape(d.Rows, h.K)
	ok := d.timesInto(p, h, cross)
	sumShares(d.grid, d.grid.row, d.grid.rowShares, cross)
	return ok
}
