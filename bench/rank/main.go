// Command rank makes the table in docs/rank.md: how often each criterion finds
// the number of components that was planted in data of three kinds.
//
//	go run ./bench/rank
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/planted"
	"github.com/partsof/nmf/rank"
)

func main() {
	seeds := flag.Int("seeds", 10, "matrices of each kind")
	k := flag.Int("k", 4, "number of components that is planted")
	largest := flag.Int("largest", 8, "largest number of components that is tried")
	loss := flag.String("loss", "", "loss of every fit; the noise's own where empty")
	only := flag.String("only", "", "kind of data, where not all")
	detail := flag.Bool("detail", false, "print the numbers of every k")
	flag.Parse()
	var ks []int
	for i := 1; i <= *largest; i++ {
		ks = append(ks, i)
	}
	found := map[string]map[string]int{}
	var kinds []string
	for _, kind := range planted.Kinds() {
		if *only != "" && kind.Name != *only {
			continue
		}
		kinds = append(kinds, kind.Name)
		hits := map[string]int{}
		found[kind.Name] = hits
		for seed := range *seeds {
			began := time.Now()
			o := &rank.Options{K: ks, Fit: nmf.Options{Loss: kind.Loss, Seed: uint64(seed)}}
			if *loss != "" {
				o.Fit.Loss = *loss
			}
			r, err := rank.Sweep(context.Background(), kind.Make(*k, uint64(seed)), o)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			for name, chosen := range r.Recommended.ByCriterion {
				if chosen == *k {
					hits[name]++
				}
			}
			if r.Recommended.K == *k {
				hits["recommended"]++
			}
			fmt.Fprintf(os.Stderr, "%s, seed %d, %.1f s: %v %s\n", kind.Name, seed, time.Since(began).Seconds(), r.Recommended.ByCriterion, r.Recommended.Why)
			if *detail {
				for _, row := range r.K {
					fmt.Fprintf(os.Stderr, "  %d", row.K)
					for _, c := range rank.All() {
						fmt.Fprintf(os.Stderr, "  %s %.4g", c.Name, c.Value(&row))
					}
					fmt.Fprintf(os.Stderr, " cvse %.4g bcvse %.4g silmean %.4g\n", row.CVErrorSE, row.BCVErrorSE, row.SilhouetteMean)
				}
			}
		}
	}
	fmt.Printf("| criterion | %s |\n|---|%s\n", strings.Join(kinds, " | "), strings.Repeat("---|", len(kinds)))
	line := func(title, name string) {
		fmt.Printf("| %s |", title)
		for _, kind := range kinds {
			fmt.Printf(" %d |", found[kind][name])
		}
		fmt.Println()
	}
	for _, c := range rank.All() {
		line(c.Title, c.Name)
	}
	line("the recommendation", "recommended")
}
