package main

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/partsof/nmf/internal/npy"
)

// TestStreamMemory fits 2 GB of X under a bound of 256 MB, and looks at how much
// memory the process really took. All but a few rows of the file are a hole.
func TestStreamMemory(t *testing.T) {
	if os.Getenv("NMF_LARGE") == "" {
		t.Skip("reads 2 GB several times: set NMF_LARGE to run it")
	}
	const rows, cols, limit = 100_000, 5000, 256_000_000
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npy")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := npy.WriteHeader(f, "<f4", []int{rows, cols}); err != nil {
		t.Fatal(err)
	}
	start, err := f.Seek(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	row := make([]byte, 4*cols)
	for j := range cols {
		binary.LittleEndian.PutUint32(row[4*j:], math.Float32bits(float32(j%97)))
	}
	for i := 0; i < rows; i += 997 {
		if _, err := f.WriteAt(row, start+int64(i)*4*cols); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(start + int64(rows)*4*cols); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "nmf")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, "fit", path, "-k", "4", "--init", "random", "--compression", "off", "--max-iter", "2",
		"--memory", "256MB", "-o", filepath.Join(dir, "model.npz"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "block by block") {
		t.Fatalf("%v\n%s", err, out)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	if peak > limit {
		t.Errorf("the fit took %d MB of memory, %d were allowed", peak/1e6, limit/1_000_000)
	}
	t.Logf("peak %d MB", peak/1e6)
}
