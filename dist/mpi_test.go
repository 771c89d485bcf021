//go:build !nonative && (linux || darwin) && (amd64 || arm64)

package dist

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/partsof/nmf/internal/comm/commtest"
)

// TestMain is also what the ranks of a test run.
func TestMain(m *testing.M) {
	if job := os.Getenv("DIST_TEST_JOB"); job != "" {
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
		return
	}
	os.Exit(m.Run())
}

// jobs are what the ranks of tests do, by name.
var jobs = map[string]func(w *World) error{
	"conformance": func(w *World) error { return commtest.Check(w) },
	"rounds":      rounds,
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
