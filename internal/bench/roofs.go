package bench

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// Peak is the rate of independent multiply-adds in registers.
type Peak struct {
	Tier      string  `json:"tier"`
	Precision string  `json:"precision"`
	Threads   int     `json:"threads"`
	GFlops    float64 `json:"gflops"`
	// Steady is the median as a part of the best. Nothing but other programs
	// or a changing clock slows this loop down.
	Steady float64 `json:"steady"`
}

// Bandwidth is what sequential loops reach on memory of a size.
type Bandwidth struct {
	// Level is "L2", "L3" or "DRAM"; Bytes the size of the arrays of all
	// threads together.
	Level   string `json:"level"`
	Bytes   int    `json:"bytes"`
	Threads int    `json:"threads"`
	// Read is the best of several readers; Copy counts what is read and what
	// is written; Triad, a[i] = b[i] + 3·c[i] in plain Go, counts the three
	// arrays.
	Read  float64 `json:"read_gbytes"`
	Copy  float64 `json:"copy_gbytes"`
	Triad float64 `json:"triad_gbytes"`
}

func (r *runner) roofs() {
	r.peaks()
	r.bandwidths()
}

// merge takes over the roofs of an earlier measurement where they are higher.
// They are the same list unless the run was cancelled.
func (r *Report) merge(before *Report) {
	for i := range min(len(r.Peaks), len(before.Peaks)) {
		p, b := &r.Peaks[i], before.Peaks[i]
		p.GFlops, p.Steady = max(p.GFlops, b.GFlops), min(p.Steady, b.Steady)
	}
	for i := range min(len(r.Bandwidth), len(before.Bandwidth)) {
		w, b := &r.Bandwidth[i], before.Bandwidth[i]
		w.Read, w.Copy, w.Triad = max(w.Read, b.Read), max(w.Copy, b.Copy), max(w.Triad, b.Triad)
	}
}

func (r *runner) peaks() {
	for _, tier := range kernel.Tiers() {
		for _, threads := range r.threadCounts() {
			if !r.begins(fmt.Sprintf("peak of %s, %d threads", tier, threads)) {
				return
			}
			r.report.Peaks = append(r.report.Peaks, peak[float32](r, tier, threads), peak[float64](r, tier, threads))
		}
	}
}

func peak[F matrix.Float](r *runner, tier string, threads int) Peak {
	const rounds = 1 << 17
	flops := threads * kernel.PeakFMA[F](tier, rounds)
	t := r.timeTogether(threads, func(int) { kernel.PeakFMA[F](tier, rounds) })
	return Peak{tier, precision[F](), threads, rate(float64(flops), t.best), share(t.best, t.median)}
}

// together calls fn on a number of goroutines and gives the seconds of the slowest.
// They begin when all are awake: to wake a thread can take as long as fn.
func together(threads int, fn func(thread int)) float64 {
	var awake atomic.Int64
	seconds := make([]float64, threads)
	run := func(i int) {
		for awake.Add(1); awake.Load() < int64(threads); {
			runtime.Gosched()
		}
		began := time.Now()
		fn(i)
		seconds[i] = time.Since(began).Seconds()
	}
	var wg sync.WaitGroup
	for i := 1; i < threads; i++ {
		wg.Go(func() { run(i) })
	}
	run(0)
	wg.Wait()
	return slices.Max(seconds)
}

// timeTogether is time for a loop that several threads go through at once. Each
// repeats it by itself for a tenth of MinTime before they meet again, so that waking
// threads does not count.
func (r *runner) timeTogether(threads int, loop func(thread int)) timing {
	if threads == 1 || r.ctx.Err() != nil {
		return r.time(func() { loop(0) })
	}
	began := time.Now()
	loop(0)
	const part = 10
	repeats := 1 + int(r.MinTime/part/max(1, time.Since(began)))
	t := r.time(func() {
		together(threads, func(i int) {
			for range repeats {
				loop(i)
			}
		})
	})
	return timing{t.best / float64(repeats), t.median / float64(repeats)}
}

// peakOf is the peak of the tier in use, for the roof of a pass.
func (r *Report) peakOf(precision string, threads int) float64 {
	for _, p := range r.Peaks {
		if p.Tier == r.Machine.Tier && p.Precision == precision && p.Threads == threads {
			return p.GFlops
		}
	}
	return 0
}

// Levels of memory.
const (
	levelL2   = "L2"
	levelL3   = "L3"
	levelDRAM = "DRAM"
)

// levels gives arrays that stay in a level of memory: half of the L2 of each
// thread's core, half of the L3, and many times the L3.
func (r *runner) levels(threads int) []Bandwidth {
	m := r.report.Machine
	dram := int(r.Scale * float64(max(256<<20, 8*m.L3)))
	return []Bandwidth{
		{Level: levelL2, Bytes: threads * m.L2 / 2, Threads: threads},
		{Level: levelL3, Bytes: max(m.L3/2, 2*threads*m.L2), Threads: threads},
		{Level: levelDRAM, Bytes: max(dram, 2*m.L3), Threads: threads},
	}
}

func (r *runner) bandwidths() {
	for _, threads := range r.threadCounts() {
		for _, b := range r.levels(threads) {
			if !r.begins(fmt.Sprintf("bandwidth of %s, %d threads", b.Level, threads)) {
				return
			}
			r.bandwidth(&b)
			r.report.Bandwidth = append(r.report.Bandwidth, b)
		}
	}
}

// readOf is the bandwidth of reading a level.
func (r *Report) readOf(level string, threads int) float64 {
	for _, b := range r.Bandwidth {
		if b.Level == level && b.Threads == threads {
			return b.Read
		}
	}
	return 0
}

// levelOf is the smallest level that holds a number of bytes.
func (m Machine) levelOf(bytes int) string {
	switch {
	case bytes <= m.L2:
		return levelL2
	case bytes <= m.L3:
		return levelL3
	}
	return levelDRAM
}

// bandwidth gives every thread its own part of each array.
func (r *runner) bandwidth(b *Bandwidth) {
	const unit = 512
	parts := make([]stream, b.Threads)
	for i := range parts {
		parts[i] = newStream(b.Bytes / b.Threads / unit * unit)
	}
	bytes := float64(len(parts) * len(parts[0].all) * 8)
	run := func(loop func(s *stream)) float64 {
		return rate(bytes, r.timeTogether(b.Threads, func(i int) { loop(&parts[i]) }).best)
	}
	b.Read = max(run((*stream).search), run((*stream).gather96), run((*stream).gather128))
	b.Copy = run((*stream).copy)
	b.Triad = run((*stream).triad)
}

// stream is the array of one thread, and what the loops over it need.
type stream struct {
	all   []float64
	index []int32
	ones  []float32
	sink  [128]float32
	found int
}

func newStream(bytes int) stream {
	s := stream{all: make([]float64, bytes/8)}
	for i := range s.all {
		s.all[i] = 1
	}
	rows := bytes / (4 * 96)
	s.index, s.ones = make([]int32, rows), make([]float32, rows)
	for i := range rows {
		s.index[i], s.ones[i] = int32(i), 1
	}
	return s
}

// search reads by looking for a byte that is not there.
func (s *stream) search() {
	view := unsafe.Slice((*byte)(unsafe.Pointer(&s.all[0])), 8*len(s.all))
	s.found += bytes.IndexByte(view, 0xff)
}

// gather96 and gather128 read by the kernel of sparse passes, rows in order.
func (s *stream) gather96()  { s.gather(96) }
func (s *stream) gather128() { s.gather(128) }

func (s *stream) gather(n int) {
	view := unsafe.Slice((*float32)(unsafe.Pointer(&s.all[0])), 2*len(s.all))
	rows := len(view) / n
	clear(s.sink[:])
	kernel.For[float32]().Gather(n, s.index[:rows], s.ones[:rows], view, n, s.sink[:])
}

// copy reads one half and writes the other.
func (s *stream) copy() {
	half := len(s.all) / 2
	copy(s.all[:half], s.all[half:])
}

// triad reads two thirds and writes one.
func (s *stream) triad() {
	third := len(s.all) / 3
	a, b, c := s.all[:third], s.all[third:2*third], s.all[2*third:3*third]
	for i := range a {
		a[i] = b[i] + 3*c[i]
	}
}
