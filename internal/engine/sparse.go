package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/pages"
	"github.com/partsof/nmf/matrix"
)

// sparseOperand is a sparse X. The product Xᵀ·W gathers the rows of W that a column of
// X stores, from a transposed copy that is made when it is first needed; a scatter from
// the rows of X would need an n x k accumulator for every worker and a reduction over
// them. Where X has enough cells the first products are made in stripes, without it.
type sparseOperand[F kernel.Float] struct {
	x   *matrix.CSR[F]
	ops *kernel.Ops[F]
	// stripes is nil where X has too few cells for them.
	stripes *stripes
	// lines counts those of the products that were begun, turned is the copy, nil before
	// it is made.
	lines  atomic.Int64
	turn   sync.Once
	turned atomic.Pointer[matrix.CSR[F]]
}

func (d *sparseOperand[F]) hold(*pool, int, int) bool       { return true }
func (d *sparseOperand[F]) failure() error                  { return nil }
func (d *sparseOperand[F]) close()                          {}
func (d *sparseOperand[F]) beforeLeft(*pool, *Tall[F]) bool { return true }

// beforeRight makes the transposed copy, as soon as it is worth it.
func (d *sparseOperand[F]) beforeRight(p *pool, w *Tall[F], _, _ int) bool {
	if d.lines.Add(int64(w.Ld/kernel.Width[F]())) > stripeLines || d.stripes == nil {
		d.turn.Do(func() {
			d.turned.Store(transpose(&pool{ctx: context.Background(), workers: p.workers}, d.ops, d.x))
		})
	}
	return true
}

func (d *sparseOperand[F]) left(r0, r1, col, width int, h *Tall[F], c []F, ldc int) {
	gatherLines(d.ops, d.x, r0, r1, width, h.Data[col:], h.Ld, c, ldc)
}

// right takes X whole: a sparse X is one block.
func (d *sparseOperand[F]) right(_, _, j0, j1 int, w, q *Tall[F]) {
	d.columns(j0, j1, w, q.rows(j0, j1))
}

// together is the number of columns that right and columns are to be called for at a
// time, 0 where any will do.
func (d *sparseOperand[F]) together() int {
	if d.turned.Load() == nil {
		return d.stripes.columns
	}
	return 0
}

// columns adds (Xᵀ·w)[j0:j1] to c, whose rows lie as far apart as those of w.
func (d *sparseOperand[F]) columns(j0, j1 int, w *Tall[F], c []F) {
	if turned := d.turned.Load(); turned != nil {
		gatherLines(d.ops, turned, j0, j1, w.Ld, w.Data, w.Ld, c, w.Ld)
		return
	}
	scatterStripes(d.ops, d.x, d.stripes, j0, j1, w, c)
}

func (d *sparseOperand[F]) stored(i int) []F {
	_, v := d.x.Row(i)
	return v
}

func (d *sparseOperand[F]) row(i int, dst []float64) {
	clear(dst)
	cols, vals := d.x.Row(i)
	for p, j := range cols {
		dst[j] = float64(vals[p])
	}
}

func (d *sparseOperand[F]) cells() (row, column float64) {
	nnz := float64(d.x.NNZ())
	return nnz / float64(d.x.Rows), nnz / float64(d.x.Cols)
}

// residualLoss visits stored cells, and takes the others from ‖WH‖² =
// ⟨WᵀW, HHᵀ⟩.
func (d *sparseOperand[F]) residualLoss(p *pool, w, h *Tall[F], off, k int) (float64, bool) {
	total := 0.0
	ok := residualCells(p, d.x, w, h, off, k, &total)
	return withGrams(total, w, h, off, k, p.workers), ok
}

// residualCells adds Σ x·(x − 2·wh) over the stored cells to total, in parts of
// rows in order.
func residualCells[F kernel.Float](p *pool, x *matrix.CSR[F], w, h *Tall[F], off, k int, total *float64) bool {
	const rows = 64
	n := (x.Rows + rows - 1) / rows
	sums := make([]float64, n)
	ok := p.run(n, func(_, t int) {
		for i := t * rows; i < min((t+1)*rows, x.Rows); i++ {
			wi := w.Data[i*w.Ld+off : i*w.Ld+off+k]
			cols, vals := x.Row(i)
			for c, j := range cols {
				fit := 0.0
				for l, v := range h.Data[int(j)*h.Ld+off : int(j)*h.Ld+off+k] {
					fit += float64(v) * float64(wi[l])
				}
				x := float64(vals[c])
				sums[t] += x * (x - 2*fit)
			}
		}
	})
	for _, v := range sums {
		*total += v
	}
	return ok
}

// withGrams is the loss, given the sum over the stored cells.
func withGrams[F kernel.Float](total float64, w, h *Tall[F], off, k, workers int) float64 {
	gw, gh := w.view(off, k).Gram(workers), h.view(off, k).Gram(workers)
	for i, v := range gw {
		total += v * gh[i]
	}
	return max(0, total/2)
}

const (
	// panelBytes is what the rows of a panel of a tall factor take: half of a core's
	// second cache. They are gathered from for many lines of X before the next panel
	// is begun; without that, rows that are needed again have left the cache.
	panelBytes = 1 << 20
	// panelUse is how often a row of a panel is needed at least, and panelCells how
	// many cells a line has there, for panels to be worth the walk.
	panelUse, panelCells = 8, 32
)

// gatherLines adds x[r0:r1]·b to c, for n columns of b, panel by panel of the rows of
// b where that pays; the bits are the same.
func gatherLines[F kernel.Float](ops *kernel.Ops[F], x *matrix.CSR[F], r0, r1, n int, b []F, ldb int, c []F, ldc int) {
	panels := 1
	if cells := x.RowPtr[r1] - x.RowPtr[r0]; cells >= panelUse*x.Cols {
		rows := panelBytes / (n * (64 / kernel.Width[F]()))
		panels = max(1, min((x.Cols+rows-1)/max(1, rows), cells/((r1-r0)*panelCells)))
	}
	at, end := slices.Clone(x.RowPtr[r0:r1]), x.RowPtr[r0+1:r1+1]
	for p := range panels {
		ops.GatherRows(n, at, end, (p+1)*x.Cols/panels, x.ColIdx, x.Val, b, ldb, c, ldc)
	}
}

// transpose is x.T() in parallel. A task has a range of columns, which it goes
// through in panels, row after row: few enough columns that the places where
// their next cells go stay in a core's own cache, and enough that most rows
// have some cells there.
func transpose[F kernel.Float](p *pool, ops *kernel.Ops[F], x *matrix.CSR[F]) *matrix.CSR[F] {
	const columns, cells = 512, 8
	t := &matrix.CSR[F]{Rows: x.Cols, Cols: x.Rows,
		RowPtr: make([]int, x.Cols+1), ColIdx: pages.Make[int32](x.NNZ()), Val: pages.Make[F](x.NNZ())}
	for _, part := range countColumns(p, x) {
		for j, n := range part {
			t.RowPtr[j+1] += n
		}
	}
	for j := range x.Cols {
		t.RowPtr[j+1] += t.RowPtr[j]
	}
	next := slices.Clone(t.RowPtr[:x.Cols])
	panel := max(columns, cells*x.Rows*x.Cols/max(1, x.NNZ()))
	// Ranges with as many cells each.
	tasks := max(1, min(p.workers, x.Cols/panel))
	bounds := make([]int, tasks+1)
	for b := range tasks {
		bounds[b], _ = slices.BinarySearch(t.RowPtr[:x.Cols], b*x.NNZ()/tasks)
	}
	bounds[tasks] = x.Cols
	p.run(tasks, func(_, task int) {
		at := slices.Clone(x.RowPtr[:x.Rows])
		if first := int32(bounds[task]); first > 0 {
			for i := range at {
				skip, _ := slices.BinarySearch(x.ColIdx[at[i]:x.RowPtr[i+1]], first)
				at[i] += skip
			}
		}
		for j := bounds[task]; j < bounds[task+1]; j += panel {
			end := min(j+panel, bounds[task+1])
			ops.TransposeRows(at, x.RowPtr[1:x.Rows+1], end, x.ColIdx, x.Val, 0, next, t.ColIdx, t.Val)
		}
	})
	return t
}

// countColumns counts the cells of each column, in parts that are to be added.
func countColumns[F kernel.Float](p *pool, x *matrix.CSR[F]) [][]int {
	parts := make([][]int, max(1, min(p.workers, x.NNZ()/(4*max(1, x.Cols)))))
	p.run(len(parts), func(_, b int) {
		count := make([]int, x.Cols)
		for _, c := range x.ColIdx[b*x.NNZ()/len(parts) : (b+1)*x.NNZ()/len(parts)] {
			count[c]++
		}
		parts[b] = count
	})
	return parts
}
