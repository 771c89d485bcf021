package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/recipe/muscles"
)

// drawMuscles finds three synergies in a made-up recording of eight muscles over
// 12 steps of a second.
func drawMuscles(out string) error {
	const rate, steps = 1000, 12
	names := []string{"GM", "VM", "VL", "RF", "TA", "BF", "GL", "SO"}
	synergies := []struct {
		peak, width float64
		weights     []float64
	}{
		{0.08, 0.07, []float64{0.9, 1, 0.9, 0.5, 0.3, 0, 0, 0.1}},
		{0.42, 0.08, []float64{0, 0.1, 0, 0, 0, 0.1, 1, 0.9}},
		{0.88, 0.07, []float64{0.1, 0, 0, 0.3, 0.8, 1, 0, 0}},
	}
	rng := rand.New(rand.NewPCG(5, 6))
	var recording, cycles strings.Builder
	recording.WriteString("time," + strings.Join(names, ",") + "\n")
	for i := range rate * steps {
		at := float64(i) / rate
		fmt.Fprintf(&recording, "%g", at)
		for j := range names {
			drive := 0.02
			for _, s := range synergies {
				away := math.Abs(math.Mod(at, 1) - s.peak)
				drive += s.weights[j] * math.Exp(-math.Pow(min(away, 1-away)/s.width, 2))
			}
			fmt.Fprintf(&recording, ",%.5g", drive*rng.NormFloat64())
		}
		recording.WriteString("\n")
	}
	for i := range steps {
		fmt.Fprintf(&cycles, "%d\n", i)
	}
	folder, err := os.MkdirTemp("", "muscles")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	emg, starts := filepath.Join(folder, "emg.csv"), filepath.Join(folder, "cycles.csv")
	if err := errors.Join(os.WriteFile(emg, []byte(recording.String()), 0o666), os.WriteFile(starts, []byte(cycles.String()), 0o666)); err != nil {
		return err
	}
	set, err := muscles.Read[float64](emg, &muscles.Options{Cycles: starts, Average: true})
	if err != nil {
		return err
	}
	model, err := nmf.Fit(context.Background(), set.X, len(synergies), muscles.Preset())
	if err != nil {
		return err
	}
	return writeChart(out, muscles.Plot(model, set))
}
