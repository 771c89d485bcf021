package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
	"github.com/partsof/nmf/report"
)

// doorFlags are on every front door: all flags of fit, of which the door's
// preset fills in those that are not given.
type doorFlags struct {
	SaveInput string `group:"Output" placeholder:"FILE" help:"Write the prepared matrix too: nmf fit makes the same model of it."`
	solveFlags
	cellFlags
	reportFlags
	machineFlags
	checkpointFlags
	outputFlags

	// also holds flags of the preset that are no options of a fit, such as the
	// precision.
	also map[string]string
}

// reading says how to read a matrix.
func (f *doorFlags) reading(command string, in *inputFlags) (*data.ReadOptions, error) {
	o, err := in.readOptions(command, f.Threads)
	if err == nil {
		f.cellFlags.read(source{options: o})
	}
	return o, err
}

// gridFlags say how the pixels of a matrix lie in a picture.
type gridFlags struct {
	Width  int    `group:"Input" type:"count" default:"0" placeholder:"N" help:"Width of the picture that the pixels of a matrix make."`
	Height int    `group:"Input" type:"count" default:"0" placeholder:"N" help:"Its height."`
	Order  string `group:"Input" type:"choice" default:"row" placeholder:"NAME" help:"Whether its pixels go along rows, or down columns as MATLAB has them."`
}

func (f *gridFlags) grid() recipe.Grid {
	return recipe.Grid{Width: f.Width, Height: f.Height, ColumnMajor: f.Order == "column"}
}

// door is a front door that is entered: what its command needs beside its own
// flags.
type door struct {
	*doorFlags
	command string
	k       int
	out     modelOutput
	// inputs are what the command reads, and does not write over.
	inputs []string
	// drawing is how the report draws a component; its zero value goes by the
	// names of the features. ownPage says that the command writes the page.
	drawing report.Drawing
	ownPage bool
	// fitFlags are the flags of fit that were given, or that the preset gave, and
	// those that name files beside the prepared matrix.
	fitFlags []string
}

// enter fills in the preset and checks what does not need the data. output is
// where the model goes, inputs are the files that the command reads.
func (f *doorFlags) enter(ctx *kong.Context, preset *nmf.Options, k int, output string, inputs ...string) (*door, error) {
	d := &door{doorFlags: f, command: ctx.Selected().Name, k: k, inputs: inputs}
	if k == kMissing {
		return nil, usagef(d.command, "the number of components is missing: say -k K, such as -k 10")
	}
	if err := d.usePreset(ctx, preset); err != nil {
		return nil, err
	}
	if err := errors.Join(f.solveFlags.check(d.command, k), f.penaltyFlags.onePoint(d.command), f.cellFlags.check(d.command), f.machineFlags.check(d.command), f.checkpointFlags.check(d.command)); err != nil {
		return nil, err
	}
	if f.SaveInput != "" {
		if f.SaveInput == "-" {
			return nil, usagef(d.command, "--save-input writes a file, not standard output")
		}
		if err := d.checkTables(f.SaveInput); err != nil {
			return nil, err
		}
	}
	var err error
	if d.out, err = newModelOutput(d.command, output); err != nil {
		return nil, err
	}
	return d, f.reportFlags.check(d.command, d.out.path, append(inputs, f.SaveInput)...)
}

// usePreset sets the flags of a preset that were not given, and lists those of
// fit that the model is made with.
func (d *door) usePreset(ctx *kong.Context, preset *nmf.Options) error {
	given := map[string]bool{}
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			given[p.Flag.Name] = true
		}
	}
	asked := presetFlags(preset)
	maps.Copy(asked, d.also)
	ofFit := fitFlagNames(ctx.Model)
	for _, f := range ctx.Selected().Flags {
		if value, ok := asked[f.Name]; ok && !given[f.Name] {
			if err := f.Parse(kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: value}), f.Target); err != nil {
				return fmt.Errorf("preset of %s: %w", d.command, err)
			}
			given[f.Name] = true
		}
		delete(asked, f.Name)
		if given[f.Name] && ofFit[f.Name] {
			d.fitFlags = append(d.fitFlags, flagText(f))
		}
	}
	if len(asked) > 0 {
		return fmt.Errorf("preset of %s: no flag for %v", d.command, asked)
	}
	return nil
}

// presetFlags gives the flags that options are made of, by name, but for those
// that are zero and the default.
func presetFlags(o *nmf.Options) map[string]string {
	flags := map[string]string{}
	if o == nil {
		return flags
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for name, value := range map[string]string{
		"solver": o.Solver, "init": o.Init, "compression": o.Compression, "loss": o.Loss, "dispersion-by": o.DispersionBy, "missing": o.Missing,
	} {
		if value != "" {
			flags[name] = value
		}
	}
	for name, value := range map[string]int{"runs": o.Runs, "max-iter": o.MaxIter, "inner-sweeps": o.InnerSweeps} {
		if value != 0 {
			flags[name] = strconv.Itoa(value)
		}
	}
	for name, value := range map[string]float64{
		"beta": o.Beta, "power": o.Power, "dispersion": o.Dispersion, "delta": o.Delta,
		"tol": o.Tol, "loss-tol": o.LossTol, "target-error": o.TargetError, "upper-w": o.PenaltyW.Upper, "upper-h": o.PenaltyH.Upper,
		"sparseness-w": o.PenaltyW.Sparseness, "sparseness-h": o.PenaltyH.Sparseness,
	} {
		if value != 0 {
			flags[name] = number(max(0, value)) // below zero is never, which the flags have as 0
		}
	}
	for name, value := range map[string]bool{"no-extrapolation": o.NoExtrapolation, "simplex-w": o.PenaltyW.Simplex, "simplex-h": o.PenaltyH.Simplex} {
		if value {
			flags[name] = "true"
		}
	}
	for _, w := range new(penaltyFlags).weights() {
		if v := *w.at(o); v != 0 {
			flags[w.name] = number(v)
		}
	}
	if order := max(o.PenaltyW.SmoothOrder, o.PenaltyH.SmoothOrder); order != 0 {
		flags["smooth-order"] = strconv.Itoa(order)
	}
	return flags
}

// fitFlagNames are the flags by which nmf fit makes a model, not those of
// reading or showing.
func fitFlagNames(app *kong.Application) map[string]bool {
	names := map[string]bool{}
	for _, n := range app.Children {
		for _, f := range n.Flags {
			if n.Name == "fit" && f.Group != nil && len(f.Name) > 1 && slices.Contains([]string{"Fit", "Loss", "Cells", "Penalties"}, f.Group.Key) {
				names[f.Name] = true
			}
		}
	}
	return names
}

// flagText writes a flag with its value as on a command line.
func flagText(f *kong.Flag) string {
	if f.IsBool() {
		return "--" + f.Name
	}
	return "--" + f.Name + " " + shellWord(fmt.Sprint(reflect.Indirect(f.Target).Interface()))
}

// fitPrepared makes the model of a prepared matrix and saves it. input is what
// messages call the data; tune sets options that no flag has.
func fitPrepared[F matrix.Float](a *app, d *door, input string, t *data.Table[F], tune ...func(*nmf.Options)) (*nmf.Model[F], error) {
	model, err := fitUnsaved(a, d, input, t, tune...)
	if err != nil {
		return nil, err
	}
	if err := saveModel(a, model, d.out, d.Quiet); err != nil || d.ownPage {
		return model, err
	}
	return model, writePage(a, d, input, t, model)
}

// writePage writes the report that was asked for.
func writePage[F matrix.Float](a *app, d *door, input string, t *data.Table[F], m *nmf.Model[F]) error {
	drawing := d.drawing
	if drawing.Kind == "" {
		drawing.Kind = report.Guess(t.ColumnNames)
	}
	rows, _ := t.X.Dims()
	page, err := d.begin(a, input, drawing, report.FromMatrix(t.X), t.RowNames, rows, d.Quiet)
	if err != nil {
		return err
	}
	return d.finish(page, wider(m))
}

// fitUnsaved is fitPrepared for a model that is not the last one.
func fitUnsaved[F matrix.Float](a *app, d *door, input string, t *data.Table[F], tune ...func(*nmf.Options)) (*nmf.Model[F], error) {
	for _, n := range t.Notes {
		a.note(d.Quiet, "%s", n)
	}
	if d.SaveInput != "" {
		if err := data.Write(d.SaveInput, t, nil); err != nil {
			return nil, err
		}
	}
	o, err := d.options(a, d.Threads, d.Quiet)
	if err != nil {
		return nil, err
	}
	if _, err := d.cellFlags.into(a, o, beside{threads: o.Threads, quiet: d.Quiet}); err != nil {
		return nil, err
	}
	for _, f := range tune {
		f(o)
	}
	d.checkpointFlags.into(a, o, d.Quiet)
	model, err := fitTable(a, t, d.k, o, d.Quiet)
	if err != nil {
		return nil, inFile(input, err)
	}
	return model, nil
}

// saveBeside writes a matrix that goes with the prepared one, such as its
// weights, and notes the flag that hands it to nmf fit.
func (d *door) saveBeside(what, flag string, x matrix.Matrix[float64]) error {
	if d.SaveInput == "" {
		return nil
	}
	base, ending := d.SaveInput, ""
	for _, compressed := range []string{".gz", ".zst"} {
		if rest, found := strings.CutSuffix(base, compressed); found {
			base, ending = rest, compressed
		}
	}
	ext := filepath.Ext(base)
	base = strings.TrimSuffix(base, ext)
	if _, dense := x.(*matrix.Dense[float64]); dense && ext == ".mtx" {
		ext, ending = ".npy", "" // MatrixMarket knows no NaN
	}
	path := base + "." + what + ext + ending
	d.fitFlags = append(d.fitFlags, "--"+flag+" "+shellWord(path))
	return data.Write(path, &data.Table[float64]{X: x}, nil)
}

// again prints the command of nmf fit that makes the same model.
func (d *door) again(a *app) {
	if d.SaveInput != "" {
		a.printf("same    %s\n", strings.Join(append([]string{"nmf fit", shellWord(d.SaveInput), "-k", strconv.Itoa(d.k)}, d.fitFlags...), " "))
	}
}

// none is the name of an output that is not wanted.
const none = "none"

// beside names an output that is made unasked: after the model, with an
// extension. What is there is replaced only where an older model stands beside
// it, of whose run it will be. "" is no output.
func (d *door) beside(path, suffix string) (string, error) {
	switch path {
	case none:
		return "", nil
	case "-":
		return "", usagef(d.command, "a picture is not written to standard output; name a file")
	case "":
		path = strings.TrimSuffix(d.out.path, ".npz") + suffix
		if _, err := os.Lstat(path); err == nil && !d.out.replaces {
			return "", fmt.Errorf("%s exists, and no model of its name is beside it: it is left alone; name another model with -o, or remove it", path)
		}
	}
	return path, errors.Join(d.notInput(path), atomicfile.Check(path))
}

// folderBeside is beside for a folder of outputs, which is made when they are
// written. An empty one that is there already is as good as none.
func (d *door) folderBeside(path string) (string, error) {
	switch path {
	case none:
		return "", nil
	case "":
		path = strings.TrimSuffix(d.out.path, ".npz")
		if held, err := os.ReadDir(path); (err == nil && len(held) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)) && !d.out.replaces {
			return "", fmt.Errorf("%s exists, and no model of its name is beside it: it is left alone; name another model with -o, or remove it", path)
		}
		return path, nil
	}
	return path, checkFolder(path)
}

// writeWeights writes W as a table, a row a sample.
func writeWeights[F matrix.Float](path string, m *nmf.Model[F]) error {
	return data.Write(path, &data.Table[F]{X: m.W, RowNames: m.RowNames, ColumnNames: componentNames(m.K())}, nil)
}

// checkTables finds out before the work whether tables can be written; "" is
// none.
func checkTables(paths ...string) error {
	for _, p := range paths {
		if p == "" {
			continue
		}
		f := tableFlags{Output: p}
		if err := errors.Join(f.check(), f.spare()); err != nil {
			return err
		}
	}
	return nil
}

// checkTables is the same, and refuses to write over inputs.
func (d *door) checkTables(paths ...string) error {
	for _, p := range paths {
		if err := d.notInput(p); err != nil {
			return err
		}
	}
	return checkTables(paths...)
}

// checkFiles finds out before the work whether text files can be written.
func (d *door) checkFiles(paths ...string) error {
	for _, p := range paths {
		switch p {
		case "":
			continue
		case "-":
			return usagef(d.command, "tables are written to files, not to standard output")
		}
		if err := errors.Join(d.notInput(p), (&tableFlags{Output: p}).spare(), atomicfile.Check(p)); err != nil {
			return err
		}
	}
	return nil
}

// notInput refuses to write over what the command reads.
func (d *door) notInput(path string) error {
	for _, in := range d.inputs {
		if sameFile(path, in) {
			return usagef(d.command, "the output %s is the input itself: name another file", path)
		}
	}
	return nil
}

// notNegative refuses counts below zero.
func notNegative(command, flag string, n int) error {
	if n < 0 || n > math.MaxInt32 {
		return usagef(command, "--%s is %d; it must be from 0 to %d", flag, n, math.MaxInt32)
	}
	return nil
}
