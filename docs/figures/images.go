package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/recipe/images"
)

// drawImages draws the components of the 256 swimmers of Donoho & Stodden
// (2003): a body with four limbs of four positions each.
func drawImages(out string) error {
	folder, err := os.MkdirTemp("", "swimmers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for i := range 256 {
		if err := writePNG(filepath.Join(folder, fmt.Sprintf("%03d.png", i)), swimmer(i)); err != nil {
			return err
		}
	}
	set, err := images.Read[float32]([]string{folder}, nil)
	if err != nil {
		return err
	}
	model, err := nmf.Fit(context.Background(), set.X, 17, nil)
	if err != nil {
		return err
	}
	return writePNG(out, images.Montage(model, set.Shape, true))
}

func writePNG(path string, img image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(f, img); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// swimmer draws one by the two bits that each of its limbs has in i.
func swimmer(i int) image.Image {
	const side, length = 32, 8
	img := image.NewGray(image.Rect(0, 0, side, side))
	dot := func(x, y int) { img.SetGray(x, y, color.Gray{Y: 255}) }
	for y := 10; y < 22; y++ {
		dot(15, y)
		dot(16, y)
	}
	limbs := []struct{ x, y, across, first int }{{14, 10, -1, -60}, {17, 10, 1, -60}, {14, 21, -1, -30}, {17, 21, 1, -30}}
	for l, limb := range limbs {
		angle := float64(limb.first+30*(i>>(2*l)&3)) * math.Pi / 180
		for r := range length {
			dot(limb.x+limb.across*int(math.Round(float64(r)*math.Cos(angle))), limb.y+int(math.Round(float64(r)*math.Sin(angle))))
		}
	}
	return img
}
