package audio

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"

	"github.com/mewkiz/flac"
)

// ReadFLAC reads a FLAC file, and checks it against the sum that it carries.
func ReadFLAC(r io.Reader) (s *Sound, err error) {
	// The decoder is not ours: a forged file must not end the program.
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("%w: damaged FLAC stream: %v", ErrFormat, p)
		}
	}()
	stream, err := flac.New(r)
	if err != nil {
		return nil, flacError(err)
	}
	info := stream.Info
	if info.SampleRate == 0 || info.BitsPerSample == 0 || info.NChannels == 0 {
		return nil, fmt.Errorf("%w: %d channels of %d samples a second with %d bits", ErrFormat, info.NChannels, info.SampleRate, info.BitsPerSample)
	}
	s = &Sound{Rate: int(info.SampleRate), Channels: make([][]float64, info.NChannels)}
	full := 1 / float64(uint64(1)<<(info.BitsPerSample-1))
	sum := md5.New()
	for {
		frame, err := stream.ParseNext()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, flacError(err)
		}
		if len(frame.Subframes) != len(s.Channels) {
			return nil, fmt.Errorf("%w: a frame has %d channels, the file %d", ErrFormat, len(frame.Subframes), len(s.Channels))
		}
		frame.Hash(sum)
		for c, sub := range frame.Subframes {
			for _, v := range sub.Samples {
				s.Channels[c] = append(s.Channels[c], full*float64(v))
			}
		}
	}
	if info.NSamples != 0 && uint64(s.Len()) != info.NSamples {
		return nil, fmt.Errorf("%w: it promises %d samples, %d are there", ErrTruncated, info.NSamples, s.Len())
	}
	if info.MD5sum != [16]byte{} && !bytes.Equal(sum.Sum(nil), info.MD5sum[:]) {
		return nil, fmt.Errorf("%w: the samples have another MD5 sum than the file says", ErrFormat)
	}
	return s, nil
}

func flacError(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: its FLAC stream has no end", ErrTruncated)
	}
	return fmt.Errorf("%w: damaged FLAC stream: %v", ErrFormat, err)
}
