package kernel

import "math"

// The twins of the elementary functions compute in float64, by package math.

func exp[F Float](x, y []F) {
	checkRun(len(x), y)
	for i, v := range x {
		y[i] = F(math.Exp(float64(v)))
	}
}

func log[F Float](x, y []F) {
	checkRun(len(x), y)
	for i, v := range x {
		y[i] = F(math.Log(float64(v)))
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
	if sizeof[F]() == 4 {
		return F(math.Exp(float64(p) * math.Log(float64(x))))
	}
	return F(power64(float64(p), float64(x)))
}

// power64 is x^p in float64. The error of the product p ln x is a relative one
// of the result, so the logarithm is kept in two parts.
func power64(p, x float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) {
		return math.Exp(p * math.Log(x))
	}
	hi, lo := logParts(x)
	y := p * hi
	if math.Abs(y) > 800 {
		return math.Exp(y)
	}
	z := math.Exp(y)
	return z + z*math.FMA(p, lo, math.FMA(p, hi, -y))
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
	hi = n*ln2Hi + 2*s
	lo = (n*ln2Hi - hi) + 2*s + (n*ln2Lo + 2*(rest+rest*z+s*z*atanhTail(z)))
	return hi, lo
}

// atanhTail is (atanh(s)/s - 1)/z for z = s² <= 1/25: the sum of z^i/(2i+3).
func atanhTail(z float64) float64 {
	q := 0.0
	for i := 12; i >= 0; i-- {
		q = q*z + 1/float64(2*i+3)
	}
	return q
}
