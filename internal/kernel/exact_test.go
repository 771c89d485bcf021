package kernel

import (
	"math"
	"math/big"
)

// What the elementary functions are compared with, to some 60 digits.

const exactBits = 240

func exact(x float64) *big.Float { return big.NewFloat(x).SetPrec(exactBits) }

// exactExp is e^x for |x| < 2000: the series of x/2^12, squared twelve times.
func exactExp(x *big.Float) *big.Float {
	const halvings = 12
	t := exact(0).SetMantExp(exact(0).Set(x), -halvings)
	sum, term := exact(1), exact(1)
	for i := 1; i < 60; i++ {
		term.Quo(term.Mul(term, t), exact(float64(i)))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// exactLog is ln x for finite x > 0: what package math gives, corrected twice
// by the series of the logarithm of the quotient, which is near 1.
func exactLog(x float64) *big.Float {
	m, e := math.Frexp(x)
	y := exact(math.Log(m) + float64(e)*math.Ln2)
	for range 2 {
		w := exact(0).Mul(exact(x), exactExp(exact(0).Neg(y)))
		w.Sub(w, exact(1))
		square := exact(0).Mul(w, w)
		y.Add(y, w)
		y.Sub(y, square.Quo(square, exact(2)))
	}
	return y
}

// exactPow is x^p for finite x > 0.
func exactPow(p, x float64) *big.Float { return exactExp(exact(0).Mul(exact(p), exactLog(x))) }

// ulps is the distance of got from want in units of want's last place.
func ulps[F Float](got F, want *big.Float) float64 {
	w, _ := want.Float64()
	least, most := 0x1p-149, math.MaxFloat32
	digits := 24
	if sizeof[F]() == 8 {
		least, most, digits = 0x1p-1074, math.MaxFloat64, 53
	}
	switch g := float64(got); {
	case math.IsNaN(g):
		return math.Inf(1)
	case math.IsInf(g, 0):
		// The number that would come next after the largest one.
		if w < 0 {
			return ulps(-got, exact(0).Neg(want))
		}
		if g < 0 || w < most*(1-0x1p-20) {
			return math.Inf(1)
		}
		return 0
	case math.Abs(w) > most:
		return math.Inf(1)
	}
	_, e := math.Frexp(w)
	unit := math.Max(least, math.Ldexp(1, e-digits))
	d, _ := exact(0).Sub(exact(float64(got)), want).Float64()
	return math.Abs(d) / unit
}
