package kernel

import (
	"math"
	"testing"
	"unsafe"
)

// arena gives slices whose surroundings are watched: guard values lie before
// and after them, and beyond those memory that cannot be touched.
type arena[F Float] struct {
	t      testing.TB
	memory []F
	from   int
	to     int
}

// guards is the number of guard values before a slice.
const guards = 40

func newArena[F Float](t testing.TB, n int) *arena[F] {
	n += 2 * guards
	raw := protected(t, n*sizeof[F]())
	return &arena[F]{t: t, memory: unsafe.Slice((*F)(unsafe.Pointer(&raw[0])), len(raw)/sizeof[F]())}
}

// guard is a value that no kernel computes with: a NaN, which an input must
// not let through, with a payload that tells it from a computed one.
func guard[F Float]() F {
	var g F
	switch p := any(&g).(type) {
	case *float32:
		*p = math.Float32frombits(0x7fc0beef)
	case *float64:
		*p = math.Float64frombits(0x7ff800000badbeef)
	}
	return g
}

func bitsOf[F Float](x F) uint64 {
	switch v := any(x).(type) {
	case float32:
		return uint64(math.Float32bits(v))
	default:
		return math.Float64bits(float64(x))
	}
}

// take gives n guard values, slack elements before the end of the memory. It
// holds until the next take.
func (a *arena[F]) take(n, slack int) []F {
	if n+slack+guards > len(a.memory) {
		a.t.Fatalf("arena of %d is too small for %d", len(a.memory), n)
	}
	a.to = len(a.memory) - slack
	a.from = a.to - n
	for i := a.from - guards; i < len(a.memory); i++ {
		a.memory[i] = guard[F]()
	}
	return a.memory[a.from:a.to:a.to]
}

// check fails if something was written around the slice that take gave.
func (a *arena[F]) check(what any) {
	a.t.Helper()
	want := bitsOf(guard[F]())
	for i := a.from - guards; i < len(a.memory); i++ {
		if (i < a.from || i >= a.to) && bitsOf(a.memory[i]) != want {
			a.t.Fatalf("%+v: wrote element %d of a slice of %d", what, i-a.from, a.to-a.from)
		}
	}
}

// roundoff is half the distance from 1 to the next number.
func roundoff[F Float]() float64 {
	if sizeof[F]() == 4 {
		return 0x1p-24
	}
	return 0x1p-53
}
