package nmf_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/partsof/nmf"
)

// TestCheckpointDiskFull: on a full disk the fit goes on, the states before stay,
// and nothing half-written is left.
func TestCheckpointDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no small disk can be made here: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	x := lowRank[float64](60, 45, 6, 0.2, 1)
	o := &nmf.Options{Init: "random", Solver: "mu", MaxIter: 700, Tol: -1, LossTol: -1}
	want := everything(t, fit(t, x, 5, o))
	var notes []string
	saved := 0
	o.Checkpoint = &nmf.Checkpoint{Dir: filepath.Join(dir, "c"), Every: -1, Note: func(m string) { notes = append(notes, m) }, Saved: func(string) { saved++ }}
	if everything(t, fit(t, x, 5, o)) != want {
		t.Error("another model")
	}
	// The trace grows until three states are more than the disk holds.
	if saved < 10 || saved > 690 || len(notes) == 0 || !strings.Contains(strings.Join(notes, " "), "no space left on device; the fit goes on") {
		t.Errorf("%d saved, notes %q", saved, notes)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "c", "*")); len(files) != 3 {
		t.Errorf("the folder holds %q", files)
	}
	o.Checkpoint = &nmf.Checkpoint{Dir: o.Checkpoint.Dir, Resume: true}
	if everything(t, fit(t, x, 5, o)) != want {
		t.Error("resumed: another model")
	}
}
