package engine

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An iteration is a few parallel sections one behind another, with little
// between them, and to wake a thread that sleeps can take as long as one of
// them does: a tenth of a millisecond on some machines. So a worker that has
// done its part of a section stays awake for a while to see whether there is
// another, and whoever waits for the workers does so awake at first. One that
// has not begun when the work is done is not waited for: other programs may
// have its processor.

// patience is for how long: about what sleeping and waking cost.
const patience = 100 * time.Microsecond

// section is the work that goroutines share.
type section struct {
	work func(worker int)
	// running is the number of helpers at work, and closed more once no other may
	// begin. The last one that leaves then says so.
	running atomic.Int64
	ended   chan struct{}
}

const closed = math.MinInt32

// part does a worker's part and reports whether it was early enough to.
func (s *section) part(worker int) (early bool) {
	if early = s.running.Add(1) > 0; early {
		s.work(worker)
	}
	if s.running.Add(-1) == closed {
		select {
		case s.ended <- struct{}{}:
		default: // said already
		}
	}
	return early
}

// end returns when the helpers that have begun are done.
func (s *section) end() {
	over := func() bool { return s.running.Load() == closed }
	if s.running.Add(closed) != closed && !awake(over) {
		<-s.ended
	}
}

// helper is a goroutine that has done its part and stays for more.
type helper struct {
	section *section
	worker  int
	called  atomic.Bool
}

// crew has the helpers that are free, fewer than there are processors.
var crew struct {
	sync.Mutex
	free []*helper
}

// share calls work for the workers from 0 to n-1 at the same time, 0 on the
// goroutine that calls, and returns when that and those that have begun by then
// are done: the work has to be divided among those that come.
func share(n int, work func(worker int)) {
	s := &section{work: work, ended: make(chan struct{}, 1)}
	crew.Lock()
	found := min(n-1, len(crew.free))
	from := len(crew.free) - found
	for i, h := range crew.free[from:] {
		h.section, h.worker = s, 1+i
		h.called.Store(true)
	}
	clear(crew.free[from:])
	crew.free = crew.free[:from]
	crew.Unlock()
	for worker := 1 + found; worker < n; worker++ {
		go (&helper{section: s, worker: worker}).serve()
	}
	work(0)
	s.end()
}

// serve does a part of a section, and of others while they come. A helper that comes
// too late does not stay: the sections are too short for it.
func (h *helper) serve() {
	for h.section.part(h.worker) && h.stays() {
	}
}

// stays waits for another section, but not for long.
func (h *helper) stays() bool {
	h.called.Store(false)
	crew.Lock()
	if len(crew.free) >= runtime.GOMAXPROCS(0)-1 {
		crew.Unlock()
		return false
	}
	crew.free = append(crew.free, h)
	crew.Unlock()
	if awake(h.called.Load) {
		return true
	}
	crew.Lock()
	defer crew.Unlock()
	i := slices.Index(crew.free, h)
	if i < 0 {
		return true // called in the last moment
	}
	crew.free = slices.Delete(crew.free, i, i+1)
	return false
}

// awake waits until a condition holds, or as long as it is worth to.
func awake(holds func() bool) bool {
	const looks = 100
	for end := time.Now().Add(patience); ; {
		for range looks {
			if holds() {
				return true
			}
		}
		if time.Now().After(end) {
			return false
		}
	}
}
