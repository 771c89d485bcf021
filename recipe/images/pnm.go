package images

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"io"
)

func init() {
	for _, magic := range []string{"P1", "P2", "P3", "P4", "P5", "P6"} {
		image.RegisterFormat("pnm", magic, decodePNM, decodePNMConfig)
	}
}

// pnm is the header of a portable anymap (Poskanzer; netpbm's pbm(5), pgm(5),
// ppm(5)).
type pnm struct {
	kind          byte // '1' to '6'
	width, height int
	most          int // the value of white
}

func (h pnm) plain() bool  { return h.kind <= '3' }
func (h pnm) bitmap() bool { return h.kind == '1' || h.kind == '4' }
func (h pnm) channels() int {
	if h.kind == '3' || h.kind == '6' {
		return 3
	}
	return 1
}

func readPNMHeader(r *bufio.Reader) (h pnm, err error) {
	var magic [2]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return h, fmt.Errorf("pnm: no header: %w", io.ErrUnexpectedEOF)
	}
	h.kind, h.most = magic[1], 1
	if magic[0] != 'P' || h.kind < '1' || h.kind > '6' {
		return h, fmt.Errorf("pnm: %q is no magic number", magic)
	}
	fields := []*int{&h.width, &h.height, &h.most}
	if h.bitmap() {
		fields = fields[:2]
	}
	for _, f := range fields {
		if *f, err = pnmNumber(r); err != nil {
			return h, err
		}
	}
	switch {
	case h.width < 1 || h.height < 1 || h.width > maxSide || h.height > maxSide:
		return h, fmt.Errorf("pnm: a picture of %d x %d", h.width, h.height)
	case h.most < 1 || h.most > 0xffff:
		return h, fmt.Errorf("pnm: the largest value is %d; it must be from 1 to 65535", h.most)
	}
	return h, nil
}

// pnmNumber reads a number after white space and comments, and one byte after
// it: that of white space which ends a header.
func pnmNumber(r *bufio.Reader) (int, error) {
	n, digits, comment := 0, 0, false
	for {
		c, err := r.ReadByte()
		switch {
		case err == io.EOF && digits > 0:
			return n, nil
		case err == io.EOF:
			return 0, fmt.Errorf("pnm: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return 0, err
		case comment:
			comment = c != '\n' && c != '\r'
		case '0' <= c && c <= '9':
			if n = 10*n + int(c-'0'); n > 1<<24 {
				return 0, fmt.Errorf("pnm: a number above %d", 1<<24)
			}
			digits++
		case bytes.IndexByte([]byte(" \t\r\n\v\f"), c) >= 0:
			if digits > 0 {
				return n, nil
			}
		case c == '#':
			if digits > 0 {
				return n, nil
			}
			comment = true
		default:
			return 0, fmt.Errorf("pnm: %q where a number belongs", c)
		}
	}
}

func decodePNMConfig(r io.Reader) (image.Config, error) {
	h, err := readPNMHeader(bufio.NewReader(r))
	model := color.Gray16Model
	if h.channels() == 3 {
		model = color.RGBA64Model
	}
	return image.Config{ColorModel: model, Width: h.width, Height: h.height}, err
}

// decodePNM reads the first picture of a file. Memory grows by what arrives.
func decodePNM(in io.Reader) (image.Image, error) {
	r := bufio.NewReader(in)
	h, err := readPNMHeader(r)
	if err != nil {
		return nil, err
	}
	var values []uint16
	row := make([]uint16, h.width*h.channels())
	for range h.height {
		if err := h.readRow(r, row); err != nil {
			return nil, err
		}
		values = append(values, row...)
	}
	scale := func(v uint16) uint16 { return uint16((uint32(v)*0xffff + uint32(h.most)/2) / uint32(h.most)) }
	rect := image.Rect(0, 0, h.width, h.height)
	if h.channels() == 3 {
		img := image.NewRGBA64(rect)
		for i := range h.width * h.height {
			img.SetRGBA64(i%h.width, i/h.width, color.RGBA64{R: scale(values[3*i]), G: scale(values[3*i+1]), B: scale(values[3*i+2]), A: 0xffff})
		}
		return img, nil
	}
	img := image.NewGray16(rect)
	for i, v := range values {
		if h.bitmap() {
			v = 1 - v // 1 is black
		}
		img.SetGray16(i%h.width, i/h.width, color.Gray16{Y: scale(v)})
	}
	return img, nil
}

func (h pnm) readRow(r *bufio.Reader, row []uint16) error {
	switch {
	case h.kind == '1':
		return readPlainBits(r, row)
	case h.plain():
		for i := range row {
			v, err := pnmNumber(r)
			if err != nil {
				return err
			}
			if v > h.most {
				return fmt.Errorf("pnm: the value %d is above the largest, %d", v, h.most)
			}
			row[i] = uint16(v)
		}
		return nil
	}
	size := len(row)
	switch {
	case h.kind == '4':
		size = (len(row) + 7) / 8
	case h.most > 0xff:
		size *= 2
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return fmt.Errorf("pnm: %w", io.ErrUnexpectedEOF)
	}
	for i := range row {
		switch {
		case h.kind == '4':
			row[i] = uint16(raw[i/8]>>(7-i%8)) & 1
		case h.most > 0xff:
			row[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		default:
			row[i] = uint16(raw[i])
		}
		if int(row[i]) > h.most {
			return fmt.Errorf("pnm: the value %d is above the largest, %d", row[i], h.most)
		}
	}
	return nil
}

// readPlainBits reads bits written as digits, which need no space between them.
func readPlainBits(r *bufio.Reader, row []uint16) error {
	for i := 0; i < len(row); {
		c, err := r.ReadByte()
		switch {
		case err == io.EOF:
			return fmt.Errorf("pnm: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return err
		case c == '0' || c == '1':
			row[i] = uint16(c - '0')
			i++
		case c == '#':
			if _, err := r.ReadString('\n'); err != nil {
				return fmt.Errorf("pnm: %w", io.ErrUnexpectedEOF)
			}
		case bytes.IndexByte([]byte(" \t\r\n\v\f"), c) < 0:
			return fmt.Errorf("pnm: %q where a bit belongs", c)
		}
	}
	return nil
}
