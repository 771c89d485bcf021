package ratings

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// fitter makes models as the door does.
func fitter[F matrix.Float](change func(*nmf.Options)) func(context.Context, *Problem) (*nmf.Model[F], error) {
	return func(ctx context.Context, p *Problem) (*nmf.Model[F], error) {
		o := Preset()
		if change != nil {
			change(o)
		}
		p.Apply(o)
		return nmf.Fit(ctx, matrix.Convert[F](p.X), p.K(), o)
	}
}

// additive is the model of the mean and of biases of users and items, each shrunk
// as if it had had so many ratings of zero before: by plain coordinate descent to
// convergence.
func additive(r *Ratings, shrinkItems, shrinkUsers float64) (mean float64, users, items []float64) {
	for _, v := range r.Values {
		mean += v / float64(len(r.Values))
	}
	users, items = make([]float64, len(r.UserNames)), make([]float64, len(r.ItemNames))
	update := func(own []float64, ownOf []int32, other []float64, otherOf []int32, shrink float64) {
		sum, count := make([]float64, len(own)), make([]float64, len(own))
		for p, v := range r.Values {
			sum[ownOf[p]] += v - mean - other[otherOf[p]]
			count[ownOf[p]]++
		}
		for i := range own {
			own[i] = sum[i] / (count[i] + shrink)
		}
	}
	for range 200 {
		update(items, r.Items, users, r.Users, shrinkItems)
		update(users, r.Users, items, r.Items, shrinkUsers)
	}
	return mean, users, items
}

// drawn makes ratings of 1 to 5 with biases and two tastes.
func drawn(users, items, each int, seed uint64) *Ratings {
	rng := rand.New(rand.NewPCG(seed, 0))
	r := &Ratings{}
	taste := make([][2]float64, items)
	bias := make([]float64, items)
	for i := range items {
		r.ItemNames = append(r.ItemNames, fmt.Sprintf("item%d", i))
		taste[i], bias[i] = [2]float64{rng.Float64(), rng.Float64()}, rng.NormFloat64()/2
	}
	for u := range users {
		r.UserNames = append(r.UserNames, fmt.Sprintf("user%d", u))
		own, b := [2]float64{3 * rng.Float64(), 3 * rng.Float64()}, rng.NormFloat64()/2
		for _, i := range rng.Perm(items)[:each] {
			v := 1.5 + b + bias[i] + own[0]*taste[i][0] + own[1]*taste[i][1] + 0.2*rng.NormFloat64()
			r.Users, r.Items = append(r.Users, int32(u)), append(r.Items, int32(i))
			r.Values = append(r.Values, math.Round(2*min(5, max(1, v)))/2)
		}
	}
	return r
}

// TestMovieLens: below the additive model on the same folds, and at most 0.91.
func TestMovieLens(t *testing.T) {
	r, err := Read(testdata.Shared(t, "data/movielens-small/ratings.csv.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Values) != 100023 || len(r.UserNames) != 706 {
		t.Fatalf("%d ratings of %d users", len(r.Values), len(r.UserNames))
	}
	e, err := CrossValidate(context.Background(), r, nil, 5, fitter[float32](nil))
	if err != nil {
		t.Fatal(err)
	}
	fold, squares := Folds(len(r.Values), 5, 0), 0.0
	for f := range 5 {
		rest, held := r.without(fold, f)
		mean, users, items := additive(rest, defaultItems, defaultUsers)
		for p, v := range held.Values {
			d := v - min(5, max(0.5, mean+users[held.Users[p]]+items[held.Items[p]]))
			squares += d * d
		}
	}
	baseline := math.Sqrt(squares / float64(len(r.Values)))
	t.Logf("RMSE %.4f, folds %.4f, MAE %.4f; additive model %.4f", e.RMSE, e.Folds, e.MAE, baseline)
	if e.RMSE >= baseline || e.RMSE > 0.91 {
		t.Errorf("RMSE %.4f, want below %.4f and at most 0.91", e.RMSE, baseline)
	}
}

// TestBiasesAreTheAdditiveModel: without factors the fit is the shrunk additive
// model, although all of it is non-negative.
func TestBiasesAreTheAdditiveModel(t *testing.T) {
	r := drawn(30, 40, 12, 1)
	p, err := Prepare(r, &Options{Factors: -1})
	if err != nil {
		t.Fatal(err)
	}
	m, err := fitter[float64](func(o *nmf.Options) { o.Tol, o.LossTol, o.MaxIter = 1e-10, -1, 2000 })(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	q := NewPredictor(p, m)
	mean, users, items := additive(r, defaultItems, defaultUsers)
	for u := range users {
		for i := range items {
			want := min(p.Most, max(p.Least, mean+users[u]+items[i]))
			if got := q.Rating(u, i); math.Abs(got-want) > 1e-5 {
				t.Fatalf("user %d, item %d: %v, want %v", u, i, got, want)
			}
		}
	}
}

// TestFactorsHelp: where there are tastes, factors predict better than biases;
// another unit and origin of ratings changes nothing else; a user and an item
// without ratings get the means.
func TestFactorsHelp(t *testing.T) {
	ctx := context.Background()
	r := drawn(120, 60, 30, 2)
	o := &Options{Factors: 4, ShrinkFactors: 3}
	with, err := CrossValidate(ctx, r, o, 4, fitter[float64](nil))
	if err != nil {
		t.Fatal(err)
	}
	alone, err := CrossValidate(ctx, r, &Options{Factors: -1}, 4, fitter[float64](nil))
	if err != nil {
		t.Fatal(err)
	}
	if with.RMSE > 0.9*alone.RMSE || len(with.Folds) != 4 || with.MAE > with.RMSE {
		t.Errorf("with factors %+v, biases alone %+v", with, alone)
	}
	scaled := *r
	scaled.Values = make([]float64, len(r.Values))
	for i, v := range r.Values {
		scaled.Values[i] = 8*v - 50
	}
	other, err := CrossValidate(ctx, &scaled, o, 4, fitter[float64](nil))
	if err != nil || math.Abs(other.RMSE-8*with.RMSE) > 1e-6 {
		t.Errorf("8 times the ratings: %+v, %v; want 8 times %v", other, err, with.RMSE)
	}
	r.UserNames, r.ItemNames = append(r.UserNames, "new"), append(r.ItemNames, "unseen")
	p, err := Prepare(r, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := fitter[float64](nil)(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if got := NewPredictor(p, m).Rating(len(r.UserNames)-1, len(r.ItemNames)-1); math.Abs(got-p.Mean) > 1e-3 {
		t.Errorf("nobody's rating of nothing is %v, want the mean %v", got, p.Mean)
	}
}

func TestRecommendAndSimilar(t *testing.T) {
	r := drawn(20, 30, 10, 3)
	p, err := Prepare(r, &Options{Factors: 3})
	if err != nil {
		t.Fatal(err)
	}
	m, err := fitter[float64](nil)(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	q := NewPredictor(p, m)
	list := q.Recommend(4, 100)
	if len(list) != 20 {
		t.Errorf("%d items to recommend, 10 of 30 are rated", len(list))
	}
	for i, v := range list {
		if slices.Contains(q.seen[4], int32(v.Item)) || v.Value != q.Rating(4, v.Item) || i > 0 && v.Value > list[i-1].Value {
			t.Errorf("recommendation %d: %+v", i+1, v)
		}
	}
	similar := q.Similar(7, 5)
	for i, v := range similar {
		if v.Item == 7 || v.Value > 1+1e-12 || i > 0 && v.Value > similar[i-1].Value {
			t.Errorf("%+v", similar)
		}
	}
	for item := range 30 {
		if item != 7 && !slices.ContainsFunc(similar, func(v Ranked) bool { return v.Item == item }) {
			if c := q.Similar(7, 30); c[len(c)-1].Value > similar[4].Value {
				t.Errorf("item %d is left out", item)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.csv")
	if err := os.WriteFile(path, []byte("user,item,rating\na,x,4\na,y,4\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(r, nil); !errors.Is(err, recipe.ErrInput) || !strings.Contains(err.Error(), "all ratings are 4") {
		t.Errorf("error %v", err)
	}
	if _, err := Prepare(&Ratings{}, nil); !errors.Is(err, recipe.ErrInput) {
		t.Errorf("error %v", err)
	}
	if _, err := Prepare(drawn(3, 3, 2, 1), &Options{ShrinkItems: -1}); !errors.Is(err, recipe.ErrOption) {
		t.Errorf("error %v", err)
	}
	if _, err := CrossValidate(context.Background(), r, nil, 1, fitter[float64](nil)); !errors.Is(err, recipe.ErrOption) {
		t.Errorf("error %v", err)
	}
}
