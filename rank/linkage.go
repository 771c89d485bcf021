package rank

import (
	"math"
	"slices"
)

// merge joins the clusters that hold samples a and b at a height.
type merge struct {
	a, b   int
	height float64
}

// averageLinkage clusters n samples hierarchically by the mean distance between
// clusters (UPGMA, Sokal & Michener 1958) with the chain of nearest neighbours
// (Murtagh 1983): O(n²) time and the distances, which it changes, as its only
// large memory. d holds the distances of the pairs i < j by rows (see pairAt).
// Among equally near clusters the one before in the chain is taken, then the
// lowest index, so that the tree depends on d alone. The merges come sorted by
// height.
func averageLinkage(n int, d []float64) []merge {
	size := make([]int, n)
	for i := range size {
		size[i] = 1
	}
	merges := make([]merge, 0, max(0, n-1))
	var chain []int
	for len(merges) < n-1 {
		if len(chain) == 0 {
			chain = append(chain, slices.IndexFunc(size, func(s int) bool { return s > 0 }))
		}
		x := chain[len(chain)-1]
		y, nearest := -1, math.Inf(1)
		if len(chain) > 1 {
			y = chain[len(chain)-2]
			nearest = d[pairAt(n, x, y)]
		}
		for i, s := range size {
			if s == 0 || i == x {
				continue
			}
			if v := d[pairAt(n, x, i)]; v < nearest {
				y, nearest = i, v
			}
		}
		if len(chain) < 2 || y != chain[len(chain)-2] {
			chain = append(chain, y)
			continue
		}
		chain = chain[:len(chain)-2]
		if x > y {
			x, y = y, x
		}
		merges = append(merges, merge{x, y, nearest})
		nx, ny := float64(size[x]), float64(size[y])
		size[y] += size[x]
		size[x] = 0
		for i, s := range size {
			if s > 0 && i != y {
				d[pairAt(n, i, y)] = (nx*d[pairAt(n, i, x)] + ny*d[pairAt(n, i, y)]) / (nx + ny)
			}
		}
	}
	slices.SortStableFunc(merges, func(p, q merge) int {
		switch {
		case p.height < q.height:
			return -1
		case p.height > q.height:
			return 1
		}
		return 0
	})
	return merges
}

// pairAt is the place of the pair (i, j), i ≠ j, in a list of all pairs of n
// samples by rows.
func pairAt(n, i, j int) int {
	if i > j {
		i, j = j, i
	}
	return i*(2*n-i-1)/2 + j - i - 1
}

// cophenetic gives, for every pair of samples, the height at which the merges
// bring them together.
func cophenetic(n int, merges []merge) []float64 {
	out := make([]float64, n*(n-1)/2)
	walk(n, merges, func(a, b []int, height float64) {
		for _, i := range a {
			for _, j := range b {
				out[pairAt(n, i, j)] = height
			}
		}
	})
	return out
}

// leafOrder is the order of the samples along the tree.
func leafOrder(n int, merges []merge) []int {
	members := walk(n, merges, func(_, _ []int, _ float64) {})
	return members
}

// cut gives every sample the number of its cluster where the tree is cut into k
// clusters, numbered by their first samples.
func cut(n, k int, merges []merge) []int {
	keep := min(len(merges), max(0, n-k))
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	var root func(i int) int
	root = func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, m := range merges[:keep] {
		parent[root(m.a)] = root(m.b)
	}
	labels, number := make([]int, n), map[int]int{}
	for i := range labels {
		r := root(i)
		if _, ok := number[r]; !ok {
			number[r] = len(number)
		}
		labels[i] = number[r]
	}
	return labels
}

// walk calls join with the samples of both clusters of every merge and gives
// all samples in the order of the tree.
func walk(n int, merges []merge, join func(a, b []int, height float64)) []int {
	at := make([]int, n)
	members := make([][]int, n)
	for i := range n {
		at[i], members[i] = i, []int{i}
	}
	if n == 0 {
		return nil
	}
	last := 0
	for _, m := range merges {
		a, b := at[m.a], at[m.b]
		join(members[a], members[b], m.height)
		members[b] = append(members[a], members[b]...)
		for _, i := range members[a] {
			at[i] = b
		}
		members[a] = nil
		last = b
	}
	return members[last]
}

// correlation is Pearson's; NaN where either side does not vary.
func correlation(x, y []float64) float64 {
	var mx, my float64
	for i := range x {
		mx += x[i]
		my += y[i]
	}
	n := float64(len(x))
	mx, my = mx/n, my/n
	var xx, yy, xy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx += dx * dx
		yy += dy * dy
		xy += dx * dy
	}
	if xx == 0 || yy == 0 {
		return math.NaN()
	}
	return xy / math.Sqrt(xx*yy)
}
