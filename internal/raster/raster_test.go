package raster

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
)

func encoded(t testing.TB, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) })
}

// ramp is a picture in grey, 3 wide and 2 high.
func ramp() *image.Gray {
	return &image.Gray{Pix: []byte{0, 51, 102, 153, 204, 255}, Stride: 3, Rect: image.Rect(0, 0, 3, 2)}
}

func TestDecode(t *testing.T) {
	want := []float64{0, 0.2, 0.4, 0.6, 0.8, 1}
	colour := image.NewRGBA(image.Rect(0, 0, 2, 1))
	colour.Set(0, 0, color.RGBA{255, 0, 0, 255})
	colour.Set(1, 0, color.RGBA{0, 0, 255, 255})
	part := ramp().SubImage(image.Rect(1, 1, 3, 2)).(*image.Gray)
	paletted := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.White, color.Black})
	paletted.SetColorIndex(1, 0, 1)
	tests := []struct {
		name    string
		content []byte
		want    []float64
	}{
		{"png", asPNG(t, ramp()), want},
		{"png of a part", asPNG(t, part), []float64{0.8, 1}},
		{"png in colour", asPNG(t, colour), []float64{0.299, 0.114}},
		{"gif", encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, paletted, nil) }), []float64{1, 0}},
		{"P1", []byte("P1\n# a comment\n3 2\n01 0\n1 0 1"), []float64{1, 0, 1, 0, 1, 0}},
		{"P2", []byte("P2 3 2 #x\n 5 0 1 2\n3 4 5\n"), want},
		{"P3", []byte("P3 2 1 255 255 0 0 0 0 255"), []float64{0.299, 0.114}},
		{"P4", []byte("P4 3 2\n\x40\xa0"), []float64{1, 0, 1, 0, 1, 0}},
		{"P5", append([]byte("P5 3 2 255\n"), 0, 51, 102, 153, 204, 255), want},
		{"P5 of 16 bits", []byte("P5 2 1 1000\n\x00\xfa\x03\xe8"), []float64{0.25, 1}},
		{"P6", []byte("P6 2 1 255\n\xff\x00\x00\x00\x00\xff"), []float64{0.299, 0.114}},
	}
	for _, tt := range tests {
		img, err := Decode(tt.content)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := AppendGray[float64](nil, img)
		near := func(a, b float64) bool { return math.Abs(a-b) < 1e-4 }
		if !slices.EqualFunc(got, tt.want, near) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	img, err := Decode([]byte("P6 2 1 255\n\xff\x33\x00\x00\x66\xff"))
	if err != nil {
		t.Fatal(err)
	}
	if got := AppendRGB[float64](nil, img); !slices.Equal(got, []float64{1, 0.2, 0, 0, 0.4, 1}) {
		t.Errorf("red, green and blue: %v", got)
	}
}

// TestGrayOfJPEG: grey from the luma is that of red, green and blue, to the
// rounding of a byte.
func TestGrayOfJPEG(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for y := range 30 {
		for x := range 40 {
			img.Set(x, y, color.RGBA{uint8(6 * x), uint8(8 * y), uint8(255 - 3*x - 4*y), 255})
		}
	}
	content := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, nil) })
	decoded, err := Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	got, rgb := AppendGray[float64](nil, decoded), AppendRGB[float64](nil, decoded)
	for i, v := range got {
		if want := 0.299*rgb[3*i] + 0.587*rgb[3*i+1] + 0.114*rgb[3*i+2]; math.Abs(v-want) > 0.02 {
			t.Fatalf("pixel %d: %v, want %v", i, v, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	whole := asPNG(t, ramp())
	huge := bytes.Clone(whole)
	copy(huge[16:], "\x7f\xff\xff\xff\x7f\xff\xff\xff")
	tests := []struct {
		content string
		err     error
		says    string
	}{
		{"", ErrFormat, "neither PNG, JPEG"},
		{"text", ErrFormat, "neither PNG, JPEG"},
		{string(whole[:30]), ErrTruncated, "ends within the picture"},
		{string(whole[:len(whole)-20]), ErrTruncated, "ends within the picture"},
		{strings.Replace(string(whole), "IDAT", "IDAX", 1), ErrFormat, "png"},
		{string(huge), ErrFormat, ""},
		{"P5 3 2 255\n12345", ErrTruncated, "3 x 2 pixels take 6 bytes, 5 are there"},
		{"P5 3 2 0\n123456", ErrFormat, "its maximum is 0"},
		{"P5 3 2 65536\n123456", ErrFormat, "its maximum is more than 65535"},
		{"P5 0 2 255\n", ErrFormat, "it is 0 x 2"},
		{"P5 3 x", ErrFormat, `'x' where a height belongs`},
		{"P5 3", ErrTruncated, "ends where a height belongs"},
		{"P5 30000 30000 255\n1", ErrUnsupported, "it has 30000 x 30000 pixels"},
		{"P5 10000 10000 255\n1", ErrFormat, "it promises 10000 x 10000 pixels in 20 bytes"},
		{"P2 2 1 5 3 6", ErrFormat, "its pixel is more than 5"},
		{"P2 2 1 5 3", ErrTruncated, "ends where a pixel belongs"},
		{"P5 2 1 5\n\x03\x06", ErrFormat, "a pixel is 6, beyond the maximum 5"},
		{"P1 2 1 0 2", ErrFormat, `'2' where a pixel belongs`},
		{"P1 2 1 0", ErrTruncated, "ends where a pixel belongs"},
	}
	for _, tt := range tests {
		_, err := Decode([]byte(tt.content))
		if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.20q: %v, want %v, %q", tt.content, err, tt.err, tt.says)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(asPNG(f, ramp()))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return jpeg.Encode(b, ramp(), nil) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return gif.Encode(b, ramp(), nil) }))
	f.Add([]byte("P1\n# a comment\n3 2\n01 0\n1 0 1"))
	f.Add([]byte("P2 3 2 #x\n 5 0 1 2\n3 4 5\n"))
	f.Add([]byte("P3 2 1 255 255 0 0 0 0 255"))
	f.Add([]byte("P4 3 2\n\x40\xa0"))
	f.Add([]byte("P5 2 1 1000\n\x00\xfa\x03\xe8"))
	f.Add([]byte("P6 2 1 255\n\xff\x00\x00\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		img, err := Decode(content)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			return
		}
		gray, rgb := AppendGray[float32](nil, img), AppendRGB[float32](nil, img)
		if n := img.Bounds().Dx() * img.Bounds().Dy(); len(gray) != n || len(rgb) != 3*n {
			t.Fatalf("%d grey and %d coloured values for %d pixels", len(gray), len(rgb), n)
		}
		for _, v := range append(gray, rgb...) {
			if !(0 <= v && v <= 1) {
				t.Fatalf("a value of %v", v)
			}
		}
	})
}
