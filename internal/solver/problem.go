package solver

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/penalty"
)

// Problem is the row problem of a half-step for a factor of which more is
// asked than that it is not negative (package penalty): its penalty is
// majorized at the iterate that the half-step starts from, and becomes part of
// G and of c.
type Problem[F kernel.Float] struct {
	// g is the Gram matrix with what the majorizer adds for all rows alike.
	g     *Gram[F]
	asked *penalty.Factor
	point *penalty.Point[F]
	// uniform is what the majorizer of the Laplacian adds for all rows, where
	// perRow does not say that it is a row's own.
	uniform F
	perRow  bool
}

// NewProblem prepares a half-step with the Gram matrix g for a factor of
// `rows` rows, of which `asked` is asked and which starts at point. It is for
// the solver of the name.
func NewProblem[F kernel.Float](name string, g *Gram[F], asked *penalty.Factor, point *penalty.Point[F], rows int) *Problem[F] {
	p := &Problem[F]{g: NewGram[F](g.K), asked: asked, point: point}
	copy(p.g.G, g.G)
	if asked.Laplacian != nil {
		p.couple(name, rows)
	}
	for j, d := range point.Diagonal() {
		row := p.g.G[j*p.g.Ld : j*p.g.Ld+p.g.K]
		for l := range row {
			if l != j {
				row[l] += F(asked.Orthogonal)
			}
		}
		row[j] += F(d) + p.uniform
	}
	p.g.Ready()
	return p
}

// couple chooses between one diagonal for all rows, the largest that one of
// them needs, and each row's own: where rows are joined to very different
// numbers of others the largest would hold all of them back.
func (p *Problem[F]) couple(name string, rows int) {
	largest, sum := 0.0, 0.0
	for i := range rows {
		d := p.point.RowDiagonal(i)
		largest = max(largest, d)
		sum += d
	}
	p.perRow = name == "hals" && largest > 2*sum/float64(rows)
	if !p.perRow {
		p.uniform = F(largest)
	}
}

// Gradient adds the gradient of the penalty to the tile's D, the gradient of
// the loss, at the iterate that the half-step starts from, which the tile
// holds; first is the tile's first row in the factor.
func (p *Problem[F]) Gradient(t *Tile[F], first int) { p.point.Gradient(first, t.Rows, t.W, t.D) }

// Residual adds the squared norms of the projected gradient to pg, a number
// for each component. D must be the gradient; it becomes the projected one.
func (p *Problem[F]) Residual(t *Tile[F], first int, pg []float64) {
	p.project(t, first)
	stride := kernel.TileRows[F]()
	for j := range t.K {
		for _, v := range t.D[j*stride : j*stride+t.Rows] {
			pg[j] += float64(v) * float64(v)
		}
	}
}

// project makes D, the gradient, the projected gradient: what of it a step
// within the constraints can use.
func (p *Problem[F]) project(t *Tile[F], first int) {
	stride := kernel.TileRows[F]()
	upper := F(math.Inf(1))
	if p.asked.Upper != 0 {
		upper = F(p.asked.Upper)
	}
	var level [64]F
	if p.asked.Simplex {
		p.levels(t, first, level[:])
	}
	for j := range t.K {
		for i := range t.Rows {
			at := j*stride + i
			d := t.D[at] - level[i]
			if t.W[at] <= 0 && d > 0 || t.W[at] >= upper && d < 0 || p.held(first+i, j) {
				d = 0
			}
			t.D[at] = d
		}
	}
}

// levels gives for every row the multiplier of its sum: the mean of the
// gradient over the free entries, by their size.
func (p *Problem[F]) levels(t *Tile[F], first int, level []F) {
	stride := kernel.TileRows[F]()
	for i := range t.Rows {
		var sum, mass F
		for j := range t.K {
			if w := t.W[j*stride+i]; !p.held(first+i, j) {
				sum += w * t.D[j*stride+i]
				mass += w
			}
		}
		if mass > 0 {
			level[i] = sum / mass
		}
	}
}

// held reports whether entry (i, j) of the factor is held at a number.
func (p *Problem[F]) held(i, j int) bool {
	if p.asked.Held == nil {
		return false
	}
	v := p.asked.Held[i*p.g.K+j]
	return v == v
}

// shift turns the tile's cross products into those of the majorized problem.
func (p *Problem[F]) shift(t *Tile[F], first int) {
	stride := kernel.TileRows[F]()
	if l1 := F(p.asked.L1); l1 != 0 {
		for j := range t.K {
			for i := j * stride; i < j*stride+t.Rows; i++ {
				t.C[i] -= l1
			}
		}
	}
	if p.asked.Laplacian == nil {
		return
	}
	for i := range t.Rows {
		d := p.uniform
		if p.perRow {
			d = F(p.point.RowDiagonal(first + i))
		}
		for j, v := range p.point.Pull(first + i) {
			t.C[j*stride+i] -= v - d*t.W[j*stride+i]
		}
	}
}

// Update improves the tile, whose C are the cross products of the loss alone,
// by s, which has the name that NewProblem was given. The objective does not
// rise.
func (p *Problem[F]) Update(s Solver[F], t *Tile[F], first, sweeps int) {
	p.shift(t, first)
	_, multiplicative := s.(mu[F])
	switch {
	case p.asked.Simplex:
		p.onSimplex(t, first, 0)
	case multiplicative:
		// Its majorizer falls apart into single entries, so that bounds do too.
		for range sweeps {
			s.Update(p.g, t, 1)
			penalty.Restore(p.asked, first, t.Rows, t.K, t.W)
		}
	case p.perRow || p.asked.Constrained():
		firstChange := p.sweep(t, first)
		for n := 1; n < sweeps && p.sweep(t, first) > sweepStop*firstChange; n++ {
		}
	default:
		s.Update(p.g, t, sweeps)
	}
}

// Solve brings every row of the tile to a KKT residual of at most tol, as the
// function Solve does, where rows do not depend on each other. C are the cross
// products of the loss alone. It returns the largest residual of a row.
func (p *Problem[F]) Solve(t *Tile[F], first int, tol float64) float64 {
	p.shift(t, first)
	plain := !p.asked.Constrained()
	if plain && p.asked.Orthogonal == 0 {
		return Solve(p.g, t, tol)
	}
	const rounds, sweepsARound = 60, 8
	worst := math.Inf(1)
	for range rounds {
		if p.asked.Simplex {
			p.onSimplex(t, first, tol)
		} else {
			for range sweepsARound {
				p.sweep(t, first)
			}
		}
		t.Gradient(p.g)
		p.project(t, first)
		worst = 0
		for _, r := range t.relative() {
			worst = max(worst, r)
		}
		if worst <= tol {
			break
		}
	}
	return worst
}

// relative gives for every row ‖D‖/‖c‖; 0 where c is zero.
func (t *Tile[F]) relative() []float64 {
	stride := kernel.TileRows[F]()
	var dd, cc [64]float64
	for j := range t.K {
		for i := range t.Rows {
			d, c := float64(t.D[j*stride+i]), float64(t.C[j*stride+i])
			dd[i] += d * d
			cc[i] += c * c
		}
	}
	for i := range t.Rows {
		if cc[i] > 0 {
			dd[i] = math.Sqrt(dd[i] / cc[i])
		}
	}
	t.residuals = append(t.residuals[:0], dd[:t.Rows]...)
	return t.residuals
}

// sweepGroup is the number of components whose gradients are formed together.
const sweepGroup = 8

// sweep is one pass of cyclic coordinate descent with bounds, held entries and
// a row's own diagonal; it returns the sum of squared changes.
func (p *Problem[F]) sweep(t *Tile[F], first int) (change F) {
	stride := kernel.TileRows[F]()
	var own [64]F
	if p.perRow {
		for i := range t.Rows {
			own[i] = F(p.point.RowDiagonal(first + i))
		}
	}
	upper := F(math.Inf(1))
	if p.asked.Upper != 0 {
		upper = F(p.asked.Upper)
	}
	for j0 := 0; j0 < t.K; j0 += sweepGroup {
		j1 := min(j0+sweepGroup, t.K)
		group := t.D[j0*stride : j1*stride]
		for i, c := range t.C[j0*stride : j1*stride] {
			group[i] = -c
		}
		t.ops.MulAdd(j1-j0, stride, t.K, p.g.G[j0*p.g.Ld:], p.g.Ld, 1, t.W, stride, group, stride)
		for j := j0; j < j1; j++ {
			w, d := t.W[j*stride:j*stride+t.Rows], t.D[j*stride:j*stride+t.Rows]
			diagonal := p.g.G[j*p.g.Ld+j]
			var moved [64]F
			for i, v := range w {
				curvature := diagonal + own[i]
				if !(curvature > 0) || p.held(first+i, j) {
					continue
				}
				// The row's own diagonal pulls to zero here; what pulls to the
				// iterate of the majorizer is in C.
				to := min(upper, max(0, v-(d[i]+own[i]*v)/curvature))
				if step := to - v; step-step == 0 {
					moved[i], w[i] = step, to
					change += step * step
				}
			}
			for l := j + 1; l < j1; l++ {
				g := p.g.G[l*p.g.Ld+j]
				dl := t.D[l*stride : l*stride+t.Rows]
				for i := range dl {
					dl[i] += g * moved[i]
				}
			}
		}
	}
	return change
}
