package audio

import (
	"math"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/audio"
	"github.com/partsof/nmf/matrix"
)

// Separate gives part i of a recording as one sound for each group of
// components: what Wiener's filter takes out of it for them, the coefficient
// times the group's share of the model, Σ (w·h)^power over the group by that over
// all. The sounds add up to the recording. Every component belongs to one group;
// where the model is zero all have the same share.
func Separate[F matrix.Float](m *nmf.Model[F], r *Recording[F], i int, groups [][]int, power float64) []*audio.Sound {
	p, t := r.Parts[i], r.Transform
	out := make([]*audio.Sound, len(groups))
	for g := range out {
		out[g] = &audio.Sound{Rate: r.Rate, Channels: make([][]float64, len(p.Sound.Channels)), Encoding: audio.Encoding{Bits: 32, Float: true}}
		for c := range out[g].Channels {
			out[g].Channels[c] = make([]float64, p.Sound.Len())
		}
	}
	bins := t.Bins()
	samples, coefficients, masked := make([]float64, t.Size), make([]complex128, bins), make([]complex128, bins)
	masks := make([][]float64, len(groups))
	for g := range masks {
		masks[g] = make([]float64, bins)
	}
	for frame := range p.Frames {
		fillMasks(masks, m, p.First+frame, groups, power)
		for c, sound := range p.Sound.Channels {
			t.Forward(sound, frame, samples, coefficients)
			for g, mask := range masks {
				for j, share := range mask {
					masked[j] = complex(share, 0) * coefficients[j]
				}
				t.Inverse(masked, frame, samples, out[g].Channels[c])
			}
		}
	}
	return out
}

// fillMasks gives each group's share of every frequency of a row.
func fillMasks[F matrix.Float](masks [][]float64, m *nmf.Model[F], row int, groups [][]int, power float64) {
	w := m.W.Row(row)
	for g, group := range groups {
		clear(masks[g])
		for _, l := range group {
			weight := float64(w[l]) * m.Scales[l]
			if weight == 0 {
				continue
			}
			for j, h := range m.H.Row(l) {
				v := weight * float64(h)
				if power != 1 {
					v = math.Pow(v, power)
				}
				masks[g][j] += v
			}
		}
	}
	for j := range masks[0] {
		sum := 0.0
		for _, mask := range masks {
			sum += mask[j]
		}
		for _, mask := range masks {
			if sum > 0 {
				mask[j] /= sum
			} else {
				mask[j] = 1 / float64(len(masks))
			}
		}
	}
}

// Onset is the beginning of a sound of a component.
type Onset struct {
	// Part and Component count from 0; Seconds is from the part's beginning.
	Part, Component int
	Seconds         float64
	// Strength is how far the activation rises, in units of its largest value
	// over the recording.
	Strength float64
}

// DefaultRise is how far an activation must rise for an onset.
const DefaultRise = 0.15

// Onsets says where the activation of a component rises by at least `rise` of
// its largest value, from a valley to the next peak; dips of less do not end a
// rise. An onset is where it rises fastest.
func Onsets[F matrix.Float](m *nmf.Model[F], r *Recording[F], rise float64) []Onset {
	var list []Onset
	for i, p := range r.Parts {
		for l := range m.K() {
			largest := 0.0
			for row := range m.W.Rows {
				largest = max(largest, float64(m.W.At(row, l)))
			}
			if largest == 0 {
				continue
			}
			a := make([]float64, p.Frames)
			for f := range a {
				a[f] = float64(m.W.At(p.First+f, l)) / largest
			}
			for _, o := range rises(a, rise) {
				list = append(list, Onset{Part: i, Component: l, Seconds: r.Transform.Time(o.at, r.Rate), Strength: o.height})
			}
		}
	}
	return list
}

// ascent is a rise of an activation.
type ascent struct {
	// at is the frame before which it rises fastest.
	at     int
	height float64
}

// rises finds where a rises by at least `least` before it falls by as much.
func rises(a []float64, least float64) []ascent {
	var list []ascent
	valley, peak := 0, -1 // peak is -1 while no rise is under way; before the first frame there is silence
	low := 0.0
	finish := func() {
		best := ascent{at: valley, height: a[peak] - low}
		steepest := 0.0
		for f := valley; f <= peak; f++ {
			before := 0.0
			if f > 0 {
				before = a[f-1]
			}
			if step := a[f] - before; step > steepest {
				best.at, steepest = f, step
			}
		}
		list = append(list, best)
	}
	for f, v := range a {
		switch {
		case peak < 0 && v <= low:
			valley, low = f, v
		case peak < 0 && v-low >= least:
			peak = f
		case peak >= 0 && v > a[peak]:
			peak = f
		case peak >= 0 && a[peak]-v >= least:
			finish()
			valley, low, peak = f, v, -1
		}
	}
	if peak >= 0 {
		finish()
	}
	return list
}
