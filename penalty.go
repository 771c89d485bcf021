package nmf

import (
	"fmt"

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

// check refuses what no factor can be. T has `rows` rows.
func (p *Penalty) check(factor string, rows int) error {
	for _, c := range []struct {
		name string
		v    float64
	}{{"l1", p.L1}, {"l2", p.L2}, {"l21", p.L21}, {"orthogonal", p.Orthogonal}, {"smooth", p.Smooth}, {"graph", p.Graph}, {"upper", p.Upper}} {
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
	if (p.Graph > 0) != (p.GraphWeights != nil) {
		return fmt.Errorf("%w: graph of %s needs both a weight above 0 and a matrix of weights", ErrOption, factor)
	}
	if g := p.GraphWeights; g != nil && (g.Rows != rows || g.Cols != rows) {
		return fmt.Errorf("%w: the graph of %s is %d x %d; it must be %d x %d", ErrShape, factor, g.Rows, g.Cols, rows, rows)
	}
	return nil
}
