package cells_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/hdf5"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/recipe"
	"github.com/partsof/nmf/recipe/cells"
)

// counted draws counts of cells x genes of three kinds of cells.
func counted(rows, cols int, seed uint64) *matrix.Dense[float64] {
	r := rand.New(rand.NewPCG(seed, 9))
	base := make([]float64, cols)
	for j := range base {
		base[j] = 3 * r.ExpFloat64() * r.ExpFloat64()
	}
	x := matrix.NewDense[float64](rows, cols)
	for i := range rows {
		depth := 0.3 + r.ExpFloat64()
		for j := range cols {
			mean := depth * base[j]
			if j%10 == i%3 {
				mean *= 8
			}
			// Poisson by multiplication (Knuth).
			limit, product, n := math.Exp(-min(mean, 500)), r.Float64(), 0
			for product > limit {
				product *= r.Float64()
				n++
			}
			x.Set(i, j, float64(n))
		}
	}
	return x
}

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = prefix + strings.Repeat("x", i%3) + string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	return list
}

// TestPrepare compares with each step done plainly, for sparse and dense counts.
func TestPrepare(t *testing.T) {
	x := counted(40, 60, 1)
	clear(x.Row(7)) // an empty cell
	for i := range 40 {
		x.Set(i, 11, 0) // a gene that is nowhere
		if i > 1 {
			x.Set(i, 12, 0) // one in two cells
		}
	}
	for _, o := range []cells.Options{{Genes: -1}, {Genes: 20}, {Genes: 20, Flavour: "cell_ranger", TargetSum: 1000}, {Genes: 15, NoScale: true}, {Genes: 15, Counts: true}, {MinCells: 1, MinGenes: 5, Genes: -1, Clip: -1}, {Genes: -1, Clip: 2}} {
		tab := &data.Table[float64]{X: x, RowNames: names("c", 40), ColumnNames: names("g", 60)}
		got, err := cells.Prepare(tab, &o)
		if err != nil {
			t.Fatal(err)
		}
		sparse, err := cells.Prepare(&data.Table[float64]{X: x.Sparse(), RowNames: tab.RowNames, ColumnNames: tab.ColumnNames}, &o)
		if err != nil {
			t.Fatal(err)
		}
		d := got.X.(*matrix.CSR[float64]).Dense()
		for i, v := range sparse.X.(*matrix.CSR[float64]).Dense().Data {
			if v != d.Data[i] {
				t.Fatal("sparse and dense counts give other matrices")
			}
		}
		least := 3
		if o.MinCells > 0 {
			least = o.MinCells
		}
		var rows, columns []int
		for i := range x.Rows {
			if i != 7 {
				rows = append(rows, i)
			}
		}
		for j := range x.Cols {
			in := 0
			for _, i := range rows {
				if x.At(i, j) > 0 {
					in++
				}
			}
			if in >= least {
				columns = append(columns, j)
			}
		}
		if d.Rows != len(rows) || got.All.Cols != len(columns) || len(got.RowNames) != len(rows) {
			t.Fatalf("%+v: %d cells and %d genes, want %d and %d", o, d.Rows, got.All.Cols, len(rows), len(columns))
		}
		var sums []float64
		for _, i := range rows {
			sum := 0.0
			for _, j := range columns {
				sum += x.At(i, j)
			}
			sums = append(sums, sum)
		}
		target := o.TargetSum
		if target == 0 {
			target = middle(sums)
		}
		if math.Abs(got.TargetSum-target) > 1e-9 {
			t.Errorf("%+v: counts are scaled to %v, want %v", o, got.TargetSum, target)
		}
		for to, a := range got.Variable {
			j := columns[a]
			if got.ColumnNames[to] != tab.ColumnNames[j] {
				t.Fatalf("column %d is named %q, want %q", to, got.ColumnNames[to], tab.ColumnNames[j])
			}
			var values []float64
			mean := 0.0
			for r, i := range rows {
				v := x.At(i, j)
				if !o.Counts {
					v = math.Log(1 + v*target/sums[r])
				}
				values = append(values, v)
				mean += v / float64(len(rows))
			}
			variance := 0.0
			for _, v := range values {
				variance += (v - mean) * (v - mean) / float64(len(rows)-1)
			}
			for r, v := range values {
				if !o.Counts && !o.NoScale {
					v /= math.Sqrt(variance)
					switch {
					case o.Clip == 0:
						v = min(v, 10)
					case o.Clip > 0:
						v = min(v, o.Clip)
					}
				}
				if math.Abs(d.At(r, to)-v) > 1e-9*(1+v) {
					t.Fatalf("%+v: cell %d, gene %d is %v, want %v", o, r, to, d.At(r, to), v)
				}
			}
		}
		if o.Genes > 0 && len(got.Variable) != o.Genes {
			t.Errorf("%d variable genes", len(got.Variable))
		}
	}
}

func middle(v []float64) float64 {
	s := append([]float64(nil), v...)
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// python runs a script that gives JSON, where Python has pandas.
func python(t *testing.T, script string, in, out any) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if system, e := exec.LookPath("/usr/bin/python3"); e == nil {
		path, err = system, nil
	}
	if err != nil || exec.Command(path, "-c", "import numpy, pandas").Run() != nil {
		t.Skip("Python with pandas is absent")
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "-c", script)
	c.Stdin = strings.NewReader(string(text))
	var complaint strings.Builder
	c.Stderr = &complaint
	got, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	if err := json.Unmarshal(got, out); err != nil {
		t.Fatal(err)
	}
}

// TestDispersions compares with the definition written with pandas, whose cut and
// groupby scanpy uses.
func TestDispersions(t *testing.T) {
	x := counted(80, 300, 3)
	var mean, variance []float64
	for j := range x.Cols {
		m, v := 0.0, 0.0
		for i := range x.Rows {
			m += x.At(i, j) / 80
		}
		for i := range x.Rows {
			v += (x.At(i, j) - m) * (x.At(i, j) - m) / 79
		}
		if j == 5 {
			m, v = 0, 0
		}
		if j == 6 {
			m, v = 400, 300 // alone in its bin
		}
		mean, variance = append(mean, m), append(variance, v)
	}
	for _, flavour := range cells.Flavours() {
		var want []float64
		python(t, `
import sys, json, numpy as np, pandas as pd
q = json.load(sys.stdin)
mean, var = np.array(q['mean']), np.array(q['variance'])
mean[mean == 0] = 1e-12
disp = var / mean
if q['flavour'] == 'seurat':
    disp[disp == 0] = np.nan
    disp, level = np.log(disp), np.log1p(mean)
    bins = pd.cut(level, bins=20)
else:
    bins = pd.cut(mean, np.r_[-np.inf, np.percentile(mean, np.arange(10, 105, 5)), np.inf])
df = pd.DataFrame({'disp': disp, 'bin': bins})
g = df.groupby('bin')['disp']
if q['flavour'] == 'seurat':
    centre, spread = g.mean(), g.std(ddof=1)
    alone = spread.isnull()
    spread[alone], centre[alone] = centre[alone], 0
else:
    centre = g.median()
    spread = g.apply(lambda v: np.median(np.abs(v - np.median(v))) / 0.6744897501960817)
score = (disp - df['bin'].map(centre).astype(float)) / df['bin'].map(spread).astype(float)
print(json.dumps([-1e300 if not np.isfinite(s) else s for s in score]))
`, map[string]any{"mean": mean, "variance": variance, "flavour": flavour}, &want)
		scored := 0
		for j, s := range cells.Dispersions(mean, variance, flavour) {
			if math.IsNaN(s) {
				s = -1e300
			} else {
				scored++
			}
			if math.Abs(s-want[j]) > 1e-9*(1+math.Abs(want[j])) {
				t.Errorf("%s: gene %d (mean %v, variance %v) has the score %v, want %v", flavour, j, mean[j], variance[j], s, want[j])
			}
		}
		if scored < 290 {
			t.Errorf("%s: %d genes have a score", flavour, scored)
		}
	}
}

func TestPrepareErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(x *matrix.Dense[float64])
		o      cells.Options
		is     error
		want   string
	}{
		{"negative", func(x *matrix.Dense[float64]) { x.Set(2, 3, -1) }, cells.Options{}, recipe.ErrInput, `cell "cc" has the count -1 of gene 4: counts are not negative`},
		{"nan", func(x *matrix.Dense[float64]) { x.Set(2, 3, math.NaN()) }, cells.Options{}, nmf.ErrNotFinite, "NaN"},
		{"fractions", func(x *matrix.Dense[float64]) { x.Set(2, 3, 0.5) }, cells.Options{Counts: true}, recipe.ErrInput, "not all numbers are whole"},
		{"empty", func(x *matrix.Dense[float64]) { clear(x.Data) }, cells.Options{}, recipe.ErrInput, "of 10 cells and 8 genes none is left"},
		{"genes", func(*matrix.Dense[float64]) {}, cells.Options{MinGenes: 9}, recipe.ErrInput, "no cell has 9 genes"},
		{"flavour", func(*matrix.Dense[float64]) {}, cells.Options{Flavour: "salty"}, recipe.ErrOption, `flavour "salty" is unknown`},
		{"least", func(*matrix.Dense[float64]) {}, cells.Options{MinCells: -1}, recipe.ErrOption, "both must be at least 1"},
		{"target", func(*matrix.Dense[float64]) {}, cells.Options{TargetSum: -1}, recipe.ErrOption, "a target sum of -1"},
		{"clip", func(*matrix.Dense[float64]) {}, cells.Options{Clip: math.NaN()}, recipe.ErrOption, "clipped at NaN"},
	} {
		x := counted(10, 8, 2)
		c.change(x)
		row := []string{"ca", "cb", "cc", "cd", "ce", "cf", "cg", "ch", "ci", "cj"}
		_, err := cells.Prepare(&data.Table[float64]{X: x, RowNames: row}, &c.o)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	x := counted(10, 8, 2)
	x.Set(2, 3, 0.5)
	p, err := cells.Prepare(&data.Table[float64]{X: x}, nil)
	if err != nil || len(p.Notes) == 0 || !strings.Contains(p.Notes[0], "not all numbers are whole") {
		t.Errorf("%v, %v", p, err)
	}
}

// TestPrograms plants three kinds of cells and finds their genes.
func TestPrograms(t *testing.T) {
	x := counted(90, 100, 4)
	tab := &data.Table[float64]{X: x, ColumnNames: names("g", 100)}
	p, err := cells.Prepare(tab, &cells.Options{Genes: 60})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nmf.Fit(context.Background(), p.X, 3, cells.Preset(false))
	if err != nil {
		t.Fatal(err)
	}
	scores, err := cells.Scores(m, p)
	if err != nil {
		t.Fatal(err)
	}
	u := cells.Usages(m)
	for i := range u.Rows {
		sum := 0.0
		for _, v := range u.Row(i) {
			sum += v
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("the usages of cell %d sum to %v", i, sum)
		}
	}
	// The regression, by its normal equations on dense z-scores: its residual is
	// orthogonal to the usages.
	for j := range p.All.Cols {
		var z []float64
		mean, variance := 0.0, 0.0
		dense := p.All.Dense()
		for i := range dense.Rows {
			sum := 0.0
			for _, v := range dense.Row(i) {
				sum += v
			}
			z = append(z, dense.At(i, j)*p.TargetSum/sum)
			mean += z[i] / float64(dense.Rows)
		}
		for _, v := range z {
			variance += (v - mean) * (v - mean) / float64(dense.Rows-1)
		}
		for a := range 3 {
			product := 0.0
			for i, v := range z {
				residual := (v - mean) / math.Sqrt(variance)
				for b := range 3 {
					residual -= u.At(i, b) * scores.At(b, j)
				}
				product += u.At(i, a) * residual
			}
			if math.Abs(product) > 1e-7 {
				t.Fatalf("gene %d: the residual's product with program %d is %v", j, a, product)
			}
		}
	}
	kinds := make([]int, 90)
	for i := range kinds {
		kinds[i] = i % 3
	}
	if a := rank.Agree(cells.Dominant(m), kinds); a.ARI < 0.95 {
		t.Errorf("the planted kinds are found with an adjusted Rand index of %.3f", a.ARI)
	}
	for _, by := range []string{nmf.ByWeight, nmf.BySpecificity} {
		total := 0
		for _, program := range cells.Programs(m, p, scores, 5, by) {
			total += program.Cells
			group := map[int]int{}
			for _, g := range program.Genes {
				for j, name := range tab.ColumnNames {
					if name == g.Name {
						group[j%10]++
					}
				}
			}
			if best := max(group[0], group[1], group[2]); by == nmf.BySpecificity && best < 5 || len(program.Genes) != 5 {
				t.Errorf("%s: the genes of a program are of the kinds %v", by, group)
			}
		}
		if total != 90 {
			t.Errorf("%d cells have a dominant program", total)
		}
	}
}

// TestUnused: programs that nobody uses are no obstacle, nor are empty cells.
func TestUnused(t *testing.T) {
	x := counted(30, 20, 5)
	p, err := cells.Prepare(&data.Table[float64]{X: x}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := nmf.Fit(context.Background(), p.X, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Scales[1] = 0
	clear(m.H.Row(1))
	for i := range m.W.Rows {
		m.W.Set(i, 1, 0)
	}
	clear(m.W.Row(3))
	scores, err := cells.Scores(m, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range scores.Data {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatal("a score is not finite")
		}
	}
	if d := cells.Dominant(m); d[3] != -1 || d[4] != 0 {
		t.Error(d)
	}
	if v := cells.Usages(m).Row(3); v[0] != 0 || v[1] != 0 {
		t.Error(v)
	}
}

// TestTenX: both forms of both generations prepare to the same matrix.
func TestTenX(t *testing.T) {
	folders := [][2]string{
		{"data/10x-small/3.0.0/filtered_feature_bc_matrix", "data/10x-small/3.0.0/filtered_feature_bc_matrix.h5"},
		{"data/10x-small/1.2.0/filtered_gene_bc_matrices/hg19_chr21", "data/10x-small/1.2.0/filtered_gene_bc_matrices_h5.h5"},
	}
	for _, f := range folders {
		var list [2]*data.Table[float64]
		for i, name := range f {
			path := testdata.Shared(t, name)
			if i == 1 {
				if err := hdf5.Available(); err != nil {
					t.Skip(err)
				}
			}
			tab, err := data.Read[float64](path, nil)
			if err != nil {
				t.Fatal(err)
			}
			list[i] = tab
		}
		a, b := list[0].X.(*matrix.CSR[float64]), list[1].X.(*matrix.CSR[float64])
		if a.Rows != b.Rows || a.Cols != b.Cols || a.NNZ() != b.NNZ() || strings.Join(list[0].RowNames, " ") != strings.Join(list[1].RowNames, " ") ||
			strings.Join(list[0].ColumnNames, " ") != strings.Join(list[1].ColumnNames, " ") {
			t.Fatalf("%s: %d x %d with %d counts, and %d x %d with %d", f[0], a.Rows, a.Cols, a.NNZ(), b.Rows, b.Cols, b.NNZ())
		}
		for i := range a.Rows {
			cols, vals := a.Row(i)
			others, same := b.Row(i)
			for q := range cols {
				if cols[q] != others[q] || vals[q] != same[q] {
					t.Fatalf("%s: cell %d: gene %d has %v, and gene %d %v", f[0], i, cols[q], vals[q], others[q], same[q])
				}
			}
		}
		p, err := cells.Prepare(list[0], &cells.Options{MinCells: 1})
		if err != nil {
			t.Fatal(err)
		}
		q, err := cells.Prepare(list[1], &cells.Options{MinCells: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range p.X.(*matrix.CSR[float64]).Val {
			if q.X.(*matrix.CSR[float64]).Val[i] != v {
				t.Fatal("the prepared matrices differ")
			}
		}
	}
}

// TestPBMC holds the figure of docs/cells.md: nine programs of 2638 blood cells of
// nine types.
func TestPBMC(t *testing.T) {
	tab, err := data.Read[float32](testdata.Shared(t, "data/pbmc3k/matrix.mtx.gz"), &data.ReadOptions{Transpose: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := data.Open(testdata.Shared(t, "data/pbmc3k/cell_type.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var labels []int
	number := map[string]int{}
	for s := bufio.NewScanner(r); s.Scan(); {
		if _, known := number[s.Text()]; !known {
			number[s.Text()] = len(number)
		}
		labels = append(labels, number[s.Text()])
	}
	p, err := cells.Prepare(tab, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := nmf.Fit(context.Background(), p.X, 9, cells.Preset(false))
	if err != nil {
		t.Fatal(err)
	}
	a := rank.Agree(cells.Dominant(m), labels)
	t.Logf("adjusted Rand index %.3f, loss %.6g, relative error %.4f", a.ARI, m.Info.Loss, m.Info.RelativeError)
	if a.ARI < 0.55 {
		t.Errorf("adjusted Rand index %.3f", a.ARI)
	}
}
