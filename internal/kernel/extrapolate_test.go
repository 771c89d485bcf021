package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExtrapolate(t *testing.T) {
	eachTier(t, testExtrapolate[float32])
	eachTier(t, testExtrapolate[float64])
}

func testExtrapolate[F Float](t *testing.T, o *Ops[F]) {
	const mostRows, mostVectors = 7, 5
	width := Width[F]()
	size := mostRows * mostVectors * width
	ba, fa, oa, ya := newArena[F](t, mostVectors*width+8), newArena[F](t, size+8), newArena[F](t, size+8), newArena[F](t, size+8)
	r := rand.New(rand.NewPCG(1, 2))
	for rows := range mostRows {
		for vectors := range mostVectors {
			n, slack := vectors*width, r.IntN(4)
			beta, fresh, old, out := ba.take(n, slack), fa.take(rows*n, slack), oa.take(rows*n, slack), ya.take(rows*n, slack)
			for j := range beta {
				beta[j] = F(r.Float64())
			}
			for i := range fresh {
				fresh[i], old[i] = F(max(0, r.NormFloat64())), F(max(0, r.NormFloat64()))
			}
			// Into memory of its own, then over old.
			floor := F(0)
			if rows%2 > 0 {
				floor = F(r.Float64())
			}
			o.Extrapolate(rows, n, floor, beta, fresh, old, out)
			ya.check("Extrapolate")
			for i, v := range out {
				f, d := float64(fresh[i]), float64(fresh[i])-float64(old[i])
				b := float64(beta[i%n])
				want, bound := max(float64(floor)*f, f+b*d), 4*roundoff[F]()*(f+math.Abs(b*d))
				if !(math.Abs(float64(v)-want) <= bound) || math.Signbit(float64(v)) {
					t.Fatalf("%d x %d: element %d is %v, want %v within %g", rows, n, i, v, want, bound)
				}
			}
			o.Extrapolate(rows, n, floor, beta, fresh, old, old)
			oa.check("Extrapolate in place")
			for i, v := range old {
				if bitsOf(v) != bitsOf(out[i]) {
					t.Fatalf("%d x %d: element %d is %v in place, %v elsewhere", rows, n, i, v, out[i])
				}
			}
		}
	}
	short := make([]F, 2*width-1)
	whole := make([]F, 2*width)
	mustPanic(t, "Extrapolate: beta", func() { o.Extrapolate(1, 2*width, 0, short, whole, whole, whole) })
	mustPanic(t, "Extrapolate: fresh", func() { o.Extrapolate(2, width, 0, whole, short, whole, whole) })
	mustPanic(t, "Extrapolate: old", func() { o.Extrapolate(2, width, 0, whole, whole, short, whole) })
	mustPanic(t, "Extrapolate: out", func() { o.Extrapolate(2, width, 0, whole, whole, whole, short) })
	mustPanic(t, "Extrapolate: columns", func() { o.Extrapolate(1, 1, 0, whole, whole, whole, whole) })
}
