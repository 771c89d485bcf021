package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func content(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func wantFile(t *testing.T, path, text string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, text)
	}
}

// wantOnly checks that nothing temporary is left.
func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the folder holds %q, want %q", got, names)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, text := range []string{"first", "", strings.Repeat("long ", bufferSize)} {
		if err := Write(path, content(text)); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, text)
	}
	wantOnly(t, dir, "a")
}

func TestNewFileHasUsualPermissions(t *testing.T) {
	dir := t.TempDir()
	ours, usual := filepath.Join(dir, "ours"), filepath.Join(dir, "usual")
	if err := Write(ours, content("")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(usual, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if a, b := mode(t, ours), mode(t, usual); a != b {
		t.Errorf("permissions %v, want %v", a, b)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestPermissionsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, content("x")); err != nil {
		t.Fatal(err)
	}
	if m := mode(t, path); m != 0o600 {
		t.Errorf("permissions became %v", m)
	}
}

func TestReadOnlyFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("old"), 0o444); err != nil {
		t.Fatal(err)
	}
	err := Write(path, content("new"))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path+": the file is read-only") {
		t.Errorf("got %v", err)
	}
	wantFile(t, path, "old")
}

func TestLinkIsKept(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	link, target := filepath.Join(dir, "link"), filepath.Join(dir, "sub", "target")
	if err := os.Symlink(filepath.Join("sub", "target"), link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	for _, text := range []string{"dangling", "existing"} {
		if err := Write(link, content(text)); err != nil {
			t.Fatal(err)
		}
		wantFile(t, target, text)
		if mode(t, link)&fs.ModeSymlink == 0 {
			t.Fatal("the link was replaced by a file")
		}
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if err := Write(loop, content("")); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link to itself: %v", err)
	}
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Write(path, func(w io.Writer) error {
		if err := content(strings.Repeat("new", bufferSize))(w); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	wantFile(t, path, "old")
	wantOnly(t, dir, "a")

	func() {
		defer func() { recover() }()
		_ = Write(path, func(io.Writer) error { panic("in the middle") })
	}()
	wantFile(t, path, "old")
	wantOnly(t, dir, "a")
}

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	err := Write(filepath.Join(dir, "no", "such", "a"), content(""))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `no/such" does not exist`) {
		t.Errorf("folder that does not exist: %v", err)
	}
	if err := Write(dir, content("")); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("folder as a file: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(file, "a"), content("")); err == nil {
		t.Error("a file was written within a file")
	}
}

func TestClosedFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	err := Write(filepath.Join(dir, "a"), content(""))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "no file can be made in folder") {
		t.Errorf("got %v", err)
	}
}

func TestDevices(t *testing.T) {
	if err := Write(os.DevNull, content("x")); err != nil {
		t.Error(err)
	}
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skipf("no full disk to write to: %v", err)
	}
	for _, text := range []string{"x", strings.Repeat("x", 2*bufferSize)} {
		if err := Write(full, content(text)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("full disk: %v", err)
		}
	}
}

// TestPipe writes to a pipe under the name that the system links it to, as
// /dev/stdout does.
func TestPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	path := fmt.Sprintf("/proc/self/fd/%d", w.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skipf("open files have no names here: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		if err := errors.Join(Check(name), Write(name, content("through"))); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len("through"))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != "through" {
			t.Errorf("%s: the pipe gave %q, %v", name, got, err)
		}
	}
}
