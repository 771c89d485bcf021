package engine

// partsBytes is what the parts that are read at a time take, about: each scan of
// X gives as many of them.
const partsBytes = 64 << 20

// begin puts the rows of W in the order of the parts, and sums up what each
// feature has, in that order.
func (o *online[F]) begin(w *Tall[F]) {
	at, total := 0, 0.0
	for b := range onlineBlocks {
		o.first = append(o.first, at)
		for i := b; i < w.Rows; i += onlineBlocks {
			copy(o.w.rows(at, at+1), w.rows(i, i+1))
			at++
		}
	}
	o.first = append(o.first, at)
	for b := range onlineBlocks {
		if !o.take(b) {
			return
		}
		for q, j := range o.x.ColIdx {
			o.share[j] += float64(o.x.Val[q])
			total += float64(o.x.Val[q])
		}
	}
	for j := range o.share {
		o.share[j] /= total
	}
}

// take sets x to the rows of part b; it reports false where reading failed.
func (o *online[F]) take(b int) bool {
	if b < o.from || b >= o.from+len(o.waiting) {
		const cell = 12 // bytes, and some
		lots := partsBytes / max(1, cell*o.streamed.nnz()/onlineBlocks)
		var ok bool
		o.from = b
		if o.waiting, ok = o.streamed.every(b, max(1, min(lots, onlineBlocks-b)), onlineBlocks); !ok {
			o.waiting = nil
			return false
		}
	}
	o.x = o.waiting[b-o.from]
	return true
}

// load makes part b the one that is learned from: the rows of the transposed
// copy list rows in the order of all parts.
func (o *online[F]) load(p *pool, b int) bool {
	if p.ctx.Err() != nil || !o.take(b) {
		return false
	}
	o.turned = transpose(p, o.x)
	for q := range o.turned.ColIdx {
		o.turned.ColIdx[q] += int32(o.first[b])
	}
	o.next = append(o.next[:0], o.turned.RowPtr[:o.turned.Rows]...)
	return true
}
