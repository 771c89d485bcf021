package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/dist"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/matrix"
)

// overRanks marks the commands whose work several processes do together, which
// mpirun has started.
type overRanks interface{ overRanks() }

func (*fitCmd) overRanks()       {}
func (*rankCmd) overRanks()      {}
func (*consensusCmd) overRanks() {}

// aside marks the commands that rank 0 does alone, since they are of no work.
type aside interface{ aside() }

func (*helpCmd) aside()       {}
func (*versionCmd) aside()    {}
func (*completionCmd) aside() {}

// overFlags say what ranks divide among them.
type overFlags struct {
	Over string `group:"Machine" type:"choice" default:"auto" placeholder:"WHAT" help:"What the processes that mpirun starts divide: rows (each has a part of the matrix) or runs (each has all of it). auto is runs where there are as many as processes."`
	Grid string `group:"Machine" placeholder:"RxC" help:"Divide the matrix over a grid of R x C processes: its rows in R parts, its columns in C. Default: the grid that sends the least."`
}

// grid reads --grid; it is zero where there is none.
func (f *overFlags) grid() (g [2]int, err error) {
	if f.Grid == "" {
		return g, nil
	}
	sides := strings.Split(strings.ToLower(f.Grid), "x")
	for i := range g {
		if len(sides) == 2 {
			// What is no number is refused as 0 is.
			g[i], _ = strconv.Atoi(sides[i])
		}
	}
	if g[0] < 1 || g[1] < 1 || g[0] > matrix.MaxDim || g[1] > matrix.MaxDim {
		return g, usagef("fit", "--grid %q is no grid: say rows x columns of processes, such as --grid 2x2", f.Grid)
	}
	return g, nil
}

// checkGrid refuses a grid that the processes of this fit cannot make.
func (f *overFlags) checkGrid(a *app) error {
	g, err := f.grid()
	if err != nil || f.Grid == "" {
		return err
	}
	p := g[0] * g[1]
	switch {
	case a.ranks == nil:
		return usagef("fit", "--grid %s is for processes that mpirun starts, and there is one: start it as mpirun -n %d nmf fit …, or leave --grid out", f.Grid, p)
	case f.Over == "runs":
		return usagef("fit", "--grid and --over runs exclude each other: a grid divides the matrix, and there each process has all of it")
	case p != a.ranks.Size():
		return usagef("fit", "--grid %s is of %s, and mpirun has started %d: the two numbers multiply to that; without --grid the best is chosen", f.Grid, plural(p, "rank"), a.ranks.Size())
	}
	f.Over = "rows"
	return nil
}

// overRuns says that the ranks divide the runs; many says that there are many
// fits.
func (f *overFlags) overRuns(a *app, runs int, many bool) bool {
	return f.Over == "runs" || f.Over == "auto" && (many || runs >= a.ranks.Size())
}

// job is what a command knows of the ranks that it is one of.
type job struct {
	*dist.World
	// settled says that all ranks know the error that this one has.
	settled bool
	// local is the number of ranks on this machine, processors how many of the
	// machine's this one should use.
	local, processors int
	// from and to are the rows of this rank, where the ranks divide them, of all.
	from, to, all int
}

// runOverRanks does what args say as one of several ranks, and gives the exit
// status. failed is why they cannot be joined.
func runOverRanks(a *app, launch dist.Launch, args []string, failed error) int {
	first := launch.Rank <= 0
	if !first {
		a.silence()
	}
	// One rank speaks, and its status is that of the job: one that another has
	// given could end the job before it has spoken.
	end := func(err error) int {
		if status := a.finish(err); first {
			return status
		}
		return 0
	}
	ctx, err := newParser(a).Parse(args)
	if err != nil {
		return end(parseUsage(err))
	}
	command := ctx.Selected()
	if command == nil {
		return end(nil)
	}
	a.command = command
	switch command.Target.Addr().Interface().(type) {
	case aside:
		if !first {
			return 0
		}
		return end(ctx.Run(a))
	case overRanks:
		if failed != nil {
			return end(failed)
		}
	default:
		return end(usagef(command.Name, "nmf %s does not run over ranks, and mpirun has started %s of it: start it without mpirun, or with %s=off where each is to work by itself",
			command.Name, launchedText(launch), dist.Environment))
	}
	world, err := dist.Start(func(rank int, err error) {
		fmt.Fprintf(os.Stderr, "nmf: rank %d: %v\n", rank, a.withAdvice(err))
	})
	if err != nil {
		// The first of each machine says so.
		if launch.LocalRank > 0 {
			return 0
		}
		a.stderr = os.Stderr
		return a.finish(err)
	}
	a.ranks = &job{World: world}
	err = a.ranks.begin(a, args)
	if err == nil {
		err = ctx.Run(a)
	}
	if errors.Is(err, dist.ErrTransport) {
		world.Abort(err)
	}
	status := end(a.together(err))
	world.Close()
	return status
}

func launchedText(l dist.Launch) string {
	if l.Size > 0 {
		return fmt.Sprint(l.Size)
	}
	return "several"
}

// silence leaves all that is said to another rank.
func (a *app) silence() {
	a.stdout.Reset(io.Discard)
	a.stderr, a.interrupts.stderr = io.Discard, io.Discard
	a.silent = true
}

// together makes an error of one rank that of all; all of them call it. In one
// process it does nothing.
func (a *app) together(err error) error {
	if a.ranks == nil || a.ranks.settled {
		return err
	}
	err = comm.Outcome(a.ranks, err)
	a.ranks.settled = err != nil
	var of *comm.RankError
	if errors.As(err, &of) && of.Rank == 0 && of.Host == "" && of.Err != nil {
		return of.Err // the one that speaks speaks of itself
	}
	return err
}

// comm joins the ranks; nil in one process.
func (a *app) comm() comm.Comm {
	if a.ranks == nil {
		return nil
	}
	return a.ranks
}

// begin refuses ranks that do not do the same, and divides the processors.
func (j *job) begin(a *app, args []string) error {
	facts := []comm.Fact{{Name: "the version of nmf", Value: nmf.Version()}, {Name: "the platform", Value: runtime.GOOS + "/" + runtime.GOARCH},
		{Name: "the kind of kernels (NMF_SIMD chooses one)", Value: nmf.SIMD()}, {Name: "the command line", Value: strings.Join(args, " ")}}
	if err := comm.Agree(j, facts); err != nil {
		j.settled = true
		return err
	}
	// Ranks that may use the same processors of a machine share them.
	mine := j.Host() + "\n" + affinity()
	all, err := comm.EachBytes(j, []byte(mine))
	if err != nil {
		return err
	}
	sharing, hosts := 0, map[string]int{}
	for _, other := range all {
		host, _, _ := strings.Cut(string(other), "\n")
		hosts[host]++
		if string(other) == mine {
			sharing++
		}
	}
	j.local = hosts[j.Host()]
	j.processors = max(1, runtime.GOMAXPROCS(0)/sharing) // which a container may bound
	if online := onlineProcessors(); runtime.NumCPU() == 1 && online > j.local && (sharing == 1 && j.local > 1 || j.local == 1) {
		a.warn(false, "mpirun has bound this rank to one of the %d processors of %s; to let ranks use several, say mpirun --bind-to none, or --map-by slot:PE=N for N each", online, j.Host())
	}
	return nil
}

// threads is how many processors a command uses that was told n, or 0 for all.
func (a *app) threads(n int) int {
	if n == 0 && a.ranks != nil {
		return a.ranks.processors
	}
	return n
}

// memory is that of the machine, or this rank's share of it; 0 where it is not
// known.
func (a *app) memory() float64 {
	if a.ranks == nil {
		return totalMemory()
	}
	return totalMemory() / float64(a.ranks.local)
}

// checkRows refuses, where ranks divide the rows, what needs all of them.
func (c *fitCmd) checkRows() error {
	for _, f := range []struct {
		bad       bool
		flag, why string
	}{
		{c.K == kAuto, "-k auto", "it compares many runs on the whole matrix: say -k K"},
		{c.Report != "", "--report", "it shows the whole matrix: make it afterwards, with nmf report"},
		{c.Labels != "", "--labels", "they are of all samples"},
		{c.Transpose, "--transpose", "each rank reads rows of the file: turn it round first, with nmf convert"},
		{c.cellFlags.anyFile() || c.RowWeights != "" || c.Missing != "" && c.Missing != "error", "weights or missing cells", "they need every cell of a feature at once"},
	} {
		if f.bad {
			return usagef("fit", "%s and rows that are divided among ranks exclude each other: %s; or have every rank hold the whole matrix, with --over runs", f.flag, f.why)
		}
	}
	return nil
}

// errStdinOverRanks: standard input is that of rank 0 alone.
func errStdinOverRanks(command string) error {
	return usagef(command, "over ranks the matrix must be in a file that all of them can read: mpirun gives standard input to one alone")
}

// checkRanks refuses what cannot be done over ranks; one of them writes.
func (c *fitCmd) checkRanks(a *app) error {
	if err := c.checkGrid(a); err != nil || a.ranks == nil {
		return err
	}
	if c.Input == "-" {
		return errStdinOverRanks("fit")
	}
	switch {
	case c.Online:
		return usagef("fit", "--online does not run over ranks: each batch begins where the one before has ended")
	case c.Checkpoint != "" && c.Over == "auto":
		c.Over = "rows"
	case c.Checkpoint != "" && c.Over == "runs":
		return usagef("fit", "--checkpoint is not there where ranks divide the runs; say --over rows")
	}
	if !c.overRuns(a, c.Runs, c.K == kAuto) {
		if err := c.checkRows(); err != nil {
			return err
		}
	}
	if a.silent {
		c.Report = ""
	}
	return nil
}

// modelOutput is newModelOutput where this rank writes the model.
func (a *app) modelOutput(command, path string) (modelOutput, error) {
	if a.silent {
		return modelOutput{path: path}, nil
	}
	return newModelOutput(command, path)
}

// openFit opens the matrix of a fit, or this rank's part of it.
func openFit[F matrix.Float](a *app, c *fitCmd, in source, o *nmf.Options) (t *data.Table[F], done func(), err error) {
	switch {
	case a.ranks == nil:
		return openTable(a, in, fitting[F](max(1, c.K), o, &c.cellFlags, c.Cache, c.Quiet))
	case c.overRuns(a, c.Runs, c.K == kAuto):
		t, err = readTable[F](a, in, c.Quiet)
		return t, func() {}, a.together(err)
	}
	return openRows[F](a, in, max(1, c.K), o, c.Quiet)
}

// openRows reads this rank's part of the rows, or, where that would take more
// memory than there is, opens it to be read block by block in every pass.
func openRows[F matrix.Float](a *app, in source, k int, o *nmf.Options, quiet bool) (t *data.Table[F], done func(), err error) {
	none := func() {}
	rows, err := data.OpenParted[F](in.path, in.options)
	if err = a.together(err); err != nil {
		return nil, none, err
	}
	// Rank 0 divides them.
	r := a.ranks
	var parts []int
	if r.Rank() == 0 {
		parts, err = rows.Parts(r.Size())
	}
	if err = a.together(err); err != nil {
		rows.Close()
		return nil, none, err
	}
	told := make([]int64, r.Size()+3)
	for i, p := range parts {
		told[i] = int64(p)
	}
	told[r.Size()+1], told[r.Size()+2] = int64(rows.Total), int64(rows.Columns)
	if err = r.Broadcast(0, comm.Bytes(told)); err != nil {
		return nil, none, err
	}
	if total, cols := told[r.Size()+1], told[r.Size()+2]; int(total) != rows.Total || int(cols) != rows.Columns {
		err = fmt.Errorf("%s is %d x %d here, and %d x %d at rank 0: it is another file", in.name(), rows.Total, rows.Columns, total, cols)
	}
	r.from, r.to, r.all = int(told[r.Rank()]), int(told[r.Rank()+1]), rows.Total
	if err == nil {
		if t = streamRows(a, rows, k, o); t == nil {
			t, err = rows.Read(r.from, r.to)
		}
	}
	if err = a.together(err); err != nil {
		rows.Close()
		return nil, none, err
	}
	for _, n := range append(slices.Clone(t.Notes), rows.Note()) {
		if n != "" {
			a.note(quiet, "%s: %s", in.name(), n)
		}
	}
	return t, func() { rows.Close() }, nil
}

// streamRows gives this rank's rows as a stream, where they can be one and have
// to; nil otherwise.
func streamRows[F matrix.Float](a *app, rows *data.Parted[F], k int, o *nmf.Options) *data.Table[F] {
	limit := float64(o.Memory)
	if limit == 0 {
		limit = a.memory()
	}
	single := *o
	single.Runs, single.Memory = 1, 0
	own := a.ranks.to - a.ranks.from
	if need, err := nmf.Memory[F](own, rows.Columns, own*rows.Columns, false, k, &single); err != nil || limit == 0 || need <= limit {
		return nil
	}
	return rows.Stream(a.ranks.from, a.ranks.to)
}

// ownRows keeps of what is given for W the rows of this rank.
func (j *job) ownRows(o *nmf.Options) error {
	if j == nil || j.all == 0 {
		return nil
	}
	for _, given := range []struct {
		name string
		w    **matrix.Dense[float64]
	}{{"W", &o.W}, {"entries of W to hold", &o.PenaltyW.Held}} {
		d := *given.w
		if d == nil {
			continue
		}
		if d.Rows != j.all {
			return fmt.Errorf("%w: the given %s has %d rows; X has %d", nmf.ErrShape, given.name, d.Rows, j.all)
		}
		part, err := matrix.FromRows(rowsOf(d, j.from, j.to))
		if err != nil {
			return err
		}
		*given.w = part
	}
	return nil
}

func rowsOf(d *matrix.Dense[float64], from, to int) [][]float64 {
	rows := make([][]float64, 0, to-from)
	for i := from; i < to; i++ {
		rows = append(rows, d.Row(i))
	}
	return rows
}

// fitOver is nmf.Fit by as many ranks as there are.
func fitOver[F matrix.Float](ctx context.Context, a *app, x matrix.Matrix[F], k int, o *nmf.Options) (*nmf.Model[F], error) {
	switch {
	case a.ranks == nil:
		return nmf.Fit(ctx, x, k, o)
	case a.ranks.all > 0:
		return nmf.FitRows(ctx, a.ranks, x, k, o)
	}
	return nmf.FitRuns(ctx, a.ranks, x, k, o)
}

// rankTraffic is what ranks have sent each other, as JSON.
type rankTraffic struct {
	Ranks    int    `json:"ranks"`
	Machines int    `json:"machines"`
	Library  string `json:"library"`
	Over     string `json:"over"`
	// Grid is in how many parts the rows and the columns are divided, where both are.
	Grid     [2]int  `json:"grid,omitzero"`
	Sent     []int64 `json:"sent"`
	Received []int64 `json:"received"`
	// Seconds is how long each was within collective operations.
	Seconds []float64 `json:"seconds"`
}

// traffic is collective and gives that of all ranks; nil in one process.
func (a *app) traffic(grid [2]int) (*rankTraffic, error) {
	if a.ranks == nil {
		return nil, nil
	}
	mine := a.ranks.Traffic()
	hosts, err := comm.EachBytes(a.ranks, []byte(a.ranks.Host()))
	if err != nil {
		return nil, err
	}
	t := &rankTraffic{Ranks: a.ranks.Size(), Library: a.ranks.Library(), Over: "runs"}
	if a.ranks.all > 0 {
		t.Over = "rows"
		if grid[1] > 1 {
			t.Grid = grid
		}
	}
	names := map[string]bool{}
	for _, h := range hosts {
		names[string(h)] = true
	}
	t.Machines = len(names)
	var errs [3]error
	t.Sent, errs[0] = comm.Each(a.ranks, mine.Sent)
	t.Received, errs[1] = comm.Each(a.ranks, mine.Received)
	t.Seconds, errs[2] = comm.Each(a.ranks, mine.Time.Seconds())
	return t, errors.Join(errs[:]...)
}

func (t *rankTraffic) text() string {
	sent := int64(0)
	for _, n := range t.Sent {
		sent += n
	}
	where := "one machine"
	if t.Machines > 1 {
		where = plural(t.Machines, "machine")
	}
	what := "the " + t.Over
	if t.Grid[1] > 1 {
		what = fmt.Sprintf("the matrix in a grid of %d x %d", t.Grid[0], t.Grid[1])
	}
	return fmt.Sprintf("%d on %s divided %s; %s went from one to another", t.Ranks, where, what, byteText(float64(sent)))
}

// describeRows adds to what was read, where ranks divide the rows, what others
// have.
func (a *app) describeRows(text string) string {
	if a.ranks == nil || a.ranks.all == 0 {
		return text
	}
	return fmt.Sprintf("%s at rank 0, of %s", text, plural(a.ranks.all, "sample"))
}
