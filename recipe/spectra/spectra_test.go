package spectra

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// cube is a scene whose value at pixel (x, y) and band b is 100y + 10x + b + 1.
type cube struct{ width, height, bands int }

func (c cube) at(x, y, b int) float64 { return float64(100*y + 10*x + b + 1) }

// write makes an ENVI image of it and gives the header.
func (c cube) write(t *testing.T, kind int, interleave string, big bool, more string) string {
	t.Helper()
	dir := t.TempDir()
	var order binary.AppendByteOrder = binary.LittleEndian
	byteOrder := 0
	if big {
		order, byteOrder = binary.BigEndian, 1
	}
	b := []byte("junk") // header offset 4
	put := func(x, y, band int) {
		v := c.at(x, y, band)
		switch kind {
		case 1:
			b = append(b, uint8(v))
		case 2, 12:
			b = order.AppendUint16(b, uint16(v))
		case 3, 13:
			b = order.AppendUint32(b, uint32(v))
		case 4:
			b = order.AppendUint32(b, math.Float32bits(float32(v)))
		case 5:
			b = order.AppendUint64(b, math.Float64bits(v))
		default:
			b = order.AppendUint64(b, uint64(v))
		}
	}
	outer, middle, inner := c.bands, c.height, c.width
	cell := func(o, m, i int) { put(i, m, o) }
	switch interleave {
	case "bil":
		outer, middle = c.height, c.bands
		cell = func(o, m, i int) { put(i, o, m) }
	case "bip":
		outer, middle, inner = c.height, c.width, c.bands
		cell = func(o, m, i int) { put(m, o, i) }
	}
	for o := range outer {
		for m := range middle {
			for i := range inner {
				cell(o, m, i)
			}
		}
	}
	header := fmt.Sprintf("ENVI\r\ndescription = {\n a = b, of two lines }\nSamples = %d\nlines   = %d\nbands   = %d\nheader offset = 4\ndata type = %d\ninterleave = %s\nbyte order = %d\n%s\n",
		c.width, c.height, c.bands, kind, strings.ToUpper(interleave), byteOrder, more)
	path := filepath.Join(dir, "scene.hdr")
	if err := errors.Join(os.WriteFile(path, []byte(header), 0o666), os.WriteFile(filepath.Join(dir, "scene.img"), b, 0o666)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestENVI(t *testing.T) {
	c := cube{3, 2, 4}
	for kind := range enviSizes {
		for _, interleave := range []string{"bsq", "bil", "bip"} {
			for _, big := range []bool{false, true} {
				path := c.write(t, kind, interleave, big, "wavelength = {400,\n500, 600, 700.5}\nwavelength units = nm")
				for _, p := range []string{path, strings.TrimSuffix(path, ".hdr") + ".img"} {
					s, err := Read[float64](p, &Options{KeepBrightness: true})
					if err != nil {
						t.Fatal(err)
					}
					if s.Grid != (recipe.Grid{Width: 3, Height: 2}) || s.Unit != "nm" || s.ColumnNames[3] != "700.5" {
						t.Errorf("%v, %q, %q", s.Grid, s.Unit, s.ColumnNames)
					}
					d := s.X.(*matrix.Dense[float64])
					for y := range c.height {
						for x := range c.width {
							for b := range c.bands {
								want := c.at(x, y, b)
								if kind == 1 {
									want = float64(uint8(want))
								}
								if got := d.At(y*c.width+x, b); got != want {
									t.Fatalf("type %d, %s, big %v: (%d, %d, %d) is %v, want %v", kind, interleave, big, x, y, b, got, want)
								}
							}
						}
					}
				}
			}
		}
	}
}

// TestENVILeavesOut has bad bands and pixels without data.
func TestENVILeavesOut(t *testing.T) {
	c := cube{3, 2, 4}
	path := c.write(t, 4, "bip", false, "bbl = {1, 0, 1, 1}\ndata ignore value = 113\nband names = {a, b, c, d}")
	s, err := Read[float64](path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Pixels, []int{0, 1, 2, 3, 5}) || !slices.Equal(s.Bands, []int{0, 2, 3}) || !slices.Equal(s.ColumnNames, []string{"a", "c", "d"}) || len(s.Notes) != 2 {
		t.Errorf("pixels %v, bands %v, names %q, notes %q", s.Pixels, s.Bands, s.ColumnNames, s.Notes)
	}
	for i := range s.Pixels {
		if m := mean(s.X.(*matrix.Dense[float64]).Row(i)); math.Abs(m-1) > 1e-12 {
			t.Errorf("spectrum %d has the mean %v", i, m)
		}
	}
}

func TestENVIRefuses(t *testing.T) {
	good := "ENVI\nsamples = 2\nlines = 2\nbands = 2\ndata type = 4\ninterleave = bsq\n"
	for _, c := range []struct{ from, to, want string }{
		{"ENVI", "ENVY", "the first line"},
		{"samples = 2", "samples = 0", `"samples" is "0"`},
		{"lines = 2", "", `"lines" is ""`},
		{"data type = 4", "data type = 6", `"data type" 6 is not read`},
		{"bsq", "bsp", `"interleave" is "bsp"`},
		{"bsq", "bsq\nbyte order = 2", `"byte order" is "2"`},
		{"bsq", "bsq\nheader offset = -1", `"header offset"`},
		{"bsq", "bsq\nfile compression = 1", "decompress"},
		{"bsq", "bsq\nwavelength = {1}", `"wavelength" has 1 entries for 2 bands`},
		{"bsq", "bsq\nwavelength = {1, x}", `"wavelength" has "x"`},
		{"bsq", "bsq\nbbl = {1, x}", `"bbl" has "x"`},
		{"bsq", "bsq\nwavelength = {1", "has a { and no }"},
		{"bsq", "bsq\ndata ignore value = none", `"data ignore value"`},
		{"samples = 2\nlines = 2", "samples = 16777216\nlines = 16777216", "pixels are more than"},
	} {
		if _, err := parseENVI(strings.Replace(good, c.from, c.to, 1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.to, err)
		}
	}
	c := cube{3, 2, 4}
	path := c.write(t, 5, "bsq", false, "")
	image := strings.TrimSuffix(path, ".hdr") + ".img"
	if err := os.Truncate(image, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := Read[float64](path, nil); err == nil || !strings.Contains(err.Error(), "the cube is 100 bytes long; 2 lines of 3 samples and 4 bands of data type 5 take 196") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(image); err != nil {
		t.Fatal(err)
	}
	if _, err := Read[float64](path, nil); err == nil || !strings.Contains(err.Error(), "no image is beside") {
		t.Errorf("%v", err)
	}
}

func FuzzENVI(f *testing.F) {
	f.Add("ENVI\nsamples = 2\nlines = 2\nbands = 2\ndata type = 12\ninterleave = bil\nbyte order = 1\n", []byte("0123456789abcdef"))
	f.Add("ENVI\nsamples = 1\nlines = 1\nbands = 2\ndata type = 4\ninterleave = bip\nbbl = {1,\n0}\nwavelength = {1,2}\ndata ignore value = 0", []byte("01234567"))
	f.Fuzz(func(t *testing.T, header string, image []byte) {
		h, err := parseENVI(header)
		if err != nil || h.offset > int64(len(image)) || h.size() > int64(len(image)) {
			return
		}
		x, err := decodeENVI[float64](bytes.NewReader(image[h.offset:]), h)
		if err != nil {
			t.Fatal(err)
		}
		if x.Rows != h.samples*h.lines || x.Cols != h.bands {
			t.Fatalf("%d x %d", x.Rows, x.Cols)
		}
	})
}

// TestReadCube reads the same cube in both orders and as a matrix.
func TestReadCube(t *testing.T) {
	dir := t.TempDir()
	c := cube{3, 2, 4}
	var last, first []float64
	var text strings.Builder
	text.WriteString("400 nm,410 nm,420 nm,430 nm\n")
	for y := range c.height {
		for x := range c.width {
			for b := range c.bands {
				last = append(last, c.at(x, y, b))
			}
		}
	}
	for b := range c.bands {
		for y := range c.height {
			for x := range c.width {
				first = append(first, c.at(x, y, b))
			}
		}
	}
	for x := range c.width { // down columns
		for y := range c.height {
			fmt.Fprintf(&text, "%v,%v,%v,%v\n", c.at(x, y, 0), c.at(x, y, 1), c.at(x, y, 2), c.at(x, y, 3))
		}
	}
	write := func(name string, shape []int, v []float64) string {
		var b bytes.Buffer
		path := filepath.Join(dir, name)
		if err := errors.Join(npy.Write(&b, shape, v), os.WriteFile(path, b.Bytes(), 0o666)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	table := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(table, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, in := range []struct {
		path string
		o    Options
	}{
		{write("last.npy", []int{2, 3, 4}, last), Options{}},
		{write("first.npy", []int{4, 2, 3}, first), Options{BandsFirst: true}},
		{table, Options{Grid: recipe.Grid{Width: 3, Height: 2, ColumnMajor: true}}},
	} {
		in.o.KeepBrightness = true
		s, err := Read[float64](in.path, &in.o)
		if err != nil {
			t.Fatal(err)
		}
		d := s.X.(*matrix.Dense[float64])
		for y := range c.height {
			for x := range c.width {
				for b := range c.bands {
					if got := d.At(s.Grid.Index(x, y), b); got != c.at(x, y, b) {
						t.Fatalf("%s: (%d, %d, %d) is %v", in.path, x, y, b, got)
					}
				}
			}
		}
		if in.path == table && (!slices.Equal(s.Wavelengths, []float64{400, 410, 420, 430}) || s.Unit != "nm") {
			t.Errorf("wavelengths %v %q", s.Wavelengths, s.Unit)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.csv")
	if err := os.WriteFile(path, []byte("1,2\n0,0\n3,-4\n5,6\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := Read[float64](path, &Options{Grid: recipe.Grid{Width: 2, Height: 2}})
	if !errors.Is(err, recipe.ErrInput) || !strings.Contains(err.Error(), "spectrum 3 (column 1, row 2 of the picture), band 2: -4 is below zero") {
		t.Errorf("%v", err)
	}
	if _, err = Read[float64](path, &Options{Grid: recipe.Grid{Width: 3, Height: 2}, Clip: true}); !errors.Is(err, recipe.ErrInput) || !strings.Contains(err.Error(), "there are 4 spectra, and 3 x 2 are 6") {
		t.Errorf("%v", err)
	}
	s, err := Read[float64](path, &Options{Clip: true})
	if err != nil || !slices.Equal(s.Pixels, []int{0, 2, 3}) || !slices.Equal(s.X.(*matrix.Dense[float64]).Row(1), []float64{2, 0}) {
		t.Errorf("%v, %v", s, err)
	}
	if err := os.WriteFile(path, []byte("0,0\n0,0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Read[float64](path, nil); !errors.Is(err, nmf.ErrEmpty) {
		t.Errorf("%v", err)
	}
}

func TestAngle(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want float64
	}{{[]float64{1, 2}, []float64{3, 6}, 0}, {[]float64{1, 0}, []float64{0, 5}, math.Pi / 2}, {[]float64{1, 0}, []float64{1, 1}, math.Pi / 4}, {[]float64{0, 0}, []float64{1, 1}, math.Pi / 2}} {
		if got := Angle(c.a, c.b); math.Abs(got-c.want) > 1e-7 {
			t.Errorf("Angle(%v, %v) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// planted mixes three spectra that a picture of 12 x 9 has pure pixels of.
func planted(seed uint64) (*Set[float64], *Reference) {
	const width, height, bands, r = 12, 9, 30, 3
	rng := rand.New(rand.NewPCG(seed, 1))
	ref := &Reference{Endmembers: matrix.NewDense[float64](r, bands), Abundances: matrix.NewDense[float64](width*height, r), Names: []string{"soil", "tree", "water"}}
	for i := range r {
		for j := range bands {
			ref.Endmembers.Set(i, j, 0.2+math.Exp(-math.Pow(float64(j-10*i-4)/5, 2)))
		}
		total := mean(ref.Endmembers.Row(i))
		for j := range bands {
			ref.Endmembers.Set(i, j, ref.Endmembers.At(i, j)/total)
		}
	}
	x := matrix.NewDense[float64](width*height, bands)
	for p := range x.Rows {
		a := ref.Abundances.Row(p)
		if p < r {
			a[p] = 1
		} else {
			sum := 0.0
			for i := range a {
				a[i] = -math.Log(rng.Float64())
				sum += a[i]
			}
			for i := range a {
				a[i] /= sum
			}
		}
		for i, v := range a {
			for j := range bands {
				x.Set(p, j, x.At(p, j)+v*ref.Endmembers.At(i, j))
			}
		}
	}
	s := &Set[float64]{Grid: recipe.Grid{Width: width, Height: height}, AllPixels: x.Rows, AllBands: bands}
	s.X = x
	for p := range x.Rows {
		s.Pixels = append(s.Pixels, p)
	}
	return s, ref
}

// TestPlanted finds endmembers and abundances that are there exactly.
func TestPlanted(t *testing.T) {
	for seed := range uint64(3) {
		s, ref := planted(seed)
		m, err := nmf.Fit(context.Background(), s.X, 3, Preset())
		if err != nil {
			t.Fatal(err)
		}
		c := Compare(m, ref)
		if c.MeanAngle > 0.05 || c.RMSE > 0.03 { // the penalty draws endmembers together
			t.Errorf("seed %d: mean angle %.2g, RMSE %.2g", seed, c.MeanAngle, c.RMSE)
		}
		free := Preset()
		free.PenaltyH.Spread = 0
		exact, err := nmf.Fit(context.Background(), s.X, 3, free)
		if err != nil {
			t.Fatal(err)
		}
		if c := Compare(exact, ref); c.MeanAngle > 1e-3 || c.RMSE > 1e-3 {
			t.Errorf("seed %d, without spread: mean angle %.2g, RMSE %.2g", seed, c.MeanAngle, c.RMSE)
		}
		img := Maps(m, s, false)
		match := c.Matches[0]
		if match.Name != "soil" {
			t.Errorf("the first match is %+v", match)
		}
		// Pixel 0 is all of the first endmember, and white in its map: 8 times enlarged.
		at := 8 + 50 + match.Component%2*(8+96)
		y := 8 + match.Component/2*(72+16+8)
		if v := color.GrayModel.Convert(img.At(at-50+2, y+2)).(color.Gray).Y; v < 250 {
			t.Errorf("its pure pixel is %d in its map", v)
		}
		chart := Plot(m, s, ref, c)
		if len(chart.Panels[0].Lines) != 6 || !chart.Panels[0].Lines[3].Dashed {
			t.Errorf("the plot has %d lines", len(chart.Panels[0].Lines))
		}
	}
}

// TestCompareOtherNumbers has fewer and more components than endmembers.
func TestCompareOtherNumbers(t *testing.T) {
	s, ref := planted(1)
	for _, k := range []int{2, 5} {
		m, err := nmf.Fit(context.Background(), s.X, k, Preset())
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		for _, match := range Compare(m, ref).Matches {
			if match.Component >= 0 && seen[match.Component] || match.Component >= k {
				t.Errorf("k = %d: %+v", k, match)
			}
			seen[match.Component] = true
		}
		if len(seen) != 3 || seen[-1] != (k == 2) {
			t.Errorf("k = %d: components %v", k, seen)
		}
	}
}

// TestSamson unmixes the Samson scene, 95 x 95 pixels down columns of 156 bands,
// and compares with its published endmembers and abundances.
func TestSamson(t *testing.T) {
	path := testdata.Shared(t, "data/samson/samson.npy")
	endmembers, abundances := testdata.Shared(t, "data/samson/endmembers.npy"), testdata.Shared(t, "data/samson/abundances.npy")
	s, err := Read[float32](path, &Options{Grid: recipe.Grid{Width: 95, Height: 95, ColumnMajor: true}})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := ReadReference(endmembers, abundances, s)
	if err != nil {
		t.Fatal(err)
	}
	// Fully constrained least squares with the true endmembers: H is held.
	held := ref.Endmembers.Clone()
	for i := range held.Rows {
		scale := mean(held.Row(i))
		for j := range held.Row(i) {
			held.Row(i)[j] /= scale
		}
	}
	known := &nmf.Options{Init: "random", PenaltyW: nmf.Penalty{Simplex: true}, PenaltyH: nmf.Penalty{Held: held}}
	free := Preset()
	free.PenaltyH.Spread = 0
	for _, c := range []struct {
		name        string
		o           *nmf.Options
		angle, rmse float64
	}{
		{"preset", Preset(), 0.06, 0.07},
		{"without spread", free, 0.1, 0.1},
		{"true endmembers held", known, 1e-3, 0.1},
	} {
		m, err := nmf.Fit(context.Background(), s.X, 3, c.o)
		if err != nil {
			t.Fatal(err)
		}
		got := Compare(m, ref)
		t.Logf("%s: %v after %d iterations, relative error %.5f, mean spectral angle %.4f, RMSE of the abundances %.4f", c.name, m.Info.Status, m.Info.Iterations, m.Info.RelativeError, got.MeanAngle, got.RMSE)
		if got.MeanAngle > c.angle || got.RMSE > c.rmse {
			t.Errorf("%s: mean spectral angle %.4f, RMSE of the abundances %.4f", c.name, got.MeanAngle, got.RMSE)
		}
	}
}
