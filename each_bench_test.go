package nmf_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/bench"
	"github.com/partsof/nmf/internal/workload"
	"github.com/partsof/nmf/matrix"
)

// BenchmarkFitEach compares 98 starts of an X, fitted together, with as many fits
// one after the other: texts and single cells, sparse, a dense X in memory, and one
// that is read block by block; each with one k, and with 14 starts of each k from 2
// to 8. Fits end as they do by default, or after 60 iterations.
//
//	go test . -run - -bench FitEach -benchtime 1x -cpu 1
func BenchmarkFitEach(b *testing.B) {
	const each, least, most = 14, 2, 8
	make := func(name string, rows, cols float64) matrix.Matrix[float32] {
		w, err := workload.Lookup(name)
		if err != nil {
			b.Fatal(err)
		}
		x, err := w.Scaled(rows, cols).Matrix(2)
		if err != nil {
			b.Fatal(err)
		}
		return x
	}
	for _, c := range []struct {
		name       string
		workload   string
		rows, cols float64
		disk       bool
	}{
		{"texts", "S1", 0.25, 0.25, false},
		{"cells", "S2", 0.05, 0.5, false},
		{"dense", "D2", 0.1, 0.2, false},
		{"disk", "D2", 0.05, 0.5, true},
	} {
		for _, k := range []string{"4", "8", "2:8"} {
			b.Run(fmt.Sprintf("%s/k=%s", c.name, k), func(b *testing.B) {
				x := make(c.workload, c.rows, c.cols)
				if c.disk {
					x = onDisk(b, x.(*matrix.Dense[float32]))
				}
				var starts []nmf.Start
				for i := range each * (most - least + 1) {
					s := nmf.Start{K: least + i/each, Seed: uint64(i)}
					if one, err := strconv.Atoi(k); err == nil {
						s.K = one
					}
					starts = append(starts, s)
				}
				o := &nmf.Options{MaxIter: 60, Init: "random", Compression: "off"}
				apart := func() {
					for _, s := range starts {
						one := *o
						one.Seed = s.Seed
						if _, err := nmf.Fit(context.Background(), x, s.K, &one); err != nil {
							b.Fatal(err)
						}
					}
				}
				together := func() {
					if _, err := nmf.FitEach(context.Background(), x, starts, o); err != nil {
						b.Fatal(err)
					}
				}
				var used [2]float64
				for b.Loop() {
					for i, do := range []func(){apart, together} {
						began := bench.ProcessorTime()
						do()
						used[i] += (bench.ProcessorTime() - began).Seconds()
					}
				}
				b.ReportMetric(used[0]/float64(b.N), "cpu-s-apart/op")
				b.ReportMetric(used[1]/float64(b.N), "cpu-s-together/op")
				b.ReportMetric(used[1]/used[0], "of-apart")
			})
		}
	}
}

// onDisk writes x to a file, which is read in every pass.
func onDisk(b *testing.B, x *matrix.Dense[float32]) matrix.Matrix[float32] {
	path := filepath.Join(b.TempDir(), "x.npy")
	if err := data.Write(path, &data.Table[float32]{X: x}, nil); err != nil {
		b.Fatal(err)
	}
	s, err := data.OpenStream[float32](path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s.X
}
