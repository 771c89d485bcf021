package engine

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/matrix"
)

func TestProducts(t *testing.T) {
	const m, n, k = 150, 70, 5
	rng := rand.New(rand.NewPCG(1, 2))
	x := matrix.NewDense[float64](m, n)
	for i := range x.Data {
		if rng.IntN(3) == 0 {
			x.Data[i] = rng.Float64()
		}
	}
	w, h := NewTall[float64](m, k), NewTall[float64](n, k)
	for i := range m {
		for j := range k {
			w.Row(i)[j] = rng.Float64()
		}
	}
	for _, x := range []matrix.Matrix[float64]{x, x.Sparse()} {
		for _, workers := range []int{1, 3, 8} {
			data := NewData(x, 1)
			got, want := NewProducts(context.Background(), data, w, h, workers).Run(), data.TransposeTimes(w, 1)
			for i := range n {
				for j, v := range want.Row(i) {
					if e := math.Abs(got.Row(i)[j] - v); e > 1e-12*v {
						t.Fatalf("%T, %d workers: XᵀW[%d,%d] is %v, want %v", x, workers, i, j, got.Row(i)[j], v)
					}
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if NewProducts(ctx, NewData[float64](x, 1), w, h, 2).Run() != nil {
		t.Error("a cancelled pass gives a product")
	}
}
