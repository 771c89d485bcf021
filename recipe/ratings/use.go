package ratings

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Predictor gives ratings by a model of a problem.
type Predictor struct {
	p    *Problem
	w, h *matrix.Dense[float64] // users x K, items x K
	seen [][]int32              // items of each user, rising
}

// NewPredictor takes a model that was fitted to the problem.
func NewPredictor[F matrix.Float](p *Problem, m *nmf.Model[F]) *Predictor {
	q := &Predictor{p: p, w: matrix.NewDense[float64](m.W.Rows, m.K()), h: matrix.NewDense[float64](m.H.Cols, m.K())}
	for l, s := range m.Scales {
		for i := range q.w.Rows {
			q.w.Set(i, l, s*float64(m.W.At(i, l)))
		}
		for j, v := range m.H.Row(l) {
			q.h.Set(j, l, float64(v))
		}
	}
	q.seen = make([][]int32, len(p.Ratings.UserNames))
	for i, u := range p.Ratings.Users {
		q.seen[u] = append(q.seen[u], p.Ratings.Items[i])
	}
	for _, items := range q.seen {
		slices.Sort(items)
	}
	return q
}

// Rating predicts one, within those that were given.
func (q *Predictor) Rating(user, item int) float64 {
	v := 0.0
	h := q.h.Row(item)
	for l, w := range q.w.Row(user) {
		v += w * h[l]
	}
	return min(q.p.Most, max(q.p.Least, (v-q.p.Level)*q.p.SD+q.p.Mean))
}

// Ranked is an item with a prediction or a similarity.
type Ranked struct {
	Item  int     `json:"item"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Recommend gives the n items with the highest predictions that the user has not
// rated. Equal ones come in the order of the list.
func (q *Predictor) Recommend(user, n int) []Ranked {
	return q.best(n, func(item int) (float64, bool) {
		_, rated := slices.BinarySearch(q.seen[user], int32(item))
		// Not cut to the range of ratings, so that the best ones keep an order.
		v := 0.0
		if !rated {
			h := q.h.Row(item)
			for l, w := range q.w.Row(user) {
				v += w * h[l]
			}
		}
		return v, !rated
	}, func(item int, _ float64) float64 { return q.Rating(user, item) })
}

// Similar gives the n items whose factors are most like those of one: the cosine
// of what they deviate by from the prior mean.
func (q *Predictor) Similar(item, n int) []Ranked {
	return q.best(n, func(other int) (float64, bool) {
		var both, a2, b2 float64
		for l := Biases; l < q.h.Cols; l++ {
			a, b := q.h.At(item, l)-factorMean, q.h.At(other, l)-factorMean
			both, a2, b2 = both+a*b, a2+a*a, b2+b*b
		}
		c := both / math.Sqrt(a2*b2)
		return c, other != item && !math.IsNaN(c)
	}, func(_ int, c float64) float64 { return c })
}

// best ranks items by a score, those that count.
func (q *Predictor) best(n int, score func(item int) (float64, bool), value func(item int, score float64) float64) []Ranked {
	var list []Ranked
	for j, name := range q.p.Ratings.ItemNames {
		if v, ok := score(j); ok {
			list = append(list, Ranked{j, name, v})
		}
	}
	slices.SortStableFunc(list, func(a, b Ranked) int { return cmp.Compare(b.Value, a.Value) })
	list = list[:min(n, len(list))]
	for i := range list {
		list[i].Value = value(list[i].Item, list[i].Value)
	}
	return list
}

// Errors are those of predictions.
type Errors struct {
	Ratings int     `json:"ratings"`
	RMSE    float64 `json:"rmse"`
	MAE     float64 `json:"mae"`
	// Folds are the root mean squared errors of the folds.
	Folds []float64 `json:"folds"`
}

// Folds draws the fold of each of n ratings: shuffled by the seed and dealt in
// turn.
func Folds(n, folds int, seed uint64) []int {
	out := make([]int, n)
	for at, p := range rand.New(rand.NewPCG(seed, 0)).Perm(n) {
		out[p] = at % folds
	}
	return out
}

// CrossValidate fits without each fold in turn and predicts it. fit makes a model
// of a problem.
func CrossValidate[F matrix.Float](ctx context.Context, r *Ratings, o *Options, folds int, fit func(ctx context.Context, p *Problem) (*nmf.Model[F], error)) (*Errors, error) {
	if folds < 2 || folds > len(r.Values) {
		return nil, fmt.Errorf("%w: %d folds of %d ratings", recipe.ErrOption, folds, len(r.Values))
	}
	var opt Options
	if o != nil {
		opt = *o
	}
	fold := Folds(len(r.Values), folds, opt.Seed)
	out := &Errors{Ratings: len(r.Values)}
	squares, absolute := 0.0, 0.0
	for f := range folds {
		rest, held := r.without(fold, f)
		p, err := Prepare(rest, &opt)
		if err != nil {
			return nil, err
		}
		m, err := fit(ctx, p)
		if err != nil {
			return nil, err
		}
		q, part := NewPredictor(p, m), 0.0
		for i, v := range held.Values {
			d := v - q.Rating(int(held.Users[i]), int(held.Items[i]))
			part += d * d
			absolute += math.Abs(d)
		}
		squares += part
		out.Folds = append(out.Folds, math.Sqrt(part/float64(len(held.Values))))
	}
	out.RMSE, out.MAE = math.Sqrt(squares/float64(out.Ratings)), absolute/float64(out.Ratings)
	return out, nil
}
