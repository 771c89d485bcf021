package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"

	"golang.org/x/image/draw"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// ink is what a figure is drawn with. Lengths are points (1/72 inch), from the
// upper left corner.
type ink interface {
	rect(x, y, w, h float64, fill color.Color)
	polygon(points []point, fill color.Color)
	line(points []point, width float64, stroke color.Color, dashed bool)
	circle(x, y, r float64, fill color.Color)
	// text writes at a base line. anchor is "start", "middle" or "end"; turned
	// text runs upwards.
	text(x, y float64, s string, f lettering)
	// image draws pixels, each a rectangle.
	image(x, y, w, h float64, pixels image.Image)
	writeTo(w io.Writer) error
}

type point struct{ x, y float64 }

type lettering struct {
	size   float64
	bold   bool
	fill   color.Color
	anchor string
	turned bool
}

// fonts holds the faces that text is measured with, and drawn with in pictures
// of pixels: Liberation Sans, which has the widths of Helvetica and Arial.
var fonts = font.NewCache(liberation.Collection())

func (f lettering) style() text.Style {
	face := font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(f.size)}
	if f.bold {
		face.Weight = xfont.WeightBold
	}
	return text.Style{Font: face, Color: f.fill, Handler: text.Plain{Fonts: fonts}}
}

func textWidth(s string, f lettering) float64 { return f.style().Width(s).Points() }

// fitted cuts s to a width, the cut shown by an ellipsis.
func fitted(s string, f lettering, width float64) string {
	if textWidth(s, f) <= width {
		return s
	}
	runes := []rune(s)
	low, high := 0, len(runes)
	for low < high {
		mid := (low + high + 1) / 2
		if textWidth(string(runes[:mid])+"…", f) <= width {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return string(runes[:low]) + "…"
}

// svgInk writes SVG whose text is text.
type svgInk struct {
	b             bytes.Buffer
	width, height float64
	title         string
}

func hexColour(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

// opacity is an attribute where a colour is not solid.
func opacity(name string, c color.Color) string {
	if n, ok := c.(color.NRGBA); ok && n.A < 255 {
		return fmt.Sprintf(` %s-opacity="%.2f"`, name, float64(n.A)/255)
	}
	return ""
}

// solid is a colour without its opacity, which SVG states beside it.
func solid(c color.Color) color.Color {
	if n, ok := c.(color.NRGBA); ok {
		n.A = 255
		return n
	}
	return c
}

// short writes a length to a hundredth of a point.
func short(v float64) string {
	s := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

func path(points []point) string {
	var b strings.Builder
	for i, p := range points {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(short(p.x) + "," + short(p.y))
	}
	return b.String()
}

func (s *svgInk) rect(x, y, w, h float64, fill color.Color) {
	fmt.Fprintf(&s.b, `<rect x="%s" y="%s" width="%s" height="%s" fill="%s"%s/>`+"\n", short(x), short(y), short(w), short(h), hexColour(solid(fill)), opacity("fill", fill))
}

func (s *svgInk) polygon(points []point, fill color.Color) {
	fmt.Fprintf(&s.b, `<polygon points="%s" fill="%s"%s/>`+"\n", path(points), hexColour(solid(fill)), opacity("fill", fill))
}

func (s *svgInk) line(points []point, width float64, stroke color.Color, dashed bool) {
	dash := ""
	if dashed {
		dash = ` stroke-dasharray="3 2"`
	}
	fmt.Fprintf(&s.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"%s/>`+"\n", path(points), hexColour(solid(stroke)), short(width), dash)
}

func (s *svgInk) circle(x, y, r float64, fill color.Color) {
	fmt.Fprintf(&s.b, `<circle cx="%s" cy="%s" r="%s" fill="%s"%s/>`+"\n", short(x), short(y), short(r), hexColour(solid(fill)), opacity("fill", fill))
}

func (s *svgInk) text(x, y float64, str string, f lettering) {
	more := ""
	if f.bold {
		more = ` font-weight="bold"`
	}
	if f.anchor != "" && f.anchor != "start" {
		more += fmt.Sprintf(` text-anchor="%s"`, f.anchor)
	}
	if f.turned {
		more += fmt.Sprintf(` transform="rotate(-90 %s %s)"`, short(x), short(y))
	}
	fmt.Fprintf(&s.b, `<text x="%s" y="%s" font-size="%s" fill="%s"%s>%s</text>`+"\n", short(x), short(y), short(f.size), hexColour(solid(f.fill)), more, html.EscapeString(printable(str)))
}

func (s *svgInk) image(x, y, w, h float64, pixels image.Image) {
	var b bytes.Buffer
	if err := png.Encode(&b, pixels); err != nil {
		panic(err) // a buffer takes everything, and no picture here is too large
	}
	fmt.Fprintf(&s.b, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,%s"/>`+"\n",
		short(x), short(y), short(w), short(h), base64.StdEncoding.EncodeToString(b.Bytes()))
}

func (s *svgInk) writeTo(w io.Writer) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%spt" height="%spt" viewBox="0 0 %[1]s %[2]s" font-family="Liberation Sans, Helvetica, Arial, sans-serif" role="img">`+"\n<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n%s</svg>\n",
		short(s.width), short(s.height), html.EscapeString(printable(s.title)), s.b.String())
	return err
}

// printable replaces what XML cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return 0xfffd
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// pixelInk draws a picture of pixels.
type pixelInk struct {
	c      *vgimg.Canvas
	dpi    float64
	height float64
}

func newPixelInk(width, height float64, dpi int) *pixelInk {
	return &pixelInk{vgimg.NewWith(vgimg.UseWH(vg.Length(width), vg.Length(height)), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White)), float64(dpi), height}
}

func (p *pixelInk) at(q point) vg.Point {
	return vg.Point{X: vg.Length(q.x), Y: vg.Length(p.height - q.y)}
}

func (p *pixelInk) path(points []point) (path vg.Path) {
	path.Move(p.at(points[0]))
	for _, q := range points[1:] {
		path.Line(p.at(q))
	}
	return path
}

func (p *pixelInk) rect(x, y, w, h float64, fill color.Color) {
	p.polygon([]point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}, fill)
}

func (p *pixelInk) polygon(points []point, fill color.Color) {
	p.c.SetColor(fill)
	path := p.path(points)
	path.Close()
	p.c.Fill(path)
}

func (p *pixelInk) line(points []point, width float64, stroke color.Color, dashed bool) {
	p.c.SetColor(stroke)
	p.c.SetLineWidth(vg.Length(width))
	p.c.SetLineDash(nil, 0)
	if dashed {
		p.c.SetLineDash([]vg.Length{3, 2}, 0)
	}
	p.c.Stroke(p.path(points))
}

func (p *pixelInk) circle(x, y, r float64, fill color.Color) {
	p.c.SetColor(fill)
	var path vg.Path
	path.Move(p.at(point{x + r, y}))
	path.Arc(p.at(point{x, y}), vg.Length(r), 0, 2*math.Pi)
	path.Close()
	p.c.Fill(path)
}

func (p *pixelInk) text(x, y float64, s string, f lettering) {
	s = printable(s)
	style := f.style()
	width := textWidth(s, f)
	shift := 0.0
	switch f.anchor {
	case "middle":
		shift = width / 2
	case "end":
		shift = width
	}
	p.c.SetColor(f.fill)
	face := fonts.Lookup(style.Font, style.Font.Size)
	if !f.turned {
		p.c.FillString(face, p.at(point{x - shift, y}), s)
		return
	}
	p.c.Push()
	p.c.Translate(p.at(point{x, y}))
	p.c.Rotate(math.Pi / 2)
	p.c.FillString(face, vg.Point{X: vg.Length(-shift)}, s)
	p.c.Pop()
}

func (p *pixelInk) image(x, y, w, h float64, pixels image.Image) {
	scale := p.dpi / 72
	at := image.Rect(int(math.Round(x*scale)), int(math.Round(y*scale)), int(math.Round((x+w)*scale)), int(math.Round((y+h)*scale)))
	draw.NearestNeighbor.Scale(p.c.Image(), at, pixels, pixels.Bounds(), draw.Over, nil)
}

func (p *pixelInk) writeTo(w io.Writer) error {
	_, err := vgimg.PngCanvas{Canvas: p.c}.WriteTo(w)
	return err
}
