// Package pages makes slices that programs walk over as a whole: where the system
// lets a program ask for it, their memory comes in large pages. A page that is
// touched for the first time is an exception of microseconds, and what an iteration
// reads and writes is thousands of them otherwise.
package pages

import "unsafe"

// least is the number of bytes from which large pages are asked for. It is below their
// size, since slices that are made one after the other lie side by side.
const least = 256 << 10

// Make is make([]T, n).
func Make[T any](n int) []T {
	s := make([]T, n)
	if size := n * int(unsafe.Sizeof(*new(T))); size >= least {
		advise(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), size))
	}
	return s
}
