package nmf_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/bench"
	"github.com/partsof/nmf/matrix"
)

// BenchmarkIteration is an iteration of each loss on the same dense X, on one
// thread: ms/iteration is the least processor time from one entry of the trace to
// the next, so that other programs matter little.
func BenchmarkIteration(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 33))
	const m, n = 8000, 2000
	x := matrix.NewDense[float32](m, n)
	for i := range x.Data {
		x.Data[i] = float32(0.1 + rng.ExpFloat64())
	}
	for _, k := range []int{20, 48} {
		for _, c := range []struct {
			name string
			o    nmf.Options
		}{
			{"frobenius", nmf.Options{}},
			{"kl", nmf.Options{Loss: "kl"}},
			{"kl-mu", nmf.Options{Loss: "kl", Solver: "mu"}},
			{"is", nmf.Options{Loss: "is"}},
			{"beta0.5", nmf.Options{Loss: "beta", Beta: 0.5}},
		} {
			b.Run(fmt.Sprintf("%s/k=%d", c.name, k), func(b *testing.B) {
				least := time.Duration(math.MaxInt64)
				for range b.N {
					var last, before time.Duration
					o := c.o
					o.MaxIter, o.Tol, o.LossTol, o.Threads, o.InnerSweeps, o.Compression = 8, -1, -1, 1, 1, "off"
					o.Progress = func(nmf.Progress) {
						now := bench.ProcessorTime()
						if before, last = last, now; before > 0 {
							least = min(least, last-before)
						}
					}
					fit(b, matrix.Matrix[float32](x), k, &o)
				}
				b.ReportMetric(1e3*least.Seconds(), "ms/iteration")
			})
		}
	}
}
