package main

import (
	"fmt"
	"time"

	"github.com/partsof/nmf"
)

// checkpointFlags say where a command that fits keeps its state.
type checkpointFlags struct {
	Checkpoint string `group:"Machine" placeholder:"FOLDER" help:"Keep the state of the fit in FOLDER, so that one that was killed can go on."`
	Every      string `group:"Machine" placeholder:"TIME" help:"Time between two states, such as 30s, 10m or 1h; 0 for after every iteration. Default 60s."`
	Resume     bool   `group:"Machine" help:"Go on from the state in the folder of --checkpoint, where there is one."`
}

// check refuses what cannot be meant.
func (f *checkpointFlags) check(command string) error {
	switch _, err := f.every(); {
	case f.Checkpoint == "" && f.Resume:
		return usagef(command, "--resume needs the folder that the state is in: say --checkpoint FOLDER")
	case f.Checkpoint == "" && f.Every != "":
		return usagef(command, "--every needs a folder for the states: say --checkpoint FOLDER")
	case err != nil:
		return usagef(command, "--every %q is not a time such as 30s, 10m or 1h", f.Every)
	}
	return nil
}

func (f *checkpointFlags) every() (time.Duration, error) {
	switch f.Every {
	case "":
		return nmf.DefaultEvery, nil
	case "0":
		return -1, nil
	}
	d, err := time.ParseDuration(f.Every)
	switch {
	case err == nil && d < 0:
		return 0, fmt.Errorf("%s is below zero", d)
	case err == nil && d == 0:
		return -1, nil
	}
	return d, err
}

// into has the fit with these options keep its state, until its model is saved.
func (f *checkpointFlags) into(a *app, o *nmf.Options, quiet bool) {
	if f.Checkpoint == "" {
		return
	}
	every, _ := f.every() // checked
	o.Checkpoint = &nmf.Checkpoint{Dir: f.Checkpoint, Every: every, Resume: f.Resume,
		Note: func(message string) { a.note(quiet, "%s", message) }}
	a.checkpoint = o.Checkpoint
}

// settleCheckpoint is what becomes of the state when the model is saved: that of
// a fit that is done is removed.
func (a *app) settleCheckpoint(i *nmf.Info, quiet bool) {
	c := a.checkpoint
	if c == nil {
		return
	}
	if wasCancelled(i) {
		a.note(quiet, "%s", goOn(c))
		return
	}
	a.checkpoint = nil
	if err := c.Remove(); err != nil {
		a.warn(quiet, "the state of the fit, which is done, could not be removed: %v", err)
	}
}

// goOn says how a fit that was stopped goes on.
func goOn(c *nmf.Checkpoint) string {
	return fmt.Sprintf("the state of the fit is in %s; the same command with --resume goes on from there", shellWord(c.Dir))
}
