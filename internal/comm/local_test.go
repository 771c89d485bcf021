package comm_test

import (
	"testing"

	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/comm/commtest"
)

func TestLocal(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 7, 16} {
		if err := comm.Run(n, commtest.Check); err != nil {
			t.Fatalf("%d ranks: %v", n, err)
		}
	}
}

// TestConservation: over all ranks as much is sent as received, and a sum moves
// (p-1)/p of the vector out of each rank where shares are even.
func TestConservation(t *testing.T) {
	const p, n = 4, 4000
	traffic := make([]comm.Traffic, p)
	err := comm.Run(p, func(c comm.Comm) error {
		counts, mine := []int{n / p, n / p, n / p, n / p}, make([]float64, n/p)
		err := comm.SumScatter(c, make([]float64, n), counts, mine)
		traffic[c.Rank()] = c.Traffic()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for r, s := range traffic {
		if want := int64(8 * n * (p - 1) / p); s.Sent != want || s.Received != want {
			t.Errorf("rank %d sent %d and received %d bytes, not %d", r, s.Sent, s.Received, want)
		}
	}
}
