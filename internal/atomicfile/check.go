package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Check finds out whether Write could write to path, so that long work need
// not end in an error. It leaves everything as it is.
func Check(path string) error {
	if isDevice(path) {
		return nil
	}
	target, err := followLinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "write", Path: path, Err: syscall.EISDIR}
	default:
		if err := checkWritable(path, target, info); err != nil {
			return err
		}
	}
	dir := filepath.Dir(target)
	f, err := createTemp(dir)
	if err != nil {
		return describeCreate(path, dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
