package rank

import (
	"context"
	"math"
	"slices"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

// mostBlockCells bounds the cells of a held-out block that are predicted.
const mostBlockCells = 1 << 20

// biCross makes one repeat of bi-cross-validation for all k (Owen & Perry 2009,
// section 4): samples and features are divided into halves by chance, and each
// of the four blocks A that they make is predicted from the others,
//
//	X = | A B |   D ≈ W_D·H_D,  W_A: B ≈ W_A·H_D,  H_A: C ≈ W_D·H_A,  Â = W_A·H_A,
//	    | C D |
//
// where the non-negative projections are Transform's. The error is the loss of Â
// over that of the mean of the other blocks, all four blocks together. NaN where
// D has fewer samples or features than k.
func (s *sweep[F]) biCross(ctx context.Context, repeat int) (map[int]float64, error) {
	m, n := s.x.Dims()
	rows, columns := halves(m, s.o.Fit.Seed, 2*repeat), halves(n, s.o.Fit.Seed, 2*repeat+1)
	total, base := map[int]float64{}, map[int]float64{}
	for a := range 4 {
		r1, r2 := rows[a/2], rows[1-a/2]
		c1, c2 := columns[a%2], columns[1-a%2]
		b := &block[F]{x: s.x, rows: r1, columns: c1, seed: s.o.Fit.Seed + uint64(4*repeat+a), mean: s.meanOutside(r1, c1)}
		o := s.o.Fit
		o.RowNames, o.ColumnNames, o.RowWeights, o.ColumnWeights = nil, nil, nil, nil
		var ks []int
		for _, k := range s.o.K {
			if k <= min(len(r2), len(c2)) {
				ks = append(ks, k)
			}
		}
		models, err := s.fitSome(ctx, takeBlock(s.x, r2, c2), ks, &o, s.o.Fit.Seed+uint64(repeat))
		if err != nil {
			return nil, err
		}
		b.left = takeBlock(s.x, r1, c2)
		b.above = matrix.Transpose(takeBlock(s.x, r2, c1))
		b.chooseCells()
		for k, model := range models {
			loss, null, err := b.predict(ctx, model, s.o.Fit.Threads)
			if err != nil {
				return nil, err
			}
			total[k] += loss
			base[k] += null
		}
	}
	out := map[int]float64{}
	for k := range total {
		if base[k] > 0 {
			out[k] = total[k] / base[k]
		}
	}
	return out, nil
}

// halves divides n indices by chance into two lists, each rising.
func halves(n int, seed uint64, index int) [2][]int {
	order := stream(seed, forBlocks, index).Perm(n)
	a, b := order[:n/2], order[n/2:]
	slices.Sort(a)
	slices.Sort(b)
	return [2][]int{a, b}
}

// meanOutside is the mean of the cells that are not in a block.
func (s *sweep[F]) meanOutside(rows, columns []int) float64 {
	inside := 0.0
	b := takeBlock(s.x, rows, columns)
	for i := range rows {
		for _, v := range storedRow(b, i) {
			inside += float64(v)
		}
	}
	return (s.cells.sum - inside) / (s.cells.count - float64(len(rows)*len(columns)))
}

// block is a held-out block A with what its prediction needs.
type block[F matrix.Float] struct {
	x             matrix.Matrix[F]
	rows, columns []int
	seed          uint64
	mean          float64
	// left is B, above is Cᵀ.
	left, above matrix.Matrix[F]
	// cells are those that are predicted, row by row; base, unless 0, is the loss of
	// their mean where it has no parameter that a fit estimates.
	cells []blockCells
	base  float64
}

// predict gives the loss of the block as the model of D predicts it, and that of
// the mean.
func (b *block[F]) predict(ctx context.Context, model *nmf.Model[F], threads int) (total, base float64, err error) {
	l, err := lossOf(&model.Info)
	if err != nil {
		return 0, 0, err
	}
	o := &nmf.TransformOptions{Threads: threads}
	model.RowNames, model.ColumnNames = nil, nil
	w, err := model.Transform(ctx, b.left, o)
	if err != nil {
		return 0, 0, err
	}
	turned := &nmf.Model[F]{W: model.H.T(), H: model.W.T(), Scales: model.Scales, Info: model.Info}
	turned.Info.Rows, turned.Info.Columns = model.Info.Columns, model.Info.Rows
	if norms := model.Info.BasisNorms; norms != nil {
		turned.Info.BasisNorms = make([]float64, len(norms))
		for j, of := range norms {
			if of > 0 {
				turned.Info.BasisNorms[j] = model.Scales[j] / of
			}
		}
	}
	for _, r := range []*nmf.Options{&turned.Info.Resolved, &turned.Info.Options} {
		r.PenaltyW, r.PenaltyH = r.PenaltyH, r.PenaltyW
	}
	v, err := turned.Transform(ctx, b.above, o)
	if err != nil {
		return 0, 0, err
	}
	least := floor * b.mean
	// Each side has the root of the scales, so that neither leaves the range of F.
	ops, ld := kernel.For[F](), kernel.Pad[F](model.K())
	weights, right, predicted := make([]F, ld), make([]F, v.Rows*ld), make([]F, v.Rows)
	for j, s := range model.Scales {
		root := math.Sqrt(s)
		for c := range v.Rows {
			right[c*ld+j] = F(float64(v.At(c, j)) * root)
		}
	}
	for p, cells := range b.cells {
		for j, s := range model.Scales {
			weights[j] = F(float64(w.At(p, j)) * math.Sqrt(s))
		}
		y := predicted[:len(cells.columns)]
		ops.Dots(ld, cells.columns, right, ld, weights, y)
		for q, c := range cells.columns {
			total += l.Value(cells.values[q], max(float64(y[q]), least), b.columns[c])
		}
	}
	// Other losses have parameters of the fit's own.
	if l.Kind != loss.Beta || b.base == 0 {
		b.base = 0
		for _, cells := range b.cells {
			for q, c := range cells.columns {
				b.base += l.Value(cells.values[q], b.mean, b.columns[c])
			}
		}
	}
	return total, b.base, nil
}

// blockCells are the cells of a row of a block that are predicted: their columns, which
// rise, and their values.
type blockCells struct {
	columns []int32
	values  []float64
}

// chooseCells draws the cells to predict.
func (b *block[F]) chooseCells() {
	perRow := len(b.columns)
	if len(b.rows)*perRow > mostBlockCells {
		perRow = max(1, mostBlockCells/len(b.rows))
	}
	b.cells = make([]blockCells, len(b.rows))
	for p, i := range b.rows {
		cells := &b.cells[p]
		cells.columns, cells.values = make([]int32, 0, perRow), make([]float64, 0, perRow)
		for _, q := range distinct(stream(b.seed, forBlocks, p), len(b.columns), perRow) {
			cells.columns, cells.values = append(cells.columns, int32(q)), append(cells.values, at(b.x, i, b.columns[q]))
		}
	}
}
