package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// penaltyFlags are penalties and constraints on the factors. Weights are text,
// for one of them may be a path of values.
type penaltyFlags struct {
	L1W         string  `name:"l1-w" group:"Penalties" placeholder:"X" help:"Weight of the sum of W: makes entries zero. One of these weights may be a path, FROM:TO:STEP or a list X,Y,Z: a model for each value, each started at the one before."`
	L1H         string  `name:"l1-h" group:"Penalties" placeholder:"X" help:"Weight of the sum of H."`
	L2W         string  `name:"l2-w" group:"Penalties" placeholder:"X" help:"Weight of half the sum of squares of W: keeps entries small."`
	L2H         string  `name:"l2-h" group:"Penalties" placeholder:"X" help:"Weight of half the sum of squares of H."`
	L21W        string  `name:"l21-w" group:"Penalties" placeholder:"X" help:"Weight of the norms of W's columns: makes whole components zero."`
	L21H        string  `name:"l21-h" group:"Penalties" placeholder:"X" help:"Weight of the norms of H's rows."`
	OrthogonalW string  `name:"orthogonal-w" group:"Penalties" placeholder:"X" help:"Weight of what the components overlap in W."`
	OrthogonalH string  `name:"orthogonal-h" group:"Penalties" placeholder:"X" help:"Weight of what the components overlap in H."`
	SpreadW     string  `name:"spread-w" group:"Penalties" placeholder:"X" help:"Weight of the squared distances of W's columns from their mean."`
	SpreadH     string  `name:"spread-h" group:"Penalties" placeholder:"X" help:"Weight of the squared distances of the components from their mean: a small simplex of endmembers."`
	SmoothW     string  `name:"smooth-w" group:"Penalties" placeholder:"X" help:"Weight of the squared differences of neighbouring samples."`
	SmoothH     string  `name:"smooth-h" group:"Penalties" placeholder:"X" help:"Weight of the squared differences of neighbouring features."`
	SmoothOrder int     `name:"smooth-order" group:"Penalties" type:"count" default:"1" placeholder:"N" help:"Order of those differences: 1 or 2."`
	GraphW      string  `name:"graph-w" group:"Penalties" placeholder:"X" help:"Weight of the squared differences of samples that --graph-file-w joins."`
	GraphH      string  `name:"graph-h" group:"Penalties" placeholder:"X" help:"Weight of the squared differences of features that --graph-file-h joins."`
	GraphFileW  string  `name:"graph-file-w" group:"Penalties" placeholder:"FILE" help:"Symmetric matrix of weights, samples x samples."`
	GraphFileH  string  `name:"graph-file-h" group:"Penalties" placeholder:"FILE" help:"Symmetric matrix of weights, features x features."`
	UpperW      float64 `name:"upper-w" group:"Penalties" type:"number" default:"0" placeholder:"X" help:"Largest entry of W; 0 for no bound."`
	UpperH      float64 `name:"upper-h" group:"Penalties" type:"number" default:"0" placeholder:"X" help:"Largest entry of H; 0 for no bound."`
	SimplexW    bool    `name:"simplex-w" group:"Penalties" help:"Rows of W sum to one: the shares of each sample."`
	SimplexH    bool    `name:"simplex-h" group:"Penalties" help:"Columns of H sum to one: the shares of each feature."`
	SparsenessW float64 `name:"sparseness-w" group:"Penalties" type:"number" default:"0" placeholder:"X" help:"Hoyer's sparseness of each column of W, above 0 and below 1; 0 for free."`
	SparsenessH float64 `name:"sparseness-h" group:"Penalties" type:"number" default:"0" placeholder:"X" help:"Hoyer's sparseness of each row of H, above 0 and below 1; 0 for free."`
	FixW        string  `name:"fix-w" group:"Penalties" placeholder:"FILE" help:"Columns of W (samples x up to K) to hold; nan where an entry is free."`
	FixH        string  `name:"fix-h" group:"Penalties" placeholder:"FILE" help:"Rows of H (up to K x features) to hold, such as known components; nan where an entry is free."`
	SupportW    string  `name:"support-w" group:"Penalties" placeholder:"FILE" help:"Where W (samples x K) may be above zero: a matrix that is zero elsewhere."`
	SupportH    string  `name:"support-h" group:"Penalties" placeholder:"FILE" help:"Where H (K x features) may be above zero: a matrix that is zero elsewhere."`
}

// weightFlag is one of the weights that may be a path.
type weightFlag struct {
	name string
	text *string
	// at is where the options have it.
	at func(o *nmf.Options) *float64
}

func (f *penaltyFlags) weights() []weightFlag {
	w := func(o *nmf.Options) *nmf.Penalty { return &o.PenaltyW }
	h := func(o *nmf.Options) *nmf.Penalty { return &o.PenaltyH }
	return []weightFlag{
		{"l1-w", &f.L1W, func(o *nmf.Options) *float64 { return &w(o).L1 }},
		{"l1-h", &f.L1H, func(o *nmf.Options) *float64 { return &h(o).L1 }},
		{"l2-w", &f.L2W, func(o *nmf.Options) *float64 { return &w(o).L2 }},
		{"l2-h", &f.L2H, func(o *nmf.Options) *float64 { return &h(o).L2 }},
		{"l21-w", &f.L21W, func(o *nmf.Options) *float64 { return &w(o).L21 }},
		{"l21-h", &f.L21H, func(o *nmf.Options) *float64 { return &h(o).L21 }},
		{"orthogonal-w", &f.OrthogonalW, func(o *nmf.Options) *float64 { return &w(o).Orthogonal }},
		{"orthogonal-h", &f.OrthogonalH, func(o *nmf.Options) *float64 { return &h(o).Orthogonal }},
		{"spread-w", &f.SpreadW, func(o *nmf.Options) *float64 { return &w(o).Spread }},
		{"spread-h", &f.SpreadH, func(o *nmf.Options) *float64 { return &h(o).Spread }},
		{"smooth-w", &f.SmoothW, func(o *nmf.Options) *float64 { return &w(o).Smooth }},
		{"smooth-h", &f.SmoothH, func(o *nmf.Options) *float64 { return &h(o).Smooth }},
		{"graph-w", &f.GraphW, func(o *nmf.Options) *float64 { return &w(o).Graph }},
		{"graph-h", &f.GraphH, func(o *nmf.Options) *float64 { return &h(o).Graph }},
	}
}

// path is the flag with several values and what it takes in turn; no values
// where there is none.
type path struct {
	weightFlag
	values []float64
}

// penaltyPath reads all weights and gives the one with several values.
func (f *penaltyFlags) penaltyPath(command string) (p path, err error) {
	for _, w := range f.weights() {
		values, err := parsePath(*w.text)
		if err != nil {
			return p, usagef(command, "--%s %q: %v", w.name, *w.text, err)
		}
		if len(values) < 2 {
			continue
		}
		if p.values != nil {
			return p, usagef(command, "--%s and --%s are both paths: give one of them a single value", p.name, w.name)
		}
		p = path{w, values}
	}
	return p, nil
}

// onePoint refuses a path, for commands that make one model.
func (f *penaltyFlags) onePoint(command string) error {
	p, err := f.penaltyPath(command)
	if err != nil || p.values == nil {
		return err
	}
	return usagef(command, "--%s is a path, and %s makes one model: make the path with nmf fit", p.name, command)
}

// longestPath bounds the models of a path.
const longestPath = 1000

// parsePath takes a number, FROM:TO:STEP or a list with commas.
func parsePath(text string) ([]float64, error) {
	if text == "" {
		return nil, nil
	}
	number := func(s string) (float64, error) {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return 0, fmt.Errorf("%q is not a number of at least 0", s)
		}
		return v, nil
	}
	separator := ","
	if strings.Contains(text, ":") {
		separator = ":"
	}
	var values []float64
	for _, part := range strings.Split(text, separator) {
		v, err := number(part)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	if separator == "," {
		return values, nil
	}
	if len(values) != 3 || values[2] == 0 {
		return nil, errors.New("a path is FROM:TO:STEP with a STEP above 0")
	}
	from, to, step := values[0], values[1], values[2]
	n := int(math.Abs(to-from)/step+1e-9) + 1
	if n > longestPath {
		return nil, fmt.Errorf("that are %d values, and %d are the most", n, longestPath)
	}
	if to < from {
		step = -step
	}
	values = values[:0]
	for i := range n {
		// Rounded to what a step can mean, so that 3·0.1 is 0.3.
		v, _ := strconv.ParseFloat(strconv.FormatFloat(from+float64(i)*step, 'g', 12, 64), 64)
		values = append(values, v)
	}
	return values, nil
}

// check refuses what no data could make right.
func (f *penaltyFlags) check(command string) error {
	if _, err := f.penaltyPath(command); err != nil {
		return err
	}
	for _, c := range []struct {
		flag  string
		v     float64
		below float64
	}{{"upper-w", f.UpperW, math.Inf(1)}, {"upper-h", f.UpperH, math.Inf(1)}, {"sparseness-w", f.SparsenessW, 1}, {"sparseness-h", f.SparsenessH, 1}} {
		if !(c.v >= 0 && c.v < c.below) {
			return usagef(command, "--%s is %v; it must be at least 0 and below %v", c.flag, c.v, c.below)
		}
	}
	switch {
	case f.SmoothOrder < 1 || f.SmoothOrder > 2:
		return usagef(command, "--smooth-order is %d; it must be 1 or 2", f.SmoothOrder)
	case (f.GraphW == "") != (f.GraphFileW == ""):
		return usagef(command, "--graph-w and --graph-file-w go together")
	case (f.GraphH == "") != (f.GraphFileH == ""):
		return usagef(command, "--graph-h and --graph-file-h go together")
	case f.FixW != "" && f.SupportW != "":
		return usagef(command, "--fix-w and --support-w can't be used together: write the zeros into the file of --fix-w")
	case f.FixH != "" && f.SupportH != "":
		return usagef(command, "--fix-h and --support-h can't be used together: write the zeros into the file of --fix-h")
	}
	return nil
}

// apply fills in the penalties of o; the value of a path is its first. The
// files are read as the input is, with as many threads.
func (f *penaltyFlags) apply(a *app, o *nmf.Options, quiet bool) (err error) {
	for _, w := range f.weights() {
		values, err := parsePath(*w.text)
		if err != nil {
			return err
		}
		if len(values) > 0 {
			*w.at(o) = values[0]
		}
	}
	for _, side := range []struct {
		p                 *nmf.Penalty
		upper, sparseness float64
		simplex           bool
		fix, support      string
	}{
		{&o.PenaltyW, f.UpperW, f.SparsenessW, f.SimplexW, f.FixW, f.SupportW},
		{&o.PenaltyH, f.UpperH, f.SparsenessH, f.SimplexH, f.FixH, f.SupportH},
	} {
		side.p.Upper, side.p.Sparseness, side.p.Simplex = side.upper, side.sparseness, side.simplex
		if side.p.Smooth != 0 {
			side.p.SmoothOrder = f.SmoothOrder
		}
		switch {
		case side.fix != "":
			side.p.Held, err = readSide(a, side.fix, o.Threads, quiet)
		case side.support != "":
			side.p.Held, err = readSide(a, side.support, o.Threads, quiet)
			if err == nil {
				supportOf(side.p.Held)
			}
		}
		if err != nil {
			return err
		}
	}
	return f.readGraphs(a, o, quiet)
}

// readGraphs reads the graphs that o has weights for; a weight of zero asks
// for none.
func (f *penaltyFlags) readGraphs(a *app, o *nmf.Options, quiet bool) (err error) {
	for _, side := range []struct {
		p    *nmf.Penalty
		file string
	}{{&o.PenaltyW, f.GraphFileW}, {&o.PenaltyH, f.GraphFileH}} {
		switch {
		case side.p.Graph == 0:
			side.p.GraphWeights = nil
		case side.p.GraphWeights == nil:
			if side.p.GraphWeights, err = readGraph(a, side.file, o.Threads, quiet); err != nil {
				return err
			}
		}
	}
	return nil
}

func readGraph(a *app, path string, threads int, quiet bool) (*matrix.CSR[float64], error) {
	t, err := readBeside(a, path, &data.ReadOptions{Threads: threads}, quiet)
	if err != nil {
		return nil, err
	}
	if d, dense := t.X.(*matrix.Dense[float64]); dense {
		return d.Sparse(), nil
	}
	return t.X.(*matrix.CSR[float64]), nil
}

// readSide reads a matrix beside the input.
func readSide(a *app, path string, threads int, quiet bool) (*matrix.Dense[float64], error) {
	t, err := readTable[float64](a, source{path, &data.ReadOptions{Missing: data.MissingWords, Threads: threads}}, quiet)
	if err != nil {
		return nil, err
	}
	return toDense(t.X), nil
}

// supportOf turns a matrix that is zero where a factor must be into held
// entries.
func supportOf(d *matrix.Dense[float64]) {
	for i := range d.Rows {
		row := d.Row(i)
		for j, v := range row {
			if v != 0 {
				row[j] = math.NaN()
			}
		}
	}
}
