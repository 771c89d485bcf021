package raster

import (
	"fmt"
	"image"
	"image/color"
)

// isPNM goes by the magic number: P1 to P6.
func isPNM(content []byte) bool {
	return len(content) > 2 && content[0] == 'P' && '1' <= content[1] && content[1] <= '6' && isBlank(content[2])
}

func isBlank(b byte) bool { return b == ' ' || '\t' <= b && b <= '\r' }

// pnm reads the content of a netpbm file (netpbm.sourceforge.net/doc, pages
// pbm, pgm and ppm).
type pnm struct {
	content []byte
	at      int
}

func decodePNM(content []byte) (image.Image, error) {
	kind := content[1]
	p := &pnm{content, 2}
	width, err := p.number("width", 1<<31-1)
	if err != nil {
		return nil, err
	}
	height, err := p.number("height", 1<<31-1)
	if err != nil {
		return nil, err
	}
	white := 1
	bitmap := kind == '1' || kind == '4'
	if !bitmap {
		if white, err = p.number("maximum", 0xffff); err != nil {
			return nil, err
		}
		if white == 0 {
			return nil, fmt.Errorf("%w: its maximum is 0", ErrFormat)
		}
	}
	// A bitmap takes a bit a pixel: within the bound of checkSize.
	if err := checkSize(width, height, len(content)); err != nil {
		return nil, err
	}
	samples := 1
	if kind == '3' || kind == '6' {
		samples = 3
	}
	var next func() (int, error)
	switch {
	case kind == '4':
		next = p.bits(width)
	case bitmap:
		next = p.bit
	case kind < '4':
		next = func() (int, error) { return p.number("pixel", white) }
	default:
		next = p.raw(white)
	}
	if kind >= '4' {
		p.at++ // the one blank after the header
		if need := p.rawSize(kind, width, height, samples, white); p.at+need > len(content) {
			return nil, fmt.Errorf("%w: %d x %d pixels take %d bytes, %d are there", ErrTruncated, width, height, need, max(0, len(content)-p.at))
		}
	}
	return p.pixels(width, height, samples, white, bitmap, next)
}

func (p *pnm) rawSize(kind byte, width, height, samples, white int) int {
	switch {
	case kind == '4':
		return (width + 7) / 8 * height
	case white > 0xff:
		samples *= 2
	}
	return width * height * samples
}

// pixels makes the picture of its samples.
func (p *pnm) pixels(width, height, samples, white int, bitmap bool, next func() (int, error)) (image.Image, error) {
	frame := image.Rect(0, 0, width, height)
	gray, colour := &image.Gray16{}, &image.RGBA64{}
	if samples == 1 {
		gray = image.NewGray16(frame)
	} else {
		colour = image.NewRGBA64(frame)
	}
	for y := range height {
		for x := range width {
			var rgb [3]uint16
			for i := range samples {
				v, err := next()
				if err != nil {
					return nil, err
				}
				if v > white {
					return nil, fmt.Errorf("%w: a pixel is %d, beyond the maximum %d", ErrFormat, v, white)
				}
				if bitmap {
					v = 1 - v // 1 is black
				}
				rgb[i] = uint16((v*0xffff + white/2) / white)
			}
			if samples == 1 {
				gray.SetGray16(x, y, color.Gray16{Y: rgb[0]})
			} else {
				colour.SetRGBA64(x, y, color.RGBA64{R: rgb[0], G: rgb[1], B: rgb[2], A: 0xffff})
			}
		}
	}
	if samples == 1 {
		return gray, nil
	}
	return colour, nil
}

// skip goes over blanks and comments.
func (p *pnm) skip() {
	for p.at < len(p.content) {
		switch b := p.content[p.at]; {
		case b == '#':
			for p.at < len(p.content) && p.content[p.at] != '\n' {
				p.at++
			}
		case !isBlank(b):
			return
		default:
			p.at++
		}
	}
}

// number reads a decimal number of at most most.
func (p *pnm) number(what string, most int) (int, error) {
	p.skip()
	n, start := 0, p.at
	for ; p.at < len(p.content) && p.content[p.at]-'0' <= 9; p.at++ {
		if n = n*10 + int(p.content[p.at]-'0'); n > most {
			return 0, fmt.Errorf("%w: its %s is more than %d", ErrFormat, what, most)
		}
	}
	if p.at == start {
		if p.at == len(p.content) {
			return 0, fmt.Errorf("%w: it ends where a %s belongs", ErrTruncated, what)
		}
		return 0, fmt.Errorf("%w: %q where a %s belongs", ErrFormat, p.content[p.at], what)
	}
	return n, nil
}

// bit reads one digit of a bitmap as text, which need not be parted by blanks.
func (p *pnm) bit() (int, error) {
	p.skip()
	if p.at == len(p.content) {
		return 0, fmt.Errorf("%w: it ends where a pixel belongs", ErrTruncated)
	}
	b := p.content[p.at]
	if b != '0' && b != '1' {
		return 0, fmt.Errorf("%w: %q where a pixel belongs", ErrFormat, b)
	}
	p.at++
	return int(b - '0'), nil
}

// bits reads the bits of a bitmap, whose rows start at whole bytes.
func (p *pnm) bits(width int) func() (int, error) {
	x := 0
	return func() (int, error) {
		v := int(p.content[p.at]>>(7-x%8)) & 1
		if x++; x%8 == 0 || x == width {
			p.at++
		}
		if x == width {
			x = 0
		}
		return v, nil
	}
}

// raw reads samples of one byte, or of two, the higher one first.
func (p *pnm) raw(white int) func() (int, error) {
	if white <= 0xff {
		return func() (int, error) {
			p.at++
			return int(p.content[p.at-1]), nil
		}
	}
	return func() (int, error) {
		p.at += 2
		return int(p.content[p.at-2])<<8 | int(p.content[p.at-1]), nil
	}
}
