package nmf_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestFitEachIsFit: every model of FitEach has the bits of a fit alone, for
// dense and sparse data, several losses and k, missing cells, penalties, any
// number of threads, and in any company.
func TestFitEachIsFit(t *testing.T) {
	dense := lowRank[float64](40, 30, 5, 0.1, 3)
	mask, err := matrix.NewMask(40, 30, []int32{0, 5, 9, 30}, []int32{1, 1, 7, 29})
	if err != nil {
		t.Fatal(err)
	}
	var starts []nmf.Start
	for seed := range uint64(2) {
		for _, k := range []int{1, 3, 7} {
			starts = append(starts, nmf.Start{K: k, Seed: 10 + 5*seed})
		}
	}
	for _, c := range []struct {
		name string
		x    matrix.Matrix[float64]
		o    nmf.Options
	}{
		{"dense", dense, nmf.Options{}},
		{"sparse", dense.Sparse(), nmf.Options{}},
		{"bpp", dense, nmf.Options{Solver: "bpp"}},
		{"penalties", dense, nmf.Options{PenaltyW: nmf.Penalty{L1: 0.01}, PenaltyH: nmf.Penalty{L1: 0.01}}},
		{"kl", dense, nmf.Options{Loss: "kl"}},
		{"sparse kl", dense.Sparse(), nmf.Options{Loss: "kl"}},
		{"kl with mask", dense, nmf.Options{Loss: "kl", Mask: mask}},
		{"mask", dense, nmf.Options{Mask: mask}},
		{"huber", dense, nmf.Options{Loss: "huber"}},
		{"l1", dense, nmf.Options{Loss: "l1"}},
		{"no cell is missing", dense, nmf.Options{Missing: "nan"}},
	} {
		c.o.MaxIter = 12
		for _, threads := range []int{1, 3} {
			c.o.Threads = threads
			models, err := nmf.FitEach(context.Background(), c.x, starts, &c.o)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for i, s := range starts {
				o := c.o
				o.Init, o.Seed, o.Threads = "random", s.Seed, 2
				alone, err := nmf.Fit(context.Background(), c.x, s.K, &o)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				if m := models[i]; bits(m) != bits(alone) || m.Info.K != s.K || m.Info.LossName != alone.Info.LossName {
					t.Errorf("%s, %d threads: the fit of k = %d with seed %d differs from the same alone", c.name, threads, s.K, s.Seed)
				}
			}
		}
	}
}

func TestFitEachErrors(t *testing.T) {
	x := lowRank[float64](20, 10, 3, 0.1, 1)
	if models, err := nmf.FitEach(context.Background(), x, nil, nil); err != nil || len(models) != 0 {
		t.Errorf("no starts: %v, %v", models, err)
	}
	for _, c := range []struct {
		start nmf.Start
		o     *nmf.Options
	}{{nmf.Start{K: 0}, nil}, {nmf.Start{K: 2}, &nmf.Options{Compression: "on"}}, {nmf.Start{K: 2}, &nmf.Options{Solver: "none"}}} {
		if _, err := nmf.FitEach(context.Background(), x, []nmf.Start{c.start}, c.o); !errors.Is(err, nmf.ErrOption) {
			t.Errorf("%v, %+v: %v", c.start, c.o, err)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	why := fmt.Errorf("enough")
	cancel(why)
	if _, err := nmf.FitEach(ctx, x, []nmf.Start{{K: 2}}, nil); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
}
