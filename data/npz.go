package data

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "npz", about: "NumPy archive: a dense array, or a scipy.sparse matrix", extensions: []string{".npz"},
		sniff:  npy.IsZip,
		read32: readNPZ[float32], read64: readNPZ[float64],
		spool32: spoolNPZ[float32], spool64: spoolNPZ[float64],
		write32: writeNPZ[float32], write64: writeNPZ[float64],
	})
}

// The members beside the arrays that we write, and a model has.
const (
	denseKey          = "X"
	rowNamesMember    = "row_names.txt"
	columnNamesMember = "column_names.txt"
	modelMember       = "model.json"
)

// npzReader reads one archive.
type npzReader[F matrix.Float] struct {
	a *npy.Archive
	// to is nil where the matrix goes into memory.
	to *elsewhere[F]
	// repeats counts the cells that were summed.
	repeats int
}

func readNPZ[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	a, err := openArchive(s)
	if err != nil {
		return nil, npyError(err)
	}
	p := npzReader[F]{a: a}
	t, err := p.table(o)
	if err != nil {
		return nil, npyError(err)
	}
	t.noteRepeats(p.repeats)
	return t, nil
}

// openArchive takes a stream into memory, since a zip archive is read from its
// end.
func openArchive(s *source) (*npy.Archive, error) {
	if s.file != nil {
		return npy.OpenArchive(s.file, s.size)
	}
	content, err := io.ReadAll(s.r)
	if err != nil {
		return nil, err
	}
	return npy.OpenArchive(bytes.NewReader(content), int64(len(content)))
}

func (p *npzReader[F]) table(o *ReadOptions) (*Table[F], error) {
	key := strings.TrimSuffix(o.Key, ".npy")
	switch {
	case key != "":
		return p.named(key)
	case p.a.Has(modelMember):
		return nil, &Error{
			Found: "this is an nmf model, not a matrix",
			Hint:  "name one of its arrays with --key, such as W or H", Err: ErrUnsupported,
		}
	case p.hasAll("format", "shape", "data"):
		return p.sparse()
	}
	key, err := p.onlyMatrix()
	if err != nil {
		return nil, err
	}
	t, err := p.dense(key)
	if err != nil {
		return nil, err
	}
	return t, p.addNames(t)
}

func (p *npzReader[F]) hasAll(keys ...string) bool {
	for _, key := range keys {
		if !p.a.Has(key + ".npy") {
			return false
		}
	}
	return true
}

// onlyMatrix finds the array that can only be meant: the one of numbers with
// two axes, else the only one of numbers.
func (p *npzReader[F]) onlyMatrix() (string, error) {
	var numbers, matrices, all []string
	for _, key := range p.a.Keys() {
		h, err := p.a.Header(key)
		if err != nil {
			return "", err
		}
		kind := h.Descr
		switch err := h.CheckReal(); {
		case err != nil && !errors.Is(err, npy.ErrUnsupported):
			return "", err
		case err != nil:
			kind += ", not numbers"
		default:
			numbers = append(numbers, key)
			if len(h.Shape) == 2 {
				matrices = append(matrices, key)
			}
		}
		all = append(all, fmt.Sprintf("%s %s %s", key, npy.ShapeString(h.Shape), kind))
	}
	switch {
	case len(matrices) == 1:
		return matrices[0], nil
	case len(numbers) == 1:
		return numbers[0], nil
	case len(numbers) == 0:
		return "", p.noArrays(all)
	}
	return "", &Error{
		Found: "the archive holds several arrays: " + strings.Join(all, "; "),
		Hint:  "choose one with --key", Err: ErrUnsupported,
	}
}

func (p *npzReader[F]) noArrays(all []string) error {
	e := &Error{Found: "the zip archive holds no NumPy array", Err: ErrFormat}
	switch {
	case len(all) > 0:
		e.Found, e.Err = "the archive holds no array of numbers: "+strings.Join(all, "; "), ErrUnsupported
	case p.a.Has("[Content_Types].xml"):
		e.Hint = "it looks like a spreadsheet; save it as .csv"
	}
	return e
}

// named reads the array under a key as a dense matrix. Names are taken where
// their number fits.
func (p *npzReader[F]) named(key string) (*Table[F], error) {
	if !p.hasAll(key) {
		return nil, &Error{
			Found: fmt.Sprintf("the archive has no array %q", key),
			Hint:  "its arrays are " + strings.Join(p.a.Keys(), ", "), Err: ErrFormat,
		}
	}
	t, err := p.dense(key)
	if err != nil {
		return nil, err
	}
	if err := p.addNames(t); err != nil {
		return nil, err
	}
	model := p.a.Has(modelMember)
	rows, cols := t.X.Dims()
	if len(t.RowNames) != rows || model && key != "W" {
		t.RowNames = nil
	}
	if len(t.ColumnNames) != cols || model && key != "H" {
		t.ColumnNames = nil
	}
	return t, nil
}

func (p *npzReader[F]) dense(key string) (*Table[F], error) {
	if p.to != nil {
		return p.denseElsewhere(key)
	}
	h, err := p.a.Header(key)
	if err != nil {
		return nil, err
	}
	rows, cols, note, err := matrixShape(h.Shape)
	if err != nil {
		return nil, err
	}
	a, err := npy.ReadMember[F](p.a, key)
	if err != nil {
		return nil, err
	}
	x, err := matrix.FromSlice(rows, cols, a.Data)
	if err != nil {
		return nil, err
	}
	t := &Table[F]{X: x}
	t.addNote(note)
	return t, nil
}

// addNames takes the names that the archive has.
func (p *npzReader[F]) addNames(t *Table[F]) (err error) {
	if p.a.Has(rowNamesMember) {
		if t.RowNames, err = p.a.Lines(rowNamesMember); err != nil {
			return err
		}
	}
	if p.a.Has(columnNamesMember) {
		t.ColumnNames, err = p.a.Lines(columnNamesMember)
	}
	return err
}

// sparse reads what scipy.sparse.save_npz wrote.
func (p *npzReader[F]) sparse() (*Table[F], error) {
	kind, err := p.a.Text("format")
	if err != nil {
		return nil, err
	}
	rows, cols, err := p.sparseShape()
	if err != nil {
		return nil, err
	}
	t := &Table[F]{}
	if p.to != nil && (kind == "csr" || kind == "csc" || kind == "coo") {
		if err := p.sparseElsewhere(kind, rows, cols); err != nil {
			return nil, err
		}
		t.X = dims[F](rows, cols)
		return t, p.addNames(t)
	}
	switch kind {
	case "csr":
		t.X, err = p.compressed(rows, cols, "row", "column")
	case "csc":
		t.X, err = p.compressedColumns(rows, cols)
	case "coo":
		t.X, err = p.coordinates(rows, cols)
	case "bsr", "dia":
		err = &Error{
			Found: fmt.Sprintf("a scipy.sparse matrix in format %s stores blocks or diagonals, not single cells", kind),
			Hint:  "save it with .tocsr()", Err: ErrUnsupported,
		}
	default:
		err = &Error{Found: fmt.Sprintf("unknown scipy.sparse format %q", kind), Hint: "save it with .tocsr()", Err: ErrUnsupported}
	}
	if err != nil {
		return nil, err
	}
	return t, p.addNames(t)
}

func (p *npzReader[F]) sparseShape() (rows, cols int, err error) {
	h, err := p.a.Header("shape")
	if err != nil {
		return 0, 0, err
	}
	if len(h.Shape) != 1 || h.Shape[0] != 2 {
		return 0, 0, &Error{Found: "the sparse matrix has not two axes", Hint: "reshape it to samples x features", Err: ErrUnsupported}
	}
	shape, err := npy.ReadMember[int64](p.a, "shape")
	if err != nil {
		return 0, 0, err
	}
	for _, d := range shape.Data {
		if d < 0 {
			return 0, 0, malformed("the shape is %v", shape.Data)
		}
		if d > matrix.MaxDim {
			return 0, 0, checkDims(int(shape.Data[0]), int(shape.Data[1]))
		}
	}
	return int(shape.Data[0]), int(shape.Data[1]), nil
}

func malformed(format string, args ...any) error {
	return &Error{Found: fmt.Sprintf(format, args...), Err: ErrFormat}
}

// indices reads an array of integers with one axis.
func indices[I int32 | int64](a *npy.Archive, key string) ([]I, error) {
	array, err := npy.ReadMember[I](a, key)
	if errors.Is(err, npy.ErrRange) {
		return nil, malformed("%v", err)
	}
	if err != nil {
		return nil, err
	}
	if len(array.Shape) != 1 {
		return nil, malformed("member %q has shape %s, one axis is wanted", key+".npy", npy.ShapeString(array.Shape))
	}
	return array.Data, nil
}

// values reads the stored cells.
func (p *npzReader[F]) values(cells int) ([]F, error) {
	array, err := npy.ReadMember[F](p.a, "data")
	if err != nil {
		return nil, err
	}
	if len(array.Data) != cells {
		return nil, malformed("the sparse matrix has %d indices but %d values", cells, len(array.Data))
	}
	return array.Data, nil
}

// compressed reads a CSR matrix of the given shape, whose rows and columns
// errors call by the given words.
func (p *npzReader[F]) compressed(rows, cols int, row, column string) (*matrix.CSR[F], error) {
	h, err := p.a.Header("indptr")
	if err != nil {
		return nil, err
	}
	if len(h.Shape) != 1 || h.Shape[0] != rows+1 {
		return nil, malformed("indptr has shape %s for %d %ss", npy.ShapeString(h.Shape), rows, row)
	}
	indptr, err := indices[int64](p.a, "indptr")
	if err != nil {
		return nil, err
	}
	index, err := indices[int32](p.a, "indices")
	if err != nil {
		return nil, err
	}
	values, err := p.values(len(index))
	if err != nil {
		return nil, err
	}
	c := compressedParts[F]{
		rows: rows, cols: cols, row: row, column: column, pointers: "indptr",
		indptr: indptr, index: index, values: values,
	}
	x, repeats, err := c.csr()
	if err != nil {
		return nil, err
	}
	p.repeats += repeats
	return x, nil
}

func (p *npzReader[F]) triplets(rows, cols int, i, j []int32, values []F) (*matrix.CSR[F], error) {
	x, repeats, err := matrix.FromTriplets(rows, cols, i, j, values)
	if err != nil {
		return nil, &Error{Found: err.Error(), Err: ErrFormat}
	}
	p.repeats += repeats
	return x, nil
}

func (p *npzReader[F]) compressedColumns(rows, cols int) (*matrix.CSR[F], error) {
	turned, err := p.compressed(cols, rows, "column", "row")
	if err != nil {
		return nil, err
	}
	return turned.T(), nil
}

func (p *npzReader[F]) coordinates(rows, cols int) (*matrix.CSR[F], error) {
	i, err := indices[int32](p.a, "row")
	if err != nil {
		return nil, err
	}
	j, err := indices[int32](p.a, "col")
	if err != nil {
		return nil, err
	}
	if len(i) != len(j) {
		return nil, malformed("the sparse matrix has %d row indices but %d column indices", len(i), len(j))
	}
	values, err := p.values(len(i))
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(checkFilled(rows, "row", len(i)), checkFilled(cols, "column", len(i))); err != nil {
		return nil, err
	}
	return p.triplets(rows, cols, i, j, values)
}

// writeNPZ writes a dense matrix as the array X, a sparse one as
// scipy.sparse.save_npz does, and names beside it.
func writeNPZ[F matrix.Float](w io.Writer, t *Table[F], _ *WriteOptions) error {
	z := npy.NewWriter(w)
	if err := writeMatrix(z, t.X); err != nil {
		return err
	}
	for _, names := range []struct {
		member string
		list   []string
	}{{rowNamesMember, t.RowNames}, {columnNamesMember, t.ColumnNames}} {
		if names.list == nil {
			continue
		}
		if err := z.WriteLines(names.member, names.list); errors.Is(err, npy.ErrUnsupported) {
			return &Error{Found: err.Error(), Hint: "take it out of the name", Err: ErrUnsupported}
		} else if err != nil {
			return err
		}
	}
	return z.Close()
}

func writeMatrix[F matrix.Float](z *npy.Writer, x matrix.Matrix[F]) error {
	if s, ok := x.(*matrix.CSR[F]); ok {
		return writeCSR(z, s)
	}
	w, err := z.Create(denseKey+".npy", false)
	if err != nil {
		return err
	}
	return npy.WriteDense(w, x.(*matrix.Dense[F]))
}

// writeCSR writes the members that scipy.sparse.load_npz looks for.
func writeCSR[F matrix.Float](z *npy.Writer, s *matrix.CSR[F]) error {
	cells := []int{s.NNZ()}
	if err := npy.WriteMember(z, "indices", true, cells, s.ColIdx); err != nil {
		return err
	}
	if err := writePointers(z, s.RowPtr); err != nil {
		return err
	}
	if err := z.WriteText("format", "csr"); err != nil {
		return err
	}
	if err := npy.WriteMember(z, "shape", false, []int{2}, []int64{int64(s.Rows), int64(s.Cols)}); err != nil {
		return err
	}
	return npy.WriteMember(z, "data", true, cells, s.Val)
}

// writePointers keeps to 32 bits where they do, as scipy does.
func writePointers(z *npy.Writer, pointers []int) error {
	shape := []int{len(pointers)}
	if slices.Max(pointers) <= math.MaxInt32 {
		return npy.WriteMember(z, "indptr", true, shape, narrowed[int32](pointers))
	}
	return npy.WriteMember(z, "indptr", true, shape, narrowed[int64](pointers))
}

func narrowed[I int32 | int64](list []int) []I {
	out := make([]I, len(list))
	for i, v := range list {
		out[i] = I(v)
	}
	return out
}
