package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tier is an instruction set with the shapes that are generated for it.
type tier struct {
	// name is that of the files, suffix ends the names of functions.
	name, suffix string
	// bytes is the length of a vector register, file the registers.
	bytes int
	file  []reg.VecPhysical
	// mulAdd lists the register tiles of MulAdd, gather the numbers of
	// vectors that Gather, GatherRows, ScatterRows and Dots keep in registers, quotient those
	// of GatherQuotient.
	mulAdd   []shape
	gather   []int
	quotient []int
	// gram lists the register tiles of GatherGram.
	gram []shape
	// sweepRows is the number of components that Sweep takes at once.
	sweepRows int
}

// shape is a register tile: rows x vectors accumulators.
type shape struct{ rows, vectors int }

var tiers = []tier{
	{
		name: "avx512", suffix: "AVX512", bytes: 64,
		file: []reg.VecPhysical{
			reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
			reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
			reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
			reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
		},
		mulAdd:    []shape{{16, 1}, {12, 2}, {8, 3}, {8, 1}, {8, 2}},
		gather:    []int{1, 2, 3, 4, 5, 6, 7, 8},
		quotient:  []int{1, 2, 3, 4, 5, 6, 7, 8},
		gram:      []shape{{8, 1}, {8, 2}, {8, 3}},
		sweepRows: 4,
	},
	{
		name: "avx2", suffix: "AVX2", bytes: 32,
		file: []reg.VecPhysical{
			reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
			reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
		},
		mulAdd:    []shape{{6, 2}},
		gather:    []int{2, 4, 6},
		quotient:  []int{2, 4},
		gram:      []shape{{4, 2}},
		sweepRows: 2,
	},
}

// element is float32 or float64.
type element struct {
	name, suffix string
	size         int
}

var elements = []element{{"float32", "F32", 4}, {"float64", "F64", 8}}

// tileBytes is the length of a tile's row: TileRows elements.
const tileBytes = 256

// lane is the length of the parts of a register that shuffles stay within.
const lane = 16

// gen writes the functions of one tier and element. The instructions that
// differ by element stand as functions.
type gen struct {
	*build.Context
	tier
	element
	// constants are those that the file has, by name.
	constants map[string]operand.Mem

	fmadd, fnmadd, add, sub, mul, max, xor func(...operand.Op)
	load, broadcast                        func(...operand.Op)
	// scalarLoad and scalarCompare are for one element in an XMM register.
	scalarLoad, scalarAdd func(...operand.Op)
	scalarCompare         func(operand.Op, operand.Op)
}

func newGen(ctx *build.Context, t tier, e element, constants map[string]operand.Mem) *gen {
	g := &gen{Context: ctx, tier: t, element: e, constants: constants}
	if e.size == 4 {
		g.fmadd, g.fnmadd, g.add, g.sub, g.mul, g.max, g.xor = ctx.VFMADD231PS, ctx.VFNMADD231PS, ctx.VADDPS, ctx.VSUBPS, ctx.VMULPS, ctx.VMAXPS, ctx.VXORPS
		g.load, g.broadcast = ctx.VMOVUPS, ctx.VBROADCASTSS
		g.scalarLoad, g.scalarAdd, g.scalarCompare = ctx.VMOVSS, ctx.VADDSS, func(a, b operand.Op) { ctx.VUCOMISS(a, b) }
	} else {
		g.fmadd, g.fnmadd, g.add, g.sub, g.mul, g.max, g.xor = ctx.VFMADD231PD, ctx.VFNMADD231PD, ctx.VADDPD, ctx.VSUBPD, ctx.VMULPD, ctx.VMAXPD, ctx.VXORPD
		g.load, g.broadcast = ctx.VMOVUPD, ctx.VBROADCASTSD
		g.scalarLoad, g.scalarAdd, g.scalarCompare = ctx.VMOVSD, ctx.VADDSD, func(a, b operand.Op) { ctx.VUCOMISD(a, b) }
	}
	return g
}

// begin starts a function called name, with its element and tier appended.
// In the signature, F stands for the element type.
func (g *gen) begin(name, doc, signature string) {
	g.Function(name + g.element.suffix + g.tier.suffix)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr(fmt.Sprintf(signature, g.element.name))
	g.Doc(name + g.element.suffix + g.tier.suffix + " " + doc)
	g.Pragma("noescape")
}

// param loads an argument into a new register.
func (g *gen) param(name string) reg.GPVirtual {
	r := g.GP64()
	g.Context.Load(g.Param(name), r)
	return r
}

// stride loads an argument that counts elements and makes it bytes.
func (g *gen) stride(name string) reg.GPVirtual {
	r := g.param(name)
	g.SHLQ(operand.Imm(uint64(g.shift())), r)
	return r
}

// shift is the binary logarithm of the element's size.
func (g *gen) shift() int {
	if g.size == 4 {
		return 2
	}
	return 3
}

// zero clears a register.
func (g *gen) zero(r reg.VecPhysical) { g.xor(r, r, r) }

// at is the memory at base+offset.
func at(base reg.Register, offset int) operand.Mem { return operand.Mem{Base: base, Disp: offset} }

// indexed is the memory at base+index*scale+offset.
func indexed(base, index reg.Register, scale uint8, offset int) operand.Mem {
	return operand.Mem{Base: base, Index: index, Scale: scale, Disp: offset}
}

// imm is a constant operand.
func imm(n int) operand.Op { return operand.U32(uint32(n)) }

// parts is a vector register and its lower halves.
type parts interface {
	reg.Register
	AsX() reg.Register
	AsY() reg.Register
}

// sum leaves the sum of the elements of r in its lowest; other is overwritten.
func (g *gen) sum(r, other parts) {
	if g.bytes == 64 {
		g.VEXTRACTF64X4(operand.Imm(1), r, other.AsY())
		g.add(other.AsY(), r.AsY(), r.AsY())
	}
	g.highLane(r.AsY(), other.AsX())
	g.add(other.AsX(), r.AsX(), r.AsX())
	g.VPERMILPD(operand.Imm(1), r.AsX(), other.AsX())
	g.add(other.AsX(), r.AsX(), r.AsX())
	if g.size == 4 {
		g.VPERMILPS(operand.Imm(1), r.AsX(), other.AsX())
		g.add(other.AsX(), r.AsX(), r.AsX())
	}
}

// highLane gives the upper 16 bytes of 32. AVX2's instruction has names for 16
// registers only.
func (g *gen) highLane(r, to reg.Register) {
	if g.bytes == 64 {
		g.VEXTRACTF32X4(operand.Imm(1), r, to)
		return
	}
	g.VEXTRACTF128(operand.Imm(1), r, to)
}

// count is the name of a function for a number of vectors.
func count(name string, n int) string { return fmt.Sprintf("%s%d", name, n) }

// ret ends a function: the upper halves of the registers are cleared, for SSE
// code that follows would otherwise be slow on some processors.
func (g *gen) ret() {
	g.VZEROUPPER()
	g.RET()
}
