package nmf

import (
	"fmt"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/lines"
	"github.com/partsof/nmf/matrix"
)

const (
	missingError    = "error"
	missingNaN      = "nan"
	missingZero     = "zero"
	missingUnstored = "unstored"
)

// checkWeights refuses weights and masks that are none.
func (o *Options) checkWeights(m, n int) error {
	if o.MaskOf != nil {
		if o.Mask != nil {
			return fmt.Errorf("%w: Mask and MaskOf are given; give one", ErrOption)
		}
		if err := checkShape("mask", o.MaskOf, m, n); err != nil {
			return err
		}
	}
	if o.Mask != nil {
		if o.Mask.Rows != m || o.Mask.Cols != n {
			return fmt.Errorf("%w: the mask is of a %d x %d matrix; it must be %d x %d", ErrShape, o.Mask.Rows, o.Mask.Cols, m, n)
		}
		if err := o.Mask.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrShape, err)
		}
	}
	for _, v := range []struct {
		name    string
		weights []float64
		want    int
	}{{"row", o.RowWeights, m}, {"column", o.ColumnWeights, n}} {
		if v.weights == nil {
			continue
		}
		if len(v.weights) != v.want {
			return fmt.Errorf("%w: %d %s weights for %d %ss", ErrShape, len(v.weights), v.name, v.want, v.name)
		}
		for i, w := range v.weights {
			if !(w >= 0) || !isFinite(w) {
				return fmt.Errorf("%w: the weight of %s %d is %v; it must be at least 0 and finite", ErrOption, v.name, i+1, w)
			}
		}
	}
	switch w := o.Weights.(type) {
	case nil:
		return nil
	case *matrix.Dense[float64]:
		return checkCellWeights(w, m, n)
	case *matrix.Dense[float32]:
		return checkCellWeights(w, m, n)
	case *matrix.CSR[float64]:
		return checkCellWeights(w, m, n)
	case *matrix.CSR[float32]:
		return checkCellWeights(w, m, n)
	case *matrix.Streamed[float64], *matrix.Streamed[float32], *matrix.StreamedCSR[float64], *matrix.StreamedCSR[float32]:
		// They are looked through with X.
		return checkShape("weights", w, m, n)
	default:
		return fmt.Errorf("%w: weights are a %T; they must be a matrix of this module's", ErrOption, w)
	}
}

func checkCellWeights[F matrix.Float](w matrix.Matrix[F], m, n int) error {
	if err := checkShape("weights", w, m, n); err != nil {
		return err
	}
	if err := checkLayout(w); err != nil {
		return fmt.Errorf("the weights: %w", err)
	}
	return badWeights(w, 0)
}

// checkShape refuses a matrix of another shape than X's.
func checkShape(what string, w Weights, m, n int) error {
	if r, c := w.Dims(); r != m || c != n {
		return fmt.Errorf("%w: the %s are %d x %d; they must be %d x %d", ErrShape, what, r, c, m, n)
	}
	return nil
}

// stored gives the values of a row that are stored.
func stored[F matrix.Float](x matrix.Matrix[F], i int) []F {
	switch x := x.(type) {
	case *matrix.Dense[F]:
		return x.Row(i)
	case *matrix.CSR[F]:
		_, vals := x.Row(i)
		return vals
	}
	panic("nmf: unknown kind of matrix")
}

// view is X with its missing cells and weights sorted out.
type view[F matrix.Float] struct {
	// x has zeros where cells are missing, and was divided by unit.
	x        matrix.Matrix[F]
	observed engine.Observed[F]
	unit     float64
	// largest is the largest cell of X itself.
	largest F
	// complete says that no cell is missing or has a weight of its own, whole that
	// every cell counts once.
	complete, whole bool
	// cells is an X whose cells are sorted block by block; nil for others.
	cells *cellStream[F]
}

// plainly gives options that are plain, where those of x turn out to be: with the
// Frobenius loss and without cells that are missing or weighted one by one. The
// bits are then those of a fit that was not told of any.
func (v *view[F]) plainly(o *Options) (Options, bool) {
	p := *o
	p.Missing, p.Mask, p.MaskOf, p.Weights = "", nil, nil, nil
	if v.whole {
		p.RowWeights, p.ColumnWeights = nil, nil
	}
	return p, v.complete && p.plain()
}

// mean is the mean of x over all cells that are stored, for a scale.
func (v *view[F]) mean() float64 {
	sum, count := 0.0, 0
	// A failure to read shows again when the cells are prepared.
	_ = lines.Each(v.x, func(_ int, _ []int32, vals []F) error {
		for _, x := range vals {
			if x > 0 {
				sum += float64(x)
				count++
			}
		}
		return nil
	})
	return sum / float64(max(1, count))
}

// observe sorts out which cells of x count, and refuses those that count and
// cannot be fitted.
//
// Over ranks it is collective, and an error of one rank is one of all.
func observe[F matrix.Float](over *ranks[F], x matrix.Matrix[F], o *Options) (*view[F], error) {
	m, n := x.Dims()
	if over == nil && (m == 0 || n == 0) {
		return nil, fmt.Errorf("%w: the matrix is %d x %d", ErrEmpty, m, n)
	}
	if err := over.outcome(checkLayout(x)); err != nil {
		return nil, err
	}
	s := &sorter[F]{over: over, o: o, m: m, n: n}
	if !sizeOf(x).Streamed {
		if err := over.outcome(s.inMemory()); err != nil {
			return nil, err
		}
	}
	v := &view[F]{unit: 1}
	v.observed.RowWeights, v.observed.ColumnWeights = rankOne[F](o.RowWeights), rankOne[F](o.ColumnWeights)
	var err error
	switch x := x.(type) {
	case *matrix.Dense[F]:
		err = s.dense(x, v)
	case *matrix.CSR[F]:
		err = s.sparse(x, v)
	default:
		err = s.streamed(x, v)
	}
	if err != nil {
		return nil, err
	}
	return v, s.finish(v)
}

// finish checks what counts, and finds the unit.
func (s *sorter[F]) finish(v *view[F]) error {
	ob := &v.observed
	v.complete = !s.dropped && ob.ByRows == nil && ob.CellWeights == nil && ob.Weights == nil && ob.Missing == nil
	v.whole = v.complete && ob.RowWeights == nil && ob.ColumnWeights == nil
	largest, err := checkedLargest(v.x, s.o)
	if err == nil && s.o.engineLoss().NeedsPositive() {
		err = s.refuseZeros(v)
	}
	if largest, err = s.over.largest(largest, err); err != nil {
		return err
	}
	if err := inRange(largest); err != nil {
		return err
	}
	v.largest = largest
	if v.unit = unit(largest); v.unit != 1 {
		v.x = scaled(v.x, 1/v.unit, nil)
		if v.cells != nil {
			v.cells.by = 1 / v.unit
		}
	}
	return nil
}

// refuseZeros names the first cell that counts and is zero.
func (s *sorter[F]) refuseZeros(v *view[F]) error {
	if v.cells != nil {
		return v.cells.eachView(s.refuseZerosOf)
	}
	return s.refuseZerosOf(0, v)
}

// refuseZerosOf is refuseZeros for the rows from `first` on.
func (s *sorter[F]) refuseZerosOf(first int, v *view[F]) error {
	refuse := func(i, j int) error {
		i += first
		e := &CellError{Row: i, Column: j, Err: ErrZero}
		if s.o.RowNames != nil {
			e.RowName = s.o.RowNames[i]
		}
		if s.o.ColumnNames != nil {
			e.ColumnName = s.o.ColumnNames[j]
		}
		return e
	}
	return lines.Each(v.x, func(i int, cols []int32, vals []F) error {
		if cols == nil && len(vals) == s.n {
			for j, c := range vals {
				if c == 0 && !(v.observed.Missing != nil && v.observed.Missing.Has(i, j)) &&
					!(v.observed.Weights != nil && v.observed.Weights.At(i, j) == 0) {
					return refuse(i, j)
				}
			}
			return nil
		}
		next := 0
		for q, c := range vals {
			if c == 0 {
				return refuse(i, int(cols[q]))
			}
			if !v.observed.Listed && int(cols[q]) == next {
				next++
			}
		}
		if !v.observed.Listed && next < s.n && !(v.observed.Missing != nil && v.observed.Missing.Has(i, next)) {
			return refuse(i, next)
		}
		return nil
	})
}

// sorter sorts the cells of one X.
type sorter[F matrix.Float] struct {
	over *ranks[F]
	o    *Options
	m, n int
	// weights is nil or holds those of the cells.
	weights matrix.Matrix[F]
	// dropped says that a cell is missing.
	dropped bool
	// owned says that X may be changed.
	owned bool
}

// isMissing reports whether a cell that holds v does not count, leaving
// weights aside.
func (s *sorter[F]) isMissing(i, j int, v F) bool {
	switch {
	case s.o.Missing == missingNaN && v != v, s.o.Missing == missingZero && v == 0:
		return true
	}
	return s.o.Mask != nil && s.o.Mask.Has(i, j)
}

// notStored refuses missing "unstored" for a dense X.
func (s *sorter[F]) notStored() error {
	return fmt.Errorf("%w: missing is %q, and X is dense: it stores every cell; take %q or %q", ErrOption, missingUnstored, missingNaN, missingZero)
}

// dense sorts the cells of a dense X.
func (s *sorter[F]) dense(x *matrix.Dense[F], v *view[F]) error {
	if s.o.Missing == missingUnstored {
		return s.notStored()
	}
	if w, ok := s.weights.(*matrix.CSR[F]); ok {
		// Cells without a weight are missing.
		return s.list(w, v, func(i, j int) (F, bool) { return x.At(i, j), true })
	}
	weights, _ := s.weights.(*matrix.Dense[F])
	if weights != nil && allOnes(weights) {
		weights = nil
	}
	v.x, v.observed.Weights = x, weights
	if weights == nil && s.o.Mask == nil && (s.o.Missing == "" || s.o.Missing == missingError) {
		return nil
	}
	hidden := &matrix.Mask{Rows: s.m, Cols: s.n, RowPtr: make([]int, 1, s.m+1)}
	nan, zero := s.o.Missing == missingNaN, s.o.Missing == missingZero
	clean := x
	for i := range s.m {
		var masked []int32
		if s.o.Mask != nil {
			masked = s.o.Mask.Row(i)
		}
		for j, c := range x.Row(i) {
			missing := nan && c != c || zero && c == 0
			if len(masked) > 0 && int(masked[0]) == j {
				missing, masked = true, masked[1:]
			}
			if missing {
				hidden.ColIdx = append(hidden.ColIdx, int32(j))
			}
			if c != 0 && (missing || weights != nil && weights.At(i, j) == 0) {
				if clean == x && !s.owned {
					clean = x.Clone()
				}
				clean.Set(i, j, 0)
			}
		}
		hidden.RowPtr = append(hidden.RowPtr, len(hidden.ColIdx))
	}
	v.x = clean
	if hidden.Len() > 0 {
		v.observed.Missing, s.dropped = hidden, true
	}
	return nil
}

func allOnes[F matrix.Float](w *matrix.Dense[F]) bool {
	for i := range w.Rows {
		for _, v := range w.Row(i) {
			if v != 1 {
				return false
			}
		}
	}
	return true
}

// sparse sorts the cells of a sparse X.
func (s *sorter[F]) sparse(x *matrix.CSR[F], v *view[F]) error {
	unstored := s.o.unstored()
	if w, ok := s.weights.(*matrix.CSR[F]); ok && !unstored {
		return s.list(w, v, func(i, j int) (F, bool) { return cellOf(x, i, j) })
	}
	if s.o.listed() {
		if _, dense := s.weights.(*matrix.Dense[F]); !dense || unstored {
			return s.stored(x, v, unstored)
		}
	}
	// Panels: every cell is visited.
	keep := s.stripped(x)
	v.x = keep
	if w, ok := s.weights.(*matrix.Dense[F]); ok && !allOnes(w) {
		v.observed.Weights = w
	}
	var rows, cols []int32
	for i := range s.m {
		idx, vals := x.Row(i)
		for q, j := range idx {
			if vals[q] != vals[q] && s.o.Missing == missingNaN {
				rows, cols = append(rows, int32(i)), append(cols, j)
			}
		}
		if s.o.Mask != nil {
			for _, j := range s.o.Mask.Row(i) {
				rows, cols = append(rows, int32(i)), append(cols, j)
			}
		}
	}
	if len(rows) > 0 {
		mask, err := matrix.NewMask(s.m, s.n, rows, cols)
		if err != nil {
			return err
		}
		v.observed.Missing, s.dropped = mask, true
	}
	return nil
}

// stripped is x without its missing cells.
func (s *sorter[F]) stripped(x *matrix.CSR[F]) *matrix.CSR[F] {
	any := false
	for i := 0; s.o.hides() && i < s.m; i++ {
		idx, vals := x.Row(i)
		for q, j := range idx {
			any = any || s.isMissing(i, int(j), vals[q])
		}
	}
	if !any {
		return x
	}
	out := &matrix.CSR[F]{Rows: s.m, Cols: s.n, RowPtr: make([]int, s.m+1)}
	for i := range s.m {
		idx, vals := x.Row(i)
		for q, j := range idx {
			if !s.isMissing(i, int(j), vals[q]) {
				out.ColIdx, out.Val = append(out.ColIdx, j), append(out.Val, vals[q])
			}
		}
		out.RowPtr[i+1] = len(out.Val)
	}
	return out
}

// stored lists the cells that a sparse X stores. The others are missing, or
// zeros that count: missing cells among them are listed with a weight of 0.
func (s *sorter[F]) stored(x *matrix.CSR[F], v *view[F], unstored bool) error {
	v.observed.Listed, v.observed.Rest = true, !unstored
	if unstored {
		s.dropped = true
	}
	any := s.weights != nil
	for i := 0; s.o.hides() && i < s.m && !any; i++ {
		idx, vals := x.Row(i)
		for q, j := range idx {
			any = any || s.isMissing(i, int(j), vals[q])
		}
		any = any || s.o.Mask != nil && len(s.o.Mask.Row(i)) > 0
	}
	if !any {
		v.x = x
		return nil
	}
	out := &matrix.CSR[F]{Rows: s.m, Cols: s.n, RowPtr: make([]int, s.m+1)}
	var weights []F
	add := func(j int32, c, w F) {
		out.ColIdx, out.Val, weights = append(out.ColIdx, j), append(out.Val, c), append(weights, w)
	}
	for i := range s.m {
		idx, vals := x.Row(i)
		var masked []int32
		if s.o.Mask != nil {
			masked = s.o.Mask.Row(i)
		}
		for q, p := 0, 0; q < len(idx) || p < len(masked); {
			if q == len(idx) || p < len(masked) && masked[p] < idx[q] {
				s.dropped = true
				if !unstored {
					add(masked[p], 0, 0)
				}
				p++
				continue
			}
			j, c := idx[q], vals[q]
			hidden := p < len(masked) && masked[p] == j
			if hidden {
				p++
			}
			q++
			w := F(1)
			if s.weights != nil {
				w, _ = weightAt(s.weights, i, int(j))
			}
			switch {
			case hidden || w == 0 || s.isMissing(i, int(j), c):
				s.dropped = true
				if !unstored {
					add(j, 0, 0)
				}
			default:
				add(j, c, w)
			}
		}
		out.RowPtr[i+1] = len(out.Val)
	}
	v.x = out
	for _, w := range weights {
		if w != 1 {
			v.observed.CellWeights = weights
			break
		}
	}
	return nil
}

// list lists the cells that sparse weights store; all others are missing.
func (s *sorter[F]) list(w *matrix.CSR[F], v *view[F], at func(i, j int) (F, bool)) error {
	out := &matrix.CSR[F]{Rows: s.m, Cols: s.n, RowPtr: make([]int, s.m+1)}
	var weights []F
	ones := true
	for i := range s.m {
		idx, vals := w.Row(i)
		for q, j := range idx {
			c, _ := at(i, int(j))
			if vals[q] == 0 || s.isMissing(i, int(j), c) {
				continue
			}
			out.ColIdx, out.Val, weights = append(out.ColIdx, j), append(out.Val, c), append(weights, vals[q])
			ones = ones && vals[q] == 1
		}
		out.RowPtr[i+1] = len(out.Val)
	}
	s.dropped = true
	v.x, v.observed.Listed = out, true
	if !ones {
		v.observed.CellWeights = weights
	}
	return nil
}

// cellOf is a cell of a sparse matrix, and whether it is stored.
func cellOf[F matrix.Float](x *matrix.CSR[F], i, j int) (F, bool) {
	idx, vals := x.Row(i)
	a, b := 0, len(idx)
	for a < b {
		mid := (a + b) / 2
		if int(idx[mid]) < j {
			a = mid + 1
		} else {
			b = mid
		}
	}
	if a < len(idx) && int(idx[a]) == j {
		return vals[a], true
	}
	return 0, false
}

func weightAt[F matrix.Float](w matrix.Matrix[F], i, j int) (F, bool) {
	switch w := w.(type) {
	case *matrix.Dense[F]:
		return w.At(i, j), true
	case *matrix.CSR[F]:
		return cellOf(w, i, j)
	}
	panic("nmf: unknown kind of matrix")
}

// weightsOf gives weights in the precision of a fit.
func weightsOf[F matrix.Float](w Weights) matrix.Matrix[F] {
	switch w := w.(type) {
	case *matrix.Dense[float64]:
		return as[F](w)
	case *matrix.Dense[float32]:
		return as[F](w)
	case *matrix.CSR[float64]:
		return as[F](w)
	case *matrix.CSR[float32]:
		return as[F](w)
	}
	return nil
}

// as gives x in another precision, x itself where it has that.
func as[G, F matrix.Float](x matrix.Matrix[F]) matrix.Matrix[G] {
	if same, ok := any(x).(matrix.Matrix[G]); ok {
		return same
	}
	return matrix.Convert[G](x)
}

// rankOne gives weights of rows or columns in the precision of a fit; nil
// where all are 1.
func rankOne[F matrix.Float](w []float64) []F {
	ones := true
	out := make([]F, len(w))
	for i, v := range w {
		out[i] = F(v)
		ones = ones && v == 1
	}
	if ones {
		return nil
	}
	return out
}
