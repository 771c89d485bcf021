package images

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"github.com/partsof/nmf/recipe"
)

// Shape is the form of the images: all have the same.
type Shape struct {
	Width, Height int
	// Channels is 1 for grey, 3 for red, green and blue. They alternate in a
	// row of the matrix, whose pixels go along the rows of the picture.
	Channels int
}

// Len is the number of columns of the matrix.
func (s Shape) Len() int { return s.Width * s.Height * s.Channels }

func (s Shape) String() string {
	text := fmt.Sprintf("%d x %d", s.Width, s.Height)
	if s.Channels > 1 {
		text += " in colour"
	}
	return text
}

// Names gives the columns of the matrix: "r3c5", row and column from 1, with
// " red", " green", " blue" where there is colour.
func (s Shape) Names() []string {
	names := make([]string, 0, s.Len())
	for y := range s.Height {
		for x := range s.Width {
			name := fmt.Sprintf("r%dc%d", y+1, x+1)
			if s.Channels == 1 {
				names = append(names, name)
				continue
			}
			names = append(names, name+" red", name+" green", name+" blue")
		}
	}
	return names
}

// picture is an image of real numbers, channels alternating.
type picture struct {
	Shape
	pix []float64
}

func newPicture(s Shape) *picture { return &picture{s, make([]float64, s.Len())} }

// fromImage takes the encoded values of an image, 0 to 1, transparent on black;
// grey is the luma of ITU-R BT.601, as image/color has it.
func fromImage(img image.Image, colour bool) *picture {
	b := img.Bounds()
	s := Shape{b.Dx(), b.Dy(), 1}
	if colour {
		s.Channels = 3
	}
	p := newPicture(s)
	at := func(x, y int) (r, g, b uint32) {
		r, g, b, _ = img.At(x, y).RGBA()
		return r, g, b
	}
	if fast, ok := img.(image.RGBA64Image); ok {
		at = func(x, y int) (r, g, b uint32) {
			c := fast.RGBA64At(x, y)
			return uint32(c.R), uint32(c.G), uint32(c.B)
		}
	}
	const white = 0xffff
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl := at(x, y)
			if colour {
				p.pix[i], p.pix[i+1], p.pix[i+2] = float64(r)/white, float64(g)/white, float64(bl)/white
				i += 3
				continue
			}
			// Weights of color.Gray16Model, which rounds to 16 bits.
			p.pix[i] = float64((19595*r+38470*g+7471*bl+1<<15)>>16) / white
			i++
		}
	}
	return p
}

// toImage draws values, of which white is the largest shown.
func toImage(values []float64, s Shape, white float64) image.Image {
	level := func(v float64) uint8 {
		if white <= 0 {
			return 0
		}
		return uint8(math.Round(255 * min(1, max(0, v/white))))
	}
	rect := image.Rect(0, 0, s.Width, s.Height)
	if s.Channels == 1 {
		img := image.NewGray(rect)
		for i, v := range values {
			img.Pix[i] = level(v)
		}
		return img
	}
	img := image.NewRGBA(rect)
	for i := range s.Width * s.Height {
		img.SetRGBA(i%s.Width, i/s.Width, color.RGBA{level(values[3*i]), level(values[3*i+1]), level(values[3*i+2]), 255})
	}
	return img
}

// Crop is a rectangle to keep. The zero value keeps everything.
type Crop struct {
	Width, Height int
	// X and Y are the left upper corner, unless Centred.
	X, Y    int
	Centred bool
}

// ParseCrop reads WxH, about the middle, or WxH+X+Y.
func ParseCrop(text string) (Crop, error) {
	if text == "" {
		return Crop{}, nil
	}
	bad := fmt.Errorf("%w: crop %q: WxH (about the middle) or WxH+X+Y is wanted", recipe.ErrOption, text)
	size, at, placed := strings.Cut(text, "+")
	w, h, err := ParseSize(size)
	if err != nil {
		return Crop{}, bad
	}
	c := Crop{Width: w, Height: h, Centred: !placed}
	if placed {
		left, top, _ := strings.Cut(at, "+")
		if c.X, err = strconv.Atoi(left); err != nil || c.X < 0 {
			return Crop{}, bad
		}
		if c.Y, err = strconv.Atoi(top); err != nil || c.Y < 0 {
			return Crop{}, bad
		}
	}
	return c, nil
}

// ParseSize reads WxH.
func ParseSize(text string) (width, height int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	w, h, _ := strings.Cut(text, "x")
	width, errW := strconv.Atoi(w)
	height, errH := strconv.Atoi(h)
	if errW != nil || errH != nil || width < 1 || height < 1 || width > maxSide || height > maxSide {
		return 0, 0, fmt.Errorf("%w: size %q: WxH is wanted, such as 32x32", recipe.ErrOption, text)
	}
	return width, height, nil
}

// crop cuts a rectangle out.
func (p *picture) crop(c Crop) (*picture, error) {
	if c == (Crop{}) {
		return p, nil
	}
	x, y := c.X, c.Y
	if c.Centred {
		x, y = (p.Width-c.Width)/2, (p.Height-c.Height)/2
	}
	if c.Width > p.Width || c.Height > p.Height || x+c.Width > p.Width || y+c.Height > p.Height {
		return nil, fmt.Errorf("%w: it is %d x %d, and the crop of %d x %d does not lie within it", recipe.ErrInput, p.Width, p.Height, c.Width, c.Height)
	}
	q := newPicture(Shape{c.Width, c.Height, p.Channels})
	for row := range c.Height {
		from := ((y+row)*p.Width + x) * p.Channels
		copy(q.pix[row*c.Width*p.Channels:(row+1)*c.Width*p.Channels], p.pix[from:])
	}
	return q, nil
}

// resize resamples with a tent that is as wide as the pixels of the coarser of
// both grids: linear interpolation where a picture grows, a weighted mean of
// all that a pixel covers where it shrinks.
func (p *picture) resize(width, height int) *picture {
	if width == 0 || width == p.Width && height == p.Height {
		return p
	}
	across := newPicture(Shape{width, p.Height, p.Channels})
	for x, t := range tents(p.Width, width) {
		for y := range p.Height {
			for c := range p.Channels {
				sum := 0.0
				for i, w := range t.weights {
					sum += w * p.pix[(y*p.Width+t.first+i)*p.Channels+c]
				}
				across.pix[(y*width+x)*p.Channels+c] = sum
			}
		}
	}
	q := newPicture(Shape{width, height, p.Channels})
	stride := width * p.Channels
	for y, t := range tents(p.Height, height) {
		for i, w := range t.weights {
			row := across.pix[(t.first+i)*stride : (t.first+i+1)*stride]
			for x, v := range row {
				q.pix[y*stride+x] += w * v
			}
		}
	}
	return q
}

// tent is what one pixel of the new grid takes from the old one.
type tent struct {
	first   int
	weights []float64
}

func tents(from, to int) []tent {
	scale := float64(from) / float64(to)
	half := max(1, scale)
	list := make([]tent, to)
	for i := range list {
		centre := (float64(i)+0.5)*scale - 0.5
		first := max(0, int(math.Ceil(centre-half)))
		last := min(from-1, int(math.Floor(centre+half)))
		t := tent{first, make([]float64, last-first+1)}
		sum := 0.0
		for j := range t.weights {
			t.weights[j] = max(0, 1-math.Abs(float64(first+j)-centre)/half)
			sum += t.weights[j]
		}
		for j := range t.weights {
			t.weights[j] /= sum
		}
		list[i] = t
	}
	return list
}

// standardise gives a picture the mean 0.25 and the standard deviation 0.25 and
// clips it to 0 to 1 (Lee & Seung 1999). One that is all alike becomes 0.25.
func (p *picture) standardise() {
	const target = 0.25
	mean, squares := 0.0, 0.0
	for _, v := range p.pix {
		mean += v
	}
	mean /= float64(len(p.pix))
	for _, v := range p.pix {
		squares += (v - mean) * (v - mean)
	}
	scale := 0.0
	if deviation := math.Sqrt(squares / float64(len(p.pix))); deviation > 1e-12*mean {
		scale = target / deviation
	}
	for i, v := range p.pix {
		p.pix[i] = min(1, max(0, target+scale*(v-mean)))
	}
}
