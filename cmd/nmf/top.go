package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"strings"
)

type topCmd struct {
	Model   string `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' or 'nmf topics' wrote."`
	N       int    `short:"n" group:"Show" type:"count" default:"10" placeholder:"N" help:"Features, and samples, of each component."`
	By      string `group:"Show" type:"choice" default:"weight" placeholder:"NAME" help:"Order of the features."`
	Samples bool   `group:"Show" negatable:"" default:"true" help:"Show the top samples, too."`
	CSV     bool   `group:"Output" help:"Print one line a feature or sample as CSV."`
	outputFlags
}

func (c *topCmd) examples() [][2]string {
	return [][2]string{
		{"nmf top model.npz", "ten features and samples of each component"},
		{"nmf top model.npz -n 5 --by specificity", "what sets a component apart"},
		{"nmf top model.npz --csv > top.csv", "for a spreadsheet"},
	}
}

func (c *topCmd) notes() string {
	return "The weight of a feature is its part of the component (a row of H sums to 1), that of a sample its part of all that there is of the component (a column of W sums to 1). The share is the component's part of the sum over the fit. Specificity is h·ln(h/mean) for a weight h and the feature's mean weight over all components: by weight alone, features that are common everywhere head every component."
}

func (c *topCmd) Run(a *app) error {
	if err := checkModelPath("top", c.Model); err != nil {
		return err
	}
	if c.N < 1 {
		return usagef("top", "-n is %d; it must be at least 1", c.N)
	}
	if c.CSV && c.JSON {
		return usagef("top", "--csv and --json exclude each other")
	}
	m, err := loadModel[float64](c.Model)
	if err != nil {
		return err
	}
	samples := 0
	if c.Samples {
		samples = c.N
	}
	list, err := components(m, c.N, samples, c.By)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		return a.printJSON(list)
	case c.CSV:
		return a.printTopCSV(list)
	}
	if !c.Quiet {
		i := &m.Info
		a.printf("%s: %s of %s x %s, relative error %.4g\n\n", c.Model, plural(m.K(), "component"),
			plural(i.Rows, "sample"), plural(i.Columns, "feature"), i.RelativeError)
	}
	a.printComponents(list, c.By, terminalWidth())
	return nil
}

func (a *app) printTopCSV(list []component) error {
	w := csv.NewWriter(a.stdout)
	records := [][]string{{"component", "share", "kind", "rank", "index", "name", "weight", "specificity"}}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 9, 64) }
	for _, c := range list {
		for i, e := range c.Features {
			records = append(records, []string{fmt.Sprint(c.Number), number(c.Share), "feature", fmt.Sprint(i + 1), fmt.Sprint(e.Index), e.Name, number(e.Weight), number(*e.Specificity)})
		}
		for i, e := range c.Samples {
			records = append(records, []string{fmt.Sprint(c.Number), number(c.Share), "sample", fmt.Sprint(i + 1), fmt.Sprint(e.Index), e.Name, number(e.Weight), ""})
		}
	}
	return w.WriteAll(records)
}

// Widths of the names in a block of a component.
const (
	leastName = 9
	mostName  = 32
	gap       = 3
)

// printComponents shows the components as blocks, as many side by side as
// there is room for.
func (a *app) printComponents(list []component, by string, width int) {
	features, samples := 0, 0
	for _, c := range list {
		for _, e := range c.Features {
			features = max(features, displayWidth(shown(e.Name)))
		}
		for _, e := range c.Samples {
			samples = max(samples, displayWidth(shown(e.Name)))
		}
	}
	l := layout{features: clampName(features), by: by}
	if samples > 0 {
		l.samples = clampName(samples)
	}
	l.shrink(width)
	side := max(1, (width+gap)/(l.width()+gap))
	for first := 0; first < len(list); first += side {
		if first > 0 {
			a.printf("\n")
		}
		var blocks [][]string
		for _, c := range list[first:min(first+side, len(list))] {
			blocks = append(blocks, l.block(c))
		}
		a.printSideBySide(blocks, l.width())
	}
}

func clampName(width int) int { return max(leastName, min(width, mostName)) }

func (a *app) printSideBySide(blocks [][]string, width int) {
	lines := 0
	for _, b := range blocks {
		lines = max(lines, len(b))
	}
	for i := range lines {
		var line strings.Builder
		for _, b := range blocks {
			text := ""
			if i < len(b) {
				text = b[i]
			}
			line.WriteString(padRight(text, width+gap))
		}
		a.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

// layout is how a component is shown: a column of features and one of samples,
// each with its weights.
type layout struct {
	// features and samples are the widths of their names; samples is 0 where
	// there are none.
	features, samples int
	by                string
}

const weightWidth = 8

func (l layout) width() int {
	w := l.features + weightWidth
	if l.by == "specificity" {
		w += weightWidth + 1
	}
	if l.samples > 0 {
		w += gap + l.samples + weightWidth
	}
	return w
}

// shrink narrows the names until a block fits.
func (l *layout) shrink(width int) {
	for l.width() > width {
		switch {
		case l.samples >= l.features && l.samples > leastName:
			l.samples--
		case l.features > leastName:
			l.features--
		default:
			return
		}
	}
}

func (l layout) block(c component) []string {
	head := fmt.Sprintf("component %d, share %s", c.Number, percent(c.Share))
	if c.Scale == 0 {
		return []string{fmt.Sprintf("component %d, dead: k is more than the data needs", c.Number)}
	}
	titles := l.line("feature", "weight", "specific", "sample", "weight")
	lines := []string{head, titles}
	fd, sd := decimals(c.Features), decimals(c.Samples)
	for i := range max(len(c.Features), len(c.Samples)) {
		var feature, weight, specific, sample, sampleWeight string
		if i < len(c.Features) {
			e := c.Features[i]
			feature, weight, specific = shown(e.Name), fixed(e.Weight, fd), fixed(*e.Specificity, fd)
		}
		if i < len(c.Samples) {
			sample, sampleWeight = shown(c.Samples[i].Name), fixed(c.Samples[i].Weight, sd)
		}
		lines = append(lines, l.line(feature, weight, specific, sample, sampleWeight))
	}
	return lines
}

func (l layout) line(feature, weight, specific, sample, sampleWeight string) string {
	s := padRight(cut(feature, l.features), l.features) + padLeft(weight, weightWidth)
	if l.by == "specificity" {
		s += padLeft(specific, weightWidth+1)
	}
	if l.samples > 0 {
		s += strings.Repeat(" ", gap) + padRight(cut(sample, l.samples), l.samples) + padLeft(sampleWeight, weightWidth)
	}
	return strings.TrimRight(s, " ")
}

// decimals are the digits that show the largest weight to three of them.
func decimals(list []entry) int {
	largest := 0.0
	for _, e := range list {
		largest = max(largest, 100*e.Weight)
	}
	if largest == 0 {
		return 0
	}
	return max(0, min(4, 2-int(math.Floor(math.Log10(largest)))))
}

// fixed writes a part as a percentage with so many decimals.
func fixed(v float64, decimals int) string {
	return strconv.FormatFloat(100*v, 'f', decimals, 64) + "%"
}
