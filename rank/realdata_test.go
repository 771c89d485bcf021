package rank_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
)

// leukemia is ALL-AML (Golub et al. 1999), samples x genes, with labels of two
// and of three kinds.
func leukemia(t testing.TB) (x matrix.Matrix[float32], two, three []int) {
	t.Helper()
	table, err := data.Read[float32](testdata.Shared(t, "data/all-aml/esGolub.csv.gz"), &data.ReadOptions{Transpose: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range table.RowNames {
		switch {
		case strings.HasPrefix(name, "AML"):
			two, three = append(two, 1), append(three, 2)
		case strings.Contains(name, "T-cell"):
			two, three = append(two, 0), append(three, 1)
		default:
			two, three = append(two, 0), append(three, 0)
		}
	}
	return table.X, two, three
}

// TestLeukemia reproduces Brunet et al. (2004): consensus clusters by KL of the
// 38 samples are ALL and AML at k = 2, and the two kinds of ALL and AML at
// k = 3, each with at most two samples misplaced, and both are stable.
func TestLeukemia(t *testing.T) {
	x, two, three := leukemia(t)
	result, err := rank.Sweep(context.Background(), x, &rank.Options{K: []int{2, 3}, Runs: 20,
		Fit: nmf.Options{Loss: "kl"}, Criteria: []string{"cophenetic", "dispersion"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, labels := range [][]int{two, three} {
		k := &result.K[i]
		a := rank.Agree(k.ConsensusClusters, labels)
		t.Logf("k = %d: cophenetic %.4f, dispersion %.4f, %+v", k.K, k.Cophenetic, k.Dispersion, a)
		if a.Misplaced > 2 {
			t.Errorf("k = %d: %d of 38 are misplaced", k.K, a.Misplaced)
		}
		if k.Cophenetic < 0.99 {
			t.Errorf("k = %d: cophenetic correlation %.4f", k.K, k.Cophenetic)
		}
	}
}

// TestSignatures finds the three signatures that the counts of scenario 8 were
// drawn from.
func TestSignatures(t *testing.T) {
	table, err := data.Read[float32](testdata.Shared(t, "data/sbs96-scenario8/Samples.txt.gz"), &data.ReadOptions{Transpose: true})
	if err != nil {
		t.Fatal(err)
	}
	result, err := rank.Sweep(context.Background(), table.X, &rank.Options{K: []int{1, 2, 3, 4, 5, 6}, Runs: 10, Repeats: 3,
		Criteria: []string{"bic", "silhouette", "amari", "bootstrap"}, Bootstraps: 5})
	if err != nil {
		t.Fatal(err)
	}
	r := result.Recommended
	t.Logf("%v: %s", r.ByCriterion, r.Why)
	if r.K != 3 {
		t.Errorf("%d signatures are recommended: %s", r.K, r.Why)
	}
	k := &result.K[2]
	found := matrix.NewDense[float64](3, table.X.(*matrix.Dense[float32]).Cols)
	for j, row := range k.Components {
		for i, v := range row {
			found.Set(j, i, float64(v))
		}
	}
	c, err := rank.Compare(&rank.Components{H: found, Features: table.ColumnNames}, signatures(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Matches {
		t.Logf("component %d is %s: cosine %.4f", m.A+1, m.NameB, m.Cosine)
	}
	if len(c.Matches) != 3 || c.MeanCosine < 0.99 || c.MinCosine < 0.975 {
		t.Errorf("the signatures have the mean cosine %.4f, the least is %.4f", c.MeanCosine, c.MinCosine)
	}
}

// signatures are the true ones of scenario 8.
func signatures(t *testing.T) *rank.Components {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(readGzip(t, testdata.Shared(t, "data/sbs96-scenario8/ground.truth.syn.sigs.csv.gz"))), "\n")
	names := strings.Split(strings.TrimSpace(lines[0]), ",")[2:]
	c := &rank.Components{H: matrix.NewDense[float64](len(names), len(lines)-1), Names: names}
	for i, line := range lines[1:] {
		fields := strings.Split(strings.TrimSpace(line), ",")
		change, context := fields[0], fields[1]
		c.Features = append(c.Features, context[:1]+"["+change+"]"+context[2:])
		for j, f := range fields[2:] {
			c.H.Set(j, i, parseNumber(t, f))
		}
	}
	return c
}

func TestSignaturesAreTheTruth(t *testing.T) {
	c, err := rank.Compare(signatures(t), signatures(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Matches {
		if m.A != m.B || math.Abs(m.Cosine-1) > 1e-6 || m.Drift != 0 {
			t.Errorf("%+v", m)
		}
	}
}
