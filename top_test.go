package nmf_test

import (
	"errors"
	"math"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestComponents ranks a model written by hand: "common" is heavy in both live
// components, "left" and "right" in one.
func TestComponents(t *testing.T) {
	h, _ := matrix.FromRows([][]float64{{0.5, 0.4, 0, 0.1}, {0.5, 0, 0.5, 0}, {0, 0, 0, 0}})
	w, _ := matrix.FromRows([][]float64{{0.2, 1, 0}, {0.8, 0, 0}, {0, 0, 0}})
	m := &nmf.Model[float64]{W: w, H: h, Scales: []float64{3, 1, 0},
		RowNames: []string{"a", "b", "c"}, ColumnNames: []string{"common", "left", "right", "rare"}}
	names := func(r []nmf.Ranked) (s string) {
		for _, v := range r {
			s += v.Name + " "
		}
		return s
	}
	for _, c := range []struct {
		j, features, samples int
		by                   string
		wantFeatures         string
		wantSamples          string
	}{
		{0, 2, 5, nmf.ByWeight, "common left ", "b a "},
		{0, 9, 1, nmf.ByWeight, "common left rare ", "b "},
		{0, 2, 0, nmf.BySpecificity, "left rare ", ""},
		{0, 9, 0, nmf.BySpecificity, "left rare common ", ""},
		{1, 1, 1, nmf.BySpecificity, "right ", "a "},
		{1, 0, 0, nmf.ByWeight, "", ""},
		{2, 4, 4, nmf.ByWeight, "", ""},
	} {
		list, err := m.Components(c.features, c.samples, c.by)
		if err != nil {
			t.Fatal(err)
		}
		if f, s := names(list[c.j].Features), names(list[c.j].Samples); f != c.wantFeatures || s != c.wantSamples {
			t.Errorf("component %d of Components(%d, %d, %q): features %q, samples %q; want %q, %q",
				c.j, c.features, c.samples, c.by, f, s, c.wantFeatures, c.wantSamples)
		}
	}
	list, _ := m.Components(1, 1, nmf.BySpecificity)
	if got, want := list[1].Features[0].Specificity, 0.5*math.Log(2); math.Abs(got-want) > 1e-12 {
		t.Errorf("specificity %v, want %v", got, want)
	}
	if list[0].Share != 0.75 || list[2].Share != 0 || list[0].Scale != 3 {
		t.Errorf("shares %v, %v, scale %v", list[0].Share, list[2].Share, list[0].Scale)
	}
	for _, by := range []string{"", "colour"} {
		if _, err := m.Components(1, 1, by); !errors.Is(err, nmf.ErrOption) {
			t.Errorf("order %q: %v", by, err)
		}
	}
	if _, err := m.Components(-1, 1, nmf.ByWeight); !errors.Is(err, nmf.ErrOption) {
		t.Errorf("-1 features: %v", err)
	}
}
