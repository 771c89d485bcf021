package report

import "github.com/partsof/nmf/matrix"

// Matrix is the input of a factorization, read row by row. The rows may be
// read by several goroutines at once.
type Matrix interface {
	// Dims gives the number of rows (samples) and columns (features).
	Dims() (rows, cols int)
	// Row gives row i: all of its values and nil columns, or the values of the
	// columns given, rising, where the rest is zero. NaN is a missing cell. It
	// may use buf's memory, and what it gives is not changed.
	Row(i int, buf *RowBuffer) (cols []int32, vals []float64)
}

// RowBuffer is memory that Row uses again.
type RowBuffer struct{ vals []float64 }

// FromMatrix makes a matrix readable here. It gives nil for one that is read
// block by block: a report would read it several times, out of order.
func FromMatrix[F matrix.Float](x matrix.Matrix[F]) Matrix {
	switch x.(type) {
	case nil, *matrix.Streamed[F], *matrix.StreamedCSR[F]:
		return nil
	}
	return rows[F]{x}
}

type rows[F matrix.Float] struct{ x matrix.Matrix[F] }

func (r rows[F]) Dims() (rows, cols int) { return r.x.Dims() }

func (r rows[F]) Row(i int, buf *RowBuffer) (cols []int32, vals []float64) {
	var row []F
	switch x := r.x.(type) {
	case *matrix.Dense[F]:
		row = x.Row(i)
	case *matrix.CSR[F]:
		cols, row = x.Row(i)
		if cols == nil {
			cols = []int32{}
		}
	}
	buf.vals = buf.vals[:0]
	for _, v := range row {
		buf.vals = append(buf.vals, float64(v))
	}
	return cols, buf.vals
}
