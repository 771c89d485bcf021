package data

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

func TestCheckWrite(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		path, format string
		want         error
	}{
		{filepath.Join(dir, "a.csv.gz"), "", nil},
		{filepath.Join(dir, "a.txt"), "npy", nil},
		{filepath.Join(dir, "folder"), "10x", nil},
		{"-", "", nil},
		{filepath.Join(dir, "a.pdf"), "", ErrUnsupported},
		{filepath.Join(dir, "a.csv"), "cvs", ErrUnsupported},
		{filepath.Join(dir, "none", "a.csv"), "", fs.ErrNotExist},
	} {
		if err := CheckWrite(c.path, &WriteOptions{Format: c.format}); !errors.Is(err, c.want) {
			t.Errorf("CheckWrite(%s, %q) = %v, want %v", c.path, c.format, err, c.want)
		}
	}
}
