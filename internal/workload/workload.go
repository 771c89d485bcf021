// Package workload makes the matrices that nmf is measured on, and the starts
// that it and its peers are given. The same name, scale and seed give the same
// matrix for any number of threads.
//
// D1 and AML are real data and are read from a file; the others are generated:
// D2 and D3 dense with a gamma-distributed low-rank part and noise, S1 a tf-idf
// text corpus, S2 log-counts of single cells, K1 Poisson counts of a low-rank
// rate, K2 the term counts that S1 is made of.
package workload

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// ErrUnknown: there is no workload of that name. ErrNeedsFile: the workload is
// real data, and no file was given.
var (
	ErrUnknown   = errors.New("unknown workload")
	ErrNeedsFile = errors.New("real data is not generated")
)

// Workload is one problem to measure on.
type Workload struct {
	Name, About string
	// Rows and Cols are the shape; zero for real data, whose file tells.
	Rows, Cols int
	// Ranks are the numbers of components to fit: one, but for AML.
	Ranks []int
	// Starts is the number of starts for each rank.
	Starts int

	// generate is nil for real data. transposed says that its file holds
	// features x samples.
	generate   func(w Workload, threads int) matrix.Matrix[float32]
	transposed bool
}

// StartSeed is the seed of the first start. Start i is that of a fit with init
// "random" and seed StartSeed+i.
const StartSeed = 7

// All lists the workloads in the order of the tables.
func All() []Workload {
	return []Workload{
		{Name: "D1", About: "faces, dense", Ranks: []int{49}, Starts: 5},
		{Name: "D2", About: "dense, tall", Rows: 20000, Cols: 5000, Ranks: []int{40}, Starts: 5, generate: lowRank(2)},
		{Name: "D3", About: "dense, square", Rows: 5000, Cols: 5000, Ranks: []int{100}, Starts: 5, generate: lowRank(3)},
		{Name: "S1", About: "tf-idf, sparse", Rows: 20000, Cols: 50000, Ranks: []int{50}, Starts: 5, generate: tfIdf},
		{Name: "S2", About: "single cells, sparse", Rows: 30000, Cols: 20000, Ranks: []int{30}, Starts: 5, generate: cells},
		{Name: "K1", About: "counts, dense", Rows: 20000, Cols: 2000, Ranks: []int{20}, Starts: 5, generate: denseCounts},
		{Name: "K2", About: "term counts, sparse", Rows: 20000, Cols: 50000, Ranks: []int{50}, Starts: 5, generate: termCounts},
		{Name: "AML", About: "gene expression, 50 restarts of each rank", Ranks: []int{2, 3, 4, 5, 6, 7, 8}, Starts: 50, transposed: true},
	}
}

// Lookup finds a workload by its name.
func Lookup(name string) (Workload, error) {
	var names []string
	for _, w := range All() {
		if strings.EqualFold(w.Name, name) {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return Workload{}, fmt.Errorf("%w %q; there are %s", ErrUnknown, name, strings.Join(names, ", "))
}

// Real says that the workload is read from a file.
func (w Workload) Real() bool { return w.generate == nil }

// Scaled multiplies the numbers of rows and columns. The ranks stay.
func (w Workload) Scaled(rows, cols float64) Workload {
	scaled := func(n int, by float64) int { return max(min(n, 1), int(math.Round(float64(n)*by))) }
	w.Rows, w.Cols = scaled(w.Rows, rows), scaled(w.Cols, cols)
	return w
}

// Matrix makes the matrix of a generated workload.
func (w Workload) Matrix(threads int) (matrix.Matrix[float32], error) {
	if w.Real() {
		return nil, fmt.Errorf("%s: %w; give its file", w.Name, ErrNeedsFile)
	}
	return w.generate(w, max(1, threads)), nil
}

// Read reads the matrix of a workload of real data.
func (w Workload) Read(path string) (matrix.Matrix[float32], error) {
	if path == "" {
		return nil, fmt.Errorf("%s: %w; give its file", w.Name, ErrNeedsFile)
	}
	t, err := data.Read[float32](path, &data.ReadOptions{Transpose: w.transposed})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	return t.X, nil
}
