package cells

import (
	"cmp"
	"math"
	"slices"

	"github.com/partsof/nmf/matrix"
)

// choose gives the genes that vary most, in their order.
func (p *Prepared[F]) choose(normal *matrix.CSR[F], o *Options) []int {
	all := make([]int, normal.Cols)
	for j := range all {
		all[j] = j
	}
	if o.Genes < 0 || o.Genes >= len(all) {
		return all
	}
	mean, variance := moments(normal)
	score := Dispersions(mean, variance, o.Flavour)
	slices.SortStableFunc(all, func(a, b int) int {
		// Genes without a score come last.
		x, y := score[a], score[b]
		if math.IsNaN(x) || math.IsNaN(y) {
			return cmp.Compare(boolean(math.IsNaN(x)), boolean(math.IsNaN(y)))
		}
		return cmp.Compare(y, x)
	})
	chosen := all[:o.Genes]
	slices.Sort(chosen)
	return chosen
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// dispersionBins is the number of groups of genes of like mean.
const dispersionBins = 20

// Dispersions scores how much genes vary beside others of like mean, from the
// means and variances (n−1) of their normalised counts, as scanpy's
// highly_variable_genes does; NaN for genes that have no score.
//
// "seurat" (Satija et al. 2015): the logarithm of variance/mean, less its mean and
// divided by its standard deviation (n−1) over the genes of a bin; bins are 20 of
// equal width in log(1+mean). A gene alone in its bin has the score 1.
//
// "cell_ranger" (Zheng et al. 2017): variance/mean, less its median and divided by
// the median absolute deviation, of genes between every 5 % of the means from
// 10 % on; the deviation is divided by 0.6745.
func Dispersions(mean, variance []float64, flavour string) []float64 {
	n := len(mean)
	level, dispersion := make([]float64, n), make([]float64, n)
	for j := range mean {
		m := mean[j]
		if m == 0 {
			m = 1e-12
		}
		level[j], dispersion[j] = m, variance[j]/m
		if flavour == "seurat" {
			level[j] = math.Log1p(m)
			if dispersion[j] == 0 {
				dispersion[j] = math.NaN()
			}
			dispersion[j] = math.Log(dispersion[j])
		}
	}
	bins := quantileBins(level)
	if flavour == "seurat" {
		bins = equalBins(level)
	}
	members := map[int][]float64{}
	for j, b := range bins {
		if !math.IsNaN(dispersion[j]) {
			members[b] = append(members[b], dispersion[j])
		}
	}
	centre, spread := map[int]float64{}, map[int]float64{}
	for b, values := range members {
		if flavour == "seurat" {
			centre[b], spread[b] = meanAndDeviation(values)
		} else {
			centre[b] = median(values)
			spread[b] = deviation(values, centre[b])
		}
	}
	score := make([]float64, n)
	for j, b := range bins {
		score[j] = (dispersion[j] - centre[b]) / spread[b]
		if flavour == "seurat" && len(members[b]) == 1 {
			score[j] = dispersion[j] / dispersion[j]
		}
		if math.IsInf(score[j], 0) {
			score[j] = math.NaN()
		}
	}
	return score
}

func meanAndDeviation(v []float64) (mean, deviation float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		deviation += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(v)-1))
}

// deviation is the median absolute deviation, in units of a normal law's
// standard deviation.
func deviation(v []float64, centre float64) float64 {
	d := make([]float64, len(v))
	for i, x := range v {
		d[i] = math.Abs(x - centre)
	}
	return median(d) / 0.6744897501960817
}

// equalBins numbers the bins of equal width, closed on the right; the least
// value is in the first.
func equalBins(v []float64) []int {
	least, most := slices.Min(v), slices.Max(v)
	edges := make([]float64, dispersionBins+1)
	for i := range edges {
		edges[i] = least + (most-least)*float64(i)/dispersionBins
	}
	edges[0] -= 0.001 * (most - least)
	return binsOf(v, edges)
}

// quantileBins numbers the bins between the percentiles 10, 15, …, 100.
func quantileBins(v []float64) []int {
	sorted := slices.Sorted(slices.Values(v))
	edges := []float64{math.Inf(-1)}
	for percent := 10.0; percent < 105; percent += 5 {
		// By straight lines between order statistics, as numpy.percentile.
		at := percent / 100 * float64(len(sorted)-1)
		i := int(at)
		e := sorted[i]
		if i+1 < len(sorted) {
			e += (at - float64(i)) * (sorted[i+1] - sorted[i])
		}
		if e != edges[len(edges)-1] {
			edges = append(edges, e)
		}
	}
	return binsOf(v, append(edges, math.Inf(1)))
}

// binsOf finds the bin (edges[b], edges[b+1]] of each value.
func binsOf(v, edges []float64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		b, _ := slices.BinarySearch(edges, x) // the first edge that is not below x
		out[i] = b - 1
	}
	return out
}
