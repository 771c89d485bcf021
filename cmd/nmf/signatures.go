package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/recipe/signatures"
)

type signaturesCmd struct {
	Input  string `arg:"" name:"catalogue" optional:"" needed:"" help:"Table of counts: 96 channels such as A[C>A]G in lines or columns, samples in the others."`
	K      string `short:"k" group:"Fit" needed:"" placeholder:"K" help:"Number of signatures, or several, such as 1:8, of which the last that is stable is taken; auto is 1 to 16, at most half the samples."`
	Output string `short:"o" group:"Output" default:"signatures.npz" placeholder:"FILE" help:"Model to write, an .npz file."`

	Reference string   `group:"Signatures" placeholder:"FILE" help:"Table of known signatures, such as COSMIC's: new ones are named after them."`
	Attribute []string `group:"Signatures" placeholder:"NAMES" help:"Known signatures to refit to the samples: names, all, or found, those that the new ones are made of. Default: found, or the new ones without --reference."`
	Refit     string   `group:"Signatures" type:"choice" default:"nnls" placeholder:"NAME" help:"How signatures are refitted to samples: least squares, or the likelihood of Poisson's counts."`
	Resamples int      `group:"Signatures" type:"count" default:"20" placeholder:"N" help:"Catalogues to draw anew by Poisson, for the stability of signatures; 0 for none."`
	Intervals int      `group:"Signatures" type:"count" default:"100" placeholder:"N" help:"Catalogues to draw anew for the intervals of attributions; 0 for none."`
	Delimiter string   `group:"Input" placeholder:"CHAR" help:"What separates fields: a character, or tab or space. Found out unless given."`

	Plot         string `group:"Output" placeholder:"FILE" help:"Picture of the signatures, an .svg; none for none. Default: named after the model."`
	Signatures   string `group:"Output" placeholder:"FILE" help:"Write the signatures, 96 channels x signatures, separated by tabs."`
	Activities   string `group:"Output" placeholder:"FILE" help:"Write the mutations of each new signature in each sample, separated by tabs."`
	Attributions string `group:"Output" placeholder:"FILE" help:"Refit, and write the mutations of each sample and signature with their intervals, separated by tabs."`
	doorFlags
}

func (c *signaturesCmd) examples() [][2]string {
	return [][2]string{
		{"nmf signatures catalogue.txt -k 3", "three signatures, drawn"},
		{"nmf signatures catalogue.txt -k 1:8", "as many as are stable"},
		{"nmf signatures catalogue.csv -k 3 --reference COSMIC_SBS.txt --attributions samples.tsv", "named, and refitted to the samples"},
	}
}

func (c *signaturesCmd) notes() string {
	return "The fit is that of Poisson's counts: --loss kl --init random --runs 10. docs/signatures.md says what is read and how signatures are judged."
}

func (c *signaturesCmd) Run(a *app, ctx *kong.Context) error {
	if c.Input == "" {
		return usagef("signatures", "the catalogue is missing")
	}
	if c.K == "" {
		return usagef("signatures", "the number of components is missing: say -k K, such as -k 4, or a range such as -k 1:8")
	}
	// How many auto tries depends on the catalogue.
	ks, err := parseRanks("signatures", c.K, signatures.NChannels, signatures.NChannels)
	if err != nil {
		return err
	}
	d, err := c.enter(ctx, signatures.Preset(), ks[0], c.Output, c.Input, c.Reference)
	if err != nil {
		return err
	}
	if err := errors.Join(notNegative("signatures", "resamples", c.Resamples), notNegative("signatures", "intervals", c.Intervals)); err != nil {
		return err
	}
	if len(c.Attribute) > 0 && c.Reference == "" {
		return usagef("signatures", "--attribute names signatures of --reference, which is missing")
	}
	if c.Plot, err = d.beside(c.Plot, ".svg"); err != nil {
		return err
	}
	if err := d.checkFiles(c.Signatures, c.Activities, c.Attributions); err != nil {
		return err
	}
	delimiter, err := parseDelimiter("signatures", c.Delimiter)
	if err != nil {
		return err
	}
	read := &data.ReadOptions{Delimiter: delimiter, Threads: c.Threads}
	if c.Precision == "f64" {
		return findSignatures[float64](a, c, d, read)
	}
	return findSignatures[float32](a, c, d, read)
}

// found is what a run of the command has to show.
type found[F matrix.Float] struct {
	x         *matrix.Dense[F]
	model     *nmf.Model[F]
	names     []string
	rank      *rank.Result
	stability *signatures.Stability
	matches   []signatures.Match
	// refitError is the relative error of the signatures refitted by least
	// squares.
	refitError  float64
	attribution *signatures.Attribution[F]
}

func findSignatures[F matrix.Float](a *app, c *signaturesCmd, d *door, read *data.ReadOptions) error {
	t, err := signatures.Read[F](c.Input, read)
	if err != nil {
		return systemError(c.Input, err)
	}
	var known *signatures.Set[F]
	if c.Reference != "" {
		if known, err = signatures.ReadSet[F](c.Reference); err != nil {
			return systemError(c.Reference, err)
		}
		if c.named() {
			if _, err := known.Pick(c.Attribute); err != nil {
				return usagef("signatures", "--attribute: %s", optionText(err))
			}
		}
	}
	f := &found[F]{x: toDense(t.X)}
	ks, err := parseRanks("signatures", c.K, f.x.Rows, f.x.Cols)
	if err != nil {
		return err
	}
	options, err := d.options(a, d.Threads, d.Quiet)
	if err != nil {
		return err
	}
	resampled := signatures.Counts(t.X)
	if !resampled && (c.Resamples > 0 || c.Intervals > 0 || len(ks) > 1) {
		a.note(c.Quiet, "%s: not all numbers are whole: they are resampled as if they were counts", c.Input)
	}
	if len(ks) > 1 {
		if f.rank, err = bySilhouettes(t, options, ks, c.Quiet); err != nil {
			return inFile(c.Input, err)
		}
		if d.k = f.rank.Recommended.K; d.k == 0 {
			return inFile(c.Input, errors.New("no number of signatures is stable; say one with -k"))
		}
	}
	if f.model, err = fitPrepared(a, d, c.Input, t); err != nil {
		return err
	}
	f.names = signatures.Names(f.model.K())
	whole := cancelled(&f.model.Info, d.out)
	if whole == nil {
		if err := f.judge(c, known, options); err != nil {
			return inFile(c.Input, err)
		}
	}
	if err := f.write(c, t.RowNames); err != nil {
		return err
	}
	if err := f.show(a, c, d); err != nil {
		return err
	}
	return whole
}

// bySilhouettes sweeps over numbers of components and looks at how well those of
// the restarts agree.
func bySilhouettes[F matrix.Float](t *data.Table[F], fit *nmf.Options, ks []int, quiet bool) (*rank.Result, error) {
	o := rank.BySilhouettes(fit, ks)
	if p := newProgress(quiet); p != nil {
		o.Progress = p.sweep
		defer p.clear()
	}
	return rank.Sweep(context.Background(), t.X, o)
}

// judge resamples, names and refits.
func (f *found[F]) judge(c *signaturesCmd, known *signatures.Set[F], o *nmf.Options) (err error) {
	ctx := context.Background()
	steps := newProgress(c.Quiet)
	defer steps.clear()
	refitted, err := signatures.Refit(ctx, f.x, f.model.H, "nnls", c.Threads)
	if err != nil {
		return err
	}
	f.refitError = signatures.RelativeError(f.x, refitted, f.model.H)
	if c.Resamples > 0 {
		f.stability, err = signatures.Resample(ctx, f.x, f.model, c.Resamples, o, func(done int) {
			steps.step(fmt.Sprintf("resampled catalogue %d of %d", done, c.Resamples))
		})
		if err != nil {
			return err
		}
	}
	if known != nil {
		if f.matches, err = signatures.Compare(ctx, f.model.H, known, c.Threads); err != nil {
			return err
		}
	}
	if c.Attributions == "" {
		return nil
	}
	set, err := f.attributed(c, known)
	if err != nil {
		return err
	}
	steps.step(fmt.Sprintf("refitting %s to %s", plural(len(set.Names), "signature"), plural(f.x.Rows, "sample")))
	f.attribution, err = signatures.Attribute(ctx, f.x, set, c.Refit, c.Intervals, c.Seed, c.Threads)
	return err
}

// attributed is what the samples are refitted with.
func (f *found[F]) attributed(c *signaturesCmd, known *signatures.Set[F]) (*signatures.Set[F], error) {
	if known == nil {
		return &signatures.Set[F]{Names: f.names, H: f.model.H}, nil
	}
	switch {
	case c.named():
		return known.Pick(c.Attribute)
	case len(c.Attribute) == 0 || c.Attribute[0] == "found":
		in := map[string]bool{}
		for _, m := range f.matches {
			for _, p := range m.Parts {
				in[p.Name] = true
			}
		}
		return known.Pick(slices.DeleteFunc(slices.Clone(known.Names), func(n string) bool { return !in[n] }))
	}
	return known, nil
}

// named says that --attribute lists signatures by name.
func (c *signaturesCmd) named() bool {
	return len(c.Attribute) > 1 || len(c.Attribute) == 1 && c.Attribute[0] != "found" && c.Attribute[0] != "all"
}

// write writes the picture and the tables that are asked for.
func (f *found[F]) write(c *signaturesCmd, samples []string) error {
	if c.Plot != "" {
		err := atomicfile.Write(c.Plot, func(w io.Writer) error { return signatures.Plot(w, f.bars()) })
		if err != nil {
			return err
		}
	}
	if c.Signatures != "" {
		if err := signatures.WriteSignatures(c.Signatures, f.names, f.model.H); err != nil {
			return err
		}
	}
	if c.Activities != "" {
		if err := signatures.WriteActivities(c.Activities, samples, f.names, signatures.Activities(f.model)); err != nil {
			return err
		}
	}
	if f.attribution != nil {
		return signatures.WriteAttribution(c.Attributions, samples, f.attribution)
	}
	return nil
}

// bars are the signatures as they are drawn.
func (f *found[F]) bars() []signatures.Bars {
	shares := f.model.Shares()
	list := make([]signatures.Bars, f.model.K())
	for j := range list {
		b := &list[j]
		b.Title = f.names[j]
		notes := []string{fmt.Sprintf("%.1f%% of the mutations", 100*shares[j])}
		if f.stability != nil {
			b.Low, b.High = f.stability.Low.Row(j), f.stability.High.Row(j)
			notes = append(notes, fmt.Sprintf("stability %.3f over %d resampled catalogues", f.stability.Cosine[j], f.stability.Resamples))
		}
		if f.matches != nil && f.matches[j].Name != "" {
			notes = append(notes, f.matches[j].Name+fmt.Sprintf(" (cosine %.3f)", f.matches[j].Cosine))
		}
		b.Note = strings.Join(notes, "; ")
		for _, v := range f.model.H.Row(j) {
			b.Values = append(b.Values, float64(v))
		}
	}
	return list
}

// signatureJSON is a signature as JSON.
type signatureJSON struct {
	Name      string            `json:"name"`
	Share     float64           `json:"share"`
	Mutations float64           `json:"mutations"`
	Stability *float64          `json:"stability,omitempty"`
	Match     *signatures.Match `json:"match,omitempty"`
}

func (f *found[F]) show(a *app, c *signaturesCmd, d *door) error {
	shares := f.model.Shares()
	list := make([]signatureJSON, f.model.K())
	for j := range list {
		list[j] = signatureJSON{Name: f.names[j], Share: shares[j], Mutations: f.model.Scales[j]}
		if f.stability != nil {
			list[j].Stability = &f.stability.Cosine[j]
		}
		if f.matches != nil {
			list[j].Match = &f.matches[j]
		}
	}
	if c.JSON {
		return a.printJSON(struct {
			Samples    int             `json:"samples"`
			Signatures []signatureJSON `json:"signatures"`
			RefitError float64         `json:"refit_relative_error"`
			Rank       *rank.Result    `json:"rank,omitempty"`
			Model      string          `json:"model"`
			Plot       string          `json:"plot,omitempty"`
			Fit        nmf.Info        `json:"fit"`
		}{f.x.Rows, list, f.refitError, f.rank, d.out.path, c.Plot, withoutTrace(f.model.Info)})
	}
	if c.Quiet {
		return nil
	}
	if f.rank != nil {
		a.printf("rank    %s\n", f.rank.Recommended.Why)
	}
	a.summarize(c.Input, fmt.Sprintf("%s of %s mutations", plural(f.x.Rows, "sample"), thousands(int(total(f.x)))), &f.model.Info)
	a.printf("refit   relative error %.4g with these signatures and least squares\n", f.refitError)
	for j, s := range list {
		a.printf("%-7s %5.1f%% of the mutations", s.Name, 100*s.Share)
		if s.Stability != nil {
			a.printf(", stability %.3f", *s.Stability)
		}
		if s.Match != nil && s.Match.Name != "" {
			a.printf(", %s", matchText(&f.matches[j]))
		}
		a.printf("\n")
	}
	if c.Plot != "" {
		a.printf("look    %s\n", c.Plot)
	}
	a.printf("model   %s, look at it with: nmf top %s\n", d.out.path, shellWord(d.out.path))
	d.again(a)
	return nil
}

// matchText names a signature after known ones.
func matchText(m *signatures.Match) string {
	text := fmt.Sprintf("%s (cosine %.3f)", shown(m.Name), m.Cosine)
	if len(m.Parts) < 2 {
		return text
	}
	var parts []string
	for _, p := range m.Parts {
		parts = append(parts, fmt.Sprintf("%.0f%% %s", 100*p.Share, shown(p.Name)))
	}
	return text + fmt.Sprintf("; as a sum %s (cosine %.3f)", strings.Join(parts, " + "), m.PartsCosine)
}

func total[F matrix.Float](x *matrix.Dense[F]) float64 {
	sum := 0.0
	for i := range x.Rows {
		for _, v := range x.Row(i) {
			sum += float64(v)
		}
	}
	return sum
}
