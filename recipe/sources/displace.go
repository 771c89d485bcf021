package sources

import (
	"context"
	"fmt"
	"math"

	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Displaced are intervals of the entries of the profiles within which Q rises by
// no more than DQ.
type Displaced struct {
	DQ float64
	// Low and High are k x species.
	Low, High *matrix.Dense[float64]
	// Swaps counts, for each factor, the displaced fits in which its contributions
	// look more like those of another factor.
	Swaps []int
	// LargestFall is how far Q fell below that of the solution in any of them:
	// where it is not near zero the solution is not the best one there is.
	LargestFall float64
	// Open counts ends of intervals that were not found.
	Open int
}

// Displace moves one entry of the profiles after the other up and down, and fits
// everything else again, until Q has risen by dq: displacement (DISP; Paatero,
// Eberly, Brown & Norris 2014).
//
// A profile can be multiplied and its contributions divided by the same number
// without any change of Q. What keeps the displaced profile's scale is its
// largest other share: that entry, the factor's marker, is held too.
func (s *Set) Displace(ctx context.Context, base *Solution, dq float64, threads int) (*Displaced, error) {
	if !(dq > 0) || math.IsInf(dq, 0) {
		return nil, fmt.Errorf("%w: displacement by a change of Q of %v; it must be above 0", recipe.ErrOption, dq)
	}
	base, err := s.refit(ctx, refit{g: base.G, f: base.F, weights: s.Weights(), tight: true, threads: threads})
	if err != nil {
		return nil, err
	}
	k, n := base.K(), base.F.Cols
	out := &Displaced{DQ: dq, Low: matrix.NewDense[float64](k, n), High: matrix.NewDense[float64](k, n), Swaps: make([]int, k)}
	w, shares := s.Weights(), base.Shares()
	ends := make([]displacement, 2*k*n)
	err = parallel(ctx, threads, len(ends), func(i int) error {
		e := &ends[i]
		e.set, e.base, e.weights, e.dq = s, base, w, dq
		e.factor, e.species, e.sign = i/2/n, i/2%n, float64(2*(i%2)-1)
		e.marker = marker(shares.Row(e.factor), e.species)
		return e.find(ctx)
	})
	if err != nil {
		return nil, err
	}
	for i := range ends {
		e := &ends[i]
		to := out.High
		if e.sign < 0 {
			to = out.Low
		}
		to.Set(e.factor, e.species, e.end)
		if e.swapped {
			out.Swaps[e.factor]++
		}
		if e.open {
			out.Open++
		}
		out.LargestFall = max(out.LargestFall, e.fall)
	}
	return out, nil
}

// marker is the largest share but for that of one species.
func marker(shares []float64, but int) int {
	best := -1
	for j, v := range shares {
		if j != but && (best < 0 || v > shares[best]) {
			best = j
		}
	}
	return best
}

// displacement looks for one end of one interval.
type displacement struct {
	set                     *Set
	base                    *Solution
	weights                 *matrix.Dense[float64]
	dq, sign                float64
	factor, species, marker int

	end, fall     float64
	swapped, open bool
}

// find goes out from the entry by steps that √ΔQ, which is about linear in the
// displacement, tells, to within a twentieth of ΔQ.
func (d *displacement) find(ctx context.Context) error {
	const most, near = 16, 0.05
	at := d.base.F.At(d.factor, d.species)
	if d.sign < 0 && at == 0 {
		return nil
	}
	curve := 0.0 // of Q where nothing else moves, which it does not exceed
	for i := range d.base.G.Rows {
		g := d.base.G.At(i, d.factor)
		curve += d.weights.At(i, d.species) * g * g
	}
	step, inner, outer := math.Sqrt(d.dq/curve), 0.0, math.Inf(1)
	for range most {
		if d.sign < 0 {
			step = min(step, at)
		}
		rise, swapped, err := d.rise(ctx, at+d.sign*step)
		if err != nil {
			return err
		}
		d.fall = max(d.fall, -rise)
		d.end, d.swapped = at+d.sign*step, swapped
		switch {
		case math.Abs(rise-d.dq) <= near*d.dq, rise < d.dq && d.sign < 0 && step == at:
			return nil
		case rise < d.dq:
			inner = max(inner, step)
		default:
			outer = min(outer, step)
		}
		next := step * min(4, math.Sqrt(d.dq/max(rise, d.dq/16)))
		if next <= inner || next >= outer { // the curve is not that simple here
			next = (inner + outer) / 2
		}
		step = next
	}
	d.open = true
	return nil
}

// rise fits with the entry at v.
func (d *displacement) rise(ctx context.Context, v float64) (rise float64, swapped bool, err error) {
	held, start := free(d.base.F.Rows, d.base.F.Cols), d.base.F.Clone()
	held.Set(d.factor, d.species, v)
	start.Set(d.factor, d.species, v)
	if d.marker >= 0 {
		held.Set(d.factor, d.marker, d.base.F.At(d.factor, d.marker))
	}
	r, err := d.set.refit(ctx, refit{g: d.base.G, f: start, heldF: held, weights: d.weights, tight: true})
	if err != nil {
		return 0, false, fmt.Errorf("displacing %q of factor %d: %w", d.set.Species[d.species].Name, d.factor+1, err)
	}
	return r.Q - d.base.Q, matches(r.G, d.base.G, nil, 0)[d.factor] != d.factor, nil
}
