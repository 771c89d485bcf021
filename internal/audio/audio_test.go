package audio_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"

	"github.com/partsof/nmf/internal/audio"
)

// wav builds a file with the chunks that are given.
func wav(id string, chunks ...[]byte) []byte {
	body := []byte("WAVE")
	for _, c := range chunks {
		body = append(body, c...)
	}
	return append(binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body))), body...)
}

func chunk(id string, content []byte) []byte {
	c := append(binary.LittleEndian.AppendUint32([]byte(id), uint32(len(content))), content...)
	if len(content)%2 == 1 {
		c = append(c, 0)
	}
	return c
}

func format(kind uint16, channels, rate, bytes, bits int, more ...byte) []byte {
	f := binary.LittleEndian.AppendUint16(nil, kind)
	f = binary.LittleEndian.AppendUint16(f, uint16(channels))
	f = binary.LittleEndian.AppendUint32(f, uint32(rate))
	f = binary.LittleEndian.AppendUint32(f, uint32(rate*channels*bytes))
	f = binary.LittleEndian.AppendUint16(f, uint16(channels*bytes))
	f = binary.LittleEndian.AppendUint16(f, uint16(bits))
	return append(f, more...)
}

func extensible(kind uint16, channels, bytes, bits, valid int) []byte {
	more := binary.LittleEndian.AppendUint16(nil, 22)
	more = binary.LittleEndian.AppendUint16(more, uint16(valid))
	more = append(more, 0, 0, 0, 0)
	more = binary.LittleEndian.AppendUint16(more, kind)
	more = append(more, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71)
	return format(0xfffe, channels, 8000, bytes, bits, more...)
}

// pcm writes numbers that full scale has as ±1.
func pcm(bytes int, values ...float64) []byte {
	var out []byte
	for _, v := range values {
		if bytes == 1 {
			out = append(out, byte(int(v*128)+128))
			continue
		}
		n := uint64(int64(v * math.Pow(2, float64(8*bytes-1))))
		for i := range bytes {
			out = append(out, byte(n>>(8*i)))
		}
	}
	return out
}

func floats(bits int, values ...float64) []byte {
	var out []byte
	for _, v := range values {
		if bits == 32 {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(v)))
		} else {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		}
	}
	return out
}

func TestReadWAV(t *testing.T) {
	values := []float64{0, 0.5, -1, -0.25, 0.75, -0.5}
	ds64 := append(binary.LittleEndian.AppendUint64(make([]byte, 8), 12), make([]byte, 12)...)
	unknown := chunk("data", pcm(2, values...))
	binary.LittleEndian.PutUint32(unknown[4:], 0xffffffff)
	for name, file := range map[string][]byte{
		"8":             wav("RIFF", chunk("fmt ", format(1, 2, 8000, 1, 8)), chunk("data", pcm(1, values...))),
		"16":            wav("RIFF", chunk("fmt ", format(1, 2, 8000, 2, 16)), chunk("data", pcm(2, values...))),
		"24":            wav("RIFF", chunk("fmt ", format(1, 2, 8000, 3, 24)), chunk("data", pcm(3, values...))),
		"32":            wav("RIFF", chunk("fmt ", format(1, 2, 8000, 4, 32)), chunk("data", pcm(4, values...))),
		"64":            wav("RIFF", chunk("fmt ", format(1, 2, 8000, 8, 64)), chunk("data", pcm(8, values...))),
		"12 in 16":      wav("RIFF", chunk("fmt ", format(1, 2, 8000, 2, 12)), chunk("data", pcm(2, values...))),
		"float":         wav("RIFF", chunk("fmt ", format(3, 2, 8000, 4, 32)), chunk("data", floats(32, values...))),
		"double":        wav("RIFF", chunk("fmt ", format(3, 2, 8000, 8, 64)), chunk("data", floats(64, values...))),
		"extensible 24": wav("RIFF", chunk("fmt ", extensible(1, 2, 3, 24, 20)), chunk("data", pcm(3, values...))),
		"extensible f":  wav("RIFF", chunk("fmt ", extensible(3, 2, 4, 32, 32)), chunk("data", floats(32, values...))),
		"other chunks":  wav("RIFF", chunk("LIST", []byte("odd")), chunk("fmt ", format(1, 2, 8000, 2, 16, 0, 0)), chunk("fact", make([]byte, 4)), chunk("data", pcm(2, values...)), chunk("LIST", []byte("more"))),
		"size unknown":  wav("RIFF", chunk("fmt ", format(1, 2, 8000, 2, 16)), unknown),
		"RF64":          wav("RF64", chunk("ds64", ds64), chunk("fmt ", format(1, 2, 8000, 2, 16)), unknown, chunk("LIST", []byte("more"))),
	} {
		s, err := audio.ReadWAV(bytes.NewReader(file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Rate != 8000 || len(s.Channels) != 2 || !slices.Equal(s.Channels[0], []float64{0, -1, 0.75}) || !slices.Equal(s.Channels[1], []float64{0.5, -0.25, -0.5}) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestReadWAVErrors(t *testing.T) {
	good := wav("RIFF", chunk("fmt ", format(1, 1, 8000, 2, 16)), chunk("data", pcm(2, 0, 0.5)))
	for name, c := range map[string]struct {
		file []byte
		is   error
		want string
	}{
		"cut":        {good[:len(good)-1], audio.ErrTruncated, "it promises 4 bytes of samples, 3 are there"},
		"head":       {good[:7], audio.ErrTruncated, "header"},
		"fmt":        {good[:30], audio.ErrTruncated, "ends in its header"},
		"no data":    {good[:36], audio.ErrTruncated, "no samples"},
		"not":        {[]byte("RIFF....AVI ...."), audio.ErrFormat, "no WAV file"},
		"before":     {wav("RIFF", chunk("data", nil)), audio.ErrFormat, "come before their format"},
		"mu-law":     {wav("RIFF", chunk("fmt ", format(7, 1, 8000, 1, 8)), chunk("data", nil)), audio.ErrUnsupported, "mu-law"},
		"odd kind":   {wav("RIFF", chunk("fmt ", format(99, 1, 8000, 1, 8))), audio.ErrUnsupported, "kind 0x63"},
		"half":       {wav("RIFF", chunk("fmt ", format(3, 1, 8000, 2, 16))), audio.ErrUnsupported, "floats of 16 bits"},
		"channels":   {wav("RIFF", chunk("fmt ", format(1, 0, 8000, 2, 16))), audio.ErrFormat, "0 channels"},
		"rate":       {wav("RIFF", chunk("fmt ", format(1, 1, 0, 2, 16))), audio.ErrFormat, "0 samples a second"},
		"bits":       {wav("RIFF", chunk("fmt ", format(1, 1, 8000, 2, 24))), audio.ErrFormat, "24 bits"},
		"wide":       {wav("RIFF", chunk("fmt ", format(1, 1, 8000, 9, 72))), audio.ErrFormat, "72 bits"},
		"short fmt":  {wav("RIFF", chunk("fmt ", make([]byte, 8))), audio.ErrFormat, "8 bytes"},
		"large fmt":  {wav("RIFF", chunk("fmt ", make([]byte, 1<<17))), audio.ErrFormat, "header of"},
		"extensible": {wav("RIFF", chunk("fmt ", format(0xfffe, 1, 8000, 2, 16))), audio.ErrFormat, "extensible"},
		"ds64":       {wav("RF64", chunk("ds64", make([]byte, 4))), audio.ErrFormat, "ds64"},
	} {
		_, err := audio.ReadWAV(bytes.NewReader(c.file))
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func random(rate, channels, n int, seed uint64) *audio.Sound {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &audio.Sound{Rate: rate, Channels: make([][]float64, channels)}
	for c := range s.Channels {
		for range n {
			s.Channels[c] = append(s.Channels[c], float64(float32(2*r.Float64()-1)))
		}
	}
	return s
}

func TestWriteWAV(t *testing.T) {
	want := random(44100, 3, 1000, 1)
	want.Channels[0][0] = 7 // does not clip
	var b bytes.Buffer
	if err := audio.WriteWAV(&b, want); err != nil {
		t.Fatal(err)
	}
	if size := binary.LittleEndian.Uint32(b.Bytes()[4:]); int(size) != b.Len()-8 {
		t.Errorf("the file says that it has %d bytes after its first 8, and has %d", size, b.Len()-8)
	}
	got, err := audio.ReadWAV(&b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rate != 44100 || len(got.Channels) != 3 {
		t.Fatalf("%d channels at %d", len(got.Channels), got.Rate)
	}
	for c := range want.Channels {
		if !slices.Equal(got.Channels[c], want.Channels[c]) {
			t.Errorf("channel %d came back changed", c)
		}
	}
	if err := audio.WriteWAV(&b, &audio.Sound{Rate: 1}); !errors.Is(err, audio.ErrUnsupported) {
		t.Error(err)
	}
}

// encode makes a FLAC file of samples of 16 bits.
func encode(t testing.TB, s *audio.Sound) []byte {
	t.Helper()
	const block = 512
	var b bytes.Buffer
	e, err := flac.NewEncoder(&b, &meta.StreamInfo{BlockSizeMin: block, BlockSizeMax: block, SampleRate: uint32(s.Rate), NChannels: uint8(len(s.Channels)), BitsPerSample: 16, NSamples: uint64(s.Len())})
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < s.Len(); at += block {
		n := min(block, s.Len()-at)
		f := &frame.Frame{Header: frame.Header{BlockSize: uint16(n), SampleRate: uint32(s.Rate), Channels: frame.ChannelsLR, BitsPerSample: 16}}
		for _, c := range s.Channels {
			sub := &frame.Subframe{SubHeader: frame.SubHeader{Pred: frame.PredVerbatim}, NSamples: n}
			for _, v := range c[at : at+n] {
				sub.Samples = append(sub.Samples, int32(math.Round(v*32767)))
			}
			f.Subframes = append(f.Subframes, sub)
		}
		if err := e.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadFLAC(t *testing.T) {
	want := random(16000, 2, 1300, 3)
	file := encode(t, want)
	path := filepath.Join(t.TempDir(), "x.flac")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := audio.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rate != 16000 || len(got.Channels) != 2 || got.Len() != 1300 {
		t.Fatalf("%d channels of %d at %d", len(got.Channels), got.Len(), got.Rate)
	}
	for c := range want.Channels {
		for i, v := range want.Channels[c] {
			if got.Channels[c][i] != math.Round(v*32767)/32768 {
				t.Fatalf("channel %d, sample %d: %v for %v", c, i, got.Channels[c][i], v)
			}
		}
	}
	for _, n := range []int{1, 10, 100} {
		if _, err := audio.ReadFLAC(bytes.NewReader(file[:len(file)-n])); !errors.Is(err, audio.ErrTruncated) && !errors.Is(err, audio.ErrFormat) {
			t.Errorf("%d bytes cut off: %v", n, err)
		}
	}
}

// TestAgainstFlac reads what the reference encoder writes.
func TestAgainstFlac(t *testing.T) {
	if _, err := exec.LookPath("flac"); err != nil {
		t.Skip("the program flac is absent")
	}
	want := random(22050, 2, 5000, 4)
	for c := range want.Channels {
		for i := range want.Channels[c] {
			want.Channels[c][i] = math.Round(30000*math.Sin(float64(i)/(20+float64(c)))) / 32768
		}
	}
	var values []float64
	for i := range want.Len() {
		values = append(values, want.Channels[0][i], want.Channels[1][i])
	}
	dir := t.TempDir()
	in := filepath.Join(dir, "x.wav")
	if err := os.WriteFile(in, wav("RIFF", chunk("fmt ", format(1, 2, 22050, 2, 16)), chunk("data", pcm(2, values...))), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("flac", "-s", "-8", in).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := audio.Read(filepath.Join(dir, "x.flac"))
	if err != nil {
		t.Fatal(err)
	}
	for c := range want.Channels {
		if !slices.Equal(got.Channels[c], want.Channels[c]) {
			t.Errorf("channel %d differs", c)
		}
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "mp3": "ID3 and so on", "tiny": "RI"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := audio.Read(path); !errors.Is(err, audio.ErrTruncated) && !errors.Is(err, audio.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := audio.Read(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(wav("RIFF", chunk("fmt ", format(1, 2, 8000, 2, 16)), chunk("data", pcm(2, 0, 0.5))))
	f.Add(wav("RIFF", chunk("fmt ", extensible(3, 1, 4, 32, 32)), chunk("data", floats(32, 1))))
	f.Add(wav("RF64", chunk("ds64", make([]byte, 28)), chunk("fmt ", format(1, 1, 8000, 3, 24)), chunk("data", nil)))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := audio.ReadWAV(bytes.NewReader(file))
		if err != nil {
			return
		}
		for _, c := range s.Channels {
			if len(c) != s.Len() || len(c) > len(file) {
				t.Fatalf("%d samples of %d bytes", len(c), len(file))
			}
		}
	})
}

func FuzzFLAC(f *testing.F) {
	f.Add(encode(f, random(8000, 2, 600, 1)))
	f.Add([]byte("fLaC"))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := audio.ReadFLAC(bytes.NewReader(file))
		if err == nil && len(s.Channels) == 0 {
			t.Fatal("a sound without channels")
		}
	})
}
