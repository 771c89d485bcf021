package engine

// ahead reads blocks of lines, rows or columns of X, one block before the work
// needs it: passes go through the blocks in order, and start again.
type ahead[B any] struct {
	// lines is the number of all, step that of a block.
	lines, step int
	// read sets into to the n lines from line `first` on.
	read func(first, n int, into *B) error

	// held has the n lines from base on; n is 0 where nothing is held.
	held    B
	base, n int
	// spare is read into for the block from `coming` on; done gets the error.
	spare  B
	coming int
	done   chan error
	err    error
}

// nothingComing is where no block is being read.
const nothingComing = -1

func newAhead[B any](lines, step int, read func(first, n int, into *B) error) ahead[B] {
	return ahead[B]{lines: lines, step: step, read: read, coming: nothingComing, done: make(chan error, 1)}
}

// hold brings the block from line `first` on into held and begins to read the
// next one; it reports false where reading failed.
func (a *ahead[B]) hold(first int) bool {
	if a.err != nil {
		return false
	}
	if a.n > 0 && a.base == first {
		return true
	}
	if a.coming != first {
		a.settle()
		a.fetch(first)
	}
	if !a.settle() {
		return false
	}
	a.held, a.spare = a.spare, a.held
	a.base, a.n = first, min(a.step, a.lines-first)
	if a.n < a.lines {
		a.fetch((first + a.n) % a.lines)
	}
	return true
}

// fetch begins to read the block from line `first` on.
func (a *ahead[B]) fetch(first int) {
	a.coming = first
	n, into := min(a.step, a.lines-first), &a.spare
	go func() { a.done <- a.read(first, n, into) }()
}

// settle waits for what is being read; it reports false where that failed.
func (a *ahead[B]) settle() bool {
	if a.coming != nothingComing {
		a.coming = nothingComing
		if err := <-a.done; err != nil {
			a.err = err
		}
	}
	return a.err == nil
}

// holds reports whether line i is held.
func (a *ahead[B]) holds(i int) bool { return a.n > 0 && i >= a.base && i < a.base+a.n }
