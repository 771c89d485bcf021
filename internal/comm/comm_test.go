package comm

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestPart(t *testing.T) {
	for n := range 40 {
		for size := 1; size < 12; size++ {
			at, least, most := 0, n, 0
			for i := range size {
				from, to := Part(n, size, i)
				if from != at {
					t.Fatalf("share %d of %d over %d begins at %d, not at %d", i, n, size, from, at)
				}
				at, least, most = to, min(least, to-from), max(most, to-from)
			}
			if at != n || most-least > 1 {
				t.Fatalf("%d over %d: ends at %d, shares of %d to %d", n, size, at, least, most)
			}
		}
	}
}

// TestRounds takes vectors of many rounds: the sums are those of one.
func TestRounds(t *testing.T) {
	whole := roundBytes
	defer func() { roundBytes = whole }()
	vector := func(r int) []float32 {
		v := make([]float32, 1000)
		for i := range v {
			v[i] = float32(math.Sin(float64(i*(r+1)))) * float32(r+1)
		}
		return v
	}
	counts := []int{0, 700, 299, 1}
	results := map[int][]float32{}
	for _, bytes := range []int{1, 40, 1000, whole} {
		roundBytes = bytes
		err := Run(len(counts), func(c Comm) error {
			mine := make([]float32, counts[c.Rank()])
			if err := SumScatter(c, vector(c.Rank()), counts, mine); err != nil {
				return err
			}
			all := make([]float32, 1000)
			if err := Gather(c, 0, mine, all, counts); err != nil {
				return err
			}
			back := make([]float32, counts[c.Rank()])
			if err := Scatter(c, 0, all, back, counts); err != nil {
				return err
			}
			for i := range back {
				if back[i] != mine[i] {
					return fmt.Errorf("element %d of rank %d is scattered as %v, gathered as %v", i, c.Rank(), back[i], mine[i])
				}
			}
			if c.Rank() == 0 {
				results[bytes] = all
			}
			return nil
		})
		if err != nil {
			t.Fatalf("rounds of %d bytes: %v", bytes, err)
		}
		for i, v := range results[bytes] {
			want := float64(0)
			for r := range counts {
				want += float64(vector(r)[i])
			}
			if v != float32(want) {
				t.Fatalf("rounds of %d bytes: element %d is %v, not %v", bytes, i, v, want)
			}
		}
	}
}

func TestFailureEndsAll(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		work func(c Comm) error
		want string
		is   error
	}{
		{"an error", func(c Comm) error {
			if c.Rank() == 2 {
				return broken
			}
			err := c.Barrier()
			if !errors.Is(err, ErrAborted) || !errors.Is(err, broken) {
				return fmt.Errorf("the others see %v", err)
			}
			return err
		}, "broken", broken},
		{"a panic", func(c Comm) error {
			if c.Rank() == 1 {
				panic("out of cheese")
			}
			return c.Barrier()
		}, "rank 1 panics: out of cheese", nil},
		{"an end", func(c Comm) error {
			if c.Rank() == 1 {
				return nil
			}
			return c.Broadcast(0, make([]byte, 3))
		}, "rank 1 has ended while others wait for it in Broadcast", ErrCall},
		{"an end within a group", func(c Comm) error {
			g, err := c.Split(c.Rank()%2, 0)
			if err != nil || c.Rank() == 3 {
				return err
			}
			return g.Barrier()
		}, "rank 3 has ended while others wait for it in Barrier", ErrCall},
		{"different operations", func(c Comm) error {
			if c.Rank() == 3 {
				return c.Barrier()
			}
			return c.Broadcast(0, nil)
		}, "rank 0 is in Broadcast (root 0) and rank 3 in Barrier", ErrCall},
		{"different lengths", func(c Comm) error { return c.Broadcast(0, make([]byte, c.Rank()/3)) },
			"Broadcast of 0 bytes at rank 0 and 1 at rank 3", ErrCall},
		{"parts that do not meet", func(c Comm) error {
			counts := []int{0, 0, 0, 0}
			counts[c.Rank()] = 1
			recv := []int{1, 0, 0, 0}
			return c.AllToAll([]byte{1}, counts, []byte{1}, recv)
		}, "AllToAll where rank 0 sends 0 bytes and rank 1 expects 1", ErrCall},
		{"counts that do not fit", func(c Comm) error { return c.AllGather(nil, make([]byte, 3), []int{1, 1, 1, 1}) },
			"4 counts for 4 ranks that sum to 4 for 3 bytes", ErrCall},
		{"too much", func(c Comm) error {
			return CheckAllToAll(1, make([]byte, MaxExchange+1), []int{MaxExchange + 1}, nil, []int{0})
		}, "are the most", ErrCall},
		{"no such root", func(c Comm) error { return c.Broadcast(4, nil) }, "root 4 of 4 ranks", ErrCall},
	} {
		err := Run(4, test.work)
		if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v, not %q", test.name, err, test.want)
		}
	}
}

// TestGatherBytes: root gets what each rank says, and the others nothing.
func TestGatherBytes(t *testing.T) {
	for root := range 3 {
		err := Run(3, func(c Comm) error {
			got, err := GatherBytes(c, root, []byte(strings.Repeat("x", 5*c.Rank())))
			if err != nil {
				return err
			}
			for r, text := range got {
				want := 5 * r
				if c.Rank() != root {
					want = 0
				}
				if len(text) != want || strings.Trim(string(text), "x") != "" {
					return fmt.Errorf("rank %d has %q of rank %d", c.Rank(), text, r)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
