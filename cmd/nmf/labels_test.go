package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseLabels(t *testing.T) {
	names := []string{"s1", "s2", "s3"}
	for _, c := range []struct {
		what, text, column string
		names              []string
		want               []string
	}{
		{"a label a line", "a\nb\na\n", "", names, []string{"a", "b", "a"}},
		{"with a heading", "kind\na\nb\na\n", "", nil, []string{"a", "b", "a"}},
		{"by name, in another order", "sample,kind\ns3,c\ns1,a\ns2,b\n", "", names, []string{"a", "b", "c"}},
		{"one without a label", "sample\tkind\ns3\tc\ns1\ta\n", "", names, []string{"a", "", "c"}},
		{"a usual name before the last column", "sample;type;age\ns1;a;1\ns2;b;2\ns3;c;3\n", "", names, []string{"a", "b", "c"}},
		{"a column that is named", "sample,kind,age\ns1,a,1\ns2,b,2\ns3,c,3\n", "age", names, []string{"1", "2", "3"}},
		{"no heading", "s2,b\ns1,a\ns3,c\n", "", names, []string{"a", "b", "c"}},
		{"no names of samples", "x,kind\n1,a\n2,b\n3,c\n", "", nil, []string{"a", "b", "c"}},
	} {
		got, err := parseLabels(c.text, c.column, c.names, 3)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.what, got, err)
		}
	}
	for _, c := range []struct{ text, column, why string }{
		{"", "", "empty"},
		{"a\nb\n", "", "2 lines for 3 samples"},
		{"sample,kind\ns1,a\ns1,b\n", "", "two labels"},
		{"sample,kind\ns1,a\ns2\n", "", "wrong number of fields"},
		{"s1,a\ns2,b\ns3,c\n", "kind", "does not name columns"},
	} {
		if _, err := parseLabels(c.text, c.column, names, 3); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q: %v, want %q", c.text, err, c.why)
		}
	}
}

func FuzzLabels(f *testing.F) {
	for _, seed := range []string{"a\nb\na\n", "sample,kind\ns3,c\ns1,a\n", "\t\n\t", ";", "\"", "s1,s2\ns1,s2", "\n\n\n"} {
		f.Add(seed, "")
		f.Add(seed, "kind")
	}
	names := []string{"s1", "s2", "s3"}
	f.Fuzz(func(t *testing.T, text, column string) {
		for _, rows := range [][]string{names, nil} {
			got, err := parseLabels(text, column, rows, 3)
			if err == nil && len(got) != 3 {
				t.Fatalf("%d labels of 3 samples", len(got))
			}
		}
	})
}
