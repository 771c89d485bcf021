package rank

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestAgreeByPairs checks the adjusted Rand index against its definition over
// pairs, and purity and misplaced samples by hand.
func TestAgreeByPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		n := 4 + rng.IntN(30)
		a, b := make([]int, n), make([]int, n)
		for i := range n {
			a[i], b[i] = rng.IntN(3), rng.IntN(4)
		}
		var both, inA, inB, pairs float64
		for i := range n {
			for j := range i {
				pairs++
				if a[i] == a[j] {
					inA++
				}
				if b[i] == b[j] {
					inB++
				}
				if a[i] == a[j] && b[i] == b[j] {
					both++
				}
			}
		}
		expected := inA * inB / pairs
		want := (both - expected) / ((inA+inB)/2 - expected)
		if (inA+inB)/2 == expected {
			want = 1
		}
		if got := Agree(a, b).ARI; math.Abs(got-want) > 1e-12 {
			t.Fatalf("ARI of %v and %v is %v, by pairs %v", a, b, got, want)
		}
	}
}

func TestAgree(t *testing.T) {
	for _, c := range []struct {
		name              string
		clusters, labels  []int
		ari, nmi, purity  float64
		misplaced, number int
	}{
		{"the same with other numbers", []int{1, 1, 0, 0}, []int{0, 0, 5, 5}, 1, 1, 1, 0, 4},
		{"one cluster", []int{0, 0, 0, 0}, []int{0, 0, 1, 1}, 0, 0, 0.5, 2, 4},
		{"both one", []int{2, 2}, []int{1, 1}, 1, 1, 1, 0, 2},
		{"without labels", []int{0, 0, 1, 1}, []int{0, -1, 1, -1}, 1, 1, 1, 0, 2},
		{"more clusters than labels", []int{0, 1, 2, 3}, []int{0, 0, 1, 1}, 0, 2.0 / 3, 1, 2, 4},
	} {
		a := Agree(c.clusters, c.labels)
		if math.Abs(a.ARI-c.ari) > 1e-12 || math.Abs(a.NMI-c.nmi) > 1e-12 || a.Purity != c.purity || a.Misplaced != c.misplaced || a.Samples != c.number {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
	if a := Agree([]int{0}, []int{-1}); a.Samples != 0 || !math.IsNaN(a.ARI) {
		t.Errorf("no labels: %+v", a)
	}
}

func TestAgreeAsSklearn(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	type pair struct{ A, B []int }
	var all []pair
	for range 30 {
		n := 2 + rng.IntN(60)
		p := pair{make([]int, n), make([]int, n)}
		for i := range n {
			p.A[i] = rng.IntN(4)
			p.B[i] = (p.A[i] + rng.IntN(2)*rng.IntN(3)) % 5
		}
		all = append(all, p)
	}
	var theirs [][]float64
	python(t, `
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
result = []
for p in data:
    c = contingency_matrix(p["B"], p["A"])
    result.append([adjusted_rand_score(p["A"], p["B"]), normalized_mutual_info_score(p["A"], p["B"]), c.max(axis=0).sum() / c.sum()])
`, all, &theirs)
	for i, p := range all {
		a := Agree(p.A, p.B)
		for j, got := range []float64{a.ARI, a.NMI, a.Purity} {
			if math.Abs(got-theirs[i][j]) > 1e-9 {
				t.Errorf("%v and %v: %+v, scikit-learn has %v", p.A, p.B, a, theirs[i])
			}
		}
	}
}
