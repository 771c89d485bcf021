package sbs

import (
	"strings"
	"testing"
)

func TestChannels(t *testing.T) {
	if Channels[0] != "A[C>A]A" || Channels[17] != "A[C>G]C" || Channels[95] != "T[T>G]T" {
		t.Fatalf("%q", Channels)
	}
	seen := map[string]bool{}
	for _, name := range Channels {
		seen[name] = true
	}
	if len(seen) != N {
		t.Errorf("%d channels", len(seen))
	}
}

func TestParse(t *testing.T) {
	for c, name := range Channels {
		b, f, to, a := name[0:1], name[2:3], name[4:5], name[6:7]
		other := map[string]string{"A": "T", "C": "G", "G": "C", "T": "A"}
		for _, form := range []string{
			name, strings.ToLower(name), " " + name + "\r", b + "(" + f + ">" + to + ")" + a, b + f + a + ">" + b + to + a, f + ">" + to + " " + b + "." + a, f + to + " " + b + "." + a,
			f + ">" + to + ":" + b + f + a, b + f + a + ":" + f + ">" + to, b + "." + f + "." + to + "." + a, b + f + a + to,
			f + ">" + to + " " + b + f + a, b + "_" + a + " " + f + ">" + to,
			other[a] + "[" + other[f] + ">" + other[to] + "]" + other[b],
		} {
			if got, ok := Parse(form); !ok || got != c {
				t.Errorf("%q is channel %d, %v; want %d", form, got, ok, c)
			}
		}
	}
	for _, bad := range []string{"", "A", "A[C>C]A", "A[C>A]", "AC>CA", "A[C>A]AA", "T:A[C>A]A", "ACA>TAA", "C>A TTT", "sample", "AA[C>A]AA", "1:Del:C:0", "A[N>A]A", "CAT"} {
		if got, ok := Parse(bad); ok {
			t.Errorf("%q is taken for %s", bad, Channels[got])
		}
	}
}
