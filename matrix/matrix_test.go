package matrix

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// random has about a third of its cells zero.
func random(rng *rand.Rand, rows, cols int) *Dense[float64] {
	d := NewDense[float64](rows, cols)
	for i := range d.Data {
		d.Data[i] = float64(max(0, rng.IntN(9)-2))
	}
	return d
}

func same(a, b *Dense[float64]) bool {
	if a.Rows != b.Rows || a.Cols != b.Cols {
		return false
	}
	for i := range a.Rows {
		if !slices.Equal(a.Row(i), b.Row(i)) {
			return false
		}
	}
	return true
}

// TestRoundTrips: every way to hold a matrix, turned round or not, holds the
// same matrix.
func TestRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(0, 70).Draw(t, "rows"), rapid.IntRange(0, 70).Draw(t, "cols")
		d := random(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), rows, cols)
		s := d.Sparse()
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		if !same(s.Dense(), d) {
			t.Fatal("sparse and back is another matrix")
		}
		turned := d.T()
		for i := range rows {
			for j := range cols {
				if turned.At(j, i) != d.At(i, j) {
					t.Fatalf("cell (%d, %d) of the transpose is %v, want %v", j, i, turned.At(j, i), d.At(i, j))
				}
			}
		}
		st := s.T()
		if err := st.Check(); err != nil {
			t.Fatal(err)
		}
		if !same(st.Dense(), turned) || !same(Transpose[float64](s).(*CSR[float64]).Dense(), turned) || !same(Transpose[float64](d).(*Dense[float64]), turned) {
			t.Fatal("sparse and dense transposes differ")
		}
		if !same(Convert[float64](Convert[float32](Matrix[float64](d))).(*Dense[float64]), d) ||
			!same(Convert[float64](Convert[float32](Matrix[float64](s))).(*CSR[float64]).Dense(), d) {
			t.Fatal("conversion changes small whole numbers")
		}
		if rows > 0 && cols > 0 && !same(FromGonum[float64](d.Gonum()), d) {
			t.Fatal("gonum and back is another matrix")
		}
		if !same(d.Clone(), d) {
			t.Fatal("a clone differs")
		}
	})
}

// TestFromTriplets compares with adding cells to a dense matrix.
func TestFromTriplets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, n := rapid.IntRange(1, 20).Draw(t, "m"), rapid.IntRange(1, 20).Draw(t, "n")
		cells := rapid.IntRange(0, 200).Draw(t, "cells")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		rows, cols, vals := make([]int32, cells), make([]int32, cells), make([]float64, cells)
		want := NewDense[float64](m, n)
		at := map[[2]int32]bool{}
		for p := range cells {
			rows[p], cols[p], vals[p] = int32(rng.IntN(m)), int32(rng.IntN(n)), float64(1+rng.IntN(5))
			want.Data[int(rows[p])*n+int(cols[p])] += vals[p]
			at[[2]int32{rows[p], cols[p]}] = true
		}
		s, repeats, err := FromTriplets(m, n, rows, cols, vals)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		if !same(s.Dense(), want) || s.NNZ() != len(at) || repeats != cells-len(at) {
			t.Fatalf("%d cells stored, %d repeats; want %d and %d", s.NNZ(), repeats, len(at), cells-len(at))
		}
	})
}

func TestFromTripletsRefusals(t *testing.T) {
	one := []float64{1}
	for name, err := range map[string]error{
		"row":           third(FromTriplets(2, 2, []int32{2}, []int32{0}, one)),
		"negative row":  third(FromTriplets(2, 2, []int32{-1}, []int32{0}, one)),
		"column":        third(FromTriplets(2, 2, []int32{0}, []int32{2}, one)),
		"lengths":       third(FromTriplets(2, 2, []int32{0, 1}, []int32{0}, one)),
		"negative size": third(FromTriplets(-1, 2, nil, nil, []float64(nil))),
		"huge size":     third(FromTriplets(2, MaxDim+1, nil, nil, []float64(nil))),
	} {
		if !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

func TestCheck(t *testing.T) {
	good := func() *CSR[float64] {
		return &CSR[float64]{Rows: 2, Cols: 3, RowPtr: []int{0, 2, 3}, ColIdx: []int32{0, 2, 1}, Val: []float64{1, 2, 3}}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(s *CSR[float64]){
		"pointers missing":     func(s *CSR[float64]) { s.RowPtr = s.RowPtr[:2] },
		"no pointers":          func(s *CSR[float64]) { s.RowPtr = nil },
		"first pointer":        func(s *CSR[float64]) { s.RowPtr[0] = 1 },
		"last pointer":         func(s *CSR[float64]) { s.RowPtr[2] = 2 },
		"pointer falls":        func(s *CSR[float64]) { s.RowPtr[1] = -1 },
		"pointer beyond":       func(s *CSR[float64]) { s.RowPtr[1] = 9 },
		"indices missing":      func(s *CSR[float64]) { s.ColIdx = s.ColIdx[:2] },
		"column beyond":        func(s *CSR[float64]) { s.ColIdx[1] = 3 },
		"column negative":      func(s *CSR[float64]) { s.ColIdx[0] = -1 },
		"columns unsorted":     func(s *CSR[float64]) { s.ColIdx[0], s.ColIdx[1] = 2, 0 },
		"column repeated":      func(s *CSR[float64]) { s.ColIdx[1] = 0 },
		"rows negative":        func(s *CSR[float64]) { s.Rows = -1 },
		"columns negative":     func(s *CSR[float64]) { s.Cols = -1 },
		"too many columns":     func(s *CSR[float64]) { s.Cols = MaxDim + 1 },
		"more rows than there": func(s *CSR[float64]) { s.Rows = 3 },
	} {
		s := good()
		spoil(s)
		if err := s.Check(); !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckManyCells takes the parallel path.
func TestCheckManyCells(t *testing.T) {
	s := &CSR[float32]{Rows: 1000, Cols: 300, RowPtr: []int{0}}
	for range s.Rows {
		for j := range s.Cols {
			s.ColIdx, s.Val = append(s.ColIdx, int32(j)), append(s.Val, 1)
		}
		s.RowPtr = append(s.RowPtr, len(s.Val))
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	s.ColIdx[len(s.ColIdx)-5] = 300
	if err := s.Check(); !errors.Is(err, ErrShape) {
		t.Errorf("a bad index near the end: %v", err)
	}
}

func TestFromSliceAndRows(t *testing.T) {
	if _, err := FromSlice(2, 3, make([]float64, 5)); !errors.Is(err, ErrShape) {
		t.Errorf("FromSlice: %v", err)
	}
	if _, err := FromSlice(-1, -1, make([]float64, 1)); !errors.Is(err, ErrShape) {
		t.Errorf("FromSlice: %v", err)
	}
	if _, err := FromRows([][]float64{{1, 2}, {3}}); !errors.Is(err, ErrShape) {
		t.Errorf("FromRows: %v", err)
	}
	d, err := FromRows([][]float64{{1, 2, 3}, {4, 5, 6}})
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := FromSlice(2, 3, d.Data)
	if err != nil || !same(wrapped, d) {
		t.Fatalf("%v, %v", wrapped, err)
	}
	wrapped.Set(1, 2, 9)
	if d.At(1, 2) != 9 {
		t.Error("FromSlice copied")
	}
	// A part of a matrix, its rows apart.
	part := &Dense[float64]{Rows: 2, Cols: 2, Stride: 3, Data: d.Data[1:]}
	if c := part.Clone(); c.Stride != 2 || !slices.Equal(c.Data, []float64{2, 3, 5, 9}) {
		t.Errorf("clone of a part: %+v", c)
	}
	if tr := part.T(); !slices.Equal(tr.Data, []float64{2, 5, 3, 9}) {
		t.Errorf("transpose of a part: %+v", tr)
	}
	if g := part.Gonum(); g.At(1, 1) != 9 || g.At(0, 0) != 2 {
		t.Error("gonum of a part")
	}
	if s := part.Sparse(); s.NNZ() != 4 || s.Val[2] != 5 {
		t.Errorf("sparse of a part: %+v", s)
	}
}
