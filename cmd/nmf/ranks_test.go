package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/mpirun"
	"github.com/partsof/nmf/matrix"
)

// plantedMatrix has three components and some noise.
func plantedMatrix(rows, cols int) *matrix.Dense[float32] {
	x := matrix.NewDense[float32](rows, cols)
	for i := range rows {
		for j := range cols {
			x.Set(i, j, float32(i*2654435761>>9%100)/1000)
			if (i/7)%3 == j*3/cols {
				x.Set(i, j, x.At(i, j)+float32(1+j%4))
			}
		}
	}
	return x
}

// writePlanted writes such a matrix: planted FILE ROWS COLUMNS.
func writePlanted(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	cols, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Check(data.Write(ts.MkAbs(args[0]), &data.Table[float32]{X: plantedMatrix(rows, cols)}, nil))
}

// said finds what nmf says beside progress and notes.
var said = regexp.MustCompile(`(?m)^nmf: .*$`)

// runRanks runs a command in several processes, which must exit with a status
// and say one thing where it is not 0: ranks N STATUS nmf fit ….
func runRanks(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	runStatus(ts, false, append([]string{args[1], "mpirun"}, mpirun.Args(n, args[2:]...)...))
	if args[1] != "0" {
		if lines := said.FindAllString(ts.ReadFile("stderr"), -1); len(lines) != 1 {
			ts.Fatalf("%d messages where one is wanted", len(lines))
		}
	}
}

func savePlanted(t *testing.T, rows, cols int) string {
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := data.Write(path, &data.Table[float32]{X: plantedMatrix(rows, cols)}, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRanksOnMachines fits over ranks on two machines that only a network joins:
// the bits of two ranks on one machine.
func TestRanksOnMachines(t *testing.T) {
	hosts := mpirun.NewHosts(t, 2)
	x := savePlanted(t, 400, 30)
	there, here := filepath.Join(filepath.Dir(x), "there.npz"), filepath.Join(filepath.Dir(x), "here.npz")
	nmfPath, err := exec.LookPath("nmf")
	if err != nil {
		t.Fatal(err)
	}
	out, err := hosts.Command(1, nmfPath, "fit", x, "-k", "3", "-o", there).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("2 on 2 machines divided the rows")) {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := mpirun.Command(2, nmfPath, "fit", x, "-k", "3", "-o", here).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a, err := nmf.Load[float32](there)
	if err != nil {
		t.Fatal(err)
	}
	b, err := nmf.Load[float32](here)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(a.Scales, a.W, a.H) != fmt.Sprint(b.Scales, b.W, b.H) {
		t.Error("two machines make another model than one")
	}
}

// endless fits until it is ended.
func endless(t *testing.T) *exec.Cmd {
	x := savePlanted(t, 3000, 300)
	c := mpirun.Command(3, "nmf", "fit", x, "-k", "10", "--solver", "mu", "--tol", "0", "--loss-tol", "0", "--max-iter", "1000000000", "-o", filepath.Join(filepath.Dir(x), "m.npz"))
	c.Dir = filepath.Dir(x)
	return c
}

// TestRankKilled: a rank that is killed ends the job, with one message and no
// model.
func TestRankKilled(t *testing.T) {
	mpirun.Need(t)
	if runtime.GOOS != "linux" {
		t.Skip("the processes of a job are found in /proc")
	}
	c := endless(t)
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	killed := false
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if !killed && strings.Contains(lines.Text(), "iter ") {
			killed = true
			if err := syscall.Kill(childOf(t, c.Process.Pid, "OMPI_COMM_WORLD_RANK=1"), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || strings.Count(all.String(), "exited on signal 9") != 1 || strings.Contains(all.String(), "nmf: rank") {
		t.Errorf("%v\n%s", err, all.String())
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "m.npz")); err == nil {
		t.Error("there is a model")
	}
}

// childOf finds the child of a process that has something in its environment.
func childOf(t *testing.T, parent int, variable string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		environ, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(environ, []byte("\x00"+variable+"\x00")) {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(f), "stat"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == fmt.Sprint(parent) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("mpirun has no child with %s", variable)
	return 0
}

// TestInterruptRanks: Ctrl-C ends all ranks after the iteration that they are in,
// and the best model so far is saved.
func TestInterruptRanks(t *testing.T) {
	mpirun.Need(t)
	c := endless(t)
	status, stderr := interruptAt(t, c, "iter ", 1)
	if status == 0 || strings.Count(stderr, "nmf: stopping") != 1 {
		t.Errorf("exit status %d, standard error:\n%s", status, stderr)
	}
	m, err := nmf.Load[float32](filepath.Join(c.Dir, "m.npz"))
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if m.Info.Status != nmf.Cancelled || m.W.Rows != 3000 {
		t.Errorf("the model has status %q and %d rows", m.Info.Status, m.W.Rows)
	}
}
