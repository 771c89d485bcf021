package sources

import (
	"context"

	"github.com/partsof/nmf/matrix"
)

// Rotation is a solution that was turned away from the best one.
type Rotation struct {
	Strength float64 `json:"strength"`
	*Solution
	// DQ is how much Q rose.
	DQ float64 `json:"dq"`
}

// Fpeak turns a solution. A positive strength φ sharpens the profiles and smears
// the contributions: every profile loses φ times the mean of the others, down to
// zero, is held there, and the contributions are fitted again. A negative one
// sharpens the contributions likewise and fits the profiles again. It is of the
// same kind as the Fpeak of PMF (Paatero, Hopke, Song & Ramadan 2002), which pulls
// within the fit instead: strengths do not compare, the change of Q does.
func (s *Set) Fpeak(ctx context.Context, from *Solution, strength float64, threads int) (*Rotation, error) {
	r := refit{g: from.G, f: from.F, weights: s.Weights(), threads: threads}
	if strength >= 0 {
		r.f = sharpened(from.F, strength)
		r.heldF = r.f
	} else {
		r.g = sharpened(from.G.T(), -strength).T()
		r.heldG = r.g
	}
	turned, err := s.refit(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Rotation{strength, turned, turned.Q - from.Q}, nil
}

// sharpened takes by times the mean of the other rows from every row, down to
// zero.
func sharpened(a *matrix.Dense[float64], by float64) *matrix.Dense[float64] {
	out := a.Clone()
	if a.Rows < 2 {
		return out
	}
	for j := range a.Cols {
		sum := 0.0
		for l := range a.Rows {
			sum += a.At(l, j)
		}
		for l := range a.Rows {
			v := a.At(l, j)
			out.Set(l, j, max(0, v-by*(sum-v)/float64(a.Rows-1)))
		}
	}
	return out
}
