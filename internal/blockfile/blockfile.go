// Package blockfile keeps a matrix on disk in blocks of rows, and where it is
// wanted in blocks of columns too, so that it can be read again and again in
// little memory: a file that does not fit in memory is turned into one once.
//
// # Layout
//
// All numbers are little-endian. The blocks stand one after another, each as it
// is or as a zstd frame; then the names, the directory and the description:
//
//	"NMFBLK1\n"
//	blocks
//	row names, column names   one a line
//	directory                 for each block: place, size, cells, CRC-32C
//	description               JSON, see Header
//	trailer                   place and size of the directory and of the
//	                          description, a CRC-32C of both, "NMFBLK1\n"
//
// A block of a sparse matrix holds the number of stored cells of each of its
// lines (uint32), all their indices (int32, rising within a line) and all their
// values; a block of a dense one its lines, one after the other. Lines are rows
// or columns. Checksums are of what is in the file, and are compared when a block is
// read for the first time, and again after the file's size or date has changed.
//
// A file appears under its name when it is whole: it is written beside, synced
// and renamed, so that a program that is killed, or two that make the same
// file, leave a whole one or none.
package blockfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
	"unsafe"

	"github.com/partsof/nmf/matrix"
)

const (
	magic = "NMFBLK1\n"
	// Version is that of the description.
	Version = 1

	trailerSize = 4*8 + 4 + len(magic)
	entrySize   = 3*8 + 4
	// mostRatio bounds what a compressed block may claim to hold.
	mostRatio = 1 << 16
)

var (
	// ErrDamaged: the file is cut short, or is not what was written.
	ErrDamaged = errors.New("damaged block file")
	// ErrVersion: another version of the program made the file.
	ErrVersion = errors.New("block file of another version")
)

// WriteError is a write that failed, of a block file or of what is put aside while
// one is built.
type WriteError struct {
	// Folder is where the file is.
	Folder string
	Err    error
}

func (e *WriteError) Error() string { return fmt.Sprintf("write in %s: %v", e.Folder, e.Err) }
func (e *WriteError) Unwrap() error { return e.Err }

// Part is one of the files that a block file was made of.
type Part struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	// SHA256 is of the content, in hexadecimal.
	SHA256 string `json:"sha256"`
}

// Header describes the matrix.
type Header struct {
	Version   int    `json:"version"`
	Precision string `json:"precision"` // f32 or f64
	Sparse    bool   `json:"sparse"`
	Rows      int    `json:"rows"`
	Columns   int    `json:"columns"`
	// Stored is the number of cells that a sparse matrix stores.
	Stored int `json:"stored_cells"`
	// Source is what the file was made of, Reading how that was read.
	Source  []Part `json:"source"`
	Reading string `json:"reading"`
	// Format and Notes are what a reader said of the source.
	Format string   `json:"format"`
	Notes  []string `json:"notes,omitempty"`

	ByRows    Side `json:"by_rows"`
	ByColumns Side `json:"by_columns"`
	// RowNames and ColumnNames say where names stand; nil where there are none.
	RowNames    *Names `json:"row_names,omitempty"`
	ColumnNames *Names `json:"column_names,omitempty"`
}

// Side is the matrix by rows or by columns.
type Side struct {
	// Step is the number of lines in a block; 0 where the matrix is not there by
	// these lines. Blocks is the number of blocks.
	Step   int `json:"step"`
	Blocks int `json:"blocks"`
}

// Names is where names stand in the file.
type Names struct {
	entry
	Count int `json:"count"`
}

// entry is the place of a piece of the file.
type entry struct {
	At   int64 `json:"at"`
	Size int64 `json:"size"`
	// Cells is the number of cells of a block, or of bytes of names.
	Cells int64  `json:"cells"`
	CRC   uint32 `json:"crc"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

func precisionOf[F matrix.Float]() string {
	if sizeOf[F]() == 4 {
		return "f32"
	}
	return "f64"
}

func sizeOf[T any]() int {
	var v T
	return int(unsafe.Sizeof(v))
}

// bytesOf views the memory of numbers.
func bytesOf[T uint32 | int32 | float32 | float64](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*sizeOf[T]())
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// turnBytes changes numbers of a size between the order of the file and that of
// this machine.
func turnBytes(b []byte, size int) {
	if !bigEndian {
		return
	}
	for ; len(b) >= size; b = b[size:] {
		for i, j := 0, size-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}

// linesOf is the number of lines of a side and of the cells that each may have.
func (h *Header) linesOf(columns bool) (lines, length int) {
	if columns {
		return h.Columns, h.Rows
	}
	return h.Rows, h.Columns
}

// rawSize is the number of bytes of a block that is not compressed.
func (h *Header) rawSize(lines, length int, cells int64, element int) int64 {
	if h.Sparse {
		return 4*int64(lines) + cells*int64(4+element)
	}
	return int64(lines) * int64(length) * int64(element)
}
