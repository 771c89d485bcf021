package blockfile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/partsof/nmf/internal/parts"
	"github.com/partsof/nmf/matrix"
)

// File is an open block file.
type File[F matrix.Float] struct {
	Header
	r       io.ReaderAt
	size    int64
	closer  io.Closer
	sides   [2][]entry
	decoder *zstd.Decoder

	// spare has memory for blocks of which a part is wanted.
	spare sync.Pool

	// checked says of each block that it is known to be good in the file that `as`
	// describes; file is nil where that cannot be told.
	mu      sync.Mutex
	checked [2][]bool
	file    *os.File
	as      fileState
}

// fileState tells whether a file is as it was.
type fileState struct {
	size     int64
	modified time.Time
}

func stateOf(f *os.File) (fileState, error) {
	info, err := f.Stat()
	if err != nil {
		return fileState{}, err
	}
	return fileState{info.Size(), info.ModTime()}, nil
}

// isChecked reports whether a block is known to be good: it was when it was read
// before, and nobody has written to the file since. now is for setChecked.
func (f *File[F]) isChecked(side, block int) (known bool, now fileState) {
	if f.file == nil {
		return false, now
	}
	// A file that cannot be described is one of no size, and differs.
	now, _ = stateOf(f.file)
	f.mu.Lock()
	defer f.mu.Unlock()
	if now != f.as {
		f.as = now
		clear(f.checked[0])
		clear(f.checked[1])
	}
	return f.checked[side][block], now
}

// setChecked says that a block is good in the file as it was then.
func (f *File[F]) setChecked(side, block int, then fileState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if then == f.as {
		f.checked[side][block] = true
	}
}

// Open opens the block file at path. Errors wrap ErrDamaged, ErrVersion, or say
// that the file cannot be opened.
func Open[F matrix.Float](path string) (*File[F], error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		var b *File[F]
		if b, err = OpenReader[F](f, info.Size()); err == nil {
			b.closer, b.file = f, f
			b.as = fileState{info.Size(), info.ModTime()}
			return b, nil
		}
	}
	f.Close()
	return nil, err
}

// OpenReader is Open for what is no file.
func OpenReader[F matrix.Float](r io.ReaderAt, size int64) (*File[F], error) {
	f := &File[F]{r: r, size: size}
	if err := f.readEnd(); err != nil {
		return nil, err
	}
	var err error
	f.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
	return f, err
}

// Close closes the file.
func (f *File[F]) Close() error {
	f.decoder.Close()
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// readAt reads a piece, whose end is within the file.
func (f *File[F]) readAt(b []byte, at int64) error {
	const least = 1 << 20
	return parts.Each(len(b), least, func(from, to int) error {
		if n, err := f.r.ReadAt(b[from:to], at+int64(from)); n < to-from {
			if errors.Is(err, io.EOF) {
				return damaged("it is cut short")
			}
			return err
		}
		return nil
	})
}

// readEnd reads the trailer, and what it leads to.
func (f *File[F]) readEnd() error {
	least := int64(len(magic) + trailerSize)
	if f.size < least {
		return damaged("it is cut short")
	}
	head, end := make([]byte, len(magic)), make([]byte, trailerSize)
	if err := f.readAt(head, 0); err != nil {
		return err
	}
	if err := f.readAt(end, f.size-int64(trailerSize)); err != nil {
		return err
	}
	switch {
	case string(head) != magic:
		return damaged("it does not start as a block file does")
	case string(end[trailerSize-len(magic):]) != magic:
		return damaged("it is cut short")
	}
	var pieces [2][]byte
	crc := uint32(0)
	for i := range pieces {
		at, size := binary.LittleEndian.Uint64(end[16*i:]), binary.LittleEndian.Uint64(end[16*i+8:])
		if most := uint64(f.size - least); at > most+uint64(len(magic)) || size > most || at+size > most+uint64(len(magic)) {
			return damaged("its trailer points outside")
		}
		pieces[i] = make([]byte, size)
		if err := f.readAt(pieces[i], int64(at)); err != nil {
			return err
		}
		crc = crc32.Update(crc, castagnoli, pieces[i])
	}
	if crc != binary.LittleEndian.Uint32(end[32:]) {
		return damaged("the checksum of its directory is wrong")
	}
	if err := json.Unmarshal(pieces[1], &f.Header); err != nil {
		return damaged("its description is none: %v", err)
	}
	return f.check(pieces[0])
}

// check refuses what the description and the directory cannot mean.
func (f *File[F]) check(directory []byte) error {
	h := &f.Header
	switch {
	case h.Version != Version:
		return fmt.Errorf("%w: %d, this program has %d", ErrVersion, h.Version, Version)
	case h.Precision != precisionOf[F]():
		return fmt.Errorf("%w: it is of %s, %s are wanted", ErrVersion, h.Precision, precisionOf[F]())
	case h.Rows < 0 || h.Columns < 0 || h.Rows > matrix.MaxDim || h.Columns > matrix.MaxDim || h.Stored < 0:
		return damaged("it is of a %d x %d matrix with %d cells", h.Rows, h.Columns, h.Stored)
	case h.ByRows.Step < 1 || h.Sparse && h.ByColumns.Step < 1 || h.ByColumns.Step < 0:
		return damaged("it has no rows or no columns")
	}
	for i, about := range []Side{h.ByRows, h.ByColumns} {
		if about.Step == 0 {
			continue
		}
		lines, length := h.linesOf(i == 1)
		blocks := (lines + about.Step - 1) / about.Step
		if about.Blocks != blocks || blocks > len(directory)/entrySize || h.Sparse && about.Step%matrix.BlockStep != 0 && about.Step < lines {
			return damaged("%d blocks of %d lines are not %d lines", about.Blocks, about.Step, lines)
		}
		stored := int64(0)
		for b := range blocks {
			e := entry{At: int64(binary.LittleEndian.Uint64(directory)), Size: int64(binary.LittleEndian.Uint64(directory[8:])),
				Cells: int64(binary.LittleEndian.Uint64(directory[16:])), CRC: binary.LittleEndian.Uint32(directory[24:])}
			directory = directory[entrySize:]
			n := min(about.Step, lines-b*about.Step)
			if !h.Sparse && e.Cells != int64(n)*int64(length) {
				return damaged("block %d has %d cells", b, e.Cells)
			}
			if err := f.checkEntry(e, h.rawSize(n, length, e.Cells, sizeOf[F]())); err != nil {
				return err
			}
			stored += e.Cells
			f.sides[i] = append(f.sides[i], e)
		}
		if h.Sparse && stored != int64(h.Stored) {
			return damaged("it has %d cells, its blocks have %d", h.Stored, stored)
		}
		f.checked[i] = make([]bool, blocks)
	}
	if len(directory) > 0 {
		return damaged("its directory has more blocks than it needs")
	}
	for _, n := range []struct {
		names *Names
		lines int
	}{{h.RowNames, h.Rows}, {h.ColumnNames, h.Columns}} {
		if n.names == nil {
			continue
		}
		if n.names.Count != n.lines {
			return damaged("it has %d names for %d lines", n.names.Count, n.lines)
		}
		if err := f.checkEntry(n.names.entry, n.names.Cells); err != nil {
			return err
		}
	}
	return nil
}

// checkEntry refuses a piece that is not in the file, or that cannot hold so
// many bytes.
func (f *File[F]) checkEntry(e entry, raw int64) error {
	if e.At < 0 || e.Size < 0 || e.Cells < 0 || e.Cells > 1<<48 || e.At > f.size || e.Size > f.size-e.At || e.Size > raw || raw/mostRatio > e.Size {
		return damaged("a block of %d bytes at %d that holds %d cells", e.Size, e.At, e.Cells)
	}
	return nil
}

// unpacked reads a piece of so many bytes, if it is compressed: nil where it is
// not.
func (f *File[F]) unpacked(e entry, raw int64, checked bool) ([]byte, error) {
	if e.Size == raw {
		return nil, nil
	}
	packed := make([]byte, e.Size)
	if err := f.readAt(packed, e.At); err != nil {
		return nil, err
	}
	if !checked && crc32.Checksum(packed, castagnoli) != e.CRC {
		return nil, damaged("the checksum of a block is wrong")
	}
	out, err := f.decoder.DecodeAll(packed, make([]byte, 0, raw))
	if err != nil || int64(len(out)) != raw {
		return nil, damaged("a block cannot be decompressed")
	}
	return out, nil
}

// read fills pieces of memory with a piece of the file, one after the other, whose
// checksum is compared unless it is known to be good.
func (f *File[F]) read(e entry, checked bool, pieces ...[]byte) error {
	raw := int64(0)
	for _, b := range pieces {
		raw += int64(len(b))
	}
	out, err := f.unpacked(e, raw, checked)
	if err != nil {
		return err
	}
	crc, at := uint32(0), e.At
	for _, b := range pieces {
		if out != nil {
			out = out[copy(b, out):]
			continue
		}
		if err := f.readAt(b, at); err != nil {
			return err
		}
		if !checked {
			crc = crc32.Update(crc, castagnoli, b)
		}
		at += int64(len(b))
	}
	if out == nil && !checked && crc != e.CRC {
		return damaged("the checksum of a block is wrong")
	}
	return nil
}

// Names reads the names of rows and columns, nil where there are none.
func (f *File[F]) Names() (rows, columns []string, err error) {
	for _, n := range []struct {
		at *Names
		to *[]string
	}{{f.Header.RowNames, &rows}, {f.Header.ColumnNames, &columns}} {
		if n.at == nil {
			continue
		}
		text := make([]byte, n.at.Cells)
		if err := f.read(n.at.entry, false, text); err != nil {
			return nil, nil, err
		}
		*n.to = []string{}
		if n.at.Count > 0 {
			*n.to = strings.Split(string(text), "\n")
		}
		if len(*n.to) != n.at.Count {
			return nil, nil, damaged("it has %d names, not %d", len(*n.to), n.at.Count)
		}
	}
	return rows, columns, nil
}

// HasColumns reports whether the matrix is there by columns, too.
func (f *File[F]) HasColumns() bool { return f.ByColumns.Step > 0 }

// Matrix gives the matrix as one that is read block by block. Errors of its
// readers wrap ErrDamaged where the file is at fault.
func (f *File[F]) Matrix() matrix.Matrix[F] {
	h := &f.Header
	if h.Sparse {
		return &matrix.StreamedCSR[F]{Rows: h.Rows, Cols: h.Columns, Stored: h.Stored, ByRows: f.blocks(false), ByColumns: f.blocks(true)}
	}
	x := &matrix.Streamed[F]{Rows: h.Rows, Cols: h.Columns, Read: f.lines(false)}
	if f.HasColumns() {
		x.ReadColumns = f.lines(true)
	}
	return x
}

// blocks reads the blocks of a sparse matrix.
func (f *File[F]) blocks(columns bool) matrix.Blocks[F] {
	side := index(columns)
	about, entries := f.ByRows, f.sides[side]
	if columns {
		about = f.ByColumns
	}
	lines, length := f.linesOf(columns)
	b := matrix.Blocks[F]{Step: about.Step}
	for _, e := range entries {
		b.Most = max(b.Most, int(e.Cells))
	}
	b.Read = func(first int, dst *matrix.CSR[F]) error {
		block := first / about.Step
		e := entries[block]
		n, cells := min(about.Step, lines-first), int(e.Cells)
		counts := make([]uint32, n)
		dst.Rows, dst.Cols = n, length
		dst.ColIdx, dst.Val, dst.RowPtr = resized(dst.ColIdx, cells), resized(dst.Val, cells), resized(dst.RowPtr, n+1)
		known, now := f.isChecked(side, block)
		if err := f.read(e, known, bytesOf(counts), bytesOf(dst.ColIdx), bytesOf(dst.Val)); err != nil {
			return err
		}
		turnBytes(bytesOf(counts), 4)
		turnBytes(bytesOf(dst.ColIdx), 4)
		turnBytes(bytesOf(dst.Val), sizeOf[F]())
		dst.RowPtr[0] = 0
		for i, c := range counts {
			if dst.RowPtr[i+1] = dst.RowPtr[i] + int(c); dst.RowPtr[i+1] > cells {
				return damaged("the lines of a block have more cells than it")
			}
		}
		if known {
			return nil
		}
		// What the checksum cannot find is looked for once: the products go
		// wherever an index points.
		if err := dst.Check(); err != nil {
			return damaged("%v", err)
		}
		f.setChecked(side, block, now)
		return nil
	}
	return b
}

// resized makes room for n elements, a little more where memory must be taken:
// blocks differ in size.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		s = make([]T, n, n+n/16)
	}
	return s[:n]
}

// lines reads lines of a dense matrix, from any on.
func (f *File[F]) lines(columns bool) func(first int, dst []F) error {
	side := index(columns)
	about, entries := f.ByRows, f.sides[side]
	if columns {
		about = f.ByColumns
	}
	lines, length := f.linesOf(columns)
	// read puts those lines of block b in place that dst has.
	read := func(b, first int, dst []F) error {
		begin := b * about.Step
		n := min(about.Step, lines-begin)
		from, to := max(begin, first), min(begin+n, first+len(dst)/length)
		part := dst[(from-first)*length : (to-first)*length]
		known, now := f.isChecked(side, b)
		if to-from == n {
			if err := f.read(entries[b], known, bytesOf(part)); err != nil {
				return err
			}
		} else {
			spare, _ := f.spare.Get().(*[]F)
			if spare == nil {
				spare = new([]F)
			}
			defer f.spare.Put(spare)
			*spare = resized(*spare, n*length)
			if err := f.read(entries[b], known, bytesOf(*spare)); err != nil {
				return err
			}
			copy(part, (*spare)[(from-begin)*length:])
		}
		f.setChecked(side, b, now)
		turnBytes(bytesOf(part), sizeOf[F]())
		return nil
	}
	return func(first int, dst []F) error {
		if len(dst) == 0 || length == 0 {
			return nil
		}
		b := first / about.Step
		return parts.Each((first+len(dst)/length-1)/about.Step+1-b, 1, func(from, to int) error {
			for i := from; i < to; i++ {
				if err := read(b+i, first, dst); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
