package report

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/partsof/nmf/internal/audio"
)

// soundOnPage is a sound with its packed array, "" where it was left out.
type soundOnPage struct {
	Name       string `json:"name"`
	Components []int  `json:"components"`
	Array      string `json:"array,omitempty"`
}

// leastRate is the sampling rate that sounds are not brought below: that of a
// telephone.
const leastRate = 8000

// packSounds packs the sounds as files of one channel of 16 bits, all equally
// loud as they were given. Where they take too much room they are decimated, and
// those of the components with the least shares left out.
func (p *page) packSounds(in *Input, sel *selection) error {
	if len(in.Sounds) == 0 {
		return nil
	}
	sounds := make([]*audio.Sound, len(in.Sounds))
	rate, samples, peak := 0, 0, 1.0
	for i, s := range in.Sounds {
		decoded, err := audio.Read(bytes.NewReader(s.WAV))
		if err != nil {
			return fmt.Errorf("%w: the sound %q: %w", ErrInput, s.Name, err)
		}
		sounds[i] = mono(decoded)
		rate = max(rate, decoded.Rate)
		samples += decoded.Len()
		if decoded.Len() > 0 {
			peak = max(peak, floats.Norm(sounds[i].Channels[0], math.Inf(1)))
		}
	}
	const header, width = 64, 2
	room := min(maxSounds, maxPacked-minOriginal-len(p.pack.bytes)) - header*len(sounds)
	factor := 1
	for width*samples/factor > room && rate/(factor+1) >= leastRate {
		factor++
	}
	order := make([]int, len(sounds))
	shares := make([]float64, len(sounds))
	for i, s := range in.Sounds {
		order[i] = i
		for _, j := range s.Components {
			shares[i] += p.head.Shares[j]
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case shares[a] > shares[b]:
			return -1
		case shares[a] < shares[b]:
			return 1
		}
		return 0
	})
	files := make([][]byte, len(sounds))
	here := 0
	for _, i := range order {
		s := decimated(sounds[i], factor)
		if room -= width * s.Len(); room < 0 {
			break
		}
		floats.Scale(1/peak, s.Channels[0])
		s.Encoding = audio.Encoding{Bits: 16}
		var b bytes.Buffer
		if _, err := audio.WriteWAV(&b, s); err != nil {
			return fmt.Errorf("%w: the sound %q: %w", ErrInput, in.Sounds[i].Name, err)
		}
		files[i] = b.Bytes()
		here++
	}
	for i, s := range in.Sounds {
		out := soundOnPage{Name: cutBytes(s.Name, 200), Components: append([]int{}, s.Components...)} // never null
		if files[i] != nil {
			out.Array = fmt.Sprintf("sound%d", i)
			p.pack.u1(out.Array, files[i])
		}
		p.head.Sounds = append(p.head.Sounds, out)
	}
	if factor > 1 && here > 0 {
		sel.leftOut = append(sel.leftOut, fmt.Sprintf("what is above %s Hz in the sounds", thousands(rate/factor/2)))
	}
	if here < len(sounds) {
		sel.leftOut = append(sel.leftOut, fmt.Sprintf("%d of %d sounds, those of the components with the least shares", len(sounds)-here, len(sounds)))
	}
	return nil
}

// mono is the mean of all channels.
func mono(s *audio.Sound) *audio.Sound {
	mean := make([]float64, s.Len())
	for _, c := range s.Channels {
		floats.AddScaled(mean, 1/float64(len(s.Channels)), c)
	}
	return &audio.Sound{Rate: s.Rate, Channels: [][]float64{mean}}
}

// decimated keeps every so many samples of a sound of one channel, after a
// low-pass filter: a sinc within a Hann window, which is 6 dB down at nine tenths
// of the new highest frequency.
func decimated(s *audio.Sound, factor int) *audio.Sound {
	if factor == 1 {
		return s
	}
	half := 24 * factor
	taps := make([]float64, 2*half+1)
	for i := range taps {
		x := float64(i-half) * 0.9 / float64(factor)
		taps[i] = 0.5 + 0.5*math.Cos(math.Pi*float64(i-half)/float64(half+1))
		if x != 0 {
			taps[i] *= math.Sin(math.Pi*x) / (math.Pi * x)
		}
	}
	floats.Scale(1/floats.Sum(taps), taps)
	from := s.Channels[0]
	out := make([]float64, (len(from)+factor-1)/factor)
	for i := range out {
		first := i*factor - half
		low, high := max(0, first), min(len(from), first+len(taps))
		out[i] = floats.Dot(taps[low-first:high-first], from[low:high])
	}
	return &audio.Sound{Rate: s.Rate / factor, Channels: [][]float64{out}}
}
