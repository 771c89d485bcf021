package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// robustStarts is how many fits without weights a robust fit also starts at.
const robustStarts = 4

func apportion[F matrix.Float](a *app, c *sourcesCmd, d *door, set *sources.Set, t *data.Table[F], fpeak []float64) error {
	weights := set.Weights()
	model, err := fitUnsaved(a, d, c.Concentrations, t, func(o *nmf.Options) { o.Weights = weights })
	if err != nil {
		return err
	}
	runs := model.Info.Runs
	sol := sources.Solve(set, model)
	if c.Robust && model.Info.Status != nmf.Cancelled {
		if weights, err = c.robust(a, set, sol); err != nil {
			return err
		}
		if model, err = c.settle(a, d, set, t, weights.at, weights.weights); err != nil {
			return err
		}
	}
	return nil
}
