package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// newtonCase is a tile with what a scaled step of it needs.
type newtonCase[F Float] struct {
	k int
	// tiles are w, num, den, curve, d, z and target; rows belong to the rows.
	tiles [7]*arena[F]
	rows  *arena[F]

	w, num, den, curve, d, z, target, most []F
}

const newtonMostK = 24

func newNewtonCase[F Float](t testing.TB) *newtonCase[F] {
	s := &newtonCase[F]{rows: newArena[F](t, TileRows[F]()+8)}
	for i := range s.tiles {
		s.tiles[i] = newArena[F](t, newtonMostK*TileRows[F]()+8)
	}
	return s
}

// fill draws a tile, of which some w and some second derivatives are zero.
func (s *newtonCase[F]) fill(r *rand.Rand, k, slack int) {
	s.k = k
	for i, p := range []*[]F{&s.w, &s.num, &s.den, &s.curve, &s.d, &s.z, &s.target} {
		*p = s.tiles[i].take(k*TileRows[F](), (slack+i)%8)
	}
	s.most = s.rows.take(TileRows[F](), slack%8)
	for i := range s.w {
		s.num[i], s.den[i] = F(r.Float64()), F(r.Float64())
		s.w[i], s.curve[i] = F(max(0, r.Float64()-0.2)), F(max(0, r.Float64()-0.1))
		if r.IntN(4) == 0 {
			s.w[i] *= 1e-5 // near where an entry becomes zero
		}
	}
}

func (s *newtonCase[F]) guard(what string) {
	for _, a := range s.tiles {
		a.check(what)
	}
	s.rows.check(what)
}

func copyRun[F Float](x []F) []F { return append([]F(nil), x...) }

// check compares the four steps with loops in float64.
func (s *newtonCase[F]) check(t testing.TB, o *Ops[F], r *rand.Rand) {
	t.Helper()
	const keep, snap = 0.75, 0.001
	rows, eps, k := TileRows[F](), roundoff[F](), s.k
	near := func(what string, i int, got F, want, bound float64) {
		t.Helper()
		if !(math.Abs(float64(got)-want) <= bound) {
			t.Fatalf("%s, k %d: component %d of row %d is %v, want %v within %g", what, k, i/rows, i%rows, got, want, bound)
		}
	}
	curve := copyRun(s.curve)
	o.NewtonModel(k, keep, s.w, s.num, s.den, s.curve, s.d, s.z, s.target, s.most)
	s.guard("NewtonModel")
	most := make([]float64, rows)
	for i := range s.w {
		root, d, size := math.Sqrt(float64(curve[i])), float64(s.den[i])-float64(s.num[i]), float64(s.den[i])+float64(s.num[i])
		near("root", i, s.curve[i], root, 2*eps*root)
		near("d", i, s.d[i], d, 2*eps*size)
		near("z", i, s.z[i], keep*root*float64(s.w[i]), 4*eps*root*float64(s.w[i]))
		most[i%rows] = max(most[i%rows], float64(s.z[i]))
		if root == 0 {
			near("target", i, s.target[i], 0, 0)
		} else {
			near("target", i, s.target[i], -d/root, 8*eps*size/root)
		}
	}
	for i, v := range s.most {
		near("most", i, v, most[i], 0)
	}

	// A z that stays leaves w, but for what becomes zero.
	for i := range s.z {
		if r.IntN(3) > 0 {
			s.z[i] = F(r.Float64())
		}
	}
	old := copyRun(s.w)
	o.NewtonStep(k, keep, snap, s.d, s.curve, s.z, s.w, s.most)
	s.guard("NewtonStep")
	for i, v := range s.w {
		root, z, w := float64(s.curve[i]), float64(s.z[i]), float64(old[i])
		want, size := w, w
		if root > 0 {
			want, size = max(0, w+(z-keep*root*w)/root), w+(z+root*w)/root
		}
		limit := snap * float64(s.most[i%rows])
		switch units := root * want; {
		case s.d[i] > 0 && (root == 0 || units < limit*(1-1e-3)):
			want, size = 0, 0
		case s.d[i] > 0 && units < limit*(1+1e-3) && v == 0:
			continue // either will do
		}
		near("step", i, v, want, 8*eps*size)
		if math.Signbit(float64(v)) {
			t.Fatalf("k %d: component %d of row %d is %v", k, i/rows, i%rows, v)
		}
	}

	sums := s.rows.take(rows, 3)
	o.Slope(k, s.num, s.den, s.w, old, sums)
	s.guard("Slope")
	want, size := make([]float64, rows), make([]float64, rows)
	for i := range s.w {
		d, e := float64(s.den[i])-float64(s.num[i]), float64(s.w[i])-float64(old[i])
		want[i%rows] += d * e
		size[i%rows] += (float64(s.den[i]) + float64(s.num[i])) * (float64(s.w[i]) + float64(old[i]))
	}
	for i, v := range sums {
		near("slope", i, v, want[i], float64(k+4)*eps*size[i])
	}

	by, before := s.rows.take(rows, 1), copyRun(s.w)
	for i := range by {
		by[i] = [...]F{0, 0.3, 1, 4}[r.IntN(4)]
	}
	o.Lengthen(k, 0.25, old, s.w, by)
	s.guard("Lengthen")
	for i, v := range s.w {
		b, w, was := float64(by[i%rows]), float64(before[i]), float64(old[i])
		if b == 1 && v == before[i] {
			continue
		}
		near("lengthened", i, v, max(0.25*w, was+b*(w-was)), 4*eps*(was+b*(w+was)))
	}
}

func TestNewton(t *testing.T) {
	eachTier(t, testNewton[float32])
	eachTier(t, testNewton[float64])
}

func testNewton[F Float](t *testing.T, o *Ops[F]) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newNewtonCase[F](t)
	for k := range newtonMostK {
		s.fill(r, k, k)
		s.check(t, o, r)
	}
	// What is not finite becomes zero, in its row alone.
	s.fill(r, 3, 0)
	for i := range s.w {
		s.w[i], s.curve[i], s.z[i] = 1, 1, 1
	}
	nan, inf, rows := F(math.NaN()), F(math.Inf(1)), TileRows[F]()
	s.z[5], s.z[rows+7] = nan, inf
	clear(s.d)
	clear(s.most)
	o.NewtonStep(3, 0.5, 0.1, s.d, s.curve, s.z, s.w, s.most)
	for i, v := range s.w {
		if want := i != 5 && i != rows+7; (v > 0) != want || !want && v != 0 {
			t.Errorf("entry %d is %v after a step with NaN and infinity", i, v)
		}
	}
	tile, short, whole := make([]F, 2*rows), make([]F, 2*rows-1), make([]F, rows)
	for name, call := range map[string]func(){
		"NewtonModel":       func() { o.NewtonModel(2, 1, tile, tile, tile, tile, tile, short, tile, whole) },
		"NewtonModel: most": func() { o.NewtonModel(2, 1, tile, tile, tile, tile, tile, tile, tile, whole[1:]) },
		"NewtonStep":        func() { o.NewtonStep(2, 1, 1, tile, tile, short, tile, whole) },
		"NewtonStep: k":     func() { o.NewtonStep(-1, 1, 1, tile, tile, tile, tile, whole) },
		"Slope":             func() { o.Slope(2, tile, short, tile, tile, whole) },
		"Slope: sums":       func() { o.Slope(2, tile, tile, tile, tile, whole[1:]) },
		"Lengthen":          func() { o.Lengthen(2, 1, tile, short, whole) },
		"Absorb":            func() { o.Absorb(1, 1, tile, tile, tile, tile, short, tile) },
	} {
		mustPanic(t, name, call)
	}
}

// FuzzNewton draws sizes and seeds of tiles.
func FuzzNewton(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(0))
	f.Add(uint64(2), uint8(17), uint8(5))
	f.Fuzz(func(t *testing.T, seed uint64, k, slack uint8) {
		fuzzNewton[float32](t, seed, int(k%newtonMostK), int(slack%8))
		fuzzNewton[float64](t, seed, int(k%newtonMostK), int(slack%8))
	})
}

func fuzzNewton[F Float](t *testing.T, seed uint64, k, slack int) {
	s := newNewtonCase[F](t)
	for _, name := range Tiers() {
		r := rand.New(rand.NewPCG(seed, 0))
		s.fill(r, k, slack)
		s.check(t, ForTier[F](name), r)
	}
}

func TestAbsorb(t *testing.T) {
	eachTier(t, testAbsorb[float32])
	eachTier(t, testAbsorb[float64])
}

func testAbsorb[F Float](t *testing.T, o *Ops[F]) {
	const most, decay, share = 70, 0.75, 0.125
	r := rand.New(rand.NewPCG(1, 2))
	var arenas [6]*arena[F]
	for i := range arenas {
		arenas[i] = newArena[F](t, most+8)
	}
	for n := range most {
		var runs, before [6][]F
		for i, a := range arenas {
			runs[i] = a.take(n, (n+i)%8)
			for j := range runs[i] {
				runs[i][j] = F(r.Float64())
			}
			before[i] = copyRun(runs[i])
		}
		o.Absorb(decay, share, runs[0], runs[1], runs[2], runs[3], runs[4], runs[5])
		for i, a := range arenas {
			a.check("Absorb")
			for j := range runs[i] {
				at := func(i int) float64 { return float64(before[i][j]) }
				m := at(0) * at(3)
				sums := decay*at(4) + m
				want := [...]float64{at(0), at(1), at(2), at(1)*sums + share*at(2), sums, at(5) + m}[i]
				if !(math.Abs(float64(runs[i][j])-want) <= 8*roundoff[F]()*want) {
					t.Fatalf("n %d: operand %d, element %d is %v, want %v", n, i, j, runs[i][j], want)
				}
			}
		}
	}
}
