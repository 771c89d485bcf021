package data

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/partsof/nmf/internal/hdf5"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "hdf5", about: "HDF5: AnnData (.h5ad), 10x Genomics, or any dataset of numbers; needs libhdf5",
		extensions: []string{".h5", ".hdf5", ".hdf", ".h5ad"},
		sniff:      func(head []byte) bool { return hdf5.IsHDF5(head) && !isMAT(head) },
		read32:     readHDF5[float32], read64: readHDF5[float64],
		spool32: spoolHDF5[float32], spool64: spoolHDF5[float64],
	})
}

// hdf5Reader reads one file.
type hdf5Reader[F matrix.Float] struct {
	f *hdf5.File
	t *Table[F]
	// to is nil where the matrix goes into memory.
	to *elsewhere[F]
	// matlab says that MATLAB wrote the file: axes are in Fortran's order.
	matlab bool
}

// readHDF5 reads what the file is found to be by the groups in it: cells x
// genes as Cell Ranger 2 or 3 writes them, an AnnData object, or a dataset.
func readHDF5[F matrix.Float](s *source, o *ReadOptions) (t *Table[F], err error) {
	return hdf5Table[F](s, o, nil)
}

// hdf5Table reads a file, the matrix elsewhere unless to is nil.
func hdf5Table[F matrix.Float](s *source, o *ReadOptions, to *elsewhere[F]) (t *Table[F], err error) {
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	f, err := openHDF5(s, head)
	if err != nil && !hdf5.IsHDF5(head) {
		return nil, withGuess(hdf5Error(err), head)
	}
	if err != nil {
		return nil, hdf5Error(err)
	}
	defer func() { err = errors.Join(err, hdf5Error(f.Close())) }()
	p := hdf5Reader[F]{f: f, t: &Table[F]{}, to: to, matlab: isMAT(head)}
	if err := p.table(strings.Trim(o.Key, "/")); err != nil {
		return nil, hdf5Error(err)
	}
	return p.t, nil
}

// openHDF5 takes a stream into memory: the library reads a file in any order.
func openHDF5(s *source, head []byte) (*hdf5.File, error) {
	if s.file != nil && s.path != "-" {
		return hdf5.Open(s.path, head, s.size)
	}
	content, err := io.ReadAll(s.r)
	if err != nil {
		return nil, err
	}
	return hdf5.OpenBytes(content)
}

// hdf5Error puts an error of the codec in the words of this package.
func hdf5Error(err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	e := &Error{Found: err.Error(), Err: err}
	var absent *hdf5.AbsentError
	switch {
	case errors.As(err, &absent):
		e.Found, e.Hint, e.Err = absent.Why, absent.Hint, ErrUnsupported
	case errors.Is(err, hdf5.ErrFormat):
		e.Err, e.Hint = ErrFormat, "copy, download or save it again"
	case errors.Is(err, hdf5.ErrTruncated):
		e.Err, e.Hint = ErrTruncated, "copy, download or save it again"
	case errors.Is(err, hdf5.ErrMissing):
		e.Err = ErrFormat
	case errors.Is(err, hdf5.ErrUnsupported):
		e.Err = ErrUnsupported
	case errors.Is(err, hdf5.ErrRange):
		e.Err, e.Hint = ErrUnsupported, "use --precision f64"
	}
	return e
}

// The groups by which files are known.
const (
	tenXGroup   = "matrix"
	annDataRows = "obs"
	annDataCols = "var"
)

// table reads what key names, or what can only be meant.
func (p *hdf5Reader[F]) table(key string) (err error) {
	if p.matlab {
		if key == "" {
			if key, err = p.onlyMatrix(); err != nil {
				return err
			}
		}
		return p.matrix(key)
	}
	genomes, err := p.genomes()
	if err != nil {
		return err
	}
	tenX, err := p.has(tenXGroup, "indptr", "barcodes")
	if err != nil {
		return err
	}
	annData, err := p.has("", annDataRows, annDataCols)
	switch {
	case err != nil:
		return err
	case tenX && (key == "" || key == tenXGroup):
		return p.tenX(tenXGroup, "features/id", "features/name", "features/feature_type")
	case len(genomes) == 1 && key == "" || slices.Contains(genomes, key):
		if key == "" {
			key = genomes[0]
		}
		return p.tenX(key, "genes", "gene_names", "")
	case len(genomes) > 1 && key == "":
		return &Error{
			Found: "the file holds the genes of several genomes: " + strings.Join(genomes, ", "),
			Hint:  "choose one with --key", Err: ErrUnsupported,
		}
	case annData:
		return p.annData(key)
	case key == "":
		if key, err = p.onlyMatrix(); err != nil {
			return err
		}
	}
	return p.matrix(key)
}

// has says whether a group has members of all the names.
func (p *hdf5Reader[F]) has(group string, names ...string) (bool, error) {
	for _, name := range names {
		kind, err := p.f.Kind(path.Join(group, name))
		if err != nil || kind == hdf5.Nothing {
			return false, err
		}
	}
	return true, nil
}

// mostMembers bounds how many names in a group are looked at.
const mostMembers = 10000

// genomes lists the groups of a file of Cell Ranger 2.
func (p *hdf5Reader[F]) genomes() (list []string, err error) {
	names, err := p.f.Members("/", mostMembers)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		ok, err := p.has(name, "barcodes", "gene_names", "indptr")
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, name)
		}
	}
	return list, nil
}

// text reads a dataset of text with one axis.
func (p *hdf5Reader[F]) text(name string) ([]string, error) {
	d, err := p.f.Array(name)
	if err != nil {
		return nil, err
	}
	if len(d.Shape) != 1 {
		return nil, malformed("%q has shape %s, one axis is wanted", name, npy.ShapeString(d.Shape))
	}
	return hdf5.ReadText(d)
}

// hdf5Numbers reads a dataset of numbers with one axis. want is its length, -1
// where any will do.
func hdf5Numbers[T npy.Number](f *hdf5.File, name string, want int) ([]T, error) {
	d, err := f.Array(name)
	if err != nil {
		return nil, err
	}
	if len(d.Shape) != 1 || want >= 0 && d.Shape[0] != want {
		wanted := "one axis is wanted"
		if want >= 0 {
			wanted = fmt.Sprintf("(%d,) is wanted", want)
		}
		return nil, malformed("%q has shape %s, %s", name, npy.ShapeString(d.Shape), wanted)
	}
	return hdf5.Read[T](d)
}

// tenX reads the group of a genome, or of all features. It is compressed by
// barcodes, which makes cells the rows.
func (p *hdf5Reader[F]) tenX(group, ids, names, types string) error {
	shape, err := hdf5Numbers[int64](p.f, path.Join(group, "shape"), 2)
	if err != nil {
		return err
	}
	x, err := p.compressed(group, scipyParts, shape[1], shape[0], "barcode", "feature", false)
	if err != nil {
		return err
	}
	p.t.X = x
	var features [][]string
	for i, name := range []string{ids, names, types} {
		if ok, err := p.has(group, name); err != nil {
			return err
		} else if i == 2 && (name == "" || !ok) {
			break
		}
		list, err := p.text(path.Join(group, name))
		if err != nil {
			return err
		}
		if len(list) != x.Cols {
			return malformed("%q has %s, the matrix %s", path.Join(group, name), count(len(list), "element"), count(x.Cols, "feature"))
		}
		if features == nil {
			features = make([][]string, len(list))
		}
		for j, s := range list {
			features[j] = append(features[j], s)
		}
	}
	barcodes, err := p.text(path.Join(group, "barcodes"))
	if err != nil {
		return err
	}
	if len(barcodes) != x.Rows {
		return malformed("%q has %s, the matrix %s", path.Join(group, "barcodes"), count(len(barcodes), "element"), count(x.Rows, "cell"))
	}
	fields := make([][]string, len(barcodes))
	for i := range barcodes {
		fields[i] = barcodes[i : i+1]
	}
	p.t.addNote(tenXTurned)
	p.t.nameTenX(features, fields)
	return nil
}

// sparseNames names the datasets of a sparse matrix: pointers, indices and
// values.
type sparseNames [3]string

var (
	scipyParts  = sparseNames{"indptr", "indices", "data"}
	matlabParts = sparseNames{"jc", "ir", "data"}
)

// compressed reads the parts of a group as a CSR matrix whose rows and columns
// errors call by the given words.
func (p *hdf5Reader[F]) compressed(group string, parts sparseNames, rows, cols int64, row, column string, columns bool) (*matrix.CSR[F], error) {
	if rows < 0 || cols < 0 {
		return nil, malformed("%q has the shape %d x %d", group, rows, cols)
	}
	if rows > matrix.MaxDim || cols > matrix.MaxDim {
		return nil, checkDims(int(rows), int(cols))
	}
	c := compressedParts[F]{rows: int(rows), cols: int(cols), row: row, column: column, pointers: parts[0]}
	if p.to != nil {
		return p.compressedElsewhere(group, parts, &c, columns)
	}
	var err error
	if c.indptr, err = hdf5Numbers[int64](p.f, path.Join(group, parts[0]), int(rows)+1); err != nil {
		return nil, err
	}
	if c.index, err = hdf5Numbers[int32](p.f, path.Join(group, parts[1]), -1); err != nil {
		return nil, err
	}
	if c.values, err = hdf5Numbers[F](p.f, path.Join(group, parts[2]), -1); err != nil {
		return nil, err
	}
	x, repeats, err := c.csr()
	if err != nil {
		return nil, err
	}
	p.t.noteRepeats(repeats)
	return x, nil
}

// annData reads a matrix of an AnnData object: X unless key names another,
// such as layers/counts or raw/X.
func (p *hdf5Reader[F]) annData(key string) error {
	if key == "" {
		key = "X"
	}
	kind, err := p.f.Kind(key)
	if err != nil {
		return err
	}
	if kind == hdf5.Nothing {
		return p.noSuchMatrix(key)
	}
	if err := p.matrix(key); err != nil {
		return err
	}
	rows, cols := p.t.X.Dims()
	if p.t.RowNames, err = p.index(annDataRows, rows); err != nil {
		return err
	}
	features := annDataCols
	switch {
	case key == "raw/X":
		features = "raw/var"
	case key == "raw.X":
		features = "raw.var"
	case key != "X" && path.Dir(key) != "layers":
		// Other matrices, such as obsm/X_pca, have columns of their own.
		return nil
	}
	p.t.ColumnNames, err = p.index(features, cols)
	return err
}

// noSuchMatrix lists the matrices that an AnnData object has.
func (p *hdf5Reader[F]) noSuchMatrix(key string) error {
	var all []string
	for _, name := range []string{"X", "raw/X", "layers", "obsm"} {
		switch kind, err := p.f.Kind(name); {
		case err != nil:
			return err
		case kind == hdf5.Nothing:
		case name == "layers" || name == "obsm":
			members, err := p.f.Members(name, mostMembers)
			if err != nil {
				return err
			}
			for _, m := range members {
				all = append(all, name+"/"+m)
			}
		default:
			all = append(all, name)
		}
	}
	return &Error{
		Found: fmt.Sprintf("the AnnData file has no matrix %q", key),
		Hint:  "its matrices, for --key, are " + strings.Join(all, ", "), Err: ErrFormat,
	}
}

// index gives the names that obs or var holds; nil where there are none, or
// not as many as wanted.
func (p *hdf5Reader[F]) index(group string, want int) (names []string, err error) {
	kind, err := p.f.Kind(group)
	switch {
	case err != nil:
		return nil, err
	case kind == hdf5.Dataset:
		// Until version 0.7 of anndata: a table.
		d, err := p.f.Array(group)
		if err != nil {
			return nil, err
		}
		for _, column := range []string{"index", "_index"} {
			if names, err = hdf5.ReadColumn(d, column); !errors.Is(err, hdf5.ErrMissing) {
				break
			}
		}
		if err != nil && !errors.Is(err, hdf5.ErrMissing) {
			return nil, err
		}
	case kind == hdf5.Group:
		column, found, err := p.f.Text(group, "_index")
		if err != nil {
			return nil, err
		}
		if !found {
			column = "_index"
		}
		name := path.Join(group, column)
		if kind, err = p.f.Kind(name); err == nil && kind == hdf5.Group {
			name = path.Join(name, "values") // text that may be missing
			kind, err = p.f.Kind(name)
		}
		if err != nil || kind != hdf5.Dataset {
			return nil, err
		}
		if names, err = p.text(name); err != nil {
			return nil, err
		}
	}
	if len(names) != want {
		return nil, nil
	}
	return names, nil
}

// matrix reads a dataset, or a group that is a sparse matrix.
func (p *hdf5Reader[F]) matrix(key string) error {
	kind, err := p.f.Kind(key)
	switch {
	case err != nil:
		return err
	case kind == hdf5.Nothing:
		return &Error{Found: fmt.Sprintf("there is no %q in the file", "/"+key), Hint: p.listHint(), Err: ErrFormat}
	case kind == hdf5.Group:
		return p.sparse(key)
	}
	return p.dense(key)
}

func (p *hdf5Reader[F]) dense(key string) error {
	d, err := p.f.Array(key)
	if err != nil {
		return err
	}
	if !d.Numeric() {
		return &Error{Found: fmt.Sprintf("%q holds %s, not numbers", "/"+key, d.Type), Hint: p.listHint(), Err: ErrUnsupported}
	}
	shape := d.Shape
	if p.matlab && len(shape) > 2 {
		shape = []int{shape[0], d.Len() / max(1, shape[0])}
	}
	rows, cols, note, err := matrixShape(shape)
	if err != nil {
		return err
	}
	if p.to != nil {
		return p.denseElsewhere(d, rows, cols, note)
	}
	values, err := hdf5.Read[F](d)
	if err != nil {
		return err
	}
	x, err := matrix.FromSlice(rows, cols, values)
	if err != nil {
		return err
	}
	if p.matlab {
		x = x.T()
		note = p.matlabNote(d, rows, cols)
	}
	p.t.addNote(note)
	p.t.X = x
	return nil
}

// matlabNote says what became of the axes of an array that MATLAB wrote.
func (p *hdf5Reader[F]) matlabNote(d *hdf5.Array, rows, cols int) string {
	if len(d.Shape) > 2 {
		return lastAxisNote(strings.Trim(d.Name, "/"), matlabShape(d.Shape), cols, rows)
	}
	return ""
}

func matlabShape(shape []int) []int {
	turned := slices.Clone(shape)
	slices.Reverse(turned)
	return turned
}

// sparseKind says how a group stores a sparse matrix: "csr", "csc", "matlab", or
// "" where it is none.
func (p *hdf5Reader[F]) sparseKind(group string) (string, error) {
	if p.matlab {
		rows, err := p.f.Integers(group, "MATLAB_sparse")
		if err != nil || len(rows) != 1 {
			return "", err
		}
		return "matlab", nil
	}
	kind, found, err := p.f.Text(group, "encoding-type")
	if err == nil && !found {
		kind, _, err = p.f.Text(group, "h5sparse_format")
	}
	kind = strings.TrimSuffix(kind, "_matrix")
	if kind != "csr" && kind != "csc" {
		kind = ""
	}
	return kind, err
}

// sparse reads a group that is a sparse matrix as anndata writes it.
func (p *hdf5Reader[F]) sparse(group string) error {
	kind, err := p.sparseKind(group)
	if err != nil {
		return err
	}
	if kind == "" {
		return &Error{Found: fmt.Sprintf("%q is a group, not a matrix", "/"+group), Hint: p.listHint(), Err: ErrUnsupported}
	}
	if kind == "matlab" {
		return p.matlabSparse(group)
	}
	shape, err := p.f.Integers(group, "shape")
	if err == nil && shape == nil {
		shape, err = p.f.Integers(group, "h5sparse_shape")
	}
	if err != nil {
		return err
	}
	if len(shape) != 2 {
		return malformed("the sparse matrix %q has no shape of two axes", "/"+group)
	}
	if kind == "csr" {
		p.t.X, err = p.compressed(group, scipyParts, shape[0], shape[1], "row", "column", false)
		return err
	}
	return p.compressedColumns(group, scipyParts, shape[0], shape[1])
}

// compressedColumns reads a matrix that is compressed by columns.
func (p *hdf5Reader[F]) compressedColumns(group string, parts sparseNames, rows, cols int64) error {
	x, err := p.compressed(group, parts, cols, rows, "column", "row", true)
	if err != nil {
		return err
	}
	p.t.X = turned[F](x)
	return nil
}

// matlabSparse reads a group of a MATLAB file: the number of rows is an
// attribute, that of columns follows from the pointers.
func (p *hdf5Reader[F]) matlabSparse(group string) error {
	rows, err := p.f.Integers(group, "MATLAB_sparse")
	if err != nil {
		return err
	}
	pointers, err := p.f.Array(path.Join(group, matlabParts[0]))
	if err != nil {
		return err
	}
	if filled, err := p.has(group, matlabParts[1], matlabParts[2]); err != nil {
		return err
	} else if !filled {
		return &Error{Found: fmt.Sprintf("the sparse matrix %q has no cells", "/"+group), Err: ErrUnsupported}
	}
	return p.compressedColumns(group, matlabParts, rows[0], int64(pointers.Len())-1)
}

// hdf5Matrix is something in a file that may be read as a matrix.
type hdf5Matrix struct {
	name, about string
	wide        bool // two axes or more are longer than one
}

// list walks through the file for what may be read as a matrix. It looks at a
// bounded number of objects: groups may contain each other.
func (p *hdf5Reader[F]) list() (found []hdf5Matrix, err error) {
	const deepest = 8
	left := mostMembers
	var walk func(group string, depth int) error
	walk = func(group string, depth int) error {
		if sparse, err := p.sparseKind(group); err != nil {
			return err
		} else if sparse != "" {
			found = append(found, hdf5Matrix{group, "sparse", true})
			return nil
		}
		names, err := p.f.Members(group, mostMembers)
		if err != nil {
			return err
		}
		for _, name := range names {
			if left--; left < 0 {
				return nil
			}
			if p.matlab && strings.HasPrefix(name, "#") {
				continue // what cells and objects refer to
			}
			name = path.Join(group, name)
			kind, err := p.f.Kind(name)
			if err != nil {
				return err
			}
			switch {
			case kind == hdf5.Group && depth < deepest:
				if err := walk(name, depth+1); err != nil {
					return err
				}
			case kind == hdf5.Dataset:
				d, err := p.f.Array(name)
				if err != nil {
					return err
				}
				numeric := d.Numeric()
				if class, found, err := p.f.Text(name, "MATLAB_class"); err != nil {
					return err
				} else if found && (class == "char" || class == "cell") {
					numeric = false
				}
				if numeric {
					m := hdf5Matrix{name: name, about: npy.ShapeString(d.Shape) + " " + d.Type}
					if p.matlab {
						m.about = timesString(matlabShape(d.Shape)) + " " + d.Type
					}
					long := 0
					for _, n := range d.Shape {
						if n > 1 {
							long++
						}
					}
					m.wide = long > 1
					found = append(found, m)
				}
			}
		}
		return nil
	}
	return found, walk("/", 0)
}

// onlyMatrix finds the matrix that can only be meant.
func (p *hdf5Reader[F]) onlyMatrix() (string, error) {
	found, err := p.list()
	if err != nil {
		return "", err
	}
	wide := slices.DeleteFunc(slices.Clone(found), func(m hdf5Matrix) bool { return !m.wide })
	switch {
	case len(wide) == 1:
		return wide[0].name, nil
	case len(found) == 1:
		return found[0].name, nil
	case len(found) == 0:
		return "", &Error{Found: "the HDF5 file holds no numbers", Err: ErrUnsupported}
	}
	return "", &Error{Found: "the HDF5 file holds several arrays: " + listMatrices(found), Hint: "choose one with --key", Err: ErrUnsupported}
}

// listHint says what there is to choose from.
func (p *hdf5Reader[F]) listHint() string {
	found, err := p.list()
	if err != nil || len(found) == 0 {
		return ""
	}
	return "the file holds " + listMatrices(found)
}

func listMatrices(found []hdf5Matrix) string {
	const most = 20
	var parts []string
	for i, m := range found {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(found)-most))
			break
		}
		parts = append(parts, m.name+" "+m.about)
	}
	return strings.Join(parts, "; ")
}
