package rank

import (
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/partsof/nmf/matrix"
)

// vectors are components scaled to unit length; one that is zero stays zero.
type vectors [][]float32

// unitRows scales the rows of h to unit length.
func unitRows[F matrix.Float](h *matrix.Dense[F]) vectors {
	out := make(vectors, h.Rows)
	for j := range out {
		out[j] = unit(h.Row(j))
	}
	return out
}

func unit[F matrix.Float](row []F) []float32 {
	norm := 0.0
	for _, v := range row {
		norm += float64(v) * float64(v)
	}
	out := make([]float32, len(row))
	if norm > 0 {
		norm = math.Sqrt(norm)
		for i, v := range row {
			out[i] = float32(float64(v) / norm)
		}
	}
	return out
}

// dot is the cosine of two unit vectors, summed in float64.
func dot(a, b []float32) float64 {
	return blas32.DDot(blas32.Vector{N: len(a), Inc: 1, Data: a}, blas32.Vector{N: len(b), Inc: 1, Data: b})
}

// cosines are those of all pairs of rows.
func (v vectors) cosines(w vectors) [][]float64 {
	out := make([][]float64, len(v))
	for i, a := range v {
		out[i] = make([]float64, len(w))
		for j, b := range w {
			out[i][j] = dot(a, b)
		}
	}
	return out
}

// amari is the dissimilarity of two sets of k components from their cosines c:
// (2k − Σ_i max_j c_ij − Σ_j max_i c_ij) / 2k, 0 where each has its like in the
// other (Wu et al. 2016, after Amari, Cichocki & Yang 1996).
func amari(c [][]float64) float64 {
	k := len(c)
	best := make([]float64, k)
	sum := 0.0
	for _, row := range c {
		most := 0.0
		for j, v := range row {
			most = max(most, v)
			best[j] = max(best[j], v)
		}
		sum += most
	}
	for _, v := range best {
		sum += v
	}
	return max(0, 1-sum/float64(2*k))
}

// mostPairs bounds the pairs of runs that the Amari distance is a mean of.
const mostPairs = 1225

// meanAmari is the mean of amari over all pairs of runs; over 1,225 of them,
// drawn by the seed, where there are more. NaN for a single run.
func meanAmari(runs []vectors, seed uint64, workers int) float64 {
	type pair struct{ a, b int }
	var list []pair
	for a := range runs {
		for b := a + 1; b < len(runs); b++ {
			list = append(list, pair{a, b})
		}
	}
	if len(list) == 0 {
		return math.NaN()
	}
	rng := stream(seed, forPairs, 0)
	for i := range min(len(list)-1, mostPairs) {
		if len(list) > mostPairs {
			j := i + rng.IntN(len(list)-i)
			list[i], list[j] = list[j], list[i]
		}
	}
	list = list[:min(len(list), mostPairs)]
	values := make([]float64, len(list))
	parallel(workers, len(list), func(i int) {
		values[i] = amari(runs[list[i].a].cosines(runs[list[i].b]))
	})
	return mean(values)
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// spread is the mean and its standard error.
func spread(values []float64) (m, se float64) {
	m = mean(values)
	if len(values) < 2 {
		return m, math.NaN()
	}
	sum := 0.0
	for _, v := range values {
		sum += (v - m) * (v - m)
	}
	n := float64(len(values))
	return m, math.Sqrt(sum / (n - 1) / n)
}
