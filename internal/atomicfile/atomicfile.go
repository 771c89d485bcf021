// Package atomicfile writes files that are whole or not there: to a temporary
// name in the same folder, synced, then renamed.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

const (
	bufferSize = 256 << 10
	maxLinks   = 40
)

// Write replaces the file at path by what fill writes. When fill or the file
// system fails, the old file stays as it was and the error says why.
//
// A symbolic link is kept and the file that it names is replaced. The
// permissions of an existing file are kept; a read-only one is refused. A
// device or a pipe, such as /dev/stdout, is written to directly.
func Write(path string, fill func(w io.Writer) error) error {
	if isDevice(path) {
		return writeDirectly(path, fill)
	}
	target, err := followLinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return replace(path, target, nil, fill)
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "write", Path: path, Err: syscall.EISDIR}
	}
	if err := checkWritable(path, target, info); err != nil {
		return err
	}
	return replace(path, target, info, fill)
}

// isDevice says that path, or what it links to, is there and is neither a file
// nor a folder. It asks the system: the text of a link to a pipe, such as
// /proc/self/fd/1, is no path.
func isDevice(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// followLinks gives the file that path names in the end, which need not exist.
func followLinks(path string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		link, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return "", &fs.PathError{Op: "write", Path: path, Err: syscall.ELOOP}
}

// checkWritable refuses to replace a file that could not be written to: a
// rename would not ask.
func checkWritable(path, target string, info fs.FileInfo) error {
	if info.Mode()&0o222 == 0 {
		return fmt.Errorf("write %s: the file is read-only: %w", path, fs.ErrPermission)
	}
	f, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func writeDirectly(path string, fill func(w io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, bufferSize)
	err = fill(w)
	if err == nil {
		err = w.Flush()
	}
	return errors.Join(err, f.Close())
}

// replace fills a temporary file and renames it to target. old is nil where
// there is no such file yet.
func replace(path, target string, old fs.FileInfo, fill func(w io.Writer) error) (err error) {
	dir := filepath.Dir(target)
	f, err := createTemp(dir)
	if err != nil {
		return describeCreate(path, dir, err)
	}
	temporary.Store(f.Name(), nil)
	done := false
	defer func() {
		temporary.Delete(f.Name())
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, bufferSize)
	if err := fill(w); err != nil {
		return atTarget(path, err)
	}
	if err := w.Flush(); err != nil {
		return atTarget(path, err)
	}
	if old != nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return atTarget(path, err)
		}
	}
	if err := f.Sync(); err != nil {
		return atTarget(path, err)
	}
	if err := f.Close(); err != nil {
		return atTarget(path, err)
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return atTarget(path, err)
	}
	done = true
	syncFolder(dir)
	return nil
}

// createTemp makes a new file whose permissions are those that any new file
// gets; os.CreateTemp would make it private.
func createTemp(dir string) (*os.File, error) {
	const tries = 100
	var err error
	for range tries {
		name := filepath.Join(dir, fmt.Sprintf(".nmf-%08x.tmp", rand.Uint32()))
		var f *os.File
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, err
}

func describeCreate(path, dir string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: folder %q does not exist: %w", path, dir, err)
	}
	return fmt.Errorf("write %s: no file can be made in folder %q: %w", path, dir, err)
}

// atTarget names the file that the user asked for in an error about the
// temporary one.
func atTarget(path string, err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return &fs.PathError{Op: e.Op, Path: path, Err: e.Err}
	case *os.LinkError:
		return &fs.PathError{Op: e.Op, Path: path, Err: e.Err}
	}
	return err
}

// syncFolder makes the rename itself last through a power cut. Not every file
// system can sync a folder, and the file is whole either way.
func syncFolder(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	_ = d.Sync()
	d.Close()
}
