package npy

import (
	"bytes"
	"testing"

	"github.com/partsof/nmf/matrix"
)

func TestWriteBlocks(t *testing.T) {
	whole := matrix.NewDense[float32](7, 3)
	for i := range whole.Data {
		whole.Data[i] = float32(i)
	}
	blocks := func(yield func(int, *matrix.Dense[float32]) bool) {
		for first := 0; first < 7; first += 3 {
			rows := min(3, 7-first)
			if !yield(first, &matrix.Dense[float32]{Rows: rows, Cols: 3, Stride: 3, Data: whole.Data[3*first:]}) {
				return
			}
		}
	}
	var got, want bytes.Buffer
	if err := WriteBlocks(&got, 7, 3, blocks); err != nil {
		t.Fatal(err)
	}
	if err := WriteDense(&want, whole); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Error("by blocks the file has other bytes")
	}
}
