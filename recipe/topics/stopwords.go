package topics

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

//go:embed english.txt
var englishFile string

// EnglishStopWords gives a list of some 370 English function words, as the
// tokenizer cuts them, sorted.
func EnglishStopWords() []string { return slices.Clone(english()) }

var english = sync.OnceValue(func() []string {
	words, err := parseStopWords("english.txt", strings.NewReader(englishFile))
	if err != nil {
		panic(err) // the embedded file is broken: a mistake at build time
	}
	return words
})

// LoadStopWords gives the list that a setting names: "english" (or ""), "none",
// or a file with words parted by white space, where # begins a comment. Words
// are cut as documents are, so "Don't" in a file stops "don".
func LoadStopWords(setting string) ([]string, error) {
	switch setting {
	case "", "english":
		return EnglishStopWords(), nil
	case "none":
		return []string{}, nil
	}
	f, err := os.Open(setting)
	if err != nil {
		return nil, fmt.Errorf("stop words %q: neither english, none, nor a file that can be read: %w", setting, err)
	}
	defer f.Close()
	return parseStopWords(setting, f)
}

func parseStopWords(file string, r io.Reader) ([]string, error) {
	words := []string{}
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		line, _, _ := strings.Cut(lines.Text(), "#")
		if strings.ContainsRune(line, 0) {
			return nil, fmt.Errorf("%s:%d: %w: a NUL byte in a list of stop words", file, n, ErrText)
		}
		words = append(words, Tokens(strings.ToValidUTF8(line, "\uFFFD"), true)...)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w: %w", file, n+1, ErrText, err)
	}
	slices.Sort(words)
	return slices.Compact(words), nil
}
