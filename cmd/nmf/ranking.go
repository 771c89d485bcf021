package main

import (
	"fmt"

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
func components(m *nmf.Model[float64], n, samples int, by string) ([]component, error) {
	ranked, err := m.Components(n, samples, by)
	if err != nil {
		return nil, err
	}
	list := make([]component, len(ranked))
	for j, r := range ranked {
		c := &list[j]
		*c = component{Number: j + 1, Scale: r.Scale, Share: r.Share}
		for _, f := range r.Features {
			c.Features = append(c.Features, entry{Index: f.Index, Name: nameOf(m.ColumnNames, f.Index, "feature"), Weight: f.Weight, Specificity: &f.Specificity})
		}
		for _, s := range r.Samples {
			c.Samples = append(c.Samples, entry{Index: s.Index, Name: nameOf(m.RowNames, s.Index, "sample"), Weight: s.Weight})
		}
	}
	return list, nil
}

func nameOf(names []string, i int, what string) string {
	if names == nil || names[i] == "" {
		return fmt.Sprintf("%s %d", what, i+1)
	}
	return names[i]
}
