package nmf_test

import (
	"context"
	"errors"
	"fmt"
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

// TestFirstRowsOverRanks: the way of one process to rounding, and the same bits every
// time.
func TestFirstRowsOverRanks(t *testing.T) {
	t.Run("f32", func(t *testing.T) { firstRowsOverRanks[float32](t, 1e-4, 1e-2) })
	t.Run("f64", func(t *testing.T) { firstRowsOverRanks[float64](t, 1e-8, 1e-4) })
}

func firstRowsOverRanks[F matrix.Float](t *testing.T, tol, far float64) {
	const m, k = 3300, 4
	x := lowRank[F](m, 1000, 5, 0.2, 1)
	s := sparsePart(x.Clone())
	for _, c := range []struct {
		grid [2]int
		x    matrix.Matrix[F]
	}{{[2]int{2, 1}, x}, {[2]int{3, 1}, s}, {[2]int{2, 1}, streamed(x, nil)}, {[2]int{2, 2}, x}, {[2]int{1, 2}, s}, {[2]int{2, 2}, s}} {
		for _, o := range []nmf.Options{{Runs: 2}, {Solver: "bpp"}} {
			o.Init, o.Compression, o.MaxIter, o.Tol, o.LossTol = "random", "off", 5, -1, -1
			what := fmt.Sprintf("%T, %v, %d runs", c.x, c.grid, o.Runs)
			want := fit(t, c.x, k, &o)
			o.Grid = c.grid
			for i := range 2 {
				models, err := overRanks(c.grid[0]*c.grid[1], c.x, k, o, nil, nil)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				whole(t, models, m, nil)
				if i == 0 {
					sameWay(t, what, models[0], want, tol, far)
					want = models[0]
				} else if bits(models[0]) != bits(want) {
					t.Errorf("%s: other bits the second time", what)
				}
				o.Threads = 3
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
