package start

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

func norm(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}

// plainSPA follows Gillis & Vavasis (2014), Algorithm 1, on the rows of X
// divided by their sums: project everything, every time.
func plainSPA(x *matrix.Dense[float64], k int) []int {
	r := x.Clone()
	for i := range r.Rows {
		sum := 0.0
		for _, v := range r.Row(i) {
			sum += v
		}
		if sum > 0 {
			for j := range r.Row(i) {
				r.Row(i)[j] /= sum
			}
		}
	}
	var chosen []int
	for range k {
		best, most := 0, -1.0
		for i := range r.Rows {
			if n := norm(r.Row(i)); n > most {
				best, most = i, n
			}
		}
		chosen = append(chosen, best)
		u := slices.Clone(r.Row(best))
		for i := range r.Rows {
			d := 0.0
			for j, v := range r.Row(i) {
				d += u[j] / most * v
			}
			for j := range u {
				r.Row(i)[j] -= d * u[j] / most
			}
		}
	}
	return chosen
}

func randomDense[F matrix.Float](rng *rand.Rand, rows, cols int) *matrix.Dense[F] {
	x := matrix.NewDense[F](rows, cols)
	for i := range x.Data {
		x.Data[i] = F(max(0, rng.NormFloat64()))
	}
	return x
}

func TestSPAIsThePlainOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 20 {
		rows, cols := 6+rng.IntN(60), 6+rng.IntN(30)
		x := randomDense[float64](rng, rows, cols)
		k := 1 + rng.IntN(min(rows, cols)-1)
		want := plainSPA(x, k)
		if got := extremeRows(engine.NewData[float64](x, 1), k, 3); !slices.Equal(got, want) {
			t.Errorf("%d x %d: dense gives %v, want %v", rows, cols, got, want)
		}
		if got := extremeRows(engine.NewData[float64](x.Sparse(), 1), k, 1); !slices.Equal(got, want) {
			t.Errorf("%d x %d: sparse gives %v, want %v", rows, cols, got, want)
		}
	}
}

// TestSPAFindsPureRows mixes components of which each has a row of its own,
// times any number: those rows are found, and W and H are exact.
func TestSPAFindsPureRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		k, m, n := rapid.IntRange(2, 6).Draw(t, "k"), rapid.IntRange(7, 40).Draw(t, "m"), rapid.IntRange(8, 30).Draw(t, "n")
		h := randomDense[float64](rng, k, n)
		for l := range k { // far from each other
			h.Set(l, l, h.At(l, l)+5)
		}
		at := rng.Perm(m)[:k]
		x := matrix.NewDense[float64](m, n)
		for i := range m {
			scale := math.Exp(rng.NormFloat64())
			pure := slices.Index(at, i)
			for l := range k {
				w := scale * rng.Float64()
				if pure >= 0 {
					w = 0
					if pure == l {
						w = scale
					}
				}
				for j := range n {
					x.Set(i, j, x.At(i, j)+w*h.At(l, j))
				}
			}
		}
		d := engine.NewData[float64](x, 1)
		found := extremeRows(d, k, 1)
		slices.Sort(found)
		slices.Sort(at)
		if !slices.Equal(found, at) {
			t.Fatalf("found rows %v, want %v", found, at)
		}
		w, ht, err := New("spa", d, k, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m {
			for j := range n {
				sum := 0.0
				for l := range k {
					sum += w.Row(i)[l] * ht.Row(j)[l]
				}
				if math.Abs(sum-x.At(i, j)) > 1e-2*(1+x.At(i, j)) {
					t.Fatalf("cell (%d, %d) is %v, want %v", i, j, sum, x.At(i, j))
				}
			}
		}
	})
}

// TestSPABeyondRank has fewer directions than components, zero rows, and equal
// rows.
func TestSPABeyondRank(t *testing.T) {
	x, err := matrix.FromRows([][]float32{{0, 0, 0, 0}, {1, 2, 0, 0}, {2, 4, 0, 0}, {0, 0, 3, 1}, {1, 2, 3, 1}, {1.0 / 3, 2.0 / 3, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	d := engine.NewData[float32](x, 1)
	if got := extremeRows(d, 4, 1); len(got) != 2 || !slices.Contains(got, 3) {
		t.Errorf("rows %v of a matrix of rank 2", got)
	}
	for _, k := range []int{1, 4, 9} {
		w, h, err := New("spa", d, k, 5, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []*engine.Tall[float32]{w, h} {
			for i := range f.Rows {
				for _, v := range f.Row(i) {
					if !(v >= 0) || math.IsInf(float64(v), 0) {
						t.Fatalf("k = %d: an entry is %v", k, v)
					}
				}
			}
		}
	}
}
