package engine

import (
	"math"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/solver"
)

// multiplicative updates a tile by the majorizer that separates the components
// (Févotte & Idier 2011), `sweeps` times on the same cells. With u what an
// entry w is multiplied by, its slope is
//
//	den·u^a − num·u^b + lin + quad·w·u,
//
// where lin and quad majorize what is asked of the factor. It rises with u, so
// that the minimum over u ≥ 0 is its only zero, and the objective cannot rise.
func multiplicative[F kernel.Float](sweeps int) func(h *halfStep[F], ws *tileScratch[F]) {
	return func(h *halfStep[F], ws *tileScratch[F]) {
		for s := range sweeps {
			if s > 0 {
				h.evaluate(ws, false, false)
			}
			h.multiply(ws)
			h.restore(ws)
		}
	}
}

// mostFactor bounds what an entry is multiplied by in one step.
const mostFactor = 1e8

// multiply does one update. Where nothing pulls an entry down it stays.
func (h *halfStep[F]) multiply(ws *tileScratch[F]) {
	a, b := h.cells.steps.Exponents()
	ops, u := h.cells.ops, ws.d
	switch {
	case h.point == nil:
		ops.Quotient(leastDenominator[F](), ws.num, ws.den, u)
		if e := 1 / (a - b); e != 1 {
			ops.Pow(F(e), u, u)
		}
	case a == 0 && b == -1:
		for i, num := range ws.num {
			q, p := ws.quad[i]*ws.w[i], ws.den[i]+ws.lin[i]
			u[i] = positiveRoot(q, p, num)
		}
	case a == 1 && b == 0:
		for i, num := range ws.num {
			u[i] = 0
			if p := ws.den[i] + ws.quad[i]*ws.w[i]; p > 0 {
				u[i] = max(0, num-ws.lin[i]) / p
			}
		}
	default:
		for i := range u {
			u[i] = F(rootOf(a, b, float64(ws.den[i]), float64(ws.num[i]), float64(ws.lin[i]), float64(ws.quad[i])*float64(ws.w[i])))
		}
	}
	least := solver.LeastEntry[F]()
	for i, v := range u {
		w := ws.w[i] * min(v, mostFactor)
		if w > 0 {
			w = max(w, least) // a zero could not grow again
		}
		ws.w[i] = w
	}
}

// leastDenominator keeps quotients finite.
func leastDenominator[F kernel.Float]() F {
	least := 0x1p-1000
	if kernel.Width[F]() == 16 {
		least = 0x1p-120
	}
	return F(least)
}

// positiveRoot is the u ≥ 0 with q·u² + p·u = num, in a form that does not
// cancel.
func positiveRoot[F kernel.Float](q, p, num F) F {
	if q == 0 {
		if p <= 0 {
			return 1
		}
		return num / p
	}
	root := F(math.Sqrt(float64(p)*float64(p) + 4*float64(q)*float64(num)))
	if p >= 0 {
		if p+root == 0 {
			return 0
		}
		return 2 * num / (p + root)
	}
	return (root - p) / (2 * q)
}

// rootOf is the u > 0 with den·u^a − num·u^b + lin + quad·u = 0, a ≥ 0 ≥ b: by
// Newton's method on ln u, within a bracket.
func rootOf(a, b, den, num, lin, quad float64) float64 {
	at := func(t float64) (f, slope float64) {
		ua, ub, u := math.Exp(a*t), math.Exp(b*t), math.Exp(t)
		return den*ua - num*ub + lin + quad*u, a*den*ua - b*num*ub + quad*u
	}
	const reach = 18 // e^±18 is mostFactor
	low, high := -2.0*reach, float64(reach)
	if f, _ := at(low); f >= 0 {
		return 0
	}
	if f, _ := at(high); f <= 0 {
		return math.Exp(high)
	}
	t := 0.0
	for range 60 {
		f, slope := at(t)
		if f > 0 {
			high = t
		} else {
			low = t
		}
		next := (low + high) / 2
		if slope > 0 {
			if n := t - f/slope; n > low && n < high {
				next = n
			}
		}
		if math.Abs(next-t) < 1e-9 {
			return math.Exp(next)
		}
		t = next
	}
	return math.Exp(t)
}
