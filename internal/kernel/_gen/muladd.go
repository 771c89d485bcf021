package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowAddress gives the addresses of rows of the left operand: element (r, l)
// lies r strides from base, where base moves with l.
type rowAddress struct {
	base [2]reg.GPVirtual // of rows 0 and 8
	rs   [4]reg.GPVirtual // 1, 3, 5 and 7 strides
}

func (a rowAddress) row(r int) operand.Mem {
	base := a.base[r/8]
	switch r % 8 {
	case 0:
		return at(base, 0)
	case 3:
		return indexed(base, a.rs[1], 1, 0)
	case 5:
		return indexed(base, a.rs[2], 1, 0)
	case 6:
		return indexed(base, a.rs[1], 2, 0)
	case 7:
		return indexed(base, a.rs[3], 1, 0)
	default: // 1, 2, 4
		return indexed(base, a.rs[0], uint8(r%8), 0)
	}
}

// mulAdd is the register tile of MulAdd over one block of sums: for any
// number m of rows and a fixed number of vectors,
//
//	c[i] += sum over l < p of a[i*rs+l*cs] * b[l*ldb:]
//
// Whole tiles of s.rows rows come first; every smaller number of rows has a
// tile of its own. While a tile is computed, memory from ahead on is fetched,
// one line at a step: the pointer moves by walk at each step and back by back
// after s.unroll() steps, and a tile later it starts s.rows rows further on.
func (g *gen) mulAdd(s shape) {
	g.begin(s.function(), fmt.Sprintf("adds a·b to c for %d vectors of columns and one block of sums, %d rows at a time.", s.vectors, s.rows),
		"func(m, p int, a *%[1]s, rs, cs int, b *%[1]s, ldb int, c *%[1]s, ldc int, ahead *%[1]s, walk, back int)")
	k := &mulAddGen{gen: g, shape: s, acc: g.file[:s.rows*s.vectors]}
	rest := g.file[s.rows*s.vectors:]
	k.right, k.left = rest[:s.vectors], rest[s.vectors:]
	k.body()
}

// function is the name of the function of a shape.
func (s shape) function() string { return fmt.Sprintf("mulAdd%dx%d", s.rows, s.vectors) }

// unroll is the number of steps of a sum in the loop of a full tile: enough to
// fetch from each row of the next one. mulAddTile.next in package kernel
// counts on it.
func (s shape) unroll() int {
	if s.rows > 8 {
		return 16
	}
	return 8
}

type mulAddGen struct {
	*gen
	shape
	acc, right, left []reg.VecPhysical

	m, a, c        reg.GPVirtual
	cs, ldb, pb, l reg.GPVirtual
	next, walk     reg.GPVirtual
	address        rowAddress
}

func (k *mulAddGen) body() {
	k.m, k.a, k.c = k.param("m"), k.param("a"), k.param("c")
	rs := k.stride("rs")
	k.cs, k.ldb, k.walk = k.stride("cs"), k.stride("ldb"), k.stride("walk")
	k.l, k.pb, k.next = k.GP64(), k.GP64(), k.GP64()
	for _, name := range []string{"ldc", "back"} {
		k.SHLQ(operand.Imm(uint64(k.shift())), k.memory(name))
	}
	k.address.base[0] = k.GP64()
	k.address.rs[0] = rs
	k.strides()

	k.Label("tile")
	k.CMPQ(k.m, operand.Imm(uint64(k.rows)))
	k.JLT(operand.LabelRef("tail"))
	k.tile(k.rows, true)
	k.SUBQ(operand.Imm(uint64(k.rows)), k.m)
	k.JMP(operand.LabelRef("tile"))

	k.Label("tail")
	for r := k.rows - 1; r > 0; r-- {
		k.CMPQ(k.m, operand.Imm(uint64(r)))
		k.JEQ(operand.LabelRef(fmt.Sprintf("rows%d", r)))
	}
	k.ret()
	for r := k.rows - 1; r > 0; r-- {
		k.Label(fmt.Sprintf("rows%d", r))
		k.tile(r, false)
		k.ret()
	}
}

// strides makes the multiples of the row stride that the tile needs.
func (k *mulAddGen) strides() {
	rs := k.address.rs[0]
	k.address.rs[1] = k.GP64()
	k.LEAQ(indexed(rs, rs, 2, 0), k.address.rs[1])
	if k.rows > 5 {
		k.address.rs[2] = k.GP64()
		k.LEAQ(indexed(rs, rs, 4, 0), k.address.rs[2])
	}
	if k.rows > 7 {
		k.address.rs[3] = k.GP64()
		k.LEAQ(indexed(k.address.rs[1], rs, 4, 0), k.address.rs[3])
	}
	if k.rows > 8 {
		k.address.base[1] = k.GP64()
	}
}

// tile computes one tile of rows rows and moves a and c past it.
func (k *mulAddGen) tile(rows int, full bool) {
	name := fmt.Sprintf("rows%d", rows)
	if full {
		name = "full"
	}
	pa := k.address.base[0]
	k.MOVQ(k.a, pa)
	if rows > 8 {
		k.LEAQ(indexed(pa, k.address.rs[0], 8, 0), k.address.base[1])
	}
	k.Load(k.Param("b"), k.pb)
	k.Load(k.Param("p"), k.l)
	for i := range rows * k.vectors {
		k.zero(k.acc[i])
	}
	if full {
		k.moveRows(k.a)
		k.MOVQ(k.memory("ahead"), k.next)
		unroll := imm(k.unroll())
		k.SUBQ(unroll, k.l)
		k.JLT(operand.LabelRef(name + "rest"))
		k.Label(name + "loop")
		for range k.unroll() {
			k.PREFETCHT0(at(k.next, 0))
			k.ADDQ(k.walk, k.next)
			k.step(rows)
		}
		k.SUBQ(k.memory("back"), k.next)
		k.SUBQ(unroll, k.l)
		k.JGE(operand.LabelRef(name + "loop"))
		k.Label(name + "rest")
		k.MOVQ(k.memory("ahead"), k.next)
		k.moveRows(k.next)
		k.MOVQ(k.next, k.memory("ahead"))
		k.ADDQ(unroll, k.l)
		k.JEQ(operand.LabelRef(name + "store"))
	}
	k.Label(name + "one")
	k.step(rows)
	k.DECQ(k.l)
	k.JNE(operand.LabelRef(name + "one"))
	k.Label(name + "store")
	for r := range rows {
		for v := range k.vectors {
			acc := k.acc[r*k.vectors+v]
			k.add(at(k.c, v*k.bytes), acc, acc)
			k.load(acc, at(k.c, v*k.bytes))
		}
		k.ADDQ(k.memory("ldc"), k.c)
	}
}

// moveRows advances p by the rows of a tile.
func (k *mulAddGen) moveRows(p reg.GPVirtual) {
	rs, rs3 := k.address.rs[0], k.address.rs[1]
	switch k.rows {
	case 6:
		k.LEAQ(indexed(p, rs3, 2, 0), p)
	case 8:
		k.LEAQ(indexed(p, rs, 8, 0), p)
	case 12:
		k.LEAQ(indexed(p, rs3, 4, 0), p)
	case 16:
		k.LEAQ(indexed(p, rs, 8, 0), p)
		k.LEAQ(indexed(p, rs, 8, 0), p)
	default:
		panic("no rule for this number of rows")
	}
}

// step adds the products of one l.
func (k *mulAddGen) step(rows int) {
	for v := range k.vectors {
		k.load(at(k.pb, v*k.bytes), k.right[v])
	}
	for r := range rows {
		left := k.left[r%len(k.left)]
		k.broadcast(k.address.row(r), left)
		for v := range k.vectors {
			k.fmadd(left, k.right[v], k.acc[r*k.vectors+v])
		}
	}
	k.ADDQ(k.cs, k.address.base[0])
	if rows > 8 {
		k.ADDQ(k.cs, k.address.base[1])
	}
	k.ADDQ(k.ldb, k.pb)
}
