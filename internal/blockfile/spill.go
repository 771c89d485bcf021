package blockfile

import (
	"os"

	"github.com/partsof/nmf/matrix"
)

// spill is a temporary file of pieces that are written once and read once. It
// has no name where the system allows that, so that nothing is left of it when
// the program is killed.
type spill struct {
	f      *os.File
	at     int64
	folder string
}

func newSpill(dir string) (*spill, error) {
	f, err := os.CreateTemp(dir, ".nmf-*.tmp")
	if err != nil {
		return nil, &WriteError{dir, err}
	}
	// Where an open file cannot be removed, close does it.
	_ = os.Remove(f.Name())
	return &spill{f: f, folder: dir}, nil
}

func (s *spill) close() {
	s.f.Close()
	_ = os.Remove(s.f.Name())
}

// append writes a piece and gives its place.
func (s *spill) append(pieces ...[]byte) (at int64, err error) {
	at = s.at
	for _, b := range pieces {
		n, err := s.f.WriteAt(b, s.at)
		s.at += int64(n)
		if err != nil {
			return at, &WriteError{s.folder, err}
		}
	}
	return at, nil
}

func (s *spill) read(at int64, pieces ...[]byte) error {
	for _, b := range pieces {
		if _, err := s.f.ReadAt(b, at); err != nil {
			return err
		}
		at += int64(len(b))
	}
	return nil
}

// sorter sorts cells by line, on disk: a bucket sort over ranges of lines. The
// cells of a line keep the order in which they came.
type sorter[F matrix.Float] struct {
	lines, length int
	step          int // lines of a bucket
	first         int // the line of bucket 0
	room          int // bytes
	spill         *spill
	buckets       []bucket[F]
	each          int   // cells that a bucket keeps in memory
	counts        []int // cells of each group of matrix.BlockStep lines
}

type bucket[F matrix.Float] struct {
	lines, others []int32
	vals          []F
	segments      []segment
	cells         int
}

type segment struct {
	at int64
	n  int
}

const (
	// mostBuckets bounds the number of buckets, and of blocks in a file.
	mostBuckets = 4096
	leastKept   = 128
	mostKept    = 8192
)

// newSorter makes a sorter for about so many cells, that uses so many bytes of
// memory.
func newSorter[F matrix.Float](sp *spill, first, lines, length, cells, room int) *sorter[F] {
	bytes := 8 + sizeOf[F]()
	n := min(max(1, 8*cells*bytes/room), mostBuckets, (lines+matrix.BlockStep-1)/matrix.BlockStep)
	step := (lines + n - 1) / max(1, n)
	step = max(1, (step+matrix.BlockStep-1)/matrix.BlockStep) * matrix.BlockStep
	if lines <= matrix.BlockStep {
		// A part of a sorter that is being divided.
		step = max(1, (lines+7)/8)
	}
	n = (lines + step - 1) / step
	s := &sorter[F]{lines: lines, length: length, step: step, first: first, room: room, spill: sp, buckets: make([]bucket[F], n),
		counts: make([]int, (lines+matrix.BlockStep-1)/matrix.BlockStep)}
	s.each = min(max(leastKept, room/(2*max(1, n)*bytes)), mostKept)
	return s
}

// add takes a cell.
func (s *sorter[F]) add(line, other int32, v F) error {
	at := int(line) - s.first
	b := &s.buckets[at/s.step]
	b.lines, b.others, b.vals = append(b.lines, line), append(b.others, other), append(b.vals, v)
	b.cells++
	s.counts[at/matrix.BlockStep]++
	if len(b.vals) == s.each {
		return s.flush(b)
	}
	return nil
}

func (s *sorter[F]) flush(b *bucket[F]) error {
	at, err := s.spill.append(bytesOf(b.lines), bytesOf(b.others), bytesOf(b.vals))
	b.segments = append(b.segments, segment{at, len(b.vals)})
	b.lines, b.others, b.vals = b.lines[:0], b.others[:0], b.vals[:0]
	return err
}

// run calls do with the lines of each bucket in turn. Cells of a line that were
// given more than once are summed in their order; repeats is how many were.
func (s *sorter[F]) run(do func(part *matrix.CSR[F]) error) (repeats int, err error) {
	for i := range s.buckets {
		n, err := s.finish(i, do)
		repeats += n
		if err != nil {
			return repeats, err
		}
	}
	return repeats, nil
}

// finish does bucket i. One that is too large is divided.
func (s *sorter[F]) finish(i int, do func(part *matrix.CSR[F]) error) (repeats int, err error) {
	const perCell = 40 // what FromTriplets takes for each
	b := &s.buckets[i]
	first := s.first + i*s.step
	lines := min(s.step, s.first+s.lines-first)
	defer func() { *b = bucket[F]{} }()
	if b.cells*perCell > s.room && lines > 1 {
		part := newSorter[F](s.spill, first, lines, s.length, b.cells, s.room)
		var err error
		if e := s.replay(b, func(l, o []int32, v []F) {
			for p := range v {
				if err == nil {
					err = part.add(l[p], o[p], v[p])
				}
			}
		}); e != nil {
			err = e
		}
		if err != nil {
			return 0, err
		}
		return part.run(do)
	}
	at, others, vals := make([]int32, 0, b.cells), make([]int32, 0, b.cells), make([]F, 0, b.cells)
	if err := s.replay(b, func(l, o []int32, v []F) {
		for _, line := range l {
			at = append(at, line-int32(first))
		}
		others, vals = append(others, o...), append(vals, v...)
	}); err != nil {
		return 0, err
	}
	part, repeats, err := matrix.FromTriplets(lines, s.length, at, others, vals)
	if err != nil {
		return 0, err
	}
	return repeats, do(part)
}

// replay gives the cells of a bucket in the order in which they came.
func (s *sorter[F]) replay(b *bucket[F], do func(lines, others []int32, vals []F)) error {
	var l, o []int32
	var v []F
	for _, g := range b.segments {
		l, o, v = resized(l, g.n), resized(o, g.n), resized(v, g.n)
		if err := s.spill.read(g.at, bytesOf(l), bytesOf(o), bytesOf(v)); err != nil {
			return err
		}
		do(l, o, v)
	}
	do(b.lines, b.others, b.vals)
	return nil
}

// turner turns a dense matrix that comes line by line round, on disk: strips of
// turnedLines of its other lines are gathered from all that came.
type turner[F matrix.Float] struct {
	length  int // of the lines that come
	step    int // how many are kept in memory
	kept    []F
	spill   *spill
	at      []int64 // of the strips of each lot
	heights []int   // lines of each lot
}

// turnedLines is the number of lines of a strip: a tile of the engine's.
const turnedLines = 64

func newTurner[F matrix.Float](sp *spill, length, room int) *turner[F] {
	return &turner[F]{length: length, step: max(1, room/2/max(1, length*sizeOf[F]())), spill: sp}
}

// add takes whole lines.
func (t *turner[F]) add(vals []F) error {
	for len(vals) > 0 {
		n := min(len(vals), t.step*t.length-len(t.kept))
		t.kept = append(t.kept, vals[:n]...)
		if vals = vals[n:]; len(t.kept) == t.step*t.length {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the strips of the lines that are kept, each turned round.
func (t *turner[F]) flush() error {
	n := len(t.kept) / max(1, t.length)
	if n == 0 {
		return nil
	}
	t.heights = append(t.heights, n)
	strip := make([]F, n*min(turnedLines, t.length))
	for j0 := 0; j0 < t.length; j0 += turnedLines {
		width := min(turnedLines, t.length-j0)
		for i := range n {
			for j, v := range t.kept[i*t.length+j0 : i*t.length+j0+width] {
				strip[j*n+i] = v
			}
		}
		at, err := t.spill.append(bytesOf(strip[:n*width]))
		if err != nil {
			return err
		}
		t.at = append(t.at, at)
	}
	t.kept = t.kept[:0]
	return nil
}

// run calls do with the strips in turn, whole lines of `lines` values.
func (t *turner[F]) run(lines int, do func(vals []F) error) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.kept = nil
	strips := (t.length + turnedLines - 1) / turnedLines
	out, piece := make([]F, lines*min(turnedLines, t.length)), []F(nil)
	for s := range strips {
		width := min(turnedLines, t.length-s*turnedLines)
		first := 0
		for lot, n := range t.heights {
			piece = resized(piece, n*width)
			if err := t.spill.read(t.at[lot*strips+s], bytesOf(piece)); err != nil {
				return err
			}
			for j := range width {
				copy(out[j*lines+first:], piece[j*n:(j+1)*n])
			}
			first += n
		}
		if err := do(out[:width*lines]); err != nil {
			return err
		}
	}
	return nil
}
