package report

import (
	"bytes"
	"encoding/base64"
	"io"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/partsof/nmf/internal/audio"
)

// wav is a file of floats with such channels.
func wav(t *testing.T, rate int, channels ...[]float64) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := audio.WriteWAV(&b, &audio.Sound{Rate: rate, Channels: channels, Encoding: audio.Encoding{Bits: 32, Float: true}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func noise(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 2))
	list := make([]float64, n)
	for i := range list {
		list[i] = 0.2 * r.NormFloat64()
	}
	return list
}

func tone(rate, n int, hz float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = 0.5 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	}
	return list
}

// soundsIn gives the sounds that a page holds.
func soundsIn(t *testing.T, text string) map[string]*audio.Sound {
	t.Helper()
	_, data, _ := strings.Cut(text, `id="data">`)
	data, _, _ = strings.Cut(data, "</script>")
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	block, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*audio.Sound{}
	for name, a := range headOf(t, text).Arrays {
		if strings.HasPrefix(name, "sound") {
			if found[name], err = audio.Read(bytes.NewReader(block[a.At : a.At+a.N])); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

// TestSounds: sounds are in the page as the mean of their channels, all by the
// same factor below full scale.
func TestSounds(t *testing.T) {
	model, _ := made(6, 4, 2, 5)
	left, right := noise(500, 1), noise(500, 2)
	left[100], right[100] = 2, 2 // beyond full scale
	low := noise(300, 3)
	in := &Input{Model: model, Drawing: Drawing{Kind: Sound}, Sounds: []ComponentSound{{Name: "a", Components: []int{0}, WAV: wav(t, 8000, left, right)}, {Components: []int{1}, WAV: wav(t, 8000, low)}}}
	text := pageText(t, in)
	got := soundsIn(t, text)
	if len(got) != 2 || len(headOf(t, text).LeftOut) != 0 {
		t.Fatalf("%d sounds; left out %q", len(got), headOf(t, text).LeftOut)
	}
	for name, want := range map[string]func(i int) float64{"sound0": func(i int) float64 { return (left[i] + right[i]) / 4 }, "sound1": func(i int) float64 { return low[i] / 2 }} {
		s := got[name]
		if s.Rate != 8000 || len(s.Channels) != 1 || s.Encoding != (audio.Encoding{Bits: 16}) {
			t.Errorf("%s: %d Hz, %d channels, %v", name, s.Rate, len(s.Channels), s.Encoding)
		}
		for i, v := range s.Channels[0] {
			if math.Abs(v-want(i)) > 1.0/(1<<15) {
				t.Fatalf("%s: sample %d is %v, want %v", name, i, v, want(i))
			}
		}
	}
	if text != pageText(t, in) {
		t.Error("two pages of one input differ")
	}
}

// TestSoundsPolicy: only a page with sounds may play any, and only its own.
func TestSoundsPolicy(t *testing.T) {
	model, _ := made(6, 4, 2, 5)
	policyOf := func(in *Input) string {
		return regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(pageText(t, in))[1]
	}
	without := policyOf(&Input{Model: model, Drawing: Drawing{Kind: Sound}})
	with := policyOf(&Input{Model: model, Drawing: Drawing{Kind: Sound}, Sounds: []ComponentSound{{Components: []int{0}, WAV: wav(t, 8000, noise(10, 1))}}})
	if strings.Contains(without, "media-src") {
		t.Errorf("without sounds: %s", without)
	}
	h, err := Handler(&Input{Model: model, Drawing: Drawing{Kind: Sound}, Sounds: []ComponentSound{{WAV: wav(t, 8000, noise(10, 1))}}}, "token")
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest("GET", "/token/", nil))
	if served := answer.Header().Get("Content-Security-Policy"); !strings.Contains(served, " media-src blob:;") {
		t.Errorf("served: %s", served)
	}
	if strings.Replace(with, " media-src blob:;", "", 1) != without {
		t.Errorf("with sounds: %s, without: %s", with, without)
	}
}

// TestDecimated: a tone below the new highest frequency stays, one above it
// goes, and nothing moves in time.
func TestDecimated(t *testing.T) {
	const rate, n = 48000, 9601
	for _, factor := range []int{1, 2, 3, 5} {
		low := &audio.Sound{Rate: rate, Channels: [][]float64{tone(rate, n, 1000)}}
		high := &audio.Sound{Rate: rate, Channels: [][]float64{tone(rate, n, 23000)}}
		kept, gone := decimated(low, factor), decimated(high, factor)
		if kept.Rate != rate/factor || kept.Len() != (n+factor-1)/factor {
			t.Fatalf("by %d: %d Hz, %d samples", factor, kept.Rate, kept.Len())
		}
		for i, v := range kept.Channels[0] {
			edge := 24 * factor // samples before and after which the filter reaches beyond the sound
			if at := i * factor; at < edge || at >= n-edge {
				continue
			}
			if want := low.Channels[0][i*factor]; math.Abs(v-want) > 2e-3 {
				t.Fatalf("by %d: sample %d is %v, was %v", factor, i, v, want)
			}
			if g := gone.Channels[0][i]; factor > 1 && math.Abs(g) > 2e-3 {
				t.Fatalf("by %d: %v is left of a tone above", factor, g)
			}
		}
	}
}
