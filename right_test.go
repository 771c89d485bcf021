package nmf_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

var solvers = []string{"hals", "bpp", "mu"}

// tight iterates until nothing is left to gain.
func tight(solver string) *nmf.Options {
	return &nmf.Options{Solver: solver, Tol: 1e-10, LossTol: -1, MaxIter: 3000}
}

func singularValues(x *matrix.Dense[float64]) []float64 {
	var svd mat.SVD
	if !svd.Factorize(x.Gonum(), mat.SVDThin) {
		panic("no singular value decomposition")
	}
	return svd.Values(nil)
}

// TestRankOneIsSVD: the best rank-1 approximation of a non-negative matrix is
// non-negative (Perron & Frobenius).
func TestRankOneIsSVD(t *testing.T) {
	x := lowRank[float64](23, 17, 4, 0.5, 1)
	var svd mat.SVD
	svd.Factorize(x.Gonum(), mat.SVDThin)
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	s := svd.Values(nil)
	want := matrix.NewDense[float64](x.Rows, x.Cols)
	for i := range want.Rows {
		for j := range want.Cols {
			want.Set(i, j, s[0]*u.At(i, 0)*v.At(j, 0))
		}
	}
	for _, solver := range solvers {
		m := fit(t, x, 1, tight(solver))
		if d := distance(want, product(m)); d > 1e-8 {
			t.Errorf("%s: the fit is %g from the first singular pair", solver, d)
		}
	}
}

// TestEckartYoung: no factorization of rank k beats the truncated singular
// value decomposition.
func TestEckartYoung(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rows, cols := rapid.IntRange(1, 30).Draw(r, "rows"), rapid.IntRange(1, 30).Draw(r, "cols")
		k := rapid.IntRange(1, 8).Draw(r, "k")
		solver := rapid.SampledFrom(solvers).Draw(r, "solver")
		x := lowRank[float64](rows, cols, rapid.IntRange(1, 10).Draw(r, "rank"), 0.3, rapid.Uint64().Draw(r, "seed"))
		m := fit(t, x, k, &nmf.Options{Solver: solver})
		least := 0.0
		for i, s := range singularValues(x) {
			if i >= k {
				least += s * s
			}
		}
		if 2*m.Info.Loss < least*(1-1e-9)-1e-12*sumSquares(x) {
			r.Fatalf("2·loss = %v is below the sum of the other squared singular values, %v", 2*m.Info.Loss, least)
		}
		checkForm(r, m)
		checkTrace(r, m)
	})
}

// TestPythagoras: at a stationary point WH is orthogonal to X − WH.
func TestPythagoras(t *testing.T) {
	x := lowRank[float64](60, 45, 6, 1, 2)
	for _, solver := range []string{"hals", "bpp"} {
		m := fit(t, x, 4, &nmf.Options{Solver: solver, Tol: 1e-8, LossTol: -1, MaxIter: 20000})
		if m.Info.Status != nmf.Converged {
			t.Fatalf("%s: %s, KKT %g", solver, m.Info.Status, m.Info.KKT)
		}
		left, right := 2*m.Info.Loss, sumSquares(x)-sumSquares(product(m))
		if math.Abs(left-right) > 1e-7*sumSquares(x) {
			t.Errorf("%s: ‖X−WH‖² = %v but ‖X‖²−‖WH‖² = %v", solver, left, right)
		}
	}
}

// TestRankTwoIsExact: a non-negative matrix of rank 2 has a factorization of
// rank 2 (Thomas 1974).
func TestRankTwoIsExact(t *testing.T) {
	for seed := range uint64(5) {
		x := lowRank[float64](30, 25, 2, 0, seed)
		for _, solver := range []string{"hals", "bpp"} {
			m := fit(t, x, 2, &nmf.Options{Solver: solver, Tol: -1, LossTol: -1, MaxIter: 5000})
			if m.Info.RelativeError > 1e-9 {
				t.Errorf("%s, seed %d: relative error %g after %d iterations", solver, seed, m.Info.RelativeError, m.Info.Iterations)
			}
		}
	}
}

// TestNonNegativeRank: this matrix has rank 3 and non-negative rank 4 (Thomas
// 1974).
func TestNonNegativeRank(t *testing.T) {
	x, err := matrix.FromRows([][]float64{{1, 1, 0, 0}, {1, 0, 1, 0}, {0, 1, 0, 1}, {0, 0, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if s := singularValues(x); s[2] < 0.1 || s[3] > 1e-12 {
		t.Fatalf("singular values %v", s)
	}
	for _, solver := range solvers {
		o := &nmf.Options{Solver: solver, Runs: 20, Tol: -1, LossTol: 1e-12, MaxIter: 5000}
		if m := fit(t, x, 3, o); m.Info.Loss < 0.05 {
			t.Errorf("%s: loss %g with k = 3", solver, m.Info.Loss)
		}
		most := 1e-20
		if solver == "mu" { // converges sublinearly towards zeros
			most = 1e-6
		}
		if m := fit(t, x, 4, o); m.Info.Loss > most {
			t.Errorf("%s: loss %g with k = 4", solver, m.Info.Loss)
		}
	}
}

// swimmer generates the images of Donoho & Stodden (2003): a torso with four
// limbs, each in one of four positions. It also gives the 16 limbs.
func swimmer() (images *matrix.Dense[float64], limbs [][]float64, torso map[int]bool) {
	const side, length, top, bottom, left, right = 32, 6, 12, 19, 15, 16
	torso = map[int]bool{}
	for i := top; i <= bottom; i++ {
		torso[i*side+left], torso[i*side+right] = true, true
	}
	directions := [][2]int{{0, 1}, {1, 1}, {-1, 1}}
	for corner := range 4 {
		row, col, up, out := top, left, -1, -1
		if corner >= 2 {
			row, up = bottom, 1
		}
		if corner%2 == 1 {
			col, out = right, 1
		}
		for _, d := range append(directions, [2]int{up, 0}) {
			limb := make([]float64, side*side)
			for s := 1; s <= length; s++ {
				limb[(row+s*d[0])*side+col+s*d[1]*out] = 1
			}
			limbs = append(limbs, limb)
		}
	}
	images = matrix.NewDense[float64](256, side*side)
	for i := range images.Rows {
		row := images.Row(i)
		for p := range torso {
			row[p] = 1
		}
		for corner, rest := 0, i; corner < 4; corner, rest = corner+1, rest/4 {
			for p, v := range limbs[corner*4+rest%4] {
				row[p] += v
			}
		}
	}
	return images, limbs, torso
}

func TestSwimmer(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	x, limbs, torso := swimmer()
	for _, v := range x.Data {
		if v != 0 && v != 1 {
			t.Fatal("limbs overlap")
		}
	}
	if s := singularValues(x); s[12] < 0.1 || s[13] > 1e-9 {
		t.Fatalf("the linear rank is not 13: %v", s[11:15])
	}
	for _, k := range []int{16, 17} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			m := fit(t, x, k, &nmf.Options{Runs: 20, Tol: -1, LossTol: 1e-9, MaxIter: 100, TargetError: 1e-7})
			if m.Info.RelativeError > 1e-6 {
				t.Errorf("relative error %g after %d iterations: %s", m.Info.RelativeError, m.Info.Iterations, m.Info.Status)
			}
			for i, limb := range limbs {
				best := 0.0
				for j := range k {
					best = max(best, cosineOff(torso, limb, m.H.Row(j)))
				}
				if best < 0.99 {
					t.Errorf("limb %d: best cosine %g", i, best)
				}
			}
		})
	}
}

// cosineOff is the cosine of two images outside some pixels.
func cosineOff(without map[int]bool, a, b []float64) float64 {
	var ab, aa, bb float64
	for p := range a {
		if !without[p] {
			ab += a[p] * b[p]
			aa += a[p] * a[p]
			bb += b[p] * b[p]
		}
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// TestLossNeverRises runs every solver from every start.
func TestLossNeverRises(t *testing.T) {
	t.Run("float32", func(t *testing.T) { lossNeverRises[float32](t) })
	t.Run("float64", func(t *testing.T) { lossNeverRises[float64](t) })
}

func lossNeverRises[F matrix.Float](t *testing.T) {
	dense := lowRank[F](70, 41, 8, 0.4, 3)
	thin := sparsely(dense, 6, 4)
	for name, x := range map[string]matrix.Matrix[F]{"dense": dense, "sparse": thin.Sparse()} {
		for _, solver := range solvers {
			for _, init := range []string{"random", "nndsvd", "nndsvda", "nndsvdar", "spa"} {
				for _, plain := range []bool{false, true} {
					for _, compression := range []string{"off", "on"} {
						o := &nmf.Options{Solver: solver, Init: init, NoExtrapolation: plain, MaxIter: 60, Tol: -1, LossTol: -1, Seed: 5, Compression: compression}
						m := fit(t, x, 6, o)
						checkForm(t, m)
						checkTrace(t, m)
						if n := len(m.Info.Trace); n < 20 && m.Info.Status == nmf.IterationLimit || n == 0 {
							t.Errorf("%s, %s, %s: only %d of 60 iterations accepted", name, solver, init, n)
						}
						if t.Failed() {
							t.Fatalf("%s, %s, %s, plain %v, compression %s", name, solver, init, plain, compression)
						}
					}
				}
			}
		}
	}
}

// given draws a start for Options.W and Options.H.
func given(rows, cols, k int, seed uint64) (w, h *matrix.Dense[float64]) {
	rng := rand.New(rand.NewPCG(seed, 13))
	w, h = matrix.NewDense[float64](rows, k), matrix.NewDense[float64](k, cols)
	for _, a := range []*matrix.Dense[float64]{w, h} {
		for i := range a.Data {
			a.Data[i] = rng.Float64()
		}
	}
	return w, h
}

// permuted reorders rows and columns.
func permuted(x *matrix.Dense[float64], rows, cols []int) *matrix.Dense[float64] {
	p := matrix.NewDense[float64](x.Rows, x.Cols)
	for i, from := range rows {
		for j, at := range cols {
			p.Set(i, j, x.At(from, at))
		}
	}
	return p
}

func identity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

// TestPermutation: the order of rows and columns does not matter. (It does
// matter to the number of inner sweeps, which is chosen for a tile of rows.)
func TestPermutation(t *testing.T) {
	const rows, cols, k = 47, 39, 5
	x := lowRank[float64](rows, cols, 6, 0.3, 6)
	w, h := given(rows, cols, k, 7)
	rng := rand.New(rand.NewPCG(8, 8))
	pr, pc := rng.Perm(rows), rng.Perm(cols)
	for _, solver := range solvers {
		o := nmf.Options{Solver: solver, MaxIter: 25, Tol: -1, LossTol: -1, InnerSweeps: 1, W: w, H: h}
		plain := fit(t, x, k, &o)
		o.W, o.H = permuted(w, pr, identity(k)), permuted(h, identity(k), pc)
		turned := fit(t, permuted(x, pr, pc), k, &o)
		for i, it := range plain.Info.Trace {
			if e := turned.Info.Trace[i].Loss; math.Abs(it.Loss-e) > 1e-9*e {
				t.Errorf("%s: iteration %d has loss %v, permuted %v", solver, it.Iteration, it.Loss, e)
			}
		}
		// The final half-step ends at a tolerance.
		if d := distance(permuted(product(plain), pr, pc), product(turned)); d > 1e-4 {
			t.Errorf("%s: permuting rows and columns moves the fit by %g", solver, d)
		}
	}
}

// TestScaling: multiplying X by a power of four changes nothing but exponents,
// for starts that scale with X.
func TestScaling(t *testing.T) {
	t.Run("float32", func(t *testing.T) { scaling[float32](t, 8, 20) })
	t.Run("float64", func(t *testing.T) { scaling[float64](t, 8, 100) })
}

func scaling[F matrix.Float](t *testing.T, powers ...int) {
	x := lowRank[F](53, 31, 5, 0.3, 9)
	for _, solver := range solvers {
		for _, sparse := range []bool{false, true} {
			o := &nmf.Options{Solver: solver, Init: "random", MaxIter: 30, Tol: 1e-6}
			m := fit(t, held(x, sparse), 4, o)
			for _, p := range powers {
				for _, p := range []int{p, -p} {
					big := x.Clone()
					for i, v := range big.Data {
						big.Data[i] = F(math.Ldexp(float64(v), 2*p))
					}
					n := fit(t, held(big, sparse), 4, o)
					if n.Info.Iterations != m.Info.Iterations || n.Info.RelativeError != m.Info.RelativeError {
						t.Errorf("%s, sparse %v, scaled by 4^%d: %d iterations to %v (KKT %v), unscaled %d to %v (KKT %v)", solver, sparse, p,
							n.Info.Iterations, n.Info.RelativeError, n.Info.KKT, m.Info.Iterations, m.Info.RelativeError, m.Info.KKT)
						continue
					}
					for j, s := range m.Scales {
						if n.Scales[j] != math.Ldexp(s, 2*p) {
							t.Errorf("%s, scaled by 4^%d: scale %v, unscaled %v", solver, p, n.Scales[j], s)
						}
					}
					for i, v := range m.H.Data {
						if n.H.Data[i] != v {
							t.Fatalf("%s, scaled by 4^%d: H differs", solver, p)
						}
					}
				}
			}
		}
	}
}

func held[F matrix.Float](x *matrix.Dense[F], sparse bool) matrix.Matrix[F] {
	if sparse {
		return x.Sparse()
	}
	return x
}

// TestTranspose: Xᵀ ≈ HᵀWᵀ. The half-steps come in the other order, so the
// fits agree where both have converged to the same point.
func TestTranspose(t *testing.T) {
	x := lowRank[float64](40, 30, 3, 0.05, 10)
	w, h := given(40, 30, 3, 11)
	for _, solver := range []string{"hals", "bpp"} {
		o := tight(solver)
		o.W, o.H = w, h
		a := fit(t, x, 3, o)
		o.W, o.H = h.T(), w.T()
		b := fit(t, x.T(), 3, o)
		if d := distance(product(a), product(b).T()); d > 1e-6 {
			t.Errorf("%s: the fit of the transposed matrix is %g away", solver, d)
		}
	}
}

func TestDenseIsSparse(t *testing.T) {
	x := sparsely(lowRank[float64](80, 50, 5, 0.2, 12), 5, 13)
	for _, solver := range solvers {
		for _, init := range []string{"random", "nndsvda"} {
			o := &nmf.Options{Solver: solver, Init: init, MaxIter: 25, Tol: -1, LossTol: -1, InnerSweeps: 2}
			a, b := fit(t, x, 5, o), fit(t, x.Sparse(), 5, o)
			if d := distance(product(a), product(b)); d > 1e-8 {
				t.Errorf("%s, %s: dense and sparse fits are %g apart", solver, init, d)
			}
			for i, it := range a.Info.Trace {
				if e := b.Info.Trace[i].Loss; math.Abs(it.Loss-e) > 1e-9*e {
					t.Errorf("%s, %s: iteration %d: dense loss %v, sparse %v", solver, init, it.Iteration, it.Loss, e)
				}
			}
		}
	}
}

func TestFloat32NearFloat64(t *testing.T) {
	x := lowRank[float64](90, 60, 4, 0.2, 14)
	for _, solver := range solvers {
		for _, sparse := range []bool{false, true} {
			o := &nmf.Options{Solver: solver, Init: "random", MaxIter: 200}
			a := fit(t, held(x, sparse), 4, o)
			b := fit(t, matrix.Convert[float32](held(x, sparse)), 4, o)
			if math.Abs(a.Info.RelativeError-b.Info.RelativeError) > 1e-4 {
				t.Errorf("%s, sparse %v: relative error %v in float64, %v in float32", solver, sparse, a.Info.RelativeError, b.Info.RelativeError)
			}
		}
	}
}
