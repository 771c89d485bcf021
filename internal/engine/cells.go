package engine

import (
	"sort"
	"sync"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

// Observed says which cells of X count, and how much. Missing cells of X must
// be zero. The zero value counts all cells once.
type Observed[F kernel.Float] struct {
	// Listed takes the cells that a sparse X stores one by one. Those that it
	// does not store are missing, or with Rest zeros.
	Listed, Rest bool
	// CellWeights multiply the loss of each cell that a listed X stores; nil is
	// 1 for all.
	CellWeights []F
	// Missing are cells that do not count, Weights multiply the loss of every
	// cell; both only where X is not listed. Nil where there are none.
	Missing *matrix.Mask
	Weights *matrix.Dense[F]
	// RowWeights and ColumnWeights multiply the loss of rows and columns; nil
	// is 1 for all.
	RowWeights, ColumnWeights []F
	// ByRows and ByColumns read an X block by block whose cells are missing or weighted
	// on their own: all of the above but what is of rows and columns, and Listed and
	// Rest, comes with the blocks. ByColumns may be nil where nothing updates H.
	ByRows, ByColumns *ObservedBlocks[F]
}

// ObservedBlocks reads lines of X, rows or columns, and what is observed of them.
type ObservedBlocks[F kernel.Float] struct {
	// Step is the number of lines in each block but the last.
	Step int
	// Read sets into to the n lines from line `first` on, a multiple of Step, in the
	// memory that it has, where that is enough.
	Read func(first, n int, into *ObservedLines[F]) error
	// CellWeights, Missing and Weights say which of these all blocks have.
	CellWeights, Missing, Weights bool
}

// ObservedLines are some lines of X, either dense or sparse, and what is observed of
// them, as in Observed.
type ObservedLines[F kernel.Float] struct {
	Dense       *matrix.Dense[F]
	Sparse      *matrix.CSR[F]
	CellWeights []F
	Missing     *matrix.Mask
	Weights     *matrix.Dense[F]
}

// Cells is X with a loss, as the half-steps of Alternate need it.
type Cells[F kernel.Float] struct {
	Rows, Cols  int
	steps       *loss.Steps[F]
	ops         *kernel.Ops[F]
	left, right *side[F]
	// grid joins the ranks that have the other rows, nil for one process.
	grid *Grid
	// Mean is the weighted mean of the cells, Reference the loss that relative
	// errors are relative to.
	Mean, Reference float64
}

// side is the cells as one half-step sees them: its rows are the rows of the
// factor that is updated, its columns the rows of the one that is fixed.
type side[F kernel.Float] struct {
	rows, others int
	// list holds the listed cells, listWeights their weights or nil, rest says
	// that the others are zeros. Where list is nil, dense (turned round or not)
	// or sparse holds the cells, for panels.
	list        *matrix.CSR[F]
	listWeights []F
	rest        bool
	dense       *matrix.Dense[F]
	sparse      *matrix.CSR[F]
	turned      bool
	missing     *matrix.Mask
	weights     *matrix.Dense[F]
	// window holds the lines that are in memory of an X that is read block by
	// block: list, dense or sparse is then what it holds. Nil where X is in memory.
	window *window[F]
	// own and other weigh the rows and the columns of the side.
	own, other []F
	// ownTheta and otherTheta hold 1/α by feature, on the side where features
	// are rows and columns; theta where there is one for all.
	ownTheta, otherTheta []F
	theta                F
	byCell               bool
	// typical is made when it is first asked for.
	once    *sync.Once
	typical []F
	// kept holds panels of which cells are missing; nil where there are none, or
	// too many.
	kept *panelCache[F]
	// allOther is the sum of other.
	allOther float64
}

// NewCells prepares x for a loss.
func NewCells[F kernel.Float](x matrix.Matrix[F], o Observed[F], l *loss.Loss, workers int) *Cells[F] {
	c := &Cells[F]{ops: kernel.For[F]()}
	c.Rows, c.Cols = x.Dims()
	c.left = &side[F]{rows: c.Rows, others: c.Cols, own: o.RowWeights, other: o.ColumnWeights, rest: o.Rest, weights: o.Weights}
	c.right = &side[F]{rows: c.Cols, others: c.Rows, own: o.ColumnWeights, other: o.RowWeights, rest: o.Rest, weights: o.Weights, turned: true}
	p := &pool{workers: max(1, workers), ctx: background}
	switch x := x.(type) {
	case *matrix.Dense[F]:
		c.left.dense, c.right.dense = x, x
	case *matrix.CSR[F]:
		turned := transpose(p, c.ops, x)
		if o.Listed {
			c.left.list, c.right.list = x, turned
			c.left.listWeights = o.CellWeights
			if o.CellWeights != nil {
				weights := *x
				weights.Val = o.CellWeights
				c.right.listWeights = transpose(p, c.ops, &weights).Val
			}
		} else {
			c.left.sparse, c.right.sparse = x, turned
		}
	default:
		c.stream(x, o)
	}
	if o.Missing != nil {
		c.left.missing, c.right.missing = o.Missing, transposeMask(o.Missing)
	}
	for _, s := range []*side[F]{c.left, c.right} {
		s.byCell = s.weighsListed() || s.missing != nil || s.weights != nil || s.own != nil || s.other != nil
	}
	c.measure(p)
	return c.WithLoss(l, workers)
}

// lineSums are sums over the cells of a part of the lines.
type lineSums struct{ weight, weighted, loss float64 }

// sumLines calls fn for parts of the lines of W's half-step and adds up what it
// gives, in order.
func (c *Cells[F]) sumLines(p *pool, fn func(worker int, l line[F]) lineSums) (total lineSums) {
	n := (c.Rows + lineGroup - 1) / lineGroup
	parts, rooms := make([]lineSums, n), make([]lineRoom[F], p.workers)
	c.left.blocks(func(from, to int) bool {
		first := from / lineGroup
		return p.run((to+lineGroup-1)/lineGroup-first, func(wi, t int) {
			part := first + t
			a, b := part*lineGroup, min((part+1)*lineGroup, c.Rows)
			c.left.reach(&rooms[wi], a, b)
			for i := a; i < b; i++ {
				v := fn(wi, c.left.line(&rooms[wi], i))
				parts[part].weight += v.weight
				parts[part].weighted += v.weighted
				parts[part].loss += v.loss
			}
		})
	})
	for _, v := range parts {
		total.weight += v.weight
		total.weighted += v.weighted
		total.loss += v.loss
	}
	return total
}

// unlisted is what the cells of a line weigh that are not listed.
func (s *side[F]) unlisted(l line[F]) float64 {
	if l.outside == 0 {
		return 0
	}
	weight := s.allOther
	if s.other == nil {
		weight -= float64(len(l.idx))
	} else {
		for _, p := range l.idx {
			weight -= float64(s.other[p])
		}
	}
	return weight * float64(l.outside)
}

// measure finds the mean of the cells.
func (c *Cells[F]) measure(p *pool) {
	c.left.allOther = float64(c.left.others)
	if c.left.other != nil {
		c.left.allOther = 0
		for _, v := range c.left.other {
			c.left.allOther += float64(v)
		}
	}
	sums := c.sumLines(p, func(_ int, l line[F]) (s lineSums) {
		if l.w == nil {
			_, s.weighted, _, _ = c.ops.Scan(l.x)
			s.weight = float64(len(l.x))
		} else {
			for q, x := range l.x {
				s.weight += float64(l.w[q])
				s.weighted += float64(l.w[q]) * float64(x)
			}
		}
		s.weight += c.left.unlisted(l)
		return s
	})
	if sums.weight > 0 {
		c.Mean = sums.weighted / sums.weight
	}
}

// setReference finds the loss that relative errors are relative to: for
// quadratic and robust losses that of zero, for others that of the mean, which
// is the best constant.
func (c *Cells[F]) setReference(p *pool) {
	constant := F(c.Mean)
	if c.steps.Quadratic() {
		constant = 0
	}
	if constant == 0 && !c.steps.Quadratic() {
		return
	}
	room := make([]F, c.Cols)
	for i := range room {
		room[i] = constant
	}
	scratch := make([]loss.Scratch[F], p.workers)
	sums := c.sumLines(p, func(worker int, l line[F]) lineSums {
		sum := c.steps.Sum(l.x, room[:len(l.x)], l.w, l.theta, &scratch[worker])
		if c.steps.RestBySums() {
			sum += float64(constant) * c.left.unlisted(l)
		}
		return lineSums{loss: sum}
	})
	c.Reference = c.grid.total(sums.loss)
}

// setTheta takes over the dispersion of the loss.
func (c *Cells[F]) setTheta() {
	switch t := c.steps.Theta; len(t) {
	case 0:
	case 1:
		c.left.theta, c.right.theta = F(t[0]), F(t[0])
	default:
		theta := make([]F, len(t))
		for j, v := range t {
			theta[j] = F(v)
		}
		c.left.otherTheta, c.right.ownTheta = theta, theta
	}
}

// WithLoss is the same cells with another loss.
func (c *Cells[F]) WithLoss(l *loss.Loss, workers int) *Cells[F] {
	d := *c
	left, right := *c.left, *c.right
	left.once, right.once = new(sync.Once), new(sync.Once)
	for _, s := range []*side[F]{&left, &right} {
		if s.masked(l) && s.window == nil {
			s.kept = newPanelCache(s)
		}
	}
	d.left, d.right = &left, &right
	mean := c.Mean
	if mean == 0 {
		mean = 1
	}
	d.steps = loss.NewSteps[F](l, mean)
	d.setTheta()
	d.setReference(&pool{ctx: background, workers: max(1, workers)})
	return &d
}

// Listed reports whether only the cells that X stores are visited.
func (c *Cells[F]) Listed() bool { return c.left.list != nil }

// transposeMask turns a mask round.
func transposeMask(m *matrix.Mask) *matrix.Mask {
	t := &matrix.Mask{Rows: m.Cols, Cols: m.Rows, RowPtr: make([]int, m.Cols+1), ColIdx: make([]int32, m.Len())}
	for _, j := range m.ColIdx {
		t.RowPtr[j+1]++
	}
	for j := range m.Cols {
		t.RowPtr[j+1] += t.RowPtr[j]
	}
	next := append([]int(nil), t.RowPtr...)
	for i := range m.Rows {
		for _, j := range m.Row(i) {
			t.ColIdx[next[j]] = int32(i)
			next[j]++
		}
	}
	return t
}

// between is the part of rising indices that lies in [a, b).
func between(idx []int32, a, b int) (from, to int) {
	from = sort.Search(len(idx), func(i int) bool { return int(idx[i]) >= a })
	to = from + sort.Search(len(idx)-from, func(i int) bool { return int(idx[from+i]) >= b })
	return from, to
}

// panel writes the cells of the side's rows a to b in its columns p0 to p1 to
// x, `lanes` numbers for each column, and their weights to w, unless that is nil.
// Lanes beyond b repeat the last row, so that every lane holds something that a
// loss can be taken of. There is room for TileRows numbers for each column.
func (s *side[F]) panel(ops *kernel.Ops[F], a, b, lanes, p0, p1 int, x, w []F) {
	n := b - a
	switch {
	case s.sparse != nil:
		clear(x[:(p1-p0)*lanes])
		for i := a; i < b; i++ {
			idx, vals := s.sparse.Row(s.at(i))
			from, to := between(idx, p0, p1)
			for q := from; q < to; q++ {
				x[(int(idx[q])-p0)*lanes+i-a] = vals[q]
			}
		}
	case s.turned:
		for p := p0; p < p1; p++ {
			copy(x[(p-p0)*lanes:(p-p0)*lanes+n], s.dense.Data[p*s.dense.Stride+a:])
		}
	default:
		packLanes(ops, n, lanes, p1-p0, s.dense.Data[s.at(a)*s.dense.Stride+p0:], s.dense.Stride, x)
	}
	repeatIn(x, n, lanes, p1-p0)
	if w == nil {
		return
	}
	switch {
	case s.weights == nil:
		for i := range w[:(p1-p0)*lanes] {
			w[i] = 1
		}
	case s.turned && s.window == nil:
		for p := p0; p < p1; p++ {
			copy(w[(p-p0)*lanes:(p-p0)*lanes+n], s.weights.Data[p*s.weights.Stride+a:])
		}
	default:
		packLanes(ops, n, lanes, p1-p0, s.weights.Data[s.at(a)*s.weights.Stride+p0:], s.weights.Stride, w)
	}
	for p := p0; p < p1; p++ {
		row := w[(p-p0)*lanes : (p-p0)*lanes+n]
		if s.other != nil {
			for i := range row {
				row[i] *= s.other[p]
			}
		}
		if s.own != nil {
			for i := range row {
				row[i] *= s.own[a+i]
			}
		}
	}
	if s.missing != nil {
		for i := a; i < b; i++ {
			idx := s.missing.Row(s.at(i))
			from, to := between(idx, p0, p1)
			for _, p := range idx[from:to] {
				w[(int(p)-p0)*lanes+i-a] = 0
			}
		}
	}
	repeatIn(w, n, lanes, p1-p0)
}

// packLanes is Pack of rows x k numbers to a panel of so many lanes.
func packLanes[F kernel.Float](ops *kernel.Ops[F], rows, lanes, k int, src []F, ld int, panel []F) {
	t := kernel.TileRows[F]()
	if lanes == t {
		ops.Pack(rows, k, src, ld, panel)
		return
	}
	const columns = 32
	var tile [columns * 64]F
	for p0 := 0; p0 < k; p0 += columns {
		n := min(columns, k-p0)
		ops.Pack(rows, n, src[p0:], ld, tile[:n*t])
		for p := range n {
			copy(panel[(p0+p)*lanes:(p0+p+1)*lanes], tile[p*t:])
		}
	}
}

// repeatLast gives the lanes beyond the n-th of each of k components the number
// of the n-th.
func repeatLast[F kernel.Float](tile []F, n, k int) {
	repeatIn(tile, n, kernel.TileRows[F](), k)
}

// repeatIn is repeatLast for a panel of t lanes.
func repeatIn[F kernel.Float](tile []F, n, t, k int) {
	if n == t {
		return
	}
	for j := range k {
		row := tile[j*t : (j+1)*t]
		for i := n; i < t; i++ {
			row[i] = row[n-1]
		}
	}
}

// thetaPanel writes 1/α of the cells of a panel.
func (s *side[F]) thetaPanel(a, b, lanes, p0, p1 int, theta []F) {
	for p := p0; p < p1; p++ {
		row := theta[(p-p0)*lanes : (p-p0+1)*lanes]
		for i := range row {
			switch {
			case s.otherTheta != nil:
				row[i] = s.otherTheta[p]
			case s.ownTheta != nil:
				row[i] = s.ownTheta[min(a+i, b-1)]
			default:
				row[i] = s.theta
			}
		}
	}
}

// line is a row of a side: cells x at the columns idx, with weights w, nil for
// 1, and 1/α, nil where the loss has none. outside is what the weight of a cell
// that is not listed is of that of its column, 0 where those are missing.
type line[F kernel.Float] struct {
	idx         []int32
	x, w, theta []F
	outside     F
}

// lineRoom is what the lines of one worker are made in.
type lineRoom[F kernel.Float] struct {
	x, w, theta []F
	// every is 0, 1, 2, … as far as a side has columns.
	every []int32
	first int
}

// lineGroup is the number of lines that are cut from panels at a time.
const lineGroup = 16

// reach prepares the rows a to b, at most lineGroup of them, for line.
func (s *side[F]) reach(room *lineRoom[F], a, b int) {
	room.first = a
	if s.list != nil {
		return
	}
	n := s.others
	if s.inPlace() {
		room.x = nil
	} else {
		grow(&room.x, lineGroup*n)
	}
	for p := len(room.every); p < n; p++ {
		room.every = append(room.every, int32(p))
	}
	x := room.x
	switch {
	case s.sparse != nil:
		clear(x)
		for i := a; i < b; i++ {
			idx, vals := s.sparse.Row(s.at(i))
			for q, p := range idx {
				x[(i-a)*n+int(p)] = vals[q]
			}
		}
	case s.turned:
		turn(s.dense, a, b, x)
	}
	if !s.byCell {
		return
	}
	grow(&room.w, lineGroup*n)
	w := room.w
	switch {
	case s.weights == nil:
		for i := range w {
			w[i] = 1
		}
	case s.turned && s.window == nil:
		turn(s.weights, a, b, w)
	default:
		for i := a; i < b; i++ {
			copy(w[(i-a)*n:(i-a+1)*n], s.weights.Row(s.at(i)))
		}
	}
	for i := a; i < b; i++ {
		row := w[(i-a)*n : (i-a+1)*n]
		if s.other != nil {
			for p := range row {
				row[p] *= s.other[p]
			}
		}
		if s.own != nil {
			for p := range row {
				row[p] *= s.own[i]
			}
		}
		if s.missing != nil {
			for _, p := range s.missing.Row(s.at(i)) {
				row[p] = 0
			}
		}
	}
}

// idles reports whether the side may have rows none of whose cells counts.
func (s *side[F]) idles() bool { return s.byCell || s.list != nil && !s.rest }

// weighsListed reports whether cells that are listed have weights of their own.
func (s *side[F]) weighsListed() bool { return s.listWeights != nil || s.window.weighsCells() }

// weightsOf are the weights of the cells of line i that are listed; nil where all are 1.
func (s *side[F]) weightsOf(i int) []F {
	weights := s.listWeights
	if s.window.weighsCells() {
		weights = s.window.lines.CellWeights
	}
	if weights == nil {
		return nil
	}
	i = s.at(i)
	return weights[s.list.RowPtr[i]:s.list.RowPtr[i+1]]
}

// inPlace reports whether the lines are rows of a dense X.
func (s *side[F]) inPlace() bool { return s.dense != nil && !s.turned }

// turn writes the columns a to b of d to out, one after the other.
func turn[F kernel.Float](d *matrix.Dense[F], a, b int, out []F) {
	for p := range d.Rows {
		for i, v := range d.Data[p*d.Stride+a : p*d.Stride+b] {
			out[i*d.Rows+p] = v
		}
	}
}

// line gives row i of those that were reached.
func (s *side[F]) line(room *lineRoom[F], i int) line[F] {
	var l line[F]
	if s.list == nil {
		at, n := (i-room.first)*s.others, s.others
		l = line[F]{idx: room.every[:n]}
		if s.inPlace() {
			l.x = s.dense.Row(s.at(i))
		} else {
			l.x = room.x[at : at+n]
		}
		if s.byCell {
			l.w = room.w[at : at+n]
		}
	} else {
		l.idx, l.x = s.list.Row(s.at(i))
		ofRow := F(1)
		if s.own != nil {
			ofRow = s.own[i]
		}
		if s.byCell {
			room.w = room.w[:0]
			own := s.weightsOf(i)
			for q, p := range l.idx {
				v := ofRow
				if s.other != nil {
					v *= s.other[p]
				}
				if own != nil {
					v *= own[q]
				}
				room.w = append(room.w, v)
			}
			l.w = room.w
		}
		if s.rest {
			l.outside = ofRow
		}
	}
	if s.theta != 0 || s.ownTheta != nil || s.otherTheta != nil {
		room.theta = room.theta[:0]
		for _, p := range l.idx {
			switch {
			case s.otherTheta != nil:
				room.theta = append(room.theta, s.otherTheta[p])
			case s.ownTheta != nil:
				room.theta = append(room.theta, s.ownTheta[i])
			default:
				room.theta = append(room.theta, s.theta)
			}
		}
		l.theta = room.theta
	}
	return l
}
