package signatures

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Read reads a catalogue or a table of signatures: samples or signatures x the
// 96 channels, in the order of Channels whatever that of the file is.
//
// A table of text has its channels in a line or in a column, in one of the ways
// of ParseChannel, or in two columns, of substitutions and of contexts. Other
// formats that hold names are read as package data does. Errors are *data.Error
// around recipe.ErrInput or a sentinel of data, and *nmf.CellError.
func Read[F matrix.Float](path string, o *data.ReadOptions) (*data.Table[F], error) {
	if o == nil {
		o = new(data.ReadOptions)
	}
	if !isText(path, o.Format) {
		return readMatrix[F](path, o)
	}
	r, err := data.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readText[F](r, nameOf(path), o.Delimiter)
}

func nameOf(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// isText says that a file is a table of text, by its format or name.
func isText(path, format string) bool {
	switch format {
	case "csv", "tsv":
		return true
	case "":
	default:
		return false
	}
	for {
		switch ext := strings.ToLower(filepath.Ext(path)); ext {
		case ".gz", ".zst", ".bz2":
			path = strings.TrimSuffix(path, filepath.Ext(path))
		case ".npy", ".npz", ".mtx", ".mat", ".h5", ".hdf5", ".hdf", ".h5ad":
			return false
		default:
			return true
		}
	}
}

// readMatrix reads a matrix whose names are channels.
func readMatrix[F matrix.Float](path string, o *data.ReadOptions) (*data.Table[F], error) {
	t, err := data.Read[F](path, o)
	if err != nil {
		return nil, err
	}
	x := dense(t.X)
	if countChannels(t.RowNames) > countChannels(t.ColumnNames) {
		x, t.RowNames, t.ColumnNames = x.T(), t.ColumnNames, t.RowNames
	}
	p := placing{file: nameOf(path), what: "column"}
	for j, name := range t.ColumnNames {
		if err := p.put(name, 0, j); err != nil {
			return nil, err
		}
	}
	if err := p.complete(len(t.ColumnNames)); err != nil {
		return nil, err
	}
	out := matrix.NewDense[F](x.Rows, NChannels)
	for i := range x.Rows {
		for c, j := range p.at {
			v := x.At(i, j)
			if v < 0 {
				return nil, &nmf.CellError{Row: i, Column: j, RowName: nameAt(t.RowNames, i), ColumnName: Channels[c], Value: float64(v), Err: nmf.ErrNegative}
			}
			out.Set(i, c, v)
		}
	}
	return &data.Table[F]{X: out, RowNames: t.RowNames, ColumnNames: slices.Clone(Channels[:]), Format: t.Format, Notes: t.Notes}, nil
}

func dense[F matrix.Float](x matrix.Matrix[F]) *matrix.Dense[F] {
	if s, sparse := x.(*matrix.CSR[F]); sparse {
		return s.Dense()
	}
	return x.(*matrix.Dense[F])
}

func nameAt(names []string, i int) string {
	if names == nil {
		return ""
	}
	return names[i]
}

func countChannels(names []string) int {
	n := 0
	for _, name := range names {
		if _, ok := ParseChannel(name); ok {
			n++
		}
	}
	return n
}

// placing finds the place of every channel in a file.
type placing struct {
	file string
	// what a channel is in the file: a line or a column.
	what  string
	at    [NChannels]int
	found [NChannels]string
	n     int
}

// put notes that a channel stands at a place; line is 0 where there is none.
func (p *placing) put(name string, line, at int) error {
	c, ok := ParseChannel(name)
	if !ok {
		return &data.Error{File: p.file, Line: line, Found: fmt.Sprintf("%q is not one of the 96 channels of single-base substitutions, such as A[C>A]G%s", name, otherKind(name)),
			Hint: "take the " + p.what + " out, or factorize the table as it is with nmf fit --loss kl", Err: recipe.ErrInput}
	}
	if p.found[c] != "" {
		also := ""
		if p.found[c] != name {
			also = fmt.Sprintf(" (as %s and %s)", p.found[c], name)
		}
		return &data.Error{File: p.file, Line: line, Found: fmt.Sprintf("channel %s is there twice%s", Channels[c], also),
			Hint: "a catalogue of 96 channels has each once; add up strands and longer contexts first", Err: recipe.ErrInput}
	}
	p.found[c], p.at[c] = name, at
	p.n++
	return nil
}

// otherKind says what a name is that is a channel of another kind.
func otherKind(name string) string {
	switch {
	case len(name) == 5 && name[2] == '>':
		return " (it is one of the 78 doublets)"
	case strings.Count(name, ":") >= 3 && (strings.Contains(name, "Del") || strings.Contains(name, "Ins")):
		return " (it is one of the 83 insertions and deletions)"
	case len(name) == 9 && name[2] == '[':
		return " (it has a context of five bases)"
	case len(name) == 9 && name[1] == ':':
		return " (it has a strand before it)"
	}
	return ""
}

// complete refuses a catalogue without all channels; n is what it has.
func (p *placing) complete(n int) error {
	if p.n == NChannels {
		return nil
	}
	if n == 0 || p.n == 0 {
		return &data.Error{File: p.file, Found: "no channel of single-base substitutions is named in it",
			Hint: "name the channels as A[C>A]G, in a line or a column", Err: recipe.ErrInput}
	}
	var missing []string
	for c, name := range p.found {
		if name == "" {
			missing = append(missing, Channels[c])
		}
	}
	list := strings.Join(missing[:min(3, len(missing))], ", ")
	if len(missing) > 3 {
		list += ", …"
	}
	return &data.Error{File: p.file, Found: fmt.Sprintf("the catalogue has %d of the 96 channels of single-base substitutions: %s missing", p.n, list+verb(len(missing))),
		Hint: "a channel without mutations is a " + p.what + " of zeros", Err: recipe.ErrInput}
}

func verb(n int) string {
	if n == 1 {
		return " is"
	}
	return " are"
}

// record is a line of a table of text.
type record struct {
	fields []string
	line   int
}

const bom = "\ufeff"

// readText reads a table of text.
func readText[F matrix.Float](r io.Reader, file string, delimiter rune) (*data.Table[F], error) {
	records, err := readRecords(r, file, delimiter)
	if err != nil {
		return nil, err
	}
	if len(records) < 2 {
		return nil, &data.Error{File: file, Found: "the table has no line after its header", Err: data.ErrTruncated}
	}
	if 2*countChannels(records[0].fields) > len(records[0].fields) {
		return channelsInColumns[F](records, file)
	}
	return channelsInLines[F](records, file)
}

// readRecords splits a text into lines of fields.
func readRecords(r io.Reader, file string, delimiter rune) ([]record, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if head, _ := b.Peek(len(bom)); string(head) == bom {
		b.Discard(len(bom))
	}
	head, _ := b.Peek(64 << 10)
	if len(head) == 0 {
		if _, err := b.ReadByte(); err != nil && err != io.EOF {
			return nil, err
		}
		return nil, &data.Error{File: file, Found: "the file is empty", Err: data.ErrTruncated}
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return nil, &data.Error{File: file, Found: "is not a table of text", Hint: "say what it is with --format", Err: data.ErrFormat}
	}
	if delimiter == 0 {
		delimiter = guessDelimiter(head)
	}
	c := csv.NewReader(b)
	c.Comma, c.Comment, c.FieldsPerRecord, c.LazyQuotes = delimiter, '#', -1, true
	var list []record
	for {
		fields, err := c.Read()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				return nil, &data.Error{File: file, Line: parse.Line, Found: parse.Err.Error(), Err: data.ErrFormat}
			}
			return nil, err
		}
		line, _ := c.FieldPos(0)
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		list = append(list, record{fields, line})
	}
}

// guessDelimiter takes what the first line has most of.
func guessDelimiter(head []byte) rune {
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		if len(bytes.TrimSpace(line)) > 0 && line[0] != '#' {
			best, most := ',', 0
			for _, d := range []rune{'\t', ',', ';'} {
				if n := bytes.Count(line, []byte(string(d))); n > most {
					best, most = d, n
				}
			}
			return best
		}
		head = rest
	}
	return ','
}

// channelsInColumns reads a table of a line a sample.
func channelsInColumns[F matrix.Float](records []record, file string) (*data.Table[F], error) {
	p := placing{file: file, what: "column"}
	header := records[0].fields
	body := records[1:]
	shift := 0
	if len(body[0].fields) == len(header)+1 {
		shift = 1 // R leaves the header of the names out
	}
	label, given := -1, len(header)-countChannels(header)
	if shift == 1 {
		label = 0
	}
	for j, name := range header {
		if _, ok := ParseChannel(name); !ok && label < 0 && given == 1 {
			label = j
			continue
		} else if !ok && label < 0 && j == 0 {
			label = 0
			continue
		}
		if err := p.put(name, records[0].line, j+shift); err != nil {
			return nil, err
		}
	}
	if err := p.complete(len(header)); err != nil {
		return nil, err
	}
	t := newTable[F](len(body))
	for i, r := range body {
		if len(r.fields) != len(header)+shift {
			return nil, wrongWidth(file, r, len(header)+shift)
		}
		name := ""
		if label >= 0 {
			name = r.fields[label]
			t.RowNames = append(t.RowNames, name)
		}
		for c, j := range p.at {
			v, err := number(file, r, j, name, c)
			if err != nil {
				return nil, err
			}
			t.set(i, c, v)
		}
	}
	return t.Table, nil
}

// channelsInLines reads a table of a column a sample.
func channelsInLines[F matrix.Float](records []record, file string) (*data.Table[F], error) {
	header, body := records[0].fields, records[1:]
	width := len(body[0].fields)
	name, labels := channelColumns(body)
	if name == nil {
		return nil, (&placing{file: file}).complete(0)
	}
	p := placing{file: file, what: "line"}
	for i, r := range body {
		if len(r.fields) != width {
			return nil, wrongWidth(file, r, width)
		}
		if err := p.put(name(r.fields), r.line, i); err != nil {
			return nil, err
		}
	}
	if err := p.complete(len(body)); err != nil {
		return nil, err
	}
	shift := width - len(header)
	if shift < 0 || shift > 1 {
		return nil, wrongWidth(file, body[0], len(header))
	}
	if width == labels {
		return nil, &data.Error{File: file, Line: records[0].line, Found: "the table has channels and no sample", Err: recipe.ErrInput}
	}
	t := newTable[F](width - labels)
	for j := labels; j < width; j++ {
		sample := header[j-shift]
		t.RowNames = append(t.RowNames, sample)
		for c, i := range p.at {
			v, err := number(file, body[i], j, sample, c)
			if err != nil {
				return nil, err
			}
			t.set(j-labels, c, v)
		}
	}
	return t.Table, nil
}

// mostLabels bounds the columns before the samples.
const mostLabels = 4

// channelColumns finds how the first columns of a table name channels, and how
// many columns hold no counts.
func channelColumns(body []record) (name func(fields []string) string, labels int) {
	for labels < min(mostLabels, len(body[0].fields)) && !isNumber(body[0].fields[labels]) {
		labels++
	}
	best := 0
	try := func(candidate func([]string) string) {
		n := 0
		for _, r := range body {
			if len(r.fields) >= labels {
				if _, ok := ParseChannel(candidate(r.fields)); ok {
					n++
				}
			}
		}
		if n > best {
			best, name = n, candidate
		}
	}
	for a := range labels {
		try(func(f []string) string { return f[a] })
	}
	for a := range labels {
		for b := range labels {
			if a != b {
				try(func(f []string) string { return f[a] + " " + f[b] })
			}
		}
	}
	return name, labels
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// table is a catalogue that is being filled.
type table[F matrix.Float] struct {
	*data.Table[F]
	x *matrix.Dense[F]
}

func newTable[F matrix.Float](samples int) table[F] {
	x := matrix.NewDense[F](samples, NChannels)
	return table[F]{&data.Table[F]{X: x, ColumnNames: slices.Clone(Channels[:]), Format: "text"}, x}
}

func (t *table[F]) set(i, c int, v float64) { t.x.Set(i, c, F(v)) }

func wrongWidth(file string, r record, want int) error {
	return &data.Error{File: file, Line: r.line, Found: fmt.Sprintf("the line has %d fields, and the table %d", len(r.fields), want), Err: data.ErrFormat}
}

// number reads one cell.
func number(file string, r record, j int, sample string, channel int) (float64, error) {
	text := r.fields[j]
	of := fmt.Sprintf(" (channel %s", Channels[channel])
	if sample != "" {
		of += fmt.Sprintf(", sample %q", sample)
	}
	of += ")"
	e := &data.Error{File: file, Line: r.line, Column: j + 1, Err: data.ErrFormat}
	switch v, err := strconv.ParseFloat(text, 64); {
	case text == "" || strings.EqualFold(text, "NA") || strings.EqualFold(text, "NaN"):
		e.Found, e.Hint, e.Err = "the count is missing"+of, "a channel without mutations has the count 0", data.ErrMissing
	case err != nil || math.IsInf(v, 0) || strings.ContainsAny(text, "xXpP_"):
		e.Found = fmt.Sprintf("%q where a count belongs%s", text, of)
	case v < 0:
		e.Found, e.Err = fmt.Sprintf("%s mutations%s: a catalogue holds counts, of at least 0", text, of), recipe.ErrInput
	default:
		return v, nil
	}
	return 0, e
}

// Counts reports whether every number is whole, which resampling asks for.
func Counts[F matrix.Float](x matrix.Matrix[F]) bool {
	d := dense(x)
	for i := range d.Rows {
		for _, v := range d.Row(i) {
			if v != F(math.Trunc(float64(v))) {
				return false
			}
		}
	}
	return true
}
