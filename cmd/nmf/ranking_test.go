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

// TestAlignSparse reorders columns of a sparse matrix as of a dense one.
func TestAlignSparse(t *testing.T) {
	d, err := matrix.FromRows([][]float64{{1, 0, 2}, {0, 3, 4}})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := matrix.FromRows([][]float64{{2, 1, 0}, {4, 0, 3}})
	for _, x := range []matrix.Matrix[float64]{d, d.Sparse()} {
		table := &data.Table[float64]{X: x, ColumnNames: []string{"a", "b", "c"}}
		reordered, err := alignFeatures(table, []string{"c", "a", "b"}, 3)
		if err != nil || !reordered {
			t.Fatalf("%v, %v", reordered, err)
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
