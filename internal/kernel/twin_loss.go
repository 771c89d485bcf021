package kernel

import "math"

func quotient[F Float](tiny F, x, r, t []F) {
	checkFloor(tiny)
	checkRun(len(x), r, t)
	for i, v := range x {
		t[i] = v / max(r[i], tiny)
	}
}

func betaTerms[F Float](beta, tiny F, x, r, num, den []F) {
	checkBeta(beta)
	checkFloor(tiny)
	checkRun(len(x), r, num, den)
	for i, v := range x {
		u := max(r[i], tiny)
		d := power(beta-1, u)
		switch beta {
		case 2:
			num[i] = v
		case 1.5:
			num[i] = v / d
		default:
			num[i] = v / u * d
		}
		den[i] = d
	}
}

func betaCurve[F Float](beta, tiny F, x, r, num, den, curve []F) {
	checkBeta(beta)
	checkFloor(tiny)
	checkRun(len(x), r, num, curve)
	if beta == 1 {
		for i, v := range x {
			u := max(r[i], tiny)
			num[i], curve[i] = v/u, v/u/u
		}
		return
	}
	checkRun(len(x), den)
	betaTerms(beta, tiny, x, r, num, den)
	curveOf(beta, tiny, r, num[:len(x)], den, curve)
}

// curveOf makes the second derivatives from the terms.
func curveOf[F Float](beta, tiny F, r, num, den, curve []F) {
	c, e := max(0, 2-beta), max(0, beta-1)
	for i, v := range num {
		curve[i] = (c*v + e*den[i]) / max(r[i], tiny)
	}
}

func divergence[F Float](beta, tiny F, x, r []F) float64 {
	checkBeta(beta)
	checkFloor(tiny)
	checkRun(len(x), r)
	sum := 0.0
	for i, v := range x {
		sum += divergenceOf(float64(beta), float64(v), float64(max(r[i], tiny)))
	}
	return sum
}

// near is the largest |x-r|/(x+r) for which the divergences are series:
// there their terms cancel.
const near = 0.2

// divergenceOf is d_beta(x|r) for r > 0 (Févotte & Idier 2011, eq. 4), in
// forms that keep their digits where x is near r: with s = (x-r)/(x+r) the
// logarithm of x/r is 2 atanh s.
func divergenceOf(beta, x, r float64) float64 {
	d := x - r
	s := d / (x + r)
	z := s * s
	switch beta {
	case 1:
		switch {
		case x/r < 0x1p-1022:
			// x ln(x/r) vanishes beside r.
			return -d
		case math.Abs(s) <= near:
			return d * s * (1 + (1+s)*s*atanhTail(z))
		}
		return x*logRatio(x, r) - d
	case 0:
		if math.Abs(s) <= near {
			return s * (d/r - 2*z*atanhTail(z))
		}
		return d/r - logRatio(x, r)
	case 0.5:
		a := d / (math.Sqrt(x) + math.Sqrt(r))
		return 2 * a * a / math.Sqrt(r)
	case 1.5:
		a, b := math.Sqrt(x), math.Sqrt(r)
		e := d / (a + b)
		return 4. / 3 * e * e * (a + b/2)
	case 2:
		return d * d / 2
	}
	rb := power64(beta, r)
	if x == 0 {
		if beta < 0 {
			return math.Inf(1)
		}
		return rb / beta
	}
	// r^beta (e^(beta l) - 1 - beta (e^l - 1)) for l = ln(x/r), from each
	// power without its first two terms, which cancel.
	l := logRatio(x, r)
	a, b := rb*expTail(beta*l, 17), rb*expTail(l, 17)
	if math.Abs(beta*l) > 1 {
		a = power64(beta, x) - rb*(1+beta*l)
	}
	if math.Abs(l) > 1 {
		b = power64(beta-1, r)*x - rb*(1+l)
	}
	return (a - beta*b) / (beta * (beta - 1))
}

// logRatio is ln(x/r) for r > 0.
func logRatio(x, r float64) float64 {
	s := (x - r) / (x + r)
	if math.Abs(s) <= near {
		z := s * s
		return 2*s + 2*s*z*atanhTail(z)
	}
	return log64(x / r)
}
