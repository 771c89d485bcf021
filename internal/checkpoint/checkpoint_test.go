package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
)

// example is a state with a run that is done, one that is dropped, and one under
// way, whose factors lie in a stack where `apart` is more than k.
func example[F kernel.Float](m, n, k, apart int) *State[F] {
	next := 0.0
	factor := func(rows int) *engine.Tall[F] {
		t := &engine.Tall[F]{Rows: rows, K: k, Ld: apart, Data: make([]F, rows*apart)}
		for i := range t.Data {
			next++
			t.Data[i] = F(next / 7)
		}
		return t
	}
	now := &engine.Snapshot[F]{Runs: []engine.RunState[F]{
		{Index: 0, Run: engine.Run[F]{Status: engine.Stalled, Iterations: 9, Loss: 3, KKT: 1e-5}},
		{Index: 1, Run: engine.Run[F]{Status: engine.Converged, Iterations: 7, Loss: 2, W: factor(m), H: factor(n),
			Trace: []engine.Iteration{{Iteration: 1, Loss: 4, RelativeError: 0.5, KKT: 0.1, Seconds: 2}, {Iteration: 3, Loss: 2}}}},
		{Index: 3, Run: engine.Run[F]{Iterations: 2, Revived: 1, W: factor(m), H: factor(n), Trace: []engine.Iteration{{Iteration: 2, Loss: 8, KKT: math.NaN()}}},
			Loss: math.Inf(1), Tol: 1e-4, WPlain: factor(m), HPlain: factor(n), WAhead: factor(m), HAhead: factor(n),
			Momentum: engine.Momentum{Next: 0.5, Last: 0.25, Ceiling: 1, RejectedInARow: 2}, Revivals: make([]int, k),
			Gradient: make([]float64, k), Cross: slices.Repeat([]float64{math.Copysign(0, -1)}, k), NormW: make([]float64, k), Plain: true, MadePlain: true},
	}}
	before := &engine.Snapshot[F]{Runs: []engine.RunState[F]{{Run: engine.Run[F]{Status: engine.Stalled, W: factor(m), H: factor(n)}}}}
	return &State[F]{Stage: 1, Seconds: 12.5, Known: []float64{3, 0.9}, Before: before, Now: now}
}

func written[F kernel.Float](t testing.TB, s *State[F]) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, []byte(`{"k":2}`), s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readBack[F kernel.Float](text []byte) (*State[F], error) {
	return Read[F](bytes.NewReader(text), int64(len(text)), func([]byte) error { return nil })
}

// TestStateIsKept: what is read is what was written, bit for bit, wherever the
// factors lay.
func TestStateIsKept(t *testing.T) {
	t.Run("float32", func(t *testing.T) { stateIsKept[float32](t) })
	t.Run("float64", func(t *testing.T) { stateIsKept[float64](t) })
}

func stateIsKept[F kernel.Float](t *testing.T) {
	for _, k := range []int{1, 2, 17} {
		s := example[F](5, 4, k, k+3)
		text := written(t, s)
		back, err := readBack[F](text)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(written(t, back), text) {
			t.Error("what is read is written otherwise")
		}
		if err := Check(back.Now, 5, 4, k, 4, true, true); err != nil {
			t.Error(err)
		}
		for name, err := range map[string]error{
			"rows":     Check(back.Now, 6, 4, k, 4, true, true),
			"columns":  Check(back.Now, 5, 5, k, 4, true, true),
			"k":        Check(back.Now, 5, 4, k+1, 4, true, true),
			"runs":     Check(back.Now, 5, 4, k, 3, true, true),
			"minimize": Check(back.Now, 5, 4, k, 4, false, true),
		} {
			if !errors.Is(err, errFormat) {
				t.Errorf("other %s: %v", name, err)
			}
		}
		a, b := s.Now.Runs[2], back.Now.Runs[2]
		for i := range 5 {
			if !slices.Equal(a.WAhead.Row(i), b.WAhead.Row(i)) {
				t.Errorf("row %d is another one", i)
			}
		}
		if !math.IsNaN(b.Run.Trace[0].KKT) || !math.IsInf(b.Loss, 1) || !math.Signbit(b.Cross[0]) || a.Momentum != b.Momentum {
			t.Errorf("%+v", b)
		}
		if !reflect.DeepEqual(s.Known, back.Known) || back.Stage != 1 || back.Seconds != 12.5 {
			t.Errorf("%+v", back)
		}
	}
}

// TestOfAnotherFormat: headers that are refused, other precisions, other formats.
func TestOfAnotherFormat(t *testing.T) {
	text := written(t, example[float32](5, 4, 2, 2))
	if _, err := readBack[float64](text); !errors.Is(err, errFormat) {
		t.Errorf("another precision: %v", err)
	}
	other := errors.New("of another fit")
	if _, err := Read[float32](bytes.NewReader(text), int64(len(text)), func(h []byte) error {
		if string(h) != `{"k":2}` {
			t.Errorf("header %s", h)
		}
		return other
	}); !errors.Is(err, other) {
		t.Errorf("another fit: %v", err)
	}
	newer := bytes.Clone(text)
	newer[len(magic)] = 2
	if _, err := readBack[float32](newer); !errors.Is(err, errFormat) || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("another format: %v", err)
	}
}

// FuzzRead: whatever is in a file whose sum is right, reading it ends in a state
// or in an error, and takes no more memory than the file has bytes, but for
// padding.
func FuzzRead(f *testing.F) {
	whole := written(f, example[float32](5, 4, 2, 2))
	f.Add(whole)
	f.Add(written(f, example[float32](1, 1, 1, 1)))
	f.Add(written(f, &State[float32]{Now: new(engine.Snapshot[float32])}))
	for _, n := range []int{0, 3, len(magic), len(magic) + 8, len(magic) + 17, len(whole) / 2, len(whole) - 1} {
		f.Add(whole[:n])
	}
	for i := len(magic); i < len(whole); i += 41 {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x80
		f.Add(damaged)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := readBack[float32](text)
		if err != nil {
			return
		}
		again, err := readBack[float32](written(t, s))
		if err != nil || !bytes.Equal(written(t, again), written(t, s)) {
			t.Errorf("read otherwise: %v", err)
		}
		_ = Check(s.Now, 5, 4, 2, 4, true, true)
	})
}

// TestEveryCut: a state that is cut short anywhere, or has any other number in
// it, is an error or a state, never a panic.
func TestEveryCut(t *testing.T) {
	text := written(t, example[float64](3, 2, 2, 2))
	for n := range text {
		if _, err := readBack[float64](text[:n]); err == nil {
			t.Errorf("%d of %d bytes are accepted", n, len(text))
		}
	}
	for i := range text {
		for _, v := range []byte{0x01, 0x80, 0xff} {
			damaged := bytes.Clone(text)
			damaged[i] ^= v
			readBack[float64](damaged)
		}
	}
	if _, err := readBack[float64](append(bytes.Clone(text), 0)); err == nil {
		t.Error("a byte too much is accepted")
	}
}

// TestFolder: the last two are kept; a damaged one is told and removed when the
// next is there; numbers go on.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	open := func() *Folder {
		f, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	save := func(f *Folder, text string) {
		if _, err := f.Save(func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
			t.Fatal(err)
		}
	}
	load := func(f *Folder) (text string, damaged []string) {
		_, err := f.Load(func(r io.Reader, size int64) error {
			b, err := io.ReadAll(r)
			if int64(len(b)) != size {
				t.Errorf("%d bytes, not %d", len(b), size)
			}
			text = string(b)
			return err
		}, func(path string, err error) { damaged = append(damaged, filepath.Base(path)) })
		if err != nil {
			text = err.Error()
		}
		return text, damaged
	}
	there := func(want ...string) {
		t.Helper()
		files, _ := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
		for i := range files {
			files[i] = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(files[i]), "checkpoint-0000000"), ".nmf")
		}
		if !slices.Equal(files, want) {
			t.Errorf("%q are there, not %q", files, want)
		}
	}
	f := open()
	if text, _ := load(f); text != "" || !f.Empty() {
		t.Errorf("an empty folder has %q", text)
	}
	for i := range 5 {
		save(f, fmt.Sprint("state ", i+1))
	}
	there("4", "5")
	if _, err := Open(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	f.Close()
	if err := os.Truncate(f.file(5), 20); err != nil {
		t.Fatal(err)
	}
	f = open()
	if text, damaged := load(f); text != "state 4" || !slices.Equal(damaged, []string{"checkpoint-00000005.nmf"}) {
		t.Errorf("%q, damaged %q", text, damaged)
	}
	there("4", "5")
	save(f, "state 6")
	there("4", "6")
	full := errors.New("the disk is full")
	if _, err := f.Save(func(io.Writer) error { return full }); !errors.Is(err, full) {
		t.Errorf("not saved: %v", err)
	}
	there("4", "6")
	f.Close()
	f = open()
	if text, damaged := load(f); text != "state 6" || damaged != nil {
		t.Errorf("%q, damaged %q", text, damaged)
	}
	f.Close()
	for _, n := range []int64{4, 6} {
		if err := os.WriteFile(f.file(n), make([]byte, 100), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f = open()
	if text, damaged := load(f); !strings.Contains(text, "checkpoint-00000004.nmf: damaged") || len(damaged) != 2 {
		t.Errorf("both damaged: %q, %q", text, damaged)
	}
	f.Close()
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}
