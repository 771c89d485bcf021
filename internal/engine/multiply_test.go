package engine

import (
	"testing"

	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/loss"
	"github.com/partsof/nmf/internal/solver"
)

// TestMultiplyKeepsDigits: an entry that shrinks does not go on among numbers that
// have not all their digits, and can grow again; one that is zero stays.
func TestMultiplyKeepsDigits(t *testing.T) {
	t.Run("float32", multiplyKeepsDigits[float32])
	t.Run("float64", multiplyKeepsDigits[float64])
}

func multiplyKeepsDigits[F kernel.Float](t *testing.T) {
	steps := loss.NewSteps[F](&loss.Loss{Kind: loss.Beta, Beta: 1}, 1)
	h := &halfStep[F]{cells: &Cells[F]{steps: steps, ops: kernel.For[F]()}}
	ws := &tileScratch[F]{w: []F{1, 1, 0}, num: []F{1e-3, 1, 1}, den: []F{1, 1, 1}, d: make([]F, 3)}
	least := solver.LeastEntry[F]()
	for range 500 {
		h.multiply(ws)
	}
	if ws.w[0] != least || ws.w[1] != 1 || ws.w[2] != 0 {
		t.Errorf("w = %v, want %g, 1 and 0", ws.w, least)
	}
	ws.num[0] = 1e3
	h.multiply(ws)
	if ws.w[0] != 1e3*least {
		t.Errorf("an entry of %g became %g", least, ws.w[0])
	}
}
