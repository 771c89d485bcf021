package main

import (
	"math"
	"slices"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// TestSpecificity puts a feature that is common everywhere behind one that is
// not, though it is heavier.
func TestSpecificity(t *testing.T) {
	h, err := matrix.FromRows([][]float64{{0.6, 0.4, 0}, {0.6, 0, 0.4}, {0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	m := &nmf.Model[float64]{W: matrix.NewDense[float64](1, 3), H: h, Scales: []float64{2, 1, 0}}
	list, err := components(m, 2, 1, nmf.BySpecificity)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list[0].Features {
		names = append(names, e.Name)
	}
	if want := []string{"feature 2", "feature 1"}; !slices.Equal(names, want) {
		t.Errorf("features %q, want %q", names, want)
	}
	if s := *list[0].Features[0].Specificity; math.Abs(s-0.4*math.Log(2)) > 1e-15 {
		t.Errorf("specificity %v, want 0.4·ln 2", s)
	}
	if s := *list[0].Features[1].Specificity; s != 0 {
		t.Errorf("a feature that is as heavy everywhere has specificity %v", s)
	}
	if byWeight, err := components(m, 2, 1, nmf.ByWeight); err != nil || byWeight[0].Features[0].Index != 0 {
		t.Error("by weight the heaviest feature is not first")
	}
	if len(list[2].Features) != 0 || list[2].Share != 0 {
		t.Errorf("a dead component has %+v", list[2])
	}
}

// TestAlignSparse reorders columns of a sparse matrix as of a dense one, in memory and
// read block by block.
func TestAlignSparse(t *testing.T) {
	d, err := matrix.FromRows([][]float64{{1, 0, 2}, {0, 3, 4}})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := matrix.FromRows([][]float64{{2, 1, 0}, {4, 0, 3}})
	streamed := &matrix.Streamed[float64]{Rows: 2, Cols: 3, Read: func(first int, dst []float64) error { copy(dst, d.Data[3*first:]); return nil }}
	for _, x := range []matrix.Matrix[float64]{d, d.Sparse(), streamed, matrix.StreamCSR(d.Sparse(), 2)} {
		table := &data.Table[float64]{X: x, ColumnNames: []string{"a", "b", "c"}}
		reordered, err := alignFeatures(table, []string{"c", "a", "b"}, 3, false)
		if err != nil || !reordered {
			t.Fatalf("%v, %v", reordered, err)
		}
		switch s := table.X.(type) {
		case *matrix.Streamed[float64]:
			block := matrix.NewDense[float64](2, 3)
			if err := s.Read(0, block.Data); err != nil {
				t.Fatal(err)
			}
			table.X = block
		case *matrix.StreamedCSR[float64]:
			block := new(matrix.CSR[float64])
			if err := s.ByRows.Read(0, block); err != nil {
				t.Fatal(err)
			}
			table.X = block
		}
		if s, ok := table.X.(*matrix.CSR[float64]); ok {
			if err := s.Check(); err != nil {
				t.Error(err)
			}
		}
		if got := toDense(table.X); !slices.Equal(got.Data, want.Data) {
			t.Errorf("%T: %v, want %v", x, got.Data, want.Data)
		}
	}
}

func TestDefaultModelPath(t *testing.T) {
	for in, want := range map[string]string{
		"a/b/counts.csv.gz": "counts.model.npz", "X.npy": "X.model.npz", "-": "model.npz", "cells/": "cells.model.npz", ".csv": ".csv.model.npz",
	} {
		if got := defaultModelPath(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
