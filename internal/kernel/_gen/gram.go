package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// function is the name of the function of a tile of GatherGram.
func (s shape) gram() string { return fmt.Sprintf("gram%dx%d", s.rows, s.vectors) }

// gram is a register tile of GatherGram: s.rows rows and s.vectors vectors of
// g, to which it adds, for n cells, wt[t] times the outer product of the
// numbers at left and those at right in row idx[t].
func (g *gen) gram(s shape) {
	g.begin(s.gram(), fmt.Sprintf("adds weighted outer products of rows to %d vectors of %d rows of g.", s.vectors, s.rows),
		"func(n int, idx *int32, wt, left, right *%[1]s, ldb, rows int, gram *%[1]s, ldg int) int")
	acc, rest := g.file[:s.rows*s.vectors], g.file[s.rows*s.vectors:]
	weight, right, left := rest[0], rest[1:1+s.vectors], rest[1+s.vectors:]
	n, idx, wt, a, b := g.param("n"), g.param("idx"), g.param("wt"), g.param("left"), g.param("right")
	ldb, rows, t, row := g.stride("ldb"), g.param("rows"), g.GP64(), g.GP64()
	for _, r := range acc {
		g.zero(r)
	}
	g.XORQ(t, t)
	g.Label("cell")
	g.MOVL(indexed(idx, t, 4, 0), row.As32())
	g.CMPQ(row, rows)
	g.JAE(operand.LabelRef("done"))
	g.IMULQ(ldb, row)
	g.broadcast(indexed(wt, t, uint8(g.size), 0), weight)
	for v, r := range right {
		g.mul(indexed(b, row, 1, v*g.bytes), weight, r)
	}
	for i := range s.rows {
		x := left[i%len(left)]
		g.broadcast(indexed(a, row, 1, i*g.size), x)
		for v, r := range right {
			g.fmadd(x, r, acc[i*s.vectors+v])
		}
	}
	g.INCQ(t)
	g.CMPQ(t, n)
	g.JLT(operand.LabelRef("cell"))
	to, ldg := g.param("gram"), g.stride("ldg")
	for i := range s.rows {
		for v := range s.vectors {
			r := acc[i*s.vectors+v]
			g.add(at(to, v*g.bytes), r, r)
			g.load(r, at(to, v*g.bytes))
		}
		g.ADDQ(ldg, to)
	}
	g.Label("done")
	g.Store(t, g.ReturnIndex(0))
	g.ret()
}

// mirrorSide is the side of the squares that mirror transposes.
const mirrorSide = 4

// mirror writes squares that lie along four rows of a matrix, transposed, to
// the four columns from another place on.
func (g *gen) mirror() {
	g.begin("mirror", "writes n squares of 4 x 4, side by side from src on, transposed and one below the other from dst on.",
		"func(n int, src, dst *%[1]s, ld int)")
	n, src, dst, ld := g.param("n"), g.param("src"), g.param("dst"), g.stride("ld")
	ld3 := g.GP64()
	g.LEAQ(indexed(ld, ld, 2, 0), ld3)
	row := func(base reg.GPVirtual, i int) operand.Mem {
		switch i {
		case 0:
			return at(base, 0)
		case 3:
			return indexed(base, ld3, 1, 0)
		default:
			return indexed(base, ld, uint8(i), 0)
		}
	}
	var r, o, u [mirrorSide]reg.Register
	part := func(v reg.VecPhysical) reg.Register {
		if g.single() {
			return v.AsX()
		}
		return v.AsY()
	}
	for i := range mirrorSide {
		r[i], o[i], u[i] = part(g.file[i]), part(g.file[4+i]), part(g.file[8+i])
	}
	g.Label("square")
	for i := range mirrorSide {
		g.load(row(src, i), r[i])
	}
	if g.single() {
		g.VUNPCKLPS(r[1], r[0], u[0])
		g.VUNPCKHPS(r[1], r[0], u[1])
		g.VUNPCKLPS(r[3], r[2], u[2])
		g.VUNPCKHPS(r[3], r[2], u[3])
		for i := range 2 {
			g.VUNPCKLPD(u[2+i], u[i], o[2*i])
			g.VUNPCKHPD(u[2+i], u[i], o[2*i+1])
		}
	} else {
		for i := range 2 {
			g.VUNPCKLPD(r[2*i+1], r[2*i], u[2*i])
			g.VUNPCKHPD(r[2*i+1], r[2*i], u[2*i+1])
		}
		for i := range 2 {
			g.VPERM2F128(operand.Imm(0x20), u[2+i], u[i], o[i])
			g.VPERM2F128(operand.Imm(0x31), u[2+i], u[i], o[2+i])
		}
	}
	for i := range mirrorSide {
		g.load(o[i], row(dst, i))
	}
	g.ADDQ(imm(mirrorSide*g.size), src)
	g.LEAQ(indexed(dst, ld, mirrorSide, 0), dst)
	g.DECQ(n)
	g.JNE(operand.LabelRef("square"))
	g.ret()
}
