package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// randomImage has every pixel drawn for itself.
func randomImage(rng *rand.Rand, w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(3, 5, 3+w, 5+h)) // not from the origin
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

func TestGreyIsThatOfImageColor(t *testing.T) {
	img := randomImage(rand.New(rand.NewPCG(1, 2)), 7, 5)
	p := fromImage(img, false)
	for i, v := range p.pix {
		x, y := 3+i%7, 5+i/7
		want := float64(color.Gray16Model.Convert(img.At(x, y)).(color.Gray16).Y) / 0xffff
		if v != want {
			t.Fatalf("pixel %d is %v, want %v", i, v, want)
		}
	}
	c := fromImage(img, true)
	if r, g, b, _ := img.At(4, 5).RGBA(); c.pix[3] != float64(r)/0xffff || c.pix[4] != float64(g)/0xffff || c.pix[5] != float64(b)/0xffff {
		t.Errorf("the second pixel is %v", c.pix[3:6])
	}
}

// TestResize compares with package draw's tent, which works in 16 bits.
func TestResize(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range [][4]int{{9, 7, 3, 2}, {5, 5, 12, 9}, {16, 4, 5, 8}, {1, 1, 3, 3}, {8, 6, 8, 3}, {13, 1, 1, 1}} {
		img := randomImage(rng, c[0], c[1])
		want := image.NewRGBA64(image.Rect(0, 0, c[2], c[3]))
		draw.BiLinear.Scale(want, want.Bounds(), img, img.Bounds(), draw.Src, nil)
		got := fromImage(img, true).resize(c[2], c[3])
		for i, v := range fromImage(want, true).pix {
			if math.Abs(v-got.pix[i]) > 1e-3 {
				t.Fatalf("%v: value %d is %v, want %v", c, i, got.pix[i], v)
			}
		}
	}
}

func TestCrop(t *testing.T) {
	p := newPicture(Shape{4, 3, 1})
	for i := range p.pix {
		p.pix[i] = float64(i)
	}
	for _, c := range []struct {
		text string
		want []float64
	}{{"2x1", []float64{5, 6}}, {"2x2+1+1", []float64{5, 6, 9, 10}}, {"4x3", p.pix}, {"", p.pix}} {
		crop, err := ParseCrop(c.text)
		if err != nil {
			t.Fatal(err)
		}
		q, err := p.crop(crop)
		if err != nil || !slices.Equal(q.pix, c.want) {
			t.Errorf("%q gives %v, %v; want %v", c.text, q, err, c.want)
		}
	}
	for _, text := range []string{"5x1", "1x4", "2x2+3+0", "2x2+0+2"} {
		crop, err := ParseCrop(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.crop(crop); !errors.Is(err, recipe.ErrInput) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"5", "0x1", "ax2", "2x2+1", "2x2+-1+0", "2x2+1+1+1", "99999x1"} {
		if _, err := ParseCrop(text); !errors.Is(err, recipe.ErrOption) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestStandardise(t *testing.T) {
	p := newPicture(Shape{2, 1, 1})
	p.pix[0], p.pix[1] = 0.6, 0.8
	p.standardise()
	if math.Abs(p.pix[0]) > 1e-12 || math.Abs(p.pix[1]-0.5) > 1e-12 {
		t.Errorf("0.6 and 0.8 become %v", p.pix)
	}
	even := newPicture(Shape{2, 2, 1})
	even.standardise()
	if even.pix[0] != 0.25 || even.pix[3] != 0.25 {
		t.Errorf("an even picture becomes %v", even.pix)
	}
}

func TestSparseness(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{[]float64{0, 3, 0, 0}, 1}, {[]float64{2, 2, 2}, 0}, {[]float64{1, 1, 0, 0}, 2 - math.Sqrt2}, {nil, 0}, {[]float64{0, 0}, 0}} {
		if got := Sparseness(c.v); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("Sparseness(%v) = %v, want %v", c.v, got, c.want)
		}
	}
}

// folder writes the same picture in each format.
func folder(t *testing.T, img image.Image) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, b []byte) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, b, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	var p, j, g bytes.Buffer
	err := errors.Join(png.Encode(&p, img), jpeg.Encode(&j, img, &jpeg.Options{Quality: 100}), gif.Encode(&g, img, nil))
	if err != nil {
		t.Fatal(err)
	}
	write("a.png", p.Bytes())
	write("sub/b.jpg", j.Bytes())
	write("sub/c.gif", g.Bytes())
	write("d.PPM", encodePNM('6', 255, fromImage(img, true)))
	write("notes.txt", []byte("no picture"))
	write(".hidden/e.png", p.Bytes())
	write(".f.png", []byte("no picture"))
	return dir
}

func TestReadFolder(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 6, 4))
	draw.Draw(img, img.Bounds(), image.NewUniform(palette.Plan9[140]), image.Point{}, draw.Src)
	r, g, b, _ := palette.Plan9[140].RGBA()
	want := []float64{float64(r) / 0xffff, float64(g) / 0xffff, float64(b) / 0xffff}
	dir := folder(t, img)
	for _, threads := range []int{1, 3} {
		s, err := Read[float64]([]string{dir}, &Options{Colour: true, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if names := []string{"a.png", "d.PPM", "sub/b.jpg", "sub/c.gif"}; !slices.Equal(s.RowNames, names) {
			t.Errorf("images %q, want %q", s.RowNames, names)
		}
		if s.Shape != (Shape{6, 4, 3}) || s.White != 1 || len(s.Notes) != 1 || s.ColumnNames[4] != "r1c2 green" {
			t.Errorf("%v, white %v, notes %q, column %q", s.Shape, s.White, s.Notes, s.ColumnNames[4])
		}
		d := s.X.(*matrix.Dense[float64])
		for i := range d.Rows {
			for j, v := range d.Row(i) {
				if math.Abs(v-want[j%3]) > 0.03 { // jpeg rounds
					t.Fatalf("%s: value %d is %v, want %v", s.RowNames[i], j, v, want[j%3])
				}
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 5, 4))); err != nil {
		t.Fatal(err)
	}
	small, large := write("small.pgm", []byte("P2 2 1 9 0 9")), write("large.png", b.Bytes())
	huge := write("huge.pgm", []byte("P5 30000 30000 255\n"))
	cut := write("cut.png", b.Bytes()[:40])
	text := write("text.png", []byte("hello"))
	table := write("table.csv", []byte("1,2,3,4\n5,6,7,8\n"))
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		paths []string
		o     Options
		want  string
	}{
		{[]string{small, large}, Options{}, "large.png: it is 5 x 4, and " + small + " is 2 x 1"},
		{[]string{huge}, Options{}, "at most"},
		{[]string{cut}, Options{}, "damaged or cut short"},
		{[]string{text}, Options{}, "is not a picture that is read"},
		{[]string{empty}, Options{}, "no picture is below it"},
		{[]string{small}, Options{Crop: Crop{Width: 3, Height: 1, Centred: true}}, "does not lie within it"},
		{[]string{small}, Options{Grid: recipe.Grid{Width: 2, Height: 1}}, "pictures know their own"},
		{[]string{table}, Options{}, "give --width and --height"},
		{[]string{table}, Options{Grid: recipe.Grid{Width: 3, Height: 1}}, "there are 4 columns of pixels, and 3 x 1 are 3"},
		{[]string{table}, Options{Grid: recipe.Grid{Width: 2, Height: 2}, Columns: Range{2, 5}}, "columns 2 to 5 are asked of 4"},
		{[]string{table}, Options{Grid: recipe.Grid{Width: 2, Height: 2}, Colour: true}, "no multiple of 3"},
	} {
		_, err := Read[float64](c.paths, &c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.paths, err, c.want)
		}
	}
}

// TestReadMatrix reads the same images as rows, as columns of MATLAB's order
// and as arrays.
func TestReadMatrix(t *testing.T) {
	dir := t.TempDir()
	rows := filepath.Join(dir, "rows.csv")
	turned := filepath.Join(dir, "turned.csv")
	array := filepath.Join(dir, "array.npy")
	var b bytes.Buffer
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	err := errors.Join(npy.Write(&b, []int{2, 2, 3}, values), os.WriteFile(array, b.Bytes(), 0o666),
		os.WriteFile(rows, []byte("1,2,3,4,5,6,99\n7,8,9,10,11,12,99\n"), 0o666),
		os.WriteFile(turned, []byte("1,7\n4,10\n2,8\n5,11\n3,9\n6,12\n"), 0o666))
	if err != nil {
		t.Fatal(err)
	}
	grid := recipe.Grid{Width: 3, Height: 2}
	for _, c := range []struct {
		path string
		o    Options
	}{
		{rows, Options{Grid: grid, Columns: Range{1, 6}}},
		{turned, Options{Grid: recipe.Grid{Width: 3, Height: 2, ColumnMajor: true}, Read: &data.ReadOptions{Transpose: true}}},
		{array, Options{}},
	} {
		s, err := Read[float64]([]string{c.path}, &c.o)
		if err != nil {
			t.Fatal(err)
		}
		d := s.X.(*matrix.Dense[float64])
		if s.Shape != (Shape{3, 2, 1}) || s.White != 12 || !slices.Equal(d.Data, values) {
			t.Errorf("%s: %v, white %v, %v", c.path, s.Shape, s.White, d.Data)
		}
	}
}

// TestMontage draws 1 and 100 components, dark and light, small and large.
func TestMontage(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		k int
		s Shape
	}{{1, Shape{19, 19, 1}}, {100, Shape{19, 19, 1}}, {3, Shape{400, 100, 1}}, {5, Shape{8, 4, 3}}} {
		m := &nmf.Model[float32]{W: matrix.NewDense[float32](1, c.k), H: matrix.NewDense[float32](c.k, c.s.Len()), Scales: make([]float64, c.k)}
		for j := range m.Scales {
			m.Scales[j] = 1
			for i := range c.s.Len() {
				m.H.Set(j, i, rng.Float32())
			}
		}
		for _, light := range []bool{false, true} {
			img := Montage(m, c.s, light)
			b := img.Bounds()
			if b.Dx() < 96 || b.Dy() < 72 || b.Dx() > 4000 || b.Dy() > 4000 {
				t.Errorf("%d of %v: the montage is %v", c.k, c.s, b)
			}
			r, _, _, _ := img.At(0, 0).RGBA()
			if (r > 0x8000) != light {
				t.Errorf("%d of %v, light %v: the ground is %x", c.k, c.s, light, r)
			}
		}
	}
}

func TestReconstructions(t *testing.T) {
	x, err := matrix.FromRows([][]float64{{0, 1, 0.5, 0.25}, {1, 0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	set := &Set[float64]{Table: data.Table[float64]{X: x, RowNames: []string{"sub/a.png", "../b"}}, Shape: Shape{2, 2, 1}, White: 1}
	m, err := nmf.Fit(context.Background(), x, 2, &nmf.Options{RowNames: set.RowNames})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := WriteReconstructions(dir, m, set); err != nil {
		t.Fatal(err)
	}
	p, err := Read[float64]([]string{filepath.Join(dir, "sub", "a.png.png"), filepath.Join(dir, "b.png")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := p.X.(*matrix.Dense[float64])
	for i, v := range x.Data {
		if math.Abs(got.Data[i]-v) > 0.01 {
			t.Fatalf("%v came back as %v", x.Data, got.Data)
		}
	}
}

// fitFaces factorizes the faces of Lee & Seung (1999) with their k.
func fitFaces(t *testing.T, o *nmf.Options) (*nmf.Model[float32], *Set[float32]) {
	t.Helper()
	path := testdata.Shared(t, "data/cbcl-faces/CBCL_Face.mat")
	set, err := Read[float32]([]string{path}, &Options{Grid: recipe.Grid{Width: 19, Height: 19, ColumnMajor: true}, Read: &data.ReadOptions{Transpose: true}})
	if err != nil {
		t.Fatal(err)
	}
	if rows, _ := set.X.Dims(); rows != 2429 {
		t.Fatalf("%d faces", rows)
	}
	m, err := nmf.Fit(context.Background(), set.X, 49, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, set
}

// TestFaces finds parts with and without asking for sparseness.
func TestFaces(t *testing.T) {
	plain, _ := fitFaces(t, nil)
	got := MeanSparseness(plain)
	t.Logf("plain: relative error %.5f, sparseness %.3f", plain.Info.RelativeError, got)
	if got < 0.6 || plain.Info.RelativeError > 0.081 {
		t.Errorf("plain: sparseness %.3f, relative error %.5f", got, plain.Info.RelativeError)
	}
	if testing.Short() {
		return
	}
	parts, _ := fitFaces(t, Parts())
	t.Logf("parts: relative error %.5f", parts.Info.RelativeError)
	for j := range parts.K() {
		if s := Sparseness(parts.H.Row(j)); math.Abs(s-Sparsity) > 1e-3 {
			t.Errorf("component %d has the sparseness %.4f", j+1, s)
		}
	}
	if parts.Info.RelativeError > 0.084 {
		t.Errorf("parts: relative error %.5f", parts.Info.RelativeError)
	}
}

// TestDigits leaves the label in the last column out.
func TestDigits(t *testing.T) {
	path := testdata.Shared(t, "data/digits/digits.csv.gz")
	set, err := Read[float64]([]string{path}, &Options{Grid: recipe.Grid{Width: 8, Height: 8}, Columns: Range{1, 64}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nmf.Fit(context.Background(), set.X, 16, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := set.X.Dims()
	if s := MeanSparseness(m); rows != 1797 || set.White != 16 || s < 0.7 || m.Info.RelativeError > 0.26 {
		t.Errorf("%d digits, white %v, sparseness %.3f, relative error %.4f", rows, set.White, s, m.Info.RelativeError)
	}
}

// encodePNM writes a picture as netpbm's kind.
func encodePNM(kind byte, most int, p *picture) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "P%c # a comment\n%d %d\n", kind, p.Width, p.Height)
	bitmap := kind == '1' || kind == '4'
	if !bitmap {
		fmt.Fprintf(&b, "%d\n", most)
	}
	packed, bits := byte(0), 0
	for i, v := range p.pix {
		level := int(math.Round(v * float64(most)))
		switch {
		case kind == '1':
			fmt.Fprint(&b, 1-level)
		case kind <= '3':
			fmt.Fprintf(&b, "%d ", level)
		case kind == '4':
			packed = packed<<1 | byte(1-level)
			bits++
			if (i+1)%p.Width == 0 {
				b.WriteByte(packed << (8 - bits))
				packed, bits = 0, 0
			}
		case most > 255:
			b.Write([]byte{byte(level >> 8), byte(level)})
		default:
			b.WriteByte(byte(level))
		}
	}
	return b.Bytes()
}

func TestPNM(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		kind byte
		most int
	}{{'1', 1}, {'2', 255}, {'2', 1000}, {'3', 15}, {'4', 1}, {'5', 255}, {'5', 65535}, {'6', 255}, {'6', 4095}} {
		p := newPicture(Shape{7, 3, 1})
		if c.kind == '3' || c.kind == '6' {
			p = newPicture(Shape{7, 3, 3})
		}
		for i := range p.pix {
			p.pix[i] = float64(rng.IntN(c.most+1)) / float64(c.most)
		}
		b := encodePNM(c.kind, c.most, p)
		img, err := decodePNM(bytes.NewReader(b))
		if err != nil {
			t.Errorf("P%c: %v", c.kind, err)
			continue
		}
		got := fromImage(img, p.Channels == 3)
		for i, v := range p.pix {
			if math.Abs(got.pix[i]-v) > 1e-4 {
				t.Errorf("P%c, %d: value %d is %v, want %v", c.kind, c.most, i, got.pix[i], v)
				break
			}
		}
		for n := range len(b) - 2 { // of the plain kinds the last space may be gone
			if _, err := decodePNM(bytes.NewReader(b[:n])); err == nil && c.kind > '3' {
				t.Errorf("P%c: %d of %d bytes pass", c.kind, n, len(b))
			}
		}
	}
	for _, bad := range []string{"P7 1 1 1 1", "P2 0 1 9", "P2 1 1 0 0", "P2 1 1 70000 1", "P2 1 1 9 10", "P2 x", "P1 2 1 0x", "P5 1 1 7 \x08", "P2 99999999999999 1 1 1"} {
		if _, err := decodePNM(strings.NewReader(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func FuzzPNM(f *testing.F) {
	p := newPicture(Shape{3, 2, 1})
	for kind := byte('1'); kind <= '6'; kind++ {
		f.Add(encodePNM(kind, 1, p))
	}
	f.Add([]byte("P5 32768 32768 65535\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := decodePNM(bytes.NewReader(b))
		if err != nil {
			return
		}
		config, err := decodePNMConfig(bytes.NewReader(b))
		if err != nil || config.Width != img.Bounds().Dx() || config.Height != img.Bounds().Dy() {
			t.Fatalf("%v, %v; the picture is %v", config, err, img.Bounds())
		}
	})
}
