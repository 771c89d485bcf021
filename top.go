package nmf

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Orders of TopFeatures.
const (
	// ByWeight ranks by the entry of H.
	ByWeight = "weight"
	// BySpecificity ranks by h·ln(h/p), where h is the feature's entry in the
	// component's row of H (which sums to 1) and p its entry in the mean of
	// all rows, weighted by their shares: the feature's part of the
	// Kullback-Leibler divergence of the component from the whole. By weight
	// alone features that are common everywhere head every component.
	BySpecificity = "specificity"
)

// Ranked is a feature or a sample of a component.
type Ranked struct {
	// Index counts from 0; Name is "" where there are no names.
	Index int    `json:"index"`
	Name  string `json:"name,omitempty"`
	// Weight is the entry of H or of W, Score what it was ranked by.
	Weight float64 `json:"weight"`
	Score  float64 `json:"score"`
}

// TopFeatures gives the n highest ranked features of component j, by ByWeight
// or BySpecificity ("" is ByWeight); fewer where fewer have a weight.
func (m *Model[F]) TopFeatures(j, n int, by string) ([]Ranked, error) {
	if err := m.checkComponent(j); err != nil {
		return nil, err
	}
	score := func(_ int, w float64) float64 { return w }
	switch by {
	case "", ByWeight:
	case BySpecificity:
		whole := m.meanComponent()
		score = func(i int, w float64) float64 { return w * math.Log(w/whole[i]) }
	default:
		return nil, oneOf("order", by, []string{ByWeight, BySpecificity})
	}
	return top(m.H.Row(j), n, m.ColumnNames, score), nil
}

// TopSamples gives the n samples with the highest weight of component j.
func (m *Model[F]) TopSamples(j, n int) ([]Ranked, error) {
	if err := m.checkComponent(j); err != nil {
		return nil, err
	}
	column := make([]F, m.W.Rows)
	for i := range column {
		column[i] = m.W.At(i, j)
	}
	return top(column, n, m.RowNames, func(_ int, w float64) float64 { return w }), nil
}

func (m *Model[F]) checkComponent(j int) error {
	if j < 0 || j >= m.K() {
		return fmt.Errorf("%w: component %d of %d", ErrOption, j+1, m.K())
	}
	return nil
}

// meanComponent is the mean of the rows of H, weighted by their shares.
func (m *Model[F]) meanComponent() []float64 {
	mean := make([]float64, m.H.Cols)
	for j, share := range m.Shares() {
		for i, v := range m.H.Row(j) {
			mean[i] += share * float64(v)
		}
	}
	return mean
}

// top ranks the positive weights by score, ties by index.
func top[F float32 | float64](weights []F, n int, names []string, score func(i int, w float64) float64) []Ranked {
	var all []Ranked
	for i, v := range weights {
		if v > 0 {
			all = append(all, Ranked{Index: i, Weight: float64(v), Score: score(i, float64(v))})
		}
	}
	slices.SortStableFunc(all, func(a, b Ranked) int { return cmp.Compare(b.Score, a.Score) })
	all = all[:max(0, min(n, len(all)))]
	for i := range all {
		if names != nil {
			all[i].Name = names[all[i].Index]
		}
	}
	return slices.Clip(all)
}
