package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Metadata is a table about the samples.
type Metadata struct {
	Columns []MetadataColumn
}

// MetadataColumn is one property of every sample, in the model's order.
type MetadataColumn struct {
	Name string
	// Values are as they were read; "" where there is none.
	Values []string
	// Numbers is set where every value that is there is a number: NaN where
	// there is none.
	Numbers []float64
}

func (m *Metadata) check(samples int) error {
	if m == nil {
		return nil
	}
	for _, c := range m.Columns {
		if len(c.Values) != samples || c.Numbers != nil && len(c.Numbers) != samples {
			return fmt.Errorf("%w: metadata column %q has %d values for %d samples", ErrInput, c.Name, len(c.Values), samples)
		}
	}
	return nil
}

// ErrMetadata is wrapped by what ReadMetadata returns for a bad table.
var ErrMetadata = errors.New("not a table of metadata")

// ReadMetadata reads a CSV or TSV file about the samples. Its first line names
// the columns. Where a column holds the names of the samples, rows may be in
// any order, and some may be missing or unknown; otherwise there must be a row
// for each sample, in the model's order. It says in notes which it was.
func ReadMetadata(path string, sampleNames []string, samples int) (m *Metadata, notes []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	m, notes, err = readMetadata(f, sampleNames, samples)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, notes, nil
}

func readMetadata(r io.Reader, sampleNames []string, samples int) (*Metadata, []string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, err
	}
	records, err := parseTable(strings.TrimPrefix(string(text), "\ufeff"))
	if err != nil {
		return nil, nil, err
	}
	if len(records) < 2 {
		return nil, nil, fmt.Errorf("%w: it has %d lines; the first must name the columns, the others describe a sample each", ErrMetadata, len(records))
	}
	head, records := records[0], records[1:]
	place, key, notes, err := placeRows(head, records, sampleNames, samples)
	if err != nil {
		return nil, nil, err
	}
	m := new(Metadata)
	for j, name := range head {
		if j == key {
			continue
		}
		c := MetadataColumn{Name: name, Values: make([]string, samples)}
		for i, record := range records {
			if place[i] >= 0 {
				c.Values[place[i]] = strings.TrimSpace(record[j])
			}
		}
		c.Numbers = numbers(c.Values)
		m.Columns = append(m.Columns, c)
	}
	if len(m.Columns) == 0 {
		return nil, nil, fmt.Errorf("%w: it has no column besides the names of the samples", ErrMetadata)
	}
	return m, notes, nil
}

// parseTable splits a table at whichever of tab, comma and semicolon its first
// line has most of.
func parseTable(text string) ([][]string, error) {
	first, _, _ := strings.Cut(text, "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = '\t'
	for _, comma := range ",;" {
		if strings.Count(first, string(comma)) > strings.Count(first, string(r.Comma)) {
			r.Comma = comma
		}
	}
	records, err := r.ReadAll()
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return nil, fmt.Errorf("%w: line %d, column %d: %w", ErrMetadata, parse.Line, parse.Column, parse.Err)
	}
	return records, err
}

// placeRows finds the sample that each record is about, -1 for none, and the
// column of names, -1 for none.
func placeRows(head []string, records [][]string, sampleNames []string, samples int) (place []int, key int, notes []string, err error) {
	at := make(map[string]int, len(sampleNames))
	for i, name := range sampleNames {
		at[name] = i
	}
	key, known := -1, 0
	for j := range head {
		n := 0
		for _, record := range records {
			if _, ok := at[record[j]]; ok {
				n++
			}
		}
		if n > known {
			key, known = j, n
		}
	}
	place = make([]int, len(records))
	if key < 0 {
		if len(records) != samples {
			return nil, 0, nil, fmt.Errorf("%w: it has %d rows for %d samples, and no column holds the samples' names", ErrMetadata, len(records), samples)
		}
		for i := range place {
			place[i] = i
		}
		if sampleNames != nil {
			notes = append(notes, "no column of the metadata holds the samples' names: its rows were taken in the model's order")
		}
		return place, key, notes, nil
	}
	seen := make(map[int]bool, len(records))
	for i, record := range records {
		s, ok := at[record[key]]
		if !ok {
			place[i] = -1
			continue
		}
		if seen[s] {
			return nil, 0, nil, fmt.Errorf("%w: row %d: the sample %q is there twice", ErrMetadata, i+2, record[key])
		}
		seen[s] = true
		place[i] = s
	}
	if len(seen) < samples {
		notes = append(notes, fmt.Sprintf("the metadata says nothing about %d of %d samples", samples-len(seen), samples))
	}
	if unknown := len(records) - known; unknown > 0 {
		notes = append(notes, fmt.Sprintf("%d rows of the metadata are about samples that the model does not have", unknown))
	}
	return place, key, notes, nil
}

// numbers gives the values as numbers where all that are there are, and there
// are some.
func numbers(values []string) []float64 {
	missing := []string{"", "NA", "NaN", "nan", "null", "None"}
	out := make([]float64, len(values))
	some := false
	for i, s := range values {
		if slices.Contains(missing, s) {
			out[i] = math.NaN()
			continue
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
			return nil
		}
		out[i], some = v, true
	}
	if !some {
		return nil
	}
	return out
}
