package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A tile is transposed by squares within the 16-byte lanes of registers. With
// side elements in a lane, register r of a group holds in lane q side columns
// of row r+q*side; after the squares have been transposed, register s holds in
// lane q column s of rows q*side and on, so that a group of side registers is
// side columns of side*lanes rows.

// transposer has what pack and unpack share.
type transposer struct {
	*gen
	side, lanes int
	rows, out   []reg.VecPhysical
	scratch     []reg.VecPhysical

	src, tile, ld, ld3 reg.GPVirtual
	part               []reg.GPVirtual // first row of each lane
}

func newTransposer(g *gen) *transposer {
	side, lanes := lane/g.size, g.bytes/lane
	t := &transposer{gen: g, side: side, lanes: lanes,
		rows: g.file[:side], out: g.file[side : 2*side], scratch: g.file[2*side : 3*side]}
	for range lanes {
		t.part = append(t.part, g.GP64())
	}
	return t
}

// pack turns columns of rows of a tall factor into rows of a tile.
func (g *gen) pack() {
	g.begin("pack", fmt.Sprintf("writes %d*columns columns of %d*groups rows of src to a tile.", lane/g.size, g.bytes/g.size),
		"func(groups, columns int, src *%[1]s, ld int, tile *%[1]s)")
	t := newTransposer(g)
	t.loops("src", func() {
		for r := range t.side {
			t.load(t.row(0, r), t.rows[r].AsX())
			for q := 1; q < t.lanes; q++ {
				t.insert(q, t.row(q, r), t.rows[r])
			}
		}
		t.squares()
		for s := range t.side {
			t.load(t.out[s], at(t.tile, s*tileBytes))
		}
	})
}

// unpack is the inverse of pack.
func (g *gen) unpack() {
	g.begin("unpack", fmt.Sprintf("writes %d*columns rows of a tile, %d*groups elements long, to columns of dst.", lane/g.size, g.bytes/g.size),
		"func(groups, columns int, tile, dst *%[1]s, ld int)")
	t := newTransposer(g)
	t.loops("dst", func() {
		for s := range t.side {
			t.load(at(t.tile, s*tileBytes), t.rows[s])
		}
		t.squares()
		for r := range t.side {
			t.load(t.out[r].AsX(), t.row(0, r))
			for q := 1; q < t.lanes; q++ {
				t.extract(q, t.out[r], t.row(q, r))
			}
		}
	})
}

// loops does body for each group of rows and, within, of columns of the tall
// operand.
func (t *transposer) loops(tall string, body func()) {
	groups, columns := t.param("groups"), t.GP64()
	t.src, t.tile, t.ld = t.param(tall), t.param("tile"), t.stride("ld")
	t.ld3 = t.GP64()
	t.LEAQ(indexed(t.ld, t.ld, 2, 0), t.ld3)
	tile := t.tile
	t.tile = t.GP64()
	t.Label("group")
	t.MOVQ(tile, t.tile)
	for q, p := range t.part {
		if q == 0 {
			t.MOVQ(t.src, p)
		} else {
			t.LEAQ(indexed(t.part[q-1], t.ld, uint8(t.side), 0), p)
		}
	}
	t.LEAQ(indexed(t.part[t.lanes-1], t.ld, uint8(t.side), 0), t.src)
	t.Context.Load(t.Param("columns"), columns)
	t.Label("column")
	body()
	for _, p := range t.part {
		t.ADDQ(imm(lane), p)
	}
	t.ADDQ(imm(t.side*tileBytes), t.tile)
	t.DECQ(columns)
	t.JNE(operand.LabelRef("column"))
	t.ADDQ(imm(t.bytes), tile)
	t.DECQ(groups)
	t.JNE(operand.LabelRef("group"))
	t.ret()
}

// row is the part of row r+q*side that stands in lane q.
func (t *transposer) row(q, r int) operand.Mem {
	switch r {
	case 0:
		return at(t.part[q], 0)
	case 3:
		return indexed(t.part[q], t.ld3, 1, 0)
	default:
		return indexed(t.part[q], t.ld, uint8(r), 0)
	}
}

// squares transposes rows to out within lanes.
func (t *transposer) squares() {
	r, o, u := t.rows, t.out, t.scratch
	if t.side == 2 {
		t.VUNPCKLPD(r[1], r[0], o[0])
		t.VUNPCKHPD(r[1], r[0], o[1])
		return
	}
	t.VUNPCKLPS(r[1], r[0], u[0])
	t.VUNPCKHPS(r[1], r[0], u[1])
	t.VUNPCKLPS(r[3], r[2], u[2])
	t.VUNPCKHPS(r[3], r[2], u[3])
	t.VUNPCKLPD(u[2], u[0], o[0])
	t.VUNPCKHPD(u[2], u[0], o[1])
	t.VUNPCKLPD(u[3], u[1], o[2])
	t.VUNPCKHPD(u[3], u[1], o[3])
}

// insert loads lane q of a register.
func (t *transposer) insert(q int, m operand.Mem, r reg.VecPhysical) {
	if t.bytes == 64 {
		t.VINSERTF32X4(operand.Imm(uint64(q)), m, r, r)
		return
	}
	t.VINSERTF128(operand.Imm(uint64(q)), m, r, r)
}

// extract stores lane q of a register.
func (t *transposer) extract(q int, r reg.VecPhysical, m operand.Mem) {
	if t.bytes == 64 {
		t.VEXTRACTF32X4(operand.Imm(uint64(q)), r, m)
		return
	}
	t.VEXTRACTF128(operand.Imm(uint64(q)), r, m)
}

// residual sums squares over the rows of a tile: of d where w > 0 or d < 0,
// added to pg, and of c, added to cc. It returns the sum of w*(d-c).
func (g *gen) residual() {
	g.begin("residual", "adds to pg and cc, one number a component, the squares of the projected gradient and of c.",
		"func(k int, w, c, d *%[1]s, pg, cc *float64) float64")
	k, w, c, d := g.param("k"), g.param("w"), g.param("c"), g.param("d")
	out := [2]reg.GPVirtual{g.param("pg"), g.param("cc")}
	sums, zero := [2]reg.VecPhysical{g.file[0], g.file[1]}, g.file[2]
	x, y, z := g.file[3], g.file[4], g.file[5]
	part, dot := g.file[8], g.file[9]
	g.zero(zero)
	g.zero(dot)
	g.Label("component")
	for _, s := range sums {
		g.zero(s)
	}
	g.zero(part)
	for v := 0; v < tileBytes; v += g.bytes {
		g.load(at(d, v), x)
		g.load(at(w, v), y)
		g.load(at(c, v), z)
		g.fmadd(z, z, sums[1])
		g.sub(z, x, z)
		g.fmadd(z, y, part)
		g.clearWhere(y, zero, x, g.file[6], g.file[7])
		g.fmadd(x, x, sums[0])
	}
	for i, s := range sums {
		g.sum(s, x)
		if g.size == 4 {
			g.VCVTSS2SD(s.AsX(), s.AsX(), s.AsX())
		}
		g.VADDSD(at(out[i], 0), s.AsX(), s.AsX())
		g.VMOVSD(s.AsX(), at(out[i], 0))
		g.ADDQ(imm(8), out[i])
	}
	g.sum(part, x)
	if g.size == 4 {
		g.VCVTSS2SD(part.AsX(), part.AsX(), part.AsX())
	}
	g.VADDSD(part.AsX(), dot.AsX(), dot.AsX())
	for _, p := range []reg.GPVirtual{w, c, d} {
		g.ADDQ(imm(tileBytes), p)
	}
	g.DECQ(k)
	g.JNE(operand.LabelRef("component"))
	g.Store(dot.AsX(), g.ReturnIndex(0))
	g.ret()
}

// Predicates of VCMPPS.
const (
	lessThan    = 0x11 // LT_OQ
	greaterThan = 0x1e // GT_OQ
)

// clearWhere makes d zero unless w > 0 or d < 0.
func (g *gen) clearWhere(w, zero, d, a, b reg.VecPhysical) {
	compare := g.VCMPPS
	if g.size == 8 {
		compare = g.VCMPPD
	}
	if g.bytes == 64 {
		compare(operand.Imm(greaterThan), zero, w, reg.K1)
		compare(operand.Imm(lessThan), zero, d, reg.K2)
		g.KORW(reg.K1, reg.K2, reg.K1)
		if g.size == 4 {
			g.VMOVAPS_Z(d, reg.K1, d)
		} else {
			g.VMOVAPD_Z(d, reg.K1, d)
		}
		return
	}
	compare(operand.Imm(greaterThan), zero, w, a)
	compare(operand.Imm(lessThan), zero, d, b)
	g.VORPS(a, b, a)
	g.VANDPS(a, d, d)
}
