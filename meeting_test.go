package nmf_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// TestCancelKept: a fit that keeps its states ends when it is cancelled, whatever
// its loss.
func TestCancelKept(t *testing.T) {
	x := positive(lowRank[float64](60, 40, 4, 0.5, 1))
	for _, loss := range []string{"frobenius", "kl", "is", "huber"} {
		ctx, cancel := context.WithCancel(t.Context())
		last := 0
		o := &nmf.Options{Loss: loss, Delta: 0.1, Init: "random", MaxIter: 200, Tol: -1, LossTol: -1,
			Checkpoint: &nmf.Checkpoint{Dir: filepath.Join(t.TempDir(), "state")},
			Progress: func(p nmf.Progress) {
				if last = p.Iteration.Iteration; last >= 5 {
					cancel()
				}
			}}
		if loss != "huber" {
			o.Delta = 0
		}
		m, err := nmf.Fit(ctx, matrix.Matrix[float64](x), 3, o)
		cancel()
		if err != nil || m.Info.Status != nmf.Cancelled || last > 8 {
			t.Errorf("%s: cancelled at the fifth iteration, it went on to %d: %v", loss, last, err)
		}
	}
}

// TestOnlineSparseBlocks: rows of a sparse X on disk are learnt as those of one in
// memory are.
func TestOnlineSparseBlocks(t *testing.T) {
	x := sparsePart(lowRank[float32](300, 70, 5, 0.1, 1))
	for _, loss := range []string{"frobenius", "kl"} {
		o := nmf.Options{Loss: loss, Online: rowsInOrder(50, 2)}
		want := bits(fit(t, matrix.Matrix[float32](x), 4, &o))
		for _, step := range []int{128, 256} {
			if bits(fit(t, matrix.Matrix[float32](matrix.StreamCSR(x, step)), 4, &o)) != want {
				t.Errorf("%s, blocks of %d: other bits than from memory", loss, step)
			}
		}
	}
}

// TestCancelledSketchOverRanks: cancelling while ranks iterate on the sketch is an
// error or a model, on all of them.
func TestCancelledSketchOverRanks(t *testing.T) {
	x := lowRank[float32](200, 90, 5, 0.5, 1)
	err := comm.Run(2, func(c comm.Comm) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		from, to := nmf.RankRows(x.Rows, 2, c.Rank())
		own := nmf.Options{Init: "random", Compression: "on", Progress: func(nmf.Progress) { cancel() }}
		_, err := nmf.FitRows(ctx, c, cutRows(matrix.Matrix[float32](x), from, to), 3, &own)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestNoOnlineOverRanks: learning online is refused, not left out.
func TestNoOnlineOverRanks(t *testing.T) {
	x := matrix.Matrix[float32](lowRank[float32](200, 90, 5, 0.5, 1))
	o := nmf.Options{Online: rowsInOrder(50, 1)}
	if _, err := overRanks(2, x, 3, o, nil, nil); !errors.Is(err, nmf.ErrOption) {
		t.Errorf("by rows: %v", err)
	}
	err := comm.Run(2, func(c comm.Comm) error {
		_, err := nmf.FitRuns(t.Context(), c, x, 3, &o)
		return err
	})
	if !errors.Is(err, nmf.ErrOption) {
		t.Errorf("by runs: %v", err)
	}
}

// TestPilotFailsOverRuns: an error in the fit that estimates the δ of huber, at one
// rank, is one of all, which says where it was.
func TestPilotFailsOverRuns(t *testing.T) {
	x := lowRank[float32](300, wideRows, 3, 0.2, 4)
	failure := errors.New("the disk is gone")
	var told error
	comm.Run(2, func(c comm.Comm) error {
		reads := 0
		read := func(copied func()) error {
			if reads++; c.Rank() == 1 && reads > 14 {
				return failure
			}
			copied()
			return nil
		}
		streamed := &matrix.Streamed[float32]{Rows: x.Rows, Cols: x.Cols, Read: func(first int, dst []float32) error {
			return read(func() { copy(dst, x.Data[first*x.Cols:]) })
		}, ReadColumns: func(first int, dst []float32) error {
			return read(func() {
				for j := range len(dst) / x.Rows {
					for i := range x.Rows {
						dst[j*x.Rows+i] = x.Row(i)[first+j]
					}
				}
			})
		}}
		_, err := nmf.FitRuns(t.Context(), c, streamed, 3, &nmf.Options{Loss: "huber", Runs: 2, Init: "random", MaxIter: 2})
		var elsewhere *nmf.RankError
		if c.Rank() == 0 && (!errors.As(err, &elsewhere) || elsewhere.Rank != 1) {
			t.Errorf("rank 0 is told %v", err)
		}
		if c.Rank() == 1 {
			told = err
		}
		return err
	})
	if !errors.Is(told, failure) {
		t.Errorf("the error is %v", told)
	}
}
