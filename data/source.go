package data

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/partsof/nmf/internal/blockfile"
)

const (
	// sniffSize is how much of the content a format may look at.
	sniffSize  = 4 << 10
	bufferSize = 128 << 10
	// maxZstdWindow is what the zstd command allows without being asked, and
	// bounds what a forged frame header can make us allocate.
	maxZstdWindow = 128 << 20
	stdinName     = "standard input"
)

// source is an opened input, as readers see it.
type source struct {
	// path is as given: "-" for standard input, a folder for a folder format.
	path string
	// name is what errors call the input.
	name string
	// r gives the content, decompressed.
	r *bufio.Reader
	// file is set where the content is a plain file from its first byte on,
	// uncompressed: it can be read with ReadAt, from several goroutines. Its
	// position is not defined.
	file *os.File
	// size is the number of bytes of content; -1 where that is not known.
	size int64
	// compressed names the compression that was seen through, or is "".
	compressed string

	closers []func() error
}

// openSource opens a file or standard input and sees through compression.
func openSource(path string) (*source, error) {
	s := &source{path: path, name: path, size: -1}
	f := os.Stdin
	if path == "-" {
		s.name = stdinName
	} else {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, openError(path, err)
		}
		s.closers = append(s.closers, f.Close)
	}
	info, err := f.Stat()
	if err != nil {
		s.Close()
		return nil, openError(s.name, err)
	}
	if info.IsDir() {
		s.Close()
		return nil, &Error{File: s.name, Found: "is a folder, not a file", Err: ErrUnsupported}
	}
	if info.Mode().IsRegular() {
		if at, err := f.Seek(0, io.SeekCurrent); err == nil && at == 0 {
			s.file, s.size = f, info.Size()
		}
	}
	s.r = bufio.NewReaderSize(f, bufferSize)
	if err := s.decompress(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// openError puts an error of the system in the words of this package.
func openError(name string, err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	if errors.As(err, &pe) {
		err = pe.Err
	} else if errors.As(err, &le) {
		err = le.Err
	}
	e := &Error{File: name, Found: err.Error(), Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Found = "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		e.Found, e.Hint = "may not be read: permission denied", "check its permissions"
	}
	return e
}

// decompress puts a decompressor in front of the content where its first
// bytes call for one.
func (s *source) decompress() error {
	// A short file gives what it has; errors come back at the next read.
	head, _ := s.r.Peek(6)
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(s.r)
		if err != nil {
			return s.decompressError("gzip", err)
		}
		z.Multistream(false)
		s.through("gzip", &members{s.r, z}, z.Close)
	case bytes.HasPrefix(head, zstdMagic):
		z, err := zstd.NewReader(s.r, zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return s.decompressError("zstd", err)
		}
		s.through("zstd", z, func() error { z.Close(); return nil })
	case bytes.HasPrefix(head, []byte("BZh")) && bytes.HasSuffix(head, []byte{0x31, 0x41}):
		s.through("bzip2", bzip2.NewReader(s.r), nil)
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return &Error{File: s.name, Found: "is compressed with xz", Hint: "decompress it first, or use gzip or zstd", Err: ErrUnsupported}
	}
	if head, _ := s.r.Peek(4); s.compressed != "" && (bytes.HasPrefix(head, gzipMagic) || bytes.Equal(head, zstdMagic)) {
		return &Error{File: s.name, Found: "is compressed twice", Hint: "decompress it once first", Err: ErrUnsupported}
	}
	return nil
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// errTrailing: something that is no gzip stream follows one.
var errTrailing = errors.New("bytes after the end of the gzip stream")

// members reads gzip streams one after another, as gzip itself does, and tells
// what follows the last from a stream that is cut short.
type members struct {
	r *bufio.Reader
	z *gzip.Reader
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.z.Read(p)
	if err != io.EOF {
		return n, err
	}
	head, err := m.r.Peek(len(gzipMagic))
	switch {
	case len(head) == 0:
		return n, err
	case !bytes.Equal(head, gzipMagic):
		return n, errTrailing
	}
	err = m.z.Reset(m.r)
	m.z.Multistream(false)
	return n, noEOF(err)
}

// noEOF makes the end of the file within a stream what it is.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *source) through(method string, z io.Reader, closer func() error) {
	s.r = bufio.NewReaderSize(&decompressor{s, method, z}, bufferSize)
	s.file, s.size, s.compressed = nil, -1, method
	if closer != nil {
		s.closers = append(s.closers, closer)
	}
}

// decompressor names the file in the errors of a decompressing reader.
type decompressor struct {
	s      *source
	method string
	z      io.Reader
}

func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.z.Read(p)
	if err != nil && err != io.EOF {
		err = d.s.decompressError(d.method, err)
	}
	return n, err
}

func (s *source) decompressError(method string, err error) error {
	var pe *fs.PathError
	switch {
	case errors.As(err, &pe):
		return openError(s.name, err)
	case errors.Is(err, errTrailing):
		return &Error{
			File: s.name, Found: "has some bytes after the end of its gzip stream",
			Hint: "cut them off, or copy or download it again", Err: ErrFormat,
		}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{
			File: s.name, Found: fmt.Sprintf("file is cut short, or damaged: its %s stream has no end", method),
			Hint: "copy or download it again", Err: ErrTruncated,
		}
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return &Error{
			File: s.name, Found: "the zstd stream asks for a window above 128 MiB",
			Hint: "decompress it first, or compress it without --long", Err: ErrUnsupported,
		}
	}
	return &Error{
		File: s.name, Found: fmt.Sprintf("damaged %s stream: %v", method, err),
		Hint: "copy or download it again", Err: ErrFormat,
	}
}

// head gives the first bytes of the content without taking them.
func (s *source) head() ([]byte, error) {
	head, err := s.r.Peek(sniffSize)
	if err == io.EOF {
		err = nil
	}
	return head, err
}

// Close closes all that openSource opened; standard input stays open.
func (s *source) Close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}

// fail completes an error of a reader: the file's name where it is missing,
// and the package's type around errors of other packages.
func (s *source) fail(err error) error {
	var e *Error
	var write *blockfile.WriteError
	if errors.As(err, &write) {
		return blockError(write.Folder, err)
	}
	if !errors.As(err, &e) {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return openError(s.name, err)
		}
		return &Error{File: s.name, Found: err.Error(), Err: err}
	}
	if e.File == "" {
		e.File = s.name
	}
	return err
}

// Content is what Open gives: the bytes of a file, decompressed.
type Content struct {
	io.Reader
	// Name is what errors call the file.
	Name string

	s *source
}

// Close closes the file.
func (c *Content) Close() error { return c.s.Close() }

// Open opens a file, or standard input for "-", for readers of what is no
// matrix. gzip, zstd and bzip2 are seen through, whatever the name.
func Open(path string) (*Content, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	return &Content{s.r, s.name, s}, nil
}
