package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	if err := os.WriteFile(kept, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	readOnly := filepath.Join(dir, "read-only")
	if err := os.WriteFile(readOnly, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want error
	}{
		{kept, nil},
		{filepath.Join(dir, "new"), nil},
		{os.DevNull, nil},
		{readOnly, fs.ErrPermission},
		{filepath.Join(dir, "none", "new"), fs.ErrNotExist},
	} {
		if err := Check(c.path); !errors.Is(err, c.want) {
			t.Errorf("Check(%s) = %v, want %v", c.path, err, c.want)
		}
	}
	if err := Check(dir); err == nil {
		t.Error("a folder passes")
	}
	if b, err := os.ReadFile(kept); err != nil || string(b) != "old" {
		t.Errorf("the checked file holds %q, %v", b, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestRemoveTemporary(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new")
	err := Write(path, func(io.Writer) error {
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("while a file is filled there are %v", entries)
		}
		RemoveTemporary()
		if entries, _ := os.ReadDir(dir); len(entries) != 0 {
			t.Errorf("left: %v", entries)
		}
		return nil
	})
	if err == nil {
		t.Error("a file that was removed counts as written")
	}
}
