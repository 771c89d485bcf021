// Package kernel holds the inner loops of the engine. Each is a field of Ops;
// its definition is the pure-Go twin in twin.go, and SIMD tiers replace it at
// start where the processor has them.
//
// Shapes: a tall factor is row-major, its rows ld apart, k used columns padded
// with room to a multiple of Width. A tile is a few rows of a tall factor
// turned round: k x TileRows, component-major, so that one component of
// TileRows neighbouring rows is contiguous.
package kernel

//go:generate sh -c "cd _gen && go run . -dir .."

import "github.com/partsof/nmf/matrix"

// Float is the element type of every kernel.
type Float = matrix.Float

// Width is the number of elements in 64 bytes, the padding of k in every tier:
// 16 for float32, 8 for float64.
func Width[F Float]() int { return 64 / sizeof[F]() }

// TileRows is the number of factor rows in a tile: 64 for float32, 32 for
// float64.
func TileRows[F Float]() int { return 256 / sizeof[F]() }

// Pad rounds k up to a multiple of Width.
func Pad[F Float](k int) int {
	w := Width[F]()
	return (k + w - 1) / w * w
}

// Epsilon is the distance from 1 to the next number.
func Epsilon[F Float]() float64 {
	if sizeof[F]() == 4 {
		return 0x1p-23
	}
	return 0x1p-52
}

func sizeof[F Float]() int {
	var z F
	if _, ok := any(z).(float32); ok {
		return 4
	}
	return 8
}

// Ops is one tier's kernels for one element type. All check their slices
// before they touch memory and panic where one is too short. Operands should
// be finite: whether zero times infinity makes NaN depends on the tier, as the
// last bits of a sum do.
type Ops[F Float] struct {
	// Tier is the name of the tier: "go", "avx2" or "avx512".
	Tier string

	// MulAdd adds to the m x n matrix c (rows ldc apart) the product of the
	// m x p matrix a, whose element (i, l) is a[i*rs+l*cs], and the p x n
	// matrix b (rows ldb apart). n is a multiple of Width. Each sum starts at
	// zero, runs over l in blocks that depend on p alone, and is then added to
	// c: the result for a row of c does not depend on m, nor that for a
	// vector of columns on n.
	MulAdd func(m, n, p int, a []F, rs, cs int, b []F, ldb int, c []F, ldc int)

	// Gather adds to c[0:n] the sum over t of val[t] * b[idx[t]*ldb : +n].
	// n is a multiple of Width. The result for a vector of columns does not
	// depend on n. An index that is not a row of b panics; c is then undefined.
	Gather func(n int, idx []int32, val []F, b []F, ldb int, c []F)

	// GatherRows goes through rows of stored cells, those of row i from at[i] to
	// end[i] with ascending indices, and takes the cells whose index is below limit:
	// it adds val[t] * b[idx[t]*ldb : +n] to c[i*ldc : +n], one cell after the other,
	// and makes at[i] the first cell that it did not take. So cells can be taken panel
	// by panel of the rows of b, with the bits of one call. n is a multiple of Width;
	// the result for a vector of columns does not depend on n. limit is at most the
	// number of rows of b; a negative index is above any limit.
	GatherRows func(n int, at, end []int, limit int, idx []int32, val, b []F, ldb int, c []F, ldc int)

	// ScatterRows goes through rows of stored cells, those of row i from at[i] to
	// end[i], and adds val[t] * b[i*ldb : +n] to c[(idx[t]-first)*ldc : +n], one cell
	// after the other: what GatherRows adds up for a row of the transposed cells, to
	// the bit. n is a multiple of Width; the result for a vector of columns does not
	// depend on n. An index that is not first plus a row of c panics; c is then
	// undefined.
	ScatterRows func(n int, at, end []int, first int, idx []int32, val, b []F, ldb int, c []F, ldc int)

	// TransposeRows takes cells as GatherRows does, and writes each to the next place
	// of its column, next[idx[t]], which moves on by one: number+i to toIdx, i being
	// the row, and val[t] to toVal. limit is at most len(next). A place that is not in
	// toIdx and toVal panics.
	TransposeRows func(at, end []int, limit int, idx []int32, val []F, number int, next []int, toIdx []int32, toVal []F)

	// GatherSquares is Gather with the elements of the rows squared.
	GatherSquares func(n int, idx []int32, val []F, b []F, ldb int, c []F)

	// Pack turns rows x k numbers of a tall factor (rows ld apart) into a
	// tile; rows <= TileRows, and the tile's other columns become zero.
	Pack func(rows, k int, src []F, ld int, tile []F)

	// Unpack is the inverse of Pack: it writes rows x k numbers.
	Unpack func(rows, k int, tile []F, dst []F, ld int)

	// Sweep does one pass of cyclic coordinate descent over the components of
	// a tile: for j = 0..k-1
	//
	//	w[j] = max(0, w[j] + inv[j]*(c[j] - sum over l of g[j*ldg+l]*w[l]))
	//
	// where w and c are tiles (w[j] being TileRows numbers), g is the
	// symmetric k x k Gram matrix, and inv[j] is 1/g[j,j], or 0 to leave w[j].
	// It returns the sum of squared changes. NaN in a row of the tile stays in
	// that row and shows in the sum. (Cichocki & Phan 2009; Gillis &
	// Glineur 2012.)
	Sweep func(k int, w, c []F, g []F, ldg int, inv []F) F

	// Residual adds to pg[j] the sum over the tile of the squared projected
	// gradient, d[j] where w[j] > 0 and min(0, d[j]) where w[j] = 0, and to
	// cc[j] the sum of squared c[j]; d is the tile g*w - c. It returns the sum
	// of w*(d-c) over the tile.
	Residual func(k int, w, c, d []F, pg, cc []float64) (dot float64)

	// Extrapolate writes max(floor*fresh, fresh + beta*(fresh-old)) to out, for
	// rows of n elements without gaps between them, none of them negative, and a
	// beta for each of the n columns. n is a multiple of Width; out may be fresh
	// or old.
	Extrapolate func(rows, n int, floor F, beta, fresh, old, out []F)

	// NewtonModel prepares a step for the rows of a tile from a model of their
	// loss, root²/2 times the square of a move for each entry, whose slope is
	// den - num: it writes the slope to d, the root of curve to curve, keep*root*w
	// to z and -d/root to target, 0 where the root is. most, of TileRows numbers,
	// gets the largest z of each row, at least 0.
	NewtonModel func(k int, keep F, w, num, den, curve, d, z, target, most []F)

	// NewtonStep ends it: w moves by (z - keep*root*w)/root, not below 0, where
	// the root is above 0. It becomes 0 where d > 0 and the root is 0 or root*w
	// below snap times the row's most, and where it is not finite.
	NewtonStep func(k int, keep, snap F, d, root, z, w, most []F)

	// Slope writes the sums over the components of (den-num)*(w-old) to sums, one
	// for each of the TileRows rows of a tile.
	Slope func(k int, num, den, w, old, sums []F)

	// Lengthen makes w max(least*w, old + by*(w-old)), 0 where that is not finite,
	// with a by for each row of a tile; w stays where it is 1.
	Lengthen func(k int, least F, old, w, by []F)

	// Absorb adds to sums that forget: with m = c*h it makes n decay*n + m, sum
	// sum + m and h scale*n + share*spread.
	Absorb func(decay, share F, c, scale, spread, h, n, sum []F)

	// Exp writes e^x to y, within 1.5 ulp. y may be x.
	Exp func(x, y []F)

	// Log writes ln x to y, within 1.5 ulp: -Inf for 0, NaN for what is
	// negative. y may be x.
	Log func(x, y []F)

	// Pow writes x^p to y, for x >= 0 and a finite p, within 1.5 ulp for
	// |p| <= 100. 0, 1, 2, 1/2, -1/2, -1 and -2 are done by multiplications,
	// divisions and square roots alone; for another p, x < 0 gives NaN. y may
	// be x.
	Pow func(p F, x, y []F)

	// Mul writes x*y to z, which may be x or y.
	Mul func(x, y, z []F)

	// The next four are steps of the β-divergences d_β(x|r) (Févotte & Idier
	// 2011) over a run of cells, x >= 0 of X and r >= 0 of WH, both finite.
	// Everywhere r stands for max(r, tiny), and tiny is above 0.

	// Quotient writes x/r to t, which may be x or r.
	Quotient func(tiny F, x, r, t []F)

	// BetaTerms writes r^(beta-1) to den and x*r^(beta-2) to num. num may be x
	// or r, den may be r or x.
	BetaTerms func(beta, tiny F, x, r, num, den []F)

	// BetaCurve is BetaTerms, and writes to curve the second derivatives of the
	// divergence by r without what is negative in them, max(0, 2-beta)
	// x*r^(beta-3) + max(0, beta-1) r^(beta-2). For beta = 1 den is not written
	// and may be nil. curve may be r where den is not.
	BetaCurve func(beta, tiny F, x, r, num, den, curve []F)

	// Divergence is the sum of d_beta(x|r) over the cells, added in float64:
	//
	//	beta = 1:  x ln(x/r) - x + r, r where x = 0 (Kullback-Leibler)
	//	beta = 0:  x/r - ln(x/r) - 1, +Inf where x = 0 (Itakura-Saito)
	//	else:      (x^beta + (beta-1) r^beta - beta x r^(beta-1)) / (beta (beta-1)),
	//	           +Inf where x = 0 and beta < 0
	//
	// No cell loses digits where x is near r: each term, and so the sum, has
	// a relative error of at most 16 ulp for 0, 1/2, 1, 3/2 and 2. Another
	// beta is done in float64; there it is at most 1e-12
	// (1+|beta|)/(|beta| |beta-1|). x/r should not overflow.
	// The sum does not depend on where the slices begin.
	Divergence func(beta, tiny F, x, r []F) float64

	// Dots writes the inner products of w with rows of b: r[t] is the sum over
	// j < n of w[j]*b[idx[t]*ldb+j]. n is a multiple of Width. Each depends on
	// its row alone, not on its place. An index that is not a row of b panics;
	// r is then undefined.
	Dots func(n int, idx []int32, b []F, ldb int, w []F, r []F)

	// GatherQuotient is, for each t, Dots, Quotient and Gather in one: t[i] =
	// val[i]/max(<w, row idx[i] of b>, tiny), and the sum of t[i] times that
	// row is added to c[0:n]. n is a multiple of Width. An index that is not a
	// row of b panics; t and c are then undefined.
	GatherQuotient func(n int, idx []int32, val []F, b []F, ldb int, w []F, tiny F, t []F, c []F)

	// GatherGram adds to g, which is n x n (rows ldg apart), symmetric and not
	// in b, the sum over t of wt[t] times the outer product of row idx[t] of b
	// with itself. n is a multiple of Width; wt may be negative. The diagonal
	// and what lies above are computed, the rest is copied from there, so that
	// g is symmetric to the bit. An index that is not a row of b panics; g is
	// then undefined.
	GatherGram func(n int, idx []int32, wt []F, b []F, ldb int, g []F, ldg int)

	// Scan reports whether all of x are finite and not negative, and then the
	// largest (0 for none), the sum and the sum of squares, both in float64
	// and in an order that depends on the length alone.
	Scan func(x []F) (largest F, sum, sumSq float64, ok bool)
}
