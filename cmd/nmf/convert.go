package main

import (
	"errors"

	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

type convertCmd struct {
	Input     string `arg:"" optional:"" needed:"" help:"Matrix to read: a file, a 10x folder, or - for standard input."`
	Output    string `arg:"" optional:"" needed:"" help:"File or folder to write, or - for standard output; its extension tells the format."`
	To        string `group:"Output" type:"choice" placeholder:"NAME" help:"Format of the output, whatever its name."`
	Sparse    bool   `group:"Output" xor:"kind" help:"Store only cells other than zero."`
	Dense     bool   `group:"Output" xor:"kind" help:"Store all cells."`
	Precision string `group:"Output" type:"choice" default:"f64" placeholder:"NAME" help:"Numbers of 32 or 64 bits."`
	inputFlags
	machineFlags
	outputFlags
}

func (c *convertCmd) examples() [][2]string {
	return [][2]string{
		{"nmf convert counts.csv counts.npy", "for NumPy"},
		{"nmf convert filtered_matrix/ cells.npz", "a 10x folder to scipy.sparse"},
		{"nmf convert model.npz H.csv --key H", "the components of a model"},
		{"nmf convert X.csv X.mtx.gz --sparse", "only cells other than zero"},
	}
}

func (c *convertCmd) Run(a *app) error {
	in, err := c.source("convert", c.Input, "the input", c.Threads)
	if err != nil {
		return err
	}
	if c.Output == "" {
		return usagef("convert", "the output is missing: nmf convert INPUT OUTPUT")
	}
	out := tableFlags{Output: c.Output, To: c.To}
	if err := errors.Join(c.machineFlags.check("convert"), out.spare(), out.check()); err != nil {
		return err
	}
	if c.Precision == "f32" {
		return convertFile[float32](a, c, in, &out)
	}
	return convertFile[float64](a, c, in, &out)
}

func convertFile[F matrix.Float](a *app, c *convertCmd, in source, out *tableFlags) error {
	t, err := readTable[F](a, in, c.Quiet)
	if err != nil {
		return err
	}
	if c.Dense {
		t.X = toDense(t.X)
	}
	if d, ok := t.X.(*matrix.Dense[F]); ok && c.Sparse {
		t.X = d.Sparse()
	}
	return writeTable(a, out, &c.outputFlags, &data.Table[F]{X: t.X, RowNames: t.RowNames, ColumnNames: t.ColumnNames}, t.Notes)
}
