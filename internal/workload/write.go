package workload

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"runtime"

	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/internal/start"
	"github.com/partsof/nmf/matrix"
)

// Write writes a matrix and its starts to a folder: NAME.npy, or NAME.npz in
// scipy's form where it is sparse, and for each rank the float64 arrays
// NAME-kK-W.npy (starts x m x k) and NAME-kK-H.npy (starts x k x n). It returns
// the path of the matrix.
func (w Workload) Write(folder string, x matrix.Matrix[float32]) (string, error) {
	path := filepath.Join(folder, w.Name+".npy")
	if _, sparse := x.(*matrix.CSR[float32]); sparse {
		path = filepath.Join(folder, w.Name+".npz")
	}
	if err := data.Write(path, &data.Table[float32]{X: x}, nil); err != nil {
		return "", err
	}
	for _, k := range w.Ranks {
		if err := w.writeStarts(folder, x, k); err != nil {
			return "", err
		}
	}
	return path, nil
}

// StartFile is the name of the file with the starts of a factor, "W" or "H".
func StartFile(workload string, k int, factor string) string {
	return fmt.Sprintf("%s-k%d-%s.npy", workload, k, factor)
}

// writeStarts makes one start after another for each of the two files.
func (w Workload) writeStarts(folder string, x matrix.Matrix[float32], k int) error {
	m, n := x.Dims()
	like := &engine.Data[float64]{Rows: m, Cols: n, Sum: sum(x)}
	for _, f := range []struct {
		name  string
		shape []int
		pick  func(w, h *engine.Tall[float64]) *matrix.Dense[float64]
	}{
		{"W", []int{w.Starts, m, k}, func(w, _ *engine.Tall[float64]) *matrix.Dense[float64] { return dense(w) }},
		{"H", []int{w.Starts, k, n}, func(_, h *engine.Tall[float64]) *matrix.Dense[float64] { return dense(h).T() }},
	} {
		path := filepath.Join(folder, StartFile(w.Name, k, f.name))
		err := atomicfile.Write(path, func(out io.Writer) error {
			if err := npy.WriteHeader(out, "<f8", f.shape); err != nil {
				return err
			}
			for i := range w.Starts {
				w, h := start.Random(like, k, StartSeed+uint64(i), runtime.GOMAXPROCS(0))
				values := f.pick(w, h).Data
				if err := binary.Write(out, binary.LittleEndian, values); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func sum(x matrix.Matrix[float32]) (total float64) {
	switch x := x.(type) {
	case *matrix.Dense[float32]:
		for i := range x.Rows {
			for _, v := range x.Row(i) {
				total += float64(v)
			}
		}
	case *matrix.CSR[float32]:
		for _, v := range x.Val {
			total += float64(v)
		}
	}
	return total
}

// dense copies a tall factor without its padding.
func dense(t *engine.Tall[float64]) *matrix.Dense[float64] {
	d := matrix.NewDense[float64](t.Rows, t.K)
	for i := range t.Rows {
		copy(d.Row(i), t.Row(i))
	}
	return d
}
