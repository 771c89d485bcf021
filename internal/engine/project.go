package engine

import (
	"context"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/penalty"
	"github.com/partsof/nmf/internal/solver"
)

// projection is what is known after a half-step for W that went to tolerance.
type projection[F kernel.Float] struct {
	gramH, gramW *solver.Gram[F]
	// before and after hold the gradient of W at its start and at its end,
	// columns that of H at the end.
	before, after, columns gradientSums
	// dot is ⟨H, SH⟩ − 2⟨H, Q⟩.
	dot float64
	// worst is the largest KKT residual of a row.
	worst float64
}

// measureOnly is the tolerance of a projection that leaves w as it is.
const measureOnly = -1

// project solves every row of w for the fixed h to the KKT tolerance, starting
// at the w that it is given. With cross it also forms Q and S, and from them
// what concerns H. Where more is asked of the factors than that they are not
// negative, and rows of w depend on each other for it, w stays as it is and is
// only measured.
func (d *Data[F]) project(p *pool, w, h *Tall[F], askedW, askedH *penalty.Factor, tol float64, cross bool) (*projection[F], bool) {
	k := w.K
	r := &projection[F]{gramH: solver.NewGram[F](k), gramW: solver.NewGram[F](k),
		before: newGradientSums(k), after: newGradientSums(k), columns: newGradientSums(k)}
	from, to := d.grid.ownColumns(h.Rows)
	ok := gramOf(p, d.ops, r.gramH, h, 0, from, to)
	if !sumGrams(d.grid, ok, r.gramH) || !d.beforeLeft(p, h) {
		return nil, false
	}
	r.gramH.Ready()
	// made is X·H where ranks have summed it.
	var made *Tall[F]
	if d.grid.divided() {
		made = new(Tall[F])
		ok = d.crossRows(p, h, made)
	}
	ws := newWorkers(d.ops, p.workers, k, k)
	tile := kernel.TileRows[F]()
	var q, all *Tall[F]
	whole := askedW.Whole()
	if cross {
		q = NewTall[F](d.Cols, k)
	}
	var problem *solver.Problem[F]
	if !askedW.None() {
		problem = solver.NewProblem("hals", r.gramH, askedW, penalty.At(askedW, w.Data, w.Ld, w.Rows, k), w.Rows)
	}
	if whole {
		all = NewTall[F](d.Rows, k)
	}
	var before, after tileSums
	first, last := d.grid.OwnRows(d.Rows)
	for r0 := first; r0 < last && ok; r0 += d.block {
		r1 := min(r0+d.block, last)
		if !d.hold(p, r0, r1) {
			ok = false
			break
		}
		n := tiles[F](r1 - r0)
		before.reset(n, k)
		after.reset(n, k)
		worst := make([]float64, n)
		ok = p.run(n, func(wi, i int) {
			t := ws[wi].tile
			a, b := r0+i*tile, min(r0+(i+1)*tile, r1)
			cross := ws[wi].c[:(b-a)*h.Ld]
			if made != nil {
				copy(cross, made.rows(a, b))
			} else {
				clear(cross)
				d.left(a, b, 0, h.Ld, h, cross, h.Ld)
			}
			t.Load(b-a, k, w.Data[a*w.Ld:], w.Ld, cross, h.Ld)
			if problem == nil {
				t.Gradient(r.gramH)
				t.Residual(before.each[i].pg, before.each[i].cc)
				if tol != measureOnly {
					worst[i] = solver.Solve(r.gramH, t, tol)
				}
				t.Residual(after.each[i].pg, after.each[i].cc)
				t.Store(w.Data[a*w.Ld:], w.Ld)
				return
			}
			ws[wi].measure(problem, r.gramH, a, whole, before.each[i])
			if whole {
				t.StoreCross(all.Data[a*all.Ld:], all.Ld)
			}
			if !askedW.Coupled() && tol != measureOnly {
				worst[i] = problem.Solve(t, a, tol)
				t.Store(w.Data[a*w.Ld:], w.Ld)
				t.Load(b-a, k, w.Data[a*w.Ld:], w.Ld, cross, h.Ld)
			}
			ws[wi].measure(problem, r.gramH, a, whole, after.each[i])
		})
		before.addTo(r.before)
		after.addTo(r.after)
		for _, v := range worst {
			r.worst = max(r.worst, v)
		}
		if cross && ok && d.apart == nil {
			ok = gramOf(p, d.ops, r.gramW, w, 0, r0, r1) && (made != nil || d.crossBlock(p, w, q, r0, r1))
		}
	}
	shareRows(d.grid, w)
	for r0 := 0; r0 < d.Rows && made != nil && cross; r0 += d.block {
		r1 := min(r0+d.block, d.Rows)
		ok = ok && d.hold(p, r0, r1) && d.crossBlock(p, w, q, r0, r1)
	}
	if !d.grid.agree(ok) {
		return nil, false
	}
	if whole {
		if !sparsify(p, problem, w, all, 0, k, 0, r.before.pg) {
			return nil, false
		}
		copy(r.after.pg, r.before.pg)
	}
	if !cross {
		return r, true
	}
	if d.apart != nil && !(gramOf(p, d.ops, r.gramW, w, 0, 0, d.Rows) && d.crossBlock(p, w, q, 0, d.Rows)) {
		return nil, false
	}
	sumColumnShares(d.grid, q)
	sumGrams(d.grid, true, r.gramW)
	r.gramW.Ready()
	if !askedH.None() {
		return r, d.projectColumns(p, r, ws, h, q, askedH)
	}
	var columns tileSums
	n := tiles[F](to - from)
	columns.reset(n, k)
	ok = p.run(n, func(wi, i int) {
		t := ws[wi].tile
		a := from + i*tile
		b := min(a+tile, to)
		t.Load(b-a, k, h.Data[a*h.Ld:], h.Ld, q.Data[a*q.Ld:], q.Ld)
		t.Gradient(r.gramW)
		columns.dot[i] = t.Residual(columns.each[i].pg, columns.each[i].cc)
	})
	r.dot = columns.addTo(r.columns)
	d.sumProjection(r)
	return r, ok
}

// sumProjection adds what a projection has measured over all ranks.
func (d *Data[F]) sumProjection(r *projection[F]) {
	if d.grid == nil {
		return
	}
	v := []float64{r.dot}
	parts := [][]float64{r.before.pg, r.before.cc, r.after.pg, r.after.cc, r.columns.pg, r.columns.cc}
	for _, part := range parts {
		v = append(v, part...)
	}
	d.grid.sumAll(v)
	r.dot, v = v[0], v[1:]
	for _, part := range parts {
		v = v[copy(part, v[:len(part)]):]
	}
}

// projectColumns finds what concerns an h of which something is asked.
func (d *Data[F]) projectColumns(p *pool, r *projection[F], ws []worker[F], h, q *Tall[F], asked *penalty.Factor) bool {
	k, tile := h.K, kernel.TileRows[F]()
	from, to := d.grid.ownColumns(d.Cols)
	n := tiles[F](to - from)
	problem := solver.NewProblem("hals", r.gramW, asked, penalty.At(asked, h.Data, h.Ld, h.Rows, k), h.Rows)
	var columns tileSums
	columns.reset(n, k)
	ok := p.run(n, func(wi, i int) {
		a := from + i*tile
		b := min(a+tile, to)
		ws[wi].tile.Load(b-a, k, h.Data[a*h.Ld:], h.Ld, q.Data[a*q.Ld:], q.Ld)
		columns.dot[i] = ws[wi].measure(problem, r.gramW, a, asked.Whole(), columns.each[i])
	})
	r.dot = columns.addTo(r.columns)
	d.sumProjection(r)
	return ok && (!asked.Whole() || sparsify(p, problem, h, q, 0, k, 0, r.columns.pg))
}

// crossBlock adds X_bᵀ·W_b to q for the rows r0 to r1.
func (d *Data[F]) crossBlock(p *pool, w, q *Tall[F], r0, r1 int) bool {
	return d.beforeRight(p, w, r0, r1) && d.eachColumns(p, func(from, to int) bool {
		chunk := d.columnChunk(p, to-from)
		chunks := (to - from + chunk - 1) / chunk
		return p.run(chunks, func(_, t int) {
			j0 := from + t*chunk
			d.right(r0, r1, j0, min(j0+chunk, to), w, q)
		})
	})
}

// gramOf adds the Gram matrix of the rows r0 to r1 of the columns of t from
// off to g.
func gramOf[F kernel.Float](p *pool, ops *kernel.Ops[F], g *solver.Gram[F], t *Tall[F], off, r0, r1 int) bool {
	ok := p.run(gramTasks(g.K), func(_, task int) { addGram(ops, g, t, off, r0, r1, task) })
	g.Ready()
	return ok
}

// Project solves every row of w (m x k) for the fixed h (n x k) to the KKT
// tolerance by row, starting at the given w. Of w more may be asked than that
// it is not negative, where rows do not depend on each other for it. It returns
// the largest residual of a row, or the context's error.
func (d *Data[F]) Project(ctx context.Context, w, h *Tall[F], asked *penalty.Factor, tol float64, workers int) (float64, error) {
	r, ok := d.project(d.grid.pool(ctx, workers), w, h, asked, nil, tol, false)
	if !ok {
		return 0, d.cause(ctx)
	}
	return r.worst, nil
}

// Loss is ½‖X−WH‖², from the residual.
func (d *Data[F]) Loss(ctx context.Context, w, h *Tall[F], workers int) (float64, error) {
	loss, ok := d.residualLoss(d.grid.pool(ctx, workers), w, h, 0, w.K)
	loss, ok = d.grid.all64(loss, ok)
	if !ok {
		return 0, d.cause(ctx)
	}
	return loss, nil
}

// Times gives X·h (m x k) for a tall h (n x k). Where reading X fails, which
// Failure tells, the result is not whole.
func (d *Data[F]) Times(h *Tall[F], workers int) *Tall[F] {
	c := NewTall[F](d.Rows, h.K)
	d.timesInto(&pool{ctx: context.Background(), workers: max(1, workers)}, h, c)
	sumTall(d.grid, OfColumns, c)
	return c
}

// timesInto adds X·h to c; it reports false when cancelled.
func (d *Data[F]) timesInto(p *pool, h, c *Tall[F]) bool {
	tile := kernel.TileRows[F]()
	ok := d.beforeLeft(p, h)
	for r0 := 0; r0 < d.Rows && ok; r0 += d.block {
		r1 := min(r0+d.block, d.Rows)
		ok = d.hold(p, r0, r1) && p.run(tiles[F](r1-r0), func(_, t int) {
			a, b := r0+t*tile, min(r0+(t+1)*tile, r1)
			d.left(a, b, 0, h.Ld, h, c.Data[a*c.Ld:], c.Ld)
		})
	}
	return ok
}

// TransposeTimes gives Xᵀ·w (n x k) for a tall w (m x k), as Times does.
func (d *Data[F]) TransposeTimes(w *Tall[F], workers int) *Tall[F] {
	q := NewTall[F](d.Cols, w.K)
	p := &pool{ctx: context.Background(), workers: max(1, workers)}
	if d.apart != nil {
		d.crossBlock(p, w, q, 0, d.Rows)
		return q
	}
	for r0 := 0; r0 < d.Rows; r0 += d.block {
		r1 := min(r0+d.block, d.Rows)
		if !d.hold(p, r0, r1) {
			break
		}
		d.crossBlock(p, w, q, r0, r1)
	}
	sumTall(d.grid, OfRows, q)
	return q
}
