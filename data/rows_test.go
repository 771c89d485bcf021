package data

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// rowFiles are matrices of 300 x 7 in files of every kind that Rows knows.
func rowFiles(t testing.TB) map[string]string {
	t.Helper()
	dense := matrix.NewDense[float64](300, 7)
	for i := range dense.Data {
		if i%3 > 0 && i > 700 { // the first rows are empty
			dense.Data[i] = float64(i % 50)
		}
	}
	dir := t.TempDir()
	names, columns := make([]string, 300), strings.Split("a b c d e f g", " ")
	for i := range names {
		names[i] = fmt.Sprint("row", i)
	}
	files := map[string]string{}
	for kind, x := range map[string]matrix.Matrix[float64]{"x.npy": dense, "dense.npz": dense, "csr.npz": dense.Sparse(), "x.mtx": dense.Sparse(), "x.csv": dense} {
		table := &Table[float64]{X: x, RowNames: names, ColumnNames: columns}
		if kind == "x.npy" || kind == "x.mtx" {
			table.RowNames, table.ColumnNames = nil, nil
		}
		files[kind] = filepath.Join(dir, kind)
		if err := Write(files[kind], table, nil); err != nil {
			t.Fatal(err)
		}
	}
	// As scipy.sparse.save_npz(compressed=False) writes it.
	files["stored.npz"] = filepath.Join(dir, "stored.npz")
	s := dense.Sparse()
	f, err := os.Create(files["stored.npz"])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := npy.NewWriter(f)
	pointers := make([]int32, len(s.RowPtr))
	for i, p := range s.RowPtr {
		pointers[i] = int32(p)
	}
	for _, err := range []error{
		npy.WriteMember(z, "indices", false, []int{s.NNZ()}, s.ColIdx), npy.WriteMember(z, "indptr", false, []int{301}, pointers),
		z.WriteText("format", "csr"), npy.WriteMember(z, "shape", false, []int{2}, []int64{300, 7}),
		npy.WriteMember(z, "data", false, []int{s.NNZ()}, s.Val), z.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestRows: the parts of a file, put together, are the file.
func TestRows(t *testing.T) {
	for kind, path := range rowFiles(t) {
		whole, err := Read[float32](path, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := denseOf(whole.X)
		r, err := OpenRows[float32](path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Total != 300 || r.Columns != 7 || r.Whole != (r.Note() != "") || r.Whole != slices.Contains([]string{"dense.npz", "x.mtx", "x.csv"}, kind) {
			t.Errorf("%s: %d x %d, whole %v", kind, r.Total, r.Columns, r.Whole)
		}
		for _, n := range []int{1, 2, 3, 7} {
			parts, err := r.Parts(n)
			if err != nil || len(parts) != n+1 || parts[0] != 0 || parts[n] != 300 || !slices.IsSorted(parts) {
				t.Fatalf("%s: parts %v, %v", kind, parts, err)
			}
			for i := range n {
				from, to := parts[i], parts[i+1]
				if from%64 != 0 && from != 300 {
					t.Errorf("%s: a part begins at %d", kind, from)
				}
				checkPart(t, kind, r, whole, want, from, to)
			}
		}
		checkPart(t, kind, r, whole, want, 17, 201)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func denseOf(x matrix.Matrix[float32]) *matrix.Dense[float32] {
	if s, ok := x.(*matrix.CSR[float32]); ok {
		return s.Dense()
	}
	return x.(*matrix.Dense[float32])
}

func checkPart(t *testing.T, kind string, r *Rows[float32], whole *Table[float32], want *matrix.Dense[float32], from, to int) {
	t.Helper()
	part, err := r.Read(from, to)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	if s, ok := part.X.(*matrix.CSR[float32]); ok {
		if err := s.Check(); err != nil {
			t.Errorf("%s: rows %d to %d: %v", kind, from, to, err)
		}
	}
	got := denseOf(part.X)
	if got.Rows != to-from || got.Cols != want.Cols {
		t.Fatalf("%s: rows %d to %d are %d x %d", kind, from, to, got.Rows, got.Cols)
	}
	for i := range got.Rows {
		if !slices.Equal(got.Row(i), want.Row(from+i)) {
			t.Errorf("%s: row %d of those from %d is %v, not %v", kind, i, from, got.Row(i), want.Row(from+i))
		}
	}
	if whole.RowNames != nil && !slices.Equal(part.RowNames, whole.RowNames[from:to]) || !slices.Equal(part.ColumnNames, whole.ColumnNames) {
		t.Errorf("%s: names %v, %v", kind, part.RowNames, part.ColumnNames)
	}
	stream := r.Stream(from, to)
	if (stream != nil) != (kind == "x.npy") {
		t.Errorf("%s: a stream: %v", kind, stream)
	}
	if stream == nil || from == to {
		return
	}
	x := stream.X.(*matrix.Streamed[float32])
	row := make([]float32, 7)
	for _, i := range []int{0, x.Rows - 1} {
		if err := x.Read(i, row); err != nil || !slices.Equal(row, want.Row(from+i)) {
			t.Errorf("%s: row %d of a stream: %v, %v", kind, i, row, err)
		}
	}
}

// TestPartsByStoredCells: the empty rows at the beginning go to the first part.
func TestPartsByStoredCells(t *testing.T) {
	r, err := OpenRows[float32](rowFiles(t)["csr.npz"], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if parts, err := r.Parts(2); err != nil || parts[1] != 192 {
		t.Errorf("parts %v, %v", parts, err)
	}
}

// TestRowsOfAFileThatChanges: a stream of a part notices it, as one of all does.
func TestRowsOfAFileThatChanges(t *testing.T) {
	path := rowFiles(t)["x.npy"]
	r, err := OpenRows[float64](path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x := r.Stream(64, 128).X.(*matrix.Streamed[float64])
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "more"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := x.Read(0, make([]float64, 7)); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("%v", err)
	}
}

// TestRowsRefused: what is wrong with a CSR matrix is told by the part that it is
// in.
func TestRowsRefused(t *testing.T) {
	for _, test := range []struct {
		name, want string
		indptr     []int64
		indices    []int32
		data       []float64
	}{
		{"falls", "row 2: indptr falls from 2 to 1", []int64{0, 2, 1, 3}, []int32{0, 1, 0}, []float64{1, 2, 3}},
		{"beyond", "row 3: indptr is 9 with 3 indices", []int64{0, 1, 2, 9}, []int32{0, 1, 0}, []float64{1, 2, 3}},
		{"begins late", "indptr starts at 1, not 0", []int64{1, 1, 2, 3}, []int32{0, 1, 0}, []float64{1, 2, 3}},
		{"no such column", "row 3: index 5 with 2 columns", []int64{0, 1, 2, 3}, []int32{0, 1, 5}, []float64{1, 2, 3}},
		{"too few values", "3 indices but 2 values", []int64{0, 1, 2, 3}, []int32{0, 1, 0}, []float64{1, 2}},
		{"too few pointers", "indptr has shape (3,) for 3 rows", []int64{0, 1, 3}, []int32{0, 1, 0}, []float64{1, 2, 3}},
	} {
		path := filepath.Join(t.TempDir(), "x.npz")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z := npy.NewWriter(f)
		for _, err := range []error{
			npy.WriteMember(z, "indices", false, []int{len(test.indices)}, test.indices), npy.WriteMember(z, "indptr", false, []int{len(test.indptr)}, test.indptr),
			z.WriteText("format", "csr"), npy.WriteMember(z, "shape", false, []int{2}, []int64{3, 2}),
			npy.WriteMember(z, "data", false, []int{len(test.data)}, test.data), z.Close(), f.Close(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r, err := OpenRows[float32](path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(0, 3); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, not %q", test.name, err, test.want)
		}
		r.Close()
	}
	if _, err := OpenRows[float32]("/nowhere/x.npz", nil); err == nil || !strings.Contains(err.Error(), "/nowhere/x.npz") {
		t.Errorf("no file: %v", err)
	}
}

// FuzzRows reads any archive by parts: without panic, and where it can be read
// whole the parts are it.
func FuzzRows(f *testing.F) {
	for _, path := range rowFiles(f) {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x.npz")
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		whole, failed := Read[float32](path, nil)
		r, err := OpenRows[float32](path, nil)
		if err != nil {
			if failed == nil {
				t.Fatalf("whole it can be read, by rows not: %v", err)
			}
			return
		}
		defer r.Close()
		if failed == nil && r.Total*r.Columns > 1<<16 {
			return // dense it would be large
		}
		parts, err := r.Parts(3)
		if err != nil {
			if failed == nil {
				t.Fatalf("whole it can be read, but not be divided: %v", err)
			}
			return
		}
		for i := range 3 {
			part, err := r.Read(parts[i], parts[i+1])
			if failed != nil {
				continue
			}
			if err != nil {
				t.Fatalf("whole it can be read, rows %d to %d not: %v", parts[i], parts[i+1], err)
			}
			got, want := denseOf(part.X), denseOf(whole.X)
			for i2 := range got.Rows {
				for j, v := range got.Row(i2) {
					if w := want.At(parts[i]+i2, j); v != w && (v == v || w == w) {
						t.Fatalf("row %d, column %d is %v, not %v", parts[i]+i2, j, v, w)
					}
				}
			}
		}
	})
}
