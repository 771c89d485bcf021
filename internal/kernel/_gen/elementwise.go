package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elementwise generates the functions of runs of numbers.
func (g *gen) elementwise() {
	g.run("exp", "writes e^x to y.", nil, "x", "y", func(_, in []reg.VecVirtual) []reg.VecVirtual {
		return []reg.VecVirtual{g.e(in[0], nil)}
	})
	g.run("log", "writes ln x to y.", nil, "x", "y", func(_, in []reg.VecVirtual) []reg.VecVirtual {
		return []reg.VecVirtual{g.ln(in[0])}
	})
	g.run("pow", "writes x^p to y, of which x^p at 0 and at infinity are given.", []string{"p", "zero", "infinite"}, "x", "y",
		func(s, in []reg.VecVirtual) []reg.VecVirtual {
			return []reg.VecVirtual{g.raise(s[0], s[1], s[2], in[0])}
		})
	g.run("mul", "writes x*y to z.", nil, "x y", "z", func(_, in []reg.VecVirtual) []reg.VecVirtual {
		g.mul(in[0], in[1], in[0])
		return in[:1]
	})
	g.run("root", "writes √x to y.", nil, "x", "y", func(_, in []reg.VecVirtual) []reg.VecVirtual {
		g.sqrt(in[0], in[0])
		return in
	})
	// -0 counts as 0 where there is a pole.
	g.run("inverse", "writes 1/x to y.", nil, "x", "y", func(_, in []reg.VecVirtual) []reg.VecVirtual {
		g.add(g.none(), in[0], in[0])
		return []reg.VecVirtual{g.over(in[0])}
	})
	g.run("inverseRoot", "writes 1/√x to y.", nil, "x", "y", func(_, in []reg.VecVirtual) []reg.VecVirtual {
		g.add(g.none(), in[0], in[0])
		g.sqrt(in[0], in[0])
		return []reg.VecVirtual{g.over(in[0])}
	})
	g.run("inverseSquare", "writes x^-2 to y.", nil, "x", "y", func(_, in []reg.VecVirtual) []reg.VecVirtual {
		r := g.over(in[0])
		g.div(in[0], r, r)
		return []reg.VecVirtual{r}
	})

	floor := []string{"tiny"}
	g.run("quotient", "writes x/max(r, tiny) to t.", floor, "x r", "t", func(s, in []reg.VecVirtual) []reg.VecVirtual {
		g.div(g.floor(s, in), in[0], in[0])
		return in[:1]
	})
	// num and den of BetaTerms, by their names.
	terms := func(name string, scalars []string, body func(s []reg.VecVirtual, x, r reg.VecVirtual) (num, den reg.VecVirtual)) {
		g.run("terms"+name, "is BetaTerms for this beta.", scalars, "x r", "num den", func(s, in []reg.VecVirtual) []reg.VecVirtual {
			num, den := body(s, in[0], g.floor(s, in))
			return []reg.VecVirtual{num, den}
		})
	}
	terms("0", floor, func(_ []reg.VecVirtual, x, r reg.VecVirtual) (num, den reg.VecVirtual) {
		den = g.over(r)
		g.div(r, x, x)
		g.mul(x, den, x)
		return x, den
	})
	terms("Half", floor, func(_ []reg.VecVirtual, x, r reg.VecVirtual) (num, den reg.VecVirtual) {
		root := g.vec()
		g.sqrt(r, root)
		den = g.over(root)
		g.div(r, x, x)
		g.mul(x, den, x)
		return x, den
	})
	terms("1", floor, func(_ []reg.VecVirtual, x, r reg.VecVirtual) (num, den reg.VecVirtual) {
		g.div(r, x, x)
		return x, g.con(1)
	})
	terms("3Half", floor, func(_ []reg.VecVirtual, x, r reg.VecVirtual) (num, den reg.VecVirtual) {
		den = g.vec()
		g.sqrt(r, den)
		g.div(den, x, x)
		return x, den
	})
	terms("2", floor, func(_ []reg.VecVirtual, x, r reg.VecVirtual) (num, den reg.VecVirtual) { return x, r })
	// What BetaCurve writes for this beta; den is 1 for beta = 1 and not written.
	curve := func(name, out string, body func(x, r reg.VecVirtual) []reg.VecVirtual) {
		g.run("curve"+name, "is BetaCurve for this beta.", floor, "x r", out, func(s, in []reg.VecVirtual) []reg.VecVirtual {
			return body(in[0], g.floor(s, in))
		})
	}
	curve("0", "num den curve", func(x, r reg.VecVirtual) []reg.VecVirtual {
		den := g.over(r)
		g.mul(den, x, x)
		g.mul(den, x, x)
		g.mul(den, x, r)
		g.add(r, r, r)
		return []reg.VecVirtual{x, den, r}
	})
	curve("Half", "num den curve", func(x, r reg.VecVirtual) []reg.VecVirtual {
		g.sqrt(r, r)
		den, inverse := g.over(r), g.vec()
		g.mul(den, den, inverse)
		g.mul(inverse, x, x)
		g.mul(den, x, x)
		g.mul(inverse, x, r)
		g.mulC(1.5, r, r)
		return []reg.VecVirtual{x, den, r}
	})
	curve("1", "num curve", func(x, r reg.VecVirtual) []reg.VecVirtual {
		inverse := g.over(r)
		g.mul(inverse, x, x)
		g.mul(inverse, x, r)
		return []reg.VecVirtual{x, r}
	})
	terms("Any", []string{"tiny", "p", "infinite"}, func(s []reg.VecVirtual, x, r reg.VecVirtual) (num, den reg.VecVirtual) {
		// r is above 0.
		den = g.raise(s[1], s[1], s[2], r)
		g.div(r, x, x)
		g.mul(x, den, x)
		return x, den
	})
}

// none is zero in a new register.
func (g *gen) none() reg.VecVirtual {
	r := g.vec()
	g.xor(r, r, r)
	return r
}

// over is 1/x.
func (g *gen) over(x reg.Register) reg.VecVirtual {
	r := g.con(1)
	g.div(x, r, r)
	return r
}

// floor makes r, the second operand, max(r, tiny); NaN stays NaN.
func (g *gen) floor(scalars, in []reg.VecVirtual) reg.VecVirtual {
	g.max(in[1], scalars[0], in[1])
	return in[1]
}

// run generates a function of n elements: it does body for each vector of the
// operands that in names, and writes its results to those that out names. The
// last, partial vector is loaded and stored under a mask, so that nothing
// beyond n elements is touched. The scalars come in all lanes of a register.
func (g *gen) run(name, doc string, scalars []string, in, out string, body func(scalars, in []reg.VecVirtual) []reg.VecVirtual) {
	l := g.newLoop(name, doc, scalars, in, out, "")
	l.each(func(operands []reg.VecVirtual, mask reg.Register) {
		for i, r := range body(l.scalars, operands) {
			l.store(mask, r, l.out[i])
		}
	})
	g.ret()
}

// loop is over the vectors of runs of numbers. They lie in memory as those of
// another generator, which may be shorter.
type loop struct {
	*gen
	from    *gen
	n       reg.GPVirtual
	in, out []reg.GPVirtual
	scalars []reg.VecVirtual
}

// newLoop begins a function of runs.
func (g *gen) newLoop(name, doc string, scalars []string, in, out, result string) *loop {
	ins, outs := strings.Fields(in), strings.Fields(out)
	params := []string{"n int"}
	if len(scalars) > 0 {
		params = append(params, strings.Join(scalars, ", ")+" %[1]s")
	}
	params = append(params, strings.Join(append(ins, outs...), ", ")+" *%[1]s")
	g.begin(name, doc, "func("+strings.Join(params, ", ")+")"+result)
	l := &loop{gen: g, from: g, n: g.param("n")}
	for _, s := range scalars {
		r := g.vec()
		g.broadcast(g.memory(s), r)
		l.scalars = append(l.scalars, r)
	}
	for _, p := range ins {
		l.in = append(l.in, g.param(p))
	}
	for _, p := range outs {
		l.out = append(l.out, g.param(p))
	}
	return l
}

// each does body for each vector of the operands; mask is nil for whole ones.
func (l *loop) each(body func(in []reg.VecVirtual, mask reg.Register)) {
	lanes := l.bytes / l.size
	l.SUBQ(imm(lanes), l.n)
	l.JLT(operand.LabelRef("tail"))
	l.Label("vector")
	l.part(nil, body)
	for _, p := range append(append([]reg.GPVirtual(nil), l.in...), l.out...) {
		l.ADDQ(imm(lanes*l.from.size), p)
	}
	l.SUBQ(imm(lanes), l.n)
	l.JGE(operand.LabelRef("vector"))
	l.Label("tail")
	l.ADDQ(imm(lanes), l.n)
	l.JEQ(operand.LabelRef("done"))
	l.part(l.first(l.n), body)
	l.Label("done")
}

func (l *loop) part(mask reg.Register, body func(in []reg.VecVirtual, mask reg.Register)) {
	var in []reg.VecVirtual
	for _, p := range l.in {
		r := l.vec()
		switch {
		case l.from.size == l.size:
			l.loadPart(mask, at(p, 0), r)
		case l.bytes == 64:
			l.from.loadPart(mask, at(p, 0), r.AsY())
			l.VCVTPS2PD(r.AsY(), r)
		case mask == nil:
			l.VCVTPS2PD(at(p, 0), r)
		default:
			l.from.loadPart(l.from.firstHalf(l.n).AsX(), at(p, 0), r.AsX())
			l.VCVTPS2PD(r.AsX(), r)
		}
		in = append(in, r)
	}
	body(in, mask)
}

func (l *loop) store(mask reg.Register, r reg.VecVirtual, p reg.GPVirtual) {
	switch {
	case mask == nil:
		l.load(r, at(p, 0))
	case l.bytes == 64:
		l.load(r, mask, at(p, 0))
	default:
		l.maskedMove(r, mask, at(p, 0))
	}
}

// loadPart loads the elements of a mask, and zero for the others.
func (g *gen) loadPart(mask reg.Register, m operand.Mem, r reg.Register) {
	switch {
	case mask == nil:
		g.load(m, r)
	case g.bytes == 64:
		g.movePart(m, mask, r)
	default:
		g.maskedMove(m, mask, r)
	}
}

func (g *gen) maskedMove(from, mask, to operand.Op) {
	if g.single() {
		g.VMASKMOVPS(from, mask, to)
	} else {
		g.VMASKMOVPD(from, mask, to)
	}
}

// first is the mask of the first n elements, for n from 1 to less than a
// vector has.
func (g *gen) first(n reg.GPVirtual) reg.Register {
	if g.bytes == 64 {
		table := g.GP64()
		g.LEAQ(g.table("firstBits", 16, func(i int) operand.Constant { return operand.U16(1<<i - 1) }), table)
		k := g.K()
		g.KMOVW(indexed(table, n, 2, 0), k)
		return k
	}
	return g.firstHalf(n)
}

// firstHalf is the mask in a register, of which the lower half holds for half
// a vector.
func (g *gen) firstHalf(n reg.GPVirtual) reg.VecVirtual {
	table, from := g.GP64(), g.GP64()
	g.LEAQ(g.maskTable(), table)
	g.MOVQ(imm(32/g.size), from)
	g.SUBQ(n, from)
	m := g.YMM()
	g.load(indexed(table, from, uint8(g.size), 0), m)
	return m
}

// maskTable is a vector of elements with all bits set, and one of zeros.
func (g *gen) maskTable() operand.Mem {
	lanes := 32 / g.size
	return g.table("first"+g.element.suffix, 2*lanes, func(i int) operand.Constant {
		switch {
		case i >= lanes && g.single():
			return operand.U32(0)
		case i >= lanes:
			return operand.U64(0)
		case g.single():
			return operand.U32(1<<32 - 1)
		default:
			return operand.U64(1<<64 - 1)
		}
	})
}

// table is a table in memory, made once.
func (g *gen) table(name string, n int, entry func(i int) operand.Constant) operand.Mem {
	if m, ok := g.constants[name]; ok {
		return m
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range n {
		g.AppendDatum(entry(i))
	}
	g.constants[name] = m
	return m
}

// memory is where an argument lies.
func (g *gen) memory(name string) operand.Mem {
	arg, err := g.Param(name).Resolve()
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return arg.Addr
}
