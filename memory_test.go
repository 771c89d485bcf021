package nmf_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestMemory compares the estimate with what is in use during a fit, measured
// after a collection at every iteration.
func TestMemory(t *testing.T) {
	const rows, cols = 3000, 2000
	for _, c := range []struct {
		name   string
		sparse bool
		k      int
		opt    nmf.Options
	}{
		{"dense", false, 20, nmf.Options{Init: "random"}},
		{"sparse", true, 20, nmf.Options{Init: "random"}},
		{"sparse, nndsvda", true, 40, nmf.Options{Init: "nndsvda"}},
		{"sparse, mu", true, 16, nmf.Options{Init: "random", Solver: "mu"}},
		{"sparse, restarts", true, 5, nmf.Options{Runs: 20}},
		{"dense, weights of rows", false, 20, nmf.Options{Init: "random", RowWeights: ramp(rows)}},
		{"sparse, weights of columns", true, 20, nmf.Options{Init: "random", ColumnWeights: ramp(cols)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := inUse()
			x := scattered(rows, cols, c.sparse)
			stored := rows * cols
			if s, ok := x.(*matrix.CSR[float32]); ok {
				stored = s.NNZ()
			}
			most := 0
			opt := c.opt
			opt.MaxIter, opt.Tol, opt.LossTol, opt.Threads, opt.Compression = 5, -1, -1, 2, "off"
			opt.Progress = func(nmf.Progress) { most = max(most, inUse()-base) }
			if _, err := nmf.Fit(context.Background(), x, c.k, &opt); err != nil {
				t.Fatal(err)
			}
			want, err := nmf.Memory[float32](rows, cols, stored, c.sparse, c.k, &opt)
			if err != nil {
				t.Fatal(err)
			}
			if want < 0.9*float64(most) || want > 2*float64(most) {
				t.Errorf("estimate %.0f kB, in use %d kB", want/1000, most/1000)
			}
		})
	}
}

// inUse is what is in use on the heap, without what pools keep: that outlives one
// collection, but not two.
func inUse() int {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int(s.HeapAlloc)
}

// scattered has one cell in ten above zero.
func scattered(rows, cols int, sparse bool) matrix.Matrix[float32] {
	d := matrix.NewDense[float32](rows, cols)
	for i := range d.Data {
		if i*2654435761>>7%10 == 0 {
			d.Data[i] = float32(1 + i%13)
		}
	}
	if sparse {
		return d.Sparse()
	}
	return d
}
