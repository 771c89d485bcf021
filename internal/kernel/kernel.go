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

	// Extrapolate writes max(0, fresh + beta*(fresh-old)) to out, for rows of n
	// elements without gaps between them and a beta for each of the n columns.
	// n is a multiple of Width; out may be fresh or old.
	Extrapolate func(rows, n int, beta, fresh, old, out []F)
}
