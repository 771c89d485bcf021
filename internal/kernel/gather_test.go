package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestGather(t *testing.T) {
	eachTier(t, testGather[float32])
	eachTier(t, testGather[float64])
}

func testGather[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	r := rand.New(rand.NewPCG(1, 2))
	b, c, val := newArena[F](t, 60*(20*w+8)), newArena[F](t, 20*w+8), newArena[F](t, 400)
	for vectors := 1; vectors <= 18; vectors++ {
		for cells := range 50 {
			checkGatherOf(t, o, cells%2 == vectors%2, r, b, c, val, vectors*w, cells, 1+r.IntN(30), vectors*w+r.IntN(8), r.IntN(4))
		}
		checkGatherOf(t, o, vectors%3 == 0, r, b, c, val, vectors*w, 300+r.IntN(20), 50, vectors*w, 0)
	}
}

func checkGatherOf[F Float](t testing.TB, o *Ops[F], squares bool, r *rand.Rand, ba, ca, va *arena[F], n, cells, rows, ldb, slack int) {
	t.Helper()
	b, c, val := ba.take((rows-1)*ldb+n, slack), ca.take(n, slack), va.take(cells, slack)
	for i := range rows {
		for j := range n {
			b[i*ldb+j] = F(r.NormFloat64())
		}
	}
	idx := make([]int32, cells)
	for i := range idx {
		idx[i], val[i] = int32(r.IntN(rows)), F(r.NormFloat64())
	}
	want, size := make([]float64, n), make([]float64, n)
	for j := range c {
		c[j] = F(r.NormFloat64())
		want[j], size[j] = float64(c[j]), math.Abs(float64(c[j]))
		for t, i := range idx {
			x := float64(val[t]) * float64(b[int(i)*ldb+j])
			if squares {
				x *= float64(b[int(i)*ldb+j])
			}
			want[j] += x
			size[j] += math.Abs(x)
		}
	}
	gather := o.Gather
	if squares {
		gather = o.GatherSquares
	}
	gather(n, idx, val, b, ldb, c)
	ca.check("Gather")
	for j := range c {
		if bound := 2 * float64(cells+3) * roundoff[F]() * size[j]; !(math.Abs(float64(c[j])-want[j]) <= bound) {
			t.Fatalf("n %d, %d cells: c[%d] = %v, want %v within %g", n, cells, j, c[j], want[j], bound)
		}
	}
}

// TestGatherParts proves that a vector of columns does not depend on the
// others.
func TestGatherParts(t *testing.T) {
	eachTier(t, testGatherParts[float32])
	eachTier(t, testGatherParts[float64])
}

func testGatherParts[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	r := rand.New(rand.NewPCG(1, 2))
	const cells, rows, vectors = 37, 50, 17
	n := vectors * w
	b, val, idx := random[F](r, rows*n), random[F](r, cells), make([]int32, cells)
	for i := range idx {
		idx[i] = int32(r.IntN(rows))
	}
	for _, gather := range []func(int, []int32, []F, []F, int, []F){o.Gather, o.GatherSquares} {
		whole := make([]F, n)
		gather(n, idx, val, b, n, whole)
		for from := range vectors {
			for to := from + 1; to <= vectors; to++ {
				part := make([]F, (to-from)*w)
				gather(len(part), idx, val, b[from*w:], n, part)
				for j := range part {
					if bitsOf(part[j]) != bitsOf(whole[from*w+j]) {
						t.Fatalf("vectors %d to %d, element %d: %v, in the whole %v", from, to, j, part[j], whole[from*w+j])
					}
				}
			}
		}
	}
}

// TestGatherBounds gives indices that are not rows: they must not be read.
func TestGatherBounds(t *testing.T) {
	eachTier(t, testGatherBounds[float32])
	eachTier(t, testGatherBounds[float64])
}

func testGatherBounds[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	const rows = 4
	ba := newArena[F](t, rows*w)
	b, c := ba.take(rows*w, 0), make([]F, w)
	clear(b)
	for _, cells := range []int{1, 2, 3, 40} {
		for at := range cells {
			for _, bad := range []int32{rows, -1, math.MaxInt32, math.MinInt32} {
				idx := make([]int32, cells)
				idx[at] = bad
				mustPanic(t, "index", func() { o.Gather(w, idx, make([]F, cells), b, w, c) })
				mustPanic(t, "index", func() { o.GatherSquares(w, idx, make([]F, cells), b, w, c) })
			}
		}
	}
	one := []int32{0}
	mustPanic(t, "no values", func() { o.Gather(w, one, nil, b, w, c) })
	mustPanic(t, "short b", func() { o.Gather(w, one, []F{1}, b[:w-1], w, c) })
	mustPanic(t, "short c", func() { o.Gather(w, one, []F{1}, b, w, c[1:]) })
	mustPanic(t, "no stride", func() { o.Gather(w, one, []F{1}, b, 0, c) })
	mustPanic(t, "part of a vector", func() { o.Gather(w-1, one, []F{1}, b, w, c) })
	o.Gather(w, nil, nil, nil, w, c)
	o.Gather(0, one, []F{1}, b, w, nil)
}
