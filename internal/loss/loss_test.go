package loss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
)

func cases() []*Loss {
	var all []*Loss
	for _, b := range []float64{-1, -0.5, 0, 0.5, 0.7, 1, 1.5, 1.8, 2, 2.5, 3, 4} {
		all = append(all, &Loss{Kind: Beta, Beta: b})
	}
	return append(all, &Loss{Kind: NegBinomial, Theta: []float64{0.5}}, &Loss{Kind: NegBinomial, Theta: []float64{40}},
		&Loss{Kind: Huber, Delta: 0.7}, &Loss{Kind: Absolute, Delta: 0.01})
}

func (l *Loss) String() string {
	return fmt.Sprintf("kind %d β %v θ %v δ %v", l.Kind, l.Beta, l.Theta, l.Delta)
}

// TestSlope: the slope is the derivative of the value, and both are zero where
// x = y, which is the least.
func TestSlope(t *testing.T) {
	for _, l := range cases() {
		for _, x := range []float64{0, 0.3, 1, 2.5, 40} {
			if x == 0 && l.NeedsPositive() {
				continue
			}
			for _, y := range []float64{0.05, 0.35, 1.2, 7, 60} {
				h := 1e-5 * y
				want := (l.Value(x, y+h, 0) - l.Value(x, y-h, 0)) / (2 * h)
				if got := l.Slope(x, y, 0); math.Abs(got-want) > 1e-5*(1+math.Abs(want))+1e-9*l.Value(x, y, 0)/h {
					t.Errorf("%v: slope at %v, %v is %v, differences give %v", l, x, y, got, want)
				}
				if v := l.Value(x, y, 0); !(v >= 0) {
					t.Errorf("%v: %v at %v, %v", l, v, x, y)
				}
			}
			if x > 0 {
				if v, s := l.Value(x, x, 0), l.Slope(x, x, 0); math.Abs(v) > 1e-14*(1+x*x) || math.Abs(s) > 1e-14 {
					t.Errorf("%v: value %v and slope %v where x = y = %v", l, v, s, x)
				}
			}
		}
	}
}

// TestDegree: d(s·x, s·y) = s^degree·d(x, y).
func TestDegree(t *testing.T) {
	for _, l := range cases() {
		const s = 3.7
		scaled := *l
		scaled.Delta *= s
		if math.IsNaN(l.Degree()) {
			continue
		}
		got, want := scaled.Value(s*2, s*3, 0), math.Pow(s, l.Degree())*l.Value(2, 3, 0)
		if math.Abs(got-want) > 1e-12*want {
			t.Errorf("%v: %v, want %v", l, got, want)
		}
	}
}

// TestMajorizer: den·(u^(a+1)−1)/(a+1) − num·(u^(b+1)−1)/(b+1) (with ln u for
// b = −1), times y, is nowhere below what the loss of x changes by when y
// becomes u·y: Févotte & Idier's auxiliary function for one component.
func TestMajorizer(t *testing.T) {
	power := func(e, u float64) float64 {
		if e == -1 {
			return math.Log(u)
		}
		return (math.Pow(u, e+1) - 1) / (e + 1)
	}
	for _, l := range cases() {
		if l.Kind == Huber || l.Kind == Absolute {
			continue // majorized by a square first
		}
		a, b := l.Exponents()
		s := NewSteps[float64](l, 1)
		num, den := make([]float64, 1), make([]float64, 1)
		theta := []float64{1}
		if l.Theta != nil {
			theta = l.Theta
		}
		for _, x := range []float64{0, 0.4, 3} {
			if x == 0 && l.NeedsPositive() {
				continue
			}
			for _, y := range []float64{0.2, 1, 6} {
				s.Terms([]float64{x}, []float64{y}, nil, theta, num, den)
				if got, want := den[0]-num[0], l.Slope(x, y, 0); math.Abs(got-want) > 1e-12*(den[0]+num[0]) {
					t.Errorf("%v: terms give the slope %v, want %v", l, got, want)
				}
				for _, u := range []float64{0.01, 0.5, 0.9, 1.1, 2, 30} {
					change := l.Value(x, u*y, 0) - l.Value(x, y, 0)
					bound := y * (den[0]*power(a, u) - num[0]*power(b, u))
					if change > bound+1e-9*(math.Abs(change)+math.Abs(bound)) {
						t.Errorf("%v, x %v, y %v, u %v: changes by %v, majorizer by %v", l, x, y, u, change, bound)
					}
				}
			}
		}
	}
}

// TestSteps: what Steps does to runs of cells is the sum of single cells, with
// and without weights; a cell of weight 0 does not count.
func TestSteps(t *testing.T) {
	t.Run("float32", func(t *testing.T) { steps[float32](t, 3e-5) })
	t.Run("float64", func(t *testing.T) { steps[float64](t, 1e-12) })
}

func steps[F kernel.Float](t *testing.T, tol float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 133
	for _, l := range cases() {
		s := NewSteps[F](l, 1)
		x, r, w, theta, num, den, h := make([]F, n), make([]F, n), make([]F, n), make([]F, n), make([]F, n), make([]F, n), make([]F, n)
		for i := range n {
			x[i], r[i], w[i], theta[i] = F(rng.ExpFloat64()), F(0.01+rng.ExpFloat64()), F(rng.Float64()), 1
			if i%4 == 0 && !l.NeedsPositive() {
				x[i] = 0
			}
			if l.Theta != nil {
				theta[i] = F(l.Theta[0])
			}
			if i%5 == 0 {
				w[i] = 0
			}
		}
		for _, weights := range [][]F{nil, w} {
			var want float64
			s.Terms(x, r, weights, theta, num, den)
			s.Curvature(x, r, weights, theta, h)
			for i := range n {
				weight := 1.0
				if weights != nil {
					weight = float64(w[i])
				}
				want += weight * l.Value(float64(x[i]), float64(r[i]), 0)
				slope := weight * l.Slope(float64(x[i]), float64(r[i]), 0)
				if got := float64(den[i]) - float64(num[i]); math.Abs(got-slope) > tol*(float64(den[i])+float64(num[i])) {
					t.Fatalf("%v: cell %d (%v, %v): slope %v, want %v", l, i, x[i], r[i], got, slope)
				}
				if !(h[i] >= 0) || weight > 0 && x[i] > 0 && h[i] == 0 {
					t.Fatalf("%v: cell %d: curvature %v", l, i, h[i])
				}
			}
			var scratch Scratch[F]
			if got := s.Sum(x, r, weights, theta, &scratch); math.Abs(got-want) > tol*want {
				t.Errorf("%v, weighted %v: sum %v, want %v", l, weights != nil, got, want)
			}
		}
	}
}

// TestScikitLearn compares β-divergences with those of scikit-learn.
func TestScikitLearn(t *testing.T) {
	script := `
import numpy as np
from sklearn.decomposition._nmf import _beta_divergence
x = np.array([[0.5, 2.0, 3.0], [0.1, 7.0, 1.5]]); w = np.array([[0.7, 0.2], [0.3, 1.9]]); h = np.array([[1.0, 0.5, 2.0], [0.4, 2.5, 0.3]])
for b in [-1, -0.5, 0, 0.5, 1, 1.5, 2, 3]:
    print(b, repr(float(_beta_divergence(x, w, h, b))))
`
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import sklearn").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("scikit-learn is absent")
	}
	out, err := exec.Command(python, "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	x, w, h := [2][3]float64{{0.5, 2, 3}, {0.1, 7, 1.5}}, [2][2]float64{{0.7, 0.2}, {0.3, 1.9}}, [2][3]float64{{1, 0.5, 2}, {0.4, 2.5, 0.3}}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Fields(line)
		beta, _ := strconv.ParseFloat(f[0], 64)
		want, _ := strconv.ParseFloat(f[1], 64)
		l, got := &Loss{Kind: Beta, Beta: beta}, 0.0
		for i := range x {
			for j := range x[i] {
				got += l.Value(x[i][j], w[i][0]*h[0][j]+w[i][1]*h[1][j], j)
			}
		}
		if math.Abs(got-want) > 1e-10*want {
			t.Errorf("β = %v: %v, scikit-learn has %v", beta, got, want)
		}
	}
}
