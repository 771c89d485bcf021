package nmf

import (
	"fmt"
	"math"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/penalty"
	"github.com/partsof/nmf/matrix"
)

// Penalty is what the objective adds for one factor, and what that factor must
// be beside non-negative. The zero value asks nothing.
//
// Weights of penalties do not depend on the size of X: those of W count n times
// (features), those of H m times (samples), as scikit-learn's alpha_W and
// alpha_H do, since the loss is a sum over m·n cells. With T for W or Hᵀ (a row
// for each sample or feature, a column t_j for each component), what is added
// is
//
//	size · ( L1·Σ|T| + ½·L2·ΣT² + L21·Σ_j ‖t_j‖ + Orthogonal·Σ_{i<j} ⟨t_i, t_j⟩
//	         + ½·Spread·Σ_j ‖t_j − mean of the t_j‖²
//	         + ½·Smooth·Σ (differences of T along its rows)²
//	         + ½·Graph·½·Σ_{p,q} a_pq ‖T_p − T_q‖² ),   size = n for W, m for H.
//
// The reported loss includes it, evaluated before W and H are normalised.
type Penalty struct {
	// L1 makes entries zero, L2 keeps them small; both together are the elastic
	// net. scikit-learn's alpha and l1_ratio are L1 = alpha·l1_ratio and
	// L2 = alpha·(1−l1_ratio).
	L1 float64 `json:"l1,omitempty"`
	L2 float64 `json:"l2,omitempty"`
	// L21 makes whole components zero.
	L21 float64 `json:"l21,omitempty"`
	// Orthogonal keeps components from overlapping.
	Orthogonal float64 `json:"orthogonal,omitempty"`
	// Spread keeps components near each other: of H, that the simplex between
	// endmembers is small (Berman et al. 2004). For the loss "frobenius" without
	// missing cells and with weights at most of the other side, of rows where it is of
	// H; not with the solver "mu".
	Spread float64 `json:"spread,omitempty"`
	// Smooth keeps neighbouring samples (of W) or features (of H) alike: the
	// squared differences of order SmoothOrder, 1 (the default) or 2.
	Smooth      float64 `json:"smooth,omitempty"`
	SmoothOrder int     `json:"smooth_order,omitempty"`
	// Graph keeps samples or features alike that GraphWeights joins (Cai, He,
	// Han & Huang 2011): a symmetric m x m (of W) or n x n (of H) matrix of
	// non-negative weights.
	Graph        float64              `json:"graph,omitempty"`
	GraphWeights *matrix.CSR[float64] `json:"-"`
	// Upper bounds every entry. 0 is no bound.
	Upper float64 `json:"upper,omitempty"`
	// Simplex makes every row of T sum to one: the abundances of a sample.
	Simplex bool `json:"simplex,omitempty"`
	// Sparseness is that of every component over T's rows, by Hoyer (2004):
	// (√p − Σ|t|/‖t‖) / (√p − 1) for p rows; 0 is free, up to 1.
	Sparseness float64 `json:"sparseness,omitempty"`
	// Held holds entries at given numbers: for W a matrix of m rows and up to k
	// columns, for H one of up to k rows and n columns. NaN leaves an entry
	// free. Whole components held are known ones; entries held at zero are a
	// support mask.
	Held *matrix.Dense[float64] `json:"-"`
}

// none reports whether nothing is asked.
func (p *Penalty) none() bool {
	q := *p
	q.SmoothOrder = 0
	return q == Penalty{}
}

// fixesScale reports whether a component cannot be scaled at will.
func (p *Penalty) fixesScale() bool { return p.Upper != 0 || p.Simplex || p.Held != nil }

// weighs reports whether the objective depends on the factor's scale.
func (p *Penalty) weighs() bool {
	return p.L1 != 0 || p.L2 != 0 || p.L21 != 0 || p.Orthogonal != 0 || p.Spread != 0 || p.Smooth != 0 || p.Graph != 0
}

// leavesConstraints reports whether a step beyond the solution of a half-step
// could break what is asked of a factor.
func (o *Options) leavesConstraints() bool {
	for _, p := range []*Penalty{&o.PenaltyW, &o.PenaltyH} {
		if p.Upper != 0 || p.Simplex || p.Sparseness != 0 {
			return true
		}
	}
	return false
}

// checkPenalties refuses what no factor can be, and what the solver cannot do.
func (o *Options) checkPenalties(m, n, k int) error {
	for _, f := range []struct {
		name string
		p    *Penalty
		rows int
	}{{"W", &o.PenaltyW, m}, {"H", &o.PenaltyH, n}} {
		if err := f.p.check(f.name, f.rows, k); err != nil {
			return err
		}
		for _, c := range []struct {
			bad       bool
			what, why string
		}{
			{f.p.Sparseness != 0 && f.p.fixesScale(), "sparseness", "it goes with no bound, simplex or held entries: a component of given sparseness is scaled as a whole"},
			{f.p.Simplex && o.Solver != "hals" && o.Solver != "newton", "simplex", fmt.Sprintf("the solver %s updates without the sum; take hals", o.Solver)},
			{o.Solver == "bpp" && (f.p.Upper != 0 || f.p.Held != nil), "a bound or held entries", "the solver bpp knows no bound but zero; take hals or mu"},
			{f.p.Spread != 0 && (o.Solver == "mu" || !o.plain()), "spread", "it is for the loss frobenius without missing cells and with weights at most of the other side (of rows for spread of H), and not with the solver mu"},
			{o.Solver == "bpp" && f.p.Orthogonal != 0, "orthogonal", "the row problem is then not convex, which the solver bpp needs; take hals or mu"},
		} {
			if c.bad {
				return fmt.Errorf("%w: %s of %s: %s", ErrOption, c.what, f.name, c.why)
			}
		}
	}
	return nil
}

func (p *Penalty) check(factor string, rows, k int) error {
	for _, c := range []struct {
		name string
		v    float64
	}{{"l1", p.L1}, {"l2", p.L2}, {"l21", p.L21}, {"orthogonal", p.Orthogonal}, {"spread", p.Spread}, {"smooth", p.Smooth}, {"graph", p.Graph}, {"upper", p.Upper}} {
		if !(c.v >= 0) || !isFinite(c.v) {
			return fmt.Errorf("%w: %s of %s is %v; it must be at least 0", ErrOption, c.name, factor, c.v)
		}
	}
	if p.SmoothOrder < 0 || p.SmoothOrder > 2 {
		return fmt.Errorf("%w: smooth_order of %s is %d; it must be 1 or 2", ErrOption, factor, p.SmoothOrder)
	}
	if !(p.Sparseness >= 0 && p.Sparseness < 1) {
		return fmt.Errorf("%w: sparseness of %s is %v; it must be at least 0 and below 1", ErrOption, factor, p.Sparseness)
	}
	if p.Simplex && p.Upper != 0 && p.Upper*float64(k) < 1 {
		return fmt.Errorf("%w: %d entries of %s of at most %v cannot sum to one", ErrOption, k, factor, p.Upper)
	}
	if err := p.checkGraph(factor, rows); err != nil {
		return err
	}
	return p.checkHeld(factor, rows, k)
}

func (p *Penalty) checkGraph(factor string, rows int) error {
	g := p.GraphWeights
	if (p.Graph > 0) != (g != nil) {
		return fmt.Errorf("%w: graph of %s needs both a weight above 0 and a matrix of weights", ErrOption, factor)
	}
	if g == nil {
		return nil
	}
	if g.Rows != rows || g.Cols != rows {
		return fmt.Errorf("%w: the graph of %s is %d x %d; it must be %d x %d", ErrShape, factor, g.Rows, g.Cols, rows, rows)
	}
	if err := g.Check(); err != nil {
		return fmt.Errorf("the graph of %s: %w", factor, err)
	}
	t := g.T()
	for i := range rows {
		cols, vals := g.Row(i)
		turned, same := t.Row(i)
		for q, v := range vals {
			j := int(cols[q])
			switch {
			case !isFinite(v):
				return fmt.Errorf("the graph of %s: %w", factor, &CellError{Row: i, Column: j, Value: v, Err: ErrNotFinite})
			case v < 0:
				return fmt.Errorf("the graph of %s: %w", factor, &CellError{Row: i, Column: j, Value: v, Err: ErrNegative})
			case q >= len(turned) || int(turned[q]) != j || same[q] != v:
				return fmt.Errorf("%w: the graph of %s is not symmetric: row %d, column %d has %v, and not so the other way round", ErrShape, factor, i+1, j+1, v)
			}
		}
		if len(turned) != len(cols) {
			return fmt.Errorf("%w: the graph of %s is not symmetric in row %d", ErrShape, factor, i+1)
		}
	}
	return nil
}

// checkHeld looks at the held entries. T has `rows` rows, and Held is turned
// round for H.
func (p *Penalty) checkHeld(factor string, rows, k int) error {
	d := p.Held
	if d == nil {
		return nil
	}
	r, c := d.Rows, d.Cols
	if factor == "H" {
		r, c = c, r
	}
	if r != rows || c > k || c < 1 {
		want := fmt.Sprintf("%d x up to %d", rows, k)
		if factor == "H" {
			want = fmt.Sprintf("up to %d x %d", k, rows)
		}
		return fmt.Errorf("%w: the held entries of %s are %d x %d; they must be %s", ErrShape, factor, d.Rows, d.Cols, want)
	}
	sums := make([]float64, rows)
	for i := range d.Rows {
		for j, v := range d.Row(i) {
			if v != v {
				continue
			}
			if math.IsInf(v, 0) || v < 0 {
				bad := &CellError{Row: i, Column: j, Value: v, Err: ErrNegative}
				if v > 0 {
					bad.Err = ErrNotFinite
				}
				return fmt.Errorf("the held entries of %s: %w", factor, bad)
			}
			if p.Upper != 0 && v > p.Upper {
				return fmt.Errorf("%w: the held entries of %s: row %d, column %d: %v is above the bound of %v", ErrOption, factor, i+1, j+1, v, p.Upper)
			}
			if factor == "H" {
				sums[j] += v
			} else {
				sums[i] += v
			}
		}
	}
	for i, s := range sums {
		if p.Simplex && s > 1+1e-9 {
			return fmt.Errorf("%w: the held entries of %s: those of row %d sum to %v, which is more than one", ErrOption, factor, i+1, s)
		}
	}
	return nil
}

// factor turns what is asked of T (rows x k) into terms of a T that was divided
// by unit, in an objective that was divided by lossUnit. size is what the
// weights count for.
func (p *Penalty) factor(rows, k, size int, unit, lossUnit float64, turned bool) *penalty.Factor {
	if p.none() {
		return nil
	}
	linear := float64(size) * unit / lossUnit
	square := linear * unit
	// Σ_j ‖t_j − t̄‖² = (1 − 1/k)·Σ_j ‖t_j‖² − 2/k·Σ_{i<j} ⟨t_i, t_j⟩.
	l2, orthogonal := p.L2+p.Spread*(1-1/float64(k)), p.Orthogonal-p.Spread/float64(k)
	f := &penalty.Factor{L1: p.L1 * linear, L21: p.L21 * linear, L2: l2 * square, Orthogonal: orthogonal * square,
		Upper: p.Upper / unit, Simplex: p.Simplex, Sparseness: p.Sparseness}
	if p.Smooth != 0 {
		f.Laplacian = penalty.Difference(rows, max(1, p.SmoothOrder), p.Smooth*square)
	}
	if p.Graph != 0 {
		f.Laplacian = f.Laplacian.Plus(penalty.Graph(p.GraphWeights, p.Graph*square))
	}
	if p.Held == nil {
		return f
	}
	f.Held = make([]float64, rows*k)
	for i := range f.Held {
		f.Held[i] = math.NaN()
	}
	for i := range p.Held.Rows {
		for j, v := range p.Held.Row(i) {
			if turned {
				f.Held[j*k+i] = v / unit
			} else {
				f.Held[i*k+j] = v / unit
			}
		}
	}
	return f
}

// ofNewSamples is what of a penalty on W concerns the weights of new samples:
// all that does not couple them with each other or belongs to the samples of
// the fit.
func (p *Penalty) ofNewSamples() Penalty {
	return Penalty{L1: p.L1, L2: p.L2, Orthogonal: p.Orthogonal, Spread: p.Spread, Upper: p.Upper, Simplex: p.Simplex}
}

// units divides the unit u of X between the factors: equally, unless rows of
// one must sum to one.
func (o *Options) units(u float64) (w, h float64, err error) {
	switch {
	case u == 1:
		return 1, 1, nil
	case o.PenaltyW.Simplex && o.PenaltyH.Simplex:
		return 0, 0, fmt.Errorf("%w: rows of both factors are to sum to one, and X is of the size of %g; divide it", ErrRange, u)
	case o.PenaltyW.Simplex:
		return 1, u, nil
	case o.PenaltyH.Simplex:
		return u, 1, nil
	}
	return math.Sqrt(u), math.Sqrt(u), nil
}

// satisfy brings a start within what is asked of the factor.
func satisfy[F matrix.Float](asked *penalty.Factor, t *engine.Tall[F]) {
	if !asked.Constrained() {
		return
	}
	wide, free := make([]float64, t.K), make([]bool, t.K)
	upper := math.Inf(1)
	if asked.Upper != 0 {
		upper = asked.Upper
	}
	for i := range t.Rows {
		row := t.Row(i)
		for j, v := range row {
			wide[j], free[j] = min(float64(v), upper), true
			if asked.Held != nil && !math.IsNaN(asked.Held[i*t.K+j]) {
				wide[j], free[j] = asked.Held[i*t.K+j], false
			}
		}
		if asked.Simplex {
			penalty.OntoSimplex(wide, free, upper)
		}
		for j, v := range wide {
			row[j] = F(v)
		}
	}
}
