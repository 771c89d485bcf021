package topics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sentinels, found with errors.Is in what this package returns.
var (
	// ErrNoDocuments: nothing was found that could be a document.
	ErrNoDocuments = errors.New("no documents")
	// ErrText: the input is not text, or not the text it claims to be.
	ErrText = errors.New("malformed text")
	// ErrField: a JSON document lacks a field that was asked for, or holds
	// something other than text there.
	ErrField = errors.New("field is missing or not text")
	// ErrNoTerms: no term is left after stop words and frequency limits.
	ErrNoTerms = errors.New("no terms")
	// ErrOptions: an option has a value that makes no sense.
	ErrOptions = errors.New("bad option")
)

// Document is a text and its name: a path, an import path, a line or what a
// JSON field says.
type Document struct {
	Name string
	// Text is valid UTF-8 with markup, code and addresses taken out. It is for
	// counting words: punctuation and layout are not kept faithfully.
	Text string
}

// Corpus is what ReadCorpus found.
type Corpus struct {
	// Documents are sorted by name when they come from a folder and in the
	// order of the file otherwise. None is empty.
	Documents []Document
	// Notes says what was left out or repaired, one sentence each.
	Notes []string
}

// Names gives the names of the documents.
func (c *Corpus) Names() []string {
	names := make([]string, len(c.Documents))
	for i, d := range c.Documents {
		names[i] = d.Name
	}
	return names
}

// Bytes is the total length of the texts.
func (c *Corpus) Bytes() int {
	n := 0
	for _, d := range c.Documents {
		n += len(d.Text)
	}
	return n
}

// notef adds a sentence about n things, unless n is 0.
func (c *Corpus) notef(n int, one, many string, args ...any) {
	switch {
	case n == 1:
		c.Notes = append(c.Notes, fmt.Sprintf(one, args...))
	case n > 1:
		c.Notes = append(c.Notes, fmt.Sprintf(fmt.Sprintf("%d %s", n, many), args...))
	}
}

// dropEmpty removes the documents without a word.
func (c *Corpus) dropEmpty() {
	n := c.drop(func(d Document) bool { return !hasWords(d.Text, 1) })
	c.notef(n, "1 document without words was left out", "documents without words were left out")
}

// drop removes documents and gives how many.
func (c *Corpus) drop(unwanted func(Document) bool) int {
	before := len(c.Documents)
	c.Documents = slices.DeleteFunc(c.Documents, unwanted)
	return before - len(c.Documents)
}

// hasWords reports whether a text has n words or more, of digits too.
func hasWords(text string, n int) bool {
	t := tokenizer{numbers: true}
	for line := range strings.Lines(text) {
		t.each(line, func([]byte) { n-- })
		if n <= 0 {
			return true
		}
	}
	return n <= 0
}

// CorpusOptions says how to read a corpus. The zero value, and nil, are the
// defaults.
type CorpusOptions struct {
	// Field is the field of a JSON line that holds the text; "" is "text".
	// Naming it makes any single file be read as JSON lines.
	Field string
	// NameField is the field that names the document; "" names it by its line.
	NameField string
	// MinWords leaves out the documents of a folder that have fewer words; 0 is
	// 50 for Go packages, most of whose comments would say nothing of what they
	// do, and 1 for other files.
	MinWords int
	// Threads bounds the goroutines that read files; 0 is GOMAXPROCS.
	Threads int
	// Stdin is read for the root "-"; nil is os.Stdin.
	Stdin io.Reader
}

// ReadCorpus reads the documents of a folder, of a file, or of standard input
// for the root "-".
//
// A folder is walked recursively: each .txt, .md and .html file is a document
// named by its path below root, and the comments of the .go files of each
// package folder are one, named by that path. Hidden folders and those called
// vendor, node_modules or testdata are skipped. A root that is a symbolic link
// is followed; links to files are too, links to folders within are not.
//
// A file holds one document a line, or one JSON object a line: by its
// extension (.jsonl, .ndjson, .json; .txt), else by its first line. gzip is
// seen through.
//
// Bytes that are not UTF-8 are replaced by U+FFFD and documents without words
// are dropped, both with a note. A file of a folder that cannot be read or
// parsed is left out with a note; problems with a single file are errors with
// the line.
func ReadCorpus(ctx context.Context, root string, o *CorpusOptions) (*Corpus, error) {
	var opts CorpusOptions
	if o != nil {
		opts = *o
	}
	if root == "-" {
		in := opts.Stdin
		if in == nil {
			in = os.Stdin
		}
		return readRecords(ctx, "standard input", in, recordsBySniffing, opts)
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return readFolder(ctx, root, opts)
	}
	return readSingle(ctx, root, opts)
}

// readSingle reads a file of documents.
func readSingle(ctx context.Context, path string, o CorpusOptions) (*Corpus, error) {
	ext := strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz")))
	kind := recordsBySniffing
	switch ext {
	case ".jsonl", ".ndjson", ".json":
		kind = recordsJSON
	case ".txt", ".text":
		kind = recordsLines
	case ".md", ".markdown", ".html", ".htm", ".go":
		return nil, fmt.Errorf("%s: %w: a single %s file is a single document; give the folder that holds it and others",
			path, ErrNoDocuments, ext)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRecords(ctx, path, f, kind, o)
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	utf8BOM   = []byte{0xef, 0xbb, 0xbf}
)

// hasPrefix looks ahead for a prefix without consuming it.
func hasPrefix(r *bufio.Reader, prefix []byte) bool {
	head, _ := r.Peek(len(prefix))
	return slices.Equal(head, prefix)
}
