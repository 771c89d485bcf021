package data

import (
	"path"
	"unsafe"

	"github.com/partsof/nmf/internal/hdf5"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

func spoolHDF5[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	if s.file == nil {
		return nil, &Error{Found: "a compressed HDF5 file is read in memory only", Hint: "decompress it first", Err: ErrUnsupported}
	}
	return hdf5Table(s, o, to)
}

// hdf5Elements reads a dataset with one axis in order, whole chunks at a time.
type hdf5Elements[T hdf5.Number] struct {
	d         *hdf5.Array
	at, piece int
	left      []T
}

func newHDF5Elements[T hdf5.Number](f *hdf5.File, name string) (*hdf5Elements[T], error) {
	const some, most = 1 << 18, 1 << 24
	d, err := f.Array(name)
	if err != nil {
		return nil, err
	}
	if len(d.Shape) != 1 {
		return nil, malformed("%q has shape %s, one axis is wanted", name, npy.ShapeString(d.Shape))
	}
	chunk, err := d.ChunkLength()
	if err != nil {
		return nil, err
	}
	piece := some
	if chunk > 0 && chunk < most {
		piece = max(1, some/chunk) * chunk
	}
	return &hdf5Elements[T]{d: d, piece: piece}, nil
}

// Fill reads the next len(dst) elements, which must be there.
func (e *hdf5Elements[T]) Fill(dst []T) (err error) {
	for len(dst) > 0 {
		if len(e.left) == 0 {
			to := min(e.at+e.piece, e.d.Shape[0])
			if e.left, err = hdf5.ReadPart[T](e.d, e.at, to); err != nil {
				return err
			}
			if e.at = to; len(e.left) == 0 {
				return malformed("%q has %s", e.d.Name, count(e.d.Shape[0], "element"))
			}
		}
		n := copy(dst, e.left)
		dst, e.left = dst[n:], e.left[n:]
	}
	return nil
}

// compressedElsewhere is compressed for a matrix that goes elsewhere; columns says
// that c's rows are columns.
func (p *hdf5Reader[F]) compressedElsewhere(group string, parts sparseNames, c *compressedParts[F], columns bool) (*matrix.CSR[F], error) {
	index, err := newHDF5Elements[int32](p.f, path.Join(group, parts[1]))
	if err != nil {
		return nil, err
	}
	values, err := newHDF5Elements[F](p.f, path.Join(group, parts[2]))
	if err != nil {
		return nil, err
	}
	cells := index.d.Shape[0]
	if values.d.Shape[0] != cells {
		return nil, malformed("the sparse matrix has %d indices but %d values", cells, values.d.Shape[0])
	}
	shape := Shape{Rows: c.rows, Columns: c.cols, Stored: cells, Sparse: true}
	if columns {
		shape.Rows, shape.Columns = c.cols, c.rows
		shape.Reading = float64(cells) * float64(4+unsafe.Sizeof(F(0)))
	}
	x := dims[F](c.rows, c.cols)
	if !p.to.found(shape) {
		return x, nil
	}
	if c.indptr, err = hdf5Numbers[int64](p.f, path.Join(group, parts[0]), c.rows+1); err != nil {
		return nil, err
	}
	repeats, err := spoolCompressed(p.to, columns, c, cells, index, values)
	p.t.noteRepeats(repeats)
	return x, err
}

// denseElsewhere is dense for a matrix that goes elsewhere.
func (p *hdf5Reader[F]) denseElsewhere(d *hdf5.Array, lines, length int, note string) error {
	rows, cols := lines, length
	if p.matlab {
		rows, cols = length, lines
		note = p.matlabNote(d, lines, length)
	}
	p.t.addNote(note)
	p.t.X = dims[F](rows, cols)
	if !p.to.found(Shape{Rows: rows, Columns: cols, Stored: rows * cols}) {
		return nil
	}
	chunk, err := d.ChunkLength()
	if err != nil || d.Len() == 0 {
		return err
	}
	// Whole chunks, where they are not too large.
	const some, most = 1 << 18, 1 << 24
	step := max(1, some/max(1, length))
	if chunk > 0 && chunk*length <= most {
		step = max(1, step/chunk) * chunk
	}
	add := p.to.b.Dense(p.matlab, length)
	for first := 0; first < lines; first += step {
		vals, err := hdf5.ReadPart[F](d, first, min(first+step, lines))
		if err != nil {
			return err
		}
		if err := add(vals); err != nil {
			return err
		}
	}
	return nil
}
