package topics

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/partsof/nmf/matrix"
)

// Vectorizer is a vocabulary with its weights: all that is needed to make rows
// of new documents. It can be written to JSON and read back.
type Vectorizer struct {
	// Options are those it was made with, defaults filled in.
	Options VectorOptions `json:"options"`
	// Documents is how many it learned from.
	Documents int `json:"documents"`
	// Terms are the columns, sorted by code point.
	Terms []string `json:"terms"`
	// DF is the number of documents that hold each term, and IDF is
	// ln((1 + Documents) / (1 + DF)) + 1.
	DF  []int     `json:"df"`
	IDF []float64 `json:"idf"`
	// Counted says what was found and left out.
	Counted Counted `json:"counted"`
}

// Counted says what became of the words of a corpus.
type Counted struct {
	// Words is the number of words, StopWords how many of them were dropped.
	Words     int `json:"words"`
	StopWords int `json:"stop_words"`
	// Terms is the number of distinct terms. TooRare of them were below MinDF,
	// TooCommon above MaxDF, and OverLimit beyond MaxFeatures.
	Terms     int `json:"terms"`
	TooRare   int `json:"too_rare"`
	TooCommon int `json:"too_common"`
	OverLimit int `json:"over_limit"`
	// EmptyRows is the number of documents that hold none of the terms kept;
	// their rows are zero.
	EmptyRows int `json:"empty_rows"`
}

// String is one line for people.
func (c Counted) String() string {
	var b strings.Builder
	kept := c.Terms - c.TooRare - c.TooCommon - c.OverLimit
	fmt.Fprintf(&b, "%d terms of %d kept", kept, c.Terms)
	for _, left := range []struct {
		n    int
		what string
	}{{c.TooRare, "in too few documents"}, {c.TooCommon, "in too many"}, {c.OverLimit, "beyond the limit on features"}} {
		if left.n > 0 {
			fmt.Fprintf(&b, ", %d %s", left.n, left.what)
		}
	}
	if c.EmptyRows > 0 {
		fmt.Fprintf(&b, "; %d documents hold none of those kept", c.EmptyRows)
	}
	return b.String()
}

// Vectorize learns a vocabulary from documents and gives their matrix:
// documents x terms.
//
// With tf = 1 + ln(count) and idf = ln((1 + n) / (1 + df)) + 1 for n documents,
// a cell is tf·idf divided by the Euclidean norm of its row: Salton & Buckley
// (1988), with the smoothing of scikit-learn's TfidfVectorizer(smooth_idf=True,
// sublinear_tf=True, norm="l2"). The options give the variants.
func Vectorize[F matrix.Float](ctx context.Context, docs []Document, o *VectorOptions) (*matrix.CSR[F], *Vectorizer, error) {
	if len(docs) == 0 {
		return nil, nil, ErrNoDocuments
	}
	opts, err := o.resolve(len(docs))
	if err != nil {
		return nil, nil, err
	}
	if low, high := opts.MinDF.documents(len(docs)), opts.MaxDF.documents(len(docs)); low > high {
		return nil, nil, fmt.Errorf("%w: of %d documents, at least %s must hold a term but at most %s may; lower the minimum or raise the maximum document frequency",
			ErrOptions, len(docs), opts.MinDF, opts.MaxDF)
	}
	counters := newCounters(&opts, len(docs))
	tallies, err := countAll(ctx, docs, counters)
	if err != nil {
		return nil, nil, err
	}
	all := merge(counters, tallies)
	v := &Vectorizer{Options: opts, Documents: len(docs)}
	for _, c := range counters {
		v.Counted.Words += c.occurrences + c.stopped
		v.Counted.StopWords += c.stopped
	}
	kept := v.choose(all)
	if len(kept) == 0 {
		return nil, nil, v.noTerms()
	}
	columns := v.learn(all, kept, counters)
	x := rows[F](tallies, func(i int) []int32 { return columns[ownerOf(i, len(docs), len(counters))] }, len(kept), &v.Options, v.IDF)
	for i := range x.Rows {
		if x.RowPtr[i] == x.RowPtr[i+1] {
			v.Counted.EmptyRows++
		}
	}
	return x, v, nil
}

// newCounters gives one counter for each goroutine.
func newCounters(o *VectorOptions, docs int) []*counter {
	threads := o.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	stop := stopSet(o.StopWords)
	counters := make([]*counter, max(1, min(threads, docs)))
	for w := range counters {
		counters[w] = newCounter(o, stop)
	}
	return counters
}

// ownerOf is the counter that has document i: the inverse of share.
func ownerOf(i, docs, counters int) int { return ((i+1)*counters - 1) / docs }

// term is a candidate for the vocabulary.
type term struct {
	text   string
	df, tf int
	column int32 // -1 until it is kept
}

// vocabulary is every term that was found, in no order that matters.
type vocabulary struct {
	terms []term
	// of[w][id] is the place in terms of a counter's own id.
	of [][]int32
}

// merge brings the counters' terms together, with their frequencies.
func merge(counters []*counter, tallies []tally) *vocabulary {
	all := &vocabulary{of: make([][]int32, len(counters))}
	index := make(map[string]int32, len(counters[0].terms))
	for w, c := range counters {
		all.of[w] = make([]int32, len(c.terms))
		for id, text := range c.terms {
			at, ok := index[text]
			if !ok {
				at = int32(len(all.terms))
				index[text] = at
				all.terms = append(all.terms, term{text: text, column: -1})
			}
			all.of[w][id] = at
		}
		from, to := share(len(tallies), len(counters), w)
		for _, t := range tallies[from:to] {
			for p, id := range t.ids {
				found := &all.terms[all.of[w][id]]
				found.df++
				found.tf += int(t.counts[p])
			}
		}
	}
	return all
}

// choose gives the places of the terms that are kept, in the order of columns,
// and counts the others.
func (v *Vectorizer) choose(all *vocabulary) []int32 {
	low, high := v.Options.MinDF.documents(v.Documents), v.Options.MaxDF.documents(v.Documents)
	var kept []int32
	for at := range all.terms {
		switch df := float64(all.terms[at].df); {
		case df < low:
			v.Counted.TooRare++
		case df > high:
			v.Counted.TooCommon++
		default:
			kept = append(kept, int32(at))
		}
	}
	v.Counted.Terms = len(all.terms)
	byText := func(a, b int32) int { return strings.Compare(all.terms[a].text, all.terms[b].text) }
	if limit := v.Options.MaxFeatures; limit > 0 && len(kept) > limit {
		slices.SortFunc(kept, func(a, b int32) int {
			return cmp.Or(cmp.Compare(all.terms[b].tf, all.terms[a].tf), byText(a, b))
		})
		v.Counted.OverLimit = len(kept) - limit
		kept = kept[:limit]
	}
	slices.SortFunc(kept, byText)
	return kept
}

// learn writes down the vocabulary, and gives for each counter the columns of
// its ids, -1 for those not kept.
func (v *Vectorizer) learn(all *vocabulary, kept []int32, counters []*counter) [][]int32 {
	v.Terms = make([]string, len(kept))
	v.DF = make([]int, len(kept))
	v.IDF = make([]float64, len(kept))
	for j, at := range kept {
		t := &all.terms[at]
		t.column = int32(j)
		v.Terms[j], v.DF[j] = t.text, t.df
		v.IDF[j] = math.Log(float64(1+v.Documents)/float64(1+t.df)) + 1
	}
	columns := make([][]int32, len(counters))
	for w := range counters {
		columns[w] = make([]int32, len(all.of[w]))
		for id, at := range all.of[w] {
			columns[w][id] = all.terms[at].column
		}
	}
	return columns
}

// noTerms explains an empty vocabulary.
func (v *Vectorizer) noTerms() error {
	c := v.Counted
	switch {
	case c.Words == 0:
		return fmt.Errorf("%w: %d documents hold no words of two or more letters", ErrNoTerms, v.Documents)
	case c.Terms == 0:
		return fmt.Errorf("%w: all %d words are stop words; choose another list of stop words, or none", ErrNoTerms, c.Words)
	}
	return fmt.Errorf("%w: of %d terms in %d documents, %d are in fewer than the minimum (%s) and %d in more than the maximum (%s); lower the minimum or raise the maximum document frequency",
		ErrNoTerms, c.Terms, v.Documents, c.TooRare, v.Options.MinDF, c.TooCommon, v.Options.MaxDF)
}

// Transform gives the matrix of documents over the vocabulary of v. Terms that
// it lacks are passed over; a document that holds none of its terms has a zero
// row.
func Transform[F matrix.Float](ctx context.Context, v *Vectorizer, docs []Document) (*matrix.CSR[F], error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	index := make(map[string]int32, len(v.Terms))
	columns := make([]int32, len(v.Terms))
	for j, t := range v.Terms {
		index[t], columns[j] = int32(j), int32(j)
	}
	counters := newCounters(&v.Options, len(docs))
	for _, c := range counters {
		c.index, c.fixed, c.counts = index, true, make([]int32, len(v.Terms))
	}
	tallies, err := countAll(ctx, docs, counters)
	if err != nil {
		return nil, err
	}
	return rows[F](tallies, func(int) []int32 { return columns }, len(v.Terms), &v.Options, v.IDF), nil
}

// check finds a vectorizer that was not made by Vectorize.
func (v *Vectorizer) check() error {
	if err := v.Options.check(); err != nil {
		return err
	}
	if len(v.IDF) != len(v.Terms) || len(v.Terms) > matrix.MaxDim {
		return fmt.Errorf("%w: vectorizer with %d terms and %d weights", ErrOptions, len(v.Terms), len(v.IDF))
	}
	for j, t := range v.Terms {
		if j > 0 && t <= v.Terms[j-1] {
			return fmt.Errorf("%w: vectorizer with term %q after %q; terms are sorted and distinct", ErrOptions, t, v.Terms[j-1])
		}
		if !(v.IDF[j] > 0) || math.IsInf(v.IDF[j], 1) {
			return fmt.Errorf("%w: vectorizer with weight %v of term %q", ErrOptions, v.IDF[j], t)
		}
	}
	return nil
}
