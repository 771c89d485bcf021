package nmf_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// asStream gives a matrix in memory as one that is read block by block.
func asStream[F matrix.Float](x matrix.Matrix[F], step int) matrix.Matrix[F] {
	if s, ok := x.(*matrix.CSR[F]); ok {
		return matrix.StreamCSR(s, step)
	}
	return streamedBoth(x.(*matrix.Dense[F]))
}

// cellsOf makes what says which cells of an m x n X count: weights of which a block of
// rows is all ones and some are zero, sparse weights, and a mask that leaves rows whole.
func cellsOf(m, n int) (dense *matrix.Dense[float64], sparse *matrix.CSR[float64], mask *matrix.Dense[float32]) {
	rng := rand.New(rand.NewPCG(1, 2))
	dense, mask = matrix.NewDense[float64](m, n), matrix.NewDense[float32](m, n)
	for i := range m {
		for j := range n {
			switch {
			case i < min(128, m/2) || i%3 == 0:
				dense.Set(i, j, 1)
			case rng.IntN(9) > 0:
				dense.Set(i, j, 0.5+rng.Float64())
			}
			if i >= min(128, m/2) && rng.IntN(8) == 0 {
				mask.Set(i, j, 3)
			}
		}
	}
	kept := dense.Clone()
	for p := range kept.Data {
		if p%5 == 0 {
			kept.Data[p] = 0
		}
	}
	return dense, kept.Sparse(), mask
}

func maskOf(x *matrix.Dense[float32]) *matrix.Mask {
	var rows, cols []int32
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			if v != 0 {
				rows, cols = append(rows, int32(i)), append(cols, int32(j))
			}
		}
	}
	m, err := matrix.NewMask(x.Rows, x.Cols, rows, cols)
	if err != nil {
		panic(err)
	}
	return m
}

// TestStreamedCells: an X that is read block by block, with weights, a mask and missing
// cells that are too, gives the bits that all of them give in memory, for every loss.
func TestStreamedCells(t *testing.T) {
	t.Run("f32", func(t *testing.T) { streamedCells[float32](t) })
	t.Run("f64", func(t *testing.T) { streamedCells[float64](t) })
}

func streamedCells[F matrix.Float](t *testing.T) {
	const m, n = 300, 90
	full := lowRank[F](m, n, 2, 0.2, 1)
	holed := full.Clone()
	for p := range holed.Data {
		if p%11 == 5 && p > 128*n {
			holed.Data[p] = F(math.NaN())
		}
	}
	weights, some, mask := cellsOf(m, n)
	losses := []nmf.Options{{}, {Loss: "kl"}, {Loss: "kl", Solver: "mu"}, {Loss: "is"}, {Loss: "beta", Beta: 1.5},
		{Loss: "negbinomial"}, {Loss: "negbinomial", DispersionBy: "feature"}, {Loss: "huber"}, {Loss: "l1"}, {Loss: "tweedie", Power: 1.5}, {Init: "nndsvd"}}
	_, double := any(F(0)).(float64)
	for i, o := range losses {
		if double && i > 0 || testing.Short() && i > 2 {
			continue // the blocks know nothing of the loss
		}
		for name, set := range map[string]func(o *nmf.Options, stream bool){
			"weights": func(o *nmf.Options, stream bool) { o.Weights = either(weights, stream) },
			"sparse weights": func(o *nmf.Options, stream bool) {
				o.Weights = either(some, stream)
			},
			"mask": func(o *nmf.Options, stream bool) {
				if o.Mask = maskOf(mask); stream {
					o.Mask, o.MaskOf = nil, streamedBoth(mask)
				}
			},
			"missing": func(o *nmf.Options, _ bool) { o.Missing = "nan" },
			"zeros":   func(o *nmf.Options, _ bool) { o.Missing = "zero" },
			"all": func(o *nmf.Options, stream bool) {
				o.Missing, o.Mask, o.Weights, o.RowWeights = "nan", maskOf(mask), either(weights, stream), ramp(m)
			},
		} {
			if i > 1 && name != "weights" && name != "all" {
				continue
			}
			for _, sparse := range []bool{false, true} {
				x := holed
				if name != "missing" && name != "all" {
					x = full
				}
				var whole matrix.Matrix[F] = x
				if sparse {
					if o.Loss == "is" {
						continue // zeros
					}
					whole = sparsePart(x.Clone())
				}
				o := o
				o.MaxIter = 2
				set(&o, false)
				want := fit(t, whole, 2, &o)
				set(&o, true)
				o.Threads = 1 + i%3
				if got := fit(t, asStream(whole, 128), 2, &o); bits(got) != bits(want) {
					t.Errorf("%+v, %s, sparse %v: other bits than from memory", losses[i], name, sparse)
				}
				if i < 2 {
					streamedNewCells(t, name, want, whole, set)
				}
			}
		}
	}
}

// TestStreamedCellsWide is the same for a dense X of several blocks of rows, and of
// columns.
func TestStreamedCellsWide(t *testing.T) {
	const m, n = 32, 70000
	x := lowRank[float32](m, n, 2, 0.2, 1)
	for p := range x.Data {
		if p%11 == 5 && p > 16*n {
			x.Data[p] = float32(math.NaN())
		}
	}
	weights, some, mask := cellsOf(m, n)
	for _, o := range []nmf.Options{{Mask: maskOf(mask)}, {Loss: "kl", Weights: weights}, {Loss: "kl", Solver: "mu", Weights: some}} {
		o.Missing, o.MaxIter = "nan", 2
		want := bits(fit(t, x, 2, &o))
		if o.Mask != nil {
			o.Mask, o.MaskOf = nil, streamedBoth(mask)
		}
		if o.Weights == nmf.Weights(weights) {
			o.Weights = streamedBoth(weights)
		} else if o.Weights != nil {
			o.Weights = matrix.StreamCSR(some, 1<<14)
		}
		if bits(fit(t, streamedBoth(x), 2, &o)) != want {
			t.Errorf("%s %s: other bits than from memory", o.Loss, o.Solver)
		}
	}
}

// TestStreamedCellsLong: a fit long enough for rows to be solved apart, for nearly one
// sample alone holds a component, has the same bits from memory and block by block, and
// for any number of threads.
func TestStreamedCellsLong(t *testing.T) {
	const m, n, one = 300, 90, 200
	x := lowRank[float64](m, n, 3, 0.2, 1)
	for j := range n {
		x.Set(one, j, x.At(one, j)+float64(50*(j%4)))
	}
	_, _, mask := cellsOf(m, n)
	for name, whole := range map[string]matrix.Matrix[float64]{"dense": x, "sparse": sparsePart(x.Clone())} {
		o := nmf.Options{Mask: maskOf(mask), MaxIter: 60, Tol: -1, LossTol: -1, Init: "random", Threads: 1}
		want := fit(t, whole, 4, &o)
		if want.Info.Iterations < o.MaxIter {
			t.Fatalf("%s: it ended after %d iterations", name, want.Info.Iterations)
		}
		o.Threads = 3
		if bits(fit(t, whole, 4, &o)) != bits(want) {
			t.Errorf("%s: other bits with three threads", name)
		}
		o.Mask, o.MaskOf = nil, streamedBoth(mask)
		if bits(fit(t, asStream(whole, 128), 4, &o)) != bits(want) {
			t.Errorf("%s: other bits than from memory", name)
		}
	}
}

// either gives weights as they are or as a stream.
func either[F matrix.Float](w matrix.Matrix[F], stream bool) nmf.Weights {
	if stream {
		return asStream(w, 256)
	}
	return w
}

// streamedNewCells is the same for new data.
func streamedNewCells[F matrix.Float](t *testing.T, name string, m *nmf.Model[F], x matrix.Matrix[F], set func(o *nmf.Options, stream bool)) {
	t.Helper()
	of := func(stream bool) *nmf.TransformOptions {
		var o nmf.Options
		set(&o, stream)
		return &nmf.TransformOptions{Missing: o.Missing, Mask: o.Mask, MaskOf: o.MaskOf, Weights: o.Weights, RowWeights: o.RowWeights}
	}
	stream := asStream(x, 128)
	want, err := m.Impute(t.Context(), x, of(false))
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Impute(t.Context(), stream, of(true))
	if err != nil || bitsOf(asWide(got)) != bitsOf(asWide(want)) {
		t.Errorf("%s: other cells of new data than from memory, %v", name, err)
	}
	a, err := m.Score(t.Context(), x, of(false))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := m.Score(t.Context(), stream, of(true)); err != nil || a != b {
		t.Errorf("%s: scores %v and %v, %v", name, a, b, err)
	}
	// Weights that are read block by block beside data in memory.
	if b, err := m.Score(t.Context(), x, of(true)); err != nil || a != b {
		t.Errorf("%s: scores %v and %v of data in memory, %v", name, a, b, err)
	}
}

// TestStreamedCellsScaled: X is far from 1, and read block by block, and some of it is
// missing.
func TestStreamedCellsScaled(t *testing.T) {
	x := lowRank[float32](300, 60, 2, 0.2, 1)
	for p := range x.Data {
		if x.Data[p] *= 1e-20; p%7 == 0 {
			x.Data[p] = float32(math.NaN())
		}
	}
	for _, loss := range []string{"frobenius", "kl"} {
		o := &nmf.Options{Loss: loss, Missing: "nan", MaxIter: 3}
		if bits(fit(t, streamedBoth(x), 2, o)) != bits(fit(t, x, 2, o)) {
			t.Errorf("%s: other bits than from memory", loss)
		}
	}
}

// TestStreamedWeightsOfOne: weights that are all 1 are none.
func TestStreamedWeightsOfOne(t *testing.T) {
	x := lowRank[float32](300, 60, 2, 0.2, 1)
	ones := matrix.NewDense[float64](300, 60)
	for p := range ones.Data {
		ones.Data[p] = 1
	}
	if bits(fit(t, streamedBoth(x), 2, &nmf.Options{MaxIter: 3, Weights: streamedBoth(ones)})) != bits(fit(t, x, 2, &nmf.Options{MaxIter: 3})) {
		t.Error("other bits than without weights")
	}
}

func TestStreamedCellsErrors(t *testing.T) {
	x := lowRank[float32](300, 60, 2, 0.2, 1)
	bad := matrix.NewDense[float64](300, 60)
	bad.Set(280, 7, -2)
	broken := errors.New("the disk is gone")
	for after := range 9 {
		calls := 0
		w := streamed(bad.Clone(), nil)
		w.Read = func(_ int, dst []float64) error {
			for i := range dst {
				dst[i] = 0.5
			}
			if calls++; calls > after {
				return broken
			}
			return nil
		}
		w.ReadColumns = w.Read
		o := &nmf.Options{Weights: w, MaxIter: 2, Threads: 1}
		// Fits of one block read three times.
		if _, err := nmf.Fit(t.Context(), streamedBoth(x), 2, o); !errors.Is(err, broken) && (after < 3 || err != nil) {
			t.Errorf("reading fails after %d blocks, and the error is %v", after, err)
		}
	}
	zero := x.Clone()
	zero.Set(290, 3, 0)
	for name, c := range map[string]struct {
		x    *matrix.Dense[float32]
		o    nmf.Options
		is   error
		says string
	}{
		"a negative weight": {x, nmf.Options{Weights: streamedBoth(bad)}, nmf.ErrNegative, "the weights: row 281, column 8: -2 is negative"},
		"another shape":     {x, nmf.Options{Weights: streamed(matrix.NewDense[float64](300, 61), nil)}, nmf.ErrShape, "the weights are 300 x 61; they must be 300 x 60"},
		"another mask":      {x, nmf.Options{MaskOf: streamed(matrix.NewDense[float64](30, 60), nil)}, nmf.ErrShape, "the mask are 30 x 60"},
		"two masks":         {x, nmf.Options{MaskOf: x, Mask: maskOf(x)}, nmf.ErrOption, "Mask and MaskOf are given; give one"},
		"a zero that counts": {zero, nmf.Options{Loss: "is", MaskOf: streamedBoth(matrix.NewDense[float32](300, 60)), Missing: "nan"}, nmf.ErrZero,
			"row 291, column 4"},
		"all missing": {x, nmf.Options{MaskOf: streamedBoth(x.Clone()), Loss: "kl"}, nmf.ErrEmpty, ""},
	} {
		for i := range x.Data {
			x.Data[i] = max(x.Data[i], 0.01)
		}
		c.o.MaxIter = 2
		_, err := nmf.Fit(t.Context(), streamedBoth(c.x), 2, &c.o)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
