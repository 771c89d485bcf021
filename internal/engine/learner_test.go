package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

// plainLearner is the definition of Learner: the same sums by plain loops in
// float64, one update of W and of H a batch.
type plainLearner struct {
	beta       float64
	h, a, b, w [][]float64
	mass       []float64
	k, n       int
}

func newPlain(h *Tall[float64], beta float64) *plainLearner {
	p := &plainLearner{beta: beta, k: h.K, n: h.Rows, mass: make([]float64, h.K)}
	grid := func(rows int) (g [][]float64) {
		for range rows {
			g = append(g, make([]float64, h.K))
		}
		return g
	}
	p.h, p.a, p.b = grid(h.Rows), grid(h.Rows), grid(h.Rows)
	if beta == 2 {
		p.b = grid(h.K)
	}
	for i := range h.Rows {
		copy(p.h[i], h.Row(i))
	}
	return p
}

// descend is one sweep of coordinate descent on ½wGwᵀ − cwᵀ.
func descend(w, c []float64, g [][]float64) {
	for j := range w {
		if g[j][j] > 0 {
			slope := -c[j]
			for l, v := range w {
				slope += g[j][l] * v
			}
			w[j] = math.Max(0, w[j]-slope/g[j][j])
		}
	}
}

func (p *plainLearner) gram(t [][]float64) [][]float64 {
	g := make([][]float64, p.k)
	for a := range g {
		g[a] = make([]float64, p.k)
		for b := range g[a] {
			for _, row := range t {
				g[a][b] += row[a] * row[b]
			}
		}
	}
	return g
}

func (p *plainLearner) squares(x *matrix.Dense[float64], decay float64) {
	g := p.gram(p.h)
	p.w = nil
	for i := range x.Rows {
		c, w := make([]float64, p.k), make([]float64, p.k)
		for f, v := range x.Row(i) {
			for j := range c {
				c[j] += v * p.h[f][j]
			}
		}
		descend(w, c, g)
		p.w = append(p.w, w)
	}
	s := p.gram(p.w)
	for a := range s {
		for b := range s[a] {
			p.b[a][b] = decay*p.b[a][b] + s[a][b]
		}
	}
	for f := range p.n {
		for j := range p.k {
			p.a[f][j] *= decay
			for i := range x.Rows {
				p.a[f][j] += x.At(i, f) * p.w[i][j]
			}
		}
		descend(p.h[f], p.a[f], p.b)
	}
}

// cells takes one multiplicative step for W from the level, and one for H.
func (p *plainLearner) cells(x *matrix.Dense[float64], decay float64) {
	l := &loss.Loss{Kind: loss.Beta, Beta: p.beta}
	a, b := l.Exponents()
	e, total := 1/(a-b), 0.0
	for _, row := range p.h {
		for _, v := range row {
			total += v
		}
	}
	terms := func(x, r float64) (num, den float64) { return x * math.Pow(r, p.beta-2), math.Pow(r, p.beta-1) }
	p.w = nil
	for i := range x.Rows {
		sum := 0.0
		for _, v := range x.Row(i) {
			sum += v
		}
		w, num, den := make([]float64, p.k), make([]float64, p.k), make([]float64, p.k)
		for f, v := range x.Row(i) {
			r := 0.0
			for _, h := range p.h[f] {
				r += h * sum / total
			}
			n, d := terms(v, r)
			for j, h := range p.h[f] {
				num[j] += n * h
				den[j] += d * h
			}
		}
		for j := range w {
			w[j] = sum / total * math.Pow(num[j]/den[j], e)
		}
		p.w = append(p.w, w)
	}
	for f := range p.n {
		num, den := make([]float64, p.k), make([]float64, p.k)
		for i := range x.Rows {
			r := 0.0
			for j, h := range p.h[f] {
				r += h * p.w[i][j]
			}
			n, d := terms(x.At(i, f), r)
			for j, w := range p.w[i] {
				num[j] += n * w
				den[j] += d * w
			}
		}
		for j := range p.k {
			p.a[f][j] = decay*p.a[f][j] + num[j]*math.Pow(p.h[f][j], 1/e)
			p.b[f][j] = decay*p.b[f][j] + den[j]
			p.h[f][j] = math.Pow(p.a[f][j]/p.b[f][j], e)
		}
	}
}

// TestLearner compares batches of odd sizes with the plain twin.
func TestLearner(t *testing.T) {
	for _, beta := range []float64{2, 1, 0, 0.5, 1.5, 3} {
		for _, sparse := range []bool{false, true} {
			for _, k := range []int{1, 5} {
				t.Run(fmt.Sprintf("beta=%v,sparse=%v,k=%d", beta, sparse, k), func(t *testing.T) {
					testLearner(t, beta, sparse, k)
				})
			}
		}
	}
}

func testLearner(t *testing.T, beta float64, sparse bool, k int) {
	const n = 45
	rng := rand.New(rand.NewPCG(3, uint64(k)))
	h := NewTall[float64](n, k)
	for i := range n {
		for j := range h.Row(i) {
			h.Row(i)[j] = 0.1 + rng.Float64()
		}
	}
	cfg := LearnerConfig{Solver: "hals", InnerSweeps: 1, Workers: 2}
	if beta != 2 {
		cfg.Solver, cfg.Loss = "mu", &loss.Loss{Kind: loss.Beta, Beta: beta}
	}
	plain := newPlain(h, beta)
	l, err := NewLearner(h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for batch, rows := range []int{40, 1, 33, 70} {
		x := matrix.NewDense[float64](rows, n)
		for i := range x.Data {
			x.Data[i] = 0.05 + rng.ExpFloat64()
			if sparse && rng.IntN(3) > 0 && beta > 0 {
				x.Data[i] = 0
			}
		}
		var m matrix.Matrix[float64] = x
		if sparse {
			m = x.Sparse()
		}
		decay, w := 0.8, NewTall[float64](rows, k)
		if batch == 0 {
			decay = 0
		}
		if beta == 2 {
			l.LearnSquares(NewData(m, 2), w, decay)
			plain.squares(x, decay)
		} else {
			sums := func(i int) (sum float64) {
				for _, v := range x.Row(i) {
					sum += v
				}
				return sum
			}
			l.Level(sums, w)
			l.LearnCells(NewCells(m, Observed[float64]{Listed: sparse && beta == 1, Rest: sparse && beta == 1}, cfg.Loss, 2), w, decay)
			plain.cells(x, decay)
		}
		nearRows(t, fmt.Sprintf("batch %d: W", batch), w, plain.w)
		nearRows(t, fmt.Sprintf("batch %d: H", batch), l.H, plain.h)
		nearRows(t, fmt.Sprintf("batch %d: A", batch), l.A, plain.a)
		nearRows(t, fmt.Sprintf("batch %d: B", batch), l.B, plain.b[:l.B.Rows])
		for j, v := range columnSums64(w) {
			plain.mass[j] = decay*plain.mass[j] + v
			if math.Abs(plain.mass[j]-l.Mass[j]) > 1e-9*plain.mass[j] {
				t.Fatalf("batch %d: mass %v, want %v", batch, l.Mass[j], plain.mass[j])
			}
		}
	}
}

func nearRows(t *testing.T, what string, got *Tall[float64], want [][]float64) {
	t.Helper()
	for i, row := range want {
		for j, v := range row {
			if g := got.Row(i)[j]; !(math.Abs(g-v) <= 1e-9*(1e-3+math.Abs(v))) {
				t.Fatalf("%s[%d,%d] is %v, want %v", what, i, j, g, v)
			}
		}
	}
}

// TestUnseen: a feature that has been zero in every row so far is learnt once it
// is not.
func TestUnseen(t *testing.T) {
	h := NewTall[float32](4, 2)
	for i := range h.Rows {
		copy(h.Row(i), []float32{1, 2})
	}
	l, err := NewLearner(h, LearnerConfig{Solver: "mu", Workers: 1, Loss: &loss.Loss{Kind: loss.Beta, Beta: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for batch := range 6 {
		x := matrix.NewDense[float32](3, 4)
		for i := range 3 {
			copy(x.Row(i), []float32{4, 2, 1, 0})
			if batch >= 3 {
				x.Row(i)[3] = 5
			}
		}
		w := NewTall[float32](3, 2)
		l.Level(func(int) float64 { return 7 }, w)
		l.LearnCells(NewCells(matrix.Matrix[float32](x), Observed[float32]{}, &loss.Loss{Kind: loss.Beta, Beta: 1}, 1), w, 0.1)
	}
	fit := float32(0)
	w := NewTall[float32](1, 2)
	l.Level(func(int) float64 { return 12 }, w)
	for j, v := range l.H.Row(3) {
		fit += v * w.Row(0)[j]
	}
	if fit < 4 || fit > 6 {
		t.Errorf("the feature is fitted as %v, and is 5", fit)
	}
}
