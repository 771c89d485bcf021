package spectra

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Options says how spectra become rows. Nil and the zero value are the
// defaults.
type Options struct {
	// KeepBrightness leaves spectra as they are. Otherwise each is divided by its
	// mean, so that what counts is its form.
	KeepBrightness bool
	// Clip makes values below zero zero.
	Clip bool
	// Grid is how the rows of a matrix lie in the picture, where it is one.
	Grid recipe.Grid
	// BandsFirst says that an array of three axes is bands x height x width;
	// otherwise it is height x width x bands.
	BandsFirst bool
	// Read says how to read a matrix.
	Read *data.ReadOptions
}

// Set is a matrix of spectra: a row a pixel or sample.
type Set[F matrix.Float] struct {
	data.Table[F]
	// Grid is the form of the picture, zero where there is none.
	Grid recipe.Grid
	// Pixels and Bands are the places that rows and columns had in the input, of
	// AllPixels and AllBands: some are left out.
	Pixels, Bands       []int
	AllPixels, AllBands int
	// Wavelengths are those of the columns, nil where they are not known. Unit is
	// theirs.
	Wavelengths []float64
	Unit        string
}

// Spread is the weight of the penalty on the endmembers' distances, for spectra
// of mean one: enough to decide where noise leaves open how far out the corners
// of the simplex lie, little beside what pure pixels say.
const Spread = 1e-3

// Preset is linear unmixing: abundances sum to one, endmembers start at pixels
// that are far apart, and their simplex is as small as the data let it
// (Berman et al. 2004).
func Preset() *nmf.Options {
	return &nmf.Options{Init: "spa", PenaltyW: nmf.Penalty{Simplex: true}, PenaltyH: nmf.Penalty{Spread: Spread}}
}

// Read reads spectra: an ENVI image, by its header or its data; a .npy cube; or
// a matrix, a row a pixel or sample.
func Read[F matrix.Float](path string, o *Options) (*Set[F], error) {
	if o == nil {
		o = new(Options)
	}
	s := &Set[F]{Grid: o.Grid}
	x, noData, err := s.load(path, o)
	if err != nil {
		return nil, err
	}
	s.AllPixels, s.AllBands = x.Rows, x.Cols
	if s.Grid.Width != 0 || s.Grid.Height != 0 {
		if err := s.Grid.Check(path, x.Rows, "spectra"); err != nil {
			return nil, err
		}
	}
	if err := s.prepare(path, x, noData, o); err != nil {
		return nil, err
	}
	return s, nil
}

// load reads the numbers; noData says that NaN is a cell without data.
func (s *Set[F]) load(path string, o *Options) (x *matrix.Dense[F], noData bool, err error) {
	bad := func(found, hint string) error {
		return &data.Error{File: path, Found: found, Hint: hint, Err: recipe.ErrInput}
	}
	if header, image, ok := enviFiles(path); ok {
		x, h, err := readENVI[F](header, image)
		if err != nil {
			return nil, false, err
		}
		if s.Grid != (recipe.Grid{}) {
			return nil, false, bad("an ENVI header gives the form of the picture", "leave --width, --height and --order out")
		}
		s.Grid = recipe.Grid{Width: h.samples, Height: h.lines}
		s.Format, s.Wavelengths, s.Unit, s.ColumnNames = "envi", h.wavelengths, h.unit, h.bandNames
		for j := range h.bands {
			if h.good == nil || h.good[j] {
				s.Bands = append(s.Bands, j)
			}
		}
		if dropped := h.bands - len(s.Bands); dropped > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("%s: bands on the list of bad ones were left out: %d of %d", header, dropped, h.bands))
		}
		return x, true, nil
	}
	a, err := recipe.ReadArray[F](path)
	if err != nil {
		return nil, false, err
	}
	if a == nil {
		t, err := data.Read[F](path, o.Read)
		if err != nil {
			return nil, false, err
		}
		s.Table = *t
		s.Wavelengths, s.Unit = wavelengths(t.ColumnNames)
		if sparse, ok := t.X.(*matrix.CSR[F]); ok {
			return sparse.Dense(), false, nil
		}
		return t.X.(*matrix.Dense[F]), false, nil
	}
	if len(a.Shape) != 3 {
		return nil, false, bad(fmt.Sprintf("an array of %d axes", len(a.Shape)), "a cube has three: height x width x bands")
	}
	height, width, bands := a.Shape[0], a.Shape[1], a.Shape[2]
	if o.BandsFirst {
		bands, height, width = a.Shape[0], a.Shape[1], a.Shape[2]
	}
	if o.Grid.Width != 0 && o.Grid.Width != width || o.Grid.Height != 0 && o.Grid.Height != height {
		return nil, false, bad(fmt.Sprintf("the cube has pictures of %d x %d, not %d x %d", width, height, o.Grid.Width, o.Grid.Height), "leave --width and --height out")
	}
	s.Grid, s.Format = recipe.Grid{Width: width, Height: height}, "npy"
	pixels := height * width
	if !o.BandsFirst {
		return &matrix.Dense[F]{Rows: pixels, Cols: bands, Stride: bands, Data: a.Data}, false, nil
	}
	d := &matrix.Dense[F]{Rows: bands, Cols: pixels, Stride: pixels, Data: a.Data}
	return d.T(), false, nil
}

// wavelengths reads the names of columns as numbers, with a unit behind.
func wavelengths(names []string) (list []float64, unit string) {
	for _, name := range names {
		text := strings.TrimSpace(name)
		end := strings.LastIndexAny(text, "0123456789.") + 1
		v, err := strconv.ParseFloat(text[:end], 64)
		if err != nil {
			return nil, ""
		}
		list, unit = append(list, v), strings.TrimSpace(text[end:])
	}
	return list, unit
}

// prepare leaves out what has no light, and scales.
func (s *Set[F]) prepare(path string, x *matrix.Dense[F], noData bool, o *Options) error {
	if s.Bands == nil {
		s.Bands = make([]int, x.Cols)
		for j := range s.Bands {
			s.Bands[j] = j
		}
	}
	row := make([]F, len(s.Bands))
	var kept []F
	holes, dark := 0, 0
	for i := range x.Rows {
		sum := 0.0
		hole := false
		for to, j := range s.Bands {
			v := x.At(i, j)
			switch {
			case v < 0 && o.Clip:
				v = 0
			case v < 0:
				return &data.Error{File: path, Found: fmt.Sprintf("spectrum %d%s, band %d: %v is below zero", i+1, s.place(i), j+1, v),
					Hint: "noise, or a correction that takes too much: --clip makes such values zero", Err: recipe.ErrInput}
			case v != v && noData:
				hole = true
			}
			row[to] = v
			sum += float64(v)
		}
		switch {
		case hole:
			holes++
			continue
		case sum == 0:
			dark++
			continue
		}
		if mean := sum / float64(len(row)); !o.KeepBrightness && mean > 0 && !math.IsInf(mean, 0) {
			for j, v := range row {
				row[j] = F(float64(v) / mean)
			}
		}
		kept = append(kept, row...)
		s.Pixels = append(s.Pixels, i)
	}
	if len(s.Pixels) == 0 {
		return &data.Error{File: path, Found: "every spectrum is dark or without data", Hint: "check the file", Err: nmf.ErrEmpty}
	}
	for _, n := range []struct {
		count int
		what  string
	}{{holes, "without data"}, {dark, "that are zero"}} {
		if n.count > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("%s: spectra %s were left out: %d of %d", path, n.what, n.count, x.Rows))
		}
	}
	s.X = &matrix.Dense[F]{Rows: len(s.Pixels), Cols: len(row), Stride: len(row), Data: kept}
	s.RowNames, s.ColumnNames, s.Wavelengths = pick(s.RowNames, s.Pixels), pick(s.ColumnNames, s.Bands), pick(s.Wavelengths, s.Bands)
	if s.ColumnNames == nil && s.Wavelengths != nil {
		for _, v := range s.Wavelengths {
			s.ColumnNames = append(s.ColumnNames, strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	return nil
}

// place says where in the picture a spectrum is.
func (s *Set[F]) place(i int) string {
	switch {
	case s.Grid.Len() == 0:
		return ""
	case s.Grid.ColumnMajor:
		return fmt.Sprintf(" (column %d, row %d of the picture)", i/s.Grid.Height+1, i%s.Grid.Height+1)
	}
	return fmt.Sprintf(" (column %d, row %d of the picture)", i%s.Grid.Width+1, i/s.Grid.Width+1)
}

// pick gives the entries at some places, nil of nil.
func pick[T any](list []T, at []int) []T {
	if list == nil || len(list) == len(at) {
		return slices.Clone(list)
	}
	picked := make([]T, len(at))
	for i, j := range at {
		picked[i] = list[j]
	}
	return picked
}
