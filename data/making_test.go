package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partsof/nmf/internal/filelock"
)

// TestMakingChild is not a test: it is the process that the tests below start. It
// opens blocks, and says what happens a line each; before it makes a file it waits
// for its input.
func TestMakingChild(t *testing.T) {
	path := os.Getenv("NMF_TEST_MAKING")
	if path == "" {
		t.Skip("a process of other tests")
	}
	in := bufio.NewReader(os.Stdin)
	s, err := OpenBlocks[float32](path, nil, BlockOptions{Folder: filepath.Join(filepath.Dir(path), "blocks"),
		Making: func(why, _ string) {
			fmt.Println("\nmaking")
			_, _ = in.ReadString('\n')
		},
		Waiting: func(string) { fmt.Println("\nwaiting") }})
	if err != nil {
		fmt.Println("\nfailed", err)
		return
	}
	fmt.Printf("\nopen %q\n", s.Made)
	_, _ = in.ReadString('\n')
	fmt.Println("\nread", len(assembled(t, s.X, false).(interface{ Row(int) []float32 }).Row(2)))
	s.Close()
}

// maker is such a process.
type maker struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func startMaker(t *testing.T, path string) *maker {
	t.Helper()
	m := &maker{t: t, cmd: exec.Command(os.Args[0], "-test.run=^TestMakingChild$", "-test.v")}
	m.cmd.Env = append(os.Environ(), "NMF_TEST_MAKING="+path)
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.lines = bufio.NewScanner(out)
	t.Cleanup(m.kill)
	return m
}

func (m *maker) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

// says waits for a line that begins so.
func (m *maker) says(start string) string {
	m.t.Helper()
	for m.lines.Scan() {
		switch line := m.lines.Text(); {
		case strings.HasPrefix(line, start):
			return line
		case strings.HasPrefix(line, "failed"), strings.HasPrefix(line, "making"), strings.HasPrefix(line, "waiting"), strings.HasPrefix(line, "open"):
			m.t.Fatalf("%q, where it should say %s", line, start)
		}
	}
	m.t.Fatalf("it ends, and should say %s", start)
	return ""
}

func (m *maker) goOn() { fmt.Fprintln(m.in) }

// makingSource is a table, and the folder of its blocks.
func makingSource(t *testing.T) (path, folder string) {
	t.Helper()
	dir := t.TempDir()
	lock, err := filelock.Try(filepath.Join(dir, "lock"))
	if err != nil || !lock.Held {
		t.Skip("no locks on this file system")
	}
	lock.Close()
	path = filepath.Join(dir, "x[1].csv")
	if err := os.WriteFile(path, bytes.Repeat([]byte("1,2,3.5\n"), 2000), 0o666); err != nil {
		t.Fatal(err)
	}
	return path, filepath.Join(dir, "blocks")
}

// onlyBlocks checks that nothing but one block file is left.
func onlyBlocks(t *testing.T, folder string) {
	t.Helper()
	list := inFolder(folder, "*")
	if len(list) != 1 || !strings.HasSuffix(list[0], blockExtension) {
		t.Errorf("the folder holds %q", list)
	}
}

// TestTwoMakers: of processes that want the same blocks at once one makes them.
func TestTwoMakers(t *testing.T) {
	path, folder := makingSource(t)
	first := startMaker(t, path)
	first.says("making")
	others := []*maker{startMaker(t, path), startMaker(t, path)}
	for _, m := range others {
		m.says("waiting")
	}
	first.goOn()
	if line := first.says("open"); line != `open "it is read for the first time"` {
		t.Error(line)
	}
	for _, m := range append(others, first) {
		if m != first {
			if line := m.says("open"); line != `open ""` {
				t.Errorf("made again: %s", line)
			}
		}
		m.goOn()
		m.says("read 3")
	}
	onlyBlocks(t, folder)
}

// TestMakerKilled: one that waits makes the blocks where the other is killed, and
// what that has left is gone.
func TestMakerKilled(t *testing.T) {
	path, folder := makingSource(t)
	first := startMaker(t, path)
	first.says("making")
	dirs := inFolder(folder, "*"+makingExtension)
	if len(dirs) != 1 {
		t.Fatalf("the folder holds %q", inFolder(folder, "*"))
	}
	// What it has written so far, as far as it goes.
	half := []byte("NMFBLK1\nhalf of a block")
	for _, name := range []string{".nmf-00000001.tmp", strings.TrimSuffix(filepath.Base(dirs[0]), makingExtension)} {
		if err := os.WriteFile(filepath.Join(dirs[0], name), half, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	second := startMaker(t, path)
	second.says("waiting")
	first.kill()
	second.says("making")
	second.goOn()
	if line := second.says("open"); line != `open "it is read for the first time"` {
		t.Error(line)
	}
	second.goOn()
	second.says("read 3")
	onlyBlocks(t, folder)
}

// TestStale: what was left long ago by programs that were killed is removed when a
// block file is made, whatever it is of, but not what others work on.
func TestStale(t *testing.T) {
	path, folder := makingSource(t)
	long := time.Now().Add(-48 * time.Hour)
	leave := func(name string, at time.Time) string {
		name = filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{name, filepath.Dir(name)} {
			if err := os.Chtimes(p, at, at); err != nil {
				t.Fatal(err)
			}
		}
		return name
	}
	dead, live, recent := "a.csv-1"+blockExtension+makingExtension, "b.csv-2"+blockExtension+makingExtension, "c.csv-3"+blockExtension+makingExtension
	leave(filepath.Join(dead, ".nmf-00000001.tmp"), long)
	leave(filepath.Join(dead, strings.TrimSuffix(dead, makingExtension)), long)
	leave(filepath.Join(recent, ".nmf-00000001.tmp"), time.Now())
	lock, err := filelock.Try(leave(filepath.Join(live, makingLock), long))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	leave(".nmf-00000001.tmp", long)
	leave("notes.txt", long)
	s, err := OpenBlocks[float32](path, nil, BlockOptions{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	var left []string
	for _, name := range inFolder(folder, "*") {
		if !strings.HasSuffix(name, blockExtension) {
			left = append(left, filepath.Base(name))
		}
	}
	if want := []string{live, recent, "notes.txt"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}
