package engine

import (
	"fmt"
	"slices"
	"sort"

	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// exchangeCells is about how many cells a rank sends in one round.
const exchangeCells = 32 << 20

// Exchange is collective: from whole rows of X, those that a rank updates the
// rows of W of, it makes the rank's part of X, in memory. With one grid column
// that is x itself.
func Exchange[F kernel.Float](g *Grid, x matrix.Matrix[F]) (matrix.Matrix[F], error) {
	if !g.divided() {
		return x, nil
	}
	rows, cols := g.Parts()
	switch x := x.(type) {
	case *matrix.Dense[F]:
		e := newExchange(g, x.Rows, func(int) int { return x.Cols })
		parts, err := turnOver(e, func(to []F, i, a, b int) []F { return append(to, x.Row(i)[a:b]...) })
		return &matrix.Dense[F]{Rows: rows, Cols: cols, Stride: cols, Data: slices.Concat(parts...)}, err
	case *matrix.CSR[F]:
		e := newExchange(g, x.Rows, func(i int) int { return x.RowPtr[i+1] - x.RowPtr[i] })
		span := func(i, a, b int) (from, to int) {
			idx, _ := x.Row(i)
			from = sort.Search(len(idx), func(q int) bool { return int(idx[q]) >= a })
			return from, from + sort.Search(len(idx)-from, func(q int) bool { return int(idx[from+q]) >= b })
		}
		counts, err := turnOver(e, func(to []int32, i, a, b int) []int32 {
			from, end := span(i, a, b)
			return append(to, int32(end-from))
		})
		if err != nil {
			return nil, err
		}
		index, err := turnOver(e, func(to []int32, i, a, b int) []int32 {
			idx, _ := x.Row(i)
			from, end := span(i, a, b)
			for _, j := range idx[from:end] {
				to = append(to, j-int32(a))
			}
			return to
		})
		if err != nil {
			return nil, err
		}
		values, err := turnOver(e, func(to []F, i, a, b int) []F {
			_, vals := x.Row(i)
			from, end := span(i, a, b)
			return append(to, vals[from:end]...)
		})
		out := &matrix.CSR[F]{Rows: rows, Cols: cols, RowPtr: make([]int, 1, rows+1), ColIdx: slices.Concat(index...), Val: slices.Concat(values...)}
		for _, n := range slices.Concat(counts...) {
			out.RowPtr = append(out.RowPtr, out.RowPtr[len(out.RowPtr)-1]+int(n))
		}
		return out, err
	}
	return nil, fmt.Errorf("a %T cannot be divided by columns", x)
}

// exchange is the rows of a rank, cut into rounds.
type exchange struct {
	g *Grid
	// cuts are the rows at which rounds begin, and the last one's end.
	cuts []int
}

func newExchange(g *Grid, rows int, cells func(i int) int) *exchange {
	e := &exchange{g: g, cuts: []int{0}}
	sum := 0
	for i := range rows {
		if sum += cells(i); sum > exchangeCells && i > e.cuts[len(e.cuts)-1] {
			e.cuts, sum = append(e.cuts, i), cells(i)
		}
	}
	e.cuts = append(e.cuts, rows)
	return e
}

// turnOver sends to each rank of the grid row what pick appends for each row and
// the columns a to b, which are that rank's, and gives what each rank has sent.
func turnOver[T float32 | float64 | int32](e *exchange, pick func(to []T, row, a, b int) []T) ([][]T, error) {
	c := e.g.row
	p := c.Size()
	all, err := comm.Each(c, int64(len(e.cuts)-1))
	if err != nil {
		return nil, err
	}
	parts := make([][]T, p)
	bytes := len(comm.Bytes(make([]T, 1)))
	for round := range int(slices.Max(all)) {
		var send []T
		sent, counts := make([]int, p), make([]int64, p*p)
		for q := range p {
			a, b := Share(e.g.Cols, p, q)
			before := len(send)
			if round < len(e.cuts)-1 {
				for i := e.cuts[round]; i < e.cuts[round+1]; i++ {
					send = pick(send, i, a, b)
				}
			}
			sent[q] = len(send) - before
			counts[c.Rank()*p+q] = int64(sent[q])
		}
		if err := comm.AllGather(c, slices.Clone(counts[c.Rank()*p:(c.Rank()+1)*p]), counts, slices.Repeat([]int{p}, p)); err != nil {
			return nil, err
		}
		sendBytes, recvBytes, total := make([]int, p), make([]int, p), 0
		for q := range p {
			n := int(counts[q*p+c.Rank()])
			sendBytes[q], recvBytes[q] = sent[q]*bytes, n*bytes
			total += n
		}
		received := make([]T, total)
		if err := c.AllToAll(comm.Bytes(send), sendBytes, comm.Bytes(received), recvBytes); err != nil {
			return nil, err
		}
		for q := range p {
			n := recvBytes[q] / bytes
			parts[q] = append(parts[q], received[:n]...)
			received = received[n:]
		}
	}
	return parts, nil
}
