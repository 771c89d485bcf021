package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gather is the sparse row times a tall factor for a fixed number of vectors:
// c += sum of val[t] * b[idx[t]*ldb:]. Even and odd cells have accumulators of
// their own, which hides the latency of the FMA; the order of the sum does not
// depend on the number of vectors. An index that is not below rows ends the
// function, which then returns its position; otherwise it returns n. Rows are
// not fetched ahead of their cell: the processor runs far enough ahead itself,
// and fetching did not pay (measured with Hᵀ in the second and in the last
// cache).
//
// With squares the elements of the rows are squared.
func (g *gen) gather(vectors int, squares bool) {
	name, what := "gather", "rows of b"
	if squares {
		name, what = "gatherSquares", "squares of rows of b"
	}
	g.begin(count(name, vectors), fmt.Sprintf("adds weighted %s to %d vectors of c.", what, vectors),
		"func(n int, idx *int32, val *%[1]s, b *%[1]s, ldb, rows int, c *%[1]s) int")
	k := &gatherGen{gen: g, vectors: vectors, squares: squares}
	k.acc[0], k.acc[1] = g.file[:vectors], g.file[vectors:2*vectors]
	k.val = [2]reg.VecPhysical{g.file[2*vectors], g.file[2*vectors+1]}
	if squares {
		k.product = g.file[2*vectors+2]
	}
	k.body()
}

type gatherGen struct {
	*gen
	vectors int
	squares bool
	acc     [2][]reg.VecPhysical
	val     [2]reg.VecPhysical
	product reg.VecPhysical

	idx, values, b, ldb, rows, t reg.GPVirtual
}

func (k *gatherGen) body() {
	k.idx, k.values, k.b, k.ldb, k.rows = k.param("idx"), k.param("val"), k.param("b"), k.stride("ldb"), k.param("rows")
	n, even := k.param("n"), k.GP64()
	k.t = k.GP64()
	k.XORQ(k.t, k.t)
	for _, set := range k.acc {
		for _, r := range set {
			k.zero(r)
		}
	}
	k.MOVQ(n, even)
	k.ANDQ(operand.I8(-2), even)
	k.JMP(operand.LabelRef("test"))
	k.Label("pair")
	for set := range 2 {
		k.cell(set)
		k.INCQ(k.t)
	}
	k.Label("test")
	k.CMPQ(k.t, even)
	k.JLT(operand.LabelRef("pair"))
	k.CMPQ(k.t, n)
	k.JGE(operand.LabelRef("store"))
	k.cell(0)
	k.INCQ(k.t)
	k.Label("store")
	c := k.param("c")
	for v := range k.vectors {
		k.add(k.acc[1][v], k.acc[0][v], k.acc[0][v])
		k.add(at(c, v*k.bytes), k.acc[0][v], k.acc[0][v])
		k.load(k.acc[0][v], at(c, v*k.bytes))
	}
	k.Label("done")
	k.Store(k.t, k.ReturnIndex(0))
	k.ret()
}

// cell adds cell t to a set of accumulators.
func (k *gatherGen) cell(set int) {
	row := k.GP64()
	k.MOVL(indexed(k.idx, k.t, 4, 0), row.As32())
	k.CMPQ(row, k.rows)
	k.JAE(operand.LabelRef("done"))
	k.IMULQ(k.ldb, row)
	k.broadcast(indexed(k.values, k.t, uint8(k.size), 0), k.val[set])
	for v := range k.vectors {
		m := indexed(k.b, row, 1, v*k.bytes)
		if k.squares {
			k.mul(m, k.val[set], k.product)
			k.fmadd(m, k.product, k.acc[set][v])
			continue
		}
		k.fmadd(m, k.val[set], k.acc[set][v])
	}
}
