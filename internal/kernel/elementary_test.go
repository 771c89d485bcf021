package kernel

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// fromBits is the number with these bits, those beyond its size left out.
func fromBits[F Float](bits uint64) F {
	var x F
	switch p := any(&x).(type) {
	case *float32:
		*p = math.Float32frombits(uint32(bits >> 32))
	case *float64:
		*p = math.Float64frombits(bits)
	}
	return x
}

// positives are n numbers from all of the range of the type, their exponents
// spread evenly, with the ends and the neighbours of the places where the
// method changes.
func positives[F Float](n int) []F {
	r := rand.New(rand.NewPCG(1, 2))
	var x []F
	for i := range n {
		step := uint64(1) << 63 / uint64(n)
		x = append(x, fromBits[F](uint64(i)*step+r.Uint64N(step)))
	}
	for _, v := range []float64{1, 0.75, 1.5, 0.5, 2, math.Sqrt2, math.Sqrt2 / 2, 0x1p-126, 0x1p-149, 0x1p-1022, 0x1p-1074, math.MaxFloat32, math.MaxFloat64} {
		for _, to := range []float64{0, math.Inf(1)} {
			near := F(v)
			for range 4 {
				x = append(x, near)
				near = nextAfter(near, F(to))
			}
		}
	}
	// Finite ones above 0.
	keep := x[:0]
	for _, v := range x {
		if v > 0 && v <= largestFinite[F]() {
			keep = append(keep, v)
		}
	}
	return keep
}

func nextAfter[F Float](x, to F) F {
	if sizeof[F]() == 4 {
		return F(math.Nextafter32(float32(x), float32(to)))
	}
	return F(math.Nextafter(float64(x), float64(to)))
}

// points is the number of arguments of an accuracy test: the exact values of
// float64 take time.
func points[F Float]() int {
	switch {
	case testing.Short():
		return 1000
	case sizeof[F]() == 4:
		return 100000
	default:
		return 5000
	}
}

// reference gives what a function is compared with: for float32 the one of
// float64, for float64 the exact one.
func reference[F Float](double func(x float64) float64, exactly func(x float64) *big.Float) func(x float64) *big.Float {
	if sizeof[F]() == 4 {
		return func(x float64) *big.Float { return exact(double(x)) }
	}
	return exactly
}

// checkUlps computes a function of all x at once and compares.
func checkUlps[F Float](t *testing.T, what string, x []F, f func(x, y []F), want func(x float64) *big.Float, bound float64) {
	t.Helper()
	y := make([]F, len(x))
	f(x, y)
	worst, at := 0.0, F(0)
	for i, v := range x {
		if u := ulps(y[i], want(float64(v))); u >= worst {
			worst, at = u, v
		}
	}
	t.Logf("%s: at most %.3f ulp, at %v", what, worst, at)
	if !(worst <= bound) {
		y := []F{at}
		f(y, y)
		w, _ := want(float64(at)).Float64()
		t.Errorf("%s of %v is %v, want %v: %.2f ulp, more than %v", what, at, y[0], w, worst, bound)
	}
}

func TestExp(t *testing.T) {
	eachTier(t, testExp[float32])
	eachTier(t, testExp[float64])
}

func testExp[F Float](t *testing.T, o *Ops[F]) {
	limit := 105.0
	if sizeof[F]() == 8 {
		limit = 747
	}
	r := rand.New(rand.NewPCG(3, 4))
	var x []F
	for range points[F]() {
		x = append(x, F((2*r.Float64()-1)*limit), F((2*r.Float64()-1)*2))
	}
	for _, v := range positives[F](points[F]() / 4) {
		if float64(v) < limit {
			x = append(x, v, -v)
		}
	}
	checkUlps(t, "exp", x, o.Exp, reference[F](math.Exp, func(x float64) *big.Float { return exactExp(exact(x)) }), 1.5)
	inf := math.Inf(1)
	checkSpecials(t, "exp", o.Exp, [][2]float64{{0, 1}, {math.Copysign(0, -1), 1}, {inf, inf}, {-inf, 0}, {math.NaN(), math.NaN()},
		{1000, inf}, {-1000, 0}, {float64(largestFinite[F]()), inf}, {-float64(largestFinite[F]()), 0}})
}

// checkSpecials compares values that are exact, each at every place of a run
// of ones.
func checkSpecials[F Float](t *testing.T, what string, f func(x, y []F), cases [][2]float64) {
	t.Helper()
	n := 2*Width[F]() + 3
	for _, c := range cases {
		for at := range n {
			x, y := make([]F, n), make([]F, n)
			for i := range x {
				x[i] = 1
			}
			f(x, y)
			one := y[0]
			x[at] = F(c[0])
			f(x, y)
			for i, v := range y {
				want := one
				if i == at {
					want = F(c[1])
				}
				if bitsOf(v) != bitsOf(want) && !(v != v && want != want) {
					t.Fatalf("%s of %v at %d of %d: element %d is %v, want %v", what, F(c[0]), at, n, i, v, want)
				}
			}
		}
	}
}

func TestLog(t *testing.T) {
	eachTier(t, testLog[float32])
	eachTier(t, testLog[float64])
}

func testLog[F Float](t *testing.T, o *Ops[F]) {
	x := positives[F](points[F]())
	r := rand.New(rand.NewPCG(3, 4))
	for range points[F]() {
		x = append(x, F(r.Float64()*2), F(1+r.NormFloat64()*0.01))
	}
	checkUlps(t, "log", x, o.Log, reference[F](math.Log, exactLog), 1.5)
	inf, nan := math.Inf(1), math.NaN()
	checkSpecials(t, "log", o.Log, [][2]float64{{1, 0}, {0, -inf}, {math.Copysign(0, -1), -inf}, {inf, inf}, {-inf, nan}, {nan, nan},
		{-1, nan}, {-1e-30, nan}, {-1e30, nan}})
}

func TestPow(t *testing.T) {
	eachTier(t, testPow[float32])
	eachTier(t, testPow[float64])
}

func testPow[F Float](t *testing.T, o *Ops[F]) {
	inf, nan := math.Inf(1), math.NaN()
	limit := 155.0
	if sizeof[F]() == 8 {
		limit = 1200
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, p := range []float64{0, 1, 2, -1, -2, 0.5, -0.5, 1.5, -1.5, 3, 0.1, -0.3, 4, -4, 0.001, 1.001, 20, -7.3, 100, 1e-30} {
		p = float64(F(p))
		var x []F
		for _, v := range positives[F](points[F]() / 8) {
			x = append(x, v, F(r.Float64()*3))
		}
		keep := x[:0]
		for _, v := range x {
			// Within the range of the result.
			if e := p * math.Log2(float64(v)); v > 0 && math.Abs(e) < limit {
				keep = append(keep, v)
			}
		}
		double := func(x float64) float64 { return math.Exp(p * math.Log(x)) }
		checkUlps(t, fmt.Sprintf("^%v", p), keep, func(x, y []F) { o.Pow(F(p), x, y) },
			reference[F](double, func(x float64) *big.Float { return exactPow(p, x) }), 1.5)
		zero, infinite := 0.0, inf
		switch {
		case p < 0:
			zero, infinite = inf, 0
		case p == 0:
			zero, infinite = 1, 1
		}
		cases := [][2]float64{{1, 1}, {0, zero}, {math.Copysign(0, -1), zero}, {inf, infinite}}
		if p != 0 {
			cases = append(cases, [2]float64{nan, nan})
		}
		if p == 1 || p == 0.5 {
			cases[2] = [2]float64{math.Copysign(0, -1), math.Copysign(0, -1)}
		}
		if p != math.Trunc(p) || math.Abs(p) > 2 {
			cases = append(cases, [2]float64{-1, nan}, [2]float64{-inf, nan})
		}
		checkSpecials(t, fmt.Sprintf("^%v", p), func(x, y []F) { o.Pow(F(p), x, y) }, cases)
	}
	mustPanic(t, "no exponent", func() { o.Pow(F(nan), nil, nil) })
	mustPanic(t, "infinite exponent", func() { o.Pow(F(inf), nil, nil) })
}

// TestRuns proves of all elementwise kernels that they write what they should
// and nothing else, for every length and place, and in place.
func TestRuns(t *testing.T) {
	eachTier(t, testRuns[float32])
	eachTier(t, testRuns[float64])
}

func testRuns[F Float](t *testing.T, o *Ops[F]) {
	const most = 70
	r := rand.New(rand.NewPCG(7, 8))
	xa, ya, za, wa := newArena[F](t, most+8), newArena[F](t, most+8), newArena[F](t, most+8), newArena[F](t, most+8)
	type run struct {
		name string
		// two says that x and r are read, terms that two runs are written.
		two, terms bool
		do         func(x, r, y, z []F)
	}
	list := []run{
		{"Exp", false, false, func(x, _, y, _ []F) { o.Exp(x, y) }},
		{"Log", false, false, func(x, _, y, _ []F) { o.Log(x, y) }},
		{"Mul", true, false, func(x, r, y, _ []F) { o.Mul(x, r, y) }},
		{"Quotient", true, false, func(x, r, y, _ []F) { o.Quotient(0.25, x, r, y) }},
	}
	for _, p := range []F{0, 1, 2, -1, -2, 0.5, -0.5, 1.3} {
		list = append(list, run{fmt.Sprintf("Pow %v", p), false, false, func(x, _, y, _ []F) { o.Pow(p, x, y) }})
	}
	for _, beta := range []F{0, 0.5, 1, 1.5, 2, 0.7, 2.5, -1} {
		list = append(list, run{fmt.Sprintf("BetaTerms %v", beta), true, true, func(x, r, y, z []F) { o.BetaTerms(beta, 0.25, x, r, y, z) }})
	}
	// One element alone gives what is expected of it.
	single := func(f run, x, r F) (y, z F) {
		a, b, c, d := []F{x}, []F{r}, make([]F, 1), make([]F, 1)
		f.do(a, b, c, d)
		return c[0], d[0]
	}
	for _, f := range list {
		for n := range most {
			for _, slack := range []int{0, 1 + r.IntN(7)} {
				x, wh, y, z := xa.take(n, slack), ya.take(n, (slack+1)%5), za.take(n, slack/2), wa.take(n, slack)
				for i := range x {
					x[i], wh[i] = F(r.Float64()*2), F(r.Float64()*2)
				}
				source, other := append([]F(nil), x...), append([]F(nil), wh...)
				f.do(x, wh, y, z)
				compare := func(how string, y, z []F) {
					t.Helper()
					for _, a := range []*arena[F]{xa, ya, za, wa} {
						a.check(f.name + how)
					}
					for i := range source {
						a, b := single(f, source[i], other[i])
						if bitsOf(y[i]) != bitsOf(a) || f.terms && bitsOf(z[i]) != bitsOf(b) {
							t.Fatalf("%s%s, n %d: element %d is %v and %v, alone %v and %v", f.name, how, n, i, y[i], z[i], a, b)
						}
					}
				}
				compare("", y, z)
				for i := range x {
					if bitsOf(x[i]) != bitsOf(source[i]) || bitsOf(wh[i]) != bitsOf(other[i]) {
						t.Fatalf("%s, n %d: changed an operand", f.name, n)
					}
					if !f.terms && bitsOf(z[i]) != bitsOf(guard[F]()) {
						t.Fatalf("%s, n %d: wrote elsewhere", f.name, n)
					}
				}
				f.do(x, wh, x, z)
				compare(" over x", x, z)
				copy(x, source)
				if f.two {
					f.do(x, wh, wh, z)
					compare(" over r", wh, z)
					copy(wh, other)
				}
				if f.terms {
					f.do(x, wh, x, wh)
					compare(" over x and r", x, wh)
					copy(x, source)
					copy(wh, other)
					f.do(x, wh, wh, x)
					compare(" over r and x", wh, x)
				}
			}
		}
		short, whole := make([]F, 4), make([]F, 5)
		mustPanic(t, f.name+": short output", func() { f.do(whole, whole, short, whole) })
		if f.two {
			mustPanic(t, f.name+": short r", func() { f.do(whole, short, whole, whole) })
		}
		if f.terms {
			mustPanic(t, f.name+": short den", func() { f.do(whole, whole, whole, short) })
		}
		f.do(nil, nil, nil, nil)
	}
	for _, tiny := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		mustPanic(t, "Quotient: floor", func() { o.Quotient(F(tiny), nil, nil, nil) })
		mustPanic(t, "BetaTerms: floor", func() { o.BetaTerms(1, F(tiny), nil, nil, nil, nil) })
	}
	mustPanic(t, "BetaTerms: beta", func() { o.BetaTerms(F(math.NaN()), 1, nil, nil, nil, nil) })
}
