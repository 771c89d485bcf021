package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/report"
)

type consensusCmd struct {
	Input      string  `arg:"" optional:"" needed:"" help:"Matrix to factorize, samples x features: a file, a 10x folder, or - for standard input."`
	K          int     `short:"k" group:"Fit" type:"count" needed:"" default:"-2147483648" placeholder:"K" help:"Number of components."`
	Output     string  `short:"o" group:"Output" placeholder:"FILE" help:"Model to write, an .npz file. Default: INPUT.model.npz in the current folder."`
	Spread     string  `group:"Output" placeholder:"FILE" help:"Write the quantiles of every entry of W and H, and the consensus of the samples' clusters, to this .npz file."`
	Threshold  float64 `group:"Consensus" type:"number" default:"0.5" placeholder:"X" help:"Leave out components whose mean distance to their nearest neighbours is this or more, between vectors of unit length; 2 keeps all."`
	Neighbours float64 `group:"Consensus" type:"number" default:"0.3" placeholder:"X" help:"Part of the runs that makes the number of neighbours."`
	Bootstrap  bool    `group:"Consensus" help:"Fit each run to samples drawn anew with repetition: the quantiles are intervals under resampling."`
	Quantiles  string  `group:"Consensus" default:"0.025,0.25,0.5,0.75,0.975" placeholder:"LIST" help:"Quantiles of the entries of W and H."`
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

func (c *consensusCmd) defaults() map[string]string { return map[string]string{"runs": "100"} }

func (c *consensusCmd) examples() [][2]string {
	return [][2]string{
		{"nmf consensus counts.csv -k 8", "what recurs in 100 runs"},
		{"nmf consensus X.npy -k 8 --threshold 0.2", "stricter about outliers"},
		{"nmf consensus X.npy -k 8 --bootstrap --spread spread.npz", "intervals for every entry"},
	}
}

func (c *consensusCmd) notes() string {
	return "The components of all runs are scaled to unit length, those far from their neighbours are left out, and the medians of k clusters of the others are the model's components; W is fitted to those (Kotliar et al. 2019). Run i has the seed SEED+i."
}

func (c *consensusCmd) Run(a *app) error {
	c.Threads = a.threads(c.Threads)
	if a.ranks != nil && c.Input == "-" {
		return errStdinOverRanks("consensus")
	}
	if a.silent {
		c.Spread, c.Report, c.Plot = "", "", ""
	}
	in, err := c.source("consensus", c.Input, "the matrix to factorize", c.Threads)
	if err != nil {
		return err
	}
	if c.K == kMissing {
		return usagef("consensus", "the number of components is missing: say -k K, such as -k 8, or ask nmf rank which")
	}
	if err := errors.Join(c.solveFlags.check("consensus", c.K), c.cellFlags.check("consensus"), c.machineFlags.check("consensus"), c.cacheFlags.check(), c.onePoint("consensus"), c.noStart("consensus")); err != nil {
		return err
	}
	c.cellFlags.read(in)
	switch {
	case c.Runs < 2:
		return usagef("consensus", "--runs is %d; it must be at least 2", c.Runs)
	case !(c.Threshold > 0) || math.IsInf(c.Threshold, 0):
		return usagef("consensus", "--threshold is %v; it must be above 0 and finite", c.Threshold)
	case !(c.Neighbours > 0 && c.Neighbours <= 1):
		return usagef("consensus", "--neighbours is %v; it must be above 0 and at most 1", c.Neighbours)
	}
	if _, err := parseQuantiles(c.Quantiles); err != nil {
		return err
	}
	if c.Output == "" {
		c.Output = defaultModelPath(c.Input)
	}
	out, err := a.modelOutput("consensus", c.Output)
	if err != nil {
		return err
	}
	if err := errors.Join(c.checkSpread(), c.reportFlags.check("consensus", c.Output, c.Input), c.plotFlag.check("consensus", c.Output, c.Input)); err != nil {
		return err
	}
	if c.Precision == "f64" {
		return consensusFile[float64](a, c, in, out)
	}
	return consensusFile[float32](a, c, in, out)
}

func (c *consensusCmd) checkSpread() error {
	switch {
	case c.Spread == "":
		return nil
	case strings.ToLower(filepath.Ext(c.Spread)) != ".npz":
		return usagef("consensus", "the spread %s must be an .npz file", c.Spread)
	case sameFile(c.Spread, c.Input):
		return usagef("consensus", "the spread %s is the input itself: name another file", c.Spread)
	case filepath.Clean(c.Spread) == filepath.Clean(c.Output):
		return usagef("consensus", "-o and --spread name the same file")
	}
	return errors.Join((&tableFlags{Output: c.Spread}).spare(), atomicfile.Check(c.Spread))
}

func parseQuantiles(text string) ([]float64, error) {
	var out []float64
	for part := range strings.SplitSeq(text, ",") {
		q, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return nil, usagef("consensus", "--quantiles %q: %q is not a number from 0 to 1", text, part)
		}
		out = append(out, q)
	}
	return out, nil
}

func consensusFile[F matrix.Float](a *app, c *consensusCmd, in source, out modelOutput) error {
	fit := c.fitOptions(c.Threads)
	t, done, err := openTable(a, in, fitting[F](c.K, fit, &c.cellFlags, c.Cache, c.Quiet))
	if err != nil {
		return err
	}
	defer done()
	rows, _ := t.X.Dims()
	labels, err := c.labels(a, t.RowNames, rows, c.Quiet)
	if err != nil {
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
	fit.RowNames, fit.ColumnNames = t.RowNames, t.ColumnNames
	o := &rank.ConsensusOptions{Fit: *fit, Runs: c.Runs, Neighbours: c.Neighbours, Threshold: c.Threshold, Bootstrap: c.Bootstrap, Ranks: a.comm()}
	if o.Quantiles, err = parseQuantiles(c.Quantiles); err != nil {
		return err
	}
	p := newProgress(c.Quiet || a.silent)
	if p != nil {
		o.Progress = p.sweep
	}
	var result *rank.Recurrent[F]
	err = a.interrupts.during("nmf: stopping (Ctrl-C again quits at once)\n", func(ctx context.Context) (err error) {
		result, err = rank.Consensus(ctx, t.X, c.K, o)
		return err
	})
	p.clear()
	if errors.Is(err, context.Canceled) {
		return &statusError{1, "interrupted: there is no consensus to save"}
	}
	if err != nil {
		return inFile(in.name(), err)
	}
	if a.silent {
		return nil
	}
	for _, f := range result.Failures {
		a.warn(c.Quiet, "%s", f)
	}
	if err := saveModel(a, result.Model, out, true); err != nil {
		return err
	}
	if out.replaces {
		a.note(c.Quiet, "%s: the model that was there is replaced", out.path)
	}
	if c.Spread != "" {
		if err := result.SaveSpread(c.Spread); err != nil {
			return err
		}
	}
	if c.Report != "" || c.Plot != "" {
		page := &report.Input{Consensus: consensusSection(result)}
		if err := showResult(a, &c.reportFlags, &c.plotFlag, in, t, result.Model, page, "consensus", c.Quiet); err != nil {
			return err
		}
	}
	var agreed *rank.Agreement
	if labels != nil {
		g := rank.Agree(rank.Dominant(result.Model), labels)
		agreed = &g
	}
	if c.JSON {
		return a.printJSON(struct {
			*rank.Recurrent[F]
			RelativeError float64         `json:"relative_error"`
			Loss          float64         `json:"loss"`
			K             int             `json:"k"`
			Model         string          `json:"model"`
			Agreement     *rank.Agreement `json:"agreement,omitempty"`
		}{result, result.Model.Info.RelativeError, result.Model.Info.Loss, c.K, out.path, agreed})
	}
	if !c.Quiet {
		a.printConsensus(c, in.name(), describe(t.X), &result.Model.Info, summaryOf(result), agreed)
		a.printf("model   %s, look at it with: nmf top %s\n", out.path, shellWord(out.path))
		if c.Spread != "" {
			a.printf("spread  %s\n", c.Spread)
		}
	}
	return nil
}

// consensusSummary is what of a consensus is shown.
type consensusSummary struct {
	runs, kept, outliers   int
	components             []rank.Recurrence
	cophenetic, dispersion float64
}

func summaryOf[F matrix.Float](r *rank.Recurrent[F]) consensusSummary {
	return consensusSummary{r.Runs, r.Kept, r.Outliers, r.Components, float64(r.Cophenetic), float64(r.Dispersion)}
}

func (a *app) printConsensus(c *consensusCmd, input, x string, i *nmf.Info, s consensusSummary, agreed *rank.Agreement) {
	best := i.Runs[i.BestRun]
	a.printf("read    %s: %s\n", input, x)
	a.printf("runs    %s of k = %d: %s were clustered, %s left out as outliers\n", thousands(s.runs), i.K, plural(s.kept, "component"), thousands(s.outliers))
	a.printf("error   relative %.4g (‖X−WH‖/‖X‖), that of the best run %.4g\n", i.RelativeError, best.RelativeError)
	clusters := fmt.Sprintf("dispersion %.3f", s.dispersion)
	if !math.IsNaN(s.cophenetic) {
		clusters = fmt.Sprintf("cophenetic correlation %.4f, ", s.cophenetic) + clusters
	}
	a.printf("samples %s\n", clusters)
	if agreed != nil {
		a.printf("labels  %s\n", agreementText(agreed))
	}
	a.printf("\ncomponent   share   runs  stability  silhouette\n")
	for j, r := range s.components {
		a.printf("%9d  %6s  %5s  %9.4f  %10.4f\n", j+1, percent(r.Share), percent(r.Runs), r.Stability, r.Silhouette)
	}
	a.printf("\n")
}

// agreementText compares clusters with labels in a line.
func agreementText(g *rank.Agreement) string {
	return fmt.Sprintf("ARI %.3f, NMI %.3f, purity %.3f; %d of %s misplaced", g.ARI, g.NMI, g.Purity, g.Misplaced, plural(g.Samples, "sample"))
}
