// Package audio reads and writes sound: WAV files of all PCM and float kinds,
// and FLAC files, which are read alone.
package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Sound is a recording: samples by channel, full scale from -1 to 1.
type Sound struct {
	Rate     int
	Channels [][]float64
}

// Len is the number of samples of a channel.
func (s *Sound) Len() int {
	if len(s.Channels) == 0 {
		return 0
	}
	return len(s.Channels[0])
}

// Seconds is how long it takes.
func (s *Sound) Seconds() float64 { return float64(s.Len()) / float64(s.Rate) }

// Sentinels, found with errors.Is in what readers return.
var (
	// ErrFormat: not of the format, or against its rules.
	ErrFormat = errors.New("not valid")
	// ErrTruncated: the file ends before what it promises.
	ErrTruncated = errors.New("is cut short")
	// ErrUnsupported: valid, of a kind that is not read.
	ErrUnsupported = errors.New("not supported")
)

const (
	pcm        = 1
	ieeeFloat  = 3
	extensible = 0xfffe
	// unknownSize is what programs write that cannot go back to the header.
	unknownSize  = 0xffffffff
	mostChannels = 256
)

// encodings names some kinds of WAV that are not read.
var encodings = map[uint16]string{2: "ADPCM", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x31: "GSM", 0x55: "MP3", 0xff: "AAC"}

// subformat is what follows the kind in an extensible header (Microsoft's
// KSDATAFORMAT_SUBTYPE).
var subformat = []byte{0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}

// layout is how samples lie in a WAV file.
type layout struct {
	float           bool
	channels, bytes int
	rate            int
}

// ReadWAV reads a WAV file (RIFF or RF64): PCM of 8 to 64 bits, floats of 32 and
// 64 bits, also with an extensible header.
func ReadWAV(r io.Reader) (*Sound, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	var head [12]byte
	if _, err := io.ReadFull(b, head[:]); err != nil {
		return nil, short(err, "its header has 12 bytes")
	}
	if id := string(head[:4]); id != "RIFF" && id != "RF64" || string(head[8:]) != "WAVE" {
		return nil, fmt.Errorf("%w: it is no WAV file", ErrFormat)
	}
	var l *layout
	large := uint64(unknownSize)
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(b, chunk[:]); err == io.EOF {
			return nil, fmt.Errorf("%w: it has no samples (no data chunk)", ErrTruncated)
		} else if err != nil {
			return nil, short(err, "it ends in the head of a chunk")
		}
		size := uint64(binary.LittleEndian.Uint32(chunk[4:]))
		switch string(chunk[:4]) {
		case "ds64":
			head, err := take(b, size)
			if err != nil {
				return nil, err
			}
			if len(head) < 16 {
				return nil, fmt.Errorf("%w: its ds64 chunk has %d bytes", ErrFormat, len(head))
			}
			large = binary.LittleEndian.Uint64(head[8:])
		case "fmt ":
			head, err := take(b, size)
			if err != nil {
				return nil, err
			}
			if l, err = parseLayout(head); err != nil {
				return nil, err
			}
		case "data":
			if l == nil {
				return nil, fmt.Errorf("%w: its samples come before their format", ErrFormat)
			}
			if size == unknownSize {
				size = large
			}
			return l.samples(b, size)
		default:
			if _, err := io.CopyN(io.Discard, b, int64(size+size%2)); err != nil {
				return nil, short(err, "a chunk promises more bytes than are there")
			}
		}
	}
}

// short tells a file that ends from one that cannot be read.
func short(err error, what string) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %s", ErrTruncated, what)
	}
	return err
}

// take reads a small chunk.
func take(r io.Reader, size uint64) ([]byte, error) {
	if size > 1<<16 {
		return nil, fmt.Errorf("%w: a header of %d bytes", ErrFormat, size)
	}
	buf := make([]byte, size+size%2)
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, short(err, "it ends in its header")
	}
	return buf[:size], nil
}

func parseLayout(head []byte) (*layout, error) {
	if len(head) < 16 {
		return nil, fmt.Errorf("%w: its format chunk has %d bytes", ErrFormat, len(head))
	}
	u16 := func(at int) uint16 { return binary.LittleEndian.Uint16(head[at:]) }
	kind := u16(0)
	rate := binary.LittleEndian.Uint32(head[4:])
	l := &layout{channels: int(u16(2)), rate: int(rate)}
	align, bits := int(u16(12)), int(u16(14))
	if kind == extensible {
		if len(head) < 40 || !bytes.Equal(head[26:40], subformat) {
			return nil, fmt.Errorf("%w: its extensible format names no kind of samples", ErrFormat)
		}
		kind = u16(24)
	}
	if l.channels < 1 || l.channels > mostChannels || rate < 1 || rate > 1<<30 {
		return nil, fmt.Errorf("%w: %d channels of %d samples a second", ErrFormat, l.channels, rate)
	}
	l.bytes = align / l.channels
	if align%l.channels != 0 || l.bytes < 1 || l.bytes > 8 || bits > 8*l.bytes || bits <= 8*(l.bytes-1) {
		return nil, fmt.Errorf("%w: samples of %d bits, %d channels in %d bytes", ErrFormat, bits, l.channels, align)
	}
	switch kind {
	case pcm:
	case ieeeFloat:
		l.float = true
		if l.bytes != 4 && l.bytes != 8 {
			return nil, fmt.Errorf("%w: floats of %d bits", ErrUnsupported, bits)
		}
	default:
		name := encodings[kind]
		if name == "" {
			name = fmt.Sprintf("kind %#x", kind)
		}
		return nil, fmt.Errorf("%w: a WAV file of %s; convert it to PCM or flac first", ErrUnsupported, name)
	}
	return l, nil
}

// samples reads size bytes of samples, or all that follow where the size is not
// known.
func (l *layout) samples(r io.Reader, size uint64) (*Sound, error) {
	s := &Sound{Rate: l.rate, Channels: make([][]float64, l.channels)}
	frame := l.bytes * l.channels
	buf := make([]byte, frame*max(1, (64<<10)/frame))
	left := size
	for size == unknownSize || left > 0 {
		want := uint64(len(buf))
		if size != unknownSize {
			want = min(want, left)
		}
		n, err := io.ReadFull(r, buf[:want])
		left -= uint64(n)
		for at := 0; at+frame <= n; at += frame {
			for c := range s.Channels {
				s.Channels[c] = append(s.Channels[c], l.decode(buf[at+c*l.bytes:]))
			}
		}
		switch {
		case err == nil:
		case (err == io.EOF || err == io.ErrUnexpectedEOF) && size == unknownSize:
			return s, nil
		default:
			return nil, short(err, fmt.Sprintf("it promises %d bytes of samples, %d are there", size, size-left))
		}
	}
	return s, nil
}

// decode turns the first sample in b into a number; full scale is 1.
func (l *layout) decode(b []byte) float64 {
	switch {
	case l.float && l.bytes == 4:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case l.float:
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	case l.bytes == 1: // unsigned
		return (float64(b[0]) - 128) / 128
	}
	var v uint64
	for i := range l.bytes {
		v |= uint64(b[i]) << (8 * i)
	}
	shift := 64 - 8*l.bytes
	return float64(int64(v<<shift)) / (1 << 63)
}

// WriteWAV writes a WAV file of 32-bit floats, which neither clip nor round
// audibly.
func WriteWAV(w io.Writer, s *Sound) error {
	channels := len(s.Channels)
	frame := 4 * channels
	size := uint64(s.Len()) * uint64(frame)
	if channels == 0 || size > math.MaxUint32-64 {
		return fmt.Errorf("%w: a WAV file of %d channels and %d bytes", ErrUnsupported, channels, size)
	}
	var head bytes.Buffer
	put := func(v any) { _ = binary.Write(&head, binary.LittleEndian, v) } // a Buffer does not fail
	head.WriteString("RIFF")
	put(uint32(4 + 8 + 18 + 8 + 4 + 8 + size))
	head.WriteString("WAVEfmt ")
	put(uint32(18))
	put([]uint16{ieeeFloat, uint16(channels)})
	put([]uint32{uint32(s.Rate), uint32(s.Rate * frame)})
	put([]uint16{uint16(frame), 32, 0})
	head.WriteString("fact")
	put([]uint32{4, uint32(s.Len())})
	head.WriteString("data")
	put(uint32(size))
	b := bufio.NewWriterSize(w, 64<<10)
	if _, err := b.Write(head.Bytes()); err != nil {
		return err
	}
	var sample [4]byte
	for i := range s.Len() {
		for _, c := range s.Channels {
			binary.LittleEndian.PutUint32(sample[:], math.Float32bits(float32(c[i])))
			if _, err := b.Write(sample[:]); err != nil {
				return err
			}
		}
	}
	return b.Flush()
}
