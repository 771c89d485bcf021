package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

type infoCmd struct {
	File   string `arg:"" optional:"" needed:"" help:"Matrix or model: a file, a 10x folder, or - for standard input."`
	K      int    `short:"k" group:"Memory" type:"count" default:"20" placeholder:"K" help:"Components, for the memory that a fit would take."`
	Runs   int    `group:"Memory" type:"count" default:"1" placeholder:"N" help:"Starts, for the memory that a fit would take."`
	Memory string `group:"Memory" placeholder:"SIZE" help:"Memory that there is to use, such as 4GB. Default: what the machine has."`
	inputFlags
	machineFlags
	JSON bool `group:"Output" help:"Print the result as JSON."`
}

func (c *infoCmd) examples() [][2]string {
	return [][2]string{
		{"nmf info counts.csv", "shape, range, problems"},
		{"nmf info counts.csv -k 100", "with the memory for 100 components"},
		{"nmf info model.npz", "how a model was made"},
	}
}

func (c *infoCmd) notes() string {
	return "Numbers are read with 64 bits. A model is described as such unless --key names one of its arrays."
}

func (c *infoCmd) Run(a *app) error {
	in, err := c.source("info", c.File, "the file", c.Threads)
	if err != nil {
		return err
	}
	if err := errors.Join(checkK("info", c.K), checkMemory("info", c.Memory), c.machineFlags.check("info")); err != nil {
		return err
	}
	if c.Runs < 1 {
		return usagef("info", "--runs is %d; it must be at least 1", c.Runs)
	}
	if c.Key == "" && c.File != "-" {
		switch info, err := nmf.ReadInfo(c.File); {
		case err == nil:
			return a.modelInfo(c, info)
		case errors.Is(err, nmf.ErrModelVersion):
			return err
		}
	}
	o := &nmf.Options{Memory: parseBytes(c.Memory)}
	fit, err := readingFor(in, fitting[float32](c.K, o, &cellFlags{}, "", false))
	if err == nil {
		if looked, err := readingFor(in, fitting[float64](1, o, &cellFlags{}, "", false)); err == nil && looked.limit > 0 && looked.bytes+looked.shape.Reading > looked.limit {
			return a.tooLarge(c, in, fit, looked)
		}
	} else {
		fit = nil
	}
	t, err := data.Read[float64](in.path, in.options)
	if err != nil {
		return err
	}
	r, err := c.matrixReport(in, t)
	if err != nil {
		return err
	}
	if fit != nil && fit.blockwise() && len(r.Memory) > 0 {
		r.Memory[0].BlockByBlock = fit.streamed
	}
	if c.JSON {
		return a.printJSON(r)
	}
	a.printMatrix(r)
	return nil
}

// matrixReport is what info says of a matrix.
type matrixReport struct {
	File        string  `json:"file"`
	Format      string  `json:"format"`
	Rows        int     `json:"rows"`
	Columns     int     `json:"columns"`
	Sparse      bool    `json:"sparse"`
	StoredCells int     `json:"stored_cells"`
	Nonzero     int     `json:"nonzero"`
	Density     float64 `json:"density"`
	// Min, Max and Mean are over the finite cells.
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
	// Whole says that all finite cells are whole numbers.
	Whole bool `json:"whole_numbers"`

	ZeroRows    int    `json:"zero_rows"`
	ZeroColumns int    `json:"zero_columns"`
	NaN         int    `json:"nan"`
	Infinite    int    `json:"infinite"`
	Negative    int    `json:"negative"`
	FirstBad    string `json:"first_bad,omitempty"`

	RowNames    []string       `json:"first_row_names,omitempty"`
	ColumnNames []string       `json:"first_column_names,omitempty"`
	Notes       []string       `json:"notes,omitempty"`
	Memory      []memoryReport `json:"memory"`
}

// memoryReport is what a fit would take.
type memoryReport struct {
	Precision string  `json:"precision"`
	K         int     `json:"k"`
	Runs      int     `json:"runs"`
	Bytes     float64 `json:"bytes"`
	// BlockByBlock is what a fit takes that reads the matrix block by block, where
	// there is too little memory for another.
	BlockByBlock float64 `json:"block_by_block,omitempty"`
}

// unreadReport is what info says of a matrix that it cannot look through.
type unreadReport struct {
	File    string `json:"file"`
	Rows    int    `json:"rows"`
	Columns int    `json:"columns"`
	// Estimated says that rows and stored_cells are guesses by the file's size.
	Estimated   bool           `json:"estimated"`
	Sparse      bool           `json:"sparse"`
	StoredCells int            `json:"stored_cells"`
	Bytes       float64        `json:"bytes"`
	Available   float64        `json:"available"`
	Memory      []memoryReport `json:"memory"`
}

// tooLarge describes a matrix by what shows before it is read.
func (a *app) tooLarge(c *infoCmd, in source, fit, looked *reading) error {
	s := looked.shape
	r := unreadReport{File: in.name(), Rows: s.Rows, Columns: s.Columns, Estimated: s.Estimated, Sparse: s.Sparse, StoredCells: s.Stored,
		Bytes: looked.bytes, Available: looked.limit, Memory: []memoryReport{{"f32", c.K, 1, fit.need, fit.streamed}}}
	if c.JSON {
		return a.printJSON(r)
	}
	kind, about := "dense", ""
	if s.Sparse {
		kind = "sparse, at most " + plural(s.Stored, "stored cell")
	}
	if s.Estimated {
		about = "about "
	}
	a.printf("%s: matrix, too large to look through: it takes %s%s with 64 bits, and %s are there to use\n", r.File, about, byteText(r.Bytes), byteText(r.Available))
	a.printf("shape     %s%s (rows) x %s (columns), %s\n", about, plural(s.Rows, "sample"), plural(s.Columns, "feature"), kind)
	a.printf("memory    about %s for a fit with -k %d and 1 run in memory, %s block by block\n", byteText(fit.need), c.K, byteText(fit.streamed))
	verdict := "nmf fit reads it in memory"
	switch {
	case fit.streamed > fit.limit:
		verdict = "there is too little memory for a fit, block by block too: lower -k"
	case fit.blockwise():
		verdict = "nmf fit reads it block by block"
	}
	a.printf("verdict   %s\n", verdict)
	return nil
}

func (c *infoCmd) matrixReport(in source, t *data.Table[float64]) (*matrixReport, error) {
	r := &matrixReport{File: in.name(), Format: t.Format, Notes: t.Notes, Min: math.Inf(1), Max: math.Inf(-1), Whole: true,
		RowNames: t.RowNames[:min(3, len(t.RowNames))], ColumnNames: t.ColumnNames[:min(3, len(t.ColumnNames))]}
	r.Rows, r.Columns = t.X.Dims()
	survey := newSurvey(r, t)
	switch x := t.X.(type) {
	case *matrix.Dense[float64]:
		r.StoredCells = r.Rows * r.Columns
		for i := range r.Rows {
			for j, v := range x.Row(i) {
				survey.cell(i, j, v)
			}
		}
	case *matrix.CSR[float64]:
		r.Sparse, r.StoredCells = true, x.NNZ()
		for i := range r.Rows {
			cols, vals := x.Row(i)
			for p, v := range vals {
				survey.cell(i, int(cols[p]), v)
			}
		}
	}
	survey.finish()
	if r.Rows == 0 || r.Columns == 0 {
		return r, nil
	}
	for _, precision := range []string{"f32", "f64"} {
		memory := nmf.Memory[float32]
		if precision == "f64" {
			memory = nmf.Memory[float64]
		}
		bytes, err := memory(r.Rows, r.Columns, r.StoredCells, r.Sparse, c.K, &nmf.Options{Runs: c.Runs})
		if err != nil {
			return nil, err
		}
		r.Memory = append(r.Memory, memoryReport{precision, c.K, c.Runs, bytes, 0})
	}
	return r, nil
}

// survey goes over the cells of a matrix.
type survey struct {
	r                   *matrixReport
	t                   *data.Table[float64]
	rowSeen, columnSeen []bool
	sum                 float64
	finite              int
}

func newSurvey(r *matrixReport, t *data.Table[float64]) *survey {
	return &survey{r: r, t: t, rowSeen: make([]bool, r.Rows), columnSeen: make([]bool, r.Columns)}
}

func (s *survey) cell(i, j int, v float64) {
	r := s.r
	switch {
	case math.IsNaN(v):
		r.NaN++
		s.bad(i, j, v)
	case math.IsInf(v, 0):
		r.Infinite++
		s.bad(i, j, v)
	case v < 0:
		r.Negative++
		s.bad(i, j, v)
	}
	if v != 0 {
		r.Nonzero++
		s.rowSeen[i], s.columnSeen[j] = true, true
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	s.finite++
	s.sum += v
	r.Min, r.Max = min(r.Min, v), max(r.Max, v)
	r.Whole = r.Whole && v == math.Trunc(v)
}

// bad keeps the first cell that a fit would refuse.
func (s *survey) bad(i, j int, v float64) {
	if s.r.FirstBad != "" {
		return
	}
	e := nmf.CellError{Row: i, Column: j, Value: v, Err: nmf.ErrNegative}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		e.Err = nmf.ErrNotFinite
	}
	if s.t.RowNames != nil {
		e.RowName = s.t.RowNames[i]
	}
	if s.t.ColumnNames != nil {
		e.ColumnName = s.t.ColumnNames[j]
	}
	s.r.FirstBad = e.Error()
}

func (s *survey) finish() {
	r := s.r
	cells := r.Rows * r.Columns
	if implicit := cells - r.StoredCells; implicit > 0 {
		r.Min, r.Max = min(r.Min, 0), max(r.Max, 0)
		s.finite += implicit
	}
	if s.finite == 0 {
		r.Min, r.Max = 0, 0
	} else {
		r.Mean = s.sum / float64(s.finite)
	}
	if cells > 0 {
		r.Density = float64(r.Nonzero) / float64(cells)
	}
	for _, seen := range s.rowSeen {
		if !seen {
			r.ZeroRows++
		}
	}
	for _, seen := range s.columnSeen {
		if !seen {
			r.ZeroColumns++
		}
	}
}

func (a *app) printMatrix(r *matrixReport) {
	kind, numbers := "dense", "not all whole numbers"
	if r.Sparse {
		kind = "sparse, " + plural(r.StoredCells, "stored cell")
	}
	if r.Whole {
		numbers = "whole numbers"
	}
	a.printf("%s: matrix, %s\n", r.File, r.Format)
	a.printf("shape     %s (rows) x %s (columns), %s\n", plural(r.Rows, "sample"), plural(r.Columns, "feature"), kind)
	a.printf("density   %s of the cells are not zero\n", percent(r.Density))
	a.printf("range     %.6g to %.6g, mean %.6g, %s\n", r.Min, r.Max, r.Mean, numbers)
	a.printf("names     %s; %s\n", namesText("rows", r.RowNames, r.Rows), namesText("columns", r.ColumnNames, r.Columns))
	a.printf("zero      %s, %s\n", plural(r.ZeroRows, "row"), plural(r.ZeroColumns, "column"))
	for _, n := range r.Notes {
		a.printf("note      %s\n", n)
	}
	if m := r.Memory; m != nil {
		a.printf("memory    about %s for a fit with -k %d and %s, %s with --precision f64\n", byteText(m[0].Bytes), m[0].K, plural(m[0].Runs, "run"), byteText(m[1].Bytes))
		if m[0].BlockByBlock > 0 {
			a.printf("blocks    that is more than there is to use: nmf fit reads it block by block, in about %s\n", byteText(m[0].BlockByBlock))
		}
	}
	a.printf("verdict   %s\n", verdict(r))
}

// verdict says whether the matrix can be factorized.
func verdict(r *matrixReport) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{r.NaN, "NaN"}, {r.Infinite, "infinite"}, {r.Negative, "negative"}} {
		if p.n > 0 {
			parts = append(parts, thousands(p.n)+" "+p.what)
		}
	}
	switch {
	case len(parts) > 0:
		return fmt.Sprintf("cannot be factorized: cells that are %s; the first: %s", strings.Join(parts, ", "), r.FirstBad)
	case r.Nonzero == 0:
		return "cannot be factorized: every cell is zero"
	}
	return "can be factorized: no cell is negative, NaN or infinite"
}

func namesText(what string, first []string, n int) string {
	if first == nil {
		return what + " have none"
	}
	var parts []string
	for _, name := range first {
		parts = append(parts, cut(shown(name), mostName))
	}
	text := what + ": " + strings.Join(parts, ", ")
	if n > len(first) {
		text += ", …"
	}
	return text
}

// byteText writes a number of bytes for people.
func byteText(n float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= u.size {
			return fmt.Sprintf("%.3g %s", n/u.size, u.name)
		}
	}
	return plural(int(n), "byte")
}

// modelInfo describes a model.
func (a *app) modelInfo(c *infoCmd, i *nmf.Info) error {
	if c.JSON {
		return a.printJSON(i)
	}
	r := &i.Resolved
	size := ""
	if stat, err := os.Stat(c.File); err == nil {
		size = ", " + byteText(float64(stat.Size()))
	}
	a.printf("%s: model%s, made by nmf %s (%s)\n", c.File, size, i.Version, i.SIMD)
	a.printf("shape     %s x %s, %s\n", plural(i.Rows, "sample"), plural(i.Columns, "feature"), plural(i.StoredCells, "stored cell"))
	a.printf("fit       k = %d, %s from %s, %s, seed %d\n", i.K, r.Solver, r.Init, i.Precision, r.Seed)
	a.printf("error     relative %.4g (‖X−WH‖/‖X‖); %s of the sum of squares explained; loss %.6g\n", i.RelativeError, percent(explained(i.RelativeError)), i.Loss)
	a.printf("end       %s\n", statusText(i))
	what := plural(i.Iterations, "iteration")
	if i.Online != nil {
		what = plural(i.Online.Rows, "row") + " online"
	}
	a.printf("took      %s, %s\n", what, shortDuration(seconds(i.Seconds)))
	if i.Resolved.Runs > 1 {
		a.printf("runs      %s\n", runsText(i))
	}
	if i.Compression != nil {
		a.printf("sketch    %s hold %s of X's squares\n", plural(i.Compression.Directions, "direction"), percent(i.Compression.Captured))
	}
	for _, w := range i.Warnings {
		a.printf("warning   %s\n", w)
	}
	a.printf("options   %s\n", optionsText(r))
	return nil
}

func optionsText(r *nmf.Options) string {
	if on := r.Online; on != nil {
		text := fmt.Sprintf("--online --batch %d --epochs %d --forget %g", on.Batch, on.Epochs, max(0, on.Forget))
		if on.HalfLife > 0 {
			text += fmt.Sprintf(" --half-life %g", on.HalfLife)
		}
		if on.NoShuffle {
			text += " --no-shuffle"
		}
		return text
	}
	text := fmt.Sprintf("--runs %d --max-iter %d --tol %s --loss-tol %s", r.Runs, r.MaxIter, tolText(r.Tol), tolText(r.LossTol))
	if r.TargetError > 0 {
		text += fmt.Sprintf(" --target-error %g", r.TargetError)
	}
	if r.InnerSweeps > 0 {
		text += fmt.Sprintf(" --inner-sweeps %d", r.InnerSweeps)
	}
	if r.NoExtrapolation {
		text += " --no-extrapolation"
	}
	return text
}

func tolText(tol float64) string {
	if tol < 0 {
		return "0"
	}
	return fmt.Sprintf("%g", tol)
}
