package nmf_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestFitEachIsFit: every model of FitEach has the bits of a fit alone, for
// dense and sparse data, several k, any number of threads, and in any company.
func TestFitEachIsFit(t *testing.T) {
	dense := lowRank[float64](60, 40, 5, 0.1, 3)
	for name, x := range map[string]matrix.Matrix[float64]{"dense": dense, "sparse": dense.Sparse()} {
		var starts []nmf.Start
		for seed := range uint64(3) {
			for _, k := range []int{1, 3, 7} {
				starts = append(starts, nmf.Start{K: k, Seed: 10 + 5*seed})
			}
		}
		for _, threads := range []int{1, 3} {
			models, err := nmf.FitEach(context.Background(), x, starts, &nmf.Options{MaxIter: 40, Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range starts {
				alone, err := nmf.Fit(context.Background(), x, s.K, &nmf.Options{MaxIter: 40, Init: "random", Seed: s.Seed, Threads: 2})
				if err != nil {
					t.Fatal(err)
				}
				m := models[i]
				if !slices.Equal(m.W.Data, alone.W.Data) || !slices.Equal(m.H.Data, alone.H.Data) || !slices.Equal(m.Scales, alone.Scales) ||
					m.Info.Loss != alone.Info.Loss || m.Info.Status != alone.Info.Status || m.Info.K != s.K || len(m.Info.Runs) != 1 || m.Info.Runs[0].Seed != s.Seed {
					t.Errorf("%s, %d threads: the fit of k = %d with seed %d differs from the same alone", name, threads, s.K, s.Seed)
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
