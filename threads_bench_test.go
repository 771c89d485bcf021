package nmf_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/workload"
)

// BenchmarkThreads measures how much sooner more threads are done, for one fit of
// a dense and of a sparse X and for many of each together. Nothing else should
// run beside it.
//
//	go test . -run - -bench Threads -benchtime 3x
func BenchmarkThreads(b *testing.B) {
	for _, c := range []struct {
		name, workload string
		rows, cols     float64
		k, runs        int
	}{
		{"dense", "D2", 0.5, 0.5, 40, 1},
		{"sparse", "S2", 0.2, 0.5, 30, 1},
		{"dense sweep", "D2", 0.1, 0.2, 8, 32},
		{"sparse sweep", "S2", 0.05, 0.2, 8, 32},
	} {
		w, err := workload.Lookup(c.workload)
		if err != nil {
			b.Fatal(err)
		}
		one := 0.0
		for threads := 1; threads <= runtime.GOMAXPROCS(0); threads *= 2 {
			b.Run(fmt.Sprintf("%s/threads=%d", c.name, threads), func(b *testing.B) {
				x, err := w.Scaled(c.rows, c.cols).Matrix(threads)
				if err != nil {
					b.Fatal(err)
				}
				var starts []nmf.Start
				for seed := range uint64(c.runs) {
					starts = append(starts, nmf.Start{K: c.k, Seed: seed})
				}
				o := &nmf.Options{MaxIter: 20, Tol: -1, LossTol: -1, Init: "random", Threads: threads}
				least := 0.0
				for b.Loop() {
					began := time.Now()
					if _, err := nmf.FitEach(b.Context(), x, starts, o); err != nil {
						b.Fatal(err)
					}
					if took := time.Since(began).Seconds(); least == 0 || took < least {
						least = took
					}
				}
				if threads == 1 {
					one = least
				}
				b.ReportMetric(least, "s-least")
				if one > 0 {
					b.ReportMetric(one/least, "times-one-thread")
				}
			})
		}
	}
}
