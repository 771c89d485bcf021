package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// npyFile makes a .npy of the given type and shape.
func npyFile(t testing.TB, descr, shape string, elements []byte) []byte {
	t.Helper()
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape)
	return append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(dict)), byte(len(dict) >> 8)})+dict), elements...)
}

// readBytes reads content as a file of the given name, and with its size
// unknown; both must come to the same.
func readBytes[F matrix.Float](t testing.TB, name string, content []byte, o *ReadOptions) (*Table[F], error) {
	t.Helper()
	path := writeTemp(t, name, content)
	got, err := Read[F](path, o)
	packed, err2 := Read[F](writeTemp(t, name+".gz", gzipped(t, content)), o)
	if (err == nil) != (err2 == nil) {
		t.Fatalf("plain: %v; compressed: %v", err, err2)
	}
	if err == nil && !sameBits(asDense(got.X), asDense(packed.X)) {
		t.Fatalf("plain: %v; compressed: %v", got.X, packed.X)
	}
	return got, err
}

func TestReadNPYShapes(t *testing.T) {
	content := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	tests := []struct {
		shape      string
		rows, cols int
		note       string
	}{
		{"(3, 4)", 3, 4, ""},
		{"(12,)", 12, 1, "an array with one axis became a 12 x 1 matrix"},
		{"(2, 3, 2)", 2, 6, "a stack of 2 images of 3 x 2 became a 2 x 6 matrix"},
		{"(1, 12)", 1, 12, ""},
		{"(1, 2, 6)", 1, 12, "a stack of 1 images of 2 x 6 became a 1 x 12 matrix"},
	}
	for _, tt := range tests {
		got, err := readBytes[float32](t, "a.npy", npyFile(t, "|u1", tt.shape, content), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.shape, err)
			continue
		}
		x := got.X.(*matrix.Dense[float32])
		if x.Rows != tt.rows || x.Cols != tt.cols || x.Data[11] != 12 || strings.Join(got.Notes, "; ") != tt.note {
			t.Errorf("%s: %v %q", tt.shape, x, got.Notes)
		}
	}
	got, err := Read[float64](writeTemp(t, "a.npy", npyFile(t, "|u1", "(3, 2)", content)), nil)
	if err != nil || !cmp.Equal(got.Notes, []string{"what follows the first array in the file was left out"}) {
		t.Errorf("more than one array: %v, %v", got, err)
	}
	for _, shape := range []string{"(0, 5)", "(5, 0)", "(0,)", "(0, 2, 3)"} {
		if _, err := readBytes[float32](t, "a.npy", npyFile(t, "<f4", shape, nil), nil); err != nil {
			t.Errorf("%s: %v", shape, err)
		}
	}
}

func TestReadNPYErrors(t *testing.T) {
	zeros := make([]byte, 96)
	tests := []struct {
		descr, shape string
		err          error
		says         string
	}{
		{"<f8", "()", ErrUnsupported, "a single number is no matrix; save an array with two axes"},
		{"<f8", "(1, 2, 3, 2)", ErrUnsupported, "an array with 4 axes, (1, 2, 3, 2), is no matrix; reshape it"},
		{"<f8", "(3, 5)", ErrTruncated, "shape (3, 5) of <f8 takes 120 bytes, 96 are there; copy, download or save it again"},
		{"<f8", "(2147483648, 1)", ErrUnsupported, "2147483648 x 1: a matrix has at most 2147483647 rows or columns"},
		{"<f8", "(0, 99999999999)", ErrUnsupported, "a matrix has at most"},
		{"<f8", "(0, 2000000000, 2000000000)", ErrUnsupported, "images of 2000000000 x 2000000000"},
		{"<f8", "(0, 9223372036854775807, 9223372036854775807)", ErrUnsupported, "images of"},
		{"<f8", "(2000000000, 2000000000)", ErrFormat, "is beyond any memory"},
		{"<c16", "(2, 3)", ErrUnsupported, "complex numbers"},
		{"|O", "(2, 3)", ErrUnsupported, "Python objects"},
		{"<x8", "(2, 3)", ErrFormat, "unknown element type"},
	}
	for _, tt := range tests {
		path := writeTemp(t, "a.npy", npyFile(t, tt.descr, tt.shape, zeros))
		_, err := Read[float64](path, nil)
		wantError(t, err, tt.err, path+": ")
		wantError(t, err, tt.err, tt.says)
	}
	big := writeTemp(t, "a.npy", written(t, "a.npy", dense(1, 2, 1, 1e39)))
	_, err := Read[float32](big, nil)
	wantError(t, err, ErrUnsupported, "element 2, 1e+39, does not fit in float32; use --precision f64")
}

func TestReadNPYTruncation(t *testing.T) {
	whole := written(t, "a.npy", dense(2, 2, 1, 2, 3, 4))
	for n := range whole {
		path := writeTemp(t, "a.npy", whole[:n])
		if _, err := Read[float32](path, nil); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func checkNumPyRoundTrip[F matrix.Float](t *testing.T, value *rapid.Generator[F]) {
	rapid.Check(t, func(rt *rapid.T) {
		x := drawMatrix(rt, value)
		var b bytes.Buffer
		if err := WriteTo(&b, "a.npz", &Table[F]{X: x}, nil); err != nil {
			rt.Fatal(err)
		}
		got, err := readBytes[F](t, "a.npz", b.Bytes(), nil)
		if err != nil {
			rt.Fatal(err)
		}
		if !sameBits(asDense(got.X), asDense(x)) {
			rt.Fatalf("%v became %v", x, got.X)
		}
		if fmt.Sprintf("%T", got.X) != fmt.Sprintf("%T", x) {
			rt.Fatalf("%T became %T", x, got.X)
		}
		d, err := readBytes[F](t, "a.npy", written(t, "a.npy", matrix.Matrix[F](asDense(x))), nil)
		if err != nil || !sameBits(asDense(d.X), asDense(x)) {
			rt.Fatalf("%v became %v, %v", x, d, err)
		}
	})
}

func TestNumPyRoundTrip(t *testing.T) {
	t.Run("float32", func(t *testing.T) { checkNumPyRoundTrip(t, rapid.Float32()) })
	t.Run("float64", func(t *testing.T) { checkNumPyRoundTrip(t, rapid.Float64()) })
}

// TestNPYAgainstNumPy exchanges matrices of every type with NumPy.
func TestNPYAgainstNumPy(t *testing.T) {
	dir := t.TempDir()
	python(t, `
import sys, numpy as np
x = np.arange(35).reshape(5, 7)
for dtype in "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8".split():
    np.save(sys.argv[1] + "/" + dtype + ".npy", x.astype(dtype))
    np.save(sys.argv[1] + "/big-" + dtype + ".npy", np.asfortranarray(x.astype(">" + dtype)))
`, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.npy"))
	if err != nil || len(files) != 22 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		got, err := Read[float32](path, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		x := asDense(got.X)
		if x.Rows != 5 || x.Cols != 7 || x.At(4, 5) != 33 || x.At(1, 0) != 7 {
			t.Errorf("%s: %v", path, x)
		}
	}
	ours := filepath.Join(dir, "ours.npy")
	if err := Write(ours, &Table[float64]{X: dense(2, 3, 0, 1, math.Pi, -4, 5e-324, 1e308)}, nil); err != nil {
		t.Fatal(err)
	}
	python(t, `
import sys, numpy as np
a = np.load(sys.argv[1])
assert a.dtype == np.float64 and a.tolist() == [[0, 1, np.pi], [-4, 5e-324, 1e308]], a
`, ours)
}

// readMemory reads content whose size is known or not.
func readMemory[F matrix.Float](name string, content []byte, size int64) (*Table[F], error) {
	s := &source{path: name, name: name, size: size, r: bufio.NewReaderSize(bytes.NewReader(content), bufferSize)}
	f, err := s.chooseFormat(nil)
	if err != nil {
		return nil, err
	}
	return readWith(f, s, &ReadOptions{}, intoMemory[F](&ReadOptions{}))
}

// sameMatrix compares to the bit without making a sparse matrix dense.
func sameMatrix[F matrix.Float](a, b matrix.Matrix[F]) bool {
	s, sparse := a.(*matrix.CSR[F])
	u, sparse2 := b.(*matrix.CSR[F])
	if !sparse || !sparse2 {
		return sparse == sparse2 && sameBits(asDense(a), asDense(b))
	}
	cells := func(s *matrix.CSR[F]) *matrix.Dense[F] {
		return &matrix.Dense[F]{Rows: 1, Cols: s.NNZ(), Stride: s.NNZ(), Data: s.Val}
	}
	return s.Rows == u.Rows && s.Cols == u.Cols && slices.Equal(s.RowPtr, u.RowPtr) &&
		slices.Equal(s.ColIdx, u.ColIdx) && sameBits(cells(s), cells(u))
}

// fuzzTable wants from a reader a table that keeps every promise, or one of
// our errors.
func fuzzTable[F matrix.Float](t *testing.T, name string, content []byte) *Table[F] {
	got, err := readMemory[F](name, content, int64(len(content)))
	unsized, err2 := readMemory[F](name, content, -1)
	if (err == nil) != (err2 == nil) || err == nil && !sameMatrix(got.X, unsized.X) {
		t.Fatalf("size known: %v, %v; not known: %v, %v", got, err, unsized, err2)
	}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.File == "" {
			t.Fatalf("an error of another kind: %#v", err)
		}
		for _, known := range []error{ErrFormat, ErrTruncated, ErrUnsupported, ErrMissing} {
			if errors.Is(err, known) {
				return nil
			}
		}
		t.Fatalf("an error of no known kind: %v", err)
	}
	if s, ok := got.X.(*matrix.CSR[F]); ok {
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if err := got.check(); err != nil {
		t.Fatal(err)
	}
	return got
}

func FuzzNPY(f *testing.F) {
	f.Add(written(f, "a.npy", dense(2, 2, 1, 2, 3, 4)))
	f.Add(npyFile(f, ">f2", "(2, 3)", make([]byte, 12)))
	f.Add(npyFile(f, "|b1", "(2, 3, 2)", make([]byte, 12)))
	f.Add(npyFile(f, "<u8", "(3,)", make([]byte, 24)))
	f.Add(npyFile(f, "<i8", "(2147483648, 2147483648)", make([]byte, 24)))
	f.Fuzz(func(t *testing.T, content []byte) {
		fuzzTable[float32](t, "a.npy", content)
	})
}

// BenchmarkReadNPY reads from the page cache.
func BenchmarkReadNPY(b *testing.B) {
	x := matrix.NewDense[float32](4000, 5000)
	for i := range x.Data {
		x.Data[i] = float32(i%1000) / 8
	}
	f32, f64 := filepath.Join(b.TempDir(), "f32"), filepath.Join(b.TempDir(), "f64")
	for _, name := range []string{f32 + ".npy", f32 + ".npz"} {
		if err := Write(name, &Table[float32]{X: x}, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := Write(f64+".npy", &Table[float64]{X: matrix.Convert[float64](matrix.Matrix[float32](x))}, nil); err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{f32 + ".npy", f32 + ".npz", f64 + ".npy"} {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Base(path), func(b *testing.B) {
			b.SetBytes(info.Size())
			for b.Loop() {
				if _, err := Read[float32](path, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// npzFile makes an archive.
func npzFile(t testing.TB, fill func(z *npy.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	z := npy.NewWriter(&b)
	if err := errors.Join(fill(z), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
