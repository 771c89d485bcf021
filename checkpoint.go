package nmf

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/partsof/nmf/internal/checkpoint"
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/fingerprint"
	"github.com/partsof/nmf/internal/kernel"
	"github.com/partsof/nmf/matrix"
)

// Checkpoint says where Fit keeps its state while it works, so that a fit that
// was killed, at whatever moment, can go on. The model that a resumed fit ends
// with has the bits of one that was never stopped, but for the seconds.
//
// A state is saved between iterations, and when the context is cancelled: the
// fit then ends after the iteration under way. The files are written beside,
// synced and renamed, and the last two are kept. They stay when the fit has
// ended: Remove removes them when its model is safe.
//
// A state that cannot be saved, because the disk is full, does not end the fit:
// Note is told, the states before stay, and it is tried again.
//
// Over ranks (FitRows) rank 0 alone has the folder; the states are of the whole
// fit, and another number of ranks, or one process with Fit, can go on from them.
// Those end with other last bits than the first would have.
type Checkpoint struct {
	// Dir is the folder, which Fit makes where it is absent and which must hold
	// nothing else. While a fit uses it no other process can.
	Dir string
	// Every is the least time between two states. 0 is a minute; below 0 there is
	// one after every iteration.
	Every time.Duration
	// Resume goes on from the newest whole state in Dir; where there is none the
	// fit begins. Without Resume a Dir that holds states is refused.
	//
	// It must be a state of the same X, k and options, but for Threads, Memory,
	// names and Progress, which may be others, and of the same version.
	Resume bool
	// Note, unless nil, is told in a sentence what a user should know: from where
	// the fit goes on, that a state is damaged and the one before is used, that
	// one could not be saved.
	Note func(message string)
	// Saved, unless nil, is called after a state was saved, with its file, which
	// stays at least until the next call.
	Saved func(path string)
}

// DefaultEvery is the time between two checkpoints where Checkpoint.Every is 0.
const DefaultEvery = time.Minute

// Remove removes the states in Dir, and Dir itself where nothing else is in it.
func (c *Checkpoint) Remove() error {
	if err := checkpoint.Remove(c.Dir); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return nil
}

// keeper is the checkpoint of a fit under way; the nil keeper keeps nothing.
type keeper[F matrix.Float] struct {
	Checkpoint
	over *ranks[F]
	// folder is nil but on rank 0.
	folder *checkpoint.Folder
	fit    fitIdentity
	header []byte
	began  time.Time
	saved  time.Time
	// state is what the fit goes on from, until the stage that it is of.
	state *checkpoint.State[F]
	// failed is the last failure to save.
	failed string
}

// fitIdentity says what a state is of; everything counts but the tiers, which
// change last bits only.
type fitIdentity struct {
	Version   string `json:"version"`
	Precision string `json:"precision"`
	Rows      int    `json:"rows"`
	Columns   int    `json:"columns"`
	K         int    `json:"k"`
	Data      string `json:"data"`
	// Options are the resolved ones, Given what they hold beside: start, mask,
	// weights and constraints, by their fingerprints.
	Options map[string]string `json:"options"`
	Given   map[string]string `json:"given"`
	// SIMD lists the kernels that the state was made with.
	SIMD []string `json:"simd"`
}

// keep opens the checkpoint that the options ask for, nil for none. A fit that
// goes on from a state began as much earlier as that took. Over ranks it is
// collective.
func keep[F matrix.Float](over *ranks[F], x matrix.Matrix[F], k int, opt *Options, began *time.Time) (*keeper[F], error) {
	if opt.Checkpoint == nil {
		return nil, nil
	}
	c := &keeper[F]{Checkpoint: *opt.Checkpoint, over: over, saved: time.Now()}
	c.Every = cmp.Or(c.Every, DefaultEvery)
	if err := c.begin(x, k, opt, began); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// open opens the folder.
func (c *keeper[F]) open() (err error) {
	switch {
	case c.Dir == "":
		return fmt.Errorf("%w: a checkpoint without a folder", ErrOption)
	case !c.over.first0():
		return nil
	}
	if c.folder, err = checkpoint.Open(c.Dir); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if !c.folder.Empty() && !c.Resume {
		return fmt.Errorf("%w: %s holds the state of a fit: resume it (--resume), name another folder, or remove it to begin anew", ErrCheckpoint, c.Dir)
	}
	return nil
}

func (c *keeper[F]) begin(x matrix.Matrix[F], k int, opt *Options, began *time.Time) (err error) {
	if err := c.over.outcome(c.open()); err != nil {
		return err
	}
	c.fit, err = identityOf(c.over, x, k, opt)
	if err := c.over.outcome(err); err != nil {
		return err
	}
	if err := c.over.joinIdentity(&c.fit); err != nil {
		return err
	}
	if c.Resume {
		if c.folder != nil {
			err = c.load(opt)
		}
		if err = c.over.outcome(err); err == nil {
			c.state, c.fit.SIMD, err = c.over.partOfState(c.state, c.fit.SIMD)
		}
		if err != nil {
			return err
		}
	}
	if c.state != nil {
		*began = began.Add(-time.Duration(c.state.Seconds * float64(time.Second)))
	}
	c.began = *began
	c.header, err = json.Marshal(c.fit)
	return err
}

// load reads the newest whole state.
func (c *keeper[F]) load(opt *Options) error {
	path, err := c.folder.Load(func(r io.Reader, size int64) (err error) {
		c.state, err = checkpoint.Read[F](r, size, c.accept)
		if err == nil {
			err = checkState(c.state, c.fit.Rows, c.fit.Columns, c.fit.K, opt)
		}
		return err
	}, func(path string, err error) { c.tell("%s: %v; the one before is used", path, err) })
	switch {
	case errors.Is(err, ErrCheckpoint):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w; remove %s to begin anew", ErrCheckpoint, err, c.Dir)
	case path == "":
		c.tell("%s holds no state to resume: the fit begins", c.Dir)
		return nil
	}
	iterations := 0
	for _, r := range c.state.Now.Runs {
		iterations += r.Run.Iterations
	}
	c.tell("%s: going on after %d iterations and %s of work", path, iterations,
		time.Duration(c.state.Seconds*float64(time.Second)).Round(time.Millisecond))
	return nil
}

// accept says whether a state is of this fit.
func (c *keeper[F]) accept(header []byte) error {
	var old fitIdentity
	if err := json.Unmarshal(header, &old); err != nil {
		return err
	}
	if differ := old.differences(&c.fit); len(differ) > 0 {
		return fmt.Errorf("%w: it is of another fit: %s; give what it was begun with, or begin anew in another folder", ErrCheckpoint, strings.Join(differ, "; "))
	}
	for _, tier := range old.SIMD {
		if !slices.Contains(c.fit.SIMD, tier) {
			c.fit.SIMD = append(c.fit.SIMD, tier)
		}
	}
	return nil
}

// warn adds what a model's user should know of how it came to be.
func (c *keeper[F]) warn(info *Info) {
	if c != nil && len(c.fit.SIMD) > 1 {
		info.Warnings = append(info.Warnings, fmt.Sprintf("the fit was resumed on another kind of processor (%s): the last bits may differ from those of a fit that was not stopped", strings.Join(c.fit.SIMD, ", ")))
	}
}

// differences says in words what is not the same.
func (f *fitIdentity) differences(now *fitIdentity) (differ []string) {
	add := func(name string, old, now any) {
		if old != now {
			differ = append(differ, fmt.Sprintf("%s was %v, and is %v", name, old, now))
		}
	}
	add("the version of nmf", f.Version, now.Version)
	add("the precision", f.Precision, now.Precision)
	add("k", f.K, now.K)
	switch {
	case f.Rows != now.Rows || f.Columns != now.Columns:
		differ = append(differ, fmt.Sprintf("X was %d x %d, and is %d x %d", f.Rows, f.Columns, now.Rows, now.Columns))
	case f.Data != now.Data && f.Precision == now.Precision:
		differ = append(differ, "X has other values")
	}
	for _, name := range names(f.Options, now.Options) {
		add(name, cmp.Or(f.Options[name], "not given"), cmp.Or(now.Options[name], "not given"))
	}
	for _, name := range names(f.Given, now.Given) {
		if f.Given[name] != now.Given[name] {
			differ = append(differ, name+" has other values")
		}
	}
	return differ
}

// names gives the keys of both, in order.
func names(a, b map[string]string) []string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// identityOf says what the states of a fit are of.
func identityOf[F matrix.Float](over *ranks[F], x matrix.Matrix[F], k int, opt *Options) (fitIdentity, error) {
	size, first := over.size(x), over.first()
	m, n := size.Rows, size.Cols
	id := fitIdentity{Version: Version(), Precision: precision[F](), Rows: m, Columns: n, K: k,
		SIMD: []string{kernel.For[F]().Tier + " on " + runtime.GOARCH}, Options: map[string]string{}, Given: map[string]string{}}
	data, err := fingerprint.Rows(x, first)
	if err != nil {
		return id, err
	}
	id.Data = data.String()
	same := *opt
	same.Threads, same.Memory = 0, 0
	text, err := json.Marshal(same)
	if err != nil {
		return id, err
	}
	var options map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&options); err != nil {
		return id, err
	}
	flatten("", options, id.Options)
	delete(id.Options, "grid") // of these ranks alone
	for name, w := range map[string]*matrix.Dense[float64]{givenW: opt.W, heldW: opt.PenaltyW.Held} {
		if w != nil {
			sum, failed := fingerprint.Rows(w, first)
			id.Given[name], err = sum.String(), errors.Join(err, failed)
		}
	}
	given := map[string]any{}
	for name, m := range map[string]*matrix.Dense[float64]{"the given H": opt.H, "what is held of H": opt.PenaltyH.Held} {
		if m != nil {
			given[name] = m
		}
	}
	for name, m := range map[string]*matrix.CSR[float64]{"the graph of W": opt.PenaltyW.GraphWeights, "the graph of H": opt.PenaltyH.GraphWeights} {
		if m != nil {
			given[name] = m
		}
	}
	if opt.MaskOf != nil {
		given["the matrix of masked cells"] = opt.MaskOf
	}
	if opt.Weights != nil {
		given["the matrix of weights"] = opt.Weights
	}
	for name, m := range given {
		h := fingerprint.New()
		err = errors.Join(err, h.Matrix(m))
		id.Given[name] = h.String()
	}
	for name, v := range map[string][]float64{"the list of row weights": opt.RowWeights, "the list of column weights": opt.ColumnWeights} {
		if v != nil {
			h := fingerprint.New()
			h.Floats(v)
			id.Given[name] = h.String()
		}
	}
	if opt.Mask != nil {
		h := fingerprint.New()
		h.Mask(opt.Mask)
		id.Given["the mask"] = h.String()
	}
	return id, err
}

// What is given of W over ranks is of each rank's rows.
const (
	givenW = "the given W"
	heldW  = "what is held of W"
)

// flatten lists the options within options by names such as penalty_w.l1.
func flatten(prefix string, from map[string]any, to map[string]string) {
	for name, v := range from {
		if inner, ok := v.(map[string]any); ok {
			flatten(prefix+name+".", inner, to)
		} else {
			to[prefix+name] = fmt.Sprint(v)
		}
	}
}

// checkState refuses a state that could not be one of this fit, whatever its sum
// says.
func checkState[F matrix.Float](s *checkpoint.State[F], m, n, k int, opt *Options) error {
	last, runs := 0, opt.Runs
	if opt.plain() {
		if opt.Compression == on {
			last = realStage
		}
	} else if last = len(opt.pilots()); s.Stage < last {
		runs = 1
	}
	damaged := fmt.Errorf("%w: its parts do not go together", ErrCheckpoint)
	if s.Stage < 0 || s.Stage > last {
		return damaged
	}
	if err := checkpoint.Check(s.Now, m, n, k, runs, !opt.plain(), !opt.NoExtrapolation); err != nil {
		return err
	}
	switch sketched := opt.Compression == on && s.Stage == realStage; {
	case !sketched && s.Before != nil, sketched && (s.Before == nil || len(s.Before.Runs) != runs || len(s.Known) != 2):
		return damaged
	case sketched:
		if err := checkpoint.Check(s.Before, m, n, k, runs, false, false); err != nil {
			return err
		}
		for _, i := range notStarted(s.Now, runs) {
			if s.Before.Runs[i].Run.W == nil {
				return damaged
			}
		}
	case !opt.plain() && s.Stage > 0:
		if len(s.Known) != 1 && (opt.Loss == huber || len(s.Known) != n) {
			return damaged
		}
	}
	return nil
}

// notStarted lists the runs that a snapshot does not have.
func notStarted[F matrix.Float](s *engine.Snapshot[F], runs int) (list []int) {
	at := 0
	for i := range runs {
		if at < len(s.Runs) && s.Runs[at].Index == i {
			at++
		} else {
			list = append(list, i)
		}
	}
	return list
}

// stage gives the keeper of the call of the engine that is stage n of a fit: the
// stages before have found `known`, and `before`, unless nil, gives the runs that
// this one starts at. Where a start has failed nothing is saved.
func (c *keeper[F]) stage(n int, known []float64, before func(now *engine.Snapshot[F]) *engine.Snapshot[F], failed *error) *engine.Keeper[F] {
	if c == nil {
		return nil
	}
	k := &engine.Keeper[F]{Due: func() bool { return c.over.decides(time.Since(c.saved) >= c.Every) }}
	if c.state != nil && c.state.Stage == n {
		k.Resume, c.state = c.state.Now, nil
	}
	k.Save = func(now *engine.Snapshot[F]) {
		if c.over.any(*failed != nil) {
			return
		}
		s := &checkpoint.State[F]{Stage: n, Seconds: time.Since(c.began).Seconds(), Known: known, Now: now}
		if before != nil {
			s.Before = before(now)
		}
		c.save(s)
	}
	return k
}

// beyond gives what is known where the fit goes on after stage n, and false where
// it does not.
func (c *keeper[F]) beyond(n int) ([]float64, bool) {
	if c == nil || c.state == nil || c.state.Stage <= n {
		return nil, false
	}
	return c.state.Known, true
}

func (c *keeper[F]) save(s *checkpoint.State[F]) {
	s, err := c.over.wholeState(s)
	if err != nil || c.folder == nil {
		return // where the ranks have lost each other the fit ends by that
	}
	path, err := c.folder.Save(func(w io.Writer) error { return checkpoint.Write(w, c.header, s) })
	c.saved = time.Now()
	switch {
	case err == nil:
		c.failed = ""
		if c.Saved != nil {
			c.Saved(path)
		}
	case err.Error() != c.failed:
		c.failed = err.Error()
		c.tell("the state could not be saved: %v; the fit goes on, and tries again later", err)
	}
}

func (c *keeper[F]) tell(format string, args ...any) {
	if c.Note != nil {
		c.Note(fmt.Sprintf(format, args...))
	}
}

func (c *keeper[F]) close() {
	if c != nil && c.folder != nil {
		c.folder.Close()
	}
}
