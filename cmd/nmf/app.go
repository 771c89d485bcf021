package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
)

// app is what every command works with.
type app struct {
	stdout     *bufio.Writer
	stderr     io.Writer
	interrupts *interrupts
	// command is the one that was given; nil before that is known.
	command *kong.Node
	// ranks joins this process with others that mpirun has started; nil for one
	// process. silent says that another of them speaks and writes.
	ranks  *job
	silent bool
	// checkpoint is that of the fit whose model is not saved yet; nil is none.
	checkpoint *nmf.Checkpoint
}

func newApp() *app {
	return &app{stdout: bufio.NewWriter(os.Stdout), stderr: os.Stderr, interrupts: watchInterrupts(os.Stderr)}
}

// outputFlags are on every command that prints a result.
type outputFlags struct {
	JSON  bool `group:"Output" help:"Print the result as JSON."`
	Quiet bool `short:"q" group:"Output" help:"Print neither progress nor notes nor a summary: only errors."`
}

// printJSON writes a result for programs.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printf writes a result for people.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintf(a.stdout, format, args...)
}

// note tells the user something that is no result, such as what a reader did.
func (a *app) note(quiet bool, format string, args ...any) {
	if !quiet {
		fmt.Fprintf(a.stderr, "nmf: note: "+format+"\n", args...)
	}
}

// warn is a note that may well matter.
func (a *app) warn(quiet bool, format string, args ...any) {
	if !quiet {
		fmt.Fprintf(a.stderr, "nmf: warning: "+format+"\n", args...)
	}
}

// written acknowledges a file, as JSON.
type written struct {
	Output  string   `json:"output"`
	Rows    int      `json:"rows"`
	Columns int      `json:"columns"`
	Notes   []string `json:"notes,omitempty"`
}
