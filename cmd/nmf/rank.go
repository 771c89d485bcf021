package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
)

type rankCmd struct {
	Input  string `arg:"" optional:"" needed:"" help:"Matrix to factorize, samples x features: a file, a 10x folder, or - for standard input."`
	K      string `short:"k" group:"Rank" default:"auto" placeholder:"LIST" help:"Numbers of components to try: 2:20, 2:20:3 (a step) or 2,3,5:9. auto is from 1 to 16, at most half the smaller side."`
	Output string `short:"o" group:"Output" placeholder:"FILE" help:"File to keep all numbers in: an .npz that numpy opens; or an .html page, as --report writes."`
	sweepFlags
	Criterion string `group:"Rank" type:"choice" placeholder:"NAME" help:"Measure, and choose by, this criterion alone."`
	Resume    string `group:"Rank" placeholder:"FOLDER" help:"Keep what is done in FOLDER, and go on from what is there: a sweep can be stopped and started again with the same command."`
	labelFlags
	reportFlags
	plotFlag
	solveFlags
	cellFlags
	inputFlags
	machineFlags
	cacheFlags
	outputFlags
}

// sweepFlags say how much a sweep measures.
type sweepFlags struct {
	Repeats          int     `group:"Rank" type:"count" default:"10" placeholder:"N" help:"Repeats of cross-validation and of bi-cross-validation."`
	HoldOut          float64 `group:"Rank" type:"number" default:"0.1" placeholder:"X" help:"Part of the cells that a repeat of cross-validation holds out."`
	Bootstraps       int     `group:"Rank" type:"count" default:"20" placeholder:"N" help:"Fits to samples drawn anew with repetition."`
	Resamples        int     `group:"Rank" type:"count" default:"20" placeholder:"N" help:"Fits to counts drawn anew, where the matrix holds counts."`
	Randomised       int     `group:"Rank" type:"count" default:"3" placeholder:"N" help:"Copies of the matrix with shuffled features."`
	ConsensusSamples int     `group:"Rank" type:"count" default:"2000" placeholder:"N" help:"Samples that the consensus matrix compares, at most; of more, that many are drawn."`
}

// check refuses what no data could make right.
func (f *sweepFlags) check(command string) error {
	for _, c := range []struct {
		flag       string
		value, min int
	}{{"repeats", f.Repeats, 2}, {"bootstraps", f.Bootstraps, 1}, {"resamples", f.Resamples, 1},
		{"randomised", f.Randomised, 1}, {"consensus-samples", f.ConsensusSamples, 2}} {
		if c.value < c.min {
			return usagef(command, "--%s is %d; it must be at least %d", c.flag, c.value, c.min)
		}
	}
	if !(f.HoldOut > 0 && f.HoldOut < 0.5) {
		return usagef(command, "--hold-out is %v; it must be above 0 and below 0.5", f.HoldOut)
	}
	return nil
}

func (c *rankCmd) defaults() map[string]string { return map[string]string{"runs": "20"} }

func (c *rankCmd) examples() [][2]string {
	return [][2]string{
		{"nmf rank counts.csv", "which k? every criterion"},
		{"nmf rank X.npy -k 2:20 --runs 50 -o rank.npz", "50 restarts, all numbers kept"},
		{"nmf rank X.npy -k 2:30:2 --resume sweep", "can be stopped, and goes on"},
		{"nmf rank X.npy -k 2:10 --criterion cv --json", "one criterion, for programs"},
		{"nmf rank X.npy -o rank.html --plot rank.svg", "to look at"},
	}
}

func (c *rankCmd) notes() string {
	return "A star marks the k that a criterion chooses. Each restart i of every k has the seed SEED+i, and --runs is at least 2. Ctrl-C ends the sweep; with --resume what is done is kept. docs/rank.md says what each criterion is, and what it is bad at."
}

func (c *rankCmd) Run(a *app) error {
	c.Threads = a.threads(c.Threads)
	if a.ranks != nil && c.Input == "-" {
		return errStdinOverRanks("rank")
	}
	if a.silent {
		c.Output, c.Report, c.Plot = "", "", ""
	}
	in, err := c.source("rank", c.Input, "the matrix to factorize", c.Threads)
	if err != nil {
		return err
	}
	if err := errors.Join(c.solveFlags.check("rank", 1), c.sweepFlags.check("rank"), c.cellFlags.check("rank"), c.machineFlags.check("rank"), c.cacheFlags.check(), c.onePoint("rank"), c.noStart("rank")); err != nil {
		return err
	}
	c.cellFlags.read(in)
	if c.Runs < 2 {
		return usagef("rank", "--runs is %d; it must be at least 2, for the restarts are compared", c.Runs)
	}
	if _, err := parseRanks("rank", c.K, math.MaxInt32, math.MaxInt32); err != nil {
		return err
	}
	if strings.EqualFold(filepath.Ext(c.Output), ".html") && c.Report == "" {
		c.Report, c.Output = c.Output, ""
	}
	if err := errors.Join(checkRankOutput(c.Output, c.Input), c.reportFlags.check("rank", c.Output, c.Input), c.plotFlag.check("rank", c.Output, c.Input)); err != nil {
		return err
	}
	if c.Precision == "f64" {
		return rankFile[float64](a, c, in)
	}
	return rankFile[float32](a, c, in)
}

// rankWriters are the formats that a sweep is kept in, by extension.
var rankWriters = map[string]func(path string, r *rank.Result) error{
	".npz": func(path string, r *rank.Result) error { return r.Save(path) },
}

// checkRankOutput finds out before the work whether the output can be written.
func checkRankOutput(path, input string) error {
	if path == "" {
		return nil
	}
	if rankWriters[strings.ToLower(filepath.Ext(path))] == nil {
		return usagef("rank", "the output %s must be an .npz file", path)
	}
	if sameFile(path, input) {
		return usagef("rank", "the output %s is the input itself: name another file with -o", path)
	}
	return errors.Join((&tableFlags{Output: path}).spare(), atomicfile.Check(path))
}

func rankFile[F matrix.Float](a *app, c *rankCmd, in source) error {
	ks, err := parseRanks("rank", c.K, math.MaxInt32, math.MaxInt32)
	if err != nil {
		return err
	}
	fit := c.fitOptions(c.Threads)
	t, done, err := openTable(a, in, fitting[F](slices.Max(ks), fit, &c.cellFlags, c.Cache, c.Quiet))
	if err != nil {
		return err
	}
	defer done()
	rows, cols := t.X.Dims()
	o := c.sweepOptions()
	if o.K, err = parseRanks("rank", c.K, rows, cols); err != nil {
		return err
	}
	if err := c.penaltyFlags.apply(a, fit, c.Quiet); err != nil {
		return err
	}
	closing, err := c.cellFlags.into(a, fit, besideFit(t.X, c.Transpose, c.Cache, fit, c.Quiet))
	if err != nil {
		return err
	}
	defer closing()
	o.Fit = *fit
	o.Runs = c.Runs
	o.State = c.Resume
	if c.Criterion != "" {
		o.Criteria = []string{c.Criterion}
	}
	if o.Labels, err = c.labels(a, t.RowNames, rows, c.Quiet); err != nil {
		return err
	}
	result, err := sweepTable(a, t, o, c.Quiet)
	if err != nil {
		return rankError(in.name(), err)
	}
	for _, n := range result.Notes {
		a.note(c.Quiet, "%s", n)
	}
	for _, f := range result.Failures {
		a.warn(c.Quiet, "%s", f)
	}
	if c.Output != "" {
		if err := rankWriters[strings.ToLower(filepath.Ext(c.Output))](c.Output, result); err != nil {
			return err
		}
	}
	if err := reportSweep(a, c, in, t, fit, result); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(result)
	}
	if !c.Quiet {
		a.printf("read    %s: %s\n", in.name(), describe(t.X))
		a.printf("fit     %s of each k, loss %s, seed %d\n\n", plural(c.Runs, "restart"), result.Loss, result.Seed)
	}
	a.printRank(result)
	if wrote := slices.DeleteFunc([]string{c.Output, c.Report, c.Plot}, func(path string) bool { return path == "" }); len(wrote) > 0 && !c.Quiet {
		a.printf("\nwrote %s\n", strings.Join(wrote, ", "))
	}
	return nil
}

// rankError says which file, and what to do.
func rankError(input string, err error) error {
	var stopped *statusError
	switch {
	case errors.As(err, &stopped):
		return err
	case errors.Is(err, rank.ErrState), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return err
	}
	return inFile(input, err)
}

func (f *sweepFlags) sweepOptions() *rank.Options {
	return &rank.Options{Repeats: f.Repeats, HoldOut: f.HoldOut, Bootstraps: f.Bootstraps, Resamples: f.Resamples,
		Randomised: f.Randomised, ConsensusSamples: f.ConsensusSamples}
}

// sweepTable sweeps with progress.
func sweepTable[F matrix.Float](a *app, t *data.Table[F], o *rank.Options, quiet bool) (*rank.Result, error) {
	o.Fit.RowNames, o.Fit.ColumnNames = t.RowNames, t.ColumnNames
	fit := o.Fit
	fit.Runs = o.Runs
	if fit.Init == "auto" {
		fit.Init = "random"
	}
	fit.Compression = "off"
	if err := a.together(boundMemory(t.X, o.K[len(o.K)-1], &fit, a.memory())); err != nil {
		return nil, err
	}
	o.Fit.Memory = fit.Memory
	o.Ranks = a.comm()
	p := newProgress(quiet || a.silent)
	if p != nil {
		o.Progress = p.sweep
	}
	notice := "nmf: stopping the sweep (Ctrl-C again quits at once)\n"
	message := "interrupted: nothing is kept; with --resume FOLDER a sweep can be stopped and go on"
	if o.State != "" {
		message = fmt.Sprintf("interrupted: what is done is in %s; the same command goes on from there", shellWord(o.State))
	}
	var result *rank.Result
	err := a.interrupts.during(notice, func(ctx context.Context) (err error) {
		result, err = rank.Sweep(ctx, t.X, o)
		return err
	})
	p.clear()
	if errors.Is(err, context.Canceled) {
		return nil, &statusError{1, message}
	}
	return result, err
}

// mostRanks bounds how many numbers of components are tried.
const mostRanks = 1000

// parseRanks reads numbers, ranges and lists of them. auto depends on the shape.
func parseRanks(command, text string, rows, cols int) ([]int, error) {
	if text == "auto" {
		return defaultRanks(rows, cols), nil
	}
	var ks []int
	for part := range strings.SplitSeq(text, ",") {
		fields := strings.Split(strings.TrimSpace(part), ":")
		numbers := make([]int, len(fields))
		for i, f := range fields {
			n, err := strconv.Atoi(f)
			if err != nil || n < 1 || n > matrix.MaxDim || len(fields) > 3 {
				return nil, usagef(command, "-k %q: %q is not a number from 1, a range FROM:TO or FROM:TO:STEP, nor auto", text, part)
			}
			numbers[i] = n
		}
		from, to, step := numbers[0], numbers[len(numbers)-1], 1
		if len(numbers) == 3 {
			to, step = numbers[1], numbers[2]
		}
		if to < from {
			return nil, usagef(command, "-k %q: the range %q ends before it begins", text, part)
		}
		if (to-from)/step+len(ks) >= mostRanks {
			return nil, usagef(command, "-k %q: more than %d numbers of components", text, mostRanks)
		}
		for k := from; k <= to; k += step {
			ks = append(ks, k)
		}
	}
	return ks, nil
}

// defaultRanks are 1 to 16, at most half the smaller side.
func defaultRanks(rows, cols int) []int {
	const most = 16
	var ks []int
	for k := 1; k <= max(2, min(most, min(rows, cols)/2)); k++ {
		ks = append(ks, k)
	}
	return ks
}

// rankColumn is a column of a table of a sweep.
type rankColumn struct {
	title string
	// criterion is the one whose choice a star marks, or "".
	criterion string
	value     func(k *rank.K) string
}

// printRank shows the numbers of every k and the recommendation.
func (a *app) printRank(r *rank.Result) {
	number := func(format string, of func(k *rank.K) rank.Number) func(k *rank.K) string {
		return func(k *rank.K) string {
			if v := float64(of(k)); !math.IsNaN(v) {
				return fmt.Sprintf(format, v)
			}
			return ""
		}
	}
	withError := func(v, se func(k *rank.K) rank.Number) func(k *rank.K) string {
		return func(k *rank.K) string {
			value, spread := number("%.4g", v)(k), number("%.1g", se)(k)
			if value == "" || spread == "" {
				return value
			}
			return value + " ± " + spread
		}
	}
	tables := [][]rankColumn{{
		{"error", "", number("%.4f", func(k *rank.K) rank.Number { return k.RelativeError })},
		{"explained", "", number("%.4f", func(k *rank.K) rank.Number { return k.ExplainedVariance })},
		{"BIC", "bic", number("%.6g", func(k *rank.K) rank.Number { return k.BIC })},
		{"AIC", "aic", number("%.6g", func(k *rank.K) rank.Number { return k.AIC })},
		{"loss", "", number("%.4g", func(k *rank.K) rank.Number { return k.Loss })},
		{"randomised", "randomised", number("%.4g", func(k *rank.K) rank.Number { return k.RandomLoss })},
	}, {
		{"cross-validation", "cv", withError(func(k *rank.K) rank.Number { return k.CVError }, func(k *rank.K) rank.Number { return k.CVErrorSE })},
		{"bi-cross-validation", "bcv", withError(func(k *rank.K) rank.Number { return k.BCVError }, func(k *rank.K) rank.Number { return k.BCVErrorSE })},
		{"bootstrap", "bootstrap", number("%.3f", func(k *rank.K) rank.Number { return k.BootstrapMin })},
		{"Poisson", "poisson", number("%.3f", func(k *rank.K) rank.Number { return k.PoissonMin })},
	}, {
		{"cophenetic", "cophenetic", number("%.4f", func(k *rank.K) rank.Number { return k.Cophenetic })},
		{"dispersion", "dispersion", number("%.3f", func(k *rank.K) rank.Number { return k.Dispersion })},
		{"PAC", "pac", number("%.3f", func(k *rank.K) rank.Number { return k.PAC })},
		{"silhouette", "silhouette", number("%.3f", func(k *rank.K) rank.Number { return k.SilhouetteMin })},
		{"(mean)", "", number("%.3f", func(k *rank.K) rank.Number { return k.SilhouetteMean })},
		{"Amari", "amari", number("%.4f", func(k *rank.K) rank.Number { return k.Amari })},
	}, {
		{"ARI", "", agreement("%.3f", func(g *rank.Agreement) float64 { return g.ARI })},
		{"NMI", "", agreement("%.3f", func(g *rank.Agreement) float64 { return g.NMI })},
		{"purity", "", agreement("%.3f", func(g *rank.Agreement) float64 { return g.Purity })},
		{"misplaced", "", agreement("%.0f", func(g *rank.Agreement) float64 { return float64(g.Misplaced) })},
	}}
	for _, columns := range tables {
		a.printRankTable(r, columns)
	}
	for _, line := range wrap(r.Recommended.Why, min(helpWidth, terminalWidth())) {
		a.printf("%s\n", line)
	}
}

func agreement(format string, of func(*rank.Agreement) float64) func(k *rank.K) string {
	return func(k *rank.K) string {
		if k.Agreement == nil {
			return ""
		}
		return fmt.Sprintf(format, of(k.Agreement))
	}
}

// printRankTable shows the columns that hold anything.
func (a *app) printRankTable(r *rank.Result, columns []rankColumn) {
	var head []string
	var cells [][]string
	for _, c := range columns {
		column := make([]string, len(r.K))
		known := false
		for i := range r.K {
			k := &r.K[i]
			if column[i] = c.value(k); column[i] != "" {
				known = true
			}
			mark := " "
			if chosen, ok := r.Recommended.ByCriterion[c.criterion]; ok && chosen == k.K {
				mark = "*"
			}
			column[i] += mark
		}
		if known {
			head, cells = append(head, c.title+" "), append(cells, column)
		}
	}
	if len(head) == 0 {
		return
	}
	line := "   k"
	for i, h := range head {
		line += padLeft(h, columnWidth(h, cells[i]))
	}
	a.printf("%s\n", strings.TrimRight(line, " "))
	for i := range r.K {
		line := padLeft(fmt.Sprint(r.K[i].K), 4)
		for j, h := range head {
			line += padLeft(cells[j][i], columnWidth(h, cells[j]))
		}
		a.printf("%s\n", strings.TrimRight(line, " "))
	}
	a.printf("\n")
}

func columnWidth(head string, cells []string) int {
	width := displayWidth(head)
	for _, c := range cells {
		width = max(width, displayWidth(c))
	}
	return width + 2
}

// chooseK finds the number of components for fit -k auto.
func chooseK[F matrix.Float](a *app, t *data.Table[F], fit *nmf.Options, quiet bool) (*rank.Recommendation, error) {
	rows, cols := t.X.Dims()
	o := &rank.Options{Fit: *fit, K: defaultRanks(rows, cols), Runs: max(20, fit.Runs)}
	result, err := sweepTable(a, t, o, quiet)
	if err != nil {
		return nil, err
	}
	for _, f := range result.Failures {
		a.warn(quiet, "%s", f)
	}
	r := &result.Recommended
	if r.K == 0 {
		return nil, fmt.Errorf("no number of components could be chosen: %s Say -k K, or look at it with nmf rank", r.Why)
	}
	return r, nil
}

// isFolder says that path is a folder that is there.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
