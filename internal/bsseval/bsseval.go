// Package bsseval measures the separation of sources: BSS Eval (Vincent,
// Gribonval & Févotte 2006) in its version 3 for single channels, where a source
// may come through any filter of 512 taps.
package bsseval

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/mat"
)

// Taps is the length of the filters that are allowed.
const Taps = 512

// Measures of one source, in dB.
type Measures struct {
	// SDR is the signal-to-distortion ratio, SIR that to interference from the
	// other sources, SAR that to artifacts.
	SDR, SIR, SAR float64
}

// Sources compares estimates with the true sources of the same order and length.
func Sources(truth, estimates [][]float64) ([]Measures, error) {
	if len(truth) == 0 || len(truth) != len(estimates) {
		return nil, fmt.Errorf("%d sources and %d estimates", len(truth), len(estimates))
	}
	for _, s := range append(append([][]float64{}, truth...), estimates...) {
		if len(s) != len(truth[0]) || len(s) == 0 {
			return nil, errors.New("sources and estimates are of one length, above zero")
		}
	}
	c := newCorrelations(truth)
	list := make([]Measures, len(truth))
	for j, e := range estimates {
		own, err := c.project(e, []int{j})
		if err != nil {
			return nil, fmt.Errorf("source %d: %w", j+1, err)
		}
		all, err := c.project(e, c.everySource())
		if err != nil {
			return nil, err
		}
		var target, interference, artifacts, distortion float64
		for i, a := range all {
			estimate := 0.0
			if i < len(e) {
				estimate = e[i]
			}
			target += own[i] * own[i]
			interference += (a - own[i]) * (a - own[i])
			artifacts += (estimate - a) * (estimate - a)
			distortion += (estimate - own[i]) * (estimate - own[i])
		}
		wanted := 0.0
		for _, a := range all {
			wanted += a * a
		}
		list[j] = Measures{SDR: decibels(target, distortion), SIR: decibels(target, interference), SAR: decibels(wanted, artifacts)}
	}
	return list, nil
}

func decibels(a, b float64) float64 { return 10 * math.Log10(a/b) }

// correlations of the true sources with each other at lags up to Taps.
type correlations struct {
	truth   [][]float64
	fft     *fourier.FFT
	size    int
	spectra [][]complex128
}

func newCorrelations(truth [][]float64) *correlations {
	size := 1
	for size < len(truth[0])+2*Taps {
		size *= 2
	}
	c := &correlations{truth: truth, size: size, fft: fourier.NewFFT(size)}
	for _, s := range truth {
		c.spectra = append(c.spectra, c.spectrum(s))
	}
	return c
}

func (c *correlations) everySource() []int {
	all := make([]int, len(c.truth))
	for i := range all {
		all[i] = i
	}
	return all
}

func (c *correlations) spectrum(s []float64) []complex128 {
	padded := make([]float64, c.size)
	copy(padded, s)
	return c.fft.Coefficients(nil, padded)
}

// cross gives Σ_t a(t)·b(t+lag) at index lag modulo the size.
func (c *correlations) cross(a, b []complex128) []float64 {
	product := make([]complex128, len(a))
	for i := range a {
		product[i] = complex(real(a[i]), -imag(a[i])) * b[i]
	}
	out := c.fft.Sequence(nil, product)
	for i := range out {
		out[i] /= float64(c.size)
	}
	return out
}

// project is the nearest signal to e among the sources through filters of Taps;
// it is Taps-1 longer than e.
func (c *correlations) project(e []float64, sources []int) ([]float64, error) {
	n := len(sources) * Taps
	gram, rhs := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
	spectrum := c.spectrum(e)
	for p, a := range sources {
		right := c.cross(c.spectra[a], spectrum)
		for i := range Taps {
			rhs.SetVec(p*Taps+i, right[i])
		}
		for q, b := range sources[p:] {
			r := c.cross(c.spectra[a], c.spectra[b])
			for i := range Taps {
				for j := range Taps {
					// ⟨a delayed by i, b delayed by j⟩
					if row, col := p*Taps+i, (p+q)*Taps+j; row <= col {
						gram.SetSym(row, col, r[((i-j)%c.size+c.size)%c.size])
					}
				}
			}
		}
	}
	filters, err := solve(gram, rhs)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(e)+Taps-1)
	for p, a := range sources {
		taps := c.spectrum(filters[p*Taps:][:Taps])
		for i := range taps {
			taps[i] *= c.spectra[a][i]
		}
		for i, v := range c.fft.Sequence(nil, taps)[:len(out)] {
			out[i] += v / float64(c.size)
		}
	}
	return out, nil
}

// solve solves the normal equations. Sources that hold nothing at some
// frequencies leave them singular to rounding: a ridge far below what is
// measured makes them regular.
func solve(gram *mat.SymDense, rhs *mat.VecDense) ([]float64, error) {
	n := gram.SymmetricDim()
	trace := 0.0
	for i := range n {
		trace += gram.At(i, i)
	}
	if trace == 0 {
		return nil, errors.New("a source is silent")
	}
	for ridge := 0.0; ridge < 1e-6; ridge = max(1e-12, 10*ridge) {
		for i := range n {
			gram.SetSym(i, i, gram.At(i, i)+ridge*trace/float64(n))
		}
		var c mat.Cholesky
		if !c.Factorize(gram) {
			continue
		}
		x := mat.NewVecDense(n, nil)
		if err := c.SolveVecTo(x, rhs); err != nil {
			var condition mat.Condition
			if !errors.As(err, &condition) || math.IsInf(float64(condition), 0) {
				continue
			}
		}
		return x.RawVector().Data, nil
	}
	return nil, errors.New("the sources do not determine a filter")
}
