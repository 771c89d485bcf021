// Package raster decodes pictures and makes rows of numbers of them: PNG, JPEG,
// GIF (its first frame), and the netpbm formats PBM, PGM and PPM.
package raster

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // for image.Decode
	_ "image/jpeg" // for image.Decode
	_ "image/png"  // for image.Decode
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/partsof/nmf/matrix"
)

// Sentinels, found with errors.Is in what the functions return.
var (
	// ErrFormat: the content is no picture, or a damaged one.
	ErrFormat = errors.New("not a picture, or a damaged one")
	// ErrTruncated: the content ends before the picture does.
	ErrTruncated = errors.New("file is cut short")
	// ErrUnsupported: a picture of a kind or size that is not read.
	ErrUnsupported = errors.New("not supported")
)

// Extensions are those of the formats, lower-case with the dot.
func Extensions() []string {
	return []string{".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"}
}

// HasExtension says whether a file has the name of a picture.
func HasExtension(name string) bool {
	return slices.Contains(Extensions(), strings.ToLower(filepath.Ext(name)))
}

// Size bounds: a picture of more pixels, or one that is out of all proportion
// to its bytes, is refused before anything is allocated for it.
const (
	mostPixels    = 1 << 28
	alwaysPixels  = 1 << 20
	pixelsPerByte = 4096
)

// Decode decodes a picture.
func Decode(content []byte) (image.Image, error) {
	if isPNM(content) {
		return decodePNM(content)
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, decodeError(err)
	}
	if err := checkSize(c.Width, c.Height, len(content)); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, decodeError(err)
	}
	return img, nil
}

func checkSize(width, height, size int) error {
	if width <= 0 || height <= 0 {
		return fmt.Errorf("%w: it is %d x %d", ErrFormat, width, height)
	}
	if width > mostPixels/height {
		return fmt.Errorf("%w: it has %d x %d pixels, %d are the most", ErrUnsupported, width, height, mostPixels)
	}
	if pixels := width * height; pixels > alwaysPixels && pixels/pixelsPerByte > size {
		return fmt.Errorf("%w: it promises %d x %d pixels in %d bytes", ErrFormat, width, height, size)
	}
	return nil
}

func decodeError(err error) error {
	switch {
	case errors.Is(err, image.ErrFormat):
		return fmt.Errorf("%w: neither PNG, JPEG, GIF, PBM, PGM nor PPM", ErrFormat)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), strings.HasSuffix(err.Error(), io.ErrUnexpectedEOF.Error()):
		// Package png makes a text of the cause.
		return fmt.Errorf("%w: it ends within the picture", ErrTruncated)
	}
	return fmt.Errorf("%w: %v", ErrFormat, err)
}

// AppendGray appends the grey of each pixel, row by row: from 0 for black to 1
// for white. Colours become grey by the weights of ITU-R BT.601; what is
// transparent becomes black.
func AppendGray[F matrix.Float](dst []F, img image.Image) []F {
	b := img.Bounds()
	dst = slices.Grow(dst, b.Dx()*b.Dy())
	switch img := img.(type) {
	case *image.Gray:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for _, v := range img.Pix[img.PixOffset(b.Min.X, y):img.PixOffset(b.Max.X, y)] {
				dst = append(dst, F(v)/0xff)
			}
		}
		return dst
	case *image.Gray16:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				dst = append(dst, F(img.Gray16At(x, y).Y)/0xffff)
			}
		}
		return dst
	case *image.YCbCr:
		// Y is that very sum of red, green and blue.
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				dst = append(dst, F(img.Y[img.YOffset(x, y)])/0xff)
			}
		}
		return dst
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			dst = append(dst, F(color.Gray16Model.Convert(img.At(x, y)).(color.Gray16).Y)/0xffff)
		}
	}
	return dst
}

// AppendRGB appends red, green and blue of each pixel, row by row: from 0 to 1.
func AppendRGB[F matrix.Float](dst []F, img image.Image) []F {
	b := img.Bounds()
	dst = slices.Grow(dst, 3*b.Dx()*b.Dy())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			red, green, blue, _ := img.At(x, y).RGBA()
			dst = append(dst, F(red)/0xffff, F(green)/0xffff, F(blue)/0xffff)
		}
	}
	return dst
}
