package engine

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/penalty"
	"github.com/partsof/nmf/internal/solver"
)

// Status says why a run ended.
type Status string

const (
	// Converged: the KKT residual is within the tolerance, or the target
	// error is reached.
	Converged Status = "converged"
	// Stalled: the loss no longer falls by the relative tolerance.
	Stalled Status = "stalled"
	// IterationLimit: the largest number of iterations is done.
	IterationLimit Status = "iteration limit"
	// Cancelled: the context ended; the factors are the best so far.
	Cancelled Status = "cancelled"
)

// Config is what all runs of a call share.
type Config struct {
	Solver string
	// InnerSweeps bounds the repetitions within a half-step; 0 chooses by
	// counts of operations.
	InnerSweeps int
	// Extrapolate adds momentum (Ang & Gillis 2019).
	Extrapolate bool
	MaxIter     int
	// Tol bounds the KKT residual, LossTol the mean relative decrease of the
	// loss over lossWindow iterations; negative means never.
	Tol, LossTol float64
	// TargetError ends a run at this relative error; 0 means never.
	TargetError float64
	// RowTol is the KKT residual by row that the final W half-step goes to.
	RowTol float64
	// PenaltyW and PenaltyH are what is asked of the factors beside that they
	// are not negative; nil is nothing. Held entries are those of the factor at
	// any start, and must be in it.
	PenaltyW, PenaltyH *penalty.Factor
	// Seed, plus the index of a run, is for the revival of its dead components.
	// Seeds, unless nil, gives each run one of its own instead.
	Seed    uint64
	Seeds   []uint64
	Workers int
	// SideBySide bounds the number of runs that are iterated at a time; 0 is
	// as many as keep their factors in cache. No result depends on it.
	SideBySide int
	// Unfinished leaves out the final half-step: a run ends with its accepted
	// pair, whose residual of W is not known.
	Unfinished bool
	// Improved says that the starts are such already that some of the rows of X
	// would not improve them, so that a run begins with all rows.
	Improved bool
	// apart makes no row of W depend on which others stand in its tile.
	apart bool
	// BestOnly drops the factors and the trace of a run as soon as another has a
	// lower loss.
	BestOnly bool
	// Start is the time that Iteration.Seconds counts from.
	Start time.Time
	// OnIteration, unless nil, is called after every accepted iteration of
	// every run, from one goroutine.
	OnIteration func(run int, it Iteration)
}

// Iteration is one line of a trace.
type Iteration struct {
	// Iteration counts passes from 1. An extrapolated step that raised the
	// loss is taken back and leaves a gap.
	Iteration int `json:"iteration"`
	// Loss is ½‖X−WH‖² of the pair (W, H) that the iteration made, and the
	// penalties of both.
	Loss float64 `json:"loss"`
	// RelativeError is ‖X−WH‖/‖X‖.
	RelativeError float64 `json:"relative_error"`
	// KKT is the KKT residual of the pair. That of W becomes known one pass
	// later; with extrapolation it is measured at the extrapolated H.
	KKT float64 `json:"kkt"`
	// Seconds since the start of the fit, its initialisation included.
	Seconds float64 `json:"seconds"`
}

// Run is one factor pair: its start on entry, its end on return.
type Run[F kernel.Float] struct {
	// W is m x k and H is n x k (Hᵀ of the textbook).
	W, H *Tall[F]

	Trace         []Iteration
	Status        Status
	Iterations    int
	Loss          float64
	RelativeError float64
	// KKT is the residual of the final pair, KKTW and KKTH its two factors'.
	KKT, KKTW, KKTH float64
	// Revived counts dead components that were started again.
	Revived int
}

// Starter makes the start of run i when its turn comes. The run goes on in its
// memory.
type Starter[F kernel.Float] func(i int) (w, h *Tall[F])

// Minimize iterates runs with the given ranks side by side, as many at a time
// as keep their factors in cache. Cancelling returns the runs that have
// started, each with its best pair so far; the others are nil.
func Minimize[F kernel.Float](ctx context.Context, x *Data[F], ranks []int, start Starter[F], cfg Config) ([]*Run[F], error) {
	return minimize(ctx, x, ranks, start, cfg, nil, nil)
}

// MinimizeKept is Minimize whose state is kept, unless keep is nil.
func MinimizeKept[F kernel.Float](ctx context.Context, x *Data[F], ranks []int, start Starter[F], cfg Config, keep *Keeper[F]) ([]*Run[F], error) {
	return minimize(ctx, x, ranks, start, cfg, keep, nil)
}

// MinimizeEach is Minimize that hands over every run as soon as it has ended, from
// one goroutine: its factors may be used until done returns. Of a run that is
// cancelled nothing is handed over.
func MinimizeEach[F kernel.Float](ctx context.Context, x *Data[F], ranks []int, start Starter[F], cfg Config, done func(i int, r *Run[F])) error {
	_, err := minimize(ctx, x, ranks, start, cfg, nil, done)
	return err
}

func minimize[F kernel.Float](ctx context.Context, x *Data[F], ranks []int, start Starter[F], cfg Config, keep *Keeper[F], done func(i int, r *Run[F])) ([]*Run[F], error) {
	solve, err := solver.New[F](cfg.Solver)
	if err != nil {
		return nil, err
	}
	_, gathered := x.operand.(*sparseOperand[F])
	f := &fitter[F]{
		x: x, cfg: cfg, solver: solve, ctx: ctx, done: done, keep: keep, resumed: keep.resumed(),
		pool:  x.grid.pool(keep.work(ctx), cfg.Workers),
		stack: newStack[F](cfg.Extrapolate, cfg.Workers),
		runs:  make([]*Run[F], len(ranks)), ranks: ranks, start: start,
		widest: stackWidth[F](x.widestCols(), gathered), tile: kernel.TileRows[F](),
	}
	if _, streamed := x.operand.(*streamOperand[F]); streamed {
		f.widest = max(f.widest, streamWidth(x.Rows, x.Cols))
	}
	if d, dense := x.operand.(*denseOperand[F]); dense && x.grid == nil && !cfg.asks() && inTiles[F](x.Rows, x.Cols) {
		f.panels, f.stack.tiled = newPanels(d), true
	}
	f.takeUp()
	if (keep != nil || x.grid != nil) && !x.grid.agree(ctx.Err() == nil) {
		return f.runs, x.grid.Lost()
	}
	for f.refill() && len(f.slots) > 0 {
		if !f.iterate() || !f.concludeKept() || !f.kept() {
			break
		}
	}
	f.cancel()
	if st := f.stack; keep == nil {
		leaveBehind(append(f.spare, st.w, st.wOut, st.wPlain, st.h, st.hOut, st.hAhead, st.q, &f.finalW, &f.finalH)...)
	}
	return f.runs, x.grid.Lost()
}

// stackWidth is the number of columns up to which pairs are put side by side:
// Hᵀ of all of them should stay in a core's own cache, but there are enough of
// them for whole register tiles, or, where rows of Hᵀ are gathered, for two lines
// of cache a row: more lines cost as much each, but come from farther away.
func stackWidth[F kernel.Float](n int, gathered bool) int {
	const cacheBytes, most = 1 << 20, 512
	size, least := 64/kernel.Width[F](), 64
	if gathered {
		least = 2 * kernel.Width[F]()
	}
	return min(most, max(least, cacheBytes/(size*max(1, n))))
}

// streamWidth is the same for an X that is read block by block: runs share the
// reading, so that what they take may grow with X, to a sixteenth of it.
func streamWidth(rows, cols int) int {
	const part, most = 16, 512
	column := 3*float64(rows) + 4*float64(cols)
	return int(min(most, float64(rows)*float64(cols)/part/max(1, column)))
}

// slot is a run that is being iterated.
type slot[F kernel.Float] struct {
	run   *Run[F]
	index int
	// off is the run's first column in the stack, k its number of columns.
	off, k int
	// g is the Gram matrix of the H that the next W is made for, s that of W.
	g, s *solver.Gram[F]

	// loss of the accepted pair, its penalties included; +Inf before there is
	// one.
	loss float64
	// problemW and problemH are the row problems of a pass where something is
	// asked of the factor; nil otherwise.
	problemW, problemH *solver.Problem[F]
	// normW holds the squared norms of the columns of the accepted W; columns
	// the gradient of the accepted H, waiting for the norms of H.
	normW   []float64
	columns gradientSums
	rows    gradientSums

	// ending is what the run ends with, unless its final half-step shows
	// otherwise, w and h its pair then, and solved the W that this makes.
	ending       Status
	w, h, solved *Tall[F]

	// pending is what H in tiles waits for, with the momentum of the last pass, and
	// at the slot's first column where the slots stand without gaps.
	pending pending
	beta    [64]F
	at      int

	// tol falls when a final half-step shows that the run was not there yet.
	tol                  float64
	momentum             momentum
	revivals             []int
	rowTiles, columnTile tileSums
	sweepsRow, sweepsCol int
	// gentle says that the pass does one sweep and has no momentum.
	gentle bool
}

// gentleMost bounds the number of passes at the beginning of a run on an X of few rows
// that are gentle, of which there are three for two components: a run is led then into
// the basin of the minimum that it ends in, and large steps from a random start lead
// to a worse one more often.
const gentleMost = 12

// beginsGently reports whether the coming pass of a run is gentle.
func (f *fitter[F]) beginsGently(s *slot[F]) bool {
	return f.cfg.Solver == "hals" && f.cfg.InnerSweeps == 0 && !f.cfg.asks() && f.x.AllRows() <= fewRows && s.run.Iterations < min(gentleMost, (3*s.k+1)/2)
}

// momentumNow is the momentum of the pass.
func (s *slot[F]) momentumNow() float64 {
	if s.gentle {
		return 0
	}
	return s.momentum.beta()
}

// sweeps is how many of so many sweeps the pass does.
func (s *slot[F]) sweeps(usual int) int {
	if s.gentle {
		return 1
	}
	return usual
}

func (f *fitter[F]) newSlot(i, k int) *slot[F] {
	f.runs[i] = &Run[F]{}
	row, column := f.x.meanCells()
	return &slot[F]{run: f.runs[i], index: i, k: k, g: solver.NewGram[F](k), s: solver.NewGram[F](k),
		loss: math.Inf(1), normW: make([]float64, k), columns: newGradientSums(k), rows: newGradientSums(k),
		tol: f.cfg.Tol, momentum: newMomentum(f.pace()), revivals: make([]int, k),
		sweepsRow: f.cfg.sweeps(k, row), sweepsCol: f.cfg.sweeps(k, column)}
}

type fitter[F kernel.Float] struct {
	x      *Data[F]
	cfg    Config
	solver solver.Solver[F]
	pool   *pool
	stack  *stack[F]
	slots  []*slot[F]
	// ended are runs that wait for their final half-step.
	ended []*slot[F]

	runs  []*Run[F]
	ranks []int
	start Starter[F]
	// waiting are the runs that are not in the stack yet, in the order in which
	// they come: those of resumed first, which were under way.
	waiting []int
	resumed map[int]*RunState[F]
	widest  int
	// ctx ends the call, done, unless nil, takes the runs that have ended, keep its
	// state; nil keeps none.
	ctx  context.Context
	done func(i int, r *Run[F])
	keep *Keeper[F]

	// spare are factors that are of no use any more, finalW and finalH those of the
	// final half-steps.
	spare          []*Tall[F]
	finalW, finalH Tall[F]

	// panels are those of an H in tiles, nil where it is not.
	panels *panels[F]
	// tile is the number of rows in a tile.
	tile    int
	workers []worker[F]
	// crossBlock is C of a whole block, where its tiles are too few to occupy
	// the workers.
	crossBlock []F
	// first are the rows that runs begin with.
	first *firstRows[F]
	// cross is C of all rows, where all of W must be known at once.
	cross *Tall[F]
	// gramParts lists the tasks of the Gram matrices of all slots.
	gramParts []gramTask[F]
	// beta holds the momentum of each column of the stack.
	beta []F
}

// seed is that of run i.
func (c *Config) seed(i int) uint64 {
	if c.Seeds != nil {
		return c.Seeds[i]
	}
	return c.Seed + uint64(i)
}

// refill drops the runs that have ended, makes final half-steps, and starts
// waiting runs where there is room. A run takes the place of an ended one with as
// many components; the stack is packed anew where that does not go, or where too
// much of it has become idle. It reports false when cancelled.
func (f *fitter[F]) refill() bool {
	var slots []*slot[F]
	var holes []*slot[F]
	width := 0
	for _, s := range f.slots {
		if s.run.Status == "" && s.ending == "" {
			slots = append(slots, s)
			width += s.k
		} else {
			holes = append(holes, s)
		}
	}
	// A run whose final half-step shows that it is not done goes on.
	coming, ok := f.finals(len(slots) == 0 && len(f.waiting) == 0)
	if !ok {
		return false
	}
	if len(slots) > 0 && len(holes) == 0 && len(coming) == 0 {
		return true
	}
	pairs := make([]stacked[F], len(coming))
	for i, s := range coming {
		pairs[i] = stacked[F]{w: s.w, h: s.h}
		s.w, s.h = nil, nil
		width += s.k
	}
	fresh := -1
	for len(f.waiting) > 0 && (f.x.grid != nil || f.ctx.Err() == nil) && f.room(len(slots)+len(coming), width) {
		if fresh < 0 && f.resumed[f.waiting[0]] == nil {
			fresh = len(coming)
		}
		pair, s := f.begin(f.waiting[0])
		pairs, coming = append(pairs, pair), append(coming, s)
		width += s.k
		f.waiting = f.waiting[1:]
	}
	if fresh >= 0 && !f.startWithSome(pairs[fresh:], coming[fresh:]) {
		for i, s := range coming[:fresh] {
			s.w, s.h = pairs[i].w, pairs[i].h
		}
		for _, s := range coming[fresh:] {
			f.runs[s.index] = nil
		}
		f.slots, f.ended = slots, append(f.ended, coming[:fresh]...)
		return false
	}
	if !f.fillHoles(holes, slots, coming, pairs, width) {
		f.repack(slots, coming, pairs, width)
	}
	f.slots = append(slots, coming...)
	f.gramParts = f.gramParts[:0]
	for _, s := range f.slots {
		for part := range gramTasks(s.k) {
			f.gramParts = append(f.gramParts, gramTask[F]{s, part})
		}
	}
	clear(f.beta)
	return true
}

// factor is one whose k columns are all to be set.
func (f *fitter[F]) factor(rows, k int) *Tall[F] {
	for i, t := range f.spare {
		if t.Rows == rows && t.K == k {
			f.spare = slices.Delete(f.spare, i, i+1)
			return t
		}
	}
	return NewTall[F](rows, k)
}

// fillHoles puts the runs that are coming where others have ended; it reports
// false where that does not go, and nothing is done.
func (f *fitter[F]) fillHoles(holes, slots, coming []*slot[F], pairs []stacked[F], width int) bool {
	const idle = 4 // a quarter of the stack may be
	if f.stack.w.K == 0 || (f.stack.w.K-width)*idle > f.stack.w.K && (f.panels == nil || len(coming) > 0) {
		return false // in tiles, columns that are idle cost nothing
	}
	// Other holes are older, and are of runs that are not there any more.
	taken := make([]int, len(coming))
	used := make([]bool, len(holes))
	for i, s := range coming {
		taken[i] = -1
		for j, h := range holes {
			if !used[j] && h.k == s.k {
				taken[i], used[j] = h.off, true
				break
			}
		}
		if taken[i] < 0 {
			return false
		}
	}
	var copies []columnCopy[F]
	for i, s := range coming {
		s.off = taken[i]
		copies = append(copies, f.stack.putting(s.off, pairs[i])...)
	}
	copyAll(f.pool.workers, copies)
	return true
}

// moving copies the pair of a slot, its momentum with it: what becomes of a run must
// not depend on which others end beside it.
func (f *fitter[F]) moving(s *slot[F]) stacked[F] {
	st := f.stack
	f.catchUp(s)
	var p stacked[F]
	p.w, p.h = f.take(s)
	if st.hAhead != nil {
		p.wPlain, p.hAhead = f.factor(f.x.Rows, s.k), f.factor(f.x.Cols, s.k)
		copyAll(f.pool.workers, []columnCopy[F]{{p.wPlain, 0, st.wPlain, s.off, s.k}, {p.hAhead, 0, st.hAhead, s.off, s.k}})
	}
	return p
}

// repack builds the stack anew.
func (f *fitter[F]) repack(slots, coming []*slot[F], pairs []stacked[F], width int) {
	var moving []stacked[F]
	for _, s := range slots {
		moving = append(moving, f.moving(s))
	}
	moving = append(moving, pairs...)
	alone := len(moving) == 1 && !f.stack.tiled
	if alone {
		f.stack.adopt(moving[0])
	} else {
		f.stack.reshape(f.x.Rows, f.x.Cols, width)
	}
	if f.cfg.PenaltyW.Whole() || f.x.grid.divided() {
		f.cross = NewTall[F](f.x.Rows, width)
	}
	off, maxK := 0, 0
	var copies []columnCopy[F]
	for i, s := range slices.Concat(slots, coming) {
		s.off = off
		if !alone {
			copies = append(copies, f.stack.putting(off, moving[i])...)
		}
		off += s.k
		maxK = max(maxK, s.k)
	}
	copyAll(f.pool.workers, copies)
	for _, p := range moving[:len(slots)] {
		if alone {
			break // they are the stack's now
		}
		f.spare = append(f.spare, p.w, p.h)
		if p.hAhead != nil {
			f.spare = append(f.spare, p.wPlain, p.hAhead)
		}
	}
	f.workers = newWorkers(f.x.ops, f.pool.workers, maxK, width)
	if f.panels != nil {
		for i := range f.workers {
			f.workers[i].column = solver.NewTile(f.x.ops, maxK)
		}
	}
	f.beta = make([]F, f.stack.w.Ld)
}

// pace is that of the momentum.
func (f *fitter[F]) pace() pace {
	if f.cfg.Extrapolate {
		return brisk
	}
	return still
}

// begin makes the slot of a run and the pair that it begins with.
func (f *fitter[F]) begin(i int) (stacked[F], *slot[F]) {
	if state := f.resumed[i]; state != nil {
		delete(f.resumed, i)
		return f.restored(state)
	}
	w, h := f.start(i)
	return stacked[F]{w: w, h: h}, f.newSlot(i, w.K)
}

// room reports whether the next run fits beside others. Runs that were under way
// together stay so.
func (f *fitter[F]) room(slots, width int) bool {
	next := f.waiting[0]
	if slots == 0 || f.resumed[next] != nil {
		return true
	}
	return width+f.ranks[next] <= f.widest && (f.cfg.SideBySide == 0 || slots < f.cfg.SideBySide)
}

// sweeps chooses the number of inner repetitions from the cost of a row's
// cross product, `cells` multiplications a component, against that of a sweep
// (Gillis & Glineur 2012, section 3.1, alpha = 0.5).
func (c *Config) sweeps(k int, cells float64) int {
	if c.InnerSweeps > 0 {
		return c.InnerSweeps
	}
	const alpha, most = 0.5, 12
	return min(most, 1+int(alpha*(1+cells/float64(k))))
}

// iterate does one pass for all slots; it reports false when cancelled, which
// leaves the accepted pairs as they were.
func (f *fitter[F]) iterate() bool {
	if !f.grams() || !f.repair() || !f.x.beforeLeft(f.pool, f.stack.ahead()) {
		return false
	}
	if !f.columnsByTile() && f.panels == nil {
		f.stack.q.reshape(f.x.Cols, f.stack.h.K)
	}
	for _, s := range f.slots {
		clear(s.s.G)
		s.rows.reset()
		s.problemW = f.problem(f.cfg.PenaltyW, s.g, f.stack.w, s)
		s.gentle = f.beginsGently(s)
		for j := range s.k {
			f.beta[s.off+j] = F(s.momentumNow())
		}
	}
	ok := f.bothProducts()
	sumColumnShares(f.x.grid, f.stack.q)
	if !sumGrams(f.x.grid, ok, f.slotGrams(func(s *slot[F]) *solver.Gram[F] { return s.s })...) {
		return false
	}
	for _, s := range f.slots {
		s.s.Ready()
		s.problemH = f.problem(f.cfg.PenaltyH, s.s, f.stack.ahead(), s)
	}
	if !f.updateColumns() {
		return false
	}
	f.sumPass()
	f.stack.flip()
	if f.panels != nil {
		for _, s := range f.slots {
			s.pending = stepped
			for i := range s.beta {
				s.beta[i] = F(s.momentumNow())
			}
		}
	}
	for i, s := range f.slots {
		if !f.judge(s) {
			for _, left := range f.slots[i+1:] {
				f.back(left)
			}
			return false
		}
	}
	return true
}

// bothProducts makes W and from it Q and S: block by block, or, where all of W
// must be known at once, one after the other.
func (f *fitter[F]) bothProducts() bool {
	if f.x.grid.divided() {
		return f.productsApart()
	}
	whole := f.cfg.PenaltyW.Whole()
	for r0 := 0; r0 < f.x.Rows; r0 += f.x.block {
		r1 := min(r0+f.x.block, f.x.Rows)
		if !f.x.hold(f.pool, r0, r1) || !f.updateRows(r0, r1) || !whole && f.x.apart == nil && !f.crossColumns(r0, r1) {
			return false
		}
	}
	if !whole && f.x.apart == nil {
		return true
	}
	for _, s := range f.slots {
		if whole && !sparsify(f.pool, s.problemW, f.stack.wOut, f.cross, s.off, s.k, sparsifyRounds(f.cfg.PenaltyW), s.rows.pg) {
			return false
		}
	}
	if f.x.apart != nil {
		return f.crossColumns(0, f.x.Rows)
	}
	for r0 := 0; r0 < f.x.Rows; r0 += f.x.block {
		r1 := min(r0+f.x.block, f.x.Rows)
		if !f.x.hold(f.pool, r0, r1) || !f.crossColumns(r0, r1) {
			return false
		}
	}
	return true
}

// grams forms HHᵀ of every slot.
func (f *fitter[F]) grams() bool {
	if f.panels != nil {
		return f.lookAhead()
	}
	h := f.stack.ahead()
	from, to := f.x.grid.ownColumns(h.Rows)
	for _, s := range f.slots {
		clear(s.g.G)
	}
	ok := f.pool.run(f.gramGroups(), func(_, t int) {
		f.addGrams(t, h, from, to, func(s *slot[F]) *solver.Gram[F] { return s.g })
	})
	ok = sumGrams(f.x.grid, ok && (f.x.grid == nil || f.keep != nil || f.ctx.Err() == nil), f.slotGrams(func(s *slot[F]) *solver.Gram[F] { return s.g })...)
	for _, s := range f.slots {
		s.g.Ready()
	}
	return ok
}

// gramTask is a part of a slot's Gram matrix.
type gramTask[F kernel.Float] struct {
	slot *slot[F]
	part int
}

// gramGroups is the number of tasks that gramParts are divided into: parts that
// lie side by side in the stack go through its rows together.
func (f *fitter[F]) gramGroups() int { return min(len(f.gramParts), 2*f.pool.workers) }

// addGrams adds the rows r0 to r1 of t to the Gram matrices that the parts of
// task `task` are of, as many rows at a time as stay in cache, and as the sums
// of the kernel are divided into.
func (f *fitter[F]) addGrams(task int, t *Tall[F], r0, r1 int, of func(*slot[F]) *solver.Gram[F]) {
	const rows = 4 * blockStep
	n, groups := len(f.gramParts), f.gramGroups()
	for a := r0; a < r1; a += rows {
		for _, g := range f.gramParts[task*n/groups : (task+1)*n/groups] {
			addGram(f.x.ops, of(g.slot), t, g.slot.off, a, min(a+rows, r1), g.part)
		}
	}
}

// updateRows makes the rows r0 to r1 of W.
func (f *fitter[F]) updateRows(r0, r1 int) bool {
	n := tiles[F](r1 - r0)
	for _, s := range f.slots {
		s.rowTiles.reset(n, s.k)
	}
	update := f.updateManyRows
	switch {
	case f.panels != nil:
		update = f.updateRowsAhead
	case n < 2*f.pool.workers:
		update = f.updateFewRows
	}
	if !update(r0, r1, n) {
		return false
	}
	for _, s := range f.slots {
		s.rowTiles.addTo(s.rows)
	}
	return true
}

// updateManyRows takes a tile of rows at a time for all slots.
func (f *fitter[F]) updateManyRows(r0, r1, n int) bool {
	h := f.stack.ahead()
	return f.pool.run(n, func(wi, t int) {
		ws := &f.workers[wi]
		a, b := r0+t*f.tile, min(r0+(t+1)*f.tile, r1)
		c := ws.c[:(b-a)*h.Ld]
		clear(c)
		f.x.left(a, b, 0, h.Ld, h, c, h.Ld)
		for _, s := range f.slots {
			f.updateRowTile(ws, s, a, b, t, c[s.off:], h.Ld)
		}
		f.extrapolateRows(a, b)
	})
}

// updateFewRows divides the work by columns of the stack and by slots where
// there are too few tiles of rows to divide it by those.
func (f *fitter[F]) updateFewRows(r0, r1, n int) bool {
	h := f.stack.ahead()
	if need := (r1 - r0) * h.Ld; cap(f.crossBlock) < need {
		f.crossBlock = make([]F, need)
	} else {
		f.crossBlock = f.crossBlock[:need]
		clear(f.crossBlock)
	}
	const rows = 8
	strips := (r1 - r0 + rows - 1) / rows
	vector := kernel.Width[F]()
	perGroup := max(1, min(3, strips*(h.Ld/vector)/(2*f.pool.workers)))
	groups := (h.Ld/vector + perGroup - 1) / perGroup
	ok := f.pool.run(strips*groups, func(_, t int) {
		a := r0 + t%strips*rows
		b := min(a+rows, r1)
		col := t / strips * perGroup * vector
		width := min(perGroup*vector, h.Ld-col)
		f.x.left(a, b, col, width, h, f.crossBlock[(a-r0)*h.Ld+col:], h.Ld)
	})
	ok = ok && f.pool.run(n*len(f.slots), func(wi, t int) {
		s := f.slots[t/n]
		a := r0 + t%n*f.tile
		b := min(a+f.tile, r1)
		f.updateRowTile(&f.workers[wi], s, a, b, t%n, f.crossBlock[(a-r0)*h.Ld+s.off:], h.Ld)
	})
	if ok {
		f.extrapolateRows(r0, r1)
	}
	return ok
}

// updateRowTile makes the rows a to b of one slot's W, tile t of the block,
// from their cross products.
func (f *fitter[F]) updateRowTile(ws *worker[F], s *slot[F], a, b, t int, c []F, ldc int) {
	st := f.stack
	at := a*st.w.Ld + s.off
	tile := ws.tile
	tile.Load(b-a, s.k, st.w.Data[at:], st.w.Ld, c, ldc)
	sums := s.rowTiles.each[t]
	switch {
	case s.problemW == nil:
		tile.Gradient(s.g)
		tile.Residual(sums.pg, sums.cc)
		f.sweepRows(s, tile)
	case f.cfg.PenaltyW.Whole():
		ws.measure(s.problemW, s.g, a, true, sums)
		tile.StoreCross(f.cross.Data[a*f.cross.Ld+s.off:], f.cross.Ld)
	default:
		ws.measure(s.problemW, s.g, a, false, sums)
		s.problemW.Update(f.solver, tile, a, s.sweepsRow)
	}
	tile.Store(st.wOut.Data[at:], st.wOut.Ld)
}

// sweepRows updates a tile of W: where rows are to be apart, without ending when the
// tile as a whole moves little.
func (f *fitter[F]) sweepRows(s *slot[F], tile *solver.Tile[F]) {
	if f.cfg.Solver != "hals" || !f.cfg.apart {
		f.solver.Update(s.g, tile, s.sweeps(s.sweepsRow))
		return
	}
	for range s.sweepsRow {
		f.solver.Update(s.g, tile, 1)
	}
}

// extrapolateRows makes the rows a to b of the W that a pass makes from its
// solutions and those before.
func (f *fitter[F]) extrapolateRows(a, b int) {
	st := f.stack
	if st.wPlain != nil {
		old := st.wPlain.rows(a, b)
		f.x.ops.Extrapolate(b-a, st.w.Ld, 0, f.beta, st.wOut.rows(a, b), old, old)
	}
}

// columnsByTile reports whether Xᵀ·W is made where H is updated, tile by tile, and
// never stored: of a sparse X in memory, each column's product is made at once.
func (f *fitter[F]) columnsByTile() bool {
	_, sparse := f.x.operand.(*sparseOperand[F])
	return sparse && f.x.grid == nil && f.cfg.PenaltyH.None() && f.manyColumns(f.x.Cols)
}

// columnRows gives the rows a to b of Xᵀ·w, which q holds; where q is nil, X is sparse
// and in memory, and they are made now.
func (d *Data[F]) columnRows(ws *worker[F], q, w *Tall[F], a, b int) []F {
	if q != nil {
		return q.rows(a, b)
	}
	grow(&ws.c, (b-a)*w.Ld)
	clear(ws.c)
	d.operand.(*sparseOperand[F]).columns(a, b, w, ws.c)
	return ws.c
}

// columnsTogether is the number of columns that a worker gathers Xᵀ·W of together:
// many, so that a row of W is needed often while it is near, and few enough that their
// products stay near, too.
const columnsTogether = 512

// columnTiles is the number of tiles of columns, of which there are n, in a task that
// makes its part of Xᵀ·W of a sparse X in memory. No result depends on it.
func (d *Data[F]) columnTiles(n, workers int) int {
	if stripe := d.operand.(*sparseOperand[F]).together(); stripe > 0 {
		return stripe / kernel.TileRows[F]()
	}
	return max(1, min(columnsTogether/kernel.TileRows[F](), n/(4*workers)))
}

// manyColumns reports whether there are enough tiles of that many columns to
// divide the work by those alone.
func (f *fitter[F]) manyColumns(cols int) bool { return tiles[F](cols) >= 2*f.pool.workers }

// crossColumns adds the block's X_bᵀ·W_b to Q, unless that is made later, and
// W_bᵀ·W_b to S.
func (f *fitter[F]) crossColumns(r0, r1 int) bool {
	w, q := f.stack.made(), f.stack.q
	grams := f.gramGroups()
	first, last := f.x.grid.OwnRows(f.x.Rows)
	gram := func(t int) {
		f.addGrams(t, w, max(r0, first), min(r1, last), func(s *slot[F]) *solver.Gram[F] { return s.s })
	}
	if f.columnsByTile() || f.panels != nil {
		return f.pool.run(grams, func(_, t int) { gram(t) })
	}
	return f.x.beforeRight(f.pool, w, r0, r1) && f.x.eachColumns(f.pool, func(from, to int) bool {
		if from > 0 {
			grams = 0
		}
		chunk := f.x.columnChunk(f.pool, to-from)
		chunks := (to - from + chunk - 1) / chunk
		return f.pool.run(grams+chunks, func(_, t int) {
			if t < grams {
				gram(t)
				return
			}
			j0 := from + (t-grams)*chunk
			f.x.right(r0, r1, j0, min(j0+chunk, to), w, q)
		})
	})
}

// updateColumns makes H of every slot from Q and S, and the H ahead.
func (f *fitter[F]) updateColumns() bool {
	if f.panels != nil {
		return f.updateTiles()
	}
	st := f.stack
	from, to := f.x.grid.ownColumns(f.x.Cols)
	n := tiles[F](to - from)
	for _, s := range f.slots {
		s.columnTile.reset(n, s.k)
	}
	ok := true
	extrapolated := st.hAhead == nil
	if f.manyColumns(to - from) {
		q, last := st.q, f.x.grid == nil && f.cfg.PenaltyH.None()
		each := 1
		if f.columnsByTile() {
			if !f.x.beforeRight(f.pool, st.made(), 0, f.x.Rows) {
				return false
			}
			q, each = nil, f.x.columnTiles(n, f.pool.workers)
		}
		ok = f.pool.run((n+each-1)/each, func(wi, group int) {
			ws := &f.workers[wi]
			first := from + group*each*f.tile
			end := min(first+each*f.tile, to)
			c := f.x.columnRows(ws, q, st.made(), first, end)
			for a := first; a < end; a += f.tile {
				b := min(a+f.tile, end)
				for _, s := range f.slots {
					f.updateColumnTile(ws, s, a, b, (a-from)/f.tile, c[(a-first)*st.h.Ld+s.off:], st.h.Ld)
				}
			}
			if last && !extrapolated {
				f.extrapolateColumns(first, end)
			}
		})
		extrapolated = extrapolated || last
	} else {
		ok = f.pool.run(n*len(f.slots), func(wi, t int) {
			s, i := f.slots[t/n], t%n
			a := from + i*f.tile
			f.updateColumnTile(&f.workers[wi], s, a, min(a+f.tile, to), i, st.q.Data[a*st.q.Ld+s.off:], st.q.Ld)
		})
	}
	shareColumns(f.x.grid, st.hOut)
	ok = ok && (f.cfg.PenaltyH.None() || f.measureColumns())
	if extrapolated {
		return ok
	}
	return ok && f.pool.run(tiles[F](f.x.Cols), func(_, i int) {
		f.extrapolateColumns(i*f.tile, min((i+1)*f.tile, f.x.Cols))
	})
}

// updateColumnTile makes the rows a to b of one slot's Hᵀ, tile i of those of this
// rank, from their cross products.
func (f *fitter[F]) updateColumnTile(ws *worker[F], s *slot[F], a, b, i int, c []F, ldc int) {
	st := f.stack
	at := a*st.h.Ld + s.off
	tile := ws.tile
	tile.Load(b-a, s.k, st.ahead().Data[at:], st.h.Ld, c, ldc)
	switch {
	case s.problemH == nil:
		f.solver.Update(s.s, tile, s.sweeps(s.sweepsCol))
		tile.Gradient(s.s)
		s.columnTile.dot[i] = tile.Residual(s.columnTile.each[i].pg, s.columnTile.each[i].cc)
	case !f.cfg.PenaltyH.Whole():
		s.problemH.Update(f.solver, tile, a, s.sweepsCol)
	}
	tile.Store(st.hOut.Data[at:], st.hOut.Ld)
}

// extrapolateColumns makes the rows a to b of the H ahead.
func (f *fitter[F]) extrapolateColumns(a, b int) {
	st := f.stack
	f.x.ops.Extrapolate(b-a, st.h.Ld, 0, f.beta, st.hOut.rows(a, b), st.h.rows(a, b), st.hAhead.rows(a, b))
}
