package nmf_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// streamed reads x as if it were in a file; each call of fail may refuse.
func streamed[F matrix.Float](x *matrix.Dense[F], fail func(first int) error) *matrix.Streamed[F] {
	return &matrix.Streamed[F]{Rows: x.Rows, Cols: x.Cols, Read: func(first int, dst []F) error {
		copy(dst, x.Data[first*x.Cols:])
		if fail != nil {
			return fail(first)
		}
		return nil
	}}
}

// wideRows are so long that a block has 128 rows in either precision.
const wideRows = 17000

// TestStreamedSameBits: an X that is read block by block gives the bits that it
// gives in memory.
func TestStreamedSameBits(t *testing.T) {
	t.Run("f32", func(t *testing.T) { streamedSameBits[float32](t) })
	t.Run("f64", func(t *testing.T) { streamedSameBits[float64](t) })
}

func streamedSameBits[F matrix.Float](t *testing.T) {
	x := lowRank[F](300, wideRows, 3, 0.2, 1)
	options := map[string]nmf.Options{
		"random":     {Init: "random", Runs: 2},
		"nndsvd":     {Init: "nndsvd"},
		"sketch":     {Init: "random", Compression: "on"},
		"sparseness": {Init: "random", PenaltyW: nmf.Penalty{Sparseness: 0.5}},
		"exact":      {Init: "random", Solver: "bpp"},
	}
	for name, o := range options {
		if testing.Short() && name != "nndsvd" {
			continue
		}
		o.MaxIter = 2
		want := bits(fit(t, x, 3, &o))
		for _, threads := range []int{1, 3} {
			o.Threads = threads
			if bits(fit(t, streamed(x, nil), 3, &o)) != want {
				t.Errorf("%s, %d threads: other bits than from memory", name, threads)
			}
		}
	}
	far := x.Clone()
	for i := range far.Data {
		far.Data[i] *= F(math.Ldexp(1, 40))
	}
	o := &nmf.Options{Init: "random", MaxIter: 2}
	if bits(fit(t, streamed(far, nil), 3, o)) != bits(fit(t, far, 3, o)) {
		t.Error("far from 1: other bits than from memory")
	}
}

// TestStreamedTransform: the weights and the loss of new data that is read
// block by block.
func TestStreamedTransform(t *testing.T) {
	x := lowRank[float32](300, wideRows, 3, 0.2, 2)
	m := fit(t, x, 3, &nmf.Options{Init: "random", MaxIter: 3})
	want, err := m.Transform(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Transform(t.Context(), streamed(x, nil), nil)
	if err != nil || bitsOf(wide(got)) != bitsOf(wide(want)) {
		t.Errorf("weights differ: %v", err)
	}
	a, err := m.Score(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Score(t.Context(), streamed(x, nil), nil)
	if err != nil || a != b {
		t.Errorf("scores %v and %v, %v", a, b, err)
	}
}

// TestStreamedFailure: whenever reading fails, the fit fails with that error.
func TestStreamedFailure(t *testing.T) {
	x := lowRank[float32](300, wideRows, 3, 0.2, 3)
	broken := errors.New("the disk is gone")
	step := 1
	if testing.Short() {
		step = 6
	}
	for _, o := range []nmf.Options{{Init: "random"}, {Init: "nndsvd"}, {Init: "random", Compression: "on"}} {
		for after := 0; after < 25; after += step {
			o.MaxIter = 2
			calls := 0
			_, err := nmf.Fit(t.Context(), streamed(x, func(int) error {
				if calls++; calls > after {
					return broken
				}
				return nil
			}), 3, &o)
			// The last block is read ahead for a pass that does not come.
			if err == nil && calls <= after+1 {
				break
			}
			if !errors.Is(err, broken) {
				t.Fatalf("%s, %d reads: %v", o.Init, after, err)
			}
		}
	}
	x.Set(290, 16000, -1)
	_, err := nmf.Fit(t.Context(), streamed(x, nil), 3, nil)
	var cell *nmf.CellError
	if !errors.As(err, &cell) || cell.Row != 290 || cell.Column != 16000 {
		t.Errorf("a negative cell gives %v", err)
	}
	for _, o := range []nmf.Options{{Loss: "kl"}, {Missing: "nan"}, {Missing: "unstored"}, {Mask: &matrix.Mask{Rows: 300, Cols: wideRows, RowPtr: make([]int, 301)}}} {
		if _, err := nmf.Fit(t.Context(), streamed(x, nil), 3, &o); !errors.Is(err, nmf.ErrOption) {
			t.Errorf("%+v gives %v", o, err)
		}
	}
	if _, err := nmf.Fit(t.Context(), &matrix.Streamed[float32]{Rows: 2, Cols: 2}, 1, nil); !errors.Is(err, nmf.ErrShape) {
		t.Errorf("nothing to read with gives %v", err)
	}
}

// TestStreamedCancel: cancelling while blocks are read gives the best model so
// far.
func TestStreamedCancel(t *testing.T) {
	x := lowRank[float32](300, wideRows, 3, 0.2, 4)
	ctx, cancel := context.WithCancel(t.Context())
	o := &nmf.Options{Init: "random", Tol: -1, LossTol: -1, Progress: func(p nmf.Progress) {
		if p.Iteration.Iteration >= 2 {
			cancel()
		}
	}}
	m, err := nmf.Fit(ctx, streamed(x, nil), 3, o)
	if err != nil || m.Info.Status != nmf.Cancelled {
		t.Errorf("cancelled: %v", err)
	}
}
