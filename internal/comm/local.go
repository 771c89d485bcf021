package comm

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Local gives the ends of n ranks within this process, each for one goroutine.
func Local(n int) []Comm {
	j := &job{}
	g := newGroup(j, n)
	ends := make([]Comm, n)
	for i := range ends {
		ends[i] = &local{g: g, rank: i, world: i, traffic: &Traffic{}}
	}
	return ends
}

// Run runs work on n ranks of this process and gives the error of the first
// rank that failed, which ends the others. A rank that panics has failed, and
// so has one that waits for another that came to its end.
func Run(n int, work func(c Comm) error) error {
	var all sync.WaitGroup
	ends := Local(n)
	for _, c := range ends {
		all.Go(func() {
			l := c.(*local)
			defer func() {
				if p := recover(); p != nil {
					c.Abort(fmt.Errorf("rank %d panics: %v\n%s", l.world, p, debug.Stack()))
				}
				l.g.job.end(l.world)
			}()
			if err := work(c); err != nil {
				c.Abort(err)
			}
		})
	}
	all.Wait()
	return ends[0].(*local).g.job.failure
}

// job is what all groups of a process share.
type job struct {
	mu      sync.Mutex
	failure error // the first
	ended   []int // ranks of Local that have ended
	groups  []*group
}

// abort ends the job; the first error stays.
func (j *job) abort(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failure == nil {
		j.failure = err
	}
	j.wake()
}

// end notes that a rank has ended: nobody may wait for it.
func (j *job) end(rank int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = append(j.ended, rank)
	j.wake()
}

func (j *job) wake() {
	for _, g := range j.groups {
		g.arrival.Broadcast()
	}
}

// group is what the ranks of one group share. The job's lock guards it.
type group struct {
	job     *job
	size    int
	members []int // by their ranks in Local
	arrival *sync.Cond

	calls   []*call // what each rank is in; nil for one that is in none
	round   int     // rounds that were complete
	reading int     // ranks that are reading in this one
}

func newGroup(j *job, n int) *group {
	g := &group{job: j, size: n, calls: make([]*call, n), arrival: sync.NewCond(&j.mu), members: make([]int, n)}
	for i := range g.members {
		g.members[i] = i
	}
	j.groups = append(j.groups, g)
	return g
}

// call is one rank's part in a collective.
type call struct {
	op       string
	root     int
	send     []byte
	sendAt   []int // where the part for each rank begins, and the end
	counts   []int
	color    int
	key      int
	newGroup *group
	newRank  int
}

// local is one rank's end of a group.
type local struct {
	g           *group
	rank, world int
	traffic     *Traffic
}

func (l *local) Rank() int        { return l.rank }
func (l *local) Size() int        { return l.g.size }
func (l *local) Host() string     { return "" }
func (l *local) Traffic() Traffic { return *l.traffic }
func (l *local) Abort(err error)  { l.g.job.abort(err) }

// meet waits until all ranks are in the collective, lets this one read what
// the others have brought, and waits until all have read, so that buffers are
// their owners' again. agree looks at all calls, once, before anybody reads.
func (l *local) meet(mine *call, agree func(calls []*call) error, read func(calls []*call)) error {
	g, j := l.g, l.g.job
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failure != nil {
		return aborted(j.failure)
	}
	g.calls[l.rank] = mine
	round := g.round
	if !slices.Contains(g.calls, nil) {
		if err := g.check(agree); err != nil {
			j.failure = err
			j.wake()
			return err
		}
		g.round++
		g.reading = g.size
		g.arrival.Broadcast()
	}
	for g.round == round {
		if err := g.lost(mine.op); err != nil {
			return err
		}
		g.arrival.Wait()
	}
	j.mu.Unlock()
	read(g.calls)
	j.mu.Lock()
	g.reading--
	if g.reading == 0 {
		clear(g.calls)
		g.arrival.Broadcast()
	}
	for g.reading > 0 {
		g.arrival.Wait()
	}
	return nil
}

// lost says that the round will never be complete.
func (g *group) lost(op string) error {
	if g.job.failure != nil {
		return aborted(g.job.failure)
	}
	for i, member := range g.members {
		if g.calls[i] == nil && slices.Contains(g.job.ended, member) {
			g.job.failure = fmt.Errorf("%w: rank %d has ended while others wait for it in %s", ErrCall, member, op)
			g.job.wake()
			return g.job.failure
		}
	}
	return nil
}

func aborted(why error) error {
	if errors.Is(why, ErrAborted) {
		return why
	}
	return fmt.Errorf("%w: %w", ErrAborted, why)
}

// check refuses rounds in which the ranks do not do the same.
func (g *group) check(agree func([]*call) error) error {
	first := g.calls[0]
	for i, c := range g.calls {
		if c.op != first.op || c.root != first.root {
			return fmt.Errorf("%w: rank %d is in %s (root %d) and rank %d in %s (root %d)", ErrCall, 0, first.op, first.root, i, c.op, c.root)
		}
	}
	if agree == nil {
		return nil
	}
	return agree(g.calls)
}

func (l *local) Barrier() error {
	began := time.Now()
	err := l.meet(&call{op: "Barrier"}, nil, func([]*call) {})
	l.traffic.Count(0, 0, time.Since(began))
	return err
}

func (l *local) Broadcast(root int, b []byte) error {
	began := time.Now()
	if err := CheckRoot(l.g.size, root); err != nil {
		return l.fail(err)
	}
	err := l.meet(&call{op: "Broadcast", root: root, send: b}, func(calls []*call) error {
		for i, c := range calls {
			if len(c.send) != len(calls[root].send) {
				return fmt.Errorf("%w: Broadcast of %d bytes at rank %d and %d at rank %d", ErrCall, len(calls[root].send), root, len(c.send), i)
			}
		}
		return nil
	}, func(calls []*call) {
		if l.rank != root {
			copy(b, calls[root].send)
		}
	})
	sent, received := 0, len(b)
	if l.rank == root {
		sent, received = len(b)*(l.g.size-1), 0
	}
	l.traffic.Count(sent, received, time.Since(began))
	return err
}

func (l *local) AllGather(mine, all []byte, counts []int) error {
	began := time.Now()
	if err := CheckAllGather(l.rank, l.g.size, mine, all, counts); err != nil {
		return l.fail(err)
	}
	err := l.meet(&call{op: "AllGather", send: mine, counts: counts}, func(calls []*call) error {
		for i, c := range calls {
			if !slices.Equal(c.counts, calls[0].counts) {
				return fmt.Errorf("%w: AllGather with other counts at rank 0 and rank %d", ErrCall, i)
			}
		}
		return nil
	}, func(calls []*call) {
		at := 0
		for i, c := range calls {
			copy(all[at:], c.send)
			at += counts[i]
		}
	})
	l.traffic.Count(len(mine)*(l.g.size-1), len(all)-len(mine), time.Since(began))
	return err
}

func (l *local) AllToAll(send []byte, sendCounts []int, recv []byte, recvCounts []int) error {
	began := time.Now()
	if err := CheckAllToAll(l.g.size, send, sendCounts, recv, recvCounts); err != nil {
		return l.fail(err)
	}
	at := make([]int, len(sendCounts)+1)
	for i, n := range sendCounts {
		at[i+1] = at[i] + n
	}
	err := l.meet(&call{op: "AllToAll", send: send, sendAt: at, counts: recvCounts}, func(calls []*call) error {
		for i, from := range calls {
			for j, to := range calls {
				if out := from.sendAt[j+1] - from.sendAt[j]; out != to.counts[i] {
					return fmt.Errorf("%w: AllToAll where rank %d sends %d bytes and rank %d expects %d", ErrCall, i, out, j, to.counts[i])
				}
			}
		}
		return nil
	}, func(calls []*call) {
		to := 0
		for i, c := range calls {
			to += copy(recv[to:to+recvCounts[i]], c.send[c.sendAt[l.rank]:])
		}
	})
	l.traffic.Count(len(send)-sendCounts[l.rank], len(recv)-recvCounts[l.rank], time.Since(began))
	return err
}

func (l *local) Split(color, key int) (Comm, error) {
	began := time.Now()
	if err := CheckColor(color); err != nil {
		return nil, l.fail(err)
	}
	mine := &call{op: "Split", color: color, key: key}
	err := l.meet(mine, l.g.split, func([]*call) {})
	l.traffic.Count(0, 0, time.Since(began))
	if err != nil {
		return nil, err
	}
	return &local{g: mine.newGroup, rank: mine.newRank, world: l.world, traffic: l.traffic}, nil
}

// split makes the groups and tells each call its own.
func (g *group) split(calls []*call) error {
	byColor := map[int][]int{}
	for i, c := range calls {
		byColor[c.color] = append(byColor[c.color], i)
	}
	for _, ranks := range byColor {
		slices.SortStableFunc(ranks, func(a, b int) int { return cmp.Compare(calls[a].key, calls[b].key) })
		made := newGroup(g.job, len(ranks))
		for i, r := range ranks {
			made.members[i] = g.members[r]
			calls[r].newGroup, calls[r].newRank = made, i
		}
	}
	return nil
}

// fail ends the job for a call that only this rank knows to be wrong.
func (l *local) fail(err error) error {
	l.Abort(err)
	return err
}
