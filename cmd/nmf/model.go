package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"unsafe"

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
	Memory string `group:"Machine" placeholder:"SIZE" help:"Memory to use, at most, such as 4GB; data that do not fit are read block by block, with the same result. Default: what the machine has."`
	machineFlags
	cacheFlags
	outputFlags
	// reordered says that the features have been put in the model's order.
	reordered bool
}

func (f *applyFlags) check(command string) error {
	if f.Tol != nil && (!(*f.Tol > 0) || math.IsInf(*f.Tol, 0)) {
		return usagef(command, "--tol is %v; it must be above 0 and finite", *f.Tol)
	}
	return errors.Join(checkMemory(command, f.Memory), f.cellFlags.check(command), f.machineFlags.check(command), f.cacheFlags.check())
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

// openFor reads a model, and opens new data for it.
func openFor[F matrix.Float](a *app, f *applyFlags, model string, in source, use newUse) (m *nmf.Model[F], t *data.Table[F], done func(), err error) {
	if m, err = loadModel[F](model); err != nil {
		return nil, nil, nil, err
	}
	if t, done, err = openNew(a, f, m, in, use); err != nil {
		return nil, nil, nil, err
	}
	if err = align(a, f, m, model, in, t); err != nil {
		done()
		return nil, nil, nil, err
	}
	return m, t, done, nil
}

// newUse is what is done with new data under a model.
type newUse struct {
	// name is what messages call it, verb what it is to do it.
	name, verb string
	// filled says that a matrix of the size of the data is made in memory.
	filled bool
}

// openNew opens new data for a model: in memory, or where that would take more than
// there is to be read block by block. Every command that puts data through a model
// opens them here.
func openNew[F matrix.Float](a *app, f *applyFlags, m *nmf.Model[F], in source, use newUse) (*data.Table[F], func(), error) {
	f.cellFlags.read(in)
	if m.Info.Resolved.Missing == "nan" && f.Missing == "" {
		in.options.Missing = data.MissingWords
	}
	of := func(rows, cols int) *nmf.TransformOptions {
		var o nmf.Options
		f.cellFlags.promise(rows, cols, &o)
		return &nmf.TransformOptions{Threads: f.Threads, Missing: o.Missing, MaskOf: o.MaskOf, Weights: o.Weights, RowWeights: o.RowWeights, ColumnWeights: o.ColumnWeights}
	}
	filled := func(rows, cols int) float64 {
		if !use.filled {
			return 0
		}
		return float64(rows) * float64(cols) * float64(unsafe.Sizeof(F(0)))
	}
	return openTable(a, in, work[F]{name: use.name, allowed: parseBytes(f.Memory), cache: f.Cache, quiet: f.Quiet,
		memory: func(s data.Shape) (float64, error) {
			return m.Memory(s.Rows, s.Columns, s.Stored, s.Sparse, of(s.Rows, s.Columns)) + filled(s.Rows, s.Columns), nil
		},
		memoryOf: func(x matrix.Matrix[F]) (float64, error) { return m.MemoryOf(x, of(x.Dims())) + filled(x.Dims()), nil },
		tooMuch: func(need, limit float64) error {
			less := "take its rows in several parts"
			if use.filled {
				less += ", or write .npy, .csv or .tsv, which go by blocks"
			}
			return fmt.Errorf("%w: to %s it takes about %s, and %s are there to use: %s", nmf.ErrMemory, use.verb, byteText(need), byteText(limit), less)
		}})
}

// align puts the features of new data in the model's order.
func align[F matrix.Float](a *app, f *applyFlags, m *nmf.Model[F], model string, in source, t *data.Table[F]) error {
	reordered, err := alignFeatures(t, m.ColumnNames, m.H.Cols, f.Transpose)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", in.name(), model, err)
	}
	f.reordered = reordered
	if reordered {
		t.Notes = append(t.Notes, "the features have another order than in the model: they were matched by name")
		a.note(f.Quiet, "%s: %s", in.name(), t.Notes[len(t.Notes)-1])
	}
	return nil
}

// transformOptions are those for a table that was opened by openFor.
// done must be called after their last use.
func transformOptions[F matrix.Float](a *app, f *applyFlags, t *data.Table[F]) (o *nmf.TransformOptions, done func(), err error) {
	o = &nmf.TransformOptions{Threads: f.Threads, Missing: f.cellFlags.missing()} // with the tolerance of the model
	o.RowNames, o.ColumnNames = t.RowNames, t.ColumnNames
	if f.Tol != nil {
		o.Tol = *f.Tol
	}
	if f.reordered && f.anyFile() {
		return nil, nil, errors.New("the features have another order than in the model, and the files of weights or masked cells do not say which: bring the data into the model's order first")
	}
	cells, done, err := f.cellFlags.load(a, beside{transpose: f.Transpose, threads: f.Threads, quiet: f.Quiet, blocks: isBlockwise(t.X), cache: f.Cache, memory: float64(parseBytes(f.Memory))})
	o.Mask, o.MaskOf, o.Weights, o.RowWeights, o.ColumnWeights = cells.mask, cells.maskOf, cells.weights, cells.rows, cells.columns
	return o, done, err
}
