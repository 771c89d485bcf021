package nmf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// asks lists one of everything that can be asked of a factor. A graph and held
// entries depend on its shape.
func asks(rows int, turned bool) map[string]nmf.Penalty {
	var is, js []int32
	var vs []float64
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range rows {
		for range 1 + 6*(i%7/6) {
			j := rng.IntN(rows)
			v := 0.5 + rng.Float64()
			is, js, vs = append(is, int32(i), int32(j)), append(js, int32(j), int32(i)), append(vs, v, v)
		}
	}
	graph, _, err := matrix.FromTriplets(rows, rows, is, js, vs)
	if err != nil {
		panic(err)
	}
	held := matrix.NewDense[float64](rows, 2)
	for i := range rows {
		held.Set(i, 0, math.Abs(math.Sin(float64(i))))
		held.Set(i, 1, math.NaN())
		if i%3 == 0 {
			held.Set(i, 1, 0)
		}
	}
	if turned {
		held = held.T()
	}
	return map[string]nmf.Penalty{
		"l1":         {L1: 0.02},
		"l2":         {L2: 0.05},
		"elastic":    {L1: 0.02, L2: 0.05},
		"l21":        {L21: 0.2},
		"orthogonal": {Orthogonal: 0.05},
		"spread":     {Spread: 0.05},
		"smooth":     {Smooth: 0.1},
		"smooth2":    {Smooth: 0.1, SmoothOrder: 2},
		"graph":      {Graph: 0.02, GraphWeights: graph},
		"upper":      {Upper: 0.7},
		"simplex":    {Simplex: true},
		"sparseness": {Sparseness: 0.6},
		"held":       {Held: held},
		"all":        {L1: 0.01, L2: 0.01, L21: 0.01, Orthogonal: 0.01, Smooth: 0.02, Graph: 0.01, GraphWeights: graph, Upper: 2, Held: held},
	}
}

// penaltyValue is what a Penalty adds, by its doc comment: plain loops.
func penaltyValue(p nmf.Penalty, size int, t [][]float64) float64 {
	total := 0.0
	k := len(t[0])
	norm := make([]float64, k)
	for _, row := range t {
		mean := 0.0
		for _, v := range row {
			mean += v / float64(k)
		}
		for i, v := range row {
			total += p.Spread / 2 * (v - mean) * (v - mean)
			total += p.L1*v + p.L2*v*v/2
			norm[i] += v * v
			for j := range i {
				total += p.Orthogonal * v * row[j]
			}
		}
	}
	for _, s := range norm {
		total += p.L21 * math.Sqrt(s)
	}
	for j := range k {
		var d []float64
		for i := 1; i < len(t); i++ {
			d = append(d, t[i][j]-t[i-1][j])
		}
		if p.SmoothOrder == 2 {
			for i := range len(d) - 1 {
				d[i] = d[i+1] - d[i]
			}
			d = d[:len(d)-1]
		}
		for _, v := range d {
			total += p.Smooth / 2 * v * v
		}
	}
	if p.GraphWeights != nil {
		for i := range t {
			cols, vals := p.GraphWeights.Row(i)
			for q, j := range cols {
				for l := range k {
					e := t[i][l] - t[j][l]
					total += p.Graph / 4 * vals[q] * e * e
				}
			}
		}
	}
	return float64(size) * total
}

// rawFactors gives the rows of W and of Hᵀ as the objective had them.
func rawFactors[F matrix.Float](m *nmf.Model[F]) (w, h [][]float64) {
	dw, dh := m.Factors()
	dh = dh.T()
	for i := range dw.Rows {
		w = append(w, dw.Row(i))
	}
	for j := range dh.Rows {
		h = append(h, dh.Row(j))
	}
	return w, h
}

// satisfies checks the constraints of T.
func satisfies(t *testing.T, p nmf.Penalty, turned bool, factor [][]float64, eps float64) {
	t.Helper()
	for i, row := range factor {
		sum := 0.0
		for j, v := range row {
			sum += v
			if v < 0 || p.Upper != 0 && v > p.Upper*(1+eps) {
				t.Fatalf("entry (%d, %d) is %v", i, j, v)
			}
			if p.Held == nil {
				continue
			}
			a, b := i, j
			if turned {
				a, b = j, i
			}
			if a < p.Held.Rows && b < p.Held.Cols {
				if want := p.Held.At(a, b); want == want && math.Abs(v-want) > eps {
					t.Fatalf("entry (%d, %d) is %v, held at %v", i, j, v, want)
				}
			}
		}
		if p.Simplex && math.Abs(sum-1) > 10*eps {
			t.Fatalf("row %d sums to %v", i, sum)
		}
	}
	for j := range factor[0] {
		l1, l2, n := 0.0, 0.0, float64(len(factor))
		for i := range factor {
			l1 += factor[i][j]
			l2 += factor[i][j] * factor[i][j]
		}
		if p.Sparseness != 0 && l2 > 0 {
			if got := (math.Sqrt(n) - l1/math.Sqrt(l2)) / (math.Sqrt(n) - 1); math.Abs(got-p.Sparseness) > 1e-3 {
				t.Fatalf("component %d has the sparseness %v", j, got)
			}
		}
	}
}

// TestPenalties fits with one of everything asked of W, of H and of both: the
// loss never rises and is what the definition says of the final pair, the
// constraints hold, and a fit to tolerance has a small KKT residual.
func TestPenalties(t *testing.T) {
	t.Run("f32", testPenalties[float32])
	t.Run("f64", testPenalties[float64])
}

func testPenalties[F matrix.Float](t *testing.T) {
	const m, n, k = 70, 41, 5
	dense := lowRank[F](m, n, k, 0.2, 1)
	sparse := sparsely(dense, 3, 2).Sparse()
	eps := 1e-12
	if _, single := any(F(0)).(float32); single {
		eps = 1e-5
	}
	ofW, ofH := asks(m, false), asks(n, true)
	for name := range ofW {
		for _, where := range []string{"W", "H", "both"} {
			for _, solver := range []string{"hals", "bpp", "mu"} {
				for kind, x := range map[string]matrix.Matrix[F]{"dense": dense, "sparse": sparse} {
					if testing.Short() && (kind == "sparse") != (where == "H") {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%s", name, where, solver, kind), func(t *testing.T) {
						o := &nmf.Options{Solver: solver, Seed: 5, Init: "random", MaxIter: 150, Tol: 1e-3, LossTol: -1}
						if where != "H" {
							o.PenaltyW = ofW[name]
						}
						if where != "W" {
							o.PenaltyH = ofH[name]
						}
						model, err := nmf.Fit(t.Context(), x, k, o)
						if errors.Is(err, nmf.ErrOption) {
							if solver == "hals" {
								t.Fatal(err)
							}
							t.Skip(err)
						}
						if err != nil {
							t.Fatal(err)
						}
						for i, it := range model.Info.Trace {
							if i > 0 && it.Loss > model.Info.Trace[i-1].Loss {
								t.Fatalf("the loss rises from %v to %v at %d", model.Info.Trace[i-1].Loss, it.Loss, it.Iteration)
							}
						}
						last := model.Info.Trace[len(model.Info.Trace)-1].Loss
						if model.Info.Loss > last*(1+10*eps) {
							t.Errorf("the final half-step raises the loss from %v to %v", last, model.Info.Loss)
						}
						checkObjective(t, x, model, o, eps)
						if solver == "hals" && kind == "dense" {
							// A fit that an error ends keeps its W.
							early := *o
							early.TargetError = model.Info.Trace[len(model.Info.Trace)/2].RelativeError
							stopped := fit(t, x, k, &early)
							if stopped.Info.RelativeError > early.TargetError && stopped.Info.Iterations < early.MaxIter {
								t.Errorf("%s at the error %v, wanted %v", stopped.Info.Status, stopped.Info.RelativeError, early.TargetError)
							}
							checkObjective(t, x, stopped, o, eps)
						}
						t.Logf("%s after %d: loss %.6g kkt %.2g", model.Info.Status, model.Info.Iterations, model.Info.Loss, model.Info.KKT)
					})
				}
			}
		}
	}
}

// checkObjective checks the constraints of a model, and its loss by the definition.
func checkObjective[F matrix.Float](t *testing.T, x matrix.Matrix[F], model *nmf.Model[F], o *nmf.Options, eps float64) {
	t.Helper()
	w, h := rawFactors(model)
	satisfies(t, o.PenaltyW, false, w, eps)
	satisfies(t, o.PenaltyH, true, h, eps)
	loss := 0.0
	d := wide(x)
	for i := range w {
		for j, v := range d.Row(i) {
			for l, wl := range w[i] {
				v -= wl * h[j][l]
			}
			loss += v * v / 2
		}
	}
	loss += penaltyValue(o.PenaltyW, len(h), w) + penaltyValue(o.PenaltyH, len(w), h)
	if math.Abs(loss-model.Info.Loss) > 1e-3*loss*math.Sqrt(eps/1e-5)+1e-9*loss {
		t.Errorf("the loss is %v, and said to be %v", loss, model.Info.Loss)
	}
}

// TestTransformPenalised: Transform of the training rows gives the model's W
// where rows do not depend on each other.
func TestTransformPenalised(t *testing.T) {
	x := lowRank[float64](90, 40, 4, 0.3, 6)
	for _, scale := range []float64{1, 0x1p-300} {
		for name, p := range asks(90, false) {
			// With orthogonal a row can have several solutions.
			if p.L21+p.Smooth+p.Graph+p.Sparseness+p.Orthogonal > 0 || p.Held != nil || scale != 1 && p.Upper != 0 {
				continue
			}
			ofH := nmf.Penalty{L2: 0.1}
			if scale != 1 {
				// The same problem in another unit: both factors in its root.
				p.L1, p.L2, p.Spread, ofH.L2 = p.L1*math.Pow(scale, 1.5), p.L2*scale, p.Spread*scale, 0
			}
			y := x.Clone()
			for i, v := range y.Data {
				y.Data[i] = v * scale
			}
			m := fit(t, y, 4, &nmf.Options{PenaltyW: p, PenaltyH: ofH})
			w, err := m.Transform(t.Context(), y, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := weightsApart(m.W, w); d > 1e-3 {
				t.Errorf("%s, unit %g: weights are %g away", name, scale, d)
			}
		}
	}
}

// TestPenaltySameBits: what is asked of the factors does not depend on the
// number of threads.
func TestPenaltySameBits(t *testing.T) {
	x := lowRank[float32](300, 150, 6, 0.3, 8)
	for _, name := range []string{"all", "sparseness", "simplex", "graph"} {
		var want string
		for _, threads := range []int{1, 2, 7} {
			got := bits(fit(t, x, 6, &nmf.Options{Threads: threads, MaxIter: 8, Seed: 3,
				PenaltyW: asks(300, false)[name], PenaltyH: asks(150, true)["l2"]}))
			if want == "" {
				want = got
			} else if got != want {
				t.Errorf("%s: %d threads give other bits", name, threads)
			}
		}
	}
}

// TestPartialStart: what of a start is not given comes from the init.
func TestPartialStart(t *testing.T) {
	x := lowRank[float64](30, 20, 3, 0.1, 9)
	w := matrix.NewDense[float64](30, 1)
	for i := range 30 {
		w.Set(i, 0, math.NaN())
	}
	h := matrix.NewDense[float64](1, 20)
	for j := range 20 {
		h.Set(0, j, math.NaN())
	}
	plain := fit(t, x, 3, &nmf.Options{Init: "random", Seed: 4, MaxIter: 3})
	same := fit(t, x, 3, &nmf.Options{Init: "random", Seed: 4, MaxIter: 3, W: w, H: h})
	if bits(plain) != bits(same) {
		t.Error("a start of which nothing is given changes the fit")
	}
	for j := range 20 {
		h.Set(0, j, float64(j))
	}
	if bits(plain) == bits(fit(t, x, 3, &nmf.Options{Init: "random", Seed: 4, MaxIter: 3, H: h})) {
		t.Error("one given component does not change the fit")
	}
}

// TestElasticNetBesideScikitLearn compares the objective, recomputed from its
// factors, with what scikit-learn's coordinate descent ends with from the same
// start and the same alpha_W, alpha_H and l1_ratio.
func TestElasticNetBesideScikitLearn(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import sklearn").Run() != nil {
		t.Skip("no python3 with scikit-learn: not compared with it")
	}
	const m, n, k = 40, 25, 3
	x := lowRank[float64](m, n, k, 0.3, 10)
	w0, h0 := lowRank[float64](m, k, k, 0.5, 11), lowRank[float64](k, n, k, 0.5, 12)
	input, err := json.Marshal(map[string]any{"x": rowsOf(x), "w": rowsOf(w0), "h": rowsOf(h0)})
	if err != nil {
		t.Fatal(err)
	}
	script := `
import json, sys, numpy as np
from sklearn.decomposition import NMF
d = {k: np.array(v) for k, v in json.load(sys.stdin).items()}
f = NMF(3, init="custom", solver="cd", alpha_W=.02, alpha_H=.03, l1_ratio=.4, max_iter=5000, tol=1e-9)
w = f.fit_transform(d["x"], W=d["w"].copy(), H=d["h"].copy())
print(json.dumps({"w": w.tolist(), "h": f.components_.tolist()}))`
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs struct{ W, H [][]float64 }
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	o := &nmf.Options{W: w0, H: h0, Tol: 1e-8, LossTol: -1, MaxIter: 5000,
		PenaltyW: nmf.Penalty{L1: 0.02 * 0.4, L2: 0.02 * 0.6}, PenaltyH: nmf.Penalty{L1: 0.03 * 0.4, L2: 0.03 * 0.6}}
	ours := fit(t, x, k, o)
	turned := make([][]float64, n)
	for j := range turned {
		for l := range k {
			turned[j] = append(turned[j], theirs.H[l][j])
		}
	}
	want := penaltyValue(o.PenaltyW, n, theirs.W) + penaltyValue(o.PenaltyH, m, turned)
	for i := range m {
		for j, v := range x.Row(i) {
			for l := range k {
				v -= theirs.W[i][l] * theirs.H[l][j]
			}
			want += v * v / 2
		}
	}
	if math.Abs(ours.Info.Loss-want) > 1e-5*want {
		t.Errorf("the objective is %.10g, scikit-learn's %.10g", ours.Info.Loss, want)
	}
}

func rowsOf(d *matrix.Dense[float64]) [][]float64 {
	rows := make([][]float64, d.Rows)
	for i := range rows {
		rows[i] = d.Row(i)
	}
	return rows
}
