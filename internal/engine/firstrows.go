package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

const (
	// firstLeast is the least number of rows that a run of Minimize begins with,
	// firstOf that number in components, firstCells the number of cells in them for
	// each entry of H. They are firstNear apart at least, or all rows are begun
	// with at once, firstApart at most, unless they had more than firstMost cells.
	firstLeast, firstOf, firstCells = 512, 4, 2
	firstNear, firstApart           = 4, 32
	firstMost                       = 4 << 20
	// firstFrom is the number of cells of X from which a run does.
	firstFrom = 1 << 20
	// firstIterations and firstLossTol end the iterations on them.
	firstIterations = 20
	firstLossTol    = 1e-2
	// firstAsked is the number of other rows at most that are asked whether what was
	// learned is better.
	firstAsked = 256
)

// firstStep is how far apart the rows are that a run of k components begins with,
// 0 where it begins with all.
func firstStep(rows, cols, k int, stored float64) int {
	if stored < firstFrom {
		return 0
	}
	most := min(rows/max(firstLeast, firstOf*k), int(stored/(firstCells*float64(k)*float64(cols))))
	step := max(min(most, firstApart), int(stored/firstMost))
	if step < firstNear || step > most {
		return 0
	}
	return step
}

// firstBytes estimates what the rows take that runs of k components begin with, and
// each of the runs for its own copy of H.
func firstBytes(s Size, k, side, padded, element int) float64 {
	step := firstStep(s.Rows, s.Cols, k, float64(s.Stored))
	if step == 0 {
		return 0
	}
	const index = 4
	bytes := float64(side*padded*element) * float64(s.Cols)
	learned := float64(s.Stored) / float64(step)
	asks := min(learned, 2*firstAsked*float64(s.Stored)/float64(s.Rows))
	switch {
	case s.Sparse:
		bytes += 2 * (learned + asks) * float64(element+index)
	case s.Streamed:
		bytes += (learned + asks) * float64(element)
	}
	return bytes
}

// firstRows are rows of X that are apart, and others, between them: of the whole X,
// of which this rank has its own.
type firstRows[F kernel.Float] struct {
	learn, ask     stride
	learned, asked *Data[F]
}

// firstOfAll gives the rows that are step apart, and others; false where they could
// not be read.
func (d *Data[F]) firstOfAll(p *pool, step int) (*firstRows[F], bool) {
	apart := step * max(1, d.AllRows()/step/firstAsked)
	r := &firstRows[F]{learn: d.grid.stride(0, step), ask: d.grid.stride(step/2, apart)}
	rows, ok := d.someRows(p, r.learn, r.ask)
	if !d.grid.agree(ok) {
		return nil, false
	}
	r.learned, r.asked = NewData(rows[0], p.workers), NewData(rows[1], p.workers)
	if d.grid != nil {
		r.learned.Over(d.grid.every(0, step))
		r.asked.Over(d.grid.every(step/2, apart))
	}
	return r, true
}

// someRows gives some of the rows that are here, and others: of a dense X in memory a
// view, else a copy. It reports false where they could not be read.
func (d *Data[F]) someRows(p *pool, of ...stride) ([]matrix.Matrix[F], bool) {
	parts := make([]matrix.Matrix[F], len(of))
	if o, streamed := d.operand.(*sparseStream[F]); streamed {
		return parts, d.someRowsRead(p, o, of, parts)
	}
	ok := true
	for q, of := range of {
		n := of.before(d.Rows)
		switch o := d.operand.(type) {
		case *denseOperand[F]:
			parts[q] = &matrix.Dense[F]{Rows: n, Cols: d.Cols, Stride: of.step * o.x.Stride, Data: o.x.Data[min(of.first*o.x.Stride, len(o.x.Data)):]}
		case *streamOperand[F]:
			part := matrix.NewDense[F](n, d.Cols)
			for i := range n {
				if p.ctx.Err() != nil {
					return nil, false
				}
				if err := o.x.Read(of.row(i), part.Row(i)); err != nil {
					o.blocks.err = err
					return nil, false
				}
			}
			parts[q] = part
		case *sparseOperand[F]:
			part := newSomeCSR[F](n, d.Cols)
			for i := range n {
				at := of.row(i)
				part.RowPtr[i+1] = part.RowPtr[i] + o.x.RowPtr[at+1] - o.x.RowPtr[at]
			}
			part.ColIdx, part.Val = make([]int32, part.RowPtr[n]), make([]F, part.RowPtr[n])
			ok = ok && p.run(n, func(_, i int) {
				cols, vals := o.x.Row(of.row(i))
				copy(part.ColIdx[part.RowPtr[i]:], cols)
				copy(part.Val[part.RowPtr[i]:], vals)
			})
			parts[q] = part
		default:
			panic("engine: this X has no rows")
		}
	}
	return parts, ok
}

// someRowsRead is someRows for a sparse X that is read block by block, once.
func (d *Data[F]) someRowsRead(p *pool, x *sparseStream[F], of []stride, into []matrix.Matrix[F]) bool {
	row, _ := d.cells()
	parts := make([]*matrix.CSR[F], len(of))
	for q, of := range of {
		n := of.before(d.Rows)
		room := int(row * float64(n))
		parts[q] = newSomeCSR[F](n, d.Cols)
		parts[q].ColIdx, parts[q].Val = make([]int32, 0, room), make([]F, 0, room)
		into[q] = parts[q]
	}
	for r0 := 0; r0 < d.Rows; r0 += d.block {
		r1 := min(r0+d.block, d.Rows)
		if !d.hold(p, r0, r1) {
			return false
		}
		for q, of := range of {
			part := parts[q]
			for i := of.before(r0); i < of.before(r1); i++ {
				cols, vals := x.rows.held.Row(of.row(i) - x.rows.base)
				part.ColIdx, part.Val = append(part.ColIdx, cols...), append(part.Val, vals...)
				part.RowPtr[i+1] = len(part.Val)
			}
		}
	}
	return true
}

func newSomeCSR[F kernel.Float](rows, cols int) *matrix.CSR[F] {
	return &matrix.CSR[F]{Rows: rows, Cols: cols, RowPtr: make([]int, rows+1)}
}

// firstStep is how far apart the rows are that a run of k components begins
// with, 0 where it begins with all: what is asked of the factors would weigh more
// there, of a compressed X there are no rows, and who wants no momentum wants the
// half-steps of the textbook.
func (f *fitter[F]) firstStep(k int) int {
	if f.cfg.Improved || !f.cfg.Extrapolate || f.cfg.asks() {
		return 0
	}
	if _, compressed := f.x.operand.(*compressedOperand[F]); compressed {
		return 0
	}
	rows := f.x.AllRows()
	row, _ := f.x.meanCells()
	return firstStep(rows, f.x.AllCols(), k, row*float64(rows))
}

// startWithSome improves the pairs of runs that are to begin by iterations on a part
// of the rows, which say nearly as much of H as all of them: H is what these have
// made of it where other rows are fitted better with it than with the one given, and
// a row of W then begins as their mean. It reports false when cancelled.
func (f *fitter[F]) startWithSome(pairs []stacked[F], slots []*slot[F]) bool {
	steps := make([]int, len(slots))
	for i, s := range slots {
		steps[i] = f.firstStep(s.k)
	}
	for from := 0; from < len(slots); {
		to := from + 1
		for to < len(slots) && steps[to] == steps[from] {
			to++
		}
		if steps[from] > 0 && !f.learnBySome(pairs[from:to], slots[from:to], steps[from]) {
			return false
		}
		from = to
	}
	if len(f.waiting) == 0 {
		f.first = nil
	}
	return true
}

// learnBySome is startWithSome for runs that begin with the same rows.
func (f *fitter[F]) learnBySome(pairs []stacked[F], slots []*slot[F], step int) bool {
	if f.first == nil || f.first.learn.step != step {
		var ok bool
		if f.first, ok = f.x.firstOfAll(f.pool, step); !ok {
			f.first = nil
			return false
		}
	}
	x := f.first
	if x.learned.SumSq == 0 {
		return true
	}
	cfg := f.cfg
	cfg.MaxIter, cfg.Tol, cfg.LossTol, cfg.TargetError = firstIterations, -1, firstLossTol, 0
	cfg.Improved, cfg.Unfinished, cfg.BestOnly, cfg.OnIteration = true, true, false, nil
	// Ranks have other tiles there than one process.
	cfg.apart = true
	ranks := make([]int, len(slots))
	cfg.Seeds = make([]uint64, len(slots))
	for i, s := range slots {
		ranks[i], cfg.Seeds[i] = s.k, f.cfg.seed(s.index)
	}
	start := func(i int) (w, h *Tall[F]) {
		return rowsOf(pairs[i].w, x.learn, x.learned.Rows), pairs[i].h.cloneBy(f.pool.workers)
	}
	ok, left := true, len(slots)
	err := MinimizeEach(f.pool.ctx, x.learned, ranks, start, cfg, func(i int, r *Run[F]) {
		left--
		ok = ok && f.takeLearned(pairs[i], r)
	})
	return ok && err == nil && left == 0
}

// takeLearned puts what a run on some of the rows has learned into its pair, where it
// is better. It reports false when cancelled.
func (f *fitter[F]) takeLearned(pair stacked[F], r *Run[F]) bool {
	x := f.first
	lossOf := func(h *Tall[F]) (float64, bool) {
		w := rowsOf(pair.w, x.ask, x.asked.Rows)
		if _, ok := x.asked.project(f.pool, w, h, nil, nil, f.cfg.RowTol, false); !ok {
			return 0, false
		}
		loss, ok := x.asked.residualLoss(f.pool, w, h, 0, h.K)
		return x.asked.grid.all64(loss, ok)
	}
	before, ok := lossOf(pair.h)
	if !ok {
		return false
	}
	after, ok := lossOf(r.H)
	if !ok || !(after < before) {
		return ok
	}
	copyTall(pair.h, r.H)
	sums := make([]float64, r.W.K)
	from, to := x.learned.OwnRows()
	for i := from; i < to; i++ {
		for j, v := range r.W.Row(i) {
			sums[j] += float64(v)
		}
	}
	f.x.grid.sumAll(sums)
	mean := make([]F, r.W.K)
	for j := range mean {
		mean[j] = F(sums[j] / float64(x.learned.AllRows()))
	}
	EachStrip(pair.w.Rows, f.pool.workers, func(i0, i1 int) {
		for i := i0; i < i1; i++ {
			if q := x.learn.before(i); x.learn.row(q) == i {
				copy(pair.w.Row(i), r.W.Row(q))
			} else {
				copy(pair.w.Row(i), mean)
			}
		}
	})
	return true
}

// rowsOf copies n of the rows of t.
func rowsOf[F kernel.Float](t *Tall[F], of stride, n int) *Tall[F] {
	c := NewTall[F](n, t.K)
	for i := range n {
		copy(c.Row(i), t.Row(of.row(i)))
	}
	return c
}
