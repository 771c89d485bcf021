package data

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

func readCSVText[F matrix.Float](text string, o ReadOptions) (*Table[F], error) {
	s := textSource(text)
	t, err := readCSV[F](s, &o)
	if err != nil {
		return nil, s.fail(err)
	}
	return t, nil
}

func TestReadCSV(t *testing.T) {
	abc, rs := []string{"a", "b", "c"}, []string{"r1", "r2"}
	x := dense(2, 3, 1, 2, 3, 4, 5, 6)
	tests := []struct {
		name, text    string
		options       ReadOptions
		want          *matrix.Dense[float64]
		rows, columns []string
		notes         []string
	}{
		{"numbers", "1,2,3\n4,5,6\n", ReadOptions{}, x, nil, nil, nil},
		{"no last newline", "1,2,3\n4,5,6", ReadOptions{}, x, nil, nil, nil},
		{"one line", "1,2,3", ReadOptions{}, dense(1, 3, 1, 2, 3), nil, nil, nil},
		{"one number", "7", ReadOptions{}, dense(1, 1, 7), nil, nil, nil},
		{"one column", "1\n2\n\n3\n", ReadOptions{}, dense(3, 1, 1, 2, 3), nil, nil, nil},
		{"one column, header", "a\n1\n2\n", ReadOptions{}, dense(2, 1, 1, 2), nil, []string{"a"}, nil},
		{"CRLF, blank lines, blanks", "\r\n 1 ,2, 3 \r\n\r\n4,\t5,6\r\n  \r\n", ReadOptions{}, x, nil, nil, nil},
		{"BOM", "\xef\xbb\xbfa,b,c\n1,2,3\n4,5,6\n", ReadOptions{}, x, nil, abc, nil},
		{"comments", "# x, y\n\n#z\na,b,c\n1,2,3\n4,5,6\n", ReadOptions{}, x, nil, abc, nil},
		{"signs, exponents", "-1,+2.5,.5,1e3,1E-2\n0,0,0,0,0\n", ReadOptions{}, dense(2, 5, -1, 2.5, .5, 1000, .01, 0, 0, 0, 0, 0), nil, nil, nil},
		{"tab", "a\tb\tc\n1\t2\t3\n4\t5\t6\n", ReadOptions{}, x, nil, abc, nil},
		{"semicolon", "a;b;c\n1;2;3\n4;5;6\n", ReadOptions{}, x, nil, abc, nil},
		{"blanks", " a  b\tc\n  1 2   3  \n4 5\t 6\r\n", ReadOptions{}, x, nil, abc, nil},
		{"told bar", "1|2|3\n4|5|6\n", ReadOptions{Delimiter: '|'}, x, nil, nil, nil},
		{"commas in names", "n;a,1;b\nx,y;1;2\nz,y;3;4\n", ReadOptions{}, dense(2, 2, 1, 2, 3, 4), []string{"x,y", "z,y"}, []string{"a,1", "b"}, nil},

		{"header, row names", "n,a,b,c\nr1,1,2,3\nr2,4,5,6\n", ReadOptions{}, x, rs, abc, nil},
		{"row names", "r1,1,2,3\nr2,4,5,6\n", ReadOptions{}, x, rs, nil, nil},
		{"header one short", "a,b,c\nr1,1,2,3\nr2,4,5,6\n", ReadOptions{}, x, rs, abc, nil},
		{"header one short, numbers", "1990,1991,1992\nr1,1,2,3\nr2,4,5,6\n", ReadOptions{}, x, rs, []string{"1990", "1991", "1992"}, nil},
		{"R write.csv", "\"\",\"V1\",\"V2\",\"V3\"\n\"r1\",1,2,3\n\"r2\",4,5,6\n", ReadOptions{}, x, rs, []string{"V1", "V2", "V3"}, nil},
		{"R write.csv, numbered", "\"\",\"V1\",\"V2\",\"V3\"\n\"1\",1,2,3\n\"2\",4,5,6\n", ReadOptions{}, x, []string{"1", "2"}, []string{"V1", "V2", "V3"}, nil},
		{"R write.table", "\"a\" \"b\" \"c\"\n\"r1\" 1 2 3\n\"r2\" 4 5 6\n", ReadOptions{}, x, rs, abc, nil},
		{"pandas", ",a,b,c\n0,1,2,3\n1,4,5,6\n", ReadOptions{}, x, []string{"0", "1"}, abc, nil},
		{"pandas, no names", ",0,1,2\n0,1,2,3\n1,4,5,6\n", ReadOptions{}, x, []string{"0", "1"}, []string{"0", "1", "2"}, nil},
		{"id", "ID,a,b,c\n10,1,2,3\n11,4,5,6\n", ReadOptions{}, x, []string{"10", "11"}, abc, []string{`column "ID" was taken for the row names`}},
		{"numpy savetxt header", "# a b c\n1 2 3\n4 5 6\n", ReadOptions{}, x, nil, abc, []string{"the last comment before the data was taken for the header"}},
		{"OTU table", "# from biom\n#OTU ID\ta\tb\tc\nr1\t1\t2\t3\nr2\t4\t5\t6\n", ReadOptions{}, x, rs, abc, []string{"the last comment before the data was taken for the header"}},
		{"half of the header text", "n,total,1990,1991\nr1,1,2,3\nr2,4,5,6\n", ReadOptions{Header: Yes}, x, rs, []string{"total", "1990", "1991"}, nil},
		{"quoted header of numbers", "\"1\",\"2\",\"3\"\n1,2,3\n4,5,6\n", ReadOptions{}, x, nil, []string{"1", "2", "3"}, nil},
		{"told header", "1,2,3\n1,2,3\n4,5,6\n", ReadOptions{Header: Yes}, x, nil, []string{"1", "2", "3"}, nil},
		{"told no header", "1,2\n3,4\n", ReadOptions{Header: No, RowNames: No}, dense(2, 2, 1, 2, 3, 4), nil, nil, nil},
		{"told row names", "1,2,3\n4,5,6\n", ReadOptions{RowNames: Yes}, dense(2, 2, 2, 3, 5, 6), []string{"1", "4"}, nil, nil},
		{"told no row names", "id,a,b\n1,2,3\n4,5,6\n", ReadOptions{RowNames: No}, x, nil, []string{"id", "a", "b"}, nil},
		{"told both", "1,2,3\n1,2,3\n4,5,6\n", ReadOptions{Header: Yes, RowNames: Yes}, dense(2, 2, 2, 3, 5, 6), []string{"1", "4"}, []string{"2", "3"}, nil},

		{"quoted", "\"n,1\",\"a \"\"b\"\"\", c \n\"r \"\"1\"\"\",\"1\", 2\n\"\"\"\" ,\"3\" ,\"4\"\n", ReadOptions{}, dense(2, 2, 1, 2, 3, 4), []string{`r "1"`, `"`}, []string{`a "b"`, "c"}, nil},
		{"newline in quotes", "n,\"a\nb\",c\n\"r\n1\",1,2\n\"r\r\n\n2\",3,4\n", ReadOptions{}, dense(2, 2, 1, 2, 3, 4), []string{"r\n1", "r\r\n\n2"}, []string{"a\nb", "c"}, nil},
		{"quote within a name", "5\" pipe,1,2\n6\" pipe,3,4\n", ReadOptions{}, dense(2, 2, 1, 2, 3, 4), []string{`5" pipe`, `6" pipe`}, nil, nil},
		{"empty row name", "n,a,b\nr1,1,2\n,3,4\n", ReadOptions{}, dense(2, 2, 1, 2, 3, 4), []string{"r1", ""}, []string{"a", "b"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, chunk := range []int{0, 1, 7} {
				options := test.options
				options.Threads = 3
				p := csvReader[float64]{r: strings.NewReader(test.text), size: -1, options: options, preferred: ',', chunk: chunk}
				got, err := p.table()
				if err != nil {
					t.Fatal(err)
				}
				want := &Table[float64]{X: test.want, RowNames: test.rows, ColumnNames: test.columns, Notes: test.notes}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("chunks of %d: %s", chunk, diff)
				}
			}
		})
	}
}

func TestReadCSVErrors(t *testing.T) {
	tests := []struct {
		name, text string
		options    ReadOptions
		is         error
		message    string
	}{
		{"ragged, short", "1,2,3\n4,5,6\n7,8\n", ReadOptions{}, ErrFormat, "a.file:3: the line has 2 fields, where the first line makes it 3"},
		{"ragged, long", "n,a,b\nr,1,2\nr,4,5,6\n", ReadOptions{}, ErrFormat, "a.file:3: the line has 4 fields, where the header makes it 3"},
		{"ragged after text", "1,2\n\n3,x,5\n", ReadOptions{}, ErrFormat, "a.file:3: the line has 3 fields, where the first line makes it 2"},
		{"ragged blanks", "1 2\n3 4 \n5\n", ReadOptions{}, ErrFormat, "a.file:3: the line has 1 field"},
		{"short header", "a,b,c\n1,2,3,4,5\n", ReadOptions{}, ErrFormat, "a.file:2: the line has 5 fields, the header 3"},
		{"short header, no row names", "a,b\nr,2,3\n", ReadOptions{RowNames: No}, ErrFormat, "a.file:2: the line has 3 fields, the header 2; a header one field short goes with"},
		{"text", "a,b\n1,2\n3,x\n", ReadOptions{}, ErrFormat, `a.file:3, column 2: "x" where a number belongs (column "b")`},
		{"text by a row name", "n,a,b\nr,1,2\nr,3,x\n", ReadOptions{}, ErrFormat, `a.file:3, column 3: "x" where a number belongs (column "b")`},
		{"text, no header", "1,2\n3,x\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: "x" where a number belongs`},
		{"text after a number", "1,2\n3,4x\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: "4x" where`},
		{"two numbers in a cell", "1,2\n3,4 5\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: "4 5" where`},
		{"two columns of names", "n,k,a\nr,x,1\nr,y,2\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: "x" where a number belongs (column "k")`},
		{"text in the first line", "1,2,x,4\n5,6,7,8\n", ReadOptions{}, ErrFormat, `a.file:1, column 3: "x" where a number belongs; if this line holds column names, say`},
		{"text in the first cell", "x,2,3\n4,5,6\n7,8,9\n", ReadOptions{}, ErrFormat, `a.file:1, column 1: "x" where`},
		{"text in the first column", "1,2\nx,3\n4,5\n", ReadOptions{}, ErrFormat, `a.file:2, column 1: "x" where`},
		{"told no header", "a,b\n1,2\n", ReadOptions{Header: No}, ErrFormat, `a.file:1, column 1: "a" where`},
		{"decimal comma", "a;b\n1,5;2\n", ReadOptions{}, ErrFormat, `a.file:2, column 1: "1,5" has a decimal comma (column "a"); write numbers with a point`},
		{"decimal commas only", "1,5;2,5\n3,5;4,5\n", ReadOptions{}, ErrFormat, `a.file:1, column 1: "1,5" has a decimal comma`},
		{"quoted decimal comma", "1,\"2,5\"\n", ReadOptions{}, ErrFormat, `a.file:1, column 2: "2,5" has a decimal comma`},
		{"thousands", "1;2\n3;\"1,234,567\"\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: "1,234,567" has thousands separators`},
		{"hexadecimal", "1,2\n3,0xff\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: "0xff" is hexadecimal`},
		{"infinity", "1,2\n3,-Infinity\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: "-Infinity" is not a finite number`},
		{"range", "1,2\n3,1e400\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: "1e400" is beyond the range of float64`},
		{"empty cell", "a,b,c\n1,2,3\n1,,3\n", ReadOptions{}, ErrMissing, `a.file:3, column 2: the cell is empty (column "b"); say --missing nan`},
		{"empty last cell", "1,2\n3,\n", ReadOptions{}, ErrMissing, `a.file:2, column 2: the cell is empty`},
		{"NA", "1,2\n3,NA\n", ReadOptions{}, ErrMissing, `a.file:2, column 2: "NA" stands for a missing value`},
		{"NaN first", "NaN,2\n3,4\n", ReadOptions{}, ErrMissing, `a.file:1, column 1: "NaN" stands for a missing value`},
		{"null", "1,2\n3,null\n", ReadOptions{}, ErrMissing, `"null" stands for`},
		{"point", "1,2\n3,.\n", ReadOptions{}, ErrMissing, `"." stands for`},
		{"open quote", "n,a,b\nr,1,2\nr,\"3,4\nr,5,6\n", ReadOptions{}, ErrFormat, `a.file:3, column 2: the quote that opens a field here is never closed`},
		{"open quote of a name", "n,a,b\nr,1,2\n\n\"r,3,4\nr,5,6\n", ReadOptions{}, ErrFormat, `a.file:4, column 1: the quote that opens`},
		{"open quote in the header", "n,\"a,b\nr,1,2\n", ReadOptions{}, ErrFormat, `a.file:1: the quote that opens`},
		{"text after a quote", "1,2\n3,\"4\"5\n", ReadOptions{}, ErrFormat, `a.file:2, column 2: there is text after a closing quote; a quote within`},
		{"line after newlines in quotes", "n,a\n\"x\n\ny\",1\nr,z\n", ReadOptions{}, ErrFormat, `a.file:5, column 2: "z" where`},
		{"no data", "a,b\n", ReadOptions{}, ErrFormat, "a.file:1: there is a header but no line of data"},
		{"told header only", "1,2\n", ReadOptions{Header: Yes}, ErrFormat, "a.file:1: there is a header but no line of data"},
		{"comments only", "# a\n\n", ReadOptions{}, ErrFormat, "a.file: there is no line of data"},
		{"names only", "1\n2\n", ReadOptions{RowNames: Yes}, ErrFormat, "a.file:1: the line has only one field"},
		{"UTF-16", "\xff\xfe1\x00\n\x00", ReadOptions{}, ErrUnsupported, "a.file: the text is UTF-16; save it as UTF-8"},
		{"binary", "1,2\n\x00\x01\n", ReadOptions{}, ErrFormat, "a.file:2: there is a zero byte"},
		{"old Mac", "1,2\r3,4\r5,6", ReadOptions{}, ErrUnsupported, "a.file: the lines end in carriage returns alone"},
		{"delimiter", "1,2\n", ReadOptions{Delimiter: '1'}, ErrUnsupported, `a.file: '1' cannot separate fields`},
		{"wide delimiter", "1,2\n", ReadOptions{Delimiter: '→'}, ErrUnsupported, `a.file: '→' cannot separate fields`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, chunk := range []int{0, 1, 7} {
				s := textSource(test.text)
				p := csvReader[float64]{r: s.r, size: int64(len(test.text)), options: test.options, preferred: ',', chunk: chunk}
				_, err := p.table()
				if err == nil {
					t.Fatal("read without error")
				}
				wantError(t, s.fail(err), test.is, test.message)
			}
		})
	}
}

func TestReadCSVFloat32Range(t *testing.T) {
	_, err := readCSVText[float32]("1,2\n3,1e39\n", ReadOptions{})
	wantError(t, err, ErrFormat, `a.file:2, column 2: "1e39" is beyond the range of float32; read it as float64`)
}

// TestReadCSVFirstError has an error in each of several chunks: the first in
// the file is the one reported.
func TestReadCSVFirstError(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		cell := "2"
		if i >= 3000 && i%100 == 0 {
			cell = fmt.Sprintf("x%d", i)
		}
		fmt.Fprintf(&text, "1,%s\n", cell)
	}
	for _, threads := range []int{1, 2, 7} {
		p := csvReader[float64]{r: strings.NewReader(text.String()), size: -1, options: ReadOptions{Threads: threads}, preferred: ',', chunk: 64}
		_, err := p.table()
		wantError(t, err, ErrFormat, `:3001, column 2: "x3000" where`)
	}
}

func TestReadCSVThreads(t *testing.T) {
	want := &Table[float64]{X: benchTable(200, 30, 17)}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		name := "row"
		for range rng.IntN(4) {
			name += []string{",", "\"", "\n", "\r\n", "x", " "}[rng.IntN(6)]
		}
		want.RowNames = append(want.RowNames, name)
	}
	var text bytes.Buffer
	if err := writeCSV(&text, want, nil); err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{1, 2, 7} {
		for _, chunk := range []int{0, 1, 100, 5000} {
			for _, size := range []int64{-1, int64(text.Len())} {
				p := csvReader[float64]{
					r: iotest.OneByteReader(bytes.NewReader(text.Bytes())), size: size,
					options: ReadOptions{Threads: threads}, preferred: ',', chunk: chunk,
				}
				got, err := p.table()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%d threads, chunks of %d: %s", threads, chunk, diff)
				}
			}
		}
	}
}

// drawNames draws names, or none.
func drawNames(t *rapid.T, n int, label string) []string {
	if rapid.Bool().Draw(t, label) {
		return nil
	}
	name := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z][A-Za-z0-9_.]{0,8}`),
		rapid.StringMatching("[a-zA-Z0-9 ,;\t\"\r\n#é]{0,6}"),
		rapid.SampledFrom([]string{"NA", "", "1e5", "12", "-", "inf", "1,5", ".", "# x", " a ", "0x1"}),
	)
	return rapid.SliceOfN(name, n, n).Draw(t, label)
}

func checkCSVRoundTrip[F matrix.Float](t *rapid.T, value *rapid.Generator[F]) {
	x := drawMatrix(t, finite(value))
	rows, cols := x.Dims()
	want := &Table[F]{X: x, RowNames: drawNames(t, rows, "row names"), ColumnNames: drawNames(t, cols, "column names")}
	o := ReadOptions{Header: No, RowNames: No, Threads: 2}
	if want.ColumnNames != nil {
		o.Header = Yes
	}
	if want.RowNames != nil {
		o.RowNames = Yes
	}
	delimiter := rapid.SampledFrom([]byte{',', '\t'}).Draw(t, "delimiter")
	o.Delimiter = rune(delimiter)
	var text bytes.Buffer
	if err := writeText(&text, want, delimiter); err != nil {
		t.Fatal(err)
	}
	got, err := readCSVText[F](text.String(), o)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
	if !sameBits(asDense(x), asDense(got.X)) || cmp.Diff(want.RowNames, got.RowNames) != "" || cmp.Diff(want.ColumnNames, got.ColumnNames) != "" {
		t.Fatalf("%v was read back as %v from\n%s", want, got, text.String())
	}
}

func TestCSVRoundTrip(t *testing.T) {
	t.Run("float32", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { checkCSVRoundTrip(t, rapid.Float32()) })
	})
	t.Run("float64", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { checkCSVRoundTrip(t, rapid.Float64()) })
	})
}

// TestCSVRoundTripUntold reads back what was written with nothing told: names
// that could pass for numbers are quoted for that.
func TestCSVRoundTripUntold(t *testing.T) {
	x := dense(2, 3, 1, 2, 3, 4, 5.5, 6)
	names := [][]string{nil, {"a", "b", "c"}, {"1", "2", "3"}, {"NA", "1e5", "x,\"y"}, {"a", "2", "3"}}
	for _, rows := range names {
		for _, columns := range names {
			want := &Table[float64]{X: x, ColumnNames: columns}
			if rows != nil {
				want.RowNames = rows[:2]
			}
			var text bytes.Buffer
			if err := writeTSV(&text, want, nil); err != nil {
				t.Fatal(err)
			}
			got, err := readTSV[float64](textSource(text.String()), &ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\n%s", text.String(), diff)
			}
		}
	}
}

func TestWriteCSV(t *testing.T) {
	tests := []struct {
		name  string
		table *Table[float64]
		want  string
	}{
		{"plain", &Table[float64]{X: dense(2, 2, 1, 0.1, 1e-9, 1e6)}, "1,0.1\n1e-09,1000000\n"},
		{"sparse", &Table[float64]{X: dense(2, 3, 0, 2, 0, 0, 0, 3).Sparse()}, "0,2,0\n0,0,3\n"},
		{"names", &Table[float64]{X: dense(1, 2, 1, 2), RowNames: []string{"r"}, ColumnNames: []string{"a", "b"}}, ",a,b\nr,1,2\n"},
		{"quoting", &Table[float64]{X: dense(1, 4, 1, 2, 3, 4), RowNames: []string{"#r"}, ColumnNames: []string{"a,b", `"c"`, "7", "\n"}},
			",\"a,b\",\"\"\"c\"\"\",\"7\",\"\n\"\n\"#r\",1,2,3,4\n"},
	}
	for _, test := range tests {
		var text bytes.Buffer
		if err := writeCSV(&text, test.table, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, text.String()); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	err := writeCSV(&bytes.Buffer{}, &Table[float64]{X: dense(0, 3)}, nil)
	wantError(t, err, ErrUnsupported, "a 0 x 3 matrix has no cell")
}

func TestGuessTable(t *testing.T) {
	tests := []struct {
		name, head string
		delimiter  delimiter
		ok         bool
	}{
		{"comma", "a,b\n1,2\n3,4\n5,", ',', true},
		{"tab", "n\ta\nr\t1\nr\t2\n", '\t', true},
		{"blanks", "1 2\n3 4\n", blanks, true},
		{"one line, cut", "gene,tp53,brca1", ',', true},
		{"numbers", "1\n2\n3\n", ',', true},
		{"prose", "This is a text.\nIt has lines, and commas.\nBut no numbers.\n", 0, false},
		{"binary", "\x89PNG\r\n\x1a\n", 0, false},
		{"zero bytes", "1,2\x00", 0, false},
	}
	for _, test := range tests {
		if d, ok := guessTable([]byte(test.head)); ok != test.ok || ok && d != test.delimiter {
			t.Errorf("%s: %q, %v", test.name, d, ok)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, text := range []string{
		"a,b\n1,2\n3,4\n", "n\ta\r\nr1\t1\r\nr2\t2", "\xef\xbb\xbf# x\n\"n\",\"a\"\"b\"\n\"r\n1\",1.5e3\n", " 1 2\n3  4 \n",
		"1;2,5\n", "1,2\n3\n", "1,NA\n", "\"1", "1,\"2\"x\n", "5\" a,1\n6\" b,2\n", "\r\"a\nb\" 1\n\rc 2\n", ",0,1\n0,1,2\n",
	} {
		f.Add([]byte(text), uint8(0))
		f.Add([]byte(text), uint8(5))
	}
	f.Fuzz(func(t *testing.T, text []byte, told uint8) {
		options := ReadOptions{Header: Choice(told % 3), RowNames: Choice(told / 3 % 3), Delimiter: []rune{0, ',', '\t', ' ', ';'}[told/9%5]}
		read := func(size int64, threads, chunk int) (*Table[float64], error) {
			o := options
			o.Threads = threads
			p := csvReader[float64]{r: bytes.NewReader(text), size: size, options: o, preferred: ',', chunk: chunk}
			return p.table()
		}
		got, err := read(int64(len(text)), 1, 0)
		guessTable(text)
		if err != nil {
			return
		}
		// A small sample may show less than a large one: only what was found
		// out decides what is compared.
		options.Header, options.RowNames = No, No
		if got.ColumnNames != nil {
			options.Header = Yes
		}
		if got.RowNames != nil {
			options.RowNames = Yes
		}
		var out bytes.Buffer
		if err := writeText(&out, got, ','); err != nil {
			t.Fatal(err)
		}
		text = out.Bytes()
		options.Delimiter = ','
		for _, threads := range []int{1, 3} {
			back, err := read(-1, threads, 3)
			if err != nil {
				t.Fatalf("%v in what was written:\n%s", err, text)
			}
			got.Notes, back.Notes = nil, nil
			if diff := cmp.Diff(got, back); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// TestCSVAgainstPandas reads what pandas and numpy write, and has them read
// what we write.
func TestCSVAgainstPandas(t *testing.T) {
	dir := t.TempDir()
	python(t, `
import sys, csv, numpy as np, pandas as pd
d = sys.argv[1]
rng = np.random.default_rng(0)
x = rng.random((50, 7)) * 10.0 ** rng.integers(-300, 300, (50, 7))
frame = pd.DataFrame(x, index=['row "%d", x' % i for i in range(50)], columns=['c;%d' % j for j in range(7)])
frame.to_csv(d + '/names.csv')
frame.to_csv(d + '/quoted.csv', quoting=csv.QUOTE_NONNUMERIC)
frame.to_csv(d + '/names.tsv', sep='\t')
pd.DataFrame(x).to_csv(d + '/numbered.csv')
pd.DataFrame(x).to_csv(d + '/bare.csv', index=False, header=False)
np.savetxt(d + '/blanks.txt', x, fmt='%.17g')
np.savetxt(d + '/header.txt', x, fmt='%.17g', delimiter=',', header='a,b,c,d,e,f,g')
x.tofile(d + '/x.bin')
`, dir)
	reference, err := Read[float64](filepath.Join(dir, "bare.csv"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var backs []string
	for _, test := range []struct {
		name              string
		rowNames, columns string
	}{
		{"names.csv", `row "0", x`, "c;0"}, {"quoted.csv", `row "0", x`, "c;0"}, {"names.tsv", `row "0", x`, "c;0"},
		{"numbered.csv", "0", "0"}, {"bare.csv", "", ""}, {"blanks.txt", "", ""}, {"header.txt", "", "a"},
	} {
		got, err := Read[float64](filepath.Join(dir, test.name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !sameBits(asDense(reference.X), asDense(got.X)) {
			t.Errorf("%s: other values", test.name)
		}
		first := func(names []string) string { return strings.Join(names[:min(1, len(names))], "") }
		if first(got.RowNames) != test.rowNames || first(got.ColumnNames) != test.columns {
			t.Errorf("%s: first row %q, first column %q", test.name, first(got.RowNames), first(got.ColumnNames))
		}
		back := filepath.Join(dir, "back-"+test.name+".csv")
		if err := Write(back, got, nil); err != nil {
			t.Fatal(err)
		}
		backs = append(backs, back, test.rowNames, test.columns)
	}
	python(t, `
import sys, numpy as np, pandas as pd
want, rest = np.fromfile(sys.argv[1]).reshape(50, 7), sys.argv[2:]
while rest:
    back, names, header, *rest = rest
    frame = pd.read_csv(back, index_col=0 if names else None, header=0 if header else None, float_precision='round_trip')
    assert (frame.to_numpy() == want).all(), back
    assert not names or str(frame.index[0]) == names, back
    assert not header or str(frame.columns[0]) == header, back
`, append([]string{filepath.Join(dir, "x.bin")}, backs...)...)
}

func TestReadSharedCSV(t *testing.T) {
	tests := []struct {
		path          string
		rows, cols    int
		rowName       string
		columnName    string
		first         float64
		options       ReadOptions
		wantedMessage string
	}{
		{"data/all-aml/esGolub.csv.gz", 5000, 38, "M12759_at", "ALL_19769_B-cell", 1080, ReadOptions{}, ""},
		{"data/all-aml/ALL_AML_data.txt.gz", 5000, 38, "", "", 1080, ReadOptions{}, ""},
		{"data/mutpatterns-nmf/mut_mat.csv", 96, 9, "", "", 0, ReadOptions{}, ""},
		{"data/sbs96-scenario8/Samples.txt.gz", 96, 1000, "A[C>A]A", "SP.Syn.Abst.1", 0, ReadOptions{}, ""},
		{"data/sbs96-scenario8/ground.truth.syn.exposures.csv.gz", 3, 1000, "SBS5", "SP.Syn.Abst.1", 1239.3895818848, ReadOptions{}, ""},
		{"data/sbs96-scenario8/ground.truth.syn.sigs.csv.gz", 0, 0, "", "", 0, ReadOptions{}, `:2, column 2: "ACA" where a number belongs (column "Trinucleotide")`},
		{"data/digits/digits.csv.gz", 1797, 65, "", "", 0, ReadOptions{}, ""},
		{"data/air-pmf/Dataset-StLouis-con.csv.gz", 418, 13, "6/22/2001 0:00", "Cd", 0.00254, ReadOptions{}, ""},
		{"data/air-pmf/Dataset-BatonRouge-con.csv.gz", 307, 41, "6/1/2005 6:00", "124-Trimethylbenzene", 0.530000332, ReadOptions{}, ""},
		{"data/air-pmf/esat-run/synthetic_contributions.csv.gz", 200, 6, "0", "Factor 1", 0.3229273610555974, ReadOptions{}, ""},
		{"data/air-pmf/esat-run/error/disp-cli_test-swaptable.csv.gz", 4, 7, "", "dQ Max", 4, ReadOptions{}, ""},
		{"data/movielens-small/ratings.csv.gz", 100023, 4, "", "", 1, ReadOptions{}, ""},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			path := testdata.Shared(t, test.path)
			got, err := Read[float64](path, &test.options)
			if test.wantedMessage != "" {
				wantError(t, err, ErrFormat, test.wantedMessage)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			x := got.X.(*matrix.Dense[float64])
			if x.Rows != test.rows || x.Cols != test.cols || test.first != 0 && x.At(0, 0) != test.first {
				t.Errorf("%d x %d, first cell %v", x.Rows, x.Cols, x.At(0, 0))
			}
			first := func(names []string) string { return strings.Join(names[:min(1, len(names))], "") }
			if test.rowName != "" && first(got.RowNames) != test.rowName || test.columnName != "" && first(got.ColumnNames) != test.columnName {
				t.Errorf("first row %q, first column %q", first(got.RowNames), first(got.ColumnNames))
			}
		})
	}
}
