package nmf

import (
	"fmt"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// prepare makes x ready for passes over it, and refuses an x that cannot be
// factorized, naming the first bad cell.
func prepare[F matrix.Float](x matrix.Matrix[F], rowNames, columnNames []string, threads int) (*engine.Data[F], error) {
	m, n := x.Dims()
	if m == 0 || n == 0 {
		return nil, fmt.Errorf("%w: the matrix is %d x %d", ErrEmpty, m, n)
	}
	switch x := x.(type) {
	case *matrix.Dense[F]:
		if x.Stride < n || len(x.Data) < (m-1)*x.Stride+n {
			return nil, fmt.Errorf("%w: %d values, stride %d, for a %d x %d matrix", ErrShape, len(x.Data), x.Stride, m, n)
		}
	case *matrix.CSR[F]:
		if err := x.Check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrShape, err)
		}
	}
	data := engine.NewData(x, threads)
	if data.BadRow >= 0 {
		return nil, badCell(x, data.BadRow, rowNames, columnNames)
	}
	return data, checkRange(data.Largest)
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

// checkRange refuses data whose products and their sums would overflow or
// vanish in F.
func checkRange[F matrix.Float](largest F) error {
	least, most := 1e-120, 1e120
	if precision[F]() == "f32" {
		least, most = 1e-14, 1e14
	}
	if v := float64(largest); v > most || v > 0 && v < least {
		return fmt.Errorf("%w: the largest value is %g; scale the data to between %g and %g", ErrRange, v, least, most)
	}
	return nil
}
