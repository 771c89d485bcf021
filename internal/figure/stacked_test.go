package figure

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
)

// TestStacked draws odd numbers into well-formed XML, the same every time.
func TestStacked(t *testing.T) {
	s := &Stacked{Title: "a <b> & c", YLabel: "part & whole", Parts: []string{"one", "two & a half"}, Bars: []StackedBar{
		{"left & right", []float64{0.25, 0.75}}, {"odd", []float64{math.NaN(), math.Inf(1)}}, {strings.Repeat("long", 20), []float64{-1, 1}}, {"", nil}}}
	var a, b bytes.Buffer
	if err := s.WriteSVG(&a); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteSVG(&b); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("twice is not the same: %v", err)
	}
	for _, bad := range []string{"NaN", "Inf", "%!", "height=\"-"} {
		if strings.Contains(a.String(), bad) {
			t.Errorf("%q is in the picture", bad)
		}
	}
	if n := strings.Count(a.String(), `fill="`+Colour(0)+`"`) + strings.Count(a.String(), `fill="`+Colour(1)+`"`); n != 2+3 {
		t.Errorf("%d coloured rectangles, want 2 of the legend and 3 parts", n)
	}
	d := xml.NewDecoder(&a)
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := (&Stacked{}).WriteSVG(io.Discard); err != nil {
		t.Fatal(err)
	}
}
