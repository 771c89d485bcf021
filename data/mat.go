package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zlib"

	"github.com/partsof/nmf/internal/hdf5"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "mat", about: "MATLAB: a dense or sparse matrix of numbers; version 7.3 needs libhdf5", extensions: []string{".mat"},
		sniff:  isMAT,
		read32: readMAT[float32], read64: readMAT[float64],
	})
}

// matHeaderSize is the length of the text, version and byte order that every
// file starts with.
const matHeaderSize = 128

// isMAT goes by the version and byte order at the end of the header.
func isMAT(head []byte) bool {
	order := matOrder(head)
	return order != nil && (order.Uint16(head[124:]) == matVersion5 || order.Uint16(head[124:]) == matVersion73)
}

const (
	matVersion5  = 0x0100
	matVersion73 = 0x0200
)

// matOrder gives the byte order of a file, nil where its header names none.
func matOrder(header []byte) binary.ByteOrder {
	if len(header) < matHeaderSize {
		return nil
	}
	switch string(header[126:128]) {
	case "IM":
		return binary.LittleEndian
	case "MI":
		return binary.BigEndian
	}
	return nil
}

// Types of elements (MathWorks, "MAT-File Format", table 1-1) and the flags of
// an array.
const (
	matInt8       = 1
	matInt32      = 5
	matUint32     = 6
	matMatrix     = 14
	matCompressed = 15

	matSparse  = 5
	matComplex = 0x0800
	matLogical = 0x0200
)

// matElements are the types of elements that hold numbers, as NumPy calls
// them.
var matElements = map[uint32]string{
	1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}

// matClasses are the classes of arrays, as MATLAB calls them.
var matClasses = map[uint32]string{
	1: "cell", 2: "struct", 3: "object", 4: "char", matSparse: "sparse", 6: "double", 7: "single",
	8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64",
	16: "function", 17: "object",
}

// matVariable is what stands before the numbers of a variable.
type matVariable struct {
	name           string
	class          uint32
	complex, logic bool
	dims           []int
}

func (v *matVariable) numeric() bool { return v.class >= matSparse && v.class <= 15 && !v.complex }

// matrixLike says that the variable has two axes or more that are longer than
// one: MATLAB's vectors and single numbers have two axes, too.
func (v *matVariable) matrixLike() bool {
	long := 0
	for _, d := range v.dims {
		if d > 1 {
			long++
		}
	}
	return v.numeric() && long > 1
}

func (v *matVariable) String() string {
	if v.dims == nil {
		return v.name
	}
	class := matClasses[v.class]
	if class == "" {
		class = "unknown class"
	}
	if v.logic {
		class = "logical " + class
	}
	if v.complex {
		class = "complex " + class
	}
	return fmt.Sprintf("%s %s %s", v.name, timesString(v.dims), class)
}

// timesString writes a shape as MATLAB does: 3x4.
func timesString(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = fmt.Sprint(d)
	}
	return strings.Join(parts, "x")
}

// fail says what is wrong with the variable.
func (v *matVariable) fail(err error, hint, format string, args ...any) error {
	return &Error{Found: fmt.Sprintf("variable %q: ", v.name) + fmt.Sprintf(format, args...), Hint: hint, Err: err}
}

// matReader reads one file, variable by variable.
type matReader[F matrix.Float] struct {
	order binary.ByteOrder
	// key is the variable that is wanted, "" for the only one.
	key string
	// all describes the variables seen, names holds their names.
	all, names []string
	// matrices and numbers count the variables that a matrix can be made of.
	matrices, numbers int
	found             *Table[F]
}

// readMAT reads a variable of a MATLAB file of version 5 to 7 (MathWorks,
// "MAT-File Format"), or of version 7.3, which is HDF5. Rows and columns are those of the file. Of an array with
// more than two axes the last one becomes the columns, as reshape(X, [],
// size(X, ndims(X))) has it.
func readMAT[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	if hdf5.IsHDF5(head) {
		return readHDF5[F](s, o)
	}
	header := make([]byte, matHeaderSize)
	n, err := io.ReadFull(s.r, header)
	if n >= 4 && bytes.IndexByte(header[:4], 0) >= 0 {
		return nil, &Error{Found: "this is a MATLAB file of version 4, or none", Hint: "save it in MATLAB with -v7", Err: ErrUnsupported}
	}
	if err == io.ErrUnexpectedEOF {
		return nil, withGuess(&Error{Found: "file is cut short: it ends within the MATLAB header", Err: ErrTruncated}, header[:n])
	} else if err != nil {
		return nil, err
	}
	p := matReader[F]{order: matOrder(header), key: o.Key}
	switch {
	case p.order == nil:
		return nil, withGuess(&Error{Found: "malformed MATLAB file: its header names no byte order", Err: ErrFormat}, header)
	case p.order.Uint16(header[124:]) != matVersion5:
		return nil, &Error{Found: fmt.Sprintf("the MATLAB file has version %#x, which is unknown", p.order.Uint16(header[124:])), Hint: "save it in MATLAB with -v7", Err: ErrUnsupported}
	}
	left := int64(-1)
	if s.size >= 0 {
		left = s.size - matHeaderSize
	}
	if err := p.variables(s.r, left); err != nil {
		return nil, err
	}
	return p.result()
}

// variables reads all variables up to the one that is wanted, keeping the
// first that a matrix can be made of. left is how many bytes are in r, -1
// where that is not known.
func (p *matReader[F]) variables(r io.Reader, left int64) error {
	for {
		kind, size, err := p.topTag(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if left >= 0 {
			if left -= 8; size > left {
				return &Error{Found: fmt.Sprintf("file is cut short: %s needs %d bytes, %d are there",
					p.after(), size, left), Hint: "copy, download or save it again", Err: ErrTruncated}
			}
			left -= size
		}
		body := &io.LimitedReader{R: r, N: size}
		switch kind {
		case matMatrix:
			known := int64(-1)
			if left >= 0 {
				known = size
			}
			err = p.variable(body, known)
		case matCompressed:
			err = p.compressed(body)
		default:
			err = malformed("%s is of type %d, a variable is of type %d or %d", p.after(), kind, matMatrix, matCompressed)
		}
		if err != nil {
			return matError(err, p.after())
		}
		if p.found != nil && p.key != "" {
			return nil
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return err
		}
		if body.N > 0 {
			return &Error{Found: "file is cut short: it ends within " + p.after(), Hint: "copy, download or save it again", Err: ErrTruncated}
		}
	}
}

// after says where reading stands.
func (p *matReader[F]) after() string {
	if len(p.names) == 0 {
		return "the first variable"
	}
	return fmt.Sprintf("what follows variable %q", p.names[len(p.names)-1])
}

// matError puts an error of a stream in the words of this package.
func matError(err error, where string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &Error{Found: "file is cut short: it ends within " + where, Hint: "copy, download or save it again", Err: ErrTruncated}
	}
	return npyError(err)
}

// topTag reads the type and size of a variable; io.EOF where there is none.
func (p *matReader[F]) topTag(r io.Reader) (kind uint32, size int64, err error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err == io.EOF {
		return 0, 0, io.EOF
	} else if err != nil {
		return 0, 0, matError(err, p.after())
	}
	return p.order.Uint32(b[:]), int64(p.order.Uint32(b[4:])), nil
}

// compressed reads a variable within a zlib stream.
func (p *matReader[F]) compressed(body io.Reader) error {
	z, err := zlib.NewReader(body)
	if err != nil {
		return zlibError(err, p.after())
	}
	defer z.Close()
	stream := &zlibReader{z, p.after()}
	kind, size, err := p.topTag(stream)
	if err != nil {
		return err
	}
	if kind != matMatrix {
		return malformed("%s is of type %d, a variable is of type %d", p.after(), kind, matMatrix)
	}
	seen := p.found
	if err := p.variable(io.LimitReader(stream, size), -1); err != nil {
		return err
	}
	if p.found != seen && p.found != nil {
		// The rest holds the checksum of what was read.
		_, err = io.Copy(io.Discard, stream)
	}
	return err
}

// zlibReader names the place in the errors of a zlib stream.
type zlibReader struct {
	z     io.Reader
	where string
}

func (r *zlibReader) Read(b []byte) (int, error) {
	n, err := r.z.Read(b)
	if err != nil && err != io.EOF {
		err = zlibError(err, r.where)
	}
	return n, err
}

func zlibError(err error, where string) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return err
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return io.ErrUnexpectedEOF
	}
	return &Error{Found: fmt.Sprintf("damaged zlib stream in %s: %v", where, err), Hint: "copy, download or save it again", Err: ErrFormat}
}

// variable reads what describes a variable, and its numbers where they may be
// wanted. size is how many bytes r holds, -1 where that is not to be relied
// on.
func (p *matReader[F]) variable(r io.Reader, size int64) error {
	e := matElementReader{r: r, order: p.order, left: size}
	v, err := e.describe()
	if err != nil || v.name == "" {
		// Objects keep a part of theirs in a variable without a name.
		return err
	}
	wanted := p.key == v.name
	if p.key == "" {
		wanted = v.numeric() && p.numbers == 0 || v.matrixLike() && p.matrices == 0
	}
	if v.numeric() {
		p.numbers++
	}
	if v.matrixLike() {
		p.matrices++
	}
	if p.key == "" && (p.matrices > 1 || p.matrices == 0 && p.numbers > 1) {
		p.found = nil
	}
	if wanted {
		if p.found, err = readVariable[F](&e, v); err != nil {
			return err
		}
	}
	p.all, p.names = append(p.all, v.String()), append(p.names, v.name)
	return nil
}

// result gives the only matrix, or the one that was named.
func (p *matReader[F]) result() (*Table[F], error) {
	list := strings.Join(p.all, "; ")
	switch {
	case p.found != nil:
		return p.found, nil
	case len(p.all) == 0:
		return nil, &Error{Found: "the MATLAB file holds no variable", Err: ErrFormat}
	case p.key != "":
		return nil, &Error{
			Found: fmt.Sprintf("the MATLAB file has no variable %q", p.key),
			Hint:  "its variables are " + strings.Join(p.names, ", "), Err: ErrFormat,
		}
	case p.numbers == 0:
		return nil, &Error{Found: "the MATLAB file holds no matrix of numbers: " + list, Err: ErrUnsupported}
	}
	return nil, &Error{Found: "the MATLAB file holds several matrices: " + list, Hint: "choose one with --key", Err: ErrUnsupported}
}

// matElementReader reads the elements within a variable.
type matElementReader struct {
	r     io.Reader
	order binary.ByteOrder
	// left is how many bytes are in r, -1 where that is not to be relied on.
	left int64
}

func (e *matElementReader) readFull(b []byte) error {
	if e.left >= 0 && int64(len(b)) > e.left {
		return io.ErrUnexpectedEOF
	}
	n, err := io.ReadFull(e.r, b)
	if e.left >= 0 {
		e.left -= int64(n)
	}
	return noEOF(err)
}

// element reads the tag of an element. small holds the bytes of one that is
// packed into its tag; others follow, padded to 8 bytes.
func (e *matElementReader) element() (kind uint32, size int, small []byte, err error) {
	b := make([]byte, 8)
	if err := e.readFull(b); err != nil {
		return 0, 0, nil, err
	}
	kind = e.order.Uint32(b)
	if packed := int(kind >> 16); packed != 0 {
		if packed > 4 {
			return 0, 0, nil, malformed("a small element has %d bytes, 4 is the most", packed)
		}
		return kind & 0xffff, packed, b[4 : 4+packed], nil
	}
	return kind, int(e.order.Uint32(b[4:])), nil, nil
}

// bytes reads an element of a known type that is at most so many bytes long.
func (e *matElementReader) bytes(want uint32, most int, what string) ([]byte, error) {
	kind, size, small, err := e.element()
	if err != nil {
		return nil, err
	}
	if kind != want || size > most {
		return nil, malformed("the %s of a variable are of type %d with %d bytes", what, kind, size)
	}
	if small != nil {
		return small, nil
	}
	b := make([]byte, padded(size))
	return b[:size], e.readFull(b)
}

func padded(size int) int { return (size + 7) &^ 7 }

// describe reads flags, dimensions and name.
func (e *matElementReader) describe() (*matVariable, error) {
	const mostAxes, longestName = 64, 4096
	flags, err := e.bytes(matUint32, 8, "flags")
	if err != nil {
		return nil, err
	}
	if len(flags) != 8 {
		return nil, malformed("the flags of a variable have %d bytes, not 8", len(flags))
	}
	word := e.order.Uint32(flags)
	v := &matVariable{class: word & 0xff, complex: word&matComplex != 0, logic: word&matLogical != 0}
	if v.class == 16 || v.class == 17 {
		// Functions and objects have no dimensions; none is ever read.
		v.name = "an object"
		return v, nil
	}
	dims, err := e.bytes(matInt32, 4*mostAxes, "dimensions")
	if err != nil {
		return nil, err
	}
	name, err := e.bytes(matInt8, longestName, "name")
	if err != nil {
		return nil, err
	}
	v.name = string(name)
	for ; len(dims) >= 4; dims = dims[4:] {
		d := int(int32(e.order.Uint32(dims)))
		if d < 0 {
			return nil, v.fail(ErrFormat, "", "a dimension is %d", d)
		}
		v.dims = append(v.dims, d)
	}
	if len(v.dims) < 2 {
		return nil, v.fail(ErrFormat, "", "it has fewer than two dimensions")
	}
	return v, nil
}

// readVariable reads the numbers of a variable.
func readVariable[F matrix.Float](e *matElementReader, v *matVariable) (*Table[F], error) {
	switch {
	case v.complex:
		return nil, v.fail(ErrUnsupported, "save its magnitude, abs(X)", "its numbers are complex")
	case !v.numeric():
		return nil, v.fail(ErrUnsupported, "", "it is a %s, not a matrix of numbers", matClasses[v.class])
	}
	t := &Table[F]{}
	rows, cols, err := v.shape(t)
	if err != nil {
		return nil, err
	}
	if v.class == matSparse {
		t.X, err = readSparseVariable[F](e, v, rows, cols, t)
	} else {
		t.X, err = readDenseVariable[F](e, v, rows, cols)
	}
	return t, err
}

// shape gives the rows and columns of the matrix that is made of a variable.
func (v *matVariable) shape(notes interface{ addNote(string) }) (rows, cols int, err error) {
	last := len(v.dims) - 1
	rows, err = npy.Header{Shape: v.dims[:last]}.Len()
	if err != nil || rows > matrix.MaxDim {
		return 0, 0, v.fail(ErrUnsupported, "split it", "%s is too large", timesString(v.dims))
	}
	cols = v.dims[last]
	if last > 1 {
		notes.addNote(lastAxisNote(v.name, v.dims, rows, cols))
	}
	return rows, cols, nil
}

func lastAxisNote(name string, dims []int, rows, cols int) string {
	return fmt.Sprintf("variable %q, %s, became a %d x %d matrix: its last axis is the columns", name, timesString(dims), rows, cols)
}

// matNumbers reads an element of numbers: one after another, or those of a
// matrix of the given shape, turned to rows. count is how many there must be, -1
// where any number will do.
func matNumbers[T npy.Number](e *matElementReader, v *matVariable, what string, shape []int, count int) ([]T, error) {
	kind, size, small, err := e.element()
	if err != nil {
		return nil, err
	}
	descr, ok := matElements[kind]
	if !ok {
		return nil, v.fail(ErrFormat, "", "its %s are of type %d, not numbers", what, kind)
	}
	each := int(descr[1] - '0')
	if size%each != 0 || count >= 0 && size/each != count {
		return nil, v.fail(ErrFormat, "", "its %s take %d bytes, %d numbers of %d bytes are wanted", what, size, count, each)
	}
	if shape == nil {
		shape = []int{size / each}
	}
	h := npy.Header{Descr: "<" + descr, Fortran: true, Shape: shape}
	if e.order == binary.ByteOrder(binary.BigEndian) {
		h.Descr = ">" + descr
	}
	r, left := e.r, e.left
	if small != nil {
		r, left = bytes.NewReader(small), int64(len(small))
	}
	a, err := npy.ReadBody[T](r, h, left)
	if err != nil {
		own := npyError(err)
		var at *Error
		if errors.As(own, &at) && at != err {
			at.Found = fmt.Sprintf("variable %q: its %s: %s", v.name, what, at.Found)
		}
		return nil, own
	}
	if small != nil {
		return a.Data, nil
	}
	if e.left >= 0 {
		e.left -= int64(size)
	}
	// The last element of a variable need not be padded.
	pad := make([]byte, padded(size)-size)
	if n, err := io.ReadFull(e.r, pad); n < len(pad) && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	} else if e.left >= 0 {
		e.left -= int64(n)
	}
	return a.Data, nil
}

func readDenseVariable[F matrix.Float](e *matElementReader, v *matVariable, rows, cols int) (matrix.Matrix[F], error) {
	shape := []int{rows, cols}
	count, err := npy.Header{Shape: shape}.Len()
	if err != nil {
		return nil, v.fail(ErrUnsupported, "split it", "%s is too large", timesString(v.dims))
	}
	values, err := matNumbers[F](e, v, "numbers", shape, count)
	if err != nil {
		return nil, err
	}
	return matrix.FromSlice(rows, cols, values)
}

// readSparseVariable reads a matrix that is compressed by columns.
func readSparseVariable[F matrix.Float](e *matElementReader, v *matVariable, rows, cols int, t *Table[F]) (matrix.Matrix[F], error) {
	if len(v.dims) != 2 {
		return nil, v.fail(ErrFormat, "", "it is sparse with %d axes", len(v.dims))
	}
	index, err := matNumbers[int32](e, v, "row indices", nil, -1)
	if err != nil {
		return nil, err
	}
	pointers, err := matNumbers[int64](e, v, "column pointers", nil, cols+1)
	if err != nil {
		return nil, err
	}
	values, err := matNumbers[F](e, v, "numbers", nil, -1)
	if err != nil {
		return nil, err
	}
	// MATLAB leaves spare room behind the last cell.
	cells := min(len(index), len(values))
	c := compressedParts[F]{
		rows: cols, cols: rows, row: "column", column: "row", pointers: "jc",
		indptr: pointers, index: index[:cells], values: values[:cells],
	}
	x, repeats, err := c.csr()
	if err != nil {
		var at *Error
		if errors.As(err, &at) {
			at.Found = fmt.Sprintf("variable %q: %s", v.name, at.Found)
		}
		return nil, err
	}
	t.noteRepeats(repeats)
	return x.T(), nil
}
