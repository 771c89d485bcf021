package loss

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
)

// Steps does a loss to runs of cells: x of X, r of WH, and w, the weights of
// the cells, nil where all are 1. Slices are of equal length, all at least 0. A
// cell of weight 0 counts nowhere, whatever its x and r.
type Steps[F kernel.Float] struct {
	*Loss
	ops *kernel.Ops[F]
	// Tiny is what an r below it stands for.
	Tiny F
}

// NewSteps is for data whose cells are about mean on average.
func NewSteps[F kernel.Float](l *Loss, mean float64) *Steps[F] {
	// The squares of x·r^b, and of sums of them, must stay finite.
	digits, most := 125.0, 125.0
	if kernel.Width[F]() == 16 {
		digits, most = 15, 15
	}
	_, b := l.Exponents()
	return &Steps[F]{Loss: l, ops: kernel.For[F](), Tiny: F(mean * math.Pow(10, -min(most, digits/max(1, -b))))}
}

// Scratch is what Steps needs beside its operands.
type Scratch[F kernel.Float] struct{ a, b []F }

// room gives two slices of n numbers.
func (s *Scratch[F]) room(n int) (a, b []F) {
	if cap(s.a) < n {
		s.a, s.b = make([]F, n), make([]F, n)
	}
	return s.a[:n], s.b[:n]
}

// OneDenominator reports whether den of Terms is 1 times the weight of the
// cell.
func (s *Steps[F]) OneDenominator() bool { return s.Kind == Beta && s.Beta == 1 }

// Terms writes num and den, both at least 0, whose difference den − num is the
// slope of the loss by r, times w. den may be nil where OneDenominator. theta
// has 1/α of every cell, for NegBinomial alone.
func (s *Steps[F]) Terms(x, r, w, theta, num, den []F) {
	switch s.Kind {
	case Beta:
		switch {
		case s.Beta == 1:
			s.ops.Quotient(s.Tiny, x, r, num)
			for i := range den {
				den[i] = 1
			}
		case s.Beta == 2:
			copy(num, x)
			copy(den, r)
		default:
			s.ops.BetaTerms(F(s.Beta), s.Tiny, x, r, num, den)
		}
	case NegBinomial:
		for i, v := range x {
			den[i] = (v + theta[i]) / (max(r[i], s.Tiny) + theta[i])
		}
		s.ops.Quotient(s.Tiny, x, r, num)
	default:
		// Majorized by a square of weight q (reweighted least squares).
		for i, v := range x {
			q := s.robust(v - r[i])
			num[i], den[i] = q*v, q*r[i]
		}
	}
	if w != nil {
		s.ops.Mul(num, w, num)
		if den != nil {
			s.ops.Mul(den, w, den)
		}
	}
}

// TermsAndCurve is Terms, after which it turns r into what Curve gives.
func (s *Steps[F]) TermsAndCurve(x, r, w, theta, num, den []F) {
	if s.Kind == Beta && s.Beta != 2 && (den != nil || s.Beta == 1) {
		s.ops.BetaCurve(F(s.Beta), s.Tiny, x, r, num, den, r)
		if s.Beta == 1 {
			for i := range den {
				den[i] = 1
			}
		}
		if w != nil {
			s.ops.Mul(num, w, num)
			s.ops.Mul(r, w, r)
			if den != nil {
				s.ops.Mul(den, w, den)
			}
		}
		return
	}
	s.Terms(x, r, w, theta, num, den)
	s.curve(num, den, r, r)
}

// robust is the weight of the square that majorizes the loss at e.
func (s *Steps[F]) robust(e F) F {
	delta := F(s.Delta)
	q := F(1)
	if s.Kind == Absolute {
		q = 1 / delta
	}
	if e < 0 {
		e = -e
	}
	if e > delta {
		q *= delta / e
	}
	return q
}

// Curvature writes the weights of the squares that model the loss near r: the
// second derivative without what is negative in it, or the weight of the
// majorizing square.
func (s *Steps[F]) Curvature(x, r, w, theta, h []F) {
	switch s.Kind {
	case Beta:
		b := F(s.Beta)
		for i, v := range x {
			h[i] = max(r[i], s.Tiny)
			_ = v
		}
		switch {
		case b == 2:
			for i := range h {
				h[i] = 1
			}
		case b == 1:
			for i, v := range x {
				h[i] = v / h[i] / h[i]
			}
		case b == 0:
			for i, v := range x {
				y := h[i]
				h[i] = 2 * (v / y) / y / y
			}
		default:
			// (β−1)·r^(β−2) + (2−β)·x·r^(β−3)
			for i, v := range x {
				y := float64(h[i])
				p := math.Pow(y, float64(b)-3)
				h[i] = F(p * (max(0, float64(b)-1)*y + max(0, 2-float64(b))*float64(v)))
			}
		}
	case NegBinomial:
		for i, v := range x {
			y := max(r[i], s.Tiny)
			h[i] = v / y / y
			if v == 0 {
				// Concave: its slope at r over r bends the model so that its
				// least is not far off.
				h[i] = theta[i] / (y + theta[i]) / (y + theta[i])
			}
		}
	default:
		for i, v := range x {
			h[i] = s.robust(v - r[i])
		}
	}
	if w != nil {
		s.ops.Mul(h, w, h)
	}
}

// Curve turns the terms of cells into the second derivatives of their loss,
// without what is negative in them, in num: (c·num + e·den)/r. den is not read
// where OneDenominator.
func (s *Steps[F]) Curve(num, den, r []F) { s.curve(num, den, r, num) }

// curve writes what Curve gives to `to`, which may be num or r.
func (s *Steps[F]) curve(num, den, r, to []F) {
	c, e := F(1), F(0)
	if s.Kind == Beta {
		c, e = F(max(0, 2-s.Beta)), F(max(0, s.Beta-1))
	} else if s.Kind != NegBinomial {
		c, e = 0, 1
	}
	if e != 0 {
		for i, v := range num {
			to[i] = (c*v + e*den[i]) / max(r[i], s.Tiny)
		}
		return
	}
	s.ops.Quotient(s.Tiny, num, r, to)
	if c != 1 {
		for i := range to {
			to[i] *= c
		}
	}
}

// Sum is the sum over the cells of their loss, in float64. scratch is
// overwritten.
func (s *Steps[F]) Sum(x, r, w, theta []F, scratch *Scratch[F]) float64 {
	switch {
	case s.Kind == Beta && w == nil:
		return s.ops.Divergence(F(s.Beta), s.Tiny, x, r)
	case s.Kind == Beta && s.Beta == 1:
		// w·d(x, r) = d(w·x, w·r)
		a, b := scratch.room(len(x))
		s.ops.Mul(x, w, a)
		for i, v := range r {
			b[i] = max(v, s.Tiny) * w[i]
		}
		return s.ops.Divergence(1, leastNormal[F](), a, b)
	case s.Kind == Beta && s.Beta == 2:
		sum := 0.0
		for i, v := range x {
			e := float64(v) - float64(r[i])
			sum += float64(w[i]) * e * e
		}
		return sum / 2
	}
	sum := 0.0
	for i, v := range x {
		weight := 1.0
		if w != nil {
			weight = float64(w[i])
			if weight == 0 {
				continue
			}
		}
		sum += weight * s.cell(float64(v), float64(r[i]), theta, i)
	}
	return sum
}

// cell is the loss of one cell; theta is by cell.
func (s *Steps[F]) cell(x, r float64, theta []F, i int) float64 {
	switch s.Kind {
	case NegBinomial:
		return negBinomial(x, max(r, float64(s.Tiny)), float64(theta[i]))
	case Beta:
		one, other := [1]F{F(x)}, [1]F{F(r)}
		return s.ops.Divergence(F(s.Beta), s.Tiny, one[:], other[:])
	}
	return s.Value(x, r, 0)
}

// leastNormal is the least number that has all its digits.
func leastNormal[F kernel.Float]() F {
	least := 0x1p-1022
	if kernel.Width[F]() == 16 {
		least = 0x1p-126
	}
	return F(least)
}
