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
			if name == "kl mu" && !double {
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
		want, err := m.Transform(t.Context(), sparse, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Transform(t.Context(), matrix.StreamCSR(sparse, 128), nil)
		if err != nil || bitsOf(asWide(got)) != bitsOf(asWide(want)) {
			t.Errorf("%s: other weights, %v", name, err)
		}
		a, err := m.Score(t.Context(), sparse, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := m.Score(t.Context(), matrix.StreamCSR(sparse, 128), nil); err != nil || a != b {
			t.Errorf("%s: scores %v and %v, %v", name, a, b, err)
		}
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
