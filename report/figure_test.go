package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestFigures draws every figure of every kind in every format: SVG that is
// XML, and PNG that is not blank.
func TestFigures(t *testing.T) {
	for _, d := range []Drawing{{}, {Kind: Words}, {Kind: Image, Width: 6, Height: 5}, {Kind: Image, Width: 6, Height: 5, ColumnMajor: true}, {Kind: Profile, Axis: "m/z"}, {Kind: Signatures}, {Kind: Sound}} {
		in := everything(t, d)
		in.Model.RowNames[0], in.Name = "<&\x01>", "a <b> & c"
		in.Model.ColumnNames = slices.Clone(in.Model.ColumnNames)
		if d.Kind != Signatures {
			in.Model.ColumnNames[0] = `</text><script>alert(1)</script>` + strings.Repeat("long", 40)
		}
		for _, name := range Figures(in) {
			if d.Kind != "" && name != "components" {
				continue
			}
			var svg, again, pixels bytes.Buffer
			if err := errors.Join(Figure(&svg, in, name, "svg", nil), Figure(&again, in, name, "svg", nil), Figure(&pixels, in, name, "png", &FigureOptions{DPI: 50})); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if svg.String() != again.String() {
				t.Errorf("%s: two drawings of one input differ", name)
			}
			drawn := 0
			decoder := xml.NewDecoder(&svg)
			for {
				token, err := decoder.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if e, ok := token.(xml.StartElement); ok {
					drawn++
					if e.Name.Local == "script" {
						t.Errorf("%s: a name became markup", name)
					}
					for _, a := range e.Attr {
						if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
							t.Errorf("%s: <%s %s=%q>", name, e.Name.Local, a.Name.Local, a.Value)
						}
					}
				}
			}
			if drawn < 6 {
				t.Errorf("%s: %d elements", name, drawn)
			}
			picture, err := png.Decode(&pixels)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			box, first, other := picture.Bounds(), picture.At(0, 0), 0
			for y := box.Min.Y; y < box.Max.Y; y++ {
				for x := box.Min.X; x < box.Max.X; x++ {
					if picture.At(x, y) != first {
						other++
					}
				}
			}
			if want := int(math.Round(180 / 25.4 * 50)); other < 200 || math.Abs(float64(box.Dx()-want)) > 1 {
				t.Errorf("%s: %d x %d with %d pixels that are not blank; %d wide is wanted", name, box.Dx(), box.Dy(), other, want)
			}
		}
	}
}

// TestFigureExtremes: one component, one sample, an empty component.
func TestFigureExtremes(t *testing.T) {
	for _, shape := range [][3]int{{1, 1, 1}, {3, 2, 1}, {5, 4, 30}} {
		model, x := made(shape[0], shape[1], shape[2], 3)
		model.Scales[shape[2]-1] = 0
		clear(model.H.Row(shape[2] - 1))
		in := &Input{Model: model, X: FromMatrix[float64](x)}
		for _, name := range Figures(in) {
			var b bytes.Buffer
			if err := Figure(&b, in, name, "svg", nil); err != nil || strings.Contains(b.String(), "NaN") {
				t.Errorf("%v: %s: %v", shape, name, err)
			}
		}
	}
}

func TestFigureErrors(t *testing.T) {
	model, _ := made(5, 4, 2, 1)
	in := &Input{Model: model}
	for want, err := range map[string]error{
		"residuals need":   Figure(io.Discard, in, "residuals", "svg", nil),
		"other numbers":    Figure(io.Discard, in, "rank", "svg", nil),
		"no consensus":     Figure(io.Discard, in, "consensus", "svg", nil),
		`"pie" is unknown`: Figure(io.Discard, in, "pie", "svg", nil),
		`not as "gif"`:     Figure(io.Discard, in, "heatmap", "gif", nil),
		"1 mm":             Figure(io.Discard, in, "heatmap", "svg", &FigureOptions{Width: 1}),
		"million pixels":   Figure(io.Discard, in, "embedding", "png", &FigureOptions{Width: 2000, DPI: 1200}),
	} {
		if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
