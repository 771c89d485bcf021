package rank

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
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

// dot is the cosine of two unit vectors, summed in float64. The order of the sum
// is fixed: kernels that begin where memory is aligned would give other last
// digits from one call to the next.
func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float64(a[i]) * float64(b[i])
		s1 += float64(a[i+1]) * float64(b[i+1])
		s2 += float64(a[i+2]) * float64(b[i+2])
		s3 += float64(a[i+3]) * float64(b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i]) * float64(b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// cosines are those of all pairs of rows.
func (v vectors) cosines(w vectors) [][]float64 {
	return pairCosines([]vectors{v, w}, []pair{{0, 1}}, 1)[0]
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

// pair is two runs.
type pair struct{ a, b int }

// meanAmari is the mean of amari over all pairs of runs; over 1,225 of them,
// drawn by the seed, where there are more. NaN for a single run.
func meanAmari(runs []vectors, seed uint64, workers int) float64 {
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
	for i, c := range pairCosines(runs, list, workers) {
		values[i] = amari(c)
	}
	return mean(values)
}

// pairCosines are the cosines of all pairs of components of pairs of runs, summed in
// float64: in parts of the features, which are converted once for all pairs.
func pairCosines(runs []vectors, pairs []pair, workers int) [][][]float64 {
	const features = 256
	ops := kernel.For[float64]()
	k, n := 0, 0
	for _, r := range runs {
		k = max(k, len(r))
		if len(r) > 0 {
			n = len(r[0])
		}
	}
	ld := kernel.Pad[float64](k)
	part := make([]float64, len(runs)*features*ld)
	of := func(run int) []float64 { return part[run*features*ld : (run+1)*features*ld] }
	sums := make([]float64, len(pairs)*k*ld)
	for from := 0; from < n; from += features {
		to := min(from+features, n)
		parallel(workers, len(runs), func(r int) {
			tall := of(r)
			for j, v := range runs[r] {
				for i, x := range v[from:to] {
					tall[i*ld+j] = float64(x)
				}
			}
		})
		parallel(workers, len(pairs), func(p int) {
			ops.MulAdd(k, ld, to-from, of(pairs[p].a), 1, ld, of(pairs[p].b), ld, sums[p*k*ld:], ld)
		})
	}
	out := make([][][]float64, len(pairs))
	for p, of := range pairs {
		for i := range runs[of.a] {
			at := (p*k + i) * ld
			out[p] = append(out[p], sums[at:at+len(runs[of.b])])
		}
	}
	return out
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
