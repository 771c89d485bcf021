package engine

import "github.com/partsof/nmf/internal/kernel"

// onlineRanks is what learning online over ranks takes. A rank has its own rows of
// every part, and all rows of H; what its rows say of H is summed for each share of
// the features, whose rank brings them up to date, and the shares are gathered. Its
// methods do nothing where it is nil.
type onlineRanks[F kernel.Float] struct {
	grid *Grid
	// cross is what the rows of a part say of every feature, cells has the number of
	// cells of the features of the rank's share in each part.
	cross, cells *Tall[F]
}

func newOnlineRanks[F kernel.Float](g *Grid, cols, k int) *onlineRanks[F] {
	if g == nil {
		return nil
	}
	return &onlineRanks[F]{g, NewTall[F](cols, k), NewTall[F](cols, onlineBlocks)}
}

// count counts the cells of the features in the parts.
func (r *onlineRanks[F]) count(parts []partCells[F]) {
	if r == nil {
		return
	}
	for b, part := range parts {
		for q, f := range part.features {
			r.cells.Row(int(f))[b] = F(part.from[q+1] - part.from[q])
		}
	}
	sumColumnShares(r.grid, r.cells)
}

// sum adds v over the ranks.
func (r *onlineRanks[F]) sum(v []float64) {
	if r != nil {
		r.grid.sum(OfRows, v)
	}
}

// own gives the features that this rank brings up to date, of cols.
func (r *onlineRanks[F]) own(cols int) (from, to int) {
	if r == nil {
		return 0, cols
	}
	return r.grid.ownColumns(cols)
}

// share gathers the ranks' shares of an H.
func (r *onlineRanks[F]) share(h *Tall[F]) {
	if r != nil {
		shareColumns(r.grid, h)
	}
}

// learnOver is learn over ranks.
func (o *online[F]) learnOver(p *pool, b int) bool {
	r, ld, cells := o.ranks, o.w.Ld, &o.cells[b]
	clear(r.cross.Data)
	p.run((len(cells.features)+onlineFeatures-1)/onlineFeatures, func(wi, task int) {
		room := o.rooms[wi]
		defer func() { o.rooms[wi] = room }()
		for q := task * onlineFeatures; q < min((task+1)*onlineFeatures, len(cells.features)); q++ {
			f, from, to := int(cells.features[q]), cells.from[q], cells.from[q+1]
			grow(&room, int(to-from))
			o.ops.GatherQuotient(ld, cells.rows[from:to], cells.vals[from:to], o.w.Data, ld, o.h.rows(f, f+1), o.tiny, room, r.cross.rows(f, f+1))
		}
	})
	sumColumnShares(r.grid, r.cross)
	first, end := r.own(o.h.Rows)
	made := make([][]float64, (end-first+onlineFeatures-1)/onlineFeatures)
	p.run(len(made), func(_, task int) {
		total := make([]F, ld)
		for f := first + task*onlineFeatures; f < min(first+(task+1)*onlineFeatures, end); f++ {
			if r.cells.Row(f)[b] > 0 {
				o.absorb(f, r.cross.rows(f, f+1), o.h.rows(f, f+1), total)
			}
		}
		made[task] = make([]float64, o.w.K)
		for j := range made[task] {
			made[task][j] = float64(total[j])
		}
	})
	sum := make([]float64, o.w.K)
	for _, m := range made {
		for j, v := range m {
			sum[j] += v
		}
	}
	r.sum(sum)
	for j, v := range sum {
		o.sum[j] += v
	}
	r.share(o.h)
	return r.grid.lost == nil
}
