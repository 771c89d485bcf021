package rank

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// fromDisk reads a dense matrix as if it were in a file, and counts the rows that
// are read.
func fromDisk[F matrix.Float](x matrix.Matrix[F], rows *atomic.Int64) *matrix.Streamed[F] {
	d, ok := x.(*matrix.Dense[F])
	if !ok {
		d = x.(*matrix.CSR[F]).Dense()
	}
	return &matrix.Streamed[F]{Rows: d.Rows, Cols: d.Cols, Read: func(first int, dst []F) error {
		if rows != nil {
			rows.Add(int64(len(dst) / d.Cols))
		}
		copy(dst, d.Data[first*d.Cols:])
		return nil
	}}
}

// TestSweepFromDisk gives the numbers of a sweep in memory for an X that is read
// block by block, says what it leaves out, and goes on from its state.
func TestSweepFromDisk(t *testing.T) {
	x, _ := truth(3, 0.1, 4)
	o := &Options{K: []int{2, 3, 4}, Runs: 4, Criteria: []string{"bic", "aic", "cophenetic", "dispersion", "pac", "silhouette", "amari"},
		Fit: nmf.Options{MaxIter: 30, Seed: 2}}
	want, err := Sweep(context.Background(), x, o)
	if err != nil {
		t.Fatal(err)
	}
	all := *o
	all.Criteria, all.State = nil, t.TempDir()
	for range 2 {
		got, err := Sweep(context.Background(), fromDisk[float64](x, nil), &all)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Notes) != 1 || !strings.Contains(strings.Join(got.Notes, ""), "block by block") {
			t.Errorf("notes %q", got.Notes)
		}
		got.Notes = want.Notes
		a, _ := json.Marshal(want.K)
		b, _ := json.Marshal(got.K)
		if string(a) != string(b) {
			t.Errorf("other numbers than from memory:\n%s\n%s", a, b)
		}
	}
	other := x.Clone()
	other.Set(89, 39, 7)
	if _, err := Sweep(context.Background(), fromDisk[float64](other, nil), &all); !errors.Is(err, ErrState) {
		t.Errorf("the state of other data is taken: %v", err)
	}
}

// TestRunsShareTheDisk: many runs read the file hardly more often than the longest
// of them alone, and a batch that is wider than a stack in memory stays together.
func TestRunsShareTheDisk(t *testing.T) {
	// So wide that it is read in several blocks.
	x := matrix.NewDense[float32](300, 17000)
	for i := range x.Data {
		x.Data[i] = float32(1 + i%7*(i%11))
	}
	var rows atomic.Int64
	read := func(runs int) int64 {
		rows.Store(0)
		var starts []nmf.Start
		for seed := range runs {
			starts = append(starts, nmf.Start{K: 4, Seed: uint64(seed)})
		}
		o := &nmf.Options{MaxIter: 3, Tol: -1, LossTol: -1, Init: "random"}
		if _, err := nmf.FitEach(context.Background(), matrix.Matrix[float32](fromDisk[float32](x, &rows)), starts, o); err != nil {
			t.Fatal(err)
		}
		return rows.Load()
	}
	if one, many := read(1), read(16); many > 2*one {
		t.Errorf("16 runs read %d rows, one %d", many, one)
	}
}

// TestConsensusFromDisk gives the model of a consensus in memory.
func TestConsensusFromDisk(t *testing.T) {
	x, _ := truth(3, 0.1, 6)
	o := &ConsensusOptions{Runs: 6, Fit: nmf.Options{MaxIter: 30}}
	want, err := Consensus[float64](context.Background(), x, 3, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Consensus[float64](context.Background(), fromDisk[float64](x, nil), 3, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want.Model.W.Data {
		if got.Model.W.Data[i] != v {
			t.Fatalf("W[%d] is %v, from memory %v", i, got.Model.W.Data[i], v)
		}
	}
	o.Bootstrap = true
	if _, err := Consensus[float64](context.Background(), fromDisk[float64](x, nil), 3, o); !errors.Is(err, ErrInput) {
		t.Errorf("a bootstrap gives %v", err)
	}
	broken := errors.New("the disk is gone")
	bad := &matrix.Streamed[float64]{Rows: 9, Cols: 9, Read: func(int, []float64) error { return broken }}
	if _, err := Sweep(context.Background(), bad, &Options{K: []int{2}}); !errors.Is(err, broken) {
		t.Errorf("a broken disk gives %v", err)
	}
}
