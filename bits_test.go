package nmf_test

import (
	"fmt"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestSameBits fits with 1, 2 and 7 threads: W, H, scales and the trace
// without its seconds must have the same bits.
func TestSameBits(t *testing.T) {
	t.Run("float32", func(t *testing.T) { sameBits[float32](t) })
	t.Run("float64", func(t *testing.T) { sameBits[float64](t) })
}

func sameBits[F matrix.Float](t *testing.T) {
	shapes := []struct{ rows, cols, k int }{{38, 500, 5}, {500, 38, 17}, {1, 90, 2}, {90, 1, 2}, {129, 257, 9}}
	if !testing.Short() {
		// A block of rows is 8 MiB: the last has several.
		shapes = append(shapes, struct{ rows, cols, k int }{1000, 300, 20}, struct{ rows, cols, k int }{4500, 601, 6})
	}
	for _, s := range shapes {
		dense := lowRank[F](s.rows, s.cols, 7, 0.3, uint64(s.rows))
		thin := sparsely(dense, 8, 3)
		for _, solver := range solvers {
			for name, x := range map[string]matrix.Matrix[F]{"dense": dense, "sparse": thin.Sparse()} {
				for _, o := range []nmf.Options{
					{Init: "random", Runs: 3},
					{Init: "nndsvda"},
					{Init: "nndsvdar", NoExtrapolation: true, Compression: "on"},
					{Init: "spa"},
				} {
					o.Solver, o.MaxIter, o.Seed = solver, 5, 42
					if s.rows*s.cols > 1e5 {
						if o.Init == "nndsvda" || name == "sparse" && s.rows > 2000 || o.Compression == "on" && solver != "hals" {
							continue
						}
						o.MaxIter, o.Runs = 2, min(o.Runs, 2)
					}
					t.Run(fmt.Sprintf("%dx%dx%d-%s-%s-%s", s.rows, s.cols, s.k, name, solver, o.Init), func(t *testing.T) {
						t.Parallel()
						var want string
						for i, threads := range []int{1, 2, 7} {
							o.Threads = threads
							got := bits(fit(t, x, s.k, &o))
							if i == 0 {
								want = got
							} else if got != want {
								t.Errorf("%d threads: %s, with one %s", threads, got, want)
							}
						}
					})
				}
			}
		}
	}
}

// TestSameBitsTransform does the same for the weights of new samples.
func TestSameBitsTransform(t *testing.T) {
	x := lowRank[float32](700, 90, 6, 0.3, 1)
	m := fit(t, x, 6, &nmf.Options{MaxIter: 10})
	fresh := lowRank[float32](333, 90, 6, 0.4, 2)
	for _, sparse := range []bool{false, true} {
		var first *matrix.Dense[float32]
		var score nmf.Score
		for _, threads := range []int{1, 2, 7} {
			o := &nmf.TransformOptions{Threads: threads}
			w, err := m.Transform(t.Context(), held(fresh, sparse), o)
			if err != nil {
				t.Fatal(err)
			}
			s, err := m.Score(t.Context(), held(fresh, sparse), o)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first, score = w, s
				continue
			}
			if s != score {
				t.Errorf("%d threads: score %v, with one %v", threads, s, score)
			}
			for i, v := range w.Data {
				if v != first.Data[i] {
					t.Fatalf("%d threads: weights differ", threads)
				}
			}
		}
	}
}

// TestRunIsItsSeed: run i of a batch is the fit with the seed Seed+i, whatever
// its neighbours are, and the batch keeps the best.
func TestRunIsItsSeed(t *testing.T) {
	const runs = 9
	for _, solver := range solvers {
		for _, cols := range []int{40, 6000} { // 6000 do not all fit side by side
			rows := 60
			if cols > 1000 {
				rows = 20
			}
			x := lowRank[float64](rows, cols, 8, 0.5, 5)
			o := nmf.Options{Solver: solver, Init: "random", Seed: 100, Runs: runs, MaxIter: 20}
			batch := fit(t, x, 6, &o)
			if len(batch.Info.Runs) != runs {
				t.Fatalf("%s: %d runs listed of %d", solver, len(batch.Info.Runs), runs)
			}
			o.Runs = 1
			for i, r := range batch.Info.Runs {
				if r.Seed != 100+uint64(i) {
					t.Errorf("%s: run %d has seed %d", solver, i, r.Seed)
				}
				o.Seed = r.Seed
				alone := fit(t, x, 6, &o)
				if a := alone.Info.Runs[0]; a != r {
					t.Errorf("%s, %d columns: run %d is %+v in the batch, %+v alone", solver, cols, i, r, a)
				}
				if r.Loss < batch.Info.Loss {
					t.Errorf("%s: run %d has loss %v, the batch kept %v", solver, i, r.Loss, batch.Info.Loss)
				}
				if i != batch.Info.BestRun {
					continue
				}
				for j, v := range alone.H.Data {
					if batch.H.Data[j] != v {
						t.Fatalf("%s, %d columns: H of run %d differs from the same run alone", solver, cols, i)
					}
				}
				if batch.Info.Loss != alone.Info.Loss || len(batch.Info.Trace) != len(alone.Info.Trace) {
					t.Errorf("%s: loss %v after %d iterations, alone %v after %d", solver, batch.Info.Loss, len(batch.Info.Trace), alone.Info.Loss, len(alone.Info.Trace))
				}
			}
		}
	}
}

// TestSeedMatters: another seed is another start, and the SVD-based inits
// depend on it at most in their last digits.
func TestSeedMatters(t *testing.T) {
	x := lowRank[float64](50, 40, 5, 0.3, 1)
	for init, same := range map[string]bool{"random": false, "nndsvdar": false, "nndsvda": true, "nndsvd": true, "spa": true} {
		var fits []*matrix.Dense[float64]
		for seed := range uint64(2) {
			fits = append(fits, product(fit(t, x, 4, &nmf.Options{Init: init, Seed: seed, MaxIter: 2})))
		}
		if d := distance(fits[0], fits[1]); (d < 1e-6) != same {
			t.Errorf("%s: two seeds give fits %g apart", init, d)
		}
	}
}
