package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Elementary functions of whole vectors. Registers are virtual here: avo finds
// those that are free. Constants lie in memory, one element in AVX-512, which
// broadcasts operands, a whole vector in AVX2.

// vec is a new vector register.
func (g *gen) vec() reg.VecVirtual {
	if g.bytes == 64 {
		return g.ZMM()
	}
	return g.YMM()
}

// wide is the generator for float64 in the same function.
func (g *gen) wide() *gen { return newGen(g.Context, g.tier, elements[1], g.constants) }

// single says that elements are float32.
func (g *gen) single() bool { return g.size == 4 }

// one picks the instruction of the element type.
func (g *gen) one(single, double func(...operand.Op)) func(...operand.Op) {
	if g.single() {
		return single
	}
	return double
}

// raw is the constant with these bits.
func (g *gen) raw(bits uint64) operand.Mem {
	name := fmt.Sprintf("x%0*x", 2*g.size, bits)
	if m, ok := g.constants[name]; ok {
		return m
	}
	copies := 1
	if g.bytes == 32 {
		copies = g.bytes / g.size
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for range copies {
		if g.single() {
			g.AppendDatum(operand.U32(uint32(bits)))
		} else {
			g.AppendDatum(operand.U64(bits))
		}
	}
	g.constants[name] = m
	return m
}

// bitsOf is the representation of a number.
func (g *gen) bitsOf(v float64) uint64 {
	if g.single() {
		return uint64(math.Float32bits(float32(v)))
	}
	return math.Float64bits(v)
}

// num is the constant v.
func (g *gen) num(v float64) operand.Mem { return g.raw(g.bitsOf(v)) }

// con loads a constant into a new register.
func (g *gen) con(v float64) reg.VecVirtual {
	r := g.vec()
	g.broadcast(g.num(v), r)
	return r
}

// with does an instruction whose first operand is a constant.
func (g *gen) with(c operand.Mem, instr, bcst [2]func(...operand.Op), rest ...operand.Op) {
	i := 0
	if !g.single() {
		i = 1
	}
	f := instr[i]
	if g.bytes == 64 {
		f = bcst[i]
	}
	f(append([]operand.Op{c}, rest...)...)
}

type both = [2]func(...operand.Op)

func (g *gen) addC(v float64, a, dst operand.Op) {
	g.with(g.num(v), both{g.VADDPS, g.VADDPD}, both{g.VADDPS_BCST, g.VADDPD_BCST}, a, dst)
}

func (g *gen) mulC(v float64, a, dst operand.Op) {
	g.with(g.num(v), both{g.VMULPS, g.VMULPD}, both{g.VMULPS_BCST, g.VMULPD_BCST}, a, dst)
}

// fmaddC is dst += v*a.
func (g *gen) fmaddC(v float64, a, dst operand.Op) {
	g.with(g.num(v), both{g.VFMADD231PS, g.VFMADD231PD}, both{g.VFMADD231PS_BCST, g.VFMADD231PD_BCST}, a, dst)
}

// fnmaddC is dst -= v*a.
func (g *gen) fnmaddC(v float64, a, dst operand.Op) {
	g.with(g.num(v), both{g.VFNMADD231PS, g.VFNMADD231PD}, both{g.VFNMADD231PS_BCST, g.VFNMADD231PD_BCST}, a, dst)
}

// stepC is dst = dst*x + v.
func (g *gen) stepC(v float64, x, dst operand.Op) {
	g.with(g.num(v), both{g.VFMADD213PS, g.VFMADD213PD}, both{g.VFMADD213PS_BCST, g.VFMADD213PD_BCST}, x, dst)
}

// chain is the value of a polynomial at x.
func (g *gen) chain(c []float64, x reg.Register) reg.VecVirtual {
	p := g.con(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		g.stepC(c[i], x, p)
	}
	return p
}

func (g *gen) div(b, a, dst operand.Op) { g.one(g.VDIVPS, g.VDIVPD)(b, a, dst) }
func (g *gen) sqrt(a, dst operand.Op)   { g.one(g.VSQRTPS, g.VSQRTPD)(a, dst) }
func (g *gen) min(b, a, dst operand.Op) { g.one(g.VMINPS, g.VMINPD)(b, a, dst) }
func (g *gen) and(b, a, dst operand.Op) { g.one(g.VANDPS, g.VANDPD)(b, a, dst) }
func (g *gen) move(a, dst operand.Op)   { g.one(g.VMOVAPS, g.VMOVAPD)(a, dst) }
func (g *gen) fused(c, b, a operand.Op) { g.one(g.VFMADD213PS, g.VFMADD213PD)(c, b, a) }
func (g *gen) minus(c, b, a operand.Op) { g.one(g.VFMSUB213PS, g.VFMSUB213PD)(c, b, a) }
func (g *gen) copyOf(a reg.Register) reg.VecVirtual {
	r := g.vec()
	g.move(a, r)
	return r
}

// nearest rounds to a whole number.
func (g *gen) nearest(a, dst operand.Op) {
	if g.bytes == 64 {
		g.one(g.VRNDSCALEPS, g.VRNDSCALEPD)(operand.Imm(8), a, dst)
		return
	}
	round := g.VROUNDPS
	if !g.single() {
		round = g.VROUNDPD
	}
	round(operand.Imm(8), a, dst)
}

// Predicates of comparisons, besides those of residual: false for NaN but for
// the last three.
const (
	equal           = 0x00 // EQ_OQ
	unordered       = 0x03 // UNORD_Q
	notLessThan     = 0x15 // NLT_UQ
	notGreaterEqual = 0x19 // NGE_UQ
)

// compare is the mask of a <predicate> b.
func (g *gen) compare(predicate uint64, b, a operand.Op) reg.Register {
	cmp := g.one(g.VCMPPS, g.VCMPPD)
	if g.bytes == 64 {
		k := g.K()
		cmp(operand.Imm(predicate), b, a, k)
		return k
	}
	m := g.vec()
	cmp(operand.Imm(predicate), b, a, m)
	return m
}

// where makes dst src where a mask is set.
func (g *gen) where(mask reg.Register, src, dst operand.Op) {
	if g.bytes == 64 {
		g.one(g.VMOVAPS, g.VMOVAPD)(src, mask, dst)
		return
	}
	blend := g.VBLENDVPS
	if !g.single() {
		blend = g.VBLENDVPD
	}
	blend(mask, src, dst, dst)
}

// whereC makes dst a constant where a mask is set.
func (g *gen) whereC(mask reg.Register, v float64, dst operand.Op) {
	if g.bytes == 64 {
		g.broadcast(g.num(v), mask, dst)
		return
	}
	g.where(mask, g.num(v), dst)
}

// keep makes dst zero where a mask is not set.
func (g *gen) keep(mask reg.Register, dst reg.Register) {
	if g.bytes == 64 {
		g.movePart(dst, mask, dst)
		return
	}
	g.and(mask, dst, dst)
}

// movePart moves the elements of an AVX-512 mask and makes the others zero.
func (g *gen) movePart(from, mask, to operand.Op) {
	if g.single() {
		g.VMOVUPS_Z(from, mask, to)
	} else {
		g.VMOVUPD_Z(from, mask, to)
	}
}

// Numbers that the functions below take in two parts: the product of the first
// with an exponent is exact.
func (g *gen) ln2() (hi, lo float64) {
	unit := 0x1p-14
	if !g.single() {
		unit = 0x1p-41
	}
	hi = math.Floor(math.Ln2/unit) * unit
	// ln 2 to more digits than math.Ln2 as a float64 has.
	const rest = 0x1.62e42fefa39efp-1
	lo = (rest - hi) + 0x1.abc9e3b39803fp-56
	return hi, lo
}

func (g *gen) tolerance() float64 {
	if g.single() {
		return 0x1p-27
	}
	return 0x1p-56
}

// expTail and atanhTail are the polynomials of the element type.
func (g *gen) expTail() []float64   { return polynomial(expSeries, -0.3475, 0.3475, g.tolerance()) }
func (g *gen) atanhTail() []float64 { return polynomial(atanhSeries, 0, 0.04001, g.tolerance()) }

// split gives m from 3/4 to 3/2 and a whole e with x = m*2^e, for x > 0. For 0
// and infinity, m is 1; e is infinite in AVX-512 and means nothing in AVX2.
func (g *gen) split(x reg.Register) (m, e reg.VecVirtual) {
	m, e = g.vec(), g.vec()
	if g.bytes == 64 {
		// NaN for x < 0.
		t := g.vec()
		g.one(g.VGETMANTPS, g.VGETMANTPD)(operand.Imm(0xb), x, m)
		g.one(g.VGETEXPPS, g.VGETEXPPD)(x, e)
		g.one(g.VGETEXPPS, g.VGETEXPPD)(m, t)
		g.sub(t, e, e)
		return m, e
	}
	// Subnormal numbers are made larger first.
	up, least := 32.0, 0x1p-126
	if !g.single() {
		up, least = 64, 0x1p-1022
	}
	y := g.copyOf(x)
	small := g.compare(lessThan, g.num(least), x)
	t := g.vec()
	g.mulC(math.Exp2(up), x, t)
	g.where(small, t, y)
	g.and(g.num(up), small, small)
	// The bits from 3/4 on: what is above the fraction counts the powers.
	exponent, one := uint64(0xff800000), g.bitsOf(1)
	shift := uint64(23)
	if !g.single() {
		exponent, shift = 0xfff0000000000000, 52
	}
	add, sub := g.one(g.VPADDD, g.VPADDQ), g.one(g.VPSUBD, g.VPSUBQ)
	add(g.raw(one-g.bitsOf(0.75)), y, t)
	g.and(g.raw(exponent), t, t)
	sub(t, y, m)
	add(g.raw(one), m, m)
	if g.single() {
		g.VPSRLD(operand.Imm(shift), t, t)
		g.VCVTDQ2PS(t, e)
		g.addC(-127, e, e)
	} else {
		g.VPSRLQ(operand.Imm(shift), t, t)
		g.VPOR(g.num(0x1p52), t, t)
		g.addC(-0x1p52-1023, t, e)
	}
	g.sub(small, e, e)
	return m, e
}

// atanh gives s = num/den, z = s² and a series with
// 2 atanh s = s (2 + z series).
func (g *gen) atanh(num, den reg.Register) (s, z, series reg.VecVirtual) {
	s, z = g.vec(), g.vec()
	g.div(den, num, s)
	g.mul(s, s, z)
	twice := g.atanhTail()
	for i := range twice {
		twice[i] *= 2
	}
	return s, z, g.chain(twice, z)
}

// ln is the natural logarithm. With f = m-1 and s = f/(2+f), ln m is
// f - f²/2 + s (f²/2 + z series), in which what is rounded before the end is
// small.
func (g *gen) ln(x reg.Register) reg.VecVirtual {
	hi, lo := g.ln2()
	y := g.vec()
	zero := g.vec()
	g.xor(zero, zero, zero)
	g.add(zero, x, y) // -0 is 0
	m, e := g.split(y)
	f, d, h := g.vec(), g.vec(), g.vec()
	g.addC(-1, m, f)
	g.addC(1, m, d)
	s, z, tail := g.atanh(f, d)
	g.mul(z, tail, tail)
	g.mulC(0.5, f, h)
	half := g.vec()
	g.mul(h, f, half)
	g.add(half, tail, tail)
	t := g.vec()
	g.mulC(lo, e, t)
	g.fmadd(s, tail, t)
	g.fnmadd(h, f, t)
	g.add(f, t, t)
	g.fmaddC(hi, e, t)
	if g.bytes == 32 {
		g.whereC(g.compare(equal, zero, y), math.Inf(-1), t)
		g.where(g.compare(notLessThan, g.num(math.Inf(1)), y), y, t)
		g.whereC(g.compare(lessThan, zero, y), math.NaN(), t)
	}
	return t
}

// expLimits are where e^x is 0 and infinite.
func (g *gen) expLimits() (lo, hi float64) {
	if g.single() {
		return -104, 89
	}
	return -746, 710
}

// e is e^(x+rest), rest being nil or small beside x.
func (g *gen) e(x, rest reg.Register) reg.VecVirtual {
	hi, lo := g.ln2()
	bottom, top := g.expLimits()
	r, n, t := g.vec(), g.vec(), g.vec()
	// In this order of operands NaN stays NaN.
	g.max(x, g.con(bottom), r)
	g.min(r, g.con(top), r)
	g.mulC(math.Log2E, r, n)
	g.nearest(n, n)
	g.fnmaddC(hi, n, r)
	if rest == nil {
		g.fnmaddC(lo, n, r)
	} else {
		g.move(rest, t)
		g.fnmaddC(lo, n, t)
		g.add(t, r, r)
	}
	p := g.chain(g.expTail(), r)
	g.mul(r, r, t)
	g.fused(r, t, p) // p = p*t + r
	g.addC(1, p, p)
	g.scale(n, p)
	return p
}

// scale multiplies p by 2^n.
func (g *gen) scale(n, p reg.VecVirtual) {
	if g.bytes == 64 {
		g.one(g.VSCALEFPS, g.VSCALEFPD)(n, p, p)
		return
	}
	// In two steps, each a power of two that is a normal number.
	first := g.vec()
	g.mulC(0.5, n, first)
	g.nearest(first, first)
	g.sub(first, n, n)
	for _, part := range []reg.VecVirtual{first, n} {
		if g.single() {
			g.addC(0x1.8p23+127, part, part)
			g.VPSLLD(operand.Imm(23), part, part)
		} else {
			g.addC(0x1.8p52+1023, part, part)
			g.VPSLLQ(operand.Imm(52), part, part)
		}
		g.mul(part, p, p)
	}
}

// raise is x^p for x >= 0: zero and infinite are x^p there. The logarithm is
// a sum of two numbers, for the error of p ln x is a relative one of x^p.
func (g *gen) raise(p, zero, infinite, x reg.Register) reg.VecVirtual {
	ln2Hi, ln2Lo := g.ln2()
	m, e := g.split(x)
	f, d := g.vec(), g.vec()
	g.addC(-1, m, f)
	g.addC(1, m, d)
	s, z, tail := g.atanh(f, d)
	g.mul(z, tail, tail)
	// What s lacks: (f - s*(1+m))/d, with 1+m as the sum of d and the rest of
	// its rounding.
	rest := g.vec()
	g.addC(-1, d, rest)
	g.sub(rest, m, rest)
	g.fnmadd(s, d, f)
	g.fnmadd(s, rest, f)
	g.div(d, f, f)
	g.add(f, f, f)
	// lo = 2 rest (1+z) + s*tail.
	lo := g.copyOf(f)
	g.fmadd(f, z, lo)
	g.fmadd(s, tail, lo)
	g.fmaddC(ln2Lo, e, lo)
	// hi = e ln 2 + 2s, whose rounding goes to lo.
	hi, big := g.vec(), g.vec()
	g.add(s, s, s)
	g.mulC(ln2Hi, e, big)
	g.add(s, big, hi)
	g.sub(hi, big, big)
	g.add(s, big, big)
	g.add(big, lo, lo)
	// The series has its part in hi too.
	g.move(hi, big)
	g.add(lo, hi, hi)
	g.sub(hi, big, big)
	g.add(big, lo, lo)
	// The product with p likewise.
	y := g.vec()
	g.mul(p, hi, y)
	g.minus(y, p, hi) // hi = hi*p - y
	g.fmadd(p, lo, hi)
	r := g.e(y, hi)
	none := g.vec()
	g.xor(none, none, none)
	g.where(g.compare(equal, none, x), zero, r)
	g.where(g.compare(equal, g.con(math.Inf(1)), x), infinite, r)
	// What is below 0, or NaN, is NaN.
	odd := g.compare(notGreaterEqual, none, x)
	g.whereC(odd, math.NaN(), r)
	return r
}
