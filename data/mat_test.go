package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"

	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

// matBuilder writes MATLAB files.
type matBuilder struct {
	order binary.ByteOrder
	b     []byte
}

func newMAT(order binary.ByteOrder) *matBuilder {
	m := &matBuilder{order: order}
	m.b = append(m.b, "MATLAB 5.0 MAT-file"...)
	m.b = append(m.b, bytes.Repeat([]byte{' '}, 124-len(m.b))...)
	m.b = m.word16(m.b, matVersion5)
	m.b = m.word16(m.b, 'M'<<8|'I')
	return m
}

func (m *matBuilder) word16(b []byte, v uint16) []byte {
	var w [2]byte
	m.order.PutUint16(w[:], v)
	return append(b, w[:]...)
}

func (m *matBuilder) word(b []byte, v int) []byte {
	var w [4]byte
	m.order.PutUint32(w[:], uint32(v))
	return append(b, w[:]...)
}

// element appends an element, packed where it is small.
func (m *matBuilder) element(b []byte, kind int, content []byte) []byte {
	if n := len(content); n > 0 && n <= 4 {
		b = m.word(b, n<<16|kind)
		return append(append(b, content...), make([]byte, 4-n)...)
	}
	b = m.word(m.word(b, kind), len(content))
	return append(append(b, content...), make([]byte, padded(len(content))-len(content))...)
}

// values gives numbers in a type of element.
func (m *matBuilder) values(kind int, list []float64) []byte {
	var b bytes.Buffer
	for _, v := range list {
		var x any
		switch kind {
		case 1:
			x = int8(v)
		case 2:
			x = uint8(v)
		case 3:
			x = int16(v)
		case 4:
			x = uint16(v)
		case 5:
			x = int32(v)
		case 6:
			x = uint32(v)
		case 7:
			x = float32(v)
		case 9:
			x = v
		case 12:
			x = int64(v)
		case 13:
			x = uint64(v)
		}
		binary.Write(&b, m.order, x)
	}
	return b.Bytes()
}

// describe gives the start of a variable.
func (m *matBuilder) describe(name string, flags int, dims ...int) []byte {
	b := m.element(nil, matUint32, m.word(m.word(nil, flags), 0))
	var shape []byte
	for _, d := range dims {
		shape = m.word(shape, d)
	}
	b = m.element(b, matInt32, shape)
	return m.element(b, matInt8, []byte(name))
}

// add appends a variable.
func (m *matBuilder) add(parts ...[]byte) *matBuilder {
	m.b = m.element(m.b, matMatrix, bytes.Join(parts, nil))
	return m
}

// compress appends a variable within a zlib stream.
func (m *matBuilder) compress(t testing.TB, parts ...[]byte) *matBuilder {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(m.element(nil, matMatrix, bytes.Join(parts, nil)))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	m.b = append(m.word(m.word(m.b, matCompressed), b.Len()), b.Bytes()...)
	return m
}

func (m *matBuilder) numbers(kind int, list ...float64) []byte {
	return m.element(nil, kind, m.values(kind, list))
}

// dense gives the parts of a 2 x 3 matrix [[1 2 3] [4 5 6]].
func (m *matBuilder) dense(name string) []byte {
	return append(m.describe(name, 6, 2, 3), m.numbers(2, 1, 4, 2, 5, 3, 6)...)
}

// sparse gives the parts of a 3 x 2 matrix [[1 0] [0 3] [2 0]], with spare
// room.
func (m *matBuilder) sparse(name string) []byte {
	return bytes.Join([][]byte{
		m.describe(name, matSparse, 3, 2), m.numbers(5, 0, 2, 1, 0, 0), m.numbers(5, 0, 2, 3), m.numbers(9, 1, 2, 3),
	}, nil)
}

func littleMAT() *matBuilder { return newMAT(binary.LittleEndian) }

func TestReadMAT(t *testing.T) {
	l := littleMAT()
	vector := append(l.describe("v", 6, 3, 1), l.numbers(9, 7, 8, 9)...)
	scalar := append(l.describe("k", 6, 1, 1), l.numbers(2, 5)...)
	text := append(l.describe("title", 4, 1, 2), l.element(nil, 4, make([]byte, 4))...)
	cube := append(l.describe("cube", 9, 2, 3, 2), l.numbers(2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)...)
	unnamed := append(l.describe("", 9, 1, 2), l.numbers(2, 1, 2)...)
	want, wantSparse := dense(2, 3, 1, 2, 3, 4, 5, 6), dense(3, 2, 1, 0, 0, 3, 2, 0)
	tests := []struct {
		name string
		m    *matBuilder
		key  string
		want *matrix.Dense[float64]
		note string
	}{
		{"plain", littleMAT().add(l.dense("X")), "", want, ""},
		{"compressed", littleMAT().compress(t, l.dense("X")), "", want, ""},
		{"sparse", littleMAT().add(l.sparse("S")), "", wantSparse, ""},
		{"sparse, compressed", littleMAT().compress(t, l.sparse("S")), "", wantSparse, ""},
		{"the matrix among vectors", littleMAT().add(vector).compress(t, scalar).add(text).add(l.dense("X")).add(vector).add(unnamed), "", want, ""},
		{"the only numbers", littleMAT().add(text).add(vector), "", dense(3, 1, 7, 8, 9), ""},
		{"by name", littleMAT().add(l.sparse("S")).add(vector).add(l.dense("X")).add(l.sparse("U")), "X", want, ""},
		{"vector by name", littleMAT().add(l.sparse("S")).compress(t, vector), "v", dense(3, 1, 7, 8, 9), ""},
		{"scalar by name", littleMAT().add(scalar).add(l.dense("X")), "k", dense(1, 1, 5), ""},
		{"three axes", littleMAT().add(cube), "", dense(6, 2, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12),
			`variable "cube", 2x3x2, became a 6 x 2 matrix: its last axis is the columns`},
		{"repeated cell", littleMAT().add(l.describe("S", matSparse, 3, 1), l.numbers(5, 1, 1), l.numbers(5, 0, 2), l.numbers(9, 4, 5)), "",
			dense(3, 1, 0, 9, 0), "1 cell given more than once was summed"},
		{"logical sparse", littleMAT().add(l.describe("S", matSparse|matLogical, 3, 1), l.numbers(5, 0, 2), l.numbers(5, 0, 2), l.numbers(2, 1, 1)), "",
			dense(3, 1, 1, 0, 1), ""},
		{"no column", littleMAT().add(l.describe("E", 6, 3, 0), l.numbers(9)), "E", dense(3, 0), ""},
	}
	for _, tt := range tests {
		got, err := readBytes[float64](t, "a.mat", tt.m.b, &ReadOptions{Key: tt.key})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !sameBits(asDense(got.X), tt.want) || strings.Join(got.Notes, "; ") != tt.note || got.Format != "mat" {
			t.Errorf("%s: %v, notes %q; want %v", tt.name, asDense(got.X), got.Notes, tt.want)
		}
		if _, sparse := got.X.(*matrix.CSR[float64]); sparse != strings.Contains(strings.ToLower(tt.name), "sparse") && tt.name != "repeated cell" {
			t.Errorf("%s: sparse is %v", tt.name, sparse)
		}
	}
}

// TestReadMATClasses stores each class of numbers in each type of element,
// both byte orders.
func TestReadMATClasses(t *testing.T) {
	want := dense(2, 2, 1, 3, 2, 100)
	for class := 6; class <= 15; class++ {
		for kind := range matElements {
			for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
				m := newMAT(order)
				m.compress(t, m.describe("X", class|matLogical, 2, 2), m.numbers(int(kind), 1, 2, 3, 100))
				got, err := readBytes[float32](t, "a", m.b, nil)
				if err != nil || !sameBits(asDense(matrix.Convert[float64](got.X)), want) {
					t.Errorf("class %d in elements of type %d, %v: %v, %v", class, kind, order, got, err)
				}
			}
		}
	}
}

func TestReadMATErrors(t *testing.T) {
	l := littleMAT()
	version := func(v uint16) []byte {
		m := littleMAT().add(l.dense("X"))
		m.order.PutUint16(m.b[124:], v)
		return m.b
	}
	lying := littleMAT()
	lying.b = append(lying.b, l.word(l.word(nil, matMatrix), 1<<31)...)
	forged := littleMAT().add(l.describe("X", 6, 1<<15, 1<<15), l.word(l.word(nil, 1), 1<<30)).b
	damaged := littleMAT().compress(t, l.dense("X")).b
	damaged[len(damaged)-1] ^= 1
	broken := littleMAT().compress(t, l.dense("X")).b
	broken[140] ^= 0xff
	sparse := func(rows, pointers, values []byte) []byte {
		return littleMAT().add(l.describe("S", matSparse, 3, 2), rows, pointers, values).b
	}
	ints := func(list ...float64) []byte { return l.numbers(5, list...) }
	tests := []struct {
		name    string
		content []byte
		key     string
		err     error
		says    string
	}{
		{"several", littleMAT().add(l.dense("X")).add(l.describe("C", 6|matComplex, 2, 2)).add(l.sparse("S")).b, "", ErrUnsupported,
			"the MATLAB file holds several matrices: X 2x3 double; C 2x2 complex double; S 3x2 sparse; choose one with --key"},
		{"no such name", littleMAT().add(l.dense("X")).add(l.sparse("S")).b, "Y", ErrFormat, `has no variable "Y"; its variables are X, S`},
		{"nothing", littleMAT().b, "", ErrFormat, "the MATLAB file holds no variable"},
		{"no numbers", littleMAT().add(l.describe("c", 1, 1, 1)).b, "", ErrUnsupported, "holds no matrix of numbers: c 1x1 cell"},
		{"text by name", littleMAT().add(l.describe("c", 4, 1, 1)).b, "c", ErrUnsupported, `variable "c": it is a char, not a matrix of numbers`},
		{"complex", littleMAT().add(l.describe("c", 6|matComplex, 1, 1)).b, "c", ErrUnsupported, `variable "c": its numbers are complex; save its magnitude`},
		{"object", littleMAT().add(l.describe("c", 17, 1, 1)).b, "", ErrUnsupported, "no matrix of numbers: an object"},
		{"version 4", make([]byte, 200), "", ErrUnsupported, "of version 4, or none; save it in MATLAB with -v7"},
		{"text", []byte(strings.Repeat("1,2,3\n", 40)), "", ErrFormat, "its header names no byte order; it looks like csv"},
		{"short", []byte("1,2,3\n"), "", ErrTruncated, "it ends within the MATLAB header; it looks like csv"},
		{"version 7.3 without HDF5", version(matVersion73), "", ErrUnsupported, "version 0x200, which is unknown"},
		{"other version", version(0x300), "", ErrUnsupported, "version 0x300"},
		{"lying size", lying.b, "", ErrTruncated, "the first variable needs 2147483648 bytes, 0 are there"},
		{"lying shape", forged, "", ErrTruncated, `variable "X": its numbers: file is cut short`},
		{"shape and numbers", littleMAT().add(l.describe("X", 6, 2, 3), l.numbers(9, 1, 2)).b, "", ErrFormat, `variable "X": its numbers take 16 bytes, 6 numbers of 8 bytes are wanted`},
		{"numbers as text", littleMAT().add(l.describe("X", 6, 1, 3), l.element(nil, 16, []byte("abc"))).b, "", ErrFormat, `its numbers are of type 16, not numbers`},
		{"dimension below", littleMAT().add(l.describe("X", 6, 2, -3)).b, "", ErrFormat, `variable "X": a dimension is -3`},
		{"one dimension", littleMAT().add(l.describe("X", 6, 2)).b, "", ErrFormat, `variable "X": it has fewer than two dimensions`},
		{"huge shape", littleMAT().add(l.describe("X", 6, 1<<30, 1<<30, 1<<30)).b, "", ErrUnsupported, "is too large; split it"},
		{"element elsewhere", append(littleMAT().b, l.element(nil, 9, make([]byte, 8))...), "", ErrFormat, "the first variable is of type 9, a variable is of type 14 or 15"},
		{"checksum", damaged, "", ErrFormat, "damaged zlib stream in the first variable"},
		{"stream", broken, "", ErrFormat, "damaged zlib stream in the first variable"},
		{"too large for float32", littleMAT().add(l.describe("X", 6, 1, 2), l.numbers(9, 1, 1e300)).b, "", ErrUnsupported, `variable "X": its numbers: out of range: element 2, 1e+300, does not fit in float32; use --precision f64`},
		{"row beyond", sparse(ints(0, 3), ints(0, 1, 2), l.numbers(9, 1, 2)), "", ErrFormat, `variable "S": column 2: index 3 with 3 rows`},
		{"pointers fall", sparse(ints(0, 1), ints(0, 2, 1), l.numbers(9, 1, 2)), "", ErrFormat, `variable "S": column 2: jc falls from 2 to 1`},
		{"pointers beyond", sparse(ints(0, 1), ints(0, 2, 3), l.numbers(9, 1, 2)), "", ErrFormat, `variable "S": column 2: jc is 3 with 2 indices`},
		{"too few pointers", sparse(ints(0, 1), ints(0, 2), l.numbers(9, 1, 2)), "", ErrFormat, "its column pointers take 8 bytes, 3 numbers of 4 bytes are wanted"},
		{"fractions as rows", sparse(l.numbers(9, 0, 1), ints(0, 2, 2), l.numbers(9, 1, 2)), "", ErrUnsupported, "where integers are wanted"},
	}
	for _, tt := range tests {
		path := writeTemp(t, "a.mat", tt.content)
		used := allocated(func() {
			_, err := Read[float32](path, &ReadOptions{Key: tt.key})
			wantError(t, err, tt.err, path+": ")
			wantError(t, err, tt.err, tt.says)
		})
		if used > 8<<20 {
			t.Errorf("%s: allocated %d bytes", tt.name, used)
		}
	}
}

func TestReadMATTruncation(t *testing.T) {
	l := littleMAT()
	for _, whole := range [][]byte{
		littleMAT().add(l.dense("X")).add(l.sparse("unwanted")).b,
		littleMAT().compress(t, l.dense("X")).b,
		littleMAT().compress(t, l.sparse("X")).b,
	} {
		for n := matHeaderSize + 1; n < len(whole); n++ {
			got, err := readBytes[float32](t, "a.mat", whole[:n], nil)
			if !errors.Is(err, ErrTruncated) && n != matHeaderSize+8+len(l.dense("X")) {
				t.Errorf("%d of %d bytes: %v, %v", n, len(whole), got, err)
			}
		}
		if _, err := readBytes[float32](t, "a.mat", whole, &ReadOptions{Key: "X"}); err != nil {
			t.Error(err)
		}
	}
}

// TestMATAgainstSciPy reads what scipy writes.
func TestMATAgainstSciPy(t *testing.T) {
	dir := t.TempDir()
	python(t, `
import sys, numpy as np, scipy.sparse as sp, scipy.io as io
d = sys.argv[1] + "/"
s = sp.random(40, 25, 0.2, random_state=1, format="csr")
x = np.arange(35).reshape(7, 5)
np.save(d + "sparse.npy", s.toarray())
np.save(d + "x.npy", x.astype(float))
for c in False, True:
    for kind in "f8 f4 i1 u1 i2 u2 i4 u4 i8 u8 >f8 >i2".split():
        io.savemat(d + "x-%s-%d.mat" % (kind.replace(">", "big-"), c), {"x": x.astype(kind)}, do_compression=c)
    io.savemat(d + "sparse-%d.mat" % c, {"s": s, "note": "text", "cell": np.array([1, "a"], dtype=object), "k": 3, "st": {"a": 1}}, do_compression=c)
    io.savemat(d + "x-by-name-%d.mat" % c, {"s": s, "x": x, "y": x + 1}, do_compression=c)
io.savemat(d + "refused-v4.mat", {"x": x}, format="4")
io.savemat(d + "refused-complex.mat", {"x": x * 1j})
`, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.mat"))
	if err != nil || len(files) != 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		o := &ReadOptions{}
		if strings.Contains(name, "by-name") {
			o.Key = "x"
		}
		got, err := Read[float64](path, o)
		if strings.HasPrefix(name, "refused") {
			wantError(t, err, ErrUnsupported, "")
			continue
		}
		base, _, _ := strings.Cut(name, "-")
		want, wantErr := Read[float64](filepath.Join(dir, base+".npy"), nil)
		if err != nil || wantErr != nil || !sameBits(asDense(got.X), asDense(want.X)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestMAT73AgainstH5py reads what h5py writes as MATLAB 7.3 does.
func TestMAT73AgainstH5py(t *testing.T) {
	needHDF5(t)
	dir := t.TempDir()
	python(t, `
import sys, h5py, numpy as np, scipy.sparse as sp
d = sys.argv[1] + "/"
x = np.arange(1, 36.0).reshape(7, 5)
cube = np.arange(24.0).reshape(2, 3, 4)
s = sp.random(40, 25, 0.2, random_state=1, format="csc")
np.save(d + "x.npy", x); np.save(d + "s.npy", s.toarray()); np.save(d + "cube.npy", cube.reshape(6, 4, order="F"))
with h5py.File(d + "a.mat", "w", userblock_size=512) as f:
    def put(name, a, kind="double"):
        f[name] = a.T
        f[name].attrs["MATLAB_class"] = np.bytes_(kind)
    put("x", x); put("cube", cube); put("k", np.array([[3.0]])); put("title", np.array([[65, 66]], "u2"), "char")
    g = f.create_group("s")
    g.attrs["MATLAB_sparse"] = np.uint64(40); g.attrs["MATLAB_class"] = np.bytes_("double")
    g["jc"] = s.indptr.astype("u8"); g["ir"] = s.indices.astype("u8"); g["data"] = s.data
    f.create_group("#refs#")["y"] = x
with open(d + "a.mat", "r+b") as f:
    f.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
`, dir)
	path := filepath.Join(dir, "a.mat")
	for _, key := range []string{"x", "s", "cube"} {
		got, err := Read[float64](path, &ReadOptions{Key: key})
		want, wantErr := Read[float64](filepath.Join(dir, key+".npy"), nil)
		if err != nil || wantErr != nil || !sameBits(asDense(got.X), asDense(want.X)) || got.Format != "mat" {
			t.Errorf("%s: %v, %v", key, got, err)
		}
		if key == "cube" && !slices.Contains(got.Notes, `variable "cube", 2x3x4, became a 6 x 4 matrix: its last axis is the columns`) {
			t.Errorf("notes %q", got.Notes)
		}
	}
	_, err := Read[float64](path, nil)
	wantError(t, err, ErrUnsupported, "the HDF5 file holds several arrays: /cube 2x3x4 float64; /k 1x1 float64; /s sparse; /x 7x5 float64; choose one with --key")
}

// TestReadSharedMAT compares with other forms of the same data.
func TestReadSharedMAT(t *testing.T) {
	for _, tt := range []struct{ mat, key, other string }{
		{"data/cbcl-faces/CBCL_Face.mat", "", "data/cbcl-faces/faces.npy"},
		{"data/swimmer/swimmer.mat", "V", "data/swimmer/swimmer.npy"},
		{"data/samson/Samson.mat", "Y", "data/samson/samson.npy"},
		{"data/reuters21578-tf/Reuters21578.mat", "", "data/reuters21578-tf/reuters.mtx.gz"},
	} {
		got, err := Read[float64](testdata.Shared(t, tt.mat), &ReadOptions{Key: tt.key})
		if err != nil {
			t.Error(err)
			continue
		}
		want, err := Read[float64](testdata.Shared(t, tt.other), nil)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(tt.other) == ".npy" {
			// The conversions are samples x features.
			want.X = matrix.Transpose(want.X)
		}
		if !sameMatrix(got.X, want.X) {
			t.Errorf("%s is not %s", tt.mat, tt.other)
		}
	}
}

func FuzzMAT(f *testing.F) {
	l := littleMAT()
	big := newMAT(binary.BigEndian)
	f.Add(littleMAT().add(l.dense("X")).b)
	f.Add(littleMAT().add(l.sparse("S")).b)
	f.Add(littleMAT().compress(f, l.dense("X")).compress(f, l.describe("c", 1, 1, 1)).b)
	f.Add(littleMAT().compress(f, l.sparse("S")).b)
	f.Add(big.add(big.sparse("S")).add(big.describe("k", 9, 1, 1), big.numbers(2, 1)).b)
	f.Add(littleMAT().add(l.describe("cube", 9, 2, 3, 2), l.numbers(2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)).b)
	f.Fuzz(func(t *testing.T, content []byte) {
		fuzzTable[float32](t, "a.mat", content)
	})
}
