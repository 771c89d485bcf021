package npy

import (
	"fmt"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of a literal; structured types nest a few deep.
const maxDepth = 32

// parseHeader reads the dict of a header: exactly the keys descr,
// fortran_order and shape, in any order.
func parseHeader(text string) (Header, error) {
	p := literalParser{text: text}
	v, err := p.value(0)
	if err == nil {
		p.blanks()
		if p.at < len(p.text) && strings.Trim(p.text[p.at:], " \n\r\t\x00") != "" {
			err = p.fail("text after the dict")
		}
	}
	if err != nil {
		return Header{}, err
	}
	dict, ok := v.(map[string]any)
	if !ok {
		return Header{}, fmt.Errorf("%w .npy: its header is not a dict", ErrFormat)
	}
	for key := range dict {
		if key != "descr" && key != "fortran_order" && key != "shape" {
			return Header{}, fmt.Errorf("%w .npy: its header has an unknown key %s", ErrFormat, quoted(key))
		}
	}
	var h Header
	switch d := dict["descr"].(type) {
	case string:
		h.Descr = d
	case []any:
		h.Descr = structDescr
	default:
		return Header{}, fmt.Errorf("%w .npy: its header has no valid descr", ErrFormat)
	}
	if h.Fortran, ok = dict["fortran_order"].(bool); !ok {
		return Header{}, fmt.Errorf("%w .npy: its header has no valid fortran_order", ErrFormat)
	}
	axes, ok := dict["shape"].([]any)
	if !ok || len(axes) > maxAxes {
		return Header{}, fmt.Errorf("%w .npy: its header has no valid shape", ErrFormat)
	}
	for _, a := range axes {
		n, ok := a.(int)
		if !ok || n < 0 {
			return Header{}, fmt.Errorf("%w .npy: its header has no valid shape", ErrFormat)
		}
		h.Shape = append(h.Shape, n)
	}
	return h, nil
}

// literalParser reads the part of Python's literal syntax that headers use:
// dicts with string keys, tuples, lists, strings, integers (with the L of
// Python 2), True, False, None. Tuples and lists become []any.
type literalParser struct {
	text string
	at   int
}

func (p *literalParser) fail(what string) error {
	return fmt.Errorf("%w .npy: its header has %s at byte %d", ErrFormat, what, p.at)
}

func (p *literalParser) blanks() {
	for p.at < len(p.text) && strings.IndexByte(" \t\n\r\f", p.text[p.at]) >= 0 {
		p.at++
	}
}

// next skips blanks and gives the byte there, 0 at the end.
func (p *literalParser) next() byte {
	p.blanks()
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *literalParser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.fail("too deep a nesting")
	}
	switch c := p.next(); {
	case c == '{':
		return p.dict(depth)
	case c == '(':
		return p.tuple(depth)
	case c == '[':
		list, _, err := p.sequence(']', depth)
		return list, err
	case c == '\'' || c == '"':
		return p.str()
	case c == '-' || '0' <= c && c <= '9':
		return p.integer()
	case isLetter(c):
		return p.word()
	}
	return nil, p.fail("no value")
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func (p *literalParser) dict(depth int) (any, error) {
	p.at++
	dict := map[string]any{}
	for p.next() != '}' {
		k, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok {
			return nil, p.fail("a key that is no string")
		}
		if _, twice := dict[key]; twice {
			return nil, p.fail("a key twice")
		}
		if p.next() != ':' {
			return nil, p.fail("no colon")
		}
		p.at++
		if dict[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		if !p.comma('}') {
			return nil, p.fail("neither comma nor }")
		}
	}
	p.at++
	return dict, nil
}

// comma takes a comma; it is false where there is neither a comma nor the
// closing bracket.
func (p *literalParser) comma(closing byte) bool {
	switch p.next() {
	case ',':
		p.at++
		return true
	case closing:
		return true
	}
	return false
}

// tuple also reads a value in parentheses, which is that value.
func (p *literalParser) tuple(depth int) (any, error) {
	list, commas, err := p.sequence(')', depth)
	if err == nil && len(list) == 1 && !commas {
		return list[0], nil
	}
	return list, err
}

func (p *literalParser) sequence(closing byte, depth int) (list []any, commas bool, err error) {
	p.at++
	list = []any{}
	for p.next() != closing {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, false, err
		}
		list = append(list, v)
		commas = p.next() == ','
		if !p.comma(closing) {
			return nil, false, p.fail("neither comma nor " + string(closing))
		}
	}
	p.at++
	return list, commas, nil
}

// str reads a quoted string. An escape stands for the character after the
// backslash: element types need no others.
func (p *literalParser) str() (any, error) {
	quote := p.text[p.at]
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case quote:
			p.at++
			return b.String(), nil
		case '\n':
			return nil, p.fail("an unclosed string")
		case '\\':
			p.at++
			if p.at == len(p.text) {
				return nil, p.fail("an unclosed string")
			}
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	return nil, p.fail("an unclosed string")
}

func (p *literalParser) integer() (any, error) {
	start := p.at
	if p.text[p.at] == '-' {
		p.at++
	}
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	n, err := strconv.Atoi(p.text[start:p.at])
	if err != nil {
		return nil, p.fail("an integer out of range")
	}
	if p.at < len(p.text) && p.text[p.at] == 'L' {
		p.at++
	}
	return n, nil
}

// word reads True, False, None, and strings with a prefix such as u'…'.
func (p *literalParser) word() (any, error) {
	start := p.at
	for p.at < len(p.text) && isLetter(p.text[p.at]) {
		p.at++
	}
	switch word := p.text[start:p.at]; word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	case "u", "b", "U", "B":
		if p.at < len(p.text) && (p.text[p.at] == '\'' || p.text[p.at] == '"') {
			return p.str()
		}
	}
	return nil, p.fail("an unknown word")
}

// quoted quotes a piece of input for an error, shortened.
func quoted(s string) string {
	const most = 40
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}
