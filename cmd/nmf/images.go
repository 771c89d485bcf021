package main

import (
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe/images"
	"github.com/partsof/nmf/report"
)

type imagesCmd struct {
	Input  []string `arg:"" optional:"" needed:"" help:"Folders and files of pictures (png, jpeg, gif, pgm, ppm), or one matrix or array of pixels (.npy, .mat, .csv, ...)."`
	K      int      `short:"k" group:"Fit" type:"count" needed:"" default:"-2147483648" placeholder:"K" help:"Number of components."`
	Output string   `short:"o" group:"Output" default:"images.npz" placeholder:"FILE" help:"Model to write, an .npz file."`

	Parts       bool   `group:"Images" help:"Look for parts: every component gets Hoyer's sparseness 0.75, or that of --sparseness-h."`
	Colour      bool   `group:"Images" help:"Keep colours; otherwise pictures become grey."`
	Crop        string `group:"Images" placeholder:"WxH+X+Y" help:"Cut out a rectangle first; WxH is one about the middle."`
	Resize      string `group:"Images" placeholder:"WxH" help:"Bring every picture to this size."`
	Standardise bool   `group:"Images" help:"Give every picture the mean 0.25 and the standard deviation 0.25, clipped to 0 to 1 (Lee & Seung 1999)."`

	Montage     string `group:"Output" placeholder:"FILE" help:"Picture of all components to write, a .png; none for none. Default: named after the model."`
	Light       bool   `group:"Output" help:"Draw it on a light ground, grey components as ink."`
	Reconstruct string `group:"Output" placeholder:"FOLDER" help:"Write every image as the model has it, a .png each."`
	SaveWeights string `group:"Output" placeholder:"FILE" help:"Write the weights of the images, W, as a table."`

	Columns string `group:"Input" placeholder:"A-B" help:"Columns of a matrix that are pixels, counted from 1. Default: all."`
	gridFlags
	inputFlags
	doorFlags
}

func (c *imagesCmd) examples() [][2]string {
	return [][2]string{
		{"nmf images faces/ -k 49", "a folder of pictures of one size"},
		{"nmf images photos/ -k 25 --crop 600x600 --resize 64x64 --colour", "photographs"},
		{"nmf images faces/ -k 49 --parts --light -o parts.npz", "sparse parts, drawn as ink"},
		{"nmf images CBCL_Face.mat --transpose --width 19 --height 19 --order column -k 49", "a MATLAB matrix, pixels x images"},
	}
}

func (c *imagesCmd) notes() string {
	return "A row of the matrix is an image, a column a pixel; docs/images.md says how pictures become numbers."
}

func (c *imagesCmd) Run(a *app, ctx *kong.Context) error {
	if len(c.Input) == 0 {
		return usagef("images", "the folder or files of pictures are missing")
	}
	preset := &nmf.Options{}
	if c.Parts {
		preset = images.Parts()
	}
	d, err := c.enter(ctx, preset, c.K, c.Output, c.Input...)
	if err != nil {
		return err
	}
	o, err := c.imageOptions()
	if err != nil {
		return err
	}
	if c.Montage, err = d.beside(c.Montage, ".png"); err != nil {
		return err
	}
	if err := errors.Join(d.checkTables(c.SaveWeights), checkFolder(c.Reconstruct)); err != nil {
		return err
	}
	if c.Precision == "f64" {
		return findParts[float64](a, c, d, o)
	}
	return findParts[float32](a, c, d, o)
}

func (c *imagesCmd) imageOptions() (*images.Options, error) {
	o := &images.Options{Colour: c.Colour, Standardise: c.Standardise, Grid: c.grid(), Threads: c.Threads}
	var err error
	if o.Crop, err = images.ParseCrop(c.Crop); err != nil {
		return nil, usagef("images", "--%v", optionText(err))
	}
	if o.Width, o.Height, err = images.ParseSize(c.Resize); err != nil {
		return nil, usagef("images", "--resize: %v", optionText(err))
	}
	if o.Columns, err = images.ParseRange(c.Columns); err != nil {
		return nil, usagef("images", "--%v", optionText(err))
	}
	o.Read, err = c.reading("images", &c.inputFlags)
	return o, errors.Join(err, notNegative("images", "width", c.Width), notNegative("images", "height", c.Height))
}

func findParts[F matrix.Float](a *app, c *imagesCmd, d *door, o *images.Options) error {
	set, err := images.Read[F](c.Input, o)
	if err != nil {
		file := c.Input[0]
		var of *fs.PathError
		if errors.As(err, &of) {
			file = of.Path
		}
		return systemError(file, err)
	}
	input := strings.Join(c.Input, " ")
	if len(c.Input) > 1 {
		input = plural(len(c.Input), "input")
	}
	if set.Shape.Channels == 1 {
		d.drawing = report.Drawing{Kind: report.Image, Width: set.Shape.Width, Height: set.Shape.Height}
	}
	model, err := fitPrepared(a, d, input, &set.Table)
	if err != nil {
		return err
	}
	if c.Montage != "" {
		err := atomicfile.Write(c.Montage, func(w io.Writer) error { return png.Encode(w, images.Montage(model, set.Shape, c.Light)) })
		if err != nil {
			return err
		}
	}
	if c.SaveWeights != "" {
		if err := writeWeights(c.SaveWeights, model); err != nil {
			return err
		}
	}
	if c.Reconstruct != "" {
		if err := images.WriteReconstructions(c.Reconstruct, model, set); err != nil {
			return err
		}
	}
	if err := showImages(a, c, d, input, set, model); err != nil {
		return err
	}
	return cancelled(&model.Info, d.out)
}

func showImages[F matrix.Float](a *app, c *imagesCmd, d *door, input string, set *images.Set[F], m *nmf.Model[F]) error {
	sparseness := images.MeanSparseness(m)
	if c.JSON {
		return a.printJSON(struct {
			Images     int      `json:"images"`
			Width      int      `json:"width"`
			Height     int      `json:"height"`
			Channels   int      `json:"channels"`
			Sparseness float64  `json:"sparseness"`
			Model      string   `json:"model"`
			Montage    string   `json:"montage,omitempty"`
			Fit        nmf.Info `json:"fit"`
		}{m.W.Rows, set.Shape.Width, set.Shape.Height, set.Shape.Channels, sparseness, d.out.path, c.Montage, withoutTrace(m.Info)})
	}
	if c.Quiet {
		return nil
	}
	a.summarize(input, fmt.Sprintf("%s of %s", plural(m.W.Rows, "image"), set.Shape), &m.Info)
	a.printf("parts   Hoyer's sparseness of the components is %.3f on average; 0 is even, 1 a single pixel\n", sparseness)
	if c.Montage != "" {
		a.printf("look    %s\n", c.Montage)
	}
	a.printf("model   %s, look at it with: nmf top %s\n", d.out.path, shellWord(d.out.path))
	d.again(a)
	return nil
}

// optionText is the message of an error without the sentinel before it.
func optionText(err error) string {
	_, text, found := strings.Cut(err.Error(), ": ")
	if !found {
		return err.Error()
	}
	return text
}

// checkFolder finds out before the work whether files can be made in a folder,
// which it makes where it is not there. "" is none.
func checkFolder(path string) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return atomicfile.Check(path + "/.nmf")
}
