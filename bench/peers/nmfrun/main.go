// Command nmfrun times nmf.Fit on a matrix in memory, from a start that a peer
// has too, and prints what it took as JSON. What it takes to read the files
// does not count; all that Fit does, does.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/bench"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

type arguments struct {
	x, w, h, out, precision string
	profile                 string
	start, k                int
	options                 nmf.Options
	online                  bool
	learn                   nmf.OnlineOptions
	score                   string
}

func main() {
	var a arguments
	flag.StringVar(&a.x, "x", "", "matrix `file`")
	flag.StringVar(&a.w, "w", "", "`file` of starts for W (starts x m x k); without it -runs random starts are made")
	flag.StringVar(&a.h, "h", "", "`file` of starts for H (starts x k x n)")
	flag.IntVar(&a.start, "start", 0, "`index` of the start in the files")
	flag.IntVar(&a.k, "k", 0, "number of components, where no start is given")
	flag.StringVar(&a.precision, "precision", "f32", "f32 or f64")
	flag.StringVar(&a.out, "out", "", "model `file` to write")
	flag.StringVar(&a.profile, "profile", "", "`file` for a profile of the processor time of the fit, for go tool pprof")
	o := &a.options
	flag.IntVar(&o.Runs, "runs", 1, "number of random starts")
	flag.Uint64Var(&o.Seed, "seed", 0, "seed of the first random start")
	flag.StringVar(&o.Compression, "compression", "off", "auto, on or off")
	flag.IntVar(&o.Threads, "threads", 0, "number of threads")
	flag.IntVar(&o.MaxIter, "max-iter", 5000, "most iterations")
	flag.Float64Var(&o.Tol, "tol", -1, "KKT residual to stop at; negative: never")
	flag.Float64Var(&o.LossTol, "loss-tol", -1, "relative decrease of the loss to stop at; negative: never")
	flag.StringVar(&o.Loss, "loss", "frobenius", "what is minimised")
	flag.Float64Var(&o.Beta, "beta", 0, "the β of the loss beta")
	flag.Float64Var(&o.TargetError, "target-error", 0, "relative error to stop at; 0: never")
	flag.BoolVar(&a.online, "online", false, "learn batch by batch")
	flag.IntVar(&a.learn.Batch, "batch", 0, "rows a batch")
	flag.IntVar(&a.learn.Epochs, "epochs", 0, "passes over the rows")
	flag.Float64Var(&a.learn.Forget, "forget", 0, "exponent of forgetting; 0: the default")
	flag.BoolVar(&a.learn.NoShuffle, "no-shuffle", false, "take rows in order")
	flag.StringVar(&o.Solver, "solver", "", "solver")
	flag.IntVar(&o.InnerSweeps, "inner-sweeps", 0, "updates of a half-step; 0 chooses")
	flag.StringVar(&a.score, "score", "", "`file` with an H (k x n): print the loss of X for it, nothing else")
	flag.Parse()
	o.Init = "random"
	if o.Loss != "frobenius" {
		o.Compression = ""
	}
	run := fit[float32]
	if a.precision == "f64" {
		run = fit[float64]
	}
	if a.online {
		a.options.Online, a.options.Compression, a.options.LossTol = &a.learn, "", -1
	}
	if a.score != "" {
		run = score[float64]
	}
	r, err := run(a)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nmfrun:", err)
		os.Exit(1)
	}
}

// result is what is printed. Bytes are resident ones; 0 where the system does
// not tell.
type result struct {
	Seconds float64 `json:"seconds"`
	// ReachedSeconds is when the trace first showed the target error.
	ReachedSeconds float64    `json:"reached_seconds,omitempty"`
	RelativeError  float64    `json:"relative_error"`
	Iterations     int        `json:"iterations"`
	Status         nmf.Status `json:"status"`
	SIMD           string     `json:"simd"`
	BytesBefore    int        `json:"bytes_before"`
	BytesPeak      int        `json:"bytes_peak"`
	// Loss is that of the model, or of X with the H that is scored.
	Loss float64 `json:"loss"`
	// LearnSeconds and LearnProcessor are wall clock and processor seconds that
	// learning online took, before W is solved.
	LearnSeconds   float64 `json:"learn_seconds,omitempty"`
	LearnProcessor float64 `json:"learn_processor,omitempty"`
	// Errors and RunIterations are those of every start.
	Errors        []float64 `json:"errors"`
	RunIterations []int     `json:"run_iterations"`
	// Compressed is the number of iterations on a compressed X.
	Compressed []int `json:"compressed_iterations,omitempty"`
}

func fit[F matrix.Float](a arguments) (*result, error) {
	t, err := data.Read[F](a.x, nil)
	if err != nil {
		return nil, err
	}
	if a.w != "" {
		if a.options.W, err = readStart(a.w, a.start); err != nil {
			return nil, err
		}
		if a.options.H, err = readStart(a.h, a.start); err != nil {
			return nil, err
		}
		a.k = a.options.W.Cols
	}
	var learnt float64
	if a.online {
		a.options.W = nil
		began := bench.ProcessorTime()
		a.options.Progress = func(nmf.Progress) { learnt = (bench.ProcessorTime() - began).Seconds() }
	}
	debug.FreeOSMemory()
	walk(t.X)
	before := resetPeak()
	stop, err := startProfile(a.profile)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	model, err := nmf.Fit(context.Background(), t.X, a.k, &a.options)
	seconds := time.Since(began).Seconds()
	stop()
	if err != nil {
		return nil, err
	}
	info := &model.Info
	r := &result{Loss: info.Loss, LearnProcessor: learnt, Seconds: seconds, RelativeError: info.RelativeError, Iterations: info.Iterations, Status: info.Status,
		SIMD: info.SIMD, BytesBefore: before, BytesPeak: memoryStatus("VmHWM")}
	if n := len(info.Trace); a.online && n > 0 {
		r.LearnSeconds = info.Trace[n-1].Seconds
	}
	for _, it := range info.Trace {
		if it.RelativeError <= a.options.TargetError {
			r.ReachedSeconds = it.Seconds
			break
		}
	}
	for _, run := range info.Runs {
		r.Errors = append(r.Errors, run.RelativeError)
		r.RunIterations = append(r.RunIterations, run.Iterations)
	}
	if info.Compression != nil {
		r.Compressed = info.Compression.Iterations
	}
	runtime.KeepAlive(t)
	if a.out != "" {
		return r, model.Save(a.out)
	}
	return r, nil
}

// walk reads x once, as the peer does: memory that has just been filled may be slow
// the first time.
func walk[F matrix.Float](x matrix.Matrix[F]) {
	var cells []F
	var index []int32
	switch x := x.(type) {
	case *matrix.Dense[F]:
		cells = x.Data
	case *matrix.CSR[F]:
		cells, index = x.Val, x.ColIdx
	}
	largest, last := F(0), int32(0)
	for _, v := range cells {
		largest = max(largest, v)
	}
	for _, j := range index {
		last = max(last, j)
	}
	runtime.KeepAlive(largest)
	runtime.KeepAlive(last)
}

// startProfile begins a profile of the processor time, unless path is empty, and
// gives what ends it.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

// score gives the loss of X for a given H and the best W.
func score[F matrix.Float](a arguments) (*result, error) {
	t, err := data.Read[F](a.x, nil)
	if err != nil {
		return nil, err
	}
	h, err := data.Read[F](a.score, nil)
	if err != nil {
		return nil, err
	}
	m := &nmf.Model[F]{H: h.X.(*matrix.Dense[F])}
	m.Scales = make([]float64, m.H.Rows)
	for j := range m.Scales {
		m.Scales[j] = 1
	}
	m.Info.LossName, m.Info.Resolved = a.options.Loss, a.options
	m.Info.Resolved.Tol = 1e-4
	s, err := m.Score(context.Background(), t.X, nil)
	return &result{Loss: s.Loss, RelativeError: s.RelativeError}, err
}

// readStart takes one start from a file of several.
func readStart(path string, index int) (*matrix.Dense[float64], error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	a, err := npy.Read[float64](f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(a.Shape) != 3 || index < 0 || index >= a.Shape[0] {
		return nil, fmt.Errorf("%s: shape %s has no start %d", path, npy.ShapeString(a.Shape), index)
	}
	rows, cols := a.Shape[1], a.Shape[2]
	return matrix.FromSlice(rows, cols, a.Data[index*rows*cols:(index+1)*rows*cols])
}

// resetPeak makes VmHWM start again from what is resident now, which it
// returns. Linux only.
func resetPeak() int {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return 0
	}
	return memoryStatus("VmRSS")
}

// memoryStatus reads a size from /proc/self/status.
func memoryStatus(key string) int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == key+":" {
			kib, err := strconv.Atoi(fields[1])
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
