package data

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

// tenXFiles are the members of a small folder: 3 genes x 2 cells.
func tenXFiles() map[string]string {
	return map[string]string{
		"matrix.mtx":   "%%MatrixMarket matrix coordinate integer general\n%metadata_json: {}\n3 2 3\n1 1 4\n3 1 5\n2 2 6\n",
		"genes.tsv":    "ENSG1\tACTB\nENSG2\tTP53\nENSG3\tMYC\n",
		"barcodes.tsv": "AAAC-1\nAAAG-1\n",
	}
}

// writeFolderFiles writes files, those whose name ends in .gz compressed.
func writeFolderFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		content := []byte(text)
		if strings.HasSuffix(name, ".gz") {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			if _, err := z.Write(content); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			content = b.Bytes()
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadTenX(t *testing.T) {
	x := dense(2, 3, 4, 0, 5, 0, 6, 0)
	turned := "features x cells were turned to cells x features"
	tests := []struct {
		name   string
		change func(files map[string]string)
		genes  []string
		notes  []string
	}{
		{"version 2", func(map[string]string) {}, []string{"ACTB", "TP53", "MYC"}, []string{turned}},
		{"version 3", func(f map[string]string) {
			f["matrix.mtx.gz"], f["barcodes.tsv.gz"] = f["matrix.mtx"], f["barcodes.tsv"]
			f["features.tsv.gz"] = "ENSG1\tACTB\tGene Expression\nENSG2\tTP53\tGene Expression\nENSG3\tMYC\tGene Expression\n"
			delete(f, "matrix.mtx")
			delete(f, "barcodes.tsv")
			delete(f, "genes.tsv")
		}, []string{"ACTB", "TP53", "MYC"}, []string{turned}},
		{"features before genes", func(f map[string]string) { f["features.tsv"] = "a\nb\nc" }, []string{"a", "b", "c"}, []string{turned}},
		{"CRLF, lines at the end", func(f map[string]string) {
			f["genes.tsv"] = strings.ReplaceAll(f["genes.tsv"], "\n", "\r\n") + "\r\n\n"
		}, []string{"ACTB", "TP53", "MYC"}, []string{turned}},
		{"ids only", func(f map[string]string) { f["genes.tsv"] = "ENSG1\nENSG2\t\nENSG3\tMYC\n" }, []string{"ENSG1", "ENSG2", "MYC"}, []string{turned}},
		{"repeated names", func(f map[string]string) { f["genes.tsv"] = "1\tA\n2\tA-1\n3\tA\n" },
			[]string{"A", "A-1", "A-2"}, []string{turned, "1 repeated gene names got a number"}},
		{"types", func(f map[string]string) {
			f["features.tsv"] = "1\tA\tGene Expression\n2\tB\tAntibody Capture\n3\tC\tGene Expression\n"
		}, []string{"A", "B", "C"}, []string{turned, "features of several types: 2 Gene Expression, 1 Antibody Capture"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := tenXFiles()
			test.change(files)
			got, err := Read[float64](writeFolderFiles(t, files), nil)
			if err != nil {
				t.Fatal(err)
			}
			csr := got.X.(*matrix.CSR[float64])
			if err := csr.Check(); err != nil {
				t.Fatal(err)
			}
			got.X = csr.Dense()
			want := &Table[float64]{X: x, RowNames: []string{"AAAC-1", "AAAG-1"}, ColumnNames: test.genes, Format: "10x", Notes: test.notes}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadTenXErrors(t *testing.T) {
	remove := func(name string) func(map[string]string) { return func(f map[string]string) { delete(f, name) } }
	set := func(name, text string) func(map[string]string) {
		return func(f map[string]string) { f[name] = text }
	}
	tests := []struct {
		name    string
		change  func(files map[string]string)
		is      error
		message string
	}{
		{"no matrix", remove("matrix.mtx"), os.ErrNotExist, ": the folder has no matrix.mtx.gz, no matrix.mtx; a 10x folder has"},
		{"no genes", remove("genes.tsv"), os.ErrNotExist, ": the folder has no features.tsv.gz, no features.tsv, no genes.tsv.gz, no genes.tsv"},
		{"no barcodes", remove("barcodes.tsv"), os.ErrNotExist, ": the folder has no barcodes.tsv.gz, no barcodes.tsv"},
		{"few genes", set("genes.tsv", "a\nb\n"), ErrFormat, "genes.tsv: the file has 2 features, the matrix 3"},
		{"many barcodes", set("barcodes.tsv", "a\nb\nc\n"), ErrFormat, "barcodes.tsv: the file has 3 barcodes, the matrix 2 cells"},
		{"empty line", set("barcodes.tsv", "a\n\nb\n"), ErrFormat, "barcodes.tsv:2: the line is empty"},
		{"long line", set("barcodes.tsv", strings.Repeat("x", 2<<20)), ErrFormat, "barcodes.tsv:1: the line is longer than 1 MiB"},
		{"bad matrix", set("matrix.mtx", mtxGeneral+"3 2 1\n4 1 1\n"), ErrFormat, "matrix.mtx:3: row index 4 is not within 1 to 3"},
		{"cut matrix", set("matrix.mtx", mtxGeneral+"3 2 2\n3 1 1\n"), ErrTruncated, "matrix.mtx: file is cut short"},
		{"empty matrix file", set("matrix.mtx", ""), ErrTruncated, "matrix.mtx: the file is empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := tenXFiles()
			test.change(files)
			dir := writeFolderFiles(t, files)
			_, err := Read[float64](dir, nil)
			if err == nil {
				t.Fatal("read without error")
			}
			wantError(t, err, test.is, test.message)
			if !strings.HasPrefix(err.Error(), dir) {
				t.Errorf("%q does not start with the folder", err)
			}
		})
	}
}

// TestReadTenXMatrixAlone: the file by itself is MatrixMarket as any other.
func TestReadTenXMatrixAlone(t *testing.T) {
	got, err := Read[float64](filepath.Join(writeFolderFiles(t, tenXFiles()), "matrix.mtx"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if rows, cols := got.X.Dims(); rows != 3 || cols != 2 || got.RowNames != nil || got.Format != "mtx" {
		t.Errorf("%s, %d x %d, rows %v", got.Format, rows, cols, got.RowNames)
	}
}

func TestMakeUnique(t *testing.T) {
	tests := []struct{ names, want []string }{
		{nil, nil},
		{[]string{"a", "b"}, []string{"a", "b"}},
		{[]string{"a", "a", "a"}, []string{"a", "a-1", "a-2"}},
		{[]string{"a", "a", "a-1", "a"}, []string{"a", "a-2", "a-1", "a-3"}},
		{[]string{"", ""}, []string{"", "-1"}},
		{[]string{"a-1", "a-1", "a", "a"}, []string{"a-1", "a-1-1", "a", "a-2"}},
	}
	for _, test := range tests {
		got := append([]string(nil), test.names...)
		makeUnique(got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.names, diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOf(rapid.SampledFrom([]string{"a", "a-1", "a-2", "a-1-1", "b"})).Draw(t, "names")
		makeUnique(names)
		seen := map[string]bool{}
		for _, name := range names {
			if seen[name] {
				t.Fatalf("%q is there twice in %q", name, names)
			}
			seen[name] = true
		}
	})
}

func TestTenXRoundTrip(t *testing.T) {
	x := dense(2, 3, 4, 0, 0.1, 0, 6, 0)
	for _, test := range []struct {
		x                   matrix.Matrix[float64]
		rows, columns       []string
		wantRows, wantNames []string
	}{
		{x, []string{"r1", "r2"}, []string{"a", "b", "c"}, []string{"r1", "r2"}, []string{"a", "b", "c"}},
		{x.Sparse(), nil, nil, []string{"1", "2"}, []string{"1", "2", "3"}},
		{x, []string{"r\t1", "r2"}, nil, []string{"r 1", "r2"}, []string{"1", "2", "3"}},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		if err := Write(dir, &Table[float64]{X: test.x, RowNames: test.rows, ColumnNames: test.columns}, &WriteOptions{Format: "10x"}); err != nil {
			t.Fatal(err)
		}
		got, err := Read[float64](dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x, asDense(got.X)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([][]string{test.wantRows, test.wantNames}, [][]string{got.RowNames, got.ColumnNames}); diff != "" {
			t.Error(diff)
		}
	}
}

func TestReadSharedTenX(t *testing.T) {
	tests := []struct {
		path            string
		rows, cols, nnz int
		row, column     string
	}{
		{"data/10x-small/3.0.0/filtered_feature_bc_matrix", 1107, 507, 23866, "AAACCCAAGGAGAGTA-1", "CH507-9B2.2"},
		{"data/10x-small/1.2.0/filtered_gene_bc_matrices/hg19_chr21", 12, 343, 12, "AACACGTGTACGCTGC-1", "DSCAM"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			got, err := Read[float32](testdata.Shared(t, test.path), nil)
			if err != nil {
				t.Fatal(err)
			}
			x := got.X.(*matrix.CSR[float32])
			if x.Rows != test.rows || x.Cols != test.cols || x.NNZ() != test.nnz {
				t.Errorf("%d x %d with %d cells", x.Rows, x.Cols, x.NNZ())
			}
			if got.RowNames[0] != test.row || got.ColumnNames[0] != test.column {
				t.Errorf("first row %q, first column %q", got.RowNames[0], got.ColumnNames[0])
			}
		})
	}
}

func FuzzTenX(f *testing.F) {
	files := tenXFiles()
	f.Add(files["matrix.mtx"], files["genes.tsv"], files["barcodes.tsv"])
	f.Add(files["matrix.mtx"], "a\tA\nb\tA\nc\tA\tx\n", "\r\nb")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, matrixText, genes, barcodes string) {
		dir := writeFolderFiles(t, map[string]string{"matrix.mtx": matrixText, "features.tsv": genes, "barcodes.tsv": barcodes})
		got, err := Read[float64](dir, nil)
		if err != nil {
			return
		}
		rows, cols := got.X.Dims()
		if len(got.RowNames) != rows || len(got.ColumnNames) != cols {
			t.Fatalf("%d row names and %d column names for %d x %d", len(got.RowNames), len(got.ColumnNames), rows, cols)
		}
	})
}
