package data

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "list", about: "list of cells, such as ratings: row, column, value, time; a line each",
		read32: readList[float32], read64: readList[float64],
	})
}

// readList reads a list of cells into a sparse matrix: a line is user, item and
// value, or what else names a row, a column and the cell; what follows, such as
// a time, is left out. Rows and columns are in the order in which their names
// first appear. A cell given twice is an error. Stored zeros stay: they were
// rated, unlike cells that are not in the list.
func readList[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	p := listReader[F]{options: *o, users: map[string]int32{}, items: map[string]int32{}}
	start, err := p.sniff(s)
	if err != nil {
		return nil, err
	}
	if err := p.read(io.MultiReader(bytes.NewReader(start), s.r)); err != nil {
		return nil, err
	}
	return p.table()
}

// listReader reads one list.
type listReader[F matrix.Float] struct {
	options   ReadOptions
	delimiter delimiter
	// colons says that "::" separates the fields, as in the MovieLens sets.
	colons bool
	// fields is how many each line has, line the number of the first one.
	fields, line int
	header       bool

	users, items         map[string]int32
	userNames, itemNames []string
	rows, cols           []int32
	vals                 []F
	lines                []uint32
}

// listLines is what one chunk holds.
type listLines[F matrix.Float] struct {
	vals []F
	// text collects the names of users and items in turn, ends where each ends.
	text []byte
	ends []int
	// lines counts from the chunk's first line.
	lines []uint32
}

const (
	listFields = 3
	// listComments start lines before the first other one that are passed over.
	listComments = "#%"
)

// sniff finds out how the list is laid out, and gives what it read of it from
// the first line of data on.
func (p *listReader[F]) sniff(s *source) (start []byte, err error) {
	told, err := toldDelimiter(p.options.Delimiter)
	if err != nil {
		return nil, err
	}
	first, err := p.nextLine(s)
	if err != nil {
		return nil, err
	}
	first = bytes.TrimPrefix(first, []byte("\xef\xbb\xbf"))
	if err := checkText(first); err != nil {
		return nil, err
	}
	p.delimiter, p.colons = told, told == 0 && bytes.Contains(first, []byte("::"))
	if told == 0 {
		p.delimiter = blanks
		for _, d := range []delimiter{'\t', ',', ';', '|'} {
			if bytes.IndexByte(first, byte(d)) >= 0 {
				p.delimiter = d
				break
			}
		}
	}
	fields, q := p.split(first, 0)
	if q != nil {
		return nil, &Error{Line: p.line, Found: q.found, Hint: q.hint, Err: q.err}
	}
	p.fields = len(fields)
	if p.fields < listFields {
		return nil, &Error{Line: p.line, Found: fmt.Sprintf("the line has %s", count(p.fields, "field")), Hint: "a list has row, column and value in each line", Err: ErrFormat}
	}
	p.header = p.options.Header == Yes || p.options.Header == Auto && isText(fields[2])
	if !p.header {
		return first, nil
	}
	p.line++
	return nil, nil
}

// nextLine gives the first line that is neither blank nor a comment.
func (p *listReader[F]) nextLine(s *source) ([]byte, error) {
	for p.line = 1; ; p.line++ {
		text, err := readLine(s.r, maxHeaderLine)
		if err == io.EOF {
			return nil, &Error{Found: "there is no line of data", Err: ErrFormat}
		}
		if err != nil {
			return nil, &Error{Line: p.line, Found: err.Error(), Err: ErrFormat}
		}
		line := bytes.TrimSpace([]byte(text))
		if len(line) > 0 && bytes.IndexByte([]byte(listComments), line[0]) < 0 {
			if text[len(text)-1] != '\n' {
				text += "\n"
			}
			return []byte(text), nil
		}
	}
}

// split gives the fields of the record at i; text ends in a newline.
func (p *listReader[F]) split(text []byte, i int) (fields []csvField, q *problem) {
	if !p.colons {
		return p.delimiter.record(text, i, nil)
	}
	end := lineEnd(text, i)
	for {
		f := csvField{last: true, end: end}
		if n := bytes.Index(text[i:end], []byte("::")); n >= 0 {
			f.last, f.end = false, i+n+1
		}
		f.text = bytes.TrimSpace(bytes.TrimSuffix(text[i:f.end], []byte(":")))
		if f.last {
			f.text = bytes.TrimSpace(text[i:end])
		}
		fields = append(fields, f)
		if f.last {
			return fields, nil
		}
		i = f.end + 1
	}
}

// read parses all lines of data.
func (p *listReader[F]) read(r io.Reader) error {
	c := chunks[listLines[F]]{r: r, threads: p.options.Threads, line: p.line, whole: wholeLines, parse: p.parse, collect: p.collect}
	if !p.colons {
		c.whole = p.delimiter.wholeRecords
	}
	_, err := c.run()
	return err
}

func (p *listReader[F]) parse(c *chunk[listLines[F]]) {
	out, text := &c.out, c.text
	*out = listLines[F]{vals: out.vals[:0], text: out.text[:0], ends: out.ends[:0], lines: out.lines[:0]}
	line := uint32(0)
	for i := 0; i < len(text); i++ {
		if at := p.delimiter.recordStart(text, i); text[at] == '\n' {
			i = at
			line++
			continue
		}
		fields, q := p.split(text, i)
		if q == nil {
			q = p.cell(out, fields)
		}
		if q != nil {
			q.offset = i
			c.problem = q
			return
		}
		out.lines = append(out.lines, line)
		end := fields[len(fields)-1].end
		line += uint32(bytes.Count(text[i:end+1], newline))
		i = end
	}
}

// cell takes the names and the value of a line.
func (p *listReader[F]) cell(out *listLines[F], fields []csvField) *problem {
	if len(fields) != p.fields {
		return &problem{found: fmt.Sprintf("the line has %s, the first line %d", count(len(fields), "field"), p.fields), err: ErrFormat}
	}
	for j, f := range fields[:2] {
		if len(f.text) == 0 {
			return &problem{column: j + 1, found: "the name is empty", err: ErrFormat}
		}
		out.text = append(out.text, f.text...)
		out.ends = append(out.ends, len(out.text))
	}
	v, ok := parseNumber[F](fields[2].text)
	if !ok {
		_, q := judge[F](fields[2].text)
		q.column = listFields
		if q.err == ErrMissing {
			q.hint = "leave the line out: what is not in the list is missing"
		}
		return q
	}
	out.vals = append(out.vals, v)
	return nil
}

func (p *listReader[F]) collect(c *chunk[listLines[F]]) error {
	if q := c.problem; q != nil {
		e := &Error{Line: c.lineAt(q.offset), Column: q.column, Found: q.found, Hint: q.hint, Err: q.err}
		if e.Hint == "" && e.Line == p.line && !p.header {
			e.Hint = "if this line holds names of columns, say --header"
		}
		return e
	}
	from := 0
	for i, v := range c.out.vals {
		user, item := c.out.ends[2*i], c.out.ends[2*i+1]
		row, err := number(p.users, &p.userNames, c.out.text[from:user])
		if err != nil {
			return err
		}
		col, err := number(p.items, &p.itemNames, c.out.text[user:item])
		if err != nil {
			return err
		}
		from = item
		p.rows, p.cols = append(p.rows, row), append(p.cols, col)
		p.vals = append(p.vals, v)
		p.lines = append(p.lines, uint32(c.line)+c.out.lines[i])
	}
	return nil
}

// number gives the number of a name, a new one where it is new.
func number(numbers map[string]int32, names *[]string, name []byte) (int32, error) {
	if n, ok := numbers[string(name)]; ok {
		return n, nil
	}
	n := len(*names)
	if n == matrix.MaxDim {
		return 0, checkDims(matrix.MaxDim+1, 1)
	}
	*names = append(*names, string(name))
	numbers[(*names)[n]] = int32(n)
	return int32(n), nil
}

func (p *listReader[F]) table() (*Table[F], error) {
	if len(p.vals) == 0 {
		return nil, &Error{Found: "there is a header but no line of data", Err: ErrFormat}
	}
	if int64(len(p.vals)) > math.MaxUint32 {
		return nil, &Error{Found: "the list has more than 2³² lines", Hint: "split it", Err: ErrUnsupported}
	}
	x, repeats, err := matrix.FromTriplets(len(p.userNames), len(p.itemNames), p.rows, p.cols, p.vals)
	if err != nil {
		return nil, err
	}
	if repeats > 0 {
		return nil, p.duplicate()
	}
	t := &Table[F]{X: x, RowNames: p.userNames, ColumnNames: p.itemNames}
	if p.fields > listFields {
		t.addNote(fmt.Sprintf("the fields after the third of each line were left out (%d)", p.fields-listFields))
	}
	return t, nil
}

// duplicate names the first cell that is in the list twice.
func (p *listReader[F]) duplicate() error {
	seen := make(map[[2]int32]uint32, len(p.vals))
	for i, line := range p.lines {
		cell := [2]int32{p.rows[i], p.cols[i]}
		if before, ok := seen[cell]; ok {
			return &Error{
				Line: int(line), Found: fmt.Sprintf("%s and %s stand in line %d already", quote(p.userNames[cell[0]]), quote(p.itemNames[cell[1]]), before),
				Hint: "keep one line of each pair", Err: ErrFormat,
			}
		}
		seen[cell] = line
	}
	return nil
}
