package solver

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/penalty"
	"github.com/partsof/nmf/matrix"
)

// askedProblem is ½ tr(T G Tᵀ) − ⟨C, T⟩ + P(T) over a factor T (rows x k) of
// which something is asked.
type askedProblem struct {
	rows, k int
	g, c    []float64
	asked   *penalty.Factor
}

func newAskedProblem(rows, k int, asked *penalty.Factor, seed uint64) *askedProblem {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &askedProblem{rows: rows, k: k, g: make([]float64, k*k), c: make([]float64, rows*k), asked: asked}
	f := make([]float64, (k+2)*k)
	for i := range f {
		f[i] = rng.Float64()
	}
	for a := range k {
		for b := range k {
			for i := range k + 2 {
				p.g[a*k+b] += f[i*k+a] * f[i*k+b]
			}
		}
	}
	for i := range p.c {
		p.c[i] = 3*rng.Float64() - 0.5
	}
	return p
}

func (p *askedProblem) value(t []float64) float64 {
	total := penalty.Value(p.asked, t, p.k, p.rows, p.k)
	for i := range p.rows {
		row := t[i*p.k : (i+1)*p.k]
		for a, x := range row {
			total -= p.c[i*p.k+a] * x
			for b, y := range row {
				total += p.g[a*p.k+b] * x * y / 2
			}
		}
	}
	return total
}

// oracle minimises the objective entry by entry, each by a search that knows
// nothing but its values.
func (p *askedProblem) oracle() float64 {
	t := make([]float64, p.rows*p.k)
	for i := range t {
		t[i] = 0.5
		if p.asked.Held != nil && !math.IsNaN(p.asked.Held[i]) {
			t[i] = p.asked.Held[i]
		}
	}
	for range 400 {
		for i := range t {
			if p.asked.Held != nil && !math.IsNaN(p.asked.Held[i]) {
				continue
			}
			low, high := 0.0, 20.0
			if p.asked.Upper != 0 {
				high = p.asked.Upper
			}
			at := func(v float64) float64 {
				old := t[i]
				t[i] = v
				f := p.value(t)
				t[i] = old
				return f
			}
			for range 60 {
				a, b := low+(high-low)/3, high-(high-low)/3
				if at(a) <= at(b) {
					high = b
				} else {
					low = a
				}
			}
			t[i] = (low + high) / 2
			if at(0) <= p.value(t) {
				t[i] = 0
			}
		}
	}
	return p.value(t)
}

// halfSteps repeats the half-step of a solver from a start and gives the
// objective after each.
func (p *askedProblem) halfSteps(t *testing.T, name string, times int) (values, factor []float64) {
	t.Helper()
	s, err := New[float64](name)
	if err != nil {
		t.Fatal(err)
	}
	g := NewGram[float64](p.k)
	for a := range p.k {
		copy(g.G[a*g.Ld:], p.g[a*p.k:(a+1)*p.k])
	}
	g.Ready()
	tile := NewTile(kernel.For[float64](), p.k)
	factor = make([]float64, p.rows*p.k)
	for i := range factor {
		factor[i] = 0.5
		if p.asked.Held != nil && !math.IsNaN(p.asked.Held[i]) {
			factor[i] = p.asked.Held[i]
		}
	}
	if p.asked.Simplex {
		for i := range factor {
			factor[i] = 1 / float64(p.k)
		}
	}
	values = append(values, p.value(factor))
	for range times {
		pr := NewProblem(name, g, p.asked, penalty.At(p.asked, factor, p.k, p.rows, p.k), p.rows)
		step := kernel.TileRows[float64]()
		next := make([]float64, len(factor))
		for a := 0; a < p.rows; a += step {
			n := min(step, p.rows-a)
			tile.Load(n, p.k, factor[a*p.k:], p.k, p.c[a*p.k:], p.k)
			pr.Update(s, tile, a, 3)
			tile.Store(next[a*p.k:], p.k)
		}
		factor = next
		values = append(values, p.value(factor))
	}
	return values, factor
}

// askedKinds lists what can be asked of a factor of rows x k and is convex.
func askedKinds(rows, k int) map[string]*penalty.Factor {
	held := make([]float64, rows*k)
	for i := range held {
		held[i] = math.NaN()
		if i%5 == 0 {
			held[i] = 0.3
		}
		if i%7 == 0 {
			held[i] = 0
		}
	}
	// Row 0 is joined to all others, which makes its diagonal large.
	var is, js []int32
	var vs []float64
	for j := 1; j < rows; j++ {
		is, js, vs = append(is, 0, int32(j)), append(js, int32(j), 0), append(vs, 0.4, 0.4)
	}
	star, _, err := matrix.FromTriplets(rows, rows, is, js, vs)
	if err != nil {
		panic(err)
	}
	return map[string]*penalty.Factor{
		"l1":      {L1: 0.4},
		"l2":      {L2: 0.7},
		"l21":     {L21: 0.5},
		"smooth":  {Laplacian: penalty.Difference(rows, 1, 0.6)},
		"smooth2": {Laplacian: penalty.Difference(rows, 2, 0.3)},
		"graph":   {Laplacian: penalty.Graph(star, 0.5)},
		"upper":   {Upper: 0.6},
		"held":    {Held: held},
		"all": {L1: 0.1, L2: 0.1, L21: 0.1, Upper: 0.9, Held: held,
			Laplacian: penalty.Difference(rows, 1, 0.2).Plus(penalty.Graph(star, 0.1))},
	}
}

// TestProblemOracle: half-steps of every solver lower the objective to what a
// search that knows nothing of them finds.
func TestProblemOracle(t *testing.T) {
	const rows, k = 5, 3
	for kind, asked := range askedKinds(rows, k) {
		p := newAskedProblem(rows, k, asked, 7)
		want := p.oracle()
		for _, name := range Names() {
			if name == "bpp" && asked.Constrained() {
				continue
			}
			t.Run(kind+"/"+name, func(t *testing.T) {
				times := 400
				if name == "mu" {
					times = 4000
				}
				values, factor := p.halfSteps(t, name, times)
				falls(t, values)
				got := values[len(values)-1]
				if tol := 1e-4 * (1 + math.Abs(want)); got > want+tol || got < want-tol {
					t.Errorf("the objective is %v, the oracle's %v", got, want)
				}
				for i, v := range factor {
					if v < 0 || asked.Upper != 0 && v > asked.Upper || asked.Held != nil && asked.Held[i] == asked.Held[i] && v != asked.Held[i] {
						t.Errorf("entry %d is %v", i, v)
					}
				}
			})
		}
	}
}

func falls(t *testing.T, values []float64) {
	t.Helper()
	for i := 1; i < len(values); i++ {
		if values[i] > values[i-1]+1e-12*math.Abs(values[i-1]) {
			t.Fatalf("step %d raises the objective from %v to %v", i, values[i-1], values[i])
		}
	}
}

// TestProblemManyRows does without the oracle what it cannot reach: more rows
// than a tile, more components than a group, where objectives must fall to one
// value from two sides: HALS and MU, or two orders of the same.
func TestProblemManyRows(t *testing.T) {
	const rows, k = 75, 19
	kinds := askedKinds(rows, k)
	kinds["orthogonal"] = &penalty.Factor{Orthogonal: 0.3, L2: 0.1}
	kinds["simplex"] = &penalty.Factor{Simplex: true}
	kinds["simplex upper"] = &penalty.Factor{Simplex: true, Upper: 0.2, L2: 0.1}
	for kind, asked := range kinds {
		p := newAskedProblem(rows, k, asked, 11)
		for _, name := range []string{"hals", "mu"} {
			if asked.Simplex && name != "hals" {
				continue
			}
			t.Run(kind+"/"+name, func(t *testing.T) {
				values, factor := p.halfSteps(t, name, 60)
				falls(t, values)
				if !asked.Simplex {
					return
				}
				for i := range rows {
					sum := 0.0
					for _, v := range factor[i*k : (i+1)*k] {
						sum += v
						if v < 0 || asked.Upper != 0 && v > asked.Upper+1e-12 {
							t.Fatalf("row %d has %v", i, v)
						}
					}
					if math.Abs(sum-1) > 1e-9 {
						t.Fatalf("row %d sums to %v", i, sum)
					}
				}
				p.noBetterExchange(t, factor)
			})
		}
	}
}

// noBetterExchange checks that no move of mass between two entries of a row
// lowers the objective: on the simplex that is optimality.
func (p *askedProblem) noBetterExchange(t *testing.T, factor []float64) {
	t.Helper()
	best := p.value(factor)
	const step = 1e-5
	for i := 0; i < p.rows; i += 9 {
		for a := range p.k {
			for b := range p.k {
				row := factor[i*p.k : (i+1)*p.k]
				if a == b || row[a] < step || p.asked.Upper != 0 && row[b]+step > p.asked.Upper {
					continue
				}
				row[a], row[b] = row[a]-step, row[b]+step
				if v := p.value(factor); v < best-1e-9 {
					t.Fatalf("row %d: moving from %d to %d lowers the objective by %v", i, a, b, best-v)
				}
				row[a], row[b] = row[a]+step, row[b]-step
			}
		}
	}
}

// TestToSparseness: the result has the sparseness, and nothing that has it is
// nearer, of many that are tried.
func TestToSparseness(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = rng.NormFloat64() + 0.3
		}
		return v
	}
	cases := map[string][]float64{"equal": {1, 1, 1, 1}, "ties": {2, 2, 2, 1, 0, -1}, "one": {0, 0, 3, 0, 0}, "two": {1, 0.5}}
	for i := range 20 {
		cases[fmt.Sprintf("random %d", i)] = draw(2 + i)
	}
	for name, v := range cases {
		for _, s := range []float64{0.05, 0.3, 0.7, 0.95} {
			got := append([]float64(nil), v...)
			toSparseness(got, s)
			// Zero is the nearest where all that has the sparseness points away.
			if have, ok := sparsenessOf(got); ok && math.Abs(have-s) > 1e-6 || slices.Min(got) < 0 {
				t.Errorf("%s, %v: sparseness %v of %v", name, s, have, got)
				continue
			}
			d := apart(v, got)
			for range 300 {
				other := draw(len(v))
				toSparseness(other, s)
				dot, sq := 0.0, 0.0
				for i, x := range other {
					dot += x * v[i]
					sq += x * x
				}
				if sq == 0 || dot <= 0 {
					continue
				}
				for i := range other {
					other[i] *= dot / sq
				}
				if e := apart(v, other); e < d-1e-9 {
					t.Fatalf("%s, %v: %v is at %v, %v nearer at %v", name, s, got, d, other, e)
				}
			}
		}
	}
	for _, v := range [][]float64{{0, 0, 0}, {-1, -2, -3}} {
		toSparseness(v, 0.5)
		for _, x := range v {
			if x != 0 {
				t.Errorf("what is not above zero becomes %v", v)
			}
		}
	}
}

func sparsenessOf(v []float64) (float64, bool) {
	l1, l2, n := 0.0, 0.0, math.Sqrt(float64(len(v)))
	for _, x := range v {
		if x < 0 {
			return 0, false
		}
		l1 += x
		l2 += x * x
	}
	return (n - l1/math.Sqrt(l2)) / (n - 1), l2 > 0
}

func apart(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += (v - b[i]) * (v - b[i])
	}
	return math.Sqrt(sum)
}
