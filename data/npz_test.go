package data

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// sparseParts are the members of a scipy.sparse matrix; nil ones are left out.
type sparseParts struct {
	format                string
	shape                 []int64
	indptr, indices       any
	row, col              []int32
	data                  []float64
	rowNames, columnNames []string
}

// example is [[1 0 2] [0 0 0] [3 4 0]] in CSR.
func example() sparseParts {
	return sparseParts{
		format: "csr", shape: []int64{3, 3},
		indptr: []int32{0, 2, 2, 4}, indices: []int32{0, 2, 0, 1}, data: []float64{1, 2, 3, 4},
	}
}

var exampleDense = dense(3, 3, 1, 0, 2, 0, 0, 0, 3, 4, 0)

func (p sparseParts) file(t testing.TB) []byte {
	return npzFile(t, func(z *npy.Writer) error {
		err := errors.Join(
			addIntegers(z, "indptr", p.indptr), addIntegers(z, "indices", p.indices),
			npy.WriteMember(z, "shape", false, []int{len(p.shape)}, p.shape),
			npy.WriteMember(z, "data", false, []int{len(p.data)}, p.data),
			z.WriteText("format", p.format),
		)
		if p.row != nil {
			err = errors.Join(err, addIntegers(z, "row", p.row), addIntegers(z, "col", p.col))
		}
		if p.rowNames != nil {
			err = errors.Join(err, z.WriteLines(rowNamesMember, p.rowNames))
		}
		if p.columnNames != nil {
			err = errors.Join(err, z.WriteLines(columnNamesMember, p.columnNames))
		}
		return err
	})
}

func addIntegers(z *npy.Writer, key string, list any) error {
	switch list := list.(type) {
	case []int32:
		return npy.WriteMember(z, key, false, []int{len(list)}, list)
	case []int64:
		return npy.WriteMember(z, key, false, []int{len(list)}, list)
	case []float64:
		return npy.WriteMember(z, key, false, []int{len(list)}, list)
	}
	return nil
}

func TestReadSparse(t *testing.T) {
	const summed = "1 cell given more than once was summed"
	tests := []struct {
		name   string
		change func(p *sparseParts)
		want   *matrix.Dense[float64]
		note   string
	}{
		{"csr", func(*sparseParts) {}, exampleDense, ""},
		{"64-bit indices", func(p *sparseParts) { p.indptr, p.indices = []int64{0, 2, 2, 4}, []int64{0, 2, 0, 1} }, exampleDense, ""},
		{"unsorted", func(p *sparseParts) { p.indices, p.data = []int32{2, 0, 1, 0}, []float64{2, 1, 4, 3} }, exampleDense, ""},
		{"twice", func(p *sparseParts) { p.indices = []int32{0, 2, 1, 1} }, dense(3, 3, 1, 0, 2, 0, 0, 0, 0, 7, 0), summed},
		{"spare room", func(p *sparseParts) { p.indices, p.data = []int32{0, 2, 0, 1, 77}, []float64{1, 2, 3, 4, 5} }, exampleDense, ""},
		{"csc", func(p *sparseParts) { p.format = "csc" }, exampleDense.T(), ""},
		{"csc unsorted, twice", func(p *sparseParts) { p.format, p.indices = "csc", []int32{2, 0, 1, 1} }, dense(3, 3, 2, 0, 0, 0, 0, 7, 1, 0, 0), summed},
		{"coo", func(p *sparseParts) {
			p.format, p.indptr, p.indices = "coo", nil, nil
			p.row, p.col, p.data = []int32{2, 0, 2, 0, 0}, []int32{1, 2, 0, 0, 2}, []float64{4, 1.5, 3, 1, 0.5}
		}, exampleDense, summed},
		{"no cells", func(p *sparseParts) { p.indptr, p.indices, p.data = []int32{0, 0, 0, 0}, []int32{}, nil }, dense(3, 3, make([]float64, 9)...), ""},
		{"no rows", func(p *sparseParts) {
			p.shape, p.indptr, p.indices, p.data = []int64{0, 3}, []int32{0}, []int32{}, nil
		}, dense(0, 3), ""},
	}
	for _, tt := range tests {
		p := example()
		tt.change(&p)
		got, err := readBytes[float64](t, "a.npz", p.file(t), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		x, ok := got.X.(*matrix.CSR[float64])
		if !ok || x.Check() != nil || !sameBits(x.Dense(), tt.want) || strings.Join(got.Notes, "; ") != tt.note {
			t.Errorf("%s: %v, notes %q; want %v", tt.name, got.X, got.Notes, tt.want)
		}
	}
}

func TestReadSparseErrors(t *testing.T) {
	coo := func(p *sparseParts) {
		p.format, p.row, p.col = "coo", []int32{0, 0, 2, 2}, []int32{0, 2, 0, 1}
	}
	tests := []struct {
		name   string
		change func(p *sparseParts)
		err    error
		says   string
	}{
		{"index beyond", func(p *sparseParts) { p.indices = []int32{0, 3, 0, 1} }, ErrFormat, "row 1: index 3 with 3 columns"},
		{"index below", func(p *sparseParts) { p.indices = []int32{0, -1, 0, 1} }, ErrFormat, "row 1: index -1 with 3 columns"},
		{"index beyond, csc", func(p *sparseParts) { p.format, p.indices = "csc", []int32{0, 3, 0, 1} }, ErrFormat, "column 1: index 3 with 3 rows"},
		{"index beyond 32 bits", func(p *sparseParts) { p.indices = []int64{0, 1 << 40, 0, 1} }, ErrFormat, `member "indices.npy": out of range: element 2, 1099511627776, does not fit in int32`},
		{"index of a fraction", func(p *sparseParts) { p.indices = []float64{0, 2, 0, 1} }, ErrUnsupported, "where integers are wanted"},
		{"pointer falls", func(p *sparseParts) { p.indptr = []int32{0, 3, 2, 4} }, ErrFormat, "row 2: indptr falls from 3 to 2"},
		{"pointer beyond", func(p *sparseParts) { p.indptr = []int32{0, 2, 2, 5} }, ErrFormat, "row 3: indptr is 5 with 4 indices"},
		{"pointers start late", func(p *sparseParts) { p.indptr = []int32{1, 2, 2, 4} }, ErrFormat, "indptr starts at 1, not 0"},
		{"pointer below", func(p *sparseParts) { p.indptr = []int64{0, -1 << 62, 2, 4} }, ErrFormat, "falls"},
		{"too few pointers", func(p *sparseParts) { p.indptr = []int32{0, 2, 4} }, ErrFormat, "indptr has shape (3,) for 3 rows"},
		{"too few values", func(p *sparseParts) { p.data = p.data[:3] }, ErrFormat, "4 indices but 3 values"},
		{"no indptr", func(p *sparseParts) { p.indptr = nil }, ErrFormat, `no member "indptr.npy"`},
		{"bsr", func(p *sparseParts) { p.format = "bsr" }, ErrUnsupported, "format bsr stores blocks or diagonals, not single cells; save it with .tocsr()"},
		{"dia", func(p *sparseParts) { p.format = "dia" }, ErrUnsupported, "format dia"},
		{"other", func(p *sparseParts) { p.format = "xyz" }, ErrUnsupported, `unknown scipy.sparse format "xyz"`},
		{"one axis", func(p *sparseParts) { p.shape = []int64{3} }, ErrUnsupported, "the sparse matrix has not two axes"},
		{"negative shape", func(p *sparseParts) { p.shape = []int64{3, -3} }, ErrFormat, "the shape is [3 -3]"},
		{"large shape", func(p *sparseParts) { p.shape = []int64{3, 1 << 31} }, ErrUnsupported, "3 x 2147483648: a matrix has at most"},
		{"empty columns", func(p *sparseParts) { p.shape = []int64{3, 1<<31 - 1} }, ErrFormat, "the shape has 2147483647 columns, but only 4 cells are stored; leave out empty rows"},
		{"empty rows, csc", func(p *sparseParts) { p.format, p.shape = "csc", []int64{1<<31 - 1, 3} }, ErrFormat, "2147483647 rows, but only"},
		{"more rows than pointers", func(p *sparseParts) { p.shape = []int64{1<<31 - 1, 3} }, ErrFormat, "indptr has shape (4,) for 2147483647 rows"},
		{"empty rows, coo", func(p *sparseParts) { coo(p); p.shape = []int64{1<<31 - 1, 3} }, ErrFormat, "but only 4 cells are stored"},
		{"coo row beyond", func(p *sparseParts) { coo(p); p.row = []int32{0, 0, 2, 3} }, ErrFormat, "cell (4, 2) in a 3 x 3 matrix"},
		{"coo column below", func(p *sparseParts) { coo(p); p.col = []int32{0, 2, -1, 1} }, ErrFormat, "cell (3, 0)"},
		{"coo of two lengths", func(p *sparseParts) { coo(p); p.col = p.col[:3] }, ErrFormat, "4 row indices but 3 column indices"},
		{"coo without rows", func(p *sparseParts) { p.format = "coo" }, ErrFormat, `no member "row.npy"`},
		{"names", func(p *sparseParts) { p.rowNames = []string{"a"} }, ErrFormat, "1 row name for 3 rows"},
	}
	for _, tt := range tests {
		p := example()
		tt.change(&p)
		path := writeTemp(t, "a.npz", p.file(t))
		used := allocated(func() {
			_, err := Read[float64](path, nil)
			wantError(t, err, tt.err, path+": ")
			wantError(t, err, tt.err, tt.says)
		})
		if used > 8<<20 {
			t.Errorf("%s: allocated %d bytes", tt.name, used)
		}
	}
}

// arrays makes an archive of arrays that are filled with their place, by name
// and shape; a shape of nil is a text.
func arrays(t testing.TB, shapes map[string][]int, extra ...string) []byte {
	return npzFile(t, func(z *npy.Writer) error {
		for _, key := range []string{"A", "B", "W", "H", "X", "labels", "stack"} {
			shape, ok := shapes[key]
			if !ok {
				continue
			}
			if shape == nil {
				if err := z.WriteText(key, "some text"); err != nil {
					return err
				}
				continue
			}
			n := 1
			for _, d := range shape {
				n *= d
			}
			data := make([]float32, n)
			for i := range data {
				data[i] = float32(i)
			}
			if err := npy.WriteMember(z, key, false, shape, data); err != nil {
				return err
			}
		}
		for _, name := range extra {
			if err := z.WriteLines(name, []string{"a", "b"}); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestReadNPZArrays(t *testing.T) {
	type shapes = map[string][]int
	tests := []struct {
		name       string
		content    []byte
		key        string
		rows, cols int
	}{
		{"the only one", arrays(t, shapes{"A": {2, 3}}), "", 2, 3},
		{"the only one with two axes", arrays(t, shapes{"A": {7}, "X": {2, 3}, "stack": {2, 2, 2}}), "", 2, 3},
		{"the only numbers", arrays(t, shapes{"A": {7}, "labels": nil}), "", 7, 1},
		{"by key", arrays(t, shapes{"A": {2, 3}, "B": {4, 5}}), "B", 4, 5},
		{"by file name", arrays(t, shapes{"A": {2, 3}, "B": {4, 5}}), "B.npy", 4, 5},
		{"stack by key", arrays(t, shapes{"A": {2, 3}, "stack": {2, 2, 2}}), "stack", 2, 4},
		{"within a model", arrays(t, shapes{"W": {2, 3}, "H": {3, 5}}, modelMember), "H", 3, 5},
		{"within a sparse matrix", example().file(t), "data", 4, 1},
	}
	for _, tt := range tests {
		got, err := readBytes[float64](t, "a.npz", tt.content, &ReadOptions{Key: tt.key})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if rows, cols := got.X.Dims(); rows != tt.rows || cols != tt.cols {
			t.Errorf("%s: %d x %d, want %d x %d", tt.name, rows, cols, tt.rows, tt.cols)
		}
	}
}

func TestReadNPZNames(t *testing.T) {
	type shapes = map[string][]int
	names := []string{"a", "b"}
	square := shapes{"X": {2, 2}, "W": {2, 2}, "H": {2, 2}, "B": {3, 2}}
	both := []string{rowNamesMember, columnNamesMember}
	tests := []struct {
		name       string
		content    []byte
		key        string
		rows, cols []string
	}{
		{"both", arrays(t, shapes{"X": {2, 2}}, both...), "", names, names},
		{"rows", arrays(t, shapes{"X": {2, 3}}, rowNamesMember), "", names, nil},
		{"both by key", arrays(t, square, both...), "X", names, names},
		{"those that fit", arrays(t, square, both...), "B", nil, names},
		{"rows of a model's W", arrays(t, square, append(both, modelMember)...), "W", names, nil},
		{"columns of a model's H", arrays(t, square, append(both, modelMember)...), "H", nil, names},
	}
	for _, tt := range tests {
		got, err := readBytes[float64](t, "a.npz", tt.content, &ReadOptions{Key: tt.key})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !cmp.Equal(got.RowNames, tt.rows) || !cmp.Equal(got.ColumnNames, tt.cols) {
			t.Errorf("%s: names %q, %q", tt.name, got.RowNames, got.ColumnNames)
		}
	}
}

func TestReadNPZErrors(t *testing.T) {
	type shapes = map[string][]int
	spreadsheet := npzFile(t, func(z *npy.Writer) error { return z.WriteLines("[Content_Types].xml", nil) })
	empty := npzFile(t, func(*npy.Writer) error { return nil })
	object := npzFile(t, func(z *npy.Writer) error {
		w, err := z.Create("A.npy", false)
		if err != nil {
			return err
		}
		_, err = w.Write(npyFile(t, "|O", "(2, 2)", []byte("pickle")))
		return err
	})
	tests := []struct {
		name    string
		content []byte
		key     string
		err     error
		says    string
	}{
		{"several", arrays(t, shapes{"A": {2, 3}, "B": {4, 5}, "labels": nil}), "", ErrUnsupported,
			"the archive holds several arrays: A (2, 3) <f4; B (4, 5) <f4; labels () |S9, not numbers; choose one with --key"},
		{"none with two axes", arrays(t, shapes{"A": {3}, "B": {4}}), "", ErrUnsupported, "several arrays: A (3,) <f4; B (4,) <f4"},
		{"wrong key", arrays(t, shapes{"A": {2, 3}, "B": {4, 5}}), "C", ErrFormat, `the archive has no array "C"; its arrays are A, B`},
		{"text", arrays(t, shapes{"labels": nil}), "", ErrUnsupported, "no array of numbers: labels () |S9"},
		{"text by key", arrays(t, shapes{"labels": nil}), "labels", ErrUnsupported, "a single number is no matrix"},
		{"objects", object, "A", ErrUnsupported, `member "A.npy": not supported: element type "|O": Python objects`},
		{"model", arrays(t, shapes{"W": {2, 3}, "H": {3, 5}}, modelMember), "", ErrUnsupported, "this is an nmf model, not a matrix; name one of its arrays with --key"},
		{"spreadsheet", spreadsheet, "", ErrFormat, "holds no NumPy array; it looks like a spreadsheet; save it as .csv"},
		{"empty", empty, "", ErrFormat, "the zip archive holds no NumPy array"},
		{"names", arrays(t, shapes{"X": {3, 2}}, rowNamesMember), "", ErrFormat, "2 row names for 3 rows"},
		{"one scalar", arrays(t, shapes{"A": {}}), "", ErrUnsupported, "a single number is no matrix"},
	}
	for _, tt := range tests {
		path := writeTemp(t, "a.npz", tt.content)
		_, err := Read[float64](path, &ReadOptions{Key: tt.key})
		wantError(t, err, tt.err, path+": ")
		wantError(t, err, tt.err, tt.says)
	}
}

func TestReadNPZTruncation(t *testing.T) {
	p := example()
	p.rowNames = []string{"a", "b", "c"}
	for _, whole := range [][]byte{p.file(t), written(t, "a.npz", exampleDense)} {
		path := ""
		for n := range whole {
			path = writeTemp(t, "a.npz", whole[:n])
			if _, err := Read[float32](path, nil); !errors.Is(err, ErrTruncated) {
				t.Errorf("%d of %d bytes: %v", n, len(whole), err)
			}
		}
		if _, err := Read[float32](writeTemp(t, "a.npz", whole), nil); err != nil {
			t.Error(err)
		}
	}
}

// TestNPZAgainstSciPy reads what numpy and scipy write, and has them read what
// we write.
func TestNPZAgainstSciPy(t *testing.T) {
	dir := t.TempDir()
	python(t, `
import sys, numpy as np, scipy.sparse as sp
d = sys.argv[1] + "/"
s = sp.random(40, 25, 0.2, random_state=1, format="csr")
np.save(d + "want.npy", s.toarray())
for fmt in "csr", "csc", "coo":
    for compressed in False, True:
        sp.save_npz(d + "%s-%d.npz" % (fmt, compressed), s.asformat(fmt), compressed=compressed)
wide = s.copy()
wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
sp.save_npz(d + "wide.npz", wide)
np.savez(d + "dense.npz", data=s.toarray(), names=np.array(["a", "b"]), k=3)
np.savez_compressed(d + "fortran.npz", np.asfortranarray(s.toarray()))
for fmt in "bsr", "dia":
    sp.save_npz(d + "refused-" + fmt + ".npz", s.asformat(fmt))
`, dir)
	want, err := Read[float64](filepath.Join(dir, "want.npy"), nil)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"wide", "dense", "fortran"}
	for _, format := range []string{"csr", "csc", "coo"} {
		files = append(files, format+"-0", format+"-1")
	}
	for _, name := range files {
		got, err := Read[float64](filepath.Join(dir, name+".npz"), nil)
		if err != nil || !sameBits(asDense(got.X), asDense(want.X)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"bsr", "dia"} {
		_, err := Read[float64](filepath.Join(dir, "refused-"+name+".npz"), nil)
		wantError(t, err, ErrUnsupported, "save it with .tocsr()")
	}

	sparse := asDense(want.X).Sparse()
	table := &Table[float64]{X: sparse}
	for i := range sparse.Rows {
		table.RowNames = append(table.RowNames, fmt.Sprint("cell ", i))
	}
	if err := Write(filepath.Join(dir, "ours-sparse.npz"), table, nil); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "ours-dense.npz"), want, nil); err != nil {
		t.Fatal(err)
	}
	python(t, `
import sys, numpy as np, scipy.sparse as sp
d = sys.argv[1] + "/"
want = np.load(d + "want.npy")
s = sp.load_npz(d + "ours-sparse.npz")
assert sp.isspmatrix_csr(s) and s.has_canonical_format and s.dtype == np.float64, s
assert s.indices.dtype == s.indptr.dtype == np.int32, (s.indices.dtype, s.indptr.dtype)
assert (s.toarray() == want).all()
assert np.load(d + "ours-sparse.npz")["row_names.txt"].decode().splitlines()[39] == "cell 39"
z = np.load(d + "ours-dense.npz")
assert z.files == ["X"] and (z["X"] == want).all(), z.files
`, dir)
}

func TestWritePointers(t *testing.T) {
	for last, descr := range map[int]string{1<<31 - 1: "<i4", 1 << 31: "<i8"} {
		content := npzFile(t, func(z *npy.Writer) error { return writePointers(z, []int{0, last}) })
		got, err := openBytes(t, content).Header("indptr")
		if err != nil || got.Descr != descr {
			t.Errorf("%d cells: %v, %v", last, got, err)
		}
	}
}

func openBytes(t testing.TB, content []byte) *npy.Archive {
	t.Helper()
	a, err := npy.OpenArchive(strings.NewReader(string(content)), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func FuzzNPZ(f *testing.F) {
	f.Add(written(f, "a.npz", exampleDense))
	for _, format := range []string{"csr", "csc", "bsr"} {
		p := example()
		p.format, p.rowNames = format, []string{"a", "b", "c"}
		f.Add(p.file(f))
	}
	p := example()
	p.format, p.row, p.col = "coo", []int32{0, 0, 2, 2}, []int32{0, 2, 0, 1}
	f.Add(p.file(f))
	f.Add(arrays(f, map[string][]int{"A": {2, 3}, "B": {7}, "labels": nil}, columnNamesMember))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, content []byte) {
		fuzzTable[float32](t, "a.npz", content)
	})
}

// FuzzSparse makes archives whose parts may contradict each other.
func FuzzSparse(f *testing.F) {
	f.Add(0, int64(3), int64(3), []byte{0, 2, 2, 4}, []byte{0, 2, 0, 1}, 4)
	f.Add(1, int64(3), int64(3), []byte{0, 2, 2, 4}, []byte{2, 2, 1, 0}, 4)
	f.Add(2, int64(4), int64(4), []byte{3, 2, 2, 3}, []byte{2, 2, 1, 0}, 4)
	f.Add(0, int64(1), int64(1<<31-1), []byte{0, 1}, []byte{255}, 1)
	f.Fuzz(func(t *testing.T, kind int, rows, cols int64, first, second []byte, values int) {
		p := sparseParts{format: []string{"csr", "csc", "coo"}[uint(kind)%3], shape: []int64{rows, cols}}
		p.row, p.col = signed(first), signed(second)
		p.indptr, p.indices = p.row, p.col
		p.data = make([]float64, uint(values)%1000)
		fuzzTable[float64](t, "a.npz", p.file(t))
	})
}

// signed gives small integers, some of them negative.
func signed(b []byte) []int32 {
	list := make([]int32, len(b))
	for i, v := range b {
		list[i] = int32(int8(v))
	}
	return list
}

func BenchmarkReadSparse(b *testing.B) {
	x := benchCounts(20000, 5000, 100)
	path := filepath.Join(b.TempDir(), "a.npz")
	if err := Write(path, &Table[float64]{X: x}, nil); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(12 * x.NNZ()))
	for b.Loop() {
		if _, err := Read[float64](path, nil); err != nil {
			b.Fatal(err)
		}
	}
}
