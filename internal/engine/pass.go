package engine

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/solver"
)

// gradientSums are sums of squares by component: of the projected gradient and
// of the cross product.
type gradientSums struct{ pg, cc []float64 }

func newGradientSums(k int) gradientSums {
	both := make([]float64, 2*k)
	return gradientSums{both[:k:k], both[k:]}
}

func (g gradientSums) reset() {
	clear(g.pg)
	clear(g.cc)
}

func (g gradientSums) add(o gradientSums) {
	for j := range g.pg {
		g.pg[j] += o.pg[j]
		g.cc[j] += o.cc[j]
	}
}

// residual is ‖projected gradient‖ / ‖cross product‖ with component j scaled
// by the square root of ratio[j].
func (g gradientSums) residual(ratio []float64) float64 {
	var pg, cc float64
	for j, r := range ratio {
		pg += r * g.pg[j]
		cc += r * g.cc[j]
	}
	if cc == 0 {
		return 0
	}
	return math.Sqrt(pg / cc)
}

// tileSums keeps what each tile of a loop contributes, so that it can be added
// in the order of the tiles whichever worker made it.
type tileSums struct {
	each []gradientSums
	dot  []float64
}

// reset makes room for n tiles, of as many components as before.
func (t *tileSums) reset(n, k int) {
	if cap(t.each) < n {
		t.each = append(t.each[:cap(t.each)], make([]gradientSums, n-cap(t.each))...)
		t.dot = make([]float64, n, cap(t.each))
	}
	t.each, t.dot = t.each[:n], t.dot[:n]
	for i := range t.each {
		if t.each[i].pg == nil {
			t.each[i] = newGradientSums(k)
		}
		t.each[i].reset()
	}
	clear(t.dot)
}

// addTo adds the tiles to a total, in order, and gives the sum of dot.
func (t *tileSums) addTo(total gradientSums) (dot float64) {
	for i := range t.each {
		total.add(t.each[i])
		dot += t.dot[i]
	}
	return dot
}

// tiles is the number of tiles that rows are divided into.
func tiles[F kernel.Float](rows int) int {
	t := kernel.TileRows[F]()
	return (rows + t - 1) / t
}

// worker is the scratch of one goroutine.
type worker[F kernel.Float] struct {
	tile *solver.Tile[F]
	// c is the cross product of a tile of rows, rows stacked as the factors; where H
	// stands in tiles also rows of H.
	c []F
	// column is a tile of such an H, updated where it stands.
	column *solver.Tile[F]
	// unused takes sums that are not wanted.
	unused []float64
}

func newWorkers[F kernel.Float](ops *kernel.Ops[F], n, maxK, width int) []worker[F] {
	rows, ld := kernel.TileRows[F](), kernel.Pad[F](width)
	ws := make([]worker[F], n)
	for i := range ws {
		ws[i] = worker[F]{tile: solver.NewTile(ops, maxK), c: make([]F, rows*ld), unused: make([]float64, maxK)}
	}
	return ws
}

// gramTasks is the number of tasks that a Gram matrix is divided into.
func gramTasks(k int) int { return (k + gramRows - 1) / gramRows }

const gramRows = 8

// addGram adds the rows of task `task` of t[r0:r1]ᵀ·t[r0:r1], for the k
// columns of t from off, to g.
func addGram[F kernel.Float](ops *kernel.Ops[F], g *solver.Gram[F], t *Tall[F], off, r0, r1, task int) {
	if r1 <= r0 {
		return
	}
	i0, i1 := task*gramRows, min((task+1)*gramRows, g.K)
	ops.MulAdd(i1-i0, g.Ld, r1-r0, t.Data[r0*t.Ld+off+i0:], 1, t.Ld, t.Data[r0*t.Ld+off:], t.Ld, g.G[i0*g.Ld:], g.Ld)
}

// columnChunk is the number of columns of X in a task of the second product, of cols
// that are at hand: few enough that the tasks spread over the workers. No result
// depends on it.
func (d *Data[F]) columnChunk(p *pool, cols int) int {
	const strip = 8
	most := 128
	switch x := d.operand.(type) {
	case *sparseOperand[F]:
		if stripe := x.together(); stripe > 0 {
			return stripe
		}
		most = columnsTogether
	case *sparseStream[F]:
		most = columnsTogether
	}
	each := cols / (4 * p.workers)
	return max(strip, min(most, each/strip*strip))
}
