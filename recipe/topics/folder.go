package topics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// extract gives the prose of a file.
type extract func(src []byte) (string, error)

// plainText is the extract of .txt files.
func plainText(src []byte) (string, error) { return string(src), nil }

// source is a file of a folder to be read.
type source struct {
	path    string  // to open it
	doc     string  // the document that it is, or is part of
	extract extract // nil for Go source
}

// prose is what came of a source.
type prose struct {
	text string
	// paragraphs stand for text where files are parts of a document.
	paragraphs []string
	repaired   bool
	err        error
}

// Files that are left out count under one of these.
var (
	errBinary    = errors.New("NUL bytes: binary or UTF-16, plain UTF-8 is wanted")
	errUnparsed  = errors.New("cannot be parsed")
	errGenerated = errors.New("generated")
)

// readFolder reads every document below root.
func readFolder(ctx context.Context, root string, o CorpusOptions) (*Corpus, error) {
	if o.Field != "" || o.NameField != "" {
		return nil, fmt.Errorf("%w: %s is a folder, which has no fields; they are for a file of JSON lines", ErrOptions, root)
	}
	tree, err := walk(ctx, root)
	if err != nil {
		return nil, err
	}
	if len(tree.sources) == 0 && len(tree.unreadable) == 0 {
		return nil, fmt.Errorf("%s: %w: no .txt, .md, .html or .go file below it%s", root, ErrNoDocuments, tree.others())
	}
	found, err := readAll(ctx, tree.sources, o.Threads)
	if err != nil {
		return nil, err
	}
	c := assemble(tree, found)
	c.dropShort(tree.packages(), o.MinWords)
	if len(c.Documents) == 0 {
		return nil, fmt.Errorf("%s: %w: %s", root, ErrNoDocuments, c.why(len(tree.sources)))
	}
	return c, nil
}

// why explains a corpus of no documents.
func (c *Corpus) why(files int) string {
	what := fmt.Sprintf("none of %d files holds prose (tests and generated Go files are left out)", files)
	return strings.Join(append([]string{what}, c.Notes...), "; ")
}

// tree is what a walk over a folder saw.
type tree struct {
	root       string
	sources    []source
	unreadable []error
	// other counts the files of kinds that are not read, by extension.
	other map[string]int
}

// others says which kind of file was found instead.
func (t *tree) others() string {
	most, total := "", 0
	for ext, n := range t.other {
		total += n
		if n > t.other[most] || n == t.other[most] && ext < most {
			most = ext
		}
	}
	if total == 0 {
		return ""
	}
	if most == "" {
		most = "without an extension"
	}
	return fmt.Sprintf(" (%d other files, most of them %s)", total, most)
}

// packages gives the documents that are Go packages.
func (t *tree) packages() map[string]bool {
	found := map[string]bool{}
	for _, s := range t.sources {
		if s.extract == nil {
			found[s.doc] = true
		}
	}
	return found
}

// walk lists the sources below root in lexical order.
func walk(ctx context.Context, root string) (*tree, error) {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	t := &tree{root: real, other: map[string]int{}}
	err = filepath.WalkDir(real, func(path string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if path == real {
				return err
			}
			t.unreadable = append(t.unreadable, err)
			return nil
		}
		if entry.IsDir() {
			if path != real && skippedFolder(entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		t.add(path, entry)
		return nil
	})
	return t, err
}

func skippedFolder(name string) bool {
	switch name {
	case "vendor", "node_modules", "testdata":
		return true
	}
	return strings.HasPrefix(name, ".")
}

// add puts a file among the sources if its kind is read.
func (t *tree) add(file string, entry fs.DirEntry) {
	name := entry.Name()
	if strings.HasPrefix(name, ".") || !isRegular(file, entry) {
		return
	}
	rel, err := filepath.Rel(t.root, file)
	if err != nil {
		t.unreadable = append(t.unreadable, err)
		return
	}
	s := source{path: file, doc: filepath.ToSlash(rel)}
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".txt", ".text":
		s.extract = plainText
	case ".md", ".markdown":
		s.extract = markdownText
	case ".html", ".htm":
		s.extract = htmlText
	case ".go":
		if ignoredGoFile(s.doc) {
			return
		}
		s.doc = path.Dir(s.doc)
	default:
		t.other[ext]++
		return
	}
	t.sources = append(t.sources, s)
}

// isRegular sees through a symbolic link to a file.
func isRegular(file string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.Type().IsRegular()
	}
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular()
}

// ignoredGoFile reports the files that are no part of a package by the go
// command's rules, and tests.
func ignoredGoFile(rel string) bool {
	if strings.HasSuffix(rel, "_test.go") {
		return true
	}
	return slices.ContainsFunc(strings.Split(rel, "/"), func(part string) bool { return strings.HasPrefix(part, "_") })
}

// readAll reads the sources in parallel; result i is that of source i.
func readAll(ctx context.Context, sources []source, threads int) ([]prose, error) {
	found := make([]prose, len(sources))
	err := parallel(ctx, len(sources), threads, func(i int) { found[i] = sources[i].read() })
	return found, err
}

// parallel calls do for 0..n-1 from at most the given number of goroutines (0
// is GOMAXPROCS), until the context is cancelled.
func parallel(ctx context.Context, n, threads int, do func(i int)) error {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// read reads one file.
func (s *source) read() (p prose) {
	src, err := os.ReadFile(s.path)
	if err != nil {
		p.err = err
		return p
	}
	if s.extract == nil {
		p.paragraphs, p.err = goProse(s.path, src)
		return p
	}
	if bytes.IndexByte(src, 0) >= 0 {
		p.err = fmt.Errorf("%s: %w", s.path, errBinary)
		return p
	}
	src = bytes.TrimPrefix(src, utf8BOM)
	if !utf8.Valid(src) {
		src = bytes.ToValidUTF8(src, []byte("\uFFFD"))
		p.repaired = true
	}
	if p.text, err = s.extract(src); err != nil {
		p.err = fmt.Errorf("%s: %w: %w", s.path, errUnparsed, err)
		return p
	}
	p.text = stripAddresses(p.text)
	return p
}

// assemble joins the parts of each document, in the order of the sources, and
// writes down what was left out.
func assemble(t *tree, found []prose) *Corpus {
	c := &Corpus{}
	parts := map[string]*strings.Builder{}
	seen := map[string]map[string]bool{}
	var unreadable, binary, unparsed []error
	unreadable = append(unreadable, t.unreadable...)
	repaired := 0
	for i, p := range found {
		switch {
		case errors.Is(p.err, errGenerated):
			continue
		case errors.Is(p.err, errBinary):
			binary = append(binary, p.err)
			continue
		case errors.Is(p.err, errUnparsed):
			unparsed = append(unparsed, p.err)
			continue
		case p.err != nil:
			unreadable = append(unreadable, p.err)
			continue
		}
		if p.repaired {
			repaired++
		}
		name := t.sources[i].doc
		b := parts[name]
		if b == nil {
			b = &strings.Builder{}
			parts[name], seen[name] = b, map[string]bool{}
		}
		b.WriteString(p.text)
		writeNew(b, p.paragraphs, seen[name])
	}
	for name, b := range parts {
		c.Documents = append(c.Documents, Document{Name: name, Text: b.String()})
	}
	slices.SortFunc(c.Documents, func(a, b Document) int { return strings.Compare(a.Name, b.Name) })
	c.noteErrors(unreadable, "could not be read")
	c.noteErrors(binary, "of binary content left out")
	c.noteErrors(unparsed, "could not be parsed")
	c.notef(repaired, "invalid UTF-8 was replaced in 1 file", "files had invalid UTF-8, which was replaced")
	c.dropEmpty()
	return c
}

// dropShort removes the documents with fewer than least words: by default, Go
// packages with a line or two of comments, which as rows of the matrix would
// weigh as much as the others.
func (c *Corpus) dropShort(packages map[string]bool, least int) {
	const leastOfPackage = 50
	if least <= 0 {
		n := c.drop(func(d Document) bool { return packages[d.Name] && !hasWords(d.Text, leastOfPackage) })
		c.notef(n, "1 Go package with fewer than %d words of comments was left out",
			"Go packages with fewer than %d words of comments were left out", leastOfPackage)
		return
	}
	n := c.drop(func(d Document) bool { return !hasWords(d.Text, least) })
	c.notef(n, "1 document with fewer than %d words was left out", "documents with fewer than %d words were left out", least)
}

// writeNew writes the paragraphs that the document does not hold yet: the
// files of a package that differ by platform repeat each other's comments.
func writeNew(b *strings.Builder, paragraphs []string, seen map[string]bool) {
	for _, p := range paragraphs {
		if !seen[p] {
			seen[p] = true
			b.WriteString(p)
			b.WriteString("\n\n")
		}
	}
}

func (c *Corpus) noteErrors(errs []error, what string) {
	switch len(errs) {
	case 0:
	case 1:
		c.Notes = append(c.Notes, fmt.Sprintf("1 file %s: %v", what, errs[0]))
	default:
		c.Notes = append(c.Notes, fmt.Sprintf("%d files %s, the first: %v", len(errs), what, errs[0]))
	}
}
