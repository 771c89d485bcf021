package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
)

// TestInterrupt ends a fit with Ctrl-C: the best model so far is saved.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	x := matrix.NewDense[float32](1500, 1000)
	for i := range x.Data {
		x.Data[i] = float32(i * 2654435761 >> 9 % 1000)
	}
	if err := data.Write(filepath.Join(dir, "x.npy"), &data.Table[float32]{X: x}, nil); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nmf", "fit", "x.npy", "-k", "20", "--solver", "mu", "--tol", "0", "--loss-tol", "0", "--max-iter", "1000000000", "-o", "m.npz")
	cmd.Dir = dir
	status, stderr := interruptAt(t, cmd, "iter ", 1)
	if status != 1 || !strings.Contains(stderr, "interrupted: the best model so far") {
		t.Errorf("exit status %d, standard error:\n%s", status, stderr)
	}
	m, err := nmf.Load[float32](filepath.Join(dir, "m.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Info.Status != nmf.Cancelled || m.Info.Iterations < 1 || m.W.Rows != 1500 {
		t.Errorf("the model has status %q, %d iterations, %d rows", m.Info.Status, m.Info.Iterations, m.W.Rows)
	}
}

// TestInterruptStream ends a stream that never ends with Ctrl-C: what has been
// learnt is saved.
func TestInterruptStream(t *testing.T) {
	cmd := exec.Command("nmf", "fit", "-", "-k", "2", "--online", "--batch", "10", "-o", "m.npz")
	cmd.Dir = t.TempDir()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			if _, err := io.WriteString(in, "1,2,3\n2,1,0\n4,4,1\n"); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	status, stderr := interruptAt(t, cmd, "batch ", 1)
	if status != 1 || !strings.Contains(stderr, "nmf: stopping; the model of the rows so far will be saved") || !strings.Contains(stderr, "interrupted: the model of ") {
		t.Errorf("exit status %d, standard error:\n%s", status, stderr)
	}
	m, err := nmf.Load[float32](filepath.Join(cmd.Dir, "m.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Info.Online.Rows < 10 || m.W.Rows != 10 {
		t.Errorf("%d rows learnt, %d rows of W", m.Info.Online.Rows, m.W.Rows)
	}
}

// TestInterruptTwice quits at once, leaving nothing behind.
func TestInterruptTwice(t *testing.T) {
	cmd := exec.Command("stubborn")
	cmd.Dir = t.TempDir()
	status, stderr := interruptAt(t, cmd, "ready", 2)
	if status != 130 || !strings.Contains(stderr, "stopping soon") {
		t.Errorf("exit status %d, standard error:\n%s", status, stderr)
	}
	if entries, _ := os.ReadDir(cmd.Dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestInterruptReading quits at once where there is nothing to save.
func TestInterruptReading(t *testing.T) {
	cmd := exec.Command("stubborn", "reading")
	cmd.Dir = t.TempDir()
	if status, stderr := interruptAt(t, cmd, "ready", 1); status != 130 {
		t.Errorf("exit status %d, standard error:\n%s", status, stderr)
	}
}

// stubborn is a program that is writing a file and does not end when it is
// asked to.
func stubborn() {
	w := watchInterrupts(os.Stderr)
	work := func(ctx context.Context) error {
		return atomicfile.Write("half.npz", func(out io.Writer) error {
			fmt.Fprintln(os.Stderr, "ready")
			<-ctx.Done()
			fmt.Fprintln(os.Stderr, "ready")
			select {}
		})
	}
	if len(os.Args) > 1 {
		work(context.Background())
	}
	w.during("stopping soon\n", work)
}

// interruptAt runs a command, interrupts it at each of the first lines of its
// standard error that hold a text, and gives its exit status.
func interruptAt(t *testing.T, cmd *exec.Cmd, text string, times int) (status int, stderr string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a program cannot be sent Ctrl-C here")
	}
	cmd.Stdout = io.Discard
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if times > 0 && strings.Contains(lines.Text(), text) {
			times--
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		return exit.ExitCode(), all.String()
	} else if err != nil {
		t.Fatal(err)
	}
	return 0, all.String()
}
