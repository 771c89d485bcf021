package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
)

// State is the state of a fit between two iterations.
type State[F kernel.Float] struct {
	// Stage counts the calls of the engine that a fit makes, from 0.
	Stage int
	// Seconds is what the fit took so far.
	Seconds float64
	// Known is what the stages before have found, such as parameters of the loss.
	Known []float64
	// Before are the runs of the stage before where this one starts at them, nil
	// otherwise; Now is the state of this one.
	Before, Now *engine.Snapshot[F]
}

// Header is what stands at the beginning of a checkpoint, before the state.
const (
	magic  = "nmf checkpoint\n"
	format = 1
	// mostHeader bounds the text of a header.
	mostHeader = 1 << 24
)

var errFormat = errors.New("not a checkpoint of this format")

// Write writes a text that says what fit it is, and its state.
func Write[F kernel.Float](w io.Writer, header []byte, s *State[F]) error {
	e := &encoder{w: w}
	e.write([]byte(magic))
	e.int(format)
	e.int(len(header))
	e.write(header)
	e.int(s.Stage)
	e.float(s.Seconds)
	e.floats(s.Known)
	snapshot(e, s.Before)
	snapshot(e, s.Now)
	return e.err
}

// Read reads what Write wrote, `size` bytes; accept says whether the header is
// of the right fit.
func Read[F kernel.Float](r io.Reader, size int64, accept func(header []byte) error) (*State[F], error) {
	d := &decoder{r: r, left: size}
	if string(d.bytes(len(magic))) != magic {
		return nil, d.fail("it does not begin as one")
	}
	if n := d.int(); n != format && d.err == nil {
		return nil, fmt.Errorf("%w: format %d, and this version of nmf has format %d", errFormat, n, format)
	}
	n := d.int()
	if n < 0 || n > mostHeader {
		return nil, d.fail("a header of %d bytes", n)
	}
	header := d.bytes(n)
	if d.err != nil {
		return nil, d.err
	}
	if err := accept(header); err != nil {
		return nil, err
	}
	s := &State[F]{Stage: d.int(), Seconds: d.float(), Known: d.floats()}
	s.Before, s.Now = readSnapshot[F](d), readSnapshot[F](d)
	if d.err == nil && (d.left != 0 || s.Now == nil) {
		d.fail("%d bytes are left over", d.left)
	}
	return s, d.err
}

// Check says whether a snapshot can be the state of `runs` runs of k components
// for m x n data. With all it has the factors that Alternate needs, with ahead
// those that Minimize extrapolates with.
func Check[F kernel.Float](s *engine.Snapshot[F], m, n, k, runs int, all, ahead bool) error {
	last := -1
	for i := range s.Runs {
		r := &s.Runs[i]
		if r.Index <= last || r.Index >= runs {
			return fmt.Errorf("%w: run %d", errFormat, r.Index)
		}
		last = r.Index
		type factor struct {
			t    *engine.Tall[F]
			rows int
			want bool
		}
		done := r.Run.Status != ""
		factors := []factor{{r.Run.W, m, !done || r.Run.H != nil}, {r.Run.H, n, !done || r.Run.W != nil}, {r.WPlain, m, !done && (all || ahead)},
			{r.HPlain, n, !done && all}, {r.WAhead, m, !done && all}, {r.HAhead, n, !done && (all || ahead)}}
		for _, f := range factors {
			if (f.t != nil) != f.want || f.t != nil && (f.t.Rows != f.rows || f.t.K != k) {
				return fmt.Errorf("%w: the factors of run %d", errFormat, r.Index)
			}
		}
		if done {
			continue
		}
		if len(r.Revivals) != k || len(r.Gradient) != k || len(r.Cross) != k || !all && len(r.NormW) != k {
			return fmt.Errorf("%w: the sums of run %d", errFormat, r.Index)
		}
	}
	return nil
}

type encoder struct {
	w   io.Writer
	err error
	row []byte
}

func (e *encoder) write(b []byte) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
	}
}

func (e *encoder) int(v int) { e.write(binary.LittleEndian.AppendUint64(nil, uint64(int64(v)))) }

func (e *encoder) float(v float64) {
	e.write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
}

func (e *encoder) bool(v bool) {
	if v {
		e.int(1)
	} else {
		e.int(0)
	}
}

func (e *encoder) floats(v []float64) {
	e.int(len(v))
	for _, x := range v {
		e.float(x)
	}
}

func (e *encoder) text(s string) {
	e.int(len(s))
	e.write([]byte(s))
}

func snapshot[F kernel.Float](e *encoder, s *engine.Snapshot[F]) {
	e.bool(s != nil)
	if s == nil {
		return
	}
	e.int(len(s.Runs))
	for i := range s.Runs {
		run(e, &s.Runs[i])
	}
}

func run[F kernel.Float](e *encoder, s *engine.RunState[F]) {
	r := &s.Run
	e.int(s.Index)
	e.text(string(r.Status))
	e.int(r.Iterations)
	e.int(r.Revived)
	for _, v := range []float64{r.Loss, r.RelativeError, r.KKT, r.KKTW, r.KKTH, s.Loss, s.Tol, s.Momentum.Next, s.Momentum.Last, s.Momentum.Ceiling} {
		e.float(v)
	}
	e.int(s.Momentum.RejectedInARow)
	e.bool(s.Plain)
	e.bool(s.MadePlain)
	e.int(len(r.Trace))
	for _, it := range r.Trace {
		e.int(it.Iteration)
		for _, v := range []float64{it.Loss, it.RelativeError, it.KKT, it.Seconds} {
			e.float(v)
		}
	}
	e.int(len(s.Revivals))
	for _, v := range s.Revivals {
		e.int(v)
	}
	e.floats(s.Gradient)
	e.floats(s.Cross)
	e.floats(s.NormW)
	for _, t := range []*engine.Tall[F]{r.W, r.H, s.WPlain, s.HPlain, s.WAhead, s.HAhead} {
		factor(e, t)
	}
}

// factor writes the rows one after the other, without what pads them.
func factor[F kernel.Float](e *encoder, t *engine.Tall[F]) {
	e.bool(t != nil)
	if t == nil {
		return
	}
	const batch = 64 << 10
	e.int(t.Rows)
	e.int(t.K)
	e.row = e.row[:0]
	for i := range t.Rows {
		for _, v := range t.Row(i) {
			if elementSize[F]() == 4 {
				e.row = binary.LittleEndian.AppendUint32(e.row, math.Float32bits(float32(v)))
			} else {
				e.row = binary.LittleEndian.AppendUint64(e.row, math.Float64bits(float64(v)))
			}
		}
		if len(e.row) >= batch {
			e.write(e.row)
			e.row = e.row[:0]
		}
	}
	e.write(e.row)
}

func elementSize[F kernel.Float]() int { return 64 / kernel.Width[F]() }

// decoder reads no more than is there, and allocates no more than that.
type decoder struct {
	r    io.Reader
	left int64
	err  error
	word [8]byte
	row  []byte
}

func (d *decoder) fail(format string, args ...any) error {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", errFormat, fmt.Sprintf(format, args...))
	}
	return d.err
}

// fits reports whether n elements of a size can be there.
func (d *decoder) fits(n, size int) bool {
	if d.err == nil && (n < 0 || int64(n) > d.left/int64(size)) {
		d.fail("%d elements where %d bytes are left", n, d.left)
	}
	return d.err == nil
}

func (d *decoder) read(b []byte) {
	if d.fits(len(b), 1) {
		_, err := io.ReadFull(d.r, b)
		d.left -= int64(len(b))
		d.err = err
	}
	if d.err != nil {
		clear(b)
	}
}

func (d *decoder) bytes(n int) []byte {
	if !d.fits(n, 1) {
		return nil
	}
	b := make([]byte, n)
	d.read(b)
	return b
}

func (d *decoder) word64() uint64 {
	d.read(d.word[:])
	return binary.LittleEndian.Uint64(d.word[:])
}

func (d *decoder) int() int       { return int(int64(d.word64())) }
func (d *decoder) float() float64 { return math.Float64frombits(d.word64()) }
func (d *decoder) bool() bool     { return d.word64() != 0 }

func (d *decoder) floats() []float64 {
	n := d.int()
	if !d.fits(n, 8) || n == 0 {
		return nil
	}
	v := make([]float64, n)
	for i := range v {
		v[i] = d.float()
	}
	return v
}

func readSnapshot[F kernel.Float](d *decoder) *engine.Snapshot[F] {
	if !d.bool() {
		return nil
	}
	const leastRun = 160
	s := new(engine.Snapshot[F])
	n := d.int()
	if !d.fits(n, leastRun) {
		return nil
	}
	s.Runs = make([]engine.RunState[F], n)
	for i := range s.Runs {
		readRun(d, &s.Runs[i])
	}
	return s
}

func readRun[F kernel.Float](d *decoder, s *engine.RunState[F]) {
	r := &s.Run
	s.Index = d.int()
	r.Status = engine.Status(d.bytes(d.int()))
	r.Iterations, r.Revived = d.int(), d.int()
	for _, p := range []*float64{&r.Loss, &r.RelativeError, &r.KKT, &r.KKTW, &r.KKTH, &s.Loss, &s.Tol, &s.Momentum.Next, &s.Momentum.Last, &s.Momentum.Ceiling} {
		*p = d.float()
	}
	s.Momentum.RejectedInARow = d.int()
	s.Plain, s.MadePlain = d.bool(), d.bool()
	if n := d.int(); d.fits(n, 5*8) && n > 0 {
		r.Trace = make([]engine.Iteration, n)
		for i := range r.Trace {
			r.Trace[i] = engine.Iteration{Iteration: d.int(), Loss: d.float(), RelativeError: d.float(), KKT: d.float(), Seconds: d.float()}
		}
	}
	if n := d.int(); d.fits(n, 8) && n > 0 {
		s.Revivals = make([]int, n)
		for i := range s.Revivals {
			s.Revivals[i] = d.int()
		}
	}
	s.Gradient, s.Cross, s.NormW = d.floats(), d.floats(), d.floats()
	for _, t := range []**engine.Tall[F]{&r.W, &r.H, &s.WPlain, &s.HPlain, &s.WAhead, &s.HAhead} {
		*t = readFactor[F](d)
	}
}

func readFactor[F kernel.Float](d *decoder) *engine.Tall[F] {
	if !d.bool() {
		return nil
	}
	rows, k := d.int(), d.int()
	const most = 1 << 31
	if rows < 1 || k < 1 || rows >= most || k >= most {
		d.fail("a factor of %d x %d", rows, k)
	}
	size := elementSize[F]()
	if d.err != nil || !d.fits(rows, k*size) {
		return nil
	}
	t := engine.NewTall[F](rows, k)
	d.row = make([]byte, k*size)
	for i := range rows {
		d.read(d.row)
		row := t.Row(i)
		for j := range row {
			if size == 4 {
				row[j] = F(math.Float32frombits(binary.LittleEndian.Uint32(d.row[j*size:])))
			} else {
				row[j] = F(math.Float64frombits(binary.LittleEndian.Uint64(d.row[j*size:])))
			}
		}
	}
	return t
}
