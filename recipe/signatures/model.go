package signatures

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
)

// Preset is the fit of the field: the Kullback-Leibler divergence, which is the
// likelihood of Poisson's counts, and the best of 10 random starts (Alexandrov
// et al. 2013). Tolerances are below the defaults: flat signatures are told apart
// only near the end.
func Preset() *nmf.Options {
	return &nmf.Options{Loss: "kl", Init: "random", Runs: 10, Tol: 1e-5, LossTol: 1e-8}
}

// Names are those of k new signatures: SBS96A, SBS96B, ….
func Names(k int) []string {
	names := make([]string, k)
	for j := range names {
		names[j] = "SBS96" + letters(j)
	}
	return names
}

// letters counts A, B, …, Z, AA, AB, ….
func letters(j int) string {
	s := ""
	for j++; j > 0; j = (j - 1) / 26 {
		s = string(rune('A'+(j-1)%26)) + s
	}
	return s
}

// Activities gives the number of mutations of each signature in each sample
// (samples x k): W·diag(Scales), since rows of H sum to 1.
func Activities[F matrix.Float](m *nmf.Model[F]) *matrix.Dense[F] {
	a := matrix.NewDense[F](m.W.Rows, m.K())
	for i := range a.Rows {
		for j, w := range m.W.Row(i) {
			a.Set(i, j, F(float64(w)*m.Scales[j]))
		}
	}
	return a
}

// Poisson draws a catalogue anew: every count from Poisson's distribution about
// it. It depends on the seed and the index alone.
func Poisson[F matrix.Float](x *matrix.Dense[F], seed uint64, index int) *matrix.Dense[F] {
	out := matrix.NewDense[F](x.Rows, x.Cols)
	d := distuv.Poisson{Src: rand.NewPCG(seed, uint64(index)+1)}
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			if v > 0 {
				d.Lambda = float64(v)
				out.Set(i, j, F(d.Rand()))
			}
		}
	}
	return out
}

// Stability is what fits of resampled catalogues say about signatures.
type Stability struct {
	// Resamples is the number of catalogues that were drawn anew.
	Resamples int
	// Cosine is the mean cosine of each signature with its like in the fits.
	Cosine []float64
	// Low and High (k x 96) are the 2.5 % and 97.5 % quantiles of the entries.
	Low, High *matrix.Dense[float64]
}

// Resample fits n catalogues that are drawn anew by Poisson, from one start each
// with the seed o.Seed+index, and matches their signatures with those of the
// model, one to one. done, unless nil, is called after each.
func Resample[F matrix.Float](ctx context.Context, x *matrix.Dense[F], m *nmf.Model[F], n int, o *nmf.Options, done func(int)) (*Stability, error) {
	k := m.K()
	s := &Stability{Resamples: n, Cosine: make([]float64, k), Low: matrix.NewDense[float64](k, x.Cols), High: matrix.NewDense[float64](k, x.Cols)}
	drawn := make([][][]float64, k) // signature, channel, resample
	for j := range drawn {
		drawn[j] = make([][]float64, x.Cols)
	}
	for index := range n {
		fit := *o
		fit.Seed, fit.Runs, fit.Progress, fit.W, fit.H = o.Seed+uint64(index), 1, nil, nil, nil
		again, err := nmf.Fit(ctx, matrix.Matrix[F](Poisson(x, o.Seed, index)), k, &fit)
		if err == nil && again.Info.Status == nmf.Cancelled {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("resampled catalogue %d: %w", index+1, err)
		}
		gains := make([][]float64, k)
		for j := range gains {
			gains[j] = make([]float64, k)
			for l := range gains[j] {
				gains[j][l] = Cosine(m.H.Row(j), again.H.Row(l))
			}
		}
		for j, l := range rank.Assign(gains) {
			s.Cosine[j] += gains[j][l] / float64(n)
			for c, v := range again.H.Row(l) {
				drawn[j][c] = append(drawn[j][c], float64(v))
			}
		}
		if done != nil {
			done(index + 1)
		}
	}
	for j := range drawn {
		for c, values := range drawn[j] {
			low, high := interval(values)
			s.Low.Set(j, c, low)
			s.High.Set(j, c, high)
		}
	}
	return s, nil
}

// interval gives the 2.5 % and 97.5 % quantiles, values in between by straight
// lines.
func interval(values []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	return stat.Quantile(0.025, stat.LinInterp, sorted, nil), stat.Quantile(0.975, stat.LinInterp, sorted, nil)
}
