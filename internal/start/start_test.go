package start

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// gapped is a matrix whose leading singular values are well apart, so that its
// singular vectors are determined.
func gapped[F matrix.Float](rows, cols int, seed uint64) *matrix.Dense[F] {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := matrix.NewDense[F](rows, cols)
	for r := range 6 {
		size := 3 * math.Pow(0.5, float64(r))
		u, v := make([]float64, rows), make([]float64, cols)
		for i := range u {
			u[i] = max(0, rng.NormFloat64())
		}
		for j := range v {
			v[j] = max(0, rng.NormFloat64())
		}
		for i := range rows {
			for j := range cols {
				x.Set(i, j, x.At(i, j)+F(size*u[i]*v[j]))
			}
		}
	}
	return x
}

// plainNNDSVD follows Boutsidis & Gallopoulos (2008), Figure 1, on an exact
// singular value decomposition. It gives W (m x k) and Hᵀ (n x k), zeros not
// filled.
func plainNNDSVD(x *matrix.Dense[float64], k int) (w, h *mat.Dense) {
	var svd mat.SVD
	if !svd.Factorize(x.Gonum(), mat.SVDThin) {
		panic("no singular value decomposition")
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	sigma := svd.Values(nil)
	w, h = mat.NewDense(x.Rows, k, nil), mat.NewDense(x.Cols, k, nil)
	part := func(a *mat.Dense, j int, sign float64) *mat.VecDense {
		rows, _ := a.Dims()
		p := mat.NewVecDense(rows, nil)
		for i := range rows {
			p.SetVec(i, max(0, sign*a.At(i, j)))
		}
		return p
	}
	for j := range k {
		if sigma[j] < 1e-10*sigma[0] {
			break
		}
		pu, pv := part(&u, j, 1), part(&v, j, 1)
		if nu, nv := part(&u, j, -1), part(&v, j, -1); mat.Norm(nu, 2)*mat.Norm(nv, 2) > mat.Norm(pu, 2)*mat.Norm(pv, 2) {
			pu, pv = nu, nv
		}
		a, b := mat.Norm(pu, 2), mat.Norm(pv, 2)
		root := math.Sqrt(sigma[j] * a * b)
		for i := range x.Rows {
			w.Set(i, j, root*pu.AtVec(i)/a)
		}
		for i := range x.Cols {
			h.Set(i, j, root*pv.AtVec(i)/b)
		}
	}
	return w, h
}

// apart is the largest difference of a factor from what it should be, beside
// the largest entry.
func apart[F matrix.Float](t *engine.Tall[F], want *mat.Dense) float64 {
	d, size := 0.0, 0.0
	for i := range t.Rows {
		for j, v := range t.Row(i) {
			d = max(d, math.Abs(float64(v)-want.At(i, j)))
			size = max(size, math.Abs(want.At(i, j)))
		}
	}
	return d / size
}

func TestNNDSVD(t *testing.T) {
	t.Run("float32", func(t *testing.T) { nndsvdIsPlain[float32](t, 1e-4) })
	t.Run("float64", func(t *testing.T) { nndsvdIsPlain[float64](t, 1e-6) })
}

func nndsvdIsPlain[F matrix.Float](t *testing.T, tol float64) {
	for _, shape := range [][2]int{{40, 25}, {25, 40}, {90, 7}, {7, 90}, {300, 200}} {
		x := gapped[F](shape[0], shape[1], 2)
		wide := matrix.Convert[float64](x).(*matrix.Dense[float64])
		const k = 5
		wantW, wantH := plainNNDSVD(wide, k)
		for kind, x := range map[string]matrix.Matrix[F]{"dense": x, "sparse": x.Sparse()} {
			d := engine.NewData(x, 2)
			mean := d.Mean()
			for _, name := range []string{"nndsvd", "nndsvda", "nndsvdar"} {
				w, h, err := New(name, d, k, 7, 2)
				if err != nil {
					t.Fatal(err)
				}
				fill := 0.0
				switch name {
				case "nndsvda":
					fill = mean
				case "nndsvdar":
					checkFill(t, w, wantW, mean)
					checkFill(t, h, wantH, mean)
					continue
				}
				for what, f := range map[string]struct {
					got  *engine.Tall[F]
					want *mat.Dense
				}{"W": {w, wantW}, "H": {h, wantH}} {
					if e := apart(f.got, filled(f.want, fill)); e > tol {
						t.Errorf("%s of %v, %s: %s is %g away", name, shape, kind, what, e)
					}
				}
			}
		}
	}
}

// filled has a number in place of zeros, and of what is rounding.
func filled(a *mat.Dense, with float64) *mat.Dense {
	var f mat.Dense
	f.Apply(func(_, _ int, v float64) float64 {
		if v < 1e-7 {
			return with
		}
		return v
	}, a)
	return &f
}

// checkFill checks the random numbers in place of zeros: the absolute values
// of normal ones times a hundredth of the mean.
func checkFill[F matrix.Float](t *testing.T, got *engine.Tall[F], want *mat.Dense, mean float64) {
	t.Helper()
	var sum, n float64
	for i := range got.Rows {
		for j, v := range got.Row(i) {
			if want.At(i, j) > 1e-7 {
				continue
			}
			if !(v >= 0) || float64(v) > mean/100*6 {
				t.Fatalf("a zero was filled with %v; the mean of X is %v", v, mean)
			}
			sum += float64(v)
			n++
		}
	}
	if expected := mean / 100 * math.Sqrt(2/math.Pi); n > 100 && math.Abs(sum/n-expected) > 0.3*expected {
		t.Errorf("zeros were filled with %v on average, want about %v", sum/n, expected)
	}
}

// TestBeyondTheRank: the components that X has nothing for are zero, or what
// zeros are filled with.
func TestBeyondTheRank(t *testing.T) {
	x := gapped[float64](12, 9, 3) // its rank is 6
	d := engine.NewData[float64](x, 1)
	for _, k := range []int{8, 9, 12, 30} {
		w, h, err := New("nndsvd", d, k, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		for j := range k {
			var sw, sh float64
			for i := range w.Rows {
				sw += w.Row(i)[j]
			}
			for i := range h.Rows {
				sh += h.Row(i)[j]
			}
			if (j < 6) != (sw > 0) || (j < 6) != (sh > 0) {
				t.Errorf("k = %d: component %d has sums %g and %g", k, j, sw, sh)
			}
		}
		for _, name := range []string{"nndsvda", "nndsvdar"} {
			w, h, err := New(name, d, k, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []*engine.Tall[float64]{w, h} {
				for i := range f.Rows {
					for j, v := range f.Row(i) {
						if !(v > 0) {
							t.Fatalf("%s, k = %d: entry (%d, %d) is %v", name, k, i, j, v)
						}
					}
				}
			}
		}
	}
}

// TestSVD compares singular values and the subspaces with gonum's.
func TestSVD(t *testing.T) {
	x := gapped[float64](60, 45, 4)
	u, s, v, err := svd(engine.NewData[float64](x, 2), 6, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	var exact mat.SVD
	exact.Factorize(x.Gonum(), mat.SVDThin)
	for j, want := range exact.Values(nil)[:6] {
		if math.Abs(s[j]-want) > 1e-9*want {
			t.Errorf("singular value %d is %v, want %v", j, s[j], want)
		}
	}
	for name, f := range map[string]*engine.Tall[float64]{"U": u, "V": v} {
		g := f.Gram(1)
		for i := range 6 {
			for j := range 6 {
				want := 0.0
				if i == j {
					want = 1
				}
				if math.Abs(g[i*6+j]-want) > 1e-8 {
					t.Errorf("%s is not orthonormal: (%d, %d) of its Gram matrix is %v", name, i, j, g[i*6+j])
				}
			}
		}
	}
	for i := range x.Rows {
		for j := range x.Cols {
			sum := 0.0
			for l, sigma := range s {
				sum += u.Row(i)[l] * sigma * v.Row(j)[l]
			}
			if math.Abs(sum-x.At(i, j)) > 1e-8 {
				t.Fatalf("cell (%d, %d) of U·S·Vᵀ is %v, want %v", i, j, sum, x.At(i, j))
			}
		}
	}
}

// TestRandom: scikit-learn's scale, |N(0,1)|·√(mean(X)/k).
func TestRandom(t *testing.T) {
	x := gapped[float64](400, 300, 5)
	d := engine.NewData[float64](x, 1)
	const k = 7
	w, h := Random(d, k, 3, 2)
	scale := math.Sqrt(d.Mean() / k)
	for name, f := range map[string]*engine.Tall[float64]{"W": w, "H": h} {
		var sum, squares float64
		for i := range f.Rows {
			for _, v := range f.Row(i) {
				if !(v >= 0) {
					t.Fatalf("%s has %v", name, v)
				}
				sum += v
				squares += v * v
			}
		}
		n := float64(f.Rows * k)
		if want := scale * math.Sqrt(2/math.Pi); math.Abs(sum/n-want) > 0.05*want {
			t.Errorf("%s: mean %v, want %v", name, sum/n, want)
		}
		if want := scale * scale; math.Abs(squares/n-want) > 0.08*want {
			t.Errorf("%s: mean square %v, want %v", name, squares/n, want)
		}
	}
	// Rows have generators of their own.
	if slices.Equal(w.Row(0), w.Row(1)) || slices.Equal(w.Row(0), h.Row(0)) {
		t.Error("rows repeat")
	}
	top := &matrix.Dense[float64]{Rows: 400, Cols: 300, Stride: 300, Data: x.Data}
	again, _ := Random(engine.NewData[float64](top, 2), k, 3, 1)
	if !slices.Equal(w.Data, again.Data) {
		t.Error("the same seed gave other numbers")
	}
	if other, _ := Random(d, k, 4, 1); slices.Equal(w.Data, other.Data) {
		t.Error("another seed gave the same numbers")
	}
}

// TestSameStart: no bit depends on the number of threads.
func TestSameStart(t *testing.T) {
	t.Run("float32", func(t *testing.T) { sameStart[float32](t) })
	t.Run("float64", func(t *testing.T) { sameStart[float64](t) })
}

func sameStart[F matrix.Float](t *testing.T) {
	x := gapped[F](5000, 130, 6) // several parts of every sum
	for kind, x := range map[string]matrix.Matrix[F]{"dense": x, "sparse": x.Sparse()} {
		for _, name := range Names() {
			var wantW, wantH []F
			for _, threads := range []int{1, 2, 7} {
				w, h, err := New(name, engine.NewData(x, threads), 8, 11, threads)
				if err != nil {
					t.Fatal(err)
				}
				if wantW == nil {
					wantW, wantH = w.Data, h.Data
				} else if !slices.Equal(w.Data, wantW) || !slices.Equal(h.Data, wantH) {
					t.Errorf("%s, %s: %d threads give other bits than one", name, kind, threads)
				}
			}
		}
	}
}

func TestUnknown(t *testing.T) {
	if _, _, err := New("svd", engine.NewData[float64](gapped[float64](3, 3, 1), 1), 1, 1, 1); err == nil {
		t.Error("an unknown init was made")
	}
}

const sklearnScript = `
import json, sys
import numpy as np
from sklearn.decomposition._nmf import _initialize_nmf
q = json.load(sys.stdin)
out = {}
for name in ("nndsvd", "nndsvda"):
    W, H = _initialize_nmf(np.array(q["X"]), q["k"], init=name, random_state=0)
    out[name] = {"W": W.tolist(), "H": H.T.tolist()}
json.dump(out, sys.stdout)
`

// TestScikitLearn compares with scikit-learn where it is installed.
func TestScikitLearn(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import sklearn.decomposition._nmf").Run(); err != nil {
		t.Skipf("%s has no scikit-learn: %v", python, err)
	}
	x := gapped[float64](30, 22, 8)
	rows := make([][]float64, x.Rows)
	for i := range rows {
		rows[i] = x.Row(i)
	}
	const k = 5
	question, err := json.Marshal(map[string]any{"X": rows, "k": k})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", sklearnScript)
	cmd.Stdin = bytes.NewReader(question)
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]struct{ W, H [][]float64 }
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatal(err)
	}
	d := engine.NewData[float64](x, 1)
	for name, want := range answer {
		w, h, err := New(name, d, k, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		for what, f := range map[string]struct {
			got  *engine.Tall[float64]
			want [][]float64
		}{"W": {w, want.W}, "H": {h, want.H}} {
			m := mat.NewDense(f.got.Rows, k, slices.Concat(f.want...))
			if e := apart(f.got, m); e > 1e-5 {
				t.Errorf("%s: %s is %g from scikit-learn's", name, what, e)
			}
		}
	}
}
