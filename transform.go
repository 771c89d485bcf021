package nmf

import (
	"context"
	"fmt"
	"iter"
	"math"
	"runtime"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/penalty"
	"github.com/partsof/nmf/matrix"
)

// TransformOptions says how Transform and Score work. Nil and the zero value
// are the defaults.
type TransformOptions struct {
	// Tol bounds the KKT residual of every row, ‖projected gradient‖/‖cross
	// product‖. Default: what the model's fit used, at most 1e-4.
	Tol float64
	// Threads bounds the goroutines. The result does not depend on it.
	// Default GOMAXPROCS.
	Threads int
	// RowNames and ColumnNames are those of the new data, for errors. Where
	// both the model and the data have ColumnNames they must be the same, in
	// the same order.
	RowNames, ColumnNames []string
	// Missing, Mask, MaskOf, Weights, RowWeights and ColumnWeights are as those of
	// Options, for the new data. Missing is that of the fit unless given;
	// weights of the fit are not kept in a model. A row none of whose cells counts
	// has weights of zero, unless a penalty or a constraint says otherwise.
	Missing                   string
	Mask                      *matrix.Mask
	MaskOf                    Weights
	Weights                   Weights
	RowWeights, ColumnWeights []float64
}

// Transform gives the weights of new samples: for every row of x the w ≥ 0
// that minimises the loss of the fit, ‖x − w·diag(Scales)·H‖ unless it had
// another, solved to tolerance (the problem is convex, but for β-divergences
// with β < 1 or β > 2 and the negative binomial). The rows that the model was fitted to get the model's W, to that
// tolerance. Penalties and constraints on W hold here too, but for those that
// couple samples or belong to the samples of the fit: l21, smooth, graph,
// sparseness and held entries.
//
// Errors are those of Fit, and ErrNames.
func (m *Model[F]) Transform(ctx context.Context, x matrix.Matrix[F], o *TransformOptions) (*matrix.Dense[F], error) {
	p, err := m.project(ctx, x, o)
	if err != nil {
		return nil, err
	}
	p.close()
	d := matrix.NewDense[F](p.w.Rows, p.w.K)
	for j, s := range m.Scales {
		if s == 0 {
			continue
		}
		back := p.unit * p.scale[j] / s
		for i := range d.Rows {
			d.Set(i, j, over[F](float64(p.w.Row(i)[j])*back, p.roots.row(i)))
		}
	}
	return d, nil
}

// Score is how well a model reproduces data.
type Score struct {
	// Loss is that of the model's fit, ½‖X−WH‖²_F unless it had another, with
	// the best W and without penalties. RelativeError is as Info defines it (0
	// where X is zero).
	Loss          float64 `json:"loss"`
	RelativeError float64 `json:"relative_error"`
}

// Score transforms x and gives the loss of the result.
func (m *Model[F]) Score(ctx context.Context, x matrix.Matrix[F], o *TransformOptions) (Score, error) {
	p, err := m.project(ctx, x, o)
	if err != nil {
		return Score{}, err
	}
	defer p.close()
	if p.cells != nil {
		return p.scoreCells(ctx, threads(o))
	}
	loss, err := p.data.Loss(ctx, p.w, p.h, threads(o))
	if err != nil {
		return Score{}, err
	}
	s := Score{Loss: loss * p.unit * p.unit}
	if p.data.SumSq > 0 {
		s.RelativeError = math.Sqrt(2 * loss / p.data.SumSq)
	}
	return s, nil
}

func threads(o *TransformOptions) int {
	if o == nil || o.Threads < 1 {
		return runtime.GOMAXPROCS(0)
	}
	return o.Threads
}

// projection is new data in terms of a model: data ≈ w·hᵀ, with data divided
// by unit and component j of h that of the model times scale[j] instead of
// Scales[j], so that both stay near 1.
type projection[F matrix.Float] struct {
	data  *engine.Data[F]
	w, h  *engine.Tall[F]
	unit  float64
	scale []float64
	// roots are those of the weights of the data that are taken out: w is times
	// those of the rows, h times those of the columns.
	roots *roots
	// cells is the data where its loss is not the plain one; data is then nil.
	cells *engine.Cells[F]
}

// setBasis makes h, of which rows are near 1, or have the norms that they had in
// the objective where something is asked of w.
func (p *projection[F]) setBasis(m *Model[F], asked bool, unitH float64) {
	for j := range p.scale {
		if asked {
			p.scale[j] = m.basisNorm(j) / unitH
			continue
		}
		top := 0.0
		for i, v := range m.H.Row(j) {
			top = max(top, float64(v)*p.roots.column(i))
		}
		if top > 0 {
			p.scale[j] = 1 / top
		}
	}
	p.h = engine.NewTall[F](m.H.Cols, m.K())
	for j, s := range p.scale {
		for i, v := range m.H.Row(j) {
			p.h.Row(i)[j] = F(s * float64(v) * p.roots.column(i))
		}
	}
}

// close ends reading from data that are read block by block.
func (p *projection[F]) close() {
	if p.data != nil {
		p.data.Close()
	}
	if p.cells != nil {
		p.cells.Close()
	}
}

func (m *Model[F]) project(ctx context.Context, x matrix.Matrix[F], o *TransformOptions) (*projection[F], error) {
	var opt TransformOptions
	if o != nil {
		opt = *o
	}
	rows, cols := x.Dims()
	if cols != m.H.Cols {
		return nil, fmt.Errorf("%w: the data has %d features, the model %d", ErrShape, cols, m.H.Cols)
	}
	if err := matchNames(opt.ColumnNames, m.ColumnNames); err != nil {
		return nil, err
	}
	if opt.RowNames != nil && len(opt.RowNames) != rows || opt.ColumnNames != nil && len(opt.ColumnNames) != cols {
		return nil, fmt.Errorf("%w: %d row and %d column names for a %d x %d matrix", ErrShape, len(opt.RowNames), len(opt.ColumnNames), rows, cols)
	}
	tol := opt.Tol
	if !isFinite(tol) {
		return nil, fmt.Errorf("%w: tol is %v; it must be a finite number", ErrOption, tol)
	}
	if tol <= 0 {
		tol = rowTol(m.Info.Resolved.Tol)
	}
	p := &projection[F]{w: engine.NewTall[F](rows, m.K()), scale: make([]float64, m.K())}
	like, err := m.likeTheFit(rows, cols, &opt)
	if err != nil {
		return nil, err
	}
	if !like.plain() {
		if like, err = m.projectCells(ctx, x, p, like, tol); like == nil || err != nil {
			return p, err
		}
	}
	p.roots = like.takenOut()
	if p.data, p.unit, err = prepare(x, like); err != nil {
		return nil, err
	}
	asked, unitH, err := m.askedOfNew(rows, p.unit)
	if err != nil {
		return nil, err
	}
	p.setBasis(m, asked != nil, unitH)
	if _, err = p.data.Project(ctx, p.w, p.h, asked, tol, threads(o)); err != nil {
		p.close()
	}
	return p, err
}

// askedOfNew is what is asked of the weights of `rows` new samples that are
// divided by unit, and the part of the unit that H is divided by.
func (m *Model[F]) askedOfNew(rows int, unit float64) (asked *penalty.Factor, unitH float64, err error) {
	o := Options{PenaltyW: m.Info.Resolved.PenaltyW.ofNewSamples()}
	unitW, unitH, err := o.units(unit)
	if err != nil {
		return nil, 0, err
	}
	return o.PenaltyW.factor(rows, m.K(), m.H.Cols, unitW, unit*unit, false), unitH, nil
}

// basisNorm is the norm that row j of H had in the objective.
func (m *Model[F]) basisNorm(j int) float64 {
	if m.Info.BasisNorms == nil {
		return 1
	}
	return m.Info.BasisNorms[j]
}

// matchNames refuses new data whose features are not the model's. Where
// either has no names there is nothing to compare.
func matchNames(data, model []string) error {
	if data == nil || model == nil || len(data) != len(model) {
		return nil
	}
	for j, name := range data {
		if name != model[j] {
			return fmt.Errorf("%w: feature %d is %q in the data and %q in the model", ErrNames, j+1, name, model[j])
		}
	}
	return nil
}

// Reconstruct gives w·diag(Scales)·H (rows x n) for weights w (rows x k), such
// as m.W or what Transform returns. It is as large as the data: see
// ReconstructBlocks.
func (m *Model[F]) Reconstruct(w *matrix.Dense[F]) (*matrix.Dense[F], error) {
	out := matrix.NewDense[F](w.Rows, m.H.Cols)
	blocks, err := m.ReconstructBlocks(w, reconstructRows)
	if err != nil {
		return nil, err
	}
	for first, b := range blocks {
		copy(out.Data[first*out.Stride:], b.Data)
	}
	return out, nil
}

// reconstructRows is the number of rows that are multiplied out at a time.
const reconstructRows = 256

// ReconstructBlocks yields w·diag(Scales)·H by blocks of at most `rows` rows,
// with the index of each block's first row.
func (m *Model[F]) ReconstructBlocks(w *matrix.Dense[F], rows int) (iter.Seq2[int, *matrix.Dense[F]], error) {
	if w.Cols != m.K() {
		return nil, fmt.Errorf("%w: the weights have %d columns, the model %d components", ErrShape, w.Cols, m.K())
	}
	if rows < 1 {
		return nil, fmt.Errorf("%w: blocks of %d rows", ErrOption, rows)
	}
	return func(yield func(int, *matrix.Dense[F]) bool) {
		h := engine.Wide(m.H, m.Scales)
		for first := 0; first < w.Rows; first += rows {
			last := min(first+rows, w.Rows)
			part := &matrix.Dense[F]{Rows: last - first, Cols: w.Cols, Stride: w.Stride, Data: w.Data[first*w.Stride:]}
			if !yield(first, h.LeftTimes(part)) {
				return
			}
		}
	}, nil
}
