package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// checkModelPath refuses what cannot be the name of a model.
func checkModelPath(command, path string) error {
	switch path {
	case "":
		return usagef(command, "the model is missing: name the .npz file that 'nmf fit' wrote")
	case "-":
		return usagef(command, "a model is read from a file, not from standard input")
	}
	return nil
}

func loadModel[F matrix.Float](path string) (*nmf.Model[F], error) {
	m, err := nmf.Load[F](path)
	return m, modelError(path, err)
}

// modelError says what a model is where a file is none.
func modelError(path string, err error) error {
	if errors.Is(err, nmf.ErrModelFormat) {
		return fmt.Errorf("%w; a model is what 'nmf fit' writes", err)
	}
	return systemError(path, err)
}

// systemError puts an error of the system about an input in plain words.
func systemError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such file", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: may not be read: permission denied; check its permissions", path)
	}
	return err
}

// applyFlags are those of the commands that put new data through a model.
type applyFlags struct {
	Tol       *float64 `group:"Transform" type:"number" placeholder:"X" help:"Solve every row to this KKT residual, above 0. Default: the model's."`
	Precision string   `group:"Transform" type:"choice" placeholder:"NAME" help:"Numbers of 32 or 64 bits, the model's unless given."`
	cellFlags
	inputFlags
	machineFlags
	outputFlags
	// reordered says that the features have been put in the model's order.
	reordered bool
}

func (f *applyFlags) check(command string) error {
	if f.Tol != nil && (!(*f.Tol > 0) || math.IsInf(*f.Tol, 0)) {
		return usagef(command, "--tol is %v; it must be above 0 and finite", *f.Tol)
	}
	return errors.Join(f.cellFlags.check(command), f.machineFlags.check(command))
}

// begin checks the command line of a command that puts new data through a model,
// what table says of its output too, unless that is nil, and gives the input and
// the precision to work in.
func (f *applyFlags) begin(command, model, input, what string, table *tableFlags) (in source, precision string, err error) {
	if err := checkModelPath(command, model); err != nil {
		return in, "", err
	}
	if in, err = f.source(command, input, what, f.Threads); err != nil {
		return in, "", err
	}
	err = f.check(command)
	if table != nil {
		err = errors.Join(err, table.spareInputs(command, model, input), table.check())
	}
	if err != nil {
		return in, "", err
	}
	precision, err = f.precisionOf(model)
	return in, precision, err
}

// precisionOf is the precision to work in with a model.
func (f *applyFlags) precisionOf(path string) (string, error) {
	if f.Precision != "" {
		return f.Precision, nil
	}
	info, err := nmf.ReadInfo(path)
	if err != nil {
		return "", modelError(path, err)
	}
	return info.Precision, nil
}

// loadFor reads a model and new data for it.
func loadFor[F matrix.Float](a *app, f *applyFlags, model string, in source) (*nmf.Model[F], *data.Table[F], error) {
	m, err := loadModel[F](model)
	if err != nil {
		return nil, nil, err
	}
	t, err := readFor(a, f, m, model, in)
	return m, t, err
}

// readFor reads new data for a model, its features in the model's order.
func readFor[F matrix.Float](a *app, f *applyFlags, m *nmf.Model[F], model string, in source) (*data.Table[F], error) {
	f.cellFlags.read(in)
	if m.Info.Resolved.Missing == "nan" && f.Missing == "" {
		in.options.Missing = data.MissingWords
	}
	t, err := readTable[F](a, in, f.Quiet)
	if err != nil {
		return nil, err
	}
	reordered, err := alignFeatures(t, m.ColumnNames, m.H.Cols)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", in.name(), model, err)
	}
	f.reordered = reordered
	if reordered {
		t.Notes = append(t.Notes, "the features have another order than in the model: they were matched by name")
		a.note(f.Quiet, "%s: %s", in.name(), t.Notes[len(t.Notes)-1])
	}
	return t, nil
}

// transformOptions are those for a table that was read by readFor.
func transformOptions[F matrix.Float](a *app, f *applyFlags, t *data.Table[F]) (*nmf.TransformOptions, error) {
	o := &nmf.TransformOptions{Threads: f.Threads, Missing: f.cellFlags.missing()} // with the tolerance of the model
	o.RowNames, o.ColumnNames = t.RowNames, t.ColumnNames
	if f.Tol != nil {
		o.Tol = *f.Tol
	}
	if f.reordered && f.anyFile() {
		return nil, errors.New("the features have another order than in the model, and the files of weights or masked cells do not say which: bring the data into the model's order first")
	}
	cells, err := f.cellFlags.load(a, f.Transpose, f.Threads, f.Quiet)
	o.Mask, o.Weights, o.RowWeights, o.ColumnWeights = cells.mask, cells.weights, cells.rows, cells.columns
	return o, err
}
