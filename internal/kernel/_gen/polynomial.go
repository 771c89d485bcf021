package main

import (
	"math"
	"math/big"
)

// The polynomials of the elementary functions interpolate their power series
// at Chebyshev nodes, which comes within a factor of two or so of the best.

// precision is that of the arithmetic in which polynomials are found, in bits.
const precision = 300

// expSeries is that of (e^r - 1 - r)/r², the sum of r^i/(i+2)!.
func expSeries(i int) *big.Float {
	f := new(big.Int).MulRange(1, int64(i+2))
	return new(big.Float).SetPrec(precision).Quo(big.NewFloat(1).SetPrec(precision), new(big.Float).SetPrec(precision).SetInt(f))
}

// atanhSeries is that of (atanh(s)/s - 1)/s² in z = s², the sum of z^i/(2i+3).
func atanhSeries(i int) *big.Float {
	return new(big.Float).SetPrec(precision).Quo(big.NewFloat(1).SetPrec(precision), big.NewFloat(float64(2*i+3)))
}

// polynomial gives the coefficients, that of x^0 first, of the polynomial of
// least degree that differs from a power series by at most a tolerance from
// lo to hi.
func polynomial(series func(i int) *big.Float, lo, hi, tolerance float64) []float64 {
	terms := make([]*big.Float, 80)
	for i := range terms {
		terms[i] = series(i)
	}
	for degree := 1; degree < 30; degree++ {
		c := interpolate(terms, lo, hi, degree)
		worst := 0.0
		for i := range 500 {
			x := big.NewFloat(lo + (hi-lo)*float64(i)/499).SetPrec(precision)
			e, _ := new(big.Float).Sub(horner(c, x), horner(terms, x)).Float64()
			worst = math.Max(worst, math.Abs(e))
		}
		if worst <= tolerance {
			out := make([]float64, len(c))
			for i := range c {
				out[i], _ = c[i].Float64()
			}
			return out
		}
	}
	panic("no polynomial is good enough")
}

// interpolate gives the coefficients of the polynomial that equals a power
// series at the Chebyshev nodes of an interval, by divided differences.
func interpolate(terms []*big.Float, lo, hi float64, degree int) []*big.Float {
	number := func(v float64) *big.Float { return big.NewFloat(v).SetPrec(precision) }
	x, d := make([]*big.Float, degree+1), make([]*big.Float, degree+1)
	for i := range x {
		x[i] = number((lo+hi)/2 + (hi-lo)/2*math.Cos(math.Pi*(float64(i)+0.5)/float64(degree+1)))
		d[i] = horner(terms, x[i])
	}
	for k := 1; k <= degree; k++ {
		for i := degree; i >= k; i-- {
			d[i] = number(0).Quo(number(0).Sub(d[i], d[i-1]), number(0).Sub(x[i], x[i-k]))
		}
	}
	c := []*big.Float{d[degree]}
	for i := degree - 1; i >= 0; i-- {
		// c becomes c*(t - x[i]) + d[i].
		next := make([]*big.Float, len(c)+1)
		for j := range next {
			next[j] = number(0)
			if j > 0 {
				next[j].Add(next[j], c[j-1])
			}
			if j < len(c) {
				next[j].Sub(next[j], number(0).Mul(c[j], x[i]))
			}
		}
		next[0].Add(next[0], d[i])
		c = next
	}
	return c
}

// horner is the value of a polynomial.
func horner(c []*big.Float, x *big.Float) *big.Float {
	v := big.NewFloat(0).SetPrec(precision)
	for i := len(c) - 1; i >= 0; i-- {
		v.Add(v.Mul(v, x), c[i])
	}
	return v
}
