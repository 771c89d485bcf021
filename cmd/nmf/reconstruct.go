package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

type reconstructCmd struct {
	Model string `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' wrote."`
	Input string `arg:"" optional:"" help:"Weights that 'nmf transform' wrote, or data to take weights of. Default: the model's own weights."`
	Kind  string `group:"Transform" type:"choice" default:"auto" placeholder:"NAME" help:"What INPUT is (auto goes by its names and its number of columns)."`
	tableFlags
	applyFlags
}

func (c *reconstructCmd) examples() [][2]string {
	return [][2]string{
		{"nmf reconstruct model.npz -o smooth.npy", "the training data as the model sees it"},
		{"nmf reconstruct model.npz weights.csv -o new.csv", "from weights"},
		{"nmf reconstruct model.npz noisy.npy -o clean.npy", "from data, through its weights"},
	}
}

func (c *reconstructCmd) notes() string {
	return "The result is as large as the data. An .npy file is written by blocks of rows, so that it need not fit in memory."
}

func (c *reconstructCmd) Run(a *app) error {
	if err := checkModelPath("reconstruct", c.Model); err != nil {
		return err
	}
	if err := errors.Join(c.applyFlags.check("reconstruct"), c.spareInputs("reconstruct", c.Model, c.Input), c.tableFlags.check()); err != nil {
		return err
	}
	precision, err := c.precisionOf(c.Model)
	if err != nil {
		return err
	}
	if precision == "f64" {
		return reconstructFile[float64](a, c)
	}
	return reconstructFile[float32](a, c)
}

func reconstructFile[F matrix.Float](a *app, c *reconstructCmd) error {
	m, err := loadModel[F](c.Model)
	if err != nil {
		return err
	}
	w, names, err := weightsFor(a, c, m)
	if err != nil {
		return err
	}
	if c.To == "npy" || c.To == "" && strings.EqualFold(filepath.Ext(c.Output), ".npy") {
		return streamNPY(a, c, m, w)
	}
	x, err := m.Reconstruct(w)
	if err != nil {
		return err
	}
	return writeTable(a, &c.tableFlags, &c.outputFlags, &data.Table[F]{X: x, RowNames: names, ColumnNames: m.ColumnNames}, nil)
}

// weightsFor gives the weights to multiply out, with the names of their rows.
func weightsFor[F matrix.Float](a *app, c *reconstructCmd, m *nmf.Model[F]) (*matrix.Dense[F], []string, error) {
	if c.Input == "" {
		return m.W, m.RowNames, nil
	}
	in, err := c.source("reconstruct", c.Input, "the input", c.Threads)
	if err != nil {
		return nil, nil, err
	}
	t, done, err := openNew(a, &c.applyFlags, m, in, transforming)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	weights, err := c.areWeights(t.ColumnNames, columns(t.X), m.K(), m.H.Cols)
	if err != nil {
		return nil, nil, inFile(in.name(), err)
	}
	if w := toDense(t.X); weights && w != nil {
		return w, t.RowNames, nil
	} else if weights {
		return nil, nil, inFile(in.name(), fmt.Errorf("%w: weights have to fit in memory: allow more, or take their rows in several parts", nmf.ErrMemory))
	}
	if err := align(a, &c.applyFlags, m, c.Model, in, t); err != nil {
		return nil, nil, err
	}
	w, err := transformTable(a, &c.applyFlags, m, t, in)
	return w, t.RowNames, err
}

func columns[F matrix.Float](x matrix.Matrix[F]) int {
	_, n := x.Dims()
	return n
}

// areWeights tells weights (k columns) from data (n columns).
func (c *reconstructCmd) areWeights(names []string, cols, k, n int) (bool, error) {
	switch {
	case c.Kind == "weights":
		return true, nil
	case c.Kind == "data":
		return false, nil
	case slices.Equal(names, componentNames(k)):
		return true, nil
	case k == n:
		return false, usagef("reconstruct", "weights and data both have %s here: say --kind weights or --kind data", plural(k, "column"))
	case cols == k:
		return true, nil
	case cols == n:
		return false, nil
	}
	return false, fmt.Errorf("%w: it has %s; weights have %d here, data %d", nmf.ErrShape, plural(cols, "column"), k, n)
}

// streamNPY writes the reconstruction by blocks of rows.
func streamNPY[F matrix.Float](a *app, c *reconstructCmd, m *nmf.Model[F], w *matrix.Dense[F]) error {
	const block = 256
	blocks, err := m.ReconstructBlocks(w, block)
	if err != nil {
		return err
	}
	write := func(out io.Writer) error { return npy.WriteBlocks(out, w.Rows, m.H.Cols, blocks) }
	if c.path() == "-" {
		return write(a.stdout)
	}
	if err := atomicfile.Write(c.Output, write); err != nil {
		return err
	}
	return a.wrote(&c.outputFlags, written{Output: c.Output, Rows: w.Rows, Columns: m.H.Cols})
}
