package data

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "npy", about: "NumPy array", extensions: []string{".npy"},
		sniff:  npy.IsNPY,
		read32: readNPY[float32], read64: readNPY[float64],
		spool32: spoolNPY[float32], spool64: spoolNPY[float64],
		write32: writeNPY[float32], write64: writeNPY[float64], byRows: true,
	})
}

// readNPY reads an array of any real type. One axis becomes a column; a stack
// of images (n, h, w) becomes one row an image.
func readNPY[F matrix.Float](s *source, _ *ReadOptions) (*Table[F], error) {
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	h, err := npy.ReadHeader(s.r)
	if err != nil {
		return nil, withGuess(npyError(err), head)
	}
	rows, cols, note, err := matrixShape(h.Shape)
	if err != nil {
		return nil, err
	}
	left := int64(-1)
	if s.size >= 0 {
		left = max(0, s.size-h.Size)
	}
	a, err := npy.ReadBody[F](s.r, h, left)
	if err != nil {
		return nil, npyError(err)
	}
	x, err := matrix.FromSlice(rows, cols, a.Data)
	if err != nil {
		return nil, err
	}
	t := &Table[F]{X: x}
	t.addNote(note)
	if _, err := s.r.ReadByte(); err == nil {
		t.addNote("what follows the first array in the file was left out")
	} else if err != io.EOF {
		return nil, err
	}
	return t, nil
}

// withGuess adds to an error about content that is no array what it may be.
func withGuess(err error, head []byte) error {
	if npy.IsNPY(head) {
		return err
	}
	if e, ok := err.(*Error); ok && (e.Hint == "" || errors.Is(err, ErrFormat)) {
		if f := formatOfGuess(head); f != nil {
			e.Hint = fmt.Sprintf("it looks like %[1]s: rename the file or say --format %[1]s", f.name)
		}
	}
	return err
}

func (t *Table[F]) addNote(note string) {
	if note != "" {
		t.Notes = append(t.Notes, note)
	}
}

// matrixShape makes a matrix of an array's shape, with a note where that took
// more than reading it.
func matrixShape(shape []int) (rows, cols int, note string, err error) {
	switch len(shape) {
	case 1:
		rows, cols = shape[0], 1
		note = fmt.Sprintf("an array with one axis became a %d x 1 matrix", rows)
	case 2:
		rows, cols = shape[0], shape[1]
	case 3:
		if shape[1] > matrix.MaxDim/max(shape[2], 1) {
			return 0, 0, "", &Error{
				Found: fmt.Sprintf("images of %d x %d have more than %d pixels", shape[1], shape[2], matrix.MaxDim), Err: ErrUnsupported,
			}
		}
		rows, cols = shape[0], shape[1]*shape[2]
		note = fmt.Sprintf("a stack of %d images of %d x %d became a %d x %d matrix", rows, shape[1], shape[2], rows, cols)
	case 0:
		return 0, 0, "", &Error{Found: "a single number is no matrix", Hint: "save an array with two axes", Err: ErrUnsupported}
	default:
		return 0, 0, "", &Error{
			Found: fmt.Sprintf("an array with %d axes, %s, is no matrix", len(shape), npy.ShapeString(shape)),
			Hint:  "reshape it to two axes, samples first", Err: ErrUnsupported,
		}
	}
	return rows, cols, note, checkDims(rows, cols)
}

// npyError puts an error of the codec in the words of this package.
func npyError(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	e := &Error{Found: err.Error(), Err: err}
	switch {
	case errors.Is(err, npy.ErrTruncated):
		e.Err, e.Hint = ErrTruncated, "copy, download or save it again"
	case errors.Is(err, npy.ErrFormat):
		e.Err = ErrFormat
	case errors.Is(err, npy.ErrUnsupported):
		e.Err = ErrUnsupported
	case errors.Is(err, npy.ErrRange):
		e.Err, e.Hint = ErrUnsupported, "use --precision f64"
	default:
		return err
	}
	return e
}

func writeNPY[F matrix.Float](w io.Writer, t *Table[F], _ *WriteOptions) error {
	switch x := t.X.(type) {
	case *matrix.Dense[F]:
		return npy.WriteDense(w, x)
	case *matrix.Streamed[F]:
		var failed error
		err := npy.WriteBlocks(w, x.Rows, x.Cols, func(yield func(int, *matrix.Dense[F]) bool) {
			failed = eachDenseRow(t.X, func(i int, row []F) error {
				if !yield(i, &matrix.Dense[F]{Rows: 1, Cols: x.Cols, Stride: x.Cols, Data: row}) {
					return io.ErrShortWrite
				}
				return nil
			})
		})
		return cmp.Or(err, failed)
	}
	return &Error{Found: "a .npy file holds no sparse matrix", Hint: "write .npz, which scipy.sparse.load_npz reads, or .mtx", Err: ErrUnsupported}
}
