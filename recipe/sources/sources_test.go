package sources

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

func tableOf(t *testing.T, name, text string) *table {
	t.Helper()
	out, err := parseTable(name, strings.NewReader(text), -999)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func prepared(t *testing.T, con, unc string, o *Options) (*Set, error) {
	t.Helper()
	opt, err := o.resolve()
	if err != nil {
		return nil, err
	}
	return prepare(tableOf(t, "con.csv", con), tableOf(t, "unc.csv", unc), opt)
}

const (
	con = "Date,Fe,Pb,Zn\n,ug,ug,ug\nd1,10,1,0.1\nd2,20,-999,0.2\nd3,30,3,0.3\n"
	unc = "Date,Pb,Fe,Zn\nd1,0.5,1,1\nd2,0.5,2,1\nd3,0.5,3,1\n"
)

func TestPrepare(t *testing.T) {
	s, err := prepared(t, con, unc, &Options{Extra: 10})
	if err != nil {
		t.Fatal(err)
	}
	// S/N by the definition: Fe 9 each; Pb (1 + 5)/2; Zn never above its
	// uncertainty.
	for j, want := range []Species{{"Fe", "ug", 9, Strong, 0, 0}, {"Pb", "ug", 3, Strong, 1, 0}, {"Zn", "ug", 0, Bad, 0, 0}} {
		if got := s.All[j]; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if !slices.Equal(s.ColumnNames, []string{"Fe", "Pb"}) {
		t.Errorf("columns %v", s.ColumnNames)
	}
	if got, want := s.Sigma.At(2, 0), math.Hypot(3, 3); got != want {
		t.Errorf("σ of Fe on d3 is %v, want %v", got, want)
	}
	if x, sigma, w := s.concentrations().At(1, 1), s.Sigma.At(1, 1), s.Weights().At(1, 1); x != 0 || sigma != 0 || w != 0 {
		t.Errorf("the missing cell has %v, σ %v, weight %v", x, sigma, w)
	}
	s, err = prepared(t, con, unc, &Options{Missing: "median", Weak: []string{"Fe"}, Strong: []string{"Zn"}})
	if err != nil {
		t.Fatal(err)
	}
	if x, sigma := s.concentrations().At(1, 1), s.Sigma.At(1, 1); x != 2 || sigma != 8 {
		t.Errorf("the missing cell has %v, σ %v, want the median 2 and 8", x, sigma)
	}
	if sigma := s.Sigma.At(2, 0); sigma != 9 {
		t.Errorf("σ of a weak species is %v, want three times 3", sigma)
	}
	s, err = prepared(t, con, unc, &Options{Missing: "drop"})
	if err != nil || !slices.Equal(s.RowNames, []string{"d1", "d3"}) {
		t.Errorf("rows %v, %v", s.RowNames, err)
	}
}

// TestDetectionLimits checks the uncertainties of EPA PMF's guide by hand.
func TestDetectionLimits(t *testing.T) {
	limits := "Species,Fe,Pb,Zn\nMDL,10,2,0.05\nEF,10,20,5\n"
	s, err := prepared(t, con, limits, &Options{AllStrong: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		i, j int
		want float64
	}{{0, 0, 5.0 / 6 * 10}, {1, 0, math.Hypot(2, 5)}, {0, 1, 5.0 / 6 * 2}, {2, 1, math.Hypot(0.6, 1)}, {2, 2, math.Hypot(0.015, 0.025)}} {
		if got := s.Sigma.At(c.i, c.j); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("σ of row %d, species %d is %v, want %v", c.i, c.j, got, c.want)
		}
	}
	if s.All[0].BelowLimit != 1 || s.All[1].BelowLimit != 1 || s.All[2].BelowLimit != 0 {
		t.Errorf("%+v", s.All)
	}
	s, err = prepared(t, con, limits, &Options{AllStrong: true, HalfLimit: true})
	if err != nil || s.concentrations().At(0, 0) != 5 || s.concentrations().At(1, 0) != 20 {
		t.Errorf("half limits: %v, %v", s.X, err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		con, unc string
		o        *Options
		want     string
	}{
		{con, strings.Replace(unc, "d1,0.5", "d1,0", 1), nil, `unc.csv:2, column 3: the uncertainty of "Pb" in sample "d1" is 0; an uncertainty is above 0`},
		{con, strings.Replace(unc, "d3", "d4", 1), nil, `unc.csv:4, column 1: sample "d4", which is "d3" in line 5 of con.csv`},
		{con, unc + "d4,1,1,1\n", nil, `unc.csv: uncertainties of 4 samples, and con.csv has concentrations of 3`},
		{con, strings.Replace(unc, "Zn", "Hg", 1), nil, `no uncertainties for "Zn", and uncertainties without concentrations for "Hg"`},
		{strings.Replace(con, "20,", "-20,", 1), unc, nil, `con.csv:4, column 2: the concentration of "Fe" in sample "d2" is -20`},
		{con, "Species,Fe,Pb,Zn\nMDL,10,0,0.05\nEF,10,20,5\n", nil, `the detection limit of "Pb" is 0`},
		{con, unc, &Options{HalfLimit: true}, `detection limits are not known`},
		{con, unc, &Options{Weak: []string{"U"}}, `there is no species "U" to call weak`},
		{con, unc, &Options{Bad: []string{"Fe", "Pb"}}, `no species is left`},
		{con, unc, &Options{Missing: "guess"}, `missing "guess" is unknown`},
		{con, unc, &Options{Extra: -1}, `an extra uncertainty of -1 per cent`},
	} {
		_, err := prepared(t, c.con, c.unc, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
		if !errors.Is(err, recipe.ErrInput) && !errors.Is(err, recipe.ErrOption) {
			t.Errorf("%v wraps neither sentinel", err)
		}
	}
	for text, want := range map[string]string{
		"Date,a\nd1,x\nd2,1\nd3,y\n": `t.csv:4, column 2: "y" where a number belongs (sample "d3", species "a")`,
		"Date,a,a\n":                 `the species "a" is there twice`,
		"Date,1.5\n":                 `"1.5" where the name of a species belongs`,
		"Date,a\nd1,1,2\n":           `t.csv:2: 3 fields where the first line has 2`,
		"Date,a\n":                   `there are no samples`,
		"Date\n":                     `names no species`,
		"Date,a\n\"d1,1\n":           `extraneous or missing`,
	} {
		if _, err := parseTable("t.csv", strings.NewReader(text), -999); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// TestSodium: what stands for a missing value is a species in the first line.
func TestSodium(t *testing.T) {
	out := tableOf(t, "t.csv", "Date,Na,Cl\nd1,na,2\nd2,1,NA\n")
	if !slices.Equal(out.species, []string{"Na", "Cl"}) || out.values[0][0] == out.values[0][0] || out.values[1][0] != 1 {
		t.Errorf("%+v", out)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add([]byte(con))
	f.Add([]byte("\ufeffDate;Fe\nd;1e3\n"))
	f.Add([]byte("a\tb\n\n\"x\ny\"\t-999\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := parseTable("f", strings.NewReader(string(text)), -999)
		if err != nil {
			return
		}
		for i, row := range out.values {
			if len(row) != len(out.species) {
				t.Fatalf("row %d has %d values, there are %d species", i, len(row), len(out.species))
			}
			for _, v := range row {
				if math.IsInf(v, 0) {
					t.Fatal("an infinity")
				}
			}
		}
	})
}

// simulated makes data of k sources with log-normal noise of 5 per cent.
func simulated(t testing.TB, m, n, k int, seed uint64) (s *Set, g, f *matrix.Dense[float64]) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	g, f = matrix.NewDense[float64](m, k), matrix.NewDense[float64](k, n)
	for i := range g.Data {
		g.Data[i] = math.Exp(rng.NormFloat64())
		if rng.Float64() < 0.3 {
			g.Data[i] = 0.01
		}
	}
	for l := range k {
		for j := range n {
			if j%k == l || rng.Float64() < 0.3 {
				f.Set(l, j, math.Exp(rng.NormFloat64()))
			}
		}
	}
	s = &Set{Sigma: matrix.NewDense[float64](m, n)}
	x := matrix.NewDense[float64](m, n)
	for i := range m {
		s.RowNames = append(s.RowNames, fmt.Sprintf("d%d", i+1))
		for j := range n {
			for l := range k {
				x.Data[i*n+j] += g.At(i, l) * f.At(l, j)
			}
			s.Sigma.Set(i, j, 0.05*x.At(i, j)+0.01)
			x.Set(i, j, max(0, x.At(i, j)+s.Sigma.At(i, j)*rng.NormFloat64()))
		}
	}
	for j := range n {
		s.ColumnNames = append(s.ColumnNames, fmt.Sprintf("s%d", j+1))
		s.Species = append(s.Species, Species{Name: s.ColumnNames[j], Category: Strong})
	}
	s.X, s.All = x, s.Species
	return s, g, f
}

// TestIntervals: with honest uncertainties Q is near what is expected, the true
// profiles lie in most intervals, and the tables and the picture are there.
func TestIntervals(t *testing.T) {
	ctx := context.Background()
	s, trueG, trueF := simulated(t, 60, 8, 3, 1)
	truth := s.solution(trueG, trueF)
	sol := fit(t, s, 3, 10)
	if ratio := sol.Q / sol.QExpected; ratio < 0.7 || ratio > 1.3 {
		t.Errorf("Q is %.2f of what is expected", ratio)
	}
	for l := range 3 {
		mean := 0.0
		for i := range sol.G.Rows {
			mean += sol.G.At(i, l) / float64(sol.G.Rows)
		}
		if math.Abs(mean-1) > 1e-12 {
			t.Errorf("contributions of factor %d have mean %v", l+1, mean)
		}
	}
	pair := matches(sol.G, truth.G, nil, 0.9)
	for l, p := range pair {
		if p < 0 {
			t.Fatalf("factor %d is like none of the truth", l+1)
		}
	}
	d, err := s.Displace(ctx, sol, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bootstrap(ctx, sol, &BootstrapOptions{Resamples: 40})
	if err != nil {
		t.Fatal(err)
	}
	if b.Block != 4 {
		t.Errorf("blocks of %d samples of 60", b.Block)
	}
	within := 0
	for l := range 3 {
		if b.Mapped[l][l] < 36 {
			t.Errorf("factor %d is found again in %d of 40 resamples", l+1, b.Mapped[l][l])
		}
		for j := range 8 {
			low, at, high := d.Low.At(l, j), sol.F.At(l, j), d.High.At(l, j)
			if low > at+1e-9 || high < at {
				t.Errorf("factor %d, species %d: %v is not in %v to %v", l+1, j+1, at, low, high)
			}
			// The truth has a scale of its own: that of the markers.
			m := marker(sol.Shares().Row(l), j)
			v := truth.F.At(pair[l], j) * sol.F.At(l, m) / truth.F.At(pair[l], m)
			if v >= low-0.02 && v <= high+0.02 {
				within++
			}
			if q := b.Quantiles[l][j]; !slices.IsSorted(q[:]) {
				t.Errorf("quantiles %v", q)
			}
		}
	}
	if within < 18 {
		t.Errorf("%d of 24 true entries are within their intervals", within)
	}
	if d.LargestFall > 1 || d.Open > 0 || slices.Max(d.Swaps) > 0 {
		t.Errorf("Q fell by %v, %d ends are open, swaps %v", d.LargestFall, d.Open, d.Swaps)
	}
	again, err := s.Bootstrap(ctx, sol, &BootstrapOptions{Resamples: 40, Threads: 1})
	if err != nil || fmt.Sprint(again) != fmt.Sprint(b) {
		t.Errorf("one thread gives another bootstrap: %v", err)
	}
	folder := t.TempDir()
	r := &Report{s, sol, nil, b, d}
	turned, err := s.Fpeak(ctx, sol, -0.3, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.Rotations = []*Rotation{turned}
	if err := r.WriteTables(folder); err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string]int{"profiles": 9, "contributions": 61, "residuals": 61, "species": 9, "bootstrap": 25, "mapping": 4, "displacement": 25, "fpeak_-0.3_profiles": 9, "percentages": 9} {
		text, err := os.ReadFile(filepath.Join(folder, name+".csv"))
		if err != nil || strings.Count(string(text), "\n") != lines {
			t.Errorf("%s.csv: %d lines, want %d, %v", name, strings.Count(string(text), "\n"), lines, err)
		}
	}
}

// TestDisplacementIsWhereQRises fits by itself with the entry at the ends.
func TestDisplacementIsWhereQRises(t *testing.T) {
	ctx := context.Background()
	s, _, _ := simulated(t, 30, 5, 2, 3)
	sol := fit(t, s, 2, 5)
	d, err := s.Displace(ctx, sol, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	for l := range 2 {
		for j := range 5 {
			for _, v := range []float64{d.Low.At(l, j), d.High.At(l, j)} {
				held, start := free(2, 5), sol.F.Clone()
				held.Set(l, j, v)
				start.Set(l, j, v)
				m := marker(sol.Shares().Row(l), j)
				held.Set(l, m, sol.F.At(l, m))
				r, err := s.refit(ctx, refit{g: sol.G, f: start, heldF: held, weights: s.Weights(), tight: true})
				if err != nil {
					t.Fatal(err)
				}
				if rise := r.Q - sol.Q; v == 0 && rise > 4.3 || v > 0 && math.Abs(rise-4) > 0.4 {
					t.Errorf("factor %d, species %d at %v: Q rises by %v, want 4", l+1, j+1, v, rise)
				}
			}
		}
	}
}

func TestFpeak(t *testing.T) {
	ctx := context.Background()
	s, _, _ := simulated(t, 40, 6, 2, 5)
	sol := fit(t, s, 2, 5)
	zeros := func(a *matrix.Dense[float64]) (n int) {
		for _, v := range a.Data {
			if v == 0 {
				n++
			}
		}
		return n
	}
	for _, strength := range []float64{0, 0.2, -0.2} {
		r, err := s.Fpeak(ctx, sol, strength, 0)
		if err != nil {
			t.Fatal(err)
		}
		if r.DQ < -1e-3*sol.Q || math.Abs(r.DQ-(r.Q-sol.Q)) > 1e-9 {
			t.Errorf("strength %v: Q %v from %v, dQ %v", strength, r.Q, sol.Q, r.DQ)
		}
		if strength == 0 && r.DQ > 1e-3*sol.Q {
			t.Errorf("without a rotation Q rises by %v", r.DQ)
		}
		if strength > 0 && zeros(r.F) < zeros(sol.F) || strength < 0 && zeros(r.G) < zeros(sol.G) {
			t.Errorf("strength %v sharpens nothing", strength)
		}
	}
}

// TestRobust: cells that are twice too large move the robust profiles less.
func TestRobust(t *testing.T) {
	s, _, trueF := simulated(t, 50, 6, 2, 9)
	x := s.concentrations()
	for i := 0; i < 50; i += 10 {
		x.Set(i, i/10, 2*x.At(i, i/10)+0.2)
	}
	plain := fit(t, s, 2, 5)
	robust, w, err := s.Robust(context.Background(), []*Solution{plain}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, r := matched(plain.F, trueF.T()), matched(robust.F, trueF.T())
	if slices.Min(r) < slices.Min(p) || slices.Min(r) < 0.98 {
		t.Errorf("cosines to the truth: robust %v, plain %v", r, p)
	}
	if !(w.At(0, 0) < s.Weights().At(0, 0)) {
		t.Error("the outlier keeps its weight")
	}
}
