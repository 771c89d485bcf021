package main

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/report"
)

type plotCmd struct {
	Model  string  `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' or 'nmf topics' wrote."`
	Input  string  `arg:"" optional:"" help:"Data that the model was fitted to, which the figure residuals needs."`
	Output string  `short:"o" group:"Output" needed:"" placeholder:"FILE" help:"Picture to write: .svg or .png."`
	Figure string  `group:"Figure" type:"choice" default:"components" placeholder:"NAME" help:"What to draw."`
	N      int     `short:"n" group:"Figure" type:"count" default:"8" placeholder:"N" help:"Features of each component, where they are bars."`
	Width  float64 `group:"Figure" type:"number" default:"180" placeholder:"MM" help:"Width in millimetres: 180 is two columns of a journal, 88 one."`
	DPI    int     `name:"dpi" group:"Figure" type:"count" default:"300" placeholder:"N" help:"Dots an inch of a .png."`
	drawFlags
	inputFlags
	machineFlags
	outputFlags
}

func (c *plotCmd) examples() [][2]string {
	return [][2]string{
		{"nmf plot model.npz -o components.svg", "the components"},
		{"nmf plot model.npz -o convergence.png --figure convergence", "loss and KKT residual"},
		{"nmf plot faces.npz -o faces.png --image 19x19", "components as pictures"},
		{"nmf plot model.npz counts.csv -o residuals.svg --figure residuals --width 88", "one column wide"},
	}
}

func (c *plotCmd) notes() string {
	return "Text in a .svg stays text; a .png holds Latin, Greek and Cyrillic letters alone. docs/report.md shows what each figure is."
}

// plotFigures are the figures that a model and its data are enough for.
func plotFigures() []string {
	return []string{"convergence", "components", "heatmap", "embedding", "similarity", "residuals"}
}

func (c *plotCmd) Run(a *app) error {
	if err := errors.Join(checkModelPath("plot", c.Model), c.machineFlags.check("plot")); err != nil {
		return err
	}
	format, err := c.format()
	if err != nil {
		return err
	}
	if c.Figure == "residuals" && c.Input == "" {
		return usagef("plot", "residuals need the data that the model was fitted to: nmf plot MODEL INPUT")
	}
	if err := checkPicture("plot", "figure", "-o", c.Output, c.Model, c.Input); err != nil {
		return err
	}
	in, err := reportInput(a, "plot", c.Model, c.Input, "", &c.drawFlags, &c.inputFlags, c.Threads, c.Quiet)
	if err != nil {
		return err
	}
	o := &report.FigureOptions{Width: c.Width, DPI: c.DPI, Features: c.N}
	if err := atomicfile.Write(c.Output, func(w io.Writer) error { return report.Figure(w, in, c.Figure, format, o) }); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(struct {
			Output string `json:"output"`
			Figure string `json:"figure"`
		}{c.Output, c.Figure})
	}
	if !c.Quiet && !isStdout(c.Output) {
		a.printf("wrote %s: %s\n", c.Output, c.Figure)
	}
	return nil
}

// format goes by the extension of the output, and makes sure of the numbers.
func (c *plotCmd) format() (string, error) {
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(c.Output)), ".")
	switch {
	case c.Output == "":
		return "", usagef("plot", "the picture to write is missing: name it with -o, such as -o %s.svg", c.Figure)
	case !slices.Contains(report.FigureFormats(), format):
		return "", usagef("plot", "%s: a figure is written as %s; its name must end so", c.Output, strings.Join(report.FigureFormats(), " or "))
	case c.N < 1:
		return "", usagef("plot", "-n is %d; it must be at least 1", c.N)
	case !(c.Width >= 40 && c.Width <= 2000):
		return "", usagef("plot", "--width is %v; it must be from 40 to 2000 mm", c.Width)
	case c.DPI < 20 || c.DPI > 1200:
		return "", usagef("plot", "--dpi is %d; it must be from 20 to 1200", c.DPI)
	}
	return format, nil
}
