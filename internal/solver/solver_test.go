package solver

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/partsof/nmf/internal/kernel"
)

// problem is a batch of row problems with one Gram matrix G = AᵀA and cross
// products c = Aᵀb, so that every one of them is bounded below.
type problem struct {
	k    int
	g    []float64   // k x k
	c    [][]float64 // a row each
	size float64     // a bound of the objectives' magnitude
}

// kinds of Gram matrices.
const (
	plain = iota
	illConditioned
	rankDeficient
	duplicates
	zeroColumn
	orthogonal
	kinds
)

// newProblem draws a problem. Half of its vectors b are unrestricted in sign,
// so that solutions have zeros.
func newProblem(rng *rand.Rand, k, rows, kind int) problem {
	const tall = 12
	a := mat.NewDense(tall, k, nil)
	for i := range tall {
		for j := range k {
			a.Set(i, j, rng.Float64())
		}
	}
	switch kind {
	case illConditioned:
		for j := range k {
			s := math.Pow(10, -6*float64(j)/float64(k))
			for i := range tall {
				a.Set(i, j, a.At(i, 0)+s*a.At(i, j))
			}
		}
	case rankDeficient:
		rank := max(1, k/2)
		var b mat.Dense
		mix := mat.NewDense(rank, k, nil)
		for i := range rank {
			for j := range k {
				mix.Set(i, j, rng.Float64())
			}
		}
		b.Mul(a.Slice(0, tall, 0, rank), mix)
		a.Copy(&b)
	case duplicates:
		for j := range k {
			for i := range tall {
				a.Set(i, j, a.At(i, j/2*2))
			}
		}
	case zeroColumn:
		for i := range tall {
			a.Set(i, rng.IntN(k), 0)
		}
		j := rng.IntN(k)
		for i := range tall {
			a.Set(i, j, 0)
		}
	case orthogonal:
		a.Zero()
		for j := range k {
			a.Set(j, j, 1+rng.Float64())
		}
	}
	p := problem{k: k, g: make([]float64, k*k)}
	var g mat.Dense
	g.Mul(a.T(), a)
	for i := range k {
		for j := range k {
			p.g[i*k+j] = g.At(min(i, j), max(i, j))
		}
	}
	for r := range rows {
		b := mat.NewVecDense(tall, nil)
		for i := range tall {
			if r%7 != 6 { // every seventh has a zero cross product
				b.SetVec(i, rng.NormFloat64())
			}
		}
		if r%2 == 1 { // every second lies in the cone of the columns
			z := mat.NewVecDense(k, nil)
			for j := range k {
				z.SetVec(j, max(0, rng.NormFloat64()))
			}
			b.MulVec(a, z)
		}
		var c mat.VecDense
		c.MulVec(a.T(), b)
		p.c = append(p.c, slices.Clone(c.RawVector().Data))
		p.size = max(p.size, mat.Dot(b, b))
	}
	return p
}

// objective is ½ x G xᵀ − c xᵀ.
func (p *problem) objective(c, x []float64) float64 {
	v, _ := p.objectiveAndRounding(c, x)
	return v
}

// objectiveAndRounding also gives the sum of the terms' magnitudes.
func (p *problem) objectiveAndRounding(c, x []float64) (value, size float64) {
	for i, a := range x {
		for j, b := range x {
			t := a * b * p.g[i*p.k+j] / 2
			value += t
			size += math.Abs(t)
		}
		value -= c[i] * a
		size += math.Abs(c[i] * a)
	}
	return value, size
}

// bruteForce is the least objective over all supports. A least point exists
// whose columns of A are independent, so that singular supports are skipped.
func (p *problem) bruteForce(c []float64) float64 {
	best := 0.0
	for set := 1; set < 1<<p.k; set++ {
		var idx []int
		for j := range p.k {
			if set>>j&1 == 1 {
				idx = append(idx, j)
			}
		}
		sub, rhs := mat.NewSymDense(len(idx), nil), mat.NewVecDense(len(idx), nil)
		for a, i := range idx {
			rhs.SetVec(a, c[i])
			for b, j := range idx[:a+1] {
				sub.SetSym(a, b, p.g[i*p.k+j])
			}
		}
		var ch mat.Cholesky
		if !ch.Factorize(sub) || ch.Cond() > 1e13 {
			continue
		}
		var x mat.VecDense
		if ch.SolveVecTo(&x, rhs) != nil {
			continue
		}
		full, feasible := make([]float64, p.k), true
		for a, i := range idx {
			full[i] = x.AtVec(a)
			feasible = feasible && full[i] >= 0
		}
		if feasible {
			best = min(best, p.objective(c, full))
		}
	}
	return best
}

func kindName(kind int) string {
	return [...]string{"plain", "ill-conditioned", "rank-deficient", "duplicates", "zero column", "orthogonal"}[kind]
}

// TestNNLSAgainstBruteForce runs block principal pivoting, and the active-set
// method that stands behind it, from random supports.
func TestNNLSAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 7).Draw(t, "k")
		if rapid.IntRange(0, 19).Draw(t, "large") == 0 {
			k = rapid.IntRange(8, 10).Draw(t, "large k")
		}
		kind := rapid.IntRange(0, kinds-1).Draw(t, "kind")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		checkNNLS(t, newProblem(rng, k, 8, kind), rng, kindName(kind))
	})
}

func TestNNLSTen(t *testing.T) {
	for kind := range kinds {
		rng := rand.New(rand.NewPCG(uint64(kind), 2))
		checkNNLS(t, newProblem(rng, 10, 4, kind), rng, kindName(kind))
	}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkNNLS(t fataler, p problem, rng *rand.Rand, what string) {
	t.Helper()
	var s nnls
	s.setGram(p.k, func(i, j int) float64 { return p.g[i*p.k+j] }, 0x1p-52)
	var single Pivoting
	rows := make([]nnlsRow, len(p.c))
	for i := range rows {
		rows[i].reset(p.k)
		copy(rows[i].c, p.c[i])
		for j := range p.k {
			rows[i].passive[j] = rng.IntN(2) == 0
		}
	}
	s.solve(rows)
	for i := range rows {
		want := p.bruteForce(p.c[i])
		p.checkOptimal(t, p.c[i], rows[i].x, want, what+", pivoting")
		s.lawsonHanson(&rows[i])
		p.checkOptimal(t, p.c[i], rows[i].x, want, what+", active set")
		x := append([]float64(nil), rows[i].y...) // any start
		single.Solve(p.g, p.c[i], x, 0x1p-52)
		p.checkOptimal(t, p.c[i], x, want, what+", pivoting of a single row")
	}
}

func (p *problem) checkOptimal(t fataler, c, x []float64, want float64, what string) {
	t.Helper()
	for j, v := range x {
		if !(v >= 0) || math.IsInf(v, 0) {
			t.Fatalf("%s: x[%d] = %v", what, j, v)
		}
	}
	if got := p.objective(c, x); got > want+1e-9*p.size {
		t.Fatalf("%s: objective %g at %v, the best support gives %g (k = %d)", what, got, x, want, p.k)
	}
}

// loaded puts a problem and a start into a tile. What it returns is the
// problem as the tile's element type sees it.
func loaded[F kernel.Float](p problem, start [][]float64) (*Gram[F], *Tile[F], problem) {
	seen := problem{k: p.k, g: make([]float64, len(p.g)), size: p.size}
	g := NewGram[F](p.k)
	for i := range p.k {
		for j := range p.k {
			v := F(p.g[i*p.k+j])
			g.G[i*g.Ld+j] = v
			seen.g[i*p.k+j] = float64(v)
		}
	}
	g.Ready()
	ld := kernel.Pad[F](p.k)
	n := len(p.c)
	w, c := make([]F, n*ld), make([]F, n*ld)
	for i := range n {
		row := make([]float64, p.k)
		for j := range p.k {
			w[i*ld+j], c[i*ld+j] = F(start[i][j]), F(p.c[i][j])
			row[j] = float64(c[i*ld+j])
		}
		seen.c = append(seen.c, row)
	}
	tile := NewTile(kernel.For[F](), p.k+3)
	tile.Load(n, p.k, w, ld, c, ld)
	return g, tile, seen
}

// rowsOf reads a tile's W back.
func rowsOf[F kernel.Float](t *Tile[F]) [][]float64 {
	flat := make([]F, t.Rows*t.K)
	t.Store(flat, t.K)
	rows := make([][]float64, t.Rows)
	for i := range rows {
		rows[i] = make([]float64, t.K)
		for j := range rows[i] {
			rows[i][j] = float64(flat[i*t.K+j])
		}
	}
	return rows
}

// randomStart has zeros in it.
func randomStart(rng *rand.Rand, rows, k int, scale float64) [][]float64 {
	s := make([][]float64, rows)
	for i := range s {
		s[i] = make([]float64, k)
		for j := range s[i] {
			s[i][j] = max(0, rng.NormFloat64()) * scale
		}
	}
	return s
}

func TestUpdateNeverRaises(t *testing.T) {
	t.Run("float32", func(t *testing.T) { updateNeverRaises[float32](t, 1e-6) })
	t.Run("float64", func(t *testing.T) { updateNeverRaises[float64](t, 1e-14) })
}

// updateNeverRaises takes several steps of every solver: no row's objective
// rises beyond rounding, and columns of the tile beyond its rows stay zero.
func updateNeverRaises[F kernel.Float](t *testing.T, rounding float64) {
	full := kernel.TileRows[F]()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			solve, err := New[F](name)
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				k := rapid.IntRange(1, 20).Draw(t, "k")
				kind := rapid.IntRange(0, kinds-1).Draw(t, "kind")
				if k > 12 && kind == orthogonal || k < 2 && kind == zeroColumn {
					kind = plain
				}
				rows := rapid.SampledFrom([]int{1, 2, full - 1, full}).Draw(t, "rows")
				sweeps := rapid.IntRange(1, 4).Draw(t, "sweeps")
				rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
				p := newProblem(rng, k, rows, kind)
				scale := math.Pow(10, float64(rapid.IntRange(-3, 3).Draw(t, "start scale")))
				g, tile, p := loaded[F](p, randomStart(rng, rows, k, scale))
				before := rowsOf(tile)
				for step := range 3 {
					solve.Update(g, tile, sweeps)
					after := rowsOf(tile)
					for i := range rows {
						for j, v := range after[i] {
							if !(v >= 0) || math.IsInf(v, 0) {
								t.Fatalf("%s, step %d: w[%d, %d] = %v", kindName(kind), step, i, j, v)
							}
						}
						old, size := p.objectiveAndRounding(p.c[i], before[i])
						now := p.objective(p.c[i], after[i])
						if now > old+100*rounding*(size+p.size)*float64(k) {
							t.Fatalf("%s, step %d: objective of row %d rose from %g to %g (terms of %g)", kindName(kind), step, i, old, now, size)
						}
					}
					for j := range k {
						for i := rows; i < full; i++ {
							if tile.W[j*full+i] != 0 {
								t.Fatalf("row %d beyond the %d used is %v", i, rows, tile.W[j*full+i])
							}
						}
					}
					before = after
				}
			})
		})
	}
}

// makePositive gives cross products that multiplicative updates are defined
// for: those of non-negative data.
func makePositive(p problem) {
	for _, c := range p.c {
		for j := range c {
			c[j] = math.Abs(c[j])
			if p.g[j*p.k+j] == 0 {
				c[j] = 0
			}
		}
	}
}

func TestSolveReachesTolerance(t *testing.T) {
	t.Run("float32", func(t *testing.T) {
		solveReachesTolerance[float32](t, 1e-4, []int{plain, zeroColumn, orthogonal, duplicates, rankDeficient})
	})
	t.Run("float64", func(t *testing.T) {
		solveReachesTolerance[float64](t, 1e-8, []int{plain, zeroColumn, orthogonal, duplicates, rankDeficient, illConditioned})
	})
}

// solveReachesTolerance checks the residuals that Solve reports against plain
// ones, and the objective against brute force.
func solveReachesTolerance[F kernel.Float](t *testing.T, tol float64, of []int) {
	full := kernel.TileRows[F]()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 9).Draw(t, "k")
		kind := rapid.SampledFrom(of).Draw(t, "kind")
		rows := rapid.SampledFrom([]int{1, 5, full}).Draw(t, "rows")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
		p := newProblem(rng, k, rows, kind)
		// Data are non-negative: so are their cross products.
		for i, c := range p.c {
			b := make([]float64, k)
			for j := range b {
				b[j] = rng.Float64()
			}
			for j := range c {
				c[j] = 0
				for l := range b {
					c[j] += p.g[j*k+l] * b[l]
				}
			}
			if i%7 == 6 {
				clear(c)
			}
		}
		g, tile, seen := loaded[F](p, randomStart(rng, rows, k, 1))
		before := rowsOf(tile)
		worst := Solve(g, tile, tol)
		if worst > tol {
			t.Fatalf("%s, k = %d: Solve left a residual of %g", kindName(kind), k, worst)
		}
		for i, x := range rowsOf(tile) {
			if r := seen.residual(seen.c[i], x); r > tol*1.01+float64(k)*kernel.Epsilon[F]()*100 {
				t.Fatalf("%s, k = %d: row %d has a residual of %g", kindName(kind), k, i, r)
			}
			old, size := seen.objectiveAndRounding(seen.c[i], before[i])
			if now := seen.objective(seen.c[i], x); now > old+100*float64(k)*kernel.Epsilon[F]()*(size+seen.size) {
				t.Fatalf("%s, k = %d: objective of row %d rose from %g to %g", kindName(kind), k, i, old, now)
			}
			if i < 5 && kind == plain {
				want := p.bruteForce(p.c[i])
				if got := p.objective(p.c[i], x); got > want+100*tol*math.Abs(want)+1e-12 {
					t.Fatalf("k = %d: objective %g, the best support gives %g", k, got, want)
				}
			}
		}
	})
}

// residual is ‖projected gradient‖/‖c‖ of one row.
func (p *problem) residual(c, x []float64) float64 {
	var pg, cc float64
	for i := range x {
		d := -c[i]
		for j := range x {
			d += p.g[i*p.k+j] * x[j]
		}
		if x[i] > 0 || d < 0 {
			pg += d * d
		}
		cc += c[i] * c[i]
	}
	if cc == 0 {
		if pg > 0 {
			return math.Inf(1)
		}
		return 0
	}
	return math.Sqrt(pg / cc)
}

// TestPivotingEnds runs problems on which block exchanges go round in circles
// or Cholesky factors break down: equal columns, an all-zero Gram matrix,
// numbers near the end of the range.
func TestPivotingEnds(t *testing.T) {
	for _, k := range []int{1, 2, 7, 40} {
		for name, at := range map[string]func(i, j int) float64{
			"ones":       func(i, j int) float64 { return 1 },
			"zero":       func(i, j int) float64 { return 0 },
			"tiny":       func(i, j int) float64 { return 5e-324 },
			"large":      func(i, j int) float64 { return 1e250 },
			"hilbert":    func(i, j int) float64 { return 1 / float64(i+j+1) },
			"indefinite": func(i, j int) float64 { return 1 + 1e-13*float64((i*7+j*7)%5-2) },
		} {
			t.Run(fmt.Sprintf("%s-%d", name, k), func(t *testing.T) {
				var s nnls
				s.setGram(k, at, 0x1p-52)
				rows := make([]nnlsRow, 3)
				for i := range rows {
					rows[i].reset(k)
					for j := range k {
						rows[i].c[j] = at(0, 0) * float64(1+(j*i)%3)
						rows[i].passive[j] = (i+j)%2 == 0
					}
				}
				s.solve(rows)
				for i := range rows {
					for j, v := range rows[i].x {
						if !(v >= 0) || math.IsInf(v, 0) {
							t.Fatalf("x[%d, %d] = %v", i, j, v)
						}
					}
				}
			})
		}
	}
}

// TestUpdateKeepsInRange starts where the numbers of a factor, or of the Gram
// matrix, have run down to the end of the element type's range.
func TestUpdateKeepsInRange(t *testing.T) {
	t.Run("float32", func(t *testing.T) { updateKeepsInRange[float32](t, []float64{1e-44, 1e-40, 1e-30, 1e-10, 1, 1e10}) })
	t.Run("float64", func(t *testing.T) {
		updateKeepsInRange[float64](t, []float64{5e-324, 1e-315, 1e-300, 1e-100, 1, 1e100})
	})
}

func updateKeepsInRange[F kernel.Float](t *testing.T, sizes []float64) {
	const k, rows = 3, 5
	for _, name := range Names() {
		solve, _ := New[F](name)
		for _, gramSize := range sizes {
			for _, startSize := range sizes {
				rng := rand.New(rand.NewPCG(1, 5))
				p := newProblem(rng, k, rows, plain)
				makePositive(p)
				// One component of the fixed factor is that small.
				for j := range k {
					p.g[j] *= math.Sqrt(gramSize)
					p.g[j*k] *= math.Sqrt(gramSize)
				}
				for _, c := range p.c {
					c[0] *= math.Sqrt(gramSize)
				}
				g, tile, _ := loaded[F](p, randomStart(rng, rows, k, startSize))
				for range 3 {
					solve.Update(g, tile, 2)
				}
				worst := Solve(g, tile, 1e-4)
				for i, row := range rowsOf(tile) {
					for j, v := range row {
						if !(v >= 0) || math.IsInf(v, 0) {
							t.Errorf("%s, Gram entry of %g, start of %g: w[%d, %d] = %v", name, gramSize, startSize, i, j, v)
						}
					}
				}
				if math.IsNaN(worst) {
					t.Errorf("%s, Gram entry of %g, start of %g: residual %v", name, gramSize, startSize, worst)
				}
			}
		}
	}
}

func TestNewUnknown(t *testing.T) {
	if _, err := New[float64]("newton"); err == nil {
		t.Error("an unknown solver was given")
	}
}

// TestMultiplicativeEndsAtZero: an entry whose best value is zero gets there instead
// of shrinking among numbers that have not all their digits.
func TestMultiplicativeEndsAtZero(t *testing.T) {
	t.Run("float32", multiplicativeEndsAtZero[float32])
	t.Run("float64", multiplicativeEndsAtZero[float64])
}

func multiplicativeEndsAtZero[F kernel.Float](t *testing.T) {
	// With G = (2 1; 1 2) and c = (2, 0.5) the minimum is w = (1, 0).
	g := NewGram[F](2)
	g.G[0], g.G[1], g.G[g.Ld], g.G[g.Ld+1] = 2, 1, 1, 2
	g.Ready()
	tile := NewTile[F](kernel.For[F](), 2)
	tile.Load(1, 2, []F{1, 1}, 2, []F{2, 0.5}, 2)
	for range 2000 {
		mu[F]{}.Update(g, tile, 1)
		if w := rowsOf(tile)[0]; w[1] != 0 && w[1] < float64(LeastEntry[F]()) {
			t.Fatalf("w = %v", w)
		}
	}
	if w := rowsOf(tile)[0]; math.Abs(w[0]-1) > 1e-6 || w[1] != 0 {
		t.Errorf("w = %v, want 1 and 0", w)
	}
}
