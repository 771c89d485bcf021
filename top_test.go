package nmf_test

import (
	"errors"
	"math"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestTop ranks a model written by hand: "common" is heavy in both components,
// "left" and "right" in one.
func TestTop(t *testing.T) {
	h, _ := matrix.FromRows([][]float64{{0.5, 0.4, 0, 0.1}, {0.5, 0, 0.5, 0}})
	w, _ := matrix.FromRows([][]float64{{0.2, 1}, {0.8, 0}, {0, 0}})
	m := &nmf.Model[float64]{W: w, H: h, Scales: []float64{3, 1},
		RowNames: []string{"a", "b", "c"}, ColumnNames: []string{"common", "left", "right", "rare"}}
	names := func(r []nmf.Ranked) (s string) {
		for _, v := range r {
			s += v.Name + " "
		}
		return s
	}
	for _, c := range []struct {
		j, n     int
		by, want string
	}{
		{0, 2, nmf.ByWeight, "common left "},
		{0, 9, "", "common left rare "},
		{0, 2, nmf.BySpecificity, "left rare "},
		{1, 1, nmf.BySpecificity, "right "},
		{1, 0, nmf.ByWeight, ""},
		{1, -1, nmf.ByWeight, ""},
	} {
		got, err := m.TopFeatures(c.j, c.n, c.by)
		if err != nil || names(got) != c.want {
			t.Errorf("TopFeatures(%d, %d, %q) = %q, %v; want %q", c.j, c.n, c.by, names(got), err, c.want)
		}
	}
	got, _ := m.TopFeatures(1, 1, nmf.BySpecificity)
	if want := 0.5 * math.Log(0.5/0.125); math.Abs(got[0].Score-want) > 1e-12 {
		t.Errorf("specificity of %q is %v, want %v", got[0].Name, got[0].Score, want)
	}
	if got, _ := m.TopSamples(0, 5); names(got) != "b a " {
		t.Errorf("TopSamples = %q", names(got))
	}
	for _, err := range []error{
		second(m.TopFeatures(2, 1, "")), second(m.TopFeatures(-1, 1, "")), second(m.TopFeatures(0, 1, "colour")), second(m.TopSamples(2, 1)),
	} {
		if !errors.Is(err, nmf.ErrOption) {
			t.Errorf("error %v, want ErrOption", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
