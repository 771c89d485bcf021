package topics

import (
	"html"
	"strings"
)

// markdownText gives the prose of a Markdown file: headings, paragraphs, list
// items, table cells and the text of links. Front matter, fenced and indented
// code blocks, inline code, link targets and HTML tags are left out. It knows
// the common rules of CommonMark, not its corner cases.
func markdownText(src []byte) (string, error) {
	var m markdownReader
	first := true
	for line := range strings.Lines(string(src)) {
		line = strings.TrimRight(line, "\r\n")
		if first && strings.TrimRight(line, " ") == "---" && hasFrontMatter(string(src)) {
			m.frontMatter = true
		} else {
			m.line(line)
		}
		first = false
	}
	return inlineText(m.prose.String()), nil
}

// markdownReader takes the blocks of code out of Markdown, line by line.
type markdownReader struct {
	prose       strings.Builder
	frontMatter bool
	fence       string // that opened the code block we are in
	inList      bool
	paragraph   bool // the last line belongs to a paragraph
}

func (m *markdownReader) line(line string) {
	trimmed := strings.TrimLeft(line, " \t")
	switch {
	case m.frontMatter:
		m.frontMatter = !endsFrontMatter(line)
	case m.fence != "":
		if closesFence(trimmed, m.fence) {
			m.fence = ""
		}
	case trimmed == "":
		m.paragraph = false
		m.prose.WriteByte('\n')
	case fenceOf(trimmed) != "":
		m.fence, m.paragraph = fenceOf(trimmed), false
	case isIndented(line) && !m.paragraph && !m.inList:
		// an indented code block
	case isLinkDefinition(trimmed):
	default:
		indented := len(trimmed) < len(line)
		m.inList = isListItem(trimmed) || m.inList && (indented || m.paragraph)
		m.paragraph = true
		m.prose.WriteString(trimmed)
		m.prose.WriteByte('\n')
	}
}

// hasFrontMatter reports whether the block that the first line opens is
// closed.
func hasFrontMatter(text string) bool {
	first := true
	for line := range strings.Lines(text) {
		if !first && endsFrontMatter(line) {
			return true
		}
		first = false
	}
	return false
}

func endsFrontMatter(line string) bool {
	line = strings.TrimRight(line, " \r\n")
	return line == "---" || line == "..."
}

// fenceOf gives the run of ``` or ~~~ that opens a code block, or "".
func fenceOf(trimmed string) string {
	if !strings.HasPrefix(trimmed, "```") && !strings.HasPrefix(trimmed, "~~~") {
		return ""
	}
	rest := strings.TrimLeft(trimmed, trimmed[:1])
	if trimmed[0] == '`' && strings.Contains(rest, "`") {
		return "" // inline code
	}
	return trimmed[:len(trimmed)-len(rest)]
}

func closesFence(trimmed, fence string) bool {
	rest := strings.TrimLeft(trimmed, fence[:1])
	return len(trimmed)-len(rest) >= len(fence) && strings.TrimSpace(rest) == ""
}

func isIndented(line string) bool {
	return strings.HasPrefix(line, "    ") || strings.HasPrefix(strings.TrimLeft(line, " "), "\t")
}

func isListItem(trimmed string) bool {
	if len(trimmed) > 1 && strings.IndexByte("-*+", trimmed[0]) >= 0 {
		return trimmed[1] == ' ' || trimmed[1] == '\t'
	}
	rest := strings.TrimLeft(trimmed, "0123456789")
	digits := len(trimmed) - len(rest)
	return digits > 0 && digits < 10 && (strings.HasPrefix(rest, ". ") || strings.HasPrefix(rest, ") "))
}

// isLinkDefinition reports a line such as "[name]: https://example.com".
func isLinkDefinition(trimmed string) bool {
	if !strings.HasPrefix(trimmed, "[") {
		return false
	}
	label := strings.Index(trimmed, "]:")
	return label > 1 && !strings.HasPrefix(trimmed, "[^")
}

// inlineText takes code spans, link targets and tags out of Markdown text.
func inlineText(text string) string {
	var b strings.Builder
	closed := unclosed{}
	for i := 0; i < len(text); {
		rest := text[i:]
		switch rest[0] {
		case '\\':
			if len(rest) > 1 && rest[1] < 0x80 {
				b.WriteByte(rest[1])
				i += 2
				continue
			}
		case '`':
			run := len(rest) - len(strings.TrimLeft(rest, "`"))
			i += run + closed.codeSpan(rest[run:], run)
			b.WriteByte(' ')
			continue
		case ']':
			if n := linkTarget(rest[1:]); n > 0 {
				i += 1 + n
				b.WriteByte(' ')
				continue
			}
		case '<':
			if n := closed.tag(rest); n > 0 {
				i += n
				b.WriteByte(' ')
				continue
			}
		}
		b.WriteByte(rest[0])
		i++
	}
	return html.UnescapeString(b.String())
}

// unclosed remembers the runs of backquotes, and the comments, for which no
// end was found, so that a text full of them takes no quadratic time.
type unclosed struct {
	runs    map[int]bool
	comment bool
}

// codeSpan gives the length of a code span's rest, which begins after a run of
// n backquotes and ends with the next such run; 0 where there is none.
func (u *unclosed) codeSpan(rest string, n int) int {
	if u.runs[n] {
		return 0
	}
	for i := 0; i < len(rest); {
		start := strings.IndexByte(rest[i:], '`')
		if start < 0 {
			break
		}
		i += start
		run := len(rest[i:]) - len(strings.TrimLeft(rest[i:], "`"))
		i += run
		if run == n {
			return i
		}
	}
	if u.runs == nil {
		u.runs = map[int]bool{}
	}
	u.runs[n] = true
	return 0
}

// maxTarget bounds the search for the end of a link target, which would take
// quadratic time on a text full of their beginnings.
const maxTarget = 4096

// linkTarget gives the length of "(target)" or "[reference]" after a link's
// text; 0 where there is none.
func linkTarget(rest string) int {
	if rest == "" || rest[0] != '(' && rest[0] != '[' {
		return 0
	}
	shut := byte(')')
	if rest[0] == '[' {
		shut = ']'
	}
	depth := 0
	for i := 0; i < min(len(rest), maxTarget) && rest[i] != '\n'; i++ {
		switch rest[i] {
		case '\\':
			i++
		case rest[0]:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// tag gives the length of the HTML tag, comment or <address> that rest begins
// with; 0 where there is none.
func (u *unclosed) tag(rest string) int {
	if strings.HasPrefix(rest, "<!--") {
		if u.comment {
			return 0
		}
		end := strings.Index(rest, "-->")
		u.comment = end < 0
		return end + 3*min(1, end+1)
	}
	if len(rest) < 2 || !isAlnum(rest[1]) && rest[1] != '/' && rest[1] != '!' {
		return 0
	}
	end := strings.IndexAny(rest[1:], "<>\n")
	if end < 0 || rest[1+end] != '>' {
		return 0
	}
	return end + 2
}
