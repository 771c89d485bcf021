package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// labelFlags name known labels of the samples.
type labelFlags struct {
	Labels      string `group:"Labels" placeholder:"FILE" help:"Known labels, to compare clusters of samples with (ARI, NMI, purity): a label a line in the order of the samples, or a CSV or TSV table that is matched by the names of the samples."`
	LabelColumn string `group:"Labels" placeholder:"NAME" help:"Column of that table. Default: one called label, class, cluster or type, else the last."`
}

// labels reads the labels as numbers from 0, -1 where a sample has none; nil
// where no file is named.
func (f *labelFlags) labels(a *app, rowNames []string, samples int, quiet bool) ([]int, error) {
	if f.Labels == "" {
		return nil, nil
	}
	text, err := readText(f.Labels)
	if err != nil {
		return nil, systemError(f.Labels, err)
	}
	names, err := parseLabels(text, f.LabelColumn, rowNames, samples)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Labels, err)
	}
	numbers := map[string]int{}
	out := make([]int, samples)
	without := 0
	for i, name := range names {
		if noLabel(name) {
			out[i] = -1
			without++
			continue
		}
		if _, ok := numbers[name]; !ok {
			numbers[name] = len(numbers)
		}
		out[i] = numbers[name]
	}
	if len(numbers) < 2 {
		return nil, fmt.Errorf("%s: it has %s; there must be two at least to compare with", f.Labels, plural(len(numbers), "label"))
	}
	if without > 0 {
		a.note(quiet, "%s: %s of %s have no label and are left out of the comparison", f.Labels, thousands(without), plural(samples, "sample"))
	}
	return out, nil
}

func noLabel(s string) bool {
	switch strings.ToLower(s) {
	case "", "na", "nan", "null":
		return true
	}
	return false
}

// readText reads a text file, through gzip.
func readText(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return "", err
		}
		if content, err = io.ReadAll(z); err != nil {
			return "", err
		}
	}
	return strings.TrimPrefix(string(content), "\ufeff"), nil
}

// parseLabels gives every sample its label.
func parseLabels(text, column string, rowNames []string, samples int) ([]string, error) {
	table, err := splitTable(text)
	if err != nil {
		return nil, err
	}
	if len(table) == 0 {
		return nil, fmt.Errorf("it is empty")
	}
	key := keyColumn(table, rowNames)
	// A first line that is no sample names the columns.
	headed := len(table) == samples+1 || key >= 0 && !slices.Contains(rowNames, table[0][key])
	if key < 0 && len(table) != samples && !headed {
		return nil, fmt.Errorf("it has %s for %s, and no column with their names", plural(len(table), "line"), plural(samples, "sample"))
	}
	at, err := labelColumn(table[0], headed, column, key)
	if err != nil {
		return nil, err
	}
	if headed {
		table = table[1:]
	}
	out := make([]string, samples)
	if key < 0 {
		for i, row := range table {
			out[i] = row[at]
		}
		return out, nil
	}
	label := make(map[string]string, len(table))
	for _, row := range table {
		if old, twice := label[row[key]]; twice && old != row[at] {
			return nil, fmt.Errorf("sample %q has two labels, %q and %q", row[key], old, row[at])
		}
		label[row[key]] = row[at]
	}
	for i, name := range rowNames {
		out[i] = label[name]
	}
	return out, nil
}

// splitTable reads lines of one field, or CSV with the separator that the first
// line has.
func splitTable(text string) ([][]string, error) {
	first, _, _ := strings.Cut(text, "\n")
	for _, separator := range []rune{'\t', ',', ';'} {
		if !strings.ContainsRune(first, separator) {
			continue
		}
		r := csv.NewReader(strings.NewReader(text))
		r.Comma = separator
		r.LazyQuotes = true
		table, err := r.ReadAll()
		if err != nil {
			return nil, err
		}
		for _, row := range table {
			for j := range row {
				row[j] = strings.TrimSpace(row[j])
			}
		}
		return table, nil
	}
	var table [][]string
	for line := range strings.Lines(strings.TrimRight(text, "\r\n")) {
		table = append(table, []string{strings.TrimSpace(line)})
	}
	return table, nil
}

// keyColumn is the column that holds the names of the samples, or -1.
func keyColumn(table [][]string, rowNames []string) int {
	if rowNames == nil || len(table[0]) < 2 {
		return -1
	}
	known := make(map[string]bool, len(rowNames))
	for _, name := range rowNames {
		known[name] = true
	}
	best, most := -1, 0
	for j := range table[0] {
		n := 0
		for _, row := range table {
			if known[row[j]] {
				n++
			}
		}
		if n > most {
			best, most = j, n
		}
	}
	return best
}

// labelColumn finds the column of the labels.
func labelColumn(head []string, headed bool, name string, key int) (int, error) {
	if name != "" {
		if !headed {
			return 0, fmt.Errorf("its first line does not name columns, so that there is no column %q", name)
		}
		if j := slices.Index(head, name); j >= 0 {
			return j, nil
		}
		return 0, fmt.Errorf("it has no column %q%s (it has %s)", name, didYouMean(name, head), strings.Join(head, ", "))
	}
	if headed {
		for _, usual := range []string{"label", "labels", "class", "cluster", "type"} {
			for j, h := range head {
				if strings.EqualFold(h, usual) && j != key {
					return j, nil
				}
			}
		}
	}
	for j := len(head) - 1; j >= 0; j-- {
		if j != key {
			return j, nil
		}
	}
	return 0, nil
}
