package rank

import "math"

// Assign solves the linear assignment problem: gains is n x p with n ≤ p, and
// the result gives each row a column of its own so that the sum of gains is as
// large as can be. It is the Hungarian method by shortest augmenting paths with
// potentials (Kuhn 1955; Jonker & Volgenant 1987), O(n²·p). Equal sums are
// decided by the lowest indices that it meets first, so that the result depends
// on gains alone. A NaN counts as the least of gains.
func Assign(gains [][]float64) []int {
	n := len(gains)
	if n == 0 {
		return nil
	}
	p := len(gains[0])
	// u and v are the potentials of rows and columns, rowOf the row of each
	// column; index 0 stands for "none".
	u, v := make([]float64, n+1), make([]float64, p+1)
	rowOf, from := make([]int, p+1), make([]int, p+1)
	least := make([]float64, p+1)
	done := make([]bool, p+1)
	cost := func(i, j int) float64 {
		if g := gains[i-1][j-1]; !math.IsNaN(g) {
			return -g
		}
		return math.MaxFloat64 / 4
	}
	for i := 1; i <= n; i++ {
		rowOf[0] = i
		j := 0
		for q := range least {
			least[q], done[q] = math.Inf(1), false
		}
		for rowOf[j] != 0 {
			done[j] = true
			row, next, delta := rowOf[j], 0, math.Inf(1)
			for q := 1; q <= p; q++ {
				if done[q] {
					continue
				}
				if reduced := cost(row, q) - u[row] - v[q]; reduced < least[q] {
					least[q], from[q] = reduced, j
				}
				if least[q] < delta {
					delta, next = least[q], q
				}
			}
			for q := range done {
				if done[q] {
					u[rowOf[q]] += delta
					v[q] -= delta
				} else {
					least[q] -= delta
				}
			}
			j = next
		}
		for j != 0 {
			rowOf[j] = rowOf[from[j]]
			j = from[j]
		}
	}
	columns := make([]int, n)
	for j := 1; j <= p; j++ {
		if rowOf[j] > 0 {
			columns[rowOf[j]-1] = j - 1
		}
	}
	return columns
}
