// Package topics turns text into the matrix that a topic model factorizes: a
// folder of prose or Go source, a file with one document a line, or JSON
// lines, to documents x terms weighted by tf-idf.
//
// [ReadCorpus] reads the documents, [Vectorize] learns a vocabulary from them
// and gives their matrix, and [Transform] gives the matrix of new documents
// over the same vocabulary. Formulas, defaults and limits are in
// docs/topics.md; the conventions are those of scikit-learn's TfidfVectorizer
// except where a doc comment here says otherwise.
//
// What is made is a function of the text and the options alone, for any number
// of threads.
package topics
