package rank

import (
	"context"
	"math"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// cells are the observed cells of the data of a sweep.
type cells[F matrix.Float] struct {
	x matrix.Matrix[F]
	o *nmf.Options
	// count is their number, sum the sum of their values.
	count, sum float64
}

// newCells counts the observed cells.
func newCells[F matrix.Float](x matrix.Matrix[F], o *nmf.Options) (*cells[F], error) {
	if !inMemory(x) {
		return streamedCells(x, o)
	}
	c := &cells[F]{x: x, o: o}
	m, n := x.Dims()
	_, sparse := x.(*matrix.CSR[F])
	simple := o.Mask == nil && o.Weights == nil && (o.Missing == "" || o.Missing == "error")
	for i := range m {
		switch {
		case simple:
			c.count += float64(n)
			for _, v := range storedRow(x, i) {
				c.sum += float64(v)
			}
		case sparse && (o.Missing == "unstored" || o.Missing == "zero"):
			cols, _ := x.(*matrix.CSR[F]).Row(i)
			for _, j := range cols {
				c.add(i, int(j))
			}
		default:
			for j := range n {
				c.add(i, j)
			}
		}
	}
	return c, nil
}

// streamedCells counts those of an x that is read block by block.
func streamedCells[F matrix.Float](x matrix.Matrix[F], o *nmf.Options) (*cells[F], error) {
	c := &cells[F]{x: x, o: o}
	err := eachPart(x, o, func(_ int, part matrix.Matrix[F], of *nmf.Options) error {
		counted, err := newCells(part, of)
		if err == nil {
			c.count += counted.count
			c.sum += counted.sum
		}
		return err
	})
	return c, err
}

func (c *cells[F]) add(i, j int) {
	if v := at(c.x, i, j); c.observed(i, j, v) {
		c.count++
		c.sum += v
	}
}

// observed says that cell (i, j), whose value is v, is not missing.
func (c *cells[F]) observed(i, j int, v float64) bool {
	switch {
	case math.IsNaN(v), c.o.Mask != nil && c.o.Mask.Has(i, j), c.o.Missing == "zero" && v == 0:
		return false
	}
	switch w := c.o.Weights.(type) {
	case *matrix.Dense[float32]:
		return w.At(i, j) > 0
	case *matrix.Dense[float64]:
		return w.At(i, j) > 0
	case *matrix.CSR[float32]:
		return at(w, i, j) > 0
	case *matrix.CSR[float64]:
		return at(w, i, j) > 0
	}
	return true
}

// heldOut draws the cells of one repeat: of every sample a part of its features,
// as even as whole numbers allow ("speckled" cells, Wold 1978), of a sparse X
// that is complete no more than it stores. A feature keeps at least half of its
// cells.
func (c *cells[F]) heldOut(part float64, seed uint64, repeat int) *matrix.Mask {
	m, n := c.x.Dims()
	s, sparse := c.x.(*matrix.CSR[F])
	stored := sparse && (c.o.Missing == "unstored" || c.o.Missing == "zero")
	if sparse && !stored {
		part = min(part, float64(s.NNZ())/(float64(m)*float64(n)))
	}
	out := &matrix.Mask{Rows: m, Cols: n, RowPtr: make([]int, m+1)}
	left, most := make([]int, n), make([]int, n)
	if stored {
		for _, j := range s.ColIdx {
			most[j]++
		}
	} else {
		for j := range most {
			most[j] = m
		}
	}
	for i := range m {
		rng := stream(seed+uint64(repeat), forHoldout, i)
		candidates := n
		var cols []int32
		if stored {
			cols, _ = s.Row(i)
			candidates = len(cols)
		}
		want := part * float64(candidates)
		take := int(want)
		if rng.Float64() < want-float64(take) {
			take++
		}
		for _, p := range distinct(rng, candidates, min(take, candidates/2)) {
			j := p
			if stored {
				j = int(cols[p])
			}
			if 2*(left[j]+1) > most[j] || !c.observed(i, j, at(c.x, i, j)) {
				continue
			}
			left[j]++
			out.ColIdx = append(out.ColIdx, int32(j))
		}
		out.RowPtr[i+1] = len(out.ColIdx)
	}
	return out
}

// union is the set of the cells of both.
func union(a, b *matrix.Mask) *matrix.Mask {
	if a == nil {
		return b
	}
	out := &matrix.Mask{Rows: a.Rows, Cols: a.Cols, RowPtr: make([]int, 1, a.Rows+1)}
	for i := range a.Rows {
		p, q := a.Row(i), b.Row(i)
		for len(p) > 0 || len(q) > 0 {
			switch {
			case len(q) == 0 || len(p) > 0 && p[0] < q[0]:
				out.ColIdx, p = append(out.ColIdx, p[0]), p[1:]
			case len(p) == 0 || q[0] < p[0]:
				out.ColIdx, q = append(out.ColIdx, q[0]), q[1:]
			default:
				out.ColIdx, p, q = append(out.ColIdx, p[0]), p[1:], q[1:]
			}
		}
		out.RowPtr = append(out.RowPtr, len(out.ColIdx))
	}
	return out
}

// floor is the part of the mean of X below which a prediction is not taken:
// losses that are infinite at a prediction of zero stay finite.
const floor = 1e-6

// judge says how far predictions of held-out cells are off.
type judge[F matrix.Float] struct {
	cells *cells[F]
	held  *matrix.Mask
	// mean is that of the cells that are fitted, largest the largest of them of
	// each feature. No prediction is taken above it: where a component is nearly
	// that of one sample alone, hardly anything says what it is at the features
	// that this sample holds out, and a single such cell would outweigh all
	// others.
	mean    float64
	largest []float64
}

func (c *cells[F]) judge(held *matrix.Mask) *judge[F] {
	j := &judge[F]{cells: c, held: held, largest: make([]float64, held.Cols)}
	sum, count := c.sum, c.count
	var cols []int32
	for i := range held.Rows {
		out := held.Row(i)
		for _, f := range out {
			sum -= at(c.x, i, int(f))
			count--
		}
		if s, sparse := c.x.(*matrix.CSR[F]); sparse {
			cols, _ = s.Row(i)
		}
		for p, v := range storedRow(c.x, i) {
			f := p
			if cols != nil {
				f = int(cols[p])
			}
			for len(out) > 0 && int(out[0]) < f {
				out = out[1:]
			}
			if held := len(out) > 0 && int(out[0]) == f; !held && float64(v) > j.largest[f] && c.observed(i, f, float64(v)) {
				j.largest[f] = float64(v)
			}
		}
	}
	j.mean = sum / count
	return j
}

// error is the loss of a model's predictions at the held-out cells over that of
// one number for all, the mean of the cells that the model was fitted to: 1 is
// no better than that, 0 is perfect.
func (j *judge[F]) error(model *nmf.Model[F]) (float64, error) {
	loss, err := lossOf(&model.Info)
	if err != nil {
		return 0, err
	}
	least := floor * j.mean
	var total, base float64
	weights := make([]float64, model.K())
	for i := range j.held.Rows {
		cols := j.held.Row(i)
		if len(cols) == 0 {
			continue
		}
		for l, s := range model.Scales {
			weights[l] = float64(model.W.At(i, l)) * s
		}
		for _, f := range cols {
			x, y := at(j.cells.x, i, int(f)), 0.0
			for l, w := range weights {
				y += w * float64(model.H.At(l, int(f)))
			}
			total += loss.Value(x, max(min(y, j.largest[f]), least), int(f))
			base += loss.Value(x, j.mean, int(f))
		}
	}
	if base == 0 {
		return math.NaN(), nil
	}
	return total / base, nil
}

// holdOut makes one repeat of cross-validation for all k.
func (s *sweep[F]) holdOut(ctx context.Context, repeat int) (map[int]float64, error) {
	held := s.cells.heldOut(s.o.HoldOut, s.o.Fit.Seed, repeat)
	o := s.o.Fit
	o.Mask = union(o.Mask, held)
	models, err := s.fitAll(ctx, s.x, &o, o.Seed+uint64(repeat))
	if err != nil {
		return nil, err
	}
	return measure(models, s.cells.judge(held).error)
}
