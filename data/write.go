package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
)

const stdoutName = "standard output"

// Write writes a table to a file, or to standard output for "-". nil options
// go by the extension; .gz and .zst compress. Standard output without a format
// is CSV. The file is written to a temporary name, synced and renamed: never
// half a file. A *matrix.Streamed goes to the formats of WritesRows.
func Write[F matrix.Float](path string, t *Table[F], o *WriteOptions) error {
	if path == "-" {
		return WriteTo(os.Stdout, path, t, o)
	}
	f, o, err := prepareWrite(path, t, o)
	if err != nil {
		return err
	}
	if f.folder != nil {
		return writeFolder(f, path, t, o)
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		return writeWith(f, w, path, t, o)
	})
	return withFile(err, path)
}

// WriteTo writes a table to w as Write would to a file of the given name.
func WriteTo[F matrix.Float](w io.Writer, name string, t *Table[F], o *WriteOptions) error {
	f, o, err := prepareWrite(name, t, o)
	if err != nil {
		return err
	}
	if f.folder != nil {
		return &Error{File: outputName(name), Found: "format " + f.name + " is a folder and cannot be a stream", Err: ErrUnsupported}
	}
	if err := writeWith(f, w, name, t, o); err != nil {
		var e *Error
		if errors.As(err, &e) {
			return withFile(err, outputName(name))
		}
		return fmt.Errorf("write %s: %w", outputName(name), err)
	}
	return nil
}

func outputName(path string) string {
	if path == "-" {
		return stdoutName
	}
	return path
}

// prepareWrite finds the format and checks the table against it before
// anything is written.
func prepareWrite[F matrix.Float](path string, t *Table[F], o *WriteOptions) (*format, *WriteOptions, error) {
	if o == nil {
		o = &WriteOptions{}
	}
	f, err := writeFormat(path, o)
	if err != nil {
		return nil, nil, withFile(err, outputName(path))
	}
	err = t.check()
	switch t.X.(type) {
	case *matrix.Streamed[F], *matrix.StreamedCSR[F]:
		if _, sparse := t.X.(*matrix.StreamedCSR[F]); sparse || !f.byRows {
			err = &Error{Found: "a matrix that is read block by block is not written as " + f.name, Hint: "formats for that are " + formatNames(func(f *format) bool { return f.byRows }), Err: ErrUnsupported}
		}
	}
	if err != nil {
		return nil, nil, withFile(err, outputName(path))
	}
	return f, o, nil
}

// WritesRows reports whether Write takes a *matrix.Streamed for path, which it
// reads and writes row by row.
func WritesRows(path string, o *WriteOptions) bool {
	if o == nil {
		o = &WriteOptions{}
	}
	f, err := writeFormat(path, o)
	return err == nil && f.byRows
}

func writeFormat(path string, o *WriteOptions) (*format, error) {
	name := o.Format
	if name == "" && path == "-" {
		name = "csv"
	}
	f := formatOfExtension(path)
	if name != "" {
		var err error
		if f, err = formatNamed(name); err != nil {
			return nil, err
		}
	}
	if f == nil || !f.canWrite() {
		found := "the extension tells no format"
		if f != nil {
			found = "format " + f.name + " can be read but not written"
		}
		return nil, &Error{Found: found, Hint: "formats to write are " + formatNames((*format).canWrite), Err: ErrUnsupported}
	}
	return f, nil
}

// writeWith writes through the compression that the name asks for.
func writeWith[F matrix.Float](f *format, w io.Writer, name string, t *Table[F], o *WriteOptions) error {
	write := writerOf[F](f)
	_, compression := splitExtension(name)
	var z io.WriteCloser
	switch compression {
	case ".gz":
		z = gzip.NewWriter(w)
	case ".zst":
		var err error
		// One goroutine: the bytes must not depend on the machine.
		if z, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); err != nil {
			return err
		}
	case "":
		return write(w, t, o)
	default:
		return &Error{Found: "no output is compressed as " + compression, Hint: "use .gz or .zst", Err: ErrUnsupported}
	}
	if err := write(z, t, o); err != nil {
		return err
	}
	return z.Close()
}

// writeFolder fills a new folder beside the wanted one and renames it. An
// existing folder is replaced only where it is empty.
func writeFolder[F matrix.Float](f *format, path string, t *Table[F], o *WriteOptions) error {
	path = filepath.Clean(path)
	entries, err := os.ReadDir(path)
	exists := err == nil
	switch {
	case len(entries) > 0:
		return &Error{File: path, Found: "the folder exists and is not empty", Hint: "name a new folder", Err: fs.ErrExist}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return openError(path, err)
	}
	parent := filepath.Dir(path)
	temp, err := os.MkdirTemp(parent, ".nmf-*.tmp")
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write %s: folder %q does not exist: %w", path, parent, fs.ErrNotExist)
		}
		return openError(path, err)
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return openError(path, err)
	}
	if err := folderWriterOf[F](f)(temp, t, o); err != nil {
		var own *Error
		if errors.As(err, &own) {
			return withFile(err, path)
		}
		return openError(path, err)
	}
	if exists {
		if err := os.Remove(path); err != nil {
			return openError(path, err)
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return openError(path, err)
	}
	return nil
}
