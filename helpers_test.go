package nmf_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// lowRank draws a product of non-negative factors of the given rank, half of
// whose entries are zero, and adds noise that is at most that part of the
// largest cell.
func lowRank[F matrix.Float](rows, cols, rank int, noise float64, seed uint64) *matrix.Dense[F] {
	rng := rand.New(rand.NewPCG(seed, 11))
	factor := func(n int) [][]float64 {
		f := make([][]float64, n)
		for i := range f {
			f[i] = make([]float64, rank)
			for j := range f[i] {
				f[i][j] = max(0, rng.NormFloat64())
			}
		}
		return f
	}
	w, h := factor(rows), factor(cols)
	x := matrix.NewDense[F](rows, cols)
	for i := range rows {
		for j := range cols {
			v := noise * rng.Float64()
			for l := range rank {
				v += w[i][l] * h[j][l]
			}
			x.Set(i, j, F(v))
		}
	}
	return x
}

// sparsely keeps about one cell in `every`, and at least one a row.
func sparsely[F matrix.Float](x *matrix.Dense[F], every int, seed uint64) *matrix.Dense[F] {
	rng := rand.New(rand.NewPCG(seed, 12))
	out := matrix.NewDense[F](x.Rows, x.Cols)
	for i := range x.Rows {
		keep := rng.IntN(x.Cols)
		for j, v := range x.Row(i) {
			if rng.IntN(every) == 0 || j == keep {
				out.Set(i, j, v)
			}
		}
	}
	return out
}

func fit[F matrix.Float](t testing.TB, x matrix.Matrix[F], k int, o *nmf.Options) *nmf.Model[F] {
	t.Helper()
	m, err := nmf.Fit(t.Context(), x, k, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wide gives any matrix as dense float64.
func wide[F matrix.Float](x matrix.Matrix[F]) *matrix.Dense[float64] {
	switch x := matrix.Convert[float64](x).(type) {
	case *matrix.Dense[float64]:
		return x
	case *matrix.CSR[float64]:
		return x.Dense()
	}
	panic("unknown kind of matrix")
}

// product is W·diag(scales)·H in float64.
func product[F matrix.Float](m *nmf.Model[F]) *matrix.Dense[float64] {
	p := matrix.NewDense[float64](m.W.Rows, m.H.Cols)
	for i := range p.Rows {
		for l, s := range m.Scales {
			w := float64(m.W.At(i, l)) * s
			for j, h := range m.H.Row(l) {
				p.Data[i*p.Stride+j] += w * float64(h)
			}
		}
	}
	return p
}

func sumSquares(x *matrix.Dense[float64]) float64 {
	s := 0.0
	for _, v := range x.Data {
		s += v * v
	}
	return s
}

// distance is ‖a−b‖/‖a‖.
func distance(a, b *matrix.Dense[float64]) float64 {
	d := 0.0
	for i := range a.Rows {
		for j, v := range a.Row(i) {
			e := v - b.At(i, j)
			d += e * e
		}
	}
	return math.Sqrt(d / sumSquares(a))
}

// certificate recomputes what a model says of itself by the definitions in
// Options and Info: plain loops, float64.
type certificate struct{ loss, relativeError, kkt float64 }

func certify[F matrix.Float](x matrix.Matrix[F], m *nmf.Model[F]) certificate {
	w := matrix.NewDense[float64](m.W.Rows, m.K())
	h := matrix.NewDense[float64](m.K(), m.H.Cols)
	for i := range w.Rows {
		for l, s := range m.Scales {
			w.Set(i, l, float64(m.W.At(i, l))*s)
		}
	}
	for l := range m.K() {
		for j, v := range m.H.Row(l) {
			h.Set(l, j, float64(v))
		}
	}
	return certifyPair(wide(x), w, h)
}

func certifyPair(x, w, h *matrix.Dense[float64]) certificate {
	w, h = balanced(w, h)
	residual := multiply(w, h)
	loss := 0.0
	for i := range residual.Rows {
		for j, v := range residual.Row(i) {
			e := v - x.At(i, j)
			residual.Set(i, j, e)
			loss += e * e / 2
		}
	}
	kktW := projected(w, multiply(residual, h.T()), multiply(x, h.T()))
	kktH := projected(h, multiply(w.T(), residual), multiply(w.T(), x))
	return certificate{loss: loss, relativeError: math.Sqrt(2 * loss / sumSquares(x)), kkt: max(kktW, kktH)}
}

// projected is ‖projected gradient‖/‖cross product‖.
func projected(factor, gradient, cross *matrix.Dense[float64]) float64 {
	var pg, cc float64
	for i := range factor.Rows {
		for j, v := range factor.Row(i) {
			if g := gradient.At(i, j); v > 0 || g < 0 {
				pg += g * g
			}
			cc += cross.At(i, j) * cross.At(i, j)
		}
	}
	return math.Sqrt(pg / cc)
}

// balanced scales columns of w and rows of h to equal norms.
func balanced(w, h *matrix.Dense[float64]) (*matrix.Dense[float64], *matrix.Dense[float64]) {
	w, h = w.Clone(), h.Clone()
	for l := range w.Cols {
		var a, b float64
		for i := range w.Rows {
			a += w.At(i, l) * w.At(i, l)
		}
		for _, v := range h.Row(l) {
			b += v * v
		}
		if a == 0 || b == 0 {
			continue
		}
		s := math.Pow(b/a, 0.25)
		for i := range w.Rows {
			w.Set(i, l, w.At(i, l)*s)
		}
		for j, v := range h.Row(l) {
			h.Set(l, j, v/s)
		}
	}
	return w, h
}

func multiply(a, b *matrix.Dense[float64]) *matrix.Dense[float64] {
	p := matrix.NewDense[float64](a.Rows, b.Cols)
	for i := range a.Rows {
		for l, v := range a.Row(i) {
			if v == 0 {
				continue
			}
			for j, u := range b.Row(l) {
				p.Data[i*p.Stride+j] += v * u
			}
		}
	}
	return p
}

// bits is a digest of everything that must not depend on threads: W, H,
// scales, the runs and the trace without its seconds.
func bits[F matrix.Float](m *nmf.Model[F]) string {
	d := sha256.New()
	for _, a := range []*matrix.Dense[F]{m.W, m.H} {
		for i := range a.Rows {
			for _, v := range a.Row(i) {
				fmt.Fprintf(d, "%x,", math.Float64bits(float64(v)))
			}
		}
	}
	for _, s := range m.Scales {
		fmt.Fprintf(d, "%x,", math.Float64bits(s))
	}
	for _, it := range m.Info.Trace {
		fmt.Fprintf(d, "%d %x %x %x,", it.Iteration, math.Float64bits(it.Loss), math.Float64bits(it.RelativeError), math.Float64bits(it.KKT))
	}
	for _, r := range m.Info.Runs {
		fmt.Fprintf(d, "%+v,", r)
	}
	fmt.Fprintf(d, "%x %x %s %d", math.Float64bits(m.Info.Loss), math.Float64bits(m.Info.KKT), m.Info.Status, m.Info.BestRun)
	return hex.EncodeToString(d.Sum(nil)[:8])
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkForm checks what every model promises: non-negative and finite, unit L1
// norms, scales falling, zeros where a component is dead.
func checkForm[F matrix.Float](t fataler, m *nmf.Model[F]) {
	t.Helper()
	tol := 1e-12
	if m.Info.Precision == "f32" {
		tol = 1e-5
	}
	for l, s := range m.Scales {
		if !(s >= 0) || math.IsInf(s, 0) || l > 0 && s > m.Scales[l-1] {
			t.Fatalf("scales %v", m.Scales)
		}
		var sumW, sumH float64
		for i := range m.W.Rows {
			v := float64(m.W.At(i, l))
			if !(v >= 0) || math.IsInf(v, 0) {
				t.Fatalf("W[%d, %d] = %v", i, l, v)
			}
			sumW += v
		}
		for j, h := range m.H.Row(l) {
			v := float64(h)
			if !(v >= 0) || math.IsInf(v, 0) {
				t.Fatalf("H[%d, %d] = %v", l, j, v)
			}
			sumH += v
		}
		want := 1.0
		if s == 0 {
			want = 0
		}
		if math.Abs(sumW-want) > tol || math.Abs(sumH-want) > tol {
			t.Fatalf("component %d, scale %g: L1 norms %g and %g, want %g", l, s, sumW, sumH, want)
		}
	}
	for _, v := range []float64{m.Info.Loss, m.Info.RelativeError, m.Info.KKT} {
		if !(v >= 0) || math.IsInf(v, 0) {
			t.Fatalf("loss %v, relative error %v, KKT %v", m.Info.Loss, m.Info.RelativeError, m.Info.KKT)
		}
	}
}

// checkTrace checks that the losses never rise, that the model is no worse
// than the last of them, and that every line is complete.
func checkTrace[F matrix.Float](t fataler, m *nmf.Model[F]) {
	t.Helper()
	rounding := 1e-14
	if m.Info.Precision == "f32" {
		rounding = 1e-6
	}
	last, lastError, iteration := math.Inf(1), math.Inf(1), 0
	for _, it := range m.Info.Trace {
		if it.Loss > last {
			t.Fatalf("iteration %d: loss rose from %v to %v", it.Iteration, last, it.Loss)
		}
		if it.Iteration <= iteration || !(it.KKT >= 0) || math.IsInf(it.KKT, 0) || !(it.RelativeError >= 0) {
			t.Fatalf("after iteration %d: %+v", iteration, it)
		}
		last, lastError, iteration = it.Loss, it.RelativeError, it.Iteration
	}
	if m.Info.Status != nmf.Cancelled && m.Info.RelativeError*m.Info.RelativeError > lastError*lastError+rounding {
		t.Fatalf("the model's relative error %v is above the trace's last, %v", m.Info.RelativeError, lastError)
	}
}
