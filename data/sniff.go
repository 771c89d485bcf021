package data

import (
	"bytes"
	"fmt"
	"strings"
)

// tableSniffer finds out how a text table is laid out from its first lines.
//
// Skipped are a UTF-8 byte order mark, blank lines, and lines that start with
// '#' before the first other one. Then:
//
//   - The delimiter is the one of comma, semicolon and tab that makes the
//     largest share of fields numbers; blanks where that is below half.
//   - The first line is a header where at least half of its fields, the first
//     one left out, are text, or are quoted over fields that are not; where
//     the first field is empty over names or counted columns; and where it is
//     one field short of a next line that starts with text. In other cases a
//     text in the first line is an error: better to ask than to lose a row.
//     A comment right before the data that has as many fields, all text, is a
//     header, too.
//   - The first column holds row names where the header is one field short,
//     where its first field is empty or one of indexNames, and where more of
//     the first lines start with text, or with a quoted field before a plain
//     one, than with a number.
type tableSniffer struct {
	text      []byte // the start of the file, up to its end if ended
	ended     bool
	told      delimiter // 0 where not told
	preferred byte
	options   ReadOptions
}

// sniffRecords is how many records of data are looked at.
const sniffRecords = 100

// indexNames are the headers that tools give a column of row names.
var indexNames = []string{"", "id", "index", "unnamed: 0", "rownames", "row.names", "row_names"}

// run fills the layout. enough is false where the text does not hold two whole
// records and more is to come.
func (s *tableSniffer) run(l *csvLayout) (enough bool, err error) {
	if err := checkText(s.text); err != nil {
		return true, err
	}
	if s.ended && loneReturns(s.text) > 1 && bytes.IndexByte(s.text[:len(s.text)-1], '\n') < 0 {
		return true, &Error{Found: "the lines end in carriage returns alone", Hint: "save the file with newlines", Err: ErrUnsupported}
	}
	start, comment := skipPreamble(s.text)
	body := s.text[start:]
	if !s.ended {
		body = body[:bytes.LastIndexByte(body, '\n')+1]
	}
	*l = csvLayout{delimiter: s.told}
	if s.told == 0 {
		l.delimiter = guessDelimiter(body, s.preferred)
	}
	records, starts, q := l.delimiter.records(body, 1+sniffRecords)
	if len(records) < 2 && !s.ended {
		return false, nil
	}
	line := func(offset int) int { return 1 + bytes.Count(s.text[:start+offset], newline) }
	if len(records) == 0 {
		if q != nil {
			return true, &Error{Line: line(q.offset), Found: q.found, Hint: q.hint, Err: q.err}
		}
		return true, &Error{Found: "there is no line of data", Err: ErrFormat}
	}

	header, data := s.splitHeader(records)
	if header != nil && len(data) == 0 {
		if q != nil {
			return true, &Error{Line: line(q.offset), Found: q.found, Hint: q.hint, Err: q.err}
		}
		return true, &Error{Line: line(0), Found: "there is a header but no line of data", Err: ErrFormat}
	}
	first := len(records) - len(data)
	l.start, l.line = start+starts[first], line(starts[first])
	l.fields = len(data[0])
	l.rowNames = s.options.RowNames == Yes || s.options.RowNames == Auto && hasRowNames(header, data)
	if header == nil && s.options.Header == Auto {
		if header = commentHeader(comment, l.delimiter, data[0]); header != nil {
			l.notes = append(l.notes, "the last comment before the data was taken for the header")
		}
	}
	if l.rowNames && l.fields == 1 {
		return true, &Error{Line: l.line, Found: "the line has only one field, and that is told to be the row's name", Err: ErrFormat}
	}
	if header != nil {
		return true, s.nameColumns(l, header, data[0])
	}
	return true, nil
}

// checkText refuses what is not UTF-8 text, by what tells it soonest.
func checkText(text []byte) error {
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}), bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		return &Error{Found: "the text is UTF-16", Hint: "save it as UTF-8", Err: ErrUnsupported}
	case bytes.IndexByte(text, 0) >= 0:
		return &Error{Line: 1 + bytes.Count(text[:bytes.IndexByte(text, 0)], newline),
			Found: "there is a zero byte: this is not text", Err: ErrFormat}
	}
	return nil
}

// skipPreamble gives the offset of the first line that is neither blank nor a
// comment, and the comment right before it.
func skipPreamble(text []byte) (start int, comment []byte) {
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		start = 3
	}
	for start < len(text) {
		end := bytes.IndexByte(text[start:], '\n')
		if end < 0 {
			break
		}
		line := text[start : start+end+1]
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			if trimmed[0] != '#' {
				break
			}
			comment = line
		}
		start += len(line)
	}
	return start, comment
}

// guessDelimiter takes the delimiter that makes the largest share of fields
// numbers, the preferred one where several do. Blanks, which may be within
// names, are taken only where that leaves most fields text.
func guessDelimiter(text []byte, preferred byte) delimiter {
	best, bestShare := delimiter(preferred), -1.0
	for _, d := range []delimiter{delimiter(preferred), '\t', ',', ';', blanks} {
		if d == blanks && bestShare >= 0.5 {
			break
		}
		records, _, _ := d.records(text, 1+sniffRecords)
		if share, several := numberShare(records); several && share > bestShare {
			best, bestShare = d, share
		}
	}
	return best
}

// numberShare is the share of fields that are meant as numbers, in the records
// after the first, which may be a header. several says that half of the
// records or more have more than one field.
func numberShare(records [][]csvField) (share float64, several bool) {
	fields, numbers, wide := 0, 0, 0
	for i, record := range records {
		if len(record) > 1 {
			wide++
		}
		if i == 0 && len(records) > 1 {
			continue
		}
		fields += len(record)
		for _, f := range record {
			if !isText(f) {
				numbers++
			}
		}
	}
	return float64(numbers) / float64(max(fields, 1)), wide > 0 && 2*wide >= len(records)
}

// records splits the first records of a text that ends in a newline, leaving
// out blank lines. It stops at a problem.
func (d delimiter) records(text []byte, most int) (records [][]csvField, starts []int, q *problem) {
	for i := 0; i < len(text) && len(records) < most; i++ {
		if at := d.recordStart(text, i); text[at] == '\n' {
			i = at
			continue
		}
		fields, q := d.record(text, i, nil)
		if q != nil {
			return records, starts, q
		}
		records, starts = append(records, fields), append(starts, i)
		i = fields[len(fields)-1].end
	}
	return records, starts, nil
}

// splitHeader parts the header, nil where there is none, from the data.
func (s *tableSniffer) splitHeader(records [][]csvField) (header []csvField, data [][]csvField) {
	isHeader := s.options.Header == Yes
	if s.options.Header == Auto {
		var next []csvField
		if len(records) > 1 {
			next = records[1]
		}
		isHeader = looksLikeHeader(records[0], next)
	}
	if isHeader {
		return records[0], records[1:]
	}
	return nil, records
}

// looksLikeHeader judges the first record by itself and by the next one, which
// is nil where there is none.
func looksLikeHeader(first, next []csvField) bool {
	if len(first)+1 == len(next) && isText(next[0]) {
		return true
	}
	names := first
	if len(first) > 1 && len(first) >= len(next) {
		names = first[1:]
	}
	words := 0
	for i, f := range names {
		j := i + len(first) - len(names)
		if isText(f) || f.quoted && j < len(next) && !next[j].quoted {
			words++
		}
	}
	if len(first) > 1 && len(first[0].text) == 0 && (words > 0 || counts(names)) {
		return true
	}
	return words > 0 && 2*words >= len(names)
}

func isText(f csvField) bool {
	k, _ := judge[float64](f.text)
	return k == textKind
}

// counts says whether the names are 0, 1, 2, … or 1, 2, 3, …
func counts(names []csvField) bool {
	for _, from := range []int{0, 1} {
		all := true
		for i, f := range names {
			all = all && string(f.text) == fmt.Sprint(from+i)
		}
		if all {
			return true
		}
	}
	return false
}

// hasRowNames judges by the header, nil where there is none, and the first
// records of data.
func hasRowNames(header []csvField, data [][]csvField) bool {
	if header != nil && len(header)+1 == len(data[0]) {
		return true
	}
	if len(data[0]) == 1 {
		return false
	}
	if header != nil && isIndexName(header[0]) {
		return true
	}
	words, numbers := 0, 0
	for _, record := range data {
		switch k, _ := judge[float64](record[0].text); {
		case k == textKind, record[0].quoted && len(record) > 1 && !record[1].quoted:
			words++
		case k != missingKind:
			numbers++
		}
	}
	return words > numbers
}

func isIndexName(f csvField) bool {
	for _, name := range indexNames {
		if strings.EqualFold(string(f.text), name) {
			return true
		}
	}
	return false
}

// commentHeader gives the fields of a comment that names the columns, else
// nil.
func commentHeader(comment []byte, d delimiter, data []csvField) []csvField {
	if comment == nil || len(data) < 2 {
		return nil
	}
	text := bytes.TrimLeft(bytes.TrimLeft(comment, " \t"), "#")
	fields, q := d.record(text, 0, nil)
	if q != nil || len(fields) != len(data) {
		return nil
	}
	for _, f := range fields {
		if !isText(f) {
			return nil
		}
	}
	return fields
}

// nameColumns takes the column names from the header.
func (s *tableSniffer) nameColumns(l *csvLayout, header, data []csvField) error {
	l.header = true
	if l.rowNames && len(header) == l.fields {
		if s.options.RowNames == Auto && !isText(data[0]) && !data[0].quoted && len(header[0].text) > 0 {
			l.notes = append(l.notes, fmt.Sprintf("column %s was taken for the row names", quote(string(header[0].text))))
		}
		header = header[1:]
	}
	cols := l.fields
	if l.rowNames {
		cols--
	}
	if len(header) != cols {
		e := &Error{Line: l.line, Found: fmt.Sprintf("the line has %s, the header %d", count(l.fields, "field"), len(header)), Err: ErrFormat}
		if len(header)+1 == cols && s.options.RowNames == No {
			e.Hint = "a header one field short goes with a column of row names"
		}
		return e
	}
	for _, f := range header {
		l.columnNames = append(l.columnNames, string(f.text))
	}
	return nil
}

// guessTable gives the delimiter of what may be a table of numbers, ok false
// where the head of a file looks like something else.
func guessTable(head []byte) (d delimiter, ok bool) {
	if checkText(head) != nil {
		return 0, false
	}
	for _, b := range head {
		if b < ' ' && b != '\t' && b != '\n' && b != '\r' {
			return 0, false
		}
	}
	start, _ := skipPreamble(head)
	body := append(bytes.Clone(head[start:]), '\n')
	if end := bytes.LastIndexByte(body[:len(body)-1], '\n'); end >= 0 {
		body = body[:end+1]
	}
	d = guessDelimiter(body, ',')
	records, _, _ := d.records(body, sniffRecords)
	share, several := numberShare(records)
	return d, share >= leastShare || several && len(records) == 1
}

// leastShare is the share of numbers below which text is not taken for a
// table.
const leastShare = 0.3

// loneReturns counts the carriage returns that are not within quotes.
func loneReturns(text []byte) (n int) {
	quoted := false
	for _, b := range text {
		switch {
		case b == '"':
			quoted = !quoted
		case b == '\r' && !quoted:
			n++
		}
	}
	return n
}
