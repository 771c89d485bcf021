package fingerprint

import (
	"errors"
	"testing"

	"github.com/partsof/nmf/matrix"
)

func of(t *testing.T, add func(h *Hash) error) string {
	t.Helper()
	h := New()
	if err := add(h); err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// TestMatrix: equal numbers have equal fingerprints however they are held in
// memory or read, others have not.
func TestMatrix(t *testing.T) {
	const rows, cols = 1700, 700 // several parts
	x := matrix.NewDense[float32](rows, cols)
	for i := range x.Data {
		x.Data[i] = float32(i % 1009)
	}
	want := of(t, func(h *Hash) error { return h.Matrix(x) })
	padded := &matrix.Dense[float32]{Rows: rows, Cols: cols, Stride: cols + 5, Data: make([]float32, rows*(cols+5))}
	for i := range rows {
		copy(padded.Row(i), x.Row(i))
	}
	read := &matrix.Streamed[float32]{Rows: rows, Cols: cols, Read: func(first int, dst []float32) error {
		copy(dst, x.Data[first*cols:])
		return nil
	}}
	for name, same := range map[string]any{"again": x, "padded": padded, "streamed": read} {
		if got := of(t, func(h *Hash) error { return h.Matrix(same) }); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, whole := range []matrix.Matrix[float32]{x, x.Sparse()} {
		all, err := Rows(whole, 0)
		if err != nil {
			t.Fatal(err)
		}
		var joined Sum
		for _, r := range [][2]int{{900, rows}, {0, 1}, {1, 900}} {
			part, err := Rows(rowsOf(whole, r[0], r[1]), r[0])
			if err != nil {
				t.Fatal(err)
			}
			joined.Join(part)
		}
		if joined != all || all == (Sum{}) {
			t.Errorf("%T: the parts have %x, the whole %x", whole, joined, all)
		}
	}
	swapped := x.Clone()
	copy(swapped.Row(3), x.Row(4))
	copy(swapped.Row(4), x.Row(3))
	seen := map[string]string{want: "x"}
	other := func(name string, add func(h *Hash) error) {
		t.Helper()
		got := of(t, add)
		if seen[got] != "" {
			t.Errorf("%s has the fingerprint of %s", name, seen[got])
		}
		seen[got] = name
	}
	other("rows in another order", func(h *Hash) error { return h.Matrix(swapped) })
	for _, cell := range []int{0, 12345, rows*cols - 1} {
		y := x.Clone()
		y.Data[cell]++
		other("another cell", func(h *Hash) error { return h.Matrix(y) })
	}
	turned := *x
	turned.Rows, turned.Cols, turned.Stride = cols, rows, rows
	other("another shape", func(h *Hash) error { return h.Matrix(&turned) })
	other("another precision", func(h *Hash) error { return h.Matrix(matrix.Convert[float64](matrix.Matrix[float32](x))) })
	other("sparse", func(h *Hash) error { return h.Matrix(x.Sparse()) })
	thin := x.Sparse()
	thin.Val[7] = 5000
	other("another stored cell", func(h *Hash) error { return h.Matrix(thin) })
	other("nothing", func(h *Hash) error { return h.Matrix(nil) })
	other("no numbers", func(h *Hash) error { h.Floats(nil); h.Floats([]float64{1}); return nil })
	other("no numbers after one", func(h *Hash) error { h.Floats([]float64{1}); h.Floats(nil); return nil })
	broken := errors.New("the disk is gone")
	read.Read = func(int, []float32) error { return broken }
	if err := New().Matrix(read); !errors.Is(err, broken) {
		t.Errorf("a failure to read: %v", err)
	}
	if err := New().Matrix("text"); err == nil {
		t.Error("a text has the fingerprint of a matrix")
	}
}

// rowsOf gives some rows of a matrix.
func rowsOf(x matrix.Matrix[float32], from, to int) any {
	switch x := x.(type) {
	case *matrix.Dense[float32]:
		return &matrix.Dense[float32]{Rows: to - from, Cols: x.Cols, Stride: x.Stride, Data: x.Data[from*x.Stride:]}
	case *matrix.CSR[float32]:
		part := &matrix.CSR[float32]{Rows: to - from, Cols: x.Cols, RowPtr: make([]int, to-from+1)}
		a, b := x.RowPtr[from], x.RowPtr[to]
		for i := range part.RowPtr {
			part.RowPtr[i] = x.RowPtr[from+i] - a
		}
		part.ColIdx, part.Val = x.ColIdx[a:b], x.Val[a:b]
		return part
	}
	return nil
}

// TestStreamedSparse: a sparse matrix has one fingerprint, in memory and read by
// blocks.
func TestStreamedSparse(t *testing.T) {
	d := matrix.NewDense[float32](300, 5)
	for i := range d.Data {
		d.Data[i] = float32(i % 3)
	}
	x := d.Sparse()
	want := of(t, func(h *Hash) error { return h.Matrix(x) })
	if got := of(t, func(h *Hash) error { return h.Matrix(matrix.StreamCSR(x, 128)) }); got != want {
		t.Errorf("%s by blocks, %s in memory", got, want)
	}
}
