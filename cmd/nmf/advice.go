package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
)

// withAdvice adds what to do to an error of the library that does not say it, or
// says what is not to be done here.
func (a *app) withAdvice(err error) error {
	var file *data.Error
	advice := ""
	switch {
	case errors.Is(err, data.ErrMissing) && errors.As(err, &file) && strings.HasPrefix(file.Hint, "say --missing nan"):
		file.Hint = a.aboutMissing("it")
	case concerns(err, nmf.ErrNegative):
		advice = "NMF needs values of at least 0: use the data before centring, or clip or shift it"
	case concerns(err, nmf.ErrNotFinite) && strings.Contains(err.Error(), "Inf "+nmf.ErrNotFinite.Error()):
		advice = "fill such cells in, or leave them out"
	case concerns(err, nmf.ErrNotFinite):
		advice = a.aboutMissing("such cells")
	case concerns(err, syscall.ENOSPC):
		advice = "free some space or write elsewhere"
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, advice)
}

// concerns reports whether an error is of a kind. Of an error of another rank its
// words are all that is known.
func concerns(err, kind error) bool {
	var elsewhere *nmf.RankError
	return errors.Is(err, kind) || errors.As(err, &elsewhere) && elsewhere.Err == nil && strings.Contains(elsewhere.Message, kind.Error())
}

// aboutMissing says what to do about missing cells, or one.
func (a *app) aboutMissing(cells string) string {
	rest := "fill them in or leave them out first"
	if cells == "it" {
		rest = "fill the cell in, or leave out its row or column"
	}
	if a.command == nil || !slices.ContainsFunc(a.command.Flags, func(f *kong.Flag) bool { return f.Name == "missing" }) {
		return rest
	}
	within := ""
	if fit, ok := a.command.Target.Addr().Interface().(*fitCmd); ok {
		switch {
		case fit.Online:
			return "leave out --online and say --missing nan to fit without " + cells + ", or " + rest
		case a.ranks != nil && !fit.overRuns(a, fit.Runs, fit.K == kAuto):
			within = " --over runs"
		}
	}
	return "say --missing nan" + within + " to fit without " + cells + ", or " + rest
}
