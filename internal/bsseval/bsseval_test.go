package bsseval_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/internal/bsseval"
)

func noise(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 0))
	s := make([]float64, n)
	for i := range s[:n-bsseval.Taps] { // silent at the end, so that filters stay within
		s[i] = r.NormFloat64()
	}
	return s
}

func filtered(s, taps []float64) []float64 {
	out := make([]float64, len(s))
	for i := range s {
		for d, v := range taps {
			if i >= d {
				out[i] += v * s[i-d]
			}
		}
	}
	return out
}

func sum(parts ...[]float64) []float64 {
	out := make([]float64, len(parts[0]))
	for _, p := range parts {
		for i, v := range p {
			out[i] += v
		}
	}
	return out
}

func scaled(s []float64, by float64) []float64 {
	out := make([]float64, len(s))
	for i, v := range s {
		out[i] = by * v
	}
	return out
}

func energy(s []float64) float64 {
	e := 0.0
	for _, v := range s {
		e += v * v
	}
	return e
}

// TestConstructed compares with mixtures whose measures are known: a filtered
// source, plus the other one, plus noise that is nearly orthogonal to both.
func TestConstructed(t *testing.T) {
	const n = 1 << 16
	a, b, e := noise(n, 1), noise(n, 2), noise(n, 3)
	taps := []float64{0.9, 0, -0.3, 0, 0, 0.1}
	through := filtered(a, taps)
	for _, c := range []struct{ other, artifact float64 }{{0.1, 0.05}, {0.5, 0}, {0, 0.3}, {1, 1}} {
		estimate := sum(through, scaled(b, c.other), scaled(e, c.artifact))
		got, err := bsseval.Sources([][]float64{a, b}, [][]float64{estimate, b})
		if err != nil {
			t.Fatal(err)
		}
		target, other, artifact := energy(through), c.other*c.other*energy(b), c.artifact*c.artifact*energy(e)
		for _, v := range []struct {
			name      string
			got, want float64
		}{
			{"SDR", got[0].SDR, 10 * math.Log10(target/(other+artifact))},
			{"SIR", got[0].SIR, 10 * math.Log10(target/other)},
			{"SAR", got[0].SAR, 10 * math.Log10((target+other)/artifact)},
		} {
			// The 512 taps of each source take up 512/n of what is orthogonal.
			if math.Abs(v.got-v.want) > 0.3 && v.got < 18 && v.want < 18 || v.want > 40 && v.got < 18 {
				t.Errorf("other %v, noise %v: %s is %.2f dB, want %.2f", c.other, c.artifact, v.name, v.got, v.want)
			}
		}
		if got[1].SDR < 100 {
			t.Errorf("a perfect estimate has %.1f dB", got[1].SDR)
		}
	}
}

// TestScaleAndDelay: neither the loudness of an estimate nor a delay counts.
func TestScaleAndDelay(t *testing.T) {
	const n = 1 << 14
	a, b := noise(n, 4), noise(n, 5)
	estimate := sum(a, scaled(b, 0.3))
	plain, err := bsseval.Sources([][]float64{a, b}, [][]float64{estimate, b})
	if err != nil {
		t.Fatal(err)
	}
	delay := make([]float64, 40)
	delay[39] = 7
	moved, err := bsseval.Sources([][]float64{a, b}, [][]float64{filtered(estimate, delay), b})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(plain[0].SDR-moved[0].SDR) > 0.1 {
		t.Errorf("SDR %.3f, and %.3f of the same louder and later", plain[0].SDR, moved[0].SDR)
	}
}

func TestErrors(t *testing.T) {
	a, b := noise(2000, 6), noise(2000, 7)
	for _, c := range []struct{ truth, estimates [][]float64 }{
		{nil, nil}, {[][]float64{a}, nil}, {[][]float64{a, b[:100]}, [][]float64{a, b}}, {[][]float64{make([]float64, 2000)}, [][]float64{a}},
	} {
		if got, err := bsseval.Sources(c.truth, c.estimates); err == nil {
			t.Errorf("%v", got)
		}
	}
}
