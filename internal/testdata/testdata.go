// Package testdata finds the real data sets that some tests use. They are not
// part of the project: where they are absent such a test skips, saying so.
package testdata

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared gives the path of a file below the folder of shared data: the one
// that NMF_SHARED names, or a folder "shared" beside or above the checkout.
// It skips the test where there is none.
func Shared(t testing.TB, name string) string {
	t.Helper()
	if root := os.Getenv("NMF_SHARED"); root != "" {
		path := filepath.Join(root, name)
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("NMF_SHARED is set but %s is not there", path)
		}
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(dir, "shared", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Skipf("shared data %q is absent (set NMF_SHARED to its folder to run this test)", name)
		}
		dir = parent
	}
}
