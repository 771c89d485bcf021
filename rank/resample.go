package rank

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// bootstrapRows draws as many of m samples, with repetition (Efron 1979).
func bootstrapRows(m int, seed uint64, index int) []int {
	rng := stream(seed, forBootstrap, index)
	rows := make([]int, m)
	for i := range rows {
		rows[i] = rng.IntN(m)
	}
	slices.Sort(rows)
	return rows
}

// forRows gives options that suit the samples rows[i] of the data that o is
// for, or says why there are none.
func forRows(o nmf.Options, rows []int) (nmf.Options, error) {
	if o.PenaltyW.Graph > 0 || o.PenaltyW.Smooth > 0 || o.PenaltyW.Held != nil {
		return o, fmt.Errorf("%w: penalties join the samples of W, or hold some, so that they cannot be drawn anew", ErrInput)
	}
	o.RowNames = nil
	if o.Mask != nil {
		o.Mask = takeMaskRows(o.Mask, rows)
	}
	if o.RowWeights != nil {
		w := make([]float64, len(rows))
		for i, from := range rows {
			w[i] = o.RowWeights[from]
		}
		o.RowWeights = w
	}
	switch w := o.Weights.(type) {
	case *matrix.Dense[float32]:
		o.Weights = takeRows(w, rows).(*matrix.Dense[float32])
	case *matrix.Dense[float64]:
		o.Weights = takeRows(w, rows).(*matrix.Dense[float64])
	case *matrix.CSR[float32]:
		o.Weights = takeRows(w, rows).(*matrix.CSR[float32])
	case *matrix.CSR[float64]:
		o.Weights = takeRows(w, rows).(*matrix.CSR[float64])
	}
	return o, nil
}

// mergesRows reports whether a sample that is drawn c times may stand in X once,
// weighed by a factor. Where every cell counts once and nothing is asked of the
// factors, the loss of √c·x at √c·w is c times that of x at w (frobenius), or that of
// c·x at c·w is (kl): all rows of W being free, the H of a fit is the same.
func mergesRows(o *nmf.Options) bool {
	none := func(p nmf.Penalty) bool { p.SmoothOrder = 0; return p == nmf.Penalty{} }
	return (defaultLoss(o.Loss) == "frobenius" || o.Loss == "kl") && complete(o) && o.RowWeights == nil && none(o.PenaltyW) && none(o.PenaltyH)
}

// complete reports whether every cell counts, and as much as any other of its sample
// and feature.
func complete(o *nmf.Options) bool {
	return o.Mask == nil && o.Weights == nil && (o.Missing == "" || o.Missing == "error")
}

// mergedRows gives each of the rows of x that are listed once, in their order, weighed
// for the loss by how often it is listed. The list rises.
func mergedRows[F matrix.Float](x matrix.Matrix[F], rows []int, loss string) matrix.Matrix[F] {
	once := slices.Compact(slices.Clone(rows))
	out := takeRows(x, once)
	for i, row := range once {
		from, _ := slices.BinarySearch(rows, row)
		to, _ := slices.BinarySearch(rows, row+1)
		weight := float64(to - from)
		if loss != "kl" {
			weight = math.Sqrt(weight)
		}
		values := storedRow(out, i)
		for j, v := range values {
			values[j] = F(weight * float64(v))
		}
	}
	return out
}

// poisson draws every cell anew from the Poisson distribution whose mean it is:
// counts as they might have come out as well.
func poisson[F matrix.Float](x matrix.Matrix[F], seed uint64, index int) matrix.Matrix[F] {
	draw := func(row []F, i int) {
		d := distuv.Poisson{Src: stream(seed+uint64(index), forPoisson, i)}
		for j, v := range row {
			if v > 0 { // a NaN is a missing cell
				d.Lambda = float64(v)
				row[j] = F(d.Rand())
			}
		}
	}
	switch x := x.(type) {
	case *matrix.CSR[F]:
		out := &matrix.CSR[F]{Rows: x.Rows, Cols: x.Cols, RowPtr: x.RowPtr, ColIdx: x.ColIdx, Val: slices.Clone(x.Val)}
		for i := range out.Rows {
			_, vals := out.Row(i)
			draw(vals, i)
		}
		return out
	case *matrix.Dense[F]:
		out := x.Clone()
		for i := range out.Rows {
			draw(out.Row(i), i)
		}
		return out
	}
	panic("rank: unknown kind of matrix")
}

// areCounts reports whether all values are whole numbers.
func areCounts[F matrix.Float](x matrix.Matrix[F]) bool {
	rows, _ := x.Dims()
	for i := range rows {
		for _, v := range storedRow(x, i) {
			if f := float64(v); f != math.Trunc(f) {
				return false
			}
		}
	}
	return true
}

// shuffled gives every feature its values in a random order of the samples: what
// the features have in common is lost, their own distributions stay (Frigyesi &
// Höglund 2008).
func shuffled[F matrix.Float](x matrix.Matrix[F], seed uint64, index int) matrix.Matrix[F] {
	switch x := x.(type) {
	case *matrix.CSR[F]:
		t := x.T()
		for j := range t.Rows {
			rng := stream(seed+uint64(index), forShuffle, j)
			rows, vals := t.Row(j)
			rng.Shuffle(len(vals), func(a, b int) { vals[a], vals[b] = vals[b], vals[a] })
			for p, i := range distinct(rng, t.Cols, len(rows)) {
				rows[p] = int32(i)
			}
		}
		return t.T()
	case *matrix.Dense[F]:
		t := x.T()
		for j := range t.Rows {
			row := t.Row(j)
			stream(seed+uint64(index), forShuffle, j).Shuffle(len(row), func(a, b int) { row[a], row[b] = row[b], row[a] })
		}
		return t.T()
	}
	panic("rank: unknown kind of matrix")
}

// distinct draws `many` different numbers below n, rising (Floyd's algorithm,
// Bentley & Floyd 1987).
func distinct(rng *rand.Rand, n, many int) []int {
	out := make([]int, 0, many)
	if many == n {
		for i := range n {
			out = append(out, i)
		}
		return out
	}
	set := make(map[int]bool, many)
	for i := n - many; i < n; i++ {
		v := rng.IntN(i + 1)
		if set[v] {
			v = i
		}
		set[v] = true
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}
