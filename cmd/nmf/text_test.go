package main

import (
	"slices"
	"testing"
)

func TestDisplayWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "gene": 4, "苹果": 4, "e\u0301": 1, "한글": 4, "ﬁ": 1, "🍎": 2, "a\u200db": 2} {
		if got := displayWidth(s); got != want {
			t.Errorf("%q is %d wide, want %d", s, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s     string
		width int
		want  string
	}{{"gene", 4, "gene"}, {"genes", 4, "gen…"}, {"苹果派", 5, "苹果…"}, {"苹果派", 4, "苹…"}, {"苹果", 4, "苹果"}} {
		got := cut(c.s, c.width)
		if got != c.want || displayWidth(got) > c.width {
			t.Errorf("cut(%q, %d) = %q, want %q", c.s, c.width, got, c.want)
		}
	}
}

// TestShown lets no name move the cursor or turn the line round.
func TestShown(t *testing.T) {
	if got := shown("a\x1b[31mb\u202ec\td"); got != "a\ufffd[31mb\ufffdc\ufffdd" {
		t.Errorf("got %q", got)
	}
}

func TestWrap(t *testing.T) {
	got := wrap("one two three\nfour 苹果 five", 9)
	want := []string{"one two", "three", "four 苹果", "five"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0%", 1: "100%", 0.99999: "99.9990%", 0.5: "50.0%", 0.0123: "1.23%", 0.001: "0.100%", 1e-6: "1.0e-04%"} {
		if got := percent(v); got != want {
			t.Errorf("percent(%v) = %q, want %q", v, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q", n, got)
		}
	}
	for n, want := range map[float64]string{999: "999 bytes", 1500: "1.5 kB", 2.34e9: "2.34 GB"} {
		if got := byteText(n); got != want {
			t.Errorf("byteText(%v) = %q", n, got)
		}
	}
}

func TestCounts(t *testing.T) {
	for got, want := range map[string]string{
		byteText(0): "0 bytes", byteText(1): "1 byte", byteText(999): "999 bytes", byteText(1500): "1.5 kB",
		plural(1, "sample"): "1 sample", plural(1200, "sample"): "1,200 samples",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
