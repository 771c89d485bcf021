package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"

	"github.com/partsof/nmf/matrix"
)

// benchTable is rows x cols with uniform numbers of so many digits.
func benchTable(rows, cols, digits int) *matrix.Dense[float64] {
	rng := rand.New(rand.NewPCG(1, 1))
	x := matrix.NewDense[float64](rows, cols)
	for i := range x.Data {
		v, err := strconv.ParseFloat(strconv.FormatFloat(rng.Float64(), 'f', digits, 64), 64)
		if err != nil {
			panic(err)
		}
		x.Data[i] = v
	}
	return x
}

// benchCounts is a sparse matrix of counts.
func benchCounts(rows, cols, perRow int) *matrix.CSR[float64] {
	rng := rand.New(rand.NewPCG(2, 2))
	x := &matrix.CSR[float64]{Rows: rows, Cols: cols, RowPtr: []int{0}}
	for range rows {
		gap := cols / perRow
		for p := range perRow {
			x.ColIdx = append(x.ColIdx, int32(p*gap+rng.IntN(gap)))
			x.Val = append(x.Val, float64(1+rng.IntN(30)))
		}
		x.RowPtr = append(x.RowPtr, len(x.Val))
	}
	return x
}

func BenchmarkReadCSV(b *testing.B) {
	for _, digits := range []int{1, 4, 6, 17} {
		var text bytes.Buffer
		if err := writeText(&text, &Table[float64]{X: benchTable(4000, 1000, digits)}, ','); err != nil {
			b.Fatal(err)
		}
		for _, threads := range []int{1, runtime.GOMAXPROCS(0)} {
			b.Run(fmt.Sprintf("digits=%d/threads=%d", digits, threads), func(b *testing.B) {
				b.SetBytes(int64(text.Len()))
				for b.Loop() {
					p := csvReader[float32]{
						r: bytes.NewReader(text.Bytes()), size: int64(text.Len()), preferred: ',', options: ReadOptions{Threads: threads},
					}
					if _, err := p.table(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkReadMTX(b *testing.B) {
	counts := benchCounts(20_000, 20_000, 100)
	for _, test := range []struct {
		name string
		x    matrix.Matrix[float64]
	}{
		{"rows", counts}, {"columns", counts.T()}, {"array", benchTable(2000, 1000, 6)},
	} {
		var text bytes.Buffer
		x := test.x
		if test.name == "columns" {
			// Written by row, then read turned: as files that go by column are.
			x = counts
		}
		if err := writeMTX(&text, &Table[float64]{X: x}, nil); err != nil {
			b.Fatal(err)
		}
		for _, threads := range []int{1, runtime.GOMAXPROCS(0)} {
			b.Run(fmt.Sprintf("%s/threads=%d", test.name, threads), func(b *testing.B) {
				b.SetBytes(int64(text.Len()))
				for b.Loop() {
					p := mtxReader[float32]{
						r: bufio.NewReader(bytes.NewReader(text.Bytes())), size: int64(text.Len()), threads: threads, turned: test.name == "columns",
					}
					if _, err := p.table(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkWriteCSV(b *testing.B) {
	t := &Table[float64]{X: benchTable(1000, 1000, 6)}
	var text bytes.Buffer
	if err := writeText(&text, t, ','); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if err := writeText(io.Discard, t, ','); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteMTX(b *testing.B) {
	t := &Table[float64]{X: benchCounts(20_000, 20_000, 50)}
	var text bytes.Buffer
	if err := writeMTX(&text, t, nil); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if err := writeMTX(io.Discard, t, nil); err != nil {
			b.Fatal(err)
		}
	}
}
