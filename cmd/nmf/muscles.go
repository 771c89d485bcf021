package main

import (
	"errors"
	"fmt"
	"math"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/recipe/muscles"
)

type musclesCmd struct {
	Input  string `arg:"" optional:"" needed:"" help:"Electromyograms: a table, a row a point in time, a column a muscle; a first column named time is taken for seconds."`
	K      int    `short:"k" group:"Fit" type:"count" default:"0" placeholder:"K" help:"Number of synergies; 0 takes the fewest that account for --vaf of the whole and --vaf-muscle of every muscle."`
	Output string `short:"o" group:"Output" default:"muscles.npz" placeholder:"FILE" help:"Model to write, an .npz file."`

	VAF       float64 `name:"vaf" group:"Muscles" type:"number" default:"0.9" placeholder:"X" help:"Variance accounted for that is enough, from 0 to 1."`
	VAFMuscle float64 `name:"vaf-muscle" group:"Muscles" type:"number" default:"0.75" placeholder:"X" help:"The same for every muscle; 0 does not ask for it."`
	Envelopes bool    `group:"Muscles" help:"The input are envelopes that are ready: no filters."`
	Rate      float64 `group:"Muscles" type:"number" default:"0" placeholder:"HZ" help:"Sampling rate. Default: that of the column of times."`
	HighPass  float64 `group:"Muscles" type:"number" default:"50" placeholder:"HZ" help:"Cutoff of the high-pass; 0 for none."`
	LowPass   float64 `group:"Muscles" type:"number" default:"20" placeholder:"HZ" help:"Cutoff of the low-pass after rectifying; 0 for none."`
	Order     int     `name:"filter-order" group:"Muscles" type:"count" default:"4" placeholder:"N" help:"Order of both Butterworth filters, which run forwards and backwards."`
	Cycles    string  `group:"Muscles" placeholder:"FILE" help:"Starts of cycles in seconds, one a row, the last of which ends the last cycle; further columns are durations of phases."`
	Points    int     `group:"Muscles" type:"count" default:"0" placeholder:"N" help:"Points of every cycle, or of the recording. Default: 200 a cycle, and a recording without cycles stays as it is."`
	Average   bool    `group:"Muscles" help:"Take the mean of the cycles."`
	Normalise string  `group:"Muscles" type:"choice" default:"auto" placeholder:"NAME" help:"What every muscle is divided by (auto is max, or none for envelopes): its largest value or its standard deviation."`

	Plot        string `group:"Output" placeholder:"FILE" help:"Plot of the synergies to write, an .svg; none for none. Default: named after the model."`
	Synergies   string `group:"Output" placeholder:"FILE" help:"Write the synergies as a table, the largest muscle of each at 1."`
	Activations string `group:"Output" placeholder:"FILE" help:"Write the activations that go with them as a table."`

	inputFlags
	doorFlags
}

func (c *musclesCmd) examples() [][2]string {
	return [][2]string{
		{"nmf muscles emg.csv --rate 1000 --cycles touchdowns.csv --average", "a raw recording, the mean cycle"},
		{"nmf muscles emg.csv -k 4 --high-pass 35 --low-pass 10", "four synergies, with a column of times"},
		{"nmf muscles envelopes.csv --envelopes --transpose", "ready envelopes, muscles x time"},
	}
}

func (c *musclesCmd) notes() string {
	return "A row of the matrix is a point in time, a column a muscle: rows of H are synergies, columns of W their activations. The preset is --init random --runs 20 --max-iter 2000 --loss-tol 1e-8. docs/muscles.md says what is done to recordings."
}

func (c *musclesCmd) Run(a *app, ctx *kong.Context) error {
	if c.Input == "" {
		return usagef("muscles", "the file of electromyograms is missing")
	}
	for _, v := range []struct {
		flag string
		v    float64
	}{{"vaf", c.VAF}, {"vaf-muscle", c.VAFMuscle}} {
		if !(v.v >= 0 && v.v <= 1) {
			return usagef("muscles", "--%s is %v; it must be from 0 to 1", v.flag, v.v)
		}
	}
	for _, v := range []struct {
		flag string
		v    float64
	}{{"rate", c.Rate}, {"high-pass", c.HighPass}, {"low-pass", c.LowPass}} {
		if !(v.v >= 0) || math.IsInf(v.v, 0) {
			return usagef("muscles", "--%s is %v Hz; it must be at least 0", v.flag, v.v)
		}
	}
	k := c.K
	if k == 0 {
		k = 1 // for now: the data decide
	}
	d, err := c.enter(ctx, muscles.Preset(), k, c.Output, c.Input)
	if err != nil {
		return err
	}
	o := &muscles.Options{Envelopes: c.Envelopes, Rate: c.Rate, HighPass: orNever(c.HighPass), LowPass: orNever(c.LowPass), Order: c.Order,
		Cycles: c.Cycles, Points: c.Points, Average: c.Average, Normalise: c.Normalise}
	if o.Read, err = c.reading("muscles", &c.inputFlags); err != nil {
		return err
	}
	if c.Plot, err = d.beside(c.Plot, ".svg"); err != nil {
		return err
	}
	if err := errors.Join(d.checkTables(c.Synergies, c.Activations), notNegative("muscles", "points", c.Points)); err != nil {
		return err
	}
	if c.Precision == "f64" {
		return findSynergies[float64](a, c, d, o)
	}
	return findSynergies[float32](a, c, d, o)
}

// synergyNumber is what a number of synergies accounts for.
type synergyNumber struct {
	K int `json:"k"`
	*muscles.Variance
}

func findSynergies[F matrix.Float](a *app, c *musclesCmd, d *door, o *muscles.Options) error {
	set, err := muscles.Read[F](c.Input, o)
	if err != nil {
		return systemError(c.Input, err)
	}
	var tried []synergyNumber
	if c.K == 0 {
		if tried, err = tryNumbers(a, c, d, set); err != nil {
			return err
		}
	}
	var stable []stableNumber
	if len(tried) > 0 {
		if stable, err = stableNumbers(a, d, set, tried[len(tried)-1].K); err != nil {
			return inFile(c.Input, err)
		}
	}
	model, err := fitPrepared(a, d, c.Input, &set.Table)
	if err != nil {
		return err
	}
	if c.Plot != "" {
		if err := atomicfile.Write(c.Plot, muscles.Plot(model, set).WriteSVG); err != nil {
			return err
		}
	}
	synergies, activations := muscles.Synergies(model)
	if c.Synergies != "" {
		if err := data.Write(c.Synergies, &data.Table[float64]{X: synergies, RowNames: componentNames(d.k), ColumnNames: model.ColumnNames}, nil); err != nil {
			return err
		}
	}
	if c.Activations != "" {
		if err := data.Write(c.Activations, &data.Table[float64]{X: activations, RowNames: model.RowNames, ColumnNames: componentNames(d.k)}, nil); err != nil {
			return err
		}
	}
	if err := showSynergies(a, c, d, set, model, tried, stable); err != nil {
		return err
	}
	return cancelled(&model.Info, d.out)
}

// tryNumbers fits more and more synergies until they account for enough, and
// leaves their number in d. Where none is enough, as many as there are muscles
// are taken.
func tryNumbers[F matrix.Float](a *app, c *musclesCmd, d *door, set *muscles.Set[F]) ([]synergyNumber, error) {
	var tried []synergyNumber
	rows, cols := set.X.Dims()
	for k := 1; k <= min(rows, cols); k++ {
		o, err := d.options(a, d.Threads, d.Quiet)
		if err != nil {
			return nil, err
		}
		if _, err := d.cellFlags.into(a, o, beside{threads: o.Threads, quiet: d.Quiet}); err != nil {
			return nil, err
		}
		m, err := fitTable(a, &set.Table, k, o, d.Quiet)
		if err != nil {
			return nil, inFile(c.Input, err)
		}
		d.k = k
		v := muscles.Explained(m, set.X)
		tried = append(tried, synergyNumber{k, v})
		if v.Enough(c.VAF, c.VAFMuscle) || m.Info.Status == nmf.Cancelled {
			return tried, nil
		}
	}
	a.warn(d.Quiet, "no number of synergies up to %d accounts for %s of the whole and %s of every muscle", d.k, percent(c.VAF), percent(c.VAFMuscle))
	return tried, nil
}

// stableNumber is how well the synergies of all starts agree, for one number of
// them: the least and the mean silhouette, 1 where all are the same.
type stableNumber struct {
	K              int         `json:"k"`
	SilhouetteMin  rank.Number `json:"silhouette_min"`
	SilhouetteMean rank.Number `json:"silhouette_mean"`
	// Chosen is the last number that is stable.
	Chosen bool `json:"chosen,omitempty"`
}

// stableNumbers looks at the numbers of synergies up to two beyond the one that
// accounts for enough.
func stableNumbers[F matrix.Float](a *app, d *door, set *muscles.Set[F], k int) (list []stableNumber, err error) {
	fit, err := d.options(a, d.Threads, d.Quiet)
	if err != nil {
		return nil, err
	}
	rows, cols := set.X.Dims()
	var ks []int
	for n := 2; n <= min(k+2, rows, cols); n++ {
		ks = append(ks, n)
	}
	if ks == nil {
		return nil, nil
	}
	r, err := bySilhouettes(&set.Table, fit, ks, d.Quiet)
	if err != nil {
		return nil, err
	}
	for i := range r.K {
		list = append(list, stableNumber{r.K[i].K, r.K[i].SilhouetteMin, r.K[i].SilhouetteMean, r.K[i].K == r.Recommended.K})
	}
	return list, nil
}

func showSynergies[F matrix.Float](a *app, c *musclesCmd, d *door, set *muscles.Set[F], m *nmf.Model[F], tried []synergyNumber, stable []stableNumber) error {
	v := muscles.Explained(m, set.X)
	if c.JSON {
		return a.printJSON(struct {
			Points    int               `json:"points"`
			Muscles   []string          `json:"muscles,omitempty"`
			Variance  *muscles.Variance `json:"variance"`
			Tried     []synergyNumber   `json:"tried,omitempty"`
			Stable    []stableNumber    `json:"stable,omitempty"`
			Synergies int               `json:"synergies"`
			Model     string            `json:"model"`
			Plot      string            `json:"plot,omitempty"`
			Fit       nmf.Info          `json:"fit"`
		}{m.W.Rows, set.ColumnNames, v, tried, stable, m.K(), d.out.path, c.Plot, withoutTrace(m.Info)})
	}
	if c.Quiet {
		return nil
	}
	what := plural(m.W.Rows, "point")
	if set.Cycles > 0 {
		what += " of " + plural(set.Cycles, "cycle")
	}
	a.summarize(c.Input, what+", "+plural(m.H.Cols, "muscle"), &m.Info)
	least := 0
	for j, x := range v.Muscles {
		if x < v.Muscles[least] {
			least = j
		}
	}
	for i, t := range tried {
		head := ""
		if i == 0 {
			head = "number"
		}
		a.printf("%-8s%s: VAF %.4f\n", head, synergyText(t.K), t.VAF)
	}
	for i, s := range stable {
		head, chosen := "", ""
		if i == 0 {
			head = "stable"
		}
		if s.Chosen {
			chosen = ", the last number that is stable"
		}
		a.printf("%-8s%s: silhouettes of the starts' synergies from %.3f, mean %.3f%s\n", head, synergyText(s.K), float64(s.SilhouetteMin), float64(s.SilhouetteMean), chosen)
	}
	a.printf("VAF     %.4f of the whole with %s; R² %.4f\n", v.VAF, synergyText(m.K()), v.R2)
	name := fmt.Sprintf("muscle %d", least+1)
	if set.ColumnNames != nil {
		name = shown(set.ColumnNames[least])
	}
	a.printf("        %.4f of the worst muscle, %s\n", v.Muscles[least], name)
	if c.Plot != "" {
		a.printf("look    %s\n", c.Plot)
	}
	a.printf("model   %s, look at it with: nmf top %s\n", d.out.path, shellWord(d.out.path))
	d.again(a)
	return nil
}

func synergyText(k int) string {
	if k == 1 {
		return "1 synergy"
	}
	return fmt.Sprintf("%d synergies", k)
}
