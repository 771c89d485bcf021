package data

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/partsof/nmf/matrix"
)

// format is one kind of file. A nil reader or writer is a direction that the
// format does not have.
type format struct {
	// name is what --format takes; about is one line for help texts.
	name, about string
	// extensions are lower-case with the dot, without .gz and the like.
	extensions []string
	// sniff says for certain, from the first bytes of the content, that it is
	// of this format: a signature. nil where the format has none.
	sniff func(head []byte) bool
	// guess says that the content may well be of this format. It is asked
	// only where no signature fits and the extension says nothing.
	guess func(head []byte) bool
	// folder is set by a format that is a folder of files: it says that path
	// is such a folder. Its readers get a source of which only path is set.
	folder func(path string) bool

	read32 func(*source, *ReadOptions) (*Table[float32], error)
	read64 func(*source, *ReadOptions) (*Table[float64], error)

	// spool32 and spool64 read a matrix that is not to be in memory; nil where a
	// format is read in memory only.
	spool32 func(*source, *ReadOptions, *elsewhere[float32]) (*Table[float32], error)
	spool64 func(*source, *ReadOptions, *elsewhere[float64]) (*Table[float64], error)

	write32 func(io.Writer, *Table[float32], *WriteOptions) error
	write64 func(io.Writer, *Table[float64], *WriteOptions) error

	// byRows says that the writer takes a *matrix.Streamed, too.
	byRows bool

	// writeFolder32 and writeFolder64 fill a new, empty folder.
	writeFolder32 func(dir string, t *Table[float32], o *WriteOptions) error
	writeFolder64 func(dir string, t *Table[float64], o *WriteOptions) error
}

// formats is sorted by name, so that nothing depends on the order of init
// functions.
var formats []*format

// register adds a format; each format's file calls it once, from init.
func register(f *format) {
	at, taken := slices.BinarySearchFunc(formats, f, func(a, b *format) int { return cmp.Compare(a.name, b.name) })
	if taken {
		panic("data: format " + f.name + " registered twice")
	}
	formats = slices.Insert(formats, at, f)
}

// FormatInfo describes a format that Read or Write know.
type FormatInfo struct {
	// Name is what ReadOptions.Format and WriteOptions.Format take.
	Name string
	// About is a description in one line.
	About string
	// Extensions are those that choose the format, with the dot; a further
	// .gz, .zst or .bz2 is seen through.
	Extensions []string
	// Folder says that the format is a folder of files.
	Folder bool
	// CanRead and CanWrite say in which direction it goes.
	CanRead, CanWrite bool
}

// Formats lists what Read and Write know, sorted by name.
func Formats() []FormatInfo {
	list := make([]FormatInfo, len(formats))
	for i, f := range formats {
		list[i] = FormatInfo{
			Name: f.name, About: f.about, Extensions: slices.Clone(f.extensions), Folder: f.folder != nil,
			CanRead: f.read64 != nil, CanWrite: f.canWrite(),
		}
	}
	return list
}

func (f *format) canWrite() bool { return f.write64 != nil || f.writeFolder64 != nil }

func formatNamed(name string) (*format, error) {
	for _, f := range formats {
		if f.name == strings.ToLower(name) {
			return f, nil
		}
	}
	return nil, &Error{
		Found: fmt.Sprintf("there is no format %q", name),
		Hint:  "formats are " + formatNames(func(*format) bool { return true }), Err: ErrUnsupported,
	}
}

func formatNames(want func(*format) bool) string {
	var names []string
	for _, f := range formats {
		if want(f) {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

// formatOfExtension is nil where the extension says nothing.
func formatOfExtension(path string) *format {
	ext, _ := splitExtension(path)
	for _, f := range formats {
		if ext != "" && slices.Contains(f.extensions, ext) {
			return f
		}
	}
	return nil
}

// splitExtension gives the lower-case extension of a path, and apart from it
// that of a compression: ".csv" and ".gz" for "a.csv.gz".
func splitExtension(path string) (ext, compression string) {
	path = filepath.Base(path)
	ext = strings.ToLower(filepath.Ext(path))
	switch ext {
	case ".gz", ".zst", ".bz2":
		return strings.ToLower(filepath.Ext(path[:len(path)-len(ext)])), ext
	}
	return ext, ""
}

func formatOfSignature(head []byte) *format {
	for _, f := range formats {
		if f.sniff != nil && f.sniff(head) {
			return f
		}
	}
	return nil
}

func formatOfGuess(head []byte) *format {
	for _, f := range formats {
		if f.guess != nil && f.guess(head) {
			return f
		}
	}
	return nil
}

// readerOf picks the reader of the element type.
func readerOf[F matrix.Float](f *format) func(*source, *ReadOptions) (*Table[F], error) {
	if fn, ok := any(f.read32).(func(*source, *ReadOptions) (*Table[F], error)); ok {
		return fn
	}
	fn, _ := any(f.read64).(func(*source, *ReadOptions) (*Table[F], error))
	return fn
}

func writerOf[F matrix.Float](f *format) func(io.Writer, *Table[F], *WriteOptions) error {
	if fn, ok := any(f.write32).(func(io.Writer, *Table[F], *WriteOptions) error); ok {
		return fn
	}
	fn, _ := any(f.write64).(func(io.Writer, *Table[F], *WriteOptions) error)
	return fn
}

func folderWriterOf[F matrix.Float](f *format) func(string, *Table[F], *WriteOptions) error {
	if fn, ok := any(f.writeFolder32).(func(string, *Table[F], *WriteOptions) error); ok {
		return fn
	}
	fn, _ := any(f.writeFolder64).(func(string, *Table[F], *WriteOptions) error)
	return fn
}
