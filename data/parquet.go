package data

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	thrift "github.com/parquet-go/parquet-go/format"

	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "parquet", about: "Parquet table: columns of numbers, and one of row names", extensions: []string{".parquet", ".pq"},
		sniff:  func(head []byte) bool { return bytes.HasPrefix(head, []byte(parquetMagic)) },
		read32: readParquet[float32], read64: readParquet[float64],
		spool32: spoolParquet[float32], spool64: spoolParquet[float64],
	})
}

const (
	parquetMagic = "PAR1"
	// parquetEncrypted starts a file whose very footer is encrypted.
	parquetEncrypted = "PARE"
)

// readParquet reads a table whose columns are features, or a long one. The column
// that pandas noted as the index, or a first one of text, holds the row names. A null
// is a missing value, NaN.
func readParquet[F matrix.Float](s *source, o *ReadOptions) (t *Table[F], err error) {
	return parquetTable[F](s, o, nil)
}

func spoolParquet[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	if s.file == nil {
		return nil, &Error{Found: "a compressed Parquet file is read in memory only", Hint: "decompress it first", Err: ErrUnsupported}
	}
	return parquetTable(s, o, to)
}

// parquetTable reads a table, the matrix elsewhere unless to is nil.
func parquetTable[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (t *Table[F], err error) {
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte(parquetEncrypted)):
		return nil, &Error{Found: "the Parquet file is encrypted", Hint: "decrypt it first", Err: ErrUnsupported}
	case !bytes.HasPrefix(head, []byte(parquetMagic)):
		return nil, withGuess(malformed("malformed Parquet: it does not start with %s", parquetMagic), head)
	}
	var r io.ReaderAt = s.file
	size := s.size
	if s.file == nil {
		content, err := io.ReadAll(s.r)
		if err != nil {
			return nil, err
		}
		r, size = bytes.NewReader(content), int64(len(content))
	}
	if err := checkParquetEnd(r, size); err != nil {
		return nil, err
	}
	// The library panics at some files that are damaged.
	defer func() {
		if r := recover(); r != nil {
			t, err = nil, parquetError(fmt.Errorf("%v", r))
		}
	}()
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, parquetError(err)
	}
	p := parquetReader[F]{f: f, options: o, size: size, to: to}
	return p.table()
}

// checkParquetEnd tells a file that is cut short from one that is damaged, and
// refuses a description that is longer than the file.
func checkParquetEnd(r io.ReaderAt, size int64) error {
	const endSize = 8 // the length of the description, and the magic
	cut := &Error{Found: "file is cut short: a Parquet file ends in its description, this one before", Hint: "copy, download or save it again", Err: ErrTruncated}
	if size < int64(len(parquetMagic)+endSize) {
		return cut
	}
	var end [endSize]byte
	if _, err := r.ReadAt(end[:], size-endSize); err != nil && err != io.EOF {
		return err
	}
	if string(end[4:]) != parquetMagic {
		return cut
	}
	if length := int64(binary.LittleEndian.Uint32(end[:])); length > size-int64(len(parquetMagic)+endSize) {
		return parquetError(fmt.Errorf("its description takes %d bytes, the file %d", length, size))
	}
	return nil
}

// parquetError puts an error of the codec in the words of this package.
func parquetError(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	return &Error{Found: "malformed or damaged Parquet: " + err.Error(), Hint: "copy, download or save it again", Err: ErrFormat}
}

// parquetReader reads one file.
type parquetReader[F matrix.Float] struct {
	f       *parquet.File
	options *ReadOptions
	size    int64
	to      *elsewhere[F] // nil where the matrix goes into memory
	columns []parquetColumn
}

// parquetColumn is a column and how its values become numbers.
type parquetColumn struct {
	column   *parquet.Column
	text     bool
	unsigned bool
	// divisor is the power of ten by which a decimal number is stored too large.
	divisor float64
	// other says what a column is that is neither numbers nor text.
	other string
}

func (p *parquetReader[F]) table() (*Table[F], error) {
	for _, c := range p.f.Root().Columns() {
		p.columns = append(p.columns, describeColumn(c))
	}
	names := p.indexColumn()
	long, is, err := p.longColumns(names)
	if err != nil {
		return nil, err
	}
	if is {
		return p.long(long)
	}
	if names < 0 && len(p.columns) > 0 && p.columns[0].text {
		names = 0
	}
	t := &Table[F]{}
	var features []int
	for j, c := range p.columns {
		switch {
		case j == names:
			continue
		case c.text || c.other != "":
			what := c.other
			if c.text {
				what = "text"
			}
			hint := "leave such columns out; only a first column of text, or the index of pandas, may hold row names"
			if len(p.columns) == 3 && c.text && j < 2 && p.columns[2].isNumber() {
				hint += "; or say --long where each row is a cell: row, column and value"
			}
			return nil, &Error{Found: fmt.Sprintf("column %s is %s, not numbers", quote(c.column.Name()), what), Hint: hint, Err: ErrUnsupported}
		}
		t.ColumnNames = append(t.ColumnNames, c.column.Name())
		features = append(features, j)
	}
	if len(features) == 0 {
		return nil, &Error{Found: "the Parquet file has no column of numbers", Err: ErrUnsupported}
	}
	rows, err := p.checkRows(len(features))
	if err != nil {
		return nil, err
	}
	var x *matrix.Dense[F]
	var add func(vals []F) error
	switch {
	case p.to == nil:
		x = matrix.NewDense[F](rows, len(features))
		t.X = x
	default:
		t.X = dims[F](rows, len(features))
		if !p.to.found(Shape{Rows: rows, Columns: len(features), Stored: rows * len(features)}) {
			t.ColumnNames = nil
			return t, nil
		}
		add = p.to.b.Dense(false, len(features))
	}
	if names >= 0 {
		t.RowNames = make([]string, 0, min(rows, int(p.size)))
	}
	first := 0
	for _, group := range p.f.RowGroups() {
		chunks, end := group.ColumnChunks(), first+int(group.NumRows())
		if len(chunks) != len(p.columns) {
			return nil, malformed("a row group has %s, the table %d", count(len(chunks), "column"), len(p.columns))
		}
		if p.to != nil {
			err = p.groupElsewhere(chunks, features, first, end, add)
		}
		for to, j := range features {
			if p.to == nil && err == nil {
				err = p.numbers(chunks[j], &p.columns[j], x, to, 0, first, end)
			}
		}
		if err != nil {
			return nil, err
		}
		if names >= 0 {
			if t.RowNames, err = p.names(chunks[names], &p.columns[names], t.RowNames, end); err != nil {
				return nil, err
			}
		}
		first = end
	}
	return t, nil
}

// groupElsewhere hands on the rows of a group, which the file has column by
// column.
func (p *parquetReader[F]) groupElsewhere(chunks []parquet.ColumnChunk, features []int, first, end int, rows func(vals []F) error) error {
	if first == end {
		return nil
	}
	column := matrix.NewDense[F](end-first, 1)
	add, done := p.to.b.Lot(end-first, len(features), rows)
	for _, j := range features {
		if err := p.numbers(chunks[j], &p.columns[j], column, 0, first, first, end); err != nil {
			return err
		}
		if err := add(column.Data); err != nil {
			return err
		}
	}
	return done()
}

// describeColumn finds out what a column holds.
func describeColumn(c *parquet.Column) parquetColumn {
	p := parquetColumn{column: c, divisor: 1}
	if !c.Leaf() || c.Repeated() {
		p.other = "nested"
		return p
	}
	kind := c.Type().Kind()
	p.text = kind == parquet.ByteArray
	if kind == parquet.Int96 || kind == parquet.FixedLenByteArray {
		p.other = strings.ToLower(c.Type().String())
	}
	logical := c.Type().LogicalType()
	if logical == nil {
		return p
	}
	switch l := logical.Value.(type) {
	case *thrift.StringType, *thrift.EnumType:
	case *thrift.IntType:
		p.unsigned = !l.IsSigned
	case *thrift.DecimalType:
		if p.text || p.other != "" {
			p.text, p.other = false, "decimals of any length"
			break
		}
		p.divisor = math.Pow(10, float64(l.Scale))
	default:
		p.text, p.other = false, strings.ToLower(logical.String())
	}
	return p
}

// indexColumn gives the column that pandas noted as the index of the rows, -1 where
// there is none.
func (p *parquetReader[F]) indexColumn() int {
	if text, ok := p.f.Lookup("pandas"); ok {
		var about struct {
			IndexColumns []any `json:"index_columns"`
		}
		// Where this is not as pandas writes it, the columns tell.
		if json.Unmarshal([]byte(text), &about) == nil && len(about.IndexColumns) == 1 {
			if name, ok := about.IndexColumns[0].(string); ok {
				j := slices.IndexFunc(p.columns, func(c parquetColumn) bool { return c.column.Name() == name })
				if j >= 0 && p.columns[j].other == "" {
					return j
				}
			}
		}
	}
	return -1
}

// checkRows gives the number of rows. It refuses one that is out of all
// proportion to the size of the file: nothing is allocated on its word.
func (p *parquetReader[F]) checkRows(cols int) (int, error) {
	const always, perByte = 64 << 20, 4096
	rows := int64(0)
	for _, group := range p.f.RowGroups() {
		n := group.NumRows()
		if n < 0 || n > math.MaxInt32 || rows+n > matrix.MaxDim {
			return 0, checkDims(matrix.MaxDim+1, cols)
		}
		rows += n
	}
	if err := checkDims(int(rows), cols); err != nil {
		return 0, err
	}
	if need := rows * int64(cols) * int64(unsafe.Sizeof(F(0))); need > always && need/perByte > p.size {
		return 0, &Error{
			Found: fmt.Sprintf("the Parquet file promises %d x %d cells in %d bytes", rows, cols, p.size), Err: ErrFormat,
		}
	}
	return int(rows), nil
}

// each calls do with the values of a part of a column, some at a time.
func (p *parquetReader[F]) each(chunk parquet.ColumnChunk, do func([]parquet.Value) error) (err error) {
	pull := &parquetPull{pages: chunk.Pages()}
	defer func() { err = errors.Join(err, pull.close()) }()
	for {
		switch err := pull.fill(); {
		case err == io.EOF:
			return nil
		case err != nil:
			return parquetError(err)
		}
		if err := do(pull.left); err != nil {
			return err
		}
		pull.left = nil
	}
}

// numbers reads a part of a column, from row first to end, into column j of x,
// whose row 0 is row `base`.
func (p *parquetReader[F]) numbers(chunk parquet.ColumnChunk, c *parquetColumn, x *matrix.Dense[F], j, base, first, end int) error {
	i := first
	err := p.each(chunk, func(values []parquet.Value) error {
		if len(values) > end-i {
			return c.wrongLength(i+len(values)-first, end-first)
		}
		for _, v := range values {
			cell, err := cellOf[F](c, i, v)
			if err != nil {
				return err
			}
			x.Set(i-base, j, cell)
			i++
		}
		return nil
	})
	if err == nil && i != end {
		err = c.wrongLength(i-first, end-first)
	}
	return err
}

func (c *parquetColumn) wrongLength(got, want int) error {
	return malformed("column %s: a row group of %s has %s", quote(c.column.Name()), count(want, "row"), count(got, "value"))
}

// cellOf is the number that row i of a column holds.
func cellOf[F matrix.Float](c *parquetColumn, i int, v parquet.Value) (F, error) {
	number, err := c.number(v)
	cell := F(number)
	if err == nil && math.IsInf(float64(cell), 0) && !math.IsInf(number, 0) {
		err = &Error{
			Found: fmt.Sprintf("row %d, column %s: %v is beyond the range of float32", i+1, quote(c.column.Name()), number),
			Hint:  "use --precision f64", Err: ErrUnsupported,
		}
	}
	return cell, err
}

// number converts a value; a null is NaN.
func (c *parquetColumn) number(v parquet.Value) (float64, error) {
	switch {
	case v.IsNull():
		return math.NaN(), nil
	case v.Kind() == parquet.Boolean:
		if v.Boolean() {
			return 1, nil
		}
		return 0, nil
	case v.Kind() == parquet.Int32 && c.unsigned:
		return float64(v.Uint32()), nil
	case v.Kind() == parquet.Int32:
		return float64(v.Int32()) / c.divisor, nil
	case v.Kind() == parquet.Int64 && c.unsigned:
		return float64(v.Uint64()), nil
	case v.Kind() == parquet.Int64:
		return float64(v.Int64()) / c.divisor, nil
	case v.Kind() == parquet.Float:
		return float64(v.Float()), nil
	case v.Kind() == parquet.Double:
		return v.Double(), nil
	}
	return 0, malformed("column %s: a value of type %s", quote(c.column.Name()), v.Kind())
}

// names appends a part of the column of row names.
func (p *parquetReader[F]) names(chunk parquet.ColumnChunk, c *parquetColumn, list []string, end int) ([]string, error) {
	from := len(list)
	err := p.each(chunk, func(values []parquet.Value) error {
		if len(list)+len(values) > end {
			return c.wrongLength(len(list)+len(values)-from, end-from)
		}
		for _, v := range values {
			name := ""
			if !v.IsNull() {
				name = strings.ToValidUTF8(v.String(), "\ufffd")
			}
			list = append(list, name)
		}
		return nil
	})
	if err == nil && len(list) != end {
		err = c.wrongLength(len(list)-from, end-from)
	}
	return list, err
}
