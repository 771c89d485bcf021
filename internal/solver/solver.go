// Package solver holds the row updates: given the cross product c (1 x k) and
// the Gram matrix G (k x k) of the other factor, each improves a row w of a
// tall factor on
//
//	minimise ½ w G wᵀ − c wᵀ over w ≥ 0.
//
// Rows come as tiles (package kernel): k x TileRows, component-major. A new
// solver is one file here and its line in the table of New.
package solver

import (
	"fmt"
	"math"

	"github.com/partsof/nmf/internal/kernel"
)

// Gram is the Gram matrix of the factor that is held fixed, shared by all
// tiles of a half-step.
type Gram[F kernel.Float] struct {
	K, Ld int
	// G is K x K, symmetric, its rows Ld = Pad(K) apart.
	G []F
	// inv is 1/G[j,j], or 0 where the diagonal is zero or so small that this
	// overflows.
	inv []F
}

// NewGram returns room for a k x k Gram matrix.
func NewGram[F kernel.Float](k int) *Gram[F] {
	ld := kernel.Pad[F](k)
	return &Gram[F]{K: k, Ld: ld, G: make([]F, k*ld), inv: make([]F, k)}
}

// Ready must be called after G is filled and before it is used.
func (g *Gram[F]) Ready() {
	for j := range g.K {
		g.inv[j] = 0
		if inv := 1 / g.G[j*g.Ld+j]; inv > 0 && !math.IsInf(float64(inv), 0) {
			g.inv[j] = inv
		}
	}
}

// Diag gives G[j,j], the squared norm of component j of the fixed factor; 0
// where it is too small for the component to have any effect.
func (g *Gram[F]) Diag(j int) float64 {
	if g.inv[j] == 0 {
		return 0
	}
	return float64(g.G[j*g.Ld+j])
}

// Tile is up to TileRows rows of the factor that is updated, with scratch for
// them. A worker owns one and uses it again for every tile.
type Tile[F kernel.Float] struct {
	// K components, Rows used columns.
	K, Rows int
	// W and C are the factor's rows and their cross products, K x TileRows.
	W, C []F
	// D is the gradient G·W − C after Gradient.
	D []F

	ops       *kernel.Ops[F]
	minus     []F // -1, as many as W has
	bpp       bppScratch
	residuals []float64
}

// NewTile returns a tile for up to maxK components.
func NewTile[F kernel.Float](ops *kernel.Ops[F], maxK int) *Tile[F] {
	size := maxK * kernel.TileRows[F]()
	t := &Tile[F]{W: make([]F, size), C: make([]F, size), D: make([]F, size), minus: make([]F, size), ops: ops}
	for i := range t.minus {
		t.minus[i] = -1
	}
	return t
}

// Load fills the tile from rows of a tall factor w and of its cross products
// c, each row-major with its own leading dimension.
func (t *Tile[F]) Load(rows, k int, w []F, ldw int, c []F, ldc int) {
	t.K, t.Rows = k, rows
	t.ops.Pack(rows, k, w, ldw, t.W)
	t.ops.Pack(rows, k, c, ldc, t.C)
}

// Use makes the tile rows that stand in tiles, in their own memory: w and their cross
// products c, K x TileRows. Load must not be called after it.
func (t *Tile[F]) Use(rows, k int, w, c []F) { t.K, t.Rows, t.W, t.C = k, rows, w, c }

// Store writes W back.
func (t *Tile[F]) Store(w []F, ldw int) { t.ops.Unpack(t.Rows, t.K, t.W, w, ldw) }

// StoreCross writes C back.
func (t *Tile[F]) StoreCross(c []F, ldc int) { t.ops.Unpack(t.Rows, t.K, t.C, c, ldc) }

// Gradient fills D with G·W − C.
func (t *Tile[F]) Gradient(g *Gram[F]) {
	n := t.K * kernel.TileRows[F]()
	d := t.D[:n]
	t.ops.Mul(t.C[:n], t.minus[:n], d)
	t.mulGram(g, d)
}

// mulGram adds G·W to dst.
func (t *Tile[F]) mulGram(g *Gram[F], dst []F) {
	rows := kernel.TileRows[F]()
	t.ops.MulAdd(g.K, rows, g.K, g.G, g.Ld, 1, t.W, rows, dst, rows)
}

// Residual adds the squared norms of the projected gradient and of the cross
// product to pg and cc, a number for each component, and returns ⟨W, GW⟩ −
// 2⟨W, C⟩, the tile's part of the loss that depends on W, doubled. D must be
// the gradient.
func (t *Tile[F]) Residual(pg, cc []float64) (dot float64) {
	return t.ops.Residual(t.K, t.W, t.C, t.D, pg, cc)
}

// Solver is one way to update a tile.
type Solver[F kernel.Float] interface {
	// Update improves t.W in place: it stays non-negative and finite, and the
	// objective of no row rises beyond rounding. sweeps bounds the inner
	// repetitions of solvers that repeat cheap steps.
	Update(g *Gram[F], t *Tile[F], sweeps int)
}

// New gives the solver of a name.
func New[F kernel.Float](name string) (Solver[F], error) {
	switch name {
	case "hals":
		return hals[F]{}, nil
	case "bpp":
		return bpp[F]{}, nil
	case "mu":
		return mu[F]{}, nil
	}
	return nil, fmt.Errorf("unknown solver %q", name)
}

// Names lists the solvers.
func Names() []string { return []string{"hals", "bpp", "mu"} }
