package nmf_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// spreadCounts draws counts of the variance y + α·y² around rates y, with the α of
// each column: Poisson counts of rates times gamma variables of variance α, which
// is at most 1.
func spreadCounts(rates *matrix.Dense[float64], alpha func(j int) float64, seed uint64) *matrix.Dense[float64] {
	rng := rand.New(rand.NewPCG(seed, 41))
	// Marsaglia & Tsang (2000), for shapes of at least 1.
	gamma := func(shape float64) float64 {
		d := shape - 1.0/3
		for {
			z := rng.NormFloat64()
			v := math.Pow(1+z/math.Sqrt(9*d), 3)
			if v > 0 && math.Log(rng.Float64()) < z*z/2+d-d*v+d*math.Log(v) {
				return d * v
			}
		}
	}
	x := matrix.NewDense[float64](rates.Rows, rates.Cols)
	for i := range x.Rows {
		for j, rate := range rates.Row(i) {
			if a := alpha(j); a > 0 {
				rate *= gamma(1/a) * a
			}
			n, limit := -1, math.Exp(-rate)
			for p := 1.0; p > limit; p *= rng.Float64() {
				n++
			}
			x.Set(i, j, float64(n))
		}
	}
	return x
}

// TestDispersionRecovered: the dispersion of planted counts is found again, for all
// of X and for each feature, to five standard errors of its moment estimator, less
// what the residuals lose to the numbers that are fitted.
func TestDispersionRecovered(t *testing.T) {
	const m, n, k = 400, 100, 2
	rates := lowRank[float64](m, n, k, 0, 81)
	for p, v := range rates.Data {
		rates.Data[p] = 10 + 2*v
	}
	// A rate has rank 3 with what was added.
	const fitted = k + 1
	byFeature := func(j int) float64 { return []float64{0, 0.05, 0.2, 0.5, 1}[j%5] }
	for _, c := range []struct {
		by    string
		alpha func(j int) float64
	}{
		{"global", func(int) float64 { return 0.3 }},
		{"global", func(int) float64 { return 0 }},
		{"feature", byFeature},
	} {
		x := spreadCounts(rates, c.alpha, 83)
		model := fit(t, x, fitted, &nmf.Options{Loss: "negbinomial", DispersionBy: c.by, MaxIter: 5, Seed: 1})
		var whole moments
		for j := range n {
			var one moments
			for i := range m {
				one.add(rates.At(i, j), c.alpha(j))
			}
			whole.join(one)
			if c.by == "feature" {
				want, bound := one.estimate(c.alpha(j), m, n, fitted)
				if got := model.Info.Dispersions[j]; math.Abs(got-want) > bound {
					t.Errorf("feature %d: %v, want %v ± %v, planted %v", j, got, want, bound, c.alpha(j))
				}
			}
		}
		if c.by == "global" {
			want, bound := whole.estimate(c.alpha(0), m, n, fitted)
			if got := model.Info.Resolved.Dispersion; math.Abs(got-want) > bound || bound > 0.03 || math.Abs(want-c.alpha(0)) > 0.02 {
				t.Errorf("%v, want %v ± %v, planted %v", got, want, bound, c.alpha(0))
			}
		}
	}
}

// moments are sums over cells for the error of the moment estimator.
type moments struct{ rates, squares, variance float64 }

// add takes a cell of rate y: (x−y)² has the variance κ₄ + 2κ₂² of a negative
// binomial.
func (s *moments) add(y, alpha float64) {
	k2 := y * (1 + alpha*y)
	s.rates += y
	s.squares += y * y
	s.variance += k2*(1+6*alpha*k2) + 2*k2*k2
}

func (s *moments) join(o moments) {
	s.rates += o.rates
	s.squares += o.squares
	s.variance += o.variance
}

// estimate is what is found of alpha where fitting k components takes its part of
// Σ(x−y)², give or take half of that and five standard errors.
func (s *moments) estimate(alpha float64, m, n, k int) (want, bound float64) {
	lost := (float64(k)/float64(m) + float64(k)/float64(n)) * (alpha + s.rates/s.squares)
	return max(0, alpha-lost), lost/2 + 5*math.Sqrt(s.variance)/s.squares
}
