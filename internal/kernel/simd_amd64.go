//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

// mulAddTile is MulAdd for one block of sums, as many rows at a time as rows
// says.
type mulAddTile[F Float] struct {
	rows int
	add  func(m, p int, a *F, rs, cs int, b *F, ldb int, c *F, ldc int, ahead *F, walk, back int)
}

type gatherFunc[F Float] func(n int, idx *int32, val *F, b *F, ldb, rows int, c *F) int

// routines are the assembly functions of one tier for one element type. Each
// takes pointers whose bounds the methods here have checked.
type routines[F Float] struct {
	tier string
	// bytes is the length of a vector.
	bytes int
	// tiles, narrow, gather and squares are listed by the number of vectors, empty
	// where there is none. narrow has tiles of fewer rows.
	tiles, narrow   []mulAddTile[F]
	gather, squares []gatherFunc[F]
	sweep           func(k int, w, c, g *F, ldg int, inv *F) F
	pack            func(groups, columns int, src *F, ld int, tile *F)
	unpack          func(groups, columns int, tile, dst *F, ld int)
	residual        func(k int, w, c, d *F, pg, cc *float64) float64
	extrapolate     func(rows, n int, floor F, beta, fresh, old, out *F)
	peak            func(n int, x *F)

	runs[F]
	stored[F]
	newton[F]
}

var (
	avx512F32 = &routines[float32]{
		tier: "avx512", bytes: 64,
		tiles:  []mulAddTile[float32]{1: {16, mulAdd16x1F32AVX512}, 2: {12, mulAdd12x2F32AVX512}, 3: {8, mulAdd8x3F32AVX512}},
		narrow: []mulAddTile[float32]{1: {8, mulAdd8x1F32AVX512}, 2: {8, mulAdd8x2F32AVX512}, 3: {8, mulAdd8x3F32AVX512}},
		gather: []gatherFunc[float32]{
			1: gather1F32AVX512, 2: gather2F32AVX512, 3: gather3F32AVX512, 4: gather4F32AVX512,
			5: gather5F32AVX512, 6: gather6F32AVX512, 7: gather7F32AVX512, 8: gather8F32AVX512},
		squares: []gatherFunc[float32]{
			1: gatherSquares1F32AVX512, 2: gatherSquares2F32AVX512, 3: gatherSquares3F32AVX512, 4: gatherSquares4F32AVX512,
			5: gatherSquares5F32AVX512, 6: gatherSquares6F32AVX512, 7: gatherSquares7F32AVX512, 8: gatherSquares8F32AVX512},
		sweep: sweepF32AVX512, pack: packF32AVX512, unpack: unpackF32AVX512,
		residual: residualF32AVX512, extrapolate: extrapolateF32AVX512, peak: peakF32AVX512,
		runs: runs[float32]{
			exp: expF32AVX512, log: logF32AVX512, pow: powF32AVX512, mul: mulF32AVX512,
			root: rootF32AVX512, inverse: inverseF32AVX512, inverseRoot: inverseRootF32AVX512, inverseSquare: inverseSquareF32AVX512,
			quotient: quotientF32AVX512, termsAny: termsAnyF32AVX512,
			terms: map[float32]termsFunc[float32]{
				0: terms0F32AVX512, 0.5: termsHalfF32AVX512, 1: terms1F32AVX512, 1.5: terms3HalfF32AVX512, 2: terms2F32AVX512},
			curve0: curve0F32AVX512, curveHalf: curveHalfF32AVX512, curve1: curve1F32AVX512,
			divergenceAny: divergenceAnyF32AVX512,
			divergence: map[float32]divergenceFunc[float32]{
				0: divergence0F32AVX512, 0.5: divergenceHalfF32AVX512, 1: divergence1F32AVX512, 1.5: divergence3HalfF32AVX512, 2: divergence2F32AVX512},
			scan: scanF32AVX512,
		},
		stored: stored[float32]{
			dots: []dotsFunc[float32]{
				1: dots1F32AVX512, 2: dots2F32AVX512, 3: dots3F32AVX512, 4: dots4F32AVX512, 5: dots5F32AVX512, 6: dots6F32AVX512, 7: dots7F32AVX512, 8: dots8F32AVX512},
			gatherQuotient: []gatherQuotientFunc[float32]{
				1: gatherQuotient1F32AVX512, 2: gatherQuotient2F32AVX512, 3: gatherQuotient3F32AVX512, 4: gatherQuotient4F32AVX512, 5: gatherQuotient5F32AVX512, 6: gatherQuotient6F32AVX512, 7: gatherQuotient7F32AVX512, 8: gatherQuotient8F32AVX512},
			gatherRows: []gatherRowsFunc[float32]{
				1: gatherRows1F32AVX512, 2: gatherRows2F32AVX512, 3: gatherRows3F32AVX512, 4: gatherRows4F32AVX512, 5: gatherRows5F32AVX512, 6: gatherRows6F32AVX512, 7: gatherRows7F32AVX512, 8: gatherRows8F32AVX512},
			scatterRows: []scatterRowsFunc[float32]{
				1: scatterRows1F32AVX512, 2: scatterRows2F32AVX512, 3: scatterRows3F32AVX512, 4: scatterRows4F32AVX512, 5: scatterRows5F32AVX512, 6: scatterRows6F32AVX512, 7: scatterRows7F32AVX512, 8: scatterRows8F32AVX512},
			transposeRows: transposeRowsF32AVX512,
			gramRows:      8,
			gram:          []gramFunc[float32]{1: gram8x1F32AVX512, 2: gram8x2F32AVX512, 3: gram8x3F32AVX512},
			mirror:        mirrorF32AVX512,
		},
		newton: newton[float32]{newtonModel: newtonModelF32AVX512, newtonStep: newtonStepF32AVX512, slope: slopeF32AVX512, lengthen: lengthenF32AVX512, absorb: absorbF32AVX512},
	}
	avx512F64 = &routines[float64]{
		tier: "avx512", bytes: 64,
		tiles:  []mulAddTile[float64]{1: {16, mulAdd16x1F64AVX512}, 2: {12, mulAdd12x2F64AVX512}, 3: {8, mulAdd8x3F64AVX512}},
		narrow: []mulAddTile[float64]{1: {8, mulAdd8x1F64AVX512}, 2: {8, mulAdd8x2F64AVX512}, 3: {8, mulAdd8x3F64AVX512}},
		gather: []gatherFunc[float64]{
			1: gather1F64AVX512, 2: gather2F64AVX512, 3: gather3F64AVX512, 4: gather4F64AVX512,
			5: gather5F64AVX512, 6: gather6F64AVX512, 7: gather7F64AVX512, 8: gather8F64AVX512},
		squares: []gatherFunc[float64]{
			1: gatherSquares1F64AVX512, 2: gatherSquares2F64AVX512, 3: gatherSquares3F64AVX512, 4: gatherSquares4F64AVX512,
			5: gatherSquares5F64AVX512, 6: gatherSquares6F64AVX512, 7: gatherSquares7F64AVX512, 8: gatherSquares8F64AVX512},
		sweep: sweepF64AVX512, pack: packF64AVX512, unpack: unpackF64AVX512,
		residual: residualF64AVX512, extrapolate: extrapolateF64AVX512, peak: peakF64AVX512,
		runs: runs[float64]{
			exp: expF64AVX512, log: logF64AVX512, pow: powF64AVX512, mul: mulF64AVX512,
			root: rootF64AVX512, inverse: inverseF64AVX512, inverseRoot: inverseRootF64AVX512, inverseSquare: inverseSquareF64AVX512,
			quotient: quotientF64AVX512, termsAny: termsAnyF64AVX512,
			terms: map[float64]termsFunc[float64]{
				0: terms0F64AVX512, 0.5: termsHalfF64AVX512, 1: terms1F64AVX512, 1.5: terms3HalfF64AVX512, 2: terms2F64AVX512},
			curve0: curve0F64AVX512, curveHalf: curveHalfF64AVX512, curve1: curve1F64AVX512,
			divergenceAny: divergenceAnyF64AVX512,
			divergence: map[float64]divergenceFunc[float64]{
				0: divergence0F64AVX512, 0.5: divergenceHalfF64AVX512, 1: divergence1F64AVX512, 1.5: divergence3HalfF64AVX512, 2: divergence2F64AVX512},
			scan: scanF64AVX512,
		},
		stored: stored[float64]{
			dots: []dotsFunc[float64]{
				1: dots1F64AVX512, 2: dots2F64AVX512, 3: dots3F64AVX512, 4: dots4F64AVX512, 5: dots5F64AVX512, 6: dots6F64AVX512, 7: dots7F64AVX512, 8: dots8F64AVX512},
			gatherQuotient: []gatherQuotientFunc[float64]{
				1: gatherQuotient1F64AVX512, 2: gatherQuotient2F64AVX512, 3: gatherQuotient3F64AVX512, 4: gatherQuotient4F64AVX512, 5: gatherQuotient5F64AVX512, 6: gatherQuotient6F64AVX512, 7: gatherQuotient7F64AVX512, 8: gatherQuotient8F64AVX512},
			gatherRows: []gatherRowsFunc[float64]{
				1: gatherRows1F64AVX512, 2: gatherRows2F64AVX512, 3: gatherRows3F64AVX512, 4: gatherRows4F64AVX512, 5: gatherRows5F64AVX512, 6: gatherRows6F64AVX512, 7: gatherRows7F64AVX512, 8: gatherRows8F64AVX512},
			scatterRows: []scatterRowsFunc[float64]{
				1: scatterRows1F64AVX512, 2: scatterRows2F64AVX512, 3: scatterRows3F64AVX512, 4: scatterRows4F64AVX512, 5: scatterRows5F64AVX512, 6: scatterRows6F64AVX512, 7: scatterRows7F64AVX512, 8: scatterRows8F64AVX512},
			transposeRows: transposeRowsF64AVX512,
			gramRows:      8,
			gram:          []gramFunc[float64]{1: gram8x1F64AVX512, 2: gram8x2F64AVX512, 3: gram8x3F64AVX512},
			mirror:        mirrorF64AVX512,
		},
		newton: newton[float64]{newtonModel: newtonModelF64AVX512, newtonStep: newtonStepF64AVX512, slope: slopeF64AVX512, lengthen: lengthenF64AVX512, absorb: absorbF64AVX512},
	}
	avx2F32 = &routines[float32]{
		tier: "avx2", bytes: 32,
		tiles:  []mulAddTile[float32]{2: {6, mulAdd6x2F32AVX2}},
		narrow: []mulAddTile[float32]{2: {6, mulAdd6x2F32AVX2}},
		gather: []gatherFunc[float32]{
			2: gather2F32AVX2, 4: gather4F32AVX2, 6: gather6F32AVX2},
		squares: []gatherFunc[float32]{
			2: gatherSquares2F32AVX2, 4: gatherSquares4F32AVX2, 6: gatherSquares6F32AVX2},
		sweep: sweepF32AVX2, pack: packF32AVX2, unpack: unpackF32AVX2,
		residual: residualF32AVX2, extrapolate: extrapolateF32AVX2, peak: peakF32AVX2,
		runs: runs[float32]{
			exp: expF32AVX2, log: logF32AVX2, pow: powF32AVX2, mul: mulF32AVX2,
			root: rootF32AVX2, inverse: inverseF32AVX2, inverseRoot: inverseRootF32AVX2, inverseSquare: inverseSquareF32AVX2,
			quotient: quotientF32AVX2, termsAny: termsAnyF32AVX2,
			terms: map[float32]termsFunc[float32]{
				0: terms0F32AVX2, 0.5: termsHalfF32AVX2, 1: terms1F32AVX2, 1.5: terms3HalfF32AVX2, 2: terms2F32AVX2},
			curve0: curve0F32AVX2, curveHalf: curveHalfF32AVX2, curve1: curve1F32AVX2,
			divergenceAny: divergenceAnyF32AVX2,
			divergence: map[float32]divergenceFunc[float32]{
				0: divergence0F32AVX2, 0.5: divergenceHalfF32AVX2, 1: divergence1F32AVX2, 1.5: divergence3HalfF32AVX2, 2: divergence2F32AVX2},
			scan: scanF32AVX2,
		},
		stored: stored[float32]{
			dots: []dotsFunc[float32]{
				2: dots2F32AVX2, 4: dots4F32AVX2, 6: dots6F32AVX2},
			gatherQuotient: []gatherQuotientFunc[float32]{
				2: gatherQuotient2F32AVX2, 4: gatherQuotient4F32AVX2},
			gatherRows: []gatherRowsFunc[float32]{
				2: gatherRows2F32AVX2, 4: gatherRows4F32AVX2, 6: gatherRows6F32AVX2},
			scatterRows: []scatterRowsFunc[float32]{
				2: scatterRows2F32AVX2, 4: scatterRows4F32AVX2, 6: scatterRows6F32AVX2},
			transposeRows: transposeRowsF32AVX2,
			gramRows:      4,
			gram:          []gramFunc[float32]{2: gram4x2F32AVX2},
			mirror:        mirrorF32AVX2,
		},
		newton: newton[float32]{newtonModel: newtonModelF32AVX2, newtonStep: newtonStepF32AVX2, slope: slopeF32AVX2, lengthen: lengthenF32AVX2, absorb: absorbF32AVX2},
	}
	avx2F64 = &routines[float64]{
		tier: "avx2", bytes: 32,
		tiles:  []mulAddTile[float64]{2: {6, mulAdd6x2F64AVX2}},
		narrow: []mulAddTile[float64]{2: {6, mulAdd6x2F64AVX2}},
		gather: []gatherFunc[float64]{
			2: gather2F64AVX2, 4: gather4F64AVX2, 6: gather6F64AVX2},
		squares: []gatherFunc[float64]{
			2: gatherSquares2F64AVX2, 4: gatherSquares4F64AVX2, 6: gatherSquares6F64AVX2},
		sweep: sweepF64AVX2, pack: packF64AVX2, unpack: unpackF64AVX2,
		residual: residualF64AVX2, extrapolate: extrapolateF64AVX2, peak: peakF64AVX2,
		runs: runs[float64]{
			exp: expF64AVX2, log: logF64AVX2, pow: powF64AVX2, mul: mulF64AVX2,
			root: rootF64AVX2, inverse: inverseF64AVX2, inverseRoot: inverseRootF64AVX2, inverseSquare: inverseSquareF64AVX2,
			quotient: quotientF64AVX2, termsAny: termsAnyF64AVX2,
			terms: map[float64]termsFunc[float64]{
				0: terms0F64AVX2, 0.5: termsHalfF64AVX2, 1: terms1F64AVX2, 1.5: terms3HalfF64AVX2, 2: terms2F64AVX2},
			curve0: curve0F64AVX2, curveHalf: curveHalfF64AVX2, curve1: curve1F64AVX2,
			divergenceAny: divergenceAnyF64AVX2,
			divergence: map[float64]divergenceFunc[float64]{
				0: divergence0F64AVX2, 0.5: divergenceHalfF64AVX2, 1: divergence1F64AVX2, 1.5: divergence3HalfF64AVX2, 2: divergence2F64AVX2},
			scan: scanF64AVX2,
		},
		stored: stored[float64]{
			dots: []dotsFunc[float64]{
				2: dots2F64AVX2, 4: dots4F64AVX2, 6: dots6F64AVX2},
			gatherQuotient: []gatherQuotientFunc[float64]{
				2: gatherQuotient2F64AVX2, 4: gatherQuotient4F64AVX2},
			gatherRows: []gatherRowsFunc[float64]{
				2: gatherRows2F64AVX2, 4: gatherRows4F64AVX2, 6: gatherRows6F64AVX2},
			scatterRows: []scatterRowsFunc[float64]{
				2: scatterRows2F64AVX2, 4: scatterRows4F64AVX2, 6: scatterRows6F64AVX2},
			transposeRows: transposeRowsF64AVX2,
			gramRows:      4,
			gram:          []gramFunc[float64]{2: gram4x2F64AVX2},
			mirror:        mirrorF64AVX2,
		},
		newton: newton[float64]{newtonModel: newtonModelF64AVX2, newtonStep: newtonStepF64AVX2, slope: slopeF64AVX2, lengthen: lengthenF64AVX2, absorb: absorbF64AVX2},
	}
)

// simdTiers gives the tiers that this processor has, best first.
func simdTiers() []tier {
	var ts []tier
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW {
		ts = append(ts, newTier(avx512F32, avx512F64))
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		ts = append(ts, newTier(avx2F32, avx2F64))
	}
	return ts
}

func newTier(r32 *routines[float32], r64 *routines[float64]) tier {
	return tier{name: r32.tier, f32: r32.ops(), f64: r64.ops(), peak32: r32.peakFMA, peak64: r64.peakFMA}
}

func (r *routines[F]) ops() *Ops[F] {
	return &Ops[F]{Tier: r.tier, MulAdd: r.doMulAdd, Gather: r.doGather, GatherRows: r.doGatherRows, ScatterRows: r.doScatterRows, GatherSquares: r.doGatherSquares, Pack: r.doPack, Unpack: r.doUnpack,
		Sweep: r.doSweep, Residual: r.doResidual, Extrapolate: r.doExtrapolate,
		NewtonModel: r.doNewtonModel, NewtonStep: r.doNewtonStep, Slope: r.doSlope, Lengthen: r.doLengthen, Absorb: r.doAbsorb,
		Exp: r.doExp, Log: r.doLog, Pow: r.doPow, Mul: r.doMul,
		Quotient: r.doQuotient, BetaTerms: r.doBetaTerms, BetaCurve: r.doBetaCurve, Divergence: r.doDivergence,
		Dots: r.doDots, GatherQuotient: r.doGatherQuotient, TransposeRows: r.doTransposeRows, GatherGram: r.doGatherGram,
		Scan: r.doScan}
}

// rowChunk is the number of rows of c that are finished before the next are
// begun: few enough that they stay in cache while the sums' blocks are added.
// Where the rows of a are long, fewer: then each is read on as far as memory
// can be fetched ahead, and few enough are read side by side for the processor
// to see where each goes on.
func rowChunk(rs, cs int) int {
	if rs > cs {
		return 32
	}
	return 256
}

func (r *routines[F]) doMulAdd(m, n, p int, a []F, rs, cs int, b []F, ldb int, c []F, ldc int) {
	if !checkMulAdd(m, n, p, a, rs, cs, b, ldb, c, ldc) {
		return
	}
	tiles, crowded := r.tiles, aliased(rs*sizeof[F]())
	if crowded {
		tiles = r.narrow
	}
	vector := r.bytes / sizeof[F]()
	for i, chunk := 0, rowChunk(rs, cs); i < m; i += chunk {
		rows := min(chunk, m-i)
		for l := 0; l < p; l += mulAddBlock {
			terms, left := min(mulAddBlock, p-l), a[i*rs+l*cs:]
			for j := 0; j < n; {
				v := r.columns((n - j) / vector)
				ahead, walk, back := &left[0], 0, 0
				if !crowded || 2*tiles[v].rows <= ways {
					ahead, walk, back = tiles[v].next(left, rs, cs)
				}
				tiles[v].add(rows, terms, &left[0], rs, cs, &b[l*ldb+j], ldb, &c[i*ldc+j], ldc, ahead, walk, back)
				j += v * vector
			}
		}
	}
}

// next is the memory that is fetched while the first tile of a is computed.
// Where a's cache lines run along the sum, that is at step l element l of row
// l mod unroll of the second tile, which touches all its lines. Where they run
// across the rows, it is the last row of that tile: its lines are those that
// no tile before has touched.
func (t mulAddTile[F]) next(a []F, rs, cs int) (ahead *F, walk, back int) {
	if rs < cs {
		return &a[min((2*t.rows-1)*rs, len(a)-1)], cs, 0
	}
	unroll := 8
	if t.rows > 8 {
		unroll = 16
	}
	return &a[min(t.rows*rs, len(a)-1)], cs + rs, unroll * rs
}

// ways is the number of lines that a set of the first cache holds on the
// processors that were measured (Zen 5); elsewhere only speed depends on it.
const ways = 12

// aliased reports whether rows that lie stride bytes apart fall on so few of
// the 64 sets of a first cache that 16 of them drive each other out: then
// tiles have fewer rows, and the next is fetched only if both fit.
func aliased(stride int) bool { return stride%2048 == 0 }

// columns chooses how many of the vectors that are left the next register
// tile takes: three where that leaves no single one.
func (r *routines[F]) columns(left int) int {
	switch {
	case r.bytes == 32:
		return 2
	case left%3 == 0 || left > 4:
		return 3
	default:
		return min(left, 2)
	}
}

func (r *routines[F]) doGather(n int, idx []int32, val []F, b []F, ldb int, c []F) {
	r.gatherBy(r.gather, n, idx, val, b, ldb, c)
}

func (r *routines[F]) doGatherSquares(n int, idx []int32, val []F, b []F, ldb int, c []F) {
	r.gatherBy(r.squares, n, idx, val, b, ldb, c)
}

func (r *routines[F]) gatherBy(by []gatherFunc[F], n int, idx []int32, val []F, b []F, ldb int, c []F) {
	rows := checkGather(n, idx, val, b, ldb, c)
	if n == 0 || len(idx) == 0 {
		return
	}
	vector := r.bytes / sizeof[F]()
	for j := 0; j < n; {
		v := min((n-j)/vector, len(by)-1)
		if t := by[v](len(idx), &idx[0], &val[0], &b[j], ldb, rows, &c[j]); t < len(idx) {
			panicIndex(idx[t], t, rows)
		}
		j += v * vector
	}
}

func (r *routines[F]) doSweep(k int, w, c []F, g []F, ldg int, inv []F) F {
	checkSweep(k, w, c, g, ldg, inv)
	if k == 0 {
		return 0
	}
	return r.sweep(k, &w[0], &c[0], &g[0], ldg, &inv[0])
}

// lane is the number of elements in the 16-byte squares of a transposition.
func lane[F Float]() int { return 16 / sizeof[F]() }

func (r *routines[F]) doPack(rows, k int, src []F, ld int, tile []F) {
	t, vector, side := TileRows[F](), r.bytes/sizeof[F](), lane[F]()
	groups := rows / vector
	if groups == 0 || k < side {
		pack(rows, k, src, ld, tile)
		return
	}
	checkTile(rows, k, src, ld, tile)
	r.pack(groups, k/side, &src[0], ld, &tile[0])
	if k%side > 0 {
		// The last columns once more, together with those before them.
		r.pack(groups, 1, &src[k-side], ld, &tile[(k-side)*t])
	}
	if done := groups * vector; done < t {
		packRows(done, rows, k, src, ld, tile)
	}
}

func (r *routines[F]) doUnpack(rows, k int, tile []F, dst []F, ld int) {
	t, vector, side := TileRows[F](), r.bytes/sizeof[F](), lane[F]()
	groups := rows / vector
	if groups == 0 || k < side {
		unpack(rows, k, tile, dst, ld)
		return
	}
	checkTile(rows, k, dst, ld, tile)
	r.unpack(groups, k/side, &tile[0], &dst[0], ld)
	if k%side > 0 {
		r.unpack(groups, 1, &tile[(k-side)*t], &dst[k-side], ld)
	}
	if done := groups * vector; done < rows {
		unpackRows(done, rows, k, tile, dst, ld)
	}
}

func (r *routines[F]) doResidual(k int, w, c, d []F, pg, cc []float64) (dot float64) {
	checkResidual(k, w, c, d, pg, cc)
	if k == 0 {
		return 0
	}
	return r.residual(k, &w[0], &c[0], &d[0], &pg[0], &cc[0])
}

func (r *routines[F]) doExtrapolate(rows, n int, floor F, beta, fresh, old, out []F) {
	checkExtrapolate(rows, n, beta, fresh, old, out)
	if rows > 0 && n > 0 {
		r.extrapolate(rows, n*sizeof[F](), floor, &beta[0], &fresh[0], &old[0], &out[0])
	}
}

// peakFMA does rounds of multiply-adds in registers and returns their number
// of floating-point operations.
func (r *routines[F]) peakFMA(rounds int) (flops int) {
	// All but the two that hold the operands.
	registers := 30
	if r.bytes == 32 {
		registers = 14
	}
	x := [2]F{1.0 / 3, 1.0 / 7}
	r.peak(max(1, rounds), &x[0])
	return max(1, rounds) * registers * r.bytes / sizeof[F]() * 2
}
