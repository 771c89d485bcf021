package nmf

import (
	"errors"
	"fmt"
)

// Sentinels, found with errors.Is in what this package returns.
var (
	// ErrNegative: X has a negative value.
	ErrNegative = errors.New("is negative")
	// ErrNotFinite: X has a NaN or an infinity.
	ErrNotFinite = errors.New("is not a finite number")
	// ErrZero: X has a zero where the loss needs values above it.
	ErrZero = errors.New("has no finite loss; losses with β of at most 0 (Itakura-Saito) need values above zero: add a small number to X, or make zeros missing")
	// ErrEmpty: X has no rows, no columns, or no cell above zero.
	ErrEmpty = errors.New("nothing to factorize")
	// ErrRange: X is so large or so small that its squares leave the range of
	// float64.
	ErrRange = errors.New("values beyond the range of the arithmetic")
	// ErrMemory: a fit needs more memory than Options.Memory allows.
	ErrMemory = errors.New("not enough memory allowed")
	// ErrShape: dimensions that do not fit each other.
	ErrShape = errors.New("shapes do not fit")
	// ErrOption: an option has a value that it cannot have.
	ErrOption = errors.New("bad option")
	// ErrCheckpoint: a folder of checkpoints cannot be used, or holds the state of
	// another fit.
	ErrCheckpoint = errors.New("checkpoint")
	// ErrNames: the features of new data are not those of the model.
	ErrNames = errors.New("feature names do not match the model")
	// ErrModelFormat: a file is not a model, or is a damaged one.
	ErrModelFormat = errors.New("not a valid model file")
	// ErrModelVersion: a model file was written by a newer version.
	ErrModelVersion = errors.New("model file of a newer version")
)

// CellError is a value of X that cannot be factorized.
type CellError struct {
	// Row and Column count from 0.
	Row, Column         int
	RowName, ColumnName string
	Value               float64
	// Err is ErrNegative, ErrNotFinite or ErrZero.
	Err error
}

func (e *CellError) Error() string {
	return fmt.Sprintf("row %s, column %s: %v %v", place(e.Row, e.RowName), place(e.Column, e.ColumnName), e.Value, e.Err)
}

func (e *CellError) Unwrap() error { return e.Err }

// place shows an index, counted from 1, and the name where there is one.
func place(i int, name string) string {
	if name == "" {
		return fmt.Sprint(i + 1)
	}
	return fmt.Sprintf("%d (%q)", i+1, name)
}
