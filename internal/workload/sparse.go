package workload

import (
	"math"
	"slices"

	"github.com/partsof/nmf/matrix"
)

// counts is a matrix of counts whose row i is a bag of length(i) columns.
type counts struct {
	rows, cols int
	// length is cheap: it is asked twice.
	length func(i int) int
	// draw makes a function that fills a bag with columns, for one goroutine.
	draw func() func(i int, bag []int32)
}

// build draws all rows. The lengths of the bags bound the stored cells, so
// that memory is reserved once and only what is stored is touched.
func (c counts) build(threads int) *matrix.CSR[float32] {
	lengths := make([]int, c.rows)
	forEach(threads, blocks(c.rows), func(b int) {
		for i := b * blockRows; i < min((b+1)*blockRows, c.rows); i++ {
			lengths[i] = c.length(i)
		}
	})
	bound := 0
	for _, l := range lengths {
		bound += min(l, c.cols)
	}
	x := &matrix.CSR[float32]{Rows: c.rows, Cols: c.cols, RowPtr: make([]int, 1, c.rows+1),
		ColIdx: make([]int32, 0, bound), Val: make([]float32, 0, bound)}
	// A wave of blocks is drawn in parallel and then appended in order.
	wave := make([]bags, 8*threads)
	draws := make([]func(int, []int32), len(wave))
	for at := 0; at < blocks(c.rows); at += len(wave) {
		n := min(len(wave), blocks(c.rows)-at)
		forEach(threads, n, func(b int) {
			if draws[b] == nil {
				draws[b] = c.draw()
			}
			first := (at + b) * blockRows
			wave[b].draw(lengths, first, min(first+blockRows, c.rows), draws[b])
		})
		for _, b := range wave[:n] {
			b.appendTo(x)
		}
	}
	return x
}

// bags holds the counted bags of some rows.
type bags struct {
	ends []int
	cols []int32
	vals []float32
	bag  []int32
}

func (b *bags) draw(lengths []int, r0, r1 int, draw func(i int, bag []int32)) {
	b.ends, b.cols, b.vals = b.ends[:0], b.cols[:0], b.vals[:0]
	for i := r0; i < r1; i++ {
		b.bag = slices.Grow(b.bag[:0], lengths[i])[:lengths[i]]
		draw(i, b.bag)
		slices.Sort(b.bag)
		for p, col := range b.bag {
			if p == 0 || col != b.bag[p-1] {
				b.cols, b.vals = append(b.cols, col), append(b.vals, 0)
			}
			b.vals[len(b.vals)-1]++
		}
		b.ends = append(b.ends, len(b.cols))
	}
}

func (b *bags) appendTo(x *matrix.CSR[float32]) {
	base := len(x.Val)
	for _, end := range b.ends {
		x.RowPtr = append(x.RowPtr, base+end)
	}
	x.ColIdx = append(x.ColIdx, b.cols...)
	x.Val = append(x.Val, b.vals...)
}

// mixture draws bags whose columns come from topics, the topics of a row from
// a Dirichlet distribution.
func mixture(seed uint64, concentration float64, topics []alias) func() func(i int, bag []int32) {
	return func() func(i int, bag []int32) {
		theta := make([]float64, len(topics))
		return func(i int, bag []int32) {
			rng := stream(seed, forTokens, i)
			dirichlet(theta, rng, concentration)
			for p := range bag {
				bag[p] = topics[pick(rng, theta)].pick(rng)
			}
		}
	}
}

func newTopics(threads, n int, weights func(topic int) []float64) []alias {
	topics := make([]alias, n)
	forEach(threads, n, func(t int) { topics[t] = newAlias(weights(t)) })
	return topics
}

// text is a corpus of 50 topics, each a Zipf background re-weighted by
// log-normal noise, with documents of about 165 words.
func text(w Workload, threads int) *matrix.CSR[float32] {
	const (
		seed                    = 4
		topics, concentration   = 50, 0.05
		offset, power, spread   = 10, 1.05, 2.2
		words, lengths, fewWord = 165, 0.5, 20
	)
	c := counts{rows: w.Rows, cols: w.Cols}
	c.length = func(i int) int {
		return max(fewWord, int(logNormal(stream(seed, forLength, i), math.Log(words), lengths)))
	}
	c.draw = mixture(seed, concentration, newTopics(threads, topics, func(t int) []float64 {
		rng, p := stream(seed, forTopic, t), make([]float64, w.Cols)
		for j := range p {
			p[j] = logNormal(rng, 0, spread) / math.Pow(float64(j)+offset, power)
		}
		return p
	}))
	return c.build(threads)
}

func termCounts(w Workload, threads int) matrix.Matrix[float32] { return text(w, threads) }

// tfIdf weights the counts of text as scikit-learn's TfidfVectorizer does by
// default: smoothed idf, rows of unit length.
func tfIdf(w Workload, threads int) matrix.Matrix[float32] {
	x := text(w, threads)
	idf := make([]float64, x.Cols)
	for _, j := range x.ColIdx {
		idf[j]++
	}
	for j, df := range idf {
		idf[j] = math.Log((1+float64(x.Rows))/(1+df)) + 1
	}
	forEach(threads, blocks(x.Rows), func(b int) {
		for i := b * blockRows; i < min((b+1)*blockRows, x.Rows); i++ {
			cols, vals := x.Row(i)
			squares := 0.0
			for p, j := range cols {
				v := float64(vals[p]) * idf[j]
				squares += v * v
			}
			for p, j := range cols {
				vals[p] = float32(float64(vals[p]) * idf[j] / math.Sqrt(squares))
			}
		}
	})
	return x
}

// cells is log(1 + counts per ten thousand) of single cells in 30 programs of
// genes. A cell's counts are Poisson with rates depth·θP, drawn as a Poisson
// number of molecules that are then given to programs and genes: the same
// distribution.
func cells(w Workload, threads int) matrix.Matrix[float32] {
	const (
		seed                     = 5
		programs, concentration  = 30, 0.1
		shape, spread            = 0.3, 1.5
		molecules, depths, total = 1900, 0.4, 1e4
	)
	abundance := make([]float64, w.Cols)
	for j, rng := 0, stream(seed, forFeature, 0); j < w.Cols; j++ {
		abundance[j] = logNormal(rng, 0, spread)
	}
	c := counts{rows: w.Rows, cols: w.Cols}
	c.length = func(i int) int {
		rng := stream(seed, forLength, i)
		return poisson(rng, logNormal(rng, math.Log(molecules), depths))
	}
	c.draw = mixture(seed, concentration, newTopics(threads, programs, func(t int) []float64 {
		p := make([]float64, w.Cols)
		gammas(p, stream(seed, forTopic, t), shape)
		for j, a := range abundance {
			p[j] *= a
		}
		return p
	}))
	x := c.build(threads)
	forEach(threads, blocks(x.Rows), func(b int) {
		for i := b * blockRows; i < min((b+1)*blockRows, x.Rows); i++ {
			_, vals := x.Row(i)
			sum := 0.0
			for _, v := range vals {
				sum += float64(v)
			}
			for p, v := range vals {
				vals[p] = float32(math.Log1p(float64(v) * total / max(sum, 1)))
			}
		}
	})
	return x
}
