package lines

import (
	"errors"
	"fmt"
	"testing"

	"github.com/partsof/nmf/matrix"
)

// kinds are one matrix of float64 in every kind, in blocks where it is read by them.
func kinds(x *matrix.Dense[float64]) map[string]any {
	from := func(d *matrix.Dense[float64]) func(first int, dst []float64) error {
		return func(first int, dst []float64) error {
			copy(dst, d.Data[first*d.Cols:])
			return nil
		}
	}
	return map[string]any{
		"dense":           x,
		"sparse":          x.Sparse(),
		"streamed":        &matrix.Streamed[float64]{Rows: x.Rows, Cols: x.Cols, Read: from(x), ReadColumns: from(x.T())},
		"streamed sparse": matrix.StreamCSR(x.Sparse(), matrix.BlockStep),
	}
}

// TestReader: lines of every kind of matrix are those of the one in memory, in any
// order, as rows and as columns.
func TestReader(t *testing.T) {
	x := matrix.NewDense[float64](300, 140)
	for p := range x.Data {
		if p%3 == 0 {
			x.Data[p] = float64(p%17) / 4
		}
	}
	for name, of := range kinds(x) {
		for _, turned := range []bool{false, true} {
			want := x
			if turned {
				want = x.T()
			}
			r := NewReader[float32](of, turned)
			if r.IsDense() != IsDense(of) {
				t.Errorf("%s: dense is %v", name, r.IsDense())
			}
			var room Space[float32]
			for _, span := range [][2]int{{100, 40}, {0, want.Rows}, {3, 1}, {want.Rows - 2, 2}, {5, 0}} {
				got, err := r.Read(span[0], span[1], &room)
				if err != nil {
					t.Fatal(err)
				}
				mask, err := r.Nonzeros(span[0], span[1])
				if err != nil {
					t.Fatal(err)
				}
				if rows, cols := got.Dims(); rows != span[1] || cols != want.Cols || mask.Rows != rows || mask.Cols != cols {
					t.Fatalf("%s: %d x %d, and a mask of %d x %d", name, rows, cols, mask.Rows, mask.Cols)
				}
				d, ok := got.(*matrix.Dense[float32])
				if !ok {
					d = got.(*matrix.CSR[float32]).Dense()
				}
				for i := range span[1] {
					for j := range want.Cols {
						v := want.At(span[0]+i, j)
						if d.At(i, j) != float32(v) || mask.Has(i, j) != (v != 0) {
							t.Fatalf("%s, turned %v, row %d, column %d: %v and %v for %v", name, turned, span[0]+i, j, d.At(i, j), mask.Has(i, j), v)
						}
					}
				}
			}
		}
	}
	if NewReader[float32](nil, false) != nil {
		t.Error("there is a reader of nothing")
	}
}

// TestReaderFails: what cannot be read is an error.
func TestReaderFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	r := NewReader[float64](&matrix.Streamed[float32]{Rows: 9, Cols: 9, Read: func(int, []float32) error { return broken }}, false)
	_, err := r.Read(0, 3, new(Space[float64]))
	_, again := r.Nonzeros(0, 3)
	if !errors.Is(err, broken) || !errors.Is(again, broken) {
		t.Errorf("%v, %v", err, again)
	}
}

// TestOfMask: a mask as a matrix has a one where it has a cell.
func TestOfMask(t *testing.T) {
	mask, err := matrix.NewMask(3, 4, []int32{0, 2}, []int32{1, 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(OfMask(mask).Dense().Data); got != "[0 1 0 0 0 0 0 0 0 0 0 1]" {
		t.Error(got)
	}
}
