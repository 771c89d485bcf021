package rank

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// sweepOver gives what the ranks of a sweep find.
func sweepOver(ctx context.Context, ranks int, x matrix.Matrix[float64], o Options) ([]*Result, error) {
	results := make([]*Result, ranks)
	err := comm.Run(ranks, func(c comm.Comm) error {
		own := o
		own.Ranks = c
		if c.Rank() > 0 {
			own.Progress = nil
		}
		r, err := Sweep(ctx, x, &own)
		results[c.Rank()] = r
		return err
	})
	return results, err
}

// TestSweepOverRanks: every rank finds what one process finds, bit for bit.
func TestSweepOverRanks(t *testing.T) {
	x := counts(t)
	alone, err := Sweep(context.Background(), x, small(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, ranks := range []int{1, 2, 5} {
		results, err := sweepOver(context.Background(), ranks, x, *small(1))
		if err != nil {
			t.Fatal(err)
		}
		for r, got := range results {
			if text(t, got) != text(t, alone) {
				t.Errorf("rank %d of %d:\n%s\none process:\n%s", r, ranks, text(t, got), text(t, alone))
			}
		}
	}
}

// TestSweepOverRanksGoesOn: a sweep over ranks that was stopped goes on over
// ranks, over others, or in one process, and one process's over ranks.
func TestSweepOverRanksGoesOn(t *testing.T) {
	x := counts(t)
	o := Options{K: []int{2, 3, 4}, Runs: 130, Repeats: 3, Criteria: []string{"silhouette", "cophenetic", "bcv"}, Fit: nmf.Options{MaxIter: 2}}
	alone, err := Sweep(context.Background(), x, &o)
	if err != nil {
		t.Fatal(err)
	}
	same := func(how string, r *Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if text(t, r) != text(t, alone) {
			t.Errorf("%s: another result than in one process", how)
		}
	}
	for _, ranks := range [][2]int{{1, 2}, {3, 1}, {3, 2}} {
		for _, stop := range []float64{0.2, 0.8} {
			o := o
			o.State = filepath.Join(t.TempDir(), "state")
			ctx, cancel := context.WithCancel(context.Background())
			o.Progress = func(p Progress) {
				if p.Done > stop {
					cancel()
				}
			}
			_, err := sweepOver(ctx, ranks[0], x, o)
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped at %v over %d: %v", stop, ranks[0], err)
			}
			o.Progress = nil
			results, err := sweepOver(context.Background(), ranks[1], x, o)
			same(fmt.Sprintf("stopped at %v over %d, and on over %d", stop, ranks[0], ranks[1]), results[len(results)-1], err)
			left, err := filepath.Glob(filepath.Join(o.State, "restarts-*"))
			if err != nil || len(left) != 0 {
				t.Errorf("batches are left: %v, %v", left, err)
			}
		}
	}
}

func TestSweepOverRanksThatDisagree(t *testing.T) {
	x := counts(t)
	for _, test := range []struct {
		name, want string
		change     func(o *Options)
	}{
		{"options", "the sum (SHA-256) of the options of rank 0 is", func(o *Options) { o.Runs = 7 }},
		{"an option that cannot be", "rank 1: bad option: runs is 1", func(o *Options) { o.Runs = 1 }},
	} {
		err := comm.Run(3, func(c comm.Comm) error {
			o := small(1)
			o.Ranks = c
			if c.Rank() == 1 {
				test.change(o)
			}
			_, err := Sweep(context.Background(), x, o)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, not %q", test.name, err, test.want)
		}
	}
	o := *small(1)
	o.State = t.TempDir()
	if err := os.WriteFile(filepath.Join(o.State, "other"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := sweepOver(context.Background(), 2, x, o); err == nil || !strings.Contains(err.Error(), "rank 0: ") || !strings.Contains(err.Error(), "holds other things") {
		t.Errorf("a folder of other things: %v", err)
	}
}

func TestDeal(t *testing.T) {
	costs := []float64{1, 9, 4, 4, 2, 7, 1, 1}
	to := deal(costs, 3)
	load := make([]float64, 3)
	for i, r := range to {
		load[r] += costs[i]
	}
	if slices.Max(load)-slices.Min(load) > 1 {
		t.Errorf("loads of %v", load)
	}
}

// consensusOver gives what rank 0 of some finds.
func consensusOver(ctx context.Context, ranks int, x matrix.Matrix[float64], k int, o ConsensusOptions) (found *Recurrent[float64], err error) {
	err = comm.Run(ranks, func(c comm.Comm) error {
		own := o
		own.Ranks = c
		r, err := Consensus(ctx, x, k, &own)
		if c.Rank() == 0 {
			found = r
		} else if r != nil {
			return errors.New("another rank has a result")
		}
		return err
	})
	return found, err
}

// TestConsensusOverRanks: rank 0 finds what one process finds, bit for bit.
func TestConsensusOverRanks(t *testing.T) {
	x := counts(t)
	for _, o := range []ConsensusOptions{
		{Runs: 9, Threshold: 2, Fit: nmf.Options{MaxIter: 5}},
		{Runs: 5, Threshold: 2, Bootstrap: true, Fit: nmf.Options{MaxIter: 5, Loss: "kl", Seed: 3}},
		{Runs: 3, Threshold: 2, Fit: nmf.Options{MaxIter: 3, Loss: "negbinomial"}},
	} {
		all := func(r *Recurrent[float64]) string {
			m := r.Model
			m.Info.Seconds, m.Info.Options.Threads, m.Info.Resolved.Threads = 0, 0, 0
			text, err := json.Marshal([]any{m.Info, m.W, m.H, m.Scales, r, r.W, r.H, r.Matrix})
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		alone, err := Consensus(t.Context(), x, 3, &o)
		if err != nil {
			t.Fatal(err)
		}
		for _, ranks := range []int{1, 2, 4} {
			got, err := consensusOver(t.Context(), ranks, x, 3, o)
			if err != nil {
				t.Fatal(err)
			}
			if all(got) != all(alone) {
				t.Errorf("%d ranks of %+v find another consensus than one process", ranks, o)
			}
		}
	}
}

// TestConsensusOverRanksFails: what fails on one rank fails on all.
func TestConsensusOverRanksFails(t *testing.T) {
	x := counts(t)
	if _, err := consensusOver(t.Context(), 3, x, 3, ConsensusOptions{Runs: 6, Threshold: 1e-12, Fit: nmf.Options{MaxIter: 2}}); err == nil || !strings.Contains(err.Error(), "of 18 components 0 are near others") {
		t.Errorf("too few components give %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := consensusOver(ctx, 3, x, 3, ConsensusOptions{Runs: 6}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled one gives %v", err)
	}
	for what, change := range map[string]func(o *ConsensusOptions){
		"what a consensus is asked for of rank 0 is": func(o *ConsensusOptions) { o.Threshold = 1 },
		"the sum (SHA-256) of the options":           func(o *ConsensusOptions) { o.Fit.Seed = 8 },
		"rank 1: bad option: runs is 1":              func(o *ConsensusOptions) { o.Runs = 1 },
	} {
		err := comm.Run(2, func(c comm.Comm) error {
			o := ConsensusOptions{Runs: 4, Threshold: 2, Fit: nmf.Options{MaxIter: 2}, Ranks: c}
			if c.Rank() == 1 {
				change(&o)
			}
			_, err := Consensus(t.Context(), x, 2, &o)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, not %q", err, what)
		}
	}
}
