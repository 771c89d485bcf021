package data

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/partsof/nmf/matrix"
)

// parquetFile writes rows of a struct type.
func parquetFile[T any](t testing.TB, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type (
	parquetNumbers struct {
		A int32   `parquet:"a"`
		B float64 `parquet:"b"`
	}
	parquetNamed struct {
		Name string   `parquet:"name,dict"`
		A    float32  `parquet:"a"`
		B    *float64 `parquet:"b,optional"`
	}
	parquetEvery struct {
		Bool bool    `parquet:"bool"`
		I8   int8    `parquet:"i8"`
		U8   uint8   `parquet:"u8"`
		I16  int16   `parquet:"i16"`
		U16  uint16  `parquet:"u16"`
		I32  int32   `parquet:"i32,delta"`
		U32  uint32  `parquet:"u32"`
		I64  int64   `parquet:"i64,delta"`
		U64  uint64  `parquet:"u64"`
		F32  float32 `parquet:"f32,split"`
		F64  float64 `parquet:"f64,dict"`
		D32  int32   `parquet:"d32,decimal(2:9)"`
		D64  int64   `parquet:"d64,decimal(1:18)"`
	}
)

func pointer[T any](v T) *T { return &v }

var parquetExample = []parquetNumbers{{1, 2}, {3, 4.5}, {0, 0}}

func TestReadParquet(t *testing.T) {
	nan := math.NaN()
	named := []parquetNamed{{"x", 1, pointer(2.0)}, {"", 3, nil}, {"y", 4, pointer(0.5)}}
	every := []parquetEvery{
		{true, 1, 200, 3, 60000, 5, 4e9, 7, 1 << 63, 0.25, 1e-300, 1234, 15},
		{false, -1, 0, -3, 0, -5, 0, -7, 0, -0.5, 3, 0, -1},
	}
	index := []struct {
		A    int32  `parquet:"a"`
		Name string `parquet:"__index_level_0__"`
	}{{1, "r1"}, {2, "r2"}}
	counted := []struct {
		A  int32 `parquet:"a"`
		ID int64 `parquet:"id"`
	}{{1, 10}, {2, 20}}
	tests := []struct {
		name       string
		content    []byte
		want       *matrix.Dense[float64]
		rows, cols []string
	}{
		{"numbers", parquetFile(t, parquetExample), dense(3, 2, 1, 2, 3, 4.5, 0, 0), nil, []string{"a", "b"}},
		{"zstd", parquetFile(t, parquetExample, parquet.Compression(&parquet.Zstd)), dense(3, 2, 1, 2, 3, 4.5, 0, 0), nil, []string{"a", "b"}},
		{"row groups", parquetFile(t, parquetExample, parquet.MaxRowsPerRowGroup(1)), dense(3, 2, 1, 2, 3, 4.5, 0, 0), nil, []string{"a", "b"}},
		{"names, a null", parquetFile(t, named), dense(3, 2, 1, 2, 3, nan, 4, 0.5), []string{"x", "", "y"}, []string{"a", "b"}},
		{"every type", parquetFile(t, every), dense(2, 13, 1, 1, 200, 3, 60000, 5, 4e9, 7, 1<<63, 0.25, 1e-300, 12.34, 1.5,
			0, -1, 0, -3, 0, -5, 0, -7, 0, -0.5, 3, 0, -0.1), nil,
			[]string{"bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "d32", "d64"}},
		{"index of pandas", parquetFile(t, index, parquet.KeyValueMetadata("pandas", `{"index_columns": ["__index_level_0__"]}`)),
			dense(2, 1, 1, 2), []string{"r1", "r2"}, []string{"a"}},
		{"counted index of pandas", parquetFile(t, counted, parquet.KeyValueMetadata("pandas", `{"index_columns": ["id"]}`)),
			dense(2, 1, 1, 2), []string{"10", "20"}, []string{"a"}},
		{"range index of pandas", parquetFile(t, counted, parquet.KeyValueMetadata("pandas", `{"index_columns": [{"kind": "range"}]}`)),
			dense(2, 2, 1, 10, 2, 20), nil, []string{"a", "id"}},
		{"no rows", parquetFile(t, parquetExample[:0]), dense(0, 2), nil, []string{"a", "b"}},
	}
	for _, tt := range tests {
		got, err := readBytes[float64](t, "a.parquet", tt.content, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !sameBits(asDense(got.X), tt.want) || got.Format != "parquet" {
			t.Errorf("%s: %v", tt.name, got.X)
		}
		if diff := cmp.Diff([][]string{tt.rows, tt.cols}, [][]string{got.RowNames, got.ColumnNames}); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// TestReadParquetLarge goes through many pages and row groups.
func TestReadParquetLarge(t *testing.T) {
	rows := make([]parquetNamed, 100000)
	for i := range rows {
		rows[i] = parquetNamed{strings.Repeat("n", i%7), float32(i), pointer(float64(i) / 8)}
		if i%5 == 0 {
			rows[i].B = nil
		}
	}
	got, err := readBytes[float32](t, "a", parquetFile(t, rows, parquet.PageBufferSize(1000), parquet.MaxRowsPerRowGroup(30000)), nil)
	if err != nil {
		t.Fatal(err)
	}
	x := asDense(got.X)
	for i, r := range rows {
		b := float32(math.NaN())
		if r.B != nil {
			b = float32(*r.B)
		}
		if got.RowNames[i] != r.Name || x.At(i, 0) != r.A || x.At(i, 1) != b && b == b {
			t.Fatalf("row %d: %q %v", i+1, got.RowNames[i], x.Row(i))
		}
	}
}

func TestReadParquetErrors(t *testing.T) {
	whole := parquetFile(t, parquetExample)
	text := parquetFile(t, []struct {
		A int32  `parquet:"a"`
		B string `parquet:"label"`
	}{{1, "x"}})
	list := parquetFile(t, []struct {
		A []int32 `parquet:"list"`
	}{{[]int32{1}}})
	names := parquetFile(t, []struct {
		A string `parquet:"a"`
	}{{"x"}})
	dates := parquetFile(t, []struct {
		A int32 `parquet:"when,date"`
	}{{1}})
	footer := bytes.Clone(whole)
	for i := len(footer) - 60; i < len(footer)-8; i++ {
		footer[i] ^= 0x55
	}
	tests := []struct {
		name    string
		content []byte
		err     error
		says    string
	}{
		{"text", text, ErrUnsupported, `column "label" is text, not numbers; leave such columns out`},
		{"list", list, ErrUnsupported, `column "list" is nested, not numbers`},
		{"dates", dates, ErrUnsupported, `column "when" is date, not numbers`},
		{"names only", names, ErrUnsupported, "no column of numbers"},
		{"no Parquet", []byte("1,2\n3,4\n"), ErrFormat, "malformed Parquet: it does not start with PAR1; it looks like csv"},
		{"encrypted", []byte("PARE" + strings.Repeat("x", 20) + "PARE"), ErrUnsupported, "is encrypted"},
		{"cut short", whole[:len(whole)-1], ErrTruncated, "a Parquet file ends in its description, this one before"},
		{"the start alone", whole[:4], ErrTruncated, "cut short"},
		{"damaged", footer, ErrFormat, "malformed or damaged Parquet: "},
		{"too large for float32", parquetFile(t, []parquetNumbers{{1, 2}, {3, -1e300}}), ErrUnsupported,
			`row 2, column "b": -1e+300 is beyond the range of float32; use --precision f64`},
	}
	for _, tt := range tests {
		path := writeTemp(t, "a.parquet", tt.content)
		_, err := Read[float32](path, nil)
		wantError(t, err, tt.err, path+": ")
		wantError(t, err, tt.err, tt.says)
	}
}

type (
	parquetCell struct {
		Row int64    `parquet:"row"`
		Col int32    `parquet:"col"`
		V   *float64 `parquet:"value,optional"`
	}
	parquetNamedCell struct {
		Cell  string `parquet:"cell_id,dict"`
		Gene  string `parquet:"gene"`
		Count uint16 `parquet:"count"`
	}
)

// longCells are cells in no order, some of them twice, some zero or null.
func longCells(n int) []parquetCell {
	cells := make([]parquetCell, n)
	for p := range cells {
		at := p * 2654435761 >> 7
		cells[p] = parquetCell{Row: int64(at % 90), Col: int32(at / 90 % 40), V: pointer(float64(at%7) / 3)}
		if p%41 == 0 {
			cells[p].V = nil
		}
	}
	return cells
}

func longNamed(n int) []parquetNamedCell {
	var cells []parquetNamedCell
	for _, c := range longCells(n) {
		cells = append(cells, parquetNamedCell{"cell " + strings.Repeat("c", int(c.Row)), strings.Repeat("g", int(c.Col)), uint16(c.Row + 1)})
	}
	return cells
}

// TestReadParquetLong: a cell in each row, through many pages and groups of rows, is
// what the cells say.
func TestReadParquetLong(t *testing.T) {
	cells := longCells(5000)
	const m, n = 90, 40
	want := matrix.NewDense[float64](m, n)
	for _, c := range cells {
		if c.V == nil {
			c.V = pointer(math.NaN())
		}
		want.Set(int(c.Row), int(c.Col), want.At(int(c.Row), int(c.Col))+*c.V)
	}
	options := []parquet.WriterOption{parquet.PageBufferSize(300), parquet.MaxRowsPerRowGroup(1700)}
	got, err := readBytes[float64](t, "a.parquet", parquetFile(t, cells, options...), nil)
	if err != nil {
		t.Fatal(err)
	}
	x, sparse := got.X.(*matrix.CSR[float64])
	if !sparse || !sameBits(asDense(got.X), want) || got.RowNames != nil || got.ColumnNames != nil {
		t.Errorf("another matrix: sparse %v, names %v", sparse, got.RowNames)
	}
	if notes := strings.Join(got.Notes, "\n"); !strings.Contains(notes, `a long table: each row is a cell, "row", "col" and "value"`) || !strings.Contains(notes, "given more than once were summed") {
		t.Errorf("notes %q", got.Notes)
	}
	different := map[[2]int]bool{}
	for _, c := range cells {
		different[[2]int{int(c.Row), int(c.Col)}] = true
	}
	if sparse && x.NNZ() != len(different) {
		t.Errorf("%d cells are stored, with the zeros given there are %d", x.NNZ(), len(different))
	}

	// By name, in the order in which names appear.
	named := longNamed(5000)
	table, err := readBytes[float64](t, "a.parquet", parquetFile(t, named, options...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if table.RowNames[0] != named[0].Cell || table.ColumnNames[0] != named[0].Gene || table.RowNames[1] != named[1].Cell {
		t.Errorf("names %q, %q", table.RowNames[:2], table.ColumnNames[:1])
	}
	sums := map[[2]string]float64{}
	for _, c := range named {
		sums[[2]string{c.Cell, c.Gene}] += float64(c.Count)
	}
	for i, row := range table.RowNames {
		for j, col := range table.ColumnNames {
			if asDense(table.X).At(i, j) != sums[[2]string{row, col}] {
				t.Fatalf("cell %q, %q is %v, want %v", row, col, asDense(table.X).At(i, j), sums[[2]string{row, col}])
			}
		}
	}

	// From 1.
	for p := range cells {
		cells[p].Row++
		cells[p].Col++
	}
	ones := parquetFile(t, cells)
	if got, err = readBytes[float64](t, "a.parquet", ones, &ReadOptions{IndexBase: 1}); err != nil || !sameBits(asDense(got.X), want) {
		t.Errorf("from 1: %v", err)
	}
	if got, err = readBytes[float64](t, "a.parquet", ones, nil); err != nil || !strings.Contains(strings.Join(got.Notes, ""), "say --index-base 1 where they count from 1") {
		t.Errorf("from 1, taken as from 0: %v, %v", got.Notes, err)
	}

	// As features, and told.
	if got, err = readBytes[float64](t, "a.parquet", ones, &ReadOptions{Long: No}); err != nil || asDense(got.X).Cols != 3 {
		t.Errorf("as features: %v", err)
	}
	if got, err = readBytes[float64](t, "a.parquet", parquetFile(t, []parquetEvery{{I8: 1}}), &ReadOptions{Long: Yes}); err == nil || !strings.Contains(err.Error(), `column "bool", the row of each cell, does not hold`) {
		t.Errorf("a column of bool as rows: %v, %v", got, err)
	}
	timed := parquetFile(t, []struct {
		User, Item int32
		Stars      float32
		Time       int64
	}{{1, 2, 3.5, 1e9}})
	if got, err = readBytes[float64](t, "a.parquet", timed, &ReadOptions{Long: Yes}); err != nil || asDense(got.X).At(1, 2) != 3.5 || !strings.Contains(got.Notes[0], `left out: "Time"`) {
		t.Errorf("four columns: %v", err)
	}
	every := parquetFile(t, []parquetNumbers3{{0, 1, 5}, {2, 0, 7}})
	if got, err = readBytes[float64](t, "a.parquet", every, nil); err != nil || asDense(got.X).Cols != 3 {
		t.Errorf("three features: %v", err)
	}
	if got, err = readBytes[float64](t, "a.parquet", every, &ReadOptions{Long: Yes}); err != nil || !sameBits(asDense(got.X), dense(3, 2, 0, 5, 0, 0, 7, 0)) {
		t.Errorf("told to be long: %v, %v", got, err)
	}
}

type parquetNumbers3 struct {
	A int32 `parquet:"a"`
	B int64 `parquet:"b"`
	C int8  `parquet:"c"`
}

// TestParquetLongShape: the shape of a long table shows before it is read, from what
// the file says of its columns.
func TestParquetLongShape(t *testing.T) {
	for name, content := range map[string][]byte{"numbers": parquetFile(t, longCells(5000)), "names": parquetFile(t, longNamed(5000), parquet.MaxRowsPerRowGroup(1700))} {
		s, err := Peek[float32](writeTemp(t, "a.parquet", content), nil)
		if err != nil || s.Rows != 90 || s.Columns != 40 || s.Stored != 5000 || !s.Sparse || s.Reading != 5000*12 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestReadParquetLongErrors(t *testing.T) {
	type two struct {
		Row   int32   `parquet:"row"`
		Col   int32   `parquet:"column"`
		Score float32 `parquet:"score"`
	}
	type floats struct {
		Row float32 `parquet:"row"`
		Col int32   `parquet:"col"`
		V   float32 `parquet:"v"`
	}
	type labels struct {
		A string `parquet:"a"`
		B string `parquet:"b"`
		C int32  `parquet:"c"`
	}
	type nulls struct {
		I *int32  `parquet:"i,optional"`
		J uint64  `parquet:"j"`
		V float64 `parquet:"v"`
	}
	tests := []struct {
		name    string
		content []byte
		o       ReadOptions
		err     error
		says    string
	}{
		{"ambiguous", parquetFile(t, []two{{1, 2, 3}}), ReadOptions{}, ErrFormat, `the columns "row", "column", "score" may be three features, or row, column and value of a cell; say --no-long for features, --long for cells`},
		{"floats", parquetFile(t, []floats{{1, 2, 3}}), ReadOptions{}, ErrUnsupported, `column "row", the row of each cell, does not hold whole numbers or text; say --no-long where the columns are features`},
		{"text", parquetFile(t, []labels{{"x", "y", 3}}), ReadOptions{}, ErrUnsupported, `column "b" is text, not numbers; leave such columns out; only a first column of text, or the index of pandas, may hold row names; or say --long where each row is a cell`},
		{"two columns", parquetFile(t, parquetExample), ReadOptions{Long: Yes}, ErrFormat, "the Parquet table has 2 columns; a long one has three: row, column and value; leave out --long"},
		{"negative", parquetFile(t, []parquetCell{{0, 0, nil}, {-1, 0, nil}}), ReadOptions{}, ErrFormat, `row 2, column "row": row -1 is below zero`},
		{"zero from 1", parquetFile(t, []parquetCell{{1, 1, nil}, {1, 0, nil}}), ReadOptions{IndexBase: 1}, ErrFormat, `row 2, column "col": column 0, where they count from 1; leave out --index-base`},
		{"null", parquetFile(t, []nulls{{nil, 0, 1}}), ReadOptions{}, ErrFormat, `row 1, column "i": null where the row of a cell belongs`},
		{"large", parquetFile(t, []nulls{{pointer(int32(0)), 1 << 63, 1}}), ReadOptions{}, ErrFormat, `row 1, column "j": column 9223372036854775807: a matrix has at most`},
		{"far apart", parquetFile(t, []parquetCell{{1 << 30, 0, nil}}), ReadOptions{}, ErrFormat, "the shape has 1073741825 rows, but only 1 cells are stored"},
		{"too large for float32", parquetFile(t, []parquetCell{{0, 0, pointer(1e300)}}), ReadOptions{}, ErrUnsupported, `row 1, column "value": 1e+300 is beyond the range of float32`},
	}
	for _, tt := range tests {
		path := writeTemp(t, "a.parquet", tt.content)
		_, err := Read[float32](path, &tt.o)
		wantError(t, err, tt.err, path+": ")
		wantError(t, err, tt.err, tt.says)
		if _, err := OpenBlocks[float32](path, &tt.o, BlockOptions{Folder: t.TempDir()}); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: by blocks %v", tt.name, err)
		}
	}
}

// TestReadParquetOthers reads files of other writers, which the library has
// among its test data, where that is at hand.
func TestReadParquetOthers(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/parquet-go/parquet-go").Output()
	if err != nil {
		t.Skipf("no go command to find the files with: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "testdata")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the files are absent: %v", err)
	}
	counted := make([]float64, 24)
	for i := range counted {
		counted[i] = float64(i + 1)
	}
	for _, name := range []string{"int32_decimal.parquet", "int64_decimal.parquet"} {
		got, err := Read[float64](filepath.Join(dir, name), nil)
		if err != nil || !sameBits(asDense(got.X), dense(24, 1, counted...)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	got, err := Read[float64](filepath.Join(dir, "rle_boolean_encoding.parquet"), nil)
	if err != nil || !slices.Equal(asDense(got.X).Data[3:6], []float64{1, 1, 0}) || !math.IsNaN(asDense(got.X).At(2, 0)) {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzParquet(f *testing.F) {
	f.Add(parquetFile(f, parquetExample))
	f.Add(parquetFile(f, parquetExample, parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1)))
	f.Add(parquetFile(f, []parquetNamed{{"x", 1, pointer(2.0)}, {"", 3, nil}}, parquet.MaxRowsPerRowGroup(1)))
	f.Add(parquetFile(f, []parquetEvery{{I32: 5, U64: 1 << 63}, {F64: 3}}, parquet.Compression(&parquet.Zstd)))
	f.Add(parquetFile(f, longCells(9), parquet.MaxRowsPerRowGroup(4)))
	f.Add(parquetFile(f, longNamed(9), parquet.Compression(&parquet.Zstd), parquet.PageBufferSize(50)))
	f.Fuzz(func(t *testing.T, content []byte) {
		fuzzTable[float32](t, "a.parquet", content)
	})
}
