package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sweepVectors is the number of vectors of rows that Sweep has in registers.
const sweepVectors = 4

// sweep is one pass of coordinate descent over a tile. The rows of a tile do
// not depend on one another, so it is done for sweepVectors of them at a time.
// Several components are taken at once: their gradients are formed together,
// from the w before, and when one of them has moved the later ones of the
// group are corrected by what it moved. That is the cyclic order exactly, and
// each vector of w is loaded once for the whole group.
func (g *gen) sweep() {
	g.begin("sweep", "updates a tile by one pass over its components and returns the sum of squared changes.",
		"func(k int, w, c, gram *%[1]s, ldg int, inv *%[1]s) %[1]s")
	file := g.file
	take := func(n int) []reg.VecPhysical {
		r := file[:n]
		file = file[n:]
		return r
	}
	// The sum at the end wants its registers among the first 16.
	s := &sweepGen{gen: g, change: take(1)[0], zeroes: take(1)[0]}
	s.row, s.gram, s.d = take(2), take(g.sweepRows), take(sweepVectors*g.sweepRows)
	s.body()
}

type sweepGen struct {
	*gen
	// d holds the negated gradients of a group, then what its components
	// moved. gram and row are the operands of a product.
	d, gram, row   []reg.VecPhysical
	change, zeroes reg.VecPhysical

	k, w, ldg, ldg3    reg.GPVirtual
	left               reg.GPVirtual // components that are still to be done
	wj, cj, gj, factor reg.GPVirtual // the group's w, c, g and inv
}

func (s *sweepGen) body() {
	s.zero(s.change)
	s.zero(s.zeroes)
	s.k, s.ldg, s.ldg3 = s.param("k"), s.stride("ldg"), s.GP64()
	s.LEAQ(indexed(s.ldg, s.ldg, 2, 0), s.ldg3)
	s.w, s.left, s.wj, s.cj, s.gj, s.factor = s.GP64(), s.GP64(), s.GP64(), s.GP64(), s.GP64(), s.GP64()
	for offset := 0; offset < tileBytes; offset += sweepVectors * s.bytes {
		s.part(offset)
	}
	s.sum(s.change, s.row[0])
	s.Store(s.change.AsX(), s.ReturnIndex(0))
	s.ret()
}

// part does the whole sweep for the rows from an offset in bytes.
func (s *sweepGen) part(offset int) {
	s.Context.Load(s.Param("w"), s.w)
	s.Context.Load(s.Param("c"), s.cj)
	s.Context.Load(s.Param("gram"), s.gj)
	s.Context.Load(s.Param("inv"), s.factor)
	s.ADDQ(imm(offset), s.w)
	s.ADDQ(imm(offset), s.cj)
	s.MOVQ(s.w, s.wj)
	s.MOVQ(s.k, s.left)
	name := fmt.Sprintf("rows%d", offset/s.size)
	s.Label(name + "group")
	s.CMPQ(s.left, imm(s.sweepRows))
	s.JLT(operand.LabelRef(name + "tail"))
	s.group(s.sweepRows, name)
	s.JMP(operand.LabelRef(name + "group"))
	s.Label(name + "tail")
	for n := s.sweepRows - 1; n > 0; n-- {
		other := fmt.Sprintf("%snot%d", name, n)
		s.CMPQ(s.left, imm(n))
		s.JNE(operand.LabelRef(other))
		s.group(n, name)
		s.Label(other)
	}
}

// group updates the next n components.
func (s *sweepGen) group(n int, name string) {
	name = fmt.Sprintf("%sof%d", name, n)
	for j := range n {
		for v := range sweepVectors {
			s.load(at(s.cj, j*tileBytes+v*s.bytes), s.d[j*sweepVectors+v])
		}
	}
	pw, pg, l := s.GP64(), s.GP64(), s.GP64()
	s.MOVQ(s.w, pw)
	s.MOVQ(s.gj, pg)
	s.MOVQ(s.k, l)
	s.Label(name + "sum")
	s.products(n, pw, pg)
	s.ADDQ(imm(tileBytes), pw)
	s.ADDQ(imm(s.size), pg)
	s.DECQ(l)
	s.JNE(operand.LabelRef(name + "sum"))

	// The diagonal block of G.
	s.MOVQ(s.k, pg)
	s.SUBQ(s.left, pg)
	s.LEAQ(indexed(s.gj, pg, uint8(s.size), 0), pg)
	for j := range n {
		s.move(j, n, pg, fmt.Sprintf("%sstill%d", name, j))
	}
	s.ADDQ(imm(n*tileBytes), s.cj)
	s.ADDQ(imm(n*tileBytes), s.wj)
	s.ADDQ(imm(n*s.size), s.factor)
	if n == 3 {
		s.ADDQ(s.ldg3, s.gj)
	} else {
		s.LEAQ(indexed(s.gj, s.ldg, uint8(n), 0), s.gj)
	}
	s.SUBQ(imm(n), s.left)
}

// at is the element in a column of the row of G of component j of the
// group, pg being that of component 0.
func (s *sweepGen) at(pg reg.GPVirtual, j, column int) operand.Mem {
	switch j {
	case 0:
		return at(pg, column*s.size)
	case 3:
		return indexed(pg, s.ldg3, 1, column*s.size)
	default:
		return indexed(pg, s.ldg, uint8(j), column*s.size)
	}
}

// products subtracts the products of one l from the group's gradients.
func (s *sweepGen) products(n int, pw, pg reg.GPVirtual) {
	for j := range n {
		s.broadcast(s.at(pg, j, 0), s.gram[j])
	}
	for v := range sweepVectors {
		row := s.row[v%2]
		s.load(at(pw, v*s.bytes), row)
		for j := range n {
			s.fnmadd(row, s.gram[j], s.d[j*sweepVectors+v])
		}
	}
}

// move updates component j of the group, unless its inv is zero, and corrects
// the gradients of the later ones.
func (s *sweepGen) move(j, n int, pg reg.GPVirtual, still string) {
	bits := s.GP64()
	if s.size == 4 {
		s.MOVL(at(s.factor, j*s.size), bits.As32())
		s.SHLL(operand.Imm(1), bits.As32())
	} else {
		s.MOVQ(at(s.factor, j*s.size), bits)
		s.SHLQ(operand.Imm(1), bits)
	}
	s.JEQ(operand.LabelRef(still))
	inv, value, old := s.gram[0], s.row[0], s.row[1]
	s.broadcast(at(s.factor, j*s.size), inv)
	moved := s.d[j*sweepVectors : (j+1)*sweepVectors]
	for v, d := range moved {
		wj := at(s.wj, j*tileBytes+v*s.bytes)
		s.load(wj, old)
		s.load(wj, value)
		s.fmadd(d, inv, value)
		// In this order of operands NaN stays NaN. Adding zero makes -0, which
		// a product that underflows can leave, +0.
		s.max(value, s.zeroes, value)
		s.add(s.zeroes, value, value)
		s.load(value, wj)
		s.sub(old, value, d)
		s.fmadd(d, d, s.change)
	}
	for later := j + 1; later < n; later++ {
		s.broadcast(s.at(pg, later, j), s.gram[0])
		for v, e := range moved {
			s.fnmadd(e, s.gram[0], s.d[later*sweepVectors+v])
		}
	}
	s.Label(still)
}
