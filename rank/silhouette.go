package rank

import (
	"math"

	"github.com/partsof/nmf/matrix"
)

// groupComponents brings the components of many runs into k groups with one of
// every run in each: it starts from the components of one run and, in turn,
// matches every run to the groups' means (Assign on cosines) and takes the means
// anew, until nothing changes (Alexandrov et al. 2013, as NMFk and SigProfiler
// do). It gives all components, run by run, and the group of each. All runs must
// have k components.
func groupComponents(runs []vectors, reference int) (all vectors, of []int) {
	k := len(runs[reference])
	for _, v := range runs {
		all = append(all, v...)
	}
	of = make([]int, len(all))
	for i := range of {
		of[i] = -1
	}
	centre := runs[reference]
	const most = 100
	for range most {
		changed := false
		for r, v := range runs {
			for j, to := range Assign(v.cosines(centre)) {
				at := r*k + j
				changed = changed || of[at] != to
				of[at] = to
			}
		}
		if !changed {
			break
		}
		centre = unitRows(groupSums(all, of, k))
	}
	return all, of
}

// groupSums adds the vectors of each group.
func groupSums(v vectors, of []int, k int) *matrix.Dense[float64] {
	s := matrix.NewDense[float64](k, len(v[0]))
	for i, a := range v {
		row := s.Row(of[i])
		for j, x := range a {
			row[j] += float64(x)
		}
	}
	return s
}

// silhouettes gives each of k groups of unit vectors the mean silhouette of its
// members (Rousseeuw 1987) with the distance 1 − cosine: (b − a) / max(a, b)
// with a the mean distance to the others of the group and b the least mean
// distance to another group; 0 for a member that is alone. The mean of cosines
// is the cosine with the mean, so that it takes no pairs. With one group there
// is no other: b is then 1, the distance to what has nothing in common.
func silhouettes(v vectors, of []int, k int) []float64 {
	sums, size := groupSums(v, of, k), make([]float64, k)
	for _, c := range of {
		size[c]++
	}
	out := make([]float64, k)
	for i, a := range v {
		own := of[i]
		if size[own] < 2 {
			continue
		}
		within, other := 0.0, math.Inf(1)
		for c := range k {
			cos := 0.0
			for j, s := range sums.Row(c) {
				cos += float64(a[j]) * s
			}
			switch {
			case c == own:
				within = max(0, 1-(cos-dot(a, a))/(size[c]-1))
			case size[c] > 0:
				other = min(other, max(0, 1-cos/size[c]))
			}
		}
		if k == 1 {
			other = 1
		}
		if most := max(within, other); most > 0 {
			out[own] += (other - within) / most / size[own]
		}
	}
	return out
}
