// Package planted makes matrices with a known number of components, to see
// whether it is found.
package planted

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/partsof/nmf/matrix"
)

// Kind is a kind of planted data.
type Kind struct {
	Name, About string
	// Loss is the one that the noise asks for.
	Loss string
	make func(k int, rng *rand.Rand) matrix.Matrix[float64]
}

// Shape of every planted matrix.
const (
	Rows    = 80
	Columns = 60
)

// Kinds lists the kinds.
func Kinds() []Kind {
	return []Kind{
		{"gaussian", "sparse factors, dense data, normal noise of a tenth of the signal's mean", "frobenius", gaussian},
		{"poisson", "counts with a mean of 6 a cell", "kl", counts(6)},
		{"sparse", "counts of which nine in ten are zero, stored sparse", "kl", sparse},
	}
}

// Make gives a matrix of k components, samples x features.
func (d Kind) Make(k int, seed uint64) matrix.Matrix[float64] {
	return d.make(k, rand.New(rand.NewPCG(seed, uint64(k))))
}

// factor is rows x k: every entry is zero with a probability, gamma(2) else.
func factor(rows, k int, zero float64, rng *rand.Rand) *matrix.Dense[float64] {
	f := matrix.NewDense[float64](rows, k)
	g := distuv.Gamma{Alpha: 2, Beta: 1, Src: rng}
	for i := range f.Data {
		if rng.Float64() >= zero {
			f.Data[i] = g.Rand()
		}
	}
	return f
}

// product gives W·H scaled to a mean.
func product(k int, zero, mean float64, rng *rand.Rand) *matrix.Dense[float64] {
	w, h := factor(Rows, k, zero, rng), factor(Columns, k, zero, rng)
	x := matrix.NewDense[float64](Rows, Columns)
	sum := 0.0
	for i := range Rows {
		for j := range Columns {
			v := 0.0
			for p, a := range w.Row(i) {
				v += a * h.At(j, p)
			}
			x.Set(i, j, v)
			sum += v
		}
	}
	for i := range x.Data {
		x.Data[i] *= mean * float64(len(x.Data)) / sum
	}
	return x
}

func gaussian(k int, rng *rand.Rand) matrix.Matrix[float64] {
	x := product(k, 0.5, 1, rng)
	for i := range x.Data {
		x.Data[i] = max(0, x.Data[i]+0.1*rng.NormFloat64())
	}
	return x
}

func poisson(x *matrix.Dense[float64], rng *rand.Rand) *matrix.Dense[float64] {
	for i, v := range x.Data {
		if v > 0 {
			x.Data[i] = distuv.Poisson{Lambda: v, Src: rng}.Rand()
		}
	}
	return x
}

func counts(mean float64) func(k int, rng *rand.Rand) matrix.Matrix[float64] {
	return func(k int, rng *rand.Rand) matrix.Matrix[float64] {
		return poisson(product(k, 0.5, mean, rng), rng)
	}
}

func sparse(k int, rng *rand.Rand) matrix.Matrix[float64] {
	return poisson(product(k, 0.8, 0.6, rng), rng).Sparse()
}
