package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// streamOf reads content as a stream that comes as r lets it.
func streamOf(name string, r io.Reader, o *ReadOptions) (*RowStream[float64], error) {
	if o == nil {
		o = &ReadOptions{}
	}
	return streamRows[float64](&source{path: name, name: name, r: bufio.NewReaderSize(r, bufferSize), size: -1}, o)
}

// allRows reads a stream to its end, by batches of a size. The error is nil at
// the end.
func allRows(s *RowStream[float64], batch int) (x *matrix.Dense[float64], names []string, lines []int, err error) {
	var vals []float64
	for err == nil {
		var r *Rows[float64]
		if r, err = s.Next(context.Background(), batch); r != nil {
			if r.First*r.X.Cols != len(vals) || err == nil && r.X.Rows != batch {
				return nil, nil, nil, errors.New("batches do not follow each other")
			}
			vals, names, lines = append(vals, r.X.Data...), append(names, r.RowNames...), append(lines, r.Lines...)
		}
	}
	if err == io.EOF {
		err = nil
	}
	if s.Cols() == 0 {
		return nil, nil, nil, err
	}
	x, shapeErr := matrix.FromSlice(len(vals)/s.Cols(), s.Cols(), vals)
	return x, names, lines, errors.Join(err, shapeErr)
}

const rowsText = "# about\n,a,b\nx,1,2\n\n\"y\nz\",3,4\nw,5,6\n"

// TestRowsLikeRead: a stream holds what Read finds in a file, however it comes.
func TestRowsLikeRead(t *testing.T) {
	var array bytes.Buffer
	if err := npy.Write(&array, []int{3, 2}, []float32{1, 2, 3, 4, 5, 6}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"named.csv": rowsText, "plain.csv": "1,2\n3,4\n", "semicolon.csv": "a;b\n1;2\n3;4", "tabs.tsv": "a\tb\n1\t2\n", "blanks.txt": "1 2\n3  4 \n 5 6\n",
		"long.csv": "a,b\n" + strings.Repeat("1.5,2\n3,0\n", 30000), "one.csv": "3\n4\n5\n", "a.npy": array.String(),
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		want, err := Read[float64](path, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "bytes": iotest.OneByteReader, "data with EOF": iotest.DataErrReader,
		} {
			if how == "bytes" && len(text) > 1000 {
				continue
			}
			for _, batch := range []int{1, 2, 1000, 1 << 20} {
				if batch < 1000 && len(text) > 1000 {
					continue
				}
				s, err := streamOf(name, wrap(strings.NewReader(text)), nil)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, how, err)
				}
				x, names, _, err := allRows(s, batch)
				s.Close()
				if err != nil {
					t.Fatalf("%s, %s: %v", name, how, err)
				}
				d := want.X.(*matrix.Dense[float64])
				if x.Rows != d.Rows || !slices.Equal(x.Data, d.Data) || !slices.Equal(names, want.RowNames) || !slices.Equal(s.ColumnNames, want.ColumnNames) {
					t.Errorf("%s, %s: %d x %d, names %q and %q; want %d x %d, %q and %q", name, how, x.Rows, x.Cols, names, s.ColumnNames, d.Rows, d.Cols, want.RowNames, want.ColumnNames)
				}
			}
		}
	}
}

func TestRowsLines(t *testing.T) {
	s, err := streamOf("x.csv", strings.NewReader(rowsText), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, lines, err := allRows(s, 2)
	if want := []int{3, 5, 7}; err != nil || !slices.Equal(lines, want) {
		t.Errorf("lines %v (%v), want %v", lines, err, want)
	}
}

// TestRowsErrors: rows before what is wrong come first, then the error with its
// line.
func TestRowsErrors(t *testing.T) {
	var array bytes.Buffer
	if err := npy.Write(&array, []int{3, 2}, []float64{1, 2, 3, 4, 5, 6}); err != nil {
		t.Fatal(err)
	}
	fortran := "\x93NUMPY\x01\x00\x46\x00" + "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }" + strings.Repeat(" ", 11) + "\n"
	for _, c := range []struct {
		text, want string
		rows       int
		o          *ReadOptions
	}{
		{"a,b\n1,2\n3,4\n5,6,7\n8,9\n", "in:4: the line has 3 fields, where the header makes it 2", 2, nil},
		{"1,2\n3,4\n5\n", "in:3: the line has 1 field, where the first line makes it 2", 2, nil},
		{"a,b\n1,2\n3,x\n", `in:3, column 2: "x" where a number belongs (column "b")`, 1, nil},
		{"1,2\n3,\"4\n5,6\n", "in:2, column 2: the quote that opens a field here is never closed", 1, nil},
		{"", "in: the input is empty", 0, nil},
		{"a,b\n", "in:1: there is a header but no line of data", 0, nil},
		{"%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 1\n", "in: format mtx is not read row by row; csv, tsv and npy are; save it to a file and name that", 0, nil},
		{"1,2\n", "in: a stream of rows cannot be turned round; save it to a file and name that", 0, &ReadOptions{Transpose: true}},
		{"1,2\n", "in: format mtx is not read row by row; csv, tsv and npy are; save it to a file and name that", 0, &ReadOptions{Format: "mtx"}},
		{fortran, "in: the array is in Fortran order, column by column; save it with numpy.ascontiguousarray to read it row by row", 0, nil},
	} {
		s, err := streamOf("in", strings.NewReader(c.text), c.o)
		rows := 0
		if err == nil {
			var x *matrix.Dense[float64]
			if x, _, _, err = allRows(s, 10); x != nil {
				rows = x.Rows
			}
			s.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || rows != c.rows {
			t.Errorf("%.30q: %d rows, then %v; want %d and %s", c.text, rows, err, c.rows, c.want)
		}
	}
	short := array.String()
	s, err := streamOf("in", strings.NewReader(short[:len(short)-3]), nil)
	if err == nil {
		_, _, _, err = allRows(s, 10)
	}
	if !errors.Is(err, ErrTruncated) || !strings.Contains(err.Error(), "after row 0") {
		t.Errorf("an array that is cut short: %v", err)
	}
}

// TestRowsAsTheyCome: rows that have come are given when the context ends, while
// the input goes on.
func TestRowsAsTheyCome(t *testing.T) {
	r, w := io.Pipe()
	go io.WriteString(w, strings.Repeat("1,2\n", 150))
	s, err := streamOf("in", r, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Next(context.Background(), 120)
	if err != nil || first.X.Rows != 120 {
		t.Fatalf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var rest *Rows[float64]
	for rest == nil { // the last rows are under way
		if rest, err = s.Next(ctx, 1000); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if rest.First != 120 || rest.X.Rows > 30 {
		t.Errorf("%d rows from %d on", rest.X.Rows, rest.First)
	}
	s.Close()
	w.Close()
}

func FuzzRows(f *testing.F) {
	for _, text := range []string{
		rowsText, "1,2\n3,4\n", "a;b\n1;2\n3;4", "1 2\n3  4 \n", "a,b\n1,2\n3\n", "1,\"2\n", "# x\n", "\xef\xbb\xbf1\n", "a\r\n1\r\n",
		"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }          \n12345678",
	} {
		f.Add([]byte(text), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text []byte, batch uint8) {
		read := func(r io.Reader, batch int) (*matrix.Dense[float64], []int, error) {
			s, err := streamOf("in", r, nil)
			if err != nil {
				return nil, nil, err
			}
			defer s.Close()
			x, _, lines, err := allRows(s, batch)
			return x, lines, err
		}
		x, lines, err := read(bytes.NewReader(text), int(batch)+1)
		y, again, err2 := read(iotest.HalfReader(bytes.NewReader(text)), 3)
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Fatalf("%v, and as it comes %v", err, err2)
		}
		if (x == nil) != (y == nil) {
			t.Fatal("a matrix in one way alone")
		}
		if x == nil {
			return
		}
		same := func(a, b float64) bool { return a == b || a != a && b != b }
		if x.Rows != y.Rows || !slices.EqualFunc(x.Data, y.Data, same) || !slices.Equal(lines, again) {
			t.Fatalf("%v and %v", x, y)
		}
	})
}
