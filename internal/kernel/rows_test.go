package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rowsCase is a sparse matrix of rows with ascending indices, and a tall factor.
type rowsCase[F Float] struct {
	ptr       []int
	idx       []int32
	val, b    []F
	columns   int
	n, ldb    int
	most, gap int
}

// newRowsCase draws rows of the given lengths, the first of which does not begin at
// the first cell.
func newRowsCase[F Float](r *rand.Rand, lengths []int, columns, n, gap int) *rowsCase[F] {
	s := &rowsCase[F]{ptr: []int{3}, columns: columns, n: n, ldb: max(1, n+gap), gap: gap}
	s.idx = make([]int32, 3)
	for _, l := range lengths {
		l = min(l, columns)
		for _, j := range slices.Sorted(slices.Values(r.Perm(columns)[:l])) {
			s.idx = append(s.idx, int32(j))
		}
		s.ptr = append(s.ptr, len(s.idx))
		s.most = max(s.most, l)
	}
	s.val, s.b = random[F](r, len(s.idx)), random[F](r, (columns-1)*s.ldb+n)
	return s
}

func (s *rowsCase[F]) rows() int { return len(s.ptr) - 1 }

func (s *rowsCase[F]) begin() []int { return slices.Clone(s.ptr[:s.rows()]) }

// gather takes panels that end at the given limits, of the columns j0 to j1 of b.
func (s *rowsCase[F]) gather(o *Ops[F], c []F, ldc, j0, j1 int, limits ...int) (at []int) {
	at = s.begin()
	for _, limit := range limits {
		o.GatherRows(j1-j0, at, s.ptr[1:], limit, s.idx, s.val, s.b[j0:], s.ldb, c, ldc)
	}
	return at
}

func (s *rowsCase[F]) check(t testing.TB, o *Ops[F], r *rand.Rand) {
	t.Helper()
	ldc := max(1, s.n+s.gap)
	arena := newArena[F](t, s.rows()*ldc)
	c := arena.take((s.rows()-1)*ldc+s.n, s.gap)
	for i := range s.rows() {
		copy(c[i*ldc:i*ldc+s.n], random[F](r, s.n))
	}
	before := slices.Clone(c)
	if at := s.gather(o, c, ldc, 0, s.n, s.columns); !slices.Equal(at, s.ptr[1:]) {
		t.Fatalf("n %d: ends at %v, not %v", s.n, at, s.ptr[1:])
	}
	arena.check("GatherRows")
	for i := range s.rows() {
		for j := range s.n {
			old := float64(before[i*ldc+j])
			want, size := old, math.Abs(old)
			for p := s.ptr[i]; p < s.ptr[i+1]; p++ {
				x := float64(s.val[p]) * float64(s.b[int(s.idx[p])*s.ldb+j])
				want += x
				size += math.Abs(x)
			}
			wantNear(t, "GatherRows", i*ldc+j, c[i*ldc+j], want, size, s.most)
		}
		for j := s.n; j < ldc && i*ldc+j < len(c); j++ {
			if bitsOf(c[i*ldc+j]) != bitsOf(guard[F]()) {
				t.Fatalf("n %d: wrote between the rows of c", s.n)
			}
		}
	}
	equal := func(what string, got []F, j0, j1 int) {
		t.Helper()
		for i := range s.rows() {
			for j := j0; j < j1; j++ {
				if v, want := got[i*ldc+j], c[i*ldc+j]; bitsOf(v) != bitsOf(want) {
					t.Fatalf("n %d, %s: row %d, column %d is %v, in the whole %v", s.n, what, i, j, v, want)
				}
			}
		}
	}
	for range 4 {
		a, b := r.IntN(s.columns+1), r.IntN(s.columns+1)
		panels := slices.Clone(before)
		if at := s.gather(o, panels, ldc, 0, s.n, min(a, b), max(a, b), s.columns); !slices.Equal(at, s.ptr[1:]) {
			t.Fatalf("n %d: panels end at %v, not %v", s.n, at, s.ptr[1:])
		}
		equal("panels", panels, 0, s.n)
		if w := Width[F](); s.n > 0 {
			j0 := r.IntN(s.n/w) * w
			j1 := j0 + (1+r.IntN((s.n-j0)/w))*w
			part := slices.Clone(before)
			s.gather(o, part[j0:], ldc, j0, j1, s.columns)
			equal("part", part, j0, j1)
		}
	}
	s.checkTranspose(t, o, r)
	s.checkScatter(t, o, r)
}

// checkScatter compares with GatherRows over the transposed cells, to the bit, in
// stripes of columns and for a part of the columns of b.
func (s *rowsCase[F]) checkScatter(t testing.TB, o *Ops[F], r *rand.Rand) {
	t.Helper()
	turned := &rowsCase[F]{ptr: make([]int, s.columns+1), columns: s.rows(), n: s.n, ldb: s.ldb, b: random[F](r, (s.rows()-1)*s.ldb+s.n)}
	for _, j := range s.idx[3:] {
		turned.ptr[j+1]++
	}
	for j := range s.columns {
		turned.ptr[j+1] += turned.ptr[j]
	}
	turned.idx, turned.val = make([]int32, len(s.idx)-3), make([]F, len(s.idx)-3)
	o.TransposeRows(s.begin(), s.ptr[1:], s.columns, s.idx, s.val, 0, turned.begin(), turned.idx, turned.val)

	ldc := max(1, s.n+s.gap)
	arena := newArena[F](t, s.columns*ldc)
	before := arena.take((s.columns-1)*ldc+s.n, s.gap)
	for j := range s.columns {
		copy(before[j*ldc:j*ldc+s.n], random[F](r, s.n))
	}
	before = slices.Clone(before)
	want := slices.Clone(before)
	turned.gather(o, want, ldc, 0, s.n, s.rows())
	for range 4 {
		got := arena.take(len(want), s.gap)
		copy(got, before)
		n0, n1 := 0, s.n
		if w := Width[F](); s.n > 0 {
			n0 = r.IntN(s.n/w) * w
			n1 = n0 + (1+r.IntN((s.n-n0)/w))*w
		}
		a := r.IntN(s.columns)
		cut := slices.Clone(s.ptr[1:])
		for i := range cut {
			below, _ := slices.BinarySearch(s.idx[s.ptr[i]:s.ptr[i+1]], int32(a))
			cut[i] = s.ptr[i] + below
		}
		scatter := func(at, end []int, j0, j1 int) {
			if j1 > j0 {
				o.ScatterRows(n1-n0, at, end, j0, s.idx, s.val, turned.b[n0:], s.ldb, got[j0*ldc+n0:(j1-1)*ldc+n1], ldc)
			}
		}
		scatter(cut, s.ptr[1:], a, s.columns)
		scatter(s.begin(), cut, 0, a)
		arena.check("ScatterRows")
		for p, v := range got {
			x := before[p]
			if c := p % ldc; c >= n0 && c < n1 {
				x = want[p]
			}
			if bitsOf(v) != bitsOf(x) {
				t.Fatalf("n %d, columns %d to %d, cut at %d: ScatterRows has %v at row %d, column %d, GatherRows %v", s.n, n0, n1, a, v, p/ldc, p%ldc, x)
			}
		}
	}
}

func (s *rowsCase[F]) checkTranspose(t testing.TB, o *Ops[F], r *rand.Rand) {
	t.Helper()
	const number = 7
	next := make([]int, s.columns+1)
	for _, j := range s.idx[3:] {
		next[j+1]++
	}
	for j := range s.columns {
		next[j+1] += next[j]
	}
	cells := len(s.idx) - 3
	wantIdx, wantVal, places := make([]int32, cells), make([]F, cells), slices.Clone(next)
	for i := range s.rows() {
		for p := s.ptr[i]; p < s.ptr[i+1]; p++ {
			place := &places[s.idx[p]]
			wantIdx[*place], wantVal[*place] = int32(number+i), s.val[p]
			*place++
		}
	}
	arena := newArena[F](t, cells)
	toIdx, toVal, at := make([]int32, cells), arena.take(cells, 0), s.begin()
	limit := r.IntN(s.columns + 1)
	o.TransposeRows(at, s.ptr[1:], limit, s.idx, s.val, number, next, toIdx, toVal)
	for i, p := range at {
		if p > s.ptr[i] && int(s.idx[p-1]) >= limit || p < s.ptr[i+1] && int(s.idx[p]) < limit {
			t.Fatalf("TransposeRows: row %d ends at %d, with the limit %d", i, p, limit)
		}
	}
	o.TransposeRows(at, s.ptr[1:], s.columns, s.idx, s.val, number, next, toIdx, toVal)
	arena.check("TransposeRows")
	if !slices.Equal(at, s.ptr[1:]) || !slices.Equal(next, places) || !slices.Equal(toIdx, wantIdx) || !slices.Equal(toVal, wantVal) {
		t.Fatalf("TransposeRows: wrong cells")
	}
	if cells == 0 {
		return
	}
	// One place too few: nothing beyond the others may be written.
	toIdx, toVal = make([]int32, cells), arena.take(cells-1, 0)
	clear(next)
	for _, j := range s.idx[3:] {
		next[j+1]++
	}
	for j := range s.columns {
		next[j+1] += next[j]
	}
	mustPanic(t, "TransposeRows: room", func() {
		o.TransposeRows(s.begin(), s.ptr[1:], s.columns, s.idx, s.val, number, next, toIdx, toVal)
	})
	arena.check("TransposeRows without room")
	next[s.idx[3]] = -1
	mustPanic(t, "TransposeRows: negative place", func() {
		o.TransposeRows(s.begin(), s.ptr[1:], s.columns, s.idx, s.val, number, next, toIdx, toVal)
	})
	arena.check("TransposeRows to a negative place")
}

func TestRows(t *testing.T) {
	eachTier(t, testRows[float32])
	eachTier(t, testRows[float64])
}

func testRows[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	r := rand.New(rand.NewPCG(1, 2))
	many := make([]int, 150)
	for i := range many {
		many[i] = r.IntN(12)
	}
	for vectors := 0; vectors <= 19; vectors++ {
		for _, lengths := range [][]int{{1}, {0}, {3, 0, 1, 0, 0, 64, 7, 2, 0}, {5, 6, 7, 8, 9, 1, 0, 2}, many} {
			newRowsCase[F](r, lengths, 1+r.IntN(70), vectors*w, r.IntN(5)).check(t, o, r)
		}
	}
}

// TestRowsBounds gives indices that are not rows, which end their row, and slices
// that are too short.
func TestRowsBounds(t *testing.T) {
	eachTier(t, testRowsBounds[float32])
	eachTier(t, testRowsBounds[float64])
}

func testRowsBounds[F Float](t *testing.T, o *Ops[F]) {
	w := Width[F]()
	const rows = 4
	arena := newArena[F](t, rows*w)
	factor := arena.take(rows*w, 0)
	clear(factor)
	for place := range 5 {
		for _, bad := range []int32{rows, -1, math.MaxInt32, math.MinInt32} {
			idx, c, at := make([]int32, 5), make([]F, w), []int{0}
			idx[place] = bad
			o.GatherRows(w, at, []int{5}, rows, idx, make([]F, 5), factor, w, c, w)
			if at[0] != place {
				t.Fatalf("GatherRows ends at %d where cell %d has the index %d", at[0], place, bad)
			}
			for _, first := range []int{0, 3} {
				for p := range idx {
					idx[p] = int32(first)
				}
				idx[place] = int32(uint32(first) + uint32(bad))
				mustPanic(t, "ScatterRows: index", func() {
					o.ScatterRows(w, []int{0}, []int{5}, first, idx, make([]F, 5), make([]F, w), w, factor, w)
				})
				arena.check("ScatterRows with a bad index")
			}
			clear(idx)
			idx[place], at[0] = bad, 0
			o.TransposeRows(at, []int{5}, rows, idx, make([]F, 5), 0, make([]int, rows), make([]int32, 5), make([]F, 5))
			if at[0] != place {
				t.Fatalf("TransposeRows ends at %d where cell %d has the index %d", at[0], place, bad)
			}
		}
	}
	b, c, one, x := make([]F, 2*w), make([]F, 2*w), []int32{0}, []F{1}
	gather := func(n int, at, end []int, limit int, idx []int32, val []F, ldb int, c []F, ldc int) func() {
		return func() { o.GatherRows(n, at, end, limit, idx, val, b, ldb, c, ldc) }
	}
	scatter := func(n int, at, end []int, idx []int32, val, b []F, ldb int, c []F, ldc int) func() {
		return func() { o.ScatterRows(n, at, end, 0, idx, val, b, ldb, c, ldc) }
	}
	for what, try := range map[string]func(){
		"scattered ends":             scatter(w, []int{0}, []int{1, 1}, one, x, b, w, c, w),
		"scattered falling pointer":  scatter(w, []int{1}, []int{0}, one, x, b, w, c, w),
		"scattered negative pointer": scatter(w, []int{-1}, []int{0}, one, x, b, w, c, w),
		"scattered without values":   scatter(w, []int{0}, []int{1}, one, nil, b, w, c, w),
		"scattered without indices":  scatter(w, []int{0}, []int{1}, nil, x, b, w, c, w),
		"scattered from short b":     scatter(w, []int{0, 1}, []int{1, 1}, one, x, b[1:], w, c, w),
		"scattered to no c":          scatter(w, []int{0}, []int{1}, one, x, b, w, nil, w),
		"scattered overlap":          scatter(w, []int{0}, []int{1}, one, x, b, w, c, w-1),
		"scattered part of a vector": scatter(w-1, []int{0}, []int{1}, one, x, b, w, c, w),
		"scattered without stride":   scatter(w, []int{0}, []int{1}, one, x, b, w, c, 0),
		"limit":                      gather(w, []int{0}, []int{1}, 3, one, x, w, c, w),
		"negative limit":             gather(w, []int{0}, []int{1}, -1, one, x, w, c, w),
		"ends":                       gather(w, []int{0}, []int{1, 1}, 2, one, x, w, c, w),
		"falling pointer":            gather(w, []int{1}, []int{0}, 2, one, x, w, c, w),
		"negative pointer":           gather(w, []int{-1}, []int{0}, 2, one, x, w, c, w),
		"no values":                  gather(w, []int{0}, []int{1}, 2, one, nil, w, c, w),
		"no indices":                 gather(w, []int{0}, []int{1}, 2, nil, x, w, c, w),
		"short c":                    gather(w, []int{0, 1}, []int{1, 1}, 2, one, x, w, c[1:], w),
		"overlap":                    gather(w, []int{0, 1}, []int{1, 1}, 2, one, x, w, c, w-1),
		"part of a vector":           gather(w-1, []int{0}, []int{1}, 2, one, x, w, c, w),
		"no stride":                  gather(w, []int{0}, []int{1}, 2, one, x, 0, c, w),
		"columns": func() {
			o.TransposeRows([]int{0}, []int{1}, 2, one, x, 0, make([]int, 1), make([]int32, 1), make([]F, 1))
		},
		"cells": func() {
			o.TransposeRows([]int{0}, []int{2}, 1, one, x, 0, make([]int, 1), make([]int32, 2), make([]F, 2))
		},
	} {
		mustPanic(t, what, try)
	}
	o.GatherRows(w, nil, nil, 0, nil, nil, nil, w, nil, w)
	o.GatherRows(0, []int{0}, []int{1}, 0, one, x, nil, 1, nil, 1)
	o.ScatterRows(w, nil, nil, 0, nil, nil, nil, w, nil, w)
	o.ScatterRows(w, []int{0}, []int{0}, 0, one, x, b, w, c, w)
	o.ScatterRows(0, []int{0}, []int{1}, 0, one, x, nil, 1, c, 1)
	o.TransposeRows(nil, nil, 0, nil, nil, 0, nil, nil, nil)
}

// FuzzRows draws shapes and seeds.
func FuzzRows(f *testing.F) {
	f.Add(uint64(1), uint8(1), uint8(3), uint8(5), uint8(0))
	f.Add(uint64(2), uint8(9), uint8(130), uint8(60), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, vectors, rows, columns, gap uint8) {
		fuzzRows[float32](t, seed, int(vectors%11), 1+int(rows), 1+int(columns), int(gap%8))
		fuzzRows[float64](t, seed, int(vectors%11), 1+int(rows), 1+int(columns), int(gap%8))
	})
}

func fuzzRows[F Float](t *testing.T, seed uint64, vectors, rows, columns, gap int) {
	for _, name := range Tiers() {
		r := rand.New(rand.NewPCG(seed, 0))
		lengths := make([]int, rows)
		for i := range lengths {
			lengths[i] = r.IntN(1 + r.IntN(columns+1))
		}
		newRowsCase[F](r, lengths, columns, vectors*Width[F](), gap).check(t, ForTier[F](name), r)
	}
}
