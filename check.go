package nmf

import (
	"fmt"
	"math"
	"sync"

	"github.com/partsof/nmf/matrix"
)

// checkData refuses an X that cannot be factorized, naming the first bad cell.
func checkData[F matrix.Float](x matrix.Matrix[F], rowNames, columnNames []string, threads int) error {
	m, n := x.Dims()
	if m == 0 || n == 0 {
		return fmt.Errorf("%w: the matrix is %d x %d", ErrEmpty, m, n)
	}
	cell := func(i, j int, v F) error {
		e := &CellError{Row: i, Column: j, Value: float64(v), Err: ErrNegative}
		if !isFinite(float64(v)) {
			e.Err = ErrNotFinite
		}
		if rowNames != nil {
			e.RowName = rowNames[i]
		}
		if columnNames != nil {
			e.ColumnName = columnNames[j]
		}
		return e
	}
	var largest F
	switch x := x.(type) {
	case *matrix.Dense[F]:
		if len(x.Data) < (m-1)*x.Stride+n || x.Stride < n {
			return fmt.Errorf("%w: %d values, stride %d, for a %d x %d matrix", ErrShape, len(x.Data), x.Stride, m, n)
		}
		top, bad := scan(m, threads, x.Row)
		if bad >= 0 {
			row := x.Row(bad)
			j := firstBad(row)
			return cell(bad, j, row[j])
		}
		largest = top
	case *matrix.CSR[F]:
		if err := x.Check(); err != nil {
			return fmt.Errorf("%w: %v", ErrShape, err)
		}
		top, bad := scan(m, threads, func(i int) []F { _, v := x.Row(i); return v })
		if bad >= 0 {
			cols, vals := x.Row(bad)
			p := firstBad(vals)
			return cell(bad, int(cols[p]), vals[p])
		}
		largest = top
	}
	return checkRange(largest)
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

// scan gives the largest value and the first row with a value that is
// negative or not finite, or -1.
func scan[F matrix.Float](rows, threads int, row func(i int) []F) (largest F, bad int) {
	parts := max(1, min(threads, rows))
	tops, bads := make([]F, parts), make([]int, parts)
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() {
			bads[p] = -1
			for i := p * rows / parts; i < (p+1)*rows/parts; i++ {
				r := row(i)
				if !clean(r, &tops[p]) {
					bads[p] = i
					return
				}
			}
		})
	}
	wg.Wait()
	bad = -1
	for p := range parts {
		largest = max(largest, tops[p])
		if bad < 0 {
			bad = bads[p]
		}
	}
	return largest, bad
}

// clean reports whether all values are finite and not negative, and raises
// top to the largest.
func clean[F matrix.Float](row []F, top *F) bool {
	most := F(math.MaxFloat32)
	if precision[F]() == "f64" {
		limit := math.MaxFloat64
		most = F(limit)
	}
	t := *top
	for _, v := range row {
		if !(v >= 0 && v <= most) {
			return false
		}
		t = max(t, v)
	}
	*top = t
	return true
}

func firstBad[F matrix.Float](row []F) int {
	for j, v := range row {
		if !(v >= 0) || !isFinite(float64(v)) {
			return j
		}
	}
	return -1
}
