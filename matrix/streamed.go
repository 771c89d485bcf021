package matrix

// Streamed is a dense matrix whose rows are read when they are needed, block by
// block and again in every pass over it: one that does not fit in memory.
type Streamed[F Float] struct {
	Rows, Cols int
	// Read fills dst, whole rows, with those from row `first` on. It may be
	// called by several goroutines at a time, and must give the same numbers each
	// time.
	Read func(first int, dst []F) error
	// ReadColumns does the same for columns, one after the other. Only losses
	// other than the plain Frobenius loss need it; nil where it is not there.
	ReadColumns func(first int, dst []F) error
}

// Dims gives the number of rows and columns.
func (s *Streamed[F]) Dims() (rows, cols int) { return s.Rows, s.Cols }

func (*Streamed[F]) sealed(F) {}

// StreamedCSR is a sparse matrix that is read when it is needed, block by block
// and again in every pass over it. It is there twice, by rows and by columns.
type StreamedCSR[F Float] struct {
	Rows, Cols int
	// Stored is the number of stored cells.
	Stored int
	// ByRows reads blocks of rows, ByColumns blocks of columns: the rows of the
	// transposed matrix.
	ByRows, ByColumns Blocks[F]
}

// Blocks reads a sparse matrix block by block.
type Blocks[F Float] struct {
	// Step is the number of rows in each block but the last: a multiple of
	// BlockStep, or all rows.
	Step int
	// Most is the largest number of stored cells in a block.
	Most int
	// Read sets dst to the block that begins with row `first`, a multiple of
	// Step, in the memory that dst has, where that is enough. It may be called by
	// several goroutines at a time, and must give the same numbers each time.
	Read func(first int, dst *CSR[F]) error
}

// BlockStep is what the rows of a block of a streamed sparse matrix are a
// multiple of: whole tiles of the engine's.
const BlockStep = 128

// Dims gives the number of rows and columns.
func (s *StreamedCSR[F]) Dims() (rows, cols int) { return s.Rows, s.Cols }

func (*StreamedCSR[F]) sealed(F) {}

// StreamCSR gives a matrix in memory as one that is read block by block, with
// `step` rows or columns in each.
func StreamCSR[F Float](x *CSR[F], step int) *StreamedCSR[F] {
	return &StreamedCSR[F]{Rows: x.Rows, Cols: x.Cols, Stored: x.NNZ(), ByRows: blocksOf(x, step), ByColumns: blocksOf(x.T(), step)}
}

func blocksOf[F Float](x *CSR[F], step int) Blocks[F] {
	b := Blocks[F]{Step: min(step, max(1, x.Rows))}
	for i := 0; i < x.Rows; i += b.Step {
		b.Most = max(b.Most, x.RowPtr[min(i+b.Step, x.Rows)]-x.RowPtr[i])
	}
	b.Read = func(first int, dst *CSR[F]) error {
		last := min(first+b.Step, x.Rows)
		from, to := x.RowPtr[first], x.RowPtr[last]
		dst.Rows, dst.Cols, dst.RowPtr = last-first, x.Cols, dst.RowPtr[:0]
		for _, p := range x.RowPtr[first : last+1] {
			dst.RowPtr = append(dst.RowPtr, p-from)
		}
		dst.ColIdx, dst.Val = append(dst.ColIdx[:0], x.ColIdx[from:to]...), append(dst.Val[:0], x.Val[from:to]...)
		return nil
	}
	return b
}
