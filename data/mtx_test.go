package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

// textSource is an input of the given content and unknown size.
func textSource(text string) *source {
	return &source{path: "a.file", name: "a.file", size: -1, r: bufio.NewReader(strings.NewReader(text))}
}

// readText reads as Read does, but from memory.
func readMTXText[F matrix.Float](text string, o ReadOptions) (*Table[F], error) {
	s := textSource(text)
	t, err := readMTX[F](s, &o)
	if err != nil {
		return nil, s.fail(err)
	}
	return t, nil
}

func dense(rows, cols int, vals ...float64) *matrix.Dense[float64] {
	x := matrix.NewDense[float64](rows, cols)
	if copy(x.Data, vals) != len(x.Data) {
		panic("too few values")
	}
	return x
}

// asDense gives either kind of matrix with no space between its rows.
func asDense[F matrix.Float](x matrix.Matrix[F]) *matrix.Dense[F] {
	if s, ok := x.(*matrix.CSR[F]); ok {
		return s.Dense()
	}
	return x.(*matrix.Dense[F]).Clone()
}

const mtxGeneral = "%%MatrixMarket matrix coordinate real general\n"

func TestReadMTX(t *testing.T) {
	tests := []struct {
		name, text string
		want       *matrix.Dense[float64]
		sparse     bool
		notes      []string
	}{
		{"general", mtxGeneral + "2 3 3\n1 1 1.5\n2 3 2\n1 2 -3e1\n", dense(2, 3, 1.5, -30, 0, 0, 0, 2), true, nil},
		{"comments, blank lines, blanks", "%%matrixmarket MATRIX Coordinate Double GENERAL\n% a\n\n  %b\n\n 2\t2  2 \n\n1 1 1\n% c\n   \n\t2  2\t4 \n\n",
			dense(2, 2, 1, 0, 0, 4), true, nil},
		{"CRLF", "%%MatrixMarket matrix coordinate integer general\r\n%x\r\n2 2 2\r\n1 1 1\r\n2 1 3\r\n", dense(2, 2, 1, 0, 3, 0), true, nil},
		{"no last newline", mtxGeneral + "1 2 1\n1 2 7", dense(1, 2, 0, 7), true, nil},
		{"pattern", "%%MatrixMarket matrix coordinate pattern general\n2 2 2\n1 2\n2 1\n", dense(2, 2, 0, 1, 1, 0), true, nil},
		{"symmetric", "%%MatrixMarket matrix coordinate real symmetric\n3 3 3\n1 1 1\n3 1 2\n3 2 4\n", dense(3, 3, 1, 0, 2, 0, 0, 4, 2, 4, 0), true, nil},
		{"symmetric pattern", "%%MatrixMarket matrix coordinate pattern symmetric\n2 2 2\n1 1\n2 1\n", dense(2, 2, 1, 1, 1, 0), true, nil},
		{"stored zeros", mtxGeneral + "2 2 3\n1 1 0\n1 2 5\n2 2 0.0\n", dense(2, 2, 0, 5, 0, 0), true, nil},
		{"repeated", mtxGeneral + "1 2 3\n1 2 5\n1 1 1\n1 2 2\n", dense(1, 2, 1, 7), true, []string{"1 cell given more than once was summed"}},
		{"no entries", mtxGeneral + "2 2 0\n", dense(2, 2, 0, 0, 0, 0), true, nil},
		{"empty", mtxGeneral + "0 0 0\n", dense(0, 0), true, nil},
		{"array", "%%MatrixMarket matrix array real general\n2 3\n1\n2\n3\n4\n5\n6\n", dense(2, 3, 1, 3, 5, 2, 4, 6), false, nil},
		{"array, symmetric", "%%MatrixMarket matrix array real symmetric\n3 3\n1\n2\n3\n4\n5\n6\n", dense(3, 3, 1, 2, 3, 2, 4, 5, 3, 5, 6), false, nil},
		{"array of nothing", "%%MatrixMarket matrix array real general\n0 3\n", dense(0, 3), false, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := readMTXText[float64](test.text, ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			csr, sparse := got.X.(*matrix.CSR[float64])
			if sparse != test.sparse {
				t.Errorf("the matrix is %T", got.X)
			}
			if sparse {
				if err := csr.Check(); err != nil {
					t.Error(err)
				}
				for _, v := range csr.Val {
					if v == 0 {
						t.Error("a zero is stored")
					}
				}
			}
			if diff := cmp.Diff(test.want, asDense(got.X)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.notes, got.Notes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadMTXErrors(t *testing.T) {
	const array = "%%MatrixMarket matrix array real general\n"
	tests := []struct {
		name, text string
		is         error
		message    string
	}{
		{"no banner", "1 2 3\n", ErrFormat, `a.file:1: "1 2 3" is not a MatrixMarket banner`},
		{"short banner", "%%MatrixMarket matrix\n", ErrFormat, `a.file:1: the banner has 2 words, not 5; the banner is`},
		{"vector", "%%MatrixMarket vector coordinate real general\n", ErrUnsupported, `a.file:1: the file holds a "vector"`},
		{"layout", "%%MatrixMarket matrix list real general\n", ErrFormat, `a.file:1: "list" is neither coordinate nor array`},
		{"field", "%%MatrixMarket matrix array text general\n", ErrFormat, `a.file:1: "text" is none of`},
		{"complex", "%%MatrixMarket matrix coordinate complex general\n", ErrUnsupported, `a.file:1: the matrix is complex`},
		{"hermitian", "%%MatrixMarket matrix coordinate real hermitian\n", ErrUnsupported, `a.file:1: the matrix is hermitian`},
		{"skew", "%%MatrixMarket matrix coordinate real skew-symmetric\n", ErrUnsupported, `a.file:1: the matrix is skew-symmetric: half of its entries are negative`},
		{"symmetry", "%%MatrixMarket matrix coordinate real odd\n", ErrFormat, `a.file:1: "odd" is neither general nor symmetric`},
		{"array pattern", "%%MatrixMarket matrix array pattern general\n", ErrFormat, `a.file:1: an array has values`},
		{"no size line", mtxGeneral + "% x\n", ErrTruncated, `a.file:2: the file ends before its size line`},
		{"two sizes", mtxGeneral + "% x\n2 3\n", ErrFormat, `a.file:3: the size line is "2 3", it should give rows, columns, entries`},
		{"three sizes", array + "2 3 4\n", ErrFormat, `a.file:2: the size line is "2 3 4", it should give rows, columns`},
		{"size of text", mtxGeneral + "2 x 4\n", ErrFormat, `a.file:2: "x" is not a number of columns`},
		{"negative size", mtxGeneral + "-2 2 4\n", ErrFormat, `a.file:2: "-2" is not a number of rows`},
		{"2^31 rows", mtxGeneral + "2147483648 2 1\n1 1 1\n", ErrUnsupported, `a.file:2: 2147483648 x 2: a matrix has at most 2147483647`},
		{"2^70 rows", mtxGeneral + "1180591620717411303424 2 1\n1 1 1\n", ErrUnsupported, `a.file:2: "1180591620717411303424" rows are beyond`},
		{"empty rows", mtxGeneral + "2147483647 2 1\n1 1 1\n", ErrFormat, `a.file:2: the header promises 2147483647 x 2, but only 1 cells are not zero`},
		{"empty columns", array + "0 2147483647\n", ErrFormat, `a.file:2: the header promises 0 x 2147483647`},
		{"symmetric, not square", "%%MatrixMarket matrix coordinate real symmetric\n2 3 1\n1 1 1\n", ErrFormat, `a.file:2: the matrix is 2 x 3: a symmetric one is square`},
		{"row 0", mtxGeneral + "2 2 1\n0 1 1\n", ErrFormat, `a.file:3: row index 0 is not within 1 to 2; MatrixMarket counts from 1`},
		{"row 3", mtxGeneral + "2 2 2\n1 1 1\n\n3 1 1\n", ErrFormat, `a.file:5: row index 3 is not within 1 to 2`},
		{"column 3", mtxGeneral + "2 2 1\r\n1 3 1\r\n", ErrFormat, `a.file:3: column index 3 is not within 1 to 2`},
		{"column -1", mtxGeneral + "2 2 1\n1 -1 1\n", ErrFormat, `a.file:3: column index -1 is not within 1 to 2`},
		{"huge row", mtxGeneral + "2 2 1\n99999999999999999999 1 1\n", ErrFormat, `a.file:3: row index 99999999999999999999 is not within`},
		{"row of text", mtxGeneral + "2 2 1\nx 1 1\n", ErrFormat, `a.file:3: "x" where a row index belongs`},
		{"fraction", mtxGeneral + "2 2 1\n1.0 1 1\n", ErrFormat, `a.file:3: "1.0" where a row index belongs`},
		{"no column", mtxGeneral + "2 2 1\n1\n", ErrFormat, `a.file:3: the line ends where a column index belongs`},
		{"no value", mtxGeneral + "2 2 1\n1 1\n", ErrFormat, `a.file:3: the line ends where a value belongs`},
		{"value of text", mtxGeneral + "2 2 1\n1 1 x\n", ErrFormat, `a.file:3: "x" where a number belongs`},
		{"value and text", mtxGeneral + "2 2 1\n1 1 1x\n", ErrFormat, `a.file:3: "1x" where a number belongs`},
		{"NaN", mtxGeneral + "2 2 1\n1 1 nan\n", ErrMissing, `a.file:3: "nan" stands for a missing value`},
		{"infinity", mtxGeneral + "2 2 1\n1 1 inf\n", ErrFormat, `a.file:3: "inf" is not a finite number`},
		{"decimal comma", mtxGeneral + "2 2 1\n1 1 1,5\n", ErrFormat, `a.file:3: "1,5" has a decimal comma`},
		{"range", mtxGeneral + "2 2 1\n1 1 1e999\n", ErrFormat, `a.file:3: "1e999" is beyond the range of float64`},
		{"four fields", mtxGeneral + "2 2 1\n1 1 1 9\n", ErrFormat, `a.file:3: "9" after the entry`},
		{"pattern with value", "%%MatrixMarket matrix coordinate pattern general\n2 2 1\n1 1 1\n", ErrFormat, `a.file:3: "1" after the entry`},
		{"too few", mtxGeneral + "2 2 3\n1 1 1\n2 2 2\n", ErrTruncated, `a.file: file is cut short: the header promises 3 entries, 2 are there`},
		{"none of many", mtxGeneral + "2000000000 2000000000 4000000000000000000\n", ErrTruncated, `the header promises 4000000000000000000 entries, 0 are there`},
		{"too many", mtxGeneral + "2 2 1\n1 1 1\n\n%\n2 2 2\n", ErrFormat, `a.file:6: there are more entries than the 1 that the header promises`},
		{"too many, bad", mtxGeneral + "2 2 1\n1 1 1\nx\n", ErrFormat, `a.file:4: there are more entries`},
		{"first error wins", mtxGeneral + "2 2 1\n1 x 1\n2 2 2\n", ErrFormat, `a.file:3: "x" where a column index belongs`},
		{"array, too few", array + "2 2\n1\n2\n3\n", ErrTruncated, `the header promises 4 entries, 3 are there`},
		{"array, too many", array + "1 2\n1\n2\n3\n", ErrFormat, `a.file:5: there are more entries than the 2`},
		{"array, two values", array + "1 2\n1 2\n", ErrFormat, `a.file:3: "2" after the value`},
		{"array, text", array + "1 2\n1\nabc\n", ErrFormat, `a.file:4: "abc" where a number belongs`},
		{"array that lies", array + "2147483647 2147483647\n1\n", ErrTruncated, `1 are there`},
		{"long line", strings.Repeat("x", 3<<20), ErrFormat, `a.file:1: the line is longer than any header's`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, size := range []int64{-1, int64(len(test.text))} {
				for _, chunk := range []int{0, 8} {
					s := textSource(test.text)
					p := mtxReader[float64]{r: s.r, size: size, threads: 3, chunk: chunk}
					_, err := p.table()
					if err == nil {
						t.Fatal("read without error")
					}
					wantError(t, s.fail(err), test.is, test.message)
				}
			}
		})
	}
}

func wantError(t *testing.T, err, is error, message string) {
	t.Helper()
	if !errors.Is(err, is) || !strings.Contains(err.Error(), message) {
		t.Errorf("error %q (%v), want %q (%v)", err, errors.Unwrap(err), message, is)
	}
}

// TestReadMTXAllocation reads a header that promises far more than follows.
func TestReadMTXAllocation(t *testing.T) {
	text := mtxGeneral + "1000 1000 900000000\n1 1 1\n"
	for _, size := range []int64{-1, int64(len(text))} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p := mtxReader[float64]{r: bufio.NewReader(strings.NewReader(text)), size: size, threads: 1}
		if _, err := p.table(); !errors.Is(err, ErrTruncated) {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("size %d: %d bytes were allocated", size, got)
		}
	}
}

// TestReadMTXThreads reads with different threads and chunks, and from a
// reader that gives a byte at a time.
func TestReadMTXThreads(t *testing.T) {
	for _, x := range []matrix.Matrix[float64]{benchCounts(300, 200, 20), benchTable(70, 40, 17)} {
		var text bytes.Buffer
		if err := writeMTX(&text, &Table[float64]{X: x}, nil); err != nil {
			t.Fatal(err)
		}
		for _, threads := range []int{1, 2, 7} {
			for _, chunk := range []int{0, 16, 1000} {
				for _, size := range []int64{-1, int64(text.Len())} {
					p := mtxReader[float64]{
						r: bufio.NewReader(iotest.OneByteReader(bytes.NewReader(text.Bytes()))), size: size, threads: threads, chunk: chunk,
					}
					got, err := p.table()
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(x, got.X); diff != "" {
						t.Fatalf("%d threads, chunks of %d: %s", threads, chunk, diff)
					}
				}
			}
		}
	}
}

// TestReadError gives the reader's own error where the content before it is
// right, and the content's where that is wrong.
func TestReadError(t *testing.T) {
	broken := errors.New("broken disk")
	read := func(text string) error {
		r := bufio.NewReader(iotest.TimeoutReader(strings.NewReader(text)))
		_, err := (&mtxReader[float64]{r: r, size: -1, threads: 2}).table()
		return err
	}
	if err := read(mtxGeneral + "2 2 2\n1 1 1\n"); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("error %v", err)
	}
	if err := read(mtxGeneral + "2 2 2\n1 x 1\n"); !errors.Is(err, ErrFormat) {
		t.Errorf("error %v", err)
	}
	_, err := (&csvReader[float64]{r: iotest.ErrReader(broken), size: -1, preferred: ','}).table()
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// drawMatrix draws a matrix of any finite numbers.
func drawMatrix[F matrix.Float](t *rapid.T, value *rapid.Generator[F]) matrix.Matrix[F] {
	rows, cols := rapid.IntRange(1, 12).Draw(t, "rows"), rapid.IntRange(1, 9).Draw(t, "columns")
	x := matrix.NewDense[F](rows, cols)
	sparse := rapid.Bool().Draw(t, "sparse")
	for i := range x.Data {
		if !sparse || rapid.IntRange(0, 3).Draw(t, "stored") == 0 {
			x.Data[i] = value.Draw(t, "value")
		}
	}
	if sparse {
		return x.Sparse()
	}
	return x
}

func finite[F matrix.Float](any *rapid.Generator[F]) *rapid.Generator[F] {
	return any.Filter(func(v F) bool { return v-v == 0 })
}

// sameBits compares dense matrices to the bit, the sign of zeros included.
func sameBits[F matrix.Float](a, b *matrix.Dense[F]) bool {
	if a.Rows != b.Rows || a.Cols != b.Cols {
		return false
	}
	for i := range a.Rows {
		for j, v := range a.Row(i) {
			if math.Float64bits(float64(v)) != math.Float64bits(float64(b.At(i, j))) {
				return false
			}
		}
	}
	return true
}

func checkMTXRoundTrip[F matrix.Float](t *rapid.T, value *rapid.Generator[F]) {
	x := drawMatrix(t, finite(value))
	var text bytes.Buffer
	if err := writeMTX(&text, &Table[F]{X: x}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := readMTXText[F](text.String(), ReadOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%T", got.X) != fmt.Sprintf("%T", x) || !sameBits(asDense(x), asDense(got.X)) {
		t.Fatalf("%v was read back as %v from\n%s", x, got.X, text.String())
	}
}

func TestMTXRoundTrip(t *testing.T) {
	t.Run("float32", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { checkMTXRoundTrip(t, rapid.Float32()) })
	})
	t.Run("float64", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { checkMTXRoundTrip(t, rapid.Float64()) })
	})
}

func FuzzMTX(f *testing.F) {
	for _, text := range []string{
		mtxGeneral + "2 3 3\n1 1 1.5\n2 3 2\n1 2 -3e1\n",
		"%%MatrixMarket matrix coordinate pattern symmetric\r\n% x\r\n3 3 2\r\n2 1\r\n3 3\r\n",
		"%%MatrixMarket matrix array integer general\n2 2\n1\n2\n3\n4",
		"%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n",
		mtxGeneral + "2147483647 2147483647 4611686014132420609\n1 1 1\n",
		mtxGeneral + "2 2 1\n1 1 x\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func(size int64, threads, chunk int) (*Table[float64], error) {
			p := mtxReader[float64]{r: bufio.NewReader(bytes.NewReader(text)), size: size, threads: threads, chunk: chunk}
			return p.table()
		}
		got, err := read(int64(len(text)), 1, 0)
		other, otherErr := read(-1, 3, 5)
		if fmt.Sprint(err) != fmt.Sprint(otherErr) {
			t.Fatalf("one thread says %v, three say %v", err, otherErr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(got, other); diff != "" {
			t.Fatal(diff)
		}
		if x, ok := got.X.(*matrix.CSR[float64]); ok {
			if err := x.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// python runs a script with Debian's Python, and skips the test where that or
// a module is absent.
func python(t *testing.T, script string, args ...string) {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	out, err := exec.Command(interpreter, append([]string{"-c", script}, args...)...).CombinedOutput()
	if errors.Is(err, os.ErrNotExist) || bytes.Contains(out, []byte("ModuleNotFoundError")) {
		t.Skipf("no %s with numpy, scipy and pandas to compare with: %v\n%s", interpreter, err, out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestMTXAgainstSciPy reads what scipy writes and has scipy read what we
// write.
func TestMTXAgainstSciPy(t *testing.T) {
	dir := t.TempDir()
	python(t, `
import sys, numpy as np, scipy.sparse as sp, scipy.io as io
d = sys.argv[1]
rng = np.random.default_rng(0)
dense = rng.random((30, 20)) * 10.0 ** rng.integers(-30, 30, (30, 20))
sparse = sp.random(40, 25, 0.2, random_state=1, format='coo')
square = sp.random(15, 15, 0.2, random_state=2)
io.mmwrite(d + '/dense.mtx', dense, precision=17)
io.mmwrite(d + '/sparse.mtx', sparse, precision=17)
io.mmwrite(d + '/integer.mtx', sp.coo_matrix(np.arange(12).reshape(3, 4)))
io.mmwrite(d + '/pattern.mtx', sparse, field='pattern')
io.mmwrite(d + '/symmetric.mtx', square + square.T, symmetry='symmetric', precision=17)
io.mmwrite(d + '/symmetric-dense.mtx', (square + square.T).toarray(), symmetry='symmetric', precision=17)
for name in ['dense', 'sparse', 'integer', 'pattern', 'symmetric', 'symmetric-dense']:
    x = io.mmread(d + '/' + name + '.mtx')
    x = x.toarray() if sp.issparse(x) else x
    np.savetxt(d + '/' + name + '.csv', x, delimiter=',', fmt='%.17g')
`, dir)
	names := []string{"dense", "sparse", "integer", "pattern", "symmetric", "symmetric-dense"}
	for _, name := range names {
		got, err := Read[float64](filepath.Join(dir, name+".mtx"), nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Read[float64](filepath.Join(dir, name+".csv"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.X.(*matrix.Dense[float64]).Data, asDense(got.X).Data); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := Write(filepath.Join(dir, name+"-back.mtx"), got, nil); err != nil {
			t.Fatal(err)
		}
	}
	python(t, `
import sys, numpy as np, scipy.sparse as sp, scipy.io as io
for name in sys.argv[2:]:
    path = sys.argv[1] + '/' + name
    x, want = io.mmread(path + '-back.mtx'), np.loadtxt(path + '.csv', delimiter=',')
    x = x.toarray() if sp.issparse(x) else x
    assert x.shape == want.shape and (x == want).all(), name
`, append([]string{dir}, names...)...)
}

func TestReadSharedMTX(t *testing.T) {
	tests := []struct {
		path            string
		rows, cols, nnz int
		total, most     float64
	}{
		{"data/pbmc3k/matrix.mtx.gz", 13714, 2638, 2238732, 6254880, 419},
		{"data/reuters21578-tf/reuters.mtx.gz", 8293, 18933, 389455, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			got, err := Read[float32](testdata.Shared(t, test.path), nil)
			if err != nil {
				t.Fatal(err)
			}
			x := got.X.(*matrix.CSR[float32])
			if x.Rows != test.rows || x.Cols != test.cols || x.NNZ() != test.nnz || got.Format != "mtx" {
				t.Errorf("%s %d x %d with %d cells", got.Format, x.Rows, x.Cols, x.NNZ())
			}
			total, most := 0.0, 0.0
			for _, v := range x.Val {
				total += float64(v)
				most = max(most, float64(v))
			}
			if test.total > 0 && (total != test.total || most != test.most) {
				t.Errorf("total %v, largest %v", total, most)
			}
		})
	}
}

// TestWriteErrorStays has writers report what the output says.
func TestWriteErrorStays(t *testing.T) {
	full := errors.New("disk full")
	x := benchTable(300, 300, 6)
	for name, write := range map[string]func() error{
		"mtx": func() error { return writeMTX(failingWriter{full}, &Table[float64]{X: x}, nil) },
		"csv": func() error { return writeCSV(failingWriter{full}, &Table[float64]{X: x}, nil) },
		"10x": func() error {
			return writeTenX(filepath.Join(t.TempDir(), "missing"), &Table[float64]{X: x}, nil)
		},
	} {
		if err := write(); !errors.Is(err, full) && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
