package main

import (
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe/spectra"
	"github.com/partsof/nmf/report"
)

type spectraCmd struct {
	Input  string `arg:"" optional:"" needed:"" help:"Spectra: an ENVI image (.hdr or its data), a .npy cube, or a matrix, a row a pixel or sample."`
	K      int    `short:"k" group:"Fit" type:"count" needed:"" default:"-2147483648" placeholder:"K" help:"Number of endmembers."`
	Output string `short:"o" group:"Output" default:"spectra.npz" placeholder:"FILE" help:"Model to write, an .npz file."`

	KeepBrightness bool `group:"Spectra" help:"Leave spectra as they are; otherwise each is divided by its mean, so that what counts is its form."`
	Clip           bool `group:"Spectra" help:"Make values below zero zero."`

	Reference           string `group:"Spectra" placeholder:"FILE" help:"Endmembers to compare with, a row each: matched by spectral angle."`
	ReferenceAbundances string `group:"Spectra" placeholder:"FILE" help:"Abundances that go with --reference: a row for each spectrum, a column for each of its endmembers."`

	Plot       string `group:"Output" placeholder:"FILE" help:"Plot of the endmembers to write, an .svg; none for none. Default: named after the model."`
	Maps       string `group:"Output" placeholder:"FILE" help:"Maps of the abundances to write, a .png, where the spectra are a picture; none for none. Default: named after the model."`
	Light      bool   `group:"Output" help:"Draw the maps as ink on a light ground."`
	Abundances string `group:"Output" placeholder:"FILE" help:"Write the abundances, W, as a table."`
	Endmembers string `group:"Output" placeholder:"FILE" help:"Write the endmembers, H, as a table."`

	BandsFirst bool `group:"Input" help:"A .npy cube is bands x height x width; otherwise height x width x bands."`
	gridFlags
	inputFlags
	doorFlags
}

func (c *spectraCmd) examples() [][2]string {
	return [][2]string{
		{"nmf spectra scene.hdr -k 5", "an ENVI image"},
		{"nmf spectra cube.npy -k 3 --reference library.csv", "a cube, beside known endmembers"},
		{"nmf spectra Samson.mat --key Y --transpose --width 95 --height 95 --order column -k 3", "a MATLAB matrix, bands x pixels"},
		{"nmf spectra raman.csv -k 4 --keep-brightness --simplex-w=false", "samples whose strength counts"},
	}
}

func (c *spectraCmd) notes() string {
	return "The preset is --init spa --simplex-w --spread-h 0.001: abundances sum to one, and the simplex of endmembers is small. docs/spectra.md says what is done to the spectra."
}

func (c *spectraCmd) Run(a *app, ctx *kong.Context) error {
	switch {
	case c.Input == "":
		return usagef("spectra", "the file of spectra is missing")
	case c.ReferenceAbundances != "" && c.Reference == "":
		return usagef("spectra", "--reference-abundances goes with --reference, by whose endmembers the components are matched")
	}
	d, err := c.enter(ctx, spectra.Preset(), c.K, c.Output, c.Input)
	if err != nil {
		return err
	}
	o := &spectra.Options{KeepBrightness: c.KeepBrightness, Clip: c.Clip, Grid: c.grid(), BandsFirst: c.BandsFirst}
	o.Read, err = c.reading("spectra", &c.inputFlags)
	if err := errors.Join(err, notNegative("spectra", "width", c.Width), notNegative("spectra", "height", c.Height)); err != nil {
		return err
	}
	if c.Plot, err = d.beside(c.Plot, ".svg"); err != nil {
		return err
	}
	if c.Maps, err = d.beside(c.Maps, ".png"); err != nil {
		return err
	}
	if err := d.checkTables(c.Abundances, c.Endmembers); err != nil {
		return err
	}
	if c.Precision == "f64" {
		return unmix[float64](a, c, d, o)
	}
	return unmix[float32](a, c, d, o)
}

func unmix[F matrix.Float](a *app, c *spectraCmd, d *door, o *spectra.Options) error {
	set, err := spectra.Read[F](c.Input, o)
	if err != nil {
		return systemError(c.Input, err)
	}
	var reference *spectra.Reference
	if c.Reference != "" {
		if reference, err = spectra.ReadReference(c.Reference, c.ReferenceAbundances, set); err != nil {
			return err
		}
	}
	if set.Grid.Len() == 0 {
		c.Maps = ""
	}
	d.drawing = report.Drawing{Kind: report.Profile, Axis: "band"}
	if set.Wavelengths != nil && slices.IsSorted(set.Wavelengths) {
		d.drawing.Axis, d.drawing.Positions = "wavelength", set.Wavelengths
		if set.Unit != "" {
			d.drawing.Axis += " (" + set.Unit + ")"
		}
	}
	model, err := fitPrepared(a, d, c.Input, &set.Table)
	if err != nil {
		return err
	}
	var compared *spectra.Comparison
	if reference != nil {
		compared = spectra.Compare(model, reference)
	}
	if c.Plot != "" {
		if err := atomicfile.Write(c.Plot, spectra.Plot(model, set, reference, compared).WriteSVG); err != nil {
			return err
		}
	}
	if c.Maps != "" {
		if err := atomicfile.Write(c.Maps, func(w io.Writer) error { return png.Encode(w, spectra.Maps(model, set, c.Light)) }); err != nil {
			return err
		}
	}
	if c.Abundances != "" {
		if err := writeWeights(c.Abundances, model); err != nil {
			return err
		}
	}
	if c.Endmembers != "" {
		t := &data.Table[F]{X: model.H, RowNames: componentNames(model.K()), ColumnNames: model.ColumnNames}
		if err := data.Write(c.Endmembers, t, nil); err != nil {
			return err
		}
	}
	if err := showSpectra(a, c, d, set, model, compared); err != nil {
		return err
	}
	return cancelled(&model.Info, d.out)
}

func showSpectra[F matrix.Float](a *app, c *spectraCmd, d *door, set *spectra.Set[F], m *nmf.Model[F], compared *spectra.Comparison) error {
	means := spectra.MeanAbundances(m)
	if c.JSON {
		return a.printJSON(struct {
			Spectra        int                 `json:"spectra"`
			Bands          int                 `json:"bands"`
			MeanAbundances []float64           `json:"mean_abundances"`
			Reference      *spectra.Comparison `json:"reference,omitempty"`
			Model          string              `json:"model"`
			Plot           string              `json:"plot,omitempty"`
			Maps           string              `json:"maps,omitempty"`
			Fit            nmf.Info            `json:"fit"`
		}{m.W.Rows, m.H.Cols, means, compared, d.out.path, c.Plot, c.Maps, withoutTrace(m.Info)})
	}
	if c.Quiet {
		return nil
	}
	x := plural(len(set.Pixels), "spectrum")
	if len(set.Pixels) != 1 {
		x = thousands(len(set.Pixels)) + " spectra"
	}
	a.summarize(c.Input, x+" of "+plural(len(set.Bands), "band"), &m.Info)
	for i, v := range means {
		a.printf("%-8sendmember %d: mean abundance %.3f\n", map[bool]string{true: "parts"}[i == 0], i+1, v)
	}
	if compared != nil {
		for i, match := range compared.Matches {
			head := map[bool]string{true: "match"}[i == 0]
			if match.Component < 0 {
				a.printf("%-8s%s: no component is left for it\n", head, shown(match.Name))
				continue
			}
			a.printf("%-8s%s is endmember %d: spectral angle %.4f rad (%.1f°)%s\n", head, shown(match.Name), match.Component+1, match.Angle, match.Angle*180/math.Pi, rmseText(c, match.RMSE))
		}
		a.printf("mean    spectral angle %.4f rad%s\n", compared.MeanAngle, rmseText(c, compared.RMSE))
	}
	for _, f := range []string{c.Plot, c.Maps} {
		if f != "" {
			a.printf("look    %s\n", f)
		}
	}
	a.printf("model   %s, look at it with: nmf top %s\n", d.out.path, shellWord(d.out.path))
	d.again(a)
	return nil
}

func rmseText(c *spectraCmd, rmse float64) string {
	if c.ReferenceAbundances == "" {
		return ""
	}
	return fmt.Sprintf(", RMSE of the abundances %.4f", rmse)
}
