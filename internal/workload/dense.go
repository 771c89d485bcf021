package workload

import (
	"math"

	"github.com/partsof/nmf/matrix"
)

// blockRows is the number of rows that a goroutine makes at a time.
const blockRows = 64

func blocks(rows int) int { return (rows + blockRows - 1) / blockRows }

// lowRank is WH plus normal noise of a tenth of WH's standard deviation, cut
// at zero, with Gamma(1/2) factors.
func lowRank(seed uint64) func(w Workload, threads int) matrix.Matrix[float32] {
	const shape, noise = 0.5, 0.1
	return func(w Workload, threads int) matrix.Matrix[float32] {
		k := w.Ranks[0]
		h := make([][]float32, k)
		forEach(threads, k, func(l int) {
			row := make([]float64, w.Cols)
			gammas(row, stream(seed, forH, l), shape)
			h[l] = narrow(row)
		})
		x := matrix.NewDense[float32](w.Rows, w.Cols)
		sums := make([]moments, blocks(w.Rows))
		forEach(threads, len(sums), func(b int) {
			factor := make([]float64, k)
			for i := b * blockRows; i < min((b+1)*blockRows, w.Rows); i++ {
				gammas(factor, stream(seed, forW, i), shape)
				row := x.Row(i)
				for l, f := range narrow(factor) {
					for j, v := range h[l] {
						row[j] += f * v
					}
				}
				sums[b].add(row)
			}
		})
		scale := float32(noise * deviation(sums))
		forEach(threads, len(sums), func(b int) {
			for i := b * blockRows; i < min((b+1)*blockRows, w.Rows); i++ {
				rng := stream(seed, forNoise, i)
				row := x.Row(i)
				for j := range row {
					row[j] = max(0, row[j]+scale*float32(rng.NormFloat64()))
				}
			}
		})
		return x
	}
}

// moments are sums over the cells of a block.
type moments struct{ n, sum, squares float64 }

func (m *moments) add(row []float32) {
	m.n += float64(len(row))
	for _, v := range row {
		m.sum += float64(v)
		m.squares += float64(v) * float64(v)
	}
}

// deviation is the standard deviation over all blocks.
func deviation(list []moments) float64 {
	var t moments
	for _, m := range list {
		t.n, t.sum, t.squares = t.n+m.n, t.sum+m.sum, t.squares+m.squares
	}
	mean := t.sum / t.n
	return math.Sqrt(max(0, t.squares/t.n-mean*mean))
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// denseCounts draws every cell from Poisson(0.6·WH), with Gamma(1/2) factors.
func denseCounts(w Workload, threads int) matrix.Matrix[float32] {
	const seed, shape, level = 6, 0.5, 0.6
	k := w.Ranks[0]
	h := make([][]float64, k)
	forEach(threads, k, func(l int) {
		h[l] = make([]float64, w.Cols)
		gammas(h[l], stream(seed, forH, l), shape)
	})
	x := matrix.NewDense[float32](w.Rows, w.Cols)
	forEach(threads, blocks(w.Rows), func(b int) {
		factor, rates := make([]float64, k), make([]float64, w.Cols)
		for i := b * blockRows; i < min((b+1)*blockRows, w.Rows); i++ {
			gammas(factor, stream(seed, forW, i), shape)
			clear(rates)
			for l, f := range factor {
				for j, v := range h[l] {
					rates[j] += level * f * v
				}
			}
			rng, row := stream(seed, forCounts, i), x.Row(i)
			for j, rate := range rates {
				row[j] = float32(poisson(rng, rate))
			}
		}
	})
	return x
}
