package nmf_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// checkpointCase is a fit that is stopped after each of its iterations.
type checkpointCase[F matrix.Float] struct {
	name string
	x    matrix.Matrix[F]
	k    int
	o    nmf.Options
	// states is the least number of them that there must be.
	states int
}

func checkpointCases[F matrix.Float]() []checkpointCase[F] {
	x := lowRank[F](60, 45, 6, 0.2, 1)
	positive := lowRank[F](60, 45, 6, 0.2, 2)
	for i := range positive.Data {
		positive.Data[i] += 0.1
	}
	counts := matrix.NewDense[F](x.Rows, x.Cols)
	for i, v := range x.Data {
		counts.Data[i] = F(math.Round(3 * float64(v)))
	}
	thin := sparsely(counts, 4, 3).Sparse()
	holes := x.Clone()
	for i := 0; i < len(holes.Data); i += 7 {
		holes.Data[i] = F(math.NaN())
	}
	weights := make([]float64, x.Rows)
	for i := range weights {
		weights[i] = 0.5 + float64(i%3)
	}
	known := matrix.NewDense[float64](2, x.Cols)
	for i := range known.Data {
		known.Data[i] = float64(i % 5)
	}
	many := sparsely(lowRank[F](2200, 40, 4, 0.1, 4), 9, 5).Sparse()
	exact := lowRank[F](60, 45, 3, 0, 6)
	on := func(o nmf.Options, penalty nmf.Penalty) nmf.Options {
		o.PenaltyW, o.PenaltyH = penalty, penalty
		return o
	}
	return []checkpointCase[F]{
		{"hals", x, 5, nmf.Options{}, 10},
		{"plain hals", x, 5, nmf.Options{NoExtrapolation: true, Init: "random"}, 10},
		{"bpp", x, 5, nmf.Options{Solver: "bpp", Init: "random"}, 10},
		{"mu", x, 5, nmf.Options{Solver: "mu"}, 10},
		{"sparse", thin, 5, nmf.Options{Init: "random"}, 10},
		{"dead components", exact, 9, nmf.Options{Init: "random", Seed: 3}, 10},
		{"to tolerance", x, 3, nmf.Options{Init: "random", MaxIter: 60, Tol: 1e-2, LossTol: -1}, 3},
		{"runs", x, 5, nmf.Options{Runs: 4, Tol: 3e-2}, 5},
		{"runs after runs", x, 5, nmf.Options{Runs: 150, MaxIter: 3}, 4},
		{"sketch", x, 4, nmf.Options{Compression: "on", Runs: 3, Init: "random"}, 10},
		{"runs of a sketch", x, 4, nmf.Options{Compression: "on", Runs: 150, MaxIter: 2}, 10},
		{"streamed", streamed(x, nil), 5, nmf.Options{Init: "random", Runs: 2}, 10},
		{"l1 and l2", x, 5, on(nmf.Options{Init: "random"}, nmf.Penalty{L1: 0.1, L2: 0.1}), 10},
		{"smooth", x, 5, on(nmf.Options{Init: "random"}, nmf.Penalty{L2: 0.1, Smooth: 0.5}), 10},
		{"bounded", x, 5, on(nmf.Options{Init: "random"}, nmf.Penalty{Upper: 2}), 10},
		{"simplex", x, 5, nmf.Options{Init: "random", PenaltyW: nmf.Penalty{Simplex: true}}, 10},
		{"sparseness", x, 5, nmf.Options{Init: "random", PenaltyW: nmf.Penalty{Sparseness: 0.5}}, 10},
		{"held", x, 5, nmf.Options{PenaltyH: nmf.Penalty{Held: known}}, 10},
		{"given", x, 2, nmf.Options{H: known}, 10},
		{"kl", counts, 5, nmf.Options{Loss: "kl"}, 10},
		{"kl by mu", counts, 5, nmf.Options{Loss: "kl", Solver: "mu"}, 10},
		{"sparse kl", thin, 5, nmf.Options{Loss: "kl", Runs: 3}, 15},
		{"kl online", many, 6, nmf.Options{Loss: "kl", MaxIter: 4}, 3},
		{"kl to tolerance", counts, 3, nmf.Options{Loss: "kl", MaxIter: 60, Tol: 1e-2, LossTol: -1}, 3},
		{"kl with penalties", counts, 4, on(nmf.Options{Loss: "kl"}, nmf.Penalty{L1: 0.01, L2: 0.01}), 10},
		{"kl on a simplex", counts, 4, nmf.Options{Loss: "kl", PenaltyW: nmf.Penalty{Simplex: true}}, 5},
		{"is", positive, 4, nmf.Options{Loss: "is"}, 10},
		{"beta", positive, 4, nmf.Options{Loss: "beta", Beta: 0.5, NoExtrapolation: true}, 10},
		{"negbinomial", counts, 3, nmf.Options{Loss: "negbinomial"}, 25},
		{"negbinomial by feature", counts, 3, nmf.Options{Loss: "negbinomial", DispersionBy: "feature", Runs: 2}, 30},
		{"huber", x, 4, nmf.Options{Loss: "huber"}, 15},
		{"l1", x, 4, nmf.Options{Loss: "l1"}, 5},
		{"missing", holes, 4, nmf.Options{Missing: "nan"}, 10},
		{"weighted", x, 4, nmf.Options{RowWeights: weights, Runs: 2}, 10},
		{"whole after all", x, 4, nmf.Options{Missing: "nan"}, 10},
	}
}

// TestResumeEveryIteration: whatever state a fit goes on from, with whatever
// number of threads, the model is that of the fit that was never stopped, bit
// for bit.
func TestResumeEveryIteration(t *testing.T) {
	t.Run("float32", func(t *testing.T) { resumeEveryIteration[float32](t) })
	t.Run("float64", func(t *testing.T) { resumeEveryIteration[float64](t) })
}

func resumeEveryIteration[F matrix.Float](t *testing.T) {
	for _, c := range checkpointCases[F]() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := c.o
			o.MaxIter = cmp.Or(o.MaxIter, 11)
			want := everything(t, fit(t, c.x, c.k, &o))
			var states [][]byte
			o.Threads = 3
			o.Checkpoint = &nmf.Checkpoint{Dir: filepath.Join(t.TempDir(), "c"), Every: -1, Saved: func(path string) {
				state, err := os.ReadFile(path)
				if err != nil {
					t.Error(err)
				}
				states = append(states, state)
			}}
			if got := everything(t, fit(t, c.x, c.k, &o)); got != want {
				t.Errorf("keeping the state changes the model:\n%s\n%s", got, want)
			}
			if len(states) < c.states {
				t.Errorf("%d states, want %d at least", len(states), c.states)
			}
			most := 60
			if testing.Short() {
				most = 5
			}
			step := max(1, len(states)/most)
			for i := 0; i < len(states); i += step {
				o.Threads = 1 + 2*(i%2)
				o.Checkpoint = &nmf.Checkpoint{Dir: folderOf(t, states[i]), Resume: true}
				if got := everything(t, fit(t, c.x, c.k, &o)); got != want {
					t.Fatalf("from state %d of %d: another model:\n%s\n%s", i+1, len(states), got, want)
				}
			}
		})
	}
}

// folderOf makes a folder of states, the oldest first.
func folderOf(t testing.TB, states ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	for i, state := range states {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("checkpoint-%08d.nmf", i+1)), state, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// everything is all of a model but seconds and threads.
func everything[F matrix.Float](t testing.TB, m *nmf.Model[F]) string {
	t.Helper()
	info := m.Info
	info.Seconds, info.Options.Threads, info.Resolved.Threads = 0, 0, 0
	info.Trace = append([]nmf.Iteration(nil), info.Trace...)
	for i := range info.Trace {
		info.Trace[i].Seconds = 0
	}
	text, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	return bits(m) + " " + string(text)
}

// TestResumeCancelled: a fit that is cancelled at any iteration, again and again,
// ends with the model of one that was not, and the folder has the last state.
func TestResumeCancelled(t *testing.T) {
	x := lowRank[float32](60, 45, 6, 0.2, 1)
	for _, o := range []nmf.Options{{Init: "random", Runs: 3}, {Loss: "kl", Runs: 3}, {Loss: "negbinomial"}, {Compression: "on", Init: "random"}} {
		o.MaxIter, o.Tol, o.LossTol = 12, -1, -1
		counts := x.Clone()
		for i, v := range counts.Data {
			counts.Data[i] = float32(math.Round(float64(v)))
		}
		want := everything(t, fit(t, counts, 4, &o))
		o.Checkpoint = &nmf.Checkpoint{Dir: t.TempDir(), Resume: true}
		var got string
		stops := 0
		for ; got == ""; stops++ {
			ctx, cancel := context.WithCancel(t.Context())
			calls := 0
			o.Checkpoint.Every, o.Threads = -1, 1+stops%3
			o.Checkpoint.Saved = func(string) {
				if calls++; calls == 2 {
					cancel()
				}
			}
			m, err := nmf.Fit(ctx, counts, 4, &o)
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if err == nil && len(m.Info.Runs) == max(1, o.Runs) && m.Info.Status != nmf.Cancelled {
				got = everything(t, m)
				for _, r := range m.Info.Runs {
					if r.Status == nmf.Cancelled {
						got = ""
					}
				}
			}
			if stops > 1000 {
				t.Fatal("it does not come to an end")
			}
		}
		if stops < 2 || got != want {
			t.Errorf("%s, stopped %d times:\n%s\n%s", o.Loss, stops, got, want)
		}
	}
}

// TestCheckpointOfAnotherFit: what is not the same is named.
func TestCheckpointOfAnotherFit(t *testing.T) {
	x := lowRank[float64](40, 30, 3, 0.2, 1)
	graph := matrix.NewDense[float64](40, 40).Sparse()
	base := nmf.Options{Init: "random", MaxIter: 5, RowWeights: ones(40), PenaltyW: nmf.Penalty{L2: 1}}
	var state []byte
	first := base
	first.Checkpoint = &nmf.Checkpoint{Dir: t.TempDir(), Every: -1, Saved: func(path string) { state, _ = os.ReadFile(path) }}
	fit(t, x, 3, &first)
	other := x.Clone()
	other.Data[17] += 1e-9
	swapped := x.Clone()
	copy(swapped.Row(0), x.Row(1))
	copy(swapped.Row(1), x.Row(0))
	for _, c := range []struct {
		x      matrix.Matrix[float64]
		k      int
		change func(o *nmf.Options)
		want   string
	}{
		{x, 3, func(o *nmf.Options) { o.Threads, o.Memory, o.RowNames = 2, 1<<30, make([]string, 40) }, ""},
		{streamed(x, nil), 3, func(o *nmf.Options) { o.RowWeights = nil }, "the list of row weights"},
		{other, 3, func(o *nmf.Options) {}, "X has other values"},
		{swapped, 3, func(o *nmf.Options) {}, "X has other values"},
		{x.Sparse(), 3, func(o *nmf.Options) {}, "X has other values"},
		{lowRank[float64](40, 31, 3, 0.2, 1), 3, func(o *nmf.Options) {}, "X was 40 x 30, and is 40 x 31"},
		{x, 4, func(o *nmf.Options) {}, "k was 3, and is 4"},
		{x, 3, func(o *nmf.Options) { o.Seed = 7 }, "seed was 0, and is 7"},
		{x, 3, func(o *nmf.Options) { o.Runs = 2 }, "runs was 1, and is 2"},
		{x, 3, func(o *nmf.Options) { o.TargetError = 0.1 }, "target_error was not given, and is 0.1"},
		{x, 3, func(o *nmf.Options) { o.PenaltyW.L2 = 2 }, "penalty_w.l2 was 1, and is 2"},
		{x, 3, func(o *nmf.Options) { o.RowWeights = append(ones(39), 3) }, "the list of row weights has other values"},
		{x, 3, func(o *nmf.Options) { o.Weights = matrix.NewDense[float64](40, 30) }, ""},
		{x, 3, func(o *nmf.Options) { o.PenaltyW.Graph, o.PenaltyW.GraphWeights = 1, graph }, "the graph of W"},
		{x, 3, func(o *nmf.Options) { o.W = matrix.NewDense[float64](40, 1) }, "the given W has other values"},
	} {
		o := base
		c.change(&o)
		o.Checkpoint = &nmf.Checkpoint{Dir: folderOf(t, state), Resume: true}
		_, err := nmf.Fit(t.Context(), c.x, c.k, &o)
		if o.Weights != nil {
			continue // nothing counts: refused before
		}
		if c.want == "" {
			if err != nil {
				t.Errorf("the same fit: %v", err)
			}
		} else if !errors.Is(err, nmf.ErrCheckpoint) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q wanted: %v", c.want, err)
		}
	}
	single := base
	single.Checkpoint = &nmf.Checkpoint{Dir: folderOf(t, state), Resume: true}
	if _, err := nmf.Fit(t.Context(), matrix.Convert[float32](matrix.Matrix[float64](x)), 3, &single); !errors.Is(err, nmf.ErrCheckpoint) || !strings.Contains(err.Error(), "the precision was f64, and is f32") {
		t.Errorf("another precision: %v", err)
	}
}

func ones(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 1 + float64(i%2)
	}
	return v
}

// TestCheckpointFolder: a folder in use, with states that nobody asked to resume,
// with other things, without a name; what is removed; FitEach.
func TestCheckpointFolder(t *testing.T) {
	x := lowRank[float64](40, 30, 3, 0.2, 1)
	refused := func(want string, o *nmf.Options) {
		t.Helper()
		if _, err := nmf.Fit(t.Context(), x, 3, o); !errors.Is(err, nmf.ErrCheckpoint) && !errors.Is(err, nmf.ErrOption) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q wanted: %v", want, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	c := &nmf.Checkpoint{Dir: dir, Every: -1}
	inside := false
	o := &nmf.Options{MaxIter: 6, Tol: -1, LossTol: -1, Checkpoint: c}
	c.Saved = func(string) {
		if !inside {
			inside = true
			refused("in use by another process", &nmf.Options{Checkpoint: &nmf.Checkpoint{Dir: dir, Resume: true}})
			if err := c.Remove(); !errors.Is(err, nmf.ErrCheckpoint) {
				t.Errorf("removing what is in use: %v", err)
			}
		}
	}
	if m := fit(t, x, 3, o); m.Info.Options.Checkpoint != nil || m.Info.Resolved.Checkpoint != nil {
		t.Error("the model remembers the checkpoint")
	}
	files, err := filepath.Glob(filepath.Join(dir, "checkpoint-*.nmf"))
	if err != nil || len(files) != 2 {
		t.Errorf("%v are kept, %v", files, err)
	}
	c.Saved = nil
	refused("holds the state of a fit", o)
	left := filepath.Join(dir, ".nmf-0123abcd.tmp")
	if err := os.WriteFile(left, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	o.Checkpoint = &nmf.Checkpoint{Dir: dir, Resume: true}
	fit(t, x, 3, o)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
	if err := c.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := c.Remove(); err != nil {
		t.Error(err)
	}
	refused("holds other things, such as a", &nmf.Options{Checkpoint: &nmf.Checkpoint{Dir: filepath.Dir(filepath.Dir(dir))}})
	refused("without a folder", &nmf.Options{Checkpoint: &nmf.Checkpoint{}})
	if _, err := nmf.FitEach(t.Context(), x, []nmf.Start{{K: 2}}, o); !errors.Is(err, nmf.ErrOption) {
		t.Errorf("FitEach: %v", err)
	}
}

// TestCheckpointDamaged: whatever byte of the newest state is another one, or
// missing, that is said, the one before is used, and the model is the same.
func TestCheckpointDamaged(t *testing.T) {
	x := lowRank[float32](20, 15, 3, 0.2, 1)
	o := &nmf.Options{Init: "random", MaxIter: 8, Tol: -1, LossTol: -1}
	want := everything(t, fit(t, x, 2, o))
	var states [][]byte
	o.Checkpoint = &nmf.Checkpoint{Dir: t.TempDir(), Every: -1, Saved: func(path string) {
		state, _ := os.ReadFile(path)
		states = append(states, state)
	}}
	fit(t, x, 2, o)
	older, newest := states[4], states[5]
	check := func(what string, damaged []byte) {
		t.Helper()
		var notes []string
		o.Checkpoint = &nmf.Checkpoint{Dir: folderOf(t, older, damaged), Resume: true, Note: func(m string) { notes = append(notes, m) }}
		got := everything(t, fit(t, x, 2, o))
		if len(notes) != 2 || !strings.Contains(notes[0], "checkpoint-00000002.nmf: damaged: ") || !strings.Contains(notes[1], "checkpoint-00000001.nmf: going on after") {
			t.Fatalf("%s: %q", what, notes)
		}
		if got != want {
			t.Fatalf("%s: another model", what)
		}
	}
	step := 7
	if testing.Short() {
		step = 61
	}
	for i := 0; i < len(newest); i += step {
		damaged := bytes.Clone(newest)
		damaged[i] ^= 1 << (i % 8)
		check(fmt.Sprintf("byte %d", i), damaged)
	}
	for n := 0; n < len(newest); n += 10 * step {
		check(fmt.Sprintf("%d bytes", n), newest[:n])
	}
	check("more bytes", append(bytes.Clone(newest), 0))
	o.Checkpoint = &nmf.Checkpoint{Dir: folderOf(t, older[1:], newest[1:]), Resume: true}
	if _, err := nmf.Fit(t.Context(), x, 2, o); !errors.Is(err, nmf.ErrCheckpoint) || !strings.Contains(err.Error(), "checkpoint-00000001.nmf: damaged") {
		t.Errorf("both damaged: %v", err)
	}
	o.Checkpoint = &nmf.Checkpoint{Dir: filepath.Join(t.TempDir(), "none"), Resume: true}
	if everything(t, fit(t, x, 2, o)) != want {
		t.Error("nothing to resume: another model")
	}
}

// TestCheckpointNotSaved: a state that cannot be saved does not end the fit.
func TestCheckpointNotSaved(t *testing.T) {
	x := lowRank[float32](20, 15, 3, 0.2, 1)
	o := &nmf.Options{Init: "random", MaxIter: 8, Tol: -1, LossTol: -1}
	want := everything(t, fit(t, x, 2, o))
	dir := t.TempDir()
	var notes []string
	saved := 0
	o.Checkpoint = &nmf.Checkpoint{Dir: dir, Every: -1, Note: func(m string) { notes = append(notes, m) }, Saved: func(string) {
		// A folder of the next name: the state cannot be renamed to it.
		if saved++; saved == 3 {
			if err := os.MkdirAll(filepath.Join(dir, "checkpoint-00000004.nmf", "in the way"), 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}}
	if everything(t, fit(t, x, 2, o)) != want {
		t.Error("another model")
	}
	if saved != 3 || len(notes) != 1 || !strings.Contains(notes[0], "the state could not be saved: ") {
		t.Errorf("%d saved, notes %q", saved, notes)
	}
	if err := os.RemoveAll(filepath.Join(dir, "checkpoint-00000004.nmf")); err != nil {
		t.Fatal(err)
	}
	o.Checkpoint = &nmf.Checkpoint{Dir: dir, Resume: true}
	if everything(t, fit(t, x, 2, o)) != want {
		t.Error("resumed: another model")
	}
}
