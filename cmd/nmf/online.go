package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// onlineFlags say how to learn batch by batch.
type onlineFlags struct {
	Batch         int     `group:"Online" type:"count" default:"1024" placeholder:"N" help:"Rows that the components are updated after."`
	Epochs        int     `group:"Online" type:"count" default:"10" placeholder:"N" help:"Passes over a file, at most; a stream is read once."`
	Forget        float64 `group:"Online" type:"number" default:"4" placeholder:"X" help:"Of the first t rows, row s counts (s/t)^X; 0 for all alike."`
	HalfLife      float64 `group:"Online" type:"number" default:"0" placeholder:"ROWS" help:"A row counts half as much after so many newer ones; 0 for never."`
	NoShuffle     bool    `group:"Online" help:"Take the rows of a file in their order."`
	SnapshotEvery int     `group:"Online" type:"count" default:"0" placeholder:"ROWS" help:"Of a stream, save the model whenever so many rows more have been learnt; 0 for at the end alone."`
}

func (f *onlineFlags) check(command string) error {
	switch {
	case f.Batch < 1:
		return usagef(command, "--batch is %d; it must be at least 1", f.Batch)
	case f.Epochs < 1:
		return usagef(command, "--epochs is %d; it must be at least 1", f.Epochs)
	case f.Forget < 0 || math.IsInf(f.Forget, 0):
		return usagef(command, "--forget is %v; it must be at least 0 and finite", f.Forget)
	case f.HalfLife < 0 || math.IsInf(f.HalfLife, 0):
		return usagef(command, "--half-life is %v; it must be at least 0 and finite", f.HalfLife)
	case f.SnapshotEvery < 0:
		return usagef(command, "--snapshot-every is %d; it must be at least 0", f.SnapshotEvery)
	}
	return nil
}

func (f *onlineFlags) options() *nmf.OnlineOptions {
	return &nmf.OnlineOptions{Batch: f.Batch, Epochs: f.Epochs, Forget: orNever(f.Forget), HalfLife: f.HalfLife, NoShuffle: f.NoShuffle}
}

// given reports whether a flag says anything.
func (f *onlineFlags) given() bool {
	return *f != onlineFlags{Batch: 1024, Epochs: 10, Forget: 4}
}

// isStream says that an input can be read only once: standard input, a named
// pipe.
func isStream(path string) bool {
	if path == "-" {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// checkOnline refuses what does not go with --online.
func (c *fitCmd) checkOnline() error {
	if !c.Online {
		if c.onlineFlags.given() {
			return usagef("fit", "--batch, --epochs, --forget, --half-life, --no-shuffle and --snapshot-every go with --online")
		}
		return nil
	}
	stream := isStream(c.Input)
	for _, x := range []struct {
		bad  bool
		what string
	}{
		{c.K == kAuto, "-k auto"},
		{c.Runs != 1, "--runs"},
		{c.MaxIter != 500, "--max-iter (say --epochs)"},
		{c.TargetError != 0, "--target-error"},
		{c.InitW != "", "--init-w"},
		{c.Checkpoint != "", "--checkpoint"},
		{c.Missing != "" && c.Missing != "error", "--missing"},
		{c.Mask != "", "--mask"},
		{c.Weights != "", "--weights"},
		{c.Sigma != "", "--sigma"},
		{c.RowWeights != "", "--row-weights"},
		{c.ColumnWeights != "", "--column-weights"},
		{c.Compression == "on", "--compression on"},
		{stream && c.Report != "", "--report of a stream (run nmf report on the model)"},
		{stream && c.Labels != "", "--labels of a stream"},
		{!stream && c.SnapshotEvery != 0, "--snapshot-every of a file (it is for streams)"},
	} {
		if x.bad {
			return usagef("fit", "--online and %s exclude each other", x.what)
		}
	}
	if p, err := c.penaltyPath("fit"); err != nil {
		return err
	} else if p.values != nil {
		return usagef("fit", "--online and --%s exclude each other", p.name)
	}
	return c.onlineFlags.check("fit")
}

// fitStream learns from a stream and saves the model.
func fitStream[F matrix.Float](a *app, c *fitCmd, in source, out modelOutput) error {
	o := c.fitOptions(c.Threads)
	if err := c.solveFlags.load(a, o, c.Quiet); err != nil {
		return err
	}
	o.Online = c.onlineFlags.options()
	if _, err := nmf.NewOnline[F](c.K, o); err != nil { // before any row is waited for
		return err
	}
	s := &stream[F]{a: a, in: in, out: out, flags: &c.onlineFlags, quiet: c.Quiet, json: c.JSON}
	return s.learn(o, func(o *nmf.Options, _ int) (*nmf.Online[F], error) { return nmf.NewOnline[F](c.K, o) })
}

// stream is a model that is learnt from rows as they come.
type stream[F matrix.Float] struct {
	a           *app
	in          source
	out         modelOutput
	flags       *onlineFlags
	quiet, json bool

	online *nmf.Online[F]
	// before and last are the last two batches.
	before, last *data.Rows[F]
	saved        int // rows that were learnt before the last snapshot
	read         int // rows of this stream
}

// learn learns until the stream ends, something is wrong with it, or Ctrl-C, and
// saves the model of what has been learnt.
func (s *stream[F]) learn(o *nmf.Options, begin func(o *nmf.Options, features int) (*nmf.Online[F], error)) error {
	p := newProgress(s.quiet)
	if p != nil {
		o.Progress = p.report
	}
	var ended error
	err := s.a.interrupts.during("nmf: stopping; the model of the rows so far will be saved (Ctrl-C again quits at once)\n",
		func(ctx context.Context) error {
			rows, err := s.open(ctx)
			if err != nil {
				if ended = err; errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			}
			defer rows.Close()
			for ended == nil {
				var batch *data.Rows[F]
				batch, ended = rows.Next(ctx, s.flags.Batch)
				if batch == nil {
					continue
				}
				if s.online == nil {
					for _, n := range rows.Notes {
						s.a.note(s.quiet, "%s: %s", s.in.name(), n)
					}
					o.ColumnNames = rows.ColumnNames
					if s.online, err = begin(o, rows.Cols()); err != nil {
						return inFile(s.in.name(), err)
					}
				}
				if err := s.batch(batch, rows.ColumnNames); err != nil {
					ended = err
				}
			}
			return nil
		})
	p.clear()
	if err != nil {
		return err
	}
	interrupted := errors.Is(ended, context.Canceled)
	if s.last == nil {
		if interrupted {
			return &statusError{1, "interrupted before the first rows were learnt (the layout of a text shows in its first 101 lines): there is no model to save"}
		}
		return inFile(s.in.name(), ended)
	}
	model, err := s.save()
	if err != nil {
		if ended != io.EOF && !interrupted {
			return inFile(s.in.name(), ended)
		}
		return err
	}
	rows := plural(s.online.Rows(), "row")
	switch {
	case interrupted:
		err = &statusError{1, fmt.Sprintf("interrupted: the model of %s is in %s", rows, s.out.path)}
	case ended != io.EOF:
		err = &stoppedError{inFile(s.in.name(), ended), fmt.Sprintf("the model of the %s before is in %s", rows, s.out.path)}
	}
	if s.json {
		return errors.Join(s.a.printJSON(withoutTrace(model.Info)), err)
	}
	if !s.quiet {
		s.a.printf("read    %s: %s x %s, as a stream\n", s.in.name(), plural(s.read, "sample"), plural(model.H.Cols, "feature"))
		s.a.summarizeFit(&model.Info)
		s.a.printf("model   %s, W is that of the last %s; look at it with: nmf top %s\n", s.out.path, plural(model.W.Rows, "sample"), shellWord(s.out.path))
	}
	return err
}

// open opens the stream. That waits for its first bytes, which may never come.
func (s *stream[F]) open(ctx context.Context) (*data.RowStream[F], error) {
	type opened struct {
		rows *data.RowStream[F]
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		rows, err := data.OpenRows[F](s.in.path, s.in.options)
		done <- opened{rows, err}
	}()
	select {
	case o := <-done:
		return o.rows, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stoppedError is what is wrong with a stream, after some of it has been learnt.
type stoppedError struct {
	err  error
	what string
}

func (e *stoppedError) Error() string { return fmt.Sprintf("%v; %s", e.err, e.what) }
func (e *stoppedError) Unwrap() error { return e.err }

// batch learns rows; of rows with a bad value those before it.
func (s *stream[F]) batch(rows *data.Rows[F], columns []string) error {
	err := s.online.Learn(rows.X)
	var e *nmf.CellError
	if errors.As(err, &e) {
		err = s.atLine(rows, columns, e)
		n := e.Row
		if n == 0 {
			return err
		}
		part := *rows.X
		part.Rows, part.Data = n, part.Data[:n*part.Stride]
		rows.X, rows.Lines = &part, nil
		if rows.RowNames != nil {
			rows.RowNames = rows.RowNames[:n]
		}
		if again := s.online.Learn(rows.X); again != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	s.before, s.last = s.last, rows
	s.read += rows.X.Rows
	if every := s.flags.SnapshotEvery; err == nil && every > 0 && s.online.Rows()/every > s.saved/every {
		if _, saveErr := s.save(); saveErr != nil && !errors.Is(saveErr, nmf.ErrEmpty) {
			return saveErr
		}
		s.saved = s.online.Rows()
	}
	return err
}

// atLine says where in the input a value is that cannot be learnt.
func (s *stream[F]) atLine(rows *data.Rows[F], columns []string, e *nmf.CellError) error {
	found := fmt.Sprintf("%v %v", e.Value, e.Err)
	if columns != nil {
		found = fmt.Sprintf("column %q: %s", columns[e.Column], found)
	}
	if rows.Lines == nil {
		return &data.Error{File: s.in.name(), Found: fmt.Sprintf("row %d, column %d: %v %v", rows.First+e.Row+1, e.Column+1, e.Value, e.Err), Err: e.Err}
	}
	column := e.Column + 1
	if rows.RowNames != nil {
		column++
	}
	return &data.Error{File: s.in.name(), Line: rows.Lines[e.Row], Column: column, Found: found, Err: e.Err}
}

// save writes the model; its W is that of the last rows, up to a batch of them.
func (s *stream[F]) save() (*nmf.Model[F], error) {
	x, names := s.last.X, s.last.RowNames
	if missing := s.flags.Batch - x.Rows; missing > 0 && s.before != nil {
		old := s.before.X
		from := max(0, old.Rows-missing)
		both := matrix.NewDense[F](old.Rows-from+x.Rows, x.Cols)
		copy(both.Data, old.Data[from*old.Cols:])
		copy(both.Data[(old.Rows-from)*x.Cols:], x.Data[:x.Rows*x.Cols])
		x = both
		if names != nil {
			names = append(slices.Clone(s.before.RowNames[from:]), names...)
		}
	}
	model, err := s.online.Model(context.Background(), x, names)
	if err != nil {
		return nil, inFile(s.in.name(), err)
	}
	return model, saveModel(s.a, model, s.out, s.quiet)
}

type updateCmd struct {
	Model  string `arg:"" optional:"" needed:"" help:"Model to go on from."`
	Input  string `arg:"" optional:"" needed:"" help:"New samples over the model's features: a file, a 10x folder, or - for standard input, which is learnt as it comes."`
	Output string `short:"o" group:"Output" placeholder:"FILE" help:"Model to write, an .npz file; it may be MODEL itself."`
	Seed   uint64 `group:"Online" type:"count" default:"0" placeholder:"N" help:"Seed of the order of the rows of a file."`
	onlineFlags
	inputFlags
	machineFlags
	outputFlags
}

func (c *updateCmd) examples() [][2]string {
	return [][2]string{
		{"nmf update model.npz new.csv -o model2.npz", "learn from new samples"},
		{"tail -f log.csv | nmf update model.npz - -o model.npz --snapshot-every 10000", "a stream that never ends"},
	}
}

func (c *updateCmd) notes() string {
	return "The new model has the W of the new samples (of a stream, of its last ones) and the components of all that was learnt. Ctrl-C ends the learning, saves the model so far and exits with status 1."
}

// defaults: new samples are a part of what the model knows, and a pass over
// them again would count them again.
func (c *updateCmd) defaults() map[string]string { return map[string]string{"epochs": "1"} }

func (c *updateCmd) Run(a *app) error {
	if err := checkModelPath("update", c.Model); err != nil {
		return err
	}
	in, err := c.source("update", c.Input, "the new data", c.Threads)
	if err != nil {
		return err
	}
	if c.Output == "" {
		return usagef("update", "the new model is missing: name it with -o FILE.npz; it may be %s", c.Model)
	}
	if err := errors.Join(c.onlineFlags.check("update"), c.machineFlags.check("update")); err != nil {
		return err
	}
	if c.SnapshotEvery != 0 && !isStream(c.Input) {
		return usagef("update", "--snapshot-every is for streams, and %s is a file", c.Input)
	}
	out, err := newModelOutput("update", c.Output)
	if err != nil {
		return err
	}
	info, err := nmf.ReadInfo(c.Model)
	if err != nil {
		return modelError(c.Model, err)
	}
	if info.Precision == "f64" {
		return updateFile[float64](a, c, in, out)
	}
	return updateFile[float32](a, c, in, out)
}

func updateFile[F matrix.Float](a *app, c *updateCmd, in source, out modelOutput) error {
	m, err := loadModel[F](c.Model)
	if err != nil {
		return err
	}
	if m.Info.Online == nil {
		a.note(c.Quiet, "%s was not learnt online: its W·H counts for the %s that it was fitted to", c.Model, plural(m.W.Rows, "sample"))
	}
	o := &nmf.Options{Seed: c.Seed, Threads: c.Threads, Online: c.onlineFlags.options(), Tol: m.Info.Resolved.Tol}
	if isStream(c.Input) {
		s := &stream[F]{a: a, in: in, out: out, flags: &c.onlineFlags, quiet: c.Quiet, json: c.JSON}
		return s.learn(o, func(o *nmf.Options, features int) (*nmf.Online[F], error) {
			if features != m.H.Cols {
				return nil, fmt.Errorf("%w: the rows have %s, the model %s", nmf.ErrShape, plural(features, "feature"), thousands(m.H.Cols))
			}
			return m.Online(o)
		})
	}
	t, err := readTable[F](a, in, c.Quiet)
	if err != nil {
		return err
	}
	reordered, err := alignFeatures(t, m.ColumnNames, m.H.Cols, c.Transpose)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", in.name(), c.Model, err)
	}
	if reordered {
		a.note(c.Quiet, "%s: the features have another order than in the model: they were matched by name", in.name())
	}
	o.RowNames, o.ColumnNames = t.RowNames, t.ColumnNames
	p := newProgress(c.Quiet)
	if p != nil {
		o.Progress = p.report
	}
	var model *nmf.Model[F]
	err = a.interrupts.during("nmf: stopping; the model so far will be saved (Ctrl-C again quits at once)\n",
		func(ctx context.Context) (err error) {
			model, err = m.Update(ctx, t.X, o)
			return err
		})
	p.clear()
	switch {
	case errors.Is(err, context.Canceled):
		return &statusError{1, "interrupted before the first batch: nothing was written"}
	case err != nil:
		return inFile(in.name(), err)
	}
	if err := saveModel(a, model, out, c.Quiet); err != nil {
		return err
	}
	if c.JSON {
		err = a.printJSON(withoutTrace(model.Info))
	} else if !c.Quiet {
		a.summarize(in.name(), describe(t.X), &model.Info)
		a.printf("model   %s, look at it with: nmf top %s\n", out.path, shellWord(out.path))
	}
	if model.Info.Status == nmf.Cancelled {
		err = &statusError{1, fmt.Sprintf("interrupted: the model so far is in %s", out.path)}
	}
	return err
}

// onlineText says in words what a model has learnt from.
func onlineText(i *nmf.Info) string {
	on := i.Online
	batches := "1 batch"
	if on.Batches != 1 {
		batches = thousands(on.Batches) + " batches"
	}
	text := fmt.Sprintf("learnt %s in %s", plural(on.Rows, "row"), batches)
	if i.Status == nmf.Stalled {
		text += "; another pass gains little"
	}
	return fmt.Sprintf("%s; KKT residual %.1e", text, i.KKT)
}
