package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/floats"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/sbs"
)

// ErrInput is wrapped by every error about an Input that does not fit
// together.
var ErrInput = errors.New("nothing that can be reported")

// Input is what a report shows. Only Model is needed.
type Input struct {
	// Name is what was factorized, as people call it: a file, a folder.
	Name string
	// Model is the factorization, W (samples x k) and H (k x features).
	Model *nmf.Model[float64]
	// X is the matrix that was factorized (samples x features), or nil. With it
	// the report shows residuals, originals beside reconstructions, density and
	// the hash of the data.
	X Matrix
	// Fitted says that X is known to be what the model was fitted to. Otherwise
	// a report compares relative errors, and says where they differ.
	Fitted bool
	// Drawing says what a component is. Its zero value is bars.
	Drawing Drawing
	// Metadata describes the samples; nil where there is none.
	Metadata *Metadata
	// Sounds are what can be listened to, of components that are drawn as Sound;
	// nil where there is none. A page holds them in one channel of 16 bits, at a
	// lower rate where they are too long, and leaves out those that are still too
	// many.
	Sounds []ComponentSound
	// Rank and Consensus are shown where they are there.
	Rank      *Rank
	Consensus *Consensus
	// Notes are said in the overview, beside the model's warnings.
	Notes []string
}

// Kind is how a component, or a sample, is drawn.
type Kind string

const (
	// Bars: the top features as bars.
	Bars Kind = "bars"
	// Words: the top features as words, larger where they weigh more.
	Words Kind = "words"
	// Image: a picture of Width x Height; features are its pixels.
	Image Kind = "image"
	// Profile: a curve over ordered features, such as a spectrum.
	Profile Kind = "profile"
	// Signatures: the 96 classes of single-base substitutions, in their usual
	// order and colours (Alexandrov et al. 2013). Features are found by their
	// names, such as A[C>A]G; without names they are taken to be in that order.
	Signatures Kind = "signatures96"
	// Sound: the spectrum as a curve over frequency, and the spectrogram, which
	// is the spectrum times the activation. Samples are windows in time, features
	// are frequencies.
	Sound Kind = "sound"
)

// Kinds lists the values of Drawing.Kind.
func Kinds() []Kind { return []Kind{Bars, Words, Image, Profile, Signatures, Sound} }

// Drawing says what the features of a component are.
type Drawing struct {
	Kind Kind
	// Width and Height are of an Image: feature y*Width+x is the pixel in row
	// y, column x, or x*Height+y where ColumnMajor.
	Width, Height int
	ColumnMajor   bool
	// Axis names the axis of a Profile, such as "wavelength (nm)". Of a Sound it
	// is "frequency (Hz)" unless given.
	Axis string
	// Positions are the places of the features of a Profile or a Sound on that
	// axis, rising; nil for 1, 2, ….
	Positions []float64
	// Seconds are the times of the samples of a Sound, rising. nil for those that
	// the samples' names say, such as "0.0320 s", or else for 1, 2, ….
	Seconds []float64
}

// axis names the axis of a profile or a spectrum.
func (d *Drawing) axis() string {
	switch {
	case d.Axis != "":
		return d.Axis
	case d.Kind == Sound && d.Positions != nil:
		return "frequency (Hz)"
	case d.Kind == Sound:
		return "frequency"
	}
	return "feature"
}

// ComponentSound is the sound of a component, or of several together.
type ComponentSound struct {
	Name string
	// Components are those that it is of, counted from 0.
	Components []int
	// WAV is a file of sound, uncompressed, of any number of channels.
	WAV []byte
}

// Rank is what was found out about the number of components.
type Rank struct {
	// Criteria are drawn one beside another, each over k.
	Criteria []Criterion
	// Chosen is the recommended number of components, 0 for none.
	Chosen int
	// Recommendation says in words what is recommended and why.
	Recommendation string
}

// Criterion is a measure of models of several k.
type Criterion struct {
	Name string
	// About says what it measures, in a sentence; Better is "low", "high" or "".
	About, Better string
	Points        []Point
}

// Point is a criterion at one k.
type Point struct {
	K int
	// Value is drawn as the curve, Low and High as the band around it; equal
	// to Value where there is no spread.
	Value, Low, High float64
}

// Consensus is how well several runs agree.
type Consensus struct {
	// Runs is their number.
	Runs int
	// Matrix is n x n by rows, in the order of Order: the part of the runs that
	// put two samples into one cluster, from 0 to 1. nil where there is none.
	Matrix []float32
	N      int
	// Order gives for each row of Matrix the sample that it is, counted from 0;
	// nil for the order of the model.
	Order []int
	// Stability is one number a component, from 0 to 1: the mean similarity of
	// its matches over the runs. nil where there is none.
	Stability []float64
	// Cophenetic and Dispersion are the usual summaries (Brunet et al. 2004;
	// Kim & Park 2007); NaN where unknown.
	Cophenetic, Dispersion float64
	// Words says in words what the runs agree on.
	Words string
}

// check refuses what does not fit together.
func (in *Input) check() error {
	m := in.Model
	if m == nil || m.W == nil || m.H == nil {
		return fmt.Errorf("%w: there is no model", ErrInput)
	}
	k := m.K()
	if m.W.Cols != k || m.H.Rows != k || k == 0 || m.W.Rows == 0 || m.H.Cols == 0 {
		return fmt.Errorf("%w: W is %d x %d and H %d x %d with %d scales", ErrInput, m.W.Rows, m.W.Cols, m.H.Rows, m.H.Cols, k)
	}
	for _, c := range []struct {
		what      string
		have      int
		want      int
		mayBeNone bool
	}{
		{"row names", len(m.RowNames), m.W.Rows, m.RowNames == nil},
		{"column names", len(m.ColumnNames), m.H.Cols, m.ColumnNames == nil},
		{"positions", len(in.Drawing.Positions), m.H.Cols, in.Drawing.Positions == nil},
		{"seconds", len(in.Drawing.Seconds), m.W.Rows, in.Drawing.Seconds == nil},
	} {
		if c.have != c.want && !c.mayBeNone {
			return fmt.Errorf("%w: %d %s for a model of %d x %d", ErrInput, c.have, c.what, m.W.Rows, m.H.Cols)
		}
	}
	if in.X != nil {
		if rows, cols := in.X.Dims(); rows != m.W.Rows || cols != m.H.Cols {
			return fmt.Errorf("%w: the input is %d x %d, the model was fitted to %d x %d", ErrInput, rows, cols, m.W.Rows, m.H.Cols)
		}
	}
	if err := in.Metadata.check(m.W.Rows); err != nil {
		return err
	}
	if err := in.Consensus.check(k); err != nil {
		return err
	}
	if len(in.Sounds) > 0 && in.Drawing.Kind != Sound {
		return fmt.Errorf("%w: sounds of components that are drawn as %q", ErrInput, in.Drawing.Kind)
	}
	for _, s := range in.Sounds {
		for _, j := range s.Components {
			if j < 0 || j >= k {
				return fmt.Errorf("%w: the sound %q is of component %d in a model of %d", ErrInput, s.Name, j+1, k)
			}
		}
	}
	return in.Drawing.check(m.H.Cols)
}

func (d *Drawing) check(features int) error {
	for i, v := range d.Seconds {
		if math.IsNaN(v) || math.IsInf(v, 0) || i > 0 && v <= d.Seconds[i-1] {
			return fmt.Errorf("%w: sample %d is at %v seconds; times are finite and rise", ErrInput, i+1, v)
		}
	}
	switch d.Kind {
	case "", Bars, Words, Profile, Sound:
	case Image:
		if d.Width < 1 || d.Height < 1 || d.Width > features || d.Height > features || d.Width*d.Height != features {
			return fmt.Errorf("%w: an image of %d x %d has %d pixels; the model has %d features", ErrInput, d.Width, d.Height, d.Width*d.Height, features)
		}
	case Signatures:
		if features != sbs.N {
			return fmt.Errorf("%w: mutational signatures have %d classes; the model has %d features", ErrInput, sbs.N, features)
		}
	default:
		return fmt.Errorf("%w: components cannot be drawn as %q", ErrInput, d.Kind)
	}
	return nil
}

func (c *Consensus) check(k int) error {
	switch {
	case c == nil:
		return nil
	case len(c.Matrix) != c.N*c.N:
		return fmt.Errorf("%w: a consensus matrix of %d samples has %d cells", ErrInput, c.N, len(c.Matrix))
	case c.Order != nil && len(c.Order) != c.N:
		return fmt.Errorf("%w: an order of %d for a consensus matrix of %d samples", ErrInput, len(c.Order), c.N)
	case c.Stability != nil && len(c.Stability) != k:
		return fmt.Errorf("%w: the stability of %d components in a model of %d", ErrInput, len(c.Stability), k)
	}
	return nil
}

// unit gives the input with a model whose columns of W and rows of H sum to
// one, as models have them unless a constraint fixes the scale of a factor:
// only then scales are shares and entries of H are parts of a component.
func (in *Input) unit() *Input {
	const rounding = 1e-3
	m := in.Model
	sumW, sumH := make([]float64, m.K()), make([]float64, m.K())
	for i := range m.W.Rows {
		for j, v := range m.W.Row(i) {
			sumW[j] += v
		}
	}
	are := true
	for j := range sumH {
		sumH[j] = floats.Sum(m.H.Row(j))
		if m.Scales[j] > 0 {
			are = are && math.Abs(sumW[j]-1) < rounding && math.Abs(sumH[j]-1) < rounding
		}
	}
	if are {
		return in
	}
	out, model := *in, *m
	model.W, model.H, model.Scales = m.W.Clone(), m.H.Clone(), slices.Clone(m.Scales)
	for j := range sumW {
		model.Scales[j] *= sumW[j] * sumH[j]
		if sumH[j] > 0 {
			floats.Scale(1/sumH[j], model.H.Row(j))
		}
		for i := range m.W.Rows {
			if sumW[j] > 0 {
				model.W.Set(i, j, m.W.At(i, j)/sumW[j])
			}
		}
	}
	out.Model = &model
	out.Notes = append(slices.Clone(in.Notes), "a constraint fixes the scale of a factor of this model; shares and weights are those of its factors scaled to sums of one")
	return &out
}

// PositionsIn gives the features' places where their names are rising numbers,
// such as wavelengths, with or without a unit after a space, and nil otherwise.
func PositionsIn(names []string) []float64 {
	var list []float64
	unit := ""
	for i, name := range names {
		number, of, _ := strings.Cut(strings.TrimSpace(name), " ")
		if i == 0 {
			unit = of
		}
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || of != unit || math.IsInf(v, 0) || math.IsNaN(v) || i > 0 && v <= list[i-1] {
			return nil
		}
		list = append(list, v)
	}
	return list
}
