package nmf_test

import (
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestLargeStarts: where a fit begins with some of the rows, or online, it is
// the same for any number of threads, nowhere above the start that was given,
// and certified at the end.
func TestLargeStarts(t *testing.T) {
	dense := counts[float32](1300, 45, 4, 9, 31)
	positive := dense.Clone()
	for i, v := range positive.Data {
		positive.Data[i] = v + 0.5
	}
	// Short rows: a handful of cells of each.
	rng := rand.New(rand.NewPCG(1, 31))
	short := counts[float32](2200, 60, 4, 2, 32)
	for i := range short.Data {
		if rng.IntN(8) != 0 {
			short.Data[i] = 0
		}
	}
	for name, c := range map[string]struct {
		x matrix.Matrix[float32]
		o nmf.Options
	}{
		"kl, some rows":           {dense, nmf.Options{Loss: "kl"}},
		"is, some rows":           {positive, nmf.Options{Loss: "is"}},
		"beta, some rows":         {dense, nmf.Options{Loss: "beta", Beta: 0.5}},
		"beta 1.5, sparse":        {dense.Sparse(), nmf.Options{Loss: "beta", Beta: 1.5}},
		"negbinomial, some rows":  {dense, nmf.Options{Loss: "negbinomial", Dispersion: 0.1}},
		"kl, online":              {short.Sparse(), nmf.Options{Loss: "kl"}},
		"kl, online, to an error": {short.Sparse(), nmf.Options{Loss: "kl", TargetError: 0.97}},
		"is, to an error":         {positive, nmf.Options{Loss: "is", TargetError: 0.9}},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.o
			o.MaxIter, o.Threads = 40, 1
			one := fit(t, c.x, 4, &o)
			checkTrace(t, one)
			o.Threads = 3
			if three := fit(t, c.x, 4, &o); bits(one) != bits(three) {
				t.Error("1 and 3 threads differ")
			}
			if o.TargetError != 0 {
				if one.Info.Status != nmf.Converged || one.Info.RelativeError > o.TargetError {
					t.Errorf("%s at the error %v, wanted %v", one.Info.Status, one.Info.RelativeError, o.TargetError)
				}
				return
			}
			// From its own end a fit does not go back, but for zeros that are
			// lifted.
			m, n := c.x.Dims()
			w, h := matrix.NewDense[float64](m, 4), matrix.NewDense[float64](4, n)
			for i := range m {
				for j := range 4 {
					w.Set(i, j, float64(one.W.At(i, j))*one.Scales[j])
				}
			}
			for j := range 4 {
				for i := range n {
					h.Set(j, i, float64(one.H.At(j, i)))
				}
			}
			o.W, o.H, o.MaxIter = w, h, 1
			if again := fit(t, c.x, 4, &o); again.Info.Loss > one.Info.Loss*(1+1e-3) {
				t.Errorf("from its end with loss %v a fit goes to %v", one.Info.Loss, again.Info.Loss)
			}
		})
	}
}
