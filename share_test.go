package nmf_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// TestRunsOverRanks: every rank gets the model of one process, whatever the
// number of ranks, the loss and the start.
func TestRunsOverRanks(t *testing.T) {
	x := lowRank[float32](60, 40, 4, 0.1, 7)
	for _, o := range []nmf.Options{
		{Runs: 5, Seed: 3, MaxIter: 40},
		{Runs: 2, Init: "nndsvdar", MaxIter: 20},
		{Runs: 4, Solver: "bpp", Compression: "on", MaxIter: 20},
		{Runs: 3, Loss: "kl", MaxIter: 20},
		{Runs: 3, Loss: "huber", MaxIter: 20},
		{Runs: 3, Mask: mask(t, 60, 40), MaxIter: 20},
		{Runs: 1, MaxIter: 20},
	} {
		alone, err := nmf.Fit(context.Background(), x, 4, &o)
		if err != nil {
			t.Fatal(err)
		}
		want := bits(alone)
		for _, ranks := range []int{1, 2, 3, 6} {
			err := comm.Run(ranks, func(c comm.Comm) error {
				over := o
				over.Threads = 1 + c.Rank()
				m, err := nmf.FitRuns(context.Background(), c, x, 4, &over)
				if err != nil {
					return err
				}
				if got := bits(m); got != want {
					return fmt.Errorf("rank %d of %d has another model than one process", c.Rank(), ranks)
				}
				if diff := cmp.Diff(alone.Info.Compression, m.Info.Compression); diff != "" {
					return fmt.Errorf("rank %d of %d was compressed otherwise: %s", c.Rank(), ranks, diff)
				}
				checkForm(t, m)
				return nil
			})
			if err != nil {
				t.Errorf("%+v: %v", o, err)
			}
		}
	}
}

// mask misses a few cells.
func mask(t *testing.T, m, n int) *matrix.Mask {
	k, err := matrix.NewMask(m, n, []int32{1, 5, 9}, []int32{2, 2, 30})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestRanksThatDisagree: each difference is named, on every rank.
func TestRanksThatDisagree(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     func(x *matrix.Dense[float64], k *int, o *nmf.Options)
	}{
		{"k", "k of rank 0 is 3, of rank 1 it is 4", func(_ *matrix.Dense[float64], k *int, _ *nmf.Options) { *k = 4 }},
		{"options", "the options of rank 0 is ", func(_ *matrix.Dense[float64], _ *int, o *nmf.Options) { o.Loss = "kl" }},
		{"a value", "the sum of X of rank 0 is ", func(x *matrix.Dense[float64], _ *int, _ *nmf.Options) { x.Set(3, 3, 0.5) }},
		{"a bad value", "rank 1: row 4, column 4: -1 is negative", func(x *matrix.Dense[float64], _ *int, _ *nmf.Options) { x.Set(3, 3, -1) }},
		{"memory", "rank 1: not enough memory allowed", func(_ *matrix.Dense[float64], _ *int, o *nmf.Options) { o.Memory = 10 }},
		{"an option that cannot be", "rank 1: bad option: tol is NaN; it must be", func(_ *matrix.Dense[float64], _ *int, o *nmf.Options) { o.Tol = math.NaN() }},
	} {
		errs := make([]error, 3)
		if err := comm.Run(3, func(c comm.Comm) error {
			x, k := lowRank[float64](20, 10, 3, 0.1, 1), 3
			o := &nmf.Options{Runs: 3}
			if c.Rank() == 1 {
				test.change(x, &k, o)
			}
			_, errs[c.Rank()] = nmf.FitRuns(context.Background(), c, x, k, o)
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		for r, err := range errs {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: rank %d has the error %v, not %q", test.name, r, err, test.want)
			}
		}
	}
}

// TestCancelledOverRanks: the best so far is the same on all ranks, whoever has
// it.
func TestCancelledOverRanks(t *testing.T) {
	x := lowRank[float32](200, 100, 4, 0.1, 7)
	all := make([]string, 3)
	err := comm.Run(3, func(c comm.Comm) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o := &nmf.Options{Runs: 6, Tol: -1, LossTol: -1, MaxIter: 1e6,
			Progress: func(p nmf.Progress) {
				if p.Iteration.Iteration >= 5 {
					cancel()
				}
			}}
		m, err := nmf.FitRuns(ctx, c, x, 4, o)
		if err != nil {
			return err
		}
		if m.Info.Status != nmf.Cancelled {
			return fmt.Errorf("the status is %s", m.Info.Status)
		}
		all[c.Rank()] = bits(m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for r, b := range all {
		if b != all[0] {
			t.Errorf("rank %d has another model than rank 0", r)
		}
	}
}
