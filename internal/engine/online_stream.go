package engine

import (
	"github.com/partsof/nmf/internal/kernel"
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

// shares finds what each feature has of the total, its cells added up in the
// order of the parts.
func (o *online[F]) shares(right *side[F], total float64) {
	var rows []int32
	var vals []F
	right.blocks(func(a, b int) bool {
		for f := a; f < b; f++ {
			idx, x := right.list.Row(right.at(f))
			if cap(rows) < len(idx) {
				rows, vals = make([]int32, 2*len(idx)), make([]F, 2*len(idx))
			}
			rows, vals = rows[:len(idx)], vals[:len(idx)]
			inParts(idx, x, rows, vals)
			_, ofFeature, _, _ := o.ops.Scan(vals)
			o.share[f] = F(ofFeature / total)
		}
		return true
	})
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
	o.turned = transpose(p, o.x)
	for q := range o.turned.ColIdx {
		o.turned.ColIdx[q] = int32(b) + o.turned.ColIdx[q]*onlineBlocks
	}
	copy(o.next, o.turned.RowPtr)
	return p.ctx.Err() == nil
}
