package topics

import (
	"bytes"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlText gives the text of a page's body: no scripts, styles, navigation,
// forms' controls or code, and not the title.
func htmlText(src []byte) (string, error) {
	z := html.NewTokenizer(bytes.NewReader(src))
	h := htmlReader{}
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); err != io.EOF {
				return "", err
			}
			return h.text.String(), nil
		case html.TextToken:
			if h.skipping == 0 {
				h.text.Write(z.Text())
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			h.start(atom.Lookup(name))
		case html.SelfClosingTagToken:
			name, _ := z.TagName()
			h.space(atom.Lookup(name))
		case html.EndTagToken:
			name, _ := z.TagName()
			h.end(atom.Lookup(name))
		}
	}
}

// htmlReader follows the elements whose text is left out.
type htmlReader struct {
	text strings.Builder
	// skipping is the element being left out, open is how many of its kind
	// are open within each other.
	skipping atom.Atom
	open     int
}

func (h *htmlReader) start(tag atom.Atom) {
	switch {
	case h.skipping == 0 && isSkippedTag(tag):
		h.skipping, h.open = tag, 1
	case h.skipping != 0 && tag == h.skipping:
		h.open++
	}
	h.space(tag)
}

func (h *htmlReader) end(tag atom.Atom) {
	if h.skipping != 0 && tag == h.skipping {
		if h.open--; h.open == 0 {
			h.skipping = 0
		}
	}
	h.space(tag)
}

// space keeps the words on both sides of a tag apart, unless the tag is one
// that may stand within a word.
func (h *htmlReader) space(tag atom.Atom) {
	switch tag {
	case atom.A, atom.Abbr, atom.B, atom.Bdi, atom.Bdo, atom.Big, atom.Del, atom.Em, atom.Font, atom.I,
		atom.Ins, atom.Mark, atom.S, atom.Small, atom.Span, atom.Strike, atom.Strong, atom.Sub, atom.Sup, atom.U, atom.Wbr:
		return
	}
	if h.skipping == 0 {
		h.text.WriteByte('\n')
	}
}

func isSkippedTag(tag atom.Atom) bool {
	switch tag {
	case atom.Script, atom.Style, atom.Nav, atom.Title, atom.Noscript, atom.Template, atom.Iframe, atom.Noembed, atom.Noframes,
		atom.Svg, atom.Math, atom.Object, atom.Canvas, atom.Textarea, atom.Select, atom.Button, atom.Code:
		return true
	}
	return false
}
