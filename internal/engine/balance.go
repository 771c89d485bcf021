package engine

import (
	"math"
)

// Only the product of a column of W and its row of H matters, and their norms
// can drift apart: where there are more components than X has to offer, one
// may be left with rounding in W, and H, divided by its square, grows as much.
// Steps and residuals do not care, but numbers of either factor then leave the
// range of F, and a row's KKT residual is measured beside one huge entry of
// its cross product. Scaling by powers of two is exact.

// maxSkew is the largest power of two by which a column of W and its row of H
// may both be away from equal norms.
const maxSkew = 8

// skew is the power of two that a column of W, of squared norm a, is
// multiplied by, and its row of H, of squared norm b, is divided by, to bring
// their norms within a factor of three of each other.
func skew(a, b float64) int {
	if a == 0 || b == 0 {
		return 0
	}
	_, ea := math.Frexp(a)
	_, eb := math.Frexp(b)
	return int(math.Round(float64(eb-ea) / 4))
}

// rebalance scales the components of a slot whose norms have drifted apart;
// it reports whether there were any.
func (f *fitter[F]) rebalance(s *slot[F]) bool {
	changed := false
	for j := range s.k {
		if e := skew(s.normW[j], s.g.Diag(j)); e > maxSkew || e < -maxSkew {
			s.rescale(j, e)
			f.stack.rescale(s.off+j, e)
			changed = true
		}
	}
	return changed
}

// rescale keeps what is known of a pair true when its column j of W is
// multiplied by 2^e and its row of H divided.
func (s *slot[F]) rescale(j, e int) {
	s.normW[j] = math.Ldexp(s.normW[j], 2*e)
	s.columns.pg[j] = math.Ldexp(s.columns.pg[j], 2*e)
	s.columns.cc[j] = math.Ldexp(s.columns.cc[j], 2*e)
}

func (s *stack[F]) rescale(col, e int) {
	for _, t := range []*Tall[F]{s.w, s.wPlain} {
		t.scaleColumn(col, e)
	}
	for _, t := range []*Tall[F]{s.h, s.hAhead} {
		t.scaleColumn(col, -e)
	}
}

// scaleColumn multiplies a column by 2^e; a nil factor has none.
func (t *Tall[F]) scaleColumn(col, e int) {
	if t == nil {
		return
	}
	if power := math.Ldexp(1, e); power > 0 && !math.IsInf(power, 1) { // the same to the bit, and sooner
		for i := range t.Rows {
			v := &t.Data[t.at(i, col)]
			*v = F(float64(*v) * power)
		}
		return
	}
	for i := range t.Rows {
		v := &t.Data[t.at(i, col)]
		*v = F(math.Ldexp(float64(*v), e))
	}
}

// balancePair brings every component of a pair taken from a slot to nearly
// equal norms.
func (s *slot[F]) balancePair(g *Grid, w, h *Tall[F], workers int) {
	normW, normH := w.columnNorms(workers), h.columnNorms(workers)
	g.sum(OfRows, normW)
	g.sum(OfColumns, normH)
	for j := range s.k {
		if e := skew(normW[j], normH[j]); e != 0 {
			s.rescale(j, e)
			w.scaleColumn(j, e)
			h.scaleColumn(j, -e)
		}
	}
}
