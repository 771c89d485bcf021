package main

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// inputFlags say how to read a matrix.
type inputFlags struct {
	Transpose bool   `group:"Input" help:"Turn the input round: its rows are features, its columns samples."`
	Format    string `group:"Input" type:"choice" placeholder:"NAME" help:"Format of the input, where name and content do not tell it."`
	Key       string `group:"Input" placeholder:"NAME" help:"Matrix within a file of several: array of an .npz, variable of a .mat, path in HDF5. Default: the only one."`
	Header    *bool  `group:"Input" negatable:"" help:"Whether the first line of a CSV or TSV file names the columns. Found out unless told."`
	RowNames  *bool  `group:"Input" negatable:"" help:"Whether the first column of a CSV or TSV file names the rows. Found out unless told."`
	Long      *bool  `group:"Input" negatable:"" help:"Whether each row of a Parquet table is a cell: row, column and value. Found out unless told."`
	IndexBase int    `group:"Input" type:"count" default:"0" placeholder:"N" help:"What the numbers of rows and columns count from in such a table: 0 or 1."`
	Delimiter string `group:"Input" placeholder:"CHAR" help:"What separates fields in a CSV or TSV file: a character, or tab or space. Found out unless given."`
}

// machineFlags bound what a command uses of the machine.
type machineFlags struct {
	Threads int `group:"Machine" type:"count" placeholder:"N" help:"Processors to use, at most. The result does not depend on it. Default: all."`
}

func (f *machineFlags) check(command string) error {
	if f.Threads < 0 {
		return usagef(command, "--threads is %d; it must be at least 1, or 0 for all processors", f.Threads)
	}
	return nil
}

func (f *inputFlags) readOptions(command string, threads int) (*data.ReadOptions, error) {
	delimiter, err := parseDelimiter(command, f.Delimiter)
	if err != nil {
		return nil, err
	}
	if f.IndexBase != 0 && f.IndexBase != 1 {
		return nil, usagef(command, "--index-base is %d; it must be 0 or 1", f.IndexBase)
	}
	return &data.ReadOptions{Long: choice(f.Long), IndexBase: f.IndexBase, Format: f.Format, Key: f.Key, Transpose: f.Transpose,
		Header: choice(f.Header), RowNames: choice(f.RowNames), Delimiter: delimiter, Threads: threads}, nil
}

func choice(told *bool) data.Choice {
	switch {
	case told == nil:
		return data.Auto
	case *told:
		return data.Yes
	}
	return data.No
}

func parseDelimiter(command, s string) (rune, error) {
	switch s {
	case "":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	case "space":
		return ' ', nil
	}
	r, size := utf8.DecodeRuneInString(s)
	if size != len(s) || r == utf8.RuneError {
		return 0, usagef(command, "--delimiter %q is not one character, nor tab or space", s)
	}
	return r, nil
}

// source is an input and how to read it.
type source struct {
	path    string
	options *data.ReadOptions
}

// source checks the name of an input that a command needs.
func (f *inputFlags) source(command, path, what string, threads int) (source, error) {
	if path == "" {
		return source{}, usagef(command, "%s is missing", what)
	}
	o, err := f.readOptions(command, threads)
	return source{path, o}, err
}

// name is what messages call the input.
func (s source) name() string {
	if s.path == "-" {
		return "standard input"
	}
	return s.path
}

// readTable reads a matrix and passes its notes on.
func readTable[F matrix.Float](a *app, s source, quiet bool) (*data.Table[F], error) {
	t, err := data.Read[F](s.path, s.options)
	if err != nil {
		return nil, err
	}
	for _, n := range t.Notes {
		a.note(quiet, "%s: %s", s.name(), n)
	}
	return t, nil
}

// readBeside reads a matrix that says something about the input, and misses no cell.
func readBeside(a *app, path string, o *data.ReadOptions, quiet bool) (*data.Table[float64], error) {
	t, err := readTable[float64](a, source{path, o}, quiet)
	return t, allNeeded(err)
}

// allNeeded says of a missing cell that no flag takes it.
func allNeeded(err error) error {
	var file *data.Error
	if errors.Is(err, data.ErrMissing) && errors.As(err, &file) {
		file.Hint = "fill it in: every cell of this file is needed"
	}
	return err
}

// fileError names the file that an error of the library is about.
type fileError struct {
	file string
	err  error
}

func (e *fileError) Error() string { return fmt.Sprintf("%s: %v", e.file, e.err) }
func (e *fileError) Unwrap() error { return e.err }

// inFile names the file in an error that is about it and does not name it.
func inFile(name string, err error) error {
	var e *data.Error
	var named *fileError
	if err == nil || errors.As(err, &e) || errors.As(err, &named) || errors.Is(err, nmf.ErrCheckpoint) {
		return err
	}
	return &fileError{name, err}
}

// toDense gives a dense matrix, copied where it is not.
func toDense[F matrix.Float](x matrix.Matrix[F]) *matrix.Dense[F] {
	switch x := x.(type) {
	case *matrix.CSR[F]:
		return x.Dense()
	case *matrix.Dense[F]:
		return x
	}
	return nil
}
