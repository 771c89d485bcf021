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

// chooses reports whether cells are weighted or missing.
func (f *cellFlags) chooses() bool {
	return f.Missing != "" && f.Missing != "error" || f.anyFile() || f.RowWeights != ""
}

// promise fills in what o will say of the cells of an m x n matrix, for estimates: what
// the files hold that have its shape is not in memory.
func (f *cellFlags) promise(m, n int, o *nmf.Options) {
	o.Missing = f.missing()
	if f.Weights+f.Sigma != "" {
		o.Weights = &matrix.Streamed[float64]{Rows: m, Cols: n}
	}
	if f.Mask != "" {
		o.MaskOf = &matrix.Streamed[float64]{Rows: m, Cols: n}
	}
	if f.RowWeights != "" {
		o.RowWeights = make([]float64, m)
	}
	if f.ColumnWeights != "" {
		o.ColumnWeights = make([]float64, n)
	}
}

// cells is what the files of cellFlags hold.
type cells struct {
	mask            *matrix.Mask
	maskOf, weights nmf.Weights
	rows, columns   []float64
}

// beside says how files that go with the input are read.
type beside struct {
	// transpose turns those of its shape round, as the input was.
	transpose bool
	threads   int
	quiet     bool
	// blocks reads those of its shape block by block, as the input is, by columns too
	// where columns is set, through block files in the folder cache.
	blocks, columns bool
	cache           string
	memory          float64
}

// besideFit is how files are read that go with the matrix x of a fit.
func besideFit[F matrix.Float](x matrix.Matrix[F], transpose bool, cache string, o *nmf.Options, quiet bool) beside {
	return beside{transpose: transpose, threads: o.Threads, quiet: quiet, blocks: isBlockwise(x), columns: true, cache: cache, memory: float64(o.Memory)}
}

// isBlockwise reports whether a matrix is read block by block.
func isBlockwise[F matrix.Float](x matrix.Matrix[F]) bool {
	switch x.(type) {
	case *matrix.Streamed[F], *matrix.StreamedCSR[F]:
		return true
	}
	return false
}

// into reads the files and fills in what o says of cells: which are missing, and
// how much the others count. done must be called after the last use of o.
func (f *cellFlags) into(a *app, o *nmf.Options, how beside) (done func(), err error) {
	c, done, err := f.load(a, how)
	if err != nil {
		return nil, err
	}
	o.Mask, o.MaskOf, o.Weights, o.RowWeights, o.ColumnWeights = c.mask, c.maskOf, c.weights, c.rows, c.columns
	o.Missing = f.missing()
	return done, nil
}

// load reads the files, or opens them; done closes those.
func (f *cellFlags) load(a *app, how beside) (c cells, done func(), err error) {
	var open []func() error
	done = func() {
		for _, closing := range open {
			_ = closing() // nothing was written
		}
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	shaped := func(path string) (matrix.Matrix[float64], error) {
		options := &data.ReadOptions{Transpose: how.transpose, Threads: how.threads}
		if !how.blocks {
			t, err := readBeside(a, path, options, how.quiet)
			if err != nil {
				return nil, err
			}
			return t.X, nil
		}
		s, err := openBeside(a, path, options, how)
		if err != nil {
			return nil, err
		}
		open = append(open, s.Close)
		return s.X, nil
	}
	if f.Mask != "" {
		x, err := shaped(f.Mask)
		if err != nil {
			return c, done, err
		}
		if how.blocks {
			c.maskOf = x.(nmf.Weights)
		} else if c.mask, err = maskOf(x); err != nil {
			return c, done, inFile(f.Mask, err)
		}
	}
	if path := f.Weights + f.Sigma; path != "" {
		x, err := shaped(path)
		if err == nil && f.Sigma != "" {
			x, err = fromSigma(path, x)
		}
		if err != nil {
			return c, done, inFile(path, err)
		}
		c.weights = x.(nmf.Weights)
	}
	if c.rows, err = f.vector(a, f.RowWeights, how.threads, how.quiet); err != nil {
		return c, done, err
	}
	c.columns, err = f.vector(a, f.ColumnWeights, how.threads, how.quiet)
	return c, done, err
}

// openBeside opens a file that goes with the input, to be read block by block as that.
func openBeside(a *app, path string, o *data.ReadOptions, how beside) (*data.Stream[float64], error) {
	s, err := openBlocks[float64](a, source{path, o}, how.cache, how.quiet, data.BlockOptions{Memory: how.memory, Columns: how.columns})
	if err != nil {
		return nil, allNeeded(err)
	}
	for _, n := range s.Notes {
		a.note(how.quiet, "%s: %s", path, n)
	}
	return s, nil
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

// fromSigma turns uncertainties into weights: in place, or as they are read.
func fromSigma(path string, x matrix.Matrix[float64]) (matrix.Matrix[float64], error) {
	// The cell of line i at place j is said as row and column.
	turn := func(i, j int, v float64, turned bool) (float64, error) {
		if v > 0 && !math.IsInf(v, 0) {
			return 1 / (v * v), nil
		}
		if turned {
			i, j = j, i
		}
		return 0, inFile(path, fmt.Errorf("row %d, column %d: an uncertainty of %v; it must be above 0 and finite", i+1, j+1, v))
	}
	dense := func(first, cells int, vals []float64, turned bool) (err error) {
		for p, v := range vals {
			if vals[p], err = turn(first+p/cells, p%cells, v, turned); err != nil {
				return err
			}
		}
		return nil
	}
	sparse := func(first int, x *matrix.CSR[float64], turned bool) (err error) {
		for i := range x.Rows {
			idx, vals := x.Row(i)
			for p, v := range vals {
				if vals[p], err = turn(first+i, int(idx[p]), v, turned); err != nil {
					return err
				}
			}
		}
		return nil
	}
	switch x := x.(type) {
	case *matrix.Dense[float64]:
		for i := range x.Rows {
			if err := dense(i, x.Cols, x.Row(i), false); err != nil {
				return nil, err
			}
		}
	case *matrix.CSR[float64]:
		return x, sparse(0, x, false)
	case *matrix.Streamed[float64]:
		as := func(read func(int, []float64) error, cells int, turned bool) func(int, []float64) error {
			if read == nil {
				return nil
			}
			return func(first int, dst []float64) error {
				if err := read(first, dst); err != nil {
					return err
				}
				return dense(first, cells, dst, turned)
			}
		}
		return &matrix.Streamed[float64]{Rows: x.Rows, Cols: x.Cols, Read: as(x.Read, x.Cols, false), ReadColumns: as(x.ReadColumns, x.Rows, true)}, nil
	case *matrix.StreamedCSR[float64]:
		as := func(b matrix.Blocks[float64], turned bool) matrix.Blocks[float64] {
			read := b.Read
			b.Read = func(first int, dst *matrix.CSR[float64]) error {
				if err := read(first, dst); err != nil {
					return err
				}
				return sparse(first, dst, turned)
			}
			return b
		}
		s := *x
		s.ByRows, s.ByColumns = as(x.ByRows, false), as(x.ByColumns, true)
		return &s, nil
	}
	return x, nil
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
