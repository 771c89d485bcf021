// Package ancestry estimates which part of each individual's genome comes from
// each of k ancestral populations, from genotypes: sparse NMF in the way of sNMF
// (Frichot, Mathieu, Trouillon, Bouchard & François 2014).
//
// [Read] takes genotypes and [Set.Code] makes of every locus an indicator column
// for each genotype; a model of that with the [Preset] has the ancestry of the
// individuals, Q, in its W and the genotype frequencies of the populations, G, in
// its H. [CrossEntropy] compares numbers of populations. docs/ancestry.md has the
// definitions.
package ancestry
