package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/report"
)

// drawFlags say how components are drawn.
type drawFlags struct {
	Draw     string `group:"Report" type:"choice" default:"auto" placeholder:"KIND" help:"What a component is (auto is image with --image, signatures96 where the names are those of its classes, bars otherwise)."`
	Image    string `group:"Report" placeholder:"WxH" help:"Width and height of the picture that the features are the pixels of, row by row."`
	ByColumn bool   `group:"Report" help:"The pixels of --image go column by column."`
	Axis     string `group:"Report" placeholder:"TEXT" help:"Name of the axis of a profile or a spectrum, such as \"wavelength (nm)\". Features whose names are rising numbers, with or without a unit, are placed by them."`
}

// drawing gives what the flags say about a model with such features.
func (f *drawFlags) drawing(command string, names []string, features int) (report.Drawing, error) {
	d := report.Drawing{Kind: report.Kind(f.Draw), Axis: f.Axis, ColumnMajor: f.ByColumn}
	if f.Image != "" {
		w, h, ok := strings.Cut(strings.ToLower(f.Image), "x")
		var errW, errH error
		d.Width, errW = strconv.Atoi(w)
		d.Height, errH = strconv.Atoi(h)
		switch {
		case !ok || errW != nil || errH != nil || d.Width < 1 || d.Height < 1:
			return d, usagef(command, "--image is %q; it must be a width and a height, such as 28x28", f.Image)
		case d.Width > features || d.Height > features || d.Width*d.Height != features:
			return d, usagef(command, "--image %s has %s pixels; the model has %s", f.Image, thousands(d.Width*d.Height), plural(features, "feature"))
		case d.Kind != "auto" && d.Kind != report.Image:
			return d, usagef(command, "--image and --draw %s exclude each other", d.Kind)
		}
		d.Kind = report.Image
		return d, nil
	}
	switch d.Kind {
	case report.Image:
		return d, usagef(command, "--draw image needs the width and height of the picture: say --image WxH")
	case report.Signatures:
		if features != 96 {
			return d, usagef(command, "--draw signatures96 needs 96 features; the model has %s", thousands(features))
		}
	case "auto":
		d.Kind = report.Guess(names)
	case report.Profile, report.Sound:
		d.Positions = report.PositionsIn(names)
	}
	return d, nil
}

// drawKinds are the values of --draw.
func drawKinds() []string {
	list := []string{"auto"}
	for _, k := range report.Kinds() {
		list = append(list, string(k))
	}
	return list
}

// reportFlags are those of the commands that make a report besides a model.
type reportFlags struct {
	Report   string `group:"Report" placeholder:"FILE" help:"Write an interactive report, too: one HTML page."`
	Metadata string `group:"Report" placeholder:"FILE" help:"CSV or TSV file that describes the samples, for the report."`
}

// check finds out before the work whether the report can be written.
func (f *reportFlags) check(command, model string, inputs ...string) error {
	if f.Report == "" {
		if f.Metadata != "" {
			return usagef(command, "--metadata is for a report: say --report FILE, too")
		}
		return nil
	}
	return checkPicture(command, "report", "--report", f.Report, append(inputs, model, f.Metadata)...)
}

// checkPicture refuses to write a report or a figure where it cannot be or over
// what is read.
func checkPicture(command, what, flag, path string, others ...string) error {
	if path == "-" {
		return usagef(command, "a %s is not written to standard output; name a file with %s", what, flag)
	}
	for _, other := range others {
		if path == other || sameFile(path, other) {
			return usagef(command, "the %s %s would replace %s: name another file with %s", what, path, other, flag)
		}
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		if _, err := nmf.ReadInfo(path); err == nil || errors.Is(err, nmf.ErrModelVersion) {
			return fmt.Errorf("%s exists and is a model, which a %s would replace: it is left alone; name another file, or remove it", path, what)
		}
	}
	return atomicfile.Check(path)
}

// begin makes, before the work, the input of the report of a model to come; nil
// where no report is wanted.
func (f *reportFlags) begin(a *app, name string, drawing report.Drawing, x report.Matrix, rowNames []string, rows int, quiet bool) (*report.Input, error) {
	if f.Report == "" {
		return nil, nil
	}
	in := &report.Input{Name: filepath.Base(filepath.Clean(name)), X: x, Fitted: true, Drawing: drawing}
	if x == nil {
		in.Notes = append(in.Notes, "the data does not fit in memory: residuals and originals are not shown")
	}
	return in, a.describeSamples(in, f.Metadata, rowNames, rows, quiet)
}

// finish writes the report once there is a model.
func (f *reportFlags) finish(in *report.Input, m *nmf.Model[float64]) error {
	if in == nil {
		return nil
	}
	in.Model = m
	return savePage(in, f.Report)
}

// describeSamples adds a file of metadata to a report.
func (a *app) describeSamples(in *report.Input, path string, rowNames []string, rows int, quiet bool) error {
	if path == "" {
		return nil
	}
	meta, notes, err := report.ReadMetadata(path, rowNames, rows)
	if err != nil {
		return systemError(path, err)
	}
	for _, n := range notes {
		a.note(quiet, "%s: %s", path, n)
	}
	in.Metadata = meta
	return nil
}

func savePage(in *report.Input, path string) error {
	err := atomicfile.Write(path, func(w io.Writer) error { return report.Write(w, in) })
	if err != nil {
		return fmt.Errorf("the report could not be saved: %w", err)
	}
	return nil
}

type reportCmd struct {
	Model    string `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' or 'nmf topics' wrote."`
	Input    string `arg:"" optional:"" help:"Data that the model was fitted to, for residuals and originals: a file, a 10x folder, or - for standard input."`
	Output   string `short:"o" group:"Output" placeholder:"FILE" help:"Page to write. Default: MODEL.html in the current folder."`
	Metadata string `group:"Report" placeholder:"FILE" help:"CSV or TSV file that describes the samples: a line of column names, then a line a sample."`
	drawFlags
	inputFlags
	machineFlags
	outputFlags
}

func (c *reportCmd) examples() [][2]string {
	return [][2]string{
		{"nmf report model.npz counts.csv -o report.html", "with residuals and originals"},
		{"nmf report model.npz --metadata samples.csv", "samples coloured by a column"},
		{"nmf report faces.npz faces.npy --image 19x19", "components as pictures"},
		{"nmf report topics.npz --draw words", "components as words"},
	}
}

func (c *reportCmd) notes() string {
	return "The page needs nothing else and asks nobody for anything: it can be sent to a colleague. It stays below 25 MB and says what it had to leave out; 'nmf view' shows that, too. docs/report.md explains what it shows."
}

func (c *reportCmd) Run(a *app) error {
	if err := errors.Join(checkModelPath("report", c.Model), c.machineFlags.check("report")); err != nil {
		return err
	}
	if c.Output == "" {
		c.Output = pageName(c.Model)
	}
	if err := checkPicture("report", "report", "-o", c.Output, c.Model, c.Input, c.Metadata); err != nil {
		return err
	}
	in, err := reportInput(a, "report", c.Model, c.Input, c.Metadata, &c.drawFlags, &c.inputFlags, c.Threads, c.Quiet)
	if err != nil {
		return err
	}
	if err := savePage(in, c.Output); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(written{Output: c.Output, Rows: in.Model.W.Rows, Columns: in.Model.H.Cols})
	}
	if !c.Quiet {
		size := ""
		if stat, err := os.Stat(c.Output); err == nil {
			size = ", " + byteText(float64(stat.Size()))
		}
		a.printf("wrote %s%s: open it in a browser\n", c.Output, size)
	}
	return nil
}

// pageName names a page after its model, in the current folder.
func pageName(model string) string {
	base := filepath.Base(filepath.Clean(model))
	return strings.TrimSuffix(strings.TrimSuffix(base, filepath.Ext(base)), ".model") + ".html"
}

// reportInput reads what a report shows: a model, and the data that it was
// fitted to where that is named.
func reportInput(a *app, command, model, input, metadata string, draw *drawFlags, read *inputFlags, threads int, quiet bool) (*report.Input, error) {
	m, err := loadModel[float64](model)
	if err != nil {
		return nil, err
	}
	in := &report.Input{Name: filepath.Base(filepath.Clean(model)), Model: m}
	if in.Drawing, err = draw.drawing(command, m.ColumnNames, m.H.Cols); err != nil {
		return nil, err
	}
	if input != "" {
		src, err := read.source(command, input, "the input", threads)
		if err != nil {
			return nil, err
		}
		if m.Info.Resolved.Missing == "nan" {
			src.options.Missing = data.MissingWords // the model was fitted around cells that are not there
		}
		in.Name = filepath.Base(filepath.Clean(src.name()))
		if m.Info.Precision == "f64" {
			in.X, err = reportMatrix[float64](a, m, model, src, quiet)
		} else {
			in.X, err = reportMatrix[float32](a, m, model, src, quiet)
		}
		if err != nil {
			return nil, err
		}
	}
	return in, a.describeSamples(in, metadata, m.RowNames, m.W.Rows, quiet)
}

// reportMatrix reads the data that a model was fitted to, in the model's
// precision, and puts its features in the model's order.
func reportMatrix[F matrix.Float](a *app, m *nmf.Model[float64], model string, src source, quiet bool) (report.Matrix, error) {
	t, err := readTable[F](a, src, quiet)
	if err != nil {
		return nil, err
	}
	reordered, err := alignFeatures(t, m.ColumnNames, m.H.Cols, src.options.Transpose)
	if err == nil {
		err = checkSamples(t, m)
	}
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", src.name(), model, err)
	}
	if reordered {
		a.note(quiet, "%s: the features have another order than in the model: they were matched by name", src.name())
	}
	return report.FromMatrix(t.X), nil
}

// checkSamples makes sure that data has the samples of a model.
func checkSamples[F matrix.Float](t *data.Table[F], m *nmf.Model[float64]) error {
	rows, _ := t.X.Dims()
	if rows != m.W.Rows {
		return fmt.Errorf("%w: the data has %s, the model %s; a report takes the data that the model was fitted to", nmf.ErrShape, plural(rows, "sample"), thousands(m.W.Rows))
	}
	if t.RowNames != nil && m.RowNames != nil && !slices.Equal(t.RowNames, m.RowNames) {
		for i, name := range t.RowNames {
			if name != m.RowNames[i] {
				return fmt.Errorf("%w: sample %d is %q in the data and %q in the model; a report takes the data that the model was fitted to", nmf.ErrNames, i+1, name, m.RowNames[i])
			}
		}
	}
	return nil
}
