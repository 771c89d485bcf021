package main

import (
	"context"
	"errors"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

type transformCmd struct {
	Model string `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' wrote."`
	Input string `arg:"" optional:"" needed:"" help:"New samples over the model's features: a file, a 10x folder, or - for standard input."`
	tableFlags
	applyFlags
}

func (c *transformCmd) examples() [][2]string {
	return [][2]string{
		{"nmf transform model.npz new.csv -o weights.csv", "a row a sample, a column a component"},
		{"nmf transform model.npz new.mtx -o weights.npy", "for NumPy"},
		{"nmf transform model.npz - < new.csv | head", "CSV on standard output"},
	}
}

func (c *transformCmd) notes() string {
	return "Features are matched by name where both the model and the data have names. x is about w·diag(scales)·H for a row x of the data and its row w of weights."
}

func (c *transformCmd) Run(a *app) error {
	in, precision, err := c.begin("transform", c.Model, c.Input, "the new data", &c.tableFlags)
	if err != nil {
		return err
	}
	if precision == "f64" {
		return transformFile[float64](a, c, in)
	}
	return transformFile[float32](a, c, in)
}

func transformFile[F matrix.Float](a *app, c *transformCmd, in source) error {
	m, t, done, err := openFor[F](a, &c.applyFlags, c.Model, in, transforming)
	if err != nil {
		return err
	}
	defer done()
	w, err := transformTable(a, &c.applyFlags, m, t, in)
	if err != nil {
		return err
	}
	weights := &data.Table[F]{X: w, RowNames: t.RowNames, ColumnNames: componentNames(m.K())}
	return writeTable(a, &c.tableFlags, &c.outputFlags, weights, t.Notes)
}

// transforming is what transform does.
var transforming = newUse{name: "a transform", verb: "transform"}

// transformTable gives the weights of t; Ctrl-C ends it with nothing.
func transformTable[F matrix.Float](a *app, f *applyFlags, m *nmf.Model[F], t *data.Table[F], in source) (*matrix.Dense[F], error) {
	o, closing, err := transformOptions(a, f, t)
	if err != nil {
		return nil, err
	}
	defer closing()
	var w *matrix.Dense[F]
	err = a.interrupts.during("", func(ctx context.Context) (err error) {
		w, err = m.Transform(ctx, t.X, o)
		return err
	})
	return w, inFile(in.name(), interrupted(err))
}

// interrupted is the end of work that has nothing to show for itself when
// Ctrl-C ends it.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return &statusError{1, "interrupted; nothing was written"}
	}
	return err
}
