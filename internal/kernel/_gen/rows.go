package main

import (
	"fmt"
	"log"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels of many rows of stored cells. Of each row they take the cells from
// at on whose index is below limit, one after the other, and leave at behind them.
// Only the start of each row is new to the processor, which fetches what follows
// itself: that of a later row is asked for early.

// rowsAhead is how many rows ahead the start of the cells is fetched.
const rowsAhead = 6

// storedRows is a loop over rows of stored cells.
type storedRows struct {
	*gen
	rows, at, end, limit, idx, val reg.GPVirtual
	t, last, row                   reg.GPVirtual
}

func (g *gen) newStoredRows() *storedRows {
	return &storedRows{gen: g, rows: g.param("rows"), at: g.param("at"), end: g.param("end"), limit: g.param("limit"),
		idx: g.param("idx"), val: g.param("val"), t: g.GP64(), last: g.GP64(), row: g.GP64()}
}

// each does begin for each row, then cell for each of its cells with row being the
// index, and then finish, which goes on to the next row.
func (s *storedRows) each(begin, cell, finish func()) {
	s.JMP(operand.LabelRef("test"))
	s.Label("row")
	s.CMPQ(s.rows, operand.I8(rowsAhead))
	s.JLE(operand.LabelRef("near"))
	s.MOVQ(at(s.at, 8*rowsAhead), s.row)
	for line := range 2 {
		s.PREFETCHT0(indexed(s.idx, s.row, 4, 64*line))
		s.PREFETCHT0(indexed(s.val, s.row, uint8(s.size), 64*line))
	}
	s.Label("near")
	begin()
	s.MOVQ(at(s.at, 0), s.t)
	s.MOVQ(at(s.end, 0), s.last)
	s.JMP(operand.LabelRef("more"))
	s.Label("cell")
	s.MOVL(indexed(s.idx, s.t, 4, 0), s.row.As32())
	s.CMPQ(s.row, s.limit)
	s.JAE(operand.LabelRef("next"))
	cell()
	s.INCQ(s.t)
	s.Label("more")
	s.CMPQ(s.t, s.last)
	s.JLT(operand.LabelRef("cell"))
	s.Label("next")
	s.MOVQ(s.t, at(s.at, 0))
	finish()
	s.ADDQ(operand.I8(8), s.at)
	s.ADDQ(operand.I8(8), s.end)
	s.DECQ(s.rows)
	s.Label("test")
	s.TESTQ(s.rows, s.rows)
	s.JNE(operand.LabelRef("row"))
}

// gatherRows adds weighted rows of b to rows of c.
func (g *gen) gatherRows(vectors int) {
	g.begin(count("gatherRows", vectors), fmt.Sprintf("adds weighted rows of b to %d vectors of each row of c.", vectors),
		"func(rows int, at, end *int, limit int, idx *int32, val, b *%[1]s, ldb int, c *%[1]s, ldc int)")
	s := g.newStoredRows()
	b, ldb, c, ldc := g.param("b"), g.stride("ldb"), g.param("c"), g.stride("ldc")
	sums, weight := g.file[:vectors], g.file[vectors]
	s.each(func() {
		for v, r := range sums {
			g.load(at(c, v*g.bytes), r)
		}
	}, func() {
		g.IMULQ(ldb, s.row)
		g.broadcast(indexed(s.val, s.t, uint8(g.size), 0), weight)
		for v, r := range sums {
			g.fmadd(indexed(b, s.row, 1, v*g.bytes), weight, r)
		}
	}, func() {
		for v, r := range sums {
			g.load(r, at(c, v*g.bytes))
		}
		g.ADDQ(ldc, c)
	})
	g.ret()
}

// transposeRows writes cells to the next places of their columns. A place that is not
// below room ends the function, which returns the number of rows that are left.
func (g *gen) transposeRows() {
	g.begin("transposeRows", "writes cells to the next places of their columns.",
		"func(rows int, at, end *int, limit int, idx *int32, val *%[1]s, number int, next *int, room int, toIdx *int32, toVal *%[1]s) int")
	s := g.newStoredRows()
	number, next, toIdx, toVal := g.param("number"), g.param("next"), g.param("toIdx"), g.param("toVal")
	room, err := g.Param("room").Resolve()
	if err != nil {
		log.Fatal(err)
	}
	place, value := g.GP64(), g.file[0].AsX()
	s.each(func() {}, func() {
		g.MOVQ(indexed(next, s.row, 8, 0), place)
		g.CMPQ(place, room.Addr)
		g.JAE(operand.LabelRef("done"))
		g.scalarLoad(indexed(s.val, s.t, uint8(g.size), 0), value)
		g.MOVL(number.As32(), indexed(toIdx, place, 4, 0))
		g.scalarLoad(value, indexed(toVal, place, uint8(g.size), 0))
		g.PREFETCHT0(indexed(toIdx, place, 4, 64))
		g.PREFETCHT0(indexed(toVal, place, uint8(g.size), 64))
		g.INCQ(place)
		g.MOVQ(place, indexed(next, s.row, 8, 0))
	}, func() {
		g.INCQ(number)
	})
	g.Label("done")
	g.Store(s.rows, g.ReturnIndex(0))
	g.ret()
}

// scatterAhead is how many rows ahead scatterRows fetches the first line of the cells.
// More lines of a row are fetched for nothing where it is short, and the processor
// comes upon them itself where it is long.
const scatterAhead = 4

// scatterRows adds weights times a row of b to rows of c for each row of stored cells. An
// index that is not first plus a row of c ends the function, which returns the number
// of rows that are left.
func (g *gen) scatterRows(vectors int) {
	g.begin(count("scatterRows", vectors), fmt.Sprintf("adds %d vectors of weighted rows of b to rows of c.", vectors),
		"func(rows int, at, end *int, first, limit int, idx *int32, val, b *%[1]s, ldb int, c *%[1]s, ldc int) int")
	rows, begin, end, first, limit := g.param("rows"), g.param("at"), g.param("end"), g.param("first"), g.param("limit")
	idx, val, b, ldb, c, ldc := g.param("idx"), g.param("val"), g.param("b"), g.stride("ldb"), g.param("c"), g.stride("ldc")
	t, last, row := g.GP64(), g.GP64(), g.GP64()
	own, sums, weight := g.file[:vectors], g.file[vectors:2*vectors], g.file[2*vectors]
	g.JMP(operand.LabelRef("test"))
	g.Label("row")
	g.CMPQ(rows, operand.I8(scatterAhead))
	g.JLE(operand.LabelRef("near"))
	g.MOVQ(at(begin, 8*scatterAhead), row)
	g.PREFETCHT0(indexed(idx, row, 4, 0))
	g.PREFETCHT0(indexed(val, row, uint8(g.size), 0))
	g.Label("near")
	for v, r := range own {
		g.load(at(b, v*g.bytes), r)
	}
	g.MOVQ(at(begin, 0), t)
	g.MOVQ(at(end, 0), last)
	g.JMP(operand.LabelRef("more"))
	g.Label("cell")
	g.MOVLQSX(indexed(idx, t, 4, 0), row)
	g.SUBQ(first, row)
	g.CMPQ(row, limit)
	g.JAE(operand.LabelRef("done"))
	g.IMULQ(ldc, row)
	g.broadcast(indexed(val, t, uint8(g.size), 0), weight)
	for v, r := range sums {
		g.load(indexed(c, row, 1, v*g.bytes), r)
		g.fmadd(own[v], weight, r)
		g.load(r, indexed(c, row, 1, v*g.bytes))
	}
	g.INCQ(t)
	g.Label("more")
	g.CMPQ(t, last)
	g.JLT(operand.LabelRef("cell"))
	g.ADDQ(operand.I8(8), begin)
	g.ADDQ(operand.I8(8), end)
	g.ADDQ(ldb, b)
	g.DECQ(rows)
	g.Label("test")
	g.TESTQ(rows, rows)
	g.JNE(operand.LabelRef("row"))
	g.Label("done")
	g.Store(rows, g.ReturnIndex(0))
	g.ret()
}
