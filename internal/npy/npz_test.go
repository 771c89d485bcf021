package npy

import (
	"archive/zip"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/flate"
)

// archive writes members in every way that the writer has.
func archive(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := NewWriter(&b)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(WriteMember(z, "W", false, []int{2, 3}, []float64{1, 2, 3, 4, 5, 6}))
	must(WriteMember(z, "zeros", true, []int{100, 100}, make([]float32, 10000)))
	must(WriteMember(z, "shape", false, []int{2}, []int64{2, 3}))
	must(z.WriteText("format", "csr"))
	must(z.WriteLines("row_names.txt", []string{"a", "", "é b"}))
	w, err := z.Create("model.json", true)
	must(err)
	_, err = io.WriteString(w, "{}")
	must(err)
	must(z.Close())
	return b.Bytes()
}

func open(t testing.TB, b []byte) *Archive {
	t.Helper()
	a, err := OpenArchive(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestArchive(t *testing.T) {
	content := archive(t)
	if again := archive(t); !bytes.Equal(content, again) {
		t.Error("the same members give other bytes")
	}
	a := open(t, content)
	if got, want := a.Keys(), []string{"W", "zeros", "shape", "format"}; !cmp.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	if got := a.Names(); len(got) != 6 || got[5] != "model.json" || !a.Has("model.json") || a.Has("H.npy") {
		t.Errorf("names %v", got)
	}
	w, err := ReadMember[float64](a, "W")
	if err != nil || !cmp.Equal(w, &Array[float64]{[]int{2, 3}, []float64{1, 2, 3, 4, 5, 6}}) {
		t.Errorf("W: %v, %v", w, err)
	}
	zeros, err := ReadMember[float64](a, "zeros")
	if err != nil || !cmp.Equal(zeros.Data, make([]float64, 10000)) {
		t.Errorf("zeros: %v", err)
	}
	if h, err := a.Header("shape"); err != nil || h.Descr != "<i8" || !cmp.Equal(h.Shape, []int{2}) {
		t.Errorf("shape: %v, %v", h, err)
	}
	if text, err := a.Text("format"); err != nil || text != "csr" {
		t.Errorf("format: %q, %v", text, err)
	}
	if lines, err := a.Lines("row_names.txt"); err != nil || !cmp.Equal(lines, []string{"a", "", "é b"}) {
		t.Errorf("row names: %q, %v", lines, err)
	}
	r, err := a.Open("model.json")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "{}" {
		t.Errorf("model.json: %q, %v", text, err)
	}
	if _, err := a.Open("H.npy"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), `no member "H.npy"`) {
		t.Errorf("no such member: %v", err)
	}
}

func TestLines(t *testing.T) {
	for _, lines := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", "b", ""}} {
		var b bytes.Buffer
		z := NewWriter(&b)
		if err := z.WriteLines("x.txt", lines); err != nil {
			t.Fatal(err)
		}
		z.Close()
		if got, err := open(t, b.Bytes()).Lines("x.txt"); err != nil || !cmp.Equal(got, lines) {
			t.Errorf("%q became %q, %v", lines, got, err)
		}
	}
	err := NewWriter(io.Discard).WriteLines("x.txt", []string{"a", "b\nc"})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "line 2 of x.txt") {
		t.Errorf("line break in a line: %v", err)
	}
}

// readAll reads every member and gives the first error.
func readAll(a *Archive) (err error) {
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	for _, name := range a.Names() {
		key, isArray := strings.CutSuffix(name, ".npy")
		switch {
		case key == "format":
			_, e := a.Text(key)
			keep(e)
		case isArray:
			_, e := ReadMember[float64](a, key)
			keep(e)
		default:
			_, e := a.Lines(name)
			keep(e)
		}
	}
	return err
}

func TestArchiveTruncation(t *testing.T) {
	whole := archive(t)
	if err := readAll(open(t, whole)); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		_, err := OpenArchive(bytes.NewReader(whole[:n]), int64(n))
		if !errors.Is(err, ErrTruncated) {
			t.Errorf("%d of %d bytes: got %v, want %v", n, len(whole), err, ErrTruncated)
		}
	}
	_, err := OpenArchive(strings.NewReader("plain text"), 10)
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "no zip archive") {
		t.Errorf("text: %v", err)
	}
	broken := errors.New("broken disk")
	if _, err := OpenArchive(brokenReaderAt{broken}, 1000); !errors.Is(err, broken) {
		t.Errorf("broken disk: %v", err)
	}
}

type brokenReaderAt struct{ err error }

func (b brokenReaderAt) ReadAt([]byte, int64) (int, error) { return 0, b.err }

// TestArchiveDamage flips each byte in turn: an error or the same content, but
// no panic.
func TestArchiveDamage(t *testing.T) {
	whole := archive(t)
	damaged := 0
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0xff
		a, err := OpenArchive(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			err = readAll(a)
		}
		if err != nil {
			damaged++
		}
	}
	// The local headers' copies of sizes and times are not looked at.
	if damaged < len(whole)/2 {
		t.Errorf("only %d of %d flipped bytes were noticed", damaged, len(whole))
	}
}

// rawArchive writes one member with a directory of our choice.
func rawArchive(t testing.TB, method uint16, packed []byte, unpacked uint64, change func(*zip.FileHeader)) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	h := &zip.FileHeader{
		Name: "X.npy", Method: method, CRC32: crc32.ChecksumIEEE(packed),
		CompressedSize64: uint64(len(packed)), UncompressedSize64: unpacked,
	}
	if change != nil {
		change(h)
	}
	w, err := zw.CreateRaw(h)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(packed)
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchiveLies(t *testing.T) {
	huge := file(dict("<f8", false, "(100000, 100000)"), make([]byte, 80)...)
	fine := file(dict("<f8", false, "(2, 3)"), make([]byte, 48)...)
	tests := []struct {
		name    string
		content []byte
		err     error
		says    string
	}{
		{"header larger than the member", rawArchive(t, zip.Store, huge, uint64(len(huge)), nil), ErrFormat, "the directory says"},
		{"stored with two sizes", rawArchive(t, zip.Store, fine, 80e9, nil), ErrFormat, "claims to make 80000000000 bytes"},
		{"packed beyond the archive", rawArchive(t, zip.Store, fine, 1<<40, func(h *zip.FileHeader) { h.CompressedSize64 = 1 << 40 }), ErrTruncated, "the whole archive has"},
		{"ratio beyond deflate", rawArchive(t, zip.Deflate, fine, 1<<40, nil), ErrFormat, "claims to make"},
		{"other method", rawArchive(t, 14, fine, uint64(len(fine)), nil), ErrUnsupported, "zip method 14"},
		{"encrypted", rawArchive(t, zip.Store, fine, uint64(len(fine)), func(h *zip.FileHeader) { h.Flags |= 1 }), ErrUnsupported, "encrypted"},
		{"wrong checksum", rawArchive(t, zip.Store, fine, uint64(len(fine)), func(h *zip.FileHeader) { h.CRC32++ }), ErrFormat, "damaged"},
		{"no deflate stream", rawArchive(t, zip.Deflate, bytes.Repeat([]byte{0xff}, 128), 128, nil), ErrFormat, "damaged"},
		{"no array", rawArchive(t, zip.Store, []byte("some text"), 9, nil), ErrFormat, "magic"},
	}
	for _, tt := range tests {
		used := allocated(func() {
			_, err := ReadMember[float64](open(t, tt.content), "X")
			var named *MemberError
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) || !errors.As(err, &named) || named.Name != "X.npy" {
				t.Errorf("%s: got %v, want %v with %q", tt.name, err, tt.err, tt.says)
			}
		})
		if used > 4<<20 {
			t.Errorf("%s: allocated %d bytes for %d", tt.name, used, len(tt.content))
		}
	}
}

// TestArchiveBomb promises the most that deflate could make of what is there:
// memory must follow what really comes out.
func TestArchiveBomb(t *testing.T) {
	noise := make([]byte, 64<<10)
	rand.NewChaCha8([32]byte{}).Read(noise)
	const elements = 8 << 20
	content := file(dict("<f8", false, ShapeString([]int{elements})), noise...)
	promised := uint64(len(content) - len(noise) + 8*elements)
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(content)
	w.Close()
	bomb := rawArchive(t, zip.Deflate, packed.Bytes(), promised, nil)
	used := allocated(func() {
		if _, err := ReadMember[float64](open(t, bomb), "X"); !errors.Is(err, ErrTruncated) {
			t.Errorf("got %v, want %v", err, ErrTruncated)
		}
	})
	if used > 4<<20 {
		t.Errorf("allocated %d bytes for %d", used, len(bomb))
	}
}

func TestTwoMembersOfOneName(t *testing.T) {
	var b bytes.Buffer
	z := NewWriter(&b)
	for range 2 {
		if err := WriteMember(z, "X", false, []int{1}, []int32{1}); err != nil {
			t.Fatal(err)
		}
	}
	z.Close()
	if _, err := OpenArchive(bytes.NewReader(b.Bytes()), int64(b.Len())); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
}

// TestText reads strings as both Pythons write them.
func TestText(t *testing.T) {
	tests := []struct {
		content []byte
		want    string
		err     error
	}{
		{file(dict("|S3", false, "()"), 'c', 's', 'r'), "csr", nil},
		{file(dict("|S5", false, "()"), 'c', 's', 'r', 0, 0), "csr", nil},
		{file(dict("<U2", false, "()"), 'c', 0, 0, 0, 0xe9, 0, 0, 0), "cé", nil},
		{file(dict(">U2", false, "()"), 0, 0, 0, 'c', 0, 0, 0, 0xe9), "cé", nil},
		{file(dict("|S3", false, "(1,)"), 'c', 's', 'r'), "csr", nil},
		{file(dict("|S3", false, "(2,)"), 'c', 's', 'r', 'c', 's', 'c'), "", ErrFormat},
		{file(dict("<f8", false, "()"), make([]byte, 8)...), "", ErrFormat},
		{file(dict("|S999999999", false, "()"), 'c'), "", ErrFormat},
		{file(dict("|S-1", false, "()"), 'c'), "", ErrFormat},
		{file(dict("|S3", false, "()"), 'c'), "", ErrTruncated},
		{file(dict("<U3", false, "()"), 'c'), "", ErrTruncated},
	}
	for _, tt := range tests {
		got, err := readText(iotest.HalfReader(bytes.NewReader(tt.content)))
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%q: got %q, %v; want %q, %v", tt.content, got, err, tt.want, tt.err)
		}
	}
}

// TestArchiveAgainstNumPy exchanges archives with NumPy, stored and deflated.
func TestArchiveAgainstNumPy(t *testing.T) {
	dir := t.TempDir()
	ours, stored, packed := filepath.Join(dir, "ours.npz"), filepath.Join(dir, "stored.npz"), filepath.Join(dir, "packed.npz")
	if err := os.WriteFile(ours, archive(t), 0o666); err != nil {
		t.Fatal(err)
	}
	numpy(t, `
import sys, numpy as np
z = np.load(sys.argv[1])
assert z["W"].tolist() == [[1, 2, 3], [4, 5, 6]] and z["W"].dtype == np.float64
assert z["zeros"].shape == (100, 100) and not z["zeros"].any() and z["zeros"].dtype == np.float32
assert z["shape"].tolist() == [2, 3] and z["shape"].dtype == np.int64
assert z["format"].item() == b"csr"
assert z["row_names.txt"].decode().splitlines() == ["a", "", "é b"]
assert all(i.date_time == (1980, 1, 1, 0, 0, 0) for i in z.zip.infolist())
assert z.zip.testzip() is None
arrays = dict(W=z["W"], shape=z["shape"], format=z["format"], F=np.asfortranarray(z["W"]))
np.savez(sys.argv[2], **arrays)
np.savez_compressed(sys.argv[3], **arrays)
`, ours, stored, packed)
	for _, name := range []string{stored, packed} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a := open(t, content)
		if err := readAll(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f, err := ReadMember[float32](a, "F")
		if err != nil || !slices.Equal(f.Data, []float32{1, 2, 3, 4, 5, 6}) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

func FuzzNPZ(f *testing.F) {
	f.Add(archive(f))
	fine := file(dict("<f8", false, "(2, 3)"), make([]byte, 48)...)
	f.Add(rawArchive(f, zip.Store, fine, uint64(len(fine)), nil))
	f.Add(rawArchive(f, zip.Store, fine, 1<<40, nil))
	f.Add(rawArchive(f, zip.Deflate, fine, 1000, nil))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := OpenArchive(bytes.NewReader(content), int64(len(content)))
		if err == nil {
			err = readAll(a)
		}
		if err == nil {
			return
		}
		for _, known := range []error{ErrFormat, ErrTruncated, ErrUnsupported, ErrRange} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Fatalf("an error of no known kind: %v", err)
	})
}

func BenchmarkReadMember(b *testing.B) {
	const rows, cols = 1000, 4000
	data := make([]float32, rows*cols)
	for i := range data {
		data[i] = float32(i*7919%1000) / 8
	}
	for _, compress := range []bool{false, true} {
		var out bytes.Buffer
		z := NewWriter(&out)
		if err := WriteMember(z, "X", compress, []int{rows, cols}, data); err != nil {
			b.Fatal(err)
		}
		z.Close()
		a := open(b, out.Bytes())
		name := map[bool]string{false: "stored", true: "deflated"}[compress]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(4 * rows * cols)
			for b.Loop() {
				if _, err := ReadMember[float32](a, "X"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
