package report

import (
	"math"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/floats"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// residuals say where a model is wrong.
type residuals struct {
	rows, cols side
	// nonzero is the number of cells above zero, missing of those that are
	// missing from a dense X; squares is the sum of the squares of the matrix,
	// wrong that of what is left of it.
	nonzero        int
	missing        int
	squares, wrong float64
}

// side is the residual by row or by column.
type side struct {
	// squares are the sums of the squares of X, wrong those of X − WH.
	squares, wrong []float64
	// bias is the sum of X − WH: above zero where the model shows too little.
	bias []float64
}

func newSide(n int) side {
	return side{make([]float64, n), make([]float64, n), make([]float64, n)}
}

func (s *side) add(o *side) {
	floats.Add(s.squares, o.squares)
	floats.Add(s.wrong, o.wrong)
	floats.Add(s.bias, o.bias)
}

// errors gives the relative errors ‖x−wh‖/‖x‖; 1 where x is zero and its
// reconstruction is not.
func (s *side) errors() []float64 {
	out := make([]float64, len(s.wrong))
	for i, r := range s.wrong {
		switch {
		case s.squares[i] > 0:
			out[i] = math.Sqrt(r / s.squares[i])
		case r > 0:
			out[i] = 1
		}
	}
	return out
}

// shares gives the part of all squared residuals.
func (s *side) shares(total float64) []float64 {
	out := make([]float64, len(s.wrong))
	for i, r := range s.wrong {
		if total > 0 {
			out[i] = r / total
		}
	}
	return out
}

// parts is the number of pieces that the rows are summed in. It depends on
// nothing, so that sums have the same bits for any number of threads.
const parts = 32

// findResiduals goes over X once.
func findResiduals(m *nmf.Model[float64], x Matrix) *residuals {
	n := m.H.Cols
	r := &residuals{rows: newSide(m.W.Rows), cols: newSide(n)}
	base := scaledBasis(m)
	gram := gramOf(base)
	var pieces [parts]piece
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for p := range pieces {
		limit <- struct{}{}
		wg.Go(func() {
			pieces[p] = r.piece(m.Info.Resolved.Missing, m.W, base, gram, x, p*m.W.Rows/parts, (p+1)*m.W.Rows/parts)
			<-limit
		})
	}
	wg.Wait()
	zeros := newSide(n)
	s := matrix.NewDense[float64](m.K(), m.K())
	sums := make([]float64, m.K())
	for p := range pieces {
		r.cols.add(&pieces[p].cols)
		r.nonzero += pieces[p].nonzero
		r.missing += pieces[p].missing
		if pieces[p].gram != nil {
			floats.Add(s.Data, pieces[p].gram.Data)
			floats.Add(sums, pieces[p].sums)
		}
	}
	addSparseColumns(&zeros, base, s, sums)
	r.cols.add(&zeros)
	for j, v := range r.cols.wrong {
		r.cols.wrong[j] = max(0, v) // a difference of sums where X is sparse
	}
	r.squares, r.wrong = floats.Sum(r.rows.squares), floats.Sum(r.rows.wrong)
	return r
}

// piece is what some rows add to the sums over columns. gram and sums are those
// of W over its sparse rows.
type piece struct {
	cols             side
	gram             *matrix.Dense[float64]
	sums             []float64
	nonzero, missing int
}

// piece goes over the rows from r0 to r1. A dense row is reconstructed and
// compared. For a sparse one Σ(x−y)² = Σx² − 2Σxy + Σy², where x is not zero in
// the first two sums and the last is w·G·wᵀ, so that its cost is that of its
// stored cells; the columns take their Σy² from the Gram matrix of W. Missing
// cells, where nothing was asked of the model, are left out.
func (r *residuals) piece(missing string, w, base, gram *matrix.Dense[float64], x Matrix, r0, r1 int) piece {
	k, n := base.Rows, base.Cols
	p := piece{cols: newSide(n)}
	y := make([]float64, n)
	var buf RowBuffer
	var turned *matrix.Dense[float64]
	baseSums := make([]float64, k)
	for j := range k {
		baseSums[j] = floats.Sum(base.Row(j))
	}
	for i := r0; i < r1; i++ {
		row := w.Row(i)
		cols, vals := x.Row(i, &buf)
		if cols == nil {
			reconstruct(y, row, base)
			for j, v := range vals {
				if math.IsNaN(v) || v == 0 && missing == "zero" {
					p.missing++
					continue
				}
				if v != 0 {
					p.nonzero++
				}
				d := v - y[j]
				r.rows.cell(i, v, d)
				p.cols.cell(j, v, d)
			}
			continue
		}
		if turned == nil {
			turned = base.T()
		}
		if missing == "zero" || missing == "unstored" {
			for q, v := range vals {
				if math.IsNaN(v) || v == 0 && missing == "zero" {
					continue
				}
				if v != 0 {
					p.nonzero++
				}
				d := v - floats.Dot(row, turned.Row(int(cols[q])))
				r.rows.cell(i, v, d)
				p.cols.cell(int(cols[q]), v, d)
			}
			continue
		}
		if p.gram == nil {
			p.gram, p.sums = matrix.NewDense[float64](k, k), make([]float64, k)
		}
		for q, v := range vals {
			if v == 0 {
				continue
			}
			j := int(cols[q])
			if math.IsNaN(v) { // its reconstruction, in the sums over all cells, is not asked for
				y := floats.Dot(row, turned.Row(j))
				r.rows.wrong[i] -= y * y
				r.rows.bias[i] += y
				p.cols.wrong[j] -= y * y
				p.cols.bias[j] += y
				p.missing++
				continue
			}
			p.nonzero++
			xy := v * floats.Dot(row, turned.Row(j))
			r.rows.squares[i] += v * v
			r.rows.wrong[i] += v*v - 2*xy
			r.rows.bias[i] += v
			p.cols.squares[j] += v * v
			p.cols.wrong[j] += v*v - 2*xy
			p.cols.bias[j] += v
		}
		for a, wa := range row {
			if wa == 0 {
				continue
			}
			r.rows.wrong[i] += wa * floats.Dot(gram.Row(a), row)
			r.rows.bias[i] -= wa * baseSums[a]
			floats.AddScaled(p.gram.Row(a), wa, row)
			p.sums[a] += wa
		}
		r.rows.wrong[i] = max(0, r.rows.wrong[i])
	}
	return p
}

func (s *side) cell(i int, v, d float64) {
	s.squares[i] += v * v
	s.wrong[i] += d * d
	s.bias[i] += d
}

// addSparseColumns adds what the reconstruction of sparse rows, their zeros
// included, is in every column: Σy² = h·S·hᵀ with S = WᵀW, and −Σy.
func addSparseColumns(zeros *side, base, s *matrix.Dense[float64], sums []float64) {
	turned := base.T()
	for j := range base.Cols {
		h := turned.Row(j)
		for a, ha := range h {
			if ha != 0 {
				zeros.wrong[j] += ha * floats.Dot(s.Row(a), h)
			}
		}
		zeros.bias[j] -= floats.Dot(sums, h)
	}
}

// scaledBasis is diag(Scales)·H.
func scaledBasis(m *nmf.Model[float64]) *matrix.Dense[float64] {
	base := m.H.Clone()
	for j, s := range m.Scales {
		floats.Scale(s, base.Row(j))
	}
	return base
}

func gramOf(base *matrix.Dense[float64]) *matrix.Dense[float64] {
	g := matrix.NewDense[float64](base.Rows, base.Rows)
	for a := range base.Rows {
		for b := range base.Rows {
			g.Set(a, b, floats.Dot(base.Row(a), base.Row(b)))
		}
	}
	return g
}

// reconstruct writes w·base to y.
func reconstruct(y, w []float64, base *matrix.Dense[float64]) {
	clear(y)
	for j, v := range w {
		if v != 0 {
			floats.AddScaled(y, v, base.Row(j))
		}
	}
}
