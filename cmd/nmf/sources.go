package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe/sources"
)

type sourcesCmd struct {
	Concentrations string `arg:"" optional:"" needed:"" help:"Concentrations, a .csv: a line of species, then a sample a line, its first field a date or name."`
	Uncertainties  string `arg:"" optional:"" needed:"" help:"Their uncertainties, of the same form; or two lines, detection limits and error fractions in per cent."`
	K              int    `short:"k" group:"Fit" type:"count" needed:"" default:"-2147483648" placeholder:"K" help:"Number of factors."`
	Output         string `short:"o" group:"Output" default:"sources.npz" placeholder:"FILE" help:"Model to write, an .npz file."`

	MissingCode      float64  `group:"Sources" type:"number" default:"-999" placeholder:"X" help:"Number that marks a missing value, beside empty cells and NA."`
	Gaps             string   `group:"Sources" type:"choice" default:"leave" placeholder:"NAME" help:"Missing values: leave them out of the fit, put the median of the species there with four times its uncertainty (EPA PMF), or drop the sample."`
	Negative         string   `group:"Sources" type:"choice" default:"error" placeholder:"NAME" help:"Concentrations below zero: an error, or taken for zero or for missing."`
	HalfLimit        bool     `group:"Sources" help:"Put half the detection limit where a concentration is at or below it."`
	ExtraUncertainty float64  `group:"Sources" type:"number" default:"0" placeholder:"PERCENT" help:"Extra modelling uncertainty, in per cent of the concentration."`
	AllStrong        bool     `group:"Sources" help:"Take all species for strong, whatever their signal to noise."`
	Strong           []string `group:"Sources" placeholder:"NAMES" help:"Species that are strong, with commas between."`
	Weak             []string `group:"Sources" placeholder:"NAMES" help:"Species that are weak: their uncertainty counts three times."`
	Bad              []string `group:"Sources" placeholder:"NAMES" help:"Species to leave out."`
	Robust           bool     `group:"Sources" help:"Downweight outliers, scaled residuals beyond 4."`
	Fpeak            string   `group:"Sources" placeholder:"LIST" help:"Strengths of rotations, with commas between, such as -0.5,0.5."`
	Bootstrap        int      `group:"Sources" type:"count" default:"0" placeholder:"N" help:"Bootstrap the profiles with N resamples of blocks of samples."`
	Block            int      `group:"Sources" type:"count" default:"0" placeholder:"N" help:"Samples in a block. Default: the cube root of their number."`
	Displace         bool     `group:"Sources" help:"Displace every entry of the profiles until Q has risen by --dq."`
	DQ               float64  `name:"dq" group:"Sources" type:"number" default:"4" placeholder:"X" help:"Rise of Q that ends a displacement."`

	Tables string `group:"Output" placeholder:"FOLDER" help:"Write profiles, contributions, scaled residuals, species, and what was asked for, a .csv each."`
	Chart  string `group:"Output" placeholder:"FILE" help:"Picture of profiles and contributions to write, an .svg; none for none. Default: named after the model."`
	doorFlags
}

func (c *sourcesCmd) examples() [][2]string {
	return [][2]string{
		{"nmf sources con.csv unc.csv -k 6", "six sources, the best of 20 starts"},
		{"nmf sources con.csv unc.csv -k 6 --robust --tables out", "outliers downweighted, tables"},
		{"nmf sources con.csv mdl.csv -k 5 --weak PM25 --extra-uncertainty 5", "uncertainties from detection limits"},
		{"nmf sources con.csv unc.csv -k 6 --bootstrap 100 --displace --tables out", "how sure the profiles are"},
	}
}

func (c *sourcesCmd) notes() string {
	return "Each cell weighs 1/uncertainty²; docs/sources.md has the definitions of Q, of the categories and of the intervals."
}

func (c *sourcesCmd) Run(a *app, ctx *kong.Context) error {
	if c.Concentrations == "" || c.Uncertainties == "" {
		return usagef("sources", "two files are needed: concentrations and uncertainties")
	}
	c.also = map[string]string{"precision": "f64"}
	d, err := c.enter(ctx, sources.Preset(), c.K, c.Output)
	if err != nil {
		return err
	}
	fpeak, err := parseStrengths(c.Fpeak)
	if err != nil {
		return usagef("sources", "--fpeak: %v", err)
	}
	if c.Bootstrap < 0 || c.Block < 0 || !(c.DQ > 0) {
		return usagef("sources", "--bootstrap and --block must be at least 0, and --dq above 0")
	}
	if c.ExtraUncertainty < 0 || c.ExtraUncertainty > 100 {
		return usagef("sources", "--extra-uncertainty is %v; it must be from 0 to 100 per cent", c.ExtraUncertainty)
	}
	if c.Chart, err = d.beside(c.Chart, ".svg"); err != nil {
		return err
	}
	if err := checkFolder(c.Tables); err != nil {
		return err
	}
	set, err := sources.Read(c.Concentrations, c.Uncertainties, &sources.Options{
		MissingCode: c.MissingCode, Missing: c.Gaps, Negative: c.Negative, HalfLimit: c.HalfLimit, Extra: c.ExtraUncertainty,
		AllStrong: c.AllStrong, Strong: c.Strong, Weak: c.Weak, Bad: c.Bad})
	if err != nil {
		return err
	}
	if c.Precision == "f64" {
		return apportion(a, c, d, set, &set.Table, fpeak)
	}
	t := &data.Table[float32]{X: matrix.Convert[float32](set.X), RowNames: set.RowNames, ColumnNames: set.ColumnNames, Notes: set.Notes}
	return apportion(a, c, d, set, t, fpeak)
}

func parseStrengths(text string) ([]float64, error) {
	var list []float64
	for _, part := range strings.Split(text, ",") {
		if text == "" {
			break
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || !(v >= -10 && v <= 10) {
			return nil, fmt.Errorf("%q is not a strength from -10 to 10", part)
		}
		list = append(list, v)
	}
	return list, nil
}

func apportion[F matrix.Float](a *app, c *sourcesCmd, d *door, set *sources.Set, t *data.Table[F], fpeak []float64) error {
	weights := set.Weights()
	model, err := fitUnsaved(a, d, c.Concentrations, t, func(o *nmf.Options) { o.Weights = weights })
	if err != nil {
		return err
	}
	if c.Robust && !wasCancelled(&model.Info) {
		if model, err = fitRobust(a, c, d, set, t, sources.Solve(set, model)); err != nil {
			return err
		}
	} else if err := d.saveBeside("weights", "weights", weights); err != nil {
		return err
	}
	if err := errors.Join(saveModel(a, model, d.out, c.Quiet), writePage(a, d, c.Concentrations, t, model)); err != nil {
		return err
	}
	if err := cancelled(&model.Info, d.out); err != nil {
		return err
	}
	r := &sources.Report{Set: set, Solution: sources.Solve(set, model)}
	err = a.interrupts.during("nmf: stopping; the model is saved (Ctrl-C again quits at once)\n", func(ctx context.Context) error {
		return c.examine(ctx, r, fpeak)
	})
	if errors.Is(err, context.Canceled) {
		return &statusError{1, fmt.Sprintf("interrupted: the model is in %s, what was asked for beside it is not done", d.out.path)}
	}
	if err != nil {
		return err
	}
	if c.Tables != "" {
		if err := r.WriteTables(c.Tables); err != nil {
			return err
		}
	}
	if c.Chart != "" {
		if err := atomicfile.Write(c.Chart, r.Chart().WriteSVG); err != nil {
			return err
		}
	}
	return showSources(a, c, d, r, &model.Info)
}

// wasCancelled reports whether a fit was interrupted.
func wasCancelled(i *nmf.Info) bool { return cancelled(i, modelOutput{}) != nil }

// fitRobust finds the weights of a robust fit and makes the model with them.
func fitRobust[F matrix.Float](a *app, c *sourcesCmd, d *door, set *sources.Set, t *data.Table[F], from *sources.Solution) (*nmf.Model[F], error) {
	var best *sources.Solution
	var weights *matrix.Dense[float64]
	err := a.interrupts.during("nmf: stopping\n", func(ctx context.Context) error {
		starts, err := set.Unweighted(ctx, d.k, c.Runs, c.Seed, c.Threads)
		if err != nil {
			return err
		}
		best, weights, err = set.Robust(ctx, append(starts, from), c.Threads)
		return err
	})
	if errors.Is(err, context.Canceled) {
		return nil, &statusError{1, "interrupted before the robust fit was done: no model is saved"}
	}
	if err != nil {
		return nil, err
	}
	o, err := d.options(a, c.Threads, c.Quiet)
	if err != nil {
		return nil, err
	}
	o.Weights, o.W, o.H, o.Runs = weights, best.G, best.F, 1
	d.fitFlags = slices.DeleteFunc(d.fitFlags, func(f string) bool { return strings.HasPrefix(f, "--runs") })
	if err := errors.Join(d.saveBeside("weights", "weights", weights), d.saveBeside("w", "init-w", best.G), d.saveBeside("h", "init-h", best.F)); err != nil {
		return nil, err
	}
	return fitTable(a, t, d.k, o, c.Quiet)
}

// examine does what was asked for beside the model.
func (c *sourcesCmd) examine(ctx context.Context, r *sources.Report, fpeak []float64) (err error) {
	for _, strength := range fpeak {
		turned, err := r.Set.Fpeak(ctx, r.Solution, strength, c.Threads)
		if err != nil {
			return err
		}
		r.Rotations = append(r.Rotations, turned)
	}
	if c.Bootstrap > 0 {
		r.Bootstrap, err = r.Set.Bootstrap(ctx, r.Solution, &sources.BootstrapOptions{Resamples: c.Bootstrap, Block: c.Block, Seed: c.Seed, Threads: c.Threads})
		if err != nil {
			return err
		}
	}
	if c.Displace {
		r.Displacement, err = r.Set.Displace(ctx, r.Solution, c.DQ, c.Threads)
	}
	return err
}

func showSources(a *app, c *sourcesCmd, d *door, r *sources.Report, info *nmf.Info) error {
	counts := map[sources.Category]int{}
	for _, s := range r.Set.All {
		counts[s.Category]++
	}
	if c.JSON {
		return a.printJSON(struct {
			Samples int               `json:"samples"`
			Species []sources.Species `json:"species"`
			*sources.Solution
			Factors      []sources.Factor    `json:"factors"`
			Rotations    []*sources.Rotation `json:"rotations,omitempty"`
			Bootstrap    *bootstrapText      `json:"bootstrap,omitempty"`
			Displacement *displaceText       `json:"displacement,omitempty"`
			Model        string              `json:"model"`
			Fit          nmf.Info            `json:"fit"`
		}{r.Solution.G.Rows, r.Set.All, r.Solution, r.Factors(5), r.Rotations, bootstrapOf(r.Bootstrap), displaceOf(r.Displacement), d.out.path, withoutTrace(*info)})
	}
	if c.Quiet {
		return nil
	}
	s := r.Solution
	a.printf("read    %s: %s, %s: %d strong, %d weak, %d bad\n", c.Concentrations, plural(s.G.Rows, "sample"), fmt.Sprintf("%d species", len(r.Set.All)),
		counts[sources.Strong], counts[sources.Weak], counts[sources.Bad])
	a.printf("fit     k = %d: Q true %.1f, Q robust %.1f, %s beyond 4 uncertainties\n", s.K(), s.Q, s.QRobust, plural(s.Outliers, "residual"))
	if s.QExpected > 0 {
		a.printf("expect  Q %.0f; Q true is %.3g of it, Q robust %.3g\n", s.QExpected, s.Q/s.QExpected, s.QRobust/s.QExpected)
	} else {
		a.printf("expect  nothing: there are fewer measurements than numbers in the factors\n")
	}
	a.printf("end     %s\n", statusText(info))
	for _, v := range r.Rotations {
		a.printf("fpeak   %g: Q true %.1f, which is %.1f more\n", v.Strength, v.Q, v.DQ)
	}
	if b := r.Bootstrap; b != nil {
		a.printf("boot    %s in blocks of %d; factors found again: %s\n", plural(b.Resamples, "resample"), b.Block, foundAgain(b))
	}
	if v := r.Displacement; v != nil {
		a.printf("disp    by a rise of Q of %g: %s swapped, Q fell by %.3g at most%s\n", v.DQ, plural(sum(v.Swaps), "factor"), v.LargestFall, openText(v.Open))
	}
	a.printf("factors with their part of what is explained, and the species that they make most of:\n")
	for i, f := range r.Factors(5) {
		a.printf("%3d %6.1f%%  %s\n", i+1, 100*f.Share, f.Text())
	}
	if c.Tables != "" {
		a.printf("tables  %s\n", c.Tables)
	}
	if c.Chart != "" {
		a.printf("look    %s\n", c.Chart)
	}
	a.printf("model   %s\n", d.out.path)
	d.again(a)
	return nil
}

func sum(list []int) (total int) {
	for _, v := range list {
		total += v
	}
	return total
}

func openText(open int) string {
	if open == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of intervals not found", plural(open, "end"))
}

// foundAgain says for each factor in how many resamples it was found again.
func foundAgain(b *sources.Bootstrapped) string {
	var list []string
	for l, row := range b.Mapped {
		list = append(list, fmt.Sprintf("%d in %s", l+1, percent(float64(row[l])/float64(b.Resamples))))
	}
	return strings.Join(list, ", ")
}

// bootstrapText and displaceText are what --json says of the intervals, which are
// in the tables.
type bootstrapText struct {
	Resamples int     `json:"resamples"`
	Block     int     `json:"block"`
	Mapped    [][]int `json:"mapped"`
}

func bootstrapOf(b *sources.Bootstrapped) *bootstrapText {
	if b == nil {
		return nil
	}
	return &bootstrapText{b.Resamples, b.Block, b.Mapped}
}

type displaceText struct {
	DQ          float64 `json:"dq"`
	Swaps       []int   `json:"swaps"`
	LargestFall float64 `json:"largest_fall"`
	Open        int     `json:"open"`
}

func displaceOf(v *sources.Displaced) *displaceText {
	if v == nil {
		return nil
	}
	return &displaceText{v.DQ, v.Swaps, v.LargestFall, v.Open}
}
