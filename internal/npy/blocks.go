package npy

import (
	"io"
	"iter"

	"github.com/partsof/nmf/matrix"
)

// WriteBlocks writes a matrix that comes by blocks of rows, in order.
func WriteBlocks[F matrix.Float](w io.Writer, rows, cols int, blocks iter.Seq2[int, *matrix.Dense[F]]) error {
	if err := WriteHeader(w, "<"+kindOf[F](), []int{rows, cols}); err != nil {
		return err
	}
	for _, b := range blocks {
		for i := range b.Rows {
			if err := writeElements(w, b.Row(i)); err != nil {
				return err
			}
		}
	}
	return nil
}
