package topics

import (
	"slices"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		name, text string
		numbers    bool
		want       string // parted by |
	}{
		{"words", "The Quick, brown-fox.", false, "the|quick|brown|fox"},
		{"one letter is no word", "a b cd I x2 y", false, "cd|x2"},
		{"apostrophes split", "don't O'Brien’s", false, "don|brien"},
		{"numbers dropped", "in 2024 about 3 x86 cpus, 4K", false, "in|about|x86|cpus|4k"},
		{"numbers kept", "in 2024 about 3 of 10", true, "in|2024|about|of|10"},
		{"underscores", "_max_df_ __init__ a_b _ __", false, "max_df|init|a_b"},
		{"camel case stays whole", "ReadAll http.StatusOK", false, "readall|http|statusok"},
		{"accents", "Élan vital, naïveté ŒUVRE", false, "élan|vital|naïveté|œuvre"},
		{"combining accents", "E\u0301lan e\u0301 \u0301ab", false, "e\u0301lan|ab"},
		{"soft hyphen", "co\u00adoperate", false, "cooperate"},
		{"Greek with its final sigma", "ΟΔΟΣ ΣΟΦΟΣ_ Σ λόγος", false, "οδος|σοφος|λόγος"},
		{"Cyrillic", "Быстрая ЛИСА", false, "быстрая|лиса"},
		{"German", "STRASSE Straße", false, "strasse|straße"},
		{"Arabic", "مرحبا بالعالم", false, "مرحبا|بالعالم"},
		{"Arabic with vowel marks", "كِتَاب", false, "كِتَاب"},
		{"Hebrew", "שלום עולם", false, "שלום|עולם"},
		{"Hindi keeps its vowel signs", "हिन्दी में माँ", false, "हिन्दी|माँ"},
		{"Tamil", "தமிழ் மொழி", false, "தமிழ்|மொழி"},
		{"Thai runs stay whole", "ภาษาไทย", false, "ภาษาไทย"},
		{"Korean", "한국어 문서", false, "한국어|문서"},
		{"Chinese", "北京大学, 水。", false, "北京|京大|大学|水"},
		{"Japanese", "データ分析", false, "デー|ータ|タ分|分析"},
		{"voicing marks", "か\u3099き", false, "か\u3099き"},
		{"scripts meet", "Go言語x86系", false, "go|言語|x86|系"},
		{"numbers of other scripts", "١٢٣ ५६ Ⅷx ²", true, "١٢٣|५६|ⅷx"},
		{"invalid bytes end words", "ab\xffcd", false, "ab|cd"},
		{"nothing", " \t\n", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(Tokens(c.text, c.numbers), "|")
			if got != c.want {
				t.Errorf("Tokens(%q) = %s, want %s", c.text, got, c.want)
			}
		})
	}
}

func TestEnglishStopWords(t *testing.T) {
	words := EnglishStopWords()
	if len(words) < 250 || len(words) > 450 {
		t.Errorf("%d words", len(words))
	}
	if !slices.IsSorted(words) {
		t.Error("not sorted")
	}
	for _, w := range []string{"the", "don", "isn", "you", "however"} {
		if _, ok := slices.BinarySearch(words, w); !ok {
			t.Errorf("%q is missing", w)
		}
	}
	for _, w := range words {
		if got := Tokens(w, true); len(got) != 1 || got[0] != w {
			t.Errorf("%q is cut to %q", w, got)
		}
	}
	words[0] = "changed"
	if EnglishStopWords()[0] == "changed" {
		t.Error("the list can be changed by its users")
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"The Quick_ brown 42", "don't", "ΟΔΟΣ", "北京か\u3099ー", "E\u0301 \u00ad\u200d_", "हिन्दी", "a\xff\xfe"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, numbers bool) {
		words := Tokens(text, numbers)
		for _, w := range words {
			if w == "" || strings.HasPrefix(w, "_") || strings.HasSuffix(w, "_") || strings.ContainsAny(w, " \n'-ABCXYZ") {
				t.Fatalf("word %q of %q", w, text)
			}
		}
		again := Tokens(strings.Join(words, " "), numbers)
		if !slices.Equal(words, again) {
			t.Fatalf("words %q of %q are cut again to %q", words, text, again)
		}
	})
}
