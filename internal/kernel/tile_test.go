package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestPack compares all shapes of a tile with its definition, and turns them
// back.
func TestPack(t *testing.T) {
	eachTier(t, testPack[float32])
	eachTier(t, testPack[float64])
}

func testPack[F Float](t *testing.T, o *Ops[F]) {
	rows := TileRows[F]()
	tall, tile := newArena[F](t, rows*40), newArena[F](t, rows*40)
	r := rand.New(rand.NewPCG(1, 2))
	for n := range rows + 1 {
		for k := range 36 {
			checkPack(t, o, r, tall, tile, n, k, k+r.IntN(4), r.IntN(4))
		}
	}
}

func checkPack[F Float](t *testing.T, o *Ops[F], r *rand.Rand, tallA, tileA *arena[F], n, k, ld, slack int) {
	rows := TileRows[F]()
	size := 0
	if n > 0 && k > 0 {
		size = (n-1)*ld + k
	}
	what := fmt.Sprintf("%d rows of %d, %d apart", n, k, ld)
	tall, tile := tallA.take(size, slack), tileA.take(k*rows, slack)
	want := make([]F, size)
	for i := range want {
		want[i] = guard[F]()
	}
	for i := range n {
		for j := range k {
			tall[i*ld+j] = F(r.NormFloat64())
			want[i*ld+j] = tall[i*ld+j]
		}
	}
	o.Pack(n, k, tall, ld, tile)
	tileA.check("Pack of " + what)
	for j := range k {
		for i := range rows {
			x := F(0)
			if i < n {
				x = want[i*ld+j]
			}
			if bitsOf(tile[j*rows+i]) != bitsOf(x) {
				t.Fatalf("Pack of %s: component %d of row %d is %v, want %v", what, j, i, tile[j*rows+i], x)
			}
		}
	}
	tall = tallA.take(size, slack)
	o.Unpack(n, k, tile, tall, ld)
	tallA.check("Unpack of " + what)
	for i := range tall {
		if bitsOf(tall[i]) != bitsOf(want[i]) {
			t.Fatalf("Unpack of %s: element %d is %v, want %v", what, i, tall[i], want[i])
		}
	}
}

// tileCase is the input of Sweep and Residual.
type tileCase[F Float] struct {
	k, ldg         int
	wa, ca, ga, ia *arena[F]
	w, c, g, inv   []F
}

func newTileCase[F Float](t testing.TB, maxK int) *tileCase[F] {
	rows := TileRows[F]()
	return &tileCase[F]{wa: newArena[F](t, maxK*rows+8), ca: newArena[F](t, maxK*rows+8),
		ga: newArena[F](t, maxK*(maxK+8)+8), ia: newArena[F](t, maxK+8)}
}

// fill makes a problem as a fit has them: the Gram matrix of a random factor,
// and cross products of rows near the w that it starts from. Some components
// are to be left alone and some w are zero.
func (s *tileCase[F]) fill(r *rand.Rand, k, ldg, slack int) {
	rows := TileRows[F]()
	s.k, s.ldg = k, ldg
	s.w, s.c = s.wa.take(k*rows, slack), s.ca.take(k*rows, slack)
	s.g, s.inv = s.ga.take(max(0, (k-1)*ldg+k), slack), s.ia.take(k, slack)
	h := make([]float64, k*(k+3))
	for i := range h {
		h[i] = r.Float64()
	}
	for j := range k {
		for l := range k {
			var dot float64
			for i := range k + 3 {
				dot += h[j*(k+3)+i] * h[l*(k+3)+i]
			}
			s.g[j*ldg+l] = F(dot)
		}
		s.inv[j] = 1 / s.g[j*ldg+j]
		if r.IntN(9) == 0 {
			s.inv[j] = 0
		}
	}
	for i := range s.w {
		s.w[i] = F(max(0, r.Float64()-0.3))
	}
	for j := range k {
		for i := range rows {
			var dot float64
			for l := range k {
				dot += float64(s.g[j*ldg+l]) * (float64(s.w[l*rows+i]) + r.NormFloat64()/4)
			}
			s.c[j*rows+i] = F(dot)
		}
	}
}

func TestSweep(t *testing.T) {
	eachTier(t, testSweep[float32])
	eachTier(t, testSweep[float64])
}

func testSweep[F Float](t *testing.T, o *Ops[F]) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newTileCase[F](t, 260)
	for k := range 40 {
		for range 3 {
			s.fill(r, k, k+r.IntN(8), r.IntN(4))
			s.check(t, o)
		}
	}
	for _, k := range []int{48, 63, 100, 257} {
		s.fill(r, k, k+3, 0)
		s.check(t, o)
	}
}

// check compares a sweep with one in float64.
func (s *tileCase[F]) check(t testing.TB, o *Ops[F]) {
	t.Helper()
	rows := TileRows[F]()
	want := make([]float64, len(s.w))
	for i, v := range s.w {
		want[i] = float64(v)
	}
	var change, moved, size float64
	for j := range s.k {
		if s.inv[j] == 0 {
			continue
		}
		for i := range rows {
			d := float64(s.c[j*rows+i])
			sum := math.Abs(d)
			for l := range s.k {
				x := float64(s.g[j*s.ldg+l]) * want[l*rows+i]
				d -= x
				sum += math.Abs(x)
			}
			v := max(0, want[j*rows+i]+float64(s.inv[j])*d)
			e := v - want[j*rows+i]
			change += e * e
			moved += math.Abs(e)
			size = max(size, sum*float64(s.inv[j]))
			want[j*rows+i] = v
		}
	}
	got := o.Sweep(s.k, s.w, s.c, s.g, s.ldg, s.inv)
	s.wa.check("Sweep")
	// A component carries the errors of those before it, which damp, the
	// Gram matrix being positive semidefinite, as the steps themselves do.
	bound := 8 * float64(s.k+4) * roundoff[F]() * size
	for i := range want {
		if v := float64(s.w[i]); !(math.Abs(v-want[i]) <= bound) || math.Signbit(v) {
			t.Fatalf("k %d: component %d of row %d is %v, want %v within %g", s.k, i/rows, i%rows, v, want[i], bound)
		}
	}
	bound = 2*bound*moved + float64(rows*s.k)*roundoff[F]()*change
	if math.Abs(float64(got)-change) > bound {
		t.Fatalf("k %d: squared change %v, want %v within %g", s.k, got, change, bound)
	}
}

// TestSweepNotFinite says what becomes of numbers that are not finite: NaN in
// a row makes NaN in that row alone, and is not taken for zero.
func TestSweepNotFinite(t *testing.T) {
	eachTier(t, testSweepNotFinite[float32])
	eachTier(t, testSweepNotFinite[float64])
}

func testSweepNotFinite[F Float](t *testing.T, o *Ops[F]) {
	rows := TileRows[F]()
	s := newTileCase[F](t, 8)
	s.fill(rand.New(rand.NewPCG(1, 2)), 7, 7, 0)
	for j := range s.inv {
		s.inv[j] = 1 / s.g[j*s.ldg+j]
	}
	const bad, first = 5, 3
	s.c[first*rows+bad] = F(math.NaN())
	change := o.Sweep(s.k, s.w, s.c, s.g, s.ldg, s.inv)
	for i, v := range s.w {
		want := i%rows == bad && i/rows >= first
		if math.IsNaN(float64(v)) != want {
			t.Errorf("component %d of row %d is %v", i/rows, i%rows, v)
		}
	}
	if !math.IsNaN(float64(change)) {
		t.Errorf("squared change is %v, want NaN", change)
	}
}

// TestSweepUnderflow makes a step that is too small for the type: the result
// is +0.
func TestSweepUnderflow(t *testing.T) {
	eachTier(t, testSweepUnderflow[float32])
	eachTier(t, testSweepUnderflow[float64])
}

func testSweepUnderflow[F Float](t *testing.T, o *Ops[F]) {
	rows := TileRows[F]()
	tiny := F(roundoff[F]())
	for tiny*tiny > 0 {
		tiny *= tiny
	}
	w, c := make([]F, rows), make([]F, rows)
	for i := range c {
		c[i] = -tiny
	}
	o.Sweep(1, w, c, []F{1 / tiny}, 1, []F{tiny})
	for i, v := range w {
		if bitsOf(v) != 0 {
			t.Fatalf("row %d is %v, want +0", i, v)
		}
	}
}

func TestResidual(t *testing.T) {
	eachTier(t, testResidual[float32])
	eachTier(t, testResidual[float64])
}

func testResidual[F Float](t *testing.T, o *Ops[F]) {
	rows := TileRows[F]()
	r := rand.New(rand.NewPCG(1, 2))
	wa, ca, da := newArena[F](t, 30*rows), newArena[F](t, 30*rows), newArena[F](t, 30*rows)
	sums := newArena[float64](t, 60)
	for k := range 25 {
		w, c, d, s := wa.take(k*rows, k%3), ca.take(k*rows, k%5), da.take(k*rows, k%2), sums.take(2*k, k%2)
		want := make([]float64, 2*k)
		for j := range want {
			s[j] = r.Float64()
			want[j] = s[j]
		}
		for i := range w {
			w[i], c[i], d[i] = F(max(0, r.NormFloat64())), F(r.NormFloat64()), F(r.NormFloat64())
			if g := float64(d[i]); w[i] > 0 || g < 0 {
				want[i/rows] += g * g
			}
			want[k+i/rows] += float64(c[i]) * float64(c[i])
		}
		var dot, size float64
		for i := range w {
			x, y := float64(w[i]), float64(d[i])-float64(c[i])
			dot += x * y
			size += math.Abs(x) * (math.Abs(float64(d[i])) + math.Abs(float64(c[i])))
		}
		got := o.Residual(k, w, c, d, s[:k], s[k:])
		sums.check("Residual")
		if bound := float64(2*rows) * roundoff[F]() * size; !(math.Abs(got-dot) <= bound) {
			t.Fatalf("k %d: dot is %v, want %v within %g", k, got, dot, bound)
		}
		for j := range s {
			if bound := float64(2*rows) * roundoff[F]() * want[j]; !(math.Abs(s[j]-want[j]) <= bound) {
				t.Fatalf("k %d: sum %d is %v, want %v within %g", k, j, s[j], want[j], bound)
			}
		}
	}
}

// TestTileBounds gives slices that are one element too short.
func TestTileBounds(t *testing.T) {
	eachTier(t, testTileBounds[float32])
	eachTier(t, testTileBounds[float64])
}

func testTileBounds[F Float](t *testing.T, o *Ops[F]) {
	const k = 5
	rows := TileRows[F]()
	tile, tall, g, inv, sums := make([]F, k*rows), make([]F, k*rows), make([]F, k*k), make([]F, k), make([]float64, k)
	for name, call := range map[string]func(){
		"Pack: tall":         func() { o.Pack(rows, k, tall[1:], k, tile) },
		"Pack: tile":         func() { o.Pack(rows, k, tall, k, tile[1:]) },
		"Pack: rows":         func() { o.Pack(rows+1, k, make([]F, 2*k*rows), k, tile) },
		"Pack: few rows":     func() { o.Pack(1, k, tall[:k-1], k, tile) },
		"Unpack: tall":       func() { o.Unpack(rows, k, tile, tall[1:], k) },
		"Unpack: tile":       func() { o.Unpack(rows, k, tile[1:], tall, k) },
		"Sweep: w":           func() { o.Sweep(k, tile[1:], tall, g, k, inv) },
		"Sweep: c":           func() { o.Sweep(k, tile, tall[1:], g, k, inv) },
		"Sweep: g":           func() { o.Sweep(k, tile, tall, g[1:], k, inv) },
		"Sweep: inv":         func() { o.Sweep(k, tile, tall, g, k, inv[1:]) },
		"Sweep: components":  func() { o.Sweep(-1, tile, tall, g, k, inv) },
		"Residual: w":        func() { o.Residual(k, tile[1:], tile, tile, sums, sums) },
		"Residual: c":        func() { o.Residual(k, tile, tile[1:], tile, sums, sums) },
		"Residual: d":        func() { o.Residual(k, tile, tile, tile[1:], sums, sums) },
		"Residual: pg":       func() { o.Residual(k, tile, tile, tile, sums[1:], sums) },
		"Residual: cc":       func() { o.Residual(k, tile, tile, tile, sums, sums[1:]) },
		"Residual: negative": func() { o.Residual(-1, tile, tile, tile, sums, sums) },
	} {
		mustPanic(t, name, call)
	}
	o.Pack(0, k, nil, k, tile)
	o.Pack(rows, 0, nil, k, nil)
	o.Unpack(0, k, tile, nil, k)
	o.Sweep(0, nil, nil, nil, 0, nil)
	o.Residual(0, nil, nil, nil, nil, nil)
}

// FuzzSweep draws shapes and seeds of problems.
func FuzzSweep(f *testing.F) {
	f.Add(uint64(1), uint8(1), uint8(0), uint8(0))
	f.Add(uint64(2), uint8(23), uint8(5), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, k, gap, slack uint8) {
		fuzzSweep[float32](t, seed, int(k%80), int(gap%8), int(slack%8))
		fuzzSweep[float64](t, seed, int(k%80), int(gap%8), int(slack%8))
	})
}

func fuzzSweep[F Float](t *testing.T, seed uint64, k, gap, slack int) {
	s := newTileCase[F](t, 80)
	for _, name := range Tiers() {
		s.fill(rand.New(rand.NewPCG(seed, 0)), k, k+gap, slack)
		s.check(t, ForTier[F](name))
	}
}
