package nmf

import (
	"fmt"
	"math"
	"slices"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// prepare makes x ready for passes over it, divided by a unit (see unit) and times
// the roots of the weights that are taken out, and refuses an x that cannot be
// factorized, naming the first bad cell.
func prepare[F matrix.Float](x matrix.Matrix[F], o *Options) (data *engine.Data[F], u float64, err error) {
	m, n := x.Dims()
	if m == 0 || n == 0 {
		return nil, 0, fmt.Errorf("%w: the matrix is %d x %d", ErrEmpty, m, n)
	}
	r := o.takenOut()
	if r == nil {
		data, err = scanned(x, o)
	} else {
		data, err = weighed(x, o, r)
	}
	if err != nil {
		return nil, 0, err
	}
	if u, err = unitOf(data.Largest); err != nil {
		return nil, 0, err
	}
	if u != 1 {
		data.Close()
		data = engine.NewData(scaled(x, 1/u, r), o.Threads)
	}
	return data, u, data.Failure()
}

// weighed is scanned for x times the roots r.
func weighed[F matrix.Float](x matrix.Matrix[F], o *Options, r *roots) (*engine.Data[F], error) {
	if err := checkLayout(x); err != nil {
		return nil, err
	}
	largest, err := checkedLargest(x, o)
	if err == nil {
		err = inRangeWith(largest, r)
	}
	if err != nil {
		return nil, err
	}
	data := engine.NewData(scaled(x, 1, r), o.Threads)
	return data, data.Failure()
}

// scanned makes x ready for passes over it where its cells can be factorized.
func scanned[F matrix.Float](x matrix.Matrix[F], o *Options) (*engine.Data[F], error) {
	if err := checkLayout(x); err != nil {
		return nil, err
	}
	data := engine.NewData(x, o.Threads)
	if err := data.Failure(); err != nil {
		return nil, err
	}
	if data.BadRow >= 0 {
		return nil, badCell(x, data.BadRow, o.RowNames, o.ColumnNames)
	}
	return data, nil
}

// unitOf is the unit of an X whose largest value is given, unless that is
// beyond the range of the arithmetic.
func unitOf[F matrix.Float](largest F) (float64, error) {
	return unit(largest), inRange(largest)
}

// inRange refuses an X whose largest value cannot be squared.
func inRange[F matrix.Float](largest F) error {
	if v := float64(largest); v > largestValue || v > 0 && v < 1/largestValue {
		return fmt.Errorf("%w: the largest value is %g; scale the data to between %g and %g", ErrRange, v, 1/largestValue, largestValue)
	}
	return nil
}

// checkLayout refuses a matrix that is not one.
func checkLayout[F matrix.Float](x matrix.Matrix[F]) error {
	switch x := x.(type) {
	case *matrix.Dense[F]:
		if m, n := x.Dims(); x.Stride < n || len(x.Data) < (m-1)*x.Stride+n {
			return fmt.Errorf("%w: %d values, stride %d, for a %d x %d matrix", ErrShape, len(x.Data), x.Stride, m, n)
		}
	case *matrix.CSR[F]:
		if err := x.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrShape, err)
		}
	case *matrix.Streamed[F]:
		if x.Read == nil {
			return fmt.Errorf("%w: a matrix that is read when needed has nothing to read it with", ErrShape)
		}
	case *matrix.StreamedCSR[F]:
		for _, side := range []struct {
			lines int
			b     matrix.Blocks[F]
		}{{x.Rows, x.ByRows}, {x.Cols, x.ByColumns}} {
			switch b := side.b; {
			case b.Read == nil:
				return fmt.Errorf("%w: a matrix that is read when needed has nothing to read it with", ErrShape)
			case b.Step < 1 || b.Step < side.lines && b.Step%matrix.BlockStep != 0:
				return fmt.Errorf("%w: blocks of %d of %d lines; it must be a multiple of %d", ErrShape, b.Step, side.lines, matrix.BlockStep)
			}
		}
	}
	return nil
}

// badCell describes the first bad value of a row.
func badCell[F matrix.Float](x matrix.Matrix[F], i int, rowNames, columnNames []string) error {
	e := &CellError{Row: i, Err: ErrNegative}
	switch x := x.(type) {
	case *matrix.Dense[F]:
		e.Column = firstBad(x.Row(i))
		e.Value = float64(x.At(i, e.Column))
	case *matrix.CSR[F]:
		cols, vals := x.Row(i)
		p := firstBad(vals)
		e.Column, e.Value = int(cols[p]), float64(vals[p])
	case *matrix.Streamed[F]:
		row := make([]F, x.Cols)
		if err := x.Read(i, row); err != nil {
			return err
		}
		e.Column = max(0, firstBad(row))
		e.Value = float64(row[e.Column])
	case *matrix.StreamedCSR[F]:
		var block matrix.CSR[F]
		first := i / x.ByRows.Step * x.ByRows.Step
		if err := x.ByRows.Read(first, &block); err != nil {
			return err
		}
		cols, vals := block.Row(i - first)
		if p := firstBad(vals); p >= 0 {
			e.Column, e.Value = int(cols[p]), float64(vals[p])
		}
	}
	if !isFinite(e.Value) {
		e.Err = ErrNotFinite
	}
	if rowNames != nil {
		e.RowName = rowNames[i]
	}
	if columnNames != nil {
		e.ColumnName = columnNames[e.Column]
	}
	return e
}

// firstBad is the index of the first value that is negative or not finite, or
// -1.
func firstBad[F matrix.Float](row []F) int {
	for j, v := range row {
		if !(v >= 0) || !isFinite(float64(v)) {
			return j
		}
	}
	return -1
}

// largestValue is where the square of a sum over X leaves float64.
const largestValue = 1e140

// unit is the power of four that X is divided by so that its largest value
// keeps a distance from the limits of F, where squares of sums over X overflow
// or vanish; 1 for nearly all data. Its root is a power of two, so that taking
// the unit out of the factors again is exact.
func unit[F matrix.Float](largest F) float64 {
	limit := 200.0
	if precision[F]() == "f32" {
		limit = 16
	}
	e := math.Log2(float64(largest))
	if largest == 0 || math.Abs(e) <= limit {
		return 1
	}
	return math.Ldexp(1, 2*int(math.Floor(e/2)))
}

// scaled is a copy of x times a power of two and the roots of its rows and
// columns.
func scaled[F matrix.Float](x matrix.Matrix[F], by float64, r *roots) matrix.Matrix[F] {
	var rows, cols []float64
	if r != nil {
		rows, cols = r.rows, r.cols
	}
	// What multiplies a cell is the same number whichever way it is reached.
	row := func(i int, idx []int32, vals []F) { multiply(vals, idx, by, r.row(i), cols) }
	column := func(j int, idx []int32, vals []F) { multiply(vals, idx, by, r.column(j), rows) }
	switch x := x.(type) {
	case *matrix.Dense[F]:
		d := matrix.NewDense[F](x.Rows, x.Cols)
		for i := range x.Rows {
			copy(d.Row(i), x.Row(i))
			row(i, nil, d.Row(i))
		}
		return d
	case *matrix.CSR[F]:
		s := *x
		s.Val = slices.Clone(x.Val)
		eachLine(&s, 0, row)
		return &s
	case *matrix.Streamed[F]:
		dense := func(read func(int, []F) error, n int, line func(int, []int32, []F)) func(int, []F) error {
			if read == nil {
				return nil
			}
			return func(first int, dst []F) error {
				err := read(first, dst)
				for i := range len(dst) / n {
					line(first+i, nil, dst[i*n:(i+1)*n])
				}
				return err
			}
		}
		return &matrix.Streamed[F]{Rows: x.Rows, Cols: x.Cols, Read: dense(x.Read, x.Cols, row), ReadColumns: dense(x.ReadColumns, x.Rows, column)}
	case *matrix.StreamedCSR[F]:
		blocks := func(b matrix.Blocks[F], line func(int, []int32, []F)) matrix.Blocks[F] {
			read := b.Read
			b.Read = func(first int, dst *matrix.CSR[F]) error {
				err := read(first, dst)
				if err == nil {
					eachLine(dst, first, line)
				}
				return err
			}
			return b
		}
		s := *x
		s.ByRows, s.ByColumns = blocks(x.ByRows, row), blocks(x.ByColumns, column)
		return &s
	}
	panic("nmf: unknown kind of matrix")
}

// multiply multiplies the values of a line in the columns idx, nil for all, by a
// power of two, the root of the line and those of its columns, nil for ones.
func multiply[F matrix.Float](vals []F, idx []int32, by, own float64, other []float64) {
	for q, v := range vals {
		root := own
		switch {
		case other == nil:
		case idx == nil:
			root *= other[q]
		default:
			root *= other[idx[q]]
		}
		vals[q] = F(float64(v) * root * by)
	}
}

// eachLine calls do for every row of a block that begins with row `first`.
func eachLine[F matrix.Float](x *matrix.CSR[F], first int, do func(i int, cols []int32, vals []F)) {
	for i := range x.Rows {
		cols, vals := x.Row(i)
		do(first+i, cols, vals)
	}
}
