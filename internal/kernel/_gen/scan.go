package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scanSums is the number of sums that Scan keeps side by side.
const scanSums = 16

// scan takes n times 16 numbers and gives the largest by the order of unsigned
// integers. In that order infinity and NaN come after all other numbers that
// are not negative, and what is negative after those: one that is no good is
// not lost. The sums are added as the twin adds them.
func (g *gen) scan() {
	g.begin("scan", "sums n times 16 numbers, and gives the largest of their representations.",
		"func(n int, x *%[1]s) (top %[1]s, sum, sumSq float64)")
	n, x := g.param("n"), g.param("x")
	w := g.wide()
	parts := scanSums * 8 / g.bytes
	file := g.file
	take := func(n int) []reg.VecPhysical {
		r := file[:n]
		file = file[n:]
		return r
	}
	sums, squares := take(parts), take(parts)
	zero, sign, top, value, square, mask := take(1)[0], take(1)[0], take(1)[0], take(1)[0], take(1)[0], take(1)[0]
	for _, r := range append(append([]reg.VecPhysical{zero}, sums...), squares...) {
		g.zero(r)
	}
	// AVX2 compares 64-bit integers as signed ones: there the highest bit is
	// turned round.
	turned := g.bytes == 32 && !g.single()
	g.zero(top)
	if turned {
		g.broadcast(g.num(math.Copysign(0, -1)), sign)
		g.xor(sign, top, top)
	}
	raise := func(by, top, mask reg.Register) {
		switch {
		case turned:
			g.VPCMPGTQ(top, by, mask)
			g.VBLENDVPD(mask, by, top, top)
		case g.single():
			g.VPMAXUD(by, top, top)
		default:
			g.VPMAXUQ(by, top, top)
		}
	}
	note := func() {
		// Adding zero makes -0, which is allowed, 0.
		g.add(zero, value, square)
		if turned {
			g.xor(sign, square, square)
		}
		raise(square, top, mask)
	}
	add := func(part int) {
		w.add(value, sums[part], sums[part])
		w.mul(value, value, square)
		w.add(square, squares[part], squares[part])
	}
	group := func() {
		lanes := g.bytes / 8
		for part := range parts {
			m := at(x, part*lanes*g.size)
			if !g.single() {
				g.load(m, value)
				note()
				add(part)
				continue
			}
			if part%2 == 0 {
				g.load(m, value)
				note()
			}
			g.VCVTPS2PD(m, value)
			add(part)
		}
	}
	g.Label("group")
	group()
	g.ADDQ(imm(scanSums*g.size), x)
	g.DECQ(n)
	g.JNE(operand.LabelRef("group"))

	if g.bytes == 64 {
		g.VEXTRACTF64X4(operand.Imm(1), top, value.AsY())
		raise(value.AsY(), top.AsY(), mask.AsY())
	}
	g.highLane(top.AsY(), value.AsX())
	raise(value.AsX(), top.AsX(), mask.AsX())
	g.VPERMILPD(operand.Imm(1), top.AsX(), value.AsX())
	raise(value.AsX(), top.AsX(), mask.AsX())
	if g.single() {
		g.VPERMILPS(operand.Imm(1), top.AsX(), value.AsX())
		raise(value.AsX(), top.AsX(), mask.AsX())
	}
	if turned {
		g.xor(sign.AsX(), top.AsX(), top.AsX())
	}
	g.Store(top.AsX(), g.ReturnIndex(0))
	for i, s := range [][]reg.VecPhysical{sums, squares} {
		for n := parts / 2; n > 0; n /= 2 {
			for j := range n {
				w.add(s[j+n], s[j], s[j])
			}
		}
		w.sum(s[0], value)
		g.Store(s[0].AsX(), g.ReturnIndex(1+i))
	}
	g.ret()
}
