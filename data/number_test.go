package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/partsof/nmf/matrix"
)

// isPlain says whether text is a decimal number as scanNumber has them, which
// are fewer than strconv's.
func isPlain(text string) bool {
	return text != "" && strings.Trim(text, "+-.eE0123456789") == ""
}

// sameAsStrconv compares one conversion with strconv's, to the bit.
func sameAsStrconv[F matrix.Float](t *testing.T, text string, bitSize int) {
	t.Helper()
	want, err := strconv.ParseFloat(text, bitSize)
	wantOK := err == nil && isPlain(text)
	got, ok := parseNumber[F]([]byte(text))
	if ok != wantOK {
		t.Fatalf("float%d of %q: ok = %v, strconv has %v, %v", bitSize, text, ok, want, err)
	}
	if ok && math.Float64bits(float64(got)) != math.Float64bits(want) {
		t.Fatalf("float%d of %q = %v, strconv has %v", bitSize, text, got, want)
	}
}

func sameAsStrconvBoth(t *testing.T, text string) {
	t.Helper()
	sameAsStrconv[float32](t, text, 32)
	sameAsStrconv[float64](t, text, 64)
}

// numberTexts are the cases where parsers of numbers go wrong.
var numberTexts = []string{
	"0", "-0", "+0", "1", "-1", "+1.", ".5", "-.5", "00012", "1e5", "1E5", "1e+5", "1e-5", "1.5e3",
	"0.1", "0.2", "0.3", "123456789.123456789", "0.12345678901234567", "9007199254740993", "9007199254740992",
	"9007199254740993e3", "18446744073709551615", "18446744073709551616", "9999999999999999999", "99999999999999999999",
	"16777217", "16777219", "1.00000017881393432617187499", "1.00000017881393432617187500", "1.00000017881393432617187501",
	"1.00000005960464477539062500", "1.0000000596046448", "16777217e-1", "33554433", "1.1754944e-38", "1e-45", "7e-46", "1e-46",
	"3.4028235e38", "3.4028236e38", "3.5e38", "1.7976931348623157e308", "1.7976931348623159e308", "2.2250738585072014e-308",
	"5e-324", "2e-324", "1e-400", "1e400", "1e99999999999999999999", "1e-99999999999999999999", "0e99999999999999999999",
	"0.000000000000000000000000000000123456", "0.00000000000000000000000000000000000000000000000000",
	"1" + strings.Repeat("0", 400), "0." + strings.Repeat("0", 400) + "1e400", strings.Repeat("1", 50) + "e-30",
	"0." + strings.Repeat("0", 1029) + "1e10100", "0." + strings.Repeat("0", 1029) + "1e1030",
	"", "+", "-", ".", "-.", "e5", "1e", "1e+", "1.e", "1e5.", "1..2", "1.2.3", "--1", "+-1", "1-", "1 ", " 1", "1_000", "0x10",
	"0x1p-2", "inf", "Inf", "nan", "1,5", "1,000", "1f", "١",
}

func TestNumberAgainstStrconv(t *testing.T) {
	for _, text := range numberTexts {
		sameAsStrconvBoth(t, text)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		x := math.Float64frombits(rng.Uint64())
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		sameAsStrconvBoth(t, strconv.FormatFloat(x, 'g', -1, 64))
		sameAsStrconvBoth(t, strconv.FormatFloat(float64(math.Float32frombits(rng.Uint32()>>1&0x7f7fffff)), 'e', -1, 32))
		// The range of the fast conversions: any mantissa, a small exponent.
		mantissa := rng.Uint64() >> rng.IntN(64)
		sameAsStrconvBoth(t, fmt.Sprintf("%de%d", mantissa, rng.IntN(61)-30))
		digits := strconv.FormatUint(mantissa, 10)
		point := rng.IntN(len(digits) + 1)
		sameAsStrconvBoth(t, digits[:point]+"."+digits[point:])
	}
}

// TestNumberHalfway has decimals at, just above and just below the middle
// between two neighbouring float32, where rounding twice goes wrong.
func TestNumberHalfway(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50_000 {
		f := math.Float32frombits(uint32(rng.IntN(60)+100)<<23 | rng.Uint32()>>9)
		up := math.Nextafter32(f, math.MaxFloat32)
		middle := (float64(f) + float64(up)) / 2
		exact := strconv.FormatFloat(middle, 'f', 60, 64)
		sameAsStrconvBoth(t, strings.TrimRight(exact, "0"))
		sameAsStrconvBoth(t, exact+"1")
		for _, digits := range []int{9, 12, 16, 17, 18} {
			sameAsStrconvBoth(t, strconv.FormatFloat(middle, 'e', digits, 64))
			sameAsStrconvBoth(t, strconv.FormatFloat(math.Nextafter(middle, 0), 'e', digits, 64))
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, text := range numberTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sameAsStrconvBoth(t, text)
		judge[float32]([]byte(text))
	})
}

func TestAppendNumber(t *testing.T) {
	tests := []struct {
		v    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {1, "1"}, {-3, "-3"}, {1000000, "1000000"}, {1e14, "100000000000000"},
		{1e15, "1e+15"}, {0.1, "0.1"}, {1e-7, "1e-07"}, {1.5, "1.5"},
	}
	for _, test := range tests {
		if got := string(appendNumber(nil, test.v)); got != test.want {
			t.Errorf("%v is written %q, want %q", test.v, got, test.want)
		}
	}
	if got := string(appendNumber[float32](nil, 0.1)); got != "0.1" {
		t.Errorf("float32(0.1) is written %q", got)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		bits := rng.Uint64()
		if x := math.Float64frombits(bits); !math.IsNaN(x) && !math.IsInf(x, 0) {
			if got, ok := parseNumber[float64](appendNumber(nil, x)); !ok || math.Float64bits(got) != bits {
				t.Fatalf("%v reads back as %v", x, got)
			}
		}
		if x := math.Float32frombits(uint32(bits)); x-x == 0 {
			if got, ok := parseNumber[float32](appendNumber(nil, x)); !ok || math.Float32bits(got) != uint32(bits) {
				t.Fatalf("float32 %v reads back as %v", x, got)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	tests := []struct {
		text  string
		kind  kind
		found string
	}{
		{"1.5", numberKind, ""},
		{"", missingKind, "the cell is empty"},
		{"NA", missingKind, `"NA" stands for a missing value`},
		{"nan", missingKind, `"nan" stands for a missing value`},
		{"null", missingKind, `"null" stands for a missing value`},
		{".", missingKind, `"." stands for a missing value`},
		{"-Inf", refusedKind, `"-Inf" is not a finite number`},
		{"1e39", refusedKind, `"1e39" is beyond the range of float32`},
		{"1,5", refusedKind, `"1,5" has a decimal comma`},
		{"-1,5e3", refusedKind, `"-1,5e3" has a decimal comma`},
		{"1,234,567.5", refusedKind, `"1,234,567.5" has thousands separators`},
		{"0x1F", refusedKind, `"0x1F" is hexadecimal`},
		{"abc", textKind, `"abc" where a number belongs`},
		{"1e", textKind, `"1e" where a number belongs`},
		{strings.Repeat("x", 50), textKind, `"` + strings.Repeat("x", 40) + `"… where a number belongs`},
	}
	for _, test := range tests {
		k, q := judge[float32]([]byte(test.text))
		found := ""
		if q != nil {
			found = q.found
		}
		if k != test.kind || found != test.found {
			t.Errorf("%q is kind %d, %q; want %d, %q", test.text, k, found, test.kind, test.found)
		}
	}
}

func BenchmarkNumber(b *testing.B) {
	for _, text := range []string{"7", "12345", "0.125", "3.14159", "0.12345678", "0.12345678901234567", "1.2345678901234567e-05"} {
		line := []byte(text + ",")
		b.Run(text, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if _, _, ok := scanNumber[float32](line, 0); !ok {
					b.Fatal("not read")
				}
			}
		})
	}
}
