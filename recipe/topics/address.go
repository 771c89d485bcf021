package topics

import "strings"

// stripAddresses takes URLs, mail addresses and paths that begin with a host
// (golang.org/x/net) out of a text, leaving a space for each.
func stripAddresses(text string) string {
	var b strings.Builder
	kept := 0 // text[:kept] is dealt with
	for i := 0; i < len(text); i++ {
		mark := strings.IndexAny(text[i:], "/@")
		if mark < 0 {
			break
		}
		i += mark
		start, end, ok := addressAround(text, kept, i)
		if ok {
			b.WriteString(text[kept:start])
			b.WriteByte(' ')
			kept = end
			i = end - 1
		}
	}
	if kept == 0 {
		return text
	}
	b.WriteString(text[kept:])
	return b.String()
}

// addressAround finds the address that holds the mark at i and does not begin
// before from.
func addressAround(text string, from, i int) (start, end int, ok bool) {
	start = i
	if text[i] == '@' {
		for start > from && (inHost(text[start-1]) || strings.IndexByte("_+%", text[start-1]) >= 0) {
			start--
		}
		host := text[i+1:]
		host = host[:hostLen(host)]
		return start, i + 1 + len(host), start < i && isHost(host)
	}
	if strings.HasPrefix(text[i:], "//") && i > from && text[i-1] == ':' {
		start--
		for start > from && isSchemeByte(text[start-1]) {
			start--
		}
		if start == i-1 {
			return 0, 0, false
		}
		return start, addressEnd(text, i), true
	}
	for start > from && inHost(text[start-1]) {
		start--
	}
	if !isHost(text[start:i]) {
		return 0, 0, false
	}
	return start, addressEnd(text, i), true
}

// addressEnd finds where an address that goes on at i ends.
func addressEnd(text string, i int) int {
	for i < len(text) && inAddress(text[i]) {
		i++
	}
	return i
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isSchemeByte(c byte) bool { return isAlnum(c) || c == '+' || c == '-' || c == '.' }

func inHost(c byte) bool { return isAlnum(c) || c == '-' || c == '.' }

// hostLen is the length of the host that s begins with, without the full stop
// of a sentence.
func hostLen(s string) int {
	n := 0
	for n < len(s) && inHost(s[n]) {
		n++
	}
	return len(strings.TrimRight(s[:n], ".-"))
}

// inAddress reports the characters that an address may go on with.
func inAddress(c byte) bool {
	return '!' <= c && c <= '~' && strings.IndexByte("<>\"`{}|\\^", c) < 0
}

// isHost reports a name with a dot whose last part is two to six lower-case
// letters, such as example.com; "e.g" and "1.5" are none.
func isHost(s string) bool {
	dot := strings.LastIndexByte(s, '.')
	last := s[dot+1:]
	if dot < 1 || len(last) < 2 || len(last) > 6 {
		return false
	}
	for i := range len(last) {
		if last[i] < 'a' || last[i] > 'z' {
			return false
		}
	}
	return s[dot-1] != '.'
}
