package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/rank"
)

// progress shows how a fit goes: one line that is redrawn on a terminal, a
// plain line a second elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	width    int
	every    time.Duration

	began, shown time.Time
	// drawn is the width of the line on the terminal.
	drawn int

	calls int
	runs  []runProgress
}

// runProgress is what is known of one run: its last iteration, and the call
// that reported it.
type runProgress struct{ iteration, call int }

// newProgress is nil where nothing is to be shown.
func newProgress(quiet bool) *progress {
	if quiet {
		return nil
	}
	now := time.Now()
	p := &progress{out: os.Stderr, began: now, shown: now, every: time.Second}
	if columns := columnsOf(os.Stderr); columns > 0 && os.Getenv("TERM") != "dumb" {
		p.terminal, p.width, p.every = true, columns, 100*time.Millisecond
	}
	return p
}

// report is called for every iteration of every run.
func (p *progress) report(it nmf.Progress) {
	p.count(it)
	p.show(func(elapsed time.Duration) string { return p.line(it, elapsed) })
}

// sweep is called for every part of a sweep.
func (p *progress) sweep(s rank.Progress) {
	p.show(func(elapsed time.Duration) string {
		line := fmt.Sprintf("%.0f %% done  %s  %s", 100*s.Done, s.What, shortDuration(elapsed))
		if s.Left > 0 {
			line += fmt.Sprintf(", about %s left", shortDuration(s.Left))
		}
		return line
	})
}

// step is called for every part of other work that goes on beside a fit.
func (p *progress) step(text string) {
	if p != nil {
		p.show(func(time.Duration) string { return text })
	}
}

// show draws a line, unless the last one is too fresh.
func (p *progress) show(text func(elapsed time.Duration) string) {
	now := time.Now()
	if now.Sub(p.shown) < p.every {
		return
	}
	p.shown = now
	line := text(now.Sub(p.began))
	if !p.terminal {
		fmt.Fprintln(p.out, "nmf: "+line)
		return
	}
	line = cut(line, p.width-1)
	fmt.Fprint(p.out, "\r", padRight(line, p.drawn))
	p.drawn = displayWidth(line)
}

// clear takes the line off the terminal.
func (p *progress) clear() {
	if p != nil && p.drawn > 0 {
		fmt.Fprint(p.out, "\r", strings.Repeat(" ", p.drawn), "\r")
		p.drawn = 0
	}
}

func (p *progress) count(it nmf.Progress) {
	if p.runs == nil {
		p.runs = make([]runProgress, it.Runs)
	}
	p.calls++
	p.runs[it.Run] = runProgress{it.Iteration.Iteration, p.calls}
}

func (p *progress) line(it nmf.Progress, elapsed time.Duration) string {
	if it.Rows > 0 {
		return fmt.Sprintf("%s  batch %s  error %.4f  %s", plural(it.Rows, "row"), thousands(it.Iteration.Iteration), it.RelativeError, shortDuration(elapsed))
	}
	var b strings.Builder
	if it.Runs > 1 {
		fmt.Fprintf(&b, "run %d/%d  ", it.Run+1, it.Runs)
	}
	fmt.Fprintf(&b, "iter %d  loss %.4g  error %.4f  KKT %.1e  %s",
		it.Iteration.Iteration, it.Loss, it.RelativeError, it.KKT, shortDuration(elapsed))
	if left := p.left(it.MaxIter, elapsed); left > 0 {
		fmt.Fprintf(&b, ", ≤ %s left", shortDuration(left))
	}
	return b.String()
}

// left bounds the time to the end: a run that is going on, or waits for its
// turn, may take all its iterations. A run that has not been heard of for long
// has ended.
func (p *progress) left(maxIter int, elapsed time.Duration) time.Duration {
	done, open := 0, 0
	for _, r := range p.runs {
		done += r.iteration
		if r.call == 0 || p.calls-r.call < 8*len(p.runs) {
			open += maxIter - r.iteration
		}
	}
	if done == 0 {
		return 0
	}
	return time.Duration(float64(elapsed) / float64(done) * float64(open))
}

// shortDuration writes a duration for people.
func shortDuration(d time.Duration) string {
	s := d.Seconds()
	switch {
	case s < 0.1:
		return fmt.Sprintf("%.0f ms", math.Max(1, 1000*s))
	case s < 10:
		return fmt.Sprintf("%.1f s", s)
	case s < 100:
		return fmt.Sprintf("%.0f s", s)
	case s < 2*3600:
		return fmt.Sprintf("%d min %02d s", int(s)/60, int(s)%60)
	}
	return fmt.Sprintf("%d h %02d min", int(s)/3600, int(s)/60%60)
}
