package cells

import (
	"fmt"
	"math"
	"slices"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Options says how counts become the matrix. Nil and the zero value are the
// defaults.
type Options struct {
	// MinGenes drops cells with fewer genes, MinCells genes in fewer cells.
	// Default 1 and 3.
	MinGenes, MinCells int
	// Genes is the number of variable genes to keep; 0 is 2000, below 0 all.
	Genes int
	// Flavour is how they are chosen, one of Flavours. Default "seurat".
	Flavour string
	// TargetSum is what the counts of every cell are scaled to. Default: the
	// median over the cells.
	TargetSum float64
	// Counts leaves the counts as they are, for the loss "kl"; otherwise they
	// are scaled, log(1+x) is taken, and every gene is divided by its standard
	// deviation.
	Counts bool
	// NoScale leaves genes in their own units.
	NoScale bool
	// Clip bounds what is scaled, so that a gene of a few cells makes no program
	// of its own. Default 10, as is usual with scanpy; below 0 for no bound.
	Clip float64
}

const (
	defaultGenes    = 2000
	defaultMinCells = 3
	defaultClip     = 10
)

// Flavours lists the ways of choosing variable genes, by their name in scanpy.
func Flavours() []string { return []string{"seurat", "cell_ranger"} }

// Preset is the fit to the prepared matrix.
func Preset(counts bool) *nmf.Options {
	if counts {
		return &nmf.Options{Loss: "kl", Init: "random", Runs: 10}
	}
	return &nmf.Options{Init: "random", Runs: 10}
}

// Prepared is the matrix with what the programs are made from.
type Prepared[F matrix.Float] struct {
	data.Table[F]
	// All is the counts of all genes that were kept, in their order, of the
	// cells of the matrix, and Genes their names: those of the input, or "gene 17"
	// by their column there.
	All   *matrix.CSR[F]
	Genes []string
	// Variable are the columns of All that the matrix has.
	Variable []int
	// TargetSum is what the counts of a cell were scaled to.
	TargetSum float64
}

// Prepare makes the matrix of counts (cells x genes): it drops empty cells and
// rare genes, takes the genes that vary most, and scales. Errors are
// recipe.ErrInput, recipe.ErrOption and nmf.CellError.
func Prepare[F matrix.Float](t *data.Table[F], o *Options) (*Prepared[F], error) {
	if o == nil {
		o = new(Options)
	}
	r := *o
	if r.MinGenes == 0 {
		r.MinGenes = 1
	}
	if r.MinCells == 0 {
		r.MinCells = defaultMinCells
	}
	if r.Genes == 0 {
		r.Genes = defaultGenes
	}
	if r.Flavour == "" {
		r.Flavour = "seurat"
	}
	if r.Clip == 0 {
		r.Clip = defaultClip
	}
	switch {
	case r.MinGenes < 1 || r.MinCells < 1:
		return nil, fmt.Errorf("%w: at least %d genes a cell and %d cells a gene; both must be at least 1", recipe.ErrOption, r.MinGenes, r.MinCells)
	case !slices.Contains(Flavours(), r.Flavour):
		return nil, fmt.Errorf("%w: flavour %q is unknown; it is one of %v", recipe.ErrOption, r.Flavour, Flavours())
	case !(r.TargetSum >= 0) || math.IsInf(r.TargetSum, 0):
		return nil, fmt.Errorf("%w: a target sum of %v; it must be at least 0, where 0 is the median", recipe.ErrOption, r.TargetSum)
	case math.IsNaN(r.Clip):
		return nil, fmt.Errorf("%w: values are clipped at %v", recipe.ErrOption, r.Clip)
	}
	counts, err := countsOf(t, r.Counts)
	if err != nil {
		return nil, err
	}
	p := &Prepared[F]{}
	p.Format, p.Notes = t.Format, slices.Clone(t.Notes)
	if err := p.filter(counts, t, &r); err != nil {
		return nil, err
	}
	sums := rowSums(p.All)
	p.TargetSum = r.TargetSum
	if p.TargetSum == 0 {
		p.TargetSum = median(sums)
	}
	normal := normalised(p.All, sums, p.TargetSum)
	p.Variable = p.choose(normal, &r)
	if r.Counts {
		p.X = columns(p.All, p.Variable)
	} else {
		x := columns(normal, p.Variable)
		for q, v := range x.Val {
			x.Val[q] = F(math.Log1p(float64(v)))
		}
		if !r.NoScale {
			unitVariance(x, r.Clip)
		}
		p.X = x
	}
	for _, j := range p.Variable {
		p.ColumnNames = append(p.ColumnNames, p.Genes[j])
	}
	return p, p.checkEmptyCells()
}

// countsOf refuses what are no counts.
func countsOf[F matrix.Float](t *data.Table[F], whole bool) (*matrix.CSR[F], error) {
	s, sparse := t.X.(*matrix.CSR[F])
	if d, ok := t.X.(*matrix.Dense[F]); ok && !sparse {
		s = d.Sparse()
	}
	fractions := false
	for i := range s.Rows {
		cols, vals := s.Row(i)
		for q, v := range vals {
			bad := &nmf.CellError{Row: i, Column: int(cols[q]), RowName: nameAt(t.RowNames, i), ColumnName: nameAt(t.ColumnNames, int(cols[q])), Value: float64(v)}
			switch {
			case math.IsNaN(float64(v)) || math.IsInf(float64(v), 0):
				bad.Err = nmf.ErrNotFinite
				return nil, bad
			case v < 0:
				return nil, fmt.Errorf("%w: cell %s has the count %v of gene %s: counts are not negative; the data seem to be scaled already: take the raw counts (--key raw/X or layers/counts of an .h5ad)",
					recipe.ErrInput, place(bad.RowName, i), v, place(bad.ColumnName, int(cols[q])))
			}
			fractions = fractions || v != F(math.Trunc(float64(v)))
		}
	}
	if fractions {
		if whole {
			return nil, fmt.Errorf("%w: not all numbers are whole: these are no counts; take the raw counts (--key raw/X or layers/counts of an .h5ad), or leave --counts out", recipe.ErrInput)
		}
		t.Notes = append(t.Notes, "not all numbers are whole: they are taken for counts all the same; if they are logarithms already, take the raw counts (--key raw/X or layers/counts)")
	}
	return s, nil
}

func place(name string, index int) string {
	if name == "" {
		return fmt.Sprint(index + 1)
	}
	return fmt.Sprintf("%q", name)
}

func nameAt(names []string, i int) string {
	if names == nil {
		return ""
	}
	return names[i]
}

// filter drops cells with few genes, and then genes in few cells.
func (p *Prepared[F]) filter(s *matrix.CSR[F], t *data.Table[F], o *Options) error {
	keep := make([]bool, s.Rows)
	in := make([]int, s.Cols)
	cells := 0
	for i := range s.Rows {
		cols, vals := s.Row(i)
		genes := 0
		for _, v := range vals {
			if v > 0 {
				genes++
			}
		}
		if keep[i] = genes >= o.MinGenes; !keep[i] {
			continue
		}
		cells++
		for q, v := range vals {
			if v > 0 {
				in[cols[q]]++
			}
		}
	}
	place, genes := make([]int32, s.Cols), int32(0)
	for j, n := range in {
		place[j] = -1
		if n >= o.MinCells {
			place[j] = genes
			genes++
			name := nameAt(t.ColumnNames, j)
			if name == "" {
				name = fmt.Sprintf("gene %d", j+1)
			}
			p.Genes = append(p.Genes, name)
		}
	}
	if cells == 0 || genes == 0 {
		return fmt.Errorf("%w: of %d cells and %d genes none is left: no cell has %d genes, or no gene is in %d cells", recipe.ErrInput, s.Rows, s.Cols, o.MinGenes, o.MinCells)
	}
	p.All = &matrix.CSR[F]{Rows: cells, Cols: int(genes), RowPtr: []int{0}}
	for i := range s.Rows {
		if !keep[i] {
			continue
		}
		cols, vals := s.Row(i)
		for q, v := range vals {
			if at := place[cols[q]]; at >= 0 && v > 0 {
				p.All.ColIdx, p.All.Val = append(p.All.ColIdx, at), append(p.All.Val, v)
			}
		}
		p.All.RowPtr = append(p.All.RowPtr, len(p.All.Val))
		if t.RowNames != nil {
			p.RowNames = append(p.RowNames, t.RowNames[i])
		}
	}
	if dropped := s.Rows - cells; dropped > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d of %d cells were left out: they have fewer than %d genes", dropped, s.Rows, o.MinGenes))
	}
	if dropped := s.Cols - int(genes); dropped > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d of %d genes were left out: they are in fewer than %d cells", dropped, s.Cols, o.MinCells))
	}
	return nil
}

// checkEmptyCells says what a fit could not: a cell without any variable gene
// belongs to no program. It is kept, with a note.
func (p *Prepared[F]) checkEmptyCells() error {
	x := p.X.(*matrix.CSR[F])
	empty := 0
	for i := range x.Rows {
		if x.RowPtr[i] == x.RowPtr[i+1] {
			empty++
		}
	}
	if empty == x.Rows {
		return fmt.Errorf("%w: no cell has any of the %d variable genes", recipe.ErrInput, x.Cols)
	}
	if empty > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d cells have none of the %d variable genes: they use no program", empty, x.Cols))
	}
	return nil
}

func rowSums[F matrix.Float](s *matrix.CSR[F]) []float64 {
	sums := make([]float64, s.Rows)
	for i := range sums {
		_, vals := s.Row(i)
		for _, v := range vals {
			sums[i] += float64(v)
		}
	}
	return sums
}

// median of numbers; the mean of the middle two where their count is even.
func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// normalised scales every row to the sum target.
func normalised[F matrix.Float](s *matrix.CSR[F], sums []float64, target float64) *matrix.CSR[F] {
	out := &matrix.CSR[F]{Rows: s.Rows, Cols: s.Cols, RowPtr: s.RowPtr, ColIdx: s.ColIdx, Val: make([]F, len(s.Val))}
	for i := range s.Rows {
		for q := s.RowPtr[i]; q < s.RowPtr[i+1]; q++ {
			out.Val[q] = F(float64(s.Val[q]) * target / sums[i])
		}
	}
	return out
}

// columns takes some columns, which rise.
func columns[F matrix.Float](s *matrix.CSR[F], which []int) *matrix.CSR[F] {
	place := make([]int32, s.Cols)
	for j := range place {
		place[j] = -1
	}
	for to, j := range which {
		place[j] = int32(to)
	}
	out := &matrix.CSR[F]{Rows: s.Rows, Cols: len(which), RowPtr: make([]int, s.Rows+1)}
	for i := range s.Rows {
		cols, vals := s.Row(i)
		for q, j := range cols {
			if place[j] >= 0 {
				out.ColIdx, out.Val = append(out.ColIdx, place[j]), append(out.Val, vals[q])
			}
		}
		out.RowPtr[i+1] = len(out.Val)
	}
	return out
}

// moments of the columns: means, and variances with n−1.
func moments[F matrix.Float](s *matrix.CSR[F]) (mean, variance []float64) {
	mean, variance = make([]float64, s.Cols), make([]float64, s.Cols)
	stored := make([]int, s.Cols)
	n := float64(s.Rows)
	for q, j := range s.ColIdx {
		mean[j] += float64(s.Val[q]) / n
		stored[j]++
	}
	for q, j := range s.ColIdx {
		d := float64(s.Val[q]) - mean[j]
		variance[j] += d * d
	}
	for j := range variance {
		zeros := n - float64(stored[j])
		variance[j] = (variance[j] + zeros*mean[j]*mean[j]) / max(1, n-1)
	}
	return mean, variance
}

// unitVariance divides every column by its standard deviation, without
// centring, and bounds the values where clip is above 0; constant columns stay in
// their units.
func unitVariance[F matrix.Float](s *matrix.CSR[F], clip float64) {
	_, variance := moments(s)
	for q, j := range s.ColIdx {
		v := float64(s.Val[q])
		if variance[j] > 0 {
			v /= math.Sqrt(variance[j])
		}
		if clip > 0 {
			v = min(v, clip)
		}
		s.Val[q] = F(v)
	}
}
