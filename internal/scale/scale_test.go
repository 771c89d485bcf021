package scale

import (
	"math"
	"testing"
)

var cluster = Machine{Flops: 2e10, Bandwidth: 1.25e9, Latency: 5e-6}

// TestWords: the words of a few grids, worked out by hand, and no grid is below
// the bound.
func TestWords(t *testing.T) {
	x := Problem{Rows: 1536, Columns: 1024, K: 12, Element: 4, Sweeps: 2}
	for _, c := range []struct {
		pr, pc int
		words  float64
	}{
		{1, 1, 0},
		{2, 1, 2*12*1024/2. + 4*.5*78},
		{1, 2, 2*12*1536/2. + 4*.5*78},
		{2, 2, 2*12*(1536/4.+1024/4.) + 4*.75*78},
	} {
		if e := on(x, cluster, c.pr, c.pc); e.Words != c.words {
			t.Errorf("%d x %d: %v words, not %v", c.pr, c.pc, e.Words, c.words)
		}
	}
	for p := 1; p <= 256; p++ {
		for _, x := range []Problem{x, {Rows: 1e9, Columns: 1e6, Stored: 1e11, K: 50, Element: 4, Sweeps: 2}, {Rows: 5000, Columns: 5000, K: 3, Element: 8, Sweeps: 2}} {
			if e := Of(x, cluster, p); e.Words < e.Bound*(1-1e-12) {
				t.Errorf("%d ranks: %v words, and the bound is %v", p, e.Words, e.Bound)
			}
		}
	}
}

// TestGrid: long matrices are divided by rows, square ones by both.
func TestGrid(t *testing.T) {
	if e := Of(Problem{Rows: 1e9, Columns: 1e6, Stored: 1e11, K: 50, Element: 4, Sweeps: 2}, cluster, 1000); e.GridRows != 1000 || e.GridColumns != 1 {
		t.Errorf("long: %d x %d", e.GridRows, e.GridColumns)
	}
	if e := Of(Problem{Rows: 1e5, Columns: 1e5, K: 50, Element: 4, Sweeps: 2}, cluster, 16); e.GridRows != 4 || e.GridColumns != 4 {
		t.Errorf("square: %d x %d", e.GridRows, e.GridColumns)
	}
}

// TestTime: with a network that costs nothing p ranks take a p-th; a slower one
// costs more, and nothing is negative or not finite.
func TestTime(t *testing.T) {
	x := Problem{Rows: 1e6, Columns: 1e4, K: 20, Element: 4, Sweeps: 2}
	free := Machine{Flops: 1e10, Bandwidth: math.Inf(1)}
	if e := Of(x, free, 64); math.Abs(e.Efficiency-1) > 1e-12 {
		t.Errorf("a free network: efficiency %v", e.Efficiency)
	}
	last := 1.0
	for _, b := range []float64{1e12, 1e10, 1e9, 1e8} {
		e := Of(x, Machine{Flops: 1e10, Bandwidth: b, Latency: 1e-6}, 64)
		if !(e.Efficiency < last) || !(e.Efficiency > 0) || !(e.Network > 0) || e.Data <= 0 || e.Factors <= 0 {
			t.Errorf("%v bytes a second: %+v", b, e)
		}
		last = e.Efficiency
	}
}
