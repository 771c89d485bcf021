package nmf

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// ofNewData gives the options of a fit that concern the loss of new data, as they
// are told.
func (m *Model[F]) ofNewData(t *TransformOptions) *Options {
	fit := &m.Info.Resolved
	return &Options{Loss: fit.Loss, Beta: fit.Beta, Power: fit.Power, Dispersion: fit.Dispersion, DispersionBy: fit.DispersionBy, Delta: fit.Delta,
		Missing: cmp.Or(t.Missing, fit.Missing), Mask: t.Mask, Weights: t.Weights, RowWeights: t.RowWeights, ColumnWeights: t.ColumnWeights,
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
// missing becomes as large as a dense one.
func (m *Model[F]) Impute(ctx context.Context, x matrix.Matrix[F], o *TransformOptions) (*matrix.Dense[F], error) {
	w, err := m.Transform(ctx, x, o)
	if err != nil {
		return nil, err
	}
	var opt TransformOptions
	if o != nil {
		opt = *o
	}
	rows, cols := x.Dims()
	like, err := m.likeTheFit(rows, cols, &opt)
	if err != nil {
		return nil, err
	}
	out, err := m.Reconstruct(w)
	if err != nil {
		return nil, err
	}
	s := &sorter[F]{o: like, m: rows, n: cols}
	keep := func(i, j int, v F) {
		if !s.isMissing(i, j, v) {
			out.Set(i, j, v)
		}
	}
	unstored := like.unstored()
	err = eachRow(x, func(i int, idx []int32, vals []F) error {
		if idx == nil && len(vals) == cols {
			for j, v := range vals {
				keep(i, j, v)
			}
			return nil
		}
		at := 0
		for j := range cols {
			switch {
			case at < len(idx) && int(idx[at]) == j:
				keep(i, j, vals[at])
				at++
			case !unstored:
				keep(i, j, 0)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
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
