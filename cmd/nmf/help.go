package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf/data"
)

// exampler is a command with examples: pairs of a command line and what it
// does.
type exampler interface{ examples() [][2]string }

// noter is a command with something to say after its flags.
type noter interface{ notes() string }

type helpCmd struct {
	Command string `arg:"" optional:"" help:"Command to explain."`
}

func (c *helpCmd) examples() [][2]string {
	return [][2]string{{"nmf help", "what nmf does, by example"}, {"nmf help fit", "the same as nmf fit --help"}}
}

func (c *helpCmd) Run(a *app, k *kong.Kong) error {
	if c.Command == "" {
		return a.printHelp(k, nil)
	}
	for _, n := range k.Model.Children {
		if n.Name == c.Command {
			return a.printHelp(k, n)
		}
	}
	return usagef("", "%q is not a command%s", c.Command, didYouMean(c.Command, commandNames(k.Model)))
}

const (
	helpWidth = 92
	helpIndex = 26
)

// printHelp explains a command, or all of them where command is nil.
func (a *app) printHelp(k *kong.Kong, command *kong.Node) error {
	width := min(helpWidth, terminalWidth())
	if command == nil {
		a.printOverview(k.Model, width)
	} else {
		a.printCommand(command, width)
	}
	return a.stdout.Flush()
}

func (a *app) printOverview(app *kong.Application, width int) {
	a.printf("%s\n\n", strings.Join(wrap(app.Help, width), "\n"))
	a.printf("Topics of a folder of text or Go source:\n\n")
	a.printExamples([][2]string{{`nmf topics "$(go env GOROOT)/src" -k 20`, ""}}, width)
	a.printf("Any matrix: look at it, factorize it, look at the components, use them:\n\n")
	a.printExamples([][2]string{
		{"nmf info counts.csv", "shape, range, problems"},
		{"nmf rank counts.csv", "how many components?"},
		{"nmf fit counts.csv -k 20 -o model.npz", "20 components, saved"},
		{"nmf top model.npz -n 10", "top features and samples"},
		{"nmf transform model.npz new.csv -o weights.csv", "components in new samples"},
	}, width)
	a.printf("Commands:\n\n")
	for _, n := range app.Children {
		a.printEntry("  "+n.Name, n.Help, width, 16)
	}
	a.printf("\nRows are samples, columns are features; --transpose turns a matrix round.\nFormats that are read:\n\n")
	for _, f := range data.Formats() {
		if f.CanRead {
			a.printEntry("  "+f.Name, f.About, width, 16)
		}
	}
	a.printf("\ngzip, zstd and bzip2 are seen through; '-' is standard input.\n")
	a.printf("'nmf COMMAND --help' gives the examples and the flags of a command.\n")
}

func (a *app) printCommand(n *kong.Node, width int) {
	a.printf("nmf %s: %s\n\n", n.Name, lowerFirst(strings.TrimSuffix(n.Help, ".")))
	target := n.Target.Addr().Interface()
	if e, ok := target.(exampler); ok {
		a.printExamples(e.examples(), width)
	}
	a.printf("Usage: nmf %s\n", usageLine(n))
	if len(n.Positional) > 0 {
		a.printf("\n")
		for _, p := range n.Positional {
			a.printEntry("  "+argumentName(p), p.Help, width, helpIndex)
		}
	}
	for _, g := range groupFlags(n) {
		a.printf("\n%s:\n", g.title)
		for _, f := range g.flags {
			a.printEntry(flagColumn(f), flagHelp(f), width, helpIndex)
		}
	}
	if e, ok := target.(noter); ok {
		a.printf("\n%s\n", strings.Join(wrap(e.notes(), width), "\n"))
	}
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// printExamples shows command lines, and what they do beside them where that
// fits, above them where not.
func (a *app) printExamples(examples [][2]string, width int) {
	longest, fits := 0, true
	for _, e := range examples {
		longest = max(longest, len(e[0]))
	}
	for _, e := range examples {
		fits = fits && 2+longest+4+len(e[1]) <= width
	}
	for i, e := range examples {
		switch {
		case e[1] == "":
			a.printf("  %s\n", e[0])
		case fits:
			a.printf("  %-*s  # %s\n", longest, e[0], e[1])
		default:
			if i > 0 {
				a.printf("\n")
			}
			a.printf("  # %s\n  %s\n", e[1], e[0])
		}
	}
	a.printf("\n")
}

// printEntry shows a term and its explanation in two columns.
func (a *app) printEntry(term, text string, width, index int) {
	lines := wrap(text, max(20, width-index))
	if len(term) > index-2 {
		a.printf("%s\n", term)
		term = ""
	}
	for _, l := range lines {
		a.printf("%-*s%s\n", index, term, l)
		term = ""
	}
}

func usageLine(n *kong.Node) string {
	parts := []string{n.Name}
	for _, p := range n.Positional {
		name := argumentName(p)
		if p.Tag.Has("needed") {
			parts = append(parts, name)
		} else {
			parts = append(parts, "["+name+"]")
		}
	}
	if len(n.Flags) > 0 {
		for _, f := range n.Flags {
			if f.Tag.Has("needed") {
				parts = append(parts, "-"+string(f.Short)+" "+f.FormatPlaceHolder())
			}
		}
		parts = append(parts, "[flags]")
	}
	return strings.Join(parts, " ")
}

func argumentName(p *kong.Positional) string { return strings.ToUpper(p.Name) }

type flagGroup struct {
	title string
	flags []*kong.Flag
}

// groupFlags keeps the order in which groups first appear, with what belongs
// to all commands at the end.
func groupFlags(n *kong.Node) []flagGroup {
	var groups []flagGroup
	levels := n.AllFlags(true)
	slices.Reverse(levels) // the command's own flags first
	for _, flags := range levels {
		for _, f := range flags {
			title := "Output"
			if f.Group != nil {
				title = f.Group.Title
			}
			i := slices.IndexFunc(groups, func(g flagGroup) bool { return g.title == title })
			if i < 0 {
				i = len(groups)
				groups = append(groups, flagGroup{title: title})
			}
			groups[i].flags = append(groups[i].flags, f)
		}
	}
	slices.SortStableFunc(groups, func(x, y flagGroup) int { return groupRank(x.title) - groupRank(y.title) })
	return groups
}

// groupRank is the place of a group of flags in a help text.
func groupRank(title string) int {
	return slices.Index([]string{"Output", "Input", "Machine"}, title)
}

func flagColumn(f *kong.Flag) string {
	short := "    "
	if f.Short != 0 {
		short = fmt.Sprintf("-%c, ", f.Short)
	}
	name := "--" + f.Name
	if f.Tag.Negatable != "" {
		name = "--[no-]" + f.Name
	}
	if !f.IsBool() {
		name += " " + f.FormatPlaceHolder()
	}
	return "  " + short + name
}

// flagHelp adds the values and the default of a flag to its help text.
func flagHelp(f *kong.Flag) string {
	text := f.Help
	if f.Name == "help" {
		text = "Show this text."
	}
	if choices := choicesOf(f.Name); choices != nil && f.Tag.Type == "choice" {
		text = strings.TrimSuffix(text, ".") + ": " + strings.Join(choices, ", ") + "."
	}
	if f.HasDefault && f.Default != "" && !f.IsBool() && !f.Tag.Has("needed") {
		text += " Default " + f.Default + "."
	}
	return text
}
