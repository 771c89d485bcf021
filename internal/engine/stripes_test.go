package engine

import (
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// TestStripes: Xᵀ·W made in stripes, by any number of workers, has the bits of the one
// made from the transposed copy, which comes after a few products.
func TestStripes(t *testing.T) {
	testStripes[float32](t)
	testStripes[float64](t)
}

func testStripes[F kernel.Float](t *testing.T) {
	const rows, cols = 200, 3000
	r := rand.New(rand.NewPCG(1, 2))
	x := &matrix.CSR[F]{Rows: rows, Cols: cols, RowPtr: []int{0}}
	for i := range rows {
		for j := range cols {
			if i%50 != 7 && r.Float64() < 0.8 {
				x.ColIdx, x.Val = append(x.ColIdx, int32(j)), append(x.Val, F(r.Float64()))
			}
		}
		x.RowPtr = append(x.RowPtr, len(x.Val))
	}
	for _, k := range []int{3, 40, 150} {
		w := NewTall[F](rows, k)
		for i := range rows {
			for j := range k {
				w.Row(i)[j] = F(r.Float64())
			}
		}
		want := NewTall[F](cols, k)
		gatherLines(kernel.For[F](), x.T(), 0, cols, w.Ld, w.Data, w.Ld, want.Data, want.Ld)
		for workers := 1; workers <= 3; workers++ {
			d := NewData[F](x, workers)
			o := d.operand.(*sparseOperand[F])
			if o.stripes == nil || cols%o.stripes.columns == 0 {
				t.Fatalf("%d workers: stripes %v", workers, o.stripes)
			}
			for product := range stripeLines + 2 {
				got := d.TransposeTimes(w, workers)
				if turned := o.turned.Load() != nil; turned != ((product+1)*w.Ld > stripeLines*kernel.Width[F]()) {
					t.Fatalf("%d workers, product %d: a transposed copy: %v", workers, product, turned)
				}
				for p, v := range got.Data {
					if v != want.Data[p] {
						t.Fatalf("%T, k %d, %d workers, product %d: row %d, column %d is %v, not %v", v, k, workers, product, p/w.Ld, p%w.Ld, v, want.Data[p])
					}
				}
			}
		}
	}
}

// TestStripeOf: few cells, or many workers for the columns, and there are no stripes.
func TestStripeOf(t *testing.T) {
	for _, c := range []struct{ rows, cols, stored, workers, want int }{
		{30000, 20000, 43024234, 2, 2048},
		{30000, 20000, 43024234, 4, 1216},
		{30000, 20000, 43024234, 8, 0},
		{20000, 50000, 2750929, 2, 0},
		{100, 100, 10000, 2, 0},
		{100, 100, 10000, 0, 0},
		{0, 0, 0, 1, 0},
	} {
		if got := stripeOf(c.rows, c.cols, c.stored, c.workers); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
