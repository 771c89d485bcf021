package rank

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// ConsensusOptions says how Consensus works. The zero value of a field is its
// default.
type ConsensusOptions struct {
	// Fit is how every fit is made; see Options.Fit.
	Fit nmf.Options
	// Runs is the number of fits, at least 2. Default 100.
	Runs int
	// Neighbours is the part of the runs whose components count as neighbours of
	// one. Default 0.3.
	Neighbours float64
	// Threshold is the local density from which a component is an outlier: the
	// mean distance to its neighbours, between vectors of unit length. Default
	// 0.5; 2 keeps all.
	Threshold float64
	// Bootstrap fits every run to samples drawn anew, with repetition, so that
	// the quantiles are intervals under resampling.
	Bootstrap bool
	// Quantiles are those of every entry of W and H, from 0 to 1. Default 0.025,
	// 0.25, 0.5, 0.75, 0.975.
	Quantiles []float64
	// ConsensusSamples is as in Options.
	ConsensusSamples int
	// Ranks, unless nil, joins ranks (see package dist) that share the runs: each has
	// the whole of X and makes a part of them. Rank 0 has the result, which is the one
	// of a single process; the others have none. All of them call Consensus with equal
	// options.
	Ranks comm.Comm
	// Progress, unless nil, is called after every part of the work, and hears of this
	// rank's own runs.
	Progress func(Progress)
}

// Recurrent is what Consensus found.
type Recurrent[F matrix.Float] struct {
	// Model has the components that recur, W fitted to them.
	Model *nmf.Model[F] `json:"-"`
	// Runs is the number of runs that ended well. Kept of their components were
	// clustered, Outliers were left out.
	Runs     int `json:"runs"`
	Kept     int `json:"kept"`
	Outliers int `json:"outliers"`
	// Components are those of Model.
	Components []Recurrence `json:"components"`
	// Quantiles of the entries: H[q] is k x n and W[q] is m x k, in the units of
	// Model.
	Quantiles []float64          `json:"quantiles"`
	W         []*matrix.Dense[F] `json:"-"`
	H         []*matrix.Dense[F] `json:"-"`
	// Matrix is the consensus of the samples' clusters over the runs, and
	// Cophenetic and Dispersion are its summaries.
	Matrix     *ConsensusMatrix `json:"-"`
	Cophenetic Number           `json:"cophenetic"`
	Dispersion Number           `json:"dispersion"`
	Failures   []string         `json:"failures,omitempty"`
}

// Recurrence says how a component recurs.
type Recurrence struct {
	// Share is its part of the sum over the fit.
	Share float64 `json:"share"`
	// Runs is the share of the runs that hold it.
	Runs float64 `json:"runs"`
	// Stability is the mean cosine of the runs' components with it, Silhouette
	// their mean silhouette.
	Stability  float64 `json:"stability"`
	Silhouette float64 `json:"silhouette"`
}

func (o *ConsensusOptions) resolve(m int) (ConsensusOptions, error) {
	r := *o
	r.Runs = defaulted(r.Runs, 100)
	r.Neighbours = defaulted(r.Neighbours, 0.3)
	r.Threshold = defaulted(r.Threshold, 0.5)
	if r.Quantiles == nil {
		r.Quantiles = []float64{0.025, 0.25, 0.5, 0.75, 0.975}
	}
	common := Options{Fit: r.Fit, K: []int{1}, Runs: r.Runs, ConsensusSamples: r.ConsensusSamples}
	common, err := common.resolve(m)
	if err != nil {
		return r, err
	}
	r.Fit, r.ConsensusSamples = common.Fit, common.ConsensusSamples
	switch {
	case !(r.Neighbours > 0 && r.Neighbours <= 1):
		return r, fmt.Errorf("%w: neighbours is %v; it must be above 0 and at most 1", nmf.ErrOption, r.Neighbours)
	case !(r.Threshold > 0) || math.IsInf(r.Threshold, 0):
		return r, fmt.Errorf("%w: threshold is %v; it must be above 0 and finite", nmf.ErrOption, r.Threshold)
	}
	for _, q := range r.Quantiles {
		if !(q >= 0 && q <= 1) {
			return r, fmt.Errorf("%w: quantile %v; it must be from 0 to 1", nmf.ErrOption, q)
		}
	}
	return r, nil
}

// Consensus finds the k components that recur over many fits of x, as cNMF does
// (Kotliar et al. 2019): the components of all runs are scaled to unit length;
// those that are far from their nearest neighbours are left out; the others are
// divided by k-means; the median of each cluster is a component; and W is fitted
// to those. With them come the quantiles of every entry of W and H over the runs
// of its cluster, how stable each component is, and the share of the runs that
// hold it.
//
// It holds W and H of all runs in float32: 4·Runs·k·(m+n) bytes; where ranks share
// the runs, rank 0 does, and the others hold theirs. Errors are those of nmf.Fit, and
// ErrInput where too few components are left; over ranks an error of one is an error
// on all.
func Consensus[F matrix.Float](ctx context.Context, x matrix.Matrix[F], k int, o *ConsensusOptions) (*Recurrent[F], error) {
	if o == nil {
		o = new(ConsensusOptions)
	}
	c, err := newCollection(x, k, o)
	if err := o.outcome(err); err != nil {
		return nil, err
	}
	if err := c.agree(); err != nil {
		return nil, err
	}
	if err := c.collect(ctx); err != nil {
		return nil, err
	}
	if o.Ranks != nil && o.Ranks.Rank() > 0 {
		return nil, o.outcome(nil)
	}
	err = c.conclude(ctx)
	if err := o.outcome(err); err != nil {
		return nil, err
	}
	return c.result, nil
}

// outcome makes an error of one rank that of all.
func (o *ConsensusOptions) outcome(err error) error { return (&Options{Ranks: o.Ranks}).outcome(err) }

// newCollection checks what does not need the data's values.
func newCollection[F matrix.Float](x matrix.Matrix[F], k int, o *ConsensusOptions) (*collection[F], error) {
	m, _ := x.Dims()
	opt, err := o.resolve(m)
	switch {
	case err != nil:
		return nil, err
	case inMemory(x):
		if err := hold(&opt.Fit); err != nil {
			return nil, err
		}
	case opt.Bootstrap:
		return nil, fmt.Errorf("%w: X is read block by block, and a bootstrap draws its samples anew again and again; take samples that fit in memory, or no bootstrap", ErrInput)
	}
	c := &collection[F]{x: x, k: k, o: &opt, result: &Recurrent[F]{Quantiles: opt.Quantiles}, began: time.Now()}
	c.result.Matrix = NewConsensusMatrix(m, opt.ConsensusSamples, opt.Fit.Seed)
	return c, nil
}

// agree refuses ranks that have another X or other options.
func (c *collection[F]) agree() error {
	if c.o.Ranks == nil {
		return nil
	}
	id, err := identify(c.x, &Options{Fit: c.o.Fit, K: []int{c.k}, Runs: c.o.Runs, ConsensusSamples: c.o.ConsensusSamples})
	if err := c.o.outcome(err); err != nil {
		return err
	}
	return comm.Agree(c.o.Ranks, append(id.facts(), comm.Fact{Name: "what a consensus is asked for",
		Value: fmt.Sprintf("neighbours %v, threshold %v, bootstrap %v, quantiles %v", c.o.Neighbours, c.o.Threshold, c.o.Bootstrap, c.o.Quantiles)}))
}

// conclude makes a model of what the runs have given.
func (c *collection[F]) conclude(ctx context.Context) error {
	if c.best == nil {
		return fmt.Errorf("%w: none of the runs could be made: %s", ErrInput, c.result.Failures[0])
	}
	k, opt := c.k, c.o
	c.report("clustering of the components", c.done)
	keep := c.dense()
	c.result.Kept, c.result.Outliers = len(keep), len(c.spectra)-len(keep)
	if len(keep) < k {
		return fmt.Errorf("%w: of %d components %d are near others, and %d are needed; take a higher threshold, fewer components, or more runs",
			ErrInput, len(c.spectra), len(keep), k)
	}
	kept := make(vectors, len(keep))
	for i, p := range keep {
		kept[i] = c.spectra[p]
	}
	of := kMeans(kept, k, opt.Fit.Seed, opt.Fit.Threads)
	if err := c.refit(ctx, medians(kept, of, k, opt.Fit.Threads)); err != nil {
		return err
	}
	c.describe(keep, kept, of)
	return nil
}

// collection is what many runs have given.
type collection[F matrix.Float] struct {
	x matrix.Matrix[F]
	k int
	o *ConsensusOptions
	// spectra are the components of all runs, usages the columns of W that go
	// with them, in units of X, run the run of each.
	spectra vectors
	usages  [][]float32
	run     []int
	// best is what is known of the run with the least loss.
	best   *nmf.Info
	infos  []nmf.RunInfo
	result *Recurrent[F]
	// order[j] is the cluster of the model's component j.
	order []int
	done  float64
	began time.Time
}

func (c *collection[F]) report(what string, done float64) {
	if c.o.Progress == nil {
		return
	}
	p := Progress{What: what, Done: done}
	if done > 0 {
		p.Left = time.Duration(float64(time.Since(c.began)) * (1 - done) / done)
	}
	c.o.Progress(p)
}

// collect makes the runs, or this rank's part of them, and takes those of all.
func (c *collection[F]) collect(ctx context.Context) error {
	m, n := c.x.Dims()
	together := 1
	if !c.o.Bootstrap {
		together = max(1, min(columnsTogether/c.k, numbersTogether/(m+n)/c.k))
	}
	from, to := 0, c.o.Runs
	if c.o.Ranks != nil {
		from, to = comm.Part(c.o.Runs, c.o.Ranks.Size(), c.o.Ranks.Rank())
	}
	var own []*run
	for first := from; first < to; first += together {
		last := min(first+together, to)
		c.report(fmt.Sprintf("run %d of %d", first+1, c.o.Runs), c.done)
		made, err := c.fit(ctx, first, last)
		if err == nil && c.o.Ranks == nil {
			err, made = c.take(made), nil
		}
		if err != nil {
			return c.o.outcome(err)
		}
		own = append(own, made...)
		const fits = 0.9 // of the whole, about
		c.done = fits * float64(last-from) / float64(to-from)
	}
	if c.o.Ranks == nil {
		return nil
	}
	if err := c.o.outcome(nil); err != nil {
		return err
	}
	all, err := c.gather(own)
	if err != nil {
		return err
	}
	return c.o.outcome(c.take(all))
}

// gather gives rank 0 the runs of all ranks in order.
func (c *collection[F]) gather(own []*run) ([]*run, error) {
	r := c.o.Ranks
	var all []*run
	if r.Rank() == 0 {
		all = make([]*run, c.o.Runs)
	}
	_, most := comm.Part(c.o.Runs, r.Size(), 0)
	for i := range most {
		var mine bytes.Buffer
		if i < len(own) {
			if err := gob.NewEncoder(&mine).Encode(own[i]); err != nil {
				return nil, err
			}
			own[i] = nil
		}
		theirs, err := comm.GatherBytes(r, 0, mine.Bytes())
		if err != nil {
			return nil, err
		}
		for rank, text := range theirs {
			if len(text) == 0 {
				continue
			}
			from, _ := comm.Part(c.o.Runs, r.Size(), rank)
			of := new(run)
			if err := gob.NewDecoder(bytes.NewReader(text)).Decode(of); err != nil {
				return nil, fmt.Errorf("what rank %d says of its runs cannot be read: %w", rank, err)
			}
			all[from+i] = of
		}
	}
	return all, nil
}

// run is what is kept of one run.
type run struct {
	Run int
	// Failed says why it could not be made; nothing else is there then.
	Failed string
	// Info is what is known of it, without the trace, as JSON.
	Info []byte
	// Clusters are those of the samples that are compared.
	Clusters []int
	// Spectra are its components, scaled to unit length, and Usages their columns of W
	// in units of X; dead ones are left out.
	Spectra, Usages [][]float32
}

// fit makes the runs from first to last−1 on one X.
func (c *collection[F]) fit(ctx context.Context, first, last int) ([]*run, error) {
	x, o := c.x, c.o.Fit
	if c.o.Bootstrap {
		m, _ := c.x.Dims()
		rows := bootstrapRows(m, o.Seed, first)
		var err error
		if o, err = forRows(o, rows); err != nil {
			return nil, err
		}
		x = takeRows(c.x, rows)
	}
	starts := make([]nmf.Start, 0, last-first)
	for i := first; i < last; i++ {
		starts = append(starts, nmf.Start{K: c.k, Seed: c.o.Fit.Seed + uint64(i)})
	}
	models, err := nmf.FitEach(ctx, x, starts, &o)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		if !c.o.Bootstrap {
			return nil, err // it is about what all runs share
		}
		return []*run{{Run: first, Failed: err.Error()}}, nil
	}
	made := make([]*run, len(models))
	for i, model := range models {
		if made[i], err = c.keep(ctx, first+i, model); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// keep gives what is needed of a run.
func (c *collection[F]) keep(ctx context.Context, of int, model *nmf.Model[F]) (*run, error) {
	if c.o.Bootstrap {
		model.RowNames = nil
		w, err := model.Transform(ctx, c.x, c.transformOptions())
		if err != nil {
			return nil, err
		}
		full := *model
		full.W = w
		model = &full
	}
	info := model.Info
	info.Trace = nil
	text, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	r := &run{Run: of, Info: text, Clusters: make([]int, len(c.result.Matrix.Samples))}
	clusters := Dominant(model)
	for i, sample := range c.result.Matrix.Samples {
		r.Clusters[i] = clusters[sample]
	}
	wt := model.W.T()
	for j, s := range model.Scales {
		if s == 0 {
			continue
		}
		usage := make([]float32, wt.Cols)
		for i, v := range wt.Row(j) {
			usage[i] = float32(float64(v) * s)
		}
		r.Spectra = append(r.Spectra, unit(model.H.Row(j)))
		r.Usages = append(r.Usages, usage)
	}
	return r, nil
}

// take puts runs, in their order, to those that are there.
func (c *collection[F]) take(runs []*run) error {
	for _, r := range runs {
		if r.Failed != "" {
			c.result.Failures = append(c.result.Failures, fmt.Sprintf("run %d: %s", r.Run+1, r.Failed))
			continue
		}
		info := new(nmf.Info)
		if err := json.Unmarshal(r.Info, info); err != nil {
			return fmt.Errorf("what is known of run %d cannot be read: %w", r.Run+1, err)
		}
		c.result.Runs++
		c.infos = append(c.infos, info.Runs[0])
		if c.best == nil || info.Loss < c.best.Loss {
			c.best = info
		}
		if err := c.result.Matrix.Add(r.Clusters); err != nil {
			return err
		}
		for j, spectrum := range r.Spectra {
			c.spectra, c.usages, c.run = append(c.spectra, spectrum), append(c.usages, r.Usages[j]), append(c.run, r.Run)
		}
	}
	return nil
}

func (c *collection[F]) transformOptions() *nmf.TransformOptions {
	f := &c.o.Fit
	return &nmf.TransformOptions{Threads: f.Threads, Missing: f.Missing, Mask: f.Mask, MaskOf: f.MaskOf, Weights: f.Weights, RowWeights: f.RowWeights, ColumnWeights: f.ColumnWeights}
}

// dense gives the components that are near others: whose mean Euclidean distance
// to their nearest neighbours, as many as Neighbours of the runs, is below the
// threshold (Kotliar et al. 2019, with the distances of cNMF's code).
func (c *collection[F]) dense() []int {
	neighbours := max(1, int(c.o.Neighbours*float64(c.result.Runs)))
	density := make([]float64, len(c.spectra))
	parallel(c.o.Fit.Threads, len(c.spectra), func(i int) {
		distances := make([]float64, 0, len(c.spectra)-1)
		for j, other := range c.spectra {
			if j != i {
				distances = append(distances, math.Sqrt(max(0, 2-2*dot(c.spectra[i], other))))
			}
		}
		slices.Sort(distances)
		if len(distances) > 0 {
			density[i] = mean(distances[:min(neighbours, len(distances))])
		}
	})
	var keep []int
	for i, d := range density {
		if d < c.o.Threshold {
			keep = append(keep, i)
		}
	}
	return keep
}

// medians gives the median of each cluster by features, scaled to sum 1.
func medians(v vectors, of []int, k, workers int) *matrix.Dense[float64] {
	n := len(v[0])
	h := matrix.NewDense[float64](k, n)
	for c := range k {
		var members vectors
		for i, to := range of {
			if to == c {
				members = append(members, v[i])
			}
		}
		row := h.Row(c)
		parallel(workers, n, func(j int) {
			values := make([]float64, len(members))
			for i, a := range members {
				values[i] = float64(a[j])
			}
			slices.Sort(values)
			row[j] = quantile(values, 0.5)
		})
		sum := 0.0
		for _, x := range row {
			sum += x
		}
		if sum == 0 { // a cluster whose members share no feature
			copy(row, wide(members[0]))
			for _, x := range row {
				sum += x
			}
		}
		for j := range row {
			row[j] /= sum
		}
	}
	return h
}

// quantile is that of sorted values, between two of them in proportion (type 7
// of Hyndman & Fan 1996, as numpy and R have it).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// refit fits W to the components h (k x n, rows of sum 1) and makes the model.
func (c *collection[F]) refit(ctx context.Context, h *matrix.Dense[float64]) error {
	model := &nmf.Model[F]{W: matrix.NewDense[F](0, c.k), H: matrix.NewDense[F](c.k, h.Cols), Scales: make([]float64, c.k), Info: *c.best,
		ColumnNames: c.o.Fit.ColumnNames}
	for j := range c.k {
		model.Scales[j] = 1
		for i, v := range h.Row(j) {
			model.H.Set(j, i, F(v))
		}
	}
	w, err := model.Transform(ctx, c.x, c.transformOptions())
	if err != nil {
		return err
	}
	score, err := model.Score(ctx, c.x, c.transformOptions())
	if err != nil {
		return err
	}
	m := w.Rows
	sums := make([]float64, c.k)
	c.order = make([]int, c.k)
	for j := range c.k {
		c.order[j] = j
		for i := range m {
			sums[j] += float64(w.At(i, j))
		}
	}
	slices.SortStableFunc(c.order, func(a, b int) int {
		switch {
		case sums[a] > sums[b]:
			return -1
		case sums[a] < sums[b]:
			return 1
		}
		return 0
	})
	final := &nmf.Model[F]{W: matrix.NewDense[F](m, c.k), H: matrix.NewDense[F](c.k, h.Cols), Scales: make([]float64, c.k), Info: *c.best,
		RowNames: c.o.Fit.RowNames, ColumnNames: c.o.Fit.ColumnNames}
	for to, from := range c.order {
		if sums[from] == 0 {
			continue
		}
		final.Scales[to] = sums[from]
		copy(final.H.Row(to), model.H.Row(from))
		for i := range m {
			final.W.Set(i, to, F(float64(w.At(i, from))/sums[from]))
		}
	}
	info := &final.Info
	info.Loss, info.RelativeError = score.Loss, score.RelativeError
	info.Rows, info.Columns = m, h.Cols
	info.Runs, info.Trace, info.Iterations = c.infos, nil, 0
	info.BestRun = 0
	for i, r := range info.Runs {
		if r.Loss < info.Runs[info.BestRun].Loss {
			info.BestRun = i
		}
		info.Iterations += r.Iterations
	}
	info.Seconds = time.Since(c.began).Seconds()
	info.Options = c.o.Fit // with what no text says
	info.Options.Runs, info.Resolved.Runs = c.o.Runs, c.o.Runs
	info.Options.Seed, info.Resolved.Seed = c.o.Fit.Seed, c.o.Fit.Seed
	info.Status = nmf.Stalled
	info.Warnings = append(slices.Clone(info.Warnings),
		fmt.Sprintf("H is the consensus of %d runs and not the end of one: its KKT residual, that of the best run, is not the model's", c.result.Runs))
	c.result.Model = final
	return nil
}

// describe fills in how the components recur and the quantiles.
func (c *collection[F]) describe(keep []int, kept vectors, of []int) {
	r := c.result
	r.Cophenetic, r.Dispersion = Number(r.Matrix.Cophenetic()), Number(r.Matrix.Dispersion())
	each := silhouettes(kept, of, c.k)
	units := unitRows(r.Model.H)
	shares := r.Model.Shares()
	for range r.Quantiles {
		r.W = append(r.W, matrix.NewDense[F](r.Model.W.Rows, c.k))
		r.H = append(r.H, matrix.NewDense[F](c.k, r.Model.H.Cols))
	}
	for j, cluster := range c.order {
		var members []int
		runs := map[int]bool{}
		stability := 0.0
		for i, to := range of {
			if to == cluster {
				members = append(members, keep[i])
				runs[c.run[keep[i]]] = true
				stability += dot(kept[i], units[j])
			}
		}
		r.Components = append(r.Components, Recurrence{Share: shares[j], Runs: float64(len(runs)) / float64(r.Runs),
			Stability: stability / float64(len(members)), Silhouette: each[cluster]})
		c.spreadH(j, members)
		c.spreadW(j, members)
	}
}

// spreadH gives the quantiles of the entries of row j of H over the members of
// its cluster, each scaled to sum 1 as the model's rows are.
func (c *collection[F]) spreadH(j int, members []int) {
	scale := make([]float64, len(members))
	for i, p := range members {
		sum := 0.0
		for _, v := range c.spectra[p] {
			sum += float64(v)
		}
		scale[i] = 1 / sum
	}
	parallel(c.o.Fit.Threads, c.result.Model.H.Cols, func(f int) {
		values := make([]float64, len(members))
		for i, p := range members {
			values[i] = float64(c.spectra[p][f]) * scale[i]
		}
		slices.Sort(values)
		for q, at := range c.result.Quantiles {
			c.result.H[q].Set(j, f, F(quantile(values, at)))
		}
	})
}

// spreadW gives those of column j of W, in units of the model's column.
func (c *collection[F]) spreadW(j int, members []int) {
	scale := c.result.Model.Scales[j]
	if scale == 0 {
		return
	}
	parallel(c.o.Fit.Threads, c.result.Model.W.Rows, func(i int) {
		values := make([]float64, len(members))
		for p, member := range members {
			values[p] = float64(c.usages[member][i]) / scale
		}
		slices.Sort(values)
		for q, at := range c.result.Quantiles {
			c.result.W[q].Set(i, j, F(quantile(values, at)))
		}
	})
}
