package topics

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// squeeze makes one space of all white space.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestMarkdownText(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"headings", "# One\n\nTwo\n===\n", "# One Two ==="},
		{"fenced code", "before\n```go\nx := 1\n```\nafter\n~~~~\ncode\n~~~\nstill\n~~~~\nend", "before after end"},
		{"unclosed fence", "before\n```\ncode", "before"},
		{"indented code", "para\n    goes on\n\n    code\n\nafter", "para goes on after"},
		{"list, not code", "- item\n\n    more of it\n\nplain\n\n    code", "- item more of it plain"},
		{"numbered list", "1. one\n\n    two\n", "1. one two"},
		{"inline code", "call `f(x)` and ``a`b`` now", "call and now"},
		{"lone backquote", "it`s fine", "it s fine"},
		{"links", "see [the docs](https://example.com/a(b) \"title\") and [this][ref] ![alt](img.png)", "see [the docs and [this ![alt"},
		{"link definition", "text\n\n[ref]: https://example.com\n[^1]: a footnote", "text [^1]: a footnote"},
		{"brackets in prose", "[sic] (maybe)", "[sic] (maybe)"},
		{"tags and comments", "a <b>bold</b> <!-- hidden\nlines --> <https://x.org> 1 < 2", "a bold 1 < 2"},
		{"unclosed comment", "a <!-- b", "a <!-- b"},
		{"entities", "R&amp;D &lt;x&gt;", "R&D <x>"},
		{"escapes", `\*not emphasis\* \d`, `*not emphasis* d`},
		{"front matter", "---\ntitle: x\n---\nbody", "body"},
		{"rule at the top", "---\nbody", "--- body"},
		{"carriage returns", "one\r\n```\r\ncode\r\n```\r\ntwo", "one two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := markdownText([]byte(c.src))
			if err != nil || squeeze(got) != c.want {
				t.Errorf("got %q (%v), want %q", squeeze(got), err, c.want)
			}
		})
	}
}

func TestHTMLText(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"page", "<html><head><title>T</title><style>p{}</style></head><body><h1>Head</h1><p>Text<p>More</body></html>", "Head Text More"},
		{"scripts", "a<script>var x = '<p>';</script>b<noscript>c</noscript>", "a b"},
		{"navigation", "<nav><nav>in</nav>ner</nav>text", "text"},
		{"code", "call <code>f(<b>x</b>)</code> now", "call now"},
		{"words stay whole", "fo<b>ob</b>ar <i>it</i>", "foobar it"},
		{"blocks part words", "<td>a</td><td>b</td>c<br/>d<br>e", "a b c d e"},
		{"entities", "caf&eacute; &amp; co &#x4e2d;", "café & co 中"},
		{"comments", "a<!-- b -->c", "ac"},
		{"preformatted text", "<pre>verse one\nverse two</pre>", "verse one verse two"},
		{"end tag alone", "a</script></nav>b", "a b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := htmlText([]byte(c.src))
			if err != nil || squeeze(got) != c.want {
				t.Errorf("got %q (%v), want %q", squeeze(got), err, c.want)
			}
		})
	}
}

func TestStripAddresses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"see https://go.dev/x?y=1#z now", "see now"},
		{"(http://a.b/c) and ftp://h", "( and"},
		{"mail jane.doe+x@example.com.", "mail ."},
		{"golang.org/x/net is a path, net/http is not", "is a path, net/http is not"},
		{"and/or e.g./i.e. 1.5/2 http.Server/Client", "and/or e.g./i.e. 1.5/2 http.Server/Client"},
		{"// comment :// @ a@ @b x@y", "// comment :// @ a@ @b x@y"},
		{"見てhttps://x.y/zください", "見て ください"},
		{"plain", "plain"},
	} {
		if got := squeeze(stripAddresses(c.text)); got != c.want {
			t.Errorf("%q gives %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add("---\na: b\n---\n# H\n\n```\ncode\n```\n`x` [a](b) <i> &amp; \\* é")
	f.Add("    code\n- item\n\n    text\n[r]: u\n``a`b``")
	f.Add("](((((\n<!-- <a <b> ````` ```` ```")
	f.Fuzz(func(t *testing.T, src string) {
		src = strings.ToValidUTF8(src, "\uFFFD")
		got, err := markdownText([]byte(src))
		if err != nil || !utf8.ValidString(got) {
			t.Fatalf("%q gives %q, %v", src, got, err)
		}
	})
}

func FuzzHTML(f *testing.F) {
	f.Add("<html><body><p>Text &amp; <b>more</b><script>x</script><nav>n</nav><br/>")
	f.Add("<svg><svg/></svg><textarea><plaintext><!-- <![CDATA[ <a b='")
	f.Fuzz(func(t *testing.T, src string) {
		src = strings.ToValidUTF8(src, "\uFFFD")
		got, err := htmlText([]byte(src))
		if err != nil || !utf8.ValidString(got) {
			t.Fatalf("%q gives %q, %v", src, got, err)
		}
	})
}

func FuzzStripAddresses(f *testing.F) {
	for _, s := range []string{"https://a.b/c", "x@y.zz", "a.bc/d", "/@:// @@//", "é@b.co/ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := stripAddresses(text)
		if len(got) > len(text) {
			t.Fatalf("%q grows to %q", text, got)
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Fatalf("%q gives invalid %q", text, got)
		}
	})
}
