package engine

import (
	"slices"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

// Loss is the loss of the cells.
func (c *Cells[F]) Loss() *loss.Loss { return c.steps.Loss }

// Spread is a robust estimate of the standard deviation of the residuals of a
// pair: 1.4826 times the median of |x − wh| over the cells that count, at most
// spreadCells of them, taken at equal distances.
func (c *Cells[F]) Spread(w, h *Tall[F], workers int) float64 {
	const spreadCells = 1 << 20
	stride := max(1, c.listed()/spreadCells)
	var errs []float64
	var room lineRoom[F]
	r, at := []F(nil), 0
	for i := range c.Rows {
		if !c.left.holdLine(i) {
			return 0
		}
		c.left.reach(&room, i, i+1)
		l := c.left.line(&room, i)
		grow(&r, len(l.idx))
		c.ops.Dots(h.Ld, l.idx, h.Data, h.Ld, w.rows(i, i+1), r)
		for ; at < len(l.idx); at += stride {
			if l.w == nil || l.w[at] > 0 {
				e := float64(l.x[at]) - float64(r[at])
				errs = append(errs, max(e, -e))
			}
		}
		at -= len(l.idx)
	}
	if len(errs) == 0 {
		return 0
	}
	slices.Sort(errs)
	const normal = 1.4826
	return normal * errs[len(errs)/2]
}

// listed is the number of cells that are visited.
func (c *Cells[F]) listed() int {
	if c.left.list != nil {
		return c.left.nnz()
	}
	return c.Rows * c.Cols
}

// Dispersions gives the moment estimate of the α of a negative binomial around a
// pair, for which Σ(x−y)² is what the variance y + α·y² of the cells adds up to:
// Σ((x−y)² − y)/Σy², over all cells or those of each feature. With x in the place of
// the y that is subtracted, whose sum is the same at a stationary point of the
// Poisson loss, it is the slope of the auxiliary regression of Cameron & Trivedi
// (1990). It is 0 where the cells spread less than Poisson's.
func (c *Cells[F]) Dispersions(w, h *Tall[F], byFeature bool, workers int) []float64 {
	p := &pool{ctx: background, workers: max(1, workers)}
	excess, squares := make([]float64, c.Cols), make([]float64, c.Cols)
	rooms, rs := make([]lineRoom[F], p.workers), make([][]F, p.workers)
	c.right.blocks(func(from, to int) bool {
		return p.run((to-from+lineGroup-1)/lineGroup, func(wi, part int) {
			a := from + part*lineGroup
			b := min(a+lineGroup, to)
			c.right.reach(&rooms[wi], a, b)
			for j := a; j < b; j++ {
				l := c.right.line(&rooms[wi], j)
				grow(&rs[wi], len(l.idx))
				c.ops.Dots(w.Ld, l.idx, w.Data, w.Ld, h.rows(j, j+1), rs[wi])
				for q, y := range rs[wi] {
					weight := 1.0
					if l.w != nil {
						weight = float64(l.w[q])
					}
					v, e := float64(y), float64(l.x[q])-float64(y)
					excess[j] += weight * (e*e - v)
					squares[j] += weight * v * v
				}
			}
		})
	})
	if !byFeature {
		all, over := 0.0, 0.0
		for j, v := range squares {
			over += excess[j]
			all += v
		}
		excess, squares = []float64{over}, []float64{all}
	}
	for j, v := range squares {
		if v > 0 {
			excess[j] = max(0, excess[j]) / v
		} else {
			excess[j] = 0
		}
	}
	return excess
}

// Largest is the largest cell of x that is stored, and the first row with one
// that is negative or not finite, or -1.
func Largest[F kernel.Float](x matrix.Matrix[F], workers int) (largest F, badRow int) {
	ops, p := kernel.For[F](), &pool{ctx: background, workers: max(1, workers)}
	rows, _ := x.Dims()
	const part = 64
	most, bad := make([]F, (rows+part-1)/part), make([]int, (rows+part-1)/part)
	p.run(len(most), func(_, t int) {
		bad[t] = -1
		for i := t * part; i < min((t+1)*part, rows); i++ {
			var row []F
			switch x := x.(type) {
			case *matrix.Dense[F]:
				row = x.Row(i)
			case *matrix.CSR[F]:
				_, row = x.Row(i)
			}
			top, _, _, ok := ops.Scan(row)
			if !ok {
				bad[t] = i
				return
			}
			most[t] = max(most[t], top)
		}
	})
	for t, b := range bad {
		if b >= 0 {
			return 0, b
		}
		largest = max(largest, most[t])
	}
	return largest, -1
}
