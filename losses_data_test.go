package nmf_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

// shared reads a table of the shared data.
func shared(t *testing.T, parts ...string) *matrix.Dense[float64] {
	t.Helper()
	table, err := data.Read[float64](testdata.Shared(t, filepath.Join("data", filepath.Join(parts...))), nil)
	if err != nil {
		t.Fatal(err)
	}
	return wide(table.X)
}

// TestGolub: k = 3 on 200 genes x 38 samples; R NMF's vignette has the losses
// 543535.7 (Brunet's updates) and 673513120.5 (half the residual sum of
// squares, Lee's), one run each.
func TestGolub(t *testing.T) {
	all := shared(t, "all-aml", "esGolub.csv.gz")
	x := &matrix.Dense[float64]{Rows: 200, Cols: all.Cols, Stride: all.Stride, Data: all.Data}
	kl := fit(t, matrix.Matrix[float64](x), 3, &nmf.Options{Loss: "kl", Runs: 50, MaxIter: 1000, Seed: 1})
	t.Logf("Kullback-Leibler %.4f (%s)", kl.Info.Loss, kl.Info.Status)
	if kl.Info.Loss > 543535.7 {
		t.Errorf("Kullback-Leibler %v, want at most 543535.7", kl.Info.Loss)
	}
	f := fit(t, matrix.Matrix[float64](x), 3, &nmf.Options{Runs: 50, MaxIter: 1000, Seed: 1})
	t.Logf("Frobenius %.4f", f.Info.Loss)
	if f.Info.Loss > 673513120.5 {
		t.Errorf("Frobenius %v, want at most 673513120.5", f.Info.Loss)
	}
}

// TestMutationCatalogue: R NMF reaches 378.7451 on V + 1e-4, k = 2.
func TestMutationCatalogue(t *testing.T) {
	x := shared(t, "mutpatterns-nmf", "mut_mat.csv")
	for i := range x.Data {
		x.Data[i] += 1e-4
	}
	m := fit(t, matrix.Matrix[float64](x), 2, &nmf.Options{Loss: "kl", Runs: 10, MaxIter: 2000, Seed: 1})
	t.Logf("%.6f (%s, KKT %.1e)", m.Info.Loss, m.Info.Status, m.Info.KKT)
	if m.Info.Loss > 378.746 {
		t.Errorf("loss %v, want at most 378.746", m.Info.Loss)
	}
}

// TestBatonRouge: Q = Σ(x−wh)²/σ² of ESAT's best model with 6 factors is
// 69827.9.
func TestBatonRouge(t *testing.T) {
	x, sigma := airTable(t, "con"), airTable(t, "unc")
	weights := matrix.NewDense[float64](x.Rows, x.Cols)
	for i, s := range sigma.Data {
		weights.Data[i] = 1 / (s * s)
	}
	m := fit(t, matrix.Matrix[float64](x), 6, &nmf.Options{Weights: weights, Runs: 20, MaxIter: 2000, Seed: 1})
	t.Logf("Q %.2f (%s, KKT %.1e)", 2*m.Info.Loss, m.Info.Status, m.Info.KKT)
	if q := 2 * m.Info.Loss; q > 69827.9 {
		t.Errorf("Q %v, want at most 69827.9", q)
	}
}

// airTable reads one of Baton Rouge's tables, whose first column is a date.
func airTable(t *testing.T, kind string) *matrix.Dense[float64] {
	t.Helper()
	table, err := data.Read[float64](testdata.Shared(t, "data/air-pmf/Dataset-BatonRouge-"+kind+".csv.gz"), &data.ReadOptions{RowNames: data.Yes, Header: data.Yes})
	if err != nil {
		t.Fatal(err)
	}
	return wide(table.X)
}

// TestFacesRemoved: of 20 % of the cells, removed at random, a fit that leaves
// them out knows more than half of what one on column means misses.
func TestFacesRemoved(t *testing.T) {
	x := matrix.Convert[float32](matrix.Matrix[float64](shared(t, "cbcl-faces", "faces.npy"))).(*matrix.Dense[float32])
	if x.Rows < x.Cols {
		x = x.T()
	}
	rng := rand.New(rand.NewPCG(5, 1))
	var rows, cols []int32
	holed := x.Clone()
	for i := range x.Rows {
		for j := range x.Cols {
			if rng.IntN(5) == 0 {
				rows, cols = append(rows, int32(i)), append(cols, int32(j))
				holed.Set(i, j, float32(math.NaN()))
			}
		}
	}
	imputed := holed.Clone()
	for j := range x.Cols {
		sum, n := 0.0, 0
		for i := range x.Rows {
			if v := holed.At(i, j); v == v {
				sum += float64(v)
				n++
			}
		}
		for i := range x.Rows {
			if v := holed.At(i, j); v != v {
				imputed.Set(i, j, float32(sum/float64(n)))
			}
		}
	}
	removed := func(m *nmf.Model[float32]) float64 {
		p, sum := product(m), 0.0
		for q, i := range rows {
			e := p.At(int(i), int(cols[q])) - float64(x.At(int(i), int(cols[q])))
			sum += e * e
		}
		return sum
	}
	o := nmf.Options{MaxIter: 30, Seed: 1}
	byMean := removed(fit(t, matrix.Matrix[float32](imputed), 49, &o))
	o.Missing = "nan"
	left := removed(fit(t, matrix.Matrix[float32](holed), 49, &o))
	t.Logf("squared error on the removed cells %.1f, %.1f on column means: %.3f", left, byMean, left/byMean)
	if left > byMean/2 {
		t.Errorf("%v is more than half of %v", left, byMean)
	}
}

// rating is one of MovieLens.
type rating struct {
	user, item int32
	value      float32
}

func ratings(t *testing.T) (all []rating, users, items int) {
	t.Helper()
	f, err := os.Open(testdata.Shared(t, "data/movielens-small/ratings.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	u, it := map[string]int32{}, map[string]int32{}
	number := func(m map[string]int32, s string) int32 {
		if _, ok := m[s]; !ok {
			m[s] = int32(len(m))
		}
		return m[s]
	}
	for lines := bufio.NewScanner(z); lines.Scan(); {
		p := strings.Split(lines.Text(), ",")
		var v float32
		if _, err := fmt.Sscan(p[2], &v); err != nil {
			continue
		}
		all = append(all, rating{number(u, p[0]), number(it, p[1]), v})
	}
	return all, len(u), len(it)
}

// TestRatings: five seeded folds of MovieLens, RMSE on the ratings left out:
// below an additive-bias model and at most 0.91.
func TestRatings(t *testing.T) {
	all, users, items := ratings(t)
	rng := rand.New(rand.NewPCG(3, 1))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	const folds = 5
	var mine, biased, n float64
	for fold := range folds {
		var rows, cols []int32
		var vals []float32
		var train, test []rating
		for p, r := range all {
			if p%folds == fold {
				test = append(test, r)
				continue
			}
			train = append(train, r)
			rows, cols, vals = append(rows, r.user), append(cols, r.item), append(vals, r.value)
		}
		x, _, err := matrix.FromTriplets(users, items, rows, cols, vals)
		if err != nil {
			t.Fatal(err)
		}
		predict := ratingModel(t, x)
		base := additive(train, users, items)
		for _, r := range test {
			e := min(5, max(0.5, predict(r.user, r.item))) - float64(r.value)
			b := min(5, max(0.5, base(r.user, r.item))) - float64(r.value)
			mine, biased, n = mine+e*e, biased+b*b, n+1
		}
		t.Logf("after fold %d: RMSE %.4f, additive biases %.4f", fold+1, math.Sqrt(mine/n), math.Sqrt(biased/n))
	}
	mine, biased = math.Sqrt(mine/n), math.Sqrt(biased/n)
	if mine > 0.91 || mine >= biased {
		t.Errorf("RMSE %v; additive biases have %v, and 0.91 is wanted", mine, biased)
	}
}

// ratingModel shrinks users and items towards a mean user and a mean item: rows
// of W and of Hᵀ that have no ratings and are joined to all others by a graph.
func ratingModel(t *testing.T, x *matrix.CSR[float32]) func(u, i int32) float64 {
	t.Helper()
	const k, shrink = 4, 12
	users, items := x.Rows, x.Cols
	more := *x
	more.Rows, more.Cols = users+1, items+1
	more.RowPtr = append(append([]int(nil), x.RowPtr...), x.NNZ())
	m := fit(t, matrix.Matrix[float32](&more), k, &nmf.Options{Missing: "unstored", MaxIter: 60, Seed: 1,
		PenaltyW: nmf.Penalty{Graph: shrink / float64(more.Cols), GraphWeights: star(t, users)},
		PenaltyH: nmf.Penalty{Graph: shrink / float64(more.Rows), GraphWeights: star(t, items)}})
	return func(u, i int32) float64 {
		v := 0.0
		for l, s := range m.Scales {
			v += float64(m.W.At(int(u), l)) * s * float64(m.H.At(l, int(i)))
		}
		return v
	}
}

// star joins n rows to one more.
func star(t *testing.T, n int) *matrix.CSR[float64] {
	t.Helper()
	var rows, cols []int32
	var vals []float64
	for i := range n {
		rows, cols, vals = append(rows, int32(i), int32(n)), append(cols, int32(n), int32(i)), append(vals, 1, 1)
	}
	g, _, err := matrix.FromTriplets(n+1, n+1, rows, cols, vals)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// additive is mean + user + item, each shrunk.
func additive(train []rating, users, items int) func(u, i int32) float64 {
	const shrink = 5
	mean := 0.0
	for _, r := range train {
		mean += float64(r.value) / float64(len(train))
	}
	bu, bi := make([]float64, users), make([]float64, items)
	for range 10 {
		for _, side := range []struct {
			own, other []float64
			key        func(r rating) (own, other int32)
		}{{bi, bu, func(r rating) (int32, int32) { return r.item, r.user }}, {bu, bi, func(r rating) (int32, int32) { return r.user, r.item }}} {
			sum, count := make([]float64, len(side.own)), make([]float64, len(side.own))
			for _, r := range train {
				a, b := side.key(r)
				sum[a] += float64(r.value) - mean - side.other[b]
				count[a]++
			}
			for a := range side.own {
				side.own[a] = sum[a] / (count[a] + shrink)
			}
		}
	}
	return func(u, i int32) float64 { return mean + bu[u] + bi[i] }
}
