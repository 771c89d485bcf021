package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/partsof/nmf"
)

// entry is a feature or a sample of a component.
type entry struct {
	// Index counts from 0.
	Index  int     `json:"index"`
	Name   string  `json:"name"`
	Weight float64 `json:"weight"`
	// Specificity is of features alone.
	Specificity *float64 `json:"specificity,omitempty"`
}

// component is a component as people look at it.
type component struct {
	// Number counts from 1.
	Number int     `json:"component"`
	Scale  float64 `json:"scale"`
	Share  float64 `json:"share"`
	// Features are the top ones by weight in H, or by specificity; Samples
	// those by weight in W.
	Features []entry `json:"features"`
	Samples  []entry `json:"samples,omitempty"`
}

// components ranks the features and the samples of every component.
func components(m *nmf.Model[float64], n, samples int, by string) []component {
	shares := m.Shares()
	mean := meanFeature(m)
	list := make([]component, m.K())
	for j := range list {
		c := &list[j]
		*c = component{Number: j + 1, Scale: m.Scales[j], Share: shares[j], Features: topFeatures(m, j, n, by, mean)}
		column := make([]float64, m.W.Rows)
		for i := range column {
			column[i] = m.W.At(i, j)
		}
		for _, i := range topIndices(column, column, samples) {
			c.Samples = append(c.Samples, entry{Index: i, Name: nameOf(m.RowNames, i, "sample"), Weight: column[i]})
		}
	}
	return list
}

// meanFeature is the mean of the rows of H over the components that are alive.
func meanFeature(m *nmf.Model[float64]) []float64 {
	mean := make([]float64, m.H.Cols)
	alive := 0
	for j, scale := range m.Scales {
		if scale == 0 {
			continue
		}
		alive++
		for f, v := range m.H.Row(j) {
			mean[f] += v
		}
	}
	for f := range mean {
		mean[f] /= float64(max(1, alive))
	}
	return mean
}

// specificity is h·ln(h/mean): what a feature adds to the Kullback-Leibler
// divergence of the component from the mean of all components. It is high for
// features that are heavy here and light elsewhere, zero for those that are
// as heavy everywhere, and negative for those that are lighter here.
func specificity(h, mean float64) float64 {
	if h == 0 {
		return 0
	}
	return h * math.Log(h/mean)
}

func topFeatures(m *nmf.Model[float64], j, n int, by string, mean []float64) []entry {
	h := m.H.Row(j)
	specific := make([]float64, len(h))
	for f, v := range h {
		specific[f] = specificity(v, mean[f])
	}
	key := h
	if by == "specificity" {
		key = specific
	}
	var list []entry
	for _, f := range topIndices(key, h, n) {
		list = append(list, entry{Index: f, Name: nameOf(m.ColumnNames, f, "feature"), Weight: h[f], Specificity: &specific[f]})
	}
	return list
}

// topIndices gives the indices of the n largest keys, the weight and then the
// order deciding between equals, and none of weight zero.
func topIndices(key, weight []float64, n int) []int {
	var list []int
	for i, w := range weight {
		if w > 0 {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(a, b int) int {
		return cmp.Or(cmp.Compare(key[b], key[a]), cmp.Compare(weight[b], weight[a]))
	})
	return list[:min(n, len(list))]
}

func nameOf(names []string, i int, what string) string {
	if names == nil || names[i] == "" {
		return fmt.Sprintf("%s %d", what, i+1)
	}
	return names[i]
}
