package nmf

import (
	"fmt"
	"sync"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/lines"
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
	x       lines.Reader[F]
	weights lines.Reader[F]
	mask    lines.Reader[F]
	// xs and ws are room for them.
	xs, ws lines.Space[F]
}

// lines reads lines of c, rows or turned round columns. Each reader keeps blocks of its
// own.
func (c *cellStream[F]) lines(turned bool) *cellLines[F] {
	o := c.s.o
	l := &cellLines[F]{c: c, lines: c.s.m, cells: c.s.n, x: lines.NewReader[F](c.x, turned)}
	if turned {
		l.lines, l.cells = l.cells, l.lines
	}
	if o.Weights != nil {
		l.weights = lines.NewReader[F](o.Weights, turned)
	}
	switch {
	case o.MaskOf != nil:
		l.mask = lines.NewReader[F](o.MaskOf, turned)
	case o.Mask != nil:
		l.mask = lines.NewReader[F](lines.OfMask(o.Mask), turned)
	}
	return l
}

// sort reads the n lines from line `first` on and sorts their cells; the view lasts
// until the next call.
func (l *cellLines[F]) sort(first, n int) (v view[F], dropped bool, err error) {
	if !l.x.IsDense() || l.weights == nil || l.weights.IsDense() {
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
			weights = append(weights, lines.Ones[F](x.NNZ())...)
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

// sortSome is sort for lines that are in memory together.
func (l *cellLines[F]) sortSome(first, n int) (v view[F], dropped bool, err error) {
	o := *l.c.s.o
	o.MaskOf = nil
	s := sorter[F]{o: &o, m: n, n: l.cells, owned: true}
	x, err := l.x.Read(first, n, &l.xs)
	if err != nil {
		return v, false, err
	}
	if l.weights != nil {
		if s.weights, err = l.weights.Read(first, n, &l.ws); err != nil {
			return v, false, err
		}
		if l.checks {
			if err := badWeights(s.weights, first); err != nil {
				return v, false, err
			}
		}
	}
	if l.mask != nil {
		if o.Mask, err = l.mask.Nonzeros(first, n); err != nil {
			return v, false, err
		}
	}
	switch x := x.(type) {
	case *matrix.Dense[F]:
		err = s.dense(x, &v)
	case *matrix.CSR[F]:
		err = s.sparse(x, &v)
	}
	return v, s.dropped, err
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
		into.Dense, l.xs.Dense, vals = x, into.Dense, x.Data
	case *matrix.CSR[F]:
		if x == l.xs.Sparse {
			l.xs.Sparse = into.Sparse
		}
		into.Sparse, vals = x, x.Val
	}
	if c.by != 1 {
		multiply(vals, nil, c.by, 1, nil)
	}
	if c.weights {
		into.Weights, l.ws.Dense = l.ws.Dense, into.Weights
	}
	if c.missing {
		if into.Missing = v.observed.Missing; into.Missing == nil {
			into.Missing = &matrix.Mask{Rows: n, Cols: l.cells, RowPtr: make([]int, n+1)}
		}
	}
	if c.cellWeights {
		if into.CellWeights = v.observed.CellWeights; into.CellWeights == nil {
			into.CellWeights = lines.Ones[F](len(vals))
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
func (s *sorter[F]) sparseWeights() bool { return s.o.Weights != nil && !lines.IsDense(s.o.Weights) }

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
			changed = changed || x != l.xs.Sparse
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
		var err error
		if own.Mask, err = lines.NewReader[F](s.o.MaskOf, false).Nonzeros(0, s.m); err != nil {
			return err
		}
		s.o = &own
	}
	switch s.o.Weights.(type) {
	case *matrix.Streamed[float64], *matrix.Streamed[float32], *matrix.StreamedCSR[float64], *matrix.StreamedCSR[float32]:
		var err error
		if s.weights, err = lines.NewReader[F](s.o.Weights, false).Read(0, s.m, new(lines.Space[F])); err != nil {
			return err
		}
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
