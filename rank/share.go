package rank

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
)

// Ranks that share a sweep go through its parts as one process does. Before a
// stretch of parts each of them makes its share of what these need, and tells
// the others, so that all find everything made. What a rank is told is what a
// state keeps, and no number depends on who made it.

// outcome makes an error of one rank that of all.
func (o *Options) outcome(err error) error {
	if o.Ranks == nil {
		return err
	}
	return comm.Outcome(o.Ranks, err)
}

// shares says that several ranks share the sweep.
func (s *sweep[F]) shares() bool { return s.o.Ranks != nil && s.o.Ranks.Size() > 1 }

// facts are what ranks must not differ in.
func (id identity) facts() []comm.Fact {
	return []comm.Fact{
		{Name: "the version of nmf", Value: id.Version}, {Name: "the kind of kernels (NMF_SIMD chooses one)", Value: id.SIMD},
		{Name: "the sum (SHA-256) of X", Value: id.Data}, {Name: "the sum (SHA-256) of the options", Value: id.Options},
	}
}

// open opens the state. Ranks that share the sweep must have the same X and
// options.
func (s *sweep[F]) open(id identity) (*state, error) {
	if !s.shares() {
		return openState(s.o.State, id)
	}
	err := comm.Agree(s.o.Ranks, id.facts())
	if err != nil {
		return nil, err
	}
	var kept *state
	if s.o.Ranks.Rank() == 0 {
		kept, err = openState(s.o.State, id)
	}
	if kept == nil {
		kept = &state{}
	}
	kept.parts, s.fresh = map[string]json.RawMessage{}, map[string]bool{}
	return kept, s.o.outcome(err)
}

// tellParts tells all ranks what the state of rank 0 holds.
func (s *sweep[F]) tellParts() error {
	if !s.shares() {
		return nil
	}
	names := make([]string, 0, len(s.parts)+len(s.o.K))
	for _, p := range s.parts {
		names = append(names, p.name)
	}
	for _, k := range s.o.K {
		names = append(names, summaryName(k))
	}
	held := map[string]json.RawMessage{}
	var err error
	for _, name := range names {
		var part json.RawMessage
		found, failed := s.state.load(name, &part)
		err = cmp.Or(err, failed)
		if found {
			held[name] = part
		}
	}
	if err := s.o.outcome(err); err != nil {
		return err
	}
	text, err := json.Marshal(held)
	if err != nil {
		return err
	}
	if text, err = comm.BroadcastBytes(s.o.Ranks, 0, text); err != nil {
		return err
	}
	return json.Unmarshal(text, &s.state.parts)
}

// shareFrom makes the stretch of parts that begins with the first, unless it is
// made: all restarts, or all the rest, which needs their results. Where parts are
// kept for a sweep that goes on, stretches are short.
func (s *sweep[F]) shareFrom(ctx context.Context, first int) error {
	if !s.shares() || s.isMade(s.parts[first]) {
		return nil
	}
	restarts := s.parts[first].starts != nil
	var stretch []part
	for _, p := range s.parts[first:] {
		full := s.o.State != "" && len(stretch) > 0 && (restarts || len(stretch) == s.o.Ranks.Size())
		if full || (p.starts != nil) != restarts {
			break
		}
		if !s.isMade(p) {
			stretch = append(stretch, p)
		}
	}
	if restarts {
		return s.shareRestarts(ctx, stretch)
	}
	return s.shareRepeats(ctx, stretch)
}

// isMade says that a part is there, or what it came to.
func (s *sweep[F]) isMade(p part) bool {
	if s.state.parts[p.name] != nil {
		return true
	}
	return p.starts != nil && !slices.ContainsFunc(p.starts, func(start nmf.Start) bool { return s.state.parts[summaryName(start.K)] == nil })
}

// piece is what one rank, its owner, makes of a stretch.
type piece struct {
	owner int
	cost  float64
	what  string
	make  func() (any, error)
}

// deal gives each cost a rank, the costly ones first and always to the rank
// that has least, so that all are done at about the same time.
func deal(costs []float64, ranks int) []int {
	order := make([]int, len(costs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(costs[b], costs[a]) })
	load, to := make([]float64, ranks), make([]int, len(costs))
	for _, i := range order {
		least := slices.Index(load, slices.Min(load))
		to[i] = least
		load[least] += costs[i]
	}
	return to
}

// makeShared lets every rank make its pieces and gives all of them, as JSON.
func (s *sweep[F]) makeShared(ctx context.Context, pieces []piece) ([]json.RawMessage, error) {
	c := s.o.Ranks
	total, own := 0.0, 0.0
	for _, p := range pieces {
		total += p.cost
		if p.owner == c.Rank() {
			own += p.cost
		}
	}
	made, done := map[int]json.RawMessage{}, 0.0
	var err error
	for i, p := range pieces {
		if p.owner != c.Rank() || err != nil {
			continue
		}
		s.sharedProgress(p.what, total*done/own)
		if err = context.Cause(ctx); err == nil {
			var value any
			if value, err = p.make(); err == nil {
				made[i], err = json.Marshal(value)
			}
		}
		done += p.cost
	}
	if err := s.o.outcome(err); err != nil {
		return nil, err
	}
	text, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	parts, err := comm.EachBytes(c, text)
	if err != nil {
		return nil, err
	}
	all := make([]json.RawMessage, len(pieces))
	for r, text := range parts {
		var its map[int]json.RawMessage
		if err := json.Unmarshal(text, &its); err != nil {
			return nil, fmt.Errorf("what rank %d made cannot be read: %w", r, err)
		}
		for i, part := range its {
			all[i] = part
		}
	}
	return all, nil
}

// sharedProgress tells how far the sweep is while a stretch is being made, of
// which that cost is done.
func (s *sweep[F]) sharedProgress(what string, cost float64) {
	if s.o.Progress == nil {
		return
	}
	p := Progress{What: what, Done: (s.known + s.done + cost) / s.work}
	if s.done+cost > 0 {
		p.Left = time.Duration(float64(time.Since(s.began)) / (s.done + cost) * (s.work - s.known - s.done - cost))
	}
	s.o.Progress(p)
}

// keep puts a part where all ranks find it, and into the state of rank 0.
func (s *sweep[F]) keep(name string, content json.RawMessage) error {
	err := s.state.save(name, content)
	s.state.parts[name] = content
	s.fresh[name] = true
	return err
}

// shareRestarts makes the restarts of a stretch, and sums up each k that is
// complete then.
func (s *sweep[F]) shareRestarts(ctx context.Context, stretch []part) error {
	var starts []nmf.Start
	for _, p := range stretch {
		starts = append(starts, p.starts...)
	}
	restarts, err := s.sharedRestarts(ctx, starts)
	if err != nil {
		return err
	}
	inStretch := map[string]bool{}
	for _, p := range stretch {
		text, err := json.Marshal(restarts[:len(p.starts)])
		if err != nil {
			return err
		}
		restarts = restarts[len(p.starts):]
		s.state.parts[p.name], s.fresh[p.name], inStretch[p.name] = text, true, true
	}
	byK := map[int][]*restart{}
	// Those of a k may be in parts of earlier stretches.
	for _, p := range s.parts {
		if p.starts == nil || s.state.parts[p.name] == nil {
			continue
		}
		var batch []*restart
		if err := json.Unmarshal(s.state.parts[p.name], &batch); err != nil {
			return err
		}
		for _, r := range batch {
			byK[r.K] = append(byK[r.K], r)
		}
	}
	var pieces []piece
	var ks []int
	for _, k := range s.o.K {
		if runs := byK[k]; len(runs) == s.o.Runs && s.state.parts[summaryName(k)] == nil {
			pieces = append(pieces, piece{len(ks) % s.o.Ranks.Size(), float64(k), fmt.Sprintf("restarts of k = %d", k), func() (any, error) {
				sum, _ := s.summary(k, runs)
				return sum, nil
			}})
			ks = append(ks, k)
		}
	}
	sums, err := s.makeShared(ctx, pieces)
	if err != nil {
		return err
	}
	for i, k := range ks {
		if string(sums[i]) != "null" { // where all restarts failed
			err = cmp.Or(err, s.keep(summaryName(k), sums[i]))
		}
	}
	// What is summed up is not kept: it is large.
	for _, p := range s.parts {
		batch := s.state.parts[p.name]
		if p.starts == nil || batch == nil {
			continue
		}
		open := slices.ContainsFunc(p.starts, func(start nmf.Start) bool { return s.state.parts[summaryName(start.K)] == nil })
		switch {
		case !open:
			s.state.drop(p.name)
		case inStretch[p.name]:
			err = cmp.Or(err, s.state.save(p.name, batch))
		}
	}
	return s.o.outcome(err)
}

// sharedRestarts makes all starts; those of a rank, in groups of no more columns
// than a part has, share their passes over x.
func (s *sweep[F]) sharedRestarts(ctx context.Context, starts []nmf.Start) ([]*restart, error) {
	costs := make([]float64, len(starts))
	for i, start := range starts {
		costs[i] = float64(start.K)
	}
	var groups [][]int
	var pieces []piece
	group := map[int]int{} // the open one of each rank
	for i, owner := range deal(costs, s.o.Ranks.Size()) {
		g, ok := group[owner]
		if !ok || pieces[g].cost+costs[i] > float64(s.together) {
			g = len(groups)
			groups, group[owner] = append(groups, nil), g
			pieces = append(pieces, piece{owner: owner, what: fmt.Sprintf("restarts from k = %d", starts[i].K), make: func() (any, error) {
				part := make([]nmf.Start, len(groups[g]))
				for p, i := range groups[g] {
					part[p] = starts[i]
				}
				return s.fitBatch(ctx, part)
			}})
		}
		groups[g] = append(groups[g], i)
		pieces[g].cost += costs[i]
	}
	made, err := s.makeShared(ctx, pieces)
	if err != nil {
		return nil, err
	}
	all := make([]*restart, len(starts))
	for g, text := range made {
		var batch []*restart
		if err := json.Unmarshal(text, &batch); err != nil {
			return nil, err
		}
		for p, i := range groups[g] {
			all[i] = batch[p]
		}
	}
	return all, nil
}

// shareRepeats makes the repeats of a stretch.
func (s *sweep[F]) shareRepeats(ctx context.Context, stretch []part) error {
	costs := make([]float64, len(stretch))
	for i, p := range stretch {
		costs[i] = p.cost
	}
	pieces := make([]piece, len(stretch))
	for i, owner := range deal(costs, s.o.Ranks.Size()) {
		p := stretch[i]
		pieces[i] = piece{owner, p.cost, p.what, func() (any, error) { return p.make(ctx) }}
	}
	made, err := s.makeShared(ctx, pieces)
	if err != nil {
		return err
	}
	for i, p := range stretch {
		err = cmp.Or(err, s.keep(p.name, made[i]))
	}
	return s.o.outcome(err)
}
