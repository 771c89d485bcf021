package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/report"
)

// solveFlags say how to factorize.
type solveFlags struct {
	Solver          string  `group:"Fit" type:"choice" default:"auto" placeholder:"NAME" help:"Update rule (auto is hals, or newton for losses that are not quadratic)."`
	Init            string  `group:"Fit" type:"choice" default:"auto" placeholder:"NAME" help:"Start (auto is nndsvd, or random with several runs, with mu, or with K above the smaller side)."`
	Seed            uint64  `group:"Fit" type:"count" default:"0" placeholder:"N" help:"Seed of all random numbers. The same seed gives the same model."`
	Runs            int     `group:"Fit" type:"count" default:"1" placeholder:"N" help:"Starts; the one with the least loss is kept. Run i has the seed SEED+i."`
	MaxIter         int     `group:"Fit" type:"count" default:"500" placeholder:"N" help:"Most iterations of a run."`
	Tol             float64 `group:"Fit" type:"number" default:"1e-4" placeholder:"X" help:"Stop when the KKT residual is at most this; 0 for never."`
	LossTol         float64 `group:"Fit" type:"number" default:"1e-6" placeholder:"X" help:"Stop when an iteration lowers the loss by less than this part of it; 0 for never."`
	TargetError     float64 `group:"Fit" type:"number" default:"0" placeholder:"X" help:"Stop when the relative error |X-WH|/|X| is at most this; 0 for never."`
	InnerSweeps     int     `group:"Fit" type:"count" default:"0" placeholder:"N" help:"Repetitions of hals and mu on the same products; 0 chooses."`
	NoExtrapolation bool    `group:"Fit" help:"No momentum in hals and bpp, and no beginning with some of the rows."`
	Compression     string  `group:"Fit" type:"choice" default:"auto" placeholder:"NAME" help:"Start large dense data on a low-rank sketch."`
	Precision       string  `group:"Fit" type:"choice" default:"f32" placeholder:"NAME" help:"Numbers of 32 or 64 bits."`
	InitW           string  `group:"Fit" placeholder:"FILE" help:"Matrix (samples x up to K) that W starts at."`
	InitH           string  `group:"Fit" placeholder:"FILE" help:"Matrix (up to K x features) that H starts at."`
	lossFlags
	penaltyFlags
	Memory string `group:"Machine" placeholder:"SIZE" help:"Memory to use, at most, such as 4GB; fewer runs are then made at a time. Default: what the machine has."`
}

// check refuses what no data could make right.
func (f *solveFlags) check(command string, k int) error {
	if err := checkK(command, k); err != nil {
		return err
	}
	switch {
	case f.Runs < 1:
		return usagef(command, "--runs is %d; it must be at least 1", f.Runs)
	case f.MaxIter < 1:
		return usagef(command, "--max-iter is %d; it must be at least 1", f.MaxIter)
	case f.InnerSweeps < 0:
		return usagef(command, "--inner-sweeps is %d; it must be at least 0", f.InnerSweeps)
	case f.TargetError < 0 || f.TargetError >= 1:
		return usagef(command, "--target-error is %v; it must be at least 0 and below 1", f.TargetError)
	}
	return errors.Join(checkMemory(command, f.Memory), checkTol(command, "--tol", f.Tol), checkTol(command, "--loss-tol", f.LossTol), f.penaltyFlags.check(command))
}

// noStart refuses given starts where restarts are compared.
func (f *solveFlags) noStart(command string) error {
	for _, s := range []struct{ name, path string }{{"init-w", f.InitW}, {"init-h", f.InitH}} {
		if s.path != "" {
			return usagef(command, "--%s %s: a given start is the same for every restart, and restarts are compared here; leave it out, or use nmf fit", s.name, s.path)
		}
	}
	return nil
}

// checkTol refuses tolerances that are none; 0 is never.
func checkTol(command, flag string, tol float64) error {
	if tol < 0 || math.IsInf(tol, 0) {
		return usagef(command, "%s is %v; it must be at least 0 and finite, where 0 is never", flag, tol)
	}
	return nil
}

// checkK refuses numbers of components that no matrix could have.
func checkK(command string, k int) error {
	if k < 1 || k > matrix.MaxDim {
		return usagef(command, "-k is %d; the number of components must be from 1 to %d", k, matrix.MaxDim)
	}
	return nil
}

// options gives the library's options, with what is in the files that flags
// name.
func (f *solveFlags) options(a *app, threads int, quiet bool) (*nmf.Options, error) {
	o := f.fitOptions(threads)
	return o, f.load(a, o, quiet)
}

// load reads the files of starts, penalties and constraints into o.
func (f *solveFlags) load(a *app, o *nmf.Options, quiet bool) (err error) {
	if o.W, err = given(a, f.InitW, o.Threads, quiet); err != nil {
		return err
	}
	if o.H, err = given(a, f.InitH, o.Threads, quiet); err != nil {
		return err
	}
	return f.penaltyFlags.apply(a, o, quiet)
}

// fitOptions gives the options that are not in files.
func (f *solveFlags) fitOptions(threads int) *nmf.Options {
	o := &nmf.Options{Solver: f.Solver, Init: f.Init, Seed: f.Seed, Runs: f.Runs, MaxIter: f.MaxIter,
		Tol: orNever(f.Tol), LossTol: orNever(f.LossTol), TargetError: f.TargetError, InnerSweeps: f.InnerSweeps,
		NoExtrapolation: f.NoExtrapolation, Compression: f.Compression, Memory: parseBytes(f.Memory), Threads: threads}
	f.lossFlags.apply(o)
	return o
}

// orNever gives what the library takes for "never" where the flag is 0.
func orNever(tol float64) float64 {
	if tol <= 0 {
		return -1
	}
	return tol
}

// kMissing is the default of -k: no number that anybody means.
const kMissing = math.MinInt32

// kAuto is -k auto.
const kAuto = kMissing + 1

type fitCmd struct {
	Input  string `arg:"" optional:"" needed:"" help:"Matrix to factorize, samples x features: a file, a 10x folder, or - for standard input."`
	K      int    `short:"k" group:"Fit" type:"components" needed:"" default:"-2147483648" placeholder:"K" help:"Number of components, or auto: the one that nmf rank recommends."`
	Output string `short:"o" group:"Output" placeholder:"FILE" help:"Model to write, an .npz file. Default: INPUT.model.npz in the current folder."`
	labelFlags
	solveFlags
	Online bool `group:"Online" help:"Learn batch by batch instead of iterating over the whole matrix; standard input is learnt as it comes, and need not end."`
	onlineFlags
	cellFlags
	reportFlags
	drawFlags
	inputFlags
	machineFlags
	cacheFlags
	overFlags
	checkpointFlags
	outputFlags
}

func (c *fitCmd) examples() [][2]string {
	return [][2]string{
		{"nmf fit counts.csv -k 20 -o model.npz", "20 components"},
		{"nmf fit counts.csv -k auto -o model.npz", "as nmf rank says"},
		{"nmf fit X.npy -k 10 --runs 20 --seed 1 -o model.npz", "best of 20 starts"},
		{"nmf fit X.npy -k 10 --report report.html", "with a page to look at"},
		{"nmf fit genes.mtx.gz -k 30 --transpose -o model.npz", "rows are features"},
		{"zcat big.csv.gz | nmf fit - -k 8 -o model.npz", "standard input"},
		{"tail -f log.csv | nmf fit - -k 8 --online", "a stream, until Ctrl-C"},
		{"nmf fit counts.mtx -k 20 --loss kl", "counts"},
		{"nmf fit ratings.mtx -k 10 --missing unstored", "ratings"},
		{"mpirun -n 8 nmf fit X.npy -k 50", "8 processes"},
		{"nmf fit X.npy -k 50 --checkpoint state --resume", "goes on after a kill"},
	}
}

func (c *fitCmd) notes() string {
	return "Ctrl-C ends the fit, saves the best model so far and exits with status 1; a second one quits at once. An existing file is replaced only if it is a model."
}

func (c *fitCmd) Run(a *app) error {
	c.Threads = a.threads(c.Threads)
	in, err := c.source("fit", c.Input, "the matrix to factorize", c.Threads)
	if err != nil {
		return err
	}
	if c.K == kMissing {
		return usagef("fit", "the number of components is missing: say -k K, such as -k 10")
	}
	k := c.K
	if k == kAuto {
		k = 1
		if c.InitW+c.InitH != "" {
			return usagef("fit", "-k auto and a given start exclude each other: say -k K")
		}
		if p, err := c.penaltyPath("fit"); err != nil {
			return err
		} else if p.values != nil {
			return usagef("fit", "-k auto and --%s with several values exclude each other: say -k K", p.name)
		}
	}
	if err := errors.Join(c.solveFlags.check("fit", k), c.cellFlags.check("fit"), c.machineFlags.check("fit"), c.checkpointFlags.check("fit"), c.cacheFlags.check()); err != nil {
		return err
	}
	if err := c.checkOnline(); err != nil {
		return err
	}
	c.cellFlags.read(in)
	if c.Output == "" {
		c.Output = defaultModelPath(c.Input)
	}
	if err := c.checkRanks(a); err != nil {
		return err
	}
	out, err := a.modelOutput("fit", c.Output)
	if err != nil {
		return err
	}
	if err := c.reportFlags.check("fit", c.Output, c.Input); err != nil {
		return err
	}
	single, double := fitFile[float32], fitFile[float64]
	if c.Online && isStream(c.Input) {
		single, double = fitStream[float32], fitStream[float64]
	}
	if c.Precision == "f64" {
		return double(a, c, in, out)
	}
	return single(a, c, in, out)
}

func fitFile[F matrix.Float](a *app, c *fitCmd, in source, out modelOutput) error {
	o := c.fitOptions(c.Threads)
	if c.Online {
		o.Online = c.onlineFlags.options()
	}
	var err error
	if o.Grid, err = c.grid(); err != nil {
		return err
	}
	t, done, err := openFit[F](a, c, in, o)
	if err != nil {
		return err
	}
	defer done()
	if err := c.solveFlags.load(a, o, c.Quiet); err != nil {
		return err
	}
	if err := a.ranks.ownRows(o); err != nil {
		return err
	}
	closing, err := c.cellFlags.into(a, o, besideFit(t.X, c.Transpose, c.Cache, o, c.Quiet))
	if err != nil {
		return err
	}
	defer closing()
	rows, _ := t.X.Dims()
	labels, err := c.labels(a, t.RowNames, rows, c.Quiet)
	if err != nil {
		return err
	}
	var chosen *rank.Recommendation
	if c.K == kAuto {
		if chosen, err = chooseK(a, t, o, c.Quiet); err != nil {
			return rankError(in.name(), err)
		}
		c.K = chosen.K
	}
	along, err := c.penaltyPath("fit")
	if err != nil {
		return err
	}
	if along.values != nil {
		if c.Checkpoint != "" {
			return usagef("fit", "--checkpoint is of one fit, and a path of penalties makes several")
		}
		if c.Report != "" {
			return usagef("fit", "--report is of one model, and a path of penalties makes several: run nmf report on those")
		}
		return fitPath(a, c, in, t, along, o, out)
	}
	rows, cols := t.X.Dims()
	drawing, err := c.drawing("fit", t.ColumnNames, cols)
	if err != nil {
		return err
	}
	page, err := c.begin(a, in.name(), drawing, report.FromMatrix(t.X), t.RowNames, rows, c.Quiet)
	if err != nil {
		return err
	}
	c.checkpointFlags.into(a, o, c.Quiet)
	model, err := fitTable(a, t, c.K, o, c.Quiet)
	if err != nil {
		return inFile(in.name(), err)
	}
	traffic, err := a.traffic(model.Info.Resolved.Grid)
	if err != nil {
		return err
	}
	if err := saveModel(a, model, out, c.Quiet); err != nil || a.silent {
		return err
	}
	var agreed *rank.Agreement
	if labels != nil {
		g := rank.Agree(rank.Dominant(model), labels)
		agreed = &g
	}
	if err := c.finish(page, wider(model)); err != nil {
		return err
	}
	if c.JSON {
		err = a.printJSON(fitResult{withoutTrace(model.Info), chosen, agreed, traffic})
	} else if !c.Quiet {
		a.summarize(in.name(), a.describeRows(describe(t.X)), &model.Info)
		if traffic != nil {
			a.printf("ranks   %s\n", traffic.text())
		}
		if chosen != nil {
			a.printf("chosen  %s\n", strings.Join(wrap(chosen.Why, min(helpWidth, terminalWidth())-8), "\n        "))
		}
		if agreed != nil {
			a.printf("labels  %s\n", agreementText(agreed))
		}
		a.printf("model   %s, look at it with: nmf top %s\n", out.path, shellWord(out.path))
		if c.Report != "" {
			a.printf("report  %s\n", c.Report)
		}
	}
	return errors.Join(err, cancelled(&model.Info, out))
}

// fitResult is what a fit prints as JSON.
type fitResult struct {
	nmf.Info
	Recommended *rank.Recommendation `json:"recommended,omitempty"`
	Agreement   *rank.Agreement      `json:"agreement,omitempty"`
	Traffic     *rankTraffic         `json:"traffic,omitempty"`
}

// given reads a factor to start at.
func given(a *app, path string, threads int, quiet bool) (*matrix.Dense[float64], error) {
	if path == "" {
		return nil, nil
	}
	d, err := readSide(a, path, threads, quiet)
	if err != nil {
		return nil, err
	}
	for i := range d.Rows {
		for j, v := range d.Row(i) {
			if v < 0 {
				return nil, inFile(path, &nmf.CellError{Row: i, Column: j, Value: v, Err: nmf.ErrNegative})
			}
		}
	}
	return d, nil
}

// fitTable fits with progress. Ctrl-C gives the best model so far.
func fitTable[F matrix.Float](a *app, t *data.Table[F], k int, o *nmf.Options, quiet bool) (*nmf.Model[F], error) {
	o.RowNames, o.ColumnNames = t.RowNames, t.ColumnNames
	if err := a.together(boundMemory(t.X, k, o, a.memory())); err != nil {
		return nil, err
	}
	p := newProgress(quiet || a.silent)
	if p != nil {
		o.Progress = p.report
	}
	var model *nmf.Model[F]
	notice, message := "nmf: stopping; the best model so far will be saved (Ctrl-C again quits at once)\n", "interrupted before the first iteration: there is no model to save"
	if o.Checkpoint != nil {
		notice = "nmf: stopping after this iteration; the state and the best model so far will be saved (Ctrl-C again quits at once)\n"
		message = "interrupted before there is a model to save; " + goOn(o.Checkpoint)
	}
	err := a.interrupts.during(notice,
		func(ctx context.Context) (err error) {
			model, err = fitOver(ctx, a, t.X, k, o)
			return err
		})
	p.clear()
	if errors.Is(err, context.Canceled) {
		return nil, &statusError{1, message}
	}
	return model, err
}

// saveModel writes a model and passes its warnings on.
func saveModel[F matrix.Float](a *app, m *nmf.Model[F], out modelOutput, quiet bool) error {
	if a.silent {
		return nil
	}
	for _, w := range m.Info.Warnings {
		a.warn(quiet, "%s", w)
	}
	if err := m.Save(out.path); err != nil {
		return fmt.Errorf("the model could not be saved: %w", err)
	}
	if out.replaces {
		a.note(quiet, "%s: the model that was there is replaced", out.path)
	}
	a.settleCheckpoint(&m.Info, quiet)
	return nil
}

// cancelled is the end of a fit that Ctrl-C ended before all runs were done.
func cancelled(i *nmf.Info, out modelOutput) error {
	stopped := func(r nmf.RunInfo) bool { return r.Status == nmf.Cancelled }
	if len(i.Runs) == i.Resolved.Runs && !slices.ContainsFunc(i.Runs, stopped) {
		return nil
	}
	after := plural(i.Iterations, "iteration")
	if i.Online != nil {
		after = plural(i.Online.Rows, "row")
	}
	if i.Resolved.Runs > 1 {
		after = fmt.Sprintf("%d of %s", len(slices.DeleteFunc(slices.Clone(i.Runs), stopped)), plural(i.Resolved.Runs, "run"))
	}
	return &statusError{1, fmt.Sprintf("interrupted: the best model so far, after %s, is in %s", after, out.path)}
}

// withoutTrace is what a fit prints as JSON.
func withoutTrace(i nmf.Info) nmf.Info {
	i.Trace = nil
	return i
}

// summarize says what was read and what came out.
func (a *app) summarize(input, x string, i *nmf.Info) {
	a.printf("read    %s: %s\n", input, x)
	a.summarizeFit(i)
}

// summarizeFit says what came out.
func (a *app) summarizeFit(i *nmf.Info) {
	r := &i.Resolved
	what := plural(i.Iterations, "iteration")
	if i.Online != nil {
		what = plural(i.Online.Rows, "row") + " online"
	}
	a.printf("fit     k = %d with %s from %s, %s: %s in %s on %s\n", i.K, r.Solver, r.Init, i.Precision,
		what, shortDuration(seconds(i.Seconds)), plural(min(r.Threads, runtime.NumCPU()), "thread"))
	a.printf("%s\n", lossText(i.LossName, i.RelativeError, i.Loss))
	a.printf("end     %s\n", statusText(i))
	if i.Resolved.Runs > 1 {
		a.printf("runs    %s\n", runsText(i))
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// explained is the part of ‖X‖² that a fit explains.
func explained(relativeError float64) float64 { return 1 - relativeError*relativeError }

// statusText says in words why a fit ended.
func statusText(i *nmf.Info) string {
	r := &i.Resolved
	kkt := fmt.Sprintf("KKT residual %.1e", i.KKT)
	if i.Online != nil {
		return onlineText(i)
	}
	switch i.Status {
	case nmf.Converged:
		if r.TargetError > 0 && i.RelativeError <= r.TargetError {
			return fmt.Sprintf("reached the target error %g; %s", r.TargetError, kkt)
		}
		if i.KKT > r.Tol {
			return "converged: X is reproduced to rounding"
		}
		return fmt.Sprintf("converged: %s is within %g", kkt, r.Tol)
	case nmf.Stalled:
		if r.LossTol < 0 {
			return fmt.Sprintf("stopped: the loss does not fall any more; %s", kkt)
		}
		return fmt.Sprintf("stopped: the loss falls by less than %g of itself an iteration; %s", r.LossTol, kkt)
	case nmf.IterationLimit:
		return fmt.Sprintf("not converged after %s; %s; raise --max-iter to go on", plural(r.MaxIter, "iteration"), kkt)
	}
	return fmt.Sprintf("interrupted; %s", kkt)
}

// runsText compares the runs.
func runsText(i *nmf.Info) string {
	errs := make([]float64, len(i.Runs))
	for j, r := range i.Runs {
		errs[j] = r.RelativeError
	}
	slices.Sort(errs)
	return fmt.Sprintf("best of %d is the one with seed %d; relative errors from %.4g to %.4g, median %.4g", len(i.Runs), i.Runs[i.BestRun].Seed,
		errs[0], errs[len(errs)-1], errs[len(errs)/2])
}

// describe says what a matrix is in a few words.
func describe[F matrix.Float](x matrix.Matrix[F]) string {
	rows, cols := x.Dims()
	nonzero, kind := 0, "dense"
	switch x := x.(type) {
	case *matrix.Dense[F]:
		for i := range rows {
			nonzero += countNonzero(x.Row(i))
		}
	case *matrix.CSR[F]:
		nonzero, kind = countNonzero(x.Val), "sparse"
	case *matrix.Streamed[F]:
		return fmt.Sprintf("%s x %s, dense, block by block", plural(rows, "sample"), plural(cols, "feature"))
	case *matrix.StreamedCSR[F]:
		return fmt.Sprintf("%s x %s, sparse, %s, block by block", plural(rows, "sample"), plural(cols, "feature"), plural(x.Stored, "stored cell"))
	}
	return fmt.Sprintf("%s x %s, %s, %s of the cells above zero", plural(rows, "sample"), plural(cols, "feature"), kind,
		percent(float64(nonzero)/(float64(rows)*float64(cols))))
}

func countNonzero[F matrix.Float](values []F) int {
	n := 0
	for _, v := range values {
		if v != 0 {
			n++
		}
	}
	return n
}
