package rank

import (
	"sync"
	"sync/atomic"
)

// parallel calls do for every index below n on a number of goroutines. Each
// call must write to its own place alone.
func parallel(workers, n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wg.Wait()
}
