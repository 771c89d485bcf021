package cells

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// Usages gives the part of each program in each cell (cells x k): W·diag(scales)
// with rows that sum to 1. A cell that uses none has a row of zeros.
func Usages[F matrix.Float](m *nmf.Model[F]) *matrix.Dense[F] {
	u := matrix.NewDense[F](m.W.Rows, m.K())
	for i := range u.Rows {
		sum := 0.0
		for j, w := range m.W.Row(i) {
			sum += float64(w) * m.Scales[j]
		}
		for j, w := range m.W.Row(i) {
			if sum > 0 {
				u.Set(i, j, F(float64(w)*m.Scales[j]/sum))
			}
		}
	}
	return u
}

// Scores gives the specificity of every gene of p.All to every program (k x
// genes), as cNMF does (Kotliar et al. 2019): the coefficients of the least
// squares regression of the gene's z-scores, over cells, of its normalised counts
// on the usages. Genes without variance have 0.
func Scores[F matrix.Float](m *nmf.Model[F], p *Prepared[F]) (*matrix.Dense[F], error) {
	u := Usages(m)
	k := m.K()
	normal := normalised(p.All, rowSums(p.All), p.TargetSum)
	mean, variance := moments(normal)
	gram := mat.NewDense(k, k, nil)
	sums := make([]float64, k)
	products := mat.NewDense(k, normal.Cols, nil)
	for i := range u.Rows {
		row := u.Row(i)
		for a, v := range row {
			sums[a] += float64(v)
			for b, w := range row {
				gram.Set(a, b, gram.At(a, b)+float64(v)*float64(w))
			}
		}
		cols, vals := normal.Row(i)
		for q, j := range cols {
			for a, v := range row {
				if v != 0 {
					products.Set(a, int(j), products.At(a, int(j))+float64(v)*float64(vals[q]))
				}
			}
		}
	}
	// Uᵀ(X − mean)/deviation, without making X dense.
	for j := range normal.Cols {
		deviation := math.Sqrt(variance[j])
		for a := range k {
			v := 0.0
			if deviation > 0 {
				v = (products.At(a, j) - sums[a]*mean[j]) / deviation
			}
			products.Set(a, j, v)
		}
	}
	var svd mat.SVD
	if !svd.Factorize(gram, mat.SVDThin) {
		return nil, fmt.Errorf("the usages of the programs have no regression")
	}
	// Programs that nobody uses, or that are always used together, leave the
	// regression undetermined: the smallest solution is taken.
	values := svd.Values(nil)
	rank := 0
	for rank < k && values[rank] > 1e-10*values[0] {
		rank++
	}
	var solved mat.Dense
	if rank > 0 {
		svd.SolveTo(&solved, products, rank)
	} else {
		solved.ReuseAs(k, normal.Cols)
	}
	out := matrix.NewDense[F](k, normal.Cols)
	for a := range k {
		for j := range normal.Cols {
			out.Set(a, j, F(solved.At(a, j)))
		}
	}
	return out, nil
}

// Gene is a gene of a program.
type Gene struct {
	Name string `json:"name"`
	// Score is its specificity (see Scores), Weight its part of the program, 0
	// for genes that are not variable.
	Score  float64 `json:"score"`
	Weight float64 `json:"weight"`
}

// Program is a component as people of the field look at it.
type Program struct {
	// Share is its part of all that is used.
	Share float64 `json:"share"`
	// Cells is the number of cells whose dominant program it is.
	Cells int    `json:"cells"`
	Genes []Gene `json:"genes"`
}

// Programs gives every program with its first n genes: by nmf.ByWeight, of the
// variable ones, or by nmf.BySpecificity, the highest of Scores over all genes.
func Programs[F matrix.Float](m *nmf.Model[F], p *Prepared[F], scores *matrix.Dense[F], n int, by string) []Program {
	list := make([]Program, m.K())
	shares := m.Shares()
	for _, l := range Dominant(m) {
		if l >= 0 {
			list[l].Cells++
		}
	}
	for l := range list {
		weights := make([]float64, p.All.Cols)
		for to, j := range p.Variable {
			weights[j] = float64(m.H.At(l, to))
		}
		key := func(j int) float64 { return float64(scores.At(l, j)) }
		if by == nmf.ByWeight {
			key = func(j int) float64 { return weights[j] }
		}
		order := make([]int, p.All.Cols)
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(key(b), key(a)) })
		list[l].Share = shares[l]
		for _, j := range order[:min(n, len(order))] {
			if key(j) <= 0 {
				break
			}
			list[l].Genes = append(list[l].Genes, Gene{p.Genes[j], float64(scores.At(l, j)), weights[j]})
		}
	}
	return list
}

// Dominant gives the program of each cell that has the largest part of all that
// there is of it (columns of W sum to 1); -1 for a cell that uses none.
func Dominant[F matrix.Float](m *nmf.Model[F]) []int {
	sums := make([]float64, m.K())
	for i := range m.W.Rows {
		for j, w := range m.W.Row(i) {
			sums[j] += float64(w)
		}
	}
	out := make([]int, m.W.Rows)
	for i := range out {
		out[i] = -1
		best := 0.0
		for j, w := range m.W.Row(i) {
			if v := float64(w) / sums[j]; v > best {
				best, out[i] = v, j
			}
		}
	}
	return out
}
