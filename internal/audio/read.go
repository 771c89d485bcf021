package audio

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// Read reads a WAV or FLAC file, which its first bytes tell apart.
func Read(path string) (*Sound, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := bufio.NewReader(f)
	head, err := b.Peek(12)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case len(head) == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrTruncated)
	case len(head) >= 4 && string(head[:4]) == "fLaC":
		return ReadFLAC(b)
	case len(head) >= 4 && (string(head[:4]) == "RIFF" || string(head[:4]) == "RF64"):
		return ReadWAV(b)
	}
	return nil, fmt.Errorf("%w: neither a WAV nor a FLAC file; convert it first", ErrUnsupported)
}
