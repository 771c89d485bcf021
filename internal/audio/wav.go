package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// Format tags of a WAV file (Microsoft, "Multiple channel audio data and WAVE
// files").
const (
	tagPCM        = 1
	tagFloat      = 3
	tagALaw       = 6
	tagMuLaw      = 7
	tagExtensible = 0xfffe
)

// unknownSize is what programs write that do not know the size yet.
const unknownSize = math.MaxUint32

// subFormat is the end of the GUID that follows the tag in an extensible format.
var subFormat = []byte{0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}

func isWAV(head []byte) bool {
	return len(head) >= 12 && (string(head[:4]) == "RIFF" || string(head[:4]) == "RF64") && string(head[8:12]) == "WAVE"
}

// wavFormat is what the fmt chunk says.
type wavFormat struct {
	tag, channels, bits int
	rate                int
	frame               int // bytes a sample of all channels
}

// bytes is the number of bytes that a sample takes.
func (f *wavFormat) bytes() int { return (f.bits + 7) / 8 }

// readWAV reads a WAV file, chunk by chunk, up to its samples.
func readWAV(r *bufio.Reader) (*Sound, error) {
	if _, err := r.Discard(12); err != nil {
		return nil, cutShort(err, "within its header")
	}
	var f *wavFormat
	long := int64(-1) // the size of the samples in a file beyond 4 GiB
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err == io.EOF && f == nil {
			return nil, fmt.Errorf("%w: it ends before its format (fmt)", ErrTruncated)
		} else if err != nil {
			return nil, cutShort(noEOF(err), "before its samples (data)")
		}
		name, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		switch name {
		case "fmt ", "ds64":
			const most = 1 << 16
			if size > most {
				return nil, fmt.Errorf("%w: its %s takes %d bytes", ErrFormat, name, size)
			}
			content := make([]byte, size+size%2)
			if _, err := io.ReadFull(r, content); err != nil {
				return nil, cutShort(noEOF(err), "within its format")
			}
			if name == "ds64" {
				if size >= 16 {
					long = int64(binary.LittleEndian.Uint64(content[8:]))
				}
				continue
			}
			var err error
			if f, err = parseFormat(content[:size]); err != nil {
				return nil, err
			}
		case "data":
			if f == nil {
				return nil, fmt.Errorf("%w: its samples come before its format (fmt)", ErrFormat)
			}
			if size == unknownSize {
				size = long // -1 where that is not known either: up to the end
			}
			return f.samples(r, size)
		default:
			if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
				return nil, cutShort(noEOF(err), fmt.Sprintf("within a part of its own (%q)", name))
			}
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cutShort makes the end of the input what it is.
func cutShort(err error, where string) error {
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return fmt.Errorf("%w: it ends %s", ErrTruncated, where)
	}
	return err
}

// parseFormat understands the fmt chunk.
func parseFormat(b []byte) (*wavFormat, error) {
	const plain, extensible = 16, 40
	if len(b) < plain {
		return nil, fmt.Errorf("%w: its format takes %d bytes, %d at least are needed", ErrFormat, len(b), plain)
	}
	little := binary.LittleEndian
	f := &wavFormat{
		tag: int(little.Uint16(b)), channels: int(little.Uint16(b[2:])), rate: int(little.Uint32(b[4:])),
		frame: int(little.Uint16(b[12:])), bits: int(little.Uint16(b[14:])),
	}
	if f.tag == tagExtensible {
		if len(b) < extensible || !bytes.Equal(b[26:40], subFormat) {
			return nil, fmt.Errorf("%w: a WAV file of a format of its own", ErrUnsupported)
		}
		f.tag = int(little.Uint16(b[24:]))
	}
	switch {
	case f.tag == tagALaw || f.tag == tagMuLaw:
		return nil, fmt.Errorf("%w: a WAV file in A-law or mu-law; convert it to PCM", ErrUnsupported)
	case f.tag != tagPCM && f.tag != tagFloat:
		return nil, fmt.Errorf("%w: a WAV file compressed by method %d; convert it to PCM", ErrUnsupported, f.tag)
	case f.tag == tagFloat && f.bits != 32 && f.bits != 64 || f.tag == tagPCM && (f.bits < 1 || f.bits > 32):
		return nil, fmt.Errorf("%w: a WAV file of %d bits a sample", ErrUnsupported, f.bits)
	case f.channels < 1 || f.channels > mostChannels:
		return nil, fmt.Errorf("%w: a WAV file of %d channels", ErrUnsupported, f.channels)
	case f.rate < 1:
		return nil, fmt.Errorf("%w: its sampling rate is %d", ErrFormat, f.rate)
	case f.frame != f.channels*f.bytes():
		return nil, fmt.Errorf("%w: %s of %d bits take %d bytes, its format says %d", ErrFormat, channelsText(f.channels), f.bits, f.channels*f.bytes(), f.frame)
	}
	return f, nil
}

func channelsText(n int) string {
	if n == 1 {
		return "1 channel"
	}
	return fmt.Sprintf("%d channels", n)
}

// samples reads size bytes of samples, all there are where size is negative.
func (f *wavFormat) samples(r io.Reader, size int64) (*Sound, error) {
	s := &Sound{Rate: f.rate, Channels: make([][]float64, f.channels), Encoding: Encoding{8 * f.bytes(), f.tag == tagFloat}}
	for c := range s.Channels {
		s.Channels[c] = []float64{}
	}
	block := make([]byte, max(1, (1<<16)/f.frame)*f.frame)
	for left := size; left != 0; {
		want := block
		if left > 0 {
			want = block[:min(int64(len(block)), left)]
		}
		n, err := io.ReadFull(r, want)
		if left > 0 {
			left -= int64(n)
		}
		f.append(s, want[:n-n%f.frame])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			if size < 0 {
				break
			}
			return nil, fmt.Errorf("%w: its samples take %d bytes, %d are there", ErrTruncated, size, size-left)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// append decodes samples of all channels in turn.
func (f *wavFormat) append(s *Sound, b []byte) {
	little := binary.LittleEndian
	width := f.bytes()
	decode := func(b []byte) float64 { return 0 }
	switch {
	case f.tag == tagFloat && width == 4:
		decode = func(b []byte) float64 { return float64(math.Float32frombits(little.Uint32(b))) }
	case f.tag == tagFloat:
		decode = func(b []byte) float64 { return math.Float64frombits(little.Uint64(b)) }
	case width == 1:
		decode = func(b []byte) float64 { return (float64(b[0]) - 1<<7) / (1 << 7) }
	case width == 2:
		decode = func(b []byte) float64 { return float64(int16(little.Uint16(b))) / (1 << 15) }
	case width == 3:
		decode = func(b []byte) float64 {
			return float64(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)>>8) / (1 << 23)
		}
	case width == 4:
		decode = func(b []byte) float64 { return float64(int32(little.Uint32(b))) / (1 << 31) }
	}
	for c := range s.Channels {
		list := slices.Grow(s.Channels[c], len(b)/f.frame)
		for at := c * width; at < len(b); at += f.frame {
			list = append(list, decode(b[at:]))
		}
		s.Channels[c] = list
	}
}

// WriteWAV writes a sound in its encoding, FLAC's odd widths in the next whole
// byte. Integers are rounded to the nearest; what is beyond full scale is cut
// off there, and clipped gives how many samples were.
func WriteWAV(w io.Writer, s *Sound) (clipped int, err error) {
	f, err := s.wavFormat()
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	size := s.Len() * f.frame
	if _, err := out.Write(f.header(size, s.Len())); err != nil {
		return 0, err
	}
	var b []byte
	for i := range s.Len() {
		b = b[:0]
		for _, channel := range s.Channels {
			var cut bool
			b, cut = f.encode(b, channel[i])
			if cut {
				clipped++
			}
		}
		if _, err := out.Write(b); err != nil {
			return clipped, err
		}
	}
	if size%2 == 1 {
		if err := out.WriteByte(0); err != nil {
			return clipped, err
		}
	}
	return clipped, out.Flush()
}

// wavFormat is the format of a sound, checked.
func (s *Sound) wavFormat() (*wavFormat, error) {
	f := &wavFormat{tag: tagPCM, channels: len(s.Channels), rate: s.Rate, bits: 8 * ((s.Encoding.Bits + 7) / 8)}
	widths := []int{8, 16, 24, 32}
	if s.Encoding.Float {
		f.tag, widths = tagFloat, []int{32, 64}
	}
	switch {
	case !slices.Contains(widths, f.bits):
		return nil, fmt.Errorf("%w: writing %d bits a sample", ErrUnsupported, s.Encoding.Bits)
	case f.channels < 1 || f.channels > mostChannels:
		return nil, fmt.Errorf("%w: writing %s", ErrUnsupported, channelsText(f.channels))
	case f.rate < 1 || f.rate > math.MaxInt32:
		return nil, fmt.Errorf("%w: writing at a sampling rate of %d", ErrUnsupported, f.rate)
	}
	for c, channel := range s.Channels {
		if len(channel) != s.Len() {
			return nil, fmt.Errorf("%w: channel %d has %d samples, the first one %d", ErrFormat, c+1, len(channel), s.Len())
		}
		for i, v := range channel {
			if v-v != 0 {
				return nil, fmt.Errorf("%w: sample %d of channel %d is %v", ErrFormat, i+1, c+1, v)
			}
		}
	}
	f.frame = f.channels * f.bytes()
	const most = math.MaxUint32 - 1<<10
	if s.Len() > most/f.frame {
		return nil, fmt.Errorf("%w: a WAV file holds 4 GiB, this sound takes %d bytes", ErrUnsupported, s.Len()*f.frame)
	}
	return f, nil
}

// header gives all that stands before the samples. More than two channels call
// for an extensible format; many programs read no other for one or two.
func (f *wavFormat) header(size, samples int) []byte {
	little := binary.LittleEndian
	tag, extra := f.tag, 0
	if f.channels > 2 {
		tag, extra = tagExtensible, 24
	}
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt ")
	b = little.AppendUint32(b, uint32(16+extra))
	b = little.AppendUint16(b, uint16(tag))
	b = little.AppendUint16(b, uint16(f.channels))
	b = little.AppendUint32(b, uint32(f.rate))
	b = little.AppendUint32(b, uint32(min(f.rate*f.frame, math.MaxUint32)))
	b = little.AppendUint16(b, uint16(f.frame))
	b = little.AppendUint16(b, uint16(f.bits))
	if extra > 0 {
		b = little.AppendUint16(b, 22)
		b = little.AppendUint16(b, uint16(f.bits))
		b = little.AppendUint32(b, 0) // no channel is bound to a place
		b = little.AppendUint16(b, uint16(f.tag))
		b = append(b, subFormat...)
	}
	if f.tag == tagFloat {
		b = append(b, "fact"...)
		b = little.AppendUint32(b, 4)
		b = little.AppendUint32(b, uint32(samples))
	}
	b = append(b, "data"...)
	b = little.AppendUint32(b, uint32(size))
	little.PutUint32(b[4:], uint32(len(b)-8+size+size%2))
	return b
}

// encode appends a sample.
func (f *wavFormat) encode(b []byte, v float64) (out []byte, cut bool) {
	little := binary.LittleEndian
	if f.tag == tagFloat {
		if f.bits == 32 {
			return little.AppendUint32(b, math.Float32bits(float32(v))), false
		}
		return little.AppendUint64(b, math.Float64bits(v)), false
	}
	full := float64(int64(1) << (f.bits - 1))
	scaled := math.RoundToEven(v * full)
	held := min(max(scaled, -full), full-1)
	n := int64(held)
	// Full scale itself, 1, is one above the largest integer: no loss to speak of.
	cut = held != scaled && scaled != full
	switch f.bits {
	case 8:
		return append(b, byte(n+1<<7)), cut
	case 16:
		return little.AppendUint16(b, uint16(n)), cut
	case 24:
		return append(b, byte(n), byte(n>>8), byte(n>>16)), cut
	}
	return little.AppendUint32(b, uint32(n)), cut
}
