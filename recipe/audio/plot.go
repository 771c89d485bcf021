package audio

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/figure"
	"github.com/partsof/nmf/matrix"
)

const (
	rowHeight, rowGap             = 44, 14
	nameWidth                     = 28
	spectrumWidth, activityWidth  = 220, 640
	plotMargin, plotTop, plotFoot = 12, 26, 30
	activityLeft                  = plotMargin + nameWidth + spectrumWidth + 16
	plotWidth                     = activityLeft + activityWidth + plotMargin
)

// Plot writes every component as an SVG: its spectrum, by octaves, on the left;
// its activation over all parts on the right, with marks at onsets.
func Plot[F matrix.Float](w io.Writer, m *nmf.Model[F], r *Recording[F], onsets []Onset) error {
	var b strings.Builder
	height := plotTop + m.K()*(rowHeight+rowGap) + plotFoot
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif" font-size="10" fill="#44484d">`+"\n", plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, `<title>Components of sound</title><rect width="%d" height="%d" fill="#ffffff"/>`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<text x="%d" y="16">spectrum</text><text x="%d" y="16">activation, and onsets</text>`+"\n", plotMargin+nameWidth, activityLeft)
	scale := newOctaves(r)
	for l := range m.K() {
		y := plotTop + l*(rowHeight+rowGap)
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="12" font-weight="bold" fill="#22262b">%d</text>`+"\n", plotMargin, y+rowHeight/2+4, l+1)
		drawArea(&b, spectrum(m, l, scale), plotMargin+nameWidth, y, spectrumWidth, "#5b7fb5")
		drawArea(&b, activity(m, l), activityLeft, y, activityWidth, "#3f9c77")
		for _, o := range onsets {
			if o.Component == l {
				p := r.Parts[o.Part]
				frame := float64(p.First) + (o.Seconds-r.Transform.Time(0, r.Rate))*float64(r.Rate)/float64(r.Transform.Hop)
				x := activityLeft + activityWidth*frame/float64(max(1, m.W.Rows-1))
				fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#c8472f"><title>%.3f s</title></line>`+"\n", x, x, y+rowHeight+1, y+rowHeight+7, o.Seconds)
			}
		}
	}
	foot := height - plotFoot + 10
	for f := scale.least; f <= scale.most*1.001; f *= 2 {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, plotMargin+nameWidth+spectrumWidth*scale.at(f), foot, hertz(f))
	}
	first := 0.0
	for i, p := range r.Parts {
		text := p.Name
		if len(r.Parts) == 1 {
			text = fmt.Sprintf("%.3g s", seconds(p.Sound))
		}
		width := activityWidth * float64(p.Frames) / float64(m.W.Rows)
		if i > 0 {
			fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#b6bac0"/>`, activityLeft+first, activityLeft+first, plotTop, height-plotFoot)
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="end">%s</text>`+"\n", activityLeft+first+width, foot, figure.Escape(text))
		first += width
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// octaves is an axis of frequencies by octaves.
type octaves struct {
	least, most float64
	perBin      float64
}

func newOctaves[F matrix.Float](r *Recording[F]) octaves {
	perBin, most := r.Transform.Frequency(1, r.Rate), float64(r.Rate)/2
	least := most
	for least > max(60, perBin) {
		least /= 2
	}
	return octaves{least, most, perBin}
}

// at is where a frequency lies, from 0 to 1.
func (o octaves) at(f float64) float64 { return math.Log2(f/o.least) / math.Log2(o.most/o.least) }

// spectrum gives a component at places along the axis: the root of its largest
// bin near each, so that overtones show.
func spectrum[F matrix.Float](m *nmf.Model[F], l int, o octaves) []float64 {
	out := make([]float64, spectrumWidth)
	for x := range out {
		f := o.least * math.Pow(o.most/o.least, float64(x)/spectrumWidth)
		next := o.least * math.Pow(o.most/o.least, float64(x+1)/spectrumWidth)
		for j := int(math.Round(f / o.perBin)); j <= int(math.Round(next/o.perBin)) && j < m.H.Cols; j++ {
			out[x] = max(out[x], math.Sqrt(float64(m.H.At(l, j))))
		}
	}
	return out
}

func hertz(f float64) string {
	if f >= 1000 {
		return fmt.Sprintf("%.3gk", f/1000)
	}
	return fmt.Sprintf("%.0f", f)
}

// activity gives an activation at places along the recording, the largest near
// each.
func activity[F matrix.Float](m *nmf.Model[F], l int) []float64 {
	out := make([]float64, min(m.W.Rows, activityWidth))
	for i := range m.W.Rows {
		at := i * len(out) / m.W.Rows
		out[at] = max(out[at], float64(m.W.At(i, l)))
	}
	return out
}

// drawArea draws values from zero to their largest.
func drawArea(b *strings.Builder, values []float64, x, y, width int, colour string) {
	largest := 0.0
	for _, v := range values {
		largest = max(largest, v)
	}
	fmt.Fprintf(b, `<path fill="%s" d="M%d %d`, colour, x, y+rowHeight)
	for i, v := range values {
		if largest > 0 {
			v /= largest
		}
		fmt.Fprintf(b, "L%.1f %.1f", float64(x)+float64(width)*float64(i)/float64(max(1, len(values)-1)), float64(y+rowHeight)-v*rowHeight)
	}
	fmt.Fprintf(b, `L%d %dZ"/><line x1="%d" x2="%d" y1="%d" y2="%d" stroke="#b6bac0"/>`+"\n", x+width, y+rowHeight, x, x+width, y+rowHeight, y+rowHeight)
}
