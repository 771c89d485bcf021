package nmf

// Weights are weights of cells: a *matrix.Dense or a *matrix.CSR, or beside an X that
// is read block by block a *matrix.Streamed or a *matrix.StreamedCSR, of float32 or
// float64.
type Weights interface {
	Dims() (rows, cols int)
}
