package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/audio"
	recipe "github.com/partsof/nmf/recipe/audio"
	"github.com/partsof/nmf/report"
)

// TestAudioPage: the sounds of the page add up to the recording, and a time is
// the same in all of them and in the windows.
func TestAudioPage(t *testing.T) {
	const rate = 8000
	var sounds []*audio.Sound
	for i, n := range []int{3000, 2100} {
		s := &audio.Sound{Rate: rate, Channels: make([][]float64, 2-i)}
		for c := range s.Channels {
			for at := range n {
				s.Channels[c] = append(s.Channels[c], 0.3*math.Sin(2*math.Pi*float64(500+700*i+90*c)*float64(at)/rate)*math.Exp(-float64(at%1000)/300))
			}
		}
		sounds = append(sounds, s)
	}
	r, err := recipe.New[float32]([]string{"a.wav", "b.wav"}, sounds, &recipe.Options{Size: 256})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nmf.Fit(t.Context(), r.X, 3, recipe.Preset())
	if err != nil {
		t.Fatal(err)
	}
	groups := [][]int{{0, 2}, {1}}
	in, err := soundPage(&audioCmd{MaskPower: 1}, m, r, "a.wav b.wav", []string{"tone", "rest"}, groups)
	if err != nil {
		t.Fatal(err)
	}
	d := in.Drawing
	if d.Kind != report.Sound || d.Positions[1] != 31.25 || len(d.Positions) != 129 || len(d.Seconds) != m.W.Rows || len(in.Sounds) != 2 || in.Sounds[0].Name != "tone" || !slices.Equal(in.Sounds[0].Components, groups[0]) {
		t.Errorf("%v, %d sounds", d.Kind, len(in.Sounds))
	}
	second := r.Parts[1].First * 64 // the first sample of the second file
	var sum []float64
	for _, s := range in.Sounds {
		got, err := audio.Read(bytes.NewReader(s.WAV))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Channels) != 1 || got.Len() != second+2100 {
			t.Fatalf("%s: %d channels, %d samples", s.Name, len(got.Channels), got.Len())
		}
		if sum == nil {
			sum = make([]float64, got.Len())
		}
		for i, v := range got.Channels[0] {
			sum[i] += v
		}
	}
	for i, v := range sum {
		want := 0.0
		switch {
		case i < 3000:
			want = (sounds[0].Channels[0][i] + sounds[0].Channels[1][i]) / 2
		case i >= second:
			want = sounds[1].Channels[0][i-second]
		}
		if math.Abs(v-want) > 1e-6 {
			t.Fatalf("sample %d: the sounds add up to %v, the recording has %v", i, v, want)
		}
	}
	if at, want := d.Seconds[r.Parts[1].First], float64(second)/rate+r.Transform.Time(0, rate); math.Abs(at-want) > 1e-12 {
		t.Errorf("the second file begins at %v s, want %v", at, want)
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := savePage(in, path); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"sound"`, `"axis":"frequency (Hz)"`, `"name":"tone","components":[0,2],"array":"sound0"`, "media-src blob:"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
}

// writeSound writes tones as a .wav file, one after the other and an eighth of a
// second each, 0 for silence: wav FILE RATE HZ...
func writeSound(ts *testscript.TestScript, _ bool, args []string) {
	rate, err := strconv.Atoi(args[1])
	ts.Check(err)
	s := &audio.Sound{Rate: rate, Channels: make([][]float64, 1), Encoding: audio.Encoding{Bits: 32, Float: true}}
	for _, text := range args[2:] {
		f, err := strconv.ParseFloat(text, 64)
		ts.Check(err)
		for i := range rate / 8 {
			t := float64(i) / float64(rate)
			s.Channels[0] = append(s.Channels[0], 0.5*math.Sin(2*math.Pi*f*t)*math.Exp(-6*t))
		}
	}
	var b bytes.Buffer
	_, err = audio.WriteWAV(&b, s)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o644))
}
