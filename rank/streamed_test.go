package rank

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
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

// TestCellsFromDisk: with weights, a mask and missing cells that are read block by
// block as X is, a sweep has the numbers that it has in memory and goes on from the
// state of that, and a consensus has its model.
func TestCellsFromDisk(t *testing.T) {
	full, _ := truth(3, 0.1, 4)
	m, n := full.Dims()
	weights, hidden := matrix.NewDense[float64](m, n), matrix.NewDense[float64](m, n)
	var rows, cols []int32
	for i := range m {
		for j := range n {
			weights.Set(i, j, float64((3*i+5*j)%7)/4)
			if (i+2*j)%13 == 0 {
				hidden.Set(i, j, 2)
				rows, cols = append(rows, int32(i)), append(cols, int32(j))
			}
		}
	}
	mask, err := matrix.NewMask(m, n, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	holed := full.Clone()
	for p := range holed.Data {
		if p%17 == 3 {
			holed.Data[p] = math.NaN()
		}
	}
	thin := full.Clone()
	for p := range thin.Data {
		if p%3 > 0 {
			thin.Data[p] = 0
		}
	}
	for name, c := range map[string]struct {
		x matrix.Matrix[float64]
		o func(o *nmf.Options, disk bool)
	}{
		"weights": {full, func(o *nmf.Options, disk bool) {
			if o.Weights = weights; disk {
				o.Weights = bothFromDisk(weights)
			}
		}},
		"sparse weights": {full, func(o *nmf.Options, disk bool) {
			if o.Weights = weights.Sparse(); disk {
				o.Weights = matrix.StreamCSR(weights.Sparse(), matrix.BlockStep)
			}
		}},
		"mask": {full, func(o *nmf.Options, disk bool) {
			if o.Mask = mask; disk {
				o.Mask, o.MaskOf = nil, bothFromDisk(hidden)
			}
		}},
		"sparse mask":        {full, func(o *nmf.Options, _ bool) { o.Mask = mask }},
		"missing":            {holed, func(o *nmf.Options, _ bool) { o.Missing = "nan" }},
		"zeros are missing":  {thin, func(o *nmf.Options, _ bool) { o.Missing = "zero" }},
		"sparse":             {thin.Sparse(), func(o *nmf.Options, _ bool) { o.Mask = mask }},
		"what is not stored": {thin.Sparse(), func(o *nmf.Options, _ bool) { o.Missing = "unstored" }},
	} {
		var x matrix.Matrix[float64]
		if s, ok := c.x.(*matrix.CSR[float64]); ok {
			x = matrix.StreamCSR(s, matrix.BlockStep)
		} else {
			x = bothFromDisk(c.x.(*matrix.Dense[float64]))
		}
		o := &Options{K: []int{2, 3}, Runs: 3, Criteria: []string{"bic", "cophenetic", "silhouette"}, Fit: nmf.Options{MaxIter: 5, Seed: 2}, State: t.TempDir()}
		c.o(&o.Fit, false)
		want, err := Sweep(t.Context(), c.x, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		part, err := Consensus(t.Context(), c.x, 2, &ConsensusOptions{Fit: o.Fit, Runs: 4, Threshold: 2})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.o(&o.Fit, true)
		for _, folder := range []string{"", o.State} {
			o.State = folder
			got, err := Sweep(t.Context(), x, o)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			a, _ := json.Marshal(want.K)
			b, _ := json.Marshal(got.K)
			if string(a) != string(b) {
				t.Errorf("%s: other numbers than from memory:\n%s\n%s", name, a, b)
			}
		}
		got, err := Consensus(t.Context(), x, 2, &ConsensusOptions{Fit: o.Fit, Runs: 4, Threshold: 2})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(got.Model.W.Data, part.Model.W.Data) || !slices.Equal(got.Model.H.Data, part.Model.H.Data) || got.Model.Info.Loss != part.Model.Info.Loss {
			t.Errorf("%s: the consensus is another model than from memory", name)
		}
		// What is read block by block beside an X in memory is put there.
		o.State = ""
		if got, err := Sweep(t.Context(), c.x, o); err != nil || got.K[0].BIC != want.K[0].BIC {
			t.Errorf("%s: beside X in memory: %v", name, err)
		}
	}
}

// bothFromDisk is fromDisk with the columns, too.
func bothFromDisk(x *matrix.Dense[float64]) *matrix.Streamed[float64] {
	s := fromDisk[float64](x, nil)
	s.ReadColumns = fromDisk[float64](x.T(), nil).Read
	return s
}

// TestCellsOfAnotherShape: a mask and weights must have the shape of X.
func TestCellsOfAnotherShape(t *testing.T) {
	x, _ := truth(3, 0.1, 4)
	small := matrix.NewDense[float64](3, 3)
	mask, err := matrix.NewMask(3, 3, []int32{1}, []int32{1})
	if err != nil {
		t.Fatal(err)
	}
	for _, fit := range []nmf.Options{{Weights: small}, {MaskOf: small}, {Mask: mask}, {Weights: bothFromDisk(small)}} {
		for _, of := range []matrix.Matrix[float64]{x, bothFromDisk(x)} {
			if _, err := Sweep(t.Context(), of, &Options{K: []int{2}, Fit: fit}); !errors.Is(err, nmf.ErrShape) {
				t.Errorf("a sweep gives %v", err)
			}
			if _, err := Consensus(t.Context(), of, 2, &ConsensusOptions{Fit: fit}); !errors.Is(err, nmf.ErrShape) {
				t.Errorf("a consensus gives %v", err)
			}
		}
	}
}
