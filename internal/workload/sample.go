package workload

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/stat/distuv"
)

// What a stream of random numbers is for, so that no two parts of a workload
// share one.
const (
	forW = iota + 1
	forH
	forNoise
	forTopic
	forLength
	forTokens
	forCounts
	forFeature
)

// stream is the generator of one row or topic: its numbers do not depend on
// which others were drawn before.
func stream(seed, purpose uint64, index int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, mix(purpose<<56|uint64(index))))
}

// mix is the finalizer of SplitMix64 (Steele, Lea & Flood 2014): neighbouring
// seeds of a PCG would give related streams.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func logNormal(rng *rand.Rand, mu, sigma float64) float64 {
	return math.Exp(mu + sigma*rng.NormFloat64())
}

// gammas fills dst from Gamma(shape, 1).
func gammas(dst []float64, rng *rand.Rand, shape float64) {
	g := distuv.Gamma{Alpha: shape, Beta: 1, Src: rng}
	for i := range dst {
		dst[i] = g.Rand()
	}
}

func poisson(rng *rand.Rand, rate float64) int {
	return int(distuv.Poisson{Lambda: rate, Src: rng}.Rand())
}

// dirichlet draws a symmetric Dirichlet vector as its cumulative sums, for
// pick.
func dirichlet(dst []float64, rng *rand.Rand, concentration float64) {
	gammas(dst, rng, concentration)
	for i := 1; i < len(dst); i++ {
		dst[i] += dst[i-1]
	}
	total := dst[len(dst)-1]
	for i := range dst {
		dst[i] /= total
	}
}

// pick draws an index from cumulative probabilities.
func pick(rng *rand.Rand, cumulative []float64) int {
	u := rng.Float64()
	for i, c := range cumulative[:len(cumulative)-1] {
		if u < c {
			return i
		}
	}
	return len(cumulative) - 1
}

// alias draws from a fixed discrete distribution in constant time (Walker
// 1977, tables as Vose 1991 makes them).
type alias struct {
	keep  []float32
	other []int32
}

func newAlias(weights []float64) alias {
	n, total := len(weights), 0.0
	for _, w := range weights {
		total += w
	}
	a := alias{keep: make([]float32, n), other: make([]int32, n)}
	scaled := make([]float64, n)
	var small, large []int32
	for i, w := range weights {
		scaled[i] = w / total * float64(n)
		a.keep[i], a.other[i] = 1, int32(i)
		if scaled[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.keep[s], a.other[s] = float32(scaled[s]), l
		scaled[l] -= 1 - scaled[s]
		if scaled[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return a
}

func (a alias) pick(rng *rand.Rand) int32 {
	i := rng.IntN(len(a.keep))
	if rng.Float32() < a.keep[i] {
		return int32(i)
	}
	return a.other[i]
}

// forEach calls fn for every index below n, on several goroutines.
func forEach(threads, n int, fn func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				fn(i)
			}
		})
	}
	wg.Wait()
}
