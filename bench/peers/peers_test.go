// Package peers holds the comparison with scikit-learn; run.sh says how to run
// it. The test sees that it runs and that what it records can be read.
package peers

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsof/nmf/internal/workload"
)

func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs and runs scikit-learn")
	}
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import sklearn").Run(); err != nil {
		t.Skip("scikit-learn is absent: Debian has it as python3-sklearn")
	}
	dir := t.TempDir()
	for _, name := range []string{"D2", "S1", "K1", "K2"} {
		w, err := workload.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		x, err := w.Scaled(0.01, 0.02).Matrix(2)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(dir, x); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("./run.sh", dir, "D2", "S1", "K1", "K2", "ONLINE-K2", "STARTUP")
	cmd.Env = append(os.Environ(), "STARTS=1", "PYTHON="+python)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"ratio", "start-up", "S1   f64", "K2   f32", "learning online", "ONLINE-K2   f32"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in the output:\n%s", want, out)
		}
	}
	checkResults(t, filepath.Join(dir, "results.jsonl"))
}

// checkResults wants all workloads in both precisions, and the start-up.
func checkResults(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var r struct {
			What, Work    string
			Target, Error float64
			Missed        bool
			PeerRun       struct{ Seconds, Error, Loss float64 } `json:"peer_run"`
			NMFRun        struct {
				Seconds       float64
				Iterations    int
				RelativeError float64 `json:"relative_error"`
				LearnSeconds  float64 `json:"learn_seconds"`
				Loss          float64
			} `json:"nmf_run"`
			Seconds []float64
		}
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatalf("%v in %s", err, s.Bytes())
		}
		switch r.What {
		case "target":
			if r.Missed || r.Error > r.Target*(1+2e-5) || r.Target != r.PeerRun.Error {
				t.Errorf("the peer's error is not reached: %s", s.Bytes())
			}
			if r.NMFRun.Iterations < 1 || r.NMFRun.Seconds <= 0 || r.PeerRun.Seconds <= 0 {
				t.Errorf("nothing was measured: %s", s.Bytes())
			}
			// Ours is in the precision of the fit, the other in float64. That of
			// a divergence is not a relative error.
			if d := r.NMFRun.RelativeError - r.Error; strings.HasPrefix(r.Work, "K") {
				continue
			} else if d > 1e-4 || d < -1e-4 {
				t.Errorf("the fit reports the error %v, its model has %v", r.NMFRun.RelativeError, r.Error)
			}
		case "online":
			if r.NMFRun.LearnSeconds <= 0 || r.PeerRun.Seconds <= 0 || r.NMFRun.Loss <= 0 || r.PeerRun.Loss <= 0 {
				t.Errorf("nothing was measured: %s", s.Bytes())
			}
		case "startup":
			if len(r.Seconds) == 0 {
				t.Errorf("no start-up was measured: %s", s.Bytes())
			}
		}
	}
	if lines != 11 {
		t.Errorf("%d results, want 11", lines)
	}
}
