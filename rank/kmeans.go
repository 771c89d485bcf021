package rank

import (
	"math"
	"math/rand/v2"
)

const (
	kMeansStarts     = 10
	kMeansIterations = 300
)

// kMeans divides unit vectors into k clusters: Lloyd's (1982) iterations from
// the starts of k-means++ (Arthur & Vassilvitskii 2007), of ten starts the one
// with the least sum of squared distances. There must be at least k vectors. A
// cluster that becomes empty takes the vector that is farthest from its centre.
func kMeans(v vectors, k int, seed uint64, workers int) []int {
	var best []int
	least := math.Inf(1)
	for start := range kMeansStarts {
		of, sum := lloyd(v, plusPlus(v, k, stream(seed, forMeans, start)), workers)
		if sum < least {
			best, least = of, sum
		}
	}
	return best
}

// squared is the squared distance of a vector to a centre.
func squared(a []float32, centre []float64) float64 {
	sum := 0.0
	for i, x := range a {
		d := float64(x) - centre[i]
		sum += d * d
	}
	return sum
}

func wide(a []float32) []float64 {
	out := make([]float64, len(a))
	for i, x := range a {
		out[i] = float64(x)
	}
	return out
}

// plusPlus draws k vectors as centres, each with a probability that grows with
// its squared distance from those before.
func plusPlus(v vectors, k int, rng *rand.Rand) [][]float64 {
	centres := [][]float64{wide(v[rng.IntN(len(v))])}
	distance := make([]float64, len(v))
	for i, a := range v {
		distance[i] = squared(a, centres[0])
	}
	for len(centres) < k {
		total := 0.0
		for _, d := range distance {
			total += d
		}
		at, left := 0, rng.Float64()*total
		for i, d := range distance {
			at = i
			if left -= d; left < 0 {
				break
			}
		}
		centre := wide(v[at])
		centres = append(centres, centre)
		for i, a := range v {
			distance[i] = min(distance[i], squared(a, centre))
		}
	}
	return centres
}

// lloyd assigns and averages in turn until nothing changes.
func lloyd(v vectors, centres [][]float64, workers int) (of []int, sum float64) {
	of = make([]int, len(v))
	for i := range of {
		of[i] = -1
	}
	nearest, distance := make([]int, len(v)), make([]float64, len(v))
	for range kMeansIterations {
		parallel(workers, len(v), func(i int) {
			distance[i] = math.Inf(1)
			for c, centre := range centres {
				if d := squared(v[i], centre); d < distance[i] {
					nearest[i], distance[i] = c, d
				}
			}
		})
		fillEmpty(nearest, distance, len(centres))
		changed := false
		for i, c := range nearest {
			changed = changed || of[i] != c
			of[i] = c
		}
		if !changed {
			break
		}
		centres = means(v, of, len(centres))
	}
	for _, d := range distance {
		sum += d
	}
	return of, sum
}

// fillEmpty moves to every empty cluster the vector that is farthest from its
// centre and not alone there.
func fillEmpty(nearest []int, distance []float64, k int) {
	size := make([]int, k)
	for _, c := range nearest {
		size[c]++
	}
	for c := range size {
		if size[c] > 0 {
			continue
		}
		far := -1
		for i, d := range distance {
			if size[nearest[i]] > 1 && (far < 0 || d > distance[far]) {
				far = i
			}
		}
		if far < 0 {
			return
		}
		size[nearest[far]]--
		size[c]++
		nearest[far], distance[far] = c, 0
	}
}

func means(v vectors, of []int, k int) [][]float64 {
	out, size := make([][]float64, k), make([]float64, k)
	for c := range out {
		out[c] = make([]float64, len(v[0]))
	}
	for i, a := range v {
		size[of[i]]++
		for j, x := range a {
			out[of[i]][j] += float64(x)
		}
	}
	for c, n := range size {
		for j := range out[c] {
			out[c][j] /= n
		}
	}
	return out
}
