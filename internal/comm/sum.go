package comm

import (
	"fmt"
	"slices"
)

// float is what sums are made of.
type float interface{ float32 | float64 }

// roundBytes is about how much a rank sends in a round of what takes several.
// Tests make it small.
var roundBytes = 16 << 20

// Part is share i of n things that are divided evenly over size ranks: those
// from, and before to.
func Part(n, size, i int) (from, to int) {
	return n/size*i + min(i, n%size), n/size*(i+1) + min(i+1, n%size)
}

// SumScatter adds the vectors of all ranks and gives each its part of the sum:
// rank i gets counts[i] elements, in rank order. It moves what a reduce-scatter
// moves, at least, (p-1)/p of the vector out of and into each rank. The sum is formed in float64
// in rank order and rounded once, so that it is a function of the vectors and
// their order alone, whatever the transport.
func SumScatter[F float](c Comm, vector []F, counts []int, mine []F) error {
	p, r := c.Size(), c.Rank()
	if err := checkCounts("SumScatter", p, counts, len(vector)); err != nil {
		return err
	}
	if counts[r] != len(mine) {
		return fmt.Errorf("%w: SumScatter of %d elements where counts say %d", ErrCall, len(mine), counts[r])
	}
	if p == 1 {
		copy(mine, vector)
		return nil
	}
	size := sizeOf[F]()
	step := max(1, roundBytes/size/p)
	rounds := (slices.Max(counts) + step - 1) / step
	var packed []F
	received := make([]F, p*min(step, counts[r]))
	total := make([]float64, min(step, counts[r]))
	sendCounts, recvCounts := make([]int, p), make([]int, p)
	for round := range rounds {
		// The elements of each part that this round is about.
		span := func(i int) (from, to int) { return min(round*step, counts[i]), min((round+1)*step, counts[i]) }
		from, to := span(r)
		send, at := vector, 0
		packed = packed[:0]
		for i := range p {
			a, b := span(i)
			sendCounts[i], recvCounts[i] = (b-a)*size, (to-from)*size
			if rounds > 1 {
				packed = append(packed, vector[at+a:at+b]...)
			}
			at += counts[i]
		}
		if rounds > 1 {
			send = packed
		}
		recv := received[:p*(to-from)]
		if err := c.AllToAll(Bytes(send), sendCounts, Bytes(recv), recvCounts); err != nil {
			return err
		}
		addInOrder(mine[from:to], recv, p, total)
	}
	return nil
}

// addInOrder adds the p vectors of parts into sum. total is space.
func addInOrder[F float](sum, parts []F, p int, total []float64) {
	n := len(sum)
	total = total[:n]
	for i, v := range parts[:n] {
		total[i] = float64(v)
	}
	for r := 1; r < p; r++ {
		for i, v := range parts[r*n : (r+1)*n] {
			total[i] += float64(v)
		}
	}
	for i, v := range total {
		sum[i] = F(v)
	}
}

// SumAll replaces the vector of each rank by the sum of all. The bits are those
// of SumScatter. Short vectors are gathered everywhere and added there, which is
// one step; long ones are summed by parts, which are then gathered.
func SumAll[F float](c Comm, vector []F) error {
	const short = 256 << 10
	p := c.Size()
	if p == 1 {
		return nil
	}
	if n := len(vector); p*n*sizeOf[F]() <= short {
		all := make([]F, p*n)
		if err := AllGather(c, vector, all, slices.Repeat([]int{n}, p)); err != nil {
			return err
		}
		addInOrder(vector, all, p, make([]float64, n))
		return nil
	}
	counts := make([]int, p)
	for i := range counts {
		from, to := Part(len(vector), p, i)
		counts[i] = to - from
	}
	mine := make([]F, counts[c.Rank()])
	if err := SumScatter(c, vector, counts, mine); err != nil {
		return err
	}
	return AllGather(c, mine, vector, counts)
}
