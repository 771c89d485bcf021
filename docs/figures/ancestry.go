package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/recipe/ancestry"
)

// drawAncestry draws what nmf ancestry finds in 90 simulated individuals along a
// line of three populations that mix where they meet.
func drawAncestry(out string) error {
	const individuals, loci, k = 90, 1000, 3
	rng := rand.New(rand.NewPCG(8, 0))
	parts := make([][k]float64, individuals)
	for i := range parts {
		x := float64(i) / (individuals - 1) * (k - 1)
		for l := range k {
			parts[i][l] = max(0, 1-1.6*max(0, abs(x-float64(l))-0.2))
		}
	}
	var b strings.Builder
	for range loci {
		var f [k]float64
		for l := range k {
			f[l] = 0.05 + 0.9*rng.Float64()
		}
		for i := range individuals {
			total, p := 0.0, 0.0
			for l, part := range parts[i] {
				total += part
				p += part * f[l]
			}
			genotype := 0
			for range 2 {
				if rng.Float64() < p/total {
					genotype++
				}
			}
			fmt.Fprint(&b, genotype)
		}
		b.WriteString("\n")
	}
	folder, err := os.MkdirTemp("", "ancestry")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "simulated.geno")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return err
	}
	set, err := ancestry.Read(path, 2, nil)
	if err != nil {
		return err
	}
	model, err := nmf.Fit(context.Background(), set.Code().X, k, ancestry.Preset())
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if err := ancestry.New(set, model).Plot().WriteSVG(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func abs(v float64) float64 { return max(v, -v) }
