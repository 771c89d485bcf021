package matrix

import "gonum.org/v1/gonum/mat"

// FromGonum copies a gonum matrix.
func FromGonum[F Float](a mat.Matrix) *Dense[F] {
	r, c := a.Dims()
	d := NewDense[F](r, c)
	for i := range r {
		row := d.Row(i)
		for j := range row {
			row[j] = F(a.At(i, j))
		}
	}
	return d
}

// Gonum gives the matrix as a gonum *mat.Dense, sharing the memory of a
// float64 matrix and copying a float32 one. gonum has no empty matrices: the
// shape must not be zero.
func (d *Dense[F]) Gonum() *mat.Dense {
	if data, ok := any(d.Data).([]float64); ok && d.Stride == d.Cols {
		return mat.NewDense(d.Rows, d.Cols, data[:d.Rows*d.Cols])
	}
	g := mat.NewDense(d.Rows, d.Cols, nil)
	for i := range d.Rows {
		for j, v := range d.Row(i) {
			g.Set(i, j, float64(v))
		}
	}
	return g
}
