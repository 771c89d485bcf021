package audio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	sound "github.com/partsof/nmf/internal/audio"
	"github.com/partsof/nmf/internal/bsseval"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
	"github.com/partsof/nmf/recipe/audio"
)

func noise(rate, channels, n int, seed uint64) *sound.Sound {
	r := rand.New(rand.NewPCG(seed, 3))
	s := &sound.Sound{Rate: rate, Channels: make([][]float64, channels)}
	for c := range s.Channels {
		for range n {
			s.Channels[c] = append(s.Channels[c], 0.3*r.NormFloat64())
		}
	}
	return s
}

// TestRoundTrip takes sound apart and puts it together, to 1e-12.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		window       string
		size, hop, n int
	}{
		{"hann", 64, 16, 1000}, {"hann", 64, 8, 64}, {"hann", 60, 20, 777}, {"hamming", 64, 16, 999}, {"blackman", 64, 8, 500}, {"sine", 64, 32, 1001}, {"sine", 64, 16, 130}, {"hann", 2048, 512, 5000},
	} {
		tr, err := audio.NewTransform(c.window, c.size, c.hop)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		x := noise(8000, 1, c.n, 5).Channels[0]
		y := make([]float64, c.n)
		samples := make([]float64, c.size)
		for f := range tr.Frames(c.n) {
			tr.Inverse(tr.Forward(x, f, samples, nil), f, samples, y)
		}
		for i := range x {
			if math.Abs(x[i]-y[i]) > 1e-12 {
				t.Errorf("%+v: sample %d is %v, and was %v", c, i, y[i], x[i])
				break
			}
		}
	}
}

// TestForward compares with the transform's definition.
func TestForward(t *testing.T) {
	tr, err := audio.NewTransform("hann", 16, 4)
	if err != nil {
		t.Fatal(err)
	}
	x := noise(8000, 1, 50, 6).Channels[0]
	for f := range tr.Frames(50) {
		got := tr.Forward(x, f, make([]float64, 16), nil)
		for j := range tr.Bins() {
			want := complex(0, 0)
			for i := range 16 {
				if at := f*4 - 12 + i; at >= 0 && at < 50 {
					v := x[at] * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/16))
					want += complex(v*math.Cos(2*math.Pi*float64(i*j)/16), -v*math.Sin(2*math.Pi*float64(i*j)/16))
				}
			}
			if d := got[j] - want; math.Hypot(real(d), imag(d)) > 1e-12 {
				t.Fatalf("frame %d, bin %d: %v, want %v", f, j, got[j], want)
			}
		}
	}
	if tr.Time(3, 8000) != 8.0/8000 || tr.Frequency(2, 8000) != 1000 {
		t.Errorf("frame 3 is at %v s, bin 2 at %v Hz", tr.Time(3, 8000), tr.Frequency(2, 8000))
	}
}

func TestTransformErrors(t *testing.T) {
	for _, c := range []struct {
		window    string
		size, hop int
		want      string
	}{
		{"hann", 64, 32, "do not add up to a constant"}, {"hann", 64, 64, "do not add up"}, {"sine", 64, 48, "do not add up"}, {"box", 64, 16, `window "box" is unknown`},
		{"hann", 63, 16, "even number"}, {"hann", 0, 1, "even number"}, {"hann", 1 << 21, 1, "even number"}, {"hann", 64, 65, "a hop of 65"}, {"hann", 64, -1, "a hop of -1"},
	} {
		if _, err := audio.NewTransform(c.window, c.size, c.hop); !errors.Is(err, recipe.ErrOption) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func write(t *testing.T, name string, s *sound.Sound) string {
	t.Helper()
	var b bytes.Buffer
	s.Encoding = sound.Encoding{Bits: 32, Float: true}
	if _, err := sound.WriteWAV(&b, s); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	a, b := write(t, "a.wav", noise(8000, 2, 3000, 1)), write(t, "b.wav", noise(8000, 1, 2000, 2))
	r, err := audio.Read[float64]([]string{a, b}, &audio.Options{Size: 256})
	if err != nil {
		t.Fatal(err)
	}
	x := r.X.(*matrix.Dense[float64])
	frames := []int{(3000 + 192 + 63) / 64, (2000 + 192 + 63) / 64}
	if x.Rows != frames[0]+frames[1] || x.Cols != 129 || len(r.Parts) != 2 || r.Parts[1].First != frames[0] || r.Parts[1].Name != "b" || len(r.RowNames) != x.Rows || r.ColumnNames[1] != "31.25 Hz" {
		t.Errorf("%d x %d, %+v", x.Rows, x.Cols, r.Parts)
	}
	power, err := audio.Read[float64]([]string{a, b}, &audio.Options{Size: 256, Power: true, Floor: 1e-6})
	if err != nil {
		t.Fatal(err)
	}
	p := power.X.(*matrix.Dense[float64])
	largest := slices.Max(p.Data)
	for i, v := range x.Data {
		if want := max(v*v, 1e-6*largest); math.Abs(p.Data[i]-want) > 1e-12*want {
			t.Fatalf("power %v of magnitude %v", p.Data[i], v)
		}
	}
}

func TestReadErrors(t *testing.T) {
	good := write(t, "good.wav", noise(8000, 1, 3000, 1))
	broken := write(t, "nan.wav", noise(8000, 1, 3000, 1))
	damage, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(damage[len(damage)-4*(3000-7):], math.Float32bits(float32(math.NaN())))
	if err := os.WriteFile(broken, damage, 0o644); err != nil {
		t.Fatal(err)
	}
	cut := write(t, "cut.wav", noise(8000, 1, 3000, 1))
	content, err := os.ReadFile(cut)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, content[:5000], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		paths []string
		is    error
		want  string
	}{
		{[]string{good, write(t, "other.wav", noise(16000, 1, 3000, 1))}, recipe.ErrInput, "the sampling rate is 16000 Hz, and that of"},
		{[]string{write(t, "short.wav", noise(8000, 1, 100, 1))}, recipe.ErrInput, "the recording has 100 samples (0.0125 s), fewer than one window of 512"},
		{[]string{write(t, "silent.wav", &sound.Sound{Rate: 8000, Channels: [][]float64{make([]float64, 3000)}})}, recipe.ErrInput, "the recording is silent"},
		{[]string{write(t, "empty.wav", &sound.Sound{Rate: 8000, Channels: [][]float64{nil}})}, recipe.ErrInput, "has no samples"},
		{[]string{broken}, recipe.ErrInput, "sample 8 of channel 1 is NaN"},
		{[]string{cut}, data.ErrTruncated, "file is cut short: its samples take 12000 bytes"},
		{[]string{filepath.Join(t.TempDir(), "none.wav")}, os.ErrNotExist, "none.wav"},
		{nil, recipe.ErrOption, "no file"},
	} {
		_, err := audio.Read[float32](c.paths, &audio.Options{Size: 512})
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v; want %q", c.paths, err, c.want)
		}
	}
}

// TestSeparate: the sounds of all components add up to the recording, for each
// channel and file, whatever the model.
func TestSeparate(t *testing.T) {
	for _, power := range []float64{1, 2} {
		sounds := []*sound.Sound{noise(8000, 2, 3000, 1), noise(8000, 1, 1234, 2)}
		clear(sounds[0].Channels[0][1000:2500])
		clear(sounds[0].Channels[1][1000:2500]) // silence, where the model is zero
		r, err := audio.New[float32]([]string{"a", "b"}, sounds, &audio.Options{Size: 256})
		if err != nil {
			t.Fatal(err)
		}
		m, err := nmf.Fit(context.Background(), r.X, 3, audio.Preset())
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range sounds {
			parts := audio.Separate(m, r, i, [][]int{{1}, {0, 2}}, power)
			for c := range s.Channels {
				for at, v := range s.Channels[c] {
					if sum := parts[0].Channels[c][at] + parts[1].Channels[c][at]; math.Abs(sum-v) > 1e-6 || math.IsNaN(sum) {
						t.Fatalf("file %d, channel %d, sample %d: %v is left of %v", i, c, at, sum, v)
					}
				}
			}
		}
	}
}

// note is a tone with harmonics that dies away.
type note struct {
	at    float64
	pitch int
}

var pitches = []float64{220, 261.63, 329.63, 392, 523.25}

func play(notes []note, rate int, seconds float64, seed uint64) *sound.Sound {
	r := rand.New(rand.NewPCG(seed, 4))
	s := make([]float64, int(seconds*float64(rate)))
	for i := range s {
		s[i] = 0.001 * r.NormFloat64()
	}
	for _, n := range notes {
		first := int(n.at * float64(rate))
		for i := first; i < min(len(s), first+rate*3/2); i++ {
			at := float64(i-first) / float64(rate)
			v := 0.0
			for h := 1; h <= 6; h++ {
				v += math.Sin(2*math.Pi*float64(h)*pitches[n.pitch]*at) / float64(h)
			}
			s[i] += 0.2 * v * math.Exp(-3*at) * min(1, at/0.005)
		}
	}
	return &sound.Sound{Rate: rate, Channels: [][]float64{s}}
}

// TestNotes finds the notes of a synthesised piece: which pitch, and when to
// 50 ms, as the field counts them. Of powers, since in magnitudes the attack of a
// note, which holds all frequencies, shows in every component.
func TestNotes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 0))
	var notes []note
	at := 0.3
	for at < 28 {
		chord := r.Perm(len(pitches))[:1+r.IntN(3)]
		for _, p := range chord {
			notes = append(notes, note{at, p})
		}
		at += 0.25 + 0.5*r.Float64()
	}
	s := play(notes, 16000, 30, 1)
	rec, err := audio.New[float32]([]string{"piece"}, []*sound.Sound{s}, &audio.Options{Power: true})
	if err != nil {
		t.Fatal(err)
	}
	o := audio.Preset()
	o.Runs = 5
	m, err := nmf.Fit(context.Background(), rec.X, len(pitches), o)
	if err != nil {
		t.Fatal(err)
	}
	// The pitch of a component is that of its strongest fundamental.
	pitchOf := make([]int, m.K())
	for l := range pitchOf {
		best := 0.0
		for p, f := range pitches {
			bin := int(math.Round(f / rec.Transform.Frequency(1, rec.Rate)))
			if v := float64(m.H.At(l, bin)); v > best {
				best, pitchOf[l] = v, p
			}
		}
	}
	onsets := audio.Onsets(m, rec, audio.DefaultRise)
	used := make([]bool, len(onsets))
	hits := 0
	for _, n := range notes {
		for i, o := range onsets {
			if !used[i] && pitchOf[o.Component] == n.pitch && math.Abs(o.Seconds-n.at) <= 0.05 {
				used[i] = true
				hits++
				break
			}
		}
	}
	f1 := 2 * float64(hits) / float64(len(notes)+len(onsets))
	t.Logf("%d notes, %d onsets, %d hits: F1 %.3f", len(notes), len(onsets), hits, f1)
	if f1 < 0.95 {
		t.Errorf("F1 is %.3f", f1)
	}
}

func part(s *sound.Sound, from, to float64) *sound.Sound {
	return &sound.Sound{Rate: s.Rate, Channels: [][]float64{s.Channels[0][int(from*float64(s.Rate)):int(to*float64(s.Rate))]}}
}

// TestSpeechAndMusic holds the figures of docs/audio.md: a mixture of speech and
// music, taken apart by templates that were learned from other seconds of each.
func TestSpeechAndMusic(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	var whole [2]*sound.Sound
	for i, name := range []string{"speechf1.wav", "musicf1.wav"} {
		f, err := os.Open(testdata.Shared(t, "data/audio-speech-music/"+name))
		if err != nil {
			t.Fatal(err)
		}
		whole[i], err = sound.Read(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	end := float64(min(whole[0].Len(), whole[1].Len())) / 16000
	const k = 10
	for _, seconds := range [][4]float64{{0, 8, 8, end}, {8, end, 0, 8}} {
		var learned, truth []*sound.Sound
		for _, s := range whole {
			learned, truth = append(learned, part(s, seconds[0], seconds[1])), append(truth, part(s, seconds[2], seconds[3]))
		}
		mixed := part(whole[0], seconds[2], seconds[3])
		mixed.Channels[0] = slices.Clone(mixed.Channels[0])
		for i, v := range truth[1].Channels[0] {
			mixed.Channels[0][i] += v
		}
		templates, err := audio.New[float32]([]string{"speech", "music"}, learned, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := audio.Preset()
		if o.PenaltyH.Held, err = audio.Learn(context.Background(), templates, k, o); err != nil {
			t.Fatal(err)
		}
		rec, err := audio.New[float32]([]string{"mixed"}, []*sound.Sound{mixed}, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := nmf.Fit(context.Background(), rec.X, 2*k, o)
		if err != nil {
			t.Fatal(err)
		}
		groups := make([][]int, 2)
		for l := range 2 * k {
			groups[l/k] = append(groups[l/k], l)
		}
		got := audio.Separate(m, rec, 0, groups, 1)
		reference := [][]float64{truth[0].Channels[0], truth[1].Channels[0]}
		after, err := bsseval.Sources(reference, [][]float64{got[0].Channels[0], got[1].Channels[0]})
		if err != nil {
			t.Fatal(err)
		}
		before, err := bsseval.Sources(reference, [][]float64{mixed.Channels[0], mixed.Channels[0]})
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"speech", "music"} {
			t.Logf("seconds %.0f to %.0f, %s: SDR %.2f dB (the mixture %.2f), SIR %.2f, SAR %.2f", seconds[2], seconds[3], name, after[i].SDR, before[i].SDR, after[i].SIR, after[i].SAR)
			if after[i].SDR < 6 {
				t.Errorf("%s: %.2f dB", name, after[i].SDR)
			}
		}
	}
}

func TestLearnRefuses(t *testing.T) {
	rec, err := audio.New[float32]([]string{"x"}, []*sound.Sound{noise(8000, 1, 2000, 1)}, &audio.Options{Size: 256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audio.Learn(context.Background(), rec, 0, audio.Preset()); !errors.Is(err, nmf.ErrOption) || !strings.Contains(err.Error(), "templates of x") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := audio.Learn(ctx, rec, 2, audio.Preset()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPlot(t *testing.T) {
	rec, err := audio.New[float32]([]string{"a <", "b"}, []*sound.Sound{noise(8000, 1, 2000, 1), noise(8000, 1, 1000, 2)}, &audio.Options{Size: 256})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nmf.Fit(context.Background(), rec.X, 3, audio.Preset())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := audio.Plot(&b, m, rec, []audio.Onset{{Part: 1, Component: 2, Seconds: 0.05}}); err != nil {
		t.Fatal(err)
	}
	paths := 0
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "path" {
			paths++
		}
	}
	if paths != 6 {
		t.Errorf("%d curves of 3 components", paths)
	}
}

func ExampleWindows() {
	fmt.Println(audio.Windows())
	// Output: [hann hamming blackman sine]
}
