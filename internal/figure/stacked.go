package figure

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Stacked are bars of parts on top of each other, side by side without a gap.
type Stacked struct {
	Title, YLabel string
	// Parts names the parts, for the legend.
	Parts []string
	Bars  []StackedBar
}

// StackedBar is one bar: a value for each part.
type StackedBar struct {
	Label  string
	Values []float64
}

const (
	stackedWidth, stackedHeight = 1000, 380
	stackedLeft, stackedTop     = 64, 66
	stackedBottom               = 96
	// leastLabelled is the width of a bar from which its label can be read.
	leastLabelled = 9
)

// WriteSVG writes the picture. The same picture gives the same bytes.
func (s *Stacked) WriteSVG(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="Helvetica, Arial, sans-serif" font-size="%d" role="img">`+"\n", stackedWidth, stackedHeight, fontSize)
	fmt.Fprintf(&b, "<title>%s</title>\n", Escape(s.Title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", stackedWidth, stackedHeight)
	fmt.Fprintf(&b, `<text x="14" y="23" font-size="16" fill="#222222">%s</text>`+"\n", Escape(s.Title))
	x := float64(stackedLeft)
	for l, name := range s.Parts {
		name = shorten(name, 24)
		fmt.Fprintf(&b, `<rect x="%.1f" y="38" width="12" height="12" fill="%s"/>`+"\n", x, Colour(l))
		fmt.Fprintf(&b, `<text x="%.1f" y="49" fill="#222222">%s</text>`+"\n", x+17, Escape(name))
		x += 34 + charWidth*float64(len([]rune(name)))
	}
	most := 0.0
	for _, bar := range s.Bars {
		total := 0.0
		for _, v := range bar.Values {
			total += sound(v)
		}
		most = max(most, total)
	}
	if most == 0 {
		most = 1
	}
	f := &frame{left: stackedLeft, top: stackedTop, right: stackedWidth - panelRight, bottom: stackedHeight - stackedBottom, y1: most}
	for _, t := range ticks(0, most, 5) {
		if t <= most*(1+1e-9) {
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n", f.left-6, f.y(t)+4, axisText, number(t))
		}
	}
	fmt.Fprintf(&b, `<text x="16" y="%.1f" text-anchor="middle" fill="%s" transform="rotate(-90 16 %.1[1]f)">%[3]s</text>`+"\n", (f.top+f.bottom)/2, axisText, Escape(s.YLabel))
	step := (f.right - f.left) / float64(max(1, len(s.Bars)))
	for i, bar := range s.Bars {
		left, below := f.left+float64(i)*step, 0.0
		fmt.Fprintf(&b, "<g><title>%s</title>\n", Escape(bar.Label))
		for l, v := range bar.Values {
			v = sound(v)
			if v > 0 {
				fmt.Fprintf(&b, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s"/>`+"\n", left, f.y(below+v), step, f.y(below)-f.y(below+v), Colour(l))
			}
			below += v
		}
		b.WriteString("</g>\n")
		if step >= leastLabelled {
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" font-size="%d" text-anchor="end" fill="%s" transform="rotate(-60 %.1[1]f %.1[2]f)">%[5]s</text>`+"\n", left+step/2+3, f.bottom+12, fontSize-2, axisText, Escape(shorten(bar.Label, mostLabel)))
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// sound is a value that can be drawn.
func sound(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return max(0, v)
}
