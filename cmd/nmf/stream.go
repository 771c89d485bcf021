package main

import (
	"errors"
	"path/filepath"
	"runtime/debug"
	"unsafe"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// cacheFlags say where what is made of large inputs is kept.
type cacheFlags struct {
	Cache string `group:"Machine" placeholder:"DIR" help:"Folder for the block files of inputs that do not fit in memory. Default: the folder nmf in the user's caches."`
}

// check makes the folder's name whole.
func (f *cacheFlags) check() (err error) {
	if f.Cache != "" {
		f.Cache, err = filepath.Abs(f.Cache)
	}
	return err
}

// work is what is done with a matrix, for how it is read.
type work[F matrix.Float] struct {
	// name is what messages call it.
	name string
	// allowed is how many bytes it may take, 0 for what the machine has.
	allowed int
	// memory estimates what it takes of a matrix of the given shape in memory,
	// memoryOf of one that is there.
	memory   func(s data.Shape) (float64, error)
	memoryOf func(x matrix.Matrix[F]) (float64, error)
	// columns says that it needs the columns of a dense matrix, too.
	columns bool
	// tooMuch is the error where it takes more than there is.
	tooMuch func(need, limit float64) error
	cache   string
	quiet   bool
}

// fitting is a fit with k components.
func fitting[F matrix.Float](k int, o *nmf.Options, cells *cellFlags, cache string, quiet bool) work[F] {
	single := func(rows, cols int) *nmf.Options {
		one := *o
		one.Runs, one.Memory = 1, 0
		cells.promise(rows, cols, &one)
		return &one
	}
	return work[F]{name: "a fit", allowed: o.Memory, columns: o.Online == nil && (o.Loss != "" && o.Loss != "frobenius" || cells.chooses()),
		memory: func(s data.Shape) (float64, error) {
			return nmf.Memory[F](s.Rows, s.Columns, s.Stored, s.Sparse, k, single(s.Rows, s.Columns))
		},
		memoryOf: func(x matrix.Matrix[F]) (float64, error) { return nmf.MemoryOf(x, k, single(x.Dims())) },
		tooMuch:  func(need, limit float64) error { return tooMuch(k, need, limit) },
		cache:    cache, quiet: quiet}
}

// reading is how a matrix is read for some work.
type reading struct {
	shape data.Shape
	// bytes is what the matrix takes in memory, need what the work and the reading
	// take with it there, streamed what they take where it is read block by block.
	bytes, need, streamed, limit float64
}

// blockwise reports whether the matrix has to be read block by block.
func (r *reading) blockwise() bool { return r.limit > 0 && r.need > r.limit }

// readingFor finds out how the input would be read for some work. Errors are those
// of data.Peek: what cannot be told beforehand.
func readingFor[F matrix.Float](in source, w work[F]) (*reading, error) {
	if isStream(in.path) {
		return nil, errors.ErrUnsupported
	}
	shape, err := data.Peek[F](in.path, in.options)
	if err != nil {
		return nil, err
	}
	r := &reading{shape: shape, limit: float64(w.allowed)}
	if r.limit == 0 {
		r.limit = totalMemory()
	}
	if r.need, err = w.memory(shape); err != nil {
		return nil, err
	}
	const index = 4
	element := int(unsafe.Sizeof(F(0)))
	r.bytes = float64(shape.Stored) * float64(element)
	var x matrix.Matrix[F] = &matrix.Streamed[F]{Rows: shape.Rows, Cols: shape.Columns}
	if shape.Sparse {
		r.bytes = float64(shape.Stored) * float64(element+index)
		most := min(shape.Stored, 8<<20/(element+index))
		x = &matrix.StreamedCSR[F]{Rows: shape.Rows, Cols: shape.Columns, Stored: shape.Stored,
			ByRows: matrix.Blocks[F]{Most: most}, ByColumns: matrix.Blocks[F]{Most: most}}
	}
	r.need = max(r.need, r.bytes+shape.Reading)
	if r.streamed, err = w.memoryOf(x); err != nil {
		return nil, err
	}
	return r, nil
}

// openTable reads the matrix of some work, or, where that would take more memory
// than there is, opens it to be read block by block in every pass. done must be
// called after its last use.
func openTable[F matrix.Float](a *app, in source, w work[F]) (t *data.Table[F], done func(), err error) {
	r, err := readingFor(in, w)
	if err != nil || !r.blockwise() {
		// What is wrong with it, reading it will tell.
		t, err = readTable[F](a, in, w.quiet)
		return t, func() {}, err
	}
	if r.streamed > r.limit {
		return nil, nil, inFile(in.name(), w.tooMuch(r.streamed, r.limit))
	}
	about := ""
	if r.shape.Estimated {
		about = "about "
	}
	if w.allowed > 0 {
		// Garbage counts, too: the collector is to keep within what is allowed, the
		// program itself and what the collector does not know of left aside.
		const part, program = 0.9, 24e6
		debug.SetMemoryLimit(int64(max(r.limit/2, part*r.limit-program)))
	}
	a.note(w.quiet, "%s takes %s%s, and %s in memory %s%s, more than the %s there are to use: it is read block by block in every pass", in.name(), about, byteText(r.bytes), w.name, about, byteText(r.need), byteText(r.limit))
	// What is more than half of the machine's memory is read from the disk in every
	// pass, and less of it is faster.
	const half = 0.5
	total := totalMemory()
	s, err := openBlocks[F](a, in, w.cache, w.quiet, data.BlockOptions{Memory: r.limit, Columns: w.columns, Compress: total > 0 && r.bytes > half*total})
	if err != nil {
		return nil, nil, err
	}
	for _, n := range s.Notes {
		a.note(w.quiet, "%s: %s", in.name(), n)
	}
	return &s.Table, func() { s.Close() }, nil
}

// openBlocks opens the file itself, where that can be read by blocks, or its block file.
func openBlocks[F matrix.Float](a *app, in source, cache string, quiet bool, b data.BlockOptions) (*data.Stream[F], error) {
	p := in.options
	if !b.Columns && !p.Transpose && p.Key == "" && (p.Format == "" || p.Format == "npy") && data.CanStream(in.path) {
		return data.OpenStream[F](in.path)
	}
	b.Folder = cache
	b.Making = func(why, path string) {
		a.note(quiet, "%s: %s: its blocks are written to %s, once", in.name(), why, path)
	}
	b.Waiting = func(path string) {
		a.note(quiet, "%s: another process writes its blocks to %s: waiting for it", in.name(), path)
	}
	return data.OpenBlocks[F](in.path, in.options, b)
}
