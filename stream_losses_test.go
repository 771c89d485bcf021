package nmf_test

import (
	"errors"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// streamedBoth reads x by rows and by columns as if it were in a file.
func streamedBoth[F matrix.Float](x *matrix.Dense[F]) *matrix.Streamed[F] {
	s, turned := streamed(x, nil), x.T()
	s.ReadColumns = streamed(turned, nil).Read
	return s
}

// TestStreamedLosses: every loss gives the bits that it gives in memory, of dense
// and of sparse data.
func TestStreamedLosses(t *testing.T) {
	t.Run("f32", func(t *testing.T) { streamedLosses[float32](t) })
	t.Run("f64", func(t *testing.T) { streamedLosses[float64](t) })
}

func streamedLosses[F matrix.Float](t *testing.T) {
	options := map[string]nmf.Options{
		"kl":          {Loss: "kl", Runs: 2},
		"kl mu":       {Loss: "kl", Solver: "mu"},
		"kl nndsvd":   {Loss: "kl", Init: "nndsvd"},
		"kl l1":       {Loss: "kl", PenaltyH: nmf.Penalty{L1: 0.1}},
		"is":          {Loss: "is"},
		"beta":        {Loss: "beta", Beta: 1.5},
		"negbinomial": {Loss: "negbinomial"},
		"by feature":  {Loss: "negbinomial", DispersionBy: "feature"},
		"huber":       {Loss: "huber"},
		"l1":          {Loss: "l1"},
		"row weights": {RowWeights: ramp(300)},
		"unstored":    {Missing: "unstored"},
	}
	wide := lowRank[F](300, wideRows, 2, 0.2, 1)
	dense := lowRank[F](300, 290, 2, 0.2, 1)
	sparse := sparsePart(dense.Clone())
	for name, o := range options {
		_, double := any(F(0)).(float64)
		if double && (testing.Short() || name != "kl" && name != "kl mu" && name != "beta") {
			continue // the windows know nothing of the loss
		}
		o.MaxIter = 3
		if name != "unstored" {
			x := dense
			if name == "kl mu" && !double && !testing.Short() {
				x = wide // of several blocks
			}
			want := bits(fit(t, x, 2, &o))
			for _, o.Threads = range []int{1, 3} {
				if bits(fit(t, streamedBoth(x), 2, &o)) != want {
					t.Errorf("dense, %s, %d threads: other bits than from memory", name, o.Threads)
				}
			}
		}
		if name == "is" {
			continue // zeros
		}
		o.Threads = 0
		m := fit(t, sparse, 2, &o)
		for _, o.Threads = range []int{1, 3} {
			if bits(fit(t, matrix.StreamCSR(sparse, 128), 2, &o)) != bits(m) {
				t.Errorf("sparse, %s, %d threads: other bits than from memory", name, o.Threads)
			}
		}
		if name == "row weights" {
			continue // of the fit alone
		}
		sameNewData(t, name, m, sparse, matrix.StreamCSR(sparse, 128), nil)
	}
}

// sameNewData checks that new data that are read by a stream have the weights and
// the score of the same data x in memory. o is of the transform of the stream.
func sameNewData[F matrix.Float](t *testing.T, name string, m *nmf.Model[F], x, stream matrix.Matrix[F], o *nmf.TransformOptions) {
	t.Helper()
	want, err := m.Transform(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Transform(t.Context(), stream, o)
	if err != nil || bitsOf(asWide(got)) != bitsOf(asWide(want)) {
		t.Errorf("%s: other weights, %v", name, err)
	}
	a, err := m.Score(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := m.Score(t.Context(), stream, nil); err != nil || a != b {
		t.Errorf("%s: scores %v and %v, %v", name, a, b, err)
	}
}

func asWide[F matrix.Float](x *matrix.Dense[F]) *matrix.Dense[float64] { return wide[F](x) }

// ramp gives n weights.
func ramp(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 0.5 + float64(i%7)
	}
	return w
}

// TestStreamedShortRows: many short rows, which a fit by KL first learns from part
// by part.
func TestStreamedShortRows(t *testing.T) {
	x := sparsePart(lowRank[float32](2500, 40, 2, 0.2, 1))
	o := &nmf.Options{Loss: "kl", MaxIter: 2}
	want := bits(fit(t, x, 12, o))
	for _, o.Threads = range []int{1, 3} {
		if bits(fit(t, matrix.StreamCSR(x, 256), 12, o)) != want {
			t.Errorf("%d threads: other bits than from memory", o.Threads)
		}
	}
}

// TestStreamedLossFailure: whenever reading fails, the fit fails with that error.
func TestStreamedLossFailure(t *testing.T) {
	x := sparsePart(lowRank[float32](2300, 40, 2, 0.2, 3))
	broken := errors.New("the disk is gone")
	for _, o := range []nmf.Options{{Loss: "kl"}, {Loss: "huber"}, {Loss: "negbinomial", Init: "nndsvd"}} {
		o.MaxIter = 1
		k := 12
		if o.Loss != "kl" {
			k = 2
		}
		for after := 0; ; after += 1 + after/3 {
			s := matrix.StreamCSR(x, 1280)
			calls := failAfter(s, after, broken)
			_, err := nmf.Fit(t.Context(), s, k, &o)
			if n := <-calls; err == nil && n <= after+4 {
				break
			}
			if !errors.Is(err, broken) {
				t.Fatalf("%s, %d reads: %v", o.Loss, after, err)
			}
		}
	}
}

// TestStreamedSomeRows: many rows whose cells are all visited, which a fit first
// learns from some of.
func TestStreamedSomeRows(t *testing.T) {
	x := lowRank[float32](1100, 40, 2, 0.2, 1)
	sparse := sparsePart(x.Clone())
	for _, o := range []nmf.Options{{Loss: "kl"}, {Loss: "beta", Beta: 1.5}} {
		o.MaxIter = 2
		if bits(fit(t, streamedBoth(x), 2, &o)) != bits(fit(t, x, 2, &o)) {
			t.Errorf("%s: other bits than from memory", o.Loss)
		}
		if bits(fit(t, matrix.StreamCSR(sparse, 128), 2, &o)) != bits(fit(t, sparse, 2, &o)) {
			t.Errorf("%s, sparse: other bits than from memory", o.Loss)
		}
	}
}

// TestStreamedNewData: the weights, the score and the filled cells, made at once or by
// rows, of new data that are read by rows alone are those of data in memory.
func TestStreamedNewData(t *testing.T) {
	x := lowRank[float32](300, wideRows, 2, 0.2, 1)
	sparse := sparsePart(lowRank[float32](400, 90, 2, 0.2, 1))
	for _, o := range []nmf.Options{{Loss: "kl"}, {Loss: "huber"}, {Loss: "beta", Beta: 1.5}, {}} {
		o.MaxIter = 3
		m := fit(t, x, 2, &o)
		sameNewData(t, o.Loss, m, x, streamed(x, nil), &nmf.TransformOptions{Threads: 3})
		broken := errors.New("the disk is gone")
		for after := range 8 {
			calls := 0
			_, err := m.Score(t.Context(), streamed(x, func(int) error {
				if calls++; calls > after {
					return broken
				}
				return nil
			}), &nmf.TransformOptions{Threads: 1})
			if err != nil && !errors.Is(err, broken) {
				t.Errorf("%s: reading fails after %d blocks, and the error is %v", o.Loss, after, err)
			}
			if after == 0 && err == nil {
				t.Errorf("%s: no error, though nothing could be read", o.Loss)
			}
		}
	}
	for _, missing := range []string{"unstored", ""} {
		m := fit(t, sparse, 2, &nmf.Options{Missing: missing, MaxIter: 3})
		want, err := m.Impute(t.Context(), sparse, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Impute(t.Context(), matrix.StreamCSR(sparse, 128), nil)
		if err != nil || bitsOf(asWide(got)) != bitsOf(asWide(want)) {
			t.Errorf("missing %q: other cells, %v", missing, err)
		}
		rows, err := m.ImputeByRows(t.Context(), matrix.StreamCSR(sparse, 128), nil)
		if err != nil {
			t.Fatal(err)
		}
		clear(got.Data)
		for first := 399; first >= 0; first -= 57 { // backwards, across blocks
			count := min(300, 400-first)
			if err := rows.Read(first, got.Data[first*90:(first+count)*90]); err != nil {
				t.Fatal(err)
			}
		}
		if bitsOf(asWide(got)) != bitsOf(asWide(want)) {
			t.Errorf("missing %q: other cells by rows", missing)
		}
	}
}

// TestMemoryOfNewData: of new data that are read block by block less is in memory,
// and what a transform takes grows with all that it is for.
func TestMemoryOfNewData(t *testing.T) {
	x := lowRank[float32](300, 290, 2, 0.2, 1)
	for _, loss := range []string{"", "kl"} {
		m := fit(t, x, 2, &nmf.Options{Loss: loss, MaxIter: 2})
		const rows, cols, stored = 1_000_000, 290, 50_000_000
		dense, sparse := m.Memory(rows, cols, rows*cols, false, nil), m.Memory(rows, cols, stored, true, nil)
		far := m.MemoryOf(&matrix.Streamed[float32]{Rows: rows, Cols: cols}, nil)
		farSparse := m.MemoryOf(&matrix.StreamedCSR[float32]{Rows: rows, Cols: cols, Stored: stored, ByRows: matrix.Blocks[float32]{Most: 1 << 20}}, nil)
		weights := 2.0 * 4 * rows * 2
		if dense < 4*rows*cols+weights || sparse < 8*stored+weights || far < weights || farSparse < weights {
			t.Errorf("%q: %g dense, %g sparse, %g and %g block by block", loss, dense, sparse, far, farSparse)
		}
		if far > dense/3 || farSparse > sparse/3 {
			t.Errorf("%q: block by block %g of %g, sparse %g of %g", loss, far, dense, farSparse, sparse)
		}
		if at := m.Memory(rows, cols, rows*cols, false, &nmf.TransformOptions{Missing: "nan"}); at < dense+4*rows*cols {
			t.Errorf("%q: %g with missing cells, %g without", loss, at, dense)
		}
	}
}
