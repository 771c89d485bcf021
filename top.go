package nmf

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Orders of the features of a component.
const (
	// ByWeight ranks by the entry of H.
	ByWeight = "weight"
	// BySpecificity ranks by h·ln(h/mean), where h is the feature's entry in
	// the component's row of H (which sums to 1) and mean its mean over all
	// components that are not dead: what the feature adds to the
	// Kullback-Leibler divergence of the component from the mean component. By
	// weight alone features that are common everywhere head every component.
	BySpecificity = "specificity"
)

// Component is a component as people look at it.
type Component struct {
	// Scale is the sum over all cells of its part of the fit, Share that part.
	Scale, Share float64
	// Features are those with the most weight or specificity, Samples those
	// with the most weight; none of weight zero.
	Features, Samples []Ranked
}

// Ranked is a feature or a sample of a component.
type Ranked struct {
	// Index counts from 0; Name is "" where there are no names.
	Index int
	Name  string
	// Weight is the entry of H or of W. Specificity (see BySpecificity) is of
	// features alone.
	Weight, Specificity float64
}

// Components gives every component with its first `features` features, by
// ByWeight or BySpecificity, and its first `samples` samples. It errs with
// ErrOption for another order or a negative number.
func (m *Model[F]) Components(features, samples int, by string) ([]Component, error) {
	if err := oneOf("order", by, []string{ByWeight, BySpecificity}); err != nil {
		return nil, err
	}
	if features < 0 || samples < 0 {
		return nil, fmt.Errorf("%w: %d features and %d samples of a component", ErrOption, features, samples)
	}
	shares, mean := m.Shares(), m.MeanComponent()
	list := make([]Component, m.K())
	for j := range list {
		list[j] = Component{Scale: m.Scales[j], Share: shares[j],
			Features: m.topFeatures(j, features, by, mean), Samples: m.topSamples(j, samples)}
	}
	return list, nil
}

func (m *Model[F]) topFeatures(j, n int, by string, mean []float64) []Ranked {
	var all []Ranked
	for i, v := range m.H.Row(j) {
		if h := float64(v); h > 0 {
			all = append(all, Ranked{Index: i, Weight: h, Specificity: h * math.Log(h/mean[i])})
		}
	}
	key := func(r Ranked) float64 { return r.Weight }
	if by == BySpecificity {
		key = func(r Ranked) float64 { return r.Specificity }
	}
	return first(all, n, key, m.ColumnNames)
}

func (m *Model[F]) topSamples(j, n int) []Ranked {
	if n == 0 {
		return nil
	}
	var all []Ranked
	for i := range m.W.Rows {
		if w := float64(m.W.At(i, j)); w > 0 {
			all = append(all, Ranked{Index: i, Weight: w})
		}
	}
	return first(all, n, func(r Ranked) float64 { return r.Weight }, m.RowNames)
}

// first sorts by the key, the weight and then the order deciding between
// equals, and gives the first n with their names.
func first(all []Ranked, n int, key func(Ranked) float64, names []string) []Ranked {
	slices.SortStableFunc(all, func(a, b Ranked) int {
		return cmp.Or(cmp.Compare(key(b), key(a)), cmp.Compare(b.Weight, a.Weight))
	})
	all = slices.Clone(all[:min(n, len(all))])
	if names != nil {
		for i := range all {
			all[i].Name = names[all[i].Index]
		}
	}
	return all
}

// MeanComponent is the mean of the rows of H over the components that are not
// dead: what BySpecificity compares with.
func (m *Model[F]) MeanComponent() []float64 {
	mean := make([]float64, m.H.Cols)
	alive := 0
	for j, scale := range m.Scales {
		if scale == 0 {
			continue
		}
		alive++
		for i, v := range m.H.Row(j) {
			mean[i] += float64(v)
		}
	}
	for i := range mean {
		mean[i] /= float64(max(1, alive))
	}
	return mean
}
