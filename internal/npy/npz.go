package npy

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
)

// zipTime is the earliest time that a zip archive can tell; NumPy writes it,
// too. A clock would make equal arrays different files.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// maxDeflate is the greatest ratio that the deflate format can reach, rounded
// up: a match of 258 bytes takes at least two bits.
const maxDeflate = 1032

// Writer writes the members of a .npz archive, in the order of the calls. The
// same members give the same bytes.
type Writer struct{ zw *zip.Writer }

// NewWriter writes an archive to w.
func NewWriter(w io.Writer) *Writer {
	zw := zip.NewWriter(w)
	zw.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.DefaultCompression)
	})
	return &Writer{zw}
}

// Create begins a member, such as "W.npy" or "model.json", which ends with the
// next call of Create or Close. compress deflates it; factors hardly shrink.
func (z *Writer) Create(name string, compress bool) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Store, Modified: zipTime}
	if compress {
		h.Method = zip.Deflate
	}
	return z.zw.CreateHeader(h)
}

// WriteLines adds a member of text, one string a line.
func (z *Writer) WriteLines(name string, lines []string) error {
	w, err := z.Create(name, true)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	for i, line := range lines {
		if strings.ContainsAny(line, "\r\n") {
			return fmt.Errorf("%w: line break in line %d of %s, %s", ErrUnsupported, i+1, name, quoted(line))
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.Flush()
}

// WriteText adds a single string as key.npy, as numpy.bytes_.
func (z *Writer) WriteText(key, text string) error {
	w, err := z.Create(key+".npy", false)
	if err != nil {
		return err
	}
	if err := WriteHeader(w, fmt.Sprintf("|S%d", len(text)), nil); err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// Close writes the directory of the archive. It does not close the underlying
// writer.
func (z *Writer) Close() error { return z.zw.Close() }

// WriteMember adds an array as key.npy.
func WriteMember[T Number](z *Writer, key string, compress bool, shape []int, data []T) error {
	w, err := z.Create(key+".npy", compress)
	if err != nil {
		return err
	}
	return Write(w, shape, data)
}

// Archive is an opened .npz.
type Archive struct {
	members map[string]*zip.File
	names   []string
	size    int64
}

// IsZip says whether content that starts with head is a zip archive.
func IsZip(head []byte) bool {
	return strings.HasPrefix(string(head), "PK\x03\x04") || strings.HasPrefix(string(head), "PK\x05\x06")
}

// OpenArchive reads the directory of an archive of the given size.
func OpenArchive(r io.ReaderAt, size int64) (*Archive, error) {
	r = within{r, size}
	zr, err := zip.NewReader(r, size)
	if err != nil {
		return nil, describeZip(r, size, err)
	}
	zr.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser { return flate.NewReader(r) })
	a := &Archive{members: map[string]*zip.File{}, size: size}
	for _, f := range zr.File {
		if _, twice := a.members[f.Name]; twice {
			return nil, fmt.Errorf("%w .npz: it has two members %s", ErrFormat, quoted(f.Name))
		}
		a.members[f.Name] = f
		a.names = append(a.names, f.Name)
	}
	return a, nil
}

// within keeps reads inside the archive, wherever its directory points.
type within struct {
	r    io.ReaderAt
	size int64
}

func (w within) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at > w.size {
		return 0, zip.ErrFormat
	}
	return w.r.ReadAt(p, at)
}

// describeZip tells an archive that lost its end, where the directory stands,
// from what is no archive.
func describeZip(r io.ReaderAt, size int64, err error) error {
	if !errors.Is(err, zip.ErrFormat) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	head := make([]byte, min(4, max(size, 0)))
	n, _ := r.ReadAt(head, 0)
	switch {
	case IsZip(head[:n]), n < 4 && strings.HasPrefix("PK\x03\x04", string(head[:n])):
		return fmt.Errorf("%w: the zip archive has no directory at its end", ErrTruncated)
	}
	return fmt.Errorf("%w .npz: it is no zip archive", ErrFormat)
}

// Has says whether there is a member of that name.
func (a *Archive) Has(name string) bool { return a.members[name] != nil }

// Names gives the names of all members, in the order of the directory.
func (a *Archive) Names() []string { return slices.Clone(a.names) }

// Keys gives the names of the arrays, in the order of the directory.
func (a *Archive) Keys() []string {
	var keys []string
	for _, name := range a.names {
		if key, ok := strings.CutSuffix(name, ".npy"); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// MemberError is a problem with one member of an archive.
type MemberError struct {
	Name string
	Err  error
}

func (e *MemberError) Error() string { return "member " + quoted(e.Name) + ": " + e.Err.Error() }

func (e *MemberError) Unwrap() error { return e.Err }

// Open opens a member. Its reader gives ErrTruncated and ErrFormat where the
// archive is damaged, and no more bytes than the directory says.
func (a *Archive) Open(name string) (io.ReadCloser, error) {
	m, err := a.open(name)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (a *Archive) open(name string) (*member, error) {
	f := a.members[name]
	if f == nil {
		return nil, fmt.Errorf("%w .npz: it has no member %s", ErrFormat, quoted(name))
	}
	m := &member{name: name, size: int64(f.UncompressedSize64), stored: f.Method == zip.Store}
	if err := checkMember(f, a.size); err != nil {
		return nil, m.named(err)
	}
	r, err := f.Open()
	if err != nil {
		return nil, m.named(err)
	}
	m.r = r
	return m, nil
}

// checkMember refuses what the directory cannot mean, in an archive of the
// given size.
func checkMember(f *zip.File, size int64) error {
	unpacked, packed := f.UncompressedSize64, f.CompressedSize64
	switch {
	case f.Flags&1 != 0:
		return fmt.Errorf("%w: it is encrypted", ErrUnsupported)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fmt.Errorf("%w: it is compressed by zip method %d; write it with numpy.savez", ErrUnsupported, f.Method)
	case packed > uint64(size):
		return fmt.Errorf("%w: it claims %d bytes, the whole archive has %d", ErrTruncated, packed, size)
	case f.Method == zip.Store && packed != unpacked, unpacked/maxDeflate > packed:
		return fmt.Errorf("%w: it claims to make %d bytes of %d", ErrFormat, unpacked, packed)
	}
	return nil
}

// member reads one member and names it in errors.
type member struct {
	name string
	r    io.ReadCloser
	// size is what the directory says. Where the member is stored as it is
	// the archive holds as much.
	size   int64
	stored bool
}

// Read reads in pieces that stay in cache for the checksum behind it.
func (m *member) Read(p []byte) (int, error) {
	const piece = 256 << 10
	n, err := m.r.Read(p[:min(len(p), piece)])
	if err != nil && err != io.EOF {
		err = m.named(err)
	}
	return n, err
}

func (m *member) Close() error { return m.r.Close() }

// named puts the name of the member and a sentinel around an error, unless it
// has them.
func (m *member) named(err error) error {
	var corrupt flate.CorruptInputError
	var named *MemberError
	switch {
	case err == nil, errors.As(err, &named):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		err = fmt.Errorf("%w: it ends early", ErrTruncated)
	case errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat), errors.As(err, &corrupt):
		err = fmt.Errorf("%w: it is damaged (%w)", ErrFormat, err)
	}
	return &MemberError{m.name, err}
}

// Header reads the header of the array under a key.
func (a *Archive) Header(key string) (Header, error) {
	m, err := a.open(key + ".npy")
	if err != nil {
		return Header{}, err
	}
	defer m.Close()
	h, err := ReadHeader(m)
	return h, m.named(err)
}

// ReadMember reads the array under a key, checksum included.
func ReadMember[T Number](a *Archive, key string) (*Array[T], error) {
	m, err := a.open(key + ".npy")
	if err != nil {
		return nil, err
	}
	defer m.Close()
	array, err := readMember[T](m)
	return array, m.named(err)
}

func readMember[T Number](m *member) (*Array[T], error) {
	h, err := ReadHeader(m)
	if err != nil {
		return nil, err
	}
	e, err := parseElement(h.Descr)
	if err != nil {
		return nil, err
	}
	n, err := h.Len()
	if err != nil {
		return nil, err
	}
	if need := h.Size + int64(n)*int64(e.size); need != m.size {
		return nil, fmt.Errorf("%w: shape %s of %s takes %d bytes, the directory says %d",
			ErrFormat, ShapeString(h.Shape), h.Descr, need, m.size)
	}
	// What a compressed member holds shows only as it is read.
	size := int64(-1)
	if m.stored {
		size = m.size - h.Size
	}
	array, err := ReadBody[T](m, h, size)
	if err != nil {
		return nil, err
	}
	return array, m.finish()
}

// finish reads to the end, where the checksum is compared.
func (m *member) finish() error {
	var one [1]byte
	if _, err := io.ReadFull(m, one[:]); err != io.EOF {
		if err == nil {
			err = fmt.Errorf("%w: it is longer than the directory says", ErrFormat)
		}
		return err
	}
	return nil
}

// Lines reads a member of text as lines.
func (a *Archive) Lines(name string) ([]string, error) {
	m, err := a.open(name)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	text, err := io.ReadAll(m)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return []string{}, nil
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return lines, nil
}

// Text reads a single string, such as the format that scipy.sparse stores.
func (a *Archive) Text(key string) (string, error) {
	m, err := a.open(key + ".npy")
	if err != nil {
		return "", err
	}
	defer m.Close()
	text, err := readText(m)
	return text, m.named(err)
}

// readText reads one element of type S (bytes) or U (UCS-4).
func readText(r io.Reader) (string, error) {
	const longest = 1 << 10
	h, err := ReadHeader(r)
	if err != nil {
		return "", err
	}
	n, err := h.Len()
	if err != nil {
		return "", err
	}
	var order, kind rune
	var length int
	if _, err := fmt.Sscanf(h.Descr, "%c%c%d", &order, &kind, &length); err != nil ||
		kind != 'S' && kind != 'U' || n != 1 || length < 0 || length > longest {
		return "", fmt.Errorf("%w .npy: shape %s of %s where one string is wanted", ErrFormat, ShapeString(h.Shape), quoted(h.Descr))
	}
	if kind == 'S' {
		b := make([]byte, length)
		if _, err := io.ReadFull(r, b); err != nil {
			return "", cutShort(err, "within a string")
		}
		return strings.TrimRight(string(b), "\x00"), nil
	}
	b := make([]byte, 4*length)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", cutShort(err, "within a string")
	}
	if order == '>' {
		swapBytes(b, 4)
	}
	var text strings.Builder
	for i := 0; i < len(b); i += 4 {
		text.WriteRune(rune(binary.LittleEndian.Uint32(b[i:])))
	}
	return strings.TrimRight(text.String(), "\x00"), nil
}
