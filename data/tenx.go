package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "10x", about: "10x Genomics folder: matrix.mtx, features.tsv or genes.tsv, barcodes.tsv",
		folder: isTenX,
		read32: readTenX[float32], read64: readTenX[float64],
		spool32: spoolTenX[float32], spool64: spoolTenX[float64],
		writeFolder32: writeTenX[float32], writeFolder64: writeTenX[float64],
	})
}

// The members of a folder, by what they hold. Cell Ranger 2 writes genes.tsv
// and compresses nothing, Cell Ranger 3 features.tsv.gz.
var (
	tenXMatrix   = []string{"matrix.mtx.gz", "matrix.mtx"}
	tenXFeatures = []string{"features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv"}
	tenXBarcodes = []string{"barcodes.tsv.gz", "barcodes.tsv"}
)

// tenXTurned is the note of every reader of 10x data.
const tenXTurned = "features x cells were turned to cells x features"

// isTenX takes a folder for 10x where it has any of the members: that others
// are missing is then an error that can be named.
func isTenX(path string) bool {
	for _, names := range [][]string{tenXMatrix, tenXFeatures, tenXBarcodes} {
		if _, err := tenXMember(path, names); err == nil {
			return true
		}
	}
	return false
}

// tenXMember finds the first of the names that is a file in the folder.
func tenXMember(dir string, names []string) (path string, err error) {
	for _, name := range names {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", &Error{
		File: dir, Found: "the folder has no " + strings.Join(names, ", no "),
		Hint: "a 10x folder has a matrix, features or genes, and barcodes", Err: os.ErrNotExist,
	}
}

// readTenX reads a folder as Cell Ranger writes it, both generations. The
// matrix there is features x cells; it is turned round. Columns are named by
// gene (the second field of features or genes, else the first), rows by
// barcode. A repeated gene name gets "-1", "-2", … from its second place on.
func readTenX[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	return tenXTable[F](s, o, nil)
}

// tenXTable reads a folder, the matrix elsewhere unless to is nil.
func tenXTable[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (*Table[F], error) {
	matrixPath, err := tenXMember(s.path, tenXMatrix)
	if err != nil {
		return nil, err
	}
	featuresPath, err := tenXMember(s.path, tenXFeatures)
	if err != nil {
		return nil, err
	}
	barcodesPath, err := tenXMember(s.path, tenXBarcodes)
	if err != nil {
		return nil, err
	}
	features, err := readFieldLines(featuresPath)
	if err != nil {
		return nil, err
	}
	barcodes, err := readFieldLines(barcodesPath)
	if err != nil {
		return nil, err
	}
	t, err := readTurned(matrixPath, o.Threads, to)
	if err != nil {
		return nil, err
	}
	cells, genes := t.X.Dims()
	if len(features) != genes {
		return nil, &Error{File: featuresPath, Found: fmt.Sprintf("the file has %s, the matrix %d", count(len(features), "feature"), genes), Err: ErrFormat}
	}
	if len(barcodes) != cells {
		return nil, &Error{File: barcodesPath, Found: fmt.Sprintf("the file has %s, the matrix %s", count(len(barcodes), "barcode"), count(cells, "cell")), Err: ErrFormat}
	}
	t.addNote(tenXTurned)
	t.nameTenX(features, barcodes)
	return t, nil
}

// readTurned reads a MatrixMarket file with rows and columns exchanged.
func readTurned[F matrix.Float](path string, threads int, to *elsewhere[F]) (*Table[F], error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p := mtxReader[F]{r: s.r, size: s.size, threads: threads, turned: true, to: to}
	t, err := p.table()
	if err != nil {
		return nil, s.fail(err)
	}
	return t, nil
}

// nameTenX names rows and columns.
func (t *Table[F]) nameTenX(features, barcodes [][]string) {
	t.RowNames = make([]string, len(barcodes))
	for i, fields := range barcodes {
		t.RowNames[i] = fields[0]
	}
	t.ColumnNames = make([]string, len(features))
	var types []string
	count := map[string]int{}
	for j, fields := range features {
		t.ColumnNames[j] = fields[0]
		if len(fields) > 1 && fields[1] != "" {
			t.ColumnNames[j] = fields[1]
		}
		if len(fields) > 2 {
			if count[fields[2]] == 0 {
				types = append(types, fields[2])
			}
			count[fields[2]]++
		}
	}
	if changed := makeUnique(t.ColumnNames); changed > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("%d repeated gene names got a number", changed))
	}
	if len(types) > 1 {
		for i, name := range types {
			types[i] = fmt.Sprintf("%d %s", count[name], name)
		}
		t.Notes = append(t.Notes, "features of several types: "+strings.Join(types, ", "))
	}
}

// makeUnique appends "-1", "-2", … to the second and further of equal names,
// leaving out numbers that make a name which is there already. It gives the
// number of names changed.
func makeUnique(names []string) (changed int) {
	taken := make(map[string]bool, len(names))
	for _, name := range names {
		taken[name] = true
	}
	seen, last := make(map[string]bool, len(names)), map[string]int{}
	for i, name := range names {
		if !seen[name] {
			seen[name] = true
			continue
		}
		unique := name
		for taken[unique] {
			last[name]++
			unique = name + "-" + strconv.Itoa(last[name])
		}
		taken[unique] = true
		names[i] = unique
		changed++
	}
	return changed
}

// readFieldLines reads a file of tab-separated fields, line by line.
func readFieldLines(path string) (lines [][]string, err error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	lines, err = fieldLines(s.r)
	if err != nil {
		return nil, s.fail(err)
	}
	return lines, nil
}

// fieldLines splits lines at tabs. Blank lines at the end do not count.
func fieldLines(r io.Reader) (lines [][]string, err error) {
	const longest = 1 << 20
	in := bufio.NewScanner(r)
	in.Buffer(nil, longest)
	blank := 0
	for in.Scan() {
		text := in.Text()
		if strings.TrimSpace(text) == "" {
			blank++
			continue
		}
		if blank > 0 {
			return nil, &Error{Line: len(lines) + 1, Found: "the line is empty", Err: ErrFormat}
		}
		lines = append(lines, strings.Split(text, "\t"))
	}
	err = in.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = &Error{Line: len(lines) + blank + 1, Found: "the line is longer than 1 MiB: these are not names", Err: ErrFormat}
	}
	return lines, err
}

// writeTenX writes a folder as Cell Ranger 3 does. Rows or columns without
// names are named by their number.
func writeTenX[F matrix.Float](dir string, t *Table[F], _ *WriteOptions) error {
	turned := matrix.Transpose(t.X)
	if dense, ok := turned.(*matrix.Dense[F]); ok {
		turned = dense.Sparse()
	}
	cells, genes := t.X.Dims()
	barcodes := func(w *textWriter) {
		for i := range cells {
			w.buf = append(append(w.buf, tenXName(t.RowNames, i)...), '\n')
			w.flush(false)
		}
	}
	features := func(w *textWriter) {
		for j := range genes {
			name := tenXName(t.ColumnNames, j)
			w.buf = fmt.Appendf(w.buf, "%s\t%s\tGene Expression\n", name, name)
			w.flush(false)
		}
	}
	return errors.Join(
		writeGzip(filepath.Join(dir, tenXBarcodes[0]), lineWriter(barcodes)),
		writeGzip(filepath.Join(dir, tenXFeatures[0]), lineWriter(features)),
		writeGzip(filepath.Join(dir, tenXMatrix[0]), func(w io.Writer) error {
			return writeMTX(w, &Table[F]{X: turned}, nil)
		}),
	)
}

// tenXName gives a name as one field, or the number where there are no names.
func tenXName(names []string, i int) string {
	if names == nil {
		return strconv.Itoa(i + 1)
	}
	return strings.NewReplacer("\t", " ", "\r", " ", "\n", " ").Replace(names[i])
}

func lineWriter(write func(*textWriter)) func(io.Writer) error {
	return func(w io.Writer) error {
		out := newTextWriter(w)
		write(out)
		return out.flush(true)
	}
}

// writeGzip writes a new compressed file and syncs it.
func writeGzip(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	if err := write(z); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Sync()
}
