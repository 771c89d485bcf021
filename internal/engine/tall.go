package engine

import (
	"context"
	"sync/atomic"

	"gonum.org/v1/gonum/mat"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// Gram is tᵀt (k x k), its products and sums in float64.
func (t *Tall[F]) Gram(workers int) []float64 {
	const fewestRows, mostParts, block = 2048, 32, 64
	partRows := max(fewestRows, (t.Rows+mostParts-1)/mostParts)
	parts := max(1, (t.Rows+partRows-1)/partRows)
	ops, ld := kernel.For[float64](), kernel.Pad[float64](t.K)
	sums := make([][]float64, parts)
	p := &pool{ctx: context.Background(), workers: max(1, workers)}
	p.run(parts, func(_, part int) {
		g, rows := make([]float64, t.K*ld), make([]float64, block*ld)
		for r0 := part * partRows; r0 < min(t.Rows, (part+1)*partRows); r0 += block {
			r1 := min(r0+block, t.Rows, (part+1)*partRows)
			for i := r0; i < r1; i++ {
				for j, v := range t.Row(i) {
					rows[(i-r0)*ld+j] = float64(v)
				}
			}
			ops.MulAdd(t.K, ld, r1-r0, rows, 1, ld, rows, ld, g, ld)
		}
		sums[part] = g
	})
	full := make([]float64, t.K*t.K)
	for _, g := range sums {
		for i := range t.K {
			for j := range t.K {
				full[i*t.K+j] += g[i*ld+j]
			}
		}
	}
	return full
}

// sumRows adds up what add makes of every row, sums of n numbers: in parts of rows,
// which are divided among workers and added in their order.
func (t *Tall[F]) sumRows(workers, n int, add func(sums []float64, i int)) []float64 {
	const rows = 2048
	parts := make([][]float64, max(1, (t.Rows+rows-1)/rows))
	p := &pool{ctx: background, workers: workers}
	p.run(len(parts), func(_, part int) {
		sums := make([]float64, n)
		for i := part * rows; i < min((part+1)*rows, t.Rows); i++ {
			add(sums, i)
		}
		parts[part] = sums
	})
	for _, part := range parts[1:] {
		for j, v := range part {
			parts[0][j] += v
		}
	}
	return parts[0]
}

// columnNorms gives the squared norms of the columns.
func (t *Tall[F]) columnNorms(workers int) []float64 {
	return t.sumRows(workers, t.K, func(norms []float64, i int) {
		for j, v := range t.Row(i) {
			norms[j] += float64(v) * float64(v)
		}
	})
}

// sum adds all entries.
func (t *Tall[F]) sum(workers int) float64 {
	return t.sumRows(workers, 1, func(sum []float64, i int) {
		for _, v := range t.Row(i) {
			sum[0] += float64(v)
		}
	})[0]
}

// SumSq is ‖t‖².
func (t *Tall[F]) SumSq() float64 {
	sum := 0.0
	for i := range t.Rows {
		for _, v := range t.Row(i) {
			sum += float64(v) * float64(v)
		}
	}
	return sum
}

// clearColumns makes the columns zero that which picks.
func (t *Tall[F]) clearColumns(which func(j int) bool) {
	for j := range t.K {
		if !which(j) {
			continue
		}
		for i := range t.Rows {
			t.Row(i)[j] = 0
		}
	}
}

// Times is t·b for a small b.
func (t *Tall[F]) Times(b *mat.Dense, workers int) *Tall[F] {
	k, n := b.Dims()
	right := NewTall[F](k, n)
	for i := range k {
		for j := range n {
			right.Data[i*right.Ld+j] = F(b.At(i, j))
		}
	}
	out := NewTall[F](t.Rows, n)
	ops, tile := kernel.For[F](), kernel.TileRows[F]()
	p := &pool{ctx: context.Background(), workers: max(1, workers)}
	p.run(tiles[F](t.Rows), func(_, i int) {
		a, b := i*tile, min((i+1)*tile, t.Rows)
		ops.MulAdd(b-a, out.Ld, k, t.Data[a*t.Ld:], t.Ld, 1, right.Data, right.Ld, out.Data[a*out.Ld:], out.Ld)
	})
	return out
}

// Wide gives diag(scales)·h (k x n) with padded rows, as the right operand of
// a reconstruction.
func Wide[F kernel.Float](h *matrix.Dense[F], scales []float64) *Tall[F] {
	t := NewTall[F](h.Rows, h.Cols)
	for j, s := range scales {
		row := t.Row(j)
		for i, v := range h.Row(j) {
			row[i] = F(s * float64(v))
		}
	}
	return t
}

// LeftTimes is w·t for a w with as many columns as t has rows.
func (t *Tall[F]) LeftTimes(w *matrix.Dense[F]) *matrix.Dense[F] {
	out := NewTall[F](w.Rows, t.K)
	kernel.For[F]().MulAdd(w.Rows, t.Ld, t.Rows, w.Data, w.Stride, 1, t.Data, t.Ld, out.Data, out.Ld)
	d := matrix.NewDense[F](w.Rows, t.K)
	for i := range w.Rows {
		copy(d.Row(i), out.Row(i))
	}
	return d
}

// EachStrip calls fn for strips of rows, few enough to stay in cache while they are
// gone through column by column, divided among workers where they are many.
func EachStrip(rows, workers int, fn func(i0, i1 int)) {
	const strip, few = 64, 16
	n := (rows + strip - 1) / strip
	var next atomic.Int64
	share(max(1, min(workers, n/few)), func(int) {
		for {
			i0 := (int(next.Add(1)) - 1) * strip
			if i0 >= rows {
				return
			}
			fn(i0, min(i0+strip, rows))
		}
	})
}
