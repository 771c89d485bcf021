package engine

import (
	"fmt"
	"testing"

	"github.com/partsof/nmf/matrix"
)

// TestCompanyDoesNotMatter: a run has the bits that it has alone, whatever stands
// beside it, takes its place in the stack or ends with it.
func TestCompanyDoesNotMatter(t *testing.T) {
	const m, n = 150, 70
	x, _, _ := drawn[float64](m, n, 1, 0, 1)
	ranks := []int{3, 9, 3, 3, 1, 9, 3, 2, 9, 3, 1, 3}
	start := func(i int) (w, h *Tall[float64]) {
		_, w, h = drawn[float64](m, n, ranks[i]-2, 0, uint64(20+i))
		return w, h
	}
	cfg := Config{Solver: "hals", Extrapolate: true, MaxIter: 60, Tol: 1e-4, LossTol: 1e-5, RowTol: 1e-4, Workers: 1}
	for i := range ranks {
		cfg.Seeds = append(cfg.Seeds, uint64(i))
	}
	for _, x := range []matrix.Matrix[float64]{x, x.Sparse()} {
		d := NewData(x, 1)
		alone := make([]*Run[float64], len(ranks))
		for i := range ranks {
			cfg := cfg
			cfg.Seeds = cfg.Seeds[i:]
			runs, err := Minimize(t.Context(), d, ranks[i:i+1], func(int) (w, h *Tall[float64]) { return start(i) }, cfg)
			if err != nil {
				t.Fatal(err)
			}
			alone[i] = runs[0]
		}
		for _, side := range []int{0, 2, 3, 5} {
			for _, workers := range []int{1, 3} {
				t.Run(fmt.Sprintf("%T, %d side by side, %d workers", x, side, workers), func(t *testing.T) {
					cfg := cfg
					cfg.SideBySide, cfg.Workers = side, workers
					runs, err := Minimize(t.Context(), d, ranks, start, cfg)
					if err != nil {
						t.Fatal(err)
					}
					for i, r := range runs {
						a := alone[i]
						if r.Status != a.Status || r.Iterations != a.Iterations || r.Loss != a.Loss || r.KKT != a.KKT {
							t.Errorf("run %d: %s after %d, loss %v, KKT %v; alone %s after %d, %v, %v",
								i, r.Status, r.Iterations, r.Loss, r.KKT, a.Status, a.Iterations, a.Loss, a.KKT)
						}
						for p, v := range a.W.Data {
							if r.W.Data[p] != v {
								t.Fatalf("run %d: W differs", i)
							}
						}
						for p, v := range a.H.Data {
							if r.H.Data[p] != v {
								t.Fatalf("run %d: H differs", i)
							}
						}
					}
				})
			}
		}
	}
}
