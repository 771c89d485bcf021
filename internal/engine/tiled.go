package engine

import (
	"slices"

	"github.com/partsof/nmf/internal/kernel"
)

// An X of few rows has little to do for W: nearly all of an iteration is the
// half-step for H and what is made of H, and where there are few components most
// of that is turning rows of Hᵀ into tiles and back. So H of all runs stands in
// tiles there, and each iteration goes over it twice, some columns of X at a time,
// with all that is made of them in cache: once for the H that the next W is made
// for, its product with X and its Gram matrices, and once for Xᵀ·W and the
// half-step. The sums are those of the other way, to the bit.

const (
	// fewRows is the number of rows up to which an X has few, tiledBytes the size
	// up to which it is copied.
	fewRows    = 64
	tiledBytes = 4 << 20
	// panelCols is the number of columns that are taken at a time: the length of
	// the kernel's sums, and whole tiles.
	panelCols = blockStep
	// fewestPanels and mostPanels bound the number of panels: there should be some
	// to divide among workers, and what they add up to is one sum of the kernel.
	fewestPanels, mostPanels = 2, blockStep
)

// inTiles reports whether H of a dense X in memory stands in tiles.
func inTiles[F kernel.Float](rows, cols int) bool {
	panels := (cols + panelCols - 1) / panelCols
	return rows <= fewRows && rows*cols*(64/kernel.Width[F]()) <= tiledBytes && panels >= fewestPanels && panels <= mostPanels
}

// pending is what is still to be done with the H of a slot that stands in tiles.
type pending int

const (
	// upToDate: nothing.
	upToDate pending = iota
	// stepped: the H ahead is to be made.
	stepped
	// rejected: the H before is to be put back.
	rejected
)

// panels is what passes over an H in tiles keep.
type panels[F kernel.Float] struct {
	// x holds X, panelCols columns after panelCols columns: of each panel its rows,
	// zero beyond the last column.
	x    []F
	ones []F
	// parts holds what each panel adds to the products and Gram matrices, sum their
	// sums: the rows of X·H, ld apart, and then those of the Gram matrices.
	parts, sum []F
	ld         int
	// groups share a Gram matrix whose blocks on the diagonal are theirs.
	groups []gramGroup
	spans  []span
}

// gramGroup is a number of slots side by side whose Gram matrices are made as the
// blocks of one, of k rows that are ld apart, from `from` of the sums on; at is its
// first column in the rows of H.
type gramGroup struct{ at, k, ld, from int }

// span is a number of columns side by side in the stack, from off, and from at in
// rows of the slots alone.
type span struct{ off, at, k int }

// newPanels copies X.
func newPanels[F kernel.Float](d *denseOperand[F]) *panels[F] {
	m, n := d.x.Rows, d.x.Cols
	count := (n + panelCols - 1) / panelCols
	t := &panels[F]{x: make([]F, count*m*panelCols), ones: make([]F, count)}
	for i := range t.ones {
		t.ones[i] = 1
	}
	for c := range count {
		for i := range m {
			copy(t.x[(c*m+i)*panelCols:(c*m+i+1)*panelCols], d.x.Row(i)[c*panelCols:min((c+1)*panelCols, n)])
		}
	}
	return t
}

// layOut divides the sums among slots.
func (t *panels[F]) layOut(slots []*slot[F], rows int) (size int) {
	t.groups, t.spans = t.groups[:0], t.spans[:0]
	vector, width := kernel.Width[F](), 0
	for _, s := range slots {
		s.at = width
		if n := len(t.spans); n > 0 && t.spans[n-1].off+t.spans[n-1].k == s.off {
			t.spans[n-1].k += s.k
		} else {
			t.spans = append(t.spans, span{s.off, s.at, s.k})
		}
		if n := len(t.groups); n > 0 && t.groups[n-1].k+s.k <= vector {
			t.groups[n-1].k += s.k
		} else {
			t.groups = append(t.groups, gramGroup{at: s.at, k: s.k, ld: kernel.Pad[F](s.k)})
		}
		width += s.k
	}
	t.ld = kernel.Pad[F](width)
	size = rows * t.ld
	for i := range t.groups {
		t.groups[i].from = size
		size += t.groups[i].k * t.groups[i].ld
	}
	return size
}

// lookAhead makes the H that the next W is made for, its product with X and its
// Gram matrix, for all slots; it reports false when cancelled.
func (f *fitter[F]) lookAhead() bool {
	t, m, n := f.panels, f.x.Rows, f.x.Cols
	slices.SortFunc(f.slots, func(a, b *slot[F]) int { return a.off - b.off })
	size := t.layOut(f.slots, m)
	count := len(t.ones)
	grow(&t.parts, count*size)
	grow(&t.sum, size)
	clear(t.sum)
	ok := f.pool.near(count, func(wi, c int) {
		ws := &f.workers[wi]
		grow(&ws.c, panelCols*t.ld+kernel.Width[F]())
		rows := ws.c
		a, b := c*panelCols, min((c+1)*panelCols, n)
		for i := a; i < b; i += f.tile {
			f.catchUpTile(i / f.tile)
			ahead := f.stack.ahead().tile(i / f.tile)
			for _, s := range t.spans {
				f.x.ops.Unpack(min(f.tile, b-i), s.k, ahead[s.off*f.tile:], rows[(i-a)*t.ld+s.at:], t.ld)
			}
		}
		part := t.parts[c*size : (c+1)*size]
		clear(part)
		f.x.ops.MulAdd(m, t.ld, b-a, t.x[c*m*panelCols:], panelCols, 1, rows, t.ld, part, t.ld)
		for _, g := range t.groups {
			f.x.ops.MulAdd(g.k, g.ld, b-a, rows[g.at:], 1, t.ld, rows[g.at:], t.ld, part[g.from:], g.ld)
		}
	})
	if !ok {
		return false
	}
	const piece = 1024
	ok = f.pool.run((size+piece-1)/piece, func(_, i int) {
		a, b := i*piece, min((i+1)*piece, size)
		f.x.ops.MulAdd(1, b-a, count, t.ones, count, 1, t.parts[a:], size, t.sum[a:], b-a)
	})
	if !ok {
		return false
	}
	g := 0
	for _, s := range f.slots {
		s.pending = upToDate
		for s.at >= t.groups[g].at+t.groups[g].k {
			g++
		}
		group := t.groups[g]
		for j := range s.k {
			from := group.from + (s.at-group.at+j)*group.ld + s.at - group.at
			copy(s.g.G[j*s.g.Ld:j*s.g.Ld+s.k], t.sum[from:])
		}
		s.g.Ready()
	}
	return true
}

// catchUpTile does what is pending for a tile of H.
func (f *fitter[F]) catchUpTile(i int) {
	for _, s := range f.slots {
		f.catchUpSlot(s, i)
	}
}

// catchUpSlot does what is pending for a tile of a slot's H.
func (f *fitter[F]) catchUpSlot(s *slot[F], i int) {
	a, b := s.off*f.tile, (s.off+s.k)*f.tile
	h, old := f.stack.h.tile(i)[a:b], f.stack.hOut.tile(i)[a:b]
	var ahead []F
	if f.stack.hAhead != nil {
		ahead = f.stack.hAhead.tile(i)[a:b]
	}
	switch {
	case s.pending == rejected:
		copy(h, old)
		copy(ahead, old)
	case s.pending == stepped && ahead != nil:
		f.x.ops.Extrapolate(s.k, f.tile, 0, s.beta[:], h, old, ahead)
	}
}

// catchUp does what is pending for a slot.
func (f *fitter[F]) catchUp(s *slot[F]) {
	if s.pending == upToDate {
		return
	}
	for i := range tiles[F](f.x.Cols) {
		f.catchUpSlot(s, i)
	}
	s.pending = upToDate
}

// updateTiles makes H of every slot from X and the W that the pass has made.
func (f *fitter[F]) updateTiles() bool {
	st, t, m, n := f.stack, f.panels, f.x.Rows, f.x.Cols
	w, width := st.made(), st.h.K
	for _, s := range f.slots {
		s.columnTile.reset(tiles[F](n), s.k)
	}
	return f.pool.near(len(t.ones), func(wi, c int) {
		ws := &f.workers[wi]
		grow(&ws.c, width*f.tile)
		q := ws.c
		for a := c * panelCols; a < min((c+1)*panelCols, n); a += f.tile {
			i := a / f.tile
			h, ahead := st.hOut.tile(i), st.ahead().tile(i)
			for _, s := range t.spans {
				from, to := s.off*f.tile, (s.off+s.k)*f.tile
				clear(q[from:to])
				f.x.ops.MulAdd(s.k, f.tile, m, w.Data[s.off:], 1, w.Ld, t.x[c*m*panelCols+a-c*panelCols:], panelCols, q[from:to], f.tile)
				copy(h[from:to], ahead[from:to])
			}
			for _, s := range f.slots {
				from, to := s.off*f.tile, (s.off+s.k)*f.tile
				ws.column.Use(min(f.tile, n-a), s.k, h[from:to], q[from:to])
				f.solver.Update(s.s, ws.column, s.sweeps(s.sweepsCol))
				ws.column.Gradient(s.s)
				s.columnTile.dot[i] = ws.column.Residual(s.columnTile.each[i].pg, s.columnTile.each[i].cc)
			}
		}
	})
}

// reshapeTiles makes t a zero factor of the shape whose rows stand in tiles.
func (t *Tall[F]) reshapeTiles(rows, k int) {
	t.reshape(tiles[F](rows)*k, kernel.TileRows[F]())
	t.Rows, t.K, t.Ld, t.tiled = rows, k, kernel.Pad[F](k), true
}

// tile gives tile i of a factor whose rows stand in tiles.
func (t *Tall[F]) tile(i int) []F {
	n := t.K * kernel.TileRows[F]()
	return t.Data[i*n : (i+1)*n]
}

// at is the place of component j of row i.
func (t *Tall[F]) at(i, j int) int {
	if !t.tiled {
		return i*t.Ld + j
	}
	rows := kernel.TileRows[F]()
	return (i/rows*t.K+j)*rows + i%rows
}

// updateRowsAhead makes the rows r0 to r1 of W, all there are, from the products
// that lookAhead has made.
func (f *fitter[F]) updateRowsAhead(r0, r1, n int) bool {
	t := f.panels
	ok := f.pool.run(n*len(f.slots), func(wi, task int) {
		s, i := f.slots[task/n], task%n
		a := r0 + i*f.tile
		f.updateRowTile(&f.workers[wi], s, a, min(a+f.tile, r1), i, t.sum[a*t.ld+s.at:], t.ld)
	})
	if ok {
		f.extrapolateRows(r0, r1)
	}
	return ok
}

// back undoes flip for the pair of a slot.
func (f *fitter[F]) back(s *slot[F]) {
	if f.panels == nil {
		f.stack.back(s.off, s.k)
		return
	}
	f.stack.backW(s.off, s.k)
	s.pending = rejected
}
