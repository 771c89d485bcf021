// Package data reads and writes matrices in the formats that people have:
// NumPy, scipy.sparse, MatrixMarket, CSV and TSV, lists of cells, Parquet,
// MATLAB, HDF5, 10x folders, pictures, genotypes. Row and column names travel
// with the matrix.
//
// One file a format: a format is a value of type format, handed to register in
// an init function of its file. See docs/adding.md.
package data

import (
	"errors"
	"fmt"
	"strings"

	"github.com/partsof/nmf/matrix"
)

// Table is a matrix with the names of its rows (samples) and columns
// (features), as a file holds them.
type Table[F matrix.Float] struct {
	X matrix.Matrix[F]
	// RowNames and ColumnNames are nil where the file has none; otherwise as
	// long as the matrix is.
	RowNames, ColumnNames []string
	// Format is the name of the format that was read, such as "npy".
	Format string
	// Notes says what a reader did that its user should know: a matrix turned
	// round, duplicate cells summed.
	Notes []string
}

// Choice is a setting that is found out from the file unless told.
type Choice int

const (
	Auto Choice = iota
	Yes
	No
)

// ReadOptions says how to read a file. The zero value finds everything out.
type ReadOptions struct {
	// Format names a format ("npy", "csv", …); "" goes by extension and
	// content.
	Format string
	// Key names the matrix within a file of several: the array of a .npz, the
	// variable of a .mat, the path within HDF5; "" takes the only one.
	Key string
	// Transpose turns the matrix round after reading.
	Transpose bool
	// Header and RowNames say whether a CSV or TSV file has a line of column
	// names and a column of row names.
	Header, RowNames Choice
	// Delimiter separates the fields of a text table; 0 finds it out.
	Delimiter rune
	// Long says whether a Parquet table has a cell in each row, with the row, the
	// column and the value of a sparse matrix, instead of a sample: found out from the
	// names of its columns unless told. IndexBase is what the numbers of rows and
	// columns in it count from, 0 or 1.
	Long      Choice
	IndexBase int
	// Missing says which cells of a text table become NaN: by default none, such
	// a cell is an error.
	Missing Missing
	// Threads bounds the goroutines that parse text; 0 is GOMAXPROCS.
	Threads int
}

// Missing says what stands for a missing value in a text table.
type Missing int

const (
	// MissingNone: nothing does.
	MissingNone Missing = iota
	// MissingEmpty: an empty cell does.
	MissingEmpty
	// MissingWords: an empty cell does, and NaN, NA, N/A, null, none and a lone
	// point, in any case.
	MissingWords
)

// takes reports whether a trimmed field stands for a missing value.
func (m Missing) takes(field []byte) bool {
	switch m {
	case MissingEmpty:
		return len(field) == 0
	case MissingWords:
		return len(field) <= len("null") && isMissing(string(field))
	}
	return false
}

// WriteOptions says how to write a file. The zero value goes by the
// extension.
type WriteOptions struct {
	// Format names a format; "" goes by extension.
	Format string
}

// Sentinels, found with errors.Is in what Read returns.
var (
	// ErrFormat: the content is not of the format, or breaks its rules.
	ErrFormat = errors.New("malformed input")
	// ErrTruncated: the file ends before what its header promises.
	ErrTruncated = errors.New("file is cut short")
	// ErrMissing: a cell is empty.
	ErrMissing = errors.New("missing value")
	// ErrUnsupported: a valid file of a kind that is not read.
	ErrUnsupported = errors.New("not supported")
)

// Error is a problem at a place in a file.
type Error struct {
	// File is the path as it was given; "standard input" for "-".
	File string
	// Line and Column (field) count from 1; 0 where there is none.
	Line, Column int
	// Found says what is wrong, with the offending text; Hint what to do.
	Found, Hint string
	// Err is one of the sentinels, or an error of the system.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ", column %d", e.Column)
		}
	}
	b.WriteString(": ")
	if e.Found != "" {
		b.WriteString(e.Found)
	} else if e.Err != nil {
		b.WriteString(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// were is the verb for that many.
func were[I int | int64](n I) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// count writes a number of things: "1 cell", "2 cells".
func count[I int | int64](n I, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
