package rank

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// Sweep fits x (samples x features) for every k of o.K from o.Runs restarts, and
// measures what o.Criteria asks for. Restarts share their passes over x, those
// of several k as well.
//
// Restart i of every k has the seed o.Fit.Seed+i. The result is a function of x,
// the options and the seed alone. A fit that fails is listed in Result.Failures
// and the others go on. Cancelling ctx gives its error; with o.State what is
// done is kept, and the same call goes on from there.
//
// Of an x that is read block by block the restarts share the reading as well.
// Criteria that draw its samples or cells anew are left out, with a note.
//
// Errors are those of nmf.Fit, ErrInput and ErrState.
func Sweep[F matrix.Float](ctx context.Context, x matrix.Matrix[F], o *Options) (*Result, error) {
	return sweepWith(ctx, x, o, nmf.FitEach[F])
}

// fitter is nmf.FitEach.
type fitter[F matrix.Float] func(ctx context.Context, x matrix.Matrix[F], starts []nmf.Start, o *nmf.Options) ([]*nmf.Model[F], error)

func sweepWith[F matrix.Float](ctx context.Context, x matrix.Matrix[F], o *Options, fit fitter[F]) (*Result, error) {
	if o == nil {
		o = new(Options)
	}
	m, n := x.Dims()
	opt, err := checked(x, o)
	if err := o.outcome(err); err != nil {
		return nil, err
	}
	s := &sweep[F]{x: x, o: opt, fit: fit, began: time.Now()}
	s.cells, err = newCells(x, &opt.Fit)
	if err := o.outcome(err); err != nil {
		return nil, err
	}
	s.consensus = sampleOf(m, opt.ConsensusSamples, opt.Fit.Seed)
	s.result = &Result{Loss: defaultLoss(opt.Fit.Loss), Samples: m, Features: n, Seed: opt.Fit.Seed, ConsensusSamples: s.consensus}
	id, err := identify(x, &opt)
	if err := o.outcome(err); err != nil {
		return nil, err
	}
	if s.state, err = s.open(id); err != nil {
		return nil, err
	}
	if err := s.plan(); err != nil {
		return nil, err
	}
	if err := s.tellParts(); err != nil {
		return nil, err
	}
	for i, p := range s.parts {
		if err := s.shareFrom(ctx, i); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, err
		}
		if err := s.do(ctx, p); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, err
		}
	}
	s.finish()
	return s.result, nil
}

// checked resolves the options for x.
func checked[F matrix.Float](x matrix.Matrix[F], o *Options) (Options, error) {
	m, n := x.Dims()
	opt, err := o.resolve(m)
	if err == nil && (m == 0 || n == 0) {
		err = fmt.Errorf("%w: the matrix is %d x %d", nmf.ErrEmpty, m, n)
	}
	for _, given := range []struct {
		name string
		of   nmf.Weights
	}{{"mask", opt.Fit.MaskOf}, {"weights", opt.Fit.Weights}} {
		if err == nil && given.of != nil {
			if r, c := given.of.Dims(); r != m || c != n {
				err = fmt.Errorf("%w: the %s are %d x %d; they must be %d x %d", nmf.ErrShape, given.name, r, c, m, n)
			}
		}
	}
	if mask := opt.Fit.Mask; err == nil && mask != nil && (mask.Rows != m || mask.Cols != n) {
		err = fmt.Errorf("%w: the mask is of a %d x %d matrix; it must be %d x %d", nmf.ErrShape, mask.Rows, mask.Cols, m, n)
	}
	if err == nil && inMemory(x) {
		err = hold(&opt.Fit)
	}
	return opt, err
}

func defaultLoss(loss string) string {
	if loss == "" {
		return "frobenius"
	}
	return loss
}

// sweep is a sweep that is going on.
type sweep[F matrix.Float] struct {
	x     matrix.Matrix[F]
	o     Options
	fit   fitter[F]
	cells *cells[F]
	// consensus are the samples that the consensus compares.
	consensus []int
	state     *state
	result    *Result
	parts     []part
	// together is the most columns of the restarts of one part.
	together int

	// waiting holds the restarts of each k that is not complete, batches the
	// starts of the batches that are kept for such a k.
	waiting map[int][]*restart
	batches map[string][]nmf.Start
	// repeated holds what the repeats of each kind gave, by kind and k.
	repeated map[string]map[int][][]float64

	began time.Time
	// work is that of all parts, known that of the parts that were there already,
	// done that of the parts that this call has made.
	work, known, done float64
	// made says that the part that is being done was not there yet.
	made bool
	// fresh are the parts that this call has made, or other ranks for it.
	fresh map[string]bool
}

// part is a piece of the work that is kept when it is done.
type part struct {
	name, what string
	cost       float64
	do         func(ctx context.Context, p part) error
	// starts are those of a part of restarts; make makes a part of another kind
	// without keeping it.
	starts []nmf.Start
	make   func(ctx context.Context) (repeatPart, error)
}

// columnsTogether bounds the columns, and the numbers in the factors, of the
// restarts of one part.
const (
	columnsTogether = 1024
	numbersTogether = 1 << 26
)

// plan lists the parts.
func (s *sweep[F]) plan() error {
	m, n := s.x.Dims()
	s.waiting, s.batches = map[int][]*restart{}, map[string][]nmf.Start{}
	s.repeated = map[string]map[int][][]float64{}
	perFit := 0.0
	for _, k := range s.o.K {
		perFit += float64(k)
	}
	s.together = max(s.o.K[len(s.o.K)-1], min(columnsTogether, numbersTogether/(m+n)))
	var batch []nmf.Start
	columns := 0
	flush := func() {
		if len(batch) == 0 {
			return
		}
		starts, cost := batch, float64(columns)
		name := fmt.Sprintf("restarts-%d-%d", starts[0].K, starts[0].Seed-s.o.Fit.Seed)
		what := fmt.Sprintf("restarts of k = %d", starts[0].K)
		if last := starts[len(starts)-1].K; last != starts[0].K {
			what += fmt.Sprintf(" to %d", last)
		}
		s.parts = append(s.parts, part{name: name, what: what, cost: cost, starts: starts,
			do: func(ctx context.Context, p part) error { return s.restarts(ctx, p.name, starts) }})
		batch, columns = nil, 0
	}
	for _, k := range s.o.K {
		for run := range s.o.Runs {
			if columns+k > s.together {
				flush()
			}
			batch = append(batch, nmf.Start{K: k, Seed: s.o.Fit.Seed + uint64(run)})
			columns += k
		}
	}
	flush()
	repeat := func(kind, title string, times int, cost float64, do func(ctx context.Context, index int) (map[int][]float64, error)) {
		s.repeated[kind] = map[int][][]float64{}
		for i := range times {
			s.parts = append(s.parts, part{name: fmt.Sprintf("%s-%d", kind, i), what: fmt.Sprintf("%s %d of %d", title, i+1, times), cost: cost * perFit,
				do:   func(ctx context.Context, p part) error { return s.repeat(ctx, p, kind) },
				make: func(ctx context.Context) (repeatPart, error) { return s.makeRepeat(ctx, i, do) }})
		}
	}
	skip := func(name, why string) error {
		if s.o.Criteria != nil {
			return fmt.Errorf("%w: criterion %s: %s", ErrInput, name, why)
		}
		s.note("%s was left out: %s", criterion(name).Title, why)
		return nil
	}
	if !inMemory(s.x) {
		const why = "X is read block by block, and its samples or cells would be drawn anew again and again; take samples that fit in memory"
		var titles []string
		for _, name := range []string{randomised, cv, bcv, bootstrap, poissonCV} {
			switch {
			case s.o.Criteria == nil:
				titles = append(titles, criterion(name).Title)
			case s.o.wants(name):
				return skip(name, why)
			}
		}
		if titles != nil {
			s.note("%s were left out: %s", strings.Join(titles, ", "), why)
		}
		s.planned()
		return nil
	}
	complete := complete(&s.o.Fit)
	if s.o.wants(randomised) {
		if !complete {
			if err := skip(randomised, "cells are missing or have weights, which do not go with shuffled values"); err != nil {
				return err
			}
		} else {
			repeat(randomised, "randomised data", s.o.Randomised, 1, s.randomised)
		}
	}
	if s.o.wants(cv) {
		const masked = 4 // times the work of a fit to complete data, about
		repeat(cv, "hold-out", s.o.Repeats, masked, func(ctx context.Context, i int) (map[int][]float64, error) {
			return single(s.holdOut(ctx, i))
		})
	}
	if s.o.wants(bcv) {
		why := ""
		switch {
		case !complete:
			why = "cells are missing or have weights, and its blocks must be complete"
		case s.o.Fit.PenaltyW.GraphWeights != nil || s.o.Fit.PenaltyH.GraphWeights != nil || s.o.Fit.PenaltyW.Held != nil || s.o.Fit.PenaltyH.Held != nil:
			why = "penalties join or hold certain samples or features, which its blocks divide"
		case s.o.Fit.DispersionBy == "feature":
			why = "each feature has a dispersion of its own, which those that are held out do not have"
		case min(m, n) < 4:
			why = "the matrix is too small to be divided"
		}
		if why != "" {
			if err := skip(bcv, why); err != nil {
				return err
			}
		} else {
			repeat(bcv, "bi-cross-validation", s.o.Repeats, 1, func(ctx context.Context, i int) (map[int][]float64, error) {
				return single(s.biCross(ctx, i))
			})
		}
	}
	if s.o.wants(bootstrap) {
		if _, err := forRows(s.o.Fit, nil); err != nil {
			if err := skip(bootstrap, "penalties join the samples, or hold some"); err != nil {
				return err
			}
		} else {
			repeat(bootstrap, "bootstrap", s.o.Bootstraps, 1, s.bootstrap)
		}
	}
	if s.o.wants(poissonCV) {
		if !areCounts(s.x) {
			if err := skip(poissonCV, "it is for counts, and X has other numbers"); err != nil {
				return err
			}
		} else {
			repeat(poissonCV, "Poisson resampling", s.o.Resamples, 1, s.poisson)
		}
	}
	s.planned()
	return nil
}

// planned says what of the samples is compared, and adds up the work.
func (s *sweep[F]) planned() {
	if m, _ := s.x.Dims(); len(s.consensus) < m {
		s.note("the consensus compares %d of the %d samples, drawn by the seed", len(s.consensus), m)
	}
	for _, p := range s.parts {
		s.work += p.cost
	}
}

func (s *sweep[F]) note(format string, args ...any) {
	s.result.Notes = append(s.result.Notes, fmt.Sprintf(format, args...))
}

// criterion finds one by its name.
func criterion(name string) *Criterion {
	return &criteria[slices.IndexFunc(criteria, func(c Criterion) bool { return c.Name == name })]
}

// do does a part and tells how far the sweep is.
func (s *sweep[F]) do(ctx context.Context, p part) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.progress(p.what)
	s.made = false
	if err := p.do(ctx, p); err != nil {
		return err
	}
	if s.made || s.fresh[p.name] {
		s.done += p.cost
	} else {
		s.known += p.cost
	}
	s.progress(p.what)
	return nil
}

func (s *sweep[F]) progress(what string) {
	if s.o.Progress == nil {
		return
	}
	p := Progress{What: what, Done: (s.known + s.done) / s.work}
	if s.done > 0 {
		left := s.work - s.known - s.done
		p.Left = time.Duration(float64(time.Since(s.began)) / s.done * left)
	}
	s.o.Progress(p)
}

// restart is what is kept of one restart.
type restart struct {
	K      int    `json:"k"`
	Seed   uint64 `json:"seed"`
	Failed string `json:"failed,omitempty"`

	Loss          float64 `json:"loss"`
	RelativeError float64 `json:"relative_error"`
	Free          int     `json:"free"`
	// Clusters are packed, and Basis is H with rows of unit length.
	Clusters []byte `json:"clusters"`
	Basis    []byte `json:"basis"`
}

func (r *restart) vectors(features int) vectors {
	all := unpack(r.Basis)
	v := make(vectors, r.K)
	for j := range v {
		v[j] = all[j*features : (j+1)*features : (j+1)*features]
	}
	return v
}

// restarts makes a batch of restarts, and sums up every k that is complete then.
func (s *sweep[F]) restarts(ctx context.Context, name string, starts []nmf.Start) error {
	summed, err := s.summedUp(starts)
	if err != nil || summed {
		return err
	}
	var batch []*restart
	found, err := s.state.load(name, &batch)
	if err != nil {
		return err
	}
	if !found {
		s.made = true
		if batch, err = s.fitBatch(ctx, starts); err != nil {
			return err
		}
		if err := s.state.save(name, batch); err != nil {
			return err
		}
	}
	for _, r := range batch {
		s.waiting[r.K] = append(s.waiting[r.K], r)
		if len(s.waiting[r.K]) == s.o.Runs {
			if err := s.sumUp(r.K); err != nil {
				return err
			}
		}
	}
	s.batches[name] = starts
	s.dropSummedUp()
	return nil
}

// dropSummedUp removes the batches whose every k is summed up: they are large.
func (s *sweep[F]) dropSummedUp() {
	for name, starts := range s.batches {
		open := slices.ContainsFunc(starts, func(start nmf.Start) bool { return !s.has(start.K) })
		if !open {
			s.state.drop(name)
			delete(s.batches, name)
		}
	}
}

// has says that a k is among the results.
func (s *sweep[F]) has(k int) bool {
	return slices.ContainsFunc(s.result.K, func(r K) bool { return r.K == k })
}

// fitBatch fits all starts; where they cannot be fitted together each is tried
// alone.
func (s *sweep[F]) fitBatch(ctx context.Context, starts []nmf.Start) ([]*restart, error) {
	models, err := s.fit(ctx, s.x, starts, &s.o.Fit)
	if err != nil && (ctx.Err() != nil || isAboutData(err)) {
		return nil, err
	}
	batch := make([]*restart, len(starts))
	for i, start := range starts {
		var model *nmf.Model[F]
		if err == nil {
			model = models[i]
		} else {
			alone, failed := s.fit(ctx, s.x, starts[i:i+1], &s.o.Fit)
			if ctx.Err() != nil {
				return nil, failed
			}
			if failed != nil {
				batch[i] = &restart{K: start.K, Seed: start.Seed, Failed: failed.Error()}
				continue
			}
			model = alone[0]
		}
		r := &restart{K: start.K, Seed: start.Seed, Loss: model.Info.Loss, RelativeError: model.Info.RelativeError,
			Free: freeParameters(model), Clusters: packInts(Dominant(model))}
		for _, v := range unitRows(model.H) {
			r.Basis = append(r.Basis, pack(v)...)
		}
		batch[i] = r
	}
	return batch, nil
}

// isAboutData says that an error is of what all fits share.
func isAboutData(err error) bool {
	for _, e := range []error{nmf.ErrNegative, nmf.ErrNotFinite, nmf.ErrEmpty, nmf.ErrRange, nmf.ErrShape, nmf.ErrOption} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Dominant gives for every sample the component that explains most of it: the j
// with the largest W_ij·Scales[j], the first of equals, or -1 for a sample that
// holds nothing.
func Dominant[F matrix.Float](m *nmf.Model[F]) []int {
	clusters := make([]int, m.W.Rows)
	for i := range clusters {
		best, at := 0.0, -1
		for j, w := range m.W.Row(i) {
			if v := float64(w) * m.Scales[j]; v > best {
				best, at = v, j
			}
		}
		clusters[i] = at
	}
	return clusters
}

// summary is a k as it is kept.
type summary struct {
	K                           K
	Clusters, ConsensusClusters []byte
	Components                  []byte
	Failures                    []string
}

func summaryName(k int) string { return fmt.Sprintf("k-%d", k) }

// summedUp takes the numbers of fit and stability of the starts' ks from the
// state, where all of them are there.
func (s *sweep[F]) summedUp(starts []nmf.Start) (bool, error) {
	if s.state == nil {
		return false, nil
	}
	found := map[int]*summary{}
	for _, start := range starts {
		if found[start.K] != nil {
			continue
		}
		sum := new(summary)
		ok, err := s.state.load(summaryName(start.K), sum)
		if err != nil || !ok {
			return false, err
		}
		if sum.K.K != start.K || len(sum.Components) != 4*start.K*s.result.Features || len(sum.Clusters) != 4*s.result.Samples {
			return false, fmt.Errorf("%w: %s of %s has other sizes than the data", ErrState, summaryName(start.K), s.state.folder)
		}
		found[start.K] = sum
	}
	for _, k := range s.o.K {
		if sum := found[k]; sum != nil && !s.has(k) {
			s.accept(sum)
		}
	}
	return true, nil
}

// accept puts a k among the results.
func (s *sweep[F]) accept(sum *summary) {
	k := sum.K
	k.Clusters, k.ConsensusClusters = unpackInts(sum.Clusters), unpackInts(sum.ConsensusClusters)
	entries, n := unpack(sum.Components), s.result.Features
	for j := range k.K {
		k.Components = append(k.Components, entries[j*n:(j+1)*n:(j+1)*n])
	}
	s.result.K = append(s.result.K, k)
	s.result.Failures = append(s.result.Failures, sum.Failures...)
}

// sumUp turns the restarts of a k into its numbers, and forgets them.
func (s *sweep[F]) sumUp(k int) error {
	runs := s.waiting[k]
	delete(s.waiting, k)
	if s.has(k) {
		return nil
	}
	sum, failures := s.summary(k, runs)
	if sum == nil {
		s.result.Failures = append(s.result.Failures, failures...)
		s.note("k = %d is left out: none of its restarts could be made", k)
		return nil
	}
	if err := s.state.save(summaryName(k), sum); err != nil {
		return err
	}
	s.accept(sum)
	return nil
}

// summary is what the restarts of a k come to, nil where all of them failed.
func (s *sweep[F]) summary(k int, runs []*restart) (*summary, []string) {
	var failures []string
	var good []*restart
	for _, r := range runs {
		if r.Failed != "" {
			failures = append(failures, fmt.Sprintf("the restart of k = %d with seed %d: %s", r.K, r.Seed, r.Failed))
			continue
		}
		good = append(good, r)
	}
	if len(good) == 0 {
		return nil, failures
	}
	sum := s.summarize(k, good)
	sum.Failures = failures
	return sum, failures
}

func (s *sweep[F]) summarize(k int, runs []*restart) *summary {
	best := 0
	for i, r := range runs {
		if r.Loss < runs[best].Loss {
			best = i
		}
	}
	b := runs[best]
	nan := Number(math.NaN())
	out := K{K: k, Runs: len(runs), BestSeed: b.Seed, Loss: Number(b.Loss), RelativeError: Number(b.RelativeError),
		ExplainedVariance: Number(1 - b.RelativeError*b.RelativeError), AIC: nan, BIC: nan, RandomLoss: nan,
		CVError: nan, CVErrorSE: nan, BCVError: nan, BCVErrorSE: nan, Cophenetic: nan, Dispersion: nan, PAC: nan,
		SilhouetteMin: nan, SilhouetteMean: nan, Amari: nan, BootstrapMin: nan, BootstrapMean: nan, PoissonMin: nan, PoissonMean: nan}
	if minus2log, noise, ok := likelihood(s.result.Loss, b.Loss, s.cells.count); ok {
		out.Parameters = b.Free + noise
		out.AIC = Number(minus2log + 2*float64(out.Parameters))
		out.BIC = Number(minus2log + math.Log(s.cells.count)*float64(out.Parameters))
	}
	if !s.o.wants(aic) {
		out.AIC = nan
	}
	if !s.o.wants(bic) {
		out.BIC = nan
	}
	consensus := NewConsensusMatrix(s.result.Samples, s.o.ConsensusSamples, s.o.Fit.Seed)
	compared := make([]int, len(s.consensus))
	for _, r := range runs {
		clusters := unpackInts(r.Clusters)
		for i, sample := range s.consensus {
			compared[i] = clusters[sample]
		}
		// The lengths are those that the matrix was made for.
		if err := consensus.Add(compared); err != nil {
			panic(err)
		}
	}
	if s.o.wants(coph) {
		out.Cophenetic = Number(consensus.Cophenetic())
	}
	if s.o.wants(dispersion) {
		out.Dispersion = Number(consensus.Dispersion())
	}
	if s.o.wants(pac) {
		out.PAC = Number(consensus.PAC())
	}
	if len(runs) > 1 && (s.o.wants(silhouette) || s.o.wants(amariName)) {
		sets := make([]vectors, len(runs))
		for i, r := range runs {
			sets[i] = r.vectors(s.result.Features)
		}
		if s.o.wants(silhouette) {
			vectors, groups := groupComponents(sets, best)
			each := silhouettes(vectors, groups, k)
			out.SilhouetteMin, out.SilhouetteMean = Number(slices.Min(each)), Number(mean(each))
		}
		if s.o.wants(amariName) {
			out.Amari = Number(meanAmari(sets, s.o.Fit.Seed, s.o.Fit.Threads))
		}
	}
	clusters, _ := consensus.Clusters(k)
	return &summary{K: out, Clusters: b.Clusters, ConsensusClusters: packInts(clusters), Components: b.Basis}
}

// repeatPart is a repeat as it is kept.
type repeatPart struct {
	Values   map[int][]Number
	Failures []string
}

// makeRepeat does one repeat of a kind.
func (s *sweep[F]) makeRepeat(ctx context.Context, index int, do func(ctx context.Context, index int) (map[int][]float64, error)) (repeatPart, error) {
	before := len(s.result.Failures)
	values, err := do(ctx, index)
	if err != nil {
		return repeatPart{}, err
	}
	made := repeatPart{Values: map[int][]Number{}, Failures: slices.Clone(s.result.Failures[before:])}
	s.result.Failures = s.result.Failures[:before]
	for k, v := range values {
		for _, x := range v {
			made.Values[k] = append(made.Values[k], Number(x))
		}
	}
	return made, nil
}

// repeat does a repeat, or takes it from the state.
func (s *sweep[F]) repeat(ctx context.Context, p part, kind string) error {
	var kept repeatPart
	found, err := s.state.load(p.name, &kept)
	if err != nil {
		return err
	}
	if !found {
		s.made = true
		if kept, err = p.make(ctx); err != nil {
			return err
		}
		if err := s.state.save(p.name, kept); err != nil {
			return err
		}
	}
	s.result.Failures = append(s.result.Failures, kept.Failures...)
	for _, k := range s.o.K {
		var values []float64
		for _, v := range kept.Values[k] {
			values = append(values, float64(v))
		}
		s.repeated[kind][k] = append(s.repeated[kind][k], values)
	}
	return nil
}

// single makes a list of each number.
func single(values map[int]float64, err error) (map[int][]float64, error) {
	out := map[int][]float64{}
	for k, v := range values {
		out[k] = []float64{v}
	}
	return out, err
}

// fitAll makes one fit of every k.
func (s *sweep[F]) fitAll(ctx context.Context, x matrix.Matrix[F], o *nmf.Options, seed uint64) (map[int]*nmf.Model[F], error) {
	return s.fitSome(ctx, x, s.o.K, o, seed)
}

// fitSome makes one fit of each of some k. One that fails is put down and the
// others go on.
func (s *sweep[F]) fitSome(ctx context.Context, x matrix.Matrix[F], ks []int, o *nmf.Options, seed uint64) (map[int]*nmf.Model[F], error) {
	starts := make([]nmf.Start, len(ks))
	for i, k := range ks {
		starts[i] = nmf.Start{K: k, Seed: seed}
	}
	out := map[int]*nmf.Model[F]{}
	models, err := s.fit(ctx, x, starts, o)
	for i, k := range ks {
		var model *nmf.Model[F]
		if err == nil {
			model = models[i]
		} else {
			if ctx.Err() != nil {
				return nil, err
			}
			alone, failed := s.fit(ctx, x, starts[i:i+1], o)
			if failed != nil {
				s.result.Failures = append(s.result.Failures, fmt.Sprintf("a fit of k = %d with seed %d: %v", k, seed, failed))
				continue
			}
			model = alone[0]
		}
		out[k] = model
	}
	return out, context.Cause(ctx)
}

// measure takes a number of every model.
func measure[F matrix.Float](models map[int]*nmf.Model[F], of func(*nmf.Model[F]) (float64, error)) (map[int]float64, error) {
	out := map[int]float64{}
	for k, m := range models {
		v, err := of(m)
		if err != nil {
			return nil, err
		}
		out[k] = v
	}
	return out, nil
}

// randomised gives the loss of every k on one randomised copy of X.
func (s *sweep[F]) randomised(ctx context.Context, index int) (map[int][]float64, error) {
	o := s.o.Fit
	models, err := s.fitAll(ctx, shuffled(s.x, o.Seed, index), &o, o.Seed+uint64(index))
	if err != nil {
		return nil, err
	}
	return single(measure(models, func(m *nmf.Model[F]) (float64, error) { return m.Info.Loss, nil }))
}

// bootstrap gives for every k the cosines of its components with those of
// resampled samples.
func (s *sweep[F]) bootstrap(ctx context.Context, index int) (map[int][]float64, error) {
	m, _ := s.x.Dims()
	rows := bootstrapRows(m, s.o.Fit.Seed, index)
	if mergesRows(&s.o.Fit) {
		o := s.o.Fit
		o.RowNames = nil
		return s.perturbed(ctx, mergedRows(s.x, rows, o.Loss), &o, index)
	}
	o, err := forRows(s.o.Fit, rows)
	if err != nil {
		return nil, err
	}
	return s.perturbed(ctx, takeRows(s.x, rows), &o, index)
}

// poisson does so with resampled counts.
func (s *sweep[F]) poisson(ctx context.Context, index int) (map[int][]float64, error) {
	o := s.o.Fit
	return s.perturbed(ctx, poisson(s.x, o.Seed, index), &o, index)
}

func (s *sweep[F]) perturbed(ctx context.Context, x matrix.Matrix[F], o *nmf.Options, index int) (map[int][]float64, error) {
	models, err := s.fitAll(ctx, x, o, o.Seed+uint64(index))
	if err != nil {
		return nil, err
	}
	out := map[int][]float64{}
	for i := range s.result.K {
		k := &s.result.K[i]
		model := models[k.K]
		if model == nil {
			continue
		}
		cosines := vectors(k.Components).cosines(unitRows(model.H))
		for j, to := range Assign(cosines) {
			out[k.K] = append(out[k.K], cosines[j][to])
		}
	}
	return out, nil
}

// finish turns what the repeats gave into numbers, compares clusters with the
// labels and chooses k.
func (s *sweep[F]) finish() {
	slices.SortFunc(s.result.K, func(a, b K) int { return a.K - b.K })
	for i := range s.result.K {
		k := &s.result.K[i]
		firsts := func(kind string) []float64 {
			var out []float64
			for _, v := range s.repeated[kind][k.K] {
				if len(v) == 1 {
					out = append(out, v[0])
				} else {
					out = append(out, math.NaN())
				}
			}
			return out
		}
		known := func(values []float64) []float64 {
			return slices.DeleteFunc(slices.Clone(values), math.IsNaN)
		}
		k.CVRepeats, k.BCVRepeats = firsts(cv), firsts(bcv)
		number := func(m, se *Number, values []float64) {
			if len(values) > 0 {
				mean, error := spread(values)
				*m, *se = Number(mean), Number(error)
			}
		}
		number(&k.CVError, &k.CVErrorSE, known(k.CVRepeats))
		number(&k.BCVError, &k.BCVErrorSE, known(k.BCVRepeats))
		if random := known(firsts(randomised)); len(random) > 0 {
			k.RandomLoss = Number(mean(random))
		}
		k.BootstrapMin, k.BootstrapMean = leastAndMean(s.repeated[bootstrap][k.K], k.K)
		k.PoissonMin, k.PoissonMean = leastAndMean(s.repeated[poissonCV][k.K], k.K)
		if s.o.Labels != nil {
			best := Agree(k.Clusters, s.o.Labels)
			labels := make([]int, len(s.consensus))
			for p, sample := range s.consensus {
				labels[p] = s.o.Labels[sample]
			}
			consensus := Agree(k.ConsensusClusters, labels)
			k.BestAgreement, k.Agreement = &best, &consensus
		}
	}
	only := ""
	if len(s.o.Criteria) == 1 {
		only = s.o.Criteria[0]
	}
	s.result.Recommended = Choose(s.result.K, only)
}

// leastAndMean averages the cosines of each component over repeats and gives the
// least and the mean of the components.
func leastAndMean(repeats [][]float64, k int) (least, average Number) {
	sums, n := make([]float64, k), 0.0
	for _, r := range repeats {
		if len(r) != k {
			continue // that fit failed
		}
		n++
		for j, v := range r {
			sums[j] += v
		}
	}
	if n == 0 {
		return Number(math.NaN()), Number(math.NaN())
	}
	return Number(slices.Min(sums) / n), Number(mean(sums) / n)
}
