package nmf_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// cutRows gives the rows from a and before b of x, sharing its memory.
func cutRows[F matrix.Float](x matrix.Matrix[F], a, b int) matrix.Matrix[F] {
	switch x := x.(type) {
	case *matrix.Dense[F]:
		return &matrix.Dense[F]{Rows: b - a, Cols: x.Cols, Stride: x.Stride, Data: x.Data[min(len(x.Data), a*x.Stride):]}
	case *matrix.CSR[F]:
		part := &matrix.CSR[F]{Rows: b - a, Cols: x.Cols}
		from, to := x.RowPtr[a], x.RowPtr[b]
		for i := a; i <= b; i++ {
			part.RowPtr = append(part.RowPtr, x.RowPtr[i]-from)
		}
		part.ColIdx, part.Val = x.ColIdx[from:to], x.Val[from:to]
		return part
	case *matrix.Streamed[F]:
		return &matrix.Streamed[F]{Rows: b - a, Cols: x.Cols, Read: func(first int, dst []F) error { return x.Read(a+first, dst) }}
	}
	panic("unknown kind of matrix")
}

// overRanks fits x over p ranks, the rows divided by cuts or, where those are
// nil, as RankRows does; each rank's options may be changed. It gives the model
// of every rank.
func overRanks[F matrix.Float](p int, x matrix.Matrix[F], k int, o nmf.Options, cuts []int, change func(rank, from, to int, o *nmf.Options)) ([]*nmf.Model[F], error) {
	m, _ := x.Dims()
	if cuts == nil {
		cuts = []int{0}
		for r := range p {
			_, to := nmf.RankRows(m, p, r)
			cuts = append(cuts, to)
		}
	}
	models := make([]*nmf.Model[F], p)
	err := comm.Run(p, func(c comm.Comm) error {
		r, own := c.Rank(), o
		if change != nil {
			change(r, cuts[r], cuts[r+1], &own)
		}
		model, err := nmf.FitRows(context.Background(), c, cutRows(x, cuts[r], cuts[r+1]), k, &own)
		models[r] = model
		return err
	})
	return models, err
}

// sameWay compares the traces and the results of two fits, of losses to a part
// of tol and of factors to a part of far.
func sameWay[F matrix.Float](t *testing.T, what string, got, want *nmf.Model[F], tol, far float64) {
	t.Helper()
	if len(got.Info.Trace) != len(want.Info.Trace) || got.Info.Status != want.Info.Status {
		t.Errorf("%s: %d iterations, %s; in one process %d, %s", what, len(got.Info.Trace), got.Info.Status, len(want.Info.Trace), want.Info.Status)
		return
	}
	for i, it := range got.Info.Trace {
		w := want.Info.Trace[i]
		if it.Iteration != w.Iteration || math.Abs(it.Loss-w.Loss) > tol*w.Loss {
			t.Errorf("%s: iteration %d has the loss %v, in one process iteration %d has %v (%g apart)", what, it.Iteration, it.Loss, w.Iteration, w.Loss, math.Abs(it.Loss-w.Loss)/w.Loss)
			return
		}
	}
	if e := math.Abs(got.Info.Loss-want.Info.Loss) / want.Info.Loss; e > tol {
		t.Errorf("%s: the loss is %v, in one process %v", what, got.Info.Loss, want.Info.Loss)
	}
	if d := distance(product(want), product(got)); d > far {
		t.Errorf("%s: the fit is %g from that of one process", what, d)
	}
}

// whole checks that the model of rank 0 is whole, and those of the others its
// parts.
func whole[F matrix.Float](t *testing.T, models []*nmf.Model[F], m int, cuts []int) {
	t.Helper()
	first := models[0]
	if first.W.Rows != m || first.Info.Rows != m {
		t.Fatalf("the model of rank 0 has %d rows, of %d", first.W.Rows, m)
	}
	for r, model := range models {
		from, to := nmf.RankRows(m, len(models), r)
		if cuts != nil {
			from, to = cuts[r], cuts[r+1]
		}
		if r > 0 {
			if model.W.Rows != to-from {
				t.Fatalf("rank %d has %d rows of W, want %d", r, model.W.Rows, to-from)
			}
			for i := range model.W.Rows {
				if !slices.Equal(model.W.Row(i), first.W.Row(from+i)) {
					t.Fatalf("rank %d: row %d of W is not that of rank 0", r, from+i)
				}
			}
		}
		if !slices.Equal(model.H.Data, first.H.Data) || !slices.Equal(model.Scales, first.Scales) {
			t.Fatalf("rank %d has another H than rank 0", r)
		}
		a, b := model.Info, first.Info
		a.Seconds, b.Seconds = 0, 0
		for _, trace := range [][]nmf.Iteration{a.Trace, b.Trace} {
			for i := range trace {
				trace[i].Seconds = 0
			}
		}
		a.Resolved.RowNames, b.Resolved.RowNames = nil, nil
		a.Options.RowNames, b.Options.RowNames = nil, nil
		a.Options.W, b.Options.W, a.Resolved.W, b.Resolved.W = nil, nil, nil, nil
		a.Options.PenaltyW.Held, b.Options.PenaltyW.Held, a.Resolved.PenaltyW.Held, b.Resolved.PenaltyW.Held = nil, nil, nil, nil
		a.Options.Progress, b.Options.Progress, a.Resolved.Progress, b.Resolved.Progress = nil, nil, nil, nil
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("rank %d knows\n%+v\nand rank 0\n%+v", r, a, b)
		}
	}
}

func TestFitRows(t *testing.T) {
	t.Run("float32", func(t *testing.T) { fitRows[float32](t, 1e-4, 1e-2) })
	t.Run("float64", func(t *testing.T) { fitRows[float64](t, 1e-9, 1e-4) })
}

// fitRows: the way of one process, to rounding, for solvers, inits, penalties
// and kinds of matrices.
func fitRows[F matrix.Float](t *testing.T, tol, far float64) {
	x := lowRank[F](330, 150, 14, 0.5, 1)
	given := lowRank[float64](330, 7, 3, 0.5, 2)
	basis := lowRank[float64](7, 150, 3, 0.5, 3)
	const k = 7
	short := nmf.Options{MaxIter: 12, Seed: 3, Tol: -1, LossTol: -1}
	with := func(change func(*nmf.Options)) nmf.Options {
		o := short
		change(&o)
		return o
	}
	cases := []struct {
		name string
		o    nmf.Options
	}{
		{"plain", short},
		{"random", with(func(o *nmf.Options) { o.Init = "random" })},
		{"bpp", with(func(o *nmf.Options) { o.Solver, o.Init = "bpp", "nndsvda" })},
		{"mu", with(func(o *nmf.Options) { o.Solver, o.Init = "mu", "nndsvdar" })},
		{"spa", with(func(o *nmf.Options) { o.Init, o.NoExtrapolation = "spa", true })},
		{"runs", with(func(o *nmf.Options) { o.Runs, o.MaxIter = 3, 10 })},
		{"compressed", with(func(o *nmf.Options) { o.Compression = "on" })},
		{"penalties", with(func(o *nmf.Options) {
			o.PenaltyW = nmf.Penalty{L1: 0.01, L2: 0.02, Orthogonal: 0.01}
			o.PenaltyH = nmf.Penalty{L1: 0.01, L21: 0.02, Smooth: 0.1}
		})},
		{"simplex", with(func(o *nmf.Options) { o.PenaltyW.Simplex, o.PenaltyH.Upper = true, 3 })},
		{"given", with(func(o *nmf.Options) { o.W, o.H = given, basis })},
		{"converging", nmf.Options{MaxIter: 400, Seed: 1, Tol: 3e-3}},
	}
	for _, c := range cases {
		for kind, x := range map[string]matrix.Matrix[F]{"dense": x, "sparse": sparsely(x, 3, 5).Sparse()} {
			if kind == "sparse" && c.name == "compressed" {
				continue
			}
			want := fit(t, x, k, &c.o)
			for _, p := range []int{2, 3, 4} {
				models, err := overRanks(p, x, k, c.o, nil, func(_, from, to int, o *nmf.Options) {
					o.W = partOf(o.W, from, to)
				})
				what := fmt.Sprintf("%s, %s, %d ranks", c.name, kind, p)
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				whole(t, models, 330, nil)
				if c.name == "compressed" {
					// Where the sketch has led to, rounding is what decides.
					if e := math.Abs(models[0].Info.Loss-want.Info.Loss) / want.Info.Loss; e > 1e-3 {
						t.Errorf("%s: the loss is %v, in one process %v", what, models[0].Info.Loss, want.Info.Loss)
					}
					continue
				}
				sameWay(t, what, models[0], want, tol, far)
			}
		}
	}
}

// partOf gives rows of d, or nil where it is.
func partOf(d *matrix.Dense[float64], from, to int) *matrix.Dense[float64] {
	if d == nil {
		return nil
	}
	return cutRows[float64](d, from, to).(*matrix.Dense[float64])
}

// TestGrid: ranks that divide the columns too.
func TestGrid(t *testing.T) {
	t.Run("float32", func(t *testing.T) { onGrids[float32](t, 1e-4, 1e-2) })
	t.Run("float64", func(t *testing.T) { onGrids[float64](t, 1e-9, 1e-4) })
}

func onGrids[F matrix.Float](t *testing.T, tol, far float64) {
	x := lowRank[F](330, 400, 14, 0.5, 1)
	const k = 7
	given := lowRank[float64](330, k, 3, 0.5, 2)
	basis := lowRank[float64](k, 400, 3, 0.5, 3)
	for name, o := range map[string]nmf.Options{
		"plain": {}, "runs": {Runs: 2}, "bpp": {Solver: "bpp", Init: "spa"}, "mu": {Solver: "mu", Init: "nndsvdar"}, "given": {W: given, H: basis},
	} {
		o.MaxIter, o.Seed, o.Tol, o.LossTol = 12, 3, -1, -1
		for kind, x := range map[string]matrix.Matrix[F]{"dense": x, "sparse": sparsely(x, 3, 5).Sparse()} {
			want := fit(t, x, k, &o)
			for _, grid := range [][2]int{{1, 2}, {2, 2}, {1, 3}, {2, 3}, {3, 2}} {
				o := o
				o.Grid = grid
				models, err := overRanks(grid[0]*grid[1], x, k, o, nil, func(_, from, to int, o *nmf.Options) { o.W = partOf(o.W, from, to) })
				what := fmt.Sprintf("%s, %s, %v", name, kind, grid)
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				whole(t, models, 330, nil)
				sameWay(t, what, models[0], want, tol, far)
			}
		}
	}
}

// TestRankParts: parts of any size, also none, and more ranks than rows.
func TestRankParts(t *testing.T) {
	x := lowRank[float64](330, 150, 14, 0.5, 1)
	const k = 7
	o := nmf.Options{MaxIter: 12, Tol: -1, LossTol: -1}
	want := fit(t, x, k, &o)
	for _, c := range []struct {
		cuts []int
		grid [2]int
		tol  float64
	}{
		{[]int{0, 0, 192, 330}, [2]int{3, 1}, 1e-9},
		{[]int{0, 64, 330, 330, 330}, [2]int{4, 1}, 1e-9},
		{[]int{0, 64, 330, 330, 330}, [2]int{2, 2}, 1e-9},
		{[]int{0, 0, 128, 330, 330}, [2]int{1, 4}, 1e-9},
		{[]int{0, 1, 107, 330}, [2]int{3, 1}, 1e-2},
		{[]int{0, 1, 107, 330}, [2]int{1, 3}, 1e-2},
	} {
		for _, x := range []matrix.Matrix[float64]{x, x.Sparse()} {
			o.Grid = c.grid
			models, err := overRanks(len(c.cuts)-1, x, k, o, c.cuts, nil)
			if err != nil {
				t.Errorf("%v: %v", c, err)
				continue
			}
			whole(t, models, 330, c.cuts)
			sameWay(t, fmt.Sprint(c), models[0], want, c.tol, 0.05)
		}
	}
	small := lowRank[float32](5, 3, 2, 0.1, 1)
	models, err := overRanks(7, small, 2, nmf.Options{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, models, 5, nil)
	sameWay(t, "5 rows on 7 ranks", models[0], fit(t, small, 2, nil), 1e-3, 1e-2)
}

// TestRankBits: the same bits every time, and from memory as read by blocks.
func TestRankBits(t *testing.T) {
	x := lowRank[float32](700, 1200, 14, 0.5, 1)
	streamed := &matrix.Streamed[float32]{Rows: x.Rows, Cols: x.Cols, Read: func(first int, dst []float32) error {
		copy(dst, x.Data[first*x.Cols:])
		return nil
	}}
	for _, o := range []nmf.Options{{Grid: [2]int{3, 1}}, {Grid: [2]int{1, 3}}} {
		o.MaxIter, o.Threads = 8, 1
		first, err := overRanks(3, x, 5, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for what, x := range map[string]matrix.Matrix[float32]{"again": x, "threads": x, "streamed": streamed} {
			if what == "streamed" && o.Grid[1] > 1 {
				continue
			}
			o := o
			if what == "threads" {
				o.Threads = 3
			}
			models, err := overRanks(3, x, 5, o, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(models[0].W.Data, first[0].W.Data) || !slices.Equal(models[0].H.Data, first[0].H.Data) {
				t.Errorf("%v, %s: other bits", o.Grid, what)
			}
		}
	}
}

// TestRankRevival: components that die come back as they do in one process.
func TestRankRevival(t *testing.T) {
	x := lowRank[float64](330, 400, 14, 0.5, 1)
	w, h := lowRank[float64](330, 7, 3, 0.5, 2), lowRank[float64](7, 400, 3, 0.5, 3)
	for i := range w.Rows {
		w.Set(i, 2, 0)
	}
	clear(h.Row(5))
	o := nmf.Options{MaxIter: 10, Tol: -1, LossTol: -1, W: w, H: h}
	want := fit(t, x, 7, &o)
	for _, grid := range [][2]int{{3, 1}, {2, 2}} {
		o.Grid = grid
		models, err := overRanks(grid[0]*grid[1], x, 7, o, nil, func(_, from, to int, o *nmf.Options) { o.W = partOf(o.W, from, to) })
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(models[0].Scales, 0) {
			t.Errorf("%v: a component is dead: %v", grid, models[0].Scales)
		}
		sameWay(t, fmt.Sprint(grid), models[0], want, 1e-9, 1e-6)
	}
}

// TestRankUnit: values at the limits of float32.
func TestRankUnit(t *testing.T) {
	x := lowRank[float32](330, 150, 14, 0.5, 1)
	for i, v := range x.Data {
		x.Data[i] = v * 0x1p-100
	}
	o := nmf.Options{MaxIter: 8, Tol: -1, LossTol: -1}
	want := fit(t, x, 5, &o)
	for _, grid := range [][2]int{{3, 1}, {1, 3}} {
		o.Grid = grid
		models, err := overRanks(3, x, 5, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		sameWay(t, fmt.Sprint(grid), models[0], want, 1e-4, 1e-2)
	}
}

func TestRankErrors(t *testing.T) {
	x := lowRank[float64](330, 40, 5, 0.5, 1)
	names := make([]string, 330)
	for i := range names {
		names[i] = fmt.Sprint("s", i)
	}
	// Of 192 rows a rank has two blocks, which each pass reads anew.
	broken := func(reads int64) matrix.Matrix[float64] {
		var read atomic.Int64
		return &matrix.Streamed[float64]{Rows: 576, Cols: 9000, Read: func(first int, dst []float64) error {
			for i := range dst {
				dst[i] = float64((first*9000 + i) % 13)
			}
			if first >= 400 && read.Add(1) > reads {
				return errors.New("the disk is gone")
			}
			return nil
		}}
	}
	bad := x.Clone()
	bad.Set(217, 3, -2)
	with := func(change func(*nmf.Options)) func(int, int, int, *nmf.Options) {
		return func(r, _, _ int, o *nmf.Options) {
			if r == 2 {
				change(o)
			}
		}
	}
	for name, c := range map[string]struct {
		x      matrix.Matrix[float64]
		change func(rank, from, to int, o *nmf.Options)
		o      nmf.Options
		want   []string
	}{
		"a bad cell":      {x: bad, want: []string{"rank 1", "row 218", "column 4: -2 is negative"}},
		"a named cell":    {x: bad, change: func(_, from, to int, o *nmf.Options) { o.RowNames = names[from:to] }, want: []string{`row 218 ("s217")`}},
		"other options":   {x: x, change: with(func(o *nmf.Options) { o.MaxIter = 7 }), want: []string{"the ranks disagree", "the options of rank 0", "rank 2"}},
		"a bad option":    {x: x, o: nmf.Options{MaxIter: -1}, want: []string{"max_iter is -1"}},
		"one bad option":  {x: x, change: with(func(o *nmf.Options) { o.Threads = -1 }), want: []string{"rank 2", "threads is -1"}},
		"a bad grid":      {x: x, o: nmf.Options{Grid: [2]int{2, 2}}, want: []string{"the grid is 2 x 2; it must be of the 3 ranks"}},
		"penalties":       {x: x, o: nmf.Options{Grid: [2]int{1, 3}, PenaltyH: nmf.Penalty{L1: 1}}, want: []string{"penalties", "whole rows"}},
		"coupled samples": {x: x, o: nmf.Options{PenaltyW: nmf.Penalty{Smooth: 1}}, want: []string{"smooth or graph of W"}},
		"a loss":          {x: x, o: nmf.Options{Loss: "huber"}, want: []string{"the loss huber", "take frobenius, kl"}},
		"missing":         {x: x, o: nmf.Options{Missing: "zero"}, want: []string{"every cell counts once"}},
		"names":           {x: x, change: with(func(o *nmf.Options) { o.ColumnNames = make([]string, 40) }), want: []string{"the column names", "absent"}},
		"zeros":           {x: matrix.NewDense[float64](330, 40), want: []string{"every cell is zero"}},
		"reading at once": {x: broken(0), want: []string{"rank 2", "the disk is gone"}},
		"reading later":   {x: broken(9), o: nmf.Options{Init: "random", Tol: -1, LossTol: -1}, want: []string{"rank 2", "the disk is gone"}},
	} {
		all := make([]error, 3)
		var ended sync.WaitGroup
		for r, end := range comm.Local(3) {
			ended.Go(func() {
				o := c.o
				m, _ := c.x.Dims()
				from, to := nmf.RankRows(m, 3, r)
				if c.change != nil {
					c.change(r, from, to, &o)
				}
				_, all[r] = nmf.FitRows(context.Background(), end, cutRows(c.x, from, to), 3, &o)
			})
		}
		ended.Wait()
		for r, err := range all {
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: rank %d says %v; want %q in it", name, r, err, want)
				}
			}
		}
	}
}

// TestRankCancel: a rank that is cancelled ends all, with the same model.
func TestRankCancel(t *testing.T) {
	x := lowRank[float64](330, 150, 14, 0.5, 1)
	models := make([]*nmf.Model[float64], 3)
	err := comm.Run(3, func(c comm.Comm) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o := nmf.Options{Tol: -1, LossTol: -1, MaxIter: 1 << 20}
		if c.Rank() == 1 {
			o.Progress = func(p nmf.Progress) {
				if p.Iteration.Iteration == 5 {
					cancel()
				}
			}
		}
		from, to := nmf.RankRows(330, 3, c.Rank())
		var err error
		models[c.Rank()], err = nmf.FitRows(ctx, c, cutRows[float64](x, from, to), 7, &o)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	whole(t, models, 330, nil)
	if models[0].Info.Status != nmf.Cancelled {
		t.Errorf("the status is %s", models[0].Info.Status)
	}
	err = comm.Run(2, func(c comm.Comm) error {
		ctx, cancel := context.WithCancel(context.Background())
		if cancel(); c.Rank() == 0 {
			ctx = context.Background()
		}
		from, to := nmf.RankRows(330, 2, c.Rank())
		_, err := nmf.FitRows(ctx, c, cutRows[float64](x, from, to), 7, nil)
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("rank %d: cancelled before it began: %v", c.Rank(), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestRankLosses: half-steps for H whose terms are summed over ranks.
func TestRankLosses(t *testing.T) {
	t.Run("float32", func(t *testing.T) { rankLosses[float32](t, 1e-4, 2e-2) })
	t.Run("float64", func(t *testing.T) { rankLosses[float64](t, 1e-9, 1e-5) })
}

func rankLosses[F matrix.Float](t *testing.T, tol, far float64) {
	x := lowRank[F](330, 150, 14, 0.5, 1)
	for i, v := range x.Data {
		x.Data[i] = F(math.Ceil(float64(v)))
	}
	positive := x.Clone()
	for i, v := range positive.Data {
		positive.Data[i] = v + 0.5
	}
	const k = 7
	for _, c := range []struct {
		name   string
		o      nmf.Options
		sparse bool
	}{
		{"kl", nmf.Options{Loss: "kl"}, true},
		{"kl by mu", nmf.Options{Loss: "kl", Solver: "mu", InnerSweeps: 2}, true},
		{"kl, two steps", nmf.Options{Loss: "kl", InnerSweeps: 2, Runs: 2}, true},
		{"kl, penalties", nmf.Options{Loss: "kl", PenaltyW: nmf.Penalty{L1: 0.01}, PenaltyH: nmf.Penalty{L2: 0.01, Smooth: 0.02}}, true},
		{"is", nmf.Options{Loss: "is"}, false},
		{"beta", nmf.Options{Loss: "beta", Beta: 1.5}, true},
		{"tweedie", nmf.Options{Loss: "tweedie", Power: 1.3, Solver: "mu"}, false},
	} {
		o := c.o
		o.MaxIter, o.Seed, o.Tol, o.LossTol = 12, 3, -1, -1
		all := map[string]matrix.Matrix[F]{"dense": x}
		if c.sparse {
			all["sparse"] = sparsely(x, 3, 5).Sparse()
		} else {
			all["dense"] = positive
		}
		for kind, x := range all {
			want := fit(t, x, k, &o)
			for _, p := range []int{2, 3, 4} {
				what := fmt.Sprintf("%s, %s, %d ranks", c.name, kind, p)
				models, err := overRanks(p, x, k, o, nil, nil)
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				whole(t, models, 330, nil)
				sameWay(t, what, models[0], want, tol, far)
				again, err := overRanks(p, x, k, o, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(again[0].W.Data, models[0].W.Data) || !slices.Equal(again[0].H.Data, models[0].H.Data) {
					t.Errorf("%s: other bits the second time", what)
				}
			}
		}
	}
	o := nmf.Options{Loss: "kl", MaxIter: 12}
	cuts := []int{0, 0, 100, 330}
	models, err := overRanks(3, x, k, o, cuts, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, models, 330, cuts)
	sameWay(t, "a rank without rows", models[0], fit(t, x, k, &o), 1e-3, 0.05)
	bad := positive.Clone()
	bad.Set(300, 9, 0)
	for name, x := range map[string]matrix.Matrix[F]{"a zero": bad, "a sparse one": sparsely(positive, 3, 1).Sparse()} {
		if _, err := overRanks(2, x, k, nmf.Options{Loss: "is"}, nil, nil); !errors.Is(err, nmf.ErrZero) && !strings.Contains(fmt.Sprint(err), "no finite loss") {
			t.Errorf("is, %s: %v", name, err)
		} else if name == "a zero" && !strings.Contains(err.Error(), "row 301") {
			t.Errorf("the row is not that of X: %v", err)
		}
	}
}

// TestRankWords compares the numbers that an iteration moves, counted by the
// transport, with what the products that must meet need: on a grid of pr x pc =
// p ranks each has m/pr rows and n/pc columns, of whose k columns it gathers and
// scatters sums of all but its share, (pc−1)/pc of W and (pr−1)/pr of H, and two
// Gram matrices are summed over all, 2(p−1)/p of k(k+1)/2 numbers each (Kannan,
// Ballard & Park 2018, section 4, and the symmetry of a Gram matrix).
func TestRankWords(t *testing.T) {
	const m, n, k = 1536, 1024, 12
	x := lowRank[float32](m, n, 20, 0.5, 1)
	o := nmf.Options{Init: "random", Tol: -1, LossTol: -1}
	moved := func(p int, o nmf.Options) (words float64, grid [2]int) {
		var mu sync.Mutex
		err := comm.Run(p, func(c comm.Comm) error {
			var bytes [2]int64
			var model *nmf.Model[float32]
			for i, iterations := range []int{3, 8} {
				o := o
				o.MaxIter = iterations
				before := c.Traffic()
				from, to := nmf.RankRows(m, p, c.Rank())
				var err error
				if model, err = nmf.FitRows(context.Background(), c, cutRows[float32](x, from, to), k, &o); err != nil {
					return err
				}
				moved := c.Traffic().Sub(before)
				bytes[i] = max(moved.Sent, moved.Received)
			}
			mu.Lock()
			defer mu.Unlock()
			words, grid = max(words, float64(bytes[1]-bytes[0])/4/5), model.Info.Resolved.Grid
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return words, grid
	}
	for p, grids := range map[int][][2]int{2: {{2, 1}, {1, 2}}, 4: {{4, 1}, {2, 2}, {1, 4}}} {
		least := math.Inf(1)
		for _, grid := range grids {
			o := o
			o.Grid = grid
			pr, pc, all := float64(grid[0]), float64(grid[1]), float64(p)
			bound := 2*k*(m/pr*(pc-1)/pc+n/pc*(pr-1)/pr) + 2*2*(all-1)/all*k*(k+1)/2
			words, _ := moved(p, o)
			least = min(least, words)
			t.Logf("%v: %.0f words, the bound is %.0f: %.3f", grid, words, bound, words/bound)
			if words > 1.1*bound || words < 0.9*bound {
				t.Errorf("%v: an iteration moves %.0f words, the bound is %.0f", grid, words, bound)
			}
		}
		if words, grid := moved(p, o); words > least {
			t.Errorf("%d ranks choose the grid %v, with %.0f words; %.0f would do", p, grid, words, least)
		}
	}
}
