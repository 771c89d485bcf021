// Package bench measures the engine against the machine: the roofs (peak of
// multiply-adds, bandwidth of caches and memory) and, in the same run, the pass
// over X on standard shapes as a share of them.
//
// Roofs are the best of several repetitions, taken before the passes and after
// them; passes are the median.
package bench

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// Config says what to measure. The zero value measures everything at the
// standard sizes.
type Config struct {
	// Threads is the number besides 1 that everything is measured with;
	// default GOMAXPROCS.
	Threads int
	// MinTime is the shortest time of a repetition, Repeats their number.
	// Defaults 100 ms and 5.
	MinTime time.Duration
	Repeats int
	// Scale shrinks the matrices; default 1.
	Scale float64
	// Parts to measure; nil is all of Parts().
	Parts []string
	// Progress, unless nil, is told what is measured next.
	Progress func(what string)
}

// The parts of a run.
const (
	PartRoofs  = "roofs"
	PartDense  = "dense"
	PartSparse = "sparse"
)

// Parts lists the parts of a run. The roofs are always measured.
func Parts() []string { return []string{PartRoofs, PartDense, PartSparse} }

// Report is what was measured. Rates are in 10⁹ operations or bytes a second.
type Report struct {
	Machine   Machine     `json:"machine"`
	Peaks     []Peak      `json:"peaks"`
	Bandwidth []Bandwidth `json:"bandwidth"`
	Dense     []Dense     `json:"dense,omitempty"`
	Sparse    []Sparse    `json:"sparse,omitempty"`
}

// Run measures. It stops with the context's error.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	r := &runner{Config: cfg.withDefaults(), ctx: ctx, report: new(Report)}
	r.report.Machine = thisMachine()
	r.roofs()
	if r.wants(PartDense) {
		densePasses[float32](r)
		densePasses[float64](r)
	}
	if r.wants(PartSparse) {
		r.sparsePasses()
	}
	if len(r.report.Dense)+len(r.report.Sparse) > 0 {
		before := r.report
		r.report = &Report{Machine: before.Machine, Dense: before.Dense, Sparse: before.Sparse}
		r.roofs()
		r.report.merge(before)
		r.report.setShares()
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return r.report, nil
}

func (c Config) withDefaults() Config {
	if c.Threads <= 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	if c.MinTime <= 0 {
		c.MinTime = 100 * time.Millisecond
	}
	if c.Repeats <= 0 {
		c.Repeats = 5
	}
	if c.Scale <= 0 {
		c.Scale = 1
	}
	if c.Parts == nil {
		c.Parts = Parts()
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

type runner struct {
	Config
	ctx    context.Context
	report *Report
}

func (r *runner) wants(part string) bool { return slices.Contains(r.Parts, part) }

// begins tells what is measured next, and reports whether it is: nothing is after a
// cancel.
func (r *runner) begins(what string) bool {
	if r.ctx.Err() == nil {
		r.Progress(what)
	}
	return r.ctx.Err() == nil
}

// threadCounts is 1 and, where it differs, Threads.
func (r *runner) threadCounts() []int {
	if r.Threads == 1 {
		return []int{1}
	}
	return []int{1, r.Threads}
}

// timing is the seconds of one call, over the repetitions.
type timing struct{ best, median float64 }

// time calls fn until MinTime has passed, Repeats times over, after a first
// call that does not count. It is zero when cancelled.
func (r *runner) time(fn func()) timing {
	if r.ctx.Err() != nil {
		return timing{}
	}
	fn()
	seconds := make([]float64, 0, r.Repeats)
	for range r.Repeats {
		calls, began := 0, time.Now()
		for calls == 0 || time.Since(began) < r.MinTime {
			if r.ctx.Err() != nil {
				return timing{}
			}
			fn()
			calls++
		}
		seconds = append(seconds, time.Since(began).Seconds()/float64(calls))
	}
	return summarize(seconds)
}

// summarize gives the best and the median of a list, zero for an empty one.
func summarize(seconds []float64) timing {
	if len(seconds) == 0 {
		return timing{}
	}
	slices.Sort(seconds)
	n := len(seconds)
	return timing{seconds[0], (seconds[(n-1)/2] + seconds[n/2]) / 2}
}

// rate is an amount a second in 10⁹, zero where no time was taken.
func rate(amount, seconds float64) float64 {
	if seconds == 0 {
		return 0
	}
	return amount / seconds / 1e9
}

// share is a part of a roof, zero where there is none.
func share(got, roof float64) float64 {
	if roof == 0 {
		return 0
	}
	return got / roof
}

func precision[F matrix.Float]() string {
	if size[F]() == 4 {
		return "f32"
	}
	return "f64"
}

// size is that of an element in bytes.
func size[F matrix.Float]() int { return 64 / kernel.Width[F]() }
