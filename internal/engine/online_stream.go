package engine

import (
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/internal/pages"
	"github.com/partsof/nmf/matrix"
)

// partsBytes is about what the parts take that are read at a time: each scan of X
// gives as many of them.
const partsBytes = 64 << 20

// streamedParts reads the parts of an X that is read block by block.
type streamedParts[F kernel.Float] struct {
	left *side[F]
	// waiting are parts that have been read, from part `from` on.
	waiting []*matrix.CSR[F]
	from    int
}

// load makes part b the one that is learned from; it reports false where reading
// failed, or when cancelled.
func (o *online[F]) load(p *pool, b int) bool {
	s := o.streamed
	if b < s.from || b >= s.from+len(s.waiting) {
		const cell = 12 // bytes, about
		lots := partsBytes / max(1, cell*s.left.nnz()/onlineBlocks)
		var ok bool
		s.from = b
		if s.waiting, ok = s.left.every(b, max(1, min(lots, onlineBlocks-b)), onlineBlocks); !ok {
			s.waiting = nil
			return false
		}
	}
	o.x = s.waiting[b-s.from]
	clear(o.cells)
	n := o.x.NNZ()
	o.cells[b] = partCells[F]{rows: pages.Make[int32](n), vals: pages.Make[F](n)}
	o.cells[b].fill(o.x, 0, 1, b, make([]int32, o.x.Cols))
	return p.ctx.Err() == nil
}
