package main

import (
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// newton generates the elementwise parts of scaled Newton steps of a tile.
func (g *gen) newton() {
	g.overTile("newtonModel", "is NewtonModel.", "keep", "w num den curve d z target", "most", func(t *tileLoop) {
		most := g.none()
		zero := g.none()
		t.each(func() {
			root, z, d, target := g.vec(), g.vec(), g.vec(), g.vec()
			g.sqrt(t.of("curve"), root)
			g.load(root, t.of("curve"))
			g.mul(t.scalar("keep"), root, z)
			g.mul(t.of("w"), z, z)
			g.load(z, t.of("z"))
			g.max(z, most, most)
			g.load(t.of("den"), d)
			g.load(t.of("num"), target)
			g.sub(target, d, d)
			g.sub(t.of("den"), target, target)
			g.load(d, t.of("d"))
			g.div(root, target, target)
			g.keep(g.compare(greaterThan, zero, root), target)
			g.load(target, t.of("target"))
		})
		g.load(most, t.row("most"))
	})
	g.overTile("newtonStep", "is NewtonStep.", "keep snap", "d root z w", "most", func(t *tileLoop) {
		limit, zero := g.vec(), g.none()
		g.mul(t.row("most"), t.scalar("snap"), limit)
		t.each(func() {
			root, old, z, back, d := g.vec(), g.vec(), g.vec(), g.vec(), g.vec()
			g.load(t.of("root"), root)
			g.load(t.of("w"), old)
			g.load(t.of("z"), z)
			g.load(t.of("d"), d)
			// The product is that of NewtonModel: a z that stayed moves nothing.
			g.mul(t.scalar("keep"), root, back)
			g.mul(old, back, back)
			g.sub(back, z, z)
			g.div(root, z, z)
			g.add(old, z, z)
			g.max(z, zero, z)
			curved := g.compare(greaterThan, zero, root)
			g.where(curved, z, old)
			// What is small in units of the model; all is where it has none.
			size, small := g.con(-1), g.vec()
			g.mul(old, root, small)
			g.where(curved, small, size)
			snapped := g.copyOf(old)
			g.where(g.compare(greaterThan, zero, d), zero, snapped)
			g.where(g.compare(lessThan, limit, size), snapped, old)
			t.storeFinite(old, zero)
		})
	})
	g.overTile("slope", "is Slope.", "", "num den w old", "sums", func(t *tileLoop) {
		sum := g.none()
		t.each(func() {
			d, e := g.vec(), g.vec()
			g.load(t.of("den"), d)
			g.sub(t.of("num"), d, d)
			g.load(t.of("w"), e)
			g.sub(t.of("old"), e, e)
			g.fmadd(e, d, sum)
		})
		g.load(sum, t.row("sums"))
	})
	g.overTile("lengthen", "is Lengthen.", "least", "old w", "by", func(t *tileLoop) {
		by, zero := g.vec(), g.none()
		g.load(t.row("by"), by)
		whole := g.compare(equal, g.con(1), by)
		t.each(func() {
			w, v, e, least := g.vec(), g.vec(), g.vec(), g.vec()
			g.load(t.of("w"), w)
			g.load(t.of("old"), v)
			g.sub(v, w, e)
			g.fmadd(by, e, v)
			g.mul(t.scalar("least"), w, least)
			g.max(v, least, v)
			g.where(whole, w, v)
			t.storeFinite(v, zero)
		})
	})
	g.run("absorb", "is Absorb.", []string{"decay", "share"}, "c scale spread h sums total", "toH toSums toTotal", func(s, in []reg.VecVirtual) []reg.VecVirtual {
		m, scale, h, n, sum := in[0], in[1], in[2], in[4], in[5]
		g.mul(in[3], m, m)
		g.mul(s[0], n, n)
		g.add(m, n, n)
		g.add(m, sum, sum)
		g.mul(s[1], h, h)
		g.fmadd(n, scale, h)
		return []reg.VecVirtual{h, n, sum}
	})
}

// tileLoop is a loop over the components of a tile, for one vector of its rows
// after another. Tiles have an element for each row and component, rows one for
// each row.
type tileLoop struct {
	*gen
	scalars, pointers map[string]reg.Register
	// at is where the component begins, in bytes, and end what lies behind the
	// last.
	at, end reg.GPVirtual
}

// overTile generates a function whose arguments are the number of components, the
// scalars, the tiles and the rows. body does one vector of rows; w is the tile
// that storeFinite writes.
func (g *gen) overTile(name, doc, scalars, tiles, rows string, body func(t *tileLoop)) {
	params := []string{"k int"}
	if scalars != "" {
		params = append(params, strings.Join(strings.Fields(scalars), ", ")+" %[1]s")
	}
	pointers := strings.Fields(tiles + " " + rows)
	g.begin(name, doc, "func("+strings.Join(append(params, strings.Join(pointers, ", ")+" *%[1]s"), ", ")+")")
	t := &tileLoop{gen: g, scalars: map[string]reg.Register{}, pointers: map[string]reg.Register{}, at: g.GP64(), end: g.param("k")}
	for _, s := range strings.Fields(scalars) {
		r := g.vec()
		g.broadcast(g.memory(s), r)
		t.scalars[s] = r
	}
	for _, p := range pointers {
		t.pointers[p] = g.param(p)
	}
	g.SHLQ(operand.Imm(8), t.end) // tileBytes
	left := g.GP64()
	g.MOVQ(imm(tileBytes/g.bytes), left)
	g.Label("rows")
	body(t)
	for _, p := range pointers {
		g.ADDQ(imm(g.bytes), t.pointers[p])
	}
	g.DECQ(left)
	g.JNE(operand.LabelRef("rows"))
	g.ret()
}

// each does body for each component.
func (t *tileLoop) each(body func()) {
	t.XORQ(t.at, t.at)
	t.Label("component")
	body()
	t.ADDQ(imm(tileBytes), t.at)
	t.CMPQ(t.at, t.end)
	t.JLT(operand.LabelRef("component"))
}

func (t *tileLoop) scalar(name string) reg.Register { return t.scalars[name] }
func (t *tileLoop) of(tile string) operand.Mem      { return indexed(t.pointers[tile], t.at, 1, 0) }
func (t *tileLoop) row(name string) operand.Mem     { return at(t.pointers[name], 0) }

// storeFinite writes v to the tile w, zero where it is not finite, and for -0.
func (t *tileLoop) storeFinite(v, zero reg.VecVirtual) {
	none := t.vec()
	t.sub(v, v, none)
	t.keep(t.compare(equal, zero, none), v)
	t.add(zero, v, v)
	t.load(v, t.of("w"))
}
