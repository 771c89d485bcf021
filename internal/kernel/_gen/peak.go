package main

import (
	"github.com/mmcloughlin/avo/operand"
)

// peak does n rounds of independent multiply-adds in registers: one for each
// register but the two operands.
func (g *gen) peak() {
	g.begin("peak", "does n rounds of multiply-adds, one for each register but two, on x[0] and x[1].",
		"func(n int, x *%[1]s)")
	n, x := g.param("n"), g.param("x")
	a, b, acc := g.file[0], g.file[1], g.file[2:]
	g.broadcast(at(x, 0), a)
	g.broadcast(at(x, g.size), b)
	for _, r := range acc {
		g.zero(r)
	}
	g.Label("round")
	for _, r := range acc {
		g.fmadd(a, b, r)
	}
	g.DECQ(n)
	g.JNE(operand.LabelRef("round"))
	g.ret()
}
