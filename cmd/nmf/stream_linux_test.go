package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	fitWithin(t, path, "256MB", limit)
}

// TestBlocksMemory does the same with the cells of a sparse X in a text file, in no
// order, which take 200 MB in memory and 300 MB more while they are read.
func TestBlocksMemory(t *testing.T) {
	if os.Getenv("NMF_LARGE") == "" {
		t.Skip("writes 1 GB: set NMF_LARGE to run it")
	}
	const rows, cols, cells, limit = 100_000, 20_000, 25_000_000, 128_000_000
	path := filepath.Join(t.TempDir(), "x.mtx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintf(w, "%%%%MatrixMarket matrix coordinate integer general\n%d %d %d\n", rows, cols, cells)
	var line []byte
	state := uint64(1)
	for range cells {
		state = state*6364136223846793005 + 1442695040888963407
		at := state >> 16
		line = strconv.AppendUint(line[:0], 1+at%rows, 10)
		line = append(line, ' ')
		line = strconv.AppendUint(line, 1+at/rows%cols, 10)
		line = append(line, ' ', '1'+byte(state>>60&7), '\n')
		if _, err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"--loss", "kl"}} {
		fitWithin(t, path, "128MB", limit, more...)
	}
}

// fitWithin fits a file under a bound of memory, and looks at what the process
// took.
func fitWithin(t *testing.T, path, memory string, limit int64, more ...string) {
	t.Helper()
	dir := filepath.Dir(path)
	program := filepath.Join(dir, "nmf")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, append([]string{"fit", path, "-k", "4", "--init", "random", "--compression", "off", "--max-iter", "2",
		"--memory", memory, "--cache", dir, "-o", filepath.Join(dir, "model.npz")}, more...)...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "block by block") {
		t.Fatalf("%v\n%s", err, out)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	if peak > limit {
		t.Errorf("the fit took %d MB of memory, %d were allowed", peak/1e6, limit/1_000_000)
	}
	t.Logf("%s%v: peak %d MB", filepath.Base(path), more, peak/1e6)
}
