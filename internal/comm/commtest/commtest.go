// Package commtest has the checks that every transport of package comm must
// pass.
package commtest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/partsof/nmf/internal/comm"
)

// Check runs every operation on c and compares it with its definition. All
// ranks call it.
func Check(c comm.Comm) error {
	checks := []struct {
		name string
		run  func(comm.Comm) error
	}{
		{"barrier", comm.Comm.Barrier}, {"broadcast", broadcast}, {"all-gather", allGather}, {"all-to-all", allToAll},
		{"sums", sums}, {"gather and scatter", gatherScatter}, {"text", text}, {"split", split}, {"agreement", agreement},
	}
	for _, k := range checks {
		if err := k.run(c); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}

// noise is the vector of rank r in trial t, known to all ranks.
func noise(r, t, n int) []float64 {
	rng := rand.New(rand.NewPCG(uint64(r), uint64(t)))
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Exp(20 * rng.NormFloat64())
	}
	return v
}

// sizes of the parts of ranks, known to all: some empty, none a round number.
func sizes(p, t int) []int {
	rng := rand.New(rand.NewPCG(99, uint64(t)))
	counts := make([]int, p)
	for i := range counts {
		if rng.IntN(4) > 0 {
			counts[i] = rng.IntN(1 << rng.IntN(12))
		}
	}
	return counts
}

func fill(n int, seed ...int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + 1)
		for j, s := range seed {
			b[i] += byte((s + 1) * (j + 3) * 11)
		}
	}
	return b
}

func broadcast(c comm.Comm) error {
	for root := range c.Size() {
		for _, n := range []int{0, 1, 1000, 100_003} {
			b := make([]byte, n)
			if c.Rank() == root {
				b = fill(n, root)
			}
			before := c.Traffic()
			if err := c.Broadcast(root, b); err != nil {
				return err
			}
			if !bytes.Equal(b, fill(n, root)) {
				return fmt.Errorf("%d bytes of rank %d came as others", n, root)
			}
			sent, received := 0, n
			if c.Rank() == root {
				sent, received = n*(c.Size()-1), 0
			}
			if err := counted(c, before, sent, received); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted checks the traffic of one operation.
func counted(c comm.Comm, before comm.Traffic, sent, received int) error {
	got := c.Traffic().Sub(before)
	if got.Sent != int64(sent) || got.Received != int64(received) || got.Calls != 1 || got.Time < 0 {
		return fmt.Errorf("counted as %+v, not %d sent and %d received", got, sent, received)
	}
	return nil
}

func allGather(c comm.Comm) error {
	for t := range 20 {
		counts := sizes(c.Size(), t)
		var want []byte
		for i, n := range counts {
			want = append(want, fill(n, i, t)...)
		}
		mine, all := fill(counts[c.Rank()], c.Rank(), t), make([]byte, len(want))
		before := c.Traffic()
		if err := c.AllGather(mine, all, counts); err != nil {
			return err
		}
		if !bytes.Equal(all, want) {
			return fmt.Errorf("parts of %v bytes came as others", counts)
		}
		if err := counted(c, before, len(mine)*(c.Size()-1), len(all)-len(mine)); err != nil {
			return err
		}
	}
	return nil
}

func allToAll(c comm.Comm) error {
	p, r := c.Size(), c.Rank()
	for t := range 20 {
		var send, want []byte
		sendCounts, recvCounts := make([]int, p), make([]int, p)
		for i := range p {
			sendCounts[i], recvCounts[i] = sizes(p, 100*t+r)[i], sizes(p, 100*t+i)[r]
			send = append(send, fill(sendCounts[i], r, i, t)...)
			want = append(want, fill(recvCounts[i], i, r, t)...)
		}
		recv := make([]byte, len(want))
		before := c.Traffic()
		if err := c.AllToAll(send, sendCounts, recv, recvCounts); err != nil {
			return err
		}
		if !bytes.Equal(recv, want) {
			return fmt.Errorf("trial %d: parts came as others", t)
		}
		if err := counted(c, before, len(send)-sendCounts[r], len(recv)-recvCounts[r]); err != nil {
			return err
		}
	}
	return nil
}

func sums(c comm.Comm) error {
	for t := range 12 {
		counts := sizes(c.Size(), t)
		if err := errors.Join(sum[float32](c, t, counts), sum[float64](c, t, counts)); err != nil {
			return err
		}
	}
	return nil
}

// sum compares both sums with one formed here in rank order, bit for bit.
func sum[F float32 | float64](c comm.Comm, t int, counts []int) error {
	n := 0
	for _, k := range counts {
		n += k
	}
	want := make([]float64, n)
	var own []F
	for r := range c.Size() {
		for i, v := range noise(r, t, n) {
			f := F(v)
			if r == c.Rank() {
				own = append(own, f)
			}
			if r == 0 {
				want[i] = float64(f)
			} else {
				want[i] += float64(f)
			}
		}
	}
	at := 0
	for _, k := range counts[:c.Rank()] {
		at += k
	}
	part, kept := make([]F, counts[c.Rank()]), slices.Clone(own)
	if err := comm.SumScatter(c, own, counts, part); err != nil {
		return err
	}
	if !slices.Equal(own, kept) {
		return errors.New("SumScatter changes what it adds")
	}
	for i, v := range part {
		if v != F(want[at+i]) {
			return fmt.Errorf("SumScatter: element %d of part %d is %v, not %v", i, c.Rank(), v, F(want[at+i]))
		}
	}
	if err := comm.SumAll(c, own); err != nil {
		return err
	}
	for i, v := range own {
		if v != F(want[i]) {
			return fmt.Errorf("SumAll: element %d is %v, not %v", i, v, F(want[i]))
		}
	}
	return nil
}

func gatherScatter(c comm.Comm) error {
	for t := range 12 {
		counts, root := sizes(c.Size(), t), t%c.Size()
		var want []float64
		for i, n := range counts {
			want = append(want, noise(i, t, n)...)
		}
		mine := noise(c.Rank(), t, counts[c.Rank()])
		var all []float64
		if c.Rank() == root {
			all = make([]float64, len(want))
		}
		if err := comm.Gather(c, root, mine, all, counts); err != nil {
			return err
		}
		if c.Rank() == root && !slices.Equal(all, want) {
			return fmt.Errorf("Gather of %v at rank %d", counts, root)
		}
		back := make([]float64, len(mine))
		if err := comm.Scatter(c, root, all, back, counts); err != nil {
			return err
		}
		if !slices.Equal(back, mine) {
			return fmt.Errorf("Scatter of %v from rank %d", counts, root)
		}
	}
	return nil
}

func text(c comm.Comm) error {
	parts, err := comm.EachBytes(c, fill(c.Rank()*5, c.Rank()))
	if err != nil {
		return err
	}
	for i, part := range parts {
		if !bytes.Equal(part, fill(i*5, i)) {
			return fmt.Errorf("EachBytes: rank %d says %q", i, part)
		}
	}
	for root := range c.Size() {
		var mine []byte
		if c.Rank() == root {
			mine = fill(root*100, root)
		}
		got, err := comm.BroadcastBytes(c, root, mine)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, fill(root*100, root)) {
			return fmt.Errorf("BroadcastBytes: rank %d says %q", root, got)
		}
	}
	return nil
}

// split makes the rows and columns of grids, and groups in reverse order, and
// uses them.
func split(c comm.Comm) error {
	for _, width := range []int{1, 2, 3, c.Size()} {
		row, err := c.Split(c.Rank()/width, c.Rank())
		if err != nil {
			return err
		}
		column, err := c.Split(c.Rank()%width, -c.Rank())
		if err != nil {
			return err
		}
		inRow, err := comm.Each(row, int64(c.Rank()))
		if err != nil {
			return err
		}
		inColumn, err := comm.Each(column, int64(c.Rank()))
		if err != nil {
			return err
		}
		var wantRow, wantColumn []int64
		for i := range c.Size() {
			if i/width == c.Rank()/width {
				wantRow = append(wantRow, int64(i))
			}
			if i%width == c.Rank()%width {
				wantColumn = append([]int64{int64(i)}, wantColumn...)
			}
		}
		if !slices.Equal(inRow, wantRow) || !slices.Equal(inColumn, wantColumn) {
			return fmt.Errorf("rows of %d: %v and %v, not %v and %v", width, inRow, inColumn, wantRow, wantColumn)
		}
		if inRow[row.Rank()] != int64(c.Rank()) || row.Size() != len(wantRow) || inColumn[column.Rank()] != int64(c.Rank()) {
			return fmt.Errorf("rows of %d: rank %d of %d", width, row.Rank(), row.Size())
		}
	}
	return nil
}

func agreement(c comm.Comm) error {
	last := c.Size() - 1
	hosts, err := comm.EachBytes(c, []byte(c.Host()))
	if err != nil {
		return err
	}
	// A rank is named with its machine where the ranks in question, or all,
	// are on several.
	named := func(rank int, others ...[]byte) string {
		for _, h := range others {
			if !bytes.Equal(h, hosts[rank]) {
				return fmt.Sprintf("rank %d on %s", rank, hosts[rank])
			}
		}
		return fmt.Sprintf("rank %d", rank)
	}
	facts := []comm.Fact{{Name: "the version", Value: "1"}, {Name: "k", Value: "7"}}
	if err := comm.Agree(c, facts); err != nil {
		return fmt.Errorf("equal facts: %w", err)
	}
	if c.Rank() == last {
		facts[1].Value = "8"
	}
	err = comm.Agree(c, facts)
	want := fmt.Sprintf("the ranks disagree: k of %s is 7, of %s it is 8", named(0, hosts[last]), named(last, hosts[0]))
	if last > 0 && (!errors.Is(err, comm.ErrDisagree) || err.Error() != want) {
		return fmt.Errorf("other facts: %v, not %s", err, want)
	}
	if err := comm.Outcome(c, nil); err != nil {
		return fmt.Errorf("no errors: %w", err)
	}
	err = comm.Outcome(c, errAll)
	if err != errAll {
		return fmt.Errorf("the same error: %v", err)
	}
	var mine error
	if c.Rank() == last {
		mine = errAll
	}
	err = comm.Outcome(c, mine)
	if want := named(last, hosts...) + ": broken"; last > 0 && (err == nil || err.Error() != want || errors.Is(err, errAll) != (mine != nil)) {
		return fmt.Errorf("one error: %v, not %s", err, want)
	}
	return nil
}

var errAll = errors.New("broken")
