package spectra

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// envi is the header of an ENVI image (ENVI Header Format; NV5 Geospatial).
type envi struct {
	samples, lines, bands int
	offset                int64
	kind                  int // "data type"
	interleave            string
	order                 binary.ByteOrder
	wavelengths           []float64
	unit                  string
	bandNames             []string
	// good tells the bands that are not on the bad bands list; nil is all.
	good []bool
	// ignore is the value of cells without data; NaN is none.
	ignore float64
}

// enviSizes are the bytes of the types of real numbers, by "data type".
var enviSizes = map[int]int64{1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 12: 2, 13: 4, 14: 8, 15: 8}

const (
	// mostHeader and mostSide are far beyond what instruments give.
	mostHeader = 16 << 20
	mostSide   = 1 << 24
)

// isENVI says that a file is an ENVI header.
func isENVI(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 5)
	n, _ := io.ReadFull(f, head)
	text := string(head[:n])
	return strings.HasPrefix(text, "ENVI") && (n < 5 || text[4] == '\n' || text[4] == '\r' || text[4] == ' ')
}

// parseENVI reads a header.
func parseENVI(text string) (*envi, error) {
	values := map[string]string{}
	lines := strings.Split(strings.ReplaceAll(text, "\r", "\n"), "\n")
	if strings.TrimSpace(lines[0]) != "ENVI" {
		return nil, fmt.Errorf(`the first line is %q, not "ENVI"`, shorten(lines[0]))
	}
	for i := 1; i < len(lines); i++ {
		key, value, found := strings.Cut(lines[i], "=")
		if !found || strings.HasPrefix(strings.TrimSpace(lines[i]), ";") {
			continue
		}
		value = strings.TrimSpace(value)
		if strings.HasPrefix(value, "{") {
			for !strings.Contains(value, "}") {
				if i++; i == len(lines) {
					return nil, fmt.Errorf("%q has a { and no }", shorten(strings.TrimSpace(key)))
				}
				value += "\n" + lines[i]
			}
			value, _, _ = strings.Cut(value[1:], "}")
		}
		values[strings.Join(strings.Fields(strings.ToLower(key)), " ")] = strings.TrimSpace(value)
	}
	h := &envi{interleave: strings.ToLower(values["interleave"]), unit: values["wavelength units"], order: binary.LittleEndian, ignore: math.NaN()}
	for _, n := range []struct {
		key      string
		to       *int
		from, of int
	}{{"samples", &h.samples, 1, mostSide}, {"lines", &h.lines, 1, mostSide}, {"bands", &h.bands, 1, mostSide}, {"data type", &h.kind, 1, 15}} {
		v, err := strconv.Atoi(values[n.key])
		if err != nil || v < n.from || v > n.of {
			return nil, fmt.Errorf("%q is %q; a number from %d to %d is wanted", n.key, shorten(values[n.key]), n.from, n.of)
		}
		*n.to = v
	}
	if text := values["header offset"]; text != "" {
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v < 0 || v > 1<<40 {
			return nil, fmt.Errorf(`"header offset" is %q`, shorten(text))
		}
		h.offset = v
	}
	switch text := values["byte order"]; text {
	case "", "0":
	case "1":
		h.order = binary.BigEndian
	default:
		return nil, fmt.Errorf(`"byte order" is %q; it is 0 (little) or 1 (big)`, shorten(text))
	}
	switch {
	case enviSizes[h.kind] == 0:
		return nil, fmt.Errorf(`"data type" %d is not read: 1, 2, 3, 4, 5, 12, 13, 14 and 15 are, the real numbers`, h.kind)
	case !slices.Contains([]string{"bsq", "bil", "bip"}, h.interleave):
		return nil, fmt.Errorf(`"interleave" is %q; it is bsq, bil or bip`, shorten(h.interleave))
	case values["file compression"] != "" && values["file compression"] != "0":
		return nil, fmt.Errorf(`"file compression" is %q; decompress the image first`, shorten(values["file compression"]))
	case int64(h.samples)*int64(h.lines) > matrix.MaxDim:
		return nil, fmt.Errorf("%d x %d pixels are more than %d", h.samples, h.lines, matrix.MaxDim)
	}
	if text := values["data ignore value"]; text != "" {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf(`"data ignore value" is %q`, shorten(text))
		}
		h.ignore = v
	}
	return h, h.bandLists(values)
}

// bandLists reads what the header says of every band.
func (h *envi) bandLists(values map[string]string) error {
	list := func(key string) ([]string, error) {
		if values[key] == "" {
			return nil, nil
		}
		items := strings.Split(values[key], ",")
		for i := range items {
			items[i] = strings.TrimSpace(items[i])
		}
		if len(items) != h.bands {
			return nil, fmt.Errorf("%q has %d entries for %d bands", key, len(items), h.bands)
		}
		return items, nil
	}
	var err error
	if h.bandNames, err = list("band names"); err != nil {
		return err
	}
	waves, err := list("wavelength")
	if err != nil {
		return err
	}
	for _, text := range waves {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf(`"wavelength" has %q`, shorten(text))
		}
		h.wavelengths = append(h.wavelengths, v)
	}
	bad, err := list("bbl")
	if err != nil {
		return err
	}
	for _, text := range bad {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf(`"bbl" has %q`, shorten(text))
		}
		h.good = append(h.good, v != 0)
	}
	return nil
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// size is the number of bytes of the image file.
func (h *envi) size() int64 {
	return h.offset + int64(h.samples)*int64(h.lines)*int64(h.bands)*enviSizes[h.kind]
}

// enviFiles finds the image of a header, or the header of an image.
func enviFiles(path string) (header, image string, ok bool) {
	if isENVI(path) {
		base := strings.TrimSuffix(path, filepath.Ext(path))
		for _, ext := range []string{"", ".img", ".dat", ".raw", ".bsq", ".bil", ".bip", ".bin"} {
			if info, err := os.Stat(base + ext); err == nil && info.Mode().IsRegular() && base+ext != path {
				return path, base + ext, true
			}
		}
		return path, "", true
	}
	for _, header := range []string{path + ".hdr", strings.TrimSuffix(path, filepath.Ext(path)) + ".hdr"} {
		if header != path && isENVI(header) {
			return header, path, true
		}
	}
	return "", "", false
}

// readENVI reads an image into a row a pixel, line by line. Cells without data
// are NaN.
func readENVI[F matrix.Float](header, image string) (*matrix.Dense[F], *envi, error) {
	bad := func(file, found, hint string, err error) error {
		return &data.Error{File: file, Found: found, Hint: hint, Err: err}
	}
	f, err := os.Open(header)
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, mostHeader))
	f.Close()
	if err != nil {
		return nil, nil, err
	}
	h, err := parseENVI(string(text))
	if err != nil {
		return nil, nil, bad(header, err.Error(), "put the ENVI header right", data.ErrFormat)
	}
	if image == "" {
		return nil, nil, bad(header, "no image is beside this ENVI header", "the image has its name without .hdr, or with .img, .dat, .raw, .bsq, .bil, .bip or .bin", recipe.ErrInput)
	}
	if f, err = os.Open(image); err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() < h.size() {
		return nil, nil, bad(image, fmt.Sprintf("the cube is %d bytes long; %d lines of %d samples and %d bands of data type %d take %d", info.Size(), h.lines, h.samples, h.bands, h.kind, h.size()),
			"the file is cut short, or its header is of another", data.ErrTruncated)
	}
	if _, err := f.Seek(h.offset, io.SeekStart); err != nil {
		return nil, nil, err
	}
	x, err := decodeENVI[F](bufio.NewReaderSize(f, 1<<20), h)
	if err != nil {
		return nil, nil, bad(image, err.Error(), "copy or download it again", data.ErrFormat)
	}
	return x, h, nil
}

// decodeENVI reads the numbers of an image in the order of its interleave: the
// last of outer, middle and inner runs fastest.
func decodeENVI[F matrix.Float](r io.Reader, h *envi) (*matrix.Dense[F], error) {
	x := matrix.NewDense[F](h.samples*h.lines, h.bands)
	outer, middle, inner := h.bands, h.lines, h.samples // bsq
	cell := func(o, m, i int) (pixel, band int) { return m*h.samples + i, o }
	switch h.interleave {
	case "bil":
		outer, middle = h.lines, h.bands
		cell = func(o, m, i int) (pixel, band int) { return o*h.samples + i, m }
	case "bip":
		outer, middle, inner = h.lines, h.samples, h.bands
		cell = func(o, m, i int) (pixel, band int) { return o*h.samples + m, i }
	}
	raw := make([]byte, int64(inner)*enviSizes[h.kind])
	row := make([]float64, inner)
	for o := range outer {
		for m := range middle {
			if _, err := io.ReadFull(r, raw); err != nil {
				return nil, fmt.Errorf("the cube ends early: %w", err)
			}
			if err := enviNumbers(raw, h, row); err != nil {
				return nil, err
			}
			for i, v := range row {
				if v == h.ignore {
					v = math.NaN()
				}
				pixel, band := cell(o, m, i)
				x.Set(pixel, band, F(v))
			}
		}
	}
	return x, nil
}

// enviNumbers turns bytes into numbers.
func enviNumbers(raw []byte, h *envi, to []float64) error {
	switch h.kind {
	case 1:
		return widen[uint8](raw, h, to)
	case 2:
		return widen[int16](raw, h, to)
	case 3:
		return widen[int32](raw, h, to)
	case 4:
		return widen[float32](raw, h, to)
	case 5:
		return widen[float64](raw, h, to)
	case 12:
		return widen[uint16](raw, h, to)
	case 13:
		return widen[uint32](raw, h, to)
	case 14:
		return widen[int64](raw, h, to)
	}
	return widen[uint64](raw, h, to)
}

func widen[T uint8 | int16 | int32 | float32 | float64 | uint16 | uint32 | int64 | uint64](raw []byte, h *envi, to []float64) error {
	from := make([]T, len(to))
	if _, err := binary.Decode(raw, h.order, from); err != nil {
		return err
	}
	for i, v := range from {
		to[i] = float64(v)
	}
	return nil
}
