package engine

import (
	"math"
	"slices"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/solver"
)

// rowSolver minimises the loss of one row of a factor, together with what is
// asked of it, by Newton's method: the second-order model (of a quadratic loss,
// or of the square that majorizes a robust one: the function itself) is
// minimised within the bounds by coordinate descent, and the step is shortened
// until the objective falls. It costs k²/2 multiplications a cell and step.
type rowSolver[F kernel.Float] struct {
	k, ld int
	// w, num, den and grad are rows of a tall factor; r, h, the terms and step
	// (what r changes by) go with the cells.
	w, num, den, grad []F
	r, h, step, tried []F
	gram              []F
	rowNum, rowDen    []F
	// g64, slope and delta are the model and its solution, cross and best those of
	// pivoting.
	g64, slope, delta []float64
	cross, best       []float64
	pivoting          solver.Pivoting
	// pivots asks for the minimum of a model by pivoting.
	pivots bool
	loss   loss.Scratch[F]
	tile   []F
}

func (s *rowSolver[F]) reset(k, ld int) {
	if s.k == k && s.ld == ld {
		return
	}
	s.k, s.ld = k, ld
	s.w, s.grad, s.rowNum, s.rowDen = make([]F, ld), make([]F, ld), make([]F, ld), make([]F, ld)
	s.gram = make([]F, ld*ld)
	s.g64, s.slope, s.delta = make([]float64, k*k), make([]float64, k), make([]float64, k)
	s.cross, s.best = make([]float64, k), make([]float64, k)
}

// room makes room for n cells.
func (s *rowSolver[F]) room(n int) {
	if cap(s.r) < n {
		n += n / 2
		s.r, s.h, s.step, s.tried = make([]F, n), make([]F, n), make([]F, n), make([]F, n)
		s.num, s.den = make([]F, n), make([]F, n)
	}
}

// rowAsked is what is asked of one row: lin·w + ½·quad·w², w at most upper
// (where it is above 0), entries that are held (not NaN), and a sum of one.
type rowAsked struct {
	lin, quad []float64
	upper     float64
	held      []float64
	simplex   bool
}

// free reports whether entry j may change.
func (a *rowAsked) free(j int) bool { return a.held == nil || a.held[j] != a.held[j] }

// solveLine improves s.w until its KKT residual ‖projected gradient‖/‖num‖ is at
// most tol, by at most `most` steps, and leaves its terms in rowNum and rowDen.
func (h *halfStep[F]) solveLine(s *rowSolver[F], l line[F], asked *rowAsked, tol float64, most int) {
	if l.outside == 0 && len(asked.lin) == 0 && !asked.simplex && l.countsNothing() {
		clear(s.w[:s.k])
		clear(s.rowNum)
		clear(s.rowDen)
		s.keepHeld(asked)
		return
	}
	n := len(l.idx)
	for step := 0; ; step++ {
		clear(s.rowNum)
		clear(s.rowDen)
		value := h.evaluateLine(s, l, s.w, s.rowNum, s.rowDen, !h.cells.steps.Quadratic(), true)
		value += s.penalties(asked, s.w)
		residual := s.projected(asked)
		if residual <= tol || step == most {
			return
		}
		h.model(s, l, asked)
		s.descend(asked)
		if h.cells.steps.Quadratic() {
			for j := range s.k {
				s.w[j] = F(max(0, float64(s.w[j])+s.delta[j]))
			}
			continue
		}
		if !h.search(s, l, asked, value, n) {
			// Rounding is all that is left to gain here, or the model is of no
			// use: the multiplicative step cannot raise the loss.
			if residual < 1e3*kernel.Epsilon[F]() || asked.simplex {
				return
			}
			h.multiplyLine(s, asked)
		}
	}
}

// countsNothing reports whether no listed cell has a weight.
func (l *line[F]) countsNothing() bool {
	return len(l.idx) == 0 || l.w != nil && !slices.ContainsFunc(l.w, func(w F) bool { return w != 0 })
}

// keepHeld puts what is held into the row.
func (s *rowSolver[F]) keepHeld(asked *rowAsked) {
	for j, v := range asked.held {
		if v == v {
			s.w[j] = F(v)
		}
	}
}

// penalties is what is asked of the row w.
func (s *rowSolver[F]) penalties(asked *rowAsked, w []F) float64 {
	sum := 0.0
	for j := range asked.lin {
		v := float64(w[j])
		sum += v * (asked.lin[j] + asked.quad[j]*v/2)
	}
	return sum
}

// projected fills slope with the gradient and gives the row's KKT residual.
func (s *rowSolver[F]) projected(asked *rowAsked) float64 {
	var pg, cc, level float64
	for j := range s.k {
		g := float64(s.rowDen[j]) - float64(s.rowNum[j])
		if asked.lin != nil {
			g += asked.lin[j] + asked.quad[j]*float64(s.w[j])
		}
		if !asked.free(j) {
			g = 0
		}
		s.slope[j] = g
	}
	if asked.simplex {
		// The multiplier of the sum: the mean of the gradient by the entries.
		mass := 0.0
		for j := range s.k {
			if asked.free(j) {
				level += float64(s.w[j]) * s.slope[j]
				mass += float64(s.w[j])
			}
		}
		if mass > 0 {
			level /= mass
		}
	}
	for j := range s.k {
		w, g := float64(s.w[j]), s.slope[j]
		if asked.free(j) {
			g -= level
		}
		full := asked.upper > 0 && w >= asked.upper
		if (w > 0 || g < 0) && !(full && g < 0) {
			pg += g * g
		}
		cc += float64(s.rowNum[j]) * float64(s.rowNum[j])
	}
	if cc == 0 {
		if pg == 0 {
			return 0
		}
		// Nothing pulls the row up: its least is at zero.
		return 1
	}
	return math.Sqrt(pg / cc)
}

// model fills g64 with the second derivatives of the objective.
func (h *halfStep[F]) model(s *rowSolver[F], l line[F], asked *rowAsked) {
	n := len(l.idx)
	curvature := s.h[:n]
	h.cells.steps.Curvature(l.x, s.r[:n], l.w, l.theta, curvature)
	clear(s.gram)
	if h.gram != nil {
		// Cells that are not listed weigh l.outside·v_p.
		for q, p := range l.idx {
			v := l.outside
			if h.side.other != nil {
				v *= h.side.other[p]
			}
			curvature[q] -= v
		}
	}
	h.cells.ops.GatherGram(s.ld, l.idx, curvature, h.fixed.Data, s.ld, s.gram, s.ld)
	for a := range s.k {
		for b := range s.k {
			v := float64(s.gram[a*s.ld+b])
			if h.gram != nil {
				v += float64(l.outside) * float64(h.gram[a*h.fixed.Ld+b])
			}
			s.g64[a*s.k+b] = v
		}
		if asked.quad != nil {
			s.g64[a*s.k+a] += asked.quad[a]
		}
	}
}

const (
	rowSweeps    = 100
	rowSweepStop = 1e-4
)

// descend minimises the model over w + delta within the bounds by coordinate
// descent, until a sweep changes delta by little of what the first one did, or
// where there is no bound but zero by pivoting.
func (s *rowSolver[F]) descend(asked *rowAsked) {
	k := s.k
	clear(s.delta)
	switch {
	case asked.simplex:
		s.exchange(asked)
		return
	case s.pivots:
		s.pivot(asked)
		return
	}
	// slope is kept as the gradient of the model at delta.
	first := 0.0
	for sweep := range rowSweeps {
		change := 0.0
		for j := range k {
			diagonal := s.g64[j*k+j]
			if diagonal <= 0 || !asked.free(j) {
				continue
			}
			w := float64(s.w[j])
			to := max(-w, s.delta[j]-s.slope[j]/diagonal)
			if asked.upper > 0 {
				to = min(to, asked.upper-w)
			}
			move := to - s.delta[j]
			if move == 0 {
				continue
			}
			s.delta[j] = to
			change += move * move * diagonal
			row := s.g64[j*k : j*k+k]
			for i, v := range row {
				s.slope[i] += move * v
			}
		}
		if sweep == 0 {
			first = change
		}
		if change <= rowSweepStop*rowSweepStop*first {
			return
		}
	}
}

// pivot minimises the model, of a loss whose terms in rowNum are the cross product
// of its squares, over w + delta ≥ 0 by block principal pivoting.
func (s *rowSolver[F]) pivot(asked *rowAsked) {
	for j := range s.k {
		s.best[j], s.cross[j] = float64(s.w[j]), float64(s.rowNum[j])
		if asked.lin != nil {
			s.cross[j] -= asked.lin[j]
		}
	}
	s.pivoting.Solve(s.g64, s.cross, s.best, kernel.Epsilon[F]())
	for j, v := range s.best {
		s.delta[j] = v - float64(s.w[j])
	}
}

// exchange minimises the model over entries of a fixed sum: by exact steps that
// move mass from the free entry with the largest gradient to the one with the
// smallest (sequential minimal optimization, Platt 1998).
func (s *rowSolver[F]) exchange(asked *rowAsked) {
	k, upper := s.k, math.Inf(1)
	if asked.upper > 0 {
		upper = asked.upper
	}
	first := 0.0
	for step := range rowSweeps * k {
		to, from := -1, -1
		for j := range k {
			at := float64(s.w[j]) + s.delta[j]
			if asked.free(j) && at < upper && (to < 0 || s.slope[j] < s.slope[to]) {
				to = j
			}
			if asked.free(j) && at > 0 && (from < 0 || s.slope[j] > s.slope[from]) {
				from = j
			}
		}
		if to < 0 || from < 0 || to == from {
			return
		}
		gap := s.slope[from] - s.slope[to]
		if step == 0 {
			first = gap
		}
		if gap <= rowSweepStop*1e-4*first {
			return
		}
		move := min(float64(s.w[from])+s.delta[from], upper-float64(s.w[to])-s.delta[to])
		if curvature := s.g64[to*k+to] + s.g64[from*k+from] - 2*s.g64[to*k+from]; curvature > 0 {
			move = min(move, gap/curvature)
		}
		if !(move > 0) {
			return
		}
		s.delta[to] += move
		s.delta[from] -= move
		for j := range k {
			s.slope[j] += move * (s.g64[to*k+j] - s.g64[from*k+j])
		}
	}
}

// search shortens the step until the objective falls by a part of what its
// slope promises (Armijo 1966), and takes it; it reports false where no step
// does.
func (h *halfStep[F]) search(s *rowSolver[F], l line[F], asked *rowAsked, value float64, n int) bool {
	slope := 0.0
	for j := range s.k {
		g := float64(s.rowDen[j]) - float64(s.rowNum[j])
		if asked.lin != nil {
			g += asked.lin[j] + asked.quad[j]*float64(s.w[j])
		}
		slope += g * s.delta[j]
	}
	if !(slope < 0) {
		return false
	}
	to := s.grad
	const sufficient, halvings = 1e-4, 12
	t := 1.0
	for range halvings {
		for j := range s.k {
			to[j] = F(max(0, float64(s.w[j])+t*s.delta[j]))
		}
		v := h.valueOf(s, l, to, n) + s.penalties(asked, to)
		if v <= value+sufficient*t*slope && s.keepsReach(l) {
			copy(s.w[:s.k], to[:s.k])
			return true
		}
		t /= 2
	}
	return false
}

// keepsReach reports whether the tried r is nowhere much nearer to zero than
// the one before where x is not zero: from there the second-order model would
// lead back in small steps only.
func (s *rowSolver[F]) keepsReach(l line[F]) bool {
	const part = 0.05
	for q, x := range l.x {
		if x > 0 && s.tried[q] < part*s.r[q] && (l.w == nil || l.w[q] > 0) {
			return false
		}
	}
	return true
}

// valueOf is the loss of a row for the factor's row w.
func (h *halfStep[F]) valueOf(s *rowSolver[F], l line[F], w []F, n int) float64 {
	r := s.tried[:n]
	h.cells.ops.Dots(s.ld, l.idx, h.fixed.Data, s.ld, w, r)
	sum := h.cells.steps.Sum(l.x, r, l.w, l.theta, &s.loss)
	if h.sums != nil && h.side.rest {
		total, listed := 0.0, 0.0
		for j, v := range h.sums {
			total += float64(l.outside) * float64(v) * float64(w[j])
		}
		for q, p := range l.idx {
			v := float64(l.outside)
			if h.side.other != nil {
				v *= float64(h.side.other[p])
			}
			listed += v * float64(r[q])
		}
		sum += max(0, total-listed)
	}
	return sum
}

// multiplyLine is one multiplicative step of the row, from the terms at w.
func (h *halfStep[F]) multiplyLine(s *rowSolver[F], asked *rowAsked) {
	a, b := h.cells.steps.Exponents()
	for j := range s.k {
		var lin, quad float64
		if asked.lin != nil {
			lin, quad = asked.lin[j], asked.quad[j]*float64(s.w[j])
		}
		u := rootOf(a, b, float64(s.rowDen[j]), float64(s.rowNum[j]), lin, quad)
		v := float64(s.w[j]) * u
		if asked.upper > 0 {
			v = min(v, asked.upper)
		}
		s.w[j] = F(v)
	}
	s.keepHeld(asked)
}

// newton updates a tile row by row with at most `most` steps of each, to the
// tolerance.
func newton[F kernel.Float](tol float64, most int) func(h *halfStep[F], ws *tileScratch[F]) {
	return newtonWhere(tol, most, false, everyRow[F])
}

// pivoted is newton whose models are minimised by block principal pivoting.
func pivoted[F kernel.Float](tol float64, most int) func(h *halfStep[F], ws *tileScratch[F]) {
	return newtonWhere(tol, most, true, everyRow[F])
}

func everyRow[F kernel.Float](*tileScratch[F], int) bool { return true }

// newtonWhere is newton, or pivoted, for the rows of a tile that wanted picks.
func newtonWhere[F kernel.Float](tol float64, most int, pivots bool, wanted func(ws *tileScratch[F], i int) bool) func(h *halfStep[F], ws *tileScratch[F]) {
	return func(h *halfStep[F], ws *tileScratch[F]) {
		t, k := kernel.TileRows[F](), ws.k
		s := &ws.rowSolver
		s.reset(k, h.fixed.Ld)
		s.pivots = pivots
		var asked rowAsked
		if h.point != nil {
			asked.lin, asked.quad = make([]float64, k), make([]float64, k)
		}
		if h.asked != nil {
			asked.upper, asked.simplex = h.asked.Upper, h.asked.Simplex
		}
		for i0 := 0; i0 < ws.rows; i0 += lineGroup {
			i1 := min(i0+lineGroup, ws.rows)
			h.side.reach(&ws.lines, ws.first+i0, ws.first+i1)
			for i := i0; i < i1; i++ {
				if !wanted(ws, i) {
					continue
				}
				l := h.side.line(&ws.lines, ws.first+i)
				for j := range k {
					s.w[j] = ws.w[j*t+i]
					if h.point != nil {
						asked.lin[j], asked.quad[j] = float64(ws.lin[j*t+i]), float64(ws.quad[j*t+i])
					}
				}
				if h.asked != nil && h.asked.Held != nil {
					asked.held = h.asked.Held[(ws.first+i)*k : (ws.first+i+1)*k]
				}
				h.solveLine(s, l, &asked, tol, most)
				for j := range k {
					ws.w[j*t+i], ws.num[j*t+i], ws.den[j*t+i] = s.w[j], s.rowNum[j], s.rowDen[j]
				}
			}
		}
	}
}
