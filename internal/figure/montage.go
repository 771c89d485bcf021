// Package figure draws what the front doors show: grids of small pictures, and
// charts of lines and bars as SVG.
package figure

import (
	"image"
	"image/color"
	"math"
	"unicode/utf8"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Tile is one picture of a montage. Grey ones follow the ground.
type Tile struct {
	Image image.Image
	Label string
}

// MontageOptions says how to lay out a montage. Nil and the zero value are the
// defaults.
type MontageOptions struct {
	// Columns of the grid. Default: nearly square.
	Columns int
	// Light is a white ground, on which grey pictures are drawn as ink: zero
	// is white. Otherwise the ground is dark and zero is black.
	Light bool
}

const (
	// leastTile is what small pictures are enlarged to, by whole factors, so
	// that pixels stay squares; mostTile is what large ones are reduced to.
	leastTile = 96
	mostTile  = 288
	tileGap   = 8
	labelRoom = 16
	glyph     = 7 // width of a character
)

// Montage draws pictures of one size in a grid, row by row.
func Montage(tiles []Tile, o *MontageOptions) *image.RGBA {
	if o == nil {
		o = new(MontageOptions)
	}
	ground, frame, ink := color.RGBA{0x18, 0x1a, 0x1d, 255}, color.RGBA{0x3a, 0x3e, 0x44, 255}, color.RGBA{0xd8, 0xdc, 0xe2, 255}
	if o.Light {
		ground, frame, ink = color.RGBA{255, 255, 255, 255}, color.RGBA{0xc8, 0xcc, 0xd2, 255}, color.RGBA{0x22, 0x26, 0x2b, 255}
	}
	n := len(tiles)
	if n == 0 {
		return image.NewRGBA(image.Rect(0, 0, 1, 1))
	}
	columns := o.Columns
	if columns < 1 {
		columns = int(math.Ceil(math.Sqrt(float64(n))))
	}
	columns = min(columns, n)
	rows := (n + columns - 1) / columns
	width, height := tileSize(tiles[0].Image.Bounds())
	cellWidth := width
	for _, t := range tiles {
		cellWidth = max(cellWidth, glyph*utf8.RuneCountInString(t.Label))
	}
	cellHeight := height + labelRoom
	out := image.NewRGBA(image.Rect(0, 0, tileGap+columns*(cellWidth+tileGap), tileGap+rows*(cellHeight+tileGap)))
	draw.Draw(out, out.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	for i, t := range tiles {
		x := tileGap + i%columns*(cellWidth+tileGap) + (cellWidth-width)/2
		y := tileGap + i/columns*(cellHeight+tileGap)
		at := image.Rect(x, y, x+width, y+height)
		draw.Draw(out, at.Inset(-1), image.NewUniform(frame), image.Point{}, draw.Src)
		src := t.Image
		if grey, ok := src.(*image.Gray); ok && o.Light {
			src = inverted(grey)
		}
		var scaler draw.Scaler = draw.NearestNeighbor
		if width < src.Bounds().Dx() {
			scaler = draw.BiLinear
		}
		scaler.Scale(out, at, src, src.Bounds(), draw.Src, nil)
		d := font.Drawer{Dst: out, Src: image.NewUniform(ink), Face: basicfont.Face7x13, Dot: fixed.P(x, y+height+labelRoom-4)}
		d.DrawString(t.Label)
	}
	return out
}

// tileSize is how large a picture is drawn.
func tileSize(b image.Rectangle) (width, height int) {
	side := max(b.Dx(), b.Dy(), 1)
	switch {
	case side > mostTile:
		scale := float64(mostTile) / float64(side)
		return max(1, int(math.Round(scale*float64(b.Dx())))), max(1, int(math.Round(scale*float64(b.Dy()))))
	case side < leastTile:
		factor := (leastTile + side - 1) / side
		return factor * b.Dx(), factor * b.Dy()
	}
	return b.Dx(), b.Dy()
}

func inverted(g *image.Gray) *image.Gray {
	out := image.NewGray(g.Bounds())
	for i, v := range g.Pix {
		out.Pix[i] = 255 - v
	}
	return out
}
