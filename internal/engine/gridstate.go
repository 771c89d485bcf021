package engine

import (
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/kernel"
)

// WholeState is collective and puts the state of a run together from the ranks'
// parts, at rank 0; rows are those that each rank's own rows of X begin at, and
// the end. On the other ranks it has no factors.
func WholeState[F kernel.Float](g *Grid, rows []int, s *RunState[F]) (*RunState[F], error) {
	whole := *s
	ofW, ofH := whole.Factors()
	for _, t := range ofW {
		if *t == nil {
			continue
		}
		k := (*t).K
		counts := widths(rows, k)
		var all *Tall[F]
		var cells []F
		if g.all.Rank() == 0 {
			all, cells = NewTall[F](g.Rows, k), make([]F, g.Rows*k)
		}
		if err := comm.Gather(g.all, 0, OwnW(g, *t).Packed(), cells, counts); err != nil {
			return nil, err
		}
		if all != nil {
			all.Unpack(cells)
		}
		*t = all
	}
	for _, t := range ofH {
		if *t == nil {
			continue
		}
		all, err := WholeH(g, *t)
		if err != nil {
			return nil, err
		}
		*t = all
	}
	return &whole, nil
}

// PartOfState is collective and gives each rank its part of the state of a run
// that rank 0 has whole. On the other ranks the factors of s only say by being
// there, with their k, that there are some.
func PartOfState[F kernel.Float](g *Grid, rows []int, s *RunState[F]) error {
	localRows, localCols := g.Parts()
	packed := func(t *Tall[F]) []F {
		if g.all.Rank() == 0 {
			return t.Packed()
		}
		return nil
	}
	ofW, ofH := s.Factors()
	for _, t := range ofW {
		if *t == nil {
			continue
		}
		k := (*t).K
		counts := widths(rows, k)
		mine := make([]F, counts[g.all.Rank()])
		if err := comm.Scatter(g.all, 0, packed(*t), mine, counts); err != nil {
			return err
		}
		part := NewTall[F](localRows, k)
		from, _ := g.OwnRows(localRows)
		part.unpack(from, mine)
		shareRows(g, part)
		*t = part
	}
	for _, t := range ofH {
		if *t == nil {
			continue
		}
		k := (*t).K
		cells := packed(*t)
		if cells == nil {
			cells = make([]F, g.Cols*k)
		}
		if err := g.all.Broadcast(0, comm.Bytes(cells)); err != nil {
			return err
		}
		part := NewTall[F](localCols, k)
		part.Unpack(cells[g.FirstCol*k : (g.FirstCol+localCols)*k])
		*t = part
	}
	return g.lost
}
