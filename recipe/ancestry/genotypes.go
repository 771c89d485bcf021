package ancestry

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Set are genotypes: copies of an allele, from 0 to Ploidy, of individuals (rows)
// at loci (columns), NaN where they are missing.
type Set struct {
	File      string
	Genotypes *matrix.Dense[float64]
	// Individuals and Loci are names; nil where the file has none.
	Individuals, Loci []string
	Ploidy            int
	Missing           int
	Notes             []string
}

// Read reads genotypes in any format that data reads them in, or a matrix of
// them. A ploidy of 0 is 2.
func Read(path string, ploidy int, o *data.ReadOptions) (*Set, error) {
	if ploidy == 0 {
		ploidy = 2
	}
	if ploidy < 1 || ploidy > 100 {
		return nil, fmt.Errorf("%w: a ploidy of %d; it must be from 1 to 100", recipe.ErrOption, ploidy)
	}
	var opt data.ReadOptions
	if o != nil {
		opt = *o
	}
	opt.Missing = data.MissingWords
	t, err := data.Read[float64](path, &opt)
	if err != nil {
		return nil, err
	}
	s := &Set{File: path, Individuals: t.RowNames, Loci: t.ColumnNames, Ploidy: ploidy, Notes: t.Notes}
	switch x := t.X.(type) {
	case *matrix.Dense[float64]:
		s.Genotypes = x
	case *matrix.CSR[float64]:
		s.Genotypes = x.Dense()
	}
	return s, s.check()
}

// check refuses what is no genotype, and counts what is missing.
func (s *Set) check() error {
	empty := 0
	for i := range s.Genotypes.Rows {
		gaps := 0
		for l, v := range s.Genotypes.Row(i) {
			switch {
			case v != v:
				gaps++
			case v < 0 || v > float64(s.Ploidy) || v != math.Trunc(v):
				return &data.Error{File: s.File, Found: fmt.Sprintf("%s, %s: %v is not a genotype of ploidy %d", s.Individual(i), s.Locus(l), v, s.Ploidy),
					Hint: fmt.Sprintf("it is the number of copies of an allele, 0 to %d, or missing", s.Ploidy), Err: recipe.ErrInput}
			}
		}
		s.Missing += gaps
		if gaps == s.Genotypes.Cols {
			empty++
		}
	}
	if s.Missing == len(s.Genotypes.Data) {
		return &data.Error{File: s.File, Found: "every genotype is missing", Err: recipe.ErrInput}
	}
	if empty > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("individuals without any genotype: %d; their ancestry means nothing", empty))
	}
	return nil
}

// Individual and Locus name a row and a column.
func (s *Set) Individual(i int) string { return name(s.Individuals, i, "individual") }
func (s *Set) Locus(l int) string      { return name(s.Loci, l, "locus") }

func name(names []string, i int, what string) string {
	if names == nil {
		return fmt.Sprintf("%s %d", what, i+1)
	}
	return names[i]
}

// Code makes the matrix that is factorized: for every locus Ploidy + 1 columns, in
// which an individual has 1 under its genotype and 0 under the others (Frichot et
// al. 2014); NaN where the genotype is missing.
func (s *Set) Code() *data.Table[float64] {
	states := s.Ploidy + 1
	x := matrix.NewDense[float64](s.Genotypes.Rows, states*s.Genotypes.Cols)
	t := &data.Table[float64]{X: x, RowNames: s.Individuals, Notes: s.Notes}
	for l := range s.Genotypes.Cols {
		for g := range states {
			t.ColumnNames = append(t.ColumnNames, fmt.Sprintf("%s = %d", s.Locus(l), g))
		}
	}
	for i := range x.Rows {
		row := x.Row(i)
		for l, v := range s.Genotypes.Row(i) {
			if v == v {
				row[states*l+int(v)] = 1
				continue
			}
			for g := range states {
				row[states*l+g] = math.NaN()
			}
		}
	}
	return t
}

// Preset is what the door fits with: rows of W sum to one, missing genotypes do
// not count, the best of 5 starts.
func Preset() *nmf.Options {
	return &nmf.Options{Missing: "nan", Runs: 5, LossTol: 1e-5, PenaltyW: nmf.Penalty{Simplex: true}}
}

// Cell is a genotype that was masked.
type Cell struct{ Individual, Locus, Genotype int }

// Mask hides a share of the genotypes that there are, drawn by the seed.
func (s *Set) Mask(share float64, seed uint64) (masked *Set, hidden []Cell) {
	rng := rand.New(rand.NewPCG(seed, 0))
	out := *s
	out.Genotypes = s.Genotypes.Clone()
	for i := range out.Genotypes.Rows {
		for l, v := range out.Genotypes.Row(i) {
			if v == v && rng.Float64() < share {
				hidden = append(hidden, Cell{i, l, int(v)})
				out.Genotypes.Set(i, l, math.NaN())
			}
		}
	}
	out.Missing += len(hidden)
	return &out, hidden
}

// Hidden gives the genotypes that are missing here and known in another set.
func (s *Set) Hidden(known *Set) ([]Cell, error) {
	if s.Genotypes.Rows != known.Genotypes.Rows || s.Genotypes.Cols != known.Genotypes.Cols {
		return nil, fmt.Errorf("%w: %s has %d individuals at %d loci, %s %d at %d", recipe.ErrInput, s.File, s.Genotypes.Rows, s.Genotypes.Cols, known.File, known.Genotypes.Rows, known.Genotypes.Cols)
	}
	var hidden []Cell
	for i := range s.Genotypes.Rows {
		for l, v := range s.Genotypes.Row(i) {
			k := known.Genotypes.At(i, l)
			switch {
			case v != v && k == k:
				hidden = append(hidden, Cell{i, l, int(k)})
			case v == v && k == k && v != k:
				return nil, fmt.Errorf("%w: %s, %s is %v in %s and %v in %s", recipe.ErrInput, s.Individual(i), s.Locus(l), v, s.File, k, known.File)
			}
		}
	}
	if len(hidden) == 0 {
		return nil, fmt.Errorf("%w: no genotype that is missing in %s is known in %s", recipe.ErrInput, s.File, known.File)
	}
	return hidden, nil
}
