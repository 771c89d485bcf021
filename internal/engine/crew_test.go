package engine

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestShare: worker 0 is called once, the others at most once, and none is at work
// when share returns or later; also where sections follow each other at once, late
// enough for the helpers to have gone, at the same time, or one in another, and
// where there are more workers than processors.
func TestShare(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var others atomic.Int64
	once := func(n int, within func()) error {
		begun, done := make([]atomic.Int64, n), make([]int, n)
		share(n, func(worker int) {
			begun[worker].Add(1)
			within()
			done[worker]++ // without an atomic: the race detector is to see what is late
		})
		for worker := range done {
			got, ended := int(begun[worker].Load()), done[worker]
			if got != ended || got > 1 || worker == 0 && got == 0 {
				return fmt.Errorf("worker %d of %d began %d times and ended %d times", worker, n, got, ended)
			}
			if worker > 0 {
				others.Add(int64(got))
			}
		}
		return nil
	}
	for _, processors := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(processors)
		for round := range 200 {
			if err := once(1+round%5, func() {}); err != nil {
				t.Fatalf("%d processors: %v", processors, err)
			}
			if round%40 == 0 {
				time.Sleep(2 * patience)
			}
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 50 {
					var inner atomic.Pointer[error]
					err := once(3, func() {
						if err := once(2, runtime.Gosched); err != nil {
							inner.Store(&err)
						}
					})
					if err != nil || inner.Load() != nil {
						t.Errorf("%d processors: %v, within %v", processors, err, inner.Load())
					}
				}
			})
		}
		all.Wait()
	}
	// Work that lasts is shared: this ends.
	for others.Store(0); others.Load() == 0; {
		if err := once(2, func() { time.Sleep(time.Millisecond) }); err != nil {
			t.Fatal(err)
		}
	}
	// Helpers do not stay for ever: so does this.
	for free := 1; free > 0; time.Sleep(patience) {
		crew.Lock()
		free = len(crew.free)
		crew.Unlock()
	}
}
