// Package recipe holds what the front doors share. Each door is a package below
// this one, thin by intent: it reads what people of a domain have, prepares it
// as the field does, and draws or tabulates the model in the field's terms. The
// factorization is nmf.Fit on the prepared matrix, with the door's Preset or any
// other options.
//
// A door's package has a Read that gives the prepared [data.Table] with what
// the door knows beside it, a Preset of [nmf.Options], and functions from a
// model to its outputs.
package recipe

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// Sentinels, found with errors.Is in what the doors return.
var (
	// ErrOption: a setting that makes no sense.
	ErrOption = errors.New("bad option")
	// ErrInput: input that the door cannot use.
	ErrInput = errors.New("unusable input")
)

// Grid is how the pixels of a picture lie in a row or column of a matrix.
type Grid struct {
	Width, Height int
	// ColumnMajor says that pixels run down the columns of the picture, as
	// MATLAB stores them, not along its rows.
	ColumnMajor bool
}

// Len is the number of pixels.
func (g Grid) Len() int { return g.Width * g.Height }

// Index is the place of a pixel in the matrix.
func (g Grid) Index(x, y int) int {
	if g.ColumnMajor {
		return x*g.Height + y
	}
	return y*g.Width + x
}

// Check refuses a grid that does not hold n pixels; what names them in errors.
func (g Grid) Check(file string, n int, what string) error {
	bad := func(found, hint string) error {
		return &data.Error{File: file, Found: found, Hint: hint, Err: ErrInput}
	}
	switch {
	case g.Width < 0 || g.Height < 0:
		return fmt.Errorf("%w: a picture of %d x %d pixels", ErrOption, g.Width, g.Height)
	case g.Width == 0 || g.Height == 0:
		return bad(fmt.Sprintf("the form of the picture of %d %s is not known", n, what), "give --width and --height")
	case g.Width > n || g.Height > n || g.Len() != n:
		return bad(fmt.Sprintf("there are %d %s, and %d x %d are %d", n, what, g.Width, g.Height, int64(g.Width)*int64(g.Height)), "give the --width and --height that they have")
	}
	return nil
}

// ReadArray reads a .npy file of three axes or more, such as a stack of images
// or a cube. It gives nil for any other file, which package data reads.
func ReadArray[F matrix.Float](path string) (*npy.Array[F], error) {
	name := strings.ToLower(path)
	compressed := strings.HasSuffix(name, ".gz")
	if filepath.Ext(strings.TrimSuffix(name, ".gz")) != ".npy" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	size := int64(-1)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && !compressed {
		size = info.Size()
	}
	if compressed {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, &data.Error{File: path, Err: data.ErrFormat, Found: "is named .gz and is no gzip file"}
		}
	}
	h, err := npy.ReadHeader(r)
	if err != nil || len(h.Shape) < 3 {
		return nil, nil // package data says what is wrong
	}
	if size >= 0 {
		size = max(0, size-h.Size)
	}
	a, err := npy.ReadBody[F](r, h, size)
	if err != nil {
		return nil, &data.Error{File: path, Found: err.Error(), Hint: "write it again with numpy.save", Err: err}
	}
	return a, nil
}
