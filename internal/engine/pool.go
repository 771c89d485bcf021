package engine

import (
	"context"
	"sync/atomic"
)

// pool runs independent tasks on a number of goroutines. Which worker runs
// which task is left to chance: a task's result must depend on its index
// alone.
type pool struct {
	ctx     context.Context
	workers int
}

// run calls fn(worker, task) for every task from 0 to n-1 and reports whether
// all were run; it stops early once the context is cancelled.
func (p *pool) run(n int, fn func(worker, task int)) bool {
	workers := min(p.workers, n)
	if workers <= 1 {
		for t := range n {
			if p.ctx.Err() != nil {
				return false
			}
			fn(0, t)
		}
		return true
	}
	var next, done atomic.Int64
	share(workers, func(worker int) {
		for {
			t := int(next.Add(1)) - 1
			if t >= n || p.ctx.Err() != nil {
				return
			}
			fn(worker, t)
			done.Add(1)
		}
	})
	return int(done.Load()) == n
}

// near is run in which a worker begins with the same tasks each time, neighbours of
// one another, so that it finds in its own cache what it has left there; with those
// done it helps the others.
func (p *pool) near(n int, fn func(worker, task int)) bool {
	workers := min(p.workers, n)
	if workers <= 1 {
		return p.run(n, fn)
	}
	next := make([]struct {
		atomic.Int64
		_ [7]int64 // a line of cache each
	}, workers)
	var done atomic.Int64
	share(workers, func(worker int) {
		for i := range workers {
			part := (worker + i) % workers
			first, last := part*n/workers, (part+1)*n/workers
			for {
				t := first + int(next[part].Add(1)) - 1
				if t >= last || p.ctx.Err() != nil {
					break
				}
				fn(worker, t)
				done.Add(1)
			}
		}
	})
	return int(done.Load()) == n
}
