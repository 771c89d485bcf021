package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// TestTiled: an X of few rows in memory, whose H stands in tiles, gives the bits of
// one that is read block by block, whose H does not: runs of several ranks that come
// and go, steps that are taken back, components that die or drift apart, losses that
// cancel, and a state that is saved and taken up.
func TestTiled(t *testing.T) {
	t.Run("float32", func(t *testing.T) { tiled[float32](t) })
	t.Run("float64", func(t *testing.T) { tiled[float64](t) })
}

func tiled[F kernel.Float](t *testing.T) {
	ranks := []int{2, 5, 1, 3, 8, 17, 4, 2, 3, 6, 2, 1}
	for _, s := range []struct {
		m, n, rank int
		noise      float64
	}{{38, 600, 6, 0.3}, {64, 257, 4, 0.1}, {7, 1100, 3, 1}, {20, 400, 3, 0}} {
		x := planted[F](s.m, s.n, s.rank, s.noise)
		memory := NewData[F](x, 2)
		if !inTiles[F](s.m, s.n) {
			t.Fatalf("%d x %d is not in tiles", s.m, s.n)
		}
		file := NewData[F](&matrix.Streamed[F]{Rows: s.m, Cols: s.n, Read: func(first int, dst []F) error {
			copy(dst, x.Data[first*s.n:])
			return nil
		}}, 2)
		defer file.Close()
		for _, name := range []string{"hals", "bpp", "mu"} {
			for _, extrapolate := range []bool{true, false} {
				if name != "hals" && (s.m != 38 || !extrapolate) {
					continue
				}
				cfg := Config{Solver: name, Extrapolate: extrapolate, MaxIter: 40, Tol: 1e-4, LossTol: 1e-7, RowTol: 1e-4, Seed: 5}
				start := func(i int) (w, h *Tall[F]) {
					w, h = NewTall[F](s.m, ranks[i]), NewTall[F](s.n, ranks[i])
					rng := rand.New(rand.NewPCG(uint64(i), 2))
					for _, t := range []*Tall[F]{w, h} {
						for r := range t.Rows {
							for j := range t.Row(r) {
								t.Row(r)[j] = F(rng.Float64())
							}
						}
					}
					h.scaleColumn(0, -12*(i%3)) // drifts apart
					if i%4 == 1 {
						w.clearColumns(func(j int) bool { return j == 1 })
						h.clearColumns(func(j int) bool { return j == 1 })
					}
					return w, h
				}
				var taken, revived int
				want, err := MinimizeKept(t.Context(), file, ranks, start, with(cfg, 1), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range want {
					revived += r.Revived
					taken += r.Iterations - len(r.Trace)
				}
				if extrapolate && name == "hals" && s.noise > 0 && (taken == 0 || revived == 0) {
					t.Errorf("%v: %d steps taken back, %d components revived: the test shows less than it should", s, taken, revived)
				}
				for _, workers := range []int{1, 3} {
					got, err := MinimizeKept(t.Context(), memory, ranks, start, with(cfg, workers), nil)
					if err != nil {
						t.Fatal(err)
					}
					sameRuns(t, fmt.Sprintf("%v, %s, %v, %d workers", s, name, extrapolate, workers), got, want)
				}
				got, err := MinimizeKept(t.Context(), memory, ranks, start, with(cfg, 2), &Keeper[F]{
					Resume: savedAt(t, memory, ranks, start, with(cfg, 2), 9), Due: func() bool { return false }, Save: func(*Snapshot[F]) {}})
				if err != nil {
					t.Fatal(err)
				}
				sameRuns(t, fmt.Sprintf("%v, %s, %v, resumed", s, name, extrapolate), got, want)
			}
		}
	}
}

func with(cfg Config, workers int) Config {
	cfg.Workers = workers
	return cfg
}

// planted is a product of factors of a rank, with noise on top.
func planted[F kernel.Float](m, n, rank int, noise float64) *matrix.Dense[F] {
	rng := rand.New(rand.NewPCG(uint64(m), 3))
	x := matrix.NewDense[F](m, n)
	for range rank {
		w, h := make([]float64, m), make([]float64, n)
		for i := range w {
			w[i] = max(0, rng.NormFloat64())
		}
		for j := range h {
			h[j] = max(0, rng.NormFloat64())
			for i, v := range w {
				x.Row(i)[j] += F(v * h[j])
			}
		}
	}
	for i := range x.Data {
		x.Data[i] += F(noise * rng.Float64())
	}
	return x
}

// savedAt is the state after an iteration.
func savedAt[F kernel.Float](t *testing.T, x *Data[F], ranks []int, start Starter[F], cfg Config, iteration int) *Snapshot[F] {
	var saved *Snapshot[F]
	n := 0
	_, err := MinimizeKept(t.Context(), x, ranks, start, cfg, &Keeper[F]{
		Due: func() bool { n++; return n == iteration },
		Save: func(s *Snapshot[F]) {
			for i := range s.Runs {
				if r := &s.Runs[i]; r.Run.Status == "" {
					r.NormW = slices.Clone(r.NormW)
					s.Runs[i] = *r.clone()
				}
			}
			saved = s
		}})
	if err != nil || saved == nil {
		t.Fatalf("nothing was saved: %v", err)
	}
	return saved
}

func sameRuns[F kernel.Float](t *testing.T, what string, got, want []*Run[F]) {
	t.Helper()
	for i, r := range want {
		g := got[i]
		if g.Status != r.Status || g.Iterations != r.Iterations || g.Loss != r.Loss || g.KKT != r.KKT || len(g.Trace) != len(r.Trace) {
			t.Errorf("%s, run %d: %s after %d iterations with loss %v and residual %v, want %s after %d with %v and %v", what, i,
				g.Status, g.Iterations, g.Loss, g.KKT, r.Status, r.Iterations, r.Loss, r.KKT)
			continue
		}
		for l := range r.Trace {
			if a, b := g.Trace[l], r.Trace[l]; a.Loss != b.Loss || math.Float64bits(a.KKT) != math.Float64bits(b.KKT) || a.Iteration != b.Iteration {
				t.Errorf("%s, run %d: trace %+v, want %+v", what, i, a, b)
				break
			}
		}
		for _, f := range [][2]*Tall[F]{{g.W, r.W}, {g.H, r.H}} {
			for row := range f[1].Rows {
				for j, v := range f[1].Row(row) {
					if f[0].Row(row)[j] != v {
						t.Fatalf("%s, run %d: factors differ", what, i)
					}
				}
			}
		}
	}
}
