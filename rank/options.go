package rank

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/comm"
)

// Options says what Sweep measures. The zero value of a field is its default.
type Options struct {
	// Fit is how every fit is made; its Seed is that of the sweep. Init must
	// depend on the seed: "random" (the default) or "nndsvdar". Runs, W and H do
	// not count.
	Fit nmf.Options
	// K lists the numbers of components to try, at least one. They are put in
	// order.
	K []int
	// Runs is the number of restarts of every k, at least 2. Default 20.
	Runs int
	// Repeats is the number of repeats of hold-out and of bi-cross-validation.
	// Default 10.
	Repeats int
	// HoldOut is the part of the cells that a repeat holds out, below one half.
	// Default 0.1.
	HoldOut float64
	// Bootstraps and Resamples are the numbers of fits to resampled samples and
	// to resampled counts. Default 20; counts are resampled where X is counts.
	Bootstraps, Resamples int
	// Randomised is the number of randomised copies of X. Default 3.
	Randomised int
	// ConsensusSamples is the largest number of samples that the consensus
	// matrix compares; of more, that many are drawn. Default 2000.
	ConsensusSamples int
	// Criteria lists what to measure and to choose by, of Criteria(); nil for
	// everything.
	Criteria []string
	// Labels are known labels of the samples as numbers from 0, -1 for none; nil
	// where there are none.
	Labels []int
	// State is a folder that keeps what is done, so that a sweep can be stopped
	// and go on; it is made where it is not there. "" keeps nothing.
	State string
	// Ranks, unless nil, joins ranks (see package dist) that share the sweep:
	// each has the whole of X and does a part of the work, and all get the same
	// result, which is the one of a single process. All of them call Sweep with
	// equal options. Rank 0 alone uses State.
	Ranks comm.Comm
	// Progress, unless nil, is called after every part of the work.
	Progress func(Progress)
}

// Progress is how far a sweep is.
type Progress struct {
	// What is being done, in words.
	What string
	// Done is the part of the whole work that is done, from 0 to 1.
	Done float64
	// Left estimates the time that is left; 0 where nothing is known yet.
	Left time.Duration
}

// Names of the criteria.
const (
	bic        = "bic"
	aic        = "aic"
	randomised = "randomised"
	cv         = "cv"
	bcv        = "bcv"
	coph       = "cophenetic"
	dispersion = "dispersion"
	pac        = "pac"
	silhouette = "silhouette"
	amariName  = "amari"
	bootstrap  = "bootstrap"
	poissonCV  = "poisson"
)

// Criteria lists the names of the criteria that can choose k.
func Criteria() []string {
	names := make([]string, len(criteria))
	for i, c := range criteria {
		names[i] = c.Name
	}
	return names
}

func (o *Options) wants(name string) bool {
	return o.Criteria == nil || slices.Contains(o.Criteria, name)
}

// resolve fills in defaults and checks what does not need the data's values.
func (o *Options) resolve(m int) (Options, error) {
	r := *o
	r.Runs = defaulted(r.Runs, 20)
	r.Repeats = defaulted(r.Repeats, 10)
	r.HoldOut = defaulted(r.HoldOut, 0.1)
	r.Bootstraps = defaulted(r.Bootstraps, 20)
	r.Resamples = defaulted(r.Resamples, 20)
	r.Randomised = defaulted(r.Randomised, 3)
	r.ConsensusSamples = defaulted(r.ConsensusSamples, 2000)
	r.Fit.Threads = defaulted(r.Fit.Threads, runtime.GOMAXPROCS(0))
	r.Fit.Runs, r.Fit.Progress = 0, nil
	r.K = slices.Clone(r.K)
	slices.Sort(r.K)
	r.K = slices.Compact(r.K)
	if len(r.K) == 0 {
		return r, fmt.Errorf("%w: there is no k to try", nmf.ErrOption)
	}
	for _, name := range r.Criteria {
		if !slices.Contains(Criteria(), name) {
			return r, fmt.Errorf("%w: criterion %q is unknown; it is one of %s", nmf.ErrOption, name, strings.Join(Criteria(), ", "))
		}
	}
	if r.Fit.W != nil || r.Fit.H != nil {
		return r, fmt.Errorf("%w: a given start is the same for every restart, which a sweep compares; leave W and H out", nmf.ErrOption)
	}
	switch r.Fit.Init {
	case "", "auto":
		r.Fit.Init = "random"
	case "nndsvd", "nndsvda", "spa":
		return r, fmt.Errorf("%w: init %s is the same for every restart, which a sweep compares; take random or nndsvdar", nmf.ErrOption, r.Fit.Init)
	}
	if r.Fit.Compression != "on" {
		r.Fit.Compression = "off"
	}
	if r.Labels != nil && len(r.Labels) != m {
		return r, fmt.Errorf("%w: %d labels for %d samples", nmf.ErrShape, len(r.Labels), m)
	}
	for _, c := range []struct {
		name string
		bad  bool
		what any
		want string
	}{
		{"k", r.K[0] < 1, r.K[0], "at least 1"},
		{"runs", r.Runs < 2, r.Runs, "at least 2"},
		{"repeats", r.Repeats < 2, r.Repeats, "at least 2"},
		{"hold_out", !(r.HoldOut > 0 && r.HoldOut < 0.5), r.HoldOut, "above 0 and below 0.5"},
		{"bootstraps", r.Bootstraps < 1, r.Bootstraps, "at least 1"},
		{"resamples", r.Resamples < 1, r.Resamples, "at least 1"},
		{"randomised", r.Randomised < 1, r.Randomised, "at least 1"},
		{"consensus_samples", r.ConsensusSamples < 2, r.ConsensusSamples, "at least 2"},
	} {
		if c.bad {
			return r, fmt.Errorf("%w: %s is %v; it must be %s", nmf.ErrOption, c.name, c.what, c.want)
		}
	}
	return r, nil
}

func defaulted[T int | float64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// BySilhouettes is a sweep over numbers of components that is chosen by the
// stability of the components alone, as the fields of mutational signatures and
// of muscle synergies do: the last k at which those of all starts fall into k
// groups, with silhouettes of at least 0.8 on average and none below 0.2
// (Alexandrov et al. 2013). There are as many starts as fit has runs.
func BySilhouettes(fit *nmf.Options, k []int) *Options {
	return &Options{Fit: *fit, K: k, Runs: max(2, fit.Runs), Criteria: []string{silhouette}}
}
