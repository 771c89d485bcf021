// Package npy reads and writes NumPy's .npy and .npz files.
//
// The format is that of NEP 1 ("A Simple File Format for NumPy Arrays") with
// its versions 1.0, 2.0 and 3.0: a magic string, a header that is a Python
// dict literal, then the elements as they lie in memory. A .npz is a zip
// archive of them.
//
// Readers trust nothing: where the size of the input is known a header that
// promises more is refused before anything is allocated, else memory grows
// with what has arrived.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Sentinels, found with errors.Is in what the readers return.
var (
	// ErrFormat: the content breaks the rules of the format.
	ErrFormat = errors.New("malformed")
	// ErrTruncated: the input ends before what its header promises.
	ErrTruncated = errors.New("file is cut short")
	// ErrUnsupported: a valid file of a kind that is not read.
	ErrUnsupported = errors.New("not supported")
	// ErrRange: an element does not fit in the type that it is read into.
	ErrRange = errors.New("out of range")
)

const (
	magic = "\x93NUMPY"
	// maxHeader is far beyond what NumPy writes for arrays of numbers.
	maxHeader = 1 << 20
	// maxAxes is NumPy's own limit.
	maxAxes = 64
)

// Number is an element type that arrays are read into and written from.
type Number interface {
	float32 | float64 | int32 | int64
}

// Array holds the elements of an array in C order: the last index runs
// fastest.
type Array[T Number] struct {
	Shape []int
	Data  []T
}

// Header is what stands before the elements.
type Header struct {
	// Descr is the element type as NumPy writes it, such as "<f4". It is
	// "struct" for a structured type.
	Descr string
	// Fortran says that the first index runs fastest.
	Fortran bool
	Shape   []int
	// Size is the number of bytes of the header itself.
	Size int64
}

// IsNPY says whether content that starts with head is a .npy file.
func IsNPY(head []byte) bool { return strings.HasPrefix(string(head), magic) }

// ReadHeader reads the header and nothing of the elements.
func ReadHeader(r io.Reader) (Header, error) {
	var start [8]byte
	if n, err := io.ReadFull(r, start[:]); err != nil {
		if n > 0 && !strings.HasPrefix(magic, string(start[:min(n, len(magic))])) {
			return Header{}, fmt.Errorf("%w .npy: it does not start with the magic string", ErrFormat)
		}
		return Header{}, cutShort(err, "within the header")
	}
	if !IsNPY(start[:]) {
		return Header{}, fmt.Errorf("%w .npy: it does not start with the magic string", ErrFormat)
	}
	length, size, err := headerLength(r, start[6], start[7])
	if err != nil {
		return Header{}, err
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return Header{}, cutShort(err, "within the header")
	}
	h, err := parseHeader(string(text))
	if err != nil {
		return Header{}, err
	}
	h.Size = size + int64(length)
	return h, nil
}

// headerLength reads the length of the dict, whose width depends on the
// version. size is the number of bytes up to the dict.
func headerLength(r io.Reader, major, minor byte) (length int, size int64, err error) {
	var b [4]byte
	width := 2
	switch {
	case minor != 0 || major == 0 || major > 3:
		return 0, 0, fmt.Errorf("%w: .npy of version %d.%d; save it with a version up to 3.0", ErrUnsupported, major, minor)
	case major >= 2:
		width = 4
	}
	if _, err := io.ReadFull(r, b[:width]); err != nil {
		return 0, 0, cutShort(err, "within the header")
	}
	n := binary.LittleEndian.Uint32(b[:])
	if n > maxHeader {
		return 0, 0, fmt.Errorf("%w .npy: its header claims %d bytes", ErrFormat, n)
	}
	return int(n), int64(8 + width), nil
}

// cutShort turns the end of the input into ErrTruncated and leaves other
// errors as they are.
func cutShort(err error, where string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends %s", ErrTruncated, where)
	}
	return err
}

// Len is the number of elements, an error where it or their bytes do not fit
// in an int.
func (h Header) Len() (int, error) {
	n := 1
	for _, d := range h.Shape {
		if d == 0 {
			return 0, nil
		}
	}
	for _, d := range h.Shape {
		if d > math.MaxInt/16/n {
			return 0, fmt.Errorf("%w .npy: shape %s is beyond any memory", ErrFormat, ShapeString(h.Shape))
		}
		n *= d
	}
	return n, nil
}

// ShapeString writes a shape as NumPy does: (3, 4), (3,), ().
func ShapeString(shape []int) string {
	if len(shape) == 1 {
		return fmt.Sprintf("(%d,)", shape[0])
	}
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
