//go:build !nonative

package main

// native says that Open MPI can be opened.
const native = true
