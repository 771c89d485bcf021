package data

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partsof/nmf/internal/testdata"
)

var nan = math.NaN()

const vcfText = `##fileformat=VCFv4.2
##INFO=<ID=DP>
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	s1	s2	s3
1	10	rs1	A	C	.	PASS	.	GT:DP	0/1:3	1|1:4	./.:0
1	20	.	A	C,G	.	PASS	.	GT	0/1	1/2	2/2
1	30	.	A	.	.	PASS	.	GT	0/0	0/0	0/0
X	40	.	G	T	.	PASS	.	GT	0	1	./1
`

// plinkFiles are those of 3 individuals and 2 loci; the fourth place of each
// byte is padding.
func plinkFiles() map[string]string {
	return map[string]string{
		"a.bed": "\x6c\x1b\x01" + string([]byte{0b00_01_10_00, 0b11_11_00_10}),
		"a.bim": "1\trs1\t0\t10\tA\tC\n1\t.\t0\t20\tG\tT\n",
		"a.fam": "f1 i1 0 0 1 -9\ni2 i2 0 0 1 -9\n0 i3 0 0 1 -9\n",
	}
}

func TestReadGenotypes(t *testing.T) {
	const turned = genotypesTurned
	x := dense(3, 2, 2, 1, 1, 2, nan, 0)
	plink := writeFolderFiles(t, plinkFiles())
	zipped := plinkFiles()
	zipped["a.bed.gz"] = zipped["a.bed"]
	delete(zipped, "a.bed")
	tests := []struct {
		name, path string
		want       []float64
		rows, cols []string
		notes      []string
	}{
		{"geno", writeTemp(t, "a.geno", []byte("012\n190\n")), []float64{0, 1, 1, nan, 2, 0}, nil, nil, []string{turned, "1 genotype was missing: NaN"}},
		{"geno, CRLF and blank lines", writeTemp(t, "a.geno", []byte("01\r\n\r\n21\r\n\n")), []float64{0, 2, 1, 1}, nil, nil, []string{turned}},
		{"geno, no last newline", writeTemp(t, "a.geno", []byte("99")), []float64{nan, nan}, nil, nil, []string{turned, "2 genotypes were missing: NaN"}},
		{"plink", filepath.Join(plink, "a.bed"), x.Data, []string{"f1:i1", "i2", "i3"}, []string{"rs1", "1:20"}, []string{turned, "1 genotype was missing: NaN"}},
		{"plink, gzip", filepath.Join(writeFolderFiles(t, zipped), "a.bed.gz"), x.Data, []string{"f1:i1", "i2", "i3"}, []string{"rs1", "1:20"}, []string{turned, "1 genotype was missing: NaN"}},
		{"vcf", writeTemp(t, "a.vcf", []byte(vcfText)), []float64{1, 0, 2, 1, nan, nan}, []string{"s1", "s2", "s3"}, []string{"rs1", "X:40"},
			[]string{turned, "2 genotypes were missing: NaN", "2 loci not biallelic were left out"}},
	}
	for _, tt := range tests {
		got, err := Read[float64](tt.path, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !slices.EqualFunc(asDense(got.X).Data, tt.want, func(a, b float64) bool { return a == b || a != a && b != b }) {
			t.Errorf("%s: %v, want %v", tt.name, got.X, tt.want)
		}
		if diff := cmp.Diff([][]string{tt.rows, tt.cols, tt.notes}, [][]string{got.RowNames, got.ColumnNames, got.Notes}); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestReadGenotypeErrors(t *testing.T) {
	vcf := func(old, new string) []byte { return []byte(strings.Replace(vcfText, old, new, 1)) }
	tests := []struct {
		name, file string
		content    []byte
		err        error
		says       string
	}{
		{"genotype 3", "a.geno", []byte("012\n130\n"), ErrFormat, `a.geno:2, column 2: '3' is not a genotype; it is 0, 1 or 2 copies of an allele, or 9 where it is missing`},
		{"blanks", "a.geno", []byte("0 1 2\n"), ErrFormat, "a.geno:1, column 2: there is a blank between the genotypes"},
		{"lengths", "a.geno", []byte("012\n\n01\n"), ErrFormat, "a.geno:3: the line has 2 genotypes, the line before 3"},
		{"blank lines", "a.geno", []byte("\n\n"), ErrFormat, "there are no genotypes in the file"},
		{"no vcf", "a.vcf", []byte("1,2\n3,4\n"), ErrFormat, "a.vcf:1: a VCF file starts with ##fileformat=VCF; it looks like csv"},
		{"bcf", "a.vcf", []byte("BCF\x02\x02"), ErrUnsupported, "this is BCF, the binary form of VCF; convert it with bcftools"},
		{"header alone", "a.vcf", []byte("##fileformat=VCFv4.2\n##x\n"), ErrTruncated, "it ends before the line that names the samples"},
		{"no samples", "a.vcf", vcf("\tFORMAT\ts1\ts2\ts3", ""), ErrUnsupported, "a.vcf:3: the file has no genotypes: its header names no samples"},
		{"no header", "a.vcf", vcf("#CHROM", "CHROM"), ErrFormat, "a.vcf:3: \"CHROM"},
		{"no locus", "a.vcf", []byte(vcfText[:strings.Index(vcfText, "1\t10")]), ErrFormat, "there are no genotypes in the file"},
		{"no biallelic locus", "a.vcf", vcf("\tC\t.\tPASS\t.\tGT:DP", "\tC,T\t.\tPASS\t.\tGT:DP")[:strings.Index(vcfText, "X\t40")+2], ErrFormat, "none of its 3 loci is biallelic"},
		{"no GT", "a.vcf", vcf("GT:DP", "DP:GT"), ErrUnsupported, `a.vcf:4, column 9: the format "DP:GT" does not start with GT`},
		{"third allele", "a.vcf", vcf("0/1:3", "0/2:3"), ErrFormat, `a.vcf:4, column 10: "0/2" is not a genotype of two alleles`},
		{"empty genotype", "a.vcf", vcf("./.:0", ":0"), ErrFormat, `a.vcf:4, column 12: "" is not a genotype`},
		{"short line", "a.vcf", vcf("\t./.:0", ""), ErrFormat, "a.vcf:4: the line has 11 fields, the header 12"},
		{"long line", "a.vcf", vcf("\t./.:0", "\t./.:0\t0/0"), ErrFormat, "a.vcf:4: the line has 13 fields, the header 12"},
		{"few fields", "a.vcf", vcf("X\t40\t.\tG\tT", "X\t40"), ErrFormat, "a.vcf:7: the line has 9 fields, the header 12"},
	}
	for _, tt := range tests {
		got, err := readBytes[float64](t, tt.file, tt.content, nil)
		if err == nil {
			t.Errorf("%s: %v", tt.name, got)
			continue
		}
		wantError(t, err, tt.err, tt.says)
	}
	plink := []struct {
		name   string
		change func(map[string]string)
		err    error
		says   string
	}{
		{"no .bim", func(f map[string]string) { delete(f, "a.bim") }, os.ErrNotExist, "a.bim: there is no such file"},
		{"no .fam", func(f map[string]string) { delete(f, "a.fam") }, os.ErrNotExist, "a.fam: there is no such file"},
		{"few fields", func(f map[string]string) { f["a.fam"] = "i1 i1\n" }, ErrFormat, "a.fam:1: the line has 2 fields, not 6"},
		{"cut short", func(f map[string]string) { f["a.bed"] = f["a.bed"][:4] }, ErrTruncated, "a.bed: file is cut short: 2 loci of 3 individuals take 5 bytes, 4 are there"},
		{"other loci", func(f map[string]string) { f["a.bim"] = f["a.bim"][:len("1\trs1\t0\t10\tA\tC\n")] }, ErrFormat, "1 locus of 3 individuals take 4 bytes, 5 are there; .bim and .fam must be of the same data"},
		{"by individual", func(f map[string]string) { f["a.bed"] = "\x6c\x1b\x00\x00\x00" }, ErrUnsupported, "the genotypes are stored by individual; write the file anew with plink --make-bed"},
		{"no PLINK", func(f map[string]string) { f["a.bed"] = "chr1\t10\t20\n" }, ErrFormat, "the content does not start as PLINK's .bed does"},
	}
	for _, tt := range plink {
		files := plinkFiles()
		tt.change(files)
		_, err := Read[float64](filepath.Join(writeFolderFiles(t, files), "a.bed"), nil)
		wantError(t, err, tt.err, tt.says)
	}
	withStdin(t, []byte(plinkFiles()["a.bed"]), func() {
		_, err := Read[float64]("-", nil)
		wantError(t, err, ErrUnsupported, "standard input: a .bed file needs .bim and .fam beside it")
	})
}

// TestGenotypesByThreads: chunks of any size, on any number of threads, give
// the same table and the same error.
func TestGenotypesByThreads(t *testing.T) {
	var b bytes.Buffer
	for i := range 30000 {
		for j := range 101 {
			b.WriteByte("0129"[(i*7+j*j)%4])
		}
		b.WriteByte('\n')
	}
	path, broken := writeTemp(t, "a.geno", b.Bytes()), bytes.Clone(b.Bytes())
	broken[102*29999+5] = '3'
	brokenPath := writeTemp(t, "b.geno", broken)
	for _, threads := range []int{1, 4} {
		got, err := Read[float32](path, &ReadOptions{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		x := asDense(got.X)
		if x.Rows != 101 || x.Cols != 30000 {
			t.Fatalf("%d x %d", x.Rows, x.Cols)
		}
		for i := range x.Rows {
			for j, v := range x.Row(i) {
				if want := [4]float32{0, 1, 2, float32(nan)}[(j*7+i*i)%4]; v != want && want == want || v == v && want != want {
					t.Fatalf("sample %d, locus %d: %v, want %v", i+1, j+1, v, want)
				}
			}
		}
		_, err = Read[float32](brokenPath, &ReadOptions{Threads: threads})
		wantError(t, err, ErrFormat, "b.geno:30000, column 6: '3' is not a genotype")
	}
}

func TestReadSharedGeno(t *testing.T) {
	for name, missing := range map[string]int{"tutorial.geno.gz": 0, "genotypes.geno.gz": 100} {
		path := testdata.Shared(t, "data/geno-lea/"+name)
		got, err := Read[float64](path, nil)
		if err != nil {
			t.Fatal(err)
		}
		x, found := asDense(got.X), 0
		for _, v := range x.Data {
			if v != v {
				found++
			}
		}
		if x.Rows != 50 || x.Cols != 400 || found != missing {
			t.Errorf("%s: %d x %d, %d missing", name, x.Rows, x.Cols, found)
		}
		content, err := readContent(path)
		if err != nil {
			t.Fatal(err)
		}
		for j, line := range strings.Fields(string(content)) {
			for i, b := range line {
				if v := x.At(i, j); v != float64(b-'0') && b != '9' {
					t.Fatalf("%s: sample %d, locus %d: %v, want %c", name, i+1, j+1, v, b)
				}
			}
		}
	}
}

func FuzzGeno(f *testing.F) {
	f.Add([]byte("012\n190\n"))
	f.Add([]byte("01\r\n\r\n21\r\n\n9"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzTable[float32](t, "a.geno", content) })
}

func FuzzVCF(f *testing.F) {
	f.Add([]byte(vcfText))
	f.Add([]byte(strings.ReplaceAll(vcfText, "\n", "\r\n")))
	f.Add([]byte("##fileformat=VCFv4.1\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n1\t1\t\tA\tC\t\t\t\tGT\t0/0/1\n"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzTable[float32](t, "a.vcf", content) })
}

func FuzzPLINK(f *testing.F) {
	files := plinkFiles()
	f.Add([]byte(files["a.bed"]), files["a.bim"], files["a.fam"])
	f.Add([]byte("\x6c\x1b\x01"), "", files["a.fam"])
	f.Fuzz(func(t *testing.T, bed []byte, bim, fam string) {
		dir := writeFolderFiles(t, map[string]string{"a.bed": string(bed), "a.bim": bim, "a.fam": fam})
		got, err := Read[float32](filepath.Join(dir, "a.bed"), nil)
		if err != nil {
			return
		}
		rows, cols := got.X.Dims()
		if len(got.RowNames) != rows || len(got.ColumnNames) != cols {
			t.Fatalf("%d row names and %d column names for %d x %d", len(got.RowNames), len(got.ColumnNames), rows, cols)
		}
	})
}
