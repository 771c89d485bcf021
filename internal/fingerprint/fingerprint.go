// Package fingerprint tells whether data and options are those that saved work
// was begun with: by SHA-256 of the numbers, whatever holds them.
package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"runtime"
	"sync"

	"github.com/partsof/nmf/matrix"
)

// Hash adds things up in the order in which they come.
type Hash struct{ h hash.Hash }

// New is the hash of nothing.
func New() *Hash { return &Hash{sha256.New()} }

// String is the hash of what has been added.
func (h *Hash) String() string { return hex.EncodeToString(h.h.Sum(nil)) }

// Bytes adds bytes as they are.
func (h *Hash) Bytes(b []byte) { h.h.Write(b) }

// Numbers adds whole numbers.
func (h *Hash) Numbers(values ...int) {
	for _, v := range values {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(int64(v)))
		h.h.Write(b[:])
	}
}

// Floats adds numbers and how many they are.
func (h *Hash) Floats(values []float64) {
	h.Numbers(len(values))
	h.h.Write(bytesOf(nil, values))
}

// Mask adds a mask; nil is none.
func (h *Hash) Mask(m *matrix.Mask) {
	if m == nil {
		h.Numbers(0)
		return
	}
	h.Numbers(1)
	h.Numbers(m.RowPtr...)
	h.indices(m.ColIdx)
}

func (h *Hash) indices(values []int32) {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	h.h.Write(b)
}

// Matrix adds a matrix of package matrix, or nil. The error is that of reading
// one that is read block by block, or that of another kind.
func (h *Hash) Matrix(x any) error {
	if x == nil {
		h.Numbers(0)
		return nil
	}
	rows, err := Rows(x, 0)
	if err != nil {
		return err
	}
	m, n := x.(interface{ Dims() (rows, cols int) }).Dims()
	h.Numbers(1, m, n)
	h.Bytes(rows[:])
	return nil
}

// Sum is a fingerprint of rows that can be made by parts.
type Sum [sha256.Size]byte

func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// Join makes s that of its rows and of others.
func (s *Sum) Join(other Sum) {
	for i, b := range other {
		s[i] ^= b
	}
}

// Rows is the fingerprint of the rows of a matrix of package matrix that are the
// rows from `first` on of another one: that of the whole is that of its parts
// joined. A matrix that is read block by block is read once and has the
// fingerprint that it has in memory.
func Rows(x any, first int) (Sum, error) {
	switch x := x.(type) {
	case *matrix.Dense[float32]:
		return dense(x, first), nil
	case *matrix.Dense[float64]:
		return dense(x, first), nil
	case *matrix.Streamed[float32]:
		return streamed(x, first)
	case *matrix.Streamed[float64]:
		return streamed(x, first)
	case *matrix.StreamedCSR[float32]:
		return streamedSparse(x, first)
	case *matrix.StreamedCSR[float64]:
		return streamedSparse(x, first)
	case *matrix.CSR[float32]:
		return sparse(x, first), nil
	case *matrix.CSR[float64]:
		return sparse(x, first), nil
	}
	return Sum{}, fmt.Errorf("a %T has no fingerprint", x)
}

// kinds of rows.
const (
	denseRow = iota
	sparseRow
)

func dense[F matrix.Float](x *matrix.Dense[F], first int) Sum {
	return sum(x.Rows, first, denseRow, func(i int, b []byte) []byte { return bytesOf(b, x.Row(i)) })
}

func sparse[F matrix.Float](x *matrix.CSR[F], first int) Sum {
	return sum(x.Rows, first, sparseRow, func(i int, b []byte) []byte {
		cols, vals := x.Row(i)
		for _, j := range cols {
			b = binary.LittleEndian.AppendUint32(b, uint32(j))
		}
		return bytesOf(b, vals)
	})
}

// readBytes is about how much is read at a time.
const readBytes = 8 << 20

func streamed[F matrix.Float](x *matrix.Streamed[F], first int) (all Sum, err error) {
	if x.Rows == 0 || x.Cols == 0 {
		return all, nil
	}
	step := min(x.Rows, max(1, readBytes/(size[F]()*x.Cols)))
	block := &matrix.Dense[F]{Cols: x.Cols, Stride: x.Cols, Data: make([]F, step*x.Cols)}
	for r0 := 0; r0 < x.Rows; r0 += step {
		block.Rows = min(step, x.Rows-r0)
		block.Data = block.Data[:block.Rows*x.Cols]
		if err := x.Read(r0, block.Data); err != nil {
			return all, err
		}
		all.Join(dense(block, first+r0))
	}
	return all, nil
}

func streamedSparse[F matrix.Float](x *matrix.StreamedCSR[F], first int) (all Sum, err error) {
	var block matrix.CSR[F]
	for r0 := 0; r0 < x.Rows; r0 += x.ByRows.Step {
		if err := x.ByRows.Read(r0, &block); err != nil {
			return all, err
		}
		all.Join(sparse(&block, first+r0))
	}
	return all, nil
}

// sum joins the hashes of n rows; row appends the bytes of one.
func sum(n, first, kind int, row func(i int, b []byte) []byte) (all Sum) {
	const most = 8
	parts := make([]Sum, min(most, runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() {
			var b []byte
			for i := p; i < n; i += len(parts) {
				b = binary.LittleEndian.AppendUint64(append(b[:0], byte(kind)), uint64(first+i))
				b = row(i, b)
				parts[p].Join(sha256.Sum256(b))
			}
		})
	}
	wg.Wait()
	for _, p := range parts {
		all.Join(p)
	}
	return all
}

// size is the number of bytes of an element.
func size[F matrix.Float]() int {
	if _, single := any(F(0)).(float32); single {
		return 4
	}
	return 8
}

// bytesOf appends the numbers in little-endian order.
func bytesOf[F matrix.Float](b []byte, values []F) []byte {
	if size[F]() == 4 {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
		}
		return b
	}
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(v)))
	}
	return b
}
