package main

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/recipe/audio"
	singlecell "github.com/partsof/nmf/recipe/cells"
	"github.com/partsof/nmf/recipe/muscles"
	"github.com/partsof/nmf/recipe/signatures"
	"github.com/partsof/nmf/recipe/sources"
)

// choicesOf lists the values of the flags and arguments of type "choice", by
// name.
func choicesOf(name string) []string {
	switch name {
	case "solver":
		return nmf.Solvers()
	case "loss":
		return nmf.Losses()
	case "missing":
		return append(nmf.MissingKinds(), "empty")
	case "dispersion-by":
		return []string{"global", "feature"}
	case "init":
		return nmf.Inits()
	case "over":
		return []string{"auto", "rows", "runs"}
	case "compression":
		return []string{"auto", "on", "off"}
	case "precision":
		return []string{"f32", "f64"}
	case "format":
		return formatNames(func(f data.FormatInfo) bool { return f.CanRead })
	case "to":
		return formatNames(func(f data.FormatInfo) bool { return f.CanWrite })
	case "by":
		return []string{"weight", "specificity"}
	case "flavour":
		return singlecell.Flavours()
	case "spectrum":
		return []string{"auto", "magnitude", "power"}
	case "window":
		return audio.Windows()
	case "refit":
		return signatures.Refits()
	case "normalise":
		return muscles.Normalisations()
	case "order":
		return []string{"row", "column"}
	case "kind":
		return []string{"auto", "weights", "data"}
	case "criterion":
		return rank.Criteria()
	case "draw":
		return drawKinds()
	case "figure":
		return plotFigures()
	case "gaps":
		return sources.MissingRules()
	case "negative":
		return sources.NegativeRules()
	case "shell":
		return []string{"bash", "zsh", "fish"}
	}
	return nil
}

func formatNames(want func(data.FormatInfo) bool) []string {
	var names []string
	for _, f := range data.Formats() {
		if want(f) {
			names = append(names, f.Name)
		}
	}
	return names
}

// decodeChoice takes one of a list of values.
func decodeChoice(ctx *kong.DecodeContext, target reflect.Value) error {
	var s string
	if err := ctx.Scan.PopValueInto("text", &s); err != nil {
		return err
	}
	choices := choicesOf(ctx.Value.Name)
	if !slices.Contains(choices, s) {
		return fmt.Errorf("%q is unknown%s (one of %s)", s, didYouMean(s, choices), strings.Join(choices, ", "))
	}
	target.SetString(s)
	return nil
}

// decodeCount takes a whole number in decimal.
func decodeCount(ctx *kong.DecodeContext, target reflect.Value) error {
	var s string
	if err := ctx.Scan.PopValueInto("number", &s); err != nil {
		return err
	}
	if target.CanUint() {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number from 0 to 2^64-1", s)
		}
		target.SetUint(n)
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is too large", s)
	}
	if err != nil {
		return fmt.Errorf("%q is not a whole number", s)
	}
	target.SetInt(n)
	return nil
}

// decodeComponents takes a whole number, or auto.
func decodeComponents(ctx *kong.DecodeContext, target reflect.Value) error {
	if t := ctx.Scan.Peek(); t.String() == "auto" {
		ctx.Scan.Pop()
		target.SetInt(kAuto)
		return nil
	}
	return decodeCount(ctx, target)
}

// decodeNumber takes a decimal number.
func decodeNumber(ctx *kong.DecodeContext, target reflect.Value) error {
	var s string
	if err := ctx.Scan.PopValueInto("number", &s); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != v {
		return fmt.Errorf("%q is not a number", s)
	}
	if target.Kind() == reflect.Pointer { // nil is not given
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	target.SetFloat(v)
	return nil
}

// longDash finds a flag of one letter as the parser writes it: --k for -k.
var longDash = regexp.MustCompile(`^--([a-z]\b)`)

// parseUsage puts an error of the parser in our words.
func parseUsage(err error) error {
	u := &usageError{message: longDash.ReplaceAllString(err.Error(), "-$1")}
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return u
	}
	command := parse.Context.Selected()
	if command != nil {
		u.command = command.Name
	}
	kind, word, _ := strings.Cut(u.message, " ")
	argument, isArgument := strings.CutPrefix(u.message, "unexpected argument ")
	flag, isFlag := strings.CutPrefix(u.message, "unknown flag ")
	argument, _, _ = strings.Cut(argument, ", did you mean")
	flag, _, _ = strings.Cut(flag, ", did you mean")
	switch {
	case isFlag:
		u.message = fmt.Sprintf("unknown flag %s%s", flag, didYouMean(flag, flagNames(parse.Context.Model, command)))
	case isArgument && command == nil:
		u.message = fmt.Sprintf("%q is not a command%s", argument, didYouMean(argument, commandNames(parse.Context.Model)))
	case isArgument:
		u.message = fmt.Sprintf("%q is one argument too many", argument)
	case strings.HasSuffix(kind, ">]:"):
		u.message = strings.ToUpper(strings.Trim(kind, "[<>]:")) + ": " + word
	}
	return u
}

func flagNames(app *kong.Application, command *kong.Node) []string {
	if command == nil {
		command = app.Node
	}
	var names []string
	for _, group := range command.AllFlags(true) {
		for _, f := range group {
			names = append(names, "--"+f.Name)
			if f.Tag.Negatable != "" {
				names = append(names, "--no-"+f.Name)
			}
		}
	}
	return names
}

func commandNames(app *kong.Application) []string {
	var names []string
	for _, n := range app.Children {
		if !n.Hidden {
			names = append(names, n.Name)
		}
	}
	return names
}

// didYouMean names the value that is nearest to a word, if any is near.
func didYouMean(word string, values []string) string {
	best, bestDistance := "", 3
	for _, v := range values {
		d := editDistance(strings.ToLower(word), v)
		if len(strings.Trim(word, "-")) > 1 && strings.HasPrefix(v, strings.ToLower(word)) {
			d = 1
		}
		if d < bestDistance && d < len(strings.Trim(word, "-")) {
			best, bestDistance = v, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}

// editDistance is that of Damerau and Levenshtein with adjacent
// transpositions (optimal string alignment), by bytes.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
