package kernel

import "math"

// The twins of the elementary functions compute in float64 and round once.
// Package math's exp and ln have assembly for amd64 that leaves out the largest
// results and the subnormal numbers, so these are here.

func exp[F Float](x, y []F) {
	checkRun(len(x), y)
	for i, v := range x {
		y[i] = F(exp64(float64(v), 0))
	}
}

func log[F Float](x, y []F) {
	checkRun(len(x), y)
	for i, v := range x {
		y[i] = F(log64(float64(v)))
	}
}

func mul[F Float](x, y, z []F) {
	checkRun(len(x), y, z)
	for i, v := range x {
		z[i] = v * y[i]
	}
}

func pow[F Float](p F, x, y []F) {
	checkBeta(p)
	checkRun(len(x), y)
	for i, v := range x {
		y[i] = power(p, v)
	}
}

// power is x^p.
func power[F Float](p, x F) F {
	switch p {
	case 0:
		return 1
	case 1:
		return x
	case 2:
		return x * x
	case -1:
		return 1 / (x + 0)
	case -2:
		return 1 / x / x
	case 0.5:
		return F(math.Sqrt(float64(x)))
	case -0.5:
		return F(1 / math.Sqrt(float64(x)+0))
	}
	return F(power64(float64(p), float64(x)))
}

// power64 is x^p in float64. The error of the product p ln x is a relative one
// of the result, so the logarithm is kept in two parts.
func power64(p, x float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) {
		return exp64(p*log64(x), 0)
	}
	hi, lo := logParts(x)
	y := p * hi
	return exp64(y, math.FMA(p, lo, math.FMA(p, hi, -y)))
}

// exp64 is e^(x+rest), rest being small beside x: with a whole n near
// x/ln 2, 2^n times the series of what remains.
func exp64(x, rest float64) float64 {
	switch {
	case x > 710:
		return math.Inf(1)
	case x < -746:
		return 0
	case x != x:
		return x
	}
	n := math.RoundToEven(x * math.Log2E)
	r := (x - n*ln2Hi) + (rest - n*ln2Lo)
	return math.Ldexp(1+(r+expTail(r)), int(n))
}

// log64 is ln x.
func log64(x float64) float64 {
	switch {
	case x == 0:
		return math.Inf(-1)
	case !(x > 0):
		return math.NaN()
	case math.IsInf(x, 1):
		return x
	}
	hi, lo := logParts(x)
	return hi + lo
}

// ln2 in two parts: the product of the first with an exponent is exact.
const (
	ln2Hi = 0x1.62e42fefap-1
	ln2Lo = math.Ln2 - ln2Hi
)

// logParts is ln x, for finite x > 0, as a sum of two numbers, the second
// below one ulp of the first or the first's error: x = m*2^e with m from 3/4
// to 3/2 and s = (m-1)/(m+1) make it e ln 2 + 2 atanh s.
func logParts(x float64) (hi, lo float64) {
	m, e := math.Frexp(x)
	if m < 0.75 {
		m, e = 2*m, e-1
	}
	f, d := m-1, m+1
	s := f / d
	rest := (math.FMA(-s, d, f) - s*(m-(d-1))) / d
	z := s * s
	n := float64(e)
	big := n*ln2Hi + 2*s
	lo = (n*ln2Hi - big) + 2*s + (n*ln2Lo + 2*(rest+rest*z+s*z*atanhTail(z)))
	hi = big + lo
	return hi, (big - hi) + lo
}

// atanhTail is (atanh(s)/s - 1)/z for z = s² <= 1/25: the sum of z^i/(2i+3).
func atanhTail(z float64) float64 {
	q := 0.0
	for i := 12; i >= 0; i-- {
		q = q*z + 1/float64(2*i+3)
	}
	return q
}
