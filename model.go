package nmf

import (
	"math"
	"slices"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// Iteration is one line of a trace: loss, relative error, KKT residual and
// seconds after an iteration.
type Iteration = engine.Iteration

// Status says why a fit ended. It is a value, not an error: a cancelled fit
// has a model too.
type Status = engine.Status

const (
	// Converged: the KKT residual is at most Options.Tol, or the relative
	// error at most Options.TargetError.
	Converged = engine.Converged
	// Stalled: the loss no longer falls by Options.LossTol an iteration.
	Stalled = engine.Stalled
	// IterationLimit: Options.MaxIter iterations are done.
	IterationLimit = engine.IterationLimit
	// Cancelled: the context ended; the model is the best so far.
	Cancelled = engine.Cancelled
)

// Model is a factorization X ≈ W·diag(Scales)·H.
type Model[F matrix.Float] struct {
	// W is m x k: row i says how much of each component sample i holds. Its
	// columns have unit L1 norm. Where a bound, a simplex or held entries fix the
	// scale of a factor, W and H are as they are and Scales are 1.
	W *matrix.Dense[F]
	// H is k x n: row j is component j. Its rows have unit L1 norm.
	H *matrix.Dense[F]
	// Scales holds the sum over all cells of each component's part of the fit,
	// falling. A dead component has scale 0, a zero column in W and a zero row
	// in H.
	Scales []float64
	// RowNames and ColumnNames are those of the samples and the features; nil
	// where there are none.
	RowNames, ColumnNames []string
	// Info is how the model came to be.
	Info Info
	// online is what learning goes on from; nil where the model was not learnt
	// online.
	online *onlineState[F]
}

// Info is what model.json in a model file holds.
type Info struct {
	// FormatVersion is the version of the model file's layout.
	FormatVersion int `json:"format_version"`
	// Version is the version of nmf that made the model, SIMD its kernels.
	Version string `json:"version"`
	SIMD    string `json:"simd"`
	// Precision is "f32" or "f64".
	Precision string `json:"precision"`
	Rows      int    `json:"rows"`
	Columns   int    `json:"columns"`
	// StoredCells is the number of cells that X stored: all of a dense X.
	StoredCells int `json:"stored_cells"`
	K           int `json:"k"`
	// LossName is Options.Loss. Loss is that over the cells that count, and
	// penalties. RelativeError is ‖X−WH‖_F/‖X‖_F, weighted where cells are, for
	// the Frobenius loss; for other losses it is the root of the loss without
	// penalties over that of the mean of X, or over that of zero for the losses
	// "huber" and "l1".
	LossName      string  `json:"loss_name"`
	Loss          float64 `json:"loss"`
	RelativeError float64 `json:"relative_error"`
	// KKT is the KKT residual (see Options.Tol) of the model's factors.
	KKT        float64 `json:"kkt"`
	Iterations int     `json:"iterations"`
	Status     Status  `json:"status"`
	Seconds    float64 `json:"seconds"`
	// Options are as given, Resolved with every choice made.
	Options  Options `json:"options"`
	Resolved Options `json:"resolved"`
	// Runs lists all starts; BestRun is the index of the one that was kept.
	Runs    []RunInfo `json:"runs"`
	BestRun int       `json:"best_run"`
	// BasisNorms are the L1 norms that the rows of H had in the objective, where
	// penalties make them matter.
	BasisNorms []float64 `json:"basis_norms,omitempty"`
	// Dispersions are the estimated α of the features, for the loss
	// "negbinomial" with one for each.
	Dispersions []float64 `json:"dispersions,omitempty"`
	// Compression is nil where there was none.
	Compression *Compression `json:"compression,omitempty"`
	// Online is nil where the model was not learnt online.
	Online *OnlineInfo `json:"online,omitempty"`
	// Warnings are things that the user should know about the data or the
	// fit.
	Warnings []string `json:"warnings,omitempty"`
	// Trace is of the run that was kept.
	Trace []Iteration `json:"trace,omitempty"`
}

// RunInfo is what became of one start.
type RunInfo struct {
	Seed          uint64  `json:"seed"`
	Loss          float64 `json:"loss"`
	RelativeError float64 `json:"relative_error"`
	KKT           float64 `json:"kkt"`
	Iterations    int     `json:"iterations"`
	Status        Status  `json:"status"`
}

// K is the number of components.
func (m *Model[F]) K() int { return len(m.Scales) }

// Shares gives every component's share of the sum over the fit's cells.
func (m *Model[F]) Shares() []float64 {
	total := 0.0
	for _, s := range m.Scales {
		total += s
	}
	shares := make([]float64, len(m.Scales))
	if total > 0 {
		for j, s := range m.Scales {
			shares[j] = s / total
		}
	}
	return shares
}

// normalize turns a pair of tall factors (W is m x k, H is n x k) into the
// model's form: unit L1 norms, scales falling. The columns of W and H have the
// sums sumW and sumH; w may be a part of the rows. basisNorms are the norms that
// the rows of H had.
func normalize[F matrix.Float](w, h *engine.Tall[F], sumW, sumH []float64, threads int) (wn, hn *matrix.Dense[F], scales, basisNorms []float64) {
	k := w.K
	order := make([]int, k)
	scale := make([]float64, k)
	for j := range k {
		order[j] = j
		scale[j] = sumW[j] * sumH[j]
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scale[a] > scale[b]:
			return -1
		case scale[a] < scale[b]:
			return 1
		}
		return 0
	})
	wn, hn = matrix.NewDense[F](w.Rows, k), matrix.NewDense[F](k, h.Rows)
	scales, basisNorms = make([]float64, k), make([]float64, k)
	for to, from := range order {
		if scale[from] != 0 {
			scales[to], basisNorms[to] = scale[from], sumH[from]
		}
	}
	engine.EachStrip(w.Rows, threads, func(i0, i1 int) {
		for i := i0; i < i1; i++ {
			from, row := w.Row(i), wn.Row(i)
			for to, j := range order {
				if scale[j] != 0 {
					row[to] = F(float64(from[j]) / sumW[j])
				}
			}
		}
	})
	engine.EachStrip(h.Rows, threads, func(i0, i1 int) {
		for to, j := range order {
			if scale[j] == 0 {
				continue
			}
			row := hn.Row(to)
			for i := i0; i < i1; i++ {
				row[i] = F(float64(h.Row(i)[j]) / sumH[j])
			}
		}
	})
	return wn, hn, scales, basisNorms
}

// asTheyAre gives the factors times their units, with scales of one: where a
// constraint fixes their scale.
func asTheyAre[F matrix.Float](w, h *engine.Tall[F], unitW, unitH float64) (wn, hn *matrix.Dense[F], scales []float64) {
	wn, hn, scales = matrix.NewDense[F](w.Rows, w.K), matrix.NewDense[F](w.K, h.Rows), make([]float64, w.K)
	for i := range w.Rows {
		for j, v := range w.Row(i) {
			wn.Set(i, j, F(float64(v)*unitW))
		}
	}
	for i := range h.Rows {
		for j, v := range h.Row(i) {
			hn.Set(j, i, F(float64(v)*unitH))
		}
	}
	for j := range scales {
		scales[j] = 1
	}
	return wn, hn, scales
}

func columnSums[F matrix.Float](t *engine.Tall[F]) []float64 {
	sums := make([]float64, t.K)
	for i := range t.Rows {
		for j, v := range t.Row(i) {
			sums[j] += float64(v)
		}
	}
	return sums
}

// Factors gives W (m x k) and H (k x n) with X ≈ W·H as a fit can start at
// (Options.W and Options.H): with the scales that they had in the objective
// where those matter (Info.BasisNorms), else with the scales shared equally.
func (m *Model[F]) Factors() (w, h *matrix.Dense[float64]) {
	w, h = matrix.NewDense[float64](m.W.Rows, m.K()), matrix.NewDense[float64](m.K(), m.H.Cols)
	for l, s := range m.Scales {
		ofH := math.Sqrt(s)
		if m.Info.BasisNorms != nil {
			ofH = m.Info.BasisNorms[l]
		}
		if s == 0 || ofH == 0 {
			continue
		}
		for i := range w.Rows {
			w.Set(i, l, float64(m.W.At(i, l))*s/ofH)
		}
		for j, v := range m.H.Row(l) {
			h.Set(l, j, float64(v)*ofH)
		}
	}
	return w, h
}

// isFinite reports whether v is neither NaN nor infinite.
func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
