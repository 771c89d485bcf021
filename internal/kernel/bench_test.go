package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// The benchmarks report operations a second of processor time and, as %peak,
// their share of what PeakFMA reaches in the same run.

// benchTiers runs a benchmark for both element types on every tier.
func benchTiers(b *testing.B, f32 func(*testing.B, *Ops[float32]), f64 func(*testing.B, *Ops[float64])) {
	for _, name := range Tiers() {
		b.Run("float32/"+name, func(b *testing.B) { f32(b, ForTier[float32](name)) })
		b.Run("float64/"+name, func(b *testing.B) { f64(b, ForTier[float64](name)) })
	}
}

// rate runs work, which does flops operations, b.N times.
func rate[F Float](b *testing.B, tier string, flops float64, work func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	peak := peakRate[F](tier)
	b.ResetTimer()
	start := threadTime()
	for range b.N {
		work()
	}
	took := threadTime() - start
	b.StopTimer()
	peak = max(peak, peakRate[F](tier))
	perSecond := flops * float64(b.N) / took.Seconds()
	b.ReportMetric(perSecond/1e9, "GFLOP/s")
	b.ReportMetric(100*perSecond/peak, "%peak")
}

// peakRate is the best of a few measurements of PeakFMA, in operations a
// second.
func peakRate[F Float](tier string) float64 {
	best := 0.0
	for range 5 {
		flops, start := 0, threadTime()
		for threadTime()-start < 4*time.Millisecond {
			flops += PeakFMA[F](tier, 20000)
		}
		best = max(best, float64(flops)/(threadTime()-start).Seconds())
	}
	return best
}

// BenchmarkLeft is X_b·Hᵀ, and BenchmarkRight adds X_bᵀ·W_b, over the blocks
// of an X that no cache holds, as the engine's pass does them one after the
// other.
func BenchmarkLeft(b *testing.B)  { benchTiers(b, left[float32], left[float64]) }
func BenchmarkRight(b *testing.B) { benchTiers(b, right[float32], right[float64]) }

// BenchmarkPass does both to each block.
func BenchmarkPass(b *testing.B) { benchTiers(b, pass[float32], pass[float64]) }

func left[F Float](b *testing.B, o *Ops[F])  { products(b, o, true, false) }
func right[F Float](b *testing.B, o *Ops[F]) { products(b, o, false, true) }
func pass[F Float](b *testing.B, o *Ops[F])  { products(b, o, true, true) }

func products[F Float](b *testing.B, o *Ops[F], left, right bool) {
	const rows, block, strip, chunk = 1920, 192, 64, 128
	for _, n := range []int{5000, 4096} {
		x := random[F](rand.New(rand.NewPCG(1, 2)), rows*n)
		for _, k := range []int{16, 32, 48, 64, 96, 128} {
			h, w, q := make([]F, n*k), make([]F, rows*k), make([]F, n*k)
			b.Run(fmt.Sprintf("n=%d/k=%d", n, k), func(b *testing.B) {
				flops := 0.0
				if left {
					flops += 2 * float64(rows) * float64(n) * float64(k)
				}
				if right {
					flops += 2 * float64(rows) * float64(n) * float64(k)
				}
				rate[F](b, o.Tier, flops, func() {
					for r := 0; r < rows; r += block {
						for i := r; left && i < r+block; i += strip {
							o.MulAdd(strip, k, n, x[i*n:], n, 1, h, k, w[i*k:], k)
						}
						for j := 0; right && j < n; j += chunk {
							o.MulAdd(min(chunk, n-j), k, block, x[r*n+j:], 1, n, w[r*k:], k, q[j*k:], k)
						}
					}
				})
			})
		}
	}
}

// BenchmarkGather takes rows of 30 and of 100 stored cells from a factor that
// fits in the second cache and from one that needs the last.
func BenchmarkGather(b *testing.B) { benchTiers(b, gathers[float32], gathers[float64]) }

func gathers[F Float](b *testing.B, o *Ops[F]) {
	for _, shape := range []struct{ cells, columns, k int }{
		{30, 2000, 16}, {30, 2000, 64}, {100, 2000, 16}, {100, 2000, 64},
		{30, 50000, 16}, {30, 50000, 64}, {100, 50000, 16}, {100, 50000, 64}, {100, 50000, 128},
	} {
		const rows = 2000
		cells, columns, k := shape.cells, shape.columns, shape.k
		r := rand.New(rand.NewPCG(1, 2))
		idx, val, h, c := make([]int32, rows*cells), random[F](r, rows*cells), make([]F, columns*k), make([]F, k)
		for i := range idx {
			idx[i] = int32(r.IntN(columns))
		}
		b.Run(fmt.Sprintf("cells=%d/columns=%d/k=%d", cells, columns, k), func(b *testing.B) {
			b.SetBytes(int64(len(idx) * (4 + sizeof[F]()*(1+k))))
			rate[F](b, o.Tier, 2*float64(k)*float64(len(idx)), func() {
				for i := 0; i < len(idx); i += cells {
					o.Gather(k, idx[i:i+cells], val[i:i+cells], h, k, c)
				}
			})
		})
	}
}

// BenchmarkRows adds up the same cells, 140 in each of 2000 rows, by row with GatherRows
// and by column with ScatterRows.
func BenchmarkRows(b *testing.B) { benchTiers(b, rowKernels[float32], rowKernels[float64]) }

func rowKernels[F Float](b *testing.B, o *Ops[F]) {
	for _, k := range []int{16, 32, 64} {
		const rows, columns = 2000, 2048
		r := rand.New(rand.NewPCG(1, 2))
		s := newRowsCase[F](r, slices.Repeat([]int{140}, rows), columns, k, 0)
		c := make([]F, columns*k)
		flops := 2 * float64(k) * float64(len(s.idx)-3)
		b.Run(fmt.Sprintf("GatherRows/k=%d", k), func(b *testing.B) {
			rate[F](b, o.Tier, flops, func() { s.gather(o, c, k, 0, k, columns) })
		})
		b.Run(fmt.Sprintf("ScatterRows/k=%d", k), func(b *testing.B) {
			at := s.begin()
			rate[F](b, o.Tier, flops, func() { o.ScatterRows(k, at, s.ptr[1:], 0, s.idx, s.val, s.b, k, c, k) })
		})
	}
}

// BenchmarkSweep counts a multiply-add for each element of G and row.
func BenchmarkSweep(b *testing.B) { benchTiers(b, sweeps[float32], sweeps[float64]) }

func sweeps[F Float](b *testing.B, o *Ops[F]) {
	for _, k := range []int{10, 16, 30, 48, 100, 256} {
		s := newTileCase[F](b, k)
		s.fill(rand.New(rand.NewPCG(1, 2)), k, Pad[F](k), 0)
		for j := range s.inv {
			s.inv[j] = 1 / s.g[j*s.ldg+j]
		}
		b.Run(fmt.Sprintf("k=%d", k), func(b *testing.B) {
			rate[F](b, o.Tier, 2*float64(k*k*TileRows[F]()), func() { o.Sweep(s.k, s.w, s.c, s.g, s.ldg, s.inv) })
		})
	}
}

// BenchmarkTile is what else is done to a tile: bytes are those of one
// operand.
func BenchmarkTile(b *testing.B) { benchTiers(b, tileSteps[float32], tileSteps[float64]) }

func tileSteps[F Float](b *testing.B, o *Ops[F]) {
	const k = 48
	rows := TileRows[F]()
	r := rand.New(rand.NewPCG(1, 2))
	tall, w, c, sums := random[F](r, rows*k), random[F](r, rows*k), random[F](r, rows*k), make([]float64, k)
	for name, work := range map[string]func(){
		"Pack":     func() { o.Pack(rows, k, tall, k, w) },
		"Unpack":   func() { o.Unpack(rows, k, w, tall, k) },
		"Residual": func() { o.Residual(k, w, c, tall, sums, sums) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(tall) * sizeof[F]()))
			for range b.N {
				work()
			}
		})
	}
}

// BenchmarkRuns is the elementwise kernels on 4000 cells, in the first cache;
// cells/ns is by processor time.
func BenchmarkRuns(b *testing.B) { benchTiers(b, runs4000[float32], runs4000[float64]) }

func runs4000[F Float](b *testing.B, o *Ops[F]) {
	const n, tiny = 4000, 1e-9
	r := rand.New(rand.NewPCG(1, 2))
	x, wh, y, z := random[F](r, n), random[F](r, n), make([]F, n), make([]F, n)
	v := make([]F, n)
	for _, c := range []struct {
		name string
		work func()
	}{
		{"Exp", func() { o.Exp(x, y) }},
		{"Log", func() { o.Log(x, y) }},
		{"Pow=1.3", func() { o.Pow(1.3, x, y) }},
		{"Mul", func() { o.Mul(x, wh, y) }},
		{"Quotient", func() { o.Quotient(tiny, x, wh, y) }},
		{"BetaTerms=0", func() { o.BetaTerms(0, tiny, x, wh, y, z) }},
		{"BetaTerms=0.5", func() { o.BetaTerms(0.5, tiny, x, wh, y, z) }},
		{"BetaTerms=1.3", func() { o.BetaTerms(1.3, tiny, x, wh, y, z) }},
		{"BetaCurve=0", func() { o.BetaCurve(0, tiny, x, wh, y, z, v) }},
		{"BetaCurve=0.5", func() { o.BetaCurve(0.5, tiny, x, wh, y, z, v) }},
		{"BetaCurve=1", func() { o.BetaCurve(1, tiny, x, wh, y, nil, v) }},
		{"Divergence=0", func() { o.Divergence(0, tiny, x, wh) }},
		{"Divergence=0.5", func() { o.Divergence(0.5, tiny, x, wh) }},
		{"Divergence=1", func() { o.Divergence(1, tiny, x, wh) }},
		{"Divergence=1.3", func() { o.Divergence(1.3, tiny, x, wh) }},
		{"Scan", func() { o.Scan(x) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			start := threadTime()
			for range b.N {
				c.work()
			}
			b.ReportMetric(n*float64(b.N)/float64(threadTime()-start), "cells/ns")
		})
	}
}

// BenchmarkStored is the kernels of stored cells: GatherQuotient beside the
// three steps that it fuses. The factor has 2000 rows, which the second cache
// holds, or 50000.
func BenchmarkStored(b *testing.B) { benchTiers(b, storedCells[float32], storedCells[float64]) }

func storedCells[F Float](b *testing.B, o *Ops[F]) {
	for _, shape := range []struct{ columns, k int }{{2000, 16}, {2000, 64}, {50000, 16}, {50000, 64}, {50000, 128}} {
		const rows, cells, tiny = 1000, 100, 1e-9
		columns, k := shape.columns, shape.k
		r := rand.New(rand.NewPCG(1, 2))
		idx, val, q := make([]int32, rows*cells), random[F](r, rows*cells), make([]F, cells)
		h, w, c := random[F](r, columns*k), random[F](r, k), make([]F, k)
		for i := range idx {
			idx[i] = int32(r.IntN(columns))
		}
		for _, kernel := range []struct {
			name  string
			flops float64
			work  func(idx []int32, val []F)
		}{
			{"Dots", 2, func(idx []int32, _ []F) { o.Dots(k, idx, h, k, w, q) }},
			{"GatherQuotient", 4, func(idx []int32, val []F) { o.GatherQuotient(k, idx, val, h, k, w, tiny, q, c) }},
			{"Unfused", 4, func(idx []int32, val []F) {
				o.Dots(k, idx, h, k, w, q)
				o.Quotient(tiny, val, q, q)
				o.Gather(k, idx, q, h, k, c)
			}},
		} {
			b.Run(fmt.Sprintf("%s/columns=%d/k=%d", kernel.name, columns, k), func(b *testing.B) {
				rate[F](b, o.Tier, kernel.flops*float64(k)*float64(len(idx)), func() {
					for i := 0; i < len(idx); i += cells {
						kernel.work(idx[i:i+cells], val[i:i+cells])
					}
				})
			})
		}
	}
}

// BenchmarkGatherGram is beside the plain way: rows scaled and unscaled are
// packed, and multiplied by MulAdd. Both count the operations of the whole
// square.
func BenchmarkGatherGram(b *testing.B) { benchTiers(b, gatherGrams[float32], gatherGrams[float64]) }

func gatherGrams[F Float](b *testing.B, o *Ops[F]) {
	const columns = 5000
	for _, k := range []int{16, 32, 48, 64, 128} {
		for _, cells := range []int{20, 100, 1000} {
			r := rand.New(rand.NewPCG(1, 2))
			idx, wt, h, g := make([]int32, cells), random[F](r, cells), random[F](r, columns*k), make([]F, k*k)
			for i := range idx {
				idx[i] = int32(r.IntN(columns))
			}
			scaled, plain := make([]F, 128*k), make([]F, 128*k)
			flops := 2 * float64(cells) * float64(k) * float64(k)
			name := fmt.Sprintf("k=%d/cells=%d", k, cells)
			b.Run("Fused/"+name, func(b *testing.B) {
				rate[F](b, o.Tier, flops, func() { o.GatherGram(k, idx, wt, h, k, g, k) })
			})
			b.Run("Packed/"+name, func(b *testing.B) {
				rate[F](b, o.Tier, flops, func() {
					for p := 0; p < cells; p += 128 {
						part := idx[p:min(p+128, cells)]
						for t, i := range part {
							row := h[int(i)*k : int(i)*k+k]
							copy(plain[t*k:], row)
							x, to := wt[p+t], scaled[t*k:t*k+k]
							for j, v := range row {
								to[j] = x * v
							}
						}
						o.MulAdd(k, k, len(part), scaled, 1, k, plain, k, g, k)
					}
				})
			})
		}
	}
}

// BenchmarkPeak is PeakFMA itself.
func BenchmarkPeak(b *testing.B) {
	for _, name := range Tiers() {
		b.Run("float32/"+name, benchPeak[float32](name))
		b.Run("float64/"+name, benchPeak[float64](name))
	}
}

func benchPeak[F Float](name string) func(*testing.B) {
	return func(b *testing.B) {
		rate[F](b, name, float64(PeakFMA[F](name, 100000)), func() { PeakFMA[F](name, 100000) })
	}
}
