package data

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partsof/nmf/matrix"
)

// namedTable has names that text formats have to take care of.
func namedTable(x matrix.Matrix[float64]) *Table[float64] {
	t := &Table[float64]{X: x}
	rows, cols := x.Dims()
	for i := range rows {
		t.RowNames = append(t.RowNames, "row "+string(rune('a'+i)))
	}
	for j := range cols {
		t.ColumnNames = append(t.ColumnNames, "column, "+string(rune('é'+j)))
	}
	return t
}

// TestWriteRead writes every format under every compression and reads it back.
func TestWriteRead(t *testing.T) {
	x := dense(3, 2, 1, 0, 0, 2.5, -1e300, 0)
	for _, kind := range []matrix.Matrix[float64]{x, x.Sparse()} {
		for _, name := range []string{
			"a.npy", "a.npz", "a.mtx", "a.csv", "a.tsv", "a.npy.gz", "a.csv.gz", "a.csv.zst", "a.mtx.gz", "A.CSV.GZ", "a.npz.zst",
		} {
			_, sparse := kind.(*matrix.CSR[float64])
			if sparse && strings.HasPrefix(name, "a.npy") {
				continue
			}
			path := filepath.Join(t.TempDir(), name)
			want := namedTable(kind)
			if err := Write(path, want, nil); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got, err := Read[float64](path, nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !sameBits(asDense(got.X), x) {
				t.Errorf("%s: %v became %v", name, x, asDense(got.X))
			}
			if ext, _ := splitExtension(name); ext == ".npz" || ext == ".csv" || ext == ".tsv" {
				if !cmp.Equal(got.RowNames, want.RowNames) || !cmp.Equal(got.ColumnNames, want.ColumnNames) {
					t.Errorf("%s: names became %q, %q", name, got.RowNames, got.ColumnNames)
				}
			}
			checkStream(t, name, path, want)
		}
	}
}

// checkStream wants the same bytes again, and from WriteTo.
func checkStream(t *testing.T, name, path string, table *Table[float64]) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := WriteTo(&stream, name, table, nil); err != nil || !bytes.Equal(file, stream.Bytes()) {
		t.Errorf("%s: the stream differs from the file: %v", name, err)
	}
	if compressed := !bytes.HasPrefix(file, []byte("\x93NUMPY")); strings.HasSuffix(name, ".npy.gz") && !compressed {
		t.Errorf("%s is not compressed", name)
	}
}

// TestWriteStreamed: what is read block by block gives the bytes of the same in memory,
// formats that need all of it refuse it, and an error of reading is one of writing.
func TestWriteStreamed(t *testing.T) {
	x := matrix.NewDense[float64](1000, 300) // more than a block
	for i := range x.Data {
		x.Data[i] = float64(i % 77)
	}
	broken := errors.New("the disk is gone")
	streamed := func(until int) *Table[float64] {
		return &Table[float64]{X: &matrix.Streamed[float64]{Rows: x.Rows, Cols: x.Cols, Read: func(first int, dst []float64) error {
			if first >= until {
				return broken
			}
			copy(dst, x.Data[first*x.Cols:])
			return nil
		}}}
	}
	for _, name := range []string{"a.npy", "a.csv", "a.tsv", "a.npy.gz"} {
		var want, got bytes.Buffer
		if err := errors.Join(WriteTo(&want, name, &Table[float64]{X: x}, nil), WriteTo(&got, name, streamed(x.Rows), nil)); err != nil || !bytes.Equal(want.Bytes(), got.Bytes()) {
			t.Errorf("%s: %d bytes became %d, %v", name, want.Len(), got.Len(), err)
		}
		if err := WriteTo(io.Discard, name, streamed(1), nil); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
		if !WritesRows(name, nil) {
			t.Errorf("%s is not written by rows", name)
		}
	}
	for _, name := range []string{"a.npz", "a.mtx"} {
		if err := WriteTo(io.Discard, name, streamed(x.Rows), nil); !errors.Is(err, ErrUnsupported) || WritesRows(name, nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteStdout(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	err = Write("-", &Table[float64]{X: dense(1, 2, 1, 2.5), ColumnNames: []string{"a", "b"}}, nil)
	os.Stdout = old
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(r); err != nil || string(out) != "a,b\n1,2.5\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	table := &Table[float64]{X: dense(1, 2, 1, 2)}
	sparse := &Table[float64]{X: dense(1, 2, 1, 2).Sparse()}
	tests := []struct {
		name  string
		table *Table[float64]
		o     WriteOptions
		err   error
		says  string
	}{
		{"a", table, WriteOptions{}, ErrUnsupported, "a: the extension tells no format; formats to write are 10x, csv, mtx, npy, npz, tsv"},
		{"a.xlsx", table, WriteOptions{}, ErrUnsupported, "the extension tells no format"},
		{"a.csv", table, WriteOptions{Format: "cvs"}, ErrUnsupported, `there is no format "cvs"`},
		{"a.csv.bz2", table, WriteOptions{}, ErrUnsupported, "no output is compressed as .bz2; use .gz or .zst"},
		{"a.npy", sparse, WriteOptions{}, ErrUnsupported, "a .npy file holds no sparse matrix; write .npz"},
		{"no/such/a.csv", table, WriteOptions{}, fs.ErrNotExist, `no/such" does not exist`},
		{"no/such/a", table, WriteOptions{Format: "10x"}, fs.ErrNotExist, `no/such" does not exist`},
		{"a.csv", &Table[float64]{X: table.X, RowNames: []string{"a", "b"}}, WriteOptions{}, ErrFormat, "2 row names for 1 row"},
		{"a.csv", &Table[float64]{X: table.X, ColumnNames: []string{"a"}}, WriteOptions{}, ErrFormat, "1 column name for 2 columns"},
		{"a.npz", &Table[float64]{X: table.X, RowNames: []string{"a\nb"}}, WriteOptions{}, ErrUnsupported, "line break in line 1 of row_names.txt"},
	}
	for _, tt := range tests {
		path := filepath.Join(dir, tt.name)
		err := Write(path, tt.table, &tt.o)
		wantError(t, err, tt.err, tt.says)
		if !strings.Contains(err.Error(), path) {
			t.Errorf("the error names no file: %v", err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	err := WriteTo(io.Discard, "a", table, &WriteOptions{Format: "10x"})
	wantError(t, err, ErrUnsupported, "is a folder and cannot be a stream")
}

// TestWriteFullDisk has every format report what the disk says.
func TestWriteFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skipf("no full disk to write to: %v", err)
	}
	for _, f := range Formats() {
		if f.Folder || !f.CanWrite {
			continue
		}
		err := Write(full, &Table[float64]{X: matrix.NewDense[float64](500, 300)}, &WriteOptions{Format: f.Name})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), full) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

func TestWriteToErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, name := range []string{"a.csv", "a.npy", "a.npz", "a.mtx", "a.csv.gz", "a.csv.zst"} {
		err := WriteTo(failingWriter{broken}, name, &Table[float64]{X: dense(1, 2, 1, 2)}, nil)
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteFolder(t *testing.T) {
	dir := t.TempDir()
	table := namedTable(dense(2, 2, 1, 0, 3, 4))
	o := &WriteOptions{Format: "10x"}
	for _, name := range []string{"new", "new2/"} {
		if err := Write(filepath.Join(dir, name), table, o); err != nil {
			t.Fatal(err)
		}
		got, err := Read[float64](filepath.Join(dir, name), nil)
		if err != nil || !sameBits(asDense(got.X), asDense(table.X)) {
			t.Errorf("%v, %v", got, err)
		}
	}
	wantError(t, Write(filepath.Join(dir, "new"), table, o), fs.ErrExist, "exists and is not empty")
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Write(empty, table, o); err != nil {
		t.Errorf("into an empty folder: %v", err)
	}
	file := writeTemp(t, "a", nil)
	if err := Write(file, table, o); err == nil {
		t.Error("a folder was written over a file")
	}
}
