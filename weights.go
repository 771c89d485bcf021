package nmf

// Weights are weights of cells: a *matrix.Dense or a *matrix.CSR, of float32 or
// float64.
type Weights interface {
	Dims() (rows, cols int)
}
