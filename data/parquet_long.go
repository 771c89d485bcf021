package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/partsof/nmf/matrix"
)

// A long table has a cell a row: the row, the column and the value of a sparse
// matrix, as data frames have it that were melted, stacked or joined from a
// database.

// longNames are what the three columns of a long table are called, in lower case.
var longNames = [3][]string{
	{"row", "rows", "row_index", "row_idx", "row_id", "i", "sample", "sample_id", "user", "user_id", "userid", "cell", "cell_id", "barcode", "doc", "doc_id", "document", "document_id"},
	{"col", "cols", "column", "columns", "col_index", "col_idx", "col_id", "column_index", "column_id", "j", "feature", "feature_id", "item", "item_id", "itemid", "movie_id", "movieid", "gene", "gene_id", "term", "word"},
	{"value", "values", "val", "v", "x", "data", "count", "counts", "n", "weight", "rating"},
}

// what the three columns of a long table say.
var longSays = [3]string{"the row", "the column", "the value"}

// longColumns gives the columns that hold row, column and value of a long table, and
// reports whether it is one. index is the column that pandas noted as its index, or -1.
func (p *parquetReader[F]) longColumns(index int) (long [3]int, is bool, err error) {
	if p.options.Long == No {
		return long, false, nil
	}
	var all []int
	for j := range p.columns {
		if j != index {
			all = append(all, j)
		}
	}
	if len(all) < len(long) || len(all) > len(long) && p.options.Long != Yes {
		if p.options.Long == Yes {
			err = &Error{Found: fmt.Sprintf("the Parquet table has %s; a long one has three: row, column and value", count(len(all), "column")), Hint: "leave out --long", Err: ErrFormat}
		}
		return long, false, err
	}
	known, keys := 0, true
	var shown [3]string
	for s := range long {
		c := &p.columns[all[s]]
		long[s], shown[s] = all[s], quote(c.column.Name())
		if slices.Contains(longNames[s], strings.ToLower(c.column.Name())) {
			known++
		}
		keys = keys && (s == len(long)-1 && c.isNumber() || s < len(long)-1 && c.isKey())
	}
	switch {
	case p.options.Long == Yes || known == len(long):
	case known == len(long)-1 && keys:
		return long, false, &Error{Found: fmt.Sprintf("the columns %s may be three features, or row, column and value of a cell", strings.Join(shown[:], ", ")),
			Hint: "say --no-long for features, --long for cells", Err: ErrFormat}
	default:
		return long, false, nil
	}
	for s, j := range long {
		c := &p.columns[j]
		if s == len(long)-1 && c.isNumber() || s < len(long)-1 && c.isKey() {
			continue
		}
		wanted := "whole numbers or text"
		if s == len(long)-1 {
			wanted = "numbers"
		}
		return long, false, &Error{Found: fmt.Sprintf("column %s, %s of each cell, does not hold %s", shown[s], longSays[s], wanted),
			Hint: "say --no-long where the columns are features", Err: ErrUnsupported}
	}
	return long, true, nil
}

// isNumber reports whether a column holds numbers.
func (c *parquetColumn) isNumber() bool { return !c.text && c.other == "" }

// isKey reports whether a column holds what rows or columns are called: whole numbers,
// or text.
func (c *parquetColumn) isKey() bool {
	if c.text || c.other != "" {
		return c.text
	}
	kind := c.column.Type().Kind()
	return c.divisor == 1 && (kind == parquet.Int32 || kind == parquet.Int64)
}

// longKey turns the entries of a column into rows or columns of the matrix.
type longKey struct {
	c *parquetColumn
	// side is "row" or "column".
	side string
	// base is what numbers count from.
	base int64
	// size is how many there are so far, least the smallest number.
	size  int
	least int64
	// names are those of a column of text, in the order in which they first appear.
	names []string
	at    map[string]int32
}

// index is the row or column that an entry in row i of the table stands for.
func (k *longKey) index(i int, v parquet.Value) (int32, error) {
	wrong := func(found, hint string) error {
		return &Error{Found: fmt.Sprintf("row %d, column %s: %s", i+1, quote(k.c.column.Name()), found), Hint: hint, Err: ErrFormat}
	}
	if v.IsNull() {
		return 0, wrong("null where the "+k.side+" of a cell belongs", "leave such cells out")
	}
	if k.c.text {
		name := v.ByteArray()
		if at, ok := k.at[string(name)]; ok {
			return at, nil
		}
		if k.size == matrix.MaxDim {
			return 0, checkDims(matrix.MaxDim+1, 1)
		}
		at := int32(k.size)
		k.at[string(name)] = at
		k.names = append(k.names, strings.ToValidUTF8(string(name), "\ufffd"))
		k.size++
		return at, nil
	}
	n := k.number(v)
	switch {
	case n < k.base && k.base > 0 && n >= 0:
		return 0, wrong(fmt.Sprintf("%s %d, where they count from %d", k.side, n, k.base), "leave out --index-base")
	case n < k.base:
		return 0, wrong(fmt.Sprintf("%s %d is below zero", k.side, n), "")
	case n-k.base >= matrix.MaxDim:
		return 0, wrong(fmt.Sprintf("%s %d: a matrix has at most %d", k.side, n, matrix.MaxDim), "number the rows and columns from 0 on, or name them by text")
	}
	k.least = min(k.least, n)
	k.size = max(k.size, int(n-k.base)+1)
	return int32(n - k.base), nil
}

// number is a whole number; one beyond int64 is as good as the largest.
func (k *longKey) number(v parquet.Value) int64 {
	switch {
	case v.Kind() == parquet.Int32 && k.c.unsigned:
		return int64(v.Uint32())
	case v.Kind() == parquet.Int32:
		return int64(v.Int32())
	case k.c.unsigned:
		return int64(min(v.Uint64(), math.MaxInt64))
	}
	return v.Int64()
}

// long reads a long table.
func (p *parquetReader[F]) long(columns [3]int) (*Table[F], error) {
	cells, err := p.checkRows(len(columns))
	if err != nil {
		return nil, err
	}
	var keys [2]*longKey
	for s, side := range [2]string{"row", "column"} {
		keys[s] = &longKey{c: &p.columns[columns[s]], side: side, base: int64(p.options.IndexBase), least: math.MaxInt64, at: map[string]int32{}}
	}
	t := &Table[F]{}
	var others []string
	for j, c := range p.columns {
		if !slices.Contains(columns[:], j) && j != p.indexColumn() {
			others = append(others, quote(c.column.Name()))
		}
	}
	if others != nil {
		t.addNote("columns after the third were left out: " + strings.Join(others, ", "))
	}
	t.addNote(fmt.Sprintf("a long table: each row is a cell, %s, %s and %s", quote(p.columns[columns[0]].column.Name()), quote(p.columns[columns[1]].column.Name()), quote(p.columns[columns[2]].column.Name())))
	if p.to != nil {
		return t, p.longElsewhere(t, columns, keys, cells)
	}
	var rows, cols []int32
	var vals []F
	if err := p.eachCell(columns, keys, true, func(i, j []int32, v []F) error {
		rows, cols, vals = append(rows, i...), append(cols, j...), append(vals, v...)
		return nil
	}); err != nil {
		return nil, err
	}
	if err := finishKeys(t, keys, cells); err != nil {
		return nil, err
	}
	x, repeats, err := matrix.FromTriplets(keys[0].size, keys[1].size, rows, cols, vals)
	if err != nil {
		return nil, err
	}
	t.X = x
	t.noteRepeats(repeats)
	return t, nil
}

// longElsewhere is long for a matrix that goes elsewhere. The numbers of rows and
// columns must be known first: they are read, or, where the shape is all that is
// wanted, taken from what the file says of them.
func (p *parquetReader[F]) longElsewhere(t *Table[F], columns [3]int, keys [2]*longKey, cells int) error {
	told := p.to.b == nil
	for s, k := range keys {
		told = told && p.toldSize(columns[s], k)
	}
	if !told {
		if err := p.eachCell(columns, keys, false, nil); err != nil {
			return err
		}
	}
	if err := finishKeys(t, keys, cells); err != nil {
		return err
	}
	t.X = dims[F](keys[0].size, keys[1].size)
	if !p.to.found(Shape{Rows: keys[0].size, Columns: keys[1].size, Stored: cells, Sparse: true, Reading: tripletBytes[F](cells)}) {
		t.RowNames, t.ColumnNames = nil, nil
		return nil
	}
	return p.eachCell(columns, keys, true, p.to.b.Cells(cells))
}

// toldSize takes the number of rows or columns from the statistics of a column, where
// the file has them, and reports whether it has.
func (p *parquetReader[F]) toldSize(column int, k *longKey) bool {
	if k.c.text || k.c.unsigned {
		return false
	}
	most := int64(-1)
	for _, g := range p.f.Metadata().RowGroups {
		if column >= len(g.Columns) {
			return false
		}
		switch v := g.Columns[column].MetaData.Statistics.MaxValue; len(v) {
		case 4:
			most = max(most, int64(int32(binary.LittleEndian.Uint32(v))))
		case 8:
			most = max(most, int64(binary.LittleEndian.Uint64(v)))
		default:
			return false
		}
	}
	if most < k.base || most-k.base >= matrix.MaxDim {
		return false
	}
	k.size, k.least = int(most-k.base)+1, k.base
	return true
}

// finishKeys takes over names and notes, and refuses sides that the cells cannot fill.
func finishKeys[F matrix.Float](t *Table[F], keys [2]*longKey, cells int) error {
	from := int64(0)
	numbers := 0
	for s, names := range [2]*[]string{&t.RowNames, &t.ColumnNames} {
		k := keys[s]
		if err := checkFilled(k.size, k.side, cells); err != nil {
			return err
		}
		if k.c.text {
			*names = k.names
			if k.names == nil {
				*names = []string{}
			}
			continue
		}
		numbers++
		from += min(k.least, 1)
	}
	if cells > 0 && keys[0].base == 0 && numbers > 0 && from == int64(numbers) {
		t.addNote("no cell has the number 0 of a row or column: say --index-base 1 where they count from 1")
	}
	return nil
}

// eachCell calls do with the cells of a long table, some at a time; without values for
// the rows and columns alone.
func (p *parquetReader[F]) eachCell(columns [3]int, keys [2]*longKey, values bool, do func(i, j []int32, v []F) error) error {
	const some = 1 << 12
	index := [2][]int32{make([]int32, 0, some), make([]int32, 0, some)}
	vals := make([]F, 0, some)
	wanted := columns[:]
	if !values {
		wanted = columns[:2]
	}
	first := 0
	for _, group := range p.f.RowGroups() {
		chunks, n := group.ColumnChunks(), int(group.NumRows())
		if len(chunks) != len(p.columns) {
			return malformed("a row group has %s, the table %d", count(len(chunks), "column"), len(p.columns))
		}
		pulls := make([]*parquetPull, len(wanted))
		for s, j := range wanted {
			pulls[s] = &parquetPull{pages: chunks[j].Pages()}
		}
		err := p.eachOf(pulls, wanted, n, func(at, count int) error {
			for s, k := range keys {
				index[s] = index[s][:0]
				for q, v := range pulls[s].left[:count] {
					i, err := k.index(first+at+q, v)
					if err != nil {
						return err
					}
					index[s] = append(index[s], i)
				}
			}
			if !values {
				return nil
			}
			vals = vals[:0]
			for q, v := range pulls[2].left[:count] {
				c, err := cellOf[F](&p.columns[wanted[2]], first+at+q, v)
				if err != nil {
					return err
				}
				vals = append(vals, c)
			}
			return do(index[0], index[1], vals)
		})
		for _, pull := range pulls {
			err = errors.Join(err, pull.close())
		}
		if err != nil {
			return err
		}
		first += n
	}
	return nil
}

// eachOf calls do while all columns have something left: from row `at` of the n of the
// group on, the first `count` values that each has left.
func (p *parquetReader[F]) eachOf(pulls []*parquetPull, columns []int, n int, do func(at, count int) error) error {
	for at := 0; ; {
		count := math.MaxInt
		for _, pull := range pulls {
			if err := pull.fill(); err != nil && err != io.EOF {
				return parquetError(err)
			}
			count = min(count, len(pull.left))
		}
		if at+count > n || count == 0 {
			for s, pull := range pulls {
				if got := at + len(pull.left); got != n {
					return p.columns[columns[s]].wrongLength(got, n)
				}
			}
			return nil
		}
		if err := do(at, count); err != nil {
			return err
		}
		at += count
		for _, pull := range pulls {
			pull.left = pull.left[count:]
		}
	}
}

// parquetPull reads the values of a part of a column as they are asked for.
type parquetPull struct {
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	// left are those that were read last and are not used up; they last until the next
	// fill.
	left   []parquet.Value
	buffer [1024]parquet.Value
}

// fill reads some values where none are left; io.EOF is the end.
func (r *parquetPull) fill() error {
	for len(r.left) == 0 {
		if r.page == nil {
			page, err := r.pages.ReadPage()
			if err != nil {
				return err
			}
			r.page, r.values = page, page.Values()
		}
		n, err := r.values.ReadValues(r.buffer[:])
		r.left = r.buffer[:n]
		switch {
		case n == 0 && err == nil:
			return io.ErrNoProgress
		case err != nil && err != io.EOF:
			return err
		case n == 0:
			parquet.Release(r.page)
			r.page = nil
		}
	}
	return nil
}

func (r *parquetPull) close() error {
	if r.page != nil {
		parquet.Release(r.page)
	}
	return r.pages.Close()
}
