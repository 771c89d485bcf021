package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// eachTier runs a test of one element type on every tier of this machine.
func eachTier[F Float](t *testing.T, test func(t *testing.T, o *Ops[F])) {
	for _, name := range Tiers() {
		t.Run(fmt.Sprintf("%T/%s", F(0), name), func(t *testing.T) { test(t, ForTier[F](name)) })
	}
}

// product is one case of MulAdd: shape, strides, and how far the slices end
// from memory that cannot be touched.
type product struct {
	m, n, p, rs, cs, ldb, ldc, slack int
}

// mulAddBench holds the memory of the cases of MulAdd.
type mulAddBench[F Float] struct {
	a, b, c *arena[F]
	rnd     *rand.Rand
}

func newMulAddBench[F Float](t testing.TB, sizeA, sizeB, sizeC int) *mulAddBench[F] {
	return &mulAddBench[F]{newArena[F](t, sizeA), newArena[F](t, sizeB), newArena[F](t, sizeC), rand.New(rand.NewPCG(1, 2))}
}

// check compares a product with sums in float64. What the shape does not
// address is NaN in a and b, and must stay as it is in c.
func (k *mulAddBench[F]) check(t testing.TB, o *Ops[F], s product) {
	t.Helper()
	span := func(rows, stride, n int) int {
		if rows == 0 || n == 0 {
			return 0
		}
		return (rows-1)*stride + n
	}
	spanA := 0
	if s.m > 0 && s.p > 0 {
		spanA = (s.m-1)*s.rs + (s.p-1)*s.cs + 1
	}
	a, b, c := k.a.take(spanA, s.slack), k.b.take(span(s.p, s.ldb, s.n), s.slack), k.c.take(span(s.m, s.ldc, s.n), s.slack)
	for i := range s.m {
		for l := range s.p {
			a[i*s.rs+l*s.cs] = F(k.rnd.NormFloat64())
		}
		for j := range s.n {
			c[i*s.ldc+j] = F(k.rnd.NormFloat64())
		}
	}
	for l := range s.p {
		for j := range s.n {
			b[l*s.ldb+j] = F(k.rnd.NormFloat64())
		}
	}
	before := append([]F(nil), c...)
	o.MulAdd(s.m, s.n, s.p, a, s.rs, s.cs, b, s.ldb, c, s.ldc)
	k.c.check(s)
	for i := range s.m {
		for j := range s.n {
			want := float64(before[i*s.ldc+j])
			size := math.Abs(want)
			for l := range s.p {
				x := float64(a[i*s.rs+l*s.cs]) * float64(b[l*s.ldb+j])
				want += x
				size += math.Abs(x)
			}
			got := float64(c[i*s.ldc+j])
			if bound := 2 * float64(s.p+2) * roundoff[F]() * size; !(math.Abs(got-want) <= bound) {
				t.Fatalf("%+v: c[%d,%d] = %v, want %v within %g", s, i, j, got, want, bound)
			}
			before[i*s.ldc+j] = c[i*s.ldc+j]
		}
	}
	for i := range c {
		if bitsOf(c[i]) != bitsOf(before[i]) {
			t.Fatalf("%+v: wrote between the rows of c, element %d", s, i)
		}
	}
}

// TestMulAddSmall goes through all small shapes, with a running along its
// rows, along its columns, and along neither, and with rows a power of two
// apart, for which there are tiles of their own.
func TestMulAddSmall(t *testing.T) {
	eachTier(t, testMulAddSmall[float32])
	eachTier(t, testMulAddSmall[float64])
}

func testMulAddSmall[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	apart := 2048 / sizeof[F]()
	k := newMulAddBench[F](t, 21*apart, 24*10*w, 24*10*w)
	vectors := 8
	if testing.Short() {
		vectors = 4
	}
	for m := range 21 {
		for v := 1; v <= vectors; v++ {
			for p := range 21 {
				n := v * w
				k.check(t, o, product{m, n, p, p + 1, 1, n, n + 3, 0})
				k.check(t, o, product{m, n, p, 1, m + 2, n + 5, n, m % 4})
				k.check(t, o, product{m, n, p, 3, 3*m + 2, n + w, n + w, 1})
				k.check(t, o, product{m, n, p, apart, 1, n, n, 2})
			}
		}
	}
}

// TestMulAddLarge takes random shapes that cross the blocks of the sum, the
// chunks of rows and the largest register tiles.
func TestMulAddLarge(t *testing.T) {
	eachTier(t, testMulAddLarge[float32])
	eachTier(t, testMulAddLarge[float64])
}

func testMulAddLarge[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	k := newMulAddBench[F](t, 700*420, 420*14*w, 700*14*w)
	r := rand.New(rand.NewPCG(3, 4))
	for range 25 {
		m, n, p := r.IntN(100), w*(1+r.IntN(13)), r.IntN(3*mulAddBlock)
		k.check(t, o, product{m, n, p, p + r.IntN(20), 1, n + r.IntN(9), n + r.IntN(9), r.IntN(5)})
		k.check(t, o, product{m, n, p, 1, m + r.IntN(20), n + r.IntN(9), n + r.IntN(9), r.IntN(5)})
	}
	for _, p := range []int{mulAddBlock - 1, mulAddBlock, mulAddBlock + 1} {
		k.check(t, o, product{600, 2 * w, p, 1, 600, 2 * w, 2 * w, 0})
		k.check(t, o, product{600, 2 * w, p, p, 1, 2 * w, 2 * w, 0})
	}
	k.check(t, o, product{50, 8 * w, 300, 2048, 1, 8 * w, 8 * w, 3})
	// Rows and elements of a that coincide.
	k.check(t, o, product{9, w, 11, 0, 1, w, w, 0})
	k.check(t, o, product{9, w, 11, 1, 1, w, w, 0})
}

// TestMulAddParts proves what the engine's bit-identity rests on: a row of c
// does not depend on the other rows, nor a vector of columns on the others.
func TestMulAddParts(t *testing.T) {
	eachTier(t, testMulAddParts[float32])
	eachTier(t, testMulAddParts[float64])
}

func testMulAddParts[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	m, n, p := 41, 9*w, 2*mulAddBlock+37
	r := rand.New(rand.NewPCG(5, 6))
	a, b, whole := random[F](r, m*p), random[F](r, p*n), make([]F, m*n)
	o.MulAdd(m, n, p, a, p, 1, b, n, whole, n)
	turned := make([]F, m*p)
	for i := range m {
		for l := range p {
			turned[l*m+i] = a[i*p+l]
		}
	}
	part := make([]F, m*n)
	for range 300 {
		rows, vectors := 1+r.IntN(m), 1+r.IntN(9)
		i0, j0, cols := r.IntN(m-rows+1), r.IntN(10-vectors)*w, vectors*w
		clear(part)
		if r.IntN(2) == 0 {
			o.MulAdd(rows, cols, p, a[i0*p:], p, 1, b[j0:], n, part, cols)
		} else {
			o.MulAdd(rows, cols, p, turned[i0:], 1, m, b[j0:], n, part, cols)
		}
		for i := range rows {
			for j := range cols {
				if got, want := part[i*cols+j], whole[(i0+i)*n+j0+j]; bitsOf(got) != bitsOf(want) {
					t.Fatalf("rows %d+%d, columns %d+%d: c[%d,%d] = %v, as part of the whole %v", i0, rows, j0, cols, i, j, got, want)
				}
			}
		}
	}
}

func random[F Float](r *rand.Rand, n int) []F {
	x := make([]F, n)
	for i := range x {
		x[i] = F(r.Float64())
	}
	return x
}

// TestMulAddBounds gives slices that are one element too short.
func TestMulAddBounds(t *testing.T) {
	eachTier(t, testMulAddBounds[float32])
	eachTier(t, testMulAddBounds[float64])
}

func testMulAddBounds[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	a, b, c := make([]F, 5*7), make([]F, 7*w), make([]F, 5*w)
	o.MulAdd(5, w, 7, a, 7, 1, b, w, c, w)
	for name, call := range map[string]func(){
		"short a":            func() { o.MulAdd(5, w, 7, a[1:], 7, 1, b, w, c, w) },
		"short turned a":     func() { o.MulAdd(5, w, 7, a[1:], 1, 5, b, w, c, w) },
		"short b":            func() { o.MulAdd(5, w, 7, a, 7, 1, b[1:], w, c, w) },
		"short c":            func() { o.MulAdd(5, w, 7, a, 7, 1, b, w, c[1:], w) },
		"no a":               func() { o.MulAdd(5, w, 7, nil, 7, 1, b, w, c, w) },
		"part of a vector":   func() { o.MulAdd(5, w-1, 7, a, 7, 1, b, w, c, w) },
		"negative columns":   func() { o.MulAdd(5, -w, 7, a, 7, 1, b, w, c, w) },
		"negative stride":    func() { o.MulAdd(5, w, 7, a, -7, 1, b, w, c, w) },
		"stride that wraps":  func() { o.MulAdd(5, w, 7, a, math.MaxInt/2+1, 1, b, w, c, w) },
		"overlapping c":      func() { o.MulAdd(5, w, 7, a, 7, 1, b, w, c, w-1) },
		"huge column stride": func() { o.MulAdd(5, w, 7, a, 7, math.MaxInt, b, w, c, w) },
	} {
		mustPanic(t, name, call)
	}
	o.MulAdd(0, w, 7, nil, 7, 1, nil, w, nil, w)
	o.MulAdd(5, 0, 7, nil, 7, 1, nil, w, nil, w)
	o.MulAdd(5, w, 0, nil, 7, 1, nil, w, nil, w)
}

func mustPanic(t testing.TB, name string, call func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", name)
		}
	}()
	call()
}

// FuzzMulAdd draws shapes and strides.
func FuzzMulAdd(f *testing.F) {
	f.Add(uint8(3), uint8(1), uint8(20), uint8(0), uint8(0), uint8(0), true)
	f.Add(uint8(64), uint8(3), uint8(200), uint8(1), uint8(7), uint8(3), false)
	f.Fuzz(func(t *testing.T, m, vectors, p, gapA, gapB, slack uint8, turned bool) {
		fuzzMulAdd[float32](t, int(m), int(vectors%10), int(p), int(gapA%8), int(gapB%8), int(slack%8), turned)
		fuzzMulAdd[float64](t, int(m), int(vectors%10), int(p), int(gapA%8), int(gapB%8), int(slack%8), turned)
	})
}

func fuzzMulAdd[F Float](t *testing.T, m, vectors, p, gapA, gapB, slack int, turned bool) {
	n := vectors * Width[F]()
	k := newMulAddBench[F](t, (m+8)*(p+8), (p+1)*(n+8), (m+1)*(n+8))
	s := product{m, n, p, p + gapA, 1, n + gapB, n + gapA, slack}
	if turned {
		s.rs, s.cs = 1, m+gapA
	}
	for _, name := range Tiers() {
		k.check(t, ForTier[F](name), s)
	}
}
