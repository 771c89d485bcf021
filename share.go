package nmf

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// FitRuns is Fit over several ranks that share the runs: every rank has all of x
// and makes a part of Options.Runs. All of them get the same model, which has
// the bits of Fit's. Every rank calls it, with equal k and options; Threads,
// Memory and Progress, which hears of a rank's own runs, may differ.
//
// An error of one rank is an error on all: a *RankError on the others, that names
// it. Other errors are those of Fit, and ErrDisagree. Cancelling ctx on a rank
// ends that rank's runs; so it should be cancelled on all.
func FitRuns[F matrix.Float](ctx context.Context, c Comm, x matrix.Matrix[F], k int, o *Options) (*Model[F], error) {
	if c.Size() == 1 {
		return Fit(ctx, x, k, o)
	}
	began := time.Now()
	m, n := x.Dims()
	opt, err := o.resolve(m, n, k)
	if err == nil && opt.Checkpoint != nil {
		err = fmt.Errorf("%w: a checkpoint is not there where ranks share the runs; let them share the rows (FitRows)", ErrOption)
	}
	if err == nil && opt.Online != nil {
		err = errOnlineOverRanks
	}
	if err := comm.Outcome(c, err); err != nil {
		return nil, err
	}
	facts := append(whoWeAre[F](x, k), comm.Fact{Name: "the number of rows", Value: fmt.Sprint(m)})
	if o != nil {
		facts = append(facts, optionFacts(o)...)
	}
	if err := comm.Agree(c, facts); err != nil {
		return nil, err
	}
	own := share[F]{c: c, runs: opt.Runs}
	own.from, own.to = comm.Part(opt.Runs, c.Size(), c.Rank())
	return fit(ctx, nil, own, x, k, opt, o, began)
}

// errOnlineOverRanks refuses what has an order that no ranks can share.
var errOnlineOverRanks = fmt.Errorf("%w: rows are not learnt online over ranks, for each batch begins where the one before has ended", ErrOption)

// share is the part of the runs of a fit that this rank makes, those from, and
// before to: all of them where no ranks share them.
type share[F kernel.Float] struct {
	c        comm.Comm
	runs     int
	from, to int
}

// allRuns is the share where no ranks share the runs.
func allRuns[F kernel.Float](o *Options) share[F] { return share[F]{runs: o.Runs, to: o.Runs} }

// options are those of the runs of this rank.
func (s share[F]) options(o *Options) Options {
	own := *o
	own.Runs = max(1, s.to-s.from)
	return own
}

// seeds are those of the runs of this rank.
func (s share[F]) seeds(first uint64) []uint64 {
	seeds := make([]uint64, s.to-s.from)
	for i := range seeds {
		seeds[i] = first + uint64(s.from+i)
	}
	return seeds
}

// ranks are the numbers of components of the runs of this rank.
func (s share[F]) ranks(k int) []int {
	ranks := make([]int, s.to-s.from)
	for i := range ranks {
		ranks[i] = k
	}
	return ranks
}

// starter is that of the runs of this rank.
func (s share[F]) starter(of engine.Starter[F]) engine.Starter[F] {
	return func(i int) (w, h *engine.Tall[F]) { return of(s.from + i) }
}

// outcome makes an error of one rank that of all.
func (s share[F]) outcome(err error) error {
	if s.c == nil {
		return err
	}
	return comm.Outcome(s.c, err)
}

// shared is what all ranks get to know of the runs of one.
type shared struct {
	// Runs are without factors; nil for those that were not begun.
	Runs []*sharedRun
	// Best is the index among Runs of the one with factors, or -1.
	Best int
}

type sharedRun struct {
	Trace           []Iteration
	Status          Status
	Iterations      int
	Loss            float64
	RelativeError   float64
	KKT, KKTW, KKTH float64
	Revived         int
}

// join gives every rank the runs of all ranks, with the factors of the best. m
// and n are the lengths of the factors, which have k columns.
func (s share[F]) join(runs []*engine.Run[F], m, n, k int) ([]*engine.Run[F], error) {
	if s.c == nil {
		return runs, nil
	}
	mine := shared{Best: engine.Best(runs)}
	for i, r := range runs {
		if r == nil {
			mine.Runs = append(mine.Runs, &sharedRun{Iterations: -1})
			continue
		}
		known := &sharedRun{Status: r.Status, Iterations: r.Iterations, Loss: r.Loss, RelativeError: r.RelativeError,
			KKT: r.KKT, KKTW: r.KKTW, KKTH: r.KKTH, Revived: r.Revived}
		if i == mine.Best {
			known.Trace = r.Trace
		}
		mine.Runs = append(mine.Runs, known)
	}
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(mine); err != nil {
		return nil, err
	}
	parts, err := comm.EachBytes(s.c, text.Bytes())
	if err != nil {
		return nil, err
	}
	all := make([]*engine.Run[F], s.runs)
	best, owner := -1, 0
	for r, part := range parts {
		var its shared
		if err := gob.NewDecoder(bytes.NewReader(part)).Decode(&its); err != nil {
			return nil, fmt.Errorf("what rank %d says of its runs cannot be read: %w", r, err)
		}
		from, to := comm.Part(s.runs, s.c.Size(), r)
		if len(its.Runs) != to-from {
			return nil, fmt.Errorf("rank %d made %d runs, not %d", r, len(its.Runs), to-from)
		}
		for i, known := range its.Runs {
			if known.Iterations < 0 {
				continue
			}
			all[from+i] = &engine.Run[F]{Trace: known.Trace, Status: known.Status, Iterations: known.Iterations, Loss: known.Loss,
				RelativeError: known.RelativeError, KKT: known.KKT, KKTW: known.KKTW, KKTH: known.KKTH, Revived: known.Revived}
		}
		if i := its.Best; i >= 0 && (best < 0 || all[from+i].Loss < all[best].Loss) {
			best, owner = from+i, r
		}
	}
	if best < 0 {
		return all, nil
	}
	w, h := engine.NewTall[F](m, k), engine.NewTall[F](n, k)
	if owner == s.c.Rank() {
		w, h = runs[best-s.from].W, runs[best-s.from].H
	}
	all[best].W, all[best].H = w, h
	return all, errors.Join(s.c.Broadcast(owner, comm.Bytes(w.Data)), s.c.Broadcast(owner, comm.Bytes(h.Data)))
}

// joinIterations completes what was done on a compressed X.
func (s share[F]) joinIterations(c *Compression) error {
	if s.c == nil {
		return nil
	}
	mine, counts := make([]int64, s.to-s.from), make([]int, s.c.Size())
	for i := range mine {
		mine[i] = int64(c.Iterations[i])
	}
	for r := range counts {
		from, to := comm.Part(s.runs, s.c.Size(), r)
		counts[r] = to - from
	}
	all := make([]int64, s.runs)
	if err := comm.AllGather(s.c, mine, all, counts); err != nil {
		return err
	}
	c.Iterations = make([]int, s.runs)
	for i, n := range all {
		c.Iterations[i] = int(n)
	}
	return nil
}

// agree refuses ranks that differ in facts.
func (s share[F]) agree(facts ...comm.Fact) error {
	if s.c == nil {
		return nil
	}
	return comm.Agree(s.c, facts)
}

// exact writes a number with all its bits.
func exact(v float64) string { return fmt.Sprintf("%v (bits %016x)", v, math.Float64bits(v)) }
