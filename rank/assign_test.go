package rank

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// bestAssignment tries every one.
func bestAssignment(gains [][]float64) float64 {
	n, p := len(gains), len(gains[0])
	used := make([]bool, p)
	var try func(i int) float64
	try = func(i int) float64 {
		if i == n {
			return 0
		}
		best := math.Inf(-1)
		for j := range p {
			if !used[j] {
				used[j] = true
				best = max(best, gains[i][j]+try(i+1))
				used[j] = false
			}
		}
		return best
	}
	return try(0)
}

func randomGains(n, p int, rng *rand.Rand) [][]float64 {
	g := make([][]float64, n)
	for i := range g {
		g[i] = make([]float64, p)
		for j := range g[i] {
			g[i][j] = math.Round(8*rng.NormFloat64()) / 8 // with ties
		}
	}
	return g
}

func gainOf(gains [][]float64, columns []int) float64 {
	sum := 0.0
	for i, j := range columns {
		sum += gains[i][j]
	}
	return sum
}

func TestAssignIsBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 1 + rng.IntN(6)
		p := n + rng.IntN(3)
		gains := randomGains(n, p, rng)
		columns := Assign(gains)
		if len(columns) != n || len(slices.Compact(slices.Sorted(slices.Values(columns)))) != n {
			t.Fatalf("%v is no assignment", columns)
		}
		if got, want := gainOf(gains, columns), bestAssignment(gains); math.Abs(got-want) > 1e-9 {
			t.Fatalf("gains %v: %v has the sum %v, the best is %v", gains, columns, got, want)
		}
	}
	if Assign(nil) != nil {
		t.Error("no rows have an assignment")
	}
	if got := Assign([][]float64{{math.NaN(), 0.5}, {0.2, 0.9}}); !slices.Equal(got, []int{1, 0}) {
		t.Errorf("a NaN is chosen: %v", got)
	}
}

func TestAssignAsScipy(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var all [][][]float64
	var mine []float64
	for range 20 {
		n := 1 + rng.IntN(40)
		g := randomGains(n, n+rng.IntN(10), rng)
		all = append(all, g)
		mine = append(mine, gainOf(g, Assign(g)))
	}
	var theirs []float64
	python(t, `
from scipy.optimize import linear_sum_assignment
result = []
for g in data:
    g = np.array(g)
    result.append(g[linear_sum_assignment(g, maximize=True)].sum())
`, all, &theirs)
	for i := range mine {
		if math.Abs(mine[i]-theirs[i]) > 1e-9 {
			t.Errorf("problem %d: %v, scipy has %v", i, mine[i], theirs[i])
		}
	}
}
