package engine

import (
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
// another, and whoever waits for the workers does so awake at first, unless there
// are more workers than processors: then it would be in their way.

// patience is for how long: about what sleeping and waking cost.
const patience = 200 * time.Microsecond

// section is the work that goroutines share.
type section struct {
	work func(worker int)
	left atomic.Int64
	done sync.WaitGroup
}

func (s *section) part(worker int) {
	defer s.done.Done()
	defer s.left.Add(-1)
	s.work(worker)
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
// goroutine that calls, and returns when all are done.
func share(n int, work func(worker int)) {
	s := &section{work: work}
	s.left.Store(int64(n - 1))
	s.done.Add(n - 1)
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
	if n <= runtime.GOMAXPROCS(0) {
		awake(func() bool { return s.left.Load() == 0 })
	}
	s.done.Wait()
}

// serve does a part of a section, and of others while they come.
func (h *helper) serve() {
	for {
		h.section.part(h.worker)
		h.section = nil
		if !h.stays() {
			return
		}
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
