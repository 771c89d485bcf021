package report

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
)

// pack is the block of numbers of a page: typed arrays one behind another, each
// at a multiple of 8 bytes, compressed, in base64.
type pack struct {
	bytes  []byte
	Arrays map[string]array
}

// array is where an array lies in the block: its type (f4, f8, u1, u2, u4, or
// s for strings that end in a zero byte), first byte, and number of elements
// (of bytes for s).
type array struct {
	Type string `json:"t"`
	At   int    `json:"at"`
	N    int    `json:"n"`
}

func (p *pack) put(name, kind string, n int, fill func(b []byte) []byte) {
	if p.Arrays == nil {
		p.Arrays = make(map[string]array)
	}
	for len(p.bytes)%8 != 0 {
		p.bytes = append(p.bytes, 0)
	}
	p.Arrays[name] = array{kind, len(p.bytes), n}
	p.bytes = fill(p.bytes)
}

func (p *pack) f4(name string, values []float64) {
	p.put(name, "f4", len(values), func(b []byte) []byte {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
		}
		return b
	})
}

func (p *pack) f8(name string, values []float64) {
	p.put(name, "f8", len(values), func(b []byte) []byte {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		return b
	})
}

func (p *pack) u4(name string, values []int) {
	p.put(name, "u4", len(values), func(b []byte) []byte {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		return b
	})
}

func (p *pack) u2(name string, values []int) {
	p.put(name, "u2", len(values), func(b []byte) []byte {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
		return b
	})
}

func (p *pack) u1(name string, values []byte) {
	p.put(name, "u1", len(values), func(b []byte) []byte { return append(b, values...) })
}

// names packs strings, cut to fit within maxRunes bytes together. It says
// whether any was cut.
func (p *pack) names(name string, names []string) (wasCut bool) {
	total := 0
	for _, s := range names {
		total += len(s) + 1
	}
	longest := 400
	if total > maxRunes {
		longest = max(8, maxRunes/len(names)-1)
	}
	var b strings.Builder
	for _, s := range names {
		s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", " "), "\ufffd")
		if short := cutBytes(s, longest); short != s {
			s, wasCut = short, true
		}
		b.WriteString(s)
		b.WriteByte(0)
	}
	p.put(name, "s", b.Len(), func(to []byte) []byte { return append(to, b.String()...) })
	return wasCut
}

// cutBytes shortens s to that many bytes, between characters.
func cutBytes(s string, most int) string {
	const ellipsis = "…"
	if len(s) <= most {
		return s
	}
	end := max(0, most-len(ellipsis))
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// write gives the block as gzip in base64.
func (p *pack) write(w io.Writer) error {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(p.bytes); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	e := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := e.Write(b.Bytes()); err != nil {
		return err
	}
	return e.Close()
}

// pick gives the values at some indices, or all where there are none.
func pick(values []float64, at []int) []float64 {
	if at == nil {
		return values
	}
	out := make([]float64, len(at))
	for q, i := range at {
		out[q] = values[i]
	}
	return out
}

func pickNames(names []string, at []int) []string {
	if at == nil || names == nil {
		return names
	}
	out := make([]string, len(at))
	for q, i := range at {
		out[q] = names[i]
	}
	return out
}
