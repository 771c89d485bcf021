package nmf

import (
	"fmt"
	"sync"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// eachRow calls do for every row in order, with the columns and values that it
// stores, columns being nil where that is all; it reads block by block what is
// not in memory.
func eachRow[F matrix.Float](x matrix.Matrix[F], do func(i int, cols []int32, vals []F) error) error {
	m, _ := x.Dims()
	return (&lines[F]{x: x}).each(0, m, do)
}

// lines are the rows of a matrix, of which a part may be in memory.
type lines[F matrix.Float] struct {
	x  matrix.Matrix[F]
	mu sync.Mutex
	// block holds rows from `first` on of an x that is read block by block; dense is
	// their room where that is dense.
	block matrix.CSR[F]
	dense []F
	first int
}

// each calls do for the rows from `from` on and before `to`, as eachRow does for
// all.
func (l *lines[F]) each(from, to int, do func(i int, cols []int32, vals []F) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := func(a, b int, row func(i int) ([]int32, []F)) error {
		for i := a; i < b; i++ {
			cols, vals := row(i)
			if err := do(i, cols, vals); err != nil {
				return err
			}
		}
		return nil
	}
	switch x := l.x.(type) {
	case *matrix.Dense[F]:
		return rows(from, to, func(i int) ([]int32, []F) { return nil, x.Row(i) })
	case *matrix.CSR[F]:
		return rows(from, to, func(i int) ([]int32, []F) { return x.Row(i) })
	case *matrix.Streamed[F]:
		const cells = 1 << 18
		n := x.Cols
		for a := from; a < to; {
			b := min(to, a+max(1, cells/n))
			if need := (b - a) * n; cap(l.dense) < need {
				l.dense = make([]F, need)
			}
			block := l.dense[:(b-a)*n]
			if err := x.Read(a, block); err != nil {
				return err
			}
			if err := rows(a, b, func(i int) ([]int32, []F) { return nil, block[(i-a)*n : (i-a+1)*n] }); err != nil {
				return err
			}
			a = b
		}
	case *matrix.StreamedCSR[F]:
		for a := from; a < to; {
			if a < l.first || a >= l.first+l.block.Rows {
				first := a / x.ByRows.Step * x.ByRows.Step
				l.block.Rows = 0
				if err := x.ByRows.Read(first, &l.block); err != nil {
					return err
				}
				l.first = first
			}
			b := min(to, l.first+l.block.Rows)
			if err := rows(a, b, func(i int) ([]int32, []F) { return l.block.Row(i - l.first) }); err != nil {
				return err
			}
			a = b
		}
	}
	return nil
}

// checkedLargest is the largest value of x, whose first bad cell is an error.
func checkedLargest[F matrix.Float](x matrix.Matrix[F], o *Options) (F, error) {
	largest, bad, err := largestOf(x, o.Threads)
	if err == nil && bad >= 0 {
		err = badCell(x, bad, o.RowNames, o.ColumnNames)
	}
	return largest, err
}

// largestOf is engine.Largest for any matrix.
func largestOf[F matrix.Float](x matrix.Matrix[F], workers int) (largest F, badRow int, err error) {
	if !sizeOf(x).Streamed {
		largest, badRow = engine.Largest(x, workers)
		return largest, badRow, nil
	}
	d := engine.NewData(x, max(1, workers))
	defer d.Close()
	return d.Largest, d.BadRow, d.Failure()
}

// streamed sorts the cells of an X that is read block by block.
func (s *sorter[F]) streamed(x matrix.Matrix[F], v *view[F]) error {
	if dense, ok := x.(*matrix.Streamed[F]); ok {
		if s.o.Missing == missingUnstored {
			return s.notStored()
		}
		if dense.ReadColumns == nil {
			return fmt.Errorf("%w: %s: X is read block by block, and needs to be in memory for that, for it cannot be read by columns", ErrOption, s.o.fitKind())
		}
	}
	v.x = x
	if s.o.Weights != nil || s.o.hides() {
		c := &cellStream[F]{s: s, x: x, by: 1}
		changed, err := c.lookThrough()
		if err != nil {
			return err
		}
		v.observed.Listed, v.observed.Rest = c.listed, c.rest
		if changed {
			v.cells = c
			c.view(v)
		}
		return nil
	}
	if _, sparse := x.(*matrix.StreamedCSR[F]); sparse {
		l, unstored := s.o.engineLoss(), s.o.Missing == missingUnstored
		s.dropped = unstored
		v.observed.Listed = unstored || l.RestBySums() || l.RestByGram()
		v.observed.Rest = v.observed.Listed && !unstored
	}
	return nil
}
