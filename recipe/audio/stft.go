package audio

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/dsp/fourier"

	"github.com/partsof/nmf/recipe"
)

// Transform is the short-time Fourier transform with its inverse: windows of
// Size samples, Hop apart, before and after (Griffin & Lim 1984). The sound is
// lengthened by silence so that every sample lies in as many windows.
type Transform struct {
	Window    string
	Size, Hop int

	window []float64
	// gain is what the squared windows add up to at every sample.
	gain float64
	fft  *fourier.FFT
}

// windows by name, at x from 0 to 1 of their length, periodic.
var windows = map[string]func(x float64) float64{
	"hann":     func(x float64) float64 { return 0.5 - 0.5*math.Cos(2*math.Pi*x) },
	"hamming":  func(x float64) float64 { return 0.54 - 0.46*math.Cos(2*math.Pi*x) },
	"blackman": func(x float64) float64 { return 0.42 - 0.5*math.Cos(2*math.Pi*x) + 0.08*math.Cos(4*math.Pi*x) },
	"sine":     func(x float64) float64 { return math.Sin(math.Pi * x) },
}

// Windows lists the names of windows.
func Windows() []string { return []string{"hann", "hamming", "blackman", "sine"} }

// mostSize bounds a window.
const mostSize = 1 << 20

// NewTransform checks that the squared windows add up to a constant (COLA), so
// that the inverse is exact and a mask acts evenly.
func NewTransform(window string, size, hop int) (*Transform, error) {
	shape, ok := windows[window]
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: window %q is unknown; it is one of %s", recipe.ErrOption, window, strings.Join(Windows(), ", "))
	case size < 2 || size > mostSize || size%2 != 0:
		return nil, fmt.Errorf("%w: a window of %d samples; it must have an even number of them, from 2 to %d", recipe.ErrOption, size, mostSize)
	case hop < 1 || hop > size:
		return nil, fmt.Errorf("%w: a hop of %d samples; it must be from 1 to the window's %d", recipe.ErrOption, hop, size)
	}
	t := &Transform{Window: window, Size: size, Hop: hop, window: make([]float64, size), fft: fourier.NewFFT(size)}
	for i := range t.window {
		t.window[i] = shape(float64(i) / float64(size))
	}
	sums := make([]float64, hop)
	for i, w := range t.window {
		sums[i%hop] += w * w
	}
	t.gain = sums[0]
	if least, most := slices.Min(sums), slices.Max(sums); most-least > 1e-9*most || least == 0 {
		return nil, fmt.Errorf("%w: %s windows of %d samples every %d do not add up to a constant (from %.3g to %.3g): the sound could not be put together evenly; take a hop of %d",
			recipe.ErrOption, window, size, hop, least, most, max(1, size/8))
	}
	return t, nil
}

// Bins is the number of frequencies.
func (t *Transform) Bins() int { return t.Size/2 + 1 }

// Frames is the number of windows of a sound of n samples.
func (t *Transform) Frames(n int) int { return (n + t.Size - t.Hop + t.Hop - 1) / t.Hop }

// lead is the silence before the sound.
func (t *Transform) lead() int { return t.Size - t.Hop }

// Time is the middle of a window, in seconds.
func (t *Transform) Time(frame, rate int) float64 {
	return float64(frame*t.Hop-t.lead()+t.Size/2) / float64(rate)
}

// Frequency is that of a bin, in Hz.
func (t *Transform) Frequency(bin, rate int) float64 {
	return float64(bin) * float64(rate) / float64(t.Size)
}

// Forward gives one window of a sound. The slices are scratch: of Size samples,
// and of Bins coefficients, which it gives back.
func (t *Transform) Forward(sound []float64, frame int, samples []float64, out []complex128) []complex128 {
	first := frame*t.Hop - t.lead()
	for i := range samples {
		samples[i] = 0
		if at := first + i; at >= 0 && at < len(sound) {
			samples[i] = t.window[i] * sound[at]
		}
	}
	return t.fft.Coefficients(out, samples)
}

// Inverse adds one window to a sound.
func (t *Transform) Inverse(coefficients []complex128, frame int, samples []float64, sound []float64) {
	t.fft.Sequence(samples, coefficients)
	first := frame*t.Hop - t.lead()
	scale := 1 / (t.gain * float64(t.Size))
	for i, v := range samples {
		if at := first + i; at >= 0 && at < len(sound) {
			sound[at] += scale * t.window[i] * v
		}
	}
}
