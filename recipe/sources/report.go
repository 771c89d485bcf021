package sources

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/internal/figure"
	"github.com/partsof/nmf/matrix"
)

// Report is a solution and what was found out about it; nil is what was not.
type Report struct {
	Set          *Set
	Solution     *Solution
	Rotations    []*Rotation
	Bootstrap    *Bootstrapped
	Displacement *Displaced
}

// Factor is a source in a few words.
type Factor struct {
	// Share is its part of the sum of what the model explains.
	Share float64 `json:"share"`
	// Species are those that it makes most of, with the percentage.
	Species []SpeciesShare `json:"species"`
}

// SpeciesShare is the percentage of a species that a factor makes.
type SpeciesShare struct {
	Name    string  `json:"name"`
	Percent float64 `json:"percent"`
}

// Factors gives for each factor the n species that it makes the largest part of.
func (r *Report) Factors(n int) []Factor {
	shares, f := r.Solution.Shares(), r.Solution.F
	total := 0.0
	for _, v := range f.Data {
		total += v
	}
	list := make([]Factor, f.Rows)
	for l := range list {
		for j, v := range f.Row(l) {
			list[l].Share += v / total
			list[l].Species = append(list[l].Species, SpeciesShare{r.Set.Species[j].Name, shares.At(l, j)})
		}
		slices.SortStableFunc(list[l].Species, func(a, b SpeciesShare) int { return cmp.Compare(b.Percent, a.Percent) })
		list[l].Species = list[l].Species[:min(n, len(list[l].Species))]
	}
	return list
}

// Text lists the species.
func (f *Factor) Text() string {
	var parts []string
	for _, s := range f.Species {
		parts = append(parts, fmt.Sprintf("%s %.0f%%", s.Name, s.Percent))
	}
	return strings.Join(parts, ", ")
}

// Chart draws for each factor its percentages of the species, as bars, and its
// contributions over the samples.
func (r *Report) Chart() *figure.Chart {
	c := &figure.Chart{Title: fmt.Sprintf("%d sources of %d species in %d samples", r.Solution.K(), len(r.Set.Species), r.Solution.G.Rows), Columns: 2, Width: 760, Height: 300}
	shares, factors := r.Solution.Shares(), r.Factors(1)
	for l := range r.Solution.K() {
		bars := figure.Panel{Title: fmt.Sprintf("Source %d: %.1f %% of what is explained", l+1, 100*factors[l].Share), YLabel: "% of species"}
		for j, v := range shares.Row(l) {
			bars.Bars = append(bars.Bars, figure.Bar{Label: r.Set.Species[j].Name, Value: v, Colour: figure.Colour(l)})
		}
		line := figure.Line{Colour: figure.Colour(l)}
		for i := range r.Solution.G.Rows {
			line.Y = append(line.Y, r.Solution.G.At(i, l))
		}
		names := r.Set.RowNames
		over := figure.Panel{Title: fmt.Sprintf("Contributions of source %d, of mean 1", l+1), XLabel: fmt.Sprintf("sample, from %s to %s", names[0], names[len(names)-1]), Lines: []figure.Line{line}}
		c.Panels = append(c.Panels, bars, over)
	}
	return c
}

// WriteTables writes .csv files to a folder: profiles (in the unit of the
// concentrations), percentages, contributions, residuals (over σ), species, and
// fpeak, bootstrap, mapping and displacement where there are any.
func (r *Report) WriteTables(folder string) error {
	s := r.Solution
	species := make([]string, len(r.Set.Species))
	for j, v := range r.Set.Species {
		species[j] = v.Name
	}
	factors := make([]string, s.K())
	for l := range factors {
		factors[l] = fmt.Sprintf("source %d", l+1)
	}
	tables := map[string][][]string{
		"profiles":      grid("species", species, factors, s.F.T()),
		"percentages":   grid("species", species, factors, s.Shares().T()),
		"contributions": grid("sample", r.Set.RowNames, factors, s.G),
		"residuals":     grid("sample", r.Set.RowNames, species, s.Scaled),
		"species":       r.speciesTable(),
	}
	for _, v := range r.Rotations {
		name := "fpeak_" + number(v.Strength)
		tables[name+"_profiles"] = grid("species", species, factors, v.F.T())
		tables[name+"_contributions"] = grid("sample", r.Set.RowNames, factors, v.G)
	}
	if b := r.Bootstrap; b != nil {
		tables["bootstrap"] = r.bootstrapTable()
		mapping := [][]string{append(append([]string{"resampled"}, factors...), "unmapped")}
		for l, row := range b.Mapped {
			line := []string{factors[l]}
			for _, n := range row {
				line = append(line, strconv.Itoa(n))
			}
			mapping = append(mapping, line)
		}
		tables["mapping"] = mapping
	}
	if d := r.Displacement; d != nil {
		lines := [][]string{{"source", "species", "low", "profile", "high"}}
		for l := range s.K() {
			for j, name := range species {
				lines = append(lines, []string{strconv.Itoa(l + 1), name, number(d.Low.At(l, j)), number(s.F.At(l, j)), number(d.High.At(l, j))})
			}
		}
		tables["displacement"] = lines
	}
	for name, lines := range tables {
		err := atomicfile.Write(filepath.Join(folder, name+".csv"), func(w io.Writer) error {
			return csv.NewWriter(w).WriteAll(lines)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func number(v float64) string {
	if v != v {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 8, 64)
}

// grid is a matrix with names; what is NaN is empty.
func grid(corner string, rows, columns []string, x *matrix.Dense[float64]) [][]string {
	lines := [][]string{append([]string{corner}, columns...)}
	for i, name := range rows {
		line := []string{name}
		for _, v := range x.Row(i) {
			line = append(line, number(v))
		}
		lines = append(lines, line)
	}
	return lines
}

func (r *Report) speciesTable() [][]string {
	lines := [][]string{{"species", "unit", "category", "signal_to_noise", "missing", "below_limit", "q_over_expected", "r2", "outliers"}}
	at := 0
	for _, s := range r.Set.All {
		line := []string{s.Name, s.Unit, string(s.Category), number(s.SignalToNoise), strconv.Itoa(s.Missing), strconv.Itoa(s.BelowLimit), "", "", ""}
		if s.Category != Bad {
			f := r.Solution.Fits[at]
			line[6], line[7], line[8] = number(f.QRatio), number(f.R2), strconv.Itoa(f.Outliers)
			at++
		}
		lines = append(lines, line)
	}
	return lines
}

func (r *Report) bootstrapTable() [][]string {
	lines := [][]string{{"source", "species", "profile", "p5", "p25", "p50", "p75", "p95"}}
	for l, row := range r.Bootstrap.Quantiles {
		for j, q := range row {
			line := []string{strconv.Itoa(l + 1), r.Set.Species[j].Name, number(r.Solution.F.At(l, j))}
			for _, v := range q {
				line = append(line, number(v))
			}
			lines = append(lines, line)
		}
	}
	return lines
}
