// Package audio reads and writes sound: WAV of every PCM width and of floating
// point, and FLAC (read only).
package audio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Sound is a recording.
type Sound struct {
	// Rate is the number of samples a second, of each channel.
	Rate int
	// Channels holds the samples of each channel, all equally many. Full scale
	// is from -1 to 1; only floating point may go beyond.
	Channels [][]float64
	// Encoding is how the file stored the samples.
	Encoding Encoding
}

// Encoding is how samples are stored.
type Encoding struct {
	// Bits a sample: 8, 16, 24 or 32 as integers, 32 or 64 as floats. FLAC has
	// other widths, too; they are written in the next one.
	Bits  int
	Float bool
}

// Len is the number of samples of each channel.
func (s *Sound) Len() int {
	if len(s.Channels) == 0 {
		return 0
	}
	return len(s.Channels[0])
}

// Sentinels, found with errors.Is in what the functions return.
var (
	// ErrFormat: the content is no sound, or a damaged one.
	ErrFormat = errors.New("malformed sound")
	// ErrTruncated: the content ends before what its header promises.
	ErrTruncated = errors.New("file is cut short")
	// ErrUnsupported: a sound of a kind that is not read or written.
	ErrUnsupported = errors.New("not supported")
)

// mostChannels bounds what a header can make us allocate.
const mostChannels = 256

// Read reads a WAV or FLAC file, whichever the content is.
func Read(r io.Reader) (*Sound, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	head, err := in.Peek(12)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case len(head) == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrTruncated)
	case isWAV(head):
		return readWAV(in)
	case bytes.HasPrefix(head, []byte("fLaC")) || bytes.HasPrefix(head, []byte("ID3")):
		return readFLAC(in)
	case bytes.HasPrefix(head, []byte("RIFX")):
		return nil, fmt.Errorf("%w: a WAV file of big-endian numbers (RIFX); convert it to a usual WAV", ErrUnsupported)
	case bytes.HasPrefix(head, []byte("OggS")):
		return nil, fmt.Errorf("%w: an Ogg file; convert it to WAV or FLAC", ErrUnsupported)
	case bytes.HasPrefix(head, []byte("FORM")):
		return nil, fmt.Errorf("%w: an AIFF file; convert it to WAV or FLAC", ErrUnsupported)
	}
	return nil, fmt.Errorf("%w: neither WAV nor FLAC", ErrFormat)
}
