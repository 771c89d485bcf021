package nmf_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestCertificate recomputes loss, relative error and KKT residual from the
// model alone.
func TestCertificate(t *testing.T) {
	t.Run("float32", func(t *testing.T) { certificates[float32](t, 1e-5) })
	t.Run("float64", func(t *testing.T) { certificates[float64](t, 1e-12) })
}

func certificates[F matrix.Float](t *testing.T, tol float64) {
	rapid.Check(t, func(r *rapid.T) {
		rows, cols := rapid.IntRange(1, 80).Draw(r, "rows"), rapid.IntRange(1, 80).Draw(r, "cols")
		k := rapid.IntRange(1, 9).Draw(r, "k")
		noise := rapid.SampledFrom([]float64{0, 1e-4, 0.3, 3}).Draw(r, "noise")
		dense := lowRank[F](rows, cols, rapid.IntRange(1, 9).Draw(r, "rank"), noise, rapid.Uint64().Draw(r, "seed"))
		sparse := rapid.Bool().Draw(r, "sparse")
		if sparse {
			dense = sparsely(dense, 4, 1)
		}
		if sumSquares(wide(dense)) == 0 {
			return
		}
		o := &nmf.Options{
			Solver: rapid.SampledFrom(solvers).Draw(r, "solver"), Init: rapid.SampledFrom(nmf.Inits()).Draw(r, "init"),
			MaxIter: rapid.IntRange(1, 120).Draw(r, "max_iter"), NoExtrapolation: rapid.Bool().Draw(r, "plain"),
			Runs: rapid.IntRange(1, 2).Draw(r, "runs"), Compression: rapid.SampledFrom([]string{"on", "off"}).Draw(r, "compression"),
			Tol:         rapid.SampledFrom([]float64{-1, 1e-2, 1e-4, 1e-6}).Draw(r, "tol"),
			TargetError: rapid.SampledFrom([]float64{0, 0, 0.1, 0.5, 0.9}).Draw(r, "target"),
		}
		m := fit(t, held(dense, sparse), k, o)
		checkForm(r, m)
		checkTrace(r, m)
		c := certify(matrix.Matrix[F](dense), m)
		// The loss is known to rounding beside ‖X‖, a little more where it is
		// summed up from large terms.
		scale := sumSquares(wide(dense)) / 2
		if math.Abs(c.loss-m.Info.Loss) > tol*scale {
			r.Fatalf("loss %v, recomputed %v (‖X‖²/2 = %v)", m.Info.Loss, c.loss, scale)
		}
		if math.Abs(c.relativeError*c.relativeError-m.Info.RelativeError*m.Info.RelativeError) > 2*tol {
			r.Fatalf("relative error %v, recomputed %v", m.Info.RelativeError, c.relativeError)
		}
		if math.Abs(c.kkt-m.Info.KKT) > 100*tol+1e-3*c.kkt {
			r.Fatalf("KKT %v, recomputed %v (%s)", m.Info.KKT, c.kkt, m.Info.Status)
		}
		if m.Info.Status == nmf.Converged && o.Tol > 0 && m.Info.KKT > o.Tol && m.Info.RelativeError > max(1e-6, o.TargetError) {
			r.Fatalf("converged with KKT %v, tolerance %v", m.Info.KKT, o.Tol)
		}
	})
}

// reference is a plain implementation of the iteration: one cyclic sweep of
// coordinate descent, or one multiplicative update, for each factor, from a
// given start. It gives loss and KKT residual after every iteration.
func reference(x, w, h *matrix.Dense[float64], solver string, iterations int) (trace []certificate) {
	w, ht, xt := w.Clone(), h.T(), x.T()
	for range iterations {
		plainUpdate(solver, w, ht, x)
		plainUpdate(solver, ht, w, xt)
		trace = append(trace, certifyPair(x, w, ht.T()))
	}
	return trace
}

// plainUpdate improves the rows of w for X ≈ W·Hᵀ with h (n x k) fixed.
func plainUpdate(solver string, w, h, x *matrix.Dense[float64]) {
	gram, cross := multiply(h.T(), h), multiply(x, h)
	for i := range w.Rows {
		row := w.Row(i)
		old := append([]float64(nil), row...)
		for j := range row {
			from := row
			if solver == "mu" {
				from = old
			}
			gw := 0.0
			for l, v := range from {
				gw += gram.At(j, l) * v
			}
			if solver == "mu" {
				row[j] = old[j] * cross.At(i, j) / gw
			} else {
				row[j] = max(0, row[j]+(cross.At(i, j)-gw)/gram.At(j, j))
			}
		}
	}
}

// TestTraceIsTheTextbook compares every line of the trace with the plain
// iteration.
func TestTraceIsTheTextbook(t *testing.T) {
	const rows, cols, k, iterations = 71, 46, 5, 15
	x := lowRank[float64](rows, cols, 6, 0.4, 21)
	w, h := given(rows, cols, k, 22)
	for _, solver := range []string{"hals", "mu"} {
		want := reference(x, w, h, solver, iterations)
		for _, sparse := range []bool{false, true} {
			o := &nmf.Options{Solver: solver, W: w, H: h, NoExtrapolation: true, InnerSweeps: 1, MaxIter: iterations, Tol: -1, LossTol: -1}
			m := fit(t, held(x, sparse), k, o)
			if len(m.Info.Trace) != iterations {
				t.Fatalf("%s: %d lines", solver, len(m.Info.Trace))
			}
			for i, it := range m.Info.Trace {
				e := want[i]
				if it.Iteration != i+1 || math.Abs(it.Loss-e.loss) > 1e-9*e.loss ||
					math.Abs(it.RelativeError-e.relativeError) > 1e-9*e.relativeError || math.Abs(it.KKT-e.kkt) > 1e-7*e.kkt {
					t.Errorf("%s, sparse %v: %+v, plain iteration %d has %+v", solver, sparse, it, i+1, e)
				}
			}
		}
	}
}

// TestLossNearZero: the short formula for the loss cancels; what is reported
// must not.
func TestLossNearZero(t *testing.T) {
	t.Run("float32", func(t *testing.T) { lossNearZero[float32](t, 1e-6) })
	t.Run("float64", func(t *testing.T) { lossNearZero[float64](t, 1e-14) })
}

func lossNearZero[F matrix.Float](t *testing.T, rounding float64) {
	for _, noise := range []float64{1e-2, 1e-4, 1e-6, 0} {
		x := lowRank[F](60, 50, 3, noise, 31)
		for _, sparse := range []bool{false, true} {
			m := fit(t, held(x, sparse), 3, &nmf.Options{MaxIter: 2000, Tol: 1e-7, LossTol: -1, TargetError: 1e-7})
			c := certify(matrix.Matrix[F](x), m)
			name := fmt.Sprintf("noise %g, sparse %v", noise, sparse)
			checkTrace(t, m)
			// Scaling the model to unit norms rounds it once more, and cells
			// that a sparse X does not store are not visited: their part of
			// ‖X−WH‖² is a difference.
			slack := rounding
			if sparse {
				slack = max(slack, 3e-8)
			}
			if math.Abs(c.relativeError-m.Info.RelativeError) > 1e-3*c.relativeError+slack {
				t.Errorf("%s: relative error %v, recomputed %v", name, m.Info.RelativeError, c.relativeError)
			}
		}
	}
}
