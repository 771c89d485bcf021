package nmf_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// TestRanksBegin: fits that begin with some of the rows, or online, do so over
// ranks, too: the way of one process to rounding, the same bits every time.
func TestRanksBegin(t *testing.T) {
	t.Run("float32", func(t *testing.T) { ranksBegin[float32](t, 1e-4, 2e-2) })
	t.Run("float64", func(t *testing.T) { ranksBegin[float64](t, 1e-9, 1e-5) })
}

func ranksBegin[F matrix.Float](t *testing.T, tol, far float64) {
	const rows, cols, k = 2300, 80, 6
	counts := lowRank[F](rows, cols, 9, 0.5, 1)
	for i, v := range counts.Data {
		counts.Data[i] = F(math.Ceil(float64(v)))
	}
	positive := counts.Clone()
	for i, v := range positive.Data {
		positive.Data[i] = v + 0.5
	}
	ranks := []int{2, 4}
	if testing.Short() {
		ranks = []int{3}
	}
	for _, c := range []struct {
		name string
		x    matrix.Matrix[F]
		o    nmf.Options
	}{
		{"kl, some rows", counts, nmf.Options{Loss: "kl"}},
		{"kl, online", sparsely(counts, 8, 5).Sparse(), nmf.Options{Loss: "kl"}},
		{"is, some rows", positive, nmf.Options{Loss: "is"}},
		{"beta, some rows", counts, nmf.Options{Loss: "beta", Beta: 0.5}},
		{"beta, some sparse rows", sparsely(counts, 3, 5).Sparse(), nmf.Options{Loss: "beta", Beta: 0.5}},
		{"two runs", sparsely(counts, 2, 5).Sparse(), nmf.Options{Loss: "beta", Beta: 1.5, Runs: 2}},
	} {
		o := c.o
		o.MaxIter, o.Seed, o.Tol, o.LossTol = 6, 3, -1, -1
		want := fit(t, c.x, k, &o)
		cuts := make([][]int, len(ranks), len(ranks)+1)
		// Parts that do not begin where a step does, and a rank without rows.
		cuts = append(cuts, []int{0, 7, 7, 1291, rows})
		for i, cuts := range cuts {
			p := len(cuts) - 1
			if cuts == nil {
				p = ranks[i]
			}
			what := fmt.Sprintf("%s, %d ranks, rows cut at %v", c.name, p, cuts)
			models, err := overRanks(p, c.x, k, o, cuts, nil)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			whole(t, models, rows, cuts)
			if cuts == nil {
				sameWay(t, what, models[0], want, tol, far)
			} else {
				// Tiles of the last half-step, which ends by tile, are others.
				sameWay(t, what, models[0], want, max(tol, 1e-8), max(far, 1e-3))
			}
			threads := o
			threads.Threads = 3
			again, err := overRanks(p, c.x, k, threads, cuts, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(again[0].W.Data, models[0].W.Data) || !slices.Equal(again[0].H.Data, models[0].H.Data) {
				t.Errorf("%s: other bits the second time", what)
			}
		}
	}
}

// TestRanksBeginWords compares what a short fit sends, counted by the transport,
// with what its beginning and its iterations need. An online beginning sends for
// each of its 32 parts what the part says of H and gathers the H that it leads to,
// which is gathered at the end, too, and what the parts have of each feature at
// first: (p−1)/p of (2·32+1)·n·k, 16·n and, in float64, 2·2·n numbers. One with
// some of the rows has up to 30 iterations, that of β < 1 20, of as many words as
// those on all of them: 3·n·k to 5·n·k for KL. The last half-step sends n·k, and the
// model the rank's part of W.
func TestRanksBeginWords(t *testing.T) {
	const m, n, k, p, iterations = 2048, 600, 8, 2, 2
	counts := lowRank[float32](m, n, 9, 0.5, 1)
	for i, v := range counts.Data {
		counts.Data[i] = float32(math.Ceil(float64(v)))
	}
	const part, nk = float64(p-1) / p, float64(n * k)
	rest := part*nk + m/p*k
	for _, c := range []struct {
		name         string
		x            matrix.Matrix[float32]
		fewest, most float64
	}{
		{"online", sparsely(counts, 40, 5).Sparse(), part*(65*nk+20*n) + rest + iterations*part*3*nk, part*(65*nk+20*n) + rest + (iterations+1)*part*5*nk},
		{"some rows", counts, rest + (4+iterations)*part*3*nk, rest + (31+iterations+1)*part*5*nk},
	} {
		var sent atomic.Int64
		err := comm.Run(p, func(end comm.Comm) error {
			from, to := nmf.RankRows(m, p, end.Rank())
			_, err := nmf.FitRows(context.Background(), end, cutRows(c.x, from, to), k, &nmf.Options{Loss: "kl", MaxIter: iterations, Tol: -1, LossTol: -1})
			if end.Rank() == 1 {
				sent.Store(end.Traffic().Sent)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		words := float64(sent.Load()) / 4
		t.Logf("%s: %.0f words sent, %.0f to %.0f expected", c.name, words, c.fewest, c.most)
		if words < c.fewest || words > 1.05*c.most {
			t.Errorf("%s: %.0f words are sent, not %.0f to %.0f", c.name, words, c.fewest, c.most)
		}
	}
}
