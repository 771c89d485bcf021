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
// asked of the factors, in one process.
func (s *pair[F]) learnsOnline() bool {
	l := s.c.left
	return s.c.grid == nil && s.scaled && s.c.steps.RestBySums() && l.rest && !l.byCell && !s.cfg.asks() &&
		l.rows >= onlineRows && l.nnz() < shortRow*s.w.K*l.rows
}

// learnOnline improves a start by stochastic multiplicative updates: for each
// part of the rows, updates of its W, and then of H from sums over all parts so
// far that forget the old ones (Lefèvre, Bach & Févotte 2011). On many short
// rows two passes of this lead as far as tens of iterations. It reports false
// when cancelled.
func (s *pair[F]) learnOnline() (w, h *Tall[F], ok bool) {
	o := s.newOnline()
	for range onlinePasses {
		o.rewind()
		for b := range onlineBlocks {
			if !o.part(s.pool, b) {
				return nil, nil, false
			}
		}
	}
	w, h = o.result(s.pool)
	s.fillZeros(w)
	s.fillZeros(h)
	return w, h, true
}

// online is the state of learnOnline.
type online[F kernel.Float] struct {
	ops  *kernel.Ops[F]
	tiny F
	x    *matrix.CSR[F]
	// turned is x turned round, the cells of each feature in the order of the
	// parts.
	turned     *matrix.CSR[F]
	w, h, n    *Tall[F]
	denom, sum []float64
	// share is what each feature has of ΣX, last the part in which its n was
	// brought up to date, and next how far in its list of rows the parts are.
	share []F
	last  []int
	next  []int
	parts int
	// decays are the powers of onlineDecay.
	decays []F
	// scale and spread make a row of H from its n and its share.
	scale, spread []F
	// streamed is nil but for an X that is read block by block: x and turned are
	// then those of the part that is learned from.
	streamed *streamedParts[F]
}

// onlineFeatures is the number of rows of H in a task.
const onlineFeatures = 256

func (s *pair[F]) newOnline() *online[F] {
	x, t := s.c.left.list, s.c.right.list
	k, cols := s.w.K, s.c.Cols
	o := &online[F]{ops: s.c.ops, tiny: s.c.steps.Tiny, x: x, w: s.w.Clone(), h: s.h.Clone(), n: NewTall[F](cols, k),
		denom: make([]float64, k), sum: make([]float64, k), share: make([]F, cols), last: make([]int, cols), next: make([]int, cols),
		decays: make([]F, onlineBlocks*onlinePasses+1), scale: make([]F, k), spread: make([]F, k)}
	for i := range o.decays {
		o.decays[i] = F(math.Pow(onlineDecay, float64(i)))
	}
	total := s.c.Mean * float64(s.c.Rows) * float64(cols)
	if s.c.left.window != nil {
		o.streamed = &streamedParts[F]{left: s.c.left}
		o.shares(s.c.right, total)
	} else {
		o.turned = &matrix.CSR[F]{Rows: t.Rows, Cols: t.Cols, RowPtr: t.RowPtr, ColIdx: make([]int32, t.NNZ()), Val: make([]F, t.NNZ())}
	}
	// The start counts as a tenth of a part.
	for i := range o.w.Rows {
		for j, v := range o.w.Row(i) {
			o.denom[j] += 0.1 / onlineBlocks * float64(v)
		}
	}
	made := make([][]float64, o.tasks())
	s.pool.run(len(made), func(_, task int) {
		sum := make([]float64, k)
		for f := task * onlineFeatures; f < min((task+1)*onlineFeatures, cols); f++ {
			if o.streamed == nil {
				a, b := t.RowPtr[f], t.RowPtr[f+1]
				inParts(t.ColIdx[a:b], t.Val[a:b], o.turned.ColIdx[a:b], o.turned.Val[a:b])
				_, ofFeature, _, _ := o.ops.Scan(o.turned.Val[a:b])
				o.share[f] = F(ofFeature / total)
			}
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

// inParts copies the cells of a feature in the order of the parts.
func inParts[F kernel.Float](rows []int32, vals []F, toRows []int32, toVals []F) {
	var at [onlineBlocks + 1]int
	for _, i := range rows {
		at[i%onlineBlocks+1]++
	}
	for b := range onlineBlocks {
		at[b+1] += at[b]
	}
	for q, i := range rows {
		to := &at[i%onlineBlocks]
		toRows[*to], toVals[*to] = i, vals[q]
		*to++
	}
}

// rewind begins a pass.
func (o *online[F]) rewind() {
	if o.streamed == nil {
		copy(o.next, o.turned.RowPtr)
	}
}

// part learns from the rows of part b: b, b + onlineBlocks, ….
func (o *online[F]) part(p *pool, b int) bool {
	k, ld, t := o.w.K, o.w.Ld, kernel.TileRows[F]()
	rows := (o.w.Rows - b + onlineBlocks - 1) / onlineBlocks
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
	ok := p.run(len(made), func(_, tile int) {
		c, room := make([]F, ld), []F(nil)
		total := make([]float64, k)
		for at := tile * t; at < min((tile+1)*t, rows); at++ {
			i := b + at*onlineBlocks
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
	return o.learn(p, b)
}

// learn brings H up to date with the rows of part b. What is shared out goes by
// the sums before.
func (o *online[F]) learn(p *pool, b int) bool {
	k, ld := o.w.K, o.w.Ld
	o.rates()
	made := make([][]float64, o.tasks())
	ok := p.run(len(made), func(_, task int) {
		room, c := []F(nil), make([]F, ld)
		total := make([]float64, k)
		for f := task * onlineFeatures; f < min((task+1)*onlineFeatures, o.h.Rows); f++ {
			from, end := o.next[f], o.turned.RowPtr[f+1]
			to := from
			for to < end && int(o.turned.ColIdx[to])%onlineBlocks == b {
				to++
			}
			if o.next[f] = to; from == to {
				continue
			}
			grow(&room, to-from)
			clear(c)
			row, n := o.h.rows(f, f+1), o.n.Row(f)
			o.ops.GatherQuotient(ld, o.turned.ColIdx[from:to], o.turned.Val[from:to], o.w.Data, ld, row, o.tiny, room, c)
			decay := o.decays[o.parts-o.last[f]]
			o.last[f] = o.parts
			row, more := row[:len(n)], c[:len(n)]
			for j, v := range n {
				m := more[j] * row[j]
				more[j], n[j] = m, decay*v+m
			}
			for j, m := range more[:len(total)] {
				total[j] += float64(m)
			}
			o.set(f)
		}
		made[task] = total
	})
	o.add(made)
	return ok
}

// rates makes scale and spread from the sums.
func (o *online[F]) rates() {
	for j := range o.scale {
		o.scale[j], o.spread[j] = 0, 0
		if o.denom[j] > 0 {
			o.scale[j], o.spread[j] = F((1-onlineShare)/o.denom[j]), F(onlineShare*o.sum[j]/o.denom[j])
		}
	}
}

// set makes row f of H from the sums.
func (o *online[F]) set(f int) {
	from, share := o.n.Row(f), o.share[f]
	row, scale, spread := o.h.Row(f)[:len(from)], o.scale[:len(from)], o.spread[:len(from)]
	for j, v := range from {
		row[j] = scale[j]*v + share*spread[j]
	}
}

// result gives the pair.
func (o *online[F]) result(p *pool) (w, h *Tall[F]) {
	o.rates()
	p.run(o.tasks(), func(_, task int) {
		for f := task * onlineFeatures; f < min((task+1)*onlineFeatures, o.h.Rows); f++ {
			decay := o.decays[o.parts-o.last[f]]
			row := o.n.Row(f)
			for j := range row {
				row[j] *= decay
			}
			o.set(f)
		}
	})
	return o.w, o.h
}
