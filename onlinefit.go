package nmf

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// Model is the factorization as it is now. Its W, loss and residuals are those
// of the rows x, which may be rows that were learnt, such as the last batch, or
// others; its scales are those of all rows that were learnt, by their weight, for
// as many rows as x has. So a component that x has nothing of keeps its place,
// and columns of W need not sum to one. rowNames are those of x, or nil. Learning
// can go on afterwards.
//
// ErrEmpty: nothing was learnt yet but zeros. Others are those of Learn, or
// ctx's.
func (l *Online[F]) Model(ctx context.Context, x matrix.Matrix[F], rowNames []string) (*Model[F], error) {
	if l.learner == nil {
		return nil, fmt.Errorf("%w: no row above zero has been learnt", ErrEmpty)
	}
	m, _ := x.Dims()
	if m == 0 {
		return nil, fmt.Errorf("%w: there are no rows to give a W of", ErrEmpty)
	}
	if rowNames != nil && len(rowNames) != m {
		return nil, fmt.Errorf("%w: %d row names for %d rows", ErrShape, len(rowNames), m)
	}
	run, err := l.end(ctx, rowsOf(x), m)
	if err != nil {
		return nil, err
	}
	l.opt.RowNames, l.opt.ColumnNames = rowNames, l.given.ColumnNames
	unitF := math.Sqrt(l.info.Unit)
	// Scales that the rows of x have nothing to do with.
	mass := make([]float64, l.k)
	for j, v := range l.learner.Mass {
		mass[j] = v * float64(m) / l.info.Weight
	}
	pair := wholePair[F]{run.W, run.H, mass, columnSums(run.H)}
	model := newModel(pair, sizeOf(x), l.k, l.info.Unit, unitF, unitF, l.lossUnit(), []*engine.Run[F]{run}, 0, l.opt)
	l.finish(model)
	return model, nil
}

// finish puts what belongs to learning online into a model.
func (l *Online[F]) finish(model *Model[F]) {
	info := &model.Info
	info.LossName = l.opt.Loss
	info.Options = l.given
	info.Options.RowNames = nil
	state := l.info
	info.Online = &state
	info.Seconds = time.Since(l.began).Seconds()
	model.online = newOnlineState(l.learner)
}

// block is rows of an X from row `first` on.
type block[F matrix.Float] struct {
	first int
	x     matrix.Matrix[F]
	// at are the indices of the rows where they do not follow each other.
	at []int
}

// index is the row of X that row i of the block is.
func (b *block[F]) index(i int) int {
	if b.at != nil {
		return b.at[i]
	}
	return b.first + i
}

// inX makes the error about a row of a block one about the row of X.
func (b *block[F]) inX(err error, rowNames []string) error {
	var e *CellError
	if !errors.As(err, &e) {
		return err
	}
	e.Row = b.index(e.Row)
	if rowNames != nil {
		e.RowName = rowNames[e.Row]
	}
	return err
}

// reader gives the blocks of an X, which are asked for one at a time: `rows` of its
// rows from row `first` on, or those that are listed. Dense ones that must be copied
// go to room, which is overwritten.
type reader[F matrix.Float] func(first, rows int, at []int, room *[]F) (*block[F], error)

func rowsOf[F matrix.Float](x matrix.Matrix[F]) reader[F] {
	var held heldRows[F]
	return func(first, rows int, at []int, room *[]F) (*block[F], error) {
		b := &block[F]{first: first, at: at}
		copied := func(cols int) *matrix.Dense[F] {
			if cap(*room) < rows*cols {
				*room = make([]F, rows*cols)
			}
			return &matrix.Dense[F]{Rows: rows, Cols: cols, Stride: cols, Data: (*room)[:rows*cols]}
		}
		switch x := x.(type) {
		case *matrix.Dense[F]:
			if at == nil {
				b.x = &matrix.Dense[F]{Rows: rows, Cols: x.Cols, Stride: x.Stride, Data: x.Data[first*x.Stride:]}
				return b, nil
			}
			d := copied(x.Cols)
			for i, r := range at {
				copy(d.Row(i), x.Row(r))
			}
			b.x = d
		case *matrix.CSR[F]:
			part := &matrix.CSR[F]{Rows: rows, Cols: x.Cols, RowPtr: make([]int, 1, rows+1)}
			if at == nil {
				p0, p1 := x.RowPtr[first], x.RowPtr[first+rows]
				part.ColIdx, part.Val = x.ColIdx[p0:p1:p1], x.Val[p0:p1:p1]
				for i := range rows {
					part.RowPtr = append(part.RowPtr, x.RowPtr[first+i+1]-p0)
				}
			}
			for _, r := range at {
				cols, vals := x.Row(r)
				part.ColIdx, part.Val = append(part.ColIdx, cols...), append(part.Val, vals...)
				part.RowPtr = append(part.RowPtr, len(part.Val))
			}
			b.x = part
		case *matrix.StreamedCSR[F]:
			part, err := held.read(x, first, first+rows)
			if err != nil {
				return nil, err
			}
			b.x = part
		case *matrix.Streamed[F]:
			d := copied(x.Cols)
			if err := x.Read(first, d.Data); err != nil {
				return nil, err
			}
			b.x = d
		}
		return b, nil
	}
}

// heldRows is the block that was read last of a sparse X on disk: several batches
// are in one.
type heldRows[F matrix.Float] struct {
	block matrix.CSR[F]
	first int
}

// read gives the rows from, and before to.
func (h *heldRows[F]) read(x *matrix.StreamedCSR[F], from, to int) (*matrix.CSR[F], error) {
	part := &matrix.CSR[F]{Rows: to - from, Cols: x.Cols, RowPtr: make([]int, 1, to-from+1)}
	for r := from; r < to; {
		if r < h.first || r >= h.first+h.block.Rows {
			h.first = r / x.ByRows.Step * x.ByRows.Step
			if err := x.ByRows.Read(h.first, &h.block); err != nil {
				h.block.Rows = 0
				return nil, err
			}
		}
		for ; r < min(to, h.first+h.block.Rows); r++ {
			cols, vals := h.block.Row(r - h.first)
			part.ColIdx, part.Val = append(part.ColIdx, cols...), append(part.Val, vals...)
			part.RowPtr = append(part.RowPtr, len(part.Val))
		}
	}
	return part, nil
}

// inTurn yields the blocks of m rows, in the order of the rows or as order has
// them; the next one is read while one is in use. What it has read when the
// caller stops is waited for.
func (r reader[F]) inTurn(m, size int, order []int) iter.Seq2[*block[F], error] {
	type result struct {
		b   *block[F]
		err error
	}
	return func(yield func(*block[F], error) bool) {
		var rooms [2][]F
		next := make(chan result, 1)
		fetch := func(first int) {
			rows := min(size, m-first)
			var at []int
			if order != nil {
				at = order[first : first+rows]
			}
			b, err := r(first, rows, at, &rooms[first/size%2])
			next <- result{b, err}
		}
		go fetch(0)
		for first := 0; first < m; first += size {
			got := <-next
			more := got.err == nil && first+size < m
			if more {
				go fetch(first + size)
			}
			if !yield(got.b, got.err) || got.err != nil {
				if more {
					<-next
				}
				return
			}
		}
	}
}

// end solves W of m rows for H, and measures the pair.
func (l *Online[F]) end(ctx context.Context, rows reader[F], m int) (*engine.Run[F], error) {
	w := engine.NewTall[F](m, l.k)
	e := l.learner.End(rowTol(l.opt.Tol))
	sum, first := 0.0, 0
	err := l.each(ctx, rows, m, func(b *batch[F], n int) error {
		part := w.Part(first, first+n)
		first += n
		if b.data != nil {
			e.Squares(b.data, part)
			return nil
		}
		sum += b.cells.Mean * float64(n) * float64(l.columns)
		return e.Cells(b.cells, part)
	})
	if err != nil {
		return nil, err
	}
	reference := e.SumSq / 2
	if !l.opt.plain() {
		// The loss of the mean is known once the mean is.
		mean := sum / (float64(m) * float64(l.columns))
		reference = 0
		err := l.each(ctx, rows, m, func(b *batch[F], _ int) error {
			reference += b.cells.LossOfConstant(mean, l.opt.Threads)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	r := &engine.Run[F]{W: w, H: l.learner.H.Clone(), Trace: l.trace.lines, Status: IterationLimit, Iterations: l.info.Batches, Loss: e.Loss}
	r.KKTW, r.KKTH = e.Residuals()
	r.KKT = max(r.KKTW, r.KKTH)
	if reference > 0 {
		r.RelativeError = math.Sqrt(max(0, e.Loss) / reference)
	}
	if r.KKT <= l.opt.Tol {
		r.Status = Converged
	}
	return r, nil
}

// each goes through m rows, batch by batch in their order.
func (l *Online[F]) each(ctx context.Context, rows reader[F], m int, do func(b *batch[F], n int) error) error {
	for part, err := range rows.inTurn(m, l.opt.Online.Batch, nil) {
		if err = errors.Join(err, context.Cause(ctx)); err != nil {
			return err
		}
		b, err := l.accept(part.x)
		if err != nil {
			return part.inX(err, l.given.RowNames)
		}
		n, _ := part.x.Dims()
		if err := do(b, n); err != nil {
			return err
		}
	}
	return nil
}

// fitOnline is Fit with Options.Online.
func fitOnline[F matrix.Float](ctx context.Context, x matrix.Matrix[F], k int, o *Options, began time.Time) (*Model[F], error) {
	if err := checkLayout(x); err != nil {
		return nil, err
	}
	l, err := NewOnline[F](k, o)
	if err != nil {
		return nil, err
	}
	l.began = began
	m, _ := x.Dims()
	status, err := l.epochs(ctx, x)
	if err != nil {
		return nil, err
	}
	switch {
	case status == Cancelled && l.info.Batches == 0:
		return nil, context.Cause(ctx)
	case l.learner == nil:
		return nil, allZero[F](nil)
	}
	// What has been learnt is worth a whole model, whatever has ended it.
	run, err := l.end(context.WithoutCancel(ctx), rowsOf(x), m)
	if err != nil {
		return nil, err
	}
	if run.Status != Converged || status == Cancelled {
		run.Status = status
	}
	l.opt.RowNames, l.opt.ColumnNames = o.RowNames, o.ColumnNames
	unitF := math.Sqrt(l.info.Unit)
	model := newModel(pairOf(run.W, run.H), sizeOf(x), k, l.info.Unit, unitF, unitF, l.lossUnit(), []*engine.Run[F]{run}, 0, l.opt)
	l.finish(model)
	return model, nil
}

// epochs passes over x until the loss hardly falls, and says why it ended. The
// error is ctx's where not one batch was learnt.
func (l *Online[F]) epochs(ctx context.Context, x matrix.Matrix[F]) (Status, error) {
	m, n := x.Dims()
	if m == 0 || n == 0 {
		return "", fmt.Errorf("%w: the matrix is %d x %d", ErrEmpty, m, n)
	}
	on, rows := l.opt.Online, rowsOf(x)
	streamed := sizeOf(x).Streamed
	var kept *engine.Tall[F]
	if on.Epochs > 1 {
		kept = engine.NewTall[F](m, l.k)
	}
	before := math.Inf(1)
	for epoch := range on.Epochs {
		var order []int
		if !on.NoShuffle && !streamed && m > on.Batch {
			order = rand.New(rand.NewPCG(l.opt.Seed, onlineStream<<32|uint64(epoch))).Perm(m)
		}
		total := 0.0
		for b, err := range rows.inTurn(m, on.Batch, order) {
			switch {
			case err != nil:
				return "", err
			case ctx.Err() != nil:
				return Cancelled, nil
			}
			loss, err := l.learnKept(b, kept, epoch == 0)
			if err != nil {
				return "", b.inX(err, l.given.RowNames)
			}
			total += loss
		}
		if l.opt.LossTol >= 0 && before-total <= l.opt.LossTol*before && !math.IsInf(before, 1) {
			return Stalled, nil
		}
		before = total
	}
	return IterationLimit, nil
}

// onlineStream is the stream of random numbers of the orders of rows.
const onlineStream = 0x6f6e

// learnKept learns a block whose W starts where the last pass left it in kept,
// unless that is nil or the block is new.
func (l *Online[F]) learnKept(b *block[F], kept *engine.Tall[F], fresh bool) (float64, error) {
	m, _ := b.x.Dims()
	w := engine.NewTall[F](m, l.k)
	if kept == nil {
		return l.learn(b.x, w, true)
	}
	if !fresh {
		for i := range m {
			copy(w.Row(i), kept.Row(b.index(i)))
		}
	}
	loss, err := l.learn(b.x, w, fresh)
	for i := range m {
		copy(kept.Row(b.index(i)), w.Row(i))
	}
	return loss, err
}

// Online goes on learning where a model stands. A model that was learnt online
// has what it needs in it, and goes on as though it had never been saved. Another
// one is taken as though each of its rows had been learnt exactly as W·H has it:
// it counts for as many rows as it was fitted to.
//
// Of the options Seed, InnerSweeps, Tol, Threads, Progress, ColumnNames and Online
// are taken; k, the loss and the solver are the model's, and must not be others.
// Without Online those of the model are used.
//
// Errors wrap ErrOption; ErrNames where ColumnNames are not the model's.
func (m *Model[F]) Online(o *Options) (*Online[F], error) {
	var given Options
	if o != nil {
		given = *o
	}
	was := &m.Info.Resolved
	for _, c := range []struct {
		name      string
		have, now string
	}{{"loss", m.Info.LossName, given.Loss}, {"solver", was.Solver, given.Solver}} {
		if c.now != "" && c.now != auto && c.now != c.have {
			return nil, fmt.Errorf("%w: %s is %q, and that of the model is %q", ErrOption, c.name, c.now, c.have)
		}
	}
	if given.H != nil {
		return nil, fmt.Errorf("%w: an H is given, and the model has one", ErrOption)
	}
	given.Loss, given.Beta, given.Power, given.Solver = m.Info.LossName, was.Beta, was.Power, was.Solver
	given.PenaltyW, given.PenaltyH, given.Missing = was.PenaltyW, was.PenaltyH, was.Missing
	if given.Online == nil {
		given.Online = was.Online
	}
	if err := matchNames(given.ColumnNames, m.ColumnNames); err != nil {
		return nil, err
	}
	if given.ColumnNames == nil {
		given.ColumnNames = m.ColumnNames
	}
	l, err := NewOnline[F](m.K(), &given)
	if err != nil {
		return nil, err
	}
	l.columns = m.H.Cols
	l.opt.Init = was.Init
	if m.online != nil {
		l.info = *m.Info.Online
		l.trace.lines = append(l.trace.lines, m.Info.Trace...)
		l.learner, err = m.online.learner(l.engineConfig())
	} else {
		err = l.fromFit(m)
	}
	l.info.Continued = true
	return l, err
}

// fromFit takes a model that was not learnt online: its W·H for its data.
func (l *Online[F]) fromFit(m *Model[F]) error {
	rows, total := m.W.Rows, 0.0
	for _, s := range m.Scales {
		total += s
	}
	l.info = OnlineInfo{Rows: rows, Weight: float64(rows), Unit: unit(F(total / float64(rows) / float64(m.H.Cols)))}
	w, h := engine.NewTall[F](rows, m.K()), engine.NewTall[F](m.H.Cols, m.K())
	for j, s := range m.Scales {
		root := math.Sqrt(s / l.info.Unit)
		for i := range rows {
			w.Row(i)[j] = F(root * float64(m.W.At(i, j)))
		}
		for i, v := range m.H.Row(j) {
			h.Row(i)[j] = F(root * float64(v))
		}
	}
	var err error
	if l.learner, err = engine.NewLearner(h, l.engineConfig()); err != nil {
		return err
	}
	blocks, err := m.ReconstructBlocks(m.W, l.opt.Online.Batch)
	if err != nil {
		return err
	}
	for first, x := range blocks {
		part := w.Part(first, first+x.Rows)
		b := l.ready(scaled[F](x, 1/l.info.Unit, nil), engine.Observed[F]{})
		if b.data != nil {
			l.learner.AddSquares(b.data, part, 1)
		} else {
			l.learner.AddCells(b.cells, part, 1)
		}
	}
	return nil
}

// Update goes on learning from new rows, as Online does with o, in as many
// passes as its Epochs say, and gives a new model: its W is that of the new
// rows, and its scales are those of all rows that were learnt (see Online.Model).
// m stays as it is.
//
// Cancelling ctx gives the model of what has been learnt so far, with Status
// Cancelled; before the first batch is done there is none, and the error is
// ctx's. Other errors are those of Fit and of Online.
func (m *Model[F]) Update(ctx context.Context, x matrix.Matrix[F], o *Options) (*Model[F], error) {
	l, err := m.Online(o)
	if err != nil {
		return nil, err
	}
	if err := checkLayout(x); err != nil {
		return nil, err
	}
	var rowNames []string
	if o != nil {
		rowNames = o.RowNames
	}
	if rows, _ := x.Dims(); rowNames != nil && len(rowNames) != rows {
		return nil, fmt.Errorf("%w: %d row names for %d rows", ErrShape, len(rowNames), rows)
	}
	l.given.RowNames = rowNames
	batches := l.info.Batches
	status, err := l.epochs(ctx, x)
	switch {
	case err != nil:
		return nil, err
	case status == Cancelled && l.info.Batches == batches:
		return nil, context.Cause(ctx)
	}
	updated, err := l.Model(context.WithoutCancel(ctx), x, rowNames)
	if err == nil && (updated.Info.Status != Converged || status == Cancelled) {
		updated.Info.Status = status
	}
	return updated, err
}
