package solver

import (
	"math"
	"slices"
)

// Target is where entry (i, j) of a factor would go if nothing but it moved
// and nothing were asked of it: the minimum of the majorized objective along
// it. row and c are row i of the factor and of its cross products.
func (p *Problem[F]) Target(i, j int, row, c []F) float64 {
	g := p.g.G[j*p.g.Ld : j*p.g.Ld+p.g.K]
	if !(g[j] > 0) {
		return 0
	}
	gradient := float64(p.asked.L1) - float64(c[j])
	for l, v := range row {
		gradient += float64(g[l]) * float64(v)
	}
	if p.asked.Laplacian != nil {
		// The diagonal of the majorizer is in g; its pull to the iterate cancels
		// it on the first sweep, where row is the iterate.
		gradient += float64(p.point.Pull(i)[j]) - float64(p.uniform)*float64(row[j])
	}
	return float64(row[j]) - gradient/float64(g[j])
}

// Curvature is that of the objective along component j.
func (p *Problem[F]) Curvature(j int) float64 { return float64(p.g.G[j*p.g.Ld+j]) }

// ToSparseness gives a component the sparseness that is asked.
func (p *Problem[F]) ToSparseness(v []float64) { toSparseness(v, p.asked.Sparseness) }

// toSparseness replaces v by the nearest vector that is not negative and has
// the given sparseness (√n − Σv/‖v‖)/(√n − 1) (Hoyer 2004), or by zero. It is
// max(0, v − θ) up to a factor, with the θ for which the ratio of the norms is
// right: that ratio falls as θ grows. With the right direction the nearest
// length is the projection onto it, so that the step of block coordinate
// descent is exact (Potluru et al. 2013).
func toSparseness(v []float64, sparseness float64) {
	n := float64(len(v))
	ratio := max(1, math.Sqrt(n)-sparseness*(math.Sqrt(n)-1))
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case v[a] > v[b]:
			return -1
		case v[a] < v[b]:
			return 1
		}
		return 0
	})
	length, dot := 0.0, 0.0
	u := direction(v, order, ratio)
	for p, i := range order {
		length += u[p] * u[p]
		dot += u[p] * v[i]
	}
	if length == 0 || dot <= 0 {
		clear(v)
		return
	}
	for p, i := range order {
		v[i] = u[p] * (dot / length)
	}
}

// direction gives max(0, v − θ), in the order of falling v, with the θ for
// which the ratio of its sum to its norm is the given one.
func direction(v []float64, order []int, ratio float64) []float64 {
	u := make([]float64, len(v))
	// Sums are of differences to the largest, so that they do not cancel.
	top := v[order[0]]
	s1, s2 := 0.0, 0.0
	for p, i := range order {
		d := v[i] - top
		s1 += d
		s2 += d * d
		m := float64(p + 1)
		if p+1 < len(order) {
			// With θ at the next entry the p+1 first are those above it.
			next := v[order[p+1]] - top
			sum, sq := s1-m*next, s2-2*next*s1+m*next*next
			if sq <= 0 || sum < ratio*math.Sqrt(sq) {
				continue
			}
		}
		// (s1 − mθ)² = ratio²·Σ(v−θ)² and Σ(v−θ)² = spread² + (s1 − mθ)²/m.
		spread := math.Sqrt(max(0, s2-s1*s1/m))
		if spread <= 1e-12*math.Abs(top) || m <= ratio*ratio {
			return equals(u, p+1, ratio)
		}
		theta := (s1 - ratio*spread*math.Sqrt(m)/math.Sqrt(m-ratio*ratio)) / m
		for q, i := range order[:p+1] {
			u[q] = max(0, v[i]-top-theta)
		}
		return u
	}
	return u
}

// equals fills u where its first m entries are equal in v: as many of them as
// the ratio needs, falling by equal steps.
func equals(u []float64, m int, ratio float64) []float64 {
	if float64(m) <= ratio*ratio || m == 1 {
		for q := range m {
			u[q] = 1
		}
		return u
	}
	ramp, order := make([]float64, m), make([]int, m)
	for q := range m {
		ramp[q], order[q] = -float64(q), q
	}
	copy(u, direction(ramp, order, ratio))
	return u
}
