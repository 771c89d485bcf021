// Package scale estimates what an iteration takes of ranks that divide X: the
// arithmetic, the words that must move, and the memory (docs/scale.md).
package scale

import "math"

// Problem is a fit with the Frobenius loss.
type Problem struct {
	// Rows, Columns and K are m, n and k; Stored is the number of stored cells of
	// a sparse X, 0 for a dense one.
	Rows, Columns, Stored float64
	K                     int
	// Element is the size of a number in bytes: 4 or 8.
	Element float64
	// Sweeps is how many times a half-step goes over a row.
	Sweeps float64
}

// Machine is what a rank has.
type Machine struct {
	// Flops is the useful operations a second of a rank's products with X.
	Flops float64
	// Bandwidth is the bytes a second that a rank sends and receives at the same
	// time, Latency the seconds that a message takes beside its bytes.
	Bandwidth, Latency float64
}

// Estimate is an iteration of p = GridRows x GridColumns ranks.
type Estimate struct {
	Ranks       int `json:"ranks"`
	GridRows    int `json:"grid_rows"`
	GridColumns int `json:"grid_columns"`
	// Words is how many numbers a rank sends, and receives, an iteration.
	Words float64 `json:"words"`
	// Bound is the least that any division of X into blocks makes the products
	// move (Kannan, Ballard & Park 2018, section 5): of a dense X.
	Bound float64 `json:"bound"`
	// Messages is how many of them wait for each other.
	Messages float64 `json:"messages"`
	// Compute and Network are seconds; Efficiency is the time of one rank over p
	// times that of p.
	Compute    float64 `json:"compute_seconds"`
	Network    float64 `json:"network_seconds"`
	Efficiency float64 `json:"efficiency"`
	// Data and Factors are bytes on each rank; Gathered is W, which rank 0 holds
	// at the end.
	Data     float64 `json:"data_bytes"`
	Factors  float64 `json:"factor_bytes"`
	Gathered float64 `json:"gathered_bytes"`
}

// Seconds is the time of an iteration.
func (e *Estimate) Seconds() float64 { return e.Compute + e.Network }

// Of estimates an iteration on p ranks, in the grid that moves the fewest words.
func Of(x Problem, m Machine, p int) Estimate {
	best := on(x, m, p, 1)
	for pc := 2; pc <= p; pc++ {
		if p%pc == 0 {
			if e := on(x, m, p/pc, pc); e.Words < best.Words {
				best = e
			}
		}
	}
	one := on(x, m, 1, 1)
	best.Efficiency = one.Seconds() / (float64(p) * best.Seconds())
	return best
}

// gramBytes is the size of a number of a Gram matrix, which is summed in float64,
// in bytes.
const gramBytes = 8

// on estimates an iteration on a grid.
func on(x Problem, mach Machine, pr, pc int) Estimate {
	p, k := float64(pr*pc), float64(x.K)
	rows, cols := float64(pr), float64(pc)
	e := Estimate{Ranks: pr * pc, GridRows: pr, GridColumns: pc}
	// H is gathered, and sums for it are scattered, over a grid column; W over a
	// grid row.
	factors := 2 * k * (x.Rows/rows*(cols-1)/cols + x.Columns/cols*(rows-1)/rows)
	grams := 2 * 2 * (p - 1) / p * k * (k + 1) / 2
	e.Words = factors + grams
	e.Bound = bound(x, p)
	// A sum is an exchange of everybody with everybody; what is gathered goes on
	// from rank to rank in log2 steps; a Gram matrix is summed by either.
	steps := func(n float64) float64 { return math.Ceil(math.Log2(n)) }
	e.Messages = (rows - 1) + steps(rows) + (cols - 1) + steps(cols) + 2*steps(p)
	cells := x.Stored
	e.Data = x.Stored/p*2*(x.Element+4) + x.Rows/rows*8
	if cells == 0 {
		cells = x.Rows * x.Columns
		e.Data = cells / p * x.Element
	}
	e.Factors = k * x.Element * (3*x.Rows/rows + 4*x.Columns/cols)
	e.Gathered = x.Rows * k * x.Element
	products := 4 * cells * k
	// Each sweep multiplies a row with a Gram matrix; two Gram matrices are made.
	updates := (x.Rows + x.Columns) * k * k * (2*x.Sweeps + 1)
	e.Compute = (products + updates) / p / mach.Flops
	e.Network = (factors*x.Element+grams*gramBytes)/mach.Bandwidth + e.Messages*mach.Latency
	return e
}

// bound is the number of words that some rank must send or receive where each
// has a p-th of a dense X and of the factors and makes the products with its
// own part: the factors that a part of a x b cells needs are at least
// 2·√(m·n/p)·k numbers, or the shorter factor where X is long.
func bound(x Problem, p float64) float64 {
	if p <= 1 {
		return 0
	}
	short, long := math.Min(x.Rows, x.Columns), math.Max(x.Rows, x.Columns)
	k := float64(x.K)
	if long/p >= short {
		return 2 * short * k * (p - 1) / p
	}
	own := (x.Rows + x.Columns) / p * k
	return math.Max(0, 2*(2*math.Sqrt(x.Rows*x.Columns/p)*k-own))
}
