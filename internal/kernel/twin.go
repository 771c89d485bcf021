package kernel

import (
	"math"
	"sync/atomic"
)

// twin gives the pure-Go kernels: plain loops that define what every tier
// computes.
func twin[F Float]() *Ops[F] {
	return &Ops[F]{Tier: "go", MulAdd: mulAdd[F], Gather: gather[F], GatherRows: gatherRows[F], ScatterRows: scatterRows[F], GatherSquares: gatherSquares[F], Pack: pack[F], Unpack: unpack[F],
		Sweep: sweep[F], Residual: residual[F], Extrapolate: extrapolate[F],
		NewtonModel: newtonModel[F], NewtonStep: newtonStep[F], Slope: slope[F], Lengthen: lengthen[F], Absorb: absorb[F],
		Exp: exp[F], Log: log[F], Pow: pow[F], Mul: mul[F],
		Quotient: quotient[F], BetaTerms: betaTerms[F], BetaCurve: betaCurve[F], Divergence: divergence[F],
		Dots: dots[F], GatherQuotient: gatherQuotient[F], TransposeRows: transposeRows[F], GatherGram: gatherGram[F],
		Scan: scan[F]}
}

// mulAddBlock is the length of a sum before it is added to c.
const mulAddBlock = 128

func mulAdd[F Float](m, n, p int, a []F, rs, cs int, b []F, ldb int, c []F, ldc int) {
	if !checkMulAdd(m, n, p, a, rs, cs, b, ldb, c, ldc) {
		return
	}
	w := Width[F]()
	var acc [16]F
	for l0 := 0; l0 < p; l0 += mulAddBlock {
		l1 := min(l0+mulAddBlock, p)
		for j0 := 0; j0 < n; j0 += w {
			for i := range m {
				s := acc[:w]
				clear(s)
				for l := l0; l < l1; l++ {
					x := a[i*rs+l*cs]
					if x == 0 {
						continue
					}
					row := b[l*ldb+j0 : l*ldb+j0+w]
					for j := range s {
						s[j] += x * row[j]
					}
				}
				dst := c[i*ldc+j0 : i*ldc+j0+w]
				for j := range dst {
					dst[j] += s[j]
				}
			}
		}
	}
}

func gather[F Float](n int, idx []int32, val []F, b []F, ldb int, c []F) {
	rows := checkGather(n, idx, val, b, ldb, c)
	c = c[:n]
	for t, i := range idx {
		if uint(i) >= uint(rows) {
			panicIndex(i, t, rows)
		}
		x, row := val[t], b[int(i)*ldb:][:len(c)]
		for j := range c {
			c[j] += x * row[j]
		}
	}
}

func gatherSquares[F Float](n int, idx []int32, val []F, b []F, ldb int, c []F) {
	rows := checkGather(n, idx, val, b, ldb, c)
	c = c[:n]
	for t, i := range idx {
		if uint(i) >= uint(rows) {
			panicIndex(i, t, rows)
		}
		x, row := val[t], b[int(i)*ldb:][:len(c)]
		for j := range c {
			c[j] += x * row[j] * row[j]
		}
	}
}

func pack[F Float](rows, k int, src []F, ld int, tile []F) {
	checkTile(rows, k, src, ld, tile)
	packRows(0, rows, k, src, ld, tile)
}

// packRows packs the rows from a row on, and clears what lies beyond the last.
func packRows[F Float](from, rows, k int, src []F, ld int, tile []F) {
	if k == 0 {
		return
	}
	t := TileRows[F]()
	for j := range k {
		column, at := tile[j*t+from:j*t+t], from*ld+j
		clear(column[rows-from:])
		for i := range column[:rows-from] {
			column[i] = src[at]
			at += ld
		}
	}
}

func unpack[F Float](rows, k int, tile []F, dst []F, ld int) {
	checkTile(rows, k, dst, ld, tile)
	unpackRows(0, rows, k, tile, dst, ld)
}

func unpackRows[F Float](from, rows, k int, tile []F, dst []F, ld int) {
	if k == 0 {
		return
	}
	t := TileRows[F]()
	for j := range k {
		at := from*ld + j
		for _, v := range tile[j*t+from : j*t+rows] {
			dst[at] = v
			at += ld
		}
	}
}

func sweep[F Float](k int, w, c []F, g []F, ldg int, inv []F) F {
	checkSweep(k, w, c, g, ldg, inv)
	t := TileRows[F]()
	var acc [64]F
	d := acc[:t]
	var change F
	for j := range k {
		if inv[j] == 0 {
			continue
		}
		copy(d, c[j*t:j*t+t])
		for l := range k {
			x := g[j*ldg+l]
			wl := w[l*t : l*t+t]
			for i := range d {
				d[i] -= x * wl[i]
			}
		}
		wj := w[j*t : j*t+t]
		for i := range d {
			v := max(0, wj[i]+inv[j]*d[i])
			e := v - wj[i]
			change += e * e
			wj[i] = v
		}
	}
	return change
}

func residual[F Float](k int, w, c, d []F, pg, cc []float64) (dot float64) {
	checkResidual(k, w, c, d, pg, cc)
	t := TileRows[F]()
	for j := range k {
		var p, s, q F
		for i := j * t; i < j*t+t; i++ {
			if w[i] > 0 || d[i] < 0 {
				p += d[i] * d[i]
			}
			s += c[i] * c[i]
			q += w[i] * (d[i] - c[i])
		}
		pg[j] += float64(p)
		cc[j] += float64(s)
		dot += float64(q)
	}
	return dot
}

func extrapolate[F Float](rows, n int, floor F, beta, fresh, old, out []F) {
	checkExtrapolate(rows, n, beta, fresh, old, out)
	for i := range rows {
		f, o, y := fresh[i*n:i*n+n], old[i*n:i*n+n], out[i*n:i*n+n]
		for j, v := range f {
			y[j] = max(floor*v, v+beta[j]*(v-o[j]))
		}
	}
}

// peakGo is PeakFMA in pure Go: twelve scalar chains, compiled as everything
// else of this tier is.
func peakGo[F Float](rounds int) (flops int) {
	x, y := F(rounds), F(1)/F(rounds+2)
	var a, b, c, d, e, f, g, h, i, j, k, l F
	for range rounds {
		a, b, c, d = a*y+x, b*y+x, c*y+x, d*y+x
		e, f, g, h = e*y+x, f*y+x, g*y+x, h*y+x
		i, j, k, l = i*y+x, j*y+x, k*y+x, l*y+x
	}
	peakSink.Store(math.Float64bits(float64(a + b + c + d + e + f + g + h + i + j + k + l)))
	return rounds * 12 * 2
}

// peakSink keeps the sums of peakGo from being optimized away.
var peakSink atomic.Uint64
