package topics

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DF bounds the number of documents that hold a term: a count of documents or
// a share of all of them. The zero value leaves the default.
type DF struct {
	// Count is a number of documents, used if it is not 0.
	Count int
	// Share is a part of all documents, over 0 and at most 1.
	Share float64
}

// ParseDF reads "3" as three documents, and "0.5", "1.0" or "50%" as a share;
// "" is the zero value.
func ParseDF(s string) (DF, error) {
	if s == "" {
		return DF{}, nil
	}
	bad := func(want string) error {
		return fmt.Errorf("%w: document frequency %q: %s", ErrOptions, s, want)
	}
	if count, err := strconv.Atoi(s); err == nil {
		if count < 1 {
			return DF{}, bad("a number of documents is at least 1")
		}
		return DF{Count: count}, nil
	}
	number, percent := strings.CutSuffix(s, "%")
	share, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return DF{}, bad(`a number of documents ("3") or a share of them ("0.5", "50%") is wanted`)
	}
	if percent {
		share /= 100
	}
	if !(share > 0 && share <= 1) {
		return DF{}, bad("a share is over 0 and at most 1 (100%)")
	}
	return DF{Share: share}, nil
}

// String is the inverse of ParseDF.
func (d DF) String() string {
	switch {
	case d.Count != 0:
		return strconv.Itoa(d.Count)
	case d.Share == 1:
		return "1.0"
	case d.Share != 0:
		return strconv.FormatFloat(d.Share, 'g', -1, 64)
	}
	return ""
}

// MarshalText writes what String gives.
func (d DF) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDF does.
func (d *DF) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDF(string(text))
	return err
}

func (d DF) isZero() bool { return d == DF{} }

// documents is the bound for a corpus of n documents.
func (d DF) documents(n int) float64 {
	if d.Count != 0 {
		return float64(d.Count)
	}
	return d.Share * float64(n)
}

func (d DF) check(name string) error {
	if d.Count < 0 || d.Count == 0 && !(d.Share >= 0 && d.Share <= 1) || d.Count != 0 && d.Share != 0 {
		return fmt.Errorf("%w: %s is %+v; a count of at least 1 or a share over 0 and at most 1 is wanted", ErrOptions, name, d)
	}
	return nil
}

// Weight is what a cell of the matrix holds before rows are normalised.
type Weight string

const (
	// TFIDF is the term frequency times the inverse document frequency.
	TFIDF Weight = "tfidf"
	// TF is the term frequency.
	TF Weight = "tf"
	// Counts is the plain count, never damped and never normalised.
	Counts Weight = "counts"
)

// Norm is what rows are divided by.
type Norm string

const (
	L2     Norm = "l2"
	L1     Norm = "l1"
	NoNorm Norm = "none"
)

// VectorOptions says how documents become rows. The zero value, and nil, are
// the defaults.
type VectorOptions struct {
	// MinDF drops terms in fewer documents. Default: 3 documents; 2 for
	// corpora of fewer than 30, 1 for fewer than 10.
	MinDF DF `json:"min_df"`
	// MaxDF drops terms in more documents. Default: half of them; all for
	// corpora of fewer than 10.
	MaxDF DF `json:"max_df"`
	// MaxFeatures keeps that many of the terms that pass, those of most
	// occurrences, the alphabet deciding between equals; 0 keeps all.
	MaxFeatures int `json:"max_features"`
	// NGrams makes terms of 1 to that many words in sequence, stop words
	// taken out first, joined by a space; 0 is 1.
	NGrams int `json:"ngrams"`
	// StopWords are dropped. They are compared with words as the tokenizer
	// cuts them. nil is EnglishStopWords; an empty list is none.
	StopWords []string `json:"stop_words"`
	// Numbers keeps words that are digits only.
	Numbers bool `json:"numbers"`
	// Weight is what cells hold; "" is TFIDF.
	Weight Weight `json:"weight"`
	// LinearTF takes the count itself as term frequency; otherwise it is
	// 1 + ln(count), scikit-learn's sublinear_tf.
	LinearTF bool `json:"linear_tf"`
	// Norm is what rows are divided by; "" is L2.
	Norm Norm `json:"norm"`
	// Threads bounds the goroutines; 0 is GOMAXPROCS.
	Threads int `json:"-"`
}

// resolve checks the options and fills in the defaults for n documents.
func (o *VectorOptions) resolve(n int) (VectorOptions, error) {
	var r VectorOptions
	if o != nil {
		r = *o
	}
	if r.MinDF.isZero() {
		r.MinDF = DF{Count: 1}
		if n >= 10 {
			r.MinDF.Count = 2
		}
		if n >= 30 {
			r.MinDF.Count = 3
		}
	}
	if r.MaxDF.isZero() {
		r.MaxDF = DF{Share: 1}
		if n >= 10 {
			r.MaxDF.Share = 0.5
		}
	}
	if r.NGrams == 0 {
		r.NGrams = 1
	}
	if r.StopWords == nil {
		r.StopWords = EnglishStopWords()
	}
	if r.Weight == "" {
		r.Weight = TFIDF
	}
	if r.Norm == "" {
		r.Norm = L2
	}
	return r, r.check()
}

func (o *VectorOptions) check() error {
	if err := o.MinDF.check("the minimum document frequency"); err != nil {
		return err
	}
	if err := o.MaxDF.check("the maximum document frequency"); err != nil {
		return err
	}
	if o.MaxFeatures < 0 {
		return fmt.Errorf("%w: at most %d features; 0 (all) or more is wanted", ErrOptions, o.MaxFeatures)
	}
	if o.NGrams < 1 {
		return fmt.Errorf("%w: n-grams of %d words; 1 or more is wanted", ErrOptions, o.NGrams)
	}
	if !slices.Contains([]Weight{TFIDF, TF, Counts}, o.Weight) {
		return fmt.Errorf("%w: weight %q; tfidf, tf or counts is wanted", ErrOptions, o.Weight)
	}
	if !slices.Contains([]Norm{L2, L1, NoNorm}, o.Norm) {
		return fmt.Errorf("%w: norm %q; l2, l1 or none is wanted", ErrOptions, o.Norm)
	}
	return nil
}
