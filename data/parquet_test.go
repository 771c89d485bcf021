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
	f.Fuzz(func(t *testing.T, content []byte) {
		fuzzTable[float32](t, "a.parquet", content)
	})
}
