package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// countsFile writes counts that have some structure.
func countsFile(t *testing.T, path string, rows, cols int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	x := matrix.NewDense[float32](rows, cols)
	for i := range rows {
		for j := range cols {
			if (i+j)%5 < 2 || i%7 == j%7 {
				x.Set(i, j, float32(rng.IntN(9)))
			}
		}
	}
	if err := data.Write(path, &data.Table[float32]{X: x}, nil); err != nil {
		t.Fatal(err)
	}
}

// killedFits are fits that take some tenths of a second, of every kind that has
// a state of its own.
var killedFits = []string{
	"x.npy -k 8 --init random --runs 3 --max-iter 150 --tol 0 --loss-tol 0",
	"x.npy -k 8 --compression on --init random --max-iter 150 --tol 0 --loss-tol 0",
	"x.npy -k 5 --loss kl --runs 2 --max-iter 15 --tol 0 --loss-tol 0",
	"x.npy -k 5 --loss huber --max-iter 15 --tol 0 --loss-tol 0",
	"x.npy -k 4 --precision f64 --loss negbinomial --max-iter 10 --tol 0 --loss-tol 0",
	"x.npy -k 6 --solver mu --l1-w 0.1 --l1-h 0.1 --max-iter 150 --tol 0 --loss-tol 0",
}

// TestKilled kills a fit with SIGKILL at random moments, of reading, of starting,
// of iterating, of saving the state or the model, and resumes it, maybe to be
// killed again: it ends with the model of a fit that was not. NMF_KILLS says how
// often, 15 times unless told.
func TestKilled(t *testing.T) {
	kills := 15
	if testing.Short() {
		kills = 4
	}
	if s := os.Getenv("NMF_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	countsFile(t, filepath.Join(dir, "x.npy"), 300, 200)
	rng := rand.New(rand.NewPCG(7, 8))
	command := func(fit, model string, more ...string) *exec.Cmd {
		cmd := exec.Command("nmf", append(append([]string{"fit"}, strings.Fields(fit)...), append(more, "-q", "-o", model)...)...)
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		return cmd
	}
	done, resumed, finished := 0, 0, 0
	took := make([]time.Duration, len(killedFits))
	for i := 0; done < kills; i++ {
		fit := killedFits[i%len(killedFits)]
		whole := "whole" + strconv.Itoa(i%len(killedFits)) + ".npz"
		if i < len(killedFits) {
			began := time.Now()
			if err := command(fit, whole).Run(); err != nil {
				t.Fatal(err)
			}
			took[i] = time.Since(began)
		}
		os.Remove(filepath.Join(dir, "m.npz"))
		for left := rng.IntN(4) + 1; ; left-- {
			cmd := command(fit, "m.npz", "--checkpoint", "state", "--every", "0", "--resume", "--threads", strconv.Itoa(1+rng.IntN(3)))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if left > 0 && done < kills {
				time.Sleep(time.Duration(rng.Float64() * 1.5 * float64(took[i%len(took)])))
				cmd.Process.Kill()
			}
			err := cmd.Wait()
			if err == nil {
				break
			}
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() >= 0 && runtime.GOOS != "windows" {
				t.Fatalf("nmf fit %s: %v", fit, err)
			}
			done++
			if states, _ := filepath.Glob(filepath.Join(dir, "state", "checkpoint-*")); len(states) > 0 {
				resumed++
			}
		}
		finished++
		if a, b := modelText(t, filepath.Join(dir, whole)), modelText(t, filepath.Join(dir, "m.npz")); a != b {
			t.Fatalf("nmf fit %s: after %d kills another model:\n%s\n%s", fit, done, a, b)
		}
		if _, err := os.Stat(filepath.Join(dir, "state")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the state of a fit that is done is still there: %v", err)
		}
	}
	t.Logf("killed %d times, %d of them with a state to go on from; %d models are the same", done, resumed, finished)
	if kills >= 15 && resumed == 0 {
		t.Error("no kill left a state")
	}
}

// modelText is all of a model but its seconds, its names and the threads.
func modelText(t *testing.T, path string) string {
	t.Helper()
	m, err := nmf.Load[float64](path)
	if err != nil {
		t.Fatal(err)
	}
	m.Info.Seconds, m.Info.Options.Threads, m.Info.Resolved.Threads = 0, 0, 0
	for i := range m.Info.Trace {
		m.Info.Trace[i].Seconds = 0
	}
	text, err := json.Marshal([]any{m.Info, m.Scales, m.W.Data, m.H.Data})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestInterruptedState: Ctrl-C saves the state and the best model so far, and
// says how to go on.
func TestInterruptedState(t *testing.T) {
	dir := t.TempDir()
	countsFile(t, filepath.Join(dir, "x.npy"), 900, 700)
	fit := []string{"fit", "x.npy", "-k", "12", "--precision", "f64", "--solver", "mu", "--tol", "0", "--loss-tol", "0", "--max-iter", "2500", "--threads", "1", "-o", "m.npz"}
	cmd := exec.Command("nmf", append(slices.Clone(fit), "--checkpoint", "the state")...)
	cmd.Dir = dir
	status, stderr := interruptAt(t, cmd, "iter ", 1)
	if status != 1 || !strings.Contains(stderr, "nmf: stopping after this iteration; the state and the best model so far will be saved") ||
		!strings.Contains(stderr, "nmf: note: the state of the fit is in 'the state'; the same command with --resume goes on from there") {
		t.Errorf("exit status %d, standard error:\n%s", status, stderr)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "the state", "checkpoint-*")); len(files) != 1 {
		t.Fatalf("states: %q", files)
	}
	cmd = exec.Command("nmf", append(slices.Clone(fit), "--checkpoint", "the state", "--resume")...)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(text), "checkpoint-00000001.nmf: going on after ") {
		t.Errorf("%v\n%s", err, text)
	}
	if m, err := nmf.Load[float64](filepath.Join(dir, "m.npz")); err != nil || m.Info.Status == nmf.Cancelled || m.Info.Iterations < 2 {
		t.Errorf("the resumed model: %v", err)
	}
}
