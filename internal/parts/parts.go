// Package parts reads long pieces of files in parts at the same time: to copy what
// the system has in memory takes a processor longer than to work on it.
package parts

import (
	"runtime"
	"sync"
)

// Each divides n elements among the processors, at least `least` elements in each
// part, and gives the error of the first part that has one.
func Each(n, least int, do func(from, to int) error) error {
	count := max(1, min(n/max(1, least), runtime.GOMAXPROCS(0)))
	errs := make([]error, count)
	var wait sync.WaitGroup
	for p := 1; p < count; p++ {
		wait.Go(func() { errs[p] = do(p*n/count, (p+1)*n/count) })
	}
	errs[0] = do(0, n/count)
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
