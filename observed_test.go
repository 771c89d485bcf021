package nmf_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// strict are options for fits that are compared.
func strict(loss string) nmf.Options {
	return nmf.Options{Loss: loss, MaxIter: 3000, Tol: 1e-7, LossTol: -1, Seed: 3}
}

// TestOneComponent: the best KL fit of one component is row sums times column
// sums over the total, whatever the solver and however X is held.
func TestOneComponent(t *testing.T) {
	x := counts[float64](31, 23, 3, 2, 7)
	rows, cols, total := sums(x)
	for _, solver := range []string{"newton", "mu"} {
		for _, sparse := range []bool{false, true} {
			o := strict("kl")
			o.Solver = solver
			m := fit(t, held(x, sparse), 1, &o)
			p := product(m)
			for i := range x.Rows {
				for j := range x.Cols {
					want := rows[i] * cols[j] / total
					if got := p.At(i, j); math.Abs(got-want) > 1e-6*(want+1e-9) {
						t.Fatalf("%s, sparse %v: (%d, %d) is %v, want %v", solver, sparse, i, j, got, want)
					}
				}
			}
		}
	}
}

func sums(x *matrix.Dense[float64]) (rows, cols []float64, total float64) {
	rows, cols = make([]float64, x.Rows), make([]float64, x.Cols)
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			rows[i] += v
			cols[j] += v
			total += v
		}
	}
	return rows, cols, total
}

// TestStationarySums: at a stationary point of KL, WH has the row and the column
// sums of X, and the KKT residual is as small as it is asked to be.
func TestStationarySums(t *testing.T) {
	x := counts[float64](60, 45, 4, 2, 9)
	for _, sparse := range []bool{false, true} {
		o := strict("kl")
		m := fit(t, held(x, sparse), 4, &o)
		if m.Info.KKT > 1e-5 {
			t.Errorf("KKT %v after %d, %s", m.Info.KKT, m.Info.Iterations, m.Info.Status)
		}
		rows, cols, total := sums(x)
		fitRows, fitCols, _ := sums(product(m))
		for i := range rows {
			if math.Abs(rows[i]-fitRows[i]) > 1e-4*total/float64(x.Rows) {
				t.Errorf("sparse %v: row %d sums to %v, X's to %v", sparse, i, fitRows[i], rows[i])
			}
		}
		for j := range cols {
			if math.Abs(cols[j]-fitCols[j]) > 1e-4*total/float64(x.Cols) {
				t.Errorf("sparse %v: column %d sums to %v, X's to %v", sparse, j, fitCols[j], cols[j])
			}
		}
	}
}

// TestLossOfModel recomputes what a model says of its loss.
func TestLossOfModel(t *testing.T) {
	x := counts[float64](40, 33, 3, 2, 11)
	weights := randomWeights(x.Rows, x.Cols, 4)
	for _, o := range lossCases() {
		if needsPositive(o) {
			continue
		}
		for _, weighted := range []bool{false, true} {
			o := o
			o.MaxIter = 20
			if weighted {
				o.Weights = weights
			}
			m := fit(t, matrix.Matrix[float64](x), 3, &o)
			p, want := product(m), 0.0
			for i := range x.Rows {
				for j, v := range x.Row(i) {
					w := 1.0
					if weighted {
						w = weights.At(i, j)
					}
					want += w * plainLoss(&m.Info.Resolved, v, max(p.At(i, j), 1e-100))
				}
			}
			if math.Abs(m.Info.Loss-want) > 1e-9*want {
				t.Errorf("%s β %v weighted %v: loss %v, recomputed %v", o.Loss, o.Beta, weighted, m.Info.Loss, want)
			}
			s, err := m.Score(t.Context(), x, &nmf.TransformOptions{Weights: o.Weights, Tol: 1e-7})
			if err != nil || s.Loss > want*(1+1e-6) {
				t.Errorf("%s weighted %v: score %v, %v; the fit has %v", o.Loss, weighted, s.Loss, err, want)
			}
		}
	}
}

// plainLoss is the loss of one cell by the definition.
func plainLoss(o *nmf.Options, x, y float64) float64 {
	beta := o.Beta
	switch o.Loss {
	case "kl":
		beta = 1
	case "frobenius":
		beta = 2
	case "tweedie":
		beta = 2 - o.Power
	case "negbinomial":
		a := o.Dispersion
		v := -(x + 1/a) * math.Log((1+a*x)/(1+a*y))
		if x > 0 {
			v += x * math.Log(x/y)
		}
		return v
	case "huber", "l1":
		e, scale := math.Abs(x-y), 1.0
		if o.Loss == "l1" {
			scale = o.Delta
		}
		if e > o.Delta {
			return o.Delta * (e - o.Delta/2) / scale
		}
		return e * e / 2 / scale
	}
	switch beta {
	case 0:
		return x/y - math.Log(x/y) - 1
	case 1:
		if x == 0 {
			return y
		}
		return x*math.Log(x/y) - x + y
	}
	return (math.Pow(x, beta) + (beta-1)*math.Pow(y, beta) - beta*x*math.Pow(y, beta-1)) / (beta * (beta - 1))
}

func randomWeights(rows, cols int, seed uint64) *matrix.Dense[float64] {
	rng := rand.New(rand.NewPCG(seed, 31))
	w := matrix.NewDense[float64](rows, cols)
	for i := range w.Data {
		w.Data[i] = 0.2 + rng.Float64()
	}
	return w
}

// TestWeightsOfOne: weights that are all 1, a mask without cells, and a missing
// kind that no cell has, leave the bits of a fit as they are.
func TestWeightsOfOne(t *testing.T) {
	x := counts[float32](50, 37, 3, 3, 13)
	ones := matrix.NewDense[float32](50, 37)
	for i := range ones.Data {
		ones.Data[i] = 1
	}
	none, err := matrix.NewMask(50, 37, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, loss := range []string{"frobenius", "kl", "huber"} {
		for _, sparse := range []bool{false, true} {
			base := nmf.Options{Loss: loss, MaxIter: 15, Delta: 0}
			want := bits(fit(t, held(x, sparse), 4, &base))
			for name, change := range map[string]func(o *nmf.Options){
				"weights":        func(o *nmf.Options) { o.Weights = ones },
				"row weights":    func(o *nmf.Options) { o.RowWeights = wide(ones).T().Data[:50] },
				"column weights": func(o *nmf.Options) { o.ColumnWeights = wide(ones).Data[:37] },
				"mask":           func(o *nmf.Options) { o.Mask = none },
				"nan":            func(o *nmf.Options) { o.Missing = "nan" },
			} {
				if sparse && name == "weights" && loss != "huber" {
					continue // dense weights visit every cell
				}
				o := base
				change(&o)
				if got := bits(fit(t, held(x, sparse), 4, &o)); got != want {
					t.Errorf("%s, sparse %v: %s change the bits", loss, sparse, name)
				}
			}
		}
	}
}

// TestWeightTwo: a row of weight 2 is that row twice, however the weight is
// given.
func TestWeightTwo(t *testing.T) {
	x := counts[float64](30, 26, 3, 3, 15)
	twice := matrix.NewDense[float64](31, 26)
	copy(twice.Data, x.Data)
	copy(twice.Row(30), x.Row(4))
	w, h := given(30, 26, 3, 16)
	w2 := matrix.NewDense[float64](31, 3)
	copy(w2.Data, w.Data)
	copy(w2.Row(30), w.Row(4))
	rowWeights := allOf(30, 1)
	rowWeights[4] = 2
	// By the same driver: cells whose weights are not one.
	halves, cellWeights := matrix.NewDense[float64](31, 26), matrix.NewDense[float64](30, 26)
	for i := range halves.Rows {
		copy(halves.Row(i), allOf(26, 0.5))
	}
	copy(cellWeights.Data, halves.Data)
	copy(cellWeights.Row(4), allOf(26, 1))
	for _, loss := range []string{"frobenius", "kl", "huber", "negbinomial"} {
		o := nmf.Options{Loss: loss, MaxIter: 30, Tol: -1, LossTol: -1, NoExtrapolation: true, H: h}
		switch loss {
		case "huber":
			o.Delta = 1
		case "negbinomial":
			o.Dispersion = 0.2
		}
		for _, kind := range []string{"rows", "cells"} {
			one, two := o, o
			one.W, two.W = w, w2
			if kind == "rows" {
				one.RowWeights = rowWeights
			} else {
				one.Weights, two.Weights = cellWeights, halves
			}
			a, b := fit(t, matrix.Matrix[float64](twice), 3, &two), fit(t, matrix.Matrix[float64](x), 3, &one)
			if math.Abs(a.Info.Loss-b.Info.Loss) > 1e-6*a.Info.Loss {
				t.Errorf("%s by %s: loss %v, with the row twice %v", loss, kind, b.Info.Loss, a.Info.Loss)
			}
		}
	}
}

func allOf(n int, v float64) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// TestMissingDoNotMatter: what stands in missing cells changes nothing, and
// however cells are said to be missing the result is the same.
func TestMissingDoNotMatter(t *testing.T) {
	x := counts[float64](40, 31, 3, 3, 17)
	rng := rand.New(rand.NewPCG(2, 17))
	var rows, cols []int32
	weights := matrix.NewDense[float64](40, 31)
	var observedRows, observedCols []int32
	var observed []float64
	for i := range 40 {
		for j := range 31 {
			if rng.IntN(4) == 0 {
				rows, cols = append(rows, int32(i)), append(cols, int32(j))
			} else {
				weights.Set(i, j, 1)
				observedRows, observedCols, observed = append(observedRows, int32(i)), append(observedCols, int32(j)), append(observed, x.At(i, j))
			}
		}
	}
	mask, err := matrix.NewMask(40, 31, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	listed, _, err := matrix.FromTriplets(40, 31, observedRows, observedCols, observed)
	if err != nil {
		t.Fatal(err)
	}
	filled := func(v float64) *matrix.Dense[float64] {
		c := x.Clone()
		for p, i := range rows {
			c.Set(int(i), int(cols[p]), v)
		}
		return c
	}
	for _, loss := range []string{"frobenius", "kl", "is", "huber", "negbinomial", "beta"} {
		shift := 0.0
		if loss == "is" {
			shift = 0.1
		}
		o := nmf.Options{Loss: loss, MaxIter: 40, Tol: -1, LossTol: -1, Seed: 2}
		switch loss {
		case "huber":
			o.Delta = 1
		case "negbinomial":
			o.Dispersion = 0.2
		case "beta":
			o.Beta = 1.5
		}
		shifted := func(d *matrix.Dense[float64]) *matrix.Dense[float64] {
			d = d.Clone()
			for p := range d.Data {
				d.Data[p] += shift
			}
			return d
		}
		o.Mask = mask
		want := fit(t, matrix.Matrix[float64](shifted(x)), 3, &o)
		same := func(name string, x matrix.Matrix[float64], exact bool) {
			t.Helper()
			m := fit(t, x, 3, &o)
			// Inner sweeps end tile by tile, and tiles of other forms of X differ.
			if exact && bits(m) != bits(want) || math.Abs(m.Info.Loss-want.Info.Loss) > 1e-5*want.Info.Loss {
				t.Errorf("%s: %s: loss %v, want %v", loss, name, m.Info.Loss, want.Info.Loss)
			}
		}
		same("NaN under the mask", shifted(filled(math.NaN())), true)
		same("1e30 under the mask", shifted(filled(1e30)), true)
		o.Mask, o.Missing = nil, "nan"
		same("NaN", shifted(filled(math.NaN())), true)
		o.Missing, o.Weights = "", weights
		same("weight 0", shifted(filled(1e30)), false)
		if loss != "is" {
			o.Weights, o.Missing = nil, "unstored"
			same("not stored", listed, false)
			o.Missing, o.Weights = "", weights.Sparse()
			same("sparse weights", x, false)
			o.Weights, o.Mask = nil, mask
			same("sparse zeros and a mask", x.Sparse(), false)
		}
	}
}

// TestSymmetriesOfLosses: a permutation, a transposition and more threads leave
// fits from the same start as they are.
func TestSymmetriesOfLosses(t *testing.T) {
	x := counts[float64](70, 41, 3, 3, 19)
	w, h := given(70, 41, 3, 20)
	weights := randomWeights(70, 41, 5)
	for _, o := range lossCases() {
		if o.Loss == "negbinomial" && o.Dispersion == 0 || o.Loss == "huber" && o.Delta == 0 {
			continue // their pilots have starts of their own
		}
		data := x
		if needsPositive(o) {
			data = x.Clone()
			for i := range data.Data {
				data.Data[i] += 0.2
			}
		}
		for _, weighted := range []bool{false, true} {
			o := o
			o.W, o.H, o.MaxIter, o.Tol, o.LossTol = w, h, 8, -1, -1
			if weighted || o.Loss == "frobenius" {
				o.Weights = weights
			}
			o.Threads = 1
			one := fit(t, matrix.Matrix[float64](data), 3, &o)
			o.Threads = 7
			if many := fit(t, matrix.Matrix[float64](data), 3, &o); bits(one) != bits(many) {
				t.Errorf("%s: 7 threads change the bits", o.Loss)
			}
			order := rand.New(rand.NewPCG(6, 1)).Perm(70)
			p := o
			p.W = inOrder(w, order)
			if o.Weights != nil {
				p.Weights = inOrder(weights, order)
			}
			m := fit(t, matrix.Matrix[float64](inOrder(data, order)), 3, &p)
			if math.Abs(m.Info.Loss-one.Info.Loss) > 1e-7*one.Info.Loss {
				t.Errorf("%s %v: permuted %v, want %v", o.Loss, o.Beta, m.Info.Loss, one.Info.Loss)
			}
		}
	}
}

func inOrder(x *matrix.Dense[float64], order []int) *matrix.Dense[float64] {
	p := matrix.NewDense[float64](x.Rows, x.Cols)
	for to, from := range order {
		copy(p.Row(to), x.Row(from))
	}
	return p
}

// TestPlantedWithMissing: factors of rank 3 are found again, missing cells and
// all, where 30 % of the cells are missing.
func TestPlantedWithMissing(t *testing.T) {
	x := lowRank[float64](80, 60, 3, 0, 23)
	for i := range x.Data {
		x.Data[i] += 1e-3
	}
	rng := rand.New(rand.NewPCG(7, 23))
	holed := x.Clone()
	for i := range holed.Data {
		if rng.IntN(10) < 3 {
			holed.Data[i] = math.NaN()
		}
	}
	for _, loss := range []string{"frobenius", "kl"} {
		o := strict(loss)
		o.Missing, o.Runs, o.MaxIter = "nan", 5, 1000
		m := fit(t, matrix.Matrix[float64](holed), 4, &o)
		if d := distance(x, product(m)); d > 1e-3 {
			t.Errorf("%s: the whole is off by %v, observed cells by %v", loss, d, m.Info.RelativeError)
		}
		full, err := m.Impute(t.Context(), holed, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x.Rows {
			for j, v := range holed.Row(i) {
				got := full.At(i, j)
				if v == v && got != v || math.Abs(got-x.At(i, j)) > 0.02*(1+x.At(i, j)) {
					t.Fatalf("%s: filled (%d, %d) is %v, was %v, planted %v", loss, i, j, got, v, x.At(i, j))
				}
			}
		}
	}
}

// TestTransformOfLosses: the rows that a model was fitted to get the model's
// weights.
func TestTransformOfLosses(t *testing.T) {
	x := counts[float64](50, 60, 3, 4, 27)
	weights := randomWeights(50, 60, 8)
	for _, o := range lossCases() {
		if needsPositive(o) || o.Loss == "beta" && (o.Beta < 1 || o.Beta > 2) || o.Loss == "tweedie" || o.Loss == "negbinomial" || o.Loss == "l1" {
			continue // not convex, or not strictly
		}
		for _, weighted := range []bool{false, true} {
			o := o
			o.MaxIter, o.Tol, o.LossTol = 30, 1e-9, -1
			if weighted {
				o.Weights = weights
			}
			m := fit(t, matrix.Matrix[float64](x), 3, &o)
			w, err := m.Transform(t.Context(), x, &nmf.TransformOptions{Weights: o.Weights})
			if err != nil {
				t.Fatal(err)
			}
			tol := 1e-5
			if o.Loss == "huber" {
				tol = 1e-2 // reweighted: not to the tolerance
			}
			for i := range w.Rows {
				for j, v := range w.Row(i) {
					if math.Abs(v-m.W.At(i, j)) > tol/50 {
						t.Fatalf("%s %v weighted %v: row %d has %v, the model %v", o.Loss, o.Beta, weighted, i, w.Row(i), m.W.Row(i))
					}
				}
			}
		}
	}
}

// TestOnlineStart: a sparse X of many short rows begins with passes over parts;
// the bits do not depend on the threads, the loss falls, and it ends no worse
// than by multiplicative updates.
func TestOnlineStart(t *testing.T) {
	x := sparsely(counts[float64](2200, 60, 3, 6, 51), 12, 5).Sparse()
	o := nmf.Options{Loss: "kl", Seed: 4, MaxIter: 15, Tol: -1, LossTol: -1, Threads: 1}
	one := fit(t, matrix.Matrix[float64](x), 3, &o)
	checkTrace(t, one)
	o.Threads = 5
	if many := fit(t, matrix.Matrix[float64](x), 3, &o); bits(one) != bits(many) {
		t.Errorf("5 threads change the bits")
	}
	o.Solver, o.MaxIter = "mu", 100
	if mu := fit(t, matrix.Matrix[float64](x), 3, &o); one.Info.Loss > 1.02*mu.Info.Loss {
		t.Errorf("loss %v after 15 iterations, multiplicative updates have %v after 100", one.Info.Loss, mu.Info.Loss)
	}
}

// TestCancelledLoss: a cancelled fit gives the best model so far, with a loss.
func TestCancelledLoss(t *testing.T) {
	x := counts[float64](90, 80, 4, 3, 53)
	ctx, cancel := context.WithCancel(t.Context())
	o := &nmf.Options{Loss: "kl", Tol: -1, LossTol: -1, MaxIter: 100000}
	o.Progress = func(p nmf.Progress) {
		if p.Iteration.Iteration >= 3 {
			cancel()
		}
	}
	m, err := nmf.Fit(ctx, matrix.Matrix[float64](x), 4, o)
	if err != nil || m.Info.Status != nmf.Cancelled || !(m.Info.Loss > 0) || len(m.Info.Trace) < 3 {
		t.Fatalf("%v, %+v", err, m)
	}
}
