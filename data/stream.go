package data

import (
	"os"
	"time"
	"unsafe"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// Stream is a matrix in a file that is read block by block, as often as it is
// needed.
type Stream[F matrix.Float] struct {
	Table[F]
	// Blocks is the path of the block file that is read, "" where it is the file
	// itself, and Made says why that was made just now, "" where it was there.
	Blocks, Made string

	close func() error
}

// npyStream is an open .npy.
type npyStream[F matrix.Float] struct {
	*Stream[F]
	path     string
	file     *os.File
	header   npy.Header
	cols     int
	size     int64
	modified time.Time
}

// CanStream reports whether a file can be opened by OpenStream: a .npy array of
// one to three axes in C order, not compressed, in a file that can be read at
// any place.
func CanStream(path string) bool {
	f, _, err := openNPY(path)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// OpenStream opens the matrix in a .npy file without reading it: X of the Table
// is a *matrix.Streamed, whose Read fails where the file has changed since.
// Errors name the file and are those of Read. The caller closes it after the
// last use of X.
func OpenStream[F matrix.Float](path string) (*Stream[F], error) {
	f, h, err := openNPY(path)
	if err != nil {
		return nil, withFile(err, path)
	}
	s := &npyStream[F]{Stream: &Stream[F]{Table: Table[F]{Format: "npy"}, close: f.Close}, path: path, file: f, header: h}
	info, err := f.Stat()
	if err == nil {
		s.size, s.modified = info.Size(), info.ModTime()
		err = s.shape()
	}
	if err != nil {
		f.Close()
		return nil, withFile(err, path)
	}
	return s.Stream, nil
}

// openNPY opens a file whose rows can be read one by one.
func openNPY(path string) (*os.File, npy.Header, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, npy.Header{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, npy.Header{}, &Error{Found: "it is no regular file", Hint: "only a file can be read again in every pass", Err: ErrUnsupported}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, npy.Header{}, err
	}
	h, err := npy.ReadHeader(f)
	if err == nil {
		err = h.CheckReal()
	}
	switch {
	case err != nil:
		err = npyError(err)
	case h.Fortran && len(h.Shape) > 1:
		err = &Error{Found: "the array is in Fortran order, column by column", Hint: "save it with numpy.ascontiguousarray to read it row by row", Err: ErrUnsupported}
	}
	if err != nil {
		f.Close()
		return nil, h, err
	}
	return f, h, nil
}

// shape fills in the Table.
func (s *npyStream[F]) shape() error {
	rows, cols, note, err := matrixShape(s.header.Shape)
	if err != nil {
		return err
	}
	// The last number is there only if all are.
	if n := rows * cols; n > 0 {
		if err := npy.ReadPart(s.file, s.header, n-1, make([]F, 1)); err != nil {
			return npyError(err)
		}
	}
	s.addNote(note)
	s.cols = cols
	s.X = &matrix.Streamed[F]{Rows: rows, Cols: cols, Read: s.read}
	return nil
}

// read fills dst with rows. Once a pass, at the first row, it looks whether the
// file is still the one that was opened.
func (s *npyStream[F]) read(first int, dst []F) error {
	if first == 0 {
		info, err := s.file.Stat()
		if err != nil {
			return withFile(err, s.path)
		}
		if info.Size() != s.size || !info.ModTime().Equal(s.modified) {
			return &Error{File: s.path, Found: "the file has changed since it was opened", Hint: "leave it alone until the work is done", Err: ErrFormat}
		}
	}
	if err := npy.ReadPart(s.file, s.header, first*s.cols, dst); err != nil {
		return withFile(npyError(err), s.path)
	}
	return nil
}

// Bytes is the size of the matrix in memory.
func (s *Stream[F]) Bytes() float64 {
	rows, cols := s.X.Dims()
	element := float64(unsafe.Sizeof(F(0)))
	if x, ok := s.X.(*matrix.StreamedCSR[F]); ok {
		return float64(x.Stored) * (element + 4)
	}
	return float64(rows) * float64(cols) * element
}

// Close closes the file.
func (s *Stream[F]) Close() error { return s.close() }
