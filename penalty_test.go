package nmf_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
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
		for i, v := range row {
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

// rawFactors gives W and Hᵀ as the objective had them.
func rawFactors[F matrix.Float](m *nmf.Model[F]) (w, h [][]float64) {
	w, h = make([][]float64, m.W.Rows), make([][]float64, m.H.Cols)
	for i := range w {
		for l, s := range m.Scales {
			w[i] = append(w[i], float64(m.W.At(i, l))*s/basisNorm(m, l))
		}
	}
	for j := range h {
		for l := range m.Scales {
			h[j] = append(h[j], float64(m.H.At(l, j))*basisNorm(m, l))
		}
	}
	return w, h
}

func basisNorm[F matrix.Float](m *nmf.Model[F], l int) float64 {
	if m.Info.BasisNorms == nil || m.Info.BasisNorms[l] == 0 {
		return 1
	}
	return m.Info.BasisNorms[l]
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
						w, h := rawFactors(model)
						satisfies(t, o.PenaltyW, false, w, eps)
						satisfies(t, o.PenaltyH, true, h, eps)
						loss := 0.0
						d := wide(x)
						for i := range m {
							for j, v := range d.Row(i) {
								for l := range k {
									v -= w[i][l] * h[j][l]
								}
								loss += v * v / 2
							}
						}
						loss += penaltyValue(o.PenaltyW, n, w) + penaltyValue(o.PenaltyH, m, h)
						if math.Abs(loss-model.Info.Loss) > 1e-3*loss*math.Sqrt(eps/1e-5)+1e-9*loss {
							t.Errorf("the loss is %v, and said to be %v", loss, model.Info.Loss)
						}
						t.Logf("%s after %d: loss %.6g kkt %.2g", model.Info.Status, model.Info.Iterations, model.Info.Loss, model.Info.KKT)
					})
				}
			}
		}
	}
}
