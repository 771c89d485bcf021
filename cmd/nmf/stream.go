package main

import (
	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// openTable reads the matrix of a fit, or, where that would take more memory
// than there is, opens it to be read block by block in every pass. done must be
// called after its last use.
func openTable[F matrix.Float](a *app, in source, k int, o *nmf.Options, quiet bool) (t *data.Table[F], done func(), err error) {
	if s := streamOf[F](in, k, o); s != nil {
		for _, n := range s.Notes {
			a.note(quiet, "%s: %s", in.name(), n)
		}
		a.note(quiet, "%s takes %s, more than there are to use: it is read block by block in every pass", in.name(), byteText(s.Bytes()))
		return &s.Table, func() { s.Close() }, nil
	}
	t, err = readTable[F](a, in, quiet)
	return t, func() {}, err
}

// streamOf opens the input as a stream, where it can be one and has to; nil
// otherwise. What is wrong with it, reading it will tell.
func streamOf[F matrix.Float](in source, k int, o *nmf.Options) *data.Stream[F] {
	limit := float64(o.Memory)
	if limit == 0 {
		limit = totalMemory()
	}
	if p := in.options; limit == 0 || p.Transpose || p.Key != "" || p.Format != "" && p.Format != "npy" || !data.CanStream(in.path) {
		return nil
	}
	s, err := data.OpenStream[F](in.path)
	if err != nil {
		return nil
	}
	rows, cols := s.X.Dims()
	single := *o
	single.Runs, single.Memory = 1, 0
	if need, err := nmf.Memory[F](rows, cols, rows*cols, false, k, &single); err != nil || need <= limit {
		s.Close()
		return nil
	}
	return s
}
