package topics

import (
	"context"
	"math"
	"slices"

	"github.com/partsof/nmf/matrix"
)

// counter counts the terms of documents. Each goroutine has its own.
type counter struct {
	tokens tokenizer
	ngrams int
	stop   map[string]struct{}

	index map[string]int32 // of a term in terms
	fixed bool             // terms that index lacks are passed over
	terms []string

	text        []byte // the words of the document in hand, parted by spaces
	begin, end  []int  // of each in text
	counts      []int32
	stopped     int // words that were stop words, over all documents
	occurrences int // words that were not
}

// tally is the terms of a document: entry p is term ids[p], counts[p] times.
type tally struct {
	ids, counts []int32
}

func newCounter(o *VectorOptions, stop map[string]struct{}) *counter {
	return &counter{tokens: tokenizer{numbers: o.Numbers}, ngrams: o.NGrams, stop: stop, index: map[string]int32{}}
}

func stopSet(words []string) map[string]struct{} {
	set := make(map[string]struct{}, len(words))
	for _, w := range words {
		set[w] = struct{}{}
	}
	return set
}

// count counts the terms of a document.
func (c *counter) count(text string) tally {
	c.text, c.begin, c.end = c.text[:0], c.begin[:0], c.end[:0]
	c.tokens.each(text, c.word)
	c.occurrences += len(c.begin)
	var ids []int32
	for n := 1; n <= min(c.ngrams, len(c.begin)); n++ {
		for i := range len(c.begin) - n + 1 {
			id, ok := c.id(c.text[c.begin[i]:c.end[i+n-1]])
			if !ok {
				continue
			}
			if c.counts[id] == 0 {
				ids = append(ids, id)
			}
			c.counts[id]++
		}
	}
	t := tally{ids: ids, counts: make([]int32, len(ids))}
	for p, id := range ids {
		t.counts[p], c.counts[id] = c.counts[id], 0
	}
	return t
}

// word adds a word to the document in hand, unless it is a stop word.
func (c *counter) word(word []byte) {
	if _, stop := c.stop[string(word)]; stop {
		c.stopped++
		return
	}
	if len(c.text) > 0 {
		c.text = append(c.text, ' ')
	}
	c.begin = append(c.begin, len(c.text))
	c.text = append(c.text, word...)
	c.end = append(c.end, len(c.text))
}

// id finds a term or, where the vocabulary may grow, adds it.
func (c *counter) id(term []byte) (id int32, ok bool) {
	if id, ok = c.index[string(term)]; ok || c.fixed {
		return id, ok
	}
	id = int32(len(c.terms))
	c.terms = append(c.terms, string(term))
	c.index[c.terms[id]] = id
	c.counts = append(c.counts, 0)
	return id, true
}

// countAll counts every document with a fixed partition over the counters:
// counter w has the documents from w*len(docs)/len(counters) on.
func countAll(ctx context.Context, docs []Document, counters []*counter) ([]tally, error) {
	tallies := make([]tally, len(docs))
	err := parallel(ctx, len(counters), len(counters), func(w int) {
		from, to := share(len(docs), len(counters), w)
		for i := from; i < to && ctx.Err() == nil; i++ {
			tallies[i] = counters[w].count(docs[i].Text)
		}
	})
	return tallies, err
}

// share is the part w of n things that are cut into parts.
func share(n, parts, w int) (from, to int) { return w * n / parts, (w + 1) * n / parts }

// rows weighs the tallies and makes a matrix of them. column[i] gives the
// column of an id in tally i, or -1.
func rows[F matrix.Float](tallies []tally, column func(i int) []int32, cols int, o *VectorOptions, idf []float64) *matrix.CSR[F] {
	x := &matrix.CSR[F]{Rows: len(tallies), Cols: cols, RowPtr: make([]int, len(tallies)+1)}
	type cell struct {
		col   int32
		count int32
	}
	var row []cell
	var vals []float64
	for i, t := range tallies {
		row, vals = row[:0], vals[:0]
		columns := column(i)
		for p, id := range t.ids {
			if j := columns[id]; j >= 0 {
				row = append(row, cell{j, t.counts[p]})
			}
		}
		slices.SortFunc(row, func(a, b cell) int { return int(a.col) - int(b.col) })
		for _, c := range row {
			x.ColIdx = append(x.ColIdx, c.col)
			vals = append(vals, o.weigh(c.count, idf, c.col))
		}
		o.normalise(vals)
		for _, v := range vals {
			x.Val = append(x.Val, F(v))
		}
		x.RowPtr[i+1] = len(x.Val)
	}
	return x
}

// weigh gives the value of a cell before its row is normalised.
func (o *VectorOptions) weigh(count int32, idf []float64, term int32) float64 {
	v := float64(count)
	if o.Weight == Counts {
		return v
	}
	if !o.LinearTF {
		v = 1 + math.Log(v)
	}
	if o.Weight == TFIDF {
		v *= idf[term]
	}
	return v
}

// normalise divides a row by its norm. Every value is positive.
func (o *VectorOptions) normalise(row []float64) {
	if o.Weight == Counts || o.Norm == NoNorm || len(row) == 0 {
		return
	}
	sum := 0.0
	for _, v := range row {
		if o.Norm == L2 {
			v *= v
		}
		sum += v
	}
	if o.Norm == L2 {
		sum = math.Sqrt(sum)
	}
	for p := range row {
		row[p] /= sum
	}
}
