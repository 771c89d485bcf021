package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/partsof/nmf/internal/scale"
)

type scaleCmd struct {
	Rows      float64 `group:"Fit" type:"number" default:"1e6" placeholder:"M" help:"Samples."`
	Columns   float64 `group:"Fit" type:"number" default:"1e4" placeholder:"N" help:"Features."`
	Stored    float64 `group:"Fit" type:"number" default:"0" placeholder:"N" help:"Stored cells of a sparse matrix; 0 for a dense one."`
	K         int     `short:"k" group:"Fit" type:"count" default:"20" placeholder:"K" help:"Number of components."`
	Precision string  `group:"Fit" type:"choice" default:"f32" placeholder:"NAME" help:"Numbers of 32 or 64 bits."`
	Sweeps    float64 `group:"Fit" type:"number" default:"3" placeholder:"X" help:"Times that a half-step goes over a row."`
	Ranks     string  `group:"Machine" default:"1,2,4,8,16,32,64" placeholder:"LIST" help:"Numbers of ranks."`
	Gflops    float64 `group:"Machine" type:"number" placeholder:"X" help:"Useful operations of a rank in the products with X, in 10^9 a second: nmf bench measures them. Default: 100, of a sparse matrix 10."`
	Network   float64 `group:"Machine" type:"number" default:"10" placeholder:"X" help:"What a rank sends and receives, in 10^9 bits a second."`
	Latency   float64 `group:"Machine" type:"number" default:"5" placeholder:"X" help:"Time of an empty message, in microseconds."`
	JSON      bool    `group:"Output" help:"Print the result as JSON."`
}

func (c *scaleCmd) examples() [][2]string {
	return [][2]string{
		{"nmf scale --rows 1e6 --columns 1e5 -k 50", "a dense matrix, 1 to 64 ranks"},
		{"nmf scale --rows 1e9 --columns 1e6 --stored 1e11 -k 50 --ranks 100,1000", "a large sparse one"},
		{"nmf scale --network 100 --latency 2 --gflops 400", "on such machines"},
	}
}

func (c *scaleCmd) notes() string {
	return "It is a model, not a measurement: docs/scale.md says what is in it, and how it compares with what was run."
}

func (c *scaleCmd) Run(a *app) error {
	ranks, err := c.check()
	if err != nil {
		return err
	}
	x := scale.Problem{Rows: c.Rows, Columns: c.Columns, Stored: c.Stored, K: c.K, Element: 4, Sweeps: c.Sweeps}
	if c.Precision == "f64" {
		x.Element = 8
	}
	gflops := c.Gflops
	if gflops == 0 {
		gflops = 100
		if c.Stored > 0 {
			gflops = 10
		}
	}
	m := scale.Machine{Flops: 1e9 * gflops, Bandwidth: 1e9 / 8 * c.Network, Latency: 1e-6 * c.Latency}
	estimates := make([]scale.Estimate, len(ranks))
	for i, p := range ranks {
		estimates[i] = scale.Of(x, m, p)
	}
	if c.JSON {
		return a.printJSON(estimates)
	}
	kind := "dense"
	if c.Stored > 0 {
		kind = fmt.Sprintf("%.3g stored cells", c.Stored)
	}
	a.printf("%.3g samples x %.3g features, %s, k = %d, %s; a rank: %g Gflop/s, %g Gbit/s, %g µs\n", c.Rows, c.Columns, kind, c.K, c.Precision, gflops, c.Network, c.Latency)
	rows := [][]string{{"ranks", "grid", "X each", "factors each", "words", "bound", "compute", "network", "iteration", "efficiency"}}
	for _, e := range estimates {
		rows = append(rows, []string{fmt.Sprint(e.Ranks), fmt.Sprintf("%d x %d", e.GridRows, e.GridColumns), byteText(e.Data), byteText(e.Factors),
			fmt.Sprintf("%.3g", e.Words), fmt.Sprintf("%.3g", e.Bound), secondsText(e.Compute), secondsText(e.Network), secondsText(e.Seconds()), percent(e.Efficiency)})
	}
	for _, row := range rows {
		line := ""
		for j, cell := range row {
			width := 0
			for _, other := range rows {
				width = max(width, displayWidth(other[j]))
			}
			line += padLeft(cell, width+2)
		}
		a.printf("%s\n", strings.TrimPrefix(line, "  "))
	}
	a.printf("At the end rank 0 holds all of W: %s.\n", byteText(estimates[0].Gathered))
	return nil
}

// secondsText writes a time of three digits.
func secondsText(s float64) string {
	switch {
	case s < 1e-3:
		return fmt.Sprintf("%.3g µs", 1e6*s)
	case s < 1:
		return fmt.Sprintf("%.3g ms", 1e3*s)
	}
	return fmt.Sprintf("%.3g s", s)
}

func (c *scaleCmd) check() ([]int, error) {
	if err := checkK("scale", c.K); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		flag  string
		value float64
		least float64
		above bool
	}{{"rows", c.Rows, 1, false}, {"columns", c.Columns, 1, false}, {"stored", c.Stored, 0, false}, {"sweeps", c.Sweeps, 1, false},
		{"gflops", c.Gflops, 0, false}, {"network", c.Network, 0, true}, {"latency", c.Latency, 0, false}} {
		const most = 1e15
		switch {
		case !(f.value <= most):
			return nil, usagef("scale", "--%s is %v; it must be at most %g", f.flag, f.value, most)
		case f.above && f.value <= f.least:
			return nil, usagef("scale", "--%s is %v; it must be above %v", f.flag, f.value, f.least)
		case f.value < f.least:
			return nil, usagef("scale", "--%s is %v; it must be at least %v", f.flag, f.value, f.least)
		}
	}
	if c.Stored > c.Rows*c.Columns {
		return nil, usagef("scale", "--stored is %v, and a matrix of %v x %v has fewer cells", c.Stored, c.Rows, c.Columns)
	}
	var ranks []int
	for part := range strings.SplitSeq(c.Ranks, ",") {
		const most = 1_000_000
		p, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || p < 1 || p > most {
			return nil, usagef("scale", "--ranks %q: %q is not a number from 1 to %d", c.Ranks, part, most)
		}
		ranks = append(ranks, p)
	}
	return ranks, nil
}
