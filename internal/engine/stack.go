package engine

import (
	"cmp"
	"sync"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/pages"
)

// Tall is a tall factor: Rows x K, row-major, rows Ld apart.
type Tall[F kernel.Float] struct {
	Rows, K, Ld int
	Data        []F
	// tiled says that the rows stand in tiles (package kernel), each of all
	// components: only H of a stack does.
	tiled bool
}

// NewTall returns a zero factor. Its rows are padded, and so is its end: the
// kernels read whole vectors.
func NewTall[F kernel.Float](rows, k int) *Tall[F] {
	t := new(Tall[F])
	t.reshape(rows, k)
	return t
}

// reshape makes t a zero factor of the shape, in its old memory where that
// suffices.
func (t *Tall[F]) reshape(rows, k int) {
	t.Rows, t.K, t.Ld, t.tiled = rows, k, kernel.Pad[F](k), false
	size := rows*t.Ld + kernel.Width[F]()
	if cap(t.Data) < size {
		if t.Data = roomFor[F](size); t.Data == nil {
			t.Data = pages.Make[F](size)
			return
		}
	}
	t.Data = t.Data[:size]
	clear(t.Data)
}

// rooms is the memory of large factors that calls have left behind: many fits of
// one X, one after the other, need as much again and again. What lies there for
// long is collected as garbage.
var rooms32, rooms64 sync.Pool

func rooms[F kernel.Float]() *sync.Pool {
	if kernel.Width[F]() == 16 {
		return &rooms32
	}
	return &rooms64
}

// roomBytes is the size from which memory is left behind.
const roomBytes = 1 << 18

// roomFor gives memory of `size` numbers, nil where none was left behind.
func roomFor[F kernel.Float](size int) []F {
	if size*64/kernel.Width[F]() < roomBytes {
		return nil
	}
	if r, ok := rooms[F]().Get().(*[]F); ok && cap(*r) >= size {
		return *r
	}
	return nil
}

// leaveBehind leaves the memory of factors, which must not be used any more.
func leaveBehind[F kernel.Float](ts ...*Tall[F]) {
	for _, t := range ts {
		if t != nil && cap(t.Data)*64/kernel.Width[F]() >= roomBytes {
			rooms[F]().Put(&t.Data)
		}
	}
}

// Row gives the used part of row i.
func (t *Tall[F]) Row(i int) []F { return t.Data[i*t.Ld : i*t.Ld+t.K : i*t.Ld+t.K] }

// rows gives the rows a to b with their padding.
func (t *Tall[F]) rows(a, b int) []F { return t.Data[a*t.Ld : b*t.Ld] }

// copyColumns copies k columns from column `from` of src to column `to` of t.
func (t *Tall[F]) copyColumns(to int, src *Tall[F], from, k int) {
	t.copyColumnsBy(1, to, src, from, k)
}

// copyColumnsBy is copyColumns by a number of workers.
func (t *Tall[F]) copyColumnsBy(workers, to int, src *Tall[F], from, k int) {
	EachStrip(t.Rows, workers, columnCopy[F]{t, to, src, from, k}.rows)
}

// columnCopy is a copy of k columns of src from column `from` to column `at` of
// to.
type columnCopy[F kernel.Float] struct {
	to      *Tall[F]
	at      int
	src     *Tall[F]
	from, k int
}

// rows copies the rows a to b; a is that of a tile, and b unless it is the last.
func (c columnCopy[F]) rows(a, b int) {
	if c.to.tiled || c.src.tiled {
		c.tiles(a, b)
		return
	}
	for i := a; i < b; i++ {
		to, from := i*c.to.Ld+c.at, i*c.src.Ld+c.from
		copy(c.to.Data[to:to+c.k], c.src.Data[from:from+c.k])
	}
}

// tiles is rows where one of the two is in tiles.
func (c columnCopy[F]) tiles(a, b int) {
	ops, rows := kernel.For[F](), kernel.TileRows[F]()
	for i := a; i < b; i += rows {
		n := min(rows, b-i)
		switch {
		case !c.src.tiled:
			ops.Pack(n, c.k, c.src.Data[i*c.src.Ld+c.from:], c.src.Ld, c.to.tile(i / rows)[c.at*rows:])
		case !c.to.tiled:
			ops.Unpack(n, c.k, c.src.tile(i / rows)[c.from*rows:], c.to.Data[i*c.to.Ld+c.at:], c.to.Ld)
		default:
			copy(c.to.tile(i / rows)[c.at*rows:(c.at+c.k)*rows], c.src.tile(i / rows)[c.from*rows:])
		}
	}
}

// copyAll makes copies into or out of a stack, some rows of all at a time, so that
// pieces of neighbouring columns are copied while their lines are in cache.
func copyAll[F kernel.Float](workers int, copies []columnCopy[F]) {
	most := 0
	for _, c := range copies {
		most = max(most, c.to.Rows)
	}
	EachStrip(most, workers, func(i0, i1 int) {
		for _, c := range copies {
			c.rows(min(i0, c.to.Rows), min(i1, c.to.Rows))
		}
	})
}

// stack holds the factors of all pairs that are iterated, side by side.
type stack[F kernel.Float] struct {
	// w and h are the last accepted pair. A pass writes its solutions to wOut
	// and hOut, and Xᵀ·made() to q, where it is not made tile by tile.
	w, wOut, h, hOut, q *Tall[F]
	// wPlain is the W before w was extrapolated from it; a pass puts the W that
	// it extrapolates from wOut in its place. hAhead is the extrapolated H
	// that the next W is made for. Both are nil where nothing is extrapolated.
	wPlain, hAhead *Tall[F]
	// tiled says that the three H stand in tiles; there is no q then.
	tiled bool
	// workers copy.
	workers int
}

func newStack[F kernel.Float](extrapolate bool, workers int) *stack[F] {
	s := &stack[F]{workers: max(1, workers), w: new(Tall[F]), wOut: new(Tall[F]), h: new(Tall[F]), hOut: new(Tall[F]), q: new(Tall[F])}
	if extrapolate {
		s.wPlain, s.hAhead = new(Tall[F]), new(Tall[F])
	}
	return s
}

// ahead is the H that the next W is made for.
func (s *stack[F]) ahead() *Tall[F] {
	if s.hAhead != nil {
		return s.hAhead
	}
	return s.h
}

// made is the W of the pair that a pass makes.
func (s *stack[F]) made() *Tall[F] {
	if s.wPlain != nil {
		return s.wPlain
	}
	return s.wOut
}

func (s *stack[F]) reshape(m, n, width int) {
	for _, t := range []*Tall[F]{s.w, s.wOut, s.wPlain} {
		if t != nil {
			t.reshape(m, width)
		}
	}
	for _, t := range []*Tall[F]{s.h, s.hOut, s.hAhead} {
		switch {
		case t == nil:
		case s.tiled:
			t.reshapeTiles(n, width)
		default:
			t.reshape(n, width)
		}
	}
}

// adopt makes a pair the only one, in its own memory.
func (s *stack[F]) adopt(p stacked[F]) {
	s.w, s.h = p.w, p.h
	for _, t := range []*Tall[F]{s.wOut, s.wPlain} {
		if t != nil {
			t.reshape(p.w.Rows, p.w.K)
		}
	}
	for _, t := range []*Tall[F]{s.hOut, s.hAhead} {
		if t != nil {
			t.reshape(p.h.Rows, p.h.K)
		}
	}
	s.settle(0, p.w.K)
	if p.hAhead != nil {
		s.wPlain, s.hAhead = p.wPlain, p.hAhead
	}
}

// stacked is a factor pair on its way into a stack, with what momentum has made of
// it: the plain W and the H ahead, nil where there is none.
type stacked[F kernel.Float] struct{ w, h, wPlain, hAhead *Tall[F] }

// putting lists the copies that place a pair at column off, with the momentum that
// it has.
func (s *stack[F]) putting(off int, p stacked[F]) []columnCopy[F] {
	k := p.w.K
	copies := []columnCopy[F]{{s.w, off, p.w, 0, k}, {s.h, off, p.h, 0, k}}
	if s.hAhead != nil {
		copies = append(copies, columnCopy[F]{s.wPlain, off, cmp.Or(p.wPlain, p.w), 0, k}, columnCopy[F]{s.hAhead, off, cmp.Or(p.hAhead, p.h), 0, k})
	}
	return copies
}

// settle forgets the momentum of the pair in k columns from off.
func (s *stack[F]) settle(off, k int) {
	if s.hAhead != nil {
		s.wPlain.copyColumnsBy(s.workers, off, s.w, off, k)
		s.hAhead.copyColumnsBy(s.workers, off, s.h, off, k)
	}
}

// giveUp gives the only pair, in its own memory: the stack has none then.
func (s *stack[F]) giveUp() (w, h *Tall[F]) {
	w, h = s.w, s.h
	s.w, s.h = new(Tall[F]), new(Tall[F])
	return w, h
}

// flip makes the pair that a pass made the accepted one.
func (s *stack[F]) flip() {
	if s.wPlain != nil {
		s.w, s.wPlain, s.wOut = s.wPlain, s.wOut, s.w
	} else {
		s.w, s.wOut = s.wOut, s.w
	}
	s.h, s.hOut = s.hOut, s.h
}

// back undoes flip for the pair in k columns from off.
func (s *stack[F]) back(off, k int) {
	s.backW(off, k)
	s.h.copyColumnsBy(s.workers, off, s.hOut, off, k)
	if s.hAhead != nil {
		s.hAhead.copyColumnsBy(s.workers, off, s.h, off, k)
	}
}

// backW is back for W alone.
func (s *stack[F]) backW(off, k int) {
	s.w.copyColumnsBy(s.workers, off, s.wOut, off, k)
	if s.wPlain != nil {
		s.wPlain.copyColumnsBy(s.workers, off, s.w, off, k)
	}
}
