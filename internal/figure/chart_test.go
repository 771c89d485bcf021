package figure

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		n         int
		want      []float64
	}{{0, 1, 5, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}}, {0, 2.93, 5, []float64{0, 1, 2, 3}}, {400, 900, 8, []float64{400, 500, 600, 700, 800, 900}}, {-1, 1, 5, []float64{-1, -0.5, 0, 0.5, 1}}} {
		got := ticks(c.low, c.high, c.n)
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("ticks from %v to %v: %v, want %v", c.low, c.high, got, c.want)
		}
	}
}

// TestSVG draws all there is, odd numbers too, into well-formed XML, the same
// every time, with nothing outside of the picture.
func TestSVG(t *testing.T) {
	c := &Chart{Title: "a <b> & c", Columns: 2, Panels: []Panel{
		{Title: "lines", XLabel: "x", YLabel: "y", Lines: []Line{{Name: "one", Y: []float64{1, math.NaN(), 3}}, {Name: "two & a half", Y: []float64{math.Inf(1), 2, 1}, Dashed: true}}},
		{Title: "bars", Bars: []Bar{{"left & right", 0.5, ""}, {strings.Repeat("long", 20), 1e-9, "#123456"}, {"", -2, ""}}},
		{Title: "nothing"},
		{Title: "one point", X: []float64{7}, Lines: []Line{{Y: []float64{0}}}},
	}}
	var a, b bytes.Buffer
	if err := c.WriteSVG(&a); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteSVG(&b); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("twice is not the same: %v", err)
	}
	for d := xml.NewDecoder(&a); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "%!"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%s in the picture", bad)
		}
	}
	if n := strings.Count(b.String(), "<rect"); n != 1+3 {
		t.Errorf("%d rectangles", n)
	}
}
