package topics

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// recordKind is how the documents of a single file are told apart.
type recordKind int

const (
	recordsBySniffing recordKind = iota // by the first line that is not blank
	recordsLines                        // one document a line
	recordsJSON                         // one JSON object a line
)

// maxLine bounds the memory that one line may take. It is a variable so that a
// test can reach it.
var maxLine = 256 << 20

// recordReader reads the documents of one file.
type recordReader struct {
	file     string
	kind     recordKind
	field    string
	names    string
	r        *bufio.Reader
	line     int
	buf      []byte
	corpus   *Corpus
	repaired int
}

// readRecords reads documents that stand one on a line.
func readRecords(ctx context.Context, file string, in io.Reader, kind recordKind, o CorpusOptions) (*Corpus, error) {
	r, err := open(file, in)
	if err != nil {
		return nil, err
	}
	if o.Field != "" || o.NameField != "" {
		kind = recordsJSON
	}
	field := o.Field
	if field == "" {
		field = "text"
	}
	rr := &recordReader{file: file, kind: kind, field: field, names: o.NameField, r: r, corpus: &Corpus{}}
	if err := rr.all(ctx); err != nil {
		return nil, err
	}
	c := rr.corpus
	if len(c.Documents) == 0 {
		return nil, fmt.Errorf("%s: %w: the file is empty", file, ErrNoDocuments)
	}
	c.notef(rr.repaired, "invalid UTF-8 was replaced in 1 document", "documents had invalid UTF-8, which was replaced")
	c.dropEmpty()
	if len(c.Documents) == 0 {
		return nil, fmt.Errorf("%s: %w: no line holds a word", file, ErrNoDocuments)
	}
	return c, nil
}

// open sees through gzip and skips a byte order mark.
func open(file string, in io.Reader) (*bufio.Reader, error) {
	r := bufio.NewReaderSize(in, 1<<16)
	if hasPrefix(r, gzipMagic) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: gzip: %w", file, ErrText, err)
		}
		r = bufio.NewReaderSize(z, 1<<16)
	}
	if hasPrefix(r, zstdMagic) {
		return nil, fmt.Errorf("%s: %w: compressed with zstd; decompress it first (zstd -dc FILE | nmf topics -)", file, ErrText)
	}
	if hasPrefix(r, utf8BOM) {
		if _, err := r.Discard(len(utf8BOM)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (rr *recordReader) all(ctx context.Context) error {
	for {
		if rr.line%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line, err := rr.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := rr.add(line); err != nil {
			return err
		}
	}
}

// next gives the next line without its end, valid until the next call, or
// io.EOF.
func (rr *recordReader) next() ([]byte, error) {
	rr.buf = rr.buf[:0]
	rr.line++
	for {
		part, err := rr.r.ReadSlice('\n')
		rr.buf = append(rr.buf, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(rr.buf, "\r\n"), nil
		case err == io.EOF && len(rr.buf) == 0:
			return nil, io.EOF
		case err == io.EOF:
			return rr.buf, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, rr.readError(err)
		case len(rr.buf) > maxLine:
			return nil, rr.errorf(ErrText, "the line is longer than %d bytes; a file holds one document a line", maxLine)
		}
	}
}

// readError tells damage to the file from errors of the system.
func (rr *recordReader) readError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return rr.errorf(ErrText, "the gzip stream is cut short")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, &corrupt):
		return rr.errorf(ErrText, "the gzip stream is damaged")
	}
	return fmt.Errorf("%s:%d: %w", rr.file, rr.line, err)
}

func (rr *recordReader) errorf(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w: %s", rr.file, rr.line, sentinel, fmt.Sprintf(format, args...))
}

// add makes a document of a line. A blank line is an empty document among
// lines, and nothing among JSON objects.
func (rr *recordReader) add(line []byte) error {
	if bytes.IndexByte(line, 0) >= 0 {
		return rr.errorf(ErrText, "a NUL byte; the file is binary or UTF-16, plain UTF-8 text is wanted")
	}
	blank := len(bytes.TrimSpace(line)) == 0
	if rr.kind == recordsBySniffing && !blank {
		rr.kind = recordsLines
		if line[0] == '{' && json.Valid(line) {
			rr.kind = recordsJSON
			rr.corpus.Notes = append(rr.corpus.Notes, fmt.Sprintf("read as JSON lines, the text from field %q", rr.field))
		}
	}
	valid := utf8.Valid(line)
	if !valid {
		rr.repaired++
	}
	doc := Document{Name: "line " + strconv.Itoa(rr.line)}
	switch {
	case rr.kind != recordsJSON:
		doc.Text = string(line)
		if !valid {
			doc.Text = strings.ToValidUTF8(doc.Text, "\uFFFD")
		}
	case blank:
		return nil
	default:
		if err := rr.parse(line, &doc); err != nil {
			return err
		}
	}
	doc.Text = stripAddresses(doc.Text)
	rr.corpus.Documents = append(rr.corpus.Documents, doc)
	return nil
}

// parse reads the fields of a JSON object. encoding/json replaces invalid
// UTF-8 by U+FFFD.
func (rr *recordReader) parse(line []byte, doc *Document) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		if start := bytes.TrimSpace(line)[0]; start == '[' {
			return rr.errorf(ErrText, "a JSON array; one object a line is wanted (jq -c '.[]' FILE makes that)")
		}
		return rr.errorf(ErrText, "not a JSON object on one line (%v); one object a line is wanted (jq -c . FILE makes that)", err)
	}
	if object == nil {
		return rr.errorf(ErrText, "null where a JSON object is wanted")
	}
	raw, err := rr.get(object, rr.field, "--field")
	if err != nil {
		return err
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil {
		return rr.errorf(ErrField, "field %q is %s, text is wanted", rr.field, jsonKind(raw))
	}
	if text != nil {
		doc.Text = *text
	}
	if rr.names == "" {
		return nil
	}
	raw, err = rr.get(object, rr.names, "--name-field")
	if err != nil {
		return err
	}
	switch kind := jsonKind(raw); kind {
	case "text":
		return json.Unmarshal(raw, &doc.Name)
	case "a number":
		doc.Name = string(raw)
	default:
		return rr.errorf(ErrField, "field %q is %s, a name or number is wanted", rr.names, kind)
	}
	return nil
}

// get finds a field, or says which there are.
func (rr *recordReader) get(object map[string]json.RawMessage, field, flag string) (json.RawMessage, error) {
	if raw, ok := object[field]; ok {
		return raw, nil
	}
	if len(object) == 0 {
		return nil, rr.errorf(ErrField, "no field %q: the object is empty", field)
	}
	const most = 12
	have := slices.Sorted(maps.Keys(object))
	more := ""
	if len(have) > most {
		have, more = have[:most], ", …"
	}
	for i, name := range have {
		have[i] = strconv.Quote(name)
	}
	return nil, rr.errorf(ErrField, "no field %q; there is %s%s (choose one with %s)", field, strings.Join(have, ", "), more, flag)
}

// jsonKind says in words what a JSON value is.
func jsonKind(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "text"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}
