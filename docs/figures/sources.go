package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/recipe/sources"
)

// drawSources draws what nmf sources finds in 200 simulated days of dust, traffic
// and sea salt, measured with uncertainties of 10 per cent.
func drawSources(out string) error {
	folder, err := os.MkdirTemp("", "sources")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	con, unc := filepath.Join(folder, "con.csv"), filepath.Join(folder, "unc.csv")
	if err := writeDays(con, unc); err != nil {
		return err
	}
	set, err := sources.Read(con, unc, nil)
	if err != nil {
		return err
	}
	o := sources.Preset()
	o.Weights = set.Weights()
	model, err := nmf.Fit(context.Background(), set.X, 3, o)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if err := (&sources.Report{Set: set, Solution: sources.Solve(set, model)}).Chart().WriteSVG(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// writeDays simulates the days.
func writeDays(con, unc string) error {
	species := []string{"Al", "Si", "Ca", "Fe", "EC", "OC", "Zn", "Pb", "Na", "Cl", "Mg"}
	profiles := [][]float64{
		{8, 22, 6, 4, 0, 1, 0, 0, 0, 0, 0.5},
		{0, 0.2, 0.3, 1.5, 9, 12, 0.6, 0.4, 0, 0.1, 0},
		{0, 0, 0.4, 0, 0, 0.5, 0, 0, 9, 15, 1.2},
	}
	rng := rand.New(rand.NewPCG(4, 0))
	var x, u strings.Builder
	head := "Date," + strings.Join(species, ",") + "\n"
	x.WriteString(head)
	u.WriteString(head)
	for day := range 200 {
		amounts := []float64{
			math.Exp(rng.NormFloat64() - 0.5),
			(1 + 0.5*math.Cos(2*math.Pi*float64(day)/7)) * math.Exp(0.4*rng.NormFloat64()),
			max(0, math.Sin(2*math.Pi*float64(day)/60)) * math.Exp(0.5*rng.NormFloat64()),
		}
		fmt.Fprintf(&x, "day %d", day+1)
		fmt.Fprintf(&u, "day %d", day+1)
		for j := range species {
			v := 0.0
			for l, a := range amounts {
				v += a * profiles[l][j]
			}
			sigma := 0.1*v + 0.02
			fmt.Fprintf(&x, ",%.5f", max(0, v+sigma*rng.NormFloat64()))
			fmt.Fprintf(&u, ",%.5f", sigma)
		}
		x.WriteString("\n")
		u.WriteString("\n")
	}
	if err := os.WriteFile(con, []byte(x.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(unc, []byte(u.String()), 0o644)
}
