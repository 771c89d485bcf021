package sources

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/recipe"
)

// table is a file as it lies there: samples x species.
type table struct {
	file    string
	species []string
	units   []string // nil where there is no line of them
	samples []string
	lines   []int
	// values holds NaN for what is missing.
	values [][]float64
}

func (t *table) fail(line, column int, found, hint string) error {
	return &data.Error{File: t.file, Line: line, Column: column, Found: found, Hint: hint, Err: recipe.ErrInput}
}

// readTable reads a file of numbers whose first line names the species and
// whose first column the samples.
func readTable(path string, missing float64) (*table, error) {
	c, err := data.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return parseTable(c.Name, c, missing)
}

func parseTable(name string, r io.Reader, missing float64) (*table, error) {
	t := &table{file: name}
	b := bufio.NewReaderSize(r, 1<<16)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\ufeff" {
		if _, err := b.Discard(3); err != nil {
			return nil, err
		}
	}
	in := csv.NewReader(b)
	in.FieldsPerRecord, in.TrimLeadingSpace = -1, true
	in.Comma = separator(b)
	for {
		record, err := in.Read()
		switch {
		case err == io.EOF:
			return t, t.complete()
		case err != nil:
			return nil, t.readError(err)
		}
		line, _ := in.FieldPos(0)
		for i, f := range record {
			record[i] = strings.TrimSpace(f)
		}
		if err := t.add(line, record, missing); err != nil {
			return nil, err
		}
	}
}

// readError puts errors of the CSV reader in the words of package data.
func (t *table) readError(err error) error {
	var p *csv.ParseError
	var e *data.Error
	switch {
	case errors.As(err, &p):
		return t.fail(p.Line, 0, p.Err.Error(), "quotes must be closed and stand around whole fields")
	case errors.As(err, &e):
		return err
	}
	return &data.Error{File: t.file, Found: err.Error(), Err: err}
}

// separator is what separates fields: of comma, semicolon and tab the one that
// the first line has most of.
func separator(b *bufio.Reader) rune {
	head, _ := b.Peek(b.Size()) // a short file gives what it has
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t'} {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

func (t *table) add(line int, record []string, missing float64) error {
	for len(record) > max(1, 1+len(t.species)) && record[len(record)-1] == "" {
		record = record[:len(record)-1] // commas that spreadsheets leave
	}
	if len(record) == 1 && record[0] == "" {
		return nil
	}
	if t.species == nil {
		return t.header(line, record)
	}
	if len(record) != 1+len(t.species) {
		return t.fail(line, 0, fmt.Sprintf("%d fields where the first line has %d", len(record), 1+len(t.species)), "every line has a sample and a number for each species")
	}
	row := make([]float64, len(t.species))
	words, firstWord := 0, -1
	for j, text := range record[1:] {
		v, ok := parseCell(text, missing)
		if !ok {
			if words++; firstWord < 0 {
				firstWord = j
			}
		}
		row[j] = v
	}
	if words == len(row) && len(t.values) == 0 && t.units == nil {
		t.units = record[1:]
		return nil
	}
	if words > 0 {
		return t.fail(line, 2+firstWord, fmt.Sprintf("%q where a number belongs (sample %q, species %q)", record[1+firstWord], record[0], t.species[firstWord]),
			"leave the cell empty where there is no measurement")
	}
	t.samples, t.lines, t.values = append(t.samples, record[0]), append(t.lines, line), append(t.values, row)
	return nil
}

func (t *table) header(line int, record []string) error {
	if len(record) < 2 {
		return t.fail(line, 0, "the first line names no species", "it has a name for the samples, such as Date, and one for each species")
	}
	seen := map[string]bool{}
	for j, name := range record[1:] {
		switch {
		case name == "":
			return t.fail(line, 2+j, "a species without a name", "the first line names every column")
		case seen[name]:
			return t.fail(line, 2+j, fmt.Sprintf("the species %q is there twice", name), "name each one once")
		}
		if _, err := strconv.ParseFloat(name, 64); err == nil {
			return t.fail(line, 2+j, fmt.Sprintf("%q where the name of a species belongs", name), "the first line names the species, the first column the samples")
		}
		seen[name] = true
	}
	t.species = record[1:]
	return nil
}

// complete refuses a file of no samples.
func (t *table) complete() error {
	if len(t.values) == 0 {
		return t.fail(0, 0, "there are no samples", "a line of species comes first, then one for each sample")
	}
	return nil
}

// parseCell reads a number; what is missing is NaN.
func parseCell(text string, missing float64) (v float64, ok bool) {
	switch strings.ToLower(text) {
	case "", "na", "nan", "n/a", "null", ".", "-":
		return math.NaN(), true
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || strings.ContainsAny(text, "xX_pP") {
		return 0, false
	}
	if v == missing {
		return math.NaN(), true
	}
	return v, true
}
