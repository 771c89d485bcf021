package nmf

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/lines"
	"github.com/partsof/nmf/matrix"
)

// ofNewData gives the options of a fit that concern the loss of new data, as they
// are told.
func (m *Model[F]) ofNewData(t *TransformOptions) *Options {
	fit := &m.Info.Resolved
	return &Options{Loss: fit.Loss, Beta: fit.Beta, Power: fit.Power, Dispersion: fit.Dispersion, DispersionBy: fit.DispersionBy, Delta: fit.Delta,
		Missing: cmp.Or(t.Missing, fit.Missing), Mask: t.Mask, MaskOf: t.MaskOf, Weights: t.Weights, RowWeights: t.RowWeights, ColumnWeights: t.ColumnWeights,
		RowNames: t.RowNames, ColumnNames: t.ColumnNames, Threads: threads(t), Init: "random",
		PenaltyW: fit.PenaltyW.ofNewSamples()}
}

// likeTheFit is ofNewData, checked and filled in.
func (m *Model[F]) likeTheFit(rows, cols int, t *TransformOptions) (*Options, error) {
	o := m.ofNewData(t)
	if o.Loss == absolute {
		o.Delta = 0 // it is not an option there
	}
	if err := o.resolveLoss(rows, cols); err != nil {
		return nil, err
	}
	o.Delta = m.Info.Resolved.Delta
	return o, nil
}

// projectCells is project where cells are weighted or missing, or the loss is
// not Frobenius. Where the data turn out to be plain it gives the options that say
// so, and does nothing.
func (m *Model[F]) projectCells(ctx context.Context, x matrix.Matrix[F], p *projection[F], o *Options, tol float64) (plain *Options, err error) {
	if s, ok := x.(*matrix.Streamed[F]); ok && s.ReadColumns == nil {
		// Rows are solved on their own, so that nothing reads columns.
		rows := *s
		rows.ReadColumns = func(int, []F) error { return fmt.Errorf("%w: X cannot be read by columns", ErrShape) }
		x = &rows
	}
	v, err := observe(nil, x, o)
	if err != nil {
		return nil, err
	}
	if plainly, ok := v.plainly(o); ok {
		return &plainly, nil
	}
	p.unit = v.unit
	l, err := o.lossFor(v.unit, v.mean, m.Info.Dispersions)
	if err != nil {
		return nil, err
	}
	p.cells = engine.NewCells(v.x, v.observed, l, o.Threads)
	defer p.cells.Close()
	if err := p.cells.Failure(); err != nil {
		return nil, err
	}
	unitW, unitH, err := o.units(v.unit)
	if err != nil {
		return nil, err
	}
	asked := o.PenaltyW.factor(p.w.Rows, m.K(), m.H.Cols, unitW, math.Pow(v.unit, l.Degree()), false)
	p.setBasis(m, asked != nil, unitH)
	err = p.cells.Project(ctx, p.w, p.h, asked, tol, o.Threads)
	return nil, cmp.Or(p.cells.Failure(), err)
}

// scoreCells is Score for such data.
func (p *projection[F]) scoreCells(ctx context.Context, workers int) (Score, error) {
	loss, err := p.cells.LossOf(ctx, p.w, p.h, workers)
	if err = cmp.Or(p.cells.Failure(), err); err != nil {
		return Score{}, err
	}
	s := Score{Loss: loss}
	if p.unit != 1 {
		s.Loss *= math.Pow(p.unit, p.cells.Loss().Degree())
	}
	if p.cells.Reference > 0 {
		s.RelativeError = math.Sqrt(loss / p.cells.Reference)
	}
	return s, nil
}

// Impute gives a copy of x in which the missing cells hold what the model
// predicts from the other cells of their row. Which cells are missing is as in
// Options.Missing and Options.Mask; a sparse x of which unstored cells are
// missing becomes as large as a dense one: see ImputeByRows.
func (m *Model[F]) Impute(ctx context.Context, x matrix.Matrix[F], o *TransformOptions) (*matrix.Dense[F], error) {
	filled, err := m.ImputeByRows(ctx, x, o)
	if err != nil {
		return nil, err
	}
	out := matrix.NewDense[F](filled.Rows, filled.Cols)
	if err := filled.Read(0, out.Data); err != nil {
		return nil, err
	}
	return out, nil
}

// ImputeByRows is Impute of which every row is made when it is read: the weights of
// all rows are in memory, x as it was, and of the result what is asked for. Rows are
// best read in their order.
func (m *Model[F]) ImputeByRows(ctx context.Context, x matrix.Matrix[F], o *TransformOptions) (*matrix.Streamed[F], error) {
	w, err := m.Transform(ctx, x, o)
	if err != nil {
		return nil, err
	}
	opt := cmp.Or(o, &TransformOptions{})
	rows, cols := x.Dims()
	like, err := m.likeTheFit(rows, cols, opt)
	if err != nil {
		return nil, err
	}
	h := engine.Wide(m.H, m.Scales)
	unstored := like.unstored()
	of := lines.Of(x)
	masks := (&cellStream[F]{s: &sorter[F]{o: &Options{Mask: like.Mask, MaskOf: like.MaskOf}, m: rows, n: cols}, x: x}).lines(false).mask
	var mu sync.Mutex
	return &matrix.Streamed[F]{Rows: rows, Cols: cols, Read: func(first int, dst []F) error {
		count := len(dst) / cols
		for from := 0; from < count; from += reconstructRows {
			n := min(reconstructRows, count-from)
			part := &matrix.Dense[F]{Rows: n, Cols: w.Cols, Stride: w.Stride, Data: w.Data[(first+from)*w.Stride:]}
			copy(dst[from*cols:(from+n)*cols], h.LeftTimes(part).Data)
		}
		mu.Lock()
		defer mu.Unlock()
		own := *like
		s := &sorter[F]{o: &own, m: count, n: cols}
		if masks != nil {
			var err error
			if own.Mask, err = masks.Nonzeros(first, count); err != nil {
				return err
			}
		}
		return of.Each(first, first+count, func(i int, idx []int32, vals []F) error {
			s.keep(i-first, idx, vals, unstored, dst[(i-first)*cols:(i-first+1)*cols])
			return nil
		})
	}}, nil
}

// keep writes the cells of row i that are there over a row of predictions.
func (s *sorter[F]) keep(i int, idx []int32, vals []F, unstored bool, row []F) {
	if idx == nil && len(vals) == s.n {
		for j, v := range vals {
			if !s.isMissing(i, j, v) {
				row[j] = v
			}
		}
		return
	}
	at := 0
	for j := range row {
		v, stored := F(0), at < len(idx) && int(idx[at]) == j
		if stored {
			v = vals[at]
			at++
		}
		if (stored || !unstored) && !s.isMissing(i, j, v) {
			row[j] = v
		}
	}
}

// Predict gives the model's values of single cells (rows[p], columns[p]),
// counted from 0, for weights w such as m.W or what Transform returns.
func (m *Model[F]) Predict(w *matrix.Dense[F], rows, columns []int) ([]float64, error) {
	if w.Cols != m.K() {
		return nil, fmt.Errorf("%w: the weights have %d columns, the model %d components", ErrShape, w.Cols, m.K())
	}
	if len(rows) != len(columns) {
		return nil, fmt.Errorf("%w: %d rows and %d columns of cells", ErrShape, len(rows), len(columns))
	}
	out := make([]float64, len(rows))
	for p, i := range rows {
		j := columns[p]
		if i < 0 || i >= w.Rows || j < 0 || j >= m.H.Cols {
			return nil, fmt.Errorf("%w: cell (%d, %d) is not in a %d x %d matrix", ErrShape, i+1, j+1, w.Rows, m.H.Cols)
		}
		for l, s := range m.Scales {
			out[p] += float64(w.At(i, l)) * s * float64(m.H.At(l, j))
		}
	}
	return out, nil
}
