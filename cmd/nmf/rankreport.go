package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/report"
)

// plotFlag is the figure that rank and consensus draw of their own results.
type plotFlag struct {
	Plot string `group:"Report" placeholder:"FILE" help:"Draw the result, too: a .svg or .png."`
}

// check finds out before the work whether the figure can be drawn.
func (f *plotFlag) check(command string, others ...string) error {
	if f.Plot == "" {
		return nil
	}
	if !slices.Contains(report.FigureFormats(), f.format()) {
		return usagef(command, "--plot %s: a figure is written as %s; its name must end so", f.Plot, strings.Join(report.FigureFormats(), " or "))
	}
	return checkPicture(command, "figure", "--plot", f.Plot, others...)
}

func (f *plotFlag) format() string {
	return strings.TrimPrefix(strings.ToLower(filepath.Ext(f.Plot)), ".")
}

// draw draws a figure of the report's input.
func (f *plotFlag) draw(in *report.Input, figure string) error {
	if f.Plot == "" {
		return nil
	}
	return atomicfile.Write(f.Plot, func(w io.Writer) error { return report.Figure(w, in, figure, f.format(), nil) })
}

// rankSection gives a sweep as a report shows it.
func rankSection(r *rank.Result) *report.Rank {
	section := &report.Rank{Chosen: r.Recommended.K, Recommendation: r.Recommended.Why}
	for _, c := range rank.All() {
		drawn := report.Criterion{Name: capital(c.Title), About: capital(c.About) + ".", Better: c.Better}
		for i := range r.K {
			k := &r.K[i]
			v := c.Value(k)
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			p := report.Point{K: k.K, Value: v, Low: v, High: v}
			if se := c.Spread(k); se > 0 {
				p.Low, p.High = v-se, v+se
			}
			drawn.Points = append(drawn.Points, p)
		}
		if drawn.Points != nil {
			section.Criteria = append(section.Criteria, drawn)
		}
	}
	return section
}

// capital begins a text with a capital letter.
func capital(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}

// consensusSection gives a consensus as a report shows it.
func consensusSection[F matrix.Float](r *rank.Recurrent[F]) *report.Consensus {
	section := &report.Consensus{Runs: r.Runs, Cophenetic: float64(r.Cophenetic), Dispersion: float64(r.Dispersion)}
	for _, c := range r.Components {
		section.Stability = append(section.Stability, c.Stability)
	}
	section.Words = fmt.Sprintf("Of the components of %s, %d were kept and %d left out as far from all others.", plural(r.Runs, "run"), r.Kept, r.Outliers)
	if r.Matrix == nil {
		return section
	}
	_, order := r.Matrix.Clusters(len(r.Components))
	section.N = len(order)
	for _, i := range order {
		section.Order = append(section.Order, r.Matrix.Samples[i])
		for _, j := range order {
			section.Matrix = append(section.Matrix, float32(r.Matrix.At(i, j)))
		}
	}
	return section
}

// reportSweep writes the page and the figure of a sweep that were asked for: of
// the model of the recommended k, the best of its restarts, which is fitted
// again.
func reportSweep[F matrix.Float](a *app, c *rankCmd, in source, t *data.Table[F], fit *nmf.Options, r *rank.Result) error {
	if c.Report == "" && c.Plot == "" {
		return nil
	}
	k, seed := r.Recommended.K, fit.Seed
	if k == 0 {
		k = r.K[0].K
	}
	for i := range r.K {
		if r.K[i].K == k {
			seed = r.K[i].BestSeed
		}
	}
	o := *fit
	o.Runs, o.Seed = 1, seed
	if o.Init == "auto" {
		o.Init = "random"
	}
	model, err := fitTable(a, t, k, &o, c.Quiet)
	if err != nil {
		return inFile(in.name(), err)
	}
	return showResult(a, &c.reportFlags, &c.plotFlag, in, t, model, &report.Input{Rank: rankSection(r)}, "rank", c.Quiet)
}

// showResult writes the page and the figure that were asked for of a model, with
// what a sweep or a consensus has to say of it in page.
func showResult[F matrix.Float](a *app, f *reportFlags, plot *plotFlag, in source, t *data.Table[F], model *nmf.Model[F], page *report.Input, figure string, quiet bool) error {
	rows, _ := t.X.Dims()
	page.Model, page.X, page.Fitted = wider(model), report.FromMatrix(t.X), true
	page.Name = filepath.Base(filepath.Clean(in.name()))
	page.Drawing = report.Drawing{Kind: report.Guess(t.ColumnNames)}
	if err := a.describeSamples(page, f.Metadata, t.RowNames, rows, quiet); err != nil {
		return err
	}
	if f.Report != "" {
		if err := savePage(page, f.Report); err != nil {
			return err
		}
	}
	return plot.draw(page, figure)
}
