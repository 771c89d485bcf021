package report

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestMetadata(t *testing.T) {
	names := []string{"a", "b", "c"}
	m, notes, err := readMetadata(strings.NewReader("type;id;age\nx;c;3\n\"y;z\";a;NA\nq;nobody;9\n"), names, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Columns) != 2 || m.Columns[0].Name != "type" || !slices.Equal(m.Columns[0].Values, []string{"y;z", "", "x"}) || m.Columns[0].Numbers != nil {
		t.Errorf("columns %+v", m.Columns)
	}
	if n := m.Columns[1].Numbers; len(n) != 3 || !math.IsNaN(n[0]) || !math.IsNaN(n[1]) || n[2] != 3 {
		t.Errorf("ages %v", n)
	}
	if len(notes) != 2 || !strings.Contains(notes[0], "1 of 3") || !strings.Contains(notes[1], "1 rows") {
		t.Errorf("notes %q", notes)
	}
	m, notes, err = readMetadata(strings.NewReader("\ufefftype\tn\nu\t1\nv\t2\nw\t3\n"), names, 3)
	if err != nil || len(m.Columns) != 2 || !slices.Equal(m.Columns[1].Numbers, []float64{1, 2, 3}) || len(notes) != 1 {
		t.Errorf("%+v, %q, %v", m, notes, err)
	}
}

func TestMetadataErrors(t *testing.T) {
	for text, want := range map[string]string{
		"": "0 lines", "id\n": "1 lines", "id,t\na,1\na,2\n": `row 3: the sample "a" is there twice`,
		"t\nx\ny\n": "2 rows for 3 samples", "id,t\na\n": "line 2", "id,t\n\"a,1\n": "line", "id\na\nb\nc\n": "no column besides",
	} {
		_, _, err := readMetadata(strings.NewReader(text), []string{"a", "b", "c"}, 3)
		if !errors.Is(err, ErrMetadata) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	for _, s := range []string{"id,t\na,1\nb,x\n", "t;u\n1;2\n3;4\n", "\ufeffid\tt\r\nb\t\r\n", "id,t\n\"a\n", "", "\n\n", "a\n\"\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, _, err := readMetadata(strings.NewReader(text), []string{"a", "b"}, 2)
		if err != nil {
			return
		}
		if err := m.check(2); err != nil || len(m.Columns) == 0 {
			t.Errorf("%q: %+v, %v", text, m, err)
		}
	})
}
