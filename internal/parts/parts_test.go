package parts

import (
	"errors"
	"sync/atomic"
	"testing"
)

// TestEach: every element is in one part, no part but the only one is shorter than
// it may be, and of several errors the first part's is told.
func TestEach(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 19, 20, 1000} {
		seen := make([]atomic.Int32, n)
		err := Each(n, 10, func(from, to int) error {
			if to-from < 10 && to-from < n {
				t.Errorf("of %d elements %d to %d are a part", n, from, to)
			}
			for i := from; i < to; i++ {
				seen[i].Add(1)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range seen {
			if c := seen[i].Load(); c != 1 {
				t.Errorf("element %d of %d is in %d parts", i, n, c)
			}
		}
	}
	first, other := errors.New("first"), errors.New("other")
	if err := Each(1000, 1, func(from, _ int) error {
		if from == 0 {
			return first
		}
		return other
	}); err != first {
		t.Errorf("the error is %v", err)
	}
}
