package matrix

// Streamed is a dense matrix whose rows are read when they are needed, block by
// block and again in every pass over it: one that does not fit in memory.
type Streamed[F Float] struct {
	Rows, Cols int
	// Read fills dst, whole rows, with those from row `first` on. It may be
	// called by two goroutines at a time, and must give the same numbers each
	// time.
	Read func(first int, dst []F) error
}

// Dims gives the number of rows and columns.
func (s *Streamed[F]) Dims() (rows, cols int) { return s.Rows, s.Cols }

func (*Streamed[F]) sealed(F) {}
