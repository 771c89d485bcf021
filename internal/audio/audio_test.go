package audio

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

	"github.com/partsof/nmf/internal/testdata"
)

func wav(t testing.TB, s *Sound) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := WriteWAV(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is a sound whose samples an integer of the width holds.
func noise(channels, n, bits int) *Sound {
	rng := rand.New(rand.NewPCG(1, uint64(bits)))
	s := &Sound{Rate: 8000, Channels: make([][]float64, channels), Encoding: Encoding{Bits: bits}}
	for c := range s.Channels {
		s.Channels[c] = make([]float64, n)
		for i := range s.Channels[c] {
			full := int64(1) << (bits - 1)
			s.Channels[c][i] = float64(rng.Int64N(2*full)-full) / float64(full)
		}
	}
	return s
}

func same(t *testing.T, what string, got, want *Sound) {
	t.Helper()
	if got.Rate != want.Rate || len(got.Channels) != len(want.Channels) || got.Encoding != want.Encoding {
		t.Fatalf("%s: %d Hz, %d channels, %v; want %d, %d, %v", what, got.Rate, len(got.Channels), got.Encoding, want.Rate, len(want.Channels), want.Encoding)
	}
	for c := range want.Channels {
		if !slices.Equal(got.Channels[c], want.Channels[c]) {
			t.Fatalf("%s: channel %d: %.8v, want %.8v", what, c+1, got.Channels[c], want.Channels[c])
		}
	}
}

// TestWAVRoundTrip: every encoding, channels and length, exact to the bit.
func TestWAVRoundTrip(t *testing.T) {
	for _, e := range []Encoding{{8, false}, {16, false}, {24, false}, {32, false}, {32, true}, {64, true}} {
		for _, channels := range []int{1, 2, 3, 6} {
			for _, n := range []int{0, 1, 3, 70001} {
				bits := e.Bits
				if e.Float {
					bits = 20
				}
				want := noise(channels, n, bits)
				want.Encoding = e
				got, err := Read(bytes.NewReader(wav(t, want)))
				if err != nil {
					t.Fatalf("%v, %d channels, %d samples: %v", e, channels, n, err)
				}
				same(t, "round trip", got, want)
			}
		}
	}
}

func TestWriteWAVRounds(t *testing.T) {
	s := &Sound{Rate: 1000, Encoding: Encoding{Bits: 16}, Channels: [][]float64{{1, 1.5, -1, -1.01, 0.5 / (1 << 15), 1.5 / (1 << 15), math.Pi / 4}}}
	var b bytes.Buffer
	clipped, err := WriteWAV(&b, s)
	if err != nil || clipped != 2 {
		t.Fatalf("%d clipped, %v", clipped, err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{32767, 32767, -32768, -32768, 0, 2, 25736}
	for i, v := range got.Channels[0] {
		if v*(1<<15) != want[i] {
			t.Errorf("sample %d: %v, want %v", i+1, v*(1<<15), want[i])
		}
	}
	odd := &Sound{Rate: 1000, Encoding: Encoding{Bits: 20}, Channels: [][]float64{{0.25}}}
	if got, err := Read(bytes.NewReader(wav(t, odd))); err != nil || got.Encoding.Bits != 24 || got.Channels[0][0] != 0.25 {
		t.Errorf("20 bits: %v, %v", got, err)
	}
}

func TestWriteWAVErrors(t *testing.T) {
	for _, tt := range []struct {
		s    Sound
		says string
	}{
		{Sound{Rate: 8000, Encoding: Encoding{Bits: 16}}, "writing 0 channels"},
		{Sound{Rate: 0, Encoding: Encoding{Bits: 16}, Channels: [][]float64{{0}}}, "sampling rate of 0"},
		{Sound{Rate: 8000, Encoding: Encoding{Bits: 40}, Channels: [][]float64{{0}}}, "writing 40 bits"},
		{Sound{Rate: 8000, Encoding: Encoding{16, true}, Channels: [][]float64{{0}}}, "writing 16 bits"},
		{Sound{Rate: 8000, Encoding: Encoding{Bits: 16}, Channels: [][]float64{{0}, {}}}, "channel 2 has 0 samples"},
		{Sound{Rate: 8000, Encoding: Encoding{Bits: 16}, Channels: [][]float64{{0, math.NaN()}}}, "sample 2 of channel 1 is NaN"},
	} {
		var b bytes.Buffer
		if _, err := WriteWAV(&b, &tt.s); err == nil || !strings.Contains(err.Error(), tt.says) || b.Len() > 0 {
			t.Errorf("%v, want %q", err, tt.says)
		}
	}
}

func TestReadErrors(t *testing.T) {
	whole := wav(t, noise(2, 100, 16))
	with := func(at int, bytes ...byte) []byte {
		b := slices.Clone(whole)
		copy(b[at:], bytes)
		return b
	}
	flac, err := os.ReadFile(filepath.Join("testdata", "tone-16-1.flac"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(flac)
	damaged[len(damaged)-20] ^= 1
	tests := []struct {
		content []byte
		err     error
		says    string
	}{
		{nil, ErrTruncated, "the file is empty"},
		{[]byte("text, not a sound"), ErrFormat, "neither WAV nor FLAC"},
		{[]byte("OggS----------"), ErrUnsupported, "an Ogg file"},
		{[]byte("FORM----AIFF--"), ErrUnsupported, "an AIFF file"},
		{append([]byte("RIFX"), whole[4:]...), ErrUnsupported, "RIFX"},
		{whole[:12], ErrTruncated, "before its format"},
		{whole[:30], ErrTruncated, "within its format"},
		{whole[:36], ErrTruncated, "before its samples"},
		{whole[:50], ErrTruncated, "its samples take 400 bytes, 6 are there"},
		{with(20, 6, 0), ErrUnsupported, "in A-law or mu-law"},
		{with(20, 85, 0), ErrUnsupported, "compressed by method 85"},
		{with(20, 3, 0), ErrUnsupported, "16 bits a sample"},
		{with(20, 0xfe, 0xff), ErrUnsupported, "a format of its own"},
		{with(22, 0, 0), ErrUnsupported, "0 channels"},
		{with(22, 255, 255), ErrUnsupported, "65535 channels"},
		{with(24, 0, 0, 0, 0), ErrFormat, "its sampling rate is 0"},
		{with(32, 5), ErrFormat, "2 channels of 16 bits take 4 bytes, its format says 5"},
		{with(34, 0), ErrUnsupported, "0 bits a sample"},
		{with(12, 'd', 'a', 't', 'a'), ErrFormat, "before its format"},
		{with(12, 'L', 'I', 'S', 'T', 255, 255, 255, 255), ErrTruncated, `within a part of its own ("LIST")`},
		{flac[:20], ErrTruncated, "within its header"},
		{flac[:len(flac)-40], ErrTruncated, ""},
		{damaged, ErrFormat, ""},
	}
	for _, tt := range tests {
		_, err := Read(bytes.NewReader(tt.content))
		if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.30q: %v, want %v, %q", tt.content, err, tt.err, tt.says)
		}
	}
}

// TestReadWAVLayouts reads what other programs write around the samples.
func TestReadWAVLayouts(t *testing.T) {
	want := noise(2, 100, 16)
	whole := wav(t, want)
	list := append([]byte("LIST\x03\x00\x00\x00abc\x00"), whole[12:]...)
	unknown := slices.Clone(whole)
	copy(unknown[40:], "\xff\xff\xff\xff")
	long := append([]byte("RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00"), make([]byte, 28)...)
	binary.LittleEndian.PutUint64(long[28:], 400)
	long = append(long, unknown[12:]...)
	for name, content := range map[string][]byte{
		"a list before":   append(slices.Clone(whole[:12]), list...),
		"a list after":    append(slices.Clone(whole), "LIST\x02\x00\x00\x00ab"...),
		"no size":         unknown,
		"RF64":            long,
		"RF64, a tail":    append(slices.Clone(long), "junk"...),
		"a part of frame": append(slices.Clone(unknown), 1),
	} {
		got, err := Read(bytes.NewReader(content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, name, got, want)
	}
}

// program skips a test where a program is absent.
func program(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("no %s to compare with: %v", name, err)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

func readFile(t *testing.T, path string) *Sound {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := Read(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return s
}

// TestAgainstSox has sox read what we write and write it anew, extensible
// formats among it.
func TestAgainstSox(t *testing.T) {
	program(t, "sox")
	dir := t.TempDir()
	ours, theirs := filepath.Join(dir, "ours.wav"), filepath.Join(dir, "theirs.wav")
	for _, channels := range []int{1, 2, 4} {
		for _, bits := range []int{8, 16, 24, 32} {
			want := noise(channels, 1001, bits)
			if err := os.WriteFile(ours, wav(t, want), 0o644); err != nil {
				t.Fatal(err)
			}
			run(t, "sox", "-D", ours, theirs)
			same(t, "sox", readFile(t, theirs), want)
			run(t, "sox", "-D", ours, "-e", "floating-point", "-b", "64", theirs)
			want.Encoding = Encoding{64, true}
			same(t, "sox, float", readFile(t, theirs), want)
		}
	}
}

// TestFLACAgainstReference decodes with the reference decoder.
func TestFLACAgainstReference(t *testing.T) {
	program(t, "flac")
	files, err := filepath.Glob(filepath.Join("testdata", "*.flac"))
	if err != nil || len(files) != 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	dir := t.TempDir()
	for _, bits := range []int{8, 16, 24} {
		path := filepath.Join(dir, "noise.wav")
		if err := os.WriteFile(path, wav(t, noise(2, 20000, bits)), 0o644); err != nil {
			t.Fatal(err)
		}
		packed := filepath.Join(dir, string(rune('a'+bits))+".flac")
		run(t, "flac", "-s", "-f", "-o", packed, path)
		files = append(files, packed)
	}
	for _, path := range files {
		plain := filepath.Join(dir, "plain.wav")
		run(t, "flac", "-d", "-s", "-f", "-o", plain, path)
		same(t, path, readFile(t, path), readFile(t, plain))
	}
}

func TestReadFLAC(t *testing.T) {
	for bits, name := range map[int]string{8: "tone-8-1.flac", 16: "tone-16-2.flac", 24: "tone-24-2.flac"} {
		s := readFile(t, filepath.Join("testdata", name))
		if s.Rate != 8000 || s.Len() != 300 || s.Encoding != (Encoding{Bits: bits}) {
			t.Fatalf("%s: %d Hz, %d samples, %v", name, s.Rate, s.Len(), s.Encoding)
		}
		for c := range s.Channels {
			frequency := 440 + 220*float64(c)
			for i, v := range s.Channels[c] {
				want := 0.5 * math.Sin(2*math.Pi*frequency*float64(i)/8000)
				if len(s.Channels) == 2 && math.Abs(v-want) > 2.0/float64(int(1)<<(bits-1)) {
					t.Fatalf("%s: channel %d, sample %d: %v, want %v", name, c+1, i+1, v, want)
				}
			}
		}
	}
}

func TestReadShared(t *testing.T) {
	for _, name := range []string{"mixedf1.wav", "musicf1.wav", "speechf1.wav", "seperatedMusic.wav", "seperatedSpeech.wav"} {
		path := testdata.Shared(t, "data/audio-speech-music/"+name)
		s := readFile(t, path)
		if s.Rate != 16000 || len(s.Channels) != 1 || s.Len() < 15*16000 {
			t.Errorf("%s: %d Hz, %d channels, %d samples", name, s.Rate, len(s.Channels), s.Len())
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, e := range []Encoding{{8, false}, {24, false}, {32, true}} {
		for _, channels := range []int{1, 3} {
			s := noise(channels, 5, 8)
			s.Encoding = e
			f.Add(wav(f, s))
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.flac"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := Read(bytes.NewReader(content))
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			return
		}
		if s.Rate <= 0 || len(s.Channels) == 0 {
			t.Fatalf("%d Hz, %d channels", s.Rate, len(s.Channels))
		}
		for _, c := range s.Channels {
			if len(c) != s.Len() {
				t.Fatalf("channels of %d and %d samples", len(c), s.Len())
			}
		}
	})
}
