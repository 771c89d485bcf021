package data

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// defaultChunk is how many bytes of text a worker parses at a time: enough
// that handing over costs nothing, and within the second-level cache.
const defaultChunk = 1 << 20

// chunk is a run of whole records of a text file, and what was made of it.
type chunk[T any] struct {
	// text ends in a newline, added where the file's last line lacks it.
	text []byte
	// line is the number of the first line.
	line int
	// out is what parsing made of text; its memory is reused.
	out T
	// problem is the first thing wrong in text; nil where nothing is.
	problem *problem

	newlines int
	parsed   chan struct{}
}

// lineAt gives the line number of an offset of the chunk.
func (c *chunk[T]) lineAt(offset int) int {
	return c.line + bytes.Count(c.text[:offset], newline)
}

var newline = []byte{'\n'}

// chunks cuts a text file into chunks, has them parsed in parallel, and
// collects the results in the order of the file. What is collected, and which
// error comes first, does not depend on the number of threads or the size of
// a chunk.
type chunks[T any] struct {
	r       io.Reader
	threads int // goroutines that parse; 0 is GOMAXPROCS
	size    int // bytes a chunk; 0 is defaultChunk
	line    int // number of the first line
	// whole gives the length of the whole records that text starts with, or
	// 0 where it has none.
	whole func(text []byte) int
	// parse fills c.out and c.problem. It runs on many goroutines.
	parse func(c *chunk[T])
	// collect takes the chunks one by one. Its error ends the reading.
	collect func(c *chunk[T]) error
}

// wholeLines is the whole function of a format whose records are lines.
func wholeLines(text []byte) int { return bytes.LastIndexByte(text, '\n') + 1 }

// run reads to the end of the file or to the first error of collect, else of
// the reader. Reading happens on the calling goroutine, so that r is not in
// use when run returns. lines is the number of the last line.
func (p *chunks[T]) run() (lines int, err error) {
	threads, size := p.threads, p.size
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if size <= 0 {
		size = defaultChunk
	}
	inFlight := threads + 2
	free := make(chan *chunk[T], inFlight)
	for range inFlight {
		free <- &chunk[T]{parsed: make(chan struct{}, 1)}
	}
	work, order := make(chan *chunk[T], inFlight), make(chan *chunk[T], inFlight)

	var running sync.WaitGroup
	for range threads {
		running.Go(func() {
			for c := range work {
				p.parse(c)
				c.newlines = bytes.Count(c.text, newline)
				c.parsed <- struct{}{}
			}
		})
	}
	var failed atomic.Bool
	var collectErr error
	lines = p.line
	running.Go(func() {
		for c := range order {
			<-c.parsed
			if !failed.Load() {
				c.line = lines
				lines += c.newlines
				if collectErr = p.collect(c); collectErr != nil {
					failed.Store(true)
				}
			}
			free <- c
		}
	})

	readErr := p.read(size, &failed, free, func(c *chunk[T]) {
		order <- c
		work <- c
	})
	close(work)
	close(order)
	running.Wait()
	if collectErr != nil {
		return lines, collectErr
	}
	return lines, readErr
}

// read fills chunks and hands them on until the file ends or something failed.
func (p *chunks[T]) read(size int, failed *atomic.Bool, free <-chan *chunk[T], hand func(*chunk[T])) error {
	var rest []byte // the start of a record whose end is not read yet
	for !failed.Load() {
		c := <-free
		c.problem = nil
		c.text = append(c.text[:0], rest...)
		var err error
		whole := 0
		for want := size; ; want *= 2 {
			c.text, err = fill(p.r, c.text, want, failed)
			if whole = p.whole(c.text); whole > 0 || err != nil {
				break
			}
		}
		if err == errStopped {
			return nil
		}
		if err == io.EOF {
			if n := len(c.text); n > 0 {
				if c.text[n-1] != '\n' {
					c.text = append(c.text, '\n')
				}
				hand(c)
			}
			return nil
		}
		// What is whole is parsed even where reading failed after it: what is
		// wrong there comes first in the file.
		rest = append(rest[:0], c.text[whole:]...)
		c.text = c.text[:whole]
		if whole > 0 {
			hand(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errStopped ends the reading of a file of which no more is wanted.
var errStopped = errors.New("stopped")

// fill reads until text is want bytes long. It gives the reader's error, io.EOF
// at the end of the file, or errStopped when failed is set.
func fill(r io.Reader, text []byte, want int, failed *atomic.Bool) ([]byte, error) {
	for len(text) < want {
		if failed != nil && failed.Load() {
			return text, errStopped
		}
		if len(text) == cap(text) {
			// Space for what there is to read, not for what is wanted: a small
			// file needs little.
			grown := make([]byte, len(text), min(want, max(4096, 4*cap(text)))+1)
			copy(grown, text)
			text = grown
		}
		n, err := r.Read(text[len(text):min(cap(text), want)])
		text = text[:len(text)+n]
		if err != nil {
			return text, err
		}
	}
	return text, nil
}
