package ratings

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Options says what the model is. Nil and the zero value are the defaults.
type Options struct {
	// Factors is the number of components beside the two of biases. Default 20;
	// below zero none.
	Factors int
	// ShrinkItems and ShrinkUsers are how many ratings of the mean each item and
	// user is thought to have had before: they shrink biases. ShrinkFactors does
	// the same for each factor of a user or an item, in units of the ratings'
	// standard deviation. Defaults 3, 5 and 13.
	ShrinkItems, ShrinkUsers, ShrinkFactors float64
	// Seed draws the start.
	Seed uint64
}

const (
	// Biases is the number of components that hold biases: one of items, whose
	// column of W is held at 1, and one of users, whose row of H is.
	Biases = 2

	defaultFactors                       = 20
	defaultItems, defaultUsers, defaultF = 3, 5, 13
	// factorMean is the prior mean of factors. It has to leave room below: about
	// what a factor deviates by.
	factorMean = 0.5
	// leastBias is the prior mean of biases, in standard deviations of the
	// ratings, which leaves as much room below.
	leastBias = 3
	// startSpread is the relative spread of factors at the start.
	startSpread = 0.3
)

func (o *Options) resolve() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Factors == 0 {
		r.Factors = defaultFactors
	}
	r.Factors = max(0, r.Factors)
	for _, v := range []struct {
		name  string
		at    *float64
		usual float64
	}{{"items", &r.ShrinkItems, defaultItems}, {"users", &r.ShrinkUsers, defaultUsers}, {"factors", &r.ShrinkFactors, defaultF}} {
		if *v.at == 0 {
			*v.at = v.usual
		}
		if !(*v.at > 0) || math.IsInf(*v.at, 0) {
			return r, fmt.Errorf("%w: shrinking of %s by %v; it must be above 0", recipe.ErrOption, v.name, *v.at)
		}
	}
	return r, nil
}

// Ratings are a list: rating p is that of user Users[p] for item Items[p].
type Ratings struct {
	UserNames, ItemNames []string
	Users, Items         []int32
	Values               []float64
}

// Read reads a list of ratings: user, item, value and maybe a time in each line.
func Read(path string, o *data.ReadOptions) (*Ratings, error) {
	var opt data.ReadOptions
	if o != nil {
		opt = *o
	}
	opt.Format = "list"
	t, err := data.Read[float64](path, &opt)
	if err != nil {
		return nil, err
	}
	x := t.X.(*matrix.CSR[float64])
	r := &Ratings{UserNames: t.RowNames, ItemNames: t.ColumnNames, Items: x.ColIdx, Values: x.Val}
	for i := range x.Rows {
		for range x.RowPtr[i+1] - x.RowPtr[i] {
			r.Users = append(r.Users, int32(i))
		}
	}
	for p, v := range r.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, &data.Error{File: path, Found: fmt.Sprintf("user %q rates item %q with %v", r.UserNames[r.Users[p]], r.ItemNames[r.Items[p]], v), Hint: "a rating is a number", Err: recipe.ErrInput}
		}
	}
	return r, nil
}

// without gives the ratings but for those of a fold, and those of it.
func (r *Ratings) without(fold []int, f int) (rest, held *Ratings) {
	rest, held = &Ratings{UserNames: r.UserNames, ItemNames: r.ItemNames}, &Ratings{UserNames: r.UserNames, ItemNames: r.ItemNames}
	for p := range r.Values {
		to := rest
		if fold[p] == f {
			to = held
		}
		to.Users, to.Items, to.Values = append(to.Users, r.Users[p]), append(to.Items, r.Items[p]), append(to.Values, r.Values[p])
	}
	return rest, held
}

// Problem is what nmf.Fit solves for a list of ratings.
//
// A rating is put in standard deviations from the mean, above Level, so that all
// of the model can be non-negative:
//
//	(rating − Mean)/SD + Level ≈ bias of user + bias of item + Σ factors.
//
// The priors are ratings too: of every user for an item whose biases and factors
// are held so that it asks for one number of the user alone, and of such users
// for every item. They follow the real users and items, and weigh what the options
// say; so a user without ratings has the prior means.
type Problem struct {
	// Table is X with the names of users and items, and of what the priors ask
	// for. What it does not store is missing.
	data.Table[float64]
	Weights *matrix.CSR[float64]
	// HeldW and HeldH are what is held, W and H a start.
	HeldW, HeldH, W, H *matrix.Dense[float64]
	Mean, SD, Level    float64
	// Least and Most bound the ratings, and predictions.
	Least, Most float64
	Ratings     *Ratings
	Options     Options
}

// K is the number of components, biases included.
func (p *Problem) K() int { return Biases + p.Options.Factors }

// Prepare makes the problem of a list.
func Prepare(r *Ratings, o *Options) (*Problem, error) {
	opt, err := o.resolve()
	if err != nil {
		return nil, err
	}
	if len(r.Values) == 0 {
		return nil, fmt.Errorf("%w: there are no ratings", recipe.ErrInput)
	}
	p := &Problem{Ratings: r, Options: opt, Least: math.Inf(1), Most: math.Inf(-1)}
	for _, v := range r.Values {
		p.Mean += v / float64(len(r.Values))
		p.Least, p.Most = min(p.Least, v), max(p.Most, v)
	}
	for _, v := range r.Values {
		p.SD += (v - p.Mean) * (v - p.Mean) / float64(len(r.Values))
	}
	if p.SD = math.Sqrt(p.SD); !(p.SD > 0) {
		return nil, fmt.Errorf("%w: all ratings are %v: there is nothing to learn", recipe.ErrInput, p.Least)
	}
	bias := max(leastBias, (p.Mean-p.Least)/p.SD)
	p.Level = 2*bias + float64(opt.Factors)*factorMean*factorMean
	if err := p.fill(bias); err != nil {
		return nil, err
	}
	p.hold(bias)
	return p, nil
}

// fill makes X and its weights.
func (p *Problem) fill(bias float64) error {
	r, k := p.Ratings, p.Options.Factors
	m, n := len(r.UserNames), len(r.ItemNames)
	var rows, cols []int32
	var values, weights []float64
	add := func(i, j int, v, w float64) {
		rows, cols, values, weights = append(rows, int32(i)), append(cols, int32(j)), append(values, v), append(weights, w)
	}
	for q, v := range r.Values {
		add(int(r.Users[q]), int(r.Items[q]), (v-p.Mean)/p.SD+p.Level, 1)
	}
	for i := range m {
		add(i, n, bias, p.Options.ShrinkUsers)
		for l := range k {
			add(i, n+1+l, factorMean, p.Options.ShrinkFactors)
		}
	}
	for j := range n {
		add(m, j, bias, p.Options.ShrinkItems)
		for l := range k {
			add(m+1+l, j, factorMean, p.Options.ShrinkFactors)
		}
	}
	x, _, err := matrix.FromTriplets(m+1+k, n+1+k, rows, cols, values)
	if err != nil {
		return err
	}
	if p.Weights, _, err = matrix.FromTriplets(m+1+k, n+1+k, rows, cols, weights); err != nil {
		return err
	}
	p.X = x
	p.RowNames = append(append([]string{}, r.UserNames...), "(prior: item bias)")
	p.ColumnNames = append(append([]string{}, r.ItemNames...), "(prior: user bias)")
	for l := range k {
		name := fmt.Sprintf("(prior: factor %d)", l+1)
		p.RowNames, p.ColumnNames = append(p.RowNames, name), append(p.ColumnNames, name)
	}
	return nil
}

// hold makes what is held, and the start: component 0 is the bias of items, 1 that
// of users, the others are factors.
func (p *Problem) hold(bias float64) {
	k := p.Options.Factors
	m, n := len(p.Ratings.UserNames), len(p.Ratings.ItemNames)
	rng := rand.New(rand.NewPCG(p.Options.Seed, 0))
	side := func(count, one, free int) (held, start *matrix.Dense[float64]) {
		held, start = matrix.NewDense[float64](count+1+k, p.K()), matrix.NewDense[float64](count+1+k, p.K())
		for i := range count {
			held.Set(i, one, 1)
			start.Set(i, one, 1)
			held.Set(i, free, math.NaN())
			start.Set(i, free, bias)
			for l := range k {
				held.Set(i, Biases+l, math.NaN())
				start.Set(i, Biases+l, factorMean*math.Abs(1+startSpread*rng.NormFloat64()))
			}
		}
		for _, d := range []*matrix.Dense[float64]{held, start} {
			d.Set(count, one, 1) // asks for the bias of the other side
			for l := range k {
				d.Set(count+1+l, Biases+l, 1)
			}
		}
		return held, start
	}
	p.HeldW, p.W = side(m, 0, 1)
	heldH, h := side(n, 1, 0)
	p.HeldH, p.H = heldH.T(), h.T()
}

// Apply fills in the options of a fit.
func (p *Problem) Apply(o *nmf.Options) {
	o.Missing, o.Weights = "unstored", p.Weights
	o.PenaltyW.Held, o.PenaltyH.Held = p.HeldW, p.HeldH
	o.W, o.H, o.Runs = p.W, p.H, 1
	o.RowNames, o.ColumnNames = p.RowNames, p.ColumnNames
}

// Preset is what the door fits with: predictions need no more.
func Preset() *nmf.Options { return &nmf.Options{LossTol: 1e-5} }
