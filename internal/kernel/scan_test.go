package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestScan(t *testing.T) {
	eachTier(t, testScan[float32])
	eachTier(t, testScan[float64])
}

func testScan[F Float](t *testing.T, o *Ops[F]) {
	const most = 100
	r := rand.New(rand.NewPCG(1, 2))
	a := newArena[F](t, most+8)
	for n := range most {
		for slack := range 5 {
			x := a.take(n, slack)
			for i := range x {
				x[i] = F(r.ExpFloat64())
			}
			checkScan(t, o, x)
			a.check("Scan")
			if n == 0 {
				continue
			}
			// What is allowed, and what is not, at each place.
			for i := range x {
				was := x[i]
				for _, v := range []float64{math.Copysign(0, -1), 0x1p-149, 0x1p-1074, float64(largestFinite[F]())} {
					x[i] = F(v)
					checkScan(t, o, x)
				}
				for _, v := range []float64{math.NaN(), math.Copysign(math.NaN(), -1), math.Inf(1), math.Inf(-1), -1, -0x1p-149, -1e30} {
					x[i] = F(v)
					if F(v) == 0 {
						continue
					}
					if _, _, _, ok := o.Scan(x); ok {
						t.Fatalf("%v at %d of %d is accepted", v, i, n)
					}
				}
				x[i] = was
			}
		}
	}
	for i := range a.take(50, 0) {
		a.take(50, 0)[i] = F(math.Copysign(0, -1))
	}
	if top, sum, sq, ok := o.Scan(make([]F, 40)); bitsOf(top) != 0 || sum != 0 || sq != 0 || !ok {
		t.Errorf("zeros: %v, %v, %v, %v", top, sum, sq, ok)
	}
	minus := make([]F, 40)
	for i := range minus {
		minus[i] = F(math.Copysign(0, -1))
	}
	if top, sum, sq, ok := o.Scan(minus); top != 0 || sum != 0 || sq != 0 || !ok {
		t.Errorf("-0: %v, %v, %v, %v", top, sum, sq, ok)
	}
}

// checkScan compares with sums one after the other, and to the bit with the
// twin.
func checkScan[F Float](t testing.TB, o *Ops[F], x []F) {
	t.Helper()
	top, sum, sq, ok := o.Scan(x)
	if !ok {
		t.Fatalf("%v is not accepted", x)
	}
	var wantTop F
	var wantSum, wantSq float64
	for _, v := range x {
		wantTop = max(wantTop, v)
		wantSum += float64(v)
		wantSq += float64(v) * float64(v)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= float64(len(x))*0x1p-52*b || a == b }
	if top != wantTop || !near(sum, wantSum) || !near(sq, wantSq) {
		t.Fatalf("n %d: %v, %v, %v, want %v, %v, %v", len(x), top, sum, sq, wantTop, wantSum, wantSq)
	}
	if _, s, q, _ := scan(x); s != sum || q != sq {
		t.Fatalf("n %d: sums %v and %v, of the twin %v and %v", len(x), sum, sq, s, q)
	}
}

// FuzzScan draws numbers by their bits.
func FuzzScan(f *testing.F) {
	f.Add([]byte("0123456789012345678901234567890123456789"), uint8(3))
	f.Fuzz(func(t *testing.T, raw []byte, slack uint8) {
		fuzzScan[float32](t, raw, int(slack%5))
		fuzzScan[float64](t, raw, int(slack%5))
	})
}

func fuzzScan[F Float](t *testing.T, raw []byte, slack int) {
	size := sizeof[F]()
	a := newArena[F](t, len(raw)/size+8)
	x := a.take(len(raw)/size, slack)
	good := true
	for i := range x {
		var bits uint64
		for _, b := range raw[i*size : i*size+size] {
			bits = bits<<8 | uint64(b)
		}
		x[i] = fromBits[F](bits << (64 - 8*size))
		good = good && x[i] >= 0 && !math.IsInf(float64(x[i]), 1)
	}
	for _, name := range Tiers() {
		top, sum, sq, ok := ForTier[F](name).Scan(x)
		if ok != good {
			t.Fatalf("%s: %v is accepted: %v", name, x, ok)
		}
		wantTop, wantSum, wantSq, _ := scan(x)
		if top != wantTop || sum != wantSum || sq != wantSq {
			t.Fatalf("%s: %v, %v, %v, the twin has %v, %v, %v", name, top, sum, sq, wantTop, wantSum, wantSq)
		}
	}
}
