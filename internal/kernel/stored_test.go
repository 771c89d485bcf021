package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// storedCase is the input of the kernels of stored cells.
type storedCase[F Float] struct {
	n, rows, ldb, ldg int
	idx               []int32
	arenas            [7]*arena[F]

	val, b, w, t, c, g, tall []F
}

func newStoredCase[F Float](t testing.TB, maxCells, maxRows, maxN int) *storedCase[F] {
	s := &storedCase[F]{}
	for i, size := range []int{maxCells, maxRows * (maxN + 8), maxN, maxCells, maxN, maxN * (maxN + 8), maxRows * (maxN + 8)} {
		s.arenas[i] = newArena[F](t, size+8)
	}
	return s
}

// fill draws a case of n columns: w and b are positive, as the factors of the
// losses are, and val has both signs. What no row covers is NaN.
func (s *storedCase[F]) fill(r *rand.Rand, n, cells, rows, gap, slack int) {
	s.n, s.rows, s.ldb, s.ldg = n, rows, max(1, n+gap), max(1, n+gap)
	s.idx = make([]int32, cells)
	span := (rows-1)*s.ldb + n
	for i, p := range []struct {
		to   *[]F
		size int
	}{{&s.val, cells}, {&s.b, span}, {&s.w, n}, {&s.t, cells}, {&s.c, n}, {&s.g, max(0, (n-1)*s.ldg+n)}, {&s.tall, span}} {
		*p.to = s.arenas[i].take(p.size, (slack+i)%5)
	}
	for i := range s.idx {
		s.idx[i], s.val[i] = int32(r.IntN(rows)), F(r.NormFloat64())
	}
	for j := range n {
		s.w[j], s.c[j] = F(r.Float64()), F(r.NormFloat64())
		for i := range rows {
			s.b[i*s.ldb+j], s.tall[i*s.ldb+j] = F(r.Float64()), F(r.NormFloat64())
		}
		for l := range j + 1 {
			s.g[j*s.ldg+l] = F(r.NormFloat64())
			s.g[l*s.ldg+j] = s.g[j*s.ldg+l]
		}
	}
}

func (s *storedCase[F]) guards(what string) {
	for _, a := range s.arenas {
		a.check(what)
	}
}

// dot is the inner product with the row of cell t in float64, all of whose
// terms are positive.
func (s *storedCase[F]) dot(t int) (sum float64) {
	for j, v := range s.w {
		sum += float64(v) * float64(s.b[int(s.idx[t])*s.ldb+j])
	}
	return sum
}

// wantNear fails unless got is want but for some roundings of size.
func wantNear[F Float](t testing.TB, what string, at int, got F, want, size float64, roundings int) {
	t.Helper()
	if bound := 2 * float64(roundings+2) * roundoff[F]() * size; !(math.Abs(float64(got)-want) <= bound) {
		t.Fatalf("%s: element %d is %v, want %v within %g", what, at, got, want, bound)
	}
}

func (s *storedCase[F]) checkDots(t testing.TB, o *Ops[F]) {
	t.Helper()
	o.Dots(s.n, s.idx, s.b, s.ldb, s.w, s.t)
	s.guards("Dots")
	for i := range s.idx {
		want := s.dot(i)
		wantNear(t, "Dots", i, s.t[i], want, want, s.n)
		// Alone, and as the middle one of three.
		alone, three := []F{0}, make([]F, 3)
		o.Dots(s.n, s.idx[i:i+1], s.b, s.ldb, s.w, alone)
		o.Dots(s.n, []int32{0, s.idx[i], int32(s.rows - 1)}, s.b, s.ldb, s.w, three)
		if bitsOf(alone[0]) != bitsOf(s.t[i]) || bitsOf(three[1]) != bitsOf(s.t[i]) {
			t.Fatalf("Dots, n %d: cell %d is %v, alone %v, beside others %v", s.n, i, s.t[i], alone[0], three[1])
		}
	}
}

func (s *storedCase[F]) checkGatherQuotient(t testing.TB, o *Ops[F]) {
	t.Helper()
	// A floor that some inner products lie below.
	tiny := F(float64(s.n)/4 + 1e-3)
	want, size := make([]float64, s.n), make([]float64, s.n)
	for j, v := range s.c {
		want[j], size[j] = float64(v), math.Abs(float64(v))
	}
	quotients := make([]float64, len(s.idx))
	for i, row := range s.idx {
		quotients[i] = float64(s.val[i]) / math.Max(s.dot(i), float64(tiny))
		for j := range want {
			x := quotients[i] * float64(s.b[int(row)*s.ldb+j])
			want[j] += x
			size[j] += math.Abs(x)
		}
	}
	before := slices.Clone(s.c)
	o.GatherQuotient(s.n, s.idx, s.val, s.b, s.ldb, s.w, tiny, s.t, s.c)
	s.guards("GatherQuotient")
	for i, q := range quotients {
		wantNear(t, "GatherQuotient: t", i, s.t[i], q, math.Abs(q), s.n)
	}
	for j := range want {
		wantNear(t, "GatherQuotient: c", j, s.c[j], want[j], size[j], s.n+len(s.idx))
	}
	// The three steps one by one: the quotients are the same.
	r := make([]F, len(s.idx))
	o.Dots(s.n, s.idx, s.b, s.ldb, s.w, r)
	o.Quotient(tiny, s.val, r, r)
	o.Gather(s.n, s.idx, r, s.b, s.ldb, before)
	for i := range r {
		if o.Tier != "go" && bitsOf(r[i]) != bitsOf(s.t[i]) {
			t.Fatalf("GatherQuotient, n %d: t[%d] is %v, in three steps %v", s.n, i, s.t[i], r[i])
		}
	}
	for j := range before {
		wantNear(t, "GatherQuotient: c in three steps", j, s.c[j], float64(before[j]), size[j], len(s.idx))
	}
}

func (s *storedCase[F]) checkGatherGram(t testing.TB, o *Ops[F]) {
	t.Helper()
	before := slices.Clone(s.g)
	o.GatherGram(s.n, s.idx, s.val, s.b, s.ldb, s.g, s.ldg)
	s.guards("GatherGram")
	for i := range s.n {
		for j := range s.n {
			want := float64(before[i*s.ldg+j])
			size := math.Abs(want)
			for t, row := range s.idx {
				x := float64(s.val[t]) * float64(s.b[int(row)*s.ldb+i]) * float64(s.b[int(row)*s.ldb+j])
				want += x
				size += math.Abs(x)
			}
			wantNear(t, "GatherGram", i*s.ldg+j, s.g[i*s.ldg+j], want, size, len(s.idx)+1)
			if bitsOf(s.g[i*s.ldg+j]) != bitsOf(s.g[j*s.ldg+i]) {
				t.Fatalf("GatherGram, n %d: element %d, %d is %v, its image %v", s.n, i, j, s.g[i*s.ldg+j], s.g[j*s.ldg+i])
			}
		}
	}
	for i, v := range s.g {
		if i%s.ldg >= s.n && bitsOf(v) != bitsOf(before[i]) {
			t.Fatalf("GatherGram: wrote between the rows of g, element %d", i)
		}
	}
}

// TestStored goes through all small numbers of vectors and cells, and some
// large ones.
func TestStored(t *testing.T) {
	eachTier(t, testStored[float32])
	eachTier(t, testStored[float64])
}

func testStored[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	r := rand.New(rand.NewPCG(1, 2))
	s := newStoredCase[F](t, 300, 60, 20*w)
	most := 20
	if testing.Short() {
		most = 10
	}
	check := func(vectors, cells, rows int) {
		for _, f := range []func(testing.TB, *Ops[F]){s.checkDots, s.checkGatherQuotient} {
			s.fill(r, vectors*w, cells, rows, r.IntN(8), r.IntN(4))
			f(t, o)
		}
		if vectors <= 10 {
			s.fill(r, vectors*w, cells, rows, r.IntN(8), r.IntN(4))
			s.checkGatherGram(t, o)
		}
	}
	for vectors := 0; vectors <= most; vectors++ {
		for cells := range 14 {
			check(vectors, cells, 1+r.IntN(30))
		}
		check(vectors, 41, 7)
	}
	for _, cells := range []int{127, 128, 129, 290} {
		check(3, cells, 50)
	}
}

// TestStoredNaN proves that NaN in w or in a row is seen in what it enters.
func TestStoredNaN(t *testing.T) {
	eachTier(t, testStoredNaN[float32])
	eachTier(t, testStoredNaN[float64])
}

func testStoredNaN[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	for _, vectors := range []int{1, 2, 9} {
		n := vectors * w
		for cells := 1; cells < 7; cells++ {
			for bad := range cells {
				b, idx, val := make([]F, cells*n), make([]int32, cells), make([]F, cells)
				for i := range b {
					b[i] = 1
				}
				for i := range idx {
					idx[i], val[i] = int32(i), 1
				}
				ones := b[:n]
				if bad == 0 {
					ones = slices.Clone(ones)
				}
				b[bad*n+n-1] = F(math.NaN())
				q, c := make([]F, cells), make([]F, n)
				o.GatherQuotient(n, idx, val, b, n, ones, 1, q, c)
				for i, v := range q {
					if (v != v) != (i == bad) {
						t.Fatalf("n %d: row %d of %d is NaN, t[%d] is %v", n, bad, cells, i, v)
					}
				}
				if c[0] == c[0] {
					t.Fatalf("n %d: row %d of %d is NaN, the sum %v", n, bad, cells, c[0])
				}
			}
		}
	}
}

// TestStoredBounds gives indices that are not rows, which must not be read,
// and slices that are too short.
func TestStoredBounds(t *testing.T) {
	eachTier(t, testStoredBounds[float32])
	eachTier(t, testStoredBounds[float64])
}

func testStoredBounds[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	const rows = 4
	for _, n := range []int{w, 2 * w, 9 * w} {
		ba := newArena[F](t, rows*n)
		b := ba.take(rows*n, 0)
		clear(b)
		row, g := make([]F, n), make([]F, n*n)
		for _, cells := range []int{1, 2, 3, 4, 5, 40} {
			for at := range cells {
				for _, bad := range []int32{rows, -1, math.MaxInt32, math.MinInt32} {
					idx, val, out := make([]int32, cells), make([]F, cells), make([]F, cells)
					idx[at] = bad
					mustPanic(t, "Dots: index", func() { o.Dots(n, idx, b, n, row, out) })
					mustPanic(t, "GatherQuotient: index", func() { o.GatherQuotient(n, idx, val, b, n, row, 1, out, row) })
					mustPanic(t, "GatherGram: index", func() { o.GatherGram(n, idx, val, b, n, g, n) })
				}
			}
		}
		one, x := []int32{0}, []F{1}
		for name, call := range map[string]func(){
			"Dots: r":                 func() { o.Dots(n, one, b, n, row, nil) },
			"Dots: w":                 func() { o.Dots(n, one, b, n, row[1:], x) },
			"Dots: b":                 func() { o.Dots(n, one, b[:n-1], n, row, x) },
			"Dots: n":                 func() { o.Dots(n-1, one, b, n, row, x) },
			"Dots: stride":            func() { o.Dots(n, one, b, 0, row, x) },
			"GatherQuotient: val":     func() { o.GatherQuotient(n, one, nil, b, n, row, 1, x, row) },
			"GatherQuotient: t":       func() { o.GatherQuotient(n, one, x, b, n, row, 1, nil, row) },
			"GatherQuotient: w":       func() { o.GatherQuotient(n, one, x, b, n, row[1:], 1, x, row) },
			"GatherQuotient: c":       func() { o.GatherQuotient(n, one, x, b, n, row, 1, x, row[1:]) },
			"GatherQuotient: tiny":    func() { o.GatherQuotient(n, one, x, b, n, row, 0, x, row) },
			"GatherQuotient: b":       func() { o.GatherQuotient(n, one, x, b[:n-1], n, row, 1, x, row) },
			"GatherGram: wt":          func() { o.GatherGram(n, one, nil, b, n, g, n) },
			"GatherGram: g":           func() { o.GatherGram(n, one, x, b, n, g[1:], n) },
			"GatherGram: overlap":     func() { o.GatherGram(n, one, x, b, n, g, n-1) },
			"GatherGram: b":           func() { o.GatherGram(n, one, x, b[:n-1], n, g, n) },
			"GatherGram: n":           func() { o.GatherGram(n-1, one, x, b, n, g, n) },
			"GatherGram: stride of b": func() { o.GatherGram(n, one, x, b, 0, g, n) },
		} {
			mustPanic(t, name, call)
		}
		o.Dots(n, nil, nil, n, row, nil)
		o.GatherQuotient(n, nil, nil, nil, n, row, 1, nil, row)
		o.GatherGram(n, nil, nil, nil, n, g, n)
	}
}

// FuzzStored draws shapes and seeds.
func FuzzStored(f *testing.F) {
	f.Add(uint64(1), uint8(1), uint8(3), uint8(0), uint8(0))
	f.Add(uint64(2), uint8(5), uint8(130), uint8(5), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, vectors, cells, gap, slack uint8) {
		fuzzStored[float32](t, seed, int(vectors%11), int(cells), int(gap%8), int(slack%5))
		fuzzStored[float64](t, seed, int(vectors%11), int(cells), int(gap%8), int(slack%5))
	})
}

func fuzzStored[F Float](t *testing.T, seed uint64, vectors, cells, gap, slack int) {
	const rows = 20
	s := newStoredCase[F](t, cells, rows, vectors*Width[F]())
	for _, name := range Tiers() {
		for _, check := range []func(testing.TB, *Ops[F]){s.checkDots, s.checkGatherQuotient, s.checkGatherGram} {
			s.fill(rand.New(rand.NewPCG(seed, 0)), vectors*Width[F](), cells, rows, gap, slack)
			check(t, ForTier[F](name))
		}
	}
}
