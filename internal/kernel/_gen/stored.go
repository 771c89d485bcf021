package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels of one row of stored cells, but for gather. Cells are taken four at a time,
// so that the four sums over the lanes of registers are made together. Fewer
// at the end are filled up with the last cell again, under a mask: each inner
// product is added in one order, whatever the place of its cell.

// quad is the number of cells that are taken at once.
const quad = 4

// cells is a loop over stored cells.
type cells struct {
	*gen
	vectors         int
	w, acc, scratch []reg.VecPhysical

	n, t, idx, b, ldb, rows reg.GPVirtual
	row                     [quad]reg.GPVirtual
}

// newCells loads the arguments that the kernels share; the registers of w come
// first in the file, then those of the sums.
func (g *gen) newCells(vectors int) *cells {
	c := &cells{gen: g, vectors: vectors,
		w: g.file[:vectors], acc: g.file[vectors : vectors+quad], scratch: g.file[vectors+quad : vectors+2*quad],
		n: g.param("n"), idx: g.param("idx"), b: g.param("b"), ldb: g.stride("ldb"), rows: g.param("rows"), t: g.GP64()}
	for i := range c.row {
		c.row[i] = g.GP64()
	}
	w := g.param("w")
	for v, r := range c.w {
		g.load(at(w, v*g.bytes), r)
	}
	g.XORQ(c.t, c.t)
	return c
}

// each does body for each four cells, with mask nil, and for those that are
// left. A bad index ends the function.
func (c *cells) each(body func(mask reg.Register)) {
	c.SUBQ(imm(quad), c.n)
	c.JLT(operand.LabelRef("rest"))
	c.Label("four")
	for i := range quad {
		c.address(i, indexed(c.idx, c.t, 4, 4*i))
	}
	body(nil)
	c.ADDQ(imm(quad), c.t)
	c.CMPQ(c.t, c.n)
	c.JLE(operand.LabelRef("four"))
	c.Label("rest")
	c.ADDQ(imm(quad), c.n)
	c.CMPQ(c.t, c.n)
	c.JGE(operand.LabelRef("done"))
	last, place := c.GP64(), c.GP64()
	c.LEAQ(at(c.n, -1), last)
	for i := range quad {
		c.LEAQ(at(c.t, i), place)
		c.CMPQ(place, last)
		c.CMOVQGT(last, place)
		c.address(i, indexed(c.idx, place, 4, 0))
	}
	left := c.GP64()
	c.MOVQ(c.n, left)
	c.SUBQ(c.t, left)
	body(c.firstFour(left))
	c.MOVQ(c.n, c.t)
	c.Label("done")
}

// address makes row i the address of the row of b of an index.
func (c *cells) address(i int, index operand.Mem) {
	c.MOVL(index, c.row[i].As32())
	c.CMPQ(c.row[i], c.rows)
	c.JAE(operand.LabelRef("bad"))
	c.IMULQ(c.ldb, c.row[i])
	c.ADDQ(c.b, c.row[i])
}

// narrow is the part of a register that holds a number for each of four cells.
func (g *gen) narrow(r parts) reg.Register {
	if g.single() {
		return r.AsX()
	}
	return r.AsY()
}

// firstFour is the mask of the first n of four elements.
func (c *cells) firstFour(n reg.GPVirtual) reg.Register {
	m := c.firstHalf(n)
	if c.single() {
		return m.AsX()
	}
	return m
}

// loadFour and storeFour move a number for each of four cells, the absent ones
// being zero.
func (c *cells) loadFour(mask reg.Register, p reg.GPVirtual, r reg.Register) {
	m := indexed(p, c.t, uint8(c.size), 0)
	if mask == nil {
		c.load(m, r)
		return
	}
	c.maskedMove(m, mask, r)
}

func (c *cells) storeFour(mask, r reg.Register, p reg.GPVirtual) {
	m := indexed(p, c.t, uint8(c.size), 0)
	if mask == nil {
		c.load(r, m)
		return
	}
	c.maskedMove(r, mask, m)
}

// products leaves the inner products of w and the four rows in the narrow part
// of a register.
func (c *cells) products() reg.Register {
	for i, acc := range c.acc {
		for v, w := range c.w {
			m := at(c.row[i], v*c.bytes)
			if v == 0 {
				c.mul(m, w, acc)
			} else {
				c.fmadd(m, w, acc)
			}
		}
	}
	return c.fourSums()
}

// fourSums adds up the lanes of the four sums.
func (c *cells) fourSums() reg.Register {
	a, s := c.acc, c.scratch
	// pairs leaves in x what two registers, interleaved, add up to.
	pairs := func(low, high func(...operand.Op), y, x, other reg.Register) {
		low(y, x, other)
		high(y, x, x)
		c.add(other, x, x)
	}
	if c.single() {
		pairs(c.VUNPCKLPS, c.VUNPCKHPS, a[1], a[0], s[0])
		pairs(c.VUNPCKLPS, c.VUNPCKHPS, a[3], a[2], s[1])
		pairs(c.VUNPCKLPD, c.VUNPCKHPD, a[2], a[0], s[0])
		// Each 16 bytes now have a part of all four.
		if c.bytes == 64 {
			c.VEXTRACTF64X4(operand.Imm(1), a[0], s[0].AsY())
			c.add(s[0].AsY(), a[0].AsY(), a[0].AsY())
		}
		c.highLane(a[0].AsY(), s[0].AsX())
		c.add(s[0].AsX(), a[0].AsX(), a[0].AsX())
		return a[0].AsX()
	}
	pairs(c.VUNPCKLPD, c.VUNPCKHPD, a[1], a[0], s[0])
	pairs(c.VUNPCKLPD, c.VUNPCKHPD, a[3], a[2], s[1])
	if c.bytes == 64 {
		for i := 0; i < quad; i += 2 {
			c.VEXTRACTF64X4(operand.Imm(1), a[i], s[i].AsY())
			c.add(s[i].AsY(), a[i].AsY(), a[i].AsY())
		}
	}
	x, y := a[0].AsY(), a[2].AsY()
	c.VPERM2F128(operand.Imm(0x20), y, x, s[0].AsY())
	c.VPERM2F128(operand.Imm(0x31), y, x, s[1].AsY())
	c.add(s[1].AsY(), s[0].AsY(), x)
	return x
}

// finish returns the number of cells that were done, n unless one is bad.
func (c *cells) finish() {
	c.Label("bad")
	c.Store(c.t, c.ReturnIndex(0))
	c.ret()
}

// dots adds inner products with a fixed number of vectors of w.
func (g *gen) dots(vectors int) {
	g.begin(count("dots", vectors), fmt.Sprintf("adds to r the inner products of %d vectors of w with rows of b.", vectors),
		"func(n int, idx *int32, b *%[1]s, ldb, rows int, w, r *%[1]s) int")
	c := g.newCells(vectors)
	r := c.param("r")
	old := c.narrow(c.scratch[2])
	c.each(func(mask reg.Register) {
		sums := c.products()
		c.loadFour(mask, r, old)
		c.add(old, sums, sums)
		c.storeFour(mask, sums, r)
	})
	c.finish()
}

// gatherQuotient is the inner products, the quotients and the sum of the rows
// weighted by them. Even and odd cells have accumulators of their own where
// there is room.
func (g *gen) gatherQuotient(vectors int) {
	g.begin(count("gatherQuotient", vectors), fmt.Sprintf("writes val/max(<w, row>, tiny) to q and adds the rows weighted by it to %d vectors of c.", vectors),
		"func(n int, idx *int32, val, b *%[1]s, ldb, rows int, w *%[1]s, tiny %[1]s, q, c *%[1]s) int")
	c := g.newCells(vectors)
	rest, sets := g.file[vectors+2*quad:], 1
	if 2*vectors <= len(rest) {
		sets = 2
	}
	sums := rest[:sets*vectors]
	for _, r := range sums {
		c.zero(r)
	}
	val, q := c.param("val"), c.param("q")
	spill := c.AllocLocal(quad * c.size)
	c.each(func(mask reg.Register) {
		r, x, floor := c.products(), c.narrow(c.scratch[0]), c.narrow(c.scratch[1])
		c.broadcast(c.memory("tiny"), floor)
		// In this order of operands NaN stays NaN.
		c.max(r, floor, r)
		c.loadFour(mask, val, x)
		c.div(r, x, x)
		c.storeFour(mask, x, q)
		c.load(x, spill)
		for i := range quad {
			weight := c.acc[i]
			c.broadcast(spill.Offset(i*c.size), weight)
			for v := range vectors {
				c.fmadd(at(c.row[i], v*c.bytes), weight, sums[i%sets*vectors+v])
			}
		}
	})
	to := c.param("c")
	for v := range vectors {
		if sets == 2 {
			c.add(sums[vectors+v], sums[v], sums[v])
		}
		c.add(at(to, v*c.bytes), sums[v], sums[v])
		c.load(sums[v], at(to, v*c.bytes))
	}
	c.finish()
}
