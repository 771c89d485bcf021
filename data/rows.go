package data

import (
	"errors"
	"os"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// Rows is a matrix whose rows are read by parts, such as those of one process of
// several: of a .npy in C order, and of a scipy.sparse CSR matrix in a .npz, a
// part is all that is read; of other files everything, of which a part is kept.
type Rows[F matrix.Float] struct {
	// Total and Columns are the shape of the whole matrix.
	Total, Columns int
	// Whole says that the file is one of those that are read whole.
	Whole bool

	path    string
	stream  *Stream[F]
	archive *npzReader[F]
	file    *os.File
	table   *Table[F]
}

// OpenRows opens a matrix to read parts of its rows. Errors are those of Read.
// The caller closes it after the last use of what was read.
func OpenRows[F matrix.Float](path string, o *ReadOptions) (*Rows[F], error) {
	if o == nil {
		o = &ReadOptions{}
	}
	r := &Rows[F]{path: path}
	if !o.Transpose && o.Key == "" {
		switch o.Format {
		case "", "npy":
			if CanStream(path) {
				s, err := OpenStream[F](path)
				if err != nil {
					return nil, err
				}
				r.stream = s
				r.Total, r.Columns = s.X.Dims()
				return r, nil
			}
		}
		switch o.Format {
		case "", "npz":
			if ok, err := r.openCSR(); ok || err != nil {
				return r, err
			}
		}
	}
	t, err := Read[F](path, o)
	if err != nil {
		return nil, err
	}
	r.table, r.Whole = t, true
	r.Total, r.Columns = t.X.Dims()
	return r, nil
}

// openCSR reports whether the file is an archive with a CSR matrix.
func (r *Rows[F]) openCSR() (bool, error) {
	info, err := os.Stat(r.path)
	if err != nil || !info.Mode().IsRegular() {
		return false, nil // reading it will tell
	}
	f, err := os.Open(r.path)
	if err != nil {
		return false, nil
	}
	a, err := npy.OpenArchive(f, info.Size())
	if err != nil {
		f.Close()
		return false, nil
	}
	p := &npzReader[F]{a: a}
	kind := ""
	if p.hasAll("format", "shape", "data", "indices", "indptr") && !a.Has(modelMember) {
		kind, err = a.Text("format")
	}
	if kind != "csr" || err != nil {
		f.Close()
		return false, nil
	}
	if r.Total, r.Columns, err = p.sparseShape(); err == nil {
		var h npy.Header
		if h, err = a.Header("indices"); err == nil && len(h.Shape) == 1 {
			err = checkFilled(r.Columns, "column", h.Shape[0])
		}
	}
	if err != nil {
		f.Close()
		return false, withFile(npyError(err), r.path)
	}
	r.archive, r.file = p, f
	return true, nil
}

// rowStep is what parts of rows begin at a multiple of, so that the work on them
// is divided as it is for the whole.
const rowStep = 64

// Parts divides the rows into n parts of about as many cells each, or stored
// cells of a sparse matrix: part i is the rows from element i, and before element
// i+1. Parts begin at multiples of 64.
func (r *Rows[F]) Parts(n int) ([]int, error) {
	before := func(row int) float64 { return float64(row) }
	switch {
	case r.archive != nil:
		pointers, err := indices[int64](r.archive.a, "indptr")
		if err == nil && len(pointers) != r.Total+1 {
			err = malformed("indptr has %d elements for %d rows", len(pointers), r.Total)
		}
		if err != nil {
			return nil, withFile(npyError(err), r.path)
		}
		// An empty row is some work, too.
		before = func(row int) float64 { return float64(pointers[row]) + float64(row) }
	case r.table != nil:
		if s, ok := r.table.X.(*matrix.CSR[F]); ok {
			before = func(row int) float64 { return float64(s.RowPtr[row]) + float64(row) }
		}
	}
	parts, row := make([]int, n+1), 0
	for i := 1; i < n; i++ {
		for want := before(r.Total) * float64(i) / float64(n); row < r.Total && before(min(row+rowStep/2, r.Total)) < want; {
			row = min(row+rowStep, r.Total)
		}
		parts[i] = row
	}
	parts[n] = r.Total
	return parts, nil
}

// Read reads the rows from, and before to. Names of rows are those of the part.
func (r *Rows[F]) Read(from, to int) (*Table[F], error) {
	switch {
	case r.stream != nil:
		x, err := matrix.FromSlice(to-from, r.Columns, make([]F, (to-from)*r.Columns))
		if err == nil {
			err = r.stream.X.(*matrix.Streamed[F]).Read(from, x.Data)
		}
		return &Table[F]{X: x, Format: "npy", Notes: r.stream.Notes}, err
	case r.archive != nil:
		t, err := r.readCSR(from, to)
		if err != nil {
			return nil, withFile(npyError(err), r.path)
		}
		return t, nil
	}
	return rowsOf(r.table, from, to), nil
}

// Stream gives the rows from, and before to, to be read block by block as often
// as they are needed; nil where the file cannot.
func (r *Rows[F]) Stream(from, to int) *Table[F] {
	if r.stream == nil {
		return nil
	}
	whole := r.stream.X.(*matrix.Streamed[F])
	part := &matrix.Streamed[F]{Rows: to - from, Cols: r.Columns, Read: func(first int, dst []F) error {
		if first == 0 && from > 0 {
			// A pass begins: is the file still the same?
			if err := whole.Read(0, dst[:0]); err != nil {
				return err
			}
		}
		return whole.Read(from+first, dst)
	}}
	return &Table[F]{X: part, Format: "npy", Notes: r.stream.Notes}
}

// readCSR reads some rows of a CSR matrix.
func (r *Rows[F]) readCSR(from, to int) (*Table[F], error) {
	a := r.archive.a
	lengths := map[string]int{}
	for _, key := range []string{"indptr", "indices", "data"} {
		h, err := a.Header(key)
		if err != nil {
			return nil, err
		}
		if len(h.Shape) != 1 || key == "indptr" && h.Shape[0] != r.Total+1 {
			return nil, malformed("%s has shape %s for %d rows", key, npy.ShapeString(h.Shape), r.Total)
		}
		lengths[key] = h.Shape[0]
	}
	if lengths["indices"] != lengths["data"] {
		return nil, malformed("the sparse matrix has %d indices but %d values", lengths["indices"], lengths["data"])
	}
	pointers := make([]int64, to-from+1)
	if err := npy.ReadMemberPart(a, "indptr", from, pointers); err != nil {
		return nil, err
	}
	first := pointers[0]
	for i, at := range pointers {
		switch {
		case from == 0 && i == 0 && at != 0:
			return nil, malformed("indptr starts at %d, not 0", at)
		case i > 0 && at < pointers[i-1]+first:
			return nil, malformed("row %d: indptr falls from %d to %d", from+i, pointers[i-1]+first, at)
		case at < 0 || at > int64(lengths["indices"]):
			return nil, malformed("row %d: indptr is %d with %d indices", from+i, at, lengths["indices"])
		}
		pointers[i] = at - first
	}
	cells := int(pointers[to-from])
	x := &matrix.CSR[F]{Rows: to - from, Cols: r.Columns, RowPtr: make([]int, to-from+1), ColIdx: make([]int32, cells), Val: make([]F, cells)}
	if err := npy.ReadMemberPart(a, "indices", int(first), x.ColIdx); err != nil {
		if errors.Is(err, npy.ErrRange) {
			return nil, malformed("%v", err)
		}
		return nil, err
	}
	if err := npy.ReadMemberPart(a, "data", int(first), x.Val); err != nil {
		return nil, err
	}
	for i, at := range pointers {
		x.RowPtr[i] = int(at)
	}
	for i := range x.Rows {
		cols, _ := x.Row(i)
		for _, j := range cols {
			if j < 0 || int(j) >= r.Columns {
				return nil, malformed("row %d: index %d with %d columns", from+i+1, j, r.Columns)
			}
		}
	}
	x, repeats, err := sorted(x)
	if err != nil {
		return nil, &Error{Found: err.Error(), Err: ErrFormat}
	}
	t := &Table[F]{X: x, Format: "npz"}
	t.noteRepeats(repeats)
	if err := r.archive.addNames(t); err != nil {
		return nil, err
	}
	if t.RowNames != nil {
		if len(t.RowNames) != r.Total {
			return nil, malformed("%s has %d lines for %d rows", rowNamesMember, len(t.RowNames), r.Total)
		}
		t.RowNames = t.RowNames[from:to]
	}
	return t, nil
}

// rowsOf is part of a table; it shares its memory.
func rowsOf[F matrix.Float](t *Table[F], from, to int) *Table[F] {
	part := *t
	switch x := t.X.(type) {
	case *matrix.Dense[F]:
		part.X = &matrix.Dense[F]{Rows: to - from, Cols: x.Cols, Stride: x.Stride, Data: x.Data[min(from*x.Stride, len(x.Data)):]}
	case *matrix.CSR[F]:
		a, b := x.RowPtr[from], x.RowPtr[to]
		own := &matrix.CSR[F]{Rows: to - from, Cols: x.Cols, RowPtr: make([]int, to-from+1), ColIdx: x.ColIdx[a:b:b], Val: x.Val[a:b:b]}
		for i := range own.RowPtr {
			own.RowPtr[i] = x.RowPtr[from+i] - a
		}
		part.X = own
	}
	if t.RowNames != nil {
		part.RowNames = t.RowNames[from:to]
	}
	return &part
}

// Note says, where that is so, that every process reads the whole file.
func (r *Rows[F]) Note() string {
	if !r.Whole {
		return ""
	}
	return "every rank reads the whole file and keeps its own rows; of a .npy, or a sparse .npz as scipy saves it, it reads those alone: see nmf convert"
}

// Close closes the file.
func (r *Rows[F]) Close() error {
	switch {
	case r.stream != nil:
		return r.stream.Close()
	case r.file != nil:
		return r.file.Close()
	}
	return nil
}
