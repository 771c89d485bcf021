package nmf_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestCombinations walks the table of docs/losses.md: every loss with every
// solver, every way to hold X and to leave cells out, and every kind of
// penalty either fits with a loss that falls or is refused with a reason.
func TestCombinations(t *testing.T) {
	page, err := os.ReadFile("docs/losses.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(page)
	for _, c := range []nmf.Options{{Loss: "frobenius"}, {Loss: "kl"}, {Loss: "is"}, {Loss: "beta", Beta: 1.5}, {Loss: "tweedie", Power: 1.5},
		{Loss: "negbinomial", Dispersion: 0.3}, {Loss: "huber", Delta: 1}, {Loss: "l1"}} {
		var parts []string
		for _, axis := range axes() {
			var able []string
			for _, v := range axis.values {
				for _, solver := range nmf.Solvers() {
					o := c
					o.Solver, o.MaxIter = solver, 12
					x := v.prepare(&o)
					// The first is auto.
					if combine(t, x, &o, c.Loss+", "+v.name+", "+solver) == "" && solver == "auto" {
						able = append(able, v.name)
					}
					if axis.solvers {
						break
					}
				}
			}
			parts = append(parts, strings.Join(able, ", "))
		}
		line := fmt.Sprintf("| `%s` | %s |", c.Loss, strings.Join(parts, " | "))
		if !strings.Contains(doc, line+"\n") {
			t.Errorf("docs/losses.md has not the line\n%s", line)
		}
	}
}

// combine fits and checks, or gives the reason of a refusal.
func combine(t *testing.T, x matrix.Matrix[float64], o *nmf.Options, name string) string {
	t.Helper()
	m, err := nmf.Fit(t.Context(), x, 3, o)
	if err != nil {
		if !errors.Is(err, nmf.ErrOption) && !errors.Is(err, nmf.ErrZero) && !errors.Is(err, nmf.ErrNotFinite) || len(err.Error()) < 30 {
			t.Errorf("%s: %v", name, err)
		}
		return err.Error()
	}
	last := math.Inf(1)
	for _, it := range m.Info.Trace {
		if it.Loss > last*(1+1e-9) || !(it.KKT >= 0) {
			t.Errorf("%s: %+v after %v", name, it, last)
		}
		last = it.Loss
	}
	if m.Info.Loss > last*(1+1e-7)+1e-12 {
		t.Errorf("%s: the model has %v, the trace ends with %v", name, m.Info.Loss, last)
	}
	for _, f := range []*matrix.Dense[float64]{m.W, m.H} {
		for _, v := range f.Data {
			if !(v >= 0) || math.IsInf(v, 0) {
				t.Fatalf("%s: the factors have %v", name, v)
			}
		}
	}
	return ""
}

type axis struct {
	// solvers says that the values are solvers.
	solvers bool
	values  []choice
}

type choice struct {
	name    string
	prepare func(o *nmf.Options) matrix.Matrix[float64]
}

const combinedRows, combinedCols = 24, 19

// axes are the columns of the table.
func axes() []axis {
	x := counts[float64](combinedRows, combinedCols, 3, 2, 41)
	dense := func(*nmf.Options) matrix.Matrix[float64] {
		d := x.Clone()
		for i := range d.Data {
			d.Data[i] += 0.5
		}
		return d
	}
	sparse := func(*nmf.Options) matrix.Matrix[float64] { return x.Sparse() }
	var solvers []choice
	for _, s := range nmf.Solvers()[1:] {
		solvers = append(solvers, choice{s, func(o *nmf.Options) matrix.Matrix[float64] {
			o.Solver = s
			return dense(o)
		}})
	}
	holed := func(o *nmf.Options) matrix.Matrix[float64] {
		d := dense(o).(*matrix.Dense[float64])
		for i := 0; i < len(d.Data); i += 7 {
			d.Data[i] = math.NaN()
		}
		o.Missing = "nan"
		return d
	}
	mask, err := matrix.NewMask(combinedRows, combinedCols, []int32{0, 3, 3, 20}, []int32{1, 0, 17, 5})
	if err != nil {
		panic(err)
	}
	asks := func(name string, set func(p *nmf.Penalty, rows, cols int)) choice {
		return choice{name, func(o *nmf.Options) matrix.Matrix[float64] {
			set(&o.PenaltyW, combinedRows, 3)
			if name != "simplex" && name != "sparseness" {
				set(&o.PenaltyH, combinedCols, -3)
			}
			return holed(o)
		}}
	}
	return []axis{
		{true, solvers},
		{false, []choice{
			{"dense", dense},
			{"sparse zeros", sparse},
			{"unstored", func(o *nmf.Options) matrix.Matrix[float64] { o.Missing = "unstored"; return sparse(o) }},
			{"nan", holed},
			{"mask", func(o *nmf.Options) matrix.Matrix[float64] { o.Mask = mask; return dense(o) }},
			{"mask of sparse zeros", func(o *nmf.Options) matrix.Matrix[float64] { o.Mask = mask; return sparse(o) }},
		}},
		{false, []choice{
			{"cells", func(o *nmf.Options) matrix.Matrix[float64] {
				o.Weights = randomWeights(combinedRows, combinedCols, 1)
				return dense(o)
			}},
			{"some cells", func(o *nmf.Options) matrix.Matrix[float64] {
				o.Weights = sparsely(randomWeights(combinedRows, combinedCols, 1), 2, 3).Sparse()
				return dense(o)
			}},
			{"rows, columns", func(o *nmf.Options) matrix.Matrix[float64] {
				o.RowWeights, o.ColumnWeights = randomWeights(1, combinedRows, 2).Data, randomWeights(1, combinedCols, 3).Data
				return dense(o)
			}},
		}},
		{false, []choice{
			asks("l1", func(p *nmf.Penalty, rows, _ int) { p.L1 = 0.01 }),
			asks("l2", func(p *nmf.Penalty, rows, _ int) { p.L2 = 0.01 }),
			asks("l21", func(p *nmf.Penalty, rows, _ int) { p.L21 = 0.01 }),
			asks("orthogonal", func(p *nmf.Penalty, rows, _ int) { p.Orthogonal = 0.01 }),
			asks("smooth", func(p *nmf.Penalty, rows, _ int) { p.Smooth = 0.01 }),
			asks("graph", func(p *nmf.Penalty, rows, _ int) {
				p.Graph = 0.01
				p.GraphWeights, _, _ = matrix.FromTriplets(rows, rows, []int32{0, 5}, []int32{5, 0}, []float64{1, 1})
			}),
			asks("upper", func(p *nmf.Penalty, rows, _ int) { p.Upper = 2 }),
			asks("held", func(p *nmf.Penalty, rows, k int) {
				p.Held = matrix.NewDense[float64](rows, 1)
				if k < 0 {
					p.Held = matrix.NewDense[float64](1, rows)
				}
				for i := range p.Held.Data {
					p.Held.Data[i] = []float64{math.NaN(), 0, 0.7}[i%3]
				}
			}),
			asks("simplex", func(p *nmf.Penalty, rows, _ int) { p.Simplex = true }),
			asks("sparseness", func(p *nmf.Penalty, rows, _ int) { p.Sparseness = 0.4 }),
		}},
	}
}
