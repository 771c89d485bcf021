package pages

import "testing"

// TestMake: slices of every size are zero, and all of them can be written.
func TestMake(t *testing.T) {
	for _, n := range []int{0, 1, least/8 - 1, least / 8, 5<<20/8 + 3} {
		a, b := Make[float64](n), Make[float64](n)
		if len(a) != n || len(b) != n {
			t.Fatalf("%d elements are %d and %d", n, len(a), len(b))
		}
		for i := range a {
			if a[i] != 0 || b[i] != 0 {
				t.Fatalf("element %d of %d is not zero", i, n)
			}
			a[i], b[i] = 1, 2
		}
		for i := range a {
			if a[i] != 1 || b[i] != 2 {
				t.Fatalf("element %d of %d is %v and %v", i, n, a[i], b[i])
			}
		}
	}
}
