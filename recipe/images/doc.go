// Package images turns pictures into the matrix whose components are parts of
// them: a row an image, a column a pixel (and channel).
//
// [Read] takes folders and files of pictures, or a matrix or array of pixels;
// [Parts] is the preset for sparse parts; [Components] and [Reconstruction]
// give pictures back. docs/images.md says what is done to the pixels.
package images
