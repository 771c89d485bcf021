package ancestry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

func fit(ctx context.Context, s *Set, k int, seed uint64) (*nmf.Model[float64], error) {
	o := Preset()
	o.Seed = seed
	return nmf.Fit(ctx, s.Code().X, k, o)
}

func lea(t testing.TB, name string) string { return testdata.Shared(t, "data/geno-lea/"+name) }

// TestLEA stands beside sNMF's published runs with 4 populations. Their masked
// file is that of run 10, of which the shipped factors give the published
// cross-entropy with our definition.
func TestLEA(t *testing.T) {
	ctx := context.Background()
	known, err := Read(lea(t, "genotypes.geno.gz"), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	masked, err := Read(lea(t, "snmf-K4/masked/genotypes_I.geno.gz"), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := masked.Hidden(known)
	if err != nil {
		t.Fatal(err)
	}
	const published = 0.683492930336781
	theirs := &Ancestry{set: known, Q: numbers(t, lea(t, "snmf-K4/run10/genotypes_r10.4.Q")), G: numbers(t, lea(t, "snmf-K4/run10/genotypes_r10.4.G.gz")).T()}
	// Theirs does not divide the three probabilities by their sum, which is not
	// quite one in the rounded factors.
	if got := theirs.CrossEntropy(hidden); math.Abs(got-published) > 2e-4 {
		t.Errorf("the published factors of run 10 have cross-entropy %.6f, published is %.6f", got, published)
	}
	m, err := fit(ctx, masked, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := New(masked, m).CrossEntropy(hidden); got > published {
		t.Errorf("cross-entropy %.4f on the shipped masked file, published is %.4f", got, published)
	} else {
		t.Logf("shipped masked file: cross-entropy %.4f, published %.4f", got, published)
	}
	e, err := CrossEntropy(ctx, known, 4, 10, 0.05, 0, fit)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("10 seeds: mean %.4f, from %.4f to %.4f", e.Mean, slices.Min(e.Values), slices.Max(e.Values))
	if e.Mean > 0.604 {
		t.Errorf("mean cross-entropy over 10 seeds is %.4f, want at most 0.604", e.Mean)
	}
}

// numbers reads a table of numbers with blanks between.
func numbers(t testing.TB, path string) *matrix.Dense[float64] {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]float64
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var row []float64
		for _, field := range strings.Fields(line) {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, v)
		}
		rows = append(rows, row)
	}
	d, err := matrix.FromRows(rows)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// admixed draws genotypes of individuals with ancestry from k populations.
func admixed(individuals, loci, k, ploidy int, seed uint64) (s *Set, q, p *matrix.Dense[float64]) {
	rng := rand.New(rand.NewPCG(seed, 0))
	q, p = matrix.NewDense[float64](individuals, k), matrix.NewDense[float64](k, loci)
	for i := range p.Data {
		p.Data[i] = 0.05 + 0.9*rng.Float64()
	}
	s = &Set{Genotypes: matrix.NewDense[float64](individuals, loci), Ploidy: ploidy}
	for i := range individuals {
		total := 0.0
		for l := range k {
			v := rng.ExpFloat64()
			if i%(k+1) == l {
				v += 50
			}
			q.Set(i, l, v)
			total += v
		}
		for l := range k {
			q.Set(i, l, q.At(i, l)/total)
		}
		for j := range loci {
			f := 0.0
			for l := range k {
				f += q.At(i, l) * p.At(l, j)
			}
			for range ploidy {
				if rng.Float64() < f {
					s.Genotypes.Data[i*loci+j]++
				}
			}
		}
	}
	return s, q, p
}

// TestRecovery: ancestry and allele frequencies of simulated populations come
// back, also with a tenth of the genotypes missing and with four copies; and the
// cross-entropy is least at their number.
func TestRecovery(t *testing.T) {
	ctx := context.Background()
	for _, ploidy := range []int{1, 2, 4} {
		s, q, p := admixed(80, 400, 3, ploidy, uint64(ploidy))
		s, _ = s.Mask(0.1, 5)
		m, err := fit(ctx, s, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		a := New(s, m)
		f := a.Frequencies()
		for l := range 3 {
			best, off := 0, math.Inf(1)
			for b := range 3 {
				sum := 0.0
				for i := range 80 {
					sum += math.Abs(a.Q.At(i, b)-q.At(i, l)) / 80
				}
				if sum < off {
					best, off = b, sum
				}
			}
			ofFrequencies := 0.0
			for j := range 400 {
				ofFrequencies += math.Abs(f.At(best, j)-p.At(l, j)) / 400
			}
			if off > 0.08 || ofFrequencies > 0.12 {
				t.Errorf("ploidy %d, population %d: ancestry is off by %.3f, frequencies by %.3f on average", ploidy, l+1, off, ofFrequencies)
			}
		}
		for i := range 80 {
			sum := 0.0
			for _, v := range a.Q.Row(i) {
				sum += v
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Errorf("ancestry of individual %d sums to %v", i+1, sum)
			}
		}
	}
	s, _, _ := admixed(80, 400, 3, 2, 9)
	var means []float64
	for k := 1; k <= 5; k++ {
		e, err := CrossEntropy(ctx, s, k, 2, 0.05, 0, fit)
		if err != nil {
			t.Fatal(err)
		}
		means = append(means, e.Mean)
	}
	if best := slices.Index(means, slices.Min(means)) + 1; best != 3 {
		t.Errorf("cross-entropies %.4f: least at %d populations, there are 3", means, best)
	}
}

func TestCode(t *testing.T) {
	s := &Set{Genotypes: &matrix.Dense[float64]{Rows: 2, Cols: 2, Stride: 2, Data: []float64{0, 2, math.NaN(), 1}}, Ploidy: 2}
	got := fmt.Sprint(s.Code().X.(*matrix.Dense[float64]).Data, s.Code().ColumnNames)
	want := "[1 0 0 0 0 1 NaN NaN NaN 0 1 0] [locus 1 = 0 locus 1 = 1 locus 1 = 2 locus 2 = 0 locus 2 = 1 locus 2 = 2]"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	masked, hidden := s.Mask(0.99, 1)
	for _, c := range hidden {
		if v := masked.Genotypes.At(c.Individual, c.Locus); v == v || s.Genotypes.At(c.Individual, c.Locus) != float64(c.Genotype) {
			t.Errorf("%+v is hidden as %v", c, v)
		}
	}
	again, err := masked.Hidden(s)
	if err != nil || !slices.Equal(again, hidden) {
		t.Errorf("%v, %v, want %v", again, err, hidden)
	}
}

// TestOnePopulation: the frequencies of a single population are those of the
// genotypes.
func TestOnePopulation(t *testing.T) {
	s, _, _ := admixed(20, 30, 2, 2, 4)
	m, err := fit(context.Background(), s, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := New(s, m).Frequencies()
	for j := range 30 {
		want := 0.0
		for i := range 20 {
			want += s.Genotypes.At(i, j) / 40
		}
		if math.Abs(f.At(0, j)-want) > 1e-4 {
			t.Errorf("locus %d has frequency %v, want %v", j+1, f.At(0, j), want)
		}
	}
}

func TestPlot(t *testing.T) {
	s, _, _ := admixed(12, 60, 2, 2, 6)
	m, err := fit(context.Background(), s, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	a := New(s, m)
	order := a.Order()
	if sorted := slices.Sorted(slices.Values(order)); len(sorted) != 12 || sorted[0] != 0 || sorted[11] != 11 {
		t.Errorf("order %v", order)
	}
	second := false
	for n, i := range order {
		of := 0
		if a.Q.At(i, 1) > a.Q.At(i, 0) {
			of = 1
		}
		if of == 0 && second {
			t.Errorf("individual %d of population 1 comes after those of 2", i)
		}
		if n > 0 && (of == 1) == second && a.Q.At(i, of) > a.Q.At(order[n-1], of) {
			t.Errorf("individual %d has more of population %d than the one before", i, of+1)
		}
		second = second || of == 1
	}
	var b bytes.Buffer
	if err := a.Plot().WriteSVG(&b); err != nil || strings.Count(b.String(), "<g><title>individual ") != 12 {
		t.Errorf("%d bars, %v", strings.Count(b.String(), "<g><title>individual "), err)
	}
}

func TestErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g.csv")
	if err := os.WriteFile(path, []byte("id,l1,l2\na,0,1\nb,0.5,2\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 2, nil); !errors.Is(err, recipe.ErrInput) || !strings.Contains(err.Error(), "b, l1: 0.5 is not a genotype of ploidy 2") {
		t.Errorf("error %v", err)
	}
	if _, err := Read(path, 101, nil); !errors.Is(err, recipe.ErrOption) {
		t.Errorf("error %v", err)
	}
	s, _, _ := admixed(3, 4, 1, 2, 1)
	other, _, _ := admixed(3, 5, 1, 2, 1)
	if _, err := s.Hidden(other); !errors.Is(err, recipe.ErrInput) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Hidden(s); !errors.Is(err, recipe.ErrInput) {
		t.Errorf("error %v", err)
	}
	if _, err := CrossEntropy(context.Background(), s, 1, 0, 0.05, 0, fit); !errors.Is(err, recipe.ErrOption) {
		t.Errorf("error %v", err)
	}
}
