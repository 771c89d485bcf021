package rank

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// randomCounts is a matrix of small counts, many of them zero.
func randomCounts(m, n int, seed uint64) *matrix.Dense[float64] {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := matrix.NewDense[float64](m, n)
	for i := range x.Data {
		x.Data[i] = float64(max(0, rng.IntN(12)-5))
	}
	return x
}

func dense(x matrix.Matrix[float64]) *matrix.Dense[float64] {
	if s, ok := x.(*matrix.CSR[float64]); ok {
		return s.Dense()
	}
	return x.(*matrix.Dense[float64])
}

func column(x *matrix.Dense[float64], j int) []float64 {
	out := make([]float64, x.Rows)
	for i := range out {
		out[i] = x.At(i, j)
	}
	slices.Sort(out)
	return out
}

func TestShuffledKeepsFeatures(t *testing.T) {
	x := randomCounts(30, 12, 1)
	for name, given := range map[string]matrix.Matrix[float64]{"dense": x, "sparse": x.Sparse()} {
		y := dense(shuffled(given, 7, 0))
		same := 0
		for j := range x.Cols {
			if !slices.Equal(column(x, j), column(y, j)) {
				t.Errorf("%s: feature %d has other values", name, j)
			}
		}
		for i := range x.Data {
			if x.Data[i] == y.Data[i] {
				same++
			}
		}
		if same > len(x.Data)*2/3 {
			t.Errorf("%s: %d of %d cells stay what they were", name, same, len(x.Data))
		}
		if again := dense(shuffled(given, 7, 0)); !slices.Equal(again.Data, y.Data) {
			t.Errorf("%s: the same seed shuffles otherwise", name)
		}
		if other := dense(shuffled(given, 7, 1)); slices.Equal(other.Data, y.Data) {
			t.Errorf("%s: another copy is the same", name)
		}
	}
}

func TestPoissonHasTheMean(t *testing.T) {
	x := randomCounts(8, 6, 2)
	const copies = 2000
	sums := make([]float64, len(x.Data))
	for c := range copies {
		y := poisson[float64](x, 3, c).(*matrix.Dense[float64])
		s := dense(poisson[float64](x.Sparse(), 3, c))
		for i, v := range y.Data {
			sums[i] += v
			if x.Data[i] == 0 && (v != 0 || s.Data[i] != 0) {
				t.Fatal("a zero is drawn as something")
			}
			if v != math.Trunc(v) {
				t.Fatalf("%v is no count", v)
			}
		}
	}
	for i, sum := range sums {
		if d := math.Abs(sum/copies - x.Data[i]); d > 5*math.Sqrt(x.Data[i]/copies) {
			t.Errorf("cell %d: mean %v of %v", i, sum/copies, x.Data[i])
		}
	}
	if !areCounts[float64](x) {
		t.Error("counts are taken for none")
	}
	x.Set(1, 1, 0.5)
	if areCounts[float64](x) {
		t.Error("a half is taken for a count")
	}
}

func TestTake(t *testing.T) {
	x := randomCounts(9, 7, 4)
	rows, columns := []int{0, 3, 3, 8}, []int{1, 2, 6}
	for _, given := range []matrix.Matrix[float64]{x, x.Sparse()} {
		some, block := dense(takeRows(given, rows)), dense(takeBlock(given, rows, columns))
		for p, i := range rows {
			for j := range x.Cols {
				if some.At(p, j) != x.At(i, j) || at(given, i, j) != x.At(i, j) {
					t.Fatal("takeRows or at takes another cell")
				}
			}
			for q, j := range columns {
				if block.At(p, q) != x.At(i, j) {
					t.Fatal("takeBlock takes another cell")
				}
			}
		}
	}
}

func TestForRows(t *testing.T) {
	mask, err := matrix.NewMask(4, 3, []int32{0, 2, 2}, []int32{1, 0, 2})
	if err != nil {
		t.Fatal(err)
	}
	weights := randomCounts(4, 3, 5)
	o, err := forRows(nmf.Options{Mask: mask, Weights: weights, RowWeights: []float64{1, 2, 3, 4}, RowNames: []string{"a", "b", "c", "d"}}, []int{2, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if o.RowNames != nil || !slices.Equal(o.RowWeights, []float64{3, 3, 4}) {
		t.Errorf("%v, %v", o.RowNames, o.RowWeights)
	}
	w := o.Weights.(*matrix.Dense[float64])
	for p, i := range []int{2, 2, 3} {
		for j := range 3 {
			if o.Mask.Has(p, j) != mask.Has(i, j) || w.At(p, j) != weights.At(i, j) {
				t.Errorf("cell (%d, %d) is another", p, j)
			}
		}
	}
	if err := o.Mask.Check(); err != nil {
		t.Error(err)
	}
	if _, err := forRows(nmf.Options{PenaltyW: nmf.Penalty{Smooth: 1}}, nil); err == nil {
		t.Error("samples that a penalty joins are drawn anew")
	}
}

func TestDistinct(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := make([]int, 10)
	for range 10000 {
		d := distinct(rng, 10, 3)
		if len(d) != 3 || !slices.IsSorted(d) || len(slices.Compact(slices.Clone(d))) != 3 {
			t.Fatalf("%v", d)
		}
		for _, i := range d {
			seen[i]++
		}
	}
	for i, n := range seen {
		if n < 2700 || n > 3300 {
			t.Errorf("%d is drawn %d times of 30000", i, n)
		}
	}
	if d := distinct(rng, 5, 5); !slices.Equal(d, []int{0, 1, 2, 3, 4}) {
		t.Errorf("all of five: %v", d)
	}
}

// TestMergedRows: samples that are drawn more than once add the same to the loss as
// they do one by one.
func TestMergedRows(t *testing.T) {
	x := randomCounts(6, 9, 4)
	rows := []int{0, 0, 2, 5, 5, 5}
	factor := map[int]float64{0: 2, 2: 1, 5: 3}
	rng := rand.New(rand.NewPCG(5, 5))
	for _, kind := range []string{"frobenius", "kl"} {
		l, err := lossOf(&nmf.Info{Resolved: nmf.Options{Loss: kind}})
		if err != nil {
			t.Fatal(err)
		}
		for name, given := range map[string]matrix.Matrix[float64]{"dense": x, "sparse": x.Sparse()} {
			merged := dense(mergedRows(given, rows, kind))
			if merged.Rows != len(factor) || !slices.Equal(dense(given).Data, x.Data) {
				t.Fatalf("%s, %s: %d rows, of data that has changed", kind, name, merged.Rows)
			}
			i := 0
			for _, row := range []int{0, 2, 5} {
				scale := factor[row]
				if kind == "frobenius" {
					scale = math.Sqrt(scale)
				}
				var once, apart float64
				for j := range x.Cols {
					y := 0.5 + rng.Float64()
					apart += factor[row] * l.Value(x.At(row, j), y, j)
					once += l.Value(merged.At(i, j), scale*y, j)
				}
				if math.Abs(once-apart) > 1e-12*apart {
					t.Errorf("%s, %s: row %d has the loss %v, drawn %v times %v", kind, name, row, once, factor[row], apart)
				}
				i++
			}
		}
	}
	weighted := []float64{1, 2}
	for what, o := range map[string]nmf.Options{"weights": {RowWeights: weighted}, "a penalty": {PenaltyW: nmf.Penalty{L1: 1}},
		"a mask": {Mask: &matrix.Mask{}}, "the loss is": {Loss: "is"}} {
		if mergesRows(&o) {
			t.Errorf("samples are merged with %s", what)
		}
	}
	if !mergesRows(&nmf.Options{}) {
		t.Error("samples are not merged where they can be")
	}
}
