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

// Matrix adds a matrix of package matrix, or nil. One that is read block by
// block is read once and has the hash that it has in memory; the error is that
// of reading. Another kind is an error.
func (h *Hash) Matrix(x any) error {
	switch x := x.(type) {
	case nil:
		h.Numbers(0)
	case *matrix.Dense[float32]:
		return dense(h, x.Rows, x.Cols, rowsOf(x))
	case *matrix.Dense[float64]:
		return dense(h, x.Rows, x.Cols, rowsOf(x))
	case *matrix.Streamed[float32]:
		return dense(h, x.Rows, x.Cols, x.Read)
	case *matrix.Streamed[float64]:
		return dense(h, x.Rows, x.Cols, x.Read)
	case *matrix.CSR[float32]:
		sparse(h, x)
	case *matrix.CSR[float64]:
		sparse(h, x)
	default:
		return fmt.Errorf("a %T has no fingerprint", x)
	}
	return nil
}

// partBytes is the size of the parts of a dense matrix that are hashed by
// themselves, so that several, mostParts at most, can be at a time.
const (
	partBytes = 2 << 20
	mostParts = 4
)

func rowsOf[F matrix.Float](x *matrix.Dense[F]) func(first int, dst []F) error {
	return func(first int, dst []F) error {
		for i := 0; i*x.Cols < len(dst); i++ {
			copy(dst[i*x.Cols:], x.Row(first+i))
		}
		return nil
	}
}

// dense adds the hashes of parts of rows, read in their order.
func dense[F matrix.Float](h *Hash, rows, cols int, read func(first int, dst []F) error) error {
	h.Numbers(1, size[F](), rows, cols)
	if rows*cols == 0 {
		return nil
	}
	step := max(1, partBytes/(size[F]()*cols))
	type part struct {
		values []F
		bytes  []byte
		sum    [sha256.Size]byte
	}
	parts := make([]part, min(mostParts, runtime.GOMAXPROCS(0), (rows+step-1)/step))
	for r0 := 0; r0 < rows; {
		var wg sync.WaitGroup
		n := 0
		for ; n < len(parts) && r0 < rows; n++ {
			p, count := &parts[n], min(step, rows-r0)*cols
			if cap(p.values) < count {
				p.values = make([]F, count)
			}
			p.values = p.values[:count]
			if err := read(r0, p.values); err != nil {
				wg.Wait()
				return err
			}
			r0 += step
			wg.Go(func() {
				p.bytes = bytesOf(p.bytes[:0], p.values)
				p.sum = sha256.Sum256(p.bytes)
			})
		}
		wg.Wait()
		for _, p := range parts[:n] {
			h.h.Write(p.sum[:])
		}
	}
	return nil
}

func sparse[F matrix.Float](h *Hash, x *matrix.CSR[F]) {
	h.Numbers(2, size[F](), x.Rows, x.Cols)
	h.Numbers(x.RowPtr...)
	const chunk = 1 << 20
	for p := 0; p < len(x.Val); p += chunk {
		q := min(p+chunk, len(x.Val))
		h.indices(x.ColIdx[p:q])
		h.h.Write(bytesOf(nil, x.Val[p:q]))
	}
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
