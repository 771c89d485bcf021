package nmf

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/solver"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

// Options says how to fit. Nil and the zero value are the defaults.
type Options struct {
	// Loss is what is minimised, beside penalties: "frobenius", the default,
	// ½‖X−WH‖²; "kl", the generalised Kullback-Leibler divergence
	// Σ x·ln(x/y) − x + y with y = (WH)_ij, for counts (Poisson; Lee & Seung
	// 1999); "is", Itakura & Saito's Σ x/y − ln(x/y) − 1, for power spectra;
	// "beta", the β-divergence of Options.Beta (Févotte & Idier 2011), of which
	// those are β = 2, 1, 0; "tweedie", the same by the power of the variance,
	// β = 2 − Power; "negbinomial", counts with more spread than Poisson's;
	// "huber" and "l1", robust against single wrong cells. See docs/losses.md.
	Loss string `json:"loss"`
	// Beta is the β of the loss "beta", Power the p of "tweedie".
	Beta  float64 `json:"beta,omitempty"`
	Power float64 `json:"power,omitempty"`
	// Dispersion is the α of the loss "negbinomial", whose variance is y + α·y²;
	// 0 estimates it, one for all of X or, with DispersionBy "feature", one for
	// each feature. DispersionBy is "global", the default, or "feature".
	Dispersion   float64 `json:"dispersion,omitempty"`
	DispersionBy string  `json:"dispersion_by,omitempty"`
	// Delta is where the loss "huber" turns from a square to a straight line, in
	// units of X. 0 takes 1.345 times a robust estimate of the residual's
	// spread.
	Delta float64 `json:"delta,omitempty"`
	// Missing says which cells of X are missing, so that nothing is asked of WH
	// there: "error", the default: none, a NaN is an error; "nan": those that
	// are NaN; "zero": those that are zero; "unstored": those that a sparse X
	// does not store (ratings).
	Missing string `json:"missing,omitempty"`
	// Mask lists further missing cells, such as those held out.
	Mask *matrix.Mask `json:"-"`
	// MaskOf is a Mask as a matrix of X's shape, of any kind of this module's, whose
	// cells that are not zero are missing: it may be read block by block, as X.
	MaskOf Weights `json:"-"`
	// Weights multiply the loss of each cell: a *matrix.Dense or *matrix.CSR of
	// X's shape, or one that is read block by block, as X, float32 or float64, of finite numbers that are not negative. A
	// cell of weight 0, or that a sparse Weights does not store, is missing.
	// With uncertainties σ they are 1/σ² (Paatero & Tapper 1994).
	Weights Weights `json:"-"`
	// RowWeights (m) and ColumnWeights (n) multiply the loss of each row and
	// column. With the loss "frobenius" of complete cells they cost nothing: X is
	// fitted times their roots, and Tol is of that. A row or a column of weight 0 is
	// zero in its factor. See docs/losses.md.
	RowWeights    []float64 `json:"-"`
	ColumnWeights []float64 `json:"-"`
	// PenaltyW and PenaltyH are penalties and constraints on the factors.
	PenaltyW Penalty `json:"penalty_w,omitzero"`
	PenaltyH Penalty `json:"penalty_h,omitzero"`
	// Solver is the row update: "hals" (hierarchical alternating least
	// squares, Cichocki & Phan 2009, with the repeated inner sweeps of Gillis
	// & Glineur 2012), "bpp" (exact non-negative least squares by block
	// principal pivoting, Kim & Park 2011), "mu" (multiplicative updates, Lee
	// & Seung 2001), "newton" (scaled Newton steps, for losses that are not
	// quadratic), or "auto", the default, which is "hals" for the losses
	// "frobenius", "huber" and "l1" and "newton" for others; online, "mu" for the
	// loss "kl" and rows of few stored cells. See docs/losses.md.
	Solver string `json:"solver"`
	// Init makes the start: "random" (|N(0,1)| scaled to the mean of X),
	// "nndsvd", "nndsvda", "nndsvdar" (Boutsidis & Gallopoulos 2008, on a
	// randomized SVD), "spa" (k samples of X that are far apart, by successive
	// projection, Gillis & Vavasis 2014: for data where every component has a
	// sample of its own), or "auto", the default: "nndsvd" for a single run of
	// "hals" or "bpp" with k at most the smaller side of X and no held entries,
	// "random" otherwise.
	// ("nndsvda" fills zeros with the mean of X, so that its start depends on
	// the unit that X is measured in.)
	Init string `json:"init"`
	// Seed of all random numbers.
	Seed uint64 `json:"seed"`
	// Runs is the number of starts; the one with the lowest loss is kept. Run
	// i uses the seed Seed+i, so that it can be repeated alone. Default 1.
	Runs int `json:"runs"`
	// MaxIter bounds the iterations of a run. Default 500.
	MaxIter int `json:"max_iter"`
	// Tol ends a run when its KKT residual is at most this: for each factor
	// ‖projected gradient‖_F / ‖cross product‖_F, columns of W and rows of H
	// balanced to equal norms, the larger of the two. The projected gradient
	// of W is (WH−X)Hᵀ, where W is zero only its negative part; the cross
	// product is XHᵀ; likewise for H. Balancing makes the number independent
	// of how scale is shared between the factors, and dividing by the cross
	// product makes it independent of the scale of X: it certifies any pair.
	// Default 1e-4; negative: never.
	Tol float64 `json:"tol"`
	// LossTol ends a run when the loss fell by less than this part of itself
	// an iteration, on average over five. Default 1e-6; negative: never.
	LossTol float64 `json:"loss_tol"`
	// TargetError ends a run when the relative error (Info.RelativeError) is at
	// most this, with the W that it has then. Default 0: never.
	TargetError float64 `json:"target_error,omitempty"`
	// InnerSweeps is the number of times that "hals" and "mu" repeat their
	// update on the same cross products; "hals" stops earlier where it gains
	// little. 0, the default, chooses from the counts of operations.
	InnerSweeps int `json:"inner_sweeps"`
	// NoExtrapolation switches off the momentum (Ang & Gillis 2019) of "hals"
	// and "bpp", and the beginning of a large X with some of its rows: what is left are
	// the textbook's half-steps from the start.
	NoExtrapolation bool `json:"no_extrapolation,omitempty"`
	// Compression iterates first on a randomized low-rank sketch of a dense X
	// (Tepper & Sapiro 2016; Erichson et al. 2018) and then on X itself, so
	// that every reported number is that of X: "on", "off", or "auto", the
	// default, which does it where X is large and both its sides are many
	// times k, the loss is Frobenius and weights are at most of rows and columns.
	Compression string `json:"compression"`
	// Memory bounds the bytes that Fit holds, X included, by iterating fewer
	// runs at a time; the result does not depend on it. Where one run at a time
	// is too much, Fit refuses and says what it needs. Default 0: no bound.
	Memory int `json:"memory,omitempty"`
	// Online, unless nil, learns batch by batch instead of iterating over all of
	// X: see OnlineOptions, and type Online for rows that come in a stream. For
	// the β-divergences of complete data, without penalties.
	Online *OnlineOptions `json:"online,omitempty"`
	// Threads bounds the goroutines. The result does not depend on it.
	// Default GOMAXPROCS.
	Threads int `json:"threads"`
	// Grid is for FitRows, and says in how many parts it divides the rows and
	// the columns of X: their product is the number of ranks. The zero value
	// chooses the one that communicates least. Fit takes no notice of it.
	Grid [2]int `json:"grid,omitzero"`

	// W (m x k) and H (k x n) are a given start. They may have fewer components
	// than k, and NaN for what is not given: the rest comes from Init. With all
	// of both given, Init is not used and Runs must be 1.
	W, H *matrix.Dense[float64] `json:"-"`
	// RowNames and ColumnNames go into the model and into errors. Nil, or as
	// many as X has.
	RowNames, ColumnNames []string `json:"-"`
	// Checkpoint, unless nil, keeps the state of the fit in a folder, so that it
	// can be resumed. Of Fit and FitRows, not
	// where rows are learnt online; the model does not remember it.
	Checkpoint *Checkpoint `json:"-"`
	// Progress, unless nil, is called from one goroutine after every accepted
	// iteration of every run, once its KKT residual is known: one pass later.
	Progress func(Progress) `json:"-"`
}

// Progress is what Options.Progress gets.
type Progress struct {
	// Run counts from 0.
	Run, Runs int
	MaxIter   int
	// Rows is the number of rows that have been learnt, with Options.Online; an
	// iteration is then a batch, its loss that of the batch's rows before H
	// learnt of them, its KKT residual is not known, and MaxIter is 0.
	Rows int
	Iteration
}

const (
	auto           = "auto"
	on             = "on"
	off            = "off"
	defaultMaxIter = 500
	defaultTol     = 1e-4
	defaultLossTol = 1e-6
	mostRuns       = 1_000_000
)

// Solvers and Inits list the values of Options.Solver and Options.Init.
func Solvers() []string { return append(append([]string{auto}, solver.Names()...), newton) }
func Inits() []string   { return append([]string{auto}, start.Names()...) }

// resolve fills in defaults and checks everything that does not need X's
// values. The result has no "auto" in it.
func (o *Options) resolve(m, n, k int) (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if k < 1 {
		return r, fmt.Errorf("%w: k is %d; it must be at least 1", ErrOption, k)
	}
	if err := r.resolveLoss(m, n); err != nil {
		return r, err
	}
	if r.Solver == "" || r.Solver == auto {
		r.Solver = "hals"
	}
	able := Solvers()
	if r.plain() {
		able = append([]string{auto}, solver.Names()...)
	}
	if err := oneOf("solver", r.Solver, able); err != nil {
		return r, err
	}
	if r.Compression == "" {
		r.Compression = auto
	}
	if err := oneOf("compression", r.Compression, []string{auto, on, off}); err != nil {
		return r, err
	}
	r.Runs = defaulted(r.Runs, 1)
	r.MaxIter = defaulted(r.MaxIter, defaultMaxIter)
	r.Threads = defaulted(r.Threads, runtime.GOMAXPROCS(0))
	r.Tol = defaulted(r.Tol, defaultTol)
	r.LossTol = defaulted(r.LossTol, defaultLossTol)
	given := complete(r.W, m, k) && complete(r.H, k, n)
	switch {
	case given:
		r.Init = givenInit
	case r.Init == "" || r.Init == auto:
		r.Init = "random"
		if r.Runs == 1 && k <= min(m, n) && r.Solver != "mu" && r.PenaltyW.Held == nil && r.PenaltyH.Held == nil {
			r.Init = "nndsvd"
		}
	}
	if !given {
		if err := oneOf("init", r.Init, Inits()); err != nil {
			return r, err
		}
	}
	if r.Solver == "mu" || r.leavesConstraints() {
		r.NoExtrapolation = true
	}
	for _, c := range []struct {
		name string
		bad  bool
		what any
		want string
	}{
		{"runs", r.Runs < 1 || r.Runs > mostRuns, r.Runs, fmt.Sprintf("between 1 and %d", mostRuns)},
		{"runs", given && r.Runs != 1, r.Runs, "1 where W and H are given"},
		{"max_iter", r.MaxIter < 1, r.MaxIter, "at least 1"},
		{"threads", r.Threads < 1, r.Threads, "at least 1"},
		{"memory", r.Memory < 0, r.Memory, "at least 0"},
		{"inner_sweeps", r.InnerSweeps < 0, r.InnerSweeps, "at least 0"},
		{"tol", !isFinite(r.Tol), r.Tol, "a finite number"},
		{"loss_tol", !isFinite(r.LossTol), r.LossTol, "a finite number"},
		{"target_error", !(r.TargetError >= 0 && r.TargetError < 1), r.TargetError, "in [0, 1)"},
	} {
		if c.bad {
			return r, fmt.Errorf("%w: %s is %v; it must be %s", ErrOption, c.name, c.what, c.want)
		}
	}
	if r.RowNames != nil && len(r.RowNames) != m {
		return r, fmt.Errorf("%w: %d row names for %d rows", ErrShape, len(r.RowNames), m)
	}
	if r.ColumnNames != nil && len(r.ColumnNames) != n {
		return r, fmt.Errorf("%w: %d column names for %d columns", ErrShape, len(r.ColumnNames), n)
	}
	if err := r.checkPenalties(m, n, k); err != nil {
		return r, err
	}
	if err := r.resolveOnline(n, k); err != nil {
		return r, err
	}
	if err := checkStart("W", r.W, m, k, false); err != nil {
		return r, err
	}
	return r, checkStart("H", r.H, k, n, true)
}

// complete reports whether a start is given whole.
func complete(a *matrix.Dense[float64], rows, cols int) bool {
	if a == nil || a.Rows != rows || a.Cols != cols {
		return false
	}
	ops := kernel.For[float64]()
	for i := range rows {
		row := a.Row(i)
		if _, _, _, ok := ops.Scan(row); !ok && slices.ContainsFunc(row, math.IsNaN) {
			return false
		}
	}
	return true
}

// defaulted gives v, or the default where v is zero.
func defaulted[T int | float64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

func oneOf(name, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return fmt.Errorf("%w: %s %q is unknown; it is one of %s", ErrOption, name, value, strings.Join(values, ", "))
}

// checkStart looks at a given start. turned says that its components are its
// rows.
func checkStart(name string, a *matrix.Dense[float64], rows, cols int, turned bool) error {
	if a == nil {
		return nil
	}
	fits, want := a.Rows == rows && a.Cols >= 1 && a.Cols <= cols, fmt.Sprintf("%d x up to %d", rows, cols)
	if turned {
		fits, want = a.Cols == cols && a.Rows >= 1 && a.Rows <= rows, fmt.Sprintf("up to %d x %d", rows, cols)
	}
	if !fits {
		return fmt.Errorf("%w: the given %s is %d x %d; it must be %s", ErrShape, name, a.Rows, a.Cols, want)
	}
	ops := kernel.For[float64]()
	for i := range a.Rows {
		if _, _, _, ok := ops.Scan(a.Row(i)); ok {
			continue
		}
		for j, v := range a.Row(i) {
			switch {
			case math.IsInf(v, 0):
				return fmt.Errorf("the given %s: %w", name, &CellError{Row: i, Column: j, Value: v, Err: ErrNotFinite})
			case v < 0:
				return fmt.Errorf("the given %s: %w", name, &CellError{Row: i, Column: j, Value: v, Err: ErrNegative})
			}
		}
	}
	return nil
}
