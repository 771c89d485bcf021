package rank

import (
	"context"
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
