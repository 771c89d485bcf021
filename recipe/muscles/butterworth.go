package muscles

import (
	"fmt"
	"math"
	"slices"

	"github.com/partsof/nmf/recipe"
)

// section is a part of a filter of second order, a0 = 1.
type section struct{ b0, b1, b2, a1, a2 float64 }

// butterworth designs a Butterworth filter by the bilinear transform, as
// sections, with half the power at `cutoff` Hz.
func butterworth(order int, cutoff, rate float64, high bool) []section {
	k := math.Tan(math.Pi * cutoff / rate)
	var list []section
	for i := range order / 2 {
		// The pole pair's 2·cos of its angle to the real axis.
		damping := 2 * math.Sin(math.Pi*float64(2*i+1)/float64(2*order))
		norm := 1 / (1 + damping*k + k*k)
		s := section{k * k * norm, 2 * k * k * norm, k * k * norm, 2 * (k*k - 1) * norm, (1 - damping*k + k*k) * norm}
		if high {
			s.b0, s.b1, s.b2 = norm, -2*norm, norm
		}
		list = append(list, s)
	}
	if order%2 == 1 {
		s := section{b0: k / (1 + k), b1: k / (1 + k), a1: (k - 1) / (k + 1)}
		if high {
			s.b0, s.b1 = 1/(1+k), -1/(1+k)
		}
		list = append(list, s)
	}
	return list
}

// apply filters v in place, as if its first value had stood since ever.
func (s section) apply(v []float64, first float64) {
	gain := (s.b0 + s.b1 + s.b2) / (1 + s.a1 + s.a2)
	z2 := (s.b2 - s.a2*gain) * first
	z1 := (s.b1-s.a1*gain)*first + z2
	for i, x := range v {
		y := s.b0*x + z1
		z1 = s.b1*x - s.a1*y + z2
		z2 = s.b2*x - s.a2*y
		v[i] = y
	}
}

// zeroPhase filters forwards and backwards (Gustafsson 1996), so that nothing
// is delayed and every frequency is damped twice. The signal is continued at
// both ends by its point reflection, 3·(order+1) values, as in scipy's filtfilt.
func zeroPhase(v []float64, order int, cutoff, rate float64, high bool) ([]float64, error) {
	pad := 3 * (order + 1)
	if len(v) <= pad {
		return nil, fmt.Errorf("%w: a recording of %d values is too short for a filter of order %d, which needs more than %d", recipe.ErrInput, len(v), order, pad)
	}
	n := len(v)
	long := make([]float64, 0, n+2*pad)
	for i := pad; i >= 1; i-- {
		long = append(long, 2*v[0]-v[i])
	}
	long = append(long, v...)
	for i := 1; i <= pad; i++ {
		long = append(long, 2*v[n-1]-v[n-1-i])
	}
	sections := butterworth(order, cutoff, rate, high)
	for range 2 {
		first := long[0]
		for _, s := range sections {
			s.apply(long, first)
			first *= (s.b0 + s.b1 + s.b2) / (1 + s.a1 + s.a2)
		}
		slices.Reverse(long)
	}
	return long[pad : pad+n], nil
}
