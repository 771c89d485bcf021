package rank

import (
	"fmt"
	"math"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

// lossOf is the loss of a model, with its parameters.
func lossOf(info *nmf.Info) (*loss.Loss, error) {
	o := &info.Resolved
	switch o.Loss {
	case "", "frobenius":
		return &loss.Loss{Kind: loss.Beta, Beta: 2}, nil
	case "kl":
		return &loss.Loss{Kind: loss.Beta, Beta: 1}, nil
	case "is":
		return &loss.Loss{Kind: loss.Beta, Beta: 0}, nil
	case "beta":
		return &loss.Loss{Kind: loss.Beta, Beta: o.Beta}, nil
	case "tweedie":
		return &loss.Loss{Kind: loss.Beta, Beta: 2 - o.Power}, nil
	case "negbinomial":
		l := &loss.Loss{Kind: loss.NegBinomial, Theta: []float64{1 / o.Dispersion}}
		if info.Dispersions != nil {
			l.Theta = make([]float64, len(info.Dispersions))
			for j, alpha := range info.Dispersions {
				l.Theta[j] = 1 / alpha
			}
		}
		return l, nil
	case "huber":
		return &loss.Loss{Kind: loss.Huber, Delta: o.Delta}, nil
	case "l1":
		return &loss.Loss{Kind: loss.Absolute, Delta: o.Delta}, nil
	}
	return nil, fmt.Errorf("%w: no prediction can be judged by the loss %q", ErrInput, o.Loss)
}

// likelihood turns the loss of a fit over n observed cells into −2·log of the
// likelihood, up to what is the same for every k, with the number of parameters
// that the noise has beside those of W and H:
//
//   - frobenius: independent normal errors of one unknown variance,
//     n·ln(RSS/n); one parameter;
//   - kl: Poisson counts, twice the loss; none;
//   - negbinomial: counts of variance y + α·y², twice the loss; the dispersion;
//   - is: exponential noise that multiplies (gamma of shape 1), twice the loss;
//     none;
//   - l1: Laplace errors of one unknown scale, 2n·ln(loss/n); one.
//
// The other losses are no likelihood without more being known: ok is false.
func likelihood(lossName string, value, n float64) (minus2log float64, parameters int, ok bool) {
	switch lossName {
	case "", "frobenius":
		return n * math.Log(2*value/n), 1, true
	case "kl", "is":
		return 2 * value, 0, true
	case "negbinomial":
		return 2 * value, 1, true
	case "l1":
		return 2 * n * math.Log(value/n), 1, true
	}
	return math.NaN(), 0, false
}

// freeParameters counts the entries of W and H that are above zero, less one a
// component for the scale that the two share. An entry at its bound is not free:
// the divergence of a least squares fit under bounds, which is its number of
// degrees of freedom, is the number of entries that are above theirs (Meyer &
// Woodroofe 2000). Entries below a millionth of the largest of their component
// count as zero: multiplicative updates only come near it.
func freeParameters[F matrix.Float](m *nmf.Model[F]) int {
	const least = 1e-6
	free := 0
	wt := m.W.T()
	for j, s := range m.Scales {
		if s == 0 {
			continue
		}
		free += above(wt.Row(j), least) + above(m.H.Row(j), least) - 1
	}
	return free
}

// above counts the values that are more than a part of the largest.
func above[F matrix.Float](row []F, part float64) int {
	largest := F(0)
	for _, v := range row {
		largest = max(largest, v)
	}
	n := 0
	for _, v := range row {
		if float64(v) > part*float64(largest) {
			n++
		}
	}
	return n
}
