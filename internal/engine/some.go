package engine

import (
	"math"
	"sync"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

const (
	// someLeast is the least number of rows that a run begins with, someOf that
	// number in components, someApart how far they are apart at most, and someFrom
	// the number of rows of X from which a run does.
	someLeast, someOf, someApart, someFrom = 256, 8, 32, 1024
	// someIterations and someLossTol end the iterations on them. For β < 1 there
	// are fewer, gentleIterations, the first of which are multiplicative:
	// gentleFirst, with gentleRepeats each. The loss is not convex in a factor
	// then, and where large steps lead from a random start is a worse minimum more
	// often; and few rows are soon fitted better than H deserves.
	someIterations   = 30
	someLossTol      = 1e-2
	gentleIterations = 20
	gentleFirst      = 12
	gentleRepeats    = 2
	// someLike is the number of rows, in components, that others are compared
	// with, and someSteps are the steps for W of all rows after that.
	someLike  = 4
	someSteps = 2
)

// learnsFromSome reports whether a run begins with some of the rows, which say
// nearly as much of H as all of them: cells in panels, none missing or weighted,
// nothing asked of the factors. Over ranks it goes by the whole X.
func (s *pair[F]) learnsFromSome() bool {
	l := s.c.left
	return s.scaled && l.list == nil && !l.byCell && !s.cfg.asks() && s.c.allRows() >= someFrom && s.someStep() > 1
}

// someStep is how far apart the rows are that a run begins with.
func (s *pair[F]) someStep() int {
	return min(someApart, s.c.allRows()/max(someLeast, someOf*s.w.K))
}

// learnFromSome improves a start by iterations on a part of the rows, a
// someStep-th of what those on all of them cost, from the H of which W of all
// rows follows. It reports false when cancelled.
func (s *pair[F]) learnFromSome() (w, h *Tall[F], ok bool) {
	step := s.someStep()
	cfg := s.cfg
	cfg.MaxIter, cfg.Tol, cfg.LossTol, cfg.TargetError, cfg.Unfinished = someIterations, -1, someLossTol, 0, true
	gentle := s.c.steps.Kind == loss.Beta && s.c.steps.Beta < 1
	if gentle {
		cfg.MaxIter = gentleIterations
	}
	cells, ok := s.c.some(s.pool, step)
	if !ok {
		return nil, nil, false
	}
	part := &alternation[F]{c: cells, ctx: s.ctx, cfg: cfg, safe: s.safe, positive: s.positive}
	by := func(update func(*halfStep[F], *tileScratch[F]), scaled bool) {
		part.update, part.searching, part.scaled = update, update, scaled
	}
	some := rowsOf(s.w, s.c.grid.stride(0, step), part.c.Rows)
	q := &pair[F]{alternation: part, pool: s.pool, scratch: s.scratch, run: &Run[F]{}, index: s.index, w: some, h: s.h.Clone(),
		total: math.Inf(1), momentum: newMomentum(s.pace()), tol: cfg.Tol, revivals: make([]int, s.w.K)}
	q.fallBackOn(q.w.Clone(), q.h.Clone())
	goesOn := true
	if gentle {
		by(multiplicative[F](gentleRepeats), false)
		for goesOn && q.run.Iterations < gentleFirst {
			goesOn = q.iterate()
		}
		by(s.update, true)
	} else {
		by(s.searching, true)
	}
	for goesOn {
		goesOn = q.iterate()
	}
	if q.run.Status == "" {
		return nil, nil, false
	}
	h = q.run.H
	if w, ok = s.likeSome(cells, q.run.W, h, step); !ok {
		return nil, nil, false
	}
	s.fillZeros(w, OfRows)
	s.fillZeros(h, OfColumns)
	half := &halfStep[F]{scaled: true, cells: s.c, side: s.c.left, unmeasured: true, fixed: h, from: w, to: w, update: scaledNewton[F](someSteps, false)}
	_, ok = half.run(s.pool, s.scratch)
	return w, h, ok
}

// likeSome gives every row of X the w of that row of some whose fit is nearest to
// it, times the factor that fits it best; some are the rows of X that are step
// apart, and cells theirs. But for what only x has to do with, the β-divergence of x from λy is a
// function of p = Σ x·y^(β−1) (for KL Σ x·ln y), a product of matrices, and of
// sums s of y^β (for β = 0 of ln y), and so is the best λ.
func (s *pair[F]) likeSome(cells *Cells[F], some, h *Tall[F], step int) (*Tall[F], bool) {
	l, ops, k, tile := s.c.left, s.c.ops, s.w.K, kernel.TileRows[F]()
	beta := 1.0
	if s.c.steps.Kind == loss.Beta {
		beta = s.c.steps.Beta
	}
	// chosen has the w of some of some, of all ranks, turned has them turned round: a
	// column for each.
	n := min(cells.allRows(), someLike*k)
	chosen, turned := NewTall[F](n, k), NewTall[F](k, n)
	for q := range n {
		if i, ok := cells.grid.holds(q*cells.allRows()/n, some.Rows); ok {
			copy(chosen.Row(q), some.Row(i))
		}
	}
	sumTall(cells.grid, OfRows, chosen)
	for q := range n {
		for j, v := range chosen.Row(q) {
			turned.Row(j)[q] = v
		}
	}
	// y has a row for each column of X and a column for each of the chosen.
	y := NewTall[F](l.others, n)
	parts := make([][]float64, tiles[F](l.others))
	least := F(1e-6 * s.c.Mean)
	if !s.pool.run(len(parts), func(_, part int) {
		a, b := part*tile, min((part+1)*tile, l.others)
		at := y.rows(a, b)
		ops.MulAdd(b-a, y.Ld, k, h.Data[a*h.Ld:], h.Ld, 1, turned.Data, turned.Ld, at, y.Ld)
		for i, v := range at {
			at[i] = max(v, least)
		}
		power := make([]F, len(at))
		if beta == 0 {
			ops.Log(at, power)
		} else {
			ops.Pow(F(beta), at, power)
		}
		parts[part] = make([]float64, n)
		for i := range b - a {
			for q := range n {
				parts[part][q] += float64(power[i*y.Ld+q])
			}
		}
		if beta == 1 {
			ops.Log(at, at)
		} else {
			ops.Pow(F(beta-1), at, at)
		}
	}) {
		return nil, false
	}
	sums := make([]float64, n)
	for _, part := range parts {
		for q, v := range part {
			sums[q] += v
		}
	}
	w, near, rows := NewTall[F](s.w.Rows, k), newLikeness(ops, beta, float64(l.others), sums), s.c.grid.stride(0, step)
	scratch, rooms := make([]*Tall[F], s.pool.workers), make([][]F, s.pool.workers)
	for wi := range scratch {
		scratch[wi], rooms[wi] = NewTall[F](tile, n), make([]F, n)
	}
	like := func(wi, t int) {
		a, b := t*tile, min((t+1)*tile, w.Rows)
		products, room := scratch[wi], rooms[wi]
		clear(products.Data)
		if x := l.dense; x != nil {
			ops.MulAdd(b-a, y.Ld, l.others, x.Data[l.at(a)*x.Stride:], x.Stride, 1, y.Data, y.Ld, products.Data, y.Ld)
		}
		for i := a; i < b; i++ {
			if q := rows.before(i); rows.row(q) == i {
				copy(w.Row(i), some.Row(q))
				continue
			}
			var x []F
			if l.dense != nil {
				x = l.dense.Row(l.at(i))
			} else {
				var idx []int32
				idx, x = l.sparse.Row(l.at(i))
				ops.Gather(y.Ld, idx, x, y.Data, y.Ld, products.rows(i-a, i-a+1))
			}
			total := 0.0
			if beta == 1 {
				_, total, _, _ = ops.Scan(x)
			}
			best, factor := near.nearest(total, products.Row(i-a), room)
			for j, v := range chosen.Row(best) {
				w.Row(i)[j] = F(factor * float64(v))
			}
		}
	}
	return w, l.blocks(func(from, to int) bool {
		return s.pool.run(tiles[F](to-from), func(wi, t int) { like(wi, from/tile+t) })
	})
}

// likeness finds which of several y is nearest to a row of X: s are their sums of
// likeSome, of what else of them the divergence has.
type likeness[F kernel.Float] struct {
	ops     *kernel.Ops[F]
	beta, n float64
	s, of   []float64
}

func newLikeness[F kernel.Float](ops *kernel.Ops[F], beta, n float64, s []float64) *likeness[F] {
	l := &likeness[F]{ops: ops, beta: beta, n: n, s: s, of: make([]float64, len(s))}
	for q, v := range s {
		switch beta {
		case 1:
			l.of[q] = math.Log(v)
		case 0:
			l.of[q] = v
		default:
			l.of[q] = -math.Pow(v, 1-beta) / (beta * (beta - 1))
		}
	}
	return l
}

// nearest gives the q for which the β-divergence of a row of X, whose cells add
// up to total, from λy_q is least with the best λ, and that λ: p are those of
// likeSome, f has room for as many numbers.
func (l *likeness[F]) nearest(total float64, p, f []F) (best int, factor float64) {
	switch l.beta {
	case 1:
	case 0:
		l.ops.Log(p, f)
	default:
		l.ops.Pow(F(l.beta), p, f)
	}
	lowest := math.Inf(1)
	for q, of := range l.of {
		var value float64
		switch l.beta {
		case 1:
			value = total*of - float64(p[q])
		case 0:
			value = l.n*float64(f[q]) + of
		default:
			value = of * float64(f[q])
		}
		if value < lowest && value-value == 0 {
			best, lowest = q, value
		}
	}
	switch l.beta {
	case 1:
		return best, total / l.s[best]
	case 0:
		return best, float64(p[best]) / l.n
	}
	return best, float64(p[best]) / l.s[best]
}

// some is the cells of every step-th row of the whole X, those that this rank has;
// none are listed or weighted. It reports false where reading failed.
func (c *Cells[F]) some(p *pool, step int) (*Cells[F], bool) {
	d, left, right, rows := *c, *c.left, *c.right, c.grid.stride(0, step)
	d.Rows, d.grid = rows.before(c.Rows), c.grid.every(0, step)
	d.left, d.right = &left, &right
	left.rows, right.others, right.allOther = d.Rows, d.Rows, float64(d.Rows)
	left.once, right.once = new(sync.Once), new(sync.Once)
	left.window, right.window, right.turned = nil, nil, true
	each := func(do func(q, at int)) bool {
		return c.left.blocks(func(from, to int) bool {
			for q := rows.before(from); q < rows.before(to); q++ {
				do(q, c.left.at(rows.row(q)))
			}
			return true
		})
	}
	if x := c.left.dense; x != nil {
		part := matrix.NewDense[F](d.Rows, c.Cols)
		left.dense, right.dense = part, part
		return &d, each(func(q, at int) { copy(part.Row(q), x.Row(at)) })
	}
	part := &matrix.CSR[F]{Rows: d.Rows, Cols: c.Cols, RowPtr: make([]int, 1, d.Rows+1)}
	if !each(func(_, at int) {
		cols, vals := c.left.sparse.Row(at)
		part.ColIdx, part.Val = append(part.ColIdx, cols...), append(part.Val, vals...)
		part.RowPtr = append(part.RowPtr, len(part.Val))
	}) {
		return nil, false
	}
	left.sparse, right.sparse = part, transpose(p, c.ops, part)
	return &d, true
}
