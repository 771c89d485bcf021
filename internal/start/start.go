// Package start makes the first pair of factors of a run.
package start

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
)

// Names lists the inits that make both factors from X.
func Names() []string { return []string{"random", "nndsvd", "nndsvda", "nndsvdar", "spa"} }

// New makes the start of a name: w is m x k, h is n x k. The SVD-based ones
// use their own random numbers for the range finder, so they too depend on
// the seed, if only in their last digits.
func New[F kernel.Float](name string, x *engine.Data[F], k int, seed uint64, workers int) (w, h *engine.Tall[F], err error) {
	switch name {
	case "random":
		w, h = Random(x, k, seed, workers)
		return w, h, nil
	case "nndsvd", "nndsvda", "nndsvdar":
		return nndsvd(name, x, k, seed, workers)
	case "spa":
		return spa(x, k, seed, workers)
	}
	return nil, nil, fmt.Errorf("unknown init %q", name)
}

// Streams of random numbers for the rows of W, those of H, the range finder
// and the filling of zeros.
const (
	streamW = iota + 1
	streamH
	streamSketch
	streamFill
)

// Random draws both factors as scikit-learn does: |N(0,1)|·√(mean(X)/k).
func Random[F kernel.Float](x *engine.Data[F], k int, seed uint64, workers int) (w, h *engine.Tall[F]) {
	row, col := x.First()
	return DrawPart[F](x.Rows, x.Cols, row, col, x.Mean(), k, seed, workers)
}

// Draw is Random for an m x n matrix whose mean over the cells that count is
// given.
func Draw[F kernel.Float](m, n int, mean float64, k int, seed uint64, workers int) (w, h *engine.Tall[F]) {
	return DrawPart[F](m, n, 0, 0, mean, k, seed, workers)
}

// DrawPart is Draw for an m x n part, that begins at a row and a column of a
// whole matrix, of which the mean is: the numbers are those of the whole.
func DrawPart[F kernel.Float](m, n, row, col int, mean float64, k int, seed uint64, workers int) (w, h *engine.Tall[F]) {
	scale := math.Sqrt(mean / float64(k))
	w, h = engine.NewTall[F](m, k), engine.NewTall[F](n, k)
	fill := func(t *engine.Tall[F], first int, stream uint64) {
		eachRow(t, first, seed, stream, workers, func(row []F, rng *rand.Rand) {
			for j := range row {
				row[j] = F(scale * math.Abs(rng.NormFloat64()))
			}
		})
	}
	fill(w, row, streamW)
	fill(h, col, streamH)
	return w, h
}

// eachRow gives every row its own generator, split by index: a row's numbers
// do not depend on which rows were drawn before. The first row of t is row
// `first` of a whole factor.
func eachRow[F kernel.Float](t *engine.Tall[F], first int, seed, stream uint64, workers int, fn func(row []F, rng *rand.Rand)) {
	engine.EachStrip(t.Rows, workers, func(i0, i1 int) {
		var pcg rand.PCG
		rng := rand.New(&pcg)
		for i := i0; i < i1; i++ {
			pcg.Seed(seed, mix(stream<<56|uint64(first+i)))
			fn(t.Row(i), rng)
		}
	})
}

// mix is the finalizer of SplitMix64 (Steele, Lea & Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
