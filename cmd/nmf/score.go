package main

import (
	"context"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

type scoreCmd struct {
	Model string `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' wrote."`
	Input string `arg:"" optional:"" needed:"" help:"Data over the model's features: a file, a 10x folder, or - for standard input."`
	applyFlags
}

func (c *scoreCmd) examples() [][2]string {
	return [][2]string{
		{"nmf score model.npz heldout.csv", "relative error of held-out samples"},
		{"nmf score model.npz heldout.csv --json", "for a program"},
	}
}

func (c *scoreCmd) notes() string {
	return "The weights of every row are the best for the model's components, to the tolerance of --tol; what remains is the error."
}

func (c *scoreCmd) Run(a *app) error {
	in, precision, err := c.begin("score", c.Model, c.Input, "the data to score", nil)
	if err != nil {
		return err
	}
	if precision == "f64" {
		return scoreFile[float64](a, c, in)
	}
	return scoreFile[float32](a, c, in)
}

func scoreFile[F matrix.Float](a *app, c *scoreCmd, in source) error {
	m, t, done, err := openFor[F](a, &c.applyFlags, c.Model, in, newUse{name: "a score", verb: "score"})
	if err != nil {
		return err
	}
	defer done()
	o, closing, err := transformOptions(a, &c.applyFlags, t)
	if err != nil {
		return err
	}
	defer closing()
	var s nmf.Score
	err = a.interrupts.during("", func(ctx context.Context) (err error) {
		s, err = m.Score(ctx, t.X, o)
		return err
	})
	if err != nil {
		return inFile(in.name(), interrupted(err))
	}
	rows, cols := t.X.Dims()
	if c.JSON {
		return a.printJSON(struct {
			Rows    int `json:"rows"`
			Columns int `json:"columns"`
			nmf.Score
			ModelRelativeError float64 `json:"model_relative_error"`
		}{rows, cols, s, m.Info.RelativeError})
	}
	a.printf("read    %s: %s\n", in.name(), describe(t.X))
	a.printf("%s\n", lossText(m.Info.LossName, s.RelativeError, s.Loss))
	if m.Info.LossName == "frobenius" {
		a.printf("loss    %.6g\n", s.Loss)
	}
	a.printf("model   relative error %.4g on the data that it was fitted to\n", m.Info.RelativeError)
	return nil
}
