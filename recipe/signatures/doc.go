// Package signatures turns catalogues of mutations into mutational signatures: a
// row of the matrix is a sample (a tumour, a culture), a column one of the 96
// classes of single-base substitutions, and a component is a signature.
//
// [Read] takes the usual tables and puts the channels in order; [Preset] is the
// fit that the field uses, which is Poisson's; [Resample] says how stable the
// signatures are; [Compare] names them after those of a reference, and [Refit]
// and [Attribute] take the weights of known signatures. docs/signatures.md says
// what is read and how.
package signatures
