package topics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf/matrix"
)

func texts(lines ...string) []Document {
	docs := make([]Document, len(lines))
	for i, line := range lines {
		docs[i] = Document{Name: fmt.Sprint(i), Text: line}
	}
	return docs
}

func mustVectorize(t testing.TB, docs []Document, o *VectorOptions) (*matrix.CSR[float64], *Vectorizer) {
	t.Helper()
	x, v, err := Vectorize[float64](context.Background(), docs, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Check(); err != nil {
		t.Fatal(err)
	}
	if x.Rows != len(docs) || x.Cols != len(v.Terms) {
		t.Fatalf("%d x %d for %d documents and %d terms", x.Rows, x.Cols, len(docs), len(v.Terms))
	}
	return x, v
}

// none is the empty list of stop words.
var none = []string{}

// TestVectorizeByHand compares with numbers worked out by hand: two documents,
// so idf is ln(3/2) + 1 for terms of one and 1 for the term of both.
func TestVectorizeByHand(t *testing.T) {
	docs := texts("Apple banana, apple", "banana cherry")
	idf, log2 := 1.4054651081081644, 0.6931471805599453
	for _, c := range []struct {
		name    string
		options VectorOptions
		want    [][]float64 // apple, banana, cherry
	}{
		{"default", VectorOptions{}, [][]float64{{0.9219069698164417, 0.3874113305052739, 0}, {0, 0.5797386715376657, 0.8148024746671690}}},
		{"not normalised", VectorOptions{Norm: NoNorm}, [][]float64{{(1 + log2) * idf, 1, 0}, {0, 1, idf}}},
		{"linear", VectorOptions{Norm: NoNorm, LinearTF: true}, [][]float64{{2 * idf, 1, 0}, {0, 1, idf}}},
		{"sum", VectorOptions{Norm: L1, LinearTF: true}, [][]float64{{2 * idf / (2*idf + 1), 1 / (2*idf + 1), 0}, {0, 1 / (1 + idf), idf / (1 + idf)}}},
		{"tf", VectorOptions{Weight: TF, LinearTF: true}, [][]float64{{2 / math.Sqrt(5), 1 / math.Sqrt(5), 0}, {0, math.Sqrt(0.5), math.Sqrt(0.5)}}},
		{"counts", VectorOptions{Weight: Counts}, [][]float64{{2, 1, 0}, {0, 1, 1}}},
	} {
		x, v := mustVectorize(t, docs, &c.options)
		if want := []string{"apple", "banana", "cherry"}; !slices.Equal(v.Terms, want) {
			t.Fatalf("%s: terms %q, want %q", c.name, v.Terms, want)
		}
		for i, row := range c.want {
			for j, want := range row {
				if got := x.Dense().At(i, j); math.Abs(got-want) > 1e-15 {
					t.Errorf("%s: cell (%d, %d) is %v, want %v", c.name, i, j, got, want)
				}
			}
		}
	}
}

func TestVocabulary(t *testing.T) {
	docs := texts("the red red fox", "a red hen", "red hen 42", "blue blue blue owl")
	for _, c := range []struct {
		name    string
		options VectorOptions
		want    string
		counted Counted
	}{
		{"default", VectorOptions{}, "blue fox hen owl red", Counted{Words: 12, StopWords: 1, Terms: 5}},
		{"minimum count", VectorOptions{MinDF: DF{Count: 2}}, "hen red", Counted{Words: 12, StopWords: 1, Terms: 5, TooRare: 3, EmptyRows: 1}},
		{"minimum share", VectorOptions{MinDF: DF{Share: 0.5}}, "hen red", Counted{Words: 12, StopWords: 1, Terms: 5, TooRare: 3, EmptyRows: 1}},
		{"maximum share", VectorOptions{MaxDF: DF{Share: 0.5}}, "blue fox hen owl", Counted{Words: 12, StopWords: 1, Terms: 5, TooCommon: 1}},
		{"maximum count", VectorOptions{MaxDF: DF{Count: 1}}, "blue fox owl", Counted{Words: 12, StopWords: 1, Terms: 5, TooRare: 0, TooCommon: 2, EmptyRows: 2}},
		{"limit", VectorOptions{MaxFeatures: 2}, "blue red", Counted{Words: 12, StopWords: 1, Terms: 5, OverLimit: 3}},
		{"limit, the alphabet between equals", VectorOptions{MaxFeatures: 4, NGrams: 1}, "blue fox hen red", Counted{Words: 12, StopWords: 1, Terms: 5, OverLimit: 1}},
		{"no stop words", VectorOptions{StopWords: none}, "blue fox hen owl red the", Counted{Words: 12, Terms: 6}},
		{"own stop words", VectorOptions{StopWords: []string{"red", "blue"}}, "fox hen owl the", Counted{Words: 12, StopWords: 7, Terms: 4}},
		{"numbers", VectorOptions{Numbers: true}, "42 blue fox hen owl red", Counted{Words: 13, StopWords: 1, Terms: 6}},
		{"pairs", VectorOptions{NGrams: 2, StopWords: []string{"the", "red"}}, "blue|blue blue|blue owl|fox|hen|owl", Counted{Words: 12, StopWords: 5, Terms: 6}},
		{"pairs across stop words", VectorOptions{NGrams: 3, StopWords: []string{"blue"}, MinDF: DF{Count: 2}}, "hen|red|red hen", Counted{Words: 12, StopWords: 3, Terms: 11, TooRare: 8, EmptyRows: 1}},
	} {
		_, v := mustVectorize(t, docs, &c.options)
		if want := strings.FieldsFunc(c.want, func(r rune) bool { return r == '|' || r == ' ' && !strings.Contains(c.want, "|") }); !slices.Equal(v.Terms, want) {
			t.Errorf("%s: terms %q, want %q", c.name, v.Terms, want)
		}
		if v.Counted != c.counted {
			t.Errorf("%s: counted %s, want %s", c.name, v.Counted, c.counted)
		}
	}
}

func TestDefaultsScale(t *testing.T) {
	for _, c := range []struct {
		n        int
		min, max string
	}{{1, "1", "1.0"}, {9, "1", "1.0"}, {10, "2", "0.5"}, {29, "2", "0.5"}, {30, "3", "0.5"}, {100000, "3", "0.5"}} {
		o, err := (*VectorOptions)(nil).resolve(c.n)
		if err != nil || o.MinDF.String() != c.min || o.MaxDF.String() != c.max {
			t.Errorf("%d documents: %v to %v (%v), want %s to %s", c.n, o.MinDF, o.MaxDF, err, c.min, c.max)
		}
	}
}

func TestVectorizeErrors(t *testing.T) {
	docs := texts("red fox", "red hen")
	for _, c := range []struct {
		name    string
		docs    []Document
		options VectorOptions
		want    error
		says    string
	}{
		{"no documents", nil, VectorOptions{}, ErrNoDocuments, ""},
		{"no words", texts("1 2", "?"), VectorOptions{}, ErrNoTerms, "no words"},
		{"stop words only", texts("the of", "and"), VectorOptions{}, ErrNoTerms, "all 3 words are stop words"},
		{"too rare", docs, VectorOptions{MinDF: DF{Count: 2}, StopWords: []string{"red"}}, ErrNoTerms, "2 are in fewer than the minimum (2) and 0 in more"},
		{"too common", texts("red", "red"), VectorOptions{MaxDF: DF{Share: 0.5}}, ErrNoTerms, "lower the minimum or raise"},
		{"crossed bounds", docs, VectorOptions{MinDF: DF{Count: 2}, MaxDF: DF{Share: 0.5}}, ErrOptions, "at least 2 must hold a term but at most 0.5"},
		{"minimum", docs, VectorOptions{MinDF: DF{Count: -1}}, ErrOptions, "minimum"},
		{"maximum", docs, VectorOptions{MaxDF: DF{Share: 1.5}}, ErrOptions, "maximum"},
		{"not a number", docs, VectorOptions{MaxDF: DF{Share: math.NaN()}}, ErrOptions, "maximum"},
		{"both", docs, VectorOptions{MaxDF: DF{Count: 1, Share: 0.5}}, ErrOptions, "maximum"},
		{"limit", docs, VectorOptions{MaxFeatures: -1}, ErrOptions, "features"},
		{"n-grams", docs, VectorOptions{NGrams: -1}, ErrOptions, "n-grams"},
		{"weight", docs, VectorOptions{Weight: "bm25"}, ErrOptions, `"bm25"`},
		{"norm", docs, VectorOptions{Norm: "max"}, ErrOptions, `"max"`},
	} {
		_, _, err := Vectorize[float32](context.Background(), c.docs, &c.options)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want %v with %q", c.name, err, c.want, c.says)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Vectorize[float32](ctx, docs, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestParseDF(t *testing.T) {
	for _, c := range []struct {
		s    string
		want DF
	}{{"3", DF{Count: 3}}, {"0.5", DF{Share: 0.5}}, {"1.0", DF{Share: 1}}, {"50%", DF{Share: 0.5}}, {"1e-3", DF{Share: 0.001}}, {"", DF{}}} {
		got, err := ParseDF(c.s)
		if err != nil || got != c.want {
			t.Errorf("%q gives %+v, %v", c.s, got, err)
		}
		if again, err := ParseDF(got.String()); err != nil || again != got {
			t.Errorf("%q comes back as %+v, %v", got.String(), again, err)
		}
	}
	for _, s := range []string{"0", "-1", "0.0", "1.5", "101%", "NaN", "x", "%", "99999999999999999999"} {
		if got, err := ParseDF(s); !errors.Is(err, ErrOptions) {
			t.Errorf("%q gives %+v, %v", s, got, err)
		}
	}
}

func TestLoadStopWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stop.txt")
	if err := os.WriteFile(path, []byte("Don't  THE # a remark\n# all remark\nfoo_bar 12 the\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := LoadStopWords(path)
	if want := []string{"12", "don", "foo_bar", "the"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := LoadStopWords("none"); err != nil || got == nil || len(got) != 0 {
		t.Errorf("none gives %q, %v", got, err)
	}
	if got, err := LoadStopWords("english"); err != nil || !slices.Equal(got, EnglishStopWords()) {
		t.Errorf("english gives %q, %v", got, err)
	}
	if _, err := LoadStopWords("klingon"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), `"klingon"`) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte("the\n\x00\x01"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadStopWords(path); !errors.Is(err, ErrText) || !strings.Contains(err.Error(), ":2: ") {
		t.Errorf("a binary file: %v", err)
	}
}

// TestTransform: the rows of the training documents come out the same, and a
// vectorizer survives being written down.
func TestTransform(t *testing.T) {
	docs := randomDocuments(rand.New(rand.NewPCG(1, 2)), 60)
	for _, o := range []VectorOptions{{}, {NGrams: 2, LinearTF: true, MinDF: DF{Count: 1}}, {Weight: Counts, MaxFeatures: 20}} {
		x, v := mustVectorize(t, docs, &o)
		written, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var read Vectorizer
		if err := json.Unmarshal(written, &read); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(v, &read) {
			t.Fatalf("written %+v, read %+v", v, &read)
		}
		again, err := Transform[float64](context.Background(), &read, docs)
		if err != nil || !reflect.DeepEqual(x, again) {
			t.Errorf("%+v: Transform gives other rows (%v)", o, err)
		}
	}
	_, v := mustVectorize(t, texts("red fox", "red hen"), nil)
	x, err := Transform[float32](context.Background(), v, texts("unseen words", "", "HEN and dog"))
	if err != nil || x.Rows != 3 || x.NNZ() != 1 || x.ColIdx[0] != 1 || x.Val[0] != 1 || x.RowPtr[2] != 0 {
		t.Errorf("new documents give %+v, %v", x, err)
	}
	if x, err := Transform[float32](context.Background(), v, nil); err != nil || x.Rows != 0 || x.Check() != nil {
		t.Errorf("no documents give %+v, %v", x, err)
	}
}

func TestTransformBadVectorizer(t *testing.T) {
	_, good := mustVectorize(t, texts("red fox", "red hen"), nil)
	for name, spoil := range map[string]func(*Vectorizer){
		"unsorted":       func(v *Vectorizer) { v.Terms = []string{"red", "hen", "fox"} },
		"repeated":       func(v *Vectorizer) { v.Terms = []string{"fox", "hen", "hen"} },
		"lengths":        func(v *Vectorizer) { v.IDF = v.IDF[:2] },
		"weight":         func(v *Vectorizer) { v.IDF = []float64{1, math.NaN(), 1} },
		"zero weight":    func(v *Vectorizer) { v.IDF = []float64{1, 0, 1} },
		"unknown weight": func(v *Vectorizer) { v.Options.Weight = "x" },
	} {
		v := *good
		spoil(&v)
		if _, err := Transform[float64](context.Background(), &v, texts("red")); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestThreads: the same matrix and vocabulary, whatever the number of threads
// and the element type's.
func TestThreads(t *testing.T) {
	docs := randomDocuments(rand.New(rand.NewPCG(3, 4)), 101)
	var x1 *matrix.CSR[float64]
	var v1 *Vectorizer
	for _, threads := range []int{1, 2, 7, 1000} {
		x, v := mustVectorize(t, docs, &VectorOptions{NGrams: 2, MaxFeatures: 200, Threads: threads})
		v.Options.Threads = 0
		if threads == 1 {
			x1, v1 = x, v
			continue
		}
		if !reflect.DeepEqual(x, x1) || !reflect.DeepEqual(v, v1) {
			t.Errorf("%d threads give another result", threads)
		}
	}
	single, _, err := Vectorize[float32](context.Background(), docs, &VectorOptions{NGrams: 2, MaxFeatures: 200})
	if err != nil || !reflect.DeepEqual(single, matrix.Convert[float32](matrix.Matrix[float64](x1))) {
		t.Errorf("float32 is not the rounded float64 (%v)", err)
	}
}

// TestShares: every document has the one owner that has counted it.
func TestShares(t *testing.T) {
	for docs := 1; docs <= 30; docs++ {
		for counters := 1; counters <= docs; counters++ {
			next := 0
			for w := range counters {
				from, to := share(docs, counters, w)
				if from != next {
					t.Fatalf("%d documents: counter %d of %d begins at %d, not %d", docs, w, counters, from, next)
				}
				for i := from; i < to; i++ {
					if got := ownerOf(i, docs, counters); got != w {
						t.Fatalf("%d documents: document %d of counter %d of %d is given to %d", docs, i, w, counters, got)
					}
				}
				next = to
			}
			if next != docs {
				t.Fatalf("%d documents, %d counters: %d counted", docs, counters, next)
			}
		}
	}
}

// randomDocuments draws words of several scripts from a vocabulary with a long
// tail. All are words by scikit-learn's rule too: no combining marks, no
// scripts without spaces, no underscores.
func randomDocuments(r *rand.Rand, n int) []Document {
	alphabets := []string{"abcdefgh", "ABCdef0123", "éßøÆñŽ", "αβγδΩΠ", "ΟΔΟΣ", "быжЩЯ", "שלום", "مرحبا", "한국어", "0123456789"}
	separators := []string{" ", " ", " ", "\n", ", ", "-", "'", " (", ") ", "\u00a0", "。", "—"}
	vocabulary := make([]string, 150)
	for i := range vocabulary {
		letters := []rune(alphabets[r.IntN(len(alphabets))])
		for range 1 + r.IntN(5) {
			vocabulary[i] += string(letters[r.IntN(len(letters))])
		}
	}
	docs := make([]Document, n)
	for i := range docs {
		var b strings.Builder
		for range r.IntN(40) {
			u := r.Float64()
			b.WriteString(vocabulary[int(u*u*u*float64(len(vocabulary)))])
			separator := separators[r.IntN(len(separators))]
			if separator == "'" && strings.HasSuffix(b.String(), "Σ") {
				separator = " " // Python writes σ, not ς, before an apostrophe and a letter
			}
			b.WriteString(separator)
		}
		docs[i] = Document{Name: fmt.Sprint(i), Text: b.String()}
	}
	return docs
}

const sklearnScript = `
import json, sys
from sklearn.feature_extraction.text import TfidfVectorizer, CountVectorizer
for line in sys.stdin:
    job = json.loads(line)
    counts = job["options"].pop("counts")
    v = (CountVectorizer if counts else TfidfVectorizer)(**job["options"])
    if "ngram_range" in job["options"]:
        v.ngram_range = tuple(v.ngram_range)
    x = v.fit_transform(job["docs"]).tocsr()
    x.sort_indices()
    print(json.dumps({"terms": v.get_feature_names_out().tolist(), "indptr": x.indptr.tolist(),
        "indices": x.indices.tolist(), "data": x.data.tolist(), "idf": [] if counts or not v.use_idf else v.idf_.tolist()}))
`

// TestAgainstScikitLearn compares vocabulary and values with TfidfVectorizer
// and CountVectorizer where they are installed.
func TestAgainstScikitLearn(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import sklearn").Run()
	}
	if err != nil {
		if python, err = exec.LookPath("/usr/bin/python3"); err == nil {
			err = exec.Command(python, "-c", "import sklearn").Run()
		}
	}
	if err != nil {
		t.Skip("python3 with scikit-learn is not installed: not compared with it")
	}
	type options = map[string]any
	cases := []struct {
		ours   VectorOptions
		theirs options
	}{
		{VectorOptions{MinDF: DF{Count: 1}, MaxDF: DF{Share: 1}, StopWords: none}, options{"sublinear_tf": true}},
		{VectorOptions{MinDF: DF{Count: 3}, MaxDF: DF{Share: 0.5}}, options{"sublinear_tf": true, "min_df": 3, "max_df": 0.5, "stop_words": EnglishStopWords()}},
		{VectorOptions{MinDF: DF{Share: 0.07}, MaxDF: DF{Count: 20}, StopWords: none, LinearTF: true}, options{"min_df": 0.07, "max_df": 20}},
		{VectorOptions{MinDF: DF{Count: 2}, MaxDF: DF{Share: 1}, StopWords: []string{"ab", "οδος"}, NGrams: 3, Norm: L1}, options{"sublinear_tf": true, "min_df": 2, "ngram_range": []int{1, 3}, "norm": "l1", "stop_words": []string{"ab", "οδος"}}},
		{VectorOptions{MinDF: DF{Count: 1}, MaxDF: DF{Share: 0.9}, StopWords: none, Norm: NoNorm, LinearTF: true}, options{"norm": nil, "max_df": 0.9}},
		{VectorOptions{MinDF: DF{Count: 1}, MaxDF: DF{Share: 1}, StopWords: none, Weight: TF}, options{"use_idf": false, "sublinear_tf": true}},
		{VectorOptions{MinDF: DF{Count: 1}, MaxDF: DF{Share: 1}, StopWords: none, Weight: Counts, NGrams: 2}, options{"counts": true, "ngram_range": []int{1, 2}}},
		{VectorOptions{MinDF: DF{Count: 2}, MaxDF: DF{Share: 0.6}, StopWords: none, MaxFeatures: 40}, options{"sublinear_tf": true, "min_df": 2, "max_df": 0.6}},
	}
	var jobs bytes.Buffer
	var docs [][]Document
	var ours []VectorOptions
	for seed := range uint64(6) {
		corpus := randomDocuments(rand.New(rand.NewPCG(seed, 9)), 40+20*int(seed))
		lines := make([]string, len(corpus))
		for i, d := range corpus {
			lines[i] = d.Text
		}
		for _, c := range cases {
			o := c.ours
			o.Numbers = true
			theirs := options{"counts": false}
			for k, v := range c.theirs {
				theirs[k] = v
			}
			if o.MaxFeatures > 0 {
				o.MaxFeatures = limitWithoutTie(t, corpus, o)
				theirs["max_features"] = o.MaxFeatures
			}
			docs, ours = append(docs, corpus), append(ours, o)
			if err := json.NewEncoder(&jobs).Encode(options{"options": theirs, "docs": lines}); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(python, "-c", sklearnScript)
	cmd.Stdin, cmd.Stderr = &jobs, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(bytes.NewReader(out))
	for i, o := range ours {
		var want struct {
			Terms   []string
			Indptr  []int
			Indices []int32
			Data    []float64
			IDF     []float64
		}
		if err := answers.Decode(&want); err != nil {
			t.Fatal(err)
		}
		x, v := mustVectorize(t, docs[i], &o)
		if !slices.Equal(v.Terms, want.Terms) || !slices.Equal(x.RowPtr, want.Indptr) || !slices.Equal(x.ColIdx, want.Indices) {
			t.Fatalf("%+v: other terms or cells than scikit-learn's:\n%q\n%q", o, v.Terms, want.Terms)
		}
		near := func(what string, got, want []float64) {
			for p := range want {
				if math.Abs(got[p]-want[p]) > 1e-12*math.Max(1, math.Abs(want[p])) {
					t.Fatalf("%+v: %s %d is %v, scikit-learn has %v", o, what, p, got[p], want[p])
				}
			}
		}
		near("value", x.Val, want.Data)
		near("idf", v.IDF, want.IDF)
	}
}

// limitWithoutTie finds a limit on features that does not part terms that are
// equally frequent, between which scikit-learn's choice is not defined.
func limitWithoutTie(t *testing.T, docs []Document, o VectorOptions) int {
	limit := o.MaxFeatures
	o.Weight, o.MaxFeatures = Counts, 0
	x, _ := mustVectorize(t, docs, &o)
	total := make([]int, x.Cols)
	for p, j := range x.ColIdx {
		total[j] += int(x.Val[p])
	}
	slices.SortFunc(total, func(a, b int) int { return b - a })
	for limit > 1 && limit < len(total) && total[limit-1] == total[limit] {
		limit--
	}
	return limit
}
