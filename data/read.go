package data

import (
	"fmt"
	"os"
	"strings"

	"github.com/partsof/nmf/matrix"
)

// Read reads a matrix and its names from a file, from a folder for the formats
// that are folders, or from standard input for "-". gzip, zstd and bzip2 are
// seen through, whatever the name. nil options find everything out.
//
// The format is the one that o names, else the one of the extension, else the
// one that the content shows. A file whose extension and content disagree is
// an error.
func Read[F matrix.Float](path string, o *ReadOptions) (*Table[F], error) {
	if o == nil {
		o = &ReadOptions{}
	}
	return open(path, o, intoMemory[F](o))
}

// intoMemory reads by a format's reader.
func intoMemory[F matrix.Float](o *ReadOptions) func(f *format, s *source) (*Table[F], error) {
	return func(f *format, s *source) (*Table[F], error) {
		read := readerOf[F](f)
		if read == nil {
			return nil, &Error{File: s.name, Found: "format " + f.name + " can be written but not read", Err: ErrUnsupported}
		}
		return read(s, o)
	}
}

// open opens what is at path, finds out its format and hands both to read.
func open[F matrix.Float](path string, o *ReadOptions, read func(*format, *source) (*Table[F], error)) (*Table[F], error) {
	var named *format
	if o.Format != "" {
		var err error
		if named, err = formatNamed(o.Format); err != nil {
			return nil, withFile(err, path)
		}
	}
	if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
		return readFolder(path, named, o, read)
	}
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	f, err := s.chooseFormat(named)
	if err != nil {
		return nil, err
	}
	return readWith(f, s, o, read)
}

func readFolder[F matrix.Float](path string, f *format, o *ReadOptions, read func(*format, *source) (*Table[F], error)) (*Table[F], error) {
	if f == nil {
		for _, g := range formats {
			if g.folder != nil && g.folder(path) {
				f = g
				break
			}
		}
	}
	if f == nil || f.folder == nil {
		isFolder := func(f *format) bool { return f.folder != nil }
		return nil, &Error{
			File: path, Found: "is a folder, not a file",
			Hint: "name a file in it; formats that are folders: " + formatNames(isFolder), Err: ErrUnsupported,
		}
	}
	return readWith(f, &source{path: path, name: path, size: -1}, o, read)
}

// chooseFormat goes by the format that was named, if any, then by extension,
// then by content.
func (s *source) chooseFormat(named *format) (*format, error) {
	head, err := s.head()
	if err != nil {
		return nil, s.fail(err)
	}
	if len(head) == 0 {
		return nil, &Error{File: s.name, Found: "the file is empty", Err: ErrTruncated}
	}
	if named != nil {
		return named, nil
	}
	signature := formatOfSignature(head)
	if f := formatOfExtension(s.path); f != nil {
		if signature != nil && signature != f {
			return nil, &Error{
				File: s.name, Found: fmt.Sprintf("the name says %s but the content is %s", f.name, signature.name),
				Hint: fmt.Sprintf("rename the file or say --format %s", signature.name), Err: ErrFormat,
			}
		}
		return f, nil
	}
	if signature != nil {
		return signature, nil
	}
	if f := formatOfGuess(head); f != nil {
		return f, nil
	}
	return nil, &Error{
		File: s.name, Found: "neither the extension nor the content tells the format",
		Hint: "say --format with one of " + formatNames(func(f *format) bool { return f.read64 != nil }), Err: ErrUnsupported,
	}
}

func readWith[F matrix.Float](f *format, s *source, o *ReadOptions, read func(*format, *source) (*Table[F], error)) (*Table[F], error) {
	if s.r == nil && f.folder == nil || s.r != nil && f.folder != nil {
		return nil, &Error{File: s.name, Found: "format " + f.name + " is a folder, this is a file", Err: ErrUnsupported}
	}
	t, err := read(f, s)
	if err != nil {
		return nil, s.fail(err)
	}
	t.Format = f.name
	if err := t.check(); err != nil {
		return nil, s.fail(err)
	}
	t.cleanNames()
	if o.Transpose {
		t.X = turned(t.X)
		t.RowNames, t.ColumnNames = t.ColumnNames, t.RowNames
	}
	return t, nil
}

// turned is x turned round, or its dimensions where it has nothing else.
func turned[F matrix.Float](x matrix.Matrix[F]) matrix.Matrix[F] {
	if s, ok := x.(*matrix.CSR[F]); ok && s.RowPtr == nil {
		return dims[F](s.Cols, s.Rows)
	}
	return matrix.Transpose(x)
}

// check makes sure that shape and names are such as the rest of the system
// relies on.
func (t *Table[F]) check() error {
	rows, cols := t.X.Dims()
	if err := checkDims(rows, cols); err != nil {
		return err
	}
	if t.RowNames != nil && len(t.RowNames) != rows {
		return &Error{Found: fmt.Sprintf("%s for %s", count(len(t.RowNames), "row name"), count(rows, "row")), Err: ErrFormat}
	}
	if t.ColumnNames != nil && len(t.ColumnNames) != cols {
		return &Error{Found: fmt.Sprintf("%s for %s", count(len(t.ColumnNames), "column name"), count(cols, "column")), Err: ErrFormat}
	}
	return nil
}

// checkDims refuses dimensions beyond matrix.MaxDim. Readers call it before
// they allocate.
func checkDims(rows, cols int) error {
	if rows > matrix.MaxDim || cols > matrix.MaxDim {
		return &Error{
			Found: fmt.Sprintf("%d x %d: a matrix has at most %d rows or columns", rows, cols, matrix.MaxDim),
			Hint:  "split it", Err: ErrUnsupported,
		}
	}
	return nil
}

var lineBreaks = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

// cleanNames makes every name one line, since models and text tables keep one
// name a line.
func (t *Table[F]) cleanNames() {
	changed := 0
	for _, names := range [][]string{t.RowNames, t.ColumnNames} {
		for i, name := range names {
			if strings.ContainsAny(name, "\r\n") {
				names[i] = lineBreaks.Replace(name)
				changed++
			}
		}
	}
	if changed > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("line breaks within %s became spaces", count(changed, "name")))
	}
}

// withFile names the file in an error that does not yet.
func withFile(err error, path string) error {
	if e, ok := err.(*Error); ok && e.File == "" {
		e.File = path
		if path == "-" {
			e.File = stdinName
		}
	}
	return err
}
