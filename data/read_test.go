package data

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/partsof/nmf/matrix"
)

const tableText = "name,a,b\nx,1,2\ny,3,4.5\n"

func writeTemp(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(content)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, content []byte, options ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, options...)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(content, nil)
}

// withStdin runs fn with standard input coming from a pipe.
func withStdin(t *testing.T, content []byte, fn func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		w.Write(content)
		w.Close()
	}()
	old := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = old; r.Close() }()
	fn()
}

// written gives what WriteTo writes.
func written[F matrix.Float](t testing.TB, name string, x matrix.Matrix[F]) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteTo(&b, name, &Table[F]{X: x}, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestReadFindsFormat goes by extension, content and option, with compression
// whatever the name.
func TestReadFindsFormat(t *testing.T) {
	x := dense(2, 2, 1, 2, 3, 4.5)
	npy, npz := written(t, "a.npy", x), written(t, "a.npz", x)
	mtx := written(t, "a.mtx", x)
	tests := []struct {
		name    string
		content []byte
		options ReadOptions
		format  string
	}{
		{"a.npy", npy, ReadOptions{}, "npy"},
		{"a.NPY", npy, ReadOptions{}, "npy"},
		{"a", npy, ReadOptions{}, "npy"},
		{"a.npy.gz", gzipped(t, npy), ReadOptions{}, "npy"},
		{"a.npy", gzipped(t, npy), ReadOptions{}, "npy"},
		{"a.dump", zstded(t, npy), ReadOptions{}, "npy"},
		{"a.npz", npz, ReadOptions{}, "npz"},
		{"a.bin", npz, ReadOptions{}, "npz"},
		{"a.npz.zst", zstded(t, npz), ReadOptions{}, "npz"},
		{"a.mtx", mtx, ReadOptions{}, "mtx"},
		{"a.matrix", gzipped(t, mtx), ReadOptions{}, "mtx"},
		{"a.csv", []byte(tableText), ReadOptions{}, "csv"},
		{"a.csv.gz", gzipped(t, []byte(tableText)), ReadOptions{}, "csv"},
		{"a.csv.zst", zstded(t, []byte(tableText)), ReadOptions{}, "csv"},
		{"a.csv", append(gzipped(t, []byte(tableText[:10])), gzipped(t, []byte(tableText[10:]))...), ReadOptions{}, "csv"},
		{"a.data", []byte(tableText), ReadOptions{}, "csv"},
		{"a.data", []byte(strings.ReplaceAll(tableText, ",", "\t")), ReadOptions{}, "tsv"},
		{"a.csv", npy, ReadOptions{Format: "npy"}, "npy"},
		{"a.npy", []byte(tableText), ReadOptions{Format: "CSV"}, "csv"},
	}
	check := func(name string, got *Table[float64], err error, format string) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if got.Format != format || !sameBits(asDense(got.X), x) {
			t.Errorf("%s: read as %s: %v", name, got.Format, got.X)
		}
	}
	for _, tt := range tests {
		got, err := Read[float64](writeTemp(t, tt.name, tt.content), &tt.options)
		check(tt.name, got, err, tt.format)
		if filepath.Ext(tt.name) == ".npy" && tt.format == "csv" {
			continue
		}
		withStdin(t, tt.content, func() {
			got, err := Read[float64]("-", &tt.options)
			check("standard input for "+tt.name, got, err, tt.format)
		})
	}
}

func TestReadStdinFromFile(t *testing.T) {
	x := dense(2, 2, 1, 2, 3, 4.5)
	f, err := os.Open(writeTemp(t, "a", written(t, "a.npz", x)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	old := os.Stdin
	os.Stdin = f
	defer func() { os.Stdin = old }()
	got, err := Read[float64]("-", nil)
	if err != nil || !sameBits(asDense(got.X), x) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := f.Stat(); err != nil {
		t.Errorf("standard input was closed: %v", err)
	}
}

// TestBzip2 reads tableText as bzip2 packs it.
func TestBzip2(t *testing.T) {
	packed := []byte("BZh91AY&SY\x12k\x9d\x96\x00\x00\x0aY\x80\x00\x10\x00\x05>\x002\x03\x00` \x00\x22&\x86&5=\x0a`\x00\x22_\xf0d\x01h\x81J\x96:\xc1w$S\x85\x09\x01&\xb9\xd9`")
	got, err := Read[float64](writeTemp(t, "a.csv.bz2", packed), nil)
	if err != nil || !sameBits(asDense(got.X), dense(2, 2, 1, 2, 3, 4.5)) {
		t.Errorf("%v, %v", got, err)
	}
	_, err = Read[float64](writeTemp(t, "a.csv.bz2", packed[:len(packed)-4]), nil)
	wantError(t, err, ErrTruncated, "bzip2 stream has no end")
	_, err = Read[float64](writeTemp(t, "a.csv.bz2", flipped(packed, 12)), nil)
	wantError(t, err, ErrFormat, "damaged bzip2 stream")
}

func TestReadErrors(t *testing.T) {
	x := dense(2, 2, 1, 2, 3, 4)
	npy, npz := written(t, "a.npy", x), written(t, "a.npz", x)
	zipped := gzipped(t, written(t, "a.npy", matrix.NewDense[float64](100, 100)))
	tests := []struct {
		name    string
		content []byte
		options ReadOptions
		err     error
		says    string
	}{
		{"empty.csv", nil, ReadOptions{}, ErrTruncated, "empty.csv: the file is empty"},
		{"empty", nil, ReadOptions{}, ErrTruncated, "empty: the file is empty"},
		{"empty.npy", nil, ReadOptions{Format: "npy"}, ErrTruncated, "the file is empty"},
		{"empty.csv.gz", gzipped(t, nil), ReadOptions{}, ErrTruncated, "the file is empty"},
		{"a.npy", npz, ReadOptions{}, ErrFormat, "a.npy: the name says npy but the content is npz; rename the file or say --format npz"},
		{"a.csv", npy, ReadOptions{}, ErrFormat, "the name says csv but the content is npy"},
		{"a.npy", []byte(tableText), ReadOptions{}, ErrFormat, "a.npy: malformed .npy: it does not start with the magic string"},
		{"a.npz", []byte(tableText), ReadOptions{}, ErrFormat, "no zip archive"},
		{"a", []byte("\x00\x01\x02"), ReadOptions{}, ErrUnsupported, "neither the extension nor the content tells the format; say --format with one of 10x, csv, "},
		{"a.csv", []byte(tableText), ReadOptions{Format: "cvs"}, ErrUnsupported, `there is no format "cvs"; formats are 10x, csv`},
		{"a.csv", []byte(tableText), ReadOptions{Format: "10x"}, ErrUnsupported, "format 10x is a folder, this is a file"},
		{"a.csv.gz", gzipped(t, []byte(tableText))[:20], ReadOptions{}, ErrTruncated, "a.csv.gz: file is cut short, or damaged: its gzip stream has no end"},
		{"a.npy.gz", zipped[:len(zipped)-9], ReadOptions{}, ErrTruncated, "cut short"},
		{"a.csv.gz", []byte{0x1f, 0x8b, 8}, ReadOptions{}, ErrTruncated, "gzip"},
		{"a.csv.gz", append([]byte{0x1f, 0x8b, 8}, make([]byte, 40)...), ReadOptions{}, ErrFormat, "damaged gzip stream"},
		{"a.csv.gz", append(gzipped(t, []byte(tableText)), "more"...), ReadOptions{}, ErrFormat, "a.csv.gz: has some bytes after the end of its gzip stream; cut them off"},
		{"a.csv.gz", append(gzipped(t, []byte(tableText)), 0), ReadOptions{}, ErrFormat, "has some bytes after the end"},
		{"a.csv.gz", append(gzipped(t, []byte(tableText)), 0x1f, 0x8b), ReadOptions{}, ErrTruncated, "its gzip stream has no end"},
		{"a.csv.gz", append(gzipped(t, []byte(tableText))[:10], "\xff\xff\xff\xff\xff\xff"...), ReadOptions{}, ErrFormat, "a.csv.gz: damaged gzip stream: "},
		{"a.csv.gz", gzipped(t, gzipped(t, []byte(tableText))), ReadOptions{}, ErrUnsupported, "a.csv.gz: is compressed twice; decompress it once first"},
		{"a.csv.zst", zstded(t, gzipped(t, []byte(tableText))), ReadOptions{}, ErrUnsupported, "is compressed twice"},
		{"a.npy", []byte(tableText), ReadOptions{}, ErrFormat, "does not start with the magic string; it looks like csv: rename the file or say --format csv"},
		{"a.csv.zst", zstded(t, []byte(tableText))[:20], ReadOptions{}, ErrTruncated, "zstd stream has no end"},
		{"a.csv.zst", flipped(zstded(t, []byte(tableText)), -1), ReadOptions{}, ErrFormat, "damaged zstd stream"},
		{"a.csv.zst", []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xb8, 1, 0, 0, 'a'}, ReadOptions{}, ErrUnsupported, "window above 128 MiB"},
		{"a.csv.xz", []byte("\xfd7zXZ\x00 and more"), ReadOptions{}, ErrUnsupported, "compressed with xz"},
	}
	for _, tt := range tests {
		path := writeTemp(t, tt.name, tt.content)
		_, err := Read[float64](path, &tt.options)
		wantError(t, err, tt.err, tt.says)
		var e *Error
		if !errors.As(err, &e) || e.File != path {
			t.Errorf("%s: the error names no file: %v", tt.name, err)
		}
	}
	withStdin(t, npy[:len(npy)-1], func() {
		_, err := Read[float64]("-", nil)
		wantError(t, err, ErrTruncated, "standard input: file is cut short")
	})
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0xff
	return b
}

func TestReadMissing(t *testing.T) {
	dir := t.TempDir()
	_, err := Read[float64](filepath.Join(dir, "no.csv"), nil)
	wantError(t, err, fs.ErrNotExist, "no.csv: there is no such file")
	_, err = Read[float64](dir, nil)
	wantError(t, err, ErrUnsupported, "is a folder, not a file; name a file in it; formats that are folders: 10x")
	_, err = Read[float64](dir, &ReadOptions{Format: "csv"})
	wantError(t, err, ErrUnsupported, "is a folder, not a file")
	file := writeTemp(t, "a.csv", []byte(tableText))
	if _, err = Read[float64](filepath.Join(file, "b.csv"), nil); err == nil {
		t.Error("a file was read within a file")
	}
	if os.Getuid() == 0 {
		return
	}
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	_, err = Read[float64](file, nil)
	wantError(t, err, fs.ErrPermission, "permission denied; check its permissions")
}

func TestReadTranspose(t *testing.T) {
	path := writeTemp(t, "a.csv", []byte("name,a,b,c\nx,1,2,3\ny,4,5,6\n"))
	got, err := Read[float64](path, &ReadOptions{Transpose: true})
	if err != nil {
		t.Fatal(err)
	}
	want := dense(3, 2, 1, 4, 2, 5, 3, 6)
	if !sameBits(asDense(got.X), want) || !cmp.Equal(got.RowNames, []string{"a", "b", "c"}) || !cmp.Equal(got.ColumnNames, []string{"x", "y"}) {
		t.Errorf("got %v", got)
	}
}

func TestNamesBecomeOneLine(t *testing.T) {
	path := writeTemp(t, "a.csv", []byte("name,\"a\nb\",c\n\"x\r\ny\",1,2\nz,3,4\n"))
	got, err := Read[float64](path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(got.ColumnNames, []string{"a b", "c"}) || !cmp.Equal(got.RowNames, []string{"x y", "z"}) {
		t.Errorf("names %q, %q", got.RowNames, got.ColumnNames)
	}
	if !slices.Contains(got.Notes, "line breaks within 2 names became spaces") {
		t.Errorf("notes %q", got.Notes)
	}
}

func TestFormats(t *testing.T) {
	var names, written []string
	seen := map[string]string{}
	for _, f := range Formats() {
		names = append(names, f.Name)
		if f.CanWrite {
			written = append(written, f.Name)
		}
		if !f.CanRead || f.About == "" {
			t.Errorf("%+v", f)
		}
		for _, ext := range f.Extensions {
			if other := seen[ext]; other != "" || ext != strings.ToLower(ext) || ext[0] != '.' {
				t.Errorf("%s has extension %q, as has %q", f.Name, ext, other)
			}
			seen[ext] = f.Name
		}
	}
	if want := []string{"10x", "csv", "geno", "hdf5", "images", "list", "mat", "mtx", "npy", "npz", "parquet", "plink", "tsv", "vcf"}; !cmp.Equal(names, want) {
		t.Errorf("formats %q, want %q", names, want)
	}
	if want := []string{"10x", "csv", "mtx", "npy", "npz", "tsv"}; !cmp.Equal(written, want) {
		t.Errorf("formats to write %q, want %q", written, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a name was registered twice")
		}
	}()
	register(&format{name: "npy"})
}

// allocated gives the bytes that fn allocates.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
