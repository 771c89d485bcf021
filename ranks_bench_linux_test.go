package nmf_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/bench"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// BenchmarkRanks compares two ranks of one thread, within this process, with one
// process of two threads: 10 iterations of the same fit, all that a fit does
// beside them included. The processor time is that of the process: where other
// work shares the processor, ranks wait for the one that it holds up, and only
// that time says what they cost.
func BenchmarkRanks(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	dense := matrix.NewDense[float32](20000, 5000)
	for i := range dense.Data {
		dense.Data[i] = float32(rng.IntN(256)) / 255
	}
	const rows, cols, perRow = 60000, 20000, 125
	sparse := &matrix.CSR[float32]{Rows: rows, Cols: cols, RowPtr: make([]int, 1, rows+1)}
	for range rows {
		for p := range perRow {
			sparse.ColIdx = append(sparse.ColIdx, int32(p*(cols/perRow)+rng.IntN(cols/perRow)))
			sparse.Val = append(sparse.Val, float32(1+rng.IntN(9)))
		}
		sparse.RowPtr = append(sparse.RowPtr, len(sparse.Val))
	}
	for _, w := range []struct {
		name string
		x    matrix.Matrix[float32]
		k    int
		o    nmf.Options
	}{
		{"dense", dense, 40, nmf.Options{Compression: "off"}},
		{"sparse", sparse, 30, nmf.Options{}},
		{"kl", sparse, 30, nmf.Options{Loss: "kl"}},
	} {
		w.o.MaxIter, w.o.Tol, w.o.LossTol, w.o.Init = 10, -1, -1, "random"
		b.Run(w.name+"/threads", func(b *testing.B) {
			o := w.o
			o.Threads = 2
			before := bench.ProcessorTime()
			for b.Loop() {
				if _, err := nmf.Fit(context.Background(), w.x, w.k, &o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((bench.ProcessorTime()-before).Seconds()/float64(b.N), "cpu-s/op")
		})
		b.Run(w.name+"/ranks", func(b *testing.B) {
			o := w.o
			o.Threads = 1
			before := bench.ProcessorTime()
			for b.Loop() {
				err := comm.Run(2, func(c comm.Comm) error {
					m, _ := w.x.Dims()
					from, to := nmf.RankRows(m, 2, c.Rank())
					_, err := nmf.FitRows(context.Background(), c, cutRows(w.x, from, to), w.k, &o)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((bench.ProcessorTime()-before).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}
