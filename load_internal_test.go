package nmf

import (
	"bytes"
	"context"
	"testing"

	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// FuzzLoad feeds damaged model files: an error or a valid model, no panic.
func FuzzLoad(f *testing.F) {
	x := matrix.NewDense[float64](6, 5)
	for i := range x.Data {
		x.Data[i] = float64(1 + i*7%11)
	}
	m, err := Fit(context.Background(), x, 2, &Options{Threads: 1, MaxIter: 2,
		RowNames: []string{"a", "b", "c c", "d", "é", ""}, ColumnNames: []string{"v", "w", "x", "y", "z"}})
	if err != nil {
		f.Fatal(err)
	}
	var whole bytes.Buffer
	if err := m.write(&whole); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()/2])
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := npy.OpenArchive(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		m, err := readModel[float32](a)
		if err != nil {
			return
		}
		if m.W.Cols != m.K() || m.H.Rows != m.K() || m.W.Rows < 1 || m.H.Cols < 1 {
			t.Errorf("accepted a model of W %d x %d, H %d x %d, %d scales", m.W.Rows, m.W.Cols, m.H.Rows, m.H.Cols, m.K())
		}
	})
}
