package data

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// RowStream is a table whose rows are read as they come, once: from an input
// that may never end. Formats are CSV and TSV (also with blanks between fields)
// and .npy in C order, compressed or not.
type RowStream[F matrix.Float] struct {
	// ColumnNames and Notes are as those of a Table; known after the first Next.
	ColumnNames []string
	Notes       []string

	src   *source
	parts chan rowPart[F]
	stop  chan struct{}
	// held are rows that have come and were not asked for yet; failed is how the
	// input has ended.
	held   Rows[F]
	cols   int
	count  int
	failed error
}

// Rows is some rows of a stream.
type Rows[F matrix.Float] struct {
	X *matrix.Dense[F]
	// RowNames are nil where there are none. Lines holds the line of the input
	// that each row begins on, nil where the input has no lines.
	RowNames []string
	Lines    []int
	// First is the number of rows before these.
	First int
	vals  []F
}

// rowPart is what the reading side hands over. The first one has the layout.
type rowPart[F matrix.Float] struct {
	cols    int
	columns []string
	notes   []string
	vals    []F
	names   []string
	lines   []int
	err     error
}

// sniffLines is the number of lines from which the layout of a text table is
// found out, where it has as many.
const sniffLines = 1 + sniffRecords

// OpenRows opens a file, a named pipe, or standard input for "-". Reading goes
// on in a goroutine of its own, a little ahead of Next. Options are those of Read
// without Key and Transpose.
func OpenRows[F matrix.Float](path string, o *ReadOptions) (*RowStream[F], error) {
	if o == nil {
		o = &ReadOptions{}
	}
	src, err := openSource(path)
	if err != nil {
		return nil, err
	}
	return streamRows[F](src, o)
}

// streamRows begins to read a source, which it closes.
func streamRows[F matrix.Float](src *source, o *ReadOptions) (*RowStream[F], error) {
	s := &RowStream[F]{src: src, parts: make(chan rowPart[F], 1), stop: make(chan struct{})}
	read, err := s.reader(o)
	if err != nil {
		src.Close()
		return nil, src.fail(err)
	}
	go func() {
		defer close(s.parts)
		defer src.Close()
		if err := read(); err != nil {
			s.send(rowPart[F]{err: src.fail(err)})
		}
	}()
	return s, nil
}

// reader chooses the format, without waiting for more than the first bytes.
func (s *RowStream[F]) reader(o *ReadOptions) (func() error, error) {
	unsupported := func(name string) error {
		return &Error{Found: "format " + name + " is not read row by row", Hint: "csv, tsv and npy are; save it to a file and name that", Err: ErrUnsupported}
	}
	switch {
	case o.Transpose:
		return nil, &Error{Found: "a stream of rows cannot be turned round", Hint: "save it to a file and name that", Err: ErrUnsupported}
	case o.Key != "":
		return nil, &Error{Found: fmt.Sprintf("a stream of rows has no matrix %s", quote(o.Key)), Err: ErrUnsupported}
	}
	if _, err := s.src.r.Peek(1); err == io.EOF {
		return nil, &Error{Found: "the input is empty", Err: ErrTruncated}
	} else if err != nil {
		return nil, err
	}
	head, err := s.src.r.Peek(min(s.src.r.Buffered(), sniffSize))
	if err != nil {
		return nil, err
	}
	name := o.Format
	f := formatOfSignature(head)
	switch {
	case name != "":
		if _, err := formatNamed(name); err != nil {
			return nil, err
		}
	case f != nil:
		name = f.name
	default:
		name = "csv"
		if f := formatOfExtension(s.src.path); f != nil {
			name = f.name
		}
	}
	switch name {
	case "npy":
		return s.readArray, nil
	case "csv":
		return func() error { return s.readText(o, ',') }, nil
	case "tsv":
		return func() error { return s.readText(o, '\t') }, nil
	}
	return nil, unsupported(name)
}

// send hands a part over, and reports false where no more are wanted.
func (s *RowStream[F]) send(p rowPart[F]) bool {
	select {
	case s.parts <- p:
		return true
	case <-s.stop:
		return false
	}
}

// readText reads a text table.
func (s *RowStream[F]) readText(o *ReadOptions, preferred byte) error {
	p := &csvReader[F]{options: *o, preferred: preferred}
	told, err := toldDelimiter(o.Delimiter)
	if err != nil {
		return err
	}
	var text []byte
	buf := make([]byte, bufferSize)
	known, ended := false, false
	for !ended {
		n, err := s.src.r.Read(buf)
		text = append(text, buf[:n]...)
		if ended = err == io.EOF; err != nil && !ended {
			return err
		}
		if ended && len(text) > 0 && text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		if !known {
			start, ok, err := p.layoutOf(text, told, ended)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			known = true
			text = text[start:]
			cols := p.layout.fields
			if p.layout.rowNames {
				cols--
			}
			if err := checkDims(0, cols); err != nil {
				return err
			}
			if !s.send(rowPart[F]{cols: cols, columns: cleanAll(p.layout.columnNames), notes: p.layout.notes}) {
				return nil
			}
		}
		whole := len(text)
		if !ended {
			whole = p.layout.delimiter.wholeRecords(text)
		}
		part, problem := p.rows(text[:whole])
		if len(part.lines) > 0 && !s.send(part) {
			return nil
		}
		if problem != nil {
			return problem
		}
		text = append(text[:0], text[whole:]...)
	}
	return nil
}

// layoutOf finds the layout from the first lines, however much of the text has
// come, and where the data starts; ok is false where more is needed.
func (p *csvReader[F]) layoutOf(text []byte, told delimiter, ended bool) (start int, ok bool, err error) {
	lines := 0
	for end := 0; ; {
		at := bytes.IndexByte(text[end:], '\n')
		last := at < 0
		if last && !ended {
			return 0, false, nil
		}
		if end += at + 1; last {
			end = len(text)
		}
		if lines++; lines < sniffLines && !last {
			continue
		}
		sniffer := tableSniffer{text: text[:end], ended: last, told: told, preferred: p.preferred, options: p.options}
		if enough, err := sniffer.run(&p.layout); err != nil || enough {
			return p.layout.start, err == nil, err
		}
	}
}

// rows parses whole records, up to the first with a problem. It moves the line
// of the layout on.
func (p *csvReader[F]) rows(text []byte) (rowPart[F], error) {
	var part rowPart[F]
	c := &chunk[csvRows[F]]{text: text}
	d, seen := p.layout.delimiter, 0
	line := func(at int) int {
		p.layout.line += bytes.Count(text[seen:at], newline)
		seen = at
		return p.layout.line
	}
	for i := 0; i < len(text); i++ {
		if i = d.recordStart(text, i); text[i] == '\n' {
			continue
		}
		before := len(c.out.vals)
		start := i
		if i = p.parseRecord(c, i); c.problem != nil {
			part.vals = c.out.vals[:before]
			part.names = p.namesOf(c, len(part.lines))
			err := p.problemError(c.problem, line(max(seen, c.problem.offset)))
			if e, ok := err.(*Error); ok && p.started && c.problem.hint == "" {
				e.Hint = "" // it is about the first line
			}
			return part, err
		}
		part.lines = append(part.lines, line(start))
		p.started = true
	}
	line(len(text))
	part.vals, part.names = c.out.vals, p.namesOf(c, len(part.lines))
	return part, nil
}

// namesOf gives the names of the first n rows of a chunk, each on one line.
func (p *csvReader[F]) namesOf(c *chunk[csvRows[F]], n int) []string {
	if !p.layout.rowNames {
		return nil
	}
	names, from := make([]string, n), 0
	for i, to := range c.out.ends[:n] {
		names[i] = lineBreaks.Replace(string(c.out.text[from:to]))
		from = to
	}
	return names
}

func cleanAll(names []string) []string {
	for i, name := range names {
		names[i] = lineBreaks.Replace(name)
	}
	return names
}

// readArray reads a .npy array. What follows it is left alone.
func (s *RowStream[F]) readArray() error {
	h, err := npy.ReadHeader(s.src.r)
	if err == nil {
		err = h.CheckReal()
	}
	if err != nil {
		return npyError(err)
	}
	if h.Fortran && len(h.Shape) > 1 {
		return &Error{Found: "the array is in Fortran order, column by column", Hint: "save it with numpy.ascontiguousarray to read it row by row", Err: ErrUnsupported}
	}
	rows, cols, note, err := shapeOfRows(h.Shape)
	if err != nil {
		return err
	}
	first := rowPart[F]{cols: cols}
	if note != "" {
		first.notes = []string{note}
	}
	if !s.send(first) {
		return nil
	}
	each := max(1, bufferSize/max(1, 8*cols))
	for done := 0; done < rows; {
		n := min(each, rows-done)
		part := h
		part.Shape = []int{n, cols}
		a, err := npy.ReadBody[F](s.src.r, part, -1)
		if err != nil {
			err = npyError(err)
			if e, ok := err.(*Error); ok {
				e.Found += fmt.Sprintf(", after row %d", done)
			}
			return err
		}
		if !s.send(rowPart[F]{vals: a.Data, lines: make([]int, n)}) {
			return nil
		}
		done += n
	}
	return nil
}

// shapeOfRows is matrixShape for any number of rows.
func shapeOfRows(shape []int) (rows, cols int, note string, err error) {
	if len(shape) == 0 {
		return matrixShape(shape)
	}
	one := append([]int(nil), shape...)
	one[0] = min(one[0], 1)
	if _, cols, _, err = matrixShape(one); err != nil {
		return 0, 0, "", err
	}
	if len(shape) == 3 {
		note = fmt.Sprintf("images of %d x %d became rows of %d features", shape[1], shape[2], cols)
	}
	return shape[0], cols, note, nil
}

// Next waits for so many rows and gives them: fewer at the end of the input,
// when ctx ends, or before what is wrong with the input. Then it gives io.EOF,
// ctx's error, or what is wrong, beside the rows that are left, nil where there
// are none.
func (s *RowStream[F]) Next(ctx context.Context, rows int) (*Rows[F], error) {
	for s.failed == nil && (s.cols == 0 || len(s.held.Lines) < rows) {
		select {
		case p, open := <-s.parts:
			s.take(p, open)
		case <-ctx.Done():
			return s.give(len(s.held.Lines)), context.Cause(ctx)
		}
	}
	out := s.give(min(rows, len(s.held.Lines)))
	if len(s.held.Lines) > 0 || out != nil && len(out.Lines) == rows {
		return out, nil
	}
	return out, s.failed
}

// take adds a part to the rows that are held.
func (s *RowStream[F]) take(p rowPart[F], open bool) {
	switch {
	case !open:
		s.failed = io.EOF
		if s.cols == 0 {
			s.failed = &Error{File: s.src.name, Found: "there is no row", Err: ErrFormat}
		}
	case p.err != nil:
		s.failed = p.err
	case p.cols != 0:
		s.cols, s.ColumnNames, s.Notes = p.cols, p.columns, p.notes
	default:
		h := &s.held
		h.vals, h.Lines, h.RowNames = append(h.vals, p.vals...), append(h.Lines, p.lines...), append(h.RowNames, p.names...)
	}
}

// give takes n rows from those that are held; nil for none.
func (s *RowStream[F]) give(n int) *Rows[F] {
	if n == 0 {
		return nil
	}
	h := &s.held
	out := &Rows[F]{First: s.count, Lines: h.Lines[:n:n], X: &matrix.Dense[F]{Rows: n, Cols: s.cols, Stride: s.cols, Data: h.vals[: n*s.cols : n*s.cols]}}
	h.vals, h.Lines = append([]F(nil), h.vals[n*s.cols:]...), append([]int(nil), h.Lines[n:]...)
	if h.RowNames != nil {
		out.RowNames, h.RowNames = h.RowNames[:n:n], append([]string(nil), h.RowNames[n:]...)
	}
	if out.Lines[0] == 0 {
		out.Lines = nil
	}
	s.count += n
	return out
}

// Cols is the number of features, 0 before it is known.
func (s *RowStream[F]) Cols() int { return s.cols }

// Close ends the reading. A read that waits for input of a pipe is left behind.
func (s *RowStream[F]) Close() { close(s.stop) }
