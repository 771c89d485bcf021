package rank

import (
	"math"

	"github.com/partsof/nmf/matrix"
)

// groups are the components of many runs, brought into k groups with one of
// every run in each.
type groups struct {
	runs []vectors
	// of[r][j] is the group of component j of run r.
	of [][]int
	k  int
}

// groupComponents starts from the components of one run and, in turn, matches
// every run to the groups' means (Assign on cosines) and takes the means anew,
// until nothing changes (Alexandrov et al. 2013, as NMFk and SigProfiler do).
// All runs must have k components.
func groupComponents(runs []vectors, reference int) *groups {
	g := &groups{runs: runs, of: make([][]int, len(runs)), k: len(runs[reference])}
	centre := runs[reference]
	const most = 100
	for range most {
		changed := false
		for r, v := range runs {
			of := Assign(v.cosines(centre))
			for j, to := range of {
				if g.of[r] == nil || g.of[r][j] != to {
					changed = true
				}
			}
			g.of[r] = of
		}
		if !changed {
			break
		}
		centre = unitRows(g.sums())
	}
	return g
}

// sums adds the unit vectors of each group.
func (g *groups) sums() *matrix.Dense[float64] {
	s := matrix.NewDense[float64](g.k, len(g.runs[0][0]))
	for r, v := range g.runs {
		for j, component := range v {
			row := s.Row(g.of[r][j])
			for i, x := range component {
				row[i] += float64(x)
			}
		}
	}
	return s
}

// silhouettes gives each group the mean silhouette of its members (Rousseeuw
// 1987) with the distance 1 − cosine: (b − a) / max(a, b) with a the mean
// distance to the others of the group and b the least mean distance to another
// group. The mean of cosines is the cosine with the mean, so that it takes no
// pairs. With one group there is no other: b is then 1, the distance to what
// has nothing in common.
func (g *groups) silhouettes() []float64 {
	sums, size := g.sums(), float64(len(g.runs))
	out := make([]float64, g.k)
	for r, v := range g.runs {
		for j, component := range v {
			own := g.of[r][j]
			self := dot(component, component)
			a, b := 0.0, math.Inf(1)
			for c := range g.k {
				cos := 0.0
				for i, s := range sums.Row(c) {
					cos += float64(component[i]) * s
				}
				if c == own {
					if size > 1 {
						a = max(0, 1-(cos-self)/(size-1))
					}
				} else {
					b = min(b, max(0, 1-cos/size))
				}
			}
			if g.k == 1 {
				b = 1
			}
			if most := max(a, b); most > 0 {
				out[own] += (b - a) / most / size
			}
		}
	}
	return out
}
