package solver

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
)

// Solve brings every row of the tile to a KKT residual
// ‖projected gradient‖ / ‖c‖ of at most tol: coordinate descent, which is
// cheap and shared by the tile, and block principal pivoting for the rows that
// it leaves. It returns the largest residual of a row. D is the gradient.
func Solve[F kernel.Float](g *Gram[F], t *Tile[F], tol float64) float64 {
	const rounds, sweepsARound = 12, 8
	worst, late := t.check(g, tol)
	for round := 0; round < rounds && worst > tol; round++ {
		for range sweepsARound {
			t.ops.Sweep(t.K, t.W, t.C, g.G, g.Ld, g.inv)
		}
		worst, late = t.check(g, tol)
	}
	if worst > tol {
		t.solveBPP(g, late)
		worst, _ = t.check(g, tol)
	}
	return worst
}

// check fills D and gives the largest KKT residual of a row and the rows
// beyond tol.
func (t *Tile[F]) check(g *Gram[F], tol float64) (worst float64, late []int) {
	t.zeroRows()
	t.Gradient(g)
	res := t.RowResiduals()
	late = t.bpp.rows[:0]
	for i, r := range res {
		worst = max(worst, r)
		if r > tol {
			late = append(late, i)
		}
	}
	t.bpp.rows = late
	return worst, late
}

// zeroRows makes the rows zero whose cross product is zero: that is their
// solution, which coordinate descent only comes ever closer to.
func (t *Tile[F]) zeroRows() {
	rows := kernel.TileRows[F]()
	var largest [64]F
	for j := range t.K {
		for i, v := range t.C[j*rows : j*rows+t.Rows] {
			largest[i] = max(largest[i], v, -v)
		}
	}
	for i, v := range largest[:t.Rows] {
		if v == 0 {
			for j := range t.K {
				t.W[j*rows+i] = 0
			}
		}
	}
}

// RowResiduals gives the KKT residual of every row of the tile; 0 where the
// cross product is zero, for then the solution is zero. D must be the
// gradient.
func (t *Tile[F]) RowResiduals() []float64 {
	rows := kernel.TileRows[F]()
	var pg, cc [64]float64
	for j := range t.K {
		w, c, d := t.W[j*rows:], t.C[j*rows:], t.D[j*rows:]
		for i := range t.Rows {
			v := float64(d[i])
			if w[i] > 0 || v < 0 {
				pg[i] += v * v
			}
			cc[i] += float64(c[i]) * float64(c[i])
		}
	}
	for i := range t.Rows {
		if cc[i] > 0 {
			pg[i] = math.Sqrt(pg[i] / cc[i])
		}
	}
	t.residuals = append(t.residuals[:0], pg[:t.Rows]...)
	return t.residuals
}
