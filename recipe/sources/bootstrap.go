package sources

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// BootstrapOptions says how to resample. Nil and the zero value are the defaults.
type BootstrapOptions struct {
	// Resamples is how many there are. Default 100.
	Resamples int
	// Block is the number of consecutive samples that are drawn together.
	// Default: the cube root of the number of samples (Hall, Horowitz & Jing
	// 1995), rounded.
	Block int
	// Least is the correlation of contributions from which a factor counts as
	// found again. Default 0.6, as in EPA PMF.
	Least   float64
	Seed    uint64
	Threads int
}

// Bootstrapped is what a bootstrap tells.
type Bootstrapped struct {
	Resamples, Block int
	// Mapped[b][l] counts factors of resamples like factor b that were found
	// again as factor l of the solution; Mapped[b][k] those like none.
	Mapped [][]int
	// Quantiles are those of the entries of the profiles over the resamples that
	// have the factor: [factor][species][5, 25, 50, 75, 95 per cent].
	Quantiles [][][5]float64
}

// Levels are those of Bootstrapped.Quantiles.
var Levels = [5]float64{0.05, 0.25, 0.5, 0.75, 0.95}

// Bootstrap fits resamples of blocks of consecutive samples (Norris et al. 2014):
// each starts at the solution, and its factors are mapped to those of the
// solution by the uncentred correlation of their contributions.
func (s *Set) Bootstrap(ctx context.Context, base *Solution, o *BootstrapOptions) (*Bootstrapped, error) {
	var opt BootstrapOptions
	if o != nil {
		opt = *o
	}
	m, k, n := base.G.Rows, base.K(), base.F.Cols
	if opt.Resamples == 0 {
		opt.Resamples = 100
	}
	if opt.Block == 0 {
		opt.Block = max(1, int(math.Round(math.Cbrt(float64(m)))))
	}
	if opt.Least == 0 {
		opt.Least = 0.6
	}
	if opt.Resamples < 1 || opt.Block < 1 || opt.Block > m || !(opt.Least > 0 && opt.Least < 1) {
		return nil, fmt.Errorf("%w: a bootstrap of %d resamples in blocks of %d of %d samples, correlations from %v", recipe.ErrOption, opt.Resamples, opt.Block, m, opt.Least)
	}
	profiles := make([]*matrix.Dense[float64], opt.Resamples)
	mapped := make([][]int, opt.Resamples)
	weights := s.Weights()
	err := parallel(ctx, opt.Threads, opt.Resamples, func(b int) error {
		counts := blockCounts(rand.New(rand.NewPCG(opt.Seed, uint64(b))), m, opt.Block)
		r, err := s.refit(ctx, refit{g: base.G, f: base.F, weights: weights, rows: counts})
		if err != nil {
			return fmt.Errorf("resample %d: %w", b+1, err)
		}
		profiles[b], mapped[b] = r.F, matches(r.G, base.G, counts, opt.Least)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &Bootstrapped{Resamples: opt.Resamples, Block: opt.Block, Mapped: make([][]int, k), Quantiles: make([][][5]float64, k)}
	for l := range k {
		out.Mapped[l] = make([]int, k+1)
		out.Quantiles[l] = make([][5]float64, n)
	}
	values := make([][][]float64, k)
	for l := range values {
		values[l] = make([][]float64, n)
	}
	for b, f := range profiles {
		for l, to := range mapped[b] {
			if to < 0 {
				out.Mapped[l][k]++
				continue
			}
			out.Mapped[l][to]++
			for j, v := range f.Row(l) {
				values[to][j] = append(values[to][j], v)
			}
		}
	}
	for l := range values {
		for j, list := range values[l] {
			slices.Sort(list)
			for q, level := range Levels {
				out.Quantiles[l][j][q] = quantile(list, level)
			}
		}
	}
	return out, nil
}

// blockCounts draws blocks of consecutive samples, with replacement, until there
// are m, and counts each. A sample that is drawn twice weighs twice in the fit,
// which is the same as having it twice.
func blockCounts(rng *rand.Rand, m, block int) []float64 {
	counts := make([]float64, m)
	for left := m; left > 0; {
		first := rng.IntN(m - block + 1)
		for i := range min(block, left) {
			counts[first+i]++
		}
		left -= block
	}
	return counts
}

// matches gives for each column of g the column of base whose uncentred
// correlation with it is highest, and at least least; -1 where there is none.
// Rows are weighed.
func matches(g, base *matrix.Dense[float64], weights []float64, least float64) []int {
	list := make([]int, g.Cols)
	for l := range list {
		best := least
		list[l] = -1
		for to := range base.Cols {
			var both, a2, b2 float64
			for i := range g.Rows {
				w := 1.0
				if weights != nil {
					w = weights[i]
				}
				a, b := g.At(i, l), base.At(i, to)
				both, a2, b2 = both+w*a*b, a2+w*a*a, b2+w*b*b
			}
			if c := both / math.Sqrt(a2*b2); c >= best { // not where it is NaN
				list[l], best = to, c
			}
		}
	}
	return list
}
