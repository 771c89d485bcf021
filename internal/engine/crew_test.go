package engine

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestShare: every worker is called once, also where sections follow each other at
// once, late enough for the helpers to have gone, at the same time, or one in
// another, and where there are more workers than processors.
func TestShare(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	once := func(n int, within func()) error {
		calls := make([]atomic.Int64, n)
		share(n, func(worker int) {
			calls[worker].Add(1)
			within()
		})
		for worker := range calls {
			if got := calls[worker].Load(); got != 1 {
				return fmt.Errorf("worker %d of %d was called %d times", worker, n, got)
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
	// Helpers do not stay for ever: this ends.
	for free := 1; free > 0; time.Sleep(patience) {
		crew.Lock()
		free = len(crew.free)
		crew.Unlock()
	}
}
