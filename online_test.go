package nmf_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// rowsInOrder are the options of passes over the rows in their order.
func rowsInOrder(batch, epochs int) *nmf.OnlineOptions {
	return &nmf.OnlineOptions{Batch: batch, Epochs: epochs, NoShuffle: true}
}

func part[F matrix.Float](x *matrix.Dense[F], r0, r1 int) *matrix.Dense[F] {
	return &matrix.Dense[F]{Rows: r1 - r0, Cols: x.Cols, Stride: x.Stride, Data: x.Data[r0*x.Stride:]}
}

// learnAll learns the rows of x batch by batch, from the row `from` on.
func learnAll[F matrix.Float](t *testing.T, l *nmf.Online[F], x *matrix.Dense[F], from, to, batch int) {
	t.Helper()
	for r := from; r < to; r += batch {
		if err := l.Learn(part(x, r, min(r+batch, to))); err != nil {
			t.Fatal(err)
		}
	}
}

func onlineModel[F matrix.Float](t *testing.T, l *nmf.Online[F], x matrix.Matrix[F]) *nmf.Model[F] {
	t.Helper()
	m, err := l.Model(context.Background(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var onlineLosses = []nmf.Options{{}, {Solver: "bpp"}, {Solver: "mu"}, {Loss: "kl"}, {Loss: "kl", Solver: "newton"}, {Loss: "is"}, {Loss: "is", Solver: "mu"}, {Loss: "beta", Beta: 0.5}, {Loss: "tweedie", Power: 1.5}}

// TestOnlineBits: threads, a disk and a stream make no difference to what is
// learnt, and a model that was saved goes on as though it had not been.
func TestOnlineBits(t *testing.T) {
	for _, o := range onlineLosses {
		t.Run(o.Loss+o.Solver, func(t *testing.T) {
			onlineBits(t, o, positive(lowRank[float32](300, 70, 5, 0.1, 1)))
			onlineBits(t, o, positive(lowRank[float64](150, 40, 5, 0.1, 1)))
		})
	}
}

func positive[F matrix.Float](x *matrix.Dense[F]) *matrix.Dense[F] {
	for i := range x.Data {
		x.Data[i] += 0.01
	}
	return x
}

func onlineBits[F matrix.Float](t *testing.T, o nmf.Options, x *matrix.Dense[F]) {
	const k, batch = 4, 64
	o.Online, o.Threads = rowsInOrder(batch, 1), 1
	want := fit(t, matrix.Matrix[F](x), k, &o)
	checkForm(t, want)
	o.Threads = 3
	if got := fit(t, matrix.Matrix[F](x), k, &o); bits(got) != bits(want) {
		t.Error("three threads give other bits than one")
	}
	streamed := &matrix.Streamed[F]{Rows: x.Rows, Cols: x.Cols, Read: func(first int, dst []F) error {
		copy(dst, x.Data[first*x.Cols:])
		return nil
	}}
	if got := fit(t, matrix.Matrix[F](streamed), k, &o); bits(got) != bits(want) {
		t.Error("a matrix on disk gives other bits than one in memory")
	}
	l, err := nmf.NewOnline[F](k, &o)
	if err != nil {
		t.Fatal(err)
	}
	learnAll(t, l, x, 0, 2*batch, batch)
	saved := onlineModel(t, l, part(x, 0, batch))
	learnAll(t, l, x, 2*batch, x.Rows, batch)
	// Components of a model are in the order of their scales; a pair has the same
	// W·H whatever that is.
	got := onlineModel(t, l, x)
	if got.Info.Loss != want.Info.Loss || got.Info.Online.Batches != want.Info.Online.Batches || got.Info.Online.Weight != want.Info.Online.Weight {
		t.Errorf("batches that were handed over end with loss %v, a fit with %v", got.Info.Loss, want.Info.Loss)
	}
	path := filepath.Join(t.TempDir(), "m.npz")
	if err := saved.Save(path); err != nil {
		t.Fatal(err)
	}
	if saved, err = nmf.Load[F](path); err != nil {
		t.Fatal(err)
	}
	on, err := saved.Online(&nmf.Options{Online: o.Online})
	if err != nil {
		t.Fatal(err)
	}
	learnAll(t, on, x, 2*batch, x.Rows, batch)
	if again := onlineModel(t, on, x); bits(again) != bits(got) {
		t.Error("a model that was saved and loaded goes on with other bits")
	}
}

// TestOnlineWhole: one batch of all rows is a full alternation step.
func TestOnlineWhole(t *testing.T) {
	x := lowRank[float64](90, 40, 4, 0.2, 2)
	h := matrix.NewDense[float64](4, 40)
	for i := range h.Data {
		h.Data[i] = float64(i*7919%13) + 1
	}
	one := fit(t, matrix.Matrix[float64](x), 4, &nmf.Options{Solver: "bpp", Init: "random", H: h, MaxIter: 1, NoExtrapolation: true, Tol: 1e-9, Compression: "off"})
	got := fit(t, matrix.Matrix[float64](x), 4, &nmf.Options{Solver: "bpp", H: h, Tol: 1e-9, Online: &nmf.OnlineOptions{Batch: 90, Epochs: 1}})
	if d := distance(wide[float64](got.H), wide[float64](one.H)); d > 1e-9 {
		t.Errorf("H differs by %g", d)
	}
	if math.Abs(got.Info.Loss-one.Info.Loss) > 1e-9*one.Info.Loss {
		t.Errorf("loss %v, want %v", got.Info.Loss, one.Info.Loss)
	}
}

// TestOnlineSparse: a sparse X gives what a dense one does, to rounding.
func TestOnlineSparse(t *testing.T) {
	x := sparsely(lowRank[float64](400, 60, 5, 0.1, 3), 4, 3)
	for _, o := range []nmf.Options{{}, {Loss: "kl", Solver: "mu"}, {Loss: "kl", Solver: "newton"}, {Loss: "beta", Beta: 1.5}} {
		// How often coordinate descent repeats is chosen by the work that X is.
		o.Online, o.Init, o.InnerSweeps = &nmf.OnlineOptions{Batch: 50, Epochs: 2}, "random", 3
		a, b := fit(t, matrix.Matrix[float64](x), 5, &o), fit(t, matrix.Matrix[float64](x.Sparse()), 5, &o)
		if d := math.Abs(a.Info.Loss - b.Info.Loss); d > 1e-6*a.Info.Loss {
			t.Errorf("%s: dense ends with loss %v, sparse with %v", o.Loss, a.Info.Loss, b.Info.Loss)
		}
	}
}

// TestOnlineApproachesFit: passes bring the loss near that of Fit, and what is
// reported is that of the pair.
func TestOnlineApproachesFit(t *testing.T) {
	x := positive(lowRank[float64](600, 50, 4, 0.1, 4))
	for _, o := range []nmf.Options{{Init: "random", Seed: 2}, {Loss: "kl", Seed: 2}, {Loss: "is", Seed: 2}} {
		whole := fit(t, matrix.Matrix[float64](x), 4, &o)
		before := math.Inf(1)
		for _, epochs := range []int{1, 4, 60} {
			o.Online = &nmf.OnlineOptions{Batch: 100, Epochs: epochs, Forget: 8}
			m := fit(t, matrix.Matrix[float64](x), 4, &o)
			checkForm(t, m)
			if m.Info.Loss > 1.02*before {
				t.Errorf("%s: loss %v after %d passes, %v after fewer", o.Loss, m.Info.Loss, epochs, before)
			}
			before = m.Info.Loss
			if s, err := m.Score(context.Background(), x, nil); err != nil || math.Abs(s.Loss-m.Info.Loss) > 1e-3*s.Loss || math.Abs(s.RelativeError-m.Info.RelativeError) > 1e-3 {
				t.Errorf("%s: the model says loss %v, error %v; its score is %v, %v (%v)", o.Loss, m.Info.Loss, m.Info.RelativeError, s.Loss, s.RelativeError, err)
			}
			if o.Loss == "" {
				if c := certify(matrix.Matrix[float64](x), m); math.Abs(c.kkt-m.Info.KKT) > 1e-3*m.Info.KKT+1e-6 {
					t.Errorf("the model says KKT residual %v, and has %v", m.Info.KKT, c.kkt)
				}
			}
		}
		if before > 1.1*whole.Info.Loss {
			t.Errorf("%s: loss %v after many passes, that of a fit is %v", o.Loss, before, whole.Info.Loss)
		}
	}
}

// TestOnlineDrift: with a half-life, a stream whose components change is
// followed.
func TestOnlineDrift(t *testing.T) {
	old, now := lowRank[float32](2000, 30, 3, 0, 5), lowRank[float32](1000, 30, 3, 0, 6)
	errorOn := func(on *nmf.OnlineOptions) float64 {
		l, err := nmf.NewOnline[float32](3, &nmf.Options{Online: on})
		if err != nil {
			t.Fatal(err)
		}
		learnAll(t, l, old, 0, 2000, 50)
		learnAll(t, l, now, 0, 1000, 50)
		return onlineModel(t, l, now).Info.RelativeError
	}
	never := errorOn(&nmf.OnlineOptions{Forget: -1})
	if soon := errorOn(&nmf.OnlineOptions{Forget: -1, HalfLife: 100}); soon > never/3 {
		t.Errorf("the error of new rows is %v with a half-life, %v without", soon, never)
	}
}

// TestOnlineScale: multiplying X by a power of two multiplies the scales.
func TestOnlineScale(t *testing.T) {
	x := positive(lowRank[float32](200, 30, 3, 0.1, 7))
	large := x.Clone()
	for i := range large.Data {
		large.Data[i] *= 0x1p60
	}
	for _, loss := range []string{"frobenius", "kl", "is"} {
		o := &nmf.Options{Loss: loss, Online: rowsInOrder(64, 2)}
		a, b := fit(t, matrix.Matrix[float32](x), 3, o), fit(t, matrix.Matrix[float32](large), 3, o)
		checkForm(t, b)
		for j := range a.Scales {
			if d := math.Abs(b.Scales[j]/0x1p60 - a.Scales[j]); d > 1e-2*a.Scales[j] {
				t.Errorf("%s: scale %v, want %v", loss, b.Scales[j]/0x1p60, a.Scales[j])
			}
		}
	}
}

// TestOnlineFirstRowsZero: rows of zeros before the first others are no start.
func TestOnlineFirstRowsZero(t *testing.T) {
	x := lowRank[float32](200, 30, 3, 0.1, 8)
	clear(x.Data[:100*30])
	m := fit(t, matrix.Matrix[float32](x), 3, &nmf.Options{Online: rowsInOrder(50, 5)})
	checkForm(t, m)
	if m.Info.Online.Rows != 1000 || m.Info.RelativeError > 0.5 {
		t.Errorf("%d rows, error %v", m.Info.Online.Rows, m.Info.RelativeError)
	}
	_, err := nmf.Fit(context.Background(), matrix.NewDense[float32](9, 4), 2, &nmf.Options{Online: &nmf.OnlineOptions{}})
	if !errors.Is(err, nmf.ErrEmpty) {
		t.Errorf("zeros alone give %v", err)
	}
}

// TestOnlineRefuses names what cannot be learnt, and leaves what has been.
func TestOnlineRefuses(t *testing.T) {
	x := positive(lowRank[float32](60, 6, 2, 0.1, 9))
	l, err := nmf.NewOnline[float32](2, &nmf.Options{ColumnNames: []string{"a", "b", "c", "d", "e", "f"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Model(context.Background(), x, nil); !errors.Is(err, nmf.ErrEmpty) {
		t.Errorf("a model of nothing: %v", err)
	}
	if err := l.Learn(matrix.NewDense[float32](0, 6)); err != nil || l.Rows() != 0 {
		t.Errorf("a batch of no rows: %v, %d rows", err, l.Rows())
	}
	learnAll(t, l, x, 0, 60, 20)
	before := bits(onlineModel(t, l, x))
	negative, nan := part(x, 0, 20).Clone(), part(x, 0, 20).Clone()
	negative.Set(7, 3, -1)
	nan.Set(2, 5, float32(math.NaN()))
	for _, c := range []struct {
		x    *matrix.Dense[float32]
		want error
		text string
	}{
		{negative, nmf.ErrNegative, `row 8, column 4 ("d"): -1 is negative`},
		{nan, nmf.ErrNotFinite, `row 3, column 6 ("f"): NaN is not a finite number`},
		{matrix.NewDense[float32](3, 5), nmf.ErrShape, "shapes do not fit: the rows have 5 features, those before 6"},
	} {
		if err := l.Learn(c.x); !errors.Is(err, c.want) || err.Error() != c.text {
			t.Errorf("%v, want %s", err, c.text)
		}
	}
	if l.Rows() != 60 || bits(onlineModel(t, l, x)) != before {
		t.Error("what was refused has been learnt")
	}
	// Row numbers are those of X, whatever the order.
	bad := x.Clone()
	bad.Set(41, 2, -3)
	_, err = nmf.Fit(context.Background(), matrix.Matrix[float32](bad), 2, &nmf.Options{Online: &nmf.OnlineOptions{Batch: 8}})
	var cell *nmf.CellError
	if !errors.As(err, &cell) || cell.Row != 41 || cell.Column != 2 {
		t.Errorf("the bad cell is said to be %v", err)
	}
	for name, o := range map[string]nmf.Options{
		"runs": {Runs: 2}, "loss": {Loss: "huber"}, "missing": {Missing: "nan"}, "penalty": {PenaltyH: nmf.Penalty{L1: 1}},
		"batch": {Online: &nmf.OnlineOptions{Batch: -1}}, "epochs": {Online: &nmf.OnlineOptions{Epochs: -1}},
		"half-life": {Online: &nmf.OnlineOptions{HalfLife: -1}}, "forget": {Online: &nmf.OnlineOptions{Forget: math.NaN()}},
		"target": {TargetError: 0.1}, "W": {W: matrix.NewDense[float64](60, 2)}, "solver": {Solver: "newton"},
	} {
		if _, err := nmf.NewOnline[float32](2, &o); !errors.Is(err, nmf.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOnlineCancel: what has been learnt before is a whole model.
func TestOnlineCancel(t *testing.T) {
	x := lowRank[float32](400, 30, 3, 0.1, 10)
	for _, stop := range []int{0, 3} {
		ctx, cancel := context.WithCancel(context.Background())
		if stop == 0 {
			cancel()
		}
		batches := 0
		m, err := nmf.Fit(ctx, matrix.Matrix[float32](x), 3, &nmf.Options{Online: rowsInOrder(50, 5), Progress: func(p nmf.Progress) {
			if batches++; batches == stop {
				cancel()
			}
		}})
		cancel()
		if stop == 0 {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled before it began: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		checkForm(t, m)
		if m.Info.Status != nmf.Cancelled || m.Info.Online.Rows != 150 || m.W.Rows != 400 {
			t.Errorf("status %s, %d rows learnt, %d rows of W", m.Info.Status, m.Info.Online.Rows, m.W.Rows)
		}
	}
}

// TestUpdate: a model of any kind goes on learning; components that the new rows
// have nothing of stay.
func TestUpdate(t *testing.T) {
	all := positive(lowRank[float64](500, 40, 4, 0.05, 11))
	old, fresh := part(all, 0, 300), part(all, 300, 500)
	for _, loss := range []string{"frobenius", "kl", "is"} {
		for _, on := range []*nmf.OnlineOptions{nil, {Batch: 50}} {
			m := fit(t, matrix.Matrix[float64](old), 4, &nmf.Options{Loss: loss, Online: on})
			before := bits(m)
			updated, err := m.Update(context.Background(), fresh, &nmf.Options{Online: &nmf.OnlineOptions{Batch: 50, Epochs: 1}})
			if err != nil {
				t.Fatal(err)
			}
			if bits(m) != before {
				t.Errorf("%s: the model itself has changed", loss)
			}
			was, err := m.Score(context.Background(), fresh, nil)
			if err != nil {
				t.Fatal(err)
			}
			if updated.Info.Loss > 1.1*was.Loss || updated.W.Rows != 200 || !updated.Info.Online.Continued {
				t.Errorf("%s: loss %v of the new rows, %v before; %d rows", loss, updated.Info.Loss, was.Loss, updated.W.Rows)
			}
		}
	}
	m := fit(t, matrix.Matrix[float64](old), 4, nil)
	one := part(all, 7, 8).Clone()
	for j := range one.Data {
		one.Data[j] = m.H.At(0, j) * 100
	}
	updated, err := m.Update(context.Background(), one, nil)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Min(updated.Scales) <= 0 {
		t.Errorf("scales %v: a row of one component has taken others away", updated.Scales)
	}
	for _, o := range []*nmf.Options{{Loss: "kl"}, {Solver: "bpp"}, {H: matrix.NewDense[float64](4, 40)}, {Runs: 3}} {
		if _, err := m.Update(context.Background(), fresh, o); !errors.Is(err, nmf.ErrOption) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := m.Update(context.Background(), lowRank[float64](5, 7, 1, 0, 1), nil); !errors.Is(err, nmf.ErrShape) {
		t.Errorf("other features: %v", err)
	}
}

// TestOnlineFewRows: more components than rows in a batch, one component, one
// row, one feature.
func TestOnlineFewRows(t *testing.T) {
	for _, c := range []struct{ m, n, k, batch int }{{50, 20, 6, 3}, {50, 20, 1, 7}, {1, 20, 3, 10}, {50, 1, 2, 7}, {7, 5, 9, 2}} {
		for _, loss := range []string{"frobenius", "kl", "is"} {
			t.Run(fmt.Sprintf("%v,%s", c, loss), func(t *testing.T) {
				x := positive(lowRank[float32](c.m, c.n, 2, 0.1, 12))
				m := fit(t, matrix.Matrix[float32](x), c.k, &nmf.Options{Loss: loss, Online: &nmf.OnlineOptions{Batch: c.batch, Epochs: 20}})
				checkForm(t, m)
				if math.IsNaN(m.Info.Loss) || m.Info.RelativeError > 1 || math.IsNaN(m.Info.KKT) {
					t.Errorf("loss %v, error %v, KKT residual %v", m.Info.Loss, m.Info.RelativeError, m.Info.KKT)
				}
			})
		}
	}
}
