package data

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partsof/nmf/internal/hdf5"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

// needHDF5 skips a test where the library is absent.
func needHDF5(t testing.TB) {
	t.Helper()
	if err := hdf5.Available(); err != nil {
		t.Skip(err)
	}
}

// hdf5Files are made by testdata/hdf5/make.py: each holds hdf5Want.
var hdf5Files = []string{"10x-2.h5", "10x-3.h5", "csc.h5ad", "csr.h5ad", "dense.h5ad", "old.h5ad", "plain.h5"}

var (
	hdf5Want  = dense(4, 3, 1, 0, 2, 0, 0, 0, 0, 3, 0, 4, 0, 5)
	hdf5Cells = []string{"c1", "c2", "c3", "c4"}
	hdf5Genes = []string{"ACTB", "TP53", "MYC"}
)

func hdf5File(name string) string { return filepath.Join("testdata", "hdf5", name) }

func TestReadHDF5(t *testing.T) {
	needHDF5(t)
	wide := dense(4, 5, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 5, 0)
	tests := []struct {
		name, key  string
		want       *matrix.Dense[float64]
		rows, cols []string
		sparse     bool
		notes      []string
	}{
		{"10x-3.h5", "", hdf5Want, hdf5Cells, hdf5Genes, true, []string{tenXTurned, "features of several types: 2 Gene Expression, 1 Antibody Capture"}},
		{"10x-3.h5", "matrix", hdf5Want, hdf5Cells, hdf5Genes, true, []string{tenXTurned, "features of several types: 2 Gene Expression, 1 Antibody Capture"}},
		{"10x-2.h5", "", hdf5Want, hdf5Cells, hdf5Genes, true, []string{tenXTurned}},
		{"10x-2-two.h5", "mm10", hdf5Want, hdf5Cells, hdf5Genes, true, []string{tenXTurned}},
		{"10x-2.h5", "hg19/data", dense(5, 1, 1, 2, 3, 4, 5), nil, nil, false, []string{"an array with one axis became a 5 x 1 matrix"}},
		{"csr.h5ad", "", hdf5Want, hdf5Cells, hdf5Genes, true, nil},
		{"csr.h5ad", "X", hdf5Want, hdf5Cells, hdf5Genes, true, nil},
		{"csr.h5ad", "layers/counts", hdf5Want, hdf5Cells, hdf5Genes, true, nil},
		{"csr.h5ad", "/layers/dense", hdf5Want, hdf5Cells, hdf5Genes, false, nil},
		{"csr.h5ad", "raw/X", wide, hdf5Cells, []string{"first", "ACTB", "TP53", "MYC", "last"}, true, nil},
		{"csr.h5ad", "obsm/pca", dense(4, 2, 1, 0, 0, 0, 0, 3, 4, 0), hdf5Cells, nil, false, nil},
		{"csc.h5ad", "", hdf5Want, hdf5Cells, hdf5Genes, true, nil},
		{"dense.h5ad", "", hdf5Want, hdf5Cells, hdf5Genes, false, nil},
		{"old.h5ad", "", hdf5Want, hdf5Cells, hdf5Genes, true, nil},
		{"plain.h5", "", hdf5Want, nil, nil, false, nil},
		{"plain.h5", "/a/X", hdf5Want, nil, nil, false, nil},
		{"several.h5", "X", hdf5Want, nil, nil, false, nil},
		{"several.h5", "cube", dense(4, 6, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23), nil, nil, false,
			[]string{"a stack of 4 images of 3 x 2 became a 4 x 6 matrix"}},
	}
	for _, tt := range tests {
		got, err := Read[float64](hdf5File(tt.name), &ReadOptions{Key: tt.key})
		if err != nil {
			t.Errorf("%s %s: %v", tt.name, tt.key, err)
			continue
		}
		if _, sparse := got.X.(*matrix.CSR[float64]); sparse != tt.sparse || !sameBits(asDense(got.X), tt.want) {
			t.Errorf("%s %s: %v, sparse %v", tt.name, tt.key, asDense(got.X), sparse)
		}
		if diff := cmp.Diff([][]string{tt.rows, tt.cols, tt.notes}, [][]string{got.RowNames, got.ColumnNames, got.Notes}); diff != "" {
			t.Errorf("%s %s: %s", tt.name, tt.key, diff)
		}
		narrow, err := Read[float32](hdf5File(tt.name), &ReadOptions{Key: tt.key})
		if err != nil || !sameBits(asDense(matrix.Convert[float64](narrow.X)), tt.want) {
			t.Errorf("%s %s in float32: %v, %v", tt.name, tt.key, narrow, err)
		}
	}
}

// TestReadHDF5Streams reads from a pipe and through a compression.
func TestReadHDF5Streams(t *testing.T) {
	needHDF5(t)
	for _, name := range hdf5Files {
		content, err := os.ReadFile(hdf5File(name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readBytes[float64](t, "a"+filepath.Ext(name), content, nil)
		if err != nil || !sameBits(asDense(got.X), hdf5Want) || got.Format != "hdf5" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestReadHDF5Errors(t *testing.T) {
	needHDF5(t)
	tests := []struct {
		name, key string
		err       error
		says      string
	}{
		{"10x-2-two.h5", "", ErrUnsupported, "the file holds the genes of several genomes: hg19, mm10; choose one with --key"},
		{"10x-2.h5", "mm10", ErrFormat, `there is no "/mm10" in the file; the file holds /hg19/data (5,) float32; `},
		{"csr.h5ad", "layers/nope", ErrFormat, `the AnnData file has no matrix "layers/nope"; its matrices, for --key, are X, raw/X, layers/counts, layers/dense, obsm/pca`},
		{"csr.h5ad", "layers", ErrUnsupported, `"/layers" is a group, not a matrix; the file holds /X sparse; /layers/counts sparse; `},
		{"csr.h5ad", "obs/barcode", ErrUnsupported, `"/obs/barcode" holds text, not numbers`},
		{"old.h5ad", "var", ErrUnsupported, `"/var" holds table, not numbers`},
		{"plain.h5", "b/X", ErrFormat, `there is no "/b/X" in the file; the file holds /a/X (4, 3) float64; /a/labels (4,) int64`},
		{"several.h5", "", ErrUnsupported, "the HDF5 file holds several arrays: /X (4, 3) float32; /cube (4, 3, 2) int64; /flag () bool; choose one with --key"},
		{"several.h5", "flag", ErrUnsupported, "a single number is no matrix"},
	}
	for _, tt := range tests {
		_, err := Read[float64](hdf5File(tt.name), &ReadOptions{Key: tt.key})
		wantError(t, err, tt.err, hdf5File(tt.name)+": ")
		wantError(t, err, tt.err, tt.says)
	}
	_, err := readBytes[float64](t, "a.h5", []byte("1,2,3\n4,5,6\n"), nil)
	wantError(t, err, ErrFormat, "the content does not start as HDF5 does; it looks like csv: rename")
}

// TestHDF5AgainstH5py reads what h5py writes: every type of number, chunks,
// compressions, and parts that contradict each other.
func TestHDF5AgainstH5py(t *testing.T) {
	needHDF5(t)
	dir := t.TempDir()
	python(t, `
import sys, h5py, numpy as np
d = sys.argv[1] + "/"
rng = np.random.default_rng(0)
x = rng.integers(0, 100, (300, 70))
np.save(d + "x.npy", x)
for kind in "i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8 >f4 >i2 >f8".split():
    with h5py.File(d + "good-%s.h5" % kind.replace(">", "big-"), "w") as f:
        f["x"] = x.astype(kind)
for i, o in enumerate([dict(chunks=(7, 70)), dict(chunks=(300, 1)), dict(chunks=(11, 13), compression="gzip", shuffle=True),
                       dict(chunks=(64, 64), compression="gzip", fletcher32=True)]):
    with h5py.File(d + "good-chunks-%d.h5" % i, "w") as f:
        f.create_dataset("x", data=x.astype("f8"), **o)
with h5py.File(d + "good-latest.h5", "w", libver="latest") as f:
    f["a/b/c/x"] = x
with h5py.File(d + "good-block.h5", "w", userblock_size=1024) as f:
    f["x"] = x
def bad(name, data=[1, 2], indices=[0, 1], indptr=[0, 1, 2], shape=[2, 3], **attrs):
    with h5py.File(d + "bad-%s.h5ad" % name, "w") as f:
        for part, list in dict(data=data, indices=indices, indptr=indptr).items():
            f["X/" + part] = list
        f["X"].attrs["encoding-type"] = "csr_matrix"
        if shape: f["X"].attrs["shape"] = shape
        f.create_group("obs"); f.create_group("var")
bad("index", indices=[0, 3])
bad("fraction", indices=[0.0, 1.0])
bad("wide index", indices=[0, 2**40])
bad("pointers", indptr=[0, 2, 1])
bad("lengths", data=[1])
bad("rows", shape=[5, 3])
bad("negative", shape=[2, -3])
bad("huge", shape=[2, 2**40])
bad("no shape", shape=None)
bad("text", data=["a", "b"])
with h5py.File(d + "bad-unfilled.h5", "w") as f:
    f.create_dataset("x", (10**6, 10**6), "f4", chunks=(1000, 1000))
with h5py.File(d + "bad-lzf.h5", "w") as f:
    f.create_dataset("x", data=x, compression="lzf")
with h5py.File(d + "bad-large.h5", "w") as f:
    f["x"] = np.array([[1, 1e300]])
with h5py.File(d + "bad-10x.h5", "w") as f:
    f["matrix/data"] = [1]; f["matrix/indices"] = [0]; f["matrix/indptr"] = [0, 1]; f["matrix/shape"] = [2, 1]
    f["matrix/barcodes"] = np.array([b"c"]); f["matrix/features/id"] = np.array([b"a"]); f["matrix/features/name"] = np.array([b"a"])
`, dir)
	want, err := Read[float64](filepath.Join(dir, "x.npy"), nil)
	if err != nil {
		t.Fatal(err)
	}
	good, err := filepath.Glob(filepath.Join(dir, "good-*.h5"))
	if err != nil || len(good) != 20 {
		t.Fatalf("%d files, %v", len(good), err)
	}
	for _, path := range good {
		got, err := Read[float64](path, nil)
		if err != nil || !sameBits(asDense(got.X), asDense(want.X)) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		narrow, err := Read[float32](path, nil)
		if err != nil || !sameBits(asDense(matrix.Convert[float64](narrow.X)), asDense(want.X)) {
			t.Errorf("%s in float32: %v", filepath.Base(path), err)
		}
	}
	for _, tt := range []struct {
		name string
		err  error
		says string
	}{
		{"index.h5ad", ErrFormat, "row 2: index 3 with 3 columns"},
		{"fraction.h5ad", ErrUnsupported, `"X/indices" holds float64 where integers are wanted`},
		{"wide index.h5ad", ErrUnsupported, `element 2 of "X/indices", 1099511627776, does not fit in int32`},
		{"pointers.h5ad", ErrFormat, "row 2: indptr falls from 2 to 1"},
		{"lengths.h5ad", ErrFormat, "2 indices but 1 values"},
		{"rows.h5ad", ErrFormat, `"X/indptr" has shape (3,), (6,) is wanted`},
		{"negative.h5ad", ErrFormat, "shape 2 x -3"},
		{"huge.h5ad", ErrUnsupported, "2 x 1099511627776: a matrix has at most"},
		{"no shape.h5ad", ErrFormat, `the sparse matrix "/X" has no shape of two axes`},
		{"text.h5ad", ErrUnsupported, `"X/data" holds text, not numbers`},
		{"unfilled.h5", ErrFormat, `"/x" promises 4000000000000 bytes, the file holds 0 for it`},
		{"lzf.h5", ErrUnsupported, `"/x" is compressed with filter 32000 (lzf), which this libhdf5 lacks: install its plugin, or write the file with gzip`},
		{"large.h5", ErrUnsupported, `element 2 of "/x", 1e+300, does not fit in float32; use --precision f64`},
		{"10x.h5", ErrFormat, `"matrix/features/id" has 1 element, the matrix 2 features`},
	} {
		_, err := Read[float32](filepath.Join(dir, "bad-"+tt.name), nil)
		wantError(t, err, tt.err, tt.says)
	}
}

// TestReadSharedHDF5: both forms of the same cells are the same.
func TestReadSharedHDF5(t *testing.T) {
	needHDF5(t)
	for h5, folder := range map[string]string{
		"data/10x-small/3.0.0/filtered_feature_bc_matrix.h5":   "data/10x-small/3.0.0/filtered_feature_bc_matrix",
		"data/10x-small/1.2.0/filtered_gene_bc_matrices_h5.h5": "data/10x-small/1.2.0/filtered_gene_bc_matrices/hg19_chr21",
	} {
		got, err := Read[float64](testdata.Shared(t, h5), nil)
		if err != nil {
			t.Error(err)
			continue
		}
		want, err := Read[float64](testdata.Shared(t, folder), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !sameMatrix(got.X, want.X) || !slices.Equal(got.RowNames, want.RowNames) || !slices.Equal(got.ColumnNames, want.ColumnNames) {
			t.Errorf("%s is not %s", h5, folder)
		}
		if !slices.Equal(got.Notes, want.Notes) {
			t.Errorf("%s: notes %q, want %q", h5, got.Notes, want.Notes)
		}
	}
}

func TestReadHDF5Truncation(t *testing.T) {
	needHDF5(t)
	for _, name := range hdf5Files {
		content, err := os.ReadFile(hdf5File(name))
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n < len(content); n += 97 {
			_, err := readBytes[float64](t, "a.h5", content[:n], nil)
			if !errors.Is(err, ErrTruncated) && (n >= 60 || !errors.Is(err, ErrFormat)) {
				t.Errorf("%s, %d of %d bytes: %v", name, n, len(content), err)
			}
		}
	}
}

// FuzzHDF5 puts what it likes into the arrays of a file. It leaves alone the
// structures around them, which libhdf5 reads: that library is not made for
// files that were forged.
func FuzzHDF5(f *testing.F) {
	needHDF5(f)
	f.Add(0, []byte{0, 1, 2, 0, 1}, []byte{0, 1, 2, 3, 5}, []byte{3, 4}, "names")
	f.Add(1, []byte{2, 2, 2, 2, 2}, []byte{0, 2, 2, 3, 4}, []byte{3, 4}, "ACTB")
	f.Add(2, []byte{0, 3, 255, 0, 3}, []byte{0, 2, 3, 5}, []byte{4, 3}, "")
	f.Add(3, []byte{1, 2, 1, 0, 2}, []byte{0, 6, 2, 3, 5}, []byte{4, 255}, "c\xff\n")
	f.Add(5, []byte{}, []byte{1}, []byte{0, 0}, "c1")
	integers := func(size int, list ...byte) []byte {
		b := make([]byte, size*len(list))
		for i, v := range list {
			b[i*size] = v
		}
		return b
	}
	f.Fuzz(func(t *testing.T, which int, indices, indptr, shape []byte, text string) {
		content, err := os.ReadFile(hdf5File(hdf5Files[uint(which)%uint(len(hdf5Files))]))
		if err != nil {
			t.Fatal(err)
		}
		put := func(found, with []byte) {
			if at := bytes.Index(content, found); at >= 0 {
				copy(content[at:at+len(found)], with)
			}
		}
		put(integers(4, 0, 2, 1, 0, 2), integers(4, indices...)) // csr
		put(integers(4, 0, 3, 2, 0, 3), integers(4, indices...)) // csc
		put(integers(4, 0, 2, 2, 3, 5), integers(4, indptr...))
		put(integers(4, 0, 2, 3, 5), integers(4, indptr...))
		put(integers(4, 3, 4), integers(4, shape...)) // 10x
		put(integers(8, 4, 3), integers(8, shape...)) // anndata
		put([]byte("c1"), []byte(text))
		put([]byte("ACTB"), []byte(text))
		fuzzTable[float32](t, "a.h5", content)
	})
}
