package nmf

import (
	"fmt"
	"slices"
	"sync"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// cellStream is an X that is read block by block, and of which single cells are
// missing or weighted. A block of its rows, or of its columns, is sorted as an X in
// memory is (see sorter), with the same lines of the weights and of the mask; what
// such a block is made of goes by all of X, which is looked through once.
type cellStream[F matrix.Float] struct {
	s *sorter[F]
	x matrix.Matrix[F]
	// listed says that the blocks list their cells, rest that the others are zeros.
	listed, rest bool
	// cellWeights, missing and weights say which of them any block has.
	cellWeights, missing, weights bool
	// stored is the number of cells that are listed, or stored; most that of a block
	// of rows.
	stored, most int
	// by multiplies the cells.
	by float64
}

// cellLines reads lines of a cellStream, rows or turned round columns.
type cellLines[F matrix.Float] struct {
	c            *cellStream[F]
	lines, cells int
	// checks refuses weights that are none.
	checks  bool
	mu      sync.Mutex
	x       blockLines[F]
	weights blockLines[F]
	mask    blockLines[F]
	// xs, ws and ms are room for them.
	xs, ws, ms lineSpace[F]
}

// lineSpace is room for lines, dense or sparse.
type lineSpace[F matrix.Float] struct {
	dense  *matrix.Dense[F]
	sparse *matrix.CSR[F]
}

func (b *lineSpace[F]) matrix() matrix.Matrix[F] {
	if b.dense != nil {
		return b.dense
	}
	return b.sparse
}

// blockLines reads lines of a matrix of any kind.
type blockLines[F matrix.Float] interface {
	// read fills b with the n lines from line `first` on.
	read(first, n int, b *lineSpace[F]) error
	isDense() bool
}

// linesAs are lines of a matrix in another precision.
type linesAs[G, F matrix.Float] struct {
	lines[G]
	dense bool
	cells int
}

// linesOf gives the lines of a matrix, rows or turned round columns; nil of nil.
func linesOf[F matrix.Float](x any, turned bool) blockLines[F] {
	switch x := x.(type) {
	case matrix.Matrix[float32]:
		return linesOfType[float32, F](x, turned)
	case matrix.Matrix[float64]:
		return linesOfType[float64, F](x, turned)
	}
	return nil
}

func linesOfType[G, F matrix.Float](x matrix.Matrix[G], turned bool) blockLines[F] {
	if turned {
		switch s := x.(type) {
		case *matrix.Streamed[G]:
			x = &matrix.Streamed[G]{Rows: s.Cols, Cols: s.Rows, Read: s.ReadColumns, ReadColumns: s.Read}
		case *matrix.StreamedCSR[G]:
			x = &matrix.StreamedCSR[G]{Rows: s.Cols, Cols: s.Rows, Stored: s.Stored, ByRows: s.ByColumns, ByColumns: s.ByRows}
		default:
			x = matrix.Transpose(x)
		}
	}
	_, cells := x.Dims()
	return &linesAs[G, F]{lines: lines[G]{x: x}, dense: isDense(x), cells: cells}
}

// isDense reports whether a matrix stores every cell.
func isDense(x any) bool {
	switch x.(type) {
	case *matrix.Dense[float32], *matrix.Dense[float64], *matrix.Streamed[float32], *matrix.Streamed[float64]:
		return true
	}
	return false
}

func (l *linesAs[G, F]) isDense() bool { return l.dense }

func (l *linesAs[G, F]) read(first, n int, b *lineSpace[F]) error {
	if l.dense {
		if b.dense == nil {
			b.dense = new(matrix.Dense[F])
		}
		d := b.dense
		d.Rows, d.Cols, d.Stride, d.Data = n, l.cells, l.cells, slices.Grow(d.Data[:0], n*l.cells)[:n*l.cells]
		return l.each(first, first+n, func(i int, _ []int32, vals []G) error {
			row := d.Row(i - first)
			for j, v := range vals {
				row[j] = F(v)
			}
			return nil
		})
	}
	if b.sparse == nil {
		b.sparse = new(matrix.CSR[F])
	}
	s := b.sparse
	s.Rows, s.Cols, s.RowPtr, s.ColIdx, s.Val = n, l.cells, append(s.RowPtr[:0], 0), s.ColIdx[:0], s.Val[:0]
	return l.each(first, first+n, func(_ int, idx []int32, vals []G) error {
		s.ColIdx = append(s.ColIdx, idx...)
		for _, v := range vals {
			s.Val = append(s.Val, F(v))
		}
		s.RowPtr = append(s.RowPtr, len(s.Val))
		return nil
	})
}

// lines reads lines of c, rows or turned round columns. Each reader keeps blocks of its
// own.
func (c *cellStream[F]) lines(turned bool) *cellLines[F] {
	o := c.s.o
	l := &cellLines[F]{c: c, lines: c.s.m, cells: c.s.n, x: linesOf[F](c.x, turned)}
	if turned {
		l.lines, l.cells = l.cells, l.lines
	}
	if o.Weights != nil {
		l.weights = linesOf[F](o.Weights, turned)
	}
	switch {
	case o.MaskOf != nil:
		l.mask = linesOf[F](o.MaskOf, turned)
	case o.Mask != nil:
		l.mask = linesOf[F](&matrix.CSR[float32]{Rows: o.Mask.Rows, Cols: o.Mask.Cols, RowPtr: o.Mask.RowPtr, ColIdx: o.Mask.ColIdx, Val: onesOf[float32](o.Mask.Len())}, turned)
	}
	return l
}

// sort reads the n lines from line `first` on and sorts their cells; the view lasts
// until the next call.
func (l *cellLines[F]) sort(first, n int) (v view[F], dropped bool, err error) {
	if !l.x.isDense() || l.weights == nil || l.weights.isDense() {
		return l.sortSome(first, n)
	}
	// What is listed of dense lines is little: few of them are in memory at a time.
	out := &matrix.CSR[F]{Rows: n, Cols: l.cells, RowPtr: make([]int, 1, n+1)}
	var weights []F
	ones := true
	for step, a := engine.ObservedStep[F](l.cells), 0; a < n; a += step {
		part, gone, err := l.sortSome(first+a, min(step, n-a))
		if err != nil {
			return v, false, err
		}
		x, base := part.x.(*matrix.CSR[F]), out.NNZ()
		for _, p := range x.RowPtr[1:] {
			out.RowPtr = append(out.RowPtr, base+p)
		}
		out.ColIdx, out.Val = append(out.ColIdx, x.ColIdx...), append(out.Val, x.Val...)
		if part.observed.CellWeights == nil {
			weights = append(weights, onesOf[F](x.NNZ())...)
		} else {
			weights, ones = append(weights, part.observed.CellWeights...), false
		}
		v, dropped = part, dropped || gone
	}
	v.x = out
	if v.observed.CellWeights = weights; ones {
		v.observed.CellWeights = nil
	}
	return v, dropped, nil
}

// onesOf gives n weights of 1.
func onesOf[F matrix.Float](n int) []F {
	w := make([]F, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

// sortSome is sort for lines that are in memory together.
func (l *cellLines[F]) sortSome(first, n int) (v view[F], dropped bool, err error) {
	o := *l.c.s.o
	o.MaskOf = nil
	s := sorter[F]{o: &o, m: n, n: l.cells, owned: true}
	if err := l.x.read(first, n, &l.xs); err != nil {
		return v, false, err
	}
	if l.weights != nil {
		if err := l.weights.read(first, n, &l.ws); err != nil {
			return v, false, err
		}
		s.weights = l.ws.matrix()
		if l.checks {
			if err := badWeights(s.weights, first); err != nil {
				return v, false, err
			}
		}
	}
	if l.mask != nil {
		if o.Mask, err = l.masked(first, n); err != nil {
			return v, false, err
		}
	}
	if x := l.xs.dense; x != nil {
		err = s.dense(x, &v)
	} else {
		err = s.sparse(l.xs.sparse, &v)
	}
	return v, s.dropped, err
}

// masked gives the lines of the mask.
func (l *cellLines[F]) masked(first, n int) (*matrix.Mask, error) {
	if err := l.mask.read(first, n, &l.ms); err != nil {
		return nil, err
	}
	return nonzeros(l.ms.matrix()), nil
}

// nonzeros are the cells of a matrix in memory that are not zero.
func nonzeros[F matrix.Float](x matrix.Matrix[F]) *matrix.Mask {
	m, n := x.Dims()
	mask := &matrix.Mask{Rows: m, Cols: n, RowPtr: make([]int, 1, m+1)}
	// What is in memory can be read.
	_ = eachRow(x, func(_ int, idx []int32, vals []F) error {
		for q, v := range vals {
			switch {
			case v == 0:
			case idx == nil:
				mask.ColIdx = append(mask.ColIdx, int32(q))
			default:
				mask.ColIdx = append(mask.ColIdx, idx[q])
			}
		}
		mask.RowPtr = append(mask.RowPtr, len(mask.ColIdx))
		return nil
	})
	return mask
}

// observed reads the lines of a window.
func (l *cellLines[F]) observed(first, n int, into *engine.ObservedLines[F]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, _, err := l.sort(first, n)
	if err != nil {
		return err
	}
	c := l.c
	// What into had is room for the next block.
	vals := []F(nil)
	switch x := v.x.(type) {
	case *matrix.Dense[F]:
		into.Dense, l.xs.dense, vals = x, into.Dense, x.Data
	case *matrix.CSR[F]:
		if x == l.xs.sparse {
			l.xs.sparse = into.Sparse
		}
		into.Sparse, vals = x, x.Val
	}
	if c.by != 1 {
		multiply(vals, nil, c.by, 1, nil)
	}
	if c.weights {
		into.Weights, l.ws.dense = l.ws.dense, into.Weights
	}
	if c.missing {
		if into.Missing = v.observed.Missing; into.Missing == nil {
			into.Missing = &matrix.Mask{Rows: n, Cols: l.cells, RowPtr: make([]int, n+1)}
		}
	}
	if c.cellWeights {
		if into.CellWeights = v.observed.CellWeights; into.CellWeights == nil {
			into.CellWeights = onesOf[F](len(vals))
		}
	}
	return nil
}

// blocks are those of the windows of one side.
func (c *cellStream[F]) blocks(turned bool) *engine.ObservedBlocks[F] {
	return &engine.ObservedBlocks[F]{Step: c.step(turned), Read: c.lines(turned).observed, CellWeights: c.cellWeights, Missing: c.missing, Weights: c.weights}
}

// step is the number of lines that are read at a time.
func (c *cellStream[F]) step(turned bool) int {
	lines, cells := c.s.m, c.s.n
	if turned {
		lines, cells = cells, lines
	}
	if x, ok := c.x.(*matrix.StreamedCSR[F]); ok {
		if turned {
			return x.ByColumns.Step
		}
		return x.ByRows.Step
	}
	step := engine.ObservedStep[F](cells)
	if c.s.sparseWeights() {
		step = max(1, step/matrix.BlockStep) * matrix.BlockStep
	}
	return min(step, max(1, lines))
}

// sparseWeights reports whether the weights store only some cells.
func (s *sorter[F]) sparseWeights() bool { return s.o.Weights != nil && !isDense(s.o.Weights) }

// lookThrough goes through all rows and finds out what c's blocks are made of; changed
// says that they are not those of X.
func (c *cellStream[F]) lookThrough() (changed bool, err error) {
	l := c.lines(false)
	l.checks = true
	step := c.step(false)
	for first := 0; first < c.s.m; first += step {
		n := min(step, c.s.m-first)
		v, dropped, err := l.sort(first, n)
		if err != nil {
			return false, err
		}
		c.s.dropped = c.s.dropped || dropped
		c.listed, c.rest = v.observed.Listed, v.observed.Rest
		c.cellWeights = c.cellWeights || v.observed.CellWeights != nil
		c.missing = c.missing || v.observed.Missing != nil
		c.weights = c.weights || v.observed.Weights != nil
		if x, sparse := v.x.(*matrix.CSR[F]); sparse {
			changed = changed || x != l.xs.sparse
			c.stored += x.NNZ()
			c.most = max(c.most, x.NNZ())
		}
	}
	return changed || c.cellWeights || c.missing || c.weights, nil
}

// inMemory makes weights and a mask that are read block by block ones in memory, as X
// is.
func (s *sorter[F]) inMemory() error {
	if s.o.MaskOf != nil {
		own := *s.o
		own.MaskOf = nil
		var b lineSpace[F]
		if err := linesOf[F](s.o.MaskOf, false).read(0, s.m, &b); err != nil {
			return err
		}
		own.Mask = nonzeros(b.matrix())
		s.o = &own
	}
	switch s.o.Weights.(type) {
	case *matrix.Streamed[float64], *matrix.Streamed[float32], *matrix.StreamedCSR[float64], *matrix.StreamedCSR[float32]:
		var b lineSpace[F]
		if err := linesOf[F](s.o.Weights, false).read(0, s.m, &b); err != nil {
			return err
		}
		s.weights = b.matrix()
		return badWeights(s.weights, 0)
	}
	s.weights = weightsOf[F](s.o.Weights)
	return nil
}

// badWeights refuses weights that are none, of the rows from `first` on.
func badWeights[F matrix.Float](w matrix.Matrix[F], first int) error {
	rows, _ := w.Dims()
	for i := range rows {
		if firstBad(stored(w, i)) >= 0 {
			err := badCell(w, i, nil, nil).(*CellError)
			err.Row += first
			return fmt.Errorf("the weights: %w", err)
		}
	}
	return nil
}

// view makes v what c's blocks say.
func (c *cellStream[F]) view(v *view[F]) {
	m, n := c.s.m, c.s.n
	ob := &v.observed
	ob.Listed, ob.Rest = c.listed, c.rest
	ob.ByRows, ob.ByColumns = c.blocks(false), c.blocks(true)
	if _, dense := c.x.(*matrix.Streamed[F]); dense && !c.s.sparseWeights() {
		read := func(turned bool) func(first int, dst []F) error {
			l := c.lines(turned)
			return func(first int, dst []F) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				v, _, err := l.sort(first, len(dst)/l.cells)
				if err == nil {
					copy(dst, v.x.(*matrix.Dense[F]).Data)
				}
				return err
			}
		}
		v.x = &matrix.Streamed[F]{Rows: m, Cols: n, Read: read(false), ReadColumns: read(true)}
		return
	}
	blocks := func(turned bool) matrix.Blocks[F] {
		l := c.lines(turned)
		step := c.step(turned)
		return matrix.Blocks[F]{Step: step, Most: c.most, Read: func(first int, dst *matrix.CSR[F]) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			v, _, err := l.sort(first, min(step, l.lines-first))
			if err != nil {
				return err
			}
			x := v.x.(*matrix.CSR[F])
			dst.Rows, dst.Cols = x.Rows, x.Cols
			dst.RowPtr, dst.ColIdx, dst.Val = append(dst.RowPtr[:0], x.RowPtr...), append(dst.ColIdx[:0], x.ColIdx...), append(dst.Val[:0], x.Val...)
			return nil
		}}
	}
	v.x = &matrix.StreamedCSR[F]{Rows: m, Cols: n, Stored: c.stored, ByRows: blocks(false), ByColumns: blocks(true)}
}

// eachView calls do for the views of all rows, in order.
func (c *cellStream[F]) eachView(do func(first int, v *view[F]) error) error {
	l, step := c.lines(false), c.step(false)
	for first := 0; first < c.s.m; first += step {
		v, _, err := l.sort(first, min(step, c.s.m-first))
		if err == nil {
			err = do(first, &v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
