package topics

import (
	"unicode"
	"unicode/utf8"
)

// Tokens cuts a text into the words that are counted:
//
//   - A word is a run of letters, digits and combining marks, lower-cased,
//     with at least two letters or digits (spacing vowel signs count): the
//     rule \b\w\w+\b of scikit-learn, but marks, which Python's \w leaves out,
//     belong to their letter. Anything else, apostrophes too, ends a word.
//   - An underscore within a word is part of it, at its ends it is not. Soft
//     hyphens and zero-width joiners are taken out of words.
//   - Words of digits only are dropped, unless numbers is set.
//   - Runs of Han, Hiragana and Katakana, written without spaces, give their
//     overlapping pairs of characters; a run of one character gives that.
//
// Nothing is normalised: a letter with its accent composed and one followed by
// a combining accent are two spellings.
func Tokens(text string, numbers bool) []string {
	var words []string
	t := tokenizer{numbers: numbers}
	t.each(text, func(word []byte) { words = append(words, string(word)) })
	return words
}

// tokenizer cuts texts; its buffers are reused.
type tokenizer struct {
	numbers bool
	word    []byte
	runes   int  // letters, digits and spacing marks in word
	letters bool // one of them is not a digit
	sigma   bool // the last one was Σ
	// A run of unspaced characters: where the last two begin, -1 before.
	before, last int
	pair         []byte
}

// each calls yield for each word of the text; the bytes are valid during the
// call.
func (t *tokenizer) each(text string, yield func(word []byte)) {
	t.clear()
	t.before, t.last = -1, -1
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			t.endRun(text, i, yield)
			t.ascii(c, yield)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		t.wide(text, i, r, yield)
		i += size
	}
	t.endRun(text, len(text), yield)
	t.endWord(yield)
}

func (t *tokenizer) clear() {
	t.word, t.runes, t.letters, t.sigma = t.word[:0], 0, false, false
}

func (t *tokenizer) ascii(c byte, yield func([]byte)) {
	switch {
	case 'a' <= c && c <= 'z':
		t.letters = true
	case 'A' <= c && c <= 'Z':
		t.letters = true
		c += 'a' - 'A'
	case '0' <= c && c <= '9':
	case c == '_':
		if len(t.word) > 0 {
			t.word = append(t.word, c)
		}
		return
	default:
		t.endWord(yield)
		return
	}
	t.word = append(t.word, c)
	t.runes++
	t.sigma = false
}

// wide takes a character beyond ASCII, at text[i].
func (t *tokenizer) wide(text string, i int, r rune, yield func([]byte)) {
	if isUnspaced(r) {
		t.endWord(yield)
		if t.before >= 0 {
			t.pair = append(t.pair[:0], text[t.before:i]...)
			yield(t.pair)
		}
		t.before, t.last = t.last, i
		return
	}
	mark := unicode.Is(unicode.M, r)
	if t.last >= 0 && mark {
		return // a voicing mark: part of the last character
	}
	t.endRun(text, i, yield)
	switch {
	case mark:
		if len(t.word) == 0 {
			return
		}
		t.word = utf8.AppendRune(t.word, r)
		if unicode.Is(unicode.Mc, r) {
			t.runes++
		}
	case isLetter(r):
		t.letters, t.sigma = true, r == 'Σ'
		t.word = utf8.AppendRune(t.word, unicode.ToLower(r))
		t.runes++
	case unicode.IsNumber(r):
		t.sigma = false
		t.word = utf8.AppendRune(t.word, unicode.ToLower(r))
		t.runes++
	case r == '\u00ad' || r == '\u200d':
	default:
		t.endWord(yield)
	}
}

// endWord yields the word in hand if it is one.
func (t *tokenizer) endWord(yield func([]byte)) {
	if len(t.word) == 0 {
		return
	}
	word := t.word
	for word[len(word)-1] == '_' {
		word = word[:len(word)-1]
	}
	if t.runes >= 2 && (t.letters || t.numbers) {
		if t.sigma { // the small letter has a form for the end of a word
			if r, size := utf8.DecodeLastRune(word); r == 'σ' {
				word = utf8.AppendRune(word[:len(word)-size], 'ς')
			}
		}
		yield(word)
	}
	t.clear()
}

// endRun yields what is left of a run of unspaced characters that ends before
// text[end].
func (t *tokenizer) endRun(text string, end int, yield func([]byte)) {
	if t.last < 0 {
		return
	}
	start := t.last
	if t.before >= 0 {
		start = t.before
	}
	t.pair = append(t.pair[:0], text[start:end]...)
	yield(t.pair)
	t.before, t.last = -1, -1
}

// isUnspaced reports the characters of scripts that are written without
// spaces and cut into pairs. The prolonged sound marks belong to no script.
func isUnspaced(r rune) bool {
	if r < 0x2e80 {
		return false
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) && unicode.In(r, unicode.L, unicode.Nl) || r == 'ー' || r == 'ｰ'
}

func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return unicode.IsLetter(r)
}
