package blockfile

import (
	"fmt"
	"path/filepath"

	"github.com/partsof/nmf/matrix"
)

// Options say how a file is built. No result depends on them.
type Options struct {
	// Room is about how many bytes of memory the building takes beside what the
	// reader does; 0 is 64 MB.
	Room int
	// Columns wants a dense matrix by columns, too; a sparse one always is.
	Columns bool
	// Compress tries zstd on the blocks.
	Compress bool
	// Transpose turns the matrix round.
	Transpose bool
}

// Builder takes a matrix in the order in which a file has it: all of it by one
// of Dense, Sparse or Cells.
type Builder[F matrix.Float] struct {
	// Header, RowNames and ColumnNames are for the reader to fill in. Rows and
	// columns, and their names, are those of the source: Transpose comes after.
	Header                Header
	RowNames, ColumnNames []string
	// Repeats is the number of cells that were summed, once all is built.
	Repeats int

	o      Options
	w      *Writer[F]
	spill  *spill
	finish func() error
}

const (
	defaultRoom = 64 << 20
	// denseBlock and sparseBlock are the bytes of a block to aim at: little is
	// read in vain where the engine's blocks begin elsewhere, and a disk is busy.
	denseBlock  = 512 << 10
	sparseBlock = 8 << 20
)

// Build writes the file at path from what read hands to the Builder. done, unless
// nil, is called when all is read and before the file appears: what it finds
// wrong is the error.
func Build[F matrix.Float](path string, o Options, read func(b *Builder[F]) error, done func(h *Header) error) error {
	if o.Room <= 0 {
		o.Room = defaultRoom
	}
	return Create(path, o.Compress, func(w *Writer[F]) error {
		sp, err := newSpill(filepath.Dir(path))
		if err != nil {
			return err
		}
		defer sp.close()
		b := &Builder[F]{o: o, w: w, spill: sp}
		if err := read(b); err != nil {
			return err
		}
		if b.finish == nil {
			return fmt.Errorf("block file: no matrix was given")
		}
		if err := b.finish(); err != nil {
			return err
		}
		h := b.Header
		h.Version, h.Precision, h.Sparse = w.Version, w.Precision, w.Header.Sparse
		w.RowNames, w.ColumnNames = b.RowNames, b.ColumnNames
		if o.Transpose {
			h.Rows, h.Columns = h.Columns, h.Rows
			w.RowNames, w.ColumnNames = w.ColumnNames, w.RowNames
		}
		if done != nil {
			if err := done(&h); err != nil {
				return err
			}
		}
		w.Header = h
		return nil
	})
}

// Dense takes a dense matrix: what it gives takes whole rows in order, each of
// the given length, or with columns whole columns. By the end of the reading
// Header.Rows and Header.Columns must be known.
func (b *Builder[F]) Dense(columns bool, length int) (add func(vals []F) error) {
	columns = columns != b.o.Transpose
	step := func(length int) int { return max(1, denseBlock/max(1, length*sizeOf[F]())) }
	first := !columns || b.o.Columns // the lines that come are written
	second := columns || b.o.Columns // their turned ones are
	if first {
		b.w.Begin(columns, step(length))
	}
	t := newTurner[F](b.spill, length, b.o.Room)
	lines := 0
	b.finish = func() error {
		rows, cols := b.Header.Rows, b.Header.Columns
		if b.o.Transpose {
			rows, cols = cols, rows
		}
		want := rows
		if columns {
			want = cols
		}
		if length > 0 && lines != want {
			return fmt.Errorf("block file: %d lines were given of %d", lines, want)
		}
		if !second {
			return nil
		}
		b.w.Begin(!columns, turnedLines)
		return t.run(lines, func(vals []F) error { return b.w.Dense(!columns, lines, vals) })
	}
	return func(vals []F) error {
		if length == 0 || len(vals) == 0 {
			return nil
		}
		lines += len(vals) / length
		if first {
			if err := b.w.Dense(columns, length, vals); err != nil {
				return err
			}
		}
		if second {
			return t.add(vals)
		}
		return nil
	}
}

// Lot takes some rows, n of them, column by column: add takes whole columns in
// order, and done hands their rows to what Dense gave.
func (b *Builder[F]) Lot(n, columns int, rows func(vals []F) error) (add func(vals []F) error, done func() error) {
	t := newTurner[F](b.spill, n, b.o.Room)
	return t.add, func() error { return t.run(columns, rows) }
}

// Sparse takes a sparse matrix of the rows and columns that Header has: what it
// gives takes rows in order, indices rising within each, or with columns
// columns. pointers says where the cells of each line end, at most: pointers[i+1] −
// pointers[i] cells are in line i.
func (b *Builder[F]) Sparse(columns bool, pointers []int64) (add func(part *matrix.CSR[F]) error) {
	columns = columns != b.o.Transpose
	lines := len(pointers) - 1
	counts := make([]int, (lines+matrix.BlockStep-1)/matrix.BlockStep)
	for g := range counts {
		counts[g] = int(pointers[min((g+1)*matrix.BlockStep, lines)] - pointers[g*matrix.BlockStep])
	}
	return b.sparse(columns, counts)
}

// sparse takes lines with so many cells in each group of matrix.BlockStep.
func (b *Builder[F]) sparse(columns bool, counts []int) (add func(part *matrix.CSR[F]) error) {
	b.w.Header.Sparse = true
	lines, length := b.linesOf(columns)
	b.w.Begin(columns, b.step(lines, counts))
	total := 0
	for _, n := range counts {
		total += n
	}
	turned := newSorter[F](b.spill, 0, length, lines, total, b.o.Room)
	line := int32(0)
	b.finish = func() error {
		if int(line) != lines {
			return fmt.Errorf("block file: %d lines were given of %d", line, lines)
		}
		b.w.Begin(!columns, b.step(length, turned.counts))
		_, err := turned.run(func(part *matrix.CSR[F]) error { return b.w.Sparse(!columns, part) })
		return err
	}
	return func(part *matrix.CSR[F]) error {
		for i := range part.Rows {
			idx, vals := part.Row(i)
			for p, j := range idx {
				if err := turned.add(j, line, vals[p]); err != nil {
					return err
				}
			}
			line++
		}
		return b.w.Sparse(columns, part)
	}
}

// linesOf is the number of lines of a side, and that of the other, after the
// matrix has been turned round where it is to be.
func (b *Builder[F]) linesOf(columns bool) (lines, length int) {
	if columns != b.o.Transpose {
		return b.Header.Columns, b.Header.Rows
	}
	return b.Header.Rows, b.Header.Columns
}

// step is the number of lines in a block: as many as make sparseBlock bytes on
// average, or half as many, and so on, until where cells are crowded there are not
// more: what a fit takes that reads the blocks can then be told before they are made.
func (b *Builder[F]) step(lines int, counts []int) int {
	bytes := 4 + sizeOf[F]()
	total, groups := 0, len(counts)
	for _, n := range counts {
		total += n
	}
	aim := max(sparseBlock, total*bytes/mostBuckets)
	each := max(1, min(groups, groups*aim/max(1, total*bytes)))
	for ; each > 1; each = (each + 1) / 2 {
		most := 0
		for g := 0; g < groups; g += each {
			sum := 0
			for _, n := range counts[g:min(g+each, groups)] {
				sum += n
			}
			most = max(most, sum)
		}
		if most*bytes <= aim {
			break
		}
	}
	return each * matrix.BlockStep
}

// Cells takes a sparse matrix of the rows and columns that Header has: what it
// gives takes its cells in any order, rows and columns counted from 0, about so
// many in all. Cells that are given more than once are summed.
func (b *Builder[F]) Cells(expected int) (add func(rows, cols []int32, vals []F) error) {
	lines, length := b.linesOf(false)
	s := newSorter[F](b.spill, 0, lines, length, expected, b.o.Room)
	b.finish = func() error {
		take := b.sparse(false, s.counts)
		var err error
		if b.Repeats, err = s.run(take); err != nil {
			return err
		}
		return b.finish()
	}
	return func(rows, cols []int32, vals []F) error {
		if b.o.Transpose {
			rows, cols = cols, rows
		}
		for p, v := range vals {
			if err := s.add(rows[p], cols[p], v); err != nil {
				return err
			}
		}
		return nil
	}
}
