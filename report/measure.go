package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// measures are what a report says of a model's factors, over all samples and
// features.
type measures struct {
	shares []float64
	// sparsityH and sparsityW are Hoyer's (2004), of a component over the
	// features and over the samples.
	sparsityH, sparsityW []float64
	// cosine is k x k: of rows of H. A dead component has 0.
	cosine []float64
	// nearest is the component of the largest cosine, -1 where there is none.
	nearest []int
	// meanH is the mean of the rows of H over the components that are not dead.
	meanH []float64
	// pca is m x 2: the samples' mixtures on their first two principal axes;
	// variance is the part of the variance that each holds.
	pca      []float64
	variance [2]float64
	// residuals are those of the input, once they are asked for.
	residuals *residuals
}

func measure(m *nmf.Model[float64]) *measures {
	k := m.K()
	s := &measures{shares: m.Shares(), cosine: make([]float64, k*k), nearest: make([]int, k)}
	wt := m.W.T()
	for j := range k {
		s.sparsityH = append(s.sparsityH, hoyer(m.H.Row(j)))
		s.sparsityW = append(s.sparsityW, hoyer(wt.Row(j)))
		s.nearest[j] = -1
	}
	cosines(s.cosine, m.H)
	for a := range k {
		for b := range k {
			if a != b && m.Scales[a] > 0 && m.Scales[b] > 0 && (s.nearest[a] < 0 || s.cosine[a*k+b] > s.cosine[a*k+s.nearest[a]]) {
				s.nearest[a] = b
			}
		}
	}
	s.meanH = m.MeanComponent()
	s.pca, s.variance = principal(mixtures(m))
	return s
}

// hoyer is the sparsity (√n − ‖v‖₁/‖v‖₂)/(√n − 1) of Hoyer (2004): 0 where all
// values are equal, 1 where one alone is not zero. It is 0 for a vector of
// zeros, and 1 for a single value.
func hoyer(v []float64) float64 {
	l1, l2 := 0.0, 0.0
	top := slices.Max(v)
	if top == 0 {
		return 0
	}
	if len(v) == 1 {
		return 1
	}
	for _, x := range v {
		x /= top // squares of small values must not vanish
		l1 += x
		l2 += x * x
	}
	root := math.Sqrt(float64(len(v)))
	return min(1, max(0, (root-l1/math.Sqrt(l2))/(root-1)))
}

// cosines writes the cosines between the rows of h to c; 0 for a row of zeros.
func cosines(c []float64, h *matrix.Dense[float64]) {
	unit := mat.NewDense(h.Rows, h.Cols, nil)
	for j := range h.Rows {
		row := unit.RawRowView(j)
		if top := slices.Max(h.Row(j)); top > 0 {
			floats.ScaleTo(row, 1/top, h.Row(j)) // squares of small values must not vanish
			floats.Scale(1/floats.Norm(row, 2), row)
		}
	}
	var products mat.SymDense
	products.SymOuterK(1, unit)
	for a := range h.Rows {
		for b := range h.Rows {
			c[a*h.Rows+b] = min(1, products.At(a, b))
		}
	}
}

// mixtures gives for each sample the part that each component has in its
// reconstruction; a sample without any has zeros.
func mixtures(m *nmf.Model[float64]) *matrix.Dense[float64] {
	out := matrix.NewDense[float64](m.W.Rows, m.K())
	for i := range m.W.Rows {
		w, row := m.W.Row(i), out.Row(i)
		sum := 0.0
		for j, v := range w {
			row[j] = v * m.Scales[j]
			sum += row[j]
		}
		if sum == 0 {
			continue
		}
		for j := range row {
			row[j] /= sum
		}
	}
	return out
}

// principal gives the rows of x on the first two principal axes, and the part
// of the variance that each holds. An axis points to where its largest
// coefficient is positive, so that the picture does not depend on an accident
// of sign.
func principal(x *matrix.Dense[float64]) (scores []float64, variance [2]float64) {
	m, k := x.Rows, x.Cols
	scores = make([]float64, 2*m)
	mean := make([]float64, k)
	for i := range m {
		for j, v := range x.Row(i) {
			mean[j] += v / float64(m)
		}
	}
	sums, centred := matrix.NewDense[float64](k, k), make([]float64, k)
	for i := range m {
		floats.SubTo(centred, x.Row(i), mean)
		for a, v := range centred {
			floats.AddScaled(sums.Row(a), v, centred)
		}
	}
	cov := mat.NewSymDense(k, sums.Data)
	var eigen mat.EigenSym
	total := mat.Trace(cov)
	if total == 0 || !eigen.Factorize(cov, true) {
		return scores, variance
	}
	values := eigen.Values(nil) // rising
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	for axis := range min(2, k) {
		c := k - 1 - axis
		variance[axis] = max(0, values[c]/total)
		sign, largest := 1.0, 0.0
		for j := range k {
			if v := vectors.At(j, c); math.Abs(v) > largest+1e-12 {
				largest, sign = math.Abs(v), math.Copysign(1, v)
			}
		}
		for i := range m {
			sum := 0.0
			for j, v := range x.Row(i) {
				sum += (v - mean[j]) * vectors.At(j, c)
			}
			scores[2*i+axis] = sign * sum
		}
	}
	return scores, variance
}

// hashOf is the SHA-256 of a matrix: its numbers of rows and columns, and for
// each cell above zero, row by row, its row, column and value, as
// little-endian 64-bit numbers, the value in float64. A matrix has one hash,
// whether it is dense or sparse and whatever file it came from.
func hashOf(x Matrix) string {
	h := sha256.New()
	rows, cols := x.Dims()
	var buf RowBuffer
	b := binary.LittleEndian.AppendUint64(nil, uint64(rows))
	b = binary.LittleEndian.AppendUint64(b, uint64(cols))
	const chunk = 64 << 10
	for i := range rows {
		at, vals := x.Row(i, &buf)
		for p, v := range vals {
			if v == 0 {
				continue
			}
			j := p
			if at != nil {
				j = int(at[p])
			}
			b = binary.LittleEndian.AppendUint64(b, uint64(i))
			b = binary.LittleEndian.AppendUint64(b, uint64(j))
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
			if len(b) > chunk {
				h.Write(b)
				b = b[:0]
			}
		}
	}
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// byFalling gives the indices of values from the largest to the smallest, the
// order deciding between equals.
func byFalling(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
	return order
}
