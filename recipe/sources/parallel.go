package sources

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// parallel calls fn for 0 to n-1 in up to threads goroutines; 0 is GOMAXPROCS.
// Each call has a result of its own, so that the order does not matter.
func parallel(ctx context.Context, threads, n int, fn func(i int) error) error {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	var g errgroup.Group
	g.SetLimit(threads)
	for i := range n {
		g.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			return fn(i)
		})
	}
	return g.Wait()
}
