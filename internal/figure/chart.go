package figure

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Chart is a grid of panels under a title.
type Chart struct {
	Title string
	// Columns of the grid of panels. Default 1.
	Columns int
	// Width and Height of a panel, in pixels. Default 720 x 320.
	Width, Height int
	Panels        []Panel
}

// Panel has lines over X, or bars.
type Panel struct {
	Title, XLabel, YLabel string
	// X is where the points of lines lie; nil is 1, 2, ….
	X     []float64
	Lines []Line
	// Bars stand side by side from zero; their labels are written below.
	Bars []Bar
}

// Line is a curve; where there are several, those with a name are in the legend.
type Line struct {
	Name   string
	Y      []float64
	Colour string // default: that of its number
	Dashed bool
}

// Bar is a value with a name.
type Bar struct {
	Label  string
	Value  float64
	Colour string // default: the first
}

// Colours are those of Okabe & Ito (2008), which colour-blind eyes tell apart.
var Colours = []string{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A800"}

// Colour gives the colour of number i.
func Colour(i int) string { return Colours[i%len(Colours)] }

const (
	fontSize    = 12
	charWidth   = 6.6 // of a character of that size, about
	panelTop    = 28
	panelRight  = 14
	axisText    = "#444444"
	gridColour  = "#e4e7ea"
	titleHeight = 34
	mostLabel   = 18 // characters of the label of a bar
)

// WriteSVG writes the chart. The same chart gives the same bytes.
func (c *Chart) WriteSVG(w io.Writer) error {
	columns, width, height := max(1, c.Columns), c.Width, c.Height
	if width == 0 {
		width = 720
	}
	if height == 0 {
		height = 320
	}
	rows := (len(c.Panels) + columns - 1) / columns
	top := 0
	if c.Title != "" {
		top = titleHeight
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="Helvetica, Arial, sans-serif" font-size="%d" role="img">`+"\n", columns*width, top+rows*height, fontSize)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(c.Title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", columns*width, top+rows*height)
	if c.Title != "" {
		fmt.Fprintf(&b, `<text x="14" y="23" font-size="16" fill="#222222">%s</text>`+"\n", escape(c.Title))
	}
	for i := range c.Panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%columns*width, top+i/columns*height)
		c.Panels[i].write(&b, float64(width), float64(height))
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// frame is the rectangle of a panel that values are drawn in.
type frame struct{ left, top, right, bottom, x0, x1, y0, y1 float64 }

func (f *frame) x(v float64) float64 {
	return f.left + (v-f.x0)/(f.x1-f.x0)*(f.right-f.left)
}

func (f *frame) y(v float64) float64 {
	return f.bottom - (v-f.y0)/(f.y1-f.y0)*(f.bottom-f.top)
}

func (p *Panel) write(b *strings.Builder, width, height float64) {
	f := &frame{top: panelTop, right: width - panelRight}
	f.y0, f.y1 = p.rangeY()
	yTicks := ticks(f.y0, f.y1, 5)
	f.y1 = max(f.y1, yTicks[len(yTicks)-1])
	labelWidth := 0.0
	for _, t := range yTicks {
		labelWidth = max(labelWidth, charWidth*float64(len(number(t))))
	}
	f.left = labelWidth + 16
	if p.YLabel != "" {
		f.left += 16
	}
	f.bottom = height - 22 - p.barRoom()
	if p.XLabel != "" {
		f.bottom -= 16
	}
	for _, t := range yTicks {
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1[3]f" stroke="%[4]s"/>`+"\n", f.left, f.right, f.y(t), gridColour)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n", f.left-6, f.y(t)+4, axisText, number(t))
	}
	fmt.Fprintf(b, `<text x="%.1f" y="18" font-size="13" fill="#222222">%s</text>`+"\n", f.left, escape(p.Title))
	if p.XLabel != "" {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="%s">%s</text>`+"\n", (f.left+f.right)/2, height-8, axisText, escape(p.XLabel))
	}
	if p.YLabel != "" {
		x, y := 12.0, (f.top+f.bottom)/2
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="%s" transform="rotate(-90 %.1[1]f %.1[2]f)">%[4]s</text>`+"\n", x, y, axisText, escape(p.YLabel))
	}
	if len(p.Bars) > 0 {
		p.writeBars(b, f)
	} else {
		p.writeLines(b, f)
	}
	fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1[3]f" stroke="#888888"/>`+"\n", f.left, f.right, f.bottom)
}

// rangeY is from zero, unless values are below it, to the largest.
func (p *Panel) rangeY() (low, high float64) {
	see := func(v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	for _, l := range p.Lines {
		for _, v := range l.Y {
			see(v)
		}
	}
	for _, bar := range p.Bars {
		see(bar.Value)
	}
	if low == high {
		high = low + 1
	}
	return low, high
}

// barRoom is what labels of bars need below them.
func (p *Panel) barRoom() float64 {
	longest := 0
	for _, bar := range p.Bars {
		longest = max(longest, min(mostLabel, len([]rune(bar.Label))))
	}
	return 0.75 * charWidth * float64(longest)
}

func (p *Panel) writeBars(b *strings.Builder, f *frame) {
	step := (f.right - f.left) / float64(len(p.Bars))
	for i, bar := range p.Bars {
		colour := bar.Colour
		if colour == "" {
			colour = Colour(0)
		}
		zero, end := f.y(max(0, f.y0)), f.y(bar.Value)
		left := f.left + (float64(i)+0.15)*step
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%s: %s</title></rect>`+"\n",
			left, min(zero, end), 0.7*step, math.Abs(zero-end), colour, escape(bar.Label), number(bar.Value))
		x, y := f.left+(float64(i)+0.5)*step+3, f.bottom+12
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="end" fill="%s" transform="rotate(-48 %.1[1]f %.1[2]f)">%[4]s</text>`+"\n", x, y, axisText, escape(shorten(bar.Label, mostLabel)))
	}
}

func (p *Panel) writeLines(b *strings.Builder, f *frame) {
	x := p.X
	if x == nil {
		for _, l := range p.Lines {
			for len(x) < len(l.Y) {
				x = append(x, float64(len(x)+1))
			}
		}
	}
	f.x0, f.x1 = math.Inf(1), math.Inf(-1)
	for _, v := range x {
		f.x0, f.x1 = min(f.x0, v), max(f.x1, v)
	}
	if !(f.x0 < f.x1) {
		if math.IsInf(f.x0, 0) {
			f.x0 = 0
		}
		f.x1 = f.x0 + 1
	}
	for _, t := range ticks(f.x0, f.x1, 8) {
		if t < f.x0 || t > f.x1 {
			continue
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="%s">%s</text>`+"\n", f.x(t), f.bottom+16, axisText, number(t))
	}
	for i, l := range p.Lines {
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.6"%s points="`, l.colour(i), l.dash())
		for j, v := range l.Y {
			if j < len(x) && !math.IsNaN(v) && !math.IsInf(v, 0) {
				fmt.Fprintf(b, "%.1f,%.1f ", f.x(x[j]), f.y(v))
			}
		}
		b.WriteString("\"/>\n")
	}
	p.writeLegend(b, f)
}

func (l *Line) colour(i int) string {
	if l.Colour != "" {
		return l.Colour
	}
	return Colour(i)
}

func (l *Line) dash() string {
	if l.Dashed {
		return ` stroke-dasharray="5 4"`
	}
	return ""
}

// writeLegend names lines above the frame, from the right.
func (p *Panel) writeLegend(b *strings.Builder, f *frame) {
	if len(p.Lines) < 2 {
		return
	}
	x := f.right
	for i := len(p.Lines) - 1; i >= 0; i-- {
		l := &p.Lines[i]
		if l.Name == "" {
			continue
		}
		name := shorten(l.Name, 24)
		x -= charWidth * float64(len([]rune(name)))
		fmt.Fprintf(b, `<text x="%.1f" y="18" fill="#222222">%s</text>`+"\n", x, escape(name))
		x -= 24
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="14" y2="14" stroke="%s" stroke-width="2"%s/>`+"\n", x, x+18, l.colour(i), l.dash())
		x -= 14
	}
}

// ticks gives round numbers from low to just above high, about n of them.
func ticks(low, high float64, n int) []float64 {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if (high-low)/(f*step) <= float64(n) {
			step *= f
			break
		}
	}
	var list []float64
	for i := math.Floor(low/step + 1e-9); ; i++ {
		list = append(list, i*step)
		if i*step >= high-1e-9*step {
			return list
		}
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}
