package main

import (
	"fmt"
	"math"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// lossFlags say what is minimised.
type lossFlags struct {
	Loss         string  `group:"Loss" type:"choice" default:"frobenius" placeholder:"NAME" help:"What is minimised."`
	Beta         float64 `group:"Loss" type:"number" default:"0" placeholder:"X" help:"The beta of --loss beta: 2 is frobenius, 1 kl, 0 is."`
	Power        float64 `group:"Loss" type:"number" default:"0" placeholder:"X" help:"The power of the variance of --loss tweedie: beta is 2 less it."`
	Dispersion   float64 `group:"Loss" type:"number" default:"0" placeholder:"X" help:"The alpha of --loss negbinomial, whose variance is y + alpha y^2; 0 estimates it."`
	DispersionBy string  `group:"Loss" type:"choice" default:"global" placeholder:"NAME" help:"Whether that is one number or one for each feature."`
	Delta        float64 `group:"Loss" type:"number" default:"0" placeholder:"X" help:"Where --loss huber turns from a square to a straight line, in units of the data; 0 chooses."`
}

// apply fills in the loss of o.
func (f *lossFlags) apply(o *nmf.Options) {
	o.Loss, o.Beta, o.Power, o.Dispersion, o.Delta = f.Loss, f.Beta, f.Power, f.Dispersion, f.Delta
	if f.DispersionBy != "global" {
		o.DispersionBy = f.DispersionBy
	}
}

// cellFlags say which cells count, and how much.
type cellFlags struct {
	Missing       string `group:"Cells" type:"choice" placeholder:"NAME" help:"Cells that are missing: nan (NaN, and in text also empty cells and NA), empty (in text), zero, unstored (of a sparse matrix: ratings), or error, none. Default: error; with a model, as in its fit."`
	Mask          string `group:"Cells" placeholder:"FILE" help:"Further missing cells, such as held out ones: those that are not zero in this matrix of the input's shape."`
	Weights       string `group:"Cells" placeholder:"FILE" help:"Weight of each cell: a matrix of the input's shape, dense or sparse. Cells of weight 0 are missing."`
	Sigma         string `group:"Cells" placeholder:"FILE" help:"Uncertainty of each cell: the weights are 1/sigma^2."`
	RowWeights    string `name:"row-weights" group:"Cells" placeholder:"FILE" help:"Weight of each row of X: a vector."`
	ColumnWeights string `name:"column-weights" group:"Cells" placeholder:"FILE" help:"Weight of each column of X: a vector."`
}

// check refuses what no data could make right.
func (f *cellFlags) check(command string) error {
	if f.Weights != "" && f.Sigma != "" {
		return usagef(command, "--weights and --sigma can't be used together: both say how much a cell counts")
	}
	return nil
}

// read sets what a reader of the input takes for a missing value.
func (f *cellFlags) read(in source) {
	switch f.Missing {
	case "nan":
		in.options.Missing = data.MissingWords
	case "empty":
		in.options.Missing = data.MissingEmpty
	}
}

// missing is what the library takes for missing.
func (f *cellFlags) missing() string {
	if f.Missing == "empty" {
		return "nan"
	}
	return f.Missing
}

// anyFile reports whether a file says something of single cells or columns.
func (f *cellFlags) anyFile() bool {
	return f.Mask != "" || f.Weights != "" || f.Sigma != "" || f.ColumnWeights != ""
}

// chooses reports whether cells are weighted or missing, other than those that a
// sparse matrix does not store.
func (f *cellFlags) chooses(sparse bool) bool {
	none := f.Missing == "" || f.Missing == "error" || f.Missing == "unstored" && sparse
	return !none || f.anyFile() || f.RowWeights != ""
}

// cells is what the files of cellFlags hold.
type cells struct {
	mask          *matrix.Mask
	weights       nmf.Weights
	rows, columns []float64
}

// into reads the files and fills in what o says of cells: which are missing, and
// how much the others count.
func (f *cellFlags) into(a *app, o *nmf.Options, transpose, quiet bool) error {
	c, err := f.load(a, transpose, o.Threads, quiet)
	if err != nil {
		return err
	}
	c.apply(o)
	o.Missing = f.missing()
	return nil
}

// load reads the files; those that have the input's shape are turned round
// where the input was.
func (f *cellFlags) load(a *app, transpose bool, threads int, quiet bool) (c cells, err error) {
	shaped := func(path string) (*data.Table[float64], error) {
		return readBeside(a, path, &data.ReadOptions{Transpose: transpose, Threads: threads}, quiet)
	}
	if f.Mask != "" {
		t, err := shaped(f.Mask)
		if err != nil {
			return c, err
		}
		if c.mask, err = maskOf(t.X); err != nil {
			return c, inFile(f.Mask, err)
		}
	}
	if path := f.Weights + f.Sigma; path != "" {
		t, err := shaped(path)
		if err != nil {
			return c, err
		}
		if f.Sigma != "" {
			if err := fromSigma(t.X); err != nil {
				return c, inFile(path, err)
			}
		}
		c.weights = t.X.(nmf.Weights)
	}
	if c.rows, err = f.vector(a, f.RowWeights, threads, quiet); err != nil {
		return c, err
	}
	c.columns, err = f.vector(a, f.ColumnWeights, threads, quiet)
	return c, err
}

// maskOf is the cells that are not zero.
func maskOf(x matrix.Matrix[float64]) (*matrix.Mask, error) {
	var s *matrix.CSR[float64]
	switch x := x.(type) {
	case *matrix.Dense[float64]:
		s = x.Sparse()
	case *matrix.CSR[float64]:
		s = x
	}
	var rows, cols []int32
	for i := range s.Rows {
		idx, vals := s.Row(i)
		for p, j := range idx {
			if vals[p] != 0 {
				rows, cols = append(rows, int32(i)), append(cols, j)
			}
		}
	}
	return matrix.NewMask(s.Rows, s.Cols, rows, cols)
}

// fromSigma turns uncertainties into weights, in place.
func fromSigma(x matrix.Matrix[float64]) error {
	turn := func(i int, column func(p int) int, vals []float64) error {
		for p, v := range vals {
			if !(v > 0) || math.IsInf(v, 0) {
				return fmt.Errorf("row %d, column %d: an uncertainty of %v; it must be above 0 and finite", i+1, column(p)+1, v)
			}
			vals[p] = 1 / (v * v)
		}
		return nil
	}
	rows, _ := x.Dims()
	for i := range rows {
		var err error
		switch x := x.(type) {
		case *matrix.Dense[float64]:
			err = turn(i, func(p int) int { return p }, x.Row(i))
		case *matrix.CSR[float64]:
			idx, vals := x.Row(i)
			err = turn(i, func(p int) int { return int(idx[p]) }, vals)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// vector reads a matrix of one row or one column.
func (f *cellFlags) vector(a *app, path string, threads int, quiet bool) ([]float64, error) {
	if path == "" {
		return nil, nil
	}
	t, err := readBeside(a, path, &data.ReadOptions{Threads: threads}, quiet)
	if err != nil {
		return nil, err
	}
	d := toDense(t.X)
	switch {
	case d.Rows == 1:
		return d.Row(0), nil
	case d.Cols == 1:
		return d.T().Row(0), nil
	}
	return nil, inFile(path, fmt.Errorf("%w: it is %d x %d; weights of rows or columns are one row or one column", nmf.ErrShape, d.Rows, d.Cols))
}

// apply fills in what o says of cells.
func (c cells) apply(o *nmf.Options) {
	o.Mask, o.Weights, o.RowWeights, o.ColumnWeights = c.mask, c.weights, c.rows, c.columns
}

// lossText says in words how well a model fits.
func lossText(loss string, relative, value float64) string {
	switch loss {
	case "", "frobenius":
		return fmt.Sprintf("error   relative %.4g (‖X−WH‖/‖X‖); %s of the sum of squares explained", relative, percent(explained(relative)))
	case "huber", "l1":
		return fmt.Sprintf("loss    %s %.6g; relative %.4g: %s of the loss of zero explained", loss, value, relative, percent(explained(relative)))
	}
	return fmt.Sprintf("loss    %s %.6g; relative %.4g: %s of the loss of the mean explained", loss, value, relative, percent(explained(relative)))
}
