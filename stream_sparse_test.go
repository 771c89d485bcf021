package nmf_test

import (
	"errors"
	"math"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// sparsePart keeps one cell in three of a matrix.
func sparsePart[F matrix.Float](x *matrix.Dense[F]) *matrix.CSR[F] {
	for i := range x.Rows {
		for j := range x.Cols {
			if (i*7+j*13+i*j)%3 != 0 {
				x.Set(i, j, 0)
			}
		}
	}
	return x.Sparse()
}

// TestStreamedSparseSameBits: a sparse X that is read by blocks of rows and of
// columns gives the bits that it gives in memory.
func TestStreamedSparseSameBits(t *testing.T) {
	t.Run("f32", func(t *testing.T) { streamedSparseSameBits[float32](t) })
	t.Run("f64", func(t *testing.T) { streamedSparseSameBits[float64](t) })
}

func streamedSparseSameBits[F matrix.Float](t *testing.T) {
	x := sparsePart(lowRank[F](500, 430, 3, 0.2, 1))
	options := map[string]nmf.Options{
		"random":     {Init: "random", Runs: 3},
		"nndsvd":     {Init: "nndsvd"},
		"spa":        {Init: "spa"},
		"sketch":     {Init: "random", Compression: "on"},
		"sparseness": {Init: "random", PenaltyW: nmf.Penalty{Sparseness: 0.5}},
		"l1":         {Init: "random", PenaltyH: nmf.Penalty{L1: 0.1}},
		"exact":      {Init: "random", Solver: "bpp"},
		"mu":         {Init: "random", Solver: "mu"},
	}
	for name, o := range options {
		o.MaxIter = 4
		want := bits(fit(t, x, 3, &o))
		for _, threads := range []int{1, 3} {
			for _, step := range []int{128, 256, 1024} {
				o.Threads = threads
				if bits(fit(t, matrix.StreamCSR(x, step), 3, &o)) != want {
					t.Errorf("%s, %d threads, blocks of %d: other bits than from memory", name, threads, step)
				}
			}
		}
	}
	far := *x
	far.Val = make([]F, len(x.Val))
	for i, v := range x.Val {
		far.Val[i] = v * F(math.Ldexp(1, 40))
	}
	o := &nmf.Options{Init: "random", MaxIter: 2}
	if bits(fit(t, matrix.StreamCSR(&far, 128), 3, o)) != bits(fit(t, &far, 3, o)) {
		t.Error("far from 1: other bits than from memory")
	}
	m := fit(t, x, 3, o)
	want, err := m.Transform(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Transform(t.Context(), matrix.StreamCSR(x, 128), nil)
	if err != nil || bitsOf(wide(got)) != bitsOf(wide(want)) {
		t.Errorf("weights differ: %v", err)
	}
	a, err := m.Score(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Score(t.Context(), matrix.StreamCSR(x, 128), nil)
	if err != nil || a != b {
		t.Errorf("scores %v and %v, %v", a, b, err)
	}
}

// failAfter makes the reading of s fail after some reads. The channel that it
// gives holds their number.
func failAfter(s *matrix.StreamedCSR[float32], after int, failure error) (calls chan int) {
	calls = make(chan int, 1)
	calls <- 0
	for _, b := range []*matrix.Blocks[float32]{&s.ByRows, &s.ByColumns} {
		read := b.Read
		b.Read = func(first int, dst *matrix.CSR[float32]) error {
			n := <-calls + 1
			calls <- n
			if n > after {
				return failure
			}
			return read(first, dst)
		}
	}
	return calls
}

// TestStreamedSparseFailure: whenever reading fails, the fit fails with that
// error, and a cell that cannot be factorized is named.
func TestStreamedSparseFailure(t *testing.T) {
	x := sparsePart(lowRank[float32](300, 300, 3, 0.2, 3))
	broken := errors.New("the disk is gone")
	for _, init := range []string{"random", "nndsvd"} {
		for after := range 60 {
			s := matrix.StreamCSR(x, 128)
			calls := failAfter(s, after, broken)
			_, err := nmf.Fit(t.Context(), s, 3, &nmf.Options{Init: init, MaxIter: 2})
			// Two blocks are read ahead for a pass that does not come.
			if n := <-calls; err == nil && n <= after+2 {
				break
			}
			if !errors.Is(err, broken) {
				t.Fatalf("%s, %d reads: %v", init, after, err)
			}
		}
	}
	const row = 298 // the last one that stores cells
	x.Val[len(x.Val)-1] = -1
	cols, _ := x.Row(row)
	_, err := nmf.Fit(t.Context(), matrix.StreamCSR(x, 128), 3, nil)
	var cell *nmf.CellError
	if !errors.As(err, &cell) || cell.Row != row || cell.Column != int(cols[len(cols)-1]) {
		t.Errorf("a negative cell gives %v", err)
	}
	if _, err := nmf.Fit(t.Context(), &matrix.StreamedCSR[float32]{Rows: 2, Cols: 2}, 1, nil); !errors.Is(err, nmf.ErrShape) {
		t.Errorf("nothing to read with gives %v", err)
	}
	odd := matrix.StreamCSR(x, 100)
	if _, err := nmf.Fit(t.Context(), odd, 1, nil); !errors.Is(err, nmf.ErrShape) {
		t.Errorf("blocks of 100 rows give %v", err)
	}
}
