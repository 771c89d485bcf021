package rank

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// naiveCophenetic joins the nearest two clusters again and again, distances
// between clusters being means over their pairs.
func naiveCophenetic(n int, d []float64) []float64 {
	clusters := make([][]int, n)
	for i := range clusters {
		clusters[i] = []int{i}
	}
	out := make([]float64, len(d))
	for len(clusters) > 1 {
		bi, bj, best := 0, 0, math.Inf(1)
		for i := range clusters {
			for j := range i {
				sum := 0.0
				for _, a := range clusters[i] {
					for _, b := range clusters[j] {
						sum += d[pairAt(n, a, b)]
					}
				}
				if m := sum / float64(len(clusters[i])*len(clusters[j])); m < best {
					bi, bj, best = i, j, m
				}
			}
		}
		for _, a := range clusters[bi] {
			for _, b := range clusters[bj] {
				out[pairAt(n, a, b)] = best
			}
		}
		clusters[bj] = append(clusters[bj], clusters[bi]...)
		clusters = slices.Delete(clusters, bi, bi+1)
	}
	return out
}

func TestLinkageIsNaive(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 50 {
		n := 1 + rng.IntN(25)
		d := make([]float64, n*(n-1)/2)
		for i := range d {
			d[i] = rng.Float64() // no ties, which may be joined in any order
		}
		tree := averageLinkage(n, slices.Clone(d))
		if len(tree) != n-1 {
			t.Fatalf("%d merges of %d samples", len(tree), n)
		}
		got, want := cophenetic(n, tree), naiveCophenetic(n, d)
		for p := range got {
			if math.Abs(got[p]-want[p]) > 1e-12 {
				t.Fatalf("n = %d: pair %d is joined at %v, naively at %v", n, p, got[p], want[p])
			}
		}
		order := leafOrder(n, tree)
		if !slices.Equal(slices.Sorted(slices.Values(order)), all(n)) {
			t.Fatalf("order %v", order)
		}
		for k := 1; k <= n; k++ {
			labels := cut(n, k, tree)
			if got := len(slices.Compact(slices.Sorted(slices.Values(labels)))); got != k {
				t.Fatalf("cut into %d gives %d", k, got)
			}
		}
	}
}

// blocks is the consensus of runs that put samples into clusters with some
// mistakes.
func blocks(n, k, runs int, wrong float64, rng *rand.Rand) *ConsensusMatrix {
	c := NewConsensusMatrix(n, n, 0)
	for range runs {
		clusters := make([]int, n)
		for i := range clusters {
			clusters[i] = i % k
			if rng.Float64() < wrong {
				clusters[i] = rng.IntN(k)
			}
		}
		if err := c.Add(clusters); err != nil {
			panic(err)
		}
	}
	return c
}

// TestCopheneticAsScipy compares with scipy on consensus matrices, whose
// distances have many ties.
func TestCopheneticAsScipy(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	type problem struct {
		D []float64
		K int
	}
	var all []problem
	var mine []float64
	var clusters [][]int
	for i := range 20 {
		k := 2 + i%4
		c := blocks(6+rng.IntN(50), k, 5+rng.IntN(40), 0.3*rng.Float64(), rng)
		all = append(all, problem{c.distances(), k})
		mine = append(mine, c.Cophenetic())
		labels, _ := c.Clusters(k)
		clusters = append(clusters, labels)
	}
	var theirs struct {
		Cophenetic []float64
		Heights    [][]float64
	}
	python(t, `
from scipy.cluster.hierarchy import linkage, cophenet
result = {"Cophenetic": [], "Heights": []}
for p in data:
    d = np.array(p["D"])
    z = linkage(d, "average")
    result["Cophenetic"].append(cophenet(z, d)[0])
    result["Heights"].append(list(z[:, 2]))
`, all, &theirs)
	for i := range mine {
		if math.Abs(mine[i]-theirs.Cophenetic[i]) > 1e-9 {
			t.Errorf("problem %d: %.12f, scipy has %.12f", i, mine[i], theirs.Cophenetic[i])
		}
		n := len(clusters[i])
		for p, m := range averageLinkage(n, slices.Clone(all[i].D)) {
			if math.Abs(m.height-theirs.Heights[i][p]) > 1e-9 {
				t.Errorf("problem %d: merge %d at %v, scipy has %v", i, p, m.height, theirs.Heights[i][p])
			}
		}
	}
}

func TestConsensusMatrix(t *testing.T) {
	c := NewConsensusMatrix(4, 10, 1)
	for _, clusters := range [][]int{{0, 0, 1, 1}, {1, 1, 0, 0}, {0, 0, 0, 1}, {0, 0, -1, -1}} {
		if err := c.Add(clusters); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []struct {
		i, j int
		want float64
	}{{0, 0, 1}, {0, 1, 1}, {0, 2, 0.25}, {1, 2, 0.25}, {2, 3, 0.5}, {0, 3, 0}, {3, 2, 0.5}} {
		if got := c.At(p.i, p.j); got != p.want {
			t.Errorf("samples %d and %d: %v, want %v", p.i, p.j, got, p.want)
		}
	}
	// By its definition over all cells.
	want := 0.0
	for i := range 4 {
		for j := range 4 {
			want += 4 * (c.At(i, j) - 0.5) * (c.At(i, j) - 0.5) / 16
		}
	}
	if got := c.Dispersion(); math.Abs(got-want) > 1e-15 {
		t.Errorf("dispersion %v, by definition %v", got, want)
	}
	if got := c.PAC(); got != 3.0/6 {
		t.Errorf("PAC %v", got)
	}
	if err := c.Add([]int{1}); err == nil {
		t.Error("a run of another size is added")
	}
	same := blocks(20, 3, 10, 0, rand.New(rand.NewPCG(1, 1)))
	if same.Cophenetic() != 1 || same.Dispersion() != 1 || same.PAC() != 0 {
		t.Errorf("the same clusters in all runs: %v %v %v", same.Cophenetic(), same.Dispersion(), same.PAC())
	}
	if one := blocks(20, 1, 10, 0, rand.New(rand.NewPCG(1, 1))); !math.IsNaN(one.Cophenetic()) {
		t.Errorf("one cluster: %v", one.Cophenetic())
	}
}

// TestConsensusOfMany draws samples where there are too many: the same ones for
// a seed.
func TestConsensusOfMany(t *testing.T) {
	a, b, c := NewConsensusMatrix(1_000_000, 50, 1), NewConsensusMatrix(1_000_000, 50, 1), NewConsensusMatrix(1_000_000, 50, 2)
	if len(a.Samples) != 50 || !slices.IsSorted(a.Samples) || !slices.Equal(a.Samples, b.Samples) || slices.Equal(a.Samples, c.Samples) {
		t.Errorf("%v, %v, %v", a.Samples, b.Samples, c.Samples)
	}
}
