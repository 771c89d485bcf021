// Package nmf factorizes non-negative matrices: given X (samples x features)
// and a number of components k, it finds W (samples x k) and H (k x features),
// both non-negative, with X ≈ W·H (Paatero & Tapper 1994; Lee & Seung 1999).
// Rows of H are the components (parts, topics, signatures, sources); rows of W
// say how much of each a sample holds.
//
//	model, err := nmf.Fit(ctx, x, 20, nil)
//
// X is a *matrix.Dense or a *matrix.CSR of float32 or float64; package data
// reads one from a file. Everywhere rows are samples and columns are features.
//
// # What is minimised
//
// Fit minimises the loss ½‖X−WH‖²_F over W ≥ 0 and H ≥ 0. The problem is not
// convex: what is found is a stationary point, which depends on the start
// (Options.Init, Options.Seed). Options.Runs tries several and keeps the best.
// With k = 1 it is the leading singular pair; no k reaches less than half the
// sum of the squared singular values beyond the k-th (Eckart & Young 1936).
//
// # How
//
// With H fixed, the rows of W are independent problems,
//
//	minimise ½ w G wᵀ − c wᵀ over w ≥ 0,  G = HHᵀ, c = xHᵀ,
//
// and so are the columns of H with W fixed. An iteration improves all of W and
// then all of H by Options.Solver, reading X once. Steps are extrapolated (Ang
// & Gillis 2019) and taken back where the loss would rise, so that it never
// does over Info.Trace. A component that becomes zero is started again from
// what is left of X. docs/method.md has the details.
//
// # When it ends
//
// The first of these ends a run; Info.Status says which:
//
//   - the KKT residual, ‖projected gradient‖_F / ‖cross product‖_F of the worse
//     factor, both balanced to equal norms, is at most Options.Tol. It is zero
//     exactly at stationary points and does not depend on the scale of X or of
//     the factors, so that it certifies any model;
//   - the relative error ‖X−WH‖/‖X‖ is at most Options.TargetError;
//   - the loss falls by less than Options.LossTol of itself an iteration;
//   - Options.MaxIter iterations are done;
//   - the context ends: the model is the best so far.
//
// Then, but where TargetError ended it, every row of W is solved once more for the
// final H, to tolerance. That problem is convex, and it is what Transform does with
// new samples, so that Transform of the training rows gives the model's W.
//
// # What a model holds
//
// X ≈ W·diag(Scales)·H, columns of W and rows of H with unit L1 norm, Scales
// falling: Scales[j] is the sum over all cells of what component j explains,
// and row j of H is a distribution over the features. Transform gives weights
// in the same units as the model's W.
//
// # The same answer tomorrow
//
// A model is a function of X, k, the options and their seed: W, H, Scales and
// the trace without its seconds have the same bits for any number of threads.
// Run i of a set of runs is the fit with the seed Seed+i. Processors with
// other vector instructions may differ in the last digits; Info.SIMD says
// which were used.
//
// # Errors
//
// Bad data and options give errors that wrap one of the sentinels below and
// say which cell or option it was. What a fit came to is a Status, not an
// error.
package nmf
