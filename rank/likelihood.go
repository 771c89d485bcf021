package rank

import (
	"fmt"
	"math"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// cellLoss gives the loss of one cell with the value x where the model says y,
// for a model's loss and its parameters.
func cellLoss(o *nmf.Options) (func(x, y float64) float64, error) {
	switch o.Loss {
	case "", "frobenius":
		return betaLoss(2), nil
	case "kl":
		return betaLoss(1), nil
	case "is":
		return betaLoss(0), nil
	case "beta":
		return betaLoss(o.Beta), nil
	case "tweedie":
		return betaLoss(2 - o.Power), nil
	case "negbinomial":
		return negativeBinomialLoss(o.Dispersion), nil
	case "huber":
		return huberLoss(o.Delta), nil
	case "l1":
		return func(x, y float64) float64 { return math.Abs(x - y) }, nil
	}
	return nil, fmt.Errorf("%w: no prediction can be judged by the loss %q", ErrInput, o.Loss)
}

// betaLoss is the β-divergence d_β(x|y) (Févotte & Idier 2011, eq. 2).
func betaLoss(beta float64) func(x, y float64) float64 {
	switch beta {
	case 2:
		return func(x, y float64) float64 { return (x - y) * (x - y) / 2 }
	case 1:
		return func(x, y float64) float64 {
			if x == 0 {
				return y
			}
			return x*math.Log(x/y) - x + y
		}
	case 0:
		return func(x, y float64) float64 { return x/y - math.Log(x/y) - 1 }
	}
	return func(x, y float64) float64 {
		return (math.Pow(x, beta) + (beta-1)*math.Pow(y, beta) - beta*x*math.Pow(y, beta-1)) / (beta * (beta - 1))
	}
}

// negativeBinomialLoss is half the deviance of counts whose variance is
// y + α·y² (Gouvert, Oberlin & Févotte 2020, up to the factor).
func negativeBinomialLoss(alpha float64) func(x, y float64) float64 {
	if alpha <= 0 {
		return betaLoss(1)
	}
	return func(x, y float64) float64 {
		d := -(x + 1/alpha) * math.Log((1+alpha*x)/(1+alpha*y))
		if x > 0 {
			d += x * math.Log(x/y)
		}
		return d
	}
}

func huberLoss(delta float64) func(x, y float64) float64 {
	return func(x, y float64) float64 {
		r := math.Abs(x - y)
		if delta <= 0 || r <= delta {
			return r * r / 2
		}
		return delta * (r - delta/2)
	}
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
func likelihood(loss string, value, n float64) (minus2log float64, parameters int, ok bool) {
	switch loss {
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
