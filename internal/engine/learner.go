package engine

import (
	"context"
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/pages"
	"github.com/partsof/nmf/internal/solver"
	"github.com/partsof/nmf/matrix"
)

// Learner learns H from rows of X that come in batches and need not come again:
// the pass over X, with sums that last from one batch to the next.
//
// For the Frobenius loss these are Q = XᵀW and S = WᵀW over the rows so far,
// all that the half-step for H needs (Mairal, Bach, Ponce & Sapiro 2010,
// algorithm 1). For other losses they are the two sums of the majorizer of
// Févotte & Idier (2011), each row's taken at the H that it was learnt with
// (Lefèvre, Bach & Févotte 2011, algorithm 1). Before a batch is added all sums
// are multiplied by its decay, which is what forgets.
type Learner[F kernel.Float] struct {
	// H is n x k.
	H *Tall[F]
	// A is Q, or the numerators (n x k). B is S (k x k), or the denominators
	// (n x k, or 1 x k where they are the same for all features).
	A, B *Tall[F]
	// Mass is the sum of W over the rows, decayed alike.
	Mass []float64

	// level is the mean of each component over the features, where the loss is
	// not the Frobenius one: of the H that the next batch is learnt with.
	level   []float64
	pool    *pool
	ops     *kernel.Ops[F]
	update  solver.Solver[F]
	sweeps  int
	workers []worker[F]
	scratch []*tileScratch[F]
	rows    func(h *halfStep[F], ws *tileScratch[F])
	scaled  bool
	sums    tileSums
}

// LearnerConfig says how a Learner makes its half-steps.
type LearnerConfig struct {
	// Solver is one of Minimize where the loss is nil, else of Alternate.
	Solver string
	// InnerSweeps bounds the updates of a half-step; 0 chooses.
	InnerSweeps int
	Workers     int
	// Loss is nil for the Frobenius loss of complete data.
	Loss *loss.Loss
}

const (
	// learnSweeps, learnMultiply and learnSteps are the most updates of W of a
	// batch, by coordinate descent, multiplicative ones and Newton steps, and
	// learnTol the KKT residual of its worst row at which the last end.
	learnSweeps   = 8
	learnMultiply = 5
	learnSteps    = 2
	learnTol      = 0.05
	// unseen is the part of its component's mean that an entry of H has whose
	// feature has been zero so far: from zero it could not grow.
	unseen = 1e-4
)

// NewLearner begins with an H (n x k), which it takes over, and with nothing
// known of any rows.
func NewLearner[F kernel.Float](h *Tall[F], cfg LearnerConfig) (*Learner[F], error) {
	l := &Learner[F]{H: h, A: NewTall[F](h.Rows, h.K), Mass: make([]float64, h.K), ops: kernel.For[F](),
		pool: &pool{ctx: context.Background(), workers: max(1, cfg.Workers)}, sweeps: cfg.InnerSweeps}
	if cfg.Loss == nil {
		update, err := solver.New[F](cfg.Solver)
		if err != nil {
			return nil, err
		}
		l.update, l.B = update, NewTall[F](h.K, h.K)
		l.workers = newWorkers(l.ops, l.pool.workers, h.K, h.K)
		if cfg.Solver == "mu" {
			fillZeros(h, l.pool.workers)
		}
		return l, nil
	}
	l.rows = multiplicative[F](l.most(learnMultiply))
	if cfg.Solver == "newton" {
		l.rows, l.scaled = settle[F](learnTol, l.most(learnSteps)), true
	}
	l.B = NewTall[F](h.Rows, h.K)
	if oneDenominator(cfg.Loss) {
		l.B = NewTall[F](1, h.K)
	}
	for range l.pool.workers {
		l.scratch = append(l.scratch, newTileScratch[F](h.K))
	}
	// From zero neither a factor nor a power of r finds back.
	fillZeros(h, l.pool.workers)
	l.measure()
	return l, nil
}

// Restore puts in place of H and the sums those that a learner of the same
// shapes has had.
func (l *Learner[F]) Restore(h, a, b *Tall[F], mass []float64) {
	l.H, l.A, l.B = h, a, b
	copy(l.Mass, mass)
	l.measure()
}

// measure finds level.
func (l *Learner[F]) measure() {
	const rows = 512
	parts := make([][]float64, (l.H.Rows+rows-1)/rows)
	l.pool.run(len(parts), func(_, part int) {
		parts[part] = columnSums64(l.H.Part(part*rows, min((part+1)*rows, l.H.Rows)))
	})
	l.level = make([]float64, l.H.K)
	for _, p := range parts {
		for j, v := range p {
			l.level[j] += v / float64(l.H.Rows)
		}
	}
}

// columnSums64 adds the rows of t.
func columnSums64[F kernel.Float](t *Tall[F]) []float64 {
	sums := make([]float64, t.K)
	for i := range t.Rows {
		for j, v := range t.Row(i) {
			sums[j] += float64(v)
		}
	}
	return sums
}

// oneDenominator reports whether every feature has the same denominators.
func oneDenominator(l *loss.Loss) bool { return l.RestBySums() }

// settle takes up to `most` scaled Newton steps of a tile, fewer where its rows
// are at the tolerance.
func settle[F kernel.Float](tol float64, most int) func(h *halfStep[F], ws *tileScratch[F]) {
	return func(h *halfStep[F], ws *tileScratch[F]) {
		for s := 0; h.worst(ws) > tol; {
			h.scaledStep(ws, true)
			if s++; s == most {
				return
			}
			h.evaluate(ws, false, true)
		}
	}
}

// LearnSquares takes a batch x for the Frobenius loss. w (rows x k) is where
// its W starts, and gets it. It gives ½‖X−WH‖² of the batch for the H before it
// learnt of it.
func (l *Learner[F]) LearnSquares(x *Data[F], w *Tall[F], decay float64) float64 {
	fit := l.solveSquares(x, w, newGradientSums(w.K), func(g *solver.Gram[F], t *solver.Tile[F]) {
		l.update.Update(g, t, l.most(learnSweeps))
	})
	l.AddSquares(x, w, decay)
	l.updateSquares(x)
	return fit
}

// most is how often an update is repeated.
func (l *Learner[F]) most(chosen int) int {
	if l.sweeps > 0 {
		return l.sweeps
	}
	return chosen
}

// solveSquares makes the rows of w from the products with H, adds their gradient
// to sums, and gives ½‖X−WH‖².
func (l *Learner[F]) solveSquares(x *Data[F], w *Tall[F], sums gradientSums, solve func(g *solver.Gram[F], t *solver.Tile[F])) float64 {
	k, t, h := w.K, kernel.TileRows[F](), l.H
	g := l.gramOfH()
	x.beforeLeft(l.pool, h)
	total := x.SumSq
	for r0 := 0; r0 < x.Rows; r0 += x.block {
		r1 := min(r0+x.block, x.Rows)
		x.hold(l.pool, r0, r1)
		n := tiles[F](r1 - r0)
		l.sums.reset(n, k)
		l.pool.run(n, func(wi, i int) {
			ws := &l.workers[wi]
			a, b := r0+i*t, min(r0+(i+1)*t, r1)
			c := ws.c[:(b-a)*h.Ld]
			clear(c)
			x.left(a, b, 0, h.Ld, h, c, h.Ld)
			ws.tile.Load(b-a, k, w.Data[a*w.Ld:], w.Ld, c, h.Ld)
			solve(g, ws.tile)
			ws.tile.Gradient(g)
			l.sums.dot[i] = ws.tile.Residual(l.sums.each[i].pg, l.sums.each[i].cc)
			ws.tile.Store(w.Data[a*w.Ld:], w.Ld)
		})
		total += l.sums.addTo(sums)
	}
	return max(0, total/2)
}

// gramOfH is HHᵀ, in parts of rows that stay in a core's own cache: a batch is
// little beside an H of many features, which is then read once.
func (l *Learner[F]) gramOfH() *solver.Gram[F] {
	const rows = 1024
	g, h := solver.NewGram[F](l.H.K), l.H
	parts := make([][]F, (h.Rows+rows-1)/rows)
	l.pool.run(len(parts), func(_, part int) {
		a, b := part*rows, min((part+1)*rows, h.Rows)
		sum := make([]F, len(g.G))
		l.ops.MulAdd(g.K, g.Ld, b-a, h.Data[a*h.Ld:], 1, h.Ld, h.Data[a*h.Ld:], h.Ld, sum, g.Ld)
		parts[part] = sum
	})
	for _, sum := range parts {
		for i, v := range sum {
			g.G[i] += v
		}
	}
	g.Ready()
	return g
}

// AddSquares adds rows of X and their W to the sums, which are multiplied by
// decay first.
func (l *Learner[F]) AddSquares(x *Data[F], w *Tall[F], decay float64) {
	s := l.gram(decay)
	l.scale(l.A, decay)
	for r0 := 0; r0 < x.Rows; r0 += x.block {
		r1 := min(r0+x.block, x.Rows)
		x.hold(l.pool, r0, r1)
		gramOf(l.pool, l.ops, s, w, 0, r0, r1)
		x.crossBlock(l.pool, w, l.A, r0, r1)
	}
	copy(l.B.Data, s.G)
	l.addMass(w, decay)
}

// gram is S times a factor.
func (l *Learner[F]) gram(by float64) *solver.Gram[F] {
	s := solver.NewGram[F](l.H.K)
	for i, v := range l.B.Data[:len(s.G)] {
		s.G[i] = F(by) * v
	}
	s.Ready()
	return s
}

// scale multiplies a tall factor.
func (l *Learner[F]) scale(t *Tall[F], by float64) {
	const rows = 256
	f := F(by)
	l.pool.run((t.Rows+rows-1)/rows, func(_, part int) {
		data := t.Data[part*rows*t.Ld : min((part+1)*rows, t.Rows)*t.Ld]
		for i, v := range data {
			data[i] = f * v
		}
	})
}

func (l *Learner[F]) addMass(w *Tall[F], decay float64) {
	for j, v := range columnSums64(w) {
		l.Mass[j] = decay*l.Mass[j] + v
	}
}

// updateSquares makes H from Q and S. How often it repeats is chosen by the
// work that x has been.
func (l *Learner[F]) updateSquares(x *Data[F]) {
	s, k, t := l.gram(1), l.H.K, kernel.TileRows[F]()
	_, column := x.cells()
	f := fitter[F]{cfg: Config{InnerSweeps: l.sweeps}}
	sweeps := f.cfg.sweeps(k, column)
	l.pool.run(tiles[F](l.H.Rows), func(wi, i int) {
		tile := l.workers[wi].tile
		a, b := i*t, min((i+1)*t, l.H.Rows)
		tile.Load(b-a, k, l.H.Data[a*l.H.Ld:], l.H.Ld, l.A.Data[a*l.A.Ld:], l.A.Ld)
		l.update.Update(s, tile, sweeps)
		tile.Store(l.H.Data[a*l.H.Ld:], l.H.Ld)
	})
}

// LearnCells takes a batch for another loss. w (rows x k) is where its W starts,
// without zeros, and gets it. It gives the loss of the batch for the H before
// it learnt of it.
func (l *Learner[F]) LearnCells(c *Cells[F], w *Tall[F], decay float64) float64 {
	rows := &halfStep[F]{scaled: l.scaled, cells: c, side: c.left, unmeasured: true, fixed: l.H, from: w, to: w, update: l.rows}
	rows.run(l.pool, l.scratch)
	if !c.Listed() {
		return l.addCells(c, w, decay, true)
	}
	// Most features have few of the cells: they are measured by rows.
	measured := &halfStep[F]{cells: c, side: c.left, fixed: l.H, from: w}
	res, _ := measured.run(l.pool, l.scratch)
	l.addCells(c, w, decay, true)
	return res.loss
}

// AddCells adds rows of X and their W to the sums, which are multiplied by decay
// first, and leaves H.
func (l *Learner[F]) AddCells(c *Cells[F], w *Tall[F], decay float64) { l.addCells(c, w, decay, false) }

func (l *Learner[F]) addCells(c *Cells[F], w *Tall[F], decay float64, learn bool) float64 {
	l.addMass(w, decay)
	if l.B.Rows == 1 {
		l.scale(l.B, decay)
		for j, v := range columnSums64(w) {
			l.B.Data[j] += F(v)
		}
	}
	columns := &halfStep[F]{cells: c, side: c.right, unmeasured: !learn || c.Listed(), fixed: w, from: l.H, update: l.majorize(decay, learn)}
	if learn {
		columns.to = l.H
	}
	res, _ := columns.run(l.pool, l.scratch)
	if learn {
		l.measure()
	}
	return res.loss
}

// majorize adds the terms of a tile to the sums, and makes its rows of H the
// minimum of the majorizer of all of them: with a and b the exponents of the
// loss, of entries h of H at which rows were learnt, and e = 1/(a−b),
//
//	(Σ num·h^(1/e) / Σ den)^e.
func (l *Learner[F]) majorize(decay float64, learn bool) func(h *halfStep[F], ws *tileScratch[F]) {
	return func(h *halfStep[F], ws *tileScratch[F]) {
		a, b := h.cells.steps.Exponents()
		power, ops, n := F(a-b), l.ops, ws.k*kernel.TileRows[F]()
		for _, s := range []*[]F{&ws.z, &ws.old, &ws.target} {
			grow(s, n)
		}
		sumA, sumB, at := ws.z, ws.old, ws.first*l.A.Ld
		ops.Pack(ws.rows, ws.k, l.A.Data[at:], l.A.Ld, sumA)
		copy(ws.target, ws.w)
		if power != 1 {
			ops.Pow(power, ws.target, ws.target)
		}
		d := F(decay)
		for i, v := range ws.num {
			sumA[i] = d*sumA[i] + v*ws.target[i]
		}
		ops.Unpack(ws.rows, ws.k, sumA, l.A.Data[at:], l.A.Ld)
		if l.B.Rows == 1 {
			t := kernel.TileRows[F]()
			for j := range ws.k {
				row := sumB[j*t : (j+1)*t]
				for i := range row {
					row[i] = l.B.Data[j]
				}
			}
		} else {
			ops.Pack(ws.rows, ws.k, l.B.Data[at:], l.B.Ld, sumB)
			for i, v := range ws.den {
				sumB[i] = d*sumB[i] + v
			}
			ops.Unpack(ws.rows, ws.k, sumB, l.B.Data[at:], l.B.Ld)
		}
		if !learn {
			return
		}
		ops.Quotient(leastDenominator[F](), sumA, sumB, ws.target)
		if power != 1 {
			ops.Pow(1/power, ws.target, ws.target)
		}
		least := leastDenominator[F]()
		t := kernel.TileRows[F]()
		for i, v := range ws.target {
			switch {
			case sumB[i] <= least:
				// Nothing is known of the entry: it stays.
			case sumA[i] == 0:
				ws.w[i] = F(unseen * l.level[i/t])
			default:
				ws.w[i] = kernel.Finite(v)
			}
		}
	}
}

// Level fills w (rows x k) with a start that knows nothing of the rows but
// their sums.
func (l *Learner[F]) Level(sum func(i int) float64, w *Tall[F]) {
	if l.update != nil {
		l.measure()
	}
	total := 0.0
	for _, v := range l.level {
		total += v * float64(l.H.Rows)
	}
	for i := range w.Rows {
		level := F(0)
		if total > 0 {
			level = F(sum(i) / total)
		}
		row := w.Row(i)
		for j := range row {
			row[j] = level
		}
	}
}

// Ender solves rows, block by block, for the H of a learner, and measures the
// pair that they make.
type Ender[F kernel.Float] struct {
	// Loss is that of the rows so far, SumSq their ‖X‖².
	Loss, SumSq float64

	l   *Learner[F]
	tol float64
	// sum holds the sums that the gradient of H is made of: for losses other than
	// Frobenius both terms of it.
	sum   *Learner[F]
	rows  gradientSums
	normW []float64
}

// End begins with no rows. tol is the KKT residual that rows are solved to.
func (l *Learner[F]) End(tol float64) *Ender[F] {
	sum := *l
	sum.A, sum.B, sum.Mass = NewTall[F](l.H.Rows, l.H.K), NewTall[F](l.H.Rows, l.H.K), make([]float64, l.H.K)
	if l.update != nil {
		sum.B = NewTall[F](l.H.K, l.H.K)
	}
	return &Ender[F]{l: l, tol: tol, sum: &sum, rows: newGradientSums(l.H.K), normW: make([]float64, l.H.K)}
}

// Squares solves the rows of a block for the Frobenius loss. w, which starts at
// zero, gets them.
func (e *Ender[F]) Squares(x *Data[F], w *Tall[F]) {
	fit := e.l.solveSquares(x, w, e.rows, func(g *solver.Gram[F], t *solver.Tile[F]) { solver.Solve(g, t, e.tol) })
	if math.Sqrt(2*fit) < Cancellation[F]()*x.Norm() {
		fit, _ = x.residualLoss(e.l.pool, w, e.l.H, 0, w.K)
	}
	e.Loss += fit
	e.SumSq += x.SumSq
	e.addNorms(w)
	e.sum.AddSquares(x, w, 1)
}

// Cells solves the rows of a block for another loss. w gets them.
func (e *Ender[F]) Cells(c *Cells[F], w *Tall[F]) error {
	if err := c.Project(context.Background(), w, e.l.H, nil, e.tol, e.l.pool.workers); err != nil {
		return err
	}
	left := &halfStep[F]{cells: c, side: c.left, fixed: e.l.H, from: w}
	res, _ := left.run(e.l.pool, e.l.scratch)
	e.Loss += res.loss
	e.rows.add(res.sums)
	e.addNorms(w)
	right := &halfStep[F]{cells: c, side: c.right, unmeasured: true, fixed: w, from: e.l.H, update: e.addTerms}
	right.run(e.l.pool, e.l.scratch)
	return nil
}

func (e *Ender[F]) addNorms(w *Tall[F]) {
	for j, v := range w.columnNorms(e.l.pool.workers) {
		e.normW[j] += v
	}
}

// addTerms adds both terms of the gradient of a tile of H to the sums.
func (e *Ender[F]) addTerms(_ *halfStep[F], ws *tileScratch[F]) {
	s := e.sum
	grow(&ws.z, len(ws.num))
	add := func(terms []F, to *Tall[F]) {
		at := ws.first * to.Ld
		s.ops.Pack(ws.rows, ws.k, to.Data[at:], to.Ld, ws.z)
		for i, v := range terms {
			ws.z[i] += v
		}
		s.ops.Unpack(ws.rows, ws.k, ws.z, to.Data[at:], to.Ld)
	}
	add(ws.num, s.A)
	add(ws.den, s.B)
}

// Residuals gives the KKT residuals of both factors.
func (e *Ender[F]) Residuals() (kktW, kktH float64) {
	s, k, t := e.sum, e.l.H.K, kernel.TileRows[F]()
	workers := s.workers
	if workers == nil {
		workers = newWorkers(s.ops, s.pool.workers, k, k)
	}
	var sums tileSums
	n := tiles[F](s.H.Rows)
	sums.reset(n, k)
	var gram *solver.Gram[F] // of the Frobenius loss alone
	if s.update != nil {
		gram = s.gram(1)
	}
	s.pool.run(n, func(wi, i int) {
		a, b := i*t, min((i+1)*t, s.H.Rows)
		tile := workers[wi].tile
		tile.Load(b-a, k, s.H.Data[a*s.H.Ld:], s.H.Ld, s.A.Data[a*s.A.Ld:], s.A.Ld)
		if s.update != nil {
			tile.Gradient(gram)
		} else {
			s.ops.Pack(b-a, k, s.B.Data[a*s.B.Ld:], s.B.Ld, tile.D)
			for q, v := range tile.C[:k*t] {
				tile.D[q] -= v
			}
		}
		tile.Residual(sums.each[i].pg, sums.each[i].cc)
	})
	columns := newGradientSums(k)
	sums.addTo(columns)
	normH := s.H.columnNorms(s.pool.workers)
	bw, bh := balance(e.normW, func(j int) float64 { return normH[j] })
	return e.rows.residual(bw), columns.residual(bh)
}

// LossOfConstant is the loss of a matrix whose cells are all the mean.
func (c *Cells[F]) LossOfConstant(mean float64, workers int) float64 {
	d := *c
	d.Mean = mean
	d.setReference(&pool{ctx: context.Background(), workers: max(1, workers)})
	return d.Reference
}

// Part is the rows r0 to r1 of t.
func (t *Tall[F]) Part(r0, r1 int) *Tall[F] {
	return &Tall[F]{Rows: r1 - r0, K: t.K, Ld: t.Ld, Data: t.Data[r0*t.Ld : r1*t.Ld+kernel.Width[F]()]}
}

// Clone is a copy of t.
func (t *Tall[F]) Clone() *Tall[F] { return t.cloneBy(1) }

// cloneBy is Clone by a number of workers.
func (t *Tall[F]) cloneBy(workers int) *Tall[F] {
	c := *t
	if c.Data = roomFor[F](len(t.Data)); c.Data == nil {
		c.Data = pages.Make[F](len(t.Data))
	}
	c.Data = c.Data[:len(t.Data)]
	EachStrip(t.Rows, workers, func(a, b int) { copy(c.rows(a, b), t.rows(a, b)) })
	copy(c.Data[t.Rows*t.Ld:], t.Data[t.Rows*t.Ld:])
	return &c
}

// Dense is a copy of t without its padding.
func (t *Tall[F]) Dense() *matrix.Dense[F] {
	d := matrix.NewDense[F](t.Rows, t.K)
	for i := range t.Rows {
		copy(d.Row(i), t.Row(i))
	}
	return d
}

// TallOf is a copy of d as a tall factor.
func TallOf[F kernel.Float](d *matrix.Dense[F]) *Tall[F] {
	t := NewTall[F](d.Rows, d.Cols)
	for i := range d.Rows {
		copy(t.Row(i), d.Row(i))
	}
	return t
}
