package main

import (
	"context"
	"fmt"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

type imputeCmd struct {
	Model string `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' wrote."`
	Input string `arg:"" optional:"" needed:"" help:"Data over the model's features, some of it missing: a file, or - for standard input."`
	Cells string `group:"Output" placeholder:"FILE" help:"Write what the model predicts for these cells instead: two columns, the numbers of row and column from 1."`
	tableFlags
	applyFlags
}

func (c *imputeCmd) examples() [][2]string {
	return [][2]string{
		{"nmf impute model.npz data.csv --missing nan -o filled.csv", "missing cells filled in"},
		{"nmf impute model.npz ratings.mtx --cells pairs.csv -o predicted.csv", "predictions for some cells"},
	}
}

func (c *imputeCmd) notes() string {
	return "Which cells are missing is as in the fit of the model, unless --missing says otherwise. Cells that are there stay as they are; with --cells they too are predicted."
}

func (c *imputeCmd) Run(a *app) error {
	in, precision, err := c.begin("impute", c.Model, c.Input, "the data to fill in", &c.tableFlags)
	if err != nil {
		return err
	}
	if precision == "f64" {
		return imputeFile[float64](a, c, in)
	}
	return imputeFile[float32](a, c, in)
}

func imputeFile[F matrix.Float](a *app, c *imputeCmd, in source) error {
	byRows := c.Cells != "" || data.WritesRows(c.path(), &data.WriteOptions{Format: c.To}) && !(c.JSON && c.path() == "-")
	m, t, done, err := openFor[F](a, &c.applyFlags, c.Model, in, newUse{name: "an imputation", verb: "impute", filled: !byRows})
	if err != nil {
		return err
	}
	defer done()
	if c.Cells != "" {
		return predictCells(a, c, m, t, in)
	}
	o, closing, err := transformOptions(a, &c.applyFlags, t)
	if err != nil {
		return err
	}
	defer closing()
	var filled matrix.Matrix[F]
	err = a.interrupts.during("", func(ctx context.Context) (err error) {
		if byRows {
			filled, err = m.ImputeByRows(ctx, t.X, o)
		} else {
			filled, err = m.Impute(ctx, t.X, o)
		}
		return err
	})
	if err != nil {
		return inFile(in.name(), interrupted(err))
	}
	columnNames := t.ColumnNames
	if columnNames == nil {
		columnNames = m.ColumnNames
	}
	return writeTable(a, &c.tableFlags, &c.outputFlags, &data.Table[F]{X: filled, RowNames: t.RowNames, ColumnNames: columnNames}, t.Notes)
}

// predictCells writes the model's values of the cells of a list.
func predictCells[F matrix.Float](a *app, c *imputeCmd, m *nmf.Model[F], t *data.Table[F], in source) error {
	list, err := readBeside(a, c.Cells, &data.ReadOptions{Threads: c.Threads}, c.Quiet)
	if err != nil {
		return err
	}
	d := toDense(list.X)
	if d.Cols != 2 {
		return inFile(c.Cells, fmt.Errorf("%w: it has %s; a list of cells has two, the numbers of row and column", nmf.ErrShape, plural(d.Cols, "column")))
	}
	n, p := t.X.Dims()
	rows, columns := make([]int, d.Rows), make([]int, d.Rows)
	for q := range rows {
		i, j := d.At(q, 0), d.At(q, 1)
		rows[q], columns[q] = int(i)-1, int(j)-1
		if float64(rows[q]+1) != i || float64(columns[q]+1) != j || rows[q] < 0 || rows[q] >= n || columns[q] < 0 || columns[q] >= p {
			return inFile(c.Cells, fmt.Errorf("%w: cell %d of the list is row %v, column %v; the data has rows 1 to %d and columns 1 to %d", nmf.ErrShape, q+1, i, j, n, p))
		}
	}
	w, err := transformTable(a, &c.applyFlags, m, t, in)
	if err != nil {
		return err
	}
	values, err := m.Predict(w, rows, columns)
	if err != nil {
		return err
	}
	out := matrix.NewDense[float64](len(values), 3)
	for q, v := range values {
		copy(out.Row(q), []float64{float64(rows[q] + 1), float64(columns[q] + 1), v})
	}
	return writeTable(a, &c.tableFlags, &c.outputFlags, &data.Table[float64]{X: out, ColumnNames: []string{"row", "column", "prediction"}}, nil)
}
