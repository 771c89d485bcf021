package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// Data is X as the passes need it: its products with tall factors, and sums
// over it.
type Data[F kernel.Float] struct {
	// Rows is m, Cols is n.
	Rows, Cols int
	// Sum and SumSq are over all cells, in float64.
	Sum, SumSq float64

	ops    *kernel.Ops[F]
	dense  *matrix.Dense[F]
	sparse *matrix.CSR[F]
	// turned is the transposed copy of sparse: the product Xᵀ W gathers its
	// rows, where a scatter from X would need an n x k accumulator for every
	// worker and a reduction over them.
	turned *matrix.CSR[F]
	// block is the number of rows that both products of a pass are done for
	// before it goes on, so that the second finds X in cache.
	block int
}

// blockBytes is the part of a dense X that is kept in cache between the two
// products of a pass. It stays below the last-level cache of common machines.
const blockBytes = 4 << 20

// NewData prepares x, whose values must be finite. A sparse x is transposed
// once.
func NewData[F kernel.Float](x matrix.Matrix[F], threads int) *Data[F] {
	d := &Data[F]{ops: kernel.For[F]()}
	d.Rows, d.Cols = x.Dims()
	p := &pool{ctx: context.Background(), workers: threads}
	switch x := x.(type) {
	case *matrix.Dense[F]:
		d.dense = x
		tile := kernel.TileRows[F]()
		rowBytes := 256 / tile * d.Cols
		d.block = max(tile, blockBytes/max(1, rowBytes)/tile*tile)
	case *matrix.CSR[F]:
		d.sparse, d.turned = x, transpose(p, x)
		d.block = d.Rows
	default:
		panic(fmt.Sprintf("engine: unknown matrix %T", x))
	}
	d.block = max(1, min(d.block, d.Rows))
	d.sums(p)
	return d
}

// sums adds up X in parts of rows that depend on the shape alone.
func (d *Data[F]) sums(p *pool) {
	parts := (d.Rows + 63) / 64
	sum, sq := make([]float64, parts), make([]float64, parts)
	p.run(parts, func(_, t int) {
		for i := t * 64; i < min(d.Rows, t*64+64); i++ {
			for _, v := range d.stored(i) {
				sum[t] += float64(v)
				sq[t] += float64(v) * float64(v)
			}
		}
	})
	for t := range parts {
		d.Sum += sum[t]
		d.SumSq += sq[t]
	}
}

// stored gives the values of row i that are stored.
func (d *Data[F]) stored(i int) []F {
	if d.dense != nil {
		return d.dense.Row(i)
	}
	_, v := d.sparse.Row(i)
	return v
}

// Mean is the mean over all cells.
func (d *Data[F]) Mean() float64 { return d.Sum / (float64(d.Rows) * float64(d.Cols)) }

// Norm is the Frobenius norm of X.
func (d *Data[F]) Norm() float64 { return math.Sqrt(d.SumSq) }

// cellsPerRow is the mean number of multiplications that a row costs for each
// component, and cellsPerColumn the same of a column.
func (d *Data[F]) cellsPerRow() float64 {
	if d.dense != nil {
		return float64(d.Cols)
	}
	return float64(d.sparse.NNZ()) / float64(d.Rows)
}

func (d *Data[F]) cellsPerColumn() float64 {
	if d.dense != nil {
		return float64(d.Rows)
	}
	return float64(d.sparse.NNZ()) / float64(d.Cols)
}

// left adds X[r0:r1] · h to c: h is n x width, its rows ldh apart; c has
// r1-r0 rows, ldc apart.
func (d *Data[F]) left(r0, r1, width int, h []F, ldh int, c []F, ldc int) {
	if d.dense != nil {
		d.ops.MulAdd(r1-r0, width, d.Cols, d.dense.Data[r0*d.dense.Stride:], d.dense.Stride, 1, h, ldh, c, ldc)
		return
	}
	for i := r0; i < r1; i++ {
		cols, vals := d.sparse.Row(i)
		d.ops.Gather(width, cols, vals, h, ldh, c[(i-r0)*ldc:])
	}
}

// right adds (X[r0:r1])ᵀ · w for the columns j0 to j1 of X to the rows j0 to
// j1 of q: w is m x width and q is n x width. A sparse X is always taken
// whole.
func (d *Data[F]) right(r0, r1, j0, j1, width int, w []F, ldw int, q []F, ldq int) {
	if d.dense != nil {
		s := d.dense.Stride
		d.ops.MulAdd(j1-j0, width, r1-r0, d.dense.Data[r0*s+j0:], 1, s, w[r0*ldw:], ldw, q[j0*ldq:], ldq)
		return
	}
	for j := j0; j < j1; j++ {
		rows, vals := d.turned.Row(j)
		d.ops.Gather(width, rows, vals, w, ldw, q[j*ldq:])
	}
}

// transpose is x.T() in parallel: parts of equally many stored cells count
// their columns, and every part then knows where its cells go.
func transpose[F kernel.Float](p *pool, x *matrix.CSR[F]) *matrix.CSR[F] {
	t := &matrix.CSR[F]{Rows: x.Cols, Cols: x.Rows,
		RowPtr: make([]int, x.Cols+1), ColIdx: make([]int32, x.NNZ()), Val: make([]F, x.NNZ())}
	parts := max(1, min(p.workers, x.NNZ()/(4*max(1, x.Cols))))
	bounds := make([]int, parts+1)
	row := 0
	for b := range parts {
		bounds[b] = row
		for row < x.Rows && x.RowPtr[row] < (b+1)*x.NNZ()/parts {
			row++
		}
	}
	bounds[parts] = x.Rows
	next := make([][]int, parts)
	p.run(parts, func(_, b int) {
		count := make([]int, x.Cols)
		for _, c := range x.ColIdx[x.RowPtr[bounds[b]]:x.RowPtr[bounds[b+1]]] {
			count[c]++
		}
		next[b] = count
	})
	at := 0
	for j := range x.Cols {
		t.RowPtr[j] = at
		for b := range parts {
			n := next[b][j]
			next[b][j] = at
			at += n
		}
	}
	t.RowPtr[x.Cols] = at
	p.run(parts, func(_, b int) {
		to := next[b]
		for i := bounds[b]; i < bounds[b+1]; i++ {
			cols, vals := x.Row(i)
			for q, c := range cols {
				t.ColIdx[to[c]], t.Val[to[c]] = int32(i), vals[q]
				to[c]++
			}
		}
	})
	return t
}
