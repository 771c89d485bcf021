package data

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "csv", about: "text table, comma or semicolon separated", extensions: []string{".csv"},
		guess:  func(head []byte) bool { d, ok := guessTable(head); return ok && d != '\t' && d != blanks },
		read32: readCSV[float32], read64: readCSV[float64],
		spool32: spoolCSV[float32], spool64: spoolCSV[float64],
		write32: writeCSV[float32], write64: writeCSV[float64], byRows: true,
	})
	register(&format{
		name: "tsv", about: "text table, tab or space separated", extensions: []string{".tsv", ".tab", ".txt", ".dat"},
		guess:  func(head []byte) bool { d, ok := guessTable(head); return ok && (d == '\t' || d == blanks) },
		read32: readTSV[float32], read64: readTSV[float64],
		spool32: spoolTSV[float32], spool64: spoolTSV[float64],
		write32: writeTSV[float32], write64: writeTSV[float64], byRows: true,
	})
}

// readCSV reads a text table with RFC 4180 quoting into a dense matrix. What
// the options leave open is found out from the first lines; see tableSniffer.
func readCSV[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	return readText[F](s, o, ',')
}

func readTSV[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	return readText[F](s, o, '\t')
}

func readText[F matrix.Float](s *source, o *ReadOptions, preferred byte) (*Table[F], error) {
	p := csvReader[F]{r: s.r, size: s.size, options: *o, preferred: preferred}
	return p.table()
}

// csvReader reads one text table.
type csvReader[F matrix.Float] struct {
	r         io.Reader
	size      int64 // of the content, -1 where unknown
	options   ReadOptions
	preferred byte // the delimiter where the content fits several
	chunk     int  // bytes a chunk; 0 is the default
	layout    csvLayout
	seen      int64         // bytes of records parsed
	to        *elsewhere[F] // nil where the matrix goes into memory
	// started says that a record of a stream of rows has been read.
	started bool
}

// csvLayout is how a text table is laid out.
type csvLayout struct {
	delimiter delimiter
	// header and rowNames say that there are column names and row names.
	header, rowNames bool
	columnNames      []string
	// fields is how many fields a record has, its name included.
	fields int
	// start and line are where the first record of data is.
	start, line int
	notes       []string
}

func (p *csvReader[F]) table() (*Table[F], error) {
	told, err := toldDelimiter(p.options.Delimiter)
	if err != nil {
		return nil, err
	}
	sample, err := p.sniff(told)
	if err != nil {
		return nil, err
	}
	r := io.MultiReader(bytes.NewReader(sample[p.layout.start:]), p.r)
	if p.to != nil {
		return p.elsewhereRecords(sample, r)
	}
	var vals []F
	var names []string
	if p.layout.rowNames {
		names = []string{}
	}
	err = p.records(r, func(more []F, named []string) error {
		vals = extend(vals, more, p.expected(len(vals)+len(more)))
		names = append(names, named...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	cols := p.layout.fields
	if p.layout.rowNames {
		cols--
	}
	x, err := matrix.FromSlice(len(vals)/cols, cols, vals)
	if err != nil {
		return nil, err
	}
	return &Table[F]{X: x, RowNames: names, ColumnNames: p.layout.columnNames, Notes: p.layout.notes}, nil
}

func toldDelimiter(r rune) (delimiter, error) {
	if r == 0 {
		return 0, nil
	}
	if r < ' ' && r != '\t' || r > '~' || strings.ContainsRune("\"'.+-#_", r) ||
		'0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z' {
		return 0, &Error{Found: fmt.Sprintf("%q cannot separate fields", r), Hint: "use a comma, semicolon, tab, bar or space", Err: ErrUnsupported}
	}
	return delimiter(r), nil
}

// sniff reads as much as it takes to find the layout, and gives what it read.
func (p *csvReader[F]) sniff(told delimiter) (sample []byte, err error) {
	size := p.chunk
	if size <= 0 {
		size = defaultChunk
	}
	for want := size; ; want *= 2 {
		sample, err = fill(p.r, sample, want, nil)
		ended := err == io.EOF
		if err != nil && !ended {
			return nil, err
		}
		if ended && len(sample) > 0 && sample[len(sample)-1] != '\n' {
			sample = append(sample, '\n')
		}
		s := tableSniffer{text: sample, ended: ended, told: told, preferred: p.preferred, options: p.options}
		enough, err := s.run(&p.layout)
		if err != nil || enough {
			return sample, err
		}
	}
}

// csvRows is what one chunk holds.
type csvRows[F matrix.Float] struct {
	vals  []F
	names []string
	// text collects the names of a chunk, for one allocation, ends where each
	// ends.
	text []byte
	ends []int
}

// records parses all records of data and hands them on in order.
func (p *csvReader[F]) records(r io.Reader, take func(vals []F, names []string) error) error {
	c := chunks[csvRows[F]]{
		r: r, threads: p.options.Threads, size: p.chunk, line: p.layout.line,
		whole: p.layout.delimiter.wholeRecords, parse: p.parseRecords,
	}
	c.collect = func(c *chunk[csvRows[F]]) error {
		if c.problem != nil {
			return p.problemError(c.problem, c.lineAt(c.problem.offset))
		}
		p.seen += int64(len(c.text))
		return take(c.out.vals, c.out.names)
	}
	_, err := c.run()
	return err
}

// expected is how many values the file will have held, going by those in the
// part seen so far: 2 percent more, but never more than it has room for.
func (p *csvReader[F]) expected(vals int) int {
	if p.size < p.seen || p.seen == 0 {
		return 0
	}
	return int(min(float64(vals)*float64(p.size)/float64(p.seen)*1.02, float64(p.size/2+1)))
}

// problemError puts a problem in the words of the table.
func (p *csvReader[F]) problemError(q *problem, line int) error {
	e := &Error{Line: line, Column: q.column, Found: q.found, Hint: q.hint, Err: q.err}
	at := q.column - 1
	if p.layout.rowNames {
		at--
	}
	if p.layout.columnNames != nil && 0 <= at && at < len(p.layout.columnNames) && q.column > 0 {
		e.Found += fmt.Sprintf(" (column %s)", quote(p.layout.columnNames[at]))
	}
	if e.Hint == "" && line == p.layout.line && !p.layout.header {
		e.Hint = "if this line holds column names, say that there is a header"
	}
	return e
}

// parseRecords parses the records of a chunk.
func (p *csvReader[F]) parseRecords(c *chunk[csvRows[F]]) {
	out, d, text := &c.out, p.layout.delimiter, c.text
	out.vals, out.names, out.text, out.ends = out.vals[:0], out.names[:0], out.text[:0], out.ends[:0]
	for i := 0; i < len(text); i++ {
		if i = d.recordStart(text, i); text[i] == '\n' {
			continue
		}
		if i = p.parseRecord(c, i); c.problem != nil {
			return
		}
	}
	all := string(out.text)
	from := 0
	for _, to := range out.ends {
		out.names = append(out.names, all[from:to])
		from = to
	}
}

// parseRecord parses the record at i and gives the index of the newline that
// ends it.
func (p *csvReader[F]) parseRecord(c *chunk[csvRows[F]], i int) int {
	out, d, text := &c.out, p.layout.delimiter, c.text
	start, column, last := i, 1, false
	if p.layout.rowNames {
		f, q := d.field(text, i)
		if q != nil {
			q.column = 1
			c.problem = q
			return i
		}
		out.text = append(out.text, f.text...)
		out.ends = append(out.ends, len(out.text))
		i, last = f.end+1, f.last
		column++
	}
	for ; column <= p.layout.fields && !last; column++ {
		if text[i] == ' ' {
			i++
		}
		v, end, ok := scanNumber[F](text, i)
		if ok {
			switch b := text[end]; {
			case b == byte(d) && d != blanks:
			case b == '\n':
				last = true
			default:
				end, last, ok = d.fieldEnd(text, end)
			}
		}
		if !ok {
			f, q := d.field(text, i)
			if q == nil {
				switch v, ok = parseNumber[F](f.text); {
				case ok:
				case p.options.Missing.takes(f.text):
					v = F(math.NaN())
				default:
					_, q = judge[F](f.text)
					q.offset = i
				}
			}
			if q != nil {
				q.column = column
				c.problem = p.raggedOr(q, text, start)
				return i
			}
			end, last = f.end, f.last
		}
		out.vals = append(out.vals, v)
		i = end + 1
	}
	if !last || column <= p.layout.fields {
		c.problem = p.raggedOr(nil, text, start)
	}
	return i - 1
}

// raggedOr reports a record with a wrong number of fields; a record with the
// right one has problem q.
func (p *csvReader[F]) raggedOr(q *problem, text []byte, start int) *problem {
	fields, tokenProblem := p.layout.delimiter.record(text, start, nil)
	if tokenProblem != nil {
		return tokenProblem
	}
	if len(fields) == p.layout.fields {
		return q
	}
	whole := "the first line"
	if p.layout.header {
		whole = "the header"
	}
	return &problem{
		offset: start, err: ErrFormat, found: fmt.Sprintf("the line has %s, where %s makes it %d", count(len(fields), "field"), whole, p.layout.fields),
	}
}

// delimiter is the byte between fields; blanks stands for runs of spaces and
// tabs.
type delimiter byte

const blanks delimiter = ' '

// csvField is one field of a record.
type csvField struct {
	// text is the content: of a quoted field what is between the quotes, of
	// others without blanks around it.
	text   []byte
	quoted bool
	// end is the index before the start of the next field; last says that
	// there is none, and the newline is at end.
	end  int
	last bool
}

// isPadding says whether b around a field is no part of it.
func (d delimiter) isPadding(b byte) bool {
	return (b == ' ' || b == '\t' || b == '\r') && (b != byte(d) || d == blanks)
}

// recordStart gives the start of the first field of the record at i, or the
// newline of a blank line.
func (d delimiter) recordStart(text []byte, i int) int {
	j := i
	for d.isPadding(text[j]) {
		j++
	}
	if text[j] == '\n' {
		return j
	}
	for d == blanks && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	return i
}

// field reads the field at i.
func (d delimiter) field(text []byte, i int) (f csvField, q *problem) {
	for d != blanks && d.isPadding(text[i]) && text[i] != '\r' {
		i++
	}
	if text[i] == '"' {
		return d.quotedField(text, i)
	}
	end := i
	for text[end] != '\n' && text[end] != byte(d) && !(d == blanks && text[end] == '\t') {
		end++
	}
	for end > i && d.isPadding(text[end-1]) {
		end--
	}
	f.text = text[i:end]
	f.end, f.last, _ = d.fieldEnd(text, end)
	return f, nil
}

// quotedField reads the field whose opening quote is at open.
func (d delimiter) quotedField(text []byte, open int) (f csvField, q *problem) {
	end, doubled := closingQuote(text, open)
	if end < 0 {
		return f, &problem{offset: open, found: "the quote that opens a field here is never closed", err: ErrFormat}
	}
	f.quoted = true
	f.text = text[open+1 : end]
	if doubled {
		f.text = bytes.ReplaceAll(f.text, []byte(`""`), []byte(`"`))
	}
	var ok bool
	if f.end, f.last, ok = d.fieldEnd(text, end+1); !ok {
		return f, &problem{offset: end, found: "there is text after a closing quote", hint: "a quote within a quoted field is written twice", err: ErrFormat}
	}
	return f, nil
}

// closingQuote gives the index of the quote that closes the one at open, or
// -1, and whether there are doubled quotes between.
func closingQuote(text []byte, open int) (end int, doubled bool) {
	for i := open + 1; ; i += 2 {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return -1, doubled
		}
		i += n
		if i+1 == len(text) || text[i+1] != '"' {
			return i, doubled
		}
		doubled = true
	}
}

// fieldEnd looks from the end of a field's text for what ends the field. ok is
// false where there is more text.
func (d delimiter) fieldEnd(text []byte, i int) (end int, last, ok bool) {
	start := i
	for d.isPadding(text[i]) {
		i++
	}
	switch {
	case text[i] == '\n':
		return i, true, true
	case d == blanks:
		return i - 1, false, text[start] == ' ' || text[start] == '\t'
	}
	return i, false, text[i] == byte(d)
}

// record appends the fields of the record at i to fields. The problem is one
// of quoting.
func (d delimiter) record(text []byte, i int, fields []csvField) ([]csvField, *problem) {
	i = d.recordStart(text, i)
	for {
		f, q := d.field(text, i)
		if q != nil {
			q.column = len(fields) + 1
			return fields, q
		}
		fields = append(fields, f)
		if f.last {
			return fields, nil
		}
		i = f.end + 1
	}
}

// wholeRecords gives the length of the whole records that text starts with: up
// to the last newline that is not within quotes.
func (d delimiter) wholeRecords(text []byte) int {
	whole, i := 0, 0
	for {
		n := bytes.IndexByte(text[i:], '"')
		plain := text[i:]
		if n >= 0 {
			plain = text[i : i+n]
		}
		if at := bytes.LastIndexByte(plain, '\n'); at >= 0 {
			whole = i + at + 1
		}
		if n < 0 {
			return whole
		}
		i += n
		if d.opens(text, i) {
			end, _ := closingQuote(text, i)
			if end < 0 {
				return whole
			}
			i = end
		}
		i++
	}
}

// opens says whether the quote at i is the start of a field, as field has it.
func (d delimiter) opens(text []byte, i int) bool {
	for i--; i >= 0 && d != blanks && d.isPadding(text[i]) && text[i] != '\r'; i-- {
	}
	return i < 0 || text[i] == '\n' || text[i] == byte(d) || d == blanks && text[i] == '\t'
}

func writeCSV[F matrix.Float](w io.Writer, t *Table[F], _ *WriteOptions) error {
	return writeText(w, t, ',')
}

func writeTSV[F matrix.Float](w io.Writer, t *Table[F], _ *WriteOptions) error {
	return writeText(w, t, '\t')
}

// writeText writes a table: a header where there are column names, a first
// column where there are row names, numbers in the fewest digits that read
// back the same.
func writeText[F matrix.Float](w io.Writer, t *Table[F], delimiter byte) error {
	rows, cols := t.X.Dims()
	if rows == 0 || cols == 0 {
		return &Error{Found: fmt.Sprintf("a %d x %d matrix has no cell to write in a text table", rows, cols), Err: ErrUnsupported}
	}
	out := newTextWriter(w)
	if t.ColumnNames != nil {
		for j, name := range t.ColumnNames {
			if j > 0 || t.RowNames != nil {
				out.buf = append(out.buf, delimiter)
			}
			out.buf = appendName(out.buf, name, delimiter)
		}
		out.buf = append(out.buf, '\n')
	}
	err := eachDenseRow(t.X, func(i int, row []F) error {
		if t.RowNames != nil {
			out.buf = append(appendName(out.buf, t.RowNames[i], delimiter), delimiter)
		}
		for j, v := range row {
			if j > 0 {
				out.buf = append(out.buf, delimiter)
			}
			out.buf = appendNumber(out.buf, v)
			out.flush(false)
		}
		out.buf = append(out.buf, '\n')
		return nil
	})
	if err != nil {
		return err
	}
	return out.flush(true)
}

// eachDenseRow calls do for every row in order, with its zeros.
func eachDenseRow[F matrix.Float](x matrix.Matrix[F], do func(i int, row []F) error) error {
	rows, cols := x.Dims()
	switch x := x.(type) {
	case *matrix.Dense[F]:
		for i := range rows {
			if err := do(i, x.Row(i)); err != nil {
				return err
			}
		}
	case *matrix.CSR[F]:
		row := make([]F, cols)
		for i := range rows {
			clear(row)
			idx, vals := x.Row(i)
			for p, j := range idx {
				row[j] = vals[p]
			}
			if err := do(i, row); err != nil {
				return err
			}
		}
	case *matrix.Streamed[F]:
		const cells = 1 << 18
		step := min(max(1, cells/cols), rows)
		block := make([]F, step*cols)
		for first := 0; first < rows; first += step {
			part := block[:min(step, rows-first)*cols]
			if err := x.Read(first, part); err != nil {
				return err
			}
			for i := 0; i*cols < len(part); i++ {
				if err := do(first+i, part[i*cols:(i+1)*cols]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// appendName writes a name, quoted where it would not read back as this name:
// where it holds what means something, and where it could pass for a number or
// a missing value.
func appendName(b []byte, name string, delimiter byte) []byte {
	plain := !strings.ContainsAny(name, "\"\r\n\t") && strings.IndexByte(name, delimiter) < 0 &&
		!strings.HasPrefix(name, "#") && strings.Trim(name, " ") == name
	if plain {
		if kind, _ := judge[float64]([]byte(name)); kind == textKind {
			return append(b, name...)
		}
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(name, `"`, `""`)...)
	return append(b, '"')
}
