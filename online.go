package nmf

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

// OnlineOptions says how to learn from rows batch by batch. The zero value is
// the defaults.
type OnlineOptions struct {
	// Batch is the number of rows that H is updated after. Default 1024.
	Batch int `json:"batch"`
	// Epochs bounds the passes over an X that can be read again; they end
	// earlier when a pass lowers the loss by less than Options.LossTol of it.
	// Default 10.
	Epochs int `json:"epochs"`
	// Forget makes rows count less the longer ago they were learnt: of row s of
	// the first t the sums of H hold (s/t)^Forget (Mairal, Bach, Ponce & Sapiro
	// 2010, section 3.4.1). Rows were learnt with the H of their time, and the
	// first H are the worst. Default 4, which 0 is
	// too; negative: all rows count alike.
	Forget float64 `json:"forget"`
	// HalfLife, in rows, is for streams that change: a row counts half as much
	// after so many newer ones, beside what Forget does. Default 0: never.
	HalfLife float64 `json:"half_life,omitempty"`
	// NoShuffle takes the rows of an X in memory in their order; else a
	// permutation by the seed, another one in each pass. An X that is
	// read block by block is always taken in its order.
	NoShuffle bool `json:"no_shuffle,omitempty"`
}

const (
	defaultBatch  = 1024
	defaultEpochs = 10
	defaultForget = 4
	// fewCells is the number of stored cells a row, in components, below which
	// they say too little of a row for second-order steps with the loss "kl".
	fewCells = 4
	// mostGrowth is how much larger than the first rows later ones may be:
	// squares of sums over them must stay in the range of F.
	mostGrowth32, mostGrowth64 = 0x1p30, 0x1p300
)

// OnlineInfo is what a model has learnt from.
type OnlineInfo struct {
	// Rows counts the rows that were learnt, in every pass anew, Batches the
	// updates of H.
	Rows    int `json:"rows"`
	Batches int `json:"batches"`
	// Weight is the number of rows that they count for, after forgetting.
	Weight float64 `json:"weight"`
	// Unit is what X was divided by.
	Unit float64 `json:"unit"`
	// Continued says that the model went on from another one.
	Continued bool `json:"continued,omitempty"`
}

// resolveOnline fills in and checks Options.Online.
func (o *Options) resolveOnline(n, k int) error {
	if o.Online == nil {
		return nil
	}
	on := *o.Online
	o.Online = &on
	on.Batch = defaulted(on.Batch, defaultBatch)
	on.Epochs = defaulted(on.Epochs, defaultEpochs)
	on.Forget = defaulted(on.Forget, defaultForget)
	o.Compression, o.NoExtrapolation = off, true
	for _, c := range []struct {
		name string
		bad  bool
		what any
		want string
	}{
		{"batch", on.Batch < 1, on.Batch, "at least 1"},
		{"epochs", on.Epochs < 1, on.Epochs, "at least 1"},
		{"forget", !isFinite(on.Forget), on.Forget, "a finite number"},
		{"half_life", !(on.HalfLife >= 0), on.HalfLife, "at least 0"},
		{"runs", o.Runs != 1, o.Runs, "1 where rows are learnt online"},
		{"target_error", o.TargetError != 0, o.TargetError, "0 where rows are learnt online"},
	} {
		if c.bad {
			return fmt.Errorf("%w: %s is %v; it must be %s", ErrOption, c.name, c.what, c.want)
		}
	}
	l := o.engineLoss()
	switch {
	case l.Kind != loss.Beta:
		return fmt.Errorf("%w: the loss %s is not learnt online; frobenius, kl, is, beta and tweedie are", ErrOption, o.Loss)
	case o.choosesCells():
		return fmt.Errorf("%w: missing or weighted cells are not learnt online", ErrOption)
	case !o.PenaltyW.none() || !o.PenaltyH.none():
		return fmt.Errorf("%w: penalties and constraints are not learnt online", ErrOption)
	case o.Checkpoint != nil:
		return fmt.Errorf("%w: learning online keeps no checkpoint; the model itself goes on where it stands", ErrOption)
	case o.W != nil || o.H != nil && !complete(o.H, k, n):
		return fmt.Errorf("%w: rows learnt online start at an H that is given whole, or at none", ErrOption)
	}
	return nil
}

// Online learns a factorization from rows that come batch by batch and need not
// come again, and has a model at any time. It is the pass of Fit over some rows,
// with sums that last: see docs/method.md. One goroutine uses it at a time.
//
//	l, err := nmf.NewOnline[float32](20, nil)
//	for batch := range batches {
//		err = l.Learn(batch)
//	}
//	model, err := l.Model(ctx, batch, nil)
type Online[F matrix.Float] struct {
	k       int
	given   Options
	opt     Options
	learner *engine.Learner[F]
	info    OnlineInfo
	trace   onlineTrace
	began   time.Time
	// columns is the number of features, 0 before it is known.
	columns int
}

// NewOnline begins without rows. Of the options it takes Loss with its
// parameters, Solver, Init, Seed, InnerSweeps, Tol, Threads, ColumnNames, H as a
// given start, Progress and Online. The start is made of the first batch that
// is not zero.
//
// Errors wrap ErrOption.
func NewOnline[F matrix.Float](k int, o *Options) (*Online[F], error) {
	l := &Online[F]{k: k, began: time.Now()}
	if o != nil {
		l.given = *o
	}
	if l.given.Online == nil {
		l.given.Online = &OnlineOptions{}
	}
	// What depends on the shape is looked at with the first batch.
	early := l.given
	early.RowNames, early.ColumnNames, early.H = nil, nil, nil
	n := max(1, k)
	if l.given.H != nil {
		n = l.given.H.Cols
		early.H = l.given.H
	}
	var err error
	l.opt, err = early.resolve(n, n, k)
	return l, err
}

// Rows is the number of rows learnt so far.
func (l *Online[F]) Rows() int { return l.info.Rows }

// Learn takes a batch of rows (rows x features) and updates H once. Which rows
// are a batch matters to the result, and nothing else does. A batch of no rows
// does nothing. On an error nothing has been learnt.
//
// Errors are those of Fit for the values of x; ErrShape where it has another
// number of features than the batches before.
func (l *Online[F]) Learn(x matrix.Matrix[F]) error {
	m, _ := x.Dims()
	_, err := l.learn(x, engine.NewTall[F](m, l.k), true)
	return err
}

// batch is rows of X made ready for a learner: divided by its unit.
type batch[F matrix.Float] struct {
	// data is for the Frobenius loss, cells for the others.
	data  *engine.Data[F]
	cells *engine.Cells[F]
	// sum is that of a row.
	sum func(i int) float64
}

// accept checks rows and makes them ready. With no learner yet they are the
// start; it gives nil where they are all zero and there is none.
func (l *Online[F]) accept(x matrix.Matrix[F]) (*batch[F], error) {
	m, n := x.Dims()
	if sizeOf(x).Streamed {
		return nil, fmt.Errorf("%w: a batch is read from disk; give it as a matrix in memory", ErrOption)
	}
	if l.columns != 0 && n != l.columns {
		return nil, fmt.Errorf("%w: the rows have %d features, those before %d", ErrShape, n, l.columns)
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: rows without features", ErrEmpty)
	}
	if names := l.given.ColumnNames; names != nil && len(names) != n {
		return nil, fmt.Errorf("%w: %d column names for %d columns", ErrShape, len(names), n)
	}
	v, data, err := l.check(x)
	if err != nil {
		return nil, err
	}
	if l.learner == nil {
		if v.largest == 0 {
			return nil, nil
		}
		if err := l.start(v, m, n); err != nil {
			return nil, err
		}
	}
	if growth := float64(v.largest) / l.info.Unit; precision[F]() == "f32" && growth > mostGrowth32 || growth > mostGrowth64 {
		return nil, fmt.Errorf("%w: the largest value is %g, far beyond those of the rows before; scale the data, or begin with rows of their size", ErrRange, v.largest)
	}
	switch {
	case l.info.Unit == 1:
		v.x = x
	case v.unit != l.info.Unit:
		v.x, data = scaled(x, 1/l.info.Unit, nil), nil
	}
	if data != nil && l.info.Unit == 1 {
		return &batch[F]{data: data, sum: sumsOf(x)}, nil
	}
	return l.ready(v.x, v.observed), nil
}

// check looks at the values of rows; data is for the Frobenius loss alone, of x
// as it is.
func (l *Online[F]) check(x matrix.Matrix[F]) (v *view[F], data *engine.Data[F], err error) {
	if !l.opt.plain() {
		o := l.opt
		o.RowNames, o.ColumnNames = nil, l.given.ColumnNames
		v, err = observe(nil, x, &o)
		return v, nil, err
	}
	if data, err = scanned(x, &Options{ColumnNames: l.given.ColumnNames, Threads: l.opt.Threads}); err != nil {
		return nil, nil, err
	}
	v = &view[F]{x: x, largest: data.Largest}
	if v.unit, err = unitOf(data.Largest); err != nil {
		return nil, nil, err
	}
	if v.unit != 1 {
		v.x = scaled(x, 1/v.unit, nil)
	}
	return v, data, nil
}

// ready wraps rows that have been divided by the unit.
func (l *Online[F]) ready(x matrix.Matrix[F], observed engine.Observed[F]) *batch[F] {
	b := &batch[F]{sum: sumsOf(x)}
	if l.opt.plain() {
		b.data = engine.NewData(x, l.opt.Threads)
	} else {
		b.cells = engine.NewCells(x, observed, l.opt.engineLoss(), l.opt.Threads)
	}
	return b
}

// sumsOf gives the sum of a row.
func sumsOf[F matrix.Float](x matrix.Matrix[F]) func(i int) float64 {
	return func(i int) (sum float64) {
		for _, v := range stored(x, i) {
			sum += float64(v)
		}
		return sum
	}
}

// start makes the learner from the first rows.
func (l *Online[F]) start(v *view[F], m, n int) error {
	first := l.given
	first.RowNames = nil
	opt, err := first.resolve(m, n, l.k)
	if err != nil {
		return err
	}
	if x, sparse := v.x.(*matrix.CSR[F]); sparse && (first.Solver == "" || first.Solver == auto) && opt.engineLoss().RestBySums() &&
		x.NNZ() < fewCells*l.k*m {
		opt.Solver = "mu"
	}
	var h *engine.Tall[F]
	unitH := math.Sqrt(v.unit)
	if opt.H != nil {
		h = engine.NewTall[F](n, l.k)
		given(&Options{H: opt.H}, nil, h, 0, 0, 1, unitH)
		opt.Init = "given"
	} else {
		data := engine.NewData(v.x, opt.Threads)
		if _, h, err = start.New(opt.Init, data, l.k, opt.Seed, opt.Threads); err != nil {
			return err
		}
	}
	l.opt, l.columns, l.info.Unit = opt, n, v.unit
	l.learner, err = engine.NewLearner(h, l.engineConfig())
	return err
}

func (l *Online[F]) engineConfig() engine.LearnerConfig {
	c := engine.LearnerConfig{Solver: l.opt.Solver, InnerSweeps: l.opt.InnerSweeps, Workers: l.opt.Threads}
	if !l.opt.plain() {
		c.Loss = l.opt.engineLoss()
	}
	return c
}

// learn is Learn for rows whose W goes to w, and starts there unless the rows
// are fresh. It gives their loss before H learnt of them, in the unit of X.
func (l *Online[F]) learn(x matrix.Matrix[F], w *engine.Tall[F], fresh bool) (float64, error) {
	m, _ := x.Dims()
	if m == 0 {
		return 0, nil
	}
	b, err := l.accept(x)
	if err != nil {
		return 0, err
	}
	if b == nil {
		l.info.Rows += m
		return 0, nil
	}
	if fresh && (b.cells != nil || l.opt.Solver == "mu") {
		l.learner.Level(b.sum, w)
	}
	decay := l.decay(m)
	var loss, reference float64
	if b.data != nil {
		loss, reference = l.learner.LearnSquares(b.data, w, decay), b.data.SumSq/2
	} else {
		loss, reference = l.learner.LearnCells(b.cells, w, decay), b.cells.Reference
	}
	l.info.Weight = decay*l.info.Weight + float64(m)
	l.info.Rows += m
	l.info.Batches++
	it := Iteration{Iteration: l.info.Batches, Loss: loss * l.lossUnit(), Seconds: time.Since(l.began).Seconds()}
	if reference > 0 {
		it.RelativeError = math.Sqrt(loss / reference)
	}
	l.trace.add(it)
	if l.given.Progress != nil {
		l.given.Progress(Progress{Runs: 1, Rows: l.info.Rows, Iteration: it})
	}
	return it.Loss, nil
}

// decay is what the sums are multiplied by before m rows are added.
func (l *Online[F]) decay(m int) float64 {
	on, before := l.opt.Online, float64(l.info.Rows)
	d := 1.0
	if on.Forget > 0 {
		d = math.Pow(before/(before+float64(m)), on.Forget)
	}
	if on.HalfLife > 0 {
		d *= math.Exp2(-float64(m) / on.HalfLife)
	}
	return d
}

// lossUnit is what losses of an X that was divided by the unit are multiplied
// by.
func (l *Online[F]) lossUnit() float64 {
	if l.info.Unit == 1 {
		return 1
	}
	return math.Pow(l.info.Unit, l.opt.engineLoss().Degree())
}

// onlineTrace keeps up to mostLines batches of a stream: when it is full every
// second one goes, and then every second new one is kept, and so on.
type onlineTrace struct {
	lines  []Iteration
	stride int
}

const mostLines = 1000

func (t *onlineTrace) add(it Iteration) {
	t.stride = max(1, t.stride)
	if it.Iteration%t.stride != 0 {
		return
	}
	t.lines = append(t.lines, it)
	if len(t.lines) < mostLines {
		return
	}
	t.stride *= 2
	t.lines = slices.DeleteFunc(t.lines, func(it Iteration) bool { return it.Iteration%t.stride != 0 })
}
