package kernel

import "math"

// scanSums is the number of sums that Scan keeps side by side. What is left at
// the end is added to their sum, one after the other.
const scanSums = 16

func scan[F Float](x []F) (largest F, sum, sumSq float64, ok bool) {
	var s, q [scanSums]float64
	groups := len(x) / scanSums * scanSums
	for i := 0; i < groups; i += scanSums {
		for j, v := range x[i : i+scanSums] {
			if !sound(v) {
				return 0, 0, 0, false
			}
			largest = max(largest, v)
			s[j] += float64(v)
			// Not to be fused: every tier adds the same numbers.
			q[j] += float64(float64(v) * float64(v))
		}
	}
	for n := scanSums / 2; n > 0; n /= 2 {
		for i := range n {
			s[i] += s[i+n]
			q[i] += q[i+n]
		}
	}
	return scanRest(x[groups:], largest, s[0], q[0])
}

// scanRest goes on with the numbers that make no whole group.
func scanRest[F Float](x []F, top F, s, q float64) (largest F, sum, sumSq float64, ok bool) {
	for _, v := range x {
		if !sound(v) {
			return 0, 0, 0, false
		}
		top = max(top, v)
		s += float64(v)
		q += float64(float64(v) * float64(v))
	}
	return top, s, q, true
}

// sound reports whether a number is finite and not negative.
func sound[F Float](v F) bool { return v >= 0 && v <= largestFinite[F]() }

func largestFinite[F Float]() F {
	limit := math.MaxFloat64
	if sizeof[F]() == 4 {
		limit = math.MaxFloat32
	}
	return F(limit)
}
