package signatures

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/partsof/nmf/internal/figure"
	"github.com/partsof/nmf/internal/sbs"
)

// Bars is one signature to draw.
type Bars struct {
	Title, Note string
	// Values of the 96 channels, in order, which sum to 1.
	Values []float64
	// Low and High are ends of error bars, nil for none.
	Low, High []float64
}

const (
	barStep, barWidth   = 9, 6
	plotLeft, plotRight = 52, 12
	plotTop, plotHeight = 34, 104
	panelHeight         = 184
	plotWidth           = plotLeft + NChannels*barStep + plotRight
)

// Plot writes signatures as an SVG of bars in the usual order and colours, one
// panel below the other.
func Plot(w io.Writer, list []Bars) error {
	var b strings.Builder
	height := max(1, len(list)) * panelHeight
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif">`+"\n", plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, `<title>Mutational signatures</title>`+"\n"+`<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", plotWidth, height)
	for i, s := range list {
		drawPanel(&b, s, i*panelHeight)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// drawPanel draws one signature below y.
func drawPanel(b *strings.Builder, s Bars, y int) {
	most := 0.0
	for c, v := range s.Values {
		most = max(most, v)
		if s.High != nil {
			most = max(most, s.High[c])
		}
	}
	top, step := axis(most)
	bottom := y + plotTop + plotHeight
	at := func(v float64) float64 { return float64(bottom) - v/top*plotHeight }
	for v := 0.0; v <= top*(1+1e-9); v += step {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#e4e6e9"/>`, plotLeft, plotWidth-plotRight, at(v), at(v))
		fmt.Fprintf(b, `<text x="%d" y="%.1f" font-size="10" text-anchor="end" fill="#44484d">%s</text>`+"\n", plotLeft-6, at(v)+3.5, percentText(v))
	}
	for c, v := range s.Values {
		x := float64(plotLeft + c*barStep)
		fmt.Fprintf(b, `<rect x="%.1f" y="%.2f" width="%d" height="%.2f" fill="%s"><title>%s %s</title></rect>`+"\n",
			x+(barStep-barWidth)/2.0, at(v), barWidth, v/top*plotHeight, colourText(c/16), Channels[c], percentText(v))
		if s.High != nil {
			fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.2f" y2="%.2f" stroke="#6b7076"/>`+"\n", x+barStep/2.0, x+barStep/2.0, at(s.Low[c]), at(s.High[c]))
		}
		fmt.Fprintf(b, `<text transform="translate(%.1f %d) rotate(-90)" font-size="7" text-anchor="end" font-family="Menlo, Consolas, monospace" fill="#44484d">%c%c%c</text>`+"\n",
			x+barStep/2.0+2.5, bottom+4, Channels[c][0], Channels[c][2], Channels[c][6])
	}
	for i, name := range Substitutions {
		x := plotLeft + 16*i*barStep
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="6" fill="%s"/>`, x+1, y+plotTop-12, 16*barStep-2, colourText(i))
		fmt.Fprintf(b, `<text x="%d" y="%d" font-size="11" text-anchor="middle" fill="#22262b">%s</text>`+"\n", x+8*barStep, y+plotTop-16, figure.Escape(name))
	}
	fmt.Fprintf(b, `<text x="4" y="%d" font-size="12" font-weight="bold" fill="#22262b">%s</text>`, y+12, figure.Escape(s.Title))
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="10" fill="#44484d">%s</text>`+"\n", plotLeft, y+panelHeight-6, figure.Escape(s.Note))
}

// axis gives a round end of an axis and the distance of its lines.
func axis(most float64) (top, step float64) {
	if !(most > 0) {
		return 1, 0.5
	}
	step = math.Pow(10, math.Floor(math.Log10(most/2)))
	for _, f := range []float64{1, 2, 2.5, 5, 10} {
		if f*step*4 >= most {
			step *= f
			break
		}
	}
	return step * math.Ceil(most/step-1e-9), step
}

// colourText is the colour of a substitution, as SVG has it.
func colourText(i int) string {
	c := sbs.Colours[i]
	return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
}

func percentText(v float64) string { return fmt.Sprintf("%.3g%%", 100*v) }
