package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// alignFeatures puts the columns of t in the order of the model's features,
// matched by name; it reports whether they had another. Where either has no
// names the numbers of features decide. turned says that t was turned round.
func alignFeatures[F matrix.Float](t *data.Table[F], names []string, features int, turned bool) (bool, error) {
	rows, cols := t.X.Dims()
	if t.ColumnNames == nil || names == nil {
		if cols == features {
			return false, nil
		}
		hint := ""
		if rows == features {
			hint = turnHint(turned)
		}
		return false, fmt.Errorf("%w: the data has %s, the model %s%s", nmf.ErrShape, plural(cols, "feature"), thousands(features), hint)
	}
	if slices.Equal(t.ColumnNames, names) {
		return false, nil
	}
	from, err := matchFeatures(t, names, turned)
	if err != nil {
		return false, err
	}
	t.X = takeColumns(t.X, from)
	t.ColumnNames = names
	return true, nil
}

// matchFeatures finds the column of t for every name.
func matchFeatures[F matrix.Float](t *data.Table[F], names []string, turned bool) ([]int, error) {
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
	return nil, mismatch(t, names, missing, extra, turned)
}

// mismatch says how the features of data and model differ.
func mismatch[F matrix.Float](t *data.Table[F], names, missing, extra []string, turned bool) error {
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
		hint = turnHint(turned)
	}
	return fmt.Errorf("%w: %s%s", nmf.ErrNames, strings.Join(parts, ", "), hint)
}

// turnHint says how to have samples as rows, of data that were turned round or not.
func turnHint(turned bool) string {
	if turned {
		return "; rows should be samples, and are before --transpose turns them round: leave it out"
	}
	return "; rows should be samples: try --transpose"
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

// takeColumns gives the matrix whose column j is column from[j] of x, each of which is
// there once. What is read block by block is put right as it is read, by rows alone.
func takeColumns[F matrix.Float](x matrix.Matrix[F], from []int) matrix.Matrix[F] {
	switch x := x.(type) {
	case *matrix.Streamed[F]:
		return &matrix.Streamed[F]{Rows: x.Rows, Cols: x.Cols, Read: func(first int, dst []F) error {
			err := x.Read(first, dst)
			read := make([]F, len(from))
			for row := range slices.Chunk(dst, len(from)) {
				copy(read, row)
				for j, c := range from {
					row[j] = read[c]
				}
			}
			return err
		}}
	case *matrix.StreamedCSR[F]:
		return takeStreamed(x, from)
	case *matrix.CSR[F]:
		turned := x.T()
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

// takeStreamed is takeColumns for a sparse matrix that is read block by block.
func takeStreamed[F matrix.Float](x *matrix.StreamedCSR[F], from []int) *matrix.StreamedCSR[F] {
	to := make([]int32, len(from))
	for j, c := range from {
		to[c] = int32(j)
	}
	type cell struct {
		j int32
		v F
	}
	s := *x
	s.ByRows.Read = func(first int, dst *matrix.CSR[F]) error {
		if err := x.ByRows.Read(first, dst); err != nil {
			return err
		}
		var row []cell
		for i := range dst.Rows {
			cols, vals := dst.Row(i)
			row = row[:0]
			for p, c := range cols {
				row = append(row, cell{to[c], vals[p]})
			}
			slices.SortFunc(row, func(a, b cell) int { return cmp.Compare(a.j, b.j) })
			for p, c := range row {
				cols[p], vals[p] = c.j, c.v
			}
		}
		return nil
	}
	s.ByColumns.Read = func(int, *matrix.CSR[F]) error {
		return errors.New("the columns were put in another order, and cannot be read one by one")
	}
	return &s
}
