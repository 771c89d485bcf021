package nmf_test

import (
	"context"
	"errors"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestFirstRowsSameBits: a fit that begins with some of the rows of X has the same
// bits for any number of threads, from memory or block by block, and of each restart
// whichever others are beside it.
func TestFirstRowsSameBits(t *testing.T) {
	t.Run("f32", func(t *testing.T) { firstRowsSameBits[float32](t) })
	t.Run("f64", func(t *testing.T) { firstRowsSameBits[float64](t) })
}

func firstRowsSameBits[F matrix.Float](t *testing.T) {
	x := lowRank[F](3300, 1000, 4, 0.2, 1)
	s := sparsePart(x.Clone())
	for _, o := range []nmf.Options{{Init: "random", Runs: 3, Seed: 5}, {Init: "random", Solver: "bpp"}, {Init: "nndsvd"}} {
		o.MaxIter, o.Compression = 2, "off"
		for name, ways := range map[string][]matrix.Matrix[F]{
			"dense":  {x, streamed(x, nil)},
			"sparse": {s, matrix.StreamCSR(s, 512)},
		} {
			want := bits(fit(t, ways[0], 4, &o))
			for _, x := range ways {
				for _, threads := range []int{1, 3} {
					o.Threads = threads
					if bits(fit(t, x, 4, &o)) != want {
						t.Errorf("%s, %s, %T, %d threads: other bits", name, o.Init, x, threads)
					}
				}
			}
			o.Threads = 0
			if o.Runs == 0 {
				continue
			}
			all := fit(t, ways[0], 4, &o)
			for i, r := range all.Info.Runs {
				alone := o
				alone.Runs, alone.Seed = 1, r.Seed
				if got := fit(t, ways[0], 4, &alone).Info.Loss; got != r.Loss {
					t.Errorf("%s: run %d has the loss %v beside others, %v alone", name, i, r.Loss, got)
				}
			}
		}
	}
}

// TestFirstRowsCancelled: a fit that is cancelled while it is at them has no model.
func TestFirstRowsCancelled(t *testing.T) {
	x := lowRank[float32](2100, 600, 4, 0.2, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	calls := 0
	m, err := nmf.Fit(ctx, streamed(x, func(int) error {
		// One read a block for the sums of X, then one a row.
		if calls++; calls == 20 {
			cancel(stop)
		}
		return nil
	}), 4, &nmf.Options{Init: "random", Threads: 1})
	if m != nil || !errors.Is(err, stop) {
		t.Errorf("a model %v, error %v", m != nil, err)
	}
}
