package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe/ancestry"
)

type ancestryCmd struct {
	Input  string `arg:"" optional:"" needed:"" help:"Genotypes: .geno (LEA), PLINK .bed with .bim and .fam beside it, .vcf, or a matrix of individuals x loci."`
	K      int    `short:"k" group:"Fit" type:"count" needed:"" default:"-2147483648" placeholder:"K" help:"Number of ancestral populations."`
	Output string `short:"o" group:"Output" default:"ancestry.npz" placeholder:"FILE" help:"Model to write, an .npz file."`

	Ploidy int     `group:"Ancestry" type:"count" default:"2" placeholder:"N" help:"Copies of the genome that an individual has."`
	Scan   string  `group:"Ancestry" placeholder:"A-B" help:"Cross-entropy of masked genotypes for every number of populations from A to B."`
	Masks  int     `group:"Ancestry" type:"count" default:"0" placeholder:"N" help:"Cross-entropy over N masks for -k and for --scan. Default: 1 with --scan, otherwise none."`
	Masked float64 `group:"Ancestry" type:"number" default:"0.05" placeholder:"X" help:"Share of the genotypes that a mask hides."`
	Known  string  `group:"Ancestry" placeholder:"FILE" help:"The same genotypes with fewer missing: the cross-entropy of what the input lacks."`

	Plot        string `group:"Output" placeholder:"FILE" help:"Bars of the ancestry of all individuals, an .svg; none for none. Default: named after the model."`
	Ancestry    string `group:"Output" placeholder:"FILE" help:"Write the ancestry, individuals x populations, as a table."`
	Frequencies string `group:"Output" placeholder:"FILE" help:"Write the frequencies of the counted allele, loci x populations, as a table."`
	inputFlags
	doorFlags
}

func (c *ancestryCmd) examples() [][2]string {
	return [][2]string{
		{"nmf ancestry genotypes.geno -k 4", "four ancestral populations"},
		{"nmf ancestry panel.bed -k 3 --scan 1-8 --masks 5", "PLINK; how many populations there are"},
		{"nmf ancestry calls.vcf.gz -k 3 --ancestry q.csv --frequencies p.csv", "tables"},
	}
}

func (c *ancestryCmd) notes() string {
	return "Every locus becomes a column for each genotype, as in sNMF; ancestry sums to one; missing genotypes do not count. docs/ancestry.md says more."
}

func (c *ancestryCmd) Run(a *app, ctx *kong.Context) error {
	if c.Input == "" {
		return usagef("ancestry", "the file of genotypes is missing")
	}
	d, err := c.enter(ctx, ancestry.Preset(), c.K, c.Output)
	if err != nil {
		return err
	}
	first, last, err := parseScan(c.Scan)
	switch {
	case err != nil:
		return usagef("ancestry", "--scan: %v", err)
	case c.Masks < 0:
		return usagef("ancestry", "--masks is %d; it must be at least 0", c.Masks)
	case !(c.Masked > 0 && c.Masked < 1):
		return usagef("ancestry", "--masked is %v; it must be above 0 and below 1", c.Masked)
	case c.Ploidy < 1 || c.Ploidy > 100:
		return usagef("ancestry", "--ploidy is %d; it must be from 1 to 100", c.Ploidy)
	}
	if c.Scan != "" {
		c.Masks = max(1, c.Masks)
	}
	if c.Plot, err = d.beside(c.Plot, ".svg"); err != nil {
		return err
	}
	if err := checkTables(c.Ancestry, c.Frequencies); err != nil {
		return err
	}
	set, err := c.read(c.Input)
	if err != nil {
		return err
	}
	var hidden []ancestry.Cell
	if c.Known != "" {
		known, err := c.read(c.Known)
		if err != nil {
			return err
		}
		if hidden, err = set.Hidden(known); err != nil {
			return err
		}
	}
	if c.Precision == "f64" {
		return findAncestry[float64](a, c, d, set, hidden, first, last)
	}
	return findAncestry[float32](a, c, d, set, hidden, first, last)
}

func (c *ancestryCmd) read(path string) (*ancestry.Set, error) {
	o, err := c.readOptions("ancestry", c.Threads)
	if err != nil {
		return nil, err
	}
	return ancestry.Read(path, c.Ploidy, o)
}

// parseScan takes A-B, or nothing.
func parseScan(text string) (first, last int, err error) {
	if text == "" {
		return 1, 0, nil
	}
	a, b, found := strings.Cut(text, "-")
	first, err1 := strconv.Atoi(a)
	last, err2 := strconv.Atoi(b)
	if !found || err1 != nil || err2 != nil || first < 1 || last < first || last > 1000 {
		return 0, 0, fmt.Errorf("%q: A-B is wanted, such as 1-8", text)
	}
	return first, last, nil
}

// ancestryResult is what the command found.
type ancestryResult struct {
	Individuals int                 `json:"individuals"`
	Loci        int                 `json:"loci"`
	Missing     int                 `json:"missing"`
	Known       *float64            `json:"cross_entropy_of_known,omitempty"`
	Entropies   []*ancestry.Entropy `json:"cross_entropies,omitempty"`
	Parts       []float64           `json:"parts"`
	Model       string              `json:"model"`
	Plot        string              `json:"plot,omitempty"`
	Fit         nmf.Info            `json:"fit"`
}

func findAncestry[F matrix.Float](a *app, c *ancestryCmd, d *door, set *ancestry.Set, hidden []ancestry.Cell, first, last int) error {
	m, err := fitPrepared(a, d, c.Input, tableAs[F](set.Code()))
	if err != nil {
		return err
	}
	found := ancestry.New(set, m)
	if c.Plot != "" {
		if err := atomicfile.Write(c.Plot, found.Plot().WriteSVG); err != nil {
			return err
		}
	}
	if err := c.writeTables(set, found); err != nil {
		return err
	}
	if err := cancelled(&m.Info, d.out); err != nil {
		return err
	}
	r := &ancestryResult{Individuals: set.Genotypes.Rows, Loci: set.Genotypes.Cols, Missing: set.Missing, Model: d.out.path, Plot: c.Plot, Fit: withoutTrace(m.Info)}
	if hidden != nil {
		v := found.CrossEntropy(hidden)
		r.Known = &v
	}
	for l := range found.Q.Cols {
		part := 0.0
		for i := range found.Q.Rows {
			part += found.Q.At(i, l) / float64(found.Q.Rows)
		}
		r.Parts = append(r.Parts, part)
	}
	if r.Entropies, err = entropies[F](a, c, d, set, first, last); err != nil {
		return err
	}
	return showAncestry(a, c, d, r)
}

// tableAs gives a table in the precision of a fit.
func tableAs[F matrix.Float](t *data.Table[float64]) *data.Table[F] {
	return &data.Table[F]{X: matrix.Convert[F](t.X), RowNames: t.RowNames, ColumnNames: t.ColumnNames, Notes: t.Notes}
}

func (c *ancestryCmd) writeTables(set *ancestry.Set, found *ancestry.Ancestry) error {
	var populations []string
	for l := range found.Q.Cols {
		populations = append(populations, fmt.Sprintf("population %d", l+1))
	}
	if c.Ancestry != "" {
		if err := data.Write(c.Ancestry, &data.Table[float64]{X: found.Q, RowNames: set.Individuals, ColumnNames: populations}, nil); err != nil {
			return err
		}
	}
	if c.Frequencies != "" {
		return data.Write(c.Frequencies, &data.Table[float64]{X: found.Frequencies().T(), RowNames: set.Loci, ColumnNames: populations}, nil)
	}
	return nil
}

// entropies measures what was asked for: -k, and all of --scan.
func entropies[F matrix.Float](a *app, c *ancestryCmd, d *door, set *ancestry.Set, first, last int) (list []*ancestry.Entropy, err error) {
	if c.Masks == 0 {
		return nil, nil
	}
	if c.Scan == "" {
		first, last = c.K, c.K
	}
	fit := func(ctx context.Context, masked *ancestry.Set, k int, seed uint64) (*nmf.Model[F], error) {
		o, err := d.options(a, c.Threads, true)
		if err != nil {
			return nil, err
		}
		o.Missing, o.Seed = "nan", seed
		m, err := nmf.Fit(ctx, tableAs[F](masked.Code()).X, k, o)
		if err == nil && m.Info.Status == nmf.Cancelled {
			err = context.Canceled
		}
		return m, err
	}
	err = a.interrupts.during("nmf: stopping; the model is saved (Ctrl-C again quits at once)\n", func(ctx context.Context) error {
		for k := first; k <= last; k++ {
			e, err := ancestry.CrossEntropy(ctx, set, k, c.Masks, c.Masked, c.Seed, fit)
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return nil, &statusError{1, fmt.Sprintf("interrupted: the model is in %s, cross-entropies are not done", d.out.path)}
	}
	return list, err
}

func showAncestry(a *app, c *ancestryCmd, d *door, r *ancestryResult) error {
	if c.JSON {
		return a.printJSON(r)
	}
	if c.Quiet {
		return nil
	}
	a.printf("read    %s: %s, %s, %s missing\n", c.Input, plural(r.Individuals, "individual"), lociText(r.Loci), plural(r.Missing, "genotype"))
	a.printf("fit     %s: %s in %s\n", plural(len(r.Parts), "population"), plural(r.Fit.Iterations, "iteration"), shortDuration(seconds(r.Fit.Seconds)))
	a.printf("end     %s\n", statusText(&r.Fit))
	var parts []string
	for l, v := range r.Parts {
		parts = append(parts, fmt.Sprintf("%d: %s", l+1, percent(v)))
	}
	a.printf("parts   of all genomes from each population: %s\n", strings.Join(parts, ", "))
	if r.Known != nil {
		a.printf("known   cross-entropy of what %s lacks and %s knows: %.4f\n", c.Input, c.Known, *r.Known)
	}
	for _, e := range r.Entropies {
		a.printf("masked  k = %d: cross-entropy %.4f, the mean over %s of %s of the genotypes\n", e.K, e.Mean, plural(len(e.Values), "mask"), percent(c.Masked))
	}
	if c.Plot != "" {
		a.printf("look    %s\n", c.Plot)
	}
	a.printf("model   %s\n", d.out.path)
	d.again(a)
	return nil
}

func lociText(n int) string {
	if n == 1 {
		return "1 locus"
	}
	return fmt.Sprintf("%d loci", n)
}
