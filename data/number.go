package data

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"

	"github.com/partsof/nmf/matrix"
)

// scanNumber reads the decimal number at b[i:], correctly rounded to F, and
// gives the index after it. The byte that ends the number is the caller's to
// judge; b must end in one that cannot be part of a number, such as a newline.
// ok is false where there is no number, or one beyond the range of F; end is
// after the number in the latter case only.
//
// Only plain decimal numbers are read: no hexadecimal, no underscores, no
// words such as "inf". Nearly all are converted without strconv; see decimal.
func scanNumber[F matrix.Float](b []byte, i int) (v F, end int, ok bool) {
	start := i
	negative := b[i] == '-'
	if negative || b[i] == '+' {
		i++
	}
	var mantissa uint64
	first := i
	for ; b[i]-'0' <= 9; i++ {
		mantissa = mantissa*10 + uint64(b[i]-'0')
	}
	digits, exponent := i-first, 0
	if b[i] == '.' {
		i++
		point := i
		for ; b[i]-'0' <= 9; i++ {
			mantissa = mantissa*10 + uint64(b[i]-'0')
		}
		exponent = point - i
		digits -= exponent
	}
	if digits == 0 {
		return 0, start, false
	}
	if b[i]|0x20 == 'e' {
		e, after, ok := scanExponent(b, i+1)
		if !ok {
			return 0, i, false
		}
		exponent, i = exponent+e, after
	}
	if digits <= maxDigits || digits-leadingZeros(b[first:i]) <= maxDigits {
		if v, ok = decimal[F](mantissa, exponent); ok {
			if negative {
				v = -v
			}
			return v, i, true
		}
	}
	x, err := strconv.ParseFloat(string(b[start:i]), 8*int(unsafe.Sizeof(v)))
	return F(x), i, err == nil
}

// maxDigits is how many decimal digits a uint64 always holds.
const maxDigits = 19

// scanExponent reads a signed integer. It stops growing where no number of
// digits before it could bring the whole back into range.
func scanExponent(b []byte, i int) (e, end int, ok bool) {
	negative := b[i] == '-'
	if negative || b[i] == '+' {
		i++
	}
	first := i
	for ; b[i]-'0' <= 9; i++ {
		if e < 1<<40 {
			e = e*10 + int(b[i]-'0')
		}
	}
	if negative {
		e = -e
	}
	return e, i, i > first
}

// leadingZeros counts the zeros before the first other digit.
func leadingZeros(number []byte) (n int) {
	for _, c := range number {
		switch c {
		case '0':
			n++
		case '.':
		default:
			return n
		}
	}
	return n
}

// pow10 holds the powers of ten that a float64 represents exactly.
var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// pow5 holds the powers of five below 2^64.
var pow5 = func() (p [28]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 5 * p[i-1]
	}
	return p
}()

// decimal gives mantissa·10^exponent correctly rounded, ok false where neither
// of its two methods covers the number.
//
// The first is that of Clinger (1990, "How to read floating point numbers
// accurately"): where mantissa and power of ten are both exact in a float64,
// one rounded operation on them is right. The second divides integers:
// mantissa/5^-exponent to at least 63 bits with the remainder as a sticky bit,
// which a conversion then rounds once.
func decimal[F matrix.Float](mantissa uint64, exponent int) (v F, ok bool) {
	if exponent == 0 || mantissa == 0 {
		return F(mantissa), true
	}
	if mantissa <= 1<<53 && -len(pow10) < exponent && exponent < len(pow10) {
		x := float64(mantissa)
		if exponent < 0 {
			x /= pow10[-exponent]
		} else {
			x *= pow10[exponent]
		}
		if v, ok = narrow[F](x); ok {
			return v, true
		}
	}
	if exponent > 0 || -exponent >= len(pow5) {
		return 0, false
	}
	divisor := pow5[-exponent]
	up, upDivisor := bits.LeadingZeros64(mantissa), bits.LeadingZeros64(divisor)
	mantissa, divisor = mantissa<<up, divisor<<upDivisor
	// Both now have their top bit set, so the quotient is in (2^62, 2^64).
	quotient, rest := bits.Div64(mantissa>>1, mantissa<<63, divisor)
	if rest != 0 {
		quotient |= 1
	}
	// The power of two alone may be too small for a normal float32.
	return F(float64(F(quotient)) * powerOfTwo(exponent-63-up+upDivisor)), true
}

// narrow rounds x, the correctly rounded float64 of some number, to F. The
// second rounding is right unless x lies half-way between two neighbours in
// F, where the first may have put it. x is zero or between 1e-22 and 1e38:
// never subnormal as a float32.
func narrow[F matrix.Float](x float64) (v F, ok bool) {
	v = F(x)
	if unsafe.Sizeof(v) == 8 {
		return v, true
	}
	const half, rest = 1 << 28, 1<<29 - 1
	return v, math.Float64bits(x)&rest != half
}

// powerOfTwo gives 2^e for an exponent of normal numbers.
func powerOfTwo(e int) float64 { return math.Float64frombits(uint64(1023+e) << 52) }

// parseNumber reads a whole field.
func parseNumber[F matrix.Float](field []byte) (v F, ok bool) {
	var space [64]byte
	padded := append(append(space[:0], field...), '\n')
	v, end, ok := scanNumber[F](padded, 0)
	return v, ok && end == len(field)
}

// appendNumber writes v in the fewest digits that read back as v. Whole
// numbers are written out, as counts are in every other tool.
func appendNumber[F matrix.Float](b []byte, v F) []byte {
	x := float64(v)
	if x == math.Trunc(x) && math.Abs(x) < 1e15 && (x != 0 || !math.Signbit(x)) {
		return strconv.AppendInt(b, int64(x), 10)
	}
	return strconv.AppendFloat(b, x, 'g', -1, 8*int(unsafe.Sizeof(v)))
}

// kind says what a field of a text table is.
type kind int

const (
	textKind    kind = iota
	numberKind       // a number that is read
	missingKind      // nothing, or a word for it
	refusedKind      // meant as a number, but not read as one
)

// problem is what is wrong at an offset of a chunk of text.
type problem struct {
	// offset is in bytes from the start of the chunk; column is the field,
	// from 1, or 0.
	offset, column int
	found, hint    string
	err            error
}

// judge says what a trimmed field is and, unless it is a number, why it is
// not read as one.
func judge[F matrix.Float](field []byte) (kind, *problem) {
	if _, ok := parseNumber[F](field); ok {
		return numberKind, nil
	}
	text := string(field)
	shown := quote(text)
	refused := func(what, hint string) (kind, *problem) {
		return refusedKind, &problem{found: shown + " " + what, hint: hint, err: ErrFormat}
	}
	switch {
	case isMissing(text):
		found := shown + " stands for a missing value"
		if text == "" {
			found = "the cell is empty"
		}
		return missingKind, &problem{found: found, err: ErrMissing,
			hint: missingHint}
	case isInfinity(text):
		return refused("is not a finite number", "")
	case isDecimal(text):
		if unsafe.Sizeof(F(0)) == 4 {
			return refused("is beyond the range of float32", "read it as float64")
		}
		return refused("is beyond the range of float64", "")
	case isDecimal(strings.Replace(text, ",", ".", 1)):
		return refused("has a decimal comma", "write numbers with a point and no thousands separators")
	case isDecimal(strings.ReplaceAll(text, ",", "")):
		return refused("has thousands separators", "write numbers without them")
	case isHexadecimal(text):
		return refused("is hexadecimal", "write numbers in decimal")
	}
	return textKind, &problem{found: shown + " where a number belongs", err: ErrFormat}
}

// missingHint says what to do about a missing value.
const missingHint = "say --missing nan to fit without it, fill the cell in, or leave out its row or column"

// isMissing knows the words that stand for no value, in any case.
func isMissing(text string) bool {
	switch strings.ToLower(text) {
	case "", "na", "n/a", "nan", "null", "none", ".":
		return true
	}
	return false
}

func isInfinity(text string) bool {
	switch strings.ToLower(strings.TrimLeft(text, "+-")) {
	case "inf", "infinity":
		return true
	}
	return false
}

// isDecimal says whether text has the form of a decimal number of any size.
func isDecimal(text string) bool {
	b := []byte(text + "\n")
	// A number out of range is not ok, but scanned to its end all the same.
	_, end, _ := scanNumber[float64](b, 0)
	return text != "" && end == len(text)
}

func isHexadecimal(text string) bool {
	t := strings.ToLower(strings.TrimLeft(text, "+-"))
	if !strings.HasPrefix(t, "0x") {
		return false
	}
	_, err := strconv.ParseUint(t[2:], 16, 64)
	return err == nil
}

// quote shows a piece of a file, shortened, on one line.
func quote(text string) string {
	const most = 40
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return strconv.Quote(text)
}
