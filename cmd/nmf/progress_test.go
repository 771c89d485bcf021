package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/partsof/nmf"
)

func TestProgressLines(t *testing.T) {
	var b bytes.Buffer
	p := &progress{out: &b, began: time.Now().Add(-10 * time.Second)}
	p.report(nmf.Progress{Run: 1, Runs: 3, MaxIter: 500, Iteration: nmf.Iteration{Iteration: 50, Loss: 12.5, RelativeError: 0.25, KKT: 1e-3}})
	want := "nmf: run 2/3  iter 50  loss 12.5  error 0.2500  KKT 1.0e-03  10 s, ≤ 4 min 50 s left\n"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	if displayWidth(strings.TrimPrefix(want, "nmf: ")) > 80 { // which shows no prefix; the line feed counts as one
		t.Errorf("the line is wider than a terminal of 80 columns")
	}
}

// TestProgressRedraws keeps the cursor on one line and leaves nothing.
func TestProgressRedraws(t *testing.T) {
	var b bytes.Buffer
	p := &progress{out: &b, terminal: true, width: 60, began: time.Now()}
	for i, loss := range []float64{1234567, 1} {
		p.report(nmf.Progress{Runs: 1, MaxIter: 2, Iteration: nmf.Iteration{Iteration: i + 1, Loss: loss}})
	}
	p.clear()
	if strings.Contains(b.String(), "\n") {
		t.Errorf("a line feed in %q", b.String())
	}
	lines := strings.Split(b.String(), "\r")
	for _, l := range lines {
		if displayWidth(l) > 59 {
			t.Errorf("line of %d columns", displayWidth(l))
		}
	}
	if last := lines[len(lines)-2]; strings.TrimSpace(last) != "" || displayWidth(last) < displayWidth(lines[len(lines)-3])-1 && lines[len(lines)-1] != "" {
		t.Errorf("the last line is not cleared: %q", lines)
	}
}

// TestProgressEnded counts runs that ended at what they took.
func TestProgressEnded(t *testing.T) {
	p := &progress{}
	report := func(run, iteration int) {
		p.count(nmf.Progress{Run: run, Runs: 2, Iteration: nmf.Iteration{Iteration: iteration}})
	}
	report(0, 1)
	report(1, 1)
	for i := 2; i <= 40; i++ {
		report(1, i)
	}
	if got := p.left(50, 41*time.Second).Round(time.Second); got != 10*time.Second {
		t.Errorf("%v left, want the 10 s of the run that goes on", got)
	}
}

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Millisecond: "30 ms", 2340 * time.Millisecond: "2.3 s", 59 * time.Second: "59 s",
		125 * time.Second: "2 min 05 s", 3*time.Hour + 4*time.Minute: "3 h 04 min",
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
