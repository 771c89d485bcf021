//go:build amd64 && !noasm

package kernel

import "fmt"

// stored are the assembly functions of stored cells, but for gather. Each
// gives the number of cells that it did, less than n if an index is bad. Lists
// go by the number of vectors, empty where there is none.
type stored[F Float] struct {
	dots           []dotsFunc[F]
	gatherQuotient []gatherQuotientFunc[F]
	gatherRows     []gatherRowsFunc[F]
	scatterRows    []scatterRowsFunc[F]
	transposeRows  func(rows int, at, end *int, limit int, idx *int32, val *F, number int, next *int, room int, toIdx *int32, toVal *F) int
	// gram are tiles of gramRows rows.
	gramRows int
	gram     []gramFunc[F]
	mirror   func(n int, src, dst *F, ld int)
}

type (
	dotsFunc[F Float]           func(n int, idx *int32, b *F, ldb, rows int, w, r *F) int
	gatherQuotientFunc[F Float] func(n int, idx *int32, val, b *F, ldb, rows int, w *F, tiny F, q, c *F) int
	gatherRowsFunc[F Float]     func(rows int, at, end *int, limit int, idx *int32, val, b *F, ldb int, c *F, ldc int)
	scatterRowsFunc[F Float]    func(rows int, at, end *int, first, limit int, idx *int32, val, b *F, ldb int, c *F, ldc int) int
	gramFunc[F Float]           func(n int, idx *int32, wt, left, right *F, ldb, rows int, g *F, ldg int) int
)

func (r *routines[F]) doDots(n int, idx []int32, b []F, ldb int, w []F, out []F) {
	rows := checkDots(n, idx, b, ldb, w, out)
	clear(out[:len(idx)])
	if n == 0 || len(idx) == 0 {
		return
	}
	vector := r.bytes / sizeof[F]()
	for j := 0; j < n; {
		v := min((n-j)/vector, len(r.dots)-1)
		if t := r.dots[v](len(idx), &idx[0], &b[j], ldb, rows, &w[j], &out[0]); t < len(idx) {
			checkIndices(idx, rows)
		}
		j += v * vector
	}
}

func (r *routines[F]) doGatherQuotient(n int, idx []int32, val []F, b []F, ldb int, w []F, tiny F, q []F, c []F) {
	rows := checkGatherQuotient(n, idx, val, b, ldb, w, tiny, q, c)
	if len(idx) == 0 {
		return
	}
	// More vectors than there are registers for take three passes.
	if v := n / (r.bytes / sizeof[F]()); v == 0 || v >= len(r.gatherQuotient) || r.gatherQuotient[v] == nil {
		r.doDots(n, idx, b, ldb, w, q)
		r.doQuotient(tiny, val[:len(idx)], q, q)
		r.doGather(n, idx, q, b, ldb, c)
	} else if t := r.gatherQuotient[v](len(idx), &idx[0], &val[0], &b[0], ldb, rows, &w[0], tiny, &q[0], &c[0]); t < len(idx) {
		checkIndices(idx, rows)
	}
}

func (r *routines[F]) doGatherRows(n int, at, end []int, limit int, idx []int32, val, b []F, ldb int, c []F, ldc int) {
	const rows = 64
	if n == 0 {
		gatherRows(n, at, end, limit, idx, val, b, ldb, c, ldc)
		return
	}
	checkGatherRows(n, at, end, limit, idx, val, b, ldb, c, ldc)
	if limit == 0 || len(idx) == 0 {
		return
	}
	vector := r.bytes / sizeof[F]()
	// More vectors than there are registers for begin at the same cells once more.
	var first [rows]int
	for i := 0; i < len(at); i += rows {
		i1 := min(i+rows, len(at))
		copy(first[:], at[i:i1])
		for j := 0; j < n; {
			v := min((n-j)/vector, len(r.gatherRows)-1)
			copy(at[i:i1], first[:])
			r.gatherRows[v](i1-i, &at[i], &end[i], limit, &idx[0], &val[0], &b[j], ldb, &c[i*ldc+j], ldc)
			j += v * vector
		}
	}
}

func (r *routines[F]) doScatterRows(n int, at, end []int, first int, idx []int32, val, b []F, ldb int, c []F, ldc int) {
	rows := checkScatterRows(n, at, end, idx, val, b, ldb, c, ldc)
	if n == 0 || rows == 0 || len(at) == 0 || len(idx) == 0 {
		checkScattered(at, end, first, idx, rows)
		return
	}
	vector := r.bytes / sizeof[F]()
	for j := 0; j < n; {
		v := min((n-j)/vector, len(r.scatterRows)-1)
		if r.scatterRows[v](len(at), &at[0], &end[0], first, rows, &idx[0], &val[0], &b[j], ldb, &c[j], ldc) > 0 {
			checkScattered(at, end, first, idx, rows)
		}
		j += v * vector
	}
}

func (r *routines[F]) doTransposeRows(at, end []int, limit int, idx []int32, val []F, number int, next []int, toIdx []int32, toVal []F) {
	room := min(len(toIdx), len(toVal))
	if len(at) == 0 || limit == 0 || len(idx) == 0 || room == 0 {
		transposeRows(at, end, limit, idx, val, number, next, toIdx, toVal)
		return
	}
	checkTransposeRows(at, end, limit, idx, val, next)
	if r.transposeRows(len(at), &at[0], &end[0], limit, &idx[0], &val[0], number, &next[0], room, &toIdx[0], &toVal[0]) > 0 {
		panic(fmt.Sprintf("kernel: more cells than the %d places", room))
	}
}

// gramBlock is the number of cells whose rows are expected to stay in cache
// while all tiles of a Gram matrix go over them.
const gramBlock = 128

// mirrorSide is the side of the squares that are transposed.
const mirrorSide = 4

func (r *routines[F]) doGatherGram(n int, idx []int32, wt []F, b []F, ldb int, g []F, ldg int) {
	rows := checkGatherGram(n, idx, wt, b, ldb, g, ldg)
	if n == 0 || len(idx) == 0 {
		return
	}
	vector := r.bytes / sizeof[F]()
	least := vector
	if r.bytes == 32 {
		least = 2 * vector
	}
	for p := 0; p < len(idx); p += gramBlock {
		cells := min(gramBlock, len(idx)-p)
		for i := 0; i < n; i += r.gramRows {
			// From the vectors with the diagonal on.
			for j := i / least * least; j < n; {
				v := r.columns((n - j) / vector)
				if t := r.gram[v](cells, &idx[p], &wt[p], &b[i], &b[j], ldb, rows, &g[i*ldg+j], ldg); t < cells {
					checkIndices(idx, rows)
				}
				j += v * vector
			}
		}
	}
	for i := 0; i < n; i += mirrorSide {
		for j := i + 1; j < i+mirrorSide; j++ {
			for l := i; l < j; l++ {
				g[j*ldg+l] = g[l*ldg+j]
			}
		}
		if below := (n - i) / mirrorSide; below > 1 {
			r.mirror(below-1, &g[i*ldg+i+mirrorSide], &g[(i+mirrorSide)*ldg+i], ldg)
		}
	}
}
