package bench

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/partsof/nmf/internal/blockfile"
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/matrix"
)

// BenchmarkStreamedPass times the two products of a pass over an X in a block
// file beside those over X in memory and the reading of the file alone, from the
// system's cache and, its pages thrown out before, from the disk. share is
// max(memory, reading)/streamed: 1 where the slower of the two hides the other. Of
// each the least time of all turns counts. TMPDIR says which disk.
func BenchmarkStreamedPass(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	dense := matrix.NewDense[float32](16000, 5000)
	for i := range dense.Data {
		dense.Data[i] = rng.Float32()
	}
	b.Run("dense", func(b *testing.B) {
		streamedPass(b, dense, 48, func(w *blockfile.Builder[float32]) error {
			w.Header.Rows, w.Header.Columns = dense.Rows, dense.Cols
			return w.Dense(false, dense.Cols)(dense.Data)
		})
	})
	sparse := &matrix.CSR[float32]{Rows: 60000, Cols: 20000, RowPtr: make([]int, 1, 60001)}
	pointers := []int64{0}
	for range sparse.Rows {
		for j := rng.IntN(60); j < sparse.Cols; j += 1 + rng.IntN(60) {
			sparse.ColIdx, sparse.Val = append(sparse.ColIdx, int32(j)), append(sparse.Val, 1)
		}
		sparse.RowPtr = append(sparse.RowPtr, len(sparse.Val))
		pointers = append(pointers, int64(len(sparse.Val)))
	}
	b.Run("sparse", func(b *testing.B) {
		streamedPass(b, sparse, 30, func(w *blockfile.Builder[float32]) error {
			w.Header.Rows, w.Header.Columns = sparse.Rows, sparse.Cols
			return w.Sparse(false, pointers)(sparse)
		})
	})
}

func streamedPass(b *testing.B, x matrix.Matrix[float32], k int, build func(*blockfile.Builder[float32]) error) {
	path := filepath.Join(b.TempDir(), "x.blocks")
	if err := blockfile.Build(path, blockfile.Options{}, build, nil); err != nil {
		b.Fatal(err)
	}
	file, err := blockfile.Open[float32](path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	raw, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	threads := runtime.GOMAXPROCS(0)
	pass := func(x matrix.Matrix[float32]) *engine.Products[float32] {
		d := engine.NewData(x, threads)
		b.Cleanup(d.Close)
		w, h := engine.NewTall[float32](d.Rows, k), engine.NewTall[float32](d.Cols, k)
		return engine.NewProducts(b.Context(), d, w, h, threads)
	}
	memory, streamed := pass(x), pass(file.Matrix())
	cold := func() {
		if err := unix.Fadvise(int(raw.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			b.Fatal(err)
		}
	}
	buffer := make([]byte, 8<<20)
	size := int64(0)
	read := func() {
		for size = 0; ; {
			n, err := raw.ReadAt(buffer, size)
			if size += int64(n); err != nil {
				return
			}
		}
	}
	least := map[string]float64{}
	timed := func(name string, before, run func()) {
		before()
		began := time.Now()
		run()
		if t := time.Since(began).Seconds(); least[name] == 0 || t < least[name] {
			least[name] = t
		}
	}
	nothing := func() {}
	for b.Loop() {
		timed("memory", nothing, func() { memory.Run() })
		timed("reading", nothing, read)
		timed("streamed", nothing, func() { streamed.Run() })
		timed("cold reading", cold, read)
		timed("cold streamed", cold, func() { streamed.Run() })
	}
	b.ReportMetric(least["memory"], "s/memory")
	b.ReportMetric(least["reading"], "s/reading")
	b.ReportMetric(least["streamed"], "s/streamed")
	b.ReportMetric(least["cold streamed"], "s/cold-streamed")
	b.ReportMetric(float64(size)/least["cold reading"]/1e9, "disk-GB/s")
	b.ReportMetric(max(least["memory"], least["reading"])/least["streamed"], "share")
	b.ReportMetric(max(least["memory"], least["cold reading"])/least["cold streamed"], "cold-share")
}
