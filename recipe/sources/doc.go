// Package sources apportions what a receptor measured to its sources: positive
// matrix factorization (Paatero & Tapper 1994) of concentrations, samples x
// species, each with an uncertainty of its own, as EPA PMF 5 does it.
//
// [Read] takes concentrations and uncertainties and prepares them; the model is
// nmf.Fit on the result with the weights 1/σ² of [Set.Weights]. [Set.Solve] puts
// it in the field's terms: contributions of mean 1, profiles in the unit of the
// concentrations, Q. [Set.Robust] downweights outliers, [Set.Fpeak] rotates,
// [Set.Bootstrap] and [Set.Displace] say how sure the profiles are.
// docs/sources.md has the definitions.
//
// In this package k is the number of factors, G (samples x k) holds the
// contributions and F (k x species) the profiles.
package sources
