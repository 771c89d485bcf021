package comm

import (
	"fmt"
	"slices"
)

// AllGather puts the vectors of all ranks behind each other in rank order, on
// every rank. counts are elements.
func AllGather[T number](c Comm, mine, all []T, counts []int) error {
	return c.AllGather(Bytes(mine), Bytes(all), scale(counts, sizeOf[T]()))
}

// Each gives what each rank says, in rank order.
func Each[T number](c Comm, mine T) ([]T, error) {
	all := make([]T, c.Size())
	err := AllGather(c, []T{mine}, all, slices.Repeat([]int{1}, c.Size()))
	return all, err
}

// EachBytes gives what each rank says, of any length, in rank order.
func EachBytes(c Comm, mine []byte) ([][]byte, error) {
	counts, total, err := lengths(c, mine)
	if err != nil {
		return nil, err
	}
	all := make([]byte, total)
	return divided(all, counts), c.AllGather(mine, all, counts)
}

// GatherBytes gives root what each rank says, of any length, in rank order; the
// others get parts of nothing.
func GatherBytes(c Comm, root int, mine []byte) ([][]byte, error) {
	counts, total, err := lengths(c, mine)
	if err != nil {
		return nil, err
	}
	if c.Rank() != root {
		return make([][]byte, len(counts)), Gather(c, root, mine, nil, counts)
	}
	all := make([]byte, total)
	return divided(all, counts), Gather(c, root, mine, all, counts)
}

// lengths are those of what the ranks say, and their sum.
func lengths(c Comm, mine []byte) (counts []int, total int, err error) {
	each, err := Each(c, int64(len(mine)))
	for _, n := range each {
		counts = append(counts, int(n))
		total += int(n)
	}
	return counts, total, err
}

// divided gives the parts of a vector.
func divided(all []byte, counts []int) [][]byte {
	parts := make([][]byte, len(counts))
	for i, n := range counts {
		parts[i], all = all[:n:n], all[n:]
	}
	return parts
}

// BroadcastBytes gives what root says, of any length, to all ranks.
func BroadcastBytes(c Comm, root int, b []byte) ([]byte, error) {
	length := []int64{int64(len(b))}
	if err := c.Broadcast(root, Bytes(length)); err != nil {
		return nil, err
	}
	if c.Rank() != root {
		b = make([]byte, length[0])
	}
	return b, c.Broadcast(root, b)
}

// Gather puts the vectors of all ranks, counts[i] elements of rank i, behind
// each other at root, which alone needs all.
func Gather[T number](c Comm, root int, mine, all []T, counts []int) error {
	return oneSided(c, root, mine, all, counts, true)
}

// Scatter gives each rank its part of all, counts[i] elements for rank i, which
// root alone has.
func Scatter[T number](c Comm, root int, all, mine []T, counts []int) error {
	return oneSided(c, root, mine, all, counts, false)
}

// oneSided moves parts between root and every rank, in rounds that stay within
// what an exchange may hold.
func oneSided[T number](c Comm, root int, mine, all []T, counts []int, gather bool) error {
	p, r, size := c.Size(), c.Rank(), sizeOf[T]()
	if err := CheckRoot(p, root); err != nil {
		return err
	}
	total := len(all)
	if r != root {
		all, total = nil, 0
		for _, n := range counts {
			total += n
		}
	}
	if err := checkCounts("Gather or Scatter", p, counts, total); err != nil {
		return err
	}
	if counts[r] != len(mine) {
		return fmt.Errorf("%w: a part of %d elements where counts say %d", ErrCall, len(mine), counts[r])
	}
	step := max(1, roundBytes/size/p)
	rounds := (slices.Max(counts) + step - 1) / step
	var packed []T
	for round := range rounds {
		span := func(i int) (from, to int) { return min(round*step, counts[i]), min((round+1)*step, counts[i]) }
		from, to := span(r)
		own, others := make([]int, p), make([]int, p)
		own[root] = (to - from) * size
		packed = packed[:0]
		if r == root {
			at := 0
			for i := range p {
				a, b := span(i)
				others[i] = (b - a) * size
				packed = append(packed, all[at+a:at+b]...)
				at += counts[i]
			}
		}
		if !gather {
			if err := c.AllToAll(Bytes(packed), others, Bytes(mine[from:to]), own); err != nil {
				return err
			}
			continue
		}
		if err := c.AllToAll(Bytes(mine[from:to]), own, Bytes(packed), others); err != nil {
			return err
		}
		if r == root {
			at, read := 0, 0
			for i := range p {
				a, b := span(i)
				read += copy(all[at+a:at+b], packed[read:])
				at += counts[i]
			}
		}
	}
	return nil
}

func scale(counts []int, by int) []int {
	scaled := make([]int, len(counts))
	for i, n := range counts {
		scaled[i] = n * by
	}
	return scaled
}
