package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe/ratings"
)

type ratingsCmd struct {
	Input  string `arg:"" optional:"" needed:"" help:"List of ratings: user, item, rating and maybe a time in each line; commas, tabs, blanks or :: between. - is standard input."`
	K      int    `short:"k" group:"Ratings" type:"count" default:"20" placeholder:"K" help:"Number of factors beside the biases of users and items; 0 for biases alone."`
	Output string `short:"o" group:"Output" default:"ratings.npz" placeholder:"FILE" help:"Model to write, an .npz file."`

	ShrinkItems   float64  `group:"Ratings" type:"number" default:"3" placeholder:"X" help:"Ratings of the mean that each item is thought to have had before."`
	ShrinkUsers   float64  `group:"Ratings" type:"number" default:"5" placeholder:"X" help:"The same for each user."`
	ShrinkFactors float64  `group:"Ratings" type:"number" default:"13" placeholder:"X" help:"The same for each factor of a user or an item."`
	Folds         int      `group:"Ratings" type:"count" default:"5" placeholder:"N" help:"Cross-validate in N folds; 0 for not."`
	User          []string `group:"Ratings" placeholder:"NAMES" help:"Users to recommend items to, with commas between."`
	Item          []string `group:"Ratings" placeholder:"NAMES" help:"Items to show similar ones of, with commas between."`
	N             int      `short:"n" group:"Ratings" type:"count" default:"10" placeholder:"N" help:"Items for each."`

	Recommend string `group:"Output" placeholder:"FILE" help:"Write the items to recommend to every user, a .csv."`
	Similar   string `group:"Output" placeholder:"FILE" help:"Write the items that are similar to every item, a .csv."`

	Header    *bool  `group:"Input" negatable:"" help:"Whether the first line names the columns. Found out unless told."`
	Delimiter string `group:"Input" placeholder:"CHAR" help:"What separates fields: a character, or tab or space. Found out unless given."`
	doorFlags
}

func (c *ratingsCmd) examples() [][2]string {
	return [][2]string{
		{"nmf ratings ratings.csv", "how well ratings can be predicted"},
		{"nmf ratings ratings.csv --user 15 --item 1,318", "what to recommend, what is similar"},
		{"nmf ratings u.data -k 10 --folds 0 --recommend top.csv", "ten items for every user"},
	}
}

func (c *ratingsCmd) notes() string {
	return "The biases of users and items are components of the model; docs/ratings.md says how. What is not in the list is missing, not zero."
}

func (c *ratingsCmd) Run(a *app, ctx *kong.Context) error {
	if c.Input == "" {
		return usagef("ratings", "the list of ratings is missing")
	}
	if c.K < 0 || c.K > math.MaxInt32-ratings.Biases {
		return usagef("ratings", "-k is %d; it must be at least 0", c.K)
	}
	switch {
	case c.N < 1:
		return usagef("ratings", "-n is %d; it must be at least 1", c.N)
	case c.Folds < 0 || c.Folds == 1:
		return usagef("ratings", "--folds is %d; it must be at least 2, or 0 for none", c.Folds)
	case c.Runs != 1:
		return usagef("ratings", "--runs is of random starts; ratings start once, at the prior: see --seed")
	}
	for name, path := range map[string]string{"init-w": c.InitW, "init-h": c.InitH, "fix-w": c.FixW, "fix-h": c.FixH, "support-w": c.SupportW, "support-h": c.SupportH} {
		if path != "" {
			return usagef("ratings", "--%s: what ratings hold and where they start follows from the biases; write it with --save-input and use nmf fit", name)
		}
	}
	for name, v := range map[string]float64{"items": c.ShrinkItems, "users": c.ShrinkUsers, "factors": c.ShrinkFactors} {
		if !(v > 0) || math.IsInf(v, 0) {
			return usagef("ratings", "--shrink-%s is %v; it must be above 0", name, v)
		}
	}
	d, err := c.enter(ctx, ratings.Preset(), c.K+ratings.Biases, c.Output)
	if err != nil {
		return err
	}
	for _, path := range []string{c.Recommend, c.Similar} {
		if path != "" {
			if err := atomicfile.Check(path); err != nil {
				return err
			}
		}
	}
	delimiter, err := parseDelimiter("ratings", c.Delimiter)
	if err != nil {
		return err
	}
	list, err := ratings.Read(c.Input, &data.ReadOptions{Header: choice(c.Header), Delimiter: delimiter, Threads: c.Threads})
	if err != nil {
		return err
	}
	if c.Folds > len(list.Values) {
		return usagef("ratings", "--folds is %d, and there are %s", c.Folds, plural(len(list.Values), "rating"))
	}
	o := &ratings.Options{Factors: c.K, ShrinkItems: c.ShrinkItems, ShrinkUsers: c.ShrinkUsers, ShrinkFactors: c.ShrinkFactors, Seed: c.Seed}
	if c.K == 0 {
		o.Factors = -1
	}
	if c.Precision == "f64" {
		return rate[float64](a, c, d, list, o)
	}
	return rate[float32](a, c, d, list, o)
}

// rated is what a command of ratings found.
type rated struct {
	Users       int              `json:"users"`
	Items       int              `json:"items"`
	Ratings     int              `json:"ratings"`
	Factors     *ratings.Errors  `json:"cross_validation,omitempty"`
	Biases      *ratings.Errors  `json:"biases_alone,omitempty"`
	Recommended []recommendation `json:"recommended,omitempty"`
	Similar     []recommendation `json:"similar,omitempty"`
	Model       string           `json:"model"`
	Fit         nmf.Info         `json:"fit"`
}

// recommendation is a user or an item with items.
type recommendation struct {
	Name  string           `json:"name"`
	Items []ratings.Ranked `json:"items"`
}

func rate[F matrix.Float](a *app, c *ratingsCmd, d *door, list *ratings.Ratings, o *ratings.Options) error {
	users, err := indices(c.User, list.UserNames, "user")
	if err != nil {
		return inFile(c.Input, err)
	}
	items, err := indices(c.Item, list.ItemNames, "item")
	if err != nil {
		return inFile(c.Input, err)
	}
	p, err := ratings.Prepare(list, o)
	if err != nil {
		return inFile(c.Input, err)
	}
	t := &data.Table[F]{X: matrix.Convert[F](p.X), RowNames: p.RowNames, ColumnNames: p.ColumnNames}
	m, err := fitPrepared(a, d, c.Input, t, p.Apply)
	if err != nil {
		return err
	}
	if err := c.saveProblem(d, p); err != nil {
		return err
	}
	if err := cancelled(&m.Info, d.out); err != nil {
		return err
	}
	out := &rated{Users: len(list.UserNames), Items: len(list.ItemNames), Ratings: len(list.Values), Model: d.out.path, Fit: withoutTrace(m.Info)}
	q := ratings.NewPredictor(p, m)
	for _, u := range users {
		out.Recommended = append(out.Recommended, recommendation{list.UserNames[u], q.Recommend(u, c.N)})
	}
	for _, i := range items {
		out.Similar = append(out.Similar, recommendation{list.ItemNames[i], q.Similar(i, c.N)})
	}
	if err := c.writeAll(list, q); err != nil {
		return err
	}
	if c.Folds > 0 {
		if out.Factors, out.Biases, err = crossValidate[F](a, c, d, list, o); err != nil {
			return err
		}
	}
	return showRatings(a, c, d, p, out)
}

// indices finds names in a list.
func indices(names, all []string, what string) ([]int, error) {
	at := make(map[string]int, len(all))
	for i, name := range all {
		at[name] = i
	}
	var list []int
	for _, name := range names {
		i, ok := at[name]
		if !ok {
			return nil, fmt.Errorf("there is no %s %q in the list", what, name)
		}
		list = append(list, i)
	}
	return list, nil
}

// saveProblem writes what goes with the prepared matrix.
func (c *ratingsCmd) saveProblem(d *door, p *ratings.Problem) error {
	if d.SaveInput == "" {
		return nil
	}
	d.fitFlags = append(d.fitFlags, "--missing unstored")
	return errors.Join(d.saveBeside("weights", "weights", p.Weights), d.saveBeside("fix-w", "fix-w", p.HeldW), d.saveBeside("fix-h", "fix-h", p.HeldH),
		d.saveBeside("w", "init-w", p.W), d.saveBeside("h", "init-h", p.H))
}

// crossValidate measures the model, and the biases alone.
func crossValidate[F matrix.Float](a *app, c *ratingsCmd, d *door, list *ratings.Ratings, o *ratings.Options) (factors, biases *ratings.Errors, err error) {
	fit := func(ctx context.Context, p *ratings.Problem) (*nmf.Model[F], error) {
		o, err := d.options(a, c.Threads, true)
		if err != nil {
			return nil, err
		}
		p.Apply(o)
		m, err := nmf.Fit(ctx, matrix.Convert[F](p.X), p.K(), o)
		if err == nil && m.Info.Status == nmf.Cancelled {
			err = context.Canceled
		}
		return m, err
	}
	err = a.interrupts.during("nmf: stopping; the model is saved (Ctrl-C again quits at once)\n", func(ctx context.Context) (err error) {
		if factors, err = ratings.CrossValidate(ctx, list, o, c.Folds, fit); err != nil {
			return err
		}
		alone := *o
		alone.Factors = -1
		biases, err = ratings.CrossValidate(ctx, list, &alone, c.Folds, fit)
		return err
	})
	if errors.Is(err, context.Canceled) {
		return nil, nil, &statusError{1, fmt.Sprintf("interrupted: the model is in %s, it is not cross-validated", d.out.path)}
	}
	return factors, biases, err
}

// writeAll writes the tables of every user and every item.
func (c *ratingsCmd) writeAll(list *ratings.Ratings, q *ratings.Predictor) error {
	write := func(path, of, value string, names []string, find func(i int) []ratings.Ranked) error {
		if path == "" {
			return nil
		}
		return atomicfile.Write(path, func(w io.Writer) error {
			out := csv.NewWriter(w)
			lines := [][]string{{of, "rank", "item", value}}
			for i, name := range names {
				for r, v := range find(i) {
					lines = append(lines, []string{name, strconv.Itoa(r + 1), v.Name, strconv.FormatFloat(v.Value, 'f', 4, 64)})
				}
				if err := out.WriteAll(lines); err != nil {
					return err
				}
				lines = lines[:0]
			}
			return nil
		})
	}
	return errors.Join(write(c.Recommend, "user", "prediction", list.UserNames, func(i int) []ratings.Ranked { return q.Recommend(i, c.N) }),
		write(c.Similar, "of", "cosine", list.ItemNames, func(i int) []ratings.Ranked { return q.Similar(i, c.N) }))
}

func showRatings(a *app, c *ratingsCmd, d *door, p *ratings.Problem, r *rated) error {
	if c.JSON {
		return a.printJSON(r)
	}
	if c.Quiet {
		return nil
	}
	a.printf("read    %s: %s of %s for %s, from %g to %g, mean %.4g\n", c.Input, plural(r.Ratings, "rating"), plural(r.Users, "user"), plural(r.Items, "item"), p.Least, p.Most, p.Mean)
	a.printf("fit     biases and %s: %s in %s\n", plural(c.K, "factor"), plural(r.Fit.Iterations, "iteration"), shortDuration(seconds(r.Fit.Seconds)))
	a.printf("end     %s\n", statusText(&r.Fit))
	if r.Factors != nil {
		a.printf("predict RMSE %.4f, mean absolute error %.4f over %d folds; biases alone have RMSE %.4f\n", r.Factors.RMSE, r.Factors.MAE, c.Folds, r.Biases.RMSE)
	}
	for _, u := range r.Recommended {
		a.printf("for user %s, predictions:\n  %s\n", shown(u.Name), rankedText(u.Items, 2))
	}
	for _, i := range r.Similar {
		a.printf("like item %s, cosines:\n  %s\n", shown(i.Name), rankedText(i.Items, 3))
	}
	a.printf("model   %s\n", d.out.path)
	d.again(a)
	return nil
}

func rankedText(items []ratings.Ranked, digits int) string {
	var parts []string
	for _, v := range items {
		parts = append(parts, shown(v.Name)+" "+strconv.FormatFloat(v.Value, 'f', digits, 64))
	}
	return strings.Join(parts, ", ")
}
