package nmf_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

func smallModel(t testing.TB) *nmf.Model[float64] {
	t.Helper()
	x := matrix.NewDense[float64](6, 5)
	for i := range x.Data {
		x.Data[i] = float64(1 + i*7%11)
	}
	m, err := nmf.Fit(t.Context(), x, 2, &nmf.Options{Seed: 3, Runs: 2, Threads: 1,
		RowNames: []string{"a", "b", "c c", "d", "é", ""}, ColumnNames: []string{"v", "w", "x", "y", "z"}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSaveLoad(t *testing.T) {
	m := smallModel(t)
	path := filepath.Join(t.TempDir(), "m.npz")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := nmf.Load[float64](path)
	if err != nil {
		t.Fatal(err)
	}
	want := *m
	// What points into the caller's program is not saved.
	want.Info.Options.RowNames, want.Info.Options.ColumnNames = nil, nil
	want.Info.Resolved.RowNames, want.Info.Resolved.ColumnNames = nil, nil
	if d := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(want)); d != "" {
		t.Errorf("loaded model differs (-saved +loaded):\n%s", d)
	}
	info, err := nmf.ReadInfo(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&want.Info, info); d != "" {
		t.Error(d)
	}
	narrow, err := nmf.Load[float32](path)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range m.H.Data {
		if narrow.H.Data[i] != float32(v) {
			t.Fatalf("H[%d] = %v as float32, want %v", i, narrow.H.Data[i], float32(v))
		}
	}
	again := filepath.Join(t.TempDir(), "again.npz")
	if err := got.Save(again); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(again)
	if !bytes.Equal(a, b) {
		t.Error("the same model gave other bytes")
	}
}

func TestSaveLineBreakInName(t *testing.T) {
	m := smallModel(t)
	m.RowNames[2] = "two\r\nlines"
	path := filepath.Join(t.TempDir(), "m.npz")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := nmf.Load[float64](path)
	if err != nil {
		t.Fatal(err)
	}
	if got.RowNames[2] != "two lines" {
		t.Errorf("row name %q", got.RowNames[2])
	}
}

// TestLoadInNumPy opens a model with Python's NumPy alone.
func TestLoadInNumPy(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import numpy").Run(); err != nil {
		t.Skip("no python3 with numpy")
	}
	m := smallModel(t)
	path := filepath.Join(t.TempDir(), "m.npz")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	const script = `
import json, sys, zipfile, numpy as np
z = np.load(sys.argv[1])
W, H, s = z["W"], z["H"], z["scales"]
assert W.shape == (6, 2) and H.shape == (2, 5) and s.shape == (2,), (W.shape, H.shape, s.shape)
X = np.array([1 + i * 7 % 11 for i in range(30)], float).reshape(6, 5)
info = json.load(zipfile.ZipFile(sys.argv[1]).open("model.json"))
rel = np.linalg.norm(X - W @ np.diag(s) @ H) / np.linalg.norm(X)
assert abs(rel - info["relative_error"]) < 1e-12, (rel, info["relative_error"])
assert np.allclose(W.sum(0), 1) and np.allclose(H.sum(1), 1)
names = zipfile.ZipFile(sys.argv[1]).read("row_names.txt").decode().splitlines()
assert names == ["a", "b", "c c", "d", "é", ""], names
`
	if out, err := exec.Command(python, "-c", script, path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestLoadRefuses(t *testing.T) {
	m := smallModel(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "m.npz")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 7 {
		short := filepath.Join(dir, "short.npz")
		if err := os.WriteFile(short, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := nmf.Load[float64](short)
		if !errors.Is(err, nmf.ErrModelFormat) || !strings.Contains(err.Error(), short) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	m.Info.FormatVersion = 99
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := nmf.Load[float64](path); !errors.Is(err, nmf.ErrModelVersion) {
		t.Errorf("newer version: %v", err)
	}
	if _, err := nmf.Load[float64](filepath.Join(dir, "none.npz")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := nmf.Load[float64](dir); !errors.Is(err, nmf.ErrModelFormat) {
		t.Errorf("folder: %v", err)
	}
}
