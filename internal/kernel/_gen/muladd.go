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
// tile of its own. While a tile is computed the elements of the next are
// fetched: at step l row l mod 8, so that each cache line is touched in time
// whether it runs along the sum or across the rows.
func (g *gen) mulAdd(s shape) {
	g.begin(count("mulAdd", s.vectors), fmt.Sprintf("adds a·b to c for %d vectors of columns and one block of sums.", s.vectors),
		"func(m, p int, a *%[1]s, rs, cs int, b *%[1]s, ldb int, c *%[1]s, ldc int)")
	k := &mulAddGen{gen: g, shape: s, acc: g.file[:s.rows*s.vectors]}
	rest := g.file[s.rows*s.vectors:]
	k.right, k.left = rest[:s.vectors], rest[s.vectors:]
	k.body()
}

type mulAddGen struct {
	*gen
	shape
	acc, right, left []reg.VecPhysical

	m, a, c, ldc     reg.GPVirtual
	cs, ldb, pb, l   reg.GPVirtual
	address, ahead   rowAddress
	twoBases, labels int
}

func (k *mulAddGen) body() {
	k.m, k.a, k.c = k.param("m"), k.param("a"), k.param("c")
	rs := k.stride("rs")
	k.cs, k.ldb, k.ldc = k.stride("cs"), k.stride("ldb"), k.stride("ldc")
	k.l, k.pb = k.GP64(), k.GP64()
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
		// The next tile's first row, from where it is fetched.
		k.moveRows(k.a, rows)
		next := k.GP64()
		k.MOVQ(k.a, next)
		k.SUBQ(operand.Imm(unroll), k.l)
		k.JLT(operand.LabelRef(name + "rest"))
		k.Label(name + "loop")
		for u := range unroll {
			for r := u; r < rows; r += unroll {
				k.fetch(next, r)
			}
			k.step(rows)
			k.ADDQ(k.cs, next)
		}
		k.SUBQ(operand.Imm(unroll), k.l)
		k.JGE(operand.LabelRef(name + "loop"))
		k.Label(name + "rest")
		k.ADDQ(operand.Imm(unroll), k.l)
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
		k.ADDQ(k.ldc, k.c)
	}
}

// unroll is the number of steps of a sum in the loop of a full tile.
const unroll = 8

// moveRows advances p by rows strides, rows being 2, 3, 6, 8, 12 or 16.
func (k *mulAddGen) moveRows(p reg.GPVirtual, rows int) {
	rs, rs3 := k.address.rs[0], k.address.rs[1]
	switch rows {
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

// fetch brings the element of row r of the next tile into the cache.
func (k *mulAddGen) fetch(next reg.GPVirtual, r int) {
	a := k.address
	a.base[0] = next
	if r < 8 {
		k.PREFETCHT0(a.row(r))
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
