package topics

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

// goProse gives the prose of a Go source file: the paragraphs, headings and
// list items of its doc comments and of the comments in its code. It leaves
// out licence headers, C code above import "C", directives and build
// constraints, indented code blocks, commented-out code and addresses. Its
// error is errGenerated or errUnparsed, wrapped.
func goProse(file string, src []byte) ([]string, error) {
	fset := token.NewFileSet()
	head, err := parser.ParseFile(fset, file, src, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnparsed, err)
	}
	if ast.IsGenerated(head) {
		return nil, fmt.Errorf("%s: %w", file, errGenerated)
	}
	f, err := parser.ParseFile(fset, file, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnparsed, err)
	}
	cgo := cgoPreambles(f)
	var c commentReader
	for _, group := range f.Comments {
		if cgo[group] || isLicence(f, group) {
			continue
		}
		c.add(group)
	}
	return c.paragraphs, nil
}

// cgoPreambles finds the comments that are C code, above import "C".
func cgoPreambles(f *ast.File) map[*ast.CommentGroup]bool {
	var found map[*ast.CommentGroup]bool
	for _, decl := range f.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.IMPORT {
			break
		}
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.ImportSpec); ok && s.Path.Value == `"C"` {
				if found == nil {
					found = map[*ast.CommentGroup]bool{}
				}
				found[d.Doc], found[s.Doc] = true, true
			}
		}
	}
	return found
}

var licence = regexp.MustCompile(`(?i)\bcopyright\b|\blicen[cs]e|SPDX-License-Identifier`)

// notice is a paragraph of a licence that stands below the package clause, or
// in a package's doc comment.
var notice = regexp.MustCompile(`(?i)\bcopyright (?:\(c\)|©|\d{4}|notice\b)|\ball rights reserved\b|\bpermission (?:to use|is hereby)\b|\bwithout warrant(?:y|ies) of any kind\b`)

// isLicence reports a group above the package clause that speaks of copyright
// or a licence. A package's doc comment counts only where it begins so, which
// is a header that lacks its blank line.
func isLicence(f *ast.File, group *ast.CommentGroup) bool {
	if group.Pos() > f.Package {
		return false
	}
	text := group.Text()
	if group != f.Doc {
		return licence.MatchString(text)
	}
	first, _, _ := strings.Cut(text, "\n")
	return strings.HasPrefix(first, "Copyright ") || strings.HasPrefix(first, "SPDX-License-Identifier")
}

// commentReader collects the paragraphs of comments.
type commentReader struct {
	parser     comment.Parser
	paragraphs []string
}

func (c *commentReader) add(group *ast.CommentGroup) {
	text := group.Text() // without markers and directives
	if strings.HasPrefix(group.List[0].Text, "/*") {
		text = dedent(text)
	}
	c.blocks(c.parser.Parse(text).Content)
}

func (c *commentReader) blocks(content []comment.Block) {
	for _, block := range content {
		switch block := block.(type) {
		case *comment.Paragraph:
			c.text(block.Text)
		case *comment.Heading:
			c.text(block.Text)
		case *comment.List:
			for _, item := range block.Items {
				c.blocks(item.Content)
			}
		}
	}
}

// text adds a paragraph, unless no prose is left of it.
func (c *commentReader) text(spans []comment.Text) {
	var b strings.Builder
	writeSpans(&b, spans)
	var prose strings.Builder
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		if !isCode(line) && !isDirective(line) {
			prose.WriteString(line)
			prose.WriteByte('\n')
		}
	}
	text := marker.ReplaceAllString(prose.String(), " ")
	if p := strings.TrimSpace(stripAddresses(text)); p != "" && !notice.MatchString(p) {
		c.paragraphs = append(c.paragraphs, p)
	}
}

// writeSpans writes running text. A link that is its own text is an address.
func writeSpans(b *strings.Builder, spans []comment.Text) {
	for _, span := range spans {
		switch span := span.(type) {
		case comment.Plain:
			b.WriteString(string(span))
		case comment.Italic:
			b.WriteString(string(span))
		case *comment.Link:
			if !span.Auto {
				writeSpans(b, span.Text)
			}
		case *comment.DocLink:
			writeSpans(b, span.Text)
		}
	}
}

// marker is a note's mark with the name of its author, such as "TODO(rsc)".
var marker = regexp.MustCompile(`\b(?:TODO|FIXME|BUG|XXX|NOTE|HACK)\([^()\n]*\)`)

// isDirective reports the directives that ast.CommentGroup.Text leaves in.
func isDirective(line string) bool {
	return strings.HasPrefix(line, "+build ") || line == "nolint" || strings.HasPrefix(line, "nolint ")
}

var (
	// callLine is a line that is one call, such as "f.Close()" or "defer mu.Unlock()".
	callLine = regexp.MustCompile(`^(?:(?:go|defer|return) )?[\w.\[\]*&]*\w\(.*\)[;,]?$`)
	// assignLine is a line that assigns, such as "x, ok = m[k]".
	assignLine = regexp.MustCompile(`^[\w.]+(?:\[[^\]]*\])?(?:, [\w.]+(?:\[[^\]]*\])?)* (?:[-+*/|&^%]|<<|>>)?= \S`)
	// assemblyLine is an instruction and its operands, such as "MOVQ $0, AX".
	assemblyLine = regexp.MustCompile(`^[A-Z][A-Z0-9.]+ +(?:[^\s,]+, *)+[^\s,]+$`)
	// declLine begins a declaration or statement in a way that prose does not.
	declLine = regexp.MustCompile(`^(?:func [\w(]+.*\)|(?:var|const) \w+(?: [\w.\[\]*]+)? = |import "|#(?:include|define|if|endif)\b)`)
)

// isCode reports whether a line of a comment is code that was commented out,
// or a drawing, by marks that prose does not bear. It errs towards prose.
func isCode(line string) bool {
	if line == "" {
		return false
	}
	switch line[len(line)-1] {
	case '{', '}':
		return true
	case ';':
		if strings.Contains(line, "=") {
			return true
		}
	}
	if strings.Contains(line, " := ") || strings.Contains(line, "\t") || strings.HasPrefix(line, "//") {
		return true
	}
	if strings.ContainsAny(line, "0123456789$(%") && assemblyLine.MatchString(line) {
		return true
	}
	if !strings.ContainsAny(line, "=(\"#") {
		return mostlySymbols(line)
	}
	return callLine.MatchString(line) || assignLine.MatchString(line) || declLine.MatchString(line) || mostlySymbols(line)
}

// mostlySymbols reports a line with fewer letters than other marks, such as a
// rule, a table of numbers or a drawing.
func mostlySymbols(line string) bool {
	letters, others := 0, 0
	for _, r := range line {
		switch {
		case isLetter(r):
			letters++
		case r != ' ' && r != '\t':
			others++
		}
	}
	return others > letters
}

// dedent takes the indentation that all lines share off them, as in a block
// comment whose text is set in.
func dedent(text string) string {
	shared, first := "", true
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if first {
			shared, first = indent, false
			continue
		}
		for !strings.HasPrefix(indent, shared) {
			shared = shared[:len(shared)-1]
		}
	}
	if shared == "" {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimPrefix(line, shared))
	}
	return b.String()
}
