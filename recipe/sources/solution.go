package sources

import (
	"context"
	"fmt"
	"math"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// outlier is the scaled residual beyond which EPA PMF's robust mode downweights
// (Paatero 1997).
const outlier = 4

// Solution is a factorization in the field's terms: X ≈ G·F.
type Solution struct {
	// G (samples x k) holds the contributions, each column of mean 1; F (k x
	// species) the profiles, in the unit of the concentrations.
	G, F *matrix.Dense[float64]
	// Q is Σ (residual/σ)². QRobust counts a scaled residual r beyond 4 as 4·|r|
	// instead of r².
	Q       float64 `json:"q"`
	QRobust float64 `json:"q_robust"`
	// QExpected is the number of measurements of strong species less the number
	// of entries of G and F. A fit to the uncertainties has Q near it.
	QExpected float64 `json:"q_expected"`
	// Outliers counts scaled residuals beyond 4.
	Outliers int `json:"outliers"`
	// Scaled holds the residuals over σ, NaN where a cell is missing.
	Scaled *matrix.Dense[float64] `json:"-"`
	// Fits are those of the species.
	Fits []SpeciesFit `json:"-"`
}

// SpeciesFit is how well a species is reproduced.
type SpeciesFit struct {
	// QRatio is the species' part of Q over its part of QExpected, which is the
	// same for every species.
	QRatio float64
	// R2 is the squared correlation of measured and modelled concentrations.
	R2       float64
	Outliers int
}

// K is the number of factors.
func (s *Solution) K() int { return s.F.Rows }

// Solve puts a model of the set in the field's terms.
func Solve[F matrix.Float](set *Set, m *nmf.Model[F]) *Solution {
	g, f := matrix.NewDense[float64](m.W.Rows, m.K()), matrix.NewDense[float64](m.K(), m.H.Cols)
	for l, s := range m.Scales {
		for i := range g.Rows {
			g.Set(i, l, float64(m.W.At(i, l)))
		}
		for j, v := range m.H.Row(l) {
			f.Set(l, j, s*float64(v))
		}
	}
	return set.solution(g, f)
}

// solution measures a pair, which it normalises in place.
func (s *Set) solution(g, f *matrix.Dense[float64]) *Solution {
	m, n, k := g.Rows, f.Cols, f.Rows
	for l := range k {
		mean := 0.0
		for i := range m {
			mean += g.At(i, l) / float64(m)
		}
		if mean == 0 {
			continue
		}
		for i := range m {
			g.Set(i, l, g.At(i, l)/mean)
		}
		for j := range n {
			f.Set(l, j, f.At(l, j)*mean)
		}
	}
	out := &Solution{G: g, F: f, Scaled: matrix.NewDense[float64](m, n), Fits: make([]SpeciesFit, n)}
	cells, strong := 0, 0
	for j := range n {
		var ofSpecies, measured, modelled, both, measured2, modelled2, count float64
		for i := range m {
			if !s.present(i, j) {
				out.Scaled.Set(i, j, math.NaN())
				continue
			}
			x, y := s.concentrations().At(i, j), 0.0
			for l, w := range g.Row(i) {
				y += w * f.At(l, j)
			}
			r := (x - y) / s.Sigma.At(i, j)
			out.Scaled.Set(i, j, r)
			ofSpecies += r * r
			if a := math.Abs(r); a > outlier {
				out.QRobust += outlier * a
				out.Fits[j].Outliers++
			} else {
				out.QRobust += r * r
			}
			measured, modelled, both = measured+x, modelled+y, both+x*y
			measured2, modelled2, count = measured2+x*x, modelled2+y*y, count+1
		}
		out.Q += ofSpecies
		out.Outliers += out.Fits[j].Outliers
		out.Fits[j].QRatio = ofSpecies
		cov := both - measured*modelled/count
		if v := (measured2 - measured*measured/count) * (modelled2 - modelled*modelled/count); v > 0 {
			out.Fits[j].R2 = cov * cov / v
		}
		if s.Species[j].Category == Strong {
			cells += int(count)
			strong++
		}
	}
	out.QExpected = float64(cells - k*(m+n))
	for j := range out.Fits {
		out.Fits[j].QRatio *= float64(strong) / out.QExpected
	}
	return out
}

// Shares gives the percentages of each species that the factors make (k x
// species), of what the model explains of it.
func (s *Solution) Shares() *matrix.Dense[float64] {
	out := matrix.NewDense[float64](s.F.Rows, s.F.Cols)
	for j := range s.F.Cols {
		total := 0.0
		for l := range s.F.Rows {
			total += s.F.At(l, j)
		}
		if total == 0 {
			continue
		}
		for l := range s.F.Rows {
			out.Set(l, j, 100*s.F.At(l, j)/total)
		}
	}
	return out
}

// refit is a fit that starts at G and F. What is held of them is not NaN.
type refit struct {
	g, f, heldG, heldF *matrix.Dense[float64]
	weights            *matrix.Dense[float64]
	rows               []float64 // weights of samples; nil for 1
	tight              bool      // for differences of Q
	threads            int
}

// Differences of Q of a few units in tens of thousands need more than the
// usual tolerance.
const (
	tightTol, tightLossTol, tightIterations = 1e-6, 1e-8, 500
	looseTol, looseLossTol, looseIterations = 1e-5, 1e-8, 500
)

func (s *Set) refit(ctx context.Context, r refit) (*Solution, error) {
	if r.heldF == nil {
		// Held entries, even none, keep a model as it is: not normalised, and its
		// components in the order of the start.
		r.heldF = free(r.f.Rows, r.f.Cols)
	}
	o := &nmf.Options{Weights: r.weights, RowWeights: r.rows, Threads: max(1, r.threads), W: r.g, H: r.f,
		PenaltyW: nmf.Penalty{Held: r.heldG}, PenaltyH: nmf.Penalty{Held: r.heldF},
		Tol: looseTol, LossTol: looseLossTol, MaxIter: looseIterations}
	if r.tight {
		o.Tol, o.LossTol, o.MaxIter = tightTol, tightLossTol, tightIterations
	}
	m, err := nmf.Fit(ctx, s.X, r.f.Rows, o)
	if err != nil {
		return nil, err
	}
	if m.Info.Status == nmf.Cancelled {
		return nil, context.Cause(ctx)
	}
	return s.solution(m.W, m.H), nil
}

// free is a matrix that holds no entry.
func free(rows, cols int) *matrix.Dense[float64] {
	d := matrix.NewDense[float64](rows, cols)
	for i := range d.Data {
		d.Data[i] = math.NaN()
	}
	return d
}

// Unweighted gives fits without weights, the first from NNDSVD, the others from
// random starts. They are starts for Robust: where weights differ by orders of
// magnitude, fits that have them from the beginning end in many places.
func (s *Set) Unweighted(ctx context.Context, k, starts int, seed uint64, threads int) ([]*Solution, error) {
	var list []*Solution
	for i := range starts {
		o := &nmf.Options{Seed: seed + uint64(i), MaxIter: unweightedIterations, Threads: threads}
		if i > 0 || k > min(s.X.Dims()) {
			o.Init = "random"
		}
		m, err := nmf.Fit(ctx, s.X, k, o)
		if err != nil {
			return nil, err
		}
		list = append(list, Solve(s, m))
	}
	return list, nil
}

// unweightedIterations is all that a start is worth.
const unweightedIterations = 100

// Robust fits with the weights of outliers, scaled residuals r beyond 4, reduced
// by 4/|r|, until they settle: Huber's loss by iterated weights, as in the robust
// mode of PMF (Paatero 1997). It goes from every solution given and returns the
// one with the least loss, and its weights.
func (s *Set) Robust(ctx context.Context, from []*Solution, threads int) (best *Solution, weights *matrix.Dense[float64], err error) {
	const rounds, settled = 50, 1e-6
	for _, last := range from {
		var w *matrix.Dense[float64]
		for range rounds {
			w = s.robustWeights(last)
			next, err := s.refit(ctx, refit{g: last.G, f: last.F, weights: w, threads: threads})
			if err != nil {
				return nil, nil, fmt.Errorf("robust fit: %w", err)
			}
			done := math.Abs(next.huber()-last.huber()) <= settled*last.huber()
			last = next
			if done {
				break
			}
		}
		if best == nil || last.huber() < best.huber() {
			best, weights = last, w
		}
	}
	return best, weights, nil
}

// robustWeights are 1/σ², reduced where the scaled residual r is beyond 4.
func (s *Set) robustWeights(at *Solution) *matrix.Dense[float64] {
	w := s.Weights()
	for i, r := range at.Scaled.Data {
		if a := math.Abs(r); a > outlier { // not where it is NaN
			w.Data[i] *= outlier / a
		}
	}
	return w
}

// huber is the loss that robust weights minimise: r², and 8·|r| − 16 beyond 4.
func (s *Solution) huber() float64 {
	sum := 0.0
	for _, r := range s.Scaled.Data {
		switch a := math.Abs(r); {
		case a > outlier:
			sum += outlier * (2*a - outlier)
		case a == a:
			sum += a * a
		}
	}
	return sum
}
