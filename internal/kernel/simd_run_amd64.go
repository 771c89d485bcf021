//go:build amd64 && !noasm

package kernel

import "math"

// runs are the assembly functions of n neighbouring numbers.
type runs[F Float] struct {
	exp, log                                  unaryFunc[F]
	root, inverse, inverseRoot, inverseSquare unaryFunc[F]
	// pow is given what x^p is at 0 and at infinity.
	pow      func(n int, p, zero, infinite F, x, y *F)
	mul      func(n int, x, y, z *F)
	quotient func(n int, tiny F, x, r, t *F)
	// terms and divergence are listed by beta; the others go through termsAny,
	// which is given r^p for infinite r, and divergenceAny, which is given
	// 1/(beta (beta-1)) and d_beta(0|1).
	terms    map[F]termsFunc[F]
	termsAny func(n int, tiny, p, infinite F, x, r, num, den *F)
	// curve0, curveHalf and curve1 are BetaCurve for 0, 1/2 and 1.
	curve0, curveHalf func(n int, tiny F, x, r, num, den, curve *F)
	curve1            func(n int, tiny F, x, r, num, curve *F)
	divergence        map[F]divergenceFunc[F]
	divergenceAny     func(n int, tiny, beta, factor, zero float64, x, r *F) float64

	scan func(groups int, x *F) (top F, sum, sumSq float64)
}

type (
	unaryFunc[F Float] func(n int, x, y *F)
	termsFunc[F Float] func(n int, tiny F, x, r, num, den *F)

	divergenceFunc[F Float] func(n int, tiny F, x, r *F) float64
)

func (f unaryFunc[F]) do(x, y []F) {
	checkRun(len(x), y)
	if len(x) > 0 {
		f(len(x), &x[0], &y[0])
	}
}

func (r *runs[F]) doExp(x, y []F) { r.exp.do(x, y) }
func (r *runs[F]) doLog(x, y []F) { r.log.do(x, y) }

func (r *runs[F]) doPow(p F, x, y []F) {
	checkBeta(p)
	checkRun(len(x), y)
	switch p {
	case 0:
		for i := range x {
			y[i] = 1
		}
	case 1:
		copy(y, x)
	case 2:
		r.doMul(x, x, y)
	case -1:
		r.inverse.do(x, y)
	case -2:
		r.inverseSquare.do(x, y)
	case 0.5:
		r.root.do(x, y)
	case -0.5:
		r.inverseRoot.do(x, y)
	default:
		if len(x) > 0 {
			zero, infinite := poles(p)
			r.pow(len(x), p, zero, infinite, &x[0], &y[0])
		}
	}
}

// poles gives x^p for x = 0 and for infinite x, p not being 0.
func poles[F Float](p F) (zero, infinite F) {
	if p < 0 {
		return F(math.Inf(1)), 0
	}
	return 0, F(math.Inf(1))
}

func (r *runs[F]) doMul(x, y, z []F) {
	checkRun(len(x), y, z)
	if len(x) > 0 {
		r.mul(len(x), &x[0], &y[0], &z[0])
	}
}

func (r *runs[F]) doQuotient(tiny F, x, wh, t []F) {
	checkFloor(tiny)
	checkRun(len(x), wh, t)
	if len(x) > 0 {
		r.quotient(len(x), tiny, &x[0], &wh[0], &t[0])
	}
}

func (r *runs[F]) doBetaTerms(beta, tiny F, x, wh, num, den []F) {
	checkBeta(beta)
	checkFloor(tiny)
	checkRun(len(x), wh, num, den)
	if len(x) == 0 {
		return
	}
	if f := r.terms[beta]; f != nil {
		f(len(x), tiny, &x[0], &wh[0], &num[0], &den[0])
		return
	}
	_, infinite := poles(beta - 1)
	r.termsAny(len(x), tiny, beta-1, infinite, &x[0], &wh[0], &num[0], &den[0])
}

func (r *runs[F]) doBetaCurve(beta, tiny F, x, wh, num, den, curve []F) {
	checkBeta(beta)
	checkFloor(tiny)
	checkRun(len(x), wh, num, curve)
	if beta != 1 {
		checkRun(len(x), den)
	}
	if len(x) == 0 {
		return
	}
	switch beta {
	case 0:
		r.curve0(len(x), tiny, &x[0], &wh[0], &num[0], &den[0], &curve[0])
	case 0.5:
		r.curveHalf(len(x), tiny, &x[0], &wh[0], &num[0], &den[0], &curve[0])
	case 1:
		r.curve1(len(x), tiny, &x[0], &wh[0], &num[0], &curve[0])
	default:
		r.doBetaTerms(beta, tiny, x, wh, num, den)
		curveOf(beta, tiny, wh, num[:len(x)], den, curve)
	}
}

func (r *runs[F]) doDivergence(beta, tiny F, x, wh []F) float64 {
	checkBeta(beta)
	checkFloor(tiny)
	checkRun(len(x), wh)
	if len(x) == 0 {
		return 0
	}
	if f := r.divergence[beta]; f != nil {
		return f(len(x), tiny, &x[0], &wh[0])
	}
	b, zero := float64(beta), math.Inf(1)
	if beta > 0 {
		zero = 1 / b
	}
	return r.divergenceAny(len(x), float64(tiny), b, 1/(b*(b-1)), zero, &x[0], &wh[0])
}

func (r *runs[F]) doScan(x []F) (largest F, sum, sumSq float64, ok bool) {
	groups := len(x) / scanSums
	if groups > 0 {
		if largest, sum, sumSq = r.scan(groups, &x[0]); !sound(largest) {
			return 0, 0, 0, false
		}
	}
	return scanRest(x[groups*scanSums:], largest, sum, sumSq)
}
