package audio

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io"

	"github.com/mewkiz/flac"
)

// readFLAC reads a FLAC stream and checks it against the checksum in its header.
func readFLAC(r io.Reader) (s *Sound, err error) {
	// The library panics at some streams that are damaged.
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("%w: a damaged FLAC stream: %v", ErrFormat, p)
		}
	}()
	stream, err := flac.New(r)
	if err != nil {
		return nil, flacError(err, "within its header")
	}
	info := stream.Info
	if info.SampleRate == 0 || info.NChannels == 0 || info.BitsPerSample == 0 {
		return nil, fmt.Errorf("%w: its FLAC header says %d Hz, %d channels, %d bits", ErrFormat, info.SampleRate, info.NChannels, info.BitsPerSample)
	}
	s = &Sound{Rate: int(info.SampleRate), Channels: make([][]float64, info.NChannels), Encoding: Encoding{Bits: int(info.BitsPerSample)}}
	for c := range s.Channels {
		s.Channels[c] = []float64{}
	}
	full := float64(int64(1) << (info.BitsPerSample - 1))
	sum := md5.New()
	for {
		frame, err := stream.ParseNext()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, flacError(err, fmt.Sprintf("after %d samples", s.Len()))
		}
		if len(frame.Subframes) != len(s.Channels) {
			return nil, fmt.Errorf("%w: a FLAC frame has %s, the header %d", ErrFormat, channelsText(len(frame.Subframes)), len(s.Channels))
		}
		if bits := int(frame.BitsPerSample); bits != 0 && bits != int(info.BitsPerSample) {
			return nil, fmt.Errorf("%w: a FLAC frame has %d bits a sample, the header %d", ErrUnsupported, bits, info.BitsPerSample)
		}
		frame.BitsPerSample = info.BitsPerSample
		frame.Hash(sum)
		for c, sub := range frame.Subframes {
			if len(sub.Samples) != len(frame.Subframes[0].Samples) {
				return nil, fmt.Errorf("%w: the channels of a FLAC frame differ in length", ErrFormat)
			}
			for _, v := range sub.Samples {
				s.Channels[c] = append(s.Channels[c], float64(v)/full)
			}
		}
	}
	switch want := info.NSamples; {
	case want > uint64(s.Len()):
		return nil, fmt.Errorf("%w: its header promises %d samples, %d are there", ErrTruncated, want, s.Len())
	case want != 0 && want < uint64(s.Len()):
		return nil, fmt.Errorf("%w: its header promises %d samples, %d are there", ErrFormat, want, s.Len())
	case info.MD5sum != [md5.Size]byte{} && info.MD5sum != [md5.Size]byte(sum.Sum(nil)):
		return nil, fmt.Errorf("%w: the FLAC stream does not have the checksum in its header", ErrFormat)
	}
	return s, nil
}

func flacError(err error, where string) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ends %s", ErrTruncated, where)
	}
	return fmt.Errorf("%w: a damaged FLAC stream, %s: %v", ErrFormat, where, err)
}
