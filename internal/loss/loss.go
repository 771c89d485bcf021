// Package loss holds what can be minimised: for a cell x of X and its y =
// (WH)_ij a loss d(x, y) ≥ 0 that is zero where they are equal.
//
// loss.go defines the losses one cell at a time, in float64; steps.go does the
// same to runs of cells, as half-steps need them. A new loss is a Kind here and
// its cases in both files.
package loss

import (
	"fmt"
	"math"
)

// Kind is a family of losses.
type Kind int

const (
	// Beta is the β-divergence (Févotte & Idier 2011): Frobenius, the
	// generalised Kullback-Leibler divergence and Itakura & Saito's are β = 2,
	// 1 and 0.
	Beta Kind = iota
	// NegBinomial is half the deviance of the negative binomial distribution
	// with mean y and variance y + α·y².
	NegBinomial
	// Huber is ½e² for |e| ≤ δ and δ·(|e| − δ/2) beyond, e = x − y.
	Huber
	// Absolute is Huber's over δ for a small δ: |e| up to δ/2.
	Absolute
)

// Loss is one loss with its parameters.
type Loss struct {
	Kind Kind
	// Beta is that of Kind Beta.
	Beta float64
	// Theta is 1/α of NegBinomial: one number, or one for each feature.
	Theta []float64
	// Delta is that of Huber and Absolute.
	Delta float64
}

// theta is 1/α for feature j.
func (l *Loss) theta(j int) float64 {
	if len(l.Theta) == 1 {
		return l.Theta[0]
	}
	return l.Theta[j]
}

// ByFeature reports whether the loss of a cell depends on its column.
func (l *Loss) ByFeature() bool { return len(l.Theta) > 1 }

// Quadratic reports whether the loss of a cell is a quadratic function of y, or
// is majorized by one that needs no search along a line.
func (l *Loss) Quadratic() bool {
	return l.Kind == Huber || l.Kind == Absolute || l.Kind == Beta && l.Beta == 2
}

// Frobenius reports whether the loss is ½(x − y)².
func (l *Loss) Frobenius() bool { return l.Kind == Beta && l.Beta == 2 }

// RestByGram and RestBySums report whether the cells that a sparse X does not
// store, being zeros, need not be visited: their loss is half the sum of y², or
// the sum of y.
func (l *Loss) RestByGram() bool { return l.Frobenius() }
func (l *Loss) RestBySums() bool { return l.Kind == Beta && l.Beta == 1 }

// NeedsPositive reports whether x = 0 has no finite loss, or one without a
// minimum.
func (l *Loss) NeedsPositive() bool { return l.Kind == Beta && l.Beta <= 0 }

// Degree is the e for which d(s·x, s·y) = s^e·d(x, y), with Delta taken times s
// too; NaN where there is none.
func (l *Loss) Degree() float64 {
	switch l.Kind {
	case Beta:
		return l.Beta
	case Huber:
		return 2
	case Absolute:
		return 1
	}
	return math.NaN()
}

// Exponents gives a and b of the majorizer that separates the components
// (Févotte & Idier 2011, table 2): with u what an entry of a factor is
// multiplied by, its slope is den·u^a − num·u^b, where the gradient at u = 1 is
// den − num.
func (l *Loss) Exponents() (a, b float64) {
	switch l.Kind {
	case Beta:
		return max(0, l.Beta-1), min(0, l.Beta-2)
	case NegBinomial:
		// −x·ln y is convex, (x+θ)·ln(y+θ) is below its tangent.
		return 0, -1
	}
	return 1, 0
}

// Value is d(x, y) for a cell of column j, y > 0.
func (l *Loss) Value(x, y float64, j int) float64 {
	switch l.Kind {
	case NegBinomial:
		return negBinomial(x, y, l.theta(j))
	case Huber:
		return huber(x-y, l.Delta)
	case Absolute:
		return huber(x-y, l.Delta) / l.Delta
	}
	switch b := l.Beta; b {
	case 2:
		return (x - y) * (x - y) / 2
	case 1:
		if x == 0 {
			return y
		}
		return x*math.Log(x/y) - x + y
	case 0:
		return x/y - math.Log(x/y) - 1
	default:
		if x == 0 {
			return math.Pow(y, b) / b
		}
		return (math.Pow(x, b) + (b-1)*math.Pow(y, b) - b*x*math.Pow(y, b-1)) / (b * (b - 1))
	}
}

// Slope is the derivative of d(x, y) by y.
func (l *Loss) Slope(x, y float64, j int) float64 {
	switch l.Kind {
	case NegBinomial:
		t := l.theta(j)
		return (x+t)/(y+t) - x/y
	case Huber:
		return -max(-l.Delta, min(l.Delta, x-y))
	case Absolute:
		return -max(-l.Delta, min(l.Delta, x-y)) / l.Delta
	}
	return math.Pow(y, l.Beta-2) * (y - x)
}

// negBinomial is half the deviance, x·ln(x/y) − (x+θ)·ln((x+θ)/(y+θ)), in a
// form that keeps its digits where x is near y.
func negBinomial(x, y, theta float64) float64 {
	d := y - x
	rest := (x + theta) * math.Log1p(d/(x+theta))
	if x == 0 {
		return max(0, rest)
	}
	return max(0, rest-x*math.Log1p(d/x))
}

func huber(e, delta float64) float64 {
	if e = math.Abs(e); e > delta {
		return delta * (e - delta/2)
	}
	return e * e / 2
}

// Check refuses parameters that no loss can have.
func (l *Loss) Check() error {
	switch l.Kind {
	case Beta:
		if math.IsNaN(l.Beta) || math.Abs(l.Beta) > MostBeta {
			return fmt.Errorf("β is %v; it must be between %d and %d", l.Beta, -MostBeta, MostBeta)
		}
	case NegBinomial:
		for _, t := range l.Theta {
			if !(t > 0) || math.IsInf(t, 0) {
				return fmt.Errorf("1/α is %v; it must be above 0 and finite", t)
			}
		}
	case Huber, Absolute:
		if !(l.Delta > 0) || math.IsInf(l.Delta, 0) {
			return fmt.Errorf("δ is %v; it must be above 0 and finite", l.Delta)
		}
	}
	return nil
}

// MostBeta bounds |β|: beyond, powers leave the range of the arithmetic for
// common data.
const MostBeta = 4
