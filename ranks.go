package nmf

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// Comm joins the ranks of a fit that runs over several processes; package dist
// makes one.
type Comm = comm.Comm

// RankError is an error of one rank, as the other ranks have it.
type RankError = comm.RankError

// ErrDisagree: ranks were started with other versions, options or data that do
// not belong together.
var ErrDisagree = comm.ErrDisagree

// RankRows gives the rows, from `from` and before `to`, that a rank of size
// ranks best holds of m.
func RankRows(m, size, rank int) (from, to int) { return engine.Share(m, size, rank) }

// FitRows is Fit over several ranks: the rows of X are divided among them, in
// the order of the ranks, and x are those of this one. Every rank calls it, with
// the same k and options but for what goes with the rows: Options.W, RowNames
// and PenaltyW.Held are of this rank's rows alone. Threads and Memory may differ
// too. A rank may have no rows.
//
// Each pass reads only what a rank has; the products that make H are summed over
// the ranks (see docs/method.md). The result is a function of X, k, the options,
// the seed and the number of ranks, the same bits every time. It goes the way of
// Fit to rounding where every rank's rows begin at a multiple of 64, as those of
// RankRows do, and sets out from the same start.
//
// The model of rank 0 is whole. Those of the others have the W of their own rows
// and are the same in everything else but RowNames and Info.Seconds.
//
// Over ranks there are the losses "frobenius", "kl", "is", "beta" and "tweedie"
// of complete, unweighted cells. L21, Smooth, Graph and Sparseness of W, and
// Sparseness of H, need all rows at once and are refused; with losses other than
// "frobenius" Simplex is too.
//
// Cancelling ctx on any rank ends all of them after the iteration that they are
// in. An error of one rank is an error on all: a *RankError on the others, that
// names it. Other errors are those of Fit, with the row counted in all of X, and
// ErrDisagree.
func FitRows[F matrix.Float](ctx context.Context, c Comm, x matrix.Matrix[F], k int, o *Options) (*Model[F], error) {
	if c.Size() == 1 {
		return Fit(ctx, x, k, o)
	}
	began := time.Now()
	over, opt, err := join(c, x, k, o)
	if err != nil {
		return nil, err
	}
	return fit(ctx, over, allRuns[F](&opt), x, k, opt, o, began)
}

// ranks are those of a fit, as one of them sees them. Nil is one process.
type ranks[F matrix.Float] struct {
	c    comm.Comm
	grid *engine.Grid
	// rows are the rows that each rank's own begin at, and the end.
	rows []int
	// all is the size of the whole X.
	all engine.Size
}

// first is the row of X that this rank's own begin at.
func (r *ranks[F]) first() int {
	if r == nil {
		return 0
	}
	return r.rows[r.c.Rank()]
}

// join agrees on what the ranks are about to do.
func join[F matrix.Float](c comm.Comm, x matrix.Matrix[F], k int, o *Options) (*ranks[F], Options, error) {
	var opt Options
	if o != nil {
		opt = *o
	}
	own, n := x.Dims()
	opt2, failed := opt.resolve(own, n, k)
	if err := comm.Outcome(c, failed); err != nil {
		return nil, opt, err
	}
	facts := append(whoWeAre(x, k), optionFacts(&opt)...)
	if err := comm.Agree(c, facts); err != nil {
		return nil, opt, err
	}
	mine := []int64{int64(own), int64(sizeOf(x).Stored), 0}
	if opt2.Init == givenInit {
		mine[2] = 1
	}
	all := make([]int64, len(mine)*c.Size())
	if err := comm.AllGather(c, mine, all, slices.Repeat([]int{len(mine)}, c.Size())); err != nil {
		return nil, opt, err
	}
	r := &ranks[F]{c: c, rows: []int{0}, all: sizeOf(x)}
	r.all.Stored = 0
	given := true
	for i := range c.Size() {
		r.rows = append(r.rows, r.rows[i]+int(all[3*i]))
		r.all.Stored += int(all[3*i+1])
		given = given && all[3*i+2] == 1
	}
	r.all.Rows = r.rows[c.Size()]
	if r.all.Rows == 0 || n == 0 {
		return nil, opt, fmt.Errorf("%w: the matrix is %d x %d", ErrEmpty, r.all.Rows, n)
	}
	if opt2.Init == givenInit && !given {
		// Other ranks are given less.
		opt2.Init = "random"
	}
	// What Init stands for goes by all rows.
	if !given && (opt.Init == "" || opt.Init == auto) && opt2.plain() {
		whole := opt
		whole.W, whole.H, whole.RowNames, whole.PenaltyW.Held = nil, nil, nil, nil
		if opt.PenaltyW.Held == nil {
			all, err := whole.resolve(r.all.Rows, n, k)
			if err != nil {
				return nil, opt, err
			}
			opt2.Init = all.Init
		}
	}
	if err := refuseOverRanks(&opt2, x); err != nil {
		return nil, opt, err
	}
	pr, pc, err := gridFor(&opt2, r.all, c.Size())
	if err != nil {
		return nil, opt, err
	}
	opt2.Grid = [2]int{pr, pc}
	if r.grid, err = engine.NewGrid(c, pr, pc, r.rows, n); err != nil {
		return nil, opt, err
	}
	return r, opt2, nil
}

// whoWeAre are the facts of ranks that fit one X together, beside its rows and
// the options.
func whoWeAre[F matrix.Float](x matrix.Matrix[F], k int) []comm.Fact {
	_, n := x.Dims()
	return []comm.Fact{{Name: "the version", Value: Version()}, {Name: "the SIMD tier", Value: kernel.For[F]().Tier + " (NMF_SIMD sets it)"},
		{Name: "the precision", Value: precision[F]()}, {Name: "the kind of matrix", Value: kindOf(x)},
		{Name: "the number of columns", Value: fmt.Sprint(n)}, {Name: "k", Value: fmt.Sprint(k)}}
}

func kindOf[F matrix.Float](x matrix.Matrix[F]) string {
	switch x.(type) {
	case *matrix.Dense[F]:
		return "dense"
	case *matrix.CSR[F]:
		return "sparse"
	}
	return "read block by block"
}

// optionFacts are what options must be the same in on all ranks.
func optionFacts(o *Options) []comm.Fact {
	same := *o
	same.Threads, same.Memory = 0, 0
	text, err := json.Marshal(same)
	if err != nil {
		text = []byte(err.Error())
	}
	digest := func(d *matrix.Dense[float64]) string {
		if d == nil {
			return "absent"
		}
		h := sha256.New()
		for i := range d.Rows {
			for _, v := range d.Row(i) {
				binary.Write(h, binary.LittleEndian, math.Float64bits(v))
			}
		}
		return fmt.Sprintf("%d x %d (%s)", d.Rows, d.Cols, hex.EncodeToString(h.Sum(nil)[:6]))
	}
	given := func(is bool) string {
		if is {
			return "given"
		}
		return "absent"
	}
	names := "absent"
	if o.ColumnNames != nil {
		h := sha256.New()
		for _, s := range o.ColumnNames {
			fmt.Fprintf(h, "%q", s)
		}
		names = fmt.Sprintf("of %d columns (%s)", len(o.ColumnNames), hex.EncodeToString(h.Sum(nil)[:6]))
	}
	return []comm.Fact{{Name: "the options", Value: string(text)}, {Name: "the given W", Value: given(o.W != nil)}, {Name: "the given H", Value: digest(o.H)},
		{Name: "the held entries of W", Value: given(o.PenaltyW.Held != nil)}, {Name: "the held entries of H", Value: digest(o.PenaltyH.Held)},
		{Name: "a checkpoint", Value: given(o.Checkpoint != nil)}, {Name: "resuming", Value: fmt.Sprint(o.Checkpoint != nil && o.Checkpoint.Resume)}, {Name: "the names of rows", Value: given(o.RowNames != nil)}, {Name: "the column names", Value: names}}
}

// refuseOverRanks refuses what cannot be fitted over ranks.
func refuseOverRanks[F matrix.Float](o *Options, x matrix.Matrix[F]) error {
	if o.Online != nil {
		return errOnlineOverRanks
	}
	if o.choosesCells() {
		return fmt.Errorf("%w: over ranks every cell counts once: weights and missing cells are for a fit in one process", ErrOption)
	}
	if !slices.Contains([]string{frobenius, "kl", "is", "beta", "tweedie"}, o.Loss) {
		return fmt.Errorf("%w: the loss %s is not there over ranks; take frobenius, kl, is, beta or tweedie", ErrOption, o.Loss)
	}
	for _, c := range []struct {
		bad       bool
		what, why string
	}{
		{o.PenaltyW.L21 != 0, "l21 of W", "it is the norm of a component over all samples"},
		{o.PenaltyW.Smooth != 0 || o.PenaltyW.Graph != 0, "smooth or graph of W", "it joins samples of different ranks"},
		{o.PenaltyW.Sparseness != 0 || o.PenaltyH.Sparseness != 0, "sparseness", "it is of a component as a whole"},
		{!o.plain() && (o.PenaltyW.Simplex || o.PenaltyH.Simplex), "simplex with the loss " + o.Loss, "its update of H needs every cell of a feature at once"},
		{!o.plain() && o.Solver != "mu" && o.Solver != newton, "the solver " + o.Solver, "its update of H needs every cell of a feature at once; take mu"},
		{!o.plain() && o.Init != "random" && o.Init != givenInit, "the init " + o.Init + " with the loss " + o.Loss, "take random"},
	} {
		if c.bad {
			return fmt.Errorf("%w: %s is not there over ranks: %s", ErrOption, c.what, c.why)
		}
	}
	switch x.(type) {
	case *matrix.StreamedCSR[F]:
		return fmt.Errorf("%w: a sparse X that is read block by block is not there over ranks; give each rank rows that it can hold", ErrOption)
	case *matrix.Streamed[F]:
		if !o.plain() {
			return fmt.Errorf("%w: the loss %s over ranks needs the rows of each in memory: allow more of it, or take more ranks", ErrOption, o.Loss)
		}
	}
	return nil
}

// gridFor checks the grid of the options, or chooses the one for which a rank
// communicates the fewest numbers an iteration: of pr x pc = p ranks each sends
// and receives 2k/p·((pc−1)·m + (pr−1)·n) of W and H (Kannan, Ballard & Park
// 2018), beside Gram matrices that any grid sums.
func gridFor(o *Options, all engine.Size, p int) (pr, pc int, err error) {
	why := ""
	switch {
	case !o.plain():
		why = "the loss " + o.Loss
	case all.Streamed:
		why = "an X that is read block by block"
	case !o.PenaltyW.none() || !o.PenaltyH.none():
		why = "penalties and constraints"
	case o.Compression == on:
		why = "compression"
	}
	if o.Grid != [2]int{} {
		pr, pc = o.Grid[0], o.Grid[1]
		switch {
		case pr < 1 || pc < 1 || pr*pc != p:
			return 0, 0, fmt.Errorf("%w: the grid is %d x %d; it must be of the %d ranks", ErrOption, pr, pc, p)
		case pc > 1 && why != "":
			return 0, 0, fmt.Errorf("%w: the grid is %d x %d; %s needs whole rows on a rank, a grid of %d x 1", ErrOption, pr, pc, why, p)
		}
		return pr, pc, nil
	}
	pr, pc = p, 1
	if why != "" {
		return pr, pc, nil
	}
	words := func(pr, pc int) float64 { return float64(pc-1)*float64(all.Rows) + float64(pr-1)*float64(all.Cols) }
	for columns := 2; columns <= p; columns++ {
		if p%columns == 0 && words(p/columns, columns) < words(pr, pc) {
			pr, pc = p/columns, columns
		}
	}
	return pr, pc, nil
}

// outcome makes an error of one rank one of all.
func (r *ranks[F]) outcome(err error) error {
	if r == nil {
		return err
	}
	return comm.Outcome(r.c, err)
}

// cause is why a fit has no model, though no rank has failed.
func (r *ranks[F]) cause(ctx context.Context) error {
	err := context.Cause(ctx)
	if err == nil {
		// Another rank was cancelled.
		err = context.Canceled
	}
	return err
}

// size is that of the whole X.
func (r *ranks[F]) size(x matrix.Matrix[F]) engine.Size {
	if r == nil {
		return sizeOf(x)
	}
	return r.all
}

// samples is the number of rows of the whole X, of which m are here.
func (r *ranks[F]) samples(m int) int {
	if r == nil {
		return m
	}
	return r.all.Rows
}

// fewest is the least that any rank can do at a time.
func (r *ranks[F]) fewest(n int, err error) (int, error) {
	if r == nil {
		return n, err
	}
	if err := comm.Outcome(r.c, err); err != nil {
		return 0, err
	}
	each, err := comm.Each(r.c, int64(n))
	return int(slices.Min(each)), err
}

// largest is the largest value of all ranks, where none of them has an error.
func (r *ranks[F]) largest(v F, err error) (F, error) {
	if r == nil {
		return v, err
	}
	if err := r.outcome(r.placed(err)); err != nil {
		return 0, err
	}
	each, err := comm.Each(r.c, float64(v))
	if err != nil {
		return 0, err
	}
	return F(slices.Max(each)), nil
}

// cells makes cells this rank's part of X.
func (r *ranks[F]) cells(c *engine.Cells[F], threads int) *engine.Cells[F] {
	if r == nil {
		return c
	}
	return c.Over(r.grid, threads)
}

// prepare is prepare for this rank's part of X.
func (r *ranks[F]) prepare(x matrix.Matrix[F], o *Options) (data *engine.Data[F], u float64, err error) {
	if r == nil {
		return prepare(x, o)
	}
	data, err = scanned(x, o)
	if err = r.outcome(r.placed(err)); err != nil {
		return nil, 0, err
	}
	if o.Grid[1] > 1 {
		if x, err = engine.Exchange(r.grid, x); err != nil {
			return nil, 0, err
		}
		data = engine.NewData(x, o.Threads)
	}
	data.Over(r.grid)
	if u, err = unitOf(data.Largest); err != nil {
		return nil, 0, err
	}
	if u != 1 {
		data.Close()
		data = engine.NewData(scaled(x, 1/u, nil), o.Threads)
		data.Over(r.grid)
	}
	return data, u, r.outcome(data.Failure())
}

// placed counts the row of a bad cell in all of X.
func (r *ranks[F]) placed(err error) error {
	var cell *CellError
	if errors.As(err, &cell) {
		there := *cell
		there.Row += r.first()
		return &there
	}
	return err
}

// wholePair is what a model is made of.
type wholePair[F matrix.Float] struct {
	w, h       *engine.Tall[F]
	sumW, sumH []float64
}

func pairOf[F matrix.Float](w, h *engine.Tall[F]) wholePair[F] {
	return wholePair[F]{w, h, columnSums(w), columnSums(h)}
}

// whole puts the parts of a pair together: w at rank 0 and h everywhere; other
// ranks keep their own rows of w, and names are theirs. The sums are those of
// all rows.
func (r *ranks[F]) whole(w, h *engine.Tall[F], names *[]string) (wholePair[F], error) {
	if r == nil {
		return pairOf(w, h), nil
	}
	var p wholePair[F]
	var err error
	if p.h, err = engine.WholeH(r.grid, h); err != nil {
		return p, err
	}
	own := engine.OwnW(r.grid, w)
	p.sumW, p.sumH = columnSums(own), columnSums(p.h)
	if err = comm.SumAll(r.c, p.sumW); err != nil {
		return p, err
	}
	p.w = own
	counts := make([]int, r.c.Size())
	for i := range counts {
		counts[i] = (r.rows[i+1] - r.rows[i]) * w.K
	}
	var all []F
	if r.c.Rank() == 0 {
		all = make([]F, r.all.Rows*w.K)
	}
	if err = comm.Gather(r.c, 0, own.Packed(), all, counts); err != nil {
		return p, err
	}
	if r.c.Rank() == 0 {
		p.w = engine.NewTall[F](r.all.Rows, w.K)
		p.w.Unpack(all)
	}
	if *names == nil {
		return p, nil
	}
	text, err := json.Marshal(*names)
	if err != nil {
		return p, err
	}
	each, err := comm.EachBytes(r.c, text)
	if err != nil || r.c.Rank() != 0 {
		return p, err
	}
	*names = nil
	for _, text := range each {
		var part []string
		if err := json.Unmarshal(text, &part); err != nil {
			return p, err
		}
		*names = append(*names, part...)
	}
	return p, nil
}
