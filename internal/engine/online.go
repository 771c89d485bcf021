package engine

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/pages"
	"github.com/partsof/nmf/matrix"
)

const (
	// onlineBlocks is the number of parts that the rows are taken in, every
	// onlineBlocks-th row in each, and onlinePasses how often.
	onlineBlocks = 16
	onlinePasses = 2
	// onlineSteps are the updates of a part's rows of W before H learns of them.
	onlineSteps = 3
	// onlineDecay is what a part leaves of the sums of those before it, and
	// onlineShare what of H is shared out in proportion to the features' sums.
	onlineDecay = 0.75
	onlineShare = 0.02
	// onlineRows is the number of rows from which parts are large enough.
	onlineRows = onlineBlocks * 128
	// shortRow is the number of stored cells a row, in components, below which a
	// few cells say too little of a row for second-order steps from afar.
	shortRow = 4
)

// learnsOnline reports whether a run begins with passes over parts of X: KL,
// the zeros of a sparse X in closed form, short rows and many of them, nothing
// asked of the factors. Over ranks it goes by the whole X.
func (s *pair[F]) learnsOnline() bool {
	l, rows := s.c.left, s.c.allRows()
	return s.scaled && s.c.steps.RestBySums() && l.rest && !l.byCell && !s.cfg.asks() &&
		rows >= onlineRows && s.c.grid.total(float64(l.nnz())) < float64(shortRow*s.w.K*rows)
}

// learnOnline improves a start by stochastic multiplicative updates: for each
// part of the rows, updates of its W, and then of H from sums over all parts so
// far that forget the old ones (Lefèvre, Bach & Févotte 2011). On many short
// rows two passes of this lead as far as tens of iterations. It reports false
// when cancelled.
func (s *pair[F]) learnOnline() (w, h *Tall[F], ok bool) {
	o := s.newOnline()
	for range onlinePasses {
		for b := range onlineBlocks {
			if s.cancelled(s.ctx) || !o.part(s.pool, b) {
				return nil, nil, false
			}
		}
	}
	w, h = o.result(s.pool)
	s.fillZeros(w, OfRows)
	s.fillZeros(h, OfColumns)
	// What is not needed any more becomes room for factors.
	s.spareH = append(s.spareH, o.n)
	size := len(w.Data)
	for at := 0; at+size <= len(o.values) && len(s.spareW) < 2; at += size {
		t := *w
		t.Data = o.values[at : at+size : at+size]
		clear(t.Data)
		s.spareW = append(s.spareW, &t)
	}
	return w, h, true
}

// online is the state of learnOnline.
type online[F kernel.Float] struct {
	ops  *kernel.Ops[F]
	tiny F
	x    *matrix.CSR[F]
	// cells are those of each part, feature by feature; over ranks those of this one.
	cells   []partCells[F]
	w, h, n *Tall[F]
	// values has the values of all of them, where X is in memory.
	values     []F
	denom, sum []float64
	// share is what each feature has of ΣX, and last the part in which its n was
	// brought up to date.
	share []F
	last  []int
	parts int
	// decays are the powers of onlineDecay.
	decays []F
	// scale and spread make a row of H from its n and its share.
	scale, spread []F
	// crosses and rooms are of the workers: for a row, and for the cells of one.
	crosses, rooms [][]F
	// streamed is nil but for an X that is read block by block: x and its cells
	// are then there for the part that is learned from alone.
	streamed *streamedParts[F]
	// ranks is nil in one process.
	ranks *onlineRanks[F]
}

// rows are the rows of part b that are here.
func (o *online[F]) rows(b int) stride {
	if o.ranks == nil {
		return stride{b, onlineBlocks}
	}
	return o.ranks.grid.stride(b, onlineBlocks)
}

// partCells are the cells of a part, feature by feature, of the features that it
// has cells of: those of features[q] are from[q] to from[q+1], their rows those of
// W.
type partCells[F kernel.Float] struct {
	features, from []int32
	rows           []int32
	vals           []F
}

// fill takes the lines first, first + step, … of x, which are the rows b,
// b + onlineBlocks, … of W, into rows and vals. next has room for a number for
// each feature.
func (p *partCells[F]) fill(x *matrix.CSR[F], first, step, b int, next []int32) {
	clear(next)
	for i := first; i < x.Rows; i += step {
		idx, _ := x.Row(i)
		for _, f := range idx {
			next[f]++
		}
	}
	features := 0
	for _, n := range next {
		features += min(1, int(n))
	}
	p.features, p.from = make([]int32, 0, features), make([]int32, 0, features+1)
	at := int32(0)
	for f, n := range next {
		next[f] = at
		if n > 0 {
			p.features, p.from = append(p.features, int32(f)), append(p.from, at)
		}
		at += n
	}
	p.from = append(p.from, at)
	for i := first; i < x.Rows; i += step {
		idx, vals := x.Row(i)
		for q, f := range idx {
			p.rows[next[f]], p.vals[next[f]] = int32(b), vals[q]
			next[f]++
		}
		b += onlineBlocks
	}
}

// cellsOf is the number of cells in the lines first, first + step, … of x.
func cellsOf[F kernel.Float](x *matrix.CSR[F], first, step int) (cells int) {
	for i := first; i < x.Rows; i += step {
		cells += x.RowPtr[i+1] - x.RowPtr[i]
	}
	return cells
}

// divide lists the cells of every part of an X in memory, which lie side by side.
func (o *online[F]) divide(p *pool) {
	n := o.x.NNZ()
	rows, vals := pages.Make[int32](n), pages.Make[F](n)
	o.values = vals
	at := 0
	for b := range o.cells {
		to := at + cellsOf(o.x, o.rows(b).first, onlineBlocks)
		o.cells[b].rows, o.cells[b].vals = rows[at:to], vals[at:to]
		at = to
	}
	next := make([][]int32, p.workers)
	p.run(len(o.cells), func(wi, b int) {
		grow(&next[wi], o.x.Cols)
		first := o.rows(b).first
		o.cells[b].fill(o.x, first, onlineBlocks, first, next[wi])
	})
}

// onlineFeatures is the number of rows of H in a task.
const onlineFeatures = 256

func (s *pair[F]) newOnline() *online[F] {
	x, right := s.c.left.list, s.c.right
	k, cols := s.w.K, s.c.Cols
	o := &online[F]{ops: s.c.ops, tiny: s.c.steps.Tiny, x: x, w: s.w.cloneBy(s.pool.workers), h: s.h.cloneBy(s.pool.workers), n: NewTall[F](cols, k),
		denom: make([]float64, k), sum: make([]float64, k), share: make([]F, cols), last: make([]int, cols), cells: make([]partCells[F], onlineBlocks),
		decays: make([]F, onlineBlocks*onlinePasses+1), scale: make([]F, s.h.Ld), spread: make([]F, s.h.Ld)}
	for i := range o.decays {
		o.decays[i] = F(math.Pow(onlineDecay, float64(i)))
	}
	total := s.c.Mean * float64(s.c.allRows()) * float64(cols)
	if s.c.left.window != nil {
		o.streamed = &streamedParts[F]{left: s.c.left}
	} else {
		o.ranks = newOnlineRanks[F](s.c.grid, cols, k)
		o.divide(s.pool)
		o.ranks.count(o.cells)
	}
	sums := make([]float64, cols)
	right.blocks(func(a, b int) bool {
		return s.pool.run((b-a+onlineFeatures-1)/onlineFeatures, func(_, task int) {
			for f := a + task*onlineFeatures; f < min(a+(task+1)*onlineFeatures, b); f++ {
				_, vals := right.list.Row(right.at(f))
				_, sums[f], _, _ = o.ops.Scan(vals)
			}
		})
	})
	s.c.grid.sum(OfRows, sums)
	for f, v := range sums {
		o.share[f] = F(v / total)
	}
	// The start counts as a tenth of a part.
	sums = o.w.sumRows(s.pool.workers, k, func(sums []float64, i int) {
		for j, v := range o.w.Row(i) {
			sums[j] += float64(v)
		}
	})
	s.c.grid.sum(OfRows, sums)
	for j, v := range sums {
		o.denom[j] = 0.1 / onlineBlocks * v
	}
	made := make([][]float64, o.tasks())
	s.pool.run(len(made), func(_, task int) {
		sum := make([]float64, k)
		for f := task * onlineFeatures; f < min((task+1)*onlineFeatures, cols); f++ {
			from, to := o.h.Row(f), o.n.Row(f)
			for j, v := range from {
				to[j] = F(float64(v) * o.denom[j])
				sum[j] += float64(to[j])
			}
		}
		made[task] = sum
	})
	o.add(made)
	return o
}

func (o *online[F]) tasks() int { return (o.h.Rows + onlineFeatures - 1) / onlineFeatures }

// add adds what tasks have made to sum, in their order.
func (o *online[F]) add(made [][]float64) {
	for _, m := range made {
		for j, v := range m {
			o.sum[j] += v
		}
	}
}

// part learns from the rows of part b: b, b + onlineBlocks, ….
func (o *online[F]) part(p *pool, b int) bool {
	k, ld, t := o.w.K, o.w.Ld, kernel.TileRows[F]()
	part := o.rows(b)
	rows := part.before(o.w.Rows)
	if o.streamed != nil && !o.load(p, b) {
		return false
	}
	inverse := make([]F, k)
	for j := range inverse {
		if o.sum[j] > 0 {
			inverse[j] = F(o.denom[j] / o.sum[j])
		}
	}
	made := make([][]float64, tiles[F](rows))
	o.makeRoom(p.workers)
	ok := p.run(len(made), func(wi, tile int) {
		c, room := o.crosses[wi], o.rooms[wi]
		defer func() { o.rooms[wi] = room }()
		total := make([]float64, k)
		for at := tile * t; at < min((tile+1)*t, rows); at++ {
			i := part.row(at)
			line := i
			if o.streamed != nil {
				line = at
			}
			idx, vals := o.x.Row(line)
			grow(&room, len(idx))
			row := o.w.rows(i, i+1)
			for step := range onlineSteps {
				clear(c)
				o.ops.GatherQuotient(ld, idx, vals, o.h.Data, ld, row, o.tiny, room, c)
				for j, s := range inverse {
					u := c[j] * s
					if step < onlineSteps-1 {
						// Twice as far: the last step takes back what is too much.
						u = min(max(u, 0.02), 50)
						u *= u
					}
					row[j] = kernel.Finite(row[j] * u)
				}
			}
			for j, v := range row[:k] {
				total[j] += float64(v)
			}
		}
		made[tile] = total
	})
	if !ok {
		return false
	}
	total := make([]float64, k)
	for _, m := range made {
		for j, v := range m {
			total[j] += v
		}
	}
	o.ranks.sum(total)
	for j, v := range total {
		o.denom[j] = onlineDecay*o.denom[j] + v
		o.sum[j] *= onlineDecay
	}
	o.parts++
	o.rates()
	if o.ranks != nil {
		return o.learnOver(p, b)
	}
	return o.learn(p, b)
}

// learn brings H up to date with the rows of part b. What is shared out goes by
// the sums before.
func (o *online[F]) learn(p *pool, b int) bool {
	ld := o.w.Ld
	cells := &o.cells[b]
	made := make([][]float64, (len(cells.features)+onlineFeatures-1)/onlineFeatures)
	ok := p.run(len(made), func(wi, task int) {
		c, room, total := o.crosses[wi], o.rooms[wi], make([]F, ld)
		defer func() { o.rooms[wi] = room }()
		for q := task * onlineFeatures; q < min((task+1)*onlineFeatures, len(cells.features)); q++ {
			f, from, to := int(cells.features[q]), cells.from[q], cells.from[q+1]
			grow(&room, int(to-from))
			clear(c)
			row := o.h.rows(f, f+1)
			o.ops.GatherQuotient(ld, cells.rows[from:to], cells.vals[from:to], o.w.Data, ld, row, o.tiny, room, c)
			o.absorb(f, c, row, total)
		}
		sum := make([]float64, o.w.K)
		for j := range sum {
			sum[j] = float64(total[j])
		}
		made[task] = sum
	})
	o.add(made)
	return ok
}

// makeRoom makes what every worker needs.
func (o *online[F]) makeRoom(workers int) {
	for len(o.crosses) < workers {
		o.crosses, o.rooms = append(o.crosses, make([]F, o.w.Ld)), append(o.rooms, nil)
	}
}

// rates makes scale and spread from the sums.
func (o *online[F]) rates() {
	for j := range o.denom {
		o.scale[j], o.spread[j] = 0, 0
		if o.denom[j] > 0 {
			o.scale[j], o.spread[j] = F((1-onlineShare)/o.denom[j]), F(onlineShare*o.sum[j]/o.denom[j])
		}
	}
}

// absorb adds c times row f of H to the sums, and what it adds to total, and makes
// the row from them.
func (o *online[F]) absorb(f int, c, row, total []F) {
	decay := o.decays[o.parts-o.last[f]]
	o.last[f] = o.parts
	o.ops.Absorb(decay, o.share[f], c, o.scale, o.spread, row, o.n.rows(f, f+1), total)
}

// result gives the pair.
func (o *online[F]) result(p *pool) (w, h *Tall[F]) {
	o.rates()
	from, to := o.ranks.own(o.h.Rows)
	p.run(o.tasks(), func(_, task int) {
		none, total := make([]F, o.h.Ld), make([]F, o.h.Ld)
		for f := max(from, task*onlineFeatures); f < min((task+1)*onlineFeatures, to); f++ {
			o.absorb(f, none, o.h.rows(f, f+1), total)
		}
	})
	o.ranks.share(o.h)
	return o.w, o.h
}
