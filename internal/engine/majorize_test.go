package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/matrix"
)

// holed draws missing cells, `part` of all, and clears them in x.
func holed[F kernel.Float](t *testing.T, x *matrix.Dense[F], part float64, seed uint64) *matrix.Mask {
	rng := rand.New(rand.NewPCG(seed, 7))
	var rows, cols []int32
	for i := range x.Rows {
		for j := range x.Cols {
			if rng.Float64() < part {
				rows, cols = append(rows, int32(i)), append(cols, int32(j))
				x.Set(i, j, 0)
			}
		}
	}
	mask, err := matrix.NewMask(x.Rows, x.Cols, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	return mask
}

// listed is x with its missing cells listed with a weight of zero, all that is
// not listed being zeros that count.
func listed[F kernel.Float](x *matrix.Dense[F], mask *matrix.Mask) (*matrix.CSR[F], []F) {
	s := &matrix.CSR[F]{Rows: x.Rows, Cols: x.Cols, RowPtr: make([]int, 1, x.Rows+1)}
	var weights []F
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			if missing := mask.Has(i, j); missing || v > 0 {
				s.ColIdx, s.Val = append(s.ColIdx, int32(j)), append(s.Val, v)
				w := F(1)
				if missing {
					w = 0
				}
				weights = append(weights, w)
			}
		}
		s.RowPtr = append(s.RowPtr, len(s.Val))
	}
	return s, weights
}

var square = &loss.Loss{Kind: loss.Beta, Beta: 2}

// TestFew: the shared Gram matrix is for cells that count once, at least half
// of every line.
func TestFew(t *testing.T) {
	x, _, _ := drawn[float64](6, 4, 1, 0, 1)
	cells := func(rows, cols []int32) *matrix.Mask {
		m, err := matrix.NewMask(6, 4, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	half, most := cells([]int32{0, 0}, []int32{1, 2}), cells([]int32{0, 0, 0}, []int32{1, 2, 3})
	third := cells([]int32{0, 1, 2, 3, 4, 5, 0}, []int32{0, 1, 2, 3, 0, 1, 2})
	ones := make([]float64, 6)
	for i := range ones {
		ones[i] = 2
	}
	s, weights := listed(x, half)
	heavy := append([]float64(nil), weights...)
	heavy[len(heavy)-1] = 3
	for _, c := range []struct {
		name string
		x    matrix.Matrix[float64]
		o    Observed[float64]
		l    *loss.Loss
		want bool
	}{
		{"half of a row", x, Observed[float64]{Missing: half}, square, true},
		{"most of a row", x, Observed[float64]{Missing: most}, square, false},
		{"third of all", x, Observed[float64]{Missing: third}, square, false},
		{"most of a column", x, Observed[float64]{Missing: cells([]int32{0, 1, 2, 3}, []int32{0, 0, 0, 0})}, square, false},
		{"weights", x, Observed[float64]{Missing: half, RowWeights: ones}, square, false},
		{"another loss", x, Observed[float64]{Missing: half}, &loss.Loss{Kind: loss.Beta, Beta: 1}, false},
		{"sparse zeros", s, Observed[float64]{Listed: true, Rest: true, CellWeights: weights}, square, true},
		{"cell weights", s, Observed[float64]{Listed: true, Rest: true, CellWeights: heavy}, square, false},
		{"unstored", s, Observed[float64]{Listed: true}, square, false},
	} {
		if got := NewCells(c.x, c.o, c.l, 1).few(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestMaskedTerms compares loss and gradient of panels with missing cells with
// plain loops, with panels that are kept and that are not.
func TestMaskedTerms(t *testing.T) {
	t.Run("float32", func(t *testing.T) { maskedTerms[float32](t, 1e-5) })
	t.Run("float64", func(t *testing.T) { maskedTerms[float64](t, 1e-12) })
}

func maskedTerms[F kernel.Float](t *testing.T, tol float64) {
	for _, s := range [][3]int{{1, 1, 1}, {33, 300, 5}, {70, 31, 9}, {130, 600, 17}} {
		m, n := s[0], s[1]
		x, w, h := drawn[F](m, n, s[2], 0, 3)
		mask := holed(t, x, 0.2, 4)
		k := w.K
		num, den, total := make([]float64, m*k), make([]float64, m*k), 0.0
		for i := range m {
			for j := range n {
				if mask.Has(i, j) {
					continue
				}
				r := 0.0
				for l := range k {
					r += float64(w.Row(i)[l]) * float64(h.Row(j)[l])
				}
				e := float64(x.At(i, j)) - r
				total += e * e / 2
				for l, v := range h.Row(j) {
					num[i*k+l] += float64(x.At(i, j)) * float64(v)
					den[i*k+l] += r * float64(v)
				}
			}
		}
		for _, keep := range []bool{true, false} {
			c := NewCells[F](x, Observed[F]{Missing: mask}, square, 1)
			if !keep {
				c.left.kept = nil
			}
			half := &halfStep[F]{cells: c, side: c.left, fixed: h, from: w}
			ws, tile, sum := newTileScratch[F](k), kernel.TileRows[F](), 0.0
			for a := 0; a < m; a += tile {
				b := min(a+tile, m)
				half.load(ws, a, b)
				sum += half.evaluate(ws, true, false)
				for i := a; i < b; i++ {
					for l := range k {
						for _, v := range [][2]float64{{float64(ws.num[l*tile+i-a]), num[i*k+l]}, {float64(ws.den[l*tile+i-a]), den[i*k+l]}} {
							if math.Abs(v[0]-v[1]) > tol*float64(n) {
								t.Fatalf("%v, row %d, component %d: %v, want %v", s, i, l, v[0], v[1])
							}
						}
					}
				}
			}
			if math.Abs(sum-total) > tol*(total+1) {
				t.Errorf("%v: loss %v, want %v", s, sum, total)
			}
		}
	}
}

// TestMajorizedIsStationary: fits with missing cells, taken for what the pair
// makes of them, never raise the loss of the observed ones and end where its
// gradient, by plain loops, is as small as each row's own Gram matrix makes it.
func TestMajorizedIsStationary(t *testing.T) {
	const m, n, k = 60, 45, 4
	planted := func() *matrix.Dense[float64] {
		_, w, h := drawn[float64](m, n, k, 0, 5)
		rng := rand.New(rand.NewPCG(6, 6))
		x := matrix.NewDense[float64](m, n)
		for i := range m {
			for j := range n {
				for l := range k {
					if rng.IntN(2) == 0 {
						x.Data[i*n+j] += w.Row(i)[l] * h.Row(j)[l]
					}
				}
			}
		}
		return x
	}
	// At 0.35 it would creep, and is ended by the rows' own Gram matrices.
	for _, part := range []float64{0, 0.1, 0.2, 0.35} {
		x := planted()
		mask := holed(t, x, part, 8)
		sparse, weights := listed(x, mask)
		for name, c := range map[string]*Cells[float64]{
			"dense":  NewCells[float64](x, Observed[float64]{Missing: mask}, square, 1),
			"sparse": NewCells[float64](sparse, Observed[float64]{Listed: true, Rest: true, CellWeights: weights}, square, 1),
		} {
			t.Run(fmt.Sprintf("%s, %v missing", name, part), func(t *testing.T) {
				if c.few() != (part < 0.25) {
					t.Fatal("other cells are missing than is thought")
				}
				cfg := Config{Solver: "hals", Extrapolate: true, MaxIter: 3000, Tol: 1e-6, LossTol: -1, RowTol: 1e-7, Workers: 1}
				if part > 0.25 {
					cfg.Tol = 1e-4
				}
				a := &alternation[float64]{c: c, ctx: t.Context(), cfg: cfg, runs: make([]*Run[float64], 1), start: func(int) (w, h *Tall[float64]) {
					_, w, h = drawn[float64](m, n, k-2, 0, 9)
					return w, h
				}}
				if err := a.choose(); err != nil {
					t.Fatal(err)
				}
				a.filling = majorized[float64](cfg.sweeps)
				a.fit(&pool{ctx: t.Context(), workers: 1}, 0, nil)
				r := a.runs[0]
				if crept := r.Iterations > mostFilling; crept != (part > 0.25) {
					t.Errorf("it took %d iterations", r.Iterations)
				}
				if r.Status != Converged {
					t.Errorf("status %s after %d iterations, KKT %v", r.Status, r.Iterations, r.KKT)
				}
				for i := 1; i < len(r.Trace); i++ {
					if r.Trace[i].Loss > r.Trace[i-1].Loss*(1+1e-14) {
						t.Errorf("the loss rises in iteration %d", r.Trace[i].Iteration)
					}
				}
				total := 0.0
				pg, cc := [2]float64{}, [2]float64{}
				for f, pair := range [2][2]*Tall[float64]{{r.W, r.H}, {r.H, r.W}} {
					for i := range pair[0].Rows {
						num, den := make([]float64, k), make([]float64, k)
						for j := range pair[1].Rows {
							row, col := i, j
							if f == 1 {
								row, col = j, i
							}
							if mask.Has(row, col) {
								continue
							}
							y := 0.0
							for l := range k {
								y += pair[0].Row(i)[l] * pair[1].Row(j)[l]
							}
							if f == 0 {
								total += (x.At(row, col) - y) * (x.At(row, col) - y) / 2
							}
							for l, v := range pair[1].Row(j) {
								num[l] += x.At(row, col) * v
								den[l] += y * v
							}
						}
						for l, v := range pair[0].Row(i) {
							if g := den[l] - num[l]; v > 0 || g < 0 {
								pg[f] += g * g
							}
							cc[f] += num[l] * num[l]
						}
					}
				}
				if math.Abs(total-r.Loss) > 1e-9*total {
					t.Errorf("loss %v, by loops %v", r.Loss, total)
				}
				for f := range 2 {
					// The engine measures with components of equal norms in W and H.
					if got := math.Sqrt(pg[f] / cc[f]); got > 10*cfg.Tol {
						t.Errorf("factor %d: the residual is %v", f, got)
					}
				}
			})
		}
	}
}

// TestPoorEntries: entries of which the missing cells would be most of what is said are
// moved to where the other cells want them, by plain loops, and others are as they are
// without; whether missing cells are masked or listed, and whether the rows are sorted
// out by leverage first.
func TestPoorEntries(t *testing.T) {
	// Of 1/5000 the square is lost beside 1 in float32.
	for _, least := range []float64{1. / 50, 1. / 5000} {
		t.Run(fmt.Sprintf("float32, %v", least), func(t *testing.T) { poorEntries[float32](t, least, 1e-3) })
		t.Run(fmt.Sprintf("float64, %v", least), func(t *testing.T) { poorEntries[float64](t, least, 1e-9) })
	}
}

func poorEntries[F kernel.Float](t *testing.T, least, tol float64) {
	const m, n, own = 30, 150, 5
	x, w, h := drawn[F](m, n, 3, 0, 11)
	k := w.K
	for i := range m {
		w.Row(i)[0] *= F(least)
	}
	w.Row(own)[0] = 1 // nearly all of component 0 is in this row
	mask := holed(t, x, 0.1, 12)
	sparse, weights := listed(x, mask)
	cells := map[string]*Cells[F]{
		"masked": NewCells[F](x, Observed[F]{Missing: mask}, square, 1),
		"listed": NewCells[F](sparse, Observed[F]{Listed: true, Rest: true, CellWeights: weights}, square, 1),
	}
	step := func(c *Cells[F], apart, sorted bool) *Tall[F] {
		to := NewTall[F](n, k)
		half := &halfStep[F]{cells: c, side: c.right, fixed: w, from: h, to: to, filled: true, apart: apart,
			update: majorized[F](func(int, float64) int { return 2 })}
		p := &pool{ctx: t.Context(), workers: 1}
		if sorted {
			if _, ok := half.run(p, []*tileScratch[F]{newTileScratch[F](k)}); !ok {
				t.Fatal("it was cancelled")
			}
			if apart && half.leverage == nil {
				t.Fatal("there is no leverage")
			}
			return to
		}
		if !half.prepare(p, new(Tall[F])) {
			t.Fatal("it was cancelled")
		}
		half.leverage = nil
		ws := newTileScratch[F](k)
		height := half.height()
		count := (n + height - 1) / height
		ws.sums.reset(count, k)
		for i := range count {
			half.tile(ws, height, i, &ws.sums)
		}
		return to
	}
	for name, c := range cells {
		plain, apart, unsorted := step(c, false, true), step(c, true, true), step(c, true, false)
		count := 0
		for j := range n {
			if !slices.Equal(apart.Row(j), unsorted.Row(j)) {
				t.Fatalf("%s: row %d is %v, and %v where leverage sorts rows out", name, j, unsorted.Row(j), apart.Row(j))
			}
			if !mask.Has(own, j) {
				if !slices.Equal(plain.Row(j), apart.Row(j)) {
					t.Errorf("%s: row %d has changed", name, j)
				}
				continue
			}
			count++
			if !slices.Equal(plain.Row(j)[1:], apart.Row(j)[1:]) {
				t.Errorf("%s: entries of row %d have changed that are not poor", name, j)
			}
			var num, den float64
			for i := range m {
				if mask.Has(i, j) {
					continue
				}
				y := 0.0
				for b, v := range apart.Row(j) {
					y += float64(v) * float64(w.Row(i)[b])
				}
				num += float64(x.At(i, j)) * float64(w.Row(i)[0])
				den += y * float64(w.Row(i)[0])
			}
			if g := den - num; g < -tol*num || apart.Row(j)[0] > 0 && g > tol*num {
				t.Errorf("%s: the slope of the poor entry of row %d is %v, beside %v", name, j, g, num)
			}
		}
		if count < 5 {
			t.Fatalf("%s: %d rows are poor", name, count)
		}
	}
}
