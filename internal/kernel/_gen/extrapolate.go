package main

import "github.com/mmcloughlin/avo/operand"

// extrapolate takes rows of whole vectors, one after the other without gaps.
func (g *gen) extrapolate() {
	g.begin("extrapolate", "writes max(floor*fresh, fresh + beta*(fresh-old)) to out, for rows of n bytes.",
		"func(rows, n int, floor %[1]s, beta, fresh, old, out *%[1]s)")
	rows, n := g.param("rows"), g.param("n")
	beta, fresh, old, out := g.param("beta"), g.param("fresh"), g.param("old"), g.param("out")
	zero, x, y, floor, least := g.file[0], g.file[1], g.file[2], g.file[3], g.file[4]
	g.zero(zero)
	g.broadcast(g.memory("floor"), floor)
	i := g.GP64()
	g.Label("row")
	g.XORQ(i, i)
	g.Label("vector")
	g.load(indexed(fresh, i, 1, 0), x)
	g.load(indexed(old, i, 1, 0), y)
	g.mul(floor, x, least)
	g.sub(y, x, y)
	g.fmadd(indexed(beta, i, 1, 0), y, x)
	// In this order of operands NaN stays NaN. Adding zero makes -0, which a
	// product that underflows can leave, +0.
	g.max(x, least, x)
	g.add(zero, x, x)
	g.load(x, indexed(out, i, 1, 0))
	g.ADDQ(imm(g.bytes), i)
	g.CMPQ(i, n)
	g.JLT(operand.LabelRef("vector"))
	g.ADDQ(n, fresh)
	g.ADDQ(n, old)
	g.ADDQ(n, out)
	g.DECQ(rows)
	g.JNE(operand.LabelRef("row"))
	g.ret()
}
