package engine

import (
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// TestGatherPanels: lines that are gathered for together, in panels, have the bits of
// each alone.
func TestGatherPanels(t *testing.T) {
	testGatherPanels[float32](t)
	testGatherPanels[float64](t)
}

func testGatherPanels[F kernel.Float](t *testing.T) {
	const lines, columns = 300, 3 * panelBytes / 64 / 2
	r := rand.New(rand.NewPCG(1, 2))
	x := &matrix.CSR[F]{Rows: lines, Cols: columns, RowPtr: []int{0}}
	for range lines {
		for j := r.IntN(60); j < columns; j += 1 + r.IntN(60) {
			x.ColIdx, x.Val = append(x.ColIdx, int32(j)), append(x.Val, F(r.Float64()))
		}
		x.RowPtr = append(x.RowPtr, len(x.Val))
	}
	n := kernel.Width[F]()
	if cells := x.NNZ(); cells < panelUse*columns {
		t.Fatalf("%d cells are too few for panels", cells)
	}
	b, together, alone := make([]F, columns*n), make([]F, lines*n), make([]F, lines*n)
	for i := range b {
		b[i] = F(r.Float64())
	}
	ops := kernel.For[F]()
	gatherLines(ops, x, 0, lines, n, b, n, together, n)
	for i := range lines {
		gatherLines(ops, x, i, i+1, n, b, n, alone[i*n:], n)
	}
	for i, v := range together {
		if v != alone[i] || v == 0 {
			t.Fatalf("%T: line %d, column %d is %v, alone %v", v, i/n, i%n, v, alone[i])
		}
	}
}
