package blockfile

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
)

// Writer writes the blocks of a file.
type Writer[F matrix.Float] struct {
	// Header is what the file will say of itself: all but what the writer fills
	// in, by the time that the writing ends.
	Header
	// Names of rows and columns, nil where there are none.
	RowNames, ColumnNames []string

	out      io.Writer
	folder   string
	at       int64
	zstd     *zstd.Encoder
	packed   []byte
	sides    [2]side[F]
	counts   []uint32
	crcOfEnd uint32
}

// side collects the lines of a block.
type side[F matrix.Float] struct {
	step    int
	lines   int
	stored  int64
	pending matrix.CSR[F] // dense lines are in Val
	blocks  []entry
}

// Create writes the file at path: fill hands its lines to the Writer, and sets
// what is to stand in the header. With compress a block is stored as a zstd
// frame where that makes it smaller by a third or more.
func Create[F matrix.Float](path string, compress bool, fill func(w *Writer[F]) error) error {
	return atomicfile.Write(path, func(out io.Writer) error {
		w := &Writer[F]{out: out, folder: filepath.Dir(path)}
		w.Version, w.Precision = Version, precisionOf[F]()
		if compress {
			var err error
			if w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true)); err != nil {
				return err
			}
			defer w.zstd.Close()
		}
		if err := w.write([]byte(magic)); err != nil {
			return err
		}
		if err := fill(w); err != nil {
			return err
		}
		return w.finish()
	})
}

func (w *Writer[F]) write(b []byte) error {
	n, err := w.out.Write(b)
	w.at += int64(n)
	if err != nil {
		return &WriteError{w.folder, err}
	}
	return nil
}

func index(columns bool) int {
	if columns {
		return 1
	}
	return 0
}

// Begin begins the rows, or the columns, in blocks of step lines.
func (w *Writer[F]) Begin(columns bool, step int) { w.sides[index(columns)].step = max(1, step) }

// Sparse takes the next lines of a sparse matrix.
func (w *Writer[F]) Sparse(columns bool, part *matrix.CSR[F]) error {
	s := &w.sides[index(columns)]
	for i := range part.Rows {
		idx, vals := part.Row(i)
		p := &s.pending
		if p.Rows == 0 {
			p.RowPtr = append(p.RowPtr[:0], 0)
		}
		p.ColIdx, p.Val = append(p.ColIdx, idx...), append(p.Val, vals...)
		p.RowPtr = append(p.RowPtr, len(p.Val))
		if p.Rows++; p.Rows == s.step {
			if err := w.flush(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// Dense takes the next lines of a dense matrix, each of the given length.
func (w *Writer[F]) Dense(columns bool, length int, vals []F) error {
	s := &w.sides[index(columns)]
	for len(vals) > 0 {
		n := min(len(vals)/length, s.step-s.pending.Rows)
		s.pending.Val = append(s.pending.Val, vals[:n*length]...)
		s.pending.Rows += n
		vals = vals[n*length:]
		if s.pending.Rows == s.step {
			if err := w.flush(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the block that was collected.
func (w *Writer[F]) flush(s *side[F]) error {
	p := &s.pending
	pieces := [][]byte{bytesOf(p.Val)}
	if w.Header.Sparse {
		w.counts = w.counts[:0]
		for i := range p.Rows {
			w.counts = append(w.counts, uint32(p.RowPtr[i+1]-p.RowPtr[i]))
		}
		turnBytes(bytesOf(w.counts), 4)
		turnBytes(bytesOf(p.ColIdx), 4)
		pieces = [][]byte{bytesOf(w.counts), bytesOf(p.ColIdx), pieces[0]}
	}
	turnBytes(bytesOf(p.Val), sizeOf[F]())
	e, err := w.piece(pieces)
	if err != nil {
		return err
	}
	e.Cells = int64(len(p.Val))
	s.blocks = append(s.blocks, e)
	s.lines += p.Rows
	s.stored += e.Cells
	p.Rows, p.ColIdx, p.Val = 0, p.ColIdx[:0], p.Val[:0]
	return nil
}

// piece writes a piece of the file, compressed where that pays.
func (w *Writer[F]) piece(pieces [][]byte) (e entry, err error) {
	e.At = w.at
	if w.zstd != nil {
		raw := pieces[0]
		if len(pieces) > 1 {
			raw = nil
			for _, b := range pieces {
				raw = append(raw, b...)
			}
		}
		w.packed = w.zstd.EncodeAll(raw, w.packed[:0])
		if n := len(w.packed); 3*n <= 2*len(raw) && n*mostRatio >= len(raw) {
			pieces = [][]byte{w.packed}
		}
	}
	for _, b := range pieces {
		e.CRC = crc32.Update(e.CRC, castagnoli, b)
		e.Size += int64(len(b))
		if err := w.write(b); err != nil {
			return e, err
		}
	}
	return e, nil
}

// finish writes what comes after the blocks.
func (w *Writer[F]) finish() error {
	for i := range w.sides {
		if w.sides[i].pending.Rows > 0 {
			if err := w.flush(&w.sides[i]); err != nil {
				return err
			}
		}
	}
	h := &w.Header
	for i, s := range w.sides {
		about, lines := &h.ByRows, h.Rows
		if i == 1 {
			about, lines = &h.ByColumns, h.Columns
		}
		*about = Side{Step: s.step, Blocks: len(s.blocks)}
		if s.step > 0 && s.lines != lines {
			return fmt.Errorf("block file: %d lines were written of %d", s.lines, lines)
		}
		if h.Sparse && s.step > 0 {
			h.Stored = int(s.stored)
		}
	}
	var err error
	if h.RowNames, err = w.names(w.RowNames); err != nil {
		return err
	}
	if h.ColumnNames, err = w.names(w.ColumnNames); err != nil {
		return err
	}
	var directory []byte
	for _, s := range w.sides {
		for _, e := range s.blocks {
			directory = binary.LittleEndian.AppendUint64(directory, uint64(e.At))
			directory = binary.LittleEndian.AppendUint64(directory, uint64(e.Size))
			directory = binary.LittleEndian.AppendUint64(directory, uint64(e.Cells))
			directory = binary.LittleEndian.AppendUint32(directory, e.CRC)
		}
	}
	description, err := json.Marshal(h)
	if err != nil {
		return err
	}
	var trailer []byte
	at := w.at
	for _, b := range [][]byte{directory, description} {
		trailer = binary.LittleEndian.AppendUint64(trailer, uint64(at))
		trailer = binary.LittleEndian.AppendUint64(trailer, uint64(len(b)))
		at += int64(len(b))
		w.crcOfEnd = crc32.Update(w.crcOfEnd, castagnoli, b)
		if err := w.write(b); err != nil {
			return err
		}
	}
	trailer = binary.LittleEndian.AppendUint32(trailer, w.crcOfEnd)
	return w.write(append(trailer, magic...))
}

// names writes names, one a line.
func (w *Writer[F]) names(names []string) (*Names, error) {
	if names == nil {
		return nil, nil
	}
	text := []byte(strings.Join(names, "\n"))
	e, err := w.piece([][]byte{text})
	e.Cells = int64(len(text))
	return &Names{e, len(names)}, err
}
