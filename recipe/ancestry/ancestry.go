package ancestry

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/figure"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// leastFrequency is the least that a genotype counts as likely, as in sNMF's
// results: a frequency of zero from a few individuals does not rule it out.
const leastFrequency = 1e-4

// Ancestry is a model in the field's terms.
type Ancestry struct {
	set *Set
	// Q (individuals x k) holds the parts of each individual's genome, which sum
	// to one; the populations are ordered by their sum over individuals.
	Q *matrix.Dense[float64]
	// G (k x loci·(ploidy+1)) holds the frequencies of the genotypes of each locus
	// in each population, which sum to one.
	G *matrix.Dense[float64]
}

// New takes a model of coded genotypes. Genotype frequencies of a locus sum to
// one nearly, as least squares leaves them; here they are divided by their sum.
func New[F matrix.Float](s *Set, m *nmf.Model[F]) *Ancestry {
	k, states := m.K(), s.Ploidy+1
	sums := make([]float64, k)
	for i := range m.W.Rows {
		for l, v := range m.W.Row(i) {
			sums[l] += float64(v) * m.Scales[l]
		}
	}
	order := make([]int, k)
	for l := range order {
		order[l] = l
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sums[b], sums[a]) })
	a := &Ancestry{set: s, Q: matrix.NewDense[float64](m.W.Rows, k), G: matrix.NewDense[float64](k, m.H.Cols)}
	for to, from := range order {
		for i := range m.W.Rows {
			a.Q.Set(i, to, float64(m.W.At(i, from))*m.Scales[from])
		}
		row := a.G.Row(to)
		for l := 0; l < len(row); l += states {
			total := 0.0
			for g := range states {
				row[l+g] = float64(m.H.At(from, l+g))
				total += row[l+g]
			}
			for g := range states {
				if total > 0 {
					row[l+g] /= total
				} else {
					row[l+g] = 1 / float64(states)
				}
			}
		}
	}
	for i := range a.Q.Rows {
		total := 0.0
		for _, v := range a.Q.Row(i) {
			total += v
		}
		for l, v := range a.Q.Row(i) {
			if total > 0 {
				a.Q.Set(i, l, v/total)
			}
		}
	}
	return a
}

// Probability is that of a genotype, from the individual's ancestry.
func (a *Ancestry) Probability(c Cell) float64 {
	states := a.set.Ploidy + 1
	of, total := 0.0, 0.0
	for g := range states {
		p := 0.0
		for l, q := range a.Q.Row(c.Individual) {
			p += q * a.G.At(l, states*c.Locus+g)
		}
		p = max(p, leastFrequency)
		total += p
		if g == c.Genotype {
			of = p
		}
	}
	return of / total
}

// CrossEntropy is the mean of −ln(probability) over genotypes that the model has
// not seen: the lower the better (Frichot et al. 2014).
func (a *Ancestry) CrossEntropy(hidden []Cell) float64 {
	sum := 0.0
	for _, c := range hidden {
		sum -= math.Log(a.Probability(c))
	}
	return sum / float64(len(hidden))
}

// Frequencies gives for every population the frequency of the counted allele at
// each locus (k x loci).
func (a *Ancestry) Frequencies() *matrix.Dense[float64] {
	states := a.set.Ploidy + 1
	out := matrix.NewDense[float64](a.G.Rows, a.set.Genotypes.Cols)
	for l := range out.Rows {
		for j := range out.Cols {
			f := 0.0
			for g := range states {
				f += float64(g) / float64(a.set.Ploidy) * a.G.At(l, states*j+g)
			}
			out.Set(l, j, f)
		}
	}
	return out
}

// Order sorts the individuals by the population that they have most of, and within
// it by how much.
func (a *Ancestry) Order() []int {
	order, most := make([]int, a.Q.Rows), make([]int, a.Q.Rows)
	for i := range order {
		order[i] = i
		for l, v := range a.Q.Row(i) {
			if v > a.Q.At(i, most[i]) {
				most[i] = l
			}
		}
	}
	slices.SortStableFunc(order, func(x, y int) int {
		if c := cmp.Compare(most[x], most[y]); c != 0 {
			return c
		}
		return cmp.Compare(a.Q.At(y, most[y]), a.Q.At(x, most[x]))
	})
	return order
}

// Plot draws the ancestry of all individuals as stacked bars, in the order of
// Order.
func (a *Ancestry) Plot() *figure.Stacked {
	p := &figure.Stacked{Title: fmt.Sprintf("Ancestry of %d individuals from %d populations, by %d loci", a.Q.Rows, a.Q.Cols, a.set.Genotypes.Cols), YLabel: "part of the genome"}
	for l := range a.Q.Cols {
		p.Parts = append(p.Parts, fmt.Sprintf("population %d", l+1))
	}
	for _, i := range a.Order() {
		p.Bars = append(p.Bars, figure.StackedBar{Label: a.set.Individual(i), Values: a.Q.Row(i)})
	}
	return p
}

// Entropy is the cross-entropy of a number of populations over several masks.
type Entropy struct {
	K int `json:"k"`
	// Mean is over the masks, Values has that of each.
	Mean   float64   `json:"mean"`
	Values []float64 `json:"values"`
}

// CrossEntropy masks a share of the genotypes, once for each of so many seeds from
// seed on, fits the rest with k populations, and gives the cross-entropy of what
// was masked. fit makes a model of coded genotypes with a seed.
func CrossEntropy[F matrix.Float](ctx context.Context, s *Set, k, masks int, share float64, seed uint64, fit func(ctx context.Context, masked *Set, k int, seed uint64) (*nmf.Model[F], error)) (*Entropy, error) {
	if masks < 1 || !(share > 0 && share < 1) {
		return nil, fmt.Errorf("%w: %d masks of %v of the genotypes", recipe.ErrOption, masks, share)
	}
	e := &Entropy{K: k}
	for r := range masks {
		masked, hidden := s.Mask(share, seed+uint64(r))
		if len(hidden) == 0 {
			return nil, fmt.Errorf("%w: no genotype is masked: there are too few, or the share %v is too small", recipe.ErrOption, share)
		}
		m, err := fit(ctx, masked, k, seed+uint64(r))
		if err != nil {
			return nil, err
		}
		e.Values = append(e.Values, New(masked, m).CrossEntropy(hidden))
		e.Mean += e.Values[r] / float64(masks)
	}
	return e, nil
}
