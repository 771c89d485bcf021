package data

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/partsof/nmf/internal/hdf5"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// assembled reads all of a streamed matrix, by rows or by columns.
func assembled[F matrix.Float](t testing.TB, x matrix.Matrix[F], columns bool) matrix.Matrix[F] {
	t.Helper()
	rows, cols := x.Dims()
	switch x := x.(type) {
	case *matrix.Streamed[F]:
		read := x.Read
		if columns {
			rows, cols, read = cols, rows, x.ReadColumns
		}
		d := matrix.NewDense[F](rows, cols)
		if err := read(0, d.Data); err != nil {
			t.Fatal(err)
		}
		return d
	case *matrix.StreamedCSR[F]:
		b := x.ByRows
		if columns {
			rows, cols, b = cols, rows, x.ByColumns
		}
		out := &matrix.CSR[F]{Rows: rows, Cols: cols, RowPtr: []int{0}, ColIdx: []int32{}, Val: []F{}}
		var block matrix.CSR[F]
		for first := 0; first < rows; first += b.Step {
			if err := b.Read(first, &block); err != nil {
				t.Fatal(err)
			}
			for _, p := range block.RowPtr[1:] {
				out.RowPtr = append(out.RowPtr, len(out.Val)+p)
			}
			out.ColIdx, out.Val = append(out.ColIdx, block.ColIdx...), append(out.Val, block.Val...)
		}
		return out
	}
	t.Fatalf("%T", x)
	return nil
}

// blockSources are files of all formats that go into block files, by name.
func blockSources(t testing.TB) map[string][]byte {
	t.Helper()
	const m, n = 300, 41
	rng := rand.New(rand.NewPCG(1, 2))
	d := matrix.NewDense[float64](m, n)
	for i := range d.Data {
		if rng.IntN(3) == 0 {
			d.Data[i] = float64(rng.IntN(1000)) / 8
		}
	}
	s := d.Sparse()
	var cells [][3]float64
	for i := range m {
		cols, vals := s.Row(i)
		for p, j := range cols {
			cells = append(cells, [3]float64{float64(i + 1), float64(j + 1), vals[p]})
		}
	}
	// Some are given twice, and in float32 the order of a sum shows.
	for range 200 {
		cells = append(cells, [3]float64{cells[rng.IntN(len(cells))][0], 1 + float64(rng.IntN(n)), rng.Float64()})
	}
	rng.Shuffle(len(cells), func(a, b int) { cells[a], cells[b] = cells[b], cells[a] })
	coordinate := fmt.Sprintf("%%%%MatrixMarket matrix coordinate real general\n%% a comment\n%d %d %d\n", m, n, len(cells)+1)
	for _, c := range cells {
		coordinate += fmt.Sprintf("%v %v %v\n", c[0], c[1], c[2])
	}
	coordinate += "3 3 0\n"
	symmetric := "%%MatrixMarket matrix coordinate real symmetric\n200 200 400\n"
	for range 400 {
		i := 1 + rng.IntN(200)
		symmetric += fmt.Sprintf("%d %d %v\n", i, 1+rng.IntN(i), rng.Float64())
	}
	named := &Table[float64]{X: d, ColumnNames: make([]string, n), RowNames: make([]string, m)}
	for j := range named.ColumnNames {
		named.ColumnNames[j] = fmt.Sprintf("gene %d", j)
	}
	for i := range named.RowNames {
		named.RowNames[i] = fmt.Sprintf("cell %d", i)
	}
	text := func(name string, t2 *Table[float64]) []byte {
		path := filepath.Join(t.TempDir(), name)
		if err := Write(path, t2, nil); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	turned := d.T()
	fortran := npyBytes(t, []int{m, n}, turned.Data)
	fortran = bytes.Replace(fortran, []byte("'fortran_order': False, "), []byte("'fortran_order': True,  "), 1)
	return map[string][]byte{
		"any.mtx": []byte(coordinate), "any.mtx.gz": gzipped(t, []byte(coordinate)), "symmetric.mtx": []byte(symmetric),
		"array.mtx": text("a.mtx", &Table[float64]{X: d}), "names.csv": text("a.csv", named), "names.tsv.gz": gzipped(t, text("a.tsv", named)),
		"plain.csv": text("a.csv", &Table[float64]{X: d}), "c.npy": npyBytes(t, []int{m, n}, d.Data), "fortran.npy": fortran,
		"dense.npz": text("a.npz", named), "csr.npz": text("a.npz", &Table[float64]{X: s, RowNames: named.RowNames}),
		"csc.npz": sparseNPZ(t, "csc", s), "coo.npz": sparseNPZ(t, "coo", s), "unsorted.npz": sparseNPZ(t, "unsorted", s),
	}
}

// sparseNPZ writes a matrix as scipy.sparse.save_npz does.
func sparseNPZ(t testing.TB, kind string, s *matrix.CSR[float64]) []byte {
	t.Helper()
	var b bytes.Buffer
	z := npy.NewWriter(&b)
	format, x := kind, s
	index, values := slices.Clone(s.ColIdx), slices.Clone(s.Val)
	if kind == "csc" {
		x = s.T()
		index, values = x.ColIdx, x.Val
	}
	if kind == "unsorted" {
		format = "csr"
		for i := range s.Rows {
			slices.Reverse(index[s.RowPtr[i]:s.RowPtr[i+1]])
			slices.Reverse(values[s.RowPtr[i]:s.RowPtr[i+1]])
		}
		index[s.RowPtr[1]] = index[s.RowPtr[1]+1] // given twice
	}
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(z.WriteText("format", format))
	check(npy.WriteMember(z, "shape", false, []int{2}, []int64{int64(s.Rows), int64(s.Cols)}))
	cells := []int{len(index)}
	if kind == "coo" {
		rows := []int32{}
		for i := range s.Rows {
			for range s.RowPtr[i+1] - s.RowPtr[i] {
				rows = append(rows, int32(i))
			}
		}
		check(npy.WriteMember(z, "row", true, cells, rows))
		check(npy.WriteMember(z, "col", true, cells, index))
	} else {
		check(npy.WriteMember(z, "indptr", true, []int{len(x.RowPtr)}, narrowed[int64](x.RowPtr)))
		check(npy.WriteMember(z, "indices", true, cells, index))
	}
	check(npy.WriteMember(z, "data", true, cells, values))
	check(z.Close())
	return b.Bytes()
}

// TestBlocksAsRead: what comes from a block file is what Read gives, to the bit,
// with names and notes, for every format.
func TestBlocksAsRead(t *testing.T) {
	t.Run("f32", func(t *testing.T) { blocksAsRead[float32](t) })
	t.Run("f64", func(t *testing.T) { blocksAsRead[float64](t) })
}

func blocksAsRead[F matrix.Float](t *testing.T) {
	sources := blockSources(t)
	for name, content := range sources {
		asRead[F](t, name, writeTemp(t, name, content), nil)
	}
	tenX := filepath.Join(t.TempDir(), "folder")
	x, err := Read[float64](writeTemp(t, "any.mtx", sources["any.mtx"]), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(tenX, x, &WriteOptions{Format: "10x"}); err != nil {
		t.Fatal(err)
	}
	asRead[F](t, "10x", tenX, nil)
	for _, options := range [][]parquet.WriterOption{nil, {parquet.MaxRowsPerRowGroup(7)}} {
		var rows []struct {
			Name string
			A    float64
			B    *int32
			C    uint64
		}
		for i := range 50 {
			rows = append(rows, struct {
				Name string
				A    float64
				B    *int32
				C    uint64
			}{fmt.Sprint("row ", i), float64(i) / 3, pointer(int32(i % 5)), uint64(i * i)})
		}
		asRead[F](t, "parquet", writeTemp(t, "x.parquet", parquetFile(t, rows, options...)), nil)
		for _, o := range []*ReadOptions{nil, {Transpose: true}} {
			asRead[F](t, "long parquet", writeTemp(t, "x.parquet", parquetFile(t, longCells(500), options...)), o)
			asRead[F](t, "named long parquet", writeTemp(t, "x.parquet", parquetFile(t, longNamed(500), options...)), o)
		}
	}
	if hdf5.Available() != nil {
		t.Log("without libhdf5, HDF5 is left out")
		return
	}
	files, err := filepath.Glob(hdf5File("*.h5*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		o := &ReadOptions{}
		switch filepath.Base(path) {
		case "10x-2-two.h5", "several.h5":
			continue // several matrices
		case "csr.h5ad":
			asRead[F](t, path, path, &ReadOptions{Key: "layers/counts"})
		}
		asRead[F](t, path, path, o)
	}
}

func asRead[F matrix.Float](t *testing.T, name, path string, options *ReadOptions) {
	t.Helper()
	for _, transpose := range []bool{false, true} {
		o := &ReadOptions{Transpose: transpose}
		if options != nil {
			*o = *options
			o.Transpose = transpose
		}
		want, err := Read[F](path, o)
		if err != nil {
			t.Fatal(err)
		}
		b := BlockOptions{Folder: t.TempDir(), Columns: true, Compress: transpose, Memory: 1 << 20}
		for run := range 2 {
			got, err := OpenBlocks[F](path, o, b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if (got.Made != "") != (run == 0) || got.Format != want.Format || !slices.Equal(got.Notes, want.Notes) ||
				!slices.Equal(got.RowNames, want.RowNames) || !slices.Equal(got.ColumnNames, want.ColumnNames) {
				t.Errorf("%s, run %d: made %q, %s, %q, %q, %q", name, run, got.Made, got.Format, got.Notes, got.RowNames, got.ColumnNames)
			}
			if !sameMatrix(assembled(t, got.X, false), want.X) || !sameMatrix(assembled(t, got.X, true), matrix.Transpose(want.X)) {
				t.Errorf("%s, transpose %t, run %d: another matrix", name, transpose, run)
			}
			got.Close()
		}
		shape, err := Peek[F](path, o)
		rows, cols := want.X.Dims()
		stored := rows * cols
		s, sparse := want.X.(*matrix.CSR[F])
		if sparse {
			stored = s.NNZ()
		}
		if err != nil || shape.Sparse != sparse || !shape.Estimated && (shape.Rows != rows || shape.Columns != cols) || shape.Stored < stored*9/10 {
			t.Errorf("%s: peek gives %+v, %v; it is %d x %d with %d", name, shape, err, rows, cols, stored)
		}
	}
}

// TestBlocksErrors: what Read refuses is refused in the same words.
func TestBlocksErrors(t *testing.T) {
	for name, content := range map[string]string{
		"short.mtx": "%%MatrixMarket matrix coordinate real general\n3 3 4\n1 1 1\n", "index.mtx": "%%MatrixMarket matrix coordinate real general\n3 3 1\n4 1 1\n",
		"wide.mtx": "%%MatrixMarket matrix coordinate real general\n3 3000000000 1\n1 1 1\n", "empty.mtx": "%%MatrixMarket matrix coordinate real general\n3 30000000 0\n",
		"text.csv": "a,b\n1,2\n3,lots\n", "ragged.csv": "a,b\n1,2\n3\n", "missing.csv": "a,b\n1,2\n3,\n", "none.csv": "",
	} {
		path := writeTemp(t, name, []byte(content))
		_, want := Read[float32](path, nil)
		folder := t.TempDir()
		_, got := OpenBlocks[float32](path, nil, BlockOptions{Folder: folder})
		if want == nil || got == nil || got.Error() != want.Error() {
			t.Errorf("%s: %v, from memory %v", name, got, want)
		}
		if left, _ := os.ReadDir(folder); len(left) > 0 {
			t.Errorf("%s: %v is left", name, left)
		}
	}
	good := sparseNPZ(t, "csr", blockMatrix())
	for cut := 1; cut < len(good); cut += 37 {
		path := writeTemp(t, "x.npz", good[:cut])
		if _, err := OpenBlocks[float32](path, nil, BlockOptions{Folder: t.TempDir()}); err == nil {
			t.Fatalf("cut after %d bytes: no error", cut)
		}
	}
	if _, err := OpenBlocks[float32](writeTemp(t, "x.geno", []byte("012\n111\n")), nil, BlockOptions{Folder: t.TempDir()}); !errors.Is(err, ErrUnsupported) || !strings.Contains(fmt.Sprint(err), "in memory only") {
		t.Errorf("a format that is read in memory only: %v", err)
	}
	if _, err := OpenBlocks[float32]("-", nil, BlockOptions{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("standard input: %v", err)
	}
}

func blockMatrix() *matrix.CSR[float64] {
	d := matrix.NewDense[float64](60, 8)
	for i := range d.Data {
		d.Data[i] = float64(i % 5)
	}
	return d.Sparse()
}

// TestBlocksAgain: a block file is made anew where the source or the file itself
// is not what it was, and only there.
func TestBlocksAgain(t *testing.T) {
	path := writeTemp(t, "x.csv", []byte("1,2\n3,4\n"))
	b := BlockOptions{Folder: t.TempDir()}
	open := func() *Stream[float32] {
		t.Helper()
		s, err := OpenBlocks[float32](path, nil, b)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	expect := func(s *Stream[float32], why string, cell float32) {
		t.Helper()
		if !strings.Contains(s.Made, why) || (why == "") != (s.Made == "") {
			t.Errorf("made: %q, because %q is wanted", s.Made, why)
		}
		if x := assembled(t, s.X, false).(*matrix.Dense[float32]); x.At(1, 1) != cell {
			t.Errorf("the cell is %v, not %v", x.At(1, 1), cell)
		}
	}
	expect(open(), "first time", 4)
	expect(open(), "", 4)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	expect(open(), "", 4)
	if err := os.WriteFile(path, []byte("1,2\n3,5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(open(), "changed", 5)
	blocks := open().Blocks
	var left []string
	for i, age := range []time.Duration{0, 30 * time.Hour} {
		name := filepath.Join(b.Folder, fmt.Sprintf(".nmf-0000000%d.tmp", i))
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		left = append(left, name)
	}
	if err := os.Truncate(blocks, 100); err != nil {
		t.Fatal(err)
	}
	expect(open(), "damaged", 5)
	if _, err := os.Stat(left[0]); err != nil {
		t.Errorf("what another program is at: %v", err)
	}
	if _, err := os.Stat(left[1]); err == nil {
		t.Error("what was left a day ago is still there")
	}
	b.Columns = true
	expect(open(), "columns", 5)
	b.Columns = false
	expect(open(), "", 5)
	content, err := os.ReadFile(blocks)
	if err != nil {
		t.Fatal(err)
	}
	content[9] ^= 1
	if err := os.WriteFile(blocks, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open()
	err = s.X.(*matrix.Streamed[float32]).Read(0, make([]float32, 4))
	var own *Error
	if !errors.As(err, &own) || own.File != blocks || !errors.Is(err, ErrFormat) {
		t.Errorf("a damaged block: %v", err)
	}
	expect(open(), "first time", 5)
}
