package rank

import (
	"fmt"
	"math"
	"slices"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// Components are rows over features: those of a model, or of a table of
// references.
type Components struct {
	// H is k x n.
	H *matrix.Dense[float64]
	// Names are those of the components, Features those of the columns; nil
	// where there are none.
	Names, Features []string
	// Shares are the components' parts of the sum over a fit; nil where there is
	// no fit.
	Shares []float64
}

// ComponentsOf takes those of a model.
func ComponentsOf[F matrix.Float](m *nmf.Model[F]) *Components {
	return &Components{H: matrix.Convert[float64](matrix.Matrix[F](m.H)).(*matrix.Dense[float64]), Features: m.ColumnNames, Shares: m.Shares()}
}

// Comparison says which components of A and B are the same.
type Comparison struct {
	// Matches are by rising component of A. Every component of the side that has
	// fewer is in one of them.
	Matches []Match `json:"matches"`
	// MeanCosine and MinCosine are over the matches.
	MeanCosine float64 `json:"mean_cosine"`
	MinCosine  float64 `json:"min_cosine"`
	// OnlyA and OnlyB are the components that have no match, from 0.
	OnlyA []int `json:"only_a,omitempty"`
	OnlyB []int `json:"only_b,omitempty"`
	// Features is the number that both have, by which they were compared;
	// LeftOutA and LeftOutB are the numbers of the others.
	Features int `json:"features"`
	LeftOutA int `json:"features_only_a,omitempty"`
	LeftOutB int `json:"features_only_b,omitempty"`
	// Cosines are those of all pairs, A by B.
	Cosines [][]float64 `json:"cosines"`
}

// Match is a component of A with its like in B. Both are numbered from 0.
type Match struct {
	A     int    `json:"a"`
	B     int    `json:"b"`
	NameA string `json:"name_a,omitempty"`
	NameB string `json:"name_b,omitempty"`
	// Cosine is between the two; Drift is half the sum of the absolute
	// differences of their entries, each scaled to sum 1: the part of the
	// component that has moved, from 0 to 1.
	Cosine float64 `json:"cosine"`
	Drift  float64 `json:"drift"`
	// ShareA and ShareB are parts of the sums over the fits, where there are.
	ShareA *float64 `json:"share_a,omitempty"`
	ShareB *float64 `json:"share_b,omitempty"`
	// Moved are the features that changed most, by falling change.
	Moved []Moved `json:"moved,omitempty"`
}

// Moved is a feature whose part of a component changed from A to B.
type Moved struct {
	Feature int     `json:"feature"`
	Name    string  `json:"name,omitempty"`
	From    float64 `json:"from"`
	To      float64 `json:"to"`
}

// mostMoved is the number of features in Match.Moved.
const mostMoved = 5

// Compare matches the components of a and b one to one so that the sum of their
// cosines is as large as can be (Assign). Where both have names of features they
// are matched by name, and features that one side alone has are left out; else
// both must have as many. Errors wrap ErrInput.
func Compare(a, b *Components) (*Comparison, error) {
	from, to, err := commonFeatures(a, b)
	if err != nil {
		return nil, err
	}
	ha, hb := takeBlock[float64](a.H, all(a.H.Rows), from).(*matrix.Dense[float64]), takeBlock[float64](b.H, all(b.H.Rows), to).(*matrix.Dense[float64])
	c := &Comparison{Features: len(from), LeftOutA: a.H.Cols - len(from), LeftOutB: b.H.Cols - len(to),
		Cosines: unitRows(ha).cosines(unitRows(hb))}
	matchOf := make([]int, ha.Rows)
	if ha.Rows <= hb.Rows {
		copy(matchOf, Assign(c.Cosines))
	} else {
		for i := range matchOf {
			matchOf[i] = -1
		}
		for j, i := range Assign(transposed(c.Cosines)) {
			matchOf[i] = j
		}
	}
	taken := make([]bool, hb.Rows)
	c.MinCosine = math.Inf(1)
	for i, j := range matchOf {
		if j < 0 {
			c.OnlyA = append(c.OnlyA, i)
			continue
		}
		taken[j] = true
		m := Match{A: i, B: j, NameA: name(a.Names, i), NameB: name(b.Names, j), Cosine: c.Cosines[i][j],
			ShareA: share(a.Shares, i), ShareB: share(b.Shares, j)}
		m.Drift, m.Moved = drift(ha.Row(i), hb.Row(j), from, a.Features)
		c.Matches = append(c.Matches, m)
		c.MeanCosine += m.Cosine
		c.MinCosine = min(c.MinCosine, m.Cosine)
	}
	c.MeanCosine /= float64(len(c.Matches))
	for j, t := range taken {
		if !t {
			c.OnlyB = append(c.OnlyB, j)
		}
	}
	return c, nil
}

// commonFeatures gives the columns of a and of b that are of the same features.
func commonFeatures(a, b *Components) (from, to []int, err error) {
	if a.H.Rows == 0 || b.H.Rows == 0 {
		return nil, nil, fmt.Errorf("%w: there are no components", ErrInput)
	}
	if a.Features == nil || b.Features == nil {
		if a.H.Cols != b.H.Cols {
			return nil, nil, fmt.Errorf("%w: %d features against %d, and there are no names to match them by", ErrInput, a.H.Cols, b.H.Cols)
		}
		return all(a.H.Cols), all(b.H.Cols), nil
	}
	place := make(map[string]int, len(b.Features))
	for j, f := range b.Features {
		if _, twice := place[f]; twice {
			return nil, nil, fmt.Errorf("%w: feature %q is there twice, so that features cannot be matched by name", ErrInput, f)
		}
		place[f] = j
	}
	seen := make(map[string]bool, len(a.Features))
	for i, f := range a.Features {
		if seen[f] {
			return nil, nil, fmt.Errorf("%w: feature %q is there twice, so that features cannot be matched by name", ErrInput, f)
		}
		seen[f] = true
		if j, ok := place[f]; ok {
			from, to = append(from, i), append(to, j)
		}
	}
	if len(from) == 0 {
		return nil, nil, fmt.Errorf("%w: no feature has the same name on both sides: %q against %q", ErrInput, a.Features[0], b.Features[0])
	}
	return from, to, nil
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func transposed(c [][]float64) [][]float64 {
	out := make([][]float64, len(c[0]))
	for j := range out {
		out[j] = make([]float64, len(c))
		for i := range c {
			out[j][i] = c[i][j]
		}
	}
	return out
}

func name(names []string, i int) string {
	if names == nil {
		return ""
	}
	return names[i]
}

func share(shares []float64, i int) *float64 {
	if shares == nil {
		return nil
	}
	return &shares[i]
}

// drift compares two rows as distributions.
func drift(a, b []float64, columns []int, features []string) (float64, []Moved) {
	p, q := distribution(a), distribution(b)
	order := all(len(p))
	total := 0.0
	change := func(i int) float64 { return math.Abs(p[i] - q[i]) }
	for i := range p {
		total += change(i) / 2
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case change(i) > change(j):
			return -1
		case change(i) < change(j):
			return 1
		}
		return 0
	})
	var moved []Moved
	for _, i := range order[:min(mostMoved, len(order))] {
		if change(i) > 0 {
			moved = append(moved, Moved{columns[i], name(features, columns[i]), p[i], q[i]})
		}
	}
	return total, moved
}

func distribution(row []float64) []float64 {
	sum := 0.0
	for _, v := range row {
		sum += v
	}
	out := make([]float64, len(row))
	if sum > 0 {
		for i, v := range row {
			out[i] = v / sum
		}
	}
	return out
}
