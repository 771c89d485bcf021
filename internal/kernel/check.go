package kernel

import (
	"fmt"
	"math"
	"math/bits"
)

// The kernels trust nobody with memory: what a caller gives is checked here
// before an address is formed from it. A breach is a bug of the caller's, and
// panics like an index out of range.

// within panics unless rows rows of n elements, stride apart, lie in size
// elements. Without rows or elements nothing is asked.
func within(what string, rows, stride, n, size int) {
	if rows <= 0 || n <= 0 {
		return
	}
	high, low := bits.Mul64(uint64(rows-1), uint64(stride))
	if stride < 0 || high != 0 || n > size || low > uint64(size-n) {
		panic(fmt.Sprintf("kernel: %d rows of %d, %d apart, do not fit in %s of length %d", rows, n, stride, what, size))
	}
}

// checkWidth panics unless n is a number of whole vectors.
func checkWidth[F Float](n int) {
	if n < 0 || n%Width[F]() != 0 {
		panic(fmt.Sprintf("kernel: %d columns are not a multiple of %d", n, Width[F]()))
	}
}

// checkMulAdd reports whether there is anything to do.
func checkMulAdd[F Float](m, n, p int, a []F, rs, cs int, b []F, ldb int, c []F, ldc int) bool {
	checkWidth[F](n)
	if m <= 0 || n == 0 || p <= 0 {
		return false
	}
	within("a", p, cs, 1, len(a))
	within("a", m, rs, (p-1)*cs+1, len(a))
	within("b", p, ldb, n, len(b))
	within("c", m, ldc, n, len(c))
	if m > 1 && ldc < n {
		panic(fmt.Sprintf("kernel: rows of %d columns overlap, being %d apart", n, ldc))
	}
	return true
}

// checkGather gives the number of rows of b.
func checkGather[F Float](n int, idx []int32, val []F, b []F, ldb int, c []F) (rows int) {
	if len(val) < len(idx) {
		panic(fmt.Sprintf("kernel: %d values for %d indices", len(val), len(idx)))
	}
	within("c", 1, 0, n, len(c))
	return checkRows(n, b, ldb)
}

// checkGatherRows panics where GatherRows would leave a slice.
func checkGatherRows[F Float](n int, at, end []int, limit int, idx []int32, val, b []F, ldb int, c []F, ldc int) {
	checkStored(at, end, idx, val)
	within("c", len(at), ldc, n, len(c))
	if len(at) > 1 && ldc < n {
		panic(fmt.Sprintf("kernel: rows of %d columns overlap, being %d apart", n, ldc))
	}
	checkLimit(limit, checkRows(n, b, ldb))
}

// checkScatterRows gives the number of rows of c.
func checkScatterRows[F Float](n int, at, end []int, idx []int32, val, b []F, ldb int, c []F, ldc int) (rows int) {
	checkStored(at, end, idx, val)
	within("b", len(at), ldb, n, len(b))
	rows = checkRows(n, c, ldc)
	if rows > 1 && ldc < n {
		panic(fmt.Sprintf("kernel: rows of %d columns overlap, being %d apart", n, ldc))
	}
	return rows
}

// checkScattered panics at the first index that is not first plus one of so many rows.
func checkScattered(at, end []int, first int, idx []int32, rows int) {
	for i, last := range end {
		for t := at[i]; t < last; t++ {
			if uint(int(idx[t])-first) >= uint(rows) {
				panicScattered(idx[t], t, first, rows)
			}
		}
	}
}

func panicScattered(index int32, t, first, rows int) {
	panic(fmt.Sprintf("kernel: index %d at position %d is not a row of %d to %d", index, t, first, first+rows-1))
}

// checkTransposeRows panics where TransposeRows would leave a slice, but for places.
func checkTransposeRows[F Float](at, end []int, limit int, idx []int32, val []F, next []int) {
	checkStored(at, end, idx, val)
	checkLimit(limit, len(next))
}

// checkStored panics unless every row of cells lies within idx and val.
func checkStored[F Float](at, end []int, idx []int32, val []F) {
	if len(at) != len(end) {
		panic(fmt.Sprintf("kernel: %d rows begin, %d end", len(at), len(end)))
	}
	cells := min(len(idx), len(val))
	for i, e := range end {
		if uint(at[i]) > uint(e) || e > cells {
			panic(fmt.Sprintf("kernel: row %d is from %d to %d, of %d indices and %d values", i, at[i], e, len(idx), len(val)))
		}
	}
}

func checkLimit(limit, rows int) {
	if uint(limit) > uint(rows) {
		panic(fmt.Sprintf("kernel: indices up to %d of %d rows", limit, rows))
	}
}

// checkRows gives the number of rows of n numbers that lie ldb apart in b.
func checkRows[F Float](n int, b []F, ldb int) (rows int) {
	checkWidth[F](n)
	if ldb <= 0 {
		panic(fmt.Sprintf("kernel: rows are %d apart", ldb))
	}
	if len(b) < n {
		return 0
	}
	return (len(b)-n)/ldb + 1
}

func panicIndex(index int32, t, rows int) {
	panic(fmt.Sprintf("kernel: index %d at position %d is not a row of 0 to %d", index, t, rows-1))
}

func checkSweep[F Float](k int, w, c []F, g []F, ldg int, inv []F) {
	t := TileRows[F]()
	within("w", k, t, t, len(w))
	within("c", k, t, t, len(c))
	within("g", k, ldg, k, len(g))
	within("inv", k, 1, 1, len(inv))
	if k < 0 {
		panic(fmt.Sprintf("kernel: %d components", k))
	}
}

func checkTile[F Float](rows, k int, tall []F, ld int, tile []F) {
	t := TileRows[F]()
	if rows < 0 || rows > t || k < 0 {
		panic(fmt.Sprintf("kernel: %d rows of %d components are not a tile", rows, k))
	}
	within("a tall factor", rows, ld, k, len(tall))
	within("a tile", k, t, t, len(tile))
}

func checkResidual[F Float](k int, w, c, d []F, pg, cc []float64) {
	t := TileRows[F]()
	if k < 0 {
		panic(fmt.Sprintf("kernel: %d components", k))
	}
	within("w", k, t, t, len(w))
	within("c", k, t, t, len(c))
	within("d", k, t, t, len(d))
	within("pg", k, 1, 1, len(pg))
	within("cc", k, 1, 1, len(cc))
}

// checkTiles panics unless k components of a tile lie in each slice.
func checkTiles[F Float](k int, tiles ...[]F) {
	if k < 0 {
		panic(fmt.Sprintf("kernel: %d components", k))
	}
	for i, t := range tiles {
		if len(t) < k*TileRows[F]() {
			panic(fmt.Sprintf("kernel: tile %d has length %d, not %d components", i+1, len(t), k))
		}
	}
}

func checkExtrapolate[F Float](rows, n int, beta, fresh, old, out []F) {
	checkWidth[F](n)
	within("beta", 1, n, n, len(beta))
	within("fresh", rows, n, n, len(fresh))
	within("old", rows, n, n, len(old))
	within("out", rows, n, n, len(out))
}

// checkRun panics unless a run of n elements lies in each slice.
func checkRun[F Float](n int, slices ...[]F) {
	for i, s := range slices {
		if len(s) < n {
			panic(fmt.Sprintf("kernel: operand %d has length %d, the first %d", i+2, len(s), n))
		}
	}
}

func checkFloor[F Float](tiny F) {
	if !(tiny > 0) || math.IsInf(float64(tiny), 0) {
		panic(fmt.Sprintf("kernel: %v is not a floor above 0", tiny))
	}
}

func checkBeta[F Float](beta F) {
	if math.IsNaN(float64(beta)) || math.IsInf(float64(beta), 0) {
		panic(fmt.Sprintf("kernel: exponent %v", beta))
	}
}

// checkDots gives the number of rows of b.
func checkDots[F Float](n int, idx []int32, b []F, ldb int, w, r []F) (rows int) {
	if len(r) < len(idx) {
		panic(fmt.Sprintf("kernel: %d results for %d indices", len(r), len(idx)))
	}
	return checkGather(n, idx, r, b, ldb, w)
}

// checkGatherQuotient gives the number of rows of b.
func checkGatherQuotient[F Float](n int, idx []int32, val, b []F, ldb int, w []F, tiny F, t, c []F) (rows int) {
	checkFloor(tiny)
	within("c", 1, 0, n, len(c))
	if len(val) < len(idx) {
		panic(fmt.Sprintf("kernel: %d values for %d indices", len(val), len(idx)))
	}
	return checkDots(n, idx, b, ldb, w, t)
}

// checkGatherGram gives the number of rows of b.
func checkGatherGram[F Float](n int, idx []int32, wt, b []F, ldb int, g []F, ldg int) (rows int) {
	checkWidth[F](n)
	within("g", n, ldg, n, len(g))
	if n > 1 && ldg < n {
		panic(fmt.Sprintf("kernel: rows of %d columns overlap, being %d apart", n, ldg))
	}
	return checkGather(n, idx, wt, b, ldb, g)
}

// checkIndices panics unless all indices are rows.
func checkIndices(idx []int32, rows int) {
	for t, i := range idx {
		if uint(i) >= uint(rows) {
			panicIndex(i, t, rows)
		}
	}
}
