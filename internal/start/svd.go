package start

import (
	"errors"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
)

const (
	oversampling    = 10
	powerIterations = 4
)

// Sketch is an orthonormal basis Q (m x l) of most of the range of X, and
// B = XᵀQ (n x l), so that X ≈ Q·Bᵀ.
type Sketch[F kernel.Float] struct{ Q, B *engine.Tall[F] }

// NewSketch finds l directions by randomized subspace iteration with q power
// iterations (Halko, Martinsson & Tropp 2011, Algorithm 4.4), in 2q + 2
// products with X. Bases are orthonormalised through their Gram matrix, which
// needs one tall product where a QR decomposition needs many: by its Cholesky
// factor, or, where that says little, by its eigendecomposition, which drops
// directions beyond the numerical rank: the sketch can have fewer than l.
func NewSketch[F kernel.Float](x *engine.Data[F], l, q int, seed uint64, workers int) (*Sketch[F], error) {
	omega := engine.NewTall[F](x.Cols, min(l, x.AllRows(), x.AllCols()))
	_, col := x.First()
	eachRow(omega, col, seed, streamSketch, workers, func(row []F, rng *rand.Rand) {
		for j := range row {
			row[j] = F(rng.NormFloat64())
		}
	})
	basis, err := orthonormal(x, engine.OfRows, x.Times(omega, workers), workers)
	for i := 0; i < q && err == nil; i++ {
		var z *engine.Tall[F]
		if z, err = orthonormal(x, engine.OfColumns, x.TransposeTimes(basis, workers), workers); err == nil {
			basis, err = orthonormal(x, engine.OfRows, x.Times(z, workers), workers)
		}
	}
	if err == nil {
		// Once more: the Gram matrix squares the condition number, so one
		// pass leaves the weakest directions short of orthogonal.
		basis, err = orthonormal(x, engine.OfRows, basis, workers)
	}
	if err != nil {
		return nil, err
	}
	return &Sketch[F]{basis, x.TransposeTimes(basis, workers)}, nil
}

// svd is the leading part of the singular value decomposition of X (ibid.,
// Algorithm 5.1): u is m x r, v is n x r, r ≤ k singular values fall.
func svd[F kernel.Float](x *engine.Data[F], k int, seed uint64, workers int) (u *engine.Tall[F], s []float64, v *engine.Tall[F], err error) {
	sketch, err := NewSketch(x, k+oversampling, powerIterations, seed, workers)
	if err != nil {
		return nil, nil, nil, err
	}
	q, b := sketch.Q, sketch.B // b = V Σ Uqᵀ
	lambda, vec, err := gramEigen[F](gramOf(x, engine.OfColumns, b, workers))
	if err != nil {
		return nil, nil, nil, err
	}
	r := min(k, len(lambda))
	uq, scaled := mat.NewDense(q.K, r, nil), mat.NewDense(q.K, r, nil)
	s = make([]float64, r)
	for j := range r {
		s[j] = math.Sqrt(lambda[j])
		for i := range q.K {
			uq.Set(i, j, vec.At(i, j))
			scaled.Set(i, j, vec.At(i, j)/s[j])
		}
	}
	return q.Times(uq, workers), s, b.Times(scaled, workers), nil
}

// orthonormal gives an orthonormal basis of the columns of t, whose rows are the
// rows or the columns of x.
func orthonormal[F kernel.Float](x *engine.Data[F], side engine.Side, t *engine.Tall[F], workers int) (*engine.Tall[F], error) {
	gram := gramOf(x, side, t, workers)
	if inverse, ok := inverseFactor(gram); ok {
		return t.Times(inverse, workers), nil
	}
	lambda, vec, err := gramEigen[F](gram)
	if err != nil {
		return nil, err
	}
	scaled := mat.NewDense(t.K, len(lambda), nil)
	for j, v := range lambda {
		for i := range t.K {
			scaled.Set(i, j, vec.At(i, j)/math.Sqrt(v))
		}
	}
	return t.Times(scaled, workers), nil
}

var errEigen = errors.New("the eigendecomposition for the SVD-based init did not converge")

// inverseFactor gives U⁻¹ of UᵀU = gram, so that t·U⁻¹ is orthonormal where gram is
// tᵀt; it reports false where gram is so ill-conditioned that this would be far from
// it.
func inverseFactor(gram *mat.SymDense) (*mat.Dense, bool) {
	const worst = 1e8
	var cholesky mat.Cholesky
	if !cholesky.Factorize(gram) || !(cholesky.Cond() < worst) {
		return nil, false
	}
	var factor, inverse mat.TriDense
	cholesky.UTo(&factor)
	if inverse.InverseTri(&factor) != nil {
		return nil, false
	}
	return mat.DenseCopyOf(&inverse), true
}

// gramOf is tᵀt over all rows.
func gramOf[F kernel.Float](x *engine.Data[F], side engine.Side, t *engine.Tall[F], workers int) *mat.SymDense {
	g := t.Gram(workers)
	x.SumOver(side, g)
	sym := mat.NewSymDense(t.K, nil)
	for i := range t.K {
		for j := range i + 1 {
			sym.SetSym(i, j, g[i*t.K+j])
		}
	}
	return sym
}

// gramEigen gives the eigenvalues of a Gram matrix of factors of type F above
// rounding, falling, and the vectors of all.
func gramEigen[F kernel.Float](sym *mat.SymDense) ([]float64, *mat.Dense, error) {
	k := sym.SymmetricDim()
	var eig mat.EigenSym
	if !eig.Factorize(sym, true) {
		return nil, nil, errEigen
	}
	rising := eig.Values(nil)
	var vec mat.Dense
	eig.VectorsTo(&vec)
	// The Gram matrix is exact to float64, what it is of only to F.
	negligible := rising[k-1] * math.Pow(float64(k)*kernel.Epsilon[F](), 2)
	if smallest := rising[k-1] * float64(k) * 0x1p-52; negligible < smallest {
		negligible = smallest
	}
	var lambda []float64
	ordered := mat.NewDense(k, k, nil)
	for j := k - 1; j >= 0; j-- {
		for i := range k {
			ordered.Set(i, k-1-j, vec.At(i, j))
		}
		if rising[j] > negligible && rising[j] > 0 {
			lambda = append(lambda, rising[j])
		}
	}
	if len(lambda) == 0 {
		return nil, nil, errEigen
	}
	return lambda, ordered, nil
}
