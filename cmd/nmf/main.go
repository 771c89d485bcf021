// Command nmf factorizes non-negative matrices and shows what came out.
//
// Each subcommand is one file. Results go to standard output; progress, notes
// and errors to standard error. The exit status is 0, 1 for a failure, 2 for
// wrong usage. See docs/cli.md.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/dist"
	"github.com/partsof/nmf/recipe"
	"github.com/partsof/nmf/recipe/topics"
)

// commands is the command line.
type commands struct {
	Fit         fitCmd         `cmd:"" help:"Factorize a matrix and save the model."`
	Rank        rankCmd        `cmd:"" help:"Say which number of components to take, by every criterion."`
	Consensus   consensusCmd   `cmd:"" help:"Find the components that recur over many runs, and how stable they are."`
	Compare     compareCmd     `cmd:"" help:"Match the components of two models, or of a model and a reference."`
	Update      updateCmd      `cmd:"" help:"Go on learning a model from new samples."`
	Transform   transformCmd   `cmd:"" help:"Give the weights of new samples under a model."`
	Reconstruct reconstructCmd `cmd:"" help:"Multiply the factors out: the matrix as the model sees it."`
	Score       scoreCmd       `cmd:"" help:"Say how well a model reproduces data."`
	Impute      imputeCmd      `cmd:"" help:"Fill in the missing cells of a matrix by a model."`
	Top         topCmd         `cmd:"" help:"Show the top features and samples of each component."`
	Report      reportCmd      `cmd:"" help:"Write an interactive report of a model: one HTML page."`
	Plot        plotCmd        `cmd:"" help:"Draw a figure of a model for print: SVG or PNG."`
	View        viewCmd        `cmd:"" help:"Serve the report of a model to a browser on this machine."`
	Info        infoCmd        `cmd:"" help:"Describe a matrix or a model."`
	Convert     convertCmd     `cmd:"" help:"Convert a matrix to another format."`
	Topics      topicsCmd      `cmd:"" help:"Find the topics of a folder or a file of text."`
	Images      imagesCmd      `cmd:"" help:"Find the parts of images."`
	Audio       audioCmd       `cmd:"" help:"Take sound apart: notes, drums, speakers."`
	Cells       cellsCmd       `cmd:"" help:"Find the gene programs of single cells."`
	Signatures  signaturesCmd  `cmd:"" help:"Find the mutational signatures of a catalogue."`
	Spectra     spectraCmd     `cmd:"" help:"Unmix spectra into endmembers and abundances."`
	Muscles     musclesCmd     `cmd:"" help:"Find the synergies of muscles in electromyograms."`
	Sources     sourcesCmd     `cmd:"" help:"Apportion concentrations to their sources (positive matrix factorization)."`
	Ratings     ratingsCmd     `cmd:"" help:"Predict ratings of items by users, recommend items."`
	Ancestry    ancestryCmd    `cmd:"" help:"Estimate ancestry from genotypes."`
	Bench       benchCmd       `cmd:"" help:"Measure the engine against the machine, or write the standard workloads."`
	Scale       scaleCmd       `cmd:"" help:"Estimate what an iteration takes of many machines."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
	Help        helpCmd        `cmd:"" help:"Explain nmf, or a command, by example."`
	Completion  completionCmd  `cmd:"" help:"Print a completion script for a shell."`
}

func main() {
	os.Exit(run(os.Args[1:]))
}

// run does what args say and gives the exit status.
func run(args []string) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	a := newApp()
	if launch, several, err := dist.Launched(); several || err != nil {
		return runOverRanks(a, launch, args, err)
	}
	parser := newParser(a)
	ctx, err := parser.Parse(args)
	if err == nil {
		a.command = ctx.Selected()
		err = ctx.Run(a)
	} else {
		err = parseUsage(err)
	}
	return a.finish(err)
}

func newParser(a *app) *kong.Kong {
	parser := kong.Must(new(commands), kong.Name("nmf"),
		kong.Description("nmf factorizes a non-negative matrix X (samples x features) into W·H: k components, and how much of each a sample holds."),
		kong.Help(func(_ kong.HelpOptions, ctx *kong.Context) error { return a.printHelp(ctx.Kong, ctx.Selected()) }),
		kong.NamedMapper("choice", kong.MapperFunc(decodeChoice)),
		kong.NamedMapper("count", kong.MapperFunc(decodeCount)),
		kong.NamedMapper("number", kong.MapperFunc(decodeNumber)),
		kong.WithHyphenPrefixedParameters(true), // --tol -1 is a number, not a flag
		kong.NamedMapper("components", kong.MapperFunc(decodeComponents)),
		kong.Writers(a.stdout, a.stderr))
	setDefaults(parser.Model)
	return parser
}

// defaulter is a command for which a flag that it shares with others has another
// default.
type defaulter interface{ defaults() map[string]string }

func setDefaults(model *kong.Application) {
	for _, n := range model.Children {
		d, ok := n.Target.Addr().Interface().(defaulter)
		if !ok {
			continue
		}
		for _, f := range n.Flags {
			if v, ok := d.defaults()[f.Name]; ok {
				f.Default = v
			}
		}
	}
}

// usageError is a command line that cannot be meant.
type usageError struct {
	message string
	// command is the one that was used, or "".
	command string
}

func (e *usageError) Error() string { return e.message }

func usagef(command, format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...), command}
}

// statusError ends the program with a status and a message that is no error.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return e.message }

// finish flushes the output, reports the error and gives the exit status.
func (a *app) finish(err error) int {
	if flushed := a.stdout.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("write standard output: %w", flushed)
	}
	var usage *usageError
	var status *statusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(a.stderr, "nmf: %v\n", err)
		see := "nmf help"
		if usage.command != "" {
			see = "nmf " + usage.command + " --help"
		}
		fmt.Fprintf(a.stderr, "See '%s'.\n", see)
		return 2
	case errors.As(err, &status):
		fmt.Fprintf(a.stderr, "nmf: %v\n", err)
		return status.status
	}
	fmt.Fprintf(a.stderr, "nmf: %v\n", a.withAdvice(err))
	if errors.Is(err, nmf.ErrOption) || errors.Is(err, topics.ErrOptions) || errors.Is(err, recipe.ErrOption) {
		return 2
	}
	return 1
}
