package nmf_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// TestResumeOverRanks: a fit over ranks goes on from any of its states with the
// bits of one that was not stopped, and other numbers of ranks go on to rounding.
func TestResumeOverRanks(t *testing.T) {
	x := lowRank[float64](330, 150, 9, 0.5, 1)
	held := matrix.NewDense[float64](330, 1)
	for i := range held.Data {
		held.Data[i] = math.NaN()
		if i%3 == 0 {
			held.Data[i] = 0.5
		}
	}
	rows := func(_, from, to int, o *nmf.Options) {
		if o.PenaltyW.Held != nil {
			o.PenaltyW.Held = cutRows(matrix.Matrix[float64](o.PenaltyW.Held), from, to).(*matrix.Dense[float64])
		}
	}
	for _, c := range []struct {
		name string
		x    matrix.Matrix[float64]
		p    int
		o    nmf.Options
	}{
		{"rows", x, 3, nmf.Options{Init: "random", Runs: 2}},
		{"grid", x, 4, nmf.Options{Init: "random", Runs: 2, Grid: [2]int{2, 2}}},
		{"wide grid", x.Sparse(), 3, nmf.Options{Init: "random", Grid: [2]int{1, 3}, NoExtrapolation: true}},
		{"held", x, 2, nmf.Options{Init: "random", PenaltyW: nmf.Penalty{Held: held}}},
		{"sketch", x, 2, nmf.Options{Init: "random", Runs: 3, Compression: "on"}},
		{"kl", x, 3, nmf.Options{Loss: "kl", Runs: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := c.o
			o.MaxIter, o.Tol, o.LossTol = 8, -1, -1
			over := func(p int, o nmf.Options) *nmf.Model[float64] {
				t.Helper()
				if p != c.p {
					o.Grid = [2]int{}
				}
				models, err := overRanks(p, c.x, 4, o, nil, rows)
				if err != nil {
					t.Fatal(err)
				}
				return models[0]
			}
			plain := over(c.p, o)
			want := everything(t, plain)
			var states [][]byte
			o.Checkpoint = &nmf.Checkpoint{Dir: t.TempDir(), Every: -1, Saved: func(path string) {
				state, _ := os.ReadFile(path)
				states = append(states, state)
			}}
			if everything(t, over(c.p, o)) != want {
				t.Error("keeping the state changes the model")
			}
			if len(states) < 7 {
				t.Fatalf("%d states", len(states))
			}
			for i := 0; i < len(states); i += max(1, len(states)/8) {
				o.Checkpoint = &nmf.Checkpoint{Dir: folderOf(t, states[i]), Resume: true}
				if got := everything(t, over(c.p, o)); got != want {
					t.Fatalf("from state %d of %d another model:\n%s\n%s", i+1, len(states), got, want)
				}
			}
			state := states[len(states)/2]
			for _, p := range []int{1, 2, 5} {
				notes := ""
				o.Checkpoint = &nmf.Checkpoint{Dir: folderOf(t, state), Resume: true, Note: func(m string) { notes += m }}
				got := over(p, o)
				if e := math.Abs(got.Info.Loss-plain.Info.Loss) / plain.Info.Loss; e > 1e-9 || got.Info.Iterations != plain.Info.Iterations || !strings.Contains(notes, "going on after") {
					t.Errorf("over %d ranks, %q: %d iterations to the loss %v, want %d to %v", p, notes, got.Info.Iterations, got.Info.Loss, plain.Info.Iterations, plain.Info.Loss)
				}
			}
			other := o
			other.Seed++
			other.Checkpoint = &nmf.Checkpoint{Dir: folderOf(t, state), Resume: true}
			if _, err := overRanks(c.p, c.x, 4, other, nil, rows); err == nil || !strings.Contains(err.Error(), "seed was 0, and is 1") {
				t.Errorf("another seed: %v", err)
			}
		})
	}
}

// TestStoppedOverRanks: cancelling one rank ends all of them with a state.
func TestStoppedOverRanks(t *testing.T) {
	x := lowRank[float32](200, 90, 5, 0.5, 1)
	for _, loss := range []string{"frobenius", "kl"} {
		o := nmf.Options{Loss: loss, Init: "random", MaxIter: 12, Tol: -1, LossTol: -1}
		whole, err := overRanks(2, x, 3, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "state")
		o.Checkpoint = &nmf.Checkpoint{Dir: dir}
		err = comm.Run(2, func(c comm.Comm) error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			own := o
			if c.Rank() == 1 {
				own.Progress = func(p nmf.Progress) {
					if p.Iteration.Iteration >= 4 {
						cancel()
					}
				}
			}
			from, to := nmf.RankRows(x.Rows, 2, c.Rank())
			m, err := nmf.FitRows(ctx, c, cutRows(matrix.Matrix[float32](x), from, to), 3, &own)
			if err == nil && m.Info.Status != nmf.Cancelled {
				t.Errorf("%s, rank %d: %s", loss, c.Rank(), m.Info.Status)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "checkpoint-*")); len(files) != 1 {
			t.Fatalf("%s: the states %q", loss, files)
		}
		o.Checkpoint.Resume = true
		again, err := overRanks(2, x, 3, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if everything(t, again[0]) != everything(t, whole[0]) {
			t.Errorf("%s: another model", loss)
		}
	}
}
