// Package muscles turns electromyograms into the matrix whose components are
// muscle synergies: a row a point in time, a column a muscle. A row of H is a
// synergy, the muscles that act together; a column of W is its activation.
//
// [Read] filters, rectifies and normalises recordings, or takes envelopes that
// are ready; [Preset] is the fit; [Explained] is the variance accounted for.
// docs/muscles.md says what is done.
package muscles
