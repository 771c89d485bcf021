package nmf_test

import (
	"context"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// BenchmarkFitEach compares many starts of a sparse X, fitted together, with as
// many fits one after the other. Each does the same number of iterations.
func BenchmarkFitEach(b *testing.B) {
	const rows, cols, perRow, k, runs = 8000, 10000, 50, 8, 24
	x := &matrix.CSR[float32]{Rows: rows, Cols: cols, RowPtr: make([]int, 1, rows+1)}
	for i := range rows {
		for p := range perRow {
			x.ColIdx = append(x.ColIdx, int32(p*(cols/perRow)+(i*7919+p*104729)%(cols/perRow)))
			x.Val = append(x.Val, float32(1+(i*31+p*17)%9))
		}
		x.RowPtr = append(x.RowPtr, len(x.Val))
	}
	var starts []nmf.Start
	for seed := range uint64(runs) {
		starts = append(starts, nmf.Start{K: k, Seed: seed})
	}
	o := &nmf.Options{MaxIter: 10, Tol: -1, LossTol: -1, Init: "random"}
	b.Run("together", func(b *testing.B) {
		for b.Loop() {
			if _, err := nmf.FitEach(context.Background(), matrix.Matrix[float32](x), starts, o); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("apart", func(b *testing.B) {
		for b.Loop() {
			for _, s := range starts {
				one := *o
				one.Seed = s.Seed
				if _, err := nmf.Fit(context.Background(), matrix.Matrix[float32](x), s.K, &one); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
