package nmf_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// weighings are weights of rows and columns.
type weighing struct{ rows, cols []float64 }

// cells gives the weights as those of single cells, which no fit takes out.
func (w weighing) cells(rows, cols int) *matrix.Dense[float64] {
	d := matrix.NewDense[float64](rows, cols)
	for i := range rows {
		for j := range cols {
			d.Set(i, j, w.at(i, j))
		}
	}
	return d
}

func (w weighing) at(i, j int) float64 {
	v := 1.0
	if w.rows != nil {
		v *= w.rows[i]
	}
	if w.cols != nil {
		v *= w.cols[j]
	}
	return v
}

// loss is the weighted loss of a model by plain loops.
func (w weighing) loss(x, p *matrix.Dense[float64]) (sum float64) {
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			e := v - p.At(i, j)
			sum += w.at(i, j) * e * e / 2
		}
	}
	return sum
}

func weighings(rows, cols int) map[string]weighing {
	columns := ramp(cols + 3)[3:]
	return map[string]weighing{"rows": {rows: ramp(rows)}, "columns": {cols: columns}, "both": {ramp(rows), columns}}
}

// TestWeightsTakenOut: weights of rows and columns, which are taken out of the fit,
// have the loss and the minimum that the same weights have as those of cells, with
// what may be asked of the factors beside.
func TestWeightsTakenOut(t *testing.T) {
	const m, n, k = 26, 21, 2
	x := lowRank[float64](m, n, k, 0.3, 61)
	w, h := given(m, n, k, 62)
	asked := map[string]nmf.Options{
		"nothing": {},
		"of W":    {PenaltyW: nmf.Penalty{L2: 0.05, Simplex: true}},
		"of H":    {PenaltyH: nmf.Penalty{Smooth: 0.02, Simplex: true}},
		"held":    {PenaltyH: nmf.Penalty{Held: inOrderPart(h, []int{1})}},
	}
	for name, of := range weighings(m, n) {
		for what, o := range asked {
			for _, sparse := range []bool{false, true} {
				name := fmt.Sprintf("weights of %s, asked %s, sparse %v", name, what, sparse)
				o.W, o.H, o.MaxIter, o.Tol, o.LossTol = w, h, 500, 1e-8, -1
				taken, single := o, o
				taken.RowWeights, taken.ColumnWeights = of.rows, of.cols
				single.Weights = of.cells(m, n)
				a, b := fit(t, held(x, sparse), k, &taken), fit(t, held(x, sparse), k, &single)
				if math.Abs(a.Info.Loss-b.Info.Loss) > 1e-7*b.Info.Loss || math.Abs(a.Info.RelativeError-b.Info.RelativeError) > 1e-7 {
					t.Errorf("%s: loss %v, error %v; as weights of cells %v, %v", name, a.Info.Loss, a.Info.RelativeError, b.Info.Loss, b.Info.RelativeError)
				}
				if d := distance(product(b), product(a)); d > 1e-4 {
					t.Errorf("%s: the fit is %g from that by weights of cells", name, d)
				}
				if want := of.loss(x, product(a)); what == "nothing" && math.Abs(a.Info.Loss-want) > 1e-9*want {
					t.Errorf("%s: loss %v, recomputed %v", name, a.Info.Loss, want)
				}
			}
		}
	}
}

// TestNewDataWeights: Transform and Score of data whose weights are taken out give
// what they give with those weights as those of cells.
func TestNewDataWeights(t *testing.T) {
	t.Run("float32", func(t *testing.T) { newDataWeights[float32](t, 1e-4) })
	t.Run("float64", func(t *testing.T) { newDataWeights[float64](t, 1e-7) })
}

func newDataWeights[F matrix.Float](t *testing.T, tol float64) {
	const m, n, k = 45, 38, 3
	x := lowRank[F](m, n, k, 0.3, 63)
	for name, of := range weighings(m, n) {
		for _, o := range []nmf.Options{{}, {PenaltyW: nmf.Penalty{L2: 0.1}}} {
			o.RowWeights, o.ColumnWeights = of.rows, of.cols
			model := fit(t, x, k, &o)
			for _, sparse := range []bool{false, true} {
				name := fmt.Sprintf("weights of %s, l2 %v, sparse %v", name, o.PenaltyW.L2, sparse)
				taken := &nmf.TransformOptions{RowWeights: of.rows, ColumnWeights: of.cols, Tol: 1e-8}
				single := &nmf.TransformOptions{Weights: of.cells(m, n), Tol: 1e-8}
				a, err := model.Transform(t.Context(), held(x, sparse), taken)
				if err != nil {
					t.Fatal(err)
				}
				b, err := model.Transform(t.Context(), held(x, sparse), single)
				if err != nil {
					t.Fatal(err)
				}
				if d := distance(wide(b), wide(a)); d > tol {
					t.Errorf("%s: the weights of samples are %g from those by weights of cells", name, d)
				}
				if d := weightsApart(model.W, a); d > 1e-3 {
					t.Errorf("%s: the weights of the training rows are %g from the model's", name, d)
				}
				s, err := model.Score(t.Context(), held(x, sparse), taken)
				if err != nil {
					t.Fatal(err)
				}
				want, err := model.Score(t.Context(), held(x, sparse), single)
				if err != nil || math.Abs(s.Loss-want.Loss) > tol*want.Loss || math.Abs(s.RelativeError-want.RelativeError) > tol {
					t.Errorf("%s: score %+v, by weights of cells %+v, %v", name, s, want, err)
				}
			}
		}
	}
}

// TestWeightZero: rows and columns of weight 0 are those that are not there, whatever
// stands in them, and zero in the factors.
func TestWeightZero(t *testing.T) {
	const m, n, k = 40, 33, 3
	x := lowRank[float64](m, n, k, 0.3, 65)
	w, h := given(m, n, k, 66)
	of := weighing{ramp(m), ramp(n)}
	var rows, cols []int
	for i := range m {
		if i == 0 || i%9 == 5 {
			of.rows[i] = 0
		} else {
			rows = append(rows, i)
		}
	}
	for j := range n {
		if j%8 == 7 {
			of.cols[j] = 0
		} else {
			cols = append(cols, j)
		}
	}
	part := func(x *matrix.Dense[float64], rows, cols []int) *matrix.Dense[float64] {
		return inOrderPart(inOrderPart(x, rows).T(), cols).T()
	}
	left := weighing{pick(of.rows, rows), pick(of.cols, cols)}
	for _, o := range []nmf.Options{{W: w, H: h}, {Solver: "bpp", W: w, H: h}, {Solver: "mu", W: w, H: h}, {}, {Init: "nndsvda"}, {Solver: "mu", Runs: 3}, {Compression: "on"}} {
		for _, iterations := range []int{1, 30} {
			o.InnerSweeps = 1 // or as many as there are cells
			o.MaxIter, o.Tol, o.LossTol, o.RowWeights, o.ColumnWeights = iterations, -1, -1, of.rows, of.cols
			name := fmt.Sprintf("solver %q, init %q, given %v, compression %q, %d iterations", o.Solver, o.Init, o.W != nil, o.Compression, iterations)
			a := fit(t, x, k, &o)
			if want := of.loss(x, product(a)); math.Abs(a.Info.Loss-want) > 1e-9*want {
				t.Errorf("%s: loss %v, recomputed %v", name, a.Info.Loss, want)
			}
			for i := range m {
				if of.rows[i] == 0 && !allZero(a.W.Row(i)) {
					t.Errorf("%s: row %d of W is %v", name, i, a.W.Row(i))
				}
			}
			for l := range k {
				for j, v := range a.H.Row(l) {
					if of.cols[j] == 0 && v != 0 {
						t.Errorf("%s: H has %v for feature %d", name, v, j)
					}
				}
			}
			other := x.Clone()
			for i := range m {
				for j := range n {
					if of.at(i, j) == 0 {
						other.Set(i, j, 7*other.At(i, j)+float64(i))
					}
				}
			}
			if bits(fit(t, other, k, &o)) != bits(a) {
				t.Errorf("%s: what has no weight changes the bits", name)
			}
			if o.W == nil {
				continue // another start
			}
			o.W, o.H, o.RowWeights, o.ColumnWeights = inOrderPart(w, rows), inOrderPart(h.T(), cols).T(), left.rows, left.cols
			b := fit(t, part(x, rows, cols), k, &o)
			o.W, o.H = w, h
			if math.Abs(a.Info.Loss-b.Info.Loss) > 1e-6*b.Info.Loss {
				t.Errorf("%s: loss %v, of what is left %v", name, a.Info.Loss, b.Info.Loss)
			}
		}
	}
}

func pick(list []float64, which []int) (picked []float64) {
	for _, i := range which {
		picked = append(picked, list[i])
	}
	return picked
}

// inOrderPart gives some rows of x.
func inOrderPart(x *matrix.Dense[float64], rows []int) *matrix.Dense[float64] {
	p := matrix.NewDense[float64](len(rows), x.Cols)
	for to, from := range rows {
		copy(p.Row(to), x.Row(from))
	}
	return p
}

// TestWeightsBits: the bits do not depend on threads, on where X is and on what is
// fitted beside; weights that are 16 times as large give 16 times the loss and no
// other change.
func TestWeightsBits(t *testing.T) {
	t.Run("float32", func(t *testing.T) { weightsBits[float32](t) })
	t.Run("float64", func(t *testing.T) { weightsBits[float64](t) })
}

func weightsBits[F matrix.Float](t *testing.T) {
	x := lowRank[F](300, 90, 4, 0.2, 67)
	sparse := sparsePart(x.Clone())
	for name, of := range weighings(300, 90) {
		o := nmf.Options{MaxIter: 4, Init: "random", RowWeights: of.rows, ColumnWeights: of.cols, Threads: 1}
		for _, c := range []struct{ memory, disk matrix.Matrix[F] }{{x, streamed(x, nil)}, {sparse, matrix.StreamCSR(sparse, 128)}} {
			o.Threads = 1
			m := fit(t, c.memory, 4, &o)
			checkForm(t, m)
			checkTrace(t, m)
			o.Threads = 3
			if bits(fit(t, c.memory, 4, &o)) != bits(m) {
				t.Errorf("weights of %s, %T: 3 threads change the bits", name, c.memory)
			}
			if bits(fit(t, c.disk, 4, &o)) != bits(m) {
				t.Errorf("weights of %s, %T: other bits than in memory", name, c.disk)
			}
			models, err := nmf.FitEach(t.Context(), c.memory, []nmf.Start{{K: 3, Seed: 5}, {K: 4}}, &o)
			if err != nil || bits(models[1]) != bits(m) {
				t.Errorf("weights of %s, %T: other bits beside another fit, %v", name, c.memory, err)
			}
			missing := o
			missing.Missing = "nan"
			if bits(fit(t, c.memory, 4, &missing)) != bits(m) {
				t.Errorf("weights of %s, %T: other bits where cells could be missing", name, c.memory)
			}
			larger := o
			larger.RowWeights, larger.ColumnWeights = allOf(300, 16), of.cols
			if of.rows != nil {
				larger.RowWeights = multiplied(of.rows, 16)
			}
			b := fit(t, c.memory, 4, &larger)
			if bitsOf(wide[F](b.H)) != bitsOf(wide[F](m.H)) || bitsOf(wide[F](b.W)) != bitsOf(wide[F](m.W)) || b.Info.Loss != 16*m.Info.Loss {
				t.Errorf("weights of %s, %T: 16 times the weights have loss %v and other bits, of %v", name, c.memory, b.Info.Loss, m.Info.Loss)
			}
		}
	}
}

func multiplied(list []float64, by float64) (out []float64) {
	for _, v := range list {
		out = append(out, v*by)
	}
	return out
}

// TestWeightsOfOtherSide: weights of one side leave what belongs to the other side
// alone as it is: a given sparseness, rows that sum to one.
func TestWeightsOfOtherSide(t *testing.T) {
	x := lowRank[float64](50, 44, 3, 0.2, 69)
	for _, of := range []weighing{{cols: ramp(44)}, {rows: ramp(50)}} {
		o := nmf.Options{RowWeights: of.rows, ColumnWeights: of.cols, MaxIter: 40}
		p := nmf.Penalty{Sparseness: 0.6}
		if of.rows == nil {
			o.PenaltyW = p
		} else {
			o.PenaltyH = p
		}
		m := fit(t, x, 3, &o)
		if want := of.loss(x, product(m)); math.Abs(m.Info.Loss-want) > 1e-9*want {
			t.Errorf("loss %v, recomputed %v", m.Info.Loss, want)
		}
		factor := m.H.T()
		if of.rows == nil {
			factor = m.W
		}
		for l := range 3 {
			sum, squares := 0.0, 0.0
			for i := range factor.Rows {
				sum += factor.At(i, l)
				squares += factor.At(i, l) * factor.At(i, l)
			}
			root := math.Sqrt(float64(factor.Rows))
			if s := (root - sum/math.Sqrt(squares)) / (root - 1); math.Abs(s-0.6) > 1e-6 {
				t.Errorf("component %d has sparseness %v", l, s)
			}
		}
		o.PenaltyW, o.PenaltyH = o.PenaltyH, o.PenaltyW
		if _, err := nmf.Fit(t.Context(), x, 3, &o); !errors.Is(err, nmf.ErrOption) {
			t.Errorf("sparseness of the weighted side: %v", err)
		}
	}
}

// TestSpreadWithWeights: spread of one factor, with weights of the other side, is that
// of data that were multiplied by their roots; weights of its own side are refused.
func TestSpreadWithWeights(t *testing.T) {
	const m, n, k = 50, 44, 3
	x := lowRank[float64](m, n, k, 0.2, 69)
	w, h := given(m, n, k, 70)
	weights, scaled, start := make([]float64, m), x.Clone(), w.Clone()
	for i := range m {
		// Roots that are powers of two.
		weights[i] = []float64{1, 4, 0.25, 16}[i%4]
		root := math.Sqrt(weights[i])
		for j := range n {
			scaled.Set(i, j, x.At(i, j)*root)
		}
		for l := range k {
			start.Set(i, l, w.At(i, l)*root)
		}
	}
	p := nmf.Penalty{Spread: 3}
	with := nmf.Options{W: w, H: h, PenaltyH: p, RowWeights: weights, MaxIter: 60, Tol: -1, LossTol: -1}
	without := nmf.Options{W: start, H: h, PenaltyH: p, MaxIter: 60, Tol: -1, LossTol: -1}
	free := with
	free.PenaltyH = nmf.Penalty{}
	a, b, c := fit(t, x, k, &with), fit(t, scaled, k, &without), fit(t, x, k, &free)
	if math.Abs(a.Info.Loss-b.Info.Loss) > 1e-9*b.Info.Loss {
		t.Errorf("loss %v, of what was multiplied %v", a.Info.Loss, b.Info.Loss)
	}
	if math.Abs(a.Info.Loss-c.Info.Loss) < 1e-3*c.Info.Loss {
		t.Errorf("loss %v with spread, %v without", a.Info.Loss, c.Info.Loss)
	}
	fitted := product(a)
	for i := range m {
		for j := range n {
			fitted.Set(i, j, fitted.At(i, j)*math.Sqrt(weights[i]))
		}
	}
	if d := distance(product(b), fitted); d > 1e-9 {
		t.Errorf("the fit is %g from that of what was multiplied", d)
	}
	turned := nmf.Options{PenaltyW: p, RowWeights: weights}
	if _, err := nmf.Fit(t.Context(), x, k, &turned); !errors.Is(err, nmf.ErrOption) {
		t.Errorf("spread of the weighted side: %v", err)
	}
	single := nmf.Options{PenaltyH: p, Weights: weighing{rows: weights}.cells(m, n)}
	if _, err := nmf.Fit(t.Context(), x, k, &single); !errors.Is(err, nmf.ErrOption) {
		t.Errorf("spread with weights of cells: %v", err)
	}
}

// TestRunsWithWeights: several starts with weights are those starts alone.
func TestRunsWithWeights(t *testing.T) {
	const m, n, k, runs, seed = 60, 52, 3, 4, 11
	x := counts[float64](m, n, k, 3, 76)
	of := weighing{ramp(m), ramp(n)}
	for name, o := range map[string]nmf.Options{
		"of rows and columns, taken out": {RowWeights: of.rows, ColumnWeights: of.cols},
		"of cells":                       {Weights: of.cells(m, n)},
		"of cells, kl":                   {Weights: of.cells(m, n), Loss: "kl"},
		"of rows, kl":                    {RowWeights: of.rows, Loss: "kl"},
		"of rows, kl by mu":              {RowWeights: of.rows, Loss: "kl", Solver: "mu"},
	} {
		o.Init, o.MaxIter, o.Tol, o.LossTol = "random", 12, -1, -1
		for _, threads := range []int{1, 3} {
			together := o
			together.Runs, together.Seed, together.Threads = runs, seed, threads
			all := fit(t, x, k, &together)
			if len(all.Info.Runs) != runs {
				t.Fatalf("%s: %d runs", name, len(all.Info.Runs))
			}
			for i, run := range all.Info.Runs {
				alone := o
				alone.Seed, alone.Threads = seed+uint64(i), 1
				one := fit(t, x, k, &alone)
				if run.Loss != one.Info.Loss || run.KKT != one.Info.KKT || run.Iterations != one.Info.Iterations || run.Seed != alone.Seed {
					t.Errorf("weights %s, %d threads: run %d is %+v, alone %+v", name, threads, i, run, one.Info.Runs[0])
				}
				if i == all.Info.BestRun && (bitsOf(wide[float64](all.W)) != bitsOf(wide[float64](one.W)) || bitsOf(wide[float64](all.H)) != bitsOf(wide[float64](one.H))) {
					t.Errorf("weights %s, %d threads: the best run has other factors than alone", name, threads)
				}
			}
		}
	}
}

// TestWeightsRefused: weights and data that make no sense together.
func TestWeightsRefused(t *testing.T) {
	x := lowRank[float32](20, 15, 2, 0.2, 71)
	bad := x.Clone()
	bad.Set(3, 2, -1)
	for _, c := range []struct {
		x    *matrix.Dense[float32]
		of   weighing
		want error
	}{
		{x, weighing{rows: allOf(20, 1e80)}, nmf.ErrRange},
		{x, weighing{rows: allOf(20, 1e-300), cols: allOf(15, 1e-300)}, nmf.ErrEmpty},
		{x, weighing{rows: allOf(20, 0)}, nmf.ErrEmpty},
		{bad, weighing{rows: append(make([]float64, 5), allOf(15, 1)...)}, nmf.ErrNegative},
		{x, weighing{cols: append(allOf(14, 1), math.NaN())}, nmf.ErrOption},
	} {
		_, err := nmf.Fit(t.Context(), c.x, 2, &nmf.Options{RowWeights: c.of.rows, ColumnWeights: c.of.cols})
		if !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}

// TestPivotedCells: the solver bpp solves each row's own problem where cells are
// weighted or missing and the loss is robust: the loss falls to where that of hals
// does, with the same bits for any number of threads and wherever X is held.
func TestPivotedCells(t *testing.T) {
	const m, n, k = 70, 41, 3
	x := counts[float64](m, n, 3, 3, 73)
	holes := x.Clone()
	for i := 0; i < len(holes.Data); i += 3 {
		holes.Data[i] = math.NaN()
	}
	w, h := given(m, n, k, 74)
	for name, c := range map[string]struct {
		x *matrix.Dense[float64]
		o nmf.Options
	}{
		"weights": {x, nmf.Options{Weights: randomWeights(m, n, 9)}},
		"missing": {holes, nmf.Options{Missing: "nan"}},
		"huber":   {x, nmf.Options{Loss: "huber", Delta: 1}},
		"l1":      {x, nmf.Options{Loss: "l1"}},
		"smooth":  {holes, nmf.Options{Missing: "nan", PenaltyW: nmf.Penalty{L1: 0.01}, PenaltyH: nmf.Penalty{Smooth: 0.1}}},
	} {
		o := c.o
		o.Solver, o.W, o.H, o.MaxIter, o.Tol, o.LossTol, o.Threads = "bpp", w, h, 150, 1e-6, -1, 1
		a := fit(t, c.x, k, &o)
		checkForm(t, a)
		if name != "smooth" {
			checkTrace(t, a) // the error is without penalties
		}
		o.Solver = "hals"
		if b := fit(t, c.x, k, &o); math.Abs(a.Info.Loss-b.Info.Loss) > 0.02*b.Info.Loss {
			t.Errorf("%s: loss %v, by hals %v", name, a.Info.Loss, b.Info.Loss)
		}
		o.Solver, o.MaxIter = "bpp", 8
		want := fit(t, c.x, k, &o)
		o.Threads = 5
		if bits(fit(t, c.x, k, &o)) != bits(want) {
			t.Errorf("%s: 5 threads change the bits", name)
		}
		if o.Missing == "" {
			if m := fit(t, held(c.x, true), k, &o); math.Abs(m.Info.Loss-want.Info.Loss) > 1e-7*want.Info.Loss {
				t.Errorf("%s: loss %v of sparse data, %v of dense", name, m.Info.Loss, want.Info.Loss)
			}
		}
		if o.Missing == "" && o.Weights == nil && bits(fit(t, streamedBoth(c.x), k, &o)) != bits(want) {
			t.Errorf("%s: other bits than in memory", name)
		}
	}
}

// TestNothingCounts: a sample none of whose cells counts has no part of a component,
// and a feature none of whose cells counts is in none, whatever the loss and the solver.
func TestNothingCounts(t *testing.T) {
	x := counts[float64](30, 24, 3, 3, 75)
	for i := range x.Data {
		x.Data[i]++
	}
	for i := range 24 {
		x.Set(4, i, math.NaN())
	}
	for i := range 30 {
		x.Set(i, 7, math.NaN())
	}
	for _, o := range lossCases() {
		o.Missing, o.MaxIter = "nan", 10
		for _, o.Solver = range []string{"", "mu"} {
			for _, o.TargetError = range []float64{0, 0.999} {
				m := fit(t, x, 3, &o)
				checkForm(t, m)
				w, err := m.Transform(t.Context(), x, nil)
				if err != nil || !allZero(m.W.Row(4)) || !allZero(w.Row(4)) {
					t.Errorf("%s %v, solver %q: the model has %v, Transform %v, %v", o.Loss, o.Beta, o.Solver, m.W.Row(4), w.Row(4), err)
				}
				if h := m.H.T().Row(7); !allZero(h) {
					t.Errorf("%s %v, solver %q, target %v: feature 7 has %v", o.Loss, o.Beta, o.Solver, o.TargetError, h)
				}
			}
		}
	}
}
