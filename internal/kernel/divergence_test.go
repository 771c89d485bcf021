package kernel

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactDivergence is d_beta(x|r) by its definition, with digits to spare for
// what cancels.
func exactDivergence(beta, x, r float64) *big.Float {
	mul := func(a, b *big.Float) *big.Float { return exact(0).Mul(a, b) }
	sum := func(terms ...*big.Float) *big.Float {
		s := exact(0)
		for _, t := range terms {
			s.Add(s, t)
		}
		return s
	}
	minus := func(a *big.Float) *big.Float { return exact(0).Neg(a) }
	bx, br := exact(x), exact(r)
	if x == 0 {
		if beta == 1 {
			return br
		}
		return exact(0).Quo(exactPow(beta, r), exact(beta))
	}
	log := func() *big.Float { return sum(exactLog(x), minus(exactLog(r))) }
	switch beta {
	case 1:
		return sum(mul(bx, log()), minus(bx), br)
	case 0:
		return sum(exact(0).Quo(bx, br), minus(log()), exact(-1))
	}
	b := exact(beta)
	less := sum(b, exact(-1))
	d := sum(exactPow(beta, x), mul(less, exactPow(beta, r)), minus(mul(mul(b, bx), exact(0).Quo(exactPow(beta, r), br))))
	return d.Quo(d, mul(b, less))
}

var betas = []float64{0, 0.5, 1, 1.5, 2, -1, -0.5, 0.25, 0.9, 1.1, 1.75, 2.5, 3}

// divergencePairs are cells: far apart, near each other down to neighbouring
// numbers and equal ones, at the places where the method changes, and zeros.
func divergencePairs[F Float](r *rand.Rand, n int) (x, wh []F) {
	decades := 8.0
	if sizeof[F]() == 8 {
		decades = 50
	}
	pair := func(a, b float64) { x, wh = append(x, F(a)), append(wh, F(b)) }
	for range n {
		v := math.Pow(10, (2*r.Float64()-1)*decades)
		pair(v, math.Pow(10, (2*r.Float64()-1)*decades))
		pair(v, v*math.Exp(2*r.NormFloat64()))
		pair(v, v*(1+math.Pow(10, -16*r.Float64())))
		pair(v, v*(1-math.Pow(10, -16*r.Float64())))
		pair(v, v*[]float64{0.75, 1.5, 2. / 3, 4. / 3, 1, 2, 0.5}[r.IntN(7)]*(1+r.NormFloat64()*1e-6))
		pair(v, v)
		pair(0, v)
		near := F(v)
		for range r.IntN(4) {
			near = nextAfter(near, F(math.Inf(1)))
		}
		pair(v, float64(near))
		pair(float64(near), v)
	}
	return x, wh
}

// divergenceBound is the relative error that is promised.
func divergenceBound[F Float](beta float64) float64 {
	switch beta {
	case 0, 0.5, 1, 1.5, 2:
		return 16 * 2 * roundoff[F]()
	}
	// e^(beta ln r) has the error of its exponent.
	bound := (1 + math.Abs(beta)) / math.Abs(beta*(beta-1)) * 1e-12
	if sizeof[F]() == 4 {
		return bound / 10
	}
	return bound
}

func TestDivergence(t *testing.T) {
	x32, r32 := divergencePairs[float32](rand.New(rand.NewPCG(1, 2)), points[float64]()/20)
	x64, r64 := divergencePairs[float64](rand.New(rand.NewPCG(1, 2)), points[float64]()/20)
	for _, beta := range betas {
		t.Run(fmt.Sprint("float32/", beta), func(t *testing.T) { testDivergence(t, float32(beta), x32, r32) })
		t.Run(fmt.Sprint("float64/", beta), func(t *testing.T) { testDivergence(t, beta, x64, r64) })
	}
}

func testDivergence[F Float](t *testing.T, beta F, x, wh []F) {
	tiny := F(1e-30)
	if sizeof[F]() == 8 {
		tiny = 1e-60
	}
	bound := divergenceBound[F](float64(beta))
	worst := map[string]float64{}
	for i := range x {
		if x[i] == 0 && beta <= 0 {
			for _, name := range Tiers() {
				if got := ForTier[F](name).Divergence(beta, tiny, x[i:i+1], wh[i:i+1]); !math.IsInf(got, 1) {
					t.Fatalf("%s: divergence of 0 from %v is %v, want +Inf", name, wh[i], got)
				}
			}
			continue
		}
		want := exactDivergence(float64(beta), float64(x[i]), float64(max(wh[i], tiny)))
		w, _ := want.Float64()
		for _, name := range Tiers() {
			got := ForTier[F](name).Divergence(beta, tiny, x[i:i+1], wh[i:i+1])
			e := 0.0
			if x[i] != wh[i] {
				d, _ := exact(0).Sub(exact(got), want).Float64()
				e = math.Abs(d / w)
			} else if got != 0 {
				t.Fatalf("%s: divergence of %v from itself is %v", name, x[i], got)
			}
			worst[name] = max(worst[name], e)
			if !(e <= bound) {
				t.Fatalf("%s: divergence of %v from %v is %v, want %v: relative error %.2g, more than %.2g", name, x[i], wh[i], got, w, e, bound)
			}
		}
	}
	for _, name := range Tiers() {
		t.Logf("%s: at most %.2g, %.1f ulp of the type", name, worst[name], worst[name]/(2*roundoff[F]()))
	}
}

// TestDivergenceRuns proves that a sum has all its terms and no other, and is
// the same wherever its operands lie.
func TestDivergenceRuns(t *testing.T) {
	eachTier(t, testDivergenceRuns[float32])
	eachTier(t, testDivergenceRuns[float64])
}

func testDivergenceRuns[F Float](t *testing.T, o *Ops[F]) {
	const most = 80
	r := rand.New(rand.NewPCG(1, 2))
	xa, ra := newArena[F](t, most+20), newArena[F](t, most+20)
	for _, beta := range betas {
		for n := range most {
			var first float64
			for slack := range 6 {
				x, wh := xa.take(n, slack), ra.take(n, (3*slack)%7)
				r := rand.New(rand.NewPCG(uint64(n), 3))
				sum := 0.0
				for i := range x {
					x[i], wh[i] = F(r.Float64()*2), F(r.Float64()*2)
					sum += o.Divergence(F(beta), 0.25, x[i:i+1], wh[i:i+1])
				}
				got := o.Divergence(F(beta), 0.25, x, wh)
				if !(math.Abs(got-sum) <= float64(n)*0x1p-52*sum) {
					t.Fatalf("beta %v, n %d: sum %v, of the terms %v", beta, n, got, sum)
				}
				if slack > 0 && got != first {
					t.Fatalf("beta %v, n %d: sum %v at one place, %v at another", beta, n, first, got)
				}
				first = got
			}
		}
		// NaN and an infinite term are not lost, wherever they stand.
		n := 1 + 2*Width[F]() + r.IntN(Width[F]())
		for at := range n {
			for _, bad := range []int{0, 1} {
				v := [2][]F{random[F](r, n), random[F](r, n)}
				v[bad][at] = F(math.NaN())
				if got := o.Divergence(F(beta), 0.25, v[0], v[1]); !math.IsNaN(got) {
					t.Fatalf("beta %v: operand %d is NaN at %d of %d, the sum %v", beta, bad, at, n, got)
				}
			}
			if beta <= 0 {
				x, wh := random[F](r, n), random[F](r, n)
				x[at] = 0
				if got := o.Divergence(F(beta), 0.25, x, wh); !math.IsInf(got, 1) {
					t.Fatalf("beta %v: 0 at %d of %d, the sum %v", beta, at, n, got)
				}
			}
		}
		mustPanic(t, "short r", func() { o.Divergence(F(beta), 1, make([]F, 3), make([]F, 2)) })
		mustPanic(t, "no floor", func() { o.Divergence(F(beta), 0, nil, nil) })
		if o.Divergence(F(beta), 1, nil, nil) != 0 {
			t.Fatal("the sum of no terms is not 0")
		}
	}
	mustPanic(t, "no exponent", func() { o.Divergence(F(math.NaN()), 1, nil, nil) })
	// Quotients that underflow.
	small := F(0x1p-126)
	if sizeof[F]() == 8 {
		small = F(math.Float64frombits(1 << 52))
	}
	if got := o.Divergence(1, 1e-9, []F{small, small / 64, small * 3}, []F{1e10, 1e15, 4}); !(math.Abs(got-1.00001e15) < 1e9) {
		t.Errorf("beta 1, tiny x: %v, want the sum of r", got)
	}
}

// TestBetaTerms compares with the powers in float64 or exact ones.
func TestBetaTerms(t *testing.T) {
	eachTier(t, testBetaTerms[float32])
	eachTier(t, testBetaTerms[float64])
}

func testBetaTerms[F Float](t *testing.T, o *Ops[F]) {
	r := rand.New(rand.NewPCG(1, 2))
	const n, tiny = 200, 0.01
	x, wh, num, den := make([]F, n), make([]F, n), make([]F, n), make([]F, n)
	for i := range x {
		x[i], wh[i] = F(r.Float64()*3), F(math.Exp(3*r.NormFloat64()))
		if i%7 == 0 {
			wh[i] = F(r.Float64() * 2 * tiny)
		}
	}
	for _, beta := range betas {
		beta := float64(F(beta))
		o.BetaTerms(F(beta), tiny, x, wh, num, den)
		for i := range x {
			u := float64(max(wh[i], F(tiny)))
			wantDen := exactPow(beta-1, u)
			wantNum := exact(0).Quo(exact(0).Mul(wantDen, exact(float64(x[i]))), exact(u))
			if a, b := ulps(num[i], wantNum), ulps(den[i], wantDen); !(a <= 3.5 && b <= 1.5) {
				t.Fatalf("beta %v of %v and %v: %v and %v, %.2f and %.2f ulp", beta, x[i], wh[i], num[i], den[i], a, b)
			}
		}
		nan := []F{F(math.NaN())}
		o.BetaTerms(F(beta), tiny, []F{1}, nan, num[:1], den[:1])
		if beta != 1 && den[0] == den[0] || beta != 2 && num[0] == num[0] {
			t.Fatalf("beta %v: r is NaN, the terms are %v and %v", beta, num[0], den[0])
		}
	}
	o.Quotient(tiny, x, wh, num)
	for i := range x {
		want := exact(0).Quo(exact(float64(x[i])), exact(float64(max(wh[i], F(tiny)))))
		if u := ulps(num[i], want); u > 0.5 {
			t.Fatalf("%v / %v is %v: %.2f ulp", x[i], wh[i], num[i], u)
		}
	}
}

// TestBetaCurve compares with the terms, and with the second derivatives that
// come from them, over runs of all short lengths; r may be overwritten.
func TestBetaCurve(t *testing.T) {
	eachTier(t, testBetaCurve[float32])
	eachTier(t, testBetaCurve[float64])
}

func testBetaCurve[F Float](t *testing.T, o *Ops[F]) {
	r := rand.New(rand.NewPCG(1, 2))
	const most, tiny = 70, 0.01
	xa, na, da, ca := newArena[F](t, most+8), newArena[F](t, most+8), newArena[F](t, most+8), newArena[F](t, most+8)
	for _, beta := range betas {
		b := float64(F(beta))
		for n := range most {
			x, num, den, curve := xa.take(n, n%4), na.take(n, n%3), da.take(n, n%2), ca.take(n, n%5)
			wh := make([]F, n)
			for i := range x {
				x[i], wh[i] = F(r.Float64()*3), F(math.Exp(3*r.NormFloat64()))
			}
			copy(curve, wh)
			if beta == 1 {
				den = nil
			}
			o.BetaCurve(F(beta), tiny, x, curve, num, den, curve)
			na.check("BetaCurve")
			da.check("BetaCurve")
			ca.check("BetaCurve")
			for i, v := range x {
				u := float64(max(wh[i], F(tiny)))
				wantNum, wantDen := float64(v)*math.Pow(u, b-2), math.Pow(u, b-1)
				wantCurve := (max(0, 2-b)*wantNum + max(0, b-1)*wantDen) / u
				bound := (16 + 4*math.Abs(math.Log(u))) * roundoff[F]()
				near := func(got F, want float64) bool { return math.Abs(float64(got)-want) <= bound*want }
				if !near(num[i], wantNum) || !near(curve[i], wantCurve) || den != nil && !near(den[i], wantDen) {
					t.Fatalf("beta %v, x %v, r %v: %v and %v, want %v and %v (den %v)", beta, v, wh[i], num[i], curve[i], wantNum, wantCurve, wantDen)
				}
			}
		}
	}
	mustPanic(t, "no den", func() { o.BetaCurve(0.5, tiny, make([]F, 3), make([]F, 3), make([]F, 3), nil, make([]F, 3)) })
	mustPanic(t, "short curve", func() { o.BetaCurve(1, tiny, make([]F, 3), make([]F, 3), make([]F, 3), nil, make([]F, 2)) })
}

// FuzzBeta draws exponents, cells and lengths.
func FuzzBeta(f *testing.F) {
	f.Add(uint64(1), 1.0, uint8(20), uint8(0))
	f.Add(uint64(2), 0.3, uint8(70), uint8(3))
	f.Add(uint64(3), -1.7, uint8(33), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, beta float64, n, slack uint8) {
		if !(math.Abs(beta) <= 4) || math.Abs(beta) < 0.01 && beta != 0 || math.Abs(beta-1) < 0.01 && beta != 1 {
			return
		}
		fuzzBeta[float32](t, seed, beta, int(n%100), int(slack%8))
		fuzzBeta[float64](t, seed, beta, int(n%100), int(slack%8))
	})
}

func fuzzBeta[F Float](t *testing.T, seed uint64, beta float64, n, slack int) {
	beta = float64(F(beta))
	xa, ra, na, da := newArena[F](t, n+8), newArena[F](t, n+8), newArena[F](t, n+8), newArena[F](t, n+8)
	x, wh, num, den := xa.take(n, slack), ra.take(n, slack), na.take(n, slack), da.take(n, slack)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range x {
		x[i] = F(math.Exp(3 * r.NormFloat64()))
		wh[i] = x[i] * F(math.Abs(1+r.NormFloat64()*math.Exp(-15*r.Float64())))
	}
	const tiny = 1e-3
	want := 0.0
	for i := range x {
		want += divergenceOf(beta, float64(x[i]), float64(max(wh[i], tiny)))
	}
	for _, name := range Tiers() {
		o := ForTier[F](name)
		got := o.Divergence(F(beta), tiny, x, wh)
		if !(math.Abs(got-want) <= 2*divergenceBound[F](beta)*want) {
			t.Fatalf("%s: beta %v: %v, want %v", name, beta, got, want)
		}
		o.BetaTerms(F(beta), tiny, x, wh, num, den)
		na.check("BetaTerms")
		da.check("BetaTerms")
		for i := range x {
			u := float64(max(wh[i], tiny))
			a, b := math.Pow(u, beta-1), float64(x[i])*math.Pow(u, beta-2)
			// The exponents are rounded too.
			bound := (12 + 4*math.Abs(math.Log(u))) * roundoff[F]()
			if !(math.Abs(float64(den[i])-a) <= bound*a) || !(math.Abs(float64(num[i])-b) <= bound*b) {
				t.Fatalf("%s: beta %v, x %v, r %v: %v and %v, want %v and %v", name, beta, x[i], wh[i], num[i], den[i], b, a)
			}
		}
	}
}
