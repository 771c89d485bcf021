// Package audio turns sound into a matrix whose components are notes, drums or
// speakers' sounds: a row is a moment, a column a frequency, a cell the magnitude
// or power of the short-time Fourier transform.
//
// [Read] takes WAV and FLAC files; [Preset] is the fit that the field uses;
// [Separate] gives every component back as sound, so that all of them add up to
// the recording, and [Onsets] says when components begin. docs/audio.md says how.
package audio
