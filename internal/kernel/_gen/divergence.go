package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// ratio is what the divergences need of x/r.
type ratio struct {
	value reg.VecVirtual // x/r
	d     reg.VecVirtual // x-r
	// x/r is 2^power (1+s)/(1-s). From 2/3 to 3/2 power is 0 and s is d/(x+r),
	// of which no digit is lost however near x is to r.
	// 2 atanh s = s (2 + z series).
	s, z, series, power reg.VecVirtual
	near                reg.Register // mask: from 2/3 to 3/2
}

func (g *gen) ratio(x, r reg.Register, value reg.VecVirtual) ratio {
	q := ratio{value: value, d: g.vec()}
	g.sub(r, x, q.d)
	m, e := g.split(q.value)
	num, den, sum := g.vec(), g.vec(), g.vec()
	g.addC(-1, m, num)
	g.addC(1, m, den)
	g.add(r, x, sum)
	off := g.vec()
	g.addC(-13./12, q.value, off)
	g.with(g.raw(1<<(8*g.size-1)-1), both{g.VANDPS, g.VANDPD}, both{g.VANDPS_BCST, g.VANDPD_BCST}, off, off)
	q.near = g.compare(lessThan, g.con(5./12), off)
	g.where(q.near, g.none(), e)
	g.where(q.near, q.d, num)
	g.where(q.near, sum, den)
	q.s, q.z, q.series = g.atanh(num, den)
	q.power = e
	return q
}

// logarithm is ln(x/r).
func (g *gen) logarithm(q ratio) reg.VecVirtual {
	hi, lo := g.ln2()
	l := g.copyOf(q.series)
	g.stepC(2, q.z, l)
	g.mul(q.s, l, l)
	g.fmaddC(lo, q.power, l)
	g.fmaddC(hi, q.power, l)
	return l
}

// divergences generates the sums of d_beta(x|r) (Févotte & Idier 2011), r
// being at least tiny.
func (g *gen) divergences() {
	g.divergence("0", func(x, r reg.VecVirtual) reg.VecVirtual {
		// u - ln(x/r) with u = x/r - 1, near 0 as s (u - z series).
		inverse, u := g.over(r), g.vec()
		value := g.vec()
		g.mul(inverse, x, value)
		q := g.ratio(x, r, value)
		g.mul(inverse, q.d, u)
		l := g.logarithm(q)
		g.sub(l, u, l)
		g.fnmadd(q.z, q.series, u)
		g.mul(q.s, u, u)
		g.where(q.near, u, l)
		if g.bytes == 32 {
			g.whereC(g.compare(equal, g.none(), q.value), math.Inf(1), l)
		}
		return l
	})
	g.divergence("1", func(x, r reg.VecVirtual) reg.VecVirtual {
		// x ln(x/r) - d, near 0 as d s (1 + (s+z) series/2).
		value := g.vec()
		g.div(r, x, value)
		q := g.ratio(x, r, value)
		l := g.logarithm(q)
		g.minus(q.d, x, l)
		g.add(q.s, q.z, q.z)
		g.mulC(0.5, q.series, q.series)
		g.stepC(1, q.z, q.series)
		g.mul(q.s, q.series, q.series)
		g.mul(q.d, q.series, q.series)
		g.where(q.near, q.series, l)
		// Where x/r vanishes so does x ln(x/r), beside r.
		none := g.none()
		g.sub(q.d, none, none)
		tiny := 0x1p-126
		if !g.single() {
			tiny = 0x1p-1022
		}
		g.where(g.compare(lessThan, g.con(tiny), q.value), none, l)
		return l
	})
	g.divergence("Half", func(x, r reg.VecVirtual) reg.VecVirtual {
		// 2 a²/√r with a = √x - √r = d/(√x + √r).
		d, root := g.vec(), g.vec()
		g.sub(r, x, d)
		g.sqrt(x, x)
		g.sqrt(r, root)
		g.add(root, x, x)
		g.div(x, d, d)
		g.div(root, d, x)
		g.mul(d, x, x)
		g.add(x, x, x)
		return x
	})
	g.divergence("3Half", func(x, r reg.VecVirtual) reg.VecVirtual {
		// 4/3 a² (√x + √r/2).
		d, sum := g.vec(), g.vec()
		g.sub(r, x, d)
		g.sqrt(x, x)
		g.sqrt(r, r)
		g.add(r, x, sum)
		g.div(sum, d, d)
		g.fmaddC(0.5, r, x)
		g.mul(d, x, x)
		g.mul(d, x, x)
		g.mulC(4./3, x, x)
		return x
	})
	g.divergence("2", func(x, r reg.VecVirtual) reg.VecVirtual {
		g.sub(r, x, x)
		g.mulC(0.5, x, r)
		g.mul(x, r, r)
		return r
	})
	g.divergenceAny()
}

// divergence generates the sum of what body computes.
func (g *gen) divergence(name string, body func(x, r reg.VecVirtual) reg.VecVirtual) {
	l := g.newLoop("divergence"+name, "is Divergence for this beta.", []string{"tiny"}, "x r", "", " float64")
	w := g.wide()
	sums := [2]reg.VecVirtual{w.none(), w.none()}
	l.each(func(in []reg.VecVirtual, mask reg.Register) {
		d := body(in[0], g.floor(l.scalars, in))
		if mask != nil {
			g.keep(mask, d)
		}
		if !g.single() {
			g.add(d, sums[0], sums[0])
			return
		}
		low, high := w.vec(), w.vec()
		if g.bytes == 64 {
			g.VCVTPS2PD(d.AsY(), low)
			g.VEXTRACTF64X4(operand.Imm(1), d, high.AsY())
			g.VCVTPS2PD(high.AsY(), high)
		} else {
			g.VCVTPS2PD(d.AsX(), low)
			g.VEXTRACTF128(operand.Imm(1), d, high.AsX())
			g.VCVTPS2PD(high.AsX(), high)
		}
		w.add(low, sums[0], sums[0])
		w.add(high, sums[1], sums[1])
	})
	w.add(sums[1], sums[0], sums[0])
	g.returnSum(sums[0])
}

// returnSum ends a function that returns the sum of the float64 in a register.
func (g *gen) returnSum(r reg.VecVirtual) {
	w := g.wide()
	w.sum(r, w.vec())
	g.Store(r.AsX(), g.ReturnIndex(0))
	g.ret()
}

// divergenceAny is for every beta but 0 and 1, in float64: with l = ln(x/r)
// and E(t) = e^t - 1 - t it is factor (r^beta E(beta l) - beta r^beta E(l)),
// factor being 1/(beta (beta-1)). Where x = 0 it is zero r^beta.
func (g *gen) divergenceAny() {
	g.begin("divergenceAny", "is Divergence for a beta other than 0 and 1, of which 1/(beta (beta-1)) and the divergence of 0 from 1 are given.",
		"func(n int, tiny, beta, factor, zero float64, x, r *%[1]s) float64")
	w := g.wide()
	l := &loop{gen: w, from: g, n: g.param("n"), in: []reg.GPVirtual{g.param("x"), g.param("r")}}
	scalar := func(name string) reg.VecVirtual {
		r := w.vec()
		w.broadcast(w.memory(name), r)
		return r
	}
	sum := w.none()
	l.each(func(in []reg.VecVirtual, mask reg.Register) {
		x, r := in[0], in[1]
		w.max(r, scalar("tiny"), r)
		value := w.vec()
		w.div(r, x, value)
		q := w.ratio(x, r, value)
		log := w.logarithm(q)
		power := w.ln(r)
		w.mul(scalar("beta"), power, power)
		rb := w.e(power, nil)
		// tail is r^beta E(t), by the series of E for small t.
		tail := func(t reg.VecVirtual) reg.VecVirtual {
			square, large, one := w.vec(), w.vec(), w.con(1)
			w.mul(t, t, square)
			w.add(t, power, large)
			large = w.e(large, nil)
			w.add(t, one, one)
			w.fnmadd(rb, one, large)
			p := w.chain(w.expTail(), t)
			w.mul(square, p, p)
			w.mul(rb, p, p)
			w.where(w.compare(greaterThan, w.con(0.34*0.34), square), large, p)
			return p
		}
		b := tail(log)
		w.mul(scalar("beta"), log, log)
		a := tail(log)
		w.fnmadd(scalar("beta"), b, a)
		w.mul(scalar("factor"), a, a)
		w.mul(scalar("zero"), rb, rb)
		w.where(w.compare(equal, w.none(), q.value), rb, a)
		if g.bytes == 32 {
			w.where(w.compare(unordered, q.value, q.value), q.value, a)
		}
		if mask != nil {
			w.keep(mask, a)
		}
		w.add(a, sum, sum)
	})
	g.returnSum(sum)
}
