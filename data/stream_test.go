package data

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// streamFile writes a file and opens it, as a stream and whole.
func streamFile(t testing.TB, content []byte) (path string, s *Stream[float32], err error) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.npy")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = OpenStream[float32](path)
	if s != nil {
		t.Cleanup(func() { s.Close() })
	}
	return path, s, err
}

func npyBytes[T npy.Number](t testing.TB, shape []int, data []T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := npy.Write(&b, shape, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sameAsWhole compares every run of rows of a stream with what Read gives.
func sameAsWhole(t testing.TB, path string, s *Stream[float32]) {
	t.Helper()
	whole, err := Read[float32](path, nil)
	if err != nil {
		t.Fatalf("a stream of what cannot be read: %v", err)
	}
	d := whole.X.(*matrix.Dense[float32])
	x := s.X.(*matrix.Streamed[float32])
	if x.Rows != d.Rows || x.Cols != d.Cols {
		t.Fatalf("%d x %d, read whole %d x %d", x.Rows, x.Cols, d.Rows, d.Cols)
	}
	for first := 0; first < min(x.Rows, 5); first++ {
		n := min(3, x.Rows-first)
		got := make([]float32, n*x.Cols)
		if err := x.Read(first, got); err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if want := d.Data[first*d.Cols+i]; v != want && (v == v || want == want) {
				t.Fatalf("row %d: %v, read whole %v", first, v, want)
			}
		}
	}
}

func TestStream(t *testing.T) {
	wide := make([]float64, 24)
	whole := make([]int32, 24)
	for i := range wide {
		wide[i], whole[i] = float64(i)/8, int32(i)
	}
	for _, content := range [][]byte{
		npyBytes(t, []int{4, 6}, wide), npyBytes(t, []int{4, 6}, whole), npyBytes(t, []int{24}, wide),
		npyBytes(t, []int{2, 3, 4}, wide), npyBytes(t, []int{6, 4}, singles(wide)),
	} {
		path, s, err := streamFile(t, content)
		if err != nil {
			t.Fatal(err)
		}
		if !CanStream(path) {
			t.Error("it can be streamed, and is said not to be")
		}
		sameAsWhole(t, path, s)
	}
}

func singles(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

func TestStreamErrors(t *testing.T) {
	good := npyBytes(t, []int{4, 6}, make([]float64, 24))
	for _, c := range []struct {
		name    string
		content []byte
		want    error
	}{
		{"cut short", good[:len(good)-1], ErrTruncated},
		{"not an array", []byte("1,2,3\n4,5,6\n"), ErrFormat},
		{"fortran", bytes.Replace(good, []byte("'fortran_order': False, "), []byte("'fortran_order': True,  "), 1), ErrUnsupported},
		{"empty", nil, ErrFormat},
	} {
		path, _, err := streamFile(t, c.content)
		var e *Error
		if !errors.As(err, &e) || e.File != path || !errors.Is(err, c.want) && c.name != "empty" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if CanStream(t.TempDir()) || CanStream(filepath.Join(t.TempDir(), "none.npy")) {
		t.Error("a folder or nothing can be streamed")
	}
	path, s, err := streamFile(t, good)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(good)-8)); err != nil {
		t.Fatal(err)
	}
	x := s.X.(*matrix.Streamed[float32])
	if err := x.Read(0, make([]float32, 6)); !errors.Is(err, ErrFormat) {
		t.Errorf("a file that has changed gives %v", err)
	}
	if err := x.Read(3, make([]float32, 6)); !errors.Is(err, ErrTruncated) {
		t.Errorf("a file that has become shorter gives %v", err)
	}
}

// FuzzStream: whatever can be opened as a stream is what Read makes of it.
func FuzzStream(f *testing.F) {
	f.Add(npyBytes(f, []int{3, 2}, []float64{1, 2, 3, 4, 5, 6}))
	f.Add(npyBytes(f, []int{2, 1, 2}, []int32{1, 2, 3, 4}))
	f.Add([]byte("\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path, s, err := streamFile(t, content)
		if err != nil {
			return
		}
		if x, ok := s.X.(*matrix.Streamed[float32]); !ok || x.Rows*x.Cols > 1<<20 {
			return
		}
		if _, err := Read[float32](path, nil); err != nil {
			return // a number that does not fit: only reading tells
		}
		sameAsWhole(t, path, s)
	})
}
