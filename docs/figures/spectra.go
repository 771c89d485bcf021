package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
	"github.com/partsof/nmf/recipe/spectra"
)

// drawSpectra unmixes a drawn scene of three materials, light and noise.
func drawSpectra(out string) error {
	const width, height, bands = 40, 30, 120
	rng := rand.New(rand.NewPCG(1, 2))
	materials := []struct {
		name string
		at   func(nm float64) float64
	}{
		{"soil", func(nm float64) float64 { return 0.08 + 0.3*(nm-400)/500 }},
		{"tree", func(nm float64) float64 {
			return 0.03 + 0.04*math.Exp(-math.Pow((nm-550)/40, 2)) + 0.5/(1+math.Exp((715-nm)/15))
		}},
		{"water", func(nm float64) float64 { return 0.02 + 0.07*math.Exp(-math.Pow((nm-480)/110, 2)) }},
	}
	truth := &spectra.Reference{Endmembers: matrix.NewDense[float64](len(materials), bands)}
	t := &data.Table[float64]{}
	for j := range bands {
		nm := 400 + 500*float64(j)/(bands-1)
		t.ColumnNames = append(t.ColumnNames, fmt.Sprintf("%.0f nm", nm))
		for i, m := range materials {
			truth.Endmembers.Set(i, j, m.at(nm))
		}
	}
	x := matrix.NewDense[float64](width*height, bands)
	t.X = x
	for p := range x.Rows {
		px, py := float64(p%width)/width, float64(p/width)/height
		shares := []float64{math.Exp(-8 * math.Hypot(px-0.2, py-0.3)), math.Exp(-8 * math.Hypot(px-0.75, py-0.25)), math.Exp(-8 * math.Hypot(px-0.5, py-0.9))}
		total := shares[0] + shares[1] + shares[2]
		light := 0.7 + 0.5*rng.Float64()
		for j := range bands {
			v := 0.0
			for i, s := range shares {
				v += s / total * truth.Endmembers.At(i, j)
			}
			x.Set(p, j, max(0, light*v+0.002*rng.NormFloat64()))
		}
	}
	for _, m := range materials {
		truth.Names = append(truth.Names, m.name)
	}
	folder, err := os.MkdirTemp("", "spectra")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "scene.csv")
	if err := data.Write(path, t, nil); err != nil {
		return err
	}
	set, err := spectra.Read[float64](path, &spectra.Options{Grid: recipe.Grid{Width: width, Height: height}})
	if err != nil {
		return err
	}
	model, err := nmf.Fit(context.Background(), set.X, len(materials), spectra.Preset())
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	return errors.Join(spectra.Plot(model, set, truth, spectra.Compare(model, truth)).WriteSVG(f), f.Close())
}
