package npy

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf/internal/pages"
	"github.com/partsof/nmf/internal/parts"
	"github.com/partsof/nmf/matrix"
)

const (
	// firstChunk is how many elements are allocated before any has arrived,
	// where the size of the input is not known.
	firstChunk = 1 << 16
	// decodeChunk is how many elements are converted at a time.
	decodeChunk = 1 << 15
	// blockColumns is how many columns of a Fortran array are turned at a
	// time: their elements of one row fill a cache line or two.
	blockColumns = 16
)

// Read reads an array of any type of real numbers in either order. size is the
// number of bytes in r, -1 where it is not known.
//
// Integers are rounded to the nearest T where T is a float; a finite number
// that does not fit in T is an ErrRange.
func Read[T Number](r io.Reader, size int64) (*Array[T], error) {
	h, err := ReadHeader(r)
	if err != nil {
		return nil, err
	}
	if size >= 0 {
		size = max(0, size-h.Size)
	}
	return ReadBody[T](r, h, size)
}

// ReadBody reads the elements that follow a header. size is the number of
// bytes left in r, -1 where it is not known.
func ReadBody[T Number](r io.Reader, h Header, size int64) (*Array[T], error) {
	e, err := parseElement(h.Descr)
	if err != nil {
		return nil, err
	}
	if isInteger[T]() && !e.integral() {
		return nil, fmt.Errorf("%w: element type %s where integers are wanted", ErrUnsupported, quoted(h.Descr))
	}
	n, err := h.Len()
	if err != nil {
		return nil, err
	}
	if need := int64(n) * int64(e.size); size >= 0 && need > size {
		return nil, fmt.Errorf("%w: shape %s of %s takes %d bytes, %d are there", ErrTruncated, ShapeString(h.Shape), h.Descr, need, size)
	}
	d := decoder[T]{r: r, element: e, total: n}
	a := &Array[T]{Shape: slices.Clone(h.Shape)}
	if !h.Fortran || len(h.Shape) < 2 {
		a.Data, err = d.all(size >= 0)
	} else {
		a.Data, err = d.fortran(h.Shape, size >= 0)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// decoder reads elements one after another.
type decoder[T Number] struct {
	r       io.Reader
	element element
	// total is how many elements there are, done how many have been read.
	total, done int
	raw         []byte
}

// fill reads the next len(dst) elements.
func (d *decoder[T]) fill(dst []T) error {
	if native[T](d.element) {
		b := bytesOf(dst)
		if err := d.readFull(b); err != nil {
			return err
		}
		if d.element.big != nativeBig {
			swapBytes(b, d.element.size)
		}
		d.done += len(dst)
		return nil
	}
	if d.raw == nil {
		// Float64s make the bytes aligned.
		d.raw = bytesOf(make([]float64, (min(decodeChunk, d.total)*d.element.size+7)/8))
	}
	for len(dst) > 0 {
		part := dst[:min(len(dst), decodeChunk)]
		b := d.raw[:len(part)*d.element.size]
		if err := d.readFull(b); err != nil {
			return err
		}
		if d.element.big != nativeBig {
			swapBytes(b, d.element.size)
		}
		if bad := decode(part, b, d.element.kind); bad >= 0 {
			return fmt.Errorf("%w: element %d, %s, does not fit in %s", ErrRange, d.done+bad+1, d.written(b, bad), typeName[T]())
		}
		d.done += len(part)
		dst = dst[len(part):]
	}
	return nil
}

// written gives an element of a decoded chunk as text.
func (d *decoder[T]) written(b []byte, i int) string {
	var f [1]float64
	b = b[i*d.element.size : (i+1)*d.element.size]
	if !d.element.integral() {
		decode(f[:], b, d.element.kind)
		return strconv.FormatFloat(f[0], 'g', -1, 64)
	}
	var n [1]int64
	if decode(n[:], b, d.element.kind) >= 0 {
		return strconv.FormatUint(view[uint64](b)[0], 10)
	}
	return strconv.FormatInt(n[0], 10)
}

func typeName[T Number]() string { return fmt.Sprintf("%T", T(0)) }

func (d *decoder[T]) readFull(b []byte) error {
	n, err := io.ReadFull(d.r, b)
	if err != nil {
		return cutShort(err, fmt.Sprintf("after %d of %d elements", d.done+n/d.element.size, d.total))
	}
	return nil
}

// all reads the elements in the order of the file. Unless the input is known
// to hold them, memory doubles as they arrive.
func (d *decoder[T]) all(known bool) ([]T, error) {
	size := d.total
	if !known {
		size = min(size, firstChunk)
	}
	data := pages.Make[T](size)
	if err := d.fill(data); err != nil {
		return nil, err
	}
	for len(data) < d.total {
		more := pages.Make[T](min(2*len(data), d.total))
		copy(more, data)
		if err := d.fill(more[len(data):]); err != nil {
			return nil, err
		}
		data = more
	}
	return data, nil
}

// fortran reads the elements of an array whose first index runs fastest, and
// gives them in C order.
func (d *decoder[T]) fortran(shape []int, known bool) ([]T, error) {
	if len(shape) != 2 || !known {
		flat, err := d.all(known)
		if err != nil {
			return nil, err
		}
		return reverseAxes(flat, shape), nil
	}
	rows, cols := shape[0], shape[1]
	data := pages.Make[T](d.total)
	if d.total == 0 {
		return data, nil
	}
	block := make([]T, rows*min(cols, blockColumns))
	for j := 0; j < cols; j += blockColumns {
		width := min(blockColumns, cols-j)
		if err := d.fill(block[:rows*width]); err != nil {
			return nil, err
		}
		setColumns(data[j:], cols, block[:rows*width], rows)
	}
	return data, nil
}

// setColumns stores columns of the given height, one after another in block,
// side by side from dst[0] on, rows being stride apart.
func setColumns[T Number](dst []T, stride int, block []T, height int) {
	width := len(block) / height
	for i := range height {
		row := dst[i*stride : i*stride+width]
		for j := range row {
			row[j] = block[j*height+i]
		}
	}
}

// reverseAxes turns elements in Fortran order into C order.
func reverseAxes[T Number](flat []T, shape []int) []T {
	data := pages.Make[T](len(flat))
	if len(flat) == 0 {
		return data
	}
	if len(shape) == 2 {
		rows, cols := shape[0], shape[1]
		for j := 0; j < cols; j += blockColumns {
			end := min(j+blockColumns, cols)
			setColumns(data[j:], cols, flat[j*rows:end*rows], rows)
		}
		return data
	}
	// index counts through shape in C order; from is its place in flat.
	index := make([]int, len(shape))
	step := make([]int, len(shape))
	for axis, s := 0, 1; axis < len(shape); axis++ {
		step[axis] = s
		s *= shape[axis]
	}
	from := 0
	for to := range data {
		data[to] = flat[from]
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis]++
			from += step[axis]
			if index[axis] < shape[axis] {
				break
			}
			from -= index[axis] * step[axis]
			index[axis] = 0
		}
	}
	return data
}

// WriteHeader writes the header of a C-ordered array in version 1.0.
func WriteHeader(w io.Writer, descr string, shape []int) error {
	const align, fixed = 64, 10
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, ShapeString(shape))
	pad := (align - (fixed+len(dict)+1)%align) % align
	length := len(dict) + pad + 1
	if length > math.MaxUint16 {
		return fmt.Errorf("%w: %d axes", ErrUnsupported, len(shape))
	}
	text := magic + "\x01\x00" + string([]byte{byte(length), byte(length >> 8)}) + dict + strings.Repeat(" ", pad) + "\n"
	_, err := io.WriteString(w, text)
	return err
}

// Write writes an array in C order, little-endian on every machine.
func Write[T Number](w io.Writer, shape []int, data []T) error {
	h := Header{Shape: shape}
	if n, err := h.Len(); err != nil || n != len(data) {
		return fmt.Errorf("%w: %d elements for shape %s", ErrFormat, len(data), ShapeString(shape))
	}
	if err := WriteHeader(w, "<"+kindOf[T](), shape); err != nil {
		return err
	}
	return writeElements(w, data)
}

// WriteDense writes a matrix, whatever its stride.
func WriteDense[F matrix.Float](w io.Writer, d *matrix.Dense[F]) error {
	shape := []int{d.Rows, d.Cols}
	if d.Stride == d.Cols || d.Rows == 0 {
		return Write(w, shape, d.Data[:d.Rows*d.Cols])
	}
	if err := WriteHeader(w, "<"+kindOf[F](), shape); err != nil {
		return err
	}
	for i := range d.Rows {
		if err := writeElements(w, d.Row(i)); err != nil {
			return err
		}
	}
	return nil
}

func writeElements[T Number](w io.Writer, data []T) error {
	if !nativeBig {
		_, err := w.Write(bytesOf(data))
		return err
	}
	for part := range slices.Chunk(data, decodeChunk) {
		b := slices.Clone(bytesOf(part))
		swapBytes(b, len(b)/len(part))
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// ReadPart fills dst with the elements of an array from element `first` on, in
// the order of the file. r is the whole file whose header is h.
func ReadPart[T Number](r io.ReaderAt, h Header, first int, dst []T) error {
	e, err := parseElement(h.Descr)
	if err != nil {
		return err
	}
	n, err := h.Len()
	if err != nil {
		return err
	}
	const least = 1 << 18
	return parts.Each(len(dst), least, func(from, to int) error {
		size := int64(e.size)
		body := io.NewSectionReader(r, h.Size+int64(first+from)*size, int64(to-from)*size)
		d := decoder[T]{r: body, element: e, total: n, done: first + from}
		return d.fill(dst[from:to])
	})
}
