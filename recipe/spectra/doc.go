// Package spectra unmixes spectra: a row of the matrix is a pixel or sample, a
// column a band; a component is an endmember, and its weights are abundances
// that sum to one.
//
// [Read] takes matrices, cubes and ENVI images and prepares them, [Preset] is
// the fit that the field asks for, [Compare] measures against a reference.
// docs/spectra.md says why.
package spectra
