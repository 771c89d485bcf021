package blockfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partsof/nmf/matrix"
)

// random is a sparse matrix with crowded and with empty lines.
func random[F matrix.Float](rows, cols int, seed uint64) *matrix.CSR[F] {
	rng := rand.New(rand.NewPCG(seed, 1))
	d := matrix.NewDense[F](rows, cols)
	for i := range rows {
		part := rng.Float64() * rng.Float64()
		for j := range cols {
			if rng.Float64() < part && j%7 != 3 {
				d.Set(i, j, F(1+rng.IntN(9)))
			}
		}
	}
	return d.Sparse()
}

// whole reads all blocks of one side.
func whole[F matrix.Float](t testing.TB, lines int, b matrix.Blocks[F]) *matrix.CSR[F] {
	t.Helper()
	out := &matrix.CSR[F]{RowPtr: []int{0}}
	var block matrix.CSR[F]
	for first := 0; first < lines; first += b.Step {
		if err := b.Read(first, &block); err != nil {
			t.Fatal(err)
		}
		if block.NNZ() > b.Most {
			t.Errorf("a block of %d cells, %d are the most", block.NNZ(), b.Most)
		}
		for i := range block.Rows {
			idx, vals := block.Row(i)
			out.ColIdx, out.Val = append(out.ColIdx, idx...), append(out.Val, vals...)
			out.RowPtr = append(out.RowPtr, len(out.Val))
		}
		out.Rows, out.Cols = out.Rows+block.Rows, block.Cols
	}
	return out
}

func same[F matrix.Float](a, b *matrix.CSR[F]) bool {
	return a.Rows == b.Rows && a.Cols == b.Cols && slices.Equal(a.RowPtr, b.RowPtr) && slices.Equal(a.ColIdx, b.ColIdx) && slices.Equal(a.Val, b.Val)
}

// build builds a file in a new folder and opens it.
func build[F matrix.Float](t testing.TB, o Options, read func(b *Builder[F]) error) (*File[F], string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.blocks")
	if err := Build(path, o, read, nil); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Fatalf("the folder holds %v, %v", left, err)
	}
	f, err := Open[F](path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, path
}

// options are all ways to build: in little memory and in much.
func options() []Options {
	var list []Options
	for _, room := range []int{4 << 10, 1 << 20} {
		for flags := range 4 {
			list = append(list, Options{Room: room, Compress: flags&1 > 0, Transpose: flags&2 > 0, Columns: flags&2 > 0})
		}
	}
	return list
}

func TestSparse(t *testing.T) {
	t.Run("f32", func(t *testing.T) { testSparse[float32](t) })
	t.Run("f64", func(t *testing.T) { testSparse[float64](t) })
}

func testSparse[F matrix.Float](t *testing.T) {
	for _, shape := range [][2]int{{700, 431}, {3, 900}, {900, 3}, {1, 1}, {200, 0}, {0, 200}} {
		x := random[F](shape[0], shape[1], 1)
		for _, o := range options() {
			want := x
			if o.Transpose {
				want = x.T()
			}
			intakes := map[string]func(b *Builder[F]) error{
				"rows": func(b *Builder[F]) error {
					pointers := []int64{}
					for _, p := range x.RowPtr {
						pointers = append(pointers, int64(p))
					}
					return b.Sparse(false, pointers)(x)
				},
				"columns": func(b *Builder[F]) error {
					turned := x.T()
					pointers := []int64{}
					for _, p := range turned.RowPtr {
						pointers = append(pointers, int64(p))
					}
					return b.Sparse(true, pointers)(turned)
				},
				"cells": func(b *Builder[F]) error {
					add := b.Cells(x.NNZ())
					var rows, cols []int32
					var vals []F
					for i := range x.Rows {
						idx, v := x.Row(i)
						for p, j := range idx {
							rows, cols, vals = append(rows, int32(i)), append(cols, j), append(vals, v[p])
						}
					}
					rng := rand.New(rand.NewPCG(2, 3))
					rng.Shuffle(len(vals), func(a, b int) {
						rows[a], rows[b] = rows[b], rows[a]
						cols[a], cols[b] = cols[b], cols[a]
						vals[a], vals[b] = vals[b], vals[a]
					})
					return add(rows, cols, vals)
				},
			}
			for name, intake := range intakes {
				f, _ := build(t, o, func(b *Builder[F]) error {
					b.Header.Rows, b.Header.Columns, b.Header.Format = x.Rows, x.Cols, "test"
					return intake(b)
				})
				got := f.Matrix().(*matrix.StreamedCSR[F])
				if got.Rows != want.Rows || got.Cols != want.Cols || got.Stored != want.NNZ() || f.Header.Format != "test" {
					t.Fatalf("%v %s %+v: %+v", shape, name, o, f.Header)
				}
				if got.Rows > 0 && !same(whole(t, got.Rows, got.ByRows), want) {
					t.Errorf("%v %s %+v: other rows", shape, name, o)
				}
				if got.Cols > 0 && !same(whole(t, got.Cols, got.ByColumns), want.T()) {
					t.Errorf("%v %s %+v: other columns", shape, name, o)
				}
			}
		}
	}
}

// TestRepeats: cells that are given more than once are summed in their order, as
// in memory, bit for bit.
func TestRepeats(t *testing.T) {
	const m, n, cells = 300, 20, 20000
	rng := rand.New(rand.NewPCG(5, 1))
	var rows, cols []int32
	var vals []float32
	for range cells {
		rows, cols, vals = append(rows, int32(rng.IntN(m))), append(cols, int32(rng.IntN(n))), append(vals, rng.Float32())
	}
	want, repeats, err := matrix.FromTriplets(m, n, rows, cols, vals)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{2 << 10, 64 << 10, 8 << 20} {
		got := 0
		f, _ := build(t, Options{Room: room}, func(b *Builder[float32]) error {
			b.Header.Rows, b.Header.Columns = m, n
			add := b.Cells(cells / 3)
			for p := 0; p < cells; p += 1000 {
				if err := add(rows[p:p+1000], cols[p:p+1000], vals[p:p+1000]); err != nil {
					return err
				}
			}
			finish := b.finish
			b.finish = func() error {
				err := finish()
				got = b.Repeats
				return err
			}
			return nil
		})
		if x := f.Matrix().(*matrix.StreamedCSR[float32]); !same(whole(t, m, x.ByRows), want) || got != repeats {
			t.Errorf("room %d: other sums, %d repeats, %d are there", room, got, repeats)
		}
	}
}

func TestDense(t *testing.T) {
	t.Run("f32", func(t *testing.T) { testDense[float32](t) })
	t.Run("f64", func(t *testing.T) { testDense[float64](t) })
}

func testDense[F matrix.Float](t *testing.T) {
	for _, shape := range [][2]int{{300, 131}, {5, 7000}, {7000, 3}, {1, 1}} {
		x := random[F](shape[0], shape[1], 2).Dense()
		for _, o := range options() {
			for _, columns := range []bool{false, true} {
				given := x
				if columns {
					given = x.T()
				}
				f, _ := build(t, o, func(b *Builder[F]) error {
					add := b.Dense(columns, given.Cols)
					for i := 0; i < given.Rows; i += 9 {
						if err := add(given.Data[i*given.Cols : min(i+9, given.Rows)*given.Cols]); err != nil {
							return err
						}
					}
					b.Header.Rows, b.Header.Columns = x.Rows, x.Cols
					return nil
				})
				want := x
				if o.Transpose {
					want = x.T()
				}
				got := f.Matrix().(*matrix.Streamed[F])
				if got.Rows != want.Rows || got.Cols != want.Cols || f.HasColumns() != o.Columns || (got.ReadColumns != nil) != o.Columns {
					t.Fatalf("%v %+v: %+v", shape, o, f.Header)
				}
				readLines(t, got.Read, want)
				if o.Columns {
					readLines(t, got.ReadColumns, want.T())
				}
			}
		}
	}
}

// readLines reads lots of lines from several places on.
func readLines[F matrix.Float](t *testing.T, read func(first int, dst []F) error, want *matrix.Dense[F]) {
	t.Helper()
	for _, lot := range []int{1, 7, 128, want.Rows} {
		for first := 0; first < want.Rows; first += max(1, want.Rows/3) {
			n := min(lot, want.Rows-first)
			dst := make([]F, n*want.Cols)
			if err := read(first, dst); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(dst, want.Data[first*want.Cols:(first+n)*want.Cols]) {
				t.Errorf("%d lines from %d of %d x %d are others", n, first, want.Rows, want.Cols)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, o := range options() {
		rows, cols := []string{"", "b"}, []string{"x y", "ä", "z"}
		f, _ := build(t, o, func(b *Builder[float32]) error {
			b.Header.Rows, b.Header.Columns, b.RowNames, b.ColumnNames = 2, 3, rows, cols
			return b.Dense(false, 3)(make([]float32, 6))
		})
		gotRows, gotCols, err := f.Names()
		if o.Transpose {
			gotRows, gotCols = gotCols, gotRows
		}
		if err != nil || !slices.Equal(gotRows, rows) || !slices.Equal(gotCols, cols) {
			t.Errorf("names %q and %q, %v", gotRows, gotCols, err)
		}
	}
}

// small writes a small sparse and a small dense file.
func small(t testing.TB, compress bool) [][]byte {
	var files [][]byte
	for _, read := range []func(b *Builder[float32]) error{
		func(b *Builder[float32]) error {
			x := random[float32](150, 9, 4)
			b.Header.Rows, b.Header.Columns, b.RowNames = x.Rows, x.Cols, make([]string, x.Rows)
			pointers := []int64{}
			for _, p := range x.RowPtr {
				pointers = append(pointers, int64(p))
			}
			return b.Sparse(false, pointers)(x)
		},
		func(b *Builder[float32]) error {
			x := random[float32](30, 4, 4).Dense()
			b.Header.Rows, b.Header.Columns = x.Rows, x.Cols
			return b.Dense(false, 4)(x.Data)
		},
	} {
		_, path := build(t, Options{Compress: compress, Columns: true}, read)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, content)
	}
	return files
}

// everything reads all that a file holds.
func everything(content []byte) (string, error) {
	f, err := OpenReader[float32](bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return "", err
	}
	defer f.Close()
	return f.all()
}

func (f *File[F]) all() (string, error) {
	rows, cols, err := f.Names()
	if err != nil {
		return "", err
	}
	text := fmt.Sprint(f.Header.Rows, f.Header.Columns, rows, cols)
	switch x := f.Matrix().(type) {
	case *matrix.StreamedCSR[F]:
		var block matrix.CSR[F]
		for i, side := range []matrix.Blocks[F]{x.ByRows, x.ByColumns} {
			lines, _ := f.linesOf(i == 1)
			for first := 0; first < lines; first += side.Step {
				if err := side.Read(first, &block); err != nil {
					return "", err
				}
				text += fmt.Sprint(block)
			}
		}
	case *matrix.Streamed[F]:
		for i, read := range []func(int, []F) error{x.Read, x.ReadColumns} {
			lines, length := f.linesOf(i == 1)
			line := make([]F, length)
			for l := 0; read != nil && l < min(lines, 1000); l++ {
				if err := read(l, line); err != nil {
					return "", err
				}
				text += fmt.Sprint(line)
			}
		}
	}
	return text, nil
}

// TestDamage: whatever byte is changed, and wherever the file is cut, that is
// noticed.
func TestDamage(t *testing.T) {
	for _, content := range append(small(t, false), small(t, true)...) {
		want, err := everything(content)
		if err != nil {
			t.Fatal(err)
		}
		for i := range content {
			changed := slices.Clone(content)
			changed[i] ^= 0x55
			if got, err := everything(changed); err == nil && got == want || err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
				t.Fatalf("byte %d of %d changed: %v", i, len(content), err)
			}
			if _, err := everything(content[:i]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("cut after %d of %d bytes: %v", i, len(content), err)
			}
		}
	}
	if _, err := OpenReader[float64](bytes.NewReader(small(t, false)[0]), int64(len(small(t, false)[0]))); !errors.Is(err, ErrVersion) {
		t.Errorf("another precision: %v", err)
	}
}

// TestDamageLater: what is written to a file after its blocks were read is found,
// though blocks that were found to be good are not looked at again.
func TestDamageLater(t *testing.T) {
	x := random[float32](700, 431, 1)
	pointers := []int64{}
	for _, p := range x.RowPtr {
		pointers = append(pointers, int64(p))
	}
	dense := x.Dense()
	for name, intake := range map[string]func(b *Builder[float32]) error{
		"sparse": func(b *Builder[float32]) error { return b.Sparse(false, pointers)(x) },
		"dense":  func(b *Builder[float32]) error { return b.Dense(false, dense.Cols)(dense.Data) },
	} {
		_, path := build(t, Options{}, func(b *Builder[float32]) error {
			b.Header.Rows, b.Header.Columns = x.Rows, x.Cols
			return intake(b)
		})
		f, err := Open[float32](path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		read := func() error { _, err := f.all(); return err }
		for range 2 {
			if err := read(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if known, _ := f.isChecked(0, 0); !known {
			t.Errorf("%s: a block that was good is looked at again", name)
		}
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		// The values of the first block.
		if _, err := w.WriteAt([]byte{7}, f.sides[0][0].At+f.sides[0][0].Size-2); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Close(), os.Chtimes(path, time.Time{}, time.Now().Add(time.Second))); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := read(); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: the damaged file gives %v", name, err)
			}
		}
	}
}

// TestNothingIsLeft: where building fails, neither a file nor a part of one is
// left, and one that was there stays.
func TestNothingIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.blocks")
	stop := errors.New("stop")
	read := func(b *Builder[float64]) error {
		b.Header.Rows, b.Header.Columns = 2, 3
		return b.Dense(false, 3)(make([]float64, 6))
	}
	if err := Build(path, Options{}, read, func(*Header) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Fatalf("%v is left", left)
	}
	if err := Build(path, Options{}, read, nil); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if err := Build(path, Options{}, func(*Builder[float64]) error { return stop }, nil); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(path); !cmp.Equal(before, after) {
		t.Error("the file that was there has changed")
	}
}

// FuzzOpen: no content makes the reader panic, or go beyond a matrix. Checksums
// are made right, so that what is behind them is seen.
func FuzzOpen(f *testing.F) {
	for _, compress := range []bool{false, true} {
		for _, content := range small(f, compress) {
			f.Add(content)
			f.Add(content[:len(content)/2])
		}
	}
	f.Fuzz(func(_ *testing.T, content []byte) {
		_, _ = everything(content)
		content = slices.Clone(content)
		at := len(content) - trailerSize
		if at < 0 {
			return
		}
		crc := uint32(0)
		for i := range 2 {
			from, size := binary.LittleEndian.Uint64(content[at+16*i:]), binary.LittleEndian.Uint64(content[at+16*i+8:])
			if from > uint64(len(content)) || size > uint64(len(content))-from {
				return
			}
			crc = crc32.Update(crc, castagnoli, content[from:from+size])
		}
		binary.LittleEndian.PutUint32(content[at+32:], crc)
		b, err := OpenReader[float32](bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		defer b.Close()
		for _, side := range b.sides {
			for i, e := range side {
				side[i].CRC = crc32.Checksum(content[e.At:e.At+e.Size], castagnoli)
			}
		}
		_, _ = b.all()
	})
}
