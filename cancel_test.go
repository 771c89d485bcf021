package nmf_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/partsof/nmf"
)

// countdown is cancelled at the n-th time that somebody asks.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestCancelAnywhere cancels a fit at every place that it looks: there is
// either no model, because there was no pair yet, or one whose numbers hold.
func TestCancelAnywhere(t *testing.T) {
	x := lowRank[float64](90, 70, 5, 0.3, 1)
	for _, o := range []nmf.Options{
		{Compression: "on", Init: "random"},
		{Compression: "off", Init: "random", Runs: 3},
		{Solver: "mu", Compression: "off"},
	} {
		o.Threads, o.MaxIter, o.Tol, o.LossTol = 1, 4, -1, -1
		models, sketched := 0, 0
		for n := 0; ; n += 1 + n/50 {
			ctx := &countdown{context.Background(), n}
			m, err := nmf.Fit(ctx, x, 4, &o)
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("%+v: %v", o, err)
				}
				continue
			}
			models++
			checkForm(t, m)
			d := distance(x, product(m))
			if want := math.Sqrt(2 * m.Info.Loss / sumSquares(x)); math.Abs(d-want) > 1e-9 || math.Abs(d-m.Info.RelativeError) > 1e-9 {
				t.Fatalf("%+v, cancelled after %d: relative error %v by the loss, %v reported; it is %v", o, n, want, m.Info.RelativeError, d)
			}
			if m.Info.Status != nmf.Cancelled {
				break
			}
			if m.Info.Iterations == 0 {
				sketched++
			}
		}
		if models < 2 {
			t.Errorf("%+v: no fit was cancelled with a model", o)
		}
		if o.Compression == "on" && sketched == 0 {
			t.Error("no fit was cancelled between the sketch and X")
		}
	}
}
