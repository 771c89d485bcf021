package solver

import (
	"math"
	"slices"

	"github.com/partsof/nmf/internal/kernel"
)

// bpp solves every row exactly: non-negative least squares by block principal
// pivoting (Kim & Park 2011), rows of a tile that share a passive set sharing
// its Cholesky factor. All arithmetic is float64. A row that would cycle goes
// to the active-set method of Lawson & Hanson (1974), which cannot.
type bpp[F kernel.Float] struct{}

func (bpp[F]) Update(g *Gram[F], t *Tile[F], _ int) {
	rows := t.bpp.rows[:0]
	for i := range t.Rows {
		rows = append(rows, i)
	}
	t.bpp.rows = rows
	t.solveBPP(g, rows)
}

// Pivoting solves row problems that have each a Gram matrix of their own, as bpp
// does those that share one. The zero value is ready.
type Pivoting struct {
	nnls nnls
	rows [1]nnlsRow
}

// Solve sets x to the minimum of ½ x G xᵀ − c xᵀ over x ≥ 0, for G of len(x) rows,
// whose entries are exact to eps. The pivoting starts at the support of x.
func (p *Pivoting) Solve(g, c, x []float64, eps float64) {
	r := &p.rows[0]
	r.reset(len(x))
	copy(r.c, c)
	for j, v := range x {
		r.passive[j] = v > 0
	}
	p.nnls.k, p.nnls.g, p.nnls.eps = len(x), g, eps
	p.nnls.solve(p.rows[:])
	copy(x, r.x)
}

type bppScratch struct {
	rows []int
	nnls nnls
	prob []nnlsRow
}

// solveBPP replaces the given rows of t.W by the exact solution, starting the
// pivoting at the support that they have now.
func (t *Tile[F]) solveBPP(g *Gram[F], rows []int) {
	if len(rows) == 0 {
		return
	}
	stride := kernel.TileRows[F]()
	s := &t.bpp
	s.nnls.setGram(g.K, func(i, j int) float64 { return float64(g.G[i*g.Ld+j]) }, kernel.Epsilon[F]())
	for len(s.prob) < len(rows) {
		s.prob = append(s.prob, nnlsRow{})
	}
	prob := s.prob[:len(rows)]
	for p, i := range rows {
		r := &prob[p]
		r.reset(g.K)
		for j := range g.K {
			r.c[j] = float64(t.C[j*stride+i])
			r.passive[j] = t.W[j*stride+i] > 0
		}
	}
	s.nnls.solve(prob)
	for p, i := range rows {
		for j, v := range prob[p].x {
			t.W[j*stride+i] = F(v)
		}
	}
}

// nnlsRow is one problem of a batch: minimise ½ x G xᵀ − c xᵀ over x ≥ 0.
type nnlsRow struct {
	c, x, y []float64
	// passive holds the variables that may be positive: the start on entry.
	passive []bool
	// alpha exchanges of the full block are left before the backup rule; beta
	// is the fewest infeasible variables seen (Kim & Park 2011, Algorithm 2).
	alpha, beta int
}

func (r *nnlsRow) reset(k int) {
	if cap(r.c) < k {
		r.c, r.x, r.y = make([]float64, k), make([]float64, k), make([]float64, k)
		r.passive = make([]bool, k)
	}
	r.c, r.x, r.y, r.passive = r.c[:k], r.x[:k], r.y[:k], r.passive[:k]
	r.alpha, r.beta = 3, k+1
}

// nnls solves batches of problems with one Gram matrix.
type nnls struct {
	k    int
	g    []float64
	eps  float64
	chol cholesky
	todo []*nnlsRow
}

func (s *nnls) setGram(k int, at func(i, j int) float64, eps float64) {
	if cap(s.g) < k*k {
		s.g = make([]float64, k*k)
	}
	s.k, s.g, s.eps = k, s.g[:k*k], eps
	for i := range k {
		for j := range k {
			s.g[i*k+j] = at(i, j)
		}
	}
}

// solve fills x of every row; the duals y = Gx − c are zero on the passive set
// and non-negative elsewhere, to rounding.
func (s *nnls) solve(rows []nnlsRow) {
	todo := s.todo[:0]
	for p := range rows {
		for j := range s.k {
			if s.g[j*s.k+j] <= 0 {
				rows[p].passive[j] = false
			}
		}
		todo = append(todo, &rows[p])
	}
	for round := 0; len(todo) > 0; round++ {
		if round > 30+5*s.k {
			for _, r := range todo {
				s.lawsonHanson(r)
			}
			break
		}
		slices.SortFunc(todo, comparePassive)
		for p, r := range todo {
			if p == 0 || comparePassive(todo[p-1], r) != 0 {
				s.factor(r.passive)
			}
			s.solvePassive(r)
		}
		// The factor is of a run of equal sets, so the sets change only after
		// all are solved.
		left := todo[:0]
		for _, r := range todo {
			if s.exchange(r) {
				left = append(left, r)
			}
		}
		todo = left
	}
	s.todo = todo[:0]
	for p := range rows {
		for j, v := range rows[p].x {
			rows[p].x[j] = max(0, v)
		}
	}
}

// comparePassive orders rows by their passive set.
func comparePassive(a, b *nnlsRow) int {
	for j, p := range a.passive {
		if p != b.passive[j] {
			if p {
				return 1
			}
			return -1
		}
	}
	return 0
}

// factor prepares the Cholesky factor of G restricted to the passive set.
func (s *nnls) factor(passive []bool) {
	idx := s.chol.idx[:0]
	for j, p := range passive {
		if p {
			idx = append(idx, j)
		}
	}
	s.chol.idx = idx
	s.chol.factor(s.k, s.g, s.eps)
}

// solvePassive sets x on the passive set, zero elsewhere, and y.
func (s *nnls) solvePassive(r *nnlsRow) {
	clear(r.x)
	s.chol.solve(r.c, r.x)
	for j, p := range r.passive {
		if p {
			r.y[j] = 0
			continue
		}
		y := -r.c[j]
		row := s.g[j*s.k : (j+1)*s.k]
		for _, l := range s.chol.idx {
			y += row[l] * r.x[l]
		}
		r.y[j] = y
	}
}

// exchange moves infeasible variables between the sets and reports whether
// there were any.
func (s *nnls) exchange(r *nnlsRow) bool {
	tolX, tolY := 1e-12*maxAbs(r.x), 1e-12*maxAbs(r.c)
	count, last := 0, -1
	for j := range r.x {
		if s.infeasible(r, j, tolX, tolY) {
			count, last = count+1, j
		}
	}
	if count == 0 {
		return false
	}
	switch {
	case count < r.beta:
		r.beta, r.alpha = count, 3
	case r.alpha > 0:
		r.alpha--
	default:
		r.passive[last] = !r.passive[last]
		return true
	}
	for j := range r.x {
		if s.infeasible(r, j, tolX, tolY) {
			r.passive[j] = !r.passive[j]
		}
	}
	return true
}

func (s *nnls) infeasible(r *nnlsRow, j int, tolX, tolY float64) bool {
	if r.passive[j] {
		return r.x[j] < -tolX
	}
	return r.y[j] < -tolY && s.g[j*s.k+j] > 0
}

// lawsonHanson solves one row by the active-set method: one variable enters
// at a time, and the step is cut where a passive one would turn negative.
func (s *nnls) lawsonHanson(r *nnlsRow) {
	k := s.k
	clear(r.passive)
	x := make([]float64, k)
	copy(r.y, r.c)
	for j := range r.y {
		r.y[j] = -r.c[j]
	}
	tolY := 1e-12 * maxAbs(r.c)
	for range 3 * k {
		enter := -1
		for j, y := range r.y {
			if !r.passive[j] && s.g[j*k+j] > 0 && y < -tolY && (enter < 0 || y < r.y[enter]) {
				enter = j
			}
		}
		if enter < 0 {
			break
		}
		r.passive[enter] = true
		for {
			s.factor(r.passive)
			s.solvePassive(r)
			step, block := 1.0, -1
			for _, j := range s.chol.idx {
				if r.x[j] <= 0 && j != enter || r.x[j] < 0 {
					if a := x[j] / (x[j] - r.x[j]); a < step {
						step, block = a, j
					}
				}
			}
			if block < 0 {
				copy(x, r.x)
				break
			}
			for _, j := range s.chol.idx {
				x[j] += step * (r.x[j] - x[j])
			}
			x[block], r.passive[block] = 0, false
		}
	}
	copy(r.x, x)
}

func maxAbs(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}

// cholesky is the factor U, G = UᵀU, of a principal submatrix of G, rows and
// columns idx.
type cholesky struct {
	idx []int
	// u is upper triangular, its rows ld apart: padded, so that the products of
	// whole vectors that make a row may run over its end.
	ld   int
	u    []float64
	z, t []float64
}

// factor computes U. A submatrix that is singular to rounding gets the
// smallest ridge, from eps times its largest diagonal upwards, that lets it be
// factored.
func (f *cholesky) factor(k int, g []float64, eps float64) {
	n := len(f.idx)
	f.ld = kernel.Pad[float64](n) + kernel.Width[float64]()
	if cap(f.t) < f.ld {
		f.u, f.z, f.t = make([]float64, n*f.ld), make([]float64, f.ld), make([]float64, f.ld)
	}
	if cap(f.u) < n*f.ld {
		f.u = make([]float64, n*f.ld)
	}
	f.u, f.z, f.t = f.u[:n*f.ld], f.z[:n], f.t[:f.ld]
	largest := 0.0
	for _, j := range f.idx {
		largest = max(largest, g[j*k+j])
	}
	for ridge := 0.0; !f.try(k, g, ridge, eps); {
		ridge = max(eps*largest, 10*ridge, 0x1p-1022)
	}
}

// try makes U row by row: row a is that of G less the product of the part of
// column a above it with the rows above it.
func (f *cholesky) try(k int, g []float64, ridge, eps float64) bool {
	n, ld := len(f.idx), f.ld
	mulAdd := kernel.For[float64]().MulAdd
	for a, i := range f.idx {
		clear(f.t)
		mulAdd(1, kernel.Pad[float64](n-a), a, f.u[a:], 1, ld, f.u[a:], ld, f.t, ld)
		v := g[i*k+i] + ridge - f.t[0]
		if v <= 8*eps*(g[i*k+i]+ridge) {
			return false
		}
		root := math.Sqrt(v)
		row := f.u[a*ld : (a+1)*ld]
		row[a] = root
		for b := a + 1; b < n; b++ {
			row[b] = (g[i*k+f.idx[b]] - f.t[b-a]) / root
		}
		clear(row[n:])
	}
	return true
}

// solve sets x on idx to the solution of G x = c restricted to idx.
func (f *cholesky) solve(c, x []float64) {
	n, ld, z := len(f.idx), f.ld, f.z
	for a, i := range f.idx {
		z[a] = c[i]
	}
	for a := range n {
		row := f.u[a*ld : a*ld+n]
		z[a] /= row[a]
		for b := a + 1; b < n; b++ {
			z[b] -= row[b] * z[a]
		}
	}
	for a := n - 1; a >= 0; a-- {
		row := f.u[a*ld : a*ld+n]
		z[a] = (z[a] - dot(row[a+1:], z[a+1:])) / row[a]
		x[f.idx[a]] = z[a]
	}
}

// dot is the inner product; four sums run side by side, so that additions need
// not wait for each other.
func dot(x, y []float64) float64 {
	var s [4]float64
	y = y[:len(x)]
	for len(x) >= 4 {
		s[0] += x[0] * y[0]
		s[1] += x[1] * y[1]
		s[2] += x[2] * y[2]
		s[3] += x[3] * y[3]
		x, y = x[4:], y[4:]
	}
	for i, v := range x {
		s[0] += v * y[i]
	}
	return s[0] + s[1] + (s[2] + s[3])
}
