// Package rank helps to choose the number of components k, and says how far the
// components can be trusted.
//
//	result, err := rank.Sweep(ctx, x, &rank.Options{K: []int{2, 3, 4, 5, 6}})
//	fmt.Println(result.Recommended.K, result.Recommended.Why)
//
// Sweep fits every k from the same restarts and measures, side by side, how well
// the models fit (relative error, AIC, BIC, and against randomised data), how
// well they predict what they have not seen (hold-out and bi-cross-validation),
// and how stable they are (consensus of the samples' clusters, agreement of the
// components over restarts, bootstrap and Poisson resampling). Choose turns the
// numbers into a recommendation in words.
//
// Consensus takes the components that recur over many runs, as cNMF does, with
// the spread of every entry. Compare matches the components of two models.
//
// docs/rank.md gives each criterion's definition and paper, and what it is bad
// at. Everything is a function of the data, the options and the seed: the same
// bits for any number of threads, and after a sweep that was stopped and went
// on.
package rank

import "errors"

// Sentinels, found with errors.Is in what this package returns, beside those of
// package nmf.
var (
	// ErrInput: what was given does not fit together.
	ErrInput = errors.New("input does not fit together")
	// ErrState: a folder of state holds a sweep of other data, options or
	// another version, or is damaged.
	ErrState = errors.New("the saved state cannot be used")
)
