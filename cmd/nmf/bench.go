package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/partsof/nmf/internal/bench"
	"github.com/partsof/nmf/internal/workload"
	"github.com/partsof/nmf/matrix"
)

type benchCmd struct {
	Action  string        `arg:"" optional:"" help:"'gen' writes the standard workloads to a folder; without it the machine and the engine are measured."`
	Folder  string        `arg:"" optional:"" help:"Folder to write workloads to."`
	Names   []string      `arg:"" optional:"" help:"Workloads to write: D1, D2, D3, S1, S2, K1, K2, AML. Default: all whose data are there."`
	Only    []string      `group:"Measure" placeholder:"PART" help:"Measure these parts: roofs, dense, sparse. Default: all. Roofs are always measured."`
	Time    time.Duration `group:"Measure" default:"100ms" placeholder:"T" help:"Least time of a repetition."`
	Repeat  int           `group:"Measure" type:"count" default:"5" placeholder:"N" help:"Repetitions: of roofs the best counts, of passes the median."`
	Scale   float64       `group:"Workloads" type:"number" default:"1" placeholder:"X" help:"Multiply numbers of rows and columns by this, from above 0 to 1."`
	Faces   string        `group:"Workloads" placeholder:"FILE" help:"Matrix of faces, for D1."`
	AML     string        `name:"aml" group:"Workloads" placeholder:"FILE" help:"Matrix of gene expression, genes x samples, for AML."`
	Threads int           `group:"Machine" type:"count" placeholder:"N" help:"Processors to measure with, besides one alone, and to generate with. Default: all."`
	outputFlags
}

func (c *benchCmd) examples() [][2]string {
	return [][2]string{
		{"nmf bench", "peaks, bandwidths, and the engine's passes as a share of them"},
		{"nmf bench --only roofs --json", "the machine alone, for programs"},
		{"nmf bench gen work/ D2 S1", "two of the standard workloads"},
		{"nmf bench gen work/ D1 --faces faces.npy", "one of real data"},
	}
}

func (c *benchCmd) notes() string {
	return "A workload NAME becomes NAME.npy or, sparse, NAME.npz, and NAME-kK-W.npy and NAME-kK-H.npy: the starts, one behind another. They depend on --scale alone. docs/performance.md says what is measured and how."
}

func (c *benchCmd) Run(a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Action == "gen" {
		return c.generate(a)
	}
	cfg := bench.Config{Threads: c.Threads, MinTime: c.Time, Repeats: c.Repeat, Scale: c.Scale, Parts: c.Only}
	if !c.Quiet {
		cfg.Progress = func(what string) { fmt.Fprintf(a.stderr, "nmf: measuring %s\n", what) }
	}
	var report *bench.Report
	err := a.interrupts.during("nmf: stopping\n", func(ctx context.Context) (err error) {
		report, err = bench.Run(ctx, cfg)
		return err
	})
	if errors.Is(err, context.Canceled) {
		return &statusError{1, "interrupted: nothing is reported"}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(report)
	}
	return report.WriteTable(a.stdout)
}

func (c *benchCmd) check() error {
	switch {
	case c.Action != "" && c.Action != "gen":
		return usagef("bench", "%q is unknown: only gen, or nothing, follows bench", c.Action)
	case c.Action == "gen" && c.Folder == "":
		return usagef("bench", "the folder is missing: nmf bench gen FOLDER")
	case !(c.Scale > 0 && c.Scale <= 1):
		return usagef("bench", "--scale is %v; it must be above 0 and at most 1", c.Scale)
	case c.Repeat < 1:
		return usagef("bench", "--repeat is %d; it must be at least 1", c.Repeat)
	case c.Time <= 0:
		return usagef("bench", "--time is %v; it must be above 0", c.Time)
	}
	for _, part := range c.Only {
		if !slices.Contains(bench.Parts(), part) {
			return usagef("bench", "--only: %q is unknown%s (one of %s)", part, didYouMean(part, bench.Parts()), strings.Join(bench.Parts(), ", "))
		}
	}
	return (&machineFlags{Threads: c.Threads}).check("bench")
}

// generated says what was written of one workload.
type generated struct {
	Workload string `json:"workload"`
	About    string `json:"about"`
	File     string `json:"file"`
	Rows     int    `json:"rows"`
	Columns  int    `json:"columns"`
	Stored   int    `json:"stored_cells"`
	Ranks    []int  `json:"k"`
	Starts   int    `json:"starts"`
}

func (c *benchCmd) generate(a *app) error {
	list, err := c.workloads()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Folder, 0o777); err != nil {
		return err
	}
	done := make([]generated, 0, len(list))
	for _, w := range list {
		g, err := c.write(w)
		if err != nil {
			return err
		}
		done = append(done, g)
		if !c.JSON && !c.Quiet {
			a.printf("%s: %s, %d x %d, %d stored, k %s, %d starts: %s\n", g.Workload, g.About, g.Rows, g.Columns, g.Stored, ranks(g.Ranks), g.Starts, g.File)
			if err := a.stdout.Flush(); err != nil {
				return err
			}
		}
	}
	if c.JSON {
		return a.printJSON(done)
	}
	return nil
}

func ranks(list []int) string {
	if len(list) == 1 {
		return fmt.Sprint(list[0])
	}
	return fmt.Sprintf("%d to %d", list[0], list[len(list)-1])
}

// workloads are those that were named, or all that need no file or have it.
func (c *benchCmd) workloads() ([]workload.Workload, error) {
	var list []workload.Workload
	if len(c.Names) == 0 {
		for _, w := range workload.All() {
			if !w.Real() || c.file(w) != "" {
				list = append(list, w)
			}
		}
		return list, nil
	}
	for _, name := range c.Names {
		w, err := workload.Lookup(name)
		if err != nil {
			return nil, usagef("bench", "%v", err)
		}
		if w.Real() && c.file(w) == "" {
			return nil, usagef("bench", "%s is real data: give its file with --%s", w.Name, fileFlag(w))
		}
		list = append(list, w)
	}
	return list, nil
}

// fileFlag is the flag with the file of a workload of real data.
func fileFlag(w workload.Workload) string {
	if w.Name == "D1" {
		return "faces"
	}
	return "aml"
}

func (c *benchCmd) file(w workload.Workload) string {
	if fileFlag(w) == "faces" {
		return c.Faces
	}
	return c.AML
}

func (c *benchCmd) write(w workload.Workload) (generated, error) {
	threads := c.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	var x matrix.Matrix[float32]
	var err error
	if w.Real() {
		x, err = w.Read(c.file(w))
	} else {
		x, err = w.Scaled(c.Scale, c.Scale).Matrix(threads)
	}
	if err != nil {
		return generated{}, err
	}
	path, err := w.Write(c.Folder, x)
	if err != nil {
		return generated{}, err
	}
	m, n := x.Dims()
	stored := m * n
	if s, ok := x.(*matrix.CSR[float32]); ok {
		stored = s.NNZ()
	}
	return generated{w.Name, w.About, path, m, n, stored, w.Ranks, w.Starts}, nil
}
