package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// alignFeatures puts the columns of t in the order of the model's features,
// matched by name; it reports whether they had another. Where either has no
// names the numbers of features decide.
func alignFeatures[F matrix.Float](t *data.Table[F], names []string, features int) (bool, error) {
	rows, cols := t.X.Dims()
	if t.ColumnNames == nil || names == nil {
		if cols == features {
			return false, nil
		}
		hint := ""
		if rows == features {
			hint = "; rows should be samples: try --transpose"
		}
		return false, fmt.Errorf("%w: the data has %s, the model %s%s", nmf.ErrShape, plural(cols, "feature"), thousands(features), hint)
	}
	if slices.Equal(t.ColumnNames, names) {
		return false, nil
	}
	from, err := matchFeatures(t, names)
	if err != nil {
		return false, err
	}
	t.X = takeColumns(t.X, from)
	t.ColumnNames = names
	return true, nil
}

// matchFeatures finds the column of t for every name.
func matchFeatures[F matrix.Float](t *data.Table[F], names []string) ([]int, error) {
	at := make(map[string]int, len(t.ColumnNames))
	for j, name := range t.ColumnNames {
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("%w: the order differs and %q is there twice in the data, so features cannot be matched by name", nmf.ErrNames, name)
		}
		at[name] = j
	}
	from := make([]int, len(names))
	var missing []string
	for j, name := range names {
		c, ok := at[name]
		if !ok {
			missing = append(missing, name)
		}
		from[j] = c
	}
	known := make(map[string]bool, len(names))
	for _, name := range names {
		known[name] = true
	}
	extra := slices.DeleteFunc(slices.Clone(t.ColumnNames), func(name string) bool { return known[name] })
	if len(missing) == 0 && len(extra) == 0 && len(known) == len(names) {
		return from, nil
	}
	return nil, mismatch(t, names, missing, extra)
}

// mismatch says how the features of data and model differ.
func mismatch[F matrix.Float](t *data.Table[F], names, missing, extra []string) error {
	var parts []string
	if len(missing) > 0 {
		parts = append(parts, fmt.Sprintf("missing from the data: %s of the model's %s (%s)", thousands(len(missing)), plural(len(names), "feature"), aFew(missing)))
	}
	if len(extra) > 0 {
		parts = append(parts, fmt.Sprintf("unknown to the model: %s of the data's %s (%s)", thousands(len(extra)), plural(len(t.ColumnNames), "feature"), aFew(extra)))
	}
	if len(parts) == 0 {
		parts = append(parts, "the order differs and a name is there twice in the model, so features cannot be matched by name")
	}
	hint := "; give it the same features"
	rowsMatch := len(t.RowNames) == len(names) && len(missing) == len(names)
	if rowsMatch && slices.Contains(names, t.RowNames[0]) {
		hint = "; rows should be samples: try --transpose"
	}
	return fmt.Errorf("%w: %s%s", nmf.ErrNames, strings.Join(parts, ", "), hint)
}

// aFew quotes the first names of a list.
func aFew(names []string) string {
	const most = 3
	quoted := make([]string, min(most, len(names)))
	for i := range quoted {
		quoted[i] = fmt.Sprintf("%q", names[i])
	}
	if len(names) > most {
		quoted = append(quoted, "…")
	}
	return strings.Join(quoted, ", ")
}

// takeColumns gives the matrix whose column j is column from[j] of x.
func takeColumns[F matrix.Float](x matrix.Matrix[F], from []int) matrix.Matrix[F] {
	if s, ok := x.(*matrix.CSR[F]); ok {
		turned := s.T()
		out := &matrix.CSR[F]{Rows: len(from), Cols: turned.Cols, RowPtr: make([]int, 1, len(from)+1)}
		for _, j := range from {
			cols, vals := turned.Row(j)
			out.ColIdx, out.Val = append(out.ColIdx, cols...), append(out.Val, vals...)
			out.RowPtr = append(out.RowPtr, len(out.Val))
		}
		return out.T()
	}
	d := toDense(x)
	out := matrix.NewDense[F](d.Rows, len(from))
	for i := range d.Rows {
		row := d.Row(i)
		for j, c := range from {
			out.Set(i, j, row[c])
		}
	}
	return out
}
