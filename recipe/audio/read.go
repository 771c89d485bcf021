package audio

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/audio"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Options says how sound becomes numbers. Nil and the zero value are the
// defaults.
type Options struct {
	// Window names the window, one of Windows. Default "hann".
	Window string
	// Size is the number of samples of a window. Default: DefaultSize.
	Size int
	// Hop is the number of samples from one window to the next. Default Size/4.
	Hop int
	// Power takes squared magnitudes, for the loss "is" (Févotte, Bertin &
	// Durrieu 2009), not magnitudes, for "kl" (Smaragdis & Brown 2003).
	Power bool
	// Floor lifts every cell to this part of the largest. Default 0; the loss
	// "is" needs one above 0, such as 1e-8.
	Floor float64
}

// Preset is the fit that the field uses: the Kullback-Leibler divergence of
// magnitudes, from random starts.
func Preset() *nmf.Options { return &nmf.Options{Loss: "kl", Init: "random"} }

// Part is one file in the matrix.
type Part struct {
	// Name is that of the file without its folder and extension; no two parts
	// have the same.
	Name  string
	Sound *audio.Sound
	// First is its first row; it has Frames rows.
	First, Frames int
}

// Recording is one or more files as a matrix: a row a window, in their order, a
// column a frequency. Of several channels the magnitude is the root of the sum
// of squares.
type Recording[F matrix.Float] struct {
	data.Table[F]
	Transform *Transform
	Rate      int
	Parts     []Part
}

// seconds is how long a sound takes.
func seconds(s *audio.Sound) float64 { return float64(s.Len()) / float64(s.Rate) }

// Seconds is how long all files take.
func (r *Recording[F]) Seconds() float64 {
	sum := 0.0
	for _, p := range r.Parts {
		sum += seconds(p.Sound)
	}
	return sum
}

// Read reads WAV and FLAC files of one sampling rate.
func Read[F matrix.Float](paths []string, o *Options) (*Recording[F], error) {
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w: no file of sound", recipe.ErrOption)
	}
	sounds := make([]*audio.Sound, len(paths))
	for i, path := range paths {
		s, err := readSound(path)
		if err != nil {
			return nil, readError(path, err)
		}
		if err := check(path, s); err != nil {
			return nil, err
		}
		if i > 0 && s.Rate != sounds[0].Rate {
			return nil, OtherRate(path, s.Rate, paths[0], sounds[0].Rate)
		}
		sounds[i] = s
	}
	return New[F](paths, sounds, o)
}

func readSound(path string) (*audio.Sound, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return audio.Read(f)
}

// OtherRate is the error about a file with another sampling rate than the one
// before.
func OtherRate(path string, rate int, before string, want int) error {
	return &data.Error{File: path, Found: fmt.Sprintf("the sampling rate is %d Hz, and that of %s %d Hz", rate, before, want),
		Hint: "bring all files to one rate first", Err: recipe.ErrInput}
}

// readError names the file, in the words of package data.
func readError(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return err
	}
	e := &data.Error{File: path, Found: err.Error(), Err: data.ErrFormat}
	switch {
	case errors.Is(err, audio.ErrTruncated):
		e.Err, e.Hint = data.ErrTruncated, "copy or download it again"
	case errors.Is(err, audio.ErrUnsupported):
		e.Err = data.ErrUnsupported
	}
	return e
}

// check refuses sound that is none.
func check(path string, s *audio.Sound) error {
	loud := false
	for c, samples := range s.Channels {
		for i, v := range samples {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return &data.Error{File: path, Found: fmt.Sprintf("sample %d of channel %d is %v", i+1, c+1, v), Hint: "the recording is damaged: export it again", Err: recipe.ErrInput}
			}
			loud = loud || v != 0
		}
	}
	switch {
	case s.Len() == 0:
		return &data.Error{File: path, Found: "the recording has no samples", Err: recipe.ErrInput}
	case !loud:
		return &data.Error{File: path, Found: fmt.Sprintf("the recording is silent: all %d samples are zero", s.Len()), Hint: "there is nothing to take apart", Err: recipe.ErrInput}
	}
	return nil
}

// New makes the matrix of sounds of one sampling rate; names are those of their
// files.
func New[F matrix.Float](names []string, sounds []*audio.Sound, o *Options) (*Recording[F], error) {
	if o == nil {
		o = new(Options)
	}
	rate := sounds[0].Rate
	window, size, hop := o.Window, o.Size, o.Hop
	if window == "" {
		window = "hann"
	}
	if size == 0 {
		size = DefaultSize(rate)
	}
	if hop == 0 {
		hop = max(1, size/4)
	}
	t, err := NewTransform(window, size, hop)
	if err != nil {
		return nil, err
	}
	if !(o.Floor >= 0 && o.Floor < 1) {
		return nil, fmt.Errorf("%w: a floor of %v; it must be at least 0 and below 1", recipe.ErrOption, o.Floor)
	}
	r := &Recording[F]{Transform: t, Rate: rate}
	frames := 0
	for i, s := range sounds {
		if s.Len() < size {
			return nil, &data.Error{File: names[i], Found: fmt.Sprintf("the recording has %d samples (%.3g s), fewer than one window of %d", s.Len(), seconds(s), size),
				Hint: "take a smaller --size, or a longer recording", Err: recipe.ErrInput}
		}
		n := t.Frames(s.Len())
		r.Parts = append(r.Parts, Part{Name: r.partName(names[i]), Sound: s, First: frames, Frames: n})
		frames += n
	}
	x := matrix.NewDense[F](frames, t.Bins())
	samples, coefficients := make([]float64, size), make([]complex128, t.Bins())
	var largest F
	for _, p := range r.Parts {
		for i := range p.Frames {
			row := x.Row(p.First + i)
			for _, c := range p.Sound.Channels {
				for j, v := range t.Forward(c, i, samples, coefficients) {
					row[j] += F(real(v)*real(v) + imag(v)*imag(v))
				}
			}
			for j, v := range row {
				if !o.Power {
					row[j] = F(math.Sqrt(float64(v)))
				}
				largest = max(largest, row[j])
			}
			name := fmt.Sprintf("%.4f s", t.Time(i, rate))
			if len(sounds) > 1 {
				name = p.Name + " " + name
			}
			r.RowNames = append(r.RowNames, name)
		}
	}
	if o.Floor > 0 {
		least := F(o.Floor) * largest
		for i, v := range x.Data {
			x.Data[i] = max(v, least)
		}
	}
	for j := range t.Bins() {
		r.ColumnNames = append(r.ColumnNames, fmt.Sprintf("%.2f Hz", t.Frequency(j, rate)))
	}
	r.X, r.Format = x, "audio"
	return r, nil
}

// partName is the name of a file without its folder and extension, with a number
// where a file before has it.
func (r *Recording[F]) partName(path string) string {
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	name := base
	for n := 2; slices.ContainsFunc(r.Parts, func(p Part) bool { return p.Name == name }); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// DefaultSize is the power of two that is nearest to 93 ms: 4096 samples at
// 44.1 kHz, 2048 at 16 kHz.
func DefaultSize(rate int) int {
	return 1 << max(1, min(20, int(math.Round(math.Log2(0.0929*float64(rate))))))
}
