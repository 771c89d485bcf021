// Package penalty holds what an objective asks of one factor beside that it
// is not negative: penalties that are added to the loss, and constraints.
//
// A factor is tall (rows x k, row-major), as in package engine: a row of W is
// a sample, a row of Hᵀ a feature. Solvers see it tile by tile (package
// kernel): k x TileRows, component-major. The penalty of a factor T is
//
//	P(T) = L1·Σ t + ½·L2·Σ t² + L21·Σ_j ‖t_j‖ + Orthogonal·Σ_{i<j} ⟨t_i, t_j⟩ + ½·tr(Tᵀ·L·T)
//
// where t_j is column j of T (a component) and L is a Laplacian over its rows.
// Every weight counts as it is: whoever makes a Factor has multiplied it by
// what makes it independent of the size of X.
//
// Terms that couple rows (L21 and the Laplacian) enter a half-step by
// majorization at the iterate that it starts from (At), so that rows stay
// independent problems and the objective cannot rise.
package penalty

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
)

// Factor is what is asked of one factor. The zero value asks nothing.
type Factor struct {
	// L1, L2, L21 and Orthogonal weigh the terms of P.
	L1, L2, L21, Orthogonal float64
	// Laplacian is nil, or couples the factor's rows.
	Laplacian *Laplacian
	// Upper bounds every entry; 0 is no bound.
	Upper float64
	// Simplex makes every row of the factor sum to one.
	Simplex bool
	// Sparseness is Hoyer's (2004) of every component over all rows: 0 is
	// free, otherwise in (0, 1).
	Sparseness float64
	// Held is nil, or has a number for every entry (rows x k, without gaps): an
	// entry that is not NaN is held at it.
	Held []float64
}

// None reports whether nothing is asked.
func (f *Factor) None() bool {
	return f == nil || !f.Penalized() && !f.Constrained()
}

// Penalized reports whether P is not zero.
func (f *Factor) Penalized() bool {
	return f != nil && (f.L1 != 0 || f.L2 != 0 || f.L21 != 0 || f.Orthogonal != 0 || f.Laplacian != nil)
}

// Constrained reports whether the factor must be more than non-negative.
func (f *Factor) Constrained() bool {
	return f != nil && (f.Upper != 0 || f.Simplex || f.Sparseness != 0 || f.Held != nil)
}

// Coupled reports whether a row's problem depends on other rows, so that it
// cannot be solved alone.
func (f *Factor) Coupled() bool {
	return f != nil && (f.L21 != 0 || f.Laplacian != nil || f.Sparseness != 0)
}

// Whole reports whether a half-step needs all rows of the factor at once.
func (f *Factor) Whole() bool { return f != nil && f.Sparseness != 0 }

// FixesScale reports whether a component cannot be scaled at will.
func (f *Factor) FixesScale() bool {
	return f != nil && (f.Upper != 0 || f.Simplex || f.Held != nil)
}

// Value is P(T) for the k columns of a tall factor that begin at data[0], rows
// ld apart. Its sums are float64, in the order of the rows.
func Value[F kernel.Float](f *Factor, data []F, ld, rows, k int) float64 {
	if !f.Penalized() {
		return 0
	}
	sum, sq, cross := 0.0, make([]float64, k), 0.0
	for i := range rows {
		row, all := data[i*ld:i*ld+k], 0.0
		for j, v := range row {
			x := float64(v)
			all += x
			sq[j] += x * x
		}
		sum += all
		if f.Orthogonal != 0 {
			own := 0.0
			for _, v := range row {
				own += float64(v) * float64(v)
			}
			cross += (all*all - own) / 2
		}
	}
	total := f.L1*sum + f.Orthogonal*cross
	for _, s := range sq {
		total += f.L2*s/2 + f.L21*math.Sqrt(s)
	}
	if f.Laplacian != nil {
		total += quadratic(f.Laplacian, data, ld, k) / 2
	}
	return total
}

// Point is a Factor at the iterate that a half-step starts from.
type Point[F kernel.Float] struct {
	f *Factor
	k int
	// norm holds the norms of the components, for L21.
	norm []float64
	// pull is L·T (rows x k, without gaps), for the Laplacian.
	pull []F
}

// At prepares for a half-step that starts from the k columns of a tall factor
// that begin at data[0], rows ld apart. The result does not keep data.
func At[F kernel.Float](f *Factor, data []F, ld, rows, k int) *Point[F] {
	p := &Point[F]{f: f, k: k}
	if f.L21 != 0 {
		p.norm = make([]float64, k)
		for i := range rows {
			for j, v := range data[i*ld : i*ld+k] {
				p.norm[j] += float64(v) * float64(v)
			}
		}
		for j, s := range p.norm {
			p.norm[j] = math.Sqrt(s)
		}
	}
	if f.Laplacian != nil {
		p.pull = make([]F, rows*k)
		for i := range rows {
			laplacianRow(f.Laplacian, i, data, ld, k, p.pull[i*k:i*k+k])
		}
	}
	return p
}

// leastNorm keeps the majorizer of L21 finite where a component vanishes: its
// weight is then so large that the component stays where it is.
const leastNorm = 1e-30

// Diagonal gives, for every component, what the majorizer of P adds to the
// diagonal of the row problem: L2 + L21/‖t_j‖. What the Laplacian adds is
// RowDiagonal.
func (p *Point[F]) Diagonal() []float64 {
	d := make([]float64, p.k)
	for j := range d {
		d[j] = p.f.L2
		if p.f.L21 != 0 {
			d[j] += p.f.L21 / max(p.norm[j], leastNorm)
		}
	}
	return d
}

// RowDiagonal is what the majorizer of the Laplacian adds to the diagonal for
// row i, the same for every component: ½·tr(TᵀLT) is at most its tangent at the
// iterate plus ½·d_i·‖change of row i‖² with d_i = Σ_j |L_ij|, since L is
// symmetric and a matrix that is dominated by its diagonal is not negative.
func (p *Point[F]) RowDiagonal(i int) float64 {
	if p.f.Laplacian == nil {
		return 0
	}
	return p.f.Laplacian.absSum(i)
}

// Pull is row i of L·T at the iterate, for the Laplacian.
func (p *Point[F]) Pull(i int) []F { return p.pull[i*p.k : (i+1)*p.k] }

// Gradient adds the gradient of P at the iterate to the tile d, for the rows
// from `first`; w is the tile of the iterate.
func (p *Point[F]) Gradient(first, rows int, w, d []F) {
	t := kernel.TileRows[F]()
	diagonal := p.Diagonal()
	for j := range p.k {
		l1, dj := F(p.f.L1), F(diagonal[j])
		for i := range rows {
			d[j*t+i] += l1 + dj*w[j*t+i]
		}
	}
	if p.f.Orthogonal != 0 {
		p.others(rows, w, d)
	}
	if p.pull != nil {
		for i := range rows {
			for j, v := range p.Pull(first + i) {
				d[j*t+i] += v
			}
		}
	}
}

// others adds Orthogonal times the sum over the other components to d.
func (p *Point[F]) others(rows int, w, d []F) {
	t := kernel.TileRows[F]()
	weight := F(p.f.Orthogonal)
	var sum [64]F
	for j := range p.k {
		for i := range rows {
			sum[i] += w[j*t+i]
		}
	}
	for j := range p.k {
		for i := range rows {
			d[j*t+i] += weight * max(0, sum[i]-w[j*t+i])
		}
	}
}

// Majorize fills the tiles lin and quad for the rows from `first`, such that P
// is at most a constant plus Σ lin·t + ½·quad·t² and equal to it at the iterate
// w: what remains of P then falls apart into single entries. The product of two
// components is majorized by ½(t_i²·w_j/w_i + t_j²·w_i/w_j), which holds w_i at
// zero where it is zero.
func (p *Point[F]) Majorize(first, rows int, w, lin, quad []F) {
	t := kernel.TileRows[F]()
	diagonal := p.Diagonal()
	for j := range p.k {
		l1, dj := F(p.f.L1), F(diagonal[j])
		for i := j * t; i < j*t+rows; i++ {
			lin[i], quad[i] = l1, dj
		}
	}
	if p.f.Orthogonal != 0 {
		cross := make([]F, p.k*t)
		p.others(rows, w, cross)
		for j := range p.k {
			for i := j * t; i < j*t+rows; i++ {
				if w[i] > 0 {
					quad[i] += cross[i] / w[i]
				} else {
					lin[i] += cross[i]
				}
			}
		}
	}
	if p.pull != nil {
		for i := range rows {
			d := F(p.RowDiagonal(first + i))
			for j, v := range p.Pull(first + i) {
				lin[j*t+i] += v - d*w[j*t+i]
				quad[j*t+i] += d
			}
		}
	}
}

// Restore puts the held entries of the rows from `first` into the tile w of k
// components, and brings the others within the upper bound.
func Restore[F kernel.Float](f *Factor, first, rows, k int, w []F) {
	t := kernel.TileRows[F]()
	if f.Upper != 0 {
		upper := F(f.Upper)
		for j := range k {
			for i := range rows {
				w[j*t+i] = min(w[j*t+i], upper)
			}
		}
	}
	if f.Held == nil {
		return
	}
	for i := range rows {
		for j, v := range f.Held[(first+i)*k : (first+i+1)*k] {
			if v == v {
				w[j*t+i] = F(v)
			}
		}
	}
}
