package nmf

import (
	"fmt"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

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
