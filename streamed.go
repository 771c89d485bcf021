package nmf

import (
	"fmt"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// eachRow calls do for every row in order, with the columns and values that it
// stores, columns being nil where that is all; it reads block by block what is
// not in memory.
func eachRow[F matrix.Float](x matrix.Matrix[F], do func(i int, cols []int32, vals []F) error) error {
	m, n := x.Dims()
	rows := func(first, count int, row func(i int) ([]int32, []F)) error {
		for i := range count {
			cols, vals := row(i)
			if err := do(first+i, cols, vals); err != nil {
				return err
			}
		}
		return nil
	}
	switch x := x.(type) {
	case *matrix.Dense[F]:
		return rows(0, m, func(i int) ([]int32, []F) { return nil, x.Row(i) })
	case *matrix.CSR[F]:
		return rows(0, m, func(i int) ([]int32, []F) { return x.Row(i) })
	case *matrix.Streamed[F]:
		const cells = 1 << 20
		step := max(1, cells/n)
		block := make([]F, min(step, m)*n)
		for first := 0; first < m; first += step {
			count := min(step, m-first)
			if err := x.Read(first, block[:count*n]); err != nil {
				return err
			}
			if err := rows(first, count, func(i int) ([]int32, []F) { return nil, block[i*n : (i+1)*n] }); err != nil {
				return err
			}
		}
	case *matrix.StreamedCSR[F]:
		var block matrix.CSR[F]
		for first := 0; first < m; first += x.ByRows.Step {
			if err := x.ByRows.Read(first, &block); err != nil {
				return err
			}
			if err := rows(first, block.Rows, func(i int) ([]int32, []F) { return block.Row(i) }); err != nil {
				return err
			}
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

// streamed sorts the cells of an X that is read block by block: all of them
// count, but for those that a sparse one does not store where they are missing.
func (s *sorter[F]) streamed(x matrix.Matrix[F], v *view[F]) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: X is read block by block, and needs to be in memory for that", ErrOption, fmt.Sprintf(format, args...))
	}
	switch {
	case s.o.Weights != nil:
		return refuse("weights of cells")
	case s.o.Mask != nil:
		return refuse("a mask")
	case s.o.Missing == missingNaN || s.o.Missing == missingZero:
		return refuse("missing is %q", s.o.Missing)
	}
	v.x = x
	switch x := x.(type) {
	case *matrix.Streamed[F]:
		if s.o.Missing == missingUnstored {
			return s.notStored()
		}
		if x.ReadColumns == nil {
			return refuse("%s, for this X cannot be read by columns", s.o.fitKind())
		}
	case *matrix.StreamedCSR[F]:
		l, unstored := s.o.engineLoss(), s.o.Missing == missingUnstored
		s.dropped = unstored
		v.observed.Listed = unstored || l.RestBySums() || l.RestByGram()
		v.observed.Rest = v.observed.Listed && !unstored
	}
	return nil
}
