package data

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"unsafe"

	"github.com/partsof/nmf/internal/blockfile"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// Shape is what can be told of the matrix in a file before it is read.
type Shape struct {
	Rows, Columns int
	// Stored is the number of cells that a sparse matrix stores, at most.
	Stored int
	Sparse bool
	// Estimated says that Rows is a guess by the size of the file.
	Estimated bool
	// Reading is the number of bytes that reading takes beside the matrix itself.
	Reading float64
}

// elsewhere is where a reader puts a matrix that is not wanted in memory: into
// the block file that b builds, or with b nil nowhere, to learn its shape. The
// reader then gives a Table whose X has only its dimensions.
type elsewhere[F matrix.Float] struct {
	b     *blockfile.Builder[F]
	shape Shape
}

// dims stands for a matrix that went elsewhere.
func dims[F matrix.Float](rows, cols int) *matrix.CSR[F] {
	return &matrix.CSR[F]{Rows: rows, Cols: cols}
}

// found notes the shape, and hands it to the builder. It reports whether the
// cells are wanted.
func (e *elsewhere[F]) found(s Shape) bool {
	e.shape = s
	if e.b != nil {
		e.b.Header.Rows, e.b.Header.Columns = s.Rows, s.Columns
	}
	return e.b != nil
}

// spoolerOf picks the spooler of the element type.
func spoolerOf[F matrix.Float](f *format) func(*source, *ReadOptions, *elsewhere[F]) (*Table[F], error) {
	if fn, ok := any(f.spool32).(func(*source, *ReadOptions, *elsewhere[F]) (*Table[F], error)); ok {
		return fn
	}
	fn, _ := any(f.spool64).(func(*source, *ReadOptions, *elsewhere[F]) (*Table[F], error))
	return fn
}

// spool reads the matrix at path elsewhere.
func spool[F matrix.Float](path string, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	return open(path, o, func(f *format, s *source) (*Table[F], error) {
		read := spoolerOf[F](f)
		if read == nil {
			return nil, &Error{Found: "format " + f.name + " is read in memory only", Hint: "nmf convert makes an .npy, .npz or .mtx of it on a larger machine", Err: ErrUnsupported}
		}
		return read(s, o, to)
	})
}

// Peek finds out the shape of the matrix that Read would give, reading little.
// Errors are those of Read, and ErrUnsupported where that cannot be told.
func Peek[F matrix.Float](path string, o *ReadOptions) (Shape, error) {
	if o == nil {
		o = &ReadOptions{}
	}
	if path == "-" {
		return Shape{}, &Error{File: stdinName, Found: "its shape shows when it is read", Err: ErrUnsupported}
	}
	var to elsewhere[F]
	if _, err := spool(path, o, &to); err != nil {
		return Shape{}, err
	}
	s := to.shape
	if o.Transpose {
		s.Rows, s.Columns = s.Columns, s.Rows
		s.Reading += float64(s.Stored) * float64(unsafe.Sizeof(F(0)))
	}
	return s, nil
}

// tripletBytes is what reading takes for each cell of a list of cells.
func tripletBytes[F matrix.Float](cells int) float64 {
	return float64(cells) * float64(8+unsafe.Sizeof(F(0)))
}

func spoolNPY[F matrix.Float](s *source, _ *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	h, err := npy.ReadHeader(s.r)
	if err == nil {
		err = h.CheckReal()
	}
	if err != nil {
		return nil, withGuess(npyError(err), head)
	}
	rows, cols, note, err := matrixShape(h.Shape)
	if err != nil {
		return nil, err
	}
	if n := rows * cols; n > 0 && s.file != nil {
		if err := npy.ReadPart(s.file, h, n-1, make([]F, 1)); err != nil {
			return nil, npyError(err)
		}
	}
	t := &Table[F]{X: dims[F](rows, cols)}
	t.addNote(note)
	if !to.found(Shape{Rows: rows, Columns: cols, Stored: rows * cols}) {
		return t, nil
	}
	if s.file == nil {
		return nil, &Error{Found: "a compressed .npy is read in memory only", Hint: "decompress it first", Err: ErrUnsupported}
	}
	columns := h.Fortran && len(h.Shape) == 2
	if h.Fortran && len(h.Shape) > 2 {
		return nil, &Error{Found: "the array has three axes in Fortran order", Hint: "save it with numpy.ascontiguousarray", Err: ErrUnsupported}
	}
	lines, length := rows, cols
	if columns {
		lines, length = cols, rows
	}
	return t, spoolLines(to, columns, lines, length, func(first int, dst []F) error {
		if err := npy.ReadPart(s.file, h, first*length, dst); err != nil {
			return npyError(err)
		}
		return nil
	})
}

// spoolLines hands on dense lines that are read some at a time.
func spoolLines[F matrix.Float](to *elsewhere[F], columns bool, lines, length int, read func(first int, dst []F) error) error {
	const some = 1 << 18
	add := to.b.Dense(columns, length)
	step := max(1, some/max(1, length))
	block := make([]F, min(step, lines)*length)
	for first := 0; first < lines; first += step {
		part := block[:min(step, lines-first)*length]
		if err := read(first, part); err != nil {
			return err
		}
		if err := add(part); err != nil {
			return err
		}
	}
	return nil
}

// elements reads numbers in order.
type elements[T any] interface{ Fill(dst []T) error }

// spoolCompressed hands on a matrix that is compressed by lines: rows, or
// columns where c's rows and columns are exchanged. What the file has of each
// line is checked as by csr, some lines at a time.
func spoolCompressed[F matrix.Float](to *elsewhere[F], columns bool, c *compressedParts[F], cells int, index elements[int32], values elements[F]) (repeats int, err error) {
	const some = 1 << 20
	rowPtr := make([]int, c.rows+1)
	if err := c.setPointers(rowPtr, cells); err != nil {
		return 0, err
	}
	if err := checkFilled(c.cols, c.column, rowPtr[c.rows]); err != nil {
		return 0, err
	}
	add := to.b.Sparse(columns, c.indptr)
	part := compressedParts[F]{cols: c.cols, row: c.row, column: c.column, pointers: c.pointers}
	for i := 0; i < c.rows; {
		last := i + 1
		for last < c.rows && rowPtr[last+1]-rowPtr[i] <= some {
			last++
		}
		n := rowPtr[last] - rowPtr[i]
		part.first, part.rows = i, last-i
		part.indptr = part.indptr[:0]
		for _, p := range rowPtr[i : last+1] {
			part.indptr = append(part.indptr, int64(p-rowPtr[i]))
		}
		part.index, part.values = sized(part.index, n), sized(part.values, n)
		if err := cmp.Or(index.Fill(part.index), values.Fill(part.values)); err != nil {
			return repeats, err
		}
		x, more, err := part.csr()
		repeats += more
		if err == nil {
			err = add(x)
		}
		if err != nil {
			return repeats, err
		}
		i = last
	}
	return repeats, nil
}

func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// spoolNPZ takes what readNPZ does.
func spoolNPZ[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	if s.file == nil {
		return nil, &Error{Found: "a compressed .npz is read in memory only", Hint: "decompress it first", Err: ErrUnsupported}
	}
	a, err := openArchive(s)
	if err != nil {
		return nil, npyError(err)
	}
	p := npzReader[F]{a: a, to: to}
	t, err := p.table(o)
	if err != nil {
		return nil, npyError(err)
	}
	t.noteRepeats(p.repeats)
	return t, nil
}

// denseElsewhere is dense for a matrix that goes elsewhere.
func (p *npzReader[F]) denseElsewhere(key string) (*Table[F], error) {
	e, err := npy.OpenElements[F](p.a, key)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	rows, cols, note, err := matrixShape(e.Shape)
	if err != nil {
		return nil, err
	}
	t := &Table[F]{X: dims[F](rows, cols)}
	t.addNote(note)
	if !p.to.found(Shape{Rows: rows, Columns: cols, Stored: rows * cols}) {
		return t, nil
	}
	if e.Fortran && len(e.Shape) > 2 {
		return nil, &Error{Found: "the array has three axes in Fortran order", Hint: "save it with numpy.ascontiguousarray", Err: ErrUnsupported}
	}
	columns, lines, length := false, rows, cols
	if e.Fortran && len(e.Shape) == 2 {
		columns, lines, length = true, cols, rows
	}
	return t, spoolLines(p.to, columns, lines, length, func(_ int, dst []F) error { return e.Fill(dst) })
}

// sparseElsewhere is sparse for a matrix that goes elsewhere.
func (p *npzReader[F]) sparseElsewhere(kind string, rows, cols int) error {
	values, err := npy.OpenElements[F](p.a, "data")
	if err != nil {
		return err
	}
	defer values.Close()
	if len(values.Shape) != 1 {
		return malformed("member %q has shape %s, one axis is wanted", "data.npy", npy.ShapeString(values.Shape))
	}
	cells := values.Shape[0]
	shape := Shape{Rows: rows, Columns: cols, Stored: cells, Sparse: true}
	switch kind {
	case "csr":
	case "csc":
		shape.Reading = float64(cells) * float64(4+unsafe.Sizeof(F(0)))
	default:
		shape.Reading = tripletBytes[F](cells)
	}
	if !p.to.found(shape) {
		return nil
	}
	if kind == "coo" {
		return p.coordinatesElsewhere(rows, cols, cells, values)
	}
	c := compressedParts[F]{rows: rows, cols: cols, row: "row", column: "column", pointers: "indptr"}
	if kind == "csc" {
		c.rows, c.cols, c.row, c.column = cols, rows, "column", "row"
	}
	h, err := p.a.Header("indptr")
	if err != nil {
		return err
	}
	if len(h.Shape) != 1 || h.Shape[0] != c.rows+1 {
		return malformed("indptr has shape %s for %d %ss", npy.ShapeString(h.Shape), c.rows, c.row)
	}
	if c.indptr, err = indices[int64](p.a, "indptr"); err != nil {
		return err
	}
	index, err := npy.OpenElements[int32](p.a, "indices")
	if err != nil {
		return err
	}
	defer index.Close()
	if len(index.Shape) != 1 || index.Shape[0] != cells {
		return malformed("the sparse matrix has %s indices but %d values", npy.ShapeString(index.Shape), cells)
	}
	repeats, err := spoolCompressed(p.to, kind == "csc", &c, cells, index, values)
	p.repeats += repeats
	return err
}

// coordinatesElsewhere hands on the cells of a coo matrix.
func (p *npzReader[F]) coordinatesElsewhere(rows, cols, cells int, values *npy.Elements[F]) error {
	if err := cmp.Or(checkFilled(rows, "row", cells), checkFilled(cols, "column", cells)); err != nil {
		return err
	}
	var sides [2]*npy.Elements[int32]
	for i, key := range []string{"row", "col"} {
		e, err := npy.OpenElements[int32](p.a, key)
		if err != nil {
			return err
		}
		defer e.Close()
		if len(e.Shape) != 1 || e.Shape[0] != cells {
			return malformed("the sparse matrix has %s %s indices but %d values", npy.ShapeString(e.Shape), key, cells)
		}
		sides[i] = e
	}
	const some = 1 << 16
	add := p.to.b.Cells(cells)
	i, j, v := make([]int32, some), make([]int32, some), make([]F, some)
	for left := cells; left > 0; left -= len(v) {
		n := min(some, left)
		i, j, v = i[:n], j[:n], v[:n]
		if err := cmp.Or(sides[0].Fill(i), sides[1].Fill(j), values.Fill(v)); err != nil {
			return err
		}
		for q := range v {
			if i[q] < 0 || int(i[q]) >= rows || j[q] < 0 || int(j[q]) >= cols {
				return malformed("cell (%d, %d) in a %d x %d matrix", i[q]+1, j[q]+1, rows, cols)
			}
		}
		if err := add(i, j, v); err != nil {
			return err
		}
	}
	return nil
}

func spoolMTX[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	p := mtxReader[F]{r: s.r, size: s.size, threads: o.Threads, to: to}
	return p.table()
}

// elsewhereCells is coordinate for a matrix that goes elsewhere.
func (p *mtxReader[F]) elsewhereCells() (*Table[F], error) {
	h := &p.header
	most, m, n := h.entries, h.rows, h.cols
	if h.symmetric {
		most *= 2
	}
	if p.turned {
		m, n = n, m
	}
	const shortest = len("1 1\n")
	if can := p.room(shortest); p.size >= 0 && can < h.entries {
		return nil, &Error{Found: fmt.Sprintf("file is cut short: the header promises %d entries, at most %d are there", h.entries, can), Err: ErrTruncated}
	}
	t := &Table[F]{X: dims[F](m, n)}
	if !p.to.found(Shape{Rows: m, Columns: n, Stored: most, Sparse: true, Reading: tripletBytes[F](most)}) {
		return t, nil
	}
	// Sides that no number of cells can fill are refused before anything is
	// made for them; what zeros leave, when all are read.
	if err := h.checkFilled(most); err != nil {
		return nil, err
	}
	add := p.to.b.Cells(most)
	cells := 0
	err := p.readEntries(p.parseCells, func(c *mtxCells[F]) error {
		cells += len(c.vals)
		if p.turned {
			return add(c.cols, c.rows, c.vals)
		}
		return add(c.rows, c.cols, c.vals)
	})
	if err == nil {
		err = h.checkFilled(cells)
	}
	return t, err
}

// elsewhereArray is array for a matrix that goes elsewhere.
func (p *mtxReader[F]) elsewhereArray() (*Table[F], error) {
	h := &p.header
	m, n := h.rows, h.cols
	if p.turned {
		m, n = n, m
	}
	t := &Table[F]{X: dims[F](m, n)}
	if !p.to.found(Shape{Rows: m, Columns: n, Stored: m * n, Reading: float64(m) * float64(n) * float64(unsafe.Sizeof(F(0)))}) {
		return t, nil
	}
	if h.symmetric {
		return nil, &Error{Line: 1, Found: "a symmetric array is read in memory only", Hint: "write it as general, or as coordinate", Err: ErrUnsupported}
	}
	add := p.to.b.Dense(!p.turned, h.rows)
	var rest []F
	return t, p.readEntries(p.parseValues, func(c *mtxCells[F]) error {
		rest = append(rest, c.vals...)
		whole := len(rest) / h.rows * h.rows
		err := add(rest[:whole])
		rest = rest[:copy(rest, rest[whole:])]
		return err
	})
}

func spoolCSV[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	return spoolText(s, o, ',', to)
}

func spoolTSV[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	return spoolText(s, o, '\t', to)
}

func spoolText[F matrix.Float](s *source, o *ReadOptions, preferred byte, to *elsewhere[F]) (*Table[F], error) {
	p := csvReader[F]{r: s.r, size: s.size, options: *o, preferred: preferred, to: to}
	return p.table()
}

// elsewhereRecords is records for a matrix that goes elsewhere; sample is what
// has been read.
func (p *csvReader[F]) elsewhereRecords(sample []byte, r io.Reader) (*Table[F], error) {
	cols := p.layout.fields
	if p.layout.rowNames {
		cols--
	}
	t := &Table[F]{ColumnNames: p.layout.columnNames, Notes: p.layout.notes}
	if p.to.b == nil {
		rows, err := p.countRecords(sample, r)
		if err != nil {
			return nil, err
		}
		t.X, t.ColumnNames = dims[F](rows, cols), nil
		p.to.found(Shape{Rows: rows, Columns: cols, Stored: rows * cols, Estimated: true})
		return t, nil
	}
	add := p.to.b.Dense(false, cols)
	rows := 0
	if p.layout.rowNames {
		t.RowNames = []string{}
	}
	err := p.records(r, func(vals []F, names []string) error {
		rows += len(vals) / cols
		t.RowNames = append(t.RowNames, names...)
		return add(vals)
	})
	t.X = dims[F](rows, cols)
	p.to.found(Shape{Rows: rows, Columns: cols, Stored: rows * cols})
	return t, err
}

// countRecords tells about how many records there are: by the size of the file
// and of the first records, or of a compressed one, whose size does not tell, by
// counting its lines.
func (p *csvReader[F]) countRecords(sample []byte, r io.Reader) (int, error) {
	start := sample[p.layout.start:]
	if p.size >= 0 {
		lines := max(1, bytes.Count(start, newline))
		if int64(len(sample)) >= p.size {
			return lines, nil
		}
		return int(float64(lines) * float64(p.size-int64(p.layout.start)) / float64(max(1, len(start)))), nil
	}
	lines, buffer := 0, make([]byte, bufferSize)
	for {
		n, err := r.Read(buffer)
		lines += bytes.Count(buffer[:n], newline)
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return 0, err
		}
		if lines > matrix.MaxDim {
			return 0, checkDims(lines, 1)
		}
	}
}

func spoolTenX[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	return tenXTable(s, o, to)
}
