package main

import (
	"context"
	"io"
	"math"
	"math/rand/v2"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/atomicfile"
	sound "github.com/partsof/nmf/internal/audio"
	"github.com/partsof/nmf/recipe/audio"
)

// drawAudio draws the components of ten seconds of notes that are made here:
// five pitches with six harmonics that die away.
func drawAudio(out string) error {
	const rate = 16000
	r := rand.New(rand.NewPCG(5, 0))
	samples := make([]float64, 10*rate)
	for i := range samples {
		samples[i] = 0.001 * r.NormFloat64()
	}
	for at := 0.3; at < 9; at += 0.3 + 0.5*r.Float64() {
		for _, pitch := range r.Perm(5)[:1+r.IntN(2)] {
			f := []float64{220, 261.63, 329.63, 392, 523.25}[pitch]
			first := int(at * rate)
			for i := first; i < len(samples); i++ {
				t := float64(i-first) / rate
				for h := 1.0; h <= 6; h++ {
					samples[i] += 0.2 / h * math.Sin(2*math.Pi*h*f*t) * math.Exp(-3*t) * min(1, t/0.005)
				}
			}
		}
	}
	rec, err := audio.New[float32]([]string{"notes"}, []*sound.Sound{{Rate: rate, Channels: [][]float64{samples}}}, &audio.Options{Power: true})
	if err != nil {
		return err
	}
	o := audio.Preset()
	o.Runs = 5
	m, err := nmf.Fit(context.Background(), rec.X, 5, o)
	if err != nil {
		return err
	}
	return atomicfile.Write(out, func(w io.Writer) error { return audio.Plot(w, m, rec, audio.Onsets(m, rec, audio.DefaultRise)) })
}
