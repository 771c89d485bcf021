// Command figures draws the pictures of the documentation: the topics of Go's
// own source tree, and what front doors make of data that is drawn here. Run it
// in the root of the checkout:
//
//	go run ./docs/figures
package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/figure"
	"github.com/partsof/nmf/recipe/topics"
)

func main() {
	log.SetFlags(0)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		log.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src")
	for _, f := range []struct {
		name string
		draw func(out string) error
	}{
		{"topics.svg", func(out string) error { return drawTopics(source, out) }},
		{"images.png", drawImages},
		{"signatures.svg", drawSignatures},
		{"audio.svg", drawAudio},
		{"sources.svg", drawSources},
		{"ancestry.svg", drawAncestry},
		{"spectra.svg", drawSpectra},
		{"muscles.svg", drawMuscles},
	} {
		out := filepath.Join("docs", "figures", f.name)
		if err := f.draw(out); err != nil {
			log.Fatal(err)
		}
		fmt.Println("wrote", out)
	}
}

const (
	components = 20
	terms      = 6
	columns    = 5

	cardWidth, cardHeight = 236, 176
	margin, gap           = 24, 12
	barWidth, barHeight   = 96, 12
)

func drawTopics(root, out string) error {
	ctx := context.Background()
	corpus, err := topics.ReadCorpus(ctx, root, nil)
	if err != nil {
		return err
	}
	x, vectorizer, err := topics.Vectorize[float32](ctx, corpus.Documents, nil)
	if err != nil {
		return err
	}
	model, err := nmf.Fit(ctx, x, components, &nmf.Options{RowNames: corpus.Names(), ColumnNames: vectorizer.Terms})
	if err != nil {
		return err
	}
	var b strings.Builder
	rows := (components + columns - 1) / columns
	width := 2*margin + columns*cardWidth + (columns-1)*gap
	height := 2*margin + 46 + rows*cardHeight + (rows-1)*gap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="Helvetica, Arial, sans-serif" role="img">`+"\n", width, height)
	title := fmt.Sprintf("%d topics in the comments of Go's source tree: %d packages, %d terms", components, x.Rows, x.Cols)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text(&b, margin, margin+18, 20, "#222222", "", title)
	text(&b, margin, margin+38, 13, "#666666", "", "terms by how specific they are to the topic, bars: their weight in it; per cent: its share of the whole; last line: the package that holds most of it")
	list, err := model.Components(terms, 1, nmf.BySpecificity)
	if err != nil {
		return err
	}
	for j, c := range list {
		left := margin + j%columns*(cardWidth+gap)
		upper := margin + 46 + j/columns*(cardHeight+gap)
		drawCard(&b, j+1, c, left, upper)
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(out, []byte(b.String()), 0o644)
}

func drawCard(b *strings.Builder, number int, c nmf.Component, left, upper int) {
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="#f6f8fa" stroke="#d0d7de"/>`+"\n", left, upper, cardWidth, cardHeight)
	text(b, left+12, upper+24, 14, "#222222", "bold", fmt.Sprint(number))
	anchored(b, left+cardWidth-12, upper+24, 13, "#444444", fmt.Sprintf("%.1f %%", 100*c.Share))
	longest := 0.0
	for _, f := range c.Features {
		longest = max(longest, f.Weight)
	}
	for i, f := range c.Features {
		y := upper + 40 + i*18
		length := float64(barWidth) * f.Weight / longest
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="#0072B2"/>`+"\n", left+12, y, length, barHeight)
		text(b, left+12+barWidth+8, y+11, 13, "#222222", "", shorten(f.Name, 14))
	}
	if len(c.Samples) > 0 {
		text(b, left+12, upper+cardHeight-12, 12, "#666666", "", shorten(c.Samples[0].Name, 34))
	}
}

func text(b *strings.Builder, x, y, size int, fill, weight, s string) {
	if weight != "" {
		weight = fmt.Sprintf(` font-weight="%s"`, weight)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="%d" fill="%s"%s>%s</text>`+"\n", x, y, size, fill, weight, escape(s))
}

func anchored(b *strings.Builder, x, y, size int, fill, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="%d" fill="%s" text-anchor="end">%s</text>`+"\n", x, y, size, fill, escape(s))
}

// shorten cuts the end off a long name.
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

func writeChart(path string, c *figure.Chart) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(c.WriteSVG(f), f.Close())
}
