package figure

import (
	"image"
	"image/color"
	"testing"
)

func grey(w, h int, v uint8) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = v
	}
	return img
}

func TestTileSize(t *testing.T) {
	for _, c := range []struct{ w, h, width, height int }{
		{19, 19, 114, 114}, {96, 10, 96, 10}, {1, 1, 96, 96}, {200, 150, 200, 150}, {1000, 10, 288, 3}, {40, 5000, 2, 288}, {8, 4, 96, 48},
	} {
		if w, h := tileSize(image.Rect(0, 0, c.w, c.h)); w != c.width || h != c.height {
			t.Errorf("%d x %d is drawn %d x %d, want %d x %d", c.w, c.h, w, h, c.width, c.height)
		}
	}
}

// TestMontagePlaces finds every tile at its place, pixels enlarged as squares.
func TestMontagePlaces(t *testing.T) {
	var tiles []Tile
	for i := range 7 {
		img := grey(2, 1, uint8(30*i))
		img.Pix[1] = 255
		tiles = append(tiles, Tile{img, "x"})
	}
	for _, light := range []bool{false, true} {
		out := Montage(tiles, &MontageOptions{Columns: 4, Light: light})
		if b := out.Bounds(); b.Dx() != 8+4*(96+8) || b.Dy() != 8+2*(48+16+8) {
			t.Fatalf("bounds %v", b)
		}
		for i := range tiles {
			x, y := 8+i%4*(96+8), 8+i/4*(48+16+8)
			first, second := uint8(30*i), uint8(255)
			if light {
				first, second = 255-first, 0
			}
			for _, p := range []struct {
				x, y int
				v    uint8
			}{{x, y, first}, {x + 47, y + 47, first}, {x + 48, y, second}, {x + 95, y + 47, second}} {
				if got := color.GrayModel.Convert(out.At(p.x, p.y)).(color.Gray).Y; got != p.v {
					t.Errorf("tile %d, light %v: pixel (%d, %d) is %d, want %d", i, light, p.x, p.y, got, p.v)
				}
			}
		}
	}
}

// TestMontageOfNone has nothing to draw.
func TestMontageOfNone(t *testing.T) {
	if b := Montage(nil, nil).Bounds(); b.Dx() != 1 || b.Dy() != 1 {
		t.Errorf("bounds %v", b)
	}
}

// TestLongLabels makes room for them.
func TestLongLabels(t *testing.T) {
	long := Montage([]Tile{{grey(96, 96, 0), "a label that is longer than its tile"}}, nil)
	if long.Bounds().Dx() < 36*glyph {
		t.Errorf("bounds %v", long.Bounds())
	}
}
