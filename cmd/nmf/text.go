package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// plainWidth is the width of lines where no terminal tells one.
	plainWidth = 80
	leastWidth = 40
)

// terminalWidth is the number of columns of the terminal that standard output
// is, or what COLUMNS says.
func terminalWidth() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return max(leastWidth, n)
	}
	if n := columnsOf(os.Stdout); n > 0 {
		return max(leastWidth, n)
	}
	return plainWidth
}

// wide holds the scripts and symbols that terminals show two columns wide
// (East Asian Width W and F, and emoji).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0x4dbf, Stride: 1},
		{Lo: 0x4e00, Hi: 0xa4cf, Stride: 1}, {Lo: 0xa960, Hi: 0xa97c, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff00, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f900, Hi: 0x1f9ff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// displayWidth is the number of columns that a terminal shows s in.
func displayWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// shown makes a name safe to show: what would move the cursor or change
// colours becomes U+FFFD.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// cut shortens s to a width, the cut shown by an ellipsis.
func cut(s string, width int) string {
	if displayWidth(s) <= width {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeWidth(r); n > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// padRight fills s with blanks up to a width.
func padRight(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-displayWidth(s)))
}

func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-displayWidth(s))) + s
}

// wrap breaks text at blanks into lines of at most width columns; line breaks
// in the text stay.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		lines = append(lines, wrapWords(strings.Fields(paragraph), width)...)
	}
	return lines
}

// wrapWords joins words to lines; a word is not broken.
func wrapWords(words []string, width int) []string {
	lines := []string{""}
	n := 0
	for _, w := range words {
		last := &lines[len(lines)-1]
		switch wordWidth := displayWidth(w); {
		case *last == "":
			*last, n = w, wordWidth
		case n+1+wordWidth <= width:
			*last += " " + w
			n += 1 + wordWidth
		default:
			lines = append(lines, w)
			n = wordWidth
		}
	}
	return lines
}

// percent writes a share with three significant digits.
func percent(share float64) string {
	p := 100 * share
	switch a := math.Abs(p); {
	case a == 0:
		return "0%"
	case a >= 99.95 && a < 100:
		return fmt.Sprintf("%.4f%%", p)
	case a >= 100:
		return fmt.Sprintf("%.0f%%", p)
	case a >= 10:
		return fmt.Sprintf("%.1f%%", p)
	case a >= 1:
		return fmt.Sprintf("%.2f%%", p)
	case a >= 0.01:
		return fmt.Sprintf("%.3f%%", p)
	}
	return fmt.Sprintf("%.1e%%", p)
}

// thousands groups the digits of a count.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

// shellWord quotes a path for a shell where it needs that.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r == '/' || r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
