package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partsof/nmf/matrix"
)

// file makes a .npy of version 1.0 with the given dict and elements.
func file(dict string, elements ...byte) []byte {
	return fileOf(1, dict, elements...)
}

func fileOf(version byte, dict string, elements ...byte) []byte {
	b := append([]byte(magic), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(dict)))
	}
	return append(append(b, dict...), elements...)
}

func dict(descr string, fortran bool, shape string) string {
	order := map[bool]string{false: "False", true: "True"}[fortran]
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape)
}

// read reads from memory, both with the size known and with the bytes dripping
// in, and wants no difference.
func read[T Number](t testing.TB, b []byte) (*Array[T], error) {
	t.Helper()
	a, err := Read[T](bytes.NewReader(b), int64(len(b)))
	c, err2 := Read[T](iotest.OneByteReader(bytes.NewReader(b)), -1)
	if (err == nil) != (err2 == nil) {
		t.Fatalf("size known: %v; not known: %v", err, err2)
	}
	if err == nil && (!slices.Equal(a.Shape, c.Shape) || !bytes.Equal(bytesOf(a.Data), bytesOf(c.Data))) {
		t.Fatalf("size known: %v; not known: %v", a, c)
	}
	return a, err
}

func TestHeaders(t *testing.T) {
	want := Header{Descr: "<f8", Shape: []int{3, 4}}
	for _, text := range []string{
		"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }          \n",
		"{'shape': (3, 4), 'descr': '<f8', 'fortran_order': False}\n",
		"{'descr':'<f8','fortran_order':False,'shape':(3,4)}",
		`{"descr": u"<f8" , "fortran_order" : False, 'shape': (3L, 4L,)}` + "\n",
		"  {\t'descr': b'<f8',\n'fortran_order': False, 'shape': [3, 4]}\x00\x00",
		"{'descr': ('<f8'), 'fortran_order': (False), 'shape': (3, (4))}",
	} {
		for version := byte(1); version <= 3; version++ {
			got, err := ReadHeader(bytes.NewReader(fileOf(version, text)))
			if err != nil {
				t.Errorf("version %d, %q: %v", version, text, err)
				continue
			}
			if size := int64(len(fileOf(version, text))); got.Size != size {
				t.Errorf("version %d, %q: header of %d bytes, want %d", version, text, got.Size, size)
			}
			got.Size = 0
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("version %d, %q: %s", version, text, d)
			}
		}
	}
	for text, want := range map[string][]int{"()": nil, "(5,)": {5}, "(0, 7)": {0, 7}, "(1, 2, 3)": {1, 2, 3}} {
		got, err := ReadHeader(bytes.NewReader(file(dict("<f8", true, text))))
		if err != nil || !cmp.Equal(got.Shape, want) || !got.Fortran {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if s := ShapeString(want); s != text {
			t.Errorf("ShapeString(%v) = %s", want, s)
		}
	}
}

func TestHeadersRefused(t *testing.T) {
	tests := []struct {
		content []byte
		err     error
		says    string
	}{
		{nil, ErrTruncated, "within the header"},
		{[]byte("\x93NUM"), ErrTruncated, "within the header"},
		{[]byte("PK\x03\x04 and more"), ErrFormat, "magic"},
		{[]byte("a,b"), ErrFormat, "magic"},
		{fileOf(4, dict("<f8", false, "(1, 1)")), ErrUnsupported, "version 4.0"},
		{fileOf(0, dict("<f8", false, "(1, 1)")), ErrUnsupported, "version 0.0"},
		{append([]byte(magic), 2, 0, 0xff, 0xff, 0xff, 0xff), ErrFormat, "claims 4294967295 bytes"},
		{file(""), ErrFormat, "no value"},
		{file("[1, 2]"), ErrFormat, "not a dict"},
		{file("{'descr': '<f8', 'fortran_order': False}"), ErrFormat, "shape"},
		{file("{'descr': '<f8', 'shape': (1, 2)}"), ErrFormat, "fortran_order"},
		{file("{'fortran_order': False, 'shape': (1, 2)}"), ErrFormat, "descr"},
		{file("{'descr': 3, 'fortran_order': False, 'shape': (1, 2)}"), ErrFormat, "descr"},
		{file("{'descr': '<f8', 'fortran_order': 0, 'shape': (1, 2)}"), ErrFormat, "fortran_order"},
		{file("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), 'x': 1}"), ErrFormat, `unknown key "x"`},
		{file("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}"), ErrFormat, "twice"},
		{file(dict("<f8", false, "(1, -2)")), ErrFormat, "shape"},
		{file(dict("<f8", false, "(1.5, 2)")), ErrFormat, "neither comma nor )"},
		{file(dict("<f8", false, "(99999999999999999999, 2)")), ErrFormat, "integer out of range"},
		{file(dict("<f8", false, "4")), ErrFormat, "shape"},
		{file(dict("<f8", false, "(1, 2") + "}"), ErrFormat, "header has"},
		{file(dict("<f8", false, "(1, 2)") + "x"), ErrFormat, "after the dict"},
		{file("{'descr': '<f8"), ErrFormat, "unclosed string"},
		{file("{'descr': '<f8\\"), ErrFormat, "unclosed string"},
		{file("{3: 4}"), ErrFormat, "key that is no string"},
		{file("{'descr' '<f8'}"), ErrFormat, "no colon"},
		{file("{'descr': __import__('os')}"), ErrFormat, "no value"},
		{file("{'descr': exit()}"), ErrFormat, "unknown word"},
		{file(strings.Repeat("(", 1000)), ErrFormat, "nesting"},
		{file(dict("<f8", false, "("+strings.Repeat("1, ", 65)+")")), ErrFormat, "shape"},
	}
	for _, tt := range tests {
		_, err := ReadHeader(bytes.NewReader(tt.content))
		if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: got %v, want %v with %q", tt.content, err, tt.err, tt.says)
		}
	}
}

func TestElementsRefused(t *testing.T) {
	for descr, want := range map[string]struct {
		err  error
		says string
	}{
		"<c16":   {ErrUnsupported, "complex"},
		"|O":     {ErrUnsupported, "Python objects"},
		"|S3":    {ErrUnsupported, "text"},
		"<U8":    {ErrUnsupported, "text"},
		"<f16":   {ErrUnsupported, "long double"},
		"<M8[s]": {ErrUnsupported, "dates"},
		"|V4":    {ErrUnsupported, "raw bytes"},
		"<i3":    {ErrFormat, "unknown element type"},
		"":       {ErrFormat, "descr"},
		"<":      {ErrFormat, "descr"},
	} {
		_, err := read[float64](t, file(dict(descr, false, "(1,)"), make([]byte, 32)...))
		if !errors.Is(err, want.err) || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%q: got %v, want %v with %q", descr, err, want.err, want.says)
		}
	}
	structured := "{'descr': [('a', '<f8'), ('b', '<i4', (2,))], 'fortran_order': False, 'shape': (1,), }\n"
	if _, err := read[float64](t, file(structured, make([]byte, 32)...)); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "structured") {
		t.Errorf("structured: %v", err)
	}
	if _, err := read[int32](t, file(dict("<f8", false, "(1,)"), make([]byte, 8)...)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("floats as integers: %v", err)
	}
}

// TestElements reads the same numbers from every type in both byte orders.
func TestElements(t *testing.T) {
	littleEndian := map[string][][]byte{
		"f2": {{0x00, 0x3c}, {0x00, 0x40}, {0x00, 0xc4}},
		"f4": {{0, 0, 0x80, 0x3f}, {0, 0, 0, 0x40}, {0, 0, 0x80, 0xc0}},
		"f8": {{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, {0, 0, 0, 0, 0, 0, 0, 0x40}, {0, 0, 0, 0, 0, 0, 0x10, 0xc0}},
		"i1": {{1}, {2}, {0xfc}},
		"i2": {{1, 0}, {2, 0}, {0xfc, 0xff}},
		"i4": {{1, 0, 0, 0}, {2, 0, 0, 0}, {0xfc, 0xff, 0xff, 0xff}},
		"i8": {{1, 0, 0, 0, 0, 0, 0, 0}, {2, 0, 0, 0, 0, 0, 0, 0}, {0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		"u1": {{1}, {2}, {0xfc}},
		"u2": {{1, 0}, {2, 0}, {0xfc, 0}},
		"u4": {{1, 0, 0, 0}, {2, 0, 0, 0}, {0xfc, 0, 0, 0}},
		"u8": {{1, 0, 0, 0, 0, 0, 0, 0}, {2, 0, 0, 0, 0, 0, 0, 0}, {0xfc, 0, 0, 0, 0, 0, 0, 0}},
		"b1": {{1}, {0}, {0xff}},
	}
	for kind, elements := range littleEndian {
		want := []float64{1, 2, -4}
		switch kind[0] {
		case 'u':
			want[2] = 252
		case 'b':
			want = []float64{1, 0, 1}
		}
		for _, order := range []string{"<", ">"} {
			var b []byte
			for _, e := range elements {
				e = bytes.Clone(e)
				if order == ">" {
					swapBytes(e, len(e))
				}
				b = append(b, e...)
			}
			content := file(dict(order+kind, false, "(3,)"), b...)
			t.Run(order+kind, func(t *testing.T) {
				checkFloats(t, content, want)
				if kind[0] != 'f' {
					checkIntegers(t, content, want)
				}
			})
		}
	}
}

func checkFloats(t *testing.T, content []byte, want []float64) {
	a, err := read[float64](t, content)
	if err != nil || !cmp.Equal(a.Data, want) {
		t.Errorf("float64: %v, %v", a, err)
	}
	b, err := read[float32](t, content)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range b.Data {
		if float64(v) != want[i] {
			t.Errorf("float32: %v", b.Data)
		}
	}
}

func checkIntegers(t *testing.T, content []byte, want []float64) {
	a, err := read[int32](t, content)
	if err != nil {
		t.Fatal(err)
	}
	b, err := read[int64](t, content)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if a.Data[i] != int32(v) || b.Data[i] != int64(v) {
			t.Errorf("int32 %v, int64 %v, want %v", a.Data, b.Data, want)
		}
	}
}

func TestRange(t *testing.T) {
	le := binary.LittleEndian
	f8 := func(v float64) []byte { return le.AppendUint64(nil, math.Float64bits(v)) }
	i8 := func(v uint64) []byte { return le.AppendUint64(nil, v) }
	refuses := func(name string, err error, says string) {
		t.Helper()
		if !errors.Is(err, ErrRange) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %v with %q", name, err, ErrRange, says)
		}
	}
	_, err := read[float32](t, file(dict("<f8", false, "(2,)"), append(f8(1), f8(-1e39)...)...))
	refuses("1e39 as float32", err, "element 2, -1e+39, does not fit in float32")
	_, err = read[int32](t, file(dict("<i8", false, "(1,)"), i8(1<<31)...))
	refuses("2^31 as int32", err, "element 1, 2147483648,")
	_, err = read[int32](t, file(dict("<u4", false, "(1,)"), 0, 0, 0, 0x80))
	refuses("unsigned 2^31 as int32", err, "2147483648")
	_, err = read[int64](t, file(dict("<u8", false, "(1,)"), i8(1<<63)...))
	refuses("2^63 as int64", err, "9223372036854775808")
	_, err = read[int32](t, file(dict("<u8", false, "(1,)"), i8(1<<63)...))
	refuses("2^63 as int32", err, "9223372036854775808")

	inf, err := read[float32](t, file(dict("<f8", false, "(1,)"), f8(math.Inf(-1))...))
	if err != nil || !math.IsInf(float64(inf.Data[0]), -1) {
		t.Errorf("an infinity that is in the file: %v, %v", inf, err)
	}
	big, err := read[float32](t, file(dict("<u8", false, "(1,)"), i8(math.MaxUint64)...))
	if err != nil || big.Data[0] != 1<<64 {
		t.Errorf("2^64-1 is rounded to float32: %v, %v", big, err)
	}
}

// TestHalf compares all binary16 numbers with their definition.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		sign := 1.0
		if h>>15 == 1 {
			sign = -1
		}
		exponent, fraction := h>>10&0x1f, float64(h&0x3ff)/1024
		got := float64(halfToFloat(uint16(h)))
		var want float64
		switch {
		case exponent == 0:
			want = math.Copysign(math.Ldexp(fraction, -14), sign)
		case exponent < 0x1f:
			want = sign * math.Ldexp(1+fraction, exponent-15)
		case fraction == 0:
			want = math.Inf(int(sign))
		default:
			if !math.IsNaN(got) {
				t.Fatalf("%#04x: got %v, want NaN", h, got)
			}
			continue
		}
		if math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%#04x: got %v, want %v", h, got, want)
		}
	}
}

// TestFortran reads arrays of many shapes in Fortran order.
func TestFortran(t *testing.T) {
	for _, shape := range [][]int{
		{1, 1}, {3, 5}, {5, 3}, {1, 40}, {40, 1}, {33, 17}, {17, 33}, {16, 16}, {0, 3}, {3, 0},
		{2, 3, 4}, {4, 1, 3}, {2, 0, 3}, {2, 3, 2, 3}, {7}, {},
	} {
		n := 1
		for _, d := range shape {
			n *= d
		}
		// Element i in C order has the value i.
		flat := make([]float64, n)
		for i := range n {
			rest, place, step := i, 0, n
			for axis := len(shape) - 1; axis >= 0; axis-- {
				step /= shape[axis]
				place += rest % shape[axis] * step
				rest /= shape[axis]
			}
			flat[place] = float64(i)
		}
		a, err := read[float64](t, file(dict("<f8", true, ShapeString(shape)), bytesOf(flat)...))
		if err != nil {
			t.Errorf("%v: %v", shape, err)
			continue
		}
		for i, v := range a.Data {
			if v != float64(i) {
				t.Errorf("%v: %v", shape, a.Data)
				break
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Run("float32", roundTrip(rapid.Float32()))
	t.Run("float64", roundTrip(rapid.Float64()))
	t.Run("int32", roundTrip(rapid.Int32()))
	t.Run("int64", roundTrip(rapid.Int64()))
}

func roundTrip[T Number](values *rapid.Generator[T]) func(*testing.T) {
	return func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			shape := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(rt, "shape")
			n := 1
			for _, d := range shape {
				n *= d
			}
			data := rapid.SliceOfN(values, n, n).Draw(rt, "data")
			var b bytes.Buffer
			if err := Write(&b, shape, data); err != nil {
				rt.Fatal(err)
			}
			a, err := read[T](t, b.Bytes())
			if err != nil {
				rt.Fatal(err)
			}
			if !bytes.Equal(bytesOf(a.Data), bytesOf(data)) || len(a.Shape) != len(shape) {
				rt.Fatalf("wrote %v %v, read %v", shape, data, a)
			}
			if start := b.Len() - len(bytesOf(data)); start%64 != 0 {
				rt.Fatalf("the elements start at byte %d", start)
			}
		})
	}
}

func TestWriteRefusesOtherShape(t *testing.T) {
	if err := Write(io.Discard, []int{2, 3}, make([]float64, 5)); !errors.Is(err, ErrFormat) {
		t.Errorf("5 elements for (2, 3): %v", err)
	}
}

func TestWriteDenseWithStride(t *testing.T) {
	wide := &matrix.Dense[float32]{Rows: 2, Cols: 3, Stride: 5, Data: []float32{1, 2, 3, -1, -1, 4, 5, 6}}
	var got, want bytes.Buffer
	if err := WriteDense(&got, wide); err != nil {
		t.Fatal(err)
	}
	if err := Write(&want, []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("got %q, want %q", got.Bytes(), want.Bytes())
	}
}

func TestTruncation(t *testing.T) {
	for _, whole := range [][]byte{
		file(dict("<f8", false, "(2, 3)"), make([]byte, 48)...),
		file(dict(">i2", true, "(2, 3)"), make([]byte, 12)...),
		fileOf(2, dict("<f4", true, "(2, 3)"), make([]byte, 24)...),
	} {
		if _, err := read[float64](t, whole); err != nil {
			t.Fatal(err)
		}
		for n := range whole {
			if _, err := read[float64](t, whole[:n]); !errors.Is(err, ErrTruncated) {
				t.Errorf("%d of %d bytes: got %v, want %v", n, len(whole), err, ErrTruncated)
			}
		}
	}
}

// allocated gives the bytes that fn allocates.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLies reads headers that promise far more than there is, with little
// memory.
func TestLies(t *testing.T) {
	for _, shape := range []string{
		"(1000000000, 1000)", "(4000000000000000000,)", "(3037000500, 3037000500)",
		"(9223372036854775807, 9223372036854775807)", "(1000000000000,)",
	} {
		for _, fortran := range []bool{false, true} {
			content := file(dict("<f8", fortran, shape), make([]byte, 1000)...)
			used := allocated(func() {
				if _, err := read[float64](t, content); !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrFormat) {
					t.Errorf("%s: %v", shape, err)
				}
			})
			if used > 8<<20 {
				t.Errorf("%s: allocated %d bytes for a file of %d", shape, used, len(content))
			}
		}
	}
	// No elements, whatever the other axis claims.
	a, err := read[float64](t, file(dict("<f8", false, "(0, 9000000000000000000, 9000000000000000000)")))
	if err != nil || len(a.Data) != 0 {
		t.Errorf("no elements: %v, %v", a, err)
	}
}

// TestGrowth reads more than the first chunk from a stream of unknown size.
func TestGrowth(t *testing.T) {
	const n = 5*firstChunk + 7
	data := make([]float64, n)
	for i := range data {
		data[i] = float64(i)
	}
	var b bytes.Buffer
	if err := Write(&b, []int{n}, data); err != nil {
		t.Fatal(err)
	}
	a, err := Read[float32](bytes.NewReader(b.Bytes()), -1)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range a.Data {
		if v != float32(i) {
			t.Fatalf("element %d is %v", i, v)
		}
	}
	if _, err := Read[float64](bytes.NewReader(b.Bytes()[:b.Len()-1]), -1); !errors.Is(err, ErrTruncated) ||
		!strings.Contains(err.Error(), fmt.Sprintf("after %d of %d elements", n-1, n)) {
		t.Errorf("one byte short: %v", err)
	}
}

func TestReaderErrorsPassThrough(t *testing.T) {
	broken := errors.New("broken disk")
	content := file(dict("<f8", false, "(2,)"), make([]byte, 16)...)
	for _, n := range []int{0, 4, 9, 20, len(content) - 3} {
		r := io.MultiReader(bytes.NewReader(content[:n]), iotest.ErrReader(broken))
		if _, err := Read[float64](r, -1); !errors.Is(err, broken) || errors.Is(err, ErrTruncated) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// numpy runs a script under the system's Python, and skips the test where that
// has no NumPy.
func numpy(t *testing.T, script string, args ...string) {
	t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import numpy").Run(); err != nil {
		t.Skipf("%s has no numpy to compare with: %v", python, err)
	}
	if out, err := exec.Command(python, append([]string{"-c", script}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestAgainstNumPy reads what NumPy writes, every type in every order and
// version, and has NumPy read what we write.
func TestAgainstNumPy(t *testing.T) {
	dir := t.TempDir()
	numpy(t, `
import sys, os, itertools, numpy as np
x = np.arange(35).reshape(5, 7)
for kind, order, layout, version in itertools.product(
        "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8".split(), "<>", "CF", [1, 2, 3]):
    a = np.array(x, dtype=order + kind, order=layout)
    with open(os.path.join(sys.argv[1], "%s%s%d%s.npy" % (kind, "lb"[order == ">"], version, layout)), "wb") as f:
        np.lib.format.write_array(f, a, version=(version, 0))
`, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.npy"))
	if err != nil || len(files) != 11*2*2*3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := read[float64](t, content)
		if err != nil || !cmp.Equal(a.Shape, []int{5, 7}) {
			t.Errorf("%s: %v, %v", name, a, err)
			continue
		}
		for i, v := range a.Data {
			if v != float64(i) {
				t.Errorf("%s: %v", name, a.Data)
				break
			}
		}
	}

	var b bytes.Buffer
	data := []float32{0, 1, math.MaxFloat32, math.SmallestNonzeroFloat32, -0.1, float32(math.Inf(1))}
	if err := Write(&b, []int{2, 3}, data); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(dir, "ours.npy")
	if err := os.WriteFile(ours, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(dir, "theirs.npy")
	numpy(t, `
import sys, numpy as np
a = np.load(sys.argv[1])
assert a.dtype == np.float32 and a.shape == (2, 3) and a.flags.c_contiguous, a
np.save(sys.argv[2], a)
`, ours, theirs)
	again, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	a, err := read[float32](t, again)
	if err != nil || !bytes.Equal(bytesOf(a.Data), bytesOf(data)) {
		t.Errorf("there and back: %v, %v", a, err)
	}
}

func FuzzNPY(f *testing.F) {
	f.Add(file(dict("<f8", false, "(2, 3)"), make([]byte, 48)...))
	f.Add(file(dict(">f4", true, "(3, 2)"), make([]byte, 24)...))
	f.Add(fileOf(2, dict("|b1", false, "(2, 3, 4)"), make([]byte, 24)...))
	f.Add(fileOf(3, dict("<f2", true, "(2, 3, 1)"), make([]byte, 12)...))
	f.Add(file(dict("<u8", false, "()"), bytes.Repeat([]byte{0xff}, 8)...))
	f.Add(file(dict("<i8", false, "(1000000000, 1000000000)"), 1, 2, 3))
	f.Add(file("{'shape': (1L,), \"descr\": u'|u1', 'fortran_order': True}", 7))
	f.Add(file("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", 7))
	f.Fuzz(func(t *testing.T, content []byte) {
		fuzzRead[float32](t, content)
		fuzzRead[int32](t, content)
		a := fuzzRead[float64](t, content)
		if a == nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, a.Shape, a.Data); err != nil {
			t.Fatal(err)
		}
		again, err := Read[float64](&b, int64(b.Len()))
		if err != nil || !slices.Equal(a.Shape, again.Shape) || !bytes.Equal(bytesOf(a.Data), bytesOf(again.Data)) {
			t.Fatalf("read %v, then %v, %v", a, again, err)
		}
	})
}

// fuzzRead wants a whole array or one of our errors.
func fuzzRead[T Number](t *testing.T, content []byte) *Array[T] {
	a, err := read[T](t, content)
	if err != nil {
		for _, known := range []error{ErrFormat, ErrTruncated, ErrUnsupported, ErrRange} {
			if errors.Is(err, known) {
				return nil
			}
		}
		t.Fatalf("an error of no known kind: %v", err)
	}
	h := Header{Shape: a.Shape}
	if n, err := h.Len(); err != nil || n != len(a.Data) {
		t.Fatalf("%d elements for %v", len(a.Data), a.Shape)
	}
	return a
}

func BenchmarkRead(b *testing.B) {
	const rows, cols = 1000, 4000
	for _, bench := range []struct {
		descr   string
		size    int
		fortran bool
	}{{"<f4", 4, false}, {">f4", 4, false}, {"<f8", 8, false}, {"<i4", 4, false}, {"|u1", 1, false}, {"<f4", 4, true}} {
		content := file(dict(bench.descr, bench.fortran, ShapeString([]int{rows, cols})), make([]byte, rows*cols*bench.size)...)
		name := bench.descr
		if bench.fortran {
			name += "-fortran"
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				if _, err := Read[float32](bytes.NewReader(content), int64(len(content))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
