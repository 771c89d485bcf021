package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/internal/workload"
	"github.com/partsof/nmf/matrix"
)

// Dense is a pass over a dense X. Useful operations are those of the two
// products, 4·m·n·k; padded ones count k rounded up to whole vectors.
type Dense struct {
	Precision string `json:"precision"`
	Rows      int    `json:"rows"`
	Cols      int    `json:"columns"`
	K         int    `json:"k"`
	Padded    int    `json:"padded_k"`
	Threads   int    `json:"threads"`
	// Roof is min(peak, bandwidth of memory x operations a byte of X) for
	// useful operations.
	Roof float64 `json:"roof_gflops"`
	// Products is the rate of the two products alone, in the blocks and with
	// the division of labour of an iteration.
	Products       float64 `json:"products_gflops"`
	ProductsPadded float64 `json:"products_padded_gflops"`
	ProductsShare  float64 `json:"products_share"`
	// BesidePeak is the products' rate as a part of the peak just before and
	// just after them, the median of the repetitions: other programs, and a
	// clock that changes, slow both.
	BesidePeak float64 `json:"products_beside_peak"`
	// Iteration is the same operations over the time of a whole iteration of
	// "hals" with one sweep: Gram matrices, updates, KKT residual and loss
	// are in its time and not in its operations.
	Iteration        float64 `json:"iteration_gflops"`
	IterationShare   float64 `json:"iteration_share"`
	IterationSeconds float64 `json:"iteration_seconds"`
	// intensity is useful operations for each byte of X.
	intensity float64
}

// Sparse is a pass over a sparse X.
type Sparse struct {
	Workload  string `json:"workload"`
	Precision string `json:"precision"`
	Rows      int    `json:"rows"`
	Cols      int    `json:"columns"`
	Stored    int    `json:"stored"`
	K         int    `json:"k"`
	Padded    int    `json:"padded_k"`
	Threads   int    `json:"threads"`
	// Level holds Hᵀ; Roof is the bandwidth of reading it.
	Level string  `json:"level"`
	Roof  float64 `json:"roof_gbytes"`
	// Products is stored cells x (index + value + 3·k·size) bytes over the
	// time of the two products: what a gather and a scatter of rows of k
	// would move. Moved is what our two gathers ask for: each reads index,
	// value and a padded row for every stored cell, and writes its result.
	Products      float64 `json:"products_gbytes"`
	ProductsShare float64 `json:"products_share"`
	Moved         float64 `json:"moved_gbytes"`
	MovedShare    float64 `json:"moved_share"`
	// Iteration is the same bytes as Products over the time of a whole
	// iteration of "hals" with one sweep.
	Iteration        float64 `json:"iteration_gbytes"`
	IterationSeconds float64 `json:"iteration_seconds"`
}

// denseRows is the number of rows of the dense X at full scale.
const denseRows = 8000

var (
	denseCols = []int{5000, 4096}
	// denseRanks are whole vectors, of float32 and of float64, and some that
	// are not.
	denseRanks = []int{16, 32, 48, 64, 96, 128, 10, 40, 50, 100}
)

func densePasses[F matrix.Float](r *runner) {
	for _, cols := range denseCols {
		x := engine.NewData(uniform[F](r.scaled(denseRows), r.scaled(cols)), r.Threads)
		for _, k := range denseRanks {
			for _, threads := range r.threadCounts() {
				if !r.begins(fmt.Sprintf("dense pass %s %d x %d, k = %d, %d threads", precision[F](), x.Rows, x.Cols, k, threads)) {
					return
				}
				r.report.Dense = append(r.report.Dense, densePass(r, x, k, threads))
			}
		}
	}
}

func (r *runner) scaled(n int) int { return max(1, int(math.Round(float64(n)*r.Scale))) }

// uniform fills a matrix with numbers between 0 and 1.
func uniform[F matrix.Float](rows, cols int) matrix.Matrix[F] {
	x := matrix.NewDense[F](rows, cols)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range x.Data {
		x.Data[i] = F(rng.Float32())
	}
	return x
}

func densePass[F matrix.Float](r *runner, x *engine.Data[F], k, threads int) Dense {
	d := Dense{Precision: precision[F](), Rows: x.Rows, Cols: x.Cols, K: k, Padded: kernel.Pad[F](k), Threads: threads}
	flops := 4 * float64(d.Rows) * float64(d.Cols) * float64(k)
	d.intensity = flops / float64(d.Rows*d.Cols*size[F]())
	products, iteration := r.pass(newPass(x, k, threads))
	d.Products = rate(flops, products)
	d.ProductsPadded = d.Products * float64(d.Padded) / float64(k)
	d.BesidePeak = besidePeak[F](r, flops, threads, newPass(x, k, threads).products(r.ctx))
	d.Iteration, d.IterationSeconds = rate(flops, iteration), iteration
	return d
}

// besidePeak takes turns between fn, of flops operations, and the peak of the
// tier in use.
func besidePeak[F matrix.Float](r *runner, flops float64, threads int, fn func()) float64 {
	const rounds = 1 << 14
	tier := kernel.For[F]().Tier
	peak := func() float64 {
		seconds := together(threads, func(int) { kernel.PeakFMA[F](tier, rounds) })
		return seconds / float64(threads*kernel.PeakFMA[F](tier, 1)*rounds)
	}
	peak()
	shares := make([]float64, 0, 2*r.Repeats+1)
	for range cap(shares) {
		if r.ctx.Err() != nil {
			return 0
		}
		before, began := peak(), time.Now()
		fn()
		took := time.Since(began).Seconds()
		shares = append(shares, flops/took*(before+peak())/2)
	}
	return summarize(shares).median
}

// setShares sets the roofs of the passes and their shares, once the roofs are
// known.
func (r *Report) setShares() {
	for i := range r.Dense {
		d := &r.Dense[i]
		d.Roof = min(r.peakOf(d.Precision, d.Threads), r.readOf(levelDRAM, d.Threads)*d.intensity)
		d.ProductsShare, d.IterationShare = share(d.Products, d.Roof), share(d.Iteration, d.Roof)
	}
	for i := range r.Sparse {
		s := &r.Sparse[i]
		s.Roof = r.readOf(s.Level, s.Threads)
		s.ProductsShare, s.MovedShare = share(s.Products, s.Roof), share(s.Moved, s.Roof)
	}
}

// passer is a pass of either precision.
type passer interface {
	products(ctx context.Context) func()
	iterations(ctx context.Context, n int) []float64
}

// pass times the products and a whole iteration.
func (r *runner) pass(p passer) (products, iteration float64) {
	products = r.time(p.products(r.ctx)).median
	n := r.Repeats
	if products > 0 {
		n = min(100, max(n, int(float64(n)*r.MinTime.Seconds()/products)))
	}
	return products, summarize(p.iterations(r.ctx, n)).median
}

type pass[F matrix.Float] struct {
	x       *engine.Data[F]
	w, h    *engine.Tall[F]
	threads int
}

func newPass[F matrix.Float](x *engine.Data[F], k, threads int) *pass[F] {
	w, h := start.Random(x, k, 1, threads)
	return &pass[F]{x, w, h, threads}
}

func (p *pass[F]) products(ctx context.Context) func() {
	products := engine.NewProducts(ctx, p.x, p.w, p.h, p.threads)
	return func() { products.Run() }
}

// iterations gives the seconds of n iterations: the differences in the trace
// of a fit with one sweep, which is not stopped by any tolerance.
func (p *pass[F]) iterations(ctx context.Context, n int) []float64 {
	cfg := engine.Config{Solver: "hals", InnerSweeps: 1, Extrapolate: true, MaxIter: n + 1, Tol: -1, LossTol: -1, RowTol: 1, Improved: true, Workers: p.threads, Start: time.Now()}
	runs, err := engine.Minimize(ctx, p.x, []int{p.w.K}, func(int) (w, h *engine.Tall[F]) { return p.w.Clone(), p.h.Clone() }, cfg)
	if err != nil || runs[0] == nil {
		return nil
	}
	var seconds []float64
	trace := runs[0].Trace
	for i := 1; i < len(trace); i++ {
		passes := float64(trace[i].Iteration - trace[i-1].Iteration)
		seconds = append(seconds, (trace[i].Seconds-trace[i-1].Seconds)/passes)
	}
	return seconds
}

func (r *runner) sparsePasses() {
	for _, name := range []string{"S1", "S2"} {
		if !r.begins("make workload " + name) {
			return
		}
		w, err := workload.Lookup(name)
		if err != nil {
			panic(err)
		}
		x, err := w.Scaled(r.Scale, r.Scale).Matrix(r.Threads)
		if err != nil {
			panic(err)
		}
		s := x.(*matrix.CSR[float32])
		sparsePass(r, w, s)
		sparsePass(r, w, matrix.Convert[float64](x).(*matrix.CSR[float64]))
	}
}

func sparsePass[F matrix.Float](r *runner, w workload.Workload, x *matrix.CSR[F]) {
	data := engine.NewData[F](x, r.Threads)
	k := w.Ranks[0]
	for _, threads := range r.threadCounts() {
		if !r.begins(fmt.Sprintf("sparse pass %s, %s, k = %d, %d threads", w.Name, precision[F](), k, threads)) {
			return
		}
		s := Sparse{Workload: w.Name, Precision: precision[F](), Rows: x.Rows, Cols: x.Cols, Stored: x.NNZ(), K: k,
			Padded: kernel.Pad[F](k), Threads: threads}
		s.Level = r.report.Machine.levelOf(s.Cols * s.Padded * size[F]())
		products, iteration := r.pass(newPass(data, k, threads))
		const index = 4
		bytes := float64(s.Stored * (index + size[F]() + 3*k*size[F]()))
		moved := float64(2*s.Stored*(index+size[F]()+s.Padded*size[F]()) + (s.Rows+s.Cols)*s.Padded*size[F]())
		s.Products, s.Moved = rate(bytes, products), rate(moved, products)
		s.Iteration, s.IterationSeconds = rate(bytes, iteration), iteration
		r.report.Sparse = append(r.report.Sparse, s)
	}
}
