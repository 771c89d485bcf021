package engine

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

const (
	// onlineBlocks is the number of parts that the rows are taken in, every
	// onlineBlocks-th row in each, and onlinePasses how often.
	onlineBlocks = 32
	onlinePasses = 2
	// onlineSteps are the updates of a part's rows of W before H learns of them.
	onlineSteps = 3
	// onlineDecay is what a part leaves of the sums of those before it, and
	// onlineShare what of H is shared out in proportion to the features' sums.
	onlineDecay = 0.9
	onlineShare = 0.02
	// onlineRows is the number of rows from which parts are large enough.
	onlineRows = onlineBlocks * 64
	// shortRow is the number of stored cells a row, in components, below which a
	// few cells say too little of a row for second-order steps from afar.
	shortRow = 4
)

// learnsOnline reports whether a run begins with passes over parts of X: KL,
// the zeros of a sparse X in closed form, short rows and many of them, nothing
// asked of the factors.
func (s *pair[F]) learnsOnline() bool {
	l := s.c.left
	return s.scaled && s.c.steps.RestBySums() && l.rest && !l.byCell && !s.cfg.asks() &&
		l.rows >= onlineRows && l.nnz() < shortRow*s.w.K*l.rows
}

// learnOnline improves a start by stochastic multiplicative updates: for each
// part of the rows, updates of its W, and then of H from sums over all parts so
// far that forget the old ones (Lefèvre, Bach & Févotte 2011). On many short
// rows two passes of this lead as far as tens of iterations. The start is kept
// where it is better. It reports false when cancelled.
func (s *pair[F]) learnOnline() bool {
	before, ok := s.left(s.w, s.h, nil, nil, false)
	if !ok {
		return false
	}
	o := s.newOnline()
	for range onlinePasses {
		o.rewind()
		for b := range onlineBlocks {
			if !o.part(s.pool, b) {
				return false
			}
		}
	}
	w, h := o.result()
	fillZeros(w)
	fillZeros(h)
	after, ok := s.left(w, h, nil, nil, false)
	if ok && after.loss < before.loss {
		s.w, s.h = w, h
	}
	return ok
}

// online is the state of learnOnline. Rows are in the order of the parts.
type online[F kernel.Float] struct {
	ops        *kernel.Ops[F]
	tiny       F
	x, turned  *matrix.CSR[F]
	first      []int // of the rows of each part
	w, h, n    *Tall[F]
	denom, sum []float64
	// share is what each feature has of ΣX, last the part in which its n was
	// brought up to date, and next how far in its list of rows the parts are.
	share []float64
	last  []int
	next  []int
	parts int

	// streamed is nil but for an X that is read block by block: x and turned are
	// then the rows of the part that is learned from, and of some that follow, in
	// waiting, which begin with part `from`.
	streamed *side[F]
	waiting  []*matrix.CSR[F]
	from     int
}

func (s *pair[F]) newOnline() *online[F] {
	x := s.c.left.list
	k, rows, cols := s.w.K, s.c.Rows, s.c.Cols
	o := &online[F]{ops: s.c.ops, tiny: s.c.steps.Tiny, w: NewTall[F](rows, k), h: s.h.clone(), n: NewTall[F](cols, k),
		denom: make([]float64, k), sum: make([]float64, k), share: make([]float64, cols), last: make([]int, cols)}
	if s.c.left.window != nil {
		o.streamed = s.c.left
		o.begin(s.w)
		o.setStart()
		return o
	}
	ordered := &matrix.CSR[F]{Rows: x.Rows, Cols: x.Cols, RowPtr: make([]int, 1, x.Rows+1), ColIdx: make([]int32, 0, x.NNZ()), Val: make([]F, 0, x.NNZ())}
	total := 0.0
	for b := range onlineBlocks {
		o.first = append(o.first, len(ordered.RowPtr)-1)
		for i := b; i < x.Rows; i += onlineBlocks {
			cols, vals := x.Row(i)
			copy(o.w.rows(len(ordered.RowPtr)-1, len(ordered.RowPtr)), s.w.rows(i, i+1))
			ordered.ColIdx, ordered.Val = append(ordered.ColIdx, cols...), append(ordered.Val, vals...)
			ordered.RowPtr = append(ordered.RowPtr, len(ordered.Val))
			for q, j := range cols {
				o.share[j] += float64(vals[q])
				total += float64(vals[q])
			}
		}
	}
	o.first = append(o.first, x.Rows)
	o.x, o.turned = ordered, transpose(s.pool, ordered)
	for j := range o.share {
		o.share[j] /= total
	}
	o.setStart()
	return o
}

// setStart fills the sums with the start.
func (o *online[F]) setStart() {
	// The start counts as a tenth of a part.
	for i := range o.w.Rows {
		for j, v := range o.w.Row(i) {
			o.denom[j] += 0.1 / onlineBlocks * float64(v)
		}
	}
	for i := range o.h.Rows {
		from, to := o.h.Row(i), o.n.Row(i)
		for j, v := range from {
			to[j] = F(float64(v) * o.denom[j])
			o.sum[j] += float64(to[j])
		}
	}
}

// rewind begins a pass.
func (o *online[F]) rewind() {
	if o.streamed == nil {
		o.next = append(o.next[:0], o.turned.RowPtr[:o.turned.Rows]...)
	}
}

// part learns from the rows of part b.
func (o *online[F]) part(p *pool, b int) bool {
	k, ld, t := o.w.K, o.w.Ld, kernel.TileRows[F]()
	r0, r1 := o.first[b], o.first[b+1]
	base := 0
	if o.streamed != nil {
		if base = r0; !o.load(p, b) {
			return false
		}
	}
	sums := make([]F, k)
	for j := range sums {
		sums[j] = F(o.sum[j] / o.denom[j])
	}
	made := make([][]float64, tiles[F](r1-r0))
	ok := p.run(len(made), func(_, tile int) {
		c, room := make([]F, ld), []F(nil)
		total := make([]float64, k)
		for i := r0 + tile*t; i < min(r0+(tile+1)*t, r1); i++ {
			idx, vals := o.x.Row(i - base)
			grow(&room, len(idx))
			row := o.w.rows(i, i+1)
			for step := range onlineSteps {
				clear(c)
				o.ops.GatherQuotient(ld, idx, vals, o.h.Data, ld, row, o.tiny, room, c)
				for j, s := range sums {
					u := F(0)
					if s > 0 {
						u = c[j] / s
					}
					if step < onlineSteps-1 {
						// Twice as far: the last step takes back what is too much.
						u = min(max(u, 0.02), 50)
						u *= u
					}
					row[j] = finite(row[j] * u)
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
	for j := range k {
		o.denom[j] *= onlineDecay
		o.sum[j] *= onlineDecay
		for _, m := range made {
			o.denom[j] += m[j]
		}
	}
	o.parts++
	return o.learn(p, r1)
}

// learn brings H up to date with the rows before r1.
func (o *online[F]) learn(p *pool, r1 int) bool {
	const features = 256
	k, ld, n := o.w.K, o.w.Ld, (o.h.Rows+features-1)/features
	added := make([][]float64, n)
	seen := make([]bool, o.h.Rows)
	ok := p.run(n, func(_, chunk int) {
		room, c := []F(nil), make([]F, ld)
		total := make([]float64, k)
		for f := chunk * features; f < min((chunk+1)*features, o.h.Rows); f++ {
			from := o.next[f]
			to := from
			for to < o.turned.RowPtr[f+1] && int(o.turned.ColIdx[to]) < r1 {
				to++
			}
			if o.next[f] = to; from == to {
				continue
			}
			seen[f] = true
			grow(&room, to-from)
			clear(c)
			h := o.h.rows(f, f+1)
			o.ops.GatherQuotient(ld, o.turned.ColIdx[from:to], o.turned.Val[from:to], o.w.Data, ld, h, o.tiny, room, c)
			decay := F(math.Pow(onlineDecay, float64(o.parts-o.last[f])))
			o.last[f] = o.parts
			row := o.n.Row(f)
			for j, v := range row {
				more := c[j] * h[j]
				total[j] += float64(more)
				row[j] = decay*v + more
			}
		}
		added[chunk] = total
	})
	for _, a := range added {
		for j, v := range a {
			o.sum[j] += v
		}
	}
	return ok && p.run(n, func(_, chunk int) {
		for f := chunk * features; f < min((chunk+1)*features, o.h.Rows); f++ {
			if seen[f] {
				o.set(f)
			}
		}
	})
}

// set makes row f of H from the sums.
func (o *online[F]) set(f int) {
	row, from := o.h.Row(f), o.n.Row(f)
	for j := range row {
		row[j] = 0
		if o.denom[j] > 0 {
			row[j] = F(((1-onlineShare)*float64(from[j]) + onlineShare*o.sum[j]*o.share[f]) / o.denom[j])
		}
	}
}

// result gives the pair, its rows in their own order.
func (o *online[F]) result() (w, h *Tall[F]) {
	w = NewTall[F](o.w.Rows, o.w.K)
	at := 0
	for b := range onlineBlocks {
		for i := b; i < w.Rows; i += onlineBlocks {
			copy(w.rows(i, i+1), o.w.rows(at, at+1))
			at++
		}
	}
	for f := range o.h.Rows {
		decay := F(math.Pow(onlineDecay, float64(o.parts-o.last[f])))
		row := o.n.Row(f)
		for j := range row {
			row[j] *= decay
		}
		o.set(f)
	}
	return w, o.h
}
