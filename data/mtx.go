package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "mtx", about: "MatrixMarket, coordinate or array", extensions: []string{".mtx"},
		sniff:  func(head []byte) bool { return hasBanner(head) },
		read32: readMTX[float32], read64: readMTX[float64],
		spool32: spoolMTX[float32], spool64: spoolMTX[float64],
		write32: writeMTX[float32], write64: writeMTX[float64],
	})
}

const mtxBanner = "%%MatrixMarket"

func hasBanner(head []byte) bool {
	return len(head) >= len(mtxBanner) && strings.EqualFold(string(head[:len(mtxBanner)]), mtxBanner)
}

// mtxHeader is what stands before the entries of a MatrixMarket file.
type mtxHeader struct {
	coordinate, pattern, symmetric bool
	rows, cols                     int
	// entries is how many lines of entries are promised.
	entries int
	// line is the number of the size line.
	line int
}

// readMTX reads a MatrixMarket file (Boisvert, Pozo and Remington 1996, "The
// Matrix Market exchange formats"). A coordinate file becomes a CSR matrix: its
// stored zeros are left out, entries given more than once are summed, and the
// missing triangle of a symmetric matrix is filled in. An array file becomes a
// dense one.
func readMTX[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	p := mtxReader[F]{r: s.r, size: s.size, threads: o.Threads}
	return p.table()
}

// mtxReader reads one file.
type mtxReader[F matrix.Float] struct {
	r       *bufio.Reader
	size    int64 // of the content, -1 where unknown
	threads int
	chunk   int           // bytes a chunk; 0 is the default
	turned  bool          // exchange rows and columns
	to      *elsewhere[F] // nil where the matrix goes into memory
	header  mtxHeader
}

func (p *mtxReader[F]) table() (*Table[F], error) {
	if err := p.header.read(p.r); err != nil {
		return nil, err
	}
	switch {
	case p.header.coordinate && p.to != nil:
		return p.elsewhereCells()
	case p.header.coordinate:
		return p.coordinate()
	case p.to != nil:
		return p.elsewhereArray()
	}
	return p.array()
}

// read reads the banner, comments and the size line.
func (h *mtxHeader) read(r *bufio.Reader) error {
	text, err := readLine(r, maxHeaderLine)
	if err == io.EOF {
		return &Error{Found: "the file is empty", Err: ErrTruncated}
	}
	if err != nil {
		return h.fail(err)
	}
	h.line = 1
	if err := h.parseBanner(text); err != nil {
		return err
	}
	for {
		text, err := readLine(r, maxHeaderLine)
		if err == io.EOF {
			return &Error{Line: h.line, Found: "the file ends before its size line", Err: ErrTruncated}
		}
		if err != nil {
			return h.fail(err)
		}
		h.line++
		if fields := strings.Fields(text); len(fields) > 0 && fields[0][0] != '%' {
			return h.parseSize(text, fields)
		}
	}
}

func (h *mtxHeader) fail(err error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return &Error{Line: h.line + 1, Found: "the line is longer than any header's", Err: ErrFormat}
	}
	return err
}

const maxHeaderLine = 1 << 20

// readLine reads a line of at most about so many bytes; io.EOF where there is
// none.
func readLine(r *bufio.Reader, most int) (string, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case err == nil || err == io.EOF && len(line) > 0:
			return string(line), nil
		case err != bufio.ErrBufferFull:
			return "", err
		case len(line) > most:
			return "", bufio.ErrTooLong
		}
	}
}

// parseBanner understands the first line:
// %%MatrixMarket matrix FORMAT FIELD SYMMETRY.
func (h *mtxHeader) parseBanner(text string) error {
	refuse := func(err error, hint, format string, args ...any) error {
		return &Error{Line: 1, Found: fmt.Sprintf(format, args...), Hint: hint, Err: err}
	}
	fields := strings.Fields(strings.ToLower(text))
	if len(fields) == 0 || fields[0] != strings.ToLower(mtxBanner) {
		return refuse(ErrFormat, "", "%s is not a MatrixMarket banner", quote(strings.TrimSpace(text)))
	}
	if len(fields) != 5 {
		return refuse(ErrFormat, "the banner is %%MatrixMarket matrix coordinate|array real|integer|pattern general|symmetric",
			"the banner has %d words, not 5", len(fields))
	}
	object, layout, field, symmetry := fields[1], fields[2], fields[3], fields[4]
	if object != "matrix" {
		return refuse(ErrUnsupported, "", "the file holds a %s, not a matrix", quote(object))
	}
	switch layout {
	case "coordinate", "array":
		h.coordinate = layout == "coordinate"
	default:
		return refuse(ErrFormat, "", "%s is neither coordinate nor array", quote(layout))
	}
	switch field {
	case "real", "double", "integer", "unsigned-integer":
	case "pattern":
		h.pattern = true
		if !h.coordinate {
			return refuse(ErrFormat, "", "an array has values, it cannot be pattern")
		}
	case "complex":
		return refuse(ErrUnsupported, "", "the matrix is complex: non-negative factors need real numbers")
	default:
		return refuse(ErrFormat, "", "%s is none of real, double, integer, pattern", quote(field))
	}
	switch symmetry {
	case "general":
	case "symmetric":
		h.symmetric = true
	case "skew-symmetric":
		return refuse(ErrUnsupported, "", "the matrix is skew-symmetric: half of its entries are negative")
	case "hermitian":
		return refuse(ErrUnsupported, "", "the matrix is hermitian: non-negative factors need real numbers")
	default:
		return refuse(ErrFormat, "", "%s is neither general nor symmetric", quote(symmetry))
	}
	return nil
}

// parseSize understands "rows cols entries", or "rows cols" of an array.
func (h *mtxHeader) parseSize(text string, fields []string) error {
	want := []string{"rows", "columns"}
	if h.coordinate {
		want = append(want, "entries")
	}
	refuse := func(err error, format string, args ...any) error {
		return &Error{Line: h.line, Found: fmt.Sprintf(format, args...), Err: err}
	}
	if len(fields) != len(want) {
		return refuse(ErrFormat, "the size line is %s, it should give %s", quote(strings.TrimSpace(text)), strings.Join(want, ", "))
	}
	var sizes [3]int
	for i, field := range fields {
		n, err := strconv.Atoi(field)
		if errors.Is(err, strconv.ErrRange) && field[0] != '-' {
			return refuse(ErrUnsupported, "%s %s are beyond what can be read", quote(field), want[i])
		}
		if err != nil || n < 0 {
			return refuse(ErrFormat, "%s is not a number of %s", quote(field), want[i])
		}
		sizes[i] = n
	}
	h.rows, h.cols, h.entries = sizes[0], sizes[1], sizes[2]
	if err := checkDims(h.rows, h.cols); err != nil {
		return at(err, h.line)
	}
	if h.symmetric && h.rows != h.cols {
		return refuse(ErrFormat, "the matrix is %d x %d: a symmetric one is square", h.rows, h.cols)
	}
	switch {
	case !h.coordinate && h.symmetric:
		h.entries = h.rows * (h.rows + 1) / 2
	case !h.coordinate:
		h.entries = h.rows * h.cols
	}
	return nil
}

// at gives an error of this package a line.
func at(err error, line int) error {
	var e *Error
	if errors.As(err, &e) {
		e.Line = line
	}
	return err
}

// room is how many of the promised entries to make room for: no more than the
// file can hold at so many bytes each.
func (p *mtxReader[F]) room(bytesEach int) int {
	if p.size < 0 {
		return 0
	}
	return min(p.header.entries, int(p.size)/bytesEach+1)
}

// extend appends. Where s must grow and an eighth of the promised elements have
// turned out to be there, it makes room for all of them.
func extend[T any](s, more []T, promised int) []T {
	if need := len(s) + len(more); need > cap(s) && need < promised && promised <= 8*need {
		s = slices.Grow(s, promised-len(s))
	}
	return append(s, more...)
}

// mtxCells is what one chunk holds: cells of a coordinate file, or only values
// of an array.
type mtxCells[F matrix.Float] struct {
	rows, cols []int32
	vals       []F
	// entries counts the lines that hold an entry.
	entries int
}

func (c *mtxCells[F]) reset() {
	c.rows, c.cols, c.vals, c.entries = c.rows[:0], c.cols[:0], c.vals[:0], 0
}

func (c *mtxCells[F]) add(row, col int, v F) {
	c.rows = append(c.rows, int32(row))
	c.cols = append(c.cols, int32(col))
	c.vals = append(c.vals, v)
}

// readEntries parses all that follows the header, collects the chunks in order
// and checks that there are as many entries as promised.
func (p *mtxReader[F]) readEntries(parse func(*chunk[mtxCells[F]]), collect func(*mtxCells[F]) error) error {
	entries := 0
	c := chunks[mtxCells[F]]{
		r: p.r, threads: p.threads, size: p.chunk, line: p.header.line + 1, whole: wholeLines, parse: parse,
	}
	c.collect = func(c *chunk[mtxCells[F]]) error {
		if extra := p.header.entries - entries; c.out.entries > extra {
			return &Error{
				Line:  c.lineAt(entryOffset(c.text, extra)),
				Found: fmt.Sprintf("there are more entries than the %d that the header promises", p.header.entries), Err: ErrFormat,
			}
		}
		if q := c.problem; q != nil {
			return &Error{Line: c.lineAt(q.offset), Column: q.column, Found: q.found, Hint: q.hint, Err: q.err}
		}
		entries += c.out.entries
		return collect(&c.out)
	}
	if _, err := c.run(); err != nil {
		return err
	}
	if entries < p.header.entries {
		return &Error{
			Found: fmt.Sprintf("file is cut short: the header promises %d entries, %d are there", p.header.entries, entries),
			Err:   ErrTruncated,
		}
	}
	return nil
}

// entryOffset gives the offset of the n-th entry (from 0) of a chunk.
func entryOffset(text []byte, n int) int {
	for i := 0; i < len(text); i = lineEnd(text, i) + 1 {
		if j := skipBlanks(text, i); text[j] == '\n' || text[j] == '%' {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

func lineEnd(text []byte, i int) int { return i + bytes.IndexByte(text[i:], '\n') }

func skipBlanks(text []byte, i int) int {
	for text[i] == ' ' || text[i] == '\t' || text[i] == '\r' {
		i++
	}
	return i
}

// coordinate reads "row column value" lines.
func (p *mtxReader[F]) coordinate() (*Table[F], error) {
	h := &p.header
	var rows, cols []int32
	var vals []F
	bytesEach := 6 // "1 1 1\n"
	if h.pattern {
		bytesEach = 4
	}
	room := p.room(bytesEach)
	if h.symmetric {
		room *= 2
	}
	rows, cols, vals = make([]int32, 0, room), make([]int32, 0, room), make([]F, 0, room)
	most := h.entries
	if h.symmetric {
		most *= 2
	}
	err := p.readEntries(p.parseCells, func(c *mtxCells[F]) error {
		rows, cols, vals = extend(rows, c.rows, most), extend(cols, c.cols, most), extend(vals, c.vals, most)
		return nil
	})
	if err != nil {
		return nil, err
	}
	m, n := h.rows, h.cols
	if p.turned {
		m, n, rows, cols = n, m, cols, rows
	}
	if err := h.checkFilled(len(vals)); err != nil {
		return nil, err
	}
	x, repeats, err := matrix.FromTriplets(m, n, rows, cols, vals)
	if err != nil {
		return nil, err
	}
	t := &Table[F]{X: x}
	t.noteRepeats(repeats)
	return t, nil
}

// checkFilled refuses a shape that is out of all proportion to the cells that
// are there, since the row pointers of the result, and every factor of it,
// need memory for the shape.
func (h *mtxHeader) checkFilled(cells int) error {
	const always, perCell = 1 << 20, 16
	if most := max(always, perCell*cells); h.rows > most || h.cols > most {
		return &Error{
			Line: h.line, Found: fmt.Sprintf("the header promises %d x %d, but only %d cells are not zero", h.rows, h.cols, cells),
			Hint: "leave out empty rows and columns", Err: ErrFormat,
		}
	}
	return nil
}

// parseCells parses the lines of a coordinate file.
func (p *mtxReader[F]) parseCells(c *chunk[mtxCells[F]]) {
	h, out, text := &p.header, &c.out, c.text
	out.reset()
	for i := 0; i < len(text); i++ {
		i = skipBlanks(text, i)
		if text[i] == '\n' {
			continue
		}
		if text[i] == '%' {
			i = lineEnd(text, i)
			continue
		}
		out.entries++
		row, end, ok := scanIndex(text, i, h.rows)
		if !ok {
			c.problem = indexProblem(text, i, "row", h.rows)
			return
		}
		i = skipBlanks(text, end)
		col, end, ok := scanIndex(text, i, h.cols)
		if !ok {
			c.problem = indexProblem(text, i, "column", h.cols)
			return
		}
		i = skipBlanks(text, end)
		v := F(1)
		if !h.pattern {
			if v, end, ok = scanNumber[F](text, i); !ok || !isSpace(text[end]) {
				c.problem = valueProblem[F](text, i)
				return
			}
			i = skipBlanks(text, end)
		}
		if text[i] != '\n' {
			c.problem = &problem{offset: i, found: quote(fieldAt(text, i)) + " after the entry", err: ErrFormat}
			return
		}
		if v == 0 {
			continue
		}
		out.add(row-1, col-1, v)
		if h.symmetric && row != col {
			out.add(col-1, row-1, v)
		}
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// scanIndex reads an index from 1 to most that white space ends.
func scanIndex(text []byte, i, most int) (n, end int, ok bool) {
	for ; text[i]-'0' <= 9 && n <= matrix.MaxDim; i++ {
		n = n*10 + int(text[i]-'0')
	}
	return n, i, 1 <= n && n <= most && isSpace(text[i])
}

// indexProblem says why there is no good index at i.
func indexProblem(text []byte, i int, what string, most int) *problem {
	q := &problem{offset: i, err: ErrFormat}
	field := fieldAt(text, i)
	_, err := strconv.Atoi(field)
	switch {
	case field == "":
		q.found = fmt.Sprintf("the line ends where a %s index belongs", what)
	case err == nil || errors.Is(err, strconv.ErrRange):
		q.found = fmt.Sprintf("%s index %s is not within 1 to %d", what, field, most)
		if field == "0" {
			q.hint = "MatrixMarket counts from 1"
		}
	default:
		q.found = fmt.Sprintf("%s where a %s index belongs", quote(field), what)
	}
	return q
}

func valueProblem[F matrix.Float](text []byte, i int) *problem {
	field := fieldAt(text, i)
	if field == "" {
		return &problem{offset: i, found: "the line ends where a value belongs", err: ErrFormat}
	}
	_, q := judge[F]([]byte(field))
	q.offset = i
	return q
}

// fieldAt gives what stands at i up to white space.
func fieldAt(text []byte, i int) string {
	end := i
	for !isSpace(text[end]) {
		end++
	}
	return string(text[i:end])
}

// array reads one value a line, column by column.
func (p *mtxReader[F]) array() (*Table[F], error) {
	h := &p.header
	vals := make([]F, 0, p.room(2))
	err := p.readEntries(p.parseValues, func(c *mtxCells[F]) error {
		vals = extend(vals, c.vals, h.entries)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if h.entries == 0 {
		if err := h.checkFilled(0); err != nil {
			return nil, err
		}
	}
	if h.symmetric {
		vals = fillTriangle(h.rows, vals)
	}
	// Columns of the file are rows of this.
	x, err := matrix.FromSlice(h.cols, h.rows, vals)
	if err != nil {
		return nil, err
	}
	if !p.turned {
		x = x.T()
	}
	return &Table[F]{X: x}, nil
}

// fillTriangle makes an n x n matrix of its lower triangle, given column by
// column.
func fillTriangle[F matrix.Float](n int, lower []F) []F {
	full := make([]F, n*n)
	for j := range n {
		for i := j; i < n; i++ {
			full[j*n+i], full[i*n+j] = lower[0], lower[0]
			lower = lower[1:]
		}
	}
	return full
}

// parseValues parses the lines of an array file.
func (p *mtxReader[F]) parseValues(c *chunk[mtxCells[F]]) {
	out, text := &c.out, c.text
	out.reset()
	for i := 0; i < len(text); i++ {
		i = skipBlanks(text, i)
		if text[i] == '\n' {
			continue
		}
		if text[i] == '%' {
			i = lineEnd(text, i)
			continue
		}
		out.entries++
		v, end, ok := scanNumber[F](text, i)
		if !ok || !isSpace(text[end]) {
			c.problem = valueProblem[F](text, i)
			return
		}
		i = skipBlanks(text, end)
		if text[i] != '\n' {
			c.problem = &problem{offset: i, found: quote(fieldAt(text, i)) + " after the value", err: ErrFormat}
			return
		}
		out.vals = append(out.vals, v)
	}
}

// writeMTX writes a CSR matrix as coordinate real general, a dense one as
// array real general. The format has no place for names.
func writeMTX[F matrix.Float](w io.Writer, t *Table[F], _ *WriteOptions) error {
	out := newTextWriter(w)
	switch x := t.X.(type) {
	case *matrix.CSR[F]:
		out.buf = fmt.Appendf(out.buf, "%s matrix coordinate real general\n%d %d %d\n", mtxBanner, x.Rows, x.Cols, x.NNZ())
		for i := range x.Rows {
			cols, vals := x.Row(i)
			for p, j := range cols {
				out.buf = strconv.AppendInt(out.buf, int64(i+1), 10)
				out.buf = append(out.buf, ' ')
				out.buf = strconv.AppendInt(out.buf, int64(j+1), 10)
				out.buf = append(out.buf, ' ')
				out.buf = append(appendNumber(out.buf, vals[p]), '\n')
				out.flush(false)
			}
		}
	case *matrix.Dense[F]:
		out.buf = fmt.Appendf(out.buf, "%s matrix array real general\n%d %d\n", mtxBanner, x.Rows, x.Cols)
		for j := range x.Cols {
			for i := range x.Rows {
				out.buf = append(appendNumber(out.buf, x.At(i, j)), '\n')
				out.flush(false)
			}
		}
	}
	return out.flush(true)
}

// textWriter collects text and writes it in large pieces. Its first error
// stays.
type textWriter struct {
	w   io.Writer
	buf []byte
	err error
}

const textBuffer = 64 << 10

func newTextWriter(w io.Writer) *textWriter {
	return &textWriter{w: w, buf: make([]byte, 0, textBuffer+4<<10)}
}

// flush writes what was collected, unless that is little and more will come.
func (t *textWriter) flush(all bool) error {
	if all || len(t.buf) >= textBuffer {
		if t.err == nil {
			_, t.err = t.w.Write(t.buf)
		}
		t.buf = t.buf[:0]
	}
	return t.err
}
