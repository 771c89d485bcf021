package spectra

import (
	"fmt"
	"image"
	"math"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/figure"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/recipe"
)

// Angle is the spectral angle of two spectra in radians, arccos(aᵀb/(‖a‖‖b‖))
// (Kruse et al. 1993): 0 where they differ in brightness alone. Of a zero one it
// is π/2.
func Angle(a, b []float64) float64 {
	dot, aa, bb := 0.0, 0.0, 0.0
	for j, v := range a {
		dot += v * b[j]
		aa += v * v
		bb += b[j] * b[j]
	}
	if aa == 0 || bb == 0 {
		return math.Pi / 2
	}
	return math.Acos(min(1, dot/math.Sqrt(aa*bb)))
}

// Reference is what is known of a scene.
type Reference struct {
	// Endmembers are r x bands, Names theirs or nil.
	Endmembers *matrix.Dense[float64]
	Names      []string
	// Abundances are pixels x r; nil where they are not known.
	Abundances *matrix.Dense[float64]
}

// ReadReference reads endmembers, a row each, of all bands of the set or of
// those that are kept; and abundances, a row each pixel of the input, or an
// array height x width x endmembers. abundances "" is none.
func ReadReference[F matrix.Float](endmembers, abundances string, s *Set[F]) (*Reference, error) {
	t, err := data.Read[float64](endmembers, nil)
	if err != nil {
		return nil, err
	}
	r := &Reference{Endmembers: dense(t.X), Names: t.RowNames}
	bad := func(file, found, hint string) error {
		return &data.Error{File: file, Found: found, Hint: hint, Err: recipe.ErrInput}
	}
	switch r.Endmembers.Cols {
	case len(s.Bands):
	case s.AllBands:
		r.Endmembers = columns(r.Endmembers, s.Bands)
	default:
		return nil, bad(endmembers, fmt.Sprintf("the reference has %d bands, the spectra %d", r.Endmembers.Cols, s.AllBands), "a row for each endmember is wanted")
	}
	if abundances == "" {
		return r, nil
	}
	all, err := readAbundances(abundances, s.Grid)
	if err != nil {
		return nil, err
	}
	if all.Rows != s.AllPixels || all.Cols != r.Endmembers.Rows {
		return nil, bad(abundances, fmt.Sprintf("%d x %d abundances for %d spectra and %d endmembers", all.Rows, all.Cols, s.AllPixels, r.Endmembers.Rows), "a row for each spectrum, a column for each endmember is wanted")
	}
	r.Abundances = matrix.NewDense[float64](len(s.Pixels), all.Cols)
	for i, p := range s.Pixels {
		copy(r.Abundances.Row(i), all.Row(p))
	}
	return r, nil
}

func readAbundances(path string, g recipe.Grid) (*matrix.Dense[float64], error) {
	a, err := recipe.ReadArray[float64](path)
	if err != nil {
		return nil, err
	}
	if a == nil {
		t, err := data.Read[float64](path, nil)
		if err != nil {
			return nil, err
		}
		return dense(t.X), nil
	}
	if len(a.Shape) != 3 || a.Shape[0] != g.Height || a.Shape[1] != g.Width {
		return nil, &data.Error{File: path, Found: fmt.Sprintf("an array of the shape %v", a.Shape), Hint: fmt.Sprintf("height x width x endmembers, %d x %d, is wanted", g.Height, g.Width), Err: recipe.ErrInput}
	}
	r := a.Shape[2]
	d := matrix.NewDense[float64](g.Len(), r)
	for y := range g.Height {
		for x := range g.Width {
			at := (y*g.Width + x) * r
			copy(d.Row(g.Index(x, y)), a.Data[at:at+r])
		}
	}
	return d, nil
}

func dense(x matrix.Matrix[float64]) *matrix.Dense[float64] {
	if s, ok := x.(*matrix.CSR[float64]); ok {
		return s.Dense()
	}
	return x.(*matrix.Dense[float64])
}

func columns(d *matrix.Dense[float64], at []int) *matrix.Dense[float64] {
	out := matrix.NewDense[float64](d.Rows, len(at))
	for i := range d.Rows {
		for to, j := range at {
			out.Set(i, to, d.At(i, j))
		}
	}
	return out
}

// Match is an endmember of the reference and the component that is it.
type Match struct {
	Name string `json:"name"`
	// Component counts from 0; -1 where there are more endmembers than
	// components.
	Component int `json:"component"`
	// Angle is the spectral angle in radians.
	Angle float64 `json:"angle"`
	// RMSE is of the abundances; 0 where those of the reference are not known.
	RMSE float64 `json:"abundance_rmse,omitempty"`
}

// Comparison is how a model does beside a reference. The means are over the
// matched endmembers; RMSE is over all their cells.
type Comparison struct {
	Matches   []Match `json:"matches"`
	MeanAngle float64 `json:"mean_angle"`
	RMSE      float64 `json:"abundance_rmse,omitempty"`
}

// Compare matches components to endmembers so that the sum of the spectral
// angles is least.
func Compare[F matrix.Float](m *nmf.Model[F], r *Reference) *Comparison {
	w, h := m.Factors()
	n := r.Endmembers.Rows
	angles := make([][]float64, n)
	gains := make([][]float64, n)
	for i := range angles {
		angles[i], gains[i] = make([]float64, m.K()), make([]float64, max(n, m.K()))
		for j := range m.K() {
			angles[i][j] = Angle(r.Endmembers.Row(i), h.Row(j))
			gains[i][j] = -angles[i][j]
		}
		for j := m.K(); j < n; j++ {
			gains[i][j] = -10 // no component: more than any angle
		}
	}
	c := new(Comparison)
	squares, cells, matched := 0.0, 0, 0
	for i, j := range rank.Assign(gains) {
		match := Match{Name: fmt.Sprintf("endmember %d", i+1), Component: -1}
		if r.Names != nil {
			match.Name = r.Names[i]
		}
		if j < m.K() {
			match.Component, match.Angle = j, angles[i][j]
			c.MeanAngle += match.Angle
			matched++
			if r.Abundances != nil {
				sum := 0.0
				for p := range w.Rows {
					d := w.At(p, j) - r.Abundances.At(p, i)
					sum += d * d
				}
				match.RMSE = math.Sqrt(sum / float64(w.Rows))
				squares += sum
				cells += w.Rows
			}
		}
		c.Matches = append(c.Matches, match)
	}
	c.MeanAngle /= float64(max(1, matched))
	c.RMSE = math.Sqrt(squares / float64(max(1, cells)))
	return c
}

// MeanAbundances are those of the components over all spectra.
func MeanAbundances[F matrix.Float](m *nmf.Model[F]) []float64 {
	w, _ := m.Factors()
	means := make([]float64, m.K())
	for i := range w.Rows {
		for j, v := range w.Row(i) {
			means[j] += v / float64(w.Rows)
		}
	}
	return means
}

// Maps draws the abundances of each component in the picture: black is none,
// white is all, or the largest where that is above one. Pixels left out are
// black.
func Maps[F matrix.Float](m *nmf.Model[F], s *Set[F], light bool) image.Image {
	w, _ := m.Factors()
	means := MeanAbundances(m)
	tiles := make([]figure.Tile, m.K())
	for j := range tiles {
		white := 1.0
		for i := range w.Rows {
			white = max(white, w.At(i, j))
		}
		row := make(map[int]int, len(s.Pixels)) // of a pixel
		for i, p := range s.Pixels {
			row[p] = i
		}
		img := image.NewGray(image.Rect(0, 0, s.Grid.Width, s.Grid.Height))
		for y := range s.Grid.Height {
			for x := range s.Grid.Width {
				if i, ok := row[s.Grid.Index(x, y)]; ok {
					img.Pix[y*img.Stride+x] = uint8(math.Round(255 * w.At(i, j) / white))
				}
			}
		}
		tiles[j] = figure.Tile{Image: img, Label: fmt.Sprintf("%d  mean %.3f", j+1, means[j])}
	}
	return figure.Montage(tiles, &figure.MontageOptions{Light: light})
}

// Plot draws the endmembers over their wavelengths, or bands, with those of a
// reference, unless that is nil, dashed in the colour of their match and of the
// same mean.
func Plot[F matrix.Float](m *nmf.Model[F], s *Set[F], r *Reference, c *Comparison) *figure.Chart {
	_, h := m.Factors()
	p := figure.Panel{XLabel: "band", X: s.Wavelengths}
	if s.Wavelengths != nil {
		p.XLabel = "wavelength"
		if s.Unit != "" {
			p.XLabel += ", " + s.Unit
		}
	}
	for j := range m.K() {
		p.Lines = append(p.Lines, figure.Line{Name: fmt.Sprint(j + 1), Y: h.Row(j), Colour: figure.Colour(j)})
	}
	if r != nil {
		for i, match := range c.Matches {
			if match.Component < 0 {
				continue
			}
			scale := mean(h.Row(match.Component)) / mean(r.Endmembers.Row(i))
			y := make([]float64, len(r.Endmembers.Row(i)))
			for j, v := range r.Endmembers.Row(i) {
				y[j] = scale * v
			}
			p.Lines = append(p.Lines, figure.Line{Name: match.Name, Y: y, Colour: figure.Colour(match.Component), Dashed: true})
		}
	}
	return &figure.Chart{Title: fmt.Sprintf("%d endmembers", m.K()), Width: 900, Height: 420, Panels: []figure.Panel{p}}
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
