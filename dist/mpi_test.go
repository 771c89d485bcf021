//go:build !nonative && (linux || darwin) && (amd64 || arm64)

package dist

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/comm/commtest"
	"github.com/partsof/nmf/internal/mpirun"
)

// TestMain is also what the ranks of a test run: the job that DIST_TEST_JOB
// names.
func TestMain(m *testing.M) {
	job := os.Getenv("DIST_TEST_JOB")
	if job == "" {
		os.Exit(m.Run())
	}
	w, err := Start(nil)
	if err == nil {
		if err = jobs[job](w); err != nil {
			w.Abort(err)
		}
		err = w.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// jobs are what the ranks of tests do, by name.
var jobs = map[string]func(w *World) error{
	"conformance": func(w *World) error {
		l, several, err := Launched()
		if err != nil || l.Rank != w.Rank() || l.Size != w.Size() || several != (w.Size() > 1) {
			return fmt.Errorf("launched as %+v, %v, %v, and it is rank %d of %d", l, several, err, w.Rank(), w.Size())
		}
		return commtest.Check(w)
	},
	"rounds": rounds,
	"fails": func(w *World) error {
		if w.Rank() == 1 {
			return errors.New("the cheese is gone")
		}
		return w.Barrier()
	},
	"all fail": func(*World) error { return errors.New("the cheese is gone") },
	"dies": func(w *World) error {
		if w.Rank() == 1 {
			p, err := os.FindProcess(os.Getpid())
			if err != nil {
				return err
			}
			p.Kill()
		}
		return w.Barrier()
	},
	"busy": func(w *World) error {
		if w.Rank() == 1 {
			go w.Abort(errors.New("the cheese is gone"))
		}
		if w.Rank() == 0 {
			time.Sleep(time.Minute) // so that the others are within the library
		}
		return w.Barrier()
	},
	"machines": func(w *World) error {
		hosts, err := comm.EachBytes(w, []byte(w.Host()))
		if err != nil {
			return err
		}
		if w.Rank() == 0 {
			fmt.Printf("%s %s\n", w.Library(), bytes.Join(hosts, []byte(" ")))
		}
		return commtest.Check(w)
	},
}

// rounds gathers by rounds what is gathered at once.
func rounds(w *World) error {
	counts := make([]int, w.size)
	rng := rand.New(rand.NewPCG(1, 2))
	total := 0
	for i := range counts {
		counts[i] = rng.IntN(3 * roundBytes / w.size)
		total += counts[i]
	}
	mine := bytes.Repeat([]byte{byte(w.rank + 1)}, counts[w.rank])
	once, byRounds := make([]byte, total), make([]byte, total)
	return w.collective(0, 0, func() error {
		if err := w.gather(mine, once, counts); err != nil {
			return err
		}
		if err := w.gatherByRounds(mine, byRounds, counts); err != nil {
			return err
		}
		if !bytes.Equal(once, byRounds) {
			return fmt.Errorf("%v bytes are gathered as others by rounds", counts)
		}
		return nil
	})
}

// job makes a command the ranks of a job.
func job(t *testing.T, c *exec.Cmd, name string) *exec.Cmd {
	c.Env = append(c.Env, "DIST_TEST_JOB="+name, "GOTRACEBACK=single")
	return c
}

func self(t *testing.T) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformance(t *testing.T) {
	mpirun.Need(t)
	for _, n := range []int{1, 2, 4} {
		if out, err := job(t, mpirun.Command(n, self(t)), "conformance").CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%d ranks: %v\n%s", n, err, out)
		}
	}
	if out, err := job(t, mpirun.Command(3, self(t)), "rounds").CombinedOutput(); err != nil {
		t.Fatalf("rounds: %v\n%s", err, out)
	}
}

// TestMachines joins ranks on two machines that only a network joins.
func TestMachines(t *testing.T) {
	// Open MPI itself may warn that it lost a race with a process that it has started.
	var warnings bytes.Buffer
	c := job(t, mpirun.NewHosts(t, 2).Command(2, self(t)), "machines")
	c.Stderr = &warnings
	out, err := c.Output()
	if err != nil || !bytes.Contains(out, []byte("host1 host2 host1 host2")) || !bytes.HasPrefix(out, []byte("Open MPI v")) {
		t.Fatalf("%v\n%s\n%s", err, out, warnings.Bytes())
	}
}

// TestFailure: one rank that fails, that dies, or all that fail, end the job with
// one message.
func TestFailure(t *testing.T) {
	mpirun.Need(t)
	for _, test := range []struct{ job, want string }{
		{"fails", "rank 1: the cheese is gone"},
		{"all fail", "rank 0: the cheese is gone"},
		{"busy", "rank 1: the cheese is gone"},
		{"dies", "exited on signal 9"},
	} {
		out, err := job(t, mpirun.Command(3, self(t)), test.job).CombinedOutput()
		if err == nil || strings.Count(string(out), test.want) != 1 {
			t.Errorf("%s: %v, and not once %q:\n%s", test.job, err, test.want, out)
		}
		if strings.Count(string(out), "cheese") > 1 {
			t.Errorf("%s: more than one message:\n%s", test.job, out)
		}
	}
}

func TestAbsent(t *testing.T) {
	t.Setenv(Environment, "/nowhere/libmpi.so")
	_, err := Start(nil)
	if !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "/nowhere/libmpi.so") || !strings.Contains(err.Error(), "openmpi") && !strings.Contains(err.Error(), "open-mpi") {
		t.Errorf("a library that is not there: %v", err)
	}
	t.Setenv(Environment, "libc.so.6")
	if _, err := Start(nil); err == nil || !errors.Is(err, ErrAbsent) {
		t.Errorf("a library of something else: %v", err)
	}
}
