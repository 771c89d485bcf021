package nmf_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// counts draws Poisson counts of a low-rank rate, many of which are zero.
func counts[F matrix.Float](rows, cols, rank int, mean float64, seed uint64) *matrix.Dense[F] {
	rate := lowRank[float64](rows, cols, rank, 0.1, seed)
	rng := rand.New(rand.NewPCG(seed, 21))
	total := 0.0
	for _, v := range rate.Data {
		total += v
	}
	x := matrix.NewDense[F](rows, cols)
	for i, v := range rate.Data {
		limit, n := math.Exp(-v*mean*float64(len(rate.Data))/total), 0
		for p := rng.Float64(); p > limit; p *= rng.Float64() {
			n++
		}
		x.Data[i] = F(n)
	}
	return x
}

// lossCases are losses with parameters, and whether they take zeros.
func lossCases() []nmf.Options {
	return []nmf.Options{{Loss: "frobenius"}, {Loss: "kl"}, {Loss: "is"}, {Loss: "beta", Beta: 0.5}, {Loss: "beta", Beta: 1.5}, {Loss: "beta", Beta: 3},
		{Loss: "beta", Beta: -0.5}, {Loss: "tweedie", Power: 1.4}, {Loss: "negbinomial", Dispersion: 0.3}, {Loss: "negbinomial"}, {Loss: "huber", Delta: 1}, {Loss: "huber"}, {Loss: "l1"}}
}

func needsPositive(o nmf.Options) bool {
	return o.Loss == "is" || o.Loss == "beta" && o.Beta <= 0
}

func TestLossesFall(t *testing.T) {
	t.Run("float32", func(t *testing.T) { lossesFall[float32](t) })
	t.Run("float64", func(t *testing.T) { lossesFall[float64](t) })
}

func lossesFall[F matrix.Float](t *testing.T) {
	x := counts[F](83, 70, 4, 3, 5)
	for _, o := range lossCases() {
		for _, solver := range []string{"auto", "mu"} {
			for _, sparse := range []bool{false, true} {
				o := o
				o.Solver, o.MaxIter = solver, 200
				name := fmt.Sprintf("%s %v %v %s sparse %v", o.Loss, o.Beta, o.Dispersion, solver, sparse)
				data := x
				if needsPositive(o) {
					if sparse {
						continue
					}
					data = x.Clone()
					for i := range data.Data {
						data.Data[i] += 0.1
					}
				}
				if o.Loss == "frobenius" {
					o.ColumnWeights = make([]float64, x.Cols)
					for j := range o.ColumnWeights {
						o.ColumnWeights[j] = 1 + float64(j%3)
					}
				}
				m, err := nmf.Fit(t.Context(), held(data, sparse), 5, &o)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				checkForm(t, m)
				checkTrace(t, m)
				t.Logf("%s: loss %.8g error %.4f kkt %.2e after %d, %s, dispersion %v delta %v", name, m.Info.Loss, m.Info.RelativeError, m.Info.KKT, m.Info.Iterations, m.Info.Status, m.Info.Resolved.Dispersion, m.Info.Resolved.Delta)
			}
		}
	}
}
