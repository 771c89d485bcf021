package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/recipe/signatures"
)

type compareCmd struct {
	A string `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' wrote."`
	B string `arg:"" optional:"" needed:"" help:"Another model, or a table of reference components: features x components or components x features."`
	N int    `short:"n" group:"Show" type:"count" default:"3" placeholder:"N" help:"Features to show that have changed most, at most 5."`
	inputFlags
	machineFlags
	outputFlags
}

func (c *compareCmd) examples() [][2]string {
	return [][2]string{
		{"nmf compare a.npz b.npz", "which components are the same?"},
		{"nmf compare model.npz signatures.tsv", "name components by a reference"},
		{"nmf compare old.npz new.npz --json", "for programs"},
	}
}

func (c *compareCmd) notes() string {
	return "Components are matched one to one so that the sum of their cosines is as large as can be. Features are matched by name where both sides have names, and those that one side alone has are left out. The drift is the part of a component that has moved to other features. Flags of reading are for B where it is a table."
}

func (c *compareCmd) Run(a *app) error {
	if err := errors.Join(checkModelPath("compare", c.A), c.machineFlags.check("compare")); err != nil {
		return err
	}
	if c.B == "" {
		return usagef("compare", "what to compare with is missing: name another model, or a table of components")
	}
	if c.N < 0 {
		return usagef("compare", "-n is %d; it must be at least 0", c.N)
	}
	model, err := loadModel[float64](c.A)
	if err != nil {
		return err
	}
	left := rank.ComponentsOf(model)
	right, err := c.other(a, left)
	if err != nil {
		return err
	}
	result, err := rank.Compare(left, right)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.A, c.B, err)
	}
	if result.LeftOutA+result.LeftOutB > 0 {
		a.note(c.Quiet, "compared by the %s that both have; %s of %s and %s of %s are left out", plural(result.Features, "feature"),
			thousands(result.LeftOutA), c.A, thousands(result.LeftOutB), c.B)
	}
	if c.JSON {
		return a.printJSON(result)
	}
	a.printComparison(c, result, right)
	return nil
}

// other reads B, a model or a table.
func (c *compareCmd) other(a *app, left *rank.Components) (*rank.Components, error) {
	if c.B != "-" && !isFolder(c.B) && strings.HasSuffix(strings.ToLower(c.B), ".npz") {
		_, err := nmf.ReadInfo(c.B)
		if err == nil {
			m, err := loadModel[float64](c.B)
			if err != nil {
				return nil, err
			}
			return rank.ComponentsOf(m), nil
		}
		if !errors.Is(err, nmf.ErrModelFormat) {
			return nil, modelError(c.B, err)
		}
	}
	in, err := c.source("compare", c.B, "what to compare with", c.Threads)
	if err != nil {
		return nil, err
	}
	r, err := c.table(a, in, left)
	if err != nil {
		return nil, inFile(in.name(), err)
	}
	for i := range r.H.Rows {
		for _, v := range r.H.Row(i) {
			if !(v >= 0) || math.IsInf(v, 0) {
				return nil, inFile(in.name(), fmt.Errorf("component %d has the value %v; components have finite numbers of at least 0", i+1, v))
			}
		}
	}
	return r, nil
}

// table reads B as a table. Against a model of mutational signatures it may be
// any table of signatures, such as one with a column of substitutions and one of
// contexts.
func (c *compareCmd) table(a *app, in source, left *rank.Components) (*rank.Components, error) {
	var asSignatures error
	if features := byChannel(left.Features); features != nil {
		var t *data.Table[float64]
		if t, asSignatures = signatures.Read[float64](in.path, in.options); asSignatures == nil {
			return &rank.Components{H: toDense(t.X), Names: t.RowNames, Features: features}, nil
		} else if in.path == "-" {
			return nil, asSignatures // it can be read but once
		}
	}
	t, err := readTable[float64](a, in, c.Quiet)
	if err != nil {
		return nil, cmp.Or(asSignatures, err)
	}
	return orient(t, left)
}

// byChannel gives the names of the features in the order of the channels of
// mutational signatures, nil where they are not those.
func byChannel(names []string) []string {
	if len(names) != signatures.NChannels {
		return nil
	}
	out := make([]string, signatures.NChannels)
	for _, name := range names {
		c, ok := signatures.ParseChannel(name)
		if !ok || out[c] != "" {
			return nil
		}
		out[c] = name
	}
	return out
}

// orient finds out which way round a table of components lies: by the names of
// its features, or else by their number.
func orient(t *data.Table[float64], model *rank.Components) (*rank.Components, error) {
	rows, cols := t.X.Dims()
	common := func(names []string) (n int) {
		for _, name := range names {
			if slices.Contains(model.Features, name) {
				n++
			}
		}
		return n
	}
	byRows, byColumns := common(t.RowNames), common(t.ColumnNames)
	turned := byRows > byColumns
	if byRows == 0 && byColumns == 0 {
		features := model.H.Cols
		switch {
		case model.Features != nil && t.RowNames != nil && t.ColumnNames != nil:
			return nil, fmt.Errorf("%w: neither its rows nor its columns have names of the model's features, such as %q", rank.ErrInput, model.Features[0])
		case cols == features:
		case rows == features:
			turned = true
		default:
			return nil, fmt.Errorf("%w: it is %d x %d, and the model has %s", rank.ErrInput, rows, cols, plural(features, "feature"))
		}
	}
	r := &rank.Components{Names: t.RowNames, Features: t.ColumnNames}
	x := t.X
	if turned {
		x = matrix.Transpose(x)
		r.Names, r.Features = t.ColumnNames, t.RowNames
	}
	r.H = toDense(x)
	return r, nil
}

func (a *app) printComparison(c *compareCmd, r *rank.Comparison, b *rank.Components) {
	label := func(name string, i int) string {
		if name != "" {
			return shown(name)
		}
		return fmt.Sprintf("component %d", i+1)
	}
	names, wide := make([]string, len(r.Matches)), len("in B")
	for i, m := range r.Matches {
		names[i] = label(m.NameB, m.B)
		wide = max(wide, displayWidth(names[i]))
	}
	a.printf("%s  %s  %s  %s  %s\n", padRight("component", 9), padRight("in B", wide), "cosine", " drift", "share")
	for i, m := range r.Matches {
		shares := ""
		if m.ShareA != nil {
			shares = percent(*m.ShareA)
		}
		if m.ShareB != nil {
			shares += " → " + percent(*m.ShareB)
		}
		a.printf("%s  %s  %.4f  %.4f  %s\n", padLeft(fmt.Sprint(m.A+1), 9), padRight(names[i], wide), m.Cosine, m.Drift, shares)
		for _, f := range m.Moved[:min(c.N, len(m.Moved))] {
			name := f.Name
			if name == "" {
				name = fmt.Sprintf("feature %d", f.Feature+1)
			}
			a.printf("%s%s %.4f → %.4f\n", strings.Repeat(" ", 11), shown(name), f.From, f.To)
		}
	}
	a.printf("\n%s matched: mean cosine %.4f, least %.4f\n", plural(len(r.Matches), "component"), r.MeanCosine, r.MinCosine)
	if len(r.OnlyA) > 0 {
		a.printf("without a match in %s: components %s\n", c.A, numbersFrom1(r.OnlyA))
	}
	const few = 10
	switch n := len(r.OnlyB); {
	case n > few:
		a.printf("without a match in %s: %s\n", c.B, plural(n, "component"))
	case n > 0:
		list := make([]string, n)
		for i, j := range r.OnlyB {
			list[i] = fmt.Sprint(j + 1)
			if b.Names != nil {
				list[i] = shown(b.Names[j])
			}
		}
		a.printf("without a match in %s: %s\n", c.B, strings.Join(list, ", "))
	}
}

func numbersFrom1(list []int) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v + 1)
	}
	return strings.Join(out, ", ")
}
